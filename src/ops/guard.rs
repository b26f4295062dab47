//! Guardrails at work: rehearse without a trace, apply, withdraw.
//!
//! A rehearsal answers three questions inside one transaction that is rolled back: is the data as it
//! is accepted, is the bad state then rejected by name, and with which lock. A probe that fails for
//! another reason, or that failed before the guardrail stood, proves nothing and is said so.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::connect::{READ_LOCK_WAIT, connect, plain, prove};
use crate::clock;
use crate::config::Target;
use crate::engine::{EngineError, Purpose, Session, Stopper};
use crate::guardrail::{Plan, Rehearsal};
use crate::incident::entry::{Deed, Entry, Outcome};
use crate::incident::journal::Journal;
use crate::problem::Problem;

const LOCK_WAIT: Duration = Duration::from_secs(2);
const TIME_CAP: Duration = Duration::from_mins(1);

/// A guardrail and where it is to stand.
#[derive(Debug, Clone, Serialize)]
pub struct Job {
    pub step: String,
    pub op: String,
    pub plan: Plan,
    #[serde(skip)]
    pub target: Target,
    pub server: String,
    pub actor: String,
}

pub async fn rehearse(job: &Job, stopper: &Stopper) -> Result<Rehearsal, Problem> {
    let failed = |error: EngineError| plain(&error, &job.target.name);
    let mut work = open(job, stopper).await?;
    let mut observe =
        connect(&job.target, Purpose::Detect, READ_LOCK_WAIT, &Stopper::default()).await?;
    let before = observe.schema_mark().await.map_err(failed)?;
    let start = Instant::now();
    work.begin(TIME_CAP).await.map_err(failed)?;
    let tried = try_out(&mut work, &job.plan).await;
    let lock = work.lock_words().await.map_err(failed)?;
    work.rollback().await.map_err(failed)?;
    let seconds = start.elapsed().as_secs_f64();
    let traceless = observe.schema_mark().await.map_err(failed)? == before;
    work.close().await;
    observe.close().await;
    let (accepted, stands, rejects) = tried;
    let lock = format!("{lock}, held for {seconds:.2} s");
    Ok(Rehearsal { at: clock::now(), stands, accepted, rejects, lock, seconds, traceless })
}

/// Whether the data is accepted, whether the guardrail stands already, whether the probe is rejected.
async fn try_out(
    work: &mut Session,
    plan: &Plan,
) -> (Result<(), String>, bool, Result<String, String>) {
    let early = probe(work, plan).await;
    if early.is_ok() {
        return (Ok(()), true, early);
    }
    if let Err(error) = work.execute(&plan.apply).await {
        return (Err(error.to_string()), false, Err("not tried".into()));
    }
    (Ok(()), false, probe(work, plan).await)
}

/// Tries the bad state; good is only a rejection that names the guardrail.
async fn probe(work: &mut Session, plan: &Plan) -> Result<String, String> {
    let savepoint = work.execute("SAVEPOINT steadyhand_probe").await;
    savepoint.map_err(|error| error.to_string())?;
    let outcome = work.execute(&plan.probe).await;
    let back = work.execute("ROLLBACK TO steadyhand_probe").await;
    let outcome = match outcome {
        Ok(0) => Err("the probe found no row to try it with".into()),
        Ok(_) => Err("the bad state was accepted".into()),
        Err(error) if error.to_string().contains(&plan.rejects) => Ok(error.to_string()),
        Err(error) => Err(format!("rejected, but not by this guardrail: {error}")),
    };
    back.map_err(|error| error.to_string())?;
    outcome
}

async fn open(job: &Job, stopper: &Stopper) -> Result<Session, Problem> {
    let mut work = connect(&job.target, Purpose::Work, LOCK_WAIT, stopper).await?;
    prove(&mut work, &job.target, Some(&job.server)).await?;
    Ok(work)
}

/// Applies or withdraws; the approval is in the journal already.
pub async fn put(
    job: &Job,
    deed: &Deed,
    journal: &Journal,
    stopper: &Stopper,
) -> (Outcome, String) {
    let (outcome, why) = match transact(job, deed, journal, stopper).await {
        Ok(()) => (Outcome::Committed, String::new()),
        Err((outcome, why)) => (outcome, why),
    };
    let entry = Entry::Ended {
        step: job.step.clone(),
        op: job.op.clone(),
        deed: deed.clone(),
        outcome,
        rows: 0,
        why: why.clone(),
        drift: None,
    };
    match journal.append(entry) {
        Ok(_) => (outcome, why),
        Err(error) => (Outcome::Unknown, format!("{}: {error}", outcome.word())),
    }
}

async fn transact(
    job: &Job,
    deed: &Deed,
    journal: &Journal,
    stopper: &Stopper,
) -> Result<(), (Outcome, String)> {
    let back = |why: String| (Outcome::RolledBack, why);
    if let Some(why) = super::connect::policy(&job.target) {
        return Err(back(why));
    }
    let mut work = open(job, stopper).await.map_err(|problem| back(problem.sentence))?;
    let prepared = prepare(&mut work, job, deed).await;
    let prepared = match prepared {
        Ok(mark) => journal
            .append(Entry::CommitSent { op: job.op.clone(), mark })
            .map(drop)
            .map_err(|error| error.to_string()),
        Err(why) => Err(why),
    };
    if let Err(why) = prepared {
        return match work.rollback().await {
            Ok(()) => Err(back(why)),
            Err(error) => Err((Outcome::Unknown, format!("{why}; {error}"))),
        };
    }
    match work.commit().await {
        Ok(()) => {
            work.close().await;
            Ok(())
        }
        Err(error) => match work.rollback().await {
            Ok(()) => Err(back(error.to_string())),
            Err(_) => Err((Outcome::Unknown, error.to_string())),
        },
    }
}

async fn prepare(work: &mut Session, job: &Job, deed: &Deed) -> Result<String, String> {
    let said = |error: EngineError| error.to_string();
    work.begin(TIME_CAP).await.map_err(said)?;
    let applying = *deed == Deed::ApplyGuardrail;
    let sql = if applying { &job.plan.apply } else { &job.plan.withdraw };
    work.execute(sql).await.map_err(said)?;
    let stands = probe(work, &job.plan).await;
    match (applying, stands) {
        (true, Err(why)) => return Err(format!("it would not hold: {why}")),
        (false, Ok(_)) => return Err("it would still reject the bad state".into()),
        (true, Ok(_)) | (false, Err(_)) => {}
    }
    work.write_ledger(&job.op, &job.actor, "guardrail").await.map_err(said)?;
    work.mark().await.map_err(said)
}
