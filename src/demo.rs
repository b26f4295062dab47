//! The demo: an ERP database of its own with live incidents in it.
//!
//! The schema and its rows are the same every time; each check of the packs injects its own fault
//! where its file has one and its runbook cures it. Writes only into the folder it is given.

pub mod scratch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check::Check;
use crate::engine::{EngineError, Purpose, Session, Stopper};
use crate::problem::Problem;

const ERP: &str = include_str!("demo/erp.sql");
const COMMERCE: &str = include_str!("demo/commerce.sql");

/// The name of the demo's target.
pub const TARGET: &str = "erp-demo";

pub fn database(folder: &Path) -> PathBuf {
    folder.join("erp.db")
}

/// The configuration that a kept folder gets, so that `steadyhand resume` works there.
pub fn configuration() -> String {
    format!(
        "# Made by `steadyhand demo --keep`: run steadyhand in this folder to go on.\n\
         state = \"state\"\n\n[target.{TARGET}]\nurl = \"sqlite:erp.db\"\nenvironment = \"development\"\n"
    )
}

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
    fill(&unfinished, checks).await.map_err(failed)?;
    std::fs::rename(&unfinished, &path).map_err(|error| failed(error.to_string()))?;
    remark(&path).await.map_err(|error| failed(error.to_string()))
}

async fn open(path: &Path) -> Result<Session, EngineError> {
    let wait = Duration::from_secs(5);
    Session::sqlite(path, Purpose::Work, wait, &Stopper::default()).await
}

/// The file has got its name, which is part of what the marker says.
async fn remark(path: &Path) -> Result<(), EngineError> {
    let mut session = open(path).await?;
    session.execute("PRAGMA synchronous = OFF").await?;
    scratch::mark(&mut session).await?;
    session.close().await;
    Ok(())
}

async fn fill(path: &Path, checks: &[Check]) -> Result<(), String> {
    let mut session = whole(path).await.map_err(|error| error.to_string())?;
    // What has no runbook yet would only stand in the way of what has.
    for check in checks.iter().filter(|check| check.runbook.is_some()) {
        scratch::inject(&mut session, check).await.map_err(|problem| problem.sentence)?;
    }
    session.close().await;
    Ok(())
}

/// The ERP and its shop, without a fault.
async fn whole(path: &Path) -> Result<Session, EngineError> {
    let mut session = open(path).await?;
    // Nothing is lost if this is cut off: the file is made anew.
    session.execute("PRAGMA synchronous = OFF").await?;
    session.execute(ERP).await?;
    session.execute(COMMERCE).await?;
    scratch::mark(&mut session).await?;
    Ok(session)
}
