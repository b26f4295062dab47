//! The watch over a write transaction: every row that is touched, by whom it may be.
//!
//! Temporary triggers on every table log the key of each row written, also by other triggers and by
//! foreign-key actions; they live in this connection alone and leave nothing in the file. The images
//! themselves are read by key, before from another connection and after from this one, so the order
//! in which triggers fire does not matter. The count is checked against `total_changes()`: each
//! write of the change logs exactly one row, so twice the log is all there can be.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{Session, quoted};
use crate::engine::{Blind, EngineError, Image, Keyed, OnImage, Session as Any, Table, Touched};
use crate::value::Value;

/// Keys whose images are held at one time.
const BATCH: usize = 2_000;

#[derive(Debug)]
pub struct Watch {
    tables: Vec<Table>,
    total_changes: i64,
    /// Commits that the observer had seen before the transaction began.
    pub commits: i64,
}

/// What the log says of one table: the counts, and the keys in the order of first touch.
#[derive(Debug, Default)]
struct Logged {
    touched: Touched,
    keys: Vec<Vec<Value>>,
}

impl Session {
    pub async fn begin_watched(
        &mut self,
        observe: &mut Any,
        tables: &[Table],
        _op: &str,
        time_cap: Duration,
    ) -> Result<Blind, EngineError> {
        let commits = super::sibling(observe)?.commits_seen().await?;
        let tables: Vec<Table> =
            tables.iter().filter(|table| table.name != super::ledger::TABLE).cloned().collect();
        self.run(&script(&tables)).await?;
        self.begin(time_cap).await?;
        let blind = self.blind_spots().await?;
        let total_changes = self.number("SELECT total_changes()").await?;
        self.watch = Some(Watch { tables, total_changes, commits });
        // Nobody else can write now, so this snapshot is the state before.
        observe.begin_snapshot().await?;
        Ok(blind)
    }

    /// Rows that `REPLACE` pushes out fire no delete trigger unless recursive triggers are on.
    async fn blind_spots(&mut self) -> Result<Blind, EngineError> {
        const REPLACING: &str = "SELECT name FROM sqlite_schema WHERE type = 'trigger' \
             AND (sql LIKE '%OR REPLACE%' OR sql LIKE '%REPLACE INTO%')";
        if self.number("PRAGMA recursive_triggers").await? == 1 {
            return Ok(Blind::new());
        }
        let found = self.rows(REPLACING).await?;
        let names = found.iter().filter_map(|row| row[0].as_ref().plain());
        Ok(names
            .map(|name| {
                format!("trigger {name} uses REPLACE: rows that it pushes out are not seen")
            })
            .collect())
    }

    pub async fn written(
        &mut self,
        observe: &mut Any,
        on_image: OnImage<'_>,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        let Some(watch) = self.watch.take() else { return Ok((Vec::new(), Blind::new())) };
        let outcome = self.read_images(&watch, observe, on_image).await;
        self.watch = Some(watch);
        outcome
    }

    async fn read_images(
        &mut self,
        watch: &Watch,
        observe: &mut Any,
        on_image: OnImage<'_>,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        let (logged, blind) = self.read_log(watch).await?;
        let mut touched = Vec::with_capacity(logged.len());
        for (table, entry) in logged {
            let columns = table.stored();
            for keys in entry.keys.chunks(BATCH) {
                let mut before = by_key(observe.rows_by_key(table, &columns, keys).await?);
                let mut after = by_key(self.rows_by_key(table, &columns, keys).await?);
                for key in keys {
                    let name = format!("{key:?}");
                    let (before, after) = (before.remove(&name), after.remove(&name));
                    if before.is_some() || after.is_some() {
                        on_image(table, Image { key: key.clone(), before, after });
                    }
                }
            }
            touched.push(entry.touched);
        }
        Ok((touched, blind))
    }

    async fn read_log<'w>(
        &mut self,
        watch: &'w Watch,
    ) -> Result<(Vec<(&'w Table, Logged)>, Blind), EngineError> {
        let log = self.rows("SELECT * FROM temp.steadyhand_log ORDER BY seq").await?;
        let total = self.number("SELECT total_changes()").await? - watch.total_changes;
        let seen = i64::try_from(log.len()).unwrap_or(i64::MAX);
        let mut blind = Blind::new();
        if total != 2 * seen {
            blind.push(format!(
                "{} writes are unexplained: they went to a table that cannot be watched",
                total - 2 * seen
            ));
        }
        Ok((sort_out(&watch.tables, &log), blind))
    }
}

fn by_key(rows: Vec<Keyed>) -> HashMap<String, Vec<Value>> {
    rows.into_iter().map(|(key, row)| (format!("{key:?}"), row)).collect()
}

/// The log, table by table in the order of first touch.
fn sort_out<'t>(tables: &'t [Table], log: &[Vec<Value>]) -> Vec<(&'t Table, Logged)> {
    let width = width(tables);
    let mut order: Vec<usize> = Vec::new();
    let mut found: Vec<Logged> = tables
        .iter()
        .map(|table| Touched { table: table.name.clone(), ..Touched::default() })
        .map(|touched| Logged { touched, keys: Vec::new() })
        .collect();
    let mut known: HashSet<(usize, String)> = HashSet::new();
    for row in log {
        let (Value::Integer(table), Value::Integer(op)) = (&row[1], &row[2]) else { continue };
        let Ok(table) = usize::try_from(*table) else { continue };
        if !order.contains(&table) {
            order.push(table);
        }
        let entry = &mut found[table];
        let len = tables[table].key.len().max(1);
        let old = &row[3..3 + len];
        let new = &row[3 + width..3 + width + len];
        let keys: &[&[Value]] = match op {
            1 => {
                entry.touched.inserted += 1;
                &[new]
            }
            2 => {
                entry.touched.updated += 1;
                &[old, new]
            }
            _ => {
                entry.touched.deleted += 1;
                &[old]
            }
        };
        for key in keys {
            if known.insert((table, format!("{key:?}"))) {
                entry.keys.push(key.to_vec());
            }
        }
    }
    order.into_iter().map(|at| (&tables[at], std::mem::take(&mut found[at]))).collect()
}

fn width(tables: &[Table]) -> usize {
    tables.iter().map(|table| table.key.len().max(1)).max().unwrap_or(1)
}

/// The expressions that name a row: its key, or its row id where it has none.
pub fn key_expressions(table: &Table) -> Vec<String> {
    if table.key.is_empty() {
        let taken = |name: &str| table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
        let id = ["rowid", "_rowid_", "oid"].into_iter().find(|name| !taken(name));
        return vec![id.unwrap_or("rowid").to_owned()];
    }
    table.key.iter().map(|name| quoted(name)).collect()
}

fn script(tables: &[Table]) -> String {
    use std::fmt::Write as _;
    let width = width(tables);
    let columns =
        |letter: &str| (0..width).map(|i| format!("{letter}{i}")).collect::<Vec<_>>().join(", ");
    let mut sql = format!(
        "DROP TABLE IF EXISTS temp.steadyhand_log;\n\
         CREATE TEMP TABLE steadyhand_log (seq INTEGER PRIMARY KEY, tbl, op, {}, {});\n",
        columns("o"),
        columns("n")
    );
    for (number, table) in tables.iter().enumerate() {
        let keys = key_expressions(table);
        let part = |letter: &str, row: &str| -> (Vec<String>, Vec<String>) {
            keys.iter()
                .enumerate()
                .map(|(i, key)| (format!("{letter}{i}"), format!("{row}.{key}")))
                .unzip()
        };
        let ((old, old_values), (new, new_values)) = (part("o", "OLD"), part("n", "NEW"));
        let kinds = [
            ("INSERT", 1, new.clone(), new_values.clone()),
            ("UPDATE", 2, [old.clone(), new].concat(), [old_values.clone(), new_values].concat()),
            ("DELETE", 3, old, old_values),
        ];
        for (verb, op, columns, values) in kinds {
            let _ = writeln!(
                sql,
                "CREATE TEMP TRIGGER steadyhand_{verb}_{number} AFTER {verb} ON main.{} BEGIN \
                 INSERT INTO steadyhand_log (tbl, op, {}) VALUES ({number}, {op}, {}); END;",
                quoted(&table.name),
                columns.join(", "),
                values.join(", ")
            );
        }
    }
    sql
}
