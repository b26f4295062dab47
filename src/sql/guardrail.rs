//! Definitions that make a bad state impossible: indexes, constraints, triggers.
//!
//! Decided by tokens, because no parser here knows the body of every engine's trigger. What would
//! overwrite something that a withdrawal cannot bring back is refused; what takes data away is
//! reported, and allowed by [`Definition::withdraws`] only for what the guardrail itself had added.

use sqlparser::tokenizer::Token;

use super::Refusal;
use super::lex::{Lexeme, Text};
use super::refuse::by_first_word;
use crate::dialect::Dialect;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Create,
    Alter,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    Index,
    Table,
    Trigger,
    /// The function of a trigger, where an engine keeps the two apart.
    Function,
}

impl Object {
    pub fn word(self) -> &'static str {
        match self {
            Self::Index => "INDEX",
            Self::Table => "TABLE",
            Self::Trigger => "TRIGGER",
            Self::Function => "FUNCTION",
        }
    }
}

/// What a definition statement does, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub act: Act,
    pub object: Object,
    pub name: String,
    /// Everything it creates by name: itself, and the function beside a trigger.
    pub creates: Vec<(Object, String)>,
    /// Columns that an ALTER TABLE adds.
    pub adds: Vec<String>,
    /// Columns that an ALTER TABLE drops, with what they hold.
    pub drops: Vec<String>,
}

impl Definition {
    /// Whether this statement may introduce a guardrail: it takes nothing away.
    pub fn introduces(&self) -> Result<(), String> {
        match (self.act, self.object, self.drops.first()) {
            (_, _, Some(column)) => Err(format!(
                "Dropping the column `{column}` takes its data away; a guardrail only adds."
            )),
            (Act::Drop, Object::Table | Object::Function, _) => Err(format!(
                "DROP {} takes away what cannot be restored; a guardrail only adds.",
                self.object.word()
            )),
            _ => Ok(()),
        }
    }

    /// Whether this statement takes back what `applied` introduced, and no more than that.
    pub fn withdraws(&self, applied: &Self) -> Result<(), String> {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let created = applied
            .creates
            .iter()
            .any(|(object, name)| *object == self.object && same(name, &self.name));
        if self.act == Act::Drop && !created {
            return Err(format!(
                "It drops the {} `{}`, which `apply` did not create.",
                self.object.word().to_lowercase(),
                self.name
            ));
        }
        match self.drops.iter().find(|column| !applied.adds.iter().any(|added| same(added, column)))
        {
            Some(column) => {
                Err(format!("It drops the column `{column}`, which `apply` did not add."))
            }
            None => Ok(()),
        }
    }
}

/// One CREATE, ALTER or DROP of an index, a table or a trigger, or the reason why it is refused.
pub fn definition(sql: &str, dialect: Dialect) -> Result<Definition, Refusal> {
    let text = Text::new(sql, dialect)?;
    let lexemes = text.one()?;
    match &lexemes[0] {
        first if first.is("DO") && dialect == Dialect::Postgres => block(lexemes),
        first if ["CREATE", "ALTER", "DROP"].iter().any(|verb| first.is(verb)) => {
            let defined = define(lexemes)?;
            if defined.object == Object::Function && defined.act != Act::Drop {
                let advice = "A function is created together with its trigger: DO $$ BEGIN CREATE FUNCTION …; CREATE TRIGGER …; END $$.";
                return Err(Refusal::new(advice).over(first.range.clone()));
            }
            Ok(defined)
        }
        first => {
            let mut refusal = by_first_word(first);
            refusal.sentence.push_str(" A guardrail is CREATE, ALTER or DROP.");
            Err(refusal)
        }
    }
}

/// `DO $$ BEGIN CREATE FUNCTION …; CREATE TRIGGER …; END $$`: the one form in which `PostgreSQL`
/// creates a trigger with its function in one statement. Nothing else may stand in it.
fn block(lexemes: &[Lexeme]) -> Result<Definition, Refusal> {
    let refused = |reason: &str| {
        let range = lexemes[0].range.start..lexemes[lexemes.len() - 1].range.end;
        Refusal::new(format!(
            "A DO block may hold only CREATE FUNCTION and CREATE TRIGGER between BEGIN and END; {reason}."
        ))
        .over(range)
    };
    let [_, Lexeme { token: Token::DollarQuotedString(body), .. }] = lexemes else {
        return Err(refused("write it as DO $$ … $$"));
    };
    let inner = Text::new(&body.value, Dialect::Postgres).map_err(|r| refused(&r.sentence))?;
    let words = match inner.lexemes.as_slice() {
        [begin, words @ .., end, semicolon]
            if begin.is("BEGIN") && end.is("END") && semicolon.token == Token::SemiColon =>
        {
            words
        }
        [begin, words @ .., end] if begin.is("BEGIN") && end.is("END") => words,
        _ => return Err(refused("this one does not begin with BEGIN and finish with END")),
    };
    let mut creates = vec![];
    for statement in words.split(|lexeme| lexeme.token == Token::SemiColon) {
        if statement.is_empty() {
            continue;
        }
        let defined = define(statement).map_err(|r| refused(&r.sentence))?;
        let fits = matches!(defined.object, Object::Function | Object::Trigger);
        if defined.act != Act::Create || !fits {
            return Err(refused("this one does something else"));
        }
        creates.extend(defined.creates);
    }
    let trigger = creates.iter().find(|(object, _)| *object == Object::Trigger);
    let Some((object, name)) = trigger.cloned() else {
        return Err(refused("this one creates no trigger"));
    };
    Ok(Definition { act: Act::Create, object, name, creates, adds: vec![], drops: vec![] })
}

fn define(lexemes: &[Lexeme]) -> Result<Definition, Refusal> {
    let first = &lexemes[0];
    let act = match first.word().as_deref() {
        Some("CREATE") => Act::Create,
        Some("ALTER") => Act::Alter,
        Some("DROP") => Act::Drop,
        _ => return Err(by_first_word(first)),
    };
    let whole = |refusal: Refusal| match refusal.part {
        Some(_) => refusal,
        None => refusal.over(first.range.clone()),
    };
    let (object, at) = object(&lexemes[1..]).map_err(whole)?;
    let behind_object = &lexemes[at + 2..];
    let (name, at) = name(behind_object, object).map_err(whole)?;
    let creates = if act == Act::Create { vec![(object, name.clone())] } else { vec![] };
    let (adds, drops) =
        if act == Act::Alter { columns(&behind_object[at..])? } else { (vec![], vec![]) };
    Ok(Definition { act, object, name, creates, adds, drops })
}

/// The kind of object, behind its adjectives.
fn object(lexemes: &[Lexeme]) -> Result<(Object, usize), Refusal> {
    for (at, lexeme) in lexemes.iter().enumerate() {
        let word = lexeme.word().unwrap_or_default();
        let sentence = match word.as_str() {
            "INDEX" => return Ok((Object::Index, at)),
            "TABLE" => return Ok((Object::Table, at)),
            "TRIGGER" => return Ok((Object::Trigger, at)),
            "FUNCTION" => return Ok((Object::Function, at)),
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
    let mut at = lexemes
        .iter()
        .take_while(|lexeme| any(lexeme, &["IF", "NOT", "EXISTS", "CONCURRENTLY", "ONLY"]))
        .count();
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

fn any(lexeme: &Lexeme, words: &[&str]) -> bool {
    words.iter().any(|word| lexeme.is(word))
}

/// The columns that an ALTER adds and drops. Rules (constraints, keys, defaults) are not columns.
fn columns(rest: &[Lexeme]) -> Result<(Vec<String>, Vec<String>), Refusal> {
    const RULES: [&str; 14] = [
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
        "UNIQUE",
        "FULLTEXT",
        "SPATIAL",
        "EXCLUDE",
    ];
    let (mut adds, mut drops) = (vec![], vec![]);
    for (at, lexeme) in rest.iter().enumerate() {
        let sentence = if any(lexeme, &["TRUNCATE", "RENAME", "DISCARD", "EXCHANGE"]) {
            "A guardrail adds a rule; it does not truncate, rename or exchange."
        } else if !any(lexeme, &["ADD", "DROP"])
            || rest.get(at + 1).is_none_or(|next| any(next, &RULES))
        {
            continue;
        } else if rest.get(at + 1).is_some_and(|next| any(next, &["PARTITION", "SUBPARTITION"])) {
            "Partitions hold data; a guardrail leaves them alone."
        } else {
            let column = rest[at + 1..]
                .iter()
                .find(|next| !any(next, &["COLUMN", "IF", "NOT", "EXISTS"]))
                .and_then(Lexeme::name);
            match column {
                Some(name) if lexeme.is("ADD") => adds.push(name.to_owned()),
                Some(name) => drops.push(name.to_owned()),
                None => {}
            }
            continue;
        };
        return Err(Refusal::new(sentence).over(lexeme.range.clone()));
    }
    Ok((adds, drops))
}
