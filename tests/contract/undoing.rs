//! The undo of a change: what it brings back, what it leaves alone, and what is known before the
//! confirmation where it cannot.

use steadyhand::dialect::Dialect;
use steadyhand::recovery::Execution;
use steadyhand::recovery::protocol::confirmation;

use super::common::desk::Desk;
use super::common::dice::{Dice, rounds};
use super::{STOCK, dump, family, of, serial};

contract! {
    rows_that_went_came_and_changed_come_back on sqlite postgres mariadb;
    a_row_that_somebody_edited_since_is_left_alone on sqlite postgres mariadb;
    a_row_that_the_database_refuses_is_left_alone on sqlite postgres mariadb;
    a_row_that_a_trigger_keeps_is_left_alone on sqlite postgres,
        not mariadb: "a trigger there can refuse a write, and not skip it";
    an_undo_takes_nothing_along_that_others_put_below on sqlite postgres mariadb;
    an_undo_cuts_off_what_others_put_below_only_after_it_was_said on sqlite postgres mariadb;
    a_key_gets_its_letters_back_with_all_that_refers_to_it on sqlite postgres mariadb;
    children_get_letters_of_their_own_back on sqlite postgres mariadb;
    a_row_that_got_its_letters_back_waits_for_its_place on sqlite postgres mariadb;
    what_an_undo_would_destroy_is_never_said_to_stay on sqlite postgres mariadb;
    a_table_without_a_key_that_triggers_only_add_to_keeps_nothing_from_an_undo on sqlite postgres mariadb;
    an_undo_can_be_undone on sqlite postgres mariadb;
    an_undo_may_write_more_than_its_change_with_what_triggers_add on sqlite postgres mariadb;
    triggers_fire_again_and_what_they_wrote_stays on sqlite postgres mariadb;
    keys_that_the_database_gave_out_come_back on sqlite postgres mariadb;
    generated_columns_are_left_out on sqlite postgres mariadb;
    keys_of_several_columns_are_kept_apart on sqlite postgres mariadb;
    a_table_without_a_key_has_no_undo_and_says_so_before on sqlite postgres mariadb;
    a_swap_in_a_unique_column_has_no_undo_and_says_so_before on sqlite postgres mariadb;
    values_that_moved_up_in_a_unique_column_move_down on sqlite postgres mariadb;
    a_trigger_that_stands_in_the_way_is_known_before on sqlite postgres mariadb;
    a_row_of_an_undone_change_is_not_undone_twice on sqlite postgres mariadb;
    a_key_that_is_equal_but_not_the_same_comes_back on postgres,
        not sqlite: "a number has one form",
        not mariadb: "a column has one scale";
    of_two_tables_of_one_name_the_one_that_was_named_is_taken_back on postgres,
        not sqlite: "a file is one schema",
        not mariadb: "a schema is a database, and only one is watched";
    rows_of_a_table_that_inherits_are_not_its_parents on postgres,
        not sqlite: "no table inherits",
        not mariadb: "no table inherits";
    rows_written_through_a_part_come_back on postgres,
        not sqlite: "no table has parts",
        not mariadb: "a part has no name that a statement could write";
    what_a_moved_key_carried_along_comes_back on sqlite postgres mariadb;
    rows_that_got_another_key_come_back_together_or_not_at_all on sqlite postgres mariadb;
    rows_that_moved_to_another_part_come_back_together_or_not_at_all on postgres,
        not sqlite: "no table has parts",
        not mariadb: "the key of a part is a key of the table";
    what_our_own_triggers_touch_comes_back_too on sqlite postgres mariadb;
    a_row_that_triggers_touch_again_and_again_comes_back on sqlite postgres,
        not mariadb: "no trigger writes to the table that it is of";
    what_somebody_changed_stays_whatever_our_triggers_make_of_it on sqlite postgres mariadb;
    what_waits_for_the_commit_is_taken_back_too on postgres,
        not sqlite: "no trigger waits",
        not mariadb: "no trigger waits";
    rows_whose_key_follows_from_what_was_set_come_back_together_too on sqlite postgres mariadb;
    what_a_trigger_sets_anew_is_said_and_not_fought_over on postgres mariadb,
        not sqlite: "a trigger of one column does not fire for another";
    what_an_undo_would_sweep_away_keeps_it_from_running on sqlite postgres mariadb;
    any_change_is_taken_back_but_for_what_was_edited_since on sqlite postgres mariadb;
}

/// Executes the statements, takes them back, and gives the preview of the change.
fn there_and_back(desk: &mut Desk, statements: &[&str], tables: &[&str]) {
    let before = dump(desk, tables);
    let job = desk.job("op", statements);
    let preview = desk.done(&job);
    assert_eq!(preview.undo.impossible, None);
    assert_eq!(preview.undo.restored, preview.undo.of, "{:?}", preview.undo);
    assert_ne!(dump(desk, tables), before);
    let back = desk.done(&desk.undo_job("op", "back"));
    assert_eq!((back.conflicts.len(), back.left_alone), (0, 0));
    assert_eq!(dump(desk, tables), before);
}

/// They are written directly, whichever name the statement has for them.
fn rows_written_through_a_part_come_back(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE SCHEMA old;
         CREATE TABLE bill (id INTEGER, year INTEGER, n INTEGER, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
         CREATE TABLE bill_2025 PARTITION OF bill FOR VALUES IN (2025);
         CREATE TABLE old.stock PARTITION OF bill FOR VALUES IN (2024) PARTITION BY LIST (year);
         CREATE TABLE old.few PARTITION OF old.stock DEFAULT;
         CREATE TABLE stock (id INTEGER PRIMARY KEY);
         INSERT INTO bill VALUES (1, 2024, 1), (2, 2025, 2), (3, 2025, 3)",
    );
    let statements = [
        "INSERT INTO bill_2025 VALUES (9, 2025, 9)",
        "UPDATE Bill_2025 SET n = 7 WHERE id = 2",
        "DELETE FROM old.stock WHERE id = 1",
        "INSERT INTO old.few VALUES (8, 2024, 8)",
    ];
    let preview = desk.preview(&desk.job("look", &statements));
    let writes: Vec<String> = preview
        .writes
        .iter()
        .map(|w| format!("{}: {} + {} hidden", w.table, w.direct.words(), w.hidden.total()))
        .collect();
    assert_eq!(writes, ["bill: 2 ins 1 upd 1 del + 0 hidden"]);
    there_and_back(&mut desk, &statements, &["bill"]);
}

fn rows_that_went_came_and_changed_come_back(engine: Dialect) {
    let mut desk = Desk::new(engine, &family(engine));
    let statements = [
        "DELETE FROM parent WHERE id = 1",
        "UPDATE parent SET name = 'x' WHERE id > 1",
        "INSERT INTO child VALUES (9, 2, 5)",
        "UPDATE child SET v = NULL WHERE id = 3",
    ];
    there_and_back(&mut desk, &statements, &["parent", "child"]);
}

/// Removing the row under its new key would remove its children, or cut them off.
fn what_a_moved_key_carried_along_comes_back(engine: Dialect) {
    for deleted in ["CASCADE", "SET NULL"] {
        let schema = format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, v INTEGER); \
             CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, FOREIGN KEY (p) REFERENCES p (id) \
             ON UPDATE CASCADE ON DELETE {deleted}); \
             INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO c VALUES (5, 1), (6, 1), (7, 2)"
        );
        let mut desk = Desk::new(engine, &schema);
        there_and_back(&mut desk, &["UPDATE p SET id = 10 WHERE id = 1"], &["p", "c"]);
    }
}

/// The row under its old key cannot come back beside the one under the new key.
fn what_an_undo_would_sweep_away_keeps_it_from_running(engine: Dialect) {
    let schema = |deleted: &str| {
        format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, v INTEGER UNIQUE); \
             CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, FOREIGN KEY (p) REFERENCES p (id) \
             ON UPDATE CASCADE ON DELETE {deleted}); \
             INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO c VALUES (5, 1), (6, 1), (7, 2)"
        )
    };
    let statement = "UPDATE p SET id = 10 WHERE id = 1";
    let mut desk = Desk::new(engine, &schema("SET NULL"));
    there_and_back(&mut desk, &[statement], &["p", "c"]);
    let mut desk = Desk::new(engine, &schema("CASCADE"));
    if engine == Dialect::Sqlite {
        // References are looked at when all is done: what was carried along goes back first.
        return there_and_back(&mut desk, &[statement], &["p", "c"]);
    }
    let preview = desk.preview(&desk.job("op", &[statement]));
    let sentence = preview.undo.sentence();
    let swept = ", which the change only carried along, would be removed with the row that it";
    assert!(
        sentence.starts_with("no undo: tried, and c id") && sentence.contains(swept),
        "{sentence}"
    );
}

/// The server finds the new key by the old one.
fn a_key_that_is_equal_but_not_the_same_comes_back(engine: Dialect) {
    let schema =
        "CREATE TABLE size (id numeric PRIMARY KEY, v int); INSERT INTO size VALUES (1.00, 1)";
    let mut desk = Desk::new(engine, schema);
    there_and_back(&mut desk, &["UPDATE size SET id = 1.0 WHERE v = 1"], &["size"]);
}

fn rows_of_a_table_that_inherits_are_not_its_parents(engine: Dialect) {
    let schema = "CREATE TABLE p (id int PRIMARY KEY, v int); \
                  CREATE TABLE c (PRIMARY KEY (id)) INHERITS (p); \
                  INSERT INTO p VALUES (1, 1), (2, 5); INSERT INTO c VALUES (1, 2), (2, 5)";
    let mut desk = Desk::new(engine, schema);
    there_and_back(&mut desk, &["UPDATE p SET v = 2 WHERE v = 1"], &["p", "c"]);
    let mut desk = Desk::new(engine, schema);
    desk.done(&desk.job("op", &["INSERT INTO p VALUES (3, 7)"]));
    desk.run("INSERT INTO c VALUES (3, 7)");
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(desk.count("SELECT count(*) FROM c"), 3);
    assert_eq!(desk.count("SELECT count(*) FROM ONLY p"), 2);
}

fn of_two_tables_of_one_name_the_one_that_was_named_is_taken_back(engine: Dialect) {
    let schema = "CREATE SCHEMA archive; CREATE TABLE archive.orders (id int PRIMARY KEY); \
                  CREATE TABLE public.orders (id int PRIMARY KEY)";
    let mut desk = Desk::new(engine, schema);
    there_and_back(&mut desk, &["INSERT INTO public.orders VALUES (1)"], &["orders"]);
}

fn a_row_that_somebody_edited_since_is_left_alone(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.done(&desk.job("op", &["UPDATE stock SET name = 'x'"]));
    desk.run("UPDATE stock SET name = 'mine' WHERE id = 2");
    desk.run("DELETE FROM stock WHERE id = 3");
    let preview = desk.done(&desk.undo_job("op", "back"));
    let told: Vec<String> = preview
        .conflicts
        .iter()
        .map(|c| format!("{} {} {:?}", c.table, c.key, c.columns))
        .collect();
    assert_eq!(
        told,
        [
            "stock id 3 [(\"name\", \"NULL\", \"x\", \"no row\")]",
            "stock id 2 [(\"name\", \"two\", \"x\", \"mine\")]",
        ]
    );
    assert_eq!((preview.left_alone, preview.rows()), (2, 1));
    assert_eq!(dump(&mut desk, &["stock"]), ["stock 1|one|1", "stock 2|mine|2"]);
}

/// What others wrote since may be in the way of a row and not of the others.
fn a_row_that_the_database_refuses_is_left_alone(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE p (id INTEGER PRIMARY KEY, code VARCHAR(9) NOT NULL UNIQUE); \
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, FOREIGN KEY (p) REFERENCES p (id)); \
         INSERT INTO p VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')",
    );
    let delete = "DELETE FROM p WHERE id IN (3, 4)";
    let update = "UPDATE p SET code = 'x' WHERE id = 2";
    desk.done(&desk.job("op", &["INSERT INTO p VALUES (10, 'new')", update, delete]));
    desk.run("INSERT INTO p VALUES (20, 'b'), (21, 'd')");
    // A file looks at references when all is done, and then at all of them.
    let (held, left) = if engine == Dialect::Sqlite { ("", 2) } else { ("p 10|new", 3) };
    if !held.is_empty() {
        desk.run("INSERT INTO c VALUES (1, 10)");
    }
    let preview = desk.preview(&desk.undo_job("op", "back"));
    assert_eq!((preview.left_alone, preview.refused.as_slice()), (left, [].as_slice()));
    let refused = preview.conflicts.iter().filter(|one| one.refused.is_some());
    assert_eq!(refused.count() as u64, left, "{:?}", preview.conflicts);
    let execution = desk.execute(&desk.undo_job("op", "back"), preview);
    let said = format!(
        "left alone, because they were changed since or the database refuses them: {left} rows"
    );
    assert!(format!("{execution:?}").contains(&said), "{execution:?}");
    let wanted = ["p 1|a", "p 2|x", "p 3|c", held, "p 20|b", "p 21|d"];
    let wanted: Vec<&str> = wanted.into_iter().filter(|row| !row.is_empty()).collect();
    assert_eq!(dump(&mut desk, &["p"]), wanted);
}

/// Without a word: the write is skipped, and the row is as the change left it.
fn a_row_that_a_trigger_keeps_is_left_alone(engine: Dialect) {
    let trigger = of(
        engine,
        [
            "CREATE TRIGGER keep BEFORE UPDATE ON stock WHEN OLD.name = 'closed' AND OLD.id = 2
             BEGIN SELECT RAISE(IGNORE); END;",
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF OLD.name = 'closed' AND OLD.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$;
             CREATE TRIGGER keep BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION keep();",
            "",
        ],
    );
    let mut desk = Desk::new(engine, STOCK);
    desk.script(trigger);
    let preview = desk.preview(&desk.job("op", &["UPDATE stock SET name = 'closed'"]));
    let sentence = preview.undo.sentence();
    assert!(sentence.starts_with("no undo: tried, and"), "{sentence}");
    assert!(sentence.contains("a trigger or rule keeps the row as it is"), "{sentence}");
    let execution = desk.execute(&desk.job("op", &["UPDATE stock SET name = 'closed'"]), preview);
    assert!(format!("{execution:?}").contains("Committed"), "{execution:?}");
    let preview = desk.preview(&desk.undo_job("op", "back"));
    assert_eq!(preview.left_alone, 1);
    let refused = preview.conflicts[0].refused.clone().unwrap_or_default();
    assert!(refused.contains("a trigger or rule keeps the row as it is"), "{refused}");
    let execution = desk.execute(&desk.undo_job("op", "back"), preview);
    let said = "left alone, because they were changed since or the database refuses them: 1 row";
    assert!(format!("{execution:?}").contains(said), "{execution:?}");
    let left = desk.rows("SELECT id FROM stock WHERE name = 'closed'");
    assert_eq!(left, [["2"]]);
}

/// Parents that the change adds, and whatever else it does.
fn adds_parents(engine: Dialect, deleted: &str, besides: &[&str]) -> Desk {
    let desk = Desk::new(
        engine,
        &format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); \
             CREATE TABLE ch (id INTEGER PRIMARY KEY, p INTEGER, v INTEGER, \
             FOREIGN KEY (p) REFERENCES p (id) ON DELETE {deleted}); \
             INSERT INTO p VALUES (1); INSERT INTO ch VALUES (5, 1, 0)"
        ),
    );
    let mut change = vec!["INSERT INTO p VALUES (2), (3)"];
    change.extend(besides);
    desk.done(&desk.job("op", &change));
    desk
}

/// Neither a row that the change never wrote, nor one that somebody edited since.
fn an_undo_takes_nothing_along_that_others_put_below(engine: Dialect) {
    let adds = "INSERT INTO ch VALUES (7, 2, 0)";
    for (besides, edit) in [(None, adds), (Some(adds), "UPDATE ch SET v = 9 WHERE id = 7")] {
        let besides: Vec<&str> = besides.into_iter().collect();
        let mut desk = adds_parents(engine, "CASCADE", &besides);
        desk.run(edit);
        let edited = dump(&mut desk, &["p", "ch"]);
        let preview = desk.preview(&desk.undo_job("op", "back"));
        let why =
            "ch id 7 would be removed, which the change never wrote or somebody changed since";
        assert_eq!(preview.refused, [why], "{edit}");
        assert_eq!(dump(&mut desk, &["p", "ch"]), edited);
        // Once it is elsewhere, nothing is in the way.
        desk.run("UPDATE ch SET p = 1 WHERE id = 7");
        desk.done(&desk.undo_job("op", "back"));
        assert_eq!(dump(&mut desk, &["p"]), ["p 1"]);
        assert_eq!(desk.count("SELECT COUNT(*) FROM ch WHERE id = 7"), 1);
    }
    // What came with the change may go with it.
    let mut desk = adds_parents(engine, "CASCADE", &[adds]);
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(dump(&mut desk, &["p", "ch"]), ["p 1", "ch 5|1|0"]);
}

fn an_undo_cuts_off_what_others_put_below_only_after_it_was_said(engine: Dialect) {
    let mut desk = adds_parents(engine, "SET NULL", &[]);
    desk.run("INSERT INTO ch VALUES (7, 2, 0)");
    let preview = desk.preview(&desk.undo_job("op", "back"));
    let besides = "ch id 7 is changed too, which the change never wrote";
    assert_eq!(preview.besides.as_deref(), Some(besides));
    let execution = desk.execute(&desk.undo_job("op", "back"), preview);
    let Execution::Committed { said, .. } = execution else { panic!("{execution:?}") };
    assert_eq!(said, besides);
    assert_eq!(dump(&mut desk, &["p", "ch"]), ["p 1", "ch 5|1|0", "ch 7|NULL|0"]);
}

/// Two keys that a collation takes for the same, of parents and of their children.
fn letters(engine: Dialect, deleted: &str, children: &str) -> Desk {
    let key = of(engine, ["TEXT COLLATE NOCASE", "TEXT COLLATE ci", "VARCHAR(9)"]);
    let ci =
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ";
    let ci = if engine == Dialect::Postgres { ci } else { "" };
    Desk::new(
        engine,
        &format!(
            "{ci}CREATE TABLE p (k {key} PRIMARY KEY, n INTEGER); \
             CREATE TABLE ch (id INTEGER PRIMARY KEY, k {key}, FOREIGN KEY (k) REFERENCES p (k) \
             ON UPDATE CASCADE ON DELETE {deleted}); \
             INSERT INTO p VALUES ('abc', 1), ('Def', 2), ('GHI', 3), ('j', 4); \
             INSERT INTO ch VALUES {children}"
        ),
    )
}

fn a_key_gets_its_letters_back_with_all_that_refers_to_it(engine: Dialect) {
    let children = "(1, 'abc'), (2, 'Def'), (3, 'GHI'), (4, 'abc')";
    for deleted in ["CASCADE", "SET NULL"] {
        for change in [
            vec!["UPDATE p SET k = UPPER(k)"],
            vec!["UPDATE p SET k = UPPER(k), n = n + 1", "DELETE FROM p WHERE n = 5"],
        ] {
            there_and_back(&mut letters(engine, deleted, children), &change, &["p", "ch"]);
        }
    }
    // Somebody edited one of them meanwhile: then all of them stay as they are.
    let mut desk = letters(engine, "CASCADE", children);
    desk.done(&desk.job("op", &["UPDATE p SET k = UPPER(k)"]));
    desk.run("UPDATE p SET n = 9 WHERE k = 'ABC'");
    let preview = desk.preview(&desk.undo_job("op", "back"));
    assert_eq!(preview.refused, ["it changes nothing"]);
}

/// The key of their parent, written otherwise.
fn children_get_letters_of_their_own_back(engine: Dialect) {
    let mut desk = letters(engine, "CASCADE", "(1, 'Abc'), (2, 'dEF'), (3, 'ghi')");
    there_and_back(&mut desk, &["UPDATE p SET k = UPPER(k), n = n + 1"], &["p", "ch"]);
}

fn a_row_that_got_its_letters_back_waits_for_its_place(engine: Dialect) {
    for last in ["UPDATE p SET n = -n - 1", "UPDATE p SET n = -n + 1"] {
        let mut desk = letters(engine, "CASCADE", "(1, 'abc')");
        desk.run("CREATE UNIQUE INDEX place ON p (n)");
        let change = ["UPDATE p SET k = UPPER(k)", "UPDATE p SET n = -n", last];
        there_and_back(&mut desk, &change, &["p", "ch"]);
    }
}

/// Keys that only a collation takes for the same: children of the one are children of the other.
fn what_an_undo_would_destroy_is_never_said_to_stay(engine: Dialect) {
    for deleted in ["CASCADE", "SET NULL"] {
        let mut desk = letters(engine, deleted, "(1, 'ABC'), (2, 'def'), (3, 'ghi'), (4, 'abc')");
        let before = dump(&mut desk, &["p", "ch"]);
        let change = desk.job("op", &["UPDATE p SET k = UPPER(k)"]);
        let preview = desk.preview(&change);
        let sentence = preview.undo.sentence();
        assert!(!sentence.contains("stay in ch"), "{sentence}");
        desk.done(&change);
        let undo = desk.undo_job("op", "back");
        let whole = preview.undo.impossible.is_none() && preview.undo.stays.is_empty();
        match desk.try_preview(&undo) {
            Ok(back) if back.refused.is_empty() && back.besides.is_none() => {
                assert!(whole, "{sentence}");
                desk.done(&undo);
                assert_eq!(dump(&mut desk, &["p", "ch"]), before, "{sentence}");
            }
            back => assert!(!whole, "{sentence}: {back:?}"),
        }
    }
}

fn a_table_without_a_key_that_triggers_only_add_to_keeps_nothing_from_an_undo(engine: Dialect) {
    let mut desk = Desk::new(engine, &format!("{STOCK} CREATE TABLE log (m INTEGER)"));
    desk.script(of(
        engine,
        [
            "CREATE TRIGGER l AFTER UPDATE ON stock BEGIN INSERT INTO log VALUES (NEW.id); END;",
            "CREATE FUNCTION l() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO log VALUES (NEW.id); RETURN NULL; END $$;
             CREATE TRIGGER l AFTER UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION l();",
            "CREATE TRIGGER l AFTER UPDATE ON stock FOR EACH ROW INSERT INTO log VALUES (NEW.id);",
        ],
    ));
    let preview = desk.done(&desk.job("op", &["UPDATE stock SET n = 0"]));
    let sentence = "rehearsed: 3 of 3 rows come back, 6 rows written by triggers stay in log";
    assert_eq!(preview.undo.sentence(), sentence);
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(dump(&mut desk, &["stock"]), ["stock 1|one|1", "stock 2|two|2", "stock 3|NULL|3"]);
    assert_eq!(desk.count("SELECT COUNT(*) FROM log"), 6);
}

fn an_undo_can_be_undone(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.done(&desk.job("op", &["DELETE FROM stock WHERE id = 1", "UPDATE stock SET n = 0"]));
    let changed = dump(&mut desk, &["stock"]);
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
    desk.done(&desk.undo_job("back", "again"));
    assert_eq!(dump(&mut desk, &["stock"]), changed);
    assert_eq!(desk.count("SELECT COUNT(*) FROM steadyhand_ledger"), 3);
}

fn an_undo_may_write_more_than_its_change_with_what_triggers_add(engine: Dialect) {
    let mut desk = Desk::new(engine, &family(engine));
    // Its undo writes the rows of another trigger, one each.
    let mut job = desk.job("op", &["INSERT INTO parent VALUES (7, 'a'), (8, 'b'), (9, 'c')"]);
    job.plan.limits.max_rows = 3;
    desk.done(&job);
    let mut undo = desk.undo_job("op", "back");
    undo.plan.limits.max_rows = 3;
    let preview = desk.preview(&undo);
    assert_eq!((preview.rows(), preview.refused.as_slice()), (6, [].as_slice()));
    desk.done(&undo);
    assert_eq!(desk.count("SELECT COUNT(*) FROM parent"), 3);
}

fn triggers_fire_again_and_what_they_wrote_stays(engine: Dialect) {
    let mut desk = Desk::new(engine, &family(engine));
    let job = desk.job("op", &["UPDATE parent SET name = 'x' WHERE id = 1"]);
    let preview = desk.preview(&job);
    assert_eq!(
        preview.undo.sentence(),
        "rehearsed: 1 of 1 rows come back, 2 rows written by triggers stay in audit"
    );
    desk.done(&job);
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(dump(&mut desk, &["parent"]), ["parent 1|one", "parent 2|two", "parent 3|NULL"]);
    let notes = desk.rows("SELECT what FROM audit ORDER BY id");
    assert_eq!(notes, [["renamed 1"], ["renamed 1"]]);
}

/// Also an id 0, which `MariaDB` would number anew.
fn keys_that_the_database_gave_out_come_back(engine: Dialect) {
    let schema = format!("CREATE TABLE t (id {}, v INTEGER);", serial(engine));
    let mut desk = Desk::new(engine, &schema);
    desk.run("INSERT INTO t (v) VALUES (1), (2), (3)");
    if engine == Dialect::Mariadb {
        desk.run("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'");
        desk.run("INSERT INTO t (id, v) VALUES (0, 9)");
    }
    there_and_back(&mut desk, &["DELETE FROM t", "INSERT INTO t (v) VALUES (7)"], &["t"]);
}

fn generated_columns_are_left_out(engine: Dialect) {
    // MariaDB sets such a moment by itself whenever the row is written: also that must come back.
    let touched = of(
        engine,
        [
            "",
            "",
            ", ts TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP",
        ],
    );
    let schema = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER, twice INTEGER GENERATED ALWAYS AS (v * 2) STORED{touched});
         INSERT INTO t (id, v) VALUES (1, 1), (2, 2), (3, NULL)"
    );
    let mut desk = Desk::new(engine, &schema);
    let statements = ["DELETE FROM t WHERE id = 1", "UPDATE t SET v = 5 WHERE id > 1"];
    there_and_back(&mut desk, &statements, &["t"]);
}

fn keys_of_several_columns_are_kept_apart(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE t (a VARCHAR(9) NOT NULL, b INTEGER NOT NULL, v VARCHAR(9), PRIMARY KEY (a, b));
         INSERT INTO t VALUES ('k', 1, 'v'), ('k', 2, 'w'), ('l', 1, NULL)",
    );
    let statements = [
        "UPDATE t SET v = 'x' WHERE a = 'k' AND b = 2",
        "DELETE FROM t WHERE a = 'l'",
        "UPDATE t SET b = 7 WHERE a = 'k' AND b = 1",
    ];
    there_and_back(&mut desk, &statements, &["t"]);
}

fn a_table_without_a_key_has_no_undo_and_says_so_before(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE loose (a INTEGER, b INTEGER); INSERT INTO loose VALUES (1, 2), (1, 2), (3, NULL)",
    );
    let job =
        desk.job("op", &["UPDATE loose SET b = 5 WHERE a = 1", "DELETE FROM loose WHERE a = 3"]);
    let preview = desk.preview(&job);
    assert_eq!(preview.rows(), 3);
    assert_eq!(
        preview.undo.sentence(),
        "no undo: loose has no key by which a row could be found again"
    );
    assert_eq!(confirmation(&job.plan, &preview), "erp 3 no undo");
    desk.done(&job);
    assert_eq!(desk.rows("SELECT a, b FROM loose"), [["1", "5"], ["1", "5"]]);
}

const PLACES: &str = "CREATE TABLE place (id INTEGER PRIMARY KEY, at INTEGER NOT NULL UNIQUE);
     INSERT INTO place VALUES (1, 10), (2, 20), (3, 30), (4, 40)";

/// Each of the two stands in the other's way, and no order of single rows leads back.
fn a_swap_in_a_unique_column_has_no_undo_and_says_so_before(engine: Dialect) {
    let desk = Desk::new(engine, PLACES);
    let statements = [
        "UPDATE place SET at = -1 WHERE id = 1",
        "UPDATE place SET at = 10 WHERE id = 2",
        "UPDATE place SET at = 20 WHERE id = 1",
    ];
    let job = desk.job("op", &statements);
    let preview = desk.preview(&job);
    let sentence = preview.undo.sentence();
    assert!(sentence.starts_with("no undo: tried, and the database refused"), "{sentence}");
    assert_eq!(confirmation(&job.plan, &preview), "erp 3 no undo");
}

fn values_that_moved_up_in_a_unique_column_move_down(engine: Dialect) {
    let mut desk = Desk::new(engine, PLACES);
    let statements = [
        "UPDATE place SET at = 50 WHERE id = 4",
        "UPDATE place SET at = 40 WHERE id = 3",
        "UPDATE place SET at = 30 WHERE id = 2",
        "UPDATE place SET at = 20 WHERE id = 1",
    ];
    there_and_back(&mut desk, &statements, &["place"]);
}

fn a_trigger_that_stands_in_the_way_is_known_before(engine: Dialect) {
    let trigger = of(
        engine,
        [
            "CREATE TRIGGER no BEFORE UPDATE ON stock WHEN NEW.n > OLD.n BEGIN SELECT RAISE(ABORT, 'only downwards'); END;",
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF NEW.n > OLD.n THEN RAISE EXCEPTION 'only downwards'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER no BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION no();",
            "CREATE TRIGGER no BEFORE UPDATE ON stock FOR EACH ROW
               IF NEW.n > OLD.n THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'only downwards'; END IF;",
        ],
    );
    let mut desk = Desk::new(engine, STOCK);
    if engine == Dialect::Mariadb {
        desk.run(trigger);
    } else {
        desk.script(trigger);
    }
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let preview = desk.preview(&job);
    let sentence = preview.undo.sentence();
    assert!(sentence.starts_with("no undo: tried, and"), "{sentence}");
    assert!(sentence.contains("only downwards"), "{sentence}");
    assert_eq!(confirmation(&job.plan, &preview), "erp 3 no undo");
    assert!(preview.proof.is_ok(), "{:?}", preview.proof);
}

fn a_row_of_an_undone_change_is_not_undone_twice(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.done(&desk.job("op", &["UPDATE stock SET n = 0 WHERE id = 1"]));
    desk.done(&desk.undo_job("op", "back"));
    let again = desk.preview(&desk.undo_job("op", "again"));
    assert_eq!(again.refused, ["it changes nothing"]);
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
}

/// The server counts them as rows that went and rows that came.
fn rows_that_moved_to_another_part_come_back_together_or_not_at_all(engine: Dialect) {
    let schema = "CREATE TABLE bill (id INTEGER, state TEXT, n INTEGER, PRIMARY KEY (id, state)) PARTITION BY LIST (state);
         CREATE TABLE bill_open PARTITION OF bill FOR VALUES IN ('open');
         CREATE TABLE bill_paid PARTITION OF bill FOR VALUES IN ('paid');
         INSERT INTO bill VALUES (1, 'open', 1), (2, 'open', 2), (3, 'open', 3)";
    let pays = "UPDATE bill SET state = 'paid' WHERE state = 'open'";
    there_and_back(&mut Desk::new(engine, schema), &[pays], &["bill"]);
    let mut desk = Desk::new(engine, schema);
    let preview = desk.done(&desk.job("op", &[pays]));
    assert_eq!(preview.rows(), 3, "each is written once: {:?}", preview.writes);
    desk.run("UPDATE bill SET n = 9 WHERE id = 2");
    let edited = dump(&mut desk, &["bill"]);
    let preview = desk.preview(&desk.undo_job("op", "back"));
    assert_eq!(preview.refused, ["it changes nothing"]);
    let why = "nothing is put back: the change gave rows of bill other keys";
    assert!(preview.warnings.iter().any(|said| said.starts_with(why)), "{preview:?}");
    assert_eq!(dump(&mut desk, &["bill"]), edited);
}

/// No statement names the key.
fn rows_whose_key_follows_from_what_was_set_come_back_together_too(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE page (slug VARCHAR(20) PRIMARY KEY, id INTEGER, title VARCHAR(9));
         INSERT INTO page VALUES ('a1', 1, 'a'), ('a2', 2, 'a'), ('a3', 3, 'a');",
    );
    desk.script(of(
        engine,
        [
            "CREATE TRIGGER s AFTER UPDATE OF title ON page BEGIN
                 UPDATE page SET slug = NEW.title || NEW.id WHERE id = NEW.id; END;",
            "CREATE FUNCTION slug() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN NEW.slug := NEW.title || NEW.id; RETURN NEW; END $$;
             CREATE TRIGGER s BEFORE UPDATE ON page FOR EACH ROW EXECUTE FUNCTION slug();",
            "CREATE TRIGGER s BEFORE UPDATE ON page FOR EACH ROW SET NEW.slug = CONCAT(NEW.title, NEW.id);",
        ],
    ));
    let mut cases = vec![(
        "page",
        "UPDATE page SET title = 'b'",
        "UPDATE page SET title = 'mine' WHERE id = 2",
    )];
    if engine == Dialect::Postgres {
        desk.script(
            "CREATE TABLE twice (a INTEGER, k INTEGER GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY, v INTEGER);
             INSERT INTO twice (a, v) VALUES (1, 1), (2, 2), (3, 3);",
        );
        let edit = "UPDATE twice SET v = 9 WHERE a = 12";
        cases.push(("twice", "UPDATE twice SET a = a + 10", edit));
    }
    for (table, change, edit) in cases {
        desk.done(&desk.job(table, &[change]));
        desk.run(edit);
        let edited = dump(&mut desk, &[table]);
        let preview = desk.preview(&desk.undo_job(table, &format!("{table}-back")));
        assert_eq!(preview.refused, ["it changes nothing"], "{table}");
        let why = format!("nothing is put back: the change gave rows of {table} other keys");
        assert!(preview.warnings.iter().any(|said| said.starts_with(&why)), "{preview:?}");
        assert_eq!(dump(&mut desk, &[table]), edited);
    }
}

/// Like the moment of the last change, which nearly every table of an ERP has.
fn what_a_trigger_sets_anew_is_said_and_not_fought_over(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER, version INTEGER NOT NULL DEFAULT 0);
         INSERT INTO t (id, v) VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8);",
    );
    desk.script(of(
        engine,
        [
            "",
            "CREATE FUNCTION u() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN NEW.version := OLD.version + 1; RETURN NEW; END $$;
             CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION u();",
            "CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET NEW.version = OLD.version + 1;",
        ],
    ));
    let preview = desk.done(&desk.job("op", &["UPDATE t SET v = v + 1"]));
    let sentence = "rehearsed: 8 of 8 rows come back, a trigger sets version of t anew";
    assert_eq!(preview.undo.sentence(), sentence);
    let back = desk.done(&desk.undo_job("op", "back"));
    assert_eq!((back.left_alone, back.statements[0].rows), (0, 8));
    // One row is written twice to find that out.
    assert!(back.rows() <= 9, "{:?}", back.writes);
    assert!(
        back.warnings.iter().any(|said| said == "a trigger sets version of t anew"),
        "{back:?}"
    );
    let versions = desk.rows("SELECT v, MIN(version) > 1 FROM t GROUP BY id, v ORDER BY id");
    assert!(versions.iter().enumerate().all(|(at, row)| row[0] == (at + 1).to_string()));
    desk.done(&desk.undo_job("back", "forth"));
    assert_eq!(desk.count("SELECT SUM(v) FROM t"), 8 + 36);
}

/// Orders with lines; a line that is written touches its order, and keeps the sum of it.
fn orders(engine: Dialect) -> Desk {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE o (id INTEGER PRIMARY KEY, status VARCHAR(9), total INTEGER DEFAULT 0, touched INTEGER DEFAULT 0);
         CREATE TABLE l (id INTEGER PRIMARY KEY, o INTEGER, amt INTEGER);
         INSERT INTO o VALUES (1, 'open', 1, 0), (2, 'open', 2, 0), (3, 'open', 0, 0);
         INSERT INTO l VALUES (1, 1, 1), (2, 2, 2);",
    );
    let touch = |and: &str, of: &str| {
        format!("UPDATE o SET total = total {and}, touched = touched + 1 WHERE id = {of}.o")
    };
    let acts = [
        ("INSERT", touch("+ NEW.amt", "NEW")),
        ("UPDATE", touch("+ NEW.amt - OLD.amt", "NEW")),
        ("DELETE", touch("- OLD.amt", "OLD")),
    ];
    for (act, touch) in acts {
        let head = |end: &str| format!("CREATE TRIGGER l_{act} AFTER {act} ON l {end}");
        desk.script(&match engine {
            Dialect::Sqlite => head(&format!("BEGIN {touch}; END;")),
            Dialect::Postgres => format!(
                "CREATE FUNCTION l_{act}() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN {touch}; RETURN NULL; END $$; {}",
                head(&format!("FOR EACH ROW EXECUTE FUNCTION l_{act}();"))
            ),
            _ => head(&format!("FOR EACH ROW {touch};")),
        });
    }
    desk
}

/// Whichever of the two is written first, and whatever is done to it.
fn what_our_own_triggers_touch_comes_back_too(engine: Dialect) {
    let (paid, raised) = ("UPDATE o SET status = 'paid'", "UPDATE l SET amt = amt * 10");
    let added = "INSERT INTO o (id) VALUES (4)";
    for change in [
        vec![paid, raised],
        vec![raised, paid],
        vec![raised],
        vec![added, "INSERT INTO l VALUES (3, 4, 5), (4, 1, 6)"],
        vec![paid, "DELETE FROM l WHERE id = 2", "DELETE FROM o WHERE id = 2"],
    ] {
        there_and_back(&mut orders(engine), &change, &["o", "l"]);
    }
}

/// From whichever end of a tree it is taken back.
fn a_row_that_triggers_touch_again_and_again_comes_back(engine: Dialect) {
    for parents in ["id - 1", "id + 1"] {
        let mut desk = Desk::new(
            engine,
            &format!(
                "CREATE TABLE n (id INTEGER PRIMARY KEY, par INTEGER, v INTEGER, ver INTEGER DEFAULT 0);
                 INSERT INTO n (id, v) VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6);
                 UPDATE n SET par = {parents};"
            ),
        );
        desk.script(of(
            engine,
            [
                "CREATE TRIGGER t AFTER UPDATE ON n BEGIN UPDATE n SET ver = ver + 1 WHERE id = NEW.par; END;",
                "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN UPDATE n SET ver = ver + 1 WHERE id = NEW.par; RETURN NULL; END $$;
                 CREATE TRIGGER t AFTER UPDATE ON n FOR EACH ROW EXECUTE FUNCTION t();",
                "",
            ],
        ));
        there_and_back(&mut desk, &["UPDATE n SET v = v * 10"], &["n"]);
    }
}

/// Even if it looks then as if the change had left it so.
fn what_somebody_changed_stays_whatever_our_triggers_make_of_it(engine: Dialect) {
    let mut desk = orders(engine);
    let paid = "UPDATE o SET status = 'paid'";
    desk.done(&desk.job("op", &[paid, "UPDATE l SET amt = amt * 10"]));
    desk.run("UPDATE o SET status = 'mine' WHERE id = 2");
    let preview = desk.done(&desk.undo_job("op", "back"));
    let told: Vec<&str> = preview.conflicts.iter().map(|one| one.key.as_str()).collect();
    assert_eq!((told, preview.left_alone), (vec!["id 2"], 1));
    // What the trigger of the undo made of the sum is right for the lines as they are.
    let rows = ["o 1|open|1|0", "o 2|mine|2|2", "o 3|open|0|0", "l 1|1|1", "l 2|2|2"];
    assert_eq!(dump(&mut desk, &["o", "l"]), rows);

    // Somebody adds as much as the change did.
    let mut desk = orders(engine);
    desk.run("UPDATE o SET touched = -1 WHERE id = 3");
    desk.done(&desk.job("op", &["INSERT INTO l VALUES (7, 3, 10)"]));
    desk.run("INSERT INTO l VALUES (8, 3, 10)");
    desk.run("UPDATE o SET touched = -1 WHERE id = 3");
    let preview = desk.done(&desk.undo_job("op", "back"));
    assert_eq!(preview.left_alone, 1);
    assert_eq!(dump(&mut desk, &["o"])[2], "o 3|open|10|0");
    assert_eq!(desk.count("SELECT COUNT(*) FROM l"), 3);
}

/// A sum that a deferred trigger keeps: it moves once more when the rows below it come back.
fn what_waits_for_the_commit_is_taken_back_too(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE TABLE sum (id INTEGER PRIMARY KEY, n INTEGER);
         CREATE TABLE line (id INTEGER PRIMARY KEY, n INTEGER);
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN UPDATE sum SET n = n + 100 WHERE id = 1; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER k AFTER UPDATE ON line DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION keep();
         INSERT INTO sum VALUES (1, 0);
         INSERT INTO line VALUES (1, 1), (2, 2)",
    );
    there_and_back(&mut desk, &["UPDATE line SET n = n + 1"], &["sum", "line"]);
}

/// A row whose key moved is one that went and one that came: to put back one of the two would make two of it,
/// or none.
fn rows_that_got_another_key_come_back_together_or_not_at_all(engine: Dialect) {
    let schema = "CREATE TABLE line (ord INTEGER, n INTEGER, qty INTEGER, PRIMARY KEY (ord, n));
         INSERT INTO line VALUES (7, 1, 3);
         INSERT INTO line VALUES (7, 2, 5);
         INSERT INTO line VALUES (9, 1, 1);";
    let moves = "UPDATE line SET ord = 8 WHERE ord = 7";
    let raises = "UPDATE line SET n = n + 2 WHERE ord = 7";
    let mut desk = Desk::new(engine, schema);
    there_and_back(&mut desk, &[moves], &["line"]);
    for (at, (statement, edit)) in [
        (moves, "UPDATE line SET qty = 4 WHERE ord = 8 AND n = 1"),
        (moves, "DELETE FROM line WHERE ord = 8 AND n = 1"),
        (moves, "INSERT INTO line VALUES (7, 1, 9)"),
        (raises, "UPDATE line SET qty = 4 WHERE ord = 7 AND n = 4"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut desk = Desk::new(engine, schema);
        let (op, back) = (format!("op{at}"), format!("back{at}"));
        let also = "UPDATE line SET qty = 2 WHERE ord = 9";
        desk.done(&desk.job(&op, &[statement, also]));
        desk.run(edit);
        let edited = dump(&mut desk, &["line"]);
        let preview = desk.preview(&desk.undo_job(&op, &back));
        assert_eq!(preview.refused, ["it changes nothing"], "{edit}");
        assert_eq!((preview.conflicts.len(), preview.left_alone), (1, 5), "{edit}");
        let why = "nothing is put back: the change gave rows of line other keys";
        assert!(preview.warnings.iter().any(|said| said.starts_with(why)), "{preview:?}");
        assert_eq!(dump(&mut desk, &["line"]), edited, "{edit}");
    }
    // What somebody does to other rows keeps nobody from it, and the undo of an undo is alike.
    desk.run("UPDATE line SET qty = 77 WHERE ord = 9");
    desk.done(&desk.job("again", &[moves]));
    let moved = dump(&mut desk, &["line"]);
    desk.done(&desk.undo_job("again", "back again"));
    desk.run("INSERT INTO line VALUES (8, 2, 1)");
    let preview = desk.preview(&desk.undo_job("back again", "forth again"));
    assert_eq!(preview.left_alone, 4);
    desk.run("DELETE FROM line WHERE ord = 8");
    desk.done(&desk.undo_job("back again", "and forth"));
    assert_eq!(dump(&mut desk, &["line"]), moved);
}

/// Random tables, random statements, random edits of others afterwards.
fn any_change_is_taken_back_but_for_what_was_edited_since(engine: Dialect) {
    let schema = "CREATE TABLE one (id INTEGER PRIMARY KEY, a VARCHAR(20), b INTEGER);
         CREATE TABLE two (k VARCHAR(9), l INTEGER, a VARCHAR(20), b INTEGER, PRIMARY KEY (k, l));";
    let mut desk = Desk::new(engine, schema);
    let mut dice = Dice::new();
    let texts = ["NULL", "''", "'x'", "'it''s'", "'\u{e4}\u{1f69a}'", "'NULL'", "a"];
    let numbers = ["NULL", "0", "-1", "b + 1", "b * 2", "7"];
    let tests = ["b > 3", "a IS NULL", "b IS NOT NULL", "a = 'x'", "b < 6", "1 = 1"];
    for round in 0..rounds(6) {
        for table in ["one", "two"] {
            desk.run(&format!("DELETE FROM {table}"));
        }
        for n in 0..10 {
            let text = dice.pick(&texts[..5]);
            desk.run(&format!("INSERT INTO one VALUES ({n}, {text}, {n})"));
            desk.run(&format!("INSERT INTO two VALUES ('k{}', {n}, {text}, {n})", n % 2));
        }
        let mut statements = vec![];
        for number in 0..=dice.below(3) {
            let table = dice.pick::<&str>(&["one", "two"]);
            let test = dice.pick::<&str>(&tests);
            statements.push(match dice.below(4) {
                0 => format!("DELETE FROM {table} WHERE {test}"),
                1 => {
                    let key = if *table == "one" { "" } else { "'new', " };
                    format!(
                        "INSERT INTO {table} VALUES ({key}{}, {}, 1)",
                        100 + number,
                        dice.pick(&texts[..5])
                    )
                }
                2 => format!("UPDATE {table} SET a = {} WHERE {test}", dice.pick::<&str>(&texts)),
                _ => format!(
                    "UPDATE {table} SET b = {}, a = {} WHERE {test}",
                    dice.pick::<&str>(&numbers),
                    dice.pick::<&str>(&texts)
                ),
            });
        }
        let what = format!("STEADYHAND_SEED={}, round {round}: {statements:?}", dice.seed);
        let tables = ["one", "two"];
        let before = sorted(&mut desk, &tables);
        let texts: Vec<&str> = statements.iter().map(String::as_str).collect();
        let (op, back) = (format!("op{round}"), format!("back{round}"));
        let preview = desk.done(&desk.job(&op, &texts));
        assert_eq!(preview.undo.impossible, None, "{what}");
        // Somebody goes on working, on rows of the change and on others.
        let after = sorted(&mut desk, &tables);
        let edit = dice.below(2) * dice.below(12);
        desk.run(&format!("UPDATE one SET b = 1000 WHERE id = {edit}"));
        let edited = sorted(&mut desk, &tables);
        let touched =
            before.iter().filter(|row| !after.contains(row)).count() > 0 || after != before;
        if !touched {
            continue;
        }
        let undone = desk.done(&desk.undo_job(&op, &back));
        let restored = sorted(&mut desk, &tables);
        let key = format!("one {edit}|");
        let of_others = |rows: &[String]| -> Vec<String> {
            rows.iter().filter(|row| !row.starts_with(&key)).cloned().collect()
        };
        assert_eq!(of_others(&restored), of_others(&before), "{what}");
        let row = |rows: &[String]| rows.iter().find(|row| row.starts_with(&key)).cloned();
        if after == edited {
            assert_eq!(restored, before, "{what}");
        } else if row(&before) == row(&after) {
            // The edit was none of the change's business, and stays.
            assert_eq!(row(&restored), row(&edited), "{what}");
        } else {
            // The row is listed, and is as its editor left it.
            assert_eq!((row(&restored), undone.conflicts.len()), (row(&edited), 1), "{what}");
        }
    }
}

fn sorted(desk: &mut Desk, tables: &[&str]) -> Vec<String> {
    let mut rows = dump(desk, tables);
    rows.sort();
    rows
}
