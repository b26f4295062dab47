//! One connection, and a second one by which the first is stopped.
//!
//! Without the right to end something through the second one, a statement still ends at its limit, which
//! the driver keeps; one that is stopped costs the session.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::connect::Door;
use super::errors::{self, Cause};
use super::hear::{Done, Fault, GRACE, Stop, attend, gather, hear};
use super::killer::{End, Id, Killer};
use super::kinds::{Bind, Statement};
use super::line::{Line, Order};
use crate::engine::{EngineError, OnRow, Stopper};
use crate::value::Value;

/// How long a statement of ours may take that nobody may stop: COMMIT, ROLLBACK, looking at catalogues.
pub const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Wire {
    line: Line,
    pub id: Id,
    killer: Killer,
    stopper: Stopper,
    lock_wait: Duration,
    /// The session is gone, or nobody knows what it does.
    lost: bool,
}

impl Wire {
    pub async fn open(
        door: Door,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        let line = Line::open(&door).await?;
        let id = Id { session: line.greeting.session, serial: line.greeting.serial, instance: 1 };
        let release = line.greeting.release;
        let killer = Killer::new(door, id.clone(), release);
        let stopper = stopper.clone();
        let mut wire = Self { line, id, killer, stopper, lock_wait, lost: false };
        let instance = wire.number("SELECT SYS_CONTEXT('USERENV', 'INSTANCE') FROM DUAL").await?;
        wire.id.instance = instance;
        wire.killer.id.instance = instance;
        Ok(wire)
    }

    pub fn release(&self) -> usize {
        self.line.greeting.release
    }

    pub fn version(&self) -> &str {
        &self.line.greeting.version
    }

    /// What the driver was told at the door: a password that is about to expire.
    pub fn greeting_warning(&mut self) -> Option<String> {
        self.line.greeting.warning.take()
    }

    /// Opens the second connection now, because later may be too late.
    pub async fn arm(&mut self) -> Result<(), EngineError> {
        self.killer.line().await.map(drop)
    }

    /// A statement on the second connection, which is in no transaction; a definition commits there.
    pub async fn aside(&mut self, sql: &str) -> Result<(), EngineError> {
        let lock_wait = self.lock_wait;
        self.killer
            .run(Statement::new(sql))
            .await?
            .map(drop)
            .map_err(|error| errors::judge(&error, None, PATIENCE, lock_wait))
    }

    /// Runs one statement that the operator may stop; every row goes to `on_row`, and breaking off
    /// ends it.
    pub async fn work(
        &mut self,
        statement: Statement,
        limit: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Done, EngineError> {
        self.work_returning(statement, 0, limit, on_row).await
    }

    /// The same for a write whose text ends with `RETURNING … INTO` so many texts.
    pub async fn work_returning(
        &mut self,
        statement: Statement,
        returning: usize,
        limit: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Done, EngineError> {
        self.alive()?;
        if self.stopper.is_stopped() {
            return Err(EngineError::Stopped);
        }
        let (enough, flag) = (Notify::new(), Arc::new(AtomicBool::new(false)));
        let order = Order {
            sql: statement.sql,
            binds: statement.binds,
            // Wider than ours: who may tell the server does so first.
            limit: limit.saturating_add(Duration::from_secs(1)),
            enough: flag.clone(),
            returning,
        };
        let said = self.line.run(order);
        let running = hear(said, on_row, &enough, &flag);
        let stop = Stop { stopper: &self.stopper, limit, lock_wait: self.lock_wait };
        let (done, cause) = attend(&mut self.killer, &stop, &enough, running).await;
        let Some(done) = done else {
            self.lost = true;
            return Err(EngineError::Lost {
                message: "the server did not end the statement: this account may not stop it \
                          (ALTER SYSTEM, or the procedure of `steadyhand grants`). It ends at its \
                          limit, and then everything that it did is rolled back"
                    .into(),
            });
        };
        if cause.is_some_and(|cause| cause != Cause::Enough) {
            // An interruption that came too late waits for the next statement: this one.
            let _ = self.run("SELECT 1 FROM DUAL").await;
        }
        match (done, cause) {
            (Ok(done), None | Some(Cause::Enough)) => Ok(done),
            (Ok(_), Some(cause)) => Err(cause.error()),
            (Err(Fault::Driver(error)), cause) => Err(self.judge(&error, cause, limit)),
            (Err(Fault::Gone), _) => Err(self.gone()),
        }
    }

    /// Runs one statement of ours to its end.
    pub async fn run(&mut self, sql: &str) -> Result<u64, EngineError> {
        self.collect(Statement::new(sql)).await.map(|(_, affected)| affected)
    }

    pub async fn run_bound(&mut self, statement: Statement) -> Result<u64, EngineError> {
        self.collect(statement).await.map(|(_, affected)| affected)
    }

    pub async fn rows(&mut self, statement: Statement) -> Result<Vec<Vec<Value>>, EngineError> {
        self.collect(statement).await.map(|(rows, _)| rows)
    }

    async fn collect(
        &mut self,
        statement: Statement,
    ) -> Result<(Vec<Vec<Value>>, u64), EngineError> {
        self.alive()?;
        match gather(&self.line, statement, PATIENCE).await {
            Ok(found) => Ok(found),
            Err(Some(Fault::Driver(error))) => Err(self.judge(&error, None, PATIENCE)),
            Err(Some(Fault::Gone)) => Err(self.gone()),
            Err(None) => Err(self.silent()),
        }
    }

    /// Rows of texts; NULL is empty.
    pub async fn texts(&mut self, sql: &str) -> Result<Vec<Vec<String>>, EngineError> {
        self.texts_bound(Statement::new(sql)).await
    }

    pub async fn texts_bound(
        &mut self,
        statement: Statement,
    ) -> Result<Vec<Vec<String>>, EngineError> {
        let rows = self.rows(statement).await?;
        Ok(rows.into_iter().map(|row| row.into_iter().map(plain).collect()).collect())
    }

    pub async fn text(&mut self, sql: &str) -> Result<String, EngineError> {
        let rows = self.texts(sql).await?;
        Ok(rows.into_iter().flatten().next().unwrap_or_default())
    }

    pub async fn number(&mut self, sql: &str) -> Result<u64, EngineError> {
        let text = self.text(sql).await?;
        text.parse().map_err(|_| EngineError::Database { message: format!("{sql} gave {text:?}") })
    }

    /// `None` where a right is missing.
    pub async fn texts_if_allowed(
        &mut self,
        sql: &str,
    ) -> Result<Option<Vec<Vec<String>>>, EngineError> {
        self.alive()?;
        match gather(&self.line, Statement::new(sql), PATIENCE).await {
            Ok((rows, _)) => {
                let texts = rows.into_iter().map(|row| row.into_iter().map(plain).collect());
                Ok(Some(texts.collect()))
            }
            Err(Some(Fault::Driver(error))) if errors::is_forbidden(errors::number(&error)) => {
                Ok(None)
            }
            Err(Some(Fault::Driver(error))) => Err(self.judge(&error, None, PATIENCE)),
            Err(Some(Fault::Gone)) => Err(self.gone()),
            Err(None) => Err(self.silent()),
        }
    }

    /// Compiles a query or a change of rows and gives the columns of its result. Anything else the
    /// server would run while it compiles.
    pub async fn columns(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        self.alive()?;
        let text = sql.to_owned();
        let heard = self.line.ask(move |connection| {
            connection.set_call_timeout(Some(PATIENCE))?;
            let mut statement = connection.statement(&text)?.exclude_from_cache().build()?;
            if !statement.is_query() && !statement.is_dml() {
                return Ok(None);
            }
            statement.ensure_fully_parsed()?;
            let columns = statement.out_metadata().iter();
            Ok(Some(columns.map(|column| super::names::column(column.name())).collect()))
        });
        match timeout(PATIENCE + GRACE, heard).await {
            Ok(Ok(Ok(Some(columns)))) => Ok(columns),
            Ok(Ok(Ok(None))) => Err(EngineError::Refused {
                message: "only a query or a change of rows can be compiled without running it"
                    .into(),
            }),
            Ok(Ok(Err(error))) => Err(self.judge(&error, None, PATIENCE)),
            Ok(Err(_)) => Err(self.gone()),
            Err(_) => Err(self.silent()),
        }
    }

    pub async fn commit(&mut self) -> Result<(), EngineError> {
        self.alive()?;
        let heard = self.line.ask(|connection| {
            connection.set_call_timeout(Some(PATIENCE))?;
            connection.commit()
        });
        self.ended(timeout(PATIENCE + GRACE, heard).await)
    }

    pub async fn rollback(&mut self) -> Result<(), EngineError> {
        self.alive()?;
        let heard = self.line.ask(|connection| {
            connection.set_call_timeout(Some(PATIENCE))?;
            connection.rollback()
        });
        self.ended(timeout(PATIENCE + GRACE, heard).await)
    }

    fn ended(
        &mut self,
        heard: Result<
            Result<Result<(), oracledb::Error>, tokio::sync::oneshot::error::RecvError>,
            tokio::time::error::Elapsed,
        >,
    ) -> Result<(), EngineError> {
        match heard {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => match self.judge(&error, None, PATIENCE) {
                // Nobody knows what the server did with it.
                EngineError::TimedOut { .. } => Err(self.silent()),
                judged => Err(judged),
            },
            Ok(Err(_)) => Err(self.gone()),
            Err(_) => Err(self.silent()),
        }
    }

    /// Ends a statement or a session through the second connection; why not, if not.
    pub async fn end(&mut self, id: &Id, end: End) -> Result<Result<(), String>, EngineError> {
        self.killer.end(id, end).await
    }

    fn judge(
        &mut self,
        error: &oracledb::Error,
        cause: Option<Cause>,
        limit: Duration,
    ) -> EngineError {
        let judged = errors::judge(error, cause, limit, self.lock_wait);
        self.lost |= matches!(judged, EngineError::Lost { .. });
        judged
    }

    pub async fn close(self) {
        // The threads close the connections; nothing is lost if that takes longer than we wait.
        let idle = self.line.ask(|_| ());
        let _ = timeout(GRACE, idle).await;
    }

    fn alive(&self) -> Result<(), EngineError> {
        if self.lost {
            return Err(EngineError::Lost { message: "the session had ended before".into() });
        }
        Ok(())
    }

    fn gone(&mut self) -> EngineError {
        self.lost = true;
        EngineError::Lost { message: "the driver broke down on what the server said".into() }
    }

    fn silent(&mut self) -> EngineError {
        self.lost = true;
        let seconds = PATIENCE.as_secs();
        EngineError::Lost { message: format!("no answer for {seconds} s") }
    }
}

pub fn plain(value: Value) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_ref().plain().unwrap_or_default(),
    }
}

/// A statement with texts of ours bound to it, in the order of its text.
pub fn with_binds(sql: impl Into<String>, binds: &[&str]) -> Statement {
    let mut statement = Statement::new(sql);
    statement.binds = binds.iter().map(|text| Bind::Text((*text).to_owned())).collect();
    statement
}
