//! A run of checks on targets, as `check` and `gate` do it: what was asked, the locks, the run
//! itself, and its place in the history.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::lock::{self, Lock, Taken};
use super::{Out, alerts};
use crate::catalogue::Catalogue;
use crate::check::{Check, Verdict};
use crate::clock;
use crate::config::{Config, Environment, Origin, Target};
use crate::digest::sha256;
use crate::exit::Exit;
use crate::history::store::{self, Book};
use crate::history::{self, Run as Past, Seen, State};
use crate::ops::Stopper;
use crate::ops::detect::unseen;
use crate::ops::suite::{self, Job, Limits, News};
use crate::problem::{Kind, Problem};
use crate::report::{Outcome, Totals, text};
use crate::source::{did_you_mean, duration_text, quoted};

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
    /// Engine, version and server; empty if it was not reached.
    pub seen: String,
    pub outcomes: Vec<Outcome>,
    pub disabled: Vec<Check>,
}

/// Checks that were not asked and not switched off either.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeftOut {
    /// They ask nothing on the engine of a target.
    pub elsewhere: usize,
    /// A target names its packs, and theirs is not among them.
    pub other_packs: usize,
}

#[derive(Debug)]
pub struct Run {
    pub at: Timestamp,
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
    let mut run = Run { at, looked: vec![], seconds: 0.0, is_cut: false, left_out, notes: vec![] };
    let mut locks = Vec::new();
    let mut jobs = Vec::new();
    // Which target a job is of; a target that is locked has none.
    let mut places = Vec::new();
    for target in targets {
        let (run_here, disabled) = sorted(&checks, asked, &target, &mut run.left_out);
        let held = hold(&target, asked, config, at, &mut run.notes, &mut locks);
        let outcome = |check: &Arc<Check>| Outcome {
            check: Arc::clone(check),
            target: target.name.clone(),
            finding: unseen(held.as_deref().unwrap_or("not asked yet")),
            snapshot: None,
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
        run.looked.push(Looked { target, seen: String::new(), outcomes, disabled });
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
        while told < run.looked.len() && left[told] == 0 && failed.is_none() {
            failed = on_target(&mut run.looked[told], out).err();
            told += 1;
        }
    };
    let words = words(&run, all);
    out.progress(&format!("{words} ..."));
    tell(&mut run, &left, out);
    {
        let running = suite::run(jobs, limits, &stopper, |news| match news {
            News::Reached { job, server, version } => {
                let looked = &mut run.looked[places[job]];
                looked.seen = format!("{} {version}, {server}", looked.target.url.dialect);
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
    if let Some(problem) = failed {
        return Err(problem);
    }
    run.seconds = start.elapsed().as_secs_f64();
    run.is_cut = stopper.is_stopped();
    record(&mut run, asked, config, &places).await;
    drop(locks);
    Ok(run)
}

fn words(run: &Run, checks: usize) -> String {
    match run.looked.as_slice() {
        [one] => format!("{}: {}", one.target.name, text::count(checks, "check")),
        many => {
            format!("{} on {}", text::count(checks, "check"), text::count(many.len(), "target"))
        }
    }
}

/// Ctrl-C and a polite end from outside.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn listen() -> Result<Self, Problem> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Problem::system(format!("cannot listen for interrupts: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Once to end in order, twice to leave at once.
    async fn over(
        &mut self,
        work: impl Future<Output = ()>,
        stopper: &Stopper,
    ) -> Result<(), Problem> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                () = &mut work => return Ok(()),
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            if stopper.is_stopped() {
                return Err(Problem::new(Kind::Interrupted, "stopped by the operator"));
            }
            stopper.stop();
        }
    }
}

/// Takes the locks of a target's suites; the reason if another run has one of them.
fn hold(
    target: &Target,
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
                        "{}: the run of {suite} before this one did not come to its end ({left})",
                        target.name
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
    if matches!(target.origin, Origin::File { .. }) {
        return name;
    }
    let place = match &target.url.server {
        Some(_) => target.url.to_string(),
        None => std::path::absolute(&target.url.path)
            .unwrap_or_else(|_| target.url.path.clone())
            .display()
            .to_string(),
    };
    format!("{name}-{}", &sha256(place.as_bytes())[..8])
}

/// Puts the run into the history, and tells those who want to know what changed. What goes wrong
/// here changes no verdict.
async fn record(run: &mut Run, asked: &Asked, config: &Config, places: &[usize]) {
    let state = &config.state.value;
    let mut told = false;
    for place in places {
        let looked = &run.looked[*place];
        if looked.outcomes.is_empty() {
            continue;
        }
        let past = past(looked, run, asked);
        let slug = slug(&looked.target);
        run.notes.extend(missed(&past, state, &slug, config));
        let recorded = Book::open(state, &slug).and_then(|book| {
            let changes = book.changes(&past);
            book.append(&past)?;
            told |= alerts::queue(looked, &changes, &past, config)?;
            book.settle(&past, config.runs.keep())
        });
        if let Err(error) = recorded {
            run.notes.push(format!("{}: this run is not in the history: {error}", past.target));
        }
    }
    if told || alerts::are_waiting(state) {
        run.notes.extend(alerts::deliver(config).await);
    }
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
            reason: match verdict {
                Verdict::Inconclusive { reason } => Some(reason.clone()),
                _ => None,
            },
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
fn missed(now: &Past, state: &Path, slug: &str, config: &Config) -> Vec<String> {
    let folder = store::folder(state, slug);
    let mut notes = Vec::new();
    for suite in &now.suites {
        let Some(every) = config.runs.every(suite) else { continue };
        let Ok(Some(before)) = store::last(&folder, Some(suite)) else { continue };
        let missed = history::missed(before.at, now.at, every);
        if missed > 0 {
            notes.push(format!(
                "{}: {} of {suite} did not happen; the one before was at {}, and it is to run every {}",
                now.target,
                text::count(usize::try_from(missed).unwrap_or(usize::MAX), "run"),
                before.at.strftime("%Y-%m-%d %H:%M UTC"),
                duration_text(every),
            ));
        }
    }
    notes
}

pub fn targets(asked: &Asked, config: &Config) -> Result<Vec<Target>, Problem> {
    let all = asked.targets.is_empty() && asked.environments.is_empty();
    if all && config.targets.is_empty() {
        return Err(Problem::usage("there is no target to check").hint(
            "name one with --target (a configured name, a url or the path of an SQLite file), or put [target.NAME] into steadyhand.toml",
        ));
    }
    let mut found: Vec<Target> = Vec::new();
    let named = asked.targets.iter().map(|named| config.target(named));
    let inside = |target: &&Target| all || asked.environments.contains(&target.environment);
    for target in named.chain(config.targets.iter().filter(inside).cloned().map(Ok)) {
        let target = target?;
        if !found.iter().any(|other| other.name == target.name && other.url == target.url) {
            found.push(target);
        }
    }
    if found.is_empty() {
        let words: Vec<&str> = asked.environments.iter().map(|one| one.word()).collect();
        return Err(Problem::usage(format!("no configured target is {}", words.join(" or "))));
    }
    Ok(found)
}

/// The checks of all suites and all names together; all there are if none was named.
fn checks(asked: &Asked, catalogue: &Catalogue) -> Result<Vec<Arc<Check>>, Problem> {
    let ids: Vec<&str> = catalogue.checks.iter().map(|check| check.id.as_str()).collect();
    let mut suites: Vec<&str> =
        catalogue.checks.iter().flat_map(|check| &check.suites).map(String::as_str).collect();
    suites.sort_unstable();
    suites.dedup();
    asked.checks.iter().try_for_each(|id| known(id, &ids, "check"))?;
    asked.suites.iter().try_for_each(|suite| known(suite, &suites, "suite"))?;
    in_packs(&asked.packs, catalogue)?;
    let all = asked.checks.is_empty() && asked.suites.is_empty();
    let of_pack = |check: &Check| asked.packs.is_empty() || asked.packs.contains(&check.pack);
    let of_suite = |check: &Check| check.suites.iter().any(|suite| asked.suites.contains(suite));
    let wanted = |check: &&Check| {
        asked.checks.contains(&check.id) || (of_pack(check) && (all || of_suite(check)))
    };
    let chosen: Vec<Arc<Check>> =
        catalogue.checks.iter().filter(wanted).cloned().map(Arc::new).collect();
    if chosen.is_empty() {
        // Nothing that was asked is not the same as nothing that is wrong.
        let suites = asked.suites.join(", ");
        return Err(Problem::usage(format!(
            "no check of {} is in {suites}",
            asked.packs.join(", ")
        ))
        .hint("leave one of --pack and --suite out; nothing was asked"));
    }
    Ok(chosen)
}

/// Faults if a pack is named that there is none of.
pub fn in_packs(packs: &[String], catalogue: &Catalogue) -> Result<(), Problem> {
    let all = catalogue.packs();
    packs.iter().try_for_each(|pack| known(pack, &all, "pack"))
}

pub fn known(name: &str, all: &[&str], what: &str) -> Result<(), Problem> {
    if all.contains(&name) {
        return Ok(());
    }
    let problem = Problem::usage(format!("there is no {what} {}", quoted(name)));
    Err(match did_you_mean(name, all.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint(format!("there are {}", all.join(", "))),
    })
}

/// The checks that run on a target, and those that were switched off. Both are told, because a check
/// that is left out in silence looks like one that is clear.
fn sorted<'c>(
    checks: &'c [Arc<Check>],
    asked: &Asked,
    target: &Target,
    left_out: &mut LeftOut,
) -> (Vec<&'c Arc<Check>>, Vec<&'c Arc<Check>>) {
    let (mut run, mut disabled) = (vec![], vec![]);
    for check in checks {
        if asked.checks.contains(&check.id) {
            run.push(check);
        } else if !check.is_for(target.url.dialect) {
            left_out.elsewhere += 1;
        } else if asked.packs.is_empty() && !target.takes(&check.pack) {
            left_out.other_packs += 1;
        } else if check.disabled.is_some() {
            disabled.push(check);
        } else {
            run.push(check);
        }
    }
    (run, disabled)
}
