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

use super::images::shorten::stretch;
use super::{
    Drift, ImageRows, RowImage, StatementOutcome, TableHead, TableImages, TableWrites, thousands,
};
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
                "statement {}: {} rows at the preview, {} now",
                i + 1,
                then.rows,
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

/// `id 17`, or `(order_id 4, line 2)`.
pub fn key_words(names: &[String], key: &[Value]) -> String {
    let parts: Vec<String> = if names.len() == key.len() {
        names.iter().zip(key).map(|(name, value)| format!("{name} {}", show(value))).collect()
    } else {
        key.iter().map(show).collect()
    };
    if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(", ")) }
}

/// A value in a sentence; of a very long one its beginning, and how long it is.
pub fn show(value: &Value) -> String {
    value.as_ref().told().map_or_else(|| "NULL".into(), |text| visible::text(&text).into_owned())
}

/// A value before and after; of very long ones a stretch from where they differ, so that two that differ
/// are never shown alike.
pub fn show_pair(before: &Value, after: &Value) -> (String, String) {
    (show(&stretch(before, Some(after))), show(&stretch(after, Some(before))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Tally;
    use super::*;

    fn row(id: i64, status: &str) -> RowImage {
        let image = |status: &str| Some(vec![Value::Integer(id), Value::Text(status.into())]);
        RowImage { key: vec![Value::Integer(id)], before: image(status), after: image("now") }
    }

    fn table(rows: impl IntoIterator<Item = RowImage>) -> Vec<TableImages> {
        let head = TableHead {
            table: "t".into(),
            key: vec!["id".into()],
            columns: vec!["id".into(), "status".into()],
            hidden: false,
        };
        vec![TableImages { head, rows: ImageRows::of(rows).unwrap() }]
    }

    fn images(status: &str) -> Vec<TableImages> {
        table([row(1, status)])
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
    fn a_long_value_that_changes_at_its_end_is_shown_there() {
        let long = |end: &str| "a".repeat(10_000) + end;
        let (a, b) = (images(&long("open")), images(&long("shut")));
        let found = drift(seen(&a), seen(&b)).differences.concat();
        let (then, now) = found.split_once(" -> ").unwrap();
        assert!(then.ends_with("aaopen ... of 10.0 kB"), "{found}");
        assert!(now.ends_with("aashut ... of 10.0 kB"), "{found}");
    }

    #[test]
    fn what_a_row_becomes_is_not_part_of_it() {
        let later = Some(vec![Value::Integer(1), Value::Text("later".into())]);
        let (a, b) = (images("open"), table([RowImage { after: later, ..row(1, "open") }]));
        assert_eq!(fingerprint(seen(&a)), fingerprint(seen(&b)));
    }

    #[test]
    fn the_order_of_rows_is_not_part_of_it() {
        let (a, b) =
            (table((0..9).map(|id| row(id, "a"))), table((0..9).rev().map(|id| row(id, "a"))));
        assert_eq!(fingerprint(seen(&a)), fingerprint(seen(&b)));
    }

    #[test]
    fn one_of_very_many_rows_is_named_and_of_very_many_differences_the_first() {
        let all = || (0..9_000).map(|id| row(id, "open"));
        let then = table(all());
        let one = table(
            all().map(|r| if r.key[0] == Value::Integer(8_999) { row(8_999, "shut") } else { r }),
        );
        assert_eq!(
            drift(seen(&then), seen(&one)).differences,
            ["t id 8999 was changed since the preview: status open -> shut"]
        );
        let (more, fewer) = (table(all().chain([row(9_001, "new")])), table(all().skip(1)));
        assert_eq!(
            drift(seen(&then), seen(&more)).differences,
            ["t id 9001 would be changed, but was not in the preview"]
        );
        assert_eq!(
            drift(seen(&then), seen(&fewer)).differences,
            ["t id 0 was in the preview, but would not be changed now"]
        );
        for other in [table((0..9_000).map(|id| row(id, "shut"))), table([])] {
            let found = drift(seen(&then), seen(&other)).differences;
            assert_eq!(found.len(), 51);
            assert_eq!(found[50], "and 8,950 more differences");
        }
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

    mod any_run {
        use proptest::prelude::*;

        use super::*;

        #[derive(Debug, Clone)]
        struct Run {
            server: String,
            statements: Vec<StatementOutcome>,
            writes: Vec<TableWrites>,
            tables: Vec<(TableHead, Vec<RowImage>)>,
        }

        fn print(run: &Run) -> String {
            let images: Vec<TableImages> = run
                .tables
                .iter()
                .map(|(head, rows)| TableImages {
                    head: head.clone(),
                    rows: ImageRows::of(rows.iter().cloned()).unwrap(),
                })
                .collect();
            fingerprint(Seen {
                server: &run.server,
                statements: &run.statements,
                writes: &run.writes,
                images: &images,
            })
        }

        fn cell() -> impl Strategy<Value = Value> {
            prop_oneof![
                Just(Value::Null),
                any::<i64>().prop_map(Value::Integer),
                ".{0,6}".prop_map(Value::Text),
                prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::Bytes),
            ]
        }

        fn run() -> impl Strategy<Value = Run> {
            let rows = prop::collection::vec((cell(), cell(), cell()), 1..6);
            let tables = prop::collection::vec(rows, 1..3);
            (tables, "[a-z]{1,4}", 0u64..9, 0u64..9).prop_map(|(tables, server, n, hidden)| Run {
                server,
                statements: vec![StatementOutcome {
                    note: String::new(),
                    sql: "UPDATE t".into(),
                    rows: n,
                    seconds: 0.1,
                }],
                writes: vec![TableWrites {
                    table: "t".into(),
                    direct: Tally { updated: n, ..Tally::default() },
                    hidden: Tally { inserted: hidden, ..Tally::default() },
                }],
                tables: tables
                    .into_iter()
                    .enumerate()
                    .map(|(at, rows)| {
                        let head = TableHead {
                            table: format!("t{at}"),
                            key: vec!["id".into()],
                            columns: vec!["id".into(), "a".into()],
                            hidden: false,
                        };
                        let row = |(number, (_, before, after)): (usize, (Value, Value, Value))| {
                            let key = Value::Integer(i64::try_from(number).unwrap());
                            let image = |value| Some(vec![key.clone(), value]);
                            let (before, after) = (image(before), image(after));
                            RowImage { key: vec![key], before, after }
                        };
                        (head, rows.into_iter().enumerate().map(row).collect())
                    })
                    .collect(),
            })
        }

        proptest! {
            #[test]
            fn has_another_print_if_anything_that_was_seen_is_other(
                run in run(), what in 0u8..9, table in 0usize..9, row in 0usize..9, other in cell()
            ) {
                let mut changed = run.clone();
                let at = table % run.tables.len();
                let (head, rows) = &mut changed.tables[at];
                let row = row % rows.len();
                match what {
                    0 => changed.server.push('x'),
                    1 => changed.statements[0].rows += 1,
                    2 => changed.statements[0].sql.push(' '),
                    3 => changed.writes[0].direct.updated += 1,
                    4 => changed.writes[0].hidden.deleted += 1,
                    5 => head.table.push('x'),
                    6 => drop(rows.remove(row)),
                    7 => {
                        prop_assume!(rows[row].before.as_ref().unwrap()[1] != other);
                        rows[row].before.as_mut().unwrap()[1] = other;
                    }
                    _ => rows[row].key = vec![Value::Integer(-1)],
                }
                prop_assert_ne!(print(&run), print(&changed));
            }

            #[test]
            fn keeps_its_print_whatever_the_order_and_what_rows_become(run in run(), by in 0usize..9) {
                let mut same = run.clone();
                same.statements[0].seconds += 1.0;
                for (_, rows) in &mut same.tables {
                    let by = by % rows.len();
                    rows.rotate_left(by);
                    for row in rows {
                        row.after = None;
                    }
                }
                prop_assert_eq!(print(&run), print(&same));
            }
        }
    }
}
