//! What every engine must do: the same cases on SQLite, PostgreSQL and MariaDB. This is the only
//! specification of it; what an engine has for itself is in the file that bears its name.
//!
//! A case is a function of the engine. `contract!` makes a test of it on each engine that it names,
//! and wants the reason for each engine that it leaves out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "what fails here fails the test"
)]

#[path = "../common/mod.rs"]
mod common;

/// `contract! { a_case on sqlite postgres mariadb; another on postgres mariadb, not sqlite: "why"; }`
macro_rules! contract {
    ($($case:ident on $($engine:ident)+ $(, not $other:ident: $why:literal)*;)*) => {$(
        mod $case {
            $(#[test]
            fn $engine() {
                super::$case($crate::engine(stringify!($engine)));
            })+

            const RUN: &[&str] = &[$(stringify!($engine)),+];
            const LEFT_OUT: &[(&str, &str)] = &[$((stringify!($other), $why)),*];
            const _: () = assert!(RUN.len() + LEFT_OUT.len() == 3, "every engine is accounted for");
        }
    )*};
}

mod attacks;
mod checks;
mod commits;
mod guardrails;
mod in_doubt;
mod many;
mod mass;
mod pooler;
mod previews;
mod refusals;
mod servers;
mod sessions;
mod traps;
mod undoing;
mod values;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use common::desk::Desk;
use steadyhand::dialect::Dialect;
use steadyhand::engine::{EngineError, Session};
use steadyhand::value::{Value, ValueRef};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

fn engine(name: &str) -> Dialect {
    match name {
        "sqlite" => Dialect::Sqlite,
        "postgres" => Dialect::Postgres,
        "mariadb" => Dialect::Mariadb,
        other => panic!("{other} is no engine of the contract"),
    }
}

/// What differs from one engine to the next: SQLite's, PostgreSQL's, MariaDB's.
fn of<T>(engine: Dialect, [sqlite, postgres, mariadb]: [T; 3]) -> T {
    match engine {
        Dialect::Sqlite => sqlite,
        Dialect::Postgres => postgres,
        _ => mariadb,
    }
}

/// A key that the database gives out.
fn serial(engine: Dialect) -> &'static str {
    of(
        engine,
        [
            "INTEGER PRIMARY KEY AUTOINCREMENT",
            "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            "INTEGER AUTO_INCREMENT PRIMARY KEY",
        ],
    )
}

/// Some stock, without anything that happens behind the scenes.
const STOCK: &str = "
CREATE TABLE stock (id INTEGER PRIMARY KEY, name VARCHAR(20), n INTEGER);
INSERT INTO stock VALUES (1, 'one', 1), (2, 'two', 2), (3, NULL, 3);
";

/// Parents with children that go with them, and triggers that keep a record of both.
fn family(engine: Dialect) -> String {
    let tables = format!(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20));
         CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER, v INTEGER,
           FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE);
         CREATE TABLE audit (id {}, what VARCHAR(40));
         INSERT INTO parent VALUES (1, 'one'), (2, 'two'), (3, NULL);
         INSERT INTO child VALUES (1, 1, 7), (2, 1, NULL), (3, 2, 9);",
        serial(engine)
    );
    let triggers = of(
        engine,
        [
            "CREATE TRIGGER p AFTER DELETE ON parent BEGIN INSERT INTO audit (what) VALUES ('parent ' || OLD.id); END;
             CREATE TRIGGER c AFTER DELETE ON child BEGIN INSERT INTO audit (what) VALUES ('child ' || OLD.id); END;
             CREATE TRIGGER u AFTER UPDATE ON parent BEGIN INSERT INTO audit (what) VALUES ('renamed ' || OLD.id); END;",
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               INSERT INTO audit (what) VALUES (CASE TG_OP WHEN 'UPDATE' THEN 'renamed' ELSE TG_TABLE_NAME END || ' ' || OLD.id);
               RETURN NULL; END $$;
             CREATE TRIGGER p AFTER DELETE ON parent FOR EACH ROW EXECUTE FUNCTION note();
             CREATE TRIGGER c AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION note();
             CREATE TRIGGER u AFTER UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION note();",
            "CREATE TRIGGER p AFTER DELETE ON parent FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('parent ', OLD.id));
             CREATE TRIGGER c AFTER DELETE ON child FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('child ', OLD.id));
             CREATE TRIGGER u AFTER UPDATE ON parent FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('renamed ', OLD.id));",
        ],
    );
    format!("{tables}{triggers}")
}

/// Every row of these tables, in order.
fn dump(desk: &mut Desk, tables: &[&str]) -> Vec<String> {
    let read = |table: &&str| {
        let rows = desk.rows(&format!("SELECT * FROM {table} ORDER BY 1"));
        rows.into_iter().map(|row| format!("{table} {}", row.join("|"))).collect::<Vec<_>>()
    };
    tables.iter().flat_map(read).collect()
}

type Rows = (Vec<String>, Vec<Vec<Value>>);

/// Columns and rows of a query, until there are as many rows as wanted.
fn read_some(
    desk: &Desk,
    session: &mut Session,
    sql: &str,
    limit: Duration,
    most: usize,
) -> Result<Rows, EngineError> {
    let mut rows = Vec::new();
    let mut keep = |_: &[String], row: &[ValueRef<'_>]| {
        rows.push(row.iter().map(|value| (*value).to_owned()).collect());
        if rows.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let names = desk.block_on(session.read(sql, limit, &mut keep))?;
    Ok((names, rows))
}

/// Both ways of reading: what one refuses the other refuses too, and what one sees both see.
fn read(desk: &Desk, session: &mut Session, sql: &str) -> Result<Rows, EngineError> {
    let read = read_some(desk, session, sql, LONG, usize::MAX);
    let mut rows = 0;
    let scanned = desk.block_on(session.scan(sql, LONG, &mut |_, _| rows += 1));
    assert_eq!(scanned.is_ok(), read.is_ok(), "{scanned:?}, {read:?}\n  in: {sql}");
    assert_eq!(rows, read.as_ref().map_or(0, |(_, rows)| rows.len()), "in: {sql}");
    read
}

/// The first value as a text.
fn scalar(desk: &Desk, session: &mut Session, sql: &str) -> String {
    let (_, rows) = read(desk, session, sql).unwrap_or_else(|error| panic!("{error}\n  in: {sql}"));
    rows[0][0].as_ref().plain().unwrap_or_else(|| "NULL".into())
}

/// Waits for it. MariaDB shows its transactions from a copy that is made anew only after nobody has
/// looked for a tenth of a second.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "it did not come to that: {what}");
        std::thread::park_timeout(Duration::from_millis(150));
    }
}
