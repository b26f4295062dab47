//! Changes and guardrails: from the first look to the outcome, and what the journal keeps of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Bound, Desk, World};
use crate::catalogue::Catalogue;
use crate::consent::Consent;
use crate::guardrail;
use crate::incident::Incident;
use crate::incident::entry::{Deed, Entry, Evidence, Outcome};
use crate::incident::journal::Journal;
use crate::incident::store;
use crate::ops;
use crate::ops::Stopper;
use crate::problem::Problem;
use crate::recovery::{Approval, Execution, Plan};
use crate::runbook::{Action, Step};
use crate::tui::effect::{Doubt, Run};
use crate::tui::message::Message;

impl World {
    pub(super) fn first_look(&mut self, run: Run, step: String, answers: BTreeMap<String, String>) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let (catalogue, actor) = (self.catalogue.clone(), self.actor.clone());
        let of = step.clone();
        let work = async move {
            let none = String::new();
            let job = planned(&desk, &catalogue, actor, &step, none, &answers, &stopper).await?;
            ops::look::look(&job, &stopper).await.map(Box::new)
        };
        self.ask(move |look| Message::LookedFirst { run, step: of, look }, work);
    }

    /// Of a check if one is named, else of the step's change.
    pub(super) fn explain(
        &mut self,
        run: Run,
        check: Option<String>,
        step: String,
        answers: BTreeMap<String, String>,
    ) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let (catalogue, actor) = (self.catalogue.clone(), self.actor.clone());
        let work = async move {
            let Some(check) = check else {
                let none = String::new();
                let job =
                    planned(&desk, &catalogue, actor, &step, none, &answers, &stopper).await?;
                return ops::explain::change(&job, &stopper).await;
            };
            let check = catalogue.check(&check);
            let check = check.ok_or_else(|| Problem::usage("this check is not loaded"))?;
            let target = desk.bound(&stopper).await?.target.for_checks();
            ops::explain::check(&target, check, &stopper).await
        };
        self.ask(move |plans| Message::Explained { run, plans }, work);
    }

    pub(super) fn preview(
        &mut self,
        run: Run,
        op: String,
        step: String,
        answers: BTreeMap<String, String>,
        undoes: Option<String>,
    ) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let (catalogue, actor) = (self.catalogue.clone(), self.actor.clone());
        let of = step.clone();
        let answer = move |preview| Message::Previewed { run, step: of, preview };
        self.ask(answer, async move {
            let preview =
                previewed(&desk, &catalogue, actor, &step, op, &answers, undoes, &stopper).await;
            preview.map(Box::new)
        });
    }

    pub(super) fn execute(&mut self, run: Run, plan: Plan, op: String, approval: Approval) {
        // No key stops one transaction halfway: its time cap ends it, or that nobody is there any more.
        let (gone, running) = (Stopper::default(), Arc::new(()));
        self.execution = Some((gone.clone(), Arc::downgrade(&running)));
        let Some(desk) = self.desk.clone() else { return };
        let (step, actor) = (plan.step.clone(), self.actor.clone());
        let (of, cut_off) = (step.clone(), op.clone());
        let (messages, reins) = (self.messages.clone(), ops::mass::Reins::default());
        self.reins = Some((run, reins.clone()));
        let work = async move {
            let Bound { target, server, .. } = match desk.bound(&gone).await {
                Ok(bound) => bound,
                Err(problem) => {
                    let execution = Execution::RolledBack { why: problem.sentence, drift: None };
                    return Message::Executed { run, step, execution };
                }
            };
            let (target, server) = (target.clone(), server.clone());
            let job = ops::recover::Job { plan, target, server, actor, op };
            let execution = if job.plan.mass.is_some() {
                let of = step.clone();
                let tell = move |progress| {
                    let (step, progress) = (of.clone(), Box::new(progress));
                    // Nobody listens any more only when the cockpit is gone.
                    let _ = messages.send(Message::Moved { run, step, progress });
                };
                ops::mass::execute(&job, approval, &desk.journal, &reins, &tell).await
            } else {
                ops::recover::execute(&job, approval, &desk.journal, &gone).await
            };
            drop(running);
            Message::Executed { run, step, execution }
        };
        // Whether it committed is then asked of the database, as after a crash.
        self.spawn_or(work, move |why| Message::Executed {
            run,
            step: of,
            execution: Execution::Unknown { op: cut_off, why },
        });
    }

    pub(super) fn resolve(&mut self, run: Run, doubt: Doubt) {
        let Some(desk) = self.desk.clone() else { return };
        let actor = self.actor.clone();
        let of = doubt.step.clone();
        let answer = move |outcome| Message::Resolved { run, step: of, outcome };
        self.ask(answer, async move {
            let Doubt { step, op, deed, rows, mark, chunk } = doubt;
            let mark = mark.as_deref();
            let number = chunk.map_or(0, |chunk| chunk.number);
            let patient = Stopper::default();
            let Bound { target, server, .. } = desk.bound(&patient).await?;
            let of_guard = matches!(deed, Deed::ApplyGuardrail | Deed::WithdrawGuardrail);
            let found = match guard_job(&desk, &step, op.clone(), actor, &patient).await {
                Ok(job) if of_guard => ops::guard::resolve(&job, &deed, mark).await,
                _ => ops::resolve::resolve(target, server, &op, number, mark).await,
            };
            let (outcome, how) = found?;
            if let Some(chunk) = chunk {
                let cut = ops::mass::CutOff { step, op, deed, chunk };
                cut.found(outcome, &how, &desk.journal)?;
                return Ok((outcome, how));
            }
            let entry = Entry::Resolved { step, op, deed, outcome, rows, how: how.clone() };
            let written = desk.journal.append(entry);
            written.map_err(|error| Problem::system(error.to_string()))?;
            Ok((outcome, how))
        });
    }

    pub(super) fn rehearse(&mut self, run: Run, step: String, op: String) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let (actor, of) = (self.actor.clone(), step.clone());
        let answer = move |rehearsal| Message::Rehearsed { run, step: of, rehearsal };
        self.ask(answer, async move {
            let job = guard_job(&desk, &step, op, actor, &stopper).await?;
            rehearsed(&job, &desk.journal, &stopper).await.map(Box::new)
        });
    }

    pub(super) fn put_guard(
        &mut self,
        run: Run,
        step: String,
        op: String,
        deed: Deed,
        consent: Consent,
    ) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let (actor, of) = (self.actor.clone(), step.clone());
        let work = async move {
            let (outcome, why) = match guard_job(&desk, &step, op, actor, &stopper).await {
                Ok(job) => ops::guard::put(&job, &deed, consent, &desk.journal, &stopper).await,
                // Nothing was sent.
                Err(problem) => (Outcome::RolledBack, problem.sentence),
            };
            Message::GuardPut { run, step, outcome, why }
        };
        self.spawn_or(work, move |why| {
            let outcome = Outcome::Unknown;
            Message::GuardPut { run, step: of, outcome, why }
        });
    }
}

#[allow(clippy::too_many_arguments)] // one call site; each is a fact of the preview
async fn previewed(
    desk: &Desk,
    catalogue: &Catalogue,
    actor: String,
    step: &str,
    op: String,
    answers: &BTreeMap<String, String>,
    undoes: Option<String>,
    stopper: &Stopper,
) -> Result<(Plan, crate::recovery::Preview, Evidence), Problem> {
    let mut job = planned(desk, catalogue, actor, step, op, answers, stopper).await?;
    if undoes.is_some() || job.plan.mass.is_some() {
        let incident = told(&desk.folder)?;
        match undoes {
            Some(of) => job.plan = ops::mass::undo(&job, &incident, &desk.folder, &of)?,
            None => ops::mass::go_on(&mut job, &incident, &desk.folder)?,
        }
    }
    let preview = ops::recover::preview(&job, stopper).await?;
    let (mut name, chunks) = (format!("preview-{}.json", job.op), preview.chunks.as_ref());
    if chunks.is_some_and(|chunks| chunks.done > 0) {
        // One operation is previewed again for what is left of it.
        name = format!("preview-{}-{}.json", job.op, desk.journal.head().seq);
    }
    if let Some(keys) =
        chunks.filter(|chunks| chunks.done == 0).and_then(|chunks| chunks.keys.as_ref())
    {
        let list = format!("keys-{}.jsonl", job.op);
        let kept = desk.journal.keep_written(&list, |out| keys.write_to(out));
        kept.map_err(|error| Problem::system(error.to_string()))?;
    }
    let kept = desk.journal.keep_written(&name, |out| Ok(serde_json::to_writer(out, &preview)?));
    let evidence = kept.map_err(|error| Problem::system(error.to_string()))?;
    Ok((job.plan, preview, evidence))
}

/// The change of a step, ready to run.
async fn planned(
    desk: &Desk,
    catalogue: &Catalogue,
    actor: String,
    step: &str,
    op: String,
    answers: &BTreeMap<String, String>,
    stopper: &Stopper,
) -> Result<ops::recover::Job, Problem> {
    let found = desk.runbook.step(step);
    let Some(step @ Step { action: Action::Change(change), .. }) = found else {
        return Err(Problem::usage(format!("{step} is no change")));
    };
    let check = |id: &str| catalogue.check(id).cloned();
    let Bound { target, server, .. } = desk.bound(stopper).await?;
    let plan = ops::plan::change(&desk.runbook, step, change, target, answers, check).await?;
    let (target, server) = (target.clone(), server.clone());
    Ok(ops::recover::Job { plan, target, server, actor, op })
}

/// The guardrail of a step, ready to be tried or put.
async fn guard_job(
    desk: &Desk,
    step: &str,
    op: String,
    actor: String,
    stopper: &Stopper,
) -> Result<ops::guard::Job, Problem> {
    let found = desk.runbook.step(step);
    let Some(Step { title, action: Action::Guard(guard), .. }) = found else {
        return Err(Problem::usage(format!("{step} is no guardrail")));
    };
    let Bound { target, server, .. } = desk.bound(stopper).await?;
    let plan = guardrail::Plan::of(title, guard, target.url.dialect).map_err(Problem::usage)?;
    let (target, server) = (target.clone(), server.clone());
    Ok(ops::guard::Job { step: step.to_owned(), op, plan, target, server, actor })
}

/// What the journal on disk tells.
pub(super) fn told(folder: &Path) -> Result<Incident, Problem> {
    let (records, _, _) = crate::incident::journal::read(folder)
        .map_err(|error| Problem::system(error.to_string()))?;
    Ok(Incident::replay(&store::name(folder), &records))
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
