//! Commands of a runbook: the backup that one leaves, what one said, and how it ended.

mod common;

use std::fs;

use common::book::{COUNT, book, command};
use common::walk::{INCIDENT, RUNBOOK, assert_sound, leave, wait_for_end};
use common::{Cockpit, Home, WIDE};
use serde_json::Value;

/// The cockpit at the first of these steps.
fn at(steps: &[&str]) -> Cockpit {
    let home = Home::new();
    home.write("books/asset-double-assignment.toml", &book(&[steps, &[COUNT]].concat()));
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    let cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("enter run");
    cockpit
}

fn lines(home: &Home, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(home.work().join("state").join(file)).expect("it is there");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn a_backup_that_is_not_there_is_none_whatever_else_the_command_did_well() {
    let print = command("print", "Print", &["echo", "the same"], true);
    let backup = command("backup", "Back up", &["echo", "the same"], true)
        + "backup = \"{backup}.none\"\nsame_as = \"print\"\n";
    let mut cockpit = at(&[&print, &backup]);
    cockpit.keys("enter");
    wait_for_end(&cockpit, "step-passed", 1);
    cockpit.keys("enter");
    cockpit.wait_for("Back up");
    cockpit.keys("enter");
    cockpit.wait_for("No such file");
    wait_for_end(&cockpit, "step-failed", 1);
    // The try has its line, which names no digest.
    let tries = lines(cockpit.home(), "backups/backups.jsonl");
    assert_eq!((tries.len(), &tries[0]["exit"], &tries[0]["sha256"]), (1, &0.into(), &Value::Null));
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}
