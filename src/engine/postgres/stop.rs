//! Stopping a statement on the server, and hearing from it that it stopped.
//!
//! A future that is dropped leaves the statement running, so none is ever dropped while there is hope:
//! a second connection cancels, by the number and the start of the process and of its statement, and
//! the first goes on waiting for the answer. A cancel that came too late is caught by an empty
//! statement before anything else may run. What does not answer even then is ended, and only if that
//! fails too is the session given up.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Backend, Cells, connect, fault, simple};
use crate::config::access::Access;
use crate::engine::{EngineError, Stopper};

/// What can end a statement.
pub struct Stops<'s> {
    pub stopper: &'s Stopper,
    pub side: &'s mut Option<Side>,
    pub access: &'s Access,
    pub backend: &'s Backend,
    pub limit: Duration,
}

#[derive(Debug)]
pub enum Failure {
    Said { error: sqlx::Error, limit: Duration },
    Deaf { why: String },
}

/// How long the server may take to end a statement that was cancelled, and then one whose session
/// was ended.
const PATIENCE: Duration = Duration::from_secs(5);
/// The server's own limit comes first; ours is for the case that it does not hold.
const GRACE: Duration = Duration::from_millis(500);

/// A statement's end, and whether a cancel may still be on its way to the session.
pub struct Driven<T> {
    pub outcome: Result<T, Failure>,
    pub late: bool,
}

/// Awaits a statement; the operator or the clock may end it.
pub async fn drive<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
    stops: Stops<'_>,
) -> Driven<T> {
    let Stops { stopper, side, access, backend, limit } = stops;
    let said = |outcome: Result<T, sqlx::Error>, late| Driven {
        outcome: outcome.map_err(|error| Failure::Said { error, limit }),
        late,
    };
    let mut work = pin!(work);
    tokio::select! {
        biased;
        outcome = &mut work => return said(outcome, false),
        () = stopper.stopped() => {}
        () = sleep(limit.saturating_add(GRACE)) => {}
    }
    for ask in [Ask::Cancel, Ask::Cancel, Ask::End] {
        let heard_by = Instant::now() + PATIENCE;
        let mut asking = pin!(timeout_at(heard_by, ask_beside(side, access, backend, ask)));
        let raced = tokio::select! {
            biased;
            outcome = &mut work => Err(outcome),
            asked = &mut asking => Ok(matches!(asked, Ok(Ok(())))),
        };
        let was_heard = match raced {
            Ok(was_heard) => was_heard,
            Err(outcome) => {
                // The question is waited for as well, or it would meet the next statement.
                let _ = asking.await;
                return said(outcome, true);
            }
        };
        // What was not heard has no effect to wait for.
        let ended_by = if was_heard { Instant::now() + PATIENCE } else { heard_by };
        if let Ok(outcome) = timeout_at(ended_by, &mut work).await {
            return said(outcome, true);
        }
    }
    let why = "it was told to stop and did not answer; what it did last is not known".to_owned();
    Driven { outcome: Err(Failure::Deaf { why }), late: false }
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    Cancel,
    End,
}

async fn ask_beside(
    side: &mut Option<Side>,
    access: &Access,
    backend: &Backend,
    ask: Ask,
) -> Result<(), EngineError> {
    let function = match ask {
        Ask::Cancel => "pg_cancel_backend",
        Ask::End => "pg_terminate_backend",
    };
    let active = match ask {
        Ask::Cancel => " AND state = 'active'",
        Ask::End => "",
    };
    let who = backend.is();
    let sql = format!("SELECT {function}(pid) FROM pg_stat_activity WHERE {who}{active}");
    // Only one that has answered is kept for the next question, also if this one is given up.
    let mut beside = match side.take() {
        Some(beside) => beside,
        None => Side::open(access).await?,
    };
    beside.rows(&sql).await?;
    *side = Some(beside);
    Ok(())
}

/// A connection beside the one that works: it cancels, and looks at what the other holds.
#[derive(Debug)]
pub struct Side {
    connection: PgConnection,
}

impl Side {
    async fn open(access: &Access) -> Result<Self, EngineError> {
        Ok(Self { connection: connect::connect(access, &connect::name(None)).await? })
    }

    /// The one that is there, or a new one.
    pub async fn at<'s>(
        side: &'s mut Option<Self>,
        access: &Access,
    ) -> Result<&'s mut Self, EngineError> {
        if side.is_none() {
            *side = Some(Self::open(access).await?);
        }
        Ok(side.as_mut().expect("it was put there"))
    }

    pub async fn rows(&mut self, sql: &str) -> Result<Cells, EngineError> {
        let lost = |message: String| EngineError::Lost { message };
        match timeout(PATIENCE, simple(&mut self.connection, sql)).await {
            Ok(Ok((cells, _))) => Ok(cells),
            Ok(Err(error)) => Err(match fault::server(&error) {
                Some(said) => EngineError::Database { message: fault::words(said) },
                None => lost(fault::transport(&error)),
            }),
            Err(_) => Err(lost("the second connection does not answer".into())),
        }
    }

    pub async fn close(self) {
        let _ = timeout(PATIENCE, self.connection.close()).await;
    }
}
