//! The history as a page: how one check went, and what a day or a week of runs adds up to.
//!
//! Says what was not seen as plainly as what was: runs that did not happen, that were cut off, that
//! saw nothing.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::seen::{self, InIncident};
use super::text::{columns, minute};
use crate::history::trend::{Point, Trend};
use crate::history::{Standing, State};
use crate::postmortem::escape::{code, inline};
use crate::value::counted;
use crate::value::visible;

/// The checks of a period, the worst standing first.
#[derive(Debug, Clone, Serialize)]
pub struct Past {
    pub from: Timestamp,
    pub to: Timestamp,
    pub runs: Vec<Runs>,
    pub checks: Vec<Row>,
    /// Lines of the history that could not be read.
    pub unreadable: usize,
}

/// The runs of a suite on a target.
#[derive(Debug, Clone, Serialize)]
pub struct Runs {
    pub target: String,
    /// Empty for checks that somebody named.
    pub suite: String,
    pub runs: usize,
    pub cut: usize,
    /// Ended without having seen anything.
    pub blind: usize,
    /// Not happened, by the schedule that is configured; none without one.
    pub missed: Option<u64>,
    pub last: Timestamp,
}

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    #[serde(flatten)]
    pub trend: Trend,
    pub standing: Option<Standing>,
    /// The longest that a violation can have been there before it was found.
    pub detected_within_seconds: Option<i64>,
    pub turns: usize,
}

impl Row {
    pub fn of(trend: Trend, standing: Option<Standing>) -> Self {
        let detected_within_seconds = trend.detected_within().map(|length| length.as_secs());
        let turns = trend.turns();
        Self { trend, standing, detected_within_seconds, turns }
    }

    fn first_seen(&self) -> Option<Timestamp> {
        self.standing.as_ref()?.first_seen
    }

    fn last_clear(&self) -> Option<Timestamp> {
        self.standing.as_ref()?.last_clear
    }

    fn highest(&self) -> String {
        self.trend.highest().map_or_else(|| "-".into(), number)
    }

    fn detected(&self) -> String {
        self.detected_within_seconds
            .map_or_else(|| "-".into(), |seconds| length(SignedDuration::from_secs(seconds)))
    }
}

/// The runs of one check on every target.
pub fn check(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let Trend { check, target, severity, .. } = &row.trend;
        let last = row.trend.last();
        let since = row.standing.as_ref().map_or(last.at, |standing| standing.since);
        let _ = writeln!(
            out,
            "{}  {severity}  {}: {} since {}",
            visible::text(check),
            visible::text(target),
            now(last),
            minute(since),
        );
        let _ = writeln!(out, "  first seen  {}", or_never(row.first_seen(), "not in trouble"));
        let _ = writeln!(out, "  last clear  {}", or_never(row.last_clear(), "never"));
        let numbers = row.trend.numbers();
        if let Some(highest) = row.trend.highest() {
            let (line, highest) = (spark(&numbers, 40), number(highest));
            let _ = writeln!(out, "  trend       {line}  highest {highest}");
        }
        let rows = stretches(&row.trend.points).into_iter().map(|(from, to, runs, point)| {
            vec![
                minute(from),
                minute(to),
                runs.to_string(),
                now(point),
                point.reason.clone().unwrap_or_default(),
            ]
        });
        for line in columns(&["from", "to", "runs", "verdict", "reason"], rows).lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

/// Runs in a row that saw the same.
fn stretches(points: &[Point]) -> Vec<(Timestamp, Timestamp, usize, &Point)> {
    let mut found: Vec<(Timestamp, Timestamp, usize, &Point)> = Vec::new();
    for point in points {
        match found.last_mut() {
            Some((_, to, runs, same))
                if same.state == point.state
                    && same.number == point.number
                    && same.reason == point.reason =>
            {
                *to = point.at;
                *runs += 1;
            }
            _ => found.push((point.at, point.at, 1, point)),
        }
    }
    found
}

/// One object a line: the trends, what incidents saw, the summary.
pub fn check_json(rows: &[Row], seen: &[InIncident]) -> String {
    let line =
        |row: &Row| super::json::line(&serde_json::to_value(row).expect("a trend is plain data"));
    let mut out: String = rows.iter().map(line).collect();
    out.push_str(&seen::lines(seen));
    out.push_str(&super::json::line(&serde_json::json!({
        "summary": { "trends": rows.len(), "in_incidents": seen.len() }
    })));
    out
}

impl Past {
    pub fn json(&self) -> String {
        super::json::line(&serde_json::to_value(self).expect("a report is plain data"))
    }

    fn standing(&self, state: State) -> usize {
        self.checks.iter().filter(|row| row.trend.last().state == state).count()
    }

    /// One sentence that says how things are.
    pub fn headline(&self) -> String {
        format!(
            "{}: {} clear, {} warning, {} violated, {} inconclusive",
            counted(self.checks.len(), "check"),
            self.standing(State::Clear),
            self.standing(State::Warning),
            self.standing(State::Violated),
            self.standing(State::Inconclusive),
        )
    }

    /// What did not happen as it should have.
    fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for Runs { target, suite, cut, blind, missed, .. } in &self.runs {
            let of = if suite.is_empty() { target.clone() } else { format!("{suite} on {target}") };
            let runs = |n: usize| counted(n, "run");
            if let Some(n) = missed.filter(|n| *n > 0) {
                gaps.push(format!(
                    "{of}: {} did not happen",
                    runs(usize::try_from(n).unwrap_or(usize::MAX))
                ));
            }
            if *cut > 0 {
                gaps.push(format!("{of}: {} stopped before the end", runs(*cut)));
            }
            if *blind > 0 {
                gaps.push(format!("{of}: {} saw nothing", runs(*blind)));
            }
        }
        if self.unreadable > 0 {
            gaps.push(format!(
                "{} of the history could not be read",
                counted(self.unreadable, "line")
            ));
        }
        gaps
    }

    pub fn markdown(&self) -> String {
        let mut out = format!(
            "# Integrity report, {} to {}\n\n{}.\n",
            minute(self.from),
            minute(self.to),
            self.headline()
        );
        let gaps = self.gaps();
        if !gaps.is_empty() {
            out.push_str("\n## What was not looked at\n\n");
            for gap in gaps {
                let _ = writeln!(out, "- {}", inline(&gap));
            }
        }
        let bad: Vec<&Row> =
            self.checks.iter().filter(|row| row.trend.last().state != State::Clear).collect();
        if !bad.is_empty() {
            out.push_str("\n## Not clear\n\n| check | target | severity | verdict | before → now | first seen | last clear |\n|---|---|---|---|---|---|---|\n");
        }
        for row in bad {
            let Trend { check, target, severity, .. } = &row.trend;
            let _ = writeln!(
                out,
                "| {} | {} | {severity} | {} | {} | {} | {} |",
                code(check),
                code(target),
                row.trend.last().state.word(),
                before_after(&row.trend),
                or_never(row.first_seen(), "-"),
                or_never(row.last_clear(), "never"),
            );
        }
        out.push_str("\n## All checks\n\n| check | target | verdict | trend | highest | changes of verdict | detected within |\n|---|---|---|---|---|---|---|\n");
        for row in &self.checks {
            let numbers = row.trend.numbers();
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} |",
                code(&row.trend.check),
                code(&row.trend.target),
                row.trend.last().state.word(),
                spark(&numbers, 30),
                row.highest(),
                row.turns,
                row.detected(),
            );
        }
        out.push_str("\n## Runs\n\n| suite | target | runs | last |\n|---|---|---|---|\n");
        for runs in &self.runs {
            let suite = if runs.suite.is_empty() { "(named checks)" } else { &runs.suite };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                inline(suite),
                code(&runs.target),
                runs.runs,
                minute(runs.last)
            );
        }
        out.push_str("\n*Detected within*: from the last clear run to the run that found the violation, the longest of the period.\n");
        out
    }

    pub fn html(&self) -> String {
        let rows: Vec<_> = self
            .checks
            .iter()
            .map(|row| {
                minijinja::context! {
                    check => visible::text(&row.trend.check), target => visible::text(&row.trend.target),
                    severity => row.trend.severity.to_string(),
                    state => row.trend.last().state.word(),
                    change => before_after(&row.trend),
                    first_seen => or_never(row.first_seen(), "-"),
                    last_clear => or_never(row.last_clear(), "never"),
                    highest => row.highest(), turns => row.turns, detected => row.detected(),
                    line => polyline(&row.trend.points, self.from, self.to),
                    points => row.trend.points.len(),
                }
            })
            .collect();
        let mut pages = minijinja::Environment::new();
        let added = pages.add_template("report.html", include_str!("past/report.html"));
        added.expect("the template is tested");
        let page = pages.get_template("report.html").and_then(|template| {
            template.render(minijinja::context! {
                from => minute(self.from), to => minute(self.to), headline => self.headline(),
                gaps => self.gaps(), rows,
                runs => self.runs.iter().map(|runs| minijinja::context! {
                    suite => visible::text(&runs.suite), target => visible::text(&runs.target),
                    runs => runs.runs, last => minute(runs.last),
                }).collect::<Vec<_>>(),
            })
        });
        page.expect("the template is tested")
    }
}

/// The points of a line in a box of 200 by 24; a run that saw nothing is no point.
fn polyline(points: &[Point], from: Timestamp, to: Timestamp) -> String {
    let whole = to.duration_since(from).as_secs_f64().max(1.0);
    let most = points.iter().filter_map(|point| point.number).fold(1e-9, f64::max);
    let place = |point: &Point| {
        let x = point.at.duration_since(from).as_secs_f64() / whole * 200.0;
        let y = 23.0 - point.number? / most * 22.0;
        Some(format!("{x:.1},{y:.1}"))
    };
    points.iter().filter_map(place).collect::<Vec<_>>().join(" ")
}

fn before_after(trend: &Trend) -> String {
    format!("{} → {}", number(trend.first()), number(trend.last()))
}

fn now(point: &Point) -> String {
    match point.number {
        Some(_) if point.state != State::Clear => {
            format!("{} ({})", point.state.word(), number(point))
        }
        _ => point.state.word().into(),
    }
}

fn number(point: &Point) -> String {
    match point.number {
        Some(number) if point.at_least => format!(">= {number}"),
        Some(number) => number.to_string(),
        None => "not seen".into(),
    }
}

fn or_never(at: Option<Timestamp>, never: &str) -> String {
    at.map_or_else(|| never.to_owned(), minute)
}

/// `26 h`, `3 d 2 h`
pub fn length(length: SignedDuration) -> String {
    let minutes = (length.as_secs().max(0) + 30) / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) if minutes > 0 => format!("{hours} h {minutes} min"),
        (0, hours, _) => format!("{hours} h"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// The last numbers as a line of blocks; what is not nothing never looks like nothing.
fn spark(numbers: &[f64], most: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &numbers[numbers.len().saturating_sub(most)..];
    let top = shown.iter().copied().fold(0.0, f64::max);
    let level = |number: &f64| {
        if top <= 0.0 || *number <= 0.0 {
            return 0;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 1 to 7
        let level = (number / top * 7.0).ceil() as usize;
        level.min(7)
    };
    shown.iter().map(|number| BLOCKS[level(number)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_nothing_and_lengths_read_well() {
        assert_eq!(spark(&[0.0, 1.0, 500.0, 1000.0], 9), "▁▂▅█");
        assert_eq!(spark(&[1.0, 0.0], 1), "▁");
        let said = |minutes| length(SignedDuration::from_mins(minutes));
        assert_eq!(
            [said(7), said(90), said(1440), said(1500)],
            ["7 min", "1 h 30 min", "1 d", "1 d 1 h"]
        );
    }
}
