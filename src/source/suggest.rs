//! Words for messages: what was probably meant, values in quotes that cannot act, lists in prose.

use super::mask;

/// The candidate that was probably meant, if one is near enough.
pub fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| {
            // One slip in a short word, a third of a long one; and a word cut short or drawn out.
            let longest = word.chars().count().max(candidate.chars().count());
            *distance <= (longest / 3).max(1)
                || (lower.len() >= 4 && candidate.to_lowercase().starts_with(&lower))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A value in double quotes, cut to a length that fits a line, its control characters spelt out, and what looks
/// like a secret hidden: it may be anything that somebody wrote in the wrong place.
pub fn quoted(value: &str) -> String {
    const SHOWN: usize = 60;
    let value = mask(value);
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}", format!("{}…", &value[..end])),
        None => format!("{value:?}"),
    }
}

/// A word as a shell takes it back: as it is, or in single quotes.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    let is_plain = !text.is_empty() && text.chars().all(plain);
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// `a`, `a or b`, `a, b or c`.
pub fn list<S: AsRef<str>>(words: &[S], joiner: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} {joiner} {}", most.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let keys = ["severity", "summary", "id", "title", "must_not_worsen"];
        assert_eq!(did_you_mean("severty", keys), Some("severity"));
        assert_eq!(did_you_mean("Title", keys), Some("title"));
        assert_eq!(did_you_mean("must_not", keys), Some("must_not_worsen"));
        assert_eq!(did_you_mean("colour", keys), None);
    }

    #[test]
    fn prose_lists() {
        assert_eq!(list(&["a"], "or"), "a");
        assert_eq!(list(&["a", "b", "c"], "or"), "a, b or c");
    }
}
