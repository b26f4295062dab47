//! A session: what is set in it and read back, what it may not do, and when it ends.

use std::thread;
use std::time::{Duration, Instant};

use steadyhand::dialect::Dialect;
use steadyhand::engine::{EngineError, Purpose, Setting, Stopper};

use super::common::desk::{Desk, LOCK_WAIT};
use super::{LONG, STOCK, of, read, read_some, scalar, wait_until};

contract! {
    settings_are_set_read_back_and_shown_beside_those_of_the_application on sqlite postgres mariadb;
    a_detecting_session_cannot_write on sqlite postgres mariadb;
    one_snapshot_holds_for_all_reads on sqlite postgres mariadb;
    a_query_ends_at_its_time_limit_and_the_session_goes_on on sqlite postgres mariadb;
    a_transaction_ends_at_its_time_cap on sqlite postgres mariadb;
    a_lock_is_waited_for_no_longer_than_allowed on sqlite postgres mariadb;
    the_server_itself_ends_a_transaction_that_we_forget on postgres mariadb,
        not sqlite: "there is no server: the lock goes with the process";
    stopping_is_confirmed_by_the_server on sqlite postgres mariadb;
    a_late_cancel_hits_nobody on sqlite postgres mariadb;
    whoever_has_read_enough_ends_the_query on sqlite postgres mariadb;
    an_empty_result_has_its_columns on sqlite postgres mariadb;
    preparing_finds_what_is_missing_and_runs_nothing on sqlite postgres mariadb;
    tables_are_known_by_columns_and_key on sqlite postgres mariadb;
    every_definition_moves_the_mark_of_the_schema on sqlite postgres mariadb;
}

/// A query that does not end by itself.
fn endless(engine: Dialect) -> &'static str {
    of(
        engine,
        [
            "WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i FROM r WHERE i < 0",
            "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b",
            "SELECT COUNT(*) FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b",
        ],
    )
}

fn settings_are_set_read_back_and_shown_beside_those_of_the_application(engine: Dialect) {
    let schema = of(
        engine,
        [
            "",
            "ALTER DATABASE erp SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE erp SET search_path = app, public",
            "",
        ],
    );
    let desk = Desk::on(engine, schema, |setup| match engine {
        Dialect::Mariadb => setup.with("sql-mode", "ANSI,NO_ZERO_DATE"),
        _ => setup,
    });
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    let identity = desk.block_on(work.identity()).unwrap();
    assert!(identity.server.contains("erp") && !identity.version.is_empty());
    assert_eq!((identity.no_writes, identity.replica), (None, false));
    let told: Vec<String> = identity.settings.iter().map(Setting::words).collect();
    let told = told.join("; ");
    let wanted: &[&str] = of(
        engine,
        [
            &["foreign_keys 1", "journal_mode delete"][..],
            &[
                "TimeZone UTC (the application has Asia/Tokyo)",
                "search_path app, public",
                "session_replication_role origin",
                "default_transaction_isolation repeatable read (the application has read committed)",
            ],
            &[
                "STRICT_TRANS_TABLES,NO_ZERO_DATE (the application has REAL_AS_FLOAT",
                "isolation READ-COMMITTED (the application has REPEATABLE-READ)",
                "foreign_key_checks 1",
            ],
        ],
    );
    for words in wanted {
        assert!(told.contains(words), "{words} in {told}");
    }
    // What is shown is what the server has.
    let (asked, answer) = of(
        engine,
        [
            ("SELECT foreign_keys FROM pragma_foreign_keys", "1"),
            ("SELECT current_setting('TimeZone')", "UTC"),
            ("SELECT @@sql_mode", "REAL_AS_FLOAT,PIPES_AS_CONCAT,STRICT_TRANS_TABLES,NO_ZERO_DATE"),
        ],
    );
    assert_eq!(scalar(&desk, &mut work, asked), answer);
    let mut same = desk.open(Purpose::Detect, &Stopper::default());
    let seen = desk.block_on(same.identity()).unwrap();
    assert_eq!(seen.server, identity.server);
    // Nor does it depend on which session was asked what a change gets.
    let told: Vec<String> = seen.settings.iter().map(Setting::words).collect();
    let words = of(
        engine,
        [
            "foreign_keys 1",
            "default_transaction_isolation repeatable read (the application has read committed)",
            "isolation READ-COMMITTED (the application has REPEATABLE-READ)",
        ],
    );
    assert!(told.join("; ").contains(words), "{told:?}");
}

fn a_detecting_session_cannot_write(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    for snapshot in [false, true] {
        if snapshot {
            desk.block_on(session.begin_snapshot()).unwrap();
        }
        for sql in [
            "DELETE FROM stock",
            "UPDATE stock SET n = 0",
            "INSERT INTO stock VALUES (9, 'x', 1)",
            "CREATE TABLE made (id INTEGER)",
            "SELECT 1; DELETE FROM stock",
        ] {
            let outcome = read(&desk, &mut session, sql);
            assert!(outcome.is_err(), "{sql}: {outcome:?}");
            let outcome = desk.block_on(session.execute(sql));
            assert!(outcome.is_err(), "{sql}: {outcome:?}");
        }
    }
    assert!(desk.block_on(session.begin(LONG)).is_err(), "it begins no transaction that writes");
    drop(session);
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
    assert!(desk.other().try_run("SELECT * FROM made").is_err());
}

fn one_snapshot_holds_for_all_reads(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    if engine == Dialect::Sqlite {
        // In the other mode a reader keeps the writer waiting.
        desk.rows("PRAGMA journal_mode = WAL");
    }
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    desk.block_on(session.begin_snapshot()).unwrap();
    desk.run("UPDATE stock SET n = 100");
    let sum = "SELECT SUM(n) FROM stock";
    assert_eq!(scalar(&desk, &mut session, sum), "6");
    desk.run("DELETE FROM stock");
    assert_eq!(scalar(&desk, &mut session, "SELECT COUNT(*) FROM stock"), "3");
    desk.block_on(session.rollback()).unwrap();
    assert_eq!(scalar(&desk, &mut session, "SELECT COUNT(*) FROM stock"), "0");
}

fn a_query_ends_at_its_time_limit_and_the_session_goes_on(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    desk.block_on(session.begin_snapshot()).unwrap();
    let limit = Duration::from_millis(300);
    let start = Instant::now();
    let outcome = read_some(&desk, &mut session, endless(engine), limit, usize::MAX);
    assert_eq!(outcome, Err(EngineError::TimedOut { limit }));
    assert!(start.elapsed() < LONG / 3, "{:?}", start.elapsed());
    assert_eq!(scalar(&desk, &mut session, "SELECT SUM(n) FROM stock"), "6");
}

fn a_transaction_ends_at_its_time_cap(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    desk.block_on(work.begin(Duration::from_millis(600))).unwrap();
    desk.block_on(work.execute("UPDATE stock SET n = 0")).unwrap();
    let slow = format!("UPDATE stock SET n = (SELECT COUNT(*) FROM ({}) AS x)", endless(engine));
    let start = Instant::now();
    let outcome = desk.block_on(work.execute(&slow));
    assert!(matches!(outcome, Err(EngineError::TimedOut { .. })), "{outcome:?}");
    assert!(start.elapsed() < LONG / 3, "{:?}", start.elapsed());
    desk.block_on(work.rollback()).unwrap();
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
}

fn a_lock_is_waited_for_no_longer_than_allowed(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let mut other = desk.other();
    other.run(of(engine, ["BEGIN IMMEDIATE", "BEGIN", "BEGIN"]));
    other.run("UPDATE stock SET n = 0 WHERE id = 1");
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    let start = Instant::now();
    let outcome = desk.block_on(async {
        work.begin(LONG).await?;
        work.execute("UPDATE stock SET n = 5 WHERE id = 1").await
    });
    assert_eq!(outcome, Err(EngineError::Locked { waited: LOCK_WAIT }));
    assert!(start.elapsed() < LONG / 3, "{:?}", start.elapsed());
    desk.block_on(work.rollback()).unwrap();
}

fn the_server_itself_ends_a_transaction_that_we_forget(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    desk.block_on(work.begin(Duration::from_secs(40))).unwrap();
    let (asked, answer) = of(
        engine,
        [
            ("", ""),
            ("SELECT current_setting('idle_in_transaction_session_timeout')", "70s"),
            ("SELECT @@idle_transaction_timeout", "70"),
        ],
    );
    assert_eq!(scalar(&desk, &mut work, asked), answer);
}

fn stopping_is_confirmed_by_the_server(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let stopper = Stopper::default();
    let mut work = desk.open(Purpose::Work, &stopper);
    desk.block_on(work.begin(LONG)).unwrap();
    desk.block_on(work.execute("UPDATE stock SET n = 0 WHERE id = 1")).unwrap();
    let slow = format!(
        "UPDATE stock SET n = (SELECT COUNT(*) FROM ({}) AS x) WHERE id = 2",
        endless(engine)
    );
    let ours = of(
        engine,
        [
            "",
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE stock SET n = (%' AND state = 'active'",
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE stock SET n = (%'",
        ],
    );
    let (bell, mut other) = (stopper.clone(), desk.other());
    let ringing = thread::spawn(move || {
        if engine == Dialect::Sqlite {
            thread::park_timeout(Duration::from_millis(200));
        } else {
            wait_until("it runs on the server", || other.count(ours) > 0);
        }
        bell.stop();
    });
    let start = Instant::now();
    assert_eq!(desk.block_on(work.execute(&slow)), Err(EngineError::Stopped));
    assert!(start.elapsed() < LONG / 3, "{:?}", start.elapsed());
    ringing.join().unwrap();
    if engine != Dialect::Sqlite {
        wait_until("the server runs it no more", || desk.count(ours) == 0);
    }
    // Nothing new begins, and the way out works.
    let next = desk.block_on(work.execute("UPDATE stock SET n = 1"));
    assert_eq!(next, Err(EngineError::Stopped));
    desk.block_on(work.rollback()).unwrap();
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
}

/// A stop that rings about when a statement ends meets that statement or nothing: never the rollback
/// behind it, never another session.
fn a_late_cancel_hits_nobody(engine: Dialect) {
    let short = of(
        engine,
        [
            "UPDATE stock SET n = (WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 20000) SELECT COUNT(*) FROM r)",
            "UPDATE stock SET n = (SELECT count(*) FROM generate_series(1, 40000))",
            "UPDATE stock SET n = (SELECT COUNT(*) FROM seq_1_to_40000)",
        ],
    );
    let mut desk = Desk::new(engine, STOCK);
    let mut bystander = desk.open(Purpose::Detect, &Stopper::default());
    for round in 0..25 {
        let stopper = Stopper::default();
        let mut work = desk.open(Purpose::Work, &stopper);
        desk.block_on(work.begin(LONG)).unwrap();
        let (ended, ()) = desk.block_on(async {
            let ring = async {
                tokio::time::sleep(Duration::from_micros(round * 400)).await;
                stopper.stop();
            };
            tokio::join!(work.execute(short), ring)
        });
        assert!(matches!(ended, Ok(3) | Err(EngineError::Stopped)), "{ended:?}");
        desk.block_on(work.rollback()).unwrap();
        desk.block_on(work.close());
        assert_eq!(scalar(&desk, &mut bystander, "SELECT SUM(n) FROM stock"), "6");
    }
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
}

fn whoever_has_read_enough_ends_the_query(engine: Dialect) {
    let many = of(
        engine,
        [
            "WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i, 'x' AS x FROM r",
            "WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i, 'x' AS x FROM r",
            "SELECT a.seq, REPEAT('x', 200) AS x FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b",
        ],
    );
    let desk = Desk::new(engine, STOCK);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    desk.block_on(session.begin_snapshot()).unwrap();
    let start = Instant::now();
    let (names, rows) = read_some(&desk, &mut session, many, LONG, 10).unwrap();
    assert_eq!((names.len(), rows.len()), (2, 10));
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    assert_eq!(scalar(&desk, &mut session, "SELECT SUM(n) FROM stock"), "6");
}

fn an_empty_result_has_its_columns(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    let sql = "SELECT n AS much, id FROM stock WHERE id < 0 -- the end";
    let (names, rows) = read(&desk, &mut session, sql).unwrap();
    assert_eq!((names, rows.len()), (vec!["much".to_owned(), "id".into()], 0));
}

fn preparing_finds_what_is_missing_and_runs_nothing(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    let names = desk.block_on(session.prepare("SELECT name, id FROM stock"));
    assert_eq!(names.unwrap(), ["name", "id"]);
    assert!(
        desk.block_on(session.prepare("DELETE FROM stock")).is_ok_and(|names| names.is_empty())
    );
    let error = desk.block_on(session.prepare("SELECT nothing FROM stock")).unwrap_err();
    assert!(
        matches!(&error, EngineError::Database { message } if message.contains("nothing")),
        "{error}"
    );
    let plan = desk.block_on(session.explain("SELECT * FROM stock WHERE id = 1")).unwrap();
    assert!(!plan.is_empty());
    assert_eq!(desk.count("SELECT COUNT(*) FROM stock"), 3);
}

fn tables_are_known_by_columns_and_key(engine: Dialect) {
    let desk = Desk::new(
        engine,
        "CREATE TABLE two (b INTEGER NOT NULL, a INTEGER NOT NULL, PRIMARY KEY (a, b));
         CREATE TABLE uniq (a INTEGER NOT NULL, n INTEGER, UNIQUE (n), UNIQUE (a));
         CREATE TABLE none (a INTEGER, v INTEGER GENERATED ALWAYS AS (a + 1) STORED);
         CREATE VIEW seen AS SELECT a FROM two;",
    );
    let mut session = desk.open(Purpose::Work, &Stopper::default());
    let tables = desk.block_on(session.tables()).unwrap();
    let words: Vec<String> = tables
        .iter()
        .map(|t| format!("{}: {}; {}", t.name, t.key.join(","), t.stored().join(",")))
        .collect();
    assert_eq!(words, ["none: ; a", "two: a,b; b,a", "uniq: a; a,n"]);
    let names = desk.block_on(session.table_names()).unwrap();
    assert!(
        ["two", "seen"].iter().all(|name| names.iter().any(|known| known == name)),
        "{names:?}"
    );
}

fn every_definition_moves_the_mark_of_the_schema(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    let mut marks = vec![desk.block_on(session.schema_mark()).unwrap()];
    let trigger = of(
        engine,
        [
            "CREATE TRIGGER t AFTER INSERT ON stock BEGIN SELECT 1; END",
            "CREATE TRIGGER t AFTER INSERT ON stock FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "CREATE TRIGGER t BEFORE INSERT ON stock FOR EACH ROW SET NEW.n = 1",
        ],
    );
    for sql in [
        "ALTER TABLE stock ADD COLUMN more INTEGER",
        "CREATE UNIQUE INDEX u ON stock (name)",
        "CREATE VIEW v AS SELECT 1 AS one",
        trigger,
    ] {
        desk.run(sql);
        let mark = desk.block_on(session.schema_mark()).unwrap();
        assert_ne!(marks.last(), Some(&mark), "{sql}");
        marks.push(mark);
    }
    desk.run("DELETE FROM stock");
    let mark = desk.block_on(session.schema_mark()).unwrap();
    assert_eq!(marks.last(), Some(&mark), "rows are no definitions");
}
