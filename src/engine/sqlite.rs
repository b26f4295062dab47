//! SQLite, embedded: a file, a write lock for the whole of it, and a worker thread of the driver.
//!
//! Reading: the file is opened read-only and `query_only` is set, so the library refuses a write
//! whatever the text says. Stopping and time limits: a progress handler asks every thousand steps
//! of the virtual machine. Watching: see `watch`.

#![allow(clippy::unused_async, reason = "the contract waits; a file has some answers at once")]

mod catalogue;
mod ledger;
mod read;
mod rows;
mod value;
mod watch;

pub use value::quoted;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Either};

use super::{
    Badge, Called, EngineError, Identity, Pressure, Purpose, Receipt, Session as Any, Setting,
    Stopper, Table, Waiter, not_there,
};
use crate::dialect::Dialect;
use crate::sql;
use crate::value::Value;
use value::{literal, values};

#[derive(Debug)]
pub struct Session {
    connection: SqliteConnection,
    path: PathBuf,
    lock_wait: Duration,
    time_cap: Duration,
    stopper: Stopper,
    deadline: Deadline,
    watch: Option<watch::Watch>,
    /// The library's count of changes at the savepoint, if one is set.
    saved: Option<i64>,
    /// Rows were read by key that hold text which is not UTF-8.
    odd_text: bool,
    wal: bool,
    /// A transaction is open that only `commit` may end well.
    held: Arc<AtomicBool>,
}

/// Until when the present statement and the present transaction may run, shared with the progress
/// handler: milliseconds after `start`, the largest number means for ever.
#[derive(Debug, Clone)]
struct Deadline {
    start: Instant,
    statement: Arc<AtomicU64>,
    transaction: Arc<AtomicU64>,
}

impl Deadline {
    fn new() -> Self {
        let never = || Arc::new(AtomicU64::new(u64::MAX));
        Self { start: Instant::now(), statement: never(), transaction: never() }
    }

    fn set(&self, which: &AtomicU64, after: Duration) {
        let at = (self.start.elapsed() + after).as_millis();
        which.store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Release);
    }

    fn is_over(&self) -> bool {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        let over = |which: &AtomicU64| now >= which.load(Ordering::Acquire);
        over(&self.statement) || over(&self.transaction)
    }
}

impl Session {
    pub async fn open(
        path: &Path,
        purpose: Purpose,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        let failed = |why: String| EngineError::Connect { what: path.display().to_string(), why };
        if !path.exists() {
            return Err(failed("there is no such file".into()));
        }
        let read_only = purpose == Purpose::Detect;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(read_only)
            .create_if_missing(false)
            .busy_timeout(lock_wait)
            .foreign_keys(true)
            .statement_cache_capacity(16)
            .disable_statement_logging();
        let connection = options.connect().await.map_err(|error| failed(message(&error)))?;
        let mut session = Self {
            connection,
            path: path.to_owned(),
            lock_wait,
            time_cap: Duration::ZERO,
            stopper: stopper.clone(),
            deadline: Deadline::new(),
            watch: None,
            saved: None,
            odd_text: false,
            wal: false,
            held: Arc::default(),
        };
        session.wal = session.text("PRAGMA journal_mode").await? == "wal";
        if read_only {
            session.run("PRAGMA query_only = ON").await?;
        } else if !session.wal {
            // A spilled page cache would lock readers out in the middle of a transaction.
            session.run("PRAGMA cache_spill = OFF").await?;
        }
        let (stopper, deadline) = (stopper.clone(), session.deadline.clone());
        let held = session.held.clone();
        let mut handle =
            session.connection.lock_handle().await.map_err(|error| failed(message(&error)))?;
        handle.set_progress_handler(1000, move || !(stopper.is_stopped() || deadline.is_over()));
        handle.set_commit_hook(move || !held.load(Ordering::Acquire));
        drop(handle);
        Ok(session)
    }

    pub async fn called(&mut self) -> Result<Called, EngineError> {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let version = self.text("SELECT sqlite_version()").await?;
        Ok(Called { server: format!("{}{}", path.display(), inode(&path)), version })
    }

    pub async fn identity(&mut self) -> Result<Identity, EngineError> {
        let Called { server, version } = self.called().await?;
        let mut settings = Vec::new();
        for name in ["foreign_keys", "journal_mode", "recursive_triggers", "encoding"] {
            let ours = self.text(&format!("PRAGMA {name}")).await?;
            settings.push(Setting { name: name.to_owned(), ours, theirs: None });
        }
        Ok(Identity {
            server,
            history: None,
            version,
            role: "file owner".into(),
            replica: false,
            no_writes: None,
            settings,
            badge: Badge::full(),
        })
    }

    pub async fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        self.run("BEGIN").await?;
        // A deferred transaction has its snapshot only after the first read.
        self.number("SELECT COUNT(*) FROM sqlite_schema").await.map(drop)
    }

    pub async fn begin(&mut self, time_cap: Duration) -> Result<(), EngineError> {
        // Takes the write lock now: a later upgrade could fail in the middle.
        self.run("BEGIN IMMEDIATE").await?;
        self.held.store(true, Ordering::Release);
        self.saved = None;
        self.deadline.set(&self.deadline.transaction, time_cap);
        self.time_cap = time_cap;
        Ok(())
    }

    pub async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        // A short statement ends before anybody asks.
        if self.stopper.is_stopped() {
            return Err(EngineError::Stopped);
        }
        self.names_are_there(sql).await?;
        let outcome =
            self.counted(sql).await.map_err(|error| self.judge(&error, Duration::ZERO))?;
        match outcome {
            (0 | 1, rows) => Ok(rows),
            _ => Err(EngineError::Refused { message: "it holds a second statement".into() }),
        }
    }

    /// How many statements ran, and how many rows they changed.
    async fn counted(&mut self, sql: &str) -> Result<(usize, u64), sqlx::Error> {
        let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut self.connection);
        let (mut statements, mut rows) = (0, 0);
        while let Some(result) = results.next().await {
            if let Either::Left(done) = result? {
                statements += 1;
                rows += done.rows_affected();
            }
        }
        Ok((statements, rows))
    }

    pub async fn savepoint(&mut self) -> Result<(), EngineError> {
        if self.saved.is_some() {
            self.run("RELEASE steadyhand_rows").await?;
        }
        self.run("SAVEPOINT steadyhand_rows").await?;
        self.saved = Some(self.number("SELECT total_changes()").await?);
        Ok(())
    }

    /// The library's own count goes on over what is taken back, the log of the watch does not.
    pub async fn back_to_savepoint(&mut self) -> Result<(), EngineError> {
        self.run("ROLLBACK TO steadyhand_rows").await?;
        let now = self.number("SELECT total_changes()").await?;
        if let (Some(watch), Some(then)) = (&mut self.watch, self.saved) {
            watch.total_changes += now - then;
        }
        self.saved = Some(now);
        Ok(())
    }

    pub async fn defer_references(&mut self) -> Result<(), EngineError> {
        self.run("PRAGMA defer_foreign_keys = ON").await
    }

    pub async fn broken_references(&mut self, tables: &[String]) -> Result<u64, EngineError> {
        const CHILDREN: &str = "SELECT DISTINCT l.name, f.\"table\" FROM pragma_table_list AS l \
             JOIN pragma_foreign_key_list(l.name) AS f WHERE l.schema = 'main'";
        let mut affected: Vec<String> = tables.to_vec();
        for row in self.rows(CHILDREN).await? {
            if let [Value::Text(child), Value::Text(parent)] = row.as_slice()
                && tables.iter().any(|table| table.eq_ignore_ascii_case(parent))
            {
                affected.push(child.clone());
            }
        }
        affected.sort();
        affected.dedup();
        let mut broken = 0;
        for table in affected {
            let sql = format!("SELECT COUNT(*) FROM pragma_foreign_key_check({})", literal(&table));
            broken += u64::try_from(self.number(&sql).await?).unwrap_or(0);
        }
        Ok(broken)
    }

    pub async fn lag(&mut self) -> Result<Option<Duration>, EngineError> {
        Ok(None)
    }

    /// A transaction covers the whole file and everything that a statement can reach.
    pub async fn objections(&mut self, statements: &[String]) -> Result<Vec<String>, EngineError> {
        let mut objections = Vec::new();
        for statement in statements {
            let Ok(write) = sql::write(statement, Dialect::Sqlite) else { continue };
            let name = literal(&write.table);
            // With the schema before it, or with a dot of its own.
            let known = format!(
                "SELECT COUNT(*) FROM pragma_table_list \
                 WHERE {name} COLLATE NOCASE IN (name, schema || '.' || name)"
            );
            if self.number(&known).await? == 0 {
                objections.push(not_there(&write.table));
            }
        }
        Ok(objections)
    }

    /// The file knows no sessions: the write lock says whether one is left.
    pub async fn mark(&mut self) -> Result<String, EngineError> {
        Ok(String::new())
    }

    pub async fn leaves_behind(&mut self) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    pub async fn waiting_for(&mut self, _mark: &str) -> Result<Vec<Waiter>, EngineError> {
        Ok(Vec::new())
    }

    pub async fn pressure(&mut self) -> Result<Pressure, EngineError> {
        Ok(Pressure::default())
    }

    pub async fn end_session(&mut self, _mark: &str) -> Result<bool, EngineError> {
        Ok(false)
    }

    /// A file does not fall silent.
    pub async fn end_silent(&mut self, _silent: &Any) -> Result<(), EngineError> {
        Ok(())
    }

    pub async fn define(&mut self, sql: &str, time_cap: Duration) -> Result<(), EngineError> {
        self.names_are_there(sql).await?;
        self.deadline.set(&self.deadline.statement, time_cap);
        let outcome = self.bare(sql).await;
        self.deadline.statement.store(u64::MAX, Ordering::Release);
        outcome.map_err(|error| self.judge(&error, time_cap))
    }

    pub async fn shadow(&mut self, table: &Table, _time_cap: Duration) -> Result<(), EngineError> {
        let name = quoted(&table.name);
        self.run(&format!("CREATE TEMP TABLE {name} AS SELECT * FROM main.{name}")).await
    }

    /// DDL is all or nothing here.
    pub async fn leftover(&mut self, _name: &str) -> Result<Option<String>, EngineError> {
        Ok(None)
    }

    /// Proved if no connection has committed since the transaction began, this one included.
    pub async fn take_back(&mut self, observe: &mut Any) -> Result<Receipt, EngineError> {
        self.rollback().await?;
        observe.rollback().await?;
        let Some(watch) = &self.watch else {
            return Ok(Receipt::CompareRows("nothing was watched".into()));
        };
        let commits = sibling(observe)?.commits_seen().await?;
        Ok(if commits == watch.commits {
            Receipt::Proved("a second connection saw no commit".into())
        } else {
            Receipt::CompareRows("others were writing at the same time".into())
        })
    }

    /// A number that grows with every commit of another connection.
    async fn commits_seen(&mut self) -> Result<i64, EngineError> {
        self.number("PRAGMA data_version").await
    }

    pub async fn rollback(&mut self) -> Result<(), EngineError> {
        self.held.store(false, Ordering::Release);
        self.deadline.transaction.store(u64::MAX, Ordering::Release);
        match self.bare("ROLLBACK").await {
            // An interrupted write has already rolled everything back by itself.
            Err(error) if message(&error).contains("no transaction is active") => Ok(()),
            outcome => outcome.map_err(|error| self.judge(&error, self.lock_wait)),
        }
    }

    pub async fn commit(&mut self) -> Result<(), EngineError> {
        self.held.store(false, Ordering::Release);
        self.deadline.transaction.store(u64::MAX, Ordering::Release);
        self.bare("COMMIT").await.map_err(|error| self.judge(&error, self.lock_wait))
    }

    pub async fn lock_words(&mut self) -> Result<String, EngineError> {
        let readers = if self.wal { "readers go on" } else { "readers wait only at COMMIT" };
        Ok(format!("one write lock on the whole file; {readers}"))
    }

    pub async fn close(self) {
        // Nothing is left to lose: a transaction still open is rolled back by closing.
        let _ = self.connection.close().await;
    }

    async fn run(&mut self, sql: &str) -> Result<(), EngineError> {
        self.bare(sql).await.map_err(|error| self.judge(&error, self.lock_wait))
    }

    async fn bare(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map(drop)
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, EngineError> {
        let fetched = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.connection).await;
        let decoded = fetched.and_then(|rows| rows.iter().map(values).collect());
        decoded.map_err(|error| self.judge(&error, self.lock_wait))
    }

    async fn number(&mut self, sql: &str) -> Result<i64, EngineError> {
        match self.rows(sql).await?.first().and_then(|row| row.first()) {
            Some(Value::Integer(n)) => Ok(*n),
            other => Err(EngineError::Database { message: format!("{sql} gave {other:?}") }),
        }
    }

    async fn text(&mut self, sql: &str) -> Result<String, EngineError> {
        let rows = self.rows(sql).await?;
        let value = rows.first().and_then(|row| row.first());
        Ok(value.and_then(|value| value.as_ref().plain()).unwrap_or_default())
    }

    /// Tells apart what follows from an error.
    fn judge(&self, error: &sqlx::Error, limit: Duration) -> EngineError {
        let message = message(error);
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let code = code.and_then(|code| code.parse::<i32>().ok());
        match code.map(|code| code & 0xff) {
            Some(9) if self.stopper.is_stopped() => EngineError::Stopped,
            Some(9) => EngineError::TimedOut { limit },
            Some(5 | 6) => EngineError::Locked { waited: self.lock_wait },
            Some(8) if code == Some(UNFINISHED) => EngineError::ReadOnly {
                message: "a crash left an unfinished transaction in the file, and only a session \
                          that may write can roll it back"
                    .into(),
            },
            Some(8) => EngineError::ReadOnly { message },
            Some(19) => EngineError::Rejected { message },
            Some(_) => EngineError::Database { message },
            None => match error {
                sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => EngineError::Lost { message },
                _ => EngineError::Database { message },
            },
        }
    }
}

/// The observer beside a session of this engine is of this engine.
fn sibling(observe: &mut Any) -> Result<&mut Session, EngineError> {
    match observe {
        Any::Sqlite(session) => Ok(session),
        _ => Err(EngineError::Refused {
            message: "the observer looks at another kind of database".into(),
        }),
    }
}

/// `SQLITE_READONLY_ROLLBACK`
const UNFINISHED: i32 = 776;

/// The database's own words, without the driver's prefix.
fn message(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

fn inode(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path)
        .map_or_else(|_| String::new(), |data| format!("#{:x}:{:x}", data.dev(), data.ino()))
}
