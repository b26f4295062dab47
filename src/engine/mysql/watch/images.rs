//! What a write transaction has written: the rows that were noted, seen by it and by everybody else,
//! held against the server's own count.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{Noted, Watch};
use crate::engine::mysql::reach::Reach;
use crate::engine::mysql::rows::{BATCH, name};
use crate::engine::mysql::{Session, diff, sibling};
use crate::engine::portion::Portion;
use crate::engine::{Blind, EngineError, Image, Images, Session as Any, Table, Touched};
use crate::value::Value;

/// Beyond this a table is not compared whole.
const MOST_ROWS: u64 = 5_000_000;
const MOST_BYTES: u64 = 4 << 30;

impl Session {
    pub async fn written(
        &mut self,
        observe: &mut Any,
        images: &mut dyn Images,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        let Some(watch) = self.watch.take() else { return Ok((Vec::new(), Blind::new())) };
        let observe = sibling(observe)?;
        // From here the observer sees what is committed now: before-images are what our rows held
        // when we locked them.
        observe.rollback().await?;
        let mut book = Book::new(images);
        let outcome = self.read_images(&watch, observe, &mut book).await;
        let touched = book.touched(&watch);
        self.watch = Some(watch);
        observe.begin_snapshot().await?;
        outcome.map(|blind| (touched, blind))
    }

    async fn read_images(
        &mut self,
        watch: &Watch,
        observe: &mut Session,
        book: &mut Book<'_>,
    ) -> Result<Blind, EngineError> {
        for (name, noted) in &watch.noted {
            let Some(table) = watch.table(name) else { continue };
            self.look(observe, table, &noted.locked, true, book).await?;
            self.look(observe, table, &noted.seen, false, book).await?;
        }
        let total = self.total().await?;
        if total == Some(book.changed) {
            return Ok(Blind::new());
        }
        let names = watch.noted.iter().map(|(name, _)| name.as_str());
        let graph = match self.graph.take() {
            Some(graph) => graph,
            None => Box::new(self.graph().await?),
        };
        let reach = graph.reach(names, &watch.calls);
        let mut unseen = Vec::new();
        for name in &reach.tables {
            let known = graph.known(name).cloned().unwrap_or_default();
            let Some(table) = watch.table(name) else { continue };
            let keyless = table.key.is_empty() && known.rows > diff::KEYLESS;
            if known.rows > MOST_ROWS || known.bytes > MOST_BYTES || keyless {
                unseen.push(format!("{name} has about {} rows, too many to compare", known.rows));
                continue;
            }
            self.compare_whole(observe, table, book).await?;
        }
        let shown = graph.shows_triggers;
        self.graph = Some(graph);
        Ok(verdict(total, book.changed, &reach, unseen, shown))
    }

    /// How many rows the server says this transaction has written; `None` if it does not say.
    async fn total(&mut self) -> Result<Option<u64>, EngineError> {
        let id = self.wire.id();
        let sum = format!("COALESCE(SUM(IF(trx_mysql_thread_id = {id}, trx_rows_modified, 0)), 0)");
        match self.of_transactions(&sum).await {
            Ok(total) => Ok(total),
            Err(EngineError::Database { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn compare_whole(
        &mut self,
        observe: &mut Session,
        table: &Table,
        book: &mut Book<'_>,
    ) -> Result<(), EngineError> {
        if table.key.is_empty() {
            let (gone, new) = self.differing_whole(observe, table).await?;
            let before = book.changed;
            let rows = gone.len().max(new.len()) as u64;
            for row in gone {
                book.image(table, Image { key: Vec::new(), before: Some(row), after: None });
            }
            for row in new {
                book.image(table, Image { key: Vec::new(), before: None, after: Some(row) });
            }
            // Which went and which came belong together cannot be told, only how many writes it takes.
            book.changed = before + rows;
            return Ok(());
        }
        let mut after: Option<Vec<Value>> = None;
        loop {
            let (keys, last) = self.differing(observe, table, after.as_deref()).await?;
            self.look(observe, table, &keys, false, book).await?;
            match last {
                Some(key) => after = Some(key),
                None => return Ok(()),
            }
        }
    }

    /// Reads these rows as everybody and as the worker sees them. Rows that we may not have locked are
    /// looked at again: one that others commit meanwhile moves, one of ours cannot.
    async fn look(
        &mut self,
        observe: &mut Session,
        table: &Table,
        mut keys: &[Vec<Value>],
        locked: bool,
        book: &mut Book<'_>,
    ) -> Result<(), EngineError> {
        let columns = table.stored();
        let mut portion = Portion::of_at_most(BATCH);
        while let Some(here) = portion.next(&mut keys) {
            let here: Vec<Vec<Value>> =
                here.iter().filter(|key| book.is_new(table, key)).cloned().collect();
            let (theirs, ours) = tokio::join!(
                observe.rows_by_key(table, &columns, &here),
                self.rows_by_key(table, &columns, &here)
            );
            let (mut before, mut after) = (by_key(theirs?), by_key(ours?));
            portion.took(here.len(), before.values().chain(after.values()));
            let mut again = if locked {
                None
            } else {
                Some(by_key(observe.rows_by_key(table, &columns, &here).await?))
            };
            for key in here {
                let at = name(&key);
                let (before, after) = (before.remove(&at), after.remove(&at));
                if let Some(again) = &mut again
                    && (again.remove(&at) != before || before == after)
                {
                    continue;
                }
                book.image(table, Image { key, before, after });
            }
        }
        Ok(())
    }
}

/// What remains unknown once everything was compared that can be.
fn verdict(
    total: Option<u64>,
    changed: u64,
    reach: &Reach,
    unseen: Vec<String>,
    shows_triggers: bool,
) -> Blind {
    let mut blind = Blind::new();
    if total == Some(changed) {
        return blind;
    }
    blind.extend(unseen);
    blind.extend(reach.unsure.iter().cloned());
    if !shows_triggers {
        blind.push("without the right TRIGGER triggers are not shown, and may have written".into());
    }
    match total {
        Some(total) if total < changed => {
            blind.push(format!("{changed} rows differ, but the server counts {total} written"));
        }
        // A row that was written twice counts twice; with everything compared that explains the rest.
        Some(total) if !blind.is_empty() => {
            blind.push(format!("{} writes are unexplained", total - changed));
        }
        Some(_) | None => {}
    }
    blind
}

fn by_key(rows: Vec<(Vec<Value>, Vec<Value>)>) -> HashMap<String, Vec<Value>> {
    rows.into_iter().map(|(key, row)| (name(&key), row)).collect()
}

/// What was found so far, each row once.
struct Book<'a> {
    images: &'a mut dyn Images,
    order: Vec<Touched>,
    known: HashMap<String, HashSet<u64>>,
    changed: u64,
}

impl<'a> Book<'a> {
    fn new(images: &'a mut dyn Images) -> Self {
        Self { images, order: Vec::new(), known: HashMap::new(), changed: 0 }
    }

    fn is_new(&mut self, table: &Table, key: &[Value]) -> bool {
        let mut hash = DefaultHasher::new();
        name(key).hash(&mut hash);
        if !self.known.contains_key(&table.name) {
            self.known.insert(table.name.clone(), HashSet::new());
        }
        self.known.get_mut(&table.name).is_some_and(|known| known.insert(hash.finish()))
    }

    fn image(&mut self, table: &Table, image: Image) {
        let at = self.order.iter().position(|touched| touched.table == table.name);
        let at = at.unwrap_or_else(|| {
            self.order.push(Touched { table: table.name.clone(), ..Touched::default() });
            self.order.len() - 1
        });
        let touched = &mut self.order[at];
        match (&image.before, &image.after) {
            (None, None) => return,
            (None, Some(_)) => touched.inserted += 1,
            (Some(_), None) => touched.deleted += 1,
            (Some(_), Some(_)) => touched.updated += 1,
        }
        self.changed += u64::from(image.before != image.after);
        self.images.take(table, image);
    }

    fn touched(self, watch: &Watch) -> Vec<Touched> {
        let mut order = self.order;
        for touched in &mut order {
            let noted = watch.noted.iter().find(|(name, _)| *name == touched.table);
            let Some((_, Noted { direct: [_, updated, _], .. })) = noted else { continue };
            // An UPDATE of the key is a row that went and a row that came.
            let moved = touched.inserted.min(touched.deleted);
            let moved = moved.min(updated.saturating_sub(touched.updated));
            touched.inserted -= moved;
            touched.deleted -= moved;
            touched.updated += moved;
        }
        order.retain(|touched| touched.inserted + touched.updated + touched.deleted > 0);
        order
    }
}
