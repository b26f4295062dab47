//! Whom to call: the matrix with its times, as it stands for this incident now. The program calls
//! nobody; the engineer does, and says so here.

use jiff::Timestamp;

use super::{Overlay, Purpose};
use crate::incident::entry::Entry;
use crate::practice::escalation::Call;
use crate::tui::app::App;
use crate::tui::case::Case;
use crate::tui::effect::Effect;
use crate::tui::page::to_go;

/// Everybody whom the severity calls, in the order of their time.
fn calls(app: &App, case: &Case) -> Vec<Call> {
    let severity = case.incident.severity.unwrap_or(case.runbook.severity);
    let opened = case.incident.opened.unwrap_or(app.now);
    app.facts.practice.calls(severity, opened)
}

fn called_at(case: &Case, id: &str) -> Option<Timestamp> {
    case.incident.called.iter().find(|(_, to, _)| to == id).map(|(at, ..)| *at)
}

/// Whose time has come while the incident is not contained, and who was not called yet.
pub fn due(app: &App, case: &Case) -> Vec<Call> {
    if case.incident.is_contained() {
        return Vec::new();
    }
    let mut calls = calls(app, case);
    calls.retain(|call| call.due <= app.now && called_at(case, &call.id).is_none());
    calls
}

/// The matrix as a list; the cursor stands on who is to be called next.
pub fn overlay(app: &App) -> Option<Overlay> {
    let case = app.case.as_ref()?;
    let calls = calls(app, case);
    let contained = case.incident.is_contained();
    let line = |call: &Call| {
        let when = match called_at(case, &call.id) {
            Some(at) => format!("called {} UTC", at.strftime("%H:%M")),
            None if contained => "not called".to_owned(),
            None => {
                let left = call.due.duration_since(app.now).as_secs();
                if left > 0 { format!("in {}", to_go(left)) } else { "now".to_owned() }
            }
        };
        let reach = call.reach.as_ref().map_or_else(String::new, |reach| format!(" ({reach})"));
        format!("{when}  {}{reach}", call.who)
    };
    let next = calls.iter().position(|call| called_at(case, &call.id).is_none()).unwrap_or(0);
    if calls.is_empty() {
        return None;
    }
    let whom = if contained {
        "This is contained: nobody is due to be called"
    } else {
        "Whom to call while this is not contained"
    };
    let title = format!("{whom}\nenter records that they were called");
    let mut overlay = Overlay::choice(&title, calls.iter().map(line).collect(), Purpose::Escalate);
    if let super::Kind::Choice(choice) = &mut overlay.kind {
        choice.at = next;
    }
    Some(overlay)
}

/// The one that was chosen was called.
pub fn called(app: &mut App, at: usize) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let Some(call) = calls(app, case).into_iter().nth(at) else { return Vec::new() };
    if let Some(at) = called_at(case, &call.id) {
        let text = format!("{} was called {} UTC", call.who, at.strftime("%H:%M"));
        app.say(text);
        return Vec::new();
    }
    let Call { id: to, who, due, .. } = call;
    let step = case.step().id.clone();
    app.say(format!("{who}: recorded as called"));
    vec![Effect::Append(Entry::Escalated { step, to, who, due: Some(due) })]
}
