//! A change in chunks: every row once and no other, whatever stops it, and the whole way back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use steadyhand::check::Check;
use steadyhand::check::load::parse;
use steadyhand::config::TargetUrl;
use steadyhand::dialect::Dialect;
use steadyhand::incident::entry::{Entry, Pacing};
use steadyhand::incident::journal;
use steadyhand::ops::mass::Reins;
use steadyhand::ops::{Stopper, look};
use steadyhand::recovery::Looked;
use steadyhand::recovery::mass::{Progress, Rein};
use steadyhand::recovery::{Execution, Tally};

use super::common::desk::Desk;
use super::common::proxy::{Fault, Moment, Proxy, Upstream};
use super::common::server::{ADMIN, Setup};
use super::{dump, of};

contract! {
    every_row_is_done_once_and_taken_back_once on sqlite postgres mariadb;
    the_preview_counts_all_keys_and_runs_the_first_chunk on sqlite postgres mariadb;
    a_key_that_comes_twice_is_refused on sqlite postgres mariadb;
    keys_of_bits_lead_to_their_rows on mariadb,
        not sqlite: "it has no bits",
        not postgres: "its bits are quoted as a text that is no number";
    keys_are_quoted_by_the_database on sqlite postgres mariadb;
    a_query_of_keys_may_end_as_any_statement on sqlite postgres mariadb;
    keys_may_lie_far_apart_and_below_zero on sqlite postgres mariadb;
    keys_without_a_gap_may_be_raised_and_removed on sqlite postgres mariadb;
    a_trigger_may_write_where_the_same_name_holds_something_else on sqlite postgres mariadb;
    a_trigger_may_write_rows_of_the_same_keys_elsewhere on sqlite postgres mariadb;
    a_trigger_may_remove_rows_without_a_key on sqlite postgres mariadb;
    a_row_that_changed_meanwhile_is_left_alone_and_counted on sqlite postgres mariadb;
    the_first_chunk_does_what_was_previewed_or_nothing_is_done on sqlite postgres mariadb;
    a_statement_that_leaves_its_chunk_is_refused on sqlite postgres mariadb;
    a_chunk_is_held_to_its_keys_through_a_part_too on postgres,
        not sqlite: "no table has parts",
        not mariadb: "a part has no name that a statement could write";
    it_stops_when_it_does_not_help on sqlite postgres mariadb;
    it_is_paused_continued_and_stopped_between_two_chunks on sqlite postgres mariadb;
    what_was_stopped_goes_on_with_exactly_the_rest on sqlite postgres mariadb;
    a_half_done_change_is_taken_back_and_the_undo_goes_on_too on sqlite postgres mariadb;
    chunks_with_nothing_to_do_keep_nothing_from_being_done on sqlite postgres mariadb;
    an_undo_in_chunks_names_what_it_leaves_alone on sqlite postgres mariadb;
    rows_left_alone_for_the_sake_of_others_are_not_said_to_be_changed on sqlite postgres mariadb;
    an_undo_in_chunks_removes_nothing_that_others_added on sqlite postgres mariadb;
    more_rows_than_the_runbook_allows_are_not_written on sqlite postgres mariadb;
    what_was_approved_without_an_undo_goes_on_without_one on sqlite postgres mariadb;
    a_chunk_whose_commit_is_cut_off_is_found_out on postgres mariadb,
        not sqlite: "there is no wire; `tests/mass.rs` ends the process at every record instead";
    what_is_edited_while_an_undo_runs_is_left_alone on postgres mariadb,
        not sqlite: "nobody else writes while the undo does";
    a_lock_in_the_way_makes_chunks_smaller on postgres mariadb,
        not sqlite: "whoever writes locks the whole file, however few rows";
}

const ROWS: i64 = 3_000;

/// Jobs of which all but every tenth are open, with a trigger's record of each write.
fn schema(engine: Dialect) -> String {
    let fill = of(
        engine,
        [
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO job SELECT i, CASE WHEN i % 10 = 0 THEN 'shut' ELSE 'open' END, 0 FROM n",
            "INSERT INTO job SELECT i, CASE WHEN i % 10 = 0 THEN 'shut' ELSE 'open' END, 0 FROM generate_series(1, 3000) i",
            "INSERT INTO job SELECT seq, CASE WHEN seq % 10 = 0 THEN 'shut' ELSE 'open' END, 0 FROM seq_1_to_3000",
        ],
    );
    format!(
        "CREATE TABLE job (id INTEGER PRIMARY KEY, state VARCHAR(10) NOT NULL, n INTEGER NOT NULL); {fill}"
    )
}

const OPEN: i64 = ROWS / 10 * 9;
const KEYS: &str = "SELECT id FROM job WHERE state = 'open' ORDER BY id";
/// It still finds a row that it has written: whoever applies it twice is found out.
const RAISE: &str = "UPDATE job SET n = n + 1 WHERE id IN (:chunk) AND state = 'open'";

fn committed(execution: &Execution) -> u64 {
    let Execution::Committed { rows, .. } = execution else { panic!("{execution:?}") };
    *rows
}

fn halted(execution: Execution) -> (Progress, String) {
    let Execution::Halted { progress, why, .. } = execution else { panic!("{execution:?}") };
    (progress, why)
}

/// How often each open row was raised, from the least to the most.
fn raised(desk: &mut Desk) -> (i64, i64, i64) {
    let of_open = |what: &str| format!("SELECT {what} FROM job WHERE state = 'open'");
    assert_eq!(desk.count("SELECT COALESCE(SUM(n), 0) FROM job WHERE state <> 'open'"), 0);
    (desk.count(&of_open("MIN(n)")), desk.count(&of_open("MAX(n)")), desk.count(&of_open("SUM(n)")))
}

fn ledger(desk: &mut Desk, op: &str) -> i64 {
    desk.count(&format!("SELECT COUNT(*) FROM steadyhand_ledger WHERE op_id = '{op}'"))
}

/// Somebody else does something and is done with it, while a chunk of ours is awaited.
fn aside<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join().expect("they can"))
}

fn check(id: &str, sql: &str) -> Check {
    let text = format!(
        "id = \"{id}\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nkey = [\"id\"]\nowner = \"o\"\n[sql]\nany = \"{sql}\"\n"
    );
    parse(&format!("{id}.toml"), "own", &text).expect("a check")
}

fn every_row_is_done_once_and_taken_back_once(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let before = dump(&mut desk, &["job"]);
    let mut job = desk.mass_job("op", KEYS, &[RAISE], (150, 400));
    job.plan.cures = vec![check("raised", "SELECT id FROM job WHERE state = 'open' AND n = 0")];
    let execution = desk.drive_on(&job);
    assert_eq!(committed(&execution), OPEN.unsigned_abs());
    let Execution::Committed { sound: true, .. } = execution else { panic!("{execution:?}") };
    assert_eq!(raised(&mut desk), (1, 1, OPEN));
    let incident = desk.incident();
    let chunks = incident.changes[0].chunks.clone().expect("it was in chunks");
    assert!(incident.changes[0].is_committed() && chunks.sent.len() > 4, "{chunks:?}");
    assert_eq!((chunks.done(), chunks.left_alone()), (OPEN.unsigned_abs(), 0));
    assert_eq!(ledger(&mut desk, "op"), i64::try_from(chunks.sent.len()).unwrap());

    let undo = desk.mass_undo(&job, "undo");
    let execution = desk.drive_on(&undo);
    assert_eq!(committed(&execution), OPEN.unsigned_abs());
    assert_eq!(dump(&mut desk, &["job"]), before);
    assert!(desk.incident().is_undone("op"));
    let order: Vec<u64> = desk.incident().changes[1]
        .chunks
        .clone()
        .expect("it was in chunks")
        .sent
        .iter()
        .map(|chunk| chunk.number)
        .collect();
    assert!(order.is_sorted_by(|one, next| one > next), "the last one first: {order:?}");
}

fn the_preview_counts_all_keys_and_runs_the_first_chunk(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let before = dump(&mut desk, &["job"]);
    let preview = desk.preview(&desk.mass_job("op", KEYS, &[RAISE], (100, 500)));
    let chunks = preview.chunks.clone().expect("it is in chunks");
    assert_eq!((chunks.left, chunks.first, chunks.done), (OPEN.unsigned_abs(), 100, 0));
    assert_eq!((preview.rows(), preview.asked()), (100, OPEN.unsigned_abs()));
    assert_eq!((preview.undo.restored, preview.undo.of), (100, 100));
    assert!(preview.proof.is_ok() && preview.refused.is_empty(), "{preview:?}");
    assert_eq!(dump(&mut desk, &["job"]), before);
    let none =
        desk.preview(&desk.mass_job("op2", "SELECT id FROM job WHERE 1 = 0", &[RAISE], (9, 9)));
    assert_eq!(none.refused, ["its keys are none: nothing is to be changed"]);
}

/// A trigger writes where the watch cannot look, in every chunk.
fn what_was_approved_without_an_undo_goes_on_without_one(engine: Dialect) {
    let trigger = of(
        engine,
        [
            "CREATE TABLE last (one INTEGER PRIMARY KEY, n INTEGER);
             CREATE TRIGGER l AFTER UPDATE ON job BEGIN INSERT OR REPLACE INTO last VALUES (1, NEW.n); END;",
            "CREATE SCHEMA audit; CREATE TABLE audit.log (id INTEGER, n INTEGER);
             CREATE FUNCTION l() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
               INSERT INTO audit.log VALUES (NEW.id, NEW.n); RETURN NULL; END $$;
             CREATE TRIGGER l AFTER UPDATE ON job FOR EACH ROW EXECUTE FUNCTION l();",
            "CREATE TABLE log (id INTEGER, n INTEGER);
             CREATE TRIGGER l AFTER UPDATE ON job FOR EACH ROW INSERT INTO log VALUES (NEW.id, NEW.n);",
        ],
    );
    let mut desk = Desk::new(engine, &format!("{}; {trigger}", schema(engine)));
    if engine != Dialect::Sqlite {
        let grants = of(
            engine,
            [
                "",
                "GRANT SELECT, UPDATE ON job TO clerk; GRANT USAGE, CREATE ON SCHEMA public TO clerk",
                "GRANT SELECT, UPDATE ON erp.job TO clerk@'%'; GRANT PROCESS ON *.* TO clerk@'%';
                 GRANT SELECT, INSERT, CREATE ON erp.steadyhand_ledger TO clerk@'%'",
            ],
        );
        desk.target = desk.account("clerk", grants);
    }
    let job = desk.mass_job("op", KEYS, &[RAISE], (150, 400));
    let preview = desk.preview(&job);
    assert!(preview.undo.impossible.is_some(), "{:?}", preview.undo);
    let execution = desk.drive(&job, preview, &Reins::default(), &|_| {});
    assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
    assert_eq!(raised(&mut desk), (1, 1, OPEN));
}

fn keys_are_quoted_by_the_database(engine: Dialect) {
    let schema = "CREATE TABLE job (id VARCHAR(40) PRIMARY KEY, n INTEGER NOT NULL);
        INSERT INTO job VALUES ('it''s', 0), ('a\\b', 0), ('x) OR (1=1', 0), ('', 0), ('-- ', 0), ('other', 5)";
    let schema =
        if engine == Dialect::Mariadb { schema.replace('\\', "\\\\") } else { schema.into() };
    let mut desk = Desk::new(engine, &schema);
    let raise = "UPDATE job SET n = n + 1 WHERE id IN (:chunk)";
    let job = desk.mass_job("op", "SELECT id FROM job WHERE n = 0 ORDER BY id", &[raise], (2, 2));
    assert_eq!(committed(&desk.drive_on(&job)), 5);
    assert_eq!(desk.count("SELECT COUNT(*) FROM job WHERE n = 1"), 5);
    assert_eq!(desk.count("SELECT n FROM job WHERE id = 'other'"), 5);
}

/// As texts, those of 0x33 and 0x34 would be the numbers 3 and 4.
fn keys_of_bits_lead_to_their_rows(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE job (id BIT(8) PRIMARY KEY, n INTEGER NOT NULL);
         INSERT INTO job VALUES (b'00000011', 0), (b'00110011', 0), (b'00110100', 0)",
    );
    let raise = "UPDATE job SET n = n + 1 WHERE id IN (:chunk)";
    let job = desk.mass_job("op", "SELECT id FROM job ORDER BY id", &[raise], (2, 2));
    assert_eq!(committed(&desk.drive_on(&job)), 3);
    assert_eq!(desk.count("SELECT COUNT(*) FROM job WHERE n = 1"), 3);
    assert_eq!(committed(&desk.drive_on(&desk.mass_undo(&job, "undo"))), 3);
    assert_eq!(desk.count("SELECT COUNT(*) FROM job WHERE n = 0"), 3);
}

fn a_query_of_keys_may_end_as_any_statement(engine: Dialect) {
    let schema = "CREATE TABLE job (id VARCHAR(9) PRIMARY KEY, n INTEGER NOT NULL);
        INSERT INTO job VALUES ('a', 0), ('b', 0), ('c', 5)";
    let desk = Desk::new(engine, schema);
    let raise = "UPDATE job SET n = n + 1 WHERE id IN (:chunk)";
    for end in [";", " -- all", "; -- all"] {
        let keys = format!("SELECT id FROM job WHERE n = 0 ORDER BY id{end}");
        let job = desk.mass_job("op", &keys, &[raise], (2, 2));
        let first = desk.block_on(look::look(&job, &Stopper::default())).unwrap();
        let told = &first.statements.last().unwrap().1;
        assert!(matches!(told, Looked::Rows { rows: 2, .. }), "{end}: {told:?}");
        let preview = desk.preview(&job);
        assert_eq!((preview.rows(), preview.refused), (2, vec![]), "{end}");
    }
}

fn keys_may_lie_far_apart_and_below_zero(engine: Dialect) {
    let rows: Vec<String> = (-50..50).map(|n| format!("({}, 0)", n * 1_000_003_i64)).collect();
    let schema = format!(
        "CREATE TABLE job (id BIGINT PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO job VALUES {}",
        rows.join(", ")
    );
    let mut desk = Desk::new(engine, &schema);
    let before = dump(&mut desk, &["job"]);
    let raise = "UPDATE job SET n = n + 1 WHERE id IN (:chunk)";
    let job = desk.mass_job("op", "SELECT id FROM job ORDER BY id", &[raise], (7, 30));
    assert_eq!(committed(&desk.drive_on(&job)), 100);
    assert_eq!(desk.count("SELECT COUNT(*) FROM job WHERE n = 1"), 100);
    let undo = desk.mass_undo(&job, "undo");
    assert_eq!(committed(&desk.drive_on(&undo)), 100);
    assert_eq!(dump(&mut desk, &["job"]), before);
}

fn keys_without_a_gap_may_be_raised_and_removed(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let before = dump(&mut desk, &["job"]);
    let keys = "SELECT id FROM job WHERE id BETWEEN 501 AND 1500 ORDER BY id";
    for (op, statement, left) in [
        ("raise", "UPDATE job SET n = n + 1 WHERE id IN (:chunk) AND state = 'open'", 3_000),
        ("remove", "DELETE FROM job WHERE id IN (:chunk) AND state = 'open'", 2_100),
    ] {
        let job = desk.mass_job(op, keys, &[statement], (150, 400));
        let preview = desk.preview(&job);
        let execution = desk.drive(&job, preview, &Reins::default(), &|_| {});
        assert_eq!(committed(&execution), 900);
        assert_eq!(desk.count("SELECT COUNT(*) FROM job"), left);
        let chunks = desk.incident().changes.iter().find_map(|change| {
            (change.op == op).then(|| change.chunks.clone().expect("it was in chunks"))
        });
        assert_eq!(chunks.expect("it was done").left_alone(), 100);
        let undo = desk.mass_undo(&job, &format!("{op}-undo"));
        assert_eq!(committed(&desk.drive_on(&undo)), 900);
        assert_eq!(dump(&mut desk, &["job"]), before);
    }
}

fn a_trigger_may_write_where_the_same_name_holds_something_else(engine: Dialect) {
    let note = "CREATE TABLE note (id VARCHAR(40) PRIMARY KEY)";
    let trigger = of(
        engine,
        [
            "CREATE TRIGGER noted AFTER UPDATE ON job BEGIN INSERT INTO note VALUES ('job ' || NEW.id); END",
            "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN INSERT INTO note VALUES (''job '' || NEW.id); RETURN NULL; END'; \
             CREATE TRIGGER noted AFTER UPDATE ON job FOR EACH ROW EXECUTE FUNCTION noted()",
            "CREATE TRIGGER noted AFTER UPDATE ON job FOR EACH ROW INSERT INTO note VALUES (CONCAT('job ', NEW.id))",
        ],
    );
    let mut desk = Desk::new(engine, &format!("{}; {note}; {trigger}", schema(engine)));
    let hidden = raised_beside(&mut desk, "note", 900);
    assert_eq!((hidden.inserted, hidden.updated), (135, 0));
    assert_eq!(desk.count("SELECT COUNT(*) FROM note"), 450);
    // What the trigger inserted stays, and is no row that comes back.
    let keys = "SELECT id FROM job WHERE id <= 500 ORDER BY id";
    let undo = desk.mass_undo(&desk.mass_job("op", keys, &[RAISE], (150, 400)), "undo");
    let chunks = desk.preview(&undo).chunks.expect("it is in chunks");
    assert!(chunks.words(true).starts_with("at most 450 rows to be put back, in about "));
}

/// In a table that was there before, so that it comes first.
fn a_trigger_may_write_rows_of_the_same_keys_elsewhere(engine: Dialect) {
    let tally = "CREATE TABLE tally (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)";
    let fill = "INSERT INTO tally SELECT id, 0 FROM job";
    let trigger = of(
        engine,
        [
            "CREATE TRIGGER told AFTER UPDATE ON job BEGIN UPDATE tally SET n = n + 1 WHERE id = NEW.id; END",
            "CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN UPDATE tally SET n = n + 1 WHERE id = NEW.id; RETURN NULL; END'; \
             CREATE TRIGGER told AFTER UPDATE ON job FOR EACH ROW EXECUTE FUNCTION told()",
            "CREATE TRIGGER told AFTER UPDATE ON job FOR EACH ROW UPDATE tally SET n = n + 1 WHERE id = NEW.id",
        ],
    );
    let mut desk = Desk::new(engine, &format!("{tally}; {}; {fill}; {trigger}", schema(engine)));
    let hidden = raised_beside(&mut desk, "tally", 900);
    assert_eq!((hidden.inserted, hidden.updated), (0, 135));
    assert_eq!(desk.count("SELECT SUM(n) FROM tally"), 450);
}

/// Two rows of each key, which nothing tells apart.
fn a_trigger_may_remove_rows_without_a_key(engine: Dialect) {
    let twins = "CREATE TABLE twin (id INTEGER NOT NULL)";
    let fill = "INSERT INTO twin SELECT id FROM job; INSERT INTO twin SELECT id FROM job";
    let trigger = of(
        engine,
        [
            "CREATE TRIGGER gone AFTER UPDATE ON job BEGIN DELETE FROM twin WHERE id = NEW.id; END",
            "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN DELETE FROM twin WHERE id = NEW.id; RETURN NULL; END'; \
             CREATE TRIGGER gone AFTER UPDATE ON job FOR EACH ROW EXECUTE FUNCTION gone()",
            "CREATE TRIGGER gone AFTER UPDATE ON job FOR EACH ROW DELETE FROM twin WHERE id = NEW.id",
        ],
    );
    let mut desk = Desk::new(engine, &format!("{twins}; {}; {fill}; {trigger}", schema(engine)));
    let hidden = raised_beside(&mut desk, "twin", 1_350);
    assert_eq!((hidden.inserted, hidden.updated, hidden.deleted), (0, 0, 270));
    assert_eq!(desk.count("SELECT COUNT(*) FROM twin"), 5_100);
}

/// Raises the open jobs of 500 in chunks, so many rows with those of a trigger; gives what the preview
/// of the first one, of 150, said that a trigger writes in another table.
fn raised_beside(desk: &mut Desk, table: &str, rows: u64) -> Tally {
    let keys = "SELECT id FROM job WHERE id <= 500 ORDER BY id";
    let job = desk.mass_job("op", keys, &[RAISE], (150, 400));
    let preview = desk.preview(&job);
    let beside = preview.writes.iter().find(|write| write.table.ends_with(table)).unwrap();
    let hidden = beside.hidden;
    let execution = desk.drive(&job, preview, &Reins::default(), &|_| {});
    assert_eq!(committed(&execution), rows);
    hidden
}

fn a_key_that_comes_twice_is_refused(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let twice = "SELECT id FROM job WHERE id < 5 UNION ALL SELECT id FROM job WHERE id = 2";
    let problem = desk.try_preview(&desk.mass_job("op", twice, &[RAISE], (2, 2))).unwrap_err();
    assert!(problem.sentence.contains("1 keys come more than once"), "{problem}");
    assert_eq!(raised(&mut desk), (0, 0, 0));
}

fn a_row_that_changed_meanwhile_is_left_alone_and_counted(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let job = desk.mass_job("op", KEYS, &[RAISE], (100, 200));
    let preview = desk.preview(&job);
    let other = Mutex::new(Some(desk.other()));
    let execution = desk.drive(&job, preview, &Reins::default(), &|_| {
        let Some(mut other) = other.lock().unwrap().take() else { return };
        aside(|| {
            other.run("UPDATE job SET state = 'done' WHERE id = 2501");
            other.run("DELETE FROM job WHERE id = 2601");
            other.run("INSERT INTO job VALUES (9999, 'open', 1)");
            drop(other);
        });
    });
    assert_eq!(committed(&execution), OPEN.unsigned_abs() - 2);
    assert_eq!(desk.incident().changes[0].chunks.clone().unwrap().left_alone(), 2);
    assert_eq!(desk.count("SELECT n FROM job WHERE id = 2501"), 0);
    // The one that came later was not in the list, and would be raised a second time.
    assert_eq!(raised(&mut desk), (1, 1, OPEN - 2 + 1));
}

fn the_first_chunk_does_what_was_previewed_or_nothing_is_done(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let job = desk.mass_job("op", KEYS, &[RAISE], (100, 200));
    let preview = desk.preview(&job);
    desk.run("UPDATE job SET n = -1 WHERE id = 7");
    let execution = desk.drive(&job, preview, &Reins::default(), &|_| {});
    let Execution::RolledBack { drift: Some(drift), .. } = execution else {
        panic!("{execution:?}")
    };
    assert_eq!(drift.differences, ["job id 7 was changed since the preview: n 0 -> -1"]);
    assert_eq!(desk.count("SELECT COUNT(*) FROM job WHERE n > 0"), 0);
}

fn a_statement_that_leaves_its_chunk_is_refused(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let wide = "UPDATE job SET n = n + 1 WHERE id IN (:chunk) OR id = 3000";
    let problem = desk.try_preview(&desk.mass_job("op", KEYS, &[wide], (100, 200))).unwrap_err();
    let words = "a row of job would be written that is not of the chunk: id 3000";
    assert!(problem.sentence.contains(words), "{problem}");
    let keyless = "INSERT INTO log SELECT n FROM job WHERE id IN (:chunk)";
    desk.run("CREATE TABLE log (n INTEGER)");
    let problem = desk.try_preview(&desk.mass_job("op", KEYS, &[keyless], (100, 200))).unwrap_err();
    assert!(problem.sentence.contains("log has no column id"), "{problem}");
    assert_eq!(raised(&mut desk), (0, 0, 0));
}

fn a_chunk_is_held_to_its_keys_through_a_part_too(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE job (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) PARTITION BY RANGE (id);
         CREATE TABLE job_low PARTITION OF job FOR VALUES FROM (0) TO (10000);
         INSERT INTO job SELECT i, 0 FROM generate_series(1, 1000) i",
    );
    let keys = "SELECT id FROM job WHERE id <= 500 ORDER BY id";
    let wide = "UPDATE job_low SET n = n + 1 WHERE id IN (:chunk) OR id = 900";
    let problem = desk.try_preview(&desk.mass_job("op", keys, &[wide], (100, 200))).unwrap_err();
    let words = "a row of job would be written that is not of the chunk: id 900";
    assert!(problem.sentence.contains(words), "{problem}");
    let raise = "UPDATE job_low SET n = n + 1 WHERE id IN (:chunk)";
    let job = desk.mass_job("op", keys, &[raise], (100, 200));
    let execution = desk.drive_on(&job);
    assert_eq!(committed(&execution), 500);
    let chunks = desk.incident().changes[0].chunks.clone().expect("it was in chunks");
    assert_eq!((chunks.done(), chunks.left_alone()), (500, 0));
    assert_eq!(desk.count("SELECT COUNT(*) FROM job WHERE n = 1"), 500);
    assert_eq!(committed(&desk.drive_on(&desk.mass_undo(&job, "undo"))), 500);
    assert_eq!(desk.count("SELECT COUNT(*) FROM job WHERE n <> 0"), 0);
}

fn it_stops_when_it_does_not_help(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let mut job = desk.mass_job("op", KEYS, &[RAISE], (4, 4));
    job.plan.cures = vec![check("raised", "SELECT id FROM job WHERE state = 'open' AND n = 0")];
    let preview = desk.preview(&job);
    let other = Mutex::new(desk.other());
    let next = AtomicU64::new(10_000);
    let execution = desk.drive(&job, preview, &Reins::default(), &|_| {
        let mut guard = other.lock().unwrap();
        let other = &mut *guard;
        // Each time more than all chunks together do away with, however fast they are.
        let first = next.fetch_add(3_000, Ordering::Relaxed);
        let rows: Vec<String> =
            (first..first + 3_000).map(|id| format!("({id}, 'open', 0)")).collect();
        aside(|| other.run(&format!("INSERT INTO job VALUES {}", rows.join(", "))));
    });
    let (progress, why) = halted(execution);
    assert!(why.contains("it does not help: raised would not fall"), "{why}");
    // What was done stays: nothing is undone by itself.
    let done = desk.count("SELECT COUNT(*) FROM job WHERE n = 1");
    assert_eq!(done.unsigned_abs(), progress.done);
    assert!(progress.done < OPEN.unsigned_abs());
}

fn it_is_paused_continued_and_stopped_between_two_chunks(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let job = desk.mass_job("op", KEYS, &[RAISE], (100, 100));
    let preview = desk.preview(&job);
    let reins = Reins::default();
    reins.pull(Rein::Pause);
    let seen = Mutex::new(Vec::new());
    let other = Mutex::new(desk.other());
    let execution = desk.drive(&job, preview, &reins, &|progress| {
        if progress.paused.is_some() {
            // Nobody holds a lock meanwhile.
            aside(|| other.lock().unwrap().run("UPDATE job SET n = n WHERE id <= 3000"));
            reins.pull(Rein::Go);
        } else if progress.done > 0 {
            reins.pull(Rein::Stop("enough"));
            reins.pull(Rein::Go);
        }
        seen.lock().unwrap().push(progress);
    });
    let (progress, why) = halted(execution);
    assert_eq!(why, "enough");
    assert_eq!(raised(&mut desk), (0, 1, progress.done.cast_signed()));
    let (records, _, _) = journal::read(&desk.journal.folder()).unwrap();
    let paced = records.iter().filter_map(|record| match &record.entry {
        Entry::Paced { chunk, pacing, why, .. } => Some((*chunk, *pacing, why.as_str())),
        _ => None,
    });
    let by = "by the operator";
    assert_eq!(paced.collect::<Vec<_>>(), [(1, Pacing::Paused, by), (1, Pacing::Continued, by)]);
}

/// Does one chunk and is stopped.
fn one_chunk(desk: &Desk, job: &steadyhand::ops::recover::Job) -> Progress {
    let reins = Reins::default();
    let preview = desk.preview(job);
    let execution = desk.drive(job, preview, &reins, &|_| reins.pull(Rein::Stop("enough")));
    halted(execution).0
}

fn what_was_stopped_goes_on_with_exactly_the_rest(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let job = desk.mass_job("op", KEYS, &[RAISE], (100, 300));
    let first = one_chunk(&desk, &job);
    let second = one_chunk(&desk, &desk.rest_of(&job));
    assert!(second.done > first.done, "{second:?}");
    let halted = desk.incident().halted("fix").expect("it can go on").clone();
    assert_eq!((halted.op.as_str(), halted.rows), ("op", second.rows));
    // What would be found by looking again is every row, done or not.
    let rest = desk.rest_of(&job);
    let preview = desk.preview(&rest);
    assert_eq!(preview.asked(), OPEN.unsigned_abs() - second.done);
    let execution = desk.drive(&rest, preview, &Reins::default(), &|_| {});
    assert_eq!(committed(&execution), OPEN.unsigned_abs());
    assert_eq!(raised(&mut desk), (1, 1, OPEN));
}

fn a_half_done_change_is_taken_back_and_the_undo_goes_on_too(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let before = dump(&mut desk, &["job"]);
    let job = desk.mass_job("op", KEYS, &[RAISE], (100, 200));
    for _ in 0..3 {
        one_chunk(&desk, &desk.rest_of(&job));
    }
    desk.run("UPDATE job SET n = 7 WHERE id = 1");
    let undo = desk.mass_undo(&job, "undo");
    one_chunk(&desk, &undo);
    assert_eq!(desk.incident().halted("fix").expect("it can go on").op, "undo");
    let undo = desk.mass_undo(&job, "undo");
    let preview = desk.preview(&undo);
    assert_eq!(preview.chunks.as_ref().map(|chunks| chunks.number), Some(2));
    let execution = desk.drive(&undo, preview, &Reins::default(), &|_| {});
    committed(&execution);
    // A row that somebody changed since is left alone.
    desk.run("UPDATE job SET n = 0 WHERE id = 1 AND n = 7");
    assert_eq!(dump(&mut desk, &["job"]), before);
    assert_eq!(desk.incident().changes[1].chunks.clone().unwrap().left_alone(), 1);
}

/// The preview is of the first chunk that does something; those before it do nothing, or it halts.
fn chunks_with_nothing_to_do_keep_nothing_from_being_done(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let job = desk.mass_job("op", KEYS, &[RAISE], (150, 400));
    desk.drive_on(&job);
    let chunks = desk.incident().changes[0].chunks.clone().expect("it was in chunks");
    let last: u64 = chunks.sent.iter().rev().take(2).map(|chunk| chunk.keys).sum();
    let open = format!("SELECT id FROM job WHERE state = 'open' ORDER BY id DESC LIMIT {last}");
    let from = desk.count(&format!("SELECT MIN(id) FROM ({open}) t"));
    desk.run(&format!("UPDATE job SET n = 50 WHERE id >= {from} AND state = 'open'"));

    let undo = desk.mass_undo(&job, "undo");
    let preview = desk.preview(&undo);
    let shown = preview.chunks.clone().expect("it is in chunks");
    assert_eq!(
        (preview.refused.as_slice(), shown.idle.chunks, preview.left_alone),
        ([].as_slice(), 2, last)
    );
    assert_eq!(
        (shown.idle.keys, shown.not_run()),
        (last, OPEN.unsigned_abs() - last - shown.first)
    );
    let words = format!("the first {last} change nothing, run for real: the {}", shown.first);
    assert!(shown.words(false).contains(&words), "{}", shown.words(false));
    // One of the rows is as the change left it again.
    desk.run(&format!("UPDATE job SET n = 1 WHERE id = {from}"));
    let Execution::Halted { why, progress, .. } =
        desk.drive(&undo, preview, &Reins::default(), &|_| {})
    else {
        panic!("it went on")
    };
    assert!(why.contains("changed nothing at the preview, and would write 1 row now"), "{why}");
    assert_eq!(progress.rows, 0);

    desk.run(&format!("UPDATE job SET n = 50 WHERE id = {from}"));
    let undo = desk.mass_undo(&job, "undo");
    let preview = desk.preview(&undo);
    assert_eq!(preview.chunks.as_ref().expect("it is in chunks").idle.chunks, 1);
    let execution = desk.drive(&undo, preview, &Reins::default(), &|_| {});
    assert_eq!(committed(&execution), OPEN.unsigned_abs() - last);
    let left = i64::try_from(last).expect("it is small");
    assert_eq!(raised(&mut desk), (0, 50, 50 * left));
    assert!(desk.incident().is_undone("op"));
}

/// What a cascade takes along in a chunk that nobody previewed.
/// Also of chunks that no preview showed.
fn an_undo_in_chunks_names_what_it_leaves_alone(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let job = desk.mass_job("op", KEYS, &[RAISE], (500, 900));
    assert_eq!(committed(&desk.drive_on(&job)), OPEN.unsigned_abs());
    desk.run("UPDATE job SET n = 9 WHERE id IN (5, 2999)");
    desk.run("DELETE FROM job WHERE id = 1201");
    let execution = desk.drive_on(&desk.mass_undo(&job, "undo"));
    assert_eq!(committed(&execution), OPEN.unsigned_abs() - 3);
    let Execution::Committed { said, .. } = execution else { panic!("{execution:?}") };
    let left =
        "left alone, because they were changed since: 3 rows: job id 2999, job id 1201, job id 5";
    assert_eq!(said, left);
    let (records, ..) = journal::read(&desk.journal.folder()).expect("a journal");
    let named = records.iter().filter_map(|record| match &record.entry {
        Entry::ChunkEnded { op, why, .. } if op == "undo" && !why.is_empty() => Some(why.as_str()),
        _ => None,
    });
    let each = ["left alone: job id 2999", "left alone: job id 1201", "left alone: job id 5"];
    assert_eq!(named.collect::<Vec<_>>(), each);
    assert_eq!(desk.incident().taken_back("op"), Some(3));
}

/// Keys that moved come back together or not at all.
fn rows_left_alone_for_the_sake_of_others_are_not_said_to_be_changed(engine: Dialect) {
    let rows: Vec<String> = (1..=30).map(|id| format!("({id}, 'b', {id})")).collect();
    let mut desk = Desk::new(
        engine,
        &format!(
            "CREATE TABLE t (id INTEGER, r VARCHAR(9), v INTEGER, PRIMARY KEY (id, r)); \
             INSERT INTO t VALUES {}",
            rows.join(", ")
        ),
    );
    let moves = "UPDATE t SET r = 'a' WHERE id IN (:chunk) AND r = 'b'";
    let job = desk.mass_job("op", "SELECT id FROM t ORDER BY id", &[moves], (10, 10));
    desk.drive_on(&job);
    desk.run("UPDATE t SET v = 99 WHERE id = 7");
    let execution = desk.drive_on(&desk.mass_undo(&job, "undo"));
    let Execution::Committed { said, .. } = execution else { panic!("{execution:?}") };
    let left = "left alone, because they were changed since: 1 row: t (id 7, r a); \
                19 more rows with these, because keys that moved come back together";
    assert_eq!(said, left);
    assert_eq!(desk.count("SELECT COUNT(*) FROM t WHERE r = 'a'"), 10);
    assert_eq!(desk.count("SELECT v FROM t WHERE id = 7"), 99);
}

fn an_undo_in_chunks_removes_nothing_that_others_added(engine: Dialect) {
    let schema = format!(
        "{}; CREATE TABLE ship (id INTEGER PRIMARY KEY); \
         CREATE TABLE line (id INTEGER PRIMARY KEY, ship_id INTEGER, \
         FOREIGN KEY (ship_id) REFERENCES ship (id) ON DELETE CASCADE)",
        schema(engine)
    );
    let adds = "INSERT INTO ship (id) SELECT id FROM job WHERE id IN (:chunk)";
    let lines = "INSERT INTO line (id, ship_id) SELECT id, id FROM job WHERE id IN (:chunk)";
    // Where a chunk that was shown writes that table, it is no news.
    for (change, said) in [
        (vec![adds], "line was not written at the preview"),
        (vec![adds, lines], "line id 5005 would be removed, which the change never wrote"),
    ] {
        let mut desk = Desk::new(engine, &schema);
        let job = desk.mass_job("op", KEYS, &change, (500, 900));
        assert_eq!(committed(&desk.drive_on(&job)), OPEN.unsigned_abs() * change.len() as u64);
        desk.run("INSERT INTO line VALUES (5005, 5)");
        let undo = desk.mass_undo(&job, "undo");
        let Execution::Halted { drift: Some(drift), .. } = desk.drive_on(&undo) else {
            panic!("it went on")
        };
        assert!(drift.differences[0].starts_with(said), "{drift:?}");
        assert_eq!(desk.count("SELECT COUNT(*) FROM line WHERE id = 5005"), 1);
    }
    let mut desk = Desk::new(engine, &schema);
    let job = desk.mass_job("op", KEYS, &[adds], (500, 900));
    assert_eq!(committed(&desk.drive_on(&job)), OPEN.unsigned_abs());
    desk.run("INSERT INTO line VALUES (9, 2999)");
    let preview = desk.preview(&desk.mass_undo(&job, "undo"));
    assert_eq!(preview.refused.len(), 1, "{:?}", preview.refused);
    assert!(preview.refused[0].starts_with("line id 9 would be removed"), "{:?}", preview.refused);
}

fn more_rows_than_the_runbook_allows_are_not_written(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let mut job = desk.mass_job("op", KEYS, &[RAISE], (100, 200));
    job.plan.limits.max_rows = 500;
    let preview = desk.preview(&job);
    assert_eq!(preview.refused, ["2,700 keys to be changed, and the runbook allows 500 rows"]);
    assert_eq!(raised(&mut desk), (0, 0, 0));
}

fn a_chunk_whose_commit_is_cut_off_is_found_out(dialect: Dialect) {
    let mut desk = Desk::on(dialect, &schema(dialect), Setup::tcp);
    let server = desk.server.as_ref().expect("a server");
    let proxy = Proxy::before(Upstream::Tcp(server.port()));
    let url = server.tcp_url(ADMIN, "127.0.0.1", proxy.port(), "erp");
    desk.target.url = TargetUrl::parse(&url, std::path::Path::new("")).expect("a url");
    let commit: &[u8] = match dialect {
        Dialect::Postgres => b"Q\0\0\0\x0bCOMMIT\0",
        _ => b"\x03COMMIT",
    };
    let job = desk.mass_job("op", KEYS, &[RAISE], (100, 100));
    let moments = [Moment::Answered, Moment::Held, Moment::Part(1), Moment::Part(6), Moment::Sent];
    let mut seen = [0, 0];
    for moment in moments {
        let rest = desk.rest_of(&job);
        let done = rest.plan.mass.as_ref().map_or(0, |mass| mass.before.keys);
        let preview = desk.preview(&rest);
        let armed = AtomicU64::new(0);
        let execution = desk.drive(&rest, preview, &Reins::default(), &|_| {
            if armed.fetch_add(1, Ordering::Relaxed) == 0 {
                proxy.arm(Fault::CutAt(commit.to_vec(), moment));
            }
        });
        proxy.wait();
        let (progress, _) = halted(execution);
        let now = desk.count("SELECT COUNT(*) FROM job WHERE n = 1").unsigned_abs();
        assert_eq!(progress.done, now, "{moment:?}: what is said is what is there");
        assert_eq!(ledger(&mut desk, "op").unsigned_abs() * 100, now, "{moment:?}");
        seen[usize::from(now > done + 100)] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "both endings were met: {seen:?}");
    committed(&desk.drive_on(&desk.rest_of(&job)));
    assert_eq!(raised(&mut desk), (1, 1, OPEN));
}

fn a_lock_in_the_way_makes_chunks_smaller(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let mut job = desk.mass_job("op", KEYS, &[RAISE], (100, 100));
    job.plan.limits.lock_wait = std::time::Duration::from_millis(200);
    let preview = desk.preview(&job);
    let other = Mutex::new(desk.other());
    let held = AtomicU64::new(0);
    let reins = Reins::default();
    let execution = desk.drive(&job, preview, &reins, &|progress| {
        let mut guard = other.lock().unwrap();
        let other = &mut *guard;
        // Held over the next chunk, whose end without a commit is told by a pause of ours.
        if progress.paused.is_some() {
            aside(|| other.run("ROLLBACK"));
            reins.pull(Rein::Go);
        } else if held.fetch_add(1, Ordering::Relaxed) == 0 {
            aside(|| other.run("BEGIN"));
            aside(|| other.run("UPDATE job SET n = n WHERE id = 151"));
            let reins = reins.clone();
            std::thread::spawn(move || {
                std::thread::park_timeout(std::time::Duration::from_millis(100));
                reins.pull(Rein::Pause);
            });
        }
    });
    assert_eq!(committed(&execution), OPEN.unsigned_abs());
    assert_eq!(raised(&mut desk), (1, 1, OPEN));
    let (records, _, _) = journal::read(&desk.journal.folder()).unwrap();
    let smaller = records.iter().filter(|record| {
        matches!(&record.entry, Entry::Paced { pacing: Pacing::Smaller, why, .. }
            if why.contains("another session holds the lock"))
    });
    assert!(smaller.count() > 0);
}

/// A row that was as before is written by nobody; so nothing but a lock of its own keeps an edit from looking
/// like the work of a trigger of ours.
fn what_is_edited_while_an_undo_runs_is_left_alone(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let job = desk.mass_job("op", KEYS, &[RAISE], (100, 100));
    desk.drive_on(&job);
    // Somebody has taken these two back already, in the second chunk of the undo; between them lies one that
    // is locked for a while.
    let (same, locked) = ([2_801, 2_849], 2_825);
    desk.run("UPDATE job SET n = 0 WHERE id IN (2801, 2849)");
    let mut undo = desk.mass_undo(&job, "undo");
    undo.plan.limits.lock_wait = std::time::Duration::from_secs(20);
    let preview = desk.preview(&undo);
    let [mut holder, mut editor, mut watcher] = [(); 3].map(|()| desk.other());
    let told = AtomicU64::new(0);
    let waiting = of(
        engine,
        [
            "",
            "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
            "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'",
        ],
    );
    let (begin, go) = std::sync::mpsc::channel();
    let go = Mutex::new(go);
    std::thread::scope(|scope| {
        let (begun, ready) = std::sync::mpsc::channel();
        scope.spawn(move || {
            go.lock().unwrap().recv().expect("a chunk is done");
            holder.run("BEGIN");
            holder.run(&format!("UPDATE job SET n = n WHERE id = {locked}"));
            begun.send(()).expect("it is awaited");
            while watcher.count(waiting) == 0 {
                std::thread::yield_now();
            }
            let edited = scope.spawn(move || {
                for id in same {
                    editor.run(&format!("UPDATE job SET n = 77 WHERE id = {id}"));
                }
            });
            while watcher.count(waiting) < 2 && !edited.is_finished() {
                std::thread::yield_now();
            }
            holder.run("ROLLBACK");
        });
        let ready = Mutex::new(ready);
        let execution = desk.drive(&undo, preview, &Reins::default(), &|_| {
            if told.fetch_add(1, Ordering::Relaxed) == 0 {
                begin.send(()).expect("somebody waits");
                ready.lock().unwrap().recv().expect("it is locked");
            }
        });
        committed(&execution);
    });
    assert_eq!(desk.count("SELECT SUM(n) FROM job WHERE id IN (2801, 2849)"), 154);
    assert_eq!(desk.count("SELECT COUNT(*) FROM job WHERE n <> 0"), 2);
}
