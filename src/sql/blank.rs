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
    let mut at = 0;
    while at < lexemes.len() {
        let count = match dialect {
            Dialect::Mysql | Dialect::Mariadb if is_modifier(lexemes, at) => 1,
            Dialect::Mysql | Dialect::Mariadb => all_of_it(lexemes, at),
            Dialect::Postgres if is_only(lexemes, at) => 1,
            Dialect::Postgres => overriding(&lexemes[at..]).max(conflict(lexemes, at)),
            Dialect::Sqlite => indexed(&lexemes[at..]).max(conflict(lexemes, at)),
            Dialect::Oracle => 0,
        };
        if count > 0 {
            parts.push(lexemes[at].range.start..lexemes[at + count - 1].range.end);
        }
        at += count.max(1);
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

/// The `.*` that MySQL and MariaDB take behind the name of a table whose rows a DELETE removes.
fn all_of_it(lexemes: &[Lexeme], at: usize) -> usize {
    let [dot, star, from, ..] = &lexemes[at..] else { return 0 };
    let is_all = dot.token == Token::Period && star.token == Token::Mul && from.is("FROM");
    let mut before = lexemes[..at].iter().rev();
    let verb =
        before.find(|it| it.token != Token::Period && (it.is("DELETE") || it.name().is_none()));
    if is_all && verb.is_some_and(|verb| verb.is("DELETE")) { 2 } else { 0 }
}

/// What `PostgreSQL` is told where an INSERT brings values for a column that gives out its own.
fn overriding(lexemes: &[Lexeme]) -> usize {
    let [overriding, whose, value, ..] = lexemes else { return 0 };
    let theirs = whose.is("SYSTEM") || whose.is("USER");
    if overriding.is("OVERRIDING") && theirs && value.is("VALUE") { 3 } else { 0 }
}

/// By which index SQLite finds the rows of a table.
fn indexed(lexemes: &[Lexeme]) -> usize {
    let [indexed, by, name, ..] = lexemes else { return 0 };
    let named = name.name().is_some();
    if indexed.is("INDEXED") && by.is("BY") && named { 3 } else { 0 }
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

/// How many lexemes say by which index rows are in the way of an INSERT: expressions and a condition,
/// of which the parser knows columns alone. They name an index and are not executed.
fn conflict(lexemes: &[Lexeme], at: usize) -> usize {
    const OTHERS: [&str; 6] = ["SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE"];
    let [before @ .., on, word] = &lexemes[..at] else { return 0 };
    let opens = lexemes[at].token == Token::LParen && on.is("ON") && word.is("CONFLICT");
    if !opens || !before.iter().any(|lexeme| lexeme.is("INSERT")) {
        return 0;
    }
    let ends =
        |pair: &[Lexeme]| pair[0].is("DO") && (pair[1].is("NOTHING") || pair[1].is("UPDATE"));
    let count = lexemes[at..].windows(2).position(ends).unwrap_or_default();
    let is_other = |lexeme: &Lexeme| OTHERS.iter().any(|other| lexeme.is(other));
    if lexemes[at..at + count].iter().any(is_other) { 0 } else { count }
}
