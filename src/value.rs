//! Values and rows as a database returned them: what is shown, compared, exported and restored.
//!
//! `Rows` keeps all bytes in one arena, so a hundred thousand rows are three allocations and not a
//! million. Knows no engine, no check, no screen.

pub mod charset;
pub mod known;
pub mod needle;
pub mod pile;
pub mod room;
pub mod sorter;
pub mod visible;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One value that owns its bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// One value looked at where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Value {
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(n) => ValueRef::Integer(*n),
            Self::Real(n) => ValueRef::Real(*n),
            Self::Text(text) => ValueRef::Text(text),
            Self::Bytes(bytes) => ValueRef::Bytes(bytes),
        }
    }

    /// The bytes of a text or of bytes.
    pub fn raw(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Null | Self::Integer(_) | Self::Real(_) => &[],
        }
    }

    /// How many bytes of memory it takes, about.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.raw().len()
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        value.as_ref()
    }
}

impl ValueRef<'_> {
    pub fn to_owned(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(n) => Value::Integer(n),
            Self::Real(n) => Value::Real(n),
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::Bytes(bytes) => Value::Bytes(bytes.to_owned()),
        }
    }

    /// At most so many bytes of it, and how many it has.
    pub fn beginning(self, most: usize) -> (Self, usize) {
        match self {
            Self::Text(text) => (Self::Text(&text[..text.floor_char_boundary(most)]), text.len()),
            Self::Bytes(bytes) => (Self::Bytes(&bytes[..bytes.len().min(most)]), bytes.len()),
            value => (value, 0),
        }
    }

    /// The plain text for a sample that somebody reads: of a very long value its beginning, and how long
    /// it is.
    pub fn told(self) -> Option<String> {
        const LONGEST: usize = 4096;
        let (head, bytes) = self.beginning(LONGEST);
        let text = head.plain()?;
        Some(if bytes > LONGEST { format!("{text} ... of {}", visible::size(bytes)) } else { text })
    }

    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer(_) | Self::Real(_))
    }

    /// The plain text of the value as a database client would print it; NULL is `None`.
    /// Not for the terminal: see [`visible`].
    pub fn plain(self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Integer(n) => Some(n.to_string()),
            Self::Real(n) => Some(real(n)),
            Self::Text(text) => Some(text.to_owned()),
            Self::Bytes(bytes) => Some(hex(bytes)),
        }
    }
}

/// A float so that reading it back gives the same float, and an integral one still looks like one.
fn real(n: f64) -> String {
    if n.fract() == 0.0 && n.abs() < 1e15 { format!("{n:.1}") } else { n.to_string() }
}

/// `0x` and lower-case digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `10,000`: five digits and more cannot be read without.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `12,000 rows`.
pub fn counted(number: impl TryInto<u64>, word: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {word}"),
        number => format!("{} {word}s", thousands(number)),
    }
}

/// The form on disk: exact for every value, so an undo read back writes the same bytes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored<'a> {
    Null,
    Int(i64),
    /// The bits, because not every float survives JSON; the text is for the reader.
    Real {
        bits: u64,
        text: String,
    },
    Text(Cow<'a, str>),
    Bytes(String),
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => Stored::Null,
            Self::Integer(n) => Stored::Int(*n),
            Self::Real(n) => Stored::Real { bits: n.to_bits(), text: real(*n) },
            Self::Text(text) => Stored::Text(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Stored::Bytes(hex(bytes)),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Null => Self::Null,
            Stored::Int(n) => Self::Integer(n),
            Stored::Real { bits, .. } => Self::Real(f64::from_bits(bits)),
            Stored::Text(text) => Self::Text(text.into_owned()),
            Stored::Bytes(text) => Self::Bytes(
                unhex(&text).ok_or_else(|| serde::de::Error::custom("not a hexadecimal value"))?,
            ),
        })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Null,
    Integer,
    Real,
    Text,
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Cell {
    shape: Shape,
    start: usize,
    len: usize,
}

/// Rows of one result: a list of columns (names may repeat) and cells in one arena.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    columns: Arc<[String]>,
    arena: Vec<u8>,
    cells: Vec<Cell>,
}

impl Rows {
    pub fn new(columns: impl Into<Arc<[String]>>) -> Self {
        Self { columns: columns.into(), ..Self::default() }
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Where the column of this name stands, whatever case the server gives it; the first one if the name
    /// repeats.
    pub fn column(&self, name: &str) -> Option<usize> {
        let place = |is: &dyn Fn(&str) -> bool| self.columns.iter().position(|column| is(column));
        place(&|column| column == name)
            .or_else(|| place(&|column| column.eq_ignore_ascii_case(name)))
    }

    pub fn len(&self) -> usize {
        if self.columns.is_empty() { 0 } else { self.cells.len() / self.columns.len() }
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Bytes held by the values.
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.cells.len() * size_of::<Cell>()
    }

    /// Adds one row; it must have one value a column.
    pub fn push<'v>(&mut self, row: impl IntoIterator<Item = ValueRef<'v>>) {
        let before = self.cells.len();
        for value in row {
            let start = self.arena.len();
            let shape = match value {
                ValueRef::Null => Shape::Null,
                ValueRef::Integer(n) => {
                    self.arena.extend_from_slice(&n.to_le_bytes());
                    Shape::Integer
                }
                ValueRef::Real(n) => {
                    self.arena.extend_from_slice(&n.to_le_bytes());
                    Shape::Real
                }
                ValueRef::Text(text) => {
                    self.arena.extend_from_slice(text.as_bytes());
                    Shape::Text
                }
                ValueRef::Bytes(bytes) => {
                    self.arena.extend_from_slice(bytes);
                    Shape::Bytes
                }
            };
            self.cells.push(Cell { shape, start, len: self.arena.len() - start });
        }
        debug_assert_eq!(self.cells.len() - before, self.columns.len(), "one value a column");
    }

    pub fn get(&self, row: usize, column: usize) -> ValueRef<'_> {
        let cell = self.cells[row * self.columns.len() + column];
        let bytes = &self.arena[cell.start..cell.start + cell.len];
        let eight = || bytes.try_into().expect("numbers take eight bytes in the arena");
        match cell.shape {
            Shape::Null => ValueRef::Null,
            Shape::Integer => ValueRef::Integer(i64::from_le_bytes(eight())),
            Shape::Real => ValueRef::Real(f64::from_le_bytes(eight())),
            Shape::Text => ValueRef::Text(
                std::str::from_utf8(bytes).expect("text went into the arena as UTF-8"),
            ),
            Shape::Bytes => ValueRef::Bytes(bytes),
        }
    }

    pub fn row(&self, row: usize) -> impl Iterator<Item = ValueRef<'_>> {
        (0..self.columns.len()).map(move |column| self.get(row, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_give_back_what_was_pushed() {
        let row = [
            Value::Null,
            Value::Integer(-7),
            Value::Real(0.1),
            Value::Text("ä".into()),
            Value::Bytes(vec![0, 255]),
        ];
        let mut rows = Rows::new(vec!["a".into(), "b".into(), "c".into(), "d".into(), "e".into()]);
        rows.push(row.iter().map(Value::as_ref));
        rows.push(row.iter().map(Value::as_ref));
        assert_eq!(rows.len(), 2);
        assert_eq!(rows.row(1).map(ValueRef::to_owned).collect::<Vec<_>>(), row);
    }

    #[test]
    fn a_value_survives_the_disk() {
        for value in [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Real(0.1 + 0.2),
            Value::Text("\u{202e}\u{1b}[31m\0".into()),
            Value::Bytes(vec![0, 1, 254]),
        ] {
            let text = serde_json::to_string(&value).expect("a value is JSON");
            assert_eq!(serde_json::from_str::<Value>(&text).expect("and back"), value);
        }
    }
}
