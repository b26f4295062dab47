//! Perform: carries effects out, in order. An arm is a call; what takes time is spawned and comes
//! back as one message.
//!
//! Journal first: when an append fails, the effects behind it are dropped and the cockpit is told.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use super::Ground;
use super::effect::{Doubt, EditFor, Effect, Run};
use super::message::{Message, Opened};
use crate::catalogue::Catalogue;
use crate::check::{Check, Delta, Finding};
use crate::clock;
use crate::config::Target;
use crate::drill::{self, Scenario, Scorecard};
use crate::guardrail;
use crate::incident::Incident;
use crate::incident::entry::{Deed, Entry, Evidence, Outcome, Record, TargetSeen};
use crate::incident::journal::{Journal, JournalError};
use crate::incident::store;
use crate::ops;
use crate::ops::Identity;
use crate::ops::Stopper;
use crate::postmortem;
use crate::practice::Practice;
use crate::problem::Problem;
use crate::recovery::{Approval, Execution, Plan};
use crate::runbook::{Action, Runbook, Step};

/// The world as the cockpit can reach it.
#[derive(Debug)]
pub struct World {
    pub catalogue: Arc<Catalogue>,
    pub practice: Arc<Practice>,
    pub targets: Vec<Target>,
    pub state: PathBuf,
    pub actor: String,
    /// Makes the demo's database, if this is the demo.
    pub demo: Option<Ground>,
    /// What the demo is a drill of.
    pub drill: Option<Scenario>,
    scored: Option<Scorecard>,
    /// The checks whose faults the demo gets.
    pub faults: Vec<Check>,
    /// Rows of a finding that are kept.
    pub kept_rows: usize,
    messages: UnboundedSender<Message>,
    tasks: TaskTracker,
    stoppers: HashMap<Run, Stopper>,
    desk: Option<Desk>,
}

/// The open incident's way to disk and database.
#[derive(Debug, Clone)]
struct Desk {
    journal: Journal,
    folder: PathBuf,
    target: Target,
    server: String,
    runbook: Arc<Runbook>,
    monitor: Arc<tokio::sync::Mutex<ops::pressure::Monitor>>,
}

/// What only the owner of the terminal can do.
#[derive(Debug, PartialEq)]
pub enum ForTerminal {
    Suspend,
    Repaint,
    Bell,
    Edit { text: String, purpose: EditFor },
}

impl World {
    pub fn new(
        catalogue: Arc<Catalogue>,
        practice: Arc<Practice>,
        targets: Vec<Target>,
        state: PathBuf,
        actor: String,
        messages: UnboundedSender<Message>,
    ) -> Self {
        Self {
            catalogue,
            practice,
            targets,
            state,
            actor,
            demo: None,
            drill: None,
            scored: None,
            faults: Vec::new(),
            kept_rows: ops::detect::KEPT_ROWS,
            messages,
            tasks: TaskTracker::new(),
            stoppers: HashMap::new(),
            desk: None,
        }
    }

    /// Carries out effects in their order; gives back what the terminal's owner must do.
    pub fn perform(&mut self, effects: Vec<Effect>) -> Vec<ForTerminal> {
        let mut for_terminal = Vec::new();
        for effect in effects {
            match self.one(effect, &mut for_terminal) {
                Ok(()) => {}
                Err(error) => {
                    self.send(Message::JournalFailed(error.to_string()));
                    break;
                }
            }
        }
        for_terminal
    }

    fn one(&mut self, effect: Effect, out: &mut Vec<ForTerminal>) -> Result<(), JournalError> {
        match effect {
            Effect::Prepare => self.prepare(),
            Effect::ListIncidents => self.list(),
            Effect::Survey { run, target } => self.survey(run, target),
            Effect::Open { runbook, target } => self.open(&runbook, &target),
            Effect::Resume { incident } => self.resume(&incident),
            Effect::Leave => self.desk = None,
            Effect::Append(entry) => self.append(entry)?,
            Effect::Detect { run, check } => self.detect(run, check),
            Effect::KeepFinding { step, check, finding, delta } => {
                self.keep_finding(step, check, &finding, delta)?;
            }
            Effect::Stop { run } => {
                if let Some(stopper) = self.stoppers.get(&run) {
                    stopper.stop();
                }
            }
            Effect::FirstLook { run, step, answers } => self.first_look(run, step, answers),
            Effect::Preview { run, op, step, answers, undoes } => {
                self.preview(run, op, step, answers, undoes);
            }
            Effect::Execute { run, plan, op, approval } => self.execute(run, *plan, op, approval),
            Effect::Resolve { run, doubt } => {
                self.resolve(run, doubt);
            }
            Effect::Rehearse { run, step, op } => self.rehearse(run, step, op),
            Effect::PutGuard { run, step, op, deed } => self.put_guard(run, step, op, deed),
            Effect::Look { run } => self.look(run),
            Effect::EndSession { mark } => self.end_session(mark),
            Effect::Command { run, step } => self.command(run, step),
            Effect::Export { run, check, format } => self.export(run, check, format),
            Effect::Score => self.score()?,
            Effect::Postmortem => self.postmortem(),
            Effect::WritePostmortem { text, .. } => self.write_postmortem(&text),
            Effect::EditOutside { text, purpose } => out.push(ForTerminal::Edit { text, purpose }),
            Effect::Suspend => out.push(ForTerminal::Suspend),
            Effect::Repaint => out.push(ForTerminal::Repaint),
            Effect::Bell => out.push(ForTerminal::Bell),
        }
        Ok(())
    }

    /// Waits for what is still running, for so long.
    pub async fn settle(&mut self, at_most: std::time::Duration) {
        for stopper in self.stoppers.values() {
            stopper.stop();
        }
        self.tasks.close();
        let _ = tokio::time::timeout(at_most, self.tasks.wait()).await;
    }

    fn send(&self, message: Message) {
        // Nobody listens any more only when the cockpit is gone.
        let _ = self.messages.send(message);
    }

    /// Spawns work whose answer is one message; a panic in it is told and not drawn over.
    fn spawn(&self, work: impl Future<Output = Message> + Send + 'static) {
        self.spawn_or(work, |why| Message::Failed(Problem::system(why)));
    }

    /// The same where somebody waits for the answer: it comes also when the work panicked.
    fn spawn_or(
        &self,
        work: impl Future<Output = Message> + Send + 'static,
        broken: impl FnOnce(String) -> Message + Send + 'static,
    ) {
        let messages = self.messages.clone();
        let inner = tokio::spawn(work);
        self.tasks.spawn(async move {
            let answer = inner.await;
            let message = answer.unwrap_or_else(|_| broken("a task of ours failed".into()));
            let _ = messages.send(message);
        });
    }

    fn stopper(&mut self, run: Run) -> Stopper {
        // Runs that are over need no stopper; their numbers never come back.
        if self.stoppers.len() > 256 {
            let oldest = run.saturating_sub(128);
            self.stoppers.retain(|run, _| *run > oldest);
        }
        self.stoppers.entry(run).or_default().clone()
    }

    fn list(&mut self) {
        match store::list(&self.state) {
            Ok(incidents) => self.send(Message::Incidents(incidents)),
            Err(error) => self.send(Message::Failed(Problem::system(error.to_string()))),
        }
    }

    fn prepare(&mut self) {
        let checks = std::mem::take(&mut self.faults);
        if let Some(scenario) = &self.drill
            && let Err(error) = scenario.write(&self.state)
        {
            let sentence = format!("the scenario of the drill cannot be written: {error}");
            return self.send(Message::Prepared(Err(Problem::system(sentence))));
        }
        let spare = self.drill.is_some();
        match self.demo.clone() {
            None | Some(Ground::Server { made: true, .. }) => self.send(Message::Prepared(Ok(()))),
            Some(Ground::Folder(folder)) => {
                self.spawn(async move {
                    let mut built = crate::demo::build(&folder, &checks).await;
                    if spare && built.is_ok() {
                        built = crate::demo::build_spare(&folder).await;
                    }
                    Message::Prepared(built)
                });
            }
            Some(Ground::Server { given, made: false }) => {
                self.spawn(async move { Message::Prepared(lay_out(&given, &checks).await) });
            }
        }
    }

    /// The data was looked at; in a drill the first time counts.
    fn looked(&mut self) {
        let Some(scenario) = self.drill.as_mut().filter(|scenario| scenario.first_check.is_none())
        else {
            return;
        };
        scenario.first_check = Some(clock::now());
        // Without the file only a drill that is broken off and resumed forgets it.
        let _ = scenario.write(&self.state);
    }

    /// The card of the drill as it stands; none if this is no drill.
    fn card(&self, incidents: &[Incident]) -> Option<Scorecard> {
        let scenario = self.drill.as_ref()?;
        let runbook = self.catalogue.runbook(&scenario.runbook)?;
        Some(drill::score(scenario, incidents, runbook, &self.practice, clock::now()))
    }

    fn incidents(&self) -> Vec<Incident> {
        let all = store::all(&self.state).unwrap_or_default();
        all.into_iter().filter(|(_, _, why)| why.is_none()).map(|(_, one, _)| one).collect()
    }

    /// Scores when the incident that was closed is the one of the fault.
    fn score(&mut self) -> Result<(), JournalError> {
        let incidents = self.incidents();
        let over = self.drill.as_ref().and_then(|scenario| drill::found(scenario, &incidents));
        let over = over.is_some_and(|incident| {
            let here = self.desk.as_ref().and_then(|desk| desk.folder.file_name());
            !incident.is_open() && here.is_some_and(|name| *name == *incident.id)
        });
        let Some(card) = self.card(&incidents).filter(|_| over && self.scored.is_none()) else {
            return Ok(());
        };
        self.append(card.entry())?;
        self.scored = Some(card.clone());
        self.send(Message::Scored(Box::new(card)));
        Ok(())
    }

    /// What the drill came to, also if it was broken off.
    pub fn score_at_the_end(&mut self) -> Option<Scorecard> {
        if let Some(card) = self.scored.take() {
            return Some(card);
        }
        let incidents = self.incidents();
        let before = incidents.iter().flat_map(|incident| &incident.records);
        let mut before = before.map(|record| &record.entry);
        if before.any(|entry| matches!(entry, Entry::Scored { .. })) {
            return None;
        }
        let card = self.card(&incidents)?;
        // Of a drill that was broken off the journal says so too, as far as it can be written.
        let _ = self.append(card.entry());
        Some(card)
    }

    /// The demo could not be made: what stands in its place belongs to somebody else, and stays.
    pub fn is_not_ours(&mut self) {
        if let Some(Ground::Server { made, .. }) = &mut self.demo {
            *made = true;
        }
    }

    /// Takes a demo away that is not to be kept; a folder goes with its owner.
    pub async fn clear_away(&mut self) -> Result<(), Problem> {
        let Some(Ground::Server { given, made: false }) = &self.demo else { return Ok(()) };
        self.desk = None;
        let mut session = on_server(given).await?;
        let removed = crate::demo::remove(&mut session).await;
        session.close().await;
        removed.map_err(|error| {
            let drop = crate::demo::removal(given.url.dialect);
            Problem::system(format!("the demo could not be removed from the server: {error}"))
                .hint(format!("run there: {drop}"))
        })
    }

    fn survey(&mut self, run: Run, name: String) {
        self.looked();
        let stopper = self.stopper(run);
        let Some(target) = self.targets.iter().find(|target| target.name == name).cloned() else {
            return;
        };
        let fitting = self.catalogue.checks.iter().filter(|check| target.takes(&check.pack));
        let checks: Vec<Check> = fitting.cloned().collect();
        self.spawn(async move {
            let asked = crate::check::at_a_glance(&checks, target.url.dialect);
            let survey = ops::detect::survey(&target, &asked, &stopper).await;
            Message::Surveyed { run, target: name, survey }
        });
    }

    fn open(&mut self, runbook: &str, target: &str) {
        let opened = self.open_new(runbook, target);
        if let Err(problem) = opened {
            self.send(Message::Opened(Err(problem)));
        }
    }

    /// Finds out who the server is first: the incident is bound to it.
    fn open_new(&mut self, runbook: &str, target: &str) -> Result<(), Problem> {
        let runbook = self.catalogue.runbook(runbook).cloned().ok_or_else(|| {
            Problem::usage(format!("there is no runbook {runbook}"))
                .hint("the runbooks are listed at home, and by `steadyhand lint`")
        })?;
        let target =
            self.targets.iter().find(|known| known.name == target).cloned().ok_or_else(|| {
                Problem::usage(format!("there is no target {target}"))
                    .hint("targets are configured in steadyhand.toml")
            })?;
        let (state, actor, demo) = (self.state.clone(), self.actor.clone(), self.demo.is_some());
        let messages = self.messages.clone();
        let controls = self.controls(&runbook);
        let made_up = match (&self.drill, demo) {
            (Some(_), _) => MadeUp::Drill,
            (None, true) => MadeUp::Demo,
            (None, false) => MadeUp::No,
        };
        self.spawn(async move {
            let opened =
                new_incident(&state, &actor, made_up, runbook, controls, target, messages).await;
            Message::Opened(opened.map(Box::new))
        });
        Ok(())
    }

    /// What the runbook and its checks stand for, with every place of the frameworks.
    fn controls(&self, runbook: &Runbook) -> Option<Entry> {
        let in_full = |names: &[String]| self.practice.spelled_out(names);
        let of = |id: &str| {
            let check = self.catalogue.check(id).filter(|check| !check.controls.is_empty())?;
            Some((id.to_owned(), in_full(&check.controls)))
        };
        let checks: Vec<_> = runbook.checks().into_iter().filter_map(of).collect();
        let runbook = in_full(&runbook.controls);
        let is_any = !runbook.is_empty() || !checks.is_empty();
        is_any.then_some(Entry::Controls { runbook, checks })
    }

    fn resume(&mut self, incident: &str) {
        let (state, actor) = (self.state.clone(), self.actor.clone());
        let targets = self.targets.clone();
        let (incident, messages) = (incident.to_owned(), self.messages.clone());
        self.spawn(async move {
            let opened = old_incident(&state, &actor, &incident, &targets, messages).await;
            Message::Opened(opened.map(Box::new))
        });
    }

    /// The loop hands over what an opened incident needs, before `update` sees it.
    pub fn take_desk(&mut self, opened: &Opened) {
        self.desk = Some(Desk {
            journal: opened.journal.clone(),
            server: opened.server.clone(),
            folder: opened.folder.clone(),
            target: opened.target.clone(),
            runbook: Arc::new(opened.runbook.clone()),
            monitor: Arc::new(ops::pressure::Monitor::new(opened.target.clone()).into()),
        });
    }

    fn append(&mut self, entry: Entry) -> Result<(), JournalError> {
        match &self.desk {
            Some(desk) => desk.journal.append(entry).map(drop),
            None => Ok(()),
        }
    }

    fn detect(&mut self, run: Run, check: String) {
        self.looked();
        let (stopper, kept) = (self.stopper(run), self.kept_rows);
        let Some(desk) = self.desk.clone() else { return };
        let Some(asked) = self.catalogue.check(&check).cloned() else {
            // An answer too, or the step would wait for one for ever.
            let finding = ops::detect::unseen(&format!("the check {check} is not loaded"));
            return self.send(Message::Checked { run, check, finding: Box::new(finding) });
        };
        let of = check.clone();
        let work = async move {
            let finding =
                ops::detect::detect(&desk.target.for_checks(), &asked, kept, &stopper).await;
            Message::Checked { run, check, finding: Box::new(finding) }
        };
        self.spawn_or(work, move |why| {
            let finding = Box::new(ops::detect::unseen(&why));
            Message::Checked { run, check: of, finding }
        });
    }

    fn keep_finding(
        &mut self,
        step: Option<String>,
        check: String,
        finding: &Finding,
        delta: Option<Delta>,
    ) -> Result<(), JournalError> {
        let Some(desk) = &self.desk else { return Ok(()) };
        let sample = if finding.rows.is_empty() {
            None
        } else {
            let at = clock::now().strftime("%Y%m%dT%H%M%S%3fZ").to_string();
            Some(desk.journal.keep(&format!("check-{check}-{at}.json"), &sample_of(finding))?)
        };
        let (verdict, seconds) = (finding.verdict.clone(), finding.seconds);
        self.append(Entry::Checked { step, check, verdict, seconds, delta, sample })
    }

    fn first_look(
        &mut self,
        run: Run,
        step: String,
        answers: std::collections::BTreeMap<String, String>,
    ) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let (catalogue, actor) = (self.catalogue.clone(), self.actor.clone());
        let of = step.clone();
        let work = async move {
            let job = planned(&desk, &catalogue, actor, &step, String::new(), &answers).await;
            let look = match job {
                Ok(job) => ops::look::look(&job, &stopper).await.map(Box::new),
                Err(problem) => Err(problem),
            };
            Message::LookedFirst { run, step, look }
        };
        self.spawn_or(work, move |why| {
            let look = Err(Problem::system(why));
            Message::LookedFirst { run, step: of, look }
        });
    }

    fn preview(
        &mut self,
        run: Run,
        op: String,
        step: String,
        answers: std::collections::BTreeMap<String, String>,
        undoes: Option<String>,
    ) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let (catalogue, actor) = (self.catalogue.clone(), self.actor.clone());
        let of = step.clone();
        let work = async move {
            let preview =
                previewed(&desk, &catalogue, actor, &step, op, &answers, undoes, &stopper).await;
            Message::Previewed { run, step, preview: preview.map(Box::new) }
        };
        self.spawn_or(work, move |why| {
            let preview = Err(Problem::system(why));
            Message::Previewed { run, step: of, preview }
        });
    }

    fn execute(&mut self, run: Run, plan: Plan, op: String, approval: Approval) {
        // An execution cannot be stopped halfway by a key: its time cap ends it.
        let stopper = Stopper::default();
        let Some(desk) = self.desk.clone() else { return };
        let (step, actor) = (plan.step.clone(), self.actor.clone());
        let (of, cut_off) = (step.clone(), op.clone());
        let work = async move {
            let (target, server) = (desk.target, desk.server);
            let job = ops::recover::Job { plan, target, server, actor, op };
            let execution = ops::recover::execute(&job, approval, &desk.journal, &stopper).await;
            Message::Executed { run, step, execution }
        };
        // Whether it committed is then asked of the database, as after a crash.
        self.spawn_or(work, move |why| Message::Executed {
            run,
            step: of,
            execution: Execution::Unknown { op: cut_off, why },
        });
    }

    fn resolve(&mut self, run: Run, doubt: Doubt) {
        let Some(desk) = self.desk.clone() else { return };
        let guard = self.guard_job(&doubt.step, doubt.op.clone());
        self.spawn(async move {
            let Doubt { step, op, deed, rows, mark } = doubt;
            let mark = mark.as_deref();
            let found = match (&deed, guard) {
                (Deed::ApplyGuardrail | Deed::WithdrawGuardrail, Ok(job)) => {
                    ops::guard::resolve(&job, &deed, mark).await
                }
                (_, _) => ops::resolve::resolve(&desk.target, &desk.server, &op, mark).await,
            };
            let outcome = found.and_then(|(outcome, how)| {
                let entry = Entry::Resolved {
                    step: step.clone(),
                    op,
                    deed,
                    outcome,
                    rows,
                    how: how.clone(),
                };
                let written = desk.journal.append(entry);
                written.map(|_| (outcome, how)).map_err(|error| Problem::system(error.to_string()))
            });
            Message::Resolved { run, step, outcome }
        });
    }

    fn look(&mut self, run: Run) {
        let Some(desk) = self.desk.clone() else { return };
        let work = async move {
            let seen = desk.monitor.lock().await.look().await;
            Message::Looked { run, seen: seen.map(Box::new) }
        };
        self.spawn_or(work, move |why| Message::Looked { run, seen: Err(Problem::system(why)) });
    }

    fn end_session(&mut self, mark: String) {
        let Some(desk) = self.desk.clone() else { return };
        self.spawn(
            async move { Message::SessionEnded(desk.monitor.lock().await.end(&mark).await) },
        );
    }

    fn guard_job(&self, step: &str, op: String) -> Result<ops::guard::Job, Problem> {
        let desk = self.desk.as_ref().ok_or_else(|| Problem::usage("no incident is open"))?;
        let found = desk.runbook.step(step);
        let Some(Step { title, action: Action::Guard(guard), .. }) = found else {
            return Err(Problem::usage(format!("{step} is no guardrail")));
        };
        let plan =
            guardrail::Plan::of(title, guard, desk.target.url.dialect).map_err(Problem::usage)?;
        let (target, server) = (desk.target.clone(), desk.server.clone());
        Ok(ops::guard::Job {
            step: step.to_owned(),
            op,
            plan,
            target,
            server,
            actor: self.actor.clone(),
        })
    }

    fn rehearse(&mut self, run: Run, step: String, op: String) {
        let stopper = self.stopper(run);
        let job = self.guard_job(&step, op.clone());
        let Some(desk) = self.desk.clone() else { return };
        self.spawn(async move {
            let rehearsal = match job {
                Ok(job) => rehearsed(&job, &desk.journal, &stopper).await,
                Err(problem) => Err(problem),
            };
            Message::Rehearsed { run, step, rehearsal: rehearsal.map(Box::new) }
        });
    }

    fn put_guard(&mut self, run: Run, step: String, op: String, deed: Deed) {
        let stopper = self.stopper(run);
        let job = self.guard_job(&step, op);
        let Some(desk) = self.desk.clone() else { return };
        let of = step.clone();
        let work = async move {
            let (outcome, why) = match job {
                Ok(job) => ops::guard::put(&job, &deed, &desk.journal, &stopper).await,
                Err(problem) => (Outcome::Unknown, problem.sentence),
            };
            Message::GuardPut { run, step, outcome, why }
        };
        self.spawn_or(work, move |why| {
            let outcome = Outcome::Unknown;
            Message::GuardPut { run, step: of, outcome, why }
        });
    }

    fn command(&mut self, run: Run, step: String) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let found = desk.runbook.step(&step).cloned();
        let Some(Step { action: Action::Command(command), .. }) = found else { return };
        self.spawn(async move {
            let (target, folder) = (desk.target.clone(), desk.folder.clone());
            let (argv, ran) = ops::tool::Site { target, folder }.run(&command, &stopper).await;
            let output = desk.journal.keep(&format!("command-{step}-{run}.txt"), &ran.output).ok();
            Message::CommandRan { run, step, argv, ran: Box::new(ran), output }
        });
    }

    fn export(&mut self, run: Run, id: String, format: String) {
        let stopper = self.stopper(run);
        let (Some(desk), Some(check)) = (self.desk.clone(), self.catalogue.check(&id).cloned())
        else {
            return;
        };
        self.spawn(async move {
            let kind =
                if format == "json" { ops::export::Format::Json } else { ops::export::Format::Csv };
            let at = clock::now().strftime("%Y%m%dT%H%M%SZ").to_string();
            let path = desk.folder.join("evidence").join(format!("export-{id}-{at}.{format}"));
            let exported = ops::export::export(&desk.target, &check, kind, &path, &stopper).await;
            Message::Exported { run, check: id, format, exported }
        });
    }

    /// The draft is brought up to date from the journal; what people wrote in it stays.
    fn postmortem(&mut self) {
        let Some(desk) = self.desk.clone() else { return };
        let (state, practice) = (self.state.clone(), self.practice.clone());
        self.spawn(async move {
            let path = desk.folder.join("postmortem.md");
            let text = postmortem_text(&desk, &state, &practice)
                .map_err(|why| Problem::system(format!("the postmortem cannot be written: {why}")));
            Message::Postmortem { text, path }
        });
    }

    fn write_postmortem(&mut self, text: &str) {
        let Some(desk) = &self.desk else { return };
        if let Err(error) = postmortem::file::write(&desk.folder, text) {
            let sentence = format!("the postmortem cannot be written: {error}");
            self.send(Message::Failed(
                Problem::system(sentence).hint("the text is still in the editor's part; try again"),
            ));
        }
    }
}

/// The draft made anew from the journal on disk.
fn postmortem_text(desk: &Desk, state: &Path, practice: &Practice) -> Result<String, String> {
    let (records, head, _) =
        crate::incident::journal::read(&desk.folder).map_err(|error| error.to_string())?;
    let incident = Incident::replay(&records);
    let zone = jiff::tz::TimeZone::system();
    // What came before is a comparison; without it the rest is still true.
    let all = store::all(state).unwrap_or_default();
    let all: Vec<Incident> =
        all.into_iter().filter(|(_, _, why)| why.is_none()).map(|(_, one, _)| one).collect();
    let around = postmortem::Around { runbook: Some(&desk.runbook), practice, all: &all };
    postmortem::file::refresh(&desk.folder, &incident, around, &head, &zone)
        .map_err(|error| error.to_string())
}

/// The first rows of a finding as evidence: columns once, then a list a row.
fn sample_of(finding: &Finding) -> Vec<u8> {
    const KEPT: usize = 200;
    let rows: Vec<Vec<Option<String>>> = (0..finding.rows.len().min(KEPT))
        .map(|row| finding.rows.row(row).map(crate::value::ValueRef::plain).collect())
        .collect();
    let sample = serde_json::json!({
        "columns": finding.rows.columns(),
        "rows": rows,
        "of": finding.verdict.violations(),
    });
    serde_json::to_vec_pretty(&sample).expect("plain data")
}

#[allow(clippy::too_many_arguments)] // one call site; each is a fact of the preview
async fn previewed(
    desk: &Desk,
    catalogue: &Catalogue,
    actor: String,
    step: &str,
    op: String,
    answers: &std::collections::BTreeMap<String, String>,
    undoes: Option<String>,
    stopper: &Stopper,
) -> Result<(Plan, crate::recovery::Preview, Evidence), Problem> {
    let mut job = planned(desk, catalogue, actor, step, op, answers).await?;
    if let Some(of) = undoes {
        let artefact = undo_artefact(&desk.folder, &of)?;
        job.plan = ops::plan::undo(&job.plan, &of, &desk.folder, &artefact)?;
    }
    let preview = ops::recover::preview(&job, stopper).await?;
    let bytes = serde_json::to_vec(&preview).expect("plain data");
    let evidence = desk
        .journal
        .keep(&format!("preview-{}.json", job.op), &bytes)
        .map_err(|error| Problem::system(error.to_string()))?;
    Ok((job.plan, preview, evidence))
}

/// The change of a step, ready to run.
async fn planned(
    desk: &Desk,
    catalogue: &Catalogue,
    actor: String,
    step: &str,
    op: String,
    answers: &std::collections::BTreeMap<String, String>,
) -> Result<ops::recover::Job, Problem> {
    let found = desk.runbook.step(step);
    let Some(step @ Step { action: Action::Change(change), .. }) = found else {
        return Err(Problem::usage(format!("{step} is no change")));
    };
    let check = |id: &str| catalogue.check(id).cloned();
    let plan = ops::plan::change(step, change, &desk.target, answers, check).await?;
    let (target, server) = (desk.target.clone(), desk.server.clone());
    Ok(ops::recover::Job { plan, target, server, actor, op })
}

/// The artefact of an execution, as the journal on disk names it.
fn undo_artefact(folder: &Path, op: &str) -> Result<Evidence, Problem> {
    let (records, _, _) = crate::incident::journal::read(folder)
        .map_err(|error| Problem::system(error.to_string()))?;
    records
        .iter()
        .find_map(|record| match &record.entry {
            Entry::UndoWritten { op: of, evidence, .. } if of == op => Some(evidence.clone()),
            _ => None,
        })
        .ok_or_else(|| Problem::refused(format!("no undo was written for {op}")))
}

async fn on_server(target: &Target) -> Result<ops::connect::Session, Problem> {
    const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(5);
    let (work, stopper) = (ops::connect::Purpose::Work, Stopper::default());
    ops::connect::connect(target, work, LOCK_WAIT, &stopper).await
}

async fn lay_out(given: &Target, checks: &[Check]) -> Result<(), Problem> {
    let mut session = on_server(given).await?;
    let laid = crate::demo::lay_out(&mut session, checks).await;
    session.close().await;
    laid.map_err(|error| {
        let drop = crate::demo::removal(given.url.dialect);
        Problem::system(format!("the demo could not be made on the server: {error}"))
            .hint(format!("if an earlier demo is in the way, run there: {drop}"))
    })
}

async fn rehearsed(
    job: &ops::guard::Job,
    journal: &Journal,
    stopper: &Stopper,
) -> Result<(guardrail::Rehearsal, Evidence), Problem> {
    let rehearsal = ops::guard::rehearse(job, stopper).await?;
    let both = serde_json::json!({ "guardrail": job.plan, "rehearsal": rehearsal });
    let bytes = serde_json::to_vec_pretty(&both).expect("plain data");
    let evidence = journal
        .keep(&format!("rehearsal-{}.json", job.op), &bytes)
        .map_err(|error| Problem::system(error.to_string()))?;
    Ok((rehearsal, evidence))
}

fn listen(journal: &Journal, messages: UnboundedSender<Message>) {
    journal.listen(move |record| {
        let _ = messages.send(Message::Recorded(Box::new(record.clone())));
    });
}

/// Whether an incident is one that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MadeUp {
    No,
    Demo,
    Drill,
}

/// A drill is walked like the real thing, so that it must be sure that it is none.
async fn is_for_drills(target: &Target) -> Result<(), Problem> {
    const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(5);
    let (look, stopper) = (ops::connect::Purpose::Detect, Stopper::default());
    let mut session = ops::connect::connect(target, look, LOCK_WAIT, &stopper).await?;
    let scratch = crate::demo::scratch::is_scratch(&mut session).await;
    session.close().await;
    if scratch.is_ok_and(|scratch| scratch) {
        return Ok(());
    }
    let sentence =
        format!("{} is not marked as a demo or scratch; no drill touches it", target.name);
    Err(Problem::refused(sentence).hint("a drill makes its own databases: `steadyhand drill`"))
}

async fn new_incident(
    state: &Path,
    actor: &str,
    made_up: MadeUp,
    runbook: Runbook,
    controls: Option<Entry>,
    target: Target,
    messages: UnboundedSender<Message>,
) -> Result<Opened, Problem> {
    let identity = ops::connect::identify(&target).await?;
    if made_up == MadeUp::Drill {
        is_for_drills(&target).await?;
    }
    let failed = |error: JournalError| Problem::system(error.to_string());
    let (id, folder) = store::create(state).map_err(|error| Problem::system(error.to_string()))?;
    let (journal, _) = Journal::open(&folder, actor).map_err(failed)?;
    if made_up == MadeUp::Drill {
        journal.mark_drill();
    }
    let frozen = folder.join("runbook.toml");
    crate::incident::journal::write_synced(&frozen, runbook.source.as_bytes())
        .map_err(|error| Problem::system(format!("{}: {error}", frozen.display())))?;
    let record = journal
        .append(Entry::Opened {
            incident: id,
            runbook: runbook.id.clone(),
            runbook_sha256: runbook.digest(),
            title: runbook.title.clone(),
            severity: runbook.severity,
            target: target_seen(&target, &identity),
            program: format!("steadyhand {}", env!("CARGO_PKG_VERSION")),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            demo: made_up != MadeUp::No,
        })
        .map_err(failed)?;
    let mut records = vec![record];
    if let Some(controls) = controls {
        records.push(journal.append(controls).map_err(failed)?);
    }
    listen(&journal, messages);
    let (server, identity) = (identity.server.clone(), Ok(identity));
    Ok(Opened { records, runbook, target, server, identity, folder, journal, resumed: false })
}

async fn old_incident(
    state: &Path,
    actor: &str,
    incident: &str,
    targets: &[Target],
    messages: UnboundedSender<Message>,
) -> Result<Opened, Problem> {
    let wanted = (!incident.is_empty()).then_some(incident);
    let found = store::find(state, wanted).map_err(|error| {
        Problem::usage(error.to_string()).hint("`steadyhand incidents` lists what there is")
    })?;
    let (incident, folder) = (found.id, found.folder);
    let (journal, mut records) = Journal::open(&folder, actor).map_err(|error| match error {
        JournalError::Broken(fault) => Problem::refused(format!("{incident}: {fault}"))
            .hint("`steadyhand verify` says more; an altered journal is not written to"),
        other => Problem::system(other.to_string()),
    })?;
    let (runbook, target, server) = frozen(&folder, &records, targets)?;
    let folded = crate::incident::Incident::replay(&records);
    let cut_off = folded.in_doubt().is_some();
    let identity = ops::connect::identify_as(&target, &server, cut_off).await;
    if folded.is_open() {
        let step = folded.progress.current.unwrap_or_default();
        let record = journal
            .append(Entry::Resumed { step })
            .map_err(|error| Problem::system(error.to_string()))?;
        records.push(record);
    }
    listen(&journal, messages);
    Ok(Opened { records, runbook, target, server, identity, folder, journal, resumed: true })
}

fn target_seen(target: &Target, identity: &Identity) -> TargetSeen {
    TargetSeen {
        name: target.name.clone(),
        url: target.url.to_string(),
        dialect: target.url.dialect,
        environment: target.environment.word().to_owned(),
        server: identity.server.clone(),
        version: identity.version.clone(),
    }
}

/// The runbook as it was frozen and the target the incident is bound to.
fn frozen(
    folder: &Path,
    records: &[Record],
    targets: &[Target],
) -> Result<(Runbook, Target, String), Problem> {
    let broken = |why: String| {
        Problem::refused(format!("{}: {why}", folder.display()))
            .hint("`steadyhand verify` says what was altered")
    };
    let opened = records.iter().find_map(|record| match &record.entry {
        Entry::Opened { runbook, runbook_sha256, target, .. } => {
            Some((runbook, runbook_sha256, target))
        }
        _ => None,
    });
    let (id, sha256, seen) = opened.ok_or_else(|| broken("it was never opened".into()))?;
    let source = std::fs::read_to_string(folder.join("runbook.toml"))
        .map_err(|error| broken(format!("runbook.toml: {error}")))?;
    if crate::digest::sha256(source.as_bytes()) != *sha256 {
        return Err(broken("runbook.toml is not the one the incident was opened on".into()));
    }
    let runbook = crate::runbook::load::parse(&format!("{id}.toml"), "frozen", &source)
        .map_err(|_| broken("runbook.toml cannot be read by this version".into()))?;
    let known = targets.iter().find(|target| target.name == seen.name).cloned();
    let target = match known {
        Some(target) => target,
        None => Target::seen(&seen.name, &seen.url, &seen.environment)?,
    };
    Ok((runbook, target, seen.server.clone()))
}
