//! Text from a database, a file or a paste that is made to control a terminal: it is shown, and not
//! obeyed, on every screen and in every command.
//!
//! What the program may send to a terminal is a short list of sequences; everything else that a
//! terminal would obey, hide or reorder must not be in its output at all.

mod common;

use common::pty::OWN;
use common::walk::{
    CONFIRMATION, confirm, database, demo, demo_with, leave, preview, resume, to_change,
};
use common::{Cockpit, Home, Sqlite, WIDE};

/// Signs that no terminal shows as what they are.
fn is_hostile(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Nothing in this output controls a terminal but what the program means.
fn assert_harmless(output: &[u8], own: &[&str]) {
    let text = std::str::from_utf8(output).expect("output is UTF-8, whatever the data is");
    if let Some(sign) = text.chars().find(|c| is_hostile(*c)) {
        panic!("U+{:04X} was sent to the terminal", u32::from(sign));
    }
    let foreign: Vec<String> = common::pty::escapes(output)
        .into_iter()
        .filter(|kind| !own.contains(&kind.as_str()))
        .collect();
    assert!(foreign.is_empty(), "sent to the terminal: {foreign:?}");
    // Parameters that no frame of ours has: the data's colours, its title, its clipboard.
    for stolen in ["\x1b[31mURGENT", "\x1b]", "\x1bP", "\x1b[?1003h", "\x1b[6n", "\x07"] {
        assert!(!text.contains(stolen), "{} was sent", stolen.escape_debug());
    }
}

fn assert_screens_harmless(cockpit: &Cockpit) {
    assert_harmless(&cockpit.raw_output(), &OWN);
}

fn assert_command_harmless(home: &Home, args: &[&str]) -> String {
    let output = home.steadyhand(args).output().expect("the program runs");
    let all = [output.stdout, output.stderr].concat();
    assert_harmless(&all, &[]);
    String::from_utf8_lossy(&all).into_owned()
}

/// The demo's note: colour, a line break, a truck and a text that runs backwards.
#[test]
fn the_demos_note_is_shown_on_every_screen_and_obeyed_on_none() {
    const SHOWN: &str = r"\e[31mURGENT\e[0m return to <U+202E>4 llaH";
    let mut cockpit = demo(Home::new());
    to_change(&mut cockpit);
    cockpit.keys("V");
    cockpit.wait_for("latest_note");
    // The row of the note, and then its last column.
    cockpit.keys("f");
    cockpit.wait_for("Filter");
    cockpit.type_text("scanner");
    cockpit.keys("enter");
    cockpit.wait_for("1 of 12");
    cockpit.keys("right right right right right right");
    cockpit.wait_for(r"\e[31mURGENT");
    cockpit.keys("enter");
    cockpit.wait_for("latest_note (text, ");
    cockpit.wait_for(SHOWN);
    cockpit.keys("esc");
    cockpit.wait_gone("latest_note (text, ");
    cockpit.keys("o");
    cockpit.wait_for("Row in full");
    cockpit.wait_for("scanner 🚚 dock 4");
    cockpit.keys("esc");
    cockpit.wait_gone("Row in full");
    for (format, down) in [("csv", ""), ("json", "down")] {
        cockpit.keys("E");
        cockpit.wait_for("Export all rows as");
        cockpit.keys(down);
        cockpit.wait_for(&format!("▸ {format}"));
        cockpit.keys("enter");
        cockpit.wait_for("12 rows written to");
        cockpit.wait_for("evidence/export");
        cockpit.keys("esc");
        cockpit.wait_gone("12 rows written to");
        cockpit.wait_gone("Export all rows as");
    }
    // A row with the note becomes part of a drift, and so of screen and journal.
    cockpit.keys("esc");
    cockpit.wait_for("enter preview");
    preview(&mut cockpit);
    cockpit.keys("d");
    cockpit.wait_for("Rows, before and after");
    cockpit.keys("pagedown pagedown pagedown");
    cockpit.keys("esc");
    cockpit.wait_for("enter confirm");
    Sqlite::open(&database(cockpit.home())).run(
        "UPDATE asset_assignments SET note = char(27) || ']0;owned' || char(7) || char(8238) \
         WHERE note LIKE 'scanner%'",
    );
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("ROLLED BACK");
    cockpit.wait_for(r"-> \e]0;owned\x07<U+202E>");
    cockpit.keys("J");
    cockpit.wait_for("Journal");
    cockpit.keys("f");
    cockpit.wait_for("[everything]");
    cockpit.keys("enter");
    cockpit.wait_for("esc close");
    cockpit.keys("esc");
    cockpit.wait_gone("esc close");
    // A pasted note with all of it.
    cockpit.keys("e");
    cockpit.wait_for("sort it");
    cockpit.paste("they said \x1b]0;owned\x07 and \u{202e}backwards\u{e0041}\u{9b}2J");
    cockpit.wait_for("they said");
    cockpit.keys("enter");
    cockpit.wait_gone("sort it");
    cockpit.keys("P");
    cockpit.wait_for("Postmortem");
    leave(&mut cockpit);
    assert_screens_harmless(&cockpit);

    let home = cockpit.into_home();
    for args in [
        &["check", "--format", "text"][..],
        &["check", "--check", "asset-double-assignment"],
        &["postmortem", "1"],
        &["incidents"],
        &["verify", "1"],
    ] {
        assert_command_harmless(&home, args);
    }
    // Files for other programs hold the value itself, exactly.
    let exports: Vec<_> = home
        .files("work")
        .into_iter()
        .filter(|file| file.to_string_lossy().contains("export-"))
        .collect();
    assert_eq!(exports.len(), 2, "{exports:?}");
    for file in exports {
        let bytes = std::fs::read(home.work().join(&file)).expect("the export can be read");
        let text = String::from_utf8(bytes).expect("an export is UTF-8");
        let note = "return to \u{202e}4 llaH";
        assert!(text.contains(note), "{}", file.display());
        let json = file.extension().is_some_and(|extension| extension == "json");
        assert!(text.contains(if json { r"\u001b[31mURGENT" } else { "\x1b[31mURGENT" }));
    }
    let journal = home.work().join("state/incidents/INC-0001/journal.jsonl");
    let journal = std::fs::read_to_string(journal).expect("the journal can be read");
    assert!(!journal.contains('\x1b') && !journal.contains('\x07'), "safe to print");
}

/// One of each kind of thing that a terminal obeys.
const CORPUS: [(&str, &str); 12] = [
    ("clipboard", "\x1b]52;c;cm0gLXJmIC8=\x07"),
    ("title", "\x1b]0;owned\x1b\\"),
    ("link", "\x1b]8;;http://example.com\x1b\\click\x1b]8;;\x1b\\"),
    ("screen", "\x1b[2J\x1b[H\x1b[?1049l\x1b[?1003h"),
    ("question", "\x1b[6n\x1b[c\x05"),
    ("device", "\x1bP$q\"p\x1b\\\x1b_x\x1b\\\x1b^x\x1b\\"),
    ("c1", "\u{9b}31m\u{9d}0;owned\u{9c}\u{90}q\u{9c}\u{85}"),
    ("tags", "a\u{e0041}\u{e0042}\u{e007f}"),
    ("widthless", "a\u{200b}b\u{200d}c\u{feff}d\u{ad}e\u{2060}f"),
    ("bidi", "\u{202e}abc\u{202c}\u{2066}x\u{2069}\u{200f}\u{61c}"),
    ("lines", "one\r\ntwo\u{2028}three\u{2029}four\x0bfive\x0c\ttabs\x08\x08\x7f"),
    ("marks", "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}"),
];

/// The same as literals of SQL and of TOML.
fn as_sql(text: &str) -> String {
    let points: Vec<String> = text.chars().map(|c| u32::from(c).to_string()).collect();
    format!("char({})", points.join(", "))
}

fn as_toml(text: &str) -> String {
    let signs: Vec<String> = text.chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
    format!("\"{}\"", signs.concat())
}

fn all_of_it() -> String {
    CORPUS.iter().map(|(_, text)| *text).collect()
}

/// A database whose names and values are hostile, with a check and a runbook for it.
fn scratch() -> Home {
    let home = Home::new();
    let mut sqlite = Sqlite::create(&home.work().join("scratch.db"));
    let name = all_of_it().replace('"', "");
    sqlite.run(&format!(
        "CREATE TABLE things (id INTEGER PRIMARY KEY, kind TEXT, \"{name}\" TEXT, raw)"
    ));
    for (kind, text) in CORPUS {
        sqlite.run(&format!(
            "INSERT INTO things (kind, \"{name}\", raw) VALUES ('{kind}', {}, CAST(x'9b324a9d303b' AS TEXT))",
            as_sql(text)
        ));
    }
    sqlite.run(&format!("CREATE TABLE \"log {name}\" (id INTEGER PRIMARY KEY, what TEXT)"));
    sqlite.run(&format!(
        "CREATE TRIGGER \"say {name}\" AFTER UPDATE ON things BEGIN \
         INSERT INTO \"log {name}\" (what) VALUES (NEW.kind || {}); END",
        as_sql(&all_of_it())
    ));
    let raised = all_of_it().replace('\'', "''");
    sqlite.run(&format!(
        "CREATE TRIGGER refuse BEFORE UPDATE OF raw ON things BEGIN \
         SELECT RAISE(ABORT, 'no {raised}'); END"
    ));
    let hostile = as_toml(&all_of_it().replace(['\r', '\n'], " "));
    home.write(
        "checks/things.toml",
        &format!(
            "id = \"things\"\ntitle = {hostile}\nrule = {hostile}\nseverity = \"sev2\"\n\
             kind = \"violations\"\nkey = [\"kind\"]\nsuites = [\"nightly\"]\n\
             owner = {hostile}\nrunbook = \"things\"\ntimeout = \"10s\"\ntables = [\"things\"]\n\
             [sql]\nany = \"SELECT * FROM things WHERE raw IS NOT NULL AND kind <> 'done' ORDER BY id\"\n"
        ),
    );
    home.write("books/things.toml", &runbook(&hostile));
    home
}

fn runbook(hostile: &str) -> String {
    let statement = |id: &str, sql: &str| {
        format!(
            "[[step]]\nid = \"{id}\"\nkind = \"change\"\nstage = \"recover\"\ntitle = {hostile}\n\
             why = {hostile}\ndo = {hostile}\nrisk = \"low\"\ncures = [\"things\"]\n\
             [[step.statement]]\nnote = {hostile}\nany = \"{sql}\"\n\
             [step.limits]\nmax_rows = 100\ntime_cap = \"5s\"\nlock_wait = \"1s\"\n"
        )
    };
    format!(
        "id = \"things\"\ntitle = {hostile}\nsummary = {hostile}\nowner = {hostile}\n\
         severity = \"sev2\"\n[[step]]\nid = \"look\"\nkind = \"check\"\nstage = \"validate\"\n\
         title = {hostile}\ncheck = \"things\"\nexpect = \"violated\"\n{}{}",
        statement("mark", "UPDATE things SET kind = 'done' WHERE kind <> 'done'"),
        statement("fail", "UPDATE things SET raw = NULL WHERE raw IS NOT NULL"),
    )
}

#[test]
fn a_database_made_to_take_over_a_terminal_takes_over_none() {
    let home = scratch();
    let args =
        ["open", "things", "--target", "scratch.db", "--checks", "checks", "--runbooks", "books"];
    let mut cockpit = Cockpit::start_in(home, &args, WIDE);
    // What home tells of the same check comes first.
    cockpit.wait_for("1-12 of 12, exact");
    cockpit.keys("v");
    cockpit.wait_for("kind");
    // Every cell of every row comes by, and each row in full.
    for _ in 0..CORPUS.len() {
        cockpit.keys("o");
        cockpit.wait_for("Row in full");
        cockpit.keys("pagedown pagedown");
        cockpit.keys("esc");
        cockpit.wait_gone("Row in full");
        cockpit.keys("right down");
    }
    cockpit.keys("enter");
    cockpit.wait_for("esc close");
    cockpit.keys("esc");
    cockpit.wait_gone("esc close");
    cockpit.keys("esc");
    cockpit.wait_for("enter go on");
    cockpit.keys("]");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_for("enter confirm");
    cockpit.keys("enter");
    cockpit.wait_for("esc leaves it alone");
    cockpit.keys("esc");
    cockpit.wait_gone("esc leaves it alone");
    cockpit.keys("d");
    cockpit.wait_for("Rows, before and after");
    cockpit.keys("pagedown pagedown pagedown pagedown");
    cockpit.keys("esc");
    cockpit.wait_gone("Rows, before and after");
    cockpit.keys("]");
    cockpit.wait_for("enter preview");
    // The database's own words are hostile.
    cockpit.keys("enter");
    cockpit.wait_for("The preview failed; nothing was changed.");
    cockpit.wait_for(r"\e]52;c;");
    cockpit.keys("J");
    cockpit.wait_for("Journal");
    cockpit.keys("P");
    cockpit.wait_for("Postmortem");
    leave(&mut cockpit);
    assert_screens_harmless(&cockpit);

    let home = cockpit.into_home();
    let told = assert_command_harmless(
        &home,
        &[
            "check",
            "--target",
            "scratch.db",
            "--checks",
            "checks",
            "--runbooks",
            "books",
            "--suite",
            "nightly",
        ],
    );
    assert!(told.contains("12 violations"), "{told}");
    for args in [
        &["incidents"][..],
        &["postmortem", "1"],
        &["verify", "1"],
        &["lint", "checks", "books"],
        &["check", "--target", "no\x1b]0;owned\x07\u{202e}where.db"],
        &["open", "no\x1b]0;owned\x07\u{202e}book", "--target", "scratch.db"],
        &["verify", "\x1b]0;owned\x07"],
    ] {
        assert_command_harmless(&home, args);
    }
    let home = home.with("USER", "casey\x1b]0;owned\x07\u{202e}");
    // Without the folder of its check the step says so, and does not wait for an answer.
    let mut cockpit = Cockpit::start_in(home, &["resume"], WIDE);
    cockpit.wait_for("could not check (the check things is not loaded)");
    cockpit.keys("J");
    cockpit.wait_for("Journal");
    leave(&mut cockpit);
    assert_screens_harmless(&cockpit);
}

#[test]
fn a_name_of_a_target_or_a_user_controls_nothing() {
    let home = Home::new().with("USER", "casey\x1b]0;owned\x07\u{202e}");
    let mut cockpit = demo_with(home, &[]);
    to_change(&mut cockpit);
    preview(&mut cockpit);
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    assert_screens_harmless(&cockpit);
    let home = cockpit.into_home();
    assert_command_harmless(&home, &["postmortem", "1"]);
    let mut cockpit = resume(home);
    cockpit.wait_for("COMMITTED: 26 rows");
    cockpit.keys("J");
    cockpit.wait_for("Journal");
    cockpit.keys("P");
    cockpit.wait_for("Postmortem");
    leave(&mut cockpit);
    assert_screens_harmless(&cockpit);
}

/// The second byte of `ě` is the C1 sign for CSI to whoever reads a byte a letter: a serial console, a
/// terminal of another locale.
#[test]
fn a_letter_is_no_sequence_to_a_terminal_without_utf_8() {
    const VALUE: &str = "AAA\u{11b}2J\u{11b}7mBBB";
    const SHOWN: &str = "AAA<U+011B>2J<U+011B>7mBBB";
    let home = Home::new().with("LANG", "C");
    Sqlite::create(&home.work().join("scratch.db")).run(&format!(
        "CREATE TABLE words (word TEXT, beside TEXT); \
         INSERT INTO words VALUES ('{VALUE}', '\u{65e5}\u{672c}{VALUE}')"
    ));
    let common = format!(
        "title = \"{VALUE} \u{2014} \u{2026}\"\nowner = \"{VALUE}\"\nseverity = \"sev2\"\n"
    );
    home.write(
        "checks/words.toml",
        &format!(
            "id = \"words\"\nrule = \"{VALUE}\"\nkind = \"violations\"\nkey = [\"word\"]\n\
             timeout = \"10s\"\ntables = [\"words\"]\nrunbook = \"words\"\n{common}\
             [sql]\nany = \"SELECT word, beside FROM words\"\n"
        ),
    );
    home.write(
        "books/words.toml",
        &format!(
            "id = \"words\"\nsummary = \"{VALUE}\"\n{common}[[step]]\nid = \"look\"\n\
             kind = \"check\"\nstage = \"validate\"\ntitle = \"{VALUE} \u{2014} \u{2026}\"\n\
             why = \"{VALUE}\"\ncheck = \"words\"\nexpect = \"violated\"\n"
        ),
    );
    let on = ["--target", "scratch.db", "--checks", "checks", "--runbooks", "books"];
    let mut cockpit = Cockpit::start_in(home, &[&["open", "words"][..], &on].concat(), WIDE);
    cockpit.wait_for("1-1 of 1, exact");
    cockpit.wait_for(&format!("{SHOWN} - ..."));
    cockpit.keys("v");
    cockpit.wait_for("s sort");
    cockpit.wait_for("<U+65E5><U+672C>AAA");
    cockpit.keys("o");
    cockpit.wait_for("Row in full");
    cockpit.keys("esc");
    cockpit.wait_gone("Row in full");
    // What is typed stays what it is, and the field shows that something is there.
    cockpit.keys("e");
    cockpit.wait_for("sort it");
    cockpit.paste(&format!("they said {VALUE}"));
    cockpit.wait_for("they said AAA?2J?7mBBB");
    cockpit.keys("enter");
    cockpit.wait_gone("sort it");
    cockpit.keys("J");
    cockpit.wait_for(&format!("they said {SHOWN}"));
    cockpit.keys("P");
    cockpit.wait_for("Postmortem");
    leave(&mut cockpit);
    assert!(cockpit.raw_output().is_ascii(), "{}", String::from_utf8_lossy(&cockpit.raw_output()));

    // A command that writes to the terminal, and the same for whoever reads bytes.
    let home = cockpit.into_home();
    let check = [&["check"][..], &on, &["--check", "words"]].concat();
    let command = Cockpit::start_in(home, &check, WIDE);
    assert_eq!(command.wait_code(), 2);
    assert!(command.screen().contains(SHOWN), "{}", command.screen());
    assert!(command.raw_output().is_ascii(), "{}", command.screen());
    let home = command.into_home();
    let piped = home.steadyhand(&check).output().expect("the program runs");
    assert!(String::from_utf8_lossy(&piped.stdout).contains(VALUE));
}
