//! The undo, tried in the transaction that is rolled back anyway, and compared with the state before.
//!
//! Locks are held meanwhile, so of very many rows only the first are tried, and it is said so.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::images::{Written, aside, key_name, written};
use super::restore::{Limit, PutBack, SetAnew, restore_all};
use crate::engine::{EngineError, Session, Table};
use crate::recovery::words::key_words;
use crate::recovery::{RowImage, TableHead, TableImages, UndoRehearsal, undo};
use crate::value::counted;

/// More rows than this are not tried.
const MOST: u64 = 10_000;

/// The open transaction and the one that sees the state before.
#[derive(Debug)]
pub struct Stage<'a> {
    pub work: &'a mut Session,
    pub observe: &'a mut Session,
    pub tables: &'a [Table],
}

/// Tries the undo for no longer than `time`; `broken` references pointed nowhere before.
pub async fn rehearse_undo(
    stage: Stage<'_>,
    run: &Written,
    broken: u64,
    time: Duration,
) -> UndoRehearsal {
    let of = undo::wanted(&run.images);
    let blind = run.blind.first().cloned();
    if let Some(why) = blind.or_else(|| undo::impossible(&run.images)) {
        return UndoRehearsal { of, impossible: Some(why), ..UndoRehearsal::default() };
    }
    let limit = Limit { rows: MOST, until: Some(Instant::now() + time) };
    match stage.try_out(&run.images, of, broken, limit).await {
        Ok(rehearsal) => rehearsal,
        Err(error) => {
            let impossible = Some(format!("{}{error}", UndoRehearsal::TRIED));
            UndoRehearsal { of, impossible, ..UndoRehearsal::default() }
        }
    }
}

impl Stage<'_> {
    async fn try_out(
        mut self,
        images: &[TableImages],
        of: u64,
        broken: u64,
        limit: Limit,
    ) -> Result<UndoRehearsal, EngineError> {
        let PutBack { tried, set_anew, conflicts, .. } =
            restore_all(self.work, self.tables, images, limit).await?;
        // Nobody was between the change and this undo of it.
        if let Some(message) = conflicts.into_iter().find_map(|conflict| conflict.refused) {
            return Err(EngineError::Refused { message });
        }
        let mut rehearsal = UndoRehearsal { tried, of, ..UndoRehearsal::default() };
        if tried < of {
            rehearsal.restored = self.came_back(images, tried, &set_anew).await?;
            rehearsal.stays = staying(images, &set_anew);
            return Ok(rehearsal);
        }
        let names: Vec<String> = images.iter().map(|images| images.head.table.clone()).collect();
        let now = self.work.broken_references(&names).await?;
        if now > broken {
            let message = format!("{} references would point nowhere again", now - broken);
            return Err(EngineError::Rejected { message });
        }
        self.work.look_until(limit.until);
        let left = match written(self.work, self.observe, &HashMap::new(), None).await {
            Err(late @ EngineError::TimedOut { .. }) => {
                let came_back = self.came_back(images, tried, &set_anew).await;
                rehearsal.restored = came_back.map_err(|_| late)?;
                rehearsal.stays = staying(images, &set_anew);
                rehearsal.stays.push("and what else it writes was not looked for in time".into());
                return Ok(rehearsal);
            }
            left => left?.images,
        };
        let (missing, stays) = left_over(images, &left, &set_anew)?;
        rehearsal.restored = of.saturating_sub(missing);
        rehearsal.stays = stays;
        Ok(rehearsal)
    }

    /// How many of the first rows are as they were before the change.
    async fn came_back(
        &mut self,
        images: &[TableImages],
        tried: u64,
        set_anew: &SetAnew,
    ) -> Result<u64, EngineError> {
        let (mut restored, mut left) = (0, usize::try_from(tried).unwrap_or(usize::MAX));
        for (images, rows) in undo::backwards(images) {
            if left == 0 {
                break;
            }
            let mut rows = rows.map_err(|error| aside(&error))?;
            rows.truncate(left);
            left -= rows.len();
            let differing = differing(self.work, self.tables, images, &rows, set_anew).await?;
            restored += (rows.len() - differing) as u64;
        }
        Ok(restored)
    }
}

/// How many of these rows are not as they were before, but for what triggers set.
pub async fn differing(
    session: &mut Session,
    tables: &[Table],
    images: &TableImages,
    rows: &[RowImage],
    set_anew: &SetAnew,
) -> Result<usize, EngineError> {
    let Some(table) = tables.iter().find(|table| table.name == images.head.table) else {
        return Ok(rows.len());
    };
    let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
    let found = session.rows_by_key(table, &images.head.columns, &keys).await?;
    let found: HashMap<String, _> =
        found.into_iter().map(|(key, values)| (key_name(&key), values)).collect();
    let differs = |row: &&RowImage| {
        let after = found.get(&key_name(&row.key)).cloned();
        let now = RowImage { after, ..(*row).clone() };
        is_missing(&images.head, &now, set_anew)
    };
    Ok(rows.iter().filter(differs).count())
}

/// Whether a row is not as it was before, but for what triggers set.
fn is_missing(head: &TableHead, now: &RowImage, set_anew: &SetAnew) -> bool {
    if now.before.is_none() || now.after.is_none() {
        return now.before != now.after;
    }
    let of_triggers = |at: usize| set_anew.has(&head.table, &head.columns[at]);
    now.changed().into_iter().any(|at| !of_triggers(at))
}

/// What is known to stay where not every row was tried: an undo leaves what triggers inserted.
fn left_by_triggers(rows: u64, table: &str) -> String {
    let stay = if rows == 1 { "stays" } else { "stay" };
    format!("{} written by triggers {stay} in {table}", counted(rows, "row"))
}

fn staying(images: &[TableImages], set_anew: &SetAnew) -> Vec<String> {
    let hidden = images.iter().filter(|images| images.head.hidden);
    let inserted = hidden.map(|images| (images, images.rows.len() - images.rows.existing()));
    let inserted = inserted.filter(|(_, rows)| *rows > 0);
    let stays = inserted.map(|(images, rows)| {
        let table = &images.head.table;
        format!("{}, and the undo may add its own", left_by_triggers(rows, table))
    });
    set_anew.words().chain(stays).collect()
}

/// Rows that should have come back and did not, and what stays by table.
fn left_over(
    images: &[TableImages],
    left: &[TableImages],
    set_anew: &SetAnew,
) -> Result<(u64, Vec<String>), EngineError> {
    let mut missing = 0;
    let mut stays: Vec<String> = set_anew.words().collect();
    for table in left.iter().filter(|table| !table.rows.is_empty()) {
        let name = &table.head.table;
        let mut wanted = HashSet::new();
        for images in images.iter().filter(|images| images.head.table == *name) {
            for row in images.rows.iter() {
                let row = row.map_err(|error| aside(&error))?;
                if undo::restored(images, &row) {
                    wanted.insert(key_name(&row.key));
                }
            }
        }
        let (mut kept, mut changed) = (0, 0);
        for row in table.rows.iter() {
            let row = row.map_err(|error| aside(&error))?;
            match (&row.before, &row.after) {
                _ if wanted.contains(&key_name(&row.key)) => {
                    missing += u64::from(is_missing(&table.head, &row, set_anew));
                }
                (None, _) => kept += 1,
                (Some(_), Some(_)) => changed += 1,
                (Some(_), None) => {
                    let key = key_words(&table.head.key, &row.key);
                    let message =
                        format!("{name} {key} would be removed, which the change never wrote");
                    return Err(EngineError::Refused { message });
                }
            }
        }
        if changed > 0 {
            let rows = counted(changed, "row");
            stays.push(format!("{rows} of {name} changed that the change never wrote"));
        }
        if kept > 0 {
            stays.push(left_by_triggers(kept, name));
        }
    }
    Ok((missing, stays))
}
