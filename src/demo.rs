//! The demo: an ERP database of its own with live incidents in it.
//!
//! The schema and its rows are the same every time; each check of the packs injects its own fault
//! where its file has one. Writes only into the folder it is given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check::Check;
use crate::dialect::Dialect;
use crate::engine::{EngineError, Purpose, Session, Stopper};
use crate::problem::Problem;

const ERP: &str = include_str!("demo/erp.sql");

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
    fill(&unfinished, checks).await.map_err(|error| failed(error.to_string()))?;
    std::fs::rename(&unfinished, &path).map_err(|error| failed(error.to_string()))
}

async fn fill(path: &Path, checks: &[Check]) -> Result<(), EngineError> {
    let wait = Duration::from_secs(5);
    let mut session = Session::sqlite(path, Purpose::Work, wait, &Stopper::default()).await?;
    // Nothing is lost if this is cut off: the file is made anew.
    session.execute("PRAGMA synchronous = OFF").await?;
    session.execute(ERP).await?;
    for check in checks {
        if let Some(fault) = check.fault.get(Dialect::Sqlite) {
            session.execute(fault).await?;
        }
    }
    session.close().await;
    Ok(())
}
