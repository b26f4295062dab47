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
use crate::dialect::Dialect;
use crate::engine::book::Sides;
use crate::engine::portion::Portion;
use crate::engine::{Blind, EngineError, Image, Images, Session as Any, Table, Touched};
use crate::sql;
use crate::value::Value;
use crate::value::counted;
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

/// What the writes to the rows of one key come to, in whatever order they were logged.
#[derive(Debug, Clone, Copy)]
struct Balance {
    /// How many rows more there are now than before.
    more: i64,
    /// A row came to have the key, or ceased to.
    came: bool,
    went: bool,
}

impl Balance {
    /// Whether it may be that of a row that was there before or not, and is there now or not.
    fn fits(self, was: bool, is: bool) -> bool {
        i64::from(is) - i64::from(was) == self.more && (was || self.came) && (is || self.went)
    }
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
             FROM sqlite_schema WHERE type IN ('trigger', 'table') AND sql LIKE '%REPLACE%'";
        if self.number("PRAGMA recursive_triggers").await? == 1 {
            return Ok(Vec::new());
        }
        let found = self.rows(REPLACING).await?;
        let text = |value: &Value| value.as_ref().plain();
        let unseen = |row: &Vec<Value>| {
            let (table, trigger, definition) = (text(&row[0])?, text(&row[1]), text(&row[2])?);
            let ways: &[&[&str]] = match trigger {
                Some(_) => &[&["OR", "REPLACE"], &["REPLACE", "INTO"]],
                None => &[&["ON", "CONFLICT", "REPLACE"]],
            };
            let says = ways.iter().any(|words| sql::says(&definition, Dialect::Sqlite, words));
            says.then_some(Replacing { table, trigger })
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
        let observe = super::sibling(observe)?;
        let mut blind = self.unexplained(watch).await?;
        self.sort_log(watch).await?;
        let (mut touched, mut unfound) = (Vec::new(), Blind::new());
        for (number, counts) in self.counts(watch).await? {
            let table = &watch.tables[number];
            let columns = table.stored();
            let (mut last, mut portion) = (0, Portion::of_at_most(BATCH));
            let (mut lost, mut unwritable): (u64, u64) = (0, 0);
            loop {
                let (len, most) = (table.key.len().max(1), portion.rows());
                let noted = self.next_keys(number, len, most, &mut last).await?;
                if noted.is_empty() {
                    break;
                }
                let (keys, balances): (Vec<_>, Vec<_>) = noted.into_iter().unzip();
                let theirs = observe.rows_by_key(table, &columns, &keys).await?;
                let ours = self.rows_by_key(table, &columns, &keys).await?;
                let odd =
                    std::mem::take(&mut self.odd_text) | std::mem::take(&mut observe.odd_text);
                let mut sides = Sides::of(theirs, ours);
                portion.took(keys.len(), sides.rows());
                for (key, balance) in keys.into_iter().zip(balances) {
                    // Where NULL is in a key, any number of rows may have it.
                    let one = table.key.is_empty() || !key.contains(&Value::Null);
                    let image = sides.image(key);
                    let (was, is) = (image.was.before().is_some(), image.after != After::Gone);
                    lost += u64::from(!one || !balance.fits(was, is));
                    if odd && puts_bytes_back(&image) {
                        unwritable += 1;
                    }
                    if was || is {
                        images.take(table, image);
                    }
                }
            }
            if lost > 0 {
                unfound.push(format!(
                    "{}: {lost} keys of rows that were written do not lead to these rows again",
                    table.name
                ));
            }
            if unwritable > 0 {
                unfound.push(format!(
                    "{}: text of {} is not UTF-8 and would come back as bytes",
                    table.name,
                    counted(unwritable, "row")
                ));
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
        blind.append(&mut unfound);
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
            let heir_of = Vec::new();
            found.push((number, Touched { table, inserted, updated, deleted, heir_of }));
        }
        Ok(found)
    }

    /// The next keys of a table in the order of first touch, and what was done to their rows.
    async fn next_keys(
        &mut self,
        table: usize,
        len: usize,
        most: usize,
        last: &mut i64,
    ) -> Result<Vec<(Vec<Value>, Balance)>, EngineError> {
        let sql = format!(
            "SELECT * FROM temp.steadyhand_keys WHERE tbl = {table} AND seq > {last} \
             ORDER BY seq LIMIT {most}"
        );
        let mut keys = Vec::with_capacity(most);
        for mut row in self.rows(&sql).await? {
            let number = |at: usize| match row[at] {
                Value::Integer(number) => number,
                _ => 0,
            };
            *last = number(1);
            let balance = Balance { more: number(2), came: number(3) == 1, went: number(4) == 1 };
            row.drain(..5);
            row.truncate(len);
            keys.push((row, balance));
        }
        Ok(keys)
    }
}

/// Whether taking the row back would write bytes, or hold some against what is there.
fn puts_bytes_back(image: &Image) -> bool {
    let is_bytes = |value: &Value| matches!(value, Value::Bytes(_));
    let before = image.was.before();
    match &image.after {
        After::Gone => before.is_some_and(|row| row.iter().any(is_bytes)),
        After::Whole(now) => now.iter().chain(before.into_iter().flatten()).any(is_bytes),
        After::Changed(changed) => changed.iter().any(|(at, now)| {
            is_bytes(now) || before.and_then(|row| row.get(*at)).is_some_and(is_bytes)
        }),
    }
}

/// A change of a key touches two rows; each place in the log has room for both.
fn sorting(width: usize) -> String {
    let names = |letter: &str| {
        (0..width).map(|i| format!("{letter}{i} AS k{i}")).collect::<Vec<_>>().join(", ")
    };
    let keys = (0..width).map(|i| format!("k{i}")).collect::<Vec<_>>().join(", ");
    let moved = (0..width).map(|i| format!("o{i} IS NOT n{i}")).collect::<Vec<_>>().join(" OR ");
    format!(
        "DROP TABLE IF EXISTS temp.steadyhand_keys;\n\
         CREATE TEMP TABLE steadyhand_keys (tbl, seq, more, came, went, {keys}, PRIMARY KEY (tbl, seq)) \
         WITHOUT ROWID;\n\
         INSERT INTO temp.steadyhand_keys \
         SELECT tbl, MIN(seq), SUM(more), MAX(came), MAX(went), {keys} FROM (\
         SELECT tbl, seq * 2 AS seq, -1 AS more, 0 AS came, op = 3 OR {moved} AS went, {} \
         FROM temp.steadyhand_log WHERE op <> 1 UNION ALL \
         SELECT tbl, seq * 2 + 1, 1, op = 1 OR {moved}, 0, {} \
         FROM temp.steadyhand_log WHERE op <> 3) GROUP BY tbl, {keys};",
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
