//! Engine: the narrow door to a database.
//!
//! A `Session` is one dedicated connection; there is no pool. It reads under limits that the
//! database enforces, and runs one write transaction at a time whose every touched row it can name.
//! Knows values and dialects; knows no check, no plan, no screen. Only this module names the
//! database driver.

mod book;
mod mysql;
#[cfg(feature = "oracle")]
mod oracle;
mod portion;
mod postgres;
mod row;
mod schema;
mod sqlite;
mod stopper;
mod told;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::config::access::Access;
use crate::dialect::Dialect;
use crate::sql::Literals;
use crate::value::Value;
/// What several hosts keep in one place.
pub use postgres::{Claimed, DDL, Ear, Kept, Link, Shelf};
pub use row::{Image, Images, Keyed, OnEach, OnRow, RowWrite, Touched, to_the_end};
pub use schema::{Column, Reference, Table};
pub use stopper::Stopper;
pub use told::{
    Badge, Called, Capability, Identity, Lag, LongTransaction, Orphan, Pressure, Setting, Wait,
    Waiter,
};

/// How long the end of a transaction may take that wrote nothing.
const PROMPT: Duration = Duration::from_secs(5);

/// What went wrong at the door, told apart by what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("cannot open {what}: {why}")]
    Connect { what: String, why: String },
    /// The server does not believe that we are who we say: perhaps the password is of yesterday.
    #[error("cannot open {what}: {why}")]
    Denied { what: String, why: String },
    #[error("another session holds the lock; gave up after {}", seconds(*waited))]
    Locked { waited: Duration },
    #[error("stopped by the operator")]
    Stopped,
    #[error("not finished after {}", seconds(*limit))]
    TimedOut { limit: Duration },
    /// Another transaction was in the way: a deadlock or a serialisation failure. Everything was
    /// rolled back, so the whole may be tried again from its start.
    #[error("another transaction was in the way: {message}")]
    Conflict { message: String },
    /// Not even tried.
    #[error("{message}")]
    Refused { message: String },
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

/// Why a statement is not even tried whose table could not be found: perhaps its name was misread, and then
/// what it writes would be watched under another.
fn not_there(table: &str) -> String {
    format!("the table {table} is not there, or not shown to this account")
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

/// What the watch over a transaction cannot vouch for, a sentence each. Anything here forbids an undo.
pub type Blind = Vec<String>;

/// Whether a rollback is proved by the server itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// With the sentence that says how.
    Proved(String),
    /// The rows themselves must be looked at; with the reason.
    CompareRows(String),
}

/// What became of an operation whose end we did not hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    Committed(String),
    RolledBack(String),
    /// COMMIT was about to be sent, nobody can send it any more, and the ledger that would tell whether it
    /// was cannot be seen.
    Unseen(String),
    Unknown(String),
}

impl Settled {
    /// Of an engine that makes the ledger before the transaction writes to it.
    fn no_ledger() -> Self {
        let ledger = crate::sql::LEDGER;
        Self::Unseen(format!(
            "the ledger {ledger} was there when COMMIT was sent, and is gone now or not shown to this \
             account; ask again as the account of the change, after a GRANT SELECT on it to this one \
             (`steadyhand grants` prints it), or when it has its name back"
        ))
    }
}

/// Where an engine lets a definition be tried out and taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvingGround {
    /// DDL is part of the transaction, and the lock is the same for any write.
    InPlace,
    /// DDL is part of the transaction, but locks the table: first on a copy, then briefly in place.
    CopyThenInPlace,
    /// DDL commits: on a copy only.
    Copy,
}

/// One dedicated connection. The set of engines is closed; one that is missing somewhere is a
/// compile error here.
#[derive(Debug)]
pub enum Session {
    Sqlite(Box<sqlite::Session>),
    Postgres(Box<postgres::Session>),
    Mysql(Box<mysql::Session>),
    #[cfg(feature = "oracle")]
    Oracle(Box<oracle::Session>),
}

impl Session {
    /// Opens an SQLite file.
    pub async fn sqlite(
        path: &Path,
        purpose: Purpose,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        sqlite::Session::open(path, purpose, lock_wait, stopper)
            .await
            .map(|session| Self::Sqlite(Box::new(session)))
    }

    /// Opens a session on a server.
    pub async fn server(
        access: &Access,
        purpose: Purpose,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        match access.dialect {
            Dialect::Postgres => postgres::Session::open(access, purpose, lock_wait, stopper)
                .await
                .map(|session| Self::Postgres(Box::new(session))),
            Dialect::Mysql | Dialect::Mariadb => {
                mysql::Session::open(access, purpose, lock_wait, stopper)
                    .await
                    .map(|session| Self::Mysql(Box::new(session)))
            }
            #[cfg(feature = "oracle")]
            Dialect::Oracle => oracle::Session::open(access, purpose, lock_wait, stopper)
                .await
                .map(|session| Self::Oracle(Box::new(session))),
            #[cfg(not(feature = "oracle"))]
            Dialect::Oracle => Err(EngineError::Refused {
                message: "this build has no Oracle; build with --features oracle".into(),
            }),
            Dialect::Sqlite => Err(EngineError::Refused {
                message: "SQLite is a file, which no server keeps".into(),
            }),
        }
    }

    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::Mysql(session) => session.dialect(),
            #[cfg(feature = "oracle")]
            Self::Oracle(session) => session.dialect(),
        }
    }

    /// The name of a table as SQL can write it whatever is in it.
    pub fn table_name(&self, name: &str) -> String {
        match self {
            Self::Sqlite(_) => sqlite::quoted(name),
            Self::Postgres(_) => postgres::relation(name),
            Self::Mysql(_) => mysql::quoted(name),
            #[cfg(feature = "oracle")]
            Self::Oracle(_) => oracle::quoted(name),
        }
    }

    /// The same for a column.
    pub fn column_name(&self, name: &str) -> String {
        match self {
            Self::Postgres(_) => postgres::quoted(name),
            _ => self.table_name(name),
        }
    }

    /// What the server said besides the result since this was last asked: warnings, notices.
    pub fn warnings(&mut self) -> Vec<String> {
        match self {
            Self::Sqlite(_) => Vec::new(),
            Self::Postgres(session) => session.warnings(),
            Self::Mysql(session) => session.warnings(),
            #[cfg(feature = "oracle")]
            Self::Oracle(session) => session.warnings(),
        }
    }

    /// Where a guardrail can be tried out.
    pub fn proving_ground(&self) -> ProvingGround {
        match self {
            Self::Sqlite(_) => ProvingGround::InPlace,
            Self::Postgres(_) => ProvingGround::CopyThenInPlace,
            Self::Mysql(_) => ProvingGround::Copy,
            #[cfg(feature = "oracle")]
            Self::Oracle(_) => ProvingGround::Copy,
        }
    }

    /// Tells the observer that the rows to be written hold one of these literals in this column of a
    /// table: images are looked for there first, and everywhere if the server counts others. Who notes
    /// each row as it is written has no use for that.
    pub fn narrow(&mut self, table: &Table, column: &str, keys: &Literals) {
        if let Self::Postgres(session) = self {
            session.narrow(table, column, keys);
        }
    }

    /// Rows by key in the write transaction, which nobody else changes until its end without its failing.
    /// Only at READ COMMITTED does that take a lock: elsewhere whoever writes over what changed since the
    /// snapshot fails, or nobody else writes at all.
    pub async fn hold_rows(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Keyed>, EngineError> {
        match self {
            Self::Mysql(session) => session.hold_rows(table, columns, keys).await,
            other => other.rows_by_key(table, columns, keys).await,
        }
    }

    /// The name under which the watch books what a statement writes to a table; `None` where that is the
    /// table's own.
    pub async fn booked(&mut self, table: &str) -> Result<Option<String>, EngineError> {
        match self {
            Self::Postgres(session) => session.booked(table).await,
            Self::Sqlite(_) | Self::Mysql(_) => Ok(None),
            #[cfg(feature = "oracle")]
            Self::Oracle(_) => Ok(None),
        }
    }

    /// How a query is run, with the views in it opened and every expression written out, where the server
    /// tells that.
    pub async fn looked_through(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        match self {
            Self::Postgres(session) => {
                session.explain(&format!("(VERBOSE, COSTS OFF) {sql}")).await
            }
            Self::Sqlite(_) | Self::Mysql(_) => Ok(Vec::new()),
            #[cfg(feature = "oracle")]
            Self::Oracle(_) => Ok(Vec::new()),
        }
    }

    /// Why a query of the catalogue is shown less than there is, if it may be.
    pub async fn hidden(&mut self, sql: &str) -> Result<Option<String>, EngineError> {
        match self {
            Self::Postgres(session) => session.hidden(sql).await,
            Self::Mysql(session) => session.hidden(sql).await,
            Self::Sqlite(_) => Ok(None),
            #[cfg(feature = "oracle")]
            Self::Oracle(_) => Ok(None),
        }
    }

    /// Who compares whole tables to find what was written gives up then, the next time that it is asked.
    pub fn look_until(&mut self, until: Option<Instant>) {
        if let Self::Mysql(session) = self {
            session.look_until(until);
        }
    }

    /// The observer reads what those rows hold while they are being written.
    pub async fn read_ahead(&mut self, limit: Duration) -> Result<(), EngineError> {
        match self {
            Self::Postgres(session) => session.read_ahead(limit).await,
            Self::Sqlite(_) | Self::Mysql(_) => Ok(()),
            #[cfg(feature = "oracle")]
            Self::Oracle(_) => Ok(()),
        }
    }

    pub async fn close(self) {
        match self {
            Self::Sqlite(session) => session.close().await,
            Self::Postgres(session) => session.close().await,
            Self::Mysql(session) => session.close().await,
            #[cfg(feature = "oracle")]
            Self::Oracle(session) => session.close().await,
        }
    }
}

/// What every engine does, in its own way: each line becomes a method that hands over to the engine.
macro_rules! contract {
    ($($(#[$doc:meta])* async fn $name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)*) => {
        impl Session {
            $($(#[$doc])*
            pub async fn $name(&mut self, $($arg: $kind),*) -> Result<$out, EngineError> {
                match self {
                    Self::Sqlite(session) => session.$name($($arg),*).await,
                    Self::Postgres(session) => session.$name($($arg),*).await,
                    Self::Mysql(session) => session.$name($($arg),*).await,
                    #[cfg(feature = "oracle")]
                    Self::Oracle(session) => session.$name($($arg),*).await,
                }
            })*
        }
    };
}

contract! {
    async fn identity() -> Identity;

    /// The part of the identity that whoever only reads must know, without what takes longer.
    async fn called() -> Called;

    /// Every table that can be seen, as it must be known to watch and to undo.
    async fn tables() -> Vec<Table>;

    /// The names of what a query can read and this session can see, tables, views, sequences: those that need no schema bare and with it.
    async fn table_names() -> Vec<String>;

    /// Every foreign key between tables that can be seen.
    async fn references() -> Vec<Reference>;

    /// How far the server is behind its primary; `None` on a primary.
    async fn lag() -> Option<Duration>;

    // Reading.

    /// Holds one state of the database for all reads until `rollback`; writes are refused by the
    /// server meanwhile.
    async fn begin_snapshot() -> ();

    /// Runs one query; every row goes to `on_row`. Columns are given back also when no row came.
    async fn read(sql: &str, timeout: Duration, on_row: OnRow<'_>) -> Vec<String>;

    /// Every row of a query, to the last: who may stop early takes `read`.
    async fn scan(sql: &str, timeout: Duration, on_each: OnEach<'_>) -> ();

    /// Compiles one statement without running it, and gives the columns of its result.
    async fn prepare(sql: &str) -> Vec<String>;

    /// How the server would run a statement, a line each, without running it.
    async fn explain(sql: &str) -> Vec<String>;

    /// Rows by key, each with the values of the named columns.
    async fn rows_by_key(table: &Table, columns: &[String], keys: &[Vec<Value>]) -> Vec<Keyed>;

    /// A value as a literal, quoted by the database itself.
    async fn quote(value: &Value) -> String;

    /// Very many keys, as literals that lead to the rows which hold them in a column of this kind.
    async fn quote_keys(kind: &str, values: &[Value]) -> Vec<String>;

    // The one write transaction.

    /// Why these statements may not even be tried here: tables that no rollback undoes, functions
    /// that reach outside, tables of another server. Asked before the transaction.
    async fn objections(statements: &[String]) -> Vec<String>;

    /// Opens the write transaction and watches every table for writes; the observer gets a snapshot
    /// of the same moment, the state before. The session carries the name of the operation, so that a
    /// later one finds it. Says what the watch cannot see.
    async fn begin_watched(
        observe: &mut Session,
        tables: &[Table],
        op: &str,
        time_cap: Duration
    ) -> Blind;

    /// Opens a write transaction without a watch.
    async fn begin(time_cap: Duration) -> ();

    /// Names this session and its transaction, to be written down before COMMIT is sent.
    async fn mark() -> String;

    /// Runs one statement in the open transaction, or by itself if none is open; gives its direct rows.
    async fn execute(sql: &str) -> u64;

    /// Puts references that are broken for a moment off until the end of the transaction.
    async fn defer_references() -> ();

    /// Sets the one place to which `back_to_savepoint` takes the open transaction back.
    async fn savepoint() -> ();

    /// Takes back what came after the savepoint, which stays where it is.
    async fn back_to_savepoint() -> ();

    /// Rows of one table, the same columns in each; says of which the guard held.
    async fn insert_rows(rows: &[RowWrite<'_>]) -> Vec<bool>;
    async fn update_rows(rows: &[RowWrite<'_>]) -> Vec<bool>;
    async fn delete_rows(rows: &[RowWrite<'_>]) -> Vec<bool>;

    /// Everything written since `begin_watched`: the counts of each table in the order of first
    /// touch, and the images, each row once. Says what they do not cover.
    async fn written(observe: &mut Session, images: &mut dyn Images) -> (Vec<Touched>, Blind);

    /// References from or to these tables that point nowhere. Deferred constraints are looked at now.
    async fn broken_references(tables: &[String]) -> u64;

    /// What the open transaction has used up and a rollback will not give back, a sentence each.
    async fn leaves_behind() -> Vec<String>;

    /// How the open transaction locks, in one sentence.
    async fn lock_words() -> String;

    /// Creates the ledger if it is missing and writes the row of this operation, or of one chunk of
    /// it, in the open transaction. An operation in one piece is chunk 0.
    async fn write_ledger(op: &str, chunk: u64, actor: &str, print: &str) -> ();

    async fn rollback() -> ();

    /// Rolls back, ends the observer's snapshot, and has the server itself say that nothing stayed.
    async fn take_back(observe: &mut Session) -> Receipt;

    async fn commit() -> ();

    // From another session.

    /// What became of an operation, or of one chunk of it: makes sure that the session of this mark
    /// can no longer commit, then looks. Needs a session that may write.
    async fn settle(op: &str, chunk: u64, mark: Option<&str>) -> Settled;

    /// The sessions that wait for the session of this mark; an error where that cannot be seen.
    async fn waiting_for(mark: &str) -> Vec<Waiter>;

    async fn pressure() -> Pressure;

    /// Ends a session of ours; `false` if it was gone already.
    async fn end_session(mark: &str) -> bool;

    /// Ends another session of this process that has gone silent: what it holds on the server is let go.
    async fn end_silent(silent: &Session) -> ();

    // Definitions.

    /// Runs one definition by itself, outside of a transaction; it commits on its own.
    async fn define(sql: &str, time_cap: Duration) -> ();

    /// Hides a table behind a temporary copy of the same name, for this session alone: what is tried
    /// out on it needs no lock on the table. Ends with the transaction or the session.
    async fn shadow(table: &Table, time_cap: Duration) -> ();

    /// What an attempt that failed has left behind under this name, in a sentence.
    async fn leftover(name: &str) -> Option<String>;

    /// A text that changes with every DDL.
    async fn schema_mark() -> String;
}
