//! The recovery screen: what a change would do, all of it; then the typed confirmation; then how it
//! ended. Every decision is the protocol's; this asks it and shows what it says.

mod answer;
mod chunks;
mod page;
pub mod rows;
mod second;

pub use answer::say;
pub use chunks::moved;
pub use page::page;
pub use page::partly_back;
pub use page::statements;
pub use second::{break_glass, requested, signature, signed, tick};

use answer::step_protocol;

use crate::incident::entry::{Deed, Entry, Evidence};
use crate::problem::Problem;
use crate::recovery::protocol::{Said, State};
use crate::recovery::{Execution, FirstLook, Plan, Preview};
use crate::runbook::Action;
use crate::tui::app::App;
use crate::tui::command::Command;
use crate::tui::effect::{Effect, Run};
use crate::tui::overlay::Overlay;
use crate::tui::widget::scroll::Scroll;
use crate::value::counted;

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
            if undoing { preview_undo(app) } else { preview(app, false) }
        }
        Command::Undo => preview_undo(app),
        Command::Pause | Command::Continue | Command::Halt => chunks::rein(app, command),
        Command::Changes | Command::Rows => {
            if let Some(preview) =
                case.recoveries.get(&case.step().id).and_then(|r| r.preview.clone())
            {
                app.cover(Overlay::changes(rows::All::of(preview)));
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
        None | Some(State::Idle | State::Failed { .. }) => preview(app, false),
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

fn preview(app: &mut App, undo: bool) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    if !case.incident.is_open() {
        app.complain("the incident is closed; nothing is changed any more");
        return Vec::new();
    }
    if !matches!(case.step().action, Action::Change(_)) {
        return Vec::new();
    }
    let step = case.step().id.clone();
    if let Some(why) = chunks::objection(case, undo) {
        app.complain(why);
        return Vec::new();
    }
    if !undo
        && let Some(change) = case.incident.standing_change(&step)
        && change.is_committed()
    {
        let text =
            format!("this change is committed ({}); u takes it back", counted(change.rows, "row"));
        app.complain(text);
        return Vec::new();
    }
    if case.incident.in_doubt().is_some() {
        return ask_again(app);
    }
    let standing = case.incident.standing_change(&step).is_some();
    let recovery = case.recovery_mut(&step);
    // What was taken back may be done again, from a new preview.
    let committed =
        matches!(recovery.state, State::Ended { execution: Execution::Committed { .. } });
    if !standing && committed {
        recovery.state = State::Idle;
    }
    let run = app.new_run();
    say(app, Said::Preview { run, undo })
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
    if case.incident.to_take_back(&step).is_none() {
        app.complain("there is no committed change of this step to take back");
        return Vec::new();
    }
    let recovery = case.recovery_mut(&step);
    if matches!(recovery.state, State::Ended { .. }) {
        recovery.state = State::Idle;
        recovery.preview = None;
    }
    preview(app, true)
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
            app.recovery_scroll = Scroll::default();
            let said = Said::PreviewArrived { run, preview: Box::new(preview) };
            step_protocol(case, step, said, now).with(evidence).apply(app, step)
        }
        Err(problem) => {
            let deed = if recovery.undoing {
                case.incident
                    .to_take_back(step)
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
    let Some(recovery) = case.recoveries.get(step) else { return Vec::new() };
    // Only what is waited for; of an incident that was left it is in that journal.
    if !matches!(recovery.state, State::Executing { run: of, .. } if of == run) {
        return Vec::new();
    }
    let undoing = recovery.undoing;
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
        let (step, how) = (step.to_owned(), format!("{} committed", counted(rows, "row")));
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
    app.recovery_scroll = Scroll::default();
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
        effects.extend(case.want(check, run, now));
    }
    effects
}

/// Nothing else is begun before it is known how the last execution ended.
fn ask_again(app: &mut App) -> Vec<Effect> {
    let effects = match &app.case {
        Some(case) if !case.is_writing() => resolve(app),
        _ => Vec::new(),
    };
    let asked = if effects.is_empty() { "is not known yet" } else { "is asked for once more" };
    app.say(format!("how the last execution ended {asked}; nothing else is begun before"));
    effects
}

/// Asks the database how an execution ended that was cut off, unless it is asked already: each answer
/// is written down.
pub fn resolve(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let Some(case) = &mut app.case else { return Vec::new() };
    match case.doubt().filter(|_| case.resolving.is_none()) {
        Some(doubt) => {
            case.resolving = Some(run);
            vec![Effect::Resolve { run, doubt }]
        }
        None => Vec::new(),
    }
}
