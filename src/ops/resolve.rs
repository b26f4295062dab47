//! What became of an execution that was cut off at COMMIT: asked of the database, never guessed.

use std::time::Duration;

use super::connect::{connect, plain, prove};
use crate::config::Target;
use crate::engine::{Purpose, Settled, Stopper};
use crate::incident::entry::Outcome;
use crate::problem::Problem;

/// Looks the operation up, or one chunk of it, after making sure that nobody can still commit it.
pub async fn resolve(
    target: &Target,
    server: &str,
    op: &str,
    chunk: u64,
    mark: Option<&str>,
) -> Result<(Outcome, String), Problem> {
    const LOCK_WAIT: Duration = Duration::from_secs(10);
    let mut session = connect(target, Purpose::Work, LOCK_WAIT, &Stopper::default()).await?;
    prove(&mut session, target, Some(server)).await?;
    let settled = session.settle(op, chunk, mark).await;
    let settled = settled.map_err(|error| plain(&error, &target.name));
    session.close().await;
    Ok(match settled? {
        Settled::Committed(how) => (Outcome::Committed, how),
        Settled::RolledBack(how) => (Outcome::RolledBack, how),
        Settled::Unseen(why) | Settled::Unknown(why) => (Outcome::Unknown, why),
    })
}
