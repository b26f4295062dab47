//! Oracle, by Oracle's own driver, behind the cargo feature `oracle`. Written from the documentation and
//! never run against a server.
//!
//! Reading: a transaction that the server keeps read-only, over one state. Writing: SERIALIZABLE, so that
//! a row which somebody else changed meanwhile is an error and is never overwritten. What the transaction
//! wrote is told by the locks that it holds and by flashback; a definition commits, so none is let into a
//! transaction. Nothing in the session is left to the driver or to a default.

mod catalogue;
mod compare;
mod connect;
mod decode;
mod define;
mod dictionary;
mod errors;
mod functions;
mod hear;
mod identity;
mod killer;
mod kinds;
mod ledger;
mod line;
mod names;
mod policy;
mod pressure;
mod reach;
mod rows;
mod watch;
mod wire;
mod written;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{EngineError, OnEach, OnRow, Purpose, Receipt, Session as Any, Setting, to_the_end};
use crate::dialect::Dialect;
use crate::sql::{self, Effect};
use kinds::Statement;
pub use names::quoted;
use wire::Wire;

#[derive(Debug)]
pub struct Session {
    wire: Wire,
    purpose: Purpose,
    lock_wait: Duration,
    /// The schema that names without one mean, as the dictionary has it.
    schema: String,
    settings: Vec<Setting>,
    warnings: Vec<String>,
    transaction: Option<Transaction>,
    watch: Option<Box<watch::Watch>>,
    graph: Option<Box<reach::Graph>>,
    /// Tables whose rows a policy hides from us, once that was asked.
    policies: Option<std::collections::BTreeSet<String>>,
    /// The name of the operation that this session carries.
    operation: Option<String>,
    /// A value that was longer than an image holds, since this was last asked.
    too_long: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Transaction {
    start: Instant,
    cap: Duration,
    writes: bool,
}

/// For a statement that stands alone: a guardrail may take its time.
const ALONE: Duration = Duration::from_hours(1);

const READ_ONLY: &str = "SET TRANSACTION READ ONLY";

impl Session {
    #[allow(clippy::unused_self)]
    pub fn dialect(&self) -> Dialect {
        Dialect::Oracle
    }

    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    pub async fn close(self) {
        drop(self.operation);
        self.wire.close().await;
    }

    pub async fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        // It must be the first statement of its transaction.
        self.wire.rollback().await?;
        self.wire.run(READ_ONLY).await?;
        self.open_transaction(Duration::MAX, false);
        Ok(())
    }

    pub async fn begin(&mut self, time_cap: Duration) -> Result<(), EngineError> {
        self.may_write().await?;
        self.wire.rollback().await?;
        self.wire.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE NAME 'steadyhand'").await?;
        self.open_transaction(time_cap, true);
        Ok(())
    }

    fn open_transaction(&mut self, cap: Duration, writes: bool) {
        self.transaction = Some(Transaction { start: Instant::now(), cap, writes });
    }

    pub async fn scan(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_each: OnEach<'_>,
    ) -> Result<(), EngineError> {
        self.read(sql, timeout, &mut to_the_end(on_each)).await.map(drop)
    }

    pub async fn read(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Vec<String>, EngineError> {
        let sql = one_read(sql)?;
        self.sees_all(sql).await?;
        let limit = self.time_left(timeout)?;
        let alone = self.transaction.is_none();
        if alone {
            self.wire.run(READ_ONLY).await?;
        }
        let done = self.wire.work(Statement::new(sql), limit, on_row).await;
        if alone {
            // What went wrong before says more than that this goes wrong too.
            let ended = self.wire.rollback().await;
            return done.and_then(|done| ended.map(|()| done.columns));
        }
        done.map(|done| done.columns)
    }

    pub async fn prepare(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        let sql = one(sql)?;
        self.wire.columns(sql).await
    }

    /// What a statement may still take, never more than its transaction.
    fn time_left(&self, wanted: Duration) -> Result<Duration, EngineError> {
        let Some(Transaction { start, cap, .. }) = self.transaction else { return Ok(wanted) };
        let left = cap.saturating_sub(start.elapsed());
        if left.is_zero() {
            Err(EngineError::TimedOut { limit: cap })
        } else {
            Ok(left.min(wanted))
        }
    }

    fn is_writing(&self) -> bool {
        self.transaction.is_some_and(|open| open.writes)
    }

    pub async fn rollback(&mut self) -> Result<(), EngineError> {
        self.watch = None;
        self.transaction = None;
        // Also where none is open: it costs nothing, and is true whatever a statement left.
        self.wire.rollback().await
    }

    pub async fn commit(&mut self) -> Result<(), EngineError> {
        self.wire.commit().await?;
        self.transaction = None;
        self.watch = None;
        Ok(())
    }

    /// A name that is set again replaces the older one.
    pub async fn savepoint(&mut self) -> Result<(), EngineError> {
        self.wire.run("SAVEPOINT steadyhand_rows").await.map(drop)
    }

    pub async fn back_to_savepoint(&mut self) -> Result<(), EngineError> {
        self.wire.run("ROLLBACK TO SAVEPOINT steadyhand_rows").await.map(drop)
    }

    /// Those that are declared deferrable; of others every statement is held against them.
    pub async fn defer_references(&mut self) -> Result<(), EngineError> {
        if self.is_writing() {
            self.wire.run("SET CONSTRAINTS ALL DEFERRED").await?;
        }
        Ok(())
    }

    /// A reference that would point nowhere at COMMIT is an error of the server now. None can be left
    /// after that: every other one was looked at with its statement.
    pub async fn broken_references(&mut self, _tables: &[String]) -> Result<u64, EngineError> {
        if self.is_writing() {
            self.wire.run("SET CONSTRAINTS ALL IMMEDIATE").await?;
        }
        Ok(0)
    }

    pub async fn take_back(&mut self, observe: &mut Any) -> Result<Receipt, EngineError> {
        const PAUSE: Duration = Duration::from_millis(100);
        const PATIENCE: u32 = 100;
        let back = self.rollback().await;
        observe.rollback().await?;
        let observe = sibling(observe)?;
        let id = &self.wire.id;
        let open = format!(
            "SELECT COUNT(*) FROM GV$SESSION S, GV$TRANSACTION T WHERE T.SES_ADDR = S.SADDR \
             AND T.INST_ID = S.INST_ID AND {}",
            id.is("S")
        );
        for _ in 0..PATIENCE {
            match observe.wire.texts_if_allowed(&open).await? {
                Some(rows) if rows.first().is_some_and(|row| row[0] == "0") => {
                    let how = if back.is_ok() { "ROLLBACK was answered" } else { "it was cut off" };
                    return Ok(Receipt::Proved(format!(
                        "{how}, and the server lists no transaction of session {id}"
                    )));
                }
                Some(_) => tokio::time::sleep(PAUSE).await,
                None => {
                    return back.map(|()| {
                        Receipt::CompareRows(
                            "without READ on GV_$SESSION and GV_$TRANSACTION the server does not \
                             list transactions"
                                .into(),
                        )
                    });
                }
            }
        }
        back.and(Err(EngineError::Database {
            message: format!("the server still lists a transaction of session {id}"),
        }))
    }

    pub async fn lock_words(&mut self) -> Result<String, EngineError> {
        let tables = self.locked_tables().await?;
        let sql = format!(
            "SELECT TO_CHAR(SUM(T.USED_UREC)) FROM GV$SESSION S, GV$TRANSACTION T \
             WHERE T.SES_ADDR = S.SADDR AND T.INST_ID = S.INST_ID AND {}",
            self.wire.id.is("S")
        );
        let undo = self.wire.texts_if_allowed(&sql).await?;
        let undo = undo.and_then(|rows| rows.into_iter().flatten().next());
        let counted = match tables {
            Some(tables) if tables.is_empty() => "no rows".to_owned(),
            Some(tables) => {
                let names: Vec<String> = tables.iter().map(watch::Locked::words).collect();
                format!("rows of {}", names.join(", "))
            }
            None => "the rows that are written or looked for".to_owned(),
        };
        // Entries of indexes count too, so it is no number of rows.
        let undo = undo.filter(|count| !count.is_empty());
        let undo = undo.map(|count| format!(" ({count} undo records)")).unwrap_or_default();
        Ok(format!(
            "locks {counted}{undo}; readers go on, writers of these rows and DDL on their tables wait"
        ))
    }
}

/// For statements whose rows nobody wants.
fn nothing(_: &[String], _: &[crate::value::ValueRef<'_>]) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The one statement of a text. Oracle takes none that ends with a semicolon.
fn one(sql: &str) -> Result<&str, EngineError> {
    let refused = |message: String| EngineError::Refused { message };
    let split = sql::split(sql, Dialect::Oracle).map_err(|refusal| refused(refusal.sentence))?;
    match split.as_slice() {
        [one] => Ok(one.trim()),
        _ => Err(refused("one statement is sent at a time".into())),
    }
}

/// The same for a read, which may do nothing else: a function in its WITH, or one of a package that acts,
/// is not held back by a transaction that only reads.
fn one_read(sql: &str) -> Result<&str, EngineError> {
    let refused = |message: String| Err(EngineError::Refused { message });
    let text = one(sql)?;
    match sql::classify(text, Dialect::Oracle) {
        Effect::Read | Effect::UnparsedRead => {}
        Effect::Write(write) => return refused(format!("{} changes rows", write.verb.word())),
        Effect::Other(refusal) => return refused(refusal.sentence),
    }
    let found = sql::mentions(text, Dialect::Oracle).unwrap_or_default();
    if let Some(acting) = found.calls.iter().find(|call| functions::acts(call)) {
        return refused(format!("{} does more than give a result", acting.join(".")));
    }
    if found.names.iter().any(|name| name.iter().any(|part| part.eq_ignore_ascii_case("PRAGMA"))) {
        return refused("a query that brings code of its own is not run".into());
    }
    Ok(text)
}

/// The observer beside a session of this engine is of this engine.
fn sibling(observe: &mut Any) -> Result<&mut Session, EngineError> {
    match observe {
        Any::Oracle(session) => Ok(session),
        _ => Err(EngineError::Refused {
            message: "the observer looks at another kind of database".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_one_query_that_only_reads() {
        assert_eq!(one_read("SELECT a FROM t ; "), Ok("SELECT a FROM t"));
        assert!(
            one_read("SELECT a FROM t WHERE b = DATE '2024-01-01' FETCH FIRST 2 ROWS ONLY").is_ok()
        );
        for refused in [
            "SELECT 1 FROM dual; SELECT 2 FROM dual",
            "UPDATE t SET a = 1",
            "BEGIN NULL; END",
            "DROP TABLE t",
            "SELECT a FROM t FOR UPDATE",
            "SELECT utl_http.request('http://example.com') FROM dual",
            "SELECT dbms_lock.request(1) FROM dual",
            "WITH FUNCTION f RETURN NUMBER IS PRAGMA AUTONOMOUS_TRANSACTION; BEGIN COMMIT; RETURN 1; END; SELECT f FROM dual",
        ] {
            assert!(one_read(refused).is_err(), "{refused}");
        }
    }
}
