//! Two lists of rows, before and after, ordered by key: fetched a piece at a time, and compared as they
//! come.

use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use super::Query;
use crate::engine::portion::Portion;
use crate::engine::postgres::watch::Counts;
use crate::engine::postgres::{OWN, Session};
use crate::engine::{EngineError, Image, Images, Table};
use crate::value::{Value, ValueRef};

/// Rows that are asked for at a time, if they are small.
const BATCH: usize = 2_000;

/// One row of either list.
struct Row {
    key: Vec<Value>,
    values: Vec<Value>,
    place: Place,
    /// Written by the transaction itself.
    ours: bool,
}

/// Where a version of a row lies: table, block and line, as the server orders them.
pub type Place = (i64, u64, u64);

/// A list that comes in pieces.
pub struct List {
    cursor: &'static str,
    keys: usize,
    rows: VecDeque<Row>,
    portion: Portion,
    ended: bool,
    /// How long some rows of it may take.
    limit: Duration,
}

/// What is there of a list, and whether nothing comes behind it.
struct Part {
    rows: VecDeque<Row>,
    last: bool,
}

/// The comparison of one table.
pub struct Merge<'q> {
    query: &'q Query,
    table: &'q Table,
    seen: Counts,
    /// Rows that only the observer sees, until the work session has confirmed it.
    gone: Vec<Row>,
}

impl<'q> Merge<'q> {
    pub fn new(query: &'q Query, table: &'q Table) -> Self {
        Self { query, table, seen: Counts::default(), gone: Vec::new() }
    }

    pub async fn run(
        mut self,
        work: &mut Session,
        observe: &mut Session,
        mut before: List,
        mut after: List,
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
    fn compare_all(&mut self, before: &mut Part, after: &mut Part, images: &mut dyn Images) {
        while self.gone.len() < BATCH {
            let order = match (before.rows.front(), after.rows.front()) {
                (Some(old), Some(new)) => self.compare(old, new),
                (Some(_), None) if after.last => Ordering::Less,
                (None, Some(_)) if before.last => Ordering::Greater,
                _ => return,
            };
            let old = if order == Ordering::Greater { None } else { before.rows.pop_front() };
            let new = if order == Ordering::Less { None } else { after.rows.pop_front() };
            match (old, new.filter(|row| row.ours)) {
                (Some(old), None) if order == Ordering::Less => self.gone.push(old),
                // Not written, or only locked: the work session sees it where it was.
                (Some(_) | None, None) => {}
                (Some(old), Some(new)) => {
                    self.seen.updated += 1;
                    let (before, after) = (Some(old.values), Some(new.values));
                    images.take(self.table, Image { key: old.key, before, after });
                }
                (None, Some(new)) => {
                    self.seen.inserted += 1;
                    let after = Some(new.values);
                    images.take(self.table, Image { key: new.key, before: None, after });
                }
            }
        }
    }

    fn compare(&self, old: &Row, new: &Row) -> Ordering {
        let by_key = old.key.iter().zip(&new.key).map(|(old, new)| order(old, new));
        let by_key = by_key.fold(Ordering::Equal, Ordering::then);
        // Rows without a key may be alike.
        if self.table.key.is_empty() {
            by_key.then_with(|| old.place.cmp(&new.place))
        } else {
            by_key
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
        let places: Vec<Place> = gone.iter().map(|row| row.place).collect();
        let still = work.rows(&self.query.still(&places)).await?;
        let at = |row: &Vec<Value>| place(row.first()?.as_ref(), row.get(1)?.as_ref());
        let still: HashSet<Place> = still.iter().filter_map(at).collect();
        for row in gone {
            if !still.contains(&row.place) {
                self.seen.deleted += 1;
                let before = Some(row.values);
                images.take(self.table, Image { key: row.key, before, after: None });
            }
        }
        Ok(())
    }
}

impl List {
    /// The rows of which a condition holds, and of each whether it is ours.
    pub async fn open(
        session: &mut Session,
        cursor: &'static str,
        query: &Query,
        ours: &str,
        condition: &str,
        limit: Duration,
    ) -> Result<Self, EngineError> {
        session.declare(cursor, &query.select(ours, condition), limit).await?;
        let portion = Portion::of_at_most(BATCH);
        let keys = query.keys.len();
        Ok(Self { cursor, keys, rows: VecDeque::new(), portion, ended: false, limit })
    }

    fn is_over(&self) -> bool {
        self.ended && self.rows.is_empty()
    }

    /// What is there of it now.
    fn part(&mut self) -> Part {
        Part { rows: std::mem::take(&mut self.rows), last: self.ended }
    }

    fn give_back(&mut self, mut part: Part) {
        part.rows.append(&mut self.rows);
        self.rows = part.rows;
    }

    /// Whether more is to come behind a part, and soon.
    fn follows(&self, part: &Part) -> bool {
        !part.last && part.rows.len() <= self.portion.rows()
    }

    /// Some rows more, if they are wanted; gives how many bytes they take.
    async fn more(&mut self, session: &mut Session, wanted: bool) -> Result<usize, EngineError> {
        if !wanted {
            return Ok(0);
        }
        let (asked, from) = (self.portion.rows(), self.rows.len());
        let sql = format!("FETCH {asked} FROM {}", self.cursor);
        let rows = &mut self.rows;
        let (keys, mut names) = (self.keys, None);
        let (seen, _) = session
            .fetch(sql, self.limit, &mut names, &mut |_, row| {
                rows.extend(Row::of(row, keys));
                ControlFlow::Continue(())
            })
            .await?;
        self.ended = seen < asked;
        Ok(self.portion.took(seen, self.rows.range(from..).map(|row| &row.values)))
    }

    /// As much of it as there is room for.
    pub async fn take_in(&mut self, session: &mut Session) -> Result<(), EngineError> {
        const ROOM: usize = 16 << 20;
        let mut held = 0;
        while !self.ended && held < ROOM {
            held += self.more(session, true).await?;
        }
        Ok(())
    }
}

impl Row {
    /// Key, values, where it lies, and whether it is ours.
    fn of(row: &[ValueRef<'_>], keys: usize) -> Option<Self> {
        let (values, [table, ctid, ours]) = row.split_last_chunk()?;
        let (key, values) = values.split_at_checked(keys)?;
        let owned =
            |values: &[ValueRef<'_>]| values.iter().copied().map(ValueRef::to_owned).collect();
        let ours = *ours == ValueRef::Text("t");
        Some(Self { key: owned(key), values: owned(values), place: place(*table, *ctid)?, ours })
    }
}

fn place(table: ValueRef<'_>, ctid: ValueRef<'_>) -> Option<Place> {
    let (ValueRef::Integer(table), ValueRef::Text(ctid)) = (table, ctid) else { return None };
    let (block, line) = ctid.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    Some((table, block.parse().ok()?, line.parse().ok()?))
}

/// As the server ordered them: numbers by value, everything else by its bytes.
fn order(old: &Value, new: &Value) -> Ordering {
    match (old, new) {
        (Value::Integer(old), Value::Integer(new)) => old.cmp(new),
        (Value::Text(old), Value::Text(new)) => old.as_bytes().cmp(new.as_bytes()),
        (Value::Bytes(old), Value::Bytes(new)) => old.cmp(new),
        _ => Ordering::Equal,
    }
}
