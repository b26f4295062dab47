//! Trend: the runs of one check on one target over a period, and what they add up to.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Run, State};
use crate::check::Severity;

/// One look at a check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    pub at: Timestamp,
    pub state: State,
    pub number: Option<f64>,
    pub at_least: bool,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    pub check: String,
    pub target: String,
    pub severity: Severity,
    pub points: Vec<Point>,
}

impl Trend {
    pub fn first(&self) -> &Point {
        &self.points[0]
    }

    pub fn last(&self) -> &Point {
        &self.points[self.points.len() - 1]
    }

    /// What was seen, with the runs that saw nothing left out.
    pub fn numbers(&self) -> Vec<f64> {
        self.points.iter().filter_map(|point| point.number).collect()
    }

    /// The look with the largest number. Of a metric that may fall too low it is not the worst one.
    pub fn highest(&self) -> Option<&Point> {
        let seen = self.points.iter().filter(|point| point.number.is_some());
        let number = |point: &Point| point.number.unwrap_or_default();
        seen.max_by(|a, b| number(a).total_cmp(&number(b)).then(a.at_least.cmp(&b.at_least)))
    }

    /// How often the verdict became another one.
    pub fn turns(&self) -> usize {
        self.points.windows(2).filter(|pair| pair[0].state != pair[1].state).count()
    }

    pub fn blind(&self) -> usize {
        self.points.iter().filter(|point| point.state == State::Inconclusive).count()
    }

    /// The longest time that a violation of this period can have been there before it was seen: from
    /// the clear run before it to the run that found it.
    pub fn detected_within(&self) -> Option<SignedDuration> {
        let mut clear = None;
        let mut longest = None;
        for point in &self.points {
            match point.state {
                State::Clear => clear = Some(point.at),
                State::Warning | State::Violated => {
                    longest = longest.max(clear.take().map(|clear| point.at.duration_since(clear)));
                }
                State::Inconclusive => {}
            }
        }
        longest
    }
}

/// The trends of all checks in these runs, the worst standing first.
pub fn trends(runs: &[Run]) -> Vec<Trend> {
    let mut found: BTreeMap<(&str, &str), Trend> = BTreeMap::new();
    for run in runs {
        for seen in &run.seen {
            let trend = found.entry((&run.target, &seen.check)).or_insert_with(|| Trend {
                check: seen.check.clone(),
                target: run.target.clone(),
                severity: seen.severity,
                points: Vec::new(),
            });
            trend.severity = seen.severity;
            trend.points.push(Point {
                at: run.at,
                state: seen.state,
                number: seen.number,
                at_least: seen.at_least,
                reason: seen.reason.clone(),
            });
        }
    }
    let mut all: Vec<Trend> = found.into_values().collect();
    all.sort_by_key(|trend| (std::cmp::Reverse(trend.last().state), trend.severity));
    all
}
