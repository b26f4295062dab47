//! An incident is opened while its database does not answer: the runbook is walked, what asks the
//! database waits, and the incident is bound to the first server that answers and to no other.

mod common;

use common::book::{book, check, command};
use common::server::{Kind, Server, Setup};
use common::walk::{INCIDENT, confirm, journal, leave, resume, type_confirmation};
use common::{Cockpit, Home, Sqlite, WIDE};

const BOOK: &str = r#"
id = "parcels"
title = "Parcels are bad"
summary = "They are mended."
owner = "nobody"
severity = "sev3"
[[step]]
id = "look"
kind = "check"
stage = "validate"
title = "Look at them"
check = "bad-parcels"
expect = "violated"
[[step]]
id = "mend"
kind = "change"
stage = "recover"
risk = "low"
title = "Mend them"
cures = ["bad-parcels"]
[[step.statement]]
note = "They are good"
any = "UPDATE parcels SET state = 'good' WHERE state = 'bad'"
[step.limits]
max_rows = 10
"#;

const PARCELS: &str = "CREATE TABLE parcels (id INTEGER PRIMARY KEY, state VARCHAR(9) NOT NULL);
    INSERT INTO parcels VALUES (1, 'bad'), (2, 'good'), (3, 'bad')";

const WITHOUT: &str = "The incident can be opened without it";
const OPEN: [&str; 4] = ["open", "parcels", "--target", "erp"];

fn home(url: &str, more: &str) -> Home {
    let home = Home::new();
    let bad = "SELECT id FROM parcels WHERE state = 'bad'";
    home.write("checks/bad-parcels.toml", &check("bad-parcels", bad));
    home.write("books/parcels.toml", BOOK);
    let target = "environment = \"staging\"\n";
    let config = format!(
        "state = \"state\"\nchecks = [\"checks\"]\nrunbooks = [\"books\"]\n\
         [target.erp]\nurl = \"{url}\"\n{target}{more}"
    );
    home.write("steadyhand.toml", &config);
    home
}

/// At the first step, opened without the database.
fn opened_without(home: Home) -> Cockpit {
    let mut cockpit = Cockpit::start_in(home, &OPEN, WIDE);
    cockpit.wait_for(WITHOUT);
    cockpit.keys("enter");
    cockpit.wait_for("? could not check");
    cockpit.wait_for("no server has answered yet");
    cockpit
}

fn said(home: &Home, args: &[&str]) -> String {
    let ran = home.steadyhand(args).assert().code(0);
    String::from_utf8_lossy(&ran.get_output().stdout).into_owned()
}

/// One that has its rows again after it was stopped.
fn server(kind: Kind) -> Server {
    let server = Setup::new(kind).durable().start();
    server.database("erp");
    server.run("erp", PARCELS);
    server
}

fn walked(kind: Kind) {
    let mut server = server(kind);
    let home = home(&server.url("erp"), "");
    server.stop();

    // Nobody is asked for nothing, and nothing is left of an incident that was not wanted.
    let mut cockpit = Cockpit::start_in(home, &OPEN, WIDE);
    cockpit.wait_for(WITHOUT);
    cockpit.keys("esc");
    cockpit.wait_gone(WITHOUT);
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
    assert!(cockpit.home().files("work/state").is_empty(), "nothing was recorded");

    let mut cockpit = opened_without(cockpit.into_home());
    leave(&mut cockpit);
    let home = cockpit.into_home();
    assert!(said(&home, &["handover"]).contains("no server has answered yet"));
    assert!(said(&home, &["postmortem", "1"]).contains("no server has answered yet"));

    // It is as well known, and as unbound, when it is taken up again.
    let mut cockpit = resume(home);
    cockpit.wait_for("? could not check");
    cockpit.wait_for("no server has answered yet");
    server.start();
    cockpit.keys("r");
    cockpit.wait_for("the incident is bound to it");
    cockpit.wait_for("2 violations");
    cockpit.wait_gone("no server has answered yet");
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_for("enter confirm");
    confirm(&mut cockpit, "erp 2");
    cockpit.wait_for("COMMITTED   2 rows");
    leave(&mut cockpit);
    let home = cockpit.into_home();
    let kinds = journal(&home);
    let of = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!((of("unanswered"), of("met")), (1, 1), "{kinds:?}");
    home.steadyhand(&["verify", INCIDENT]).assert().code(0);
    let page = said(&home, &["postmortem", "1"]);
    assert!(page.contains("opened without its database: erp: "), "{page}");
    assert!(page.contains("the database answers; the incident is bound to it: "), "{page}");
    assert!(!page.contains("no server has answered yet"), "{page}");
}

#[test]
fn the_runbook_is_walked_until_postgresql_answers() {
    walked(Kind::Postgres);
}

#[test]
fn the_runbook_is_walked_until_mariadb_answers() {
    walked(Kind::Mariadb);
}

/// Whatever keeps it from answering: a vault that is away, or a file that is no database any more.
#[test]
fn any_reason_will_do_but_that_another_server_answers() {
    let vault = "password_command = [\"false\"]\n";
    let mut cockpit = opened_without(home("postgres://erp@127.0.0.1:1/erp", vault));
    leave(&mut cockpit);

    let other = home("sqlite:erp.db", "fingerprint = \"another\"\n");
    Sqlite::create(&other.work().join("erp.db")).run(PARCELS);
    let mut cockpit = Cockpit::start_in(other, &OPEN, WIDE);
    cockpit.wait_for("erp is another server now");
    cockpit.wait_for("enter goes on");
    assert!(!cockpit.screen().contains(WITHOUT), "{}", cockpit.screen());
    cockpit.keys("enter");
    cockpit.wait_gone("enter goes on");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);

    let damaged = home("sqlite:erp.db", "");
    damaged.write("erp.db", &"no database ".repeat(1_000));
    let mut cockpit = opened_without(damaged);
    leave(&mut cockpit);
}

/// A server that takes a connection and says nothing keeps nobody waiting for longer than they want.
#[test]
fn whoever_waits_for_a_server_that_says_nothing_can_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join(".s.PGSQL.5432");
    let url = format!("postgres://erp@/erp?host={}", folder.path().display());
    let mut cockpit = opened_without(home(&url, ""));
    let mute = std::os::unix::net::UnixListener::bind(place).expect("nobody listens there");
    mute.set_nonblocking(true).expect("a socket");
    cockpit.keys("r");
    let mut line = None;
    cockpit.wait_until("it asks", |_| {
        line = line.take().or_else(|| mute.accept().ok());
        line.is_some()
    });
    cockpit.keys("x");
    cockpit.wait_for("could not check (erp: stopped by the operator)");
    leave(&mut cockpit);
}

/// Nothing is written behind the end of an incident, and no server becomes its own then.
#[test]
fn an_incident_that_was_closed_before_a_server_answered_meets_none() {
    let home = home("sqlite:erp.db", "");
    let file = home.work().join("erp.db");
    let mut cockpit = opened_without(home);
    cockpit.keys("C");
    cockpit.wait_for("Close the incident?");
    cockpit.keys("enter");
    cockpit.wait_for("closed; the postmortem is written");
    Sqlite::create(&file).run(PARCELS);
    cockpit.keys("I r");
    cockpit.wait_for("no server had answered this incident when it was closed");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
    let home = cockpit.into_home();
    assert_eq!(journal(&home).last().map(String::as_str), Some("closed"));
    home.steadyhand(&["verify", INCIDENT]).assert().code(0);
}

/// Whoever was there first is the server of the incident, also after it was taken up again.
#[test]
fn another_server_than_the_one_that_answered_first_is_refused() {
    let home = home("sqlite:erp.db", "");
    let (file, other) = (home.work().join("erp.db"), home.work().join("other.db"));
    let mut cockpit = opened_without(home);
    for path in [&file, &other] {
        Sqlite::create(path).run(PARCELS);
    }
    cockpit.keys("r");
    cockpit.wait_for("2 violations");
    std::fs::rename(&other, &file).expect("the copy can take its place");
    cockpit.keys("r");
    cockpit.wait_for("erp is another server now");
    leave(&mut cockpit);
    let mut cockpit = resume(cockpit.into_home());
    cockpit.wait_for("erp is another server now");
    leave(&mut cockpit);
}

/// A server that is stopped, where it is, and a target that knows it and asks for two people there.
fn known_elsewhere() -> (Server, String, String) {
    let mut server = server(Kind::Postgres);
    let url = server.url("erp");
    let mut before = Cockpit::start_in(home(&url, ""), &OPEN, WIDE);
    before.wait_for("2 violations");
    leave(&mut before);
    let path = before.home().work().join(format!("state/incidents/{INCIDENT}/journal.jsonl"));
    let opened = std::fs::read_to_string(path).expect("it was opened");
    let (_, known) = opened.split_once("\"server\":\"").expect("it says who it is");
    let known = known.split('"').next().expect("a text ends");
    server.stop();
    let pinned = format!(
        "[target.known]\nurl = \"postgres://erp@elsewhere.example/erp\"\n\
         environment = \"staging\"\nfingerprint = \"{known}\"\napproval = \"four-eyes\"\n"
    );
    (server, url, pinned)
}

/// The name and the address know nothing of the server; when it answers, what is asked of it holds.
#[test]
fn the_strictest_that_is_asked_of_the_server_holds_from_when_it_answers() {
    let (mut server, url, pinned) = known_elsewhere();
    let mut cockpit = opened_without(home(&url, &pinned));
    server.start();
    cockpit.keys("r");
    cockpit.wait_for("2 violations");
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_for("a second person must agree");
    leave(&mut cockpit);
}

/// What brings the server back must run while it is away, and alone; what was begun then is refused where two
/// are asked for by the time it is agreed to.
#[test]
fn a_command_runs_while_nothing_answers_and_not_against_what_is_asked_once_it_does() {
    let (mut server, url, pinned) = known_elsewhere();
    let steps = [("bring", "Bring it back"), ("more", "And more")];
    let steps = steps.map(|(id, title)| command(id, title, &["touch", id], false));
    let book = book(&[&steps[0], &steps[1]]).replace("asset-double-assignment", "parcels");
    let home = home(&url, &pinned);
    home.write("books/parcels.toml", &book);
    let mut cockpit = Cockpit::start_in(home, &OPEN, WIDE);
    cockpit.wait_for(WITHOUT);
    cockpit.keys("enter");
    cockpit.wait_for("Bring it back");
    confirm(&mut cockpit, "erp run");
    cockpit.wait_for("the command ended with 0");
    assert!(cockpit.home().work().join("bring").exists());
    cockpit.keys("enter");
    cockpit.wait_for("And more");
    type_confirmation(&mut cockpit, "erp run");
    server.start();
    cockpit.keys("enter");
    // That it asks is said on the step as well, where it answered before the enter.
    cockpit.wait_for("failed: erp asks for a second person");
    assert!(!cockpit.home().work().join("more").exists());
    leave(&mut cockpit);
}
