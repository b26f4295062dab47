//! What databases and drivers have in store for whoever previews a change, each reproduced once. Some
//! are cases of the other files:
//!
//! | trap | case |
//! |---|---|
//! | COMMIT sent and the socket cut | `in_doubt::a_commit_that_is_cut_off_is_told_as_it_ended` |
//! | a dropped transaction keeps its locks; a dropped future goes on running | `commits::what_a_dead_program_held_is_let_go` |
//! | a late cancel hits the next statement | `sessions::a_late_cancel_hits_nobody` |
//! | tables that no rollback takes back (MyISAM, Aria, MEMORY, foreign, virtual) | `refusals::tables_that_no_rollback_takes_back` |
//! | a definition in the middle commits | `refusals::statements_that_are_no_change_of_rows` |
//! | a lock wait that times out keeps what came before | `commits::a_lock_that_is_held_is_said_and_nothing_is_changed` |
//! | a swap in a unique column | `undoing::a_swap_in_a_unique_column_has_no_undo_and_says_so_before` |
//! | a key that the database gave out, put back | `undoing::keys_that_the_database_gave_out_come_back` |
//! | an edit before the undo | `undoing::a_row_that_somebody_edited_since_is_left_alone` |
//! | rows of triggers that no undo takes back | `undoing::triggers_fire_again_and_what_they_wrote_stays` |
//! | a table without a key | `undoing::a_table_without_a_key_has_no_undo_and_says_so_before` |
//! | a detector that sees a part of the rows | `checks::rows_that_a_policy_hides_are_inconclusive` |
//! | a read-only transaction that locks, notifies, writes a file | `checks::what_acts_although_it_reads_is_no_check` |
//! | an orphan below a valid reference | `checks::an_orphan_below_a_valid_reference_is_found` |
//! | an invalid index after a failed concurrent build | `guardrails::what_a_failed_attempt_left_is_found_and_taken_away` |
//! | ADD CHECK that falls back to copying the table | `guardrails::a_definition_that_would_block_writers_is_refused_by_the_server` |

use steadyhand::dialect::Dialect;
use steadyhand::engine::{Purpose, Setting, Stopper};
use steadyhand::ops::look;
use steadyhand::recovery::Looked;
use steadyhand::sql::Counted;

use super::common::album::Album;
use super::common::desk::Desk;
use super::previews::{images, writes};
use super::{LONG, STOCK, dump, of};

contract! {
    a_row_that_others_lock_as_well_is_among_the_images on postgres mariadb,
        not sqlite: "rows are not locked";
    a_row_that_only_a_foreign_key_check_locked_is_no_image on sqlite postgres mariadb;
    rows_of_a_savepoint_are_images_and_those_that_it_took_back_are_not on postgres,
        not sqlite: "a trigger cannot take a part of its work back and go on",
        not mariadb: "what a handler inside a trigger goes on from is not taken back";
    counters_carried_over_from_an_earlier_transaction_do_not_count on sqlite postgres mariadb;
    rows_that_others_commit_meanwhile_are_not_ours on postgres mariadb,
        not sqlite: "nobody else can write meanwhile";
    a_deferred_reference_fails_in_the_preview_and_not_at_commit on sqlite postgres,
        not mariadb: "it looks at references row by row";
    an_update_that_changes_nothing_is_told_from_one_that_does on sqlite postgres mariadb;
    a_value_that_does_not_fit_is_no_shorter_value on sqlite postgres mariadb;
    references_are_enforced_although_the_client_of_the_engine_does_not on sqlite,
        not postgres: "nobody can switch them off but a superuser",
        not mariadb: "they are on for every new session; ours are set and read back";
    a_number_of_the_first_look_is_counted_and_not_the_planners on sqlite postgres mariadb;
    a_first_look_counts_no_row_twice_or_says_at_most on sqlite postgres mariadb;
    a_first_look_reads_what_the_statement_says on sqlite postgres mariadb;
    safe_updates_are_no_guard_and_do_not_stand_in_the_way on mariadb,
        not sqlite: "it has no such setting",
        not postgres: "it has no such setting";
}

const FAMILY: &str = "
CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20));
CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER, FOREIGN KEY (parent_id) REFERENCES parent (id));
INSERT INTO parent VALUES (1, 'one'), (2, 'two'); INSERT INTO child VALUES (1, 1);
";

/// On PostgreSQL such a row bears the number of a group of lockers instead of ours.
fn a_row_that_others_lock_as_well_is_among_the_images(engine: Dialect) {
    let desk = Desk::new(engine, FAMILY);
    let mut other = desk.other();
    other.run("BEGIN");
    // MariaDB's weakest lock keeps writers out: there another row of the same page is locked.
    other.run(of(
        engine,
        [
            "",
            "SELECT * FROM parent WHERE id = 2 FOR KEY SHARE",
            "INSERT INTO child VALUES (5, NULL)",
        ],
    ));
    let preview = desk.preview(&desk.job("op", &["UPDATE parent SET name = 'x'"]));
    assert_eq!(images(&preview), ["parent 1: 1,one -> 1,x", "parent 2: 2,two -> 2,x"]);
    assert_eq!((preview.undo.restored, preview.undo.of), (2, 2));
    other.run("ROLLBACK");
}

fn a_row_that_only_a_foreign_key_check_locked_is_no_image(engine: Dialect) {
    let desk = Desk::new(engine, FAMILY);
    let statements =
        ["INSERT INTO child VALUES (7, 1)", "UPDATE parent SET name = 'x' WHERE id = 2"];
    let preview = desk.preview(&desk.job("op", &statements));
    assert_eq!(images(&preview), ["child 7: - -> 7,1", "parent 2: 2,two -> 2,x"]);
    assert_eq!(writes(&preview), ["child 1 ins / -", "parent 1 upd / -"]);
}

fn rows_of_a_savepoint_are_images_and_those_that_it_took_back_are_not(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.script(
        "CREATE TABLE log (id INTEGER PRIMARY KEY, what VARCHAR(9));
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           BEGIN INSERT INTO log VALUES (NEW.id, 'kept'); EXCEPTION WHEN division_by_zero THEN NULL; END;
           BEGIN INSERT INTO log VALUES (NEW.id + 100, 'gone'); PERFORM 1 / 0;
           EXCEPTION WHEN division_by_zero THEN NULL; END; RETURN NULL; END $$;
         CREATE TRIGGER t AFTER UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION f();",
    );
    let preview = desk.preview(&desk.job("op", &["UPDATE stock SET n = 0 WHERE id < 3"]));
    assert_eq!(
        images(&preview),
        [
            "log 1: - -> 1,kept",
            "log 2: - -> 2,kept",
            "stock 1: 1,one,1 -> 1,one,0",
            "stock 2: 2,two,2 -> 2,two,0",
        ]
    );
    assert_eq!(writes(&preview), ["stock 2 upd / -", "log - / 2 ins"]);
}

/// What a watched transaction of these sessions wrote: `table inserted/updated/deleted`.
fn watched(desk: &Desk, before: &[&str], statements: &[&str], meanwhile: &str) -> Vec<String> {
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    let mut observe = desk.open(Purpose::Detect, &Stopper::default());
    let tables = desk.block_on(work.tables()).unwrap();
    desk.block_on(work.begin(LONG)).unwrap();
    for sql in before {
        desk.block_on(work.execute(sql)).unwrap();
    }
    desk.block_on(work.rollback()).unwrap();
    desk.block_on(work.begin_watched(&mut observe, &tables, "op", LONG)).unwrap();
    for sql in statements {
        desk.block_on(work.execute(sql)).unwrap();
    }
    if !meanwhile.is_empty() {
        desk.other().run(meanwhile);
    }
    let (touched, blind) =
        desk.block_on(work.written(&mut observe, &mut Album::default())).unwrap();
    assert_eq!(blind, [""; 0]);
    desk.block_on(work.take_back(&mut observe)).unwrap();
    let words = touched.iter();
    words.map(|t| format!("{} {}/{}/{}", t.table, t.inserted, t.updated, t.deleted)).collect()
}

fn counters_carried_over_from_an_earlier_transaction_do_not_count(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let earlier = ["INSERT INTO stock VALUES (8, 'x', 8), (9, 'x', 9)", "UPDATE stock SET n = 0"];
    let seen = watched(&desk, &earlier, &["DELETE FROM stock WHERE id = 1"], "");
    assert_eq!(seen, ["stock 0/0/1"]);
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
}

fn rows_that_others_commit_meanwhile_are_not_ours(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let theirs = "UPDATE stock SET n = 9 WHERE id = 3";
    let seen = watched(&desk, &[], &["UPDATE stock SET name = 'ours' WHERE id < 3"], theirs);
    assert_eq!(seen, ["stock 0/2/0"]);
    assert_eq!(dump(&mut desk, &["stock"]), ["stock 1|one|1", "stock 2|two|2", "stock 3|NULL|9"]);
}

fn a_deferred_reference_fails_in_the_preview_and_not_at_commit(engine: Dialect) {
    let desk = Desk::new(
        engine,
        "CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    let problem = desk.try_preview(&desk.job("op", &["INSERT INTO c VALUES (1, 5)"]));
    let problem = problem.expect_err("it points nowhere");
    let words = of(engine, ["1 references would point nowhere", "c_p_fkey", ""]);
    assert!(problem.sentence.contains(words), "{problem}");
    // What is whole in the end is no fault.
    let statements = ["INSERT INTO c VALUES (1, 5)", "INSERT INTO p VALUES (5)"];
    assert_eq!(desk.preview(&desk.job("op", &statements)).refused, [""; 0]);
}

fn an_update_that_changes_nothing_is_told_from_one_that_does(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let preview = desk.preview(&desk.job("op", &["UPDATE stock SET n = 2"]));
    assert_eq!(preview.statements[0].rows, 3);
    let told = "1 row written with the values that are there".to_owned();
    assert!(preview.warnings.contains(&told), "{:?}", preview.warnings);
    assert_eq!(images(&preview).len(), 2);
    assert_eq!((preview.undo.restored, preview.undo.of), (2, 2));
}

/// A server that is lax cuts such a value and says no more than a warning.
fn a_value_that_does_not_fit_is_no_shorter_value(engine: Dialect) {
    let schema = of(
        engine,
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT CHECK (length(v) < 4)) STRICT",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(3))",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(3))",
        ],
    );
    let mut desk = Desk::on(engine, schema, |setup| match engine {
        Dialect::Mariadb => setup.with("sql-mode", ""),
        _ => setup,
    });
    desk.run("INSERT INTO t VALUES (1, 'abc')");
    let problem = desk.try_preview(&desk.job("op", &["UPDATE t SET v = 'abcdef'"]));
    let said = problem.expect_err("it does not fit").sentence;
    let words = of(engine, ["CHECK constraint failed", "value too long", "Data too long"]);
    assert!(said.contains(words), "{said}");
    assert_eq!(desk.rows("SELECT v FROM t"), [["abc"]]);
}

fn references_are_enforced_although_the_client_of_the_engine_does_not(engine: Dialect) {
    let mut desk = Desk::new(engine, FAMILY);
    desk.run("PRAGMA foreign_keys = OFF");
    let problem = desk.try_preview(&desk.job("op", &["INSERT INTO child VALUES (8, 99)"]));
    assert!(problem.expect_err("refused").sentence.contains("FOREIGN KEY constraint failed"));
    let mut session = desk.open(Purpose::Work, &Stopper::default());
    let identity = desk.block_on(session.identity()).unwrap();
    let told: Vec<String> = identity.settings.iter().map(Setting::words).collect();
    assert!(told.contains(&"foreign_keys 1".to_owned()), "{told:?}");
}

fn a_number_of_the_first_look_is_counted_and_not_the_planners(engine: Dialect) {
    let schema = of(
        engine,
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER);
             INSERT INTO t WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 5000) SELECT i, i % 70, i % 70 FROM r",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER);
             INSERT INTO t SELECT i, i % 70, i % 70 FROM generate_series(1, 5000) i; ANALYZE t",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER);
             INSERT INTO t SELECT seq, seq % 70, seq % 70 FROM seq_1_to_5000; ANALYZE TABLE t",
        ],
    );
    let desk = Desk::new(engine, schema);
    // Two conditions that are one: a planner takes them for independent of each other.
    let job = desk.job("op", &["UPDATE t SET a = 0 WHERE a = 7 AND b = 7"]);
    let first = desk.block_on(look::look(&job, &Stopper::default())).unwrap();
    let Looked::Rows { rows, .. } = &first.statements[0].1 else { panic!("{first:?}") };
    let preview = desk.preview(&job);
    assert_eq!((*rows, preview.rows()), (72, 72));
}

fn a_first_look_counts_no_row_twice_or_says_at_most(engine: Dialect) {
    let schema = "CREATE TABLE orders (id INTEGER PRIMARY KEY, paid INTEGER);
         INSERT INTO orders VALUES (1, 0), (2, 0), (3, 0);
         CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id INTEGER);
         INSERT INTO payments VALUES (11, 1), (12, 1), (13, 2)";
    let desk = Desk::new(engine, schema);
    let from = "UPDATE orders AS o SET paid = 1 FROM payments p WHERE p.order_id = o.id";
    let using = "DELETE FROM orders AS o USING payments p WHERE p.order_id = o.id";
    let join = "JOIN payments p ON p.order_id = o.id";
    let (update, delete) = (
        format!("UPDATE orders o {join} SET o.paid = 1"),
        format!("DELETE o FROM orders o {join}"),
    );
    let nothing = "INSERT INTO orders VALUES (3, 1), (4, 1) ON CONFLICT DO NOTHING";
    let ignore = "INSERT IGNORE INTO orders VALUES (3, 1), (4, 1)";
    let exactly = |rows| (rows, Counted::Exactly);
    let at_most = |rows| (rows, Counted::AtMost);
    let cases = match engine {
        Dialect::Mariadb => {
            vec![(&*update, at_most(3), 2), (&*delete, at_most(3), 2), (ignore, at_most(2), 1)]
        }
        Dialect::Postgres => {
            vec![(from, exactly(2), 2), (using, exactly(2), 2), (nothing, at_most(2), 1)]
        }
        _ => vec![(from, exactly(2), 2), (nothing, at_most(2), 1)],
    };
    for (sql, told, changed) in cases {
        let job = desk.job("op", &[sql]);
        let first = desk.block_on(look::look(&job, &Stopper::default())).unwrap();
        let Looked::Rows { rows, counted, .. } = first.statements[0].1 else { panic!("{first:?}") };
        assert_eq!((rows, counted), told, "{sql}");
        assert_eq!(desk.preview(&job).rows(), changed, "{sql}");
    }
}

/// A level of backslashes or quotes less would be another text.
fn a_first_look_reads_what_the_statement_says(engine: Dialect) {
    let path = of(engine, [r"'C:\a'", r"'C:\a'", r"'C:\\a'"]);
    let schema = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p VARCHAR(9));
         INSERT INTO t VALUES (1, {path}), (2, ''''''), (3, '16')"
    );
    let desk = Desk::new(engine, &schema);
    let path = of(engine, [r"p LIKE 'C:\%'", r"p LIKE 'C:\\%'", r"p LIKE 'C:\\\\%'"]);
    let end = of(engine, [r"p <> '\'''", r"p <> '\'''", r"p <> '\\'"]);
    for (condition, changed) in
        [(path, 1), ("p = ''''''", 1), (&format!("{end} AND p <> ' OR 1 = 0 OR p = '"), 3)]
    {
        let job = desk.job("op", &[&format!("DELETE FROM t WHERE {condition}")]);
        let first = desk.block_on(look::look(&job, &Stopper::default())).unwrap();
        let Looked::Rows { rows, .. } = first.statements[0].1 else { panic!("{first:?}") };
        assert_eq!((rows, desk.preview(&job).rows()), (changed, changed), "{condition}");
    }
    // A number that the tree would write as bytes.
    let job = desk.job("op", &["DELETE FROM t WHERE id < 3 AND 0x10 = 16"]);
    let first = desk.block_on(look::look(&job, &Stopper::default())).unwrap();
    let Looked::Not(why) = &first.statements[0].1 else { panic!("{first:?}") };
    assert!(why.contains("the preview counts them"), "{why}");
}

fn safe_updates_are_no_guard_and_do_not_stand_in_the_way(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.run("SET GLOBAL sql_safe_updates = 1");
    let refused = desk.other().try_run("UPDATE stock SET n = 0 WHERE n > 0");
    assert!(refused.is_err(), "it is on for others");
    // Such a server lets `id > 0` through, which is every row, and refuses a condition without a key.
    for condition in ["id > 0", "n > 0"] {
        let sql = format!("UPDATE stock SET n = n + 1 WHERE {condition}");
        assert_eq!(desk.preview(&desk.job("op", &[&sql])).rows(), 3);
    }
}
