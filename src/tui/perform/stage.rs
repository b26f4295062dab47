//! Where a demo or a drill is played: laid out before, scored and cleared away after.

use super::World;
use crate::check::Check;
use crate::clock;
use crate::config::Target;
use crate::drill::{self, Scorecard};
use crate::incident::Incident;
use crate::incident::entry::Entry;
use crate::incident::journal::JournalError;
use crate::incident::store;
use crate::ops;
use crate::ops::Stopper;
use crate::problem::Problem;
use crate::tui::Ground;
use crate::tui::message::Message;

impl World {
    pub(super) fn prepare(&mut self) {
        let checks = std::mem::take(&mut self.faults);
        if let Some(scenario) = &self.drill
            && let Err(error) = scenario.write(&self.state)
        {
            let sentence = format!("the scenario of the drill cannot be written: {error}");
            return self.send(Message::Prepared(Err(Problem::system(sentence))));
        }
        let spare = self.drill.is_some();
        match self.demo.clone() {
            None | Some(Ground::Server { made: true, .. }) => self.send(Message::Prepared(Ok(()))),
            Some(Ground::Folder(folder)) => {
                self.ask(Message::Prepared, async move {
                    crate::demo::build(&folder, &checks).await?;
                    if spare { crate::demo::build_spare(&folder).await } else { Ok(()) }
                });
            }
            Some(Ground::Server { given, made: false }) => {
                self.ask(Message::Prepared, async move { lay_out(&given, &checks).await });
            }
        }
    }

    /// The data was looked at; in a drill the first time counts.
    pub(super) fn looked(&mut self) {
        let Some(scenario) = self.drill.as_mut().filter(|scenario| scenario.first_check.is_none())
        else {
            return;
        };
        scenario.first_check = Some(clock::now());
        // Without the file only a drill that is broken off and resumed forgets it.
        let _ = scenario.write(&self.state);
    }

    /// The card of the drill as it stands; none if this is no drill.
    pub(super) fn card(&self, incidents: &[Incident]) -> Option<Scorecard> {
        let scenario = self.drill.as_ref()?;
        let runbook = self.catalogue.runbook(&scenario.runbook)?;
        Some(drill::score(scenario, incidents, runbook, &self.practice, clock::now()))
    }

    pub(super) fn incidents(&self) -> Vec<Incident> {
        let all = store::all(&self.state).unwrap_or_default();
        all.into_iter().filter(|(_, _, why)| why.is_none()).map(|(_, one, _)| one).collect()
    }

    /// Scores when the incident that was closed is the one of the fault.
    pub(super) fn score(&mut self) -> Result<(), JournalError> {
        let incidents = self.incidents();
        let over = self.drill.as_ref().and_then(|scenario| drill::found(scenario, &incidents));
        let over = over.is_some_and(|incident| {
            let here = self.desk.as_ref().and_then(|desk| desk.folder.file_name());
            !incident.is_open() && here.is_some_and(|name| *name == *incident.id)
        });
        let Some(card) = self.card(&incidents).filter(|_| over && self.scored.is_none()) else {
            return Ok(());
        };
        self.append(card.entry())?;
        self.scored = Some(card.clone());
        self.send(Message::Scored(Box::new(card)));
        Ok(())
    }

    /// What the drill came to, also if it was broken off.
    pub fn score_at_the_end(&mut self) -> Option<Scorecard> {
        if let Some(card) = self.scored.take() {
            return Some(card);
        }
        let incidents = self.incidents();
        let before = incidents.iter().flat_map(|incident| &incident.records);
        let mut before = before.map(|record| &record.entry);
        if before.any(|entry| matches!(entry, Entry::Scored { .. })) {
            return None;
        }
        let card = self.card(&incidents)?;
        // Of a drill that was broken off the journal says so too, as far as it can be written.
        let _ = self.append(card.entry());
        Some(card)
    }

    /// The demo could not be made: what stands in its place belongs to somebody else, and stays.
    pub fn is_not_ours(&mut self) {
        if let Some(Ground::Server { made, .. }) = &mut self.demo {
            *made = true;
        }
    }

    /// Takes a demo away that is not to be kept; a folder goes with its owner.
    pub async fn clear_away(&mut self) -> Result<(), Problem> {
        let Some(Ground::Server { given, made: false }) = &self.demo else { return Ok(()) };
        self.desk = None;
        let mut session = on_server(given).await?;
        let removed = crate::demo::remove(&mut session).await;
        session.close().await;
        removed.map_err(|error| {
            let drop = crate::demo::removal(given.url.dialect);
            Problem::system(format!("the demo could not be removed from the server: {error}"))
                .hint(format!("run there: {drop}"))
        })
    }
}

async fn on_server(target: &Target) -> Result<ops::connect::Session, Problem> {
    const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(5);
    let (work, stopper) = (ops::connect::Purpose::Work, Stopper::default());
    ops::connect::connect(target, work, LOCK_WAIT, &stopper).await
}

async fn lay_out(given: &Target, checks: &[Check]) -> Result<(), Problem> {
    let mut session = on_server(given).await?;
    let laid = crate::demo::lay_out(&mut session, checks).await;
    session.close().await;
    laid.map_err(|error| {
        let drop = crate::demo::removal(given.url.dialect);
        Problem::system(format!("the demo could not be made on the server: {error}"))
            .hint(format!("if an earlier demo is in the way, run there: {drop}"))
    })
}
