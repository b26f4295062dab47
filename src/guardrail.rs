//! Guardrail: DDL that makes the bad state impossible. Rehearse, apply, withdraw.
//!
//! The plan for one engine and what a rehearsal found; `ops::guard` does the work. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dialect::{Dialect, PerDialect};
use crate::sql;

/// Prevention: DDL that makes the bad state impossible.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    pub apply: PerDialect,
    /// Must be rejected once the guardrail stands.
    pub probe: PerDialect,
    /// What the rejection must say: the name of the constraint, index or trigger.
    pub rejects: PerDialect,
    pub withdraw: PerDialect,
}

/// A guardrail's texts for one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub title: String,
    pub apply: String,
    pub probe: String,
    /// What the rejection must say.
    pub rejects: String,
    pub withdraw: String,
}

impl Plan {
    /// The texts for an engine; names the first one that is missing.
    pub fn of(title: &str, guard: &Guard, dialect: Dialect) -> Result<Self, String> {
        let pick = |what: &str, text: &PerDialect| {
            text.get(dialect)
                .map(str::to_owned)
                .ok_or_else(|| format!("the runbook has no `{what}` for {dialect}"))
        };
        let sql = |what: &str, text: &PerDialect| {
            let picked = pick(what, text)?;
            match sql::unambiguous(&picked, dialect, text.meant(dialect)) {
                Ok(()) => Ok(picked),
                Err(refusal) => Err(format!("`{what}`: {}", refusal.clause())),
            }
        };
        Ok(Self {
            title: title.to_owned(),
            apply: sql("apply", &guard.apply)?,
            probe: sql("probe", &guard.probe)?,
            rejects: pick("rejects", &guard.rejects)?,
            withdraw: sql("withdraw", &guard.withdraw)?,
        })
    }
}

/// Which rows a definition is held against when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    #[default]
    AgainstAll,
    /// A trigger looks only at what is written later.
    AgainstLater,
}

/// What trying a guardrail out and taking it back at once has shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    pub at: Timestamp,
    /// It stood already before.
    pub stands: bool,
    /// The data as it is fits, as far as the definition is held against it; else why not.
    pub accepted: Result<(), String>,
    #[serde(default)]
    pub held: Held,
    /// The bad state is rejected by name, with the database's words; else why not.
    pub rejects: Result<String, String>,
    /// Why it could not be tried out on this engine, if so; applying it proves it then.
    #[serde(default)]
    pub untried: Option<String>,
    pub lock: String,
    pub seconds: f64,
    /// A second connection saw the schema unchanged afterwards.
    pub traceless: bool,
    /// Where it was tried, and what of it could not be, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Rehearsal {
    /// May be applied.
    pub fn is_sound(&self) -> bool {
        self.accepted.is_ok() && self.rejects.is_ok() && self.traceless && !self.stands
    }

    pub fn sentence(&self) -> String {
        if self.stands {
            return "it stands already".into();
        }
        if let Some(why) = &self.untried {
            return format!("not tried out: {why}");
        }
        match (&self.accepted, &self.rejects) {
            (Err(why), _) => format!("the data as it is does not fit: {why}"),
            (Ok(()), Err(why)) => format!("it does not reject the bad state: {why}"),
            (Ok(()), Ok(_)) if !self.traceless => "the rehearsal left a trace in the schema".into(),
            (Ok(()), Ok(_)) if self.held == Held::AgainstLater => {
                format!("the bad state is rejected by name; {UNSEEN}")
            }
            (Ok(()), Ok(_)) => "the data fits and the bad state is rejected by name".into(),
        }
    }
}

/// What is said of the data where a trigger is the guardrail.
pub const UNSEEN: &str = "a trigger does not look at the rows that are there";

/// Where a guardrail stands, by what the incident remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    #[default]
    Absent,
    Applied,
    Withdrawn,
}
