//! Guardrails at work: rehearse without a trace, apply, withdraw.
//!
//! A rehearsal answers three questions and takes everything back: is the data as it is accepted, is
//! the bad state then rejected by name, and with which lock. A probe that fails for another reason,
//! or that failed before the guardrail stood, proves nothing and is said so. Where a definition
//! locks the table it is tried on a temporary copy first, and in place only if the copy held.
//!
//! Applying takes the shortest way the engine has: one definition in a transaction with its ledger
//! row, or the online form, statement by statement, probed at once and withdrawn if it does not hold.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::connect::{connect, plain, prove};
use super::recover::new_observer;
use crate::clock;
use crate::config::Target;
use crate::consent::{Act, Consent};
use crate::dialect::Dialect;
use crate::engine::{EngineError, ProvingGround, Purpose, Session, Settled, Stopper};
use crate::guardrail::{Held, Plan, Rehearsal};
use crate::incident::entry::{Deed, Entry, Outcome};
use crate::incident::journal::Journal;
use crate::problem::Problem;
use crate::sql;

const LOCK_WAIT: Duration = Duration::from_secs(2);
const TIME_CAP: Duration = Duration::from_mins(1);
/// A definition that waits for nobody may still read a large table for long.
const ONLINE_CAP: Duration = Duration::from_hours(4);
/// Nobody else can write while a definition is tried out in place.
const IN_PLACE_CAP: Duration = Duration::from_secs(5);

const ACCEPTED: &str = "the bad state was accepted";

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

/// The statements of a script, and whether they must run one by one outside of a transaction.
struct Script {
    statements: Vec<String>,
    /// The same in the form that a transaction can take back.
    locking: Vec<String>,
    /// What takes the leftovers of a failed attempt out of its way, in that form.
    clear: Vec<String>,
    online: bool,
}

impl Script {
    fn of(text: &str, ground: ProvingGround, dialect: Dialect) -> Result<Self, String> {
        let split = sql::split(text, dialect).map_err(|refusal| refusal.sentence)?;
        let statements: Vec<String> = split.iter().map(|&one| one.trim().to_owned()).collect();
        let online = match ground {
            ProvingGround::InPlace => false,
            ProvingGround::Copy => true,
            ProvingGround::CopyThenInPlace => {
                statements.len() > 1 || locking(text, dialect)? != text
            }
        };
        let locking = locking(text, dialect)?;
        let locking = sql::split(&locking, dialect).map_err(|refusal| refusal.sentence)?;
        let locking = locking.iter().map(|&one| one.trim().to_owned()).collect();
        Ok(Self { statements, locking, clear: Vec::new(), online })
    }
}

/// The script in the form that a transaction can take back.
fn locking(text: &str, dialect: Dialect) -> Result<String, String> {
    sql::transactional(text, dialect).map_err(|refusal| refusal.sentence)
}

/// What trying a definition out has shown.
struct Tried {
    accepted: Result<(), String>,
    rejects: Result<String, String>,
    /// Why it could not be tried out at all.
    untried: Option<String>,
}

impl Tried {
    fn holds(&self) -> bool {
        self.accepted.is_ok() && self.rejects.is_ok()
    }
}

pub async fn rehearse(job: &Job, stopper: &Stopper) -> Result<Rehearsal, Problem> {
    let failed = |error: EngineError| plain(&error, &job.target.name);
    let (mut work, server) = open(job, stopper).await?;
    let script = Script::of(&job.plan.apply, work.proving_ground(), work.dialect());
    let script = script.map_err(Problem::refused)?;
    let mut observe = new_observer(&job.target, &server).await?;
    let before = observe.schema_mark().await.map_err(failed)?;
    let start = Instant::now();
    let mut notes = Vec::new();
    let mut script = script;
    if let Some(left) = work.leftover(&job.plan.rejects).await.map_err(failed)? {
        notes.push(format!("{left}; applying removes it first"));
        let clear = Script::of(&job.plan.withdraw, work.proving_ground(), work.dialect());
        script.clear = clear.map_err(Problem::refused)?.locking;
    }
    let outcome = try_out(&mut work, job, &script, &mut notes).await;
    let back = work.rollback().await;
    let seconds = start.elapsed().as_secs_f64();
    work.close().await;
    let (tried, stands, lock) = outcome.map_err(failed)?;
    back.map_err(failed)?;
    let traceless = observe.schema_mark().await.map_err(failed)? == before;
    observe.close().await;
    let Tried { accepted, rejects, untried } = tried;
    let at = clock::now();
    let held = held(&job.plan.apply, job.target.url.dialect);
    Ok(Rehearsal { at, stands, accepted, held, rejects, untried, lock, seconds, traceless, notes })
}

fn held(apply: &str, dialect: Dialect) -> Held {
    let defined = sql::definitions(apply, dialect).unwrap_or_default();
    if defined.iter().all(|one| one.object == sql::Object::Trigger) {
        Held::AgainstLater
    } else {
        Held::AgainstAll
    }
}

/// Everything up to the rollback: what it showed, whether it stands already, and the lock.
async fn try_out(
    work: &mut Session,
    job: &Job,
    script: &Script,
    notes: &mut Vec<String>,
) -> Result<(Tried, bool, String), EngineError> {
    work.begin(TIME_CAP).await?;
    let early = probe(work, &job.plan).await;
    if early.is_ok() {
        let tried = Tried { accepted: Ok(()), rejects: early, untried: None };
        return Ok((tried, true, work.lock_words().await?));
    }
    match work.proving_ground() {
        ProvingGround::InPlace => {
            let (tried, lock) = in_place(work, job, script).await?;
            Ok((tried, false, lock))
        }
        ProvingGround::Copy => {
            work.rollback().await?;
            let lock = "none on the table itself; applying uses the online form".to_owned();
            match on_copy(work, job, script).await {
                Ok(tried) => {
                    notes.push("tried on a temporary copy: here a definition commits".into());
                    Ok((tried, false, lock))
                }
                Err(error @ (EngineError::Lost { .. } | EngineError::Stopped)) => Err(error),
                Err(error) => {
                    let untried = Some(format!(
                        "{error}; it is probed as soon as it stands, and taken away at once if it does not hold"
                    ));
                    let tried = Tried { accepted: Ok(()), rejects: Ok(String::new()), untried };
                    Ok((tried, false, lock))
                }
            }
        }
        ProvingGround::CopyThenInPlace => {
            let copied = on_copy(work, job, script).await;
            work.rollback().await?;
            match copied {
                Ok(tried) if !tried.holds() => {
                    notes.push("tried on a temporary copy only, since it did not hold".into());
                    return Ok((tried, false, "none on the table itself".into()));
                }
                Ok(_) => notes.push("holds on a temporary copy".into()),
                Err(error) => notes.push(format!("not tried on a temporary copy: {error}")),
            }
            work.begin(IN_PLACE_CAP).await?;
            let (tried, lock) = in_place(work, job, script).await?;
            if script.online {
                notes.push("applied in the online form, which lets writers go on".into());
            }
            Ok((tried, false, lock))
        }
    }
}

async fn in_place(
    work: &mut Session,
    job: &Job,
    script: &Script,
) -> Result<(Tried, String), EngineError> {
    let start = Instant::now();
    for statement in &script.clear {
        work.execute(statement).await?;
    }
    let tried = tried(work, &job.plan, &script.locking).await?;
    let lock = work.lock_words().await?;
    work.rollback().await?;
    Ok((tried, format!("{lock}, held for {:.2} s", start.elapsed().as_secs_f64())))
}

async fn on_copy(work: &mut Session, job: &Job, script: &Script) -> Result<Tried, EngineError> {
    let dialect = work.dialect();
    let written = sql::write(&job.plan.probe, dialect);
    let written = written.map_err(|refusal| EngineError::Refused { message: refusal.sentence })?;
    let tables = work.tables().await?;
    let plain = |name: &str| name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let table = tables.iter().find(|table| plain(&table.name) == plain(&written.table));
    let table = table.ok_or_else(|| EngineError::Refused {
        message: format!("the probe's table {} is not there", written.table),
    })?;
    work.shadow(table, TIME_CAP).await?;
    tried(work, &job.plan, &script.locking).await
}

/// Only a rejection says something about the data; any other error is of the attempt itself.
async fn tried(
    work: &mut Session,
    plan: &Plan,
    statements: &[String],
) -> Result<Tried, EngineError> {
    for statement in statements {
        match work.execute(statement).await {
            Ok(_) => {}
            Err(error @ EngineError::Rejected { .. }) => {
                let rejects = Err("not tried".into());
                return Ok(Tried { accepted: Err(error.to_string()), rejects, untried: None });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Tried { accepted: Ok(()), rejects: probe(work, plan).await, untried: None })
}

/// Tries the bad state; good is only a rejection that names the guardrail.
async fn probe(work: &mut Session, plan: &Plan) -> Result<String, String> {
    let savepoint = work.execute("SAVEPOINT steadyhand_probe").await;
    savepoint.map_err(|error| error.to_string())?;
    let outcome = work.execute(&plan.probe).await;
    let back = work.execute("ROLLBACK TO SAVEPOINT steadyhand_probe").await;
    let outcome = match outcome {
        Ok(0) => Err("the probe found no row to try it with".into()),
        Ok(_) => Err(ACCEPTED.into()),
        Err(error) if error.to_string().contains(&plan.rejects) => Ok(error.to_string()),
        Err(error) => Err(format!("rejected, but not by this guardrail: {error}")),
    };
    back.map_err(|error| error.to_string())?;
    outcome
}

/// A session that may write, and the server it is on.
async fn open(job: &Job, stopper: &Stopper) -> Result<(Session, String), Problem> {
    let mut work = connect(&job.target, Purpose::Work, LOCK_WAIT, stopper).await?;
    let identity = prove(&mut work, &job.target, Some(&job.server)).await?;
    match super::connect::no_writes(&job.target, &identity) {
        Some(why) => Err(Problem::refused(why)),
        None => Ok((work, identity.incarnation())),
    }
}

/// Applies or withdraws under a consent, which is in the journal already.
pub async fn put(
    job: &Job,
    deed: &Deed,
    consent: Consent,
    journal: &Journal,
    stopper: &Stopper,
) -> (Outcome, String) {
    let step = job.step.clone();
    let act = match deed {
        Deed::ApplyGuardrail => Act::ApplyGuardrail { step },
        _ => Act::WithdrawGuardrail { step },
    };
    let ending = match consent.spend(&act, &job.target.name, clock::now()) {
        Ok(()) => transact(job, deed, journal, stopper).await,
        Err(why) => Err(back(why)),
    };
    let (outcome, why) = match ending {
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

type Ending = Result<(), (Outcome, String)>;

fn back(why: impl Into<String>) -> (Outcome, String) {
    (Outcome::RolledBack, why.into())
}

async fn transact(job: &Job, deed: &Deed, journal: &Journal, stopper: &Stopper) -> Ending {
    if let Some(why) = job.target.no_guardrail() {
        return Err(back(why));
    }
    let (mut work, _) = open(job, stopper).await.map_err(|problem| back(problem.sentence))?;
    let applying = *deed == Deed::ApplyGuardrail;
    let text = if applying { &job.plan.apply } else { &job.plan.withdraw };
    let script = Script::of(text, work.proving_ground(), work.dialect()).map_err(back)?;
    let ending = if script.online {
        online(&mut work, job, applying, &script, journal).await
    } else {
        at_once(&mut work, job, applying, &script, journal).await
    };
    work.close().await;
    ending
}

/// One transaction: definition, probe, ledger row, COMMIT.
async fn at_once(
    work: &mut Session,
    job: &Job,
    applying: bool,
    script: &Script,
    journal: &Journal,
) -> Ending {
    let prepared = match prepare(work, job, applying, script).await {
        Ok(mark) => sent(job, mark, journal),
        Err(why) => Err(why),
    };
    if let Err(why) = prepared {
        return match work.rollback().await {
            Ok(()) => Err(back(why)),
            Err(error) => Err((Outcome::Unknown, format!("{why}; {error}"))),
        };
    }
    match work.commit().await {
        Ok(()) => Ok(()),
        Err(error) => match work.rollback().await {
            Ok(()) => Err(back(error.to_string())),
            Err(_) => Err((Outcome::Unknown, error.to_string())),
        },
    }
}

fn sent(job: &Job, mark: String, journal: &Journal) -> Result<(), String> {
    let entry = Entry::CommitSent { op: job.op.clone(), mark };
    journal.append(entry).map(drop).map_err(|error| error.to_string())
}

async fn prepare(
    work: &mut Session,
    job: &Job,
    applying: bool,
    script: &Script,
) -> Result<String, String> {
    let said = |error: EngineError| error.to_string();
    work.begin(TIME_CAP).await.map_err(said)?;
    for statement in &script.statements {
        work.execute(statement).await.map_err(said)?;
    }
    judge(applying, probe(work, &job.plan).await)?;
    work.write_ledger(&job.op, 0, &job.actor, "guardrail").await.map_err(said)?;
    work.mark().await.map_err(said)
}

fn judge(applying: bool, stands: Result<String, String>) -> Result<(), String> {
    match (applying, stands) {
        (true, Err(why)) => Err(format!("it would not hold: {why}")),
        (false, Ok(_)) => Err("it would still reject the bad state".into()),
        (true, Ok(_)) | (false, Err(_)) => Ok(()),
    }
}

/// Statement by statement, each committing by itself; what does not hold is taken away again.
async fn online(
    work: &mut Session,
    job: &Job,
    applying: bool,
    script: &Script,
    journal: &Journal,
) -> Ending {
    let said = |error: EngineError| back(error.to_string());
    if applying && work.leftover(&job.plan.rejects).await.map_err(said)?.is_some() {
        clear_away(work, job).await.map_err(back)?;
    }
    let mark = work.mark().await.map_err(said)?;
    sent(job, mark, journal).map_err(back)?;
    for statement in &script.statements {
        match work.define(statement, ONLINE_CAP).await {
            Ok(()) => {}
            Err(error @ EngineError::Lost { .. }) => {
                return Err((Outcome::Unknown, error.to_string()));
            }
            Err(error) => return Err(undone(work, job, applying, error.to_string()).await),
        }
    }
    match stands(work, job).await {
        Ok(stands) => {
            if let Err(why) = judge(applying, stands) {
                return Err(undone(work, job, applying, why).await);
            }
        }
        Err(error) => return Err((Outcome::Unknown, error.to_string())),
    }
    let written = async {
        work.begin(TIME_CAP).await?;
        work.write_ledger(&job.op, 0, &job.actor, "guardrail").await?;
        work.commit().await
    };
    written.await.map_err(|error| (Outcome::Unknown, format!("it stands, but {error}")))
}

/// Probes in a transaction that is rolled back.
async fn stands(work: &mut Session, job: &Job) -> Result<Result<String, String>, EngineError> {
    work.begin(TIME_CAP).await?;
    let stands = probe(work, &job.plan).await;
    work.rollback().await?;
    Ok(stands)
}

/// After a definition that failed or does not hold: what it left is removed.
async fn undone(work: &mut Session, job: &Job, applying: bool, why: String) -> (Outcome, String) {
    if !applying {
        return back(why);
    }
    match clear_away(work, job).await {
        Ok(()) => back(format!("{why}; what was built was removed again")),
        Err(left) => back(format!("{why}; {left}")),
    }
}

/// Runs the withdrawal; that there was nothing to withdraw is no fault.
async fn clear_away(work: &mut Session, job: &Job) -> Result<(), String> {
    let script = Script::of(&job.plan.withdraw, work.proving_ground(), work.dialect())?;
    let mut failed = None;
    for statement in &script.statements {
        if let Err(error) = work.define(statement, TIME_CAP).await {
            failed = Some(error.to_string());
        }
    }
    match (failed, work.leftover(&job.plan.rejects).await) {
        (_, Ok(None)) => Ok(()),
        (why, Ok(Some(left))) => Err(format!("{left}: {}", why.unwrap_or_default())),
        (_, Err(error)) => Err(error.to_string()),
    }
}

/// What became of a guardrail whose end was not heard: the ledger says it, else the probe.
pub async fn resolve(
    job: &Job,
    deed: &Deed,
    mark: Option<&str>,
) -> Result<(Outcome, String), Problem> {
    let failed = |error: EngineError| plain(&error, &job.target.name);
    let (mut work, _) = open(job, &Stopper::default()).await?;
    let settled = work.settle(&job.op, 0, mark).await.map_err(failed)?;
    // Where definitions commit by themselves the ledger is made after them, if at all.
    let unseen = matches!(settled, Settled::Unseen(_));
    let outcome = match settled {
        Settled::Committed(how) => (Outcome::Committed, how),
        Settled::Unknown(why) => (Outcome::Unknown, why),
        Settled::RolledBack(how) | Settled::Unseen(how) => {
            let applying = *deed == Deed::ApplyGuardrail;
            let holds = stands(&mut work, job).await.map_err(failed)?;
            let left = work.leftover(&job.plan.rejects).await.map_err(failed)?;
            match (applying, holds, left) {
                (true, Ok(words), _) => (Outcome::Committed, format!("it stands: {words}")),
                (true, Err(_), Some(left)) => (Outcome::RolledBack, left),
                (false, Err(words), _) if words == ACCEPTED => {
                    (Outcome::Committed, "it is gone: the bad state is accepted again".into())
                }
                (true, Err(words), None) if unseen && words == ACCEPTED => {
                    (Outcome::RolledBack, "it does not stand: the bad state is accepted".into())
                }
                (false, Ok(words), _) if unseen => {
                    (Outcome::RolledBack, format!("it still stands: {words}"))
                }
                (_, Err(words), _) if unseen => (Outcome::Unknown, format!("{how}; {words}")),
                (true, Err(_), None) | (false, Ok(_) | Err(_), _) => (Outcome::RolledBack, how),
            }
        }
    };
    work.close().await;
    Ok(outcome)
}
