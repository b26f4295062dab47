//! Values as the server writes them.
//!
//! The simple protocol gives every type as the text of its output function: that text is exact, and
//! reading it back gives the same value. Only whole numbers and bytes have a form of their own here.

use std::borrow::Cow;

use sqlx::postgres::{PgRow, PgValueFormat};
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

    /// Apart from the row it came with.
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(n) => Cell::Integer(n),
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Cell::Bytes(bytes),
        }
    }

    /// How many bytes of memory it takes, about.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Integer(_) => 0,
                Self::Text(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
            }
    }
}

impl<'a> From<&'a Cell<'_>> for ValueRef<'a> {
    fn from(cell: &'a Cell<'_>) -> Self {
        cell.as_ref()
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(n) => Self::Integer(n),
            Cell::Text(text) => Self::Text(text.into_owned()),
            Cell::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// The columns of a result, as its first row knows them.
#[derive(Debug)]
pub struct Columns {
    pub names: Vec<String>,
    kinds: Vec<Kind>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Integer,
    Bytes,
    Text,
}

impl Columns {
    pub fn of(row: &PgRow) -> Self {
        use sqlx::Column as _;
        let names = row.columns().iter().map(|column| column.name().to_owned()).collect();
        let kinds = row.columns().iter().map(|column| match column.type_info().name() {
            "INT2" | "INT4" | "INT8" => Kind::Integer,
            "BYTEA" => Kind::Bytes,
            _ => Kind::Text,
        });
        Self { names, kinds: kinds.collect() }
    }

    pub fn cells<'r>(&self, row: &'r PgRow) -> Result<Vec<Cell<'r>>, sqlx::Error> {
        let mut cells = Vec::with_capacity(self.kinds.len());
        for (column, kind) in self.kinds.iter().enumerate() {
            cells.push(cell(row, column, *kind)?);
        }
        Ok(cells)
    }
}

fn cell(row: &PgRow, column: usize, kind: Kind) -> Result<Cell<'_>, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    if raw.format() != PgValueFormat::Text {
        return Err(sqlx::Error::Decode("the server sent a value that is not text".into()));
    }
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

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
