//! Whoever does not answer is replaced by typed words, here and in the store, and writes to neither again.

use std::fs;

use crate::common::book::{COUNT, book, command};
use crate::common::walk::{RUNBOOK, demo, hasty, leave, note, run_command, take_over};
use crate::common::{Cockpit, Home, Signal, WIDE};
use crate::ground::{
    INCIDENT, Store, first_in, journal, kinds, other, other_by, other_with_a_wire, two_passes,
    with_store, writes_nothing,
};

const WORDS: &str = "take over INC-0002";

fn force(cockpit: &mut Cockpit) {
    take_over(cockpit, WORDS);
    cockpit.wait_for("taken up again");
}

fn lines(home: &Home) -> i64 {
    let text = fs::read_to_string(journal(home)).expect("a journal");
    i64::try_from(text.lines().count()).expect("a small number")
}

#[test]
fn who_takes_over_on_the_same_host_has_it_in_the_store_too() {
    let (store, mut first) = first_in(hasty(), Store::new());
    let mut second = first.beside("robin", &["watch", INCIDENT], WIDE);
    second.wait_for("held by casey on ");
    first.signal(Signal::STOP);
    second.keys("t");
    force(&mut second);
    note(&mut second, "robin goes on alone");
    // A third one, elsewhere, sees who works on it now, and what.
    let mut third = Cockpit::start_in(other(&store, &first), &["watch", INCIDENT], WIDE);
    third.wait_for("held by robin on ");
    third.wait_for("robin goes on alone");
    first.signal(Signal::CONT);
    first.wait_for("WATCHING");
    first.wait_for("held by robin on ");
    note(&mut second, "and is not disturbed");
    first.wait_for("and is not disturbed");
    third.wait_for("and is not disturbed");
    for watching in [&mut first, &mut third] {
        watching.keys("q");
        assert_eq!(watching.wait_code(), 0);
    }
    leave(&mut second);
    assert_eq!((store.count("record"), store.count("apart")), (lines(first.home()), 0));
    first.home().steadyhand(&["verify", INCIDENT]).assert().code(0);
}

#[test]
fn who_takes_over_from_another_host_has_it_and_the_former_writes_nothing_more() {
    let (store, mut first) = first_in(Home::new(), Store::new());
    let mut second = Cockpit::start_in(other(&store, &first), &["watch", INCIDENT], WIDE);
    second.wait_for("held by casey on ");
    // Whoever lives there is asked in another way.
    second.keys("t");
    second.wait_for("it is worked on on another host");
    first.signal(Signal::STOP);
    second.wait_for("no sign of life for");
    second.keys("t");
    second.wait_for("does not answer");
    // Whoever reads what it means takes their time.
    two_passes(&second);
    force(&mut second);
    note(&mut second, "robin goes on alone");
    first.signal(Signal::CONT);
    first.wait_for("took this incident over");
    writes_nothing(&mut first);
    note(&mut second, "and is not disturbed");
    leave(&mut second);
    leave(&mut first);
    let second = second.into_home();
    assert_eq!((store.count("record"), store.count("apart")), (lines(&second), 0));
    second.steadyhand(&["verify", INCIDENT]).assert().code(0);
}

fn the_first_is_not_disturbed(store: &Store, mut first: Cockpit) {
    first.signal(Signal::CONT);
    note(&mut first, "casey is not disturbed");
    leave(&mut first);
    assert_eq!((store.count("record"), store.count("apart")), (lines(first.home()), 0));
    assert!(!kinds(first.home()).contains(&"taken-over".to_owned()));
}

#[test]
fn a_store_that_cannot_be_reached_does_not_say_that_nobody_works_there() {
    let (store, first) = first_in(Home::new(), Store::new());
    let (second, wire) = other_with_a_wire(&store, &first);
    let mut second = Cockpit::start_in(second, &["watch", INCIDENT], WIDE);
    second.wait_for("held by casey on ");
    wire.refuse(true);
    wire.cut();
    second.wait_for("whoever worked there may still do");
    second.wait_for("no sign of life for");
    let card = second.home().steadyhand(&["handover", INCIDENT]).assert().code(0);
    let card = String::from_utf8_lossy(&card.get_output().stdout).into_owned();
    assert!(card.contains("casey on ") && !card.contains("nobody works on it"), "{card}");
    assert!(card.contains("when they have left") && !card.contains("asks for it"), "{card}");
    // Words alone do not end a session that nobody can reach.
    second.keys("t");
    take_over(&mut second, WORDS);
    second.wait_for("was not taken over");
    assert!(!kinds(second.home()).contains(&"taken-over".to_owned()));
    let mut again = Cockpit::start_in(second.into_home(), &["resume", INCIDENT], WIDE);
    again.wait_for("WATCHING");
    again.wait_for("held by casey on ");
    again.keys("q");
    assert_eq!(again.wait_code(), 0);
    the_first_is_not_disturbed(&store, first);
}

#[test]
fn whoever_may_not_end_the_session_of_the_holder_does_not_take_over() {
    let (store, first) = first_in(Home::new(), Store::new());
    store.server.role("robin", None);
    let mut admin = store.server.client("store");
    for sql in [
        "GRANT pg_read_all_stats TO robin",
        "GRANT USAGE ON SCHEMA steadyhand TO robin",
        "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA steadyhand TO robin",
    ] {
        admin.run(sql);
    }
    let url = store.server.tcp_url("robin", "127.0.0.1", store.server.port(), "store");
    let second = other_by(&url, &first);
    let mut second = Cockpit::start_in(second, &["watch", INCIDENT], WIDE);
    second.wait_for("held by casey on ");
    first.signal(Signal::STOP);
    second.wait_for("no sign of life for");
    second.keys("t");
    take_over(&mut second, WORDS);
    second.wait_for("was not taken over");
    assert!(second.screen().contains("the database says:"), "{}", second.screen());
    assert!(!kinds(second.home()).contains(&"taken-over".to_owned()));
    the_first_is_not_disturbed(&store, first);
}

/// What it started goes on while its cockpit is stopped.
#[test]
fn while_a_command_writes_on_another_host_nobody_takes_over() {
    let mut made = demo(Home::new());
    leave(&mut made);
    let (home, store) = (made.into_home(), Store::new());
    with_store(&home, &store.over_the_wire());
    let store = store.made(&home);
    let wait = command("wait", "Wait at the gate", &["cat", "gate"], false);
    home.write("books/asset-double-assignment.toml", &book(&[&wait, COUNT]));
    let gate = home.work().join("gate");
    rustix::fs::mkfifoat(rustix::fs::CWD, &gate, rustix::fs::Mode::RWXU).expect("a gate");
    let args = ["open", RUNBOOK, "--target", "erp-demo", "--runbooks", "books"];
    let mut first = Cockpit::start_in(home, &args, WIDE);
    first.wait_for("Wait at the gate");
    first.wait_for("milestone: detected");
    first.breathe();
    run_command(&mut first);
    let mut second = Cockpit::start_in(other(&store, &first), &["watch", INCIDENT], WIDE);
    second.wait_for("held by casey on ");
    second.wait_for("confirmed with");
    first.signal(Signal::STOP);
    second.wait_for("no sign of life for");
    second.keys("t");
    take_over(&mut second, WORDS);
    second.wait_for("is being executed; its outcome comes first");
    first.signal(Signal::CONT);
    fs::write(&gate, "open").expect("somebody waits there");
    first.wait_for("step wait done");
    leave(&mut first);
}
