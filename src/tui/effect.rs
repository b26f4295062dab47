//! Effect: what the world is asked to do. Plain data; everything the cockpit can do to the world is
//! on this page. Screens return effects and `perform` carries them out, in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::perform::copy::Copying;
use super::widget::table::job::Job;
use crate::check::related::{From, Relation};
use crate::check::{Delta, Finding};
use crate::consent::Consent;
use crate::incident::Doubtful;
use crate::incident::entry::{Deed, Entry};
use crate::incident::lease::{self, Forced, Party};
use crate::recovery::mass::Rein;
use crate::recovery::{Approval, Plan, Preview, Request};

/// Names one piece of work under way, so that its answer can be told from a late one.
pub type Run = u64;

/// An operation that was cut off, for the database to say what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub step: String,
    pub op: String,
    pub deed: Deed,
    pub rows: u64,
    pub mark: Option<String>,
    /// Of a change in chunks, the one that is asked for.
    pub chunk: Option<Doubtful>,
}

/// What a text that was edited outside is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditFor {
    /// The whole postmortem file.
    Postmortem,
    /// The box that is open.
    Box,
}

#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Make the demo's database.
    Prepare,
    ListIncidents,
    /// All checks of the nightly suite on a target.
    Survey {
        run: Run,
        target: String,
    },
    Open {
        runbook: String,
        target: String,
        /// Why its database does not answer, where it is opened all the same.
        unanswered: Option<String>,
    },
    Resume {
        incident: String,
    },
    /// Let go of the journal of the open incident.
    Leave,
    /// Nobody is there any more: take back the execution, unless its COMMIT was sent.
    Abandon,
    /// Give the lease to whoever asked for it.
    HandOver(Party),
    /// Tell them that they do not get it now.
    RefuseTakeOver(lease::Request),
    /// Of an incident that is watched: ask for its lease, or take it.
    AskTakeOver,
    TakeOver(Forced),
    /// Journal first: if this fails, whatever follows is dropped.
    Append(Entry),
    Detect {
        run: Run,
        check: String,
        /// What to compare with.
        before: Option<Arc<Finding>>,
    },
    /// Sort, filter or search a table.
    Work {
        run: Run,
        job: Box<Job>,
    },
    /// Make a text of rows for the clipboard.
    Copy(Box<Copying>),
    /// Send a text to the terminal's clipboard.
    Clipboard(String),
    /// What the row of the cursor has to do with other tables.
    Relations {
        run: Run,
        from: Box<From>,
    },
    /// Read rows that have to do with another one.
    Related {
        run: Run,
        relation: Box<Relation>,
    },
    /// Write a finding down, with its rows as evidence.
    KeepFinding {
        step: Option<String>,
        check: String,
        finding: Arc<Finding>,
        delta: Option<Delta>,
    },
    Stop {
        run: Run,
    },
    /// Count and sample the rows of a change by reads.
    FirstLook {
        run: Run,
        step: String,
        answers: BTreeMap<String, String>,
    },
    Preview {
        run: Run,
        op: String,
        step: String,
        answers: BTreeMap<String, String>,
        /// For an undo, the execution it takes back.
        undoes: Option<String>,
    },
    /// Write down and copy what a second person is asked.
    AskSecond {
        plan: Arc<Plan>,
        preview: Arc<Preview>,
        deed: Deed,
    },
    /// Look whether a signature lies beside the request that is not the one with this digest.
    LookForSignature {
        request: Arc<Request>,
        known: Option<String>,
    },
    /// Check a signature that somebody pasted.
    CheckSignature {
        request: Arc<Request>,
        text: String,
    },
    /// Write down that somebody goes alone, and what for.
    BreakGlass {
        plan: Arc<Plan>,
        preview: Arc<Preview>,
        deed: Deed,
        reason: String,
    },
    Execute {
        run: Run,
        plan: Box<Plan>,
        op: String,
        approval: Approval,
    },
    /// Let a change in chunks go on, wait or stop between two of them.
    Rein {
        run: Run,
        rein: Rein,
    },
    Resolve {
        run: Run,
        doubt: Doubt,
    },
    /// How the database would run the query of a check, or the statements of the step's change.
    Explain {
        run: Run,
        check: Option<String>,
        step: String,
        answers: BTreeMap<String, String>,
    },
    Rehearse {
        run: Run,
        step: String,
        op: String,
    },
    PutGuard {
        run: Run,
        step: String,
        op: String,
        deed: Deed,
        consent: Consent,
    },
    /// Sample what presses on the server.
    Look {
        run: Run,
    },
    /// End a session that an earlier run of ours left behind.
    EndSession {
        mark: String,
        consent: Consent,
    },
    Command {
        run: Run,
        step: String,
        /// Of a command that is not read-only.
        consent: Option<Consent>,
    },
    Export {
        run: Run,
        check: String,
        format: String,
    },
    /// Score the drill, if the incident of its fault is over.
    Score,
    /// Bring the postmortem up to date and read it.
    Postmortem,
    /// What was made of `base`; what lies on disk by then and is not in it stays.
    WritePostmortem {
        base: String,
        text: String,
    },
    /// In a file of the incident's folder, named as the draft that it is meanwhile.
    EditOutside {
        text: String,
        purpose: EditFor,
        draft: String,
    },
    /// Lay down what is being typed.
    KeepDraft {
        name: String,
        text: String,
    },
    ForgetDraft {
        name: String,
    },
    /// Somebody was shown around.
    TourSeen,
    /// Whether wheel and click come to us.
    Mouse(bool),
    Suspend,
    Repaint,
    Bell,
}
