//! A history of counts in one line: whether it grows, at a glance.

use crate::tui::glyphs::Glyphs;

/// The last values that fit, from nothing to the largest of them. A count that is not zero never
/// looks like zero.
pub fn spark(counts: &[u64], columns: u16, glyphs: &Glyphs) -> String {
    let shown = &counts[counts.len().saturating_sub(usize::from(columns))..];
    let most = u128::from(shown.iter().copied().max().unwrap_or(0).max(1));
    let levels = glyphs.spark.len() as u128 - 1;
    shown
        .iter()
        .map(|count| {
            let level = (u128::from(*count) * levels).div_ceil(most);
            glyphs.spark[usize::try_from(level).unwrap_or(0)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::{ASCII, UTF8};

    #[test]
    fn growth_can_be_seen_and_one_is_not_nothing() {
        assert_eq!(spark(&[0, 1, 500, 1000], 8, &UTF8), "▁▂▅█");
        assert_eq!(spark(&[0, 1, 500, 1000], 8, &ASCII), "_.=#");
        assert_eq!(spark(&[1, 2, 3], 2, &UTF8), "▆█");
        assert_eq!(spark(&[], 9, &UTF8), "");
        assert_eq!(spark(&[u64::MAX], 9, &UTF8), "█");
        assert_eq!(spark(&[3], 0, &UTF8), "");
    }
}
