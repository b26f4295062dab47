//! Gather: rows come in one by one, and become images that can be read any number of times.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use super::{Block, CHUNK_BYTES, CHUNK_ROWS, HEAD_BYTES, HEAD_ROWS, ImageRows, Kept};
use super::{RowImage, SEEN_BYTES, SEEN_ROWS, Spill, shorten};
use crate::value::known::{After, Known};
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
        let was = Known::of(row.key, row.before);
        let after = was.after(row.after);
        self.take(was, after)
    }

    pub fn take(&mut self, mut was: Known, after: After) -> io::Result<()> {
        if let After::Changed(changed) = &after {
            self.kept.changed.extend(changed.iter().map(|(at, _)| *at));
        }
        let line = was.finish(&after);
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
        if is_head {
            self.kept.head_lines.extend_from_slice(&line.text);
            self.kept.head.push(row(was, after)?);
        } else {
            if self.kept.head.len() + self.kept.beyond.len() < SEEN_ROWS
                && self.seen_bytes < SEEN_BYTES
            {
                let seen = shorten::row(row(was, after)?);
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

fn row(was: Known, after: After) -> io::Result<RowImage> {
    let after = after.row(was.before()).ok_or(io::ErrorKind::InvalidData)?;
    let (key, before) = was.into_parts();
    Ok(RowImage { key, before, after })
}
