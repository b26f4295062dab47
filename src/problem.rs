//! What an operator sees when something fails: one sentence that says what happened and whether
//! anything was changed, and one hint that says what to do next.
//!
//! Modules below the edges have small error enums of their own; this is what they become on screen
//! and on standard error. It knows no module of ours.

use std::fmt;

/// Which kind of trouble; the exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Arguments, configuration or files that cannot be used as they are.
    Usage,
    /// A database could not be reached, read in time, or seen completely.
    Unreachable,
    /// A database was asked, and its answer was an error.
    Database,
    /// Refused by a rule: policy, guard, fingerprint, drift.
    Refused,
    /// The operating system said no (disk, terminal, process).
    System,
    /// The operator stopped it.
    Interrupted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub kind: Kind,
    pub sentence: String,
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), hint: None }
    }

    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(Kind::Usage, sentence)
    }

    pub fn unreachable(sentence: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, sentence)
    }

    pub fn refused(sentence: impl Into<String>) -> Self {
        Self::new(Kind::Refused, sentence)
    }

    pub fn system(sentence: impl Into<String>) -> Self {
        Self::new(Kind::System, sentence)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
