//! Where the body of a trigger ends, which holds semicolons of its own.
//!
//! The words that open and close a part of it may be names anywhere but where a statement begins, and
//! what a name seemed to open would hide the statement behind it.

use sqlparser::tokenizer::Token;

use super::lex::Lexeme;
use crate::dialect::Dialect;

pub(super) enum Body {
    Closed,
    Open,
}

/// How many lexemes the first statement has.
pub(super) fn end_of_statement(lexemes: &[Lexeme], dialect: Dialect) -> (usize, Body) {
    // The body is a function of its own there.
    let trigger = dialect != Dialect::Postgres && is_trigger(lexemes);
    let mut reading = Reading { lexemes, dialect, open: vec![], start: None };
    for (at, lexeme) in lexemes.iter().enumerate() {
        if lexeme.token == Token::SemiColon && reading.open.is_empty() {
            return (at, Body::Closed);
        }
        if trigger {
            reading.take(at);
        }
    }
    (lexemes.len(), if reading.open.is_empty() { Body::Closed } else { Body::Open })
}

/// The word TRIGGER right behind CREATE and its adjectives; anywhere else it is a name.
fn is_trigger(lexemes: &[Lexeme]) -> bool {
    const ADJECTIVES: [&str; 6] =
        ["OR", "REPLACE", "TEMP", "TEMPORARY", "EDITIONABLE", "NONEDITIONABLE"];
    let Some((first, rest)) = lexemes.split_first() else { return false };
    let noun = rest.iter().find(|lexeme| !ADJECTIVES.iter().any(|word| lexeme.is(word)));
    first.is("CREATE") && noun.is_some_and(|noun| noun.is("TRIGGER"))
}

/// What waits for its END.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    Statements,
    /// WHILE or FOR, with its statements behind a second word.
    Loop,
    /// No semicolon stands between its condition and its END.
    Repeat,
    /// A CASE that is a value.
    Value,
}

struct Reading<'l> {
    lexemes: &'l [Lexeme],
    dialect: Dialect,
    open: Vec<Opened>,
    /// Where a statement of the body begins.
    start: Option<usize>,
}

impl Reading<'_> {
    fn take(&mut self, at: usize) {
        use Opened::{Loop, Repeat, Statements, Value};
        let lexeme = &self.lexemes[at];
        let begins = self.start == Some(at);
        let within = self.open.last().copied();
        match (lexeme.word().as_deref().unwrap_or_default(), within) {
            ("BEGIN", _) if begins || (within.is_none() && self.heads(at)) => {
                self.open.push(Statements);
                self.start = Some(at + 1);
            }
            ("LOOP", _) if begins => {
                self.open.push(Statements);
                self.start = Some(at + 1);
            }
            ("REPEAT", _) if begins => {
                self.open.push(Repeat);
                self.start = Some(at + 1);
            }
            ("IF" | "CASE", _) if begins => self.open.push(Statements),
            ("WHILE" | "FOR", _) if begins => self.open.push(Loop),
            ("CASE", _) if !self.is_behind(at, &["END"]) && !self.is_part(at) => {
                self.open.push(Value);
            }
            ("LOOP" | "DO", Some(Loop)) => self.start = Some(at + 1),
            ("THEN" | "ELSE", Some(Statements | Loop | Repeat)) => self.start = Some(at + 1),
            ("ROW", None) if self.start.is_none() && self.is_behind(at, &["EACH"]) => {
                self.start = Some(at + 1);
            }
            ("FOLLOWS" | "PRECEDES", None) if begins => self.start = Some(at + 2),
            ("DECLARE", _) if begins => self.start = self.handles(at),
            ("END", Some(Value)) if !self.is_part(at) => drop(self.open.pop()),
            ("END", Some(_)) if begins => drop(self.open.pop()),
            ("END", Some(Repeat)) if self.is(at + 1, "REPEAT") => drop(self.open.pop()),
            _ if lexeme.token == Token::SemiColon => self.start = Some(at + 1),
            // A label.
            _ if lexeme.token == Token::Colon && self.start == at.checked_sub(1) => {
                self.start = Some(at + 1);
            }
            _ => {}
        }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.lexemes.get(at).is_some_and(|lexeme| lexeme.is(word))
    }

    fn is_behind(&self, at: usize, words: &[&str]) -> bool {
        at > 0 && words.iter().any(|word| self.lexemes[at - 1].is(word))
    }

    /// Whether it stands behind a dot.
    fn is_part(&self, at: usize) -> bool {
        at > 0 && self.lexemes[at - 1].token == Token::Period
    }

    /// Whether this BEGIN ends a head that has more than FOR EACH ROW before it, or not even that.
    fn heads(&self, at: usize) -> bool {
        let first = ["INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "VALUES", "WITH"];
        let fits = match self.dialect {
            Dialect::Sqlite => first.iter().any(|word| self.is(at + 1, word)),
            Dialect::Oracle => true,
            Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb => false,
        };
        fits && !self.is_behind(at, &["TRIGGER", "EXISTS", "ON"]) && !self.is_part(at)
    }

    /// Where the statement of `DECLARE … HANDLER FOR conditions` begins.
    fn handles(&self, at: usize) -> Option<usize> {
        if !self.is(at + 2, "HANDLER") || !self.is(at + 3, "FOR") {
            return None;
        }
        let mut at = at + 4;
        loop {
            at += match self.lexemes.get(at)?.word().as_deref() {
                Some("SQLSTATE") if self.is(at + 1, "VALUE") => 3,
                Some("SQLSTATE" | "NOT") => 2,
                _ => 1,
            };
            if self.lexemes.get(at)?.token != Token::Comma {
                return Some(at);
            }
            at += 1;
        }
    }
}
