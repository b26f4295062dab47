//! Two lists of rows, before and after, ordered by key: rows as they were come a piece at a time, and what
//! there is now is held against them as it comes, where it lies.

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
use crate::value::known::{After, Known};
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
    fn order(&self, old: &[Value], new: &New<'_>) -> Ordering {
        let pairs = old.iter().zip(new.key(self)).zip(&self.key);
        let by_part = pairs.map(|((old, new), part)| match (old.as_ref(), new.as_ref()) {
            (ValueRef::Integer(old), ValueRef::Integer(new)) if part.by_text => {
                old.to_string().cmp(&new.to_string())
            }
            (ValueRef::Integer(old), ValueRef::Integer(new)) => old.cmp(&new),
            (ValueRef::Text(old), ValueRef::Text(new)) => old.as_bytes().cmp(new.as_bytes()),
            (ValueRef::Bytes(old), ValueRef::Bytes(new)) => old.cmp(new),
            _ => Ordering::Equal,
        });
        by_part.fold(Ordering::Equal, Ordering::then)
    }
}

/// A row as it was.
struct Old {
    was: Known,
    place: Option<Place>,
}

/// A row as it is now.
struct New<'r> {
    /// Its values, and what it is known by.
    cells: Vec<Cell<'r>>,
    /// Written by the transaction itself.
    ours: bool,
    place: Option<Place>,
}

/// A result that comes in pieces.
pub struct Pieces {
    cursor: &'static str,
    /// What is asked, until there is a cursor of it.
    query: Option<String>,
    portion: Portion,
    ended: bool,
    /// How long some rows of it may take.
    limit: Duration,
}

/// Rows as they were, as far as they have come.
pub struct Olds {
    pieces: Pieces,
    shape: Shape,
    rows: VecDeque<Old>,
}

/// The comparison of one table.
pub struct Merge<'a> {
    query: &'a Query,
    table: &'a Table,
    images: &'a mut dyn Images,
    seen: Counts,
    /// Rows as they were that nothing was held against yet, and whether none comes behind them.
    olds: VecDeque<Old>,
    complete: bool,
    /// What came too early to be held against anything.
    waiting: VecDeque<New<'static>>,
    /// Rows that only the observer sees and that the work session has still to confirm.
    gone: Vec<(Place, Known)>,
}

impl<'a> Merge<'a> {
    pub fn new(query: &'a Query, table: &'a Table, images: &'a mut dyn Images) -> Self {
        Self {
            query,
            table,
            images,
            seen: Counts::default(),
            olds: VecDeque::new(),
            complete: false,
            waiting: VecDeque::new(),
            gone: Vec::new(),
        }
    }

    pub async fn run(
        mut self,
        work: &mut Session,
        observe: &mut Session,
        mut before: Olds,
        mut after: Pieces,
    ) -> Result<Counts, EngineError> {
        loop {
            self.olds.append(&mut before.rows);
            self.complete = before.pieces.ended;
            self.settle(after.ended);
            self.confirm(work).await?;
            if self.complete && self.olds.is_empty() && after.ended && self.waiting.is_empty() {
                break;
            }
            let of_old = self.olds.len() <= before.pieces.portion.rows();
            let of_new = self.complete || !self.olds.is_empty();
            // Where all is there that it can be held against, none of it waits.
            let unkept = self.complete;
            // Side by side: each server process looks for its next rows meanwhile.
            let (olds, news) = tokio::join!(
                async { if of_old { before.more(observe).await } else { Ok(()) } },
                async {
                    if !of_new {
                        return Ok(());
                    }
                    after.next(work, unkept, &mut |cells| self.arrive(cells)).await
                }
            );
            olds.and(news)?;
        }
        observe.plain(&format!("CLOSE {}", before.pieces.cursor), OWN).await?;
        Ok(self.seen)
    }

    fn arrive(&mut self, cells: Vec<Cell<'_>>) {
        let Some(new) = New::of(cells, &self.query.shape) else { return };
        let early = if self.waiting.is_empty() { self.meet(new) } else { Some(new) };
        self.waiting.extend(early.map(New::into_owned));
    }

    /// What waited, as far as it can be told; and what is left if nothing more comes.
    fn settle(&mut self, over: bool) {
        while let Some(new) = self.waiting.pop_front() {
            if let Some(new) = self.meet(new) {
                self.waiting.push_front(new);
                return;
            }
        }
        if over {
            while let Some(old) = self.olds.pop_front() {
                self.went(old);
            }
        }
    }

    /// Holds a row against those that were; gives it back if they do not reach so far.
    fn meet<'r>(&mut self, new: New<'r>) -> Option<New<'r>> {
        let shape = &self.query.shape;
        loop {
            let order = match self.olds.front() {
                Some(old) => old.compare(&new, shape),
                None if self.complete => Ordering::Greater,
                None => return Some(new),
            };
            let old = if order == Ordering::Greater { None } else { self.olds.pop_front() };
            match old {
                Some(old) if order == Ordering::Less => self.went(old),
                // Not written, or only locked: the work session sees it where it was.
                _ if !new.ours => return None,
                Some(old) => {
                    self.seen.updated += 1;
                    let image = Image::of(old.was, Some(new.into_values(shape)));
                    self.images.take(self.table, image);
                    return None;
                }
                None => {
                    self.seen.inserted += 1;
                    let key = new.key(shape).map(|cell| cell.as_ref().to_owned()).collect();
                    let image = Image::of(Known::of(key, None), Some(new.into_values(shape)));
                    self.images.take(self.table, image);
                    return None;
                }
            }
        }
    }

    /// What is not there any more.
    fn went(&mut self, old: Old) {
        match old.place {
            Some(place) => self.gone.push((place, old.was)),
            None => self.deleted(old.was),
        }
    }

    /// A lock that came and went between the two looks makes a row seem gone that is not.
    async fn confirm(&mut self, work: &mut Session) -> Result<(), EngineError> {
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
                self.deleted(was);
            }
        }
        Ok(())
    }

    fn deleted(&mut self, was: Known) {
        self.seen.deleted += 1;
        self.images.take(self.table, Image { was, after: After::Gone });
    }
}

impl Pieces {
    /// What a query will give.
    pub fn of(query: String, cursor: &'static str, limit: Duration) -> Self {
        let portion = Portion::of_at_most(BATCH);
        Self { cursor, query: Some(query), portion, ended: false, limit }
    }

    /// Has the server begin with it.
    async fn open(&mut self, session: &mut Session) -> Result<(), EngineError> {
        match self.query.take() {
            Some(query) => session.declare(self.cursor, &query, self.limit).await,
            None => Ok(()),
        }
    }

    /// Some rows more; all of them if nobody has to keep them and there is no cursor yet: what is fetched of
    /// one is put together by the server before it sends any of it.
    async fn next(
        &mut self,
        session: &mut Session,
        unkept: bool,
        on_row: &mut (dyn FnMut(Vec<Cell<'_>>) + Send),
    ) -> Result<(), EngineError> {
        if self.ended {
            return Ok(());
        }
        let (asked, all) = (self.portion.rows(), self.query.take_if(|_| unkept));
        let is_all = all.is_some();
        let sql = match all {
            Some(query) => query,
            None => {
                self.open(session).await?;
                format!("FETCH {asked} FROM {}", self.cursor)
            }
        };
        let mut bytes = 0;
        let (seen, _) = session
            .fetch(sql, self.limit, &mut None, &mut |_, cells| {
                bytes += cells.iter().map(Cell::weight).sum::<usize>();
                on_row(cells);
                ControlFlow::Continue(())
            })
            .await?;
        self.ended = is_all || seen < asked;
        self.portion.weighed(seen, bytes);
        Ok(())
    }
}

impl Olds {
    /// The rows that a text of the query gives.
    pub async fn open(
        session: &mut Session,
        cursor: &'static str,
        query: &Query,
        sql: String,
        limit: Duration,
    ) -> Result<Self, EngineError> {
        let mut pieces = Pieces::of(sql, cursor, limit);
        pieces.open(session).await?;
        Ok(Self { pieces, shape: query.shape.clone(), rows: VecDeque::new() })
    }

    async fn more(&mut self, session: &mut Session) -> Result<(), EngineError> {
        let Self { pieces, shape, rows } = self;
        pieces.next(session, false, &mut |cells| rows.extend(Old::of(cells, shape))).await
    }

    /// As much of it as there is room for, and all that can be done with it.
    pub async fn take_in(&mut self, session: &mut Session) -> Result<(), EngineError> {
        /// Fifty thousand rows that are not wide, with their lines.
        const ROOM: usize = 32 << 20;
        let mut held = 0;
        while !self.pieces.ended && held < ROOM {
            let from = self.rows.len();
            self.more(session).await?;
            for row in self.rows.range_mut(from..) {
                row.was.begin();
                held += row.was.weight();
            }
        }
        Ok(())
    }
}

impl Old {
    /// Its values and what it is known by, and where it lies if that is asked.
    fn of(mut cells: Vec<Cell<'_>>, shape: &Shape) -> Option<Self> {
        let place = if shape.old_has_place() { Some(take_place(&mut cells)?) } else { None };
        let mut values: Vec<Value> = cells.into_iter().map(Value::from).collect();
        let key =
            shape.key.iter().map(|part| values.get(part.at).cloned()).collect::<Option<_>>()?;
        values.truncate(shape.stored);
        Some(Self { was: Known::of(key, Some(values)), place })
    }

    fn compare(&self, new: &New<'_>, shape: &Shape) -> Ordering {
        let by_key = shape.order(self.was.key(), new);
        // Without a key, both say where they lie.
        if shape.keyless { by_key.then(self.place.cmp(&new.place)) } else { by_key }
    }
}

impl<'r> New<'r> {
    /// Its values and what it is known by, whether it is ours, and where it lies if that is asked.
    fn of(mut cells: Vec<Cell<'r>>, shape: &Shape) -> Option<Self> {
        let place = if shape.keyless { Some(take_place(&mut cells)?) } else { None };
        let ours = cells.pop()?.as_ref() == ValueRef::Text("t");
        Some(Self { cells, ours, place })
    }

    fn into_owned(self) -> New<'static> {
        let cells = self.cells.into_iter().map(Cell::into_owned).collect();
        New { cells, ours: self.ours, place: self.place }
    }

    fn key<'n>(&'n self, shape: &'n Shape) -> impl Iterator<Item = &'n Cell<'r>> {
        shape.key.iter().filter_map(|part| self.cells.get(part.at))
    }

    fn into_values(mut self, shape: &Shape) -> Vec<Cell<'r>> {
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
