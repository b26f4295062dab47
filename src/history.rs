//! History: what runs of checks found over time.
//!
//! A run of a target is one line of a file, so a run that was killed leaves no half of itself. Rows
//! and keys are not remembered: numbers, verdicts and reasons are. Pure but for `store`, which owns
//! the files; the time is always an argument.

pub mod store;
pub mod trend;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::check::{Severity, Verdict};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What a check came to, as it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Clear,
    Warning,
    Inconclusive,
    Violated,
}

impl State {
    /// A violation of severity 3 or 4 is a warning; a metric says itself how bad it is.
    pub fn of(verdict: &Verdict, severity: Severity) -> Self {
        match (verdict, severity) {
            (Verdict::Clear, _) => Self::Clear,
            (Verdict::Inconclusive { .. }, _) => Self::Inconclusive,
            (Verdict::Violated { .. }, Severity::Sev1 | Severity::Sev2) => Self::Violated,
            (Verdict::Violated { .. }, Severity::Sev3 | Severity::Sev4) => Self::Warning,
            (measured @ Verdict::Measured { .. }, _) => match measured.word() {
                "clear" => Self::Clear,
                "warning" => Self::Warning,
                _ => Self::Violated,
            },
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Warning => "warning",
            Self::Inconclusive => "inconclusive",
            Self::Violated => "violated",
        }
    }
}

/// One run of checks on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub at: Timestamp,
    pub seconds: f64,
    pub target: String,
    #[serde(default)]
    pub environment: String,
    /// The suites that were asked for; none if checks were named.
    #[serde(default)]
    pub suites: Vec<String>,
    /// Stopped before its end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
    pub seen: Vec<Seen>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One check of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub check: String,
    pub severity: Severity,
    pub state: State,
    /// Violations, or the value of a metric; none if nothing was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
    /// The number is a lower bound.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_least: bool,
    pub seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Run {
    pub fn is_of(&self, suite: &str) -> bool {
        self.suites.iter().any(|one| one == suite)
    }

    /// What its checks say of the target. A run that was cut says nothing where it saw nothing: it did not
    /// get there, and nobody is told that a verdict changed.
    pub fn said(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| !self.cut || seen.state != State::Inconclusive)
    }

    /// It ended, and saw at least something.
    pub fn counts(&self) -> bool {
        !self.cut && self.seen.iter().any(|seen| seen.state != State::Inconclusive)
    }
}

/// How a check stands on a target after its last run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub state: State,
    #[serde(default)]
    pub number: Option<f64>,
    /// The number is a lower bound.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_least: bool,
    /// When it was looked at last.
    pub at: Timestamp,
    /// Since when it has this state.
    pub since: Timestamp,
    /// When the present trouble was seen first; none while it is clear.
    #[serde(default)]
    pub first_seen: Option<Timestamp>,
    #[serde(default)]
    pub last_clear: Option<Timestamp>,
}

impl Standing {
    /// Whether it is of a look after this one: of two runs that met, the one that began first may end last.
    /// A day later it is no such run, but of a clock that was wrong.
    pub fn is_younger_than(&self, at: Timestamp) -> bool {
        let by = self.at.duration_since(at);
        by.is_positive() && by < DAY
    }

    /// The standing after one more run.
    pub fn after(before: Option<&Self>, seen: &Seen, at: Timestamp) -> Self {
        let same = before.filter(|before| before.state == seen.state);
        let is_bad = matches!(seen.state, State::Warning | State::Violated);
        let first_seen = match (seen.state, before) {
            (State::Clear, _) => None,
            // Trouble that cannot be seen for a while is not over.
            (_, Some(Self { first_seen: Some(first), .. })) => Some(*first),
            _ => is_bad.then_some(at),
        };
        let last_clear = if seen.state == State::Clear {
            Some(at)
        } else {
            before.and_then(|one| one.last_clear)
        };
        Self {
            state: seen.state,
            number: seen.number,
            at_least: seen.at_least,
            at,
            since: same.map_or(at, |same| same.since),
            first_seen,
            last_clear,
        }
    }
}

/// A verdict that is another one than at the run before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub check: String,
    /// None at the first run.
    pub before: Option<State>,
    /// When it was looked at before.
    pub last: Option<Timestamp>,
    pub now: Standing,
}

/// How many runs of a schedule did not happen between two that did. Half an interval of lateness is
/// none.
pub fn missed(before: Timestamp, now: Timestamp, every: Duration) -> u64 {
    let gap = now.duration_since(before).as_millis().max(0).unsigned_abs();
    let every = every.as_millis().max(1);
    u64::try_from((gap + every / 2) / every).unwrap_or(u64::MAX).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).expect("a time")
    }

    fn seen(state: State) -> Seen {
        Seen {
            check: "c".into(),
            severity: Severity::Sev2,
            state,
            number: None,
            at_least: false,
            seconds: 0.0,
            reason: None,
        }
    }

    #[test]
    fn trouble_keeps_its_beginning_while_it_cannot_be_seen() {
        let mut standing: Option<Standing> = None;
        for (hour, state) in [State::Clear, State::Violated, State::Inconclusive, State::Violated]
            .into_iter()
            .enumerate()
        {
            let hour = i64::try_from(hour).expect("small");
            standing = Some(Standing::after(standing.as_ref(), &seen(state), at(hour)));
        }
        let standing = standing.expect("four runs");
        assert_eq!(standing.first_seen, Some(at(1)));
        assert_eq!((standing.last_clear, standing.since), (Some(at(0)), at(3)));
    }

    #[test]
    fn a_late_run_is_not_a_missed_one() {
        let day = Duration::from_hours(24);
        let missed = |hours| missed(at(0), at(hours), day);
        assert_eq!([missed(1), missed(24), missed(30), missed(48), missed(120)], [0, 0, 0, 1, 4]);
    }
}
