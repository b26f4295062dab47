//! Two logins on one incident: one works, the other watches, and the lease goes from one to the other
//! with a key, by typed words, or with the death of whoever held it. Never do two write.

// The fault points are not in release builds.
#![cfg(debug_assertions)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::book::{COUNT, book, command};
use common::walk::{
    CONFIRMATION, Facts, INCIDENT, RUNBOOK, assert_sound, confirm, database, demo,
    demo_with_runbook, hasty, journal, leave, note, preview, run_command, take_over, to_change,
    wait_for_end,
};
use common::{Cockpit, Home, Signal, WIDE};

const WORDS: &str = "take over INC-0001";

fn watch(first: &Cockpit) -> Cockpit {
    let second = first.beside("robin", &["watch", INCIDENT], WIDE);
    second.wait_for("WATCHING");
    second.wait_for("held by casey on ");
    second
}

fn quit(cockpit: &mut Cockpit) {
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
}

/// Somebody watches line by line, has asked for it, and may take it from whoever does not answer.
fn silent_by_lines(home: Home) -> (Cockpit, Cockpit) {
    let first = demo(home);
    let mut second = first.beside("robin", &["watch", INCIDENT, "--plain"], WIDE);
    second.wait_for("incident opened");
    first.signal(Signal::STOP);
    second.type_text("take over");
    second.keys("enter");
    second.wait_for("nobody answers; type  take over INC-0001");
    (first, second)
}

/// The same line by line, where leaving is asked about.
fn quit_lines(cockpit: &mut Cockpit) {
    cockpit.type_text("quit");
    cockpit.keys("enter");
    cockpit.wait_for("Leave?");
    // What is typed before the question stands there is not taken.
    cockpit.wait_for("choose >");
    cockpit.type_text("1");
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_code(), 0);
}

#[test]
fn who_watches_sees_every_record_and_can_do_nothing() {
    let mut first = demo(Home::new());
    let mut second = watch(&first);
    note(&mut first, "the source is the import of five o'clock");
    second.wait_for("the source is the import of five o'clock");
    second.keys("e");
    second.wait_for("somebody else works on it");
    to_change(&mut first);
    preview(&mut first);
    second.wait_for("26 rows");
    confirm(&mut first, CONFIRMATION);
    second.wait_for("COMMITTED");
    quit(&mut second);
    leave(&mut first);
    assert_sound(first.home());
}

#[test]
fn a_second_cockpit_on_the_same_incident_watches() {
    let mut first = demo(Home::new());
    let mut second = first.beside("robin", &["resume", INCIDENT], WIDE);
    second.wait_for("WATCHING");
    second.wait_for("held by casey on ");
    quit(&mut second);
    // It asked for nothing, and left nothing.
    assert!(!journal(first.home()).iter().any(|kind| kind.starts_with("take")));
    leave(&mut first);
}

#[test]
fn the_lease_is_handed_over_with_a_key_and_the_first_watches() {
    let mut first = demo(Home::new());
    let mut second = watch(&first);
    second.keys("t");
    second.wait_for("asked; you go on as soon as it is handed over");
    first.wait_for("robin on ");
    first.wait_for("asks to take over");
    // An enter that was meant for something else hands nothing over.
    first.keys("enter");
    first.wait_gone("Answer later");
    first.wait_for("robin ASKS TO TAKE OVER");
    first.keys("alt-h");
    first.wait_for("Answer later");
    first.breathe();
    first.keys("down enter");
    first.wait_for("WATCHING");
    second.wait_for("taken up again");
    first.wait_for("held by robin on ");
    note(&mut second, "robin goes on");
    first.wait_for("robin goes on");
    first.keys("e");
    first.wait_for("somebody else works on it");
    quit(&mut first);
    leave(&mut second);
    let kinds = journal(first.home());
    let at = |kind: &str| kinds.iter().position(|one| one == kind).expect(kind);
    assert!(at("take-over-asked") < at("handed-over") && at("handed-over") < at("resumed"));
    assert_sound(first.home());
}

#[test]
fn who_is_refused_goes_on_watching() {
    let mut first = demo(Home::new());
    let mut second = watch(&first);
    second.keys("t");
    first.wait_for("asks to take over");
    first.breathe();
    first.keys("down down enter");
    second.wait_for("casey goes on with it and does not hand it over now");
    first.wait_gone("ASKS TO TAKE OVER");
    note(&mut first, "casey goes on");
    second.wait_for("casey goes on");
    quit(&mut second);
    leave(&mut first);
    assert_eq!(journal(first.home()).iter().filter(|kind| *kind == "take-over-refused").count(), 1);
}

#[test]
fn a_holder_that_is_stopped_is_replaced_by_typed_words_and_can_never_write_again() {
    let mut first = demo(hasty());
    let before = Facts::of(first.home());
    to_change(&mut first);
    preview(&mut first);
    let mut second = watch(&first);
    // Everything but the enter that means it.
    common::walk::type_confirmation(&mut first, CONFIRMATION);
    first.signal(Signal::STOP);
    second.keys("t");
    take_over(&mut second, "take over INC-0002");
    second.wait_for("is not it; nothing was executed");
    take_over(&mut second, WORDS);
    second.wait_for("enter preview");
    note(&mut second, "robin goes on alone");
    // The enter that was on its way meets a journal that is nobody's.
    first.send(b"\r");
    first.signal(Signal::CONT);
    first.wait_for("WATCHING");
    first.wait_for("held by robin on ");
    first.wait_for("robin goes on alone");
    assert_eq!(Facts::of(first.home()), before);
    quit(&mut first);
    preview(&mut second);
    confirm(&mut second, CONFIRMATION);
    second.wait_for("COMMITTED   26 rows");
    second.keys("esc");
    second.wait_for("v rows");
    leave(&mut second);
    assert_eq!(Facts::of(first.home()), before.after_change());
    let kinds = journal(first.home());
    assert_eq!(kinds.iter().filter(|kind| *kind == "taken-over").count(), 1);
    assert_eq!(kinds.iter().filter(|kind| *kind == "execution-started").count(), 1);
    assert_sound(first.home());
}

/// It is theirs from the words on, and that is written whatever comes of the rest.
#[test]
fn what_was_taken_is_recorded_where_it_cannot_be_gone_on_with() {
    let first = demo(hasty());
    let mut second = watch(&first);
    first.signal(Signal::STOP);
    second.keys("t");
    second.wait_for("does not answer");
    let runbook = first.home().work().join("state/incidents").join(INCIDENT).join("runbook.toml");
    fs::write(&runbook, "another one").expect("it is ours");
    take_over(&mut second, WORDS);
    second.wait_for("runbook.toml is not the one the incident was opened on");
    assert_eq!(journal(first.home()).last().map(String::as_str), Some("taken-over"));
}

#[test]
fn a_change_that_is_executed_cannot_be_taken_over_before_its_outcome_is_known() {
    let mut first = demo(hasty().with("STEADYHAND_HALT", "after:commit-sent"));
    let before = Facts::of(first.home());
    to_change(&mut first);
    preview(&mut first);
    let mut second = watch(&first);
    confirm(&mut first, CONFIRMATION);
    second.wait_for("COMMIT of ");
    second.keys("t");
    take_over(&mut second, WORDS);
    second.wait_for("is being executed; its outcome comes first");
    first.signal(Signal::CONT);
    first.wait_for("COMMITTED   26 rows");
    second.wait_for("COMMITTED");
    quit(&mut second);
    first.wait_until("nobody asks", |screen| !screen.contains("ASKS TO TAKE OVER"));
    first.keys("esc");
    first.wait_for("v rows");
    leave(&mut first);
    assert_eq!(Facts::of(first.home()), before.after_change());
    assert_sound(first.home());
}

#[test]
fn the_lease_of_the_dead_is_free() {
    let mut first = demo(Home::new());
    let mut second = watch(&first);
    first.signal(Signal::KILL);
    first.wait_death();
    second.wait_for("nobody works on it");
    second.keys("t");
    second.wait_for("taken up again");
    leave(&mut second);
    assert_sound(first.home());
}

#[test]
fn line_by_line_it_is_followed_and_taken_over_too() {
    let mut first = demo(Home::new());
    let mut second = first.beside("robin", &["watch", INCIDENT, "--plain"], WIDE);
    second.wait_for("incident opened");
    second.wait_for("casey: ");
    note(&mut first, "told line by line");
    second.wait_for("told line by line");
    second.type_text("take over");
    second.keys("enter");
    first.wait_for("asks to take over");
    first.breathe();
    first.keys("down enter");
    first.wait_for("held by robin on ");
    second.wait_for("step 1 of 10");
    quit(&mut first);
    quit_lines(&mut second);
    assert_sound(first.home());
}

/// Every host counts from one: an incident of another lies under a name of its own, and nothing that is
/// done in it is done in the one whose number it has.
#[test]
fn what_is_done_in_one_of_two_incidents_with_one_number_stays_out_of_the_other() {
    const THEIRS: &str = "INC-0001-vm";
    let mut ours = demo(Home::new());
    leave(&mut ours);
    let home = ours.into_home();
    let incidents = home.work().join("state/incidents");
    let before = files(&incidents.join(INCIDENT));
    for (name, bytes) in &before {
        let path = incidents.join(THEIRS).join(name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it is ours");
        fs::write(path, bytes).expect("it is ours");
    }
    let mut first = Cockpit::start_in(home, &["resume", THEIRS], WIDE);
    first.wait_for("taken up again");
    let mut second = first.beside("robin", &["watch", THEIRS], WIDE);
    second.wait_for("WATCHING");
    second.keys("t");
    first.wait_for("asks to take over");
    first.breathe();
    first.keys("down enter");
    first.wait_for("held by robin on ");
    second.wait_for("taken up again");
    note(&mut second, "robin goes on with theirs");
    first.wait_for("robin goes on with theirs");
    second.keys("esc");
    second.wait_for("What is wrong");
    second.keys("z");
    second.wait_for("done, go on");
    note(&mut second, "robin came back to it");
    first.wait_for("robin came back to it");
    leave(&mut second);
    second.wait_for("INC-0001-vm is open: `steadyhand resume INC-0001-vm` goes on with it");
    first.wait_for("nobody works on it");
    quit(&mut first);
    let mut lines = first.beside("robin", &["watch", THEIRS, "--plain"], WIDE);
    lines.wait_for("robin came back to it");
    lines.type_text("take over");
    lines.keys("enter");
    lines.wait_for("step 1 of 10");
    quit_lines(&mut lines);
    assert!(before == files(&incidents.join(INCIDENT)), "the other one is as it was");
    let home = first.home();
    for incident in [INCIDENT, THEIRS] {
        let ran = home.steadyhand(&["verify", incident]).assert().code(0);
        let said = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
        assert!(said.contains(&format!("{incident} is sound")), "{said}");
        home.steadyhand(&["bundle", incident]).assert().code(0);
        assert!(home.work().join(format!("{incident}.tar")).is_file());
    }
    let ran = home.steadyhand(&["handover", THEIRS]).assert().code(0);
    let said = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
    assert!(said.contains("`steadyhand resume INC-0001-vm` on this host"), "{said}");
}

/// What lies in a folder, by its names.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it can be read").path();
        let name = PathBuf::from(path.file_name().expect("it has a name"));
        if path.is_dir() {
            found
                .extend(files(&path).into_iter().map(|(inside, bytes)| (name.join(inside), bytes)));
        } else {
            found.insert(name, fs::read(&path).expect("it can be read"));
        }
    }
    found
}

#[test]
fn while_a_command_writes_nothing_else_is_executed_and_nobody_takes_over() {
    let home = hasty();
    let wait = command("wait", "Wait at the gate", &["cat", "gate"], false);
    let make = command("make", "Make a file", &["touch", "made"], false);
    home.write("books/asset-double-assignment.toml", &book(&[&wait, &make, COUNT]));
    let gate = home.work().join("gate");
    rustix::fs::mkfifoat(rustix::fs::CWD, &gate, rustix::fs::Mode::RWXU).expect("a gate");
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    let mut first = Cockpit::start_in(home, &args, WIDE);
    first.wait_for("Wait at the gate");
    run_command(&mut first);
    let mut second = watch(&first);
    second.keys("t");
    take_over(&mut second, WORDS);
    second.wait_for("is being executed; its outcome comes first");
    quit(&mut second);
    first.wait_for("asks to take over");
    first.wait_until("nobody asks", |screen| !screen.contains("ASKS TO TAKE OVER"));
    first.keys("]");
    first.wait_for("Make a file");
    run_command(&mut first);
    first.wait_for("nothing was executed: a change or a command is being executed");
    let made = first.home().work().join("made");
    assert!(!made.exists());
    fs::write(&gate, "open").expect("somebody waits there");
    first.wait_for("step wait done");
    run_command(&mut first);
    wait_for_end(&first, "step-passed", 2);
    assert!(made.exists());
    leave(&mut first);
    assert_sound(first.home());
}

/// What was typed before the question, and what comes through a pipe, takes nothing from anybody.
#[test]
fn line_by_line_a_stopped_holder_loses_it_to_words_and_an_enter_of_its_own() {
    let (mut first, mut second) = silent_by_lines(Home::new());
    second.send(b"take over INC-0001\r\r");
    second.wait_for("enter alone takes it over");
    second.type_text("no");
    second.keys("enter");
    second.wait_for("left alone; nothing was taken over");
    second.type_text("take over INC-0001");
    second.keys("enter");
    second.wait_until("the question again", |screen| {
        screen.matches("enter alone takes it over").count() == 2
    });
    second.keys("enter");
    second.wait_for("step 1 of 10");
    first.signal(Signal::CONT);
    first.wait_for("held by robin on ");
    quit(&mut first);
    quit_lines(&mut second);
    assert_sound(first.home());
}

/// Line by line, the words are not enough once who works on it has answered.
#[test]
fn line_by_line_a_holder_that_answers_late_keeps_it() {
    let (mut first, mut second) = silent_by_lines(hasty());
    second.type_text(WORDS);
    second.keys("enter");
    second.wait_for("enter alone takes it over");
    first.signal(Signal::CONT);
    first.wait_for("asks to take over");
    first.breathe();
    first.keys("down down enter");
    second.wait_for("goes on with it and does not hand it over now");
    second.keys("enter");
    second.wait_for("who works on it has answered; nothing was taken over");
    note(&mut first, "casey goes on");
    second.wait_for("casey goes on");
    leave(&mut first);
    assert_sound(first.home());
}

/// Whoever reads an earlier record, or the rows of a check, is not taken away by what comes.
#[test]
fn who_watches_stays_where_they_read() {
    let mut first = demo(Home::new());
    for text in ["one", "two", "three"] {
        note(&mut first, text);
    }
    let mut second = watch(&first);
    second.keys("J");
    second.wait_for("three");
    second.keys("up up");
    let here = |screen: &str| {
        let line = screen.lines().find(|line| line.contains('▸')).unwrap_or_default();
        line.trim().to_owned()
    };
    second.wait_until("the cursor on the first note", |screen| here(screen).contains("one"));
    note(&mut first, "four");
    second.wait_for("four");
    assert!(here(&second.screen()).contains("one"), "{}", second.screen());
    quit(&mut second);
    leave(&mut first);
}

fn commanding(argv: &[&str], readonly: bool) -> Cockpit {
    let home = hasty();
    let wait = command("wait", "Wait at the gate", argv, readonly);
    home.write("books/asset-double-assignment.toml", &book(&[&wait, COUNT]));
    let gate = home.work().join("gate");
    rustix::fs::mkfifoat(rustix::fs::CWD, &gate, rustix::fs::Mode::RWXU).expect("a gate");
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    let mut first = Cockpit::start_in(home, &args, WIDE);
    first.wait_for("Wait at the gate");
    if readonly {
        first.keys("enter");
    } else {
        run_command(&mut first);
    }
    first
}

/// No way out leaves a command behind of whose end the journal does not tell.
#[test]
fn a_command_under_way_is_not_left_by_a_key_and_its_end_is_recorded_when_we_must_go() {
    for readonly in [false, true] {
        let mut first = commanding(&["cat", "gate"], readonly);
        for key in ["esc", "q"] {
            first.keys(key);
            first.wait_for("a command is running: it ends first; x stops it");
        }
        first.keys("x");
        first.wait_for("it was stopped");
        let kinds = journal(first.home());
        assert!(kinds.ends_with(&["command-ran".into(), "step-failed".into()]), "{kinds:?}");
        leave(&mut first);
        let first = commanding(&["cat", "gate"], readonly);
        first.signal(Signal::HUP);
        first.wait_exit();
        let kinds = journal(first.home());
        assert!(kinds.contains(&"command-ran".into()), "{kinds:?}");
        assert!(kinds.contains(&"step-failed".into()), "{kinds:?}");
    }
}

#[test]
fn a_command_that_was_cut_off_with_us_is_told_when_the_incident_is_taken_up() {
    let first = commanding(&["cat", "gate"], false);
    first.signal(Signal::KILL);
    first.wait_exit();
    let mut second = first.beside("robin", &["resume", INCIDENT], WIDE);
    second.wait_for("what it did by then is not known");
    leave(&mut second);
}

fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is ours").flatten() {
        let path = entry.path();
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
        found.push((path.clone(), mode));
        if path.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

#[test]
fn a_folder_of_a_group_gives_its_group_what_is_in_it_and_any_other_nothing() {
    for (made, mode, folders, files) in [
        ("state", 0o2770, 0o2770, 0o660),
        ("state/incidents", 0o2770, 0o2770, 0o660),
        ("state/incidents", 0o755, 0o700, 0o600),
    ] {
        let home = Home::new();
        let made = home.work().join(made);
        fs::create_dir_all(&made).expect("the home is ours");
        fs::set_permissions(&made, fs::Permissions::from_mode(mode)).expect("it is ours");
        let mut first = demo(home);
        to_change(&mut first);
        preview(&mut first);
        confirm(&mut first, CONFIRMATION);
        first.wait_for("COMMITTED   26 rows");
        first.keys("esc");
        first.wait_for("v rows");
        first.keys("e");
        first.wait_for("sort it");
        first.type_text("half a note");
        first.wait_for("half a note");
        first.keys("esc");
        first.wait_gone("sort it");
        leave(&mut first);
        assert!(database(first.home()).exists());
        for (path, mode) in modes(&made) {
            let wanted = if path.is_dir() { folders } else { files };
            assert_eq!(mode, wanted, "{} {mode:o}", path.display());
        }
    }
}

/// A preview of a step that was skipped afterwards waits for nobody.
#[test]
fn what_was_skipped_waits_for_no_confirmation() {
    let may = "required        = \"run\"";
    let mut cockpit = demo_with_runbook(|book| book.replace("required        = \"pass\"", may));
    preview(&mut cockpit);
    cockpit.keys("esc");
    cockpit.wait_for("v rows");
    cockpit.keys("s");
    cockpit.wait_for("Why is this step skipped?");
    cockpit.type_text("the desk does it by hand");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_gone("Why is this step skipped?");
    leave(&mut cockpit);
    let card = cockpit.home().steadyhand(&["handover"]).assert().code(0);
    let card = String::from_utf8_lossy(&card.get_output().stdout).into_owned();
    assert!(card.contains("skipped: the desk does it by hand"), "{card}");
    assert!(!card.contains("previewed at"), "{card}");
}

#[test]
fn the_handover_card_says_what_is_known_tried_open_and_next() {
    let mut first = demo(Home::new());
    to_change(&mut first);
    preview(&mut first);
    first.keys("p");
    first.wait_until("a second preview", |_| {
        journal(first.home()).iter().filter(|kind| *kind == "previewed").count() == 2
    });
    first.wait_for("enter confirm");
    first.keys("esc");
    first.wait_for("v rows");
    note(&mut first, "todo: ask the stock desk");
    first.keys("W");
    first.wait_for("Handover");
    first.wait_for("asset-double-assignment: 12 violations");
    first.wait_for("Approvals open");
    first.keys("esc");
    first.wait_gone("Approvals open");
    let card = first.home().steadyhand(&["handover"]).assert().code(0);
    let card = String::from_utf8_lossy(&card.get_output().stdout).into_owned();
    for said in [
        "casey on ",
        "asset-double-assignment: 12 violations",
        "nothing was changed",
        "todo: ask the stock desk",
        "26 rows",
        "UTC",
        "Close the later assignments, keep the earliest",
        "Why: ",
        "Takes about 5 min",
    ] {
        assert!(card.contains(said), "{said} is not on the card:\n{card}");
    }
    // The second took the place of the first.
    assert_eq!(card.matches("previewed at").count(), 1, "{card}");
    assert!(card.contains("26 rows, to be confirmed until "), "{card}");
    assert!(card.contains("`steadyhand watch INC-0001`"), "{card}");
    let mut second = watch(&first);
    second.keys("t");
    first.wait_for("asks to take over");
    first.breathe();
    first.keys("down enter");
    second.wait_for("taken up again");
    quit(&mut first);
    leave(&mut second);
    let home = first.home();
    let card = home.steadyhand(&["handover", INCIDENT]).assert().code(0);
    let card = String::from_utf8_lossy(&card.get_output().stdout).into_owned();
    assert!(card.contains("nobody works on it"), "{card}");
    assert!(card.contains("`steadyhand resume INC-0001`") && !card.contains("watch"), "{card}");
    let json = home.steadyhand(&["handover", INCIDENT, "--format", "json"]).assert().code(0);
    let json: serde_json::Value =
        serde_json::from_slice(&json.get_output().stdout).expect("the card is JSON");
    assert_eq!(json["next_step"]["title"], "Close the later assignments, keep the earliest");
    assert_eq!(json["next_step"]["minutes"], 5);
    let postmortem = home.steadyhand(&["postmortem", INCIDENT]).assert().code(0);
    let postmortem = String::from_utf8_lossy(&postmortem.get_output().stdout).into_owned();
    assert!(postmortem.contains("robin went on for casey, and found:"), "{postmortem}");
}
