//! Entry: what an incident must remember. A sealed entry is a `Record`.
//!
//! The form here is the form on disk: names are never reused for another meaning, fields are only
//! added. Each entry can say itself in one sentence, which is what the timeline shows.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Mark;
use crate::check::{Count, Delta, Severity, Verdict};
use crate::control;
use crate::dialect::Dialect;
use crate::recovery::{Drift, Tally};
use crate::runbook::ActionKind;
use crate::value::thousands;

/// One line of the journal, as it was read or written.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    pub actor: String,
    pub drill: Mark,
    pub entry: Entry,
    pub hash: String,
}

impl Record {
    /// When it happened: an entry may be backdated, a record never is.
    pub fn happened(&self) -> Timestamp {
        match &self.entry {
            Entry::Note { at, .. } | Entry::Milestone { at, .. } => *at,
            _ => self.at,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSeen {
    pub name: String,
    pub url: String,
    pub dialect: Dialect,
    pub environment: String,
    /// The server's own proof of who it is.
    pub server: String,
    pub version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    ImpactBegan,
    Detected,
    Acknowledged,
    Contained,
    Fixed,
    Verified,
    Closed,
}

impl Milestone {
    pub const ALL: [Self; 7] = [
        Self::ImpactBegan,
        Self::Detected,
        Self::Acknowledged,
        Self::Contained,
        Self::Fixed,
        Self::Verified,
        Self::Closed,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::ImpactBegan => "impact began",
            Self::Detected => "detected",
            Self::Acknowledged => "acknowledged",
            Self::Contained => "contained",
            Self::Fixed => "fixed",
            Self::Verified => "verified",
            Self::Closed => "closed",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Follows from what the program saw.
    Auto,
    /// Said by a person.
    Human,
}

/// What a note is, for the postmortem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    Observation,
    Decision,
    Todo,
    Well,
    Badly,
    Luck,
}

impl NoteKind {
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Observation, "note"),
        (Self::Decision, "decision"),
        (Self::Todo, "todo"),
        (Self::Well, "well"),
        (Self::Badly, "badly"),
        (Self::Luck, "luck"),
    ];

    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("note", |(_, word)| word)
    }
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Committed,
    RolledBack,
    Unknown,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::Committed => "COMMITTED",
            Self::RolledBack => "ROLLED BACK",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What is done to a database under a typed confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Deed {
    Change,
    Undo { of: String },
    ApplyGuardrail,
    WithdrawGuardrail,
}

impl Deed {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Undo { .. } => "undo",
            Self::ApplyGuardrail => "guardrail",
            Self::WithdrawGuardrail => "withdrawal of the guardrail",
        }
    }
}

/// How the pace of a change in chunks was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// By a person.
    Paused,
    Continued,
    /// By itself.
    Waits,
    GoesOn,
    /// A chunk was rolled back and is tried again with fewer keys.
    Smaller,
}

impl Pacing {
    pub fn word(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Continued => "continued",
            Self::Waits => "waits",
            Self::GoesOn => "goes on",
            Self::Smaller => "smaller chunks",
        }
    }
}

/// A file of the evidence folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub file: String,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Entry {
    Opened {
        incident: String,
        runbook: String,
        runbook_sha256: String,
        title: String,
        severity: Severity,
        target: TargetSeen,
        program: String,
        host: String,
        demo: bool,
    },
    Resumed {
        step: String,
    },
    /// What the runbook and the checks that it names stand for, in full: the register may change.
    Controls {
        runbook: Vec<String>,
        /// By the id of the check.
        checks: Vec<(String, Vec<String>)>,
    },
    /// The tail of the journal that a crash left half-written was put aside.
    TornTail {
        bytes: usize,
    },
    SeveritySet {
        from: Severity,
        to: Severity,
        reason: String,
    },
    Milestone {
        which: Milestone,
        at: Timestamp,
        origin: Origin,
    },
    Note {
        at: Timestamp,
        note: NoteKind,
        text: String,
    },
    StepEntered {
        step: String,
    },
    StepPassed {
        step: String,
        how: String,
    },
    StepFailed {
        step: String,
        why: String,
    },
    StepSkipped {
        step: String,
        reason: String,
    },
    Answered {
        step: String,
        var: String,
        answer: String,
    },
    Checked {
        step: Option<String>,
        check: String,
        verdict: Verdict,
        seconds: f64,
        delta: Option<Delta>,
        sample: Option<Evidence>,
    },
    Exported {
        check: String,
        format: String,
        rows: Count,
        path: String,
        sha256: String,
    },
    Decided {
        step: String,
        question: String,
        choice: String,
        reason: String,
        goto: String,
    },
    Said {
        step: String,
        audience: String,
        text: String,
        head: String,
        next_update: Option<Timestamp>,
    },
    /// Somebody was called, as the escalation matrix or the engineer wants it.
    Escalated {
        step: String,
        /// The id in the matrix.
        to: String,
        who: String,
        /// When the matrix wanted it.
        due: Option<Timestamp>,
    },
    CommandRan {
        step: String,
        argv: Vec<String>,
        exit: Option<i32>,
        seconds: f64,
        output: Evidence,
    },
    Previewed {
        step: String,
        op: String,
        deed: Deed,
        rows: u64,
        writes: Vec<(String, Tally)>,
        /// What of `writes` came from triggers and cascades.
        #[serde(default)]
        hidden: Vec<(String, Tally)>,
        fingerprint: String,
        refused: Vec<String>,
        undo: String,
        evidence: Evidence,
    },
    PreviewFailed {
        step: String,
        deed: Deed,
        why: String,
    },
    Approved {
        step: String,
        op: String,
        deed: Deed,
        fingerprint: String,
        typed: String,
        expires: Timestamp,
    },
    ExecutionStarted {
        step: String,
        op: String,
        deed: Deed,
        fingerprint: String,
    },
    UndoWritten {
        op: String,
        rows: u64,
        evidence: Evidence,
    },
    CommitSent {
        op: String,
        /// Names the session and its transaction on the server.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        mark: String,
    },
    Ended {
        step: String,
        op: String,
        deed: Deed,
        outcome: Outcome,
        rows: u64,
        why: String,
        drift: Option<Drift>,
    },
    /// A change was cut into chunks: how much is to be done, exactly, and how much of it was run.
    ChunksPlanned {
        step: String,
        op: String,
        deed: Deed,
        /// Keys, or rows of an undo.
        left: u64,
        done: u64,
        first: u64,
        about: u64,
        /// The frozen keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<Evidence>,
    },
    /// The undo of a chunk is on disk and its COMMIT is about to be sent.
    ChunkSent {
        op: String,
        chunk: u64,
        keys: u64,
        rows: u64,
        /// Keys whose row was not as the change wants it any more.
        left_alone: u64,
        undo: Evidence,
        mark: String,
    },
    ChunkEnded {
        op: String,
        chunk: u64,
        outcome: Outcome,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// Before this chunk.
    Paced {
        op: String,
        chunk: u64,
        pacing: Pacing,
        why: String,
    },
    /// A change in chunks ended between two of them; what is done stays.
    Halted {
        step: String,
        op: String,
        deed: Deed,
        done: u64,
        of: u64,
        rows: u64,
        why: String,
        drift: Option<Drift>,
    },
    /// The outcome of an execution that was cut off, found out from the database.
    Resolved {
        step: String,
        op: String,
        deed: Deed,
        outcome: Outcome,
        rows: u64,
        how: String,
    },
    Verified {
        step: String,
        op: String,
        checks: Vec<(String, Verdict)>,
        sound: bool,
    },
    GuardRehearsed {
        step: String,
        accepted: bool,
        sentence: String,
        evidence: Evidence,
    },
    PostmortemEdited {
        part: String,
        sha256: String,
    },
    ActionItem {
        title: String,
        owner: String,
        due: String,
        action: ActionKind,
    },
    /// A record that belongs to the story, whatever its kind.
    Pinned {
        record: u64,
    },
    Unpinned {
        record: u64,
    },
    /// What a person says about a record that stands.
    Annotated {
        record: u64,
        text: String,
    },
    /// An act outside of a change was confirmed by typing.
    Confirmed {
        step: String,
        what: String,
        typed: String,
    },
    /// A confirmation that was typed wrongly; what was typed may be anything and is not kept.
    Mistyped {
        step: String,
        names_another_target: bool,
    },
    Closed {
        violations: Option<Count>,
    },
    /// What a drill came to.
    Scored {
        score: u32,
        grade: String,
        /// Item, points, of how many, and why.
        items: Vec<(String, u32, u32, String)>,
    },
}

impl Entry {
    /// The word on disk.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Resumed { .. } => "resumed",
            Self::Controls { .. } => "controls",
            Self::TornTail { .. } => "torn-tail",
            Self::SeveritySet { .. } => "severity-set",
            Self::Milestone { .. } => "milestone",
            Self::Note { .. } => "note",
            Self::StepEntered { .. } => "step-entered",
            Self::StepPassed { .. } => "step-passed",
            Self::StepFailed { .. } => "step-failed",
            Self::StepSkipped { .. } => "step-skipped",
            Self::Answered { .. } => "answered",
            Self::Checked { .. } => "checked",
            Self::Exported { .. } => "exported",
            Self::Decided { .. } => "decided",
            Self::Said { .. } => "said",
            Self::Escalated { .. } => "escalated",
            Self::CommandRan { .. } => "command-ran",
            Self::Previewed { .. } => "previewed",
            Self::PreviewFailed { .. } => "preview-failed",
            Self::Approved { .. } => "approved",
            Self::ExecutionStarted { .. } => "execution-started",
            Self::UndoWritten { .. } => "undo-written",
            Self::CommitSent { .. } => "commit-sent",
            Self::Ended { .. } => "ended",
            Self::ChunksPlanned { .. } => "chunks-planned",
            Self::ChunkSent { .. } => "chunk-sent",
            Self::ChunkEnded { .. } => "chunk-ended",
            Self::Paced { .. } => "paced",
            Self::Halted { .. } => "halted",
            Self::Resolved { .. } => "resolved",
            Self::Verified { .. } => "verified",
            Self::GuardRehearsed { .. } => "guard-rehearsed",
            Self::PostmortemEdited { .. } => "postmortem-edited",
            Self::ActionItem { .. } => "action-item",
            Self::Pinned { .. } => "pinned",
            Self::Unpinned { .. } => "unpinned",
            Self::Annotated { .. } => "annotated",
            Self::Confirmed { .. } => "confirmed",
            Self::Mistyped { .. } => "mistyped",
            Self::Closed { .. } => "closed",
            Self::Scored { .. } => "scored",
        }
    }

    /// Belongs to the story a reader of the timeline wants; the rest is shown on demand.
    pub fn is_narrative(&self) -> bool {
        if let Self::Paced { pacing, .. } = self {
            return matches!(pacing, Pacing::Paused | Pacing::Continued);
        }
        !matches!(
            self,
            Self::StepEntered { .. }
                | Self::ChunksPlanned { .. }
                | Self::ChunkSent { .. }
                | Self::ChunkEnded { .. }
                | Self::Controls { .. }
                | Self::UndoWritten { .. }
                | Self::CommitSent { .. }
                | Self::ExecutionStarted { .. }
                | Self::PostmortemEdited { .. }
                // They are shown at the record that they speak of.
                | Self::Pinned { .. }
                | Self::Unpinned { .. }
                | Self::Annotated { .. }
        )
    }

    /// The step of the runbook that it speaks of.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Resumed { step }
            | Self::StepEntered { step }
            | Self::StepPassed { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::Answered { step, .. }
            | Self::Decided { step, .. }
            | Self::Said { step, .. }
            | Self::Escalated { step, .. }
            | Self::CommandRan { step, .. }
            | Self::Previewed { step, .. }
            | Self::PreviewFailed { step, .. }
            | Self::Approved { step, .. }
            | Self::ExecutionStarted { step, .. }
            | Self::Ended { step, .. }
            | Self::Resolved { step, .. }
            | Self::Verified { step, .. }
            | Self::GuardRehearsed { step, .. }
            | Self::Confirmed { step, .. }
            | Self::Mistyped { step, .. } => Some(step),
            Self::Checked { step, .. } => step.as_deref(),
            _ => None,
        }
    }

    /// Tells what was done to data or schema, from its preview to its proof.
    pub fn is_of_change(&self) -> bool {
        matches!(
            self,
            Self::Previewed { .. }
                | Self::PreviewFailed { .. }
                | Self::Approved { .. }
                | Self::Confirmed { .. }
                | Self::Mistyped { .. }
                | Self::ExecutionStarted { .. }
                | Self::UndoWritten { .. }
                | Self::CommitSent { .. }
                | Self::Ended { .. }
                | Self::Resolved { .. }
                | Self::Verified { .. }
                | Self::GuardRehearsed { .. }
        )
    }

    /// Tells what a person decided.
    pub fn is_decision(&self) -> bool {
        matches!(
            self,
            Self::Opened { .. }
                | Self::Decided { .. }
                | Self::Note { note: NoteKind::Decision, .. }
                | Self::SeveritySet { .. }
                | Self::StepSkipped { .. }
                | Self::Approved { .. }
                | Self::Confirmed { .. }
                | Self::ActionItem { .. }
                | Self::Milestone { origin: Origin::Human, .. }
                | Self::Closed { .. }
        )
    }

    /// One plain sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Opened { title, target, severity, .. } => {
                format!("incident opened: {title} on {} ({severity})", target.name)
            }
            Self::Resumed { step } => format!("taken up again at step {step}"),
            Self::Controls { runbook, checks } => {
                let all = checks.iter().flat_map(|(_, names)| names).chain(runbook);
                let keys = all.filter(|name| control::place(name).is_none());
                let once: BTreeSet<&str> = keys.map(String::as_str).collect();
                let keys: Vec<&str> = once.into_iter().collect();
                format!("controls in question: {}", keys.join(", "))
            }
            Self::TornTail { bytes } => {
                format!("{bytes} bytes of an unfinished record were put aside after a crash")
            }
            Self::SeveritySet { from, to, reason } => format!("severity {from} to {to}: {reason}"),
            Self::Milestone { which, .. } => format!("milestone: {}", which.word()),
            Self::Note { note, text, .. } => format!("{}: {text}", note.word()),
            Self::StepEntered { step } => format!("step {step} entered"),
            Self::StepPassed { step, how } => format!("step {step} done: {how}"),
            Self::StepFailed { step, why } => format!("step {step} failed: {why}"),
            Self::StepSkipped { step, reason } => format!("step {step} skipped: {reason}"),
            Self::Answered { var, answer, .. } => format!("{var} = {answer}"),
            Self::Checked { check, verdict, delta, .. } => {
                format!("check {check}: {}{}", verdict_words(verdict), delta_words(delta.as_ref()))
            }
            Self::Exported { check, format, rows, path, .. } => {
                format!("{rows} rows of {check} exported as {format}: {path}")
            }
            Self::Decided { question, choice, .. } => format!("decision: {question} {choice}"),
            Self::Said { audience, next_update, .. } => match next_update {
                Some(due) => {
                    format!("{audience} update given, next one due {} UTC", due.strftime("%H:%M"))
                }
                None => format!("{audience} update given"),
            },
            Self::Escalated { who, due, .. } => match due {
                Some(due) => format!("{who} called, due {} UTC", due.strftime("%H:%M")),
                None => format!("{who} called"),
            },
            Self::CommandRan { argv, exit, .. } => match exit {
                Some(code) => format!("command {} ended with {code}", argv.join(" ")),
                None => format!("command {} was stopped", argv.join(" ")),
            },
            Self::Previewed { deed, rows, refused, .. } if refused.is_empty() => {
                format!("preview of the {}: {rows} rows, rolled back", deed.word())
            }
            Self::Previewed { deed, refused, .. } => {
                format!("preview of the {} refused: {}", deed.word(), refused.join("; "))
            }
            Self::PreviewFailed { deed, why, .. } => {
                format!("preview of the {} failed, nothing was changed: {why}", deed.word())
            }
            Self::Approved { deed, typed, .. } => {
                format!("{} approved by typing '{typed}'", deed.word())
            }
            Self::ExecutionStarted { deed, op, .. } => format!("{} {op} started", deed.word()),
            Self::UndoWritten { rows, op, .. } => format!("undo of {op} written: {rows} rows"),
            Self::CommitSent { op, .. } => format!("COMMIT of {op} sent"),
            Self::Ended { deed, outcome, rows, why, .. } => match outcome {
                Outcome::Committed => format!("{} COMMITTED: {rows} rows", deed.word()),
                Outcome::RolledBack => format!("{} ROLLED BACK: {why}", deed.word()),
                Outcome::Unknown => format!("outcome of the {} UNKNOWN: {why}", deed.word()),
            },
            Self::ChunksPlanned { deed, left, done: 0, about, .. } => {
                format!("{} cut into about {about} chunks: {} keys", deed.word(), thousands(*left))
            }
            Self::ChunksPlanned { deed, left, done, .. } => format!(
                "{} goes on: {} keys are left, {} done before",
                deed.word(),
                thousands(*left),
                thousands(*done)
            ),
            Self::ChunkSent { chunk, keys, rows, .. } => {
                format!("COMMIT of chunk {chunk} sent: {keys} keys, {rows} rows")
            }
            Self::ChunkEnded { chunk, outcome: Outcome::Committed, why, .. } if why.is_empty() => {
                format!("chunk {chunk} COMMITTED")
            }
            Self::ChunkEnded { chunk, outcome, why, .. } => {
                format!("chunk {chunk} {}: {why}", outcome.word())
            }
            Self::Paced { chunk, pacing, why, .. } => {
                format!("{} before chunk {chunk}: {why}", pacing.word())
            }
            Self::Halted { deed, done, of, rows, why, .. } => format!(
                "{} HALTED at {} of {} keys, {} rows committed: {why}",
                deed.word(),
                thousands(*done),
                thousands(*of),
                thousands(*rows)
            ),
            Self::Resolved { deed, outcome, how, .. } => {
                format!("{} found {}: {how}", deed.word(), outcome.word())
            }
            Self::Verified { checks, sound: true, .. } => {
                format!("verified on a new connection: {} checks as expected", checks.len())
            }
            Self::Verified { checks, .. } => format!(
                "verification failed: {}",
                checks
                    .iter()
                    .filter(|(_, verdict)| !verdict.is_clear())
                    .map(|(check, verdict)| format!("{check} {}", verdict_words(verdict)))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Self::GuardRehearsed { sentence, .. } => format!("guardrail rehearsed: {sentence}"),
            Self::PostmortemEdited { part, .. } => format!("postmortem: {part} written"),
            Self::ActionItem { title, owner, due, .. } => {
                format!("action item: {title} ({owner}, due {due})")
            }
            Self::Pinned { record } => format!("record {record} pinned"),
            Self::Unpinned { record } => format!("record {record} not pinned any more"),
            Self::Annotated { record, text } => format!("about record {record}: {text}"),
            Self::Confirmed { what, typed, .. } => format!("confirmed with '{typed}': {what}"),
            Self::Mistyped { names_another_target: true, .. } => {
                "a confirmation named another target; nothing was executed".into()
            }
            Self::Mistyped { .. } => "a confirmation was mistyped; nothing was executed".into(),
            Self::Closed { .. } => "incident closed".into(),
            Self::Scored { score, grade, .. } => format!("drill scored {score} of 100: {grade}"),
        }
    }
}

pub fn verdict_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Clear => "clear".into(),
        Verdict::Violated { violations } if violations.number() == 1 && violations.is_exact() => {
            "1 violation".into()
        }
        Verdict::Violated { violations } => format!("{violations} violations"),
        Verdict::Measured { reading } => reading.to_string(),
        Verdict::Inconclusive { reason } => format!("could not check ({reason})"),
    }
}

fn delta_words(delta: Option<&Delta>) -> String {
    match delta {
        Some(delta) if delta.new + delta.gone > 0 => {
            format!(" ({} new, {} gone, {} still there)", delta.new, delta.gone, delta.still)
        }
        _ => String::new(),
    }
}
