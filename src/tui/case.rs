//! Case: the open incident as the cockpit holds it: what the journal says, and what is live.
//!
//! Everything that must be remembered is in `incident`, which only records change. The rest here is
//! of this session alone: the last findings, work under way, what a preview showed.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::effect::{Doubt, Effect, Run};
use super::message::Looked;
use super::widget::table::Reading;
use crate::check::{Count, Delta, Finding, Verdict};
use crate::clock;
use crate::config::Target;
use crate::guardrail::Rehearsal;
use crate::incident::drafts::Draft;
use crate::incident::entry::{Entry, Record, number};
use crate::incident::{Chunked, Incident};
use crate::ops::{Identity, Pressure};
use crate::problem::Problem;
use crate::recovery::mass::Progress;
use crate::recovery::protocol::{self, State};
use crate::recovery::{FirstLook, Plan, Preview, Request};
use crate::runbook::places::Places;
use crate::runbook::{Action, Argv, CommandStep, Ran, Runbook, Step, WaitFor};
use crate::value::pile::Pile;

#[derive(Debug)]
pub struct Case {
    pub incident: Incident,
    pub runbook: Runbook,
    pub target: Target,
    pub identity: Result<Identity, Problem>,
    pub folder: PathBuf,
    /// How often a check runs again where its step does not say.
    pub refresh: Duration,
    /// The step that is looked at.
    pub at: usize,
    pub live: HashMap<String, Live>,
    pub recoveries: HashMap<String, Recovery>,
    pub guards: HashMap<String, Guarding>,
    pub outputs: HashMap<String, Output>,
    /// Rows of checks that are written to files.
    pub exports: Vec<Run>,
    /// The database is asked how an execution ended.
    pub resolving: Option<Run>,
    pub watch: Watch,
    pub postmortem: String,
    pub postmortem_path: PathBuf,
    /// What was typed and is not kept yet, by its box; the same is on disk.
    pub drafts: BTreeMap<String, Draft>,
}

/// A check that is watched: its last finding and what came before.
#[derive(Debug, Default)]
pub struct Live {
    pub finding: Option<Arc<Finding>>,
    pub at: Option<Timestamp>,
    /// The run that found it.
    pub answered: Option<Run>,
    /// The first run that began after somebody wanted to know. Runs are counted: a clock may be set back.
    pub wanted: Option<Run>,
    pub running: Option<(Run, Timestamp)>,
    /// Counts, or the values of a metric.
    pub history: Vec<f64>,
    pub delta: Option<Delta>,
    /// All rows of the last run, and of the one before it.
    pub rows: Option<Reading>,
    pub rows_before: Option<Reading>,
    /// Those of the run under way, as far as they came.
    pub reading: Option<Pile>,
}

impl Live {
    /// What is known was asked before somebody wanted to know.
    pub fn is_old(&self) -> bool {
        self.answered < self.wanted
    }
}

#[derive(Debug, Default)]
pub struct Recovery {
    pub state: State,
    pub plan: Option<Arc<Plan>>,
    /// Kept beside the state so that it can be shown after the execution too.
    pub preview: Option<Arc<Preview>>,
    /// What reads alone told before.
    pub look: Option<FirstLook>,
    pub looking: Option<Run>,
    pub since: Option<Timestamp>,
    pub undoing: bool,
    /// How far a change in chunks came.
    pub progress: Option<Progress>,
    /// What a second person was asked.
    pub request: Option<Arc<Request>>,
    /// The digest of the last signature beside it that proved nothing.
    pub refused: Option<String>,
}

impl Recovery {
    /// A second person was asked about what lies there, and has not agreed yet.
    pub fn is_asking(&self) -> bool {
        self.waiting().is_some()
    }

    /// The request that waits for its signature. A new preview has none yet, also of one operation
    /// that is previewed again for what is left of it.
    pub fn waiting(&self) -> Option<&Arc<Request>> {
        let (_, warrant) = self.state.offered()?;
        let request = self.request.as_ref()?;
        warrant.is_none().then_some(request)
    }
}

#[derive(Debug, Default)]
pub struct Guarding {
    pub rehearsal: Option<Rehearsal>,
    pub running: Option<(Run, &'static str, Timestamp)>,
    pub said: Option<String>,
}

#[derive(Debug, Default)]
pub struct Output {
    /// Until its end is in the journal.
    pub running: Option<(Run, Timestamp)>,
    /// The run whose output is shown, or will be.
    pub run: Run,
    pub ran: Option<Ran>,
}

/// What the server last said of its pressure.
#[derive(Debug, Default)]
pub struct Watch {
    pub seen: Option<(Timestamp, Looked)>,
    pub running: Option<Run>,
}

impl Watch {
    pub fn pressure(&self) -> Option<&Pressure> {
        let (_, seen) = self.seen.as_ref()?;
        seen.as_deref().ok()
    }

    /// The line that stands beside a query, if there is something to say.
    pub fn words(&self) -> Option<String> {
        let words = self.pressure()?.words();
        (!words.is_empty()).then_some(words)
    }
}

impl Case {
    pub fn step(&self) -> &Step {
        &self.runbook.steps[self.at.min(self.runbook.steps.len() - 1)]
    }

    /// A command as it will be run here.
    pub fn words(&self, argv: &Argv) -> Option<Vec<String>> {
        let Target { url, .. } = &self.target;
        let (dialect, database) = (url.dialect, url.database());
        Places { dialect, database, file: &url.path, folder: &self.folder }.words(argv)
    }

    /// The check that is live on the present step.
    pub fn check_of_step(&self) -> Option<&str> {
        match &self.step().action {
            Action::Check(step) => Some(&step.check),
            Action::Change(change) => change.cures.first().map(String::as_str),
            Action::Wait(wait) => match &wait.until {
                WaitFor::Check(check) => Some(check),
                WaitFor::Time(_) => None,
            },
            _ => None,
        }
    }

    /// The checks that propose an option of the present decision, each once.
    pub fn checks_of_decision(&self) -> Vec<String> {
        let Action::Decide(decide) = &self.step().action else { return Vec::new() };
        let mut named: Vec<String> = Vec::new();
        for (check, _) in decide.options.iter().filter_map(|option| option.when.as_ref()) {
            if !named.contains(check) {
                named.push(check.clone());
            }
        }
        named
    }

    /// What a check said since somebody wanted to know.
    pub fn answer_of(&self, check: &str) -> Option<&Verdict> {
        self.live.get(check).filter(|live| !live.is_old())?;
        self.verdict(check)
    }

    /// The check whose violations are the incident.
    pub fn main_check(&self) -> Option<&str> {
        self.runbook.steps.iter().find_map(|step| match &step.action {
            Action::Check(step) => Some(step.check.as_str()),
            _ => None,
        })
    }

    pub fn live_mut(&mut self, check: &str) -> &mut Live {
        self.live.entry(check.to_owned()).or_default()
    }

    /// Asks how it is from now on. A run that is under way saw something earlier, and another follows.
    pub fn want(&mut self, check: &str, run: Run, now: Timestamp) -> Vec<Effect> {
        self.live_mut(check).wanted = Some(run);
        self.detect(check, run, now)
    }

    /// Starts a check, unless it is running already.
    pub fn detect(&mut self, check: &str, run: Run, now: Timestamp) -> Vec<Effect> {
        let live = self.live_mut(check);
        if live.running.is_some() {
            return Vec::new();
        }
        live.running = Some((run, now));
        let before = live.finding.clone();
        vec![Effect::Detect { run, check: check.to_owned(), before }]
    }

    /// Takes in what the journal has by now.
    pub fn recorded(&mut self, record: &Record) {
        self.incident.apply(record);
        if let Entry::StepPassed { step, .. } | Entry::StepFailed { step, .. } = &record.entry
            && let Some(output) = self.outputs.get_mut(step)
        {
            output.running = None;
        }
    }

    /// Takes in an answer; says what must be written down. A late answer changes nothing.
    pub fn checked(
        &mut self,
        run: Run,
        check: &str,
        finding: Arc<Finding>,
        delta: Option<Delta>,
        rows: Pile,
        now: Timestamp,
    ) -> Vec<Effect> {
        let step = self.check_of_step().filter(|of| *of == check).map(|_| self.step().id.clone());
        let live = self.live_mut(check);
        if live.running.is_none_or(|(of, _)| of != run) {
            return Vec::new();
        }
        live.running = None;
        live.answered = Some(run);
        live.reading = None;
        let before = live.finding.take();
        let is_blind = matches!(finding.verdict, Verdict::Inconclusive { .. }) && rows.is_empty();
        // A run that saw nothing takes no rows away, and is none to compare with.
        if live.rows.is_none() || !is_blind {
            let older = live.rows.replace(Reading::of(rows, &finding));
            let seen = older.filter(|older| older.total != Some(Count::AtLeast(0)));
            live.rows_before = seen.or_else(|| live.rows_before.take());
        }
        if let Some(number) = finding.verdict.number() {
            live.history.push(number);
            let extra = live.history.len().saturating_sub(120);
            live.history.drain(..extra);
        }
        let changed = before.is_none_or(|before| finding.verdict.differs_from(&before.verdict))
            || delta.as_ref().is_some_and(|delta| delta.new + delta.gone > 0);
        live.delta.clone_from(&delta);
        live.at = Some(now);
        live.finding = Some(finding.clone());
        if !changed {
            return Vec::new();
        }
        let check = check.to_owned();
        vec![Effect::KeepFinding { step, check, finding, delta }]
    }

    pub fn verdict(&self, check: &str) -> Option<&Verdict> {
        self.live.get(check)?.finding.as_ref().map(|finding| &finding.verdict)
    }

    /// The interval at which the present step's check runs again.
    pub fn interval(&self) -> Option<Duration> {
        let wanted = match &self.step().action {
            Action::Check(step) => step.every.unwrap_or(self.refresh),
            Action::Wait(wait) => wait.every,
            _ => return None,
        };
        let live = self.check_of_step().and_then(|check| self.live.get(check));
        let finding = live.and_then(|live| live.finding.as_ref());
        Some(spaced(wanted, finding.map_or(0.0, |finding| finding.seconds)))
    }

    /// Whether the present step's check is due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let (Some(check), Some(every)) = (self.check_of_step(), self.interval()) else {
            return false;
        };
        let Some(live) = self.live.get(check) else { return true };
        let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
        live.running.is_none() && live.at.is_none_or(|at| clock::is_past(at, every, now))
    }

    pub fn recovery_mut(&mut self, step: &str) -> &mut Recovery {
        self.recoveries.entry(step.to_owned()).or_default()
    }

    /// The name for a new operation: no other journal and no other moment can make the same one.
    pub fn new_op(&self, run: Run) -> String {
        let records = &self.incident.records;
        let head = records.last().map_or("", |record| &record.hash);
        format!("{}-{}-{run}", number(records), head.get(..8).unwrap_or(head))
    }

    /// The database is a server, with others on it.
    pub fn is_on_server(&self) -> bool {
        self.target.url.server.is_some()
    }

    /// Something of ours is under way there.
    pub fn is_busy(&self) -> bool {
        self.is_writing() || !self.runs().is_empty()
    }

    /// A time runs out before the eyes of the operator, by the second.
    pub fn counts_down(&self, now: Timestamp) -> bool {
        let runs_out = |recovery: &Recovery| match (recovery.state.offered(), &recovery.plan) {
            (Some((preview, warrant)), Some(plan)) => {
                let left = protocol::expiry(plan, preview, warrant).duration_since(now).as_secs();
                (-1..=61).contains(&left) || recovery.is_asking()
            }
            _ => false,
        };
        let recovery = self.recoveries.get(&self.step().id);
        matches!(self.step().action, Action::Wait(_)) || recovery.is_some_and(runs_out)
    }

    /// Something is under way that writes, to the database or by a command.
    pub fn is_writing(&self) -> bool {
        self.is_commanding(|command| !command.readonly)
            || self
                .recoveries
                .values()
                .any(|recovery| matches!(recovery.state, State::Executing { .. }))
            || self.guards.values().any(|guard| matches!(guard.running, Some((_, "writing", _))))
    }

    /// What this step is for is under way: its change, its guardrail or its command.
    pub fn is_doing(&self, step: &str) -> bool {
        let changes = self.recoveries.get(step);
        let guards = self.guards.get(step).and_then(|guard| guard.running);
        changes.is_some_and(|recovery| matches!(recovery.state, State::Executing { .. }))
            || matches!(guards, Some((_, "writing", _)))
            || self.outputs.get(step).is_some_and(|output| output.running.is_some())
    }

    /// What is under way and must end first, before the incident is left or handed over.
    pub fn must_end(&self) -> Option<&'static str> {
        if self.is_commanding(|_| true) {
            return Some("a command is running: it ends first; x stops it");
        }
        self.is_writing().then_some("a change is being executed; its outcome comes first")
    }

    /// A command of this kind is under way.
    pub fn is_commanding(&self, which: impl Fn(&CommandStep) -> bool) -> bool {
        self.outputs.iter().any(|(step, output)| {
            let action = self.runbook.step(step).map(|step| &step.action);
            output.running.is_some()
                && matches!(action, Some(Action::Command(command)) if which(command))
        })
    }

    /// The run of a change in chunks that is under way.
    pub fn driving(&self) -> Option<Run> {
        self.recoveries.values().find_map(|recovery| match recovery.state {
            State::Executing { run, .. } => {
                recovery.plan.as_ref().and_then(|plan| plan.mass.as_ref()).map(|_| run)
            }
            _ => None,
        })
    }

    /// Every run under way.
    pub fn runs(&self) -> Vec<Run> {
        let checks = self.live.values().filter_map(|live| live.running.map(|(run, _)| run));
        let previews = self.recoveries.values().filter_map(|recovery| match recovery.state {
            State::Previewing { run } => Some(run),
            _ => None,
        });
        let looks = self.recoveries.values().filter_map(|recovery| recovery.looking);
        let guards = self.guards.values().filter_map(|guard| match guard.running {
            Some((run, "rehearsing", _)) => Some(run),
            _ => None,
        });
        let outputs = self.outputs.values().filter_map(|output| output.running.map(|(run, _)| run));
        let exports = self.exports.iter().copied();
        checks.chain(looks).chain(previews).chain(guards).chain(outputs).chain(exports).collect()
    }

    /// What is left to do in the database for an execution that was cut off.
    pub fn doubt(&self) -> Option<Doubt> {
        let change = self.incident.in_doubt()?;
        let of_chunk = change.chunks.as_ref().and_then(Chunked::in_doubt);
        let of_chunk = of_chunk.map(|chunk| chunk.mark.clone()).filter(|mark| !mark.is_empty());
        Some(Doubt {
            step: change.step.clone(),
            op: change.op.clone(),
            deed: change.deed.clone(),
            rows: change.rows,
            mark: of_chunk.or_else(|| change.mark.clone()),
            chunk: change.chunks.as_ref().map(Chunked::doubtful),
        })
    }
}

/// What takes long rests four times as long: looking again must not be what loads the server.
fn spaced(wanted: Duration, seconds: f64) -> Duration {
    const REST: f64 = 4.0;
    let rest = Duration::try_from_secs_f64((seconds * REST).ceil()).unwrap_or(Duration::MAX);
    // Less than a second is nobody's load.
    if seconds < 1.0 { wanted } else { wanted.max(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_takes_long_is_not_asked_all_the_time() {
        let ten = Duration::from_secs(10);
        assert_eq!(spaced(ten, 0.2), ten);
        assert_eq!(spaced(ten, 2.5), ten);
        assert_eq!(spaced(ten, 60.0), Duration::from_mins(4));
        assert_eq!(spaced(Duration::from_mins(5), 60.0), Duration::from_mins(5));
        assert_eq!(spaced(Duration::from_millis(200), 0.9), Duration::from_millis(200));
    }
}
