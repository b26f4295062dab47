//! What a piece of SQL aims at, from its words: the names that the body of a trigger or routine
//! mentions, and the text that selects the rows which an UPDATE or DELETE is about to touch.
//!
//! Words and not a tree: the bodies of routines are beyond the parser, and the rows must be selected
//! by exactly the text that the server gets, not by a rendering of it.

use sqlparser::tokenizer::Token;

use super::lex::{Lexeme, Text, nested};
use crate::dialect::Dialect;

/// What a text mentions; more than it does rather than less.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentions {
    /// It holds a word that changes rows.
    pub writes: bool,
    /// It holds a word that runs a text made up while running, so nothing can be told.
    pub dynamic: bool,
    /// Every name with its parts: `a.b.c` is one of three.
    pub names: Vec<Vec<String>>,
    /// Those of them that an opening parenthesis or CALL makes a call.
    pub calls: Vec<Vec<String>>,
}

/// The names in a text of one or more statements; `None` if not even its words can be told.
pub fn mentions(sql: &str, dialect: Dialect) -> Option<Mentions> {
    let text = Text::new(sql, dialect).ok()?;
    let lexemes = &text.lexemes;
    let mut found = Mentions::default();
    let mut at = 0;
    while at < lexemes.len() {
        let lexeme = &lexemes[at];
        let called = at > 0 && lexemes[at - 1].is("CALL");
        at += 1;
        let Some(first) = named(lexeme, dialect) else { continue };
        found.writes |= ["INSERT", "UPDATE", "DELETE", "REPLACE", "TRUNCATE", "LOAD", "MERGE"]
            .iter()
            .any(|word| lexeme.is(word));
        found.dynamic |= ["PREPARE", "EXECUTE"].iter().any(|word| lexeme.is(word));
        let mut parts = vec![first.to_owned()];
        while let [dot, name, ..] = &lexemes[at..]
            && dot.token == Token::Period
            && let Some(name) = named(name, dialect)
        {
            parts.push(name.to_owned());
            at += 2;
        }
        if called || lexemes.get(at).is_some_and(|next| next.token == Token::LParen) {
            found.calls.push(parts.clone());
        }
        found.names.push(parts);
    }
    Some(found)
}

/// What may be a name: whoever made a body may have had double quotes around names, for which the engines
/// have a mode.
fn named(lexeme: &Lexeme, dialect: Dialect) -> Option<&str> {
    match &lexeme.token {
        Token::DoubleQuotedString(name) if matches!(dialect, Dialect::Mysql | Dialect::Mariadb) => {
            Some(name)
        }
        _ => lexeme.name(),
    }
}

/// Whether these words stand one behind the other in a text, whatever lies between them; so too if that
/// cannot be told.
pub fn says(sql: &str, dialect: Dialect, words: &[&str]) -> bool {
    let Ok(text) = Text::new(sql, dialect) else { return true };
    let mut all = text.lexemes.windows(words.len());
    all.any(|some| some.iter().zip(words).all(|(lexeme, word)| lexeme.is(word)))
}

/// The parts of a statement by which its rows can be selected beforehand. None of them ends in a comment,
/// which would swallow what is written behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim<'s> {
    /// What stands between FROM and WHERE.
    pub from: &'s str,
    /// Everything from WHERE, ORDER BY or LIMIT to the end; may be empty.
    pub tail: &'s str,
    /// How the changed table is called where there are several.
    pub called: Option<&'s str>,
}

/// How the rows that an UPDATE or DELETE is about to change can be selected; `None` where the text
/// does not say it in one piece.
pub fn aim(sql: &str, dialect: Dialect) -> Option<Aim<'_>> {
    let text = Text::new(sql, dialect).ok()?;
    let lexemes = text.one().ok()?;
    let stop = top(lexemes, &["RETURNING"], 0).unwrap_or(lexemes.len());
    let tail = top(lexemes, &["WHERE", "ORDER", "LIMIT"], 0).unwrap_or(stop).min(stop);
    let skip = |mut at: usize| {
        while ["LOW_PRIORITY", "QUICK", "IGNORE"].iter().any(|word| lexemes[at].is(word)) {
            at += 1;
        }
        at
    };
    let slice = |from: usize, to: usize| match lexemes.get(from..to) {
        Some([first, .., last]) => &sql[first.range.start..last.range.end],
        Some([one]) => &sql[one.range.clone()],
        _ => "",
    };
    let (from, called) = if lexemes[0].is("UPDATE") {
        let set = top(lexemes, &["SET"], 1)?;
        let from = slice(skip(1), set);
        let dotted = lexemes.get(set + 2).is_some_and(|next| next.token == Token::Period);
        (from, dotted.then(|| &sql[lexemes[set + 1].range.clone()]))
    } else if lexemes[0].is("DELETE") {
        let from_word = top(lexemes, &["FROM"], 1)?;
        let first = skip(1);
        if first < from_word {
            let called = slice(first, from_word);
            (slice(from_word + 1, tail), Some(called.trim_end_matches(".*")))
        } else if let Some(using) = top(lexemes, &["USING"], from_word) {
            let called = slice(from_word + 1, using);
            (slice(using + 1, tail), Some(called.trim_end_matches(".*")))
        } else {
            (slice(from_word + 1, tail), None)
        }
    } else {
        return None;
    };
    let several = called.is_some_and(|called| called.contains([',', '.']));
    (!several && !from.is_empty()).then(|| Aim { from, tail: slice(tail, stop), called })
}

/// Where the first of these words stands outside all parentheses.
fn top(lexemes: &[Lexeme], words: &[&str], start: usize) -> Option<usize> {
    let mut found = nested(lexemes.get(start..)?);
    let at =
        found.position(|(open, lexeme)| open == 0 && words.iter().any(|word| lexeme.is(word)))?;
    Some(start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aimed(sql: &str) -> Option<(&str, &str, Option<&str>)> {
        aim(sql, Dialect::Mariadb).map(|aim| (aim.from, aim.tail, aim.called))
    }

    #[test]
    fn the_rows_of_a_write_are_selected_by_its_own_text() {
        assert_eq!(
            aimed("UPDATE t SET a = (SELECT 1 WHERE 2) WHERE b = 'x\\\\y' ORDER BY c LIMIT 3;"),
            Some(("t", "WHERE b = 'x\\\\y' ORDER BY c LIMIT 3", None))
        );
        assert_eq!(
            aimed("UPDATE IGNORE a JOIN b ON a.i = b.i SET a.x = 1"),
            Some(("a JOIN b ON a.i = b.i", "", Some("a")))
        );
        assert_eq!(aimed("DELETE FROM `t` LIMIT 1 RETURNING id"), Some(("`t`", "LIMIT 1", None)));
        assert_eq!(
            aimed("DELETE a FROM t AS a JOIN u ON a.i = u.i WHERE u.x"),
            Some(("t AS a JOIN u ON a.i = u.i", "WHERE u.x", Some("a")))
        );
        assert_eq!(aimed("DELETE a, b FROM a JOIN b"), None);
        assert_eq!(aimed("INSERT INTO t VALUES (1)"), None);
        assert_eq!(aimed("WITH x AS (SELECT 1) UPDATE t SET a = 1"), None);
    }

    #[test]
    fn no_part_of_an_aim_ends_in_a_comment() {
        assert_eq!(
            aimed(
                "UPDATE t -- the shop's\n SET a = 1 # of it\n WHERE b = 2 -- two\n LIMIT 1 -- one"
            ),
            Some(("t", "WHERE b = 2 -- two\n LIMIT 1", None))
        );
        assert_eq!(
            aimed("DELETE a -- these\n FROM t a -- late\n JOIN u # both\n WHERE u.x"),
            Some(("t a -- late\n JOIN u", "WHERE u.x", Some("a")))
        );
        assert_eq!(
            aimed("DELETE FROM t /* a */ WHERE b # two\n RETURNING id"),
            Some(("t", "WHERE b", None))
        );
        assert_eq!(aimed("UPDATE t # all\n SET a = 1 # one"), Some(("t", "", None)));
    }

    #[test]
    fn a_body_tells_what_it_mentions() {
        let body = "BEGIN IF NEW.a > 1 THEN INSERT INTO `audit`(x) VALUES (f(1)); \
                    CALL other.p; END IF; END";
        let found = mentions(body, Dialect::Mariadb).expect("it has words");
        assert!(found.writes && !found.dynamic);
        let has =
            |list: &[Vec<String>], name: &str| list.iter().any(|parts| parts.join(".") == name);
        assert!(has(&found.names, "audit") && has(&found.names, "NEW.a"));
        assert!(has(&found.calls, "f") && has(&found.calls, "other.p"));
        assert!(!mentions("SET NEW.a = 1", Dialect::Mysql).expect("words").writes);
    }
}
