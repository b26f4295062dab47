//! What writes outside of a change asks for words, and nothing happens without them.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::book::{COUNT, book, command};
use common::walk::{RUNBOOK, assert_sound, journal, leave, run_command, wait_for_end};
use common::{COMPACT, Cockpit, Home};

#[test]
fn a_command_that_writes_runs_after_the_right_words_and_is_in_the_journal_before() {
    let home = Home::new();
    let look = command("look", "Look around", &["ls"], true);
    let make = command("make", "Make a file", &["touch", "made"], false);
    home.write("books/asset-double-assignment.toml", &book(&[COUNT, &look, &make]));
    let made = home.work().join("made");
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    let mut cockpit = Cockpit::start_in(home, &args, COMPACT);
    cockpit.wait_for("12 violations");
    cockpit.keys("enter");
    cockpit.wait_for("Look around");
    // What only reads runs at once.
    cockpit.keys("enter");
    cockpit.wait_for("the command ended with 0");
    cockpit.keys("enter");
    cockpit.wait_for("Make a file");
    cockpit.keys("enter");
    cockpit.wait_for("Type   erp-demo run");
    cockpit.wait_for("touch made");
    for wrong in ["y", "erp-demo", "erp-demo apply"] {
        cockpit.type_text(wrong);
        cockpit.breathe();
        cockpit.keys("enter");
        cockpit.wait_for(&format!("'{wrong}' is not it; nothing was executed"));
    }
    cockpit.keys("esc");
    cockpit.wait_gone("Type   erp-demo run");
    assert!(!made.exists());
    assert!(!journal(cockpit.home()).contains(&"confirmed".to_owned()));
    run_command(&mut cockpit);
    cockpit.wait_for("the command ended with 0");
    assert!(made.exists());
    leave(&mut cockpit);
    // Whoever goes on hears of both, and that the second one writes.
    let card = cockpit.home().steadyhand(&["handover"]).assert().code(0);
    let card = String::from_utf8_lossy(&card.get_output().stdout).into_owned();
    let writes = "command of make, which writes: touch made: ended with 0 at ";
    assert!(card.contains("command of look: ls") && card.contains(writes), "{card}");
    assert!(!card.contains("nothing was changed"), "{card}");
    let kinds = journal(cockpit.home());
    let at = |kind: &str| kinds.iter().rposition(|one| one == kind).unwrap();
    assert!(at("confirmed") < at("command-ran"), "{kinds:?}");
    assert_sound(cockpit.home());
}

/// One that fails is tried again, and a later session counts its runs from one again.
#[test]
fn a_command_that_runs_again_later_keeps_its_first_output() {
    let home = Home::new();
    let look = command("look", "Look around", &["ls", "nowhere"], true);
    home.write("books/asset-double-assignment.toml", &book(&[COUNT, &look]));
    let demo = ["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    let mut cockpit = Cockpit::start_in(home, &demo, COMPACT);
    cockpit.wait_for("12 violations");
    for session in 1..=3 {
        cockpit.keys("]");
        cockpit.wait_for("Look around");
        cockpit.keys("enter");
        wait_for_end(&cockpit, "step-failed", session);
        leave(&mut cockpit);
        assert_sound(cockpit.home());
        cockpit = Cockpit::start_in(cockpit.into_home(), &["resume"], COMPACT);
        cockpit.wait_for("taken up again");
        cockpit.keys("[");
        cockpit.wait_for("How many");
    }
    let kept = cockpit.home().files("work/state/incidents/INC-0001/evidence");
    let outputs = kept.iter().filter(|path| path.to_string_lossy().contains("command-look-"));
    assert_eq!(outputs.count(), 3, "{kept:?}");
}
