//! Report: outcomes as bytes, for a person (`text`) or a program (`json`).
//!
//! Decides what a list of verdicts adds up to and how it reads; asks no database, opens no file and
//! does not know where the bytes go.

pub mod json;
pub mod text;

use jiff::Timestamp;

use crate::check::{Check, Finding, Level, Severity, Verdict};
use crate::exit::Exit;

/// One check on one target.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub check: Check,
    pub target: String,
    pub finding: Finding,
    /// The state of the database that was looked at; none if it was not reached.
    pub snapshot: Option<Timestamp>,
}

impl Outcome {
    /// What this outcome alone would exit with.
    pub fn exit(&self) -> Exit {
        match (&self.finding.verdict, self.check.severity) {
            (Verdict::Clear, _) => Exit::Clear,
            (Verdict::Measured { reading }, _) => match reading.level {
                Level::Fine => Exit::Clear,
                Level::Warning => Exit::Warning,
                Level::Critical => Exit::Violated,
            },
            (Verdict::Inconclusive { .. }, _) => Exit::Inconclusive,
            (Verdict::Violated { .. }, Severity::Sev1 | Severity::Sev2) => Exit::Violated,
            (Verdict::Violated { .. }, Severity::Sev3 | Severity::Sev4) => Exit::Warning,
        }
    }
}

/// What all outcomes add up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Totals {
    pub targets: usize,
    pub checks: usize,
    pub clear: usize,
    pub warning: usize,
    pub violated: usize,
    pub inconclusive: usize,
    /// Switched off by the configuration.
    pub disabled: usize,
    /// Not written for the engine of the target.
    pub elsewhere: usize,
    pub seconds: f64,
    pub exit: Exit,
}

impl Totals {
    /// `exit` says how each kind of outcome is to be reported.
    pub fn of(
        outcomes: &[Outcome],
        targets: usize,
        seconds: f64,
        exit: impl Fn(Exit) -> Exit,
    ) -> Self {
        let count = |wanted: Exit| outcomes.iter().filter(|one| one.exit() == wanted).count();
        Self {
            targets,
            checks: outcomes.len(),
            clear: count(Exit::Clear),
            warning: count(Exit::Warning),
            violated: count(Exit::Violated),
            inconclusive: count(Exit::Inconclusive),
            disabled: 0,
            elsewhere: 0,
            seconds,
            exit: outcomes.iter().map(|one| exit(one.exit())).fold(Exit::Clear, Exit::worst),
        }
    }
}

#[cfg(test)]
mod tests;
