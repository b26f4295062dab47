//! Images of the rows that an open transaction wrote, sorted by what the statements did themselves and
//! what followed from it.

use std::collections::HashMap;

use crate::engine::{Blind, EngineError, Image, Session, Table, Touched};
use crate::recovery::{RowImage, TableImages, TableWrites, Tally};

/// What the worker wrote so far.
#[derive(Debug, Default)]
pub struct Written {
    pub writes: Vec<TableWrites>,
    pub images: Vec<TableImages>,
    /// Rows that were written with the values they had.
    pub unchanged: u64,
    pub blind: Blind,
}

/// Reads everything that was written, given what the statements did directly to each table.
pub async fn written(
    work: &mut Session,
    observe: &mut Session,
    direct: &HashMap<String, Tally>,
) -> Result<Written, EngineError> {
    let mut found: HashMap<String, TableImages> = HashMap::new();
    let mut unchanged = 0;
    let mut keep = |table: &Table, image: Image| {
        if image.before == image.after {
            unchanged += 1;
            return;
        }
        let images = found.entry(table.name.clone()).or_insert_with(|| empty(table));
        let Image { key, before, after } = image;
        images.rows.push(RowImage { key, before, after });
    };
    let (touched, blind) = work.written(observe, &mut keep).await?;
    let mut written = Written { unchanged, blind, ..Written::default() };
    for entry in &touched {
        let own = direct.get(&entry.table).copied().unwrap_or_default();
        let hidden = all(entry).minus(own);
        let table = entry.table.clone();
        if let Some(mut images) = found.remove(&table) {
            images.hidden = own.total() == 0;
            written.images.push(images);
        }
        written.writes.push(TableWrites { table, direct: own, hidden });
    }
    // What the statements name comes first, what followed from it after.
    written.writes.sort_by_key(|writes| writes.direct.total() == 0);
    written.images.sort_by_key(|images| images.hidden);
    Ok(written)
}

fn empty(table: &Table) -> TableImages {
    TableImages {
        table: table.name.clone(),
        key: table.key.clone(),
        columns: table.stored(),
        rows: Vec::new(),
        hidden: false,
    }
}

fn all(touched: &Touched) -> Tally {
    Tally { inserted: touched.inserted, updated: touched.updated, deleted: touched.deleted }
}
