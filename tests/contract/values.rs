//! A value of every kind: shown as the database writes it, and put back exactly.

use steadyhand::config::Target;
use steadyhand::dialect::Dialect;
use steadyhand::engine::{Purpose, Stopper};
use steadyhand::value::Value;

use super::common::desk::Desk;
use super::{of, read, scalar};

contract! {
    every_kind_is_shown_as_the_database_writes_it on sqlite postgres mariadb;
    every_kind_comes_back_exactly on sqlite postgres mariadb;
    an_edit_that_the_collation_takes_for_the_same_is_an_edit on sqlite postgres mariadb;
    a_literal_means_the_same_whatever_a_backslash_is_there on sqlite postgres mariadb;
    moments_are_shown_in_the_zone_of_the_target on postgres mariadb,
        not sqlite: "it has no moments, only texts and numbers";
}

/// A column, its value in SQL, and what is shown of it.
type Kind = (&'static str, String, Value);

fn text(kind: &'static str, value: &str) -> Kind {
    (kind, format!("'{}'", value.replace('\'', "''")), Value::Text(value.into()))
}

fn shown(kind: &'static str, sql: &str, value: Value) -> Kind {
    (kind, sql.into(), value)
}

fn as_text(kind: &'static str, sql: &str, value: &str) -> Kind {
    shown(kind, sql, Value::Text(value.into()))
}

fn kinds(engine: Dialect) -> Vec<Kind> {
    of(engine, [sqlite(), postgres(), mariadb()])
}

fn sqlite() -> Vec<Kind> {
    vec![
        shown("INTEGER", "-9223372036854775807 - 1", Value::Integer(i64::MIN)),
        shown("BOOLEAN", "TRUE", Value::Integer(1)),
        shown("REAL", "0.1", Value::Real(0.1)),
        shown("REAL", "1e308 * 10", Value::Real(f64::INFINITY)),
        shown("REAL", "-1e308 * 10", Value::Real(f64::NEG_INFINITY)),
        shown("REAL", "5e-324", Value::Real(5e-324)),
        // What is stored has a type, what a column says is a wish.
        shown("INTEGER", "'twelve'", Value::Text("twelve".into())),
        shown("NUMERIC", "'1.0'", Value::Integer(1)),
        shown("TEXT", "12", Value::Text("12".into())),
        shown("", "1.5", Value::Real(1.5)),
        text("TEXT", "a'b\\c\"d\n\te\u{202e}\u{1f600}"),
        text("TEXT", ""),
        shown("TEXT", "'x' || char(0) || 'y'", Value::Text("x\0y".into())),
        shown("BLOB", "x'00ff5c27'", Value::Bytes(vec![0, 255, 0x5c, 0x27])),
        shown("BLOB", "x''", Value::Bytes(vec![])),
        text("DATE", "2024-02-30"),
    ]
}

fn postgres() -> Vec<Kind> {
    let int = |kind, n: i64| shown(kind, &format!("'{n}'"), Value::Integer(n));
    vec![
        int("smallint", -32768),
        int("integer", 2_147_483_647),
        int("bigint", i64::MIN),
        text("numeric", "123456789012345678901234567890.00100"),
        text("numeric(12,3)", "-0.500"),
        text("numeric", "NaN"),
        text("numeric", "Infinity"),
        text("real", "1.1754944e-38"),
        text("double precision", "0.1"),
        text("double precision", "-Infinity"),
        text("money", "-$1,234.50"),
        text("boolean", "t"),
        text("text", "a'b\\c\"d\n\te\u{202e}\u{1f600}"),
        text("text", ""),
        text("character varying(9)", "  x  "),
        text("character(6)", "ab    "),
        text("\"char\"", "q"),
        text("name", "Name"),
        shown("bytea", "'\\x00ff5c27'", Value::Bytes(vec![0, 255, 0x5c, 0x27])),
        text("date", "infinity"),
        text("date", "0044-03-15 BC"),
        text("time without time zone", "24:00:00"),
        text("time with time zone", "12:00:00.123456+05:30"),
        text("timestamp without time zone", "2024-02-29 23:59:59.999999"),
        text("timestamp(0) with time zone", "2024-03-31 03:30:00+02"),
        text("interval", "1 year 2 mons -3 days +04:05:06.789"),
        text("interval day to second(2)", "3 days 04:05:06.79"),
        text("json", "{\"b\": 1,  \"a\": [null]}"),
        text("jsonb", "{\"a\": [null], \"b\": 1.0}"),
        text("xml", "<a b=\"1\">x &amp; y</a>"),
        text("uuid", "0123abcd-0000-4000-8000-00000000ffff"),
        text("inet", "192.168.1.5/24"),
        text("cidr", "2001:db8::/32"),
        text("macaddr8", "08:00:2b:01:02:03:04:05"),
        text("bit(5)", "01101"),
        text("bit varying", "1"),
        text("point", "(1.5,-2)"),
        text("polygon", "((0,0),(1,1),(1,0))"),
        text("tsvector", "'a':1A 'cat''s':3"),
        text("int4range", "[1,10)"),
        text("nummultirange", "{[1,2),[3,4)}"),
        text("integer[]", "{{1,NULL},{3,4}}"),
        text("text[]", "{\"a,b\",NULL,\"NULL\",\"q\\\"uote\"}"),
        text("mood", "so so"),
        text("pair", "(1,)"),
        text("short", "ok"),
    ]
}

fn mariadb() -> Vec<Kind> {
    let point =
        [&[0, 0, 0, 0, 1, 1, 0, 0, 0][..], &1f64.to_le_bytes(), &2f64.to_le_bytes()].concat();
    vec![
        shown("SMALLINT", "-32768", Value::Integer(-32768)),
        shown("BIGINT", "-9223372036854775808", Value::Integer(i64::MIN)),
        as_text("BIGINT UNSIGNED", "18446744073709551615", "18446744073709551615"),
        shown("INT(6) ZEROFILL", "42", Value::Integer(42)),
        shown("BOOLEAN", "TRUE", Value::Integer(1)),
        as_text("DECIMAL(30,10)", "1.5", "1.5000000000"),
        shown("FLOAT", "0.1", Value::Real(0.1)),
        shown("DOUBLE", "0.1", Value::Real(0.1)),
        shown("DOUBLE", "1.7976931348623157e308", Value::Real(f64::MAX)),
        shown("BIT(9)", "b'100000001'", Value::Bytes(vec![1, 1])),
        shown("VARBINARY(4)", "x'00ff'", Value::Bytes(vec![0, 255])),
        shown("BLOB", "x''", Value::Bytes(vec![])),
        text("DATE", "0000-00-00"),
        text("DATE", "2024-02-30"),
        text("DATETIME", "0000-00-00 00:00:00"),
        text("DATETIME(6)", "2024-02-29 23:59:59.999999"),
        text("TIMESTAMP NULL", "2024-03-31 01:30:00"),
        as_text("TIME(3)", "'-12:00:00.5'", "-12:00:00.500"),
        as_text("TIME(6)", "'-838:59:59.5'", "-838:59:59.500000"),
        shown("YEAR", "2024", Value::Integer(2024)),
        text("JSON", "{\"b\": 1,  \"a\": [null]}"),
        text("ENUM('x','Y')", "Y"),
        text("SET('p','q')", "p,q"),
        as_text("VARCHAR(20)", "'a\\'b\\\\c\"d\\n\\te '", "a'b\\c\"d\n\te "),
        text("VARCHAR(9)", ""),
        text("VARCHAR(9) CHARACTER SET latin1", "é"),
        text("VARCHAR(9) COLLATE utf8mb4_bin", "ä\u{1f600}"),
        text("CHAR(6)", "ab"),
        shown("POINT", "POINT(1, 2)", Value::Bytes(point)),
        text("UUID", "123e4567-e89b-12d3-a456-426614174000"),
        text("INET6", "2001:db8::1"),
    ]
}

fn columns(kinds: &[Kind]) -> Vec<String> {
    (0..kinds.len()).map(|at| format!("c{at}")).collect()
}

/// A row with a value of each kind, and one with none.
fn desk(engine: Dialect) -> Desk {
    let kinds = kinds(engine);
    let defined: Vec<String> = kinds
        .iter()
        .zip(columns(&kinds))
        .map(|((kind, ..), name)| format!("{name} {kind}"))
        .collect();
    let schema = of(
        engine,
        [
            "",
            "CREATE TYPE mood AS ENUM ('sad', 'so so'); CREATE TYPE pair AS (a int, b text);
             CREATE DOMAIN short AS text CHECK (length(VALUE) < 5); SET TimeZone = 'Europe/Zurich';",
            "SET sql_mode = 'ALLOW_INVALID_DATES';",
        ],
    );
    let mut desk = Desk::new(engine, schema);
    desk.run(&format!("CREATE TABLE v (id INTEGER PRIMARY KEY, {})", defined.join(", ")));
    let values: Vec<&str> = kinds.iter().map(|(_, sql, _)| sql.as_str()).collect();
    desk.run(&format!("INSERT INTO v VALUES (1, {})", values.join(", ")));
    desk.run("INSERT INTO v (id) VALUES (2)");
    if engine == Dialect::Postgres {
        desk.target =
            Target { timezone: jiff::tz::TimeZone::get("Europe/Zurich").unwrap(), ..desk.target };
    }
    desk
}

/// The rows as the database itself tells them apart, down to the last byte and the type.
fn exactly(desk: &mut Desk) -> Vec<Vec<String>> {
    let names = columns(&kinds(desk.dialect));
    let each =
        |how: &dyn Fn(&String) -> String| names.iter().map(how).collect::<Vec<_>>().join(", ");
    let wanted = of(
        desk.dialect,
        [
            each(&|name| format!("typeof({name}) || quote({name})")),
            "v::text".to_owned(),
            each(&|name| format!("IFNULL(HEX(CAST({name} AS BINARY)), 'NULL')")),
        ],
    );
    desk.rows(&format!("SELECT {wanted} FROM v ORDER BY id"))
}

fn every_kind_is_shown_as_the_database_writes_it(engine: Dialect) {
    let desk = desk(engine);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    let (_, rows) = read(&desk, &mut session, "SELECT * FROM v ORDER BY id").unwrap();
    for (at, (kind, sql, value)) in kinds(engine).iter().enumerate() {
        assert_eq!(&rows[0][at + 1], value, "{kind} {sql}");
        assert_eq!(rows[1][at + 1], Value::Null, "{kind}");
    }
}

fn every_kind_comes_back_exactly(engine: Dialect) {
    let mut desk = desk(engine);
    let before = exactly(&mut desk);
    desk.done(&desk.job("gone", &["DELETE FROM v"]));
    desk.done(&desk.undo_job("gone", "gone-back"));
    assert_eq!(exactly(&mut desk), before);
    // And under the guard of what each holds: there, back, there again and back.
    let nulls: Vec<String> =
        columns(&kinds(engine)).iter().map(|name| format!("{name} = NULL")).collect();
    let sql = format!("UPDATE v SET {} WHERE id = 1", nulls.join(", "));
    desk.done(&desk.job("null", &[&sql]));
    let empty = exactly(&mut desk);
    assert_ne!(empty, before);
    for (of, op, wanted) in [("null", "a", &before), ("a", "b", &empty), ("b", "c", &before)] {
        let preview = desk.done(&desk.undo_job(of, op));
        assert_eq!((preview.left_alone, preview.rows()), (0, 1), "{:?}", preview.conflicts);
        assert_eq!(&exactly(&mut desk), wanted, "{op}");
    }
}

fn an_edit_that_the_collation_takes_for_the_same_is_an_edit(engine: Dialect) {
    let schema = of(
        engine,
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT COLLATE NOCASE, n NUMERIC)",
            "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT COLLATE nocase, n NUMERIC)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, s VARCHAR(9), n INTEGER)",
        ],
    );
    let mut desk = Desk::new(engine, schema);
    desk.run("INSERT INTO t VALUES (1, 'a', 1), (2, 'a', 1), (3, 'a', 1)");
    let job = desk.job("op", &["UPDATE t SET s = 'Xy'"]);
    let preview = desk.preview(&job);
    desk.run("UPDATE t SET s = 'A' WHERE id = 1");
    let execution = desk.execute(&job, preview);
    assert!(format!("{execution:?}").contains("t id 1 was changed since"), "{execution:?}");
    desk.done(&desk.job("op2", &["UPDATE t SET s = 'Xy'"]));
    desk.run("UPDATE t SET s = 'xY' WHERE id = 2");
    desk.run("UPDATE t SET s = 'Xy ' WHERE id = 3");
    let back = desk.done(&desk.undo_job("op2", "back"));
    assert_eq!((back.left_alone, back.rows()), (2, 1));
    assert_eq!(desk.rows("SELECT s FROM t ORDER BY id"), [["A"], ["xY"], ["Xy "]]);
}

fn a_literal_means_the_same_whatever_a_backslash_is_there(engine: Dialect) {
    for backslash in [false, true] {
        let desk = Desk::on(engine, "", |setup| match engine {
            Dialect::Postgres if backslash => setup.with("standard_conforming_strings", "off"),
            Dialect::Mariadb if backslash => setup.with("sql-mode", "NO_BACKSLASH_ESCAPES"),
            _ => setup,
        });
        let mut session = desk.open(Purpose::Detect, &Stopper::default());
        for text in ["\\'; DROP TABLE t; --", "a'b", "\\", "E'\\n", "", "\"", "1 OR 1 = 1"] {
            let quoted = desk.block_on(session.quote(&Value::Text(text.into()))).unwrap();
            assert_eq!(scalar(&desk, &mut session, &format!("SELECT {quoted}")), text, "{quoted}");
        }
    }
}

fn moments_are_shown_in_the_zone_of_the_target(engine: Dialect) {
    let desk = Desk::new(
        engine,
        of(
            engine,
            [
                "",
                "SET TimeZone = 'UTC'; CREATE TABLE t (at timestamptz); INSERT INTO t VALUES ('2024-07-01 12:00:00Z')",
                "SET time_zone = '+00:00'; CREATE TABLE t (at TIMESTAMP); INSERT INTO t VALUES ('2024-07-01 12:00:00')",
            ],
        ),
    );
    let mut target = desk.target.clone();
    target.timezone = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap();
    let mut session = desk.open_on(&target, Purpose::Detect, &Stopper::default());
    let shown = scalar(&desk, &mut session, "SELECT at FROM t");
    if engine == Dialect::Postgres {
        assert_eq!(shown, "2024-07-01 21:00:00+09");
    } else {
        // The tables of time zones are empty there, which is said; what it is today is known here.
        assert_eq!(shown, "2024-07-01 21:00:00");
        let heard = session.warnings().join("; ");
        assert!(heard.contains("does not know the time zone Asia/Tokyo"), "{heard}");
    }
}
