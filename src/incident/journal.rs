//! The journal on disk: one file, one writer, append, sync, only then act.
//!
//! A handle is cheap to clone; whoever appends gets the sealed record back, and the listener given
//! at opening hears of every record in the order of the file. The head (number and hash of the
//! last record) is kept in a file beside it, so that a journal cut at a record's edge is noticed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::chain::{self, Fault, Head, Mark};
use super::entry::{Entry, Evidence, Record};
use crate::clock;
use crate::digest::Through;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("another steadyhand has this incident open (process {0})")]
    Busy(String),
    #[error("{0}")]
    Broken(#[from] Fault),
    #[error("the journal could not be written before, so nothing more is written to it")]
    Closed,
}

/// Where approval requests lie in the folder of an incident.
pub const REQUESTS: &str = "requests";

type Listener = Box<dyn Fn(&Record) + Send>;

struct Inner {
    file: File,
    /// Holds the lock of the one writer as long as it lives.
    _lock: File,
    folder: PathBuf,
    head: Head,
    actor: String,
    drill: Mark,
    failed: bool,
    listener: Option<Listener>,
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
        fs::create_dir_all(folder.join("evidence")).map_err(io_error("cannot create", folder))?;
        restrict(folder);
        let lock = take_lock(&folder.join("writer.lock"))?;
        let path = folder.join("journal.jsonl");
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(io_error("cannot open", &path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io_error("cannot read", &path))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let torn = bytes.len() - whole;
        if torn > 0 {
            set_aside(&mut file, &path, folder, &bytes[whole..], whole as u64)?;
        }
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let (records, head, fault) = chain::replay(&text);
        if let Some(fault) = fault.or_else(|| truncated(folder, &head)) {
            return Err(fault.into());
        }
        let inner = Inner {
            file,
            _lock: lock,
            folder: folder.to_owned(),
            head,
            actor: actor.to_owned(),
            drill: records.first().map_or(Mark::None, |record| record.drill),
            failed: false,
            listener: None,
        };
        let journal = Self(Arc::new(Mutex::new(inner)));
        let mut records = records;
        if torn > 0 {
            records.push(journal.append(Entry::TornTail { bytes: torn })?);
        }
        Ok((journal, records))
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
        let mut inner = self.lock();
        if inner.failed {
            return Err(JournalError::Closed);
        }
        fault::before(&entry);
        let (line, record) =
            chain::seal_marked(&inner.head, clock::now(), &inner.actor, inner.drill, entry);
        let path = inner.folder.join("journal.jsonl");
        let written = inner
            .file
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| inner.file.sync_data());
        if let Err(source) = written {
            inner.failed = true;
            return Err(JournalError::Io { what: "cannot write", path, source });
        }
        inner.head = Head { seq: record.seq, hash: record.hash.clone() };
        keep_head(&inner.folder, &inner.head);
        fault::after(&record.entry);
        if let Some(listener) = &inner.listener {
            listener(&record);
        }
        Ok(record)
    }

    pub fn folder(&self) -> PathBuf {
        self.lock().folder.clone()
    }

    pub fn head(&self) -> Head {
        self.lock().head.clone()
    }

    /// Writes a file of evidence, synced, with owner-only rights; the name and digest go into an
    /// entry of the caller.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<Evidence, JournalError> {
        self.keep_written(name, |out| out.write_all(bytes))
    }

    /// The same for a request and for what is signed under it, which lie in a folder of their own so
    /// that a second person finds them.
    pub fn keep_request(&self, name: &str, bytes: &[u8]) -> Result<Evidence, JournalError> {
        let folder = self.folder().join(REQUESTS);
        fs::create_dir_all(&folder).map_err(io_error("cannot create", &folder))?;
        restrict(&folder);
        let path = folder.join(name);
        let write = |out: &mut dyn io::Write| out.write_all(bytes);
        let sha256 = write_through(&path, write).map_err(io_error("cannot write", &path))?;
        Ok(Evidence { file: format!("{REQUESTS}/{name}"), sha256 })
    }

    /// The same for a file too large to be held: it is digested while it is written.
    pub fn keep_written(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<Evidence, JournalError> {
        let path = self.folder().join("evidence").join(name);
        let sha256 = write_through(&path, write).map_err(io_error("cannot write", &path))?;
        Ok(Evidence { file: format!("evidence/{name}"), sha256 })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic while appending leaves a torn line at worst, which opening repairs.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a journal without opening it for writing; a torn tail is left where it is.
pub fn read(folder: &Path) -> Result<(Vec<Record>, Head, Option<Fault>), JournalError> {
    let bytes = bytes(folder)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (records, head, fault) = chain::replay(&String::from_utf8_lossy(&bytes[..whole]));
    let fault = fault.or_else(|| truncated(folder, &head));
    Ok((records, head, fault))
}

/// A journal as it stands on disk.
pub fn bytes(folder: &Path) -> Result<Vec<u8>, JournalError> {
    let path = folder.join("journal.jsonl");
    fs::read(&path).map_err(io_error("cannot read", &path))
}

/// Writes a whole file so that a crash leaves the old one or the new one.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_through(path, |out| out.write_all(bytes)).map(drop)
}

/// The same piece by piece; gives the digest.
fn write_through(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let mut out = BufWriter::with_capacity(1 << 16, Through::new(file));
    write(&mut out)?;
    let (file, sha256) = out.into_inner().map_err(io::IntoInnerError::into_error)?.finish();
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()?;
    Ok(sha256)
}

fn truncated(folder: &Path, head: &Head) -> Option<Fault> {
    let kept: Head = serde_json::from_slice(&fs::read(folder.join("head.json")).ok()?).ok()?;
    (kept.seq > head.seq).then_some(Fault::Truncated { last: head.seq, expected: kept.seq })
}

/// Best effort: the head file only helps to notice a cut; the chain itself does not need it.
fn keep_head(folder: &Path, head: &Head) {
    let text = serde_json::to_string(head).expect("a head is plain data");
    let path = folder.join("head.json");
    let next = folder.join("head.json.next");
    let _ = fs::write(&next, text).and_then(|()| fs::rename(&next, &path));
}

fn take_lock(path: &Path) -> Result<File, JournalError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io_error("cannot open", path))?;
    if file.try_lock().is_err() {
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        return Err(JournalError::Busy(holder.trim().to_owned()));
    }
    let _ = file.set_len(0);
    let _ = write!(file, "{}", std::process::id());
    Ok(file)
}

fn set_aside(
    file: &mut File,
    path: &Path,
    folder: &Path,
    tail: &[u8],
    whole: u64,
) -> Result<(), JournalError> {
    let aside = folder.join("journal.torn");
    write_synced(&aside, tail).map_err(io_error("cannot write", &aside))?;
    file.set_len(whole)
        .and_then(|()| file.seek(SeekFrom::End(0)))
        .and_then(|_| file.sync_all())
        .map_err(io_error("cannot mend", path))
}

#[cfg(unix)]
fn restrict(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
}

#[cfg(not(unix))]
fn restrict(_folder: &Path) {}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { what, path, source }
}

/// Trouble at a chosen record, for tests of the whole program: `STEADYHAND_KILL=after:commit-sent` or
/// `before:ended`, of one chunk as `after:chunk-sent:3`; with `STEADYHAND_PANIC` a panic instead, with `STEADYHAND_HALT` a stop from which
/// only SIGCONT leads on, with `STEADYHAND_JUMP` a clock that goes back. Not in release builds.
mod fault {
    #[cfg(debug_assertions)]
    use rustix::process::{Signal, getpid, kill_process};

    use super::Entry;

    pub fn before(entry: &Entry) {
        at("before", entry);
    }

    pub fn after(entry: &Entry) {
        at("after", entry);
    }

    #[cfg(debug_assertions)]
    fn at(when: &str, entry: &Entry) {
        let here = format!("{when}:{}", entry.kind());
        let of_chunk = match entry {
            Entry::ChunkSent { chunk, .. } | Entry::ChunkEnded { chunk, .. } => {
                format!("{here}:{chunk}")
            }
            _ => here.clone(),
        };
        let asked =
            |name: &str| std::env::var(name).is_ok_and(|asked| asked == here || asked == of_chunk);
        assert!(!asked("STEADYHAND_PANIC"), "a panic that was asked for");
        for (name, signal) in [("STEADYHAND_KILL", Signal::KILL), ("STEADYHAND_HALT", Signal::STOP)]
        {
            if asked(name) {
                let _ = kill_process(getpid(), signal);
            }
        }
        if asked("STEADYHAND_JUMP") {
            crate::clock::jump(jiff::SignedDuration::from_hours(-2));
        }
    }

    #[cfg(not(debug_assertions))]
    fn at(_when: &str, _entry: &Entry) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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

    #[test]
    fn a_second_writer_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Journal::open(folder.path(), "ada").unwrap();
        assert!(matches!(Journal::open(folder.path(), "bob"), Err(JournalError::Busy(_))));
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
