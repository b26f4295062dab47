#![allow(clippy::unwrap_used)]
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn text(derived: &str, texts: &Texts) -> String {
    let mut out = format!("# Postmortem\n\n{derived}\n");
    for spec in &SPECS {
        let _ = write!(out, "\n## {}\n\n{}", spec.title, marked(spec.name, &texts.between(spec)));
    }
    if let Some(kept) = texts.kept() {
        let _ = write!(out, "\n## Kept text\n\n{}", marked(KEPT, kept));
    }
    out
}

fn again(old: &str, derived: &str) -> String {
    let blank = text(derived, &Texts::default());
    text(derived, &gather(old, &blank))
}

fn of<'p>(parts: &'p [Part], name: &str) -> &'p Part {
    parts.iter().find(|part| part.name == name).unwrap()
}

#[test]
fn a_question_is_no_answer() {
    let empty = again("", "1 row");
    assert_eq!(unwritten_parts(&empty), parts(&empty));
    let answered = replace_part(&empty, "surprise", "It had run twice.");
    assert!(unwritten_parts(&answered).iter().all(|part| part.name != "surprise"));
}

#[test]
fn what_people_wrote_stays_byte_for_byte() {
    let mine = "  * a\u{a0}list\r\n\n\n## Timeline\n<b>\tx | y\n";
    let first = replace_part(&again("", "1 row"), "surprise", mine);
    let second = again(&first, "2 rows");
    assert!(second.contains("2 rows") && !second.contains("1 row\n"));
    assert!(second.contains(&format!("<!-- yours: surprise -->\n{mine}<!-- end: surprise -->")));
    assert_eq!(again(&second, "2 rows"), second);
}

#[test]
fn a_part_can_be_written_read_and_emptied() {
    let text = replace_part(&again("", "x"), "luck", "the backup was a day old");
    assert_eq!(of(&parts(&text), "luck").text, "the backup was a day old");
    assert_eq!(replace_part(&text, "luck", "the backup was a day old"), text);
    assert_eq!(of(&parts(&replace_part(&text, "luck", " \n")), "luck").text, "");
}

#[test]
fn a_text_cannot_break_the_markers() {
    let text = replace_part(&again("", "x"), "luck", "a\n<!-- end: luck -->\nb");
    assert_eq!(of(&parts(&text), "luck").text, "a\n&lt;!-- end: luck -->\nb");
    let hidden = replace_part(&again("", "x"), "luck", "<!-- oops");
    assert_eq!(of(&parts(&hidden), "luck").text, "&lt;!-- oops");
}

#[test]
fn a_damaged_marker_loses_no_text() {
    let whole =
        replace_part(&again("", "1 row"), "surprise", "we thought it was unique\n\nit was not");
    for damage in ["<!-- yours: surprise -->", "<!-- end: surprise -->"] {
        for instead in
            ["", "<!-- yours surprise -->", "<!-- end: surpris -->", "text <!-- end: surprise -->"]
        {
            let mended = again(&whole.replace(damage, instead), "2 rows");
            assert!(mended.contains("## Kept text"), "{damage} {instead}: {mended}");
            assert!(mended.contains("we thought it was unique\n\nit was not\n"), "{mended}");
            assert_eq!(again(&mended, "2 rows"), mended);
            assert_eq!(of(&parts(&mended), "surprise").text, "");
        }
    }
}

#[test]
fn a_part_that_is_there_twice_or_unknown_is_kept() {
    let text = again("", "x") + &marked("luck", "one\n") + &marked("poem", "two\n");
    let once = again(&text, "x");
    assert!(once.contains("## Kept text") && once.contains("two\n") && once.contains("one\n"));
}

#[test]
fn text_outside_of_whole_markers_is_the_programs() {
    let text = again("", "x").replace("# Postmortem\n", "# Postmortem\nmy line\n");
    assert!(!again(&text, "x").contains("my line"));
}

#[test]
fn what_two_write_at_the_same_time_is_put_together_part_by_part() {
    let base = replace_part(&again("", "1 row"), "well", "the alarm");
    let mine = replace_part(&base, "summary", "mine");
    let disk = replace_part(&replace_part(&base, "luck", "theirs"), "well", "");
    let merged = merge(&base, &mine, &disk);
    assert_eq!(merged.both, Vec::<String>::new());
    let found = parts(&merged.text);
    let of = |name| of(&found, name).text.as_str();
    assert_eq!((of("summary"), of("luck"), of("well")), ("mine", "theirs", ""));
    // Whoever deletes the file, or has not touched it, has nothing to say.
    assert_eq!(merge(&base, &mine, "\n").text, mine);
    assert_eq!(merge(&base, &mine, &base).text, mine);
}

#[test]
fn a_part_that_two_wrote_holds_both_texts() {
    let base = replace_part(&again("", "1 row"), "well", "the alarm");
    let written = |text| replace_part(&base, "well", text);
    let merged = merge(&base, &written("the alarm, at once"), &written("nobody panicked"));
    assert_eq!(merged.both, ["well"]);
    let found = parts(&merged.text);
    assert_eq!(of(&found, "well").text, "nobody panicked\n\nthe alarm, at once");
    // What the one has already taken over of the other stands there once.
    let merged = merge(&base, &written("the alarm\nand more"), &written("the alarm\nand more"));
    assert_eq!(of(&parts(&merged.text), "well").text, "the alarm\nand more");
    // With its markers damaged it goes where such text goes.
    let disk = written("nobody panicked").replace("<!-- end: well -->", "");
    let merged = merge(&base, &base.replace("1 row", "2 rows"), &disk);
    assert!(kept(&merged.text).unwrap().contains("nobody panicked"), "{}", merged.text);
}

proptest! {
    #[test]
    fn no_line_of_an_author_is_ever_lost(
        lines in prop::collection::vec("[a-z ]{0,3}(<!--|-->|end: luck|##|x)?[a-z]{4,9}", 1..6),
        part in 0..SPECS.len(),
        cut in prop::collection::vec((0usize..60, 0usize..4), 0..4),
    ) {
        let mine: Vec<String> = lines.iter().enumerate().map(|(i, line)| format!("{line} q{i}")).collect();
        let mut text = replace_part(&again("", "x"), SPECS[part].name, &mine.join("\n"));
        for (at, how) in cut {
            let mut all: Vec<&str> = text.split_inclusive('\n').collect();
            let at = at % all.len();
            if marker(all[at]).is_none() {
                continue;
            }
            match how {
                0 => { all.remove(at); }
                1 => all[at] = "<!-- yours: other -->\n",
                2 => all[at] = "<!-- end: luck -->\n",
                _ => all[at] = "<!-- yours: luck\n",
            }
            text = all.concat();
        }
        let mended = again(&text, "y");
        for line in &mine {
            let found = mended.contains(line.as_str())
                || mended.contains(&line.replace("<!--", "&lt;!--"));
            prop_assert!(found, "{line:?} is lost in {mended}");
        }
        prop_assert_eq!(again(&mended, "y"), mended);
    }
}
