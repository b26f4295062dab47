//! Check: one question asked in SQL, whose rows are violations.
//!
//! The type, its verdict and the change between two runs. Loading from files is in `load`; asking a
//! database is the business of `ops::detect`. Pure: no clock, no database, no screen.

pub mod load;
pub mod verdict;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dialect::PerDialect;
pub use verdict::{Count, Delta, Finding, Survey, Verdict};

/// Severity by business risk; the first is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Sev1,
    Sev2,
    Sev3,
    Sev4,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Sev1, Self::Sev2, Self::Sev3, Self::Sev4];

    /// The key in files and JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Sev1 => "sev1",
            Self::Sev2 => "sev2",
            Self::Sev3 => "sev3",
            Self::Sev4 => "sev4",
        }
    }

    /// Days until an action item of an incident of this severity is due.
    pub fn due_days(self) -> i32 {
        match self {
            Self::Sev1 => 7,
            Self::Sev2 => 14,
            Self::Sev3 => 30,
            Self::Sev4 => 60,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sev1 => "SEV-1",
            Self::Sev2 => "SEV-2",
            Self::Sev3 => "SEV-3",
            Self::Sev4 => "SEV-4",
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub id: String,
    pub pack: String,
    pub title: String,
    /// The rule in one sentence: what healthy data looks like.
    pub rule: String,
    pub severity: Severity,
    /// Names one violation; identity of a row between two runs.
    pub key: Vec<String>,
    pub suites: Vec<String>,
    pub owner: String,
    pub controls: Vec<String>,
    /// The runbook that the cockpit offers.
    pub runbook: Option<String>,
    pub timeout: Duration,
    /// Tables that must be visible, else the verdict is inconclusive.
    pub tables: Vec<String>,
    pub sql: PerDialect,
    /// SQL that injects this fault into a demo or scratch database.
    pub fault: PerDialect,
}
