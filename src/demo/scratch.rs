//! The marker of a database that may be broken on purpose, and the only way to inject a fault.
//!
//! A fault is SQL that destroys data. It runs only where a marker table says that the database is a
//! demo or a scratch, and names the very server that answers: a marker that came along in a dump
//! opens no other database. Whoever makes such a database marks it; nothing here asks a person.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::check::Check;
use crate::engine::{EngineError, Session};
use crate::sql;
use crate::value::Value;

/// The table whose one row names the server it was made on.
pub const MARKER: &str = "steadyhand_scratch";

/// Says that this database holds nothing worth keeping. The caller must have made it.
pub async fn mark(session: &mut Session) -> Result<(), EngineError> {
    let server = Value::Text(session.identity().await?.server);
    let server = session.quote(&server).await?;
    session
        .execute(&format!(
            "CREATE TABLE IF NOT EXISTS {MARKER} (server VARCHAR(500) NOT NULL PRIMARY KEY)"
        ))
        .await?;
    session.execute(&format!("DELETE FROM {MARKER}")).await?;
    session.execute(&format!("INSERT INTO {MARKER} (server) VALUES ({server})")).await?;
    Ok(())
}

/// Whether this very database was marked.
pub async fn is_scratch(session: &mut Session) -> Result<bool, EngineError> {
    let server = session.identity().await?.server;
    let tables = session.table_names().await?;
    if !tables.iter().any(|table| table == MARKER) {
        return Ok(false);
    }
    let mut named = Vec::new();
    let read = format!("SELECT server FROM {MARKER}");
    session
        .read(&read, Duration::from_secs(5), &mut |_, row| {
            named.push(row[0].plain());
            ControlFlow::Continue(())
        })
        .await?;
    Ok(named == [Some(server)])
}

/// Injects the fault of a check, if its file has one for this engine. Refused everywhere but on a
/// database that was marked.
pub async fn inject(session: &mut Session, check: &Check) -> Result<(), EngineError> {
    let dialect = session.dialect();
    let Some(fault) = check.fault.get(dialect) else { return Ok(()) };
    if !is_scratch(session).await? {
        let message = format!(
            "the fault of {} is not injected here: this database is not marked as a demo or scratch, and nothing was changed",
            check.id
        );
        return Err(EngineError::Refused { message });
    }
    for statement in sql::split(fault, dialect).expect("the loader has split every fault") {
        session.execute(statement).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::{Purpose, Stopper};

    async fn open(path: &Path) -> Session {
        let wait = Duration::from_secs(1);
        Session::sqlite(path, Purpose::Work, wait, &Stopper::default()).await.expect("a file")
    }

    /// The fault deletes some of them.
    async fn sheets(session: &mut Session) -> u64 {
        session.execute("UPDATE timesheets SET remark = remark").await.expect("they are there")
    }

    #[tokio::test]
    async fn a_fault_runs_only_where_the_marker_names_this_database() {
        let folder = tempfile::tempdir().expect("a folder");
        let (demo, copy) = (folder.path().join("demo.db"), folder.path().join("copy.db"));
        std::fs::write(&demo, b"").expect("a file");
        let text = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/checks/reliability/orphaned-approval.toml"
        ));
        let check = crate::check::load::parse("orphaned-approval.toml", "reliability", text)
            .expect("a good file");
        let mut session = open(&demo).await;
        let script = super::super::script(session.dialect()).expect("known");
        for statement in crate::sql::split(script, session.dialect()).expect("readable") {
            session.execute(statement).await.expect("the ERP");
        }
        let before = sheets(&mut session).await;
        let refused = inject(&mut session, &check).await.expect_err("no marker");
        assert!(matches!(refused, EngineError::Refused { .. }), "{refused}");
        mark(&mut session).await.expect("marked");
        assert!(is_scratch(&mut session).await.expect("seen"));
        session.close().await;

        // Who restores a demo somewhere else has not marked that place.
        std::fs::copy(&demo, &copy).expect("a copy");
        let mut other = open(&copy).await;
        let refused = inject(&mut other, &check).await.expect_err("the marker names another");
        assert!(refused.to_string().contains("not marked"), "{refused}");
        assert_eq!(sheets(&mut other).await, before);
        other.close().await;

        let mut session = open(&demo).await;
        inject(&mut session, &check).await.expect("marked");
        assert_eq!(sheets(&mut session).await, before - 9);
        session.close().await;
    }
}
