//! Undo: the images of a change turned into a plan that takes them back.
//!
//! Only what the change did, only where a row still holds what the change wrote. Rows that triggers
//! inserted stay: they are the record of what happened, and the undo adds its own. Pure; the
//! artefact on disk is the same data, one row a line.

mod beyond;

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::images::decode;
use super::words::{key_words, show};
use super::{Conflict, Gather, RowImage, TableHead, TableImages};
use crate::value::Value;
pub use beyond::{Beyond, NAMED, named};

/// Rows left alone that are told one by one.
pub const TOLD: usize = 200;

/// The first line of an undo artefact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub op: String,
    pub step: String,
    pub target: String,
    pub server: String,
    pub tables: Vec<Section>,
}

/// A table, and how many of the lines behind the first are its rows: one table's after the other's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    #[serde(flatten)]
    head: TableHead,
    rows: u64,
}

/// Writes the artefact: a header line, then a line a row.
pub fn write(out: &mut dyn Write, header: &Header, images: &[TableImages]) -> io::Result<()> {
    serde_json::to_writer(&mut *out, header)?;
    out.write_all(b"\n")?;
    images.iter().try_for_each(|images| images.rows.write(out))
}

pub fn sections(images: &[TableImages]) -> Vec<Section> {
    let section =
        |images: &TableImages| Section { head: images.head.clone(), rows: images.rows.len() };
    images.iter().map(section).collect()
}

/// Reads an artefact back.
pub fn read(mut input: impl BufRead) -> Result<(Header, Vec<TableImages>), String> {
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| {
        line.clear();
        input.read_until(b'\n', line).map_err(|error| format!("it cannot be read: {error}"))
    };
    next(&mut line)?;
    let header: Header = serde_json::from_slice(&line)
        .map_err(|error| format!("its first line cannot be read: {error}"))?;
    let aside = |error: io::Error| format!("its rows cannot be put aside: {error}");
    let (mut number, mut images) = (1, Vec::new());
    for Section { head, rows } in &header.tables {
        let mut gather = Gather::default();
        for _ in 0..*rows {
            number += 1;
            next(&mut line)?;
            let row =
                decode(&line).map_err(|error| format!("line {number} cannot be read: {error}"))?;
            gather.push(row).map_err(aside)?;
        }
        images.push(TableImages { head: head.clone(), rows: gather.finish().map_err(aside)? });
    }
    if next(&mut line)? > 0 {
        return Err("it has more rows than its first line says".into());
    }
    Ok((header, images))
}

/// Why images cannot be undone at all, if they cannot. Rows that are not put back need no key.
pub fn impossible(images: &[TableImages]) -> Option<String> {
    let wanted = |images: &&TableImages| wanted(std::slice::from_ref(*images)) > 0;
    let keyless = images.iter().filter(wanted).find(|images| images.head.key.is_empty())?;
    Some(format!("{} has no key by which a row could be found again", keyless.head.table))
}

/// The rows to put back in their order, some at a time: those that statements wrote first and
/// backwards, then those that triggers and cascades wrote, unless undoing the first already brought
/// them back. Where there are such, rows that came go last: a key that moved is a row that came, and
/// to remove it would take along what cascaded to it. Elsewhere they keep their place, because rows that come back
/// may need what they hold of a unique column.
pub fn backwards(
    images: &[TableImages],
) -> impl Iterator<Item = (&TableImages, io::Result<Vec<RowImage>>)> {
    let carried = |images: &TableImages| images.head.hidden && images.rows.existing() > 0;
    let apart = images.iter().any(carried);
    let of = move |hidden: bool, which: Which| {
        let tables = images.iter().rev().filter(move |images| images.head.hidden == hidden);
        tables.filter(move |images| which.has_some(images)).flat_map(move |images| {
            images.rows.chunks().rev().map(move |chunk| {
                let chunk = chunk.map(|mut rows| {
                    rows.reverse();
                    rows.retain(|row| restored(images, row) && which.has(row));
                    rows
                });
                (images, chunk)
            })
        })
    };
    let first = if apart { Which::Existed } else { Which::All };
    let last = apart.then(|| of(false, Which::Came));
    of(false, first).chain(of(true, Which::All)).chain(last.into_iter().flatten())
}

/// Rows of a table by what they were before.
#[derive(Debug, Clone, Copy)]
enum Which {
    All,
    Existed,
    Came,
}

impl Which {
    fn has(self, row: &RowImage) -> bool {
        match self {
            Self::All => true,
            Self::Existed => row.before.is_some(),
            Self::Came => row.before.is_none(),
        }
    }

    fn has_some(self, images: &TableImages) -> bool {
        match self {
            Self::All => true,
            Self::Existed => images.rows.existing() > 0,
            Self::Came => images.rows.existing() < images.rows.len(),
        }
    }
}

/// Rows that are put back together or not at all.
///
/// Where keys moved, a row is two images, one that went and one that came; and a row that took the place of
/// another is none of its own. To put one of them back without the other would double a row, or lose it.
#[derive(Debug, Default)]
pub struct Together {
    /// That somebody changed, that are as the change left them, and that are as they were before.
    edited: Lot,
    left: Lot,
    back: Lot,
}

/// How many they are, and the first of them.
#[derive(Debug, Default)]
struct Lot {
    rows: u64,
    first: Vec<Conflict>,
}

impl Together {
    /// Takes a row as it is now.
    pub fn see(&mut self, head: &TableHead, row: &RowImage, now: Option<&[Value]>) {
        let lot = match decide(row, now) {
            Step::Conflict => &mut self.edited,
            Step::Already => &mut self.back,
            Step::Insert | Step::Update(_) | Step::Delete => &mut self.left,
        };
        lot.rows += 1;
        if lot.first.len() < TOLD {
            lot.first.push(conflict(head, row, now));
        }
    }

    /// What is in the way, how many rows and the first of them: none, if all of them are as the change left
    /// them, or all as they were.
    pub fn in_the_way(self) -> (u64, Vec<Conflict>) {
        let Self { edited, left, back } = self;
        let fewer = if left.rows < back.rows { left } else { back };
        let rows = edited.rows + fewer.rows;
        (rows, edited.first.into_iter().chain(fewer.first).take(TOLD).collect())
    }
}

/// What putting one row back asks for, given what the row is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Insert,
    /// Only these columns are written.
    Update(Vec<usize>),
    Delete,
    /// It is already as it was before the change.
    Already,
    /// Somebody changed it since: it is left alone.
    Conflict,
}

/// Decides for one row. A row is touched only while it holds exactly what the change wrote.
pub fn decide(row: &RowImage, now: Option<&[Value]>) -> Step {
    match (&row.before, &row.after, now) {
        (Some(_), None, None) => Step::Insert,
        (Some(before), None, Some(now)) if before == now => Step::Already,
        (None, Some(_), None) => Step::Already,
        (None, Some(after), Some(now)) if after == now => Step::Delete,
        (Some(before), Some(after), Some(now)) => {
            let changed = row.changed();
            let same = |image: &[Value]| changed.iter().all(|i| image.get(*i) == now.get(*i));
            if same(before) {
                Step::Already
            } else if same(after) {
                Step::Update(changed)
            } else {
                Step::Conflict
            }
        }
        (Some(_) | None, None | Some(_), None | Some(_)) => Step::Conflict,
    }
}

/// A row that is left alone, column by column: before, what the change wrote, what it is now.
pub fn conflict(head: &TableHead, row: &RowImage, now: Option<&[Value]>) -> Conflict {
    let word = |image: Option<&[Value]>, i: usize| {
        image.and_then(|values| values.get(i)).map_or_else(|| "no row".into(), show)
    };
    let (before, after) = (row.before.as_deref(), row.after.as_deref());
    let different = |i: &usize| {
        let now = now.and_then(|values| values.get(*i));
        now != after.and_then(|values| values.get(*i))
    };
    let changed = row.changed();
    let asked: Vec<usize> = if changed.is_empty() {
        (0..head.columns.len()).filter(different).collect()
    } else {
        changed
    };
    Conflict {
        table: head.table.clone(),
        key: key_words(&head.key, &row.key),
        columns: asked
            .into_iter()
            .map(|i| (head.columns[i].clone(), word(before, i), word(after, i), word(now, i)))
            .collect(),
        refused: None,
    }
}

/// Rows that triggers inserted stay.
pub fn restored(images: &TableImages, row: &RowImage) -> bool {
    !(images.head.hidden && row.before.is_none())
}

/// How many rows an undo is meant to bring back.
pub fn wanted(images: &[TableImages]) -> u64 {
    let of = |images: &TableImages| {
        if images.head.hidden { images.rows.existing() } else { images.rows.len() }
    };
    images.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::ImageRows;
    use super::*;

    fn row(id: i64, before: Option<&str>, after: Option<&str>) -> RowImage {
        let image =
            |text: Option<&str>| text.map(|t| vec![Value::Integer(id), Value::Text(t.into())]);
        RowImage { key: vec![Value::Integer(id)], before: image(before), after: image(after) }
    }

    fn table(name: &str, hidden: bool, rows: Vec<RowImage>) -> TableImages {
        let columns = vec!["id".into(), "status".into()];
        let (table, key) = (name.into(), vec!["id".into()]);
        let head = TableHead { table, key, columns, hidden, moved: false };
        TableImages { head, rows: ImageRows::of(rows).unwrap() }
    }

    #[test]
    fn an_artefact_survives_the_disk() {
        let many = (5..5_000).map(|id| row(id, Some("a"), Some("b"))).collect();
        let few =
            vec![row(1, Some("a"), Some("b")), row(2, None, Some("c")), row(3, Some("d"), None)];
        let images = vec![table("t", false, many), table("u", true, few)];
        let header = Header {
            op: "o".into(),
            step: "s".into(),
            target: "t".into(),
            server: "x".into(),
            tables: sections(&images),
        };
        let mut bytes = Vec::new();
        write(&mut bytes, &header, &images).unwrap();
        assert_eq!(read(bytes.as_slice()).unwrap(), (header, images));
        let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
        assert!(read(&bytes[..=last]).unwrap_err().contains("line 4999 cannot be read"));
        bytes.extend_from_slice(b"[[],null,\"Gone\"]\n");
        assert!(read(bytes.as_slice()).unwrap_err().contains("more rows"));
    }

    #[test]
    fn rows_that_a_trigger_inserted_stay_and_direct_rows_come_first() {
        let images = vec![
            table("audit", true, vec![row(9, None, Some("x"))]),
            table("total", true, vec![row(5, Some("1"), Some("2"))]),
            table("t", false, vec![row(1, Some("a"), Some("b"))]),
        ];
        let tables: Vec<&str> = backwards(&images)
            .flat_map(|(images, rows)| rows.unwrap().into_iter().map(|_| &*images.head.table))
            .collect();
        assert_eq!(tables, ["t", "total"]);
        assert_eq!(wanted(&images), 2);
    }

    #[test]
    fn the_last_row_written_is_the_first_put_back() {
        let many = (0..3_000).map(|id| row(id, Some("a"), Some("b"))).collect();
        let images = vec![table("t", false, many)];
        let keys = backwards(&images).flat_map(|(_, rows)| rows.unwrap()).map(|row| row.key);
        let wanted = (0..3_000).rev().map(|id| vec![Value::Integer(id)]);
        assert_eq!(keys.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
    }

    #[test]
    fn only_a_row_that_holds_what_the_change_wrote_is_touched() {
        let now = |text: &str| vec![Value::Integer(1), Value::Text(text.into())];
        let updated = row(1, Some("a"), Some("b"));
        assert_eq!(decide(&updated, Some(&now("b"))), Step::Update(vec![1]));
        assert_eq!(decide(&updated, Some(&now("a"))), Step::Already);
        assert_eq!(decide(&updated, Some(&now("c"))), Step::Conflict);
        assert_eq!(decide(&updated, None), Step::Conflict);
        let inserted = row(1, None, Some("b"));
        assert_eq!(decide(&inserted, Some(&now("b"))), Step::Delete);
        assert_eq!(decide(&inserted, Some(&now("c"))), Step::Conflict);
        assert_eq!(decide(&inserted, None), Step::Already);
        let deleted = row(1, Some("a"), None);
        assert_eq!(decide(&deleted, None), Step::Insert);
        assert_eq!(decide(&deleted, Some(&now("c"))), Step::Conflict);
    }
}
