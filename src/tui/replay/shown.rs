//! What the screens of a moment show: checks, changes, guardrails and commands as far as they had
//! come, from the records and the evidence that they name.

use std::collections::HashMap;
use std::sync::Arc;

use super::moment::Replay;
use crate::check::Finding;
use crate::incident::entry::{Deed, Entry, Outcome, Record};
use crate::incident::{Change, Incident, Phase};
use crate::recovery::mass::Progress;
use crate::recovery::protocol::State;
use crate::recovery::{Execution, Preview};
use crate::runbook::Ran;
use crate::tui::case::{Guarding, Live, Output, Recovery};
use crate::tui::widget::table::Reading;
use crate::value::pile::Pile;
use crate::value::{Rows, ValueRef};

/// What each check had said last, with the rows that were kept.
pub(super) fn live(replay: &Replay, incident: &Incident) -> HashMap<String, Live> {
    let mut live: HashMap<String, Live> = HashMap::new();
    for record in &incident.records {
        let Entry::Checked { check, verdict, seconds, delta, sample, .. } = &record.entry else {
            continue;
        };
        let one = live.entry(check.clone()).or_default();
        one.history.extend(verdict.number());
        one.at = Some(record.at);
        one.delta.clone_from(delta);
        let rows = sample.as_ref().and_then(|sample| rows(&replay.evidence(sample)?));
        let (verdict, rows) = (verdict.clone(), rows.unwrap_or_default());
        let finding = Finding { verdict, rows, keys: None, seconds: *seconds, cause: None };
        one.rows = Pile::of(&finding.rows).ok().map(|pile| Reading::of(pile, &finding));
        one.finding = Some(Arc::new(finding));
    }
    live
}

/// The rows of a sample: columns once, then a list a row.
fn rows(bytes: &[u8]) -> Option<Rows> {
    #[derive(serde::Deserialize)]
    struct Sample {
        columns: Vec<String>,
        rows: Vec<Vec<Option<String>>>,
    }
    let sample: Sample = serde_json::from_slice(bytes).ok()?;
    let mut rows = Rows::new(sample.columns);
    for row in &sample.rows {
        rows.push(row.iter().map(|cell| cell.as_deref().map_or(ValueRef::Null, ValueRef::Text)));
    }
    Some(rows)
}

/// Each change as far as it had come, with what its preview had shown.
pub(super) fn recoveries(replay: &Replay, incident: &Incident) -> HashMap<String, Recovery> {
    let mut found: HashMap<String, Recovery> = HashMap::new();
    for record in &incident.records {
        if let Entry::PreviewFailed { step, deed: Deed::Change | Deed::Undo { .. }, why } =
            &record.entry
        {
            let state = State::Failed { why: why.clone() };
            found.insert(step.clone(), Recovery { state, ..Recovery::default() });
            continue;
        }
        // The first record that names an operation stands for it; the fold has how it went on.
        let Some(change) = begins(&record.entry, incident) else { continue };
        let preview = Arc::new(preview(replay, record, change));
        let state = state(change, &preview, incident);
        let undoing = matches!(change.deed, Deed::Undo { .. });
        let preview = Some(preview);
        let recovery = Recovery { state, preview, undoing, ..Recovery::default() };
        found.insert(change.step.clone(), recovery);
    }
    found
}

fn begins<'i>(entry: &Entry, incident: &'i Incident) -> Option<&'i Change> {
    let Entry::Previewed { op, deed: Deed::Change | Deed::Undo { .. }, .. } = entry else {
        return None;
    };
    incident.changes.iter().find(|change| change.op == *op)
}

fn state(change: &Change, preview: &Arc<Preview>, incident: &Incident) -> State {
    let (op, preview) = (change.op.clone(), preview.clone());
    match &change.phase {
        Phase::Previewed | Phase::Approved => State::Previewed { preview, warrant: None },
        Phase::Started | Phase::CommitSent => State::Executing { run: 0, op },
        Phase::Ended(Outcome::Committed, _) => {
            let verified = incident.records.iter().rev().find_map(|record| match &record.entry {
                Entry::Verified { op: of, checks, sound, .. } if *of == op => {
                    Some((checks, *sound))
                }
                _ => None,
            });
            let (checks, sound) =
                verified.map_or((Vec::new(), true), |(all, sound)| (all.clone(), sound));
            let (rows, writes) = (change.rows, preview.writes.clone());
            let said = incident.records.iter().rev().find_map(|record| match &record.entry {
                Entry::Ended { op: of, outcome: Outcome::Committed, why, .. } if *of == op => {
                    Some(why.clone())
                }
                _ => None,
            });
            let said = said.unwrap_or_default();
            let execution = Execution::Committed { op, rows, writes, checks, sound, said };
            State::Ended { execution }
        }
        Phase::Ended(Outcome::RolledBack, why) => {
            let drift = incident.records.iter().rev().find_map(|record| match &record.entry {
                Entry::Ended { op: of, drift, .. } if *of == op => drift.clone(),
                _ => None,
            });
            State::Ended { execution: Execution::RolledBack { why: why.clone(), drift } }
        }
        Phase::Halted(why) => {
            let halted = incident.records.iter().rev().find_map(|record| match &record.entry {
                Entry::Halted { op: of, done, of: all, rows, drift, .. } if *of == op => {
                    let (done, of, rows) = (*done, *all, *rows);
                    Some((Progress { done, of, rows, ..Progress::default() }, drift.clone()))
                }
                _ => None,
            });
            let (progress, drift) = halted.unwrap_or_default();
            State::Ended { execution: Execution::Halted { op, progress, why: why.clone(), drift } }
        }
        Phase::Ended(Outcome::Unknown, why) => {
            State::Ended { execution: Execution::Unknown { op, why: why.clone() } }
        }
    }
}

/// As it is in evidence; without that, what the journal says of it.
fn preview(replay: &Replay, record: &Record, change: &Change) -> Preview {
    let Entry::Previewed { evidence, refused, fingerprint, undo, .. } = &record.entry else {
        unreachable!("only a preview begins an operation")
    };
    let kept = replay.evidence(evidence).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    kept.unwrap_or_else(|| {
        let hidden = |table: &str| {
            let of = change.hidden.iter().find(|(of, _)| of == table);
            of.map(|(_, tally)| *tally).unwrap_or_default()
        };
        let writes = change.writes.iter().map(|(table, all)| crate::recovery::TableWrites {
            table: table.clone(),
            direct: all.minus(hidden(table)),
            hidden: hidden(table),
        });
        Preview {
            op: change.op.clone(),
            at: record.at,
            server: String::new(),
            statements: Vec::new(),
            writes: writes.collect(),
            chunks: None,
            images: Vec::new(),
            checks: Vec::new(),
            remaining: Vec::new(),
            conflicts: Vec::new(),
            left_alone: 0,
            besides: None,
            undo: crate::recovery::UndoRehearsal::default(),
            locks: String::new(),
            seconds: 0.0,
            leaves_behind: Vec::new(),
            warnings: vec![format!("its evidence is not here as it was written; undo {undo}")],
            proof: Err("it is in the evidence, which is not here".into()),
            fingerprint: fingerprint.clone(),
            refused: refused.clone(),
        }
    })
}

pub(super) fn guards(told: &[Record]) -> HashMap<String, Guarding> {
    let mut found: HashMap<String, Guarding> = HashMap::new();
    for record in told {
        let step = match &record.entry {
            Entry::GuardRehearsed { step, .. } => step,
            Entry::Approved { step, deed, .. }
            | Entry::ExecutionStarted { step, deed, .. }
            | Entry::Ended { step, deed, .. }
            | Entry::Resolved { step, deed, .. }
                if matches!(deed, Deed::ApplyGuardrail | Deed::WithdrawGuardrail) =>
            {
                step
            }
            _ => continue,
        };
        let said = Some(record.entry.sentence());
        found.insert(step.clone(), Guarding { said, ..Guarding::default() });
    }
    found
}

pub(super) fn outputs(replay: &Replay, told: &[Record]) -> HashMap<String, Output> {
    let mut found = HashMap::new();
    for record in told {
        if let Entry::CommandRan { step, exit, seconds, output, .. } = &record.entry {
            let output = replay.evidence(output).unwrap_or_default();
            let ran = Ran { exit: *exit, output, seconds: *seconds, trouble: None };
            found.insert(step.clone(), Output { ran: Some(ran), ..Output::default() });
        }
    }
    found
}
