//! Fingerprint: whether two runs of one plan did the same to the same rows.
//!
//! It covers server, statements, counts, writes of every table, and key and before-image of every
//! row that existed. Rows that the change inserts count by number only: their keys may come from a
//! sequence, and what a row becomes may hold the time of day. Pure.

use super::{Drift, RowImage, StatementOutcome, TableImages, TableWrites};
use crate::digest::Running;
use crate::value::Value;
use crate::value::visible;

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
        let mut existing: Vec<&RowImage> =
            images.rows.iter().filter(|row| row.before.is_some()).collect();
        existing.sort_by_cached_key(|row| json(&row.key));
        line(format!("table {} {}", json(&images.table), json(&images.columns)));
        for row in existing {
            line(format!("row {} {}", json(&row.key), json(&row.before)));
        }
    }
    hash.finish()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

/// Says what differs, row by row where it can.
pub fn drift(preview: Seen<'_>, execution: Seen<'_>) -> Drift {
    let mut differences = Vec::new();
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
                "statement {}: {} rows at the preview, {} now",
                i + 1,
                then.rows,
                now.rows
            ));
        }
    }
    tables(preview, execution, &mut differences);
    rows(preview.images, execution.images, &mut differences);
    Drift { differences }
}

fn tables(preview: Seen<'_>, execution: Seen<'_>, differences: &mut Vec<String>) {
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
            differences.push(format!(
                "{name}: {} + {} hidden at the preview, {} + {} hidden now",
                then.0.words(),
                then.1.words(),
                now.0.words(),
                now.1.words()
            ));
        }
    }
}

fn rows(preview: &[TableImages], execution: &[TableImages], differences: &mut Vec<String>) {
    const SHOWN: usize = 50;
    let empty = |table: &TableImages| TableImages { rows: Vec::new(), ..table.clone() };
    for now in execution {
        let then = preview.iter().find(|table| table.table == now.table).cloned();
        let then = then.unwrap_or_else(|| empty(now));
        differences.extend(table_rows(&then, now));
    }
    for then in preview {
        if !execution.iter().any(|table| table.table == then.table) {
            differences.extend(table_rows(then, &empty(then)));
        }
    }
    if differences.len() > SHOWN {
        let more = differences.len() - SHOWN;
        differences.truncate(SHOWN);
        differences.push(format!("and {more} more differences"));
    }
}

fn table_rows(then: &TableImages, now: &TableImages) -> Vec<String> {
    use std::collections::BTreeMap;
    fn existing(table: &TableImages) -> BTreeMap<String, &RowImage> {
        let rows = table.rows.iter().filter(|row| row.before.is_some());
        rows.map(|row| (key_words(&table.key, &row.key), row)).collect()
    }
    let (old, new) = (existing(then), existing(now));
    let mut found = Vec::new();
    for (key, row) in &new {
        match old.get(key) {
            None => found
                .push(format!("{} {key} would be changed, but was not in the preview", now.table)),
            Some(before) if before.before != row.before => {
                found.push(format!(
                    "{} {key} was changed since the preview: {}",
                    now.table,
                    values(then, before, row)
                ));
            }
            Some(_) => {}
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        found
            .push(format!("{} {key} was in the preview, but would not be changed now", then.table));
    }
    found
}

fn values(table: &TableImages, then: &RowImage, now: &RowImage) -> String {
    let (Some(then), Some(now)) = (&then.before, &now.before) else { return String::new() };
    table
        .columns
        .iter()
        .zip(then.iter().zip(now))
        .filter(|(_, (then, now))| then != now)
        .map(|(column, (then, now))| format!("{column} {} -> {}", show(then), show(now)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `id 17`, or `(order_id 4, line 2)`.
pub fn key_words(names: &[String], key: &[Value]) -> String {
    let parts: Vec<String> = if names.len() == key.len() {
        names.iter().zip(key).map(|(name, value)| format!("{name} {}", show(value))).collect()
    } else {
        key.iter().map(show).collect()
    };
    if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(", ")) }
}

/// A value in a sentence.
pub fn show(value: &Value) -> String {
    value.as_ref().plain().map_or_else(|| "NULL".into(), |text| visible::text(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Tally;
    use super::*;

    fn images(status: &str) -> Vec<TableImages> {
        vec![TableImages {
            table: "t".into(),
            key: vec!["id".into()],
            columns: vec!["id".into(), "status".into()],
            rows: vec![RowImage {
                key: vec![Value::Integer(1)],
                before: Some(vec![Value::Integer(1), Value::Text(status.into())]),
                after: Some(vec![Value::Integer(1), Value::Text("now".into())]),
            }],
            hidden: false,
        }]
    }

    fn seen(images: &[TableImages]) -> Seen<'_> {
        Seen { server: "s", statements: &[], writes: &[], images }
    }

    #[test]
    fn an_edit_of_one_row_changes_the_fingerprint_and_is_shown() {
        let (a, b) = (images("open"), images("closed"));
        assert_ne!(fingerprint(seen(&a)), fingerprint(seen(&b)));
        assert_eq!(
            drift(seen(&a), seen(&b)).differences,
            ["t id 1 was changed since the preview: status open -> closed"]
        );
    }

    #[test]
    fn what_a_row_becomes_is_not_part_of_it() {
        let (a, mut b) = (images("open"), images("open"));
        b[0].rows[0].after = Some(vec![Value::Integer(1), Value::Text("later".into())]);
        assert_eq!(fingerprint(seen(&a)), fingerprint(seen(&b)));
    }

    #[test]
    fn hidden_writes_are_part_of_it() {
        let one = |n| {
            vec![TableWrites {
                table: "audit".into(),
                direct: Tally::default(),
                hidden: Tally { inserted: n, ..Tally::default() },
            }]
        };
        let (a, b) = (one(1), one(2));
        let of = |writes| Seen { server: "s", statements: &[], writes, images: &[] };
        assert_ne!(fingerprint(of(&a)), fingerprint(of(&b)));
        assert_eq!(drift(of(&a), of(&b)).differences.len(), 1);
    }
}
