//! Putting rows back, each under its guard: the work of an undo.
//!
//! What rows are now is asked for many at a time. A trigger of ours may move a row after it was looked
//! at, so that look only says what to try: the guard in the statement decides, and a row that is not
//! there or not as it should be is looked at once more by itself.
//!
//! A row may need another one to be back first: its parent, or the row that holds its place in a unique
//! column. What the database refuses is put off and tried again as long as that helps; what is still
//! refused then cannot be undone.
//!
//! Triggers fire for an undo too, and may write to a row that was just put back (a sum kept over
//! children). So the rows are looked at again at the end and settled: within one transaction only
//! our own triggers can have moved them.

use std::collections::HashMap;
use std::time::Instant;

use super::images::{aside, key_name};
use crate::engine::{EngineError, RowWrite, Session, Table};
use crate::recovery::undo::{Step, backwards, conflict, decide};
use crate::recovery::words::key_words;
use crate::recovery::{Conflict, RowImage, TableHead, TableImages, Tally};
use crate::value::Value;

/// Rows that are written before the limits are asked again.
const AT_ONCE: usize = 500;

/// Rows left alone that are told one by one.
const TOLD: usize = 200;

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
    /// Rows that somebody changed since: the first of them, and how many.
    pub conflicts: Vec<Conflict>,
    pub left_alone: u64,
}

/// What became of one row.
enum Restored {
    Done(Tally),
    Already,
    Conflict,
}

impl Restored {
    fn tally(&self) -> Tally {
        match self {
            Self::Done(tally) => *tally,
            Self::Already | Self::Conflict => Tally::default(),
        }
    }
}

/// Whose a row is that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ours,
    /// Somebody else changed it since.
    Theirs,
    /// The database refused it for now.
    PutOff,
}

impl Fate {
    fn of(restored: &Restored) -> Self {
        match restored {
            Restored::Done(_) | Restored::Already => Self::Ours,
            Restored::Conflict => Self::Theirs,
        }
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
    let mut done = PutBack::default();
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
        let (of_rows, tally) = desk.restore_some(&rows, |at| limit.allows(done.tried + at)).await?;
        done.tried += of_rows.len() as u64;
        fates.extend(of_rows);
        done.count(&images.head.table, tally, start.elapsed().as_secs_f64());
    }
    done.put_off(session, tables, images, &mut fates, limit).await?;
    let ours: Vec<bool> = fates.iter().map(|fate| *fate == Fate::Ours).collect();
    for _ in 0..ROUNDS {
        if !settle_all(session, tables, images, &ours).await? {
            break;
        }
    }
    done.left_alone(session, tables, images, &ours).await?;
    Ok(done)
}

impl PutBack {
    /// Tries what was refused again, from one end of a batch and then from the other, until nothing
    /// more comes of it.
    async fn put_off(
        &mut self,
        session: &mut Session,
        tables: &[Table],
        images: &[TableImages],
        fates: &mut [Fate],
        limit: Limit,
    ) -> Result<(), EngineError> {
        let (mut in_vain, mut turned) = (0, true);
        while in_vain < 2 && fates.contains(&Fate::PutOff) {
            let (mut moved, mut why) = (false, None);
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
                        return Ok(());
                    }
                    match desk.attempt(&rows[place - here.start], true).await? {
                        Ok(restored) => {
                            (fates[place], moved) = (Fate::of(&restored), true);
                            tally = tally.plus(restored.tally());
                        }
                        Err(refused) => why = Some(refused),
                    }
                }
                self.count(&images.head.table, tally, start.elapsed().as_secs_f64());
            }
            turned = !turned;
            in_vain = if moved { 0 } else { in_vain + 1 };
            if let (2, Some(why)) = (in_vain, why) {
                return Err(why);
            }
        }
        Ok(())
    }

    /// A row that was on its way when it was looked at may have come back by our triggers alone:
    /// only what is not as before in the end was changed by somebody else.
    async fn left_alone(
        &mut self,
        session: &mut Session,
        tables: &[Table],
        images: &[TableImages],
        ours: &[bool],
    ) -> Result<(), EngineError> {
        let mut left = ours.iter().filter(|ours| !**ours).count();
        let mut ours = ours.iter();
        for (images, rows) in backwards(images) {
            if left == 0 {
                break;
            }
            let mut rows = rows.map_err(|error| aside(&error))?;
            rows.retain(|_| ours.next().is_some_and(|ours| !*ours));
            left -= rows.len();
            let now = Desk::at(session, tables, &images.head)?.look(&rows).await?;
            for row in &rows {
                let now = now.get(&key_name(&row.key)).map(Vec::as_slice);
                if decide(row, now) == Step::Already {
                    continue;
                }
                self.left_alone += 1;
                if self.conflicts.len() < TOLD {
                    self.conflicts.push(conflict(&images.head, row, now));
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

/// One round over the rows that were tried and are ours; says whether any had moved.
async fn settle_all(
    session: &mut Session,
    tables: &[Table],
    images: &[TableImages],
    ours: &[bool],
) -> Result<bool, EngineError> {
    let mut moved = false;
    let mut ours = ours.iter();
    for (images, rows) in backwards(images) {
        if ours.len() == 0 {
            break;
        }
        let mut rows = rows.map_err(|error| aside(&error))?;
        rows.retain(|row| ours.next().is_some_and(|ours| *ours) && row.before.is_some());
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
                && desk.settle(row, &now).await?
            {
                moved = true;
                trusted = false;
            }
        }
    }
    Ok(moved)
}

/// A session before one table.
struct Desk<'a> {
    session: &'a mut Session,
    table: &'a Table,
    head: &'a TableHead,
}

impl<'a> Desk<'a> {
    fn at(
        session: &'a mut Session,
        tables: &'a [Table],
        head: &'a TableHead,
    ) -> Result<Self, EngineError> {
        let missing =
            |what: &str| EngineError::Database { message: format!("{what} is not there any more") };
        let name = &head.table;
        let table = tables.iter().find(|table| table.name == *name).ok_or_else(|| missing(name))?;
        let stored = table.stored();
        if let Some(gone) = head.columns.iter().find(|column| !stored.contains(column)) {
            return Err(missing(&format!("column {gone} of {name}")));
        }
        Ok(Self { session, table, head })
    }

    /// What rows are now, by the name of their key.
    async fn look(
        &mut self,
        rows: &[RowImage],
    ) -> Result<HashMap<String, Vec<Value>>, EngineError> {
        let keys: Vec<Vec<Value>> = rows.iter().map(|row| row.key.clone()).collect();
        let found = self.session.rows_by_key(self.table, &self.head.columns, &keys).await?;
        Ok(found.into_iter().map(|(key, values)| (key_name(&key), values)).collect())
    }

    async fn look_at(&mut self, row: &RowImage) -> Result<Option<Vec<Value>>, EngineError> {
        let keys = std::slice::from_ref(&row.key);
        let found = self.session.rows_by_key(self.table, &self.head.columns, keys).await?;
        // The server may find another by a key that is equal to it and not the same.
        let same = |(key, _): &(Vec<Value>, _)| key_name(key) == key_name(&row.key);
        Ok(found.into_iter().find(same).map(|(_, values)| values))
    }

    /// Rows as far as they are allowed: all of them at once, and only if one is refused each by itself.
    async fn restore_some(
        &mut self,
        rows: &[RowImage],
        allowed: impl Fn(u64) -> bool,
    ) -> Result<(Vec<Fate>, Tally), EngineError> {
        self.session.savepoint().await?;
        match self.restore_freely(rows, &allowed).await {
            Err(EngineError::Rejected { .. }) => self.session.back_to_savepoint().await?,
            outcome => return outcome,
        }
        let (mut fates, mut tally) = (Vec::new(), Tally::default());
        for (at, row) in rows.iter().enumerate() {
            if !allowed(at as u64) {
                break;
            }
            fates.push(match self.attempt(row, false).await? {
                Ok(restored) => {
                    tally = tally.plus(restored.tally());
                    Fate::of(&restored)
                }
                Err(_) => Fate::PutOff,
            });
        }
        Ok((fates, tally))
    }

    async fn restore_freely(
        &mut self,
        rows: &[RowImage],
        allowed: &impl Fn(u64) -> bool,
    ) -> Result<(Vec<Fate>, Tally), EngineError> {
        let (mut fates, mut tally) = (Vec::new(), Tally::default());
        let mut now = self.look(rows).await?;
        for (number, some) in rows.chunks(AT_ONCE).enumerate() {
            let at = number * AT_ONCE;
            let most = (at..at + some.len()).take_while(|at| allowed(*at as u64)).count();
            for restored in self.restore(&some[..most], &mut now).await? {
                tally = tally.plus(restored.tally());
                fates.push(Fate::of(&restored));
            }
            if most < some.len() {
                break;
            }
        }
        Ok((fates, tally))
    }

    /// One row, and whether it held before what the change wrote; a refusal of the database costs nothing
    /// else.
    async fn attempt(
        &mut self,
        row: &RowImage,
        ours: bool,
    ) -> Result<Result<Restored, EngineError>, EngineError> {
        self.session.savepoint().await?;
        let attempted =
            if ours { self.restore_ours(row).await } else { self.restore_alone(row).await };
        match attempted {
            Err(refused @ EngineError::Rejected { .. }) => {
                self.session.back_to_savepoint().await?;
                Ok(Err(refused))
            }
            outcome => outcome.map(Ok),
        }
    }

    /// Rows that look alike are written together; what the look did not show, or what moved since, is
    /// looked at once more by itself.
    async fn restore(
        &mut self,
        rows: &[RowImage],
        now: &mut HashMap<String, Vec<Value>>,
    ) -> Result<Vec<Restored>, EngineError> {
        let seen = rows.iter().map(|row| match now.remove(&key_name(&row.key)) {
            Some(seen) => (row, decide(row, Some(&seen))),
            None => (row, Step::Conflict),
        });
        let seen: Vec<(&RowImage, Step)> = seen.collect();
        let mut restored = Vec::with_capacity(rows.len());
        for alike in seen.chunk_by(|(_, one), (_, other)| one == other) {
            let step = &alike[0].1;
            let rows: Vec<&RowImage> = alike.iter().map(|(row, _)| *row).collect();
            let written = match step {
                Step::Already => {
                    restored.extend(rows.iter().map(|_| Restored::Already));
                    continue;
                }
                Step::Conflict => vec![None; rows.len()],
                step => self.write(&rows, step).await?,
            };
            for (row, written) in rows.into_iter().zip(written) {
                restored.push(match written {
                    Some(tally) => Restored::Done(tally),
                    None => self.restore_alone(row).await?,
                });
            }
        }
        Ok(restored)
    }

    async fn restore_alone(&mut self, row: &RowImage) -> Result<Restored, EngineError> {
        let now = self.look_at(row).await?;
        let step = match decide(row, now.as_deref()) {
            Step::Already => return Ok(Restored::Already),
            Step::Conflict => return Ok(Restored::Conflict),
            step => step,
        };
        let written = self.write(&[row], &step).await?;
        Ok(written.into_iter().next().flatten().map_or(Restored::Conflict, Restored::Done))
    }

    /// A row that held what the change wrote when it was put off: what became of it since came of what was
    /// taken back meanwhile.
    async fn restore_ours(&mut self, row: &RowImage) -> Result<Restored, EngineError> {
        match self.restore_alone(row).await? {
            Restored::Conflict if row.before.is_some() && row.after.is_some() => {}
            restored => return Ok(restored),
        }
        let Some(now) = self.look_at(row).await? else {
            let message = format!(
                "{} {}, which the change only carried along, would be removed with the row that it belongs to",
                self.head.table,
                key_words(&self.head.key, &row.key)
            );
            return Err(EngineError::Refused { message });
        };
        self.settle(row, &now).await?;
        Ok(Restored::Done(Tally { updated: 1, ..Tally::default() }))
    }

    /// Does what was decided for all of these rows; `None` where the guard did not hold.
    async fn write(
        &mut self,
        rows: &[&RowImage],
        step: &Step,
    ) -> Result<Vec<Option<Tally>>, EngineError> {
        let Self { session, table, head } = self;
        let nothing: (&[String], &[Value]) = (&[], &[]);
        let all = head.columns.as_slice();
        let (held, tally) = match step {
            Step::Already | Step::Conflict => return Ok(vec![None; rows.len()]),
            Step::Insert => {
                let mut held = Vec::with_capacity(rows.len());
                for row in rows {
                    let set = (all, values(row.before.as_ref()));
                    let write = RowWrite { table, key: (&head.key, &row.key), guard: nothing, set };
                    held.push(session.insert_row(write).await?);
                }
                (held, Tally { inserted: 1, ..Tally::default() })
            }
            Step::Update(changed) => {
                let names: Vec<String> = changed.iter().map(|i| all[*i].clone()).collect();
                let sides = rows.iter().map(|row| {
                    let (before, after) = (values(row.before.as_ref()), values(row.after.as_ref()));
                    (pick(before, changed), pick(after, changed))
                });
                let sides: Vec<_> = sides.collect();
                let writes = rows.iter().zip(&sides).map(|(row, (old, ours))| RowWrite {
                    table,
                    key: (&head.key, &row.key),
                    guard: (&names, ours),
                    set: (&names, old),
                });
                let writes: Vec<RowWrite<'_>> = writes.collect();
                (session.update_rows(&writes).await?, Tally { updated: 1, ..Tally::default() })
            }
            Step::Delete => {
                let writes = rows.iter().map(|row| RowWrite {
                    table,
                    key: (&head.key, &row.key),
                    guard: (all, values(row.after.as_ref())),
                    set: nothing,
                });
                let writes: Vec<RowWrite<'_>> = writes.collect();
                (session.delete_rows(&writes).await?, Tally { deleted: 1, ..Tally::default() })
            }
        };
        Ok(held.into_iter().map(|held| held.then_some(tally)).collect())
    }

    /// Writes a row once more if a trigger of ours moved it; says whether it had.
    async fn settle(&mut self, row: &RowImage, now: &[Value]) -> Result<bool, EngineError> {
        let Self { session, table, head } = self;
        let Some(before) = &row.before else { return Ok(false) };
        let ours =
            if row.after.is_some() { row.changed() } else { (0..head.columns.len()).collect() };
        let moved: Vec<usize> = ours.into_iter().filter(|i| now[*i] != before[*i]).collect();
        if moved.is_empty() {
            return Ok(false);
        }
        let names: Vec<String> = moved.iter().map(|i| head.columns[*i].clone()).collect();
        let (guard, set) = (pick(now, &moved), pick(before, &moved));
        let key = (head.key.as_slice(), row.key.as_slice());
        let write = RowWrite { table, key, guard: (&names, &guard), set: (&names, &set) };
        Ok(session.update_rows(&[write]).await? == [true])
    }
}

fn values(side: Option<&Vec<Value>>) -> &[Value] {
    side.map_or(&[], Vec::as_slice)
}

fn pick(values: &[Value], columns: &[usize]) -> Vec<Value> {
    columns.iter().map(|i| values[*i].clone()).collect()
}
