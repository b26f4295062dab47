//! What became of an execution that was cut off at COMMIT: asked of the database, never guessed.

use std::time::Duration;

use super::connect::{connect, plain, prove};
use crate::config::Target;
use crate::engine::{Purpose, Stopper};
use crate::incident::entry::Outcome;
use crate::problem::Problem;

/// Looks the operation up in the ledger, after making sure that nobody can still commit it.
pub async fn resolve(
    target: &Target,
    server: &str,
    op: &str,
) -> Result<(Outcome, String), Problem> {
    const LOCK_WAIT: Duration = Duration::from_secs(10);
    let mut session = connect(target, Purpose::Work, LOCK_WAIT, &Stopper::default()).await?;
    prove(&mut session, target, Some(server)).await?;
    let found = session.in_ledger(op).await.map_err(|error| plain(&error, &target.name));
    session.close().await;
    Ok(if found? {
        (Outcome::Committed, "its ledger row is in the database".into())
    } else {
        (Outcome::RolledBack, "no ledger row, and no writer is left that could add it".into())
    })
}
