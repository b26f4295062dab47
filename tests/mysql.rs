//! The engine of MySQL and MariaDB on a server of its own: each trap that the server, the driver or
//! the network has in store, by name.

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::album::Album;
use common::proxy::{Fault, Moment, Proxy, Upstream};
use common::server::{Client, Kind, Server, Setup};
use steadyhand::config::access::{Access, Host, Tls, TlsMode};
use steadyhand::dialect::Dialect;
use steadyhand::engine::{
    EngineError, Image, Purpose, Receipt, RowWrite, Session, Stopper, Table, Touched,
};
use steadyhand::value::Value;
use steadyhand::value::known::After;
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

    fn desk_through(&self, work: &Proxy, observe: &Proxy) -> Desk<'_> {
        let open = |proxy: &Proxy, purpose| {
            let host = Host::Tcp("127.0.0.1".into());
            let access = Access { host, port: proxy.port(), ..self.access("admin") };
            let lock_wait = Duration::from_secs(1);
            let never = Stopper::default();
            let opened = Session::server(&access, purpose, lock_wait, &never);
            self.runtime.block_on(opened).expect("the session opens")
        };
        let mut work = open(work, Purpose::Work);
        let observe = open(observe, Purpose::Detect);
        let tables = self.runtime.block_on(work.tables()).expect("the tables can be listed");
        Desk { lab: self, work, observe, tables }
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

    fn seen(&mut self) -> Seen {
        let mut album = Album::default();
        let written = self.work.written(&mut self.observe, &mut album);
        let (touched, blind) = self.lab.runtime.block_on(written).expect("images can be read");
        let mut images: BTreeMap<String, Vec<Image>> = BTreeMap::new();
        for (table, image) in album.0 {
            images.entry(table).or_default().push(image);
        }
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
    assert_eq!(seen.images["parent"][0].after, After::Changed(vec![(1, int(3))]));
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
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
fn a_row_that_others_commit_between_two_looks_is_not_taken_for_ours() {
    let lab = Lab::with(Setup::new(Kind::Mariadb).tcp(), ITEMS);
    let [work, observe] = [(); 2].map(|()| Proxy::before(Upstream::Tcp(lab.server.port())));
    let mut other = lab.server.client("erp");
    let mut desk = lab.desk_through(&work, &observe);
    desk.begin("op-1");
    // Both rows are noted when the statement is sent, and one is none of it any more when it arrives.
    work.arm(Fault::HoldAt(b"UPDATE item AS i".to_vec(), Moment::Held));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            work.wait();
            other.run("UPDATE item SET qty = 50 WHERE id = 1");
            work.release();
        });
        assert_eq!(desk.run("UPDATE item AS i SET i.qty = 9 WHERE i.qty < 3"), 1);
    });
    let looks = b"`id`, `id`, `name`, `qty` FROM".to_vec();
    work.arm(Fault::HoldAt(looks.clone(), Moment::Answered));
    observe.arm(Fault::HoldAt(looks, Moment::Held));
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            observe.wait();
            // Whoever asks both sides at once has our answer soon.
            let soon = Instant::now() + Duration::from_secs(1);
            while !work.has_happened() && Instant::now() < soon {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            if !work.has_happened() {
                observe.release();
                work.wait();
            }
            other.run("UPDATE item SET qty = 51 WHERE id = 1");
            observe.release();
            work.release();
        });
        desk.seen()
    });
    assert_eq!(seen.of("item"), (0, 1, 0), "{seen:?}");
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    desk.proved();
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
    let edited = vec![int(1), text("edited"), int(1)];
    assert_eq!(seen.images["item"][0].was.before(), Some(&edited));
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
fn without_the_right_to_make_the_ledger_its_text_is_said() {
    let lab = Lab::new(&format!(
        "{ITEMS} CREATE USER clerk@'%'; GRANT SELECT, INSERT, UPDATE, DELETE ON erp.* TO clerk@'%';"
    ));
    let mut work = lab.open_as("clerk", Purpose::Work, &Stopper::default());
    lab.runtime.block_on(work.begin(LONG)).expect("it begins");
    let refused = lab.runtime.block_on(work.write_ledger("op-1", 0, "ada", "print"));
    let words = refused.expect_err("there is no right").to_string();
    assert!(words.contains("CREATE TABLE IF NOT EXISTS steadyhand_ledger"), "{words}");
}

#[test]
fn keys_and_generated_columns_are_known() {
    let lab = Lab::new(
        "CREATE TABLE two (b INT, a INT, PRIMARY KEY (a, b));
         CREATE TABLE uniq (a INT NOT NULL, n INT, UNIQUE (n), UNIQUE (a));
         CREATE TABLE part (a TEXT NOT NULL, b INT NOT NULL, UNIQUE KEY a (a(9)), UNIQUE KEY b (b));
         CREATE TABLE short (a TEXT NOT NULL, UNIQUE KEY a (a(9)));
         CREATE TABLE none (a INT, v INT AS (a + 1) VIRTUAL);
         CREATE TABLE history (a INT PRIMARY KEY) WITH SYSTEM VERSIONING;
         CREATE VIEW seen AS SELECT a FROM two;",
    );
    let desk = lab.desk();
    let names: Vec<&str> = desk.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["history", "none", "part", "short", "two", "uniq"]);
    assert_eq!(desk.table("two").key, ["a", "b"]);
    assert_eq!(desk.table("uniq").key, ["a"]);
    assert_eq!(desk.table("part").key, ["b"], "what an index holds whole comes first");
    assert_eq!(desk.table("short").key, ["a"], "the beginning alone tells its rows apart");
    assert!(desk.table("none").key.is_empty());
    assert_eq!(desk.table("none").stored(), ["a"]);
    assert_eq!(desk.table("history").stored(), ["a"]);
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
