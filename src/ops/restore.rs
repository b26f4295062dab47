//! Putting rows back, one by one, under their guard: the work of an undo.
//!
//! Triggers fire for an undo too, and may write to a row that was just put back (a sum kept over
//! children). So the rows are looked at again at the end and settled: within one transaction only
//! our own triggers can have moved them.

use crate::engine::{EngineError, RowWrite, Session, Table};
use crate::recovery::undo::{Step, conflict, decide};
use crate::recovery::{Conflict, Restore, Tally};
use crate::value::Value;

/// What became of one row.
#[derive(Debug)]
pub enum Restored {
    Done(Tally),
    Already,
    Conflict(Conflict),
}

/// Puts all rows back in their order; one answer a row.
pub async fn restore_all(
    session: &mut Session,
    tables: &[Table],
    rows: &[&Restore],
) -> Result<Vec<Restored>, EngineError> {
    /// Settling one row may move another; more rounds than this would be a loop of triggers.
    const ROUNDS: usize = 3;
    session.defer_references().await?;
    let mut done = Vec::with_capacity(rows.len());
    for row in rows {
        done.push(restore(session, tables, row).await?);
    }
    for _ in 0..ROUNDS {
        let mut moved = false;
        for (row, outcome) in rows.iter().zip(&done) {
            if !matches!(outcome, Restored::Conflict(_)) {
                moved |= settle(session, tables, row).await?;
            }
        }
        if !moved {
            break;
        }
    }
    Ok(done)
}

/// Writes a row once more if a trigger of ours moved it; says whether it had.
async fn settle(
    session: &mut Session,
    tables: &[Table],
    restore: &Restore,
) -> Result<bool, EngineError> {
    let Restore { table: name, key, columns, row } = restore;
    let (Some(before), Some(table)) = (&row.before, tables.iter().find(|t| t.name == *name)) else {
        return Ok(false);
    };
    let found = session.rows_by_key(table, columns, std::slice::from_ref(&row.key)).await?;
    let Some((_, now)) = found.first() else { return Ok(false) };
    let ours = if row.after.is_some() { row.changed() } else { (0..columns.len()).collect() };
    let moved: Vec<usize> = ours.into_iter().filter(|i| now[*i] != before[*i]).collect();
    if moved.is_empty() {
        return Ok(false);
    }
    let pick = |image: &[Value]| moved.iter().map(|i| image[*i].clone()).collect::<Vec<_>>();
    let names: Vec<String> = moved.iter().map(|i| columns[*i].clone()).collect();
    let (guard, set) = (pick(now), pick(before));
    let write =
        RowWrite { table, key: (key, &row.key), guard: (&names, &guard), set: (&names, &set) };
    session.update_row(write).await.map(|rows| rows > 0)
}

async fn restore(
    session: &mut Session,
    tables: &[Table],
    restore: &Restore,
) -> Result<Restored, EngineError> {
    let missing =
        |what: &str| EngineError::Database { message: format!("{what} is not there any more") };
    let Restore { table: name, key, columns, row } = restore;
    let table = tables.iter().find(|table| table.name == *name).ok_or_else(|| missing(name))?;
    if let Some(gone) = columns.iter().find(|column| !table.stored().contains(column)) {
        return Err(missing(&format!("column {gone} of {name}")));
    }
    let found = session.rows_by_key(table, columns, std::slice::from_ref(&row.key)).await?;
    let now = found.first().map(|(_, values)| values.as_slice());
    let empty: &[Value] = &[];
    let key = (key.as_slice(), row.key.as_slice());
    let all = columns.as_slice();
    let (before, after) = (row.before.as_deref(), row.after.as_deref());
    let (rows, tally) = match decide(row, now) {
        Step::Already => return Ok(Restored::Already),
        Step::Conflict => return Ok(Restored::Conflict(conflict(restore, now))),
        Step::Insert => {
            let set = (all, before.unwrap_or(empty));
            let write = RowWrite { table, key, guard: (&[], empty), set };
            (session.insert_row(write).await?, Tally { inserted: 1, ..Tally::default() })
        }
        Step::Update(changed) => {
            let pick = |image: Option<&[Value]>| -> Vec<Value> {
                let image = image.unwrap_or(empty);
                changed.iter().map(|i| image[*i].clone()).collect()
            };
            let names: Vec<String> = changed.iter().map(|i| columns[*i].clone()).collect();
            let (old, ours) = (pick(before), pick(after));
            let write = RowWrite { table, key, guard: (&names, &ours), set: (&names, &old) };
            (session.update_row(write).await?, Tally { updated: 1, ..Tally::default() })
        }
        Step::Delete => {
            let guard = (all, after.unwrap_or(empty));
            let write = RowWrite { table, key, guard, set: (&[], empty) };
            (session.delete_row(write).await?, Tally { deleted: 1, ..Tally::default() })
        }
    };
    if rows == 1 {
        Ok(Restored::Done(tally))
    } else {
        Ok(Restored::Conflict(conflict(restore, now)))
    }
}
