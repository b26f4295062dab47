//! Incidents that several hosts keep in one PostgreSQL: followed live from elsewhere, gone on with by
//! one at a time, while the store comes and goes. A host is a home with a state folder of its own.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common::proxy::{Proxy, Upstream};
use common::server::{self, Kind, Server, Setup};
use common::walk::{CONFIRMATION, RUNBOOK, database, demo, leave, note, to_change};
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
    // Whoever looks there from now on is told.
    let mut first = Cockpit::start_in(first.into_home(), &["watch", INCIDENT], WIDE);
    first.wait_for("WATCHING");
    first.wait_until("told that the records differ", |screen| {
        let words: Vec<&str> = screen.split(|c: char| c.is_whitespace() || c == '│').collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ").contains("this host and the store have different records")
    });
    first.keys("q");
    assert_eq!(first.wait_code(), 0);
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

/// At a change that wants a second person, previewed.
fn previewed(approval: &str) -> (Store, Cockpit) {
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
fn with_a_request() -> (Store, Cockpit) {
    let (store, mut cockpit) = previewed("four-eyes");
    cockpit.keys("a");
    cockpit.wait_for("waiting for a second person");
    leave(&mut cockpit);
    (store, cockpit)
}

/// The files of an incident that a home has.
fn kept_files(home: &Home) -> Vec<PathBuf> {
    let mut files = home.files(&format!("work/state/incidents/{INCIDENT}"));
    files.retain(|file| file.starts_with("evidence") || file.starts_with("requests"));
    files
}

#[test]
fn another_host_has_every_file_of_the_incident_it_goes_on_with() {
    let (store, first) = with_a_request();
    let files = kept_files(first.home());
    assert!(files.iter().any(|file| file.starts_with("requests")), "{files:?}");
    let second = other(&store, &first);
    second.steadyhand(&["verify", INCIDENT]).assert().code(0);
    assert_eq!(kept_files(&second), files);
    // The list of incidents needs no files; whoever goes on with one does, however they get there.
    let third = other(&store, &first);
    third.steadyhand(&["incidents"]).assert().code(0);
    assert_eq!(kept_files(&third), Vec::<PathBuf>::new());
    let mut third = Cockpit::start_in(third, &["resume"], WIDE);
    third.wait_for("taken up again");
    leave(&mut third);
    // It counts for itself as well.
    let there = kept_files(third.home());
    assert!(files.iter().all(|file| there.contains(file)), "{there:?}");
}

#[test]
fn a_file_that_was_not_brought_is_told_from_one_that_went_missing() {
    let (store, first) = with_a_request();
    store.server.client("store").run("DELETE FROM steadyhand.file WHERE path LIKE 'requests/%'");
    let second = other(&store, &first);
    let told = |home: &Home, code: i32| {
        let ran = home.steadyhand(&["verify", INCIDENT]).assert().code(code);
        String::from_utf8_lossy(&ran.get_output().stdout).into_owned()
    };
    let said = told(&second, 3);
    assert!(said.contains("was not brought here") && !said.contains("missing"), "{said}");
    let preview = kept_files(&second).remove(0);
    let folder = journal(&second).with_file_name("");
    fs::remove_file(folder.join(&preview)).expect("it was brought");
    let said = told(&second, 2);
    assert!(said.contains(&format!("{} is missing", preview.display())), "{said}");
}

#[test]
fn an_incident_that_is_damaged_here_hides_no_other() {
    let (store, mut first) = first(Store::new());
    leave(&mut first);
    let second = other(&store, &first);
    second.steadyhand(&["incidents"]).assert().code(0);
    let damaged = fs::read_to_string(journal(&second)).expect("it was brought");
    let damaged = damaged.replacen("milestone", "millstone", 1);
    fs::write(journal(&second), damaged).expect("the home is ours");
    let open = ["open", RUNBOOK, "--target", "erp-demo"];
    let mut first = Cockpit::start_in(first.into_home(), &open, WIDE);
    first.wait_for("INC-0003");
    first.wait_for("milestone: detected");
    leave(&mut first);
    let listed = second.steadyhand(&["incidents"]).assert().code(0);
    let output = listed.get_output();
    let (said, told) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("INC-0003"), "{said}");
    assert!(told.contains(INCIDENT) && told.contains("was altered"), "{told}");
}

#[test]
fn what_was_made_up_stays_where_it_was_made() {
    let mut made = demo(Home::new());
    leave(&mut made);
    let (home, store) = (made.into_home(), Store::new());
    with_store(&home, &store.over_the_wire());
    let store = store.made(&home);
    let mut cockpit = Cockpit::start_in(home, &["resume", "INC-0001"], WIDE);
    cockpit.wait_for("taken up again");
    leave(&mut cockpit);
    assert_eq!((store.count("incident"), store.count("record")), (0, 0));
}

/// Robin's host, with a key of robin's that may review.
fn reviewer(store: &Store, first: &Cockpit) -> Home {
    let home = other(store, first);
    let path = home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    fs::write(path, text + "[approval]\nsigners = \"signers\"\nkey = \"key\"\n").expect("ours");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "robin", "-f", "key"])
        .current_dir(home.work())
        .status();
    assert!(made.expect("ssh-keygen can be run").success());
    let key = fs::read_to_string(home.work().join("key.pub")).expect("it was made");
    home.write("signers", &format!("robin@example.org {key}"));
    home
}

#[test]
fn a_review_on_another_host_is_of_the_one_chain() {
    let (store, mut first) = previewed("break-glass");
    first.keys("!");
    first.wait_for("It is recorded, and somebody will review it");
    first.type_text("nobody answers and stock is blocked");
    first.breathe();
    first.keys("enter");
    first.wait_for("esc leaves it alone");
    first.type_text(&format!("{CONFIRMATION} break glass"));
    first.breathe();
    first.keys("enter");
    first.wait_for("COMMITTED   26 rows");
    let asked = ["approve", "--review", INCIDENT];
    // While casey works on it, by the way that knows of it and by the one that does not.
    let second = Cockpit::start_in(reviewer(&store, &first), &asked, (120, 90));
    second.wait_for("What did your review find?");
    let theirs = fs::read(journal(second.home())).expect("it was brought");
    fs::remove_file(journal(second.home()).with_file_name("elsewhere.json")).expect("it is there");
    let mut second = second;
    second.type_text("right, and rightly alone");
    second.keys("enter");
    assert_ne!(second.wait_code(), 0);
    assert!(second.screen().contains("nothing was recorded"), "{}", second.screen());
    assert_eq!(fs::read(journal(second.home())).expect("a journal"), theirs);
    note(&mut first, "casey is not disturbed");
    leave(&mut first);
    let mut second = Cockpit::start_in(second.into_home(), &asked, (120, 90));
    second.wait_for("What did your review find?");
    second.type_text("right, and rightly alone");
    second.keys("enter");
    second.wait_for("is recorded");
    assert_eq!(second.wait_code(), 0);
    // It is there for everybody, with its signature.
    first.home().steadyhand(&["verify", INCIDENT]).assert().code(0);
    let (here, there) = (fs::read(journal(first.home())), fs::read(journal(second.home())));
    assert_eq!(here.expect("a journal"), there.expect("a journal"));
    assert_eq!(kept_files(first.home()), kept_files(second.home()));
    // Of what was not brought nothing is known, which accuses nobody.
    for gone in ["%.review.sig", "requests/%"] {
        let delete = format!("DELETE FROM steadyhand.file WHERE path LIKE '{gone}'");
        store.server.client("store").run(&delete);
        let third = other(&store, &first);
        let told = third.steadyhand(&["verify", INCIDENT]).assert().code(3);
        let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
        assert!(told.contains("not checked: requests/"), "{told}");
    }
}

/// A member of the group can lay down who asks, and the record says it.
#[test]
fn no_text_of_a_record_brings_a_file_to_the_store() {
    let (store, mut first) = first(Store::new());
    first.home().write("private", "a private key");
    let folder = journal(first.home());
    let folder = folder.parent().expect("it lies in a folder");
    let asked = r#"{"by":{"login":"evidence/../../../../private","host":"x","pid":1},"at":"2026-01-01T00:00:00Z"}"#;
    fs::write(folder.join("take-over.json"), asked).expect("the folder is ours");
    first.wait_for("Answer later");
    first.breathe();
    first.keys("enter");
    first.wait_gone("Answer later");
    leave(&mut first);
    let told = fs::read_to_string(journal(first.home())).expect("a journal");
    assert!(told.contains("\"evidence/../../../../private\""), "{told}");
    let kept = store.server.client("store").rows("SELECT path FROM steadyhand.file");
    assert!(!kept.iter().flatten().any(|path| path.contains("private")), "{kept:?}");
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
