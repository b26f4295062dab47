//! What is to be done so that it does not happen again: what was recorded, and what the runbook
//! suggests besides.

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::guardrail::Standing;
use crate::incident::entry::NoteKind;
use crate::incident::{Incident, Unreviewed};
use crate::postmortem::Around;
use crate::practice::Practice;
use crate::runbook::{self, ActionKind, Runbook};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    pub title: String,
    pub owner: String,
    /// A date.
    pub due: String,
    pub kind: ActionKind,
    /// Nobody has taken it yet: it comes from the runbook or from a note.
    pub suggested: bool,
}

pub fn gather(incident: &Incident, around: Around<'_>) -> Vec<Action> {
    let due = due(incident, around.practice);
    let mut actions: Vec<Action> = incident
        .actions
        .iter()
        .map(|item| Action {
            title: item.title.clone(),
            owner: item.owner.clone(),
            due: if item.due.is_empty() { due.clone() } else { item.due.clone() },
            kind: item.kind,
            suggested: false,
        })
        .collect();
    actions.extend(incident.unreviewed().map(|Unreviewed { op, reason, due, .. }| Action {
        title: format!(
            "Review what was done without a second person: {op} ({reason}), `steadyhand approve --review {}`",
            incident.id
        ),
        owner: String::new(),
        due: due.strftime("%Y-%m-%d").to_string(),
        kind: ActionKind::Process,
        suggested: false,
    }));
    for (title, owner, kind) in suggestions(incident, around.runbook) {
        if !actions.iter().any(|action| action.title.trim() == title.trim()) {
            actions.push(Action { title, owner, due: due.clone(), kind, suggested: true });
        }
    }
    actions
}

fn suggestions(
    incident: &Incident,
    runbook: Option<&Runbook>,
) -> Vec<(String, String, ActionKind)> {
    let mut found: Vec<(String, String, ActionKind)> = Vec::new();
    let todo = incident.notes.iter().filter(|(_, kind, _)| *kind == NoteKind::Todo);
    found.extend(todo.map(|(_, _, text)| (text.clone(), String::new(), ActionKind::Process)));
    let Some(runbook) = runbook else { return found };
    let actions = runbook.actions.iter();
    found.extend(actions.map(|item| (item.title.clone(), item.owner.clone(), item.kind)));
    for step in &runbook.steps {
        let stands = incident.guardrails.get(&step.id) == Some(&Standing::Applied);
        if matches!(step.action, runbook::Action::Guard(_)) && !stands {
            let title = format!("Put the guardrail in place: {}", step.title);
            found.push((title, runbook.owner.clone(), ActionKind::Prevent));
        }
    }
    found
}

/// The date by which an action item of this incident is due, by its severity.
fn due(incident: &Incident, practice: &Practice) -> String {
    let (Some(opened), Some(severity)) = (incident.opened, incident.severity) else {
        return String::new();
    };
    let day = opened.to_zoned(TimeZone::UTC).date();
    day.checked_add(practice.level(severity).due_days().days())
        .map_or_else(|_| String::new(), |day| day.to_string())
}
