//! What a check found, and what changed since it last ran.

use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::metric::{Level, Reading};
use crate::value::{Rows, ValueRef, counted, thousands};

/// A number of rows that is exact, or says that it is a lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    Exact(u64),
    AtLeast(u64),
}

impl Count {
    pub fn number(self) -> u64 {
        match self {
            Self::Exact(n) | Self::AtLeast(n) => n,
        }
    }

    pub fn is_exact(self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// `1 violation`, `>= 10,000 violations`.
    pub fn of(self, word: &str) -> String {
        match self {
            Self::Exact(n) => counted(n, word),
            Self::AtLeast(_) => format!("{self} {word}s"),
        }
    }
}

/// As people read it.
impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(n) => f.write_str(&thousands(*n)),
            Self::AtLeast(n) => write!(f, ">= {}", thousands(*n)),
        }
    }
}

/// The answer of a check. "Could not see" is never "clear".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Verdict {
    Clear,
    Violated {
        violations: Count,
    },
    /// A number, which may be fine or over a threshold.
    Measured {
        reading: Reading,
    },
    Inconclusive {
        reason: String,
    },
}

/// What is said of a table that a check needs and the database does not have.
pub const NOT_THERE: &str = "is not there";

impl Verdict {
    pub fn from_count(count: Count) -> Self {
        match count {
            Count::Exact(0) => Self::Clear,
            // A lower bound of nothing has seen nothing.
            Count::AtLeast(0) => {
                Self::Inconclusive { reason: "stopped before the first row".into() }
            }
            violations => Self::Violated { violations },
        }
    }

    /// The check is of another business, or its names have not been bound yet.
    pub fn misses_a_table(&self) -> bool {
        matches!(self, Self::Inconclusive { reason }
            if reason.starts_with("the table ") && reason.contains(NOT_THERE))
    }

    /// Everything was seen, and it is as it should be.
    pub fn is_clear(&self) -> bool {
        match self {
            Self::Clear => true,
            Self::Measured { reading } => reading.level == Level::Fine,
            Self::Violated { .. } | Self::Inconclusive { .. } => false,
        }
    }

    /// Something was seen that should not be.
    pub fn is_violated(&self) -> bool {
        !self.is_clear() && !matches!(self, Self::Inconclusive { .. })
    }

    pub fn reading(&self) -> Option<&Reading> {
        match self {
            Self::Measured { reading } => Some(reading),
            _ => None,
        }
    }

    /// How many violations, or series over a threshold; none where nothing was seen.
    pub fn violations(&self) -> Option<Count> {
        match self {
            Self::Clear => Some(Count::Exact(0)),
            Self::Violated { violations } => Some(*violations),
            // A series over a threshold is a violation.
            Self::Measured { reading } => Some(Count::Exact(reading.over)),
            Self::Inconclusive { .. } => None,
        }
    }

    /// Whether this is news after the verdict before. A number that only trembles is none.
    pub fn differs_from(&self, before: &Self) -> bool {
        const MOVED: f64 = 0.1;
        let (Self::Measured { reading: now }, Self::Measured { reading: then }) = (self, before)
        else {
            return self != before;
        };
        let (a, b) = (now.number(), then.number());
        (now.level, now.over) != (then.level, then.over)
            || (a - b).abs() > MOVED * a.abs().max(b.abs())
    }

    /// Nothing was left unseen: how many there are is known to the row.
    pub fn is_whole(&self) -> bool {
        self.violations().is_some_and(Count::is_exact)
    }

    /// The number that a history of this verdict is made of.
    pub fn number(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss)] // drawn, not counted with
        let count = |count: Count| count.number() as f64;
        match self {
            Self::Measured { reading } => Some(reading.number()),
            other => other.violations().map(count),
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Violated { .. } => "violated",
            Self::Measured { reading } => match reading.level {
                Level::Fine => "clear",
                Level::Warning => "warning",
                Level::Critical => "violated",
            },
            Self::Inconclusive { .. } => "inconclusive",
        }
    }
}

/// One run of a check: the verdict, the first rows, and the identity of every row seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub verdict: Verdict,
    /// The first rows, up to the cap.
    pub rows: Rows,
    /// The identity of every row, also of those that are not kept; `None` if it could not be kept.
    pub keys: Option<Keys>,
    pub seconds: f64,
    /// Of an inconclusive one, where it decides how the reason is told.
    pub cause: Option<Cause>,
}

/// Who kept a check from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The operator stopped it.
    Operator,
    /// The reason has the words of the database, which may hold what a row holds.
    Database,
}

/// All checks of a target, asked in one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The server's own proof of who it is.
    pub server: String,
    pub version: String,
    /// By the id of the check.
    pub findings: Vec<(String, Finding)>,
}

/// What changed between two runs, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    pub new: usize,
    pub gone: usize,
    pub still: usize,
    /// Up to twenty of the new and of the gone keys, as text.
    pub new_keys: Vec<String>,
    pub gone_keys: Vec<String>,
}

impl Finding {
    /// Of a check that saw nothing, and why.
    pub fn unseen(reason: &str) -> Self {
        Self {
            verdict: Verdict::Inconclusive { reason: reason.to_owned() },
            rows: Rows::default(),
            keys: None,
            seconds: 0.0,
            cause: None,
        }
    }

    /// Compares with the run before; both must have been conclusive.
    pub fn since(&self, before: &Self, key: &[String]) -> Option<Delta> {
        self.verdict.violations()?;
        before.verdict.violations()?;
        let (now, then) = (self.keys.as_ref()?, before.keys.as_ref()?);
        let difference = now.since(then);
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Some(Delta {
            new: count(difference.new),
            gone: count(difference.gone),
            still: count(difference.still),
            new_keys: self.names(key, difference.new, |hash| !then.contains(hash)),
            gone_keys: before.names(key, difference.gone, |hash| !now.contains(hash)),
        })
    }

    /// The keys of rows that are wanted, of which there are so many.
    fn names(&self, key: &[String], there: u64, wanted: impl Fn(u64) -> bool) -> Vec<String> {
        const SHOWN: usize = 20;
        let columns = key_columns(self.rows.columns(), key);
        let identity = |row: usize| key_hash(columns.iter().map(|at| self.rows.get(row, *at)));
        // Of a metric some rows are no violation, and their keys were not kept.
        let counts = |hash: u64| self.keys.as_ref().is_some_and(|keys| keys.contains(hash));
        (0..self.rows.len())
            .filter(|row| wanted(identity(*row)) && counts(identity(*row)))
            .take(SHOWN.min(usize::try_from(there).unwrap_or(SHOWN)))
            .map(|row| key_text(&self.rows, row, &columns))
            .collect()
    }
}

/// Where the key columns stand, whatever case the server gives their names; all columns if one of them is
/// missing, since rows that differ would look the same by the others.
pub fn key_columns(columns: &[String], key: &[String]) -> Vec<usize> {
    let found: Option<Vec<usize>> = key.iter().map(|name| place(columns, name)).collect();
    match found {
        Some(found) if !found.is_empty() => found,
        _ => (0..columns.len()).collect(),
    }
}

/// Why rows cannot be told apart by the key, if so.
pub fn lacks_key(columns: &[String], key: &[String]) -> Option<String> {
    let name = key.iter().find(|name| place(columns, name).is_none())?;
    Some(format!("the query has no column {name} of the key"))
}

fn place(columns: &[String], name: &String) -> Option<usize> {
    let exact = columns.iter().position(|column| column == name);
    exact.or_else(|| columns.iter().position(|column| column.eq_ignore_ascii_case(name)))
}

/// The key of a row as one text, parts joined with `/`.
pub fn key_text(rows: &Rows, row: usize, columns: &[usize]) -> String {
    columns
        .iter()
        .map(|column| rows.get(row, *column).plain().unwrap_or_else(|| "NULL".into()))
        .collect::<Vec<_>>()
        .join("/")
}

/// The identity of a row between two runs (FNV-1a over shape and bytes: stable, no secrets in it).
pub fn key_hash<'v>(values: impl IntoIterator<Item = ValueRef<'v>>) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for value in values {
        match value {
            ValueRef::Null => eat(&[0]),
            ValueRef::Integer(n) => {
                eat(&[1]);
                eat(&n.to_le_bytes());
            }
            ValueRef::Real(n) => {
                eat(&[2]);
                eat(&n.to_bits().to_le_bytes());
            }
            ValueRef::Text(text) => {
                eat(&[3]);
                eat(text.as_bytes());
            }
            ValueRef::Bytes(bytes) => {
                eat(&[4]);
                eat(bytes);
            }
        }
        eat(&[0xff]);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(ids: &[i64]) -> Finding {
        let mut rows = Rows::new(vec!["id".into()]);
        for id in ids {
            rows.push([ValueRef::Integer(*id)]);
        }
        Finding {
            verdict: Verdict::from_count(Count::Exact(ids.len() as u64)),
            rows,
            keys: Keys::of(ids.iter().map(|id| key_hash([ValueRef::Integer(*id)]))).ok(),
            seconds: 0.0,
            cause: None,
        }
    }

    #[test]
    fn delta_names_the_new_and_the_gone() {
        let delta =
            finding(&[2, 3, 4]).since(&finding(&[1, 2, 3]), &["id".into()]).expect("both ran");
        assert_eq!((delta.new, delta.gone, delta.still), (1, 1, 2));
        assert_eq!((delta.new_keys, delta.gone_keys), (vec!["4".into()], vec!["1".into()]));
    }

    #[test]
    fn a_key_is_found_in_the_case_of_the_server() {
        let columns = ["note", "assetid", "ID", "id"].map(str::to_owned);
        let of = |name: &str| key_columns(&columns, &[name.to_owned()]);
        assert_eq!([of("assetId"), of("id"), of("ID")], [[1], [3], [2]]);
    }

    #[test]
    fn a_lower_bound_of_nothing_is_not_clear() {
        assert_eq!(Verdict::from_count(Count::AtLeast(0)).word(), "inconclusive");
    }
}
