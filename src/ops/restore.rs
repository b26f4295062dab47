//! Putting rows back: the work of an undo, table after table (`desk`) until all is as it was.
//!
//! A row may need another one to be back first: its parent, or the row that holds its place in a unique
//! column. What the database refuses is put off and tried again as long as that helps; what is still
//! refused then is left alone, with what the database said.
//!
//! Triggers and cascades fire for an undo too, and may write to a row that was just put back, or that is
//! yet to be (a sum kept over children). So before anything is written all rows are looked at and held:
//! what somebody changed since is left alone, whatever our triggers make of it, and the others are
//! settled in the end, because from then on only our own triggers can have moved them.

mod desk;
mod renamed;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::images::{aside, key_name};
use crate::engine::{EngineError, Session, Table};
use crate::recovery::undo::{Step, TOLD, Together, backwards, conflict, decide, wanted};
use crate::recovery::{Conflict, RowImage, TableImages, Tally};
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
    /// Why nothing at all was put back, if so, and how many rows are left alone for the sake of others.
    pub kept_out: Option<String>,
    pub for_others: u64,
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
    let standing = standing(session, tables, images, limit).await?;
    let mut done = PutBack::default();
    let renamed = Renamed::back(session, tables, images, limit, &mut done).await?;
    let mut fates = Vec::new();
    for (images, rows) in backwards(images) {
        if !limit.allows(done.tried) {
            break;
        }
        let rows = rows.map_err(|error| aside(&error))?;
        let standing = &standing[fates.len()..standing.len().min(fates.len() + rows.len())];
        if standing.is_empty() {
            continue;
        }
        let ours = rows.into_iter().zip(standing).filter(|(_, stands)| **stands);
        let ours: Vec<RowImage> = ours.map(|(row, _)| row).collect();
        let mut desk = Desk::at(session, tables, &images.head)?;
        let start = Instant::now();
        let (of_ours, tally) = desk.restore_some(&ours, |at| limit.allows(done.tried + at)).await?;
        let mut of_ours = of_ours.into_iter().zip(&ours).map(|(fate, row)| match fate {
            Fate::Theirs if row.after.is_some() || renamed.has(&images.head.table, row) => {
                Fate::Astray
            }
            fate => fate,
        });
        let of_rows = standing
            .iter()
            .map_while(|stands| if *stands { of_ours.next() } else { Some(Fate::Theirs) });
        fates.extend(of_rows);
        done.tried = fates.len() as u64;
        done.count(&images.head.table, tally, start.elapsed().as_secs_f64());
    }
    let mut said = done.put_off(session, tables, images, &mut fates, limit).await?;
    let all = done.tried == wanted(images);
    for round in 0..=ROUNDS {
        // What waits for COMMIT moves rows too; of some rows alone it could find others missing.
        if all {
            session.broken_references(&[]).await?;
            session.defer_references().await?;
        }
        if round == ROUNDS {
            fates.fill(Fate::Theirs);
        } else if settle_all(session, tables, images, &mut fates, round, &mut done.set_anew).await?
        {
            said = done.put_off(session, tables, images, &mut fates, limit).await?;
        } else {
            break;
        }
    }
    done.left_alone(session, tables, images, &fates, said).await?;
    Ok(done)
}

/// Which rows hold what the change left, or are as they were before it, in the order of `backwards`; the
/// others somebody changed since. All that are there are held, so that this is so until the end.
async fn standing(
    session: &mut Session,
    tables: &[Table],
    images: &[TableImages],
    limit: Limit,
) -> Result<Vec<bool>, EngineError> {
    let mut standing = Vec::new();
    for (images, rows) in backwards(images) {
        let seen = standing.len() as u64;
        if !limit.allows(seen) {
            break;
        }
        let mut rows = rows.map_err(|error| aside(&error))?;
        rows.truncate(usize::try_from(limit.rows - seen).unwrap_or(usize::MAX));
        let there = rows.iter().filter(|row| row.after.is_some());
        let now = Desk::at(session, tables, &images.head)?.hold(there).await?;
        standing.extend(rows.iter().map(|row| {
            let now = now.get(&key_name(&row.key)).map(Vec::as_slice);
            // What the change removed is not there to be held, and is added where nothing is. What it wrote
            // and is there no more cannot be held either: what comes in its place is somebody else's.
            row.after.is_none() || now.is_some() && decide(row, now) != Step::Conflict
        }));
    }
    Ok(standing)
}

impl PutBack {
    /// Tries what was refused again, and what is astray, from one end of a batch and then from the other, until nothing
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
        let waits = |fate: Fate| matches!(fate, Fate::PutOff | Fate::Astray);
        while in_vain < 2 && fates.iter().any(|fate| waits(*fate)) {
            let mut moved = false;
            said.clear();
            let mut at = 0;
            for (images, rows) in backwards(images) {
                let rows = rows.map_err(|error| aside(&error))?;
                let here = at..fates.len().min(at + rows.len());
                at = here.end;
                let mut places: Vec<usize> =
                    here.clone().filter(|place| waits(fates[*place])).collect();
                if places.is_empty() {
                    continue;
                }
                let mut desk = Desk::at(session, tables, &images.head)?;
                let (start, mut tally) = (Instant::now(), Tally::default());
                if turned {
                    places.reverse();
                }
                for place in places {
                    if !limit.allows(0) {
                        return Ok(BTreeMap::new());
                    }
                    match desk.attempt_again(&rows[place - here.start], fates[place]).await? {
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
        fates: &[Fate],
        mut said: BTreeMap<usize, EngineError>,
    ) -> Result<(), EngineError> {
        let mut left = fates.iter().filter(|fate| **fate != Fate::Ours).count();
        let mut fates = fates.iter().enumerate();
        for (images, rows) in backwards(images) {
            if left == 0 {
                break;
            }
            let mut rows = rows.map_err(|error| aside(&error))?;
            let mut places = Vec::new();
            rows.retain(|_| {
                let theirs = fates.next().filter(|(_, fate)| **fate != Fate::Ours);
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
        let (in_the_way, conflicts) = together.in_the_way();
        if !conflicts.is_empty() {
            let all = wanted(images);
            let why = format!(
                "nothing is put back: the change gave rows of {} other keys, and not all of them are as it \
                 left them; a row could be there twice, or be lost",
                moved.head.table
            );
            let kept_out = Some(why);
            return Ok(Some(PutBack {
                tried: all,
                left_alone: all,
                conflicts,
                kept_out,
                for_others: all.saturating_sub(in_the_way),
                ..PutBack::default()
            }));
        }
    }
    Ok(None)
}

/// One round over the rows that were tried and are ours, every other one from the other end of a batch; says
/// whether any had moved. What the database refuses is astray.
async fn settle_all(
    session: &mut Session,
    tables: &[Table],
    images: &[TableImages],
    fates: &mut [Fate],
    round: usize,
    set_anew: &mut SetAnew,
) -> Result<bool, EngineError> {
    let (mut moved, mut at) = (false, 0);
    for (images, rows) in backwards(images) {
        if at == fates.len() {
            break;
        }
        let mut rows = rows.map_err(|error| aside(&error))?;
        let mut places = Vec::new();
        rows.retain(|row| {
            let settles = fates.get(at) == Some(&Fate::Ours) && row.before.is_some();
            places.extend(settles.then_some(at));
            at = fates.len().min(at + 1);
            settles
        });
        if round % 2 == 1 {
            rows.reverse();
            places.reverse();
        }
        let anew = set_anew.of(&images.head.table);
        let mut desk = Desk::at(session, tables, &images.head)?;
        let mut now = desk.look(&rows).await?;
        let mut trusted = true;
        for (row, place) in rows.iter().zip(places) {
            let mut now = now.remove(&key_name(&row.key));
            // Settling one row may have moved the others since they were looked at.
            if !trusted {
                now = desk.look_at(row).await?;
            }
            let Some(now) = now else { continue };
            let settled = desk.settle(row, &now, anew).await?;
            if settled.is_err() {
                fates[place] = Fate::Astray;
            }
            if settled.unwrap_or(true) {
                moved = true;
                trusted = false;
            }
        }
    }
    Ok(moved)
}
