//! What an entry is about: for the timeline, the steps of the runbook, and the story of a change.

use super::{Entry, NoteKind, Origin, Pacing};

impl Entry {
    /// Belongs to the story a reader of the timeline wants; the rest is shown on demand.
    pub fn is_narrative(&self) -> bool {
        if let Self::Paced { pacing, .. } = self {
            return matches!(pacing, Pacing::Paused | Pacing::Continued);
        }
        !matches!(
            self,
            Self::StepEntered { .. }
                | Self::ChunksPlanned { .. }
                | Self::ChunkSent { .. }
                | Self::ChunkEnded { .. }
                | Self::Controls { .. }
                | Self::Policy { .. }
                | Self::UndoWritten { .. }
                | Self::CommitSent { .. }
                | Self::ExecutionStarted { .. }
                | Self::PostmortemEdited { .. }
                // They are shown at the record that they speak of.
                | Self::Pinned { .. }
                | Self::Unpinned { .. }
                | Self::Annotated { .. }
        )
    }

    /// The step of the runbook that it speaks of.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Resumed { step }
            | Self::StepEntered { step }
            | Self::StepPassed { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::Answered { step, .. }
            | Self::Decided { step, .. }
            | Self::Said { step, .. }
            | Self::Escalated { step, .. }
            | Self::CommandRan { step, .. }
            | Self::Previewed { step, .. }
            | Self::PreviewFailed { step, .. }
            | Self::Approved { step, .. }
            | Self::Requested { step, .. }
            | Self::Seconded { step, .. }
            | Self::SecondRefused { step, .. }
            | Self::GlassBroken { step, .. }
            | Self::ExecutionStarted { step, .. }
            | Self::Ended { step, .. }
            | Self::Resolved { step, .. }
            | Self::Verified { step, .. }
            | Self::GuardRehearsed { step, .. }
            | Self::Confirmed { step, .. }
            | Self::Mistyped { step, .. } => Some(step),
            Self::Checked { step, .. } => step.as_deref(),
            _ => None,
        }
    }

    /// Tells what was done to data or schema, from its preview to its proof.
    pub fn is_of_change(&self) -> bool {
        matches!(
            self,
            Self::Previewed { .. }
                | Self::PreviewFailed { .. }
                | Self::Approved { .. }
                | Self::Requested { .. }
                | Self::Seconded { .. }
                | Self::SecondRefused { .. }
                | Self::GlassBroken { .. }
                | Self::Reviewed { .. }
                | Self::Confirmed { .. }
                | Self::Mistyped { .. }
                | Self::ExecutionStarted { .. }
                | Self::UndoWritten { .. }
                | Self::CommitSent { .. }
                | Self::Ended { .. }
                | Self::Resolved { .. }
                | Self::Verified { .. }
                | Self::GuardRehearsed { .. }
        )
    }

    /// Tells what a person decided.
    pub fn is_decision(&self) -> bool {
        matches!(
            self,
            Self::Opened { .. }
                | Self::Decided { .. }
                | Self::Note { note: NoteKind::Decision, .. }
                | Self::SeveritySet { .. }
                | Self::StepSkipped { .. }
                | Self::Approved { .. }
                | Self::Seconded { .. }
                | Self::GlassBroken { .. }
                | Self::Reviewed { .. }
                | Self::Confirmed { .. }
                | Self::ActionItem { .. }
                | Self::Milestone { origin: Origin::Human, .. }
                | Self::Closed { .. }
        )
    }
}
