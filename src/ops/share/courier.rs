//! The courier: brings every record of the open incident to the store, in order, as soon as the store
//! is there. It never holds up the journal, and stops for good when somebody else has the lease.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::join;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use super::errands::{Errand, Errands, Hands};
use super::{AGAIN, awaited, failed, links, open, system, untold};
use crate::config::Target;
use crate::engine::{Claimed, EngineError, Kept, Link, Shelf, Stopper};
use crate::incident::entry::{Entry, Record};
use crate::incident::journal::{Care, Journal};
use crate::incident::lease::{self, Holder, Party, Says};
use crate::incident::{Incident, store};
use crate::problem::{Kind, Problem};

/// How soon a session that is ending is looked for again.
const SOON: Duration = Duration::from_millis(200);

/// Rung when there is another record.
pub type Bell = Arc<Notify>;

/// What the cockpit is told.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// With the reason; the work goes on.
    Away(String),
    /// It answers, and takes nothing. The same.
    Refused(String),
    Back {
        caught_up: usize,
    },
    /// The store lies on the server that is worked on.
    SameServer,
    /// Why a file that a record names stays where it is.
    NotBrought(String),
    /// Another host has the lease: nothing more may be written here.
    Lost(Loss),
    /// What another host did that had not heard of us, to be recorded.
    Apart(Entry),
    /// These are the records that this host alone wrote.
    Alone,
    /// Who had the incident before us and did not leave it, as far as the store knows.
    CutOff(Holder),
}

/// What the store knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub holder: Option<Holder>,
    pub how: How,
    /// Whether what only we have lies beside it there. That it is lost holds in any case.
    pub apart: Result<(), String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By typed words.
    TakenOver,
    WentOn,
}

/// Who may write, as the store says.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    Ours,
    Theirs,
    /// It takes nothing from us, and has the incident: somebody else may go on with it at any time.
    Refused(Problem),
}

#[derive(Debug)]
pub struct Courier {
    at: Target,
    folder: PathBuf,
    holder: String,
    care: Care,
    /// From whom it was taken by typed words: their session is ended, once.
    former: Option<Holder>,
    /// The hash of the first record.
    id: String,
    shelf: Option<(Shelf, i64)>,
    /// Records that were read and are not in the store yet, and how far the journal was read.
    unsent: VecDeque<Link>,
    read: u64,
    /// Files that are to follow.
    errands: Vec<Errand>,
    /// Over this connection it was looked for what others left.
    looked: bool,
    /// Who may still be at work elsewhere, cut off from the store.
    cut_off: Option<Holder>,
    /// Who wrote apart, and how far, as it was looked into last; and what came of it.
    apart: Vec<(String, i64)>,
    found: Vec<Entry>,
    /// What only this host wrote is gone on with: it is kept beside the others, and takes no lease.
    alone: bool,
    /// The incident is worked on: what the store does not take is kept beside it.
    working: bool,
}

/// Why nothing more could be brought.
enum Trouble {
    Away(Problem),
    /// It says no, and will say it again.
    Refused(Problem),
    /// A former session of ours still holds it there, or one that was just ended.
    Lingers,
    /// Somebody on this host has the incident by now, and brings what is missing.
    Replaced,
    Lost(Loss),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        if problem.kind == Kind::Database { Self::Refused(problem) } else { Self::Away(problem) }
    }
}

impl Courier {
    /// None for what is made up: incidents of demos and drills stay where they were made.
    pub fn of(at: &Target, records: &[Record], journal: &Journal) -> Option<Self> {
        let incident = Incident::replay(&store::name(&journal.folder()), records);
        if incident.demo || incident.drill {
            return None;
        }
        Some(Self {
            at: at.clone(),
            folder: journal.folder(),
            holder: journal.holder(),
            care: journal.care(),
            former: journal.taken().map(|(from, _)| from),
            id: records.first()?.hash.clone(),
            shelf: None,
            unsent: VecDeque::new(),
            read: 0,
            errands: Vec::new(),
            looked: false,
            cut_off: None,
            apart: Vec::new(),
            found: Vec::new(),
            alone: store::is_apart(&journal.folder()),
            working: false,
        })
    }

    /// Whether the store answered last time.
    pub fn is_there(&self) -> bool {
        self.shelf.is_some()
    }

    /// Takes the lease in the store. The records that are missing there follow while it is worked on.
    pub async fn claim(&mut self) -> Result<Claim, Problem> {
        const TRIES: u32 = 10;
        let mut tries = 0;
        loop {
            match self.connect().await {
                Ok(()) => return Ok(Claim::Ours),
                Err(Trouble::Lost(_) | Trouble::Replaced) => return Ok(Claim::Theirs),
                // The server has not seen yet that a program of ours is gone.
                Err(Trouble::Lingers) if tries < TRIES => tries += 1,
                Err(Trouble::Lingers) => return Err(lingers()),
                Err(Trouble::Away(problem)) => return Err(problem),
                Err(Trouble::Refused(problem)) => return self.refused(problem).await,
            }
            sleep(SOON).await;
        }
    }

    /// Where nobody else can have it, it is as good as away.
    async fn refused(&self, problem: Problem) -> Result<Claim, Problem> {
        let mut shelf = open(&self.at).await?;
        let may_have = shelf.may_have(&self.id).await.map_err(|error| failed(&error));
        shelf.close().await;
        if may_have? { Ok(Claim::Refused(problem)) } else { Err(problem) }
    }

    /// Brings what is missing once and leaves. Gives the files that could not be brought.
    pub async fn deliver(mut self) -> Result<Vec<String>, Problem> {
        let brought = self.bring().await;
        let (send, sent) = unbounded_channel();
        self.errands.drain(..).for_each(|errand| _ = send.send(errand));
        drop(send);
        self.leave().await;
        let left = RefCell::new(Vec::new());
        self.carrier().run(sent, |why| left.borrow_mut().push(why)).await;
        match brought {
            Ok(_) => Ok(left.into_inner()),
            Err(Trouble::Away(problem) | Trouble::Refused(problem)) => Err(problem),
            Err(Trouble::Lingers) => Err(lingers()),
            Err(Trouble::Lost(_) | Trouble::Replaced) => {
                Err(Problem::refused("somebody else went on with it"))
            }
        }
    }

    /// Until it is stopped, and then once more. Files that are under way follow when the lease is free.
    pub async fn run(mut self, bell: Bell, stopper: Stopper, tell: impl Fn(News)) {
        self.working = true;
        let (send, sent) = unbounded_channel();
        let files = self.carrier().run(sent, |why| tell(News::NotBrought(why)));
        let records = async {
            self.records(&bell, &stopper, send, &tell).await;
            self.leave().await;
        };
        join!(records, files);
    }

    fn carrier(&self) -> Errands {
        let (at, id, folder) = (self.at.clone(), self.id.clone(), self.folder.clone());
        Errands { at, id, folder, hands: Hands::Ours(self.care.clone()) }
    }

    async fn leave(&mut self) {
        if let Some((mut shelf, lease)) = self.shelf.take() {
            // A store that does not take it knows less, and nobody anything wrong.
            let _ = shelf.release(&self.id, lease).await;
            shelf.close().await;
        }
    }

    async fn records(
        &mut self,
        bell: &Bell,
        stopper: &Stopper,
        files: UnboundedSender<Errand>,
        tell: &impl Fn(News),
    ) {
        let mut away = false;
        loop {
            // What is written while we bring is brought before we go.
            let last = stopper.is_stopped();
            let was_there = self.shelf.is_some();
            let why = match self.bring().await {
                Ok(caught_up) if away => {
                    away = false;
                    tell(News::Back { caught_up });
                    None
                }
                Ok(_) => None,
                // Its end tells that the session was ended, or the store: who asks again knows which.
                Err(Trouble::Away(_)) if was_there => {
                    self.shelf = None;
                    continue;
                }
                Err(Trouble::Away(problem)) => Some(News::Away(problem.sentence)),
                // The session stays, and the lease with it: nobody goes on elsewhere meanwhile.
                Err(Trouble::Refused(problem)) => Some(News::Refused(problem.sentence)),
                Err(Trouble::Lingers) => Some(News::Away(lingers().sentence)),
                Err(Trouble::Lost(loss)) => return tell(News::Lost(loss)),
                Err(Trouble::Replaced) => return,
            };
            if let Some(why) = why {
                if matches!(why, News::Away(_)) {
                    self.shelf = None;
                }
                if !away {
                    tell(why);
                }
                away = true;
            }
            self.errands.drain(..).for_each(|errand| _ = files.send(errand));
            if let Some(holder) = self.cut_off.take() {
                tell(News::CutOff(holder));
            }
            self.found.drain(..).for_each(|entry| tell(News::Apart(entry)));
            if last {
                return;
            }
            tokio::select! {
                () = stopper.stopped() => {}
                () = bell.notified(), if !away => {}
                () = sleep(AGAIN) => {}
            }
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
        if self.alone {
            set_apart(shelf, &self.id, self.unsent.make_contiguous()).await?;
            brought = self.unsent.drain(..).count();
        }
        while !self.unsent.is_empty() {
            let unsent = self.unsent.make_contiguous();
            let next = &unsent[..at_once(unsent)];
            if !shelf.append(&self.id, *lease, next).await.map_err(|error| failed(&error))? {
                let apart = laid(set_apart(shelf, &self.id, unsent).await);
                return Err(Trouble::Lost(Loss { holder: None, how: How::WentOn, apart }));
            }
            let files = next.iter().filter_map(entry).filter_map(|entry| entry.file());
            self.errands.extend(files.map(Errand::Bring));
            let length = next.len();
            self.unsent.drain(..length);
            brought += length;
        }
        if brought == 0 || !std::mem::replace(&mut self.looked, true) {
            // What the former holder brought late.
            let found = awaited(shelf, &self.id, &self.folder).await?;
            self.errands.extend(found.into_iter().map(Errand::Fetch));
            if !self.alone {
                let hosts = shelf.set_apart_by(&self.id).await.map_err(|error| failed(&error))?;
                if hosts != self.apart {
                    self.found.extend(untold(shelf, &self.id, &self.folder, &hosts).await?);
                    self.apart = hosts;
                }
            }
            shelf.touch().await.map_err(|error| failed(&error))?;
        }
        Ok(brought)
    }

    /// Takes the lease in the store, and finds out what it has of ours.
    async fn connect(&mut self) -> Result<(), Trouble> {
        let (ours, read) = links(&self.folder, 0).map_err(|error| system(&error))?;
        let runbook = fs::read_to_string(self.folder.join("runbook.toml"));
        let kept = Kept {
            id: self.id.clone(),
            name: store::name(&self.folder),
            host: Party::here("").host,
            runbook: runbook.map_err(|error| system(&error))?,
            holder: String::new(),
            held: None,
        };
        let mut shelf = open(&self.at).await?;
        if self.alone {
            let (same, _) = compare(&mut shelf, &kept.id, &ours).await?;
            (self.unsent, self.read) = (ours[same..].to_vec().into(), read);
            self.shelf = Some((shelf, 0));
            return Ok(());
        }
        let before = match shelf.holder(&kept.id).await {
            Ok(before) => before
                .filter(|told| *told != self.holder)
                .and_then(|told| serde_json::from_str::<Holder>(&told).ok()),
            // There is no store yet, or none for us: the claim says which.
            Err(EngineError::Database { .. }) => None,
            Err(error) => return Err(failed(&error).into()),
        };
        let claimed = shelf.claim(&kept, &self.holder).await.map_err(|error| failed(&error))?;
        let holder = match &claimed {
            Claimed::Held(told) => serde_json::from_str::<Holder>(told).ok(),
            Claimed::Ours(_) => None,
        };
        if let Claimed::Held(told) = &claimed {
            // They left, and their session is still there; or they are just coming, and say who next.
            if told.is_empty() {
                if self.former.is_some() {
                    let ended = shelf.end_writer(&kept.id, told).await;
                    ended.map_err(|error| failed(&error))?;
                }
                return Err(Trouble::Lingers);
            }
            let by = holder.as_ref();
            if by.zip(self.former.as_ref()).is_some_and(|(by, former)| by.is_same(former)) {
                let ended = shelf.end_writer(&kept.id, told).await;
                ended.map_err(|error| failed(&error))?;
                return Err(Trouble::Lingers);
            }
            // A session of ours that the server has not seen the end of, or one of a program of this
            // host that is gone.
            if *told == self.holder || by.is_some_and(lease::is_gone) {
                return Err(Trouble::Lingers);
            }
        }
        let (same, all) = compare(&mut shelf, &kept.id, &ours).await?;
        let says = match &claimed {
            Claimed::Held(told) => Says::Held { told, silent: Duration::ZERO },
            Claimed::Ours(_) => Says::Nobody,
        };
        lease::store_says(&self.folder, says).map_err(|error| system(&error))?;
        let lease = match claimed {
            Claimed::Ours(lease) if same == all => lease,
            _ => {
                let seq = ours[..same].last().map_or(0, |link| link.seq);
                let next = shelf.after(&kept.id, seq).await.map_err(|error| failed(&error))?;
                let taken = |link: &Link| matches!(entry(link), Some(Entry::TakenOver { .. }));
                let how = if next.iter().any(taken) { How::TakenOver } else { How::WentOn };
                // Somebody else went on: what only we have is laid beside it.
                let apart = if self.working {
                    laid(set_apart(&mut shelf, &kept.id, &ours[same..]).await)
                } else {
                    Ok(())
                };
                if let Claimed::Ours(lease) = claimed {
                    let _ = shelf.release(&kept.id, lease).await;
                }
                return Err(Trouble::Lost(Loss { holder, how, apart }));
            }
        };
        let there = shelf.files(&kept.id).await.map_err(|error| failed(&error))?;
        let named = ours[..same].iter().filter_map(entry).filter_map(|entry| entry.file());
        let missing = named.filter(|file| !there.contains(&file.file));
        self.errands.extend(missing.map(Errand::Bring));
        (self.unsent, self.read) = (ours[same..].to_vec().into(), read);
        // One that was replaced by words was told.
        let former = self.former.as_ref();
        self.cut_off = before.filter(|holder| {
            !lease::is_gone(holder) && !former.is_some_and(|former| former.is_same(holder))
        });
        (self.former, self.shelf, self.looked) = (None, Some((shelf, lease)), false);
        Ok(())
    }
}

/// How many of these lines go in one piece: the first, and more of them where they are short.
fn at_once(links: &[Link]) -> usize {
    const LINES: usize = 100;
    const BYTES: usize = 256 << 10;
    let mut bytes = 0;
    let fit = links.iter().take(LINES).take_while(|link| {
        bytes += link.line.len();
        bytes <= BYTES
    });
    fit.count().max(1)
}

/// How many lines we and the store have in common, and how many it has. The hash of a line stands for
/// all before it.
pub(super) async fn compare(
    shelf: &mut Shelf,
    id: &str,
    ours: &[Link],
) -> Result<(usize, usize), Problem> {
    let last = shelf.last(id).await.map_err(|error| failed(&error))?;
    let theirs = usize::try_from(last).unwrap_or(0);
    let (mut same, mut end) = (0, theirs.min(ours.len()));
    // Most often all of them.
    let mut look = end;
    while same < end {
        let link = &ours[look - 1];
        let hash = shelf.hash(id, link.seq).await.map_err(|error| failed(&error))?;
        if hash.as_ref() == Some(&link.hash) {
            same = look;
        } else {
            end = look - 1;
        }
        look = same + (end - same).div_ceil(2);
    }
    Ok((same, theirs))
}

/// Keeps what the store does not take as the records of the incident.
pub(super) async fn set_apart(shelf: &mut Shelf, id: &str, links: &[Link]) -> Result<(), Problem> {
    let host = Party::here("").host;
    for link in links {
        shelf.set_apart(id, &host, link).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}

fn laid(apart: Result<(), Problem>) -> Result<(), String> {
    apart.map_err(|problem| problem.sentence)
}

fn entry(link: &Link) -> Option<Entry> {
    #[derive(serde::Deserialize)]
    struct Part {
        entry: Entry,
    }
    Some(serde_json::from_str::<Part>(&link.line).ok()?.entry)
}

fn lingers() -> Problem {
    Problem::unreachable("the incident store still has a former session")
}
