//! Sorter: puts any number of small things in order, in little memory.
//!
//! What comes in is sorted some megabytes at a time; the sorted pieces lie in a temporary file
//! without a name and are merged at the end.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::room::Aside;

/// Bytes that are sorted at one time.
const BUDGET: usize = 2 << 20;
/// What a merge reads of each piece at one time.
const READ: usize = 8 << 10;

/// Which way keys go; their first byte is a class, and classes keep their order either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
}

impl Direction {
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let (class_a, class_b) = (a.first(), b.first());
        class_a.cmp(&class_b).then_with(|| match self {
            Self::Up => a.cmp(b),
            Self::Down => b.cmp(a),
        })
    }
}

/// Things with a key to sort by and a number; what has the same key is sorted by the number.
#[derive(Debug)]
pub struct Sorter {
    direction: Direction,
    bytes: Vec<u8>,
    /// Start, length and number of each.
    entries: Vec<(u32, u32, u32)>,
    file: Option<Aside>,
    /// Where each sorted piece ends in the file.
    pieces: Vec<u64>,
}

impl Sorter {
    pub fn new(direction: Direction) -> Self {
        Self { direction, bytes: Vec::new(), entries: Vec::new(), file: None, pieces: Vec::new() }
    }

    pub fn push(&mut self, key: &[u8], number: u32) -> io::Result<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        // The budget is far below four gigabytes, and so is a key.
        self.entries.push((small(start), small(key.len()), number));
        if self.bytes.len() + self.entries.len() * size_of::<(u32, u32, u32)>() >= BUDGET {
            self.put_aside()?;
        }
        Ok(())
    }

    fn sort(&mut self) {
        let (bytes, direction) = (&self.bytes, self.direction);
        let key = |(start, len, _): &(u32, u32, u32)| {
            let start = *start as usize;
            &bytes[start..start + *len as usize]
        };
        self.entries
            .sort_unstable_by(|a, b| direction.compare(key(a), key(b)).then_with(|| a.2.cmp(&b.2)));
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.sort();
        let mut out = io::BufWriter::with_capacity(64 << 10, Aside::of(&mut self.file)?);
        let mut end = self.pieces.last().copied().unwrap_or(0);
        for (start, len, number) in &self.entries {
            out.write_all(&len.to_le_bytes())?;
            out.write_all(&number.to_le_bytes())?;
            out.write_all(&self.bytes[*start as usize..(*start + *len) as usize])?;
            end += 8 + u64::from(*len);
        }
        out.flush()?;
        drop(out);
        self.pieces.push(end);
        self.bytes.clear();
        self.entries.clear();
        Ok(())
    }

    /// Hands over everything in order; whoever has enough breaks off.
    pub fn finish(
        mut self,
        mut each: impl FnMut(&[u8], u32) -> io::Result<ControlFlow<()>>,
    ) -> io::Result<()> {
        if self.pieces.is_empty() {
            self.sort();
            for (start, len, number) in &self.entries {
                let key = &self.bytes[*start as usize..(*start + *len) as usize];
                if each(key, *number)?.is_break() {
                    break;
                }
            }
            return Ok(());
        }
        if !self.entries.is_empty() {
            self.put_aside()?;
        }
        (self.bytes, self.entries) = (Vec::new(), Vec::new());
        let Some(file) = &self.file else { return Ok(()) };
        let starts = std::iter::once(0).chain(self.pieces.iter().copied());
        let mut pieces: Vec<BufReader<Stretch>> = starts
            .zip(&self.pieces)
            .map(|(at, end)| Stretch { file: file.file().clone(), at, end: *end })
            .map(|stretch| BufReader::with_capacity(READ, stretch))
            .collect();
        let mut heads = BinaryHeap::with_capacity(pieces.len());
        for (at, piece) in pieces.iter_mut().enumerate() {
            heads.extend(Head::read(piece, at, self.direction)?.map(Reverse));
        }
        while let Some(Reverse(head)) = heads.pop() {
            if each(&head.key, head.number)?.is_break() {
                break;
            }
            let at = head.piece;
            heads.extend(Head::read(&mut pieces[at], at, self.direction)?.map(Reverse));
        }
        Ok(())
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A part of a file as something to read, without a place that others move.
#[derive(Debug)]
pub struct Stretch {
    pub file: Arc<File>,
    pub at: u64,
    pub end: u64,
}

impl Read for Stretch {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = out.len().min(left);
        let got = self.file.read_at(&mut out[..wanted], self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

/// The first thing that is left of a piece.
struct Head {
    key: Vec<u8>,
    number: u32,
    piece: usize,
    direction: Direction,
}

impl Head {
    fn read(
        from: &mut BufReader<Stretch>,
        piece: usize,
        direction: Direction,
    ) -> io::Result<Option<Self>> {
        if from.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut four = [0; 4];
        from.read_exact(&mut four)?;
        let mut key = vec![0; u32::from_le_bytes(four) as usize];
        from.read_exact(&mut four)?;
        from.read_exact(&mut key)?;
        Ok(Some(Self { key, number: u32::from_le_bytes(four), piece, direction }))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        let keys = self.direction.compare(&self.key, &other.key);
        keys.then(self.number.cmp(&other.number)).then(self.piece.cmp(&other.piece))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sorted(keys: &[Vec<u8>], direction: Direction) -> Vec<u32> {
        let mut sorter = Sorter::new(direction);
        for (number, key) in (0..).zip(keys) {
            sorter.push(key, number).unwrap();
        }
        let mut numbers = Vec::new();
        let push = |_: &[u8], number| {
            numbers.push(number);
            Ok(ControlFlow::Continue(()))
        };
        sorter.finish(push).unwrap();
        numbers
    }

    #[test]
    fn more_than_fits_comes_out_like_a_sort_in_memory_either_way() {
        let mut state = 7_u64;
        let mut keys = Vec::new();
        for _ in 0..150_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040);
            let class = u8::from(state >> 60 == 0);
            keys.push(
                format!("{}{:x}", char::from(b'0' + class), (state >> 40) % 5_000).into_bytes(),
            );
        }
        for direction in [Direction::Up, Direction::Down] {
            let mut wanted: Vec<u32> = (0..150_000).collect();
            wanted.sort_by(|a, b| {
                direction.compare(&keys[*a as usize], &keys[*b as usize]).then(a.cmp(b))
            });
            assert_eq!(sorted(&keys, direction), wanted);
        }
    }

    #[test]
    fn classes_keep_their_order_when_keys_are_turned_around() {
        let keys: Vec<Vec<u8>> =
            [b"1b".as_slice(), b"1a", b"3", b"1ab"].map(<[u8]>::to_vec).to_vec();
        assert_eq!(sorted(&keys, Direction::Up), [1, 3, 0, 2]);
        assert_eq!(sorted(&keys, Direction::Down), [0, 3, 1, 2]);
    }
}
