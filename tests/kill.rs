//! The program dies at every record of a write, and at any instant between: the database then holds
//! the state before or the state after, and the next start finds out which, says so, and goes on.

// The fault points are not in release builds.
#![cfg(debug_assertions)]

mod common;

use std::thread;
use std::time::Duration;

use common::walk::{
    CONFIRMATION, Facts, UNDO_CONFIRMATION, assert_sound, confirm, copy_database, database, demo,
    journal, leave, preview, resume, to_change,
};
use common::{Cockpit, Ended, Home, Signal, Sqlite};

const KILLED: Ended = Ended::Signal(9);
const DID: &str = "It did commit";
const DID_NOT: &str = "It did not commit";

fn dying(at: &str) -> Home {
    Home::new().with("STEADYHAND_KILL", at)
}

fn safe(home: Home) -> Home {
    home.with("STEADYHAND_KILL", "")
}

/// Dies at a record of the change; gives what the database held before.
fn killed_at(at: &str) -> (Home, Facts) {
    let mut cockpit = demo(dying(at));
    let before = Facts::of(cockpit.home());
    to_change(&mut cockpit);
    if at == "after:previewed" {
        cockpit.keys("enter");
    } else {
        preview(&mut cockpit);
        confirm(&mut cockpit, CONFIRMATION);
    }
    assert_eq!(cockpit.wait_exit(), KILLED);
    (safe(cockpit.into_home()), before)
}

/// Takes up what was cut off. `said` is what the program must say of the outcome, if it was open.
fn taken_up(home: Home, facts: &Facts, said: Option<&str>) -> Cockpit {
    assert_eq!(Facts::of_copy(&home), *facts, "what the killed program left");
    let mut cockpit = resume(home);
    if let Some(said) = said {
        cockpit.wait_for(said);
        cockpit.keys("enter");
        cockpit.wait_gone(said);
    }
    cockpit.wait_for("Close the later assignments, keep the earliest");
    assert_eq!(Facts::of(cockpit.home()), *facts, "taking it up writes nothing");
    assert_sound(cockpit.home());
    cockpit
}

/// The change can be done from here, once.
fn finish(mut cockpit: Cockpit, before: &Facts) {
    cockpit.wait_for("enter preview");
    preview(&mut cockpit);
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    cockpit.keys("esc");
    cockpit.wait_for("v rows");
    done(cockpit, &before.after_change());
}

/// The change is done: its step says so and leads on, and it is not done again. Begins on the page
/// of the step.
fn done(mut cockpit: Cockpit, after: &Facts) {
    cockpit.wait_for("COMMITTED: 26 rows");
    cockpit.wait_for("enter next step");
    cockpit.keys("p");
    cockpit.wait_for("this change is committed (26 rows); u takes it back");
    assert!(!cockpit.screen().contains("enter confirm"));
    cockpit.keys("esc");
    cockpit.wait_for("v rows");
    cockpit.keys("enter");
    cockpit.wait_for("Is every asset assigned once?");
    cockpit.wait_for("✓ clear");
    leave(&mut cockpit);
    assert_eq!(Facts::of(cockpit.home()), *after);
    assert_sound(cockpit.home());
}

fn not_committed(at: &str, said: Option<&str>) {
    let (home, before) = killed_at(at);
    let cockpit = taken_up(home, &before, said);
    finish(cockpit, &before);
}

fn committed(at: &str, said: Option<&str>) {
    let (home, before) = killed_at(at);
    let after = before.after_change();
    let cockpit = taken_up(home, &after, said);
    done(cockpit, &after);
}

#[test]
fn killed_after_the_preview_nothing_was_changed() {
    not_committed("after:previewed", None);
}

#[test]
fn killed_after_the_approval_nothing_was_changed() {
    not_committed("after:approved", None);
}

#[test]
fn killed_after_the_start_of_the_execution_nothing_was_changed_and_that_is_said() {
    not_committed("after:execution-started", Some(DID_NOT));
}

#[test]
fn killed_after_the_undo_was_written_nothing_was_changed_and_that_is_said() {
    not_committed("after:undo-written", Some(DID_NOT));
}

#[test]
fn killed_before_commit_nothing_was_changed_and_that_is_said() {
    not_committed("after:commit-sent", Some(DID_NOT));
}

#[test]
fn what_could_not_be_asked_when_it_was_taken_up_is_asked_again() {
    let (home, before) = killed_at("after:commit-sent");
    let mut holder = Sqlite::open(&database(&home));
    holder.run("BEGIN EXCLUSIVE");
    let mut cockpit = resume(home);
    cockpit.wait_for("The outcome stays UNKNOWN");
    holder.run("ROLLBACK");
    cockpit.keys("enter");
    cockpit.wait_gone("The outcome stays UNKNOWN");
    cockpit.keys("p");
    cockpit.wait_for(DID_NOT);
    cockpit.keys("enter");
    cockpit.wait_gone(DID_NOT);
    cockpit.keys("esc");
    finish(cockpit, &before);
}

#[test]
fn killed_after_commit_everything_was_changed_and_that_is_said() {
    committed("before:ended", Some(DID));
}

#[test]
fn killed_after_the_end_was_written_the_change_is_done() {
    committed("after:ended", None);
}

#[test]
fn killed_after_the_verification_the_change_is_done() {
    committed("after:verified", None);
}

/// What a change leaves in the file while its COMMIT is under way is taken back by whoever comes
/// next: here the program that takes up the incident, and a check that may not write.
#[test]
fn killed_in_the_middle_of_commit_the_file_is_mended_by_the_next_start() {
    let (home, before) = killed_at("after:commit-sent");
    let path = database(&home);
    // Another writer in the same state: pages in the file are new, the journal has the old ones.
    let aside = home.path("tmp").join("aside.db");
    copy_database(&path, &aside);
    let mut writer = Sqlite::open(&aside);
    writer.run("PRAGMA cache_size = 1; PRAGMA cache_spill = ON; BEGIN IMMEDIATE");
    writer.run("UPDATE asset_assignments SET return_date = assigned_at WHERE return_date IS NULL");
    writer.run("UPDATE timesheets SET hours = hours + 1");
    let torn = home.path("tmp").join("torn.db");
    copy_database(&aside, &torn);
    drop(writer);
    // Into the same file, so that it is still the same server.
    for more in ["", "-journal"] {
        let bytes = std::fs::read(format!("{}{more}", torn.display())).expect("a half commit");
        std::fs::write(format!("{}{more}", path.display()), bytes).expect("the file is writable");
    }
    let checked = home.steadyhand(&["check", "--check", "asset-double-assignment"]).assert();
    let told = checked.code(3).get_output().stdout.clone();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("a crash left an unfinished transaction in the file"), "{told}");
    let cockpit = taken_up(home, &before, Some(DID_NOT));
    cockpit.wait_for("erp-demo  SQLite");
    cockpit.wait_for("12 violations");
    finish(cockpit, &before);
}

// ------------------------------------------------------------------------------------- guardrail

/// A home where the change is done and its step was left.
fn with_the_change() -> (Home, Facts) {
    let mut cockpit = demo(Home::new());
    let before = Facts::of(cockpit.home());
    to_change(&mut cockpit);
    preview(&mut cockpit);
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    (cockpit.into_home(), before)
}

fn to_guardrail(cockpit: &mut Cockpit) {
    cockpit.wait_for("COMMITTED: 26 rows");
    cockpit.keys("enter");
    cockpit.wait_for("Is every asset assigned once?");
    cockpit.wait_for("✓ clear");
    cockpit.keys("enter");
    cockpit.wait_for("enter rehearse");
    apply_guardrail(cockpit);
}

fn apply_guardrail(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    cockpit.wait_for("the bad state is rejected by name");
    confirm(cockpit, "erp-demo apply");
}

fn guardrail_killed_at(at: &str) -> (Home, Facts) {
    let (home, before) = with_the_change();
    let mut cockpit = resume(home.with("STEADYHAND_KILL", at));
    to_guardrail(&mut cockpit);
    assert_eq!(cockpit.wait_exit(), KILLED);
    (safe(cockpit.into_home()), before.after_change())
}

#[test]
fn killed_before_the_commit_of_a_guardrail_it_does_not_stand() {
    let (home, facts) = guardrail_killed_at("after:commit-sent");
    assert_eq!(Facts::of_copy(&home), facts);
    let mut cockpit = resume(home);
    cockpit.wait_for(DID_NOT);
    cockpit.keys("enter");
    cockpit.wait_for("enter rehearse");
    assert_eq!(Facts::of(cockpit.home()), facts);
    apply_guardrail(&mut cockpit);
    cockpit.wait_for("COMMITTED: the schema was changed");
    leave(&mut cockpit);
    let ledger = facts.ledger + 1;
    assert_eq!(Facts::of(cockpit.home()), Facts { guardrail: true, ledger, ..facts });
    assert_sound(cockpit.home());
}

#[test]
fn killed_after_the_commit_of_a_guardrail_it_stands_and_is_not_applied_again() {
    let (home, facts) = guardrail_killed_at("before:ended");
    let ledger = facts.ledger + 1;
    let facts = Facts { guardrail: true, ledger, ..facts };
    assert_eq!(Facts::of_copy(&home), facts);
    let mut cockpit = resume(home);
    cockpit.wait_for(DID);
    cockpit.keys("enter");
    cockpit.wait_for("the guardrail stands");
    cockpit.wait_for("enter next step");
    cockpit.keys("p");
    cockpit.wait_for("it stands already");
    cockpit.keys("a");
    cockpit.wait_for("it stands already; w withdraws it");
    cockpit.keys("enter");
    cockpit.wait_for("Give the all-clear");
    leave(&mut cockpit);
    assert_eq!(Facts::of(cockpit.home()), facts);
    assert_sound(cockpit.home());
}

// ------------------------------------------------------------------------------------------ undo

fn preview_undo(cockpit: &mut Cockpit) {
    cockpit.wait_for("COMMITTED: 26 rows");
    cockpit.keys("p");
    cockpit.wait_for("u takes it back");
    cockpit.keys("u");
    cockpit.wait_for("enter confirm");
}

fn undo_killed_at(at: &str) -> (Home, Facts, Facts) {
    let (home, before) = with_the_change();
    let mut cockpit = resume(home.with("STEADYHAND_KILL", at));
    preview_undo(&mut cockpit);
    confirm(&mut cockpit, UNDO_CONFIRMATION);
    assert_eq!(cockpit.wait_exit(), KILLED);
    let changed = before.after_change();
    (safe(cockpit.into_home()), before, changed)
}

#[test]
fn killed_before_the_commit_of_an_undo_the_change_stands() {
    let (home, before, changed) = undo_killed_at("after:commit-sent");
    let mut cockpit = taken_up(home, &changed, Some(DID_NOT));
    preview_undo(&mut cockpit);
    confirm(&mut cockpit, UNDO_CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    assert_eq!(Facts::of(cockpit.home()), changed.after_undo(&before));
    assert_sound(cockpit.home());
}

#[test]
fn killed_after_the_commit_of_an_undo_the_change_is_taken_back_and_can_be_done_again() {
    let (home, before, changed) = undo_killed_at("before:ended");
    let undone = changed.after_undo(&before);
    let mut cockpit = taken_up(home, &undone, Some(DID));
    cockpit.wait_for("enter preview");
    assert!(!cockpit.screen().contains("done:"), "{}", cockpit.screen());
    preview(&mut cockpit);
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    assert_eq!(Facts::of(cockpit.home()), undone.after_change());
    assert_sound(cockpit.home());
}

// --------------------------------------------------------------------------------- any instant

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// One home, one incident: the change and its undo in turns, each killed somewhere after enter.
#[test]
fn killed_at_any_instant_it_is_before_or_after_and_never_twice() {
    const RUNS: usize = 12;
    let mut dice = Dice(7);
    let mut cockpit = demo(Home::new());
    let first = Facts::of(cockpit.home());
    let mut facts = first.clone();
    to_change(&mut cockpit);
    let (mut did, mut did_not) = (0, 0);
    for run in 0..RUNS {
        let is_done = facts.assignments != first.assignments;
        let next = if is_done { facts.after_undo(&first) } else { facts.after_change() };
        if is_done {
            preview_undo(&mut cockpit);
            confirm(&mut cockpit, UNDO_CONFIRMATION);
        } else {
            preview(&mut cockpit);
            confirm(&mut cockpit, CONFIRMATION);
        }
        // The one sleep there is: the instant is the point.
        thread::sleep(Duration::from_millis(dice.below(400)));
        cockpit.signal(Signal::KILL);
        assert_eq!(cockpit.wait_exit(), KILLED);
        let home = cockpit.into_home();
        let found = Facts::of_copy(&home);
        let committed = found == next;
        assert!(committed || found == facts, "run {run}: neither before nor after\n{found:?}");
        let written = journal(&home);
        let heard = written.iter().rposition(|kind| kind == "ended")
            > written.iter().rposition(|kind| kind == "execution-started");
        let begun = written.iter().rposition(|kind| kind == "execution-started")
            > written.iter().rposition(|kind| kind == "previewed");
        facts = found;
        let said = match (begun && !heard, committed) {
            (false, _) => None,
            (true, true) => Some(DID),
            (true, false) => Some(DID_NOT),
        };
        *(if committed { &mut did } else { &mut did_not }) += 1;
        cockpit = taken_up(home, &facts, said);
        let word = if facts.assignments == first.assignments {
            "enter preview"
        } else {
            "enter next step"
        };
        cockpit.wait_for(word);
    }
    // Both must have been seen, or the instants are not where they should be.
    assert!(did > 0 && did_not > 0, "{did} committed, {did_not} did not");
}
