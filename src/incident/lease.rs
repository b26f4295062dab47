//! The lease: one writer for each incident. The kernel decides who that is, by a lock that goes with
//! the process that held it; the file that is locked says who it is, for people.
//!
//! A lease can be asked for, and is then handed over. Where nobody answers it can be taken by typed
//! words: the lock file is replaced by another one that the taker holds. Whoever held the old one may
//! still have it locked, stopped in the middle of anything, and wake up: `is_ours` is false for them
//! from that instant, and the journal asks it after each write and before anything follows from it.
//! While a change is executed the lease cannot be taken at all (`begin`): its outcome comes first.

mod elsewhere;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::rights;
pub use elsewhere::{Says, elsewhere, store_says};
pub use request::{Forced, Request, forget_request};

const LOCK: &str = "writer.lock";
/// Held by whoever executes something, as one of many, and by whoever takes the lease by force, alone.
const TAKING: &str = "taking.lock";

/// A holder that gave no sign for so long is stopped or cut off.
pub const SILENT: Duration = Duration::from_secs(15);
/// How often a holder gives one, at least.
pub const BEAT: Duration = Duration::from_secs(1);

/// A cockpit and who sits at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub login: String,
    pub host: String,
    pub pid: u32,
}

impl Party {
    pub fn here(login: &str) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { login: login.to_owned(), host, pid: std::process::id() }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.login, self.host)
    }
}

/// Who holds a lease, as its file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    #[serde(flatten)]
    pub party: Party,
    pub since: Timestamp,
    /// Of a holder on another host: for how many seconds the store had not heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silent: Option<u64>,
    /// The last sign of life; of a process that is stopped there is none.
    #[serde(skip)]
    pub seen: Option<Timestamp>,
}

impl Holder {
    /// A sign that is still to come was given before the clock was set back, and none since.
    pub fn is_silent(&self, now: Timestamp) -> bool {
        self.seen.is_none_or(|seen| now.duration_since(seen).abs() > signed(SILENT))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (party, pid) = (&self.party, self.party.pid);
        write!(f, "{party} (process {pid}) since {} UTC", self.since.strftime("%H:%M:%S"))?;
        match self.seen {
            Some(seen) => write!(f, ", last sign of life {} UTC", seen.strftime("%H:%M:%S")),
            None => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("another steadyhand has this incident open: {}", told(holder.as_deref()))]
    Held { holder: Option<Box<Holder>> },
    #[error("a change or a command is being executed; its outcome comes first")]
    Executing,
    #[error("somebody is taking the incident over")]
    Taking,
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

fn told(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "it does not say who".into(), ToString::to_string)
}

/// The right to write. It is not to be had twice, and ends with the process at the latest.
#[derive(Debug)]
pub struct Lease {
    file: File,
    folder: PathBuf,
    me: Party,
    since: Timestamp,
    /// Keeps others from taking it by force.
    executing: Option<File>,
    /// From whom it was taken, and by which words.
    pub(super) taken: Option<(Holder, String)>,
}

impl Lease {
    /// The lease of an incident, if nobody has it.
    pub fn take(folder: &Path, login: &str) -> Result<Self, LeaseError> {
        if let Some(holder) = elsewhere(folder) {
            return Err(LeaseError::Held { holder: Some(Box::new(holder)) });
        }
        let lease = Self::take_here(folder, login)?;
        forget_request(folder);
        Ok(lease)
    }

    /// The same, whoever writes on another host, and whoever asks for it.
    pub fn take_here(folder: &Path, login: &str) -> Result<Self, LeaseError> {
        let path = folder.join(LOCK);
        loop {
            let file = open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LeaseError::Held { holder: holder(folder).map(Box::new) });
                }
                Err(TryLockError::Error(source)) => return Err(LeaseError::Io { path, source }),
            }
            // Somebody may have replaced it between opening and locking.
            if is_same(&file, &path) {
                return Ok(Self::of(file, folder, login));
            }
        }
    }

    /// The same while lines come from the store, for which somebody has it for an instant each time.
    fn take_soon(folder: &Path, login: &str) -> Result<Self, LeaseError> {
        for _ in 0..20 {
            match Self::take_here(folder, login) {
                Err(LeaseError::Held { .. }) => thread::sleep(Duration::from_millis(10)),
                taken => return taken,
            }
        }
        Self::take_here(folder, login)
    }

    /// The lease of somebody who does not answer. Only `Forced` leads here.
    pub fn take_by_force(folder: &Path, login: &str, forced: Forced) -> Result<Self, LeaseError> {
        let path = folder.join(LOCK);
        let failed = |source| LeaseError::Io { path: path.clone(), source };
        let others = open(&folder.join(TAKING))?;
        match others.try_lock() {
            Ok(()) => {}
            // Whoever executes shares it, whoever takes it does not.
            Err(TryLockError::WouldBlock) if others.try_lock_shared().is_ok() => {
                return Err(LeaseError::Executing);
            }
            Err(TryLockError::WouldBlock) => return Err(LeaseError::Taking),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        match holder(folder) {
            Some(holder) if !holder.is_same(&forced.from) => {
                // Nobody asked this one.
                return Err(LeaseError::Held { holder: Some(Box::new(holder)) });
            }
            // Their lock is on their host; what they are doing is known from their records.
            Some(holder) if holder.is_elsewhere() => {
                if elsewhere::is_executing(folder) {
                    return Err(LeaseError::Executing);
                }
                let mut lease = Self::take_soon(folder, login)?;
                lease.taken = Some((forced.from, forced.typed));
                return Ok(lease);
            }
            _ => {}
        }
        let next = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        next.as_file().try_lock().map_err(|error| failed(io::Error::other(error)))?;
        rights::settle_file(next.as_file(), folder).map_err(failed)?;
        let file = next.persist(&path).map_err(|error| failed(error.error))?;
        let mut lease = Self::of(file, folder, login);
        replace(&folder.join("journal.jsonl"), folder).map_err(failed)?;
        forget_request(folder);
        lease.taken = Some((forced.from, forced.typed));
        Ok(lease)
    }

    fn of(file: File, folder: &Path, login: &str) -> Self {
        let (folder, me) = (folder.to_owned(), Party::here(login));
        let mut lease =
            Self { file, folder, me, since: clock::now(), executing: None, taken: None };
        lease.say();
        lease
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it still is what others see as the lease.
    pub fn is_ours(&self) -> bool {
        is_same(&self.file, &self.folder.join(LOCK))
    }

    /// What others are told of its holder.
    pub fn told(&self) -> String {
        let party = self.me.clone();
        let holder = Holder { party, since: self.since, silent: None, seen: None };
        serde_json::to_string(&holder).expect("a holder is plain data")
    }

    /// Best effort, for people; the lock does not depend on it.
    fn say(&mut self) {
        let text = self.told();
        let _ = self.file.set_len(0);
        let _ =
            self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(text.as_bytes()));
    }

    /// A sign of life.
    pub fn beat(&mut self) {
        // Written anew, because only its owner may set the time of a file.
        let first = b"{";
        let _ = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(first));
    }

    /// Something is going to be executed: until `end` nothing else is, and nobody can take the lease.
    pub(super) fn begin(&mut self) -> Result<(), LeaseError> {
        if self.executing.is_some() {
            return Err(LeaseError::Executing);
        }
        let path = self.folder.join(TAKING);
        let file = open(&path)?;
        file.try_lock_shared().map_err(|_| LeaseError::Taking)?;
        self.executing = Some(file);
        Ok(())
    }

    pub(super) fn end(&mut self) {
        self.executing = None;
    }

    pub fn is_executing(&self) -> bool {
        self.executing.is_some()
    }
}

/// Nobody is to be told of a holder that has left.
impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_ours() {
            let _ = self.file.set_len(0);
        }
    }
}

/// A clock that was set back has waited for nothing.
fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// Who is said to hold it. Whether they still do, only `Lease::take` tells.
pub fn holder(folder: &Path) -> Option<Holder> {
    if let Some(holder) = elsewhere(folder) {
        return Some(holder);
    }
    let holder = said(&folder.join(LOCK))?;
    if is_gone(&holder) { None } else { Some(holder) }
}

/// Where the process was one of this host, its end can be seen.
pub fn is_gone(holder: &Holder) -> bool {
    holder.party.host == Party::here("").host && !lives(holder.party.pid)
}

fn said(path: &Path) -> Option<Holder> {
    let text = fs::read_to_string(path).ok()?;
    let mut holder: Holder = serde_json::from_str(&text).ok()?;
    holder.seen = Some(clock::stamped(fs::metadata(path).ok()?.modified().ok()?)?);
    Some(holder)
}

/// Whoever was told of as `told` is not the one who works on this host any more.
pub fn is_replaced(folder: &Path, told: &str) -> bool {
    fs::read_to_string(folder.join(LOCK)).is_ok_and(|now| !now.is_empty() && now != told)
}

fn lives(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let seen = pid.map(rustix::process::test_kill_process);
    seen.is_some_and(|seen| seen != Err(rustix::io::Errno::SRCH))
}

/// Another file with the same content under the same name: what somebody still writes into the old
/// one is nobody's.
fn replace(path: &Path, folder: &Path) -> io::Result<()> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        bytes => bytes?,
    };
    crate::files::write_synced(path, &bytes)?;
    File::open(folder)?.sync_all()
}

fn open(path: &Path) -> Result<File, LeaseError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    rights::open(&options, path).map_err(|source| LeaseError::Io { path: path.to_owned(), source })
}

fn is_same(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}
