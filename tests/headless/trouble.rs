//! Servers in trouble: whatever happens on the way, a run ends within its time, with the right verdict
//! for every check, and says what it could not see.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::common::proxy::{Fault, Moment, Proxy, Upstream};
use super::common::server::{Kind, Server, Setup};
use super::{Desk, Ran, run};

const PATIENCE: Duration = Duration::from_secs(25);
const KINDS: [Kind; 2] = [Kind::Postgres, Kind::Mariadb];

/// A server behind a wire, and two checks: one that finds two rows, one that marks its query.
struct Wired {
    server: Server,
    proxy: Proxy,
    desk: Desk,
}

impl Wired {
    fn new(kind: Kind) -> Self {
        let server = Setup::new(kind).tcp().start();
        server.database("shop");
        for sql in [
            "CREATE TABLE asset (id INT PRIMARY KEY, owner TEXT)",
            "INSERT INTO asset VALUES (1, 'ada'), (2, NULL), (3, NULL)",
            "CREATE TABLE secret (id INT)",
        ] {
            server.run("shop", sql);
        }
        server.role("reader", None);
        server.run("shop", &format!("GRANT SELECT ON {} TO reader", Self::asset(kind)));
        let proxy = Proxy::before(Upstream::Tcp(server.port()));
        let desk = Desk::new();
        desk.check("a-first", "sev2", "SELECT id FROM asset WHERE owner IS NULL ORDER BY id");
        desk.check("b-marked", "sev2", "SELECT id AS id FROM asset WHERE 4711 = id");
        let url = server.tcp_url("reader", "127.0.0.1", proxy.port(), "shop");
        let config = format!(
            "checks = [\"checks\"]\n[target.shop]\nurl = \"{url}\"\nenvironment = \"staging\"\n"
        );
        desk.home.write("steadyhand.toml", &config);
        Self { server, proxy, desk }
    }

    /// As a grant names it.
    fn asset(kind: Kind) -> &'static str {
        match kind {
            Kind::Postgres => "asset",
            Kind::Mariadb => "shop.asset",
        }
    }

    fn check(&self, more: &[&str]) -> Ran {
        check(&self.desk, more)
    }
}

fn check(desk: &Desk, more: &[&str]) -> Ran {
    let mut args = vec!["check", "--suite", "sev2", "--format", "json"];
    args.extend(more);
    let start = Instant::now();
    let ran = run(&desk.home, &args);
    assert!(start.elapsed() < PATIENCE, "{:?}: {}{}", start.elapsed(), ran.out, ran.err);
    assert!(ran.lines().last().unwrap()["summary"].is_object(), "{}", ran.out);
    ran
}

fn reason(ran: &Ran, check: &str) -> String {
    let lines = ran.lines();
    let line = lines.iter().find(|line| line["check"] == check).unwrap();
    assert_eq!(line["verdict"], "inconclusive", "{}", ran.out);
    line["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_in_good_health_is_seen_through_the_wire() {
    for kind in KINDS {
        let wired = Wired::new(kind);
        let ran = wired.check(&[]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        let lines = ran.lines();
        assert_eq!(
            (&lines[0]["violations"], &lines[1]["verdict"]),
            (&2.into(), &"clear".into()),
            "{}",
            ran.out
        );
    }
}

#[test]
fn a_server_that_refuses_is_inconclusive() {
    for kind in KINDS {
        let wired = Wired::new(kind);
        wired.proxy.refuse(true);
        let ran = wired.check(&[]);
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        assert!(!reason(&ran, "a-first").is_empty() && !reason(&ran, "b-marked").is_empty());
    }
}

#[test]
fn a_wire_that_is_cut_in_a_query_hides_that_check_and_keeps_what_was_seen() {
    for kind in KINDS {
        let wired = Wired::new(kind);
        wired.proxy.arm(Fault::CutAt(b"4711".to_vec(), Moment::Sent));
        let ran = wired.check(&[]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert_eq!(ran.lines()[0]["violations"], 2);
        assert!(!reason(&ran, "b-marked").is_empty());
    }
}

#[test]
fn a_server_that_hangs_ends_with_the_budget() {
    for kind in KINDS {
        let wired = Wired::new(kind);
        wired.proxy.arm(Fault::StallAt(b"4711".to_vec(), Moment::Held));
        let ran = wired.check(&["--budget", "2s"]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert_eq!(ran.lines()[0]["violations"], 2);
        assert!(!reason(&ran, "b-marked").is_empty());
    }
}

#[test]
fn a_table_that_is_locked_or_denied_is_inconclusive_and_the_others_are_seen() {
    for kind in KINDS {
        let wired = Wired::new(kind);
        wired.desk.check("c-denied", "sev2", "SELECT id FROM secret");
        let ran = wired.check(&[]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert!(reason(&ran, "c-denied").contains("secret"), "{}", ran.out);
        let mut other = wired.server.client("shop");
        match kind {
            Kind::Postgres => {
                other.run("BEGIN");
                other.run("LOCK TABLE asset IN ACCESS EXCLUSIVE MODE")
            }
            Kind::Mariadb => other.run("LOCK TABLES asset WRITE"),
        };
        let ran = wired.check(&[]);
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        let why = reason(&ran, "a-first");
        assert!(why.contains("lock"), "{why}");
        other.run(if kind == Kind::Postgres { "ROLLBACK" } else { "UNLOCK TABLES" });
    }
}

#[test]
fn a_server_that_takes_the_connection_and_says_nothing_is_inconclusive_in_time() {
    for scheme in ["postgres", "mariadb"] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let desk = Desk::new();
        desk.check("a-first", "sev2", "SELECT id FROM asset");
        let port = silent.local_addr().unwrap().port();
        desk.home.write(
            "steadyhand.toml",
            &format!("checks = [\"checks\"]\n[target.shop]\nurl = \"{scheme}://r@127.0.0.1:{port}/shop\"\nenvironment = \"staging\"\n"),
        );
        let ran = check(&desk, &["--budget", "3s"]);
        assert_eq!(ran.code, 3, "{scheme}: {}{}", ran.out, ran.err);
        assert!(!reason(&ran, "a-first").is_empty());
    }
}

#[test]
fn a_replica_that_is_late_is_not_judged_by() {
    let primary = Setup::new(Kind::Postgres).start();
    primary.database("shop");
    primary.run("shop", "CREATE TABLE asset (id INT, owner TEXT)");
    let replica = primary.standby();
    let mut there = replica.client("shop");
    let desk = Desk::new();
    desk.check("a-first", "sev2", "SELECT id FROM asset WHERE owner IS NULL");
    let config = format!(
        "checks = [\"checks\"]\n[target.shop]\nurl = \"{}\"\ndetect_url = \"{}\"\nenvironment = \"staging\"\nmax_lag = \"500ms\"\n",
        primary.url("shop"),
        replica.url("shop"),
    );
    desk.home.write("steadyhand.toml", &config);
    let until = |what: &str, done: &mut dyn FnMut() -> bool| {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "{what}");
            std::thread::yield_now();
        }
    };
    let ran = check(&desk, &[]);
    assert_eq!(ran.code, 0, "it follows: {}{}", ran.out, ran.err);
    // A replica that has replayed nothing yet cannot say how late it is, and is not judged by either.
    there.run("SELECT pg_wal_replay_pause()");
    primary.run("shop", "INSERT INTO asset VALUES (0, 'ada')");
    until("the replica got the first row", &mut || {
        there.count("SELECT count(*) WHERE pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()")
            == 1
    });
    let ran = check(&desk, &[]);
    let why = reason(&ran, "a-first");
    assert!(ran.code == 3 && why.contains("is not known"), "{why}");
    there.run("SELECT pg_wal_replay_resume()");
    until("the replica replayed it", &mut || there.count("SELECT count(*) FROM asset") == 1);
    there.run("SELECT pg_wal_replay_pause()");
    primary.run("shop", "INSERT INTO asset VALUES (1, NULL)");
    until("the replica got what was written", &mut || {
        there.count(
            "SELECT count(*) WHERE pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()
                AND clock_timestamp() - pg_last_xact_replay_timestamp() > interval '600 ms'",
        ) == 1
    });
    let ran = check(&desk, &[]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let why = reason(&ran, "a-first");
    assert!(why.contains("s behind, and 0.5 s are allowed"), "{why}");
    there.run("SELECT pg_wal_replay_resume()");
    until("the replica caught up", &mut || there.count("SELECT count(*) FROM asset") == 2);
    assert_eq!(check(&desk, &[]).code, 2, "and then it is asked");
}

#[test]
fn a_replica_that_stands_still_is_not_judged_by() {
    let server = Setup::new(Kind::Mariadb).start();
    server.database("shop");
    server.run("shop", "CREATE TABLE asset (id INT)");
    server.run(
        "mysql",
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1, MASTER_USER = 'x'",
    );
    let desk = Desk::new();
    desk.check("a-first", "sev2", "SELECT id FROM asset");
    let config = format!(
        "checks = [\"checks\"]\n[target.shop]\nurl = \"{}\"\nenvironment = \"staging\"\n",
        server.url("shop")
    );
    desk.home.write("steadyhand.toml", &config);
    let ran = check(&desk, &[]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let why = reason(&ran, "a-first");
    assert!(why.contains("replication is stopped there"), "{why}");
}

/// What double quotes mean there is for the server's mode to say, and a check must not guess.
#[test]
fn a_text_for_any_engine_is_not_read_by_a_mode_of_mariadb() {
    let server = Setup::new(Kind::Mariadb).start();
    let url = server.database("shop");
    server
        .run("shop", "CREATE TABLE asset (id INT, owner TEXT); INSERT INTO asset VALUES (1, NULL)");
    let desk = Desk::new();
    desk.check("quoted", "sev2", "SELECT id FROM asset WHERE \"owner\" IS NULL");
    desk.check("joined", "sev2", "SELECT id FROM asset WHERE 'a' || 'b' = 'ab'");
    desk.check("hidden", "sev2", r"SELECT id FROM asset WHERE 'ne\\w' <> 'new'");
    let ran = desk.run(&["--check", "quoted", "--check", "joined", "--check", "hidden"]);
    assert_eq!(ran.code, 2, "SQLite knows one meaning: {}{}", ran.out, ran.err);
    let text = format!(
        "checks = [\"checks\"]\n[target.shop]\nurl = \"{url}\"\nenvironment = \"staging\"\n"
    );
    desk.home.write("steadyhand.toml", &text);
    for id in ["quoted", "joined", "hidden"] {
        let ran = run(&desk.home, &["check", "--target", "shop", "--check", id]);
        assert!(
            ran.code == 3
                && ["depends on a setting of MariaDB", "and on a setting of MariaDB"]
                    .iter()
                    .any(|said| ran.out.contains(said)),
            "{}",
            ran.out
        );
    }
    let ran = run(&desk.home, &["lint", "checks"]);
    assert_eq!(ran.code, 0, "they are good elsewhere: {}{}", ran.out, ran.err);
    let ran = run(&desk.home, &["lint", "checks", "--target", "shop"]);
    assert!(ran.code == 4 && ran.out.contains("3 faults"), "{}{}", ran.out, ran.err);
    desk.check("plain", "sev2", "SELECT id FROM asset WHERE owner IS NULL");
    let repair = "id = \"repair\"\ntitle = \"t\"\nsummary = \"s\"\nowner = \"o\"\nseverity = \"sev2\"\n\
         [[step]]\nid = \"fix\"\nkind = \"change\"\nstage = \"recover\"\ntitle = \"t\"\nwhy = \"w\"\nrisk = \"low\"\ncures = [\"plain\"]\n\
         [[step.statement]]\nnote = \"n\"\nany = \"UPDATE asset SET owner = 'a\\\\temp' WHERE owner IS NULL\"\n\
         [step.limits]\nmax_rows = 5\ntime_cap = \"5s\"\nlock_wait = \"1s\"\n";
    desk.home.write("runbooks/own/repair.toml", repair);
    let ran =
        run(&desk.home, &["rehearse", "repair", "--target", "shop", "--runbooks", "runbooks"]);
    let said = "and on a setting of MariaDB";
    assert!(ran.code != 0 && ran.out.contains(said), "{}{}", ran.out, ran.err);
    // Who writes for it knows what it means there.
    let path = "checks/own/hidden.toml";
    let text = std::fs::read_to_string(desk.home.work().join(path)).unwrap();
    desk.home.write(path, &text.replace("any =", "mariadb ="));
    let ran = run(&desk.home, &["check", "--target", "shop", "--check", "hidden"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// SQLite takes what stands in double quotes for a text where there is no column of that name: then every row
/// is a violation, or none.
#[test]
fn a_column_in_double_quotes_that_is_not_there_is_no_text() {
    let desk = Desk::new();
    desk.check("gone", "sev2", "SELECT id FROM asset WHERE \"state\" = 'new'");
    desk.check("text", "sev2", "SELECT id FROM asset WHERE owner = \"ada\"");
    desk.check(
        "there",
        "sev2",
        "SELECT \"id\" AS \"id\" FROM \"asset\" AS \"a b\" WHERE \"a b\".\"owner\" IS NULL",
    );
    for (id, said) in [("gone", "no such column: state"), ("text", "a text stands in single ones")]
    {
        let ran = desk.run(&["--check", id]);
        assert!(ran.code == 3 && ran.out.contains(said), "{}{}", ran.out, ran.err);
    }
    let ran = desk.run(&["--check", "there"]);
    assert!(ran.code == 2 && ran.out.contains("2 violations"), "{}{}", ran.out, ran.err);
    let ran = run(&desk.home, &["lint", "checks", "--target", "erp.db"]);
    let faults = ["check gone, [sql]", "no such column: state", "check text, [sql]", "2 faults"];
    assert!(ran.code == 4 && faults.iter().all(|said| ran.out.contains(said)), "{}", ran.out);
}
