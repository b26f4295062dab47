//! The watch over a write transaction.
//!
//! The worker reads at READ COMMITTED and has locked every row that it wrote. So a row is ours exactly
//! if the worker sees it otherwise than a session that sees only what is committed; what others do
//! meanwhile is the same for both. The rows to look at are noted statement by statement. Whether they
//! are all is said by the server's own count of the rows that the transaction has written. If that
//! count is higher, or cannot be read, every table within reach of the statements is compared whole;
//! but not again where all was found once and since then it counts only the rows that were put back.

mod images;

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::functions::is_known;
use super::rows::{exact, owned};
use super::values::quoted;
use super::{ALONE, Session, ledger, nothing};
use crate::engine::{Blind, EngineError, Session as Any, Table};
use crate::sql::{self, Verb};
use crate::value::Value;

/// The server's count is shown from a copy that is this old at most.
const COPY: Duration = Duration::from_millis(120);

#[derive(Debug, Default)]
pub struct Watch {
    tables: Vec<Table>,
    /// Rows that statements named, by table in the order of first touch.
    noted: Vec<(String, Noted)>,
    calls: Vec<String>,
    /// The next number of each table, before the first row was added.
    counters: HashMap<String, u64>,
    /// Rows that were put back since the last look, and when the savepoint was set.
    puts: u64,
    puts_then: u64,
    /// The server's count at the last look, if everything was found that it counts.
    found: Option<u64>,
}

#[derive(Debug, Default)]
struct Noted {
    /// Locked by us since they were noted, so nobody else can have changed them.
    locked: Vec<Vec<Value>>,
    /// Only read.
    seen: Vec<Vec<Value>>,
    /// Written by us one by one since the last look.
    put: Vec<Vec<Value>>,
    direct: [u64; 3],
}

impl Watch {
    fn table(&self, name: &str) -> Option<&Table> {
        let last = name.rsplit('.').next().unwrap_or(name);
        let exactly = self.tables.iter().find(|table| table.name == last);
        exactly.or_else(|| self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(last)))
    }

    fn note(&mut self, table: &str) -> &mut Noted {
        let at = self.noted.iter().position(|(name, _)| name == table).unwrap_or_else(|| {
            self.noted.push((table.to_owned(), Noted::default()));
            self.noted.len() - 1
        });
        &mut self.noted[at].1
    }

    pub(super) fn count_puts(&mut self, rows: u64) {
        self.puts += rows;
    }

    pub(super) fn savepoint(&mut self) {
        self.puts_then = self.puts;
    }

    pub(super) fn back_to_savepoint(&mut self) {
        self.puts = self.puts_then;
    }

    /// How many rows were put back since the last look, which is now.
    fn looked(&mut self) -> u64 {
        for (_, noted) in &mut self.noted {
            noted.locked.append(&mut noted.put);
        }
        self.puts_then = 0;
        std::mem::take(&mut self.puts)
    }
}

impl Session {
    pub async fn begin_watched(
        &mut self,
        observe: &mut Any,
        tables: &[Table],
        op: &str,
        time_cap: Duration,
    ) -> Result<Blind, EngineError> {
        self.claim(op).await?;
        if self.graph.is_none() {
            self.graph = Some(Box::new(self.graph().await?));
        }
        self.begin(time_cap).await?;
        let of_others = |table: &&Table| table.name != ledger::TABLE;
        let tables = tables.iter().filter(of_others).cloned().collect();
        self.watch = Some(Box::new(Watch { tables, ..Watch::default() }));
        observe.begin_snapshot().await?;
        Ok(Blind::new())
    }

    pub async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        self.may_write()?;
        self.as_operator().await?;
        let dialect = self.dialect();
        let write = sql::write(sql, dialect);
        if self.shadow.is_some() && self.transaction.is_none() {
            if write.is_err() && !harmless(sql) {
                let sql = self.on_shadow(sql)?;
                self.wire.work(&sql, self.time_left(ALONE)?, &mut nothing).await?;
                return Ok(0);
            }
            // What follows is a trial of rows, which a savepoint must be able to take back.
            self.begin(ALONE).await?;
        }
        if self.transaction.is_some_and(|open| open.writes) {
            if let (Err(refusal), true) = (&write, self.watch.is_some()) {
                return Err(EngineError::Refused { message: refusal.sentence.clone() });
            }
            if write.is_err() && !harmless(sql) {
                return Err(EngineError::Refused {
                    message: "it would commit the open transaction by itself".into(),
                });
            }
        }
        let limit = self.time_left(ALONE)?;
        self.belt(limit).await?;
        if write.is_ok() {
            self.wire.only(sql).await?;
        }
        let (Some(watch), Ok(write)) = (&self.watch, write) else {
            let done = self.wire.work(sql, limit, &mut nothing).await?;
            self.hear_warnings().await?;
            return Ok(done.affected);
        };
        let table = watch.table(&write.table).cloned();
        let name = table.as_ref().map_or_else(|| write.table.clone(), |table| table.name.clone());
        if write.verb == Verb::Insert {
            self.read_counters(&name).await?;
        }
        let calls = sql::functions(sql, dialect).unwrap_or_default();
        // What may write runs once: its rows are found by comparing.
        let reads = calls.iter().all(|call| is_known(&call.to_lowercase()));
        let keys = match (&table, write.verb) {
            (Some(table), Verb::Update | Verb::Delete) if reads => {
                self.select_rows(sql, table).await?
            }
            _ => Keys::default(),
        };
        let mut added = Vec::new();
        let returning = table.as_ref().and_then(|table| self.returning(sql, table, write.verb));
        let mut keep = |_: &[String], row: &[crate::value::ValueRef<'_>]| {
            added.push(owned(row));
            ControlFlow::Continue(())
        };
        let limit = self.time_left(ALONE)?;
        let text = returning.as_deref().unwrap_or(sql);
        let done = self.wire.work(text, limit, &mut keep).await?;
        let rows = if returning.is_some() { done.rows } else { done.affected };
        self.hear_warnings().await?;
        self.still_open().await?;
        if returning.is_none() {
            added.clear();
        }
        if let Some(watch) = &mut self.watch {
            watch.calls.extend(calls);
            let noted = watch.note(&name);
            noted.direct[write.verb as usize] += rows;
            noted.locked.extend(keys.locked);
            noted.locked.extend(added);
            noted.seen.extend(keys.seen);
        }
        Ok(rows)
    }

    /// The keys of the rows that an UPDATE or DELETE is about to change, by its own words.
    async fn select_rows(&mut self, sql: &str, table: &Table) -> Result<Keys, EngineError> {
        let mut keys = Keys::default();
        let Some(aim) = sql::aim(sql, self.dialect()).filter(|_| is_plain_key(table)) else {
            return Ok(keys);
        };
        let of = aim.called.map(|called| format!("{called}.")).unwrap_or_default();
        let columns: Vec<String> =
            table.key.iter().map(|name| format!("{of}{}", quoted(name))).collect();
        // Of joined tables the others would be locked too.
        let lock = if aim.called.is_none() { " FOR UPDATE" } else { "" };
        let text = format!("SELECT {} FROM {} {}{lock}", columns.join(", "), aim.from, aim.tail);
        let limit = self.time_left(ALONE)?;
        let found = if aim.called.is_none() { &mut keys.locked } else { &mut keys.seen };
        let mut keep = |_: &[String], row: &[crate::value::ValueRef<'_>]| {
            found.push(owned(row));
            ControlFlow::Continue(())
        };
        match self.wire.work(&text, limit, &mut keep).await {
            // What cannot be selected so is found by comparing.
            Ok(_) | Err(EngineError::Database { .. } | EngineError::Rejected { .. }) => Ok(keys),
            Err(error) => Err(error),
        }
    }

    /// The statement with the keys of the rows that it adds as its result, where the server can.
    fn returning(&self, sql: &str, table: &Table, verb: Verb) -> Option<String> {
        let can = self.wire.is_mariadb() && self.release >= (10, 5);
        if verb != Verb::Insert || !can || !is_plain_key(table) {
            return None;
        }
        if sql.to_uppercase().contains("RETURNING") {
            return None;
        }
        let text = sql::one(sql, self.dialect()).ok()?;
        let keys: Vec<String> = table.key.iter().map(|name| exact(table, name)).collect();
        Some(format!("{text} RETURNING {}", keys.join(", ")))
    }

    /// Notes a row that was put back.
    pub(super) fn note_key(&mut self, table: &str, key: &[Value]) {
        if let Some(watch) = &mut self.watch {
            watch.note(table).put.push(key.to_vec());
        }
    }

    async fn read_counters(&mut self, table: &str) -> Result<(), EngineError> {
        let Some(graph) = &self.graph else { return Ok(()) };
        let names: Vec<String> = graph.reach([table], &[]).tables.into_iter().collect();
        let now = self.counters(&names).await?;
        if let Some(watch) = &mut self.watch {
            for (name, next) in now {
                watch.counters.entry(name).or_insert(next);
            }
        }
        Ok(())
    }

    pub(super) async fn hear_warnings(&mut self) -> Result<(), EngineError> {
        const SHOWN: usize = 10;
        let rows = self.wire.texts("SHOW WARNINGS").await?;
        for row in rows.iter().take(SHOWN) {
            if let [level, number, message] = row.as_slice() {
                self.warnings.push(format!("{level} {number}: {message}"));
            }
        }
        if rows.len() > SHOWN {
            self.warnings.push(format!("and {} more warnings", rows.len() - SHOWN));
        }
        Ok(())
    }

    /// A statement that ended the transaction would have committed it; nothing is let through that
    /// does, and the server is asked nevertheless.
    async fn still_open(&mut self) -> Result<(), EngineError> {
        if self.wire.is_mariadb() && self.wire.number("SELECT @@in_transaction").await? == 0 {
            self.transaction = None;
            return Err(EngineError::Database {
                message: "the statement ended the transaction by itself, and what it did stays"
                    .into(),
            });
        }
        Ok(())
    }

    pub async fn leaves_behind(&mut self) -> Result<Vec<String>, EngineError> {
        let Some(before) = self.watch.as_ref().map(|watch| watch.counters.clone()) else {
            return Ok(Vec::new());
        };
        let names: Vec<String> = before.keys().cloned().collect();
        let now: BTreeMap<String, u64> = self.counters(&names).await?.into_iter().collect();
        Ok(now
            .into_iter()
            .filter_map(|(name, next)| {
                let was = *before.get(&name)?;
                (next > was)
                    .then(|| format!("the next number of {name} stays at {next}; it was {was}"))
            })
            .collect())
    }

    /// A number made of what the server lists of its transactions, as they are now. It lists them from
    /// a copy that it makes anew only when nobody has asked for a tenth of a second, so the question
    /// bears a mark, and the copy is believed where it shows this session, in a transaction of its own,
    /// asking just that. `None` if others asked all the time.
    pub(super) async fn of_transactions(&mut self, what: &str) -> Result<Option<u64>, EngineError> {
        static ASKED: AtomicU64 = AtomicU64::new(0);
        const TRIES: u32 = 12;
        let id = self.wire.id();
        for number in 0..TRIES {
            if number > 0 {
                // Uneven, or it could keep step with somebody who asks as often.
                tokio::time::sleep(COPY + Duration::from_millis(u64::from(number) * 7)).await;
            }
            let mark = format!("steadyhand asks {}.", ASKED.fetch_add(1, Ordering::Relaxed));
            let sql = format!(
                "SELECT /* {mark} */ {what}, COALESCE(MAX(trx_mysql_thread_id = {id} AND \
                 LOCATE('{mark}', trx_query) > 0), 0) FROM information_schema.innodb_trx"
            );
            let row = self.wire.texts(&sql).await?.into_iter().next().unwrap_or_default();
            if let [found, fresh] = row.as_slice()
                && fresh == "1"
            {
                return Ok(found.parse().ok());
            }
        }
        Ok(None)
    }
}

#[derive(Default)]
struct Keys {
    locked: Vec<Vec<Value>>,
    seen: Vec<Vec<Value>>,
}

/// Whether keys selected by a statement's own words read the same as ours: moments are shown in the
/// time zone of the session, and floats with fewer digits.
fn is_plain_key(table: &Table) -> bool {
    let odd = ["timestamp", "float", "uuid", "inet"];
    let plain = |name: &String| {
        let kind = table.columns.iter().find(|column| column.name == *name);
        kind.is_some_and(|column| !odd.iter().any(|odd| column.kind.starts_with(odd)))
    };
    !table.key.is_empty() && table.key.iter().all(plain)
}

/// In a transaction without a watch: what neither commits nor needs one.
fn harmless(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().take(2).map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["SAVEPOINT" | "RELEASE" | "SELECT", _]
            | ["ROLLBACK", "TO"]
            | ["CREATE" | "DROP", "TEMPORARY"]
    )
}
