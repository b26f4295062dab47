//! Values as the server writes them, and literals that mean the same under every setting.
//!
//! Everything is read in the text protocol: the server's own rendering is the only one that knows
//! zero dates, unsigned numbers and decimals of any width.

use sqlx::mysql::{MySql, MySqlRow};
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};

use crate::value::{Value, ValueRef, hex};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Integer,
    Real,
    Text,
    Bytes,
}

/// The shape of each column; a column of a `_bin` collation is text, only that of none is bytes.
pub fn shapes(row: &MySqlRow) -> Vec<Shape> {
    use sqlx::Column as _;
    row.columns()
        .iter()
        .map(|column| {
            let kind = column.type_info();
            match kind.name() {
                "BOOLEAN" | "YEAR" => Shape::Integer,
                "FLOAT" | "DOUBLE" => Shape::Real,
                "BIT" | "GEOMETRY" => Shape::Bytes,
                name if name.contains("INT") => Shape::Integer,
                "DECIMAL" | "JSON" | "DATE" | "TIME" | "DATETIME" | "TIMESTAMP" | "NULL" => {
                    Shape::Text
                }
                _ if <str as sqlx::Type<MySql>>::compatible(kind) => Shape::Text,
                _ if <[u8] as sqlx::Type<MySql>>::compatible(kind) => Shape::Bytes,
                _ => Shape::Text,
            }
        })
        .collect()
}

pub fn names(row: &MySqlRow) -> Vec<String> {
    use sqlx::Column as _;
    row.columns().iter().map(|column| column.name().to_owned()).collect()
}

pub fn value(row: &MySqlRow, column: usize, shape: Shape) -> Result<ValueRef<'_>, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(ValueRef::Null);
    }
    let bytes = <&[u8] as sqlx::Decode<MySql>>::decode(raw).map_err(sqlx::Error::Decode)?;
    if shape == Shape::Bytes {
        return Ok(ValueRef::Bytes(bytes));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(ValueRef::Bytes(bytes)) };
    Ok(match shape {
        Shape::Integer => text.parse().map_or(ValueRef::Text(text), ValueRef::Integer),
        Shape::Real => text.parse().map_or(ValueRef::Text(text), ValueRef::Real),
        Shape::Text | Shape::Bytes => ValueRef::Text(text),
    })
}

pub fn values(row: &MySqlRow, shapes: &[Shape]) -> Result<Vec<Value>, sqlx::Error> {
    shapes
        .iter()
        .enumerate()
        .map(|(column, shape)| value(row, column, *shape).map(ValueRef::to_owned))
        .collect()
}

/// A literal that no setting of quotes or backslashes can change.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => format!("{n:e}"),
        Value::Text(text) => format!("_utf8mb4 x'{}'", &hex(text.as_bytes())[2..]),
        Value::Bytes(bytes) => format!("x'{}'", &hex(bytes)[2..]),
    }
}

/// A text of ours (a name from the catalogue) as a literal.
pub fn text(text: &str) -> String {
    literal(&Value::Text(text.to_owned()))
}

/// A literal for people to read; still one that no setting can change.
pub fn readable(value: &Value) -> String {
    match value {
        Value::Text(text) if !text.contains('\\') && !text.chars().any(char::is_control) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        other => literal(other),
    }
}

/// A name inside backquotes, always; parts of a qualified name one by one.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

pub fn list(columns: &[String]) -> String {
    columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_has_nothing_that_a_setting_could_read_otherwise() {
        assert_eq!(literal(&Value::Text("a'\\".into())), "_utf8mb4 x'61275c'");
        assert_eq!(readable(&Value::Text("it's".into())), "'it''s'");
        assert_eq!(readable(&Value::Text("a\\b".into())), "_utf8mb4 x'615c62'");
        assert_eq!(literal(&Value::Real(0.1)), "1e-1");
        assert_eq!(quoted("a`b"), "`a``b`");
    }
}
