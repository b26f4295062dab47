//! The watch over a write transaction: the server's own count of every row that it writes.
//!
//! The counters of a session know each table, whoever wrote to it: a statement, a trigger, a cascade.
//! They carry on from earlier transactions, so only differences count, and they keep what a savepoint
//! took back, so the images (see `images`) are counted as well and must agree.

use std::collections::HashMap;
use std::time::Duration;

use super::catalogue::NAME;
use super::rows::literal;
use super::{Session, connect, footprint, sibling};
use crate::engine::{Blind, EngineError, Images, Session as Any, Table, Touched};
use crate::sql::LEDGER;
use crate::value::Value;
use crate::value::counted;

#[derive(Debug)]
pub struct Watch {
    tables: Vec<Table>,
    pub xid: String,
    /// The next number of a group of lockers when nothing had been written yet.
    pub first_group: u32,
    pub wal: String,
    baseline: HashMap<i64, Counts>,
    /// Tables by their number, in the order of first touch.
    order: Vec<i64>,
    /// What no table can say for itself.
    blind: Blind,
    /// As it was when it was last looked at: a transaction that fails lets its locks go.
    pub words: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
}

impl Counts {
    fn minus(self, other: Self) -> Self {
        Self {
            inserted: self.inserted - other.inserted,
            updated: self.updated - other.updated,
            deleted: self.deleted - other.deleted,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            inserted: self.inserted + other.inserted,
            updated: self.updated + other.updated,
            deleted: self.deleted + other.deleted,
        }
    }

    pub fn total(self) -> i64 {
        self.inserted + self.updated + self.deleted
    }
}

/// A table that was written to; a partitioned one stands for all its parts.
struct Written {
    name: String,
    kind: String,
    schema: String,
    readable: bool,
    heir_of: Vec<String>,
    counts: Counts,
}

/// The number of the lock that a watched transaction holds on its operation.
pub fn lock_of(op: &str) -> i64 {
    let digest = crate::digest::sha256(op.as_bytes());
    let start = digest.get(..16).unwrap_or_default();
    u64::from_str_radix(start, 16).unwrap_or_default().cast_signed()
}

impl Session {
    pub async fn begin_watched(
        &mut self,
        observe: &mut Any,
        tables: &[Table],
        op: &str,
        time_cap: Duration,
    ) -> Result<Blind, EngineError> {
        let observe = sibling(observe)?;
        self.may_write().await?;
        let name = literal(&connect::name(Some(op)));
        self.plain(&format!("SET application_name = {name}"), super::OWN).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE";
        self.enter(begin, time_cap, true).await?;
        // The snapshot comes before the number: whoever gets a later number is not seen in it.
        let start = format!(
            "SELECT pg_try_advisory_xact_lock({}), pg_export_snapshot(), pg_current_xact_id()::text, \
             mxid_age('1'::xid)::bigint, pg_current_wal_insert_lsn()::text, \
             current_setting('track_counts')",
            lock_of(op)
        );
        let row = self.rows(&start).await?.pop().unwrap_or_default();
        let text =
            |at: usize| row.get(at).and_then(|cell| cell.as_ref().plain()).unwrap_or_default();
        if text(0) != "t" {
            self.rollback().await?;
            let message = "another session is working on this operation".into();
            return Err(EngineError::Refused { message });
        }
        let same = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            literal(&text(1))
        );
        observe.enter(&same, Duration::MAX, false).await?;
        observe.rows("SELECT 1").await?;
        let mut blind = Blind::new();
        if text(5) != "on" {
            blind.push(
                "track_counts is off on the server, so it does not count what is written".into(),
            );
        }
        let xid = text(2);
        self.xid = Some(xid.clone());
        let first_group = text(3).parse::<i64>().unwrap_or_default();
        self.watch = Some(Watch {
            tables: tables.to_vec(),
            xid,
            first_group: wrapped(first_group + 1),
            wal: text(4),
            baseline: self.counts().await?,
            order: Vec::new(),
            blind: blind.clone(),
            words: None,
        });
        Ok(blind)
    }

    /// The counters as they stand, of tables of the server as well.
    async fn counts(&mut self) -> Result<HashMap<i64, Counts>, EngineError> {
        const COUNTS: &str = "SELECT * FROM (SELECT c.oid::bigint, \
             pg_stat_get_xact_tuples_inserted(c.oid) AS i, pg_stat_get_xact_tuples_updated(c.oid) AS u, \
             pg_stat_get_xact_tuples_deleted(c.oid) AS d FROM pg_class c \
             WHERE c.relkind IN ('r', 'm')) x WHERE i > 0 OR u > 0 OR d > 0";
        let rows = self.rows(COUNTS).await?;
        Ok(rows
            .iter()
            .filter_map(|row| match row.as_slice() {
                [
                    Value::Integer(oid),
                    Value::Integer(inserted),
                    Value::Integer(updated),
                    Value::Integer(deleted),
                ] => {
                    let (inserted, updated, deleted) = (*inserted, *updated, *deleted);
                    Some((*oid, Counts { inserted, updated, deleted }))
                }
                _ => None,
            })
            .collect())
    }

    /// Notes which tables were touched by now.
    pub(super) async fn count_touched(&mut self) -> Result<Vec<(i64, Counts)>, EngineError> {
        if self.watch.is_none() || self.transaction.is_none() {
            return Ok(Vec::new());
        }
        let now = self.counts().await?;
        let Some(watch) = &mut self.watch else { return Ok(Vec::new()) };
        let mut touched: Vec<(i64, Counts)> = now
            .into_iter()
            .map(|(oid, counts)| {
                (oid, counts.minus(watch.baseline.get(&oid).copied().unwrap_or_default()))
            })
            .filter(|(_, counts)| counts.total() > 0)
            .collect();
        touched.sort_by_key(|(oid, _)| *oid);
        for (oid, _) in &touched {
            if !watch.order.contains(oid) {
                watch.order.push(*oid);
            }
        }
        touched.sort_by_key(|(oid, _)| watch.order.iter().position(|known| known == oid));
        Ok(touched)
    }

    pub async fn written(
        &mut self,
        observe: &mut Any,
        images: &mut dyn Images,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        // So that what it writes is seen.
        self.do_what_is_put_off().await?;
        let touched = self.count_touched().await?;
        let Some(watch) = &self.watch else { return Ok((Vec::new(), Blind::new())) };
        let tables = watch.tables.clone();
        let mut blind = watch.blind.clone();
        let mut found = Vec::new();
        for written in self.named(&touched).await? {
            let Written { name, schema, readable, counts, .. } = &written;
            if let Some(sentence) = of_the_server(schema, name, counts.total()) {
                blind.push(sentence);
                continue;
            }
            let mut counts = *counts;
            match tables.iter().find(|table| table.name == *name) {
                Some(table) if *readable => {
                    let whole = written.kind == "p";
                    let observe = sibling(observe)?;
                    let near = self.images_near(observe, table, whole, images).await?;
                    if near != Some(counts) {
                        if near.is_some() {
                            images.anew(table);
                        }
                        let seen = self.images(observe, table, whole, images).await?;
                        counts = self.agree(name, counts, seen);
                    }
                }
                Some(_) => blind.push(format!(
                    "{name}: {} written that this role may not read",
                    counted(counts.total(), "row")
                )),
                None => blind.push(format!(
                    "{name}: {} written in a table that is not watched",
                    counted(counts.total(), "row")
                )),
            }
            let [inserted, updated, deleted] = [counts.inserted, counts.updated, counts.deleted]
                .map(|n| u64::try_from(n).unwrap_or(0));
            let (table, heir_of) = (name.clone(), written.heir_of.clone());
            found.push(Touched { table, inserted, updated, deleted, heir_of });
        }
        // What is written after this is not where those rows were.
        sibling(observe)?.near = None;
        let words = footprint::words(self).await?;
        if let Some(watch) = &mut self.watch {
            watch.words = words;
        }
        Ok((found, blind))
    }

    /// Holds the images against the counters. What they see is complete by itself; the counters know
    /// rows written more than once, and also those that a savepoint took back.
    fn agree(&mut self, name: &str, counts: Counts, seen: Counts) -> Counts {
        let grown = seen.inserted - seen.deleted == counts.inserted - counts.deleted;
        let covered = seen.inserted + seen.updated <= counts.inserted + counts.updated
            && seen.deleted + seen.updated <= counts.deleted + counts.updated;
        if grown && covered {
            return counts;
        }
        super::notice::kept(&self.notices).push(format!(
            "{name}: the server counted {} writes, of which a savepoint or an exception handler took \
             some back; shown is what is left",
            counts.total()
        ));
        seen
    }

    /// Names of tables by their numbers; parts of a partitioned table are added up.
    async fn named(&mut self, touched: &[(i64, Counts)]) -> Result<Vec<Written>, EngineError> {
        let oids: Vec<String> = touched.iter().map(|(oid, _)| oid.to_string()).collect();
        let sql = format!(
            "SELECT x.oid::bigint, {NAME}, c.relkind, n.nspname, has_table_privilege(c.oid, 'SELECT'), \
             array_to_json(ARRAY(WITH RECURSIVE up (oid) AS \
             (SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid UNION \
             SELECT i.inhparent FROM pg_inherits i JOIN up ON i.inhrelid = up.oid) \
             SELECT {NAME} FROM up JOIN pg_class c ON c.oid = up.oid \
             JOIN pg_namespace n ON n.oid = c.relnamespace))::text \
             FROM unnest(ARRAY[{}]::oid[]) x(oid) \
             JOIN pg_class c ON c.oid = coalesce(pg_partition_root(x.oid), x.oid) \
             JOIN pg_namespace n ON n.oid = c.relnamespace",
            oids.join(", ")
        );
        let rows = self.rows(&sql).await?;
        let mut named: Vec<Written> = Vec::new();
        for (oid, counts) in touched {
            let Some(row) = rows.iter().find(|row| row[0] == Value::Integer(*oid)) else {
                continue;
            };
            let text = |at: usize| row[at].as_ref().plain().unwrap_or_default();
            let name = text(1);
            if let Some(known) = named.iter_mut().find(|written| written.name == name) {
                known.counts = known.counts.plus(*counts);
                continue;
            }
            let (kind, schema, readable) = (text(2), text(3), text(4) == "t");
            let heir_of = serde_json::from_str(&text(5)).unwrap_or_default();
            named.push(Written { name, kind, schema, readable, heir_of, counts: *counts });
        }
        named.retain(|written| !written.name.ends_with(LEDGER));
        Ok(named)
    }
}

/// What a write to a table of the server itself means.
fn of_the_server(schema: &str, name: &str, rows: i64) -> Option<String> {
    if name.ends_with("pg_largeobject") || name.ends_with("pg_largeobject_metadata") {
        return Some("large objects are changed, and they have no image".into());
    }
    let own = schema == "pg_catalog" || schema.starts_with("pg_t");
    own.then(|| {
        let rows = counted(rows, "row");
        format!("{rows} of {name} written: something is defined or dropped on the way")
    })
}

/// Numbers of transactions go round.
fn wrapped(number: i64) -> u32 {
    u32::try_from(number.rem_euclid(1 << 32)).unwrap_or_default()
}
