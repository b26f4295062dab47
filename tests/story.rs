//! The story of an incident while it is written: notes, annotations, pins, parts and messages, and
//! that nothing which was typed is lost.

#![allow(clippy::print_stderr, reason = "a check that could not be made is said aloud")]

mod common;

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use portable_pty::{PtyPair, PtySize, native_pty_system};
use vt100::Parser;

use common::walk::{
    CONFIRMATION, INCIDENT, RUNBOOK, assert_sound, confirm, demo, journal, leave, preview, resume,
    to_change,
};
use common::{COMPACT, Cockpit, Ended, Home, Signal, WIDE};

fn incident(home: &Home) -> PathBuf {
    home.work().join("state/incidents").join(INCIDENT)
}

fn draft(home: &Home, name: &str) -> Option<String> {
    fs::read_to_string(incident(home).join(format!("drafts/{name}.md"))).ok()
}

fn drafts(home: &Home) -> usize {
    fs::read_dir(incident(home).join("drafts")).map_or(0, Iterator::count)
}

fn wait_for_draft(cockpit: &Cockpit, name: &str, text: &str) {
    cockpit.wait_until(&format!("a draft {name} with {text:?}"), |_| {
        draft(cockpit.home(), name).is_some_and(|found| found == text)
    });
}

/// The text of the journal.
fn journal_text(home: &Home) -> String {
    fs::read_to_string(incident(home).join("journal.jsonl")).expect("a journal")
}

fn is_recorded(home: &Home, text: &str) -> bool {
    journal_text(home).contains(text)
}

fn open_note(cockpit: &mut Cockpit) {
    cockpit.keys("e");
    cockpit.wait_for("sort it");
}

// ------------------------------------------------------------------------------- nothing is lost

/// The program is killed, with nothing it could do about it: what was typed a second ago is there.
#[test]
fn a_note_that_was_being_typed_survives_a_kill() {
    let mut cockpit = demo(Home::new());
    open_note(&mut cockpit);
    cockpit.type_text("finance paused the report at ten");
    wait_for_draft(&cockpit, "note", "finance paused the report at ten");
    let mode =
        |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let folder = incident(cockpit.home()).join("drafts");
    assert_eq!((mode(folder.clone()), mode(folder.join("note.md"))), (0o700, 0o600));
    cockpit.signal(Signal::KILL);
    assert_eq!(cockpit.wait_exit(), Ended::Signal(9));
    let mut cockpit = resume(cockpit.into_home());
    cockpit.wait_for("there again in its box: note");
    open_note(&mut cockpit);
    cockpit.wait_for("> finance paused the report at ten");
    cockpit.wait_for("not kept; ctrl-u empties the box");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_for("note: finance paused the report at ten");
    cockpit.wait_until("no draft any more", |_| drafts(cockpit.home()) == 0);
    leave(&mut cockpit);
    assert_eq!(journal(cockpit.home()).iter().filter(|kind| *kind == "note").count(), 1);
    assert_sound(cockpit.home());
}

/// A sum of money in front of a note is no time of the past, in the box and in its draft.
#[test]
fn a_note_that_begins_with_a_sum_is_given_back_and_there_again() {
    let mut cockpit = demo(Home::new());
    open_note(&mut cockpit);
    cockpit.type_text("a customer calls");
    cockpit.keys("enter");
    cockpit.wait_for("note: a customer calls");
    open_note(&mut cockpit);
    cockpit.type_text("-10€ was refunded");
    cockpit.keys("enter");
    cockpit.wait_for("'-10€' is no time");
    wait_for_draft(&cockpit, "note", "-10€ was refunded");
    cockpit.signal(Signal::KILL);
    assert_eq!(cockpit.wait_exit(), Ended::Signal(9));
    let mut cockpit = resume(cockpit.into_home());
    cockpit.wait_for("there again in its box: note");
    leave(&mut cockpit);
}

/// A signal that can be caught: what was typed just now is there, not only what a second was left for.
#[test]
fn what_was_typed_at_the_moment_of_a_signal_is_kept() {
    for signal in [Signal::HUP, Signal::TERM] {
        let mut cockpit = demo(Home::new());
        cockpit.keys("P");
        cockpit.wait_for("parts are yours to write");
        cockpit.keys("e");
        cockpit.wait_for("keep and close");
        cockpit.type_text("Two people had one laptop");
        cockpit.signal(signal);
        assert_eq!(cockpit.wait_exit(), Ended::Code(130));
        assert_eq!(
            draft(cockpit.home(), "part-summary").as_deref(),
            Some("Two people had one laptop")
        );
        let mut cockpit = resume(cockpit.into_home());
        cockpit.wait_for("part-summary");
        cockpit.keys("P");
        cockpit.wait_for("parts are yours to write");
        cockpit.keys("e");
        cockpit.wait_for("UTC and not kept");
        cockpit.wait_for("Two people had one laptop");
        // Undo brings back what is kept: nothing.
        cockpit.keys("ctrl-u");
        cockpit.wait_gone("Two people had one laptop");
        cockpit.keys("ctrl-r");
        cockpit.wait_for("Two people had one laptop");
        cockpit.keys("ctrl-o");
        cockpit.wait_gone("keep and close");
        cockpit.wait_for("Two people had one laptop");
        cockpit.wait_until("no draft any more", |_| drafts(cockpit.home()) == 0);
        leave(&mut cockpit);
        assert_sound(cockpit.home());
    }
}

/// The connection is gone with the terminal, as when a laptop is closed.
#[test]
#[cfg(target_os = "linux")]
fn a_note_survives_a_terminal_that_is_gone() {
    let mut cockpit = demo(Home::new());
    open_note(&mut cockpit);
    cockpit.type_text("the link is about to go");
    cockpit.wait_for("> the link is about to go");
    cockpit.hang_up();
    cockpit.wait_death();
    assert_eq!(draft(cockpit.home(), "note").as_deref(), Some("the link is about to go"));
    let mut cockpit = resume(cockpit.into_home());
    cockpit.wait_for("taken up again");
    open_note(&mut cockpit);
    cockpit.wait_for("> the link is about to go");
    // Dropped on purpose: an empty box leaves no draft.
    cockpit.keys("ctrl-u");
    cockpit.wait_gone("> the link");
    cockpit.keys("esc");
    cockpit.wait_gone("sort it");
    cockpit.wait_until("no draft any more", |_| drafts(cockpit.home()) == 0);
    leave(&mut cockpit);
    assert!(!is_recorded(cockpit.home(), "the link is about to go"));
}

/// The picture of the last key cannot be sent, before anybody has said that the terminal is gone.
#[test]
fn a_note_survives_a_picture_that_fails() {
    let mut elsewhere = Elsewhere::new();
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK];
    let words = format!("exec >{}", elsewhere.path().display());
    let mut cockpit = Cockpit::start_after(&words, Home::new(), &args, WIDE);
    elsewhere.wait_for("milestone: detected");
    cockpit.send(b"e");
    elsewhere.wait_for("sort it");
    cockpit.send(b"the picture is about to fail");
    elsewhere.wait_for("> the picture is about to fail");
    drop(elsewhere);
    cockpit.send(b"!");
    assert_ne!(cockpit.wait_exit(), Ended::Code(0));
    assert_eq!(draft(cockpit.home(), "note").as_deref(), Some("the picture is about to fail!"));
}

/// A terminal that shows what a program writes, while its keys come from another.
struct Elsewhere {
    pair: PtyPair,
    screen: Parser,
}

impl Elsewhere {
    fn new() -> Self {
        let (cols, rows) = WIDE;
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let (rows, cols) = (rows.try_into().expect("some"), cols.try_into().expect("some"));
        Self { pair, screen: Parser::new(rows, cols, 0) }
    }

    fn path(&self) -> PathBuf {
        self.pair.master.tty_name().expect("it has a name")
    }

    fn wait_for(&mut self, text: &str) {
        let mut reader = self.pair.master.try_clone_reader().expect("it can be read");
        let mut bytes = [0; 4096];
        while !self.screen.screen().contents().contains(text) {
            let read = reader.read(&mut bytes).expect("the program writes");
            self.screen.process(&bytes[..read]);
        }
    }
}

/// The journal falls over in the moment in which it should take the note.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault points are not in release builds")]
fn a_note_survives_a_panic() {
    let mut cockpit = demo(Home::new().with("STEADYHAND_PANIC", "before:note"));
    open_note(&mut cockpit);
    cockpit.type_text("typed and taken");
    cockpit.breathe();
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_exit(), Ended::Code(101));
    assert_eq!(draft(cockpit.home(), "note").as_deref(), Some("typed and taken"));
    // After the record was written, its draft is not offered again.
    let home = cockpit.into_home().with("STEADYHAND_PANIC", "after:note");
    let mut cockpit = resume(home);
    cockpit.wait_for("taken up again");
    open_note(&mut cockpit);
    cockpit.wait_for("> typed and taken");
    cockpit.breathe();
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_exit(), Ended::Code(101));
    let mut cockpit = resume(cockpit.into_home().with("STEADYHAND_PANIC", ""));
    cockpit.wait_for("note: typed and taken");
    cockpit.wait_until("no draft any more", |_| drafts(cockpit.home()) == 0);
    leave(&mut cockpit);
}

/// Esc is a slip more often than a decision.
#[test]
fn esc_leaves_a_note_as_a_draft_and_it_comes_back() {
    let mut cockpit = demo(Home::new());
    open_note(&mut cockpit);
    cockpit.type_text("half a thought");
    cockpit.keys("esc");
    cockpit.wait_for("there when you open it again");
    open_note(&mut cockpit);
    cockpit.wait_for("> half a thought");
    cockpit.keys("ctrl-n");
    cockpit.wait_for("leave it as a draft");
    cockpit.keys("enter");
    cockpit.type_text("and the other half");
    cockpit.keys("ctrl-o");
    cockpit.wait_gone("leave it as a draft");
    cockpit.wait_for("note: half a thought");
    leave(&mut cockpit);
    assert!(is_recorded(cockpit.home(), r"half a thought\nand the other half"));
    assert_eq!(drafts(cockpit.home()), 0);
}

// --------------------------------------------------------------------------------------- editing

/// A paste of a megabyte is text, whole, and confirms nothing.
#[test]
fn a_paste_of_a_megabyte_is_text_and_confirms_nothing() {
    let mut cockpit = demo(Home::new());
    let line = "the quick import wrote one more row into asset_assignments\n";
    let paste = line.repeat((1 << 20) / line.len() + 1);
    open_note(&mut cockpit);
    cockpit.paste(&paste);
    // It went into a box of several lines, at its end.
    cockpit.wait_for("leave it as a draft");
    cockpit.keys("X");
    cockpit.wait_until("the draft is whole", |_| {
        draft(cockpit.home(), "note").is_some_and(|found| found.len() == paste.len() + 1)
    });
    assert!(!is_recorded(cockpit.home(), "quick import"));
    cockpit.keys("ctrl-t");
    cockpit.wait_gone("the quick import");
    cockpit.keys("esc");
    cockpit.wait_gone("leave it as a draft");
    cockpit.wait_until("no draft any more", |_| drafts(cockpit.home()) == 0);
    // Where one line is asked for, it is not taken at all.
    cockpit.keys("s");
    cockpit.wait_for("Why is this step skipped?");
    cockpit.paste(&paste);
    cockpit.wait_for("nothing of it was taken");
    cockpit.keys("esc");
    cockpit.wait_gone("Why is this step skipped?");
    leave(&mut cockpit);
    assert!(!is_recorded(cockpit.home(), "quick import"));
}

/// Whatever comes into a typed confirmation with a paste, it is not executed.
#[test]
fn a_paste_with_line_breaks_stays_a_paste_in_every_box() {
    let mut cockpit = demo(Home::new());
    for (open, word) in [("e", "sort it"), ("s", "Why is this step skipped?")] {
        cockpit.keys(open);
        cockpit.wait_for(word);
        cockpit.paste("eins\r\nzwei\n\n");
        cockpit.wait_for("zwei");
        if open == "e" {
            cockpit.wait_for("leave it as a draft");
        }
        cockpit.keys("esc");
        cockpit.wait_gone("zwei");
    }
    leave(&mut cockpit);
    assert!(!is_recorded(cockpit.home(), "zwei"));
}

#[test]
fn the_text_is_found_and_read_as_markdown() {
    let mut cockpit = demo(Home::new());
    cockpit.keys("P");
    cockpit.wait_for("parts are yours to write");
    cockpit.keys("e");
    cockpit.wait_for("keep and close");
    cockpit.paste("# Why\n\nIt was **late** and the import ran.\n\n- stock\n- assets\n");
    // Beside it, without its marks.
    cockpit.wait_for("It was late and the import ran.");
    cockpit.wait_for("· stock");
    cockpit.keys("ctrl-f");
    cockpit.wait_for("back to the text");
    cockpit.type_text("nowhere");
    cockpit.keys("enter");
    cockpit.wait_for("'nowhere' is not in this text");
    cockpit.keys("ctrl-f");
    cockpit.wait_for("back to the text");
    cockpit.type_text("IMPORT");
    cockpit.keys("enter");
    cockpit.wait_gone("back to the text");
    cockpit.type_text("big ");
    cockpit.wait_for("the big import ran");
    // Where it is narrow, instead of it.
    cockpit.resize(COMPACT);
    cockpit.wait_gone("It was late");
    cockpit.keys("ctrl-p");
    cockpit.wait_for("It was late and the big import ran.");
    cockpit.keys("ctrl-p");
    cockpit.wait_gone("It was late");
    cockpit.keys("ctrl-o");
    cockpit.wait_gone("keep and close");
    leave(&mut cockpit);
}

/// The terminal goes to the editor and comes back; the file lies in the incident's folder.
#[test]
fn a_note_is_written_in_an_editor_outside() {
    let home = Home::new();
    let script = "#!/bin/sh\ncase $1 in */INC-0001/drafts/note.md) ;; *) exit 3 ;; esac\n\
        cat \"$1\" > seen\nprintf 'from outside\\nand more\\n' > \"$1\"\n";
    let editor = home.write("editor", script);
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let editor = editor.display().to_string();
    let mut cockpit = demo(home.with("VISUAL", &editor).with("EDITOR", "false"));
    open_note(&mut cockpit);
    cockpit.type_text("begun here");
    cockpit.keys("ctrl-e");
    cockpit.wait_for("and more");
    cockpit.wait_for("from outside");
    assert_eq!(
        fs::read_to_string(cockpit.home().work().join("seen")).ok().as_deref(),
        Some("begun here")
    );
    cockpit.keys("ctrl-o");
    cockpit.wait_gone("leave it as a draft");
    leave(&mut cockpit);
    assert!(is_recorded(cockpit.home(), r"from outside\nand more"));
    assert_eq!(drafts(cockpit.home()), 0);
}

/// One works in the cockpit, another one writes the file: a part each, and one that both write.
#[test]
fn what_somebody_else_writes_into_the_file_meanwhile_stays() {
    let script = "#!/bin/sh\n. ./scribe\n";
    let home = Home::new();
    let editor = home.write("editor", script);
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut cockpit = demo(home.with("VISUAL", &editor.display().to_string()));
    let file = incident(cockpit.home()).join("postmortem.md");
    let scribe = |part: &str, text: &str| {
        let old = fs::read_to_string(&file).expect("a postmortem");
        fs::write(&file, steadyhand::postmortem::replace_part(&old, part, text)).expect("ours");
    };
    cockpit.keys("P");
    cockpit.wait_for("parts are yours to write");
    cockpit.wait_until("the file is there", |_| file.exists());
    cockpit.keys("e");
    cockpit.wait_for("keep and close");
    scribe("luck", "LUCK BY THE SCRIBE");
    scribe("summary", "SUMMARY BY THE SCRIBE");
    cockpit.type_text("Summary by the engineer");
    cockpit.keys("ctrl-o");
    cockpit.wait_gone("keep and close");
    cockpit.wait_for("both texts stand in it: summary");
    cockpit.wait_for("SUMMARY BY THE SCRIBE");
    cockpit.wait_for("Summary by the engineer");
    // The whole file in an editor outside, while the scribe writes on.
    let other = cockpit.home().work().join("theirs");
    let text = fs::read_to_string(&file).expect("a postmortem");
    assert!(text.contains("LUCK BY THE SCRIBE"), "{text}");
    let theirs = steadyhand::postmortem::replace_part(&text, "badly", "BADLY BY THE SCRIBE");
    fs::write(&other, theirs).expect("ours");
    let ours = format!(
        "cp '{}' '{}'\nsed -i 's/Summary by the engineer/& twice/' \"$1\"\n",
        other.display(),
        file.display()
    );
    fs::write(cockpit.home().work().join("scribe"), ours).expect("ours");
    cockpit.keys("ctrl-e");
    cockpit.wait_for("Summary by the engineer twice");
    let written = || fs::read_to_string(&file).expect("a postmortem");
    cockpit.wait_until("the file is written", |_| written().contains("engineer twice"));
    leave(&mut cockpit);
    let text = written();
    for part in ["LUCK BY THE SCRIBE", "BADLY BY THE SCRIBE", "SUMMARY BY THE SCRIBE"] {
        assert_eq!(text.matches(part).count(), 1, "{text}");
    }
    assert!(!text.contains("Kept text"), "{text}");
}

/// An editor that fails leaves the box as it was.
#[test]
fn an_editor_that_fails_loses_nothing() {
    let mut cockpit = demo(Home::new().with("VISUAL", "false"));
    open_note(&mut cockpit);
    cockpit.type_text("begun here");
    cockpit.keys("ctrl-e");
    cockpit.wait_for("false ended with");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_for("> begun here");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_for("note: begun here");
    leave(&mut cockpit);
}

#[test]
fn whoever_goes_on_without_a_name_hears_of_the_others() {
    let mut first = demo(Home::new());
    leave(&mut first);
    let second = ["open", "orphans", "--target", "erp-demo"];
    let mut second = Cockpit::start_in(first.into_home(), &second, COMPACT);
    second.wait_for("milestone: detected");
    leave(&mut second);
    let mut again = Cockpit::start_in(second.into_home(), &["resume"], COMPACT);
    again.wait_for("open too: INC-0001");
    leave(&mut again);
}

#[test]
fn a_message_is_edited_before_it_is_given() {
    let mut cockpit = demo(Home::new());
    cockpit.keys("] ] ] ]");
    cockpit.wait_for("enter write the update");
    cockpit.keys("c");
    cockpit.wait_for("it was given");
    cockpit.keys("ctrl-n");
    cockpit.wait_for("Update for technical readers");
    cockpit.type_text(" The import is stopped.");
    cockpit.keys("ctrl-o");
    cockpit.wait_for("Edited by you");
    cockpit.wait_for("The import is stopped.");
    // It survives the box, and goes with what was given.
    cockpit.keys("esc");
    cockpit.wait_gone("it was given");
    // A thread of its own writes it.
    cockpit.wait_until("a draft", |_| drafts(cockpit.home()) == 1);
    cockpit.keys("c");
    cockpit.wait_for("The import is stopped.");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_for("technical update recorded as given");
    cockpit.wait_until("no draft any more", |_| drafts(cockpit.home()) == 0);
    // Once more enter is no record of a text that was not on the screen, and esc settles no step.
    cockpit.keys("enter");
    cockpit.wait_for("it was given: record it");
    cockpit.wait_gone("Recorded as given.");
    cockpit.keys("esc");
    cockpit.wait_gone("it was given");
    cockpit.wait_for("technical update given");
    cockpit.wait_for("enter told, go on");
    assert!(!is_recorded(cockpit.home(), "told: technical"));
    // Who was not told can be told yet.
    cockpit.keys("c");
    cockpit.wait_for("it was given: record it");
    cockpit.keys("enter");
    cockpit.wait_for("business update recorded as given");
    cockpit.keys("esc");
    cockpit.wait_gone("Recorded as given.");
    cockpit.wait_for("business update given");
    cockpit.keys("enter");
    cockpit.wait_for("tell done: told: technical, business");
    assert!(!is_recorded(cockpit.home(), "\"audience\":\"executive\""));
    leave(&mut cockpit);
    assert!(is_recorded(cockpit.home(), "The import is stopped."));
    assert_sound(cockpit.home());
}

// -------------------------------------------------------------------------------------- timeline

#[test]
fn records_are_pinned_and_annotated_and_the_postmortem_says_so() {
    let mut cockpit = demo(Home::new());
    to_change(&mut cockpit);
    cockpit.keys("J");
    cockpit.wait_for("[story]");
    // The count over time with its milestones, and the cursor on it.
    cockpit.wait_for("│detected");
    cockpit.wait_for("████████████████");
    cockpit.keys("f");
    cockpit.wait_for("[everything]");
    cockpit.keys("g");
    cockpit.wait_for("▸ ");
    cockpit.keys("j");
    cockpit.keys("p");
    cockpit.wait_for("record 2 is pinned");
    cockpit.wait_for("▸●");
    cockpit.keys("a");
    cockpit.wait_for("About record 2");
    cockpit.type_text("these are the ones of the audit");
    cockpit.keys("ctrl-o");
    cockpit.wait_gone("leave it as a draft");
    cockpit.wait_for("these are the ones of the audit");
    cockpit.keys("enter");
    cockpit.wait_for("pinned   yes");
    cockpit.keys("esc");
    cockpit.wait_gone("Record in full");
    // What is pinned belongs to the story.
    cockpit.keys("f f f");
    cockpit.wait_for("[story]");
    cockpit.wait_for("controls in question");
    cockpit.keys("f f");
    cockpit.wait_for("[changes]");
    cockpit.wait_for("nothing of this is in the journal");
    cockpit.keys("f");
    cockpit.wait_for("[decisions]");
    cockpit.wait_for("incident opened");
    cockpit.wait_gone("milestone: detected");
    leave(&mut cockpit);
    let home = cockpit.into_home();
    assert_sound(&home);
    let text = home.steadyhand(&["postmortem", INCIDENT]).output().expect("it runs").stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("- **pinned** "), "{text}");
    assert!(text.contains("> these are the ones of the audit"), "{text}");
}

/// What was pinned by mistake is not pinned any more, and both are on record.
#[test]
fn a_pin_is_taken_away_again() {
    let mut cockpit = demo(Home::new());
    cockpit.keys("J");
    cockpit.wait_for("[story]");
    cockpit.keys("g p");
    cockpit.wait_for("▸●");
    cockpit.keys("p");
    cockpit.wait_gone("▸●");
    leave(&mut cockpit);
    let kinds = journal(cockpit.home());
    assert!(kinds.ends_with(&["pinned".to_owned(), "unpinned".to_owned()]), "{kinds:?}");
}

/// A milestone of two hours ago makes the incident long; the span goes with the cursor, and chart and
/// list agree about it.
#[test]
fn the_timeline_is_seen_from_hours_to_minutes() {
    let mut cockpit = demo(Home::new());
    open_note(&mut cockpit);
    cockpit.type_text("-2h the import began");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_for("note: the import began");
    cockpit.keys("J");
    cockpit.wait_for("[story]");
    cockpit.wait_for("(backdated) note: the import began");
    cockpit.wait_for("milestone: detected");
    cockpit.keys("+");
    cockpit.wait_for("1 h at once, of 2 h");
    cockpit.wait_gone("the import began");
    cockpit.wait_for("milestone: detected");
    cockpit.keys("+ +");
    cockpit.wait_for("5 min at once");
    // To the stretch before, where the note is alone.
    cockpit.keys("left");
    cockpit.wait_for("the import began");
    cockpit.wait_gone("milestone: detected");
    cockpit.wait_gone("│detected");
    cockpit.keys("right");
    cockpit.wait_for("milestone: detected");
    cockpit.keys("- - -");
    cockpit.wait_for("all of it: 2 h");
    cockpit.wait_for("the import began");
    leave(&mut cockpit);
}

// -------------------------------------------------------------------------------------- the page

/// An incident from its start to its end, as people work on it.
fn worked_on() -> Home {
    let mut cockpit = demo(Home::new());
    for (note, word) in [
        ("-40m the hand-over import began", "the hand-over import began"),
        ("decision: stop <b>the import</b> & wait", "stop <b>the import</b>"),
        ("luck: nobody had been handed out yet", "nobody had been handed out"),
    ] {
        open_note(&mut cockpit);
        cockpit.type_text(note);
        cockpit.breathe();
        cockpit.keys("enter");
        cockpit.wait_gone("sort it");
        cockpit.wait_for(word);
    }
    to_change(&mut cockpit);
    preview(&mut cockpit);
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("as previewed");
    cockpit.keys("J");
    cockpit.wait_for("[story]");
    cockpit.wait_for("verified on a new connection");
    cockpit.keys("p");
    cockpit.wait_for("▸●");
    cockpit.keys("a");
    cockpit.wait_for("leave it as a draft");
    cockpit.type_text("the numbers are those of the audit");
    cockpit.keys("ctrl-o");
    cockpit.wait_gone("leave it as a draft");
    cockpit.keys("P");
    cockpit.wait_for("parts are yours to write");
    cockpit.keys("] ] ] e");
    cockpit.wait_for("keep and close");
    cockpit.paste("The import **ran twice**:\n\n1. the first run timed out\n2. the second did not ask\n\nSee [the wiki](https://wiki.internal/import) <script>alert(1)</script>");
    cockpit.keys("ctrl-o");
    cockpit.wait_gone("keep and close");
    leave(&mut cockpit);
    cockpit.into_home()
}

/// The page is read by a browser where there is one: it must be silent, and ask for nothing.
#[test]
fn the_page_of_an_incident_needs_nothing_else() {
    let home = worked_on();
    let args = ["postmortem", INCIDENT, "--format", "html", "--output", "page.html"];
    home.steadyhand(&args).assert().code(0);
    let read = || fs::read_to_string(home.work().join("page.html")).expect("the page is there");
    let without = read();
    assert!(!without.contains("<ins>"), "no row is on the page that nobody asked for");
    home.steadyhand(&[&args[..], &["--rows"]].concat()).assert().code(0);
    let page = read();
    assert!(page.contains("return_date") && page.contains("<ins>"), "the rows are on the page");
    assert!(page.contains("stop &lt;b&gt;the import&lt;"), "what was typed is text");
    assert!(page.contains("<strong>ran twice</strong>") && page.contains("&lt;script&gt;"));
    assert!(page.contains("the numbers are those of the audit"));
    for outside in ["<script", " src=", " href=", "url(", "@import", "<a ", "<link", "<img"] {
        assert!(!page.contains(outside), "{outside} is on the page");
    }
    let said = home.steadyhand(&["postmortem", INCIDENT, "--rows"]).output().expect("it runs");
    assert_eq!(said.status.code(), Some(4));

    let pictures =
        std::env::var("STEADYHAND_PAGES").map_or(home.work().join("pages"), PathBuf::from);
    let check = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/check-page");
    let checked = std::process::Command::new(check)
        .arg(home.work().join("page.html"))
        .arg(&pictures)
        .output()
        .expect("the script runs");
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    match checked.status.code() {
        Some(0) => {}
        Some(3) => eprintln!("{said}The page was not seen by a browser in this run."),
        _ => panic!("{said}"),
    }
}
