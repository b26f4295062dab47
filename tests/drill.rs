//! A drill, walked from the call to the score: what the engineer sees, what every record carries, and
//! what the score says; and what a drill never touches.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{COMPACT, Cockpit, Ended, Ground, Home, Size, Sqlite, WIDE};
use steadyhand::dialect::Dialect;

const RUNBOOK: &str = "asset-double-assignment";

fn drill(home: Home, size: Size) -> Cockpit {
    let kept = home.path("drill").to_string_lossy().into_owned();
    Cockpit::start_in(home, &["drill", RUNBOOK, "--keep", &kept], size)
}

/// The watermark stands on the first line of whatever is on the screen now.
fn marked(cockpit: &Cockpit) {
    let screen = cockpit.screen();
    assert!(screen.lines().next().unwrap().starts_with(" DRILL "), "{screen}");
}

/// Waits, and looks for the watermark.
fn see(cockpit: &Cockpit, text: &str) {
    cockpit.wait_for(text);
    marked(cockpit);
}

fn tell_everybody(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    see(cockpit, "it was given: record it");
    see(cockpit, "DRILL. INC-0001");
    for audience in ["technical", "business"] {
        cockpit.keys("enter");
        see(cockpit, &format!("{audience} update recorded as given"));
        cockpit.keys("enter");
        see(cockpit, "it was given: record it");
    }
    cockpit.keys("enter");
    see(cockpit, "executive update recorded as given");
}

fn type_confirmation(cockpit: &mut Cockpit, wrong: Option<&str>) {
    cockpit.keys("enter");
    cockpit.wait_for("  Type   ");
    let screen = cockpit.screen();
    let (_, rest) = screen.split_once("  Type   ").unwrap();
    let phrase = rest.split('│').next().unwrap().trim().to_owned();
    if let Some(wrong) = wrong {
        cockpit.type_text(wrong);
        cockpit.breathe();
        cockpit.keys("enter");
        see(cockpit, "is not it; nothing was executed");
    }
    cockpit.type_text(&phrase);
    cockpit.breathe();
    cockpit.keys("enter");
}

/// From the call to the open incident on the fault.
fn to_the_incident(cockpit: &mut Cockpit) {
    see(cockpit, "you are called");
    see(cockpit, "two people stand here");
    cockpit.keys("esc");
    see(cockpit, "not checked yet");
    assert!(!cockpit.screen().contains("violated"), "nobody was told what is wrong");
    cockpit.keys("c");
    see(cockpit, "Assets with more than one active assignment");
    see(cockpit, "erp-spare     development  ✓");
    cockpit.keys("enter");
    see(cockpit, "Say in the incident channel");
}

fn incident(home: &Home) -> PathBuf {
    home.path("drill/state/incidents/INC-0001")
}

fn walk(size: Size, wrong: Option<&str>) -> Home {
    let mut cockpit = drill(Home::new(), size);
    to_the_incident(&mut cockpit);
    cockpit.keys("enter");
    see(&cockpit, "✗ 12 violations");
    cockpit.keys("enter");
    see(&cockpit, "Do the notes point to an import");
    cockpit.keys("enter");
    see(&cockpit, "enter choose");
    cockpit.keys("down");
    see(&cockpit, "▸ No: it has stopped");
    cockpit.keys("enter");
    see(&cockpit, "why?");
    cockpit.type_text("the count stands still");
    cockpit.keys("enter");
    see(&cockpit, "A first update within 20 minutes");
    tell_everybody(&mut cockpit);
    see(&cockpit, "Ended when it began, it never counted");
    cockpit.keys("enter");
    see(&cockpit, "enter confirm");
    type_confirmation(&mut cockpit, wrong);
    see(&cockpit, "✓ COMMITTED");
    cockpit.keys("enter");
    see(&cockpit, "✓ clear");
    cockpit.keys("enter");
    see(&cockpit, "The database refuses the second one");
    cockpit.keys("enter");
    see(&cockpit, "REHEARSED");
    type_confirmation(&mut cockpit, None);
    see(&cockpit, "the guardrail stands");
    cockpit.keys("enter");
    see(&cockpit, "The stock desk is waiting");
    tell_everybody(&mut cockpit);
    see(&cockpit, "Resume the import with its owner");
    cockpit.keys("enter");
    see(&cockpit, "Close the incident?");
    cockpit.keys("enter");
    see(&cockpit, "DRILL: your score");
    let grade = if wrong.is_none() { "100 of 100, ready" } else { "95 of 100, ready" };
    see(&cockpit, grade);
    cockpit.keys("esc");
    cockpit.wait_gone("your score");
    see(&cockpit, "closed after");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));
    let said = String::from_utf8_lossy(&cockpit.raw_output()).into_owned();
    assert!(said.contains(&format!("DRILL {RUNBOOK}: {grade}")), "{said}");
    cockpit.into_home()
}

#[test]
fn a_whole_drill_is_scored_and_every_record_says_what_it_is_at_80x24() {
    let home = walk(COMPACT, None);
    let journal = fs::read_to_string(incident(&home).join("journal.jsonl")).unwrap();
    assert!(journal.lines().count() > 20);
    for line in journal.lines() {
        assert!(line.contains(",\"drill\":true,\"entry\":"), "{line}");
    }
    assert!(journal.contains("\"kind\":\"scored\",\"score\":100,\"grade\":\"ready\""));
    let postmortem = fs::read_to_string(incident(&home).join("postmortem.md")).unwrap();
    assert!(postmortem.contains("**DRILL: a fault was injected on purpose"), "{postmortem}");
    let state = home.path("drill/state").to_string_lossy().into_owned();
    home.steadyhand(&["--state", &state, "verify", "INC-0001"]).assert().code(0);
    // The watermark is sealed like the rest.
    let forged = journal.replacen(",\"drill\":true", "", 1);
    fs::write(incident(&home).join("journal.jsonl"), forged).unwrap();
    home.steadyhand(&["--state", &state, "verify", "INC-0001"]).assert().code(2);
    // Where the engineer's own incidents are, only the score is.
    let remembered = fs::read_to_string(home.path("state/steadyhand/drills.jsonl")).unwrap();
    assert!(remembered.contains("\"score\":100") && remembered.lines().count() == 1);
    assert!(!home.path("state/steadyhand/incidents").exists());
}

#[test]
fn naming_another_database_costs_points_at_120x40() {
    let home = walk(WIDE, Some("erp-spare 26"));
    let journal = fs::read_to_string(incident(&home).join("journal.jsonl")).unwrap();
    assert!(journal.contains("\"kind\":\"mistyped\""), "{journal}");
    // What was typed by mistake may be anything, and is not kept.
    assert!(!journal.contains("erp-spare 26"));
}

#[test]
fn a_drill_that_is_broken_off_is_scored_too_and_goes_without_a_trace() {
    let mut cockpit = Cockpit::start(&["drill", RUNBOOK], COMPACT);
    to_the_incident(&mut cockpit);
    cockpit.keys("q");
    see(&cockpit, "The drill ends here and is scored");
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));
    let said = String::from_utf8_lossy(&cockpit.raw_output()).into_owned();
    for line in [
        "not-ready",
        "first-check      10 of 10  looked at the data",
        "closed            0 of 5   left open",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn another_incident_and_another_database_are_not_what_is_wrong() {
    let mut cockpit = drill(Home::new(), WIDE);
    see(&cockpit, "you are called");
    cockpit.keys("esc");
    see(&cockpit, "not checked yet");
    // The runbook of something else, on the healthy database.
    cockpit.keys("/");
    cockpit.wait_for("Find");
    cockpit.type_text("impossible hours");
    cockpit.keys("enter");
    cockpit.wait_for("found for");
    cockpit.keys("enter");
    see(&cockpit, "On which target?");
    cockpit.keys("down enter");
    see(&cockpit, "erp-spare");
    cockpit.wait_for("milestone: detected");
    cockpit.keys("q");
    see(&cockpit, "Leave?");
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));
    let said = String::from_utf8_lossy(&cockpit.raw_output()).into_owned();
    for line in [
        "diagnosis         0 of 15  no incident was opened on what was wrong",
        "right-target      5 of 10  another database was named once",
        "cured             0 of 15",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn a_drill_begins_in_a_folder_without_anything_in_it() {
    let home = Home::new();
    let database = home.write("mine/erp.db", "");
    Sqlite::create(&database).run("CREATE TABLE precious (id INTEGER PRIMARY KEY)");
    let before = fs::read(&database).unwrap();
    let output = home.steadyhand(&["drill", RUNBOOK, "--keep", "mine"]).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("mine is not empty; a drill begins in a folder of its own"), "{said}");
    assert_eq!(fs::read(&database).unwrap(), before);
    assert_eq!(home.files("work/mine").len(), 1);
    let output = home.steadyhand(&["drill", "asset-duoble-assignment"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean \"asset-double-assignment\"?"), "{said}");
}

/// A drill's folder whose configuration was bent towards another database.
#[test]
fn no_drill_is_walked_on_a_database_that_is_not_marked() {
    let mut cockpit = drill(Home::new(), COMPACT);
    see(&cockpit, "you are called");
    cockpit.keys("esc");
    see(&cockpit, "not checked yet");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));
    let home = cockpit.into_home();
    let database = home.path("drill/erp.db");
    Sqlite::open(&database).run("DROP TABLE steadyhand_scratch");
    let state = home.path("drill/state").to_string_lossy().into_owned();
    let target = database.to_string_lossy().into_owned();
    let args = ["--state", &state, "open", RUNBOOK, "--target", &target];
    let cockpit = Cockpit::start_in(home, &args, COMPACT);
    cockpit.wait_for("is not marked as a demo or scratch; no drill touches it");
}

/// On a server a drill has a schema of its own, and takes no other.
fn on_a_server(dialect: Dialect) {
    let ground = Ground::new(dialect);
    let arguments = ground.arguments();
    let mut args = vec!["drill", RUNBOOK];
    args.extend(arguments.iter().map(String::as_str));
    let mut cockpit = Cockpit::start(&args, COMPACT);
    see(&cockpit, "two people stand here");
    cockpit.keys("esc");
    see(&cockpit, "not checked yet");
    cockpit.keys("c");
    see(&cockpit, "Assets with more than one active assignment");
    cockpit.keys("enter");
    see(&cockpit, "Say in the incident channel");

    // What is there belongs to the first drill: a second one touches nothing of it.
    let rows = "SELECT COUNT(*) FROM asset_assignments";
    let mut look = ground.look(&cockpit.home().work());
    let before = look.count(rows);
    let mut second = Cockpit::start(&args, COMPACT);
    see(&second, "the demo could not be made on the");
    second.keys("enter");
    second.wait_gone("the demo could not be made on the");
    second.keys("q");
    assert_eq!(second.wait_exit(), Ended::Code(0));
    assert_eq!(look.count(rows), before);

    cockpit.keys("q");
    see(&cockpit, "The drill ends here and is scored");
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));
    assert!(look.try_run("DELETE FROM asset_assignments").is_err(), "it is gone");
}

#[test]
fn a_drill_on_postgresql_leaves_nothing() {
    on_a_server(Dialect::Postgres);
}

#[test]
fn a_drill_on_mariadb_leaves_nothing() {
    on_a_server(Dialect::Mariadb);
}
