//! Fingerprint: whether two runs of one plan did the same to the same rows.
//!
//! It covers server, statements, counts, writes of every table, and key and before-image of every
//! row that existed. Rows that the change inserts count by number only: their keys may come from a
//! sequence, and what a row becomes may hold the time of day.
//!
//! What decides are the digests that the images kept, so a million rows are compared as fast as one.
//! Rows are read again only to name those that differ, and only a small mark of each is held then.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;

use super::words::{key_words, show_pair};
use super::{
    Drift, ImageRows, RowImage, StatementOutcome, TableHead, TableImages, TableWrites, Tally,
    thousands,
};
use crate::digest::Running;
use crate::value::counted;

/// The part of a run that must not differ between preview and execution.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub server: &'a str,
    pub statements: &'a [StatementOutcome],
    pub writes: &'a [TableWrites],
    pub images: &'a [TableImages],
}

pub fn fingerprint(seen: Seen<'_>) -> String {
    let mut hash = Running::default();
    let mut line = |text: String| {
        hash.eat(text.as_bytes());
        hash.eat(b"\n");
    };
    line(format!("server {}", seen.server));
    for statement in seen.statements {
        line(format!("statement {} {}", statement.rows, json(&statement.sql)));
    }
    for TableWrites { table, direct, hidden } in seen.writes {
        line(format!("writes {} {} {}", json(table), json(direct), json(hidden)));
    }
    for images in seen.images {
        let TableHead { table, columns, .. } = &images.head;
        line(format!("table {} {}", json(table), json(columns)));
        line(format!("rows {} {}", images.rows.existing(), images.rows.before().text()));
    }
    hash.finish()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

/// What differs: the first in words, the others by number.
#[derive(Default)]
struct Differences {
    words: Vec<String>,
    more: u64,
}

impl Differences {
    const SHOWN: usize = 50;

    fn push(&mut self, words: String) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.words.push(words);
        }
    }

    fn is_full(&self) -> bool {
        self.words.len() >= Self::SHOWN
    }
}

/// Says what differs, row by row where it can.
pub fn drift(preview: Seen<'_>, execution: Seen<'_>) -> Drift {
    let mut differences = Differences::default();
    if preview.server != execution.server {
        differences.push(format!(
            "the server is another one: {} at the preview, {} now",
            preview.server, execution.server
        ));
    }
    for (i, (then, now)) in preview.statements.iter().zip(execution.statements).enumerate() {
        if then.sql != now.sql {
            differences.push(format!("statement {} is not the one that was previewed", i + 1));
        }
        if then.rows != now.rows {
            differences.push(format!(
                "statement {}: {} at the preview, {} now",
                i + 1,
                counted(then.rows, "row"),
                now.rows
            ));
        }
    }
    tables(preview, execution, &mut differences);
    rows(preview.images, execution.images, &mut differences);
    let Differences { mut words, more } = differences;
    if more > 0 {
        words.push(format!("and {} more differences", thousands(more)));
    }
    Drift { differences: words }
}

fn tables(preview: Seen<'_>, execution: Seen<'_>, differences: &mut Differences) {
    let all = preview.writes.iter().chain(execution.writes).map(|writes| writes.table.as_str());
    let mut names: Vec<&str> = all.collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let find = |writes: &[TableWrites]| {
            writes
                .iter()
                .find(|writes| writes.table == name)
                .map(|writes| (writes.direct, writes.hidden))
                .unwrap_or_default()
        };
        let (then, now) = (find(preview.writes), find(execution.writes));
        if then != now {
            let (then, now) = (written(then), written(now));
            differences.push(format!("{name}: {then} at the preview, {now} now"));
        }
    }
}

/// What the statements wrote, and what came of it by itself; no part without a row.
fn written((direct, hidden): (Tally, Tally)) -> String {
    let some = |tally: Tally| tally != Tally::default();
    let parts = [
        some(direct).then(|| direct.words()),
        some(hidden).then(|| format!("{} by triggers or cascades", hidden.words())),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(" and ") }
}

fn rows(preview: &[TableImages], execution: &[TableImages], differences: &mut Differences) {
    let find = |images: &[TableImages], table: &str| {
        let found = images.iter().find(|images| images.head.table == table);
        found.map(|images| images.rows.clone()).unwrap_or_default()
    };
    let gone = preview
        .iter()
        .filter(|then| !execution.iter().any(|now| now.head.table == then.head.table));
    for TableImages { head, .. } in execution.iter().chain(gone) {
        let (then, now) = (find(preview, &head.table), find(execution, &head.table));
        if then.existing() == now.existing() && then.before() == now.before() {
            continue;
        }
        if let Err(error) = table_rows(head, &then, &now, differences) {
            let table = &head.table;
            differences.push(format!("{table}: its rows cannot be read once more: {error}"));
        }
    }
}

/// A mark of a value that is small enough to hold one for each of a million rows. Two rows with the
/// same mark would be told apart by the digests, and only go without a name here.
fn mark(value: &impl serde::Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    json(value).hash(&mut hasher);
    hasher.finish()
}

fn existing(rows: &ImageRows) -> impl Iterator<Item = io::Result<RowImage>> + '_ {
    rows.iter().filter(|row| row.as_ref().map_or(true, |row| row.before.is_some()))
}

fn table_rows(
    head: &TableHead,
    then: &ImageRows,
    now: &ImageRows,
    differences: &mut Differences,
) -> io::Result<()> {
    let name = |row: &RowImage| format!("{} {}", head.table, key_words(&head.key, &row.key));
    let mut old = HashMap::new();
    for row in existing(then) {
        let row = row?;
        old.insert(mark(&row.key), mark(&row.before));
    }
    let mut edited: HashMap<u64, RowImage> = HashMap::new();
    for row in existing(now) {
        let row = row?;
        let key = mark(&row.key);
        match old.remove(&key) {
            None => differences
                .push(format!("{} would be changed, but was not in the preview", name(&row))),
            Some(before) if before == mark(&row.before) => {}
            Some(_) if edited.len() < Differences::SHOWN => drop(edited.insert(key, row)),
            Some(_) => differences.more += 1,
        }
    }
    let mut missing: HashSet<u64> = old.into_keys().collect();
    for row in existing(then) {
        if edited.is_empty() && (missing.is_empty() || differences.is_full()) {
            break;
        }
        let row = row?;
        let key = mark(&row.key);
        if let Some(now) = edited.remove(&key) {
            let values = values(&head.columns, &row, &now);
            differences.push(format!("{} was changed since the preview: {values}", name(&row)));
        } else if missing.remove(&key) {
            differences
                .push(format!("{} was in the preview, but would not be changed now", name(&row)));
        }
    }
    differences.more += missing.len() as u64;
    Ok(())
}

fn values(columns: &[String], then: &RowImage, now: &RowImage) -> String {
    let (Some(then), Some(now)) = (&then.before, &now.before) else { return String::new() };
    columns
        .iter()
        .zip(then.iter().zip(now))
        .filter(|(_, (then, now))| then != now)
        .map(|(column, (then, now))| {
            let (then, now) = show_pair(then, now);
            format!("{column} {then} -> {now}")
        })
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
