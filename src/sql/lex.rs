//! A text cut into tokens that know their bytes, and into statements.
//!
//! What could be read in two ways is refused here, before anything is decided on it: characters that
//! cannot be seen or look like others, comments that a server executes, quotes whose end depends on
//! the settings of a server.

use std::ops::Range;

use sqlparser::dialect::{
    Dialect as Grammar, MySqlDialect, OracleDialect, PostgreSqlDialect, SQLiteDialect,
};
use sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace, Word};

use super::Refusal;
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

/// The tokens of a text that mean something: no white space, no comments.
#[derive(Debug)]
pub(super) struct Text {
    pub lexemes: Vec<Lexeme>,
}

impl Text {
    pub fn new(sql: &str, dialect: Dialect) -> Result<Self, Refusal> {
        unseen(sql)?;
        let grammar = grammar(dialect);
        let tokens = Tokenizer::new(&*grammar, sql).tokenize_with_location().map_err(|error| {
            Refusal::new(format!("{}.", sentence(&error.message))).over(at(sql, error.location))
        })?;
        let mut places = Places::new(sql);
        let mut lexemes = vec![];
        for token in tokens {
            let range = places.offset(token.span.start)..places.offset(token.span.end);
            let raw = sql.get(range.clone()).unwrap_or_default();
            look_alike(&token.token, raw, range.start)?;
            two_ways(&token.token, raw, &range, dialect)?;
            let spaces = matches!(token.token, Token::Whitespace(_) | Token::EOF);
            if !spaces {
                lexemes.push(Lexeme { token: token.token, range });
            }
        }
        Ok(Self { lexemes })
    }

    /// The statements: ranges of lexemes between the semicolons, empty ones left out.
    pub fn statements(&self) -> Vec<Range<usize>> {
        let mut found = vec![];
        let mut start = 0;
        while start < self.lexemes.len() {
            let end = start + end_of_statement(&self.lexemes[start..]);
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
            [one] => Ok(&self.lexemes[one.clone()]),
            [_, second, ..] => Err(Refusal::new(
                "There are several statements; write one, without anything behind a semicolon.",
            )
            .over(self.lexemes[second.start].range.clone())),
        }
    }

    /// The bytes of a range of lexemes.
    pub fn range(&self, lexemes: &Range<usize>) -> Range<usize> {
        self.lexemes[lexemes.start].range.start..self.lexemes[lexemes.end - 1].range.end
    }
}

/// How many lexemes the first statement has. The body of a trigger holds semicolons of its own.
fn end_of_statement(lexemes: &[Lexeme]) -> usize {
    let trigger = lexemes.first().is_some_and(|first| first.is("CREATE"))
        && lexemes
            .iter()
            .take(12)
            .take_while(|lexeme| lexeme.token != Token::SemiColon && !lexeme.is("BEGIN"))
            .any(|lexeme| lexeme.is("TRIGGER"));
    let mut depth = 0_usize;
    for (at, lexeme) in lexemes.iter().enumerate() {
        if lexeme.token == Token::SemiColon && depth == 0 {
            return at;
        }
        if !trigger {
            continue;
        }
        let before = at.checked_sub(1).map(|at| &lexemes[at]);
        let names = |words: &[&str], lexeme: Option<&Lexeme>| {
            lexeme.is_some_and(|lexeme| words.iter().any(|word| lexeme.is(word)))
        };
        // An unquoted name may be BEGIN, and END may close what is not counted here.
        let is_name = names(&["TRIGGER", "EXISTS", "ON"], before)
            || before.is_some_and(|before| before.token == Token::Period);
        let closes_case = names(&["END"], before);
        if (lexeme.is("BEGIN") && !is_name) || (lexeme.is("CASE") && !closes_case) {
            depth += 1;
        } else if lexeme.is("END")
            && !names(&["IF", "LOOP", "WHILE", "REPEAT"], lexemes.get(at + 1))
        {
            depth = depth.saturating_sub(1);
        }
    }
    lexemes.len()
}

pub(super) fn grammar(dialect: Dialect) -> Box<dyn Grammar> {
    match dialect {
        Dialect::Sqlite => Box::new(SQLiteDialect {}),
        Dialect::Postgres => Box::new(PostgreSqlDialect {}),
        Dialect::Mysql | Dialect::Mariadb => Box::new(MySqlDialect {}),
        Dialect::Oracle => Box::new(OracleDialect {}),
    }
}

/// Characters that no eye sees, wherever they stand: what is approved must be what is read.
fn unseen(sql: &str) -> Result<(), Refusal> {
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
fn look_alike(token: &Token, raw: &str, start: usize) -> Result<(), Refusal> {
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
fn two_ways(
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
