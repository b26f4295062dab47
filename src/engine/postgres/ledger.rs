//! The ledger: one row an operation, written in the operation's own transaction; and what became of
//! an operation whose end nobody heard.
//!
//! That a row is missing proves nothing while the old session lives. So it is ended first, and a lock
//! that every watched transaction holds on its operation must be free.

use std::time::{Duration, Instant};

use super::rows::{literal, quoted, relation};
use super::{Backend, Session, connect, watch};
use crate::dialect::Dialect;
use crate::engine::{EngineError, Settled};
use crate::sql::{LEDGER, create_ledger};
use crate::value::Value;

/// How long a session may take to end, before we say that it would not.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server says of a transaction by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Committed,
    Aborted,
    InProgress,
    /// Too old.
    Forgotten,
    /// Of another server's history.
    NotGivenOut,
}

impl Session {
    /// Every ledger of this database, whatever the search path is today.
    pub(super) async fn ledgers(&mut self) -> Result<Vec<String>, EngineError> {
        let sql = format!(
            "SELECT n.nspname || '.{LEDGER}' FROM pg_class c JOIN pg_namespace n \
             ON n.oid = c.relnamespace WHERE c.relname = '{LEDGER}' AND c.relkind = 'r' \
             ORDER BY n.nspname <> coalesce(current_schema(), ''), n.nspname"
        );
        let rows = self.rows(&sql).await?;
        Ok(rows.iter().filter_map(|row| row[0].as_ref().plain()).collect())
    }

    pub async fn write_ledger(
        &mut self,
        op: &str,
        chunk: u64,
        actor: &str,
        print: &str,
    ) -> Result<(), EngineError> {
        let ledgers = self.ledgers().await?;
        let ledger = match ledgers.first() {
            Some(ledger) => relation(ledger),
            None => {
                self.create_ledger().await?;
                LEDGER.to_owned()
            }
        };
        let sql = format!(
            "INSERT INTO {ledger} (op_id, chunk_no, actor, fingerprint, applied_at) \
             VALUES ({}, {chunk}, {}, {}, clock_timestamp())",
            literal(op),
            literal(&self.as_it_fits(actor).await?),
            literal(print)
        );
        let limit = self.remaining();
        self.affected(&sql, limit).await.map(drop)
    }

    /// A name as this database can hold it: one that is not UTF-8 may lack any sign but those of ASCII.
    /// The journal has it in full.
    async fn as_it_fits(&mut self, name: &str) -> Result<String, EngineError> {
        if name.is_ascii() || self.encoding().await? == "UTF8" {
            return Ok(name.to_owned());
        }
        Ok(name.chars().map(|sign| if sign.is_ascii() { sign } else { '?' }).collect())
    }

    /// Why the ledger could not be written, if so.
    pub(super) async fn no_ledger(&mut self, creates: bool) -> Result<Option<String>, EngineError> {
        let why = match self.ledgers().await?.first() {
            None if creates => return Ok(None),
            None => "is missing and this role may not create it",
            Some(ledger) => {
                let name = literal(&relation(ledger));
                let may = format!("SELECT has_table_privilege({name}, 'INSERT')");
                if self.text(&may).await?.as_deref() == Some("t") {
                    return Ok(None);
                }
                "may not be written by this role"
            }
        };
        Ok(Some(format!(
            "the ledger {LEDGER} {why}; `steadyhand grants` prints what an owner must run"
        )))
    }

    async fn create_ledger(&mut self) -> Result<(), EngineError> {
        let may = "SELECT current_schema(), has_schema_privilege(current_schema(), 'CREATE')";
        let row = self.rows(may).await?.pop().unwrap_or_default();
        if row.get(1) == Some(&Value::Text("t".into())) {
            let limit = self.remaining();
            return self.plain(&create_ledger(LEDGER, Dialect::Postgres), limit).await;
        }
        let schema = row.first().and_then(|cell| cell.as_ref().plain());
        let name = format!("{}.{LEDGER}", quoted(schema.as_deref().unwrap_or("public")));
        let create = create_ledger(&name, Dialect::Postgres).replace("\n ", "").replace('\n', "");
        Err(EngineError::Refused {
            message: format!(
                "the ledger is missing and this role may not create it; an owner must run \
                 `{create}; GRANT SELECT, INSERT ON {name} TO {}` (`steadyhand grants` prints it)",
                quoted(&self.access.user)
            ),
        })
    }

    pub async fn settle(
        &mut self,
        op: &str,
        chunk: u64,
        mark: Option<&str>,
    ) -> Result<Settled, EngineError> {
        let sent = mark.is_some();
        let mark = mark.and_then(Mark::read);
        // Processes and transactions of another history only share their numbers with ours.
        let taken_over =
            mark.as_ref().and_then(|mark| mark.timeline_before(self.timeline.as_deref()));
        let mark = mark.filter(|_| taken_over.is_none());
        let old = match &mark {
            Some(mark) => vec![mark.backend.clone()],
            None => self.sessions_of(op).await?,
        };
        for backend in &old {
            if let Err(error) = self.end_backend(backend).await {
                return Ok(Settled::Unknown(format!(
                    "the session {} of the change is still there and could not be ended: {error}",
                    backend.pid
                )));
            }
        }
        if !self.holds_operation(op).await? {
            return Ok(Settled::Unknown(
                "another session still works on this operation; ask again when it has ended".into(),
            ));
        }
        let fate = match mark.as_ref().and_then(|mark| mark.xid.as_deref()) {
            Some(xid) => Some((xid, self.fate(xid).await?)),
            None => None,
        };
        match (self.look_up(op, chunk).await, taken_over) {
            (Ok(false), Some(timeline)) => Ok(Settled::Unknown(not_here(&timeline))),
            (Ok(written), _) => {
                let settled = judge(fate, written);
                // That the row is missing says something only where there is a ledger.
                let by_ledger = !matches!(fate, Some((_, Fate::Aborted)));
                let gone = sent && by_ledger && matches!(settled, Settled::RolledBack(_));
                Ok(if gone && self.ledgers().await?.is_empty() { no_ledger() } else { settled })
            }
            (Err(error), _) => Ok(match fate {
                Some((xid, Fate::Aborted)) => Settled::RolledBack(aborted(xid)),
                _ => Settled::Unknown(format!("the ledger cannot be read: {error}")),
            }),
        }
    }

    async fn look_up(&mut self, op: &str, chunk: u64) -> Result<bool, EngineError> {
        for ledger in self.ledgers().await? {
            let (ledger, op) = (relation(&ledger), literal(op));
            let sql = format!("SELECT 1 FROM {ledger} WHERE op_id = {op} AND chunk_no = {chunk}");
            if !self.rows(&sql).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn fate(&mut self, xid: &str) -> Result<Fate, EngineError> {
        let asked = self.text(&format!("SELECT pg_xact_status({}::xid8)", literal(xid))).await;
        Ok(match asked {
            Ok(status) => match status.as_deref() {
                Some("committed") => Fate::Committed,
                Some("aborted") => Fate::Aborted,
                Some("in progress") => Fate::InProgress,
                _ => Fate::Forgotten,
            },
            // The server takes no number that is still to come.
            Err(EngineError::Database { .. }) => Fate::NotGivenOut,
            Err(error) => return Err(error),
        })
    }

    /// Sessions whose name says that they work on an operation.
    async fn sessions_of(&mut self, op: &str) -> Result<Vec<Backend>, EngineError> {
        let sql = format!(
            "SELECT pid::bigint, backend_start::text FROM pg_stat_activity \
             WHERE application_name LIKE 'steadyhand %' AND right(application_name, {}) = {} \
             AND pid <> pg_backend_pid()",
            connect::tail(op).len() + 1,
            literal(&format!(" {}", connect::tail(op)))
        );
        let rows = self.rows(&sql).await?;
        Ok(rows.iter().filter_map(|row| Backend::of(row)).collect())
    }

    /// Ends a session and waits until it is gone; `false` if it was gone already.
    pub(super) async fn end_backend(&mut self, backend: &Backend) -> Result<bool, EngineError> {
        let is = backend.is();
        let there = format!("SELECT pid FROM pg_stat_activity WHERE {is}");
        if self.rows(&there).await?.is_empty() {
            return Ok(false);
        }
        self.rows(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {is}"))
            .await?;
        let start = Instant::now();
        while !self.rows(&there).await?.is_empty() {
            if start.elapsed() > PATIENCE {
                return Err(EngineError::TimedOut { limit: PATIENCE });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(true)
    }

    /// Whether no transaction holds the lock of an operation any more.
    async fn holds_operation(&mut self, op: &str) -> Result<bool, EngineError> {
        let sql = format!("SELECT pg_try_advisory_xact_lock({})", watch::lock_of(op));
        Ok(self.text(&sql).await?.as_deref() == Some("t"))
    }
}

fn not_here(timeline: &str) -> String {
    format!(
        "this server took over since COMMIT was sent, and no ledger row came with it; the server of \
         timeline {timeline} may have committed it, and if it did, that was lost here"
    )
}

/// It may have been made in the very transaction, and gone with it.
fn no_ledger() -> Settled {
    Settled::Unseen(format!(
        "the server does not know the transaction any more, and no schema of this database has a ledger \
         {LEDGER}; if there was one, give it its name back and ask again"
    ))
}

fn aborted(xid: &str) -> String {
    format!("the server says that transaction {xid} was rolled back")
}

fn judge(fate: Option<(&str, Fate)>, written: bool) -> Settled {
    match (fate, written) {
        (Some((xid, Fate::Aborted)), true) => Settled::Unknown(format!(
            "transaction {xid} was rolled back here, yet the ledger has a row of this operation"
        )),
        (_, true) => Settled::Committed("its ledger row is in the database".into()),
        (Some((xid, Fate::Aborted)), false) => Settled::RolledBack(aborted(xid)),
        (Some((xid, Fate::Committed)), false) => Settled::Unknown(format!(
            "transaction {xid} is committed here, yet its ledger row is missing: somebody took it \
             out, or this server took over from one whose last commits are lost"
        )),
        (Some((xid, Fate::InProgress)), false) => Settled::Unknown(format!(
            "the server says that transaction {xid} is still in progress; ask again"
        )),
        (Some((_, Fate::Forgotten)), false) => Settled::RolledBack(
            "the server has forgotten the transaction, there is no ledger row, and no session is \
             left that could add it"
                .into(),
        ),
        (Some((xid, Fate::NotGivenOut)), false) => Settled::Unknown(format!(
            "this server has not given out the number {xid} yet, so it is not the one that COMMIT was \
             sent to, or took over from it without its last transactions"
        )),
        (None, false) => Settled::RolledBack(
            "no ledger row, and no session of the operation is left that could add it".into(),
        ),
    }
}

/// What was written down before COMMIT: process, its start, number of the transaction, timeline.
pub struct Mark {
    pub backend: Backend,
    pub xid: Option<String>,
    timeline: Option<String>,
}

impl Mark {
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next()?.to_owned();
        let mut told = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        let (xid, timeline) = (told(), told());
        Some(Self { backend: Backend { pid, started }, xid, timeline })
    }

    /// The timeline it was sent to, if the server has another one now.
    fn timeline_before(&self, now: Option<&str>) -> Option<String> {
        let then = self.timeline.as_deref()?;
        now.filter(|now| *now != then).map(|_| then.to_owned())
    }
}

impl Backend {
    /// Process and start, as the first two of a row.
    pub fn of(row: &[Value]) -> Option<Self> {
        match row {
            [Value::Integer(pid), Value::Text(started), ..] => {
                Some(Self { pid: *pid, started: started.clone() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_decides_and_a_contradiction_stays_open() {
        let committed = Some(("7", Fate::Committed));
        let aborted = Some(("7", Fate::Aborted));
        let forgotten = Some(("7", Fate::Forgotten));
        assert!(matches!(judge(committed, true), Settled::Committed(_)));
        assert!(matches!(judge(forgotten, true), Settled::Committed(_)));
        assert!(matches!(judge(None, true), Settled::Committed(_)));
        assert!(matches!(judge(aborted, false), Settled::RolledBack(_)));
        assert!(matches!(judge(forgotten, false), Settled::RolledBack(_)));
        assert!(matches!(judge(None, false), Settled::RolledBack(_)));
        assert!(matches!(judge(committed, false), Settled::Unknown(_)));
        assert!(matches!(judge(aborted, true), Settled::Unknown(_)));
        let ahead = Some(("7", Fate::NotGivenOut));
        assert!(matches!(judge(ahead, false), Settled::Unknown(_)));
        assert!(matches!(judge(Some(("7", Fate::InProgress)), false), Settled::Unknown(_)));
    }

    #[test]
    fn a_mark_is_read_back() {
        let mark = Mark::read("12/2026-01-02 03:04:05.678901+00/99/1").expect("a mark");
        assert_eq!(mark.backend.pid, 12);
        assert_eq!(mark.xid.as_deref(), Some("99"));
        assert_eq!(mark.timeline_before(Some("2")).as_deref(), Some("1"));
        assert_eq!(mark.timeline_before(Some("1")), None);
        assert_eq!(mark.timeline_before(None), None);
        let older = Mark::read("12/2026-01-02 03:04:05.678901+00/99").expect("a mark");
        assert_eq!(older.timeline_before(Some("2")), None);
        assert!(Mark::read("").is_none());
    }
}
