//! A run of checks on targets, as `check` and `gate` do it: the locks, the run itself, and its place in
//! the history.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Out;
use super::alerts::{self, Post};
use super::chosen::{LeftOut, checks, sorted, targets};
use super::interrupts::Interrupts;
use super::lock::{self, Lock, Taken};
use crate::catalogue::Catalogue;
use crate::check::{Check, Finding};
use crate::clock;
use crate::config::{Config, Environment, Origin, Target};
use crate::dialect::Dialect;
use crate::digest::sha256;
use crate::exit::Exit;
use crate::history::store::{self, Book};
use crate::history::{self, Run as Past, Seen, State};
use crate::ops::Stopper;
use crate::ops::suite::{self, Job, Limits, News};
use crate::problem::Problem;
use crate::report::{Outcome, Totals, text};
use crate::source::duration_text;
use crate::value::counted;

/// What is to be run.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Names, URLs or paths; all configured targets if there is none and no environment.
    pub targets: Vec<String>,
    pub environments: Vec<Environment>,
    pub suites: Vec<String>,
    pub checks: Vec<String>,
    /// Instead of those that the targets name.
    pub packs: Vec<String>,
    pub connections: Option<usize>,
    pub budget: Option<Duration>,
}

/// A target, and what came of its checks.
#[derive(Debug)]
pub struct Looked {
    pub target: Target,
    /// Its name, or its place where another target of the run has the same name.
    pub label: String,
    /// Engine, version and server; empty if it was not reached.
    pub seen: String,
    /// What the server says that it is; what the url says if it was not reached.
    pub dialect: Dialect,
    pub outcomes: Vec<Outcome>,
    pub disabled: Vec<Check>,
}

impl Looked {
    /// Leaves out what nobody named and what has nothing to ask on the server that was found; how many
    /// those are.
    fn leave_out(&mut self, asked: &Asked) -> usize {
        let before = self.outcomes.len();
        let is_meant =
            |check: &Check| check.is_for(self.dialect) || asked.checks.contains(&check.id);
        self.outcomes.retain(|one| is_meant(&one.check));
        before - self.outcomes.len()
    }
}

#[derive(Debug)]
pub struct Run {
    pub at: Timestamp,
    /// Those that were asked for; none where checks were named.
    pub suites: Vec<String>,
    pub looked: Vec<Looked>,
    pub seconds: f64,
    pub is_cut: bool,
    pub left_out: LeftOut,
    /// What is worth knowing and is no verdict.
    pub notes: Vec<String>,
}

impl Run {
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> + Clone {
        self.looked.iter().flat_map(|looked| &looked.outcomes)
    }

    pub fn totals(&self, map: &[(Exit, Exit)]) -> Totals {
        let mapped = |exit| map.iter().find(|(from, _)| *from == exit).map_or(exit, |(_, to)| *to);
        let mut totals = Totals::of(self.outcomes(), self.looked.len(), self.seconds, mapped);
        totals.disabled = self.looked.iter().map(|looked| looked.disabled.len()).sum();
        totals.elsewhere = self.left_out.elsewhere;
        totals.other_packs = self.left_out.other_packs;
        if self.is_cut {
            totals.exit = Exit::Interrupted;
        }
        totals
    }
}

/// Runs everything; `on_target` hears of each target when it is done, in the order of the asking.
pub async fn run(
    asked: &Asked,
    config: &Config,
    catalogue: &Catalogue,
    kept: usize,
    out: &mut Out,
    mut on_target: impl FnMut(&mut Looked, &mut Out) -> Result<(), Problem>,
) -> Result<Run, Problem> {
    let start = Instant::now();
    let at = clock::now();
    let targets = targets(asked, config)?;
    let checks = checks(asked, catalogue)?;
    let stopper = Stopper::default();
    // From here on an interrupt ends what is under way in order.
    let mut interrupts = Interrupts::listen()?;
    let left_out = LeftOut::default();
    let suites = asked.suites.clone();
    let mut run =
        Run { at, suites, looked: vec![], seconds: 0.0, is_cut: false, left_out, notes: vec![] };
    let mut locks = Vec::new();
    let mut jobs = Vec::new();
    // Which target a job is of; a target that is locked has none.
    let mut places = Vec::new();
    let labels = labels(&targets);
    for (target, label) in targets.into_iter().zip(labels) {
        let (run_here, disabled) = sorted(&checks, asked, &target, &mut run.left_out);
        let held = hold(&target, &label, asked, config, at, &mut run.notes, &mut locks);
        let outcome = |check: &Arc<Check>| Outcome {
            check: Arc::clone(check),
            target: label.clone(),
            address: address(&target),
            finding: Finding::unseen(held.as_deref().unwrap_or("not asked yet")),
            snapshot: None,
            server: None,
            ruling: None,
        };
        let outcomes = run_here.iter().map(|check| outcome(check)).collect();
        if held.is_none() {
            places.push(run.looked.len());
            jobs.push(Job {
                target: target.clone(),
                checks: run_here.into_iter().cloned().collect(),
            });
        }
        let disabled = disabled.into_iter().map(|check| Check::clone(check)).collect();
        let (seen, dialect) = (String::new(), target.url.dialect);
        run.looked.push(Looked { target, label, seen, dialect, outcomes, disabled });
    }
    let limits = Limits {
        connections: asked.connections.unwrap_or_else(|| config.runs.connections()),
        budget: asked.budget.unwrap_or_else(|| config.runs.budget()),
        kept,
    };
    let mut left: Vec<usize> = vec![0; run.looked.len()];
    for (job, place) in jobs.iter().zip(&places) {
        left[*place] = job.checks.len();
    }
    let all: usize = left.iter().sum();
    let mut told = 0;
    let mut failed = None;
    let mut tell = |run: &mut Run, left: &[usize], out: &mut Out| {
        while told < run.looked.len() && left[told] == 0 {
            let looked = &mut run.looked[told];
            run.left_out.elsewhere += looked.leave_out(asked);
            if failed.is_none() {
                failed = on_target(looked, out).err();
            }
            told += 1;
        }
    };
    let words = words(&run, all);
    out.progress(&format!("{words} ..."));
    tell(&mut run, &left, out);
    {
        let running = suite::run(jobs, limits, &stopper, |news| match news {
            News::Reached { job, dialect, server, version } => {
                let looked = &mut run.looked[places[job]];
                looked.dialect = dialect;
                // MySQL and MariaDB say themselves which one they are.
                let is_said = version.starts_with(dialect.name());
                let seen = format!("{version}, {server}");
                looked.seen = if is_said { seen } else { format!("{dialect} {seen}") };
                looked
                    .outcomes
                    .iter_mut()
                    .for_each(|outcome| outcome.server = Some(server.clone()));
            }
            News::Unreached { job, hint } => {
                let label = &run.looked[places[job]].label;
                run.notes.push(format!("{label}: {hint}"));
            }
            News::Found { job, check, finding, snapshot } => {
                let place = places[job];
                let outcome = &mut run.looked[place].outcomes[check];
                (outcome.finding, outcome.snapshot) = (*finding, snapshot);
                left[place] -= 1;
                let done = all - left.iter().sum::<usize>();
                tell(&mut run, &left, out);
                if done < all {
                    out.progress(&format!("{words}, {done} done ..."));
                }
            }
        });
        interrupts.over(running, &stopper).await?;
    }
    run.seconds = start.elapsed().as_secs_f64();
    run.is_cut = stopper.is_stopped();
    let post = record(&mut run, asked, config, &places);
    // What is in the history and in the outbox needs no lock any more, and who is told may be slow.
    drop(locks);
    if !post.is_empty() || alerts::are_waiting(&config.state.value) {
        let stopper = Stopper::default();
        let notes = interrupts.over(alerts::deliver(config, post, &stopper), &stopper).await?;
        run.notes.extend(notes);
    }
    // A result that cannot be written is no reason to forget the run, or to tell nobody of it.
    let Some(problem) = failed else { return Ok(run) };
    for note in &run.notes {
        out.say(&format!("note: {note}"));
    }
    Err(problem)
}

fn words(run: &Run, checks: usize) -> String {
    match run.looked.as_slice() {
        [one] => format!("{}: {}", one.label, counted(checks, "check")),
        many => {
            format!("{} on {}", counted(checks, "check"), counted(many.len(), "target"))
        }
    }
}

/// Takes the locks of a target's suites; the reason if another run has one of them.
fn hold(
    target: &Target,
    label: &str,
    asked: &Asked,
    config: &Config,
    at: Timestamp,
    notes: &mut Vec<String>,
    locks: &mut Vec<Lock>,
) -> Option<String> {
    // Checks that a person names do not stand in the way of the nightly run, nor it in theirs.
    let mut ours = Vec::new();
    for suite in &asked.suites {
        match lock::take(&config.state.value, &slug(target), suite, at) {
            Ok(Taken::Ours(lock, left)) => {
                if let Some(left) = left {
                    notes.push(format!(
                        "{label}: the run of {suite} before this one did not come to its end ({left})"
                    ));
                }
                ours.push(lock);
            }
            Ok(Taken::Theirs(holder)) => {
                return Some(format!("another run of {suite} is looking at it: {holder}"));
            }
            Err(error) => {
                notes.push(format!("no lock could be taken, so two runs may meet: {error}"));
            }
        }
    }
    locks.extend(ours);
    None
}

/// The name of a target in file names; one that is not configured is told apart by its place.
pub fn slug(target: &Target) -> String {
    let name = lock::plain(&target.name);
    match address(target) {
        own if own == target.name => name,
        place => format!("{name}-{}", &sha256(place.as_bytes())[..8]),
    }
}

/// What the targets of a run are called: two databases of one name would look like one.
fn labels(targets: &[Target]) -> Vec<String> {
    let is_shared =
        |name: &str| targets.iter().filter(|target| target.name == name).nth(1).is_some();
    let label = |target: &Target| {
        if is_shared(&target.name) { address(target) } else { target.name.clone() }
    };
    targets.iter().map(label).collect()
}

/// What leads to a target from any folder: its name, or its place if it is not configured.
pub(super) fn address(target: &Target) -> String {
    match &target.url.server {
        _ if matches!(target.origin, Origin::File { .. }) => target.name.clone(),
        Some(_) => target.url.to_string(),
        None => std::path::absolute(&target.url.path)
            .unwrap_or_else(|_| target.url.path.clone())
            .display()
            .to_string(),
    }
}

/// Puts the run into the history, and what changed into the outbox. What goes wrong here changes no
/// verdict, and keeps no alert.
fn record(run: &mut Run, asked: &Asked, config: &Config, places: &[usize]) -> Post {
    let state = &config.state.value;
    let mut post = Post::default();
    for place in places {
        let looked = &run.looked[*place];
        if looked.outcomes.is_empty() {
            continue;
        }
        let past = past(looked, run, asked);
        let slug = slug(&looked.target);
        run.notes.extend(missed(&past, &looked.label, state, &slug, config));
        let book = Book::open(state, &slug);
        let changes = match &book {
            Ok(book) => book.changes(&past),
            Err(_) => store::changes(&store::folder(state, &slug), &past),
        };
        let appended = book.and_then(|book| book.append(&past).map(|()| book));
        let kept = post.add(looked, &changes, &past, config);
        let recorded = appended.and_then(|book| {
            // What nobody keeps is due until it was.
            if kept { book.settle(&past, config.runs.keep()) } else { Ok(()) }
        });
        if let Err(error) = recorded {
            run.notes.push(format!("{}: this run is not in the history: {error}", looked.label));
        }
    }
    post
}

fn past(looked: &Looked, run: &Run, asked: &Asked) -> Past {
    let seen = |one: &Outcome| {
        let verdict = &one.finding.verdict;
        Seen {
            check: one.check.id.clone(),
            severity: one.check.severity,
            state: State::of(verdict, one.check.severity),
            number: verdict.number(),
            at_least: verdict.violations().is_some_and(|count| !count.is_exact()),
            seconds: (one.finding.seconds * 1000.0).round() / 1000.0,
            reason: one.own_reason().map(str::to_owned),
        }
    };
    Past {
        at: run.at,
        seconds: run.seconds,
        target: looked.target.name.clone(),
        environment: looked.target.environment.word().into(),
        suites: asked.suites.clone(),
        cut: run.is_cut,
        seen: looked.outcomes.iter().map(seen).collect(),
    }
}

/// What of the schedule did not happen before this run.
fn missed(now: &Past, label: &str, state: &Path, slug: &str, config: &Config) -> Vec<String> {
    let folder = store::folder(state, slug);
    let until = now.at.saturating_add(store::SKEW).unwrap_or(Timestamp::MAX);
    let mut notes = Vec::new();
    for suite in &now.suites {
        let Some(every) = config.runs.every(suite) else { continue };
        let Ok(Some(before)) = store::last(&folder, Some(suite), until) else { continue };
        let missed = history::missed(before.at, now.at, every);
        if missed > 0 {
            notes.push(format!(
                "{label}: {} of {suite} did not happen; the one before was at {}, and it is to run every {}",
                counted(missed, "run"),
                text::minute(before.at),
                duration_text(every),
            ));
        }
    }
    notes
}
