//! Images of the rows that an open transaction wrote, sorted by what the statements did themselves and
//! what followed from it.

use std::collections::HashMap;
use std::io;

use crate::engine::{Blind, EngineError, Image, Images, Session, Table, Touched};
use crate::recovery::{Gather, TableHead, TableImages, TableWrites, Tally};
use crate::sql::Literals;
use crate::value::Value;
use crate::value::known::After;

/// What the worker wrote so far.
#[derive(Debug, Default)]
pub struct Written {
    pub writes: Vec<TableWrites>,
    pub images: Vec<TableImages>,
    /// Rows that were written with the values they had.
    pub unchanged: u64,
    pub blind: Blind,
    /// Of a chunk: keys whose row was written.
    pub met: u64,
    /// Of a chunk: why what was written is not of it, if so.
    pub outside: Option<String>,
}

/// The keys of one chunk.
#[derive(Debug)]
pub struct Cut {
    /// The column that holds them.
    pub column: String,
    pub literals: Literals,
    /// None comes twice, and none is NULL.
    pub keys: Vec<Value>,
}

/// The keys of a chunk, called over the written rows of a table.
struct Roll<'a> {
    cut: &'a Cut,
    /// Where the table holds them.
    column: Option<usize>,
    met: Vec<bool>,
    /// Rows mostly come in the order of the keys.
    next: usize,
    /// Where a key is, as it reads; made when a row is not of the next key.
    places: Option<HashMap<String, usize>>,
}

impl<'a> Roll<'a> {
    fn new(cut: &'a Cut, columns: &[String]) -> Self {
        let column = columns.iter().position(|name| name.eq_ignore_ascii_case(&cut.column));
        Self { cut, column, met: vec![false; cut.keys.len()], next: 0, places: None }
    }

    /// Why a written row is not of this chunk, if so.
    fn meet(&mut self, table: &Table, image: &Image) -> Result<(), String> {
        let (name, column) = (&table.name, &self.cut.column);
        let at = self.column.ok_or_else(|| {
            format!("{name} has no column {column}, so its rows cannot be held against the keys of a chunk")
        })?;
        let side = match (image.was.before(), &image.after) {
            (None, After::Whole(now)) => Some(now),
            (before, _) => before,
        };
        let key = side.and_then(|row| row.get(at)).unwrap_or(&Value::Null);
        let place = self.place(key).ok_or_else(|| {
            let key = key.as_ref().plain().unwrap_or_default();
            format!(
                "a row of {name} would be written that is not of the chunk: {column} {key} (by the statement, by a \
                 trigger or a reference of the table to itself, because a row gets another key, or because the \
                 list of keys writes this one otherwise than the table)"
            )
        })?;
        self.met[place] = true;
        self.next = place + 1;
        Ok(())
    }

    fn place(&mut self, key: &Value) -> Option<usize> {
        if self.cut.keys.get(self.next) == Some(key) {
            return Some(self.next);
        }
        let places = self.places.get_or_insert_with(|| {
            let keys = self.cut.keys.iter().enumerate();
            keys.filter_map(|(at, key)| Some((key.as_ref().plain()?, at))).collect()
        });
        places.get(&key.as_ref().plain()?).copied()
    }
}

/// What comes in, table by table.
struct Album<'a> {
    /// What the statements did directly to each table.
    direct: &'a HashMap<String, Tally>,
    cut: Option<&'a Cut>,
    found: Vec<Found<'a>>,
    failed: Option<io::Error>,
}

struct Found<'a> {
    head: TableHead,
    gather: Gather,
    counted: Tally,
    unchanged: u64,
    /// The keys that its rows must be of.
    roll: Option<Roll<'a>>,
    outside: Option<String>,
}

impl<'a> Found<'a> {
    fn new(table: &Table, album: &Album<'a>) -> Self {
        let (name, key, columns) = (table.name.clone(), table.key.clone(), table.stored());
        let cut = album.cut.filter(|_| album.direct.contains_key(&name));
        Self {
            roll: cut.map(|cut| Roll::new(cut, &columns)),
            head: TableHead { table: name, key, columns, ..TableHead::default() },
            gather: Gather::default(),
            counted: Tally::default(),
            unchanged: 0,
            outside: None,
        }
    }

    fn take(&mut self, table: &Table, image: Image) -> io::Result<()> {
        if let Some(Err(why)) = self.roll.as_mut().map(|roll| roll.meet(table, &image)) {
            self.outside.get_or_insert(why);
        }
        match (image.was.before(), &image.after) {
            (None, After::Gone) => {}
            (None, _) => self.counted.inserted += 1,
            (Some(_), After::Gone) => self.counted.deleted += 1,
            (Some(_), _) => self.counted.updated += 1,
        }
        if image.is_unchanged() {
            self.unchanged += 1;
            return Ok(());
        }
        self.gather.take(image.was, image.after)
    }
}

impl Images for Album<'_> {
    fn take(&mut self, table: &Table, image: Image) {
        if self.failed.is_some() {
            return;
        }
        let known = self.found.iter().position(|one| one.head.table == table.name);
        let at = known.unwrap_or_else(|| {
            let new = Found::new(table, self);
            self.found.push(new);
            self.found.len() - 1
        });
        self.failed = self.found[at].take(table, image).err();
    }

    fn anew(&mut self, table: &Table) {
        self.found.retain(|one| one.head.table != table.name);
    }
}

/// Reads everything that was written, given what the statements did directly to each table.
pub async fn written(
    work: &mut Session,
    observe: &mut Session,
    direct: &HashMap<String, Tally>,
    cut: Option<&Cut>,
) -> Result<Written, EngineError> {
    let mut album = Album { direct, cut, found: Vec::new(), failed: None };
    let (touched, blind) = work.written(observe, &mut album).await?;
    let Album { mut found, failed, .. } = album;
    if let Some(error) = failed {
        return Err(aside(&error));
    }
    let rolls: Vec<&Roll<'_>> = found.iter().filter_map(|one| one.roll.as_ref()).collect();
    let keys = 0..cut.map_or(0, |cut| cut.keys.len());
    let met = keys.filter(|at| rolls.iter().any(|roll| roll.met[*at])).count();
    let mut written = Written {
        unchanged: found.iter().map(|one| one.unchanged).sum(),
        blind,
        met: met as u64,
        outside: found.iter_mut().find_map(|one| one.outside.take()),
        ..Written::default()
    };
    let direct = shared_out(direct, &touched);
    for mut entry in touched {
        let own = direct.get(&entry.table).copied().unwrap_or_default();
        entry.join_moved(own.updated);
        let own = of_its_kind(own, &entry);
        let hidden = all(&entry).minus(own);
        let table = entry.table;
        if let Some(at) = found.iter().position(|one| one.head.table == table) {
            let Found { head, gather, counted, .. } = found.swap_remove(at);
            // More rows were updated than are there before and after: some got another key.
            let moved =
                entry.updated > counted.updated && counted.inserted > 0 && counted.deleted > 0;
            let head = TableHead { hidden: own.total() == 0, moved, ..head };
            let rows = gather.finish().map_err(|error| aside(&error))?;
            if !rows.is_empty() {
                written.images.push(TableImages { head, rows });
            }
        }
        written.writes.push(TableWrites { table, direct: own, hidden });
    }
    // What the statements name comes first, what followed from it after.
    written.writes.sort_by_key(|writes| writes.direct.total() == 0);
    written.images.sort_by_key(|images| images.head.hidden);
    Ok(written)
}

/// The place for very many images is full or cannot be used.
pub fn aside(error: &io::Error) -> EngineError {
    let folder = std::env::temp_dir();
    EngineError::Refused {
        message: format!("the rows cannot be put aside in {}: {error}", folder.display()),
    }
}

/// A row's key as a name in a map: values themselves have no order and no hash.
pub fn key_name(key: &[Value]) -> String {
    format!("{key:?}")
}

/// An INSERT may update rows that are there already, which some servers count twice.
fn of_its_kind(own: Tally, entry: &Touched) -> Tally {
    let more = own.inserted.saturating_sub(entry.inserted);
    let updated = more.min(entry.updated.saturating_sub(own.updated));
    if updated == 0 {
        return own;
    }
    Tally { inserted: entry.inserted, updated: own.updated + updated, ..own }
}

/// What statements did to each table: of those that they name, their count holds what they did to heirs too.
fn shared_out(direct: &HashMap<String, Tally>, touched: &[Touched]) -> HashMap<String, Tally> {
    let mut direct = direct.clone();
    for heir in touched {
        for named in &heir.heir_of {
            let Some(own) = direct.get(named).copied() else { continue };
            let there = touched.iter().find(|one| one.table == *named).map(all);
            let beyond = own.minus(there.unwrap_or_default());
            let known = direct.get(&heir.table).copied().unwrap_or_default();
            let of_others = beyond.minus(all(heir).minus(known));
            let of_heir = beyond.minus(of_others);
            direct.insert(named.clone(), own.minus(of_heir));
            direct.insert(heir.table.clone(), known.plus(of_heir));
        }
    }
    direct
}

fn all(touched: &Touched) -> Tally {
    Tally { inserted: touched.inserted, updated: touched.updated, deleted: touched.deleted }
}
