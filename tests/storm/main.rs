//! More of everything than anybody has: targets, checks, violations, columns, steps, incidents, and cells
//! of many megabytes. Nothing may freeze or grow without a bound, and what is left out is said.
//!
//! The sizes here are those of a usual run; `STEADYHAND_STORM=full` takes the full ones.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../common/mod.rs"]
mod common;
mod rows;
mod targets;

use std::fmt::Write as _;
use std::sync::OnceLock;

use common::{Cockpit, Home, Sqlite, WIDE};

/// What keys may cost beside their own frames, in frames of a screen with little on it, however much there
/// is of anything.
const SWIFT: u64 = 40;

fn full() -> bool {
    std::env::var("STEADYHAND_STORM").is_ok_and(|said| said == "full")
}

fn size(usual: usize, all: usize) -> usize {
    if full() { all } else { usual }
}

/// The screen shows it only after these strokes of one key or more, each done when the one before was
/// answered, and they were no more work than some frames each.
#[allow(clippy::print_stdout, reason = "the figures are what such a run is for")]
fn swift(cockpit: &mut Cockpit, strokes: &[&str], shown: &str) {
    let (before, screen) = (work(cockpit), cockpit.screen());
    assert!(!screen.contains(shown), "{shown:?} stands there already\n{screen}");
    for keys in strokes {
        let bytes = cockpit.bytes();
        cockpit.keys(keys);
        cockpit.wait_answer(bytes);
    }
    cockpit.wait_for(shown);
    let frames = (work(cockpit) - before) / frame();
    let cost = if cfg!(target_os = "linux") { frames.to_string() } else { "no known".into() };
    println!("{} x {:.20}: {cost} frames", strokes.len(), strokes[0]);
    let most = 3 * strokes.len() as u64 + SWIFT;
    assert!(frames <= most, "{strokes:?} cost {frames} frames\n{}", cockpit.screen());
}

/// What a command says that leaves with this code, in at most twenty seconds of the processor.
fn said(home: &Home, code: i32, args: &[&str]) -> String {
    let ran = std::process::Command::new("/bin/sh")
        .args(["-c", "ulimit -t 20; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_steadyhand")])
        .args(args)
        .env_clear()
        .envs(home.environment())
        .current_dir(home.work())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(code), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// What the first screen may cost, in frames of one with little on it.
const BEGUN: u64 = 100;

#[allow(clippy::print_stdout, reason = "the figures are what such a run is for")]
fn begun(cockpit: &Cockpit, what: &str) {
    let frames = work(cockpit) / frame();
    println!("{what}: begun in {frames} frames");
    assert!(frames <= BEGUN, "{what}: {frames} frames");
}

/// What it costs to draw one screen with little on it.
fn frame() -> u64 {
    const MANY: u64 = 20;
    static FRAME: OnceLock<u64> = OnceLock::new();
    *FRAME.get_or_init(|| {
        let mut cockpit = Cockpit::start(&[], WIDE);
        cockpit.wait_for("Runbooks");
        let before = work(&cockpit);
        for _ in 0..MANY {
            let bytes = cockpit.bytes();
            cockpit.keys("f5");
            cockpit.wait_answer(bytes);
        }
        ((work(&cockpit) - before) / MANY).max(1)
    })
}

/// Where no system tells, nothing costs anything, and only what is shown counts.
fn work(cockpit: &Cockpit) -> u64 {
    #[cfg(target_os = "linux")]
    return cockpit.work();
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// The incident is open on its first step, and the check has told this there. Home tells it too, for the
/// moment until the incident is opened, but goes on nowhere.
fn opened(home: Home, found: &str) -> Cockpit {
    let cockpit = Cockpit::start_in(home, &["open", "storm", "--target", "shop"], WIDE);
    cockpit.wait_until(&format!("the first step with {found:?}"), |screen| {
        screen.contains("enter go on") && screen.contains(found)
    });
    cockpit
}

#[allow(clippy::print_stdout, reason = "the figures are what such a run is for")]
fn holds_at_most(cockpit: &Cockpit, what: &str, mib: u64) {
    // Only there a process can be asked for the most memory it ever held.
    if cfg!(target_os = "linux") {
        let peak = cockpit.peak_memory().expect("the system tells") / 1024;
        println!("{what}: peak {peak} MiB");
        assert!(peak <= mib, "{what}: {peak} MiB");
    }
}

fn check(id: &str, sql: &str) -> String {
    format!(
        "id = \"{id}\"\ntitle = \"Check {id}\"\nrule = \"There is none.\"\nseverity = \"sev3\"\nkey = [\"id\"]\n\
         suites = [\"storm\"]\nowner = \"us\"\nrunbook = \"storm\"\n[sql]\nany = \"{sql}\"\n"
    )
}

fn runbook(steps: &str) -> String {
    format!(
        "id = \"storm\"\ntitle = \"Storm\"\nsummary = \"Storm\"\nowner = \"us\"\nseverity = \"sev2\"\n{steps}"
    )
}

const LOOK: &str = "[[step]]\nid = \"look\"\nkind = \"check\"\nstage = \"validate\"\ntitle = \"Look at them\"\n\
                    check = \"storm\"\nexpect = \"any\"\n";

fn with_database(home: &Home, script: &[&str]) {
    let mut file = Sqlite::create(&home.work().join("shop.db"));
    for one in script {
        file.run(one);
    }
    home.write("steadyhand.toml", &configuration("sqlite://shop.db"));
}

fn configuration(url: &str) -> String {
    format!(
        "checks = [\"checks\"]\nrunbooks = [\"books\"]\n[target.shop]\nurl = \"{url}\"\n\
         packs = [\"storm\"]\nenvironment = \"development\"\n"
    )
}

#[test]
fn a_thousand_checks_run_and_are_looked_through() {
    let many = size(300, 1000);
    let home = Home::new();
    with_database(
        &home,
        &[
            "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER)",
            "INSERT INTO stock VALUES (1, 1)",
        ],
    );
    for at in 0..many {
        let id = format!("storm-{at:04}");
        home.write(&format!("checks/storm/{id}.toml"), &check(&id, "SELECT id, n FROM stock"));
    }
    home.write("books/storm.toml", &runbook(&LOOK.replace("\"storm\"", "\"storm-0000\"")));
    let found = said(&home, 1, &["check", "--suite", "storm", "--format", "json"]);
    assert_eq!(found.lines().count(), many + 1);
    let mut cockpit = Cockpit::start_in(home, &[], WIDE);
    cockpit.wait_for("checked");
    swift(&mut cockpit, &["G"], "Runbooks");
    swift(&mut cockpit, &["up"; 30], "▸ ✗     1  SEV-3  Check storm-01");
    swift(&mut cockpit, &["g"], "▸ shop ");
    holds_at_most(&cockpit, "many checks", 120);
}

#[test]
fn a_runbook_of_ten_thousand_steps_is_opened_and_walked() {
    let many = size(3000, 10_000);
    let home = Home::new();
    with_database(&home, &["CREATE TABLE stock (id INTEGER PRIMARY KEY)"]);
    home.write("checks/storm/storm.toml", &check("storm", "SELECT id FROM stock"));
    let steps = (1..=many).fold(String::new(), |mut text, at| {
        let _ = writeln!(
            text,
            "[[step]]\nid = \"step-{at}\"\nkind = \"note\"\nstage = \"stabilise\"\ntitle = \"Step number {at}\"\n\
             why = \"It is one of many.\"\ndo = \"Go on.\""
        );
        text
    });
    home.write("books/storm.toml", &runbook(&steps));
    said(&home, 0, &["lint", "books"]);
    let mut cockpit = Cockpit::start_in(home, &["open", "storm", "--target", "shop"], WIDE);
    cockpit.wait_for("Step number 1");
    begun(&cockpit, "very many steps");
    let wide = many.to_string().len();
    for at in 2..12 {
        swift(&mut cockpit, &["enter"], &format!("▶ {at:>wide$} Step number {at}"));
    }
    swift(&mut cockpit, &["J"], "changes decisions");
    cockpit.wait_for("step step-10 done");
    cockpit.keys("esc");
    cockpit.wait_gone("changes decisions");
    holds_at_most(&cockpit, "very many steps", 160);
    common::walk::leave(&mut cockpit);
    common::walk::assert_sound(cockpit.home());
}

#[test]
fn five_hundred_incidents_lie_in_the_folder() {
    let many = size(200, 500);
    let home = Home::new();
    with_database(
        &home,
        &["CREATE TABLE stock (id INTEGER PRIMARY KEY)", "INSERT INTO stock VALUES (1)"],
    );
    home.write("checks/storm/storm.toml", &check("storm", "SELECT id FROM stock"));
    home.write("books/storm.toml", &runbook(LOOK));
    let mut cockpit = opened(home, "1 violation");
    // A night's worth of records.
    for _ in 0..60 {
        cockpit.keys("r");
    }
    common::walk::leave(&mut cockpit);
    let home = cockpit.into_home();
    let folder = home.path("state/steadyhand/incidents");
    for at in 2..=many {
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([folder.join("INC-0001"), folder.join(format!("INC-{at:04}"))])
            .status();
        assert!(copied.unwrap().success());
    }
    assert_eq!(said(&home, 0, &["incidents", "--format", "json"]).lines().count(), many + 1);
    assert!(said(&home, 0, &["report"]).contains("# Integrity report"));
    let metrics = said(&home, 0, &["metrics"]);
    assert!(metrics.contains(&format!("{many} incidents, {many} of them open")), "{metrics}");
    let mut cockpit = Cockpit::start_in(home, &[], WIDE);
    // What stands below so many is on the screen only until they are read.
    cockpit.wait_for(&format!("{many} open incidents"));
    cockpit.wait_for("INC-0001");
    begun(&cockpit, "many incidents");
    swift(&mut cockpit, &["G"], "Runbooks");
    swift(&mut cockpit, &["g"], "▸ INC-0001");
    holds_at_most(&cockpit, "many incidents", 160);
    cockpit.keys("q");
}
