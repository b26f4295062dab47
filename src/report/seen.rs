//! What incidents saw of a check, beside what its runs found.

use jiff::Timestamp;
use serde::Serialize;

use super::json;
use super::text::{columns, minute};
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
    let names = ["incident", "target", "first look", "verdict", "last look", "verdict"];
    format!("In incidents, as the cockpit saw it:\n{}", columns(&names, rows))
}

/// Under a key of their own, which tells them from the lines of trends.
pub fn lines(seen: &[InIncident]) -> String {
    let line = |one| json::line(&serde_json::json!({ "in_incident": one }));
    seen.iter().map(line).collect()
}
