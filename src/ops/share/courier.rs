//! The courier: brings every record of the open incident to the store, in order, as soon as the store
//! is there. It never holds up the journal, and stops for good when somebody else has the lease.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::{LARGE, bring_awaited, failed, links, open};
use crate::config::Target;
use crate::digest::sha256;
use crate::engine::{Claimed, Kept, Link, Shelf, Stopper};
use crate::incident::Incident;
use crate::incident::bundle::not_a_link;
use crate::incident::entry::{Entry, Evidence, Record};
use crate::incident::journal::Journal;
use crate::incident::lease::{self, Holder, Party};
use crate::problem::Problem;

/// How soon a session that is ending is looked for again.
const SOON: Duration = Duration::from_millis(200);
/// How soon a store that was away is tried again, and one that is there is asked whether it still is.
const AGAIN: Duration = Duration::from_secs(5);

/// Rung when there is another record.
pub type Bell = Arc<Notify>;

/// What the cockpit is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// With the reason; the work goes on.
    Away(String),
    Back {
        caught_up: usize,
    },
    /// The store lies on the server that is worked on.
    SameServer,
    /// Another host has the lease: nothing more may be written here.
    Lost(String),
}

#[derive(Debug)]
pub struct Courier {
    at: Target,
    folder: PathBuf,
    holder: String,
    /// From whom it was taken by typed words: their session is ended.
    former: Option<Party>,
    /// The hash of the first record.
    id: String,
    shelf: Option<(Shelf, i64)>,
    /// Records that were read and are not in the store yet, and how far the journal was read.
    unsent: VecDeque<Link>,
    read: u64,
    /// Files that these records name.
    files: Vec<Evidence>,
    /// The incident is worked on: what the store does not take is kept beside it.
    working: bool,
}

/// Why nothing more could be brought.
enum Trouble {
    Away(Problem),
    /// A former session of ours still holds it there, or one that was just ended.
    Lingers,
    /// Somebody on this host has the incident by now, and brings what is missing.
    Replaced,
    Lost(String),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Away(problem)
    }
}

impl Courier {
    /// None for what is made up: incidents of demos and drills stay where they were made.
    pub fn of(at: &Target, records: &[Record], journal: &Journal) -> Option<Self> {
        let incident = Incident::replay(records);
        if incident.demo || incident.drill {
            return None;
        }
        let (at, folder, holder) = (at.clone(), journal.folder(), journal.holder());
        let former = journal.taken().map(|(from, _)| from);
        let (unsent, files) = (VecDeque::new(), Vec::new());
        let (id, shelf, read, working) = (String::new(), None, 0, false);
        Some(Self { at, folder, holder, former, id, shelf, unsent, read, files, working })
    }

    /// The holder, if another host has the lease. A store that is away holds nobody up.
    pub async fn claim(&mut self) -> Result<Option<String>, Problem> {
        const TRIES: u32 = 10;
        let mut tries = 0;
        loop {
            match self.bring().await {
                Ok(_) => return Ok(None),
                Err(Trouble::Lost(holder)) => return Ok(Some(holder)),
                // The server has not seen yet that a program of ours is gone.
                Err(Trouble::Lingers) if tries < TRIES => tries += 1,
                Err(Trouble::Lingers) => return Err(lingers()),
                Err(Trouble::Away(problem)) => return Err(problem),
                Err(Trouble::Replaced) => return Ok(Some(String::new())),
            }
            sleep(SOON).await;
        }
    }

    /// Brings what is missing once and leaves.
    pub async fn deliver(mut self) -> Result<(), Problem> {
        let brought = self.bring().await;
        if let Some((shelf, _)) = self.shelf {
            shelf.close().await;
        }
        match brought {
            Ok(_) => Ok(()),
            Err(Trouble::Away(problem)) => Err(problem),
            Err(Trouble::Lingers) => Err(lingers()),
            Err(Trouble::Lost(_) | Trouble::Replaced) => {
                Err(Problem::refused("somebody else went on with it"))
            }
        }
    }

    /// Until it is stopped, and then once more.
    pub async fn run(mut self, bell: Bell, stopper: Stopper, tell: impl Fn(News)) {
        self.working = true;
        let mut away = false;
        loop {
            let was_there = self.shelf.is_some();
            match self.bring().await {
                Ok(caught_up) if away => {
                    away = false;
                    tell(News::Back { caught_up });
                }
                Ok(_) => {}
                // Its end tells that the session was ended, or the store: who asks again knows which.
                Err(Trouble::Away(_)) if was_there => {
                    self.shelf = None;
                    continue;
                }
                Err(Trouble::Away(problem)) => {
                    self.shelf = None;
                    if !away {
                        tell(News::Away(problem.sentence));
                    }
                    away = true;
                }
                Err(Trouble::Lingers) => away = true,
                Err(Trouble::Lost(holder)) => return tell(News::Lost(holder)),
                Err(Trouble::Replaced) => break,
            }
            if stopper.is_stopped() {
                break;
            }
            tokio::select! {
                () = stopper.stopped() => {}
                () = bell.notified(), if !away => {}
                () = sleep(AGAIN) => {}
            }
        }
        if let Some((shelf, _)) = self.shelf {
            shelf.close().await;
        }
    }

    /// Brings what is missing; gives how many records that were.
    async fn bring(&mut self) -> Result<usize, Trouble> {
        if lease::is_replaced(&self.folder, &self.holder) {
            return Err(Trouble::Replaced);
        }
        if self.shelf.is_none() {
            self.connect().await?;
        }
        let read = links(&self.folder, self.read).map_err(|error| system(&error))?;
        self.unsent.extend(read.0);
        self.read = read.1;
        let Some((shelf, lease)) = &mut self.shelf else { return Ok(0) };
        let mut brought = 0;
        while let Some(link) = self.unsent.front() {
            if !shelf.append(&self.id, *lease, link).await.map_err(|error| failed(&error))? {
                set_apart(shelf, &self.id, self.unsent.make_contiguous()).await?;
                return Err(Trouble::Lost(String::new()));
            }
            self.files.extend(named(link));
            self.unsent.pop_front();
            brought += 1;
        }
        while let Some(file) = self.files.last() {
            if let Some(bytes) = as_written(&self.folder, file) {
                let put = shelf.put_file(&self.id, &file.file, &bytes).await;
                put.map_err(|error| failed(&error))?;
            }
            self.files.pop();
        }
        if brought == 0 {
            shelf.touch().await.map_err(|error| failed(&error))?;
        }
        Ok(brought)
    }

    /// Takes the lease in the store, and finds out what it has of ours.
    async fn connect(&mut self) -> Result<(), Trouble> {
        let (ours, read) = links(&self.folder, 0).map_err(|error| system(&error))?;
        let Some(first) = ours.first() else { return Ok(()) };
        let runbook = fs::read_to_string(self.folder.join("runbook.toml"));
        let kept = Kept {
            id: first.hash.clone(),
            name: self.name(),
            host: Party::here("").host,
            runbook: runbook.map_err(|error| system(&error))?,
            holder: String::new(),
            held: None,
        };
        let mut shelf = open(&self.at).await?;
        let claimed = shelf.claim(&kept, &self.holder).await.map_err(|error| failed(&error))?;
        if let Claimed::Held(holder) = &claimed {
            let party = serde_json::from_str(holder).ok().map(|holder: Holder| holder.party);
            if self.former.is_some() && party == self.former {
                let ended = shelf.end_writer(&kept.id, holder).await;
                ended.map_err(|error| failed(&error))?;
                return Err(Trouble::Lingers);
            }
            if self.is_ours(holder) {
                return Err(Trouble::Lingers);
            }
        }
        let theirs = shelf.after(&kept.id, 0).await.map_err(|error| failed(&error))?;
        let both = theirs.iter().zip(&ours);
        let same = both.take_while(|(theirs, ours)| theirs.hash == ours.hash).count();
        let lease = match claimed {
            Claimed::Ours(lease) if same == theirs.len() => lease,
            other => {
                // Somebody else went on: what only we have is laid beside it.
                if self.working {
                    set_apart(&mut shelf, &kept.id, &ours[same..]).await?;
                }
                let holder = if let Claimed::Held(holder) = other { holder } else { String::new() };
                return Err(Trouble::Lost(holder));
            }
        };
        let there = shelf.files(&kept.id).await.map_err(|error| failed(&error))?;
        let named = ours[..same].iter().filter_map(named);
        self.files = named.filter(|file| !there.contains(&file.file)).collect();
        (self.unsent, self.read) = (ours[same..].to_vec().into(), read);
        (self.id, self.shelf) = (kept.id, Some((shelf, lease)));
        // To go on here, all of the incident is needed. But what cannot be brought must not cost the
        // lease: it stays awaited, and whoever needs it is told.
        let _ = bring_awaited(&self.at, &self.id, &self.folder).await;
        Ok(())
    }

    /// A session of ours that the server has not seen the end of, or one of a program of this host
    /// that is gone.
    fn is_ours(&self, holder: &str) -> bool {
        let gone = serde_json::from_str(holder).is_ok_and(|holder| lease::is_gone(&holder));
        holder == self.holder || gone
    }

    fn name(&self) -> String {
        let name = self.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_default()
    }
}

/// Keeps what the store does not take as the records of the incident.
async fn set_apart(shelf: &mut Shelf, id: &str, links: &[Link]) -> Result<(), Problem> {
    let host = Party::here("").host;
    for link in links {
        shelf.set_apart(id, &host, link).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// The file that a record names. It was whole before the record was written.
fn named(link: &Link) -> Option<Evidence> {
    #[derive(serde::Deserialize)]
    struct Part {
        entry: Entry,
    }
    serde_json::from_str::<Part>(&link.line).ok()?.entry.file()
}

/// Its bytes, if they are what the record names. Whoever may write in the folder can lay something
/// else there, or a link to it; that stays here.
fn as_written(folder: &Path, file: &Evidence) -> Option<Vec<u8>> {
    let path = folder.join(&file.file);
    not_a_link(path.parent()?).and_then(|()| not_a_link(&path)).ok()?;
    let found = fs::metadata(&path).ok()?;
    if !file.is_inside() || !found.is_file() || found.len() > LARGE {
        return None;
    }
    fs::read(&path).ok().filter(|bytes| sha256(bytes) == file.sha256)
}

fn system(error: &std::io::Error) -> Problem {
    Problem::system(error.to_string())
}

fn lingers() -> Problem {
    Problem::unreachable("the incident store still has a session of a program that is gone")
}
