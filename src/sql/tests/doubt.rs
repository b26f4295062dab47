//! Where we and a server could read a text differently, and it is refused.

use super::*;

/// Where our tokenizer and a server could end a quote, a comment or a name at different places; and
/// what calls a function under another name. Each of these got something past one reader or another.
#[test]
fn what_two_readers_would_read_differently_is_refused() {
    let mut wrong = vec![];
    for (dialects, sql, reason) in [
        (&[Postgres][..], "SELECT E'a'\n'b\\' || '; DELETE FROM t; --'", "goes on"),
        (&[Postgres], "UPDATE t SET a = E'a'\n'b\\' || '; DELETE FROM t; --'", "goes on"),
        (&[Postgres], "SELECT 1 @--'\n; DELETE FROM t --'", "comment"),
        (&[Postgres], "SELECT 1 </*'*/ ; DELETE FROM t --'", "comment"),
        (&[Postgres], "SELECT U&\"\\006eextval\"('s')", "U&"),
        (&[Postgres], "SELECT u&'\\0061'", "U&"),
        (&[Postgres], "SELECT $1$; DELETE FROM t; $1$", "$"),
        (&[Mysql, Mariadb], "SELECT N'a\\'; DELETE FROM t; -- '", "backslash"),
        (&[Mysql, Mariadb], "SELECT b'\\' ' FROM t; DELETE FROM t; -- '", "backslash"),
        (&[Mysql, Mariadb], "SELECT b\"\\\" \" FROM t; DELETE FROM t; -- \"", "backslash"),
        (&[Mysql, Mariadb], "SELECT x'\\'; DELETE FROM t; -- '", "backslash"),
        (&[Mysql, Mariadb], "SELECT _utf8'a\\'; DELETE FROM t; -- '", "backslash"),
        (&[Mysql, Mariadb], "SELECT 1 --\t'\n; DELETE FROM t -- '", "several statements"),
        (&[Postgres, Sqlite], "SELECT X'1\\'; DELETE FROM t; --'", "backslash"),
        (&[Sqlite], "SELECT @a('), b FROM t; DELETE FROM t --')", "@"),
        (&[Sqlite], "SELECT #a('), b FROM t; DELETE FROM t --')", "#"),
        (&[Sqlite], "SELECT :a('), b FROM t; DELETE FROM t --')", "parenthesis"),
        (&Dialect::ALL, "UPDATE t \u{17f}et a = 1", "U+017F"),
        (&Dialect::ALL, "DELETE FROM t l\u{131}mit 1", "U+0131"),
        (&[Mysql, Mariadb], "SELECT 1 /*M! ; DELETE FROM t */", "/*!"),
        (&[Mysql, Mariadb], "SELECT 1 /*!999999 ; DELETE FROM t */", "/*!"),
    ] {
        for dialect in dialects {
            let found = word(&classify(sql, *dialect));
            if !found.starts_with("refused") || !found.contains(reason) {
                wrong.push(format!("{dialect}: {sql}\n    {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The parser takes any sign behind an @ into the name, and any space behind -- for one.
#[test]
fn a_name_and_a_comment_end_where_mysql_ends_them() {
    for (dialects, sql, reason) in [
        (&[Mysql, Mariadb][..], "SELECT @#'\n INTO OUTFILE \"/tmp/x\" #'", "`@#`"),
        (&[Mysql, Mariadb], "SELECT @; DELETE FROM t", "`@;`"),
        (&[Mysql, Mariadb], "SELECT 1 @/* '*/ INTO OUTFILE \"/tmp/x\" #'", "`@/`"),
        (&[Mysql, Mariadb], "SELECT @@#'\n INTO OUTFILE \"/tmp/x\" #'", "`@@#`"),
        (&[Mysql, Mariadb], "SELECT 1 --\u{a0}a'\n, 'b'", "U+00A0"),
        (&[Mysql, Mariadb], "SELECT 1 --\u{2003}'\n, sleep(9) -- '", "U+2003"),
        (&[Mysql, Mariadb], "SELECT 1 --\u{3000}'\n, 'b'", "U+3000"),
    ] {
        for dialect in dialects {
            let found = word(&classify(sql, *dialect));
            assert!(
                found.starts_with("refused") && found.contains(reason),
                "{dialect}: {sql}\n{found}"
            );
        }
    }
    for (dialect, sql) in [
        (Mariadb, "SELECT @a, @@session.sql_mode, $b, d\u{e4}, 5--1 -- \u{a0}\n--\n--\t1"),
        (Mariadb, "SELECT 1 # \u{a0}"),
        (Oracle, "SELECT a#b FROM t"),
        (Postgres, "SELECT a FROM t --\u{a0}"),
    ] {
        assert!(read(sql, dialect).is_ok(), "{dialect}: {sql}");
    }
}

/// `ANSI_QUOTES` makes a name of one, `PIPES_AS_CONCAT` a text of the other, and ours differ from the server's.
#[test]
fn what_means_something_else_in_another_mode_is_refused() {
    for (sql, reason) in [
        ("SELECT id FROM customer WHERE \"email\" IS NULL", "`name`"),
        ("UPDATE t SET a = \"b\"", "'text'"),
        ("DELETE FROM \"t\" WHERE id = 1", "`name`"),
        ("SELECT id FROM t WHERE a || 'x' = 'bx'", "CONCAT"),
        ("UPDATE t SET a = b || 'x'", "CONCAT"),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a <> \"\")", "'text'"),
    ] {
        for dialect in [Mysql, Mariadb] {
            let found = match definitions(sql, dialect) {
                Err(refusal) if sql.starts_with("ALTER") => format!("refused: {refusal}"),
                _ => word(&classify(sql, dialect)),
            };
            assert!(found.starts_with("refused") && found.contains(reason), "{sql}\n{found}");
        }
        if sql.starts_with("SELECT") {
            assert!(read(sql, Postgres).is_ok() && read(sql, Sqlite).is_ok(), "{sql}");
        }
    }
    let sql = "SELECT `a`, 'it \"is\" a || b', c AS \"d e\" FROM t -- \"or\" ||";
    assert!(read(sql, Mariadb).is_ok());
}

/// The parser knows each operator, the server the longest run of signs up to a comment.
#[test]
fn an_operator_ends_where_postgresql_begins_a_comment() {
    for sql in [
        "SELECT '{}'::jsonb ?--'\n'a', pg_advisory_lock(42) --'",
        "SELECT 1 #--'\n'a', pg_advisory_lock(42) --'",
        "SELECT 1 |/*'*/'a', pg_advisory_lock(42) --'",
        "SELECT 1 ||/*'*/'a', pg_advisory_lock(42) --'",
    ] {
        let found = word(&classify(sql, Postgres));
        assert!(found.starts_with("refused") && found.contains("comment"), "{sql}\n{found}");
    }
    let sql = "SELECT a ? - 1, b ?- c, |/ 4, a - -1, '{}'::jsonb ? 'a' FROM t";
    assert!(read(sql, Postgres).is_ok());
}

#[test]
fn a_comment_that_sets_how_a_statement_is_executed_is_refused() {
    for sql in [
        "SELECT /*+ SET_VAR(max_execution_time=0) */ 1",
        "UPDATE /*+ SET_VAR(foreign_key_checks=0) */ t SET a = 1",
    ] {
        for dialect in [Mysql, Mariadb] {
            let found = word(&classify(sql, dialect));
            assert!(found.starts_with("refused") && found.contains("/*+"), "{sql}\n{found}");
        }
    }
    for (dialect, sql) in [
        (Mariadb, "SELECT 1 /* + */"),
        (Oracle, "SELECT /*+ FULL(t) */ a FROM t"),
        (Postgres, "SELECT /*+ SeqScan(t) */ a FROM t"),
    ] {
        assert!(read(sql, dialect).is_ok(), "{dialect}: {sql}");
    }
}

#[test]
fn what_stands_in_double_quotes_can_be_written_in_backticks() {
    for (sql, named) in [
        ("SELECT a FROM [t] WHERE `b` = '\"'", None),
        ("SELECT 1 -- \"a\"", None),
        (
            "SELECT \"a\", t.\"b\"\"`c\" FROM \"t\" WHERE d = '\"x\"' /* \"e\" */",
            Some("SELECT `a`, t.`b\"``c` FROM `t` WHERE d = '\"x\"' /* \"e\" */"),
        ),
    ] {
        assert_eq!(in_backticks(sql).unwrap().as_deref(), named, "{sql}");
    }
}
