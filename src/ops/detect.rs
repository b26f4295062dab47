//! Detection: run checks read-only under limits, and judge what came back.
//!
//! An error never becomes "clear": whatever stops a check from seeing everything makes its verdict
//! inconclusive, with the reason.

use std::io;
use std::time::{Duration, Instant};

use super::bind::{Known, Unbound};
use super::connect::meet;
use crate::check::keys;
use crate::check::metric::{Judge, Judged};
use crate::check::verdict::{key_columns, key_hash, lacks_key};
use crate::check::{About, Cause, Check, Count, Finding, Kind, Survey, Verdict};
use crate::config::Target;
use crate::dialect::Dialect;
use crate::engine::{Called, EngineError, Session, Stopper, to_the_end};
use crate::problem::Problem;
use crate::sql;
use crate::value::pile::Writer;
use crate::value::{Rows, ValueRef};

/// Rows and bytes of a result that are kept unless more or fewer are asked for; the count goes on
/// beyond them.
pub const KEPT_ROWS: usize = 10_000;
pub const KEPT_BYTES: usize = 32 * 1024 * 1024;
/// Rows that are kept where very many targets and checks are looked at together.
const GLIMPSE: usize = 5;

/// Where all rows go while a check runs, for those who want to see them meanwhile.
pub struct Onlooker<'o> {
    pub pile: Writer,
    /// Called now and then when there are more rows to see.
    pub more: &'o mut (dyn FnMut() + Send),
    /// Why rows are missing on the pile, if they are.
    pub broken: Option<io::Error>,
    shown: Option<Instant>,
}

impl<'o> Onlooker<'o> {
    pub fn new(pile: Writer, more: &'o mut (dyn FnMut() + Send)) -> Self {
        Self { pile, more, broken: None, shown: None }
    }

    fn row(&mut self, names: &[String], row: &[ValueRef<'_>], seen: u64) {
        /// Rows that fill a screen.
        const FIRST: u64 = 64;
        const PAUSE: Duration = Duration::from_millis(100);
        if self.broken.is_some() {
            return;
        }
        let put = self.pile.push(names, row.iter().copied());
        let since = self.shown.get_or_insert_with(Instant::now).elapsed();
        let put = put.and_then(|()| {
            if seen == FIRST || since >= PAUSE {
                self.shown = Some(Instant::now());
                self.pile.show()?;
                (self.more)();
            }
            Ok(())
        });
        self.broken = put.err();
    }
}

impl std::fmt::Debug for Onlooker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Onlooker").field("pile", &self.pile).finish_non_exhaustive()
    }
}

/// One check on a connection of its own.
pub async fn detect(
    target: &Target,
    check: &Check,
    kept: usize,
    onlooker: Option<&mut Onlooker<'_>>,
    stopper: &Stopper,
) -> Finding {
    let mut sight = match sight(target, stopper).await {
        Ok((sight, _)) => sight,
        Err(problem) => return unreached(&problem),
    };
    let finding = match sight.of(check, stopper).await {
        Ok(eye) => {
            // Only here somebody asks what changed since the look before.
            let keys = Some(keys::Gather::default());
            ask_next(&mut eye.session, check, kept, &mut eye.known, keys, onlooker).await
        }
        Err(finding) => *finding,
    };
    sight.close().await;
    finding
}

/// All checks that are for this server in one snapshot.
pub async fn survey(
    target: &Target,
    checks: &[&Check],
    stopper: &Stopper,
) -> Result<Survey, Problem> {
    let (mut sight, called) = sight(target, stopper).await?;
    let mut findings = Vec::with_capacity(checks.len());
    let dialect = sight.dialect();
    for check in checks.iter().filter(|check| check.is_for(dialect)) {
        let finding = match sight.of(check, stopper).await {
            Ok(Eye { session, known }) => {
                ask_next(session, check, GLIMPSE, known, None, None).await
            }
            Err(finding) => *finding,
        };
        findings.push((check.id.clone(), finding));
    }
    sight.close().await;
    Ok(Survey { server: called.server, version: called.version, findings })
}

/// A session in its snapshot, with the names that were asked for in it.
pub(super) struct Eye {
    pub session: Session,
    pub known: Known,
}

/// What checks of a target are asked on: the server of `detect_url`, and the target itself where that is a
/// replica and the answer is about the server.
pub(super) struct Sight {
    eye: Eye,
    /// Why what it shows is too old to judge by, if it is.
    late: Option<String>,
    primary: Primary,
}

enum Primary {
    /// No replica, or nobody said of which server.
    Here,
    Elsewhere(Box<Target>),
    Open(Box<Eye>),
    Unreached(Box<Finding>),
}

/// A session on a server that proved itself.
pub(super) async fn sight(target: &Target, stopper: &Stopper) -> Result<(Sight, Called), Problem> {
    let read = target.for_checks();
    let (session, called) = meet(&read, stopper).await?;
    Ok((Sight::new(session, &read, target).await, called))
}

impl Sight {
    async fn new(mut session: Session, read: &Target, target: &Target) -> Self {
        let lag = session.lag().await;
        let is_replica = !matches!(lag, Ok(None));
        let primary = if is_replica && target.detect_url.is_some() {
            Primary::Elsewhere(Box::new(target.for_changes()))
        } else {
            Primary::Here
        };
        let late = too_late(lag, read);
        Self { eye: Eye { session, known: Known::default() }, late, primary }
    }

    pub fn dialect(&self) -> Dialect {
        self.eye.session.dialect()
    }

    /// What the answer of a check is true of, its views looked through as far as the server does.
    async fn about(&mut self, check: &Check) -> About {
        let Eye { session, known } = &mut self.eye;
        let dialect = session.dialect();
        match check.about_on(dialect) {
            About::Data if check.about.is_none() => {}
            about => return about,
        }
        // What fails here fails again when it is asked.
        let Ok(sql) = super::bind::query(session, check, known).await else { return About::Data };
        let plan = session.looked_through(&sql).await.unwrap_or_default();
        let of_server = plan.iter().any(|line| sql::is_of_one_server(line, dialect));
        if of_server { About::Server } else { About::Data }
    }

    /// Where a check is asked, or why nothing can show it.
    pub async fn of(&mut self, check: &Check, stopper: &Stopper) -> Result<&mut Eye, Box<Finding>> {
        // To look into its text costs something, and mostly nobody needs to know.
        let is_beside = !matches!(self.primary, Primary::Here);
        if is_beside && self.about(check).await == About::Server {
            if let Primary::Elsewhere(target) = &self.primary {
                self.primary = match meet(target, stopper).await {
                    Ok((session, _)) => {
                        Primary::Open(Box::new(Eye { session, known: Known::default() }))
                    }
                    Err(problem) => Primary::Unreached(Box::new(unreached(&problem))),
                };
            }
            match &mut self.primary {
                Primary::Open(eye) => return Ok(eye),
                Primary::Unreached(finding) => return Err(finding.clone()),
                Primary::Here | Primary::Elsewhere(_) => {}
            }
        }
        match &self.late {
            Some(why) => Err(Box::new(Finding::unseen(why))),
            None => Ok(&mut self.eye),
        }
    }

    pub async fn close(self) {
        self.eye.session.close().await;
        if let Primary::Open(eye) = self.primary {
            eye.session.close().await;
        }
    }
}

/// Why a replica shows too old a state to judge by, if it does.
fn too_late(lag: Result<Option<Duration>, EngineError>, target: &Target) -> Option<String> {
    match lag {
        Ok(Some(lag)) if lag > target.max_lag => Some(format!(
            "the replica is {:.1} s behind, and {:.1} s are allowed",
            lag.as_secs_f64(),
            target.max_lag.as_secs_f64()
        )),
        Ok(_) => None,
        Err(error) => Some(format!("how far the replica is behind is not known: {error}")),
    }
}

/// A check whose target could not be asked.
pub fn unreached(problem: &Problem) -> Finding {
    let cause = match problem.kind {
        crate::problem::Kind::Interrupted => Some(Cause::Operator),
        crate::problem::Kind::Database => Some(Cause::Database),
        _ => None,
    };
    Finding { cause, ..Finding::unseen(&problem.sentence) }
}

pub(super) fn cause(error: &EngineError) -> Option<Cause> {
    match error {
        EngineError::Stopped => Some(Cause::Operator),
        EngineError::Database { .. } | EngineError::Rejected { .. } => Some(Cause::Database),
        _ => None,
    }
}

/// Runs one check on an open session, inside whatever transaction it is in.
pub async fn ask(session: &mut Session, check: &Check, kept: usize) -> Finding {
    ask_next(session, check, kept, &mut Known::default(), None, None).await
}

/// The same for one of many checks in one snapshot; the keys of its rows go where somebody gathers them.
pub(super) async fn ask_next(
    session: &mut Session,
    check: &Check,
    kept: usize,
    known: &mut Known,
    keys: Option<keys::Gather>,
    onlooker: Option<&mut Onlooker<'_>>,
) -> Finding {
    let sql = match super::bind::query(session, check, known).await {
        Ok(sql) => sql,
        Err(Unbound::Missing(reason)) => return Finding::unseen(&reason),
        Err(Unbound::Engine(error)) => {
            return Finding { cause: cause(&error), ..Finding::unseen(&error.to_string()) };
        }
    };
    let start = Instant::now();
    if let Kind::Metric(metric) = &check.kind {
        let judge = Judge::new(metric, &check.key, (kept, KEPT_BYTES), keys);
        let measured = measure(session, &sql, check, judge, onlooker).await;
        let seconds = start.elapsed().as_secs_f64();
        return match measured {
            Ok(Judged { verdict, rows, keys }) => {
                Finding { verdict, rows, keys, seconds, cause: None }
            }
            Err(error) => {
                let cause = cause(&error);
                Finding { seconds, cause, ..Finding::unseen(&error.to_string()) }
            }
        };
    }
    let seen = collect(session, &sql, check, kept, keys, onlooker).await;
    let seconds = start.elapsed().as_secs_f64();
    let cause = seen.0.as_ref().err().and_then(cause);
    let (verdict, kept) = match seen {
        (Ok(()), Kept { lacks: Some(reason), rows, total, .. }) => {
            let kept = Kept { rows, keys: None, total, lacks: None };
            (Verdict::Inconclusive { reason }, kept)
        }
        (Ok(()), kept) => (Verdict::from_count(Count::Exact(kept.total)), kept),
        (Err(EngineError::TimedOut { .. }), kept) if kept.total > 0 => {
            (Verdict::from_count(Count::AtLeast(kept.total)), kept)
        }
        (Err(error), kept) => (Verdict::Inconclusive { reason: error.to_string() }, kept),
    };
    // Without them nothing can be said of what changed; the verdict stands.
    let keys = kept.keys.and_then(|keys| keys.finish().ok());
    Finding { verdict, rows: kept.rows, keys, seconds, cause }
}

/// A number, or one of each series.
async fn measure(
    session: &mut Session,
    sql: &str,
    check: &Check,
    mut judge: Judge<'_>,
    mut onlooker: Option<&mut Onlooker<'_>>,
) -> Result<Judged, EngineError> {
    let mut seen = 0;
    let mut on_each = |names: &[String], row: &[ValueRef<'_>]| {
        seen += 1;
        judge.take(names, row);
        if let Some(onlooker) = &mut onlooker {
            onlooker.row(names, row, seen);
        }
    };
    // Also where no row comes its columns are held against the form of a metric.
    let names = session.read(sql, check.timeout, &mut to_the_end(&mut on_each)).await?;
    Ok(judge.finish(names))
}

struct Kept {
    rows: Rows,
    keys: Option<keys::Gather>,
    total: u64,
    /// Why the rows cannot be told apart, if so.
    lacks: Option<String>,
}

async fn collect(
    session: &mut Session,
    sql: &str,
    check: &Check,
    most: usize,
    keys: Option<keys::Gather>,
    mut onlooker: Option<&mut Onlooker<'_>>,
) -> (Result<(), EngineError>, Kept) {
    let mut kept = Kept { rows: Rows::default(), keys, total: 0, lacks: None };
    let mut columns: Vec<usize> = Vec::new();
    let mut on_each = |names: &[String], row: &[ValueRef<'_>]| {
        if kept.total == 0 {
            kept.rows = Rows::new(names.to_vec());
            columns = key_columns(names, &check.key);
            kept.lacks = lacks_key(names, &check.key);
        }
        kept.total += 1;
        kept.keys = kept.keys.take().and_then(|mut keys| {
            let key = key_hash(columns.iter().map(|column| row[*column]));
            keys.push(key).ok().map(|()| keys)
        });
        if kept.rows.len() < most && kept.rows.bytes() < KEPT_BYTES {
            kept.rows.push(row.iter().copied());
        }
        if let Some(onlooker) = &mut onlooker {
            onlooker.row(names, row, kept.total);
        }
    };
    // Where nothing is wrong nobody looks at the columns.
    let outcome = session.scan(sql, check.timeout, &mut on_each).await;
    (outcome, kept)
}
