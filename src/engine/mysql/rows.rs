//! Single rows by key: reading images, and putting rows back under their guard.
//!
//! Values travel as literals that no setting can read otherwise, in the text protocol: a bound value
//! would come back in the binary one, which cannot say a zero date. A guard compares what the server
//! writes, byte by byte: a collation that takes `a` for `A` must not hide an edit.

use std::collections::HashSet;
use std::mem::discriminant;

use super::values::{list, literal, quoted, readable};
use super::{Session, nothing};
use crate::engine::book::name;
use crate::engine::{Column, EngineError, Keyed, RowWrite, Table};
use crate::value::{Value, ValueRef, hex};

/// Keys a statement; from a thousand on MariaDB makes a table of the list.
pub const BATCH: usize = 900;

/// Rows that one statement writes: for each row that it meets it looks through all of them.
const TOGETHER: usize = 100;
/// Far below what a server takes in one packet.
const MOST_TEXT: usize = 1 << 20;

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
    of_kind(kind(table, name), value).unwrap_or_else(|| literal(value))
}

/// What a column of this kind holds, where any other literal would be compared as something else.
fn of_kind(kind: &str, value: &Value) -> Option<String> {
    match value {
        Value::Text(text) if is_number(kind) && text.parse::<u64>().is_ok() => Some(text.clone()),
        // Written as `x'01'` it would be a text, and as a number that is zero.
        Value::Bytes(bytes) if kind.starts_with("bit") => Some(hex(bytes)),
        _ => None,
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
        // A key that only a collation takes for the same is another row.
        let wanted: HashSet<String> = keys.iter().map(|key| name(key)).collect();
        let mut found = self.found(table, columns, keys, "").await?;
        found.retain(|(key, _)| wanted.contains(&name(key)));
        Ok(found)
    }

    /// Shared on MySQL, where more asks for a right to write: a row that a trigger keeps may be nobody's to
    /// update. A shared lock that we write under has a deadlock with whoever waits for the row by then.
    pub async fn hold_rows(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Keyed>, EngineError> {
        let lock = if self.wire.is_mariadb() { " FOR UPDATE" } else { " LOCK IN SHARE MODE" };
        self.found(table, columns, keys, lock).await
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
            let query = query(table, columns, batch) + lock;
            for mut key in self.wire.rows(&query).await? {
                let row = key.split_off(table.key.len());
                found.push((key, row));
            }
        }
        Ok(found)
    }

    /// As the server's own rules want it, and the same under each of its settings.
    #[allow(clippy::unused_async)]
    pub async fn quote(&mut self, value: &Value) -> Result<String, EngineError> {
        Ok(readable(value))
    }

    #[allow(clippy::unused_async)]
    pub async fn quote_keys(
        &mut self,
        kind: &str,
        values: &[Value],
    ) -> Result<Vec<String>, EngineError> {
        Ok(values
            .iter()
            .map(|value| of_kind(kind, value).unwrap_or_else(|| readable(value)))
            .collect())
    }

    pub async fn insert_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        self.write(rows, insert).await
    }

    pub async fn update_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        self.write(rows, update).await
    }

    pub async fn delete_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        self.write(rows, delete).await
    }

    /// Many rows in one statement, and where that cannot be or not all of them were written each by itself;
    /// says which were.
    async fn write(
        &mut self,
        rows: &[RowWrite<'_>],
        statement: fn(&[RowWrite<'_>]) -> Option<String>,
    ) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for some in rows.chunks(TOGETHER) {
            let many = if some.len() > 1 { statement(some) } else { None };
            if let Some(sql) = many.filter(|sql| sql.len() <= MOST_TEXT)
                && self.write_together(some, &sql).await?
            {
                held.resize(held.len() + some.len(), true);
                continue;
            }
            for row in some {
                let sql = statement(std::slice::from_ref(row)).expect("one row can be written");
                held.push(self.write_alone(row, &sql).await?);
            }
        }
        Ok(held)
    }

    /// Writes all of these rows or none of them.
    async fn write_together(
        &mut self,
        rows: &[RowWrite<'_>],
        sql: &str,
    ) -> Result<bool, EngineError> {
        let Some(first) = rows.first() else { return Ok(true) };
        self.exactly(has_moments(first)).await?;
        self.wire.run("SAVEPOINT steadyhand_together").await?;
        let limit = self.time_left(super::ALONE)?;
        let many = rows.len() as u64;
        match self.wire.work(sql, limit, &mut nothing).await {
            Ok(done) if done.affected == many => {}
            Ok(_) | Err(EngineError::Rejected { .. }) => {
                self.wire.run("ROLLBACK TO SAVEPOINT steadyhand_together").await?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        for row in rows {
            self.note_key(&row.table.name, row.key.1);
        }
        if let Some(watch) = &mut self.watch {
            watch.count_puts(many);
        }
        Ok(true)
    }

    async fn write_alone(&mut self, row: &RowWrite<'_>, sql: &str) -> Result<bool, EngineError> {
        self.exactly(has_moments(row)).await?;
        self.note_key(&row.table.name, row.key.1);
        if row.key.0 == row.set.0 && row.key.1 != row.set.1 {
            self.note_key(&row.table.name, row.set.1);
        }
        let limit = self.time_left(super::ALONE)?;
        let written = self.wire.work(sql, limit, &mut nothing).await?.affected == 1;
        if written && let Some(watch) = &mut self.watch {
            watch.count_puts(1);
        }
        Ok(written)
    }
}

/// Triggers may ask for the time of day: only where a moment is written does UTC matter more.
fn has_moments(row: &RowWrite<'_>) -> bool {
    let of =
        |names: &[String]| names.iter().any(|name| kind(row.table, name).starts_with("timestamp"));
    of(row.key.0) || of(row.guard.0) || of(row.set.0)
}

fn insert(rows: &[RowWrite<'_>]) -> Option<String> {
    let first = rows.first()?;
    let values = rows.iter().map(|row| {
        let values = row.set.1.iter().map(literal).collect::<Vec<_>>().join(", ");
        format!("({values})")
    });
    let values = values.collect::<Vec<_>>().join(", ");
    let (table, columns) = (quoted(&first.table.name), list(first.set.0));
    Some(format!("INSERT INTO {table} ({columns}) VALUES {values}"))
}

fn update(rows: &[RowWrite<'_>]) -> Option<String> {
    let first = rows.first()?;
    // A row is told from the others by its key, which must still be what it was when the next column is set.
    if rows.len() > 1 && first.set.0.iter().any(|name| first.key.0.contains(name)) {
        return None;
    }
    let mut set = Vec::with_capacity(first.set.0.len());
    for (at, name) in first.set.0.iter().enumerate() {
        set.push(format!("{} = {}", quoted(name), given(rows, at)?));
    }
    // A moment that the server would set by itself on every update keeps what it has.
    let kept = first.table.columns.iter().filter(|column| {
        let moment = ["timestamp", "datetime"].iter().any(|kind| column.kind.starts_with(kind));
        moment && !column.generated && !first.set.0.contains(&column.name)
    });
    set.extend(kept.map(|column| format!("{0} = {0}", quoted(&column.name))));
    let (table, set) = (quoted(&first.table.name), set.join(", "));
    Some(format!("UPDATE {table} SET {set} WHERE {}", any(rows)))
}

fn delete(rows: &[RowWrite<'_>]) -> Option<String> {
    let table = quoted(&rows.first()?.table.name);
    Some(format!("DELETE FROM {table} WHERE {}", any(rows)))
}

/// What each row is given in a column. The server takes all of it for values of one kind, so they must be.
fn given(rows: &[RowWrite<'_>], at: usize) -> Option<String> {
    let values = rows.iter().map(|row| &row.set.1[at]);
    let first = values.clone().next()?;
    if values.clone().all(|value| value == first) {
        return Some(literal(first));
    }
    let mut kinds = values.clone().filter(|value| **value != Value::Null).map(discriminant);
    let kind = kinds.next();
    if kinds.any(|other| Some(other) != kind) {
        return None;
    }
    let cases = rows.iter().zip(values).map(|(row, value)| {
        let key = row.key.0.iter().zip(row.key.1);
        let key = all(key.map(|(name, value)| holds(row.table, name, value)));
        format!("WHEN {key} THEN {}", literal(value))
    });
    Some(format!("CASE {} END", cases.collect::<Vec<_>>().join(" ")))
}

fn any(rows: &[RowWrite<'_>]) -> String {
    let rows = rows.iter().map(|row| format!("({})", condition(row)));
    rows.collect::<Vec<_>>().join(" OR ")
}

pub fn owned(row: &[ValueRef<'_>]) -> Vec<Value> {
    row.iter().map(|value| (*value).to_owned()).collect()
}
