//! Which commands can come to something here and now: what the help and the palette list.
//!
//! A key that is pressed all the same is answered by its screen, with the reason.

use super::app::{App, Screen};
use super::case::Case;
use super::command::Command;
use crate::recovery::protocol::State;
use crate::recovery::second::Demand;
use crate::runbook::{Action, Required};

pub fn is_in(app: &App, command: Command) -> bool {
    if let Some(replay) = &app.replay {
        return in_replay(app, command, replay.watching.is_some());
    }
    let case = app.case.as_ref();
    match command {
        Command::Incident
        | Command::Server
        | Command::Journal
        | Command::Postmortem
        | Command::Violations
        | Command::Card => case.is_some(),
        Command::Note
        | Command::Severity
        | Command::Escalate
        | Command::Milestone
        | Command::CloseIncident
        | Command::Comms => case.is_some_and(|case| case.incident.is_open()),
        Command::HandOver => app.asked.is_some(),
        Command::Oops => !app.undone.is_empty(),
        Command::Left | Command::Right => match app.screen {
            Screen::Violations => true,
            Screen::Journal => app.journal.span.is_some(),
            _ => false,
        },
        _ => case.is_none_or(|case| on_screen(app, case, command)),
    }
}

fn on_screen(app: &App, case: &Case, command: Command) -> bool {
    let step = case.step();
    let (change, guard) =
        (matches!(step.action, Action::Change(_)), matches!(step.action, Action::Guard(_)));
    let stands = case.incident.guard_stands(&step.id);
    let open = case.incident.is_open();
    match (app.screen, command) {
        (Screen::Step, Command::Rows | Command::Refresh) => {
            case.check_of_step().or(case.main_check()).is_some()
        }
        (Screen::Step, Command::Preview) => open && (change || guard),
        (Screen::Step, Command::FirstLook) => open && change,
        (Screen::Step, Command::Plan) => change || case.check_of_step().is_some(),
        (Screen::Step, Command::Skip) => {
            let settled = case.incident.progress.state(&step.id).is_settled();
            open && !settled && step.required != Required::Pass && !case.is_doing(&step.id)
        }
        (Screen::Step | Screen::Recovery, Command::Undo) => {
            open && case.incident.to_take_back(&step.id).is_some()
        }
        (Screen::Step | Screen::Guardrail, Command::Withdraw) => open && stands,
        (Screen::Guardrail, Command::Apply) => open && !stands,
        (Screen::Recovery, command) => on_recovery(case, command),
        (Screen::Violations, Command::Export) => app.violations.above.is_empty(),
        (Screen::Server, Command::Open) => {
            case.watch.pressure().is_some_and(|pressure| !pressure.orphans.is_empty())
        }
        _ => true,
    }
}

fn on_recovery(case: &Case, command: Command) -> bool {
    let recovery = case.recoveries.get(&case.step().id);
    let state = recovery.map(|recovery| &recovery.state);
    let asks_second = recovery
        .and_then(|recovery| recovery.plan.as_ref())
        .map_or(Demand::One, |plan| plan.demand);
    match command {
        Command::Changes | Command::Fold => recovery.is_some_and(|one| one.preview.is_some()),
        Command::Pause | Command::Continue | Command::Halt => case.driving().is_some(),
        Command::FirstLook => {
            matches!(state, None | Some(State::Idle | State::Failed { .. }))
        }
        Command::AskSecond => asks_second != Demand::One,
        Command::Signature => recovery.is_some_and(|recovery| recovery.waiting().is_some()),
        Command::BreakGlass => asks_second == Demand::PairOrBreakGlass,
        _ => true,
    }
}

/// What only looks.
fn in_replay(app: &App, command: Command, watching: bool) -> bool {
    match command {
        Command::TakeOver => watching,
        Command::Play | Command::Faster => !watching,
        Command::Filter
        | Command::Search
        | Command::NextMatch
        | Command::PrevMatch
        | Command::ZoomIn
        | Command::ZoomOut => app.screen == Screen::Journal,
        Command::Changes => app.screen == Screen::Recovery,
        Command::Statements => matches!(app.screen, Screen::Recovery | Screen::Guardrail),
        Command::Cancel
        | Command::Mouse
        | Command::Oops
        | Command::Tour
        | Command::HandOver
        | Command::Server => false,
        _ => true,
    }
}
