//! Runbook: the steps of one kind of incident, in order, as a file says them.
//!
//! The types only. `load` reads files and reports every fault; `progress` says, from an incident's
//! entries, which step is where. Pure: no database, no screen.

pub mod answer;
pub mod load;
pub mod message;
pub mod places;
pub mod progress;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::Severity;
use crate::dialect::{Dialect, PerDialect};
pub use crate::guardrail::Guard;
pub use crate::recovery::Limits;
pub use answer::{AnswerType, Ask};

#[derive(Debug, Clone, PartialEq)]
pub struct Runbook {
    pub id: String,
    pub pack: String,
    pub title: String,
    pub summary: String,
    /// What somebody who uses the data would say first; a drill begins with it.
    pub symptom: Option<String>,
    pub owner: String,
    pub severity: Severity,
    pub controls: Vec<String>,
    pub steps: Vec<Step>,
    /// Suggested action items for the postmortem.
    pub actions: Vec<SuggestedAction>,
    /// The file as it was read: frozen into the incident.
    pub source: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub id: String,
    pub title: String,
    pub stage: Option<Stage>,
    pub why: String,
    /// `do` in the file: what to do, in plain lines.
    pub text: String,
    pub required: Required,
    pub needs: Vec<String>,
    pub minutes: Option<u32>,
    pub on_fail: Option<String>,
    pub action: Action,
}

/// The seven stages of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Stabilise,
    Validate,
    Contain,
    Communicate,
    Recover,
    Revalidate,
    Close,
}

impl Stage {
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Stabilise, "stabilise"),
        (Self::Validate, "validate"),
        (Self::Contain, "contain"),
        (Self::Communicate, "communicate"),
        (Self::Recover, "recover"),
        (Self::Revalidate, "revalidate"),
        (Self::Close, "close"),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Required {
    /// May be passed over.
    #[default]
    No,
    /// Must have been done, or skipped with a reason.
    Run,
    /// Must be green; cannot be skipped.
    Pass,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Note,
    Ask(Ask),
    Check(CheckStep),
    Manual(Manual),
    Decide(Decide),
    Change(Change),
    Wait(Wait),
    Comms(Comms),
    Command(CommandStep),
    Guard(Guard),
}

impl Action {
    pub const KINDS: [&'static str; 10] =
        ["note", "ask", "check", "manual", "decide", "change", "wait", "comms", "command", "guard"];

    /// Whether there is anything to do on this engine.
    pub fn is_for(&self, dialect: Dialect) -> bool {
        match self {
            Self::Change(change) => {
                change.statements.iter().any(|statement| statement.sql.get(dialect).is_some())
            }
            Self::Guard(guard) => guard.apply.get(dialect).is_some(),
            Self::Command(command) => command.argv.get(dialect).is_some(),
            _ => true,
        }
    }

    /// The word in files.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Ask(_) => "ask",
            Self::Check(_) => "check",
            Self::Manual(_) => "manual",
            Self::Decide(_) => "decide",
            Self::Change(_) => "change",
            Self::Wait(_) => "wait",
            Self::Comms(_) => "comms",
            Self::Command(_) => "command",
            Self::Guard(_) => "guard",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct CheckStep {
    pub check: String,
    pub expect: Expect,
    pub every: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expect {
    #[default]
    Any,
    Clear,
    Violated,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Manual {
    pub done_when: String,
    pub evidence: EvidenceKind,
    /// SQL for the hands of a person, in the engine's own client: shown, and never run from here.
    pub by_hand: PerDialect,
    /// Catalog checks whose violations carry the DDL to be run by hand.
    pub ddl_of: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EvidenceKind {
    #[default]
    None,
    Text,
    Url,
    Number,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Decide {
    pub question: String,
    pub options: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub label: String,
    pub goto: String,
    /// Proposes this option when the check's last verdict is this one.
    pub when: Option<(String, Expect)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub risk: Risk,
    pub statements: Vec<Statement>,
    /// Checks that must be clear inside the transaction before COMMIT.
    pub cures: Vec<String>,
    /// Checks that must not have more violations after the change than before.
    pub must_not_worsen: Vec<String>,
    /// How long a preview may be approved.
    pub valid: Duration,
    pub limits: Limits,
    /// Where it is too much for one transaction.
    pub chunks: Option<Chunks>,
}

/// How a change of very many rows is cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunks {
    /// The column whose values name the rows of a chunk.
    pub key: String,
    /// Gives those values in the order in which they are to be worked off.
    pub keys: PerDialect,
    /// Keys of the first chunk, and of the largest.
    pub size: u64,
    pub most: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    Low,
    High,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub note: String,
    pub sql: PerDialect,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    pub until: WaitFor,
    pub every: Duration,
    pub at_most: Duration,
    pub on_timeout: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum WaitFor {
    /// Until this check is clear.
    Check(String),
    Time(Duration),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Comms {
    /// Without one, what the severity promises.
    pub next_update: Option<Duration>,
    pub words: Words,
}

/// What people are told, to the technical, the business and the executive audience.
#[derive(Debug, Clone, PartialEq)]
pub enum Words {
    Own([String; 3]),
    /// A message that was agreed on for all runbooks.
    Agreed(String),
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// The exit code; none if it could not start or did not come to its end.
    pub exit: Option<i32>,
    /// What it said until then.
    pub output: Vec<u8>,
    pub seconds: f64,
    /// Why there is no exit code, or what was not well in spite of it.
    pub trouble: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CommandStep {
    pub argv: Argv,
    pub timeout: Duration,
    pub readonly: bool,
    /// The file that it leaves is a backup, to be digested and recorded.
    pub backup: Option<String>,
    /// The step whose output this one must repeat, byte for byte.
    pub same_as: Option<String>,
}

/// An argument vector for each engine that needs its own, or one for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Argv {
    pub any: Option<Vec<String>>,
    pub by: BTreeMap<Dialect, Vec<String>>,
}

impl Argv {
    pub fn get(&self, dialect: Dialect) -> Option<&[String]> {
        let own = self.by.get(&dialect);
        let mysql =
            || (dialect == Dialect::Mariadb).then(|| self.by.get(&Dialect::Mysql)).flatten();
        own.or_else(mysql).or(self.any.as_ref()).map(Vec::as_slice)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct SuggestedAction {
    pub title: String,
    pub owner: String,
    pub kind: ActionKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    Prevent,
    Detect,
    Mitigate,
    Process,
}

impl Runbook {
    /// What an answer must be that SQL uses under this name.
    pub fn answer_type(&self, var: &str) -> Option<&AnswerType> {
        self.steps.iter().find_map(|step| match &step.action {
            Action::Ask(ask) if ask.var == var => Some(&ask.answer),
            _ => None,
        })
    }

    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// Whether there is something to look at on this engine: a check, or else a tool.
    pub fn is_for(&self, dialect: Dialect, asks: impl Fn(&str) -> bool) -> bool {
        self.steps.iter().any(|step| match &step.action {
            Action::Check(check) => asks(&check.check),
            Action::Command(command) => command.argv.by.contains_key(&dialect),
            _ => false,
        })
    }

    pub fn position(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == id)
    }

    /// Every check that a step names, each once.
    pub fn checks(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for step in &self.steps {
            let named: Vec<&String> = match &step.action {
                Action::Check(step) => vec![&step.check],
                Action::Change(change) => {
                    change.cures.iter().chain(&change.must_not_worsen).collect()
                }
                Action::Wait(Wait { until: WaitFor::Check(check), .. }) => vec![check],
                _ => Vec::new(),
            };
            for check in named {
                if !found.contains(&check.as_str()) {
                    found.push(check);
                }
            }
        }
        found
    }

    /// SHA-256 of the file.
    pub fn digest(&self) -> String {
        crate::digest::sha256(self.source.as_bytes())
    }
}
