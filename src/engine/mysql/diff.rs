//! Which rows of a table the worker sees otherwise than everybody else: the rows that it wrote.
//!
//! The table is walked in slices of its key, on both connections at once, each row as its key and a
//! digest, so that only what differs travels whole. A row that somebody else commits between the two
//! looks differs too; such a row is found out by looking again (`watch`).

use std::collections::HashMap;
use std::time::Duration;

use super::Session;
use super::rows::{exact, name, owned};
use super::values::{literal, quoted};
use crate::engine::{EngineError, Table};
use crate::value::Value;

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
            .map(|i| format!("{} = {}", quoted(&table.key[i]), literal(&key[i])))
            .collect();
        let equal = if also && last + 1 == key.len() { "=" } else { "" };
        parts.push(format!("{} {sign}{equal} {}", quoted(&table.key[last]), literal(&key[last])));
        ways.push(format!("({})", parts.join(" AND ")));
    }
    format!("({})", ways.join(" OR "))
}

impl Session {
    async fn slice(
        &mut self,
        table: &Table,
        rows: &str,
        limit: Option<usize>,
    ) -> Result<(Digests, Option<Vec<Value>>), EngineError> {
        self.exactly(true).await?;
        let keys = table.key.iter().map(|name| exact(table, name)).collect::<Vec<_>>().join(", ");
        let order = table.key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let most = limit.map(|most| format!(" LIMIT {most}")).unwrap_or_default();
        let sql = format!(
            "SELECT {keys}, {} FROM {} WHERE {rows} ORDER BY {order}{most}",
            digest(table),
            quoted(&table.name)
        );
        let left = self.time_left(Duration::from_hours(1))?;
        let mut found = Digests::new();
        let mut last = None;
        let mut keep = |_: &[String], row: &[crate::value::ValueRef<'_>]| {
            let mut key = owned(row);
            let digest = key.pop().unwrap_or(Value::Null);
            if limit.is_some_and(|most| found.len() + 1 >= most) {
                last = Some(key.clone());
            }
            found.insert(name(&key), (key, digest));
            std::ops::ControlFlow::Continue(())
        };
        self.wire.work(&sql, left, &mut keep).await?;
        Ok((found, last))
    }

    /// The next slice's keys that differ, and where the slice after it begins; `None` at the end.
    pub(super) async fn differing(
        &mut self,
        observe: &mut Session,
        table: &Table,
        after: Option<&[Value]>,
    ) -> Result<(Vec<Vec<Value>>, Option<Vec<Value>>), EngineError> {
        let start = after.map_or_else(|| "1".to_owned(), |key| beyond(table, key, ">", false));
        let (ours, last) = self.slice(table, &start, Some(SLICE)).await?;
        let end = last.as_ref().map(|key| format!(" AND {}", beyond(table, key, "<", true)));
        let rows = format!("{start}{}", end.unwrap_or_default());
        let (mut theirs, _) = observe.slice(table, &rows, None).await?;
        let mut keys = Vec::new();
        for (at, (key, digest)) in ours {
            match theirs.remove(&at) {
                // No digest: the row is too long for one.
                Some((_, other)) if other == digest && digest != Value::Null => {}
                _ => keys.push(key),
            }
        }
        keys.extend(theirs.into_values().map(|(key, _)| key));
        Ok((keys, last))
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
        self.wire.rows(&sql).await
    }
}
