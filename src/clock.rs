//! The only caller of "now". Everything that decides takes the time as an argument.
//!
//! `STEADYHAND_CLOCK=2026-11-21T06:00:00Z` starts the clock of this process there, so that runs of
//! the whole program can be compared; it goes on from that instant.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};

pub fn now() -> Timestamp {
    static SHIFT: OnceLock<SignedDuration> = OnceLock::new();
    let shift = SHIFT.get_or_init(|| {
        std::env::var("STEADYHAND_CLOCK")
            .ok()
            .and_then(|text| text.parse::<Timestamp>().ok())
            .map_or(SignedDuration::ZERO, |start| start.duration_since(Timestamp::now()))
    });
    Timestamp::now() + *shift
}
