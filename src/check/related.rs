//! Related rows: a row to start from, the ways that lead from it to other rows, and what lies there.
//!
//! Pure data; which ways there are is found by `ops::related`.

use crate::value::pile::Pile;
use crate::value::{Value, ValueRef};

/// Rows that are read at most: more than a person looks at.
pub const MOST: u64 = 1_000;

/// A row to start from.
#[derive(Debug, Clone, PartialEq)]
pub struct From {
    /// The table it is a row of; none if a query made it.
    pub table: Option<String>,
    /// The tables that the query reads.
    pub tables: Vec<String>,
    /// The columns that name the row.
    pub key: Vec<String>,
    pub row: Vec<(String, Value)>,
}

/// What rows are to the one that was started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Parent,
    Child,
    /// Rows of a table of the query that carry the same key.
    Same,
    History,
}

/// A way to other rows: the table, and what its columns must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub how: How,
    pub table: String,
    pub on: Vec<(String, Value)>,
    /// The columns that name a row there.
    pub key: Vec<String>,
}

impl Relation {
    pub fn words(&self) -> String {
        let how = match self.how {
            How::Parent => "the row it points to",
            How::Child => "rows that point there",
            How::Same => "rows with the same key",
            How::History => "what was recorded of it",
        };
        format!("{}: {how}, {}", self.table, self.condition())
    }

    /// `id = 17`
    pub fn condition(&self) -> String {
        let part = |(column, value): &(String, Value)| {
            format!("{column} = {}", value.as_ref().plain().unwrap_or_else(|| "NULL".into()))
        };
        self.on.iter().map(part).collect::<Vec<_>>().join(" and ")
    }
}

/// The rows of a relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub relation: Relation,
    pub rows: Pile,
    /// There are more than were read.
    pub more: bool,
}

/// The values of a row by name.
pub fn named<'v>(
    columns: &[String],
    values: impl Iterator<Item = ValueRef<'v>>,
) -> Vec<(String, Value)> {
    columns.iter().cloned().zip(values.map(ValueRef::to_owned)).collect()
}
