//! Before and after images of the rows that a transaction wrote, without touching its SQL.
//!
//! Observer and work session look from one snapshot, so what only one of them sees is exactly what
//! the transaction did. A version that it wrote carries its number, or that of a subtransaction, as
//! `xmin`; a version that it replaced or deleted carries one as `xmax`, or the number of a group of
//! lockers that was made meanwhile. Both kinds of number are at least as high as the first that the
//! transaction got. Rows that were only locked look the same and are told apart: the work session
//! still sees them at their old place.
//!
//! The two lists come ordered by key and are merged as they come, so memory does not grow with them.
//! Where it is known which keys will be written, only rows near them are looked at, all of them on both
//! sides; what they held before is read while the statements run, as far as there is room for it.

use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use super::rows::{list, literal, quoted, relation};
use super::watch::Counts;
use super::{OWN, Session};
use crate::engine::portion::Portion;
use crate::engine::{EngineError, Image, Images, Table};
use crate::sql::Literals;
use crate::value::{Value, ValueRef};

/// Rows that are asked for at a time, if they are small.
const BATCH: usize = 2_000;

/// Which numbers are ours: a condition on `xmin` and one on `xmax`, as one session must write them.
struct Ours {
    xmin: String,
    xmax: String,
}

/// One row of either list.
struct Row {
    key: Vec<Value>,
    values: Vec<Value>,
    place: Place,
    /// Written by the transaction itself.
    ours: bool,
}

/// Where a version of a row lies: table, block and line, as the server orders them.
type Place = (i64, u64, u64);

/// A list that comes in pieces.
struct List {
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

/// Where the rows are that will be written.
pub struct Near {
    column: String,
    /// Its type, in the table that the keys are of.
    kind: String,
    /// What is true of them.
    condition: String,
    ahead: Option<Ahead>,
}

/// What the rows near held in one table, as far as it was read.
struct Ahead {
    table: String,
    query: Query,
    rows: List,
}

impl std::fmt::Debug for Near {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Near").field("column", &self.column).finish_non_exhaustive()
    }
}

impl Near {
    /// The condition, if it can be asked of the table. A column of the same name may hold something
    /// else there, which no key can be compared with.
    fn of(&self, table: &Table) -> Option<String> {
        let kind = kind(table, &self.column)?;
        let whole = |kind: &str| ["smallint", "integer", "bigint"].contains(&kind);
        let same = kind == self.kind || whole(kind) && whole(&self.kind);
        same.then(|| self.condition.clone())
    }
}

fn kind<'t>(table: &'t Table, name: &str) -> Option<&'t str> {
    let column = table.columns.iter().find(|column| column.name == name);
    column.map(|column| column.kind.as_str())
}

impl Session {
    pub fn narrow(&mut self, table: &Table, column: &str, keys: &Literals) {
        let Some(kind) = kind(table, column) else { return };
        let name = quoted(column);
        let mut condition = format!("{name} {}", keys.condition());
        if let Some((least, most)) = keys.range() {
            // Asked this way, the list is looked up for each row of the range, and no index for each
            // key of the list.
            condition = format!("{name} BETWEEN '{least}' AND '{most}' AND ({condition}) IS TRUE");
        }
        let (column, kind) = (column.to_owned(), kind.to_owned());
        self.near = Some(Near { column, kind, condition, ahead: None });
    }

    pub async fn read_ahead(&mut self, table: &Table, limit: Duration) -> Result<(), EngineError> {
        let Some(near) = self.near.as_ref().and_then(|near| near.of(table)) else { return Ok(()) };
        let name = literal(&relation(&table.name));
        let kind = format!("SELECT relkind FROM pg_class WHERE oid = {name}::regclass");
        let whole = self.text(&kind).await?.as_deref() == Some("p");
        let mut ahead = self.look(table, whole, &near, limit).await?;
        ahead.rows.take_in(self).await?;
        if let Some(near) = &mut self.near {
            near.ahead = Some(ahead);
        }
        Ok(())
    }

    /// Begins to read what the rows near hold.
    async fn look(
        &mut self,
        table: &Table,
        whole: bool,
        near: &str,
        limit: Duration,
    ) -> Result<Ahead, EngineError> {
        let query = Query::of(table, whole, &self.encoding().await?);
        let rows = self.list("steadyhand_near", &query, "false", near, limit).await?;
        Ok(Ahead { table: table.name.clone(), query, rows })
    }

    /// Looks only where the rows are said to be, if anything is said; gives how many there are.
    pub(super) async fn images_near(
        &mut self,
        observe: &mut Session,
        table: &Table,
        whole: bool,
        images: &mut dyn Images,
    ) -> Result<Option<Counts>, EngineError> {
        let Some(near) = &mut observe.near else { return Ok(None) };
        let ahead = near.ahead.take_if(|ahead| ahead.table == table.name);
        let Some(near) = near.of(table) else { return Ok(None) };
        let limit = self.remaining();
        self.apart(limit, async |work: &mut Self| {
            let Ahead { query, rows: before, .. } = match ahead {
                Some(ahead) => ahead,
                None => observe.look(table, whole, &near, limit).await?,
            };
            let span = work.span().await?;
            let ours = work.ours(&span).await?;
            let after = work.list("steadyhand_after", &query, &ours.xmin, &near, limit).await?;
            Merge::new(&query, table).run(work, observe, before, after, images).await
        })
        .await
        .map(Some)
    }

    /// Every row of a table that the transaction wrote; gives how many there are of each kind.
    pub(super) async fn images(
        &mut self,
        observe: &mut Session,
        table: &Table,
        whole: bool,
        images: &mut dyn Images,
    ) -> Result<Counts, EngineError> {
        let limit = self.remaining();
        self.apart(limit, async |work: &mut Self| {
            let span = work.span().await?;
            let query = Query::of(table, whole, &work.encoding().await?);
            let (ours, theirs) = (work.ours(&span).await?, observe.ours(&span).await?);
            let before = observe.list("steadyhand_before", &query, "false", &theirs.xmax, limit);
            let before = before.await?;
            let any = format!("{} OR {}", ours.xmin, ours.xmax);
            let after = work.list("steadyhand_after", &query, &ours.xmin, &any, limit).await?;
            Merge::new(&query, table).run(work, observe, before, after, images).await
        })
        .await
    }

    /// A list of the rows of which a condition holds, and of each whether it is ours.
    async fn list(
        &mut self,
        cursor: &'static str,
        query: &Query,
        ours: &str,
        condition: &str,
        limit: Duration,
    ) -> Result<List, EngineError> {
        self.declare(cursor, &query.select(ours, condition), limit).await?;
        let portion = Portion::of_at_most(BATCH);
        let keys = query.keys.len();
        Ok(List { cursor, keys, rows: VecDeque::new(), portion, ended: false, limit })
    }

    /// The numbers that may be ours: the first, how many were given out since, and the groups of
    /// lockers that were made since.
    async fn span(&mut self) -> Result<Span, EngineError> {
        let Some(watch) = &self.watch else {
            return Err(EngineError::Refused { message: "nothing is watched".into() });
        };
        let whole: u64 = watch.xid.parse().unwrap_or_default();
        let first = whole % (1 << 32);
        let first_group = watch.first_group;
        // Asked by a session without a number of its own, `age` counts from the next to be given out.
        let sql = format!("SELECT age('{first}'::xid)::bigint, mxid_age('1'::xid)::bigint");
        let side = super::Side::at(&mut self.side, &self.access).await?;
        let row = side.rows(&sql).await?.pop().unwrap_or_default();
        let [Value::Integer(count), Value::Integer(groups)] = row.as_slice() else {
            return Err(EngineError::Database {
                message: "it does not say how old a number is".into(),
            });
        };
        let next_group = u32::try_from((groups + 1).rem_euclid(1 << 32)).unwrap_or_default();
        Ok(Span { first, count: *count, first_group, next_group })
    }

    async fn ours(&mut self, span: &Span) -> Result<Ours, EngineError> {
        let age = self.text(&format!("SELECT age('{}'::xid)", span.first)).await?;
        let age: i64 = age.and_then(|age| age.parse().ok()).unwrap_or_default();
        let recent = |column: &str| {
            format!("(age({column}) <= {age} AND age({column}) > {})", age - span.count.max(1))
        };
        let Span { first_group, next_group, .. } = span;
        let number = "xmax::text::bigint";
        let group = match first_group.cmp(next_group) {
            Ordering::Equal => String::new(),
            Ordering::Less => {
                format!(" AND {number} >= {first_group} AND {number} < {next_group}")
            }
            Ordering::Greater => {
                format!(" AND ({number} >= {first_group} OR {number} < {next_group})")
            }
        };
        let group = if group.is_empty() { group } else { format!(" OR (xmax <> 0{group})") };
        Ok(Ours { xmin: recent("xmin"), xmax: format!("({}{group})", recent("xmax")) })
    }

    async fn encoding(&mut self) -> Result<String, EngineError> {
        Ok(self.text("SELECT current_setting('server_encoding')").await?.unwrap_or_default())
    }
}

struct Span {
    first: u64,
    count: i64,
    first_group: u32,
    next_group: u32,
}

/// How one table is read.
struct Query {
    from: String,
    keys: Vec<String>,
    columns: Vec<String>,
    order: String,
}

const ROW: &str = "steadyhand_row";

impl Query {
    fn of(table: &Table, whole: bool, encoding: &str) -> Self {
        let only = if whole { "" } else { "ONLY " };
        let from = format!("{only}{} AS {ROW}", relation(&table.name));
        // Compared here byte by byte, so it must be ordered so there, in UTF-8 as it is sent.
        let text = |expression: String| match encoding {
            "UTF8" => format!("{expression} COLLATE \"C\""),
            _ => format!("convert_to({expression}, 'UTF8')"),
        };
        let columns = list(&table.stored());
        let columns = if columns.is_empty() { Vec::new() } else { vec![columns] };
        if table.key.is_empty() {
            // The whole row is what it can be known by.
            let all = format!("format('%s', {ROW})");
            let order = format!("{}, tableoid, ctid", text(all.clone()));
            return Self { from, keys: vec![all], columns, order };
        }
        let order: Vec<String> = table
            .key
            .iter()
            .map(|name| {
                let (kind, name) = (kind(table, name), quoted(name));
                match kind.unwrap_or_default() {
                    "smallint" | "integer" | "bigint" | "uuid" | "bytea" => name,
                    "text" | "character varying" => text(name),
                    _ => text(format!("format('%s', {name})")),
                }
            })
            .collect();
        let keys = table.key.iter().map(|name| quoted(name)).collect();
        Self { from, keys, columns, order: order.join(", ") }
    }

    fn select(&self, ours: &str, condition: &str) -> String {
        let parts: Vec<&str> = self.keys.iter().chain(&self.columns).map(String::as_str).collect();
        format!(
            "SELECT {}, tableoid::bigint, ctid, {ours} FROM {} WHERE {condition} ORDER BY {}",
            parts.join(", "),
            self.from,
            self.order
        )
    }

    /// Which of these places the work session still sees.
    fn still(&self, places: &[Place]) -> String {
        let list: Vec<String> =
            places.iter().map(|(_, block, line)| format!("\"({block},{line})\"")).collect();
        format!(
            "SELECT tableoid::bigint, ctid FROM {} WHERE ctid = ANY ('{{{}}}'::tid[])",
            self.from,
            list.join(",")
        )
    }
}

struct Merge<'q> {
    query: &'q Query,
    table: &'q Table,
    seen: Counts,
    /// Rows that only the observer sees, until the work session has confirmed it.
    gone: Vec<Row>,
}

impl<'q> Merge<'q> {
    fn new(query: &'q Query, table: &'q Table) -> Self {
        Self { query, table, seen: Counts::default(), gone: Vec::new() }
    }

    async fn run(
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
    async fn take_in(&mut self, session: &mut Session) -> Result<(), EngineError> {
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
