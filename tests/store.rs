//! Incidents that several hosts keep in one PostgreSQL: followed live from elsewhere, gone on with by
//! one at a time, while the store comes and goes. A host is a home with a state folder of its own.

mod common;

use std::fs;
use std::path::PathBuf;

use common::proxy::{Proxy, Upstream};
use common::server::{self, Kind, Server, Setup};
use common::walk::{RUNBOOK, database, demo, leave, note};
use common::{Cockpit, Home, WIDE};
use steadyhand::config::access::{Access, access};
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::engine::{Claimed, Kept, Link, Shelf};

/// The demo leaves the first one behind, which stays where it was made.
const INCIDENT: &str = "INC-0002";

struct Store {
    server: Server,
    proxy: Proxy,
}

impl Store {
    fn new() -> Self {
        let server = Setup::new(Kind::Postgres).tcp().start();
        server.database("store");
        let proxy = Proxy::before(Upstream::Tcp(server.port()));
        Self { server, proxy }
    }

    fn url(&self) -> String {
        self.server.tcp_url(server::ADMIN, "127.0.0.1", self.server.port(), "store")
    }

    fn over_the_wire(&self) -> String {
        self.server.tcp_url(server::ADMIN, "127.0.0.1", self.proxy.port(), "store")
    }

    fn made(self, home: &Home) -> Self {
        let shown = home.steadyhand(&["store", "init"]).assert().code(0);
        let shown = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
        assert!(shown.contains("CREATE TABLE IF NOT EXISTS steadyhand.record"), "{shown}");
        let mut client = self.server.client("store");
        assert_eq!(
            client.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'steadyhand'"),
            0
        );
        home.steadyhand(&["store", "init", "--apply"]).assert().code(0);
        self
    }

    fn count(&self, table: &str) -> i64 {
        self.server.client("store").count(&format!("SELECT count(*) FROM steadyhand.{table}"))
    }
}

fn with_store(home: &Home, url: &str) {
    let path = home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).expect("the demo wrote it");
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("store"))
        .fold(format!("store = \"{url}\"\n"), |all, line| all + line + "\n");
    fs::write(path, text).expect("the home is ours");
}

/// A host with a database, and an incident that was just opened on it.
fn first(store: Store) -> (Store, Cockpit) {
    let mut made = demo(Home::new());
    leave(&mut made);
    let home = made.into_home();
    with_store(&home, &store.over_the_wire());
    let store = store.made(&home);
    let cockpit = Cockpit::start_in(home, &["open", RUNBOOK, "--target", "erp-demo"], WIDE);
    cockpit.wait_for("Take the incident");
    cockpit.wait_for("milestone: detected");
    (store, cockpit)
}

/// Another host that can reach the same database and the store.
fn other(store: &Store, first: &Cockpit) -> Home {
    let home = Home::new().with("USER", "robin");
    let database = database(first.home());
    let text = format!(
        "state = \"state\"\nstore = \"{}\"\n[target.erp-demo]\nurl = \"sqlite://{}\"\n\
         environment = \"development\"\n",
        store.url(),
        database.display()
    );
    home.write("steadyhand.toml", &text);
    home
}

fn journal(home: &Home) -> PathBuf {
    home.work().join("state/incidents").join(INCIDENT).join("journal.jsonl")
}

#[test]
fn another_host_lists_follows_and_goes_on_when_the_first_left() {
    let (store, mut first) = first(Store::new());
    let second = other(&store, &first);
    let listed = second.steadyhand(&["incidents"]).assert().code(0);
    let listed = String::from_utf8_lossy(&listed.get_output().stdout).into_owned();
    assert!(listed.contains(INCIDENT), "{listed}");
    // Whoever wants to go on while somebody works on it watches.
    let mut second = Cockpit::start_in(second, &["resume", INCIDENT], WIDE);
    second.wait_for("WATCHING");
    second.wait_for("held by casey on ");
    note(&mut first, "seen on both hosts");
    second.wait_for("seen on both hosts");
    leave(&mut first);
    second.wait_for("nobody works on it");
    second.keys("t");
    second.wait_for("taken up again");
    note(&mut second, "robin went on elsewhere");
    leave(&mut second);
    let mut first = Cockpit::start_in(first.into_home(), &["resume", INCIDENT], WIDE);
    first.wait_for("robin went on elsewhere");
    leave(&mut first);
    first.home().steadyhand(&["verify", INCIDENT]).assert().code(0);
    let there = second.into_home();
    there.steadyhand(&["verify", INCIDENT]).assert().code(0);
    there.steadyhand(&["handover", INCIDENT]).assert().code(0);
    there.steadyhand(&["postmortem", INCIDENT]).assert().code(0);
    let (here, there) = (fs::read(journal(first.home())), fs::read(journal(&there)));
    assert_eq!(here.expect("a journal"), there.expect("a journal"));
}

#[test]
fn the_work_goes_on_while_the_store_is_away_and_is_brought_there_later() {
    let (store, mut first) = first(Store::new());
    store.proxy.refuse(true);
    store.proxy.cut();
    note(&mut first, "written while the store was away");
    first.wait_for("the work goes on here");
    note(&mut first, "and this");
    store.proxy.refuse(false);
    first.wait_for("the incident store is back");
    note(&mut first, "and this at once");
    leave(&mut first);
    let lines = fs::read_to_string(journal(first.home())).expect("a journal").lines().count();
    assert_eq!(store.count("record"), i64::try_from(lines).expect("a small number"));
    // Away from the beginning, nothing is different.
    store.proxy.refuse(true);
    let mut first = Cockpit::start_in(first.into_home(), &["resume", INCIDENT], WIDE);
    first.wait_for("and this at once");
    first.wait_for("the work goes on here");
    leave(&mut first);
}

#[test]
fn two_hosts_that_wrote_while_apart_are_told_and_nothing_is_lost() {
    let (store, mut first) = first(Store::new());
    note(&mut first, "before they were apart");
    store.proxy.refuse(true);
    store.proxy.cut();
    first.wait_for("the work goes on here");
    let second = other(&store, &first);
    let mut second = Cockpit::start_in(second, &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    note(&mut second, "robin goes on");
    note(&mut first, "casey does not know");
    store.proxy.refuse(false);
    first.wait_for("went on with this incident while the store was away");
    first.keys("enter");
    // Nothing more is done from there.
    let before = fs::read(journal(first.home())).expect("a journal");
    assert!(String::from_utf8_lossy(&before).contains("casey does not know"));
    first.keys("]");
    first.breathe();
    assert_eq!(fs::read(journal(first.home())).expect("a journal"), before);
    note(&mut second, "robin is not disturbed");
    leave(&mut second);
    leave(&mut first);
    let kept = store.server.client("store").rows("SELECT line FROM steadyhand.apart");
    assert!(kept.iter().flatten().any(|line| line.contains("casey does not know")), "{kept:?}");
    second.into_home().steadyhand(&["verify", INCIDENT]).assert().code(0);
}

#[test]
fn the_lease_of_a_host_that_died_is_free() {
    let (store, first) = first(Store::new());
    let second = other(&store, &first);
    first.signal(common::Signal::KILL);
    let mut first = first;
    first.wait_death();
    let mut second = Cockpit::start_in(second, &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    leave(&mut second);
    is_rid_of_us(&store);
}

fn is_rid_of_us(store: &Store) {
    // No session of ours is left behind.
    let mut client = store.server.client("store");
    let sessions = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(client.count(sessions), 0);
}

fn access_of(url: &str) -> Access {
    let url = TargetUrl::parse(url, std::path::Path::new("")).expect("a url");
    let target = Target::new("store", url, Environment::Production);
    access(&target, &|_| None, None).expect("it can be reached")
}

fn link(seq: i64, prev: &str) -> Link {
    Link { seq, prev: prev.into(), hash: format!("hash-{seq}"), line: format!("line {seq}") }
}

#[test]
fn the_server_refuses_a_line_of_a_writer_whose_lease_is_over() {
    let server = server::postgres();
    server.database("store");
    let reach = access_of(&server.url("store"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut first = Shelf::open(&reach).await.expect("a store");
        first.make().await.expect("its tables");
        let kept = Kept {
            id: "00ff00ff00ff00ff00ff".into(),
            name: "INC-0001".into(),
            host: "one".into(),
            runbook: String::new(),
            holder: String::new(),
            held: false,
        };
        let Ok(Claimed::Ours(old)) = first.claim(&kept, "casey").await else {
            unreachable!("nobody has it")
        };
        assert!(first.append(&kept.id, old, &link(1, "")).await.expect("an answer"));
        let mut second = Shelf::open(&reach).await.expect("a store");
        let held = second.claim(&kept, "robin").await.expect("an answer");
        assert_eq!(held, Claimed::Held("casey".into()));
        first.close().await;
        // The server takes a moment to end a session.
        let mut claimed = second.claim(&kept, "robin").await.expect("an answer");
        for _ in 0..500 {
            if let Claimed::Ours(_) = claimed {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            claimed = second.claim(&kept, "robin").await.expect("an answer");
        }
        let Claimed::Ours(new) = claimed else { unreachable!("its session is over") };
        assert_eq!(new, old + 1);
        // A line of the first that was on its way, a gap, and one that follows another line.
        assert!(!second.append(&kept.id, old, &link(2, "hash-1")).await.expect("an answer"));
        assert!(!second.append(&kept.id, new, &link(3, "hash-2")).await.expect("an answer"));
        assert!(!second.append(&kept.id, new, &link(2, "hash-x")).await.expect("an answer"));
        assert!(second.append(&kept.id, new, &link(2, "hash-1")).await.expect("an answer"));
        assert!(!second.append(&kept.id, new, &link(2, "hash-1")).await.expect("an answer"));
        assert_eq!(second.after(&kept.id, 1).await.expect("an answer"), [link(2, "hash-1")]);
    });
}
