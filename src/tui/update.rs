//! Update: one message in, effects out. Routing and what belongs to no screen; the rest is a call.
//!
//! Names neither operations nor engines: what it wants done it returns.

mod arrival;
mod input;
mod leaving;
mod overlay;
pub mod together;

use jiff::{SignedDuration, Timestamp};

use super::app::{App, Screen};
use super::draft;
use super::effect::Effect;
use super::message::Message;
use super::overlay::{Overlay, answer, outside};
use super::replay::moment;
use super::screen::{guardrail, home, plan, recovery, server, violations};
use super::theme::Theme;
use crate::clock;
use crate::recovery::mass::Rein;
pub use arrival::begin;
use arrival::{checked, command_ran, enter_case, exported, prepared, resolved};
pub use input::key;
use input::{command_given, mouse};
use leaving::{go_away, leave_when_done, step_out_when_done};
use overlay::pasted;

/// Takes in one message.
#[must_use]
pub fn update(app: &mut App, message: Message, now: Timestamp) -> Vec<Effect> {
    app.now = now;
    if app.replay.is_some() {
        return moment::update(app, message);
    }
    let mut effects = match message {
        Message::Key(event) => key(app, event),
        Message::Paste(text) => {
            pasted(app, &text);
            Vec::new()
        }
        Message::Command(command) => match &app.overlay {
            Some(overlay) if !overlay.drawn => Vec::new(),
            _ => command_given(app, command, None),
        },
        Message::Typed(text) => answer::whole(app, &text),
        Message::Resized | Message::Continued => Vec::new(),
        Message::Mouse(event) => mouse(app, event),
        Message::Ground(ground) => {
            let fitting = Theme::built_in(Theme::name_for(ground), app.facts.depth);
            if let Some(theme) = fitting {
                app.look.theme = theme;
            }
            Vec::new()
        }
        Message::Tick => {
            let mut effects = draft::keep(app);
            effects.extend(tick(app));
            effects
        }
        Message::GoAway(why) => {
            let mut effects = draft::keep(app);
            effects.extend(go_away(app, why));
            effects
        }
        Message::Prepared(outcome) => prepared(app, outcome),
        Message::Incidents(incidents) => {
            app.home.incidents = incidents;
            Vec::new()
        }
        Message::Surveyed { run, target, survey } => home::surveyed(app, run, &target, survey),
        Message::Opened(opened) => {
            app.home.opening = None;
            match opened {
                Ok(opened) => {
                    // Who comes back from it begins anew.
                    app.home.at = None;
                    enter_case(app, *opened)
                }
                Err(problem) => tell(app, problem),
            }
        }
        Message::Unanswered { runbook, target, problem } => {
            arrival::unanswered(app, runbook, target, &problem)
        }
        Message::Met(met) => arrival::met(app, *met),
        Message::Recorded(record) => {
            if let Some(case) = &mut app.case {
                case.recorded(&record);
            }
            Vec::new()
        }
        Message::JournalFailed(why) => {
            let sentence = format!("the journal cannot be written: {why}");
            // That of an incident that was left keeps nobody from another one.
            app.read_only = app.case.as_ref().map(|_| sentence.clone());
            let hint = "Nothing more is done from here, only shown. Make room on the disk, then leave and resume.";
            tell(app, crate::problem::Problem::system(sentence).hint(hint))
        }
        Message::Reading { run, check, rows } => violations::reading(app, run, &check, rows),
        Message::Checked { run, check, finding, delta, rows, cut } => {
            checked(app, run, &check, finding, delta, rows, cut)
        }
        Message::Working { run, words, percent } => {
            violations::working(app, run, words, percent);
            Vec::new()
        }
        Message::Worked { run, done } => violations::worked(app, run, done),
        Message::Copied(copied) => violations::copied(app, copied),
        Message::Relations { run, found } => violations::related(app, run, found),
        Message::Related { run, found } => violations::arrived(app, run, found),
        Message::Explained { run, plans } => {
            plan::explained(app, run, plans);
            Vec::new()
        }
        Message::LookedFirst { run, step, look } => recovery::looked(app, run, &step, look),
        Message::Previewed { run, step, preview } => recovery::previewed(app, run, &step, preview),
        Message::Requested(request) => recovery::requested(app, request),
        Message::Signed { step, signed } => recovery::signed(app, &step, signed),
        Message::Moved { run, step, progress } => {
            recovery::moved(app, run, &step, *progress);
            Vec::new()
        }
        Message::Executed { run, step, execution } => {
            recovery::executed(app, run, &step, execution)
        }
        Message::Resolved { run, step, outcome } => resolved(app, run, &step, outcome),
        Message::Rehearsed { run, step, rehearsal } => {
            guardrail::rehearsed(app, run, &step, rehearsal)
        }
        Message::GuardPut { run, step, outcome, why } => {
            guardrail::put(app, run, &step, outcome, &why)
        }
        Message::Looked { run, seen } => {
            server::looked(app, run, seen);
            Vec::new()
        }
        Message::SessionEnded(ended) => server::ended(app, ended),
        Message::CommandRan { run, step, ran } => {
            command_ran(app, run, &step, *ran);
            Vec::new()
        }
        Message::Exported { run, file } => {
            exported(app, run, file);
            Vec::new()
        }
        Message::Postmortem { text, path } => {
            match (text, &mut app.case) {
                (Ok(text), Some(case)) => {
                    case.postmortem = text;
                    case.postmortem_path = path;
                }
                (Err(problem), _) => return tell(app, problem),
                (Ok(_), None) => {}
            }
            Vec::new()
        }
        Message::WrittenByTwo(parts) => {
            let parts = parts.join(", ");
            app.say(format!("somebody else wrote there too, both texts stand in it: {parts}"));
            Vec::new()
        }
        Message::Lease(news) => together::heard(app, news),
        Message::Store(news) => together::store(app, news),
        Message::Held(folder) => {
            app.watch = Some(folder);
            app.quit = Some(crate::exit::Exit::Clear);
            Vec::new()
        }
        Message::Seen(_) => Vec::new(),
        Message::DraftFailed(why) => {
            app.complain(format!("what is being typed cannot be put on disk: {why}"));
            Vec::new()
        }
        Message::Scored(card) => {
            app.cover(Overlay::plain("DRILL: your score", card.lines()));
            Vec::new()
        }
        Message::EditedOutside { purpose, text } => outside::came_back(app, &purpose, text),
        Message::Failed(problem) => tell(app, problem),
    };
    leave_when_done(app);
    effects.extend(step_out_when_done(app));
    match app.read_only.clone() {
        None => effects,
        Some(why) => only_harmless(app, effects, &why),
    }
}

/// Drops what may not be done any more, and tells whoever waits for it.
fn only_harmless(app: &mut App, effects: Vec<Effect>, why: &str) -> Vec<Effect> {
    let (mut done, dropped): (Vec<_>, Vec<_>) = effects.into_iter().partition(harmless);
    for answer in dropped.into_iter().filter_map(|effect| Message::instead_of(effect, why)) {
        done.extend(update(app, answer, app.now));
    }
    done
}

/// What may still be done when the journal cannot be written.
fn harmless(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Stop { .. }
            | Effect::Abandon
            | Effect::Rein { rein: Rein::Stop(_), .. }
            | Effect::Leave
            | Effect::Suspend
            | Effect::Repaint
            | Effect::Bell
            | Effect::ListIncidents
            | Effect::Survey { .. }
            | Effect::Detect { .. }
            | Effect::Work { .. }
            | Effect::Clipboard(_)
            | Effect::Relations { .. }
            | Effect::Related { .. }
            | Effect::Look { .. }
            | Effect::FirstLook { .. }
            | Effect::KeepDraft { .. }
            | Effect::ForgetDraft { .. }
    )
}

fn tell(app: &mut App, problem: crate::problem::Problem) -> Vec<Effect> {
    app.cover(Overlay::problem(problem));
    Vec::new()
}

/// Some time went by: what is due runs again.
fn tick(app: &mut App) -> Vec<Effect> {
    let shown = SignedDuration::from_secs(super::wake::SHOWN);
    if app.toast.as_ref().is_some_and(|toast| clock::is_past(toast.at, shown, app.now)) {
        app.toast = None;
    }
    if app.leaving.is_some() || app.stepping_out {
        return Vec::new();
    }
    let watching = match app.screen {
        Screen::Step => true,
        Screen::Violations => !app.violations.is_large(),
        _ => false,
    };
    let due = app
        .case
        .as_ref()
        .is_some_and(|case| watching && case.incident.is_open() && case.is_due(app.now));
    let mut effects = server::tick(app);
    effects.extend(recovery::tick(app));
    if !due {
        return effects;
    }
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return effects };
    if let Some(check) = case.check_of_step().map(str::to_owned) {
        effects.extend(case.detect(&check, run, now));
    }
    effects
}
