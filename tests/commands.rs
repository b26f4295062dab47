//! Commands of a runbook: the backup that one leaves, what one said, and how it ended.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use common::book::{COUNT, book, command};
use common::walk::{INCIDENT, RUNBOOK, assert_sound, leave, wait_for_end};
use common::{Cockpit, Home, WIDE};
use serde_json::Value;

/// The cockpit at the first of these steps.
fn at(steps: &[&str]) -> Cockpit {
    at_in(Home::new(), steps)
}

fn at_in(home: Home, steps: &[&str]) -> Cockpit {
    home.write("books/asset-double-assignment.toml", &book(&[steps, &[COUNT]].concat()));
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    let cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("enter run");
    cockpit
}

/// The lines about backups; one that cannot be read is null.
fn tries(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.work().join("state/backups/backups.jsonl"));
    let text = text.expect("it is there");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
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
    let tries = tries(cockpit.home());
    assert_eq!((tries.len(), &tries[0]["exit"], &tries[0]["sha256"]), (1, &0.into(), &Value::Null));
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}

/// Another login may have to make it again, and adds a line of its own.
#[test]
fn a_backup_in_a_folder_of_a_group_is_the_groups() {
    for (mode, folder, file) in [(0o2770, 0o2770, 0o660), (0o755, 0o700, 0o600)] {
        let home = Home::new();
        let state = home.work().join("state");
        fs::create_dir(&state).expect("the home is ours");
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).expect("it is ours");
        let argv = ["cp", "{file}", "{backup}"];
        let backup = command("backup", "Back up", &argv, true) + "backup = \"{backup}\"\n";
        let mut cockpit = at_in(home, &[&backup]);
        cockpit.keys("enter");
        wait_for_end(&cockpit, "step-passed", 1);
        for (path, wanted) in
            [("backups", folder), ("backups/backups.jsonl", file), ("backups/inc_0001", file)]
        {
            let found = fs::metadata(state.join(path)).expect(path).permissions().mode() & 0o7777;
            assert_eq!(found, wanted, "{path} {found:o}");
        }
        leave(&mut cockpit);
    }
}

#[test]
fn a_line_that_a_kill_tore_spoils_no_later_one() {
    let home = Home::new();
    home.write("state/backups/backups.jsonl", "{\"at\": \"2026");
    let argv = ["cp", "{file}", "{backup}"];
    let backup = command("backup", "Back up", &argv, true) + "backup = \"{backup}\"\n";
    let mut cockpit = at_in(home, &[&backup]);
    cockpit.keys("enter");
    wait_for_end(&cockpit, "step-passed", 1);
    let tries = tries(cockpit.home());
    assert_eq!((tries.len(), &tries[1]["incident"]), (2, &INCIDENT.into()));
    leave(&mut cockpit);
}

/// What lies among the evidence of the last command.
fn kept(home: &Home) -> String {
    let evidence = home.work().join(format!("state/incidents/{INCIDENT}/evidence"));
    let files = fs::read_dir(evidence).expect("it is there").flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| path.to_string_lossy().contains("/command-");
    let last = files.filter(named).max().expect("a command left its output");
    fs::read_to_string(last).expect("it is text")
}

/// What explains why it hangs is said before it does.
#[test]
fn what_a_command_said_is_kept_also_if_it_did_not_come_to_its_end() {
    let late = "echo 'waiting for a lock' >&2; sleep 60";
    let late = command("a-late", "Too late", &["sh", "-c", late], true)
        .replace("timeout = \"60s\"", "timeout = \"1s\"");
    let stopped = "echo 'half of it'; touch begun; sleep 60";
    let stopped = command("b-stopped", "Stopped", &["sh", "-c", stopped], true);
    let fell = command("c-fell", "Fell over", &["sh", "-c", "echo a part; kill -SEGV $$"], true);
    let mut cockpit = at(&[&late, &stopped, &fell]);
    cockpit.keys("enter");
    cockpit.wait_for("not finished after 1 s");
    wait_for_end(&cockpit, "step-failed", 1);
    assert_eq!(kept(cockpit.home()), "--- standard error ---\nwaiting for a lock\n");
    cockpit.wait_for("sleep 60 did not");
    cockpit.keys("] enter");
    let begun = cockpit.home().work().join("begun");
    cockpit.wait_until("half of it to be said", |_| begun.exists());
    cockpit.keys("x");
    cockpit.wait_for("it was stopped");
    wait_for_end(&cockpit, "step-failed", 2);
    assert_eq!(kept(cockpit.home()), "half of it\n");
    cockpit.keys("] enter");
    cockpit.wait_for("ended by signal 11 (SIGSEGV)");
    wait_for_end(&cockpit, "step-failed", 3);
    assert_eq!(kept(cockpit.home()), "a part\n");
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}

/// A server that was started keeps the output of whoever started it.
#[test]
fn a_command_is_over_when_it_ends_and_what_it_left_behind_stays() {
    let start = "(cat gate; echo more; touch stayed) & echo started";
    let start = command("start", "Start it", &["sh", "-c", start], true);
    let home = Home::new();
    let gate = home.work().join("gate");
    rustix::fs::mkfifoat(rustix::fs::CWD, &gate, rustix::fs::Mode::RWXU).expect("a gate");
    let mut cockpit = at_in(home, &[&start]);
    cockpit.keys("enter");
    wait_for_end(&cockpit, "step-passed", 1);
    assert_eq!(kept(cockpit.home()), "started\n");
    fs::write(&gate, "").expect("somebody waits at it");
    let stayed = cockpit.home().work().join("stayed");
    cockpit.wait_until("what was left behind to go on", |_| stayed.exists());
    leave(&mut cockpit);
}
