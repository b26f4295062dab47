//! Very many rows: the undo goes in batches, triggers move rows of one batch while another comes back,
//! and what is too much for a rehearsal is said to be.

use std::time::Duration;

use steadyhand::dialect::Dialect;
use steadyhand::ops::recover::Job;
use steadyhand::recovery::{Execution, Preview};

use super::common::desk::Desk;
use super::{dump, of};

contract! {
    rows_that_triggers_move_meanwhile_are_right_at_the_end on sqlite postgres mariadb;
    of_very_many_rows_only_the_edited_ones_are_left_alone on sqlite postgres mariadb;
    of_very_many_rows_the_first_are_rehearsed_and_kept_as_evidence on sqlite postgres mariadb;
    rows_that_differ_in_everything_come_back_many_at_a_time on mariadb,
        not sqlite: "nothing is saved where there is no way to go",
        not postgres: "there each row is one of a list with types; see the values";
}

/// Items in boxes; each box counts its own.
fn boxes(engine: Dialect, items: usize) -> Desk {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE box (id INTEGER PRIMARY KEY, name VARCHAR(20), items INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE item (id INTEGER PRIMARY KEY, box INTEGER NOT NULL, name VARCHAR(20))",
    );
    let numbers = of(
        engine,
        [
            format!(
                "(WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {items}) SELECT i FROM r)"
            ),
            format!("generate_series(1, {items}) AS n(i)"),
            format!("(SELECT seq AS i FROM seq_1_to_{items}) AS n"),
        ],
    );
    let name = of(engine, ["'item ' || i", "'item ' || i", "CONCAT('item ', i)"]);
    desk.run(&format!("INSERT INTO item SELECT i, i % 100, {name} FROM {numbers}"));
    desk.run("INSERT INTO box SELECT box, 'box', COUNT(*) FROM item GROUP BY box");
    let triggers = of(
        engine,
        [
            "CREATE TRIGGER d AFTER DELETE ON item BEGIN UPDATE box SET items = items - 1 WHERE id = OLD.box; END;
             CREATE TRIGGER i AFTER INSERT ON item BEGIN UPDATE box SET items = items + 1 WHERE id = NEW.box; END;",
            "CREATE FUNCTION d() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE box SET items = items - 1 WHERE id = OLD.box; RETURN NULL; END $$;
             CREATE FUNCTION i() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE box SET items = items + 1 WHERE id = NEW.box; RETURN NULL; END $$;
             CREATE TRIGGER d AFTER DELETE ON item FOR EACH ROW EXECUTE FUNCTION d();
             CREATE TRIGGER i AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION i();",
            "CREATE TRIGGER d AFTER DELETE ON item FOR EACH ROW UPDATE box SET items = items - 1 WHERE id = OLD.box;
             CREATE TRIGGER i AFTER INSERT ON item FOR EACH ROW UPDATE box SET items = items + 1 WHERE id = NEW.box;",
        ],
    );
    desk.script(triggers);
    desk
}

/// A busy machine takes its time, and the rehearsal of the undo must not be cut short by it.
fn patient(mut job: Job) -> Job {
    job.plan.limits.time_cap = Duration::from_mins(2);
    job
}

fn changed(desk: &Desk, statements: &[&str]) -> Preview {
    let preview = desk.done(&patient(desk.job("op", statements)));
    assert_eq!(preview.undo.impossible, None);
    assert_eq!(preview.undo.restored, preview.undo.of, "{:?}", preview.undo);
    preview
}

fn rows_that_triggers_move_meanwhile_are_right_at_the_end(engine: Dialect) {
    let mut desk = boxes(engine, 3_000);
    let before = dump(&mut desk, &["box", "item"]);
    let statements =
        ["DELETE FROM item WHERE id > 100 AND id % 7 <> 0", "DELETE FROM box WHERE id % 3 = 0"];
    changed(&desk, &statements);
    let preview = desk.done(&patient(desk.undo_job("op", "back")));
    assert_eq!(preview.left_alone, 0, "{:?}", preview.conflicts);
    assert_eq!(dump(&mut desk, &["box", "item"]), before);
}

fn of_very_many_rows_only_the_edited_ones_are_left_alone(engine: Dialect) {
    let mut desk = boxes(engine, 3_000);
    let before = dump(&mut desk, &["item"]);
    changed(&desk, &["UPDATE item SET name = 'x'"]);
    desk.run("UPDATE item SET name = 'mine' WHERE id BETWEEN 1000 AND 1299");
    desk.run("UPDATE item SET name = 'item 2222' WHERE id = 2222");
    desk.run("DELETE FROM item WHERE id = 3000");
    let job = patient(desk.undo_job("op", "back"));
    let preview = desk.preview(&job);
    assert_eq!((preview.left_alone, preview.conflicts.len()), (301, 200));
    assert_eq!(preview.statements[0].rows, 2_698);
    let execution = desk.execute(&job, preview);
    assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
    let after = dump(&mut desk, &["item"]);
    let mine: Vec<&String> = after.iter().filter(|row| row.ends_with("|mine")).collect();
    assert_eq!((after.len(), mine.len()), (2_999, 300));
    let others = after.iter().filter(|row| !row.ends_with("|mine"));
    assert!(others.clone().all(|row| before.contains(row)));
}

fn of_very_many_rows_the_first_are_rehearsed_and_kept_as_evidence(engine: Dialect) {
    let desk = boxes(engine, 12_345);
    let job = patient(desk.job("op", &["UPDATE item SET name = 'x'"]));
    let preview = desk.preview(&job);
    let sentence = "rehearsed on the first 10,000 of 12,345 rows: 10,000 come back";
    assert_eq!(preview.undo.sentence(), sentence);
    let evidence = serde_json::to_value(&preview).unwrap();
    let rows = &evidence["images"][0]["rows"];
    assert_eq!(rows["total"], 12_345);
    assert_eq!(rows["first"].as_array().unwrap().len(), 2_000);
}

fn rows_that_differ_in_everything_come_back_many_at_a_time(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE v (id INTEGER, code CHAR(4) CHARACTER SET latin1, PRIMARY KEY (id, code),
             a BOOLEAN, b INT(6) ZEROFILL, c DECIMAL(20,4), d DOUBLE, e FLOAT, f BIT(9), g VARBINARY(9), h BLOB,
             i DATE, j DATETIME(6), k TIMESTAMP NULL, l TIME(3), m YEAR, n JSON, o ENUM('x','Y'), p SET('p','q'),
             q VARCHAR(9) CHARACTER SET latin1, r VARCHAR(9) COLLATE utf8mb4_bin, s POINT, t UUID, u INET6,
             big BIGINT UNSIGNED)",
    );
    desk.run(
        "INSERT INTO v SELECT seq, CONCAT('é', seq MOD 3), seq MOD 2, seq, seq / 7, seq / 7, seq / 7, seq, \
         CHAR(seq, 0, 255), REPEAT('z', seq), IF(seq MOD 2, '0000-00-00', '2024-02-29'), '2024-02-29 23:59:59' + INTERVAL seq MICROSECOND, \
         '2024-03-31 00:30:00' + INTERVAL seq MINUTE, SEC_TO_TIME(seq), 2000 + seq MOD 9, CONCAT('{\"n\": ', seq, '}'), \
         IF(seq MOD 2, 'x', 'Y'), IF(seq MOD 2, 'p,q', ''), CONCAT('ü', seq), IF(seq MOD 5, CONCAT('😀', seq), NULL), \
         POINT(seq, 2), UUID(), CONCAT('2001:db8::', HEX(seq)), 18446744073709551615 - seq FROM seq_1_to_250",
    );
    let all = [
        "SELECT CONCAT_WS('|', v.id, HEX(code), a, b, c, d, HEX(f), HEX(g), HEX(h), i, j, k, l, m, n, o, p, HEX(q), \
         IFNULL(HEX(r), '-'), HEX(s), t, u, big) FROM v ORDER BY id, code",
    ];
    let before = desk.rows(all[0]);
    let written = |desk: &mut Desk| {
        let status = "SELECT SUM(variable_value) FROM information_schema.global_status \
             WHERE variable_name IN ('Com_update', 'Com_delete', 'Com_insert')";
        desk.count(status)
    };
    let few = |desk: &mut Desk, op: &str, statement: &str| {
        desk.done(&patient(desk.job(op, &[statement])));
        let job = patient(desk.undo_job(op, &format!("{op}-back")));
        let start = written(desk);
        let preview = desk.done(&job);
        assert_eq!((preview.left_alone, preview.rows()), (0, 250), "{:?}", preview.conflicts);
        let statements = written(desk) - start;
        assert!(statements < 25, "{statement}: {statements} statements");
        assert_eq!(desk.rows(all[0]), before, "{statement}");
    };
    few(
        &mut desk,
        "null",
        "UPDATE v SET a = NULL, b = NULL, c = NULL, d = NULL, e = NULL, f = NULL, g = NULL, h = NULL, i = NULL, j = NULL, \
         k = NULL, l = NULL, m = NULL, n = NULL, o = NULL, p = NULL, q = NULL, r = 'x', s = NULL, t = NULL, u = NULL, big = NULL",
    );
    few(&mut desk, "gone", "DELETE FROM v");
    few(&mut desk, "more", "INSERT INTO v (id, code) SELECT id + 1000, code FROM v");
}
