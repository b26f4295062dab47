//! The story in its order: the timeline, what was done otherwise than the runbook says, and what
//! people were told.

use jiff::Timestamp;
use serde::Serialize;

use crate::incident::entry::{Entry, Milestone, Record};
use crate::incident::{Annotation, Incident};
use crate::practice::Practice;
use crate::runbook::Runbook;

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// When it was written down, if that was later.
    pub recorded: Option<Timestamp>,
    pub actor: String,
    pub kind: &'static str,
    pub sentence: String,
    /// Belongs to the story; the rest is in the appendix only.
    pub narrative: bool,
    pub pinned: bool,
    /// What was said about it later.
    pub annotations: Vec<Said>,
    pub hash: String,
}

/// An annotation of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    pub at: Timestamp,
    pub actor: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deviation {
    pub at: Option<Timestamp>,
    pub sentence: String,
    /// What a person gave as the reason.
    pub reason: Option<String>,
}

/// Somebody of the escalation matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Called {
    pub who: String,
    /// None if nobody recorded it.
    pub at: Option<Timestamp>,
    pub due: Option<Timestamp>,
}

/// What people were told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Update {
    pub at: Timestamp,
    pub actor: String,
    pub audience: String,
    pub text: String,
    /// The journal's hash that was sent along.
    pub head: String,
    pub next_update: Option<Timestamp>,
}

/// Everything, in the order in which it happened.
pub fn lines(incident: &Incident) -> Vec<Line> {
    let mut lines: Vec<Line> = incident
        .records
        .iter()
        .map(|record| Line {
            seq: record.seq,
            at: record.happened(),
            recorded: was_later(record).then_some(record.at),
            actor: record.actor.clone(),
            kind: record.entry.kind(),
            sentence: record.entry.sentence(),
            narrative: incident.tells(record),
            pinned: incident.pinned.contains(&record.seq),
            annotations: annotations(incident, record.seq),
            hash: record.hash.clone(),
        })
        .collect();
    lines.sort_by_key(|line| (line.at, line.seq));
    lines
}

fn annotations(incident: &Incident, record: u64) -> Vec<Said> {
    let said = |one: &Annotation| {
        let (at, actor, text) = (one.at, one.actor.clone(), one.text.clone());
        Said { at, actor, text }
    };
    incident.annotations_of(record).iter().map(said).collect()
}

/// A second and more; what the program notes itself is written down at once.
fn was_later(record: &Record) -> bool {
    record.at.duration_since(record.happened()).as_secs() != 0
}

pub fn deviations(incident: &Incident, runbook: Option<&Runbook>) -> Vec<Deviation> {
    let mut found = Vec::new();
    for record in &incident.records {
        let (sentence, reason) = match &record.entry {
            Entry::StepSkipped { step, reason } => {
                (format!("step {step} was skipped"), Some(reason.clone()))
            }
            Entry::StepFailed { step, why } => (format!("step {step} failed: {why}"), None),
            Entry::Decided { question, choice, reason, .. } => {
                (format!("{question} {choice}"), Some(reason.clone()))
            }
            Entry::SeveritySet { from, to, reason } => {
                (format!("severity changed from {from} to {to}"), Some(reason.clone()))
            }
            Entry::Previewed { refused, .. } if !refused.is_empty() => {
                (record.entry.sentence(), None)
            }
            Entry::PreviewFailed { .. } => (record.entry.sentence(), None),
            Entry::Ended { deed, drift: Some(drift), .. } => {
                let differences = drift.differences.join("; ");
                (
                    format!(
                        "execution of the {} drifted from its preview: {differences}",
                        deed.word()
                    ),
                    None,
                )
            }
            _ => continue,
        };
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        found.push(Deviation { at: Some(record.at), sentence, reason });
    }
    if let (Some(runbook), false) = (runbook, incident.is_open()) {
        for step in incident.progress.missing(runbook) {
            let sentence = format!("required step {step} was not done");
            found.push(Deviation { at: None, sentence, reason: None });
        }
    }
    found
}

/// Who was called, and who was to be called and was not, by the matrix of today.
pub fn calls(incident: &Incident, practice: &Practice) -> Vec<Called> {
    let mut found: Vec<Called> = incident
        .records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Escalated { who, due, .. } => {
                Some(Called { who: who.clone(), at: Some(record.at), due: *due })
            }
            _ => None,
        })
        .collect();
    let (Some(severity), Some(opened)) = (incident.severity, incident.opened) else { return found };
    let reached = [Milestone::Contained, Milestone::Fixed, Milestone::Verified];
    let contained = reached.iter().filter_map(|which| incident.milestones.get(which));
    let last = incident.records.last().map(|record| record.at);
    let end = contained.map(|(at, _)| *at).min().or(incident.closed).or(last);
    for call in practice.calls(severity, opened) {
        let is_known = incident.called.iter().any(|(_, to, _)| *to == call.id);
        if !is_known && end.is_some_and(|end| call.due < end) {
            found.push(Called { who: call.who, at: None, due: Some(call.due) });
        }
    }
    found
}

pub fn updates(incident: &Incident) -> Vec<Update> {
    let said = |record: &crate::incident::entry::Record| match &record.entry {
        Entry::Said { audience, text, head, next_update, .. } => Some(Update {
            at: record.at,
            actor: record.actor.clone(),
            audience: audience.clone(),
            text: text.clone(),
            head: head.clone(),
            next_update: *next_update,
        }),
        _ => None,
    };
    incident.records.iter().filter_map(said).collect()
}
