//! An incident told again: forward and back on its own screens, without its database, its target or a
//! line more in its journal.

mod common;

use std::fs;
use std::path::PathBuf;

use common::walk::{
    CONFIRMATION, INCIDENT, confirm, database, demo, journal, leave, note, preview, to_change,
};
use common::{COMPACT, Cockpit, Home, WIDE};

fn folder(home: &Home) -> PathBuf {
    home.work().join("state/incidents").join(INCIDENT)
}

/// An incident with a change, whose database is gone and whose target nobody knows.
fn told() -> Home {
    let mut cockpit = demo(Home::new());
    to_change(&mut cockpit);
    preview(&mut cockpit);
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED");
    cockpit.wait_for("as previewed");
    note(&mut cockpit, "luck: nobody had been handed out yet");
    leave(&mut cockpit);
    let home = cockpit.into_home();
    fs::remove_file(database(&home)).expect("the database is ours");
    fs::remove_file(home.work().join("steadyhand.toml")).expect("the configuration is ours");
    home
}

fn replay(home: Home, what: &str) -> Cockpit {
    let cockpit = Cockpit::start_in(home, &["replay", what, "--state", "state"], WIDE);
    cockpit.wait_for("REPLAY 1/");
    cockpit
}

/// Every file of the incident with its bytes.
fn everything(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let inside = format!("work/state/incidents/{INCIDENT}");
    let read = |path: PathBuf| {
        let bytes = fs::read(folder(home).join(&path)).expect("a file can be read");
        (path, bytes)
    };
    home.files(&inside).into_iter().map(read).collect()
}

fn quit(cockpit: &mut Cockpit) {
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
}

#[test]
fn an_incident_is_told_forward_and_back_on_its_own_screens() {
    let home = told();
    let before = everything(&home);
    let kinds = journal(&home);
    let number = |kind: &str| kinds.iter().position(|one| one == kind).expect("it is there") + 1;
    let all = kinds.len();
    let mut cockpit = replay(home, INCIDENT);
    cockpit.wait_for(&format!("REPLAY 1/{all}"));
    cockpit.wait_for("incident opened");
    cockpit.wait_for("REPLAY   erp-demo (demo)");
    // Forward by records to the first count, which shows the rows that were seen.
    for at in 2..=number("checked") {
        cockpit.keys("right");
        cockpit.wait_for(&format!("REPLAY {at}/{all}"));
    }
    cockpit.wait_for("✗ 12 violations");
    cockpit.wait_for("1-12 of 12");
    cockpit.keys("left");
    cockpit.wait_for(&format!("REPLAY {}/{all}", number("checked") - 1));
    cockpit.wait_gone("✗ 12 violations");
    // To the preview, as it stood on the screen.
    for at in number("checked")..=number("previewed") {
        cockpit.keys("right");
        cockpit.wait_for(&format!("REPLAY {at}/{all}"));
    }
    cockpit.wait_for("PREVIEW");
    cockpit.wait_for("by triggers and cascades");
    cockpit.wait_for("Rows, before → after");
    cockpit.wait_gone("too old");
    cockpit.keys("d");
    cockpit.wait_for("Rows, before and after");
    cockpit.keys("esc");
    cockpit.wait_gone("Rows, before and after");
    for at in number("previewed") + 1..=number("ended") {
        cockpit.keys("right");
        cockpit.wait_for(&format!("REPLAY {at}/{all}"));
    }
    cockpit.wait_for("COMMITTED   26 rows, as previewed");
    // The ends, steps and milestones.
    cockpit.keys("end");
    cockpit.wait_for(&format!("REPLAY {all}/{all}"));
    cockpit.wait_for("luck: nobody had been handed out yet");
    cockpit.keys("right");
    cockpit.keys("[");
    let last_step = kinds.iter().rposition(|kind| kind == "step-entered").expect("one") + 1;
    cockpit.wait_for(&format!("REPLAY {last_step}/{all}"));
    cockpit.keys("home");
    cockpit.wait_for(&format!("REPLAY 1/{all}"));
    cockpit.keys("m");
    cockpit.wait_for(&format!("REPLAY {}/{all}", number("milestone")));
    cockpit.keys("M");
    cockpit.wait_for(&format!("REPLAY 1/{all}"));
    quit(&mut cockpit);
    assert_eq!(everything(cockpit.home()), before);
}

#[test]
fn journal_and_postmortem_are_those_of_the_moment() {
    let home = told();
    let before = everything(&home);
    let mut cockpit = replay(home, "1");
    cockpit.keys("J");
    cockpit.wait_for("[story]");
    cockpit.wait_for("1 of 1 records");
    cockpit.keys("end");
    cockpit.wait_for("luck: nobody had been handed out yet");
    cockpit.keys("P");
    cockpit.wait_for("26 rows written");
    cockpit.keys("home");
    cockpit.wait_for("0 rows written");
    cockpit.keys("esc");
    cockpit.wait_gone("rows written");
    cockpit.wait_for("incident opened");
    quit(&mut cockpit);
    assert_eq!(everything(cockpit.home()), before);
}

/// Keys that would do something while an incident is worked on do nothing here.
#[test]
fn nothing_can_be_done_in_a_replay() {
    let home = told();
    let before = everything(&home);
    let mut cockpit = replay(home, INCIDENT);
    cockpit.keys("end");
    cockpit.wait_for("luck: nobody");
    for key in ["e", "p", "u", "r", "a", "w", "c", "C", "S", "E", "x", "y", "L", "n"] {
        cockpit.keys(key);
        cockpit.wait_for("this is a replay");
        cockpit.keys("home end");
        cockpit.wait_gone("this is a replay");
    }
    // By its name neither.
    cockpit.keys(":");
    cockpit.wait_for("Commands");
    cockpit.type_text("ext-milestone");
    cockpit.keys("home");
    cockpit.type_text("n");
    cockpit.keys("enter");
    cockpit.wait_gone("Commands");
    cockpit.keys("?");
    cockpit.wait_for("to the next milestone");
    cockpit.keys("esc");
    cockpit.wait_gone("to the next milestone");
    cockpit.keys("ctrl-c");
    assert_eq!(cockpit.wait_code(), 0);
    assert_eq!(everything(cockpit.home()), before);
}

#[test]
fn it_goes_on_by_itself_and_the_word_is_on_every_frame() {
    let home = told();
    let all = journal(&home).len();
    let mut cockpit = replay(home, INCIDENT);
    cockpit.keys("> > > > >");
    cockpit.wait_for("16 a second");
    cockpit.wait_for(&format!("REPLAY {all}/{all}"));
    cockpit.wait_gone("16 a second");
    cockpit.resize(COMPACT);
    cockpit.wait_for("REPLAY");
    cockpit.wait_for(&format!("REPLAY {all}/{all}"));
    cockpit.resize((20, 2));
    cockpit.wait_for("REPLAY too small");
    cockpit.resize(WIDE);
    cockpit.wait_for(&format!("REPLAY {all}/{all}"));
    quit(&mut cockpit);
}

/// What an auditor gets can be told again where nothing else is known, also without its rows.
#[test]
fn a_bundle_is_told_again_elsewhere() {
    let home = told();
    for (more, file) in [(&[][..], "whole.tar"), (&["--redact"][..], "redacted.tar")] {
        let args = [&["bundle", INCIDENT, "--state", "state", "--output", file], more].concat();
        home.steadyhand(&args).assert().code(0);
    }
    let elsewhere = Home::new();
    for file in ["whole.tar", "redacted.tar"] {
        fs::copy(home.work().join(file), elsewhere.work().join(file)).expect("it can be copied");
    }
    let mut cockpit = Cockpit::start_in(elsewhere, &["replay", "whole.tar"], WIDE);
    cockpit.wait_for("REPLAY 1/");
    cockpit.keys("end");
    cockpit.wait_for("luck: nobody had been handed out yet");
    quit(&mut cockpit);
    let mut cockpit = Cockpit::start_in(cockpit.into_home(), &["replay", "redacted.tar"], WIDE);
    cockpit.wait_for("REPLAY 1/");
    cockpit.keys("end");
    cockpit.wait_for("(redacted)");
    for _ in 0..3 {
        cockpit.keys("[");
    }
    cockpit.wait_for("REPLAY");
    quit(&mut cockpit);
}

/// A running cockpit has the incident: it can be looked at beside it.
#[test]
fn an_incident_that_is_worked_on_can_be_told_at_the_same_time() {
    let mut cockpit = demo(Home::new());
    let state = cockpit.home().work().join("state").display().to_string();
    let mut beside = Cockpit::start(&["replay", INCIDENT, "--state", &state], WIDE);
    beside.wait_for("REPLAY 1/");
    quit(&mut beside);
    leave(&mut cockpit);
}

#[test]
fn what_is_not_there_is_said() {
    let home = Home::new();
    let said = home.steadyhand(&["replay", "INC-0009"]).output().expect("it runs");
    assert_eq!(said.status.code(), Some(4));
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("there is no incident INC-0009"), "{said}");
}
