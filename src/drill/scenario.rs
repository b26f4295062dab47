//! The scenario of a drill, and the drills that are remembered, on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Scorecard;
use crate::files::{append_line, write_synced};

/// What the drill is about. The engineer finds it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    pub runbook: String,
    /// The check whose fault is injected.
    pub check: String,
    /// The database that gets it.
    pub target: String,
    pub symptom: String,
    pub started: Timestamp,
    /// When the data was looked at first.
    pub first_check: Option<Timestamp>,
}

/// A drill that is over, as a line of the state folder of whoever had it.
#[derive(Debug, Clone, Serialize)]
struct Done<'a> {
    at: Timestamp,
    actor: &'a str,
    #[serde(flatten)]
    card: &'a Scorecard,
}

fn path(state: &Path) -> PathBuf {
    state.join("drill.json")
}

impl Scenario {
    /// The scenario of the drill that this state folder was made for, if it was.
    pub fn read(state: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path(state)).ok()?).ok()
    }

    pub fn write(&self, state: &Path) -> io::Result<()> {
        fs::create_dir_all(state)?;
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        write_synced(&path(state), &text)
    }
}

/// Adds a line to `drills.jsonl`.
pub fn remember(state: &Path, at: Timestamp, actor: &str, card: &Scorecard) -> io::Result<PathBuf> {
    fs::create_dir_all(state)?;
    let path = state.join("drills.jsonl");
    let line = serde_json::to_string(&Done { at, actor, card }).map_err(io::Error::other)?;
    append_line(&path, &line)?;
    Ok(path)
}
