//! Report: outcomes as bytes, for a person (`text`, `markdown`) or a program (`json`,
//! `junit`, `prometheus`).
//!
//! Decides what a list of verdicts adds up to and how it reads; asks no database, opens no file and
//! does not know where the bytes go.

pub mod alert;
pub mod audit;
pub mod handover;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod metrics;
pub mod past;
pub mod prometheus;
pub mod request;
pub mod seen;
pub mod text;

use std::sync::Arc;

use jiff::Timestamp;

use crate::check::baseline::Ruling;
use crate::check::{Cause, Check, Finding, Level, Severity, Verdict};
use crate::exit::Exit;

/// One check on one target.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub check: Arc<Check>,
    pub target: String,
    /// What `--target` takes for it: a target that is not configured has no name elsewhere.
    pub address: String,
    pub finding: Finding,
    /// The state of the database that was looked at; none if it was not reached.
    pub snapshot: Option<Timestamp>,
    /// Who answered, by the name that a `fingerprint` pins.
    pub server: Option<String>,
    /// What a gate says about it, if one was asked.
    pub ruling: Option<Ruling>,
}

impl Outcome {
    /// Violated, and let through by a baseline.
    pub fn is_known(&self) -> bool {
        self.ruling.as_ref().is_some_and(Ruling::passes)
    }

    /// The word for it in a list.
    pub fn word(&self) -> &'static str {
        match self.exit() {
            Exit::Clear if self.is_known() => "known",
            Exit::Clear => "clear",
            Exit::Warning => "warning",
            Exit::Violated => "violated",
            _ => "inconclusive",
        }
    }

    /// Why it is inconclusive, if it is.
    pub fn reason(&self) -> Option<&str> {
        match &self.finding.verdict {
            Verdict::Inconclusive { reason } => Some(reason),
            _ => None,
        }
    }

    /// The same without the words of a database, which may repeat a row.
    pub fn own_reason(&self) -> Option<&str> {
        let reason = self.reason()?;
        Some(if self.finding.cause == Some(Cause::Database) {
            "the database reported an error; the output of the run has its words"
        } else {
            reason
        })
    }

    /// What this outcome alone would exit with.
    pub fn exit(&self) -> Exit {
        match &self.ruling {
            Some(ruling) if ruling.passes() => return Exit::Clear,
            Some(Ruling::Leftover { .. }) => return Exit::Warning,
            Some(Ruling::Unseen { .. }) => return Exit::Inconclusive,
            Some(_) | None => {}
        }
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
    /// Violated, and let through by the baseline of a gate.
    pub known: usize,
    /// Switched off by the configuration.
    pub disabled: usize,
    /// Not written for the engine of the target.
    pub elsewhere: usize,
    /// Of a pack that the target does not name.
    pub other_packs: usize,
    pub seconds: f64,
    pub exit: Exit,
}

impl Totals {
    /// `exit` says how each kind of outcome is to be reported.
    pub fn of<'o>(
        outcomes: impl IntoIterator<Item = &'o Outcome, IntoIter: Clone>,
        targets: usize,
        seconds: f64,
        exit: impl Fn(Exit) -> Exit,
    ) -> Self {
        let outcomes = outcomes.into_iter();
        let count = |wanted: Exit| outcomes.clone().filter(|one| one.exit() == wanted).count();
        let known = outcomes.clone().filter(|one| one.is_known()).count();
        let worst = outcomes.clone().map(|one| exit(one.exit())).reduce(Exit::worst);
        Self {
            targets,
            checks: outcomes.clone().count(),
            clear: count(Exit::Clear) - known,
            warning: count(Exit::Warning),
            violated: count(Exit::Violated),
            inconclusive: count(Exit::Inconclusive),
            known,
            disabled: 0,
            elsewhere: 0,
            other_packs: 0,
            seconds,
            // Nothing that was asked is not the same as nothing that is wrong.
            exit: worst.unwrap_or_else(|| exit(Exit::Inconclusive)),
        }
    }
}

#[cfg(test)]
mod tests;
