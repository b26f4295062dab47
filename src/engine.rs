//! Engine: the narrow door to a database.
//!
//! A `Session` is one dedicated connection; there is no pool. It reads under limits that the
//! database enforces, and runs one write transaction at a time whose every touched row it can name.
//! Knows values and dialects; knows no check, no plan, no screen. Only this module names the
//! database driver.

mod sqlite;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::dialect::Dialect;
use crate::value::{Value, ValueRef};

/// What went wrong at the door, told apart by what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("cannot open {what}: {why}")]
    Connect { what: String, why: String },
    #[error("another session holds the lock; gave up after {}", seconds(*waited))]
    Locked { waited: Duration },
    #[error("stopped by the operator")]
    Stopped,
    #[error("not finished after {}", seconds(*limit))]
    TimedOut { limit: Duration },
    /// A constraint or trigger said no.
    #[error("the database refused: {message}")]
    Rejected { message: String },
    #[error("the database is read-only for us: {message}")]
    ReadOnly { message: String },
    #[error("the database says: {message}")]
    Database { message: String },
    /// Nothing is known of what the server did last.
    #[error("the connection was lost: {message}")]
    Lost { message: String },
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// What a session is for; it gets the rights that this needs and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reading, enforced by the database.
    Detect,
    /// The one writing transaction.
    Work,
}

/// Stops what a session is doing, from any thread. One stopper belongs to one piece of work.
#[derive(Debug, Clone, Default)]
pub struct Stopper(Arc<AtomicBool>);

impl Stopper {
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Who the server is, by its own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Differs between two databases whatever they are called.
    pub server: String,
    pub version: String,
    /// As whom we are there.
    pub role: String,
    /// Settings that change the meaning of SQL, for a panel.
    pub settings: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// Columns that name a row: primary key, else a unique and not-null key, else none.
    pub key: Vec<String>,
}

impl Table {
    /// Columns that can be written.
    pub fn stored(&self) -> Vec<String> {
        let stored = self.columns.iter().filter(|column| !column.generated);
        stored.map(|column| column.name.clone()).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub generated: bool,
}

/// One write the watch saw: kinds by table, and the keys in the order of first touch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Touched {
    pub table: String,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    pub keys: Vec<Vec<Value>>,
}

/// What the watch over a transaction cannot vouch for, a sentence each.
pub type Blind = Vec<String>;

/// A row to put back, as columns and values; the guard is part of the statement.
#[derive(Debug, Clone, Copy)]
pub struct RowWrite<'a> {
    pub table: &'a str,
    pub key: (&'a [String], &'a [Value]),
    /// Columns and the values they must hold now (update, delete).
    pub guard: (&'a [String], &'a [Value]),
    /// Columns and the values they get (insert, update).
    pub set: (&'a [String], &'a [Value]),
}

/// Called for each row of a result; breaking off ends the query in the database.
pub type OnRow<'a> = &'a mut (dyn FnMut(&[String], &[ValueRef<'_>]) -> ControlFlow<()> + Send);

/// One dedicated connection. The set of engines is closed; one that is missing somewhere is a
/// compile error here.
#[derive(Debug)]
pub enum Session {
    Sqlite(sqlite::Session),
}

impl Session {
    /// Opens an SQLite file.
    pub async fn sqlite(
        path: &Path,
        purpose: Purpose,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        sqlite::Session::open(path, purpose, lock_wait, stopper).await.map(Self::Sqlite)
    }

    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    pub async fn identity(&mut self) -> Result<Identity, EngineError> {
        match self {
            Self::Sqlite(session) => session.identity().await,
        }
    }

    pub async fn tables(&mut self) -> Result<Vec<Table>, EngineError> {
        match self {
            Self::Sqlite(session) => session.tables().await,
        }
    }

    /// The names of tables and views that can be seen.
    pub async fn table_names(&mut self) -> Result<Vec<String>, EngineError> {
        match self {
            Self::Sqlite(session) => session.table_names().await,
        }
    }

    /// Holds one state of the database for all reads until `rollback`.
    pub async fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        match self {
            Self::Sqlite(session) => session.begin_snapshot().await,
        }
    }

    /// Runs one query; every row goes to `on_row`. Columns are given back also when no row came.
    pub async fn read(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Vec<String>, EngineError> {
        match self {
            Self::Sqlite(session) => session.read(sql, timeout, on_row).await,
        }
    }

    /// Compiles one statement without running it, and gives the columns of its result.
    pub async fn prepare(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        match self {
            Self::Sqlite(session) => session.prepare(sql).await,
        }
    }

    /// Rows by key, each with the values of the named columns.
    pub async fn rows_by_key(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<(Vec<Value>, Vec<Value>)>, EngineError> {
        match self {
            Self::Sqlite(session) => session.rows_by_key(table, columns, keys).await,
        }
    }

    /// A value as a literal, quoted by the database itself.
    pub async fn quote(&mut self, value: &Value) -> Result<String, EngineError> {
        match self {
            Self::Sqlite(session) => session.quote(value).await,
        }
    }

    /// Opens the write transaction and watches every table for writes; says what it cannot see.
    pub async fn begin_watched(
        &mut self,
        tables: &[Table],
        time_cap: Duration,
    ) -> Result<Blind, EngineError> {
        match self {
            Self::Sqlite(session) => session.begin_watched(tables, time_cap).await,
        }
    }

    /// Opens a write transaction for DDL, which no watch sees.
    pub async fn begin(&mut self, time_cap: Duration) -> Result<(), EngineError> {
        match self {
            Self::Sqlite(session) => session.begin(time_cap).await,
        }
    }

    /// Runs one statement in the open transaction and gives its direct rows.
    pub async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        match self {
            Self::Sqlite(session) => session.execute(sql).await,
        }
    }

    /// Puts references that are broken for a moment off until the end of the transaction.
    pub async fn defer_references(&mut self) -> Result<(), EngineError> {
        match self {
            Self::Sqlite(session) => session.defer_references().await,
        }
    }

    pub async fn insert_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        match self {
            Self::Sqlite(session) => session.insert_row(row).await,
        }
    }

    pub async fn update_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        match self {
            Self::Sqlite(session) => session.update_row(row).await,
        }
    }

    pub async fn delete_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        match self {
            Self::Sqlite(session) => session.delete_row(row).await,
        }
    }

    /// Everything written since the transaction was opened, table by table.
    pub async fn touched(&mut self) -> Result<(Vec<Touched>, Blind), EngineError> {
        match self {
            Self::Sqlite(session) => session.touched().await,
        }
    }

    /// References from or to these tables that point nowhere.
    pub async fn broken_references(&mut self, tables: &[String]) -> Result<u64, EngineError> {
        match self {
            Self::Sqlite(session) => session.broken_references(tables).await,
        }
    }

    /// Creates the ledger if it is missing and writes this operation's row, in the open transaction.
    pub async fn write_ledger(
        &mut self,
        op: &str,
        actor: &str,
        print: &str,
    ) -> Result<(), EngineError> {
        match self {
            Self::Sqlite(session) => session.write_ledger(op, actor, print).await,
        }
    }

    /// Whether this operation's row is in the ledger. Waits out a writer that may still commit it.
    pub async fn in_ledger(&mut self, op: &str) -> Result<bool, EngineError> {
        match self {
            Self::Sqlite(session) => session.in_ledger(op).await,
        }
    }

    /// A number that grows with every commit of another connection.
    pub async fn commits_seen(&mut self) -> Result<i64, EngineError> {
        match self {
            Self::Sqlite(session) => session.commits_seen().await,
        }
    }

    /// A number that changes with every DDL.
    pub async fn schema_version(&mut self) -> Result<i64, EngineError> {
        match self {
            Self::Sqlite(session) => session.schema_version().await,
        }
    }

    pub async fn rollback(&mut self) -> Result<(), EngineError> {
        match self {
            Self::Sqlite(session) => session.rollback().await,
        }
    }

    pub async fn commit(&mut self) -> Result<(), EngineError> {
        match self {
            Self::Sqlite(session) => session.commit().await,
        }
    }

    /// How the engine locks while the transaction is open, in one sentence.
    pub fn lock_words(&self) -> String {
        match self {
            Self::Sqlite(session) => session.lock_words(),
        }
    }

    /// What a rollback does not take back on this engine.
    pub fn leaves_behind(&self) -> Vec<String> {
        match self {
            Self::Sqlite(_) => Vec::new(),
        }
    }

    pub async fn close(self) {
        match self {
            Self::Sqlite(session) => session.close().await,
        }
    }
}
