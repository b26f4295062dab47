//! Guardrails: the definitions that may stand in one, and what takes them away again.

use std::slice;

use Dialect::{Mariadb, Mysql, Oracle, Postgres, Sqlite};

use crate::sql::*;

/// The only definition of a text.
fn one(sql: &str, dialect: Dialect) -> Result<Definition, Refusal> {
    definitions(sql, dialect).map(|mut found| {
        assert_eq!(found.len(), 1, "{sql}");
        found.remove(0)
    })
}

#[test]
fn guardrails_are_definitions() {
    use Act::{Alter, Create, Drop};
    use Object::{Index, Table, Trigger};
    for (dialect, sql, expected) in [
        (Sqlite, "CREATE UNIQUE INDEX ux ON t (a) WHERE b IS NULL", (Create, Index, "ux")),
        (
            Postgres,
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"ux\" ON t (a)",
            (Create, Index, "ux"),
        ),
        (
            Sqlite,
            "CREATE TRIGGER main.g BEFORE UPDATE ON t BEGIN SELECT RAISE(ABORT, 'no; never') WHERE NEW.a < 0; SELECT 1; END;",
            (Create, Trigger, "g"),
        ),
        (
            Mysql,
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN IF NEW.a < 0 THEN SIGNAL SQLSTATE '45000'; END IF; CASE NEW.b WHEN 1 THEN SET NEW.b = IF(NEW.b, 2, 3); END CASE; END",
            (Create, Trigger, "g"),
        ),
        (
            Mysql,
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW IF NEW.a < 0 THEN SIGNAL SQLSTATE '45000'; END IF",
            (Create, Trigger, "g"),
        ),
        (
            Postgres,
            "DO $g$ BEGIN CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $b$ BEGIN RETURN NEW; END $b$; CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f(); END $g$",
            (Create, Trigger, "g"),
        ),
        (Mysql, "ALTER TABLE t DROP CONSTRAINT c, ADD UNIQUE KEY k (a)", (Alter, Table, "t")),
        (
            Postgres,
            "ALTER TABLE ONLY s.t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
            (Alter, Table, "t"),
        ),
        (
            Mysql,
            "ALTER TABLE t NOWAIT ADD CONSTRAINT c CHECK (a IN (1, 2)), ALGORITHM=COPY, LOCK=SHARED",
            (Alter, Table, "t"),
        ),
        (
            Postgres,
            "ALTER TABLE t ADD CONSTRAINT c EXCLUDE USING gist (a WITH =, tsrange(b, c) WITH &&)",
            (Alter, Table, "t"),
        ),
        (Sqlite, "DROP TRIGGER IF EXISTS g", (Drop, Trigger, "g")),
    ] {
        let found = one(sql, dialect).map(|found| (found.act, found.object, found.name));
        assert_eq!(found, Ok((expected.0, expected.1, expected.2.to_owned())), "{sql}");
    }
    for (dialect, sql, reason) in [
        (Sqlite, "UPDATE t SET a = 1", "CREATE, ALTER or DROP"),
        (Sqlite, "CREATE VIEW v AS SELECT 1", "not `VIEW`"),
        (
            Sqlite,
            "CREATE TEMP TRIGGER g BEFORE UPDATE ON t BEGIN SELECT 1; END",
            "only this connection",
        ),
        (
            Postgres,
            "CREATE OR REPLACE TRIGGER g BEFORE UPDATE ON t EXECUTE FUNCTION f()",
            "overwrite",
        ),
        (Postgres, "CREATE INDEX ON t (a)", "no name"),
        (
            Postgres,
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
            "together with its trigger",
        ),
        (Postgres, "DO $$ BEGIN DELETE FROM t; END $$", "may hold only"),
        (
            Postgres,
            "DO $$ BEGIN CREATE TRIGGER g BEFORE UPDATE ON t EXECUTE FUNCTION f(); DROP TABLE t; END $$",
            "may hold only",
        ),
        (Sqlite, "ALTER TABLE t RENAME TO u", "rename"),
        (Postgres, "ALTER TABLE t DISABLE TRIGGER ALL", "`DISABLE` is no part"),
        (Postgres, "ALTER TABLE t ADD CHECK (f(a, b)), OWNER TO me", "`OWNER` is no part"),
        (Mysql, "ALTER TABLE t ENGINE=MyISAM", "`ENGINE` is no part"),
        (
            Postgres,
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; UPDATE t SET a = 1",
            "CREATE, ALTER or DROP",
        ),
        (
            Postgres,
            "CREATE INDEX CONCURRENTLY i ON t (a); ALTER TABLE t ADD CHECK (a > 0)",
            "write it alone",
        ),
        (Mysql, "CREATE INDEX i ON t (a); CREATE INDEX j ON t (b)", "several statements"),
        (Mysql, "ALTER TABLE t DROP PARTITION p", "Partitions hold data"),
        (
            Sqlite,
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; DROP TABLE t;",
            "does not end",
        ),
        (
            Mysql,
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW IF IF(NEW.a, 1, 0) THEN SET NEW.a = CASE WHEN 1 THEN IF(1, 2, 3) END; END IF; DROP TABLE t",
            "several statements",
        ),
        (
            Sqlite,
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; DROP TABLE t; END",
            "controls a transaction",
        ),
        (
            Sqlite,
            "CREATE INDEX i ON t (a); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; DROP TABLE t;",
            "does not end",
        ),
        (Sqlite, "CREATE INDEX i ON t (a); DELETE FROM t", "CREATE, ALTER or DROP"),
    ] {
        let refusal = definitions(sql, dialect).expect_err(sql);
        assert!(refusal.sentence.contains(reason), "{sql}\n{refusal}");
    }
}

#[test]
fn a_guardrail_takes_nothing_away_and_its_withdrawal_only_what_it_brought() {
    let read = |sql| one(sql, Mysql).expect(sql);
    let column = read("ALTER TABLE t ADD COLUMN g INT AS (a) VIRTUAL, ADD UNIQUE KEY ux (g)");
    let index = read("CREATE INDEX ix ON t (a)");
    assert_eq!(column.introduces(), Ok(()));
    assert!(read("ALTER TABLE t DROP COLUMN a").introduces().is_err());
    assert!(read("DROP TABLE t").introduces().is_err());
    assert_eq!(
        read("ALTER TABLE t DROP INDEX ux, DROP COLUMN g").withdraws(slice::from_ref(&column)),
        Ok(())
    );
    assert!(read("ALTER TABLE t DROP COLUMN a").withdraws(slice::from_ref(&column)).is_err());
    assert_eq!(read("DROP INDEX ix ON t").withdraws(slice::from_ref(&index)), Ok(()));
    assert!(read("DROP INDEX other ON t").withdraws(slice::from_ref(&index)).is_err());
    assert!(read("DROP TABLE t").withdraws(slice::from_ref(&index)).is_err());
    let pair = "DO $g$ BEGIN CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $b$ BEGIN RETURN NEW; END $b$; CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f(); END $g$";
    let pair = definitions(pair, Postgres).expect("a trigger with its function");
    let drop = |sql| one(sql, Postgres).expect(sql).withdraws(&pair);
    assert_eq!(drop("DROP FUNCTION f() CASCADE"), Ok(()));
    assert!(drop("DROP FUNCTION h() CASCADE").is_err());
}

#[test]
fn a_guardrail_of_several_statements_is_read_and_withdrawn_as_a_whole() {
    let apply = "ALTER TABLE t ADD COLUMN g int, ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\n\
                 ALTER TABLE t VALIDATE CONSTRAINT c;\nCREATE INDEX ix ON t (a);";
    let applied = definitions(apply, Postgres).expect(apply);
    assert_eq!(applied.len(), 3);
    assert!(applied.iter().all(|applied| applied.introduces().is_ok() && !applied.alone));
    for withdraw in ["DROP INDEX ix", "ALTER TABLE t DROP CONSTRAINT c, DROP COLUMN g"] {
        assert_eq!(one(withdraw, Postgres).expect(withdraw).withdraws(&applied), Ok(()));
    }
    assert!(one("ALTER TABLE t DROP COLUMN a", Postgres).expect("").withdraws(&applied).is_err());
    let rows = "CREATE TRIGGER g BEFORE UPDATE ON t BEGIN SELECT CASE WHEN 1 THEN if(1, 2, 3) END; END;\n\
                CREATE TRIGGER begin BEFORE INSERT ON t BEGIN SELECT 1; END";
    let applied = definitions(rows, Sqlite).expect(rows);
    assert_eq!(applied.len(), 2);
    let both = definitions("DROP TRIGGER g; DROP TRIGGER begin", Sqlite).expect("two triggers");
    assert!(both.iter().all(|withdrawn| withdrawn.withdraws(&applied).is_ok()));
    // Whatever stands behind the first is read as what it is.
    for more in ["DROP TABLE t", "ALTER TABLE t DROP COLUMN a"] {
        let found = definitions(&format!("{rows}; {more}"), Sqlite).expect(more);
        assert_eq!(found.len(), 3, "{more}");
        assert!(found[2].introduces().is_err() && found[2].withdraws(&applied).is_err(), "{more}");
    }
}

/// Words that an engine does not reserve are columns there.
#[test]
fn a_column_may_be_called_like_a_rule() {
    for (dialect, words) in [
        (Postgres, &["key", "index", "identity", "expression", "exclude", "fulltext", "if"][..]),
        (Sqlite, &["key", "if", "fulltext"]),
        (Mariadb, &["identity", "expression", "exclude", "`key`"]),
        (Oracle, &["(key)", "(a, primary)"]),
    ] {
        for word in words {
            let drop = one(&format!("ALTER TABLE t DROP {word}"), dialect).expect(word);
            let why = drop.introduces().expect_err(word);
            assert!(why.contains("takes its data away"), "{dialect} {word}: {why}");
        }
    }
    let beside = "ALTER TABLE t ADD CONSTRAINT c CHECK (v > 0), DROP key";
    assert!(one(beside, Postgres).expect(beside).introduces().is_err());
    let added = one("ALTER TABLE t ADD key text", Postgres).expect("a column");
    let drop = one("ALTER TABLE t DROP COLUMN key", Postgres).expect("a column");
    assert_eq!(drop.withdraws(&[added]), Ok(()));
    for (dialect, sql) in [
        (Postgres, "ALTER TABLE t ALTER a DROP IDENTITY, ALTER b DROP NOT NULL, DROP CONSTRAINT c"),
        (Postgres, "ALTER TABLE t ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY"),
        (Mariadb, "ALTER TABLE t DROP KEY k, DROP FOREIGN KEY f, ALTER a DROP DEFAULT"),
        (Mariadb, "ALTER TABLE t ADD CHECK (truncate(a, 2) = a), DROP INDEX i, DROP PRIMARY KEY"),
        (Oracle, "ALTER TABLE t DROP PRIMARY KEY"),
    ] {
        let found = one(sql, dialect).expect(sql);
        assert_eq!((found.introduces(), found.adds), (Ok(()), vec![]), "{sql}");
    }
}

#[test]
fn what_no_transaction_can_hold_is_known_and_can_be_rehearsed() {
    let index = "CREATE UNIQUE INDEX CONCURRENTLY \"CONCURRENTLY\" ON t (a) -- CONCURRENTLY";
    assert!(one(index, Postgres).expect(index).alone);
    assert_eq!(
        transactional(index, Postgres).expect(index),
        "CREATE UNIQUE INDEX  \"CONCURRENTLY\" ON t (a) -- CONCURRENTLY"
    );
    assert!(one("DROP INDEX CONCURRENTLY ix", Postgres).expect("").alone);
    assert!(!one("CREATE INDEX ix ON t (a)", Postgres).expect("").alone);
    let other = "CREATE INDEX ix ON t (a)";
    assert_eq!(transactional(other, Sqlite).expect(other), other);
}

#[test]
fn a_definition_names_its_table() {
    let of = |sql: &str| crate::sql::defined_on(sql, Mariadb).unwrap_or_default().join(".");
    assert_eq!(of("ALTER TABLE `a b` ADD UNIQUE (x)"), "a b");
    assert_eq!(of("ALTER TABLE IF EXISTS t ADD UNIQUE (x)"), "t");
    assert_eq!(of("create unique index u on hr.staff (a)"), "hr.staff");
    assert_eq!(of("CREATE INDEX u -- for every row ON loan\n ON other (a)"), "other");
    assert_eq!(of("DROP INDEX `u ON x` ON other"), "other");
    assert_eq!(of("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1"), "");
}

#[test]
fn a_drop_takes_one_thing_and_a_new_type_no_other_values() {
    let refused = |sql: &str| definitions(sql, Postgres).is_err();
    assert!(refused("DROP TABLE guard_log, orders"));
    assert!(refused("DROP TABLE guard_log CASCADE"));
    assert!(refused("DROP INDEX one, two"));
    assert!(!refused("DROP FUNCTION f(int, int) CASCADE"));
    assert!(refused(
        "ALTER TABLE t ALTER COLUMN n TYPE int USING 0, ADD CONSTRAINT c CHECK (n > 0)"
    ));
    assert!(!refused("ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING gist (a WITH =)"));
}

#[test]
fn a_definition_runs_no_query_and_no_function_that_acts() {
    for (dialect, sql, reason) in [
        (
            Postgres,
            "CREATE TABLE kept AS WITH d AS (DELETE FROM orders WHERE bad RETURNING *) SELECT * FROM d;\
             ALTER TABLE orders ADD CONSTRAINT c CHECK (NOT bad)",
            "filled by a query",
        ),
        (Postgres, "CREATE TABLE x AS SELECT pg_terminate_backend(7)", "filled by a query"),
        (Postgres, "CREATE TABLE x (a) AS EXECUTE prepared", "filled by a query"),
        (Postgres, "CREATE TABLE x AS TABLE orders", "filled by a query"),
        (Postgres, "CREATE TABLE x WITH (fillfactor = 70) AS VALUES (1)", "filled by a query"),
        (Sqlite, "CREATE TABLE x AS WITH d AS (SELECT 1) SELECT * FROM d", "filled by a query"),
        (Mariadb, "CREATE TABLE x (a INT) SELECT 1 AS a", "filled by a query"),
        (Mariadb, "CREATE TABLE x (SELECT 1 AS a)", "filled by a query"),
        (Mysql, "CREATE TABLE x TABLE orders", "filled by a query"),
        (
            Postgres,
            "ALTER TABLE t ADD COLUMN g boolean DEFAULT pg_terminate_backend(7)",
            "acts on other sessions",
        ),
        (Mariadb, "ALTER TABLE t ADD COLUMN g INT DEFAULT (SLEEP(60))", "only waits"),
        (Postgres, "CREATE INDEX ix ON t (set_config('a', b, false))", "settings of the session"),
        (
            Postgres,
            "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u ON DELETE CASCADE, ADD CHECK (pg_sleep(1) IS NULL)",
            "only waits",
        ),
    ] {
        let refusal = definitions(sql, dialect).expect_err(sql);
        assert!(refusal.sentence.contains(reason), "{sql}\n{refusal}");
    }
    for (dialect, sql) in [
        (
            Postgres,
            "CREATE TABLE k (id bigint DEFAULT nextval('k_id'), v text) WITH (fillfactor = 70)",
        ),
        (Postgres, "CREATE TABLE k PARTITION OF t FOR VALUES FROM (1) TO (2)"),
        (
            Postgres,
            "CREATE TABLE k (a int GENERATED ALWAYS AS (1 + 1) STORED, LIKE t INCLUDING ALL)",
        ),
        (Mariadb, "CREATE TABLE k (a INT AS (1 + 1) VIRTUAL) WITH SYSTEM VERSIONING"),
        (Mariadb, "CREATE TABLE k LIKE t"),
        // Tables that are called like a function.
        (Postgres, "CREATE TABLE sleep (night date)"),
        (Mariadb, "CREATE UNIQUE INDEX ux ON shop.sleep (night)"),
        (Mariadb, "ALTER TABLE t ADD FOREIGN KEY (night) REFERENCES sleep (night)"),
        (Sqlite, "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT edit(NEW.a); END"),
    ] {
        assert_eq!(definitions(sql, dialect).map(|_| ()), Ok(()), "{sql}");
    }
}

#[test]
fn a_column_keeps_its_type_and_so_the_values_it_holds() {
    for (dialect, sql) in [
        (Postgres, "ALTER TABLE invoice ALTER COLUMN amount TYPE numeric(10,2)"),
        (Postgres, "ALTER TABLE invoice ALTER \"type\" SET DATA TYPE integer"),
        (Postgres, "ALTER TABLE invoice ADD CHECK (amount > 0), ALTER type TYPE integer"),
        (Postgres, "ALTER TABLE invoice ALTER COLUMN total SET EXPRESSION AS (0)"),
        (Mariadb, "ALTER TABLE invoice MODIFY amount DECIMAL(10,2)"),
        (Mariadb, "ALTER TABLE invoice MODIFY COLUMN IF EXISTS amount DECIMAL(10,2) NOT NULL"),
        (Dialect::Oracle, "ALTER TABLE invoice MODIFY (n NOT NULL, amount NUMBER(10,2))"),
        (Dialect::Oracle, "ALTER TABLE invoice MODIFY amount NUMBER(10,2)"),
    ] {
        let refusal = definitions(sql, dialect).expect_err(sql);
        assert!(refusal.sentence.contains("gives a column another type"), "{sql}\n{refusal}");
    }
    for (dialect, sql) in [
        (Postgres, "ALTER TABLE invoice ALTER COLUMN type SET NOT NULL"),
        (Postgres, "ALTER TABLE invoice ALTER amount SET DEFAULT 0, ADD CHECK (type <> '')"),
        (Postgres, "ALTER TABLE invoice ADD COLUMN type text"),
        (Mariadb, "ALTER TABLE invoice ALTER COLUMN amount SET DEFAULT 0"),
        (Dialect::Oracle, "ALTER TABLE invoice MODIFY amount NOT NULL"),
        (Dialect::Oracle, "ALTER TABLE invoice MODIFY (amount DEFAULT 0 NOT NULL, n NULL)"),
        (
            Dialect::Oracle,
            "ALTER TABLE invoice MODIFY (amount CONSTRAINT c CHECK (amount IN (1, 2)))",
        ),
        (Dialect::Oracle, "ALTER TABLE invoice MODIFY CONSTRAINT c ENABLE"),
    ] {
        assert_eq!(definitions(sql, dialect).map(|_| ()), Ok(()), "{sql}");
    }
}

/// Words of a body may be plain names; what they seem to open would hide a second statement.
#[test]
fn no_name_opens_the_body_of_a_trigger() {
    let row = "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW";
    let mysql = &[Mysql, Mariadb][..];
    for (dialects, sql) in [
        (mysql, format!("{row} INSERT INTO log (begin) VALUES (1); DROP TABLE t; SELECT 1 AS end")),
        (mysql, format!("{row} SET NEW.case = 1; DROP TABLE t; SELECT 1 AS end")),
        (mysql, format!("{row} SET @a = (SELECT row begin FROM u); DROP TABLE t; SELECT 1 AS end")),
        (
            mysql,
            format!("{row} SET @a = CASE WHEN 1 THEN begin END; DROP TABLE t; SELECT 1 AS end"),
        ),
        (mysql, format!("{row} BEGIN DECLARE begin INT; END; DROP TABLE t; SELECT 1 AS end")),
        (mysql, "CREATE TABLE erp.trigger (begin INT); DROP TABLE t; SELECT 1 AS end".to_owned()),
        (
            mysql,
            "CREATE TABLE t (trigger INT, begin INT); DROP TABLE t; SELECT 1 AS end".to_owned(),
        ),
        (&[Postgres], format!("{row} EXECUTE FUNCTION f(begin); SELECT 1 AS end")),
        (
            &[Sqlite],
            "CREATE TRIGGER g UPDATE OF begin ON t BEGIN SELECT 1; END; DROP TABLE t; END"
                .to_owned(),
        ),
    ] {
        for dialect in dialects {
            let parts = split(&sql, *dialect).expect(&sql);
            assert!(parts.len() > 1, "{dialect}: {sql}");
            let refusal = definitions(&sql, *dialect).expect_err(&sql);
            let known = ["several statements", "only reads", "controls a transaction"];
            assert!(known.iter().any(|k| refusal.sentence.contains(k)), "{sql}\n{refusal}");
        }
    }
    for (dialect, sql) in [
        (Mariadb, format!("{row} INSERT INTO log (begin) VALUES (1)")),
        (Mariadb, format!("{row} FOLLOWS h BEGIN SET @a = 1; END")),
        (Mariadb, format!("{row} a: BEGIN l: LOOP LEAVE l; END LOOP l; b: BEGIN END b; END a;")),
        (Mariadb, format!("{row} BEGIN REPEAT SET @a = 1; UNTIL @a END REPEAT; SELECT 1 AS end INTO @b; END")),
        (Mariadb, format!("{row} BEGIN WHILE @a DO IF @b THEN SET @a = 0; END IF; END WHILE; END")),
        (Mariadb, format!("{row} BEGIN FOR i IN 1..3 DO SET @a = i; END FOR; END")),
        (
            Mysql,
            format!("{row} BEGIN DECLARE EXIT HANDLER FOR SQLSTATE VALUE '23000', NOT FOUND, 1062 BEGIN SET @a = 1; END; SET @b = 1; END"),
        ),
        (
            Mysql,
            format!("{row} BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION IF @a THEN SET @a = 1; END IF; SET @b = 1; END"),
        ),
        (
            Mysql,
            format!("{row} CASE NEW.a WHEN 1 THEN BEGIN SET @a = 1; END; ELSE IF @b THEN SET @a = 2; END IF; END CASE"),
        ),
        (
            Oracle,
            "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.a > 0) BEGIN FOR r IN (SELECT 1 FROM DUAL) LOOP IF a THEN b; ELSE c; END IF; END LOOP; EXCEPTION WHEN OTHERS THEN BEGIN NULL; END; END;".to_owned(),
        ),
    ] {
        assert_eq!(split(&sql, dialect).map(|parts| parts.len()), Ok(1), "{dialect}: {sql}");
        assert!(definitions(&sql, dialect).is_ok(), "{dialect}: {sql}");
    }
}
