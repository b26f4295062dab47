//! Where a part of a text value stands in the file, behind quotes, escapes and joined lines.

/// The bytes of `raw`, a TOML string with its quotes, in front of byte `wanted` of its `value`.
/// `None` if the two do not fit together, as when a secret in it was hidden.
pub(super) fn offset(raw: &str, value: &str, wanted: usize) -> Option<usize> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| raw.starts_with(quote))?;
    let inner = raw.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut at = quote.len();
    // TOML drops a line break right behind three quotes.
    if quote.len() == 3 {
        at += ["\r\n", "\n"].into_iter().find(|line| inner.starts_with(line)).map_or(0, str::len);
    }
    let escapes = quote.starts_with('"');
    let end = raw.len() - quote.len();
    let mut decoded = 0;
    while at < end {
        let (taken, character) = if escapes && raw[at..].starts_with('\\') {
            escape(&raw[at..end])?
        } else if raw[at..].starts_with("\r\n") && value.get(decoded..)?.starts_with('\n') {
            (2, Some('\n'))
        } else {
            let character = raw[at..].chars().next()?;
            (character.len_utf8(), Some(character))
        };
        if let Some(character) = character {
            if decoded >= wanted {
                break;
            }
            if !value.get(decoded..)?.starts_with(character) {
                return None;
            }
            decoded += character.len_utf8();
        }
        at += taken;
    }
    (decoded == wanted).then_some(at)
}

/// The length of an escape and its character; a backslash at the end of a line joins it to the next
/// text and is none.
fn escape(text: &str) -> Option<(usize, Option<char>)> {
    let behind = &text[1..];
    let digits = |count: usize| {
        let code = u32::from_str_radix(behind.get(1..=count)?, 16).ok()?;
        Some((count + 2, Some(char::from_u32(code)?)))
    };
    let one = |character| Some((2, Some(character)));
    match behind.chars().next()? {
        'n' => one('\n'),
        't' => one('\t'),
        'r' => one('\r'),
        'b' => one('\u{8}'),
        'f' => one('\u{c}'),
        'e' => one('\u{1b}'),
        '"' => one('"'),
        '\\' => one('\\'),
        'x' => digits(2),
        'u' => digits(4),
        'U' => digits(8),
        _ => {
            let blank = behind.len() - behind.trim_start().len();
            (blank > 0).then_some((1 + blank, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn escapes_and_joined_lines_are_counted() {
        assert_eq!(offset("\"ab\"", "ab", 1), Some(2));
        assert_eq!(offset("'a\\b'", "a\\b", 2), Some(3));
        assert_eq!(offset("\"a\\tb\"", "a\tb", 2), Some(4));
        assert_eq!(offset("\"\\u00e4b\"", "äb", 2), Some(7));
        assert_eq!(offset("\"\"\"\na \\\n   b\"\"\"", "a b", 2), Some(11));
        assert_eq!(offset("\"ab\"", "ab", 2), Some(3));
        assert_eq!(offset("\"***\"", "abc", 1), None);
    }
}
