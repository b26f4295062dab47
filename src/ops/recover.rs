//! Recovery at work: one function runs a plan in a transaction, and its ending is either a rollback
//! (a preview) or a commit under an approval (the execution). So a preview cannot lie about what an
//! execution does.
//!
//! No transaction waits for a person: both endings come at once. Rollback and commit are awaited and
//! proved. Every entry is in the journal before the effect it announces.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::connect::{READ_LOCK_WAIT, connect, plain, prove};
use super::detect;
use super::images::{Written, aside, written};
use super::pressure::{Blocked, LockBudget, LockWatch};
use super::rehearse::{Stage, differing, rehearse_undo};
use super::restore::{Limit, PutBack, restore_all};
use crate::check::{Check, Verdict};
use crate::clock;
use crate::config::Target;
use crate::dialect::Dialect;
use crate::engine::{Capability, EngineError, Purpose, Receipt, Session, Stopper, Table};
use crate::incident::entry::{Deed, Entry, Outcome};
use crate::incident::journal::Journal;
use crate::problem::Problem;
use crate::recovery::fingerprint::{Seen, drift, fingerprint};
use crate::recovery::{
    Approval, CheckOutcome, Conflict, Drift, Execution, Plan, Planned, Preview, Role,
    StatementOutcome, TableWrites, Tally, UndoRehearsal, undo,
};
use crate::sql::{self, Verb};
use crate::value::Rows;

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

/// What one run of a plan did, before it ends.
struct Run {
    server: String,
    statements: Vec<StatementOutcome>,
    written: Written,
    checks: Vec<CheckOutcome>,
    remaining: Vec<(String, Rows)>,
    conflicts: Vec<Conflict>,
    left_alone: u64,
    warnings: Vec<String>,
    /// References that point nowhere once the plan was run.
    broken: u64,
}

impl Run {
    fn seen(&self) -> Seen<'_> {
        Seen {
            server: &self.server,
            statements: &self.statements,
            writes: &self.written.writes,
            images: &self.written.images,
        }
    }
}

/// The two connections of a recovery and what they know.
struct Desk {
    work: Session,
    observe: Session,
    tables: Vec<Table>,
    server: String,
    /// Why the outcome of a commit could not be written down with it, if so.
    no_ledger: Option<String>,
    /// Whom the open transaction holds up.
    locks: Option<LockWatch>,
    stopper: Stopper,
}

impl Desk {
    /// From now on, whoever waits for us is counted.
    async fn watch_locks(&mut self, job: &Job) -> Result<(), EngineError> {
        if job.target.url.dialect == Dialect::Sqlite {
            // One lock on a file that nobody asks about: others wait as long as they chose to.
            return Ok(());
        }
        let mark = self.work.mark().await?;
        let limits = job.plan.limits;
        let budget = LockBudget { sessions: limits.max_blocked, longest: limits.time_cap / 2 };
        let quiet = Stopper::default();
        let session = connect(&job.target, Purpose::Detect, READ_LOCK_WAIT, &quiet).await;
        let session =
            session.map_err(|problem| EngineError::Refused { message: problem.sentence })?;
        self.locks = Some(LockWatch::begin(session, mark, budget, self.stopper.clone()));
        Ok(())
    }

    fn blocked(&self) -> Option<Blocked> {
        self.locks.as_ref().map(LockWatch::seen)
    }

    /// Stopping was our own doing when too many waited for us.
    fn explain(&self, error: EngineError) -> EngineError {
        match (error, self.blocked().and_then(|blocked| blocked.over)) {
            (EngineError::Stopped, Some(over)) => EngineError::Refused { message: over },
            (error, _) => error,
        }
    }

    /// Lets the observer go and names the transaction.
    async fn ready_to_commit(&mut self) -> Result<String, EngineError> {
        // A reader of ours must not be what COMMIT waits for (rollback-journal files).
        self.observe.rollback().await?;
        self.work.mark().await
    }
}

async fn sit_down(job: &Job, stopper: &Stopper) -> Result<Desk, Problem> {
    let failed = |error: EngineError| plain(&error, &job.target.name);
    let lock_wait = job.plan.limits.lock_wait;
    let mut work = connect(&job.target, Purpose::Work, lock_wait, stopper).await?;
    let identity = prove(&mut work, &job.target, Some(&job.server)).await?;
    if let Some(why) = super::connect::no_writes(&job.target, &identity) {
        return Err(Problem::refused(why));
    }
    // The proof must work when the operator has stopped the work.
    let observe =
        connect(&job.target, Purpose::Detect, READ_LOCK_WAIT, &Stopper::default()).await?;
    let tables = work.tables().await.map_err(failed)?;
    let (locks, stopper) = (None, stopper.clone());
    let no_ledger = match identity.badge.in_doubt {
        Capability::None(why) => Some(why),
        Capability::Full | Capability::Partial(_) => None,
    };
    Ok(Desk { work, observe, tables, server: identity.server, no_ledger, locks, stopper })
}

/// Runs a plan for real and takes everything back at once.
pub async fn preview(job: &Job, stopper: &Stopper) -> Result<Preview, Problem> {
    let mut desk = sit_down(job, stopper).await?;
    let start = Instant::now();
    let at = clock::now();
    let outcome = rehearse(&mut desk, job).await;
    let locks = desk.work.lock_words().await;
    let leaves_behind = desk.work.leaves_behind().await;
    let proof = take_back(&mut desk, outcome.as_ref().ok().map(|(run, _)| run)).await;
    let seconds = start.elapsed().as_secs_f64();
    let locks = locks.unwrap_or_else(|error| error.to_string());
    let waited = desk.blocked().map_or_else(String::new, |seen| format!("; {}", seen.words()));
    let locks = format!("{locks}, held for {seconds:.2} s{waited}");
    let leaves_behind = leaves_behind.unwrap_or_default();
    let no_ledger = desk.no_ledger.take();
    desk.work.close().await;
    desk.observe.close().await;
    let (run, undo) = outcome.map_err(|problem| match &proof {
        Ok(_) => problem,
        Err(why) => problem.hint(format!("the rollback could not be proved: {why}")),
    })?;
    let ending = Ending { at, seconds, locks, leaves_behind, no_ledger, proof };
    Ok(make_preview(job, run, undo, ending))
}

struct Ending {
    at: Timestamp,
    seconds: f64,
    locks: String,
    leaves_behind: Vec<String>,
    no_ledger: Option<String>,
    proof: Result<String, String>,
}

fn make_preview(job: &Job, run: Run, undo: UndoRehearsal, ending: Ending) -> Preview {
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
        undo,
        locks: ending.locks,
        seconds: ending.seconds,
        leaves_behind: ending.leaves_behind,
        warnings: run.warnings,
        proof: ending.proof,
        fingerprint,
        refused: Vec::new(),
    };
    let rows = preview.rows();
    let refused = &mut preview.refused;
    refused.extend(super::connect::policy(&job.target));
    refused.extend(ending.no_ledger);
    if let Err(why) = &preview.proof {
        refused.push(format!("the rollback could not be proved: {why}"));
    }
    if rows == 0 {
        refused.push("it changes nothing".into());
    }
    if rows > job.plan.limits.max_rows {
        let allowed = job.plan.limits.max_rows;
        refused.push(format!("it writes {rows} rows, and the runbook allows {allowed}"));
    }
    refused.extend(preview.checks.iter().filter_map(CheckOutcome::objection));
    preview
}

async fn rehearse(desk: &mut Desk, job: &Job) -> Result<(Run, UndoRehearsal), Problem> {
    let start = Instant::now();
    let run = run_through(desk, job).await;
    let run = run.map_err(|error| plain(&desk.explain(error), &job.target.name))?;
    // It must not be the rehearsal that makes a change run into its time cap.
    let cap = job.plan.limits.time_cap;
    let time = (cap / 3).min(cap.saturating_sub(start.elapsed()) / 2);
    let Desk { work, observe, tables, .. } = desk;
    let undo = rehearse_undo(Stage { work, observe, tables }, &run.written, run.broken, time).await;
    Ok((run, undo))
}

/// The same from its start again when another transaction was in the way: nothing of it stays, and
/// nothing was committed.
async fn run_through(desk: &mut Desk, job: &Job) -> Result<Run, EngineError> {
    const TRIES: usize = 3;
    let mut outcome = run(desk, job).await;
    for _ in 1..TRIES {
        if !matches!(outcome, Err(EngineError::Conflict { .. })) {
            break;
        }
        desk.locks = None;
        desk.work.rollback().await?;
        desk.observe.rollback().await?;
        outcome = run(desk, job).await;
    }
    outcome
}

/// Everything but the ending: statements, counts, images, checks.
async fn run(desk: &mut Desk, job: &Job) -> Result<Run, EngineError> {
    let Desk { work, observe, tables, .. } = desk;
    let texts: Vec<String> = job.plan.actions.iter().filter_map(Planned::text).collect();
    // Whoever made the plan: what is no single change of rows gets nowhere near a server.
    for text in &texts {
        sql::write(text, work.dialect())
            .map_err(|refusal| EngineError::Refused { message: refusal.sentence })?;
    }
    let objections = work.objections(&texts).await?;
    if !objections.is_empty() {
        return Err(EngineError::Refused { message: objections.join("; ") });
    }
    let time_cap = job.plan.limits.time_cap;
    let mut warnings = work.begin_watched(observe, tables, &job.op, time_cap).await?;
    desk.watch_locks(job).await?;
    let Desk { work, observe, tables, server, .. } = desk;
    let before = verdicts(observe, &job.plan).await;
    let mut direct: HashMap<String, Tally> = HashMap::new();
    let Acted { statements, conflicts, left_alone } =
        act(work, tables, &job.plan, &mut direct).await?;
    let written = written(work, observe, &direct).await?;
    let names: Vec<String> = written.writes.iter().map(|writes| writes.table.clone()).collect();
    let broken = (observe.broken_references(&names).await?, work.broken_references(&names).await?);
    if broken.1 > broken.0 {
        let message = format!("{} references would point nowhere", broken.1 - broken.0);
        return Err(EngineError::Rejected { message });
    }
    if written.unchanged > 0 {
        warnings.push(format!("{} rows are written with the values they have", written.unchanged));
    }
    for blind in &written.blind {
        if !warnings.contains(blind) {
            warnings.push(blind.clone());
        }
    }
    warnings.extend(work.warnings());
    let (checks, remaining) = compare(work, &job.plan, before).await;
    let server = server.clone();
    let broken = broken.1;
    Ok(Run {
        server,
        statements,
        written,
        checks,
        remaining,
        conflicts,
        left_alone,
        warnings,
        broken,
    })
}

async fn verdicts(session: &mut Session, plan: &Plan) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for check in plan.cures.iter().chain(&plan.must_not_worsen) {
        verdicts.push(detect::ask(session, check, detect::KEPT_ROWS).await.verdict);
    }
    verdicts
}

async fn compare(
    work: &mut Session,
    plan: &Plan,
    before: Vec<Verdict>,
) -> (Vec<CheckOutcome>, Vec<(String, Rows)>) {
    let undoing = plan.undoes.is_some();
    let role = |role| if undoing { Role::Shown } else { role };
    let cures = plan.cures.iter().map(|check| (check, role(Role::Cure)));
    let neighbours = plan.must_not_worsen.iter().map(|check| (check, role(Role::Neighbour)));
    let mut outcomes = Vec::new();
    let mut remaining = Vec::new();
    for ((check, role), before) in cures.chain(neighbours).zip(before) {
        let finding = detect::ask(work, check, detect::KEPT_ROWS).await;
        let outcome =
            CheckOutcome { check: check.id.clone(), role, before, after: finding.verdict };
        if outcome.objection().is_some() && !finding.rows.is_empty() {
            remaining.push((check.id.clone(), finding.rows));
        }
        outcomes.push(outcome);
    }
    (outcomes, remaining)
}

/// What the plan's actions did.
#[derive(Default)]
struct Acted {
    statements: Vec<StatementOutcome>,
    conflicts: Vec<Conflict>,
    left_alone: u64,
}

/// Runs the plan's actions and counts what each did directly.
async fn act(
    work: &mut Session,
    tables: &[Table],
    plan: &Plan,
    direct: &mut HashMap<String, Tally>,
) -> Result<Acted, EngineError> {
    let mut acted = Acted::default();
    for action in &plan.actions {
        match action {
            Planned::Sql { note, sql, verb, table } => {
                let start = Instant::now();
                let rows = work.execute(sql).await?;
                let tally = direct.entry(known_name(tables, table)).or_default();
                *tally = tally.plus(counted(*verb, rows));
                let seconds = start.elapsed().as_secs_f64();
                let (note, sql) = (note.clone(), sql.clone());
                acted.statements.push(StatementOutcome { note, sql, rows, seconds });
            }
            Planned::PutBack(images) => {
                let done = restore_all(work, tables, images, Limit::NONE).await?;
                acted.put_back(done, direct);
            }
        }
    }
    Ok(acted)
}

impl Acted {
    /// An undo is one line of the preview a table.
    fn put_back(&mut self, done: PutBack, direct: &mut HashMap<String, Tally>) {
        for (table, tally, seconds) in done.tables {
            let entry = direct.entry(table.clone()).or_default();
            *entry = entry.plus(tally);
            let note = "only rows that still hold what the change wrote".into();
            let sql = format!("put back rows of {table}");
            self.statements.push(StatementOutcome { note, sql, rows: tally.total(), seconds });
        }
        self.conflicts = done.conflicts;
        self.left_alone = done.left_alone;
    }
}

fn counted(verb: Verb, rows: u64) -> Tally {
    match verb {
        Verb::Insert => Tally { inserted: rows, ..Tally::default() },
        Verb::Update => Tally { updated: rows, ..Tally::default() },
        Verb::Delete => Tally { deleted: rows, ..Tally::default() },
    }
}

/// The table's name as the catalogue has it, for one that a statement wrote in its own way.
fn known_name(tables: &[Table], written: &str) -> String {
    let plain = |name: &str| name.replace(['"', '`', '[', ']'], "").to_lowercase();
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let wanted = plain(written);
    let same = |table: &&Table| plain(&table.name) == wanted;
    let near = |table: &&Table| last(&plain(&table.name)) == last(&wanted);
    let found = tables.iter().find(same).or_else(|| tables.iter().find(near));
    found.map_or(wanted.clone(), |table| table.name.clone())
}

/// Rolls back and proves from the other connection that nothing stayed.
async fn take_back(desk: &mut Desk, run: Option<&Run>) -> Result<String, String> {
    let Desk { work, observe, tables, .. } = desk;
    let why = match work.take_back(observe).await.map_err(|error| error.to_string())? {
        Receipt::Proved(how) => return Ok(how),
        Receipt::CompareRows(why) => why,
    };
    let Some(run) = run else { return Err(why) };
    for images in &run.written.images {
        for rows in images.rows.chunks() {
            let rows = rows.map_err(|error| aside(&error).to_string())?;
            let differing = differing(observe, tables, images, &rows).await;
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

/// Runs an approved plan again and commits it, if it does exactly what was previewed.
pub async fn execute(
    job: &Job,
    approval: Approval,
    journal: &Journal,
    stopper: &Stopper,
) -> Execution {
    let Some(preview) = approval.spend(clock::now()) else {
        return ended(journal, job, rolled_back("the approval had expired; nothing was run", None));
    };
    let mut desk = match sit_down(job, stopper).await {
        Ok(desk) => desk,
        Err(problem) => return ended(journal, job, rolled_back(&problem.sentence, None)),
    };
    let prepared = prepare(&mut desk, job, &preview, journal).await;
    let execution = match prepared {
        Ok(run) => commit(&mut desk, job, &run, journal).await,
        Err((why, drift)) => {
            let why = match take_back(&mut desk, None).await {
                Ok(_) => why,
                Err(doubt) => format!("{why} (rolled back; the proof failed: {doubt})"),
            };
            rolled_back(&why, drift)
        }
    };
    desk.work.close().await;
    desk.observe.close().await;
    let execution = ended(journal, job, execution);
    verify(job, execution, journal).await
}

fn rolled_back(why: &str, drift: Option<Drift>) -> Execution {
    Execution::RolledBack { why: why.to_owned(), drift }
}

/// Everything up to the moment before COMMIT.
async fn prepare(
    desk: &mut Desk,
    job: &Job,
    preview: &Preview,
    journal: &Journal,
) -> Result<Run, (String, Option<Drift>)> {
    let run =
        run_through(desk, job).await.map_err(|error| (desk.explain(error).to_string(), None))?;
    if fingerprint(run.seen()) != preview.fingerprint {
        let then = Seen {
            server: &preview.server,
            statements: &preview.statements,
            writes: &preview.writes,
            images: &preview.images,
        };
        let drift = drift(then, run.seen());
        return Err(("the data changed since the preview".into(), Some(drift)));
    }
    let objections: Vec<String> = run.checks.iter().filter_map(CheckOutcome::objection).collect();
    if !objections.is_empty() {
        return Err((objections.join("; "), None));
    }
    keep_undo(job, &run, journal).map_err(|why| (why, None))?;
    let print = &preview.fingerprint;
    let ledger = desk.work.write_ledger(&job.op, &job.actor, print).await;
    ledger.map_err(|error| (format!("the ledger row could not be written: {error}"), None))?;
    Ok(run)
}

/// The undo artefact, on disk and synced before COMMIT is sent.
fn keep_undo(job: &Job, run: &Run, journal: &Journal) -> Result<(), String> {
    let images = &run.written.images;
    let header = undo::Header {
        op: job.op.clone(),
        step: job.plan.step.clone(),
        target: job.plan.target.clone(),
        server: run.server.clone(),
        tables: undo::heads(images),
    };
    let rows = images.iter().map(|images| images.rows.len()).sum();
    let evidence = journal
        .keep_written(&format!("undo-{}.jsonl", job.op), |out| undo::write(out, &header, images))
        .map_err(|error| format!("the undo could not be written: {error}"))?;
    let entry = Entry::UndoWritten { op: job.op.clone(), rows, evidence };
    journal.append(entry).map(drop).map_err(|error| error.to_string())
}

async fn commit(desk: &mut Desk, job: &Job, run: &Run, journal: &Journal) -> Execution {
    let sent = match desk.ready_to_commit().await {
        Ok(mark) => journal
            .append(Entry::CommitSent { op: job.op.clone(), mark: mark.clone() })
            .map(|_| mark)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let mark = match sent {
        Ok(mark) => mark,
        Err(why) => {
            let _ = take_back(desk, None).await;
            return rolled_back(&why, None);
        }
    };
    let writes = run.written.writes.clone();
    let rows = writes.iter().map(|writes| writes.direct.plus(writes.hidden).total()).sum();
    let op = job.op.clone();
    match desk.work.commit().await {
        Ok(()) => Execution::Committed { op, rows, writes, checks: Vec::new(), sound: false },
        // The lock was not to be had: the transaction is still open, so it can be taken back.
        Err(
            error @ (EngineError::Locked { .. }
            | EngineError::Rejected { .. }
            | EngineError::Conflict { .. }),
        ) => match take_back(desk, Some(run)).await {
            Ok(_) => rolled_back(&error.to_string(), None),
            Err(doubt) => Execution::Unknown { op, why: format!("{error}; {doubt}") },
        },
        Err(error) => find_out(job, &mark, writes, rows, &error).await,
    }
}

/// The answer to COMMIT did not come: asks the server until it can say what became of it.
async fn find_out(
    job: &Job,
    mark: &str,
    writes: Vec<TableWrites>,
    rows: u64,
    error: &EngineError,
) -> Execution {
    /// A server that restarts needs a moment; later the operator asks again.
    const PATIENCE: [u64; 5] = [0, 1, 2, 4, 8];
    let op = job.op.clone();
    let mut why = error.to_string();
    for seconds in PATIENCE {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let mark = Some(mark).filter(|mark| !mark.is_empty());
        match super::resolve::resolve(&job.target, &job.server, &op, mark).await {
            Ok((Outcome::Committed, _)) => {
                return Execution::Committed { op, rows, writes, checks: Vec::new(), sound: false };
            }
            Ok((Outcome::RolledBack, how)) => return rolled_back(&format!("{error}; {how}"), None),
            Ok((Outcome::Unknown, doubt)) => why = format!("{error}; {doubt}"),
            Err(problem) => why = format!("{error}; {}", problem.sentence),
        }
    }
    Execution::Unknown { op, why }
}

/// Writes the outcome down. If even that fails, the screen says so; resuming finds the outcome.
fn ended(journal: &Journal, job: &Job, execution: Execution) -> Execution {
    let (outcome, rows, why, drift) = match &execution {
        Execution::Committed { rows, .. } => (Outcome::Committed, *rows, String::new(), None),
        Execution::RolledBack { why, drift } => {
            (Outcome::RolledBack, 0, why.clone(), drift.clone())
        }
        Execution::Unknown { why, .. } => (Outcome::Unknown, 0, why.clone(), None),
    };
    let (step, op, deed) = (job.plan.step.clone(), job.op.clone(), job.deed());
    match journal.append(Entry::Ended { step, op: op.clone(), deed, outcome, rows, why, drift }) {
        Ok(_) => execution,
        Err(error) => Execution::Unknown {
            op,
            why: format!("{} in the database, but the journal failed: {error}", outcome.word()),
        },
    }
}

/// Checks again on a new connection, after COMMIT.
pub async fn verify(job: &Job, execution: Execution, journal: &Journal) -> Execution {
    let Execution::Committed { op, rows, writes, .. } = execution else { return execution };
    let (checks, sound) = verified(job).await;
    let (step, checks_kept) = (job.plan.step.clone(), checks.clone());
    let entry = Entry::Verified { step, op: op.clone(), checks: checks_kept, sound };
    let sound = sound && journal.append(entry).is_ok();
    Execution::Committed { op, rows, writes, checks, sound }
}

async fn verified(job: &Job) -> (Vec<(String, Verdict)>, bool) {
    let undoing = job.plan.undoes.is_some();
    let checks: Vec<&Check> = job.plan.cures.iter().collect();
    let mut sound = true;
    let mut verdicts = Vec::new();
    for check in checks {
        let finding = detect::detect(&job.target, check, 1, None, &Stopper::default()).await;
        sound &= undoing || finding.verdict.is_clear();
        verdicts.push((check.id.clone(), finding.verdict));
    }
    (verdicts, sound)
}
