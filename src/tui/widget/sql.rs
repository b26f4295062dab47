//! SQL for the reader: words, texts and comments told apart, wrapped where it is too wide.
//!
//! The tokeniser of the engine's dialect decides; text it cannot read stays plain from there on.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use sqlformat::{FormatOptions, Indent, QueryParams};
use sqlparser::dialect::{MySqlDialect, OracleDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::wrap::{self, Line, Piece};
use crate::dialect::Dialect;
use crate::tui::look::Look;
use crate::tui::theme::Role;
use crate::value::visible;

/// Longer than this on a line of its own, a statement is laid out for the reader.
const LONG: usize = 60;

/// The statement for the eye: whoever broke it into lines knew why, and one long line is broken by
/// its clauses. What runs is another text than this one and is never made from it.
pub fn laid_out(sql: &str, dialect: Dialect) -> Cow<'_, str> {
    if sql.trim().contains('\n') || visible::width(sql) <= LONG {
        return Cow::Borrowed(sql);
    }
    let options = FormatOptions {
        indent: Indent::Spaces(2),
        max_inline_block: LONG,
        max_inline_arguments: Some(LONG),
        max_inline_top_level: Some(LONG),
        ..FormatOptions::default()
    };
    let formatted = sqlformat::format(sql, &QueryParams::None, &options);
    // What is shown must say what runs, word by word.
    let same = words(&formatted, dialect).is_some_and(|shown| Some(shown) == words(sql, dialect));
    if same { Cow::Owned(formatted) } else { Cow::Borrowed(sql) }
}

/// Every token but the room between them.
fn words(sql: &str, dialect: Dialect) -> Option<Vec<Token>> {
    let tokens = Tokenizer::new(grammar(dialect), sql).tokenize().ok()?;
    let blank = |token: &Token| {
        matches!(
            token,
            Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab)
        )
    };
    Some(tokens.into_iter().filter(|token| !blank(token)).collect())
}

/// The statement as styled lines, its own line breaks kept.
pub fn lines(sql: &str, dialect: Dialect, look: &Look) -> Vec<Line> {
    let sql = &*laid_out(sql, dialect);
    let starts = token_starts(sql, dialect);
    let mut starts = starts.iter().peekable();
    let mut role = Role::Text;
    let mut out: Vec<Line> = Vec::new();
    for (number, line) in (1u64..).zip(sql.lines()) {
        // The indent stands alone, so that no word of the statement is taken for a label.
        let mut pieces: Line = vec![Piece::new("", Style::new())];
        let mut indent = true;
        for (column, c) in (1u64..).zip(line.chars()) {
            while let Some((_, next)) = starts.next_if(|(place, _)| *place <= (number, column)) {
                role = *next;
            }
            indent &= c.is_ascii_whitespace();
            let style = look.style(role);
            // A tab that only indents is no content; elsewhere it is shown as what it is.
            let text = if indent && c == '\t' { "    ".to_owned() } else { c.to_string() };
            match pieces.last_mut() {
                Some(piece) if indent == piece.text.trim().is_empty() && piece.style == style => {
                    piece.text.push_str(&text);
                }
                _ => pieces.push(Piece::new(text, style)),
            }
        }
        out.push(pieces);
    }
    out
}

/// Draws as much as fits; returns the rows taken.
pub fn view(sql: &str, dialect: Dialect, area: Rect, buf: &mut Buffer, look: &Look) -> u16 {
    let mut row = 0;
    for line in lines(sql, dialect, look) {
        for part in wrap::wrap(&line, area.width) {
            if row >= area.height {
                return row;
            }
            wrap::put(&part, area, row, buf);
            row += 1;
        }
    }
    row
}

/// The first words of the statement on one line, for lists.
pub fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Rows that the statement needs at this width.
pub fn height(sql: &str, width: u16) -> usize {
    sql.lines().map(|line| wrap::wrap(&vec![Piece::new(line, Style::new())], width).len()).sum()
}

/// Line and column where each token begins, counted from one in characters, and how it looks.
fn token_starts(sql: &str, dialect: Dialect) -> Vec<((u64, u64), Role)> {
    let mut tokens = Vec::new();
    let read = Tokenizer::new(grammar(dialect), sql).tokenize_with_location_into_buf(&mut tokens);
    let mut starts: Vec<_> = tokens
        .iter()
        .map(|token| ((token.span.start.line, token.span.start.column), role(&token.token)))
        .collect();
    if read.is_err()
        && let Some(last) = tokens.last()
    {
        starts.push(((last.span.end.line, last.span.end.column), Role::Text));
    }
    starts
}

fn grammar(dialect: Dialect) -> &'static dyn sqlparser::dialect::Dialect {
    match dialect {
        Dialect::Sqlite => &SQLiteDialect {},
        Dialect::Postgres => &PostgreSqlDialect {},
        Dialect::Mysql | Dialect::Mariadb => &MySqlDialect {},
        Dialect::Oracle => &OracleDialect {},
    }
}

fn role(token: &Token) -> Role {
    match token {
        Token::Word(word) if word.keyword != Keyword::NoKeyword && word.quote_style.is_none() => {
            Role::SqlWord
        }
        Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::HexStringLiteral(_) => Role::SqlText,
        Token::Placeholder(_) => Role::Key,
        Token::Whitespace(
            Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
        ) => Role::Muted,
        _ => Role::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{look, rows, survives_every_size};

    const SQL: &str = "SELECT asset_id -- which\nFROM a WHERE note = 'it''s\nopen' AND n > 1";

    fn roles(sql: &str) -> Vec<(String, Role)> {
        let look = look();
        let role = |style: Style| {
            Role::ALL.iter().find(|(role, _)| look.style(*role) == style).map(|(role, _)| *role)
        };
        lines(sql, Dialect::Postgres, &look)
            .into_iter()
            .flatten()
            .map(|piece| (piece.text, role(piece.style).expect("a role of the theme")))
            .filter(|(text, role)| !text.trim().is_empty() && *role != Role::Text)
            .collect()
    }

    #[test]
    fn words_texts_and_comments_differ_also_over_lines() {
        let found = roles(SQL);
        let text: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(text, ["SELECT", "-- which", "FROM", "WHERE", "'it''s", "open'", "AND"]);
        assert_eq!(found[0].1, Role::SqlWord);
        assert_eq!(found[5].1, Role::SqlText);
    }

    #[test]
    fn broken_sql_is_shown_whole() {
        for sql in ["SELECT 'open", "SELECT /* open", "\u{1b}[31m", "", "\tSELECT\t1"] {
            let text: String = lines(sql, Dialect::Sqlite, &look())
                .into_iter()
                .flatten()
                .map(|p| p.text)
                .collect();
            assert_eq!(text.trim(), sql.trim(), "nothing is lost");
        }
    }

    #[test]
    fn one_long_line_is_laid_out_and_says_the_same() {
        let long = "SELECT a.id, a.name FROM assets a LEFT JOIN owners o ON o.id = a.owner_id \
            WHERE a.note = 'it''s  two  spaces' AND o.id IS NULL ORDER BY a.id";
        let shown = laid_out(long, Dialect::Postgres);
        assert!(shown.lines().count() > 3, "{shown}");
        assert!(shown.contains("'it''s  two  spaces'"), "{shown}");
        assert_eq!(words(&shown, Dialect::Postgres), words(long, Dialect::Postgres));
        // Somebody's own lines, short texts and what cannot be read stay as they are.
        let broken = format!("{long} AND 'open");
        for sql in [SQL, "SELECT 1", &broken] {
            assert_eq!(laid_out(sql, Dialect::Postgres), sql);
        }
    }

    #[test]
    fn a_wide_statement_wraps_under_its_indent() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 16, 4));
        let taken = view("  SELECT one, two", Dialect::Sqlite, buf.area, &mut buf, &look());
        assert_eq!(
            (taken, rows(&buf)),
            (2, vec!["  SELECT one,".into(), "  two".into(), String::new(), String::new()])
        );
        assert_eq!(height("  SELECT one, two", 16), 2);
        survives_every_size(|area, buf| _ = view(SQL, Dialect::Mysql, area, buf, &look()));
    }
}
