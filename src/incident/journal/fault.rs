//! Trouble at a chosen record, for tests of the whole program: `STEADYHAND_KILL=after:commit-sent` or
//! `before:ended`, of one chunk as `after:chunk-sent:3`; with `STEADYHAND_PANIC` a panic instead, with `STEADYHAND_HALT` a stop from which
//! only SIGCONT leads on, with `STEADYHAND_JUMP` a clock that goes back. Not in release builds.

#[cfg(debug_assertions)]
use rustix::process::{Signal, getpid, kill_process};

use crate::incident::entry::Entry;

pub fn before(entry: &Entry) {
    at("before", entry);
}

pub fn after(entry: &Entry) {
    at("after", entry);
}

#[cfg(debug_assertions)]
fn at(when: &str, entry: &Entry) {
    let here = format!("{when}:{}", entry.kind());
    let of_chunk = match entry {
        Entry::ChunkSent { chunk, .. } | Entry::ChunkEnded { chunk, .. } => {
            format!("{here}:{chunk}")
        }
        _ => here.clone(),
    };
    let asked =
        |name: &str| std::env::var(name).is_ok_and(|asked| asked == here || asked == of_chunk);
    assert!(!asked("STEADYHAND_PANIC"), "a panic that was asked for");
    for (name, signal) in [("STEADYHAND_KILL", Signal::KILL), ("STEADYHAND_HALT", Signal::STOP)] {
        if asked(name) {
            let _ = kill_process(getpid(), signal);
        }
    }
    if asked("STEADYHAND_JUMP") {
        crate::clock::jump(jiff::SignedDuration::from_hours(-2));
    }
}

#[cfg(not(debug_assertions))]
fn at(_when: &str, _entry: &Entry) {}
