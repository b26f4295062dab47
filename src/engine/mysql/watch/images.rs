//! What a write transaction has written: the rows that were noted, seen by it and by everybody else,
//! held against the server's own count.

use std::ops::RangeInclusive;
use std::time::Instant;

use super::Watch;
use crate::engine::book::{Book, Sides, by_name, name};
use crate::engine::mysql::reach::Reach;
use crate::engine::mysql::rows::BATCH;
use crate::engine::mysql::{Session, diff, sibling};
use crate::engine::portion::Portion;
use crate::engine::{Blind, EngineError, Images, Session as Any, Table, Touched};
use crate::value::Value;

/// Beyond this a table is not compared whole.
const MOST_ROWS: u64 = 5_000_000;
const MOST_BYTES: u64 = 4 << 30;

/// Of more rows than this the keys are not kept: of so many no undo is rehearsed to the end.
const MOST_KNOWN: u64 = 20_000;

impl Session {
    pub fn look_until(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    pub async fn written(
        &mut self,
        observe: &mut Any,
        images: &mut dyn Images,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        let Some(mut watch) = self.watch.take() else { return Ok((Vec::new(), Blind::new())) };
        let observe = sibling(observe)?;
        // From here the observer sees what is committed now: before-images are what our rows held
        // when we locked them.
        observe.rollback().await?;
        let mut book = Book::new(images);
        observe.until = self.until;
        let outcome = self.read_images(&mut watch, observe, &mut book).await;
        (self.until, observe.until) = (None, None);
        let updates = |table: &str| {
            let noted = watch.noted.iter().find(|(name, _)| name == table);
            noted.map_or(0, |(_, noted)| noted.direct[1])
        };
        let touched = book.touched(updates);
        self.watch = Some(watch);
        observe.begin_snapshot().await?;
        outcome.map(|blind| (touched, blind))
    }

    async fn read_images(
        &mut self,
        watch: &mut Watch,
        observe: &mut Session,
        book: &mut Book<'_>,
    ) -> Result<Blind, EngineError> {
        for (name, noted) in &watch.noted {
            let Some(table) = watch.table(name) else { continue };
            self.look(observe, table, &noted.put, true, book).await?;
        }
        // A row that was put back and is not as before was written by somebody else of ours.
        let came_back = book.changed() == 0;
        for (name, noted) in &watch.noted {
            let Some(table) = watch.table(name) else { continue };
            self.look(observe, table, &noted.locked, true, book).await?;
            self.look(observe, table, &noted.seen, false, book).await?;
        }
        let total = self.total().await?;
        let (found, puts) = (watch.found.take(), watch.looked());
        let only_puts = came_back && found.is_some_and(|found| total == Some(found + puts));
        let blind = if only_puts || watch.is_whole(book, total) {
            Blind::new()
        } else {
            self.compare(watch, observe, book, total).await?
        };
        watch.found = total.filter(|_| blind.is_empty() && book.changed() <= MOST_KNOWN);
        Ok(blind)
    }

    /// Compares every table within reach of what was written; says what remains unknown.
    async fn compare(
        &mut self,
        watch: &mut Watch,
        observe: &mut Session,
        book: &mut Book<'_>,
        total: Option<u64>,
    ) -> Result<Blind, EngineError> {
        let names = watch.noted.iter().map(|(name, _)| name.as_str());
        let graph = match self.graph.take() {
            Some(graph) => graph,
            None => Box::new(self.graph().await?),
        };
        let reach = graph.reach(names, &watch.calls);
        let mut unseen = Vec::new();
        for name in &reach.tables {
            let known = graph.known(name).cloned().unwrap_or_default();
            let Some(table) = watch.table(name).cloned() else { continue };
            let keyless = table.key.is_empty() && known.rows > diff::KEYLESS;
            if known.rows > MOST_ROWS || known.bytes > MOST_BYTES || keyless {
                unseen.push(format!("{name} has about {} rows, too many to compare", known.rows));
                continue;
            }
            let keys = self.compare_whole(observe, &table, book).await?;
            // Where they are looked for once more it is by their keys.
            watch.note(&table.name).seen.extend(keys);
        }
        let shown = graph.shows_triggers;
        self.graph = Some(graph);
        if watch.is_whole(book, total) {
            return Ok(Blind::new());
        }
        let keyed = |name: &str| watch.table(name).is_some_and(|table| !table.key.is_empty());
        let changed = book.least(keyed)..=book.changed();
        Ok(verdict(total, &changed, &reach, unseen, shown))
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

    /// Gives the keys of the rows that looked as if they were ours.
    async fn compare_whole(
        &mut self,
        observe: &mut Session,
        table: &Table,
        book: &mut Book<'_>,
    ) -> Result<Vec<Vec<Value>>, EngineError> {
        let mut all = Vec::new();
        if table.key.is_empty() {
            let (gone, new) = self.differing_whole(observe, table).await?;
            book.keyless(table, gone, new);
            return Ok(all);
        }
        let mut after: Option<Vec<Value>> = None;
        loop {
            let (keys, last) = self.differing(observe, table, after.as_deref()).await?;
            self.look(observe, table, &keys, false, book).await?;
            if book.changed() <= MOST_KNOWN {
                all.extend(keys);
            }
            match last {
                Some(key) => after = Some(key),
                None => return Ok(all),
            }
        }
    }

    /// Reads these rows as everybody and as the worker sees them. Rows that we may not have locked are
    /// looked at as the worker sees them between two looks as everybody does: one that others commit
    /// meanwhile moves, one of ours cannot.
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
            let (theirs, ours, again) = if locked {
                let theirs = observe.rows_by_key(table, &columns, &here);
                let ours = self.rows_by_key(table, &columns, &here);
                let (theirs, ours) = tokio::join!(theirs, ours);
                (theirs?, ours?, None)
            } else {
                let theirs = observe.rows_by_key(table, &columns, &here).await?;
                let ours = self.rows_by_key(table, &columns, &here).await?;
                (theirs, ours, Some(observe.rows_by_key(table, &columns, &here).await?))
            };
            let (mut sides, mut again) = (Sides::of(theirs, ours), again.map(by_name));
            portion.took(here.len(), sides.rows());
            for key in here {
                let image = sides.image(key);
                if let Some(again) = &mut again
                    && (again.remove(&name(image.was.key())).as_ref() != image.was.before()
                        || image.is_unchanged())
                {
                    continue;
                }
                book.image(table, image);
            }
        }
        Ok(())
    }
}

impl Watch {
    /// Whether the server counts the rows that were found and no others. Where a table is kept by another
    /// key than the one its rows are known by, a row whose key was updated counts once, as one that went.
    fn is_whole(&self, book: &Book<'_>, total: Option<u64>) -> bool {
        let lost = self.noted.iter().any(|(name, noted)| book.has_lost(name, noted.direct));
        !lost && total == Some(book.changed())
    }
}

/// What remains unknown once everything was compared that can be, given how many writes explain it at
/// least and at most.
fn verdict(
    total: Option<u64>,
    changed: &RangeInclusive<u64>,
    reach: &Reach,
    unseen: Vec<String>,
    shows_triggers: bool,
) -> Blind {
    let mut blind = Blind::new();
    blind.extend(unseen);
    blind.extend(reach.unsure.iter().cloned());
    if !shows_triggers {
        blind.push("without the right TRIGGER triggers are not shown, and may have written".into());
    }
    match total {
        Some(total) if total < *changed.start() => {
            let changed = changed.end();
            blind.push(format!("{changed} rows differ, but the server counts {total} written"));
        }
        // A row that was written twice counts twice; with everything compared that explains the rest.
        Some(total) if !blind.is_empty() && total > *changed.end() => {
            blind.push(format!("{} writes are unexplained", total - changed.end()));
        }
        Some(_) | None => {}
    }
    blind
}
