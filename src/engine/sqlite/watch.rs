//! The watch over a write transaction: every row that is touched, by whom it may be.
//!
//! Temporary triggers on every table log the key of each row written, also by other triggers and by
//! foreign-key actions; they live in this connection alone and leave nothing in the file. The images
//! themselves are read by key, before from another connection and after from this one, so the order
//! in which triggers fire does not matter. The count is checked against `total_changes()`: each
//! write of the change logs exactly one row, so twice the log is all there can be.
//!
//! The log stays in the database's own temporary file, and is sorted there: it may be long.

use std::time::Duration;

use super::Session;
use super::value::quoted;
use crate::engine::book::Sides;
use crate::engine::portion::Portion;
use crate::engine::{Blind, EngineError, Images, Session as Any, Table, Touched};
use crate::value::Value;
use crate::value::known::After;

/// Keys whose images are held at one time, if their rows are small.
const BATCH: usize = 2_000;

#[derive(Debug)]
pub struct Watch {
    tables: Vec<Table>,
    /// The library's count of changes that are none of the change.
    pub total_changes: i64,
    /// Commits that the observer had seen before the transaction began.
    pub commits: i64,
    replacing: Vec<Replacing>,
}

/// What pushes rows out unseen.
#[derive(Debug)]
struct Replacing {
    table: String,
    /// The trigger that does it; else a constraint of the table itself.
    trigger: Option<String>,
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
        // One session may run many transactions, one after the other.
        let set_up = self.watch.as_ref().is_some_and(|watch| watch.tables == tables);
        let script =
            if set_up { "DELETE FROM temp.steadyhand_log".to_owned() } else { script(&tables) };
        self.run(&script).await?;
        self.begin(time_cap).await?;
        let replacing = self.replacing().await?;
        let total_changes = self.number("SELECT total_changes()").await?;
        self.watch = Some(Watch { tables, total_changes, commits, replacing });
        // Nobody else can write now, so this snapshot is the state before.
        observe.begin_snapshot().await?;
        Ok(Blind::new())
    }

    /// Rows that `REPLACE` pushes out fire no delete trigger unless recursive triggers are on.
    async fn replacing(&mut self) -> Result<Vec<Replacing>, EngineError> {
        const REPLACING: &str = "SELECT tbl_name, iif(type = 'trigger', name, NULL), sql \
             FROM sqlite_schema WHERE type = 'trigger' AND (sql LIKE '%OR REPLACE%' OR sql LIKE '%REPLACE INTO%') \
             OR type = 'table' AND sql LIKE '%REPLACE%'";
        if self.number("PRAGMA recursive_triggers").await? == 1 {
            return Ok(Vec::new());
        }
        let found = self.rows(REPLACING).await?;
        let text = |value: &Value| value.as_ref().plain();
        let unseen = |row: &Vec<Value>| {
            let (table, trigger, sql) = (text(&row[0])?, text(&row[1]), text(&row[2])?);
            (trigger.is_some() || replaces(&sql)).then_some(Replacing { table, trigger })
        };
        Ok(found.iter().filter_map(unseen).collect())
    }

    pub async fn written(
        &mut self,
        observe: &mut Any,
        images: &mut dyn Images,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        let Some(mut watch) = self.watch.take() else { return Ok((Vec::new(), Blind::new())) };
        let outcome = self.read_images(&mut watch, observe, images).await;
        self.watch = Some(watch);
        outcome
    }

    async fn read_images(
        &mut self,
        watch: &mut Watch,
        observe: &mut Any,
        images: &mut dyn Images,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        let mut blind = self.unexplained(watch).await?;
        self.sort_log(watch).await?;
        let mut touched = Vec::new();
        for (number, counts) in self.counts(watch).await? {
            let table = &watch.tables[number];
            let columns = table.stored();
            let (mut last, mut portion) = (0, Portion::of_at_most(BATCH));
            loop {
                let (len, most) = (table.key.len().max(1), portion.rows());
                let keys = self.next_keys(number, len, most, &mut last).await?;
                if keys.is_empty() {
                    break;
                }
                let theirs = observe.rows_by_key(table, &columns, &keys).await?;
                let ours = self.rows_by_key(table, &columns, &keys).await?;
                let mut sides = Sides::of(theirs, ours);
                portion.took(keys.len(), sides.rows());
                for image in keys.into_iter().map(|key| sides.image(key)) {
                    if image.was.before().is_some() || image.after != After::Gone {
                        images.take(table, image);
                    }
                }
            }
            touched.push(counts);
        }
        for Replacing { table, trigger } in &watch.replacing {
            let same = |name: &String| name.eq_ignore_ascii_case(table);
            let touched = touched.iter().find(|touched| same(&touched.table));
            let (pushes, what) = if let Some(trigger) = trigger {
                // Also a view has triggers, and what was written through it is known by them alone.
                let silent = !watch.tables.iter().any(|table| same(&table.name));
                (silent || touched.is_some(), format!("trigger {trigger}"))
            } else {
                // Rows that only go push out none.
                let came = |touched: &Touched| touched.inserted + touched.updated > 0;
                (touched.is_some_and(came), format!("table {table}"))
            };
            if pushes {
                blind.push(format!("{what} uses REPLACE: rows that it pushes out are not seen"));
            }
        }
        Ok((touched, blind))
    }

    async fn unexplained(&mut self, watch: &Watch) -> Result<Blind, EngineError> {
        let total = self.number("SELECT total_changes()").await? - watch.total_changes;
        let seen = self.number("SELECT COUNT(*) FROM temp.steadyhand_log").await?;
        let mut blind = Blind::new();
        if total != 2 * seen {
            blind.push(format!(
                "{} writes are unexplained: they went to a table that cannot be watched",
                total - 2 * seen
            ));
        }
        Ok(blind)
    }

    /// Every key that was written once, with the place where it was written first.
    async fn sort_log(&mut self, watch: &mut Watch) -> Result<(), EngineError> {
        let before = self.number("SELECT total_changes()").await?;
        self.run(&sorting(width(&watch.tables))).await?;
        // What was written for this is no write of the change.
        watch.total_changes += self.number("SELECT total_changes()").await? - before;
        Ok(())
    }

    /// How often each table was written, in the order of first touch.
    async fn counts(&mut self, watch: &Watch) -> Result<Vec<(usize, Touched)>, EngineError> {
        const COUNTS: &str = "SELECT tbl, SUM(op = 1), SUM(op = 2), SUM(op = 3) \
             FROM temp.steadyhand_log GROUP BY tbl ORDER BY MIN(seq)";
        let mut found = Vec::new();
        for row in self.rows(COUNTS).await? {
            let mut numbers = row.iter().map(|value| match value {
                Value::Integer(n) => u64::try_from(*n).unwrap_or(0),
                _ => 0,
            });
            let mut next = || numbers.next().unwrap_or(0);
            let number = usize::try_from(next()).unwrap_or(usize::MAX);
            let Some(table) = watch.tables.get(number) else { continue };
            let (inserted, updated, deleted) = (next(), next(), next());
            let table = table.name.clone();
            found.push((number, Touched { table, inserted, updated, deleted }));
        }
        Ok(found)
    }

    /// The next keys of a table in the order of first touch.
    async fn next_keys(
        &mut self,
        table: usize,
        len: usize,
        most: usize,
        last: &mut i64,
    ) -> Result<Vec<Vec<Value>>, EngineError> {
        let sql = format!(
            "SELECT * FROM temp.steadyhand_keys WHERE tbl = {table} AND seq > {last} \
             ORDER BY seq LIMIT {most}"
        );
        let mut keys = Vec::with_capacity(most);
        for mut row in self.rows(&sql).await? {
            if let Value::Integer(seq) = row[1] {
                *last = seq;
            }
            row.drain(..2);
            row.truncate(len);
            keys.push(row);
        }
        Ok(keys)
    }
}

/// A change of a key touches two rows; each place in the log has room for both.
fn sorting(width: usize) -> String {
    let names = |letter: &str| {
        (0..width).map(|i| format!("{letter}{i} AS k{i}")).collect::<Vec<_>>().join(", ")
    };
    let keys = (0..width).map(|i| format!("k{i}")).collect::<Vec<_>>().join(", ");
    format!(
        "DROP TABLE IF EXISTS temp.steadyhand_keys;\n\
         CREATE TEMP TABLE steadyhand_keys (tbl, seq, {keys}, PRIMARY KEY (tbl, seq)) WITHOUT ROWID;\n\
         INSERT INTO temp.steadyhand_keys SELECT tbl, MIN(seq), {keys} FROM (\
         SELECT tbl, seq * 2 AS seq, {} FROM temp.steadyhand_log WHERE op <> 1 UNION ALL \
         SELECT tbl, seq * 2 + 1, {} FROM temp.steadyhand_log WHERE op <> 3) GROUP BY tbl, {keys};",
        names("o"),
        names("n")
    )
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

/// Whether a constraint of a table's definition puts a new row in the place of an old one.
fn replaces(definition: &str) -> bool {
    let words = definition.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let clause = ["ON", "CONFLICT", "REPLACE"];
    words.windows(3).any(|some| some.iter().zip(clause).all(|(a, b)| a.eq_ignore_ascii_case(b)))
}
