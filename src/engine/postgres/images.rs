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

use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use super::rows::{list, quoted, relation};
use super::watch::Counts;
use super::{OWN, Session};
use crate::engine::portion::Portion;
use crate::engine::{EngineError, Image, Images, Table};
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

impl Session {
    /// Every row of a table that the transaction wrote, or those of them of which a condition holds;
    /// gives how many there are of each kind.
    pub(super) async fn images(
        &mut self,
        observe: &mut Session,
        table: &Table,
        whole: bool,
        near: Option<&str>,
        images: &mut dyn Images,
    ) -> Result<Counts, EngineError> {
        let limit = self.remaining();
        self.apart(limit, async |work: &mut Self| {
            let span = work.span().await?;
            let query = Query::of(table, whole, near, &work.encoding().await?);
            let ours = work.ours(&span).await?;
            let theirs = observe.ours(&span).await?;
            observe.declare("steadyhand_before", &query.before(&theirs), limit).await?;
            work.declare("steadyhand_after", &query.after(&ours), limit).await?;
            let merged = Merge { query: &query, table, seen: Counts::default(), gone: Vec::new() }
                .run(work, observe, limit, images)
                .await;
            observe.plain("CLOSE steadyhand_before", OWN).await?;
            merged
        })
        .await
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
    near: String,
    order: String,
}

const ROW: &str = "steadyhand_row";

impl Query {
    fn of(table: &Table, whole: bool, near: Option<&str>, encoding: &str) -> Self {
        let near = near.map(|near| format!(" AND {near}")).unwrap_or_default();
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
            return Self { from, keys: vec![all], columns, near, order };
        }
        let order: Vec<String> = table
            .key
            .iter()
            .map(|name| {
                let kind = table.columns.iter().find(|c| c.name == *name).map(|c| c.kind.as_str());
                let name = quoted(name);
                match kind.unwrap_or_default() {
                    "smallint" | "integer" | "bigint" | "uuid" | "bytea" => name,
                    "text" | "character varying" => text(name),
                    _ => text(format!("format('%s', {name})")),
                }
            })
            .collect();
        let keys = table.key.iter().map(|name| quoted(name)).collect();
        Self { from, keys, columns, near, order: order.join(", ") }
    }

    fn select(&self, last: &str, condition: &str) -> String {
        let parts: Vec<&str> = self.keys.iter().chain(&self.columns).map(String::as_str).collect();
        format!(
            "SELECT {}, tableoid::bigint, ctid, {last} FROM {} WHERE ({condition}){} ORDER BY {}",
            parts.join(", "),
            self.from,
            self.near,
            self.order
        )
    }

    fn before(&self, ours: &Ours) -> String {
        self.select("false", &ours.xmax)
    }

    fn after(&self, ours: &Ours) -> String {
        self.select(&ours.xmin, &format!("{} OR {}", ours.xmin, ours.xmax))
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

impl Merge<'_> {
    async fn run(
        mut self,
        work: &mut Session,
        observe: &mut Session,
        limit: Duration,
        images: &mut dyn Images,
    ) -> Result<Counts, EngineError> {
        let keys = self.query.keys.len();
        let mut before = List::new("steadyhand_before", keys, limit);
        let mut after = List::new("steadyhand_after", keys, limit);
        loop {
            // Side by side: each server process has a table to read and to sort.
            let (old, new) = tokio::join!(before.fill(observe), after.fill(work));
            old.and(new)?;
            let order = match (before.rows.front(), after.rows.front()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => self.compare(old, new),
            };
            let old = if order == Ordering::Greater { None } else { before.rows.pop_front() };
            let new = if order == Ordering::Less { None } else { after.rows.pop_front() };
            match (old, new.filter(|row| row.ours)) {
                (Some(old), None) if order == Ordering::Less => {
                    self.gone.push(old);
                    if self.gone.len() >= before.portion.rows() {
                        self.confirm(work, images).await?;
                    }
                }
                // Only locked: the work session sees it where it was.
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
        self.confirm(work, images).await?;
        Ok(self.seen)
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
    fn new(cursor: &'static str, keys: usize, limit: Duration) -> Self {
        let portion = Portion::of_at_most(BATCH);
        Self { cursor, keys, rows: VecDeque::new(), portion, ended: false, limit }
    }

    async fn fill(&mut self, session: &mut Session) -> Result<(), EngineError> {
        if !self.rows.is_empty() || self.ended {
            return Ok(());
        }
        let asked = self.portion.rows();
        let sql = format!("FETCH {asked} FROM {}", self.cursor);
        let rows = &mut self.rows;
        let (keys, mut names) = (self.keys, None);
        let (seen, _) = session
            .fetch(sql, self.limit, &mut names, &mut |_, row| {
                rows.extend(Row::of(row, keys));
                ControlFlow::Continue(())
            })
            .await?;
        self.portion.took(seen, self.rows.iter().map(|row| &row.values));
        self.ended = seen < asked;
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
