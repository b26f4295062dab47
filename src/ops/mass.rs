//! Mass recovery: a change of very many rows, chunk by chunk, each by the function that previews and
//! executes any change.
//!
//! Here is what is worked off: a frozen list of keys, or the undo artefacts of an earlier execution.
//! `execution` works it off. What goes on after an interruption is the rest of the frozen list, never
//! a new search: the ledger and the journal say of each key whether it was done, while a statement
//! whose rows can still be found after it (a price raised by a tenth) would be applied to them twice.

mod between;
mod execution;
mod lag;
mod reins;
mod rest;
mod sight;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use super::connect::{READ_LOCK_WAIT, connect, plain, prove};
use super::images::{Cut, aside};
use super::plan::put_back;
use super::recover::{self, Desk, Job, Piece, Scrutiny};
use crate::clock;
use crate::engine::{EngineError, Purpose, Session, Stopper, Table};
use crate::problem::Problem;
use crate::recovery::mass::{Artefact, Chunks, Freeze, Idle, Keys, Mass, Place, Source};
use crate::recovery::{CheckOutcome, Plan, Planned, Preview, Role, UndoRehearsal};
use crate::sql::{self, Literals};
use crate::value::{ValueRef, counted, thousands};
pub use execution::execute;
pub use reins::Reins;
pub use rest::{CutOff, go_on, undo};

/// Chunks that are tried in vain before one of them changes something.
const MOST_IDLE: u64 = 50;

/// What is still to be worked off.
#[derive(Debug)]
enum Work {
    Keys { key: String, keys: Keys, place: Place, chunk: u64 },
    Artefacts(VecDeque<Artefact>),
}

/// The next chunk, ready to run.
#[derive(Debug)]
struct Unit {
    plan: Plan,
    chunk: u64,
    /// Keys; rows of an undo.
    size: u64,
    cut: Option<Cut>,
    /// Where the list goes on behind it.
    next: Place,
}

impl Unit {
    fn piece<'a>(&'a self, job: &'a Job, scrutiny: Scrutiny) -> Piece<'a> {
        Piece { job, plan: &self.plan, chunk: self.chunk, scrutiny, cut: self.cut.as_ref() }
    }
}

impl Work {
    /// What an approval was given for.
    fn approved(mass: &Mass, chunks: &Chunks) -> Result<Self, String> {
        match (&mass.source, &chunks.keys) {
            (Source::Query { key, .. } | Source::Rest { key, .. }, Some(keys)) => {
                let place = keys.place(chunks.done).map_err(|error| aside(&error).to_string())?;
                let (key, keys) = (key.clone(), keys.clone());
                Ok(Self::Keys { key, keys, place, chunk: chunks.number })
            }
            (Source::Artefacts(artefacts), _) => Ok(Self::Artefacts(artefacts.clone().into())),
            _ => Err("the preview froze no keys".into()),
        }
    }

    /// So many keys as a chunk, or the next artefact.
    async fn next(
        &self,
        job: &Job,
        session: &mut Session,
        tables: &[Table],
        most: u64,
    ) -> Result<Option<Unit>, EngineError> {
        match self {
            Self::Keys { key, keys, place, chunk } => {
                let (values, next) = keys.read(*place, most).map_err(|error| aside(&error))?;
                if values.is_empty() {
                    return Ok(None);
                }
                let kind = kind_of_key(job, tables, key);
                let quoted = session.quote_keys(kind, &values).await?;
                let literals = Literals::of(&quoted, session.dialect())
                    .map_err(|refusal| EngineError::Refused { message: refusal.sentence })?;
                let whole = |table: &str, column: &str| {
                    tables.iter().any(|known| known.name == table && known.holds_whole(column))
                };
                let plan = job.plan.of_chunk(&literals, whole);
                let size = values.len() as u64;
                let cut = Some(Cut { column: key.clone(), literals, keys: values });
                Ok(Some(Unit { plan, chunk: *chunk, size, cut, next }))
            }
            Self::Artefacts(artefacts) => {
                let Some(artefact) = artefacts.front() else { return Ok(None) };
                let op = job.plan.undoes.as_deref().unwrap_or_default();
                let images = put_back(op, &artefact.path, &artefact.sha256)
                    .map_err(|problem| EngineError::Refused { message: problem.sentence })?;
                let actions = vec![Planned::PutBack(images)];
                let plan = Plan { actions, mass: None, ..job.plan.clone() };
                let Artefact { chunk, rows, .. } = *artefact;
                Ok(Some(Unit { plan, chunk, size: rows, cut: None, next: Place::default() }))
            }
        }
    }

    /// That chunk is committed.
    fn went_on(&mut self, unit: &Unit) {
        match self {
            Self::Keys { place, chunk, .. } => (*place, *chunk) = (unit.next, unit.chunk + 1),
            Self::Artefacts(artefacts) => drop(artefacts.pop_front()),
        }
    }
}

/// Of the column that holds the keys, in the first table of the plan that has it.
fn kind_of_key<'t>(job: &Job, tables: &'t [Table], key: &str) -> &'t str {
    let mut written = job.plan.actions.iter().filter_map(|action| match action {
        Planned::Chunked { table, .. } => Some(table),
        Planned::Sql { .. } | Planned::PutBack(_) => None,
    });
    let of = |name: &String| tables.iter().find(|table| table.name == *name)?.kind(key);
    written.find_map(of).unwrap_or_default()
}

/// Freezes the keys, then runs the first chunk that changes something for real and takes it back.
pub(super) async fn preview(job: &Job, mass: &Mass, stopper: &Stopper) -> Result<Preview, Problem> {
    let failed = |error: EngineError| plain(&error, &job.target.name);
    let (keys, left, number) = match &mass.source {
        Source::Query { sql, .. } => {
            let keys = freeze(job, sql, stopper).await?;
            let count = keys.count();
            (Some(keys), count, 1)
        }
        Source::Rest { keys, chunk, .. } => {
            (Some(keys.clone()), keys.count().saturating_sub(mass.before.keys), *chunk)
        }
        Source::Artefacts(artefacts) => {
            let rows = artefacts.iter().map(|artefact| artefact.rows).sum();
            (None, rows, artefacts.first().map_or(0, |artefact| artefact.chunk))
        }
    };
    let done = mass.before.keys;
    let print = String::new();
    let mut chunks =
        Chunks { keys, left, done, number, first: 0, about: 0, print, idle: Idle::default() };
    let mut work = Work::approved(mass, &chunks).map_err(Problem::system)?;
    let (mut conflicts, mut left_alone) = (Vec::new(), 0);
    let mut preview = loop {
        let mut desk = recover::sit_down(job, stopper).await?;
        let Some(unit) =
            work.next(job, &mut desk.observe, &desk.tables, mass.size).await.map_err(failed)?
        else {
            return nothing(job, desk, chunks).await.map_err(failed);
        };
        let mut preview = recover::of_first(desk, unit.piece(job, Scrutiny::Full)).await?;
        chunks.first = unit.size;
        let is_idle = preview.rows() == 0 && preview.proof.is_ok();
        conflicts.append(&mut preview.conflicts);
        left_alone += preview.left_alone;
        if !is_idle || chunks.not_run() == 0 || chunks.idle.chunks == MOST_IDLE {
            break preview;
        }
        chunks.idle.chunks += 1;
        chunks.idle.keys += unit.size;
        work.went_on(&unit);
    };
    (preview.conflicts, preview.left_alone) = (conflicts, left_alone);
    chunks.about = about(&preview, &chunks, mass);
    chunks.print.clone_from(&preview.fingerprint);
    preview.fingerprint = chunks.fingerprint();
    let allowed = job.plan.limits.max_rows;
    if job.plan.undoes.is_none() && left > allowed {
        preview.refused.push(format!(
            "{} to be changed, and the runbook allows {}",
            counted(left, "key"),
            counted(allowed, "row")
        ));
    }
    preview.chunks = Some(chunks);
    Ok(preview)
}

/// One read in one snapshot; what the list says is what was true at one moment.
async fn freeze(job: &Job, sql: &str, stopper: &Stopper) -> Result<Keys, Problem> {
    // Reading a million keys is no transaction that anybody waits for.
    const LONGEST: Duration = Duration::from_mins(10);
    let failed = |error: EngineError| plain(&error, &job.target.name);
    let kept = |error: &std::io::Error| failed(aside(error));
    let mut session = connect(&job.target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
    prove(&mut session, &job.target, Some(&job.server)).await?;
    session.begin_snapshot().await.map_err(failed)?;
    let mut freeze = Freeze::begin().map_err(|error| kept(&error))?;
    let (mut trouble, mut order) = (None, Order::default());
    let read = session
        .read(sql, LONGEST, &mut |names, row| {
            let outcome = match row {
                [ValueRef::Null] => {
                    Err("a key is NULL, and no row can be found by that".to_owned())
                }
                [key] => {
                    order.see(*key);
                    let kept = freeze.push(&(*key).to_owned());
                    kept.map_err(|error| aside(&error).to_string())
                }
                _ => Err(format!("its query gives {} columns, and a key is one", names.len())),
            };
            match outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(why) => {
                    trouble = Some(why);
                    ControlFlow::Break(())
                }
            }
        })
        .await;
    read.map_err(failed)?;
    let keys = freeze.finish().map_err(|error| kept(&error))?;
    if trouble.is_none() && !order.is_strict() {
        let distinct = distinct(&mut session, sql, LONGEST).await.map_err(failed)?;
        if distinct != keys.count() {
            let twice = keys.count() - distinct;
            trouble = Some(format!(
                "{} keys come more than once, and a row would be changed as often",
                thousands(twice)
            ));
        }
    }
    session.close().await;
    if let Some(why) = trouble {
        return Err(Problem::refused(format!(
            "the keys could not be frozen: {why}; nothing was run"
        )));
    }
    Ok(keys)
}

/// Whether keys come in an order in which none can come twice.
#[derive(Default)]
struct Order {
    last: Option<i64>,
    rising: bool,
    falling: bool,
    unknown: bool,
}

impl Order {
    fn see(&mut self, key: ValueRef<'_>) {
        let ValueRef::Integer(key) = key else {
            self.unknown = true;
            return;
        };
        if let Some(last) = self.last.replace(key) {
            self.rising |= key > last;
            self.falling |= key < last;
            self.unknown |= key == last;
        }
    }

    fn is_strict(&self) -> bool {
        !(self.unknown || self.rising && self.falling)
    }
}

/// How many different keys the query gives in the snapshot of the session.
async fn distinct(session: &mut Session, sql: &str, cap: Duration) -> Result<u64, EngineError> {
    let keys = sql::one(sql, session.dialect())
        .map_err(|refusal| EngineError::Refused { message: refusal.sentence })?;
    let count = format!("SELECT COUNT(*) FROM (SELECT DISTINCT * FROM ({keys}) one) other");
    let mut distinct = 0;
    session
        .read(&count, cap, &mut |_, row| {
            let number = row.first().and_then(|number| number.plain());
            distinct = number.and_then(|number| number.parse().ok()).unwrap_or(0);
            ControlFlow::Break(())
        })
        .await?;
    Ok(distinct)
}

/// How many chunks it will be, if the rest is like the first.
fn about(preview: &Preview, chunks: &Chunks, mass: &Mass) -> u64 {
    // Reading what was written takes about as long as writing it.
    const SHARE: f64 = 0.35 / 2.0;
    if let Source::Artefacts(artefacts) = &mass.source {
        return artefacts.len() as u64;
    }
    let seconds: f64 = preview.statements.iter().map(|statement| statement.seconds).sum();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let fitting = (chunks.first as f64 * SHARE / seconds.max(1e-6)) as u64;
    chunks.left.div_ceil(fitting.clamp(chunks.first.max(1), mass.most))
}

/// The preview of a change that has nothing to do. Whether nothing is wrong is for the checks to say.
async fn nothing(job: &Job, mut desk: Desk, chunks: Chunks) -> Result<Preview, EngineError> {
    let mut refused = match &job.plan.undoes {
        None => vec!["its keys are none: nothing is to be changed".to_owned()],
        Some(_) => vec!["nothing is left to be put back".to_owned()],
    };
    refused.extend(desk.no_ledger.take());
    desk.observe.begin_snapshot().await?;
    let verdicts = recover::verdicts(&mut desk.observe, &job.plan).await;
    desk.observe.rollback().await?;
    let role = if job.plan.undoes.is_some() { Role::Shown } else { Role::Cure };
    let cures = job.plan.cures.iter().zip(verdicts).map(|(check, before)| {
        let after = before.clone();
        CheckOutcome { check: check.id.clone(), role, before, after }
    });
    let checks: Vec<CheckOutcome> = cures.collect();
    refused.extend(checks.iter().filter_map(CheckOutcome::objection));
    let server = desk.server.clone();
    desk.leave().await;
    Ok(Preview {
        op: job.op.clone(),
        at: clock::now(),
        server,
        statements: Vec::new(),
        writes: Vec::new(),
        images: Vec::new(),
        checks,
        remaining: Vec::new(),
        conflicts: Vec::new(),
        left_alone: 0,
        besides: None,
        undo: UndoRehearsal::default(),
        locks: "none".into(),
        seconds: 0.0,
        leaves_behind: Vec::new(),
        warnings: Vec::new(),
        proof: Ok("nothing was run".into()),
        fingerprint: chunks.fingerprint(),
        refused,
        chunks: Some(chunks),
    })
}
