//! Rows: checks whose rows are seen while they come, and what a table needs done beside the screen.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::World;
use super::copy::Copying;
use crate::check::related::{From, Relation};
use crate::check::{Finding, Kind};
use crate::clock;
use crate::ops::detect::{self, Onlooker};
use crate::ops::related;
use crate::problem::Problem;
use crate::tui::effect::Run;
use crate::tui::message::Message;
use crate::tui::widget::table::job::Job;
use crate::value::pile::{Pile, Writer};

/// Rows of a finding that stay in memory beside those of the table: for evidence, and to name what is
/// new.
const SAMPLE: usize = 1_000;

impl World {
    pub(super) fn detect(&mut self, run: Run, check: String, before: Option<Arc<Finding>>) {
        self.looked();
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let Some(asked) = self.catalogue.check(&check).cloned() else {
            // An answer too, or the step would wait for one for ever.
            let why = format!("the check {check} is not loaded");
            return self.send(Message::unseen(run, check, &why));
        };
        let (of, messages) = (check.clone(), self.messages.clone());
        let work = async move {
            let writer = Writer::new();
            let rows = writer.pile();
            let mut more = || {
                let (check, rows) = (check.clone(), rows.clone());
                let _ = messages.send(Message::Reading { run, check, rows });
            };
            let mut onlooker = Onlooker::new(writer, &mut more);
            // The rows of a metric are those that were judged, the worst first.
            let judged = matches!(asked.kind, Kind::Metric(_));
            let looking = (!judged).then_some(&mut onlooker);
            let finding = match desk.bound(&stopper).await {
                Ok(bound) => detect::detect(&bound.target, &asked, SAMPLE, looking, &stopper).await,
                Err(problem) => detect::unreached(&problem),
            };
            let Onlooker { pile, broken, .. } = onlooker;
            let rows = if judged { Pile::of(&finding.rows) } else { pile.finish() };
            let cut = broken.map(|why| why.to_string());
            let (rows, cut) = match rows {
                Ok(rows) => (rows, cut),
                Err(error) => (Pile::default(), cut.or(Some(error.to_string()))),
            };
            let cut = cut.map(|why| aside(&why).sentence);
            let delta = before.and_then(|before| finding.since(&before, &asked.key));
            Message::Checked { run, check, finding: Arc::new(finding), delta, rows, cut }
        };
        self.spawn_or(work, move |why| Message::unseen(run, of, &why));
    }

    /// Runs a job of a table beside everything else; tells how far it is, but not of one that is
    /// over in a blink.
    pub(super) fn work(&mut self, run: Run, job: Job) {
        const BLINK: Duration = Duration::from_millis(100);
        let (stopper, messages) = (self.stopper(run), self.messages.clone());
        let words = job.words();
        let work = async move {
            let mut told = Instant::now();
            let run_job = move || {
                job.run(&mut |done, of| {
                    if stopper.is_stopped() {
                        return ControlFlow::Break(());
                    }
                    if told.elapsed() >= BLINK {
                        told = Instant::now();
                        let percent = done * 100 / of.max(1);
                        let _ = messages.send(Message::Working { run, words, percent });
                    }
                    ControlFlow::Continue(())
                })
            };
            let done = tokio::task::spawn_blocking(run_job).await;
            let done = done
                .map_err(|_| "a task of ours failed".to_owned())
                .and_then(|done| done.map_err(|error| aside(&error.to_string()).sentence));
            Message::Worked { run, done }
        };
        self.spawn_or(work, move |why| Message::Worked { run, done: Err(why) });
    }

    pub(super) fn copy(&mut self, copying: Copying) {
        let Some(desk) = self.desk.clone() else { return };
        let at = clock::now().strftime("%Y%m%dT%H%M%S%3fZ").to_string();
        self.ask(Message::Copied, async move {
            let folder = desk.folder.join("evidence");
            let make = move || {
                std::fs::create_dir_all(&folder)?;
                copying.run(&folder, &format!("copy-{at}.txt"))
            };
            let failed = |why: String| {
                Problem::system(format!("it could not be copied: {why}")).hint("nothing was sent")
            };
            let copied = tokio::task::spawn_blocking(make).await;
            let copied = copied.map_err(|_| failed("a task of ours failed".into()))?;
            copied.map_err(|error| failed(error.to_string()))
        });
    }

    pub(super) fn relations(&mut self, run: Run, from: From) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        self.ask(move |found| Message::Relations { run, found }, async move {
            let target = desk.bound(&stopper).await?.target.for_checks();
            related::relations(&target, &from, &stopper).await
        });
    }

    pub(super) fn related(&mut self, run: Run, relation: Relation) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        self.ask(move |found| Message::Related { run, found }, async move {
            let target = desk.bound(&stopper).await?.target.for_checks();
            related::rows(&target, &relation, &stopper).await.map(Box::new)
        });
    }
}

/// The place for very many rows is full or cannot be used.
fn aside(why: &str) -> Problem {
    let folder = std::env::temp_dir();
    Problem::system(format!("rows cannot be put aside in {}: {why}", folder.display()))
}
