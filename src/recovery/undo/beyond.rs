//! What an undo did to rows that are none of its own. What others put below a row that goes is removed with it,
//! or cut off from it; and triggers of theirs fire for an undo too.

use std::collections::HashSet;
use std::io;

use super::super::words::key_words;
use super::super::{RowImage, TableHead, TableImages, TableWrites};
use crate::digest::Running;
use crate::value::{Value, thousands};

/// Rows that are named in a sentence.
pub const NAMED: usize = 10;

#[derive(Debug, Default)]
pub struct Beyond {
    /// They were not written by the change, or not as they are now.
    removed: Strays,
    /// The change never wrote them.
    changed: Strays,
}

#[derive(Debug, Default)]
struct Strays {
    rows: u64,
    first: Vec<String>,
}

impl Strays {
    fn take(&mut self, head: &TableHead, row: &RowImage) {
        self.rows += 1;
        if self.first.len() < NAMED {
            self.first.push(format!("{} {}", head.table, key_words(&head.key, &row.key)));
        }
    }

    fn told(&self, what: &str) -> Option<String> {
        (self.rows > 0).then(|| format!("{} {what}", named(&self.first, NAMED, self.rows)))
    }
}

impl Beyond {
    /// Of an undo that puts back `own`, and wrote this.
    pub fn of<'i>(
        own: impl Iterator<Item = &'i TableImages> + Clone,
        writes: &[TableWrites],
        written: &[TableImages],
    ) -> io::Result<Self> {
        let mut beyond = Self::default();
        for images in written {
            let of_table = |writes: &&TableWrites| writes.table == images.head.table;
            let hidden = writes.iter().find(of_table).map(|writes| writes.hidden);
            if hidden.is_none_or(|hidden| hidden.updated + hidden.deleted == 0) {
                continue;
            }
            let (mut came, mut known) = (HashSet::new(), HashSet::new());
            for own in own.clone().filter(|own| own.head.table == images.head.table) {
                for row in own.rows.iter() {
                    let row = row?;
                    if let (None, Some(after)) = (&row.before, &row.after) {
                        came.insert(print(&row.key, after));
                    }
                    known.insert(print(&row.key, &[]));
                }
            }
            for row in images.rows.iter() {
                let row = row?;
                match (&row.before, &row.after) {
                    (Some(before), None) if !came.contains(&print(&row.key, before)) => {
                        beyond.removed.take(&images.head, &row);
                    }
                    (Some(_), Some(_)) if !known.contains(&print(&row.key, &[])) => {
                        beyond.changed.take(&images.head, &row);
                    }
                    _ => {}
                }
            }
        }
        Ok(beyond)
    }

    /// What keeps it from being done.
    pub fn removes(&self) -> Option<String> {
        let why = "would be removed, which the change never wrote or somebody changed since";
        self.removed.told(why)
    }

    /// What must be known before it is done.
    pub fn changes(&self) -> Option<String> {
        self.changed.told("is changed too, which the change never wrote")
    }
}

fn print(key: &[Value], values: &[Value]) -> String {
    let mut print = Running::default();
    print.eat(format!("{key:?} {values:?}").as_bytes());
    print.finish()
}

/// The first of so many rows, by their names.
pub fn named(first: &[String], most: usize, of: u64) -> String {
    let names = &first[..first.len().min(most)];
    let more = of.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
    format!("{}{more}", names.join(", "))
}
