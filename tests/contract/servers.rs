//! The server beside our session: how it is reached, when it is gone, and what presses on it.

use std::thread;

use steadyhand::dialect::Dialect;
use steadyhand::engine::{EngineError, Purpose, Stopper};

use super::common::desk::{Desk, LOCK_WAIT};
use super::{LONG, STOCK, of, read, wait_until};

contract! {
    who_waits_for_whom_is_seen on postgres mariadb,
        not sqlite: "a file does not know who waits for it";
    what_an_earlier_program_left_is_seen_and_ended on postgres mariadb,
        not sqlite: "a lock on a file goes with its process";
    what_cannot_be_opened_says_why_and_never_the_password on sqlite postgres mariadb;
    a_server_that_is_gone_is_told_from_one_that_refuses on postgres mariadb,
        not sqlite: "there is no server that could go";
}

fn who_waits_for_whom_is_seen(engine: Dialect) {
    let desk = Desk::on(engine, STOCK, |setup| match engine {
        Dialect::Mariadb => setup.with("innodb-lock-wait-timeout", "30"),
        _ => setup,
    });
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    desk.block_on(work.begin(LONG)).unwrap();
    desk.block_on(work.execute("UPDATE stock SET n = 5 WHERE id = 1")).unwrap();
    let mark = desk.block_on(work.mark()).unwrap();
    let mut other = desk.other();
    let waiting = thread::spawn(move || other.run("UPDATE stock SET n = 8 WHERE id = 1"));
    let mut monitor = desk.open(Purpose::Detect, &Stopper::default());
    wait_until("the wait is shown", || {
        let waiters = desk.block_on(monitor.waiting_for(&mark)).unwrap();
        waiters.iter().any(|w| w.sql.contains("SET n = 8") && w.who.contains("admin"))
    });
    let pressure = desk.block_on(monitor.pressure()).unwrap();
    assert_eq!(pressure.waits.len(), 1, "{pressure:?}");
    assert!(pressure.waits[0].relation.contains("stock"), "{pressure:?}");
    assert!(pressure.connections >= 3 && pressure.most_connections.is_some(), "{pressure:?}");
    assert!(pressure.words().contains("1 waiting for locks"), "{}", pressure.words());
    desk.block_on(work.rollback()).unwrap();
    waiting.join().expect("it goes on");
}

fn what_an_earlier_program_left_is_seen_and_ended(engine: Dialect) {
    let desk = Desk::on(engine, STOCK, |setup| match engine {
        Dialect::Mariadb => setup
            .with("performance-schema", "ON")
            .with("performance-schema-instrument", "wait/lock/metadata/sql/mdl=ON"),
        _ => setup,
    });
    // As a program leaves it that was killed on this machine: another process, its transaction open.
    let mut left = desk.other();
    let mut dead = std::process::Command::new("true").spawn().unwrap();
    let pid = dead.id();
    dead.wait().unwrap();
    let host: String =
        rustix::system::uname().nodename().to_string_lossy().chars().take(12).collect();
    let name = format!("SET application_name = 'steadyhand {pid}@{host} op'");
    left.run(of(engine, ["", &name, "DO GET_LOCK('steadyhand:op', 0)"]));
    left.run("BEGIN");
    left.run("UPDATE stock SET n = 0");
    let mut monitor = desk.open(Purpose::Work, &Stopper::default());
    let pressure = desk.block_on(monitor.pressure()).unwrap();
    let [orphan] = pressure.orphans.as_slice() else { panic!("{pressure:?}") };
    assert_eq!(orphan.doing, of(engine, ["", "idle in transaction", "nothing"]));
    assert!(pressure.words().contains("1 session of an earlier steadyhand"));
    assert_eq!(desk.block_on(monitor.end_session(&orphan.mark)), Ok(true));
    assert_eq!(desk.block_on(monitor.end_session(&orphan.mark)), Ok(false));
    assert!(left.try_run("SELECT 1").is_err());
    // Never one of somebody else.
    let mut other = desk.other();
    let theirs = of(
        engine,
        [
            "",
            "SELECT pid || '/' || backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()",
            "SELECT CONCAT(CONNECTION_ID(), ' theirs')",
        ],
    );
    let mark = other.rows(theirs)[0][0].clone();
    let ended = desk.block_on(monitor.end_session(&mark));
    assert!(matches!(ended, Err(EngineError::Refused { .. })), "{ended:?}");
    assert_eq!(other.count("SELECT 1"), 1);
}

fn what_cannot_be_opened_says_why_and_never_the_password(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut target = desk.target.clone();
    if engine == Dialect::Sqlite {
        target.url.path = desk.folder().join("nowhere.db");
    } else {
        desk.server.as_ref().unwrap().role("keeper", Some("hunter2"));
        desk.script(of(engine, ["", "", "GRANT ALL ON erp.* TO keeper@'%'"]));
        target = desk.target_as("keeper");
    }
    let open = |target: &steadyhand::config::Target| {
        let stopper = Stopper::default();
        let opened = steadyhand::ops::connect::connect(target, Purpose::Work, LOCK_WAIT, &stopper);
        desk.block_on(opened)
    };
    let without = open(&target).expect_err("it cannot be opened");
    let words = of(engine, ["there is no such file", "no password was found", "Access denied"]);
    assert!(without.sentence.contains(words), "{without}");
    if engine == Dialect::Sqlite {
        return;
    }
    target.password_command = Some(vec!["echo".into(), "wrong-hunter2".into()]);
    let wrong = open(&target).expect_err("it is the wrong one");
    assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
    target.password_command = Some(vec!["echo".into(), "hunter2".into()]);
    let session = open(&target).expect("it opens");
    assert!(!format!("{session:?}").contains("hunter2"));
}

fn a_server_that_is_gone_is_told_from_one_that_refuses(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    let refused = read(&desk, &mut session, "SELECT nothing FROM stock").unwrap_err();
    assert!(matches!(refused, EngineError::Database { .. }), "{refused}");
    desk.server.as_mut().unwrap().stop();
    let gone = read(&desk, &mut session, "SELECT n FROM stock").unwrap_err();
    assert!(matches!(gone, EngineError::Lost { .. }), "{gone}");
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let problem = desk.try_preview(&job).expect_err("it is gone");
    assert!(problem.sentence.contains("cannot open"), "{problem}");
}
