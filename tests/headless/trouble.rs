//! Servers in trouble: whatever happens on the way, a run ends within its time, with the right verdict
//! for every check, and says what it could not see.

use std::time::{Duration, Instant};

use super::common::proxy::{Fault, Moment, Proxy, Upstream};
use super::common::server::{Kind, Server, Setup};
use super::{Desk, Ran, run};

const PATIENCE: Duration = Duration::from_secs(25);

/// A server behind a wire, and two checks: one that finds two rows, one that marks its query.
struct Wired {
    server: Server,
    proxy: Proxy,
    desk: Desk,
}

impl Wired {
    fn new() -> Self {
        let server = Setup::new(Kind::Postgres).tcp().start();
        server.database("shop");
        server.run("shop", "CREATE TABLE asset (id INT PRIMARY KEY, owner TEXT); INSERT INTO asset VALUES (1, 'ada'), (2, NULL), (3, NULL); CREATE TABLE secret (id INT)");
        server.role("reader", None);
        server.run("shop", "GRANT SELECT ON asset TO reader");
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

    fn check(&self, more: &[&str]) -> Ran {
        let mut args = vec!["check", "--suite", "sev2", "--format", "json"];
        args.extend(more);
        let start = Instant::now();
        let ran = run(&self.desk.home, &args);
        assert!(start.elapsed() < PATIENCE, "{:?}: {}{}", start.elapsed(), ran.out, ran.err);
        assert!(ran.lines().last().unwrap()["summary"].is_object(), "{}", ran.out);
        ran
    }
}

fn reason(ran: &Ran, check: &str) -> String {
    let lines = ran.lines();
    let line = lines.iter().find(|line| line["check"] == check).unwrap();
    assert_eq!(line["verdict"], "inconclusive", "{}", ran.out);
    line["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_in_good_health_is_seen_through_the_wire() {
    let wired = Wired::new();
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

#[test]
fn a_server_that_refuses_is_inconclusive() {
    let wired = Wired::new();
    wired.proxy.refuse(true);
    let ran = wired.check(&[]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(!reason(&ran, "a-first").is_empty() && !reason(&ran, "b-marked").is_empty());
}

#[test]
fn a_wire_that_is_cut_in_a_query_hides_that_check_and_keeps_what_was_seen() {
    let wired = Wired::new();
    wired.proxy.arm(Fault::CutAt(b"4711".to_vec(), Moment::Sent));
    let ran = wired.check(&[]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert_eq!(ran.lines()[0]["violations"], 2);
    assert!(!reason(&ran, "b-marked").is_empty());
}

#[test]
fn a_server_that_hangs_ends_with_the_budget() {
    let wired = Wired::new();
    wired.proxy.arm(Fault::StallAt(b"4711".to_vec(), Moment::Held));
    let ran = wired.check(&["--budget", "2s"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert_eq!(ran.lines()[0]["violations"], 2);
    assert!(!reason(&ran, "b-marked").is_empty());
}

#[test]
fn a_table_that_is_locked_or_denied_is_inconclusive_and_the_others_are_seen() {
    let wired = Wired::new();
    wired.desk.check("c-denied", "sev2", "SELECT id FROM secret");
    let ran = wired.check(&[]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(reason(&ran, "c-denied").contains("secret"), "{}", ran.out);
    let mut other = wired.server.client("shop");
    other.run("BEGIN");
    other.run("LOCK TABLE asset IN ACCESS EXCLUSIVE MODE");
    let ran = wired.check(&[]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let why = reason(&ran, "a-first");
    assert!(why.contains("lock"), "{why}");
    other.run("ROLLBACK");
}
