//! Two lists of rows, before and after, ordered by key: fetched a piece at a time, and compared as they
//! come.

use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use super::Query;
use crate::engine::portion::Portion;
use crate::engine::postgres::value::Cell;
use crate::engine::postgres::watch::Counts;
use crate::engine::postgres::{OWN, Session};
use crate::engine::{EngineError, Image, Images, Table};
use crate::value::known::Known;
use crate::value::{Value, ValueRef};

/// Rows that are asked for at a time, if they are small.
const BATCH: usize = 2_000;

/// Where a version of a row lies: table, block and line, as the server orders them.
pub type Place = (i64, u64, u64);

/// What the cells of a row are.
#[derive(Debug, Clone)]
pub struct Shape {
    /// So many are its values.
    pub stored: usize,
    /// What it is known by, in the order of the list.
    pub key: Vec<Part>,
    /// The key is not the key of the table: rows may be alike.
    pub keyless: bool,
    /// Rows that were not written come as well, on both sides: what is not there after is gone. Would this
    /// ever be wrong, the counters of the server would say so, and the table is read as a whole.
    pub all: bool,
}

/// A part of a key.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Where it is among the values and those behind them.
    pub at: usize,
    /// It is ordered by its text, whatever it is.
    pub by_text: bool,
}

impl Shape {
    /// Whether a row as it was says where it lies: rows that are alike are told apart so, and a row that
    /// others only locked may seem gone.
    pub fn old_has_place(&self) -> bool {
        self.keyless || !self.all
    }

    /// Holds two keys against each other, as the server ordered them: numbers by value, everything else
    /// by its bytes.
    fn order<'v>(
        &self,
        old: impl IntoIterator<Item = &'v Value>,
        new: impl IntoIterator<Item = &'v Value>,
    ) -> Ordering {
        let pairs = old.into_iter().zip(new).zip(&self.key);
        let by_part = pairs.map(|((old, new), part)| match (old, new) {
            (Value::Integer(old), Value::Integer(new)) if part.by_text => {
                old.to_string().cmp(&new.to_string())
            }
            (Value::Integer(old), Value::Integer(new)) => old.cmp(new),
            (Value::Text(old), Value::Text(new)) => old.as_bytes().cmp(new.as_bytes()),
            (Value::Bytes(old), Value::Bytes(new)) => old.cmp(new),
            _ => Ordering::Equal,
        });
        by_part.fold(Ordering::Equal, Ordering::then)
    }
}

/// A row of one of the lists.
pub trait Listed: Sized {
    fn of(cells: Vec<Cell<'_>>, shape: &Shape) -> Option<Self>;
    /// What it holds, as far as its size goes.
    fn values(&self) -> Option<&Vec<Value>>;
}

/// A row as it was.
pub struct Old {
    was: Known,
    place: Option<Place>,
}

/// A row as it is now.
pub struct New {
    /// Its values, and what it is known by.
    cells: Vec<Value>,
    /// Written by the transaction itself.
    ours: bool,
    place: Option<Place>,
}

/// A list that comes in pieces.
pub struct List<R> {
    cursor: &'static str,
    shape: Shape,
    rows: VecDeque<R>,
    portion: Portion,
    ended: bool,
    /// How long some rows of it may take.
    limit: Duration,
}

/// What is there of a list, and whether nothing comes behind it.
struct Batch<R> {
    rows: VecDeque<R>,
    last: bool,
}

/// The comparison of one table.
pub struct Merge<'q> {
    query: &'q Query,
    table: &'q Table,
    seen: Counts,
    /// Rows that only the observer sees and that the work session has still to confirm.
    gone: Vec<(Place, Known)>,
}

impl<'q> Merge<'q> {
    pub fn new(query: &'q Query, table: &'q Table) -> Self {
        Self { query, table, seen: Counts::default(), gone: Vec::new() }
    }

    pub async fn run(
        mut self,
        work: &mut Session,
        observe: &mut Session,
        mut before: List<Old>,
        mut after: List<New>,
        images: &mut dyn Images,
    ) -> Result<Counts, EngineError> {
        let cursor = before.cursor;
        while !(before.is_over() && after.is_over()) {
            let (mut old, mut new) = (before.part(), after.part());
            let (of_old, of_new) = (before.follows(&old), after.follows(&new));
            // Side by side: each server process looks for its next rows while these are compared.
            let (olds, news, ()) =
                tokio::join!(before.more(observe, of_old), after.more(work, of_new), async {
                    self.compare_all(&mut old, &mut new, images);
                });
            olds.and(news)?;
            before.give_back(old);
            after.give_back(new);
            self.confirm(work, images).await?;
        }
        observe.plain(&format!("CLOSE {cursor}"), OWN).await?;
        Ok(self.seen)
    }

    /// As far as the rows of both reach.
    fn compare_all(
        &mut self,
        before: &mut Batch<Old>,
        after: &mut Batch<New>,
        images: &mut dyn Images,
    ) {
        let shape = &self.query.shape;
        while self.gone.len() < BATCH {
            let order = match (before.rows.front(), after.rows.front()) {
                (Some(old), Some(new)) => old.compare(new, shape),
                (Some(_), None) if after.last => Ordering::Less,
                (None, Some(_)) if before.last => Ordering::Greater,
                _ => return,
            };
            let old = if order == Ordering::Greater { None } else { before.rows.pop_front() };
            let new = if order == Ordering::Less { None } else { after.rows.pop_front() };
            match (old, new.filter(|row| row.ours)) {
                (Some(old), None) if order == Ordering::Less => match old.place {
                    Some(place) => self.gone.push((place, old.was)),
                    None => self.deleted(old.was, images),
                },
                // Not written, or only locked: the work session sees it where it was.
                (Some(_) | None, None) => {}
                (Some(old), Some(new)) => {
                    self.seen.updated += 1;
                    let after = Some(new.into_values(shape));
                    images.take(self.table, Image { was: old.was, after });
                }
                (None, Some(new)) => {
                    self.seen.inserted += 1;
                    let was = Known::of(new.key(shape).cloned().collect(), None);
                    let after = Some(new.into_values(shape));
                    images.take(self.table, Image { was, after });
                }
            }
        }
    }

    /// A lock that came and went between the two looks makes a row seem gone that is not.
    async fn confirm(
        &mut self,
        work: &mut Session,
        images: &mut dyn Images,
    ) -> Result<(), EngineError> {
        let gone = std::mem::take(&mut self.gone);
        if gone.is_empty() {
            return Ok(());
        }
        let places: Vec<Place> = gone.iter().map(|(place, _)| *place).collect();
        let still = work.rows(&self.query.still(&places)).await?;
        let at = |row: &Vec<Value>| place(row.first()?.as_ref(), row.get(1)?.as_ref());
        let still: HashSet<Place> = still.iter().filter_map(at).collect();
        for (place, was) in gone {
            if !still.contains(&place) {
                self.deleted(was, images);
            }
        }
        Ok(())
    }

    fn deleted(&mut self, was: Known, images: &mut dyn Images) {
        self.seen.deleted += 1;
        images.take(self.table, Image { was, after: None });
    }
}

impl<R: Listed + Send> List<R> {
    /// The rows that a text of the query gives.
    pub async fn open(
        session: &mut Session,
        cursor: &'static str,
        query: &Query,
        sql: String,
        limit: Duration,
    ) -> Result<Self, EngineError> {
        session.declare(cursor, &sql, limit).await?;
        let (shape, portion) = (query.shape.clone(), Portion::of_at_most(BATCH));
        Ok(Self { cursor, shape, rows: VecDeque::new(), portion, ended: false, limit })
    }

    fn is_over(&self) -> bool {
        self.ended && self.rows.is_empty()
    }

    /// What is there of it now.
    fn part(&mut self) -> Batch<R> {
        Batch { rows: std::mem::take(&mut self.rows), last: self.ended }
    }

    fn give_back(&mut self, mut part: Batch<R>) {
        part.rows.append(&mut self.rows);
        self.rows = part.rows;
    }

    /// Whether more is to come behind a part, and soon.
    fn follows(&self, part: &Batch<R>) -> bool {
        !part.last && part.rows.len() <= self.portion.rows()
    }

    /// Some rows more, if they are wanted.
    async fn more(&mut self, session: &mut Session, wanted: bool) -> Result<(), EngineError> {
        if !wanted {
            return Ok(());
        }
        let (asked, from) = (self.portion.rows(), self.rows.len());
        let sql = format!("FETCH {asked} FROM {}", self.cursor);
        let (rows, shape) = (&mut self.rows, &self.shape);
        let (seen, _) = session
            .fetch(sql, self.limit, &mut None, &mut |_, cells| {
                rows.extend(R::of(cells, shape));
                ControlFlow::Continue(())
            })
            .await?;
        self.ended = seen < asked;
        self.portion.took(seen, self.rows.range(from..).filter_map(R::values));
        Ok(())
    }
}

impl List<Old> {
    /// As much of it as there is room for, and all that can be done with it.
    pub async fn take_in(&mut self, session: &mut Session) -> Result<(), EngineError> {
        /// Fifty thousand rows that are not wide, with their lines.
        const ROOM: usize = 32 << 20;
        let mut held = 0;
        while !self.ended && held < ROOM {
            let from = self.rows.len();
            self.more(session, true).await?;
            for row in self.rows.range_mut(from..) {
                row.was.begin();
                held += row.was.weight();
            }
        }
        Ok(())
    }
}

impl Listed for Old {
    /// Its values and what it is known by, and where it lies if that is asked.
    fn of(mut cells: Vec<Cell<'_>>, shape: &Shape) -> Option<Self> {
        let place = if shape.old_has_place() { Some(take_place(&mut cells)?) } else { None };
        let mut values: Vec<Value> = cells.into_iter().map(Cell::into_value).collect();
        let key =
            shape.key.iter().map(|part| values.get(part.at).cloned()).collect::<Option<_>>()?;
        values.truncate(shape.stored);
        Some(Self { was: Known::of(key, Some(values)), place })
    }

    fn values(&self) -> Option<&Vec<Value>> {
        self.was.before()
    }
}

impl Old {
    fn compare(&self, new: &New, shape: &Shape) -> Ordering {
        let by_key = shape.order(self.was.key(), new.key(shape));
        // Without a key, both say where they lie.
        if shape.keyless { by_key.then(self.place.cmp(&new.place)) } else { by_key }
    }
}

impl Listed for New {
    /// Its values and what it is known by, whether it is ours, and where it lies if that is asked.
    fn of(mut cells: Vec<Cell<'_>>, shape: &Shape) -> Option<Self> {
        let place = if shape.keyless { Some(take_place(&mut cells)?) } else { None };
        let ours = cells.pop()?.as_ref() == ValueRef::Text("t");
        Some(Self { cells: cells.into_iter().map(Cell::into_value).collect(), ours, place })
    }

    fn values(&self) -> Option<&Vec<Value>> {
        Some(&self.cells)
    }
}

impl New {
    fn key(&self, shape: &Shape) -> impl Iterator<Item = &Value> {
        shape.key.iter().filter_map(|part| self.cells.get(part.at))
    }

    fn into_values(mut self, shape: &Shape) -> Vec<Value> {
        self.cells.truncate(shape.stored);
        self.cells
    }
}

/// Where a row lies: its last two cells, which are taken away.
fn take_place(cells: &mut Vec<Cell<'_>>) -> Option<Place> {
    let (ctid, table) = (cells.pop()?, cells.pop()?);
    place(table.as_ref(), ctid.as_ref())
}

fn place(table: ValueRef<'_>, ctid: ValueRef<'_>) -> Option<Place> {
    let (ValueRef::Integer(table), ValueRef::Text(ctid)) = (table, ctid) else { return None };
    let (block, line) = ctid.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    Some((table, block.parse().ok()?, line.parse().ok()?))
}
