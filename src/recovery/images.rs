//! Images: what rows were and what they became, however many they are.
//!
//! The first rows stay in memory, the others go to a temporary file that has no name: only we can
//! open it, and nothing of it is left when the program dies. What decides about a change are the
//! digests that are kept while rows come in, so nobody has to hold all rows to compare them.

mod gather;
pub(super) mod shorten;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::digest::Sum;
use crate::value::Value;
use crate::value::known::After;
pub use gather::Gather;

/// Rows that stay in memory, unless they are large.
const HEAD_ROWS: usize = 2_000;
const HEAD_BYTES: usize = 4 << 20;
/// Rows that can be looked at without reading any again, and bytes of those that are not in memory
/// whole: of these, long values are shortened.
const SEEN_ROWS: usize = 5_000;
const SEEN_BYTES: usize = 3 << 20;
/// Rows that are read at one time, unless they are large.
const CHUNK_ROWS: usize = 500;
const CHUNK_BYTES: usize = 256 << 10;

/// What one row was and what it became; `None` where it did not exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowImage {
    pub key: Vec<Value>,
    pub before: Option<Vec<Value>>,
    pub after: Option<Vec<Value>>,
}

impl RowImage {
    /// Positions of the columns whose value changed.
    pub fn changed(&self) -> Vec<usize> {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                (0..before.len().min(after.len())).filter(|i| before[*i] != after[*i]).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// What is known of a table whose rows were changed, but for the rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableHead {
    pub table: String,
    /// Names of the key columns; empty if the table has none.
    pub key: Vec<String>,
    /// Columns that can be written: generated ones are left out.
    pub columns: Vec<String>,
    /// Every write to this table came from a trigger or a cascade.
    pub hidden: bool,
    /// Some rows got another key: one that went and one that came may be the same row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
}

/// The rows of one table that a transaction changed, in the order in which it touched them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableImages {
    #[serde(flatten)]
    pub head: TableHead,
    pub rows: ImageRows,
}

/// Rows that came to an end: they can be read any number of times, also at the same time. Cheap to
/// clone.
#[derive(Clone, Default)]
pub struct ImageRows(Arc<Kept>);

#[derive(Default)]
struct Kept {
    head: Vec<RowImage>,
    /// The same as lines.
    head_lines: Vec<u8>,
    /// What can be seen of the rows behind the head.
    beyond: Vec<RowImage>,
    len: u64,
    /// Columns that some row changes.
    changed: BTreeSet<usize>,
    /// Rows that existed before, and the digest of their keys and what they were.
    existing: u64,
    before: Sum,
    whole: Sum,
    spill: Option<Spill>,
}

struct Spill {
    file: Arc<File>,
    blocks: Vec<Block>,
}

/// Lines that are read at one time.
struct Block {
    start: u64,
    bytes: usize,
}

/// A row of a line.
pub(super) fn decode(line: &[u8]) -> io::Result<RowImage> {
    let (key, before, after): (_, Option<Vec<Value>>, After) = serde_json::from_slice(line)?;
    let after = after.row(before.as_ref()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(RowImage { key, before, after })
}

impl ImageRows {
    /// Rows that are all at hand.
    pub fn of(rows: impl IntoIterator<Item = RowImage>) -> io::Result<Self> {
        let mut gather = Gather::default();
        for row in rows {
            gather.push(row)?;
        }
        gather.finish()
    }

    pub fn len(&self) -> u64 {
        self.0.len
    }

    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// Rows that existed before.
    pub fn existing(&self) -> u64 {
        self.0.existing
    }

    /// A digest of the rows that existed: of their keys and what they were, in any order.
    pub fn before(&self) -> Sum {
        self.0.before
    }

    /// Columns that some row changes, also of those that cannot be seen.
    pub fn changed(&self) -> usize {
        self.0.changed.len()
    }

    /// Whether every row can be looked at.
    pub fn all_seen(&self) -> bool {
        (self.0.head.len() + self.0.beyond.len()) as u64 == self.0.len
    }

    /// The first rows, to be looked at; behind those in memory, a value of very many bytes is only where it
    /// begins or changes.
    pub fn seen(&self) -> impl Iterator<Item = &RowImage> + Clone {
        self.0.head.iter().chain(&self.0.beyond)
    }

    /// All rows in their order.
    pub fn iter(&self) -> impl Iterator<Item = io::Result<RowImage>> + '_ {
        self.chunks().flat_map(|chunk| match chunk {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// All rows, some at a time, from either end.
    pub fn chunks(&self) -> impl DoubleEndedIterator<Item = io::Result<Vec<RowImage>>> + '_ {
        let each = self.0.head_lines.len().div_ceil(self.0.head.len().max(1)).max(1);
        let rows = (CHUNK_BYTES / each).clamp(1, CHUNK_ROWS);
        let in_memory = self.0.head.chunks(rows).map(|chunk| Ok(chunk.to_vec()));
        in_memory.chain((0..self.blocks()).map(|at| self.block(at)))
    }

    fn block(&self, at: usize) -> io::Result<Vec<RowImage>> {
        let lines = self.lines(at)?;
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(decode).collect()
    }

    fn blocks(&self) -> usize {
        self.0.spill.as_ref().map_or(0, |spill| spill.blocks.len())
    }

    fn lines(&self, at: usize) -> io::Result<Vec<u8>> {
        let Some(spill) = &self.0.spill else { return Ok(Vec::new()) };
        let block = &spill.blocks[at];
        let mut bytes = vec![0; block.bytes];
        spill.file.read_exact_at(&mut bytes, block.start)?;
        Ok(bytes)
    }

    /// All rows in their order, each as the line that it is put aside as.
    pub(super) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(&self.0.head_lines)?;
        (0..self.blocks()).try_for_each(|at| out.write_all(&self.lines(at)?))
    }
}

impl PartialEq for ImageRows {
    fn eq(&self, other: &Self) -> bool {
        self.0.len == other.0.len && self.0.whole == other.0.whole
    }
}

impl fmt::Debug for ImageRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageRows").field("len", &self.0.len).finish_non_exhaustive()
    }
}

/// How many there are, and the first of them.
impl Serialize for ImageRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_struct("rows", 2)?;
        rows.serialize_field("total", &self.0.len)?;
        rows.serialize_field("first", &self.seen().take(HEAD_ROWS).collect::<Vec<_>>())?;
        rows.end()
    }
}

/// As they are in evidence, where only the first of them are.
#[derive(Deserialize)]
struct First {
    first: Vec<RowImage>,
}

impl<'de> Deserialize<'de> for ImageRows {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut gather = Gather::default();
        for row in First::deserialize(deserializer)?.first {
            gather.push(row).map_err(serde::de::Error::custom)?;
        }
        gather.finish().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(id: i64) -> RowImage {
        let image = |text: &str| {
            vec![Value::Integer(id), Value::Text(text.into()), Value::Real(-0.0), Value::Null]
        };
        let (before, after) = match id % 4 {
            0 => (None, Some(image("new\nline"))),
            1 => (Some(image("old")), None),
            _ => (Some(image("old")), Some(image("new"))),
        };
        RowImage { key: vec![Value::Integer(id)], before, after }
    }

    const MANY: i64 = 7_321;

    #[test]
    fn rows_come_back_in_their_order_from_memory_and_from_the_file() {
        let rows = ImageRows::of((0..MANY).map(row)).unwrap();
        assert_eq!(rows.len(), 7_321);
        assert_eq!(rows.0.head.len(), HEAD_ROWS);
        let all: Vec<RowImage> = rows.iter().map(Result::unwrap).collect();
        assert_eq!(all, (0..MANY).map(row).collect::<Vec<_>>());
        let back = rows.chunks().rev().flat_map(|chunk| chunk.unwrap().into_iter().rev());
        assert_eq!(back.collect::<Vec<_>>(), (0..MANY).rev().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn two_readers_do_not_disturb_each_other() {
        let rows = ImageRows::of((0..MANY).map(row)).unwrap();
        let mut slow = rows.iter();
        for (at, row) in rows.iter().enumerate() {
            if at % 2 == 0 {
                slow.next().unwrap().unwrap();
            }
            row.unwrap();
        }
        assert_eq!(slow.next().unwrap().unwrap(), row(3_661));
    }

    #[test]
    fn large_rows_do_not_stay_in_memory() {
        let large = |id: i64| RowImage {
            key: vec![Value::Integer(id)],
            before: None,
            after: Some(vec![Value::Text("x".repeat(1 << 20))]),
        };
        let rows = ImageRows::of((0..9).map(large)).unwrap();
        assert_eq!(rows.0.head.len(), 3);
        assert_eq!(rows.iter().map(Result::unwrap).last(), Some(large(8)));
    }

    #[test]
    fn rows_are_read_few_at_a_time_where_they_are_large_in_memory_too() {
        let large = |id: i64| RowImage {
            key: vec![Value::Integer(id)],
            before: None,
            after: Some(vec![Value::Text("x".repeat(CHUNK_BYTES / 10))]),
        };
        let rows = ImageRows::of((0..300).map(large)).unwrap();
        let most = rows.chunks().map(|chunk| chunk.unwrap().len()).max();
        assert!((8..12).contains(&most.unwrap()), "{most:?}");
        assert_eq!(rows.chunks().map(|chunk| chunk.unwrap().len()).sum::<usize>(), 300);
    }

    #[test]
    fn the_digest_knows_what_existed_and_not_what_it_became() {
        let rows = ImageRows::of((0..MANY).map(row)).unwrap();
        let back = ImageRows::of((0..MANY).rev().map(row)).unwrap();
        assert_eq!(rows.before(), back.before());
        let later = |id| RowImage { after: row(id + 1).after, ..row(id) };
        let later = ImageRows::of((0..MANY).map(later)).unwrap();
        assert_eq!(rows.before(), later.before());
        assert_ne!(rows, later);
        let edited = |id| if id == 7_003 { row(id + 4) } else { row(id) };
        let edited = ImageRows::of((0..MANY).map(edited)).unwrap();
        assert_ne!(rows.before(), edited.before());
    }

    #[test]
    fn a_minus_before_a_zero_survives() {
        let of = |n: f64| Some(vec![Value::Real(n)]);
        let zero = RowImage { key: vec![Value::Null], before: of(0.0), after: of(-0.0) };
        let rows = ImageRows::of((0..=HEAD_ROWS).map(|_| zero.clone())).unwrap();
        let last = rows.iter().map(Result::unwrap).last().unwrap();
        let Some([Value::Real(after)]) = last.after.as_deref() else { unreachable!() };
        assert!(after.is_sign_negative());
    }
}
