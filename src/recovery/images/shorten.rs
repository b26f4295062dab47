//! A row as far as it is looked at: of a value of very many bytes, a stretch that shows what changed.

use super::RowImage;
use crate::value::{Value, visible};

/// Bytes of a value that are seen.
const STRETCH: usize = 2_000;
/// Of these, before the first difference.
const BEFORE: usize = 40;
/// Bytes of what is said around a stretch: what was shortened once is not shortened again.
const AROUND: usize = 100;

pub fn row(row: RowImage) -> RowImage {
    if !values(&row).any(is_long) {
        return row;
    }
    let (before, after) = (row.before.as_deref(), row.after.as_deref());
    let side = |one: Option<&[Value]>, other: Option<&[Value]>| {
        one.map(|values| {
            let others = |at: usize| other.and_then(|other| other.get(at));
            values.iter().enumerate().map(|(at, value)| stretch(value, others(at))).collect()
        })
    };
    RowImage {
        key: row.key.iter().map(|value| stretch(value, None)).collect(),
        before: side(before, after),
        after: side(after, before),
    }
}

/// What the row takes, about.
pub fn bytes(row: &RowImage) -> usize {
    values(row).map(Value::weight).sum()
}

fn values(row: &RowImage) -> impl Iterator<Item = &Value> {
    let sides = [Some(&row.key), row.before.as_ref(), row.after.as_ref()];
    sides.into_iter().flatten().flatten()
}

fn is_long(value: &Value) -> bool {
    value.raw().len() > STRETCH + AROUND
}

/// From where two values differ, so that what is seen of them differs too.
pub fn stretch(value: &Value, other: Option<&Value>) -> Value {
    if !is_long(value) {
        return value.clone();
    }
    let whole = value.raw().len();
    let same = other.map_or(0, |other| {
        let pairs = value.raw().iter().zip(other.raw());
        let same = pairs.take_while(|(one, other)| one == other).count();
        if same == whole && other.raw().len() == whole { 0 } else { same }
    });
    let from = same.saturating_sub(BEFORE);
    let lead = if from > 0 { "... " } else { "" };
    let size = visible::size(whole);
    match value {
        Value::Text(text) => {
            let from = text.floor_char_boundary(from);
            let to = text.floor_char_boundary((from + STRETCH).min(whole));
            Value::Text(format!("{lead}{} ... of {size}", &text[from..to]))
        }
        _ => {
            let shown = &value.raw()[from..(from + STRETCH / 2).min(whole)];
            Value::Text(format!("{lead}{} ... of {size}", crate::value::hex(shown)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_of_two_long_values_is_where_they_differ() {
        let long = |end: &str| Value::Text("a".repeat(1 << 20) + end);
        let image = |end: &str| Some(vec![Value::Integer(1), long(end), long("same")]);
        let whole =
            RowImage { key: vec![Value::Integer(1)], before: image("x"), after: image("y") };
        let seen = row(whole.clone());
        assert_eq!(seen.changed(), whole.changed());
        assert!(bytes(&seen) < 10_000, "{}", bytes(&seen));
        let Some(Value::Text(text)) = seen.after.as_ref().map(|after| &after[1]) else {
            panic!("{seen:?}")
        };
        assert!(text.starts_with("... aaa") && text.contains("aay ... of 1.0 MB"), "{text}");
        assert_eq!(row(seen.clone()), seen);
    }

    #[test]
    fn a_short_row_is_seen_whole() {
        let values = || Some(vec![Value::Null, Value::Text("ü".repeat(900)), Value::Real(0.5)]);
        let whole = RowImage { key: vec![Value::Integer(7)], before: values(), after: None };
        assert_eq!(row(whole.clone()), whole);
    }
}
