//! Data inside Markdown: shown as it is, never obeyed by a renderer or a terminal.
//!
//! Everything of the incident that a person or a database typed goes through here; only the human
//! parts are Markdown of their author.

use crate::incident::handover::{Card, GO_ON};
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

/// Text of several lines inside a list item: one paragraph that breaks where the text does.
pub fn on_lines(text: &str, indent: &str) -> String {
    let lines = text.trim_end().split('\n').map(|line| inline(line.trim_end_matches('\r')));
    lines.collect::<Vec<_>>().join(&format!("\\\n{indent}"))
}

/// SQL as a block that nothing in it ends, and that no reader takes for a marker of a human part.
pub fn fenced(sql: &str) -> String {
    let longest = sql.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let lines = visible::multi_line(sql).join("\n").replace("<!--", "< !--");
    format!("{fence}sql\n{lines}\n{fence}\n")
}

/// The handover card, for a chat or a ticket.
pub fn card(card: &Card) -> String {
    let mut text = format!("# Handover {}\n", inline(&card.head()));
    for (heading, lines) in card.sections() {
        text.push_str(&format!("\n## {heading}\n\n"));
        for line in lines {
            // What is to be typed is ours, and marked up.
            let line =
                if heading == GO_ON { visible::text(&line).into() } else { on_lines(&line, "  ") };
            text.push_str(&format!("- {line}\n"));
        }
    }
    text
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
    fn nothing_in_a_statement_ends_its_block() {
        let sql = "UPDATE `a` SET b = '```'\n<!-- end: luck -->";
        let block = "````sql\nUPDATE `a` SET b = '```'\n< !-- end: luck -->\n````\n";
        assert_eq!(fenced(sql), block);
        assert!(!fenced("\u{1b}[2J").contains('\u{1b}'));
    }

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
