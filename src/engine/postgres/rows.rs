//! Single rows by key: reading images, and putting rows back under their guard.
//!
//! Every value is written as a literal of the column's own type, which the server reads back into the
//! value it came from; every name is quoted. What a row holds is compared by its text, because not
//! every type knows what is equal, and because equal is not the same.

use std::collections::HashSet;

use super::Session;
use crate::engine::book::name;
use crate::engine::{Column, EngineError, Keyed, RowWrite, Table};
use crate::value::Value;

/// Rows that one statement writes.
const MANY: usize = 500;

/// A name inside double quotes, always.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal that means the same whatever the server takes a backslash for.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A table of the catalogue by its own name, or with the schema in front.
pub fn relation(name: &str) -> String {
    match name.split_once('.') {
        Some((schema, name)) => format!("{}.{}", quoted(schema), quoted(name)),
        None => quoted(name),
    }
}

/// Of a table and those that inherit from it, its own rows; the parts of a partitioned one are its own.
fn own_rows(table: &str) -> String {
    let table = literal(&relation(table));
    format!(
        "(r.tableoid = {table}::regclass OR EXISTS \
         (SELECT FROM pg_partitioned_table WHERE partrelid = {table}::regclass))"
    )
}

pub fn list(columns: &[String]) -> String {
    columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// The value as its type's output function writes it.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(n) => Some(n.to_string()),
        Value::Real(n) => Some(n.to_string()),
        Value::Text(text) => Some(text.clone()),
        Value::Bytes(bytes) => Some(crate::value::hex(bytes).replacen("0x", "\\x", 1)),
    }
}

/// A value as a literal of a column's type.
fn typed(value: &Value, kind: &str) -> String {
    match text(value) {
        None => format!("NULL::{kind}"),
        Some(text) => format!("{}::{kind}", literal(&text)),
    }
}

fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, EngineError> {
    let found = table.columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| EngineError::Database {
        message: format!("column {name} of {} is not there any more", table.name),
    })
}

fn typed_all(
    table: &Table,
    columns: &[String],
    values: &[Value],
) -> Result<Vec<String>, EngineError> {
    let pairs = columns.iter().zip(values);
    pairs.map(|(name, value)| Ok(typed(value, &column(table, name)?.kind))).collect()
}

/// A row of the list that rows to write are joined with: its number, the key, what it must hold, and
/// what it gets.
fn listed(number: usize, row: &RowWrite<'_>) -> Result<String, EngineError> {
    let mut parts = vec![number.to_string()];
    parts.extend(typed_all(row.table, row.key.0, row.key.1)?);
    let guard =
        row.guard.1.iter().map(|value| text(value).map_or("NULL".into(), |it| literal(&it)));
    parts.extend(guard.map(|value: String| format!("{value}::text")));
    parts.extend(typed_all(row.table, row.set.0, row.set.1)?);
    Ok(format!("({})", parts.join(", ")))
}

/// The columns of that list, and how it finds its rows: by key, and only as long as they hold exactly
/// what they must hold.
fn join(row: &RowWrite<'_>) -> (String, String) {
    let (mut columns, mut parts) = (Vec::new(), Vec::new());
    for (number, name) in row.key.0.iter().enumerate() {
        columns.push(format!("k{number}"));
        parts.push(format!("r.{} = v.k{number}", quoted(name)));
    }
    for (number, name) in row.guard.0.iter().enumerate() {
        columns.push(format!("g{number}"));
        let name = format!("r.{}", quoted(name));
        // Not IS NULL, which asks a composite value about its parts.
        parts.push(format!(
            "CASE WHEN v.g{number} IS NULL THEN {name} IS NOT DISTINCT FROM NULL ELSE \
             {name} IS DISTINCT FROM NULL AND format('%s', {name}) COLLATE \"C\" = v.g{number} END"
        ));
    }
    columns.extend((0..row.set.0.len()).map(|number| format!("s{number}")));
    (columns.join(", "), parts.join(" AND "))
}

impl Session {
    pub async fn rows_by_key(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Keyed>, EngineError> {
        const BATCH: usize = 1_000;
        if table.key.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(keys.len());
        let (name, own) = (relation(&table.name), own_rows(&table.name));
        let names = list(&table.key);
        let wanted = columns.iter().fold(names.clone(), |all, name| all + ", " + &quoted(name));
        for batch in keys.chunks(BATCH) {
            let mut rows = Vec::with_capacity(batch.len());
            for key in batch {
                rows.push(format!("({})", typed_all(table, &table.key, key)?.join(", ")));
            }
            let rows = rows.join(", ");
            let condition = if table.key.len() == 1 {
                format!("{names} IN ({rows})")
            } else {
                format!("({names}) IN (VALUES {rows})")
            };
            let sql = format!("SELECT {wanted} FROM {name} AS r WHERE {condition} AND {own}");
            for mut row in self.rows(&sql).await? {
                let rest = row.split_off(table.key.len());
                found.push((row, rest));
            }
        }
        Ok(found)
    }

    /// The server itself quotes a text.
    pub async fn quote(&mut self, value: &Value) -> Result<String, EngineError> {
        match value {
            Value::Null => Ok("NULL".into()),
            Value::Integer(n) => Ok(n.to_string()),
            Value::Real(_) | Value::Text(_) | Value::Bytes(_) => {
                let plain = text(value).unwrap_or_default();
                if plain.contains('\0') {
                    let message = "a text with the character U+0000 cannot be stored there".into();
                    return Err(EngineError::Refused { message });
                }
                let sql = format!("SELECT quote_literal({})", literal(&plain));
                Ok(self.text(&sql).await?.unwrap_or_else(|| "NULL".into()))
            }
        }
    }

    pub async fn quote_keys(
        &mut self,
        _kind: &str,
        values: &[Value],
    ) -> Result<Vec<String>, EngineError> {
        if values.iter().all(|value| matches!(value, Value::Integer(_))) {
            return Ok(values.iter().filter_map(text).collect());
        }
        let plain: Vec<String> =
            values.iter().map(|value| text(value).unwrap_or_default()).collect();
        if plain.iter().any(|plain| plain.contains('\0')) {
            let message = "a text with the character U+0000 cannot be stored there".into();
            return Err(EngineError::Refused { message });
        }
        let list: Vec<String> = plain.iter().map(|plain| literal(plain)).collect();
        let sql = format!(
            "SELECT quote_literal(x) FROM unnest(ARRAY[{}]) WITH ORDINALITY AS u (x, n) ORDER BY n",
            list.join(", ")
        );
        let rows = self.rows(&sql).await?;
        Ok(rows.iter().filter_map(|row| row[0].as_ref().plain()).collect())
    }

    /// Many in one statement; those that a trigger leaves out do not come back from it.
    pub async fn insert_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for some in rows.chunks(MANY) {
            let Some(first) = some.first() else { continue };
            let mut values = Vec::with_capacity(some.len());
            for row in some {
                let row = typed_all(row.table, row.set.0, row.set.1)?.join(", ");
                values.push(format!("({row})"));
            }
            // A column that the server numbers by itself takes our number only when told to.
            let sql = format!(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {} RETURNING {}",
                relation(&first.table.name),
                list(first.set.0),
                values.join(", "),
                list(first.key.0)
            );
            let limit = self.remaining();
            let added = self.send(&sql, limit).await?.0;
            let added: HashSet<String> = added.iter().map(|key| name(key)).collect();
            held.extend(some.iter().map(|row| added.contains(&name(row.key.1))));
        }
        Ok(held)
    }

    pub async fn update_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let set = first.set.0.iter().enumerate();
        let set: Vec<String> =
            set.map(|(number, name)| format!("{} = v.s{number}", quoted(name))).collect();
        let table = relation(&first.table.name);
        let start = format!("UPDATE {table} AS r SET {} FROM", set.join(", "));
        self.write(rows, &start).await
    }

    pub async fn delete_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let start = format!("DELETE FROM {} AS r USING", relation(&first.table.name));
        self.write(rows, &start).await
    }

    /// Many rows in one statement, each with its number, which comes back if its guard held. One by
    /// one where a trigger may write to the next row before the statement gets there: the server
    /// refuses to write over that.
    async fn write(
        &mut self,
        rows: &[RowWrite<'_>],
        start: &str,
    ) -> Result<Vec<bool>, EngineError> {
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let alone = rows.len() > 1 && self.has_early_triggers(&first.table.name).await?;
        let (columns, condition) = join(first);
        let own = own_rows(&first.table.name);
        let mut held = vec![false; rows.len()];
        let many = if alone { 1 } else { MANY };
        for (batch, rows) in rows.chunks(many).enumerate() {
            let mut values = Vec::with_capacity(rows.len());
            for (number, row) in rows.iter().enumerate() {
                values.push(listed(number + batch * many, row)?);
            }
            let sql = format!(
                "{start} (VALUES {}) AS v (n, {columns}) WHERE {condition} AND {own} RETURNING v.n",
                values.join(", ")
            );
            let limit = self.remaining();
            for row in self.send(&sql, limit).await?.0 {
                if let Some(Value::Integer(number)) = row.first() {
                    held[usize::try_from(*number).expect("it was counted here")] = true;
                }
            }
        }
        Ok(held)
    }

    /// Also of one of its parts alone.
    async fn has_early_triggers(&mut self, table: &str) -> Result<bool, EngineError> {
        // Bit 0: for each row; bit 1: before it.
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 3 = 3 \
             AND (tgrelid = {table}::regclass OR tgrelid IN (SELECT relid FROM pg_partition_tree({table}))))",
            table = literal(&relation(table))
        );
        Ok(self.text(&sql).await?.as_deref() != Some("f"))
    }
}
