//! Entry: what an incident must remember. A sealed entry is a `Record`.
//!
//! The form here is the form on disk: names are never reused for another meaning, fields are only
//! added. Each entry can say itself in one sentence, which is what the timeline shows.

mod about;
mod files;
mod parts;
mod words;

pub use files::files;
pub use parts::{Deed, Evidence, Milestone, NoteKind, Origin, Outcome, Pacing, TargetSeen};
pub use words::verdict_words;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Mark;
use super::lease::Party;
use crate::check::{Count, Delta, Severity, Verdict};
use crate::recovery::{Drift, Tally};
use crate::runbook::ActionKind;

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

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What an incident was called where it was opened.
pub fn number(records: &[Record]) -> &str {
    let opened = records.iter().find_map(|record| match &record.entry {
        Entry::Opened { incident, .. } => Some(incident),
        _ => None,
    });
    opened.map_or("", String::as_str)
}

impl Record {
    /// When it happened: an entry may be backdated, a record never is.
    pub fn happened(&self) -> Timestamp {
        match &self.entry {
            Entry::Note { at, .. } | Entry::Milestone { at, .. } => *at,
            _ => self.at,
        }
    }

    /// Written at another time than it happened.
    pub fn is_backdated(&self) -> bool {
        self.at.duration_since(self.happened()).as_secs().abs() > 1
    }
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
    /// The incident was opened without its database.
    Unanswered {
        why: String,
    },
    /// The first server that answered, to which the incident is bound from here on.
    Met {
        server: String,
        version: String,
    },
    Resumed {
        step: String,
    },
    /// What the target asks of approvals, where one person is not enough.
    Policy {
        approval: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high_risk: Option<String>,
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
    /// A second person was asked.
    Requested {
        step: String,
        op: String,
        deed: Deed,
        /// The digest of the request as words.
        words: String,
        expires: Timestamp,
        evidence: Evidence,
    },
    Seconded {
        step: String,
        op: String,
        deed: Deed,
        /// Everybody to whom the list of signers gives the key.
        signer: String,
        signer_key: String,
        /// The digest of that list.
        signers_sha256: String,
        evidence: Evidence,
    },
    /// A signature that proves nothing, with the reason.
    SecondRefused {
        step: String,
        op: String,
        why: String,
    },
    /// Somebody goes alone where two should agree.
    GlassBroken {
        step: String,
        op: String,
        deed: Deed,
        reason: String,
        review_due: Timestamp,
        evidence: Evidence,
    },
    /// Somebody else looked at it afterwards.
    Reviewed {
        op: String,
        /// The digest of the request of what was looked at, which journals of the first versions lack.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
        signer: String,
        signer_key: String,
        remark: String,
        evidence: Evidence,
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
        /// Of an undo that is executed: rows that it does not bring back.
        #[serde(default, skip_serializing_if = "is_zero")]
        left_alone: u64,
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
        /// How many of these its undo would put back; journals of the first versions lack it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back: Option<u64>,
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
        /// A command runs from here on, until its end is recorded.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        command: bool,
    },
    /// A confirmation that was typed wrongly; what was typed may be anything and is not kept.
    Mistyped {
        step: String,
        names_another_target: bool,
    },
    Closed {
        violations: Option<Count>,
    },
    /// Somebody else wants to go on with it.
    TakeOverAsked {
        by: Party,
    },
    TakeOverRefused {
        by: Party,
    },
    HandedOver {
        to: Party,
    },
    /// Taken from somebody who did not answer.
    TakenOver {
        from: Party,
        typed: String,
    },
    /// Another host wrote on while somebody had gone on elsewhere. Its records stay with it.
    WroteApart {
        host: String,
        records: u64,
        /// The number of the last of them.
        last: u64,
        /// The hash of the first of them, which journals of the first versions lack.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        begins: String,
        until: Timestamp,
        /// Committed by them.
        rows: u64,
        /// What it did besides writing, a sentence each.
        did: Vec<String>,
    },
    /// What a drill came to.
    Scored {
        score: u32,
        grade: String,
        /// Item, points, of how many, and why.
        items: Vec<(String, u32, u32, String)>,
    },
}
