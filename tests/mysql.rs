//! The engine of MySQL and MariaDB on a server of its own: each trap that the server, the driver or
//! the network has in store, by name.

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::server::{Client, Kind, Server, Setup};
use steadyhand::config::access::{Access, Host, Tls, TlsMode};
use steadyhand::dialect::Dialect;
use steadyhand::engine::{
    EngineError, Image, Purpose, Receipt, RowWrite, Session, Settled, Stopper, Table, Touched,
};
use steadyhand::value::{Value, ValueRef};
use tokio::runtime::Runtime;

const LONG: Duration = Duration::from_secs(30);

/// A server, a second pair of hands, and a runtime for what is tested.
struct Lab {
    client: Client,
    runtime: Runtime,
    server: Server,
}

impl Lab {
    fn new(schema: &str) -> Self {
        Self::with(Setup::new(Kind::Mariadb), schema)
    }

    fn with(setup: Setup, schema: &str) -> Self {
        let server = setup.start();
        server.database("erp");
        let mut client = server.client("erp");
        client.run(schema);
        let runtime = Runtime::new().expect("a runtime can be built");
        Self { client, runtime, server }
    }

    fn access(&self, user: &str) -> Access {
        Access {
            dialect: Dialect::Mariadb,
            host: Host::Socket(self.server.socket()),
            port: 3306,
            user: user.into(),
            password: None,
            database: "erp".into(),
            tls: Tls { mode: TlsMode::Disable, ca: None, cert: None, key: None },
            connect_timeout: Duration::from_secs(10),
            options: vec![("time_zone".into(), "UTC".into())],
            origins: Vec::new(),
        }
    }

    fn open(&self, purpose: Purpose, stopper: &Stopper) -> Session {
        self.open_as("admin", purpose, stopper)
    }

    fn open_as(&self, user: &str, purpose: Purpose, stopper: &Stopper) -> Session {
        let lock_wait = Duration::from_secs(1);
        let access = self.access(user);
        let opened = Session::server(&access, purpose, lock_wait, stopper);
        self.runtime.block_on(opened).expect("the session opens")
    }

    fn desk(&self) -> Desk<'_> {
        self.desk_as("admin", &Stopper::default())
    }

    fn desk_as(&self, user: &str, stopper: &Stopper) -> Desk<'_> {
        let mut work = self.open_as(user, Purpose::Work, stopper);
        let observe = self.open_as(user, Purpose::Detect, &Stopper::default());
        let tables = self.runtime.block_on(work.tables()).expect("the tables can be listed");
        Desk { lab: self, work, observe, tables }
    }
}

/// The two sessions of a change.
struct Desk<'l> {
    lab: &'l Lab,
    work: Session,
    observe: Session,
    tables: Vec<Table>,
}

#[derive(Debug)]
struct Seen {
    touched: Vec<Touched>,
    images: BTreeMap<String, Vec<Image>>,
    blind: Vec<String>,
}

impl Seen {
    fn of(&self, table: &str) -> (u64, u64, u64) {
        let found = self.touched.iter().find(|touched| touched.table == table);
        found.map_or((0, 0, 0), |t| (t.inserted, t.updated, t.deleted))
    }
}

impl Desk<'_> {
    fn begin(&mut self, op: &str) {
        let Self { lab, work, observe, tables } = self;
        let begun = work.begin_watched(observe, tables, op, LONG);
        assert_eq!(lab.runtime.block_on(begun), Ok(Vec::new()));
    }

    fn run(&mut self, sql: &str) -> u64 {
        self.try_run(sql).unwrap_or_else(|error| panic!("{error}\n  in: {sql}"))
    }

    fn try_run(&mut self, sql: &str) -> Result<u64, EngineError> {
        self.lab.runtime.block_on(self.work.execute(sql))
    }

    fn objections(&mut self, sql: &str) -> String {
        let statements = [sql.to_owned()];
        let asked = self.work.objections(&statements);
        self.lab.runtime.block_on(asked).expect("objections can be asked").join("; ")
    }

    fn seen(&mut self) -> Seen {
        let mut images: BTreeMap<String, Vec<Image>> = BTreeMap::new();
        let mut keep = |table: &Table, image: Image| {
            images.entry(table.name.clone()).or_default().push(image);
        };
        let written = self.work.written(&mut self.observe, &mut keep);
        let (touched, blind) = self.lab.runtime.block_on(written).expect("images can be read");
        Seen { touched, images, blind }
    }

    fn take_back(&mut self) -> Receipt {
        let back = self.work.take_back(&mut self.observe);
        self.lab.runtime.block_on(back).expect("it is taken back")
    }

    fn proved(&mut self) {
        let receipt = self.take_back();
        assert!(matches!(receipt, Receipt::Proved(_)), "{receipt:?}");
    }

    fn table(&self, name: &str) -> Table {
        self.tables.iter().find(|table| table.name == name).expect("the table is there").clone()
    }
}

fn int(n: i64) -> Value {
    Value::Integer(n)
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

const ITEMS: &str =
    "CREATE TABLE item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20), qty INT);
    INSERT INTO item (name, qty) VALUES ('a', 1), ('b', 2), ('c', 3);";

#[test]
fn a_preview_sees_its_rows_and_leaves_nothing() {
    let mut lab = Lab::new(ITEMS);
    {
        let mut desk = lab.desk();
        desk.begin("op-1");
        assert_eq!(desk.run("UPDATE item SET qty = qty + 1 WHERE id < 3"), 2);
        assert_eq!(desk.run("DELETE FROM item WHERE id = 3"), 1);
        assert_eq!(desk.run("INSERT INTO item (name, qty) VALUES ('d', 4), ('e', 5)"), 2);
        let seen = desk.seen();
        assert_eq!(seen.of("item"), (2, 2, 1));
        assert!(seen.blind.is_empty(), "{:?}", seen.blind);
        let first = &seen.images["item"][0];
        assert_eq!(first.key, [int(1)]);
        assert_eq!(first.before, Some(vec![int(1), text("a"), int(1)]));
        assert_eq!(first.after, Some(vec![int(1), text("a"), int(2)]));
        let left = lab.runtime.block_on(desk.work.leaves_behind()).expect("counters can be read");
        assert_eq!(left, ["the next number of item stays at 6; it was 4"]);
        desk.proved();
    }
    assert_eq!(lab.client.scalar("SELECT SUM(qty) FROM item"), "6");
    assert_eq!(
        lab.client.count(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_name LIKE 'steadyhand%'"
        ),
        0
    );
}

#[test]
fn hidden_writes_of_cascades_and_triggers_are_counted_and_a_cascade_fires_no_trigger() {
    let lab = Lab::new(
        "CREATE TABLE parent (id INT PRIMARY KEY, total INT NOT NULL DEFAULT 0);
         CREATE TABLE child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent)
             REFERENCES parent (id) ON DELETE CASCADE);
         CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20));
         INSERT INTO parent (id) VALUES (1), (2);
         INSERT INTO child VALUES (1, 1), (2, 1), (3, 2);
         CREATE TRIGGER p AFTER DELETE ON parent FOR EACH ROW INSERT INTO audit (what) VALUES ('parent');
         CREATE TRIGGER c AFTER DELETE ON child FOR EACH ROW INSERT INTO audit (what) VALUES ('child');",
    );
    let mut desk = lab.desk();
    desk.begin("op-1");
    assert_eq!(desk.run("DELETE FROM parent WHERE id = 1"), 1);
    let seen = desk.seen();
    assert_eq!(seen.of("parent"), (0, 0, 1));
    assert_eq!(seen.of("child"), (0, 0, 2));
    assert_eq!(seen.of("audit"), (1, 0, 0), "only the parent's trigger fired");
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    desk.proved();
}

#[test]
fn a_row_written_twice_is_one_row_and_nothing_is_unexplained() {
    let lab = Lab::new(
        "CREATE TABLE parent (id INT PRIMARY KEY, total INT NOT NULL DEFAULT 0);
         CREATE TABLE child (id INT PRIMARY KEY, parent INT, n INT);
         INSERT INTO parent (id) VALUES (1);
         INSERT INTO child VALUES (1, 1, 5), (2, 1, 6);
         CREATE TRIGGER c AFTER UPDATE ON child FOR EACH ROW
             UPDATE parent SET total = total + NEW.n - OLD.n WHERE id = NEW.parent;",
    );
    let mut desk = lab.desk();
    desk.begin("op-1");
    desk.run("UPDATE child SET n = n + 1");
    desk.run("UPDATE child SET n = n + 1 WHERE id = 2");
    let seen = desk.seen();
    assert_eq!((seen.of("child"), seen.of("parent")), ((0, 2, 0), (0, 1, 0)));
    assert_eq!(seen.images["parent"][0].after, Some(vec![int(1), int(3)]));
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    desk.proved();
}

#[test]
fn writes_of_a_trigger_that_is_not_shown_to_us_are_unexplained() {
    let lab = Lab::new(
        "CREATE TABLE item (id INT PRIMARY KEY, qty INT);
         CREATE TABLE secret (n INT);
         INSERT INTO item VALUES (1, 1);
         CREATE TRIGGER i AFTER UPDATE ON item FOR EACH ROW INSERT INTO secret VALUES (1);
         CREATE USER clerk@'%';
         GRANT SELECT, INSERT, UPDATE, DELETE ON erp.item TO clerk@'%';
         GRANT PROCESS ON *.* TO clerk@'%';",
    );
    let mut desk = lab.desk_as("clerk", &Stopper::default());
    desk.begin("op-1");
    desk.run("UPDATE item SET qty = 2");
    let seen = desk.seen();
    assert_eq!(seen.of("item"), (0, 1, 0));
    let blind = seen.blind.join("; ");
    assert!(blind.contains("1 writes are unexplained") && blind.contains("TRIGGER"), "{blind}");
    desk.proved();
}

#[test]
fn without_process_the_tables_within_reach_are_compared_and_the_rows_prove_the_rollback() {
    let lab = Lab::new(&format!(
        "{ITEMS} CREATE TABLE log (n INT);
         CREATE TRIGGER i AFTER UPDATE ON item FOR EACH ROW INSERT INTO log VALUES (NEW.qty);
         CREATE USER owner@'%'; GRANT ALL ON erp.* TO owner@'%';"
    ));
    let mut desk = lab.desk_as("owner", &Stopper::default());
    let identity = lab.runtime.block_on(desk.work.identity()).expect("it says who it is");
    assert!(format!("{:?}", identity.badge.undo).contains("PROCESS"), "{identity:?}");
    desk.begin("op-1");
    desk.run("UPDATE item SET qty = 9 WHERE id > 1");
    let seen = desk.seen();
    assert_eq!((seen.of("item"), seen.of("log")), ((0, 2, 0), (2, 0, 0)));
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    assert!(matches!(desk.take_back(), Receipt::CompareRows(_)));
}

#[test]
fn an_update_that_changes_nothing_is_told_from_one_that_does() {
    let lab = Lab::new(ITEMS);
    let mut desk = lab.desk();
    desk.begin("op-1");
    assert_eq!(desk.run("UPDATE item SET qty = 2"), 3, "the driver counts what was matched");
    let seen = desk.seen();
    let same = |image: &&Image| image.before == image.after;
    assert_eq!(seen.images["item"].iter().filter(same).count(), 1);
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    desk.proved();
}

#[test]
fn rows_that_others_commit_meanwhile_are_not_taken_for_ours() {
    let mut lab = Lab::new(&format!(
        "{ITEMS} CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, n INT);
         INSERT INTO log (n) VALUES (1), (2);
         CREATE TRIGGER i AFTER UPDATE ON item FOR EACH ROW UPDATE log SET n = n + 1 WHERE id = 1;"
    ));
    let other = lab.server.client("erp");
    let mut desk = lab.desk();
    desk.begin("op-1");
    desk.run("UPDATE item SET qty = 9 WHERE id < 3");
    let mut other = other;
    other.run("UPDATE log SET n = 7 WHERE id = 2; INSERT INTO log (n) VALUES (8); INSERT INTO item (name, qty) VALUES ('z', 5)");
    let seen = desk.seen();
    assert_eq!((seen.of("item"), seen.of("log")), ((0, 2, 0), (0, 1, 0)));
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    desk.proved();
    drop(desk);
    assert_eq!(lab.client.scalar("SELECT qty FROM item WHERE name = 'z'"), "5");
}

#[test]
fn the_before_image_is_what_the_row_held_when_we_locked_it() {
    let lab = Lab::new(ITEMS);
    let mut other = lab.server.client("erp");
    let mut desk = lab.desk();
    desk.begin("op-1");
    other.run("UPDATE item SET name = 'edited' WHERE id = 1");
    desk.run("UPDATE item SET qty = 9 WHERE id = 1");
    let seen = desk.seen();
    assert_eq!(seen.images["item"][0].before, Some(vec![int(1), text("edited"), int(1)]));
    desk.proved();
}

#[test]
fn a_changed_key_is_one_updated_row() {
    let lab = Lab::new(ITEMS);
    let mut desk = lab.desk();
    desk.begin("op-1");
    desk.run("UPDATE item SET id = id + 10 WHERE id = 1");
    let seen = desk.seen();
    assert_eq!(seen.of("item"), (0, 1, 0));
    assert_eq!(seen.images["item"].len(), 2, "a row that went and a row that came");
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    desk.proved();
}

#[test]
fn joined_and_limited_statements_and_tables_without_a_key_are_seen_too() {
    let lab = Lab::new(&format!(
        "{ITEMS} CREATE TABLE wanted (id INT); INSERT INTO wanted VALUES (1), (1), (2);"
    ));
    let mut desk = lab.desk();
    desk.begin("op-1");
    desk.run("UPDATE item AS i JOIN wanted AS w ON w.id = i.id SET i.qty = 0");
    desk.run("DELETE FROM item ORDER BY id DESC LIMIT 1");
    desk.run("UPDATE wanted SET id = 7 WHERE id = 1");
    let seen = desk.seen();
    assert_eq!(seen.of("item"), (0, 2, 1));
    assert_eq!(seen.of("wanted"), (0, 2, 0));
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    desk.proved();
}

#[test]
fn tables_of_engines_without_rollback_are_refused_before_anything_runs() {
    let lab = Lab::new(
        "CREATE TABLE i (id INT PRIMARY KEY); CREATE TABLE m (id INT) ENGINE = MyISAM;
         CREATE TABLE a (id INT) ENGINE = Aria; CREATE TABLE h (id INT) ENGINE = MEMORY;
         CREATE TRIGGER t AFTER INSERT ON i FOR EACH ROW INSERT INTO a VALUES (NEW.id);",
    );
    let mut desk = lab.desk();
    assert!(desk.objections("UPDATE m SET id = 1").contains("MyISAM"));
    assert!(desk.objections("DELETE FROM a").contains("Aria"));
    assert!(desk.objections("DELETE FROM h").contains("MEMORY"));
    assert!(desk.objections("INSERT INTO i VALUES (1)").contains("by a trigger"));
    assert!(desk.objections("UPDATE mysql.user SET a = 1").contains("outside"));
    assert!(desk.objections("UPDATE i SET id = sys_eval('x')").contains("sys_eval"));
}

#[test]
fn definitions_are_refused_in_a_watched_transaction() {
    let mut lab = Lab::new(ITEMS);
    {
        let mut desk = lab.desk();
        desk.begin("op-1");
        desk.run("UPDATE item SET qty = 0");
        for sql in ["CREATE TABLE x (a INT)", "TRUNCATE item", "COMMIT", "SET autocommit = 1"] {
            let refused = desk.try_run(sql);
            assert!(matches!(refused, Err(EngineError::Refused { .. })), "{sql}: {refused:?}");
        }
        desk.proved();
    }
    assert_eq!(lab.client.scalar("SELECT SUM(qty) FROM item"), "6");
}

#[test]
fn a_value_that_does_not_fit_is_an_error_although_the_server_is_lax() {
    let lab = Lab::with(Setup::new(Kind::Mariadb).with("sql-mode", ""), ITEMS);
    let mut desk = lab.desk();
    desk.begin("op-1");
    let long = "UPDATE item SET name = REPEAT('x', 40)";
    let refused = desk.try_run(long);
    assert!(matches!(refused, Err(EngineError::Rejected { .. })), "{refused:?}");
    desk.proved();
    desk.begin("op-2");
    desk.run("UPDATE IGNORE item SET name = REPEAT('x', 40) WHERE id = 1");
    let heard = desk.work.warnings().join("; ");
    assert!(heard.contains("1265"), "{heard}");
    desk.proved();
}

#[test]
fn after_a_lock_wait_the_whole_is_rolled_back() {
    let mut lab = Lab::new(ITEMS);
    let mut other = lab.server.client("erp");
    other.run("BEGIN; UPDATE item SET qty = 100 WHERE id = 3");
    {
        let mut desk = lab.desk();
        desk.begin("op-1");
        desk.run("UPDATE item SET qty = 50 WHERE id = 1");
        let locked = desk.try_run("UPDATE item SET qty = 50 WHERE id = 3");
        assert!(matches!(locked, Err(EngineError::Locked { .. })), "{locked:?}");
        desk.proved();
    }
    other.run("COMMIT");
    assert_eq!(lab.client.scalar("SELECT GROUP_CONCAT(qty ORDER BY id) FROM item"), "1,2,100");
}

#[test]
fn a_deadlock_is_a_conflict() {
    let lab = Lab::with(
        Setup::new(Kind::Mariadb).with("innodb-lock-wait-timeout", "20"),
        "CREATE TABLE item (id INT PRIMARY KEY, qty INT); INSERT INTO item VALUES (1, 1), (2, 2);
         CREATE TABLE big (id INT PRIMARY KEY, x INT); INSERT INTO big SELECT seq, 1 FROM seq_1_to_1000;",
    );
    // The victim is who has written less.
    let mut other = lab.server.client("erp");
    other.run("BEGIN; UPDATE big SET x = 2; UPDATE item SET qty = 7 WHERE id = 2");
    let mut desk = lab.desk();
    desk.begin("op-1");
    desk.run("UPDATE item SET qty = 5 WHERE id = 1");
    let waiting = thread::spawn(move || other.run("UPDATE item SET qty = 8 WHERE id = 1; COMMIT"));
    let mut admin = lab.server.client("erp");
    wait_until(|| {
        admin.count("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE item SET qty = 8%'") == 1
    });
    let outcome = desk.try_run("UPDATE item SET qty = 6 WHERE id = 2");
    assert!(matches!(outcome, Err(EngineError::Conflict { .. })), "{outcome:?}");
    desk.proved();
    waiting.join().expect("the other goes on");
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "it did not come to that");
        thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_statement_is_stopped_and_a_late_stop_hits_nothing() {
    let lab = Lab::new(ITEMS);
    let stopper = Stopper::default();
    let mut desk = lab.desk_as("admin", &stopper);
    desk.begin("op-1");
    desk.run("UPDATE item SET qty = 0 WHERE id = 1");
    let mut admin = lab.server.client("erp");
    let asked = stopper.clone();
    let stopping = thread::spawn(move || {
        wait_until(|| {
            admin.count(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'",
            ) > 0
        });
        asked.stop();
    });
    let start = Instant::now();
    let stopped = desk.try_run("UPDATE item SET qty = SLEEP(20) WHERE id = 2");
    // The parser refuses SLEEP, so a heavier way to be slow is needed.
    assert!(matches!(stopped, Err(EngineError::Refused { .. })), "{stopped:?}");
    drop(stopping);
    let asked = stopper.clone();
    let mut admin = lab.server.client("erp");
    let stopping = thread::spawn(move || {
        wait_until(|| {
            admin.count("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%seq_1_to_100000 %' AND command = 'Query' AND id <> CONNECTION_ID()") > 0
        });
        asked.stop();
    });
    let slow = "UPDATE item SET qty = (SELECT COUNT(*) FROM seq_1_to_100000 AS a, seq_1_to_100000 AS b) WHERE id = 2";
    let stopped = desk.try_run(slow);
    assert_eq!(stopped, Err(EngineError::Stopped));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    stopping.join().expect("it stopped us");
    // What the stop has to do with is over: the rollback runs, and is proved.
    desk.proved();
    let after = desk.try_run("UPDATE item SET qty = 1");
    assert_eq!(after, Err(EngineError::Stopped), "nothing new begins");
}

#[test]
fn a_reader_that_has_enough_ends_the_query_on_the_server() {
    let lab = Lab::new(ITEMS);
    let mut session = lab.open(Purpose::Detect, &Stopper::default());
    let start = Instant::now();
    let all = "SELECT a.seq, REPEAT('x', 200) FROM seq_1_to_3000000 AS a";
    let (columns, rows) = read(&lab, &mut session, all, LONG, 10).expect("it is read");
    assert_eq!((columns.len(), rows.len()), (2, 10));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(one(&lab, &mut session, "SELECT 7"), int(7), "the session is sound");
}

#[test]
fn time_limits_hold() {
    let lab = Lab::new(ITEMS);
    let mut session = lab.open(Purpose::Detect, &Stopper::default());
    let start = Instant::now();
    let limit = Duration::from_millis(400);
    let outcome = read(&lab, &mut session, "SELECT SLEEP(20)", limit, usize::MAX);
    assert_eq!(outcome, Err(EngineError::TimedOut { limit }));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(one(&lab, &mut session, "SELECT 7"), int(7));
}

fn one(lab: &Lab, session: &mut Session, sql: &str) -> Value {
    row(lab, session, sql).remove(0)
}

fn row(lab: &Lab, session: &mut Session, sql: &str) -> Vec<Value> {
    let found = read(lab, session, sql, LONG, usize::MAX);
    let (_, mut rows) = found.unwrap_or_else(|error| panic!("{error}\n  in: {sql}"));
    rows.remove(0)
}

type Rows = (Vec<String>, Vec<Vec<Value>>);

/// Columns and rows of a query, read until there are as many rows as wanted.
fn read(
    lab: &Lab,
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
    let columns = lab.runtime.block_on(session.read(sql, limit, &mut keep))?;
    Ok((columns, rows))
}

#[test]
fn a_dropped_future_leaves_no_lock_behind_once_the_session_is_gone() {
    let mut lab = Lab::new(ITEMS);
    let mut desk = lab.desk();
    desk.begin("op-1");
    desk.run("UPDATE item SET qty = 0");
    let mark = lab.runtime.block_on(desk.work.mark()).expect("it has a mark");
    // As if the program were gone: nobody rolls back.
    std::mem::forget(desk);
    let mut later = lab.open(Purpose::Work, &Stopper::default());
    let settled = lab.runtime.block_on(later.settle("op-1", Some(&mark)));
    assert!(matches!(settled, Ok(Settled::RolledBack(_))), "{settled:?}");
    assert_eq!(lab.client.run("UPDATE item SET qty = 1"), 3, "nobody holds the rows");
}

#[test]
fn values_come_as_the_server_writes_them() {
    let lab = Lab::new(
        "CREATE TABLE v (id BIGINT UNSIGNED PRIMARY KEY, d DATE, t TIME(3), n DECIMAL(30,10), f FLOAT,
            b BIT(9), bin VARBINARY(4), j JSON, e ENUM('x','Y'), u VARCHAR(9) COLLATE utf8mb4_bin,
            z INT(6) ZEROFILL, y YEAR, g POINT, nothing INT, l VARCHAR(9) CHARACTER SET latin1,
            dbl DOUBLE, uu UUID, flag BOOLEAN);
         SET sql_mode = '';
         INSERT INTO v VALUES (18446744073709551615, '0000-00-00', '-12:00:00.5', 1.5, 0.1, b'100000001',
            x'00ff', '{\"a\": 1}', 'Y', 'ä', 42, 2024, POINT(1, 2), NULL, 'é', 0.1,
            '123e4567-e89b-12d3-a456-426614174000', TRUE);",
    );
    let mut session = lab.open(Purpose::Detect, &Stopper::default());
    let seen = row(&lab, &mut session, "SELECT * FROM v");
    assert_eq!(
        seen[..5],
        [
            text("18446744073709551615"),
            text("0000-00-00"),
            text("-12:00:00.500"),
            text("1.5000000000"),
            Value::Real(0.1),
        ]
    );
    assert_eq!(seen[5], Value::Bytes(vec![1, 1]));
    assert_eq!(seen[6], Value::Bytes(vec![0, 255]));
    assert_eq!(seen[7..10], [text("{\"a\": 1}"), text("Y"), text("ä")]);
    assert_eq!(seen[10..12], [int(42), int(2024)]);
    assert!(matches!(seen[12], Value::Bytes(_)));
    assert_eq!(seen[13..16], [Value::Null, text("é"), Value::Real(0.1)]);
    assert_eq!(seen[16], text("123e4567-e89b-12d3-a456-426614174000"));
    assert_eq!(seen[17], int(1));
    let empty = "SELECT id AS a, 1 AS b FROM v WHERE 0";
    let (columns, _) = read(&lab, &mut session, empty, LONG, 1).expect("it is read");
    assert_eq!(columns, ["a", "b"]);
}

/// Every kind of column, deleted and put back from its image, and updated back under its guard.
#[test]
fn every_kind_of_value_is_put_back_exactly() {
    let mut lab = Lab::new(
        "CREATE TABLE v (id INT AUTO_INCREMENT PRIMARY KEY, d DATETIME, n DECIMAL(30,10), f FLOAT, dbl DOUBLE,
            b BIT(9), bin VARBINARY(4), blo BLOB, j JSON, e ENUM('x','Y'), s SET('p','q'), big BIGINT UNSIGNED,
            u VARCHAR(9), g POINT, l VARCHAR(9) CHARACTER SET latin1, uu UUID, n2 INT, twice INT AS (n2 * 2),
            kept INT AS (n2 * 3) STORED, ts TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP,
            y YEAR, t TIME(6), dt DATE);
         SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
         INSERT INTO v (id, n2, d, n, f, dbl, b, bin, blo, j, e, s, big, u, g, l, uu, y, t, dt) VALUES
            (0, 7, '0000-00-00 00:00:00', 1.5, 0.1234567, 0.1, b'1', x'00ff', x'', '{\"a\": \"\\\\n''\"}', 'Y', 'p,q',
            18446744073709551615, 'a\\'b\\\\c ', POINT(1, 2), 'é', '123e4567-e89b-12d3-a456-426614174000', 2024, '-838:59:59.5', '2024-02-30'),
            (2, 8, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);",
    );
    let whole = "SELECT MD5(GROUP_CONCAT(CONCAT_WS('|', id, d, n, f + 0e0, dbl, HEX(b), HEX(bin), HEX(blo), j, e, s, big, u, \
         HEX(g), HEX(l), uu, twice, kept, ts, y, t, dt) ORDER BY id)) FROM v";
    let before = lab.client.scalar(whole);
    {
        let mut desk = lab.desk();
        let table = desk.table("v");
        desk.begin("op-1");
        desk.run("DELETE FROM v");
        let images = desk.seen().images.remove("v").expect("it has images");
        let columns = table.stored();
        assert!(!columns.contains(&"twice".into()) && !columns.contains(&"kept".into()));
        for image in &images {
            let row = image.before.clone().expect("it was there");
            let key = (table.key.as_slice(), image.key.as_slice());
            let insert = RowWrite { table: &table, key, guard: (&[], &[]), set: (&columns, &row) };
            assert_eq!(lab.runtime.block_on(desk.work.insert_row(insert)), Ok(true));
            // Everything as it is guards a change and its way back.
            let (name, other) = (vec!["u".to_owned()], vec![text("other")]);
            let at = columns.iter().position(|column| column == "u").expect("it is there");
            let there =
                RowWrite { table: &table, key, guard: (&columns, &row), set: (&name, &other) };
            assert_eq!(
                lab.runtime.block_on(desk.work.update_rows(&[there])),
                Ok(vec![true]),
                "{row:?}"
            );
            let was = vec![row[at].clone()];
            let back = RowWrite { table: &table, key, guard: (&name, &other), set: (&name, &was) };
            assert_eq!(lab.runtime.block_on(desk.work.update_rows(&[back])), Ok(vec![true]));
        }
        let left = desk.seen().images.remove("v").unwrap_or_default();
        assert!(left.iter().all(|image| image.before == image.after), "{left:?}");
        lab.runtime.block_on(desk.work.commit()).expect("it is committed");
    }
    assert_eq!(lab.client.scalar(whole), before);
}

#[test]
fn a_guard_sees_an_edit_that_the_collation_hides() {
    let lab = Lab::new(
        "CREATE TABLE c (id VARCHAR(9) PRIMARY KEY, name VARCHAR(9)); INSERT INTO c VALUES ('k', 'Müller');",
    );
    let mut desk = lab.desk();
    let table = desk.table("c");
    desk.begin("op-1");
    let (key, name) = (vec!["id".to_owned()], vec!["name".to_owned()]);
    let mut held = |id: &str, now: &str| {
        let (id, now, then) = (vec![text(id)], vec![text(now)], vec![text("x")]);
        let row =
            RowWrite { table: &table, key: (&key, &id), guard: (&name, &now), set: (&name, &then) };
        lab.runtime.block_on(desk.work.update_rows(&[row])).expect("it runs")
    };
    assert_eq!(held("k", "MULLER"), [false]);
    assert_eq!(held("k", "Müller "), [false]);
    assert_eq!(held("K", "Müller"), [false]);
    assert_eq!(held("k", "Müller"), [true]);
    let keys = [vec![text("K")]];
    let found = desk.work.rows_by_key(&table, &name, &keys);
    assert_eq!(lab.runtime.block_on(found), Ok(Vec::new()), "another spelling is another row");
}

#[test]
fn a_detecting_session_cannot_write_even_outside_of_a_snapshot() {
    let lab = Lab::new(ITEMS);
    let mut session = lab.open(Purpose::Detect, &Stopper::default());
    for snapshot in [false, true] {
        if snapshot {
            lab.runtime.block_on(session.begin_snapshot()).expect("a snapshot");
        }
        let outcome = read(&lab, &mut session, "UPDATE item SET qty = 0", LONG, 1);
        assert!(matches!(outcome, Err(EngineError::ReadOnly { .. })), "{outcome:?}");
    }
}

#[test]
fn the_ledger_is_made_only_for_an_execution_and_decides_what_became_of_it() {
    let mut lab = Lab::new(ITEMS);
    {
        let mut desk = lab.desk();
        desk.begin("op-1");
        desk.run("UPDATE item SET qty = 0");
        let work = &mut desk.work;
        lab.runtime.block_on(work.write_ledger("op-1", "ada", "print")).expect("it is written");
        lab.runtime.block_on(work.commit()).expect("it is committed");
        let mut again = lab.desk();
        let begun = again.work.begin_watched(&mut again.observe, &again.tables, "op-1", LONG);
        let begun = lab.runtime.block_on(begun);
        assert!(matches!(begun, Err(EngineError::Refused { .. })), "one at a time: {begun:?}");
    }
    assert_eq!(lab.client.scalar("SELECT SUM(qty) FROM item"), "0");
    let mut later = lab.open(Purpose::Work, &Stopper::default());
    let settled = lab.runtime.block_on(later.settle("op-1", None));
    assert!(matches!(settled, Ok(Settled::Committed(_))), "{settled:?}");
    let settled = lab.runtime.block_on(later.settle("op-2", None));
    assert!(matches!(settled, Ok(Settled::RolledBack(_))), "{settled:?}");
    lab.runtime.block_on(later.begin(LONG)).expect("it begins");
    let twice = lab.runtime.block_on(later.write_ledger("op-1", "ada", "print"));
    assert!(matches!(twice, Err(EngineError::Rejected { .. })), "{twice:?}");
}

#[test]
fn without_the_right_to_make_the_ledger_its_text_is_said() {
    let lab = Lab::new(&format!(
        "{ITEMS} CREATE USER clerk@'%'; GRANT SELECT, INSERT, UPDATE, DELETE ON erp.* TO clerk@'%';"
    ));
    let mut work = lab.open_as("clerk", Purpose::Work, &Stopper::default());
    lab.runtime.block_on(work.begin(LONG)).expect("it begins");
    let refused = lab.runtime.block_on(work.write_ledger("op-1", "ada", "print"));
    let words = refused.expect_err("there is no right").to_string();
    assert!(words.contains("CREATE TABLE IF NOT EXISTS steadyhand_ledger"), "{words}");
}

#[test]
fn who_waits_for_us_and_what_presses_is_seen() {
    let lab = Lab::with(Setup::new(Kind::Mariadb).with("innodb-lock-wait-timeout", "20"), ITEMS);
    let mut other = lab.server.client("erp");
    let mut desk = lab.desk();
    desk.begin("op-1");
    desk.run("UPDATE item SET qty = 5 WHERE id = 1");
    let mark = lab.runtime.block_on(desk.work.mark()).expect("it has a mark");
    let waiting = thread::spawn(move || other.run("UPDATE item SET qty = 8 WHERE id = 1"));
    let mut monitor = lab.open(Purpose::Detect, &Stopper::default());
    wait_until(|| {
        let waiters = lab.runtime.block_on(monitor.waiting_for(&mark)).expect("it is shown");
        waiters.iter().any(|waiter| waiter.sql.contains("qty = 8") && waiter.who.contains("admin@"))
    });
    let pressure = lab.runtime.block_on(monitor.pressure()).expect("it is shown");
    assert_eq!(pressure.waits.len(), 1);
    assert!(pressure.waits[0].relation.contains("item"), "{pressure:?}");
    assert!(pressure.connections >= 4 && pressure.most_connections.is_some());
    assert!(
        pressure.blind.iter().any(|words| words.contains("performance_schema")),
        "{pressure:?}"
    );
    assert_eq!(lab.runtime.block_on(monitor.lag()), Ok(None));
    desk.proved();
    waiting.join().expect("it goes on");
}

#[test]
fn a_session_left_by_an_earlier_program_is_shown_and_ended() {
    let setup = Setup::new(Kind::Mariadb)
        .with("performance-schema", "ON")
        .with("performance-schema-instrument", "wait/lock/metadata/sql/mdl=ON");
    let lab = Lab::with(setup, ITEMS);
    // Another process: it holds the lock of an operation and a transaction.
    let mut left = lab.server.client("erp");
    left.run("DO GET_LOCK('steadyhand:op-9', 0); BEGIN; UPDATE item SET qty = 0");
    let mut monitor = lab.open(Purpose::Work, &Stopper::default());
    let pressure = lab.runtime.block_on(monitor.pressure()).expect("it is shown");
    let [orphan] = pressure.orphans.as_slice() else { panic!("{pressure:?}") };
    assert!(orphan.mark.ends_with("steadyhand:op-9") && orphan.doing == "nothing", "{orphan:?}");
    assert_eq!(lab.runtime.block_on(monitor.end_session(&orphan.mark)), Ok(true));
    assert_eq!(lab.runtime.block_on(monitor.end_session(&orphan.mark)), Ok(false));
    assert!(left.try_run("SELECT 1").is_err());
}

#[test]
fn the_server_says_who_it_is_and_what_differs_from_the_application() {
    let lab = Lab::with(Setup::new(Kind::Mariadb).with("sql-mode", "ANSI,NO_ZERO_DATE"), ITEMS);
    let mut work = lab.open(Purpose::Work, &Stopper::default());
    let identity = lab.runtime.block_on(work.identity()).expect("it says who it is");
    assert!(identity.server.ends_with("/erp") && identity.version.starts_with("MariaDB 10."));
    assert_eq!((identity.no_writes.clone(), identity.replica), (None, false));
    let mode = identity.settings.iter().find(|setting| setting.name == "sql_mode").expect("shown");
    assert!(
        mode.differs() && !mode.ours.contains("ANSI") && mode.ours.contains("STRICT"),
        "{mode:?}"
    );
    let mut other = lab.open(Purpose::Detect, &Stopper::default());
    let same = lab.runtime.block_on(other.identity()).expect("it says who it is");
    assert_eq!(same.server, identity.server);
}

#[test]
fn a_read_only_server_forbids_writes() {
    let mut lab = Lab::new(ITEMS);
    lab.client.run("SET GLOBAL read_only = 1");
    let mut work = lab.open(Purpose::Work, &Stopper::default());
    let identity = lab.runtime.block_on(work.identity()).expect("it says who it is");
    assert!(identity.no_writes.expect("a reason").contains("read_only"));
}

#[test]
fn a_zone_that_the_server_does_not_know_is_said() {
    let lab = Lab::new(ITEMS);
    let mut access = lab.access("admin");
    access.options = vec![("time_zone".into(), "Europe/Berlin".into())];
    let lock_wait = Duration::from_secs(1);
    let stopper = Stopper::default();
    let opened = Session::server(&access, Purpose::Detect, lock_wait, &stopper);
    let mut session = lab.runtime.block_on(opened).expect("it opens");
    let heard = session.warnings().join("; ");
    assert!(heard.contains("Europe/Berlin"), "{heard}");
}

#[test]
fn keys_and_generated_columns_are_known() {
    let lab = Lab::new(
        "CREATE TABLE two (b INT, a INT, PRIMARY KEY (a, b));
         CREATE TABLE uniq (a INT NOT NULL, n INT, UNIQUE (n), UNIQUE (a));
         CREATE TABLE none (a INT, v INT AS (a + 1) VIRTUAL);
         CREATE TABLE history (a INT PRIMARY KEY) WITH SYSTEM VERSIONING;
         CREATE VIEW seen AS SELECT a FROM two;",
    );
    let desk = lab.desk();
    let names: Vec<&str> = desk.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["history", "none", "two", "uniq"]);
    assert_eq!(desk.table("two").key, ["a", "b"]);
    assert_eq!(desk.table("uniq").key, ["a"]);
    assert!(desk.table("none").key.is_empty());
    assert_eq!(desk.table("none").stored(), ["a"]);
    assert_eq!(desk.table("history").stored(), ["a"]);
}

#[test]
fn every_definition_moves_the_mark() {
    let mut lab = Lab::new(ITEMS);
    let mut session = lab.open(Purpose::Detect, &Stopper::default());
    let mut marks = vec![lab.runtime.block_on(session.schema_mark()).expect("a mark")];
    for sql in [
        "ALTER TABLE item ADD INDEX (qty)",
        "ALTER TABLE item ADD CHECK (qty > 0)",
        "ALTER TABLE item MODIFY name VARCHAR(21)",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW SET NEW.qty = 1",
        "DROP TRIGGER t",
    ] {
        lab.client.run(sql);
        let mark = lab.runtime.block_on(session.schema_mark()).expect("a mark");
        assert_ne!(marks.last(), Some(&mark), "{sql}");
        marks.push(mark);
    }
    lab.client.run("INSERT INTO item (name, qty) VALUES ('z', 9)");
    let mark = lab.runtime.block_on(session.schema_mark()).expect("a mark");
    assert_eq!(marks.last(), Some(&mark), "rows are no definitions");
}

#[test]
fn a_definition_is_tried_on_a_copy_that_nobody_else_sees() {
    let mut lab = Lab::new(ITEMS);
    {
        let mut desk = lab.desk();
        let table = desk.table("item");
        lab.runtime.block_on(desk.work.shadow(&table, LONG)).expect("a copy");
        desk.run("ALTER TABLE item ADD UNIQUE KEY one_name (name), ALGORITHM=INPLACE, LOCK=NONE");
        desk.run("SAVEPOINT probe");
        let refused = desk.try_run("INSERT INTO item (name, qty) VALUES ('a', 9)");
        assert!(refused.expect_err("it is there twice").to_string().contains("one_name"));
        desk.run("ROLLBACK TO SAVEPOINT probe");
        let elsewhere = desk.try_run("ALTER TABLE other ADD COLUMN x INT");
        assert!(matches!(elsewhere, Err(EngineError::Refused { .. })), "{elsewhere:?}");
        lab.runtime.block_on(desk.work.rollback()).expect("the copy goes");
    }
    assert_eq!(
        lab.client.count(
            "SELECT COUNT(*) FROM information_schema.statistics WHERE index_name = 'one_name'"
        ),
        0
    );
    assert_eq!(lab.client.count("SELECT COUNT(*) FROM item"), 3);
}

#[test]
fn a_lost_server_is_told_from_a_refusal() {
    let mut lab = Lab::new(ITEMS);
    let mut access = lab.access("nobody_here");
    let stopper = Stopper::default();
    let wait = Duration::from_secs(1);
    let refused = lab.runtime.block_on(Session::server(&access, Purpose::Detect, wait, &stopper));
    assert!(refused.expect_err("no such account").to_string().contains("check user"));
    access.database = "nowhere".into();
    access.user = "admin".into();
    let refused = lab.runtime.block_on(Session::server(&access, Purpose::Detect, wait, &stopper));
    assert!(matches!(refused, Err(EngineError::Connect { .. })));
    let mut session = lab.open(Purpose::Detect, &stopper);
    lab.server.stop();
    let gone = lab.runtime.block_on(session.table_names());
    assert!(matches!(gone, Err(EngineError::Lost { .. })), "{gone:?}");
}

#[test]
fn a_password_is_shown_nowhere() {
    let lab = Lab::new(
        "CREATE USER keeper@'%' IDENTIFIED BY 'hunter2'; GRANT ALL ON erp.* TO keeper@'%'",
    );
    let mut access = lab.access("keeper");
    access.password = Some("hunter2".to_owned().into());
    let stopper = Stopper::default();
    let opened = Session::server(&access, Purpose::Work, Duration::from_secs(1), &stopper);
    let session = lab.runtime.block_on(opened).expect("it opens");
    assert!(!format!("{session:?} {access:?}").contains("hunter2"));
}

#[test]
fn a_commit_that_is_cut_off_is_found_out() {
    let mut lab = Lab::with(Setup::new(Kind::Mariadb), ITEMS);
    let done = Arc::new(AtomicBool::new(false));
    for (round, end) in ["COMMIT", "ROLLBACK"].iter().enumerate() {
        let op = format!("op-{round}");
        let mut desk = lab.desk();
        desk.begin(&op);
        desk.run("UPDATE item SET qty = qty + 1 WHERE id = 1");
        lab.runtime.block_on(desk.work.write_ledger(&op, "ada", "print")).expect("written");
        let mark = lab.runtime.block_on(desk.work.mark()).expect("a mark");
        if *end == "COMMIT" {
            lab.runtime.block_on(desk.work.commit()).expect("committed");
        }
        std::mem::forget(desk);
        let mut later = lab.open(Purpose::Work, &Stopper::default());
        let settled = lab.runtime.block_on(later.settle(&op, Some(&mark)));
        match settled {
            Ok(Settled::Committed(_)) => assert_eq!(*end, "COMMIT"),
            Ok(Settled::RolledBack(_)) => assert_eq!(*end, "ROLLBACK"),
            other => panic!("{other:?}"),
        }
        done.store(true, Ordering::Release);
    }
    assert_eq!(lab.client.scalar("SELECT qty FROM item WHERE id = 1"), "2");
}
