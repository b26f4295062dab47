//! A thread for each connection: the driver blocks, so the session hands it work and waits for word.
//!
//! The thread outlives whoever gave up waiting: it ends when its work ends, and then the connection is
//! closed, which rolls back what was open.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oracledb::{Connection, Cursor, Error, OracleNumber, Statement, ToDbValue};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::connect::Door;
use super::kinds::Bind;
use super::{decode, errors, names};
use crate::engine::EngineError;
use crate::value::Value;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Rows that the thread hands over at once.
const BATCH: usize = 200;
/// Rows that the driver asks for at once.
const FETCH: u32 = 200;

pub struct Line {
    jobs: std::sync::mpsc::Sender<Job>,
    pub greeting: Greeting,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Line").field(&self.greeting).finish()
    }
}

/// What the driver knows once it is in.
#[derive(Debug, Clone, Default)]
pub struct Greeting {
    pub session: u64,
    pub serial: u64,
    /// As `19.3.0.0.0`: its first number.
    pub release: usize,
    pub version: String,
    pub warning: Option<String>,
}

/// What comes back of a statement, in this order.
pub enum Said {
    Columns(Vec<String>),
    Rows(Vec<Vec<Value>>),
    /// With the rows that a write affected.
    Done(u64),
    Failed(Error),
}

impl Line {
    pub async fn open(door: &Door) -> Result<Self, EngineError> {
        let failed = |why: String| EngineError::Connect { what: door.what.clone(), why };
        let (jobs, work) = std::sync::mpsc::channel::<Job>();
        let (ready, opened) = oneshot::channel();
        let config = door.config.clone();
        std::thread::Builder::new()
            .name("oracle".into())
            .spawn(move || serve(config, ready, &work))
            .map_err(|error| failed(error.to_string()))?;
        match timeout(door.timeout, opened).await {
            Ok(Ok(Ok(greeting))) => Ok(Self { jobs, greeting }),
            Ok(Ok(Err(error))) => Err(errors::unreachable(&error, door.what.clone())),
            Ok(Err(_)) => Err(failed(
                "the driver broke down on what the server said; one thing that it does not know is the \
                 native network encryption that a server may require"
                    .into(),
            )),
            Err(_) => Err(failed(format!("no answer within {:.0} s", door.timeout.as_secs_f64()))),
        }
    }

    /// Has the thread do something; the answer never comes if the thread is gone.
    pub fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Connection) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, heard) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = answer.send(what(connection));
        });
        // A thread that is gone drops the job, and with it the other end of `heard`.
        let _ = self.jobs.send(job);
        heard
    }

    /// Runs one statement; what it says comes through the channel.
    pub fn run(&self, order: Order) -> mpsc::Receiver<Said> {
        let (out, said) = mpsc::channel(2);
        let job: Job = Box::new(move |connection| {
            let last = match perform(connection, &order, &out) {
                Ok(affected) => Said::Done(affected),
                Err(error) => Said::Failed(error),
            };
            let _ = out.blocking_send(last);
        });
        let _ = self.jobs.send(job);
        said
    }
}

/// A statement on its way.
pub struct Order {
    pub sql: String,
    pub binds: Vec<Bind>,
    /// For one answer of the server; the driver then interrupts it by itself.
    pub limit: Duration,
    /// Set when nobody wants more rows.
    pub enough: Arc<AtomicBool>,
    /// The driver asks for the columns of `RETURNING … INTO` as texts.
    pub returning: usize,
}

fn serve(
    config: oracledb::Config,
    ready: oneshot::Sender<Result<Greeting, Error>>,
    work: &std::sync::mpsc::Receiver<Job>,
) {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let connection = oracledb::connect(config)?;
        let version = connection.version()?;
        let greeting = Greeting {
            session: connection.session_id()? as u64,
            serial: connection.serial_num()? as u64,
            release: version.0,
            version: version.to_string(),
            warning: connection.last_warning()?,
        };
        Ok((connection, greeting))
    }));
    let connection = match opened {
        Ok(Ok((connection, greeting))) => {
            if ready.send(Ok(greeting)).is_err() {
                return;
            }
            connection
        }
        Ok(Err(error)) => {
            let _ = ready.send(Err(error));
            return;
        }
        Err(_) => return,
    };
    for job in work {
        // A driver that lost its footing is not asked again: its connection is given up.
        if catch_unwind(AssertUnwindSafe(|| job(&connection))).is_err() {
            return;
        }
    }
}

/// A statement whose end does not hang on a lock that a breakdown of the driver has spoilt.
struct Held<T>(Option<T>);

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::mem::forget(self.0.take());
        }
    }
}

fn perform(connection: &Connection, order: &Order, out: &mpsc::Sender<Said>) -> Result<u64, Error> {
    connection.set_call_timeout(Some(order.limit))?;
    let binds = bound(&order.binds)?;
    let mut binds: Vec<&dyn ToDbValue> = binds.iter().map(AsRef::as_ref).collect();
    let returned = vec![oracledb::DB_TYPE_VARCHAR; order.returning];
    binds.extend(returned.iter().map(|it| it as &dyn ToDbValue));
    // Not cached: what the server knows of a statement is stale after a definition.
    let statement = connection
        .statement(&order.sql)?
        .exclude_from_cache()
        .prefetch_rows(FETCH)
        .fetch_array_size(FETCH)
        .build()?;
    if statement.is_query() {
        let mut cursor = Held(Some(statement.query(&binds)?));
        let cursor = cursor.0.as_mut().expect("it was just put there");
        return read(cursor, order, out).map(|()| 0);
    }
    let mut statement: Held<Statement> = Held(Some(statement));
    let statement = statement.0.as_mut().expect("it was just put there");
    let mut result = statement.execute(&binds)?;
    let affected = result.rows_affected();
    if order.returning > 0 {
        let rows: Result<Vec<_>, Error> = result.returned_data().iter().map(decode::row).collect();
        let _ = out.blocking_send(Said::Rows(rows?));
    }
    Ok(affected)
}

fn read(cursor: &mut Cursor, order: &Order, out: &mpsc::Sender<Said>) -> Result<(), Error> {
    let columns = cursor.columns().iter().map(|column| names::column(column.name())).collect();
    let _ = out.blocking_send(Said::Columns(columns));
    let mut batch = Vec::with_capacity(BATCH);
    let mut handed = Instant::now();
    for row in cursor {
        batch.push(decode::row(&row?)?);
        // Few and slow rows are not kept back.
        if batch.len() == BATCH || handed.elapsed() > Duration::from_millis(100) {
            let _ = out.blocking_send(Said::Rows(std::mem::take(&mut batch)));
            handed = Instant::now();
            if order.enough.load(Ordering::Acquire) || out.is_closed() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = out.blocking_send(Said::Rows(batch));
    }
    Ok(())
}

fn bound(binds: &[Bind]) -> Result<Vec<Box<dyn ToDbValue>>, Error> {
    let mut bound: Vec<Box<dyn ToDbValue>> = Vec::with_capacity(binds.len());
    for bind in binds {
        bound.push(match bind {
            Bind::Integer(n) => Box::new(*n),
            Bind::Number(digits) => Box::new(digits.parse::<OracleNumber>()?),
            Bind::Text(text) => Box::new(text.clone()),
            Bind::Bytes(bytes) => Box::new(bytes.clone()),
        });
    }
    Ok(bound)
}
