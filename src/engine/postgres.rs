//! PostgreSQL: a work, an observer and a cancel connection, and no pool.
//!
//! Reading: inside a read-only transaction, by a cursor, which the server grants to a query and to
//! nothing else. Settings travel with each transaction (`SET LOCAL`), so a pooler cannot lose them and
//! nothing of ours stays on a connection that it lends to others. Stopping: see `stop`. Watching: the
//! server counts every row that a transaction writes (`watch`), and what one snapshot sees and another
//! does not is exactly what lies between them (`images`).

mod catalogue;
mod connect;
mod define;
mod fault;
mod footprint;
mod identity;
mod images;
mod ledger;
mod notice;
mod objections;
mod pressure;
mod read;
mod rows;
mod shelf;
mod stop;
mod value;
mod watch;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, Either, PgConnection};

use super::{EngineError, PROMPT, Purpose, Receipt, Session as Any, Stopper};
use crate::config::access::Access;
use crate::value::Value;
use connect::Settings;
pub use rows::{quoted, relation};
pub use shelf::{Claimed, DDL, Ear, Kept, Link, Shelf};
use stop::{Side, Stops};

/// How long a statement of our own may take that reads the catalogue.
const OWN: Duration = Duration::from_secs(30);
const GOODBYE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Session {
    connection: PgConnection,
    backend: Backend,
    /// Of the server's history, as it was told when it was last asked who it is.
    timeline: Option<String>,
    access: Access,
    purpose: Purpose,
    lock_wait: Duration,
    stopper: Stopper,
    settings: Settings,
    /// Cancels and looks from beside; opened with a session that may write, else when needed.
    side: Option<Side>,
    pooling: Pooling,
    transaction: Option<Transaction>,
    /// The number that the server gave to the transaction that is or was open last, once it had one.
    xid: Option<String>,
    watch: Option<watch::Watch>,
    /// Of an observer: where the rows are that will be written.
    near: Option<images::Near>,
    notices: Arc<Mutex<Vec<String>>>,
    /// Whether a savepoint of ours is set in the transaction.
    saved: bool,
    /// The way back from an excursion is still to be gone; it goes along with what follows.
    away: bool,
    /// The server did not confirm what became of a statement; nothing may follow it.
    deaf: Option<String>,
    /// A cancel may still be on its way to us.
    late: bool,
}

/// Whether a session of ours keeps its process of the server.
#[derive(Debug, Clone)]
enum Pooling {
    Unknown,
    Own,
    /// With the reason why nothing can be changed through it.
    Lent(String),
}

/// The process of the server that serves a connection. Its start tells it from a later one of the
/// same number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Backend {
    pid: i64,
    started: String,
}

impl Backend {
    /// A condition on `pg_stat_activity`.
    fn is(&self) -> String {
        let started = rows::literal(&self.started);
        format!("pid = {} AND backend_start = {started}::timestamptz", self.pid)
    }
}

#[derive(Debug)]
struct Transaction {
    begun: Instant,
    cap: Duration,
    /// Whether it may write.
    writes: bool,
}

/// What a statement gave back.
type Cells = Vec<Vec<Value>>;

impl Session {
    pub async fn open(
        access: &Access,
        purpose: Purpose,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        notice::listen();
        let mut connection = connect::connect(access, connect::name(None).as_str()).await?;
        let backend = connect::backend(access, &mut connection).await?;
        let mut session = Self {
            connection,
            backend,
            timeline: None,
            access: access.clone(),
            purpose,
            lock_wait,
            stopper: stopper.clone(),
            settings: Settings::of(access, purpose, lock_wait),
            side: None,
            pooling: Pooling::Unknown,
            transaction: None,
            xid: None,
            watch: None,
            near: None,
            saved: false,
            away: false,
            notices: Arc::default(),
            deaf: None,
            late: false,
        };
        session.settle_in().await?;
        Ok(session)
    }

    /// Reads back what was set; a session that may write keeps its settings between transactions.
    async fn settle_in(&mut self) -> Result<(), EngineError> {
        if self.purpose == Purpose::Work && self.pooler().await?.is_none() {
            let sql = self.settings.session();
            self.plain(&sql, OWN).await?;
        }
        let wanted = connect::Settings::read_back();
        let found = self.rows(&wanted.0).await?;
        for ((name, ours), row) in wanted.1.iter().zip(&found) {
            let now = row.first().and_then(|cell| cell.as_ref().plain()).unwrap_or_default();
            if now != *ours {
                return Err(EngineError::Connect {
                    what: connect::place(&self.access),
                    why: format!("the server has {name} = {now}, although {ours} was asked for"),
                });
            }
        }
        Ok(())
    }

    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut *notice::kept(&self.notices))
    }

    pub async fn close(self) {
        // Nothing is left to lose: a transaction still open is rolled back by the server. Nobody waits
        // for one that does not hear the goodbye.
        let _ = tokio::time::timeout(GOODBYE, self.connection.close()).await;
        if let Some(side) = self.side {
            side.close().await;
        }
    }

    // ------------------------------------------------------------------------------- transactions

    pub async fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        // The snapshot is taken by the first statement that reads.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_backend_pid()";
        self.enter(begin, Duration::MAX, false).await
    }

    pub async fn begin(&mut self, time_cap: Duration) -> Result<(), EngineError> {
        self.may_write().await?;
        self.enter("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE", time_cap, true).await
    }

    async fn may_write(&mut self) -> Result<(), EngineError> {
        if self.purpose == Purpose::Detect {
            return Err(EngineError::Refused { message: "this session only reads".into() });
        }
        match self.pooler().await? {
            Some(why) => Err(EngineError::Refused { message: why }),
            None => Ok(()),
        }
    }

    /// Begins, and sets what holds for the transaction.
    async fn enter(&mut self, begin: &str, cap: Duration, writes: bool) -> Result<(), EngineError> {
        let sql = format!("{begin}; {}", self.settings.local(cap));
        self.transaction = Some(Transaction { begun: Instant::now(), cap, writes });
        self.xid = None;
        (self.saved, self.away) = (false, false);
        self.near = None;
        let entered = self.plain(&sql, OWN).await;
        if entered.is_err() {
            let _ = self.rollback().await;
        }
        entered
    }

    pub async fn rollback(&mut self) -> Result<(), EngineError> {
        let wrote = self.transaction.take().is_some_and(|open| open.writes);
        self.away = false;
        if wrote {
            return self.unstoppable("ROLLBACK").await.map(drop);
        }
        self.caught_up().await?;
        let ended = tokio::time::timeout(PROMPT, simple(&mut self.connection, "ROLLBACK")).await;
        let outcome = match ended {
            Ok(said) => said.map_err(|error| stop::Failure::Said { error, limit: PROMPT }),
            Err(_) => Err(stop::Failure::Deaf { why: format!("no answer for {PROMPT:?}") }),
        };
        self.judge(stop::Driven { outcome, late: false }).map(drop)
    }

    pub async fn commit(&mut self) -> Result<(), EngineError> {
        // A transaction that has failed answers COMMIT with a rollback and no error.
        self.unstoppable("SELECT 1").await?;
        self.transaction = None;
        self.unstoppable("COMMIT").await?;
        let mut notices = notice::kept(&self.notices);
        // The driver keeps the server's next sentence, which says what that means, to itself.
        if notices.iter().any(|notice| notice.contains("wait for synchronous replication")) {
            notices.push("committed on this server, and perhaps not on its standby".into());
        }
        Ok(())
    }

    pub async fn take_back(&mut self, observe: &mut Any) -> Result<Receipt, EngineError> {
        let observe = sibling(observe)?;
        let backend = self.backend.clone();
        let said = self.rollback().await;
        observe.rollback().await?;
        if said.is_err() {
            // It did not hear us; then it must be gone before its transaction can be called dead.
            observe.end_backend(&backend).await?;
        }
        let state = format!("SELECT state FROM pg_stat_activity WHERE {}", backend.is());
        let state = observe.text(&state).await?;
        let idle = match state.as_deref() {
            None => "its session is gone".to_owned(),
            Some("idle") => "its session is idle".to_owned(),
            Some(other) => {
                let why = format!("the session of the change is `{other}` after its rollback");
                return Ok(Receipt::CompareRows(why));
            }
        };
        let Some(xid) = &self.xid else {
            let how = format!("no transaction number was given out, and {idle}");
            return Ok(Receipt::Proved(how));
        };
        let status = format!("SELECT pg_xact_status('{xid}'::xid8)");
        Ok(match observe.text(&status).await?.as_deref() {
            Some("aborted") => Receipt::Proved(format!(
                "the server says that transaction {xid} is aborted, and {idle}"
            )),
            other => Receipt::CompareRows(format!(
                "the server says that transaction {xid} is {}",
                other.unwrap_or("forgotten")
            )),
        })
    }

    pub async fn mark(&mut self) -> Result<String, EngineError> {
        // Outside of a transaction there is no number that anything could be known by.
        let mut xid = String::new();
        if self.transaction.is_some() {
            xid = self.text("SELECT pg_current_xact_id()").await?.unwrap_or_default();
        }
        self.xid = Some(xid.clone()).filter(|xid| !xid.is_empty());
        let Backend { pid, started } = &self.backend;
        let timeline = self.timeline.as_deref().unwrap_or_default();
        Ok(format!("{pid}/{started}/{xid}/{timeline}"))
    }

    pub async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        if self.transaction.is_none() {
            // Only a transaction tells the server that it reads.
            self.may_write().await?;
        }
        let rows = self.one(sql, self.remaining()).await?;
        self.count_touched().await?;
        Ok(rows)
    }

    /// Runs a statement of somebody else; the extended protocol takes no second one behind it.
    async fn one(&mut self, sql: &str, limit: Duration) -> Result<u64, EngineError> {
        self.ready().await?;
        let query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
        let work = sqlx::Executor::execute(&mut self.connection, query);
        let stops = stops(&self.stopper, &mut self.side, &self.access, &self.backend, limit);
        let driven = stop::drive(notice::heard(&self.notices, work), stops).await;
        self.judge(driven).map(|done| done.rows_affected())
    }

    /// One at a time: a name that is set again would only hide the older one.
    pub async fn savepoint(&mut self) -> Result<(), EngineError> {
        let release = if self.saved { "RELEASE SAVEPOINT steadyhand_rows; " } else { "" };
        self.plain(&format!("{release}SAVEPOINT steadyhand_rows"), OWN).await?;
        self.saved = true;
        Ok(())
    }

    pub async fn back_to_savepoint(&mut self) -> Result<(), EngineError> {
        self.unstoppable("ROLLBACK TO SAVEPOINT steadyhand_rows").await.map(drop)
    }

    pub async fn defer_references(&mut self) -> Result<(), EngineError> {
        self.plain("SET CONSTRAINTS ALL DEFERRED", OWN).await
    }

    /// The server knows of none but those it puts off, and those are looked at now.
    pub async fn broken_references(&mut self, _tables: &[String]) -> Result<u64, EngineError> {
        self.do_what_is_put_off().await?;
        Ok(0)
    }

    /// Constraints are checked and triggers fire that would wait for COMMIT.
    async fn do_what_is_put_off(&mut self) -> Result<(), EngineError> {
        if self.transaction.as_ref().is_some_and(|open| open.writes) {
            self.plain("SET CONSTRAINTS ALL IMMEDIATE", self.remaining()).await?;
        }
        Ok(())
    }

    // ---------------------------------------------------------------------------- statements of ours

    /// How long a statement may take: what is left of the transaction.
    fn remaining(&self) -> Duration {
        self.transaction
            .as_ref()
            .map_or(Duration::MAX, |open| open.cap.saturating_sub(open.begun.elapsed()))
    }

    async fn ready(&mut self) -> Result<(), EngineError> {
        self.may_go_on().await?;
        if std::mem::take(&mut self.away) {
            self.unstoppable(read::BACK).await?;
        }
        Ok(())
    }

    async fn may_go_on(&mut self) -> Result<(), EngineError> {
        if self.stopper.is_stopped() && self.deaf.is_none() {
            return Err(EngineError::Stopped);
        }
        self.caught_up().await
    }

    /// A cancel that came too late meets an empty statement, and not the next one.
    async fn caught_up(&mut self) -> Result<(), EngineError> {
        if let Some(why) = &self.deaf {
            return Err(EngineError::Lost { message: why.clone() });
        }
        if std::mem::take(&mut self.late) {
            let _ = tokio::time::timeout(OWN, simple(&mut self.connection, "")).await;
        }
        Ok(())
    }

    /// Runs statements of ours that give no rows.
    async fn plain(&mut self, sql: &str, limit: Duration) -> Result<(), EngineError> {
        self.affected(sql, limit).await.map(drop)
    }

    async fn affected(&mut self, sql: &str, limit: Duration) -> Result<u64, EngineError> {
        self.send(sql, limit).await.map(|(_, rows)| rows)
    }

    /// The rows of a query of ours. Outside a transaction it gets one that carries the settings.
    async fn rows(&mut self, sql: &str) -> Result<Cells, EngineError> {
        if self.transaction.is_some() {
            return self.send(sql, OWN).await.map(|(cells, _)| cells);
        }
        let wrapped = format!("BEGIN READ ONLY; {}; {sql}; COMMIT", self.settings.local(OWN));
        let outcome = self.send(&wrapped, OWN).await;
        if outcome.is_err() && self.deaf.is_none() {
            self.unstoppable("ROLLBACK").await?;
        }
        outcome.map(|(cells, _)| cells)
    }

    /// The first value of the first row.
    async fn text(&mut self, sql: &str) -> Result<Option<String>, EngineError> {
        let rows = self.rows(sql).await?;
        Ok(rows.first().and_then(|row| row.first()).and_then(|cell| cell.as_ref().plain()))
    }

    async fn send(&mut self, sql: &str, limit: Duration) -> Result<(Cells, u64), EngineError> {
        self.may_go_on().await?;
        let back = if std::mem::take(&mut self.away) { read::BACK } else { "" };
        let sql = &format!("{back}{sql}");
        let limit = limit.min(self.remaining());
        let work = simple(&mut self.connection, sql);
        let stops = stops(&self.stopper, &mut self.side, &self.access, &self.backend, limit);
        let driven = stop::drive(notice::heard(&self.notices, work), stops).await;
        self.judge(driven)
    }

    /// What has to happen although the operator has stopped: the way out.
    async fn unstoppable(&mut self, sql: &str) -> Result<Cells, EngineError> {
        self.caught_up().await?;
        let never = Stopper::default();
        let work = simple(&mut self.connection, sql);
        let stops = stops(&never, &mut self.side, &self.access, &self.backend, OWN);
        let driven = stop::drive(notice::heard(&self.notices, work), stops).await;
        self.judge(driven).map(|(cells, _)| cells)
    }

    /// Tells apart what follows from an error.
    fn judge<T>(&mut self, driven: stop::Driven<T>) -> Result<T, EngineError> {
        self.late |= driven.late;
        driven.outcome.map_err(|failure| {
            let judged = fault::judge(&failure, &self.stopper, self.lock_wait);
            if let EngineError::Lost { message } = &judged {
                self.deaf = Some(message.clone());
            }
            judged
        })
    }
}

fn stops<'s>(
    stopper: &'s Stopper,
    side: &'s mut Option<Side>,
    access: &'s Access,
    backend: &'s Backend,
    limit: Duration,
) -> Stops<'s> {
    Stops { stopper, side, access, backend, limit }
}

/// Statements by the simple protocol, in which every value is text; rows of all of them together.
async fn simple(connection: &mut PgConnection, sql: &str) -> Result<(Cells, u64), sqlx::Error> {
    use futures_util::StreamExt as _;
    let mut cells = Cells::new();
    let mut affected = 0;
    let mut columns = None;
    let mut answers = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(connection);
    // To its end, also after an error: the server's last word belongs to this statement.
    let mut failed = None;
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(Either::Left(done)) => {
                affected = done.rows_affected();
                // The next statement has columns of its own.
                columns = None;
            }
            Ok(Either::Right(row)) => {
                let row = columns.get_or_insert_with(|| value::Columns::of(&row)).cells(&row)?;
                cells.push(row.into_iter().map(Value::from).collect());
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok((cells, affected)),
    }
}

/// The observer beside a session of this engine is of this engine.
fn sibling(observe: &mut Any) -> Result<&mut Session, EngineError> {
    match observe {
        Any::Postgres(session) => Ok(session),
        _ => Err(EngineError::Refused {
            message: "the observer looks at another kind of database".into(),
        }),
    }
}
