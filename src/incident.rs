//! Incident: what its entries add up to.
//!
//! The journal is the truth; this is the fold of it, the same at start-up and while working. Screens
//! and the postmortem read it; nothing changes it but `apply`. Pure.

pub mod apart;
pub mod bundle;
pub mod chain;
mod chunks;
pub mod drafts;
pub mod entry;
pub mod fleet;
mod fold;
pub mod handover;
pub mod journal;
pub mod lease;
pub mod metrics;
pub mod redact;
pub mod second;
pub mod store;
pub mod verify;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::check::{Count, Severity, Verdict};
use crate::guardrail::Standing;
use crate::recovery::{Tally, UndoRehearsal};
use crate::runbook::ActionKind;
use crate::runbook::progress::Progress;
use apart::Stretch;
pub use chunks::{Chunk, Chunked, Doubtful};
use entry::{Deed, Entry, Evidence, Milestone, NoteKind, Origin, Outcome, Record, TargetSeen};
pub use second::{Review, Second, Unreviewed};

#[derive(Debug, Clone, Default)]
pub struct Incident {
    /// What it is called here: the name of its folder.
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
    /// Steps whose command was confirmed in this shift and has not ended.
    pub commands: BTreeSet<String>,
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
    /// What other hosts wrote that is not among these records, as it was told last.
    pub apart: Vec<Apart>,
    pub records: Vec<Record>,
}

/// What a host wrote apart from the others, one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    pub stretch: Stretch,
    pub sentence: String,
    /// Whether it did more than write.
    pub did: bool,
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
    /// Of an undo in one piece: rows that it does not bring back.
    pub left_alone: u64,
    /// Names its session and transaction on the server, once COMMIT was sent.
    pub mark: Option<String>,
    /// How far it came, if it runs in chunks.
    pub chunks: Option<Chunked>,
    pub typed: String,
    pub actor: String,
    /// Who else agreed, where somebody was asked: the rest of what was halted is agreed to anew.
    pub seconds: Vec<Second>,
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
    /// `name` is that of its folder. Every host counts from one, so the number in the first record may be
    /// that of another incident here.
    pub fn replay(name: &str, records: &[Record]) -> Self {
        let mut incident = Self { id: name.to_owned(), ..Self::default() };
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

    /// Somebody executes a change or a command at this moment, or was cut off while they did.
    pub fn is_executing(&self) -> bool {
        let executing =
            |change: &Change| matches!(change.phase, Phase::Started | Phase::CommitSent);
        self.changes.iter().any(executing) || !self.commands.is_empty()
    }

    /// The guardrail of a step was applied and not withdrawn.
    pub fn guard_stands(&self, step: &str) -> bool {
        self.guardrails.get(step) == Some(&Standing::Applied)
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

    /// The same, or the last one if its undo left rows alone: these can be tried again.
    pub fn to_take_back(&self, step: &str) -> Option<&Change> {
        self.standing_change(step).or_else(|| self.partly_back(step).map(|(change, _)| change))
    }

    /// The last change of a step and how many rows of it were left alone when it was taken back.
    pub fn partly_back(&self, step: &str) -> Option<(&Change, u64)> {
        let of_step = |change: &&Change| {
            change.step == step && change.deed == Deed::Change && change.stands()
        };
        let last = self.changes.iter().rev().find(of_step)?;
        let left = self.taken_back(&last.op).filter(|left| *left > 0)?;
        Some((last, left))
    }

    pub fn is_undone(&self, op: &str) -> bool {
        self.taken_back(op).is_some()
    }

    /// How many rows of a change were left alone when it was taken back, if it was.
    pub fn taken_back(&self, op: &str) -> Option<u64> {
        let undoes = |change: &Change| matches!(&change.deed, Deed::Undo { of } if of == op);
        let mut undos = self.changes.iter().rev().filter(|change| undoes(change));
        let last = undos.find(|change| change.is_committed())?;
        Some(last.chunks.as_ref().map_or(last.left_alone, Chunked::left_alone))
    }

    pub fn rows_changed(&self) -> u64 {
        self.changes.iter().map(Change::rows_written).sum()
    }

    /// How many of them took a change back.
    pub fn rows_taken_back(&self) -> u64 {
        let undos = self.changes.iter().filter(|change| change.deed != Deed::Change);
        undos.map(Change::rows_written).sum()
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

    /// Violations of a check when they were first counted.
    pub fn first_count(&self, check: &str) -> Option<Count> {
        self.counts_of(check).find_map(|measured| measured.verdict.violations())
    }

    /// When something was last written that a count from before may not hold for any more.
    pub fn last_written(&self) -> Option<Timestamp> {
        self.records.iter().rev().find(|record| may_have_written(record)).map(|record| record.at)
    }

    /// The latest count of a check, if the check could count and nothing was written since.
    pub fn standing_count(&self, check: &str) -> Option<Count> {
        let says =
            |record: &&Record| verdict_in(record, check).is_some() || may_have_written(record);
        verdict_in(self.records.iter().rev().find(says)?, check)?.violations()
    }

    /// What a check came to, also on the new connection after a change. The last is the latest.
    pub fn counts_of<'a>(
        &'a self,
        check: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a Measured> {
        self.counts.iter().filter(move |measured| measured.check == check)
    }

    /// What a check said over time, also on the new connection after a change; none where it could
    /// not say, and from a write on until it says so again.
    pub fn numbers_of(&self, check: &str) -> Vec<(Timestamp, Option<f64>)> {
        let said = self.records.iter().filter_map(|record| match verdict_in(record, check) {
            Some(verdict) => Some((record.at, verdict.number())),
            None => may_have_written(record).then_some((record.at, None)),
        });
        // Before it was asked once nothing is known, whatever was written.
        said.skip_while(|(_, number)| number.is_none()).collect()
    }
}

/// What a record says of a check.
fn verdict_in<'r>(record: &'r Record, check: &str) -> Option<&'r Verdict> {
    match &record.entry {
        Entry::Checked { check: of, verdict, .. } => (of == check).then_some(verdict),
        Entry::Verified { checks, .. } => {
            checks.iter().find(|(of, _)| of == check).map(|(_, verdict)| verdict)
        }
        _ => None,
    }
}

/// Whether rows may be others from this record on: a commit, also one of which nobody knows, and a
/// command that writes.
fn may_have_written(record: &Record) -> bool {
    match &record.entry {
        Entry::Ended { outcome, .. } | Entry::Resolved { outcome, .. } => {
            *outcome == Outcome::Committed
        }
        Entry::CommitSent { .. }
        | Entry::ChunkSent { .. }
        | Entry::Confirmed { command: true, .. } => true,
        _ => false,
    }
}

impl Change {
    /// Why not all that it wrote can be taken back, as its preview said.
    pub fn lacks(&self) -> Option<&str> {
        self.undo.strip_prefix(UndoRehearsal::NONE)
    }

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

    /// Rows of it that were committed, as far as is known.
    pub fn rows_written(&self) -> u64 {
        let in_chunks = || self.chunks.as_ref().map_or(0, Chunked::rows);
        if self.is_committed() { self.rows } else { in_chunks() }
    }
}
