//! Values as the file holds them, and texts as SQL must write them.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, TypeInfo as _, ValueRef as _};

use crate::value::Value;

pub(super) fn names(row: &SqliteRow) -> Vec<String> {
    use sqlx::Column as _;
    row.columns().iter().map(|column| column.name().to_owned()).collect()
}

pub(super) fn values(row: &SqliteRow) -> Result<Vec<Value>, sqlx::Error> {
    (0..row.len()).map(|column| value(row, column)).collect()
}

/// Whether a row holds text that came as the bytes it is.
pub(super) fn has_odd_text(row: &SqliteRow, values: &[Value]) -> bool {
    let is_text =
        |column| row.try_get_raw(column).is_ok_and(|raw| raw.type_info().name() == "TEXT");
    values.iter().enumerate().any(|(at, value)| matches!(value, Value::Bytes(_)) && is_text(at))
}

/// A value by its own storage class; the declared type of a column means nothing here.
pub(super) fn value(row: &SqliteRow, column: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let decoded = match kind.as_str() {
        "INTEGER" => <i64 as sqlx::Decode<Sqlite>>::decode(raw).map(Value::Integer),
        "REAL" => <f64 as sqlx::Decode<Sqlite>>::decode(raw).map(Value::Real),
        "BLOB" => <Vec<u8> as sqlx::Decode<Sqlite>>::decode(raw).map(Value::Bytes),
        _ => <&[u8] as sqlx::Decode<Sqlite>>::decode(raw).map(|bytes| {
            // Text that is not UTF-8 is kept as the bytes it is, so that nothing is made up.
            match std::str::from_utf8(bytes) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => Value::Bytes(bytes.to_owned()),
            }
        }),
    };
    decoded.map_err(sqlx::Error::Decode)
}

/// A name inside double quotes, always.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text of ours (a name from the catalogue) as a literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
