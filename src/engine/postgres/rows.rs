//! Single rows by key: reading images, and putting rows back under their guard.
//!
//! Every value is written as a literal of the column's own type, which the server reads back into the
//! value it came from; every name is quoted. What a row holds is compared by its text, because not
//! every type knows what is equal, and because equal is not the same.

use super::Session;
use crate::engine::{Column, EngineError, Keyed, RowWrite, Table};
use crate::value::Value;

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

/// Key and guard: the row, and only as long as it holds exactly what it must hold.
fn condition(row: &RowWrite<'_>) -> Result<String, EngineError> {
    let mut parts = Vec::new();
    for (name, value) in row.key.0.iter().zip(row.key.1) {
        parts.push(format!("{} = {}", quoted(name), typed(value, &column(row.table, name)?.kind)));
    }
    for (name, value) in row.guard.0.iter().zip(row.guard.1) {
        let name = quoted(name);
        parts.push(match text(value) {
            // Also of a composite value, which IS NULL asks about its parts.
            None => format!("{name} IS NOT DISTINCT FROM NULL"),
            Some(text) => format!(
                "{name} IS DISTINCT FROM NULL AND format('%s', {name}) COLLATE \"C\" = {}",
                literal(&text)
            ),
        });
    }
    Ok(parts.join(" AND "))
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
        let name = relation(&table.name);
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
            let sql = format!("SELECT {wanted} FROM {name} WHERE {condition}");
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

    pub async fn insert_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        let (columns, values) = row.set;
        // A column that the server numbers by itself takes our number only when told to.
        let sql = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            relation(&row.table.name),
            list(columns),
            typed_all(row.table, columns, values)?.join(", ")
        );
        self.write(&sql).await
    }

    pub async fn update_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        let (columns, values) = row.set;
        let values = typed_all(row.table, columns, values)?;
        let set: Vec<String> = columns
            .iter()
            .zip(values)
            .map(|(name, value)| format!("{} = {value}", quoted(name)))
            .collect();
        let name = relation(&row.table.name);
        let sql = format!("UPDATE {name} SET {} WHERE {}", set.join(", "), condition(&row)?);
        self.write(&sql).await
    }

    pub async fn delete_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        let name = relation(&row.table.name);
        let sql = format!("DELETE FROM {name} WHERE {}", condition(&row)?);
        self.write(&sql).await
    }

    async fn write(&mut self, sql: &str) -> Result<u64, EngineError> {
        let limit = self.remaining();
        self.affected(sql, limit).await
    }
}
