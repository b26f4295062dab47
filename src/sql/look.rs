//! A first look at a write, made of reads: how many rows it aims at, and some of them with what they
//! would become. It writes nothing and locks nothing, and so it knows nothing of triggers, cascades
//! and constraints: those only the preview shows.

use std::collections::HashSet;
use std::fmt::Display;
use std::slice;

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, OrderByExpr, SetExpr, SqliteOnConflict,
    Statement, TableFactor, TableWithJoins, Update, UpdateTableFromKind,
};

use super::blank::is_only;
use super::effect::{Reading, parse_as_written, read};
use super::lex::{Lexeme, Text};
use crate::dialect::Dialect;

/// Rows that a look shows of each statement.
pub const SAMPLE: usize = 20;

/// Two reads in place of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub count: String,
    pub counted: Counted,
    /// The rows as they are; a column `x becomes` beside them for each one that is set.
    pub sample: String,
}

/// What the number of a look says of the rows that the statement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Exactly,
    /// A row may be joined to several, or give way to what is there.
    AtMost,
}

const BECOMES: &str = " becomes";

/// The column of a sample that shows what another one would become.
pub fn becomes(column: &str) -> String {
    format!("{column}{BECOMES}")
}

pub fn is_becoming(column: &str) -> bool {
    column.ends_with(BECOMES)
}

/// The look at a statement; `None` where its rows cannot be selected by a read.
pub fn look(sql: &str, dialect: Dialect) -> Option<Look> {
    let text = Text::new(sql, dialect).ok()?;
    let lexemes = text.one().ok()?;
    // The tree does not know ONLY: it would count the rows of other tables along.
    if dialect == Dialect::Postgres && (0..lexemes.len()).any(|at| is_only(lexemes, at)) {
        return None;
    }
    let look = made_of(parse_as_written(sql, lexemes, dialect).ok()?, dialect)?;
    let said: HashSet<&str> = lexemes.iter().map(|lexeme| &sql[lexeme.range.clone()]).collect();
    let holds = |text| is_read_of(text, &said, dialect);
    (holds(&look.count) && holds(&look.sample)).then_some(look)
}

/// Whether a text only reads, and no other values than those of the statement: the tree writes some of
/// them otherwise than they were, with another meaning.
fn is_read_of(text: &str, said: &HashSet<&str>, dialect: Dialect) -> bool {
    let Ok(words) = Text::new(text, dialect) else { return false };
    let same = |lexeme: &Lexeme| {
        let raw = &text[lexeme.range.clone()];
        lexeme.name().is_some() || !raw.contains(['\'', '"', '$']) || said.contains(raw)
    };
    read(text, dialect) == Ok(Reading::Parsed) && words.lexemes.iter().all(same)
}

fn made_of(statement: Statement, dialect: Dialect) -> Option<Look> {
    match statement {
        Statement::Update(update) => Some(of_update(&update, dialect)),
        Statement::Delete(delete) => of_delete(&delete, dialect),
        Statement::Insert(insert) => {
            let source = insert.source?;
            let gives_way =
                insert.on.is_some() || insert.ignore || insert.or == Some(SqliteOnConflict::Ignore);
            let counted = if gives_way { Counted::AtMost } else { Counted::Exactly };
            if let SetExpr::Values(values) = &*source.body {
                if dialect == Dialect::Oracle {
                    let count = format!("SELECT {} FROM DUAL", values.rows.len());
                    let rows = values
                        .rows
                        .iter()
                        .map(|row| format!("SELECT {} FROM DUAL", list(&row.content)));
                    let sample = rows.collect::<Vec<_>>().join(" UNION ALL ");
                    return Some(Look { count, counted, sample });
                }
                let count = format!("SELECT {}", values.rows.len());
                return Some(Look { count, counted, sample: source.to_string() });
            }
            Some(Look {
                count: format!("SELECT COUNT(*) FROM ({source}) looked"),
                counted,
                sample: format!("SELECT * FROM ({source}) looked {}", first(dialect)),
            })
        }
        _ => None,
    }
}

fn of_update(update: &Update, dialect: Dialect) -> Look {
    let beside = match &update.from {
        Some(UpdateTableFromKind::BeforeSet(tables) | UpdateTableFromKind::AfterSet(tables)) => {
            tables.as_slice()
        }
        None => &[],
    };
    let mut columns = vec![format!("{}.*", called(&update.table))];
    columns.extend(update.assignments.iter().map(|assignment| assigned(assignment, dialect)));
    let rows = (update.selection.as_ref(), update.order_by.as_slice(), update.limit.as_ref());
    let look = reads(&columns.join(", "), slice::from_ref(&update.table), beside, rows, dialect);
    match update.or {
        Some(SqliteOnConflict::Ignore) => Look { counted: Counted::AtMost, ..look },
        _ => look,
    }
}

fn of_delete(delete: &Delete, dialect: Dialect) -> Option<Look> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let target = match delete.tables.first() {
        Some(name) => name.to_string(),
        None => called(from.first()?),
    };
    let columns = format!("{target}.*");
    let using = delete.using.as_deref().unwrap_or_default();
    // MySQL names the table again among those that it is joined with.
    let (from, beside): (&[_], &[_]) = match dialect {
        Dialect::Mysql | Dialect::Mariadb if !using.is_empty() => (using, &[]),
        _ => (from, using),
    };
    let rows = (delete.selection.as_ref(), delete.order_by.as_slice(), delete.limit.as_ref());
    Some(reads(&columns, from, beside, rows, dialect))
}

/// `beside` are the tables that decide which rows of the target are meant.
fn reads(
    columns: &str,
    target: &[TableWithJoins],
    beside: &[TableWithJoins],
    (selection, order, limit): (Option<&Expr>, &[OrderByExpr], Option<&Expr>),
    dialect: Dialect,
) -> Look {
    let from = list(&target.iter().chain(beside).collect::<Vec<_>>());
    let condition = selection.map(|selection| format!(" WHERE {selection}")).unwrap_or_default();
    let mut rest = format!("FROM {from}{condition}");
    if !beside.is_empty() && order.is_empty() && limit.is_none() {
        // A row of the target counts once, however many rows beside it fit.
        let (target, beside) = (list(target), list(beside));
        return Look {
            count: format!(
                "SELECT COUNT(*) FROM {target} WHERE EXISTS (SELECT 1 FROM {beside}{condition})"
            ),
            counted: Counted::Exactly,
            sample: format!("SELECT {columns} {rest} {}", first(dialect)),
        };
    }
    if !order.is_empty() {
        rest.push_str(&format!(" ORDER BY {}", list(order)));
    }
    let alone = matches!(target, [one] if one.joins.is_empty()) && beside.is_empty();
    let counted = if alone { Counted::Exactly } else { Counted::AtMost };
    match limit {
        Some(limit) => Look {
            count: format!("SELECT COUNT(*) FROM (SELECT 1 {rest} LIMIT {limit}) looked"),
            counted,
            sample: format!("SELECT {columns} {rest} LIMIT {limit}"),
        },
        None if order.is_empty() => Look {
            count: format!("SELECT COUNT(*) {rest}"),
            counted,
            sample: format!("SELECT {columns} {rest} {}", first(dialect)),
        },
        None => Look {
            count: format!("SELECT COUNT(*) FROM (SELECT 1 {rest}) looked"),
            counted,
            sample: format!("SELECT {columns} {rest} {}", first(dialect)),
        },
    }
}

/// The end of a query that gives only as many rows as are shown.
fn first(dialect: Dialect) -> String {
    if dialect == Dialect::Oracle {
        format!("FETCH FIRST {SAMPLE} ROWS ONLY")
    } else {
        format!("LIMIT {SAMPLE}")
    }
}

fn list(parts: &[impl Display]) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// How the statement itself calls the table that it changes.
fn called(table: &TableWithJoins) -> String {
    match &table.relation {
        TableFactor::Table { alias: Some(alias), .. } => alias.name.to_string(),
        TableFactor::Table { name, alias: None, .. } => name.to_string(),
        other => other.to_string(),
    }
}

fn assigned(assignment: &Assignment, dialect: Dialect) -> String {
    let column = match &assignment.target {
        AssignmentTarget::ColumnName(name) => {
            name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.clone())
        }
        AssignmentTarget::Tuple(_) => None,
    };
    let name = column.unwrap_or_else(|| "they".to_owned());
    let quote = match dialect {
        Dialect::Mysql | Dialect::Mariadb => '`',
        Dialect::Sqlite | Dialect::Postgres | Dialect::Oracle => '"',
    };
    format!("{} AS {quote}{}{quote}", assignment.value, becomes(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(sql: &str, dialect: Dialect) -> (String, String) {
        let look = look(sql, dialect).unwrap_or_else(|| panic!("no look at {sql}"));
        (look.count, look.sample)
    }

    #[test]
    fn a_write_is_looked_at_by_reads() {
        let (count, sample) = looked(
            "UPDATE orders AS o SET total = s.total, seen = now() FROM sums s WHERE s.id = o.id",
            Dialect::Postgres,
        );
        assert_eq!(
            count,
            "SELECT COUNT(*) FROM orders AS o WHERE EXISTS (SELECT 1 FROM sums s WHERE s.id = o.id)"
        );
        assert_eq!(
            sample,
            "SELECT o.*, s.total AS \"total becomes\", now() AS \"seen becomes\" \
             FROM orders AS o, sums s WHERE s.id = o.id LIMIT 20"
        );
        let (count, sample) =
            looked("UPDATE a JOIN b ON a.i = b.i SET a.x = b.x WHERE b.y > 1", Dialect::Mariadb);
        assert_eq!(count, "SELECT COUNT(*) FROM a JOIN b ON a.i = b.i WHERE b.y > 1");
        assert!(sample.starts_with("SELECT a.*, b.x AS `x becomes` FROM a JOIN b"), "{sample}");
        let (count, _) = looked("DELETE FROM t ORDER BY i LIMIT 3", Dialect::Mariadb);
        assert_eq!(count, "SELECT COUNT(*) FROM (SELECT 1 FROM t ORDER BY i LIMIT 3) looked");
        let (count, sample) = looked("INSERT INTO t SELECT * FROM u WHERE v", Dialect::Sqlite);
        assert_eq!(count, "SELECT COUNT(*) FROM (SELECT * FROM u WHERE v) looked");
        assert_eq!(sample, "SELECT * FROM (SELECT * FROM u WHERE v) looked LIMIT 20");
        assert_eq!(looked("INSERT INTO t VALUES (1), (2)", Dialect::Sqlite).0, "SELECT 2");
        let (count, sample) = looked("DELETE FROM t WHERE a = 1", Dialect::Oracle);
        assert_eq!(count, "SELECT COUNT(*) FROM t WHERE a = 1");
        assert_eq!(sample, "SELECT t.* FROM t WHERE a = 1 FETCH FIRST 20 ROWS ONLY");
        let (count, sample) = looked("INSERT INTO t VALUES (1, 'a')", Dialect::Oracle);
        assert_eq!(
            (count.as_str(), sample.as_str()),
            ("SELECT 1 FROM DUAL", "SELECT 1, 'a' FROM DUAL")
        );
    }

    #[test]
    fn a_count_that_may_hold_a_row_twice_or_one_that_stays_is_at_most() {
        use Dialect::{Mariadb, Postgres, Sqlite};
        for (dialect, sql) in [
            (Sqlite, "UPDATE t SET a = u.a FROM u WHERE u.i = t.i"),
            (Postgres, "DELETE FROM t USING u, v WHERE u.i = t.i AND v.i = t.i"),
            (Mariadb, "DELETE FROM t ORDER BY i LIMIT 3"),
            (Sqlite, "INSERT OR ABORT INTO t VALUES (1)"),
        ] {
            let look = look(sql, dialect).unwrap_or_else(|| panic!("no look at {sql}"));
            assert_eq!(look.counted, Counted::Exactly, "{sql}");
        }
        for (dialect, sql) in [
            (Mariadb, "UPDATE t JOIN u ON u.i = t.i SET t.a = u.a"),
            (Mariadb, "DELETE t FROM t JOIN u ON u.i = t.i"),
            (Mariadb, "DELETE FROM t USING t JOIN u ON u.i = t.i"),
            (Mariadb, "INSERT IGNORE INTO t SELECT * FROM u"),
            (Mariadb, "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1"),
            (Sqlite, "INSERT OR IGNORE INTO t VALUES (1), (2)"),
            (Sqlite, "UPDATE OR IGNORE t SET a = 1"),
            (Postgres, "INSERT INTO t SELECT * FROM u ON CONFLICT DO NOTHING"),
        ] {
            let look = look(sql, dialect).unwrap_or_else(|| panic!("no look at {sql}"));
            assert_eq!(look.counted, Counted::AtMost, "{sql}");
        }
        let (count, _) = looked("DELETE FROM t USING t JOIN u ON u.i = t.i", Mariadb);
        assert_eq!(count, "SELECT COUNT(*) FROM t JOIN u ON u.i = t.i");
    }

    #[test]
    fn every_look_is_a_read() {
        for sql in ["UPDATE t SET a = b + 1 WHERE c IS NULL", "DELETE FROM t WHERE a IN (1, 2)"] {
            for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb, Dialect::Oracle] {
                let (count, sample) = looked(sql, dialect);
                assert!(read(&count, dialect).is_ok(), "{count}");
                assert!(read(&sample, dialect).is_ok(), "{sample}");
            }
        }
        let sql = "INSERT INTO t VALUES (nextval('s'))";
        assert_eq!(look(sql, Dialect::Postgres), None);
    }

    #[test]
    fn a_look_holds_the_values_of_its_statement_as_they_are_written() {
        use Dialect::{Mariadb, Postgres, Sqlite};
        for (dialect, condition) in [
            (Mariadb, r#"p LIKE 'C:\\\\%' AND q = 'it"s'"#),
            (Mariadb, r"p = 'a\\' OR q = ' OR 1=1 OR p = '"),
            (Postgres, r"p = 'x\''y' OR p = '''''' OR p = $a$'$a$ OR p = X'1f'"),
            (Sqlite, r#"p = 'C:\' AND "a""b" = '''a''' AND q = X'10'"#),
        ] {
            let (count, _) = looked(&format!("DELETE FROM t WHERE {condition}"), dialect);
            assert_eq!(count, format!("SELECT COUNT(*) FROM t WHERE {condition}"));
        }
        for (dialect, condition) in [
            (Sqlite, "a & 0x10 <> 0"),
            (Postgres, r"a = E'\x41'"),
            (Postgres, "a = - -b"),
            (Mariadb, "a = 0x10"),
        ] {
            let sql = format!("DELETE FROM t WHERE {condition}");
            assert_eq!(look(&sql, dialect), None, "{sql}");
        }
    }

    #[test]
    fn a_look_leaves_out_what_only_a_write_knows() {
        let (count, sample) = looked("UPDATE IGNORE t SET a = 1 WHERE b", Dialect::Mariadb);
        assert_eq!(count, "SELECT COUNT(*) FROM t WHERE b");
        assert_eq!(sample, "SELECT t.*, 1 AS `a becomes` FROM t WHERE b LIMIT 20");
        let sql = "DELETE QUICK FROM o USING t AS o JOIN u ON u.i = o.i";
        let (count, sample) = looked(sql, Dialect::Mariadb);
        assert_eq!(count, "SELECT COUNT(*) FROM t AS o JOIN u ON u.i = o.i");
        assert_eq!(sample, "SELECT o.* FROM t AS o JOIN u ON u.i = o.i LIMIT 20");
        // The rows of the tables that inherit from it would be counted along.
        assert_eq!(look("UPDATE ONLY t SET a = 1", Dialect::Postgres), None);
    }
}
