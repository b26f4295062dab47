//! The rows of one table: looked at, and each written under its guard.
//!
//! What rows are now is asked for many at a time. A trigger of ours may move a row after it was looked
//! at, so that look only says what to try: the guard in the statement decides, and a row that is not as
//! it should be is looked at once more by itself.

use std::collections::{BTreeSet, HashMap};

use crate::engine::{EngineError, Keyed, RowWrite, Session, Table};
use crate::ops::images::key_name;
use crate::recovery::undo::{Step, decide};
use crate::recovery::words::key_words;
use crate::recovery::{RowImage, TableHead, Tally};
use crate::value::Value;

/// Rows that are written before the limits are asked again.
const AT_ONCE: usize = 500;

/// What became of one row.
pub enum Restored {
    Done(Tally),
    Already,
    Conflict,
}

impl Restored {
    pub fn tally(&self) -> Tally {
        match self {
            Self::Done(tally) => *tally,
            Self::Already | Self::Conflict => Tally::default(),
        }
    }
}

/// Whose a row is that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Ours,
    /// Somebody else changed it since.
    Theirs,
    /// The database refused it for now.
    PutOff,
    /// It held what the change left when the undo began, and is something else by now.
    Astray,
}

impl Fate {
    pub fn of(restored: &Restored) -> Self {
        match restored {
            Restored::Done(_) | Restored::Already => Self::Ours,
            Restored::Conflict => Self::Theirs,
        }
    }
}

/// A session before one table.
pub struct Desk<'a> {
    session: &'a mut Session,
    table: &'a Table,
    head: &'a TableHead,
}

impl<'a> Desk<'a> {
    pub fn at(
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
    pub async fn look(
        &mut self,
        rows: &[RowImage],
    ) -> Result<HashMap<String, Vec<Value>>, EngineError> {
        let keys: Vec<Vec<Value>> = rows.iter().map(|row| row.key.clone()).collect();
        let found = self.session.rows_by_key(self.table, &self.head.columns, &keys).await?;
        Ok(by_name(found))
    }

    /// What rows are now, also those whose key the server takes for one of these, and stay until they are
    /// written or all is over: what is not locked somebody else may change, and it would look as if a trigger
    /// of ours had.
    pub async fn hold(
        &mut self,
        rows: impl IntoIterator<Item = &RowImage>,
    ) -> Result<HashMap<String, Vec<Value>>, EngineError> {
        let keys: Vec<Vec<Value>> = rows.into_iter().map(|row| row.key.clone()).collect();
        let found = self.session.hold_rows(self.table, &self.head.columns, &keys).await?;
        Ok(by_name(found))
    }

    pub async fn look_at(&mut self, row: &RowImage) -> Result<Option<Vec<Value>>, EngineError> {
        // The server may find another by a key that is equal to it and not the same.
        Ok(self.hold([row]).await?.remove(&key_name(&row.key)))
    }

    /// Gives a row that is as the change left it the key that it had; says whether it has it now.
    pub async fn rename(&mut self, row: &RowImage, key: &[Value]) -> Result<bool, EngineError> {
        self.session.savepoint().await?;
        let now = self.look_at(row).await?;
        if decide(row, now.as_deref()) != Step::Delete {
            return Ok(false);
        }
        let Self { session, table, head } = self;
        let write = RowWrite {
            table,
            key: (&head.key, &row.key),
            guard: (&head.columns, values(row.after.as_ref())),
            set: (&head.key, key),
        };
        match session.update_rows(&[write]).await {
            Err(EngineError::Rejected { .. }) => {
                session.back_to_savepoint().await?;
                Ok(false)
            }
            written => Ok(written? == [true]),
        }
    }

    /// Rows as far as they are allowed: all of them at once, and only if one is refused each by itself.
    pub async fn restore_some(
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
            fates.push(match self.attempt(row).await? {
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

    /// One row; a refusal of the database costs nothing else.
    async fn attempt(
        &mut self,
        row: &RowImage,
    ) -> Result<Result<Restored, EngineError>, EngineError> {
        self.session.savepoint().await?;
        let attempted = self.restore_alone(row).await;
        self.unless_refused(attempted).await
    }

    /// The same for a row that was put off or is astray.
    pub async fn attempt_again(
        &mut self,
        row: &RowImage,
        fate: Fate,
    ) -> Result<Result<Restored, EngineError>, EngineError> {
        self.session.savepoint().await?;
        let attempted = self.restore_ours(row, fate).await;
        self.unless_refused(attempted).await
    }

    /// The same for a row that was put back and may have moved since; says whether it had.
    pub async fn settle(
        &mut self,
        row: &RowImage,
        now: &[Value],
        set_anew: &mut BTreeSet<String>,
    ) -> Result<Result<bool, EngineError>, EngineError> {
        if self.strays(row, now, set_anew).is_empty() {
            return Ok(Ok(false));
        }
        self.session.savepoint().await?;
        let settled = self.settle_once(row, now, set_anew).await;
        self.unless_refused(settled).await
    }

    async fn unless_refused<T>(
        &mut self,
        attempted: Result<T, EngineError>,
    ) -> Result<Result<T, EngineError>, EngineError> {
        match attempted {
            Err(refused @ EngineError::Rejected { .. }) => {
                self.session.back_to_savepoint().await?;
                Ok(Err(refused))
            }
            outcome => outcome.map(Ok),
        }
    }

    /// Rows that look alike are written together; what moved since is looked at once more by itself.
    async fn restore(
        &mut self,
        rows: &[RowImage],
        now: &mut HashMap<String, Vec<Value>>,
    ) -> Result<Vec<Restored>, EngineError> {
        let seen = rows.iter().map(|row| {
            let now = now.remove(&key_name(&row.key));
            (row, decide(row, now.as_deref()))
        });
        let seen: Vec<(&RowImage, Step)> = seen.collect();
        let mut restored = Vec::with_capacity(rows.len());
        for alike in seen.chunk_by(|(_, one), (_, other)| one == other) {
            let step = &alike[0].1;
            let rows: Vec<&RowImage> = alike.iter().map(|(row, _)| *row).collect();
            let written = match step {
                Step::Already => {
                    restored.extend(self.stay(&rows).await?);
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

    /// Rows that are as they were.
    async fn stay(&mut self, rows: &[&RowImage]) -> Result<Vec<Restored>, EngineError> {
        let now = self.hold(rows.iter().copied()).await?;
        let mut restored = Vec::with_capacity(rows.len());
        for row in rows {
            let now = now.get(&key_name(&row.key)).map(Vec::as_slice);
            restored.push(match decide(row, now) {
                Step::Already => Restored::Already,
                _ => self.restore_alone(row).await?,
            });
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

    /// A row that held what the change left when the undo began: nobody else could write to it since, so what
    /// became of it came of what was taken back meanwhile. Where the change removed a row none could be
    /// held, and what is in its place is ours only if we know that it is astray.
    async fn restore_ours(&mut self, row: &RowImage, fate: Fate) -> Result<Restored, EngineError> {
        match self.restore_alone(row).await? {
            Restored::Conflict if row.after.is_some() || fate == Fate::Astray => {}
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
        if row.before.is_some() {
            self.settle_once(row, &now, &mut BTreeSet::new()).await?;
            return Ok(Restored::Done(Tally { updated: 1, ..Tally::default() }));
        }
        let as_it_is = RowImage { after: Some(now), ..row.clone() };
        let written = self.write(&[&as_it_is], &Step::Delete).await?;
        Ok(written.into_iter().next().flatten().map_or(Restored::Conflict, Restored::Done))
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
                let writes = rows.iter().map(|row| RowWrite {
                    table,
                    key: (&head.key, &row.key),
                    guard: nothing,
                    set: (all, values(row.before.as_ref())),
                });
                let writes: Vec<RowWrite<'_>> = writes.collect();
                (session.insert_rows(&writes).await?, Tally { inserted: 1, ..Tally::default() })
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

    /// The columns in which a row that is ours is not as it was, but for those that triggers set anew.
    fn strays(&self, row: &RowImage, now: &[Value], set_anew: &BTreeSet<String>) -> Vec<usize> {
        let Some(before) = &row.before else { return Vec::new() };
        let columns = &self.head.columns;
        let ours = if row.after.is_some() { row.changed() } else { (0..columns.len()).collect() };
        let strays = |i: &usize| now[*i] != before[*i] && !set_anew.contains(&columns[*i]);
        ours.into_iter().filter(strays).collect()
    }

    /// Writes a row once more if a trigger of ours moved it; says whether it had. What the trigger moves
    /// again is its own, in every row.
    async fn settle_once(
        &mut self,
        row: &RowImage,
        now: &[Value],
        set_anew: &mut BTreeSet<String>,
    ) -> Result<bool, EngineError> {
        let moved = self.strays(row, now, set_anew);
        let Self { session, table, head } = self;
        let Some(before) = row.before.as_ref().filter(|_| !moved.is_empty()) else {
            return Ok(false);
        };
        let names: Vec<String> = moved.iter().map(|i| head.columns[*i].clone()).collect();
        let (guard, set) = (pick(now, &moved), pick(before, &moved));
        let key = (head.key.as_slice(), row.key.as_slice());
        let write = RowWrite { table, key, guard: (&names, &guard), set: (&names, &set) };
        if session.update_rows(&[write]).await? != [true] {
            let message = "a trigger or rule keeps the row as it is".to_owned();
            return Err(EngineError::Rejected { message });
        }
        if let Some(again) = self.look_at(row).await? {
            let in_vain = moved.into_iter().filter(|i| again[*i] != before[*i]);
            set_anew.extend(in_vain.map(|i| self.head.columns[i].clone()));
        }
        Ok(true)
    }
}

fn by_name(found: Vec<Keyed>) -> HashMap<String, Vec<Value>> {
    found.into_iter().map(|(key, values)| (key_name(&key), values)).collect()
}

fn values(side: Option<&Vec<Value>>) -> &[Value] {
    side.map_or(&[], Vec::as_slice)
}

fn pick(values: &[Value], columns: &[usize]) -> Vec<Value> {
    columns.iter().map(|i| values[*i].clone()).collect()
}
