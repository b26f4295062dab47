//! Stopping what runs, and leaving: by a key, or because the system asks us to go.

use crate::exit::Exit;
use crate::recovery::mass::Rein;
use crate::tui::app::App;
use crate::tui::case::Case;
use crate::tui::draft;
use crate::tui::effect::Effect;
use crate::tui::overlay::{Overlay, Purpose};
use crate::tui::screen::home;

use super::overlay::dismiss;

pub(super) fn stop_all(app: &mut App) -> Vec<Effect> {
    let mut effects = stop_case(app);
    effects.extend(app.explaining.map(|(run, _)| Effect::Stop { run }));
    effects.extend(home::stop_surveys(app));
    effects.extend(app.violations.runs().map(|run| Effect::Stop { run }));
    effects
}

pub(super) fn stop_case(app: &App) -> Vec<Effect> {
    let runs = app.case.as_ref().map(Case::runs).unwrap_or_default();
    runs.into_iter().map(|run| Effect::Stop { run }).collect()
}

pub(super) fn cancel(app: &mut App) -> Vec<Effect> {
    if let Some(halt) = halt(app, "stopped by the operator") {
        app.say("it stops after this chunk");
        return vec![halt];
    }
    let effects = stop_all(app);
    app.explaining = None;
    if effects.is_empty() {
        let writing = app.case.as_ref().is_some_and(Case::is_writing);
        app.say(if writing {
            "an execution ends by itself within its time cap"
        } else {
            "nothing is running"
        });
    } else {
        app.say("stopping it in the database ...");
    }
    effects
}

pub(super) fn interrupt(app: &mut App) -> Vec<Effect> {
    if app.overlay.is_some() {
        return dismiss(app);
    }
    let effects = stop_all(app);
    if effects.is_empty() { quit(app) } else { effects }
}

pub(super) fn quit(app: &mut App) -> Vec<Effect> {
    if let Some(why) = app.case.as_ref().and_then(Case::must_end) {
        app.complain(why);
        return Vec::new();
    }
    if app.case.as_ref().is_some_and(|case| case.incident.is_open()) {
        let question = if app.facts.drill.is_some() {
            "Leave? The drill ends here and is scored."
        } else if app.facts.thrown_away {
            "Leave? The demo and this incident are thrown away."
        } else {
            "Leave? The incident stays open; `steadyhand resume` goes on here."
        };
        let answers = vec!["Leave".to_owned(), "Stay".to_owned()];
        app.cover(Overlay::choice(question, answers, Purpose::Leave));
        return Vec::new();
    }
    app.quit = Some(Exit::Clear);
    Vec::new()
}

/// The system asks us to go: before COMMIT is sent everything is rolled back; after, the outcome is
/// waited for. The second time at once.
pub(super) fn go_away(app: &mut App, why: &'static str) -> Vec<Effect> {
    if app.leaving.is_some() {
        app.quit = Some(Exit::Interrupted);
        return Vec::new();
    }
    app.leaving = Some(why);
    // What is done in chunks can be left between two of them, and is taken up again there.
    let mut effects = stop_all(app);
    effects.extend(halt(app, "the cockpit was asked to go"));
    effects.push(Effect::Abandon);
    effects
}

/// The shell is to have the terminal. Whoever stops the program stops it in the middle of what it does
/// on databases, and a transaction would be open until they come back: so that ends first.
pub(super) fn step_out(app: &mut App) -> Vec<Effect> {
    let effects = draft::keep(app);
    if app.replay.is_some() {
        return vec![Effect::Suspend];
    }
    if let Some(why) = app.case.as_ref().and_then(Case::must_end) {
        app.complain(why);
        return effects;
    }
    app.stepping_out = true;
    if app.is_at_work() {
        app.say("stopping what runs in the database; then the terminal is the shell's");
    }
    effects
}

/// Also what was begun since is stopped, so that nobody waits for it.
pub(super) fn step_out_when_done(app: &mut App) -> Vec<Effect> {
    if !app.stepping_out {
        return Vec::new();
    }
    if app.is_at_work() {
        return stop_all(app);
    }
    app.stepping_out = false;
    vec![Effect::Suspend]
}

pub(super) fn halt(app: &App, why: &'static str) -> Option<Effect> {
    let run = app.case.as_ref().and_then(Case::driving)?;
    Some(Effect::Rein { run, rein: Rein::Stop(why) })
}

pub(super) fn leave_when_done(app: &mut App) {
    if app.leaving.is_some() && !app.case.as_ref().is_some_and(Case::is_writing) {
        app.quit = Some(Exit::Interrupted);
    }
}
