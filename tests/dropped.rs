//! The link drops while a change is executed on a server: before COMMIT was sent everything is rolled
//! back, after it the program stays until the outcome is known and written down; either way it leaves,
//! and no session of ours is left. One that a crash did leave is seen and ended.

// The fault points are not in release builds.
#![cfg(debug_assertions)]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::server::{ADMIN, Kind, Server, Setup};
use common::walk::{CONFIRMATION, INCIDENT, RUNBOOK, confirm, leave, preview, to_change};
use common::{Cockpit, Home, Signal, WIDE};

/// How long the program may take to leave, and the server to be rid of it.
const BUDGET: Duration = Duration::from_secs(20);

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < BUDGET, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn engine(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "postgres",
        Kind::Mariadb => "mariadb",
    }
}

fn server(kind: Kind) -> Server {
    let setup = Setup::new(kind);
    let server = match kind {
        Kind::Postgres => setup,
        Kind::Mariadb => setup
            .with("performance-schema", "ON")
            .with("performance-schema-instrument", "wait/lock/metadata/sql/mdl=ON"),
    }
    .start();
    server.database("erp");
    server
}

/// An incident of the demo on a server, just opened.
fn opened(server: &Server, home: Home) -> Cockpit {
    let url = server.url_as(ADMIN, "erp");
    let kind = engine(server.kind());
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK, "--engine", kind, "--url", &url];
    let cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("Take the incident");
    cockpit.wait_for("milestone: detected");
    cockpit
}

fn sessions(server: &Server) -> i64 {
    let sql = match server.kind() {
        Kind::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'steadyhand%'"
        }
        Kind::Mariadb => {
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE user = 'admin' AND id <> CONNECTION_ID()"
        }
    };
    server.client(server.home_database()).count(sql)
}

/// The outcome of the last execution, as the journal has it.
fn outcome(home: &Home) -> Option<String> {
    let path = home.work().join("state/incidents").join(INCIDENT).join("journal.jsonl");
    let journal = fs::read_to_string(path).expect("there is a journal");
    let last = journal.lines().rev().find(|line| line.contains("\"kind\":\"ended\""))?;
    let record: serde_json::Value = serde_json::from_str(last).expect("a record is JSON");
    record["entry"]["outcome"].as_str().map(str::to_owned)
}

fn dropped(kind: Kind, at: &str, wanted: &str, violated: i32) {
    let server = server(kind);
    let mut cockpit = opened(&server, Home::new().with("STEADYHAND_HALT", at));
    to_change(&mut cockpit);
    preview(&mut cockpit);
    confirm(&mut cockpit, CONFIRMATION);
    let pid = cockpit.pid();
    wait_until("the moment", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    });
    cockpit.hang_up();
    cockpit.signal(Signal::CONT);
    cockpit.wait_death();
    wait_until("the server to be rid of us", || sessions(&server) == 0);
    let home = cockpit.into_home();
    assert_eq!(outcome(&home).as_deref(), Some(wanted));
    let check = ["check", "--target", "erp-demo", "--check", RUNBOOK];
    home.steadyhand(&check).assert().code(violated);
    home.steadyhand(&["verify", INCIDENT]).assert().code(0);
}

#[test]
fn before_commit_is_sent_everything_is_rolled_back_on_postgresql() {
    dropped(Kind::Postgres, "after:execution-started", "rolled_back", 2);
}

#[test]
fn before_commit_is_sent_everything_is_rolled_back_on_mariadb() {
    dropped(Kind::Mariadb, "after:execution-started", "rolled_back", 2);
}

#[test]
fn after_commit_was_sent_the_outcome_is_known_before_it_leaves_on_postgresql() {
    dropped(Kind::Postgres, "after:commit-sent", "committed", 0);
}

#[test]
fn after_commit_was_sent_the_outcome_is_known_before_it_leaves_on_mariadb() {
    dropped(Kind::Mariadb, "after:commit-sent", "committed", 0);
}

/// What a program leaves that was killed on this machine: another process, its transaction open.
fn left_behind(kind: Kind) {
    let server = server(kind);
    let mut cockpit = opened(&server, Home::new());
    let mut dead = std::process::Command::new("true").spawn().expect("a process");
    let pid = dead.id();
    dead.wait().expect("it ends");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().take(12).collect();
    let mut left = server.client("erp");
    match kind {
        Kind::Postgres => left.run(&format!("SET application_name = 'steadyhand {pid}@{host} op'")),
        Kind::Mariadb => left.run("DO GET_LOCK('steadyhand:op', 0)"),
    };
    left.run("BEGIN");
    cockpit.keys("L");
    cockpit.wait_for("earlier steadyhand");
    cockpit.keys("enter");
    cockpit.wait_for("What it has not committed is rolled back.");
    cockpit.type_text("erp-demo end");
    cockpit.wait_for("> erp-demo end");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_for("the session was ended");
    assert!(left.try_run("SELECT 1").is_err());
    cockpit.keys("esc");
    cockpit.wait_for("Take the incident");
    leave(&mut cockpit);
}

#[test]
fn a_session_that_was_left_behind_is_seen_and_ended_on_postgresql() {
    left_behind(Kind::Postgres);
}

#[test]
fn a_session_that_was_left_behind_is_seen_and_ended_on_mariadb() {
    left_behind(Kind::Mariadb);
}
