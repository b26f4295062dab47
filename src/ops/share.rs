//! Share: the journals of several hosts in one PostgreSQL.
//!
//! The journal on disk stays the truth of its host, and is written first; the store has the same lines
//! beside it, and may be away. `Courier` brings them there while an incident is worked on; `fetch`
//! brings those of other hosts here, into folders like any other; `Mirror` does so again and again.

mod courier;
mod mirror;

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;

use super::connect::{plain, reach};
use crate::config::Target;
pub use crate::engine::DDL;
use crate::engine::{Kept, Link, Shelf};
use crate::incident::chain::Head;
use crate::incident::entry::Evidence;
use crate::incident::lease::{self, Lease, LeaseError};
use crate::incident::{journal, store};
use crate::problem::{Kind, Problem};
pub use courier::{Bell, Courier, News};
pub use mirror::Mirror;

/// How long a cockpit waits for a store before it goes on without.
const PATIENCE: Duration = Duration::from_secs(3);
/// Larger files of evidence stay on their host.
const LARGE: u64 = 16 << 20;

async fn open(at: &Target) -> Result<Shelf, Problem> {
    let reached = async {
        let access = reach(at).await?;
        Shelf::open(&access).await.map_err(|error| plain(&error, "the incident store"))
    };
    match timeout(PATIENCE, reached).await {
        Ok(opened) => opened,
        Err(_) => Err(Problem::unreachable("the incident store does not answer")),
    }
}

fn failed(error: &crate::engine::EngineError) -> Problem {
    plain(error, "the incident store")
}

/// Makes the tables of a store.
pub async fn make(at: &Target) -> Result<(), Problem> {
    let mut shelf = open(at).await?;
    let made = shelf.make().await.map_err(|error| failed(&error));
    shelf.close().await;
    made
}

/// Whether the store lies on the server that is worked on: then it goes away with it.
pub async fn is_same_server(at: &Target, server: &str) -> bool {
    let asked = timeout(PATIENCE, super::connect::identify(at)).await;
    let system = |server: &str| server.split('/').next().map(str::to_owned);
    asked.is_ok_and(|known| known.is_ok_and(|known| system(&known.server) == system(server)))
}

/// Brings incidents of other hosts here: all of them, without evidence, or the one that is wanted,
/// with it. What is worked on here is left alone. Gives what must be told.
pub async fn fetch(
    at: &Target,
    state: &Path,
    wanted: Option<&str>,
) -> Result<Vec<String>, Problem> {
    let mut shelf = open(at).await?;
    let told = fetch_from(&mut shelf, state, wanted).await;
    shelf.close().await;
    told
}

async fn fetch_from(
    shelf: &mut Shelf,
    state: &Path,
    wanted: Option<&str>,
) -> Result<Vec<String>, Problem> {
    let all = shelf.list().await.map_err(|error| failed(&error))?;
    let here = here(state)?;
    let mut told = Vec::new();
    for kept in &all {
        let known = here.iter().find(|(id, _)| *id == kept.id).map(|(_, folder)| folder.clone());
        if !wanted.is_none_or(|wanted| is_meant(kept, known.as_deref(), wanted)) {
            continue;
        }
        let folder = known.unwrap_or_else(|| place(state, kept));
        match bring(shelf, kept, &folder, wanted.is_some()).await {
            Ok(why) => told.extend(why),
            Err(problem) if problem.kind == Kind::Unreachable => return Err(problem),
            // One that is damaged here keeps nobody from the others.
            Err(problem) => told.push(format!("{}: {}", folder.display(), problem.sentence)),
        }
    }
    Ok(told)
}

fn is_meant(kept: &Kept, folder: Option<&Path>, wanted: &str) -> bool {
    let named = folder.and_then(Path::file_name).is_some_and(|name| name == wanted);
    let number = |text: &str| text.strip_prefix("INC-").unwrap_or(text).parse::<u64>().ok();
    let same = kept.name.eq_ignore_ascii_case(wanted)
        || number(wanted).is_some_and(|wanted| number(&kept.name) == Some(wanted));
    named || same || wanted.eq_ignore_ascii_case(&format!("{}-{}", kept.name, kept.host))
}

/// The incidents of this host by the hash of their first record.
fn here(state: &Path) -> Result<Vec<(String, PathBuf)>, Problem> {
    let all = store::folders(state).map_err(|error| Problem::system(error.to_string()))?;
    Ok(all.into_iter().filter_map(|folder| Some((id(&folder)?, folder))).collect())
}

/// What an incident is called in the store: names may come twice, this hash cannot.
fn id(folder: &Path) -> Option<String> {
    Some(links(folder, 0).ok()?.0.first()?.hash.clone())
}

/// Where an incident of another host is laid: under its name if that is free, else under one that is.
fn place(state: &Path, kept: &Kept) -> PathBuf {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
    };
    let name = plain(&kept.name);
    let of_host = format!("{name}-{}", plain(&kept.host));
    let more = (2_u32..).map(|n| format!("{of_host}-{n}"));
    let mut all = [name, of_host.clone()].into_iter().chain(more);
    let free = all.find_map(|name| {
        let folder = store::folder(state, &name);
        (!folder.exists()).then_some(folder)
    });
    free.expect("the numbers do not end before the folders")
}

/// Brings one incident up to what the store has. Gives what must be told.
async fn bring(
    shelf: &mut Shelf,
    kept: &Kept,
    folder: &Path,
    with_files: bool,
) -> Result<Option<String>, Problem> {
    let system = |error: &dyn std::fmt::Display| Problem::system(error.to_string());
    journal::settle(folder).map_err(|error| system(&error))?;
    let told = match Lease::take_here(folder, "the store") {
        // It is worked on here, and goes the other way.
        Err(LeaseError::Held { .. }) => return Ok(None),
        Err(error) => return Err(system(&error)),
        Ok(lease) => {
            let head = head(folder)?;
            let seq = i64::try_from(head.seq).unwrap_or(i64::MAX);
            // From our last one on, which must be theirs too.
            let all = shelf.after(&kept.id, seq - 1).await.map_err(|error| failed(&error))?;
            let same = seq == 0 || all.first().is_none_or(|link| link.hash == head.hash);
            if same {
                let new = all.into_iter().filter(|link| link.seq > seq).map(|link| link.line);
                let new: Vec<String> = new.collect();
                journal::receive(&lease, &new).map_err(|error| system(&error))?;
                None
            } else {
                Some(apart(folder))
            }
        }
    };
    let runbook = folder.join("runbook.toml");
    if !runbook.exists() {
        let written = journal::write_synced(&runbook, kept.runbook.as_bytes());
        written.map_err(|error| system(&error))?;
    }
    if with_files {
        bring_files(shelf, &kept.id, folder).await?;
    }
    // Nobody here has it, so that whoever does is somewhere else.
    let holder = kept.held.map(|silent| (kept.holder.as_str(), silent));
    lease::note_elsewhere(folder, holder).map_err(|error| system(&error))?;
    Ok(told)
}

/// Brings the files that lines of other hosts name and that are not here yet.
async fn bring_files(shelf: &mut Shelf, id: &str, folder: &Path) -> Result<(), Problem> {
    let mut awaited = awaited(folder)?;
    if awaited.is_empty() {
        return Ok(());
    }
    let there = shelf.files(id).await.map_err(|error| failed(&error))?;
    awaited.retain(|file| there.contains(&file.file));
    for file in awaited {
        let bytes = shelf.file(id, &file.file, LARGE).await.map_err(|error| failed(&error))?;
        if let Some(bytes) = bytes {
            let arrived = journal::arrive(folder, &file, &bytes);
            arrived.map_err(|error| Problem::system(error.to_string()))?;
        }
    }
    Ok(())
}

/// The same over a connection of its own.
async fn bring_awaited(at: &Target, id: &str, folder: &Path) -> Result<(), Problem> {
    if awaited(folder)?.is_empty() {
        return Ok(());
    }
    let mut shelf = open(at).await?;
    let brought = bring_files(&mut shelf, id, folder).await;
    shelf.close().await;
    brought
}

fn awaited(folder: &Path) -> Result<Vec<Evidence>, Problem> {
    let read = journal::read(folder).map_err(|error| Problem::system(error.to_string()))?;
    Ok(journal::awaited(folder, &read.0))
}

fn apart(folder: &Path) -> String {
    format!(
        "{}: this host and the store have different records; both are kept, and nothing is mixed. \
         Compare them before anybody goes on",
        folder.display()
    )
}

fn head(folder: &Path) -> Result<Head, Problem> {
    if !folder.join("journal.jsonl").exists() {
        return Ok(Head::default());
    }
    let read = journal::read(folder).map_err(|error| Problem::system(error.to_string()))?;
    Ok(read.1)
}

/// The lines of a journal from a byte on, with what the store wants to know of each; and where the
/// last of them ends.
fn links(folder: &Path, from: u64) -> std::io::Result<(Vec<Link>, u64)> {
    #[derive(serde::Deserialize)]
    struct Part {
        seq: i64,
        prev: String,
        hash: String,
    }
    let mut file = File::open(folder.join("journal.jsonl"))?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    let link = |line: &str| {
        let Part { seq, prev, hash } = serde_json::from_str(line).ok()?;
        Some(Link { seq, prev, hash, line: line.to_owned() })
    };
    let links = String::from_utf8_lossy(&bytes).lines().filter_map(link).collect();
    Ok((links, from + bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_incident_of_another_host_gets_a_folder_of_its_own() {
        let state = tempfile::tempdir().unwrap();
        let kept = Kept {
            id: "00ff".into(),
            name: "INC-0001".into(),
            host: "../db one".into(),
            runbook: String::new(),
            holder: String::new(),
            held: None,
        };
        for name in ["INC-0001", "INC-0001-dbone", "INC-0001-dbone-2", "INC-0001-dbone-3"] {
            let folder = place(state.path(), &kept);
            assert_eq!(folder, store::folder(state.path(), name));
            std::fs::create_dir_all(folder).unwrap();
        }
    }
}
