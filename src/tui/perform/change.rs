//! Changes and guardrails: from the first look to the outcome, and what the journal keeps of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Desk, World};
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
            let plans = match check.as_deref().map(|check| catalogue.check(check)) {
                Some(Some(check)) => {
                    ops::explain::check(&desk.target.for_checks(), check, &stopper).await
                }
                Some(None) => Err(Problem::usage("this check is not loaded")),
                None => {
                    match planned(&desk, &catalogue, actor, &step, String::new(), &answers).await {
                        Ok(job) => ops::explain::change(&job, &stopper).await,
                        Err(problem) => Err(problem),
                    }
                }
            };
            Message::Explained { run, plans }
        };
        self.spawn_or(work, move |why| Message::Explained {
            run,
            plans: Err(Problem::system(why)),
        });
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
            let (target, server) = (desk.target, desk.server);
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
        let guard = self.guard_job(&doubt.step, doubt.op.clone());
        let of = doubt.step.clone();
        let answer = move |outcome| Message::Resolved { run, step: of, outcome };
        self.ask(answer, async move {
            let Doubt { step, op, deed, rows, mark, chunk } = doubt;
            let mark = mark.as_deref();
            let number = chunk.map_or(0, |chunk| chunk.number);
            let found = match (&deed, guard) {
                (Deed::ApplyGuardrail | Deed::WithdrawGuardrail, Ok(job)) => {
                    ops::guard::resolve(&job, &deed, mark).await
                }
                (_, _) => {
                    ops::resolve::resolve(&desk.target, &desk.server, &op, number, mark).await
                }
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

    pub(super) fn guard_job(&self, step: &str, op: String) -> Result<ops::guard::Job, Problem> {
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

    pub(super) fn rehearse(&mut self, run: Run, step: String, op: String) {
        let stopper = self.stopper(run);
        let job = self.guard_job(&step, op.clone());
        let Some(desk) = self.desk.clone() else { return };
        let answer = move |rehearsal| Message::Rehearsed { run, step, rehearsal };
        self.ask(
            answer,
            async move { rehearsed(&job?, &desk.journal, &stopper).await.map(Box::new) },
        );
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
        let job = self.guard_job(&step, op);
        let Some(desk) = self.desk.clone() else { return };
        let of = step.clone();
        let work = async move {
            let (outcome, why) = match job {
                Ok(job) => ops::guard::put(&job, &deed, consent, &desk.journal, &stopper).await,
                Err(problem) => (Outcome::Unknown, problem.sentence),
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
    let mut job = planned(desk, catalogue, actor, step, op, answers).await?;
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
) -> Result<ops::recover::Job, Problem> {
    let found = desk.runbook.step(step);
    let Some(step @ Step { action: Action::Change(change), .. }) = found else {
        return Err(Problem::usage(format!("{step} is no change")));
    };
    let check = |id: &str| catalogue.check(id).cloned();
    let plan = ops::plan::change(&desk.runbook, step, change, &desk.target, answers, check).await?;
    let (target, server) = (desk.target.clone(), desk.server.clone());
    Ok(ops::recover::Job { plan, target, server, actor, op })
}

/// What the journal on disk tells.
fn told(folder: &Path) -> Result<Incident, Problem> {
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
