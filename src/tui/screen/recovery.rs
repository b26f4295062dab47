//! The recovery screen: what a change would do, all of it; then the typed confirmation; then how it
//! ended. Every decision is the protocol's; this asks it and shows what it says.

mod chunks;
mod page;
mod rows;
mod second;

pub use chunks::moved;
pub use page::page;
pub use page::statements;
pub use second::{break_glass, requested, signature, signed, tick};

use crate::incident::entry::{Deed, Entry, Evidence};
use crate::problem::Problem;
use crate::recovery::protocol::{self, Ask as Asked, Said, State};
use crate::recovery::second::Demand;
use crate::recovery::{Execution, FirstLook, Plan, Preview};
use crate::runbook::Action;
use crate::tui::app::App;
use crate::tui::case::Recovery;
use crate::tui::command::Command;
use crate::tui::effect::{Effect, Run};
use crate::tui::overlay::{Ask, Kind, Overlay, Purpose};

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let recovery = case.recoveries.get(&case.step().id);
    if recovery.is_some_and(|recovery| matches!(recovery.state, State::Confirming { .. })) {
        // A command comes here only when no box is open, so the confirmation was left alone.
        say(app, Said::Back);
    }
    let Some(case) = &app.case else { return Vec::new() };
    match command {
        Command::Approve | Command::Confirm => enter(app),
        Command::FirstLook => first_look(app),
        Command::AskSecond => second::ask(app),
        Command::Signature => second::paste(app),
        Command::BreakGlass => second::why(app),
        Command::Preview | Command::Refresh => {
            let standing = case.incident.standing_change(&case.step().id).is_some();
            let undoing =
                standing && case.recoveries.get(&case.step().id).is_some_and(|r| r.undoing);
            if undoing { preview_undo(app) } else { preview(app, None) }
        }
        Command::Undo => preview_undo(app),
        Command::Pause | Command::Continue | Command::Halt => chunks::rein(app, command),
        Command::Changes | Command::Rows => {
            if let Some(preview) =
                case.recoveries.get(&case.step().id).and_then(|r| r.preview.clone())
            {
                let lines = rows::all(app, &preview);
                app.cover(Overlay::changes(lines));
            }
            Vec::new()
        }
        Command::Fold => {
            app.unfolded = !app.unfolded;
            app.say(if app.unfolded { "every column" } else { "only what changes" });
            Vec::new()
        }
        Command::Plan => super::plan::ask(app, None),
        Command::Statements => {
            let lines = statements(app);
            app.cover(Overlay::text("Statements as they run", lines));
            Vec::new()
        }
        Command::NextStep => super::step::look_at(app, case.at + 1),
        Command::PrevStep => super::step::look_at(app, case.at.saturating_sub(1)),
        other => {
            app.recovery_scroll.on_command(other);
            Vec::new()
        }
    }
}

/// In the box with all rows: folds the columns that stay the same, or shows them.
pub fn fold_rows(app: &mut App) {
    app.unfolded = !app.unfolded;
    let preview = app
        .case
        .as_ref()
        .and_then(|case| case.recoveries.get(&case.step().id))
        .and_then(|recovery| recovery.preview.clone());
    if let Some(preview) = preview {
        let lines = rows::all(app, &preview);
        if let Some(Overlay { kind: Kind::Changes { scroll }, .. }) = &mut app.overlay {
            scroll.set(lines);
        }
    }
}

/// Enter: confirm what was previewed, or go on after it was done.
fn enter(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let recovery = case.recoveries.get(&case.step().id);
    let standing = case.incident.standing_change(&case.step().id).is_some();
    let halted = case.incident.halted(&case.step().id).is_some();
    match recovery.map(|recovery| &recovery.state) {
        // It was committed before the program was taken up again.
        None | Some(State::Idle | State::Failed { .. }) if standing && !halted => {
            super::step::onward(app)
        }
        None | Some(State::Idle | State::Failed { .. }) => preview(app, None),
        Some(State::Ended {
            execution: Execution::RolledBack { .. } | Execution::Halted { .. },
        }) => on_command(app, Command::Preview),
        Some(State::Ended { execution: Execution::Committed { .. } }) => {
            let undone = recovery.is_some_and(|recovery| recovery.undoing);
            if undone { super::step::look_at(app, case.at) } else { super::step::onward(app) }
        }
        Some(_) => say(app, Said::Confirm),
    }
}

fn preview(app: &mut App, undoes: Option<String>) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    if !case.incident.is_open() {
        app.complain("the incident is closed; nothing is changed any more");
        return Vec::new();
    }
    if !matches!(case.step().action, Action::Change(_)) {
        return Vec::new();
    }
    let step = case.step().id.clone();
    if let Some(why) = chunks::objection(case, undoes.is_some()) {
        app.complain(why);
        return Vec::new();
    }
    if undoes.is_none()
        && let Some(change) = case.incident.standing_change(&step)
        && change.is_committed()
    {
        let text = format!("this change is committed ({} rows); u takes it back", change.rows);
        app.complain(text);
        return Vec::new();
    }
    if case.incident.in_doubt().is_some() {
        app.complain("the outcome of the last execution must be found out first: r asks again");
        return Vec::new();
    }
    let standing = case.incident.standing_change(&step).is_some();
    let recovery = case.recovery_mut(&step);
    recovery.undoing = undoes.is_some();
    // What was taken back may be done again, from a new preview.
    let committed =
        matches!(recovery.state, State::Ended { execution: Execution::Committed { .. } });
    if !standing && committed {
        recovery.state = State::Idle;
    }
    let run = app.new_run();
    say(app, Said::Preview { run })
}

/// Counts and samples by reads, before anything is tried.
fn first_look(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let Some(case) = &mut app.case else { return Vec::new() };
    if !matches!(case.step().action, Action::Change(_)) {
        return Vec::new();
    }
    let (step, answers) = (case.step().id.clone(), case.incident.answers.clone());
    let recovery = case.recovery_mut(&step);
    if recovery.looking.is_some() || !matches!(recovery.state, State::Idle | State::Failed { .. }) {
        return Vec::new();
    }
    recovery.state = State::Idle;
    recovery.looking = Some(run);
    app.screen = crate::tui::app::Screen::Recovery;
    vec![Effect::FirstLook { run, step, answers }]
}

pub fn looked(
    app: &mut App,
    run: Run,
    step: &str,
    look: Result<Box<FirstLook>, Problem>,
) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let recovery = case.recovery_mut(step);
    if recovery.looking != Some(run) {
        return Vec::new();
    }
    recovery.looking = None;
    match look {
        Ok(look) => recovery.look = Some(*look),
        Err(problem) => app.complain(problem.sentence),
    }
    Vec::new()
}

fn preview_undo(app: &mut App) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let step = case.step().id.clone();
    let Some(change) = case.incident.standing_change(&step) else {
        app.complain("there is no committed change of this step to take back");
        return Vec::new();
    };
    let op = change.op.clone();
    let recovery = case.recovery_mut(&step);
    if matches!(recovery.state, State::Ended { .. }) {
        recovery.state = State::Idle;
        recovery.preview = None;
    }
    preview(app, Some(op))
}

/// One step of the protocol for the present step, and what it asks for.
pub fn say(app: &mut App, said: Said) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let step = case.step().id.clone();
    say_of(app, &step, said)
}

/// The same for any step.
fn say_of(app: &mut App, step: &str, said: Said) -> Vec<Effect> {
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    step_protocol(case, step, said, now).apply(app, step)
}

/// What the protocol asked, to be carried out with the whole app at hand.
struct Answer {
    asked: Asked,
    evidence: Option<Evidence>,
}

fn step_protocol(
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
        mass: None,
    }
}

impl Answer {
    fn apply(self, app: &mut App, step: &str) -> Vec<Effect> {
        let Some(case) = &mut app.case else { return Vec::new() };
        let environment = super::super::view::environment_word(case);
        let recovery = case.recoveries.entry(step.to_owned()).or_default();
        match self.asked {
            Asked::Nothing => Vec::new(),
            Asked::Refuse(why) => {
                app.complain(why);
                Vec::new()
            }
            Asked::Preview { run } => {
                recovery.preview = None;
                let undoing = recovery.undoing;
                let undoes = undoing
                    .then(|| case.incident.standing_change(step).map(|change| change.op.clone()))
                    .flatten();
                let op = chunks::going_on(case, step, undoing).unwrap_or_else(|| case.new_op(run));
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

fn deed(recovery: &Recovery) -> Deed {
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
    if let Some(chunks) = &preview.chunks {
        let what = if plan.undoes.is_some() { "Undo" } else { "Execute" };
        return format!(
            "{what} on {environment} {} in chunks\n{}.\nThe first chunk must do exactly what was previewed; what is committed stays when it is stopped.",
            plan.target,
            chunks.words()
        );
    }
    let what = if plan.undoes.is_some() { "Undo" } else { "Execute" };
    let undo = match &preview.undo.impossible {
        Some(why) => format!("\nTHERE IS NO UNDO: {why}."),
        None => String::new(),
    };
    format!(
        "{what} on {environment} {}\n{} rows: {}.\nIf one of them changed since the preview, nothing is written.{undo}",
        plan.target,
        preview.rows(),
        tables.join(", ")
    )
}

/// An answer of a preview came back.
pub fn previewed(
    app: &mut App,
    run: Run,
    step: &str,
    preview: Result<Box<(Plan, Preview, Evidence)>, Problem>,
) -> Vec<Effect> {
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let recovery = case.recovery_mut(step);
    if !matches!(recovery.state, State::Previewing { run: of } if of == run) {
        return Vec::new();
    }
    match preview {
        Ok(answer) => {
            let (plan, preview, evidence) = *answer;
            recovery.plan = Some(std::sync::Arc::new(plan));
            recovery.request = None;
            app.recovery_scroll = crate::tui::widget::scroll::Scroll::default();
            let said = Said::PreviewArrived { run, preview: Box::new(preview) };
            let answer = step_protocol(case, step, said, now);
            Answer { evidence: Some(evidence), ..answer }.apply(app, step)
        }
        Err(problem) => {
            let deed = if recovery.undoing {
                case.incident
                    .standing_change(step)
                    .map_or(Deed::Change, |change| Deed::Undo { of: change.op.clone() })
            } else {
                Deed::Change
            };
            let why = problem.to_string();
            let said = Said::PreviewFailed { run, why: why.clone() };
            let mut effects = step_protocol(case, step, said, now).apply(app, step);
            effects.push(Effect::Append(Entry::PreviewFailed {
                step: step.to_owned(),
                deed,
                why: problem.sentence,
            }));
            effects
        }
    }
}

/// An execution ended.
pub fn executed(app: &mut App, run: Run, step: &str, execution: Execution) -> Vec<Effect> {
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let undoing = case.recoveries.get(step).is_some_and(|recovery| recovery.undoing);
    let committed = matches!(&execution, Execution::Committed { .. });
    let sound = matches!(&execution, Execution::Committed { sound: true, .. });
    let rows = match &execution {
        Execution::Committed { rows, .. } => *rows,
        Execution::RolledBack { .. } | Execution::Halted { .. } | Execution::Unknown { .. } => 0,
    };
    let halted = matches!(&execution, Execution::Halted { .. });
    let unknown = matches!(&execution, Execution::Unknown { .. });
    let mut effects =
        step_protocol(case, step, Said::Ended { run, execution }, now).apply(app, step);
    if committed && !undoing {
        let (step, how) = (step.to_owned(), format!("{rows} rows committed"));
        effects.push(Effect::Append(if sound {
            Entry::StepPassed { step, how }
        } else {
            Entry::StepFailed { step, why: "committed, but the verification failed".into() }
        }));
    }
    if unknown {
        effects.extend(resolve(app));
    }
    if committed || halted {
        effects.extend(look_again(app, step, undoing));
    }
    app.recovery_scroll = crate::tui::widget::scroll::Scroll::default();
    effects
}

/// After a commit what was seen before is old: the checks run again, and after an undo the steps
/// that had looked at the change are open once more.
fn look_again(app: &mut App, step: &str, undone: bool) -> Vec<Effect> {
    let runs: Vec<Run> = (0..8).map(|_| app.new_run()).collect();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let mut effects = Vec::new();
    let at = case.runbook.position(step).unwrap_or(0);
    if undone {
        let later = case.runbook.steps.iter().skip(at + 1);
        let looked = later.filter(|later| matches!(later.action, Action::Check(_)));
        for later in looked.filter(|later| case.incident.progress.state(&later.id).is_settled()) {
            let why = "the change it had looked at was taken back".to_owned();
            effects.push(Effect::Append(Entry::StepFailed { step: later.id.clone(), why }));
        }
    }
    let Some(Action::Change(change)) = case.runbook.step(step).map(|step| step.action.clone())
    else {
        return effects;
    };
    for (check, run) in change.cures.iter().zip(runs) {
        effects.extend(case.detect(check, run, now));
    }
    effects
}

/// Asks the database how an execution ended that was cut off.
pub fn resolve(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let Some(case) = &app.case else { return Vec::new() };
    match case.doubt() {
        Some(doubt) => vec![Effect::Resolve { run, doubt }],
        None => Vec::new(),
    }
}
