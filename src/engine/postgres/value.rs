//! Values as the server writes them.
//!
//! The simple protocol gives every type as the text of its output function: that text is exact, and
//! reading it back gives the same value. Only whole numbers and bytes have a form of their own here.

use std::borrow::Cow;

use sqlx::postgres::{PgRow, PgTypeInfo, PgValueFormat};
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};

use crate::value::{Value, ValueRef};

/// A value that lies in the row it came with, as far as it can.
#[derive(Debug)]
pub enum Cell<'r> {
    Null,
    Integer(i64),
    Text(Cow<'r, str>),
    Bytes(Vec<u8>),
}

impl Cell<'_> {
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(n) => ValueRef::Integer(*n),
            Self::Text(text) => ValueRef::Text(text),
            Self::Bytes(bytes) => ValueRef::Bytes(bytes),
        }
    }

    pub fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(n) => Value::Integer(n),
            Self::Text(text) => Value::Text(text.into_owned()),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

pub fn names(row: &PgRow) -> Vec<String> {
    use sqlx::Column as _;
    row.columns().iter().map(|column| column.name().to_owned()).collect()
}

pub fn row(row: &PgRow) -> Result<Vec<Cell<'_>>, sqlx::Error> {
    (0..row.len()).map(|column| cell(row, column)).collect()
}

fn cell(row: &PgRow, column: usize) -> Result<Cell<'_>, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    if raw.format() != PgValueFormat::Text {
        return Err(sqlx::Error::Decode("the server sent a value that is not text".into()));
    }
    let kind = kind(&raw.type_info());
    let bytes = raw.as_bytes().map_err(sqlx::Error::Decode)?;
    // A database without an encoding may hold anything; then the bytes are shown.
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(Cell::Bytes(bytes.to_owned())) };
    Ok(match kind {
        Kind::Integer => match text.parse() {
            Ok(number) => Cell::Integer(number),
            Err(_) => Cell::Text(Cow::Borrowed(text)),
        },
        Kind::Bytes => match text.strip_prefix("\\x").and_then(unhex) {
            Some(bytes) => Cell::Bytes(bytes),
            None => Cell::Text(Cow::Borrowed(text)),
        },
        Kind::Text => Cell::Text(Cow::Borrowed(text)),
    })
}

enum Kind {
    Integer,
    Bytes,
    Text,
}

fn kind(info: &PgTypeInfo) -> Kind {
    match info.name() {
        "INT2" | "INT4" | "INT8" => Kind::Integer,
        "BYTEA" => Kind::Bytes,
        _ => Kind::Text,
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
