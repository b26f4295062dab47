//! The journal comes first: where it cannot be written, nothing is done.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::fs;

use common::walk::{RUNBOOK, confirm, preview, to_change};
use common::{Cockpit, Ground, Home, WIDE};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use steadyhand::dialect::Dialect;

#[test]
fn a_deed_that_cannot_be_written_down_is_not_done() {
    // The database is another process's business, so only the journal runs out of room.
    let ground = Ground::new(Dialect::Postgres);
    let engine = ground.arguments();
    let mut args = vec!["demo", "--keep", ".", "--incident", RUNBOOK];
    args.extend(engine.iter().map(String::as_str));
    let mut cockpit = Cockpit::start_after("trap '' XFSZ", Home::new(), &args, WIDE);
    cockpit.wait_for("Take the incident");
    cockpit.wait_for("milestone: detected");
    to_change(&mut cockpit);
    preview(&mut cockpit);
    let mut look = ground.look(&cockpit.home().work());
    let open = "SELECT count(*) FROM asset_assignments WHERE return_date IS NULL";
    let before = look.count(open);
    let journal = cockpit.home().files("work");
    let journal = journal.iter().find(|file| file.ends_with("journal.jsonl")).unwrap();
    let journal = cockpit.home().work().join(journal);
    let kinds = |text: &str| text.matches("\"kind\":\"approved\"").count();
    let room = fs::metadata(&journal).unwrap().len() + 10;
    let limit = Rlimit { current: Some(room), maximum: Some(room) };
    prlimit(Pid::from_raw(cockpit.pid()), Resource::Fsize, limit).unwrap();
    confirm(&mut cockpit, "erp-demo 26");
    cockpit.wait_for("the journal cannot be written");
    cockpit.breathe();
    assert_eq!(look.count(open), before, "nothing was changed");
    assert_eq!(look.count("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'"), 0);
    assert_eq!(kinds(&fs::read_to_string(&journal).unwrap()), 0);
}
