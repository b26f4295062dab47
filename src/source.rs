//! Reading a TOML file that a person wrote: a description of its keys in, a value or every fault out.
//!
//! A loader asks a [`Table`] for its keys and gets plain values; whatever is wrong is noted with its
//! place, and a stand-in is returned so that the reading goes on and one run lists all faults.
//! Shared by checks, runbooks, themes, key maps and configuration; knows none of them.

mod duration;
mod fault;
mod literal;
mod mask;
mod nested;
mod scalar;
mod suggest;
mod table;

pub use duration::{DURATION_HINT, duration, duration_text};
pub use fault::{Complaint, Fault, Paint, Spot, render};
pub use mask::mask;
pub use suggest::{did_you_mean, list, quoted, shell_word};
pub use table::Table;

use std::sync::Arc;

use toml::de::DeTable;

/// How closely a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Everything in it is judged, the texts in other languages (SQL, templates) too.
    Judge,
    /// Its texts were judged before the program was built, so that nobody waits for it at the start.
    Trust,
}

/// Reads one file. `what` names it with its article ("a check") and `build` describes its keys; what
/// `build` returns is given back only when not a single fault was found.
pub fn read<T>(
    file: &str,
    what: &str,
    text: &str,
    build: impl FnOnce(&Table<'_>) -> T,
) -> Result<T, Vec<Fault>> {
    read_with(Care::Judge, file, what, text, build)
}

/// The same for a file that may have been judged before.
pub fn read_with<T>(
    care: Care,
    file: &str,
    what: &str,
    text: &str,
    build: impl FnOnce(&Table<'_>) -> T,
) -> Result<T, Vec<Fault>> {
    let whole = Spot::new(file.into(), Arc::new(mask::Masked::new(text)), 0..0);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // The keys of a file that is not TOML are guesses, so only the syntax is reported.
        return Err(errors.iter().map(|error| syntax(&whole, error)).collect());
    }
    table::read_document(care, whole, what, document.get_ref(), build)
}

/// Whether a text has this key at its top, as far as it can be read.
pub fn has_key(text: &str, key: &str) -> bool {
    DeTable::parse_recoverable(text).0.get_ref().contains_key(key)
}

fn syntax(whole: &Spot, error: &toml::de::Error) -> Fault {
    let spot = error.span().map_or_else(|| whole.clone(), |span| whole.over(span));
    // The parser's words may span lines ("expected ..." follows the message).
    let words = error.message().lines().map(str::trim).collect::<Vec<_>>().join("; ");
    let sentence = format!("This is not TOML: {words}.");
    let fault = spot.fault(sentence);
    match words.as_str() {
        w if w.contains("duplicate key") => fault.suggest("Keep one of the two and delete the other."),
        w if w.contains("string") => fault.suggest(
            "Texts stand in \"double quotes\"; texts of several lines in \"\"\"three double quotes\"\"\".",
        ),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Lamp {
        id: String,
        colour: char,
        off_after: Duration,
        bulbs: Vec<u64>,
    }

    fn lamp(text: &str) -> Result<Lamp, Vec<String>> {
        read("lamp.toml", "a lamp", text, |table| Lamp {
            id: table.text("id"),
            colour: table.one_of("colour", &[('r', "red"), ('g', "green")]),
            off_after: table.duration_or("off_after", Duration::from_secs(30)),
            bulbs: table.tables("bulb", "a bulb", |bulb| bulb.whole("watts", 1..=100)),
        })
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_good_file_becomes_a_value() {
        assert_eq!(
            lamp("id = \"desk\"\ncolour = \"green\"\noff_after = \"2h\"\n[[bulb]]\nwatts = 40\n"),
            Ok(Lamp {
                id: "desk".into(),
                colour: 'g',
                off_after: Duration::from_hours(2),
                bulbs: vec![40],
            })
        );
    }

    #[test]
    fn one_reading_lists_every_fault_in_the_order_of_the_file() {
        let faults = lamp(
            "colour = \"blue\"\noff_after = \"5 minutes\"\ncolor = 1\n[[bulb]]\nwatts = \"a\"\n[[bulb]]\nwatt = 3\n",
        )
        .expect_err("six faults");
        assert_eq!(
            faults,
            [
                "lamp.toml:1:1: A lamp needs `id`; write id = \"…\".",
                "lamp.toml:1:10: `colour` cannot be \"blue\"; write \"red\" or \"green\".",
                "lamp.toml:2:13: \"5 minutes\" is not a duration; write a whole number and its unit, such as \"500ms\", \"30s\", \"10m\", \"2h\" or \"1d\".",
                "lamp.toml:3:1: A lamp has no key `color`. Did you mean `colour`?",
                "lamp.toml:5:9: `watts` must be a whole number without quotes, not a text.",
                "lamp.toml:6:1: A bulb needs `watts`; write watts = 1.",
                "lamp.toml:7:1: A bulb has no key `watt`. Did you mean `watts`?",
            ]
        );
    }

    #[test]
    fn a_file_that_is_not_toml_is_reported_as_such_only() {
        let faults = lamp("id = \"desk\ncolour = 3\nid = 4\n").expect_err("broken");
        assert!(faults[0].starts_with("lamp.toml:1:"), "{faults:?}");
        assert!(faults.iter().all(|fault| fault.contains("This is not TOML")), "{faults:?}");
    }

    #[test]
    fn a_fault_is_drawn_with_its_line_and_never_with_a_password() {
        let faults =
            read("t.toml", "a target", "url = \"postgres://me:s3cret@host/db\"\n", |table| {
                table.whole("url", 0..=1)
            })
            .expect_err("a text");
        let plain = render(&faults, Paint::Plain);
        assert!(
            plain.contains("t.toml:1:7") && plain.contains("postgres://me:******@host"),
            "{plain}"
        );
        assert!(!plain.contains('\u{1b}'));
        assert!(render(&faults, Paint::Coloured).contains('\u{1b}'));
    }

    #[test]
    fn control_characters_of_a_file_never_reach_the_terminal() {
        let text = "id = \"\\u001b[31m\\u202e\"\ncolour = \"\\u001b[2J\"\n# \u{202e}x\n";
        let faults = read("a\u{1b}b.toml", "a lamp", text, |table| {
            (table.id("id"), table.one_of("colour", &[(1, "red")]))
        })
        .expect_err("two faults");
        let plain = render(&faults, Paint::Plain);
        let one = faults.iter().map(ToString::to_string).collect::<String>();
        for text in [plain, one] {
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        }
    }
}
