//! What the parser alone would misread or refuse, and we understand.

use super::*;

/// A word between the verb and the table would be taken for the table, and the table for its alias.
#[test]
fn no_modifier_is_taken_for_the_table() {
    let mysql = &[Mysql, Mariadb][..];
    for (dialects, sql, expected) in [
        (mysql, "UPDATE IGNORE orders SET a = 1", "UPDATE orders"),
        (mysql, "update ignore/* a */erp.orders o set o.a = 1", "UPDATE erp.orders"),
        (mysql, "UPDATE LOW_PRIORITY IGNORE `orders` SET a = 1", "UPDATE orders"),
        (mysql, "UPDATE IGNORE a JOIN b ON a.i = b.i SET a.x = 1", "UPDATE a"),
        (mysql, "WITH x AS (SELECT 1 AS i) UPDATE IGNORE t SET a = 1", "UPDATE t"),
        (mysql, "UPDATE quick SET a = 1", "UPDATE quick"),
        (mysql, "DELETE LOW_PRIORITY QUICK IGNORE FROM orders WHERE a = 1", "DELETE orders"),
        (mysql, "DELETE QUICK o FROM orders o JOIN b ON o.i = b.i", "DELETE orders"),
        (mysql, "DELETE FROM o USING orders AS o JOIN bad b ON b.i = o.i", "DELETE orders"),
        (mysql, "DELETE FROM orders USING orders JOIN bad b ON b.i = orders.i", "DELETE orders"),
        (mysql, "INSERT HIGH_PRIORITY IGNORE orders (a) VALUES (1)", "INSERT orders"),
        (&[Postgres], "UPDATE ONLY orders SET a = 1", "UPDATE orders"),
        (&[Postgres], "UPDATE ONLY erp.orders AS o SET a = 1", "UPDATE erp.orders"),
        (&[Postgres], "DELETE FROM ONLY orders o USING ONLY bad, ONLY b", "DELETE orders"),
    ] {
        for dialect in dialects {
            assert_eq!(word(&classify(sql, *dialect)), expected, "{dialect}: {sql}");
        }
    }
    for (dialect, sql) in [
        (Mariadb, "DELETE FROM o USING orders AS p JOIN bad b ON b.i = p.i"),
        (Mariadb, "DELETE HISTORY FROM orders"),
        (Postgres, "UPDATE ONLY (orders) SET a = 1"),
    ] {
        let found = word(&classify(sql, dialect));
        assert!(found.starts_with("refused"), "{dialect}: {sql}\n{found}");
    }
}

#[test]
fn neither_a_modifier_nor_an_alias_is_among_the_tables() {
    for (dialect, sql, expected) in [
        (Mariadb, "UPDATE IGNORE orders SET a = 1", &["orders"][..]),
        (Mariadb, "DELETE FROM o USING orders AS o JOIN bad ON bad.i = o.i", &["orders", "bad"]),
        (Mariadb, "DELETE o FROM orders AS o JOIN bad ON bad.i = o.i", &["orders", "bad"]),
        (
            Postgres,
            "SELECT a FROM ONLY orders, ONLY bad FETCH FIRST 1 ROWS ONLY",
            &["orders", "bad"],
        ),
        (Postgres, "DELETE FROM orders o USING orders, bad o2", &["orders", "bad"]),
    ] {
        let found = tables(sql, dialect).expect(sql);
        assert_eq!(found, expected, "{dialect}: {sql}");
    }
}

#[test]
fn every_operator_of_sqlite_is_understood() {
    for (condition, shown) in [
        ("state IS 'open'", "state IS 'open'"),
        ("state IS NOT 1 AND b = 2", "state IS NOT 1 AND b = 2"),
        ("NOT a IS b OR c IS NOT lower(d)", "NOT a IS b OR c IS NOT lower(d)"),
        ("a IS (SELECT 1)", "a IS (SELECT 1)"),
        ("a IS NULL AND b IS NOT NULL", "a IS NULL AND b IS NOT NULL"),
        ("a + 1 isnull OR b NOTNULL AND c", "a + 1 IS NULL OR b IS NOT NULL AND c"),
        ("a & 1 << 3 = b >> 2", "a & 1 << 3 = b >> 2"),
        ("a IS NOT DISTINCT FROM b", "a IS NOT DISTINCT FROM b"),
        ("a IS TRUE AND b IS NOT FALSE", "a IS TRUE AND b IS NOT FALSE"),
        ("name NOT GLOB 'x*' AND a", "name NOT GLOB 'x*' AND a"),
        ("name NOT MATCH 'x' OR name NOT REGEXP 'y'", "name NOT MATCH 'x' OR name NOT REGEXP 'y'"),
        (
            "name NOT LIKE 'x' AND a NOT IN (1) AND b NOT NULL",
            "name NOT LIKE 'x' AND a NOT IN (1) AND b IS NOT NULL",
        ),
    ] {
        let sql = format!("UPDATE t SET a = 1 WHERE {condition}");
        assert_eq!(word(&classify(&sql, Sqlite)), "UPDATE t", "{sql}");
        let look = look(&sql, Sqlite).expect(&sql);
        assert_eq!(look.count, format!("SELECT COUNT(*) FROM t WHERE {shown}"));
    }
    let found = word(&classify("UPDATE t SET a = 1 WHERE b IS :x", Sqlite));
    assert_eq!(found, "UPDATE t");
    let found = word(&classify("UPDATE t SET a = 1 WHERE b IS", Sqlite));
    assert!(found.contains("Not understood"), "{found}");
}

#[test]
fn what_only_its_engine_knows_is_understood() {
    let mysql = &[Mysql, Mariadb][..];
    for (dialects, sql, expected) in [
        (
            &[Postgres][..],
            "INSERT INTO t (id, a) OVERRIDING SYSTEM VALUE VALUES (7, 1) ON CONFLICT (lower(a)) DO NOTHING",
            "INSERT t",
        ),
        (&[Postgres], "INSERT INTO t OVERRIDING USER VALUE SELECT * FROM u", "INSERT t"),
        (&[Sqlite], "UPDATE t SET a = b << 1 | c >> 2 WHERE a & (1 << 3) <> 0", "UPDATE t"),
        (&[Sqlite], "UPDATE t INDEXED BY ix SET a = 1 WHERE b = 2", "UPDATE t"),
        (&[Sqlite], "DELETE FROM t INDEXED BY ix WHERE NOT indexed", "DELETE t"),
        (mysql, "UPDATE shop.o JOIN shop.l ON l.i = o.i SET o.a = 1, O.b = 2", "UPDATE shop.o"),
        (mysql, "DELETE o FROM shop.o JOIN shop.l ON l.i = o.i", "DELETE shop.o"),
        (mysql, "DELETE o.* FROM orders o JOIN l ON l.i = o.i", "DELETE orders"),
        (mysql, "DELETE QUICK shop.o.* FROM shop.o JOIN l ON l.i = o.i", "DELETE shop.o"),
    ] {
        for dialect in dialects {
            assert_eq!(word(&classify(sql, *dialect)), expected, "{dialect}: {sql}");
        }
    }
    for (dialect, sql, reason) in [
        (Mariadb, "UPDATE orders o, late l SET o.a = 1", "write JOIN between the tables"),
        (Mariadb, "DELETE o.*, l.* FROM orders o JOIN l", "Not understood"),
        (Postgres, "UPDATE t SET n = a::text COLLATE \"C\"", "is no operator that is known"),
    ] {
        let found = word(&classify(sql, dialect));
        assert!(found.starts_with("refused") && found.contains(reason), "{sql}\n{found}");
        assert!(!found.contains("Token") && !found.contains("infix"), "{sql}\n{found}");
    }
}

#[test]
fn a_conflict_may_be_told_by_a_condition_or_an_expression() {
    for (sql, dialects) in [
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) WHERE b IS NULL DO UPDATE SET n = 2",
            &[Sqlite, Postgres][..],
        ),
        (
            "INSERT INTO t (a) SELECT a FROM u WHERE true ON CONFLICT (lower(a), b) DO NOTHING",
            &[Sqlite, Postgres],
        ),
        (
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x WHERE true ON CONFLICT (a COLLATE \"C\" text_ops) DO NOTHING",
            &[Postgres],
        ),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT ON CONSTRAINT c DO NOTHING", &[Postgres]),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", &[Sqlite, Postgres]),
    ] {
        for dialect in dialects {
            assert_eq!(word(&classify(sql, *dialect)), "INSERT t", "{dialect}: {sql}");
        }
    }
    for (sql, reason) in [
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) WHERE b IN (SELECT 1) DO NOTHING",
            "Not understood",
        ),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) WHERE b IN (WITH x AS (SELECT 1) SELECT 1) DO NOTHING",
            "Not understood",
        ),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) WHERE pg_advisory_lock(1) IS NULL DO NOTHING",
            "pg_advisory_lock",
        ),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) WHERE b; DELETE FROM u WHERE a DO NOTHING",
            "several statements",
        ),
    ] {
        let found = word(&classify(sql, Postgres));
        assert!(found.starts_with("refused") && found.contains(reason), "{sql}\n{found}");
    }
    // Without an INSERT before it that is the condition of a join.
    let join = "SELECT 1 FROM t JOIN u ON conflict (x) , a DO NOTHING";
    assert_eq!(word(&classify(join, Postgres)), "unparsed read");
    // The place of a refusal is that of the text as it stands.
    let sql =
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (lower('\u{e4}\u{f6}')) DO UPDATE SET b == 1";
    let refusal = write(sql, Postgres).expect_err("not SQL");
    assert_eq!(&sql[refusal.part.expect("a place")], "=");
}

#[test]
fn a_cast_leaves_the_name_of_its_column() {
    let sql = "SELECT o.id::text, name::varchar(3)::text, (o.day)::date, lower(a)::text, b::text AS c FROM t o";
    assert_eq!(columns(sql, Postgres).expect(sql), ["id", "name", "day", "lower", "c"]);
    let sql =
        "SELECT CAST(o.id AS text), (a), b COLLATE \"C\", count(*), pg_catalog.MAX(id) FROM t o";
    assert_eq!(columns(sql, Postgres).expect(sql), ["id", "a", "b", "count", "max"]);
    assert_eq!(columns("SELECT id, 1 + 1 FROM t", Postgres), None);
    assert_eq!(columns("SELECT count(*) FROM t", Mariadb).expect(""), ["count(*)"]);
}
