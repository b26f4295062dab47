//! Data inside Markdown: shown as it is, never obeyed by a renderer or a terminal.
//!
//! Everything of the incident that a person or a database typed goes through here; only the human
//! parts are Markdown of their author.

use crate::value::visible;

/// One line of text inside a paragraph, a list item or a table cell.
pub fn inline(text: &str) -> String {
    let shown = visible::text(text);
    let chars: Vec<char> = shown.chars().collect();
    let mut out = String::with_capacity(shown.len());
    for (at, c) in chars.iter().copied().enumerate() {
        if is_special(&chars, at, c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A name or a digest in a code span; text that would end the span is escaped instead.
pub fn code(text: &str) -> String {
    let shown = visible::text(text);
    if shown.is_empty() || shown.contains(['`', '|', '\\']) || shown.trim() != shown {
        return inline(text);
    }
    format!("`{shown}`")
}

/// Text of several lines as a quotation.
pub fn quotation(text: &str) -> String {
    let lines = text.trim_end().split('\n');
    let quoted = lines.map(|line| format!("> {}", inline(line.trim_end_matches('\r'))));
    quoted.collect::<Vec<_>>().join("\n")
}

fn is_special(chars: &[char], at: usize, c: char) -> bool {
    let around = |offset: isize| {
        at.checked_add_signed(offset).and_then(|at| chars.get(at)).copied().unwrap_or(' ')
    };
    match c {
        '\\' | '`' | '*' | '[' | ']' | '<' | '|' | '~' => true,
        // Inside a word an underscore means nothing, and names are full of them.
        '_' => !(around(-1).is_alphanumeric() && around(1).is_alphanumeric()),
        '&' => around(1) == '#' || around(1).is_alphanumeric(),
        '#' | '>' | '+' | '-' | '=' | ':' => at == 0,
        '.' | ')' => {
            let number = at > 0 && at < 10 && chars[..at].iter().all(char::is_ascii_digit);
            number && around(1) == ' '
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_no_markup() {
        for (data, written) in [
            ("asset_assignments", "asset_assignments"),
            ("_a_ **b** `c`", "\\_a\\_ \\*\\*b\\*\\* \\`c\\`"),
            ("a | b", "a \\| b"),
            ("<!-- end: luck -->", "\\<!-- end: luck -->"),
            ("<script>", "\\<script>"),
            ("[x](http://y)", "\\[x\\](http://y)"),
            ("# not a title", "\\# not a title"),
            ("1. not a list", "1\\. not a list"),
            ("&lt; R&D &", "\\&lt; R\\&D &"),
            ("two\nlines \u{1b}[31m", "two\\\\nlines \\\\e\\[31m"),
        ] {
            assert_eq!(inline(data), written);
        }
    }

    #[test]
    fn a_code_span_cannot_be_left() {
        assert_eq!(code("ux_asset"), "`ux_asset`");
        assert_eq!(code("a`b"), "a\\`b");
        assert_eq!(code("a|b"), "a\\|b");
    }
}
