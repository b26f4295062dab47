//! Images of the rows that an open transaction touched: before from the observer, after from the
//! worker, both by key.

use std::collections::HashMap;

use crate::engine::{Blind, EngineError, Session, Table, Touched};
use crate::recovery::{RowImage, TableImages, TableWrites, Tally};
use crate::value::Value;

/// What the worker wrote so far.
#[derive(Debug, Default)]
pub struct Written {
    pub writes: Vec<TableWrites>,
    pub images: Vec<TableImages>,
    /// Rows that were written with the values they had.
    pub unchanged: u64,
    pub blind: Blind,
}

/// Reads everything that was written, given what the statements did directly.
pub async fn written(
    work: &mut Session,
    observe: &mut Session,
    tables: &[Table],
    direct: &HashMap<String, Tally>,
) -> Result<Written, EngineError> {
    let (touched, blind) = work.touched().await?;
    let mut written = Written { blind, ..Written::default() };
    for entry in &touched {
        let Some(table) = tables.iter().find(|table| table.name == entry.table) else { continue };
        let own = direct.get(&table.name.to_lowercase()).copied().unwrap_or_default();
        let hidden = all(entry).minus(own);
        let (rows, unchanged) = images(work, observe, table, &entry.keys).await?;
        written.unchanged += unchanged;
        written.writes.push(TableWrites { table: table.name.clone(), direct: own, hidden });
        written.images.push(TableImages {
            table: table.name.clone(),
            key: table.key.clone(),
            columns: table.stored(),
            rows,
            hidden: own.total() == 0,
        });
    }
    // What the statements name comes first, what followed from it after.
    written.writes.sort_by_key(|writes| writes.direct.total() == 0);
    written.images.sort_by_key(|images| images.hidden);
    Ok(written)
}

fn all(touched: &Touched) -> Tally {
    Tally { inserted: touched.inserted, updated: touched.updated, deleted: touched.deleted }
}

async fn images(
    work: &mut Session,
    observe: &mut Session,
    table: &Table,
    keys: &[Vec<Value>],
) -> Result<(Vec<RowImage>, u64), EngineError> {
    let columns = table.stored();
    let mut before = by_key(observe.rows_by_key(table, &columns, keys).await?);
    let mut after = by_key(work.rows_by_key(table, &columns, keys).await?);
    let mut rows = Vec::with_capacity(keys.len());
    let mut unchanged = 0;
    for key in keys {
        let name = format!("{key:?}");
        let image =
            RowImage { key: key.clone(), before: before.remove(&name), after: after.remove(&name) };
        match (&image.before, &image.after) {
            (None, None) => {}
            (before, after) if before == after => unchanged += 1,
            _ => rows.push(image),
        }
    }
    Ok((rows, unchanged))
}

fn by_key(rows: Vec<(Vec<Value>, Vec<Value>)>) -> HashMap<String, Vec<Value>> {
    rows.into_iter().map(|(key, row)| (format!("{key:?}"), row)).collect()
}
