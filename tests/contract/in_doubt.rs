//! COMMIT is sent and the wire is cut, at one instant or another: what is said of the outcome is what
//! the database holds, and nothing is applied twice.

use std::path::Path;

use steadyhand::config::TargetUrl;
use steadyhand::dialect::Dialect;
use steadyhand::recovery::Execution;

use super::common::desk::Desk;
use super::common::proxy::{Fault, Moment, Proxy, Upstream};
use super::common::server::{ADMIN, Setup};

contract! {
    a_commit_that_is_cut_off_is_told_as_it_ended on postgres mariadb,
        not sqlite: "there is no wire; `tests/kill.rs` ends the process at every step instead";
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
