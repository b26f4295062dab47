//! Which rows of a table the worker sees otherwise than everybody else: the rows that it wrote.
//!
//! The table is walked in slices of its key, on both connections at once. The server sums the digests
//! of a slice up; only where the sums differ are the digests of its rows read, and only rows that
//! differ travel whole. A row that somebody else commits between the two looks differs too; such a row
//! is found out by looking again (`watch`).

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::rows::{exact, owned, part};
use super::values::{list, quoted};
use super::{ALONE, Session};
use crate::engine::book::name;
use crate::engine::{EngineError, Table};
use crate::value::{Value, ValueRef};

/// Rows of a slice.
const SLICE: usize = 20_000;

/// A table without a key is read whole, so it must be small.
pub const KEYLESS: u64 = 100_000;

type Digests = HashMap<String, (Vec<Value>, Value)>;

fn digest(table: &Table) -> String {
    let columns: Vec<String> = table.stored().iter().map(|name| exact(table, name)).collect();
    // The lengths first: a text that holds the separator must not look like two.
    let lengths = columns.iter().map(|column| format!("IFNULL(LENGTH({column}), 'n')"));
    let values = columns.iter().map(|column| format!("CAST({column} AS BINARY)"));
    format!("MD5(CONCAT_WS('#', {}))", lengths.chain(values).collect::<Vec<_>>().join(", "))
}

/// `a > 1 OR (a = 1 AND b > 2)`: rows behind a key, in a form that an index serves.
fn beyond(table: &Table, key: &[Value], sign: &str, also: bool) -> String {
    let mut ways = Vec::new();
    for last in 0..key.len() {
        let mut parts: Vec<String> = (0..last)
            .map(|i| format!("{} = {}", quoted(&table.key[i]), part(table, &table.key[i], &key[i])))
            .collect();
        let equal = if also && last + 1 == key.len() { "=" } else { "" };
        let (name, value) = (&table.key[last], &key[last]);
        parts.push(format!("{} {sign}{equal} {}", quoted(name), part(table, name, value)));
        ways.push(format!("({})", parts.join(" AND ")));
    }
    format!("({})", ways.join(" OR "))
}

/// Where a slice begins and ends; both open at the ends of the table.
struct Slice {
    rows: String,
    last: Option<Vec<Value>>,
}

impl Session {
    /// The slice behind this key, as the worker sees the table.
    async fn slice(
        &mut self,
        table: &Table,
        after: Option<&[Value]>,
    ) -> Result<Slice, EngineError> {
        self.exactly(true).await?;
        let start = after.map_or_else(|| "1".to_owned(), |key| beyond(table, key, ">", false));
        let keys = table.key.iter().map(|name| exact(table, name)).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT {keys} FROM {} WHERE {start} ORDER BY {} LIMIT 1 OFFSET {}",
            quoted(&table.name),
            list(&table.key),
            SLICE - 1
        );
        let last = self.collect(&sql).await?.into_iter().next();
        let end = last.as_ref().map(|key| format!(" AND {}", beyond(table, key, "<", true)));
        Ok(Slice { rows: format!("{start}{}", end.unwrap_or_default()), last })
    }

    /// Rows of a query that the operator may stop.
    async fn collect(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, EngineError> {
        let left = self.time_left(ALONE)?;
        let mut rows = Vec::new();
        let mut keep = |_: &[String], row: &[ValueRef<'_>]| {
            rows.push(owned(row));
            ControlFlow::Continue(())
        };
        self.wire.work(sql, left, &mut keep).await?;
        Ok(rows)
    }

    /// One number for all rows of a slice, whatever their order; none if a row is too long for it.
    async fn sum(
        &mut self,
        table: &Table,
        slice: &Slice,
    ) -> Result<Option<Vec<Value>>, EngineError> {
        self.exactly(true).await?;
        let digest = digest(table);
        let sql = format!(
            "SELECT COUNT(*), COUNT({digest}), \
             BIT_XOR(CAST(CONV(LEFT({digest}, 15), 16, 10) AS UNSIGNED)) FROM {} WHERE {}",
            quoted(&table.name),
            slice.rows
        );
        let row = self.collect(&sql).await?.into_iter().next();
        Ok(row.filter(|row| row.first() == row.get(1)))
    }

    async fn digests(&mut self, table: &Table, slice: &Slice) -> Result<Digests, EngineError> {
        self.exactly(true).await?;
        let keys = table.key.iter().map(|name| exact(table, name)).collect::<Vec<_>>().join(", ");
        let (digest, from) = (digest(table), quoted(&table.name));
        let sql = format!("SELECT {keys}, {digest} FROM {from} WHERE {}", slice.rows);
        let rows = self.collect(&sql).await?;
        Ok(rows
            .into_iter()
            .map(|mut key| {
                let digest = key.pop().unwrap_or(Value::Null);
                (name(&key), (key, digest))
            })
            .collect())
    }

    /// The next slice's keys that differ, and where the slice after it begins; `None` at the end.
    pub(super) async fn differing(
        &mut self,
        observe: &mut Session,
        table: &Table,
        after: Option<&[Value]>,
    ) -> Result<(Vec<Vec<Value>>, Option<Vec<Value>>), EngineError> {
        let slice = self.slice(table, after).await?;
        let (ours, theirs) = tokio::join!(self.sum(table, &slice), observe.sum(table, &slice));
        let (ours, theirs) = (ours?, theirs?);
        if ours.is_some() && ours == theirs {
            return Ok((Vec::new(), slice.last));
        }
        let (ours, theirs) =
            tokio::join!(self.digests(table, &slice), observe.digests(table, &slice));
        let (ours, mut theirs) = (ours?, theirs?);
        let mut keys = Vec::new();
        for (at, (key, digest)) in ours {
            match theirs.remove(&at) {
                // No digest: the row is too long for one.
                Some((_, other)) if other == digest && digest != Value::Null => {}
                _ => keys.push(key),
            }
        }
        keys.extend(theirs.into_values().map(|(key, _)| key));
        Ok((keys, slice.last))
    }

    /// Rows of a table without a key: what only others see, and what only the worker sees.
    pub(super) async fn differing_whole(
        &mut self,
        observe: &mut Session,
        table: &Table,
    ) -> Result<(Vec<Vec<Value>>, Vec<Vec<Value>>), EngineError> {
        let (ours, theirs) = (self.whole(table).await?, observe.whole(table).await?);
        let mut counts: HashMap<String, (i64, &Vec<Value>)> = HashMap::new();
        for (rows, step) in [(&theirs, -1), (&ours, 1)] {
            for row in rows {
                counts.entry(format!("{row:?}")).or_insert((0, row)).0 += step;
            }
        }
        let pick = |sign: i64| {
            let of_sign = counts.values().filter(move |(n, _)| n * sign > 0);
            of_sign
                .flat_map(|(n, row)| {
                    let times = usize::try_from(n.unsigned_abs()).unwrap_or(1);
                    std::iter::repeat_n((*row).clone(), times)
                })
                .collect()
        };
        Ok((pick(-1), pick(1)))
    }

    async fn whole(&mut self, table: &Table) -> Result<Vec<Vec<Value>>, EngineError> {
        self.exactly(true).await?;
        let columns = table.stored().iter().map(|name| exact(table, name)).collect::<Vec<_>>();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(&table.name));
        self.collect(&sql).await
    }
}
