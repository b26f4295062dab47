//! Definitions that make a bad state impossible: indexes, constraints, triggers.
//!
//! Decided by tokens, because no parser here knows the body of every engine's trigger. What would
//! take data away, or overwrite what a withdrawal cannot bring back, is refused.

use sqlparser::tokenizer::Token;

use super::Refusal;
use super::lex::{Lexeme, Text};
use super::refuse::by_first_word;
use crate::dialect::Dialect;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    Index,
    Table,
    Trigger,
}

impl Object {
    pub fn word(self) -> &'static str {
        match self {
            Self::Index => "INDEX",
            Self::Table => "TABLE",
            Self::Trigger => "TRIGGER",
        }
    }
}

/// What a definition statement does, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    Create { object: Object, name: String },
    Alter { object: Object, name: String },
    Drop { object: Object, name: String },
}

/// One CREATE, ALTER or DROP of an index, a table or a trigger, or the reason why it is refused.
pub fn definition(sql: &str, dialect: Dialect) -> Result<Definition, Refusal> {
    let text = Text::new(sql, dialect)?;
    let lexemes = text.one()?;
    let first = &lexemes[0];
    let verbs = ["CREATE", "ALTER", "DROP"];
    if !verbs.iter().any(|verb| first.is(verb)) {
        let mut refusal = by_first_word(first);
        refusal.sentence.push_str(" A guardrail is CREATE, ALTER or DROP.");
        return Err(refusal);
    }
    let (object, at) = object(&lexemes[1..])?;
    let (name, behind) = name(&lexemes[1 + at + 1..], object).map_err(|r| match r.part {
        Some(_) => r,
        None => r.over(first.range.clone()),
    })?;
    let rest = &lexemes[1 + at + 1 + behind..];
    if first.is("CREATE") {
        return Ok(Definition::Create { object, name });
    }
    if first.is("DROP") {
        return Ok(Definition::Drop { object, name });
    }
    keeps_data(rest)?;
    Ok(Definition::Alter { object, name })
}

/// The kind of object, behind its adjectives.
fn object(lexemes: &[Lexeme]) -> Result<(Object, usize), Refusal> {
    for (at, lexeme) in lexemes.iter().enumerate() {
        let word = lexeme.word().unwrap_or_default();
        let sentence = match word.as_str() {
            "INDEX" => return Ok((Object::Index, at)),
            "TABLE" => return Ok((Object::Table, at)),
            "TRIGGER" => return Ok((Object::Trigger, at)),
            "UNIQUE" | "CONSTRAINT" | "FULLTEXT" | "SPATIAL" | "BITMAP" => continue,
            "OR" | "REPLACE" => {
                "OR REPLACE would overwrite what the withdrawal cannot bring back; leave it out."
                    .to_owned()
            }
            "TEMP" | "TEMPORARY" => {
                "A temporary object protects only this connection; leave the word out.".to_owned()
            }
            _ => format!(
                "A guardrail is an INDEX, a TABLE or a TRIGGER, not `{}`.",
                if word.is_empty() { lexeme.token.to_string() } else { word }
            ),
        };
        return Err(Refusal::new(sentence).over(lexeme.range.clone()));
    }
    Err(Refusal::new("The statement ends before it says what it defines."))
}

/// The name, and how many lexemes lead up to its end.
fn name(lexemes: &[Lexeme], object: Object) -> Result<(String, usize), Refusal> {
    let skipped = lexemes
        .iter()
        .take_while(|lexeme| {
            ["IF", "NOT", "EXISTS", "CONCURRENTLY", "ONLY"].iter().any(|word| lexeme.is(word))
        })
        .count();
    let mut at = skipped;
    while let Some(name) = lexemes.get(at).and_then(Lexeme::name) {
        if lexemes.get(at + 1).is_some_and(|next| next.token == Token::Period) {
            at += 2;
            continue;
        }
        if lexemes[at].is("ON") {
            break;
        }
        return Ok((name.to_owned(), at + 1));
    }
    let sentence = format!("The {} has no name, so it could not be withdrawn.", object.word());
    let refusal = Refusal::new(sentence);
    Err(match lexemes.get(at) {
        Some(lexeme) => refusal.over(lexeme.range.clone()),
        None => refusal,
    })
}

/// An ALTER that takes no data away.
fn keeps_data(rest: &[Lexeme]) -> Result<(), Refusal> {
    const RULES: [&str; 10] = [
        "CONSTRAINT",
        "CHECK",
        "FOREIGN",
        "PRIMARY",
        "INDEX",
        "KEY",
        "DEFAULT",
        "NOT",
        "IDENTITY",
        "EXPRESSION",
    ];
    for (at, lexeme) in rest.iter().enumerate() {
        let harmless = rest.get(at + 1).is_some_and(|next| RULES.iter().any(|rule| next.is(rule)));
        let sentence = if lexeme.is("DROP") && !harmless {
            "Dropping a column or a partition takes its data away; a guardrail may drop only rules such as DROP CONSTRAINT."
        } else if ["TRUNCATE", "RENAME", "DISCARD", "EXCHANGE"].iter().any(|word| lexeme.is(word)) {
            "A guardrail adds a rule; it does not truncate, rename or exchange."
        } else {
            continue;
        };
        return Err(Refusal::new(sentence).over(lexeme.range.clone()));
    }
    Ok(())
}
