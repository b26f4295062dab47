//! Check: one question asked in SQL, whose answer is judged.
//!
//! Of three kinds: rows that are violations, a number with thresholds, things that must exist. The
//! type, its verdict and the change between two runs. Loading from files is in `load`, what a site
//! changes in `settings`; asking a database is the business of `ops::detect`. Pure: no clock, no
//! database, no screen.

pub mod baseline;
pub mod bind;
pub mod keys;
pub mod load;
pub mod metric;
pub mod related;
pub mod settings;
pub mod verdict;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dialect::{Dialect, PerDialect};
use crate::sql;
pub use metric::{Level, Metric, Reading, Threshold};
pub use settings::Settings;
pub use verdict::{Cause, Count, Delta, Finding, Survey, Verdict};

/// Severity by business risk; the first is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Sev1,
    Sev2,
    Sev3,
    Sev4,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Sev1, Self::Sev2, Self::Sev3, Self::Sev4];

    /// The key in files and JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Sev1 => "sev1",
            Self::Sev2 => "sev2",
            Self::Sev3 => "sev3",
            Self::Sev4 => "sev4",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sev1 => "SEV-1",
            Self::Sev2 => "SEV-2",
            Self::Sev3 => "SEV-3",
            Self::Sev4 => "SEV-4",
        })
    }
}

/// What the rows of the answer mean.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Kind {
    /// A row is a violation.
    #[default]
    Violations,
    /// A row is a number.
    Metric(Metric),
    /// A row is something that is missing, with the DDL that would mend it.
    Catalog,
}

impl Kind {
    /// The word in files and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Violations => "violations",
            Self::Metric(_) => "metric",
            Self::Catalog => "catalog",
        }
    }
}

/// What the answer is true of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// What is stored: a replica has it too.
    Data,
    /// The server itself, such as who waits there: of a replica it would say nothing of the primary.
    Server,
}

/// The column of a `catalog` check that holds the DDL.
pub const REMEDIATION: &str = "remediation";

#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub id: String,
    pub pack: String,
    pub title: String,
    /// The rule in one sentence: what healthy data looks like.
    pub rule: String,
    pub kind: Kind,
    pub severity: Severity,
    /// Names one violation; identity of a row between two runs.
    pub key: Vec<String>,
    pub suites: Vec<String>,
    pub owner: String,
    pub controls: Vec<String>,
    /// The runbook that the cockpit offers.
    pub runbook: Option<String>,
    pub timeout: Duration,
    /// Tables that must be visible, else the verdict is inconclusive.
    pub tables: Vec<String>,
    /// Where nobody listed them, those that the text for each engine names.
    pub named: BTreeMap<Dialect, Vec<String>>,
    /// What its answer is true of, where somebody said it.
    pub about: Option<About>,
    /// Keys of its rows may be named in a message that leaves the house.
    pub alert_keys: bool,
    /// The tables and columns that the SQL names by role.
    pub bind: Vec<bind::Role>,
    /// Why it does not run by itself, if it was switched off.
    pub disabled: Option<String>,
    pub sql: PerDialect,
    /// SQL that injects this fault into a demo or scratch database.
    pub fault: PerDialect,
    /// How many violations the fault makes in the demo, for tests and drills.
    pub finds: Option<u64>,
}

impl Check {
    /// The query for an engine, with every role under the name that was given to it.
    pub fn query(&self, dialect: Dialect) -> Option<Cow<'_, str>> {
        self.query_with(dialect, &self.bind)
    }

    /// The same with the names as the database has them.
    pub fn query_with(&self, dialect: Dialect, roles: &[bind::Role]) -> Option<Cow<'_, str>> {
        let sql = self.sql.get(dialect)?;
        Some(if roles.is_empty() {
            Cow::Borrowed(sql)
        } else {
            Cow::Owned(bind::fill(sql, dialect, roles).text)
        })
    }

    /// What its answer is true of on an engine. Nobody has to think of saying it: the text names what a
    /// server knows of itself alone. What a view hides only the server can tell.
    pub fn about_on(&self, dialect: Dialect) -> About {
        let of_server =
            || sql::is_of_one_server(&self.query(dialect)?, dialect).then_some(About::Server);
        self.about.or_else(of_server).unwrap_or(About::Data)
    }

    /// The tables that must be visible on an engine.
    pub fn tables_on(&self, dialect: Dialect) -> &[String] {
        self.named.get(&dialect).unwrap_or(&self.tables)
    }

    /// Whether it means whatever the catalogue lists: neither tables that must be visible nor one that it asks
    /// about by a role.
    pub fn asks_for_all(&self, dialect: Dialect) -> bool {
        let text = self.sql.get(dialect).unwrap_or_default();
        self.tables_on(dialect).is_empty() && !bind::asks_about_role(text)
    }

    /// Whether it may have anything to ask where a url of this engine leads: one of MySQL may lead to
    /// MariaDB, and only the server knows.
    pub fn may_be_for(&self, dialect: Dialect) -> bool {
        self.is_for(dialect) || dialect == Dialect::Mysql && self.is_for(Dialect::Mariadb)
    }

    /// Whether it has anything to ask on this engine.
    pub fn is_for(&self, dialect: Dialect) -> bool {
        self.sql.get(dialect).is_some()
    }
}

/// What is asked for a glance at a target: not what may take minutes.
pub fn at_a_glance(checks: &[Check], dialect: Dialect) -> Vec<&Check> {
    const PATIENCE: Duration = Duration::from_mins(1);
    let mut asked = by_itself(checks, dialect);
    asked.retain(|check| check.timeout <= PATIENCE);
    asked
}

/// The checks that run on an engine when nobody names them: those that may have something to ask there
/// and were not switched off.
pub fn by_itself(checks: &[Check], dialect: Dialect) -> Vec<&Check> {
    checks.iter().filter(|check| check.may_be_for(dialect) && check.disabled.is_none()).collect()
}
