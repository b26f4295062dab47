//! Which rows a watched transaction wrote, and what they were.
//!
//! Wherever a trigger, a cascade or code that is not shown may have had a hand in it, the table is compared
//! whole with its state before. Before-images are read by the observer, who sees what is committed: of a
//! row that we wrote nobody else can have committed anything since.

use std::collections::BTreeSet;

use super::compare::MOST_ROWS;
use super::names::{kept, shown};
use super::reach::Reach;
use super::rows::{BATCH, unheld};
use super::watch::{Locked, Noted, Watch};
use super::{Session, sibling};
use crate::engine::book::{Book, Sides};
use crate::engine::portion::Portion;
use crate::engine::{Blind, EngineError, Images, Session as Any, Table, Touched};
use crate::value::Value;

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

impl Session {
    pub async fn written(
        &mut self,
        observe: &mut Any,
        images: &mut dyn Images,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        let Some(watch) = self.watch.take() else { return Ok((Vec::new(), Blind::new())) };
        let observe = sibling(observe)?;
        // From here the observer sees what is committed now.
        observe.begin_snapshot().await?;
        self.too_long = None;
        let mut book = Book::new(images);
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
            let keys = noted.map(|noted| noted.keys.as_slice()).unwrap_or_default();
            self.look(observe, table, keys, true, book).await?;
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
                self.look(observe, table, &keys, false, book).await?;
                Ok(Ok(()))
            }
            Err(why) => {
                Ok(Err(format!("{name} could not be compared with its state before: {why}")))
            }
        }
    }

    /// Reads these rows as everybody and as the worker sees them. One that no statement is known to have
    /// written and that is the same for both was committed by somebody else just before the transaction
    /// began.
    async fn look(
        &mut self,
        observe: &mut Session,
        table: &Table,
        mut keys: &[Vec<Value>],
        noted: bool,
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
            let mut sides = Sides::of(theirs?, ours?);
            portion.took(here.len(), sides.rows());
            for key in here {
                let image = sides.image(key);
                if noted || !image.is_unchanged() {
                    book.image(table, image);
                }
            }
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Column;

    fn table(name: &str) -> Table {
        let kind = "NUMBER(10)".to_owned();
        let id = Column { name: "id".into(), kind, generated: false };
        Table { name: name.into(), columns: vec![id], key: vec!["id".into()] }
    }

    fn watch() -> Watch {
        let mut watch = Watch { tables: vec![table("item"), table("line")], ..Watch::default() };
        watch.note("ITEM").direct = [0, 3, 0];
        watch
    }

    fn locked(schema: &str, name: &str) -> Locked {
        Locked { schema: schema.into(), name: name.into(), object: "7".into() }
    }

    fn reach(tables: &[&str]) -> Reach {
        let tables = tables.iter().map(|name| (*name).to_owned()).collect();
        Reach { tables, ..Reach::default() }
    }

    #[test]
    fn keys_do_where_nothing_else_can_have_written() {
        let exact = Noted::default();
        let some = Noted { without: 1, ..Noted::default() };
        assert_eq!(how(Some(&exact), false), How::ByKeys);
        assert_eq!(how(Some(&exact), true), How::Whole);
        assert_eq!(how(Some(&some), false), How::Whole);
        // Only a reference leads there.
        assert_eq!(how(None, false), How::NotAtAll);
        assert_eq!(how(None, true), How::Whole);
    }

    #[test]
    fn the_servers_locks_say_where_to_look() {
        let locks = [locked("ERP", "ITEM"), locked("ERP", "LINE"), locked("HR", "STAFF")];
        let (names, blind) = considered(&watch(), "ERP", Some(&locks), &reach(&[]), true);
        assert_eq!(names, ["ITEM", "LINE"]);
        assert!(blind.is_empty(), "{blind:?}");
        let (_, blind) = considered(&watch(), "ERP", Some(&locks), &reach(&["HR.STAFF"]), true);
        assert_eq!(blind, ["staff of another schema may have been written"]);
        let (_, blind) = considered(&watch(), "ERP", Some(&locks), &reach(&[]), false);
        assert_eq!(blind.len(), 1);
    }

    #[test]
    fn without_the_locks_it_is_worked_out_and_said() {
        let (names, blind) = considered(&watch(), "ERP", None, &reach(&["LINE"]), true);
        assert_eq!(names, ["ITEM", "LINE"]);
        assert!(blind.is_empty());
        let (_, blind) = considered(&watch(), "ERP", None, &reach(&[]), false);
        assert!(blind[0].contains("neither locks nor triggers"), "{blind:?}");
    }
}
