//! A history of counts in one line: whether it grows, at a glance.

use crate::tui::glyphs::Glyphs;

/// The last values that fit, from nothing to the largest of them. A count that is not zero never
/// looks like zero.
pub fn spark(counts: &[f64], columns: u16, glyphs: &Glyphs) -> String {
    let shown = &counts[counts.len().saturating_sub(usize::from(columns))..];
    let most = shown.iter().copied().fold(0.0, f64::max);
    let levels = glyphs.spark.len() - 1;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let level = |count: f64| (count.max(0.0) / most * levels as f64).ceil() as usize;
    shown
        .iter()
        // All of them nothing: nothing over nothing is no number, and has the lowest level.
        .map(|count| glyphs.spark[level(*count).min(levels)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::{ASCII, UTF8};

    #[test]
    fn growth_can_be_seen_and_one_is_not_nothing() {
        assert_eq!(spark(&[0.0, 1.0, 500.0, 1000.0], 8, &UTF8), "▁▂▅█");
        assert_eq!(spark(&[0.0, 1.0, 500.0, 1000.0], 8, &ASCII), "_.=#");
        assert_eq!(spark(&[1.0, 2.0, 3.0], 2, &UTF8), "▆█");
        assert_eq!(spark(&[], 9, &UTF8), "");
        assert_eq!(spark(&[f64::MAX], 9, &UTF8), "█");
        assert_eq!(spark(&[3.0], 0, &UTF8), "");
        assert_eq!(spark(&[0.0, 0.0], 9, &UTF8), "▁▁");
        assert_eq!(spark(&[-1.0, 0.2, 0.4], 9, &UTF8), "▁▅█");
    }
}
