//! A change of very many rows in chunks, where the operator enters: it is paused, continued, stopped,
//! taken back; and the program dies at its records and goes on with exactly the rest.

// The fault points are not in release builds.
#![cfg(debug_assertions)]

mod common;

use std::time::{Duration, Instant};

use common::walk::{
    assert_sound, confirm, database, demo_with, leave, resume, runbook_in_chunks, to_change,
};
use common::{Cockpit, Ended, Home, Signal, Sqlite};
use steadyhand::value::thousands;

const KILLED: Ended = Ended::Signal(9);
const DID: &str = "did commit";
const DID_NOT: &str = "did not commit";
const ALL: &str = "It did commit, to the last of its 1000 keys";

/// Raises every parcel by one: it finds a row that it has raised again, so twice would be seen.
const CHANGE: &str = r#"[[step.statement]]
note = "Weigh the parcels anew"
any  = "UPDATE parcels SET weight = weight + 1 WHERE id IN (:chunk) AND state = 'packed'"
[step.chunks]
key  = "id"
size = 100
most = 100
[step.chunks.keys]
any = "SELECT id FROM parcels WHERE state = 'packed' ORDER BY id"
"#;

/// At the change, with so many parcels.
fn at_the_change(home: Home, parcels: u64) -> (Cockpit, Sqlite) {
    home.write("books/asset-double-assignment.toml", &runbook_in_chunks(CHANGE));
    let mut cockpit = demo_with(home, &["--runbooks", "books"]);
    let mut erp = Sqlite::open(&database(cockpit.home()));
    erp.run(&format!(
        "CREATE TABLE parcels (id INTEGER PRIMARY KEY, state TEXT NOT NULL, weight INTEGER NOT NULL); \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {parcels}) \
         INSERT INTO parcels SELECT i, 'packed', 0 FROM n"
    ));
    to_change(&mut cockpit);
    (cockpit, erp)
}

/// The least, the most and all weights.
fn weights(erp: &mut Sqlite) -> String {
    erp.scalar("SELECT MIN(weight) || ' ' || MAX(weight) || ' ' || SUM(weight) FROM parcels")
}

fn preview(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    cockpit.wait_for("enter confirm");
}

/// Waits until some chunk is committed: before the first there is nothing to go on with.
fn first_commit(cockpit: &mut Cockpit, erp: &mut Sqlite, sum: i64) {
    let start = Instant::now();
    while erp.count("SELECT SUM(weight) FROM parcels") == sum {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", cockpit.screen());
        cockpit.breathe();
    }
}

const PARCELS: u64 = 1_000;

/// Dies at a record; gives how many chunks the database then has.
fn killed_at(at: &str) -> (Home, i64) {
    let (mut cockpit, erp) = at_the_change(Home::new().with("STEADYHAND_KILL", at), PARCELS);
    drop(erp);
    preview(&mut cockpit);
    cockpit.wait_for("1,000 keys exactly");
    confirm(&mut cockpit, "erp-demo 1000");
    assert_eq!(cockpit.wait_exit(), KILLED);
    let home = cockpit.into_home().with("STEADYHAND_KILL", "");
    let mut erp = Sqlite::open(&database(&home));
    let raised = erp.count("SELECT SUM(weight) FROM parcels");
    assert_eq!(raised % 100, 0, "a chunk is whole or not at all");
    (home, raised / 100)
}

/// Takes it up where it was cut off and goes on.
fn goes_on(at: &str, said: &str, chunks: i64) {
    let (home, found) = killed_at(at);
    assert_eq!(found, chunks, "{at}");
    let mut cockpit = resume(home);
    cockpit.wait_for(said);
    if chunks == 10 {
        cockpit.keys("enter");
        cockpit.wait_gone(said);
        cockpit.wait_for("COMMITTED: 1,000 rows");
    } else {
        let left = 1_000 - chunks * 100;
        if chunks > 0 {
            cockpit.wait_for(&format!("{} of 1,000 keys are done", chunks * 100));
        }
        cockpit.keys("enter");
        cockpit.wait_gone(said);
        cockpit.wait_for("enter preview");
        preview(&mut cockpit);
        confirm(&mut cockpit, &format!("erp-demo {left}"));
        cockpit.wait_for("COMMITTED   1,000 rows");
    }
    leave(&mut cockpit);
    let mut erp = Sqlite::open(&database(cockpit.home()));
    assert_eq!(weights(&mut erp), "1 1 1000", "{at}: every row once");
    assert_sound(cockpit.home());
}

#[test]
fn killed_before_the_first_commit_nothing_was_changed() {
    goes_on("after:chunk-sent:1", DID_NOT, 0);
}

#[test]
fn killed_after_the_first_commit_the_rest_is_gone_on_with() {
    goes_on("before:chunk-ended:1", DID, 1);
}

#[test]
fn killed_before_a_commit_in_the_middle_the_rest_is_gone_on_with() {
    goes_on("after:chunk-sent:4", DID_NOT, 3);
}

#[test]
fn killed_after_a_commit_in_the_middle_the_rest_is_gone_on_with() {
    goes_on("before:chunk-ended:4", DID, 4);
}

#[test]
fn killed_between_two_chunks_the_rest_is_gone_on_with() {
    goes_on("after:chunk-ended:4", DID_NOT, 4);
}

/// Whoever goes on reads the card before anything else.
#[test]
fn what_is_committed_of_a_change_that_did_not_end_is_on_the_handover_card() {
    let begun = "change of close-later: begun and not ended, ";
    for (at, said) in [
        ("after:execution-started", "change of close-later: begun and not ended\n"),
        ("after:chunk-ended:4", "400 rows COMMITTED in 4 chunks, 400 of 1,000 keys done\n"),
        (
            "before:chunk-ended:4",
            "300 rows COMMITTED in 3 chunks, 300 of 1,000 keys done; of one more",
        ),
    ] {
        let (home, _) = killed_at(at);
        let card = handover(&home);
        assert!(card.contains(said) && card.contains(begun.trim_end_matches(", ")), "{at}: {card}");
        assert!(!card.contains("nothing was changed"), "{at}: {card}");
    }
}

fn handover(home: &Home) -> String {
    let ran = home.steadyhand(&["handover"]).assert().code(0);
    String::from_utf8_lossy(&ran.get_output().stdout).into_owned()
}

#[test]
fn killed_after_the_last_commit_nothing_is_left() {
    goes_on("before:chunk-ended:10", ALL, 10);
}

#[test]
fn killed_before_the_end_was_written_nothing_is_left() {
    goes_on("before:ended", &format!("{ALL}: the journal has the end of every chunk"), 10);
}

#[test]
fn it_is_paused_continued_stopped_gone_on_with_and_taken_back() {
    let (mut cockpit, mut erp) = at_the_change(Home::new(), 5_000);
    preview(&mut cockpit);
    cockpit.wait_for("5,000 keys exactly, in about");
    cockpit.wait_for("Not run: the other 4,900.");
    confirm(&mut cockpit, "erp-demo 5000");
    cockpit.wait_for("space pause");
    first_commit(&mut cockpit, &mut erp, 0);
    cockpit.keys("space");
    cockpit.wait_for("PAUSED: by the operator");
    let done = erp.count("SELECT SUM(weight) FROM parcels");
    // Nobody is held up meanwhile.
    erp.run("UPDATE parcels SET state = 'lost' WHERE id = 5000");
    assert_eq!(erp.count("SELECT SUM(weight) FROM parcels"), done);
    cockpit.keys("c");
    cockpit.wait_gone("PAUSED");
    cockpit.keys("X");
    cockpit.wait_for("HALTED at");
    cockpit.wait_for("stopped by the operator");
    let done = erp.count("SELECT SUM(weight) FROM parcels");
    assert!(done > 0 && done < 5_000 && done % 100 == 0, "{done}");
    assert_eq!(erp.count("SELECT MAX(weight) FROM parcels"), 1);
    let written = format!("{done} rows written by");
    for format in ["markdown", "html"] {
        let page = postmortem(cockpit.home(), format);
        for said in [
            &format!("{written} the chunks that were committed"),
            &format!("{written} everything that was committed"),
            "an unknown number of them by triggers and cascades",
            "Rows of the chunk that was previewed",
        ] {
            assert!(page.contains(said) && !page.contains("none written"), "{said}: {page}");
        }
    }

    let on_the_card = format!("{} of 5,000 keys done", thousands(done.unsigned_abs()));
    let card = handover(cockpit.home());
    assert!(
        card.contains("halted, stopped by the operator, ") && card.contains(&on_the_card),
        "{card}"
    );

    cockpit.keys("p");
    cockpit.wait_for("this is exactly the rest of the list");
    cockpit.wait_for("enter confirm");
    let card = handover(cockpit.home());
    assert!(card.contains(": halted, ") && card.contains(&on_the_card), "{card}");
    confirm(&mut cockpit, &format!("erp-demo {}", 5_000 - done));
    cockpit.wait_long_for("COMMITTED   4,999 rows");
    assert_eq!(weights(&mut erp), "0 1 4999");

    cockpit.keys("u");
    cockpit.wait_long_for("enter confirm");
    confirm(&mut cockpit, "erp-demo undo 4999");
    cockpit.wait_long_for("COMMITTED   4,999 rows");
    assert_eq!(weights(&mut erp), "0 0 0");
    cockpit.keys("J");
    cockpit.wait_for("paused before chunk");
    cockpit.wait_for("change HALTED at");
    assert!(!cockpit.screen().contains("COMMIT of chunk"), "{}", cockpit.screen());
    leave(&mut cockpit);
    assert_sound(cockpit.home());
    let page = postmortem(cockpit.home(), "markdown");
    assert!(page.contains("Rows: 4,999 rows written\n"), "{page}");
    assert!(page.contains("Rows of the chunk that was previewed"), "{page}");
}

/// Whoever takes it up is told that it is the undo that goes on.
#[test]
fn an_undo_that_was_killed_between_two_chunks_is_gone_on_with() {
    let (mut cockpit, mut erp) = at_the_change(Home::new(), 5_000);
    preview(&mut cockpit);
    confirm(&mut cockpit, "erp-demo 5000");
    cockpit.wait_long_for("COMMITTED   5,000 rows");
    cockpit.keys("u");
    cockpit.wait_long_for("at most 5,000 rows to be put back, in about");
    cockpit.wait_for("enter confirm");
    confirm(&mut cockpit, "erp-demo undo 5000");
    cockpit.wait_for("space pause");
    first_commit(&mut cockpit, &mut erp, 5_000);
    cockpit.keys("space");
    cockpit.wait_for("PAUSED: by the operator");
    cockpit.signal(Signal::KILL);
    assert_eq!(cockpit.wait_exit(), KILLED);
    let left = erp.count("SELECT SUM(weight) FROM parcels").unsigned_abs();
    assert!(left > 0 && left < 5_000, "{left}");
    let mut cockpit = resume(cockpit.into_home());
    let done = thousands(5_000 - left);
    let told = format!("Of the undo {done} of 5,000 rows are done: u goes on with it");
    cockpit.wait_for(&told);
    cockpit.keys("enter");
    cockpit.wait_gone(&told);
    cockpit.wait_for(&format!("UNDO HALTED at {done} of 5,000 rows; u goes on with it"));
    cockpit.keys("u");
    cockpit.wait_long_for("enter confirm");
    confirm(&mut cockpit, &format!("erp-demo undo {left}"));
    cockpit.wait_long_for("COMMITTED   5,000 rows");
    assert_eq!(weights(&mut erp), "0 0 0");
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}

fn postmortem(home: &Home, format: &str) -> String {
    let ran = home.steadyhand(&["postmortem", "1", "--format", format]).assert().code(0);
    String::from_utf8_lossy(&ran.get_output().stdout).into_owned()
}

#[test]
fn a_hang_up_lets_the_chunk_come_to_its_end_and_leaves() {
    let (mut cockpit, mut erp) = at_the_change(Home::new(), 50_000);
    preview(&mut cockpit);
    confirm(&mut cockpit, "erp-demo 50000");
    cockpit.wait_for("space pause");
    first_commit(&mut cockpit, &mut erp, 0);
    cockpit.signal(Signal::TERM);
    cockpit.wait_exit();
    let done = erp.count("SELECT SUM(weight) FROM parcels");
    assert!(done < 50_000 && done % 100 == 0, "{done}");
    let mut cockpit = resume(cockpit.into_home());
    cockpit.wait_for("HALTED at");
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}
