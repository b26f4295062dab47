//! What is said to the protocol of a change, and what it asks for, carried out with the whole app at hand.

use super::chunks;
use crate::incident::entry::{Deed, Entry, Evidence};
use crate::recovery::protocol::{self, Ask as Asked, Said, State};
use crate::recovery::second::Demand;
use crate::recovery::{Plan, Preview};
use crate::tui::app::App;
use crate::tui::case::Recovery;
use crate::tui::effect::Effect;
use crate::tui::overlay::{Ask, Overlay, Purpose};
use crate::value::counted;

/// One step of the protocol for the present step, and what it asks for.
pub fn say(app: &mut App, said: Said) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let step = case.step().id.clone();
    say_of(app, &step, said)
}

/// The same for any step.
pub(super) fn say_of(app: &mut App, step: &str, said: Said) -> Vec<Effect> {
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    step_protocol(case, step, said, now).apply(app, step)
}

/// What the protocol asked, to be carried out with the whole app at hand.
pub(super) struct Answer {
    asked: Asked,
    evidence: Option<Evidence>,
}

pub(super) fn step_protocol(
    case: &mut crate::tui::case::Case,
    step: &str,
    said: Said,
    now: jiff::Timestamp,
) -> Answer {
    let recovery = case.recovery_mut(step);
    let state = std::mem::take(&mut recovery.state);
    // Before the first preview there is no plan; nothing that needs one is allowed then.
    let plan = recovery.plan.clone().unwrap_or_else(|| std::sync::Arc::new(empty_plan(step)));
    let (state, asked) = protocol::step(state, said, &plan, now);
    if let State::Previewing { .. } | State::Executing { .. } = state {
        recovery.since = Some(now);
    }
    recovery.state = state;
    Answer { asked, evidence: None }
}

fn empty_plan(step: &str) -> Plan {
    Plan {
        step: step.to_owned(),
        title: String::new(),
        target: String::new(),
        actions: Vec::new(),
        cures: Vec::new(),
        must_not_worsen: Vec::new(),
        limits: crate::runbook::Limits {
            max_rows: 0,
            time_cap: std::time::Duration::ZERO,
            lock_wait: std::time::Duration::ZERO,
            max_blocked: 3,
        },
        valid: std::time::Duration::ZERO,
        demand: Demand::default(),
        undoes: None,
        lacks: None,
        mass: None,
    }
}

impl Answer {
    pub(super) fn with(self, evidence: Evidence) -> Self {
        Self { evidence: Some(evidence), ..self }
    }

    pub(super) fn apply(self, app: &mut App, step: &str) -> Vec<Effect> {
        let Some(case) = &mut app.case else { return Vec::new() };
        let environment = crate::tui::view::environment_word(case);
        let recovery = case.recoveries.entry(step.to_owned()).or_default();
        match self.asked {
            Asked::Nothing => Vec::new(),
            Asked::Refuse(why) => {
                app.complain(why);
                Vec::new()
            }
            Asked::Preview { run, undo } => {
                // Only here: what is shown is then what the plan that comes will do.
                recovery.undoing = undo;
                recovery.preview = None;
                let undoes = undo
                    .then(|| case.incident.to_take_back(step).map(|change| change.op.clone()))
                    .flatten();
                let op = chunks::going_on(case, step, undo).unwrap_or_else(|| case.new_op(run));
                let recovery = case.recoveries.entry(step.to_owned()).or_default();
                recovery.progress = None;
                let answers = case.incident.answers.clone();
                vec![Effect::Preview { run, op, step: step.to_owned(), answers, undoes }]
            }
            Asked::Journal { preview } => {
                recovery.preview = Some(preview.clone());
                let deed = deed(recovery);
                let Some(evidence) = self.evidence else { return Vec::new() };
                let planned = chunks_planned(step, &preview, &deed);
                let previewed = Effect::Append(Entry::Previewed {
                    step: step.to_owned(),
                    op: preview.op.clone(),
                    deed,
                    rows: preview.asked(),
                    writes: preview.tallies(),
                    hidden: preview.hidden(),
                    fingerprint: preview.fingerprint.clone(),
                    refused: preview.refused.clone(),
                    undo: preview.undo.sentence(),
                    evidence,
                });
                planned.into_iter().chain([previewed]).collect()
            }
            Asked::Request { preview } => {
                let Some(plan) = recovery.plan.clone() else { return Vec::new() };
                let deed = deed(recovery);
                vec![Effect::AskSecond { plan, preview, deed }]
            }
            Asked::OpenConfirmation { expected } => {
                let question = confirmation_text(recovery, &environment);
                app.overlay =
                    Some(Overlay::ask(Ask::new(Purpose::Execute, &question).expecting(&expected)));
                Vec::new()
            }
            Asked::Execute { run, approval } => {
                let (Some(plan), Some(preview)) = (recovery.plan.clone(), recovery.preview.clone())
                else {
                    return Vec::new();
                };
                let deed = deed(recovery);
                let (step, op) = (step.to_owned(), preview.op.clone());
                let alone = approval.warrant().reason().map(str::to_owned);
                let alone = alone.map(|reason| {
                    let (plan, deed) = (plan.clone(), deed.clone());
                    Effect::BreakGlass { plan, preview: preview.clone(), deed, reason }
                });
                let execution = [
                    Effect::Append(Entry::Approved {
                        step: step.clone(),
                        op: op.clone(),
                        deed: deed.clone(),
                        fingerprint: preview.fingerprint.clone(),
                        typed: approval.typed().to_owned(),
                        expires: approval.expires(),
                    }),
                    Effect::Append(Entry::ExecutionStarted {
                        step,
                        op: op.clone(),
                        deed,
                        fingerprint: preview.fingerprint.clone(),
                    }),
                    Effect::Execute { run, plan: Box::new((*plan).clone()), op, approval },
                ];
                alone.into_iter().chain(execution).collect()
            }
        }
    }
}

/// What is to be done in chunks, and the list that was frozen for it.
fn chunks_planned(step: &str, preview: &Preview, deed: &Deed) -> Option<Effect> {
    let chunks = preview.chunks.as_ref()?;
    let list = chunks.keys.as_ref().filter(|_| chunks.done == 0).map(|keys| Evidence {
        file: format!("evidence/keys-{}.jsonl", preview.op),
        sha256: keys.sha256().to_owned(),
    });
    Some(Effect::Append(Entry::ChunksPlanned {
        step: step.to_owned(),
        op: preview.op.clone(),
        deed: deed.clone(),
        left: chunks.left,
        done: chunks.done,
        first: chunks.first,
        about: chunks.about,
        list,
    }))
}

pub(super) fn deed(recovery: &Recovery) -> Deed {
    match recovery.plan.as_ref().and_then(|plan| plan.undoes.clone()) {
        Some(of) => Deed::Undo { of },
        None => Deed::Change,
    }
}

fn confirmation_text(recovery: &Recovery, environment: &str) -> String {
    let (Some(plan), Some(preview)) = (&recovery.plan, &recovery.preview) else {
        return String::new();
    };
    let tables: Vec<String> = preview
        .tallies()
        .iter()
        .map(|(table, tally)| format!("{} in {table}", tally.total()))
        .collect();
    let what = if plan.undoes.is_some() { "TAKE BACK" } else { "Execute" };
    let head = format!("{what} on {environment} {}", plan.target);
    let title = &plan.title;
    let undo = match &preview.undo.impossible {
        Some(why) => format!("\nTHERE IS NO UNDO: {why}."),
        None => String::new(),
    };
    let besides =
        preview.besides.iter().map(|rows| format!("\nNOT ONLY WHAT IS TAKEN BACK: {rows}."));
    let undo = besides.chain([undo]).collect::<String>();
    if let Some(chunks) = &preview.chunks {
        return format!(
            "{head} in chunks\n{title}\n{}.\nThe first chunk must do exactly what was previewed; what is committed stays when it is stopped.{undo}",
            chunks.words(plan.undoes.is_some())
        );
    }
    format!(
        "{head}\n{title}\n{}: {}.\nIf one of them changed since the preview, nothing is written.{undo}",
        counted(preview.rows(), "row"),
        tables.join(", ")
    )
}
