//! The mirror: an incident that another host works on, kept up to date here while it is watched. On a
//! thread of its own, because line mode has no other.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::join;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::errands::{Errand, Errands, Hands};
use super::{Brought, awaited, bring, differ, failed, id, open};
use crate::config::Target;
use crate::engine::{Ear, Stopper};
use crate::problem::{Kind, Problem};

/// So often the store is asked who works there, if it says nothing by itself.
const AT_LEAST: Duration = Duration::from_secs(5);

/// What whoever watches is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Trouble(String),
    /// The store was not heard for a while, and is again.
    HeardAgain,
}

#[derive(Debug)]
pub struct Mirror {
    stopper: Stopper,
    told: Receiver<Told>,
}

impl Mirror {
    pub fn start(at: Target, folder: PathBuf) -> Self {
        let stopper = Stopper::default();
        let stopped = stopper.clone();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (Ok(runtime), Some(id)) = (runtime, id(&folder)) else { return };
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.stopped() => {}
                    () = follow(&at, &id, &folder, &tell) => {}
                }
            });
        });
        Self { stopper, told }
    }

    /// What must be told since the last time.
    pub fn told(&self) -> Vec<Told> {
        self.told.try_iter().collect()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

async fn follow(at: &Target, id: &str, folder: &Path, tell: &Sender<Told>) {
    let (send, sent) = unbounded_channel();
    let (at, folder) = (at.clone(), folder.to_owned());
    let files =
        Errands { at: at.clone(), id: id.into(), folder: folder.clone(), hands: Hands::Free };
    let files = files.run(sent, |why| _ = tell.send(Told::Trouble(why)));
    let lines = async {
        let mut known = Known { before: None, away: false };
        loop {
            let Err(away) = attend(&at, id, &folder, tell, &mut known, &send).await;
            known.away = true;
            let shown = "what this host has is shown, and whoever worked there may still do";
            say(tell, &mut known.before, Some(format!("{}; {shown}", away.sentence)));
            sleep(AT_LEAST).await;
        }
    };
    join!(lines, files);
}

/// What was told, and is so for all anybody knows.
struct Known {
    before: Option<String>,
    away: bool,
}

/// Says it once for as long as it is so.
fn say(tell: &Sender<Told>, before: &mut Option<String>, now: Option<String>) {
    if let Some(now) = now.as_ref().filter(|now| before.as_ref() != Some(*now)) {
        let _ = tell.send(Told::Trouble(now.clone()));
    }
    *before = now;
}

/// Over one connection that asks and one that hears, until either is lost.
async fn attend(
    at: &Target,
    id: &str,
    folder: &Path,
    tell: &Sender<Told>,
    known: &mut Known,
    files: &UnboundedSender<Errand>,
) -> Result<Infallible, Problem> {
    let mut shelf = open(at).await?;
    let mut ear = shelf.listen().await.map_err(|error| failed(&error))?;
    loop {
        // An incident of this host alone is not there.
        let kept = shelf.list(Some(id)).await.map_err(|error| failed(&error))?.pop();
        let brought = match &kept {
            Some(kept) => bring(&mut shelf, kept, folder).await,
            None => Ok(Brought::Nowhere),
        };
        let now = match brought {
            Ok(Brought::Apart(apart)) => {
                // The next look finds nothing wrong, and this stands.
                let _ = tell.send(Told::Trouble(differ(&apart, folder)));
                None
            }
            Ok(Brought::Nowhere) => None,
            Ok(Brought::To(_)) => {
                let found = awaited(&mut shelf, id, folder).await?;
                for file in found {
                    let _ = files.send(Errand::Fetch(file));
                }
                None
            }
            Err(problem) if matches!(problem.kind, Kind::Unreachable | Kind::Database) => {
                return Err(problem);
            }
            Err(problem) => Some(problem.sentence),
        };
        if std::mem::take(&mut known.away) {
            let _ = tell.send(Told::HeardAgain);
        }
        say(tell, &mut known.before, now);
        if let Ok(None) = timeout(AT_LEAST, hear(&mut ear, id)).await {
            return Err(Problem::unreachable("the incident store is not heard any more"));
        }
    }
}

/// Until there is another line of this incident.
async fn hear(ear: &mut Ear, id: &str) -> Option<()> {
    while ear.hear().await? != id {}
    Some(())
}
