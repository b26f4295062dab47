//! Putting rows back: the work of an undo, table after table (`desk`) until all is as it was.
//!
//! A row may need another one to be back first: its parent, or the row that holds its place in a unique
//! column. What the database refuses is put off and tried again as long as that helps; what is still
//! refused then is left alone, with what the database said.
//!
//! Triggers fire for an undo too, and may write to a row that was just put back (a sum kept over
//! children). So the rows are looked at again at the end and settled: within one transaction only
//! our own triggers can have moved them.

mod desk;
mod renamed;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::images::{aside, key_name};
use crate::engine::{EngineError, Session, Table};
use crate::recovery::undo::{Step, TOLD, Together, backwards, conflict, decide, wanted};
use crate::recovery::{Conflict, TableImages, Tally};
use desk::{Desk, Fate};
use renamed::Renamed;

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub rows: u64,
    pub until: Option<Instant>,
}

impl Limit {
    pub const NONE: Self = Self { rows: u64::MAX, until: None };

    fn allows(&self, rows: u64) -> bool {
        rows < self.rows && self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// What became of the rows.
#[derive(Debug, Default)]
pub struct PutBack {
    /// Rows that were looked at, in the order of `undo::backwards`.
    pub tried: u64,
    /// By table in the order in which they came: what was written, and how long that took.
    pub tables: Vec<(String, Tally, f64)>,
    /// Rows that are not brought back: the first of them, and how many.
    pub conflicts: Vec<Conflict>,
    pub left_alone: u64,
    /// Whether the database refuses some of these.
    pub refuses: bool,
    /// Why nothing at all was put back, if so.
    pub kept_out: Option<String>,
    pub set_anew: SetAnew,
}

/// By table, the columns that triggers set whatever is written there, like the moment of a change.
#[derive(Debug, Default)]
pub struct SetAnew(BTreeMap<String, BTreeSet<String>>);

impl SetAnew {
    fn of(&mut self, table: &str) -> &mut BTreeSet<String> {
        self.0.entry(table.to_owned()).or_default()
    }

    pub fn has(&self, table: &str, column: &str) -> bool {
        self.0.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// A sentence a table.
    pub fn words(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter(|(_, columns)| !columns.is_empty()).map(|(table, columns)| {
            let columns = columns.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("a trigger sets {columns} of {table} anew")
        })
    }
}

/// Puts rows back in their order.
pub async fn restore_all(
    session: &mut Session,
    tables: &[Table],
    images: &[TableImages],
    limit: Limit,
) -> Result<PutBack, EngineError> {
    /// Settling one row may move another; more rounds than this would be a loop of triggers.
    const ROUNDS: usize = 3;
    session.defer_references().await?;
    if let Some(done) = moved_since(session, tables, images).await? {
        return Ok(done);
    }
    let mut done = PutBack::default();
    let renamed = Renamed::back(session, tables, images, limit, &mut done).await?;
    let mut fates = Vec::new();
    for (images, rows) in backwards(images) {
        if !limit.allows(done.tried) {
            break;
        }
        let mut rows = rows.map_err(|error| aside(&error))?;
        rows.truncate(usize::try_from(limit.rows - done.tried).unwrap_or(usize::MAX));
        if rows.is_empty() {
            continue;
        }
        let mut desk = Desk::at(session, tables, &images.head)?;
        let start = Instant::now();
        let (mut of_rows, tally) =
            desk.restore_some(&rows, |at| limit.allows(done.tried + at)).await?;
        for (fate, row) in of_rows.iter_mut().zip(&rows) {
            if renamed.has(&images.head.table, row) {
                *fate = Fate::Ours;
            }
        }
        done.tried += of_rows.len() as u64;
        fates.extend(of_rows);
        done.count(&images.head.table, tally, start.elapsed().as_secs_f64());
    }
    let said = done.put_off(session, tables, images, &mut fates, limit).await?;
    let mut ours: Vec<bool> = fates.iter().map(|fate| *fate == Fate::Ours).collect();
    let (mut rounds, all) = (0, done.tried == wanted(images));
    loop {
        // What waits for COMMIT moves rows too; of some rows alone it could find others missing.
        if all {
            session.broken_references(&[]).await?;
            session.defer_references().await?;
        }
        if !settle_all(session, tables, images, &ours, &mut done.set_anew).await? {
            break;
        }
        rounds += 1;
        if rounds == ROUNDS {
            ours.fill(false);
            break;
        }
    }
    done.left_alone(session, tables, images, &ours, said).await?;
    Ok(done)
}

impl PutBack {
    /// Tries what was refused again, from one end of a batch and then from the other, until nothing
    /// more comes of it. Gives what was said to what is refused for good, by its place.
    async fn put_off(
        &mut self,
        session: &mut Session,
        tables: &[Table],
        images: &[TableImages],
        fates: &mut [Fate],
        limit: Limit,
    ) -> Result<BTreeMap<usize, EngineError>, EngineError> {
        let (mut in_vain, mut turned) = (0, true);
        let mut said = BTreeMap::new();
        while in_vain < 2 && fates.contains(&Fate::PutOff) {
            let mut moved = false;
            said.clear();
            let mut at = 0;
            for (images, rows) in backwards(images) {
                let rows = rows.map_err(|error| aside(&error))?;
                let here = at..fates.len().min(at + rows.len());
                at = here.end;
                let places: Vec<usize> =
                    here.clone().filter(|place| fates[*place] == Fate::PutOff).collect();
                if places.is_empty() {
                    continue;
                }
                let mut desk = Desk::at(session, tables, &images.head)?;
                let (start, mut tally) = (Instant::now(), Tally::default());
                let mut places = places;
                if turned {
                    places.reverse();
                }
                for place in places {
                    if !limit.allows(0) {
                        return Ok(BTreeMap::new());
                    }
                    match desk.attempt_again(&rows[place - here.start]).await? {
                        Ok(restored) => {
                            (fates[place], moved) = (Fate::of(&restored), true);
                            tally = tally.plus(restored.tally());
                        }
                        Err(refused) => drop(said.insert(place, refused)),
                    }
                }
                self.count(&images.head.table, tally, start.elapsed().as_secs_f64());
            }
            turned = !turned;
            in_vain = if moved { 0 } else { in_vain + 1 };
        }
        // Of rows that come back together or not at all none may be missing.
        if images.iter().any(|images| images.head.moved)
            && let Some((_, why)) = said.pop_first()
        {
            return Err(why);
        }
        Ok(said)
    }

    /// A row that was on its way when it was looked at may have come back by our triggers alone:
    /// only what is not as before in the end was changed by somebody else, or by triggers without end.
    async fn left_alone(
        &mut self,
        session: &mut Session,
        tables: &[Table],
        images: &[TableImages],
        ours: &[bool],
        mut said: BTreeMap<usize, EngineError>,
    ) -> Result<(), EngineError> {
        let mut left = ours.iter().filter(|ours| !**ours).count();
        let mut ours = ours.iter().enumerate();
        for (images, rows) in backwards(images) {
            if left == 0 {
                break;
            }
            let mut rows = rows.map_err(|error| aside(&error))?;
            let mut places = Vec::new();
            rows.retain(|_| {
                let theirs = ours.next().filter(|(_, ours)| !**ours);
                places.extend(theirs.map(|(place, _)| place));
                theirs.is_some()
            });
            left -= rows.len();
            let now = Desk::at(session, tables, &images.head)?.look(&rows).await?;
            for (place, row) in places.into_iter().zip(&rows) {
                let now = now.get(&key_name(&row.key)).map(Vec::as_slice);
                if decide(row, now) == Step::Already {
                    continue;
                }
                let refused = said.remove(&place);
                self.left_alone += 1;
                self.refuses |= refused.is_some();
                if self.conflicts.len() < TOLD {
                    let refused = refused.map(|why| why.to_string());
                    self.conflicts.push(Conflict { refused, ..conflict(&images.head, row, now) });
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, name: &str, tally: Tally, seconds: f64) {
        match self.tables.iter_mut().find(|(table, ..)| table == name) {
            Some((_, all, time)) => (*all, *time) = (all.plus(tally), *time + seconds),
            None => self.tables.push((name.to_owned(), tally, seconds)),
        }
    }
}

/// Rows whose key the change moved come back together or not at all, and with them what it did besides: what
/// triggers and cascades made of them is not known of each.
async fn moved_since(
    session: &mut Session,
    tables: &[Table],
    images: &[TableImages],
) -> Result<Option<PutBack>, EngineError> {
    for moved in images.iter().filter(|images| images.head.moved) {
        let mut desk = Desk::at(session, tables, &moved.head)?;
        let mut together = Together::default();
        for rows in moved.rows.chunks() {
            let rows = rows.map_err(|error| aside(&error))?;
            let now = desk.hold(&rows).await?;
            for row in &rows {
                together.see(&moved.head, row, now.get(&key_name(&row.key)).map(Vec::as_slice));
            }
        }
        let conflicts = together.in_the_way();
        if !conflicts.is_empty() {
            let all = wanted(images);
            let why = format!(
                "nothing is put back: the change gave rows of {} other keys, and not all of them are as it \
                 left them; a row could be there twice, or be lost",
                moved.head.table
            );
            let kept_out = Some(why);
            let done =
                PutBack { tried: all, left_alone: all, conflicts, kept_out, ..PutBack::default() };
            return Ok(Some(done));
        }
    }
    Ok(None)
}

/// One round over the rows that were tried and are ours; says whether any had moved.
async fn settle_all(
    session: &mut Session,
    tables: &[Table],
    images: &[TableImages],
    ours: &[bool],
    set_anew: &mut SetAnew,
) -> Result<bool, EngineError> {
    let mut moved = false;
    let mut ours = ours.iter();
    for (images, rows) in backwards(images) {
        if ours.len() == 0 {
            break;
        }
        let mut rows = rows.map_err(|error| aside(&error))?;
        rows.retain(|row| ours.next().is_some_and(|ours| *ours) && row.before.is_some());
        let anew = set_anew.of(&images.head.table);
        let mut desk = Desk::at(session, tables, &images.head)?;
        let mut now = desk.look(&rows).await?;
        let mut trusted = true;
        for row in &rows {
            let mut now = now.remove(&key_name(&row.key));
            // Settling one row may have moved the others since they were looked at.
            if !trusted {
                now = desk.look_at(row).await?;
            }
            if let Some(now) = now
                && desk.settle(row, &now, anew).await?
            {
                moved = true;
                trusted = false;
            }
        }
    }
    Ok(moved)
}
