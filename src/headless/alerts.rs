//! Alerts: told when a verdict changes, kept on disk until they arrive.
//!
//! `<state folder>/outbox/<alert>/`, one file a message, delivered in order but for one that is refused. A message is written
//! before the history forgets that it was due and removed after it arrived, so that a kill can make
//! one arrive twice, under the same id, but never not at all. What cannot be written is sent all the same.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::lock::plain;
use super::suite::{Looked, address};
use crate::clock;
use crate::config::Config;
use crate::config::runs::{Alert, Channel};
use crate::digest::sha256;
use crate::files::write_synced;
use crate::history::{Change, Run};
use crate::ops::Stopper;
use crate::ops::notify::{self, Message};
use crate::report::alert::{Event, Told};
use crate::rights;
use crate::source::Spot;
use crate::value::counted;

/// How long a run waits between its attempts; later runs try again.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// What a run spends at most on one alert.
const PATIENCE: Duration = Duration::from_secs(30);
/// News that is older is none.
const OLDEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

fn outbox(state: &Path) -> PathBuf {
    state.join("outbox")
}

/// Messages on their way.
#[derive(Debug, Default)]
pub struct Post {
    /// Lie in an outbox.
    kept: usize,
    /// Could not be put there, by the name of the alert, and why.
    loose: Vec<(String, Event, String)>,
}

impl Post {
    pub fn is_empty(&self) -> bool {
        self.kept == 0 && self.loose.is_empty()
    }

    /// Puts what changed into the outbox of everybody who wants to know; whether all of it is there.
    pub fn add(&mut self, looked: &Looked, changes: &[Change], run: &Run, config: &Config) -> bool {
        // One that is not configured may have the name of one that is.
        let target = address(&looked.target);
        let before = self.loose.len();
        for alert in &config.runs.alerts {
            let Some(event) = event(alert, looked, &target, changes, run) else { continue };
            match put(&config.state.value, alert, &event) {
                Ok(()) => self.kept += 1,
                Err(error) => self.loose.push((alert.name.clone(), event, error.to_string())),
            }
        }
        self.loose.len() == before
    }
}

/// What somebody wants to know of a run, if there is anything.
fn event(
    alert: &Alert,
    looked: &Looked,
    target: &str,
    changes: &[Change],
    run: &Run,
) -> Option<Event> {
    let wanted = |list: &[(String, Spot)], any: &dyn Fn(&String) -> bool| {
        list.is_empty() || list.iter().any(|(name, _)| any(name))
    };
    if !wanted(&alert.targets, &|name| name == target) {
        return None;
    }
    // A change that is found again, because what a run found was not taken in, has the same name.
    let mut name = format!("{}\n{target}\n", alert.name);
    let mut told_of = |change: &Change| {
        let outcome = looked.outcomes.iter().find(|one| one.check.id == change.check)?;
        let check = &outcome.check;
        // Whoever looks first settles the change for all, so what counts is whose check it is too.
        let is_theirs =
            wanted(&alert.suites, &|suite| run.is_of(suite) || check.suites.contains(suite));
        if !is_theirs || check.severity > alert.at_least {
            return None;
        }
        let (now, last) = (change.now.state.word(), change.last.unwrap_or(run.at));
        name.push_str(&format!("{} {now} {last}\n", check.id));
        Some(Told::of(outcome, change))
    };
    let changes: Vec<Told> = changes.iter().filter_map(&mut told_of).collect();
    let id = sha256(name.as_bytes())[..32].to_owned();
    (!changes.is_empty()).then(|| Event::of(id, run, target, changes))
}

fn put(state: &Path, alert: &Alert, event: &Event) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let stamp = format!("{:016}-{}-{number}", event.at.as_millisecond(), std::process::id());
    let folder = rights::folders(state, &["outbox", &plain(&alert.name)])?;
    write_synced(&folder.join(format!("{stamp}.json")), event.json().as_bytes())
}

pub fn are_waiting(state: &Path) -> bool {
    waiting(state) > 0
}

/// Messages that have not arrived.
pub fn waiting(state: &Path) -> usize {
    let folders = fs::read_dir(outbox(state)).into_iter().flatten().flatten();
    folders.map(|folder| messages(&folder.path()).len()).sum()
}

/// When the oldest message that has not arrived was written.
pub fn oldest(state: &Path) -> Option<Timestamp> {
    let folders = fs::read_dir(outbox(state)).into_iter().flatten().flatten();
    let events = folders.flat_map(|folder| messages(&folder.path())).filter_map(|path| read(&path));
    events.map(|event| event.at).min()
}

/// Tries to deliver all that waits; what did not work is told. Once stopped it begins nothing more.
pub async fn deliver(config: &Config, mut post: Post, stopper: &Stopper) -> Vec<String> {
    let mut under_way = tokio::task::JoinSet::new();
    for alert in config.runs.alerts.clone() {
        let folder = outbox(&config.state.value).join(plain(&alert.name));
        let stopper = stopper.clone();
        let is_theirs = |one: &mut (String, Event, String)| one.0 == alert.name;
        let loose: Vec<_> = post.loose.extract_if(.., is_theirs).collect();
        under_way.spawn_blocking(move || {
            let said = empty(&alert, &folder, &stopper);
            let loose = loose.iter().map(|(_, event, why)| at_once(&alert, event, why, &stopper));
            said.into_iter().chain(loose).collect::<Vec<_>>()
        });
    }
    let mut notes: Vec<String> = Vec::new();
    while let Some(done) = under_way.join_next().await {
        match done {
            Ok(found) => notes.extend(found),
            Err(error) => notes.push(format!("an alert could not be delivered: {error}")),
        }
    }
    let known = |name: &str| config.runs.alerts.iter().any(|alert| plain(&alert.name) == name);
    for folder in fs::read_dir(outbox(&config.state.value)).into_iter().flatten().flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        let left = messages(&folder.path()).len();
        if left > 0 && !known(&name) {
            notes.push(format!(
                "{} for {name}, which is not configured any more",
                counted(left, "alert")
            ));
        }
    }
    notes
}

/// Delivers a message that is nowhere else. The history did not take it in, so the next run tells it again.
fn at_once(alert: &Alert, event: &Event, why: &str, stopper: &Stopper) -> String {
    let done = persistently(&alert.channel, message(event), Instant::now(), stopper);
    let done = done.map_or_else(|failed| failed.to_string(), |()| "it arrived".into());
    format!(
        "alert {}: {done}, and could not be kept ({why}); the next run tells it again",
        alert.name
    )
}

/// Delivers what waits for one alert.
fn empty(alert: &Alert, folder: &Path, stopper: &Stopper) -> Option<String> {
    let start = Instant::now();
    // Another run that met our lock leaves to us what it wrote, even while we were letting go.
    while !messages(folder).is_empty() {
        let said = match take(folder) {
            Ok(Some(_lock)) => in_order(alert, folder, start, stopper),
            Ok(None) => return None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(said) = said {
            return Some(format!("alert {}: {said}", alert.name));
        }
    }
    None
}

/// The oldest first; what is worth knowing, which ends it.
fn in_order(alert: &Alert, folder: &Path, start: Instant, stopper: &Stopper) -> Option<String> {
    let (mut dropped, mut unreadable, mut overtaken) = (0, 0, 0);
    let mut said: Vec<String> = Vec::new();
    // Tried, and waiting for the next run.
    let mut failed = BTreeSet::new();
    // What another run adds while this one delivers is found by looking again.
    while let Some(path) = messages(folder).into_iter().find(|path| !failed.contains(path)) {
        let done = match read(&path) {
            None => {
                unreadable += 1;
                fs::rename(&path, path.with_extension("unreadable"))
            }
            Some(event) if clock::now().duration_since(event.at) > OLDEST => {
                dropped += 1;
                fs::remove_file(&path)
            }
            Some(_) if stopper.is_stopped() => {
                said.push("stopped".into());
                break;
            }
            Some(mut event) => {
                match persistently(&alert.channel, message(&event), start, stopper) {
                    Ok(()) => overtake(&mut failed, &event).and_then(|n| {
                        overtaken += n;
                        fs::remove_file(&path)
                    }),
                    Err(why) => {
                        if event.left != why.left {
                            event.left = why.left;
                            if let Err(error) = write_synced(&path, event.json().as_bytes()) {
                                said.push(format!("it stays for all of them: {error}"));
                            }
                        }
                        failed.insert(path);
                        if !said.contains(&why.why) {
                            said.push(why.why);
                        }
                        // One that is refused for what it says must not hold up all later ones.
                        if why.others_may && start.elapsed() < PATIENCE {
                            continue;
                        }
                        break;
                    }
                }
            }
        };
        if let Err(error) = done {
            said.push(format!("{} is done with, but stays: {error}", path.display()));
            break;
        }
    }
    let left = messages(folder).len();
    if left > 0 && !said.is_empty() {
        said.push(format!("{} kept, the next run tries again", counted(left, "alert")));
    }
    if dropped > 0 {
        let dropped = counted(dropped, "message");
        said.push(format!("{dropped} never arrived within 7 days and given up"));
    }
    if overtaken > 0 {
        let overtaken = counted(overtaken, "older message");
        said.push(format!(
            "{overtaken} given up, because a later one arrived that says how it is now"
        ));
    }
    if unreadable > 0 {
        let unreadable = counted(unreadable, "message");
        let folder = folder.display();
        said.push(format!("{unreadable} cannot be read, put aside in {folder} as .unreadable"));
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// Takes from older messages that wait what one that arrived has told anew: told afterwards, it would be the last
/// word. How many said nothing else.
fn overtake(older: &mut BTreeSet<PathBuf>, arrived: &Event) -> io::Result<usize> {
    let before = older.len();
    for path in older.clone() {
        let Some(mut event) = read(&path) else { continue };
        if event.target != arrived.target || event.at > arrived.at {
            continue;
        }
        let all = event.changes.len();
        event.changes.retain(|told| arrived.changes.iter().all(|new| new.check != told.check));
        if event.changes.is_empty() {
            fs::remove_file(&path)?;
            older.remove(&path);
        } else if event.changes.len() < all {
            write_synced(&path, event.json().as_bytes())?;
        }
    }
    Ok(before - older.len())
}

fn persistently(
    channel: &Channel,
    mut message: Message,
    start: Instant,
    stopper: &Stopper,
) -> Result<(), notify::Failed> {
    let mut pauses = PAUSES.into_iter();
    loop {
        match notify::send(channel, &message) {
            Ok(()) => return Ok(()),
            Err(failed) => match pauses.next() {
                Some(pause)
                    if !failed.lasts
                        && !stopper.is_stopped()
                        && start.elapsed() + pause < PATIENCE =>
                {
                    message.left = failed.left;
                    std::thread::sleep(pause);
                }
                _ => return Err(failed),
            },
        }
    }
}

fn message(event: &Event) -> Message {
    Message {
        id: event.id.clone(),
        subject: event.subject(),
        text: event.text(),
        slack: event.slack(),
        json: event.json(),
        left: event.left.clone(),
    }
}

fn read(path: &Path) -> Option<Event> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The messages of a folder in the order in which they were written.
fn messages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    found.sort();
    found
}

fn take(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = rights::open(&options, &path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        // Where the file system knows no locks, twice is better than never.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}
