//! Undo: the images of a change turned into a plan that takes them back.
//!
//! Only what the change did, only where a row still holds what the change wrote. Rows that triggers
//! inserted stay: they are the record of what happened, and the undo adds its own. Pure; the
//! artefact on disk is the same data, one row a line.

use serde::{Deserialize, Serialize};

use super::fingerprint::{key_words, show};
use super::{Conflict, Planned, Restore, RowImage, TableImages};
use crate::value::Value;

/// The first line of an undo artefact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub op: String,
    pub step: String,
    pub target: String,
    pub server: String,
    pub tables: Vec<TableHead>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableHead {
    pub table: String,
    pub key: Vec<String>,
    pub columns: Vec<String>,
    pub hidden: bool,
}

#[derive(Serialize, Deserialize)]
struct Line {
    /// Which table of the header.
    table: usize,
    #[serde(flatten)]
    row: RowImage,
}

/// The artefact as bytes: a header line, then a line a row.
pub fn write(header: &Header, images: &[TableImages]) -> Vec<u8> {
    let mut out = serde_json::to_vec(header).expect("plain data");
    out.push(b'\n');
    for (table, images) in images.iter().enumerate() {
        for row in &images.rows {
            let line = Line { table, row: row.clone() };
            serde_json::to_writer(&mut out, &line).expect("plain data into memory");
            out.push(b'\n');
        }
    }
    out
}

pub fn heads(images: &[TableImages]) -> Vec<TableHead> {
    images
        .iter()
        .map(|images| TableHead {
            table: images.table.clone(),
            key: images.key.clone(),
            columns: images.columns.clone(),
            hidden: images.hidden,
        })
        .collect()
}

/// Reads an artefact back.
pub fn read(bytes: &[u8]) -> Result<(Header, Vec<TableImages>), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    let mut lines = text.lines();
    let header: Header = serde_json::from_str(lines.next().unwrap_or_default())
        .map_err(|error| format!("its first line cannot be read: {error}"))?;
    let mut images: Vec<TableImages> = header
        .tables
        .iter()
        .cloned()
        .map(|TableHead { table, key, columns, hidden }| TableImages {
            table,
            key,
            columns,
            hidden,
            rows: Vec::new(),
        })
        .collect();
    for (number, line) in lines.enumerate() {
        let line: Line = serde_json::from_str(line)
            .map_err(|error| format!("line {} cannot be read: {error}", number + 2))?;
        images.get_mut(line.table).ok_or("a row names no table")?.rows.push(line.row);
    }
    Ok((header, images))
}

/// Why images cannot be undone at all, if they cannot.
pub fn impossible(images: &[TableImages]) -> Option<String> {
    let keyless = images.iter().find(|images| images.key.is_empty() && !images.rows.is_empty())?;
    Some(format!("{} has no key by which a row could be found again", keyless.table))
}

/// What puts the images back: rows that statements wrote first and backwards, then those that
/// triggers and cascades wrote, unless undoing the first already brought them back.
pub fn plan(images: &[TableImages]) -> Vec<Planned> {
    let of = |wanted: bool| {
        images.iter().rev().filter(move |images| images.hidden == wanted).flat_map(|images| {
            images.rows.iter().rev().filter(|row| restored(images, row)).map(|row| {
                Planned::Restore(Box::new(Restore {
                    table: images.table.clone(),
                    key: images.key.clone(),
                    columns: images.columns.clone(),
                    row: row.clone(),
                }))
            })
        })
    };
    of(false).chain(of(true)).collect()
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
pub fn conflict(restore: &Restore, now: Option<&[Value]>) -> Conflict {
    let word = |image: Option<&[Value]>, i: usize| {
        image.and_then(|values| values.get(i)).map_or_else(|| "no row".into(), show)
    };
    let Restore { row, columns, .. } = restore;
    let (before, after) = (row.before.as_deref(), row.after.as_deref());
    let different = |i: &usize| {
        let now = now.and_then(|values| values.get(*i));
        now != after.and_then(|values| values.get(*i))
    };
    let changed = row.changed();
    let asked: Vec<usize> =
        if changed.is_empty() { (0..columns.len()).filter(different).collect() } else { changed };
    Conflict {
        table: restore.table.clone(),
        key: key_words(&restore.key, &row.key),
        columns: asked
            .into_iter()
            .map(|i| (columns[i].clone(), word(before, i), word(after, i), word(now, i)))
            .collect(),
    }
}

/// Rows that triggers inserted stay.
pub fn restored(images: &TableImages, row: &RowImage) -> bool {
    !(images.hidden && row.before.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(id: i64, before: Option<&str>, after: Option<&str>) -> RowImage {
        let image =
            |text: Option<&str>| text.map(|t| vec![Value::Integer(id), Value::Text(t.into())]);
        RowImage { key: vec![Value::Integer(id)], before: image(before), after: image(after) }
    }

    fn table(name: &str, hidden: bool, rows: Vec<RowImage>) -> TableImages {
        let columns = vec!["id".into(), "status".into()];
        TableImages { table: name.into(), key: vec!["id".into()], columns, rows, hidden }
    }

    #[test]
    fn an_artefact_survives_the_disk() {
        let images =
            vec![table("t", false, vec![row(1, Some("a"), Some("b")), row(2, None, Some("c"))])];
        let header = Header {
            op: "o".into(),
            step: "s".into(),
            target: "t".into(),
            server: "x".into(),
            tables: heads(&images),
        };
        assert_eq!(read(&write(&header, &images)).unwrap(), (header, images));
    }

    #[test]
    fn rows_that_a_trigger_inserted_stay_and_direct_rows_come_first() {
        let images = vec![
            table("audit", true, vec![row(9, None, Some("x"))]),
            table("total", true, vec![row(5, Some("1"), Some("2"))]),
            table("t", false, vec![row(1, Some("a"), Some("b"))]),
        ];
        let tables: Vec<String> = plan(&images)
            .into_iter()
            .map(|action| match action {
                Planned::Restore(restore) => restore.table,
                Planned::Sql { sql, .. } => sql,
            })
            .collect();
        assert_eq!(tables, ["t", "total"]);
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
