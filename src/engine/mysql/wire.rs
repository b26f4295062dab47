//! One connection, and a second one by which the first is stopped.
//!
//! The driver's futures end nothing on the server when they are dropped, so none is: a statement is
//! always awaited to its end, and what is to end sooner is killed through the other connection.
//! MariaDB kills a statement by its number, so a late kill hits nobody; MySQL kills whatever the
//! session does, so the kill is awaited before the session does anything else.

use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Either};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::errors::{self, Cause};
use super::values;
use crate::engine::{EngineError, OnRow, Stopper};
use crate::value::{Value, ValueRef};

/// How long a killed statement may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// How long a statement of ours may take that nobody may stop: COMMIT, ROLLBACK, looking at catalogues.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The rest of a result may take this long before it is worth a kill.
const REST: Duration = Duration::from_millis(20);

/// How to get in. Has no `Debug` of the driver's, which prints the password.
#[derive(Clone)]
pub struct Door {
    pub options: MySqlConnectOptions,
    pub timeout: Duration,
    pub what: String,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Door").field(&self.what).finish()
    }
}

impl Door {
    pub async fn open(&self) -> Result<MySqlConnection, EngineError> {
        let failed = |why: String| EngineError::Connect { what: self.what.clone(), why };
        match timeout(self.timeout, self.options.connect()).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(error)) => Err(errors::unreachable(&error, self.what.clone())),
            Err(_) => Err(failed(format!("no answer within {:.0} s", self.timeout.as_secs_f64()))),
        }
    }
}

#[derive(Debug)]
pub struct Wire {
    link: MySqlConnection,
    killer: Killer,
    stopper: Stopper,
    lock_wait: Duration,
    /// The session is gone, or nobody knows what it does.
    lost: bool,
}

/// What a statement came to.
#[derive(Debug, Default)]
pub struct Done {
    pub columns: Option<Vec<String>>,
    pub rows: u64,
    pub affected: u64,
}

impl Wire {
    pub async fn open(
        door: Door,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        let link = door.open().await?;
        let door = Box::new(door);
        let killer = Killer { link: None, door, id: 0, server: String::new(), mariadb: false };
        let stopper = stopper.clone();
        let mut wire = Self { link, killer, stopper, lock_wait, lost: false };
        wire.killer.id = wire.number("SELECT CONNECTION_ID()").await?;
        wire.killer.mariadb = wire.text("SELECT VERSION()").await?.contains("MariaDB");
        wire.killer.server = wire.text(own_name(wire.killer.mariadb)).await?;
        Ok(wire)
    }

    pub fn id(&self) -> u64 {
        self.killer.id
    }

    pub fn is_mariadb(&self) -> bool {
        self.killer.mariadb
    }

    /// The server by its own name.
    pub fn server(&self) -> &str {
        &self.killer.server
    }

    /// Opens the second connection now, because later may be too late.
    pub async fn arm(&mut self) -> Result<(), EngineError> {
        self.killer.link().await.map(drop)
    }

    /// A statement on the second connection, which is in no transaction.
    pub async fn aside(&mut self, sql: &str) -> Result<(), EngineError> {
        let lock_wait = self.lock_wait;
        let link = self.killer.link().await?;
        let done = timeout(PATIENCE, sqlx::raw_sql(AssertSqlSafe(sql)).execute(link)).await;
        done.map_err(|_| EngineError::TimedOut { limit: PATIENCE })?
            .map(drop)
            .map_err(|error| errors::judge(&error, None, PATIENCE, lock_wait))
    }

    /// Runs one statement that the operator may stop; every row goes to `on_row`, and breaking off
    /// ends it on the server.
    pub async fn work(
        &mut self,
        sql: &str,
        limit: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Done, EngineError> {
        self.alive()?;
        if self.stopper.is_stopped() {
            return Err(EngineError::Stopped);
        }
        let enough = Notify::new();
        let running = stream(&mut self.link, sql, on_row, &enough);
        let (done, cause) = attend(&mut self.killer, &self.stopper, limit, &enough, running).await;
        let Some(done) = done else {
            self.lost = true;
            return Err(EngineError::Lost {
                message: "the server did not end the statement when told to".into(),
            });
        };
        if cause.is_some() && !self.killer.mariadb {
            // A kill that came too late waits for the next statement: this one.
            let _ = timeout(GRACE, sqlx::raw_sql("DO 0").execute(&mut self.link)).await;
        }
        match (done, cause) {
            (Ok(done), None | Some(Cause::Enough)) => Ok(done),
            // Some statements end without an error when they are killed.
            (Ok(_), Some(Cause::Stopped)) => Err(EngineError::Stopped),
            (Ok(_), Some(Cause::TimedOut(limit))) => Err(EngineError::TimedOut { limit }),
            (Err(error), cause) => Err(self.judge(&error, cause, limit)),
        }
    }

    /// The driver lets the server run whatever stands behind a semicolon, and which semicolons end a
    /// statement only the server knows. It prepares no more than one.
    pub async fn only(&mut self, sql: &str) -> Result<(), EngineError> {
        if !sql.contains(';') {
            return Ok(());
        }
        match self.prepared(sql).await? {
            // MySQL has read a trigger to its end before it says that it prepares none.
            Err(error) if errors::number(&error) != Some(errors::NOT_PREPARED) => {
                Err(self.judge(&error, None, PATIENCE))
            }
            _ => Ok(()),
        }
    }

    /// Runs one statement of ours to its end.
    pub async fn run(&mut self, sql: &str) -> Result<u64, EngineError> {
        self.run_within(sql, PATIENCE).await
    }

    pub async fn run_within(&mut self, sql: &str, limit: Duration) -> Result<u64, EngineError> {
        self.alive()?;
        let running = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.link);
        match timeout(limit, running).await {
            Ok(Ok(done)) => Ok(done.rows_affected()),
            Ok(Err(error)) => Err(self.judge(&error, None, limit)),
            Err(_) => Err(self.silent(limit)),
        }
    }

    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, EngineError> {
        self.alive()?;
        let running = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.link);
        let rows = match timeout(PATIENCE, running).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => return Err(self.judge(&error, None, PATIENCE)),
            Err(_) => return Err(self.silent(PATIENCE)),
        };
        let shapes = rows.first().map(values::shapes).unwrap_or_default();
        let decoded: Result<_, _> = rows.iter().map(|row| values::values(row, &shapes)).collect();
        decoded.map_err(|error| self.judge(&error, None, PATIENCE))
    }

    /// Rows of texts; NULL is empty.
    pub async fn texts(&mut self, sql: &str) -> Result<Vec<Vec<String>>, EngineError> {
        let rows = self.rows(sql).await?;
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

    /// Compiles a statement and gives the columns of its result.
    pub async fn columns(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        let prepared = self.prepared(sql).await?;
        prepared.map_err(|error| self.judge(&error, None, PATIENCE))
    }

    async fn prepared(
        &mut self,
        sql: &str,
    ) -> Result<Result<Vec<String>, sqlx::Error>, EngineError> {
        use sqlx::{Column as _, Executor as _, SqlSafeStr as _, Statement as _};
        self.alive()?;
        let preparing = (&mut self.link).prepare(AssertSqlSafe(sql).into_sql_str());
        match timeout(PATIENCE, preparing).await {
            Ok(it) => Ok(it.map(|it| it.columns().iter().map(|c| c.name().to_owned()).collect())),
            Err(_) => Err(self.silent(PATIENCE)),
        }
    }

    pub fn judge(
        &mut self,
        error: &sqlx::Error,
        cause: Option<Cause>,
        limit: Duration,
    ) -> EngineError {
        let judged = errors::judge(error, cause, limit, self.lock_wait);
        self.lost |= matches!(judged, EngineError::Lost { .. });
        judged
    }

    pub async fn close(self) {
        if let Some(link) = self.killer.link {
            let _ = timeout(GRACE, link.close()).await;
        }
        // Nothing is left to lose: the server rolls back what a closed session left open.
        let _ = timeout(GRACE, self.link.close()).await;
    }

    fn alive(&self) -> Result<(), EngineError> {
        if self.lost {
            return Err(EngineError::Lost { message: "the session had ended before".into() });
        }
        Ok(())
    }

    fn silent(&mut self, limit: Duration) -> EngineError {
        self.lost = true;
        let seconds = limit.as_secs();
        EngineError::Lost { message: format!("no answer for {seconds} s") }
    }
}

/// MySQL gives itself a name that nobody else has. MariaDB does not: host and data folder are what two
/// servers never share, and the number is what replication tells them apart by.
fn own_name(mariadb: bool) -> &'static str {
    if mariadb {
        "SELECT CONCAT(@@hostname, @@datadir, '#', @@server_id)"
    } else {
        "SELECT @@server_uuid"
    }
}

pub fn plain(value: Value) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_ref().plain().unwrap_or_default(),
    }
}

async fn stream(
    link: &mut MySqlConnection,
    sql: &str,
    on_row: OnRow<'_>,
    enough: &Notify,
) -> Result<Done, sqlx::Error> {
    let mut done = Done::default();
    let mut shapes = Vec::new();
    let mut broken = false;
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(link);
    while let Some(result) = results.next().await {
        let row = match result {
            Ok(Either::Right(_)) if broken => continue,
            Ok(Either::Right(row)) => row,
            Ok(Either::Left(end)) => {
                done.affected = end.rows_affected();
                continue;
            }
            Err(_) if broken => break,
            Err(error) => return Err(error),
        };
        let columns = done.columns.get_or_insert_with(|| {
            shapes = values::shapes(&row);
            values::names(&row)
        });
        let cells: Result<Vec<ValueRef<'_>>, _> = shapes
            .iter()
            .enumerate()
            .map(|(column, shape)| values::value(&row, column, *shape))
            .collect();
        done.rows += 1;
        if on_row(columns, &cells?) == ControlFlow::Break(()) {
            broken = true;
            enough.notify_one();
        }
    }
    Ok(done)
}

/// Awaits a statement, and ends it when somebody stops it or its time is over. `None` if it did not
/// even end when its session was killed.
async fn attend<T>(
    killer: &mut Killer,
    stopper: &Stopper,
    limit: Duration,
    enough: &Notify,
    running: impl Future<Output = Result<T, sqlx::Error>>,
) -> (Option<Result<T, sqlx::Error>>, Option<Cause>) {
    let mut running = pin!(running);
    let cause = tokio::select! {
        biased;
        done = &mut running => return (Some(done), None),
        () = stopper.stopped() => Cause::Stopped,
        () = enough.notified() => Cause::Enough,
        () = sleep(limit) => Cause::TimedOut(limit),
    };
    if cause == Cause::Enough
        && let Ok(done) = timeout(REST, &mut running).await
    {
        return (Some(done), Some(cause));
    }
    for whole_session in [false, true] {
        // The statement goes on being awaited: it may end by itself meanwhile.
        let kill = timeout(GRACE, killer.kill(whole_session));
        let both = async { tokio::join!(timeout(GRACE, &mut running), kill) };
        if let (Ok(done), _) = both.await {
            return (Some(done), Some(cause));
        }
    }
    (None, Some(cause))
}

/// The first value of a query, if it has a row.
async fn first(link: &mut MySqlConnection, sql: &str) -> Result<Option<String>, sqlx::Error> {
    let Some(row) = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(link).await? else {
        return Ok(None);
    };
    let values = values::values(&row, &values::shapes(&row))?;
    Ok(values.into_iter().next().map(plain))
}

#[derive(Debug)]
struct Killer {
    link: Option<MySqlConnection>,
    door: Box<Door>,
    id: u64,
    /// Where that number is of our session, and elsewhere of somebody else's.
    server: String,
    mariadb: bool,
}

impl Killer {
    async fn link(&mut self) -> Result<&mut MySqlConnection, EngineError> {
        if self.link.is_none() {
            let mut link = self.door.open().await?;
            let asked = timeout(self.door.timeout, first(&mut link, own_name(self.mariadb))).await;
            let failed = |why: String| EngineError::Connect { what: self.door.what.clone(), why };
            let name = asked
                .map_err(|_| failed("the server lets us in but does not answer".into()))?
                .map_err(|error| failed(errors::message(&error)))?;
            if name.as_ref() != Some(&self.server) {
                let (server, other) = (&self.server, name.unwrap_or_default());
                return Err(EngineError::Refused {
                    message: format!(
                        "a second connection leads to another server: {other} instead of {server}; \
                         connect to one server itself, and not to an address that several share"
                    ),
                });
            }
            self.link = Some(link);
        }
        Ok(self.link.as_mut().expect("it was just opened"))
    }

    async fn kill(&mut self, whole_session: bool) -> Result<(), EngineError> {
        let (id, mariadb) = (self.id, self.mariadb);
        let failed =
            |error: sqlx::Error| EngineError::Database { message: errors::message(&error) };
        let link = self.link().await?;
        let busy = format!(
            "SELECT {} FROM information_schema.processlist WHERE id = {id} AND command <> 'Sleep'",
            if mariadb { "query_id" } else { "id" }
        );
        let Some(number) = first(link, &busy).await.map_err(failed)? else { return Ok(()) };
        let sql = match (whole_session, mariadb) {
            (true, _) => format!("KILL CONNECTION {id}"),
            (false, true) => format!("KILL QUERY ID {number}"),
            (false, false) => format!("KILL QUERY {number}"),
        };
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(link).await.map(drop).map_err(failed)
    }
}
