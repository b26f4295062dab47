//! Times of an incident, each with its definition beside it. Pure.

use jiff::{SignedDuration, Timestamp};

use super::Incident;
use super::entry::{Entry, Milestone};

/// A number with the sentence that says what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub value: Option<SignedDuration>,
    pub definition: &'static str,
}

pub fn metrics(incident: &Incident) -> Vec<Metric> {
    let at = |which: Milestone| incident.milestones.get(&which).map(|(at, _)| *at);
    let between = |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.duration_since(from?));
    let detected = at(Milestone::Detected);
    let first_said = incident.said.first().map(|(at, ..)| *at);
    vec![
        Metric {
            name: "time to detect",
            value: between(at(Milestone::ImpactBegan), detected),
            definition: "detected minus impact began",
        },
        Metric {
            name: "time to acknowledge",
            value: between(detected, at(Milestone::Acknowledged)),
            definition: "acknowledged minus detected",
        },
        Metric {
            name: "time to contain",
            value: between(detected, at(Milestone::Contained)),
            definition: "contained minus detected",
        },
        Metric {
            name: "time to resolve",
            value: between(detected, at(Milestone::Verified)),
            definition: "verified minus detected",
        },
        Metric {
            name: "first update",
            value: between(incident.opened, first_said),
            definition: "first communication minus incident opened",
        },
    ]
}

/// Previews made, executions refused because the data had moved.
pub fn previews_and_drifts(incident: &Incident) -> (usize, usize) {
    let count = |wanted: fn(&Entry) -> bool| {
        incident.records.iter().filter(|record| wanted(&record.entry)).count()
    };
    (
        count(|entry| matches!(entry, Entry::Previewed { .. })),
        count(|entry| matches!(entry, Entry::Ended { drift: Some(_), .. })),
    )
}

/// `14 min 32 s`, `2 h 05 min`, `40 s`; negative spans keep their sign.
pub fn words(span: SignedDuration) -> String {
    let sign = if span.is_negative() { "-" } else { "" };
    let seconds = span.as_secs().unsigned_abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{rest} s"),
        (0, _) => format!("{sign}{minutes} min {rest:02} s"),
        (_, _) => format!("{sign}{hours} h {minutes:02} min"),
    }
}
