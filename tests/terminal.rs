//! The terminal is given back whatever ends the program, and no key waits for a database.

mod common;

use std::time::{Duration, Instant};

use common::book::looking;
use common::walk::{
    CONFIRMATION, Facts, INCIDENT, RUNBOOK, assert_sound, confirm, database, demo, leave, preview,
    resume, to_change,
};
use common::{Cockpit, Ended, Home, Signal, Sqlite, Terminal, WIDE};

/// What `stty` says of the terminal around a run of the program: cooked before, cooked after.
const AROUND: &str = r#"
    before=$(stty -a); "$@"; code=$?; after=$(stty -a)
    [ "$before" = "$after" ] && printf 'terminal same, code %s\n' "$code" || printf 'terminal differs: %s\n' "$after"
    read -r line && printf 'cooked %s\n' "$line"
"#;

/// The cockpit under a shell that compares the terminal before and after.
fn under_a_shell(home: &Home, more: &[&str]) -> Terminal {
    let program = env!("CARGO_BIN_EXE_steadyhand");
    let args = [&["-c", AROUND, "sh", program, "demo", "--keep", "."], more].concat();
    Terminal::start("/bin/sh", &args, &home.environment(), &home.work(), WIDE)
}

/// The number of the program below the shell.
fn child(terminal: &Terminal) -> i32 {
    let path = format!("/proc/{0}/task/{0}/children", terminal.pid());
    let children = std::fs::read_to_string(path).expect("the system lists children");
    children.trim().parse().expect("the shell has one child")
}

fn kill(pid: i32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process has a number");
    rustix::process::kill_process(pid, signal).expect("the process is there");
}

fn assert_given_back(mut terminal: Terminal, code: u32) {
    terminal.wait_for(&format!("terminal same, code {code}"));
    assert!(terminal.is_restored(), "{}", terminal.screen());
    // In a cooked terminal the line is seen while it is typed, and can be corrected.
    terminal.send(b"hellp\x7fo\r");
    terminal.wait_for("cooked hello");
    assert_eq!(terminal.wait_code(), 0);
}

#[test]
fn after_leaving_the_terminal_is_as_it_was() {
    let home = Home::new();
    let mut terminal = under_a_shell(&home, &[]);
    terminal.wait_for("What is wrong");
    terminal.keys("q");
    assert_given_back(terminal, 0);
}

#[test]
fn after_a_signal_the_terminal_is_as_it_was() {
    for signal in [Signal::TERM, Signal::HUP] {
        let home = Home::new();
        let terminal = under_a_shell(&home, &[]);
        terminal.wait_for("What is wrong");
        kill(child(&terminal), signal);
        assert_given_back(terminal, 130);
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault points are not in release builds")]
fn after_a_panic_the_terminal_is_as_it_was_and_the_incident_goes_on() {
    let home = Home::new().with("STEADYHAND_PANIC", "after:note");
    let mut terminal = under_a_shell(&home, &["--incident", RUNBOOK]);
    terminal.wait_for("milestone: detected");
    terminal.keys("e");
    terminal.wait_for("sort it");
    terminal.type_text("it will fall over");
    terminal.keys("enter");
    terminal.wait_for("a panic that was asked for");
    assert_given_back(terminal, 101);
    let mut cockpit = resume(home.with("STEADYHAND_PANIC", ""));
    cockpit.wait_for("taken up again");
    cockpit.wait_for("it will fall over");
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}

/// The task that executes falls over: the cockpit asks the database, and goes on.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault points are not in release builds")]
fn a_panic_in_an_execution_ends_in_an_outcome() {
    for (at, said) in
        [("after:undo-written", "It did not commit"), ("before:ended", "It did commit")]
    {
        let mut cockpit = demo(Home::new().with("STEADYHAND_PANIC", at));
        let before = Facts::of(cockpit.home());
        to_change(&mut cockpit);
        preview(&mut cockpit);
        confirm(&mut cockpit, CONFIRMATION);
        cockpit.wait_for(said);
        cockpit.keys("enter");
        cockpit.wait_gone(said);
        let committed = at == "before:ended";
        let facts = if committed { before.after_change() } else { before };
        assert_eq!(Facts::of(cockpit.home()), facts);
        leave(&mut cockpit);
        assert_sound(cockpit.home());
    }
}

/// So does the task that finds out: nobody waits for it for ever, and it is asked again.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault points are not in release builds")]
fn what_became_of_a_commit_can_be_asked_again_after_a_panic_in_finding_it_out() {
    let mut cockpit = demo(Home::new().with("STEADYHAND_KILL", "after:commit-sent"));
    to_change(&mut cockpit);
    preview(&mut cockpit);
    confirm(&mut cockpit, CONFIRMATION);
    assert_eq!(cockpit.wait_exit(), Ended::Signal(9));
    let home = cockpit.into_home().with("STEADYHAND_KILL", "");
    let mut cockpit = resume(home.with("STEADYHAND_PANIC", "before:resolved"));
    cockpit.wait_for("a task of ours failed");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_gone("a task of ours failed");
    cockpit.keys("p");
    cockpit.wait_for("a task of ours failed");
    let mut cockpit = resume(cockpit.into_home().with("STEADYHAND_PANIC", ""));
    cockpit.wait_for("It did not commit");
    cockpit.keys("enter");
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}

#[test]
fn a_signal_during_an_execution_waits_for_its_outcome() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut cockpit = demo(Home::new());
        let before = Facts::of(cockpit.home());
        to_change(&mut cockpit);
        preview(&mut cockpit);
        confirm(&mut cockpit, CONFIRMATION);
        cockpit.signal(signal);
        assert_eq!(cockpit.wait_exit(), Ended::Code(130));
        assert!(cockpit.is_restored(), "{}", cockpit.screen());
        let home = cockpit.into_home();
        let facts = Facts::of(&home);
        let committed = facts == before.after_change();
        assert!(committed || facts == before, "{signal:?}");
        // The program was not cut off, so it knows.
        let mut cockpit = resume(home);
        cockpit.wait_for(if committed { "enter next step" } else { "enter preview" });
        assert!(!cockpit.screen().contains("commit:"), "{}", cockpit.screen());
        leave(&mut cockpit);
        assert_eq!(Facts::of(cockpit.home()), facts);
        assert_sound(cockpit.home());
    }
}

/// Whoever stopped it may have had the terminal; what is typed as soon as it goes on is ours.
#[test]
#[cfg(target_os = "linux")]
fn an_enter_right_behind_a_return_to_the_program_is_one() {
    let mut cockpit = demo(Home::new());
    to_change(&mut cockpit);
    preview(&mut cockpit);
    for round in 0..150 {
        cockpit.signal(Signal::STOP);
        cockpit.wait_until("it stands still", |_| cockpit.waits_in("signal_stop"));
        cockpit.signal(Signal::CONT);
        // At each moment of its way back.
        let (start, pause) = (Instant::now(), Duration::from_micros(20 * (round % 50)));
        while start.elapsed() < pause {}
        cockpit.keys("enter");
        cockpit.wait_for("esc leaves it alone");
        cockpit.keys("esc");
        cockpit.wait_for("enter confirm");
    }
    leave(&mut cockpit);
}

/// A lost connection, in the middle of an incident: the program ends soon and uses no processor
/// for it, and the incident goes on elsewhere.
#[test]
#[cfg(target_os = "linux")]
fn without_its_terminal_the_program_ends_soon() {
    const SOON: Duration = Duration::from_secs(2);
    let mut cockpit = demo(Home::new());
    to_change(&mut cockpit);
    preview(&mut cockpit);
    let ticks = cockpit.processor_ticks().expect("the system tells");
    let start = Instant::now();
    cockpit.hang_up();
    // Some hundred a second would be a loop.
    while start.elapsed() < SOON {
        match cockpit.processor_ticks() {
            Some(now) => assert!(now - ticks < 60, "{} ticks", now - ticks),
            None => break,
        }
        std::thread::yield_now();
    }
    cockpit.wait_death();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let mut cockpit = resume(cockpit.into_home());
    cockpit.wait_for("taken up again at step close-later");
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}

// ---------------------------------------------------------------------------------- slow queries

const SLOW: &str = r#"id = "slow"
title = "A query that takes its time"
rule = "Nothing is slow."
severity = "sev3"
kind = "violations"
key = ["n"]
suites = ["nightly"]
owner = "nobody"
runbook = "slow"
timeout = "60s"
tables = ["things"]
[sql]
any = """
SELECT n FROM things WHERE n <> 3
UNION ALL
SELECT t.n FROM things t WHERE t.n = 3
   AND (WITH RECURSIVE c(x) AS (SELECT t.n UNION ALL SELECT x + 1 FROM c WHERE x < 2000000000)
        SELECT COUNT(*) FROM c) > 0
"""
"#;

#[test]
fn a_slow_query_freezes_no_key_and_is_stopped_by_one() {
    let home = Home::new();
    home.write("checks/slow.toml", SLOW);
    home.write("books/slow.toml", &looking("slow", "slow"));
    let mut sqlite = Sqlite::create(&home.work().join("slow.db"));
    sqlite.run(
        "CREATE TABLE things (n INTEGER PRIMARY KEY); INSERT INTO things VALUES (1), (2), (3)",
    );
    let args = ["open", "slow", "--target", "slow.db", "--checks", "checks", "--runbooks", "books"];
    let mut cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("running for");
    // Keys are answered while it runs.
    for _ in 0..3 {
        let pressed = Instant::now();
        cockpit.keys("?");
        cockpit.wait_for("esc close");
        cockpit.keys("esc");
        cockpit.wait_gone("esc close");
        assert!(pressed.elapsed() < Duration::from_secs(1), "{:?}", pressed.elapsed());
    }
    cockpit.wait_for("running for");
    let pressed = Instant::now();
    cockpit.keys("x");
    cockpit.wait_for("the database stopped the query");
    cockpit.wait_for("could not check (stopped by the operator)");
    assert!(pressed.elapsed() < Duration::from_secs(1), "{:?}", pressed.elapsed());
    // What was stopped is not clean, and cannot be left as if it were.
    cockpit.keys("enter");
    cockpit.wait_for("r runs it again");
    // Nothing of it is left: the next one works at once.
    sqlite.run("DELETE FROM things WHERE n = 3");
    cockpit.keys("r");
    cockpit.wait_for("2 violations");
    // Stopped by leaving.
    sqlite.run("INSERT INTO things VALUES (3)");
    cockpit.keys("r");
    cockpit.wait_for("running again");
    let pressed = Instant::now();
    leave(&mut cockpit);
    assert!(pressed.elapsed() < Duration::from_secs(4), "{:?}", pressed.elapsed());
    assert!(cockpit.is_restored());
    cockpit.home().steadyhand(&["verify", INCIDENT]).assert().code(0);
    drop(sqlite);
}

/// Whoever stops the program leaves nothing open on the database: a reader would stand in the way.
#[test]
fn a_slow_query_ends_before_the_shell_gets_the_terminal() {
    const GIVEN_BACK: &[u8] = b"\x1b[?1049l";
    let home = Home::new();
    home.write("checks/slow.toml", SLOW);
    home.write("books/slow.toml", &looking("slow", "slow"));
    let mut sqlite = Sqlite::create(&home.work().join("slow.db"));
    sqlite.run("CREATE TABLE things (n INTEGER PRIMARY KEY); INSERT INTO things VALUES (1), (3)");
    let args = ["open", "slow", "--target", "slow.db", "--checks", "checks", "--runbooks", "books"];
    let mut cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("running for");
    cockpit.keys("ctrl-z");
    // Nobody here is a shell that would stop it: it goes on at once.
    cockpit.wait_for("could not check (stopped by the operator)");
    cockpit.wait_for_bytes(GIVEN_BACK);
    sqlite.run("DELETE FROM things WHERE n = 3");
    leave(&mut cockpit);
    drop(sqlite);
}

/// The survey at home is a query like others.
#[test]
fn a_slow_survey_is_stopped_too() {
    let home = Home::new();
    home.write("checks/slow.toml", SLOW);
    home.write("books/slow.toml", &looking("slow", "slow"));
    let path = home.work().join("slow.db");
    home.write(
        "steadyhand.toml",
        "[target.slow]\nurl = \"sqlite:slow.db\"\nenvironment = \"development\"\n",
    );
    let mut sqlite = Sqlite::create(&path);
    sqlite.run("CREATE TABLE things (n INTEGER PRIMARY KEY); INSERT INTO things VALUES (1), (3)");
    let args = ["--checks", "checks", "--runbooks", "books"];
    let mut cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("checking");
    cockpit.keys("x");
    cockpit.wait_for("stopping it in the database");
    cockpit.wait_gone("checking");
    // A reader would stand in the way.
    sqlite.run("DELETE FROM things WHERE n = 3");
    cockpit.keys("c");
    cockpit.wait_for("1 violated");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
}

/// A preview that waits for a lock can be stopped too, and leaves nothing.
#[test]
fn a_preview_that_waits_for_a_lock_answers_keys() {
    let mut cockpit = demo(Home::new());
    let before = Facts::of(cockpit.home());
    to_change(&mut cockpit);
    let mut holder = Sqlite::open(&database(cockpit.home()));
    holder.run("BEGIN IMMEDIATE");
    cockpit.keys("enter");
    cockpit.wait_for("Running it for real");
    cockpit.keys("?");
    cockpit.wait_for("esc close");
    cockpit.keys("esc");
    cockpit.wait_gone("esc close");
    cockpit.keys("x");
    cockpit.wait_for("The preview failed; nothing was changed.");
    holder.run("ROLLBACK");
    drop(holder);
    leave(&mut cockpit);
    assert_eq!(Facts::of(cockpit.home()), before);
}
