//! Images of the rows that an open transaction wrote, sorted by what the statements did themselves and
//! what followed from it.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::engine::{Blind, EngineError, Image, Session, Table, Touched};
use crate::recovery::{Gather, RowImage, TableHead, TableImages, TableWrites, Tally};

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
    /// As a list for a statement.
    pub literals: String,
    /// As they read.
    pub names: HashSet<String>,
}

impl Cut {
    /// The key that a written row carries; else why it is not of this chunk.
    fn key_of(&self, table: &Table, image: &Image) -> Result<String, String> {
        let Cut { column, names, .. } = self;
        let same = |name: &String| name.eq_ignore_ascii_case(column);
        let at = table.stored().iter().position(same);
        let name = &table.name;
        let at = at.ok_or_else(|| {
            format!("{name} has no column {column}, so its rows cannot be held against the keys of a chunk")
        })?;
        let side = image.before.as_ref().or(image.after.as_ref());
        let key = side.and_then(|row| row.get(at)?.as_ref().plain()).unwrap_or_default();
        if names.contains(&key) {
            Ok(key)
        } else {
            Err(format!(
                "a row of {name} would be written that is not of the chunk: {column} {key}"
            ))
        }
    }
}

/// Reads everything that was written, given what the statements did directly to each table.
pub async fn written(
    work: &mut Session,
    observe: &mut Session,
    direct: &HashMap<String, Tally>,
    cut: Option<&Cut>,
) -> Result<Written, EngineError> {
    let mut found: HashMap<String, (TableHead, Gather)> = HashMap::new();
    let mut unchanged = 0;
    let mut failed = None;
    let (mut met, mut outside) = (HashSet::new(), None);
    let mut keep = |table: &Table, image: Image| {
        if let Some(cut) = cut.filter(|_| direct.contains_key(&table.name)) {
            match cut.key_of(table, &image) {
                Ok(key) => drop(met.insert(key)),
                Err(why) => drop(outside.get_or_insert(why)),
            }
        }
        let Image { key, before, after } = image;
        if before == after {
            unchanged += 1;
            return;
        }
        if !found.contains_key(&table.name) {
            found.insert(table.name.clone(), (head(table), Gather::default()));
        }
        let (_, gather) = found.get_mut(&table.name).expect("it was just made");
        if failed.is_none() {
            failed = gather.push(RowImage { key, before, after }).err();
        }
    };
    let (touched, blind) = work.written(observe, &mut keep).await?;
    if let Some(error) = failed {
        return Err(aside(&error));
    }
    let met = met.len() as u64;
    let mut written = Written { unchanged, blind, met, outside, ..Written::default() };
    for entry in &touched {
        let own = direct.get(&entry.table).copied().unwrap_or_default();
        let hidden = all(entry).minus(own);
        let table = entry.table.clone();
        if let Some((head, gather)) = found.remove(&table) {
            let head = TableHead { hidden: own.total() == 0, ..head };
            let rows = gather.finish().map_err(|error| aside(&error))?;
            written.images.push(TableImages { head, rows });
        }
        written.writes.push(TableWrites { table, direct: own, hidden });
    }
    // What the statements name comes first, what followed from it after.
    written.writes.sort_by_key(|writes| writes.direct.total() == 0);
    written.images.sort_by_key(|images| images.head.hidden);
    Ok(written)
}

fn head(table: &Table) -> TableHead {
    TableHead {
        table: table.name.clone(),
        key: table.key.clone(),
        columns: table.stored(),
        hidden: false,
    }
}

/// The place for very many images is full or cannot be used.
pub fn aside(error: &io::Error) -> EngineError {
    let folder = std::env::temp_dir();
    EngineError::Refused {
        message: format!("the rows cannot be put aside in {}: {error}", folder.display()),
    }
}

/// A row's key as a name in a map: values themselves have no order and no hash.
pub fn key_name(key: &[crate::value::Value]) -> String {
    format!("{key:?}")
}

fn all(touched: &Touched) -> Tally {
    Tally { inserted: touched.inserted, updated: touched.updated, deleted: touched.deleted }
}
