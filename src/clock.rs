//! The only caller of "now". Everything that decides takes the time as an argument.
//!
//! `STEADYHAND_CLOCK=2026-11-21T06:00:00Z` starts the clock of this process there, so that runs of
//! the whole program can be compared; it goes on from that instant.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

/// How far the clock of this process is from that of the machine.
static SHIFT: LazyLock<Mutex<SignedDuration>> = LazyLock::new(|| {
    let start = std::env::var("STEADYHAND_CLOCK").ok();
    let start = start.and_then(|text| text.parse::<Timestamp>().ok());
    let shift = start.map_or(SignedDuration::ZERO, |start| start.duration_since(Timestamp::now()));
    Mutex::new(shift)
});

pub fn now() -> Timestamp {
    // First the shift: it is worked out at the first look, and time goes on meanwhile.
    let shift = *SHIFT.lock().unwrap_or_else(PoisonError::into_inner);
    Timestamp::now() + shift
}

/// What the machine has stamped, a file for one, as this clock would have.
pub fn stamped(at: SystemTime) -> Option<Timestamp> {
    let shift = *SHIFT.lock().unwrap_or_else(PoisonError::into_inner);
    Timestamp::try_from(at).ok()?.checked_add(shift).ok()
}

/// Whether what was done at a time is so old by now. What seems to come later was done before the clock was
/// set back, and nobody knows how old it is.
pub fn is_past(at: Timestamp, length: SignedDuration, now: Timestamp) -> bool {
    let age = now.duration_since(at);
    age.is_negative() || age >= length
}

/// The clock of the machine was set, as far as this process can tell. For tests.
#[cfg(debug_assertions)]
pub fn jump(by: SignedDuration) {
    *SHIFT.lock().unwrap_or_else(PoisonError::into_inner) += by;
}
