//! One goes on where another left, while the store comes and goes.

use std::fs;
use std::time::Duration;

use steadyhand::incident::entry::Entry;
use steadyhand::incident::journal::Journal;

use crate::common::proxy::{Fault, Moment, Proxy, Upstream};
use crate::common::server::{Kind, Setup};
use crate::common::walk::{
    CONFIRMATION, RUNBOOK, confirm, demo, demo_with, leave, note, preview, to_change,
};
use crate::common::{Cockpit, Home, Signal, WIDE, server};
use crate::ground::{
    INCIDENT, Store, first, first_on, journal, kinds, other, other_by, other_with_a_wire, refuse,
    with_store, writes_nothing,
};

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

/// It is there and answers, but takes nothing: it is asked now and then, and the operator is told. Whoever
/// asks it meanwhile who works there is told the truth.
#[test]
fn a_store_that_refuses_records_leaves_the_lease_where_it_is() {
    let (store, mut first) = first(Store::new());
    let mut server = store.server.client("store");
    refuse(&mut server, "record", "the disk of the store is full");
    note(&mut first, "refused there");
    first.wait_for("the work goes on here, and the incident store takes nothing of it");
    let mut second = Cockpit::start_in(other(&store, &first), &["resume", INCIDENT], WIDE);
    second.wait_for("WATCHING");
    second.wait_for("held by casey on ");
    second.keys("q");
    assert_eq!(second.wait_code(), 0);
    server.run("DROP TRIGGER refuse ON steadyhand.record");
    first.wait_for("the incident store is back");
    leave(&mut first);
    let lines = fs::read_to_string(journal(first.home())).expect("a journal").lines().count();
    assert_eq!(store.count("record"), i64::try_from(lines).expect("a small number"));
}

/// As administrators give it to those who are to watch.
#[test]
fn whoever_may_only_read_the_store_watches_and_does_not_write() {
    let (store, mut first) = first(Store::new());
    leave(&mut first);
    store.server.role("robin", None);
    let mut admin = store.server.client("store");
    admin.run("GRANT USAGE ON SCHEMA steadyhand TO robin");
    admin.run("GRANT SELECT ON ALL TABLES IN SCHEMA steadyhand TO robin");
    let url = store.server.tcp_url("robin", "127.0.0.1", store.server.port(), "store");
    let second = other_by(&url, &first);
    let mut second = Cockpit::start_in(second, &["resume", INCIDENT], WIDE);
    second.wait_for("is not gone on with");
    second.wait_for("permission denied");
    assert_eq!(kinds(second.home()), kinds(first.home()));
    second.keys("esc");
    second.wait_gone("is not gone on with");
    // What nobody else can have is gone on with, and nobody is promised that it will be brought.
    let open = ["open", RUNBOOK, "--target", "erp-demo"];
    let mut second = Cockpit::start_in(second.into_home(), &open, WIDE);
    second.wait_for("the incident store takes nothing of it");
    leave(&mut second);
    let mut second = Cockpit::start_in(second.into_home(), &["resume", "INC-0003"], WIDE);
    second.wait_for("taken up again");
    leave(&mut second);
    let mut first = Cockpit::start_in(first.into_home(), &["resume", INCIDENT], WIDE);
    first.wait_for("taken up again");
    leave(&mut first);
}

#[test]
fn a_database_that_cannot_hold_every_line_becomes_no_store() {
    let store = Store::new();
    store.server.client("postgres").run(
        "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    let home = Home::new();
    let url = store.server.tcp_url(server::ADMIN, "127.0.0.1", store.server.port(), "latin");
    home.write("steadyhand.toml", &format!("state = \"state\"\nstore = \"{url}\"\n"));
    let ran = home.steadyhand(&["store", "init", "--apply"]).assert().code(3);
    let told = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
    assert!(told.contains("is a database in LATIN1") && told.contains("UTF8"), "{told}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'steadyhand'";
    assert_eq!(store.server.client("latin").count(schemas), 0);
}

/// Records that the store does not have yet, as a change in chunks leaves them while it is away.
fn many(home: &Home) {
    let folder = journal(home).with_file_name("");
    let (journal, _) = Journal::open(&folder, "casey").expect("nobody has it");
    for n in 0..1200 {
        let step = format!("one of many steps, {n}");
        journal.append(Entry::StepEntered { step }).expect("there is room");
    }
}

/// Over a way on which each of them alone would take its time.
#[test]
fn nobody_waits_for_what_is_still_to_be_brought_to_the_store() {
    let (store, mut first) = first(Store::new());
    leave(&mut first);
    let home = first.into_home();
    many(&home);
    store.proxy.delay(Duration::from_millis(30));
    let mut first = Cockpit::start_in(home, &["resume", INCIDENT], WIDE);
    first.wait_for("taken up again");
    leave(&mut first);
    let lines = i64::try_from(kinds(first.home()).len()).expect("few");
    assert_eq!(store.count("record"), lines);
    // They come to another host in pages.
    let second = other(&store, &first);
    second.steadyhand(&["incidents"]).assert().code(0);
    let (here, there) = (fs::read(journal(first.home())), fs::read(journal(&second)));
    assert_eq!(here.expect("a journal"), there.expect("a journal"));
}

#[test]
fn a_store_that_takes_its_time_is_said_while_an_incident_opens() {
    let (store, mut first) = first(Store::new());
    leave(&mut first);
    store.proxy.delay(Duration::from_secs(1));
    let mut first = Cockpit::start_in(first.into_home(), &["resume", INCIDENT], WIDE);
    first.wait_for("the incident is being opened");
    first.wait_for("taken up again");
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
    first.wait_for("went on with this incident elsewhere");
    writes_nothing(&mut first);
    let kept = fs::read_to_string(journal(first.home())).expect("a journal");
    assert!(kept.contains("casey does not know"));
    note(&mut second, "robin is not disturbed");
    leave(&mut second);
    leave(&mut first);
    // Whoever looks there from now on is told, and sees what everybody sees.
    let mut first = Cockpit::start_in(first.into_home(), &["watch", INCIDENT], WIDE);
    first.wait_for("WATCHING");
    first.wait_for("robin is not disturbed");
    let said = String::from_utf8_lossy(&first.raw_output()).into_owned();
    assert!(said.contains("this host and the store have different records"), "{said}");
    first.keys("q");
    assert_eq!(first.wait_code(), 0);
    let kept = store.server.client("store").rows("SELECT line FROM steadyhand.apart");
    assert!(kept.iter().flatten().any(|line| line.contains("casey does not know")), "{kept:?}");
    second.into_home().steadyhand(&["verify", INCIDENT]).assert().code(0);
}

/// The screen of one that lost the lease while the store has no room for what only it has.
fn gives_up(first: &mut Cockpit) {
    first.wait_for("went on with this incident elsewhere");
    first.wait_for("could not be laid");
    first.wait_for("the disk of the store is full");
    writes_nothing(first);
}

#[test]
fn who_lost_the_lease_writes_no_more_where_its_own_lines_cannot_be_kept_either() {
    let (store, mut first) = first(Store::new());
    refuse(&mut store.server.client("store"), "apart", "the disk of the store is full");
    store.proxy.refuse(true);
    store.proxy.cut();
    first.wait_for("the work goes on here");
    let mut second = Cockpit::start_in(other(&store, &first), &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    note(&mut second, "robin goes on");
    note(&mut first, "casey does not know");
    store.proxy.refuse(false);
    gives_up(&mut first);
    note(&mut second, "robin is not disturbed");
    leave(&mut second);
    leave(&mut first);
    second.into_home().steadyhand(&["verify", INCIDENT]).assert().code(0);
}

#[test]
fn a_line_that_the_store_refuses_ends_the_work_where_it_cannot_be_kept_either() {
    let (store, mut first) = first(Store::new());
    note(&mut first, "before");
    let mut server = store.server.client("store");
    refuse(&mut server, "apart", "the disk of the store is full");
    server.run("UPDATE steadyhand.incident SET lease = lease + 1");
    note(&mut first, "of a writer whose lease is over");
    gives_up(&mut first);
    leave(&mut first);
    assert_eq!(store.count("apart"), 0);
}

/// The link of the terminal drops while the server has the COMMIT and does not answer.
#[test]
fn whoever_is_cut_off_while_a_server_commits_keeps_the_lease_until_the_store_has_the_outcome() {
    let erp = Setup::new(Kind::Postgres).tcp().start();
    erp.database("erp");
    let wire = Proxy::before(Upstream::Tcp(erp.port()));
    let url = erp.tcp_url(server::ADMIN, "127.0.0.1", wire.port(), "erp");
    let args = ["--engine", "postgres", "--url", &url];
    let (store, mut first) = first_on(demo_with(Home::new(), &args), Store::new());
    to_change(&mut first);
    preview(&mut first);
    // As the protocol frames it, by itself.
    wire.arm(Fault::HoldAt(b"Q\0\0\0\x0bCOMMIT\0".to_vec(), Moment::Held));
    confirm(&mut first, CONFIRMATION);
    wire.wait();
    first.hang_up();
    let second = other(&store, &first);
    let mut second = Cockpit::start_in(second, &["resume", INCIDENT], WIDE);
    second.wait_for("WATCHING");
    second.wait_for("held by casey on ");
    assert!(!kinds(first.home()).contains(&"ended".to_owned()));
    wire.release();
    first.wait_death();
    second.wait_for("nobody works on it");
    let told = kinds(first.home());
    second.wait_until("all of it", |_| kinds(second.home()) == told);
    assert!(told.ends_with(&["ended".to_owned(), "verified".to_owned()]), "{told:?}");
    second.keys("q");
    assert_eq!(second.wait_code(), 0);
}

#[test]
fn who_follows_keeps_the_connections_it_has() {
    let (store, mut first) = first(Store::new());
    let mut second = Cockpit::start_in(other(&store, &first), &["watch", INCIDENT], WIDE);
    second.wait_for("held by casey on ");
    note(&mut first, "seen at the beginning");
    second.wait_for("seen at the beginning");
    let mut server = store.server.client("postgres");
    let mut opened =
        || server.count("SELECT sessions FROM pg_stat_database WHERE datname = 'store'");
    let before = opened();
    for one in ["the first", "the second", "the third", "the fourth"] {
        note(&mut first, one);
        second.wait_for(one);
    }
    assert_eq!(opened(), before, "connections were opened meanwhile");
    second.keys("q");
    assert_eq!(second.wait_code(), 0);
    leave(&mut first);
}

#[test]
fn the_lease_of_a_host_that_died_is_free() {
    let (store, first) = first(Store::new());
    let second = other(&store, &first);
    first.signal(Signal::KILL);
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

/// Who brings what another host wrote finds nothing new, and leaves everything as it is.
#[test]
fn half_a_record_is_put_aside_by_whoever_goes_on_and_told() {
    let (store, mut first) = first(Store::new());
    let second = other(&store, &first);
    second.steadyhand(&["incidents"]).assert().code(0);
    let torn = b"{\"seq\":99,\"pre";
    let whole = fs::read(journal(&second)).expect("a journal");
    fs::write(journal(&second), [&whole[..], torn].concat()).expect("the home is ours");
    let told = second.steadyhand(&["verify", INCIDENT]).assert().code(0);
    let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
    assert!(told.contains("bytes of an unfinished record stand at the end"), "{told}");
    // With a line of the other host behind it, it must go, and is not forgotten.
    note(&mut first, "casey goes on");
    leave(&mut first);
    second.steadyhand(&["incidents"]).assert().code(0);
    assert!(fs::read_to_string(journal(&second)).expect("a text").contains("casey goes on"));
    let mut second = Cockpit::start_in(second, &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    leave(&mut second);
    let all = kinds(second.home());
    assert_eq!(all.iter().filter(|kind| *kind == "torn-tail").count(), 1, "{all:?}");
    second.home().steadyhand(&["verify", INCIDENT]).assert().code(0);
}

#[test]
fn two_who_bring_an_incident_at_once_lay_it_into_one_folder() {
    let (store, mut first) = first(Store::new());
    leave(&mut first);
    let (second, wire) = other_with_a_wire(&store, &first);
    wire.arm(Fault::HoldAt(b"FROM steadyhand.record".to_vec(), Moment::Held));
    std::thread::scope(|both| {
        let slow = both.spawn(|| second.steadyhand(&["incidents"]).assert());
        wire.wait();
        second.steadyhand(&["incidents"]).assert().code(0);
        wire.release();
        slow.join().expect("it ends").code(0);
    });
    let folders = fs::read_dir(second.work().join("state/incidents")).expect("it was made");
    let folders: Vec<_> = folders.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(folders, [INCIDENT]);
    second.steadyhand(&["verify", INCIDENT]).assert().code(0);
}

/// Each look would make a folder more.
#[test]
fn what_the_store_cannot_prove_is_told_and_leaves_no_folder() {
    let (store, mut first) = first(Store::new());
    leave(&mut first);
    let alter = "UPDATE steadyhand.record SET line = replace(line, 'casey', 'robin') WHERE seq = 1";
    assert_eq!(store.server.run("store", alter), 1);
    let second = other(&store, &first);
    for _ in 0..2 {
        let ran = second.steadyhand(&["incidents"]).assert().code(0);
        let said = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
        assert!(said.contains(&format!("{INCIDENT} of ")), "{said}");
        let made = fs::read_dir(second.work().join("state/incidents")).expect("it was made");
        assert_eq!(made.count(), 0);
    }
}

/// The wire is silent, and the server does not see that nobody is there any more.
#[test]
fn a_session_of_ours_that_lingers_in_the_store_is_told() {
    let (store, mut first) = first(Store::new());
    store.proxy.stall();
    first.wait_long_for("still has a former session");
    store.proxy.cut();
    first.wait_for("the incident store is back");
    note(&mut first, "brought again");
    leave(&mut first);
    let lines = i64::try_from(kinds(first.home()).len()).expect("few");
    assert_eq!(store.count("record"), lines);
}

/// Opens an incident on a database of the server that holds the store, too.
fn under_repair(store: Store, target: &str) -> (Store, Cockpit) {
    store.server.database("erp");
    let home = Home::new();
    let config = format!(
        "state = \"state\"\nstore = \"{}\"\n[target.erp]\nurl = \"{target}\"\n\
         environment = \"development\"\n",
        store.url()
    );
    home.write("steadyhand.toml", &config);
    let store = store.made(&home);
    (store, Cockpit::start_in(home, &["open", RUNBOOK, "--target", "erp"], WIDE))
}

const SAME: &str = "the incident store is on this very server: it goes away with it";

#[test]
fn a_store_on_the_server_under_repair_is_said() {
    let store = Store::new();
    let target = store.server.url_as(server::ADMIN, "erp");
    let (_store, mut cockpit) = under_repair(store, &target);
    cockpit.wait_for(SAME);
    leave(&mut cockpit);
}

#[test]
fn a_store_on_the_server_under_repair_is_said_once_that_one_answers() {
    let store = Store::new();
    store.proxy.refuse(true);
    let port = store.proxy.port();
    let target = store.server.tcp_url(server::ADMIN, "127.0.0.1", port, "erp");
    let (store, mut cockpit) = under_repair(store, &target);
    cockpit.wait_for("The incident can be opened without it");
    cockpit.keys("enter");
    cockpit.wait_for("no server has answered yet");
    store.proxy.refuse(false);
    cockpit.keys("V");
    cockpit.wait_for(SAME);
    leave(&mut cockpit);
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

/// As an earlier version left it behind something that keeps sessions.
#[test]
fn a_session_that_outlives_whoever_left_keeps_nobody_from_the_incident() {
    let (store, mut first) = first(Store::new());
    leave(&mut first);
    let mut session = store.server.client("store");
    session.run(
        "SELECT pg_advisory_lock(('x' || substr(id, 1, 16))::bit(64)::bigint) FROM steadyhand.incident",
    );
    let mut second = Cockpit::start_in(other(&store, &first), &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    note(&mut second, "robin goes on");
    drop(session);
    second.wait_until("the store has it", |_| {
        store.count("record") == i64::try_from(kinds(second.home()).len()).expect("few")
    });
    leave(&mut second);
}
