//! The violations table: a window over many rows, with the key columns always in sight.
//!
//! Sorting and filtering permute a list of row numbers, never the rows; only what is in the window
//! is formatted. Moving the cursor changes one marker and one number, which is what a slow link
//! pays for. Asks for nothing and runs nothing: commands come in, pictures go out.

mod draw;
mod order;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use crate::check::Count;
use crate::check::verdict::{key_columns, key_hash};
use crate::tui::command::Command;
use crate::value::{Rows, ValueRef};
pub use order::Direction;
use order::Needle;

#[derive(Debug, Default)]
pub struct Table {
    rows: Arc<Rows>,
    total: Option<Count>,
    key: Vec<usize>,
    /// Columns in the order on screen: the key first.
    columns: Vec<usize>,
    frozen: usize,
    numeric: Vec<bool>,
    /// Row numbers after filter and sort.
    order: Vec<u32>,
    sort: Option<(usize, Direction)>,
    filter: String,
    search: String,
    marks: HashSet<u32>,
    new: HashSet<u32>,
    /// Where the cursor is: in `order` and in `columns`.
    row: usize,
    column: usize,
    window: Window,
}

/// What the last drawing settled: where the window stands and how wide columns are. Widths only
/// grow while the order stays, so that scrolling does not move every column.
#[derive(Debug, Default)]
struct Window {
    top: Cell<usize>,
    left: Cell<usize>,
    height: Cell<usize>,
    widths: RefCell<Vec<u16>>,
}

impl Table {
    /// `key` names the columns that stay at the left; `total` is how many rows there are, of which
    /// `rows` may be the beginning.
    pub fn new(rows: Arc<Rows>, key: &[String], total: Count) -> Self {
        let mut table = Self::default();
        table.take(rows, key, total);
        table
    }

    /// The rows of a new run: cursor and marks stay on their rows, sort and filter stay as they are.
    pub fn replace(&mut self, rows: Arc<Rows>, key: &[String], total: Count) {
        let cursor = self.selected().map(|row| self.identity(row));
        let marked: HashSet<u64> =
            self.marks.iter().map(|row| self.identity(*row as usize)).collect();
        let same_columns = rows.columns() == self.rows.columns();
        let (place, sort, columns) = (self.row, self.sort, std::mem::take(&mut self.columns));
        self.take(rows, key, total);
        if same_columns {
            self.columns = columns;
            self.sort = sort;
        }
        self.arrange();
        let keys: Vec<u64> = (0..self.rows.len()).map(|row| self.identity(row)).collect();
        self.marks = numbers(&keys, |key| marked.contains(&key));
        self.row = cursor
            .and_then(|cursor| self.order.iter().position(|row| keys[*row as usize] == cursor))
            .unwrap_or(place)
            .min(self.order.len().saturating_sub(1));
    }

    fn take(&mut self, rows: Arc<Rows>, key: &[String], total: Count) {
        let all = 0..rows.columns().len();
        self.key = key_columns(&rows, key);
        // Without a key every column would be frozen, and nothing could scroll.
        let named = key.iter().any(|name| rows.column(name).is_some());
        self.frozen = if named { self.key.len() } else { 0 };
        self.columns = self.key.clone();
        self.columns.extend(all.clone().filter(|column| !self.key.contains(column)));
        self.numeric = all.map(|column| order::looks_numeric(&rows, column)).collect();
        self.rows = rows;
        self.total = Some(total);
        self.sort = None;
        self.new.clear();
        self.marks.clear();
        self.column = self.column.min(self.columns.len().saturating_sub(1));
        self.arrange();
    }

    /// Badges the rows that were not there before, by [`key_hash`] of their key columns.
    pub fn set_new(&mut self, is_new: impl Fn(u64) -> bool) {
        let keys: Vec<u64> = (0..self.rows.len()).map(|row| self.identity(row)).collect();
        self.new = numbers(&keys, is_new);
    }

    fn identity(&self, row: usize) -> u64 {
        key_hash(self.key.iter().map(|column| self.rows.get(row, *column)))
    }

    /// Applies filter and sort; the cursor stays on its row if that is still there.
    fn arrange(&mut self) {
        let before = self.selected();
        self.order = order::arrange(&self.rows, &self.filter, self.sort, &self.numeric);
        self.row = before
            .and_then(|row| self.order.iter().position(|other| *other as usize == row))
            .unwrap_or(0);
        self.window.widths.borrow_mut().clear();
    }

    /// Whether the command was for the table.
    pub fn on_command(&mut self, command: Command) -> bool {
        let page = self.window.height.get().max(1);
        let half = (page / 2).max(1);
        let last = self.order.len().saturating_sub(1);
        match command {
            Command::Up => self.row = self.row.saturating_sub(1),
            Command::Down => self.row = (self.row + 1).min(last),
            Command::PageUp => self.row = self.row.saturating_sub(page),
            Command::PageDown => self.row = (self.row + page).min(last),
            Command::HalfUp => self.row = self.row.saturating_sub(half),
            Command::HalfDown => self.row = (self.row + half).min(last),
            Command::First => self.row = 0,
            Command::Last => self.row = last,
            Command::Left => self.column = self.column.saturating_sub(1),
            Command::Right => {
                self.column = (self.column + 1).min(self.columns.len().saturating_sub(1));
            }
            Command::Sort => self.sort_here(),
            Command::Reverse => {
                if let Some((_, direction)) = &mut self.sort {
                    *direction = direction.other();
                    self.arrange();
                }
            }
            Command::Mark => self.toggle_mark(),
            Command::MarkAll => self.toggle_all_marks(),
            Command::NextMatch => _ = self.find(Step::Forward),
            Command::PrevMatch => _ = self.find(Step::Back),
            _ => return false,
        }
        true
    }

    /// By the column of the cursor: up, down, as it came.
    fn sort_here(&mut self) {
        let Some(column) = self.columns.get(self.column).copied() else { return };
        self.sort = match self.sort {
            Some((same, Direction::Up)) if same == column => Some((column, Direction::Down)),
            Some((same, Direction::Down)) if same == column => None,
            _ => Some((column, Direction::Up)),
        };
        self.arrange();
    }

    fn toggle_mark(&mut self) {
        if let Some(row) = self.order.get(self.row)
            && !self.marks.remove(row)
        {
            self.marks.insert(*row);
        }
    }

    fn toggle_all_marks(&mut self) {
        if self.order.iter().all(|row| self.marks.contains(row)) {
            self.order.iter().for_each(|row| _ = self.marks.remove(row));
        } else {
            self.marks.extend(&self.order);
        }
    }

    /// Only rows that contain this, in any letter case; `column:text` looks in one column. An empty
    /// text lets everything through.
    pub fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        self.arrange();
    }

    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// What [`Command::NextMatch`] looks for; goes to the first match from the cursor on. False if
    /// no row has it.
    pub fn set_search(&mut self, search: &str) -> bool {
        search.clone_into(&mut self.search);
        self.find(Step::Stay)
    }

    pub fn search(&self) -> &str {
        &self.search
    }

    fn find(&mut self, step: Step) -> bool {
        let Some(needle) = Needle::new(&self.search) else { return false };
        let rows = self.order.len();
        let found = (0..rows)
            .map(|distance| match step {
                Step::Stay => (self.row + distance) % rows,
                Step::Forward => (self.row + 1 + distance) % rows,
                Step::Back => (self.row + 2 * rows - 1 - distance) % rows,
            })
            .find_map(|at| {
                let row = self.order[at] as usize;
                let hit = |column: &usize| needle.is_in(self.rows.get(row, *column));
                Some((at, self.columns.iter().position(hit)?))
            });
        if let Some((row, column)) = found {
            (self.row, self.column) = (row, column);
        }
        found.is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The row of the cursor, counted as in the rows handed in.
    pub fn selected(&self) -> Option<usize> {
        self.order.get(self.row).map(|row| *row as usize)
    }

    /// The value under the cursor and the name of its column.
    pub fn cell(&self) -> Option<(&str, ValueRef<'_>)> {
        let column = *self.columns.get(self.column)?;
        Some((&self.rows.columns()[column], self.rows.get(self.selected()?, column)))
    }

    pub fn rows(&self) -> &Arc<Rows> {
        &self.rows
    }

    /// The rows as they stand on screen: filtered and sorted.
    pub fn in_order(&self) -> impl ExactSizeIterator<Item = usize> {
        self.order.iter().map(|row| *row as usize)
    }

    pub fn marked(&self) -> Vec<usize> {
        let mut marked: Vec<usize> = self.marks.iter().map(|row| *row as usize).collect();
        marked.sort_unstable();
        marked
    }

    /// Every column with whether it is shown, in the order of the result.
    pub fn columns(&self) -> impl Iterator<Item = (&str, bool)> {
        let shown = |column: &usize| self.columns.contains(column);
        self.rows.columns().iter().enumerate().map(move |(at, name)| (name.as_str(), shown(&at)))
    }

    /// Shows or hides a column; a key column stays.
    pub fn toggle_column(&mut self, column: usize) {
        let under_cursor = self.columns.get(self.column).copied();
        if let Some(at) = self.columns.iter().position(|shown| *shown == column) {
            if at >= self.frozen && self.columns.len() > 1 {
                self.columns.remove(at);
            }
        } else if column < self.rows.columns().len() {
            let rest = &self.columns[self.frozen..];
            let at = self.frozen + rest.iter().take_while(|shown| **shown < column).count();
            self.columns.insert(at, column);
        }
        let last = self.columns.len().saturating_sub(1);
        let kept = self.columns.iter().position(|shown| Some(*shown) == under_cursor);
        self.column = kept.unwrap_or(self.column.min(last));
    }
}

#[derive(Clone, Copy)]
enum Step {
    Stay,
    Forward,
    Back,
}

fn numbers(keys: &[u64], wanted: impl Fn(u64) -> bool) -> HashSet<u32> {
    // Row numbers fit: a result is capped far below four thousand million rows.
    (0u32..).zip(keys).filter(|(_, key)| wanted(**key)).map(|(row, _)| row).collect()
}

#[cfg(test)]
mod tests;
