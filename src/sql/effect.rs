//! Whether one statement reads or writes, from what the parser makes of it.

use std::ops::ControlFlow;

use sqlparser::ast::{
    AssignmentTarget, Delete, FromTable, Insert, ObjectName, Query, Select, SetExpr,
    SqliteOnConflict, Statement, TableFactor, TableObject, TableWithJoins, Update, Visit, Visitor,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError, ParserOptions};
use sqlparser::tokenizer::{Token, Word};

use super::blank::blanked;
use super::doubt::by_mode;
use super::grammar::grammar;
use super::lex::{Lexeme, Text, sentence};
use super::name::joined;
use super::refuse::{REPLACE, acting_function, by_first_word, word_of_a_write};
use super::{Refusal, Verb, Write};
use crate::dialect::Dialect;

/// How far a read was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Parsed,
    /// Only by its words; nothing may be built on its being read-only.
    Unparsed,
}

/// One statement that reads, or the reason why it is refused.
pub fn read(sql: &str, dialect: Dialect) -> Result<Reading, Refusal> {
    let text = Text::new(sql, dialect)?;
    let lexemes = text.one()?;
    let begins = ["SELECT", "WITH", "VALUES"];
    // SQLite knows no query that begins with a parenthesis.
    let nested = dialect != Dialect::Sqlite && lexemes[0].token == Token::LParen;
    let first = lexemes.iter().find(|lexeme| !nested || lexeme.token != Token::LParen);
    if !first.is_some_and(|first| begins.iter().any(|word| first.is(word))) {
        return Err(by_first_word(&lexemes[0]));
    }
    if let Some(refusal) = acting_function(lexemes, false) {
        return Err(refusal);
    }
    by_mode(lexemes, dialect)?;
    match parse(sql, lexemes, dialect) {
        Ok(Statement::Query(query)) => match query.visit(&mut Reader) {
            ControlFlow::Break(reason) => Err(Refusal::new(reason).over(lexemes[0].range.clone())),
            ControlFlow::Continue(()) => Ok(Reading::Parsed),
        },
        Ok(_) => Err(by_first_word(&lexemes[0])),
        Err(error) if nested => Err(misread(sql, &error, dialect)),
        Err(_) => word_of_a_write(lexemes, dialect).map_or(Ok(Reading::Unparsed), Err),
    }
}

/// One INSERT, UPDATE or DELETE on one table, or the reason why it is refused.
pub fn write(sql: &str, dialect: Dialect) -> Result<Write, Refusal> {
    let text = Text::new(sql, dialect)?;
    let lexemes = text.one()?;
    let first = &lexemes[0];
    let begins = ["INSERT", "UPDATE", "DELETE", "WITH"];
    if !begins.iter().any(|word| first.is(word)) {
        return Err(by_first_word(first));
    }
    if let Some(refusal) = acting_function(lexemes, true) {
        return Err(refusal);
    }
    by_mode(lexemes, dialect)?;
    let replaces = |pair: &&[Lexeme]| pair[0].is("REPLACE") && pair[1].is("INTO");
    if let Some([replace, ..]) = lexemes.windows(2).find(replaces) {
        return Err(by_first_word(replace));
    }
    let statement = parse(sql, lexemes, dialect).map_err(|error| misread(sql, &error, dialect))?;
    let here = |reason: String| Refusal::new(reason).over(first.range.clone());
    let mut nested = Nested { allowed: 0 };
    match statement {
        Statement::Query(query) => {
            nested.allowed = 1;
            unnested(query.as_ref(), &mut nested).map_err(&here)?;
            match *query.body {
                SetExpr::Insert(Statement::Insert(insert)) => inserted(&insert),
                SetExpr::Update(Statement::Update(update)) => updated(&update),
                SetExpr::Delete(Statement::Delete(delete)) => deleted(&delete),
                _ => Err("The statement changes nothing; write INSERT, UPDATE or DELETE.".into()),
            }
        }
        Statement::Insert(insert) => {
            unnested(&insert, &mut nested).and_then(|()| inserted(&insert))
        }
        Statement::Update(update) => unnested(&update, &mut nested).and_then(|()| updated(&update)),
        Statement::Delete(delete) => unnested(&delete, &mut nested).and_then(|()| deleted(&delete)),
        _ => return Err(by_first_word(first)),
    }
    .map_err(here)
}

/// Whether the text begins as a query that can be nothing else.
pub(super) fn is_select(sql: &str, dialect: Dialect) -> bool {
    Text::new(sql, dialect)
        .is_ok_and(|text| text.lexemes.first().is_some_and(|l| l.is("SELECT") || l.is("VALUES")))
}

/// More than any statement that somebody could approve.
const BRANCHES: usize = 20_000;

/// What long lists are made of.
fn is_leaf(token: &Token) -> bool {
    matches!(
        token,
        Token::Comma
            | Token::LParen
            | Token::RParen
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Word(Word { keyword: Keyword::NULL, .. })
    )
}

/// The one statement as a tree; what stands behind it (semicolons) is cut off.
pub(super) fn parse(
    sql: &str,
    lexemes: &[Lexeme],
    dialect: Dialect,
) -> Result<Statement, ParserError> {
    parse_with(ParserOptions::default(), sql, lexemes, dialect)
}

/// The same with what stands in quotes as it is written.
pub(super) fn parse_as_written(
    sql: &str,
    lexemes: &[Lexeme],
    dialect: Dialect,
) -> Result<Statement, ParserError> {
    parse_with(ParserOptions::default().with_unescape(false), sql, lexemes, dialect)
}

fn parse_with(
    options: ParserOptions,
    sql: &str,
    lexemes: &[Lexeme],
    dialect: Dialect,
) -> Result<Statement, ParserError> {
    // A tree of so many branches in a row is walked, and freed, by recursion.
    let branches = lexemes.iter().filter(|lexeme| !is_leaf(&lexeme.token)).count();
    if branches > BRANCHES {
        return Err(ParserError::RecursionLimitExceeded);
    }
    let end = lexemes.last().map_or(0, |last| last.range.end);
    let known = blanked(&sql[..end], lexemes, dialect);
    let grammar = grammar(dialect);
    let mut parser = Parser::new(&*grammar).with_options(options).try_with_sql(&known)?;
    let mut statements = parser.parse_statements()?;
    match (statements.pop(), statements.is_empty()) {
        (Some(mut statement), true) => {
            if matches!(dialect, Dialect::Mysql | Dialect::Mariadb) {
                name_first(&mut statement);
            }
            Ok(statement)
        }
        _ => Err(ParserError::ParserError("Expected: one statement".into())),
    }
}

/// `DELETE FROM a USING tables` is `DELETE a FROM tables` for `MySQL` and `MariaDB`: only what stands
/// behind USING are tables.
fn name_first(statement: &mut Statement) {
    let delete = match statement {
        Statement::Delete(delete) => delete,
        Statement::Query(query) => match &mut *query.body {
            SetExpr::Delete(Statement::Delete(delete)) => delete,
            _ => return,
        },
        _ => return,
    };
    let FromTable::WithFromKeyword(from) = &mut delete.from else { return };
    let Some(using) = delete.using.take() else { return };
    let named = std::mem::replace(from, using);
    delete.tables.extend(named.into_iter().filter_map(|named| match named.relation {
        TableFactor::Table { name, .. } => Some(name),
        _ => None,
    }));
}

/// The parser's words, with the place that it names.
fn misread(sql: &str, error: &ParserError, dialect: Dialect) -> Refusal {
    let mysql = matches!(dialect, Dialect::Mysql | Dialect::Mariadb);
    let message = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => "it is nested too deeply or too long",
    };
    let (words, place) = match message.split_once(" at Line: ") {
        Some((words, place)) => (words, place.split_once(", Column: ")),
        None => (message, None),
    };
    let mut words =
        words.replacen("Expected: ", "expected ", 1).replacen(", found: ", ", found ", 1);
    if words.starts_with("No infix parser") {
        words = "what stands here is no operator that is known".into();
    } else if mysql && words == "expected SET, found ," {
        words.push_str("; write JOIN between the tables");
    }
    let refusal = Refusal::new(format!(
        "Not understood as a statement for {dialect}, so it cannot be previewed: {}.",
        sentence(&words)
    ));
    let location = place.and_then(|(line, column)| {
        Some(sqlparser::tokenizer::Location::new(line.parse().ok()?, column.parse().ok()?))
    });
    match location {
        Some(location) => refusal.over(super::lex::at(sql, location)),
        None => refusal,
    }
}

/// Finds what a query does besides reading.
struct Reader;

impl Visitor for Reader {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("FOR UPDATE and FOR SHARE lock rows; leave them out.");
        }
        if writes(&query.body) {
            return ControlFlow::Break("A part of the query changes rows; leave it out.");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        if select.into.is_some() {
            return ControlFlow::Break("SELECT INTO creates a table; leave INTO out.");
        }
        ControlFlow::Continue(())
    }
}

fn writes(body: &SetExpr) -> bool {
    matches!(body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_))
}

/// Finds writes inside a write: they would change rows that nobody counts.
struct Nested {
    allowed: usize,
}

impl Visitor for Nested {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if writes(&query.body) {
            if self.allowed == 0 {
                return ControlFlow::Break(
                    "One statement changes rows in several places; write one statement for each.",
                );
            }
            self.allowed -= 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        Reader.pre_visit_select(select)
    }
}

fn unnested(tree: &impl Visit, nested: &mut Nested) -> Result<(), String> {
    match tree.visit(nested) {
        ControlFlow::Break(reason) => Err(reason.to_owned()),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn conflict(or: Option<&SqliteOnConflict>) -> Result<(), String> {
    match or {
        Some(SqliteOnConflict::Replace) => Err(format!("`OR REPLACE` {REPLACE}.")),
        Some(SqliteOnConflict::Rollback) => {
            Err("`OR ROLLBACK` ends the transaction by itself; write OR ABORT or nothing.".into())
        }
        _ => Ok(()),
    }
}

fn inserted(insert: &Insert) -> Result<Write, String> {
    if insert.replace_into {
        return Err(format!("`REPLACE` {REPLACE}."));
    }
    conflict(insert.or.as_ref())?;
    match &insert.table {
        TableObject::TableName(name) => Ok(Write { verb: Verb::Insert, table: joined(name) }),
        _ => Err("The statement inserts into something that is no table.".into()),
    }
}

fn updated(update: &Update) -> Result<Write, String> {
    conflict(update.or.as_ref())?;
    let verb = Verb::Update;
    if update.table.joins.is_empty() {
        return Ok(Write { verb, table: only_table(&update.table)? });
    }
    // Of joined tables, the columns say which one is changed.
    let mut owners = update.assignments.iter().flat_map(|assignment| match &assignment.target {
        AssignmentTarget::ColumnName(name) => std::slice::from_ref(name),
        AssignmentTarget::Tuple(names) => names.as_slice(),
    });
    let owner = owners.next().and_then(owner);
    match owner {
        Some(owner)
            if owners.all(|name| {
                self::owner(name).is_some_and(|other| other.eq_ignore_ascii_case(&owner))
            }) =>
        {
            resolve(&owner, std::slice::from_ref(&update.table))
                .map(|table| Write { verb, table })
        }
        _ => Err("An UPDATE of joined tables must say whose columns it sets, all of one table; write alias.column in SET.".into()),
    }
}

fn deleted(delete: &Delete) -> Result<Write, String> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let several =
        || "The statement deletes from several tables; write one statement for each.".to_owned();
    let table = match (delete.tables.as_slice(), from.as_slice()) {
        ([], [one]) if delete.using.is_none() || one.joins.is_empty() => only_table(one)?,
        ([one], _) => resolve(&joined(one), from)?,
        _ => return Err(several()),
    };
    Ok(Write { verb: Verb::Delete, table })
}

/// The part before the column.
fn owner(column: &ObjectName) -> Option<String> {
    let (_, before) = column.0.split_last()?;
    (!before.is_empty()).then(|| joined(&ObjectName(before.to_vec())))
}

fn only_table(table: &TableWithJoins) -> Result<String, String> {
    match &table.relation {
        // With parentheses behind its name it is a function.
        TableFactor::Table { name, args: None, .. } if table.joins.is_empty() => Ok(joined(name)),
        _ => Err("The statement changes something that is no table by itself.".into()),
    }
}

/// The table behind a name or an alias.
fn resolve(wanted: &str, tables: &[TableWithJoins]) -> Result<String, String> {
    tables
        .iter()
        .flat_map(|table| {
            std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
        })
        .find_map(|factor| match factor {
            TableFactor::Table { name, alias, .. } => {
                let whole = joined(name);
                let called: &[&str] = match alias {
                    Some(alias) => &[&alias.name.value],
                    None => &[&whole, whole.rsplit('.').next().unwrap_or(&whole)],
                };
                called
                    .iter()
                    .any(|called| called.eq_ignore_ascii_case(wanted))
                    .then(|| whole.clone())
            }
            _ => None,
        })
        .ok_or_else(|| format!("`{wanted}` is not a table of the statement."))
}
