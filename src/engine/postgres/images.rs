//! Before and after images of the rows that a transaction wrote, without touching its SQL.
//!
//! Observer and work session look from one snapshot, so what only one of them sees is exactly what
//! the transaction did. A version that it wrote carries its number, or that of a subtransaction, as
//! `xmin`; a version that it replaced or deleted carries one as `xmax`, or the number of a group of
//! lockers that was made meanwhile. Both kinds of number are at least as high as the first that the
//! transaction got. Rows that were only locked look the same and are told apart: the work session
//! still sees them at their old place.
//!
//! The two lists come ordered by key and are merged as they come (`merge`), so memory does not grow with
//! them. Where it is known which keys will be written, only rows near them are looked at, all of them on both
//! sides; what they held before is read while the statements run, as far as there is room for it.

mod merge;

use std::cmp::Ordering;
use std::time::Duration;

use super::Session;
use super::rows::{list, literal, quoted, relation};
use super::watch::Counts;
use crate::engine::{EngineError, Images, Table};
use crate::sql::Literals;
use crate::value::Value;
use merge::{Merge, Olds, Part, Pieces, Place, Shape};

/// Which numbers are ours: a condition on `xmin` and one on `xmax`, as one session must write them.
struct Ours {
    xmin: String,
    xmax: String,
}

/// Where the rows are that will be written.
pub struct Near {
    /// The one that the keys are of.
    table: Table,
    column: String,
    /// What is true of them.
    condition: String,
    /// What those of the table held, as far as it was read.
    ahead: Option<Held>,
}

/// What rows near hold.
struct Held {
    query: Query,
    rows: Olds,
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
        let both = [&self.table, table];
        let [ours, theirs] = both.map(|table| table.kind(&self.column));
        let alike = theirs? == ours? || both.iter().all(|table| table.holds_whole(&self.column));
        alike.then(|| self.condition.clone())
    }
}

impl Session {
    pub fn narrow(&mut self, table: &Table, column: &str, keys: &Literals) {
        if table.kind(column).is_none() {
            return;
        }
        let name = quoted(column);
        let mut condition = format!("{name} {}", keys.condition(table.holds_whole(column)));
        if let Some((least, most)) = keys.range() {
            // Asked this way, the list is looked up for each row of the range, and no index for each
            // key of the list.
            condition = format!("{name} BETWEEN '{least}' AND '{most}' AND ({condition}) IS TRUE");
        }
        let (table, column) = (table.clone(), column.to_owned());
        self.near = Some(Near { table, column, condition, ahead: None });
    }

    pub async fn read_ahead(&mut self, limit: Duration) -> Result<(), EngineError> {
        let Some(mut near) = self.near.take() else { return Ok(()) };
        let name = literal(&relation(&near.table.name));
        let kind = format!("SELECT relkind FROM pg_class WHERE oid = {name}::regclass");
        let whole = self.text(&kind).await?.as_deref() == Some("p");
        let (cursor, condition) = ("steadyhand_ahead", &near.condition);
        let mut ahead = self.look(cursor, &near.table, whole, condition, limit).await?;
        ahead.rows.take_in(self).await?;
        near.ahead = Some(ahead);
        self.near = Some(near);
        Ok(())
    }

    /// Begins to read what the rows near hold.
    async fn look(
        &mut self,
        cursor: &'static str,
        table: &Table,
        whole: bool,
        near: &str,
        limit: Duration,
    ) -> Result<Held, EngineError> {
        let query = Query::of(table, whole, &self.encoding().await?).with_unwritten();
        let rows = Olds::open(self, cursor, &query, query.before(near), limit).await?;
        Ok(Held { query, rows })
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
        let ahead = near.ahead.take_if(|_| near.table.name == table.name);
        let Some(near) = near.of(table) else { return Ok(None) };
        let limit = self.remaining();
        self.apart(limit, async |work: &mut Self| {
            let Held { query, rows: before } = match ahead {
                Some(ahead) => ahead,
                None => observe.look("steadyhand_near", table, whole, &near, limit).await?,
            };
            let span = work.span().await?;
            let ours = work.ours(&span).await?;
            let after = query.after(&ours.xmin, &near);
            let after = Pieces::of(after, "steadyhand_after", limit);
            Merge::new(&query, table, images).run(work, observe, before, after).await
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
            let before = query.before(&theirs.xmax);
            let before = Olds::open(observe, "steadyhand_before", &query, before, limit).await?;
            let after = query.after(&ours.xmin, &format!("{} OR {}", ours.xmin, ours.xmax));
            let after = Pieces::of(after, "steadyhand_after", limit);
            Merge::new(&query, table, images).run(work, observe, before, after).await
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

    pub(super) async fn encoding(&mut self) -> Result<String, EngineError> {
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
    /// Columns that can be written, and behind them what a row is known by, as far as that is not among them.
    columns: String,
    shape: Shape,
    order: String,
}

const ROW: &str = "steadyhand_row";
/// Behind the columns of a query: where a version of a row lies.
const PLACE: &str = ", tableoid::bigint, ctid";

impl Query {
    fn of(table: &Table, whole: bool, encoding: &str) -> Self {
        let only = if whole { "" } else { "ONLY " };
        let from = format!("{only}{} AS {ROW}", relation(&table.name));
        // Compared here byte by byte, so it must be ordered so there, in UTF-8 as it is sent.
        let text = |expression: String| match encoding {
            "UTF8" => format!("{expression} COLLATE \"C\""),
            _ => format!("convert_to({expression}, 'UTF8')"),
        };
        let mut names = table.stored();
        let stored = names.len();
        if table.key.is_empty() {
            // The whole row is what it can be known by.
            let all = format!("format('%s', {ROW})");
            let order = format!("{}, tableoid, ctid", text(all.clone()));
            let columns = names.iter().map(|name| quoted(name) + ", ").collect::<String>() + &all;
            let key = Part { at: stored, by_text: true };
            let shape = Shape { stored, key: vec![key], keyless: true, all: false };
            return Self { from, columns, shape, order };
        }
        let (mut key, mut order) = (Vec::new(), Vec::new());
        for name in &table.key {
            let at = names.iter().position(|known| known == name);
            let at = at.unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            });
            let (kind, name) = (table.kind(name).unwrap_or_default(), quoted(name));
            let plain = ["smallint", "integer", "bigint", "uuid", "bytea"].contains(&kind);
            key.push(Part { at, by_text: !plain });
            order.push(match kind {
                _ if plain => name,
                "text" | "character varying" => text(name),
                _ => text(format!("format('%s', {name})")),
            });
        }
        let shape = Shape { stored, key, keyless: false, all: false };
        Self { from, columns: list(&names), shape, order: order.join(", ") }
    }

    /// Rows that were not written come as well.
    fn with_unwritten(mut self) -> Self {
        self.shape.all = true;
        self
    }

    /// Rows as they were; where they lie too, if that is needed to know what became of them.
    fn before(&self, condition: &str) -> String {
        let place = if self.shape.old_has_place() { PLACE } else { "" };
        self.select(place, condition)
    }

    /// Rows as they are now, and whether they are ours; where they lie too, if that tells them apart.
    fn after(&self, ours: &str, condition: &str) -> String {
        let place = if self.shape.keyless { PLACE } else { "" };
        self.select(&format!(", {ours}{place}"), condition)
    }

    fn select(&self, more: &str, condition: &str) -> String {
        let Self { from, columns, order, .. } = self;
        format!("SELECT {columns}{more} FROM {from} WHERE {condition} ORDER BY {order}")
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
