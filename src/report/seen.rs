//! What incidents saw of a check, beside what its runs found.

use jiff::Timestamp;
use serde::Serialize;

use super::json;
use super::past::minute;
use super::text::columns;
use crate::check::Verdict;
use crate::incident::entry::verdict_words;

/// The first look of an incident and the last.
#[derive(Debug, Clone, Serialize)]
pub struct InIncident {
    pub incident: String,
    pub check: String,
    pub target: String,
    pub first_at: Timestamp,
    pub first: Verdict,
    pub last_at: Timestamp,
    pub last: Verdict,
}

/// Nothing where none saw it.
pub fn text(seen: &[InIncident]) -> String {
    if seen.is_empty() {
        return String::new();
    }
    let rows = seen.iter().map(|one| {
        vec![
            one.incident.clone(),
            one.target.clone(),
            minute(one.first_at),
            verdict_words(&one.first),
            minute(one.last_at),
            verdict_words(&one.last),
        ]
    });
    let names = ["incident", "target", "first seen", "verdict", "last seen", "verdict"];
    format!("In incidents, as the cockpit saw it:\n{}", columns(&names, rows))
}

pub fn lines(seen: &[InIncident]) -> String {
    let line = |one| json::line(&serde_json::to_value(one).expect("plain data"));
    seen.iter().map(line).collect()
}
