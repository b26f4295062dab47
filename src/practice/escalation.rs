//! Who is called when an incident goes on, and after how long.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Practice;
use crate::check::Severity;
use crate::source::{DURATION_HINT, Spot, Table, duration, duration_text, quoted};

/// One line of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    pub id: String,
    pub who: String,
    /// How they are called, if the site says so.
    pub reach: Option<String>,
    /// After how long, by severity; none is not called.
    pub after: [Option<Duration>; 4],
    pub spot: Spot,
}

/// Somebody who is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub id: String,
    pub who: String,
    pub reach: Option<String>,
    pub due: Timestamp,
}

pub(super) fn read(table: &Table<'_>) -> Vec<Rung> {
    table.named("escalation", "an escalation", |id, table| {
        let after = Severity::ALL.map(|severity| after(table, severity.key()));
        if Severity::ALL.iter().all(|severity| !table.has(severity.key())) {
            table.fault_here("Nobody is called without a time; write sev1 = \"15m\", or \"now\".");
        }
        Rung {
            id: id.to_owned(),
            who: table.text("who"),
            reach: table.optional_text("reach"),
            after,
            spot: table.here().clone(),
        }
    })
}

fn after(table: &Table<'_>, key: &'static str) -> Option<Duration> {
    let text = table.optional_text(key)?;
    let length = if text == "now" { Some(Duration::ZERO) } else { duration(&text) };
    if length.is_none() {
        table.fault(
            key,
            format!("`{key}` cannot be {}; write \"now\", or {DURATION_HINT}.", quoted(&text)),
        );
    }
    length
}

impl Rung {
    /// `DBA lead: SEV-1 now, SEV-2 after 15m`
    pub fn words(&self) -> String {
        let times: Vec<String> = Severity::ALL
            .into_iter()
            .filter_map(|severity| match self.after(severity)? {
                Duration::ZERO => Some(format!("{severity} now")),
                after => Some(format!("{severity} after {}", duration_text(after))),
            })
            .collect();
        format!("{}: {}", self.who, times.join(", "))
    }

    pub fn after(&self, severity: Severity) -> Option<Duration> {
        self.after[severity as usize]
    }
}

impl Practice {
    /// Whom an incident of this severity calls, in the order of their time.
    pub fn calls(&self, severity: Severity, opened: Timestamp) -> Vec<Call> {
        let due = |rung: &Rung| {
            let after = SignedDuration::try_from(rung.after(severity)?).ok()?;
            opened.checked_add(after).ok()
        };
        let mut calls: Vec<Call> = self
            .escalation
            .iter()
            .filter_map(|rung| {
                let (id, who) = (rung.id.clone(), rung.who.clone());
                Some(Call { id, who, reach: rung.reach.clone(), due: due(rung)? })
            })
            .collect();
        calls.sort_by_key(|call| call.due);
        calls
    }
}
