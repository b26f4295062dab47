//! The watch over a write transaction.
//!
//! The server names the tables that the transaction holds locks on, which are all that it wrote and some
//! that references only lead to. The rows that a statement touched itself come back with the statement,
//! by their keys. What else was written is found out at the end (`written`).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::compare::{returnable, returned};
use super::kinds::Statement;
use super::names::{kept, shown};
use super::reach::in_schema;
use super::rows::{exact, owned};
use super::{ALONE, Session, nothing};
use crate::dialect::Dialect;
use crate::engine::book::name;
use crate::engine::{Blind, EngineError, Purpose, Session as Any, Table};
use crate::sql::{self, LEDGER, Verb, Write};
use crate::value::{Value, ValueRef};

#[derive(Debug, Default)]
pub struct Watch {
    pub tables: Vec<Table>,
    /// By table in the order of first touch.
    pub noted: Vec<(String, Noted)>,
    pub calls: Vec<String>,
    /// The state before, as the server counts its moments.
    pub moment: u64,
    pub sequences: HashMap<String, String>,
}

#[derive(Debug, Default)]
pub struct Noted {
    pub keys: Vec<Vec<Value>>,
    /// Rows of which no key came back.
    pub without: u64,
    pub direct: [u64; 3],
}

/// A table that the transaction holds a lock on; the names are missing where it may not be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    pub schema: String,
    pub name: String,
    pub object: String,
}

impl Locked {
    pub fn words(&self) -> String {
        if self.name.is_empty() { format!("object {}", self.object) } else { shown(&self.name) }
    }
}

impl Watch {
    pub fn table(&self, kept_name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| kept(&table.name) == kept_name)
    }

    pub fn note(&mut self, table: &str) -> &mut Noted {
        let at = self.noted.iter().position(|(name, _)| name == table).unwrap_or_else(|| {
            self.noted.push((table.to_owned(), Noted::default()));
            self.noted.len() - 1
        });
        &mut self.noted[at].1
    }

    pub fn noted(&self, table: &str) -> Option<&Noted> {
        self.noted.iter().find(|(name, _)| name == table).map(|(_, noted)| noted)
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
        let sequences = self.sequences().await?;
        self.may_write().await?;
        // Before the transaction, so that nothing that it sees is older than this.
        let moment = self.wire.number("SELECT TO_CHAR(CURRENT_SCN) FROM V$DATABASE").await?;
        self.begin(time_cap).await?;
        let of_others = |table: &&Table| kept(&table.name) != LEDGER.to_uppercase();
        let tables = tables.iter().filter(of_others).cloned().collect();
        self.watch = Some(Box::new(Watch { tables, moment, sequences, ..Watch::default() }));
        observe.begin_snapshot().await?;
        Ok(Blind::new())
    }

    pub async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        let refused = |message: String| Err(EngineError::Refused { message });
        if self.purpose == Purpose::Detect {
            return Err(EngineError::ReadOnly { message: "this session only reads".into() });
        }
        let text = super::one(sql)?;
        let limit = self.time_left(ALONE)?;
        let write = match (sql::write(text, Dialect::Oracle), self.is_writing()) {
            (Ok(write), true) => write,
            (Err(_), true) if self.watch.is_none() && harmless(text) => {
                return self.wire.run(text).await;
            }
            (Err(refusal), true) => return refused(refusal.sentence),
            (_, false) => {
                self.may_write().await?;
                let done = self.wire.work(Statement::new(text), limit, &mut nothing).await?;
                // Nothing commits by itself here but a definition.
                self.wire.commit().await?;
                return Ok(done.affected);
            }
        };
        let own = in_schema(&write.table, &self.schema).unwrap_or_default();
        let known = self.watch.as_ref().and_then(|watch| watch.table(&own)).cloned();
        let locked = self.lock_rows(text, known.as_ref()).await?;
        let wanted = known.as_ref().and_then(|table| returning(text, table, &write));
        let (sent, count) = match (&known, wanted) {
            (Some(table), Some(keys)) => {
                let into: Vec<String> = (1..=keys.len()).map(|n| format!(":{n}")).collect();
                let sent = format!("{text} RETURNING {} INTO {}", keys.join(", "), into.join(", "));
                (sent, table.key.len())
            }
            _ => (text.to_owned(), 0),
        };
        let mut keys = Vec::new();
        let mut odd = 0;
        let mut keep = |_: &[String], row: &[ValueRef<'_>]| {
            match known.as_ref().and_then(|table| returned(table, owned(row))) {
                Some(key) => keys.push(key),
                None => odd += 1,
            }
            std::ops::ControlFlow::Continue(())
        };
        let limit = self.time_left(ALONE)?;
        let sent = Statement::new(sent);
        let done = self.wire.work_returning(sent, count, limit, &mut keep).await?;
        let calls = sql::functions(text, Dialect::Oracle).unwrap_or_default();
        // A trigger may have given a row another key than it was found by.
        let moves = write.verb == Verb::Update
            && self.graph.as_ref().is_none_or(|graph| graph.has_triggers(&own))
            && !locked.is_some_and(|locked| are_same(&locked, &keys));
        if let Some(watch) = &mut self.watch {
            watch.calls.extend(calls);
            let noted = watch.note(&own);
            noted.direct[write.verb as usize] += done.affected;
            noted.without += done.affected.abs_diff(keys.len() as u64) + odd + u64::from(moves);
            noted.keys.append(&mut keys);
        }
        Ok(done.affected)
    }

    /// Locks the rows that an UPDATE or DELETE is about to write, by its own words and for a limited
    /// time: the statement itself would wait for them for ever. Gives their keys, where it could.
    async fn lock_rows(
        &mut self,
        text: &str,
        table: Option<&Table>,
    ) -> Result<Option<Vec<Vec<Value>>>, EngineError> {
        let Some(aim) = sql::aim(text, Dialect::Oracle).filter(|aim| aim.called.is_none()) else {
            return Ok(None);
        };
        let keys = table.map(|table| table.key.iter().map(|name| exact(table, name)));
        let keys = keys.map(|keys| keys.collect::<Vec<_>>().join(", "));
        let keys = keys.filter(|keys| !keys.is_empty());
        let selected = keys.as_deref().unwrap_or("NULL");
        let wait = self.lock_wait.as_secs().max(1);
        let lock =
            format!("SELECT {selected} FROM {} {} FOR UPDATE WAIT {wait}", aim.from, aim.tail);
        let mut found = Vec::new();
        let mut keep = |_: &[String], row: &[ValueRef<'_>]| {
            found.push(owned(row));
            std::ops::ControlFlow::Continue(())
        };
        let limit = self.time_left(ALONE)?;
        match self.wire.work(Statement::new(lock), limit, &mut keep).await {
            Ok(_) => Ok(keys.is_some().then_some(found)),
            // What cannot be locked so is written without; the second connection looks after it.
            Err(EngineError::Database { .. } | EngineError::Rejected { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes a row that was put back.
    pub(super) fn note_key(&mut self, table: &str, key: &[Value]) {
        if let Some(watch) = &mut self.watch {
            watch.note(&kept(table)).keys.push(key.to_vec());
        }
    }

    pub async fn leaves_behind(&mut self) -> Result<Vec<String>, EngineError> {
        let Some(before) = self.watch.as_ref().map(|watch| watch.sequences.clone()) else {
            return Ok(Vec::new());
        };
        let mut now: Vec<_> = self.sequences().await?.into_iter().collect();
        now.sort();
        let moved = now.into_iter().filter_map(|(name, next)| {
            let was = before.get(&name).filter(|was| **was != next)?;
            let name = shown(&name);
            Some(format!("the next number of {name} stays at {next}; it was {was}, others may have taken some"))
        });
        Ok(moved.collect())
    }

    /// The tables that our transaction holds locks on; `None` without the right to see.
    pub(super) async fn locked_tables(&mut self) -> Result<Option<Vec<Locked>>, EngineError> {
        let sql = format!(
            "SELECT DISTINCT O.OWNER, O.OBJECT_NAME, TO_CHAR(L.OBJECT_ID) FROM GV$LOCKED_OBJECT L \
             LEFT JOIN ALL_OBJECTS O ON O.OBJECT_ID = L.OBJECT_ID \
             WHERE L.SESSION_ID = {} AND L.INST_ID = {}",
            self.wire.id.session, self.wire.id.instance
        );
        let rows = self.wire.texts_if_allowed(&sql).await?;
        let of = |row: Vec<String>| {
            let [schema, name, object] = <[String; 3]>::try_from(row).ok()?;
            (name != LEDGER.to_uppercase()).then_some(Locked { schema, name, object })
        };
        Ok(rows.map(|rows| rows.into_iter().filter_map(of).collect()))
    }
}

/// What a statement has to return so that its rows are known; `None` if it cannot, or if the key that it
/// returns would be another than before.
fn returning(text: &str, table: &Table, write: &Write) -> Option<Vec<String>> {
    let found = sql::mentions(text, Dialect::Oracle)?;
    let says = |word: &str| {
        found.names.iter().any(|name| name.iter().any(|part| part.eq_ignore_ascii_case(word)))
    };
    if says("RETURNING") {
        return None;
    }
    match write.verb {
        // The rows of a query are not returned by older servers.
        Verb::Insert if says("SELECT") => None,
        Verb::Update => {
            let assigned = sql::assigned(text, Dialect::Oracle)?;
            let moves = assigned
                .iter()
                .any(|name| table.key.iter().any(|key| kept(key).eq_ignore_ascii_case(name)));
            if moves { None } else { returnable(table) }
        }
        Verb::Insert | Verb::Delete => returnable(table),
    }
}

/// The same keys, in whatever order.
fn are_same(one: &[Vec<Value>], other: &[Vec<Value>]) -> bool {
    let of = |keys: &[Vec<Value>]| keys.iter().map(|key| name(key)).collect::<BTreeSet<_>>();
    one.len() == other.len() && of(one) == of(other)
}

/// In a transaction without a watch: what does not end it.
fn harmless(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().take(2).map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), ["SAVEPOINT", _] | ["ROLLBACK", "TO"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Column;

    fn table(name: &str) -> Table {
        let kind = "NUMBER(10)".to_owned();
        let id = Column { name: "id".into(), kind, generated: false };
        Table { name: name.into(), columns: vec![id], key: vec!["id".into()] }
    }

    #[test]
    fn a_statement_returns_the_keys_of_its_rows_where_it_can() {
        let wanted = |sql: &str| {
            let write = sql::write(sql, Dialect::Oracle).expect("a write");
            returning(sql, &table("item"), &write)
        };
        assert!(wanted("UPDATE item SET price = 1 WHERE id = 2").is_some());
        assert!(wanted("DELETE FROM item WHERE note = 'SELECT'").is_some());
        assert!(wanted("INSERT INTO item (id) VALUES (1)").is_some());
        assert!(wanted("INSERT INTO item (id) SELECT id FROM line").is_none());
        // What comes back would be the new key.
        assert!(wanted("UPDATE item SET id = id + 1").is_none());
    }

    #[test]
    fn a_trigger_that_moves_a_row_is_noticed() {
        let keys = |numbers: &[i64]| -> Vec<Vec<Value>> {
            numbers.iter().map(|n| vec![Value::Integer(*n)]).collect()
        };
        assert!(are_same(&keys(&[1, 2]), &keys(&[2, 1])));
        assert!(!are_same(&keys(&[1, 2]), &keys(&[1, 3])));
        assert!(!are_same(&keys(&[1]), &keys(&[1, 1])));
    }

    #[test]
    fn only_a_savepoint_stands_beside_writes() {
        assert!(harmless("SAVEPOINT steadyhand_probe"));
        assert!(harmless("ROLLBACK TO SAVEPOINT steadyhand_probe"));
        assert!(
            !harmless("ROLLBACK") && !harmless("COMMIT") && !harmless("CREATE TABLE t (a NUMBER)")
        );
    }
}
