//! What people do with the cockpit, from the first key to the last, on the demo's database: keys in,
//! and then not only the screen but the database, the journal and the exit code.

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::pty::OWN;
use common::{COMPACT, Cockpit, Ended, Ground, Home, Signal, Size, Sqlite, WIDE, walk};
use steadyhand::dialect::Dialect;

/// Assets with more than one open assignment: the check of most journeys here.
const DOUBLE: &str = "SELECT COUNT(*) FROM (SELECT asset_id FROM asset_assignments \
    WHERE return_date IS NULL GROUP BY asset_id HAVING COUNT(*) > 1) d";

/// The cockpit on a demo that is kept in the folder `demo` of its home.
fn demo(home: Home, size: Size, more: &[&str]) -> Cockpit {
    let kept = home.path("demo").to_string_lossy().into_owned();
    Cockpit::start_in(home, &[&["demo", "--keep", &kept], more].concat(), size)
}

fn database(home: &Home) -> Sqlite {
    Sqlite::open(&home.path("demo/erp.db"))
}

fn incident(home: &Home) -> PathBuf {
    home.path("demo/state/incidents/INC-0001")
}

fn journal(home: &Home) -> String {
    fs::read_to_string(incident(home).join("journal.jsonl")).expect("the incident has a journal")
}

/// How many records of this kind are in the journal.
fn recorded(home: &Home, kind: &str) -> usize {
    journal(home).matches(&format!("\"kind\":\"{kind}\"")).count()
}

/// From the start to the change of the runbook `asset-double-assignment`.
fn to_the_change(home: Home, size: Size) -> Cockpit {
    to_the_change_on(&Ground::Folder, home, size)
}

fn to_the_change_on(ground: &Ground, home: Home, size: Size) -> Cockpit {
    let arguments = ground.arguments();
    let mut more = vec!["--incident", "asset-double-assignment"];
    more.extend(arguments.iter().map(String::as_str));
    let mut cockpit = demo(home, size, &more);
    cockpit.wait_for("Say in the incident channel");
    cockpit.keys("enter");
    cockpit.wait_for("✗ 12 violations");
    cockpit.keys("enter");
    cockpit.wait_for("Do the notes point to an import");
    cockpit.keys("enter");
    cockpit.wait_for("enter choose");
    cockpit.keys("down");
    cockpit.wait_for("▸ No: it has stopped");
    cockpit.keys("enter");
    cockpit.wait_for("why?");
    cockpit.type_text("the count stands still");
    cockpit.keys("enter");
    cockpit.wait_for("A first update within 20 minutes");
    tell_everybody(&mut cockpit);
    cockpit.wait_for("Ended when it began, it never counted");
    cockpit
}

/// Gives the three updates of a communication step.
fn tell_everybody(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    cockpit.wait_for("it was given: record it");
    for audience in ["technical", "business"] {
        cockpit.keys("enter");
        cockpit.wait_for(&format!("{audience} update recorded as given"));
        cockpit.keys("enter");
        cockpit.wait_for("it was given: record it");
    }
    cockpit.keys("enter");
    cockpit.wait_for("executive update recorded as given");
}

fn preview(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    cockpit.wait_for("PREVIEW");
    cockpit.wait_for("enter confirm");
}

/// Types what the box on the screen asks for, and enter.
fn confirm(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    let phrase = asked_for(cockpit);
    cockpit.type_text(&phrase);
    cockpit.breathe();
    cockpit.keys("enter");
}

/// The words that the box with the typed confirmation wants.
fn asked_for(cockpit: &Cockpit) -> String {
    cockpit.wait_for("  Type   ");
    let screen = cockpit.screen();
    let (_, rest) = screen.split_once("  Type   ").expect("the box was waited for");
    rest.split('│').next().expect("a split has a first part").trim().to_owned()
}

/// Leaves with an incident open.
fn leave(cockpit: &mut Cockpit) {
    cockpit.keys("q");
    cockpit.wait_for("Leave?");
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));
    assert!(cockpit.is_restored(), "{}", cockpit.screen());
}

#[test]
fn an_incident_from_the_first_look_to_the_postmortem_at_80x24() {
    from_the_first_look_to_the_postmortem(Dialect::Sqlite, COMPACT);
}

#[test]
fn an_incident_from_the_first_look_to_the_postmortem_at_120x40() {
    from_the_first_look_to_the_postmortem(Dialect::Sqlite, WIDE);
}

#[test]
fn the_same_incident_on_postgresql() {
    from_the_first_look_to_the_postmortem(Dialect::Postgres, COMPACT);
}

#[test]
fn the_same_incident_on_mariadb() {
    from_the_first_look_to_the_postmortem(Dialect::Mariadb, WIDE);
}

/// How many indexes and constraints of the guardrail's name there are.
fn guardrails(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE name = 'ux_asset_active'",
        Dialect::Postgres => "SELECT COUNT(*) FROM pg_indexes WHERE indexname = 'ux_asset_active'",
        _ => {
            "SELECT COUNT(DISTINCT index_name) FROM information_schema.statistics \
             WHERE index_name = 'ux_asset_active'"
        }
    }
}

fn from_the_first_look_to_the_postmortem(dialect: Dialect, size: Size) {
    let ground = Ground::new(dialect);
    let mut cockpit = to_the_change_on(&ground, Home::new(), size);
    let mut erp = ground.look(&cockpit.home().path("demo"));
    let history = erp.count("SELECT COUNT(*) FROM asset_assignments");
    assert_eq!(erp.count(DOUBLE), 12);

    // By reads alone: nothing holds a lock that this writer would wait for.
    cockpit.keys("f");
    cockpit.wait_for("FIRST LOOK");
    cockpit.wait_for("13 rows");
    cockpit.wait_for("return_date NULL → 2026-11-17 07:15:00");
    preview(&mut cockpit);
    assert_eq!(erp.count(DOUBLE), 12, "a preview leaves everything as it was");
    confirm(&mut cockpit);
    cockpit.wait_for("✓ COMMITTED");
    cockpit.wait_for("asset-double-assignment: clear");
    assert_eq!(erp.count(DOUBLE), 0);
    assert_eq!(erp.count("SELECT COUNT(*) FROM asset_assignments"), history);

    cockpit.keys("enter");
    cockpit.wait_for("✓ clear");
    cockpit.keys("enter");
    cockpit.wait_for("The database refuses the second one");
    cockpit.keys("enter");
    cockpit.wait_for("REHEARSED");
    let index = guardrails(dialect);
    assert_eq!(erp.count(index), 0, "a rehearsal leaves nothing behind");
    confirm(&mut cockpit);
    cockpit.wait_for("the guardrail stands");
    assert_eq!(erp.count(index), 1);
    let second = "INSERT INTO asset_assignments (asset_id, employee_id, assigned_at) \
        SELECT asset_id, employee_id, assigned_at FROM asset_assignments \
        WHERE return_date IS NULL LIMIT 1";
    assert!(erp.try_run(second).is_err(), "the guardrail keeps the fault out");

    cockpit.keys("enter");
    cockpit.wait_for("The stock desk is waiting");
    tell_everybody(&mut cockpit);
    cockpit.wait_for("Resume the import with its owner");
    cockpit.keys("enter");
    cockpit.wait_for("Close the incident?");
    cockpit.keys("enter");
    cockpit.wait_for("Postmortem");
    cockpit.wait_for("closed after");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));
    assert!(cockpit.is_restored());

    let home = cockpit.into_home();
    assert_eq!(recorded(&home, "closed"), 1);
    let postmortem = fs::read_to_string(incident(&home).join("postmortem.md")).expect("written");
    assert!(postmortem.contains("12 violations when first checked"), "{postmortem}");
    // What was executed, and what refuses rows from now on.
    for sent in ["UPDATE asset_assignments", " UNIQUE "] {
        assert!(postmortem.contains(sent), "{sent}: {postmortem}");
    }
    let state = home.path("demo/state").to_string_lossy().into_owned();
    home.steadyhand(&["--state", &state, "verify", "INC-0001"]).assert().code(0);
    altered(&home, &state);
}

/// The same journal with one word changed is found out.
fn altered(home: &Home, state: &str) {
    let path = incident(home).join("journal.jsonl");
    let forged = journal(home).replace("the count stands still", "the count stood still.");
    assert_ne!(forged, journal(home));
    fs::write(path, forged).expect("the journal is ours to forge");
    home.steadyhand(&["--state", state, "verify", "INC-0001"]).assert().code(2);
}

#[test]
fn a_change_is_taken_back_by_its_undo() {
    let mut cockpit = to_the_change(Home::new(), WIDE);
    let mut erp = database(cockpit.home());
    let rows = "SELECT * FROM asset_assignments ORDER BY id";
    let before = erp.rows(rows);
    preview(&mut cockpit);
    confirm(&mut cockpit);
    cockpit.wait_for("✓ COMMITTED");
    let touched = "SELECT MIN(id) FROM asset_assignments WHERE return_date = assigned_at";
    let touched = erp.scalar(touched);
    // A colleague corrects one of the changed rows meanwhile: theirs stays.
    erp.run(&format!(
        "UPDATE asset_assignments SET return_date = '2026-11-20' WHERE id = {touched}"
    ));

    cockpit.keys("u");
    cockpit.wait_for("PREVIEW");
    cockpit.wait_for("left alone, changed since");
    confirm(&mut cockpit);
    cockpit.wait_for("✓ COMMITTED");
    let after = erp.rows(rows);
    let differ: Vec<_> =
        before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert_eq!(differ.len(), 1, "{differ:?}");
    assert_eq!(differ[0].1[0], touched);
}

#[test]
fn a_row_that_moved_since_the_preview_stops_everything() {
    let mut cockpit = to_the_change(Home::new(), WIDE);
    let mut erp = database(cockpit.home());
    preview(&mut cockpit);
    let moved = "SELECT MAX(id) FROM asset_assignments WHERE return_date IS NULL";
    let moved = erp.scalar(moved);
    erp.run(&format!("UPDATE asset_assignments SET note = 'moved' WHERE id = {moved}"));
    let before = erp.rows("SELECT * FROM asset_assignments ORDER BY id");
    confirm(&mut cockpit);
    cockpit.wait_for("ROLLED BACK");
    cockpit.wait_for("nothing was changed");
    assert_eq!(erp.rows("SELECT * FROM asset_assignments ORDER BY id"), before);
    assert!(!journal(cockpit.home()).contains("\"committed\""));
}

#[test]
fn wrong_words_and_pasted_words_execute_nothing() {
    let mut cockpit = to_the_change(Home::new(), COMPACT);
    let mut erp = database(cockpit.home());
    preview(&mut cockpit);
    cockpit.keys("enter");
    let phrase = asked_for(&cockpit);
    cockpit.type_text("yes");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_for("'yes' is not it; nothing was executed");
    cockpit.keys("esc");
    cockpit.wait_gone("  Type   ");

    // In brackets, with a line end: it is text and stays text.
    cockpit.keys("enter");
    cockpit.wait_for("  Type   ");
    cockpit.paste(&format!("{phrase}\r"));
    cockpit.wait_for(&format!("> {phrase}"));
    cockpit.keys("esc");
    cockpit.wait_gone("  Type   ");

    // As single keys, as a terminal without brackets sends it.
    cockpit.keys("enter");
    cockpit.wait_for("  Type   ");
    cockpit.send(format!("{phrase}\r").as_bytes());
    cockpit.wait_for(&format!("> {phrase}"));
    cockpit.keys("esc");
    cockpit.wait_gone("  Type   ");
    assert_eq!(erp.count(DOUBLE), 12);
    assert_eq!(recorded(cockpit.home(), "approved"), 0);
}

#[test]
fn an_incident_goes_on_where_the_program_was_killed() {
    let cockpit = to_the_change(Home::new(), WIDE);
    cockpit.signal(Signal::KILL);
    assert_eq!(cockpit.wait_exit(), Ended::Signal(9));
    let home = cockpit.into_home();
    let known = journal(&home);

    let mut cockpit = demo(home, WIDE, &[]);
    cockpit.wait_for("Open incidents");
    cockpit.wait_for("INC-0001");
    cockpit.keys("home enter");
    cockpit.wait_for("Ended when it began, it never counted");
    assert!(journal(cockpit.home()).starts_with(&known), "what was written stays");
    preview(&mut cockpit);
    confirm(&mut cockpit);
    cockpit.wait_for("✓ COMMITTED");
    assert_eq!(database(cockpit.home()).count(DOUBLE), 0);
}

#[test]
fn text_from_the_database_is_shown_and_not_obeyed() {
    let mut cockpit = demo(Home::new(), WIDE, &["--incident", "asset-double-assignment"]);
    cockpit.wait_for("Say in the incident channel");
    let mut erp = database(cockpit.home());
    let hostile = "x'1b5d303b6f776e65641b5c1b5b324a1b5b33316d1b63c29b33316d'";
    erp.run(&format!(
        "UPDATE employees SET full_name = 'Eve ' || CAST({hostile} AS TEXT) || ' Moore'"
    ));
    cockpit.keys("enter");
    cockpit.wait_for("✗ 12 violations");
    cockpit.wait_for("Eve ");
    cockpit.keys("v");
    cockpit.wait_for("1-12 of 12");
    cockpit.keys("o");
    cockpit.wait_for("esc close");
    cockpit.keys("esc");
    cockpit.wait_gone("esc close");
    cockpit.keys("esc");
    cockpit.wait_for("Look at `since`");
    leave(&mut cockpit);
    let allowed = OWN.map(str::to_owned).into();
    let sent = cockpit.escapes();
    assert!(sent.is_subset(&allowed), "{:?}", sent.difference(&allowed).collect::<Vec<_>>());
    assert!(!cockpit.raw_output().windows(5).any(|bytes| bytes == b"owned\x1b"));
}

#[test]
fn two_enters_open_one_incident() {
    let mut cockpit = demo(Home::new(), WIDE, &[]);
    cockpit.wait_for("What is wrong");
    cockpit.wait_for("enter open");
    cockpit.send(b"\r\r");
    cockpit.wait_for("INC-0001");
    leave(&mut cockpit);
    let incidents = fs::read_dir(cockpit.home().path("demo/state/incidents"));
    assert_eq!(incidents.expect("there is one").count(), 1);
}

#[test]
fn the_terminal_is_given_back_whatever_ends_the_program() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let cockpit = demo(Home::new(), WIDE, &["--incident", "asset-double-assignment"]);
        cockpit.wait_for("Say in the incident channel");
        cockpit.signal(signal);
        let ended = cockpit.wait_exit();
        assert!(matches!(ended, Ended::Code(0 | 130)), "{signal:?}: {ended:?}");
        assert!(cockpit.is_restored(), "{signal:?}: {}", cockpit.screen());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_cockpit_without_a_terminal_ends() {
    let mut cockpit = to_the_change(Home::new(), WIDE);
    preview(&mut cockpit);
    cockpit.hang_up();
    cockpit.wait_death();
    let home = cockpit.into_home();
    assert_eq!(database(&home).count(DOUBLE), 12);
    let state = home.path("demo/state").to_string_lossy().into_owned();
    home.steadyhand(&["--state", &state, "verify", "INC-0001"]).assert().code(0);
}

#[test]
fn no_size_is_too_small_to_come_back_from() {
    let mut cockpit = demo(Home::new(), COMPACT, &["--incident", "asset-double-assignment"]);
    cockpit.wait_for("Say in the incident channel");
    for size in [(20, 5), (1, 1), (200, 3), (3, 60), (300, 80)] {
        let before = cockpit.bytes();
        cockpit.resize(size);
        cockpit.wait_answer(before);
    }
    cockpit.resize(COMPACT);
    cockpit.wait_for("Say in the incident channel");
    cockpit.wait_for("enter done, go on");
    leave(&mut cockpit);
}

#[test]
fn a_demo_that_is_not_kept_leaves_nothing() {
    let mut cockpit = Cockpit::start(&["demo"], COMPACT);
    cockpit.wait_for("What is wrong");
    assert!(
        !cockpit.home().files("tmp").is_empty(),
        "the demo lives in the folder for temporary files"
    );
    cockpit.keys("q");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));
    for folder in ["home", "config", "state", "data", "cache", "tmp", "work"] {
        assert_eq!(cockpit.home().files(folder), Vec::<PathBuf>::new(), "{folder}");
    }
}

#[test]
fn every_key_is_answered_when_it_comes() {
    let mut cockpit = demo(Home::new(), WIDE, &[]);
    cockpit.wait_for("What is wrong");
    let mut waits: Vec<Duration> = (0..20)
        .map(|number| {
            let (before, pressed) = (cockpit.bytes(), Instant::now());
            cockpit.keys(if number % 2 == 0 { "down" } else { "up" });
            cockpit.wait_answer(before).first - pressed
        })
        .collect();
    waits.sort_unstable();
    // A key that lies until the next second of the clock would make this some hundred milliseconds;
    // the worst of twenty is left out for machines that have other things to do.
    assert!(waits[15] < Duration::from_millis(250), "{waits:?}");
}

/// What was not seen does not come back, and nobody is to believe that it did.
#[test]
fn an_undo_that_cannot_be_whole_is_not_said_to_be() {
    let mut cockpit = walk::demo_with_runbook(|book| {
        let raise = "[[step.statement]]\nnote = \"Raise\"\nany = \"UPDATE rates SET v = v + 1\"\n";
        book.replace("[step.limits]\n", &format!("{raise}[step.limits]\n"))
    });
    Sqlite::open(&walk::database(cockpit.home())).run(
        "CREATE TABLE rates (k TEXT PRIMARY KEY, v INTEGER); \
         INSERT INTO rates VALUES (NULL, 1), (NULL, 2), ('a', 3)",
    );
    walk::preview(&mut cockpit);
    cockpit.wait_for("no undo: rates: 1 keys of rows");
    walk::confirm(&mut cockpit, "erp-demo 29 no undo");
    cockpit.wait_for("COMMITTED");
    cockpit.wait_for("There is no undo of all of it: rates: 1 keys of rows");
    cockpit.keys("u");
    cockpit.wait_for("enter confirm the undo");
    cockpit.wait_for(
        "what the change wrote could not all be seen, and what was not seen does not come back",
    );
    walk::confirm(&mut cockpit, "erp-demo undo 28 no undo");
    cockpit.wait_for("COMMITTED");
    cockpit.wait_for("what the change wrote could not all be seen: rates: 1 keys");
    assert!(!cockpit.screen().contains("it is undone"), "{}", cockpit.screen());
}

/// All was seen; what the database refuses is another matter.
#[test]
fn an_undo_that_was_tried_in_vain_says_what_the_database_refused() {
    let mut cockpit = walk::demo_with_runbook(|book| {
        let raise = "[[step.statement]]\nnote = \"Raise\"\nany = \"UPDATE rates SET v = v + 1\"\n";
        book.replace("[step.limits]\n", &format!("{raise}[step.limits]\n"))
    });
    let mut database = Sqlite::open(&walk::database(cockpit.home()));
    database.run("CREATE TABLE rates (k TEXT PRIMARY KEY NOT NULL, v INTEGER)");
    database.run("INSERT INTO rates VALUES ('a', 1)");
    database.run(
        "CREATE TRIGGER up BEFORE UPDATE ON rates WHEN NEW.v < OLD.v \
         BEGIN SELECT RAISE(ABORT, 'only upwards'); END",
    );
    walk::preview(&mut cockpit);
    cockpit.wait_for("no undo: tried, and the database refused: only upwards");
    walk::confirm(&mut cockpit, "erp-demo 27 no undo");
    cockpit.wait_for("There is no undo of all of it");
    cockpit.keys("u");
    cockpit.wait_for("enter confirm the undo");
    let tried = "when the change was made, its undo was tried, and the database refused: only";
    cockpit.wait_for(tried);
    walk::confirm(&mut cockpit, "erp-demo undo 26");
    cockpit.wait_for("COMMITTED");
    cockpit.wait_for(tried);
    assert!(!cockpit.screen().contains("could not all be seen"), "{}", cockpit.screen());
}

/// What was in the way of some rows may be put right, and then they come back too.
#[test]
fn an_undo_that_left_rows_alone_can_be_tried_again() {
    let mut cockpit = walk::demo_with_runbook(|book| {
        let raise = "[[step.statement]]\nnote = \"Raise\"\nany = \"UPDATE rates SET v = v + 1\"\n";
        book.replace("[step.limits]\n", &format!("{raise}[step.limits]\n"))
    });
    let mut database = Sqlite::open(&walk::database(cockpit.home()));
    database.run("CREATE TABLE rates (k TEXT PRIMARY KEY NOT NULL, v INTEGER)");
    database.run("INSERT INTO rates VALUES ('a', 1), ('b', 2)");
    walk::preview(&mut cockpit);
    walk::confirm(&mut cockpit, "erp-demo 28");
    cockpit.wait_for("The undo is ready");
    database.run("UPDATE rates SET v = 99 WHERE k = 'b'");
    cockpit.keys("u");
    cockpit.wait_for("enter confirm the undo");
    walk::confirm(&mut cockpit, "erp-demo undo 27");
    cockpit.wait_for("left alone, because they were changed since: 1 row: rates k b");
    assert!(!cockpit.screen().contains("it is undone"), "{}", cockpit.screen());
    cockpit.keys("enter");
    cockpit.wait_for("It was taken back but for 1 row");
    database.run("UPDATE rates SET v = 3 WHERE k = 'b'");
    cockpit.keys("u");
    cockpit.wait_for("enter confirm the undo");
    walk::confirm(&mut cockpit, "erp-demo undo 1");
    cockpit.wait_for("it is undone");
    assert_eq!(database.count("SELECT SUM(v) FROM rates"), 3);
    cockpit.keys("enter");
    cockpit.wait_gone("It was taken back but for");
}
