//! Keys: the identity of every row that a run saw, to be compared with the run before.
//!
//! Hashes in ascending order, each once. A few stay in memory; of many, the memory holds only where
//! to look in a temporary file that has no name.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::value::room::Aside;
use crate::value::sorter::{Direction, Sorter, Stretch};

/// Keys that stay in memory.
const HEAD: usize = 16_384;
/// Keys that are read at one time.
const BLOCK: usize = 512;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Keys(Arc<Kept>);

#[derive(Default)]
struct Kept {
    len: u64,
    /// All of them, if they are few.
    few: Vec<u64>,
    many: Option<Many>,
}

struct Many {
    file: Arc<File>,
    /// The first key of each block.
    firsts: Vec<u64>,
}

/// Takes keys in, in any order.
#[derive(Debug, Default)]
pub struct Gather {
    few: Vec<u64>,
    many: Option<Sorter>,
}

impl Gather {
    pub fn push(&mut self, key: u64) -> io::Result<()> {
        if self.many.is_none() && self.few.len() < HEAD {
            self.few.push(key);
            return Ok(());
        }
        let sorter = self.many.get_or_insert_with(|| Sorter::new(Direction::Up));
        for key in self.few.drain(..).chain([key]) {
            sorter.push(&key.to_be_bytes(), 0)?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<Keys> {
        let Some(sorter) = self.many else {
            self.few.sort_unstable();
            self.few.dedup();
            self.few.shrink_to_fit();
            let len = self.few.len() as u64;
            return Ok(Keys(Arc::new(Kept { len, few: self.few, many: None })));
        };
        let mut out = BufWriter::with_capacity(64 << 10, Aside::new()?);
        let mut firsts = Vec::new();
        let (mut len, mut last) = (0_u64, None);
        sorter.finish(|bytes, _| {
            let key = u64::from_be_bytes(bytes.try_into().expect("a key is eight bytes"));
            if last != Some(key) {
                if len.is_multiple_of(BLOCK as u64) {
                    firsts.push(key);
                }
                out.write_all(&key.to_le_bytes())?;
                len += 1;
                last = Some(key);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?.file().clone();
        Ok(Keys(Arc::new(Kept { len, few: Vec::new(), many: Some(Many { file, firsts }) })))
    }
}

/// How the keys of two runs compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    pub new: u64,
    pub gone: u64,
    pub still: u64,
}

impl Keys {
    /// Keys that are all at hand.
    #[cfg(test)]
    pub fn of(keys: impl IntoIterator<Item = u64>) -> io::Result<Self> {
        let mut gather = Gather::default();
        for key in keys {
            gather.push(key)?;
        }
        gather.finish()
    }

    pub fn len(&self) -> u64 {
        self.0.len
    }

    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    pub fn contains(&self, key: u64) -> bool {
        let Some(many) = &self.0.many else { return self.0.few.binary_search(&key).is_ok() };
        let Some(block) = many.firsts.partition_point(|first| *first <= key).checked_sub(1) else {
            return false;
        };
        let mut bytes = [0; BLOCK * 8];
        let start = (block * BLOCK) as u64;
        let count = usize::try_from(self.0.len - start).unwrap_or(BLOCK).min(BLOCK);
        let bytes = &mut bytes[..count * 8];
        if many.file.read_exact_at(bytes, start * 8).is_err() {
            return false;
        }
        let (keys, _) = bytes.as_chunks::<8>();
        keys.binary_search_by_key(&key, |bytes| u64::from_le_bytes(*bytes)).is_ok()
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let in_file = self.0.many.as_ref().map(|many| {
            let stretch = Stretch { file: many.file.clone(), at: 0, end: self.0.len * 8 };
            let mut from = BufReader::with_capacity(64 << 10, stretch);
            std::iter::from_fn(move || {
                let mut eight = [0; 8];
                from.read_exact(&mut eight).ok()?;
                Some(u64::from_le_bytes(eight))
            })
        });
        self.0.few.iter().copied().chain(in_file.into_iter().flatten())
    }

    /// What came and what went since another run.
    pub fn since(&self, before: &Self) -> Difference {
        let (mut now, mut then) = (self.iter().peekable(), before.iter().peekable());
        let mut difference = Difference::default();
        loop {
            match (now.peek(), then.peek()) {
                (Some(a), Some(b)) if a == b => {
                    difference.still += 1;
                    now.next();
                    then.next();
                }
                (Some(a), Some(b)) if a > b => {
                    difference.gone += 1;
                    then.next();
                }
                (Some(_), _) => {
                    difference.new += 1;
                    now.next();
                }
                (None, Some(_)) => {
                    difference.gone += 1;
                    then.next();
                }
                (None, None) => return difference,
            }
        }
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.len == other.0.len && self.iter().eq(other.iter()))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("len", &self.0.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Spread like hashes.
    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn few_and_many_answer_alike() {
        for count in [0, 1, 700, 16_384, 60_000] {
            let keys = Keys::of((0..count).chain(0..count).map(hash)).unwrap();
            assert_eq!(keys.len(), count, "each once");
            assert!((0..count).step_by(7).all(|n| keys.contains(hash(n))));
            assert!(!keys.contains(hash(count)));
            assert!(keys.iter().is_sorted());
        }
    }

    #[test]
    fn two_runs_differ_by_what_came_and_what_went() {
        for (count, gone, new) in [(10, 3, 2), (50_000, 777, 20_000)] {
            let before = Keys::of((0..count).map(hash)).unwrap();
            let now = Keys::of((gone..count + new).map(hash)).unwrap();
            let difference = now.since(&before);
            assert_eq!(difference, Difference { new, gone, still: count - gone });
        }
    }
}
