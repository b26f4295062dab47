//! Share: the journals of several hosts in one PostgreSQL.
//!
//! The journal on disk stays the truth of its host, and is written first; the store has the same lines
//! beside it, and may be away. `Courier` brings them there while an incident is worked on; `fetch`
//! brings those of other hosts here, into folders like any other; `Mirror` does so again and again.
//! Files follow the lines on a way of their own (`errands`).

mod courier;
mod errands;
mod mirror;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;

use super::connect::{plain, reach};
use crate::config::Target;
pub use crate::engine::DDL;
use crate::engine::{Kept, Link, Shelf};
use crate::incident::apart;
use crate::incident::chain::Head;
use crate::incident::entry::{Entry, Evidence};
use crate::incident::lease::{self, Lease, LeaseError, Says};
use crate::incident::{journal, store};
use crate::problem::{Kind, Problem};
use courier::compare;
pub use courier::{Bell, Claim, Courier, How, Loss, News};
use errands::Hands;
pub use mirror::{Mirror, Told};

/// How long a cockpit waits for a store before it goes on without.
const PATIENCE: Duration = Duration::from_secs(3);
/// How soon a store that was away is tried again, and one that is there is asked whether it still is.
const AGAIN: Duration = Duration::from_secs(5);
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

/// What of other hosts is brought here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The lines of all incidents.
    All,
    /// The lines of one. Files follow while it is worked on or watched.
    Lines(&'a str),
    /// One with its files.
    Whole(&'a str),
}

impl<'a> Wanted<'a> {
    fn name(self) -> Option<&'a str> {
        match self {
            Self::All => None,
            Self::Lines(name) | Self::Whole(name) => Some(name),
        }
    }
}

/// Brings incidents of other hosts here. What is worked on here is left alone. Gives what must be told, also
/// where not all could be brought.
pub async fn fetch(
    at: &Target,
    state: &Path,
    wanted: Wanted<'_>,
) -> (Vec<String>, Result<(), Problem>) {
    let mut told = Vec::new();
    let mut shelf = match open(at).await {
        Ok(shelf) => shelf,
        Err(problem) => return (told, Err(problem)),
    };
    let fetched = fetch_from(&mut shelf, state, wanted, &mut told).await;
    shelf.close().await;
    (told, fetched)
}

async fn fetch_from(
    shelf: &mut Shelf,
    state: &Path,
    wanted: Wanted<'_>,
    told: &mut Vec<String>,
) -> Result<(), Problem> {
    let all = shelf.list(None).await.map_err(|error| failed(&error))?;
    let here = here(state)?;
    for kept in &all {
        let known = here.iter().find(|(id, _)| *id == kept.id).map(|(_, folder)| folder.clone());
        if !wanted.name().is_none_or(|wanted| is_meant(kept, known.as_deref(), wanted)) {
            continue;
        }
        match fetch_one(shelf, state, kept, known.as_deref(), wanted, told).await {
            Ok(()) => {}
            Err(problem) if matches!(problem.kind, Kind::Unreachable | Kind::Database) => {
                return Err(problem);
            }
            // One that is damaged here keeps nobody from the others.
            Err(problem) => {
                let named = match &known {
                    Some(folder) => folder.display().to_string(),
                    None => format!("{} of {}", kept.name, kept.host),
                };
                told.push(format!("{named}: {}", problem.sentence));
            }
        }
    }
    Ok(())
}

async fn fetch_one(
    shelf: &mut Shelf,
    state: &Path,
    kept: &Kept,
    known: Option<&Path>,
    wanted: Wanted<'_>,
    told: &mut Vec<String>,
) -> Result<(), Problem> {
    let brought = match known {
        Some(folder) => bring(shelf, kept, folder).await?,
        None => bring_new(shelf, kept, state).await?,
    };
    let folder = match (brought, known) {
        (Brought::To(folder), _) => folder,
        (Brought::Apart(apart), Some(folder)) => {
            told.push(differ(&apart, folder));
            folder.to_owned()
        }
        (Brought::Apart(_) | Brought::Nowhere, _) => return Ok(()),
    };
    if wanted == Wanted::All {
        return Ok(());
    }
    let hosts = shelf.set_apart_by(&kept.id).await.map_err(|error| failed(&error))?;
    let news = untold(shelf, &kept.id, &folder, &hosts).await?;
    let name = store::name(&folder);
    told.extend(news.iter().map(|entry| format!("{name}: {}", entry.sentence())));
    if matches!(wanted, Wanted::Whole(_)) {
        bring_files(shelf, &kept.id, &folder).await?;
    }
    Ok(())
}

fn is_meant(kept: &Kept, folder: Option<&Path>, wanted: &str) -> bool {
    let named = folder.and_then(Path::file_name).is_some_and(|name| name == wanted);
    let number = |text: &str| text.strip_prefix("INC-").unwrap_or(text).parse::<u64>().ok();
    let same = kept.name.eq_ignore_ascii_case(wanted)
        || number(wanted).is_some_and(|wanted| number(&kept.name) == Some(wanted));
    named || same || wanted.eq_ignore_ascii_case(&format!("{}-{}", kept.name, kept.host))
}

/// The incidents of this host by the hash of their first record. What only this host wrote of one has the
/// same, and is none.
fn here(state: &Path) -> Result<Vec<(String, PathBuf)>, Problem> {
    let mut all = store::folders(state).map_err(|error| system(&error))?;
    all.retain(|folder| !store::is_apart(folder));
    Ok(all.into_iter().filter_map(|folder| Some((id(&folder)?, folder))).collect())
}

/// What an incident is called in the store: names may come twice, the hash of a first record cannot.
fn id(folder: &Path) -> Option<String> {
    let mut first = Vec::new();
    let file = File::open(folder.join("journal.jsonl")).ok()?;
    BufReader::new(file).read_until(b'\n', &mut first).ok()?;
    if first.last() != Some(&b'\n') {
        return None;
    }
    Some(link(&String::from_utf8_lossy(&first))?.hash)
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

/// Where the lines of an incident are now.
enum Brought {
    To(PathBuf),
    /// It is worked on here, and goes the other way; or there was nothing to bring.
    Nowhere,
    /// This host and the store had different records.
    Apart(SetApart),
}

/// What only this host wrote lies here now; and whether the store has it too, so that others can be told.
struct SetApart {
    folder: PathBuf,
    laid: Result<(), Problem>,
}

fn differ(apart: &SetApart, folder: &Path) -> String {
    let (name, incident) = (store::name(&apart.folder), store::name(folder));
    let unheard = apart.laid.as_ref().err().map(|why| {
        let why = &why.sentence;
        format!(". Nobody else hears of it, because it could not be laid beside the others in the store: {why}")
    });
    format!(
        "this host and the store have different records; both are kept, and nothing is mixed: {incident} is \
         what the store has, and what only this host wrote is {name}. `steadyhand resume {name}` takes \
         back what was changed there. The text of the postmortem is in both{}",
        unheard.unwrap_or_default()
    )
}

/// What other hosts did apart from these records, as far as they do not say it yet.
async fn untold(
    shelf: &mut Shelf,
    id: &str,
    folder: &Path,
    hosts: &[(String, i64)],
) -> Result<Vec<Entry>, Problem> {
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    let (records, ..) = journal::read(folder).map_err(|error| system(&error))?;
    let mut untold = Vec::new();
    for (host, _) in hosts {
        let mut lines: Vec<String> = Vec::new();
        let mut behind = (0, String::new());
        loop {
            let mut page = shelf.apart(id, host, &behind).await.map_err(|error| failed(&error))?;
            let Some((seq, end, _)) = page.last_mut() else { break };
            behind = (*seq, std::mem::take(end));
            lines.extend(page.into_iter().map(|(.., line)| line));
        }
        untold.extend(apart::news(host, &records, &lines));
    }
    Ok(untold)
}

/// Brings one incident up to what the store has, page by page: what came stays, also where the link does
/// not last for all of it.
async fn bring(shelf: &mut Shelf, kept: &Kept, folder: &Path) -> Result<Brought, Problem> {
    let mut apart = None;
    loop {
        let before = head(folder)?;
        let seq = i64::try_from(before.seq).unwrap_or(i64::MAX);
        // From our last one on, which must be theirs too.
        let page = shelf.after(&kept.id, seq - 1).await.map_err(|error| failed(&error))?;
        let same = seq == 0 || page.first().is_some_and(|link| link.hash == before.hash);
        let Some(lease) = free(folder)? else { return Ok(Brought::Nowhere) };
        says(kept, &lease)?;
        if !same {
            let ours = links(folder, 0).map_err(|error| system(&error))?.0;
            let (same, all) = compare(shelf, &kept.id, &ours).await?;
            // It may have less than we have, and lack only that.
            if same == all {
                return Ok(Brought::To(folder.to_owned()));
            }
            let laid = courier::set_apart(shelf, &kept.id, &ours[same..]).await;
            let first = shelf.after(&kept.id, 0).await.map_err(|error| failed(&error))?;
            apart = Some(SetApart { folder: put_apart(kept, lease, first)?, laid });
            continue;
        }
        let new: Vec<Link> = page.into_iter().filter(|link| link.seq > seq).collect();
        let last = new.is_empty();
        // Somebody else of this host may have brought them meanwhile.
        if last || head(folder)? == before {
            lay_down(kept, &lease, new)?;
        }
        if last {
            keep_files(kept, &lease)?;
            return Ok(apart.map_or_else(|| Brought::To(folder.to_owned()), Brought::Apart));
        }
    }
}

/// Puts what only this host wrote under a name of its own, and what the store has in its place.
fn put_apart(kept: &Kept, lease: Lease, first: Vec<Link>) -> Result<PathBuf, Problem> {
    let folder = lease.folder().to_owned();
    let state = folder.ancestors().nth(2).unwrap_or(&folder);
    let _alone = store::alone(state).map_err(|error| system(&error))?;
    let apart = store::put_apart(&folder).map_err(|error| system(&error))?;
    // Whoever works on the incident works on what the store has.
    let said = lease::store_says(&apart, Says::Nobody);
    said.map_err(|error| system(&error))?;
    drop(lease);
    journal::settle(&folder).map_err(|error| system(&error))?;
    store::keep_words(&apart, &folder).map_err(|error| system(&error))?;
    if let Some(lease) = free(&folder)? {
        says(kept, &lease)?;
        lay_down(kept, &lease, first)?;
    }
    Ok(apart)
}

/// Files that the records name and that this host has, with what it wrote apart: nobody need bring them.
fn keep_files(kept: &Kept, lease: &Lease) -> Result<(), Problem> {
    let folder = lease.folder();
    if !journal::is_awaiting(folder).map_err(|error| system(&error))? {
        return Ok(());
    }
    let state = folder.ancestors().nth(2).unwrap_or(folder);
    let mut all = store::folders(state).map_err(|error| system(&error))?;
    all.retain(|apart| store::is_apart(apart) && id(apart).as_ref() == Some(&kept.id));
    if all.is_empty() {
        return Ok(());
    }
    let read = journal::read(folder).map_err(|error| system(&error))?;
    for file in journal::awaited(folder, &read.0).map_err(|error| system(&error))? {
        for apart in &all {
            let kept = journal::arrive_from(lease, &file, &apart.join(&file.file));
            kept.map_err(|error| system(&error))?;
        }
    }
    Ok(())
}

/// Brings one that this host does not have. Its folder gets its first lines before anybody else looks
/// whether it is here.
async fn bring_new(shelf: &mut Shelf, kept: &Kept, state: &Path) -> Result<Brought, Problem> {
    let first = shelf.after(&kept.id, 0).await.map_err(|error| failed(&error))?;
    let Some(folder) = place_first(kept, first, state)? else { return Ok(Brought::Nowhere) };
    bring(shelf, kept, &folder).await
}

fn place_first(kept: &Kept, first: Vec<Link>, state: &Path) -> Result<Option<PathBuf>, Problem> {
    let _alone = store::alone(state).map_err(|error| system(&error))?;
    if first.is_empty() || here(state)?.iter().any(|(id, _)| *id == kept.id) {
        return Ok(None);
    }
    let folder = place(state, kept);
    journal::settle(&folder).map_err(|error| system(&error))?;
    let Some(lease) = free(&folder)? else { return Ok(None) };
    let laid = says(kept, &lease).and_then(|()| lay_down(kept, &lease, first));
    if laid.is_err() && id(&folder).is_none() {
        // Nothing of it could be believed, and the next look would lay it beside.
        let _ = fs::remove_dir_all(&folder);
    }
    laid.map(|()| Some(folder))
}

/// Nobody on this host works on it while this is held.
fn free(folder: &Path) -> Result<Option<Lease>, Problem> {
    match Lease::take_here(folder, "the store") {
        Ok(lease) => Ok(Some(lease)),
        Err(LeaseError::Held { .. }) => Ok(None),
        Err(error) => Err(system(&error)),
    }
}

/// Nobody works on it here, so that whoever does is somewhere else.
fn says(kept: &Kept, lease: &Lease) -> Result<(), Problem> {
    // A session may outlive whoever left.
    let held = kept.held.filter(|_| !kept.holder.is_empty());
    let says = held.map_or(Says::Nobody, |silent| Says::Held { told: &kept.holder, silent });
    lease::store_says(lease.folder(), says).map_err(|error| system(&error))
}

fn lay_down(kept: &Kept, lease: &Lease, lines: Vec<Link>) -> Result<(), Problem> {
    let runbook = lease.folder().join("runbook.toml");
    if !runbook.exists() {
        let written = crate::files::write_synced(&runbook, kept.runbook.as_bytes());
        written.map_err(|error| system(&error))?;
    }
    let lines: Vec<String> = lines.into_iter().map(|link| link.line).collect();
    if lines.is_empty() {
        return Ok(());
    }
    journal::receive(lease, &lines).map_err(|error| system(&error))
}

/// Brings the files that lines of other hosts name and that are not here yet.
async fn bring_files(shelf: &mut Shelf, id: &str, folder: &Path) -> Result<(), Problem> {
    let awaited = awaited(shelf, id, folder).await?;
    if !awaited.is_empty() {
        shelf.take_time().await.map_err(|error| failed(&error))?;
    }
    for file in awaited {
        errands::fetch(shelf, id, folder, &file, &Hands::Free).await?;
    }
    Ok(())
}

/// The files that are awaited here and that the store has.
async fn awaited(shelf: &mut Shelf, id: &str, folder: &Path) -> Result<Vec<Evidence>, Problem> {
    if !journal::is_awaiting(folder).map_err(|error| system(&error))? {
        return Ok(Vec::new());
    }
    let read = journal::read(folder).map_err(|error| system(&error))?;
    let mut awaited = journal::awaited(folder, &read.0).map_err(|error| system(&error))?;
    let there = shelf.files(id).await.map_err(|error| failed(&error))?;
    awaited.retain(|file| there.contains(&file.file));
    Ok(awaited)
}

fn system(error: &dyn std::fmt::Display) -> Problem {
    Problem::system(error.to_string())
}

fn head(folder: &Path) -> Result<Head, Problem> {
    if !folder.join("journal.jsonl").exists() {
        return Ok(Head::default());
    }
    Ok(journal::read(folder).map_err(|error| system(&error))?.1)
}

/// The lines of a journal from a byte on, with what the store wants to know of each; and where the
/// last of them ends.
fn links(folder: &Path, from: u64) -> std::io::Result<(Vec<Link>, u64)> {
    let mut file = File::open(folder.join("journal.jsonl"))?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    let links = String::from_utf8_lossy(&bytes).lines().filter_map(link).collect();
    Ok((links, from + bytes.len() as u64))
}

fn link(line: &str) -> Option<Link> {
    #[derive(serde::Deserialize)]
    struct Part {
        seq: i64,
        prev: String,
        hash: String,
    }
    let Part { seq, prev, hash } = serde_json::from_str(line).ok()?;
    Some(Link { seq, prev, hash, line: line.to_owned() })
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
