//! The execution: the run that was previewed, once more, and its commit; what became of one that was
//! cut off; and the checks afterwards.

use std::time::{Duration, Instant};

use super::{Desk, Job, Piece, Run, Short, run_through, sit_down, spent, take_back, taken_back};
use crate::check::Verdict;
use crate::engine::{EngineError, Stopper};
use crate::incident::entry::{Entry, Evidence, Outcome};
use crate::incident::journal::Journal;
use crate::ops::{detect, resolve};
use crate::recovery::fingerprint::{Seen, drift, fingerprint};
use crate::recovery::{Approval, CheckOutcome, Drift, Execution, Preview, undo};

/// What became of a COMMIT.
#[derive(Debug)]
pub enum Sent {
    /// With what the server said besides.
    Committed(String),
    RolledBack(String),
    Unknown(String),
}

/// Runs an approved plan again and commits it, if it does exactly what was previewed. Whoever is gone
/// before COMMIT is sent stops it; from then on nothing does.
pub async fn execute(
    job: &Job,
    approval: Approval,
    journal: &Journal,
    gone: &Stopper,
) -> Execution {
    let preview = match spent(job, approval).await {
        Ok(preview) => preview,
        Err(why) => return ended(journal, job, rolled_back(&why, None)),
    };
    let stopper = Stopper::default();
    let mut desk = match sit_down(job, &stopper).await {
        Ok(desk) => desk,
        Err(problem) => return ended(journal, job, rolled_back(&problem.sentence, None)),
    };
    let prepared = {
        let mut preparing = std::pin::pin!(prepare(&mut desk, job, &preview, journal));
        tokio::select! {
            prepared = &mut preparing => prepared,
            () = gone.stopped() => {
                stopper.stop();
                preparing.await.and(Err(("whoever executed it was gone".to_owned(), None)))
            }
        }
    };
    let execution = match prepared {
        Ok(run) => commit(&mut desk, job, &preview, &run, journal).await,
        Err((why, drift)) => rolled_back(&taken_back(&mut desk, job, why).await, drift),
    };
    desk.leave().await;
    let execution = ended(journal, job, execution);
    verify(job, execution, journal).await
}

pub fn rolled_back(why: &str, drift: Option<Drift>) -> Execution {
    Execution::RolledBack { why: why.to_owned(), drift }
}

/// Everything up to the moment before COMMIT.
async fn prepare(
    desk: &mut Desk,
    job: &Job,
    preview: &Preview,
    journal: &Journal,
) -> Result<Run, (String, Option<Drift>)> {
    let run = run_through(desk, Piece::whole(job))
        .await
        .map_err(|error| (desk.explain(error).to_string(), None))?;
    if fingerprint(run.seen()) != preview.fingerprint {
        let drift = drifted(preview, &run);
        return Err(("the data changed since the preview".into(), Some(drift)));
    }
    if let Some(why) = run.unwatched(preview) {
        let why = format!("what it writes can no longer be watched as at the preview: {why}");
        return Err((why, None));
    }
    let objections: Vec<String> = run.checks.iter().filter_map(CheckOutcome::objection).collect();
    if !objections.is_empty() {
        return Err((objections.join("; "), None));
    }
    let (rows, evidence) = keep_undo(job, &run, &format!("undo-{}.jsonl", job.op), journal)
        .map_err(|why| (why, None))?;
    journal
        .append(Entry::UndoWritten {
            op: job.op.clone(),
            rows,
            left_alone: run.left_alone,
            evidence,
        })
        .map_err(|error| (error.to_string(), None))?;
    let ledger = desk.work.write_ledger(&job.op, 0, &job.actor, &preview.fingerprint).await;
    ledger.map_err(|error| (format!("the ledger row could not be written: {error}"), None))?;
    Ok(run)
}

/// How a run differs from what was previewed.
pub fn drifted(preview: &Preview, run: &Run) -> Drift {
    let then = Seen {
        server: &preview.server,
        statements: &preview.statements,
        writes: &preview.writes,
        images: &preview.images,
    };
    drift(then, run.seen())
}

/// The undo artefact, on disk and synced before COMMIT is sent; how many rows are in it.
pub fn keep_undo(
    job: &Job,
    run: &Run,
    name: &str,
    journal: &Journal,
) -> Result<(u64, Evidence), String> {
    let images = &run.written.images;
    let header = undo::Header {
        op: job.op.clone(),
        step: job.plan.step.clone(),
        target: job.plan.target.clone(),
        server: run.server.clone(),
        tables: undo::sections(images),
    };
    let rows = images.iter().map(|images| images.rows.len()).sum();
    let evidence = journal
        .keep_written(name, |out| undo::write(out, &header, images))
        .map_err(|error| format!("the undo could not be written: {error}"))?;
    Ok((rows, evidence))
}

async fn commit(
    desk: &mut Desk,
    job: &Job,
    preview: &Preview,
    run: &Run,
    journal: &Journal,
) -> Execution {
    let sent = match desk.ready_to_commit().await {
        Ok(mark) => journal
            .append(Entry::CommitSent { op: job.op.clone(), mark: mark.clone() })
            .map(|_| mark)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let mark = match sent {
        Ok(mark) => mark,
        Err(why) => return rolled_back(&taken_back(desk, job, why).await, None),
    };
    match send(desk, Piece::whole(job), &mark, run).await {
        Sent::Committed(told) => {
            let mut short = Short::default();
            short.and(run);
            let mut said = short.words(&job.plan);
            said.extend(Some(told).filter(|told| !told.is_empty()));
            // What the preview said was agreed to.
            let unwatched = desk.blocked().and_then(|seen| seen.warning());
            said.extend(unwatched.filter(|said| !preview.warnings.contains(said)));
            let said = said.join("; ");
            let (op, rows, writes) = (job.op.clone(), run.rows(), run.written.writes.clone());
            Execution::Committed { op, rows, writes, checks: Vec::new(), sound: false, said }
        }
        Sent::RolledBack(why) => rolled_back(&why, None),
        Sent::Unknown(why) => Execution::Unknown { op: job.op.clone(), why },
    }
}

/// Sends the COMMIT whose intent is in the journal.
pub async fn send(desk: &mut Desk, piece: Piece<'_>, mark: &str, run: &Run) -> Sent {
    // What it said before is not about this.
    drop(desk.work.warnings());
    match desk.work.commit().await {
        Ok(()) => {
            let said = desk.work.warnings().join("; ");
            let told = if said.is_empty() { said } else { format!("the server says: {said}") };
            Sent::Committed(told)
        }
        // The lock was not to be had: the transaction is still open, so it can be taken back.
        Err(
            error @ (EngineError::Locked { .. }
            | EngineError::Rejected { .. }
            | EngineError::Conflict { .. }),
        ) => match take_back(desk, piece.job, Some(run)).await {
            Ok(_) => Sent::RolledBack(error.to_string()),
            Err(doubt) => Sent::Unknown(format!("{error}; {doubt}")),
        },
        Err(error) => find_out(piece, mark, &error).await,
    }
}

/// The answer to COMMIT did not come: asks the server until it can say what became of it.
async fn find_out(piece: Piece<'_>, mark: &str, error: &EngineError) -> Sent {
    /// A server that restarts needs a moment; later the operator asks again.
    const PAUSES: [u64; 5] = [0, 1, 2, 4, 8];
    /// Where nothing gets through, each question alone takes long.
    const PATIENCE: Duration = Duration::from_secs(30);
    let Piece { job, chunk, .. } = piece;
    let (mut why, start) = (error.to_string(), Instant::now());
    for seconds in PAUSES {
        if start.elapsed() > PATIENCE {
            break;
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let mark = Some(mark).filter(|mark| !mark.is_empty());
        match resolve::resolve(&job.target, &job.server, &job.op, chunk, mark).await {
            Ok((Outcome::Committed, _)) => return Sent::Committed(String::new()),
            Ok((Outcome::RolledBack, how)) => return Sent::RolledBack(format!("{error}; {how}")),
            Ok((Outcome::Unknown, doubt)) => why = format!("{error}; {doubt}"),
            Err(problem) => why = format!("{error}; {}", problem.sentence),
        }
    }
    Sent::Unknown(why)
}

/// Writes the outcome down. If even that fails, the screen says so; resuming finds the outcome.
pub fn ended(journal: &Journal, job: &Job, execution: Execution) -> Execution {
    let (step, op, deed) = (job.plan.step.clone(), job.op.clone(), job.deed());
    let end = |outcome, rows, why: &str, drift: &Option<Drift>| {
        let (step, op, deed) = (step.clone(), op.clone(), deed.clone());
        Entry::Ended { step, op, deed, outcome, rows, why: why.to_owned(), drift: drift.clone() }
    };
    let entry = match &execution {
        Execution::Committed { rows, said, .. } => end(Outcome::Committed, *rows, said, &None),
        Execution::RolledBack { why, drift } => end(Outcome::RolledBack, 0, why, drift),
        Execution::Unknown { why, .. } => end(Outcome::Unknown, 0, why, &None),
        Execution::Halted { progress, why, drift, .. } => Entry::Halted {
            step: step.clone(),
            op: op.clone(),
            deed: deed.clone(),
            done: progress.done,
            of: progress.of,
            rows: progress.rows,
            why: why.clone(),
            drift: drift.clone(),
        },
    };
    let word = match &execution {
        Execution::Committed { .. } => Outcome::Committed.word(),
        Execution::RolledBack { .. } => Outcome::RolledBack.word(),
        Execution::Unknown { .. } => Outcome::Unknown.word(),
        Execution::Halted { .. } => "HALTED",
    };
    match journal.append(entry) {
        Ok(_) => execution,
        Err(error) => {
            let why = format!("{word} in the database, but the journal failed: {error}");
            Execution::Unknown { op, why }
        }
    }
}

/// Checks again on a new connection, after COMMIT.
pub async fn verify(job: &Job, execution: Execution, journal: &Journal) -> Execution {
    let Execution::Committed { op, rows, writes, said, .. } = execution else {
        return execution;
    };
    let (checks, sound) = verified(job).await;
    let (step, checks_kept) = (job.plan.step.clone(), checks.clone());
    let entry = Entry::Verified { step, op: op.clone(), checks: checks_kept, sound };
    let sound = sound && journal.append(entry).is_ok();
    Execution::Committed { op, rows, writes, checks, sound, said }
}

async fn verified(job: &Job) -> (Vec<(String, Verdict)>, bool) {
    let undoing = job.plan.undoes.is_some();
    let mut sound = true;
    let mut verdicts = Vec::new();
    let target = job.target.for_changes();
    for check in &job.plan.cures {
        let finding = detect::detect(&target, check, 1, None, &Stopper::default()).await;
        sound &= undoing || finding.verdict.is_clear();
        verdicts.push((check.id.clone(), finding.verdict));
    }
    (verdicts, sound)
}
