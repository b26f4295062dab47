//! Drill: a fault that the engineer is not told, and a score of how it was dealt with.
//!
//! The score is read from the journals alone, by what the practice counts. The scenario, which knows the
//! fault, lies in the state folder of the drill, so that a drill that was broken off can be gone on
//! with. Pure but for `scenario`.

pub mod scenario;

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::incident::Incident;
use crate::incident::entry::{Deed, Entry};
use crate::incident::fleet::updates;
use crate::incident::metrics::words;
use crate::practice::Practice;
use crate::practice::readiness::Item;
use crate::runbook::{Required, Runbook};
pub use scenario::Scenario;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scorecard {
    pub runbook: String,
    /// Of a hundred.
    pub score: u32,
    pub grade: String,
    pub means: String,
    pub seconds: i64,
    pub items: Vec<Scored>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scored {
    pub item: &'static str,
    pub points: u32,
    pub of: u32,
    pub why: String,
}

/// The incident on the fault of the drill, on its database.
pub fn found<'a>(scenario: &Scenario, incidents: &'a [Incident]) -> Option<&'a Incident> {
    incidents.iter().rev().find(|incident| {
        incident.runbook == scenario.runbook && on(incident) == Some(scenario.target.as_str())
    })
}

fn on(incident: &Incident) -> Option<&str> {
    incident.target.as_ref().map(|target| target.name.as_str())
}

pub fn score(
    scenario: &Scenario,
    incidents: &[Incident],
    runbook: &Runbook,
    practice: &Practice,
    now: Timestamp,
) -> Scorecard {
    let found = found(scenario, incidents);
    let readiness = practice.readiness();
    let mut items = Vec::new();
    for item in Item::ALL {
        let of = readiness.points(item);
        if of == 0 {
            continue;
        }
        let (share, why) = match item {
            Item::FirstCheck => first_check(scenario, incidents, readiness.first_check_within),
            Item::Diagnosis => diagnosis(found, incidents),
            Item::RightTarget => right_target(scenario, found, incidents),
            Item::Communication => communication(found, practice, now),
            Item::Previews => previews(found),
            Item::RequiredSteps => required_steps(found, runbook),
            Item::Cured => cured(found, &scenario.check),
            Item::Closed => match found {
                Some(incident) if !incident.is_open() => (Share::ALL, "closed".into()),
                _ => (Share::NONE, "left open".into()),
            },
        };
        items.push(Scored { item: item.key(), points: share.of(of), of, why });
    }
    let (points, of) = items.iter().fold((0, 0), |(p, o), item| (p + item.points, o + item.of));
    let score = (points * 100 + of / 2).checked_div(of).unwrap_or(0);
    let grade = readiness.grade(score);
    let end = found.and_then(|incident| incident.closed).unwrap_or(now);
    Scorecard {
        runbook: scenario.runbook.clone(),
        score,
        grade: grade.map_or_else(|| "without a grade".into(), |grade| grade.name.clone()),
        means: grade.map_or_else(String::new, |grade| grade.means.clone()),
        seconds: end.duration_since(scenario.started).as_secs(),
        items,
    }
}

/// A part of the points, exact.
#[derive(Debug, Clone, Copy)]
struct Share {
    number: usize,
    of: usize,
}

impl Share {
    const ALL: Self = Self { number: 1, of: 1 };
    const HALF: Self = Self { number: 1, of: 2 };
    const NONE: Self = Self { number: 0, of: 1 };

    fn of(self, points: u32) -> u32 {
        let (number, of) = (self.number as u64, self.of.max(1) as u64);
        u32::try_from((u64::from(points) * number + of / 2) / of).unwrap_or(points)
    }
}

fn first_check(
    scenario: &Scenario,
    incidents: &[Incident],
    within: std::time::Duration,
) -> (Share, String) {
    let checked =
        |record: &&crate::incident::entry::Record| matches!(record.entry, Entry::Checked { .. });
    let records = incidents.iter().flat_map(|incident| &incident.records);
    let recorded = records.filter(checked).map(|record| record.at).min();
    let Some(at) = [scenario.first_check, recorded].into_iter().flatten().min() else {
        return (Share::NONE, "the data was never looked at".into());
    };
    let after = at.duration_since(scenario.started);
    let within = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
    let share = match after {
        after if after <= within => Share::ALL,
        after if after <= within.saturating_mul(2) => Share::HALF,
        _ => Share::NONE,
    };
    (share, format!("looked at the data after {}", words(after)))
}

fn diagnosis(found: Option<&Incident>, incidents: &[Incident]) -> (Share, String) {
    let Some(found) = found else {
        return (Share::NONE, "no incident was opened on what was wrong".into());
    };
    let before = incidents.iter().filter(|other| other.opened < found.opened).count();
    match before {
        0 => (Share::ALL, "opened on what was wrong".into()),
        n => (Share::HALF, format!("{n} opened on something else before")),
    }
}

fn right_target(
    scenario: &Scenario,
    found: Option<&Incident>,
    incidents: &[Incident],
) -> (Share, String) {
    let elsewhere =
        incidents.iter().filter(|one| on(one) != Some(scenario.target.as_str())).count();
    let records = incidents.iter().flat_map(|incident| &incident.records);
    let named = records
        .filter(|record| matches!(record.entry, Entry::Mistyped { names_another_target: true, .. }))
        .count();
    match (elsewhere + named, found) {
        (0, None) => (Share::NONE, "nothing was opened".into()),
        (0, Some(_)) => (Share::ALL, "no other database was named".into()),
        (1, _) => (Share::HALF, "another database was named once".into()),
        (n, _) => (Share::NONE, format!("another database was named {n} times")),
    }
}

fn communication(found: Option<&Incident>, practice: &Practice, now: Timestamp) -> (Share, String) {
    let Some(found) = found else { return (Share::NONE, "nobody was told".into()) };
    let updates = updates(found, practice, now);
    if updates.due == 0 && found.is_open() && found.said.is_empty() {
        return (Share::NONE, "broken off before anybody was told".into());
    }
    if updates.due == 0 {
        let why = if found.said.is_empty() { "over before one was due" } else { "none was late" };
        return (Share::ALL, why.into());
    }
    let share = Share { number: updates.due - updates.late, of: updates.due };
    (share, format!("{} of {} in time", share.number, share.of))
}

/// Changes that were previewed, guardrails that were rehearsed, before they were carried out.
fn previews(found: Option<&Incident>) -> (Share, String) {
    let Some(found) = found else { return (Share::NONE, "nothing was changed".into()) };
    let (mut seen, mut writes) = (0, 0);
    for (at, record) in found.records.iter().enumerate() {
        let Entry::ExecutionStarted { step, op, deed, .. } = &record.entry else { continue };
        let before = &found.records[..at];
        let tried = before.iter().any(|record| match (&record.entry, deed) {
            (Entry::Previewed { op: of, .. }, Deed::Change | Deed::Undo { .. }) => of == op,
            (
                Entry::GuardRehearsed { step: of, .. },
                Deed::ApplyGuardrail | Deed::WithdrawGuardrail,
            ) => of == step,
            _ => false,
        });
        writes += 1;
        seen += usize::from(tried);
    }
    if writes == 0 {
        return (Share::NONE, "nothing was changed".into());
    }
    (Share { number: seen, of: writes }, format!("{seen} of {writes} writes were tried before"))
}

fn required_steps(found: Option<&Incident>, runbook: &Runbook) -> (Share, String) {
    let required = runbook.steps.iter().filter(|step| step.required != Required::No).count();
    let Some(found) = found else { return (Share::NONE, format!("0 of {required} done")) };
    let missing = found.progress.missing(runbook);
    let share = Share { number: required - missing.len(), of: required };
    let mut why = format!("{} of {required} done", share.number);
    if !missing.is_empty() {
        let _ = write!(why, "; missing: {}", missing.join(", "));
    }
    (if required == 0 { Share::ALL } else { share }, why)
}

fn cured(found: Option<&Incident>, check: &str) -> (Share, String) {
    let mut seen =
        found.into_iter().flat_map(|incident| &incident.records).filter_map(|record| match &record
            .entry
        {
            Entry::Checked { check: of, verdict, .. } if of == check => Some(verdict),
            Entry::Verified { checks, .. } => {
                checks.iter().find(|(of, _)| of == check).map(|(_, verdict)| verdict)
            }
            _ => None,
        });
    match seen.next_back() {
        Some(verdict) if verdict.is_clear() => (Share::ALL, format!("{check} is clear")),
        Some(verdict) => {
            let said = crate::incident::entry::verdict_words(verdict);
            (Share::NONE, format!("{check}: {said}"))
        }
        None => (Share::NONE, format!("{check} was never looked at")),
    }
}

impl Scorecard {
    pub fn entry(&self) -> Entry {
        let items = self.items.iter();
        Entry::Scored {
            score: self.score,
            grade: self.grade.clone(),
            items: items
                .map(|one| (one.item.to_owned(), one.points, one.of, one.why.clone()))
                .collect(),
        }
    }

    /// The card as plain lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("DRILL {}: {} of 100, {}", self.runbook, self.score, self.grade),
            self.means.clone(),
            format!("It took {}.", words(SignedDuration::from_secs(self.seconds))),
            String::new(),
        ];
        for Scored { item, points, of, why } in &self.items {
            lines.push(format!("{item:<15} {points:>3} of {of:<3} {why}"));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
