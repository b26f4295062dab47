//! One connection, and a second one by which the first is stopped.
//!
//! The driver has no call that interrupts another one. So a statement is always awaited to its end, and
//! what is to end sooner is ended by the server, told through the second connection. That takes the right
//! ALTER SYSTEM, or the procedure that `steadyhand grants` prints; without either a statement still ends
//! at its limit, which the driver keeps, and one that is stopped costs the session.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::connect::Door;
use super::errors::{self, Cause};
use super::kinds::{Bind, Statement};
use super::line::{Line, Order, Said};
use crate::engine::{EngineError, OnRow, Stopper};
use crate::value::{Value, ValueRef};

/// How long a statement may take to end once the server was told to end it.
const GRACE: Duration = Duration::from_secs(5);

/// How long a statement of ours may take that nobody may stop: COMMIT, ROLLBACK, looking at catalogues.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The rest of a result may take this long before the server is told to end it.
const REST: Duration = Duration::from_millis(200);

/// Made by the grants script: ends a statement or a session of steadyhand and of nobody else.
pub const HELPER: &str = "STEADYHAND_OPS.STEADYHAND_END";

/// A session, told apart from every other one that is or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    pub session: u64,
    pub serial: u64,
    pub instance: u64,
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{},@{}", self.session, self.serial, self.instance)
    }
}

impl Id {
    /// From the form in which it is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let session = parts.next()?.parse().ok()?;
        let serial = parts.next()?.parse().ok()?;
        let instance = parts.next()?.strip_prefix('@')?.parse().ok()?;
        parts.next().is_none().then_some(Self { session, serial, instance })
    }

    /// As a condition on GV$SESSION, whatever it is called there.
    pub fn is(&self, of: &str) -> String {
        let Self { session, serial, instance } = self;
        format!("{of}.SID = {session} AND {of}.SERIAL# = {serial} AND {of}.INST_ID = {instance}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Statement,
    Session,
}

impl End {
    fn sql(self, id: &Id, release: usize) -> Option<String> {
        match self {
            // The instance stands there like the parts of the text before it, with blanks.
            Self::Statement if release >= 18 => Some(format!(
                "ALTER SYSTEM CANCEL SQL '{}, {}, @{}'",
                id.session, id.serial, id.instance
            )),
            Self::Statement => None,
            Self::Session => Some(format!("ALTER SYSTEM KILL SESSION '{id}' IMMEDIATE")),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Statement => "STATEMENT",
            Self::Session => "SESSION",
        }
    }
}

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

/// What a statement came to.
#[derive(Debug, Default)]
pub struct Done {
    pub columns: Vec<String>,
    pub rows: u64,
    pub affected: u64,
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
        let killer = Killer { line: None, door: Box::new(door), id: id.clone(), release };
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

enum Fault {
    Driver(oracledb::Error),
    /// The thread is gone.
    Gone,
}

/// Listens to a statement to its end.
async fn hear(
    mut said: mpsc::Receiver<Said>,
    on_row: OnRow<'_>,
    enough: &Notify,
    flag: &AtomicBool,
) -> Result<Done, Fault> {
    let mut done = Done::default();
    let mut broken = false;
    while let Some(one) = said.recv().await {
        match one {
            Said::Columns(columns) => done.columns = columns,
            Said::Rows(rows) => {
                for row in rows {
                    if broken {
                        break;
                    }
                    done.rows += 1;
                    let row: Vec<ValueRef<'_>> = row.iter().map(Value::as_ref).collect();
                    if on_row(&done.columns, &row) == ControlFlow::Break(()) {
                        broken = true;
                        flag.store(true, Ordering::Release);
                        enough.notify_one();
                    }
                }
            }
            Said::Done(affected) => return Ok(Done { affected, ..done }),
            Said::Failed(_) if broken => return Ok(done),
            Said::Failed(error) => return Err(Fault::Driver(error)),
        }
    }
    Err(Fault::Gone)
}

/// All rows of a statement of ours; `None` if nothing came for too long.
async fn gather(
    line: &Line,
    statement: Statement,
    limit: Duration,
) -> Result<(Vec<Vec<Value>>, u64), Option<Fault>> {
    let Statement { sql, binds } = statement;
    let enough = Arc::new(AtomicBool::new(false));
    let mut said = line.run(Order { sql, binds, limit, enough, returning: 0 });
    let mut found = Vec::new();
    loop {
        match timeout(limit + GRACE, said.recv()).await {
            Ok(Some(Said::Columns(_))) => {}
            Ok(Some(Said::Rows(rows))) => found.extend(rows),
            Ok(Some(Said::Done(affected))) => return Ok((found, affected)),
            Ok(Some(Said::Failed(error))) => return Err(Some(Fault::Driver(error))),
            Ok(None) => return Err(Some(Fault::Gone)),
            Err(_) => return Err(None),
        }
    }
}

struct Stop<'a> {
    stopper: &'a Stopper,
    limit: Duration,
    lock_wait: Duration,
}

/// Awaits a statement, and ends it when somebody stops it, its time is over, or it waits for a lock for
/// too long. `None` if it did not even end when its session was killed.
async fn attend<T>(
    killer: &mut Killer,
    stop: &Stop<'_>,
    enough: &Notify,
    running: impl Future<Output = Result<T, Fault>>,
) -> (Option<Result<T, Fault>>, Option<Cause>) {
    let mut running = pin!(running);
    let deadline = Instant::now() + stop.limit.min(Duration::from_hours(24 * 365));
    let mut look = stop.lock_wait;
    let cause = loop {
        tokio::select! {
            biased;
            done = &mut running => return (Some(done), None),
            () = stop.stopper.stopped() => break Cause::Stopped,
            () = enough.notified() => break Cause::Enough,
            () = sleep_until(deadline) => break Cause::TimedOut(stop.limit),
            () = sleep(look), if killer.is_armed() => {}
        }
        // Oracle lets a write wait for a row for ever.
        look = Duration::from_secs(1);
        tokio::select! {
            biased;
            done = &mut running => return (Some(done), None),
            blocked = killer.is_blocked(stop.lock_wait) => {
                if blocked {
                    break Cause::Blocked(stop.lock_wait);
                }
            }
        }
    };
    if cause == Cause::Enough
        && let Ok(done) = timeout(REST, &mut running).await
    {
        return (Some(done), Some(cause));
    }
    for end in [End::Statement, End::Session] {
        // The statement goes on being awaited: it may end by itself meanwhile.
        let kill = timeout(GRACE, killer.end_own(end));
        let both = async { tokio::join!(timeout(GRACE, &mut running), kill) };
        if let (Ok(done), _) = both.await {
            return (Some(done), Some(cause));
        }
    }
    (None, Some(cause))
}

#[derive(Debug)]
struct Killer {
    line: Option<Line>,
    door: Box<Door>,
    id: Id,
    release: usize,
}

impl Killer {
    fn is_armed(&self) -> bool {
        self.line.is_some()
    }

    async fn line(&mut self) -> Result<&Line, EngineError> {
        if self.line.is_none() {
            self.line = Some(Line::open(&self.door).await?);
        }
        Ok(self.line.as_ref().expect("it was just opened"))
    }

    async fn run(
        &mut self,
        statement: Statement,
    ) -> Result<Result<Vec<Vec<Value>>, oracledb::Error>, EngineError> {
        let line = self.line().await?;
        match gather(line, statement, PATIENCE).await {
            Ok((rows, _)) => Ok(Ok(rows)),
            Err(Some(Fault::Driver(error))) => Ok(Err(error)),
            Err(Some(Fault::Gone) | None) => {
                self.line = None;
                Err(EngineError::Lost { message: "the second connection was lost".into() })
            }
        }
    }

    /// Whether our statement waits for a lock of somebody else, and has for this long. Where that may not
    /// be seen, the limit of the statement has to do.
    async fn is_blocked(&mut self, lock_wait: Duration) -> bool {
        let sql = format!(
            "SELECT COUNT(*) FROM GV$SESSION S WHERE {} AND S.BLOCKING_SESSION_STATUS = 'VALID' \
             AND S.STATE = 'WAITING' AND S.EVENT LIKE 'enq:%' AND S.WAIT_TIME_MICRO >= {}",
            self.id.is("S"),
            lock_wait.as_micros()
        );
        let found = self.run(Statement::new(sql)).await;
        matches!(found, Ok(Ok(rows)) if rows.first().is_some_and(|row| row[0] != Value::Integer(0)))
    }

    async fn end_own(&mut self, end: End) -> Result<(), String> {
        let id = self.id.clone();
        self.end(&id, end).await.map_err(|error| error.to_string())?
    }

    async fn end(&mut self, id: &Id, end: End) -> Result<Result<(), String>, EngineError> {
        let direct = end.sql(id, self.release);
        if let Some(sql) = direct {
            match self.run(Statement::new(sql)).await? {
                Ok(_) => return Ok(Ok(())),
                Err(error) if errors::is_forbidden(errors::number(&error)) => {}
                // It is gone already, or is being ended.
                Err(error) if matches!(errors::number(&error), Some(30 | 31 | 26)) => {
                    return Ok(Ok(()));
                }
                Err(error) => return Ok(Err(errors::message(&error))),
            }
        }
        let mut call = Statement::default();
        let what = call.text(end.word());
        let numbers: Vec<String> =
            [id.session, id.serial, id.instance].iter().map(u64::to_string).collect();
        call.push(&format!("BEGIN {HELPER}({what}, {}); END;", numbers.join(", ")));
        match self.run(call).await? {
            Ok(_) => Ok(Ok(())),
            Err(error) if errors::is_forbidden(errors::number(&error)) => Ok(Err(format!(
                "this account may not end it: it has neither ALTER SYSTEM nor EXECUTE on {HELPER}"
            ))),
            Err(error) => Ok(Err(errors::message(&error))),
        }
    }
}

/// Unused parts of a statement that only some callers have.
pub fn with_binds(sql: impl Into<String>, binds: &[&str]) -> Statement {
    let mut statement = Statement::new(sql);
    statement.binds = binds.iter().map(|text| Bind::Text((*text).to_owned())).collect();
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Id {
        Id { session: 12, serial: 345, instance: 2 }
    }

    #[test]
    fn a_session_is_named_so_that_no_other_is_meant() {
        assert_eq!(id().to_string(), "12,345,@2");
        assert_eq!(Id::parse("12,345,@2"), Some(id()));
        assert_eq!(Id::parse("12,345"), None);
        assert_eq!(Id::parse("12,345,@2' IMMEDIATE"), None);
        assert_eq!(id().is("S"), "S.SID = 12 AND S.SERIAL# = 345 AND S.INST_ID = 2");
    }

    #[test]
    fn a_statement_is_ended_where_the_server_can_else_by_the_procedure() {
        assert_eq!(
            End::Statement.sql(&id(), 19).as_deref(),
            Some("ALTER SYSTEM CANCEL SQL '12, 345, @2'")
        );
        assert_eq!(End::Statement.sql(&id(), 12), None);
        assert_eq!(
            End::Session.sql(&id(), 12).as_deref(),
            Some("ALTER SYSTEM KILL SESSION '12,345,@2' IMMEDIATE")
        );
    }
}
