//! Baseline: the violations that are known, each with an owner and a day on which it must be gone.
//!
//! A file that people review. What it names passes the gate; what is new, what has grown and what is
//! past its day does not. Pure: the day is an argument.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use jiff::civil::Date;

use super::verdict::{key_columns, key_text};
use super::{Check, Count, Finding, Level};
use crate::source::{self, Fault, Table};

/// Keys that are named one by one; of more, only the number is held.
const NAMED: usize = 500;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    pub known: Vec<Known>,
}

/// The violations of one check that may be there for now.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub check: String,
    /// Any target without one.
    pub target: Option<String>,
    pub owner: String,
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Date,
    /// The keys of the violations; empty if only their number is held.
    pub keys: BTreeSet<String>,
    pub at_most: u64,
    /// Of a metric: how bad it may be.
    pub level: Option<Level>,
}

/// Which targets a run asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All that are configured.
    EveryTarget,
    Some,
}

/// What the gate says about a check that is not clear.
#[derive(Debug, Clone, PartialEq)]
pub enum Ruling {
    Known {
        owner: String,
        expires: Date,
    },
    /// Nobody has named it.
    New,
    /// Rows that are not among the known ones.
    NewRows {
        keys: Vec<String>,
        more: usize,
    },
    Grown {
        from: u64,
        to: u64,
    },
    /// Nothing new among so many rows, and there are others.
    Unseen {
        rows: u64,
    },
    /// A metric that is worse than it may be.
    Worse,
    /// Rows, and the entry says only how bad a metric may be.
    Unlimited,
    Expired {
        owner: String,
        on: Date,
    },
    /// Clear, and still named by an exception whose day is over.
    Leftover {
        owner: String,
        on: Date,
    },
}

impl Ruling {
    pub fn passes(&self) -> bool {
        matches!(self, Self::Known { .. })
    }
}

impl std::fmt::Display for Ruling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known { owner, expires } => write!(f, "known until {expires}, owner {owner}"),
            Self::New => f.write_str("new: the baseline does not name it"),
            Self::NewRows { keys, more } => {
                write!(f, "new rows: {}", keys.join(", "))?;
                if *more > 0 { write!(f, ", and {more} more") } else { Ok(()) }
            }
            Self::Grown { from, to } => write!(f, "grown from {from} to {to}"),
            Self::Unseen { rows } => write!(
                f,
                "not known: the first {rows} rows are as the baseline has it, the others were not seen"
            ),
            Self::Worse => f.write_str("worse than the baseline allows"),
            Self::Unlimited => f.write_str(
                "the baseline says neither `keys` nor `at_most`; `level` is for metrics alone",
            ),
            Self::Expired { owner, on } => {
                write!(f, "the exception of {owner} ended on {on}")
            }
            Self::Leftover { owner, on } => write!(
                f,
                "clear, but the exception of {owner} ended on {on}; delete it from the baseline"
            ),
        }
    }
}

/// Reads a baseline.
pub fn parse(file_name: &str, text: &str) -> Result<Baseline, Vec<Fault>> {
    source::read(file_name, "a baseline", text, |table| {
        let known = if table.has("known") {
            table.tables("known", "a known violation", known)
        } else {
            table.ignore("known");
            vec![]
        };
        Baseline { known }
    })
}

fn known(table: &Table<'_>) -> Known {
    const LEVELS: [(Level, &str); 2] = [(Level::Warning, "warning"), (Level::Critical, "critical")];
    let expires = table.text("expires");
    let day = expires.parse::<Date>().unwrap_or_else(|_| {
        if !expires.trim().is_empty() {
            table.fault("expires", "`expires` must be a day such as \"2026-12-31\".");
        }
        Date::MIN
    });
    let keys: BTreeSet<String> = table.data("keys").into_iter().collect();
    let level = table.optional_one_of("level", &LEVELS);
    let at_most = table.optional_whole("at_most", 0..=u64::MAX);
    if keys.is_empty() && level.is_none() && at_most.is_none() {
        table.fault_here(
            "A known violation needs `keys`, or `at_most`, or of a metric `level`; else it would allow anything.",
        );
    }
    Known {
        check: table.text("check"),
        target: table.optional_text("target"),
        owner: table.text("owner"),
        reason: table.text("reason"),
        expires: day,
        at_most: at_most.unwrap_or(if keys.is_empty() { u64::MAX } else { keys.len() as u64 }),
        keys,
        level,
    }
}

impl Baseline {
    fn of(&self, check: &str, target: &str) -> Option<&Known> {
        let fits = |one: &&Known| {
            one.check == check && one.target.as_deref().is_none_or(|named| named == target)
        };
        // What names the target stands before what holds everywhere.
        self.known.iter().filter(fits).max_by_key(|one| one.target.is_some())
    }

    /// What the gate says; nothing about a check that is clear, or that could not see.
    pub fn rule(
        &self,
        check: &Check,
        target: &str,
        finding: &Finding,
        day: Date,
    ) -> Option<Ruling> {
        let known = self.of(&check.id, target);
        let ended = known.filter(|known| known.expires < day);
        let ended = ended.map(|known| (known.owner.clone(), known.expires));
        match (finding.verdict.is_violated(), ended, known) {
            (false, Some((owner, on)), _) if finding.verdict.is_clear() => {
                Some(Ruling::Leftover { owner, on })
            }
            (false, ..) => None,
            (true, Some((owner, on)), _) => Some(Ruling::Expired { owner, on }),
            (true, None, None) => Some(Ruling::New),
            (true, None, Some(known)) => Some(known.rule(check, finding)),
        }
    }

    /// The baseline that lets through what is there now. What people wrote is kept, also a day that
    /// is over: only a person prolongs an exception.
    #[must_use]
    pub fn updated<'f>(
        &self,
        found: impl IntoIterator<Item = (&'f Check, &'f str, &'f Finding)>,
        reach: Reach,
        expires: Date,
    ) -> Self {
        let mut known = Vec::new();
        let mut seen = HashSet::new();
        for (check, target, finding) in found {
            let old = self.of(&check.id, target);
            if !finding.verdict.is_whole() {
                // What could not be seen is neither known nor gone.
                known.extend(old.cloned());
            } else if finding.verdict.is_violated() {
                known.push(Known::now(check, target, finding, old, expires));
            }
            seen.insert((check.id.clone(), target.to_owned()));
        }
        let asked = |one: &Known| {
            seen.iter().any(|(check, target)| {
                *check == one.check
                    && match &one.target {
                        Some(named) => named == target,
                        // It may hold for a target that nobody asked this time.
                        None => reach == Reach::EveryTarget,
                    }
            })
        };
        known.extend(self.known.iter().filter(|one| !asked(one)).cloned());
        known.sort_by(|a, b| (&a.check, &a.target).cmp(&(&b.check, &b.target)));
        known.dedup();
        Self { known }
    }

    pub fn to_toml(&self) -> String {
        let mut out = String::from(
            "# Violations that are known and may be there for now. Review every line: each needs an owner,\n# a reason, and a day on which it is gone.\n",
        );
        for known in &self.known {
            let mut line = |key: &str, value: toml::Value| {
                let _ = writeln!(out, "{key} = {value}");
            };
            let text = |text: &str| toml::Value::String(text.to_owned());
            line("\n[[known]]\ncheck", text(&known.check));
            if let Some(target) = &known.target {
                line("target", text(target));
            }
            line("owner", text(&known.owner));
            line("reason", text(&known.reason));
            line("expires", text(&known.expires.to_string()));
            if let Some(level) = known.level {
                line("level", text(if level == Level::Warning { "warning" } else { "critical" }));
            }
            if known.at_most < u64::MAX {
                line("at_most", toml::Value::Integer(known.at_most.try_into().unwrap_or(i64::MAX)));
            }
            if !known.keys.is_empty() {
                line("keys", toml::Value::Array(known.keys.iter().map(|key| text(key)).collect()));
            }
        }
        out
    }
}

impl Known {
    fn rule(&self, check: &Check, finding: &Finding) -> Ruling {
        const SHOWN: usize = 10;
        if let Some(reading) = finding.verdict.reading() {
            let allowed = self.level.unwrap_or(Level::Fine);
            if reading.level > allowed || (self.level.is_some() && reading.over > self.at_most) {
                return Ruling::Worse;
            }
            return Ruling::Known { owner: self.owner.clone(), expires: self.expires };
        }
        if self.keys.is_empty() && self.at_most == u64::MAX {
            return Ruling::Unlimited;
        }
        if !self.keys.is_empty() {
            let new: Vec<String> =
                keys(check, finding).into_iter().filter(|key| !self.keys.contains(key)).collect();
            if !new.is_empty() {
                let more = new.len().saturating_sub(SHOWN);
                return Ruling::NewRows { keys: new.into_iter().take(SHOWN).collect(), more };
            }
        }
        match finding.verdict.violations() {
            Some(count) if count.number() > self.at_most => {
                Ruling::Grown { from: self.at_most, to: count.number() }
            }
            Some(count) if !count.is_exact() => Ruling::Unseen { rows: count.number() },
            // Of rows that were too long to be kept nobody knows the key.
            Some(count) if !self.keys.is_empty() && count.number() > finding.rows.len() as u64 => {
                Ruling::Unseen { rows: finding.rows.len() as u64 }
            }
            _ => Ruling::Known { owner: self.owner.clone(), expires: self.expires },
        }
    }

    fn now(
        check: &Check,
        target: &str,
        finding: &Finding,
        old: Option<&Self>,
        expires: Date,
    ) -> Self {
        let keys = keys(check, finding);
        let count = finding.verdict.violations();
        let all_kept = count.is_some_and(|count| count.number() == finding.rows.len() as u64);
        let is_named = all_kept && keys.len() <= NAMED && finding.verdict.reading().is_none();
        let reason = "not reviewed yet: say why it may stay until then";
        Self {
            check: check.id.clone(),
            target: Some(target.to_owned()),
            owner: old.map_or_else(|| check.owner.clone(), |old| old.owner.clone()),
            reason: old.map_or_else(|| reason.to_owned(), |old| old.reason.clone()),
            expires: old.map_or(expires, |old| old.expires),
            at_most: count.map_or(0, Count::number),
            keys: if is_named { keys } else { BTreeSet::new() },
            level: finding.verdict.reading().map(|reading| reading.level),
        }
    }
}

/// The keys of the rows that were kept. What joins the parts of one is spelled out inside of them: `a`,
/// `b/c` is another key than `a/b`, `c`.
fn keys(check: &Check, finding: &Finding) -> BTreeSet<String> {
    let Finding { rows, .. } = finding;
    let columns = key_columns(rows.columns(), &check.key);
    let part = |row, column: &usize| {
        let text = key_text(rows, row, &[*column]);
        let spelled = || text.replace('\\', r"\\").replace('/', r"\/");
        if columns.len() > 1 { spelled() } else { text }
    };
    let key = |row| columns.iter().map(|column| part(row, column)).collect::<Vec<_>>().join("/");
    (0..rows.len()).map(key).collect()
}
