//! Wake: when the loop has something to do although nothing happens. Between two such moments the
//! program sleeps, and the terminal hears nothing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::app::{App, Screen};
use super::screen::server;

/// The age of a value may be told so late.
const AT_MOST: i64 = 10;
/// So long a toast is shown.
pub const SHOWN: i64 = 8;

/// How long nothing has to be done.
pub fn next(app: &App, now: Timestamp) -> Duration {
    let mut soonest = AT_MOST;
    let mut by = |seconds: i64| soonest = soonest.min(seconds.max(1));
    if is_watched(app) {
        by(1);
    }
    if let Some(toast) = &app.toast {
        by(SHOWN - age(toast.at, now));
    }
    if let Some(case) = app.case.as_ref().filter(|case| case.incident.is_open()) {
        if let Some(opened) = case.incident.opened {
            by(60 - age(opened, now).rem_euclid(60));
        }
        if let Some(due) = super::view::update_due(app, case) {
            match -age(due, now) {
                ..=-1 => by(60 - age(due, now).rem_euclid(60)),
                0..=61 => by(1),
                left => by((left - 1).rem_euclid(60) + 1),
            }
        }
        let watching = matches!(app.screen, Screen::Step | Screen::Violations);
        let live = case.check_of_step().filter(|_| watching).and_then(|check| case.live.get(check));
        if let (Some(every), Some(at)) = (case.interval(), live.and_then(|live| live.at)) {
            let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
            by(every - age(at, now));
        }
        if case.is_on_server() {
            let seen = case.watch.seen.as_ref().map_or(0, |(at, _)| age(*at, now));
            by(server::every(app) - seen);
        }
    }
    Duration::from_secs(u64::try_from(soonest).unwrap_or(1))
}

/// Somebody sees a second go by: something runs, or a text is being written that must not be lost.
fn is_watched(app: &App) -> bool {
    let home = &app.home;
    let surveying = home.health.iter().any(|health| health.running.is_some());
    let busy = app.case.as_ref().is_some_and(|case| case.is_busy() || case.counts_down(app.now));
    let writing = app.overlay.is_some() || app.explaining.is_some();
    home.preparing
        || home.opening.is_some()
        || surveying
        || busy
        || writing
        || app.leaving.is_some()
}

fn age(at: Timestamp, now: Timestamp) -> i64 {
    let age: SignedDuration = now.duration_since(at);
    age.as_secs()
}
