//! What could be read in two ways is refused before anything is decided on it.
//!
//! Characters that cannot be seen or look like others, comments that a server executes, quotes whose
//! end depends on the settings of a server: the text that is approved must be the text that runs.

use std::ops::Range;

use sqlparser::tokenizer::{Token, Whitespace, Word};

use super::Refusal;
use super::lex::{Lexeme, Text};
use crate::dialect::{Dialect, Meant};

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
                || folds_into_latin(*c)
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

/// The parser folds these into plain letters, no server does: long s, dotless i, the sign for kelvin.
fn folds_into_latin(c: char) -> bool {
    let plain = |mut folded: Box<dyn Iterator<Item = char>>| matches!((folded.next(), folded.next()), (Some(one), None) if one.is_ascii());
    ('\u{fb00}'..='\u{fb06}').contains(&c)
        || plain(Box::new(c.to_uppercase()))
        || plain(Box::new(c.to_lowercase()))
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
        Token::DollarQuotedString(quoted)
            if quoted
                .tag
                .as_ref()
                .is_some_and(|tag| tag.starts_with(|c: char| !c.is_ascii_alphabetic() && c != '_')) =>
        {
            "A $ quote whose tag begins with anything but a letter is a parameter for the server; write $x$ or $$.".to_owned()
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
        // Each reader has an opinion of its own on which of these a backslash means something in.
        Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_)
            if raw.contains('\\') =>
        {
            "Whether a backslash hides a quote behind this letter depends on who reads it; leave the letter or the backslash out.".to_owned()
        }
        Token::UnicodeStringLiteral(_) => UNICODE.to_owned(),
        // The parser takes whatever follows an @ for a part of the name.
        Token::Word(Word { quote_style: None, .. }) if mysql && raw.contains(is_sign) => {
            format!("{dialect} ends the name in `{raw}` before its last sign; write a space there.")
        }
        // What is no space for the server makes two minus signs of it.
        Token::Whitespace(Whitespace::SingleLineComment { prefix, comment })
            if mysql && prefix == "--" && comment.starts_with(|c: char| !c.is_ascii()) =>
        {
            let space = comment.chars().next().map(code).unwrap_or_default();
            format!("For {dialect} `--` begins no comment before {space}; write a plain space.")
        }
        Token::Whitespace(Whitespace::MultiLineComment(hint)) if mysql && hint.starts_with('+') => {
            format!("A comment that begins with /*+ sets for {dialect} how the statement is executed; delete it.")
        }
        Token::AtSign | Token::AtAt | Token::Sharp if dialect == Dialect::Sqlite => {
            format!("{dialect} takes `{raw}` and what follows for a parameter without a name; write :name for the answer of an ask step.")
        }
        Token::Word(_) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_) | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_) | Token::DollarQuotedString(_)
        | Token::SingleQuotedByteStringLiteral(_) | Token::DoubleQuotedByteStringLiteral(_)
        | Token::Whitespace(_)
            if !matches!(token, Token::Word(word) if word.quote_style == Some('[')) =>
        {
            return Ok(());
        }
        // What is left is made of signs.
        _ if !matches!(token, Token::Word(_)) && (raw.contains("--") || raw.contains("/*")) => {
            format!("{dialect} begins a comment inside of `{raw}`; write a space before it.")
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

const UNICODE: &str =
    "U& writes a text or a name in a way that cannot be read; write its characters as they are.";

/// The same for tokens that follow one another.
pub(super) fn neighbours(
    sql: &str,
    before: &[Lexeme],
    token: &Token,
    range: &Range<usize>,
    dialect: Dialect,
) -> Result<(), Refusal> {
    let Some(last) = before.last() else { return Ok(()) };
    let touches = last.range.end == range.start;
    let refused = |sentence: &str| Err(Refusal::new(sentence).over(last.range.start..range.end));
    match (dialect, &last.token, token) {
        // Over a line break the rules of the first quote hold for the second.
        (
            Dialect::Postgres,
            Token::EscapedStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_),
            Token::SingleQuotedString(_),
        ) => refused("A quote that goes on behind a line break is read in two ways; write ||."),
        (Dialect::Postgres, Token::Ampersand, Token::Word(word))
            if word.quote_style.is_some()
                && touches
                && before.len() > 1
                && before[before.len() - 2].is("U") =>
        {
            refused(UNICODE)
        }
        (Dialect::Sqlite, Token::Word(_), Token::LParen) if touches && is_variable(before) => {
            refused(
                "SQLite takes a parenthesis for a part of the parameter before it; write a space between them.",
            )
        }
        // An operator is there as long a run of signs as there is, up to a comment.
        (Dialect::Postgres, ..)
            if touches
                && matches!(
                    sql.as_bytes().get(range.start - 1..=range.start),
                    Some(b"--" | b"/*")
                ) =>
        {
            refused("PostgreSQL begins a comment between these signs; write a space there.")
        }
        _ => Ok(()),
    }
}

/// What means one thing or another by the mode of a session of MySQL and MariaDB, where ours need not be
/// that of the client in which a text was tried. A body that the server keeps has a mode of its own.
pub(super) fn by_mode(lexemes: &[Lexeme], dialect: Dialect) -> Result<(), Refusal> {
    if !matches!(dialect, Dialect::Mysql | Dialect::Mariadb) {
        return Ok(());
    }
    let mut before = None;
    for lexeme in lexemes {
        // Behind AS it is a name in any mode.
        let named = before.replace(lexeme).is_some_and(|last: &Lexeme| last.is("AS"));
        let sentence = match &lexeme.token {
            Token::DoubleQuotedString(_) if !named => format!(
                "Whether double quotes are around a text or a name depends on a setting of {dialect}; write 'text' or `name`."
            ),
            Token::StringConcat => format!(
                "Whether || joins texts or means OR depends on a setting of {dialect}; write CONCAT(a, b) or OR."
            ),
            _ => continue,
        };
        return Err(Refusal { by_mode: true, ..Refusal::new(sentence).over(lexeme.range.clone()) });
    }
    Ok(())
}

/// Refuses a text where this engine reads it by its mode. A backslash in a text is a sign of its own for
/// others and begins one there, unless a mode says otherwise: who writes for this engine knows, who writes for
/// any does not.
pub fn unambiguous(sql: &str, dialect: Dialect, meant: Meant) -> Result<(), Refusal> {
    if !matches!(dialect, Dialect::Mysql | Dialect::Mariadb) {
        return Ok(());
    }
    let lexemes = Text::new(sql, dialect)?.lexemes;
    by_mode(&lexemes, dialect)?;
    let is_text = |lexeme: &&Lexeme| {
        matches!(lexeme.token, Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
    };
    let doubtful = |lexeme: &&Lexeme| sql[lexeme.range.clone()].contains('\\');
    match lexemes.iter().filter(is_text).find(doubtful).filter(|_| meant == Meant::ForAny) {
        Some(lexeme) => Err(Refusal {
            by_mode: true,
            ..Refusal::new(format!(
                "Whether a backslash is a sign of its own in a text depends on the engine, and on a setting of {dialect}; give {dialect} a text of its own under `{}`.",
                dialect.key()
            ))
            .over(lexeme.range.clone())
        }),
        None => Ok(()),
    }
}

/// The text with what stands in double quotes in backticks, if there is any: in double quotes `SQLite` takes
/// a name for a text where it finds nothing that is called so, in backticks never.
pub fn in_backticks(sql: &str) -> Result<Option<String>, Refusal> {
    if !sql.contains('"') {
        return Ok(None);
    }
    let text = Text::new(sql, Dialect::Sqlite)?;
    let mut named = sql.to_owned();
    for lexeme in text.lexemes.iter().rev() {
        let Token::Word(Word { quote_style: Some('"'), .. }) = &lexeme.token else { continue };
        let name = inside(&sql[lexeme.range.clone()]).unwrap_or_default();
        let name = name.replace("\"\"", "\"").replace('`', "``");
        named.replace_range(lexeme.range.clone(), &format!("`{name}`"));
    }
    Ok((named != sql).then_some(named))
}

/// No sign that a name may have without quotes.
fn is_sign(c: char) -> bool {
    c.is_ascii() && !c.is_ascii_alphanumeric() && !"_$@".contains(c)
}

/// Whether the last of these is the name of a `:name`.
fn is_variable(lexemes: &[Lexeme]) -> bool {
    let mut at = lexemes.len() - 1;
    while at > 0 && lexemes[at - 1].range.end == lexemes[at].range.start {
        match lexemes[at - 1].token {
            Token::Colon => return true,
            Token::Word(_) | Token::DoubleColon => at -= 1,
            _ => return false,
        }
    }
    false
}

fn inside(raw: &str) -> Option<&str> {
    raw.get(1..raw.len().checked_sub(1)?)
}

fn code(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}
