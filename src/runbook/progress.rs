//! Where an incident stands in its runbook: the state of every step, and which may be left.
//!
//! States come from the journal's entries alone, so a resumed incident stands where it stood.
//! Pure.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Required, Runbook};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StepState {
    #[default]
    Pending,
    /// It was looked at, and is neither done nor failed.
    Open,
    Passed(String),
    Failed(String),
    Skipped(String),
}

impl StepState {
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Passed(_) | Self::Skipped(_))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    pub states: HashMap<String, StepState>,
    /// The step the operator is at.
    pub current: Option<String>,
    /// When each step was entered first, or again after it had failed.
    entered: HashMap<String, Timestamp>,
}

impl Progress {
    pub fn state(&self, step: &str) -> &StepState {
        static PENDING: StepState = StepState::Pending;
        self.states.get(step).unwrap_or(&PENDING)
    }

    pub fn entered(&self, step: &str) -> Option<Timestamp> {
        self.entered.get(step).copied()
    }

    pub fn enter(&mut self, step: &str, at: Timestamp) {
        if matches!(self.state(step), StepState::Failed(_)) {
            self.entered.remove(step);
        }
        self.entered.entry(step.to_owned()).or_insert(at);
        self.current = Some(step.to_owned());
        let state = self.states.entry(step.to_owned()).or_default();
        if *state == StepState::Pending {
            *state = StepState::Open;
        }
    }

    pub fn set(&mut self, step: &str, state: StepState) {
        self.states.insert(step.to_owned(), state);
    }

    /// Steps that must be settled before the incident may be closed, and are not.
    pub fn missing<'r>(&self, runbook: &'r Runbook) -> Vec<&'r str> {
        let wanting = runbook.steps.iter().filter(|step| match step.required {
            Required::No => false,
            Required::Run => !self.state(&step.id).is_settled(),
            Required::Pass => !matches!(self.state(&step.id), StepState::Passed(_)),
        });
        wanting.map(|step| step.id.as_str()).collect()
    }

    /// The needs of a step that are not settled yet.
    pub fn unmet<'r>(&self, runbook: &'r Runbook, step: &str) -> Vec<&'r str> {
        let Some(step) = runbook.step(step) else { return Vec::new() };
        let unmet = step.needs.iter().filter(|id| !self.state(id).is_settled());
        unmet.map(String::as_str).collect()
    }
}
