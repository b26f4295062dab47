//! What was previewed is what is committed, once, with its evidence; everything else rolls back and
//! says why.

use std::thread;
use std::time::Duration;

use steadyhand::check::Check;
use steadyhand::check::load::parse;
use steadyhand::dialect::Dialect;
use steadyhand::engine::{EngineError, Purpose, Settled, Stopper};
use steadyhand::ops::pressure::{LockBudget, LockWatch};
use steadyhand::recovery::Execution;

use super::common::desk::Desk;
use super::{LONG, STOCK, dump, family, of, wait_until};

contract! {
    what_was_previewed_is_committed_with_undo_intent_and_ledger_row on sqlite postgres mariadb;
    a_check_inside_the_transaction_leaves_nothing_of_its_own on postgres mariadb,
        not sqlite: "it has no stored functions";
    what_a_repair_does_not_cure_cannot_be_approved on sqlite postgres mariadb;
    what_is_no_longer_cured_at_the_execution_rolls_back on sqlite postgres mariadb;
    a_row_edited_since_the_preview_rolls_back_and_is_named on sqlite postgres mariadb;
    a_row_that_came_since_the_preview_is_not_changed_unseen on sqlite postgres mariadb;
    an_edit_of_a_row_that_a_cascade_takes_is_a_difference_too on sqlite postgres mariadb;
    an_operation_is_never_applied_twice on sqlite postgres mariadb;
    two_sessions_cannot_work_on_one_operation on sqlite postgres mariadb;
    a_lock_that_is_held_is_said_and_nothing_is_changed on sqlite postgres mariadb;
    a_deadlock_is_a_conflict_and_everything_is_rolled_back on postgres mariadb,
        not sqlite: "one write lock for the whole file is taken before the first statement";
    an_edit_under_our_snapshot_is_a_conflict_and_is_run_again on postgres,
        not sqlite: "nobody can write between the snapshot and the end",
        not mariadb: "at READ COMMITTED the row is locked and read as it is now; see the before-images";
    a_change_that_is_seen_less_well_than_at_its_preview_is_taken_back on mariadb,
        not sqlite: "there are no rights to lose",
        not postgres: "what cannot be read any more is a difference, and told as one";
    what_the_server_says_to_a_commit_is_told on postgres,
        not sqlite: "a file says nothing besides",
        not mariadb: "a COMMIT says nothing besides";
    whoever_waits_counts_though_what_others_run_is_hidden on postgres,
        not sqlite: "a file does not know who waits for it",
        not mariadb: "without the right PROCESS it shows no waits at all, and that is said";
    a_budget_that_cannot_be_watched_is_said on postgres mariadb,
        not sqlite: "a file does not know who waits for it";
    locks_that_nobody_watched_any_more_are_told_with_the_outcome on postgres mariadb,
        not sqlite: "no second writer waits in sight of the first";
    a_watch_that_is_cut_off_says_so on postgres mariadb,
        not sqlite: "a file does not know who waits for it";
    too_many_who_wait_for_us_roll_it_back on postgres mariadb,
        not sqlite: "nothing says who waits for a file; others wait as long as they chose to";
    a_session_that_could_still_commit_is_ended_before_anything_is_said on sqlite postgres mariadb;
    what_a_dead_program_held_is_let_go on sqlite postgres mariadb;
}

fn committed(execution: &Execution) {
    assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
}

fn differences(execution: Execution) -> Vec<String> {
    let Execution::RolledBack { why, drift: Some(drift) } = execution else {
        panic!("{execution:?}");
    };
    assert_eq!(why, "the data changed since the preview");
    drift.differences
}

fn what_was_previewed_is_committed_with_undo_intent_and_ledger_row(engine: Dialect) {
    let mut desk = Desk::new(engine, &family(engine));
    let job = desk.job("op", &["DELETE FROM parent WHERE id = 1"]);
    let preview = desk.preview(&job);
    let execution = desk.execute(&job, preview.clone());
    let Execution::Committed { rows, writes, .. } = &execution else { panic!("{execution:?}") };
    assert_eq!((*rows, writes), (preview.rows(), &preview.writes));
    assert_eq!(
        dump(&mut desk, &["parent", "child"]),
        ["parent 2|two", "parent 3|NULL", "child 3|2|9"]
    );
    let ledger = desk.rows("SELECT op_id, chunk_no, actor, fingerprint FROM steadyhand_ledger");
    assert_eq!(ledger, [["op", "0", "ada", preview.fingerprint.as_str()]]);
    // First the undo, then the intent, then the outcome.
    let journal = std::fs::read_to_string(desk.journal.folder().join("journal.jsonl")).unwrap();
    let places: Vec<usize> = ["undo-written", "commit-sent", "\"committed\""]
        .iter()
        .map(|word| journal.find(word).unwrap_or_else(|| panic!("{word} in {journal}")))
        .collect();
    assert!(places.is_sorted(), "{journal}");
    assert!(desk.journal.folder().join("evidence/undo-op.jsonl").exists());
}

fn check(id: &str, sql: &str) -> Check {
    let text = format!(
        "id = \"{id}\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nkey = [\"id\"]\nowner = \"o\"\n[sql]\nany = \"{sql}\"\n"
    );
    parse(&format!("{id}.toml"), "own", &text).expect("a check")
}

fn a_check_inside_the_transaction_leaves_nothing_of_its_own(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.run(of(
        engine,
        [
            "",
            "CREATE FUNCTION innocent() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               UPDATE stock SET name = 'sneaked in' WHERE id = 3; RETURN 0; END $$",
            "CREATE FUNCTION innocent() RETURNS INT BEGIN
               UPDATE stock SET name = 'sneaked in' WHERE id = 3; RETURN 0; END",
        ],
    ));
    desk.run("CREATE TABLE other (id INTEGER)");
    desk.run("INSERT INTO other VALUES (1)");
    let mut job = desk.job("op", &["UPDATE stock SET n = 0 WHERE id = 1"]);
    // Before the change it is asked of a snapshot, where its write is refused.
    job.plan.cures = vec![check("cured", "SELECT id FROM other WHERE innocent() = 1")];
    let preview = desk.preview(&job);
    if preview.refused.is_empty() {
        desk.execute(&job, preview);
    }
    assert_eq!(dump(&mut desk, &["stock"])[2], "stock 3|NULL|3");
}

fn what_a_repair_does_not_cure_cannot_be_approved(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut job = desk.job("op", &["UPDATE stock SET n = -1 WHERE id = 1"]);
    job.plan.cures = vec![check("none-is-two", "SELECT id FROM stock WHERE n = 2")];
    job.plan.must_not_worsen =
        vec![check("none-is-below-zero", "SELECT id FROM stock WHERE n < 0")];
    let preview = desk.preview(&job);
    assert_eq!(
        preview.refused,
        [
            "none-is-two would still have 1 violation",
            "none-is-below-zero would get worse: 0 to 1 violation",
        ]
    );
    let mut job = desk.job("op2", &["UPDATE stock SET n = 1 WHERE n = 2"]);
    job.plan.cures = vec![check("none-is-two", "SELECT id FROM stock WHERE n = 2")];
    desk.done(&job);
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 5);
}

/// The rows of the change are those of the preview; what it is for is not true any more.
fn what_is_no_longer_cured_at_the_execution_rolls_back(engine: Dialect) {
    let schema = format!("{STOCK}CREATE TABLE other (id INTEGER PRIMARY KEY);");
    let mut desk = Desk::new(engine, &schema);
    let mut job = desk.job("op", &["UPDATE stock SET n = 0 WHERE id = 1"]);
    job.plan.cures = vec![check("no-other", "SELECT id FROM other")];
    let preview = desk.preview(&job);
    assert_eq!(preview.refused, [""; 0]);
    desk.run("INSERT INTO other VALUES (1)");
    let before = dump(&mut desk, &["stock"]);
    let execution = desk.execute(&job, preview);
    let Execution::RolledBack { why, .. } = &execution else { panic!("{execution:?}") };
    assert!(why.contains("no-other would still have 1 violation"), "{why}");
    assert_eq!(dump(&mut desk, &["stock"]), before);
}

fn a_row_edited_since_the_preview_rolls_back_and_is_named(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let job = desk.job("op", &["UPDATE stock SET n = 0 WHERE id < 3"]);
    let preview = desk.preview(&job);
    desk.run("UPDATE stock SET name = 'edited' WHERE id = 2");
    let before = dump(&mut desk, &["stock"]);
    let seen = differences(desk.execute(&job, preview));
    assert_eq!(seen, ["stock id 2 was changed since the preview: name two -> edited"]);
    assert_eq!(dump(&mut desk, &["stock"]), before);
}

fn a_row_that_came_since_the_preview_is_not_changed_unseen(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let preview = desk.preview(&job);
    desk.run("INSERT INTO stock VALUES (4, 'new', 4)");
    let before = dump(&mut desk, &["stock"]);
    let seen = differences(desk.execute(&job, preview)).join("; ");
    assert!(seen.contains("statement 1: 3 rows at the preview, 4 now"), "{seen}");
    assert!(seen.contains("stock id 4 would be changed, but was not in the preview"), "{seen}");
    assert_eq!(dump(&mut desk, &["stock"]), before);
}

fn an_edit_of_a_row_that_a_cascade_takes_is_a_difference_too(engine: Dialect) {
    let mut desk = Desk::new(engine, &family(engine));
    let job = desk.job("op", &["DELETE FROM parent WHERE id = 1"]);
    let preview = desk.preview(&job);
    desk.run("UPDATE child SET v = 8 WHERE id = 1");
    let seen = differences(desk.execute(&job, preview));
    assert_eq!(seen, ["child id 1 was changed since the preview: v 7 -> 8"]);
    assert_eq!(desk.count("SELECT COUNT(*) FROM child"), 3);
}

fn an_operation_is_never_applied_twice(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let job = desk.job("op", &["UPDATE stock SET n = n - 1 WHERE id = 3"]);
    let (first, mut second) = (desk.preview(&job), desk.preview(&job));
    committed(&desk.execute(&job, first));
    // Even if the data looks the same again, the ledger's key refuses.
    desk.run("UPDATE stock SET n = n + 1 WHERE id = 3");
    second.at = steadyhand::clock::now();
    let execution = desk.execute(&job, second);
    let Execution::RolledBack { why, .. } = &execution else { panic!("{execution:?}") };
    assert!(why.contains("the ledger row could not be written"), "{why}");
    assert_eq!(desk.count("SELECT n FROM stock WHERE id = 3"), 3);
}

fn two_sessions_cannot_work_on_one_operation(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let sessions = || {
        let open = |purpose| desk.open(purpose, &Stopper::default());
        (open(Purpose::Work), open(Purpose::Detect))
    };
    let ((mut first, mut observe), (mut second, mut beside)) = (sessions(), sessions());
    let tables = desk.block_on(first.tables()).unwrap();
    desk.block_on(first.begin_watched(&mut observe, &tables, "op", LONG)).unwrap();
    let begun = desk.block_on(second.begin_watched(&mut beside, &tables, "op", LONG));
    match engine {
        Dialect::Sqlite => assert!(matches!(begun, Err(EngineError::Locked { .. })), "{begun:?}"),
        _ => assert!(matches!(begun, Err(EngineError::Refused { .. })), "{begun:?}"),
    }
}

fn a_lock_that_is_held_is_said_and_nothing_is_changed(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let job = desk.job(
        "op",
        &["UPDATE stock SET n = 10 WHERE id = 1", "UPDATE stock SET n = 20 WHERE id = 2"],
    );
    let preview = desk.preview(&job);
    let mut other = desk.other();
    other.run(of(engine, ["BEGIN IMMEDIATE", "BEGIN", "BEGIN"]));
    other.run("UPDATE stock SET name = 'held' WHERE id = 2");
    let problem = desk.try_preview(&job).expect_err("it is held");
    assert!(problem.sentence.contains("another session holds the lock"), "{problem}");
    let execution = desk.execute(&job, preview);
    let Execution::RolledBack { why, drift: None } = &execution else { panic!("{execution:?}") };
    assert!(why.contains("another session holds the lock"), "{why}");
    other.run("ROLLBACK");
    // Also what came before the lock is taken back: MariaDB by itself ends only the statement.
    assert_eq!(dump(&mut desk, &["stock"]), ["stock 1|one|1", "stock 2|two|2", "stock 3|NULL|3"]);
}

fn a_deadlock_is_a_conflict_and_everything_is_rolled_back(engine: Dialect) {
    let schema = format!(
        "{STOCK} CREATE TABLE big (id INTEGER PRIMARY KEY, x INTEGER); {}",
        of(
            engine,
            [
                "",
                "INSERT INTO big SELECT i, 1 FROM generate_series(1, 1000) i",
                "INSERT INTO big SELECT seq, 1 FROM seq_1_to_1000",
            ]
        )
    );
    let mut desk = Desk::on(engine, &schema, |setup| match engine {
        Dialect::Mariadb => setup.with("innodb-lock-wait-timeout", "20"),
        // Whoever looks last is the victim: the other looks later than we give up.
        _ => setup.with("deadlock_timeout", "10ms"),
    });
    let mut other = desk.other();
    if engine == Dialect::Postgres {
        other.run("SET deadlock_timeout = '20s'");
    }
    // MariaDB's victim is who has written less.
    other.run("BEGIN");
    other.run("UPDATE big SET x = 2");
    other.run("UPDATE stock SET n = 7 WHERE id = 2");
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    desk.block_on(work.begin(LONG)).unwrap();
    desk.block_on(work.execute("UPDATE stock SET n = 5 WHERE id = 1")).unwrap();
    let waiting = thread::spawn(move || {
        other.run("UPDATE stock SET n = 8 WHERE id = 1");
        other.run("COMMIT");
    });
    let waits = of(
        engine,
        [
            "",
            "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE stock SET n = 8%'",
        ],
    );
    wait_until("the other waits", || desk.count(waits) == 1);
    let outcome = desk.block_on(work.execute("UPDATE stock SET n = 6 WHERE id = 2"));
    assert!(matches!(outcome, Err(EngineError::Conflict { .. })), "{outcome:?}");
    desk.block_on(work.rollback()).unwrap();
    waiting.join().expect("the other goes on");
    assert_eq!(dump(&mut desk, &["stock"]), ["stock 1|one|8", "stock 2|two|7", "stock 3|NULL|3"]);
}

fn an_edit_under_our_snapshot_is_a_conflict_and_is_run_again(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut job = desk
        .job("op", &["UPDATE stock SET n = 9 WHERE id = 1", "UPDATE stock SET n = 0 WHERE id = 2"]);
    job.plan.limits.lock_wait = LONG / 2;
    // While the first statement waits for a lock, somebody edits the row of the second.
    let (mut holder, mut other) = (desk.other(), desk.other());
    holder.run("BEGIN");
    holder.run("UPDATE stock SET name = 'held' WHERE id = 1");
    let editing = thread::spawn(move || {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        wait_until("the first statement waits", || other.count(waits) > 0);
        other.run("UPDATE stock SET name = 'edited' WHERE id = 2");
        holder.run("ROLLBACK");
    });
    // The first try fails with 40001; the second sees the edit, and its preview is sound.
    let preview = desk.preview(&job);
    editing.join().expect("it was edited");
    let images = &preview.images[0].rows;
    let row = images
        .iter()
        .map(Result::unwrap)
        .find(|row| row.key[0].as_ref().plain() == Some("2".into()));
    let before = row.and_then(|row| row.before).expect("it was there");
    assert_eq!(before[1].as_ref().plain().as_deref(), Some("edited"));
    committed(&desk.execute(&job, preview));
    assert_eq!(desk.count("SELECT n FROM stock WHERE id = 2"), 0);
}

fn too_many_who_wait_for_us_roll_it_back(engine: Dialect) {
    too_many_wait_for(&mut Desk::new(engine, STOCK));
}

/// A standby that is waited for and does not come: committed, and perhaps on one server alone.
fn what_the_server_says_to_a_commit_is_told(engine: Dialect) {
    let mut desk = Desk::on(engine, STOCK, |setup| {
        setup.with("synchronous_standby_names", "nobody").with("synchronous_commit", "local")
    });
    let rights = "GRANT SELECT, UPDATE ON stock TO clerk; GRANT CREATE ON SCHEMA public TO clerk;
         ALTER ROLE clerk SET synchronous_commit = on";
    desk.target = desk.account("clerk", rights);
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let preview = desk.preview(&job);
    let mut other = desk.other();
    let impatient = thread::spawn(move || {
        let end = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        wait_until("COMMIT waits for the standby", || other.count(end) > 0);
    });
    let execution = desk.execute(&job, preview);
    impatient.join().expect("it came to that");
    let Execution::Committed { said, .. } = execution else { panic!("{execution:?}") };
    assert!(said.ends_with("; committed on this server, and perhaps not on its standby"), "{said}");
    let told: Vec<String> = desk.incident().records.iter().map(|it| it.entry.sentence()).collect();
    let words = "change COMMITTED: 3 rows; the server says: warning: canceling wait";
    assert!(told.iter().any(|line| line.starts_with(words)), "{told:#?}");
}

/// The account of the session that waits is another one's.
fn whoever_waits_counts_though_what_others_run_is_hidden(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let rights = "GRANT SELECT, UPDATE ON stock TO clerk; GRANT CREATE ON SCHEMA public TO clerk";
    desk.target = desk.account("clerk", rights);
    too_many_wait_for(&mut desk);
}

/// The undo that was promised may not hold all of it.
fn a_change_that_is_seen_less_well_than_at_its_preview_is_taken_back(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.target = desk.account("clerk", "GRANT ALL ON erp.* TO clerk@'%'");
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let preview = desk.preview(&job);
    assert_eq!(preview.undo.impossible, None);
    desk.run("REVOKE TRIGGER ON erp.* FROM clerk@'%'");
    let execution = desk.execute(&job, preview);
    let Execution::RolledBack { why, drift: None } = execution else { panic!("{execution:?}") };
    assert!(
        why.starts_with("what it writes can no longer be watched as at the preview: "),
        "{why}"
    );
    assert!(why.contains("TRIGGER"), "{why}");
    assert_eq!(desk.count("SELECT COUNT(*) FROM stock WHERE n = 0"), 0);
}

fn a_budget_that_cannot_be_watched_is_said(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let rights = of(
        engine,
        [
            "",
            "GRANT SELECT, UPDATE ON stock TO clerk; GRANT CREATE ON SCHEMA public TO clerk;
             REVOKE EXECUTE ON FUNCTION pg_blocking_pids(integer) FROM PUBLIC",
            "GRANT SELECT, UPDATE ON erp.stock TO clerk@'%';
             GRANT SELECT, INSERT, CREATE ON erp.steadyhand_ledger TO clerk@'%'",
        ],
    );
    desk.target = desk.account("clerk", rights);
    let preview = desk.preview(&desk.job("op", &["UPDATE stock SET n = 0 WHERE id = 1"]));
    assert!(!preview.locks.contains("nobody waited"), "{}", preview.locks);
    assert!(preview.locks.contains("who waited could not be seen"), "{}", preview.locks);
    let why = of(engine, ["", "permission denied", "PROCESS"]);
    let said = |warning: &String| {
        warning.contains("no limit on who waits for these locks") && warning.contains(why)
    };
    assert!(preview.warnings.iter().any(said), "{:?}", preview.warnings);
}

/// The preview could see who waits, the execution could not.
fn locks_that_nobody_watched_any_more_are_told_with_the_outcome(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let [rights, loses] = of(
        engine,
        [
            ["", ""],
            [
                "GRANT SELECT, UPDATE ON stock TO clerk; GRANT CREATE ON SCHEMA public TO clerk",
                "REVOKE EXECUTE ON FUNCTION pg_blocking_pids(integer) FROM PUBLIC",
            ],
            [
                "GRANT ALL ON erp.* TO clerk@'%'; GRANT PROCESS ON *.* TO clerk@'%'",
                "REVOKE PROCESS ON *.* FROM clerk@'%'",
            ],
        ],
    );
    desk.target = desk.account("clerk", rights);
    let job = desk.job("op", &["UPDATE stock SET n = 0 WHERE id = 1"]);
    let preview = desk.preview(&job);
    desk.run(loses);
    let execution = desk.execute(&job, preview);
    let Execution::Committed { said, .. } = execution else { panic!("{execution:?}") };
    assert!(said.starts_with("no limit on who waits for these locks was kept"), "{said}");
    assert_eq!(desk.count("SELECT n FROM stock WHERE id = 1"), 0);
}

/// Whoever holds others up is bounded by it: a watch that ended saw nobody, and did not see that nobody waited.
fn a_watch_that_is_cut_off_says_so(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    let mark = desk.block_on(session.mark()).unwrap();
    let budget = LockBudget { sessions: 0, longest: LONG };
    let watch = LockWatch::begin(session, mark.clone(), budget, Stopper::default());
    let watch = desk.block_on(watch);
    assert_eq!(watch.seen().words(), "nobody waited");
    let id = mark.split([' ', '/']).next().unwrap();
    let end = of(engine, ["", "SELECT pg_terminate_backend", "KILL "]);
    desk.run(&format!("{end}({id})"));
    wait_until("it is told", || watch.seen().unseen.is_some());
    let seen = watch.seen();
    assert_eq!(seen.words(), "who waited could not be seen");
    let warning = seen.warning().unwrap();
    assert!(warning.contains("the connection was lost"), "{warning}");
}

fn too_many_wait_for(desk: &mut Desk) {
    let engine = desk.dialect;
    let endless = of(
        engine,
        [
            "",
            "UPDATE stock SET n = (SELECT count(*) FROM generate_series(1, 2000000000)) WHERE id = 2",
            "UPDATE stock SET n = (SELECT COUNT(*) FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b) WHERE id = 2",
        ],
    );
    let mut job = desk.job("op", &["UPDATE stock SET n = 0 WHERE id = 1", endless]);
    job.plan.limits.max_blocked = 0;
    let running = of(
        engine,
        [
            "",
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE%200000000%' AND state = 'active'",
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE%seq_1_to_1000000%'",
        ],
    );
    let mut other = desk.other();
    let waiting = thread::spawn(move || {
        wait_until("its first row is locked", || other.count(running) > 0);
        other.run("UPDATE stock SET name = 'theirs' WHERE id = 1");
    });
    let problem = desk.try_preview(&job).expect_err("somebody waits");
    waiting.join().expect("it is let go");
    let words = "1 session waited for it";
    assert!(problem.sentence.contains(words), "{problem}");
    assert!(problem.sentence.contains("the limit is 0"), "{problem}");
    assert_eq!(dump(desk, &["stock"]), ["stock 1|theirs|1", "stock 2|two|2", "stock 3|NULL|3"]);
}

fn a_session_that_could_still_commit_is_ended_before_anything_is_said(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    let mut observe = desk.open(Purpose::Detect, &Stopper::default());
    let tables = desk.block_on(work.tables()).unwrap();
    desk.block_on(work.begin_watched(&mut observe, &tables, "op", LONG)).unwrap();
    desk.block_on(work.execute("UPDATE stock SET n = 0")).unwrap();
    desk.block_on(work.write_ledger("op", 0, "ada", "print")).unwrap();
    let mark = desk.block_on(work.mark()).unwrap();
    let mut later = desk.open(Purpose::Work, &Stopper::default());
    let settled = desk.block_on(later.settle("op", 0, Some(&mark)));
    if engine == Dialect::Sqlite {
        // The file's write lock is still held: nothing is said while somebody could commit.
        assert!(matches!(settled, Err(EngineError::Locked { .. })), "{settled:?}");
        desk.block_on(work.close());
    } else {
        assert!(matches!(settled, Ok(Settled::RolledBack(_))), "{settled:?}");
        let late = desk.block_on(work.commit());
        assert!(matches!(late, Err(EngineError::Lost { .. })), "{late:?}");
    }
    let settled = desk.block_on(later.settle("op", 0, Some(&mark)));
    assert!(matches!(settled, Ok(Settled::RolledBack(_))), "{settled:?}");
    assert_eq!(dump(&mut desk, &["stock"])[0], "stock 1|one|1");
}

fn what_a_dead_program_held_is_let_go(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    let mut observe = desk.open(Purpose::Detect, &Stopper::default());
    let tables = desk.block_on(work.tables()).unwrap();
    desk.block_on(work.begin_watched(&mut observe, &tables, "op", LONG)).unwrap();
    desk.block_on(work.execute("UPDATE stock SET n = 0 WHERE id = 1")).unwrap();
    // A future that is dropped in the middle, and its session with it: nobody rolls back.
    let endless = of(
        engine,
        [
            "UPDATE stock SET n = (WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT COUNT(*) FROM r) WHERE id = 2",
            "UPDATE stock SET n = (SELECT count(*) FROM generate_series(1, 2000000000)) WHERE id = 2",
            "UPDATE stock SET n = (SELECT COUNT(*) FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b) WHERE id = 2",
        ],
    );
    if engine != Dialect::Sqlite {
        let dropped = desk.block_on(async {
            tokio::time::timeout(Duration::from_millis(300), work.execute(endless)).await
        });
        assert!(dropped.is_err(), "it runs on the server");
    }
    drop(work);
    drop(observe);
    let mut later = desk.open(Purpose::Work, &Stopper::default());
    let settled = desk.block_on(later.settle("op", 0, None));
    assert!(matches!(settled, Ok(Settled::RolledBack(_))), "{settled:?}");
    assert_eq!(desk.run("UPDATE stock SET n = 9 WHERE id = 1"), 1, "nobody holds the row");
    assert_eq!(dump(&mut desk, &["stock"])[0], "stock 1|one|9");
}
