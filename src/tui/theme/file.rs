//! A theme as a file says it: one line a role, colours as names, numbers or `#rrggbb`.

use ratatui::style::{Color, Modifier};

use super::{BUILT_IN, Ground, Ink, Paint, Role, Theme, depth::Depth};
use crate::source::{Fault, Table, did_you_mean, list, quoted, read};

const COLOURS: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("grey", Color::Gray),
    ("dark-grey", Color::DarkGray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("white", Color::White),
];

const GROUNDS: [(Ground, &str); 3] =
    [(Ground::Dark, "dark"), (Ground::Light, "light"), (Ground::Any, "any")];

/// Nothing that blinks or hides.
const MODIFIERS: [(&str, Modifier); 6] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
    ("struck", Modifier::CROSSED_OUT),
];

pub(super) fn parse(file: &str, source: &str) -> Result<Theme, Vec<Fault>> {
    read(file, "a theme", source, |table| {
        let name = table.id("name");
        let about = table.text_or("about", "");
        let mut theme = base(table);
        if let Some(ground) = table.optional_one_of("background", &GROUNDS) {
            theme.ground = ground;
        }
        for (at, (_, word)) in Role::ALL.iter().enumerate() {
            let what = format!("`{word}`");
            if let Some(paint) = table.table(word, &what, paint) {
                theme.paints[at] = paint;
            }
        }
        Theme { name, about, ..theme }.at(Depth::True)
    })
}

fn base(table: &Table<'_>) -> Theme {
    let known: Vec<(&str, &str)> = BUILT_IN.iter().map(|(name, _)| (*name, *name)).collect();
    table.optional_one_of("base", &known).and_then(Theme::raw).unwrap_or_else(Theme::bare)
}

fn paint(table: &Table<'_>) -> Paint {
    let ink = |key: &'static str, key16: &'static str| {
        let sixteen = colour(table, key16);
        colour(table, key).map(|color| Ink { color, sixteen })
    };
    let mut modifiers = Modifier::empty();
    for (word, spot) in table.spotted_texts("modifiers") {
        if let Some((_, modifier)) = MODIFIERS.iter().find(|(known, _)| *known == word) {
            modifiers |= *modifier;
        } else {
            let known = MODIFIERS.map(|(known, _)| known);
            let sentence =
                format!("{} is no modifier; write {}.", quoted(&word), list(&known, "or"));
            table.add(hint(spot.fault(sentence), did_you_mean(&word, known)));
        }
    }
    let paint = Paint { fg: ink("fg", "fg16"), bg: ink("bg", "bg16"), modifiers };
    for (key16, key) in [("fg16", "fg"), ("bg16", "bg")] {
        if table.has(key16) && !table.has(key) {
            table.fault(key16, format!("`{key16}` stands in for `{key}`, which is missing here."));
        }
    }
    paint
}

fn colour(table: &Table<'_>, key: &'static str) -> Option<Color> {
    let text = table.optional_text(key)?;
    let found = COLOURS
        .iter()
        .find_map(|(name, color)| (*name == text).then_some(*color))
        .or_else(|| text.parse::<u8>().ok().map(Color::Indexed))
        .or_else(|| rgb(&text));
    if found.is_none() {
        let sentence = format!(
            "{} is no colour; write \"#rrggbb\", a number from \"0\" to \"255\" or a name.",
            quoted(&text)
        );
        let near = did_you_mean(&text, COLOURS.map(|(name, _)| name));
        table.add(hint(table.spot(key).fault(sentence), near));
    }
    found
}

fn hint(fault: Fault, near: Option<&str>) -> Fault {
    match near {
        Some(near) => fault.suggest(format!("Did you mean \"{near}\"?")),
        None => fault,
    }
}

fn rgb(text: &str) -> Option<Color> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some(Color::Rgb(byte(0)?, byte(2)?, byte(4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_of_ones_own_needs_only_what_differs() {
        let theme =
            Theme::parse("mine", "name = \"mine\"\nbase = \"dark\"\nok = { fg = \"39\" }\n")
                .expect("no fault");
        let dark = Theme::raw("dark").expect("built in");
        assert_eq!(theme.style(Role::Ok).fg, Some(Color::Indexed(39)));
        assert_eq!(theme.style(Role::Danger), dark.style(Role::Danger));
    }

    #[test]
    fn sixteen_colours_can_be_chosen_by_hand() {
        let source = "name = \"a\"\nkey = { fg = \"#123456\", fg16 = \"light-cyan\" }\n";
        let theme = Theme::parse("a", source).expect("no fault").at(Depth::Sixteen);
        assert_eq!(theme.style(Role::Key).fg, Some(Color::LightCyan));
    }

    #[test]
    fn every_fault_of_a_theme_is_reported() {
        let source = "name = \"My Theme\"\nbase = \"drak\"\nok = { fg = \"grene\", modifers = [] }\n\
            danger = { fg = \"#12\", modifiers = [\"blink\"] }\nprod = { bg = \"red\" }\n\
            muted = { fg16 = \"grey\" }\n";
        let faults = Theme::parse("mine.toml", source).expect_err("seven faults");
        let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 2, 3, 3, 4, 4, 5, 6], "{faults:#?}");
    }
}
