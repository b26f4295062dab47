//! Listening to a statement to its end, and having the server end it when it takes too long.
//!
//! The driver has no call that interrupts another one, so a statement is always awaited, and what is to
//! end sooner is ended by the server.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::errors::Cause;
use super::killer::{End, Killer};
use super::kinds::Statement;
use super::line::{Line, Order, Said};
use crate::engine::{OnRow, Stopper};
use crate::value::{Value, ValueRef};

/// How long a statement may take to end once the server was told to end it.
pub const GRACE: Duration = Duration::from_secs(5);

/// The rest of a result may take this long before the server is told to end it.
const REST: Duration = Duration::from_millis(200);

/// What a statement came to.
#[derive(Debug, Default)]
pub struct Done {
    pub columns: Vec<String>,
    pub rows: u64,
    pub affected: u64,
}

pub enum Fault {
    Driver(oracledb::Error),
    /// The thread is gone.
    Gone,
}

/// Listens to a statement to its end.
pub async fn hear(
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
pub async fn gather(
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

pub struct Stop<'a> {
    pub stopper: &'a Stopper,
    pub limit: Duration,
    pub lock_wait: Duration,
}

/// Awaits a statement, and ends it when somebody stops it, its time is over, or it waits for a lock for
/// too long. `None` if it did not even end when its session was killed.
pub async fn attend<T>(
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
