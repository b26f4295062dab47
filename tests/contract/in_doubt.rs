//! COMMIT is sent and the wire is cut, at one instant or another: what is said of the outcome is what
//! the database holds, and nothing is applied twice.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use steadyhand::config::TargetUrl;
use steadyhand::dialect::Dialect;
use steadyhand::incident::entry::{Entry, Outcome};
use steadyhand::incident::journal;
use steadyhand::ops::mass::Reins;
use steadyhand::ops::resolve::resolve;
use steadyhand::recovery::Execution;

use super::common::desk::Desk;
use super::common::proxy::{Fault, Moment, Proxy, Upstream};
use super::common::server::{ADMIN, Setup};

contract! {
    a_commit_that_is_cut_off_is_told_as_it_ended on postgres mariadb,
        not sqlite: "there is no wire; `tests/kill.rs` ends the process at every step instead";
    a_server_that_took_over_gets_nothing_that_was_seen_on_another on postgres mariadb,
        not sqlite: "a file has no second server";
    a_server_that_took_over_gets_no_chunk on postgres mariadb,
        not sqlite: "a file has no second server";
    connections_that_fall_silent_are_ended_and_proved_by_new_ones on postgres mariadb,
        not sqlite: "there is no wire";
    every_connection_of_a_change_must_lead_to_the_same_server on postgres mariadb,
        not sqlite: "a file has no second server";
    a_ledger_that_cannot_be_seen_proves_nothing on postgres mariadb,
        not sqlite: "a file shows all of itself, and makes its ledger in the change's own transaction";
}

const TIMES: usize = 20;

/// With the answer lost, before a byte of it left, with a part of it on the way, before its answer.
fn instants() -> impl Iterator<Item = Moment> {
    let moments = [
        Moment::Answered,
        Moment::Held,
        Moment::Part(1),
        Moment::Part(3),
        Moment::Part(6),
        Moment::Sent,
    ];
    moments.into_iter().cycle().take(TIMES)
}

fn a_commit_that_is_cut_off_is_told_as_it_ended(dialect: Dialect) {
    let schema = "CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL); \
                  INSERT INTO stock VALUES (1, 0), (2, 0)";
    let mut desk = Desk::on(dialect, schema, Setup::tcp);
    let server = desk.server.as_ref().expect("a server");
    let proxy = Proxy::before(Upstream::Tcp(server.port()));
    let url = server.tcp_url(ADMIN, "127.0.0.1", proxy.port(), "erp");
    desk.target.url = TargetUrl::parse(&url, Path::new("")).expect("a url");
    // As the protocol frames it: READ COMMITTED must not be taken for it.
    let commit: &[u8] = match dialect {
        Dialect::Postgres => b"Q\0\0\0\x0bCOMMIT\0",
        _ => b"\x03COMMIT",
    };
    let mut applied = 0;
    let mut seen = [0, 0];
    for (number, moment) in instants().enumerate() {
        let op = format!("op{number}");
        let job = desk.job(&op, &["UPDATE stock SET n = n + 1 WHERE id = 1"]);
        let preview = desk.preview(&job);
        proxy.arm(Fault::CutAt(commit.to_vec(), moment));
        let execution = desk.execute(&job, preview);
        proxy.wait();
        let now = desk.count("SELECT n FROM stock WHERE id = 1");
        let rows =
            desk.count(&format!("SELECT COUNT(*) FROM steadyhand_ledger WHERE op_id = '{op}'"));
        let said = match &execution {
            Execution::Committed { .. } => 1,
            Execution::RolledBack { .. } | Execution::Halted { .. } => 0,
            Execution::Unknown { why, .. } => panic!("{moment:?}: unknown: {why}"),
        };
        assert_eq!(now - applied, said, "{moment:?}: {execution:?}");
        assert_eq!(rows, said, "{moment:?}: the ledger and the rows are one transaction");
        applied = now;
        seen[usize::try_from(said).expect("none or one")] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "both endings were met: {seen:?}");
}

/// Two servers and a wire that leads to the first: to `PostgreSQL` the second is a physical copy that was
/// promoted, to `MariaDB` a server with a data folder of its own.
fn with_heir(dialect: Dialect, schema: &str) -> (Desk, Desk, Proxy) {
    let mut desk = Desk::on(dialect, schema, Setup::tcp);
    let mut heir = Desk::on(dialect, schema, Setup::tcp);
    if dialect == Dialect::Postgres {
        heir.server.as_mut().expect("a server").take_over();
        heir.look = heir.other();
    }
    let proxy = Proxy::before(upstream(&desk));
    let server = desk.server.as_ref().expect("a server");
    let url = server.tcp_url(ADMIN, "127.0.0.1", proxy.port(), "erp");
    desk.target.url = TargetUrl::parse(&url, Path::new("")).expect("a url");
    (desk, heir, proxy)
}

fn upstream(desk: &Desk) -> Upstream {
    Upstream::Tcp(desk.server.as_ref().expect("a server").port())
}

/// What is said when the second is found instead of the first.
fn another(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "timeline 1 at the preview",
        _ => "another server now",
    }
}

/// An address behind which several servers take turns: what is opened next leads to the other one.
fn every_connection_of_a_change_must_lead_to_the_same_server(dialect: Dialect) {
    let schema = "CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL); \
                  INSERT INTO stock VALUES (1, 0), (2, 0)";
    let (mut desk, mut heir, proxy) = with_heir(dialect, schema);
    let job = desk.job("op", &["UPDATE stock SET n = n + 1 WHERE id = 1"]);
    // What is asked last before the observer comes, and before the watch over the locks; on MariaDB,
    // where a second connection ends statements by their number, also before that one.
    let moments: &[&str] = match dialect {
        Dialect::Postgres => &["pg_walfile_name", "pg_export_snapshot"],
        _ => &["SELECT VERSION()", "'wsrep_on'", "GET_LOCK("],
    };
    for moment in moments {
        proxy.arm(Fault::HoldAt(moment.as_bytes().to_vec(), Moment::Held));
        let seen = std::thread::scope(|scope| {
            scope.spawn(|| {
                proxy.wait();
                proxy.lead_to(upstream(&heir));
                proxy.release();
            });
            desk.try_preview(&job)
        });
        let problem = seen.expect_err(moment);
        assert!(problem.sentence.contains("another server"), "{moment}: {problem}");
        proxy.redirect(upstream(&desk));
    }
    assert_eq!(
        (desk.count("SELECT SUM(n) FROM stock"), heir.count("SELECT SUM(n) FROM stock")),
        (0, 0)
    );
    desk.preview(&job);
}

/// Every connection that is open goes silent before COMMIT is sent; new ones pass.
fn connections_that_fall_silent_are_ended_and_proved_by_new_ones(dialect: Dialect) {
    let schema = "CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL); \
                  INSERT INTO stock VALUES (1, 0), (2, 0)";
    let mut desk = Desk::on(dialect, schema, Setup::tcp);
    let proxy = Proxy::before(upstream(&desk));
    let server = desk.server.as_ref().expect("a server");
    let url = server.tcp_url(ADMIN, "127.0.0.1", proxy.port(), "erp");
    desk.target.url = TargetUrl::parse(&url, Path::new("")).expect("a url");
    let mut job = desk.job("op", &["UPDATE stock SET n = n + 1 WHERE id = 1"]);
    job.plan.limits.time_cap = Duration::from_secs(2);
    // While the observer reads, and when it has.
    let (reading, in_the_way) = match dialect {
        Dialect::Postgres => (
            "FROM steadyhand_before",
            "BEGIN; LOCK TABLE stock IN ACCESS EXCLUSIVE MODE NOWAIT; ROLLBACK",
        ),
        _ => ("FOR UPDATE", "ALTER TABLE stock NOWAIT COMMENT = 'free'"),
    };
    for (number, moment) in [reading, "(op_id, chunk_no, actor"].into_iter().enumerate() {
        job.op = format!("op{number}");
        let preview = desk.preview(&job);
        proxy.arm(Fault::StallAt(moment.as_bytes().to_vec(), Moment::Sent));
        let execution = std::thread::scope(|scope| {
            scope.spawn(|| {
                proxy.wait();
                proxy.stall();
            });
            desk.execute(&job, preview)
        });
        let Execution::RolledBack { why, .. } = &execution else { panic!("{execution:?}") };
        assert!(!why.contains("proof failed"), "{moment}: {why}");
        assert_eq!(desk.count("SELECT n FROM stock WHERE id = 1"), 0);
        // Not even a reader of ours is left in anybody's way.
        desk.other().run(in_the_way);
    }
}

fn mark_of_commit(desk: &Desk) -> Option<String> {
    let (records, _, _) = journal::read(&desk.journal.folder()).expect("a journal");
    records.iter().find_map(|record| match &record.entry {
        Entry::CommitSent { mark, .. } => Some(mark.clone()),
        _ => None,
    })
}

/// A colleague looks with fewer rights, and then somebody moves the ledger away.
fn a_ledger_that_cannot_be_seen_proves_nothing(dialect: Dialect) {
    let schema = "CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL); \
                  INSERT INTO stock VALUES (1, 0), (2, 0)";
    let mut desk = Desk::new(dialect, schema);
    let fresh = desk.block_on(resolve(&desk.target, &desk.identity, "op", 0, None));
    assert!(matches!(fresh, Ok((Outcome::RolledBack, _))), "before there was any: {fresh:?}");
    desk.done(&desk.job("op", &["UPDATE stock SET n = n + 1 WHERE id = 1"]));
    let mark = mark_of_commit(&desk);
    let grants = match dialect {
        Dialect::Postgres => "GRANT SELECT, UPDATE ON stock TO clerk",
        _ => "GRANT SELECT, UPDATE ON erp.stock TO clerk@'%'",
    };
    let clerk = desk.account("clerk", grants);
    let asked = |target| desk.block_on(resolve(target, &desk.identity, "op", 0, mark.as_deref()));
    let unknown = |told| match told {
        Ok((Outcome::Unknown, why)) => why,
        told => panic!("{told:?}"),
    };
    let why = unknown(asked(&clerk));
    assert!(why.contains("ledger"), "{why}");
    assert!(matches!(asked(&desk.target), Ok((Outcome::Committed, _))));
    desk.other().run("ALTER TABLE steadyhand_ledger RENAME TO kept");
    let why = unknown(asked(&desk.target));
    assert!(why.contains("ledger"), "{why}");
    desk.other().run("ALTER TABLE kept RENAME TO steadyhand_ledger");
    assert!(matches!(asked(&desk.target), Ok((Outcome::Committed, _))));
}

fn a_server_that_took_over_gets_nothing_that_was_seen_on_another(dialect: Dialect) {
    let schema = "CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL); \
                  INSERT INTO stock VALUES (1, 0), (2, 0)";
    let (mut desk, mut heir, proxy) = with_heir(dialect, schema);
    let sent = desk.job("sent", &["UPDATE stock SET n = n + 1 WHERE id = 1"]);
    desk.done(&sent);
    let mark = mark_of_commit(&desk);
    let seen = desk.job("seen", &["UPDATE stock SET n = n + 1 WHERE id = 2"]);
    let preview = desk.preview(&seen);
    proxy.redirect(upstream(&heir));

    let Execution::RolledBack { why, drift } = desk.execute(&seen, preview) else {
        panic!("it was executed on a server that was not previewed")
    };
    let differences = drift.map(|drift| drift.differences).unwrap_or_default();
    let why = format!("{why} {}", differences.join(" "));
    assert!(why.contains(another(dialect)), "{why}");
    let asked = resolve(&desk.target, &desk.identity, "sent", 0, mark.as_deref());
    match (dialect, desk.block_on(asked)) {
        (Dialect::Postgres, Ok((Outcome::Unknown, why))) => {
            assert!(why.contains("took over since COMMIT was sent"), "{why}");
        }
        (Dialect::Mariadb, Err(problem)) => {
            assert!(problem.sentence.contains("another server now"), "{problem}");
        }
        (_, told) => panic!("{told:?}"),
    }
    assert_eq!(heir.count("SELECT SUM(n) FROM stock"), 0);
    proxy.redirect(upstream(&desk));
    let asked = resolve(&desk.target, &desk.identity, "sent", 0, mark.as_deref());
    assert!(matches!(desk.block_on(asked), Ok((Outcome::Committed, _))));
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 1);
}

/// After a chunk that others were in the way of, new connections are opened: here they lead elsewhere.
fn a_server_that_took_over_gets_no_chunk(dialect: Dialect) {
    let rows: Vec<String> = (1..=30).map(|id| format!("({id}, 0)")).collect();
    let schema = format!(
        "CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL); INSERT INTO stock VALUES {}",
        rows.join(", ")
    );
    let (mut desk, mut heir, proxy) = with_heir(dialect, &schema);
    let raise = "UPDATE stock SET n = n + 1 WHERE id IN (:chunk)";
    let mut job = desk.mass_job("op", "SELECT id FROM stock ORDER BY id", &[raise], (10, 10));
    job.plan.limits.lock_wait = std::time::Duration::from_millis(200);
    let preview = desk.preview(&job);
    let other = Mutex::new(desk.other());
    let execution = desk.drive(&job, preview, &Reins::default(), &|_| {
        let lock = || {
            let mut other = other.lock().expect("nobody panics with it");
            other.run("BEGIN");
            other.run("UPDATE stock SET n = n WHERE id = 15");
        };
        // Not on a thread of the runtime that waits for the chunk.
        std::thread::scope(|scope| scope.spawn(lock).join().expect("nobody else has that lock"));
        proxy.lead_to(upstream(&heir));
    });
    let Execution::Halted { progress, why, .. } = execution else { panic!("{execution:?}") };
    assert!(why.contains(another(dialect)), "{why}");
    assert_eq!(progress.done, 10);
    drop(other);
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 10);
    assert_eq!(heir.count("SELECT SUM(n) FROM stock"), 0);
}
