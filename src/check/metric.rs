//! Metric: a number that is judged by thresholds, alone or as one number for each of several series.
//!
//! The query gives the column `value`; with a `key`, one row a series. A value that is missing is
//! never taken for nothing: whoever may not see it learns that, with the `reason` that the query
//! gives in a column of that name.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Verdict;
use super::verdict::{key_columns, key_hash, key_text};
use crate::value::{Rows, ValueRef};

/// The column that holds the number.
pub const VALUE: &str = "value";
/// The column that says why there is none.
pub const REASON: &str = "reason";

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metric {
    pub warn: Option<Threshold>,
    pub critical: Option<Threshold>,
    pub unit: String,
}

/// Values that are not as they should be: beyond a bound, or outside or inside of a fixed set.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    is: Is,
    bounds: Vec<f64>,
    /// As the file says it.
    words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Above,
    AtLeast,
    Below,
    AtMost,
    OneOf,
    NoneOf,
}

impl Threshold {
    /// `>= 0.8`, `> 3`, `<= 1`, `< 10`, `= 0`, `!= 1`, `in 1, 2`, `not in 1, 2`.
    pub fn parse(text: &str) -> Option<Self> {
        const SIGNS: [(&str, Is); 8] = [
            (">=", Is::AtLeast),
            ("<=", Is::AtMost),
            ("!=", Is::NoneOf),
            (">", Is::Above),
            ("<", Is::Below),
            ("=", Is::OneOf),
            ("not in ", Is::NoneOf),
            ("in ", Is::OneOf),
        ];
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (sign, is) = SIGNS.into_iter().find(|(sign, _)| words.starts_with(sign))?;
        let bounds: Option<Vec<f64>> =
            words[sign.len()..].split(',').map(|bound| number(bound.trim())).collect();
        let bounds = bounds?;
        let is_set = sign.ends_with("in ");
        (is_set || bounds.len() == 1).then_some(Self { is, bounds, words })
    }

    pub fn is_crossed_by(&self, value: f64) -> bool {
        let bound = self.bounds[0];
        match self.is {
            Is::Above => value > bound,
            Is::AtLeast => value >= bound,
            Is::Below => value < bound,
            Is::AtMost => value <= bound,
            Is::OneOf => self.bounds.contains(&value),
            Is::NoneOf => !self.bounds.contains(&value),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

fn number(text: &str) -> Option<f64> {
    // `inf` and `nan` are read as numbers too, and are no thresholds.
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// How far a value is from what it should be; the last is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Fine,
    Warning,
    Critical,
}

/// What a metric showed: the worst of its series, and how many are over a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub level: Level,
    /// The text of the server, so that nothing is rounded.
    pub value: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// The name of the series, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// The threshold that was crossed; of a value that is fine, the first one that it could cross.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// How many series are over a threshold, and how many there are.
    pub over: u64,
    pub of: u64,
}

impl Reading {
    pub fn number(&self) -> f64 {
        self.value.parse().unwrap_or_default()
    }

    /// The value with its unit; a ratio reads as it is compared.
    pub fn amount(&self) -> String {
        if self.unit.is_empty() {
            self.value.clone()
        } else {
            format!("{} {}", self.value, self.unit)
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(series) = &self.series {
            write!(f, "{series}: ")?;
        }
        f.write_str(&self.amount())?;
        match (self.level, &self.threshold) {
            (Level::Fine, Some(threshold)) => write!(f, " (warns at {threshold})")?,
            (Level::Warning, Some(threshold)) => write!(f, ", warning at {threshold}")?,
            (Level::Critical, Some(threshold)) => write!(f, ", critical at {threshold}")?,
            (_, None) => {}
        }
        if self.of > 1 && self.over > 0 {
            write!(f, "; {} of {} over a threshold", self.over, self.of)?;
        }
        Ok(())
    }
}

impl Metric {
    fn level(&self, value: f64) -> (Level, Option<&Threshold>) {
        let crossed = |threshold: &&Threshold| threshold.is_crossed_by(value);
        if let Some(critical) = self.critical.as_ref().filter(crossed) {
            return (Level::Critical, Some(critical));
        }
        if let Some(warn) = self.warn.as_ref().filter(crossed) {
            return (Level::Warning, Some(warn));
        }
        (Level::Fine, self.warn.as_ref().or(self.critical.as_ref()))
    }

    /// Judges what came back. The rows are given back with the worst series first, and the keys of
    /// those that are over a threshold.
    pub fn judge(&self, rows: &Rows, key: &[String]) -> (Verdict, Rows, Vec<u64>) {
        match self.readings(rows, key) {
            Ok(readings) => self.worst(rows, key, readings),
            Err(reason) => (Verdict::Inconclusive { reason }, rows.clone(), Vec::new()),
        }
    }

    /// The row of each series with its number, or why one of them is missing.
    fn readings(&self, rows: &Rows, key: &[String]) -> Result<Vec<(usize, f64)>, String> {
        let Some(column) = rows.column(VALUE) else {
            return Err(format!("the query has no column {VALUE}"));
        };
        if rows.is_empty() {
            return Err("no value came back".into());
        }
        if key.is_empty() && rows.len() > 1 {
            return Err(format!("one value was expected and {} came back", rows.len()));
        }
        let mut readings = Vec::with_capacity(rows.len());
        let mut blind = None;
        for row in 0..rows.len() {
            match as_number(rows.get(row, column)) {
                Some(number) => readings.push((row, number)),
                None => blind = blind.or_else(|| Some(why(rows, row, key))),
            }
        }
        let critical = |reading: &(usize, f64)| self.level(reading.1).0 == Level::Critical;
        match blind {
            // What was seen is bad enough, whatever could not be seen.
            Some(_) if readings.iter().any(critical) => Ok(readings),
            Some(reason) => Err(reason),
            None => Ok(readings),
        }
    }

    fn worst(
        &self,
        rows: &Rows,
        key: &[String],
        mut readings: Vec<(usize, f64)>,
    ) -> (Verdict, Rows, Vec<u64>) {
        let rising = self.warn.as_ref().or(self.critical.as_ref()).is_none_or(|threshold| {
            matches!(threshold.is, Is::Above | Is::AtLeast | Is::OneOf | Is::NoneOf)
        });
        readings.sort_by(|(_, a), (_, b)| {
            let values = if rising { b.total_cmp(a) } else { a.total_cmp(b) };
            self.level(*b).0.cmp(&self.level(*a).0).then(values)
        });
        let mut sorted = Rows::new(rows.columns().to_vec());
        for (row, _) in &readings {
            sorted.push(rows.row(*row));
        }
        let over = readings.iter().filter(|(_, value)| self.level(*value).0 > Level::Fine).count();
        let columns = key_columns(rows.columns(), key);
        let keys = readings[..over]
            .iter()
            .map(|(row, _)| key_hash(columns.iter().map(|column| rows.get(*row, *column))))
            .collect();
        let (row, value) = readings[0];
        let (level, threshold) = self.level(value);
        let shown = rows.column(VALUE).and_then(|column| rows.get(row, column).plain());
        let reading = Reading {
            level,
            value: shown.unwrap_or_default(),
            unit: self.unit.clone(),
            series: (!key.is_empty()).then(|| key_text(rows, row, &columns)),
            threshold: threshold.map(ToString::to_string),
            over: over as u64,
            of: readings.len() as u64,
        };
        (Verdict::Measured { reading }, sorted, keys)
    }
}

fn as_number(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Text(text) => number(text.trim()),
        ValueRef::Real(number) => number.is_finite().then_some(number),
        #[allow(clippy::cast_precision_loss)] // a threshold is no exact number either
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Null | ValueRef::Bytes(_) => None,
    }
}

fn why(rows: &Rows, row: usize, key: &[String]) -> String {
    let of = if key.is_empty() {
        String::new()
    } else {
        format!(" of {}", key_text(rows, row, &key_columns(rows.columns(), key)))
    };
    let said = rows.column(REASON).and_then(|column| rows.get(row, column).plain());
    match (said, rows.column(VALUE).map(|column| rows.get(row, column))) {
        (Some(reason), _) => reason,
        (None, Some(ValueRef::Null) | None) => format!("the value{of} is missing (NULL)"),
        (None, Some(other)) => {
            let text = other.plain().unwrap_or_default();
            format!("the value{of} is no number: {}", crate::source::quoted(&text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(warn: &str, critical: &str) -> Metric {
        let threshold =
            |text: &str| (!text.is_empty()).then(|| Threshold::parse(text).expect(text));
        Metric { warn: threshold(warn), critical: threshold(critical), unit: "s".into() }
    }

    fn rows(values: &[(&str, ValueRef<'_>)]) -> Rows {
        let mut rows = Rows::new(vec!["name".into(), VALUE.into()]);
        for (name, value) in values {
            rows.push([ValueRef::Text(name), *value]);
        }
        rows
    }

    fn words(metric: &Metric, values: &[(&str, ValueRef<'_>)], key: &[&str]) -> String {
        let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
        match metric.judge(&rows(values), &key).0 {
            Verdict::Measured { reading } => format!("{:?} {reading}", reading.level),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn thresholds_are_read_in_either_direction_and_as_a_set() {
        let crosses = |text: &str, value| Threshold::parse(text).expect(text).is_crossed_by(value);
        assert!(crosses(">= 0.8", 0.8) && !crosses(">= 0.8", 0.79));
        assert!(crosses("> 3", 3.1) && !crosses("> 3", 3.0));
        assert!(crosses("<1", 0.5) && !crosses("< 1", 1.0) && crosses("<= 1", 1.0));
        assert!(crosses("!= 1", 0.0) && crosses("= 0", 0.0) && !crosses("= 0", 0.1));
        assert!(crosses("in 1, 2", 2.0) && crosses("not in 1, 2", 3.0) && !crosses("in 1", 2.0));
        for wrong in ["", "0.8", ">", "> x", "> 1, 2", "in", ">= nan", "> inf", "about 3"] {
            assert_eq!(Threshold::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_value_is_fine_a_warning_or_critical() {
        let metric = metric(">= 30", ">= 60");
        let said = |value| words(&metric, &[("", ValueRef::Integer(value))], &[]);
        assert_eq!(said(3), "Fine 3 s (warns at >= 30)");
        assert_eq!(said(30), "Warning 30 s, warning at >= 30");
        assert_eq!(said(60), "Critical 60 s, critical at >= 60");
    }

    #[test]
    fn a_missing_value_is_never_nothing() {
        let metric = metric("> 1", "");
        for (values, reason) in [
            (&[][..], "no value came back"),
            (&[("", ValueRef::Null)], "the value is missing (NULL)"),
            (&[("", ValueRef::Text("many"))], "the value is no number: \"many\""),
            (
                &[("", ValueRef::Integer(1)), ("", ValueRef::Integer(2))],
                "one value was expected and 2 came back",
            ),
        ] {
            let verdict = Verdict::Inconclusive { reason: reason.into() };
            assert_eq!(metric.judge(&rows(values), &[]).0, verdict);
        }
    }

    #[test]
    fn the_worst_series_speaks_and_a_blind_one_hides_nothing_critical() {
        let metric = metric("< 10", "< 5");
        let (a, b) = (("a", ValueRef::Integer(7)), ("b", ValueRef::Text("4.50")));
        let c = ("c", ValueRef::Integer(99));
        assert_eq!(
            words(&metric, &[a, c, b], &["name"]),
            "Critical b: 4.50 s, critical at < 5; 2 of 3 over a threshold"
        );
        let (_, sorted, keys) = metric.judge(&rows(&[a, c, b]), &["name".into()]);
        assert_eq!((sorted.get(0, 0), keys.len()), (ValueRef::Text("b"), 2));
        let blind = ("d", ValueRef::Null);
        assert!(words(&metric, &[blind, b], &["name"]).starts_with("Critical"));
        assert!(words(&metric, &[blind, a], &["name"]).contains("the value of d is missing"));
    }
}
