//! Metric: a number that is judged by thresholds, alone or as one number for each of several series.
//!
//! The query gives the column `value`; with a `key`, one row a series. A value that is missing is
//! never taken for nothing: whoever may not see it learns that, with the `reason` that the query
//! gives in a column of that name.
//!
//! The worst series may be any of very many, so rows are judged as they come.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Verdict;
use super::keys::{self, Keys};
use super::verdict::{key_columns, key_hash, key_text, lacks_key};
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
        let bounds: Option<Vec<f64>> = words[sign.len()..].split(',').map(number).collect();
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

/// Why the warning of two thresholds would never show: whatever crosses it is critical.
pub fn never_warns(warn: Option<&Threshold>, critical: Option<&Threshold>) -> Option<String> {
    let (warn, critical) = (warn?, critical?);
    let bound = warn.bounds[0];
    let hidden = match (warn.is, critical.is) {
        (Is::Above, Is::Above | Is::AtLeast) => critical.bounds[0] <= bound,
        (Is::Below, Is::Below | Is::AtMost) => critical.bounds[0] >= bound,
        (Is::AtLeast, Is::Above | Is::AtLeast) | (Is::AtMost, Is::Below | Is::AtMost) => {
            critical.is_crossed_by(bound)
        }
        _ => false,
    };
    hidden.then(|| format!("`warn` {warn} never shows: what crosses it is `critical` {critical}."))
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Functions that form numbers leave blanks before them.
fn number(text: &str) -> Option<f64> {
    // `inf` and `nan` are read as numbers too, and are no thresholds.
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
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
        number(&self.value).unwrap_or_default()
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

    /// Puts the worst number first, and what is none behind all.
    fn by_badness(&self, a: Option<f64>, b: Option<f64>) -> Ordering {
        let (Some(a), Some(b)) = (a, b) else { return b.is_some().cmp(&a.is_some()) };
        let rising = self.warn.as_ref().or(self.critical.as_ref()).is_none_or(|threshold| {
            matches!(threshold.is, Is::Above | Is::AtLeast | Is::OneOf | Is::NoneOf)
        });
        let values = if rising { b.total_cmp(&a) } else { a.total_cmp(&b) };
        self.level(b).0.cmp(&self.level(a).0).then(values)
    }
}

/// Judges the rows of a metric as they come, and keeps the worst of them.
#[derive(Debug)]
pub struct Judge<'m> {
    metric: &'m Metric,
    key: &'m [String],
    most: usize,
    most_bytes: usize,
    /// The worst, and those that came since these were told apart.
    rows: Rows,
    /// By row.
    numbers: Vec<Option<f64>>,
    seen: u64,
    /// How many have a number, and how many of these are over a threshold.
    of: u64,
    over: u64,
    critical: bool,
    /// Why the first value that is missing is missing.
    blind: Option<String>,
    /// Where those gather that are over a threshold.
    keys: Option<keys::Gather>,
}

/// What became of a metric: its verdict, the rows with the worst series first, and the keys of those that
/// are over a threshold.
#[derive(Debug)]
pub struct Judged {
    pub verdict: Verdict,
    pub rows: Rows,
    pub keys: Option<Keys>,
}

impl<'m> Judge<'m> {
    pub fn new(
        metric: &'m Metric,
        key: &'m [String],
        (most, most_bytes): (usize, usize),
        keys: Option<keys::Gather>,
    ) -> Self {
        Self {
            metric,
            key,
            most: most.max(1),
            most_bytes,
            rows: Rows::default(),
            numbers: Vec::new(),
            seen: 0,
            of: 0,
            over: 0,
            critical: false,
            blind: None,
            keys,
        }
    }

    pub fn take(&mut self, names: &[String], row: &[ValueRef<'_>]) {
        if self.seen == 0 {
            self.rows = Rows::new(names.to_vec());
        }
        self.seen += 1;
        self.rows.push(row.iter().copied());
        let column = self.rows.column(VALUE);
        let number = column.and_then(|column| as_number(row[column]));
        self.numbers.push(number);
        match number.map(|number| self.metric.level(number).0) {
            None => {
                let unseen = || why(&self.rows, self.rows.len() - 1, self.key);
                self.blind.get_or_insert_with(unseen);
            }
            Some(level) => {
                self.of += 1;
                self.over += u64::from(level > Level::Fine);
                self.critical |= level == Level::Critical;
                if level > Level::Fine {
                    let columns = key_columns(names, self.key);
                    let key = key_hash(columns.into_iter().map(|column| row[column]));
                    self.keys =
                        self.keys.take().and_then(|mut keys| keys.push(key).ok().map(|()| keys));
                }
            }
        }
        let len = self.rows.len();
        if len >= 2 * self.most {
            self.sort(self.most);
        } else if len > 1 && self.rows.bytes() >= self.most_bytes {
            self.sort(len / 2);
        }
    }

    /// Keeps so many of the worst.
    fn sort(&mut self, most: usize) {
        let mut order: Vec<usize> = (0..self.numbers.len()).collect();
        order.sort_by(|a, b| self.metric.by_badness(self.numbers[*a], self.numbers[*b]));
        order.truncate(most);
        let mut sorted = Rows::new(self.rows.columns().to_vec());
        for row in &order {
            sorted.push(self.rows.row(*row));
        }
        self.numbers = order.into_iter().map(|row| self.numbers[row]).collect();
        self.rows = sorted;
    }

    /// With the columns of the query, which no row may have told.
    pub fn finish(mut self, names: Vec<String>) -> Judged {
        if self.seen == 0 {
            self.rows = Rows::new(names);
        }
        self.sort(self.most);
        let verdict = match self.unfit() {
            Some(reason) => Verdict::Inconclusive { reason },
            None => Verdict::Measured { reading: self.reading() },
        };
        let keys = self.keys.and_then(|keys| keys.finish().ok());
        Judged { verdict, rows: self.rows, keys }
    }

    /// Why nothing can be said, if so.
    fn unfit(&self) -> Option<String> {
        if self.rows.column(VALUE).is_none() {
            return Some(format!("the query has no column {VALUE}"));
        }
        if let Some(reason) = lacks_key(self.rows.columns(), self.key) {
            return Some(reason);
        }
        match self.seen {
            0 => Some("no value came back".into()),
            2.. if self.key.is_empty() => {
                Some(format!("one value was expected and {} came back", self.seen))
            }
            // What was seen is bad enough, whatever could not be seen.
            _ => self.blind.clone().filter(|_| !self.critical),
        }
    }

    /// The worst, with a number there is.
    fn reading(&self) -> Reading {
        let number = self.numbers.first().copied().flatten().unwrap_or_default();
        let (level, threshold) = self.metric.level(number);
        let text = self.rows.column(VALUE).and_then(|column| self.rows.get(0, column).plain());
        let columns = key_columns(self.rows.columns(), self.key);
        Reading {
            level,
            value: text.unwrap_or_default().trim().to_owned(),
            unit: self.metric.unit.clone(),
            series: (!self.key.is_empty()).then(|| key_text(&self.rows, 0, &columns)),
            threshold: threshold.map(ToString::to_string),
            over: self.over,
            of: self.of,
        }
    }
}

fn as_number(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Text(text) => number(text),
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

    fn judge(metric: &Metric, values: &[(&str, ValueRef<'_>)], key: &[String]) -> Judged {
        let names = ["name".to_owned(), VALUE.to_owned()];
        let gather = Some(keys::Gather::default());
        let mut judge = Judge::new(metric, key, (2, 1 << 20), gather);
        for (name, value) in values {
            judge.take(&names, &[ValueRef::Text(name), *value]);
        }
        judge.finish(names.to_vec())
    }

    fn words(metric: &Metric, values: &[(&str, ValueRef<'_>)], key: &[&str]) -> String {
        let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
        match judge(metric, values, &key).verdict {
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
        let never = |warn, critical| {
            let [warn, critical] = [warn, critical].map(Threshold::parse);
            never_warns(warn.as_ref(), critical.as_ref()).is_some()
        };
        for (warn, critical) in
            [(">= 10", ">= 5"), (">= 5", ">= 5"), ("> 5", ">= 5"), ("< 5", "< 10"), ("<= 5", "< 6")]
        {
            assert!(never(warn, critical), "{warn} {critical}");
        }
        for (warn, critical) in
            [(">= 5", "> 5"), (">= 5", ">= 10"), ("< 10", "< 5"), ("< 5", "> 1"), ("!= 1", "> 5")]
        {
            assert!(!never(warn, critical), "{warn} {critical}");
        }
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
            assert_eq!(judge(&metric, values, &[]).verdict, verdict);
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
        let judged = judge(&metric, &[a, c, b], &["name".into()]);
        let keys = judged.keys.expect("they were gathered");
        assert_eq!((judged.rows.get(0, 0), keys.len()), (ValueRef::Text("b"), 2));
        let many: Vec<_> = std::iter::repeat_n(c, 50).chain([b]).chain([c; 50]).collect();
        assert_eq!(
            words(&metric, &many, &["name"]),
            "Critical b: 4.50 s, critical at < 5; 1 of 101 over a threshold"
        );
        let blind = ("d", ValueRef::Null);
        assert!(words(&metric, &[blind, b], &["name"]).starts_with("Critical"));
        assert!(words(&metric, &[blind, a], &["name"]).contains("the value of d is missing"));
    }
}
