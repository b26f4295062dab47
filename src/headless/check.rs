//! `steadyhand check`: checks on targets, read-only, with an exit code that can be trusted.
//!
//! Every check of a target sees one snapshot. Whatever could not be seen is inconclusive with its
//! reason; it is never left out and never clear.

use std::path::PathBuf;
use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Format, Out};
use crate::catalogue::Catalogue;
use crate::check::Survey;
use crate::check::{Check, Finding, Verdict};
use crate::clock;
use crate::config::{Config, Target};
use crate::exit::Exit;
use crate::ops::Stopper;
use crate::ops::detect::survey;
use crate::problem::{Kind, Problem};
use crate::report::{Outcome, Totals, json, text};
use crate::source::{did_you_mean, quoted};
use crate::value::Rows;

#[derive(Debug)]
pub struct Asked {
    /// Names, URLs or paths; all configured targets if there is none.
    pub targets: Vec<String>,
    pub suites: Vec<String>,
    pub checks: Vec<String>,
    pub format: Format,
    pub output: Option<PathBuf>,
    /// Outcomes that this site wants reported as others.
    pub map: Vec<(Exit, Exit)>,
}

pub async fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let start = Instant::now();
    let targets = targets(asked, config)?;
    let Some(catalogue) = super::catalogue(config, out) else { return Ok(Exit::Usage) };
    let checks = checks(asked, &catalogue)?;
    let paint = if asked.output.is_some() { crate::source::Paint::Plain } else { out.paint };
    let mut page = Page { asked, paint, held: String::new() };
    let stopper = Stopper::default();
    // From here on an interrupt ends what is under way in order.
    let mut interrupts = signal(SignalKind::interrupt())
        .map_err(|error| Problem::system(format!("cannot listen for interrupts: {error}")))?;
    let mut outcomes = Vec::new();
    let mut left_out = LeftOut::default();
    for target in &targets {
        let (checks, disabled) = left_out.sorted(&checks, asked, target);
        out.progress(&format!("{}: {} ...", target.name, text::count(checks.len(), "check")));
        let snapshot = clock::now();
        let (seen, findings) = match stoppable(target, &checks, &stopper, &mut interrupts).await? {
            Ok(Survey { server, version, findings }) => {
                let seen = format!("{} {version}, {server}", target.url.dialect);
                (seen, findings.into_iter().map(|(_, finding)| finding).collect())
            }
            Err(problem) => (String::new(), vec![unseen(&problem); checks.len()]),
        };
        let reached = !seen.is_empty();
        let of_target: Vec<Outcome> = checks
            .iter()
            .zip(findings)
            .map(|(check, finding)| Outcome {
                check: (*check).clone(),
                target: target.name.clone(),
                finding,
                snapshot: reached.then_some(snapshot),
            })
            .collect();
        let text: String = match asked.format {
            Format::Json => of_target
                .iter()
                .map(json::outcome)
                .chain(disabled.iter().map(|check| json::disabled(check, &target.name)))
                .collect(),
            Format::Text => {
                text::target(&target.name, &seen, &of_target, paint)
                    + &text::disabled(&disabled, paint)
            }
        };
        page.add(&text, out)?;
        outcomes.extend(of_target);
        if stopper.is_stopped() {
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let mut totals = Totals::of(&outcomes, targets.len(), seconds, |exit| mapped(asked, exit));
    (totals.disabled, totals.elsewhere) = (left_out.disabled, left_out.elsewhere);
    if stopper.is_stopped() {
        totals.exit = Exit::Interrupted;
    }
    page.end(&totals, out)?;
    Ok(totals.exit)
}

/// Checks that nobody named and that did not run: told, because a check that is left out in silence
/// looks like one that is clear.
#[derive(Debug, Default)]
struct LeftOut {
    disabled: usize,
    /// They ask nothing on the engine of the target.
    elsewhere: usize,
}

impl LeftOut {
    /// The checks that run on a target, and those that were switched off.
    fn sorted<'c>(
        &mut self,
        checks: &[&'c Check],
        asked: &Asked,
        target: &Target,
    ) -> (Vec<&'c Check>, Vec<&'c Check>) {
        let (mut run, mut disabled) = (vec![], vec![]);
        for check in checks {
            if asked.checks.contains(&check.id) {
                run.push(*check);
            } else if !check.is_for(target.url.dialect) {
                self.elsewhere += 1;
            } else if check.disabled.is_some() {
                disabled.push(*check);
            } else {
                run.push(*check);
            }
        }
        self.disabled += disabled.len();
        (run, disabled)
    }
}

/// Where the result goes: to standard output at once, or into a file when it is whole.
struct Page<'a> {
    asked: &'a Asked,
    paint: crate::source::Paint,
    held: String,
}

impl Page<'_> {
    fn add(&mut self, text: &str, out: &mut Out) -> Result<(), Problem> {
        if self.asked.output.is_none() {
            return out.put(text);
        }
        self.held.push_str(text);
        Ok(())
    }

    fn end(&mut self, totals: &Totals, out: &mut Out) -> Result<(), Problem> {
        let summary = match self.asked.format {
            Format::Json => json::summary(totals),
            Format::Text => {
                let ink = match totals.exit {
                    Exit::Clear => text::Ink::Good,
                    Exit::Violated => text::Ink::Bad,
                    _ => text::Ink::Warning,
                };
                text::inked(text::summary(totals).trim_end(), ink, self.paint) + "\n"
            }
        };
        self.add(&summary, out)?;
        match &self.asked.output {
            None => Ok(()),
            Some(path) => {
                out.put_into(path, &self.held)?;
                out.put(&text::summary(totals))
            }
        }
    }
}

fn mapped(asked: &Asked, exit: Exit) -> Exit {
    asked.map.iter().find(|(from, _)| *from == exit).map_or(exit, |(_, to)| *to)
}

/// A survey that the operator can stop: once to end it in order, twice to leave at once.
async fn stoppable(
    target: &Target,
    checks: &[&Check],
    stopper: &Stopper,
    interrupts: &mut Signal,
) -> Result<Result<Survey, Problem>, Problem> {
    let survey = survey(target, checks, stopper);
    tokio::pin!(survey);
    loop {
        tokio::select! {
            outcome = &mut survey => return Ok(outcome),
            _ = interrupts.recv() => {
                if stopper.is_stopped() {
                    return Err(Problem::new(Kind::Interrupted, "stopped by the operator"));
                }
                stopper.stop();
            }
        }
    }
}

fn unseen(problem: &Problem) -> Finding {
    Finding {
        verdict: Verdict::Inconclusive { reason: problem.sentence.clone() },
        rows: Rows::default(),
        keys: Vec::new(),
        seconds: 0.0,
    }
}

fn targets(asked: &Asked, config: &Config) -> Result<Vec<Target>, Problem> {
    if asked.targets.is_empty() && config.targets.is_empty() {
        return Err(Problem::usage("there is no target to check").hint(
            "name one with --target (a configured name, a url or the path of an SQLite file), or put [target.NAME] into steadyhand.toml",
        ));
    }
    if asked.targets.is_empty() {
        return Ok(config.targets.clone());
    }
    asked.targets.iter().map(|named| config.target(named)).collect()
}

/// The checks of all suites and all names together; all there are if none was named.
fn checks<'c>(asked: &Asked, catalogue: &'c Catalogue) -> Result<Vec<&'c Check>, Problem> {
    let known = |name: &str, all: &[&str], what: &str| -> Result<(), Problem> {
        if all.contains(&name) {
            return Ok(());
        }
        let problem = Problem::usage(format!("there is no {what} {}", quoted(name)));
        Err(match did_you_mean(name, all.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
            None => problem.hint(format!("there are {}", all.join(", "))),
        })
    };
    let ids: Vec<&str> = catalogue.checks.iter().map(|check| check.id.as_str()).collect();
    let mut suites: Vec<&str> =
        catalogue.checks.iter().flat_map(|check| &check.suites).map(String::as_str).collect();
    suites.sort_unstable();
    suites.dedup();
    asked.checks.iter().try_for_each(|id| known(id, &ids, "check"))?;
    asked.suites.iter().try_for_each(|suite| known(suite, &suites, "suite"))?;
    let all = asked.checks.is_empty() && asked.suites.is_empty();
    let wanted = |check: &&Check| {
        all || asked.checks.contains(&check.id)
            || check.suites.iter().any(|suite| asked.suites.contains(suite))
    };
    Ok(catalogue.checks.iter().filter(wanted).collect())
}
