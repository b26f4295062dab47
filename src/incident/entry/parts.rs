//! What entries are made of: who, when, which outcome, which deed, which file.

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSeen {
    pub name: String,
    pub url: String,
    pub dialect: Dialect,
    pub environment: String,
    /// The server's own proof of who it is; empty as long as none has answered, as is its version.
    pub server: String,
    pub version: String,
}

impl TargetSeen {
    pub fn is_met(&self) -> bool {
        !self.server.is_empty()
    }

    /// What it runs on, in words.
    pub fn engine(&self) -> String {
        if self.is_met() {
            format!("{} {}", self.dialect, self.version)
        } else {
            format!("{}, no server has answered yet", self.dialect)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    ImpactBegan,
    Detected,
    Acknowledged,
    Contained,
    Fixed,
    Verified,
    Closed,
}

impl Milestone {
    pub const ALL: [Self; 7] = [
        Self::ImpactBegan,
        Self::Detected,
        Self::Acknowledged,
        Self::Contained,
        Self::Fixed,
        Self::Verified,
        Self::Closed,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::ImpactBegan => "impact began",
            Self::Detected => "detected",
            Self::Acknowledged => "acknowledged",
            Self::Contained => "contained",
            Self::Fixed => "fixed",
            Self::Verified => "verified",
            Self::Closed => "closed",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Follows from what the program saw.
    Auto,
    /// Said by a person.
    Human,
}

/// What a note is, for the postmortem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    Observation,
    Decision,
    Todo,
    Well,
    Badly,
    Luck,
}

impl NoteKind {
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Observation, "note"),
        (Self::Decision, "decision"),
        (Self::Todo, "todo"),
        (Self::Well, "well"),
        (Self::Badly, "badly"),
        (Self::Luck, "luck"),
    ];

    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("note", |(_, word)| word)
    }
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Committed,
    RolledBack,
    Unknown,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::Committed => "COMMITTED",
            Self::RolledBack => "ROLLED BACK",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What is done to a database under a typed confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Deed {
    Change,
    Undo { of: String },
    ApplyGuardrail,
    WithdrawGuardrail,
}

impl Deed {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Undo { .. } => "undo",
            Self::ApplyGuardrail => "guardrail",
            Self::WithdrawGuardrail => "withdrawal of the guardrail",
        }
    }

    /// What is counted where it runs in chunks.
    pub fn counts(&self) -> &'static str {
        match self {
            Self::Undo { .. } => "rows",
            Self::Change | Self::ApplyGuardrail | Self::WithdrawGuardrail => "keys",
        }
    }
}

/// How the pace of a change in chunks was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// By a person.
    Paused,
    Continued,
    /// By itself.
    Waits,
    GoesOn,
    /// A chunk was rolled back and is tried again with fewer keys.
    Smaller,
}

impl Pacing {
    pub fn word(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Continued => "continued",
            Self::Waits => "waits",
            Self::GoesOn => "goes on",
            Self::Smaller => "smaller chunks",
        }
    }
}

/// A file of the evidence folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub file: String,
    pub sha256: String,
}
