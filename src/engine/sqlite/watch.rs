//! The watch over a write transaction: every row that is touched, by whom it may be.
//!
//! Temporary triggers on every table log the key of each row written, also by other triggers and by
//! foreign-key actions; they live in this connection alone and leave nothing in the file. The images
//! themselves are read by key, before from another connection and after from this one, so the order
//! in which triggers fire does not matter. The count is checked against `total_changes()`: each
//! write of the change logs exactly one row, so twice the log is all there can be.

use std::collections::HashSet;
use std::time::Duration;

use super::{Session, quoted};
use crate::engine::{Blind, EngineError, Table, Touched};
use crate::value::Value;

#[derive(Debug)]
pub struct Watch {
    tables: Vec<Table>,
    total_changes: i64,
}

impl Session {
    pub async fn begin_watched(
        &mut self,
        tables: &[Table],
        time_cap: Duration,
    ) -> Result<Blind, EngineError> {
        let tables: Vec<Table> =
            tables.iter().filter(|table| table.name != super::ledger::TABLE).cloned().collect();
        self.run(&script(&tables)).await?;
        self.begin(time_cap).await?;
        let blind = self.blind_spots().await?;
        let total_changes = self.number("SELECT total_changes()").await?;
        self.watch = Some(Watch { tables, total_changes });
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

    pub async fn touched(&mut self) -> Result<(Vec<Touched>, Blind), EngineError> {
        let Some(watch) = self.watch.take() else { return Ok((Vec::new(), Blind::new())) };
        let outcome = self.read_log(&watch).await;
        self.watch = Some(watch);
        outcome
    }

    async fn read_log(&mut self, watch: &Watch) -> Result<(Vec<Touched>, Blind), EngineError> {
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

/// The log, table by table in the order of first touch.
fn sort_out(tables: &[Table], log: &[Vec<Value>]) -> Vec<Touched> {
    let width = width(tables);
    let mut order: Vec<usize> = Vec::new();
    let mut found: Vec<Touched> = tables
        .iter()
        .map(|table| Touched { table: table.name.clone(), ..Touched::default() })
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
                entry.inserted += 1;
                &[new]
            }
            2 => {
                entry.updated += 1;
                &[old, new]
            }
            _ => {
                entry.deleted += 1;
                &[old]
            }
        };
        for key in keys {
            if known.insert((table, format!("{key:?}"))) {
                entry.keys.push(key.to_vec());
            }
        }
    }
    order.into_iter().map(|table| std::mem::take(&mut found[table])).collect()
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
