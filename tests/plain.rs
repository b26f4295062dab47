//! Line mode: the same walk as on the screen, told in lines. What comes out holds no control
//! character but the end of the line, and the journal is that of the cockpit.

mod common;

use common::walk::{self, Facts, INCIDENT, RUNBOOK, assert_sound, journal};
use common::{Cockpit, Home, Signal, WIDE};

/// What is done, in the words of keys; the screen and the lines take it each in its way.
#[derive(Clone, Copy)]
enum Act {
    Key(&'static str),
    /// An answer to a question.
    Text(&'static str),
    /// An item of a list, counted from one.
    Choose(usize),
    /// The words that write, as they are asked for.
    Words,
    See(&'static str),
}
use Act::{Choose, Key, See, Text, Words};

/// From the first look over the change, its undo and the change again to the closed incident.
const JOURNEY: &[Act] = &[
    Key("enter"),
    See("12 violations"),
    Key("enter"),
    See("Do the notes point to an import"),
    Key("enter"),
    See("No: it has stopped"),
    Choose(2),
    See("why?"),
    Text("the count stands still"),
    See("A first update within 20 minutes"),
    Key("enter"),
    See("technical"),
    Key("enter"),
    See("technical update recorded as given"),
    Key("enter"),
    See("shown with two holders"),
    Key("enter"),
    See("business update recorded as given"),
    Key("enter"),
    See("names two holders"),
    Key("enter"),
    See("Ended when it began, it never counted"),
    Key("enter"),
    See("enter confirm"),
    Words,
    See("enter next step"),
    Key("u"),
    See("enter confirm"),
    Words,
    See("enter back to the step"),
    Key("enter"),
    See("enter preview"),
    Key("e"),
    See("backdates"),
    Text("-5m decision: once more"),
    See("once more"),
    Key("enter"),
    See("enter confirm"),
    Words,
    See("enter next step"),
    Key("enter"),
    See("✓ clear"),
    Key("enter"),
    See("The database refuses the second one"),
    Key("enter"),
    See("REHEARSED"),
    Words,
    See("the guardrail stands"),
    Key("enter"),
    See("The stock desk is waiting"),
    Key("enter"),
    See("technical"),
    See("78 (52 by changes, 26"),
    Key("enter"),
    See("technical update recorded as given"),
    Key("enter"),
    See("every asset has"),
    Key("enter"),
    See("business update recorded as given"),
    Key("enter"),
    See("resolved after"),
    Key("enter"),
    See("Resume the import with its owner"),
    Key("enter"),
    See("Close the incident?"),
    Choose(1),
    See("closed after"),
    Key("q"),
];

/// A walk by lines: what is said, and what comes back up to the next prompt.
struct Lines {
    cockpit: Cockpit,
    /// Output before this was an answer to an earlier line.
    from: usize,
}

impl Lines {
    fn start(home: Home, more: &[&str]) -> Self {
        let args = [&["demo", "--plain", "--keep", "."], more].concat();
        Self { cockpit: Cockpit::start_in(home, &args, WIDE), from: 0 }
    }

    /// Waits for the text and for the prompt behind it.
    fn hear(&self, text: &str) -> String {
        self.cockpit.wait_output(self.from, &format!("{text:?} and a prompt"), |said| {
            said.contains(text) && said.ends_with(" > ")
        })
    }

    fn say(&mut self, line: &str) {
        self.from = self.cockpit.bytes();
        self.cockpit.send(format!("{line}\r").as_bytes());
    }

    fn act(&mut self, act: Act) {
        match act {
            // The text may have come with the answer before.
            See(text) => drop(self.hear(text)),
            Key("enter") => self.say(""),
            Key(key) => self.say(key),
            Text(text) => self.say(text),
            Choose(number) => self.say(&number.to_string()),
            Words => {
                self.say("");
                let asked = self.hear("type the words > ");
                let (_, words) = asked.split_once("Type exactly: ").expect("they are told");
                let words = words.lines().next().unwrap_or_default().to_owned();
                self.say(&words);
                self.hear("enter alone executes > ");
                self.say("");
            }
        }
    }
}

fn on_the_screen(cockpit: &mut Cockpit, act: Act) {
    match act {
        See(text) => cockpit.wait_for(text),
        Key(key) => cockpit.keys(key),
        Text(text) => {
            cockpit.type_text(text);
            cockpit.breathe();
            cockpit.keys("enter");
        }
        Choose(number) => {
            cockpit.wait_for("enter choose");
            for _ in 1..number {
                cockpit.keys("down");
            }
            cockpit.keys("enter");
        }
        Words => {
            cockpit.keys("enter");
            cockpit.wait_for("  Type   ");
            let screen = cockpit.screen();
            let (_, rest) = screen.split_once("  Type   ").expect("the box was waited for");
            let words = rest.split(['│', '|']).next().unwrap_or_default().trim().to_owned();
            cockpit.type_text(&words);
            cockpit.breathe();
            cockpit.keys("enter");
        }
    }
}

/// Nothing but text and ends of lines.
fn assert_plain(output: &[u8]) {
    let odd = output.iter().find(|byte| **byte < b' ' && !matches!(byte, b'\r' | b'\n'));
    assert_eq!(odd, None, "{}", output.escape_ascii());
}

#[test]
fn the_journal_of_a_walk_by_lines_is_that_of_the_screen() {
    let mut lines = Lines::start(Home::new(), &["--incident", RUNBOOK]);
    lines.hear("milestone: detected");
    let before = Facts::of(lines.cockpit.home());
    for act in JOURNEY {
        lines.act(*act);
    }
    assert_eq!(lines.cockpit.wait_code(), 0);
    assert_plain(&lines.cockpit.raw_output());
    let after = Facts::of(lines.cockpit.home());
    assert_eq!(after.assignments, before.after_change().assignments);
    assert!(after.guardrail);
    assert_sound(lines.cockpit.home());

    let mut cockpit = walk::demo(Home::new());
    for act in JOURNEY {
        on_the_screen(&mut cockpit, *act);
    }
    assert_eq!(cockpit.wait_code(), 0);
    // Where an answer of the database stands between two keys depends on how fast they follow.
    let kinds = |home| {
        let mut kinds = journal(home);
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(lines.cockpit.home()), kinds(cockpit.home()));
}

/// A console that knows nothing: neither UTF-8 nor how to move a cursor.
#[test]
fn a_dumb_terminal_in_the_c_locale_gets_ascii() {
    let home = Home::new().with("TERM", "dumb").with("LANG", "C");
    let mut lines = Lines::start(home, &["--incident", RUNBOOK]);
    lines.hear("erp-demo demo 1/10 Stabilise > ");
    for (line, answer) in [
        ("", "x 12 violations"),
        ("rows", "Rows 1 to 12 of 12"),
        ("9", "\\e[31mURGENT\\e[0m return to <U+202E>4 llaH"),
        ("where", "Violations, step 2 of 10"),
        ("?", "export: write the rows to a file"),
        ("back", "this step ends when the violations are seen"),
        ("note", "backdates"),
        (":back", "2/10 Validate > "),
        ("frobnicate", "'frobnicate' is no key and no command"),
        ("enter", "step 3 of 10"),
        ("] ", "step 4 of 10"),
        (":next-step", "step 5 of 10"),
        ("]", "return_date = assigned_at"),
        ("preview", "id 6001   return_date NULL -> 2026-11-17 07:15:00"),
        ("statements", "Statements as they run"),
        ("more", "that was all"),
        ("quit", "Leave?"),
    ] {
        lines.say(line);
        lines.hear(answer);
    }
    lines.say("stay");
    lines.hear("recovery > ");
    lines.say("q");
    lines.hear("choose > ");
    lines.say("1");
    assert_eq!(lines.cockpit.wait_code(), 0);
    let output = lines.cockpit.raw_output();
    assert_plain(&output);
    assert!(output.is_ascii(), "{}", output.escape_ascii());
    assert_sound(lines.cockpit.home());
}

#[test]
fn where_the_screen_cannot_be_drawn_the_lines_are_offered() {
    let home = Home::new().with("TERM", "dumb");
    let cockpit = Cockpit::start_in(home, &["demo"], WIDE);
    cockpit.wait_for("steadyhand resume --plain");
    assert_eq!(cockpit.wait_code(), 4);
}

/// At the change of the demo, previewed.
fn previewed(home: Home) -> Lines {
    let mut lines = Lines::start(home, &["--incident", RUNBOOK]);
    lines.hear("milestone: detected");
    for (line, answer) in
        [("]", "12 violations"), ("", "step 3 of 10"), ("]", "step 4"), ("]", "step 5")]
    {
        lines.say(line);
        lines.hear(answer);
    }
    lines.say("]");
    lines.hear("enter preview");
    lines.say("");
    lines.hear("enter confirm");
    lines
}

#[test]
fn what_was_typed_ahead_or_pasted_executes_nothing() {
    let mut lines = previewed(Home::new());
    let before = Facts::of(lines.cockpit.home());
    // The question, its answer and the last enter, before any of it stood there.
    lines.from = lines.cockpit.bytes();
    lines.cockpit.send(b"\rerp-demo 26\r\r");
    lines.hear("type the words > ");
    // The words and the enter in one piece are a paste.
    lines.from = lines.cockpit.bytes();
    lines.cockpit.send(b"erp-demo 26\r\r\r");
    lines.hear("enter alone executes > ");
    // Anything but an enter of its own leaves it alone.
    lines.say("erp-demo 26");
    lines.hear("left alone; nothing was executed");
    lines.say("");
    lines.hear("type the words > ");
    lines.say("erp-demo 27");
    lines.hear("'erp-demo 27' is not it; nothing was executed");
    lines.say(":back");
    lines.hear("recovery > ");
    assert_eq!(Facts::of(lines.cockpit.home()), before);
    lines.say("");
    lines.hear("type the words > ");
    lines.say("erp-demo 26");
    lines.hear("enter alone executes > ");
    lines.say("");
    lines.hear("COMMITTED   26 rows");
    assert_eq!(Facts::of(lines.cockpit.home()), before.after_change());
}

/// The number of a thing may be longer than the list, as an identifier is.
#[test]
fn a_number_beyond_the_list_opens_nothing() {
    let mut lines = Lines::start(Home::new(), &["--incident", RUNBOOK]);
    lines.hear("milestone: detected");
    lines.say("]");
    lines.hear("12 violations");
    lines.say("V");
    lines.hear("violations > ");
    for number in ["13", "1042", "4711000123"] {
        lines.say(number);
        lines.hear("there are rows 1 to 12");
    }
    lines.say("12");
    lines.hear("Row in full");
}

#[test]
fn interrupting_asks_and_the_end_of_input_leaves_the_incident_open() {
    let mut lines = previewed(Home::new());
    lines.say("");
    lines.hear("type the words > ");
    lines.from = lines.cockpit.bytes();
    lines.cockpit.send(b"\x03");
    lines.hear("recovery > ");
    lines.cockpit.send(b"\x03");
    lines.hear("Leave?");
    lines.cockpit.send(b"\x04");
    assert_eq!(lines.cockpit.wait_code(), 130);
    let home = lines.cockpit.into_home();
    assert_sound(&home);
    let cockpit = Cockpit::start_in(home, &["resume", "--plain"], WIDE);
    cockpit.wait_output(0, "the incident", |said| said.contains("6/10 Recover > "));
    cockpit.signal(Signal::TERM);
    assert_eq!(cockpit.wait_code(), 130);
}

/// A script may walk, look, try and write notes. What writes to the database takes a terminal.
#[test]
fn a_pipe_walks_and_executes_nothing() {
    let home = Home::new();
    let script = "]\n\n]\n]\n]\n\n\nerp-demo 26\nnote\nfrom a script\nexport\n";
    let run = home
        .steadyhand(&["demo", "--plain", "--keep", ".", "--incident", RUNBOOK])
        .write_stdin(script)
        .assert()
        .code(130);
    let said = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(said.contains("enter confirm"), "{said}");
    assert!(said.contains("must be typed at one; nothing was executed"), "{said}");
    assert_plain(said.as_bytes());
    let kinds = journal(&home);
    assert!(kinds.iter().any(|kind| kind == "note"), "{kinds:?}");
    assert!(!kinds.iter().any(|kind| kind == "approved"), "{kinds:?}");
    home.steadyhand(&["verify", INCIDENT]).assert().code(0);
}
