//! MySQL and MariaDB, one engine with two dialects.
//!
//! Reading: a read-only transaction over one snapshot. Writing: READ COMMITTED, so that few gaps are
//! locked and so that the worker sees what is committed beside what it wrote itself; by that its own
//! rows can be told from those of others (see `watch`). Nothing in the session is left to the driver
//! or to a default: what changes the meaning of SQL is set, read back and shown.

mod catalogue;
mod connect;
mod define;
mod diff;
mod errors;
mod functions;
mod identity;
mod ledger;
mod pressure;
mod reach;
mod rights;
mod rows;
mod values;
mod watch;
mod wire;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{
    EngineError, OnEach, OnRow, PROMPT, Purpose, Receipt, Session as Any, Setting, to_the_end,
};
use crate::dialect::Dialect;
pub use values::quoted;
use wire::Wire;

#[derive(Debug)]
pub struct Session {
    wire: Wire,
    purpose: Purpose,
    version: String,
    /// As `10.11`: major and minor.
    release: (u32, u32),
    settings: Vec<Setting>,
    /// What a statement of the operator gets, and what is set now.
    wanted: Modes,
    modes: Modes,
    no_writes: Option<String>,
    warnings: Vec<String>,
    transaction: Option<Transaction>,
    watch: Option<Box<watch::Watch>>,
    /// The lock that carries the name of the operation.
    lock: Option<ledger::Lock>,
    graph: Option<Box<reach::Graph>>,
    /// The table that a temporary copy hides.
    shadow: Option<String>,
    /// The server-side limit that is set now.
    belt: Option<Duration>,
    /// When comparing tables ends, whatever the transaction may take.
    until: Option<Instant>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Modes {
    sql_mode: String,
    zone: String,
}

#[derive(Debug, Clone, Copy)]
struct Transaction {
    start: Instant,
    cap: Duration,
    writes: bool,
}

/// For a statement that stands alone: a guardrail may take its time.
const ALONE: Duration = Duration::from_hours(1);

impl Session {
    pub fn dialect(&self) -> Dialect {
        if self.wire.is_mariadb() { Dialect::Mariadb } else { Dialect::Mysql }
    }

    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    pub async fn close(self) {
        drop(self.lock);
        self.wire.close().await;
    }

    pub async fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        self.wire.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
        self.wire.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        self.open_transaction(Duration::MAX, false);
        Ok(())
    }

    pub async fn begin(&mut self, time_cap: Duration) -> Result<(), EngineError> {
        self.may_write()?;
        if let Some(why) = &self.no_writes {
            return Err(EngineError::ReadOnly { message: why.clone() });
        }
        self.let_go_soon(time_cap).await?;
        self.wire.run("START TRANSACTION READ WRITE").await?;
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
        self.as_operator().await?;
        let limit = self.time_left(timeout)?;
        self.belt(limit).await?;
        self.wire.only(sql).await?;
        // A function in the query may write, and in a transaction that writes nothing forbids it.
        let writes = self.transaction.is_some_and(|open| open.writes);
        if writes {
            self.wire.run("SAVEPOINT steadyhand_read").await?;
        }
        let done = self.wire.work(sql, limit, on_row).await;
        if writes {
            self.wire.run("ROLLBACK TO SAVEPOINT steadyhand_read").await?;
        }
        let done = done?;
        match done.columns {
            Some(columns) => Ok(columns),
            // An empty result has no header: the names come from preparing the text.
            None => self.wire.columns(sql).await,
        }
    }

    /// What a statement may still take, never more than its transaction.
    fn time_left(&self, wanted: Duration) -> Result<Duration, EngineError> {
        let of_transaction =
            self.transaction.map(|open| open.cap.saturating_sub(open.start.elapsed()));
        let of_look = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let Some(left) = of_transaction.into_iter().chain(of_look).min() else { return Ok(wanted) };
        if left.is_zero() {
            let limit = self.transaction.map_or(wanted, |open| open.cap);
            Err(EngineError::TimedOut { limit })
        } else {
            Ok(left.min(wanted))
        }
    }

    /// The server's own limit, for the case that we die: a little wider than ours, and set again only
    /// when it would cut a statement short or hold it for long.
    async fn belt(&mut self, limit: Duration) -> Result<(), EngineError> {
        let wanted = limit.saturating_add(Duration::from_secs(2));
        if self.belt.is_some_and(|belt| belt >= wanted && belt / 2 <= wanted) {
            return Ok(());
        }
        // MySQL's limit ends only SELECT; for anything else there the second connection must do.
        let sql = if self.wire.is_mariadb() {
            format!("SET SESSION max_statement_time = {}", wanted.as_secs().clamp(1, 31_536_000))
        } else {
            format!(
                "SET SESSION max_execution_time = {}",
                wanted.as_millis().clamp(1, 4_000_000_000)
            )
        };
        self.wire.run(&sql).await?;
        self.belt = Some(wanted);
        Ok(())
    }

    /// If we die or fall silent, the server ends the session and its locks by itself.
    async fn let_go_soon(&mut self, time_cap: Duration) -> Result<(), EngineError> {
        let seconds = time_cap.as_secs().saturating_add(30).clamp(60, 86_400);
        let name = if self.wire.is_mariadb() { "idle_transaction_timeout" } else { "wait_timeout" };
        self.wire.run(&format!("SET SESSION {name} = {seconds}")).await.map(drop)
    }

    pub async fn rollback(&mut self) -> Result<(), EngineError> {
        self.watch = None;
        self.transaction = None;
        // Also where none is open: it costs nothing, and is true whatever a statement left.
        let limit = if self.purpose == Purpose::Work { wire::PATIENCE } else { PROMPT };
        self.wire.run_within("ROLLBACK", limit).await?;
        self.unshadow().await
    }

    pub async fn commit(&mut self) -> Result<(), EngineError> {
        self.wire.run("COMMIT").await?;
        self.transaction = None;
        self.watch = None;
        Ok(())
    }

    /// A name that is set again replaces the older one.
    pub async fn savepoint(&mut self) -> Result<(), EngineError> {
        self.wire.run("SAVEPOINT steadyhand_rows").await?;
        if let Some(watch) = &mut self.watch {
            watch.savepoint();
        }
        Ok(())
    }

    pub async fn back_to_savepoint(&mut self) -> Result<(), EngineError> {
        self.wire.run("ROLLBACK TO SAVEPOINT steadyhand_rows").await?;
        if let Some(watch) = &mut self.watch {
            watch.back_to_savepoint();
        }
        Ok(())
    }

    /// References are looked at row by row, so there is nothing to put off.
    #[allow(clippy::unused_async)]
    pub async fn defer_references(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// None can be: every statement was held against them.
    #[allow(clippy::unused_async)]
    pub async fn broken_references(&mut self, _tables: &[String]) -> Result<u64, EngineError> {
        Ok(0)
    }

    pub async fn take_back(&mut self, observe: &mut Any) -> Result<Receipt, EngineError> {
        let back = self.rollback().await;
        observe.rollback().await?;
        let observe = sibling(observe)?;
        if let Err(error) = back {
            // It is gone or does not hear us; its transaction is over as soon as its lock is free.
            let Some(lock) = &self.lock else { return Err(error) };
            return match observe.end_holder(&lock.name).await? {
                Ok(_) => Ok(Receipt::Proved(
                    "the session is gone, and the server has released what it held".into(),
                )),
                Err(message) => Err(EngineError::Database { message }),
            };
        }
        let id = self.wire.id();
        observe.begin_snapshot().await?;
        let open = format!("COALESCE(SUM(trx_mysql_thread_id = {id}), 0)");
        let listed = observe.of_transactions(&open).await;
        observe.rollback().await?;
        match listed {
            Ok(Some(0)) => Ok(Receipt::Proved(format!(
                "ROLLBACK was answered, and the server lists no transaction of session {id}"
            ))),
            Ok(Some(_)) => Err(EngineError::Database {
                message: format!("the server still lists a transaction of session {id}"),
            }),
            Ok(None) => Ok(Receipt::CompareRows(
                "others ask the server for its transactions so often that its list is not of now"
                    .into(),
            )),
            Err(EngineError::Database { .. }) => Ok(Receipt::CompareRows(
                "without the right PROCESS the server does not list transactions".into(),
            )),
            Err(error) => Err(error),
        }
    }

    pub async fn lock_words(&mut self) -> Result<String, EngineError> {
        let id = self.wire.id();
        let sql = format!(
            "SELECT trx_rows_locked, trx_tables_locked FROM information_schema.innodb_trx \
             WHERE trx_mysql_thread_id = {id}"
        );
        let seen = self.wire.texts(&sql).await;
        let counted = match seen.as_deref() {
            Ok([row]) => format!("about {} rows in {} tables", row[0], row[1]),
            Ok(_) => "no rows".to_owned(),
            Err(EngineError::Database { .. }) => "the rows that are written or looked for".into(),
            Err(error) => return Err(error.clone()),
        };
        Ok(format!(
            "locks {counted}; readers go on, writers of these rows and DDL on their tables wait"
        ))
    }

    /// Rows are read and put back without rules about dates and in UTC: what was there must be there
    /// again, also a zero date, an id 0, or the hour that a change of clocks repeats.
    async fn exactly(&mut self, utc: bool) -> Result<(), EngineError> {
        const EXACT: &str = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES";
        let zone = if utc { "+00:00".to_owned() } else { self.wanted.zone.clone() };
        self.set_modes(Modes { sql_mode: EXACT.into(), zone }).await
    }

    async fn as_operator(&mut self) -> Result<(), EngineError> {
        self.set_modes(self.wanted.clone()).await
    }

    async fn set_modes(&mut self, modes: Modes) -> Result<(), EngineError> {
        if self.modes != modes {
            let (mode, zone) = (values::text(&modes.sql_mode), values::text(&modes.zone));
            let sql = format!("SET SESSION sql_mode = {mode}, time_zone = {zone}");
            self.wire.run(&sql).await?;
            self.modes = modes;
        }
        Ok(())
    }
}

/// For statements whose rows nobody wants.
fn nothing(_: &[String], _: &[crate::value::ValueRef<'_>]) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The observer beside a session of this engine is of this engine.
fn sibling(observe: &mut Any) -> Result<&mut Session, EngineError> {
    match observe {
        Any::Mysql(session) => Ok(session),
        _ => Err(EngineError::Refused {
            message: "the observer looks at another kind of database".into(),
        }),
    }
}
