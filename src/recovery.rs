//! Recovery: a change to data that is seen before it is done, and done only as it was seen.
//!
//! ```text
//!            preview (rolled back)        typed confirmation          COMMIT            new connection
//!   Plan ───────────────────────▶ Preview ──────────────▶ Approval ──────────▶ Execution ────────▶ Verification
//!     ▲                              │ refused, stale, drifted: back to Plan        │
//!     └──────────────────────────────┴───────────────── Undo is a Plan of its own ◀─┘
//! ```
//!
//! The types of that life cycle. `fingerprint` says whether two runs did the same, `undo` turns
//! images into a plan that takes them back, `protocol` is the only maker of an `Approval`, for which
//! `second` says how many people must agree, and `request` what the other one is shown. `words` says a
//! row in a sentence. Pure: `ops::recover` does the work.

pub mod fingerprint;
mod images;
pub mod mass;
pub mod protocol;
pub mod request;
pub mod second;
pub mod undo;
pub mod words;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::check::{Check, Verdict};
use crate::sql::{Counted, Listed, Verb};
use crate::value::{Rows, counted, thousands};
pub use images::{Gather, ImageRows, RowImage, TableHead, TableImages};
pub use protocol::Approval;
pub use request::Request;

/// What is to be done, ready to run: every text rendered, every check loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The step of the runbook.
    pub step: String,
    pub title: String,
    /// The target's name, as the operator must type it.
    pub target: String,
    pub actions: Vec<Planned>,
    pub cures: Vec<Check>,
    pub must_not_worsen: Vec<Check>,
    pub limits: Limits,
    /// How long a preview may be approved.
    pub valid: Duration,
    /// Who must agree.
    pub demand: second::Demand,
    /// For an undo, the execution it takes back.
    pub undoes: Option<String>,
    /// For an undo, why its images may not be all that the change wrote.
    pub lacks: Option<String>,
    /// How it is cut into chunks; without, it is one transaction.
    pub mass: Option<mass::Mass>,
}

impl Plan {
    /// Of an undo: what the change wrote.
    pub fn brings_back(&self) -> impl Iterator<Item = &TableImages> + Clone {
        self.actions.iter().flat_map(|action| match action {
            Planned::PutBack(images) => images.as_slice(),
            Planned::Sql { .. } | Planned::Chunked { .. } => &[],
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// More direct and hidden rows than this are refused, whatever was approved.
    pub max_rows: u64,
    pub time_cap: Duration,
    pub lock_wait: Duration,
    /// More sessions than this waiting for our locks, and it rolls back by itself.
    pub max_blocked: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Planned {
    /// One statement of the runbook, parameters already quoted by the server.
    Sql { note: String, sql: String, verb: Verb, table: String },
    /// One statement of the runbook with the place for the keys of a chunk.
    Chunked { note: String, listed: Listed, verb: Verb, table: String },
    /// Every row of an artefact put back, if it still holds what the change wrote.
    PutBack(Vec<TableImages>),
}

impl Planned {
    /// The statement, if it is one.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Sql { sql, .. } => Some(sql.clone()),
            Self::Chunked { .. } | Self::PutBack(_) => None,
        }
    }
}

/// Rows inserted, updated, deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

impl Tally {
    pub fn total(self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            inserted: self.inserted + other.inserted,
            updated: self.updated + other.updated,
            deleted: self.deleted + other.deleted,
        }
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            inserted: self.inserted.saturating_sub(other.inserted),
            updated: self.updated.saturating_sub(other.updated),
            deleted: self.deleted.saturating_sub(other.deleted),
        }
    }

    /// `12 upd`, `3 ins 4 del`, or `-`.
    pub fn words(self) -> String {
        let parts: Vec<String> =
            [(self.inserted, "ins"), (self.updated, "upd"), (self.deleted, "del")]
                .iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, word)| format!("{} {word}", thousands(*n)))
                .collect();
        if parts.is_empty() { "-".into() } else { parts.join(" ") }
    }
}

/// The hidden-write meter of one table: what the statements wrote, and what triggers and cascades
/// wrote besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableWrites {
    pub table: String,
    pub direct: Tally,
    pub hidden: Tally,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatementOutcome {
    pub note: String,
    pub sql: String,
    /// Direct rows, as the database counts them.
    pub rows: u64,
    pub seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Must be clear afterwards.
    Cure,
    /// Must have fewer violations after each chunk.
    Falls,
    /// Must not have more violations afterwards.
    Neighbour,
    /// Is shown, for the operator to judge.
    Shown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckOutcome {
    pub check: String,
    pub role: Role,
    pub before: Verdict,
    pub after: Verdict,
}

impl CheckOutcome {
    /// Why this outcome forbids the change, if it does.
    pub fn objection(&self) -> Option<String> {
        let Self { check, role, before, after } = self;
        let number = |verdict: &Verdict| verdict.violations().map(crate::check::Count::number);
        // Of a run that was cut short only the least is known: enough to be below, not to be above.
        let (seen_before, seen_after) = (before.is_whole(), after.is_whole());
        match role {
            Role::Shown => None,
            Role::Cure => match after {
                Verdict::Clear => None,
                Verdict::Violated { violations } => {
                    let violations = violations.of("violation");
                    Some(format!("{check} would still have {violations}"))
                }
                Verdict::Measured { reading } => {
                    (!after.is_clear()).then(|| format!("{check} would still be at {reading}"))
                }
                Verdict::Inconclusive { reason } => {
                    Some(format!("{check} could not be checked: {reason}"))
                }
            },
            Role::Falls if after.is_clear() => None,
            Role::Falls => match (before.number(), after.number()) {
                (Some(before), Some(after)) if seen_after && after < before => None,
                (Some(before), Some(after)) if seen_before && after >= before => {
                    Some(format!("{check} would not fall: {before} before, {after} after"))
                }
                _ => Some(format!("{check} could not be compared before and after")),
            },
            Role::Neighbour => match (number(before), number(after)) {
                (Some(before), Some(after)) if seen_after && after <= before => None,
                (Some(before), Some(after)) if seen_before && after > before => {
                    let after = counted(after, "violation");
                    Some(format!("{check} would get worse: {before} to {after}"))
                }
                _ => Some(format!("{check} could not be compared before and after")),
            },
        }
    }
}

/// What the undo brings back, tried inside the preview.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UndoRehearsal {
    /// Rows that come back exactly.
    pub restored: u64,
    /// Rows that were tried: of very many, the first.
    pub tried: u64,
    /// Rows the change wrote that an undo is meant to bring back.
    pub of: u64,
    /// What stays or is added, a sentence each.
    pub stays: Vec<String>,
    /// Why there is no undo at all.
    pub impossible: Option<String>,
}

impl UndoRehearsal {
    /// So begins the sentence where there is none.
    pub const NONE: &str = "no undo: ";
    /// And so goes on why, where it was tried in vain.
    pub const TRIED: &str = "tried, and ";

    pub fn sentence(&self) -> String {
        if let Some(why) = &self.impossible {
            return format!("{}{why}", Self::NONE);
        }
        let Self { restored, tried, of, .. } = *self;
        let mut text = if tried < of {
            let (restored, tried, of) = (thousands(restored), thousands(tried), thousands(of));
            format!("rehearsed on the first {tried} of {of} rows: {restored} come back")
        } else {
            format!("rehearsed: {} of {} rows come back", thousands(restored), thousands(of))
        };
        for stays in &self.stays {
            text.push_str(", ");
            text.push_str(stays);
        }
        text
    }
}

/// A row that an undo leaves alone because somebody changed it since, or the database refuses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    pub table: String,
    pub key: String,
    /// One line a column: before, what the change wrote, what it is now.
    pub columns: Vec<(String, String, String, String)>,
    /// What the database said, if it refuses the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Conflict {
    pub fn name(&self) -> String {
        format!("{} {}", self.table, self.key)
    }
}

/// What reads alone tell of a change: no trigger, no cascade, no constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstLook {
    pub at: Timestamp,
    /// Each statement by its note.
    pub statements: Vec<(String, Looked)>,
    pub seconds: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Looked {
    /// The rows it aims at, and the first of them with what they would become.
    Rows { rows: u64, counted: Counted, sample: Rows },
    /// With the reason.
    Not(String),
}

/// One real run of a plan that was rolled back and proved gone. Read back from evidence, it holds the
/// first rows only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// Names this preview and the execution made from it.
    pub op: String,
    pub at: Timestamp,
    /// The server's proof of who it is.
    pub server: String,
    pub statements: Vec<StatementOutcome>,
    pub writes: Vec<TableWrites>,
    pub images: Vec<TableImages>,
    pub checks: Vec<CheckOutcome>,
    /// First violations that would remain, by check.
    #[serde(skip)]
    pub remaining: Vec<(String, Rows)>,
    /// The first rows that are left alone, and how many there are.
    pub conflicts: Vec<Conflict>,
    pub left_alone: u64,
    /// Of an undo: rows that it changes although the change never wrote them, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub besides: Option<String>,
    pub undo: UndoRehearsal,
    pub locks: String,
    /// How long the transaction was open.
    pub seconds: f64,
    /// What a rollback does not take back.
    pub leaves_behind: Vec<String>,
    pub warnings: Vec<String>,
    /// How it is known that nothing stayed; a failure is a refusal.
    pub proof: Result<String, String>,
    pub fingerprint: String,
    /// Everything that forbids an execution, a sentence each.
    pub refused: Vec<String>,
    /// Of a change in chunks: the rest above is its first chunk.
    pub chunks: Option<mass::Chunks>,
}

impl Preview {
    /// All rows that the change writes, directly or by triggers and cascades.
    pub fn rows(&self) -> u64 {
        self.writes.iter().map(|writes| writes.direct.plus(writes.hidden).total()).sum()
    }

    /// What is asked for: all rows, or all keys of a change in chunks.
    pub fn asked(&self) -> u64 {
        self.chunks.as_ref().map_or_else(|| self.rows(), |chunks| chunks.left)
    }

    /// What triggers and cascades wrote, by table.
    pub fn hidden(&self) -> Vec<(String, Tally)> {
        let hidden = self.writes.iter().filter(|writes| writes.hidden.total() > 0);
        hidden.map(|writes| (writes.table.clone(), writes.hidden)).collect()
    }

    /// What was written, by table, whoever wrote it.
    pub fn tallies(&self) -> Vec<(String, Tally)> {
        self.writes
            .iter()
            .map(|writes| (writes.table.clone(), writes.direct.plus(writes.hidden)))
            .collect()
    }
}

/// The difference between a preview and an execution that rolled back by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// A sentence for each difference.
    pub differences: Vec<String>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Execution {
    Committed {
        op: String,
        rows: u64,
        writes: Vec<TableWrites>,
        checks: Vec<(String, Verdict)>,
        sound: bool,
        /// What the server said to COMMIT besides.
        said: String,
    },
    RolledBack {
        why: String,
        drift: Option<Drift>,
    },
    /// It ended between two chunks: those before are committed, nothing of the others is.
    Halted {
        op: String,
        progress: mass::Progress,
        why: String,
        drift: Option<Drift>,
    },
    Unknown {
        op: String,
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Count;

    #[test]
    fn a_check_that_was_cut_short_is_below_another_only_where_that_is_known() {
        let of = |role, before: Count, after: Count| {
            let [before, after] = [before, after].map(Verdict::from_count);
            CheckOutcome { check: "c".into(), role, before, after }.objection()
        };
        let (exact, least) = (Count::Exact, Count::AtLeast);
        for role in [Role::Neighbour, Role::Falls] {
            assert_eq!(of(role, exact(9), exact(5)), None);
            assert_eq!(of(role, least(9), exact(5)), None, "there were nine or more");
            for (before, after) in
                [(exact(9), least(5)), (least(9), least(5)), (least(5), exact(9))]
            {
                let why = of(role, before, after).expect("it is not known");
                assert!(why.contains("could not be compared"), "{before:?} {after:?}: {why}");
            }
            assert!(of(role, exact(5), least(9)).expect("it is known").contains('5'));
        }
        assert_eq!(of(Role::Neighbour, exact(5), exact(5)), None);
    }
}
