//! Which file of the incident's folder an entry names: one answer for the fold, for `verify` and for
//! the store. Without a catch-all, so that no new entry can be forgotten.

use std::collections::BTreeMap;

use super::{Entry, Evidence, Record};
use crate::incident::journal::{EVIDENCE, REQUESTS};

impl Entry {
    pub fn file(&self) -> Option<Evidence> {
        match self {
            Self::Checked { sample: file, .. } | Self::ChunksPlanned { list: file, .. } => {
                file.clone()
            }
            Self::CommandRan { output: file, .. }
            | Self::ChunkSent { undo: file, .. }
            | Self::Previewed { evidence: file, .. }
            | Self::Requested { evidence: file, .. }
            | Self::Seconded { evidence: file, .. }
            | Self::GlassBroken { evidence: file, .. }
            | Self::Reviewed { evidence: file, .. }
            | Self::UndoWritten { evidence: file, .. }
            | Self::GuardRehearsed { evidence: file, .. } => Some(file.clone()),
            // Rows may also be exported to anywhere else.
            Self::Exported { path, sha256, .. } => {
                let file = Evidence { file: path.clone(), sha256: sha256.clone() };
                file.is_inside().then_some(file)
            }
            Self::Opened { .. }
            | Self::Unanswered { .. }
            | Self::Met { .. }
            | Self::Resumed { .. }
            | Self::Policy { .. }
            | Self::Controls { .. }
            | Self::TornTail { .. }
            | Self::SeveritySet { .. }
            | Self::Milestone { .. }
            | Self::Note { .. }
            | Self::StepEntered { .. }
            | Self::StepPassed { .. }
            | Self::StepFailed { .. }
            | Self::StepSkipped { .. }
            | Self::Answered { .. }
            | Self::Decided { .. }
            | Self::Said { .. }
            | Self::Escalated { .. }
            | Self::PreviewFailed { .. }
            | Self::Approved { .. }
            | Self::SecondRefused { .. }
            | Self::ExecutionStarted { .. }
            | Self::CommitSent { .. }
            | Self::Ended { .. }
            | Self::ChunkEnded { .. }
            | Self::Paced { .. }
            | Self::Halted { .. }
            | Self::Resolved { .. }
            | Self::Verified { .. }
            | Self::PostmortemEdited { .. }
            | Self::ActionItem { .. }
            | Self::Pinned { .. }
            | Self::Unpinned { .. }
            | Self::Annotated { .. }
            | Self::Confirmed { .. }
            | Self::Mistyped { .. }
            | Self::Closed { .. }
            | Self::TakeOverAsked { .. }
            | Self::TakeOverRefused { .. }
            | Self::HandedOver { .. }
            | Self::TakenOver { .. }
            | Self::WroteApart { .. }
            | Self::Scored { .. } => None,
        }
    }
}

impl Evidence {
    /// Under a plain name where files of an incident lie. Whatever else a record names leads out of it.
    pub fn is_inside(&self) -> bool {
        let Some((folder, name)) = self.file.split_once('/') else { return false };
        let plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
        plain && [EVIDENCE, REQUESTS].contains(&folder)
    }
}

/// The files that records name, as the last of them does: what is named again was written anew.
pub fn files(records: &[Record]) -> BTreeMap<String, (Evidence, u64)> {
    let named = records.iter().filter_map(|record| Some((record.entry.file()?, record.seq)));
    named.map(|(file, seq)| (file.file.clone(), (file, seq))).collect()
}
