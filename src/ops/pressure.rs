//! What presses on the server while we work: sampled from its own catalogue on one connection that
//! stays, and whom our write transaction holds up, which ends it by itself when there are too many.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connect::{READ_LOCK_WAIT, connect, plain};
use crate::clock;
use crate::config::Target;
use crate::consent::{Act, Consent};
use crate::engine::{EngineError, Pressure, Purpose, Session, Stopper, Waiter};
use crate::problem::Problem;
use crate::value::counted;

/// One connection that looks, opened at the first look.
#[derive(Debug)]
pub struct Monitor {
    target: Target,
    session: Option<Session>,
}

impl Monitor {
    pub fn new(target: Target) -> Self {
        Self { target, session: None }
    }

    pub async fn look(&mut self) -> Result<Pressure, Problem> {
        let mut session = self.take().await?;
        let seen = session.pressure().await;
        self.keep(session, seen)
    }

    /// Ends a session that an earlier run of ours left behind; `false` if it was gone already.
    pub async fn end(&mut self, mark: &str, consent: Consent) -> Result<bool, Problem> {
        let act = Act::EndSession { mark: mark.to_owned() };
        consent.spend(&act, &self.target.name, clock::now()).map_err(Problem::refused)?;
        let mut session = self.take().await?;
        let ended = session.end_session(mark).await;
        self.keep(session, ended)
    }

    async fn take(&mut self) -> Result<Session, Problem> {
        match self.session.take() {
            Some(session) => Ok(session),
            None => {
                let stopper = Stopper::default();
                connect(&self.target, Purpose::Detect, READ_LOCK_WAIT, &stopper).await
            }
        }
    }

    /// After an error the next look begins with a new connection.
    fn keep<T>(&mut self, session: Session, seen: Result<T, EngineError>) -> Result<T, Problem> {
        match seen {
            Ok(seen) => {
                self.session = Some(session);
                Ok(seen)
            }
            Err(error) => Err(plain(&error, &self.target.name)),
        }
    }
}

/// How many sessions a write transaction of ours may hold up, and for how long one of them.
#[derive(Debug, Clone, Copy)]
pub struct LockBudget {
    pub sessions: u64,
    pub longest: Duration,
}

/// What the lock watch saw.
#[derive(Debug, Clone, Default)]
pub struct Blocked {
    pub most: usize,
    pub longest: Duration,
    /// Why the transaction was stopped, if it was.
    pub over: Option<String>,
    /// Why it could not be seen, or no longer, who waits.
    pub unseen: Option<String>,
}

impl Blocked {
    pub fn words(&self) -> String {
        let so_far = if self.unseen.is_some() { ", and later ones could not be seen" } else { "" };
        let longest = self.longest.as_secs_f64();
        match self.most {
            0 if self.unseen.is_some() => "who waited could not be seen".into(),
            0 => "nobody waited".into(),
            1 => format!("1 session waited, {longest:.1} s{so_far}"),
            n => format!("{n} sessions waited, the longest {longest:.1} s{so_far}"),
        }
    }

    /// What follows from having seen nothing.
    pub fn warning(&self) -> Option<String> {
        self.unseen.as_ref().map(|why| {
            format!("no limit on who waits for these locks was kept, because it could not be seen: {why}")
        })
    }

    fn take_in(&mut self, waiters: &[Waiter], budget: LockBudget) {
        self.most = self.most.max(waiters.len());
        let longest = waiters.iter().map(|waiter| waiter.waited).max().unwrap_or_default();
        self.longest = self.longest.max(longest);
        let count = u64::try_from(waiters.len()).unwrap_or(u64::MAX);
        let who = || {
            let names: Vec<&str> = waiters.iter().take(3).map(|w| w.who.as_str()).collect();
            names.join(", ")
        };
        if count > budget.sessions {
            let allowed = budget.sessions;
            self.over = Some(format!(
                "{} waited for it ({}); the limit is {allowed}",
                counted(count, "session"),
                who()
            ));
        } else if longest > budget.longest {
            let (longest, allowed) = (longest.as_secs_f64(), budget.longest.as_secs_f64());
            self.over = Some(format!(
                "{} waited {longest:.1} s for it, and {allowed:.1} s are allowed",
                who()
            ));
        }
    }
}

/// Looks from a connection of its own whom a transaction holds up, until it is dropped.
#[derive(Debug)]
pub struct LockWatch {
    seen: Arc<Mutex<Blocked>>,
    task: tokio::task::JoinHandle<()>,
}

impl LockWatch {
    /// Begins to look; above the budget it stops the transaction's work, whose owner rolls back. The
    /// first look is over by then: that nothing can be seen is known of the shortest transaction too.
    pub async fn begin(
        session: Session,
        mark: String,
        budget: LockBudget,
        stopper: Stopper,
    ) -> Self {
        const EVERY: Duration = Duration::from_millis(200);
        let seen = Arc::new(Mutex::new(Blocked::default()));
        let mut lookout = Lookout { session, mark, budget, seen: seen.clone() };
        let mut goes_on = lookout.look().await;
        let task = tokio::spawn(async move {
            while goes_on {
                tokio::time::sleep(EVERY).await;
                goes_on = lookout.look().await;
            }
            if lookout.seen().over.is_some() {
                stopper.stop();
            }
            lookout.session.close().await;
        });
        Self { seen, task }
    }

    pub fn seen(&self) -> Blocked {
        locked(&self.seen).clone()
    }
}

struct Lookout {
    session: Session,
    mark: String,
    budget: LockBudget,
    seen: Arc<Mutex<Blocked>>,
}

impl Lookout {
    fn seen(&self) -> MutexGuard<'_, Blocked> {
        locked(&self.seen)
    }

    /// Whether there is a reason to look again.
    async fn look(&mut self) -> bool {
        let waiters = self.session.waiting_for(&self.mark).await;
        let mut seen = self.seen();
        match waiters {
            Ok(waiters) => seen.take_in(&waiters, self.budget),
            Err(error) => seen.unseen = Some(error.to_string()),
        }
        seen.over.is_none() && seen.unseen.is_none()
    }
}

fn locked(seen: &Mutex<Blocked>) -> MutexGuard<'_, Blocked> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for LockWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(who: &str, seconds: u64) -> Waiter {
        Waiter { who: who.into(), waited: Duration::from_secs(seconds), sql: String::new() }
    }

    #[test]
    fn too_many_or_too_long_is_over_the_budget_and_says_who() {
        let budget = LockBudget { sessions: 1, longest: Duration::from_secs(3) };
        let mut blocked = Blocked::default();
        blocked.take_in(&[waiter("shop", 1)], budget);
        assert_eq!(blocked.over, None);
        assert_eq!(blocked.words(), "1 session waited, 1.0 s");
        blocked.take_in(&[waiter("shop", 4)], budget);
        assert_eq!(
            blocked.over.as_deref(),
            Some("shop waited 4.0 s for it, and 3.0 s are allowed")
        );
        blocked.take_in(&[waiter("shop", 1), waiter("api", 1)], budget);
        let over = blocked.over.unwrap_or_default();
        assert_eq!(over, "2 sessions waited for it (shop, api); the limit is 1");
    }
}
