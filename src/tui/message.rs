//! Message: something happened. The loop hands them to `update`, one at a time.

use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};

use super::command::Command;
use super::effect::{EditFor, Effect, Run};
use super::perform::copy::Copied;
use super::theme::Ground;
use super::watch::Seen;
use super::widget::table::job::Done;
use crate::check::related::{Found, Relation};
use crate::check::{Delta, Finding, Survey};
use crate::config::Target;
use crate::drill::Scorecard;
use crate::guardrail::Rehearsal;
use crate::incident::entry::{Evidence, Outcome, Record};
use crate::incident::journal::{Journal, News};
use crate::incident::store::Summary;
use crate::ops::Identity;
pub use crate::ops::Pressure;
use crate::ops::explain::Explained;
pub use crate::ops::export::Exported;
use crate::ops::share;
pub use crate::ops::share::{How, Loss, News as StoreNews};
use crate::problem::Problem;
use crate::recovery::mass::Progress;
use crate::recovery::second::Seconded;
use crate::recovery::{Execution, FirstLook, Plan, Preview, Request};
use crate::runbook::Ran;
use crate::runbook::Runbook;
use crate::value::pile::Pile;

/// One look at what presses on the server.
pub type Looked = Result<Box<Pressure>, Problem>;
/// How statements would be run.
pub type Plans = Result<Vec<Explained>, Problem>;

#[derive(Debug)]
pub enum Message {
    Key(KeyEvent),
    Paste(String),
    /// A command by its name, where there are no keys.
    Command(Command),
    /// The whole answer to the question that stands there.
    Typed(String),
    Mouse(MouseEvent),
    Resized,
    /// The program was stopped and goes on.
    Continued,
    /// The background of the terminal, where nobody chose a theme.
    Ground(Ground),
    /// Some time went by, a second at least.
    Tick,
    /// The terminal or the system asks us to go; the second time at once.
    GoAway(&'static str),
    Prepared(Result<(), Problem>),
    Incidents(Vec<Summary>),
    Surveyed {
        run: Run,
        target: String,
        survey: Result<Survey, Problem>,
    },
    Opened(Result<Box<Opened>, Problem>),
    /// The database of an incident to be opened does not answer.
    Unanswered {
        runbook: String,
        target: String,
        problem: Problem,
    },
    /// A server answers an incident that was opened without one.
    Met(Box<Met>),
    Recorded(Box<Record>),
    /// The journal could not be written: from now on nothing is done, only shown.
    JournalFailed(String),
    /// Rows of a check are there to be looked at, while more come.
    Reading {
        run: Run,
        check: String,
        rows: Pile,
    },
    Checked {
        run: Run,
        check: String,
        finding: Arc<Finding>,
        /// What changed since the run before.
        delta: Option<Delta>,
        rows: Pile,
        /// Why not all rows are in the table, if so.
        cut: Option<String>,
    },
    /// How far a job of a table is, in hundredths.
    Working {
        run: Run,
        words: &'static str,
        percent: u64,
    },
    /// `None` if it was stopped.
    Worked {
        run: Run,
        done: Result<Option<Done>, String>,
    },
    Copied(Result<Copied, Problem>),
    Relations {
        run: Run,
        found: Result<Vec<Relation>, Problem>,
    },
    Related {
        run: Run,
        found: Result<Box<Found>, Problem>,
    },
    LookedFirst {
        run: Run,
        step: String,
        look: Result<Box<FirstLook>, Problem>,
    },
    Explained {
        run: Run,
        plans: Plans,
    },
    Previewed {
        run: Run,
        step: String,
        preview: Result<Box<(Plan, Preview, Evidence)>, Problem>,
    },
    /// A second person was asked.
    Requested(Arc<Request>),
    /// A signature was held against its request.
    Signed {
        step: String,
        signed: Result<Box<Signed>, Unsigned>,
    },
    /// A change in chunks came further.
    Moved {
        run: Run,
        step: String,
        progress: Box<Progress>,
    },
    Executed {
        run: Run,
        step: String,
        execution: Execution,
    },
    Resolved {
        run: Run,
        step: String,
        outcome: Result<(Outcome, String), Problem>,
    },
    Rehearsed {
        run: Run,
        step: String,
        rehearsal: Result<Box<(Rehearsal, Evidence)>, Problem>,
    },
    GuardPut {
        run: Run,
        step: String,
        outcome: Outcome,
        why: String,
    },
    Looked {
        run: Run,
        seen: Looked,
    },
    SessionEnded(Result<bool, Problem>),
    /// How it ended is in the journal.
    CommandRan {
        run: Run,
        step: String,
        ran: Box<Ran>,
    },
    Exported {
        run: Run,
        file: Result<Exported, Problem>,
    },
    Postmortem {
        text: Result<String, Problem>,
        path: PathBuf,
    },
    /// Somebody else wrote into these parts of the file meanwhile.
    WrittenByTwo(Vec<String>),
    Scored(Box<Scorecard>),
    /// Of the lease of the open incident.
    Lease(News),
    /// Of the store that several hosts share.
    Store(StoreNews),
    /// Somebody else works on the incident that was to be gone on with.
    Held(PathBuf),
    /// One look at an incident that is watched.
    Seen(Box<Seen>),
    /// What is typed is not safe.
    DraftFailed(String),
    EditedOutside {
        purpose: EditFor,
        text: Result<String, Problem>,
    },
    Failed(Problem),
}

/// What brings records to the store, and what it waits for.
#[derive(Debug)]
pub struct Shared {
    pub courier: share::Courier,
    pub bell: share::Bell,
}

/// A signature that proves that a second person agrees.
#[derive(Debug)]
pub struct Signed {
    pub seconded: Seconded,
    pub evidence: Evidence,
    /// The digest of the list of signers.
    pub signers_sha256: String,
}

/// A signature that proves nothing.
#[derive(Debug)]
pub struct Unsigned {
    pub op: String,
    /// The digest of what was read, and of the list that it was held against.
    pub sha256: String,
    pub why: String,
}

/// An incident that was opened or taken up again.
#[derive(Debug)]
pub struct Opened {
    pub records: Vec<Record>,
    pub runbook: Runbook,
    pub target: Target,
    /// The server the incident is bound to, unless none has answered yet.
    pub server: Option<String>,
    /// Who the server is now; a problem if it could not be reached or is another one.
    pub identity: Result<Identity, Problem>,
    pub folder: PathBuf,
    pub journal: Journal,
    /// Its way to the store, until somebody takes it along.
    pub shared: Option<Shared>,
    pub resumed: bool,
    /// Where no name was given, the others that could have been meant.
    pub also_open: Vec<String>,
    /// What was typed and not kept before.
    pub drafts: std::collections::BTreeMap<String, crate::incident::drafts::Draft>,
}

/// Who answered, and what is asked of changes there.
#[derive(Debug)]
pub struct Met {
    pub identity: Identity,
    pub target: Target,
}

impl Message {
    /// Whoever waits for the answer to an effect that was not carried out is told that there is none.
    pub fn instead_of(effect: Effect, why: &str) -> Option<Self> {
        let refused = || Problem::refused(why.to_owned());
        let why = format!("nothing was executed: {why}");
        Some(match effect {
            Effect::Execute { run, plan, .. } => {
                let execution = Execution::RolledBack { why, drift: None };
                Self::Executed { run, step: plan.step, execution }
            }
            Effect::PutGuard { run, step, .. } => {
                Self::GuardPut { run, step, outcome: Outcome::RolledBack, why }
            }
            Effect::Command { run, step, .. } => Self::not_run(run, step, why),
            Effect::Preview { run, step, .. } => {
                Self::Previewed { run, step, preview: Err(refused()) }
            }
            Effect::Rehearse { run, step, .. } => {
                Self::Rehearsed { run, step, rehearsal: Err(refused()) }
            }
            Effect::Resolve { run, doubt } => {
                Self::Resolved { run, step: doubt.step, outcome: Err(refused()) }
            }
            Effect::Explain { run, .. } => Self::Explained { run, plans: Err(refused()) },
            Effect::Export { run, .. } => Self::Exported { run, file: Err(refused()) },
            Effect::Open { .. } | Effect::Resume { .. } => Self::Opened(Err(refused())),
            Effect::Survey { run, target } => {
                Self::Surveyed { run, target, survey: Err(refused()) }
            }
            Effect::Detect { run, check, .. } => Self::unseen(run, check, &why),
            Effect::Work { run, .. } => Self::Worked { run, done: Err(why) },
            Effect::Relations { run, .. } => Self::Relations { run, found: Err(refused()) },
            Effect::Related { run, .. } => Self::Related { run, found: Err(refused()) },
            Effect::FirstLook { run, step, .. } => {
                Self::LookedFirst { run, step, look: Err(refused()) }
            }
            Effect::Look { run } => Self::Looked { run, seen: Err(refused()) },
            Effect::EndSession { .. } => Self::SessionEnded(Err(refused())),
            // Nobody waits for these.
            Effect::Prepare
            | Effect::ListIncidents
            | Effect::Leave
            | Effect::Abandon
            | Effect::HandOver(_)
            | Effect::RefuseTakeOver(_)
            | Effect::AskTakeOver
            | Effect::TakeOver(_)
            | Effect::Append(_)
            | Effect::Copy(_)
            | Effect::Clipboard(_)
            | Effect::KeepFinding { .. }
            | Effect::Stop { .. }
            | Effect::AskSecond { .. }
            | Effect::LookForSignature { .. }
            | Effect::CheckSignature { .. }
            | Effect::BreakGlass { .. }
            | Effect::Rein { .. }
            | Effect::Score
            | Effect::Postmortem
            | Effect::WritePostmortem { .. }
            | Effect::EditOutside { .. }
            | Effect::KeepDraft { .. }
            | Effect::ForgetDraft { .. }
            | Effect::TourSeen
            | Effect::Mouse(_)
            | Effect::Suspend
            | Effect::Repaint
            | Effect::Bell => return None,
        })
    }

    /// A run of a check that saw nothing.
    pub fn unseen(run: Run, check: String, why: &str) -> Self {
        let finding = Arc::new(Finding::unseen(why));
        let (delta, rows, cut) = (None, Pile::default(), None);
        Self::Checked { run, check, finding, delta, rows, cut }
    }

    /// A command that did not run.
    pub fn not_run(run: Run, step: String, why: String) -> Self {
        let ran = Ran { exit: None, output: Vec::new(), seconds: 0.0, trouble: Some(why) };
        Self::CommandRan { run, step, ran: Box::new(ran) }
    }
}
