//! How the database would run a statement: asked of its planner on the session that checks get, which
//! cannot write. Nothing is run; what it says is an estimate and never a count.

use std::time::{Duration, Instant};

use super::bind::{Known, query};
use super::connect::{READ_LOCK_WAIT, connect, plain, prove};
use super::recover::Job;
use crate::check::Check;
use crate::config::Target;
use crate::engine::{EngineError, Purpose, Session, Stopper};
use crate::problem::Problem;
use crate::recovery::Planned;

/// A planner that thinks longer than this has something else to wait for.
const LONGEST: Duration = Duration::from_secs(5);

/// One statement and how it would be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    pub title: String,
    /// As it was asked about: names and values put in.
    pub sql: String,
    /// A line each, or the database's words against it.
    pub plan: Result<Vec<String>, String>,
    pub seconds: f64,
}

/// The plan of a check's query.
pub async fn check(
    target: &Target,
    check: &Check,
    stopper: &Stopper,
) -> Result<Vec<Explained>, Problem> {
    bounded(target, async {
        let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
        let mut known = Known::default();
        let sql = query(&mut session, check, &mut known)
            .await
            .map_err(|unbound| Problem::usage(unbound.to_string()))?
            .into_owned();
        let told = one(&mut session, check.title.clone(), sql).await;
        session.close().await;
        told.map(|told| vec![told]).map_err(|error| plain(&error, &target.name))
    })
    .await
}

/// The plans of a change's statements.
pub async fn change(job: &Job, stopper: &Stopper) -> Result<Vec<Explained>, Problem> {
    let target = &job.target;
    bounded(target, async {
        let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
        prove(&mut session, target, Some(&job.server)).await?;
        let mut all = Vec::new();
        for action in &job.plan.actions {
            if let Planned::Sql { note, sql, .. } = action {
                let told = one(&mut session, note.clone(), sql.clone()).await;
                all.push(told.map_err(|error| plain(&error, &target.name))?);
            }
        }
        session.close().await;
        Ok(all)
    })
    .await
}

async fn one(session: &mut Session, title: String, sql: String) -> Result<Explained, EngineError> {
    let start = Instant::now();
    let plan = match session.explain(&sql).await {
        Ok(lines) => Ok(lines),
        Err(
            EngineError::Database { message }
            | EngineError::Rejected { message }
            | EngineError::Refused { message }
            | EngineError::ReadOnly { message },
        ) => Err(message),
        Err(error) => return Err(error),
    };
    Ok(Explained { title, sql, plan, seconds: start.elapsed().as_secs_f64() })
}

async fn bounded<T>(
    target: &Target,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    tokio::time::timeout(LONGEST, work).await.unwrap_or_else(|_| {
        let seconds = LONGEST.as_secs();
        let sentence = format!("{} made no plan within {seconds} s; nothing was run", target.name);
        Err(Problem::unreachable(sentence)
            .hint("it may wait for a lock on a definition: L shows who waits"))
    })
}
