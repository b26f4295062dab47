//! What a severity means to the business, and what it promises.

use std::time::Duration;

use super::Practice;
use crate::check::Severity;
use crate::source::{Spot, Table};

/// One line of the matrix.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Level {
    pub risk: String,
    /// From the opening until somebody has it.
    pub acknowledge: Duration,
    /// From the opening to the first update, and from one to the next.
    pub update_every: Duration,
    pub resolve: Duration,
    /// For the action items of the postmortem.
    pub actions_due: Duration,
}

/// What a file says of one level; keys that are missing stay as they were.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub severity: Severity,
    pub spot: Spot,
    pub risk: Option<String>,
    pub acknowledge: Option<Duration>,
    pub update_every: Option<Duration>,
    pub resolve: Option<Duration>,
    pub actions_due: Option<Duration>,
}

pub(super) fn read(table: &Table<'_>) -> Vec<Said> {
    let mut found = Vec::new();
    table.table("severity", "`severity`", |matrix| {
        for severity in Severity::ALL {
            found.extend(matrix.table(severity.key(), "a severity", |level| Said {
                severity,
                spot: level.here().clone(),
                risk: level.optional_text("risk"),
                acknowledge: level.optional_duration("acknowledge"),
                update_every: level.optional_duration("update_every"),
                resolve: level.optional_duration("resolve"),
                actions_due: level.optional_duration("actions_due"),
            }));
        }
    });
    found
}

/// The later wins.
pub(super) fn matrix(said: &[Said]) -> [Level; 4] {
    let mut levels: [Level; 4] = Default::default();
    for one in said {
        let level = &mut levels[place(one.severity)];
        let Said { risk, acknowledge, update_every, resolve, actions_due, .. } = one.clone();
        level.risk = risk.unwrap_or_else(|| std::mem::take(&mut level.risk));
        level.acknowledge = acknowledge.unwrap_or(level.acknowledge);
        level.update_every = update_every.unwrap_or(level.update_every);
        level.resolve = resolve.unwrap_or(level.resolve);
        level.actions_due = actions_due.unwrap_or(level.actions_due);
    }
    levels
}

fn place(severity: Severity) -> usize {
    severity as usize
}

impl Practice {
    pub fn level(&self, severity: Severity) -> &Level {
        &self.levels[place(severity)]
    }
}

impl Level {
    /// Whole days until an action item is due.
    pub fn due_days(&self) -> i32 {
        i32::try_from(self.actions_due.as_secs().div_ceil(86_400)).unwrap_or(i32::MAX)
    }
}
