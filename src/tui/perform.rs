//! Perform: carries effects out, in order. An arm is a call; what takes time is spawned and comes
//! back as one message.
//!
//! Journal first: when an append fails, the effects behind it are dropped and the cockpit is told.

mod change;
mod contact;
pub mod copy;
mod document;
mod draft;
mod evidence;
mod opening;
mod rows;
mod second;
mod stage;
mod together;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use contact::{Bound, Contact};
use draft::Drafts;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use super::Ground;
use super::effect::{EditFor, Effect, Run};
use super::message::Message;
use crate::catalogue::Catalogue;
use crate::check::Check;
use crate::config::{Seconding, Target};
use crate::consent::Consent;
use crate::drill::{Scenario, Scorecard};
use crate::incident::entry::Entry;
use crate::incident::journal::{Journal, JournalError, News};
use crate::incident::lease::Lease;
use crate::incident::store;
use crate::ops;
use crate::ops::Stopper;
use crate::practice::Practice;
use crate::problem::{Kind, Problem};
use crate::runbook::Runbook;

/// How long the outcome of an execution is waited for when the cockpit is left.
const OUTCOME: std::time::Duration = std::time::Duration::from_mins(1);

/// The world as the cockpit can reach it.
#[derive(Debug)]
pub struct World {
    pub catalogue: Arc<Catalogue>,
    pub practice: Arc<Practice>,
    pub targets: Vec<Target>,
    pub state: PathBuf,
    pub actor: String,
    /// How a second person agrees.
    pub seconding: Seconding,
    /// Makes the demo's database, if this is the demo.
    pub demo: Option<Ground>,
    /// What the demo is a drill of.
    pub drill: Option<Scenario>,
    scored: Option<Scorecard>,
    /// The checks whose faults the demo gets.
    pub faults: Vec<Check>,
    /// The file that says that somebody was shown around.
    pub tour: Option<PathBuf>,
    messages: UnboundedSender<Message>,
    tasks: TaskTracker,
    stoppers: HashMap<Run, Stopper>,
    /// The reins of the change in chunks that is under way.
    reins: Option<(Run, ops::mass::Reins)>,
    desk: Option<Desk>,
    drafts: Option<Drafts>,
    /// Stops the execution under way where nobody is there any more, and tells whether it is over.
    execution: Option<(Stopper, Weak<()>)>,
    /// Where incidents of several hosts are kept.
    pub store: Option<Target>,
    /// Ends the courier that brings records there.
    courier: Option<Stopper>,
    /// Apart from the tasks whose records it brings.
    couriers: TaskTracker,
    /// The lease of the incident that is taken over.
    pub lease: Option<Lease>,
}

/// What it means that the journal took no record.
fn not_written(error: JournalError) -> Message {
    let why = error.to_string();
    match error {
        JournalError::Lost => Message::Lease(News::Lost(None)),
        // Nothing is wrong with the journal.
        JournalError::Lease(_) => Message::Failed(Problem::refused(why)),
        _ => Message::JournalFailed(why),
    }
}

/// The open incident's way to disk and database.
#[derive(Debug, Clone)]
struct Desk {
    journal: Journal,
    folder: PathBuf,
    /// Where it is and what it is called; sessions are opened on that of the contact alone.
    target: Target,
    contact: Arc<Contact>,
    runbook: Arc<Runbook>,
    /// Held while the postmortem is read and written: a draft made anew from what was there before
    /// must not be laid over what somebody has just written into it.
    document: Arc<Mutex<()>>,
}

impl Desk {
    async fn bound(&self, stopper: &Stopper) -> Result<&Bound, Problem> {
        self.contact.bound(stopper).await
    }

    /// The target as a command finds it. One must run while nothing answers, to bring it back; where something
    /// does by now, what is asked there of whoever writes is known first.
    async fn for_command(&self, readonly: bool, stopper: &Stopper) -> Result<Target, Problem> {
        if readonly {
            return Ok(self.target.clone());
        }
        match self.bound(stopper).await {
            Ok(bound) => Ok(bound.target.clone()),
            Err(problem) if matches!(problem.kind, Kind::Refused | Kind::Interrupted) => {
                Err(problem)
            }
            Err(_) => Ok(self.target.clone()),
        }
    }
}

/// What only the owner of the terminal can do.
#[derive(Debug, PartialEq)]
pub enum ForTerminal {
    Suspend,
    Repaint,
    Bell,
    Clipboard(String),
    Mouse(bool),
    /// The text is laid down in the file first.
    Edit {
        text: String,
        purpose: EditFor,
        file: PathBuf,
    },
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
            seconding: Seconding::default(),
            demo: None,
            drill: None,
            scored: None,
            faults: Vec::new(),
            tour: None,
            messages,
            tasks: TaskTracker::new(),
            stoppers: HashMap::new(),
            reins: None,
            desk: None,
            drafts: None,
            execution: None,
            lease: None,
            store: None,
            courier: None,
            couriers: TaskTracker::new(),
        }
    }

    /// Carries out effects in their order; gives back what the terminal's owner must do.
    pub fn perform(&mut self, effects: Vec<Effect>) -> Vec<ForTerminal> {
        let mut for_terminal = Vec::new();
        let mut effects = effects.into_iter();
        for effect in effects.by_ref() {
            if let Err(error) = self.one(effect, &mut for_terminal) {
                let why = error.to_string();
                self.send(not_written(error));
                let answers = effects.filter_map(|dropped| Message::instead_of(dropped, &why));
                answers.for_each(|answer| self.send(answer));
                break;
            }
        }
        for_terminal
    }

    fn one(&mut self, effect: Effect, out: &mut Vec<ForTerminal>) -> Result<(), JournalError> {
        match effect {
            Effect::Prepare => self.prepare(),
            Effect::ListIncidents => self.list(),
            Effect::Survey { run, target } => self.survey(run, target),
            Effect::Open { runbook, target, unanswered } => {
                self.open(runbook, target, unanswered);
            }
            Effect::Resume { incident } => self.resume(&incident),
            Effect::Leave => self.leave(),
            Effect::Abandon => self.abandon(),
            Effect::HandOver(to) => self.hand_over(&to),
            Effect::RefuseTakeOver(request) => self.refuse_take_over(request),
            // Only who watches can want these.
            Effect::AskTakeOver | Effect::TakeOver(_) => {}
            Effect::Append(entry) => self.append(entry)?,
            Effect::Detect { run, check, before } => self.detect(run, check, before),
            Effect::Work { run, job } => self.work(run, *job),
            Effect::Copy(copying) => self.copy(*copying),
            Effect::Clipboard(text) => out.push(ForTerminal::Clipboard(text)),
            Effect::Relations { run, from } => self.relations(run, *from),
            Effect::Related { run, relation } => self.related(run, *relation),
            Effect::KeepFinding { step, check, finding, delta } => {
                self.keep_finding(step, check, &finding, delta)?;
            }
            Effect::Stop { run } => {
                if let Some(stopper) = self.stoppers.get(&run) {
                    stopper.stop();
                }
            }
            Effect::FirstLook { run, step, answers } => self.first_look(run, step, answers),
            Effect::Explain { run, check, step, answers } => {
                self.explain(run, check, step, answers);
            }
            Effect::Preview { run, op, step, answers, undoes } => {
                self.preview(run, op, step, answers, undoes);
            }
            Effect::AskSecond { plan, preview, deed } => self.ask_second(&plan, &preview, deed)?,
            Effect::LookForSignature { request, known } => self.look_for_signature(request, known),
            Effect::CheckSignature { request, text } => self.check_signature(request, text),
            Effect::BreakGlass { plan, preview, deed, reason } => {
                self.break_glass(&plan, &preview, deed, reason)?;
            }
            Effect::Execute { run, plan, op, approval } => self.execute(run, *plan, op, approval),
            Effect::Rein { run, rein } => {
                if let Some((_, reins)) = self.reins.as_ref().filter(|(of, _)| *of == run) {
                    reins.pull(rein);
                }
            }
            Effect::Resolve { run, doubt } => {
                self.resolve(run, doubt);
            }
            Effect::Rehearse { run, step, op } => self.rehearse(run, step, op),
            Effect::PutGuard { run, step, op, deed, consent } => {
                self.put_guard(run, step, op, deed, consent);
            }
            Effect::Look { run } => self.look(run),
            Effect::EndSession { mark, consent } => self.end_session(mark, consent),
            Effect::Command { run, step, consent } => self.command(run, step, consent),
            Effect::Export { run, check, format } => self.export(run, check, format),
            Effect::Score => self.score()?,
            Effect::Postmortem => self.postmortem(),
            Effect::WritePostmortem { base, text } => self.write_postmortem(&base, &text),
            Effect::TourSeen => self.tour_seen(),
            Effect::Mouse(on) => out.push(ForTerminal::Mouse(on)),
            Effect::EditOutside { text, purpose, draft } => {
                out.extend(self.edit_outside(text, purpose, &draft));
            }
            Effect::KeepDraft { name, text } => self.keep_draft(name, text),
            Effect::ForgetDraft { name } => self.forget_draft(name),
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
        // What is typed is on disk before anything is waited for.
        self.drafts = None;
        self.abandon();
        self.tasks.close();
        // What was sent to be committed has an outcome, and it is written down first.
        let executing = self.execution.as_ref().is_some_and(|(_, over)| over.strong_count() > 0);
        let outcome = if executing { OUTCOME } else { at_most };
        let _ = tokio::time::timeout(outcome, self.tasks.wait()).await;
        // Only then is the incident free in the store, which has all of it.
        if let Some(courier) = self.courier.take() {
            courier.stop();
        }
        self.couriers.close();
        let _ = tokio::time::timeout(at_most, self.couriers.wait()).await;
    }

    /// What was not sent to be committed is rolled back.
    fn abandon(&self) {
        if let Some((gone, _)) = &self.execution {
            gone.stop();
        }
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

    /// The same for an operation that may fail: what becomes a message of its answer makes one of a panic too.
    fn ask<T: Send>(
        &self,
        answer: impl FnOnce(Result<T, Problem>) -> Message + Clone + Send + 'static,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) {
        let broken = answer.clone();
        let work = async move { answer(work.await) };
        self.spawn_or(work, move |why| broken(Err(Problem::system(why))));
    }

    fn stopper(&mut self, run: Run) -> Stopper {
        // Runs that are over need no stopper; their numbers never come back.
        if self.stoppers.len() > 256 {
            self.stoppers.retain(|_, stopper| !stopper.is_alone());
        }
        self.stoppers.entry(run).or_default().clone()
    }

    /// Every journal is read for it.
    fn list(&mut self) {
        let state = self.state.clone();
        self.spawn(async move {
            match tokio::task::spawn_blocking(move || store::list(&state)).await {
                Ok(Ok(incidents)) => Message::Incidents(incidents),
                Ok(Err(error)) => Message::Failed(Problem::system(error.to_string())),
                Err(error) => Message::Failed(Problem::system(error.to_string())),
            }
        });
    }

    fn survey(&mut self, run: Run, name: String) {
        self.looked();
        let stopper = self.stopper(run);
        let Some(target) = self.targets.iter().find(|target| target.name == name).cloned() else {
            return;
        };
        let fitting = self.catalogue.checks.iter().filter(|check| target.takes(&check.pack));
        let checks: Vec<Check> = fitting.cloned().collect();
        let surveyed = move |survey| Message::Surveyed { run, target: name, survey };
        self.ask(surveyed, async move {
            let asked = crate::check::at_a_glance(&checks, target.url.dialect);
            ops::detect::survey(&target, &asked, &stopper).await
        });
    }

    /// A file that cannot be written means only that the cards come once more.
    fn tour_seen(&mut self) {
        if let Some(file) = self.tour.take() {
            let folder = file.parent().map(std::fs::create_dir_all);
            if folder.is_none_or(|made| made.is_ok()) {
                let _ = std::fs::write(&file, "");
            }
        }
    }

    fn append(&mut self, entry: Entry) -> Result<(), JournalError> {
        match &self.desk {
            Some(desk) => desk.journal.append(entry).map(drop),
            None => Ok(()),
        }
    }

    fn look(&mut self, run: Run) {
        let Some(desk) = self.desk.clone() else { return };
        let looked = move |seen| Message::Looked { run, seen };
        self.ask(looked, async move {
            let bound = desk.bound(&Stopper::default()).await?;
            bound.monitor.lock().await.look().await.map(Box::new)
        });
    }

    fn end_session(&mut self, mark: String, consent: Consent) {
        let Some(desk) = self.desk.clone() else { return };
        let work = async move {
            let bound = desk.bound(&Stopper::default()).await?;
            bound.monitor.lock().await.end(&mark, consent).await
        };
        self.ask(Message::SessionEnded, work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        let (messages, _) = tokio::sync::mpsc::unbounded_channel();
        let catalogue = Arc::new(Catalogue::built_in().expect("what is built in has no fault"));
        let (practice, state) = (Arc::new(Practice::default()), PathBuf::new());
        World::new(catalogue, practice, Vec::new(), state, "casey".into(), messages)
    }

    /// Or whoever comes straight back would find it held, by the program itself.
    #[test]
    fn an_incident_that_was_left_is_free_also_while_work_of_it_ends() {
        let home = tempfile::tempdir().expect("a folder");
        let (journal, _) = Journal::open(home.path(), "casey").expect("empty");
        let mut world = world();
        let url = crate::config::TargetUrl::parse("sqlite:erp.db", home.path()).expect("a url");
        let target = Target::new("erp", url, crate::config::Environment::Development);
        let policy = crate::config::Policy::default();
        let contact = Contact::new(&target, None, policy, &journal, None, &world.messages);
        world.desk = Some(Desk {
            journal: journal.clone(),
            folder: home.path().to_owned(),
            target,
            contact: Arc::new(contact),
            runbook: Arc::new(world.catalogue.runbooks[0].clone()),
            document: Arc::default(),
        });
        let work_under_way = world.desk.clone();
        world.perform(vec![Effect::Leave]);
        Journal::open(home.path(), "casey").expect("it is free");
        let late = journal.append(Entry::StepEntered { step: "late".into() });
        assert!(matches!(late, Err(JournalError::Lost)), "{late:?}");
        drop(work_under_way);
    }

    #[test]
    fn what_is_under_way_can_be_stopped_however_much_was_begun_since() {
        let mut world = world();
        let long = world.stopper(1);
        for run in 2..600 {
            drop(world.stopper(run));
        }
        assert!(world.stoppers.len() < 300);
        world.perform(vec![Effect::Stop { run: 1 }]);
        assert!(long.is_stopped());
    }
}
