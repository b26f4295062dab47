//! Recovery at work: one function runs a plan in a transaction, and its ending is either a rollback
//! (a preview) or a commit under an approval (the execution). So a preview cannot lie about what an
//! execution does.
//!
//! No transaction waits for a person: both endings come at once. Rollback and commit are awaited and
//! proved. Every entry is in the journal before the effect it announces.

mod execution;
mod preview;
mod run;

use std::sync::Arc;

use super::connect::{READ_LOCK_WAIT, connect, demand, plain, prove};
use super::images::aside;
use super::pressure::{Blocked, LockBudget, LockWatch};
use super::rehearse::differing;
use super::restore::SetAnew;
use crate::clock;
use crate::config::Target;
use crate::dialect::Dialect;
use crate::engine::{Capability, EngineError, Purpose, Receipt, Session, Stopper, Table};
use crate::incident::entry::Deed;
use crate::problem::Problem;
use crate::recovery::{Approval, Plan, Preview};
use crate::runbook::Risk;
pub use execution::execute;
pub(super) use execution::{Sent, drifted, ended, keep_undo, rolled_back, send, verify};
pub(super) use preview::of_first;
pub use preview::preview;
pub(super) use run::{Piece, Run, Scrutiny, Short, run_through, verdicts};

/// A plan and where it is to run.
#[derive(Debug, Clone)]
pub struct Job {
    pub plan: Plan,
    pub target: Target,
    /// The server the incident was opened on.
    pub server: String,
    pub actor: String,
    /// Names the operation in journal and ledger.
    pub op: String,
}

impl Job {
    pub fn deed(&self) -> Deed {
        match &self.plan.undoes {
            None => Deed::Change,
            Some(of) => Deed::Undo { of: of.clone() },
        }
    }
}

/// The one door to an execution: the approval, held once more against the plan, against what the target
/// asks for and against who may agree at this moment.
pub(super) async fn spent(job: &Job, approval: Approval) -> Result<Arc<Preview>, String> {
    if job.plan.demand < demand(&job.target, Risk::Low) {
        return Err("this target asks for more people to agree; nothing was run".into());
    }
    if let Some(seconded) = approval.warrant().seconded_by() {
        let asked = super::second::holds(seconded).await;
        asked.map_err(|why| format!("{why}; nothing was run"))?;
    }
    approval.spend(&job.plan, clock::now())
}

/// The two connections of a recovery and what they know.
pub(super) struct Desk {
    pub work: Session,
    pub observe: Session,
    pub tables: Vec<Table>,
    pub server: String,
    /// Why the outcome of a commit could not be written down with it, if so.
    pub no_ledger: Option<String>,
    /// Whom the open transaction holds up.
    pub locks: Option<LockWatch>,
    pub stopper: Stopper,
}

impl Desk {
    /// From now on, whoever waits for us is counted.
    pub async fn watch_locks(&mut self, job: &Job) -> Result<(), EngineError> {
        let is_watched = self.blocked().is_some_and(|blocked| blocked.unseen.is_none());
        if is_watched || job.target.url.dialect == Dialect::Sqlite {
            // One lock on a file that nobody asks about: others wait as long as they chose to.
            return Ok(());
        }
        let mark = self.work.mark().await?;
        let limits = job.plan.limits;
        let budget = LockBudget { sessions: limits.max_blocked, longest: limits.time_cap / 2 };
        let session = new_observer(&job.target, &self.server).await;
        let session =
            session.map_err(|problem| EngineError::Refused { message: problem.sentence })?;
        self.locks = Some(LockWatch::begin(session, mark, budget, self.stopper.clone()).await);
        Ok(())
    }

    pub fn blocked(&self) -> Option<Blocked> {
        self.locks.as_ref().map(LockWatch::seen)
    }

    /// Stopping was our own doing when too many waited for us.
    pub fn explain(&self, error: EngineError) -> EngineError {
        match (error, self.blocked().and_then(|blocked| blocked.over)) {
            (EngineError::Stopped, Some(over)) => EngineError::Refused { message: over },
            (error, _) => error,
        }
    }

    pub async fn leave(self) {
        self.work.close().await;
        self.observe.close().await;
    }

    /// Lets the observer go and names the transaction.
    pub async fn ready_to_commit(&mut self) -> Result<String, EngineError> {
        // A reader of ours must not be what COMMIT waits for (rollback-journal files).
        self.observe.rollback().await?;
        self.work.mark().await
    }
}

pub(super) async fn sit_down(job: &Job, stopper: &Stopper) -> Result<Desk, Problem> {
    let failed = |error: EngineError| plain(&error, &job.target.name);
    let lock_wait = job.plan.limits.lock_wait;
    let mut work = connect(&job.target, Purpose::Work, lock_wait, stopper).await?;
    let identity = prove(&mut work, &job.target, Some(&job.server)).await?;
    if let Some(why) = super::connect::no_writes(&job.target, &identity) {
        return Err(Problem::refused(why));
    }
    let server = identity.incarnation();
    let observe = new_observer(&job.target, &server).await?;
    let tables = work.tables().await.map_err(failed)?;
    let (locks, stopper) = (None, stopper.clone());
    let no_ledger = match identity.badge.in_doubt {
        Capability::None(why) => Some(why),
        Capability::Full | Capability::Partial(_) => None,
    };
    Ok(Desk { work, observe, tables, server, no_ledger, locks, stopper })
}

/// Sees from beside what becomes of the work, also when the operator has stopped it. Several servers may
/// take turns behind one address, and this must be the one that the work is on.
pub(super) async fn new_observer(target: &Target, server: &str) -> Result<Session, Problem> {
    let never = Stopper::default();
    let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, &never).await?;
    prove(&mut session, target, Some(server)).await?;
    Ok(session)
}

/// Takes back what is not gone on with: why, and what of the rollback is not proved.
pub(super) async fn taken_back(desk: &mut Desk, job: &Job, why: String) -> String {
    match take_back(desk, job, None).await {
        Ok(_) => why,
        Err(doubt) => format!("{why} (rolled back; the proof failed: {doubt})"),
    }
}

/// Rolls back and proves from the other connection that nothing stayed.
pub(super) async fn take_back(
    desk: &mut Desk,
    job: &Job,
    run: Option<&Run>,
) -> Result<String, String> {
    let Desk { work, observe, tables, server, .. } = desk;
    let mut taken_back = work.take_back(observe).await;
    // That old connections are silent says nothing of a new one to the same server.
    if matches!(taken_back, Err(EngineError::Lost { .. }))
        && let Ok(new) = new_observer(&job.target, server).await
    {
        let silent = std::mem::replace(observe, new);
        // Its snapshot holds locks as well.
        let _ = observe.end_silent(&silent).await;
        taken_back = work.take_back(observe).await;
    }
    let why = match taken_back.map_err(|error| error.to_string())? {
        Receipt::Proved(how) => return Ok(how),
        Receipt::CompareRows(why) => why,
    };
    let Some(run) = run else { return Err(why) };
    for images in &run.written.images {
        if images.head.key.is_empty() {
            return Err(format!("{why}; {} has no key to compare its rows by", images.head.table));
        }
        for rows in images.rows.chunks() {
            let rows = rows.map_err(|error| aside(&error).to_string())?;
            let differing = differing(observe, tables, images, &rows, &SetAnew::default()).await;
            if differing.map_err(|error| error.to_string())? > 0 {
                return Err(format!(
                    "a row of {} is not what it was; somebody else may have changed it",
                    images.head.table
                ));
            }
        }
    }
    Ok("a second connection saw every row as it was before".into())
}
