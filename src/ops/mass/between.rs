//! Between two chunks, when no transaction is open: it is paused or stopped, waits for replicas, looks
//! whether it helps, and tells how far it came.

use std::time::{Duration, Instant};

use super::execution::Drive;
use super::lag::Lag;
use crate::incident::entry::{Entry, Pacing};
use crate::ops::recover::verdicts;
use crate::recovery::mass::Rein;

impl Drive<'_> {
    /// Waits while it is to wait; says why it must not go on.
    pub(super) async fn hold(&mut self) -> Option<String> {
        let mut paused = false;
        let mut waiting = false;
        loop {
            let chunk = self.next_chunk();
            let noted = match self.reins.now() {
                Rein::Stop(why) => return Some(why.into()),
                Rein::Pause if paused => Ok(()),
                Rein::Pause => {
                    paused = true;
                    self.waits(Some("by the operator".into()));
                    self.pacing(chunk, Pacing::Paused, "by the operator")
                }
                Rein::Go if paused => {
                    paused = false;
                    self.waits(None);
                    self.pacing(chunk, Pacing::Continued, "by the operator")
                }
                Rein::Go => Ok(()),
            };
            if let Err(why) = noted {
                return Some(why);
            }
            if paused {
                self.reins.other_than(Rein::Pause).await;
                continue;
            }
            match self.lag.look().await {
                Some(why) => {
                    if !waiting && let Err(why) = self.pacing(chunk, Pacing::Waits, &why) {
                        return Some(why);
                    }
                    waiting = true;
                    self.waits(Some(why));
                    let pulled = self.reins.other_than(Rein::Go);
                    let _ = tokio::time::timeout(Lag::EVERY, pulled).await;
                }
                None if waiting => {
                    self.waits(None);
                    let why = "the replicas have caught up";
                    return self.pacing(chunk, Pacing::GoesOn, why).err();
                }
                None => return None,
            }
        }
    }

    fn waits(&mut self, why: Option<String>) {
        self.progress.paused = why;
        self.tell(true);
    }

    pub(super) fn pacing(&self, chunk: u64, pacing: Pacing, why: &str) -> Result<(), String> {
        let (op, why) = (self.job.op.clone(), why.to_owned());
        let entry = Entry::Paced { op, chunk, pacing, why };
        self.journal.append(entry).map(drop).map_err(|error| error.to_string())
    }

    /// More often than an eye can follow is of no use.
    pub(super) fn tell(&mut self, at_once: bool) {
        const EVERY: Duration = Duration::from_millis(250);
        let due = self.told.is_none_or(|told| told.elapsed() >= EVERY);
        if at_once || due {
            self.told = Some(Instant::now());
            self.progress.checks.clone_from(&self.sight.last);
            (self.tell)(self.progress.clone());
        }
    }

    /// Whether it helps: what is to be cured falls, and nothing else becomes worse.
    pub(super) async fn look(&mut self) -> Result<(), String> {
        if !self.sight.is_due() || self.job.plan.undoes.is_some() {
            return Ok(());
        }
        let Some(desk) = &mut self.desk else { return Ok(()) };
        let start = Instant::now();
        desk.observe.begin_snapshot().await.map_err(|error| error.to_string())?;
        let now = verdicts(&mut desk.observe, &self.job.plan).await;
        desk.observe.rollback().await.map_err(|error| error.to_string())?;
        self.sight.judge(now, start.elapsed())
    }
}
