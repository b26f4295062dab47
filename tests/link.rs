//! What a slow or broken link makes of the screen: nothing goes over it while nothing changes, no key
//! that was on its way opens anything, and whoever comes back finds the whole picture.

mod common;

use std::time::{Duration, Instant};

use common::walk::{Facts, demo, leave, preview, to_change};
use common::{COMPACT, Cockpit, Home, Signal, WIDE};

/// How often the whole picture was drawn anew.
fn pictures(cockpit: &Cockpit) -> usize {
    cockpit.raw_output().windows(4).filter(|bytes| bytes == b"\x1b[2J").count()
}

fn wait_for_picture(cockpit: &Cockpit, after: usize) {
    cockpit.wait_output(after, "a whole picture", |sent| {
        sent.contains("\x1b[2J") && sent.ends_with("\x1b[?2026l")
    });
}

/// Silence cannot be waited for as a text can; three seconds of it are what is seen here.
#[test]
#[cfg(target_os = "linux")]
fn while_nothing_changes_nothing_is_sent_and_nobody_wakes() {
    const WATCHED: Duration = Duration::from_secs(3);
    let mut cockpit = demo(Home::new());
    cockpit.keys("]");
    cockpit.wait_for("12 violations");
    cockpit.keys("v");
    cockpit.wait_for("of 12, exact");
    // What was said at the beginning is taken away after a while.
    cockpit.bytes_during(Duration::from_secs(1));
    let naps = cockpit.naps();
    let bytes = cockpit.bytes_during(WATCHED);
    let naps = cockpit.naps() - naps;
    assert_eq!(bytes, 0, "{}", cockpit.raw_output().escape_ascii());
    // The check that this page is about may have run once meanwhile.
    assert!(naps <= 30, "{naps} wake-ups");
    #[allow(clippy::print_stdout, reason = "the figure is of interest")]
    {
        println!("{naps} wake-ups in {WATCHED:?}");
    }
    leave(&mut cockpit);
}

/// What is typed into a link that takes no pictures was meant for what is still on the screen: neither
/// for a box that opens in the next one ...
#[test]
#[cfg(target_os = "linux")]
fn keys_typed_into_a_stalled_link_confirm_nothing() {
    let mut cockpit = demo(Home::new());
    let before = Facts::of(cockpit.home());
    to_change(&mut cockpit);
    preview(&mut cockpit);
    cockpit.stall();
    cockpit.keys("ctrl-r");
    wait_for_stall(&cockpit);
    cockpit.send(b"\rerp-demo 26");
    cockpit.breathe();
    cockpit.send(b"\r");
    cockpit.breathe();
    cockpit.flow();
    cockpit.wait_for("esc leaves it alone");
    cockpit.keys("esc");
    cockpit.wait_for("enter confirm");
    assert!(!cockpit.screen().contains("mistyped"), "{}", cockpit.screen());
    assert_eq!(Facts::of(cockpit.home()), before);
    leave(&mut cockpit);
}

/// ... nor for one whose own picture is held up.
#[test]
#[cfg(target_os = "linux")]
fn keys_typed_before_a_box_is_seen_are_not_for_it() {
    /// As long as a picture may take whose box still takes what was typed meanwhile, and more.
    const LONG: Duration = Duration::from_millis(700);
    let mut cockpit = demo(Home::new());
    to_change(&mut cockpit);
    preview(&mut cockpit);
    cockpit.stall();
    cockpit.keys("enter");
    wait_for_stall(&cockpit);
    cockpit.send(b"erp-demo");
    let start = Instant::now();
    while start.elapsed() < LONG {
        cockpit.breathe();
    }
    cockpit.flow();
    cockpit.wait_for("esc leaves it alone");
    // It is here before the program knows that it was taken.
    cockpit.breathe();
    cockpit.type_text(" 26");
    cockpit.breathe();
    assert!(!cockpit.screen().contains("> erp-demo"), "{}", cockpit.screen());
    cockpit.keys("esc");
    cockpit.wait_for("enter confirm");
    leave(&mut cockpit);
}

#[cfg(target_os = "linux")]
fn wait_for_stall(cockpit: &Cockpit) {
    cockpit.wait_until("a picture that is not taken", |_| {
        cockpit.waits_in("tty") || cockpit.waits_in("wait_woken")
    });
}

/// However slow this machine is: no two pictures follow each other sooner than a program may draw that
/// sees a window being dragged.
#[test]
fn a_storm_of_sizes_ends_in_one_picture() {
    const BETWEEN: u128 = 20;
    let mut cockpit = demo(Home::new());
    let (before, start) = (pictures(&cockpit), Instant::now());
    for width in 0..100 {
        cockpit.resize((40 + width, 10 + width / 4));
    }
    cockpit.resize(COMPACT);
    cockpit.wait_for("Take the incident");
    cockpit.wait_until("the keys in the last line", |screen| {
        screen.lines().last().is_some_and(|line| line.contains("enter done, go on"))
    });
    let (drawn, took) = (pictures(&cockpit) - before, start.elapsed());
    // The first needs no wait before it, and the last may not be waited for.
    let most = took.as_millis() / BETWEEN + 2;
    assert!(drawn as u128 <= most, "{drawn} pictures of 101 sizes in {took:?}");
    leave(&mut cockpit);
}

/// A reader that hears of the size first would find the key only with the next one.
#[test]
fn a_key_that_comes_with_a_new_size_is_not_left_lying() {
    let mut cockpit = demo(Home::new());
    for round in 0..100 {
        cockpit.resize((100 + round % 2, 30));
        cockpit.send(b"J");
        cockpit.wait_for("changes decisions");
        cockpit.keys("esc");
        cockpit.wait_for("enter done, go on");
    }
    leave(&mut cockpit);
}

/// Stopped by somebody else, a shell or a debugger, who leaves the terminal as they like it.
#[test]
fn after_a_stop_the_terminal_is_taken_again_and_the_picture_is_whole() {
    let mut cockpit = demo(Home::new());
    let before = cockpit.bytes();
    cockpit.signal(Signal::STOP);
    cockpit.stty(&["sane"]);
    cockpit.signal(Signal::CONT);
    wait_for_picture(&cockpit, before);
    cockpit.wait_for("Take the incident");
    // In a cooked terminal no key would arrive without enter.
    leave(&mut cockpit);
    assert!(cockpit.is_restored());
}

/// tmux and the like change nothing but say that the size may have changed.
#[test]
fn a_size_that_is_the_same_draws_the_whole_picture() {
    let mut cockpit = Cockpit::start(&["demo"], WIDE);
    cockpit.wait_for("What is wrong");
    let before = cockpit.bytes();
    cockpit.signal(Signal::WINCH);
    wait_for_picture(&cockpit, before);
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
}
