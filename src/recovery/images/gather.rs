//! Gather: rows come in one by one, and become images that can be read any number of times.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use super::{After, Block, CHUNK_BYTES, CHUNK_ROWS, HEAD_BYTES, HEAD_ROWS, ImageRows, Kept};
use super::{RowImage, SEEN_BYTES, SEEN_ROWS, Spill, shorten};
use crate::value::Value;
use crate::value::known::Known;
use crate::value::room::Aside;

/// Takes rows in, one by one.
#[derive(Default)]
pub struct Gather {
    kept: Kept,
    seen_bytes: usize,
    block: Vec<u8>,
    block_rows: usize,
    end: u64,
    aside: Option<Aside>,
}

impl Gather {
    pub fn push(&mut self, row: RowImage) -> io::Result<()> {
        self.take(Known::of(row.key, row.before), row.after)
    }

    pub fn take(&mut self, mut was: Known, after: Option<Vec<Value>>) -> io::Result<()> {
        let change = change(was.before(), after.as_ref());
        if let After::Changed(changed) = &change {
            self.kept.changed.extend(changed.iter().map(|(at, _)| *at));
        }
        let line = was.finish(&change);
        self.kept.len += 1;
        self.kept.whole += line.whole;
        if let Some(print) = line.before {
            self.kept.existing += 1;
            self.kept.before += print;
        }
        let is_head = self.kept.spill.is_none()
            && self.block_rows == 0
            && self.kept.head.len() < HEAD_ROWS
            && self.kept.head_lines.len() + line.text.len() <= HEAD_BYTES;
        let (key, before) = was.into_parts();
        let row = RowImage { key, before, after };
        if is_head {
            self.kept.head_lines.extend_from_slice(&line.text);
            self.kept.head.push(row);
        } else {
            if self.kept.head.len() + self.kept.beyond.len() < SEEN_ROWS
                && self.seen_bytes < SEEN_BYTES
            {
                let seen = shorten::row(&row);
                self.seen_bytes += shorten::bytes(&seen);
                self.kept.beyond.push(seen);
            }
            self.block.extend_from_slice(&line.text);
            self.block_rows += 1;
            if self.block_rows == CHUNK_ROWS || self.block.len() >= CHUNK_BYTES {
                self.put_aside()?;
            }
        }
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let aside = Aside::of(&mut self.aside)?;
        aside.write_all(&self.block)?;
        let new = || Spill { file: aside.file().clone(), blocks: Vec::new() };
        let spill = self.kept.spill.get_or_insert_with(new);
        spill.blocks.push(Block { start: self.end, bytes: self.block.len() });
        self.end += self.block.len() as u64;
        self.block.clear();
        self.block_rows = 0;
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<ImageRows> {
        self.put_aside()?;
        self.kept.head_lines.shrink_to_fit();
        Ok(ImageRows(Arc::new(self.kept)))
    }
}

impl fmt::Debug for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("len", &self.kept.len).finish_non_exhaustive()
    }
}

/// What became of a row, as it is put aside.
fn change<'v>(before: Option<&Vec<Value>>, after: Option<&'v Vec<Value>>) -> After<&'v Value> {
    match (before, after) {
        (_, None) => After::Gone,
        (Some(before), Some(after)) if before.len() == after.len() => {
            let pairs = before.iter().zip(after).enumerate();
            let changed = pairs.filter(|(_, (before, after))| !identical(before, after));
            After::Changed(changed.map(|(at, (_, after))| (at, after)).collect())
        }
        (_, Some(after)) => After::Whole(after.iter().collect()),
    }
}

/// Equal to the last bit: two zeros or two NaN may differ in theirs.
fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}
