//! The journal on disk: one file, one writer, append, sync, only then act.
//!
//! A handle is cheap to clone; whoever appends gets the sealed record back, and the listener given
//! at opening hears of every record in the order of the file. The head (number and hash of the
//! last record) is kept in a file beside it, so that a journal cut at a record's edge is noticed.
//!
//! Only a lease opens it for writing. When the lease is handed over or taken, every handle is left
//! without the file: nothing that is still under way can write, or act on having written.

mod awaited;
mod care;
mod fault;
mod keep;
mod mend;
mod receive;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::chain::{self, Fault, Head, Mark};
use super::entry::{Entry, Record};
use super::lease::{Holder, Lease, LeaseError, Party};
use crate::clock;
use crate::rights;
pub use awaited::{AWAITED, arrive, arrive_from, awaited, is_awaiting};
pub use care::{Care, News};
use mend::{Mended, mended};
pub use receive::receive;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error("the incident was handed over or taken over; from here it is only watched")]
    Lost,
    #[error("{0}")]
    Broken(#[from] Fault),
    #[error("the journal could not be written before, so nothing more is written to it")]
    Closed,
}

/// The head of the last record, beside the journal.
pub const HEAD: &str = "head.json";
/// Where files that records name lie in the folder of an incident.
pub const EVIDENCE: &str = "evidence";
/// Where approval requests lie, and what is signed under them.
pub const REQUESTS: &str = "requests";

type Listener = Box<dyn Fn(&Record) + Send>;

/// What it takes to append.
struct Writer {
    file: File,
    lease: Lease,
}

/// The head is not synced with each record, and whoever leaves does not write it again.
impl Drop for Writer {
    fn drop(&mut self) {
        sync_head(self.lease.folder());
    }
}

struct Inner {
    /// None as soon as somebody else writes.
    writer: Option<Writer>,
    /// That was told already.
    surrendered: bool,
    folder: PathBuf,
    head: Head,
    actor: String,
    drill: Mark,
    failed: bool,
    listener: Option<Listener>,
}

impl Inner {
    /// The lease, if it still is ours; from the moment that it is not, nothing is written any more.
    fn ours(&mut self) -> Result<&Lease, JournalError> {
        self.writer = self.writer.take().filter(|writer| writer.lease.is_ours());
        self.writer.as_ref().map(|writer| &writer.lease).ok_or(JournalError::Lost)
    }

    fn append(&mut self, entry: Entry) -> Result<Record, JournalError> {
        let begins = matches!(entry, Entry::ExecutionStarted { .. });
        let ends =
            matches!(entry, Entry::Ended { .. } | Entry::Halted { .. } | Entry::Resolved { .. });
        if self.failed {
            if let Some(writer) = self.writer.as_mut().filter(|_| ends) {
                writer.lease.end();
            }
            return Err(JournalError::Closed);
        }
        fault::before(&entry);
        let writer = self.writer.as_mut().ok_or(JournalError::Lost)?;
        if begins {
            writer.lease.begin()?;
        }
        let (line, record) =
            chain::seal_marked(&self.head, clock::now(), &self.actor, self.drill, entry);
        let path = self.folder.join("journal.jsonl");
        let written = writer
            .file
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| writer.file.sync_data());
        // Whoever took the lease meanwhile has a journal of their own, and this one is nobody's.
        if !writer.lease.is_ours() {
            self.writer = None;
            return Err(JournalError::Lost);
        }
        if let Err(source) = written {
            self.failed = true;
            // What was not written down does not begin, and what ended has, whoever writes it down.
            if begins || ends {
                writer.lease.end();
            }
            return Err(JournalError::Io { what: "cannot write", path, source });
        }
        if ends {
            writer.lease.end();
        }
        self.head = Head { seq: record.seq, hash: record.hash.clone() };
        keep_head(&self.folder, &self.head);
        fault::after(&record.entry);
        if let Some(listener) = &self.listener {
            listener(&record);
        }
        Ok(record)
    }
}

/// Something is executed that no other process of this host may do at the same time; it is over when this
/// is dropped. Its records tell other hosts.
#[derive(Debug)]
pub struct Executing(Journal);

impl Drop for Executing {
    fn drop(&mut self) {
        if let Some(writer) = &mut self.0.lock().writer {
            writer.lease.end();
        }
    }
}

/// A handle to the journal of one open incident.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Inner>>);

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Journal").field(&self.folder()).finish()
    }
}

impl Journal {
    /// Opens an incident's journal for writing, creating folder and file if needed, and gives
    /// back the records that are there.
    pub fn open(folder: &Path, actor: &str) -> Result<(Self, Vec<Record>), JournalError> {
        settle(folder)?;
        Self::open_with(Lease::take(folder, actor)?, actor)
    }

    /// The same with a lease that was taken before, and of the incident that it is the lease of.
    pub fn open_with(lease: Lease, actor: &str) -> Result<(Self, Vec<Record>), JournalError> {
        let folder = lease.folder().to_owned();
        settle(&folder)?;
        let Mended { file, records, head, torn } = mended(&lease)?;
        // Whether what was taken from another host is ours is for the store to say; a later opening
        // tells what was torn.
        let untold = torn > 0 && !lease.taken.as_ref().is_some_and(|(from, _)| from.is_elsewhere());
        let inner = Inner {
            writer: Some(Writer { file, lease }),
            surrendered: false,
            folder: folder.clone(),
            head,
            actor: actor.to_owned(),
            drill: records.first().map_or(Mark::None, |record| record.drill),
            failed: false,
            listener: None,
        };
        let journal = Self(Arc::new(Mutex::new(inner)));
        let mut records = records;
        if untold {
            records.push(journal.append(Entry::TornTail { bytes: torn })?);
            mend::told(&folder).map_err(io_error("cannot rename in", &folder))?;
        }
        Ok((journal, records))
    }

    /// Looks after the lease.
    pub fn care(&self) -> Care {
        Care::of(&self.0)
    }

    /// Gives the lease to whoever waits for it. From then on no handle of this journal can write.
    pub fn hand_over(&self, to: &Party) -> Result<Record, JournalError> {
        let mut inner = self.lock();
        if inner.writer.as_ref().is_some_and(|writer| writer.lease.is_executing()) {
            return Err(LeaseError::Executing.into());
        }
        let record = inner.append(Entry::HandedOver { to: to.clone() })?;
        inner.writer = None;
        Ok(record)
    }

    /// Nothing else is executed meanwhile, and nobody takes the lease.
    pub fn begin(&self) -> Result<Executing, JournalError> {
        let mut inner = self.lock();
        let writer = inner.writer.as_mut().ok_or(JournalError::Lost)?;
        writer.lease.begin()?;
        inner.ours()?;
        Ok(Executing(self.clone()))
    }

    /// From now on every record carries the watermark of a drill; a journal that has begun as one
    /// stays one by itself.
    pub fn mark_drill(&self) {
        self.lock().drill = Mark::Drill;
    }

    /// From now on hears of every record, in order.
    pub fn listen(&self, listener: impl Fn(&Record) + Send + 'static) {
        self.lock().listener = Some(Box::new(listener));
    }

    /// Seals, writes and syncs. Only when this returns may the effect happen.
    pub fn append(&self, entry: Entry) -> Result<Record, JournalError> {
        self.lock().append(entry)
    }

    /// From whom the lease was taken, and by which words. It is for whoever opens the incident to record
    /// it: of a holder on another host only when the store takes nothing more from them.
    pub fn taken(&self) -> Option<(Holder, String)> {
        self.lock().writer.as_ref().and_then(|writer| writer.lease.taken.clone())
    }

    /// What others are told of who holds the lease.
    pub fn holder(&self) -> String {
        self.lock().writer.as_ref().map(|writer| writer.lease.told()).unwrap_or_default()
    }

    pub fn folder(&self) -> PathBuf {
        self.lock().folder.clone()
    }

    pub fn head(&self) -> Head {
        self.lock().head.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic while appending leaves a torn line at worst, which opening repairs.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a journal without opening it for writing; a torn tail is left where it is.
pub fn read(folder: &Path) -> Result<(Vec<Record>, Head, Option<Fault>), JournalError> {
    // Before the journal: a head is written after its line, so this one is not ahead of a journal that
    // somebody else goes on writing meanwhile.
    let kept = kept_head(folder);
    let bytes = bytes(folder)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (records, head, fault) = chain::replay(&bytes[..whole]);
    let fault = fault.or_else(|| truncated(kept.as_ref(), &head));
    Ok((records, head, fault))
}

/// A journal as it stands on disk.
pub fn bytes(folder: &Path) -> Result<Vec<u8>, JournalError> {
    let path = folder.join("journal.jsonl");
    fs::read(&path).map_err(io_error("cannot read", &path))
}

fn kept_head(folder: &Path) -> Option<Head> {
    serde_json::from_slice(&fs::read(folder.join(HEAD)).ok()?).ok()
}

fn truncated(kept: Option<&Head>, head: &Head) -> Option<Fault> {
    let kept = kept?;
    (kept.seq > head.seq).then_some(Fault::Truncated { last: head.seq, expected: kept.seq })
}

/// Best effort: the head file only helps to notice a cut; the chain itself does not need it.
fn keep_head(folder: &Path, head: &Head) {
    let text = serde_json::to_string(head).expect("a head is plain data");
    let path = folder.join(HEAD);
    let next = folder.join("head.json.next");
    let write = || {
        let mut file = File::create(&next)?;
        rights::settle_file(&file, folder)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&next, &path)
    };
    let _ = write();
}

/// After a loss of power some file systems have a name that was new without what was in the file.
fn sync_head(folder: &Path) {
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
    let _ = sync(&folder.join(HEAD)).and_then(|()| sync(folder));
}

/// The folder of an incident, with the rights of those who may see it.
pub fn settle(folder: &Path) -> Result<(), JournalError> {
    settle_inside(folder)?;
    settle_inside(&folder.join(EVIDENCE))
}

fn settle_inside(folder: &Path) -> Result<(), JournalError> {
    let settled = fs::create_dir_all(folder).and_then(|()| match rights::settle_folder(folder) {
        // It is somebody else's, who let us in.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        settled => settled,
    });
    settled.map_err(io_error("cannot create", folder))
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::OpenOptions;

    use super::*;
    use crate::incident::entry::{Deed, Outcome};

    fn note(step: &str) -> Entry {
        Entry::StepEntered { step: step.into() }
    }

    #[test]
    fn a_journal_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
        journal.append(note("one")).unwrap();
        drop(journal);
        let (journal, records) = Journal::open(folder.path(), "ada").unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(journal.append(note("two")).unwrap().seq, 2);
    }

    /// As on a full disk: nothing follows from it, so nobody need wait for its outcome.
    #[test]
    fn an_execution_that_cannot_be_written_down_keeps_nobody_away() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
        journal.append(note("one")).unwrap();
        let text = String::from;
        let started = || Entry::ExecutionStarted {
            step: text("change"),
            op: text("1"),
            deed: Deed::Change,
            fingerprint: text(""),
        };
        let ended = || Entry::Ended {
            step: text("change"),
            op: text("1"),
            deed: Deed::Change,
            outcome: Outcome::RolledBack,
            rows: 0,
            why: text("the disk is full"),
            drift: None,
        };
        let full = || File::open(folder.path().join("journal.jsonl")).unwrap();
        let is_executing = || journal.lock().writer.as_ref().unwrap().lease.is_executing();
        let file = std::mem::replace(&mut journal.lock().writer.as_mut().unwrap().file, full());
        assert!(matches!(journal.append(started()), Err(JournalError::Io { .. })));
        assert!(!is_executing());
        journal.lock().writer.as_mut().unwrap().file = file;
        journal.lock().failed = false;
        journal.append(started()).unwrap();
        assert!(is_executing());
        journal.lock().writer.as_mut().unwrap().file = full();
        assert!(matches!(journal.append(note("two")), Err(JournalError::Io { .. })));
        assert!(is_executing());
        assert!(matches!(journal.append(ended()), Err(JournalError::Closed)));
        assert!(!is_executing());
    }

    #[test]
    fn a_second_writer_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Journal::open(folder.path(), "ada").unwrap();
        assert!(matches!(
            Journal::open(folder.path(), "bob"),
            Err(JournalError::Lease(LeaseError::Held { .. }))
        ));
    }

    #[test]
    fn whoever_handed_it_over_keeps_nothing_in_it_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
        journal.keep_request("one.json", b"one").unwrap();
        journal.hand_over(&Party::here("bob")).unwrap();
        for kept in [journal.keep("two.txt", b"two"), journal.keep_request("one.json", b"two")] {
            assert!(matches!(kept, Err(JournalError::Lost)), "{kept:?}");
        }
        assert_eq!(fs::read(folder.path().join("requests/one.json")).unwrap(), b"one");
    }

    #[test]
    fn a_half_written_record_is_put_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
        journal.append(note("one")).unwrap();
        drop(journal);
        let path = folder.path().join("journal.jsonl");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"seq\":2,\"pre").unwrap();
        let (_, records) = Journal::open(folder.path(), "ada").unwrap();
        assert_eq!(records.last().unwrap().entry, Entry::TornTail { bytes: 13 });
        assert!(read(folder.path()).unwrap().2.is_none());
    }

    #[test]
    fn a_journal_that_is_written_meanwhile_is_sound() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
        let write = |count: usize| {
            for _ in 0..count {
                journal.append(note("one")).unwrap();
            }
        };
        write(500);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                write(500);
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(read(folder.path()).unwrap().2, None);
            }
        });
    }

    #[test]
    fn a_journal_cut_at_a_records_edge_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
        journal.append(note("one")).unwrap();
        journal.append(note("two")).unwrap();
        drop(journal);
        let path = folder.path().join("journal.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.lines().next().unwrap().to_owned() + "\n").unwrap();
        assert_eq!(read(folder.path()).unwrap().2, Some(Fault::Truncated { last: 1, expected: 2 }));
    }
}
