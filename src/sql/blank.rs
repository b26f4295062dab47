//! What the parser does not know, and would take for something else: blanked in the text that it gets.
//! The text that is sent stays as it is.

use std::borrow::Cow;
use std::ops::Range;

use sqlparser::tokenizer::Token;

use super::lex::Lexeme;
use crate::dialect::Dialect;

/// The text for the parser, every character at its place.
pub(super) fn blanked<'s>(sql: &'s str, lexemes: &[Lexeme], dialect: Dialect) -> Cow<'s, str> {
    let parts = unknown(lexemes, dialect);
    if parts.is_empty() {
        return sql.into();
    }
    let mut known = String::with_capacity(sql.len());
    let mut end = 0;
    for part in parts {
        known.push_str(&sql[end..part.start]);
        known.extend(sql[part.clone()].chars().map(|c| if c == '\n' { c } else { ' ' }));
        end = part.end;
    }
    known.push_str(&sql[end..]);
    known.into()
}

/// The bytes to blank, in order.
fn unknown(lexemes: &[Lexeme], dialect: Dialect) -> Vec<Range<usize>> {
    let mut parts = vec![];
    for (at, lexeme) in lexemes.iter().enumerate() {
        let is_unknown = match dialect {
            Dialect::Mysql | Dialect::Mariadb => is_modifier(lexemes, at),
            Dialect::Postgres => is_only(lexemes, at),
            Dialect::Sqlite | Dialect::Oracle => false,
        };
        if is_unknown {
            parts.push(lexeme.range.clone());
        }
    }
    parts
}

/// A word of MySQL and MariaDB between the verb and its table. QUICK is a name behind UPDATE.
fn is_modifier(lexemes: &[Lexeme], at: usize) -> bool {
    let is = |words: &[&str]| words.iter().any(|word| lexemes[at].is(word));
    if !is(&["LOW_PRIORITY", "QUICK", "IGNORE"]) {
        return false;
    }
    at.checked_sub(1).is_some_and(|before| {
        lexemes[before].is("DELETE")
            || (lexemes[before].is("UPDATE") && !is(&["QUICK"]))
            || is_modifier(lexemes, before)
    })
}

/// The word of `PostgreSQL` that leaves out the tables which inherit from a table. It is reserved, and
/// where it stands before no table it stands behind ROW or ROWS.
pub(super) fn is_only(lexemes: &[Lexeme], at: usize) -> bool {
    lexemes[at].is("ONLY")
        && at.checked_sub(1).is_some_and(|before| {
            let before = &lexemes[before];
            ["UPDATE", "FROM", "JOIN", "USING"].iter().any(|word| before.is(word))
                || before.token == Token::Comma
        })
}
