//! What could be read in two ways is refused before anything is decided on it.
//!
//! Characters that cannot be seen or look like others, comments that a server executes, quotes whose
//! end depends on the settings of a server: the text that is approved must be the text that runs.

use std::ops::Range;

use sqlparser::tokenizer::{Token, Whitespace};

use super::Refusal;
use crate::dialect::Dialect;

/// Characters that no eye sees, wherever they stand: what is approved must be what is read.
pub(super) fn unseen(sql: &str) -> Result<(), Refusal> {
    let mut characters = sql.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let line_break = character == '\r' && characters.peek().is_some_and(|next| next.1 == '\n');
        let hidden = match character {
            '\n' | '\t' => false,
            '\r' => !line_break,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}' => true,
            other => other.is_control(),
        };
        if hidden {
            return Err(Refusal::new(format!(
                "The statement holds {}, which cannot be seen; delete it, or build it with a function such as char().",
                code(character)
            ))
            .over(at..at + character.len_utf8()));
        }
    }
    // MySQL and MariaDB run what stands in such a comment, others do not.
    if let Some(at) = sql.find("/*!").or_else(|| sql.find("/*M!")) {
        return Err(Refusal::new(
            "A comment that begins with /*! is executed by MySQL and MariaDB; write its content as it is or delete it.",
        )
        .over(at..at + 3));
    }
    Ok(())
}

/// Outside quotes: characters that look like those of SQL and are others.
pub(super) fn look_alike(token: &Token, raw: &str, start: usize) -> Result<(), Refusal> {
    let quoted_or_comment = match token {
        Token::Word(word) => word.quote_style.is_some(),
        Token::Whitespace(white) => {
            matches!(white, Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_))
        }
        Token::Char(_) => false,
        _ => true,
    };
    if quoted_or_comment || raw.is_ascii() {
        return Ok(());
    }
    let latin = raw.bytes().any(|byte| byte.is_ascii_alphabetic());
    let strange = raw.char_indices().find(|(_, c)| {
        !c.is_ascii()
            && (!c.is_alphanumeric()
                || ('\u{ff00}'..='\u{ffef}').contains(c)
                // Greek and Cyrillic letters among Latin ones make a word that is not what it seems.
                || (latin && ('\u{370}'..='\u{52f}').contains(c)))
    });
    strange.map_or(Ok(()), |(at, character)| {
        Err(Refusal::new(format!(
            "`{character}` is {}, which only looks like a character of SQL; type the plain one.",
            code(character)
        ))
        .over(start + at..start + at + character.len_utf8()))
    })
}

/// Tokens whose end or meaning depends on who reads them.
pub(super) fn two_ways(
    token: &Token,
    raw: &str,
    range: &Range<usize>,
    dialect: Dialect,
) -> Result<(), Refusal> {
    let mysql = matches!(dialect, Dialect::Mysql | Dialect::Mariadb);
    let sentence = match token {
        Token::DollarQuotedString(_) if dialect != Dialect::Postgres => {
            format!("{dialect} does not know $$ quotes; write 'text' in single quotes.")
        }
        Token::Placeholder(text) => {
            format!("`{text}` has no name; write :name for the answer of an ask step.")
        }
        Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)
            if mysql
                && inside(raw)
                    .is_some_and(|text| text.contains("\\'") || text.contains("\\\"")) =>
        {
            format!(
                "Whether a backslash hides a quote depends on a setting of {dialect}; write the quote twice."
            )
        }
        Token::Word(word)
            if word.quote_style == Some('[')
                && inside(raw).is_some_and(|name| name.contains(']')) =>
        {
            format!("{dialect} ends the name at the first ]; write the name in double quotes.")
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(sentence).over(range.clone()))
}

fn inside(raw: &str) -> Option<&str> {
    raw.get(1..raw.len().checked_sub(1)?)
}

fn code(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}
