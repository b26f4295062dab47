//! The preview: a run that is rolled back at once, with the rehearsal of its undo and the proof that
//! nothing stayed.

use std::time::Instant;

use jiff::Timestamp;

use super::{Desk, Job, Piece, Run, run_through, sit_down, take_back};
use crate::clock;
use crate::engine::Stopper;
use crate::ops::connect::plain;
use crate::ops::mass;
use crate::ops::rehearse::{Stage, rehearse_undo};
use crate::problem::Problem;
use crate::recovery::fingerprint::fingerprint;
use crate::recovery::{CheckOutcome, Preview, UndoRehearsal};
use crate::value::{counted, thousands};

/// Runs a plan for real and takes everything back at once.
pub async fn preview(job: &Job, stopper: &Stopper) -> Result<Preview, Problem> {
    if let Some(plan) = &job.plan.mass {
        return mass::preview(job, plan, stopper).await;
    }
    let desk = sit_down(job, stopper).await?;
    of_first(desk, Piece::whole(job)).await
}

/// Runs a whole plan, or the first chunk of one, and takes it back.
pub async fn of_first(mut desk: Desk, piece: Piece<'_>) -> Result<Preview, Problem> {
    let start = Instant::now();
    let at = clock::now();
    let outcome = rehearse(&mut desk, piece).await;
    let locks = desk.work.lock_words().await;
    let leaves_behind = desk.work.leaves_behind().await;
    let proof = take_back(&mut desk, piece.job, outcome.as_ref().ok().map(|(run, _)| run)).await;
    let seconds = start.elapsed().as_secs_f64();
    let locks = locks.unwrap_or_else(|error| error.to_string());
    let blocked = desk.blocked();
    let waited = blocked.as_ref().map_or_else(String::new, |seen| format!("; {}", seen.words()));
    let unwatched = blocked.and_then(|seen| seen.warning());
    let locks = format!("{locks}, held for {seconds:.2} s{waited}");
    let leaves_behind = leaves_behind.unwrap_or_default();
    let no_ledger = desk.no_ledger.take();
    desk.leave().await;
    let (mut run, undo) = outcome.map_err(|problem| match &proof {
        Ok(_) => problem,
        Err(why) => problem.hint(format!("the rollback could not be proved: {why}")),
    })?;
    run.warnings.extend(unwatched);
    let ending = Ending { at, seconds, locks, leaves_behind, no_ledger, proof };
    Ok(make_preview(piece, run, undo, ending))
}

struct Ending {
    at: Timestamp,
    seconds: f64,
    locks: String,
    leaves_behind: Vec<String>,
    no_ledger: Option<String>,
    proof: Result<String, String>,
}

fn make_preview(piece: Piece<'_>, run: Run, undo: UndoRehearsal, ending: Ending) -> Preview {
    let job = piece.job;
    let fingerprint = fingerprint(run.seen());
    let mut preview = Preview {
        op: job.op.clone(),
        at: ending.at,
        server: run.server,
        statements: run.statements,
        writes: run.written.writes,
        images: run.written.images,
        checks: run.checks,
        remaining: run.remaining,
        conflicts: run.conflicts,
        left_alone: run.left_alone,
        besides: run.beyond.changes(),
        undo,
        locks: ending.locks,
        seconds: ending.seconds,
        leaves_behind: ending.leaves_behind,
        warnings: run.warnings,
        proof: ending.proof,
        fingerprint,
        refused: Vec::new(),
        chunks: None,
    };
    let rows = preview.rows();
    let refused = &mut preview.refused;
    refused.extend(ending.no_ledger);
    if let Err(why) = &preview.proof {
        refused.push(format!("the rollback could not be proved: {why}"));
    }
    if rows == 0 {
        refused.push("it changes nothing".into());
    }
    // What a change wrote may be taken back whole, with what triggers write on the way.
    if rows > job.plan.limits.max_rows && job.plan.undoes.is_none() {
        let allowed = job.plan.limits.max_rows;
        let (rows, allowed) = (counted(rows, "row"), thousands(allowed));
        refused.push(format!("it writes {rows}, and the runbook allows {allowed}"));
    }
    refused.extend(run.beyond.removes());
    refused.extend(preview.checks.iter().filter_map(CheckOutcome::objection));
    preview
}

async fn rehearse(desk: &mut Desk, piece: Piece<'_>) -> Result<(Run, UndoRehearsal), Problem> {
    let job = piece.job;
    let start = Instant::now();
    let run = run_through(desk, piece).await;
    let run = run.map_err(|error| plain(&desk.explain(error), &job.target.name))?;
    // It must not be the rehearsal that makes a change run into its time cap.
    let cap = job.plan.limits.time_cap;
    let time = (cap / 3).min(cap.saturating_sub(start.elapsed()) / 2);
    let Desk { work, observe, tables, .. } = desk;
    let undo = rehearse_undo(Stage { work, observe, tables }, &run.written, run.broken, time).await;
    Ok((run, undo))
}
