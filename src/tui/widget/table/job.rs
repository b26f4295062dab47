//! What takes longer than a key press: sorting, filtering and searching all rows of a pile.
//!
//! A job is plain data that somebody runs beside the screen; it tells how far it is, breaks off when
//! it is asked to, and keeps no more than some megabytes whatever the number of rows.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::ops::ControlFlow;

use super::rank;
use crate::check::keys::Keys;
use crate::check::verdict::key_hash;
use crate::value::needle::Needle;
use crate::value::pile::order::{Lister, Order};
use crate::value::pile::{Pile, Row};
use crate::value::sorter::{Direction, Sorter};

/// What of a run is shown, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    pub filter: String,
    pub sort: Option<(usize, Direction)>,
    pub only: Only,
}

/// Which rows, by what the run before had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Only {
    #[default]
    All,
    New,
    /// Rows of the run before that are not there any more.
    Gone,
    Still,
}

impl Only {
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::All => Self::New,
            Self::New => Self::Gone,
            Self::Gone => Self::Still,
            Self::Still => Self::All,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::All => "",
            Self::New => "only new ones",
            Self::Gone => "only those gone since the run before",
            Self::Still => "only those still there",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub pile: Pile,
    pub task: Task,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    Arrange(Arrange),
    Find(Find),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Arrange {
    pub view: View,
    /// The column to sort by holds numbers.
    pub as_number: bool,
    /// Columns that name a row.
    pub key: Vec<usize>,
    /// The run to compare with.
    pub other: Option<Keys>,
    pub keep: Option<Keep>,
    /// Rows that must be found again, by their identity.
    pub wanted: Vec<u64>,
}

/// The row that the cursor is to stay on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Row(u64),
    /// In another pile: by its identity.
    Key(u64),
}

#[derive(Debug, Clone)]
pub struct Find {
    pub order: Order,
    pub text: String,
    /// In the order on screen.
    pub columns: Vec<usize>,
    /// The place that is looked at first.
    pub from: u64,
    pub back: bool,
}

impl PartialEq for Find {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.from, self.back) == (&other.text, other.from, other.back)
    }
}

#[derive(Debug, Clone)]
pub enum Done {
    Arranged(Arranged),
    /// The place in the order and among the columns.
    Found(Option<(u64, usize)>),
}

#[derive(Debug, Clone)]
pub struct Arranged {
    pub pile: Pile,
    pub view: View,
    pub order: Order,
    /// Rows that were there to be arranged.
    pub of: u64,
    /// Where the row to be kept stands.
    pub at: Option<u64>,
    /// The numbers of the rows that were wanted.
    pub found: HashMap<u64, u64>,
}

/// How far a job is; it ends when it is told to break.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Rows between two looks at whether to go on.
const LOOK: u64 = 4096;

impl Job {
    pub fn words(&self) -> &'static str {
        match &self.task {
            Task::Arrange(arrange) if arrange.view.sort.is_some() => "sorting",
            Task::Arrange(arrange) if arrange.view == View::default() => "arranging",
            Task::Arrange(_) => "filtering",
            Task::Find(_) => "searching",
        }
    }

    /// `None` if it was broken off.
    pub fn run(&self, progress: Progress<'_>) -> io::Result<Option<Done>> {
        match &self.task {
            Task::Arrange(arrange) => Ok(arrange.run(&self.pile, progress)?.map(Done::Arranged)),
            Task::Find(find) => find.run(&self.pile, progress),
        }
    }
}

impl Arrange {
    fn run(&self, pile: &Pile, progress: Progress<'_>) -> io::Result<Option<Arranged>> {
        let of = pile.len();
        let mut done = Arranged {
            pile: pile.clone(),
            view: self.view.clone(),
            order: Order::AsTheyCame(of),
            of,
            at: None,
            found: HashMap::new(),
        };
        let compares = self.view.only != Only::All && self.other.is_some();
        let plain = self.view.filter.is_empty() && self.view.sort.is_none() && !compares;
        let by_key = matches!(self.keep, Some(Keep::Key(_))) || !self.wanted.is_empty();
        if plain && !by_key {
            if let Some(Keep::Row(row)) = self.keep {
                done.at = Some(row).filter(|row| *row < of);
            }
            return Ok(Some(done));
        }
        let (column, text) = split(pile.columns(), &self.view.filter);
        let needle = Needle::new(text);
        let mut sorter = self.view.sort.map(|(column, way)| (column, Sorter::new(way)));
        let mut lister = Lister::default();
        let (mut at, mut kept) = (0, None);
        // Sorting has a second half: what was taken in is handed out in order.
        let work = if sorter.is_some() { of * 2 } else { of };
        let mut key = Vec::new();
        for row in pile.scan(0, of) {
            let (number, row) = row?;
            if number % LOOK == 0 && progress(number, work).is_break() {
                return Ok(None);
            }
            let identity = || key_hash(self.key.iter().map(|column| row.get(*column)));
            let passes = match &needle {
                Some(needle) => has(pile, &row, column, needle)?,
                None => true,
            };
            let passes = passes
                && match (&self.other, self.view.only) {
                    (Some(other), Only::New | Only::Gone) => !other.contains(identity()),
                    (Some(other), Only::Still) => other.contains(identity()),
                    _ => true,
                };
            if by_key {
                let identity = identity();
                if self.wanted.binary_search(&identity).is_ok() {
                    done.found.entry(identity).or_insert(number);
                }
                if self.keep == Some(Keep::Key(identity)) {
                    kept = kept.or(Some(number));
                }
            }
            if !passes || plain {
                continue;
            }
            let small = u32::try_from(number).map_err(|_| io::ErrorKind::FileTooLarge)?;
            if let Some((column, sorter)) = &mut sorter {
                key.clear();
                rank::key(row.get(*column), self.as_number, &mut key);
                sorter.push(&key, small)?;
            } else {
                if self.keep == Some(Keep::Row(number)) || kept == Some(number) {
                    done.at = Some(at);
                }
                lister.push(small)?;
                at += 1;
            }
        }
        if plain {
            done.at = kept;
            return Ok(Some(done));
        }
        if let Some(Keep::Row(row)) = self.keep {
            kept = Some(row);
        }
        if let Some((_, sorter)) = sorter {
            let mut broken = false;
            sorter.finish(|_, number| {
                if at % LOOK == 0 && progress(of + at, work).is_break() {
                    broken = true;
                    return Ok(ControlFlow::Break(()));
                }
                if kept == Some(number.into()) {
                    done.at = Some(at);
                }
                lister.push(number)?;
                at += 1;
                Ok(ControlFlow::Continue(()))
            })?;
            if broken {
                return Ok(None);
            }
        }
        done.order = lister.finish()?;
        Ok(Some(done))
    }
}

/// `column:text` if such a column is there, else the text as it is.
fn split<'f>(columns: &[String], filter: &'f str) -> (Option<usize>, &'f str) {
    let column = filter.split_once(':').and_then(|(name, text)| {
        let same = |column: &String| column.eq_ignore_ascii_case(name.trim());
        Some((columns.iter().position(same)?, text.trim_start()))
    });
    column.map_or((None, filter), |(column, text)| (Some(column), text))
}

fn has(pile: &Pile, row: &Row, column: Option<usize>, needle: &Needle) -> io::Result<bool> {
    let columns = match column {
        Some(column) => column..column + 1,
        None => 0..pile.columns().len(),
    };
    for column in columns {
        if needle.is_in(row.get(column)) || in_the_rest(pile, row, column, needle)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether it stands in a long value beyond its beginning; that is read a piece at a time.
fn in_the_rest(pile: &Pile, row: &Row, column: usize, needle: &Needle) -> io::Result<bool> {
    const PIECE: usize = 64 << 10;
    let Some(mut stream) = pile.stream(row, column)? else { return Ok(false) };
    let mut piece = Vec::with_capacity(PIECE + needle.overlap());
    loop {
        let read = (&mut stream).take(PIECE as u64).read_to_end(&mut piece)?;
        if read == 0 {
            return Ok(false);
        }
        if needle.is_in_text(&String::from_utf8_lossy(&piece)) {
            return Ok(true);
        }
        piece.drain(..piece.len().saturating_sub(needle.overlap()));
    }
}

impl Find {
    fn run(&self, pile: &Pile, progress: Progress<'_>) -> io::Result<Option<Done>> {
        /// Places that are looked at one by one, before all rows are read.
        const NEAR: u64 = 1_000;
        let Some(needle) = Needle::new(&self.text) else { return Ok(Some(Done::Found(None))) };
        let rows = self.order.len();
        // As they came, a row lies beside the next; in another order each is anywhere.
        let near = if matches!(self.order, Order::AsTheyCame(_)) { rows } else { NEAR.min(rows) };
        for distance in 0..near {
            if distance % LOOK == 0 && progress(distance, rows).is_break() {
                return Ok(None);
            }
            if let Some(found) = self.hit(pile, self.place(distance), &needle)? {
                return Ok(Some(Done::Found(Some(found))));
            }
        }
        if near == rows {
            return Ok(Some(Done::Found(None)));
        }
        let Some(matches) = self.matches(pile, &needle, progress)? else { return Ok(None) };
        for distance in near..rows {
            let at = self.place(distance);
            let number = self.order.get(at).and_then(|number| usize::try_from(number).ok());
            let is_match = number.is_some_and(|number| {
                matches.get(number / 64).is_some_and(|bits| bits & 1 << (number % 64) != 0)
            });
            if is_match && let Some(found) = self.hit(pile, at, &needle)? {
                return Ok(Some(Done::Found(Some(found))));
            }
        }
        Ok(Some(Done::Found(None)))
    }

    /// The place that is looked at after so many others.
    fn place(&self, distance: u64) -> u64 {
        let rows = self.order.len();
        if self.back { (self.from + rows - distance) % rows } else { (self.from + distance) % rows }
    }

    fn hit(&self, pile: &Pile, at: u64, needle: &Needle) -> io::Result<Option<(u64, usize)>> {
        let Some(row) = self.order.get(at).and_then(|number| pile.row(number)) else {
            return Ok(None);
        };
        for (place, column) in self.columns.iter().enumerate() {
            if has(pile, &row, Some(*column), needle)? {
                return Ok(Some((at, place)));
            }
        }
        Ok(None)
    }

    /// A bit for each row of the pile that has it.
    fn matches(
        &self,
        pile: &Pile,
        needle: &Needle,
        progress: Progress<'_>,
    ) -> io::Result<Option<Vec<u64>>> {
        let of = pile.len();
        let mut bits = vec![0_u64; usize::try_from(of / 64 + 1).unwrap_or(0)];
        for row in pile.scan(0, of) {
            let (number, row) = row?;
            if number % LOOK == 0 && progress(number, of).is_break() {
                return Ok(None);
            }
            for column in &self.columns {
                if has(pile, &row, Some(*column), needle)? {
                    if let Ok(number) = usize::try_from(number) {
                        bits[number / 64] |= 1 << (number % 64);
                    }
                    break;
                }
            }
        }
        Ok(Some(bits))
    }
}
