//! The night: every fault at every moment of a change, of its undo and of both in chunks, on every
//! engine, and what must hold after it.
//!
//! A moment is a record of the journal, where the program stops and waits for what happens to it, or a
//! message to the server. Afterwards the database holds the state before or the state after (of each
//! chunk) and nothing else, nobody's rows are locked, the journal verifies, who resumes is told the
//! truth, brings the work to its end and finds nothing done twice, no session of ours is left, and a
//! terminal that is still there is as it was.
//!
//! `STEADYHAND_CAMPAIGN=400` runs so many faults on each engine, `STEADYHAND_FROM=400` the ones after the
//! first 400, `STEADYHAND_SEED=7` others, `STEADYHAND_FAULT="network stalled"` those of one kind among
//! them; without them it is the short form, which leaves out the network that stalls: minutes of waiting.
//! What a run is depends on its seed, its number and how many messages a work sends, so parts
//! add up, and a run that fails can be seen again by itself. The table of all parts lies in
//! `target/campaign-SEED.md`, or in the folder that `STEADYHAND_CAMPAIGN_REPORT` names.

#![cfg(debug_assertions)]
#![allow(clippy::print_stdout, reason = "the table is what the long form is for")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod ground;
mod night;
mod plan;
mod table;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ground::Ground;
use night::{Night, States, reference};
use plan::{Fault, Plan, Work};
use steadyhand::dialect::Dialect;
use table::Lines;

/// Grounds of an engine that are worked on at once: most of a night is waiting.
const GROUNDS: usize = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("it is a number"))
}

fn campaign(dialect: Dialect, short: u64) {
    let (long, seed) = (number("STEADYHAND_CAMPAIGN"), number("STEADYHAND_SEED").unwrap_or(11));
    let from = number("STEADYHAND_FROM").unwrap_or(0);
    let only = std::env::var("STEADYHAND_FAULT").ok();
    let end = from + long.unwrap_or(short);
    let lines = Lines::open(dialect, seed, from);
    let ground = Ground::new(dialect);
    let known: BTreeMap<Work, (States, usize)> = Work::ALL
        .map(|work| {
            let known = reference(&ground, work);
            (work, known.unwrap_or_else(|why| panic!("{dialect}, {work} without a fault: {why}")))
        })
        .into();
    let (next, ran) = (AtomicU64::new(from), AtomicU64::new(0));
    let wrong = Mutex::new(Vec::new());
    let work_off = |mut ground: Ground| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return;
            }
            let plan = Plan::draw(dialect, seed, number, |work| known[&work].1);
            let is_asked_for = only.as_ref().is_none_or(|fault| plan.fault.to_string() == *fault);
            // Minutes of waiting belong into the long form.
            if !is_asked_for || plan.fault == Fault::Stalled && long.is_none() {
                continue;
            }
            ran.fetch_add(1, Ordering::Relaxed);
            let start = Instant::now();
            let states = &known[&plan.work].0;
            let mut night = Night { ground: &mut ground, plan: &plan, states };
            let outcome = catch_unwind(AssertUnwindSafe(|| night.run()));
            let outcome = outcome.unwrap_or_else(|panic| Err(said(&*panic)));
            let broken = outcome.err();
            lines.note(&plan, start.elapsed().as_secs_f64(), broken.as_deref());
            if let Some(why) = broken {
                println!("{dialect}, seed {seed}, {plan}: {why}");
                wrong.lock().unwrap().push(format!("{plan}: {why}"));
                // Whatever it was must not stand in the way of the next.
                ground = Ground::new(dialect);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..GROUNDS {
            scope.spawn(|| work_off(Ground::new(dialect)));
        }
        work_off(ground);
    });
    println!("{dialect}, seed {seed}: {}", lines.summary());
    table::write(seed);
    assert!(ran.into_inner() > 0, "there is no such fault among them");
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[test]
fn on_sqlite() {
    campaign(Dialect::Sqlite, 7);
}

#[test]
fn on_postgresql() {
    campaign(Dialect::Postgres, 13);
}

#[test]
fn on_mariadb() {
    campaign(Dialect::Mariadb, 13);
}
