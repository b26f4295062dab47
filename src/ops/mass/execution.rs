//! Working off what was approved: one chunk after the other, each its own transaction with its undo,
//! its intent in the journal and its row in the ledger. What happens between two of
//! them is in `between`.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lag::Lag;
use super::sight::Sight;
use super::{Reins, Unit, Work};
use crate::engine::{EngineError, Stopper};
use crate::incident::entry::{Entry, Outcome, Pacing};
use crate::incident::journal::Journal;
use crate::ops::recover::{
    Desk, Job, Run, Scrutiny, Sent, Short, drifted, ended, keep_undo, rolled_back, run_through,
    send, sit_down, spent, take_back, taken_back, verify,
};
use crate::recovery::fingerprint::fingerprint;
use crate::recovery::mass::{Chunks, Mass, Pace, Progress, Source};
use crate::recovery::{Approval, CheckOutcome, Drift, Execution, Preview, TableWrites, undo};
use crate::value::{counted, thousands};

/// Hears how far it came.
pub type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Chunks that fail one after the other because others are in the way, before it gives up.
const STRIKES: u32 = 8;

/// Works off what was approved.
pub async fn execute(
    job: &Job,
    approval: Approval,
    journal: &Journal,
    reins: &Reins,
    tell: Tell<'_>,
) -> Execution {
    let begun = match (spent(job, approval).await, &job.plan.mass) {
        (Ok(preview), Some(mass)) => Drive::begin(job, mass, preview, journal, reins, tell).await,
        (Err(why), _) => Err(why),
        (Ok(_), None) => Err("this change is not cut into chunks".into()),
    };
    let execution = match begun {
        Ok(mut drive) => {
            let execution = drive.through().await;
            drive.leave().await;
            execution
        }
        Err(why) => not_begun(job, why),
    };
    let execution = ended(journal, job, execution);
    verify(job, execution, journal).await
}

/// Nothing of it was run; what was done before stays.
fn not_begun(job: &Job, why: String) -> Execution {
    match &job.plan.mass {
        Some(mass) if mass.before.keys > 0 => {
            let (done, rows) = (mass.before.keys, mass.before.rows);
            let of = match &mass.source {
                Source::Rest { keys, .. } => keys.count(),
                Source::Artefacts(left) => done + left.iter().map(|one| one.rows).sum::<u64>(),
                Source::Query { .. } => done,
            };
            let progress = Progress { done, of, rows, ..Progress::default() };
            Execution::Halted { op: job.op.clone(), progress, why, drift: None }
        }
        _ => rolled_back(&why, None),
    }
}

/// Why a chunk is not committed.
enum Stopped {
    /// Others were in the way; the same may go through later, or with fewer keys.
    Struck(String),
    /// It must not go on.
    Halt(String, Option<Drift>),
    Unknown(String),
}

impl Stopped {
    fn halt(why: impl Into<String>) -> Self {
        Self::Halt(why.into(), None)
    }
}

pub(super) struct Drive<'a> {
    pub(super) job: &'a Job,
    pub(super) preview: Arc<Preview>,
    pub(super) chunks: Chunks,
    pub(super) journal: &'a Journal,
    pub(super) reins: &'a Reins,
    pub(super) tell: Tell<'a>,
    pub(super) work: Work,
    pub(super) pace: Pace,
    pub(super) progress: Progress,
    pub(super) writes: Vec<TableWrites>,
    pub(super) desk: Option<Desk>,
    pub(super) lag: Lag,
    pub(super) sight: Sight,
    pub(super) told: Option<Instant>,
    /// Chunks that were committed here.
    pub(super) sent: u64,
    /// What the server said last to one of their COMMITs.
    said: String,
    short: Short,
}

impl<'a> Drive<'a> {
    async fn begin(
        job: &'a Job,
        mass: &Mass,
        preview: Arc<Preview>,
        journal: &'a Journal,
        reins: &'a Reins,
        tell: Tell<'a>,
    ) -> Result<Self, String> {
        let chunks = preview.chunks.clone().ok_or("the preview froze no keys")?;
        let work = Work::approved(mass, &chunks)?;
        let desk = sit_down(job, &Stopper::default()).await.map_err(|problem| problem.sentence)?;
        let progress = Progress {
            done: chunks.done,
            of: chunks.done + chunks.left,
            rows: mass.before.rows,
            left_alone: mass.before.left_alone,
            size: chunks.first,
            ..Progress::default()
        };
        Ok(Self {
            job,
            preview,
            work,
            pace: Pace::new(chunks.first, mass.most),
            chunks,
            journal,
            reins,
            tell,
            progress,
            writes: Vec::new(),
            desk: Some(desk),
            lag: Lag::of(job),
            sight: Sight::default(),
            told: None,
            sent: 0,
            said: String::new(),
            short: Short::after(mass.before),
        })
    }

    async fn leave(self) {
        if let Some(desk) = self.desk {
            desk.leave().await;
        }
    }

    /// Until nothing is left, or it must not go on.
    async fn through(&mut self) -> Execution {
        let mut strikes = 0;
        loop {
            if let Some(why) = self.hold().await {
                return self.halted(why, None);
            }
            let unit = match self.unit().await {
                Ok(Some(unit)) => unit,
                Ok(None) => break,
                Err(why) => return self.halted(why, None),
            };
            match self.chunk(&unit).await {
                Ok(()) => strikes = 0,
                Err(Stopped::Struck(why)) => {
                    strikes += 1;
                    if let Err(why) = self.struck(&unit, strikes, why).await {
                        return self.halted(why, None);
                    }
                    continue;
                }
                Err(Stopped::Halt(why, drift)) => return self.halted(why, drift),
                Err(Stopped::Unknown(why)) => {
                    return Execution::Unknown { op: self.job.op.clone(), why };
                }
            }
            // What is left to say at the end is said by the verification.
            let left = self.progress.done < self.progress.of;
            if left
                && self.of_preview().is_gt()
                && let Err(why) = self.look().await
            {
                return self.halted(why, None);
            }
        }
        let (op, rows) = (self.job.op.clone(), self.progress.rows);
        let writes = std::mem::take(&mut self.writes);
        let mut said = self.short.words(&self.job.plan);
        said.extend(Some(std::mem::take(&mut self.said)).filter(|said| !said.is_empty()));
        let said = said.join("; ");
        Execution::Committed { op, rows, writes, checks: Vec::new(), sound: false, said }
    }

    /// Before the first commit of all this is a rollback like any other.
    fn halted(&mut self, why: String, drift: Option<Drift>) -> Execution {
        if self.progress.done == 0 {
            return rolled_back(&why, drift);
        }
        let (op, progress) = (self.job.op.clone(), self.progress.clone());
        Execution::Halted { op, progress, why, drift }
    }

    /// Where the next chunk stands to the one that was previewed.
    fn of_preview(&self) -> Ordering {
        self.sent.cmp(&self.chunks.idle.chunks)
    }

    fn is_shown(&self) -> bool {
        self.of_preview() == Ordering::Equal
    }

    pub(super) fn next_chunk(&self) -> u64 {
        match &self.work {
            Work::Keys { chunk, .. } => *chunk,
            Work::Artefacts(left) => left.front().map_or(0, |artefact| artefact.chunk),
        }
    }

    // ------------------------------------------------------------------------------------- one chunk

    async fn unit(&mut self) -> Result<Option<Unit>, String> {
        // Up to the one that was previewed they are cut as they were there.
        let previewed = self.job.plan.mass.as_ref().filter(|_| self.of_preview().is_le());
        let most = previewed.map_or(self.pace.size(), |mass| mass.size);
        // New connections where a stopper was used up.
        let desk = match &mut self.desk {
            Some(desk) => desk,
            none => {
                let desk = sit_down(self.job, &Stopper::default()).await;
                none.insert(desk.map_err(|problem| problem.sentence)?)
            }
        };
        let unit = self.work.next(self.job, &mut desk.observe, &desk.tables, most).await;
        unit.map_err(|error| desk.explain(error).to_string())
    }

    async fn chunk(&mut self, unit: &Unit) -> Result<(), Stopped> {
        let start = Instant::now();
        let (run, mark) = match self.up_to_commit(unit).await {
            Ok(ready) => ready,
            Err(stopped) => return Err(self.take_back(stopped).await),
        };
        let Some(desk) = &mut self.desk else { return Err(Stopped::halt("there is no session")) };
        let sent = send(desk, unit.piece(self.job, Scrutiny::Chunk), &mark, &run).await;
        let held = start.elapsed();
        let (outcome, why) = match &sent {
            Sent::Committed(said) => {
                let mut short = Short::default();
                short.and(&run);
                let said = Some(said.clone()).filter(|said| !said.is_empty());
                let said = short.of_chunk(&self.job.plan).into_iter().chain(said);
                (Outcome::Committed, said.collect::<Vec<_>>().join("; "))
            }
            Sent::RolledBack(why) => (Outcome::RolledBack, why.clone()),
            Sent::Unknown(why) => (Outcome::Unknown, why.clone()),
        };
        let (op, chunk) = (self.job.op.clone(), unit.chunk);
        let written = self.journal.append(Entry::ChunkEnded { op, chunk, outcome, why });
        match (sent, written) {
            (Sent::Committed(said), Ok(_)) if said.is_empty() => {}
            (Sent::Committed(said), Ok(_)) => self.said = said,
            // What is not written down is found out again, as after a crash.
            (Sent::Committed(_), Err(error)) => {
                return Err(Stopped::Unknown(format!(
                    "chunk {chunk} is committed, but the journal failed: {error}"
                )));
            }
            (Sent::RolledBack(why), _) => return Err(Stopped::Halt(why, None)),
            (Sent::Unknown(why), _) => return Err(Stopped::Unknown(why)),
        }
        self.went_through(unit, &run, held);
        Ok(())
    }

    /// Runs a chunk, holds it against what was approved, and has everything on disk that a commit
    /// needs.
    async fn up_to_commit(&mut self, unit: &Unit) -> Result<(Run, String), Stopped> {
        let scrutiny = if self.is_shown() { Scrutiny::Full } else { Scrutiny::Chunk };
        let Some(desk) = &mut self.desk else { return Err(Stopped::halt("there is no session")) };
        let run = run_through(desk, unit.piece(self.job, scrutiny)).await;
        let run = run.map_err(|error| struck_or_halted(desk, error))?;
        self.as_approved(unit, &run)?;
        let Some(desk) = &mut self.desk else { return Err(Stopped::halt("there is no session")) };
        let (op, chunk) = (&self.job.op, unit.chunk);
        let name = artefact_name(self.journal, op, chunk);
        let (_, undo) = keep_undo(self.job, &run, &name, self.journal).map_err(Stopped::halt)?;
        let print = &self.preview.fingerprint;
        desk.work.write_ledger(op, chunk, &self.job.actor, print).await.map_err(|error| {
            Stopped::halt(format!("the ledger row of chunk {chunk} could not be written: {error}"))
        })?;
        let mark = desk.ready_to_commit().await;
        let mark = mark.map_err(|error| Stopped::halt(error.to_string()))?;
        let entry = Entry::ChunkSent {
            op: op.clone(),
            chunk,
            keys: unit.size,
            rows: run.rows(),
            back: Some(undo::wanted(&run.written.images)),
            left_alone: run.left_alone,
            undo,
            mark: mark.clone(),
        };
        self.journal.append(entry).map_err(|error| Stopped::halt(error.to_string()))?;
        Ok((run, mark))
    }

    /// The first chunk does exactly what was previewed; the others keep to their keys, which the run
    /// has seen to, and to the tables of the preview.
    fn as_approved(&mut self, unit: &Unit, run: &Run) -> Result<(), Stopped> {
        if !self.is_shown() && run.server != self.preview.server {
            return Err(Stopped::halt(format!(
                "the server is another one: {} at the preview, {} now",
                self.preview.server, run.server
            )));
        }
        if self.of_preview() == Ordering::Less && run.rows() > 0 {
            return Err(Stopped::halt(format!(
                "chunk {} changed nothing at the preview, and would write {} now",
                unit.chunk,
                counted(run.rows(), "row")
            )));
        }
        if self.is_shown() {
            if fingerprint(run.seen()) != self.chunks.print {
                let drift = Some(drifted(&self.preview, run));
                return Err(Stopped::Halt("the data changed since the preview".into(), drift));
            }
            let objections: Vec<String> =
                run.checks.iter().filter_map(CheckOutcome::objection).collect();
            if !objections.is_empty() {
                return Err(Stopped::halt(objections.join("; ")));
            }
            self.sight.begin(&run.checks);
        } else {
            let known = |table: &str| {
                let seen = self.preview.writes.iter().any(|seen| seen.table == table);
                seen || unit.plan.brings_back().any(|images| images.head.table == table)
            };
            let strange = run.written.writes.iter().filter(|writes| !known(&writes.table));
            let differences: Vec<String> = strange
                .map(|TableWrites { table, direct, hidden }| {
                    let (direct, hidden) = (direct.words(), hidden.words());
                    format!(
                        "{table} was not written at the preview: {direct} + {hidden} hidden now"
                    )
                })
                .collect();
            if !differences.is_empty() {
                let why = "a chunk would write where the preview did not".into();
                return Err(Stopped::Halt(why, Some(Drift { differences })));
            }
            let removes = run.beyond.removes();
            let changes = || run.beyond.changes().filter(|_| self.preview.besides.is_none());
            if let Some(beyond) = removes.or_else(changes) {
                let why = "a chunk of the undo would write more than the change wrote".into();
                return Err(Stopped::Halt(why, Some(Drift { differences: vec![beyond] })));
            }
        }
        let (rows, allowed) = (self.progress.rows + run.rows(), self.job.plan.limits.max_rows);
        if rows > allowed && self.job.plan.undoes.is_none() {
            return Err(Stopped::halt(format!(
                "with this chunk it would have written {}, and the runbook allows {}",
                counted(rows, "row"),
                thousands(allowed)
            )));
        }
        if let Some(why) = run.unwatched(&self.preview) {
            return Err(Stopped::halt(format!(
                "a chunk could not be watched as the previewed one was: {why}"
            )));
        }
        Ok(())
    }

    /// Nothing of the chunk stays.
    async fn take_back(&mut self, stopped: Stopped) -> Stopped {
        let Some(desk) = &mut self.desk else { return stopped };
        match stopped {
            Stopped::Halt(why, drift) => {
                Stopped::Halt(taken_back(desk, self.job, why).await, drift)
            }
            stopped => {
                let _ = take_back(desk, self.job, None).await;
                stopped
            }
        }
    }

    fn went_through(&mut self, unit: &Unit, run: &Run, held: Duration) {
        self.work.went_on(unit);
        if unit.cut.is_some() && self.of_preview().is_ge() {
            self.pace.held(unit.size, held);
        }
        for writes in &run.written.writes {
            match self.writes.iter_mut().find(|all| all.table == writes.table) {
                Some(all) => {
                    all.direct = all.direct.plus(writes.direct);
                    all.hidden = all.hidden.plus(writes.hidden);
                }
                None => self.writes.push(writes.clone()),
            }
        }
        // What the chunk of the preview did was seen in its own transaction.
        if !self.is_shown() {
            self.sight.rows += run.rows();
        }
        self.sent += 1;
        let progress = &mut self.progress;
        progress.chunk = unit.chunk;
        progress.done += unit.size;
        progress.here += unit.size;
        progress.rows += run.rows();
        self.short.and(run);
        progress.left_alone = self.short.left_alone;
        progress.working += held;
        progress.held = held;
        progress.size = self.pace.size();
        self.tell(false);
    }

    /// Others wait: fewer keys next time, and a moment for them.
    async fn struck(&mut self, unit: &Unit, strikes: u32, why: String) -> Result<(), String> {
        const MOMENT: Duration = Duration::from_millis(250);
        if strikes > STRIKES {
            return Err(format!("{why}; {STRIKES} times in a row"));
        }
        // What was sat down with a stopper that was used is no use any more.
        if let Some(desk) = self.desk.take() {
            desk.leave().await;
        }
        if self.of_preview().is_gt() {
            self.pace.struck();
        }
        self.progress.size = self.pace.size();
        self.pacing(unit.chunk, Pacing::Smaller, &why)?;
        tokio::time::sleep(MOMENT * strikes).await;
        Ok(())
    }
}

/// What others may hold against a chunk, and what is wrong with it.
fn struck_or_halted(desk: &Desk, error: EngineError) -> Stopped {
    let over = desk.blocked().is_some_and(|blocked| blocked.over.is_some());
    let others = matches!(error, EngineError::Locked { .. } | EngineError::Conflict { .. });
    let struck = others || (over && error == EngineError::Stopped);
    let why = desk.explain(error).to_string();
    if struck { Stopped::Struck(why) } else { Stopped::halt(why) }
}

/// A name that no artefact has: a chunk that was rolled back may be sent again.
fn artefact_name(journal: &Journal, op: &str, chunk: u64) -> String {
    let folder = journal.folder().join("evidence");
    let first = format!("undo-{op}-{chunk}.jsonl");
    if !folder.join(&first).exists() {
        return first;
    }
    format!("undo-{op}-{chunk}-{}.jsonl", journal.head().seq)
}
