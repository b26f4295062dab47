//! The courier: brings every record of the open incident to the store, in order, as soon as the store
//! is there. It never holds up the journal, and stops for good when somebody else has the lease.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::{LARGE, failed, id, links, open};
use crate::config::Target;
use crate::engine::{Claimed, Kept, Shelf, Stopper};
use crate::incident::lease::Party;
use crate::problem::Problem;

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
    shelf: Option<(Shelf, i64)>,
    /// What the store has for certain.
    sent: i64,
    files: HashSet<String>,
}

/// Why nothing more could be brought.
enum Trouble {
    Away(Problem),
    Lost(String),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Away(problem)
    }
}

impl Courier {
    pub fn new(at: Target, folder: PathBuf, holder: String) -> Self {
        Self { at, folder, holder, shelf: None, sent: 0, files: HashSet::new() }
    }

    /// The holder, if another host has the lease. A store that is away holds nobody up.
    pub async fn claim(&mut self) -> Result<Option<String>, Problem> {
        match self.bring().await {
            Ok(_) => Ok(None),
            Err(Trouble::Lost(holder)) => Ok(Some(holder)),
            Err(Trouble::Away(problem)) => Err(problem),
        }
    }

    /// Until it is stopped, and then once more.
    pub async fn run(mut self, bell: Bell, stopper: Stopper, tell: impl Fn(News)) {
        let mut away = false;
        loop {
            match self.bring().await {
                Ok(caught_up) if away => {
                    away = false;
                    tell(News::Back { caught_up });
                }
                Ok(_) => {}
                Err(Trouble::Away(problem)) => {
                    if !away {
                        tell(News::Away(problem.sentence));
                    }
                    away = true;
                    self.shelf = None;
                }
                Err(Trouble::Lost(holder)) => return tell(News::Lost(holder)),
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
        let system = |error: std::io::Error| Problem::system(error.to_string());
        let Some(id) = id(&self.folder) else { return Ok(0) };
        if self.shelf.is_none() {
            let mut shelf = open(&self.at).await?;
            let runbook = fs::read_to_string(self.folder.join("runbook.toml")).map_err(system)?;
            let kept = Kept {
                id: id.clone(),
                name: self.name(),
                host: Party::here("").host,
                runbook,
                holder: String::new(),
                held: false,
                last: 0,
            };
            let claimed = shelf.claim(&kept, &self.holder).await.map_err(|error| failed(&error))?;
            let lease = match claimed {
                Claimed::Ours(lease) => lease,
                Claimed::Held(holder) => return Err(Trouble::Lost(holder)),
            };
            self.sent = self.agreed(&mut shelf, &id).await?;
            self.shelf = Some((shelf, lease));
        }
        let new = links(&self.folder, self.sent).map_err(system)?;
        let Some((shelf, lease)) = &mut self.shelf else { return Ok(0) };
        for link in &new {
            if !shelf.append(&id, *lease, link).await.map_err(|error| failed(&error))? {
                let lost = self.set_apart(&id).await;
                return Err(lost?);
            }
            self.sent = link.seq;
        }
        if new.is_empty() {
            // Nothing to bring: is it still there?
            shelf.files(&id).await.map_err(|error| failed(&error))?;
        }
        self.bring_files(&id).await?;
        Ok(new.len())
    }

    /// The last record that the store has of ours. Where it has others, somebody else went on.
    async fn agreed(&mut self, shelf: &mut Shelf, id: &str) -> Result<i64, Trouble> {
        let theirs = shelf.after(id, 0).await.map_err(|error| failed(&error))?;
        let ours = links(&self.folder, 0).map_err(|error| Problem::system(error.to_string()))?;
        let both = theirs.iter().zip(&ours);
        let same = both.take_while(|(theirs, ours)| theirs.hash == ours.hash).count();
        if same < theirs.len() {
            for link in &ours[same..] {
                let host = Party::here("").host;
                shelf.set_apart(id, &host, link).await.map_err(|error| failed(&error))?;
            }
            return Err(Trouble::Lost(String::new()));
        }
        Ok(ours.get(same.wrapping_sub(1)).map_or(0, |link| link.seq))
    }

    /// The store takes nothing more from us: what it does not have goes beside it.
    async fn set_apart(&mut self, id: &str) -> Result<Trouble, Problem> {
        let rest =
            links(&self.folder, self.sent).map_err(|error| Problem::system(error.to_string()))?;
        if let Some((shelf, _)) = &mut self.shelf {
            for link in &rest {
                let host = Party::here("").host;
                shelf.set_apart(id, &host, link).await.map_err(|error| failed(&error))?;
            }
        }
        Ok(Trouble::Lost(String::new()))
    }

    async fn bring_files(&mut self, id: &str) -> Result<(), Problem> {
        let Some((shelf, _)) = &mut self.shelf else { return Ok(()) };
        for (name, path) in evidence(&self.folder) {
            if self.files.contains(&name) {
                continue;
            }
            let Ok(bytes) = fs::read(&path) else { continue };
            let path = format!("evidence/{name}");
            shelf.put_file(id, &path, &bytes).await.map_err(|error| failed(&error))?;
            self.files.insert(name);
        }
        Ok(())
    }

    fn name(&self) -> String {
        let name = self.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_default()
    }
}

/// Files that are whole: what is still being written has another name.
fn evidence(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder.join("evidence")).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let name = entry.file_name().to_str()?.to_owned();
        let small = entry.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LARGE);
        (small && !name.starts_with('.')).then(|| (name, entry.path()))
    };
    entries.filter_map(one).collect()
}
