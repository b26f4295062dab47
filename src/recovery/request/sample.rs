//! The first rows of a request, so that whoever agrees sees what changes, and the file stays short.

use super::Sample;
use crate::recovery::words::{key_words, show, show_pair};
use crate::recovery::{Preview, RowImage, TableHead};
use crate::value::Value;

/// Rows of each table that are shown, of all tables, values of a row, and letters of a value.
const SAMPLE: usize = 5;
const SAMPLES: usize = 40;
const VALUES: usize = 12;
const VALUE: usize = 160;

/// Of each table its first rows, up to a number of all.
pub(super) fn of(preview: &Preview) -> Vec<Sample> {
    let of = |head: &TableHead, row: &RowImage| Sample {
        table: head.table.clone(),
        key: clipped(key_words(&head.key, &row.key)),
        changes: changes(head, row),
    };
    let tables = preview.images.iter();
    tables
        .flat_map(|images| images.rows.seen().take(SAMPLE).map(|row| of(&images.head, row)))
        .take(SAMPLES)
        .collect()
}

fn changes(head: &TableHead, row: &RowImage) -> Vec<String> {
    let value = |at: usize, values: &[Value]| clipped(show(&values[at]));
    let mut all: Vec<String> = match (&row.before, &row.after) {
        (Some(before), Some(after)) => row
            .changed()
            .into_iter()
            .map(|at| {
                let (before, after) = clipped_pair(show_pair(&before[at], &after[at]));
                format!("{} {before} -> {after}", head.columns[at])
            })
            .collect(),
        (None, Some(values)) | (Some(values), None) => {
            let sign = if row.before.is_none() { '+' } else { '-' };
            let columns = head.columns.iter().enumerate().take(values.len());
            columns.map(|(at, name)| format!("{sign} {name} {}", value(at, values))).collect()
        }
        (None, None) => Vec::new(),
    };
    let more = all.len().saturating_sub(VALUES);
    all.truncate(VALUES);
    all.extend((more > 0).then(|| format!("{more} more")));
    all
}

/// Two texts that differ, each from a little before that if it lies behind what is shown.
fn clipped_pair((before, after): (String, String)) -> (String, String) {
    let pairs = before.chars().zip(after.chars());
    let same = pairs.take_while(|(one, other)| one == other).count();
    if same < VALUE {
        return (clipped(before), clipped(after));
    }
    let from = |text: &str| -> String { text.chars().skip(same - VALUE / 4).collect() };
    let told = |text: &str| format!("...{}", clipped(from(text)));
    (told(&before), told(&after))
}

fn clipped(text: String) -> String {
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_are_never_shown_alike() {
        let head = TableHead { columns: vec!["doc".into()], ..TableHead::default() };
        for length in [0, 159, 160, 161, 2_000, 2_060, 2_120, 10_000] {
            for (old, new) in [("open", "shut"), ("", "x"), ("\u{1}\u{2}", "\u{1}\u{3}")] {
                let image = |end: &str| {
                    let text = "a".repeat(length) + end + &"b".repeat(length);
                    Some(vec![Value::Text(text)])
                };
                let row = RowImage { key: Vec::new(), before: image(old), after: image(new) };
                let told = changes(&head, &row).concat();
                let pair = told.strip_prefix("doc ").and_then(|told| told.split_once(" -> "));
                assert!(pair.is_some_and(|(old, new)| old != new), "{length}: {told}");
                assert!(told.chars().count() < 2 * VALUE + 30, "{length}: {told}");
            }
        }
    }
}
