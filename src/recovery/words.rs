//! What is said of a row in a sentence: its key, and its values as far as they are looked at.

use super::images::shorten::stretch;
use crate::value::{Value, visible};

/// `id 17`, or `(order_id 4, line 2)`.
pub fn key_words(names: &[String], key: &[Value]) -> String {
    let parts: Vec<String> = if names.len() == key.len() {
        names.iter().zip(key).map(|(name, value)| format!("{name} {}", show(value))).collect()
    } else {
        key.iter().map(show).collect()
    };
    if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(", ")) }
}

/// A value in a sentence; of a very long one its beginning, and how long it is.
pub fn show(value: &Value) -> String {
    value.as_ref().told().map_or_else(|| "NULL".into(), |text| visible::text(&text).into_owned())
}

/// A value before and after; of very long ones a stretch from where they differ, so that two that differ
/// are never shown alike.
pub fn show_pair(before: &Value, after: &Value) -> (String, String) {
    (show(&stretch(before, Some(after))), show(&stretch(after, Some(before))))
}
