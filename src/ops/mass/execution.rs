//! Working off what was approved: one chunk after the other, each its own transaction with its undo,
//! its intent in the journal and its row in the ledger. Between two chunks no transaction is open:
//! there it can be paused or stopped, waits for replicas, and looks whether it helps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Reins, Unit, Work};
use crate::check::Verdict;
use crate::clock;
use crate::dialect::Dialect;
use crate::engine::{EngineError, Stopper};
use crate::incident::entry::{Entry, Outcome, Pacing};
use crate::incident::journal::Journal;
use crate::ops::pressure::Monitor;
use crate::ops::recover::{
    Desk, Job, Run, Scrutiny, Sent, drifted, ended, keep_undo, rolled_back, run_through, send,
    sit_down, take_back, verdicts, verify,
};
use crate::recovery::fingerprint::fingerprint;
use crate::recovery::mass::{Chunks, Mass, Pace, Progress, Rein};
use crate::recovery::{Approval, CheckOutcome, Drift, Execution, Preview, Role, TableWrites};

/// Hears how far it came.
pub type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Chunks that fail one after the other because others are in the way, before it gives up.
const STRIKES: u32 = 8;

/// A look at the checks waits until this many times its own length has passed.
const RARELY: u32 = 20;

/// Works off what was approved.
pub async fn execute(
    job: &Job,
    approval: Approval,
    journal: &Journal,
    reins: &Reins,
    tell: Tell<'_>,
) -> Execution {
    let spent = approval.spend(clock::now());
    let begun = match (spent, &job.plan.mass) {
        (Some(preview), Some(mass)) => Drive::begin(job, mass, preview, journal, reins, tell).await,
        (None, _) => Err("the approval had expired; nothing was run".into()),
        (Some(_), None) => Err("this change is not cut into chunks".into()),
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
    match job.plan.mass.as_ref().map(|mass| mass.before) {
        Some(before) if before.keys > 0 => {
            let done = before.keys;
            let progress = Progress { done, of: done, rows: before.rows, ..Progress::default() };
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

struct Drive<'a> {
    job: &'a Job,
    preview: Arc<Preview>,
    chunks: Chunks,
    journal: &'a Journal,
    reins: &'a Reins,
    tell: Tell<'a>,
    work: Work,
    pace: Pace,
    progress: Progress,
    writes: Vec<TableWrites>,
    desk: Option<Desk>,
    lag: Lag,
    sight: Sight,
    told: Option<Instant>,
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
            if let Err(why) = self.look().await {
                return self.halted(why, None);
            }
        }
        let (op, rows) = (self.job.op.clone(), self.progress.rows);
        let writes = std::mem::take(&mut self.writes);
        Execution::Committed { op, rows, writes, checks: Vec::new(), sound: false }
    }

    /// Before the first commit of all this is a rollback like any other.
    fn halted(&mut self, why: String, drift: Option<Drift>) -> Execution {
        if self.progress.done == 0 {
            return rolled_back(&why, drift);
        }
        let (op, progress) = (self.job.op.clone(), self.progress.clone());
        Execution::Halted { op, progress, why, drift }
    }

    fn is_first(&self) -> bool {
        self.progress.here == 0
    }

    fn next_chunk(&self) -> u64 {
        match &self.work {
            Work::Keys { chunk, .. } => *chunk,
            Work::Artefacts(left) => left.front().map_or(0, |artefact| artefact.chunk),
        }
    }

    // ------------------------------------------------------------------------------------- one chunk

    async fn unit(&mut self) -> Result<Option<Unit>, String> {
        // The first is exactly the one that was previewed.
        let most = if self.is_first() { self.chunks.first } else { self.pace.size() };
        // New connections where a stopper was used up.
        let desk = match &mut self.desk {
            Some(desk) => desk,
            none => {
                let desk = sit_down(self.job, &Stopper::default()).await;
                none.insert(desk.map_err(|problem| problem.sentence)?)
            }
        };
        let unit = self.work.next(self.job, &mut desk.observe, most).await;
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
            Sent::Committed => (Outcome::Committed, ""),
            Sent::RolledBack(why) => (Outcome::RolledBack, why.as_str()),
            Sent::Unknown(why) => (Outcome::Unknown, why.as_str()),
        };
        let (op, chunk, why) = (self.job.op.clone(), unit.chunk, why.to_owned());
        let written = self.journal.append(Entry::ChunkEnded { op, chunk, outcome, why });
        match (sent, written) {
            (Sent::Committed, Ok(_)) => {}
            // What is not written down is found out again, as after a crash.
            (Sent::Committed, Err(error)) => {
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
        let scrutiny = if self.is_first() { Scrutiny::Full } else { Scrutiny::Chunk };
        let Some(desk) = &mut self.desk else { return Err(Stopped::halt("there is no session")) };
        let run = run_through(desk, unit.piece(self.job, scrutiny)).await;
        let run = run.map_err(|error| struck_or_halted(desk, error))?;
        self.as_approved(&run)?;
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
            left_alone: run.left_alone,
            undo,
            mark: mark.clone(),
        };
        self.journal.append(entry).map_err(|error| Stopped::halt(error.to_string()))?;
        Ok((run, mark))
    }

    /// The first chunk does exactly what was previewed; the others keep to their keys, which the run
    /// has seen to, and to the tables of the preview.
    fn as_approved(&mut self, run: &Run) -> Result<(), Stopped> {
        if self.is_first() {
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
        } else if self.job.plan.undoes.is_none() {
            let known = |table: &str| self.preview.writes.iter().any(|seen| seen.table == table);
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
        }
        let (rows, allowed) = (self.progress.rows + run.rows(), self.job.plan.limits.max_rows);
        if rows > allowed && self.job.plan.undoes.is_none() {
            return Err(Stopped::halt(format!(
                "with this chunk it would have written {rows} rows, and the runbook allows {allowed}"
            )));
        }
        if let Some(why) = run.written.blind.first().filter(|_| !self.is_first()) {
            return Err(Stopped::halt(format!(
                "a chunk could not be watched as the first was: {why}"
            )));
        }
        Ok(())
    }

    /// Nothing of the chunk stays.
    async fn take_back(&mut self, stopped: Stopped) -> Stopped {
        let Some(desk) = &mut self.desk else { return stopped };
        match (take_back(desk, None).await, stopped) {
            (Err(doubt), Stopped::Halt(why, drift)) => {
                Stopped::Halt(format!("{why} (rolled back; the proof failed: {doubt})"), drift)
            }
            (_, stopped) => stopped,
        }
    }

    fn went_through(&mut self, unit: &Unit, run: &Run, held: Duration) {
        self.work.went_on(unit);
        if unit.cut.is_some() {
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
        // What the first chunk did was seen in its own transaction.
        if !self.is_first() {
            self.sight.rows += run.rows();
        }
        let progress = &mut self.progress;
        progress.chunk = unit.chunk;
        progress.done += unit.size;
        progress.here += unit.size;
        progress.rows += run.rows();
        progress.left_alone += run.left_alone;
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
        if !self.is_first() {
            self.pace.struck();
        }
        self.progress.size = self.pace.size();
        self.pacing(unit.chunk, Pacing::Smaller, &why)?;
        tokio::time::sleep(MOMENT * strikes).await;
        Ok(())
    }

    // ---------------------------------------------------------------------------- between two chunks

    /// Waits while it is to wait; says why it must not go on.
    async fn hold(&mut self) -> Option<String> {
        let mut paused = false;
        let mut waiting = false;
        loop {
            let chunk = self.next_chunk();
            let noted = match self.reins.now() {
                Rein::Stop(why) => return Some(why.into()),
                Rein::Pause if paused => Ok(()),
                Rein::Pause => {
                    paused = true;
                    self.waits(Some("by the operator".into()));
                    self.pacing(chunk, Pacing::Paused, "by the operator")
                }
                Rein::Go if paused => {
                    paused = false;
                    self.waits(None);
                    self.pacing(chunk, Pacing::Continued, "by the operator")
                }
                Rein::Go => Ok(()),
            };
            if let Err(why) = noted {
                return Some(why);
            }
            if paused {
                self.reins.other_than(Rein::Pause).await;
                continue;
            }
            match self.lag.look().await {
                Some(why) => {
                    if !waiting && let Err(why) = self.pacing(chunk, Pacing::Waits, &why) {
                        return Some(why);
                    }
                    waiting = true;
                    self.waits(Some(why));
                    let pulled = self.reins.other_than(Rein::Go);
                    let _ = tokio::time::timeout(Lag::EVERY, pulled).await;
                }
                None if waiting => {
                    self.waits(None);
                    let why = "the replicas have caught up";
                    return self.pacing(chunk, Pacing::GoesOn, why).err();
                }
                None => return None,
            }
        }
    }

    fn waits(&mut self, why: Option<String>) {
        self.progress.paused = why;
        self.tell(true);
    }

    fn pacing(&self, chunk: u64, pacing: Pacing, why: &str) -> Result<(), String> {
        let (op, why) = (self.job.op.clone(), why.to_owned());
        let entry = Entry::Paced { op, chunk, pacing, why };
        self.journal.append(entry).map(drop).map_err(|error| error.to_string())
    }

    /// More often than an eye can follow is of no use.
    fn tell(&mut self, at_once: bool) {
        const EVERY: Duration = Duration::from_millis(250);
        let due = self.told.is_none_or(|told| told.elapsed() >= EVERY);
        if at_once || due {
            self.told = Some(Instant::now());
            self.progress.checks.clone_from(&self.sight.last);
            (self.tell)(self.progress.clone());
        }
    }

    /// Whether it helps: what is to be cured falls, and nothing else becomes worse.
    async fn look(&mut self) -> Result<(), String> {
        if !self.sight.is_due() || self.job.plan.undoes.is_some() {
            return Ok(());
        }
        let Some(desk) = &mut self.desk else { return Ok(()) };
        let start = Instant::now();
        desk.observe.begin_snapshot().await.map_err(|error| error.to_string())?;
        let now = verdicts(&mut desk.observe, &self.job.plan).await;
        desk.observe.rollback().await.map_err(|error| error.to_string())?;
        self.sight.judge(now, start.elapsed())
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

/// What the checks say as it goes on.
#[derive(Default)]
struct Sight {
    /// By check: its role, what it said first, and what it said last.
    first: Vec<(String, Role, Verdict)>,
    last: Vec<(String, Verdict)>,
    /// Rows written since.
    rows: u64,
    looked: Option<(Instant, Duration)>,
}

impl Sight {
    /// From what was asked inside the first chunk.
    fn begin(&mut self, checks: &[CheckOutcome]) {
        let first = |one: &CheckOutcome| (one.check.clone(), one.role, one.before.clone());
        self.first = checks.iter().map(first).collect();
        self.last = checks.iter().map(|one| (one.check.clone(), one.after.clone())).collect();
        self.rows = 0;
        self.looked = Some((Instant::now(), Duration::ZERO));
    }

    fn is_due(&self) -> bool {
        self.looked.is_none_or(|(at, took)| at.elapsed() >= took * RARELY)
    }

    fn judge(&mut self, now: Vec<Verdict>, took: Duration) -> Result<(), String> {
        self.looked = Some((Instant::now(), took));
        let rows = std::mem::take(&mut self.rows);
        let before = std::mem::take(&mut self.last);
        let mut objections = Vec::new();
        for (((check, role, first), (_, last)), now) in self.first.iter().zip(before).zip(now) {
            // A neighbour is held against the beginning, a cure against the last look.
            let before = if *role == Role::Neighbour { first.clone() } else { last };
            let (check, role, after) = (check.clone(), *role, now.clone());
            self.last.push((check.clone(), now));
            let judged = CheckOutcome { check, role, before, after };
            let idle = rows == 0 && role == Role::Falls;
            objections.extend(judged.objection().filter(|_| !idle));
        }
        if objections.is_empty() {
            return Ok(());
        }
        Err(format!("it does not help: {}", objections.join("; ")))
    }
}

/// How far replicas are behind, asked once a second at most.
struct Lag {
    monitor: Option<Monitor>,
    most: Duration,
    asked: Option<Instant>,
    why: Option<String>,
}

impl Lag {
    const EVERY: Duration = Duration::from_secs(1);

    fn of(job: &Job) -> Self {
        let server = job.target.url.dialect != Dialect::Sqlite;
        let monitor = server.then(|| Monitor::new(job.target.clone()));
        Self { monitor, most: job.target.max_lag, asked: None, why: None }
    }

    /// Why it is to wait, if so. What cannot be seen holds up nobody.
    async fn look(&mut self) -> Option<String> {
        let monitor = self.monitor.as_mut()?;
        if self.asked.is_some_and(|asked| asked.elapsed() < Self::EVERY) {
            return self.why.clone();
        }
        self.asked = Some(Instant::now());
        let pressure = monitor.look().await.ok()?;
        let behind = pressure.replicas.iter().filter(|lag| lag.behind > Some(self.most));
        let words = behind.map(|lag| {
            let behind = lag.behind.unwrap_or_default().as_secs_f64();
            let most = self.most.as_secs_f64();
            format!("replica {} is {behind:.1} s behind, and {most:.1} s are allowed", lag.replica)
        });
        self.why = words.reduce(|all, one| format!("{all}; {one}"));
        self.why.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::check::Count;

    fn violated(number: u64) -> Verdict {
        Verdict::Violated { violations: Count::Exact(number) }
    }

    fn sight() -> Sight {
        let mut sight = Sight::default();
        let one = |check: &str, role, before, after| CheckOutcome {
            check: check.into(),
            role,
            before: violated(before),
            after: violated(after),
        };
        sight.begin(&[one("unsent", Role::Falls, 100, 90), one("unpaid", Role::Neighbour, 7, 7)]);
        sight
    }

    #[test]
    fn it_goes_on_while_violations_fall_and_neighbours_do_not_worsen() {
        let mut sight = sight();
        sight.rows = 10;
        sight.judge(vec![violated(80), violated(6)], Duration::ZERO).unwrap();
        sight.rows = 10;
        sight.judge(vec![violated(70), violated(7)], Duration::ZERO).unwrap();
    }

    #[test]
    fn it_stops_when_violations_do_not_fall_although_rows_were_written() {
        let mut sight = sight();
        sight.judge(vec![violated(90), violated(7)], Duration::ZERO).unwrap();
        sight.rows = 10;
        let why = sight.judge(vec![violated(90), violated(7)], Duration::ZERO).unwrap_err();
        assert!(why.contains("unsent would not fall"), "{why}");
    }

    #[test]
    fn it_stops_when_a_neighbour_worsens() {
        let mut sight = sight();
        sight.rows = 10;
        let why = sight.judge(vec![violated(80), violated(8)], Duration::ZERO).unwrap_err();
        assert!(why.contains("unpaid would get worse: 7 to 8"), "{why}");
    }

    #[test]
    fn a_check_that_takes_long_is_asked_rarely() {
        let mut sight = sight();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
        sight.looked = Some((long_ago, Duration::from_secs(1)));
        assert!(!sight.is_due());
        sight.looked = Some((long_ago, Duration::from_millis(100)));
        assert!(sight.is_due());
    }
}
