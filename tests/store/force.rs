//! Whoever does not answer is replaced by typed words, here and in the store, and writes to neither again.

use std::fs;

use crate::common::walk::{hasty, leave, note};
use crate::common::{Cockpit, Home, Signal, WIDE};
use crate::ground::{INCIDENT, Store, first_in, journal, other};

const WORDS: &str = "take over INC-0002";

fn force(cockpit: &mut Cockpit) {
    cockpit.wait_for("does not answer");
    cockpit.type_text(WORDS);
    cockpit.wait_for(&format!("> {WORDS}"));
    cockpit.breathe();
    cockpit.keys("enter");
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
    force(&mut second);
    note(&mut second, "robin goes on alone");
    first.signal(Signal::CONT);
    first.wait_for("went on with this incident");
    first.keys("enter");
    let before = fs::read(journal(first.home())).expect("a journal");
    first.keys("]");
    first.breathe();
    assert_eq!(fs::read(journal(first.home())).expect("a journal"), before);
    note(&mut second, "and is not disturbed");
    leave(&mut second);
    leave(&mut first);
    let second = second.into_home();
    assert_eq!((store.count("record"), store.count("apart")), (lines(&second), 0));
    second.steadyhand(&["verify", INCIDENT]).assert().code(0);
}
