//! Suites over many targets: at once, bounded, one at a time, and nothing left out.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::common::{Sqlite, server};
use super::{Desk, Ran, run};

const OWNERLESS: &str = "SELECT id FROM asset WHERE owner IS NULL ORDER BY id";
const NONE: &str = "SELECT id FROM asset WHERE id < 0";
const ENDLESS: &str = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n WHERE id < 0";

/// A desk with configured targets, all of them copies of its database.
pub fn desk(targets: &[(&str, &str)], more: &str) -> Desk {
    let desk = Desk::new();
    let mut config = format!("checks = [\"checks\"]\n{more}");
    for (name, environment) in targets {
        let path = desk.home.work().join(format!("{name}.db"));
        if path != desk.database {
            fs::copy(&desk.database, path).unwrap();
        }
        config.push_str(&format!(
            "[target.{name}]\nurl = \"sqlite://{name}.db\"\nenvironment = \"{environment}\"\n"
        ));
    }
    desk.home.write("steadyhand.toml", &config);
    desk
}

pub fn lock_file(desk: &Desk, target: &str, suite: &str) -> std::path::PathBuf {
    desk.home.path("state/steadyhand/locks").join(format!("{target}--{suite}.lock"))
}

fn verdicts(ran: &Ran) -> Vec<String> {
    let lines = ran.lines();
    let word = |line: &serde_json::Value| {
        Some(format!("{} {}", line["target"].as_str()?, line["verdict"].as_str()?))
    };
    lines.iter().filter_map(word).collect()
}

#[test]
fn targets_are_told_in_the_order_of_the_asking_and_those_of_an_environment_are_found() {
    let desk = desk(&[("a", "staging"), ("b", "production"), ("c", "staging")], "");
    desk.check("bad", "sev2", OWNERLESS);
    Sqlite::open(&desk.home.work().join("c.db")).run("UPDATE asset SET owner = 'ada'");
    let json = |args: &[&str]| {
        let mut all = vec!["check", "--suite", "sev2", "--format", "json"];
        all.extend(args);
        run(&desk.home, &all)
    };
    let all = json(&["--target", "c", "--target", "a", "--target", "b"]);
    assert_eq!(verdicts(&all), ["c clear", "a violated", "b violated"], "{}", all.err);
    assert_eq!(all.lines().last().unwrap()["summary"]["targets"], 3);
    let staging = json(&["--environment", "staging"]);
    assert_eq!(verdicts(&staging), ["a violated", "c clear"]);
    let none = run(&desk.home, &["check", "--environment", "development"]);
    assert_eq!(none.code, 4);
    assert!(none.err.contains("no configured target is development"), "{}", none.err);
    let bad = run(&desk.home, &["check", "--environment", "prod"]);
    assert!(bad.code == 4 && bad.err.contains("production, staging"), "{}", bad.err);
}

#[test]
fn several_connections_ask_every_check_exactly_once() {
    let desk = desk(&[("a", "staging"), ("b", "staging")], "");
    for n in 0..12 {
        desk.check(&format!("bad-{n:02}"), "sev2", OWNERLESS);
    }
    let args = ["check", "--suite", "sev2", "--connections", "4", "--format", "json"];
    let ran = run(&desk.home, &args);
    let lines = ran.lines();
    let ids: Vec<&str> = lines.iter().filter_map(|line| line["check"].as_str()).collect();
    let expected: Vec<String> = (0..24).map(|n| format!("bad-{:02}", n % 12)).collect();
    assert_eq!(ids, expected, "{}", ran.err);
    assert!(
        lines.iter().filter(|line| line["check"].is_string()).all(|line| line["violations"] == 2)
    );
}

#[test]
fn two_servers_behind_sockets_are_two_servers() {
    let servers = [server::postgres(), server::postgres()];
    servers[0].database("shop");
    servers[1].database("shop");
    let desk = Desk::new();
    let mut config = "checks = [\"checks\"]\n".to_owned();
    for (n, server) in servers.iter().enumerate() {
        let url = server.url("shop");
        config.push_str(&format!("[target.t{n}]\nurl = \"{url}\"\nenvironment = \"staging\"\n"));
    }
    desk.home.write("steadyhand.toml", &config);
    servers[0].run(
        "shop",
        "CREATE FUNCTION rest() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(600)'",
    );
    servers[1].run("shop", "CREATE FUNCTION rest() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    desk.check("a-rests", "sev2", "SELECT rest() AS id");
    let ran = run(&desk.home, &["check", "--suite", "sev2", "--budget", "5s", "--format", "json"]);
    assert_eq!(verdicts(&ran), ["t0 inconclusive", "t1 violated"], "{}{}", ran.out, ran.err);
}

#[test]
fn what_the_budget_does_not_reach_is_inconclusive_with_the_reason() {
    let desk = desk(&[("a", "staging"), ("b", "staging")], "");
    desk.check("a-endless", "sev1", ENDLESS);
    desk.check("later", "sev2", NONE);
    let start = Instant::now();
    let ran = run(
        &desk.home,
        &["check", "--suite", "sev1", "--suite", "sev2", "--budget", "700ms", "--format", "json"],
    );
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let lines = ran.lines();
    assert_eq!(lines.len(), 5);
    for line in &lines[..4] {
        let reason = line["reason"].as_str().unwrap();
        assert!(reason.contains("the budget of 700ms for the whole run was used up"), "{reason}");
    }
}

#[test]
fn a_second_run_of_a_suite_says_who_holds_it() {
    let desk = desk(&[("a", "staging"), ("b", "staging")], "");
    desk.check("fine", "sev3", NONE);
    assert_eq!(run(&desk.home, &["check", "--suite", "sev3"]).code, 0);
    let mut held = OpenOptions::new().write(true).open(lock_file(&desk, "a", "sev3")).unwrap();
    held.write_all(b"process 4711 on bastion, since 03:00").unwrap();
    held.lock().unwrap();
    let ran = run(&desk.home, &["check", "--suite", "sev3"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.out
            .contains("another run of sev3 is looking at it: process 4711 on bastion, since 03:00"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("1 clear, 0 warning, 0 violated, 1 inconclusive"), "{}", ran.out);
    // What a person names does not wait for the nightly run.
    assert_eq!(run(&desk.home, &["check", "--check", "fine"]).code, 0);
}

#[test]
fn a_run_that_was_killed_is_told_by_the_next_one() {
    let desk = desk(&[("a", "staging")], "");
    desk.check("endless", "sev2", ENDLESS);
    let mut child = Command::new(env!("CARGO_BIN_EXE_steadyhand"))
        .args(["check", "--suite", "sev2"])
        .current_dir(desk.home.work())
        .env_clear()
        .envs(desk.home.environment())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lock = lock_file(&desk, "a", "sev2");
    let end = Instant::now() + Duration::from_secs(30);
    while !fs::read_to_string(&lock).is_ok_and(|text| text.contains("process")) {
        assert!(Instant::now() < end, "the run took no lock");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = run(&desk.home, &["check", "--suite", "sev2", "--budget", "300ms"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("the run of sev2 before this one did not come to its end (process"),
        "{}",
        ran.err
    );
    let ran = run(&desk.home, &["check", "--suite", "sev2", "--budget", "300ms"]);
    assert!(!ran.err.contains("did not come to its end"), "{}", ran.err);
}

#[test]
fn a_polite_end_from_outside_is_an_interrupt_and_loses_no_check() {
    let desk = desk(&[("a", "staging")], "");
    desk.check("endless", "sev2", ENDLESS);
    desk.check("more", "sev2", NONE);
    let ended = ended_from_outside(&desk, "a");
    assert_eq!(ended.status.code(), Some(130));
    let out = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(out.contains("stopped by the operator"), "{out}");
}

/// A run of sev2 that gets a SIGTERM while it is under way.
pub fn ended_from_outside(desk: &Desk, target: &str) -> Output {
    let child = Command::new(env!("CARGO_BIN_EXE_steadyhand"))
        .args(["check", "--suite", "sev2", "--format", "json"])
        .current_dir(desk.home.work())
        .env_clear()
        .envs(desk.home.environment())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lock = lock_file(desk, target, "sev2");
    let end = Instant::now() + Duration::from_secs(30);
    while !fs::read_to_string(&lock).is_ok_and(|text| text.contains("process")) {
        assert!(Instant::now() < end, "the run took no lock");
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    child.wait_with_output().unwrap()
}

/// One is configured, another is named by its file: who reads both must not take one for the other.
#[test]
fn targets_of_one_name_are_told_by_their_place() {
    let desk = desk(&[("erp", "production")], "");
    desk.check("bad", "sev2", OWNERLESS);
    let (one, two) = (desk.home.work().join("one/erp.db"), desk.home.work().join("two/erp.db"));
    for path in [&one, &two] {
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::copy(&desk.database, path).unwrap();
    }
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let check = ["check", "--suite", "sev2", "--target", one, "--target", two, "--target"];
    let ran = run(&desk.home, &[&check[..], &["erp", "--format", "prometheus"]].concat());
    let series: Vec<&str> =
        ran.out.lines().filter(|line| line.starts_with("steadyhand_check_state")).collect();
    assert_eq!(series.len(), 3, "{}{}", ran.out, ran.err);
    for (series, place) in series.iter().zip([one, two, "erp"]) {
        assert!(series.contains(&format!("target=\"{place}\"")), "{series}");
    }
    // The same file again is the same target, however it is written.
    let ran = run(&desk.home, &[&check[..], &["one/erp.db", "--format", "json"]].concat());
    assert_eq!(verdicts(&ran), [format!("{one} violated"), format!("{two} violated")]);
    let ran = run(&desk.home, &["check", "--suite", "sev2", "--target", one]);
    assert!(ran.out.starts_with("erp  "), "alone it needs no more: {}", ran.out);
}

#[test]
fn a_state_folder_that_cannot_be_written_changes_no_verdict() {
    let desk = desk(&[("a", "staging")], "");
    desk.check("fine", "sev3", NONE);
    File::create(desk.home.work().join("no-folder")).unwrap();
    let ran = run(&desk.home, &["check", "--suite", "sev3", "--state", "no-folder"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("this run is not in the history"), "{}", ran.err);
}

/// Rights of everything below a folder.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.clone(), fs::metadata(&path).unwrap().permissions().mode() & 0o7777));
        if path.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

/// Whoever ran first must not keep the history, the locks and the outbox from the others of the group.
#[test]
fn a_state_folder_of_a_group_gives_its_group_what_runs_leave_there() {
    for (shared, folders, files) in [(true, 0o2770, 0o660), (false, 0o700, 0o600)] {
        let alert = "[alert.page]\nkind = \"command\"\ncommand = [\"false\"]\n";
        let desk = desk(&[("a", "staging")], alert);
        desk.check("bad", "sev2", OWNERLESS);
        let state = desk.home.path("state/steadyhand");
        fs::create_dir(&state).unwrap();
        let mode = if shared { 0o2770 } else { 0o755 };
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
        let ran = run(&desk.home, &["check", "--suite", "sev2"]);
        assert!(ran.err.contains("1 alert kept"), "{}", ran.err);
        run(&desk.home, &["resilience", "--target", "a"]);
        let found = modes(&state);
        let has = |name: &str| found.iter().any(|(path, _)| path.ends_with(name));
        let made = ["outbox/page/lock", "locks/a--sev2.lock", "history/a/latest.json"];
        assert!(made.into_iter().all(has) && has("SHA256SUMS"), "{found:?}");
        for (path, mode) in found {
            let wanted = if path.is_dir() { folders } else { files };
            assert_eq!(mode, wanted, "{} {mode:o}", path.display());
        }
    }
}
