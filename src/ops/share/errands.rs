//! Errands: the files that records name, brought to the store and from it behind the records, over a
//! connection of their own. One that is slow holds up no record, and one that cannot be brought costs
//! nobody the lease.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::{AGAIN, LARGE, failed, open};
use crate::config::Target;
use crate::digest::sha256;
use crate::engine::Shelf;
use crate::incident::bundle::not_a_link;
use crate::incident::entry::Evidence;
use crate::incident::journal::{self, Care, JournalError};
use crate::incident::lease::{Lease, LeaseError};
use crate::problem::Problem;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    Bring(Evidence),
    Fetch(Evidence),
}

impl Errand {
    fn file(&self) -> &str {
        match self {
            Self::Bring(file) | Self::Fetch(file) => &file.file,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Yes,
    /// It may be sent again.
    NotYet,
}

/// Who may say that a file has come.
#[derive(Debug)]
pub enum Hands {
    /// The incident is worked on here.
    Ours(Care),
    /// Somebody on another host works on it, and here nobody.
    Free,
}

#[derive(Debug)]
pub struct Errands {
    pub at: Target,
    pub id: String,
    pub folder: PathBuf,
    pub hands: Hands,
}

impl Errands {
    /// Until nobody sends any more, and what was sent is done. Says what could not be.
    pub async fn run(self, mut sent: UnboundedReceiver<Errand>, tell: impl Fn(String)) {
        let (mut shelf, mut over) = (None, Vec::new());
        while let Some(errand) = sent.recv().await {
            // The store is asked again for whatever it does not have yet.
            if over.contains(&errand) {
                continue;
            }
            let mut failures = 0;
            let done = loop {
                let problem = match self.one(&mut shelf, &errand).await {
                    Ok(done) => break done,
                    Err(problem) => problem,
                };
                if shelf.take().is_some() {
                    failures += 1;
                } else if sent.is_closed() {
                    // Nobody waits for the store any more.
                    tell(stays(&errand, &problem));
                    while let Some(left) = sent.recv().await {
                        tell(stays(&left, &problem));
                    }
                    return;
                } else {
                    sleep(AGAIN).await;
                }
                // A connection that stood for hours may be lost without a sign; the next one is new.
                if failures == 2 {
                    tell(stays(&errand, &problem));
                    break Done::Yes;
                }
            };
            if done == Done::Yes {
                over.push(errand);
            }
        }
        if let Some(shelf) = shelf {
            shelf.close().await;
        }
    }

    async fn one(&self, shelf: &mut Option<Shelf>, errand: &Errand) -> Result<Done, Problem> {
        if shelf.is_none() {
            let mut opened = open(&self.at).await?;
            opened.take_time().await.map_err(|error| failed(&error))?;
            *shelf = Some(opened);
        }
        let Some(shelf) = shelf else { return Ok(Done::NotYet) };
        match errand {
            Errand::Bring(file) => bring(shelf, &self.id, &self.folder, file).await,
            Errand::Fetch(file) => fetch(shelf, &self.id, &self.folder, file, &self.hands).await,
        }
    }
}

fn stays(errand: &Errand, problem: &Problem) -> String {
    format!("{} could not be brought and stays where it is: {}", errand.file(), problem.sentence)
}

async fn bring(
    shelf: &mut Shelf,
    id: &str,
    folder: &Path,
    file: &Evidence,
) -> Result<Done, Problem> {
    let Some(bytes) = as_written(folder, file) else { return Ok(Done::Yes) };
    let put = shelf.put_file(id, &file.file, &bytes).await;
    put.map(|()| Done::Yes).map_err(|error| failed(&error))
}

pub(super) async fn fetch(
    shelf: &mut Shelf,
    id: &str,
    folder: &Path,
    file: &Evidence,
    hands: &Hands,
) -> Result<Done, Problem> {
    let bytes = shelf.file(id, &file.file, LARGE).await.map_err(|error| failed(&error))?;
    let Some(bytes) = bytes else { return Ok(Done::Yes) };
    let arrived = match hands {
        Hands::Ours(care) => care.arrive(file, &bytes),
        Hands::Free => match Lease::take_here(folder, "the store") {
            Ok(lease) => journal::arrive(&lease, file, &bytes),
            // Who works on it here by now fetches it themselves.
            Err(LeaseError::Held { .. }) => return Ok(Done::NotYet),
            Err(error) => Err(error.into()),
        },
    };
    match arrived {
        Ok(()) | Err(JournalError::Lost) => Ok(Done::Yes),
        Err(error) => Err(Problem::system(error.to_string())),
    }
}

/// The bytes of a file, if they are what the record names. Whoever may write in the folder can lay
/// something else there, or a link to it; that stays here.
fn as_written(folder: &Path, file: &Evidence) -> Option<Vec<u8>> {
    let path = folder.join(&file.file);
    not_a_link(path.parent()?).and_then(|()| not_a_link(&path)).ok()?;
    let found = fs::metadata(&path).ok()?;
    if !file.is_inside() || !found.is_file() || found.len() > LARGE {
        return None;
    }
    fs::read(&path).ok().filter(|bytes| sha256(bytes) == file.sha256)
}
