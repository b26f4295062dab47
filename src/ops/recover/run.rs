//! One run of a plan in an open transaction: statements, counts, images, checks. Everything but the
//! ending.

use std::collections::HashMap;
use std::time::Instant;

use super::{Desk, Job};
use crate::check::Verdict;
use crate::dialect::Dialect;
use crate::engine::{EngineError, Session, Table};
use crate::ops::detect;
use crate::ops::images::{Cut, Written, aside, written};
use crate::ops::restore::{Limit, PutBack, restore_all};
use crate::recovery::fingerprint::Seen;
use crate::recovery::mass::Before;
use crate::recovery::undo::{Beyond, NAMED, TOLD, named};
use crate::recovery::{
    CheckOutcome, Conflict, Plan, Planned, Preview, Role, StatementOutcome, TableHead, TableImages,
    Tally, UndoRehearsal,
};
use crate::sql::{self, Verb};
use crate::value;
use crate::value::{Rows, thousands};

/// Of the change that is taken back.
const UNSEEN: &str = "what the change wrote could not all be seen";
const TRIED: &str = "when the change was made, its undo was tried, and ";

/// What is run: a whole plan, or the plan of one chunk of it.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    pub job: &'a Job,
    pub plan: &'a Plan,
    /// 0 for a whole plan.
    pub chunk: u64,
    pub scrutiny: Scrutiny,
    /// The keys of a chunk; of an undo there are none.
    pub cut: Option<&'a Cut>,
}

/// What is asked besides running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scrutiny {
    /// The server's objections beforehand, and every check before and after.
    Full,
    /// Nothing that was asked of a chunk before it.
    Chunk,
}

impl<'a> Piece<'a> {
    pub fn whole(job: &'a Job) -> Self {
        Self { job, plan: &job.plan, chunk: 0, scrutiny: Scrutiny::Full, cut: None }
    }
}

/// What one run of a plan did, before it ends.
pub struct Run {
    pub server: String,
    pub statements: Vec<StatementOutcome>,
    pub written: Written,
    pub checks: Vec<CheckOutcome>,
    pub remaining: Vec<(String, Rows)>,
    pub conflicts: Vec<Conflict>,
    pub left_alone: u64,
    /// Of these, rows that nobody changed.
    pub for_others: u64,
    /// Whether the database refuses some of these.
    pub refuses: bool,
    /// Of an undo: what became of rows that are none of its own.
    pub beyond: Beyond,
    pub warnings: Vec<String>,
    /// References that point nowhere once the plan was run.
    pub broken: u64,
}

impl Run {
    /// Rows written directly and besides.
    pub fn rows(&self) -> u64 {
        let all = self.written.writes.iter();
        all.map(|writes| writes.direct.plus(writes.hidden).total()).sum()
    }

    /// Why rows may be written that the undo does not hold, though that of the preview did. Whoever typed
    /// that there is no undo agreed to that.
    pub fn unwatched(&self, preview: &Preview) -> Option<&str> {
        let had_undo = preview.undo.impossible.is_none();
        self.written.blind.first().filter(|_| had_undo).map(String::as_str)
    }

    pub fn seen(&self) -> Seen<'_> {
        Seen {
            server: &self.server,
            statements: &self.statements,
            writes: &self.written.writes,
            images: &self.written.images,
        }
    }
}

/// What an undo has not brought back, and what it wrote besides.
#[derive(Debug, Default)]
pub struct Short {
    pub left_alone: u64,
    /// Of these, rows that nobody changed: they come back with others or not at all.
    for_others: u64,
    refuses: bool,
    /// The first rows of these.
    first: Vec<String>,
    besides: Option<String>,
}

impl Short {
    pub fn after(before: Before) -> Self {
        Self { left_alone: before.left_alone, ..Self::default() }
    }

    /// With what one more run of it did.
    pub fn and(&mut self, run: &Run) {
        self.left_alone += run.left_alone;
        self.for_others += run.for_others;
        self.refuses |= run.refuses;
        let room = TOLD.saturating_sub(self.first.len());
        self.first.extend(run.conflicts.iter().take(room).map(Conflict::name));
        self.besides = self.besides.take().or_else(|| run.beyond.changes());
    }

    /// What is written down of a chunk: which rows are left, so that they are found again.
    pub fn of_chunk(&self, plan: &Plan) -> Option<String> {
        let left = plan.undoes.is_some() && !self.first.is_empty();
        left.then(|| format!("left alone: {}", named(&self.first, TOLD, self.left_alone)))
    }

    /// A sentence for each, if there is something to say.
    pub fn words(&self, plan: &Plan) -> Vec<String> {
        if plan.undoes.is_none() {
            return Vec::new();
        }
        let left = (self.left_alone > 0).then(|| {
            let or = if self.refuses { " or the database refuses them" } else { "" };
            let changed = self.left_alone - self.for_others;
            let rows = value::counted(changed, "row");
            let said = format!("left alone, because they were changed since{or}: {rows}");
            if self.first.is_empty() {
                return said;
            }
            format!("{said}: {}", named(&self.first, NAMED, changed))
        });
        let for_others = (self.for_others > 0).then(|| {
            let rows = thousands(self.for_others);
            format!("{rows} more rows with these, because keys that moved come back together")
        });
        let lacks = plan.lacks.iter().map(|why| match why.strip_prefix(UndoRehearsal::TRIED) {
            Some(why) => format!("{TRIED}{why}"),
            None => format!("{UNSEEN}: {why}"),
        });
        let left = left.into_iter().chain(for_others);
        left.chain(self.besides.clone()).chain(lacks).collect()
    }
}

/// The same from its start again when another transaction was in the way: nothing of it stays, and
/// nothing was committed.
pub async fn run_through(desk: &mut Desk, piece: Piece<'_>) -> Result<Run, EngineError> {
    const TRIES: usize = 3;
    let mut outcome = run(desk, piece).await;
    for _ in 1..TRIES {
        if !matches!(outcome, Err(EngineError::Conflict { .. })) {
            break;
        }
        desk.locks = None;
        desk.work.rollback().await?;
        desk.observe.rollback().await?;
        outcome = run(desk, piece).await;
    }
    outcome
}

/// Everything but the ending: statements, counts, images, checks.
async fn run(desk: &mut Desk, piece: Piece<'_>) -> Result<Run, EngineError> {
    let Piece { job, plan, scrutiny, .. } = piece;
    let Desk { work, observe, tables, .. } = desk;
    let texts: Vec<String> = plan.actions.iter().filter_map(Planned::text).collect();
    // Whoever made the plan: what is no single change of rows gets nowhere near a server.
    for text in &texts {
        sql::write(text, work.dialect())
            .map_err(|refusal| EngineError::Refused { message: refusal.sentence })?;
    }
    if scrutiny == Scrutiny::Full {
        let objections = work.objections(&texts).await?;
        if !objections.is_empty() {
            return Err(EngineError::Refused { message: objections.join("; ") });
        }
    }
    let booked = booked(work, tables, plan).await?;
    let time_cap = plan.limits.time_cap;
    let mut warnings = work.begin_watched(observe, tables, &job.op, time_cap).await?;
    if let (Some(cut), Some(table)) = (piece.cut, first(plan, tables, &booked)) {
        observe.narrow(table, &cut.column, &cut.literals);
    }
    desk.watch_locks(job).await?;
    let Desk { work, observe, tables, server, .. } = desk;
    let before = match scrutiny {
        Scrutiny::Full => verdicts(observe, plan).await,
        Scrutiny::Chunk => Vec::new(),
    };
    let mut direct: HashMap<String, Tally> = HashMap::new();
    let ahead = observe.read_ahead(time_cap);
    let acting = act(work, tables, plan, &booked, &mut direct);
    let (acted, ahead) = tokio::join!(acting, ahead);
    let Acted { statements, conflicts, left_alone, for_others, refuses, said } = acted?;
    ahead?;
    warnings.extend(said);
    let mut written = written(work, observe, &direct, piece.cut).await?;
    for TableImages { head, .. } in &mut written.images {
        let by_ours = || {
            let direct = direct.get(&head.table).copied().unwrap_or_default();
            // What only updates leads to rows that came and went by another key alone, whoever gave it.
            let only_updates = direct.inserted == 0 && direct.deleted == 0;
            let gives_keys = || gives_keys(plan, &booked, head, tables, work.dialect());
            only_updates || gives_keys()
        };
        head.moved = head.moved && by_ours() || takes_back_keys(plan, head);
    }
    if let Some(message) = written.outside.clone() {
        return Err(EngineError::Refused { message });
    }
    let left_alone = match piece.cut {
        Some(cut) => cut.keys.len() as u64 - written.met,
        None => left_alone,
    };
    let beyond = match plan.undoes {
        Some(_) => Beyond::of(plan.brings_back(), &written.writes, &written.images)
            .map_err(|error| aside(&error))?,
        None => Beyond::default(),
    };
    let names: Vec<String> = written.writes.iter().map(|writes| writes.table.clone()).collect();
    let broken = (observe.broken_references(&names).await?, work.broken_references(&names).await?);
    if broken.1 > broken.0 {
        let message = format!("{} references would point nowhere", broken.1 - broken.0);
        return Err(EngineError::Rejected { message });
    }
    if written.unchanged > 0 {
        let rows = value::counted(written.unchanged, "row");
        warnings.push(format!("{rows} written with the values that are there"));
    }
    for blind in &written.blind {
        if !warnings.contains(blind) {
            warnings.push(blind.clone());
        }
    }
    warnings.extend(plan.lacks.iter().map(|why| match why.strip_prefix(UndoRehearsal::TRIED) {
        Some(why) => format!("{TRIED}{why}"),
        None => format!("{UNSEEN}, and what was not seen does not come back: {why}"),
    }));
    warnings.extend(work.warnings());
    let (checks, remaining) = compare(work, piece, before).await;
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
        for_others,
        refuses,
        beyond,
        warnings,
        broken,
    })
}

/// What the checks of a plan say, in the order of the plan.
pub async fn verdicts(session: &mut Session, plan: &Plan) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for check in plan.cures.iter().chain(&plan.must_not_worsen) {
        verdicts.push(detect::ask(session, check, detect::KEPT_ROWS).await.verdict);
    }
    verdicts
}

async fn compare(
    work: &mut Session,
    piece: Piece<'_>,
    before: Vec<Verdict>,
) -> (Vec<CheckOutcome>, Vec<(String, Rows)>) {
    let Piece { plan, chunk, .. } = piece;
    let undoing = plan.undoes.is_some();
    // What is left for later chunks is still violated.
    let cure = if chunk == 0 { Role::Cure } else { Role::Falls };
    let role = |role| if undoing { Role::Shown } else { role };
    let cures = plan.cures.iter().map(|check| (check, role(cure)));
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
    for_others: u64,
    refuses: bool,
    said: Vec<String>,
}

/// Runs the plan's actions and counts what each did directly.
async fn act(
    work: &mut Session,
    tables: &[Table],
    plan: &Plan,
    booked: &Booked<'_>,
    direct: &mut HashMap<String, Tally>,
) -> Result<Acted, EngineError> {
    let mut acted = Acted::default();
    for action in &plan.actions {
        match action {
            Planned::Sql { note, sql, verb, table } => {
                let start = Instant::now();
                let rows = work.execute(sql).await?;
                let name = booked.get(table.as_str()).unwrap_or(table);
                let tally = direct.entry(name.clone()).or_default();
                *tally = tally.plus(counted(*verb, rows));
                let seconds = start.elapsed().as_secs_f64();
                let (note, sql) = (note.clone(), sql.clone());
                acted.statements.push(StatementOutcome { note, sql, rows, seconds });
            }
            Planned::Chunked { .. } => {
                let message = "a statement for chunks was run without the keys of one".into();
                return Err(EngineError::Refused { message });
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
        (self.left_alone, self.refuses) = (done.left_alone, done.refuses);
        self.for_others = done.for_others;
        self.said.extend(done.kept_out);
        self.said.extend(done.set_anew.words());
    }
}

/// Whether a statement gives rows of this table another key; one that the server makes of other columns
/// may follow from any of them.
fn gives_keys(
    plan: &Plan,
    booked: &Booked<'_>,
    head: &TableHead,
    tables: &[Table],
    dialect: Dialect,
) -> bool {
    let table = tables.iter().find(|table| table.name == head.table);
    let mut columns = table.iter().flat_map(|table| &table.columns);
    if columns.any(|column| column.generated && head.key.contains(&column.name)) {
        return true;
    }
    plan.actions.iter().any(|action| match action {
        Planned::Sql { sql, table, .. } if booked.get(table.as_str()) == Some(&head.table) => {
            let set = sql::assigned(sql, dialect).unwrap_or_default();
            set.iter().any(|set| head.key.iter().any(|key| key.eq_ignore_ascii_case(set)))
        }
        Planned::Sql { .. } | Planned::Chunked { .. } | Planned::PutBack(_) => false,
    })
}

/// Whether rows of this table get back the keys that a change took from them.
fn takes_back_keys(plan: &Plan, head: &TableHead) -> bool {
    let of_table = |images: &TableImages| images.head.moved && images.head.table == head.table;
    plan.actions
        .iter()
        .any(|action| matches!(action, Planned::PutBack(images) if images.iter().any(of_table)))
}

fn counted(verb: Verb, rows: u64) -> Tally {
    match verb {
        Verb::Insert => Tally { inserted: rows, ..Tally::default() },
        Verb::Update => Tally { updated: rows, ..Tally::default() },
        Verb::Delete => Tally { deleted: rows, ..Tally::default() },
    }
}

/// The names of tables as the watch books them, by those that statements have for them.
type Booked<'p> = HashMap<&'p str, String>;

fn written_names(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.actions.iter().filter_map(|action| match action {
        Planned::Sql { table, .. } => Some(table.as_str()),
        Planned::Chunked { .. } | Planned::PutBack(_) => None,
    })
}

async fn booked<'p>(
    work: &mut Session,
    tables: &[Table],
    plan: &'p Plan,
) -> Result<Booked<'p>, EngineError> {
    let mut booked = Booked::new();
    for written in written_names(plan) {
        if !booked.contains_key(written) {
            let name = work.booked(written).await?;
            booked.insert(written, name.unwrap_or_else(|| known_name(tables, written)));
        }
    }
    Ok(booked)
}

/// The table that the first statement of a plan writes to.
fn first<'t>(plan: &Plan, tables: &'t [Table], booked: &Booked<'_>) -> Option<&'t Table> {
    let name = booked.get(written_names(plan).next()?)?;
    tables.iter().find(|table| table.name == *name)
}

/// The table's name as the catalogue has it, for one that a statement wrote in its own way.
fn known_name(tables: &[Table], written: &str) -> String {
    known(tables, written).map_or_else(|| plain(written), |table| table.name.clone())
}

fn known<'t>(tables: &'t [Table], written: &str) -> Option<&'t Table> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let wanted = plain(written);
    let exact = |table: &&Table| table.name == written;
    let same = |table: &&Table| plain(&table.name) == wanted;
    // One that the statement names with its schema and the catalogue without.
    let bare = |table: &&Table| plain(&table.name) == last(&wanted);
    let near = |table: &&Table| last(&plain(&table.name)) == last(&wanted);
    let find = |fits: &dyn Fn(&&Table) -> bool| tables.iter().find(fits);
    let found = find(&exact).or_else(|| find(&same)).or_else(|| find(&bare));
    found.or_else(|| {
        let mut all = tables.iter().filter(near);
        all.next().filter(|_| all.next().is_none())
    })
}

fn plain(name: &str) -> String {
    name.replace(['"', '`', '[', ']'], "").to_lowercase()
}
