//! A text that is looked for, in any letter case.

use super::ValueRef;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    lower: String,
}

impl Needle {
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self { lower: text.to_lowercase() })
    }

    pub fn is_in(&self, value: ValueRef<'_>) -> bool {
        match value {
            ValueRef::Text(text) => self.is_in_text(text),
            other => self.is_in_text(other.plain().as_deref().unwrap_or("NULL")),
        }
    }

    pub fn is_in_text(&self, text: &str) -> bool {
        if self.lower.is_ascii() {
            // No allocation: this runs over every value of every row.
            let needle = self.lower.as_bytes();
            return text.as_bytes().windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle));
        }
        text.to_lowercase().contains(&self.lower)
    }

    /// How much of two pieces of a text must overlap so that nothing is missed between them.
    pub fn overlap(&self) -> usize {
        // Some letters are longer in lower case, by three bytes to one at the worst.
        self.lower.len() * 3
    }

    /// Where it stands in a text that is drawn; bytes, not overlapping.
    pub fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let lower = text.to_lowercase();
        // Some letters change their length in lower case; then the places would be wrong.
        if lower.len() != text.len() {
            return Vec::new();
        }
        lower
            .match_indices(&self.lower)
            .map(|(at, found)| (at, at + found.len()))
            .filter(|(from, to)| text.is_char_boundary(*from) && text.is_char_boundary(*to))
            .collect()
    }
}
