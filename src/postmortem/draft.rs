//! What an incident says by itself: every derived fact of a postmortem, as plain data.
//!
//! Gathered from the fold and, where the order of things matters, from the records. Markdown and
//! JSON are two ways to write it down. Pure.

mod actions;
mod changes;
mod compare;
mod controls;
mod doubts;
mod timeline;

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::Around;
use crate::check::{Severity, Verdict};
use crate::incident::Incident;
use crate::incident::chain::Head;
use crate::incident::entry::{
    Entry, Evidence, Milestone, NoteKind, Origin, Record, TargetSeen, verdict_words,
};
use crate::incident::handover::Card;
use crate::incident::metrics::{metrics, previews_and_drifts, words};
use crate::runbook::Runbook;
use crate::value::counted;
pub use actions::Action;
pub use changes::{Change, Written};
pub use compare::{Compared, Comparison};
pub use controls::Named;
pub use timeline::{Called, Deviation, Line, Said, Update};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Draft {
    pub incident: String,
    pub title: String,
    /// One line that says it all.
    pub summary: String,
    pub severity: Option<Severity>,
    pub target: Option<TargetSeen>,
    pub demo: bool,
    pub drill: bool,
    pub opened: Option<Timestamp>,
    pub closed: Option<Timestamp>,
    pub runbook: FrozenRunbook,
    pub impact: Impact,
    /// Every count of every check, in order: what a chart of the incident shows.
    pub counts: Vec<Counted>,
    pub milestones: Vec<Reached>,
    pub times: Vec<Time>,
    pub comparison: Comparison,
    pub controls: Vec<Named>,
    pub detection: Vec<String>,
    pub notes: Vec<Noted>,
    pub changes: Vec<Change>,
    pub previews: usize,
    pub drifts: usize,
    pub deviations: Vec<Deviation>,
    pub guardrails: Vec<Guardrail>,
    pub actions: Vec<Action>,
    pub doubts: Vec<String>,
    pub updates: Vec<Update>,
    pub calls: Vec<Called>,
    /// What was handed over where somebody else went on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shifts: Vec<Shift>,
    pub timeline: Vec<Line>,
    pub evidence: Vec<Evidence>,
    pub exports: Vec<Evidence>,
    pub head: Head,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrozenRunbook {
    pub id: String,
    pub sha256: String,
    pub title: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Impact {
    pub checks: Vec<Measure>,
    /// Rows written by everything that was committed.
    pub rows_written: u64,
    /// How many of them took a change back.
    pub rows_taken_back: u64,
    /// How many of them by triggers and cascades; not known where chunks wrote some, of which only one
    /// was previewed.
    pub rows_hidden: Option<u64>,
}

impl Impact {
    pub fn hidden_words(&self) -> String {
        let number = self.rows_hidden.map_or_else(|| "an unknown number".into(), |n| n.to_string());
        format!("{number} of them by triggers and cascades")
    }
}

/// One count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counted {
    pub check: String,
    pub at: Timestamp,
    /// None where it could not be counted.
    pub number: Option<f64>,
}

/// One check, first and last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    pub check: String,
    pub first_at: Timestamp,
    pub first: Verdict,
    pub last_at: Timestamp,
    pub last: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    pub milestone: &'static str,
    pub at: Option<Timestamp>,
    pub origin: Option<Origin>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Time {
    pub name: &'static str,
    pub seconds: Option<i64>,
    pub definition: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Noted {
    pub at: Timestamp,
    pub kind: NoteKind,
    pub text: String,
}

/// Somebody else went on from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shift {
    pub at: Timestamp,
    pub from: String,
    pub to: String,
    /// The incident as it stood then.
    pub card: Card,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guardrail {
    pub step: String,
    pub title: Option<String>,
    pub stands: bool,
    /// What happened to it, a sentence each.
    pub history: Vec<String>,
}

impl Draft {
    pub fn of(incident: &Incident, around: Around<'_>, head: &Head) -> Self {
        let runbook = around.runbook;
        let (previews, drifts) = previews_and_drifts(incident);
        let impact = impact(incident);
        Self {
            incident: incident.id.clone(),
            title: incident.title.clone(),
            summary: summary(incident, &impact),
            severity: incident.severity,
            target: incident.target.clone(),
            demo: incident.demo,
            drill: incident.drill,
            opened: incident.opened,
            closed: incident.closed,
            runbook: FrozenRunbook {
                id: incident.runbook.clone(),
                sha256: incident.runbook_sha256.clone(),
                title: runbook.map(|runbook| runbook.title.clone()),
            },
            counts: counts(incident),
            milestones: reached(incident),
            times: times(incident),
            comparison: compare::gather(incident, &impact, around),
            controls: controls::gather(incident, around),
            detection: detection(incident, &impact),
            notes: noted(incident),
            changes: changes::gather(incident, runbook),
            previews,
            drifts,
            deviations: timeline::deviations(incident, runbook),
            guardrails: guardrails(incident, runbook),
            actions: actions::gather(incident, around),
            doubts: doubts::gather(incident, &impact),
            updates: timeline::updates(incident),
            calls: timeline::calls(incident, around.practice),
            shifts: shifts(incident, around),
            timeline: timeline::lines(incident),
            evidence: once(incident.evidence.iter().cloned()),
            exports: once(exports(incident)),
            head: head.clone(),
            impact,
        }
    }
}

fn summary(incident: &Incident, impact: &Impact) -> String {
    let mut text = incident.title.clone();
    if let Some(target) = &incident.target {
        let _ = write!(text, " on {} ({})", target.name, target.environment);
    }
    if let Some(severity) = incident.severity {
        let _ = write!(text, ", {severity}");
    }
    let violated = |measure: &&Measure| measure.first.is_violated();
    match impact.checks.iter().find(violated).or(impact.checks.first()) {
        Some(measure) if measure.first_at == measure.last_at => {
            let _ = write!(text, ": {}", verdict_words(&measure.first));
        }
        Some(measure) => {
            let (first, last) = (verdict_words(&measure.first), verdict_words(&measure.last));
            let _ = write!(text, ": {first} when first checked, {last} when last checked");
        }
        None => text.push_str(": nothing was checked yet"),
    }
    let _ = write!(text, "; {} written", counted(impact.rows_written, "row"));
    if impact.rows_taken_back > 0 {
        let _ = write!(text, ", {} of them by taking a change back", impact.rows_taken_back);
    }
    match (incident.opened, incident.closed) {
        (Some(opened), Some(closed)) => {
            let _ = write!(text, "; closed after {}.", words(closed.duration_since(opened)));
        }
        _ => text.push_str("; still open."),
    }
    text
}

fn impact(incident: &Incident) -> Impact {
    let mut checks: Vec<Measure> = Vec::new();
    let mut see = |at: Timestamp, check: &str, verdict: &Verdict| {
        match checks.iter_mut().find(|measure| measure.check == check) {
            Some(measure) => {
                measure.last_at = at;
                measure.last = verdict.clone();
                // The first look that saw something counts as the first.
                if measure.first.violations().is_none() {
                    measure.first_at = at;
                    measure.first = verdict.clone();
                }
            }
            None => checks.push(Measure {
                check: check.to_owned(),
                first_at: at,
                first: verdict.clone(),
                last_at: at,
                last: verdict.clone(),
            }),
        }
    };
    for record in &incident.records {
        match &record.entry {
            Entry::Checked { check, verdict, .. } => see(record.at, check, verdict),
            Entry::Verified { checks, .. } => {
                for (check, verdict) in checks {
                    see(record.at, check, verdict);
                }
            }
            _ => {}
        }
    }
    let stand = incident.changes.iter().filter(|change| change.stands());
    let hidden = stand.map(|change| match &change.chunks {
        Some(_) => None,
        None => Some(change.hidden.iter().map(|(_, tally)| tally.total()).sum::<u64>()),
    });
    let hidden = hidden.sum();
    let (rows_written, rows_taken_back) = (incident.rows_changed(), incident.rows_taken_back());
    Impact { checks, rows_written, rows_taken_back, rows_hidden: hidden }
}

/// Also what was seen after a change, on a new connection.
fn counts(incident: &Incident) -> Vec<Counted> {
    let one = |at, check: &str, verdict: &Verdict| Counted {
        check: check.to_owned(),
        at,
        number: verdict.number(),
    };
    let mut found = Vec::new();
    for record in &incident.records {
        match &record.entry {
            Entry::Checked { check, verdict, .. } => found.push(one(record.at, check, verdict)),
            Entry::Verified { checks, .. } => {
                found.extend(checks.iter().map(|(check, verdict)| one(record.at, check, verdict)));
            }
            _ => {}
        }
    }
    found
}

fn reached(incident: &Incident) -> Vec<Reached> {
    let of = |which: Milestone| {
        let found = incident.milestones.get(&which);
        Reached {
            milestone: which.word(),
            at: found.map(|(at, _)| *at),
            origin: found.map(|(_, origin)| *origin),
        }
    };
    Milestone::ALL.into_iter().map(of).collect()
}

fn times(incident: &Incident) -> Vec<Time> {
    let of = |metric: crate::incident::metrics::Metric| Time {
        name: metric.name,
        seconds: metric.value.map(|span| span.as_secs()),
        definition: metric.definition,
    };
    metrics(incident).into_iter().map(of).collect()
}

fn detection(incident: &Incident, impact: &Impact) -> Vec<String> {
    let mut said = Vec::new();
    if let Some((_, origin)) = incident.milestones.get(&Milestone::Detected) {
        said.push(match origin {
            Origin::Auto => {
                "The time of detection is when the incident was opened; nobody gave another one."
                    .into()
            }
            Origin::Human => "The time of detection was given by a person.".into(),
        });
    }
    let first = incident.records.iter().find_map(|record| match &record.entry {
        Entry::Checked { check, step, verdict, .. } if verdict.is_violated() => {
            Some((check, step, verdict))
        }
        _ => None,
    });
    match first {
        Some((check, step, verdict)) => {
            let place = step.as_ref().map_or(String::new(), |step| format!(" at step {step}"));
            said.push(format!(
                "First seen in this incident by {check}{place}: {}.",
                verdict_words(verdict)
            ));
        }
        None if impact.checks.is_empty() => {
            said.push("No check was run in this incident yet.".into());
        }
        None => said.push("No check of this incident has found a violation.".into()),
    }
    said
}

fn shifts(incident: &Incident, around: Around<'_>) -> Vec<Shift> {
    let both = incident.shifts.iter().zip(incident.shifts.iter().skip(1));
    let one = |((_, from), (at, to)): (&(Timestamp, String), &(Timestamp, String))| {
        let before = incident.records.iter().take_while(|one| (one.at, &one.actor) != (*at, to));
        let before: Vec<Record> = before.cloned().collect();
        let then = Incident::replay(&incident.id, &before);
        let card = Card::of(&then, around.runbook, around.practice, None);
        Shift { at: *at, from: from.clone(), to: to.clone(), card }
    };
    both.map(one).collect()
}

fn noted(incident: &Incident) -> Vec<Noted> {
    let one = |(at, kind, text): &(Timestamp, NoteKind, String)| Noted {
        at: *at,
        kind: *kind,
        text: text.clone(),
    };
    incident.notes.iter().map(one).collect()
}

fn guardrails(incident: &Incident, runbook: Option<&Runbook>) -> Vec<Guardrail> {
    use crate::guardrail::Standing;
    let mut found: Vec<Guardrail> = Vec::new();
    for record in &incident.records {
        let step = match &record.entry {
            Entry::GuardRehearsed { step, .. } => step,
            Entry::Ended { step, deed, .. } | Entry::Resolved { step, deed, .. }
                if is_guard(deed) =>
            {
                step
            }
            _ => continue,
        };
        let sentence = record.entry.sentence();
        if let Some(guardrail) = found.iter_mut().find(|guardrail| guardrail.step == *step) {
            guardrail.history.push(sentence);
            continue;
        }
        found.push(Guardrail {
            step: step.clone(),
            title: title_of(runbook, step),
            stands: incident.guardrails.get(step) == Some(&Standing::Applied),
            history: vec![sentence],
        });
    }
    found
}

fn is_guard(deed: &crate::incident::entry::Deed) -> bool {
    use crate::incident::entry::Deed;
    matches!(deed, Deed::ApplyGuardrail | Deed::WithdrawGuardrail)
}

pub(super) fn title_of(runbook: Option<&Runbook>, step: &str) -> Option<String> {
    Some(runbook?.step(step)?.title.clone())
}

fn exports(incident: &Incident) -> impl Iterator<Item = Evidence> {
    incident
        .exports
        .iter()
        .map(|(path, sha256)| Evidence { file: path.clone(), sha256: sha256.clone() })
}

fn once(all: impl Iterator<Item = Evidence>) -> Vec<Evidence> {
    let mut found: Vec<Evidence> = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}
