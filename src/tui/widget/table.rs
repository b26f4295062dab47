//! The table of violations: a window over a pile of rows, with the key columns always in sight.
//!
//! Sorting and filtering make an order of row numbers, never move rows; only what is in the window
//! is read and formatted. Moving the cursor changes one marker and one number, which is what a slow
//! link pays for. Runs nothing: what takes time is handed out as a job and taken back when done.

mod columns;
mod draw;
pub mod job;
mod rank;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::check::keys::Keys;
use crate::check::verdict::{key_columns, key_hash};
use crate::check::{Count, Finding};
use crate::tui::command::Command;
use crate::value::Rows;
use crate::value::pile::order::Order;
use crate::value::pile::{Pile, Row};
pub use crate::value::sorter::Direction;
pub use columns::Shown;
use job::{Arrange, Arranged, Done, Find, Job, Keep, Only, Task, View};

/// Rows that can be marked at once: enough for whatever marks are for.
const MOST_MARKS: u64 = 10_000;

/// What one run gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub pile: Pile,
    /// The identity of every row, once all were seen.
    pub keys: Option<Keys>,
    /// How many rows there are; none while they still come.
    pub total: Option<Count>,
}

impl Reading {
    /// Of a run that came to its end.
    pub fn of(pile: Pile, finding: &Finding) -> Self {
        let total = match finding.verdict.reading() {
            // Its rows are series, over a threshold or not.
            Some(_) => Count::Exact(pile.len()),
            None => finding.verdict.violations().unwrap_or(Count::AtLeast(pile.len())),
        };
        Self { pile, keys: finding.keys.clone(), total: Some(total) }
    }
}

#[derive(Debug, Default)]
pub struct Table {
    now: Reading,
    before: Option<Reading>,
    /// The rows that the order is of: of this run, or of the one before.
    pile: Pile,
    /// As the check names them.
    key_names: Vec<String>,
    key: Vec<usize>,
    /// Columns in the order on screen: the key first.
    columns: Vec<usize>,
    frozen: usize,
    numeric: Vec<bool>,
    /// Rows after filter and sort.
    order: Order,
    view: View,
    /// What is being arranged.
    next: Option<View>,
    search: String,
    /// By identity, with the row if it is in this pile.
    marks: HashMap<u64, Option<u64>>,
    /// Where the cursor is: in `order` and in `columns`.
    row: u64,
    column: usize,
    window: Window,
    chosen_widths: HashMap<usize, u16>,
    /// What a job of this table does and how far it is.
    pub work: Option<(&'static str, u64)>,
}

/// What the last drawing settled: where the window stands and how wide columns are. Widths only
/// grow while the order stays, so that scrolling does not move every column.
#[derive(Debug, Default)]
struct Window {
    top: Cell<u64>,
    left: Cell<usize>,
    height: Cell<u64>,
    widths: RefCell<Vec<u16>>,
}

/// What a command came to.
#[derive(Debug, PartialEq)]
pub enum Came {
    /// It was not for the table.
    Unknown,
    Done,
    /// It needs time; see [`Table::take`].
    To(Job),
    /// It cannot be done.
    No(String),
}

impl Table {
    /// `key` names the columns that stay at the left.
    pub fn new(now: Reading, before: Option<Reading>, key: &[String]) -> Self {
        let (pile, key_names) = (now.pile.clone(), key.to_vec());
        let mut table = Self { now, before, pile, key_names, ..Self::default() };
        table.look();
        table
    }

    /// Takes in what came onto the pile since the last look.
    pub fn look(&mut self) {
        if self.columns.is_empty() && !self.pile.columns().is_empty() {
            self.settle_columns();
        }
        if self.view == View::default() {
            self.order = Order::AsTheyCame(self.pile.len());
        }
    }

    fn settle_columns(&mut self) {
        let names = self.pile.columns();
        self.key = key_columns(names, &self.key_names);
        // Without a key every column would be frozen, and nothing could scroll.
        let named = self.key_names.iter().any(|name| names.contains(name));
        self.frozen = if named { self.key.len() } else { 0 };
        self.columns = self.key.clone();
        self.columns.extend((0..names.len()).filter(|column| !self.key.contains(column)));
        self.numeric = rank::looks_numeric(&self.pile);
        self.column = self.column.min(self.columns.len().saturating_sub(1));
        self.chosen_widths.clear();
    }

    /// A run that is still under way, whose rows are shown as they come.
    pub fn is_reading(&self) -> bool {
        self.now.total.is_none()
    }

    pub fn pile(&self) -> &Pile {
        &self.pile
    }

    /// The rows of this run, whichever are shown.
    pub fn newest(&self) -> &Pile {
        &self.now.pile
    }

    /// A run came to its end. Rows that are shown already stay where they are; those of another run
    /// come when the job is done: cursor and marks on their rows, sort and filter as they are.
    #[must_use]
    pub fn replace(&mut self, mut now: Reading, before: Option<Reading>) -> Option<Job> {
        let names = self.now.pile.columns();
        // No rows name no columns: those that were there stay, with what was chosen of them.
        if now.pile.columns().is_empty() && !names.is_empty() {
            now.pile = Pile::of(&Rows::new(names.to_vec())).unwrap_or(now.pile);
        }
        let same = now.pile == self.now.pile;
        let changed = now.pile.columns() != self.now.pile.columns() && !same;
        (self.now, self.before) = (now, before);
        if changed {
            // Nothing of what was chosen has a meaning there.
            *self = Self {
                now: std::mem::take(&mut self.now),
                before: self.before.take(),
                key_names: std::mem::take(&mut self.key_names),
                ..Self::default()
            };
            self.pile = self.now.pile.clone();
            self.look();
            return None;
        }
        if same && self.wanted_view() == View::default() {
            self.look();
            return None;
        }
        Some(self.arrange(self.wanted_view()))
    }

    fn wanted_view(&self) -> View {
        self.next.clone().unwrap_or_else(|| self.view.clone())
    }

    /// The job that shows the rows this way.
    fn arrange(&mut self, view: View) -> Job {
        let gone = view.only == Only::Gone;
        let before = self.before.as_ref();
        let pile = if gone { before.map(|before| &before.pile) } else { None };
        let pile = pile.unwrap_or(&self.now.pile).clone();
        let other = if gone {
            self.now.keys.clone()
        } else {
            before.and_then(|before| before.keys.clone())
        };
        let here = self.selected();
        let (keep, wanted) = if pile == self.pile {
            (here.map(Keep::Row), Vec::new())
        } else {
            let keep = here.and_then(|row| self.pile.row(row)).map(|row| self.identity(&row));
            let mut wanted: Vec<u64> = self.marks.keys().copied().collect();
            wanted.sort_unstable();
            // At the beginning the cursor stays at the beginning.
            (keep.filter(|_| self.row > 0).map(Keep::Key), wanted)
        };
        let sorts = view.sort.map(|(column, _)| column);
        let as_number = sorts.is_some_and(|column| self.numeric.get(column) == Some(&true));
        self.next = Some(view.clone());
        let key = self.key.clone();
        let arrange = Arrange { view, as_number, key, other, keep, wanted };
        Job { pile, task: Task::Arrange(arrange) }
    }

    /// What a job came to. More to do if rows came meanwhile.
    #[must_use]
    pub fn take(&mut self, done: Done) -> Option<Job> {
        self.work = None;
        let Arranged { pile, view, order, of, at, found } = match done {
            // Of rows that had other columns.
            Done::Arranged(_) if self.next.is_none() => return None,
            Done::Arranged(arranged) => arranged,
            Done::Found(found) => {
                if let Some((row, column)) = found {
                    (self.row, self.column) = (row, column);
                }
                return None;
            }
        };
        if pile != self.pile {
            for (identity, row) in &mut self.marks {
                *row = found.get(identity).copied();
            }
            let narrow = self.columns.is_empty();
            self.pile = pile;
            if narrow {
                self.settle_columns();
            }
        }
        let last = order.len().saturating_sub(1);
        self.row = at.unwrap_or(if view == self.view { self.row } else { 0 }).min(last);
        (self.order, self.view, self.next) = (order, view, None);
        self.window.widths.borrow_mut().clear();
        let more = !self.is_reading() && self.pile.len() > of && self.view != View::default();
        self.look();
        more.then(|| self.arrange(self.view.clone()))
    }

    /// A job was stopped or failed: what is shown stays.
    pub fn give_up(&mut self) {
        (self.next, self.work) = (None, None);
    }

    pub fn on_command(&mut self, command: Command) -> Came {
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
            Command::Sort => return self.sort_here(),
            Command::Reverse => return self.reverse(),
            Command::Changed => return self.show_next(),
            Command::Mark => return self.toggle_mark(),
            Command::MarkAll => return self.toggle_all_marks(),
            Command::NextMatch => return self.find(Step::Forward),
            Command::PrevMatch => return self.find(Step::Back),
            Command::Wider => self.widen(4),
            Command::Narrower => self.widen(-4),
            _ => return Came::Unknown,
        }
        Came::Done
    }

    /// By the column of the cursor: up, down, as it came.
    fn sort_here(&mut self) -> Came {
        let Some(column) = self.columns.get(self.column).copied() else { return Came::Done };
        let mut view = self.wanted_view();
        view.sort = match view.sort {
            Some((same, Direction::Up)) if same == column => Some((column, Direction::Down)),
            Some((same, Direction::Down)) if same == column => None,
            _ => Some((column, Direction::Up)),
        };
        Came::To(self.arrange(view))
    }

    fn reverse(&mut self) -> Came {
        let mut view = self.wanted_view();
        let Some((_, direction)) = &mut view.sort else {
            return Came::No("nothing is sorted yet; sort by a column first".into());
        };
        *direction = direction.other();
        Came::To(self.arrange(view))
    }

    /// All rows, the new ones, those that are gone, those that stayed.
    fn show_next(&mut self) -> Came {
        let compared = self.before.as_ref().is_some_and(|before| before.keys.is_some());
        if !compared || self.now.keys.is_none() {
            return Came::No("this is the first run; there is nothing to compare with yet".into());
        }
        let mut view = self.wanted_view();
        view.only = view.only.next();
        Came::To(self.arrange(view))
    }

    pub fn only(&self) -> Only {
        self.view.only
    }

    fn identity(&self, row: &Row) -> u64 {
        key_hash(self.key.iter().map(|column| row.get(*column)))
    }

    fn toggle_mark(&mut self) -> Came {
        let Some(number) = self.selected() else { return Came::Done };
        let Some(row) = self.pile.row(number) else { return Came::Done };
        let identity = self.identity(&row);
        if self.marks.remove(&identity).is_some() {
            return Came::Done;
        }
        if self.marks.len() as u64 >= MOST_MARKS {
            return Came::No(too_many_marks());
        }
        self.marks.insert(identity, Some(number));
        Came::Done
    }

    fn toggle_all_marks(&mut self) -> Came {
        if self.order.len() > MOST_MARKS {
            return Came::No(format!("{}; filter first", too_many_marks()));
        }
        let rows: Vec<(u64, u64)> = (0..self.order.len())
            .filter_map(|at| self.order.get(at))
            .filter_map(|number| Some((self.identity(&self.pile.row(number)?), number)))
            .collect();
        if rows.iter().all(|(identity, _)| self.marks.contains_key(identity)) {
            for (identity, _) in &rows {
                self.marks.remove(identity);
            }
        } else {
            self.marks.extend(rows.into_iter().map(|(identity, row)| (identity, Some(row))));
        }
        Came::Done
    }

    /// The numbers of the marked rows, as they came.
    pub fn marked(&self) -> Vec<u64> {
        let mut marked: Vec<u64> = self.marks.values().flatten().copied().collect();
        marked.sort_unstable();
        marked
    }

    /// Only rows that contain this, in any letter case; `column:text` looks in one column. An empty
    /// text lets everything through.
    #[must_use]
    pub fn set_filter(&mut self, filter: &str) -> Job {
        let view = View { filter: filter.to_owned(), ..self.wanted_view() };
        self.arrange(view)
    }

    pub fn filter(&self) -> &str {
        &self.view.filter
    }

    /// What [`Command::NextMatch`] looks for; goes to the first match from the cursor on.
    #[must_use]
    pub fn set_search(&mut self, search: &str) -> Came {
        search.clone_into(&mut self.search);
        self.find(Step::Stay)
    }

    pub fn search(&self) -> &str {
        &self.search
    }

    fn find(&mut self, step: Step) -> Came {
        if self.search.is_empty() || self.order.is_empty() {
            return Came::Done;
        }
        let rows = self.order.len();
        let from = match step {
            Step::Stay => self.row,
            Step::Forward => (self.row + 1) % rows,
            Step::Back => (self.row + rows - 1) % rows,
        };
        let find = Find {
            order: self.order.clone(),
            text: self.search.clone(),
            columns: self.columns.clone(),
            from,
            back: matches!(step, Step::Back),
        };
        Came::To(Job { pile: self.pile.clone(), task: Task::Find(find) })
    }

    /// Puts the cursor on a row by its place, counted from one.
    pub fn go_to(&mut self, place: u64) -> Result<(), String> {
        let rows = self.order.len();
        if place == 0 || place > rows {
            return Err(format!("there are rows 1 to {}", crate::value::thousands(rows)));
        }
        self.row = place - 1;
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Rows that the filter lets through.
    pub fn len(&self) -> u64 {
        self.order.len()
    }

    /// The row at a place, counted from zero.
    pub fn at(&self, place: u64) -> Option<Row> {
        self.pile.row(self.order.get(place)?)
    }

    /// The row of the cursor, counted as the rows came.
    pub fn selected(&self) -> Option<u64> {
        self.order.get(self.row)
    }

    /// The row of the cursor, and the column of it.
    pub fn here(&self) -> Option<(Row, usize)> {
        let column = *self.columns.get(self.column)?;
        Some((self.pile.row(self.selected()?)?, column))
    }

    /// The columns that name a row.
    pub fn key(&self) -> &[usize] {
        &self.key
    }
}

fn too_many_marks() -> String {
    format!("no more than {} rows can be marked", crate::value::thousands(MOST_MARKS))
}

#[derive(Clone, Copy)]
enum Step {
    Stay,
    Forward,
    Back,
}

#[cfg(test)]
mod tests;
