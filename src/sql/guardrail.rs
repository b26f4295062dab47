//! Definitions that make a bad state impossible: indexes, constraints, triggers.
//!
//! Decided by tokens, because no parser here knows the body of every engine's trigger. What would
//! overwrite something that a withdrawal cannot bring back is refused; what takes data away is
//! reported, and allowed by [`Definition::withdraws`] only for what the guardrail itself had added.

use sqlparser::tokenizer::Token;

use super::Refusal;
use super::doubt::by_mode;
use super::lex::{Lexeme, Text, nested};
use super::refuse::{acting_function, by_first_word};
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
    /// Built while others write, which no transaction can hold: `PostgreSQL`'s CONCURRENTLY.
    pub alone: bool,
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

    /// Whether this statement takes back what the applied ones introduced, and no more than that.
    pub fn withdraws(&self, applied: &[Self]) -> Result<(), String> {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let created = applied
            .iter()
            .flat_map(|applied| &applied.creates)
            .any(|(object, name)| *object == self.object && same(name, &self.name));
        if self.act == Act::Drop && !created {
            return Err(format!(
                "It drops the {} `{}`, which `apply` did not create.",
                self.object.word().to_lowercase(),
                self.name
            ));
        }
        let mut adds = applied.iter().flat_map(|applied| &applied.adds);
        match self.drops.iter().find(|column| !adds.any(|added| same(added, column))) {
            Some(column) => {
                Err(format!("It drops the column `{column}`, which `apply` did not add."))
            }
            None => Ok(()),
        }
    }
}

/// The statements that introduce or withdraw a guardrail, or the reason why they are refused. Each is
/// one CREATE, ALTER or DROP of an index, a table or a trigger.
///
/// Several only on `PostgreSQL` and `SQLite`, where one transaction takes back all of them; elsewhere a
/// second would leave the first behind when it fails.
pub fn definitions(sql: &str, dialect: Dialect) -> Result<Vec<Definition>, Refusal> {
    let text = Text::new(sql, dialect)?;
    by_mode(&text.lexemes, dialect)?;
    let statements = text.statements();
    if statements.len() < 2 || !matches!(dialect, Dialect::Postgres | Dialect::Sqlite) {
        return Ok(vec![definition(text.one()?, dialect)?]);
    }
    let mut found = vec![];
    for statement in statements {
        let lexemes = text.closed(statement)?;
        let defined = definition(lexemes, dialect)?;
        if defined.alone {
            let advice = "With CONCURRENTLY a statement is on its own, outside of any transaction; write it alone.";
            return Err(Refusal::new(advice).over(lexemes[0].range.clone()));
        }
        found.push(defined);
    }
    Ok(found)
}

/// The same text as a transaction can hold it, for a rehearsal that is rolled back: without
/// CONCURRENTLY.
pub fn transactional(sql: &str, dialect: Dialect) -> Result<String, Refusal> {
    let text = Text::new(sql, dialect)?;
    let mut held = sql.to_owned();
    let postgres = dialect == Dialect::Postgres;
    for statement in text.statements().into_iter().rev().filter(|_| postgres) {
        if let Some(word) = concurrently(&text.lexemes[statement]) {
            held.replace_range(word.range.clone(), "");
        }
    }
    Ok(held)
}

/// The word that keeps a statement out of a transaction. It stands before the name, or is a name.
fn concurrently(lexemes: &[Lexeme]) -> Option<&Lexeme> {
    let index = lexemes.iter().position(|lexeme| lexeme.is("INDEX"))?;
    lexemes.get(index + 1).filter(|lexeme| lexeme.is("CONCURRENTLY"))
}

/// The name of the table that one ALTER TABLE, or one CREATE or DROP of an index, is about.
pub fn defined_on(sql: &str, dialect: Dialect) -> Option<Vec<String>> {
    let text = Text::new(sql, dialect).ok()?;
    let lexemes = text.one().ok()?;
    let behind = match lexemes {
        [alter, table, ..] if alter.is("ALTER") && table.is("TABLE") => 2,
        [first, ..] if any(first, &["CREATE", "DROP"]) => {
            let index = lexemes.iter().position(|lexeme| lexeme.is("INDEX"))?;
            (index > 0 && index < 3).then_some(())?;
            lexemes.iter().position(|lexeme| lexeme.is("ON"))? + 1
        }
        _ => return None,
    };
    let mut names = lexemes[behind..].iter().skip_while(|lexeme| any(lexeme, &["IF", "EXISTS"]));
    let mut parts = vec![names.next()?.name()?.to_owned()];
    while names.next().is_some_and(|dot| dot.token == Token::Period) {
        parts.push(names.next()?.name()?.to_owned());
    }
    Some(parts)
}

fn definition(lexemes: &[Lexeme], dialect: Dialect) -> Result<Definition, Refusal> {
    match &lexemes[0] {
        first if first.is("DO") && dialect == Dialect::Postgres => block(lexemes),
        first if ["CREATE", "ALTER", "DROP"].iter().any(|verb| first.is(verb)) => {
            let defined = define(lexemes, dialect)?;
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
        let defined = define(statement, Dialect::Postgres).map_err(|r| refused(&r.sentence))?;
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
    let act = Act::Create;
    Ok(Definition { act, object, name, creates, adds: vec![], drops: vec![], alone: false })
}

fn define(lexemes: &[Lexeme], dialect: Dialect) -> Result<Definition, Refusal> {
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
    let (mut adds, mut drops) = (vec![], vec![]);
    if act == Act::Drop {
        of_one(&behind_object[at..], object)?;
    }
    if act == Act::Alter {
        (adds, drops) = columns(&behind_object[at..], dialect)?;
        actions(&behind_object[at..])?;
    }
    if act == Act::Create && object == Object::Table {
        unfilled(&behind_object[at..])?;
    }
    if matches!(object, Object::Table | Object::Index) {
        acts_not(&behind_object[at..])?;
    }
    let alone = object == Object::Index && concurrently(lexemes).is_some();
    Ok(Definition { act, object, name, creates, adds, drops, alone })
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

/// The columns that an ALTER adds and drops. What one of its parts alters stays a column.
fn columns(rest: &[Lexeme], dialect: Dialect) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let (mut adds, mut drops) = (vec![], vec![]);
    for part in parts(rest) {
        let alters = part.first().is_some_and(|first| first.is("ALTER"));
        for (at, (open, lexeme)) in nested(part).enumerate() {
            let behind = &part[at + 1..];
            let is_rule =
                || alters || behind.first().is_none_or(|next| rule(lexeme, next, dialect));
            let sentence = if open > 0 {
                continue;
            } else if any(lexeme, &["TRUNCATE", "RENAME", "DISCARD", "EXCHANGE"]) {
                "A guardrail adds a rule; it does not truncate, rename or exchange."
            } else if !any(lexeme, &["ADD", "DROP"]) || is_rule() {
                continue;
            } else if any(&behind[0], &["PARTITION", "SUBPARTITION"]) {
                "Partitions hold data; a guardrail leaves them alone."
            } else {
                let columns = if lexeme.is("ADD") { &mut adds } else { &mut drops };
                columns.extend(named(behind));
                continue;
            };
            return Err(Refusal::new(sentence).over(lexeme.range.clone()));
        }
    }
    Ok((adds, drops))
}

/// Whether what stands behind ADD or DROP is a rule (a constraint, a key) and not a column, which may
/// be called by any word that the engine does not reserve.
fn rule(does: &Lexeme, next: &Lexeme, dialect: Dialect) -> bool {
    let words: &[&str] = match (does.is("ADD"), dialect) {
        (true, Dialect::Mysql | Dialect::Mariadb) => &[
            "CONSTRAINT",
            "CHECK",
            "FOREIGN",
            "PRIMARY",
            "UNIQUE",
            "INDEX",
            "KEY",
            "FULLTEXT",
            "SPATIAL",
        ],
        (true, _) => &["CONSTRAINT", "CHECK", "FOREIGN", "PRIMARY", "UNIQUE", "EXCLUDE", "NOT"],
        (false, Dialect::Mysql | Dialect::Mariadb) => {
            &["CONSTRAINT", "CHECK", "FOREIGN", "PRIMARY", "INDEX", "KEY", "DEFAULT"]
        }
        (false, Dialect::Oracle) => &["CONSTRAINT", "PRIMARY", "UNIQUE"],
        (false, Dialect::Postgres | Dialect::Sqlite) => &["CONSTRAINT"],
    };
    any(next, words)
}

/// The columns behind ADD or DROP: one, which these words may be the name of, or several in parentheses.
fn named(behind: &[Lexeme]) -> Vec<String> {
    let words = ["COLUMN", "IF", "NOT", "EXISTS"];
    let begin = behind.iter().take_while(|lexeme| any(lexeme, &words)).count();
    let columns = match &behind[begin..] {
        [open, inner @ ..] if open.token == Token::LParen => parts(inner),
        [] => vec![&behind[begin - 1..]],
        one => vec![one],
    };
    let text =
        |lexeme: &Lexeme| lexeme.name().map_or_else(|| lexeme.token.to_string(), str::to_owned);
    columns.iter().filter_map(|column| column.first()).map(text).collect()
}

/// The parts between the commas that stand in no parentheses.
fn parts(lexemes: &[Lexeme]) -> Vec<&[Lexeme]> {
    let mut nested = nested(lexemes);
    lexemes
        .split(|_| nested.next().is_some_and(|(open, it)| open == 0 && it.token == Token::Comma))
        .collect()
}

/// A table that is made from a query runs the query, which on `PostgreSQL` may delete what it returns.
fn unfilled(rest: &[Lexeme]) -> Result<(), Refusal> {
    for (open, lexeme) in nested(rest) {
        // In parentheses stands AS before what a column is computed from.
        if any(lexeme, &["SELECT", "TABLE"]) || open == 0 && lexeme.is("AS") {
            let sentence = "The table would be filled by a query, which nobody sees run; a guardrail creates it empty.";
            return Err(Refusal::new(sentence).over(lexeme.range.clone()));
        }
    }
    Ok(())
}

/// A default, a check or the key of an index is computed for every row that is there. What a trigger
/// calls, it calls later.
fn acts_not(rest: &[Lexeme]) -> Result<(), Refusal> {
    for (nth, part) in rest.split(|lexeme| any(lexeme, &["ON", "REFERENCES"])).enumerate() {
        // Behind these words stands a table, which may be called like a function.
        let table = if nth == 0 { 0 } else { length_of_name(part) };
        if let Some(refusal) = acting_function(&part[table..], true) {
            return Err(refusal);
        }
    }
    Ok(())
}

/// How many lexemes the name takes with which these begin.
fn length_of_name(lexemes: &[Lexeme]) -> usize {
    let dots = lexemes.iter().skip(1).step_by(2);
    let more = 2 * dots.take_while(|dot| dot.token == Token::Period).count();
    lexemes.len().min(1 + more)
}

/// What is dropped is what is named, and that is one; a function takes its triggers along.
fn of_one(rest: &[Lexeme], object: Object) -> Result<(), Refusal> {
    for (open, lexeme) in nested(rest) {
        let along = lexeme.is("CASCADE") && object != Object::Function;
        if open == 0 && (lexeme.token == Token::Comma || along) {
            let sentence =
                "A DROP takes away one thing and nothing along with it; write one for each.";
            return Err(Refusal::new(sentence).over(lexeme.range.clone()));
        }
    }
    Ok(())
}

/// Every part of an ALTER says that it adds, changes, checks or drops a rule, or how it is done.
fn actions(rest: &[Lexeme]) -> Result<(), Refusal> {
    const HOW: [&str; 12] = [
        "ADD",
        "DROP",
        "ALTER",
        "MODIFY",
        "VALIDATE",
        "ENABLE",
        "FORCE",
        "ALGORITHM",
        "LOCK",
        "WAIT",
        "NOWAIT",
        "WITH",
    ];
    for part in parts(rest) {
        let Some(begin) = part.first() else { continue };
        if !any(begin, &HOW) {
            let sentence = format!(
                "`{}` is no part of a guardrail, which adds a rule with ADD, ALTER or MODIFY.",
                begin.word().unwrap_or_else(|| begin.token.to_string())
            );
            return Err(Refusal::new(sentence).over(begin.range.clone()));
        }
        if retypes(part) {
            let sentence = "This gives a column another type, and values that do not fit it are rounded or cut off for good; write the rule as a CHECK.";
            let end = part[part.len() - 1].range.end;
            return Err(Refusal::new(sentence).over(begin.range.start..end));
        }
    }
    Ok(())
}

/// Whether a part of an ALTER says of which type a column is, or what it is computed from.
fn retypes(part: &[Lexeme]) -> bool {
    const RULES: [&str; 8] =
        ["NOT", "NULL", "DEFAULT", "CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "REFERENCES"];
    let behind = part[1..].iter().take_while(|word| any(word, &["COLUMN", "IF", "EXISTS"])).count();
    match (&part[0], &part[behind + 1..]) {
        (alter, [_, set, to, ..]) if alter.is("ALTER") && set.is("SET") => {
            any(to, &["DATA", "EXPRESSION"])
        }
        (alter, [_, to, ..]) if alter.is("ALTER") => to.is("TYPE"),
        (modify, [rule, ..]) if modify.is("MODIFY") && any(rule, &RULES) => false,
        // Without a type it adds to the column, as Oracle has it; MySQL wants the type each time.
        (modify, columns) if modify.is("MODIFY") => {
            let columns = match columns {
                [open, inner @ .., close]
                    if open.token == Token::LParen && close.token == Token::RParen =>
                {
                    inner
                }
                one => one,
            };
            parts(columns).iter().any(|column| column.get(1).is_none_or(|next| !any(next, &RULES)))
        }
        _ => false,
    }
}
