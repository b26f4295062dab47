//! Incident: what its entries add up to.
//!
//! The journal is the truth; this is the fold of it, the same at start-up and while working. Screens
//! and the postmortem read it; nothing changes it but `apply`. Pure.

pub mod bundle;
pub mod chain;
mod chunks;
pub mod drafts;
pub mod entry;
pub mod fleet;
pub mod handover;
pub mod journal;
pub mod lease;
pub mod metrics;
pub mod redact;
pub mod rights;
pub mod second;
pub mod store;
pub mod verify;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::check::{Count, Severity, Verdict};
use crate::guardrail::Standing;
use crate::recovery::Tally;
use crate::runbook::ActionKind;
use crate::runbook::progress::{Progress, StepState};
use chain::Mark;
pub use chunks::{Chunk, Chunked, Doubtful};
use entry::{Deed, Entry, Evidence, Milestone, NoteKind, Origin, Outcome, Record, TargetSeen};
pub use second::{Review, Second};

#[derive(Debug, Clone, Default)]
pub struct Incident {
    pub id: String,
    pub title: String,
    pub runbook: String,
    pub runbook_sha256: String,
    pub target: Option<TargetSeen>,
    pub severity: Option<Severity>,
    pub demo: bool,
    /// Its records carry the watermark of a drill.
    pub drill: bool,
    /// What the target asked of approvals when it was opened, and of those at high risk.
    pub policy: Option<(String, Option<String>)>,
    /// The controls that its runbook and the checks named by it stood for when it was opened.
    pub controls: Controls,
    pub opened: Option<Timestamp>,
    pub closed: Option<Timestamp>,
    pub progress: Progress,
    pub milestones: BTreeMap<Milestone, (Timestamp, Origin)>,
    pub answers: BTreeMap<String, String>,
    pub counts: Vec<Measured>,
    pub changes: Vec<Change>,
    pub guardrails: BTreeMap<String, Standing>,
    pub guard_notes: Vec<(Timestamp, String)>,
    /// When, at which step, to whom.
    pub said: Vec<(Timestamp, String, String)>,
    pub next_update: Option<Timestamp>,
    /// When, whom by the id in the matrix, and their name.
    pub called: Vec<(Timestamp, String, String)>,
    pub notes: Vec<(Timestamp, NoteKind, String)>,
    pub decisions: Vec<(Timestamp, String, String, String)>,
    pub skipped: Vec<(Timestamp, String, String)>,
    pub actions: Vec<ActionItem>,
    pub evidence: Vec<Evidence>,
    pub exports: Vec<(String, String)>,
    /// Records that a person pinned, by their numbers.
    pub pinned: BTreeSet<u64>,
    /// What people said about a record later, by its number.
    pub annotations: BTreeMap<u64, Vec<Annotation>>,
    /// Who wrote from when on; another shift begins where that is somebody else.
    pub shifts: Vec<(Timestamp, String)>,
    pub records: Vec<Record>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    pub at: Timestamp,
    pub actor: String,
    pub text: String,
}

/// Names of controls, as `control` knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controls {
    pub runbook: Vec<String>,
    pub checks: BTreeMap<String, Vec<String>>,
}

impl Controls {
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.runbook.iter().chain(self.checks.values().flatten()).map(String::as_str)
    }
}

/// One count of a check over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub at: Timestamp,
    pub check: String,
    pub verdict: Verdict,
}

/// One change, undo or guardrail, from its preview to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub step: String,
    pub op: String,
    pub deed: Deed,
    pub at: Timestamp,
    pub rows: u64,
    pub writes: Vec<(String, Tally)>,
    /// What of `writes` came from triggers and cascades.
    pub hidden: Vec<(String, Tally)>,
    pub refused: Vec<String>,
    pub undo: String,
    pub phase: Phase,
    pub verified: Option<bool>,
    pub undo_file: Option<Evidence>,
    /// Names its session and transaction on the server, once COMMIT was sent.
    pub mark: Option<String>,
    /// How far it came, if it runs in chunks.
    pub chunks: Option<Chunked>,
    pub typed: String,
    pub actor: String,
    /// Who else agreed, where somebody was asked.
    pub second: Option<Second>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    Previewed,
    Approved,
    /// The intent is written; the outcome is not known yet.
    Started,
    CommitSent,
    /// Between two chunks, with the reason.
    Halted(String),
    Ended(Outcome, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionItem {
    pub title: String,
    pub owner: String,
    pub due: String,
    pub kind: ActionKind,
}

impl Incident {
    pub fn replay(records: &[Record]) -> Self {
        let mut incident = Self::default();
        for record in records {
            incident.apply(record);
        }
        incident
    }

    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// The operation whose outcome the journal does not know.
    pub fn in_doubt(&self) -> Option<&Change> {
        self.changes.iter().find(|change| {
            matches!(
                change.phase,
                Phase::Started | Phase::CommitSent | Phase::Ended(Outcome::Unknown, _)
            )
        })
    }

    /// The last committed change of a step that was not undone.
    pub fn standing_change(&self, step: &str) -> Option<&Change> {
        self.changes.iter().rev().find(|change| {
            change.step == step
                && change.deed == Deed::Change
                && change.stands()
                && !self.is_undone(&change.op)
        })
    }

    /// The change or undo of a step that ended between two chunks and can go on.
    pub fn halted(&self, step: &str) -> Option<&Change> {
        let standing = self.standing_change(step)?;
        let undoes = |change: &&Change| {
            matches!(&change.deed, Deed::Undo { of } if *of == standing.op) && change.is_halted()
        };
        let undo = self.changes.iter().rev().find(undoes).filter(|undo| undo.stands());
        undo.or_else(|| standing.is_halted().then_some(standing))
    }

    pub fn is_undone(&self, op: &str) -> bool {
        let undoes = |change: &Change| matches!(&change.deed, Deed::Undo { of } if of == op);
        self.changes.iter().any(|change| undoes(change) && change.is_committed())
    }

    pub fn rows_changed(&self) -> u64 {
        self.changes.iter().filter(|change| change.stands()).map(|change| change.rows).sum()
    }

    /// Whether a record belongs to the story: by its kind, or because a person made it so.
    pub fn tells(&self, record: &Record) -> bool {
        record.entry.is_narrative()
            || self.pinned.contains(&record.seq)
            || self.annotations.contains_key(&record.seq)
    }

    pub fn annotations_of(&self, record: u64) -> &[Annotation] {
        self.annotations.get(&record).map_or(&[], Vec::as_slice)
    }

    /// Nothing more goes wrong, as far as somebody said or the program saw.
    pub fn is_contained(&self) -> bool {
        let reached = [Milestone::Contained, Milestone::Fixed, Milestone::Verified];
        !self.is_open() || reached.iter().any(|which| self.milestones.contains_key(which))
    }

    /// Violations of a check, first seen and last seen.
    pub fn first_and_last(&self, check: &str) -> Option<(Count, Count)> {
        let mut seen = self.counts_of(check).filter_map(|measured| measured.verdict.violations());
        let first = seen.next()?;
        Some((first, seen.last().unwrap_or(first)))
    }

    pub fn counts_of<'a>(&'a self, check: &'a str) -> impl Iterator<Item = &'a Measured> {
        self.counts.iter().filter(move |measured| measured.check == check)
    }

    /// What a check said over time, also on the new connection after a change; none where it could
    /// not say.
    pub fn numbers_of(&self, check: &str) -> Vec<(Timestamp, Option<f64>)> {
        let mut found = Vec::new();
        for record in &self.records {
            match &record.entry {
                Entry::Checked { check: of, verdict, .. } if of == check => {
                    found.push((record.at, verdict.number()));
                }
                Entry::Verified { checks, .. } => {
                    let of = checks.iter().filter(|(of, _)| of == check);
                    found.extend(of.map(|(_, verdict)| (record.at, verdict.number())));
                }
                _ => {}
            }
        }
        found
    }

    /// Takes in one record. The only way an incident changes.
    pub fn apply(&mut self, record: &Record) {
        self.records.push(record.clone());
        let at = record.at;
        if self.shifts.last().is_none_or(|(_, who)| *who != record.actor) {
            self.shifts.push((at, record.actor.clone()));
        }
        match &record.entry {
            Entry::Opened {
                incident,
                runbook,
                runbook_sha256,
                title,
                severity,
                target,
                demo,
                ..
            } => {
                self.id.clone_from(incident);
                self.runbook.clone_from(runbook);
                self.runbook_sha256.clone_from(runbook_sha256);
                self.title.clone_from(title);
                self.severity = Some(*severity);
                self.target = Some(target.clone());
                self.demo = *demo;
                self.drill = record.drill == Mark::Drill;
                self.opened = Some(at);
            }
            Entry::Policy { approval, high_risk } => {
                self.policy = Some((approval.clone(), high_risk.clone()));
            }
            Entry::Controls { runbook, checks } => {
                let checks = checks.iter().cloned().collect();
                self.controls = Controls { runbook: runbook.clone(), checks };
            }
            Entry::SeveritySet { to, .. } => self.severity = Some(*to),
            Entry::Milestone { which, at, origin } => self.reach(*which, *at, *origin),
            Entry::Note { at, note, text } => self.notes.push((*at, *note, text.clone())),
            Entry::StepEntered { step } => self.progress.enter(step),
            Entry::StepPassed { step, how } => {
                self.progress.set(step, StepState::Passed(how.clone()));
            }
            Entry::StepFailed { step, why } => {
                self.progress.set(step, StepState::Failed(why.clone()));
            }
            Entry::StepSkipped { step, reason } => {
                self.progress.set(step, StepState::Skipped(reason.clone()));
                self.skipped.push((at, step.clone(), reason.clone()));
            }
            Entry::Answered { var, answer, .. } => {
                self.answers.insert(var.clone(), answer.clone());
            }
            Entry::Checked { check, verdict, sample, .. } => {
                let (check, verdict) = (check.clone(), verdict.clone());
                self.counts.push(Measured { at, check, verdict });
                self.evidence.extend(sample.clone());
            }
            Entry::Exported { path, sha256, .. } => {
                self.exports.push((path.clone(), sha256.clone()));
                if path.starts_with("evidence/") {
                    self.evidence.push(Evidence { file: path.clone(), sha256: sha256.clone() });
                }
            }
            Entry::Decided { question, choice, reason, .. } => {
                self.decisions.push((at, question.clone(), choice.clone(), reason.clone()));
            }
            Entry::Said { step, audience, next_update, .. } => {
                self.said.push((at, step.clone(), audience.clone()));
                self.next_update = *next_update;
            }
            Entry::Escalated { to, who, .. } => {
                self.called.push((at, to.clone(), who.clone()));
            }
            Entry::CommandRan { output, .. } => self.evidence.push(output.clone()),
            Entry::GuardRehearsed { sentence, evidence, .. } => {
                self.guard_notes.push((at, sentence.clone()));
                self.evidence.push(evidence.clone());
            }
            Entry::ActionItem { title, owner, due, action } => {
                let (title, owner, due) = (title.clone(), owner.clone(), due.clone());
                self.actions.retain(|item| item.title != title);
                self.actions.push(ActionItem { title, owner, due, kind: *action });
            }
            Entry::Closed { .. } => {
                self.closed = Some(at);
                self.next_update = None;
                self.reach(Milestone::Closed, at, Origin::Auto);
            }
            Entry::Pinned { record } => _ = self.pinned.insert(*record),
            Entry::Unpinned { record } => _ = self.pinned.remove(record),
            Entry::Annotated { record: of, text } => {
                let (actor, text) = (record.actor.clone(), text.clone());
                self.annotations.entry(*of).or_default().push(Annotation { at, actor, text });
            }
            Entry::Resumed { .. }
            | Entry::TornTail { .. }
            | Entry::PostmortemEdited { .. }
            | Entry::Confirmed { .. }
            | Entry::Mistyped { .. }
            | Entry::Scored { .. }
            | Entry::TakeOverAsked { .. }
            | Entry::TakeOverRefused { .. }
            | Entry::HandedOver { .. }
            | Entry::TakenOver { .. }
            | Entry::SecondRefused { .. }
            | Entry::PreviewFailed { .. } => {}
            Entry::Requested { .. }
            | Entry::Seconded { .. }
            | Entry::GlassBroken { .. }
            | Entry::Reviewed { .. } => self.apply_second(record),
            Entry::Previewed { .. }
            | Entry::Approved { .. }
            | Entry::ExecutionStarted { .. }
            | Entry::UndoWritten { .. }
            | Entry::CommitSent { .. }
            | Entry::Ended { .. }
            | Entry::ChunksPlanned { .. }
            | Entry::ChunkSent { .. }
            | Entry::ChunkEnded { .. }
            | Entry::Paced { .. }
            | Entry::Halted { .. }
            | Entry::Resolved { .. }
            | Entry::Verified { .. } => self.apply_change(record),
        }
    }

    fn reach(&mut self, which: Milestone, at: Timestamp, origin: Origin) {
        // What a person said stands against what the program concludes.
        let human = matches!(self.milestones.get(&which), Some((_, Origin::Human)));
        if origin == Origin::Human || !human {
            self.milestones.insert(which, (at, origin));
        }
    }

    fn change(&mut self, op: &str) -> Option<&mut Change> {
        self.changes.iter_mut().find(|change| change.op == op)
    }

    /// The change that an entry speaks of, made if this entry is the first to name it.
    fn change_or_new(&mut self, record: &Record, step: &str, op: &str, deed: &Deed) -> &mut Change {
        if let Some(at) = self.changes.iter().position(|change| change.op == op) {
            return &mut self.changes[at];
        }
        self.changes.push(Change {
            step: step.to_owned(),
            op: op.to_owned(),
            deed: deed.clone(),
            at: record.at,
            rows: 0,
            writes: Vec::new(),
            hidden: Vec::new(),
            refused: Vec::new(),
            undo: String::new(),
            phase: Phase::Previewed,
            verified: None,
            undo_file: None,
            mark: None,
            chunks: None,
            typed: String::new(),
            actor: record.actor.clone(),
            second: None,
        });
        self.changes.last_mut().expect("one was pushed")
    }

    fn apply_change(&mut self, record: &Record) {
        match &record.entry {
            Entry::Previewed {
                step,
                op,
                deed,
                rows,
                writes,
                hidden,
                refused,
                undo,
                evidence,
                ..
            } => {
                let change = self.change_or_new(record, step, op, deed);
                if !change.stands() {
                    change.rows = *rows;
                }
                change.writes.clone_from(writes);
                change.hidden.clone_from(hidden);
                change.refused.clone_from(refused);
                change.undo.clone_from(undo);
                self.evidence.push(evidence.clone());
            }
            Entry::Approved { step, op, deed, typed, .. } => {
                let change = self.change_or_new(record, step, op, deed);
                change.phase = Phase::Approved;
                change.typed.clone_from(typed);
                change.actor.clone_from(&record.actor);
            }
            Entry::ExecutionStarted { step, op, deed, .. } => {
                self.change_or_new(record, step, op, deed).phase = Phase::Started;
            }
            Entry::UndoWritten { op, evidence, .. } => {
                self.evidence.push(evidence.clone());
                if let Some(change) = self.change(op) {
                    change.undo_file = Some(evidence.clone());
                }
            }
            Entry::ChunksPlanned { step, op, deed, list, .. } => {
                self.evidence.extend(list.clone());
                let change = self.change_or_new(record, step, op, deed);
                change.chunks.get_or_insert_default().apply(&record.entry);
            }
            Entry::ChunkSent { op, .. }
            | Entry::ChunkEnded { op, .. }
            | Entry::Paced { op, .. } => {
                if let Entry::ChunkSent { undo, .. } = &record.entry {
                    self.evidence.push(undo.clone());
                }
                if let Some(change) = self.change(op) {
                    change.chunks.get_or_insert_default().apply(&record.entry);
                }
            }
            Entry::Halted { step, op, deed, rows, why, .. } => {
                let change = self.change_or_new(record, step, op, deed);
                change.phase = Phase::Halted(why.clone());
                change.rows = *rows;
            }
            Entry::CommitSent { op, mark } => {
                if let Some(change) = self.change(op) {
                    change.mark = Some(mark.clone()).filter(|mark| !mark.is_empty());
                    change.phase = Phase::CommitSent;
                }
            }
            Entry::Ended { step, op, deed, outcome, rows, why, .. }
            | Entry::Resolved { step, op, deed, outcome, rows, how: why } => {
                let change = self.change_or_new(record, step, op, deed);
                change.phase = Phase::Ended(*outcome, why.clone());
                if *outcome == Outcome::Committed && *rows > 0 {
                    change.rows = *rows;
                }
                if *outcome == Outcome::Committed {
                    self.committed(step, deed, record.at);
                }
            }
            Entry::Verified { op, sound, .. } => {
                if let Some(change) = self.change(op) {
                    change.verified = Some(*sound);
                }
            }
            _ => {}
        }
    }

    fn committed(&mut self, step: &str, deed: &Deed, at: Timestamp) {
        match deed {
            Deed::Change => self.reach(Milestone::Fixed, at, Origin::Auto),
            Deed::Undo { .. } => {
                self.progress.set(step, StepState::Open);
                self.milestones.remove(&Milestone::Fixed);
                self.milestones.remove(&Milestone::Verified);
            }
            Deed::ApplyGuardrail => {
                self.guardrails.insert(step.to_owned(), Standing::Applied);
            }
            Deed::WithdrawGuardrail => {
                self.guardrails.insert(step.to_owned(), Standing::Withdrawn);
                self.progress.set(step, StepState::Open);
            }
        }
    }
}

impl Change {
    pub fn is_committed(&self) -> bool {
        matches!(self.phase, Phase::Ended(Outcome::Committed, _))
    }

    /// It ended between two chunks, or did before somebody made ready to go on with it.
    pub fn is_halted(&self) -> bool {
        let ready = matches!(self.phase, Phase::Previewed | Phase::Approved);
        matches!(self.phase, Phase::Halted(_)) || ready && self.stands()
    }

    /// Something of it is in the database: all, or the chunks before it was halted.
    pub fn stands(&self) -> bool {
        let begun = self.chunks.as_ref().is_some_and(|chunks| chunks.committed().next().is_some());
        self.is_committed() || begun
    }
}
