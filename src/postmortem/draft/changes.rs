//! What was done to data and schema: every operation that was approved, with its outcome, its proof
//! and its way back.

use jiff::Timestamp;
use serde::Serialize;

use super::title_of;
use crate::dialect::PerDialect;
use crate::incident::entry::{Deed, Entry, Evidence, Outcome};
use crate::incident::{self, Chunked, Incident, Phase, Second};
use crate::recovery::Tally;
use crate::runbook::{Action, Runbook};
use crate::value::counted;
use crate::value::thousands;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub op: String,
    pub deed: Deed,
    pub step: String,
    pub title: Option<String>,
    /// What was sent, as the frozen runbook has it for this engine; nothing of an undo, which the rows make.
    pub statements: Vec<Sent>,
    pub outcome: &'static str,
    /// How the outcome is known, or why it ended so.
    pub why: String,
    pub ended: Option<Timestamp>,
    /// Something of it was committed: all, or some of its chunks.
    pub stands: bool,
    /// Those that were written, if it stands; else those that were previewed.
    pub rows: u64,
    /// As previewed; of a change in chunks that is one of them.
    pub tables: Vec<Written>,
    pub approved_by: String,
    /// Who else agreed, or why nobody did.
    pub second: Option<String>,
    /// The confirmation, as it was typed.
    pub typed: String,
    pub approved: Option<Timestamp>,
    pub verified: Option<bool>,
    /// What the rehearsal of the undo showed.
    pub undo: String,
    pub undo_file: Option<Evidence>,
    /// How far it came, if it ran in chunks.
    pub in_chunks: Option<String>,
    pub undone: bool,
    /// Rows that were left alone then.
    pub left_alone: u64,
}

impl Change {
    /// What became of its rows.
    pub fn rows_words(&self) -> String {
        let rows = counted(self.rows, "row");
        let is = |outcome: Outcome| self.outcome == outcome.word();
        if is(Outcome::Committed) {
            return format!("{rows} written");
        }
        let what = match (self.stands, is(Outcome::Unknown)) {
            (true, false) => "written by the chunks that were committed",
            (true, true) => {
                "written by the chunks that were committed; whether another one was is not known"
            }
            (false, true) => "previewed; whether they were written is not known",
            (false, false) => "previewed, none written",
        };
        format!("{rows} {what}")
    }

    /// Of what the rows by table are, where they are not all.
    pub fn tables_words(&self) -> Option<&'static str> {
        self.in_chunks.as_ref().map(|_| "of the chunk that was previewed")
    }
}

/// A statement, with the parameters that the answers stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    pub note: String,
    pub sql: String,
}

/// Rows written to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    pub table: String,
    pub direct: Tally,
    /// By triggers and cascades.
    pub hidden: Tally,
}

pub fn gather(incident: &Incident, runbook: Option<&Runbook>) -> Vec<Change> {
    let approved = incident.changes.iter().filter(|change| change.phase != Phase::Previewed);
    approved.map(|change| one(incident, runbook, change)).collect()
}

fn one(incident: &Incident, runbook: Option<&Runbook>, change: &incident::Change) -> Change {
    let (outcome, why) = outcome(&change.phase);
    let when = |wanted: fn(&Entry, &str) -> bool| {
        let found = incident.records.iter().rev().find(|record| wanted(&record.entry, &change.op));
        found.map(|record| record.at)
    };
    let seconds: Vec<String> = change.seconds.iter().filter_map(second).collect();
    Change {
        op: change.op.clone(),
        deed: change.deed.clone(),
        step: change.step.clone(),
        title: title_of(runbook, &change.step),
        statements: statements(incident, runbook, change),
        outcome,
        why,
        ended: when(
            |entry, of| matches!(entry, Entry::Ended { op, .. } | Entry::Resolved { op, .. } if op == of),
        ),
        stands: change.stands(),
        rows: if change.stands() { change.rows_written() } else { change.rows },
        tables: written(change),
        approved_by: change.actor.clone(),
        second: (!seconds.is_empty()).then(|| seconds.join("; then ")),
        typed: change.typed.clone(),
        approved: when(|entry, of| matches!(entry, Entry::Approved { op, .. } if op == of)),
        verified: change.verified,
        undo: change.undo.clone(),
        undo_file: change.undo_file.clone(),
        in_chunks: change.chunks.as_ref().map(|chunks| in_chunks(chunks, &change.deed)),
        undone: incident.is_undone(&change.op),
        left_alone: incident.taken_back(&change.op).unwrap_or_default(),
    }
}

fn statements(
    incident: &Incident,
    runbook: Option<&Runbook>,
    change: &incident::Change,
) -> Vec<Sent> {
    let step = runbook.and_then(|runbook| runbook.step(&change.step));
    let (Some(step), Some(target)) = (step, &incident.target) else { return Vec::new() };
    let sent = |note: &str, sql: &PerDialect| {
        let sql = sql.get(target.dialect)?.trim().to_owned();
        Some(Sent { note: note.to_owned(), sql })
    };
    match (&step.action, &change.deed) {
        (Action::Change(change), Deed::Change) => {
            change.statements.iter().filter_map(|one| sent(&one.note, &one.sql)).collect()
        }
        (Action::Guard(guard), Deed::ApplyGuardrail) => {
            sent("", &guard.apply).into_iter().collect()
        }
        (Action::Guard(guard), Deed::WithdrawGuardrail) => {
            sent("", &guard.withdraw).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn second(second: &Second) -> Option<String> {
    match second {
        Second::Asked { .. } => None,
        Second::Agreed { signer, key, .. } => Some(format!("{signer}, with the key {key}")),
        Second::BrokenGlass { reason, due, reviewed: None, .. } => {
            Some(format!("nobody: {reason}; review due {}, and not done", due.strftime("%Y-%m-%d")))
        }
        Second::BrokenGlass { reason, reviewed: Some(review), .. } => Some(format!(
            "nobody: {reason}; reviewed by {} on {}: {}",
            review.signer,
            review.at.strftime("%Y-%m-%d"),
            review.remark
        )),
    }
}

fn in_chunks(chunks: &Chunked, deed: &Deed) -> String {
    let (count, done, of) = (chunks.committed().count(), chunks.done(), chunks.keys);
    let (done, of, left) = (thousands(done), thousands(of), thousands(chunks.left_alone()));
    let what = deed.counts();
    let mut told = format!("{count} committed, {done} of {of} {what} done");
    if chunks.left_alone() > 0 {
        let or = match deed {
            Deed::Undo { .. } => " or the database refuses it",
            Deed::Change | Deed::ApplyGuardrail | Deed::WithdrawGuardrail => "",
        };
        told += &format!(", {left} left alone because their row had changed{or}");
    }
    match chunks.pauses {
        0 => {}
        1 => told += ", slowed down or paused once",
        times => told += &format!(", slowed down or paused {times} times"),
    }
    told + "; each has an undo of its own"
}

fn written(change: &incident::Change) -> Vec<Written> {
    let hidden = |table: &str| {
        let found = change.hidden.iter().find(|(name, _)| name == table);
        found.map(|(_, tally)| *tally).unwrap_or_default()
    };
    let one = |(table, all): &(String, Tally)| {
        let hidden = hidden(table);
        Written { table: table.clone(), direct: all.minus(hidden), hidden }
    };
    change.writes.iter().map(one).collect()
}

/// The word, and how it is known.
fn outcome(phase: &Phase) -> (&'static str, String) {
    match phase {
        Phase::Previewed => ("previewed", String::new()),
        Phase::Approved => ("approved, not started", String::new()),
        Phase::Started => {
            (Outcome::Unknown.word(), "it was started, and its end is not in the journal".into())
        }
        Phase::CommitSent => (
            Outcome::Unknown.word(),
            "COMMIT was sent, and the answer is not in the journal".into(),
        ),
        Phase::Halted(why) => ("HALTED", why.clone()),
        Phase::Ended(outcome, why) => (outcome.word(), why.clone()),
    }
}
