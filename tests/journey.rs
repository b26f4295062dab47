//! What people do with the cockpit, from the first key to the last, on the demo's database.

mod common;

use std::time::{Duration, Instant};

use common::{Cockpit, Home, Size, WIDE};

/// The cockpit on a demo that is kept in the folder `demo` of its home.
fn demo(home: Home, size: Size, more: &[&str]) -> Cockpit {
    let kept = home.path("demo").to_string_lossy().into_owned();
    Cockpit::start_in(home, &[&["demo", "--keep", &kept], more].concat(), size)
}

#[test]
fn every_key_is_answered_when_it_comes() {
    let mut cockpit = demo(Home::new(), WIDE, &[]);
    cockpit.wait_for("What is wrong");
    let mut waits: Vec<Duration> = (0..20)
        .map(|number| {
            let (before, pressed) = (cockpit.bytes(), Instant::now());
            cockpit.keys(if number % 2 == 0 { "down" } else { "up" });
            cockpit.wait_answer(before).first - pressed
        })
        .collect();
    waits.sort_unstable();
    // A key that lies until the next second of the clock would make this some hundred milliseconds;
    // the worst of twenty is left out for machines that have other things to do.
    assert!(waits[15] < Duration::from_millis(250), "{waits:?}");
}
