//! `IN (:chunk)`: a statement with places for a list of literals, and putting such a list in.

use std::ops::Range;

use sqlparser::tokenizer::Token;

use super::Refusal;
use super::lex::{Lexeme, Text};
use super::parameter::{is_literal, substitute};
use crate::dialect::Dialect;

/// The name of the place.
pub const CHUNK: &str = "chunk";

/// A statement without its lists: what stands before, between and behind `IN (:chunk)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    first: String,
    rest: Vec<Behind>,
}

/// A list, and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Behind {
    /// The column that the list is asked of, where it is nothing else.
    column: Option<String>,
    text: String,
}

/// Where a list belongs.
#[derive(Debug)]
pub struct Place {
    range: Range<usize>,
    column: Option<String>,
}

/// Literals that a server quoted, each held against what a literal is, as one condition on what stands
/// before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literals {
    condition: String,
    /// The same of whole numbers that follow each other without a gap, where no other number can be
    /// between them: found at once.
    unbroken: Option<String>,
    range: Option<(i64, i64)>,
}

impl Literals {
    pub fn of(quoted: &[String], dialect: Dialect) -> Result<Self, Refusal> {
        // Most keys are whole numbers, which can be nothing else.
        let numbers: Option<Vec<i64>> = quoted.iter().map(|key| key.parse().ok()).collect();
        if numbers.is_none() && !quoted.iter().all(|key| is_literal(key, dialect)) {
            return Err(Refusal::new("A key did not come back as one quoted literal."));
        }
        let list = quoted.join(",");
        // One word, which neither we nor the server need to take apart as ten thousand.
        let (condition, unbroken) = match (dialect, numbers.as_deref()) {
            (Dialect::Postgres, Some(numbers)) => {
                (format!("= ANY ('{{{list}}}')"), unbroken(numbers))
            }
            _ => (format!("IN ({list})"), None),
        };
        let range = numbers.and_then(|numbers| dense(&numbers));
        Ok(Self { condition, unbroken, range })
    }

    /// The condition, to be written behind the name of a column; of a column of whole numbers there may
    /// be a shorter one.
    pub fn condition(&self, whole: bool) -> &str {
        self.unbroken.as_ref().filter(|_| whole).unwrap_or(&self.condition)
    }

    /// The least and the greatest of whole numbers, if there are not many others between them.
    pub fn range(&self) -> Option<(i64, i64)> {
        self.range
    }
}

fn unbroken(numbers: &[i64]) -> Option<String> {
    let next = |pair: &[i64]| pair[0].checked_add(1) == Some(pair[1]);
    let (first, last) = (numbers.first()?, numbers.last()?);
    numbers.windows(2).all(next).then(|| format!("BETWEEN {first} AND {last}"))
}

fn dense(numbers: &[i64]) -> Option<(i64, i64)> {
    /// So many rows are read in one go at less cost than one of them is searched for.
    const FEW: u64 = 4;
    let (least, most) = (*numbers.iter().min()?, *numbers.iter().max()?);
    (most.abs_diff(least) / FEW < numbers.len() as u64).then_some((least, most))
}

impl Listed {
    /// The statement with its other parameters put in; a refusal if no `IN (:chunk)` is in it.
    pub fn of(
        sql: &str,
        dialect: Dialect,
        literal: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Refusal> {
        let places = chunked(sql, dialect)?;
        let ends = places.iter().skip(1).map(|place| place.range.start).chain([sql.len()]);
        let rest = places.iter().zip(ends).map(|(place, end)| {
            let text = substitute(&sql[place.range.end..end], dialect, literal)?;
            Ok(Behind { column: place.column.clone(), text })
        });
        let before = places.first().map_or(sql.len(), |place| place.range.start);
        let first = substitute(&sql[..before], dialect, literal)?;
        Ok(Self { first, rest: rest.collect::<Result<_, Refusal>>()? })
    }

    /// With the keys of a chunk, given which of its columns hold whole numbers.
    pub fn fill(&self, literals: &Literals, whole: impl Fn(&str) -> bool) -> String {
        self.with(|column| literals.condition(column.is_some_and(&whole)))
    }

    /// As it can be judged: with one value where the list belongs.
    pub fn sample(&self) -> String {
        self.with(|_| "IN (NULL)")
    }

    /// As it can be shown: with a name for the list.
    pub fn template(&self) -> String {
        self.with(|_| "IN (:chunk)")
    }

    fn with<'t>(&self, condition: impl Fn(Option<&str>) -> &'t str) -> String {
        self.rest.iter().fold(self.first.clone(), |text, Behind { column, text: behind }| {
            text + condition(column.as_deref()) + behind
        })
    }
}

/// Whether a statement keeps to the rows of its chunk, as far as its words tell: the list stands in
/// parentheses behind IN; gives where. What it really writes is held against the chunk when it runs.
pub fn chunked(sql: &str, dialect: Dialect) -> Result<Vec<Place>, Refusal> {
    let text = Text::new(sql, dialect)?;
    let lexemes = &text.lexemes;
    let mut found = Vec::new();
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
        let range = lexemes[at - 2].range.start..lexemes[at + 2].range.end;
        found.push(Place { range, column: alone(&lexemes[..at - 2]) });
    }
    if found.is_empty() {
        return Err(Refusal::new(
            "A statement that runs in chunks must keep to the keys of its chunk; write `… IN (:chunk)`.",
        ));
    }
    Ok(found)
}

/// The column that these end with, if what they end with is nothing but a column.
fn alone(lexemes: &[Lexeme]) -> Option<String> {
    let (column, before) = lexemes.split_last()?;
    let before = match before {
        [rest @ .., table, dot] if dot.token == Token::Period => table.name().map(|_| rest)?,
        all => all,
    };
    let last = before.last()?;
    let begins = ["WHERE", "AND", "OR"].iter().any(|word| last.is(word));
    let name = if begins { column.name() } else { None };
    name.map(str::to_owned)
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
        let whole = |column: &str| column == "id";
        assert_eq!(listed.fill(&keys, whole), filled);
        let numbers = ["7".to_owned(), "3".to_owned()];
        let keys = Literals::of(&numbers, Dialect::Postgres).expect("they are literals");
        let filled = "UPDATE t SET a = 'x' WHERE id = ANY ('{7,3}') AND a IS NULL";
        assert_eq!((listed.fill(&keys, whole).as_str(), keys.range()), (filled, Some((3, 7))));
        let keys = Literals::of(&numbers, Dialect::Mysql).expect("they are literals");
        assert_eq!(keys.condition(true), "IN (7,3)");
        let numbers = ["-1".to_owned(), "0".to_owned(), "1".to_owned()];
        let keys = Literals::of(&numbers, Dialect::Postgres).expect("they are literals");
        assert_eq!(keys.condition(true), "BETWEEN -1 AND 1");
        assert_eq!(listed.template(), "UPDATE t SET a = 'x' WHERE id IN (:chunk) AND a IS NULL");
    }

    /// Between two whole numbers a column of another type may hold one that is no key.
    #[test]
    fn a_range_is_asked_only_of_a_column_of_whole_numbers() {
        let numbers = ["1".to_owned(), "2".to_owned()];
        let keys = Literals::of(&numbers, Dialect::Postgres).expect("they are literals");
        let (range, list) = ("BETWEEN 1 AND 2", "= ANY ('{1,2}')");
        for (before, expected) in [
            ("id", range),
            ("t.id", range),
            ("a = 1 OR \"t\".id", range),
            ("price", list),
            ("t.price", list),
            ("a + id", list),
            ("- id", list),
            ("s.t.id", list),
            ("abs(id)", list),
            ("a > 1 AND NOT id", list),
        ] {
            let sql = format!("UPDATE t SET a = 1 WHERE {before} IN (:chunk)");
            let listed = Listed::of(&sql, Dialect::Postgres, &none).expect("it fits");
            let filled = listed.fill(&keys, |column| column == "id");
            assert_eq!(filled, format!("UPDATE t SET a = 1 WHERE {before} {expected}"));
        }
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
