//! `:name` in SQL: where it stands, and putting in what the server itself quoted.

use std::ops::Range;

use sqlparser::tokenizer::Token;

use super::Refusal;
use super::lex::{Lexeme, Text};
use crate::dialect::Dialect;

/// The names, each once, in the order of the text. Not those in quotes, comments or casts.
pub fn parameters(sql: &str, dialect: Dialect) -> Result<Vec<String>, Refusal> {
    let mut names = vec![];
    for (name, _) in places(sql, dialect)? {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The text with every `:name` replaced by its literal. A literal is one that the server made
/// (`quote_literal`, `QUOTE`, `quote`); anything but one literal is refused.
pub fn substitute(
    sql: &str,
    dialect: Dialect,
    literal: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Refusal> {
    let mut out = String::with_capacity(sql.len() + 32);
    let mut end = 0;
    for (name, place) in places(sql, dialect)? {
        let value = literal(&name).ok_or_else(|| {
            Refusal::new(format!("There is no answer for :{name} yet.")).over(place.clone())
        })?;
        if !is_literal(&value, dialect) {
            let sentence = format!("The value of :{name} did not come back as one quoted literal.");
            return Err(Refusal::new(sentence).over(place));
        }
        out.push_str(&sql[end..place.start]);
        // Two dashes would begin a comment, two quotes would join two texts: spaces keep them apart.
        if out.ends_with(|c: char| !c.is_whitespace() && c != '(' && c != ',') {
            out.push(' ');
        }
        out.push_str(&value);
        if sql[place.end..].starts_with(|c: char| !c.is_whitespace() && !"),;:".contains(c)) {
            out.push(' ');
        }
        end = place.end;
    }
    out.push_str(&sql[end..]);
    Ok(out)
}

/// Whether a text is a number as SQL writes it.
pub fn is_number(text: &str, dialect: Dialect) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    begins && is_literal(text, dialect)
}

/// Whether a word can be the name of a parameter.
pub fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Every `:name` with its bytes, colon included.
pub fn places(sql: &str, dialect: Dialect) -> Result<Vec<(String, Range<usize>)>, Refusal> {
    let text = Text::new(sql, dialect)?;
    let mut found = vec![];
    let mut brackets = 0_usize;
    for (at, pair) in text.lexemes.windows(2).enumerate() {
        let (colon, word) = (&pair[0], &pair[1]);
        match colon.token {
            Token::LBracket => brackets += 1,
            Token::RBracket => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        let slices = brackets > 0 && at > 0 && is_value(&text.lexemes[at - 1]);
        if colon.token != Token::Colon || colon.range.end != word.range.start || slices {
            continue;
        }
        let range = colon.range.start..word.range.end;
        match (&word.token, word.name()) {
            (Token::Word(parts), Some(name)) if parts.quote_style.is_none() => {
                if !is_name(name) {
                    return Err(Refusal::new(format!(
                        "`:{name}` cannot be a parameter; write lower-case letters, digits and _."
                    ))
                    .over(range));
                }
                found.push((name.to_owned(), range));
            }
            // A number behind a colon is a slice of an array there, and a nameless parameter elsewhere.
            (Token::Number(..), _) if dialect != Dialect::Postgres => {
                return Err(Refusal::new(
                    "A parameter needs a name; write :name for the answer of an ask step.",
                )
                .over(range));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Whether a value may end with it: a colon behind that in brackets is the one of a slice of an array.
fn is_value(lexeme: &Lexeme) -> bool {
    let closes = [Token::RParen, Token::RBracket].contains(&lexeme.token);
    closes || lexeme.name().is_some() || matches!(lexeme.token, Token::Number(..))
}

pub(super) fn is_literal(value: &str, dialect: Dialect) -> bool {
    let Ok(text) = Text::new(value, dialect) else { return false };
    // A comment behind the literal would swallow the rest of the statement.
    let (first, last) = (text.lexemes.first(), text.lexemes.last());
    if first.is_none_or(|first| first.range.start > 0)
        || last.is_none_or(|last| last.range.end < value.len())
    {
        return false;
    }
    let value = match text.lexemes.as_slice() {
        [minus, number] if minus.token == Token::Minus => {
            return matches!(number.token, Token::Number(..));
        }
        // As MySQL and MariaDB quote what a setting could read in two ways.
        [charset, bytes] if charset.is("_utf8mb4") => {
            return matches!(bytes.token, Token::HexStringLiteral(_));
        }
        [value] => value,
        _ => return false,
    };
    value.is("NULL")
        || matches!(
            value.token,
            Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::EscapedStringLiteral(_)
                | Token::HexStringLiteral(_)
        )
}
