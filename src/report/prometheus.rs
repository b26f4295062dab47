//! The text format of Prometheus, for the textfile collector of the node exporter.
//!
//! What was not seen has no number: its series is missing, and its state says why. No row and no key
//! is ever a label.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Outcome, Totals};
use crate::check::verdict::Count;
use crate::exit::Exit;

/// `at` is when the run began. Every series names the `suites` of the run: two runs may lie in one folder, and
/// what has the same labels there is dropped.
pub fn page<'o>(
    outcomes: impl IntoIterator<Item = &'o Outcome, IntoIter: Clone>,
    totals: &Totals,
    suites: &[String],
    at: Timestamp,
) -> String {
    let suite = suites.join(",");
    let outcomes = outcomes.into_iter();
    let mut out = String::new();
    let mut family = |name: &str, help: &str, value: &dyn Fn(&Outcome) -> Option<f64>| {
        let _ = writeln!(out, "# HELP steadyhand_check_{name} {help}");
        let _ = writeln!(out, "# TYPE steadyhand_check_{name} gauge");
        for one in outcomes.clone() {
            if let Some(value) = value(one) {
                let _ = writeln!(out, "steadyhand_check_{name}{{{}}} {value}", labels(one, &suite));
            }
        }
    };
    family("state", "0 clear, 1 warning, 2 violated, 3 inconclusive.", &|one| {
        Some(f64::from(one.exit().code()))
    });
    #[allow(clippy::cast_precision_loss)] // the format knows no other number
    family("violations", "Rows that violate the rule.", &|one| {
        one.finding.verdict.violations().map(|count| count.number() as f64)
    });
    family("exact", "1 if the number of violations is exact, 0 if it is a lower bound.", &|one| {
        one.finding.verdict.violations().map(|count| f64::from(u8::from(Count::is_exact(count))))
    });
    family("value", "The value of a metric.", &|one| {
        one.finding.verdict.reading().map(crate::check::Reading::number)
    });
    family("duration_seconds", "How long the check took.", &|one| {
        (one.exit() != Exit::Inconclusive).then_some(one.finding.seconds)
    });
    #[allow(clippy::cast_precision_loss)]
    for (name, help, value) in [
        ("timestamp_seconds", "When the run began.", at.as_second() as f64),
        ("duration_seconds", "How long the run took.", totals.seconds),
        ("exit_code", "The exit code of the run.", f64::from(totals.exit.code())),
        ("checks", "Checks that were asked for.", totals.checks as f64),
    ] {
        let _ = writeln!(out, "# HELP steadyhand_run_{name} {help}");
        let _ = writeln!(out, "# TYPE steadyhand_run_{name} gauge");
        let _ = writeln!(out, "steadyhand_run_{name}{{suite=\"{}\"}} {value}", escaped(&suite));
    }
    out
}

fn labels(outcome: &Outcome, suite: &str) -> String {
    let check = &outcome.check;
    let mut labels = vec![
        ("check", check.id.as_str()),
        ("target", &outcome.target),
        ("severity", check.severity.key()),
        ("owner", &check.owner),
        ("suite", suite),
    ];
    if let Some(reading) = outcome.finding.verdict.reading() {
        labels.push(("unit", &reading.unit));
    }
    let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
    labels.iter().map(label).collect::<Vec<_>>().join(",")
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
