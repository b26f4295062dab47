//! What a statement is: the tricky cases, as tables.

mod any;
mod doubt;
mod grammar;
mod guardrails;

use super::*;
use Dialect::{Mariadb, Mysql, Oracle, Postgres, Sqlite};

fn word(effect: &Effect) -> String {
    match effect {
        Effect::Read => "read".into(),
        Effect::UnparsedRead => "unparsed read".into(),
        Effect::Write(Write { verb, table }) => format!("{} {table}", verb.word()),
        Effect::Other(refusal) => format!("refused: {}", refusal.sentence),
    }
}

#[test]
fn what_is_read_and_what_is_written() {
    for (dialect, sql, expected) in [
        (Sqlite, "SELECT 1", "read"),
        (Sqlite, "  select a -- ; DELETE FROM t\n from t;  ", "read"),
        (Sqlite, "VALUES (1), (2)", "read"),
        (Sqlite, "WITH a AS (SELECT 1 AS x) SELECT x FROM a", "read"),
        (Sqlite, "SELECT replace(a, 'x', 'y') FROM t", "read"),
        (Sqlite, "SELECT ';' AS \"a;b\", [c;d], `e;f` FROM t", "read"),
        (Sqlite, "SELECT 'it''s; DELETE FROM t' FROM t", "read"),
        (Postgres, "SELECT $$; DELETE FROM t; $$, $x$ $$ ; $x$", "read"),
        (Postgres, "SELECT E'\\'; DELETE FROM t; --' FROM t", "read"),
        (Postgres, "SELECT /* a /* nested ; */ still ; */ 1", "read"),
        (Postgres, "SELECT a::text FROM t WHERE b @> '{1}'", "read"),
        (Mysql, "SELECT 'c\\\\' AS \"a;b\" FROM `t;u`", "read"),
        (Mysql, "SELECT 1 # ; DELETE FROM t", "read"),
        (Oracle, "SELECT 1 FROM dual WHERE a > :start", "read"),
        (Mariadb, "SELECT INSERT(a, 1, 1, 'x') FROM t WHERE b MOD 2", "unparsed read"),
        (Postgres, "(SELECT a FROM t LIMIT 1) UNION ALL (SELECT b FROM u LIMIT 1)", "read"),
        (Mariadb, "((SELECT 1)) UNION (VALUES (2)) ORDER BY 1", "read"),
        (Postgres, "SELECT a FROM ROWS FROM (f(1), g(2)) AS x", "unparsed read"),
        (Sqlite, "INSERT INTO t (a) SELECT a FROM u", "INSERT t"),
        (Sqlite, "INSERT OR IGNORE INTO t (a) VALUES (1)", "INSERT t"),
        (Sqlite, "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2", "INSERT t"),
        (Sqlite, "UPDATE t SET a = (SELECT max(b) FROM u) WHERE c = :c", "UPDATE t"),
        (Sqlite, "UPDATE main.\"t\" SET a = 1 FROM u WHERE u.id = t.id", "UPDATE main.t"),
        (Sqlite, "DELETE FROM t WHERE id IN (SELECT id FROM u)", "DELETE t"),
        (
            Sqlite,
            "WITH x AS (SELECT 1 AS id) UPDATE t SET a = 1 WHERE id IN (SELECT id FROM x)",
            "UPDATE t",
        ),
        (
            Postgres,
            "WITH x AS (SELECT 1 AS id) DELETE FROM t USING x WHERE t.id = x.id",
            "DELETE t",
        ),
        (Postgres, "WITH x AS (SELECT 1 AS id) INSERT INTO t SELECT id FROM x", "INSERT t"),
        (Mysql, "UPDATE t a JOIN (SELECT id FROM t) d ON d.id = a.id SET a.b = 1", "UPDATE t"),
        (Mysql, "DELETE a FROM t a JOIN u ON u.id = a.id", "DELETE t"),
    ] {
        assert_eq!(word(&classify(sql, dialect)), expected, "{dialect}: {sql}");
    }
}

#[test]
fn what_is_refused_and_why() {
    for (dialect, sql, reason) in [
        (Sqlite, "", "no statement"),
        (Sqlite, " ; -- nothing\n ;", "no statement"),
        (Sqlite, "SELECT 1; DELETE FROM t", "several statements"),
        (Sqlite, "UPDATE t SET a = 1; UPDATE t SET a = 2", "several statements"),
        (Sqlite, "SELECT $$; DELETE FROM t; SELECT $$", "no name"),
        (Postgres, "SELECT 'a\\'; DELETE FROM t; --'", "several statements"),
        (Mysql, "SELECT 'a\\'; DELETE FROM t; --'", "backslash"),
        (Sqlite, "SELECT /* a /* not nested */ ; DELETE FROM t; */ 1", "several statements"),
        (Sqlite, "SELECT [a]] ; DELETE FROM t; SELECT [b]", "first ]"),
        (Mysql, "SELECT 1 /*!50000 ; DELETE FROM t */", "/*!"),
        (Sqlite, "SELECT 'open", "never closed"),
        (Sqlite, "SELECT 1 /* open", "write */"),
        (Sqlite, "REPLACE INTO t VALUES (1)", "delete triggers"),
        (Sqlite, "INSERT OR REPLACE INTO t VALUES (1)", "delete triggers"),
        (Sqlite, "UPDATE OR REPLACE t SET a = 1", "delete triggers"),
        (Sqlite, "INSERT OR ROLLBACK INTO t VALUES (1)", "ends the transaction"),
        (Mysql, "REPLACE INTO t VALUES (1)", "delete triggers"),
        (Sqlite, "WITH x AS (SELECT 1) REPLACE INTO t SELECT * FROM x", "delete triggers"),
        (Sqlite, "COMMIT", "transaction"),
        (Sqlite, "BEGIN", "transaction"),
        (Sqlite, "PRAGMA foreign_keys = OFF", "connection"),
        (Sqlite, "ATTACH 'x.db' AS x", "another database file"),
        (Sqlite, "VACUUM", "maintenance"),
        (Sqlite, "DROP TABLE t", "guard step"),
        (Postgres, "TRUNCATE t", "DELETE with a WHERE"),
        (
            Postgres,
            "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
            "INSERT, UPDATE or DELETE",
        ),
        (Postgres, "EXPLAIN ANALYZE DELETE FROM t", "execute what they describe"),
        (Postgres, "DO $$ BEGIN DELETE FROM t; END $$", "beforehand"),
        (Postgres, "COPY t FROM STDIN", "past the preview"),
        (Postgres, "SELECT * INTO x FROM t", "SELECT INTO"),
        (Postgres, "SELECT * FROM t FOR UPDATE", "lock rows"),
        (Postgres, "SELECT (SELECT a FROM t FOR SHARE)", "lock rows"),
        (Postgres, "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "changes nothing"),
        (
            Postgres,
            "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d",
            "several places",
        ),
        (Postgres, "SELECT pg_terminate_backend(1)", "other sessions"),
        (Postgres, "SELECT nextval('s')", "sequence"),
        (Mysql, "SELECT sleep(10)", "only waits"),
        (Mysql, "SELECT a FROM t INTO OUTFILE '/tmp/x'", "INTO"),
        (Mysql, "DELETE a, b FROM t a JOIN u b ON a.id = b.id", "several tables"),
        (Mysql, "UPDATE t a JOIN u b ON a.id = b.id SET c = 1", "alias.column"),
        (Sqlite, "UPDATE t SET a = = 1", "Not understood"),
        (Sqlite, "SELECT 1\u{ff1b} DELETE FROM t", "U+FF1B"),
        (Sqlite, "SELECT\u{a0}1", "U+00A0"),
        (Postgres, "SELECT\u{a0}1", "U+00A0"),
        (Postgres, "SELECT \u{2018}a\u{2019}", "U+2018"),
        (Sqlite, "D\u{415}LETE FROM t", "U+0415"),
        (Sqlite, "SELECT 'a\u{202e}b'", "U+202E"),
        (Sqlite, "SELECT 1 -- a\u{200b}", "U+200B"),
        (Sqlite, "SELECT 1 -- a\rDELETE FROM t", "U+000D"),
        (Sqlite, "SELECT 1\0", "U+0000"),
        (Sqlite, "SELECT a FROM t WHERE b = ?", "no name"),
        (Postgres, "SELECT a FROM t WHERE b = $1", "no name"),
        (Sqlite, "frobnicate", "not the beginning"),
        (Mariadb, "SELECT a MOD 2, update FROM t", "put names in backticks"),
        (Postgres, "SELECT share FROM ROWS FROM (f(1)) AS x", "put names in double quotes"),
        (Sqlite, "(SELECT 1) UNION (SELECT 2)", "not the beginning"),
    ] {
        let found = word(&classify(sql, dialect));
        assert!(
            found.starts_with("refused") && found.contains(reason),
            "{dialect}: {sql}\n{found}"
        );
    }
}

/// A query that acts although it is one: refused before it is sent, as the role may allow it.
#[test]
fn functions_that_act_are_no_part_of_a_query() {
    let mut wrong = vec![];
    for (dialect, sql) in [
        (Postgres, "SELECT pg_catalog.nextval('s')"),
        (Postgres, "SELECT \"nextval\" /* a */ ('s')"),
        (Postgres, "SELECT * FROM PG_TERMINATE_BACKEND(1)"),
        (Postgres, "SELECT query_to_xml('SELECT pg_terminate_backend(1)', true, true, '')"),
        (Postgres, "SELECT ts_stat('SELECT nextval(1)')"),
        (Postgres, "SELECT pg_sleep_for('1 hour')"),
        (Postgres, "SELECT pg_advisory_unlock_all()"),
        (Postgres, "SELECT lo_open(1, 131072)"),
        (Postgres, "SELECT dblink_connect_u('x')"),
        (Postgres, "SELECT pg_read_server_files('x'), pg_ls_logdir()"),
        (Postgres, "SELECT pg_file_write('x', 'y', false)"),
        (Postgres, "SELECT pg_logical_slot_get_changes('s', NULL, NULL)"),
        (Postgres, "SELECT pg_wal_replay_pause()"),
        (Postgres, "SELECT pg_stat_reset_single_table_counters(1)"),
        (Postgres, "SELECT pg_export_snapshot()"),
        (Postgres, "SELECT set_config('a.b', 'c', false)"),
        (Postgres, "SELECT 1 FROM pg_stat_activity a WHERE (a.pid) . pg_terminate_backend"),
        (Postgres, "SELECT (7::bigint).\"pg_advisory_lock\""),
        (Postgres, "SELECT (row).part.pg_sleep, a"),
        (Postgres, "SELECT a[1].pg_sleep"),
        (Mysql, "SELECT NEXTVAL(s)"),
        (Mariadb, "SELECT NEXT VALUE FOR s"),
        (Postgres, "SELECT NEXT VALUE FOR s"),
        (Mariadb, "SELECT SETVAL(s, 5)"),
        (Mariadb, "SELECT release_all_locks()"),
        (Mariadb, "SELECT master_pos_wait('a', 1)"),
        (Mariadb, "SELECT sys_exec('touch x')"),
        (Mariadb, "SELECT a INTO @b FROM t"),
        (Mariadb, "SELECT a FROM t INTO DUMPFILE '/tmp/x'"),
        (Mariadb, "SELECT a INTO OUTFILE '/tmp/x' FROM t"),
        (Mariadb, "SELECT a FROM t LOCK IN SHARE MODE"),
        (Mariadb, "SELECT a FROM t FOR UPDATE SKIP LOCKED"),
        (Postgres, "SELECT a FROM t FOR NO KEY UPDATE"),
        (Postgres, "SELECT a FROM t FOR KEY SHARE"),
        (Postgres, "WITH a AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT 1"),
        (Postgres, "SELECT (WITH a AS (UPDATE t SET a = 1 RETURNING 1) SELECT 1)"),
        (Sqlite, "SELECT readfile('/etc/passwd')"),
        (Sqlite, "SELECT load_extension('x')"),
        (Sqlite, "SELECT fts3_tokenizer('x', 1)"),
    ] {
        let found = word(&classify(sql, dialect));
        if !found.starts_with("refused") {
            wrong.push(format!("{dialect}: {sql}\n    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every kind of statement that is neither a read nor a write of rows, on every engine.
#[test]
fn no_other_kind_of_statement_is_taken_for_one_of_ours() {
    let mut wrong = vec![];
    for sql in [
        "COPY t TO PROGRAM 'sh'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE t",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
        "LOAD 'library'",
        "PREPARE p AS DELETE FROM t",
        "PREPARE p FROM 'DELETE FROM t'",
        "EXECUTE p",
        "EXECUTE IMMEDIATE 'DELETE FROM t'",
        "DEALLOCATE p",
        "DO 1",
        "DO $$ BEGIN END $$",
        "DO SLEEP(5)",
        "CALL p()",
        "HANDLER t OPEN",
        "LOCK TABLE t",
        "LOCK TABLES t WRITE",
        "UNLOCK TABLES",
        "SET a = 1",
        "SET STATEMENT max_statement_time = 1 FOR DELETE FROM t",
        "SET ROLE admin",
        "RESET ALL",
        "DISCARD ALL",
        "USE other",
        "ATTACH DATABASE 'x' AS y",
        "DETACH DATABASE y",
        "PRAGMA writable_schema = ON",
        "VACUUM INTO '/tmp/x'",
        "REINDEX",
        "BEGIN",
        "BEGIN NOT ATOMIC DELETE FROM t; END",
        "START TRANSACTION",
        "COMMIT",
        "COMMIT PREPARED 'x'",
        "PREPARE TRANSACTION 'x'",
        "ROLLBACK",
        "ROLLBACK TO s",
        "SAVEPOINT s",
        "RELEASE s",
        "END",
        "ABORT",
        "XA START 'x'",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXPLAIN (ANALYZE) DELETE FROM t",
        "EXPLAIN DELETE FROM t",
        "ANALYZE DELETE FROM t",
        "ANALYZE FORMAT=JSON DELETE FROM t",
        "DESCRIBE t",
        "SHOW TABLES",
        "TABLE t",
        "(DELETE FROM t)",
        "((INSERT INTO t VALUES (1)))",
        "(SELECT 1 FROM t FOR UPDATE)",
        "(SELECT 1 FROM t) FOR UPDATE",
        "(SELECT 1 FROM t) INTO OUTFILE '/tmp/x'",
        "(SELECT 1) UNION (SELECT 2 INTO x)",
        "(SELECT 1",
        "(",
        "DELIMITER //",
        "\\! sh",
        "\\copy t to x",
        ".shell sh",
        "SOURCE x",
        "NOTIFY x",
        "LISTEN x",
        "KILL 1",
        "SHUTDOWN",
        "FLUSH TABLES",
        "GRANT ALL ON t TO u",
        "REASSIGN OWNED BY a TO b",
        "SECURITY LABEL ON TABLE t IS 'x'",
        "REFRESH MATERIALIZED VIEW v",
        "IMPORT FOREIGN SCHEMA s FROM SERVER f INTO t",
        "INSTALL PLUGIN x SONAME 'y'",
        "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'",
        "REPLACE INTO t VALUES (1)",
        "MERGE INTO t USING u ON 1 = 1 WHEN MATCHED THEN DELETE",
        "INSERT OVERWRITE DIRECTORY '/tmp/x' SELECT 1",
        "DECLARE c CURSOR FOR SELECT 1",
        "FETCH c",
        "MOVE c",
        "CLOSE c",
        "CHECKPOINT",
        "UPSERT INTO t VALUES (1)",
    ] {
        for dialect in Dialect::ALL {
            let found = word(&classify(sql, dialect));
            if !found.starts_with("refused") {
                wrong.push(format!("{dialect}: {sql}\n    {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refusal_points_at_its_bytes() {
    let sql = "SELECT 'ä';\nDELETE FROM t";
    let refusal = read(sql, Sqlite).expect_err("two statements");
    assert_eq!(&sql[refusal.part.expect("a place")], "DELETE");
    let sql = "UPDATE t SET ä = ß WHEN 1";
    let refusal = write(sql, Sqlite).expect_err("not SQL");
    assert_eq!(&sql[refusal.part.expect("a place")], "W");
}

#[test]
fn scripts_are_split_outside_quotes_and_triggers() {
    let script = "INSERT INTO t VALUES (';'); -- a;b\n\nCREATE TRIGGER g BEFORE INSERT ON t WHEN CASE WHEN 1 THEN 1 END BEGIN SELECT CASE WHEN 1 THEN RAISE(ABORT, 'no') END; SELECT 1; END; DELETE FROM t;;";
    let parts = split(script, Sqlite).expect("splits");
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[2], "DELETE FROM t");
    assert!(parts[1].ends_with("END"));
}

#[test]
fn parameters_are_found_where_a_server_would_see_them() {
    let sql = "SELECT a::text, ':no', \":no\" /* :no */ FROM t -- :no\n WHERE b = :b AND c > :since AND d = :b AND e = $q$ :no $q$ AND f[1:2] = 3 AND f[lo:hi] = f[g(1):lo+1] AND f[1 :hi] = f[:lower] AND f[:b] = 1";
    let named = ["b", "since", "lower"].map(String::from).to_vec();
    assert_eq!(parameters(sql, Postgres), Ok(named));
    assert!(parameters("SELECT :1", Sqlite).is_err());
    assert!(parameters("SELECT :Name", Sqlite).is_err());
}

#[test]
fn a_literal_replaces_its_name_and_nothing_else_does() {
    let put = |sql: &str, value: &str| substitute(sql, Sqlite, &|_| Some(value.to_owned()));
    assert_eq!(put("a = :x AND b=:x", "'it''s'"), Ok("a = 'it''s' AND b= 'it''s'".into()));
    assert_eq!(put("5-:x", "-3"), Ok("5- -3".into()));
    assert_eq!(put("f(:x)", "NULL"), Ok("f(NULL)".into()));
    for value in ["1; DELETE FROM t", "'a' OR 1", "''--", "t", "", "'a' 'b'"] {
        assert!(put("a = :x", value).is_err(), "{value}");
    }
    assert!(substitute("a = :x", Sqlite, &|_| None).is_err());
}

/// The name of a WITH hides a table behind it, not in its own query, and only as far as it holds.
#[test]
fn a_name_of_with_hides_a_table_where_it_holds() {
    for (dialects, sql, expected) in [
        (
            &[Postgres, Mariadb][..],
            "WITH orders AS (SELECT * FROM orders WHERE a = 1) SELECT id FROM Orders",
            &["orders"][..],
        ),
        (
            &[Postgres, Mariadb],
            "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a JOIN c) SELECT * FROM a, b",
            &["b", "c"],
        ),
        (
            &[Postgres, Mariadb, Sqlite],
            "SELECT * FROM (WITH a AS (WITH d AS (SELECT 1) SELECT * FROM d) SELECT * FROM a) x, a, d",
            &["a", "d"],
        ),
        (
            &[Postgres, Mariadb, Sqlite],
            "WITH RECURSIVE r AS (SELECT 1 FROM t UNION ALL SELECT 1 FROM r) SELECT * FROM r",
            &["t"],
        ),
        (&[Sqlite], "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM c) SELECT * FROM a", &["c"]),
        (
            &[Postgres],
            "WITH orders AS (SELECT * FROM orders) INSERT INTO kept SELECT * FROM orders",
            &["orders", "kept"],
        ),
    ] {
        for dialect in dialects {
            assert_eq!(tables(sql, *dialect).expect(sql), expected, "{dialect}: {sql}");
        }
    }
}

#[test]
fn a_function_may_be_called_like_a_field() {
    let sql = "UPDATE t SET a = (5::bigint).outer, b = (f(c)).inner::int, d = e[1].last, g = t.h";
    let called = functions(sql, Postgres).expect(sql);
    assert_eq!(called, ["outer", "inner", "f", "last"]);
    for sql in ["SELECT a.edit, b.sleep FROM edit, sleep.b", "SELECT (a).b, a.b.edit FROM a"] {
        assert_eq!(word(&classify(sql, Postgres)), "read", "{sql}");
    }
}

#[test]
fn names_of_tables_and_columns() {
    let sql = "WITH late AS (SELECT id FROM asset a JOIN \"Owner\" o ON o.id = a.id) SELECT l.id, x.b AS c, count(*) FROM late l LEFT JOIN erp.x ON 1 = 1 WHERE EXISTS (SELECT 1 FROM y)";
    assert_eq!(
        tables(sql, Postgres),
        Some(vec!["asset".into(), "Owner".into(), "erp.x".into(), "y".into()])
    );
    assert_eq!(columns(sql, Postgres), Some(vec!["id".into(), "c".into(), "count".into()]));
    assert_eq!(columns("SELECT * FROM t", Sqlite), None);
    assert_eq!(
        tables("UPDATE t SET a = 1 FROM u WHERE t.id = u.id", Sqlite),
        Some(vec!["t".into(), "u".into()])
    );
}
