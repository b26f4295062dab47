//! The watch over a write transaction.
//!
//! The server names the tables that the transaction holds locks on, which are all that it wrote and some
//! that references only lead to. The rows that a statement touched itself come back with the statement,
//! by their keys. Wherever a trigger, a cascade or code that is not shown may have had a hand in it, the
//! table is compared whole with its state before. Before-images are read by the observer, who sees what
//! is committed: of a row that we wrote nobody else can have committed anything since.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::book::Book;
use super::compare::{MOST_ROWS, returnable, returned};
use super::kinds::Statement;
use super::names::{kept, shown};
use super::reach::{Reach, in_schema};
use super::rows::{BATCH, name, owned, unheld};
use super::{ALONE, Session, nothing, sibling};
use crate::dialect::Dialect;
use crate::engine::{Blind, EngineError, Image, OnImage, Session as Any, Table, Touched};
use crate::sql::{self, LEDGER, Verb, Write};
use crate::value::{Value, ValueRef};

#[derive(Debug, Default)]
pub struct Watch {
    tables: Vec<Table>,
    /// By table in the order of first touch.
    noted: Vec<(String, Noted)>,
    calls: Vec<String>,
    /// The state before, as the server counts its moments.
    moment: u64,
    sequences: HashMap<String, String>,
}

#[derive(Debug, Default)]
struct Noted {
    keys: Vec<Vec<Value>>,
    /// Rows of which no key came back.
    without: u64,
    direct: [u64; 3],
}

/// A table that the transaction holds a lock on; the names are missing where it may not be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    schema: String,
    name: String,
    object: String,
}

impl Locked {
    pub fn words(&self) -> String {
        if self.name.is_empty() { format!("object {}", self.object) } else { shown(&self.name) }
    }
}

/// How the rows of a table are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    ByKeys,
    Whole,
    /// It cannot have been written.
    NotAtAll,
}

/// `hidden`: something besides the statements themselves may have written it.
fn how(noted: Option<&Noted>, hidden: bool) -> How {
    match noted {
        Some(noted) if noted.without == 0 && !hidden => How::ByKeys,
        None if !hidden => How::NotAtAll,
        _ => How::Whole,
    }
}

impl Watch {
    fn table(&self, kept_name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| kept(&table.name) == kept_name)
    }

    fn note(&mut self, table: &str) -> &mut Noted {
        let at = self.noted.iter().position(|(name, _)| name == table).unwrap_or_else(|| {
            self.noted.push((table.to_owned(), Noted::default()));
            self.noted.len() - 1
        });
        &mut self.noted[at].1
    }

    fn noted(&self, table: &str) -> Option<&Noted> {
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
        if let Some(message) = self.no_writes().await? {
            return Err(EngineError::ReadOnly { message });
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
                let done = self.wire.work(Statement::new(text), limit, &mut nothing).await?;
                // Nothing commits by itself here but a definition.
                self.wire.commit().await?;
                return Ok(done.affected);
            }
        };
        self.lock_rows(text).await?;
        let own = in_schema(&write.table, &self.schema).unwrap_or_default();
        let known = self.watch.as_ref().and_then(|watch| watch.table(&own)).cloned();
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
        if let Some(watch) = &mut self.watch {
            watch.calls.extend(calls);
            let noted = watch.note(&own);
            noted.direct[write.verb as usize] += done.affected;
            noted.without += done.affected.abs_diff(keys.len() as u64) + odd;
            noted.keys.append(&mut keys);
        }
        Ok(done.affected)
    }

    /// Locks the rows that an UPDATE or DELETE is about to write, by its own words and for a limited
    /// time: the statement itself would wait for them for ever.
    async fn lock_rows(&mut self, text: &str) -> Result<(), EngineError> {
        let Some(aim) = sql::aim(text, Dialect::Oracle).filter(|aim| aim.called.is_none()) else {
            return Ok(());
        };
        let wait = self.lock_wait.as_secs().max(1);
        let lock = format!("SELECT NULL FROM {} {} FOR UPDATE WAIT {wait}", aim.from, aim.tail);
        let limit = self.time_left(ALONE)?;
        match self.wire.work(Statement::new(lock), limit, &mut nothing).await {
            // What cannot be locked so is written without; the second connection looks after it.
            Ok(_) | Err(EngineError::Database { .. } | EngineError::Rejected { .. }) => Ok(()),
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

    pub async fn written(
        &mut self,
        observe: &mut Any,
        on_image: OnImage<'_>,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        let Some(watch) = self.watch.take() else { return Ok((Vec::new(), Blind::new())) };
        let observe = sibling(observe)?;
        // From here the observer sees what is committed now.
        observe.begin_snapshot().await?;
        self.too_long = None;
        let mut book = Book::new(on_image);
        let outcome = self.read_images(&watch, observe, &mut book).await;
        let updates = |table: &str| watch.noted(&kept(table)).map_or(0, |noted| noted.direct[1]);
        let touched = book.touched(updates);
        self.watch = Some(watch);
        let mut blind = outcome?;
        blind.extend([self.too_long.take(), observe.too_long.take()].into_iter().flatten());
        blind.dedup();
        Ok((touched, blind))
    }

    async fn read_images(
        &mut self,
        watch: &Watch,
        observe: &mut Session,
        book: &mut Book<'_>,
    ) -> Result<Blind, EngineError> {
        let graph = match self.graph.take() {
            Some(graph) => graph,
            None => Box::new(self.graph().await?),
        };
        let locked = self.locked_tables().await?;
        let written = watch.noted.iter().map(|(name, _)| name.as_str());
        let reach = graph.reach(written, &watch.calls);
        let (names, mut blind) =
            considered(watch, &self.schema, locked.as_deref(), &reach, graph.sees_code);
        let sure = graph.sees_code && reach.unsure.is_empty();
        for name in &names {
            let noted = watch.noted(name);
            let Some(table) = watch.table(name) else {
                if let Some(noted) = noted {
                    book.at_least(&shown(name), noted.direct);
                    blind.push(format!("the rows of {} are not looked after", shown(name)));
                }
                continue;
            };
            let how = how(noted, reach.tables.contains(name) || !sure);
            if how == How::NotAtAll {
                continue;
            }
            let beyond = unheld(table);
            if !beyond.is_empty() {
                let columns = beyond.join(", ");
                blind.push(format!("no image holds what is in {} of {}", columns, table.name));
            }
            for keys in noted.map(|noted| noted.keys.as_slice()).unwrap_or_default().chunks(BATCH) {
                self.look(observe, table, keys, book).await?;
            }
            if how == How::Whole
                && let Err(why) =
                    self.compare_whole(watch, observe, table, graph.rows(name), book).await?
            {
                blind.push(why);
                if let Some(noted) = noted {
                    book.at_least(&table.name, noted.direct);
                }
            }
        }
        self.graph = Some(graph);
        Ok(blind)
    }

    async fn compare_whole(
        &mut self,
        watch: &Watch,
        observe: &mut Session,
        table: &Table,
        rows: Option<u64>,
        book: &mut Book<'_>,
    ) -> Result<Result<(), String>, EngineError> {
        let name = &table.name;
        if table.key.is_empty() {
            return Ok(Err(format!("{name} has no key, so its rows cannot be told apart")));
        }
        if let Some(rows) = rows.filter(|rows| *rows > MOST_ROWS) {
            return Ok(Err(format!("{name} has about {rows} rows, too many to compare")));
        }
        match self.differing(table, watch.moment).await? {
            Ok(keys) => {
                for keys in keys.chunks(BATCH) {
                    self.look(observe, table, keys, book).await?;
                }
                Ok(Ok(()))
            }
            Err(why) => {
                Ok(Err(format!("{name} could not be compared with its state before: {why}")))
            }
        }
    }

    /// Reads these rows as everybody and as the worker sees them. A row that is the same for both is one
    /// that somebody else committed just before the transaction began.
    async fn look(
        &mut self,
        observe: &mut Session,
        table: &Table,
        keys: &[Vec<Value>],
        book: &mut Book<'_>,
    ) -> Result<(), EngineError> {
        let keys: Vec<Vec<Value>> =
            keys.iter().filter(|key| book.is_new(table, key)).cloned().collect();
        let columns = table.stored();
        let (theirs, ours) = tokio::join!(
            observe.rows_by_key(table, &columns, &keys),
            self.rows_by_key(table, &columns, &keys)
        );
        let (mut before, mut after) = (by_key(theirs?), by_key(ours?));
        for key in keys {
            let at = name(&key);
            let (before, after) = (before.remove(&at), after.remove(&at));
            book.image(table, Image { key, before, after });
        }
        Ok(())
    }
}

fn by_key(rows: Vec<(Vec<Value>, Vec<Value>)>) -> HashMap<String, Vec<Value>> {
    rows.into_iter().map(|(key, row)| (name(&key), row)).collect()
}

/// The tables to look into, names as the dictionary has them, and what cannot be told of others.
fn considered(
    watch: &Watch,
    schema: &str,
    locked: Option<&[Locked]>,
    reach: &Reach,
    sees_code: bool,
) -> (Vec<String>, Blind) {
    let mut names: Vec<String> = watch.noted.iter().map(|(name, _)| name.clone()).collect();
    let mut blind = Blind::new();
    let mut more = BTreeSet::new();
    let sure = sees_code && reach.unsure.is_empty();
    match locked {
        Some(locked) => {
            for lock in locked {
                if lock.schema == schema {
                    more.insert(lock.name.clone());
                } else if !sure || reach.tables.contains(&format!("{}.{}", lock.schema, lock.name))
                {
                    blind.push(format!("{} of another schema may have been written", lock.words()));
                }
            }
        }
        None => {
            more.extend(reach.tables.iter().cloned());
            blind.extend(reach.unsure.iter().cloned());
            if !sees_code {
                blind.push(
                    "neither locks nor triggers are shown to this account, so other tables may have \
                     been written"
                        .into(),
                );
            }
        }
    }
    names.extend(more.into_iter().filter(|name| watch.noted(name).is_none()));
    (names, blind)
}

/// What a statement has to return so that its rows are known; `None` if it cannot, or if the key that it
/// returns would be another than before.
fn returning(text: &str, table: &Table, write: &Write) -> Option<Vec<String>> {
    let found = sql::mentions(text, Dialect::Oracle)?;
    let says = |word: &str| {
        found.names.iter().any(|name| name.len() == 1 && name[0].eq_ignore_ascii_case(word))
    };
    let upper = text.to_uppercase();
    if says("RETURNING") || upper.contains("RETURNING") {
        return None;
    }
    match write.verb {
        // The rows of a query are not returned by older servers.
        Verb::Insert if upper.contains("SELECT") => None,
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

/// In a transaction without a watch: what does not end it.
fn harmless(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().take(2).map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), ["SAVEPOINT", _] | ["ROLLBACK", "TO"])
}
