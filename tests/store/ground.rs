//! Hosts and the store that they share. A host is a home with a state folder of its own.

use std::fs;
use std::path::PathBuf;

use crate::common::proxy::{Proxy, Upstream};
use crate::common::server::{self, Kind, Server, Setup};
use crate::common::walk::{RUNBOOK, database, demo, journal_of, leave, to_change};
use crate::common::{Client, Cockpit, Home, WIDE};

/// The demo leaves the first one behind, which stays where it was made.
pub const INCIDENT: &str = "INC-0002";

pub struct Store {
    pub server: Server,
    pub proxy: Proxy,
}

impl Store {
    pub fn new() -> Self {
        let server = Setup::new(Kind::Postgres).tcp().start();
        server.database("store");
        let proxy = Proxy::before(Upstream::Tcp(server.port()));
        Self { server, proxy }
    }

    pub fn url(&self) -> String {
        self.server.tcp_url(server::ADMIN, "127.0.0.1", self.server.port(), "store")
    }

    pub fn over_the_wire(&self) -> String {
        self.server.tcp_url(server::ADMIN, "127.0.0.1", self.proxy.port(), "store")
    }

    pub fn made(self, home: &Home) -> Self {
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

    pub fn count(&self, table: &str) -> i64 {
        self.server.client("store").count(&format!("SELECT count(*) FROM steadyhand.{table}"))
    }
}

/// The cockpit was told that it has lost the incident: no key writes into its journal any more.
pub fn writes_nothing(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    let before = fs::read(journal(cockpit.home())).expect("a journal");
    cockpit.keys("]");
    cockpit.breathe();
    assert_eq!(fs::read(journal(cockpit.home())).expect("a journal"), before);
}

pub fn with_store(home: &Home, url: &str) {
    let path = home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).expect("the demo wrote it");
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("store"))
        .fold(format!("store = \"{url}\"\n"), |all, line| all + line + "\n");
    fs::write(path, text).expect("the home is ours");
}

/// From now on a table of the store takes no row, until its trigger `refuse` is dropped.
pub fn refuse(server: &mut Client, table: &str, why: &str) {
    server.run(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
         AS 'BEGIN RAISE EXCEPTION ''{why}''; END'"
    ));
    server.run(&format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON steadyhand.{table} \
         FOR EACH ROW EXECUTE FUNCTION refuse()"
    ));
}

/// A host with a database, and an incident that was just opened on it.
pub fn first(store: Store) -> (Store, Cockpit) {
    first_in(Home::new(), store)
}

pub fn first_in(home: Home, store: Store) -> (Store, Cockpit) {
    first_on(demo(home), store)
}

/// The same in the place of this demo.
pub fn first_on(mut made: Cockpit, store: Store) -> (Store, Cockpit) {
    leave(&mut made);
    let home = made.into_home();
    with_store(&home, &store.over_the_wire());
    let store = store.made(&home);
    let cockpit = Cockpit::start_in(home, &["open", RUNBOOK, "--target", "erp-demo"], WIDE);
    cockpit.wait_for("Take the incident");
    cockpit.wait_for("milestone: detected");
    cockpit.wait_until("the store has it", |_| {
        store.count("record") == i64::try_from(kinds(cockpit.home()).len()).expect("few")
    });
    (store, cockpit)
}

/// Another host that can reach the same database and the store.
pub fn other(store: &Store, first: &Cockpit) -> Home {
    other_by(&store.url(), first)
}

/// The same with a wire to the store of its own.
pub fn other_with_a_wire(store: &Store, first: &Cockpit) -> (Home, Proxy) {
    let wire = Proxy::before(Upstream::Tcp(store.server.port()));
    let url = store.server.tcp_url(server::ADMIN, "127.0.0.1", wire.port(), "store");
    (other_by(&url, first), wire)
}

/// The same as somebody with rights of their own in the store.
pub fn other_by(url: &str, first: &Cockpit) -> Home {
    let home = Home::new().with("USER", "robin");
    let database = database(first.home());
    let text = format!(
        "state = \"state\"\nstore = \"{}\"\n[target.erp-demo]\nurl = \"sqlite://{}\"\n\
         environment = \"development\"\n",
        url,
        database.display()
    );
    home.write("steadyhand.toml", &text);
    home
}

pub fn journal(home: &Home) -> PathBuf {
    home.work().join("state/incidents").join(INCIDENT).join("journal.jsonl")
}

/// At a change that wants a second person, previewed.
pub fn previewed(approval: &str) -> (Store, Cockpit) {
    let mut made = demo(Home::new());
    leave(&mut made);
    let (home, store) = (made.into_home(), Store::new());
    with_store(&home, &store.over_the_wire());
    let path = home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).expect("the demo wrote it");
    let wanted = format!("[target.erp-demo]\napproval = \"{approval}\"\n");
    let text = text.replace("[target.erp-demo]\n", &wanted);
    fs::write(&path, text + "\n[approval]\nsigners = \"signers\"\n").expect("the home is ours");
    home.write("signers", "");
    let store = store.made(&home);
    let mut cockpit = Cockpit::start_in(home, &["open", RUNBOOK, "--target", "erp-demo"], WIDE);
    cockpit.wait_for("milestone: detected");
    cockpit.breathe();
    to_change(&mut cockpit);
    cockpit.keys("enter");
    cockpit.wait_for("a second person must agree");
    (store, cockpit)
}

/// With a request of four eyes, which is a file like evidence.
pub fn with_a_request() -> (Store, Cockpit) {
    let (store, mut cockpit) = previewed("four-eyes");
    cockpit.keys("a");
    cockpit.wait_for("waiting for a second person");
    leave(&mut cockpit);
    (store, cockpit)
}

/// Waits until the store was asked twice more who works there: what it says is written anew each time.
pub fn two_passes(watching: &Cockpit) {
    let said = || {
        let path = journal(watching.home()).with_file_name("elsewhere.json");
        fs::metadata(path).and_then(|found| found.modified()).ok()
    };
    for _ in 0..2 {
        let before = said();
        watching.wait_until("the store is asked again", |_| said() != before);
    }
}

/// The kinds of the records that a home has.
pub fn kinds(home: &Home) -> Vec<String> {
    journal_of(home, INCIDENT)
}

/// The files of an incident that a home has.
pub fn kept_files(home: &Home) -> Vec<PathBuf> {
    let mut files = home.files(&format!("work/state/incidents/{INCIDENT}"));
    files.retain(|file| file.starts_with("evidence") || file.starts_with("requests"));
    files
}
