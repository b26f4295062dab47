//! A pooler between us and the server: looking works through it, writing is refused with the reason,
//! because what we hold could be lent to somebody else.

use std::path::Path;

use steadyhand::config::TargetUrl;
use steadyhand::dialect::Dialect;
use steadyhand::engine::{EngineError, Purpose, Stopper};

use super::common::desk::Desk;
use super::common::pooler::{Lends, Pooler};
use super::common::server::{ADMIN, Setup};
use super::{LONG, STOCK, of, scalar};

contract! {
    one_that_lends_the_same_connection_again_is_recognised on postgres,
        not sqlite: "nothing stands between a program and a file",
        not mariadb: "one that says who it is, is; see the next case";
    one_that_lends_its_connections_in_turn_is_recognised on postgres,
        not sqlite: "nothing stands between a program and a file",
        not mariadb: "one that says who it is, is; see the next case";
    one_with_a_single_connection_is_recognised on postgres,
        not sqlite: "nothing stands between a program and a file",
        not mariadb: "one that says who it is, is; see the next case";
    one_that_says_who_it_is on mariadb,
        not sqlite: "nothing stands between a program and a file",
        not postgres: "a pooler there says what its server says";
    the_server_itself_is_no_pooler on postgres mariadb,
        not sqlite: "nothing stands between a program and a file";
}

fn one_that_lends_the_same_connection_again_is_recognised(engine: Dialect) {
    recognised(engine, 3, Lends::Last);
}

fn one_that_lends_its_connections_in_turn_is_recognised(engine: Dialect) {
    for size in [2, 3, 4] {
        recognised(engine, size, Lends::InTurn);
    }
}

fn one_with_a_single_connection_is_recognised(engine: Dialect) {
    recognised(engine, 1, Lends::Last);
}

fn recognised(engine: Dialect, size: usize, lends: Lends) {
    let mut desk = Desk::new(engine, STOCK);
    let server = desk.server.as_ref().unwrap();
    let pooler = Pooler::before(&server.socket(), ADMIN, "erp", size, lends);
    let url = server.tcp_url(ADMIN, "127.0.0.1", pooler.port, "erp");
    desk.target.url = TargetUrl::parse(&url, Path::new("")).unwrap();
    // Looking works.
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    desk.block_on(session.begin_snapshot()).unwrap();
    assert_eq!(scalar(&desk, &mut session, "SELECT sum(n) FROM stock"), "6");
    desk.block_on(session.rollback()).unwrap();
    // Writing is refused, whoever asks.
    let identity = desk.block_on(session.identity()).unwrap();
    let why = identity.no_writes.expect("a reason");
    assert!(why.starts_with("a pooler lends the server's processes"), "{size} {lends:?}: {why}");
    assert!(identity.badge.parts().iter().all(|(_, part)| part.is_none()), "{:?}", identity.badge);
    desk.block_on(session.close());
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    let begun = desk.block_on(work.begin(LONG));
    assert!(matches!(begun, Err(EngineError::Refused { .. })), "{size} {lends:?}: {begun:?}");
    desk.block_on(work.close());
    let problem =
        desk.try_preview(&desk.job("op", &["UPDATE stock SET n = 0"])).expect_err("refused");
    assert!(problem.sentence.contains("connect to the server itself"), "{problem}");
    // Nothing of ours stays on a connection that goes to others.
    let lent = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'steadyhand%' AND state <> 'idle'";
    assert_eq!(desk.count(lent), 0);
    assert_eq!(desk.count("SELECT sum(n) FROM stock"), 6);
}

fn one_that_says_who_it_is(engine: Dialect) {
    let desk = Desk::on(engine, STOCK, |setup| setup.with("version", "10.11.99-MariaDB-maxscale"));
    let problem =
        desk.try_preview(&desk.job("op", &["UPDATE stock SET n = 0"])).expect_err("refused");
    assert!(problem.sentence.contains("maxscale stands between us and the server"), "{problem}");
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    assert_eq!(scalar(&desk, &mut session, "SELECT SUM(n) FROM stock"), "6");
}

fn the_server_itself_is_no_pooler(engine: Dialect) {
    let desk = Desk::on(engine, STOCK, Setup::tcp);
    let mut target = desk.target.clone();
    let server = desk.server.as_ref().unwrap();
    let by_tcp = server.tcp_url(ADMIN, "127.0.0.1", server.port(), "erp");
    for url in [server.url("erp"), by_tcp] {
        target.url = TargetUrl::parse(&url, Path::new("")).unwrap();
        let mut work = desk.open_on(&target, Purpose::Work, &Stopper::default());
        let identity = desk.block_on(work.identity()).unwrap();
        assert_eq!(identity.no_writes, None, "{}", of(engine, ["", "PostgreSQL", "MariaDB"]));
    }
}
