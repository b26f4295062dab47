//! The files of a history: `<state folder>/history/<target>/<year>-<month>.jsonl`, one line a run.
//!
//! Plain lines and not a database: a line is appended and synced or it is not there, a kill can tear
//! only the last one, which is skipped; two programs take turns by a lock that dies with its holder;
//! and what is too old goes away as a whole month. `latest.json` only saves reading it all: it is
//! written after whatever follows from a run was taken care of, so a change of verdict that a kill
//! came upon is found again by the next run.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Change, Run, Standing};
use crate::files::append_line;
use crate::rights;

type Latest = BTreeMap<String, Standing>;

/// Histories are let go of by the month, so that a shorter time to keep says nothing.
const MONTH: Duration = Duration::from_hours(31 * 24);
/// How far apart the clocks of two hosts may be that share a state folder.
pub const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// The history of one target, held for one run.
#[derive(Debug)]
pub struct Book {
    folder: PathBuf,
    /// Dies with us.
    _lock: File,
    latest: Latest,
}

/// Where the history of a target lies.
pub fn folder(state: &Path, slug: &str) -> PathBuf {
    state.join("history").join(slug)
}

impl Book {
    /// Opens a history to add to it; waits while another run adds to it.
    pub fn open(state: &Path, slug: &str) -> io::Result<Self> {
        let folder = rights::folders(state, &["history", slug])?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let lock = rights::open(&options, &folder.join("lock"))?;
        lock.lock()?;
        let latest = match latest(&folder) {
            Some(latest) => latest,
            // Written at once: what the first run finds is no news to one that takes it from the lines.
            None => {
                let latest = anew(&folder)?;
                put_down(&folder, &latest)?;
                latest
            }
        };
        Ok(Self { folder, _lock: lock, latest })
    }

    /// Which verdicts of a run are other ones than before. At the first run, those that are not
    /// clear.
    pub fn changes(&self, run: &Run) -> Vec<Change> {
        changed(&self.latest, run)
    }

    pub fn append(&self, run: &Run) -> io::Result<()> {
        let line = serde_json::to_string(run).map_err(io::Error::other)?;
        append_line(&self.folder.join(month(run.at) + ".jsonl"), &line)
    }

    /// Takes the run into the standings, and lets go of months that are older than `keep`. A clock that is
    /// wrong once must not take all that is remembered: months go only where another day speaks for the time.
    pub fn settle(mut self, run: &Run, keep: Duration) -> io::Result<()> {
        take_in(&mut self.latest, run);
        put_down(&self.folder, &self.latest)?;
        let oldest = month(back(run.at, keep));
        let mut old = months(&self.folder)?;
        old.retain(|(name, _)| *name < oldest);
        if old.is_empty() {
            return Ok(());
        }
        let lately = read(&self.folder, back(run.at, keep.max(MONTH)))?;
        let other_day = |other: &Run| run.at.duration_since(other.at) >= super::DAY;
        if lately.runs.iter().any(other_day) {
            old.into_iter().try_for_each(|(_, path)| fs::remove_file(path))?;
        }
        Ok(())
    }
}

/// The same where the history cannot be opened to add to it, as far as it can be read.
pub fn changes(folder: &Path, run: &Run) -> Vec<Change> {
    changed(&standings(folder).unwrap_or_default(), run)
}

fn changed(latest: &Latest, run: &Run) -> Vec<Change> {
    let change = |seen: &super::Seen| {
        let before = latest.get(&seen.check);
        if before.is_some_and(|before| before.is_younger_than(run.at)) {
            return None;
        }
        let now = Standing::after(before, seen, run.at);
        let last = before.map(|before| before.at);
        let before = before.map(|before| before.state);
        let is_news = before.map_or(seen.state != super::State::Clear, |it| it != seen.state);
        is_news.then(|| Change { check: seen.check.clone(), before, last, now })
    };
    run.said().filter_map(change).collect()
}

fn put_down(folder: &Path, latest: &Latest) -> io::Result<()> {
    let text = serde_json::to_string(latest).map_err(io::Error::other)?;
    let next = folder.join("latest.json.next");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    rights::open(&options, &next)?.write_all(text.as_bytes())?;
    fs::rename(&next, folder.join("latest.json"))
}

/// How all checks of a target stand.
pub fn standings(folder: &Path) -> io::Result<Latest> {
    latest(folder).map_or_else(|| anew(folder), Ok)
}

/// What was read, and how many lines could not be.
#[derive(Debug, Default)]
pub struct Past {
    pub runs: Vec<Run>,
    pub unreadable: usize,
}

/// The runs of a target from a time on, the oldest first.
pub fn read(folder: &Path, since: Timestamp) -> io::Result<Past> {
    let mut past = Past::default();
    let first = month(since);
    for (_, path) in months(folder)?.into_iter().filter(|(name, _)| *name >= first) {
        let bytes = fs::read(path)?;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Run>(line) {
                Ok(run) if run.at >= since => past.runs.push(run),
                Ok(_) => {}
                Err(_) => past.unreadable += 1,
            }
        }
    }
    past.runs.sort_by_key(|run| run.at);
    Ok(past)
}

/// The last run of a target until a time, of a suite if one is named.
pub fn last(folder: &Path, suite: Option<&str>, until: Timestamp) -> io::Result<Option<Run>> {
    let wanted = |run: &Run| run.at <= until && suite.is_none_or(|suite| run.is_of(suite));
    find(folder, Timestamp::MIN, wanted)
}

/// A run that was filed under a time that is still to come, by a clock that was wrong.
pub fn ahead(folder: &Path, now: Timestamp) -> io::Result<Option<Run>> {
    find(folder, now, |run| run.at.duration_since(now) > SKEW)
}

/// The last run that is wanted, in this month and later ones.
fn find(folder: &Path, since: Timestamp, wanted: impl Fn(&Run) -> bool) -> io::Result<Option<Run>> {
    let first = month(since);
    for (_, path) in months(folder)?.into_iter().filter(|(name, _)| *name >= first).rev() {
        let bytes = fs::read(path)?;
        // The lines stand in the order of their end, which is good enough to look from behind.
        let lines = bytes.split(|byte| *byte == b'\n').rev();
        let found = lines.filter_map(|line| serde_json::from_slice::<Run>(line).ok()).find(&wanted);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn back(at: Timestamp, length: Duration) -> Timestamp {
    at.saturating_sub(length).unwrap_or(Timestamp::MIN)
}

/// The folders of all targets that have a history.
pub fn folders(state: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    match fs::read_dir(state.join("history")) {
        Ok(entries) => {
            for entry in entries {
                found.push(entry?.path());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    found.retain(|path| path.is_dir());
    found.sort();
    Ok(found)
}

fn take_in(latest: &mut Latest, run: &Run) {
    for seen in run.said() {
        let before = latest.get(&seen.check);
        if before.is_none_or(|before| !before.is_younger_than(run.at)) {
            latest.insert(seen.check.clone(), Standing::after(before, seen, run.at));
        }
    }
}

fn latest(folder: &Path) -> Option<Latest> {
    serde_json::from_slice(&fs::read(folder.join("latest.json")).ok()?).ok()
}

fn anew(folder: &Path) -> io::Result<Latest> {
    let mut latest = Latest::new();
    for run in read(folder, Timestamp::MIN)?.runs {
        take_in(&mut latest, &run);
    }
    Ok(latest)
}

fn month(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

/// The files of a folder by their month, in order.
fn months(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let month = name.as_deref().and_then(|name| name.strip_suffix(".jsonl"));
        if let Some(month) = month {
            found.push((month.to_owned(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Seen, State};
    use super::*;
    use crate::check::Severity;

    fn run(at: &str, state: State) -> Run {
        let seen = Seen {
            check: "c".into(),
            severity: Severity::Sev2,
            state,
            number: Some(1.0),
            at_least: false,
            seconds: 0.1,
            reason: None,
        };
        Run {
            at: at.parse().unwrap(),
            seconds: 1.0,
            target: "erp".into(),
            environment: String::new(),
            suites: vec!["nightly".into()],
            cut: false,
            seen: vec![seen],
        }
    }

    fn record(state: &Path, run: &Run) -> Vec<Change> {
        let book = Book::open(state, "erp").unwrap();
        let changes = book.changes(run);
        book.append(run).unwrap();
        book.settle(run, Duration::from_hours(24 * 60)).unwrap();
        changes
    }

    #[test]
    fn a_change_is_told_once_and_old_months_go() {
        let state = tempfile::tempdir().unwrap();
        let told = |at, now| record(state.path(), &run(at, now)).len();
        assert_eq!(told("2026-01-31T23:00:00Z", State::Clear), 0);
        assert_eq!(told("2026-02-01T23:00:00Z", State::Violated), 1);
        assert_eq!(told("2026-02-02T23:00:00Z", State::Violated), 0);
        assert_eq!(told("2026-06-02T23:00:00Z", State::Clear), 1);
        let folder = folder(state.path(), "erp");
        assert_eq!(months(&folder).unwrap().len(), 3, "a clock may be wrong for a night");
        assert_eq!(told("2026-06-03T23:00:00Z", State::Clear), 0);
        assert_eq!(months(&folder).unwrap().len(), 1);
        assert!(standings(&folder).unwrap()["c"].last_clear.is_some());
    }

    #[test]
    fn a_torn_line_is_skipped_and_the_next_run_starts_a_new_one() {
        let state = tempfile::tempdir().unwrap();
        record(state.path(), &run("2026-02-01T23:00:00Z", State::Clear));
        let folder = folder(state.path(), "erp");
        let path = folder.join("2026-02.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"at\":\"2026").unwrap();
        record(state.path(), &run("2026-02-02T23:00:00Z", State::Violated));
        let past = read(&folder, Timestamp::MIN).unwrap();
        assert_eq!((past.runs.len(), past.unreadable), (2, 1));
        let last = last(&folder, Some("nightly"), Timestamp::MAX).unwrap().unwrap();
        assert_eq!(last.seen[0].state, State::Violated);
    }

    /// Two hosts with one state folder: the run that began first ends last.
    #[test]
    fn an_older_look_takes_nothing_back() {
        let state = tempfile::tempdir().unwrap();
        let told = |at, now| record(state.path(), &run(at, now)).len();
        assert_eq!(told("2026-02-01T23:05:00Z", State::Violated), 1);
        assert_eq!(told("2026-02-01T23:00:00Z", State::Clear), 0);
        assert_eq!(told("2026-02-01T23:10:00Z", State::Violated), 0);
        // What a clock of next year said is no later look.
        assert_eq!(told("2027-02-01T23:00:00Z", State::Clear), 1);
        assert_eq!(told("2026-02-02T23:00:00Z", State::Violated), 1);
    }

    #[test]
    fn a_run_that_died_before_it_was_settled_is_told_again() {
        let state = tempfile::tempdir().unwrap();
        record(state.path(), &run("2026-02-01T23:00:00Z", State::Clear));
        let bad = run("2026-02-02T23:00:00Z", State::Violated);
        Book::open(state.path(), "erp").unwrap().append(&bad).unwrap();
        assert_eq!(record(state.path(), &run("2026-02-03T23:00:00Z", State::Violated)).len(), 1);
        fs::remove_file(folder(state.path(), "erp").join("latest.json")).unwrap();
        assert_eq!(record(state.path(), &run("2026-02-04T23:00:00Z", State::Violated)).len(), 0);
    }
}
