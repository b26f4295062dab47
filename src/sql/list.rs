//! `IN (:chunk)`: a statement with places for a list of literals, and putting such a list in.

use std::fmt::Write as _;

use sqlparser::tokenizer::Token;

use super::Refusal;
use super::lex::Text;
use super::parameter::{is_literal, places, substitute};
use crate::dialect::Dialect;

/// The name of the place.
pub const CHUNK: &str = "chunk";

/// A statement without its lists: what stands before, between and behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    parts: Vec<String>,
}

/// Literals that a server quoted, each held against what a literal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literals(String);

impl Literals {
    pub fn of(quoted: &[String], dialect: Dialect) -> Result<Self, Refusal> {
        let mut text = String::new();
        for (number, literal) in quoted.iter().enumerate() {
            // Most keys are whole numbers, which can be nothing else.
            let is_number =
                !literal.is_empty() && literal.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number && !is_literal(literal, dialect) {
                return Err(Refusal::new("A key did not come back as one quoted literal."));
            }
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{literal}");
        }
        Ok(Self(text))
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Listed {
    /// The statement with its other parameters put in; a refusal if no `IN (:chunk)` is in it.
    pub fn of(
        sql: &str,
        dialect: Dialect,
        literal: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Refusal> {
        chunked(sql, dialect)?;
        let mut parts = Vec::new();
        let mut end = 0;
        for (name, place) in places(sql, dialect)? {
            if name == CHUNK {
                parts.push(substitute(&sql[end..place.start], dialect, literal)?);
                end = place.end;
            }
        }
        parts.push(substitute(&sql[end..], dialect, literal)?);
        Ok(Self { parts })
    }

    pub fn fill(&self, literals: &Literals) -> String {
        self.parts.join(&literals.0)
    }

    /// As it can be shown and judged: with one value where the list belongs.
    pub fn sample(&self) -> String {
        self.parts.join("NULL")
    }

    /// As its author wrote it.
    pub fn template(&self) -> String {
        self.parts.join(":chunk")
    }
}

/// Whether a statement keeps to the rows of its chunk, as far as its words tell: the list stands in
/// parentheses behind IN. What it really writes is held against the chunk when it runs.
pub fn chunked(sql: &str, dialect: Dialect) -> Result<(), Refusal> {
    let text = Text::new(sql, dialect)?;
    let lexemes = &text.lexemes;
    let mut found = false;
    for at in 0..lexemes.len() {
        let is_place = lexemes[at].token == Token::Colon
            && lexemes.get(at + 1).is_some_and(|next| next.is(CHUNK));
        if !is_place {
            continue;
        }
        let before = |back: usize| at.checked_sub(back).map(|at| &lexemes[at]);
        let fits = before(1).is_some_and(|open| open.token == Token::LParen)
            && before(2).is_some_and(|word| word.is("IN"))
            && !before(3).is_some_and(|word| word.is("NOT"))
            && lexemes.get(at + 2).is_some_and(|close| close.token == Token::RParen);
        if !fits {
            let part = lexemes[at].range.start..lexemes[at + 1].range.end;
            return Err(Refusal::new(
                "The keys of a chunk can only stand as a list of their own; write `… IN (:chunk)`.",
            )
            .over(part));
        }
        found = true;
    }
    if found {
        return Ok(());
    }
    Err(Refusal::new(
        "A statement that runs in chunks must keep to the keys of its chunk; write `… IN (:chunk)`.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEND: &str = "UPDATE t SET a = :a WHERE id IN (:chunk) AND a IS NULL";

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_keys_of_a_chunk_are_put_where_the_statement_wants_them() {
        let answer = |name: &str| (name == "a").then(|| "'x'".to_owned());
        let listed = Listed::of(SEND, Dialect::Postgres, &answer).expect("it fits");
        let keys = ["1".to_owned(), "'two'".to_owned(), "-3".to_owned()];
        let keys = Literals::of(&keys, Dialect::Postgres).expect("they are literals");
        let filled = "UPDATE t SET a = 'x' WHERE id IN (1,'two',-3) AND a IS NULL";
        assert_eq!(listed.fill(&keys), filled);
        assert_eq!(listed.template(), "UPDATE t SET a = 'x' WHERE id IN (:chunk) AND a IS NULL");
    }

    #[test]
    fn a_statement_that_does_not_keep_to_its_chunk_is_refused() {
        for sql in [
            "UPDATE t SET a = 1",
            "UPDATE t SET a = 1 WHERE id NOT IN (:chunk)",
            "UPDATE t SET a = 1 WHERE id = :chunk",
            "UPDATE t SET a = 1 WHERE id IN (1, :chunk)",
            "UPDATE t SET a = ':chunk'",
        ] {
            assert!(Listed::of(sql, Dialect::Sqlite, &none).is_err(), "{sql}");
        }
    }

    #[test]
    fn what_is_no_literal_is_no_key() {
        for text in ["1) OR (1=1", "", "1 -- ", "now()", "1,2"] {
            assert!(Literals::of(&[text.to_owned()], Dialect::Postgres).is_err(), "{text}");
        }
    }
}
