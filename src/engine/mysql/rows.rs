//! Single rows by key: reading images, and putting rows back under their guard.
//!
//! Values travel as literals that no setting can read otherwise, in the text protocol: a bound value
//! would come back in the binary one, which cannot say a zero date. A guard compares what the server
//! writes, byte by byte: a collation that takes `a` for `A` must not hide an edit.

use std::collections::HashSet;

use super::values::{list, literal, quoted, readable};
use super::{Session, nothing};
use crate::engine::book::name;
use crate::engine::{Column, EngineError, Keyed, RowWrite, Table};
use crate::value::{Value, ValueRef, hex};

/// Keys a statement; from a thousand on MariaDB makes a table of the list.
pub const BATCH: usize = 900;

/// Numbers without a gap, as a range: a list would have to be written, sent and read again.
fn run(keys: &[Vec<Value>]) -> Option<(i64, i64)> {
    let number = |key: &Vec<Value>| match key.as_slice() {
        [Value::Integer(n)] => Some(*n),
        _ => None,
    };
    let first = number(keys.first()?)?;
    let whole = keys.iter().zip(first..).all(|(key, n)| number(key) == Some(n));
    whole.then(|| (first, first + i64::try_from(keys.len()).unwrap_or(1) - 1))
}

fn kind<'t>(table: &'t Table, name: &str) -> &'t str {
    let found: Option<&Column> = table.columns.iter().find(|column| column.name == name);
    found.map_or("", |column| &column.kind)
}

/// By the word of the type alone: what an ENUM may hold stands behind it.
fn is_number(kind: &str) -> bool {
    let word = kind.split(['(', ' ']).next().unwrap_or_default();
    ["tinyint", "smallint", "mediumint", "int", "bigint", "year"].contains(&word)
}

/// A column as it must be selected to be put back exactly.
pub fn exact(table: &Table, name: &str) -> String {
    let column = quoted(name);
    match kind(table, name) {
        // The text of a float has fewer digits than the float.
        kind if kind.starts_with("float") => format!("({column} + 0e0)"),
        kind if kind.starts_with("uuid") || kind.starts_with("inet") => {
            format!("CONVERT({column} USING utf8mb4)")
        }
        _ => column,
    }
}

/// That a column holds exactly this, NULL included.
fn holds(table: &Table, name: &str, value: &Value) -> String {
    let column = quoted(name);
    let bytes = |text: &str| literal(&Value::Bytes(text.as_bytes().to_vec()));
    match value {
        Value::Null => format!("{column} IS NULL"),
        Value::Integer(n) => format!("{column} <=> {n}"),
        Value::Real(_) => format!("({column} + 0e0) <=> {}", literal(value)),
        // Beyond what a signed number holds.
        Value::Text(text) if is_number(kind(table, name)) && text.parse::<u64>().is_ok() => {
            format!("{column} <=> {text}")
        }
        Value::Text(text) => {
            format!("CAST(CONVERT({column} USING utf8mb4) AS BINARY) <=> {}", bytes(text))
        }
        Value::Bytes(_) => format!("CAST({column} AS BINARY) <=> {}", literal(value)),
    }
}

/// The same in a form that an index can serve; may be true of a few others too.
fn found_by(table: &Table, name: &str, value: &Value) -> String {
    match value {
        Value::Null => format!("{} IS NULL", quoted(name)),
        value => format!("{} = {}", quoted(name), part(table, name, value)),
    }
}

/// A part of a key as a literal that the server compares as what the column holds.
pub(super) fn part(table: &Table, name: &str, value: &Value) -> String {
    let kind = kind(table, name);
    match value {
        Value::Text(text) if is_number(kind) && text.parse::<u64>().is_ok() => text.clone(),
        // Written as `x'01'` it would be a text, and as a number that is zero.
        Value::Bytes(bytes) if kind.starts_with("bit") => hex(bytes),
        value => literal(value),
    }
}

fn all(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" AND ")
}

/// Key and guard: the row, and only as long as it holds what it must hold.
fn condition(row: &RowWrite<'_>) -> String {
    let key = || row.key.0.iter().zip(row.key.1);
    let guard = row.guard.0.iter().zip(row.guard.1);
    all(key()
        .map(|(name, value)| found_by(row.table, name, value))
        .chain(key().chain(guard).map(|(name, value)| holds(row.table, name, value))))
}

/// A query for the rows of these keys: the key, then the columns.
fn query(table: &Table, columns: &[String], keys: &[Vec<Value>]) -> String {
    let selected = table.key.iter().chain(columns).map(|name| exact(table, name));
    let rows = match (table.key.as_slice(), run(keys)) {
        ([one], Some((first, last))) => format!("{} BETWEEN {first} AND {last}", quoted(one)),
        ([one], None) => {
            let literals = keys.iter().filter_map(|key| key.first());
            let literals = literals.map(|value| part(table, one, value));
            format!("{} IN ({})", quoted(one), literals.collect::<Vec<_>>().join(", "))
        }
        // Not as a list of rows, which the server would compare with every row of the table.
        (names, _) => {
            let one = |key: &Vec<Value>| {
                let parts = names.iter().zip(key);
                format!("({})", all(parts.map(|(name, value)| found_by(table, name, value))))
            };
            keys.iter().map(one).collect::<Vec<_>>().join(" OR ")
        }
    };
    let selected = selected.collect::<Vec<_>>().join(", ");
    format!("SELECT {selected} FROM {} WHERE {rows}", quoted(&table.name))
}

impl Session {
    pub async fn rows_by_key(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Keyed>, EngineError> {
        self.found(table, columns, keys, "").await
    }

    /// Shared, which asks for no right to write: a row that a trigger keeps may be nobody's to update.
    pub async fn hold_rows(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Keyed>, EngineError> {
        self.found(table, columns, keys, " LOCK IN SHARE MODE").await
    }

    async fn found(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
        lock: &str,
    ) -> Result<Vec<Keyed>, EngineError> {
        if table.key.is_empty() || keys.is_empty() {
            return Ok(Vec::new());
        }
        self.exactly(true).await?;
        let mut found = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let wanted: HashSet<String> = batch.iter().map(|key| name(key)).collect();
            let query = query(table, columns, batch) + lock;
            for mut key in self.wire.rows(&query).await? {
                let row = key.split_off(table.key.len());
                // A key that only a collation takes for the same is another row.
                if wanted.contains(&name(&key)) {
                    found.push((key, row));
                }
            }
        }
        Ok(found)
    }

    /// As the server's own rules want it, and the same under each of its settings.
    #[allow(clippy::unused_async)]
    pub async fn quote(&mut self, value: &Value) -> Result<String, EngineError> {
        Ok(readable(value))
    }

    pub async fn quote_all(&mut self, values: &[Value]) -> Result<Vec<String>, EngineError> {
        let mut quoted = Vec::with_capacity(values.len());
        for value in values {
            quoted.push(self.quote(value).await?);
        }
        Ok(quoted)
    }

    pub async fn insert_row(&mut self, row: RowWrite<'_>) -> Result<bool, EngineError> {
        let (columns, values) = row.set;
        let values = values.iter().map(literal).collect::<Vec<_>>().join(", ");
        let (table, columns) = (quoted(&row.table.name), list(columns));
        self.write(&row, &format!("INSERT INTO {table} ({columns}) VALUES ({values})")).await
    }

    pub async fn update_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            held.push(self.update_row(row).await?);
        }
        Ok(held)
    }

    async fn update_row(&mut self, row: &RowWrite<'_>) -> Result<bool, EngineError> {
        let set = row.set.0.iter().zip(row.set.1);
        let set = set.map(|(name, value)| format!("{} = {}", quoted(name), literal(value)));
        // A moment that the server would set by itself on every update keeps what it has.
        let kept = row.table.columns.iter().filter(|column| {
            let moment = ["timestamp", "datetime"].iter().any(|kind| column.kind.starts_with(kind));
            moment && !column.generated && !row.set.0.contains(&column.name)
        });
        let kept = kept.map(|column| format!("{0} = {0}", quoted(&column.name)));
        let set = set.chain(kept).collect::<Vec<_>>().join(", ");
        let (table, rows) = (quoted(&row.table.name), condition(row));
        self.write(row, &format!("UPDATE {table} SET {set} WHERE {rows}")).await
    }

    pub async fn delete_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            let (table, one) = (quoted(&row.table.name), condition(row));
            held.push(self.write(row, &format!("DELETE FROM {table} WHERE {one}")).await?);
        }
        Ok(held)
    }

    /// Whether a row was written.
    async fn write(&mut self, row: &RowWrite<'_>, sql: &str) -> Result<bool, EngineError> {
        // Triggers may ask for the time of day: only where a moment is written does UTC matter more.
        let of = |names: &[String]| {
            names.iter().any(|name| kind(row.table, name).starts_with("timestamp"))
        };
        let moments = of(row.key.0) || of(row.guard.0) || of(row.set.0);
        self.exactly(moments).await?;
        self.note_key(&row.table.name, row.key.1);
        let limit = self.time_left(super::ALONE)?;
        let written = self.wire.work(sql, limit, &mut nothing).await?.affected == 1;
        if written && let Some(watch) = &mut self.watch {
            watch.count_put();
        }
        Ok(written)
    }
}

pub fn owned(row: &[ValueRef<'_>]) -> Vec<Value> {
    row.iter().map(|value| (*value).to_owned()).collect()
}
