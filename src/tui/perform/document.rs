//! The postmortem on disk: made anew from the journal, and what people wrote in it kept.

use std::path::Path;
use std::sync::PoisonError;

use super::{Desk, World};
use crate::incident::Incident;
use crate::incident::store;
use crate::postmortem::{self, parts};
use crate::practice::Practice;
use crate::problem::Problem;
use crate::tui::message::Message;

impl World {
    /// The draft is brought up to date from the journal; what people wrote in it stays.
    pub(super) fn postmortem(&mut self) {
        let Some(desk) = self.desk.clone() else { return };
        let (state, practice) = (self.state.clone(), self.practice.clone());
        self.spawn(async move {
            let path = desk.folder.join("postmortem.md");
            let text = postmortem_text(&desk, &state, &practice)
                .map_err(|why| Problem::system(format!("the postmortem cannot be written: {why}")));
            Message::Postmortem { text, path }
        });
    }

    /// Whoever else writes into the file loses nothing by it.
    pub(super) fn write_postmortem(&mut self, base: &str, text: &str) {
        let Some(desk) = self.desk.clone() else { return };
        let _alone = desk.document.lock().unwrap_or_else(PoisonError::into_inner);
        let written = postmortem::file::read(&desk.folder).and_then(|disk| {
            let merged = parts::merge(base, text, &disk.unwrap_or_default());
            postmortem::file::write(&desk.folder, &merged.text)?;
            Ok(merged.both)
        });
        match written {
            Ok(both) if both.is_empty() => {}
            Ok(both) => self.send(Message::WrittenByTwo(both)),
            Err(error) => self.send(Message::Failed(
                Problem::system(format!("the postmortem cannot be written: {error}"))
                    .hint("the text is still in the editor's part; try again"),
            )),
        }
    }
}

/// The draft made anew from the journal on disk.
fn postmortem_text(desk: &Desk, state: &Path, practice: &Practice) -> Result<String, String> {
    let _alone = desk.document.lock().unwrap_or_else(PoisonError::into_inner);
    let (records, head, _) =
        crate::incident::journal::read(&desk.folder).map_err(|error| error.to_string())?;
    let incident = Incident::replay(&store::name(&desk.folder), &records);
    let zone = jiff::tz::TimeZone::system();
    // What came before is a comparison; without it the rest is still true.
    let all = store::all(state).unwrap_or_default();
    let all: Vec<Incident> =
        all.into_iter().filter(|(_, _, why)| why.is_none()).map(|(_, one, _)| one).collect();
    let around = postmortem::Around { runbook: Some(&desk.runbook), practice, all: &all };
    postmortem::file::refresh(&desk.folder, &incident, around, &head, &zone)
        .map_err(|error| error.to_string())
}
