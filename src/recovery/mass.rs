//! Mass: a change of very many rows in chunks of their keys, each chunk a transaction of its own.
//!
//! The keys are frozen at the preview: one read in one snapshot, in a file with a digest, which the
//! approval covers. A chunk is the next so many keys of that list; its statements test their predicate
//! again. Pure: `ops::mass` does the work.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use super::{Plan, Planned};
use crate::check::Verdict;
use crate::digest::{Running, Through};
use crate::sql::Literals;
use crate::value::room::Aside;
use crate::value::{Value, counted, thousands};

/// How a plan is cut into chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct Mass {
    pub source: Source,
    /// Keys of the first chunk.
    pub size: u64,
    /// Keys that no chunk exceeds.
    pub most: u64,
    /// What earlier executions of the same operation did.
    pub before: Before,
}

/// What was done before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    pub keys: u64,
    pub rows: u64,
    pub left_alone: u64,
}

/// What the operator wants of the chunks to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rein {
    Go,
    Pause,
    /// With the reason.
    Stop(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The keys that a query gives, in its order.
    Query { key: String, sql: String },
    /// What is left of a list that was frozen before; the next chunk has this number.
    Rest { key: String, keys: Keys, chunk: u64 },
    /// Undo artefacts, the last one first.
    Artefacts(Vec<Artefact>),
}

/// What one chunk left on disk to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    pub chunk: u64,
    pub path: PathBuf,
    pub sha256: String,
    /// Rows that it brings back.
    pub rows: u64,
}

/// What the preview knows of the whole, besides its first chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunks {
    /// The frozen list; of an undo there is none. A preview that is read back has none either.
    #[serde(skip_deserializing)]
    pub keys: Option<Keys>,
    /// Keys, or rows of an undo, that are still to be done: exactly.
    pub left: u64,
    /// How many were done before this preview.
    pub done: u64,
    /// The number of the first chunk.
    pub number: u64,
    /// How much of `left` the chunk takes that was run.
    pub first: u64,
    /// An estimate: chunks change their size as they go.
    pub about: u64,
    /// Of the chunk that was run alone.
    pub print: String,
    #[serde(default)]
    pub idle: Idle,
}

/// What stands before the chunk that was run and changes nothing, because what it was for is done or was
/// changed by somebody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idle {
    pub chunks: u64,
    pub keys: u64,
}

impl Chunks {
    /// What the approval is for: these keys, from here, and a first chunk that does just this, behind so
    /// many that do nothing.
    pub fn fingerprint(&self) -> String {
        let mut hash = Running::default();
        let keys = self.keys.as_ref().map_or("artefacts", Keys::sha256);
        let Self { left, done, number, first, print, .. } = self;
        hash.eat(format!("mass {keys} {left} {done} {number} {first} {print}\n").as_bytes());
        let Idle { chunks, keys } = self.idle;
        if chunks > 0 {
            hash.eat(format!("idle {chunks} {keys}\n").as_bytes());
        }
        hash.finish()
    }

    /// Keys behind the chunk that was run.
    pub fn not_run(&self) -> u64 {
        self.left.saturating_sub(self.idle.keys + self.first)
    }

    /// Of an undo it is not known how many rows are as the change left them.
    pub fn words(&self, undo: bool) -> String {
        let (about, first) = (thousands(self.about), thousands(self.first));
        let left = if undo {
            format!("at most {} to be put back", counted(self.left, "row"))
        } else {
            format!("{} exactly", counted(self.left, "key"))
        };
        match self.about {
            0 | 1 => format!("{left}, in one chunk"),
            _ if self.idle.chunks > 0 => format!(
                "{left}, in about {about} chunks; the first {} change nothing, run for real: the {first} behind them",
                thousands(self.idle.keys)
            ),
            _ => format!("{left}, in about {about} chunks; run for real: the first {first}"),
        }
    }
}

/// How far it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// The last chunk that was committed.
    pub chunk: u64,
    /// Keys done, of how many.
    pub done: u64,
    pub of: u64,
    /// Done since this execution began, in this time; pauses are not in it.
    pub here: u64,
    pub working: Duration,
    pub rows: u64,
    pub left_alone: u64,
    /// Keys of the next chunk.
    pub size: u64,
    /// How long the last chunk held its locks.
    pub held: Duration,
    /// What the checks said the last time.
    pub checks: Vec<(String, Verdict)>,
    /// Why it waits, if it does.
    pub paused: Option<String>,
}

impl Progress {
    pub fn a_second(&self) -> Option<u64> {
        let seconds = self.working.as_secs_f64();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        (seconds >= 1.0 && self.here > 0).then(|| (self.here as f64 / seconds).round() as u64)
    }

    /// An estimate, and only that.
    pub fn seconds_left(&self) -> Option<u64> {
        let a_second = self.a_second().filter(|rate| *rate > 0)?;
        Some(self.of.saturating_sub(self.done).div_ceil(a_second))
    }
}

/// How large the next chunk is, so that one holds its locks for a moment and no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    size: u64,
    least: u64,
    most: u64,
}

impl Pace {
    const LEAST: u64 = 100;
    /// A chunk that holds its locks for this long is right.
    const WANTED: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));
    const AIM: Duration = Duration::from_millis(350);

    pub fn new(size: u64, most: u64) -> Self {
        let most = most.max(1);
        let size = size.clamp(1, most);
        Self { size, least: Self::LEAST.min(size), most }
    }

    pub fn size(self) -> u64 {
        self.size
    }

    /// A chunk of so many keys held its locks for so long.
    pub fn held(&mut self, keys: u64, held: Duration) {
        if held >= Self::WANTED.0 && held <= Self::WANTED.1 {
            return;
        }
        // A last chunk that is short says little of a long one.
        if keys < self.size && held < Self::WANTED.0 {
            return;
        }
        let held = held.as_micros().max(1);
        let fitting = u128::from(keys) * Self::AIM.as_micros() / held;
        let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
        // Twice at most: what a larger chunk costs is not known yet.
        self.size = fitting.clamp(self.least, self.size.saturating_mul(2)).min(self.most);
    }

    /// Others waited too long for it.
    pub fn struck(&mut self) {
        self.size = (self.size / 2).max(self.least);
    }
}

impl Plan {
    /// The plan of one chunk, given which columns of which tables hold whole numbers.
    #[must_use]
    pub fn of_chunk(&self, literals: &Literals, whole: impl Fn(&str, &str) -> bool) -> Self {
        let filled = self.actions.iter().map(|action| match action {
            Planned::Chunked { note, listed, verb, table } => Planned::Sql {
                note: note.clone(),
                sql: listed.fill(literals, |column| whole(table, column)),
                verb: *verb,
                table: table.clone(),
            },
            other => other.clone(),
        });
        Self { actions: filled.collect(), mass: None, ..self.clone() }
    }
}

/// A list of keys on disk, one a line. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Frozen>);

struct Frozen {
    file: Mutex<File>,
    count: u64,
    sha256: String,
}

/// Takes keys in.
pub struct Freeze {
    out: BufWriter<Through<Aside>>,
    count: u64,
}

/// A place between two keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    pub key: u64,
    byte: u64,
}

impl Freeze {
    /// In a file without a name, which goes with the program.
    pub fn begin() -> io::Result<Self> {
        let out = BufWriter::with_capacity(1 << 16, Through::new(Aside::new()?));
        Ok(Self { out, count: 0 })
    }

    pub fn push(&mut self, key: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, key)?;
        self.out.write_all(b"\n")?;
        self.count += 1;
        Ok(())
    }

    pub fn finish(self) -> io::Result<Keys> {
        let through = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let (aside, sha256) = through.finish();
        let file = Mutex::new(aside.file().try_clone()?);
        Ok(Keys(Arc::new(Frozen { file, count: self.count, sha256 })))
    }
}

impl Keys {
    /// Bytes of keys that one chunk may have: a statement has a longest length.
    const MOST_BYTES: usize = 400_000;

    /// A list from disk, which must be the one of this digest.
    pub fn open(path: &Path, sha256: &str) -> Result<Self, String> {
        let read = |path: &Path| {
            let file = File::open(path)?;
            let mut input = BufReader::with_capacity(1 << 16, Through::new(file));
            let (mut count, mut line) = (0, Vec::new());
            while input.read_until(b'\n', &mut line)? > 0 {
                count += 1;
                line.clear();
            }
            let (file, digest) = input.into_inner().finish();
            Ok::<_, io::Error>((file, digest, count))
        };
        let (file, digest, count) = read(path).map_err(|error| error.to_string())?;
        if digest != sha256 {
            return Err("it is not the list that was frozen at the preview".into());
        }
        Ok(Self(Arc::new(Frozen { file: Mutex::new(file), count, sha256: digest })))
    }

    pub fn count(&self) -> u64 {
        self.0.count
    }

    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// The whole list, byte for byte.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut *file, out).map(drop)
    }

    /// The place before the key of this number.
    pub fn place(&self, key: u64) -> io::Result<Place> {
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::with_capacity(1 << 16, &mut *file);
        let mut place = Place::default();
        let mut line = Vec::new();
        while place.key < key {
            line.clear();
            let read = input.read_until(b'\n', &mut line)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            place = Place { key: place.key + 1, byte: place.byte + read as u64 };
        }
        Ok(place)
    }

    /// So many keys from a place on, or as many as fit into a statement, and the place behind them.
    pub fn read(&self, place: Place, most: u64) -> io::Result<(Vec<Value>, Place)> {
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place.byte))?;
        let mut input = BufReader::with_capacity(1 << 16, &mut *file);
        let (mut place, mut keys, mut bytes) = (place, Vec::new(), 0);
        let mut line = Vec::new();
        while (keys.len() as u64) < most && bytes < Self::MOST_BYTES {
            line.clear();
            let read = input.read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            keys.push(serde_json::from_slice(&line)?);
            bytes += read;
            place = Place { key: place.key + 1, byte: place.byte + read as u64 };
        }
        Ok((keys, place))
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.0.sha256 == other.0.sha256
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("count", &self.0.count).finish_non_exhaustive()
    }
}

impl fmt::Debug for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Freeze").field("count", &self.count).finish_non_exhaustive()
    }
}

/// How many there are, and their digest.
impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut keys = serializer.serialize_struct("keys", 2)?;
        keys.serialize_field("count", &self.0.count)?;
        keys.serialize_field("sha256", &self.0.sha256)?;
        keys.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frozen(count: i64) -> Keys {
        let mut freeze = Freeze::begin().unwrap();
        for key in 0..count {
            freeze.push(&Value::Integer(key)).unwrap();
        }
        freeze.finish().unwrap()
    }

    #[test]
    fn every_key_is_in_one_chunk_and_the_list_goes_on_from_any_place() {
        let keys = frozen(1_234);
        let (mut place, mut all) = (Place::default(), Vec::new());
        loop {
            let (some, next) = keys.read(place, 100).unwrap();
            if some.is_empty() {
                break;
            }
            all.extend(some);
            place = next;
        }
        assert_eq!(all, (0..1_234).map(Value::Integer).collect::<Vec<_>>());
        let (some, _) = keys.read(keys.place(1_200).unwrap(), 100).unwrap();
        assert_eq!(some, (1_200..1_234).map(Value::Integer).collect::<Vec<_>>());
    }

    #[test]
    fn a_list_on_disk_is_the_frozen_one_or_none() {
        let keys = frozen(50);
        let file = tempfile::NamedTempFile::new().unwrap();
        keys.write_to(&mut file.as_file()).unwrap();
        let back = Keys::open(file.path(), keys.sha256()).unwrap();
        assert_eq!((back.count(), &back), (50, &keys));
        assert!(Keys::open(file.path(), frozen(51).sha256()).is_err());
    }

    #[test]
    fn long_keys_make_smaller_chunks() {
        let mut freeze = Freeze::begin().unwrap();
        for _ in 0..100 {
            freeze.push(&Value::Text("x".repeat(10_000))).unwrap();
        }
        let (some, _) = freeze.finish().unwrap().read(Place::default(), 100).unwrap();
        assert!(some.len() < 50, "{}", some.len());
    }

    #[test]
    fn a_chunk_grows_while_it_is_quick_and_shrinks_when_it_is_not() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(1_000, 50_000);
        pace.held(1_000, ms(10));
        assert_eq!(pace.size(), 2_000);
        pace.held(2_000, ms(300));
        assert_eq!(pace.size(), 2_000);
        pace.held(2_000, ms(700));
        assert_eq!(pace.size(), 1_000);
        pace.held(1_000, ms(100_000));
        assert_eq!(pace.size(), 100);
        pace.struck();
        assert_eq!(pace.size(), 100);
        let mut small = Pace::new(10, 20);
        small.held(10, ms(1));
        small.held(20, ms(1));
        assert_eq!(small.size(), 20);
        small.struck();
        assert_eq!(small.size(), 10);
    }

    #[test]
    fn the_approval_is_for_this_list_from_this_place() {
        let chunks = |count, done| Chunks {
            keys: Some(frozen(count)),
            left: 5,
            done,
            number: 1,
            first: 2,
            about: 3,
            print: "p".into(),
            idle: Idle::default(),
        };
        assert_eq!(chunks(9, 0).fingerprint(), chunks(9, 0).fingerprint());
        assert_ne!(chunks(9, 0).fingerprint(), chunks(8, 0).fingerprint());
        assert_ne!(chunks(9, 0).fingerprint(), chunks(9, 1).fingerprint());
    }
}
