//! Chunks: how far a change of very many rows came, as its records say.
//!
//! A chunk counts as done only if its commit is known. The one that was sent and not heard of is in
//! doubt, and there is never more than one.

use super::entry::{Entry, Evidence, Outcome};

/// A change that is worked off chunk by chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunked {
    /// Keys in all; rows of an undo.
    pub keys: u64,
    /// The frozen list; of an undo there is none.
    pub list: Option<Evidence>,
    /// In the order in which they were sent.
    pub sent: Vec<Chunk>,
    /// Times it waited or was slowed down.
    pub pauses: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub number: u64,
    pub keys: u64,
    pub rows: u64,
    /// How many of these its undo would put back.
    pub back: u64,
    pub left_alone: u64,
    pub undo: Evidence,
    pub mark: String,
    /// `None` until something is heard.
    pub outcome: Option<Outcome>,
}

/// Where a change was cut off, for the database to say what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubtful {
    /// The chunk that is asked for.
    pub number: u64,
    /// Keys and rows of it, if its COMMIT was sent.
    pub sent: Option<(u64, u64)>,
    /// Keys and rows that are known to be done, and keys in all.
    pub done: (u64, u64),
    pub of: u64,
}

impl Chunked {
    pub fn doubtful(&self) -> Doubtful {
        let doubt = self.in_doubt();
        Doubtful {
            // Where none was sent its number is free, and whoever could still send it is ended.
            number: doubt.map_or_else(|| self.next(), |chunk| chunk.number),
            sent: doubt.map(|chunk| (chunk.keys, chunk.rows)),
            done: (self.done(), self.rows()),
            of: self.keys,
        }
    }

    pub fn committed(&self) -> impl DoubleEndedIterator<Item = &Chunk> {
        self.sent.iter().filter(|chunk| chunk.outcome == Some(Outcome::Committed))
    }

    /// Keys that were worked off.
    pub fn done(&self) -> u64 {
        self.committed().map(|chunk| chunk.keys).sum()
    }

    pub fn rows(&self) -> u64 {
        self.committed().map(|chunk| chunk.rows).sum()
    }

    pub fn left_alone(&self) -> u64 {
        self.committed().map(|chunk| chunk.left_alone).sum()
    }

    /// The chunk whose outcome is not known.
    pub fn in_doubt(&self) -> Option<&Chunk> {
        let last = self.sent.last()?;
        matches!(last.outcome, None | Some(Outcome::Unknown)).then_some(last)
    }

    /// The number that the next chunk has: one that was rolled back is sent again under its number,
    /// which the ledger takes once.
    pub fn next(&self) -> u64 {
        self.committed().map(|chunk| chunk.number).max().unwrap_or(0) + 1
    }

    pub fn has(&self, number: u64) -> bool {
        self.committed().any(|chunk| chunk.number == number)
    }

    pub(super) fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::ChunksPlanned { left, done, list, .. } => {
                self.keys = left + done;
                if list.is_some() {
                    self.list.clone_from(list);
                }
            }
            Entry::ChunkSent { chunk, keys, rows, back, left_alone, undo, mark, .. } => {
                self.sent.push(Chunk {
                    number: *chunk,
                    keys: *keys,
                    rows: *rows,
                    back: back.unwrap_or(*rows),
                    left_alone: *left_alone,
                    undo: undo.clone(),
                    mark: mark.clone(),
                    outcome: None,
                });
            }
            Entry::ChunkEnded { chunk, outcome, .. } => {
                let sent = self.sent.iter_mut().rev().find(|sent| sent.number == *chunk);
                if let Some(sent) = sent {
                    sent.outcome = Some(*outcome);
                }
            }
            Entry::Paced { .. } => self.pauses += 1,
            _ => {}
        }
    }
}
