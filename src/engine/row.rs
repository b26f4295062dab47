//! Rows on their way: as a query gives them, as a transaction leaves them, as they are put back.

use std::ops::ControlFlow;

use super::Table;
use crate::value::known::{After, Known};
use crate::value::{Value, ValueRef};

/// How many rows of a table a transaction wrote, triggers and cascades included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    pub table: String,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    /// Tables that it inherits from: a statement that names one of these writes its rows too.
    pub heir_of: Vec<String>,
}

impl Touched {
    /// Of so many updates by statements: one that gave a row another key, or took it to another part of
    /// its table, may be counted as a row that went and one that came.
    pub fn join_moved(&mut self, updates: u64) {
        let moved = self.inserted.min(self.deleted).min(updates.saturating_sub(self.updated));
        self.inserted -= moved;
        self.deleted -= moved;
        self.updated += moved;
    }
}

/// What one row was and what became of it; values in the order of `Table::stored`.
#[derive(Debug)]
pub struct Image {
    pub was: Known,
    pub after: After,
}

impl Image {
    /// Given what is there now.
    pub fn of<N>(was: Known, now: Option<Vec<N>>) -> Self
    where
        for<'n> ValueRef<'n>: From<&'n N>,
        Value: From<N>,
    {
        let after = was.after(now);
        Self { was, after }
    }

    /// Whether the row is as it was.
    pub fn is_unchanged(&self) -> bool {
        match &self.after {
            After::Gone => self.was.before().is_none(),
            After::Whole(_) => false,
            After::Changed(changed) => changed.is_empty(),
        }
    }
}

/// Takes the images of the rows that a transaction wrote, as they come.
pub trait Images: Send {
    fn take(&mut self, table: &Table, image: Image);
    /// What came of a table was not all there is: it comes once more, whole.
    fn anew(&mut self, table: &Table);
}

/// A row to put back, as columns and values; the guard is part of the statement.
#[derive(Debug, Clone, Copy)]
pub struct RowWrite<'a> {
    pub table: &'a Table,
    pub key: (&'a [String], &'a [Value]),
    /// Columns and the values they must hold now (update, delete).
    pub guard: (&'a [String], &'a [Value]),
    /// Columns and the values they get (insert, update).
    pub set: (&'a [String], &'a [Value]),
}

/// Called for every row of a result.
pub type OnEach<'a> = &'a mut (dyn FnMut(&[String], &[ValueRef<'_>]) + Send);

/// The same for who never has enough.
pub fn to_the_end(
    on_each: OnEach<'_>,
) -> impl FnMut(&[String], &[ValueRef<'_>]) -> ControlFlow<()> + Send {
    |names, row| {
        on_each(names, row);
        ControlFlow::Continue(())
    }
}

/// Called for each row of a result; breaking off ends the query in the database.
pub type OnRow<'a> = &'a mut (dyn FnMut(&[String], &[ValueRef<'_>]) -> ControlFlow<()> + Send);

/// A row found by its key: the key, and the values of the columns that were asked for.
pub type Keyed = (Vec<Value>, Vec<Value>);
