//! What a piece of SQL would do, found out before it goes anywhere near a server.
//!
//! Reads, writes by an allow-list, guardrail definitions, parameters. The tokenizer decides where a
//! statement ends, the parser what it is; whatever is not understood is refused, never guessed. It
//! classifies; the server still enforces. A leaf over `dialect`: no files, no connection.

mod aim;
mod blank;
mod body;
mod doubt;
mod effect;
mod grammar;
mod guardrail;
mod ledger;
mod lex;
mod list;
mod listing;
mod look;
mod name;
mod parameter;
mod refuse;
mod server;

pub use aim::{Aim, Mentions, aim, mentions, says};
pub use doubt::{in_backticks, unambiguous};
pub use effect::{Reading, read, write};
pub use guardrail::{Act, Definition, Object, defined_on, definitions, transactional};
pub use ledger::{LEDGER, create_ledger};
pub use list::{CHUNK, Listed, Literals, chunked};
pub use listing::{DEFINITIONS, listings};
pub use look::{Counted, Look, SAMPLE, becomes, is_becoming, look};
pub use name::{assigned, columns, functions, tables};
pub use parameter::{is_name, is_number, parameters, places, substitute};
pub use server::is_of_one_server;

use std::fmt;
use std::ops::Range;

use crate::dialect::Dialect;

/// Why a statement is refused, and which bytes of the text say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub sentence: String,
    pub part: Option<Range<usize>>,
    /// Whether another kind of statement is wanted here, so that naming it helps.
    pub other_kind: bool,
    /// Whether it is right, and only means one thing or another by a mode of the server.
    pub by_mode: bool,
}

impl Refusal {
    fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), part: None, other_kind: false, by_mode: false }
    }

    fn over(mut self, part: Range<usize>) -> Self {
        self.part = Some(part);
        self
    }

    /// The sentence without its stop, where it goes on.
    pub fn clause(&self) -> &str {
        self.sentence.trim_end_matches('.')
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Refusal {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Insert,
    Update,
    Delete,
}

impl Verb {
    pub fn word(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A statement that changes the rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub verb: Verb,
    /// The table as the statement names it, without quotes; parts joined with a dot.
    pub table: String,
}

/// What one statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Understood completely, and only reads.
    Read,
    /// Begins as a read and holds no word of a write, but was not understood completely. Good enough
    /// for a check, which the server keeps read-only; never proof that something is read-only.
    UnparsedRead,
    Write(Write),
    /// Anything else, with the reason why it is refused.
    Other(Refusal),
}

/// What this text does, when it is sent to this engine.
pub fn classify(sql: &str, dialect: Dialect) -> Effect {
    let refused_as_read = match read(sql, dialect) {
        Ok(Reading::Parsed) => return Effect::Read,
        Ok(Reading::Unparsed) => return Effect::UnparsedRead,
        Err(refusal) => refusal,
    };
    match write(sql, dialect) {
        Ok(write) => Effect::Write(write),
        Err(_) if effect::is_select(sql, dialect) => Effect::Other(refused_as_read),
        Err(refusal) => Effect::Other(refusal),
    }
}

/// The statements of a script, without the semicolons between them.
pub fn split(sql: &str, dialect: Dialect) -> Result<Vec<&str>, Refusal> {
    let text = lex::Text::new(sql, dialect)?;
    Ok(text.statements().iter().map(|statement| &sql[text.range(statement)]).collect())
}

/// The only statement of a text from its first word to its last, as it can stand inside of another.
pub fn one(sql: &str, dialect: Dialect) -> Result<&str, Refusal> {
    let text = lex::Text::new(sql, dialect)?;
    let lexemes = text.one()?;
    Ok(&sql[lexemes[0].range.start..lexemes[lexemes.len() - 1].range.end])
}

#[cfg(test)]
pub(crate) use lex::TAKEN_APART;

#[cfg(test)]
mod tests;
