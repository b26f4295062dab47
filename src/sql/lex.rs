//! A text cut into tokens that know their bytes, and into statements.
//!
//! Where one statement ends and the next begins is decided here and nowhere else. The grammar is
//! sqlparser's; what it and a server might read differently was refused before, by `doubt`.

use std::ops::Range;

use sqlparser::tokenizer::{Location, Token, Tokenizer, Word};

use super::Refusal;
use super::body::{Body, end_of_statement};
use super::doubt::{look_alike, neighbours, two_ways, unseen};
use super::grammar::grammar;
use crate::dialect::Dialect;

#[derive(Debug, Clone)]
pub(super) struct Lexeme {
    pub token: Token,
    pub range: Range<usize>,
}

impl Lexeme {
    /// The word in capitals, if it is one and not in quotes.
    pub fn word(&self) -> Option<String> {
        match &self.token {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value.to_ascii_uppercase()),
            _ => None,
        }
    }

    pub fn is(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(Word { value, quote_style: None, .. })
            if value.eq_ignore_ascii_case(word))
    }

    /// The name, in quotes or not.
    pub fn name(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) => Some(&word.value),
            _ => None,
        }
    }
}

/// Lexemes with the number of parentheses that are open behind each.
pub(super) fn nested(lexemes: &[Lexeme]) -> impl Iterator<Item = (usize, &Lexeme)> {
    lexemes.iter().scan(0_usize, |open, lexeme| {
        match lexeme.token {
            Token::LParen => *open += 1,
            Token::RParen => *open = open.saturating_sub(1),
            _ => {}
        }
        Some((*open, lexeme))
    })
}

/// The tokens of a text that mean something: no white space, no comments.
#[derive(Debug)]
pub(super) struct Text {
    pub lexemes: Vec<Lexeme>,
    dialect: Dialect,
}

#[cfg(test)]
thread_local! {
    /// How many texts were taken apart on this thread: what a start must not pay for.
    pub(crate) static TAKEN_APART: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Text {
    pub fn new(sql: &str, dialect: Dialect) -> Result<Self, Refusal> {
        #[cfg(test)]
        TAKEN_APART.set(TAKEN_APART.get() + 1);
        unseen(sql)?;
        let grammar = grammar(dialect);
        let tokens = Tokenizer::new(&*grammar, sql).tokenize_with_location().map_err(|error| {
            let sentence = match error.message.as_str() {
                quote if quote.starts_with("Unterminated") => {
                    "A quote is opened here and never closed; write the closing one.".to_owned()
                }
                comment if comment.contains("comment") => {
                    "A comment is opened and never closed; write */ behind it.".to_owned()
                }
                other => format!("{}.", sentence(other)),
            };
            Refusal::new(sentence).over(at(sql, error.location))
        })?;
        let mut places = Places::new(sql);
        let mut lexemes: Vec<Lexeme> = vec![];
        for token in tokens {
            let range = places.offset(token.span.start)..places.offset(token.span.end);
            let raw = sql.get(range.clone()).unwrap_or_default();
            look_alike(&token.token, raw, range.start)?;
            two_ways(&token.token, raw, &range, dialect)?;
            let spaces = matches!(token.token, Token::Whitespace(_) | Token::EOF);
            if !spaces {
                neighbours(sql, &lexemes, &token.token, &range, dialect)?;
                lexemes.push(Lexeme { token: token.token, range });
            }
        }
        Ok(Self { lexemes, dialect })
    }

    /// The statements: ranges of lexemes between the semicolons, empty ones left out.
    pub fn statements(&self) -> Vec<Range<usize>> {
        let mut found = vec![];
        let mut start = 0;
        while start < self.lexemes.len() {
            let (length, _) = end_of_statement(&self.lexemes[start..], self.dialect);
            let end = start + length;
            if end > start {
                found.push(start..end);
            }
            start = end + 1;
        }
        found
    }

    /// The lexemes of the only statement.
    pub fn one(&self) -> Result<&[Lexeme], Refusal> {
        match self.statements().as_slice() {
            [] => Err(Refusal::new("There is no statement.")),
            [one] => self.closed(one.clone()),
            [_, second, ..] => Err(Refusal::new(
                "There are several statements; write one, without anything behind a semicolon.",
            )
            .over(self.lexemes[second.start].range.clone())),
        }
    }

    /// The lexemes of a statement, which ends where it seems to.
    pub fn closed(&self, statement: Range<usize>) -> Result<&[Lexeme], Refusal> {
        let lexemes = &self.lexemes[statement];
        match end_of_statement(lexemes, self.dialect) {
            (_, Body::Closed) => Ok(lexemes),
            (_, Body::Open) => Err(Refusal::new(
                "The body of the trigger does not end; every BEGIN, IF and CASE needs its END.",
            )
            .over(lexemes[lexemes.len() - 1].range.clone())),
        }
    }

    /// The bytes of a range of lexemes.
    pub fn range(&self, lexemes: &Range<usize>) -> Range<usize> {
        self.lexemes[lexemes.start].range.start..self.lexemes[lexemes.end - 1].range.end
    }
}

/// A message of the parser as the end of a sentence of ours.
pub(super) fn sentence(message: &str) -> String {
    message.trim_end_matches('.').to_owned()
}

/// The bytes of the character at a line and column that count characters from 1.
pub(super) fn at(sql: &str, location: Location) -> Range<usize> {
    let start = Places::new(sql).offset(location);
    start..start + sql[start..].chars().next().map_or(0, char::len_utf8)
}

/// Turns lines and columns into bytes; asked in ascending order it reads the text once.
struct Places<'s> {
    characters: std::iter::Peekable<std::str::CharIndices<'s>>,
    line: u64,
    column: u64,
    len: usize,
}

impl<'s> Places<'s> {
    fn new(sql: &'s str) -> Self {
        Self { characters: sql.char_indices().peekable(), line: 1, column: 1, len: sql.len() }
    }

    fn offset(&mut self, wanted: Location) -> usize {
        while (self.line, self.column) < (wanted.line, wanted.column) {
            match self.characters.next() {
                Some((_, '\n')) => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        self.characters.peek().map_or(self.len, |(at, _)| *at)
    }
}
