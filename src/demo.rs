//! The demo: an ERP database of its own with live incidents in it.
//!
//! The schema and its rows are the same every time; each check of the packs injects its own fault
//! where its file has one and its runbook cures it. Writes only into the folder it is given, or into
//! one schema of its own on a server.

pub mod scratch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check::Check;
use crate::dialect::Dialect;
use crate::engine::{EngineError, Purpose, Session, Stopper};
use crate::problem::Problem;
use crate::sql;

/// Where the demo lies on a server: a schema of its own (`PostgreSQL`), a database of its own (MariaDB
/// and MySQL). Nothing outside of it is read or written.
pub const SCHEMA: &str = "steadyhand_demo";

/// How long the demo may take to lay itself out on a server.
const TIME_CAP: Duration = Duration::from_mins(2);

/// The name of the demo's target.
pub const TARGET: &str = "erp-demo";

/// The databases of a drill: the one with the fault, and a healthy one to be told from it.
pub const DRILL: &str = "erp-drill";
pub const SPARE: &str = "erp-spare";

pub fn spare(folder: &Path) -> PathBuf {
    database(&folder.join("spare"))
}

pub fn database(folder: &Path) -> PathBuf {
    folder.join("erp.db")
}

/// The configuration that a kept folder gets, so that `steadyhand resume` works there.
pub fn configuration(command: &str, targets: &[(&str, String)]) -> String {
    let mut text = format!(
        "# Made by `steadyhand {command} --keep`: run steadyhand in this folder to go on.\n\
         state = \"state\"\n"
    );
    for (name, url) in targets {
        text.push_str(&format!(
            "\n[target.{name}]\nurl = \"{url}\"\nenvironment = \"development\"\n"
        ));
    }
    text
}

/// The urls of the databases in the kept folder itself.
pub const URL: &str = "sqlite:erp.db";
pub const SPARE_URL: &str = "sqlite:spare/erp.db";

/// Makes the database, unless it is there already from an earlier time.
pub async fn build(folder: &Path, checks: &[Check]) -> Result<(), Problem> {
    let path = database(folder);
    if path.exists() {
        return Ok(());
    }
    // Under another name until it is whole: a demo that was killed meanwhile begins anew.
    let unfinished = folder.join("erp.db.unfinished");
    let failed = |why: String| {
        Problem::system(format!(
            "the demo's database cannot be made in {}: {why}",
            folder.display()
        ))
        .hint("choose another folder with --keep")
    };
    let _ = std::fs::remove_file(&unfinished);
    std::fs::write(&unfinished, b"").map_err(|error| failed(error.to_string()))?;
    let mut session = open(&unfinished).await.map_err(|error| failed(error.to_string()))?;
    fill(&mut session).await.map_err(|(_, error)| failed(error.to_string()))?;
    spoil(&mut session, checks).await.map_err(|error| failed(error.to_string()))?;
    session.close().await;
    std::fs::rename(&unfinished, &path).map_err(|error| failed(error.to_string()))?;
    // The file has got its name, which is part of what the marker says.
    let mut session = open(&path).await.map_err(|error| failed(error.to_string()))?;
    scratch::mark(&mut session).await.map_err(|error| failed(error.to_string()))?;
    session.close().await;
    Ok(())
}

/// Makes the healthy database of a drill.
pub async fn build_spare(folder: &Path) -> Result<(), Problem> {
    let folder = folder.join("spare");
    std::fs::create_dir_all(&folder).map_err(|error| {
        Problem::system(format!("cannot make the folder {}: {error}", folder.display()))
    })?;
    build(&folder, &[]).await
}

async fn open(path: &Path) -> Result<Session, EngineError> {
    let wait = Duration::from_secs(5);
    let mut session = Session::sqlite(path, Purpose::Work, wait, &Stopper::default()).await?;
    // Nothing is lost if this is cut off: the file is made anew.
    session.execute("PRAGMA synchronous = OFF").await?;
    Ok(session)
}

/// The script that makes the healthy ERP with its shop; none for an engine that the demo does not know.
pub fn script(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::Sqlite => Some(concat!(
            include_str!("demo/sqlite.sql"),
            include_str!("demo/commerce.sql"),
            include_str!("demo/operations.sql")
        )),
        Dialect::Postgres => Some(concat!(
            include_str!("demo/postgres.sql"),
            include_str!("demo/commerce.postgres.sql"),
            include_str!("demo/operations.postgres.sql")
        )),
        Dialect::Mysql | Dialect::Mariadb => Some(concat!(
            include_str!("demo/mariadb.sql"),
            include_str!("demo/commerce.mariadb.sql"),
            include_str!("demo/operations.mariadb.sql")
        )),
        Dialect::Oracle => None,
    }
}

/// Fills an empty place; a failure comes with the number of statements that were done before it.
async fn fill(session: &mut Session) -> Result<(), (usize, EngineError)> {
    let dialect = session.dialect();
    let script = script(dialect).unwrap_or_default();
    let statements = sql::split(script, dialect).expect("a test reads the scripts of the demo");
    let count = statements.len();
    for (done, statement) in statements.into_iter().enumerate() {
        session.execute(statement).await.map_err(|error| (done, error))?;
    }
    scratch::mark(session).await.map_err(|error| (count, error))
}

async fn spoil(session: &mut Session, checks: &[Check]) -> Result<(), EngineError> {
    for check in checks {
        scratch::inject(session, check).await?;
    }
    Ok(())
}

/// The checks whose faults a demo gets: those of the first pack, and those of the incident that was
/// asked for. All at once would only stand in each other's way.
pub fn faults(checks: &[Check], incident: Option<&str>) -> Vec<Check> {
    let asked = |check: &&Check| match &check.runbook {
        Some(runbook) => check.pack == "reliability" || Some(runbook.as_str()) == incident,
        None => false,
    };
    checks.iter().filter(asked).cloned().collect()
}

/// Lays the demo out on a server, faults included. Refuses to touch a schema that is there already.
///
/// `PostgreSQL` does it in one transaction; the others commit every definition, so what was begun is
/// removed when it cannot be finished.
pub async fn lay_out(session: &mut Session, checks: &[Check]) -> Result<(), EngineError> {
    let whole = session.dialect() == Dialect::Postgres;
    if whole {
        session.begin(TIME_CAP).await?;
    }
    if let Err((done, error)) = fill(session).await {
        if whole {
            session.rollback().await?;
        } else if done > 0 {
            remove(session).await?;
        }
        return Err(error);
    }
    if whole {
        session.commit().await?;
    }
    let spoiled = async {
        if whole {
            session.execute(STATISTICS).await?;
            session.begin(TIME_CAP).await?;
            session.execute("SET LOCAL search_path = steadyhand_demo").await?;
        }
        spoil(session, checks).await?;
        if whole { session.commit().await } else { Ok(()) }
    };
    if let Err(error) = spoiled.await {
        if whole {
            session.rollback().await?;
        }
        remove(session).await?;
        return Err(error);
    }
    Ok(())
}

/// What `PostgreSQL` takes of rows that were committed before: in one transaction with them it would
/// count them as changed since.
pub const STATISTICS: &str = "DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT c.oid FROM pg_class c
              WHERE c.relnamespace = 'steadyhand_demo'::regnamespace AND c.relkind IN ('r', 'p') LOOP
        EXECUTE 'ANALYZE ' || t;
    END LOOP;
END $$";

/// Takes away what [`lay_out`] made, and whatever was done in it since.
pub async fn remove(session: &mut Session) -> Result<(), EngineError> {
    session.execute(removal(session.dialect())).await.map(drop)
}

/// The statement that removes the demo from a server.
pub fn removal(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "DROP SCHEMA steadyhand_demo CASCADE",
        _ => "DROP DATABASE steadyhand_demo",
    }
}
