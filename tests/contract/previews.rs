//! A preview is the real thing: counted, seen row by row, rolled back, and proved to be gone.

use std::path::Path;
use std::time::{Duration, Instant};

use steadyhand::config::TargetUrl;
use steadyhand::dialect::Dialect;
use steadyhand::recovery::{Preview, TableImages};

use super::common::desk::Desk;
use super::common::proxy::{Fault, Moment, Proxy, Upstream};
use super::common::server::{ADMIN, Setup};
use super::{STOCK, dump, family, of};

contract! {
    writes_of_triggers_and_cascades_are_counted_and_nothing_stays on sqlite postgres mariadb;
    every_row_is_seen_before_and_after on sqlite postgres mariadb;
    a_row_that_is_written_twice_is_one_row on sqlite postgres mariadb;
    the_rollback_has_a_receipt_from_the_server on sqlite postgres mariadb;
    what_a_rollback_does_not_take_back_is_listed on sqlite postgres mariadb;
    warnings_of_the_server_are_shown on postgres mariadb,
        not sqlite: "the library knows errors, and nothing below them";
    what_the_watch_cannot_see_forbids_the_undo on sqlite postgres mariadb;
    rows_that_a_table_pushes_out_by_itself_forbid_the_undo on sqlite,
        not postgres: "no constraint replaces rows",
        not mariadb: "no constraint replaces rows";
    keys_that_do_not_lead_to_their_rows_again_forbid_the_undo on sqlite,
        not postgres: "a text is text, and no part of a key is NULL",
        not mariadb: "a text is text, and no part of a key is NULL";
    text_that_would_come_back_as_bytes_forbids_the_undo on sqlite,
        not postgres: "a text is text in the encoding of the database",
        not mariadb: "a text is text in the character set of its column";
    rows_that_come_and_go_in_triggers_are_told_apart on sqlite postgres mariadb;
    an_index_over_an_expression_is_no_key on sqlite postgres,
        not mariadb: "it indexes columns only";
    a_table_without_a_primary_key_is_known_by_what_is_unique on sqlite postgres mariadb;
    a_key_of_words_that_look_like_numbers_finds_its_rows on mariadb,
        not sqlite: "it has no such type",
        not postgres: "its words are compared as text";
    what_a_function_writes_is_written_once_and_seen on mariadb,
        not sqlite: "no function of it writes",
        not postgres: "rows are not selected beforehand";
    no_limit_of_the_server_cuts_what_is_read on mariadb,
        not sqlite: "it has no such setting",
        not postgres: "it has no such setting";
    a_key_of_bits_finds_its_rows on mariadb,
        not sqlite: "it has no such type",
        not postgres: "its bits are a text";
    names_that_differ_in_case_alone_are_two_tables on postgres mariadb,
        not sqlite: "they are one table there";
    a_modifier_hides_neither_the_table_nor_its_rows on postgres mariadb,
        not sqlite: "nothing but OR and what it does stands between the verb and the table";
    what_only_the_engine_itself_knows_is_previewed_too on sqlite postgres mariadb;
    a_comment_swallows_no_condition on sqlite postgres mariadb;
    any_two_values_may_be_compared_with_is on sqlite,
        not postgres: "it takes IS before NULL and truth alone",
        not mariadb: "it takes IS before NULL and truth alone";
    a_change_of_nothing_cannot_be_approved on sqlite postgres mariadb;
    more_rows_than_are_allowed_cannot_be_approved on sqlite postgres mariadb;
    rows_of_a_joined_update_are_counted on sqlite postgres mariadb;
    rows_of_heirs_are_counted_once on postgres,
        not sqlite: "no table inherits",
        not mariadb: "no table inherits";
    rows_that_an_insert_finds_there_are_updates on sqlite postgres mariadb;
    a_change_of_one_row_compares_no_whole_table on mariadb,
        not sqlite: "what is written is logged as it is written",
        not postgres: "who wrote a row stands in the row alone";
    an_undo_that_is_not_looked_at_to_the_end_in_time_is_rehearsed_in_part on mariadb,
        not sqlite: "what is written is logged as it is written",
        not postgres: "what triggers write is counted by the server";
    a_unique_key_that_is_updated_is_one_updated_row on sqlite postgres mariadb;
    a_row_is_found_there_by_an_index_of_a_part on sqlite postgres,
        not mariadb: "whatever is unique finds it, and no index is of a part";
}

/// `table direct / hidden`
pub fn writes(preview: &Preview) -> Vec<String> {
    let words = preview.writes.iter();
    words.map(|w| format!("{} {} / {}", w.table, w.direct.words(), w.hidden.words())).collect()
}

/// `table key: before -> after`, sorted.
pub fn images(preview: &Preview) -> Vec<String> {
    let mut lines: Vec<String> = preview.images.iter().flat_map(of_table).collect();
    lines.sort();
    lines
}

fn of_table(images: &TableImages) -> Vec<String> {
    let text = |values: &Vec<steadyhand::value::Value>| -> String {
        let plain = |v: &steadyhand::value::Value| v.as_ref().plain().unwrap_or("NULL".into());
        values.iter().map(plain).collect::<Vec<_>>().join(",")
    };
    let side = |values: &Option<Vec<_>>| values.as_ref().map_or("-".into(), text);
    let rows = images.rows.iter().map(Result::unwrap);
    let line = |row: steadyhand::recovery::RowImage| {
        let (table, key) = (&images.head.table, text(&row.key));
        format!("{table} {key}: {} -> {}", side(&row.before), side(&row.after))
    };
    rows.map(line).collect()
}

fn writes_of_triggers_and_cascades_are_counted_and_nothing_stays(engine: Dialect) {
    let mut desk = Desk::new(engine, &family(engine));
    let tables = ["parent", "child", "audit"];
    let before = dump(&mut desk, &tables);
    let preview = desk.preview(&desk.job("op", &["DELETE FROM parent WHERE id = 1"]));
    // MariaDB fires no trigger for what a cascade deletes.
    let noted = of(engine, ["3 ins", "3 ins", "1 ins"]);
    let wanted =
        ["parent 1 del / -".to_owned(), "child - / 2 del".into(), format!("audit - / {noted}")];
    let mut seen = writes(&preview);
    // Which hidden table was touched first is the engine's own.
    seen[1..].sort_by(|a, b| b.cmp(a));
    assert_eq!(seen, wanted);
    assert_eq!(preview.rows(), of(engine, [6, 6, 4]));
    assert_eq!(preview.statements[0].rows, 1);
    assert_eq!(preview.warnings, [""; 0]);
    assert_eq!(preview.refused, [""; 0]);
    assert_eq!(dump(&mut desk, &tables), before);
}

fn every_row_is_seen_before_and_after(engine: Dialect) {
    let desk = Desk::new(engine, &family(engine));
    let statements = [
        "UPDATE parent SET name = 'x' WHERE id = 2",
        "DELETE FROM child WHERE id = 3",
        "INSERT INTO child VALUES (9, 2, 5)",
    ];
    let preview = desk.preview(&desk.job("op", &statements));
    assert_eq!(
        images(&preview),
        [
            "audit 1: - -> 1,renamed 2",
            "audit 2: - -> 2,child 3",
            "child 3: 3,2,9 -> -",
            "child 9: - -> 9,2,5",
            "parent 2: 2,two -> 2,x",
        ]
    );
}

fn a_row_that_is_written_twice_is_one_row(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let statements = [
        "UPDATE stock SET n = n + 10 WHERE id = 1",
        "UPDATE stock SET n = n + 10 WHERE id = 1",
        "INSERT INTO stock VALUES (9, 'nine', 9)",
        "UPDATE stock SET n = 10 WHERE id = 9",
        "INSERT INTO stock VALUES (8, 'eight', 8)",
        "DELETE FROM stock WHERE id = 8",
        "DELETE FROM stock WHERE id = 2",
        "INSERT INTO stock VALUES (2, 'again', 2)",
    ];
    let preview = desk.preview(&desk.job("op", &statements));
    assert_eq!(
        images(&preview),
        [
            "stock 1: 1,one,1 -> 1,one,21",
            "stock 2: 2,two,2 -> 2,again,2",
            "stock 9: - -> 9,nine,10"
        ]
    );
    assert_eq!((preview.undo.restored, preview.undo.of), (3, 3), "{:?}", preview.undo);
}

fn the_rollback_has_a_receipt_from_the_server(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let preview = desk.preview(&desk.job("op", &["UPDATE stock SET n = 0"]));
    let how = preview.proof.expect("it is proved");
    let says = of(
        engine,
        [
            &["a second connection saw no commit"][..],
            &["is aborted", "its session is idle"],
            &["the server lists no transaction of session"],
        ],
    );
    assert!(says.iter().all(|words| how.contains(words)), "{how}");
    assert!(preview.locks.contains("held for"), "{}", preview.locks);
}

fn what_a_rollback_does_not_take_back_is_listed(engine: Dialect) {
    let schema = format!("CREATE TABLE t (id {}, v INTEGER)", super::serial(engine));
    let mut desk = Desk::new(engine, &schema);
    let preview = desk.preview(&desk.job("op", &["INSERT INTO t (v) VALUES (1), (2)"]));
    let left = preview.leaves_behind.join("; ");
    match engine {
        // Its counter is a table like any other.
        Dialect::Sqlite => assert_eq!(left, ""),
        Dialect::Postgres => {
            assert!(left.contains("numbers taken from t_id_seq are not given back"), "{left}");
            assert!(left.contains("write-ahead log") && left.contains("2 dead row"), "{left}");
        }
        _ => assert_eq!(left, "the next number of t stays at 3; it was 1"),
    }
    desk.run("INSERT INTO t (v) VALUES (3)");
    // What was said is true.
    assert_eq!(desk.count("SELECT id FROM t"), of(engine, [1, 3, 3]));
}

fn warnings_of_the_server_are_shown(engine: Dialect) {
    let schema = of(
        engine,
        [
            "",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(3)); INSERT INTO t VALUES (1, 'a');
             CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               RAISE WARNING 'mind the gap'; RETURN NEW; END $$;
             CREATE TRIGGER s BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION say()",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(3)); INSERT INTO t VALUES (1, 'a')",
        ],
    );
    let change =
        of(engine, ["", "UPDATE t SET v = 'b'", "UPDATE IGNORE t SET v = 'long' WHERE id = 1"]);
    let desk = Desk::new(engine, schema);
    let preview = desk.preview(&desk.job("op", &[change]));
    let said = of(engine, ["", "warning: mind the gap", "Warning 1265: Data truncated"]);
    assert!(preview.warnings.iter().any(|w| w.starts_with(said)), "{:?}", preview.warnings);
}

fn a_modifier_hides_neither_the_table_nor_its_rows(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let statements = of(
        engine,
        [
            ["", ""],
            ["UPDATE ONLY stock SET n = 9 WHERE id = 1", "DELETE FROM ONLY stock s WHERE s.id = 2"],
            [
                "UPDATE IGNORE stock SET n = 9 WHERE id = 1",
                "DELETE QUICK FROM s USING stock AS s JOIN stock u ON u.id = s.id WHERE u.n = 2",
            ],
        ],
    );
    let preview = desk.preview(&desk.job("op", &statements));
    assert_eq!(writes(&preview), ["stock 1 upd 1 del / -"]);
    assert_eq!(images(&preview), ["stock 1: 1,one,1 -> 1,one,9", "stock 2: 2,two,2 -> -"]);
    assert_eq!((preview.undo.impossible, preview.warnings), (None, vec![]));
}

fn what_only_the_engine_itself_knows_is_previewed_too(engine: Dialect) {
    let schema = of(
        engine,
        [
            "CREATE INDEX by_n ON stock (n)",
            "ALTER TABLE stock ALTER id ADD GENERATED ALWAYS AS IDENTITY",
            "",
        ],
    );
    let desk = Desk::new(engine, &format!("{STOCK}{schema}"));
    let (statements, image): (&[&str], _) = of(
        engine,
        [
            (
                &["UPDATE stock INDEXED BY by_n SET n = n << 2 WHERE n & (1 << 1) <> 0 AND n = 2"]
                    [..],
                "2,two,2 -> 2,two,8",
            ),
            (&["INSERT INTO stock OVERRIDING SYSTEM VALUE VALUES (7, 'lost', 7)"], "- -> 7,lost,7"),
            (
                &[
                    "UPDATE erp.stock JOIN erp.stock u ON u.id = stock.id SET stock.n = 9, stock.name = 'x' WHERE u.id = 2",
                    "DELETE s.* FROM stock s JOIN stock u ON u.id = s.id WHERE u.n = 9",
                ],
                "2,two,2 -> -",
            ),
        ],
    );
    let preview = desk.preview(&desk.job("op", statements));
    let id = of(engine, [2, 7, 2]);
    assert_eq!(images(&preview), [format!("stock {id}: {image}")]);
    assert_eq!((preview.undo.restored, preview.undo.of, preview.refused), (1, 1, vec![]));
}

fn a_comment_swallows_no_condition(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    for (statement, word, after) in [
        (
            "UPDATE stock -- of the shop\n SET n = 9 -- a guess\n WHERE id = 2 -- the second",
            "upd",
            "2,two,9",
        ),
        ("DELETE FROM stock -- of the shop\n WHERE id = 2", "del", "-"),
    ] {
        let preview = desk.preview(&desk.job("op", &[statement]));
        assert_eq!(writes(&preview), [format!("stock 1 {word} / -")], "{statement}");
        assert_eq!(images(&preview), [format!("stock 2: 2,two,2 -> {after}")], "{statement}");
        assert_eq!(preview.warnings, [""; 0], "{statement}");
    }
}

fn any_two_values_may_be_compared_with_is(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    for (condition, id) in [("name IS 'one'", 1), ("name IS NOT 'one' AND name NOT GLOB 'o*'", 2)] {
        let change = format!("UPDATE stock SET n = 9 WHERE {condition}");
        let preview = desk.preview(&desk.job("op", &[&change]));
        assert_eq!(writes(&preview), ["stock 1 upd / -"], "{change}");
        assert!(images(&preview)[0].starts_with(&format!("stock {id}: ")), "{change}");
    }
}

fn what_the_watch_cannot_see_forbids_the_undo(engine: Dialect) {
    let schema = of(
        engine,
        [
            // Rows that a REPLACE of a trigger pushes out fire no trigger.
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 1);
             CREATE TABLE last (one INTEGER PRIMARY KEY, v INTEGER); INSERT INTO last VALUES (1, 0);
             CREATE TRIGGER l AFTER UPDATE ON t BEGIN INSERT OR REPLACE INTO last VALUES (1, NEW.v); END;",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 1);
             CREATE FUNCTION l() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM lo_create(0); RETURN NULL; END $$;
             CREATE TRIGGER l AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION l()",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 1);
             CREATE TABLE hidden (v INTEGER);
             CREATE TRIGGER l AFTER UPDATE ON t FOR EACH ROW INSERT INTO hidden VALUES (NEW.v)",
        ],
    );
    let mut desk = Desk::new(engine, schema);
    if engine == Dialect::Mariadb {
        // Triggers are shown only to whoever could make one.
        desk.target = desk.account(
            "clerk",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON erp.t TO clerk@'%';
             GRANT PROCESS ON *.* TO clerk@'%'; GRANT CREATE ON erp.steadyhand_ledger TO clerk@'%'",
        );
    }
    let preview = desk.preview(&desk.job("op", &["UPDATE t SET v = 2"]));
    let why = preview.undo.impossible.clone().expect("there is no undo");
    let said = of(
        engine,
        [
            "trigger l uses REPLACE: rows that it pushes out are not seen",
            "large objects are changed, and they have no image",
            "without the right TRIGGER triggers are not shown, and may have written",
        ],
    );
    assert_eq!(why, said);
    assert!(preview.warnings.contains(&why), "{:?}", preview.warnings);
}

fn rows_that_a_table_pushes_out_by_itself_forbid_the_undo(engine: Dialect) {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE ON  CONFLICT\nREPLACE);
                  INSERT INTO t VALUES (1, 'x')";
    let desk = Desk::new(engine, schema);
    let preview = desk.preview(&desk.job("op", &["INSERT INTO t VALUES (2, 'x')"]));
    let said = "table t uses REPLACE: rows that it pushes out are not seen";
    assert_eq!(preview.undo.impossible.as_deref(), Some(said));
    let preview = desk.preview(&desk.job("op", &["DELETE FROM t WHERE id = 1"]));
    assert_eq!(preview.undo.impossible, None);
    for words in ["UPDATE OR\n REPLACE", "UPDATE OR -- or\n REPLACE"] {
        let schema = format!(
            "CREATE TABLE lst (id INTEGER PRIMARY KEY, v INTEGER UNIQUE); CREATE TABLE tt (v INTEGER); \
             INSERT INTO lst VALUES (1, 10), (2, 20); INSERT INTO tt VALUES (1); \
             CREATE TRIGGER r AFTER UPDATE ON tt BEGIN {words} lst SET v = NEW.v WHERE id = 1; END"
        );
        let desk = Desk::new(engine, &schema);
        let preview = desk.preview(&desk.job("op", &["UPDATE tt SET v = 20"]));
        let said = "trigger r uses REPLACE: rows that it pushes out are not seen";
        assert_eq!(preview.undo.impossible.as_deref(), Some(said), "{words}");
    }
}

fn keys_that_do_not_lead_to_their_rows_again_forbid_the_undo(engine: Dialect) {
    let schema = "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER); \
                  INSERT INTO t VALUES (CAST(x'ff41' AS TEXT), 1), (NULL, 2), (NULL, 3), ('x', 4)";
    let desk = Desk::new(engine, schema);
    let said = "t: 1 keys of rows that were written do not lead to these rows again";
    for statement in [
        "UPDATE t SET v = 9 WHERE v = 1",
        "DELETE FROM t WHERE v = 1",
        "UPDATE t SET v = 9 WHERE v = 2",
        "DELETE FROM t WHERE v = 3",
    ] {
        let preview = desk.preview(&desk.job("op", &[statement]));
        assert_eq!(preview.undo.impossible.as_deref(), Some(said), "{statement}");
    }
    let preview = desk.preview(&desk.job("op", &["UPDATE t SET v = 9 WHERE v = 4"]));
    assert_eq!(preview.undo.impossible, None);
}

fn text_that_would_come_back_as_bytes_forbids_the_undo(engine: Dialect) {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, bytes BLOB, v INTEGER); \
                  INSERT INTO t VALUES (1, CAST(x'4de96c' AS TEXT), x'ff', 1), (2, 'a', x'ff', 2)";
    let desk = Desk::new(engine, schema);
    let said = "t: text of 1 row is not UTF-8 and would come back as bytes";
    for (statement, why) in [
        ("UPDATE t SET name = 'x'", Some(said)),
        ("DELETE FROM t WHERE id = 1", Some(said)),
        ("UPDATE t SET v = 5, bytes = NULL WHERE id = 2", None),
        ("UPDATE t SET v = 5 WHERE id = 1", None),
        ("DELETE FROM t WHERE id = 2", None),
    ] {
        let preview = desk.preview(&desk.job("op", &[statement]));
        assert_eq!(preview.undo.impossible.as_deref(), why, "{statement}");
    }
}

fn rows_that_come_and_go_in_triggers_are_told_apart(engine: Dialect) {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3); \
                  CREATE TABLE s (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO s VALUES (8, 1), (9, 1); ";
    let mut desk = Desk::new(engine, schema);
    let body = |sqlite: &str| match engine {
        Dialect::Sqlite => format!("CREATE TRIGGER c AFTER INSERT ON t BEGIN {sqlite}; END"),
        Dialect::Mariadb => {
            format!("CREATE TRIGGER c AFTER INSERT ON t FOR EACH ROW BEGIN {sqlite}; END")
        }
        _ => format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {sqlite}; RETURN NULL; END $$; \
             CREATE TRIGGER c AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"
        ),
    };
    let of_others = "DELETE FROM s WHERE id = 9; INSERT INTO s VALUES (9, 5); INSERT INTO s VALUES (7, 1); \
                     UPDATE s SET v = 2 WHERE id = 7; INSERT INTO s VALUES (6, 1); DELETE FROM s WHERE id = 6; \
                     UPDATE s SET id = 5 WHERE id = 8";
    // There, no trigger writes to its own table.
    let (itself, became) = match engine {
        Dialect::Mariadb => ("", "t 4: - -> 4,4"),
        _ => ("UPDATE t SET v = v + 10 WHERE id = NEW.id; ", "t 4: - -> 4,14"),
    };
    let trigger = body(&format!("{itself}{of_others}"));
    if engine == Dialect::Postgres {
        desk.script(&trigger);
    } else {
        desk.run(&trigger);
    }
    let statements = [
        "INSERT INTO t VALUES (4, 4)",
        "UPDATE t SET id = 10 WHERE id = 1",
        "UPDATE t SET id = 1 WHERE id = 2",
        "DELETE FROM t WHERE id = 3",
    ];
    let preview = desk.preview(&desk.job("op", &statements));
    // The trigger fires for the undo too, and stands in its way; nothing was lost sight of.
    let why = preview.undo.impossible.clone().unwrap_or_default();
    assert!(why.starts_with("tried, and the database refused"), "{why}");
    let seen = [
        "s 5: - -> 5,1",
        "s 7: - -> 7,2",
        "s 8: 8,1 -> -",
        "s 9: 9,1 -> 9,5",
        "t 10: - -> 10,1",
        "t 1: 1,1 -> 1,2",
        "t 2: 2,2 -> -",
        "t 3: 3,3 -> -",
        became,
    ];
    assert_eq!(images(&preview), seen);
}

/// What is left of it would name several rows.
fn an_index_over_an_expression_is_no_key(engine: Dialect) {
    let schema = "CREATE TABLE t (a VARCHAR(9) NOT NULL, b VARCHAR(9)); \
                  CREATE UNIQUE INDEX i ON t (a, lower(b)); \
                  INSERT INTO t VALUES ('x', 'p'), ('x', 'q')";
    let desk = Desk::new(engine, schema);
    let preview = desk.preview(&desk.job("op", &["UPDATE t SET b = 'z' WHERE b = 'p'"]));
    let said = "t has no key by which a row could be found again";
    assert_eq!(preview.undo.impossible.as_deref(), Some(said));
}

/// Not by what may be NULL.
fn a_table_without_a_primary_key_is_known_by_what_is_unique(engine: Dialect) {
    let schema = "CREATE TABLE t (a INT, b INT NOT NULL, v INT); \
                  CREATE UNIQUE INDEX i2 ON t (b); CREATE UNIQUE INDEX i3 ON t (a); \
                  INSERT INTO t VALUES (NULL, 1, 5), (NULL, 2, 6)";
    let mut desk = Desk::new(engine, schema);
    let preview = desk.done(&desk.job("op", &["UPDATE t SET v = 7"]));
    assert_eq!(images(&preview), ["t 1: NULL,1,5 -> NULL,1,7", "t 2: NULL,2,6 -> NULL,2,7"]);
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(desk.count("SELECT SUM(v) FROM t"), 11);
}

fn a_change_of_one_row_compares_no_whole_table(engine: Dialect) {
    const ROWS: i64 = 20_000;
    const READ: &str = "SELECT CAST(SUM(variable_value) AS INTEGER) FROM information_schema.global_status \
                        WHERE variable_name LIKE 'HANDLER_READ%'";
    let schema = "CREATE TABLE big (id INT PRIMARY KEY, v INT); \
                  INSERT INTO big SELECT seq, 0 FROM seq_1_to_20000";
    let mut desk = Desk::new(engine, schema);
    let before = desk.count(READ);
    let preview = desk.preview(&desk.job("op", &["UPDATE big SET v = 7 WHERE id = 20000"]));
    let read = desk.count(READ) - before;
    assert_eq!(preview.undo.sentence(), "rehearsed: 1 of 1 rows come back");
    assert!(read < ROWS, "{read} rows were read");
    // What a trigger adds is found by comparing, once for the change and once for its undo.
    desk.script(
        "CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, v INT); \
         CREATE TRIGGER l AFTER UPDATE ON big FOR EACH ROW INSERT INTO log (v) VALUES (NEW.v)",
    );
    let preview = desk.preview(&desk.job("op", &["UPDATE big SET v = 7 WHERE id = 20000"]));
    assert_eq!(
        preview.undo.sentence(),
        "rehearsed: 1 of 1 rows come back, 2 rows written by triggers stay in log"
    );
    // One that writes for the change alone leaves what it wrote, and that is not looked for anew.
    desk.script(
        "DROP TRIGGER l; CREATE TRIGGER l AFTER UPDATE ON big FOR EACH ROW \
         IF NEW.v > 0 THEN INSERT INTO log (v) VALUES (NEW.v); END IF",
    );
    let preview = desk.preview(&desk.job("op", &["UPDATE big SET v = 7 WHERE id = 20000"]));
    assert_eq!(
        preview.undo.sentence(),
        "rehearsed: 1 of 1 rows come back, 1 row written by triggers stays in log"
    );
}

fn an_undo_that_is_not_looked_at_to_the_end_in_time_is_rehearsed_in_part(engine: Dialect) {
    let schema = "CREATE TABLE item (id INT PRIMARY KEY, v INT); INSERT INTO item VALUES (1, 0); \
                  CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, v INT); \
                  CREATE TRIGGER l AFTER UPDATE ON item FOR EACH ROW INSERT INTO log (v) VALUES (NEW.v)";
    let mut desk = Desk::on(engine, schema, Setup::tcp);
    let server = desk.server.as_ref().expect("a server");
    let proxy = Proxy::before(Upstream::Tcp(server.port()));
    let url = server.tcp_url(ADMIN, "127.0.0.1", proxy.port(), "erp");
    desk.target.url = TargetUrl::parse(&url, Path::new("")).expect("a url");
    let mut job = desk.job("op", &["UPDATE item SET v = 7 WHERE id = 1"]);
    job.plan.limits.time_cap = Duration::from_secs(6);
    // The row comes back so late that the time of the rehearsal, a third of that, is over.
    proxy.arm(Fault::HoldAt(b"UPDATE `item` SET".to_vec(), Moment::Answered));
    let preview = std::thread::scope(|scope| {
        scope.spawn(|| {
            proxy.wait();
            let late = Instant::now() + job.plan.limits.time_cap / 3;
            while let Some(left) = late.checked_duration_since(Instant::now()) {
                std::thread::park_timeout(left);
            }
            proxy.release();
        });
        desk.preview(&job)
    });
    assert_eq!(preview.undo.impossible, None);
    assert_eq!(
        preview.undo.sentence(),
        "rehearsed: 1 of 1 rows come back, 1 row written by triggers stays in log, and the undo may add \
         its own, and what else it writes was not looked for in time"
    );
}

fn a_unique_key_that_is_updated_is_one_updated_row(engine: Dialect) {
    let schema = "CREATE TABLE u (login VARCHAR(20) NOT NULL, email VARCHAR(99) NOT NULL); \
                  CREATE UNIQUE INDEX u_login ON u (login); \
                  CREATE UNIQUE INDEX a_email ON u (email); \
                  INSERT INTO u VALUES ('bob', 'old@x'), ('eve', 'eve@x')";
    for (column, statement) in [
        ("email", "UPDATE u SET email = 'new@x' WHERE login = 'bob'"),
        ("login", "UPDATE u SET login = 'rob' WHERE email = 'old@x'"),
    ] {
        let mut desk = Desk::new(engine, schema);
        let before = dump(&mut desk, &["u"]);
        let preview = desk.done(&desk.job("op", &[statement]));
        assert_eq!(writes(&preview), ["u 1 upd / -"], "{column}: {:?}", images(&preview));
        assert_eq!(preview.undo.impossible, None, "{column}");
        desk.done(&desk.undo_job("op", "back"));
        assert_eq!(dump(&mut desk, &["u"]), before, "{column}");
    }
}

fn a_key_of_words_that_look_like_numbers_finds_its_rows(engine: Dialect) {
    let schema = "CREATE TABLE ek (kind ENUM('0', '1', 'print'), id INT, v INT, PRIMARY KEY (kind, id)); \
                  INSERT INTO ek VALUES ('0', 1, 1), ('1', 1, 2), ('1', 2, 3), ('print', 1, 4)";
    let mut desk = Desk::new(engine, schema);
    let preview = desk.done(&desk.job("op", &["UPDATE ek SET v = 9"]));
    assert_eq!(images(&preview).len(), 4);
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(desk.count("SELECT SUM(v * v) FROM ek"), 30);
}

fn what_a_function_writes_is_written_once_and_seen(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.run("CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what INT)");
    desk.run(
        "CREATE FUNCTION note_it(n INT) RETURNS INT MODIFIES SQL DATA \
         BEGIN INSERT INTO log (what) VALUES (n); RETURN n; END",
    );
    for call in ["note_it(id)", "erp.note_it(id)"] {
        let statement = format!("UPDATE stock SET n = 56 WHERE {call} > 0");
        let preview = desk.preview(&desk.job("op", &[&statement]));
        assert_eq!(writes(&preview), ["stock 3 upd / -", "log - / 3 ins"], "{call}");
    }
    assert_eq!(desk.count("SELECT COUNT(*) FROM log"), 0);
}

fn no_limit_of_the_server_cuts_what_is_read(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.run("SET GLOBAL sql_select_limit = 2");
    let preview = desk.preview(&desk.job("op", &["UPDATE stock SET n = 0"]));
    assert_eq!(images(&preview).len(), 3);
    assert_eq!((preview.undo.restored, preview.undo.of), (3, 3));
}

fn a_key_of_bits_finds_its_rows(engine: Dialect) {
    let schema = "CREATE TABLE t (a INT, flag BIT(1), v INT, PRIMARY KEY (a, flag)); \
                  INSERT INTO t VALUES (1, 1, 5), (1, 0, 6); \
                  CREATE TABLE u (k BIT(16) PRIMARY KEY, v INT); INSERT INTO u VALUES (1, 5), (300, 6)";
    let mut desk = Desk::new(engine, schema);
    let statements = ["UPDATE t SET v = 7 WHERE a = 1", "UPDATE u SET v = 8"];
    let preview = desk.done(&desk.job("op", &statements));
    assert_eq!(writes(&preview), ["t 2 upd / -", "u 2 upd / -"]);
    assert_eq!(images(&preview).len(), 4);
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(desk.count("SELECT SUM(v) FROM t") + desk.count("SELECT SUM(v) FROM u"), 22);
}

fn names_that_differ_in_case_alone_are_two_tables(engine: Dialect) {
    let (upper, lower) = of(engine, [("", ""), ("\"Foo\"", "foo"), ("Foo", "foo")]);
    let schema = format!(
        "CREATE TABLE {upper} (id INT PRIMARY KEY, v INT); CREATE TABLE {lower} (id INT PRIMARY KEY, v INT); \
         INSERT INTO {upper} VALUES (1, 1); INSERT INTO {lower} VALUES (1, 5)"
    );
    let desk = Desk::new(engine, &schema);
    let preview = desk.preview(&desk.job("op", &["UPDATE foo SET v = 6"]));
    assert_eq!(images(&preview), ["foo 1: 1,5 -> 1,6"]);
    assert_eq!(writes(&preview), ["foo 1 upd / -"]);
}

fn a_change_of_nothing_cannot_be_approved(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let preview = desk.preview(&desk.job("op", &["UPDATE stock SET n = 0 WHERE id = 99"]));
    assert_eq!(preview.refused, ["it changes nothing"]);
}

fn more_rows_than_are_allowed_cannot_be_approved(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let mut job = desk.job("op", &["UPDATE stock SET n = 0"]);
    job.plan.limits.max_rows = 2;
    assert_eq!(desk.preview(&job).refused, ["it writes 3 rows, and the runbook allows 2"]);
}

/// The server counts them for the statement that names the table they inherit from.
fn rows_of_heirs_are_counted_once(engine: Dialect) {
    let mut desk = Desk::new(
        engine,
        "CREATE SCHEMA old; CREATE TABLE par (id int PRIMARY KEY, v int);
         CREATE TABLE old.chi (extra text, PRIMARY KEY (id)) INHERITS (par);
         CREATE TABLE gra (PRIMARY KEY (id)) INHERITS (old.chi);
         CREATE TABLE log (id int);
         INSERT INTO par VALUES (1, 1), (2, 2);
         INSERT INTO old.chi VALUES (2, 5), (3, 6);
         INSERT INTO gra VALUES (4, 7)",
    );
    desk.script(
        "CREATE FUNCTION l() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO log VALUES (OLD.id); RETURN NULL; END $$;
         CREATE TRIGGER l AFTER DELETE ON old.chi FOR EACH ROW EXECUTE FUNCTION l();",
    );
    let before = dump(&mut desk, &["par", "old.chi", "gra"]);
    let mut job = desk.job("op", &["UPDATE par SET v = v + 1", "DELETE FROM par WHERE id = 2"]);
    job.plan.limits.max_rows = 8;
    let preview = desk.done(&job);
    let writes: Vec<String> = preview
        .writes
        .iter()
        .map(|w| format!("{}: {} + {} hidden", w.table, w.direct.words(), w.hidden.total()))
        .collect();
    let wanted = [
        "gra: 1 upd + 0 hidden",
        "log: - + 1 hidden",
        "old.chi: 2 upd 1 del + 0 hidden",
        "par: 2 upd 1 del + 0 hidden",
    ];
    let mut sorted = writes;
    sorted.sort();
    assert_eq!((sorted, preview.rows()), (wanted.map(String::from).to_vec(), 8));
    desk.done(&desk.undo_job("op", "back"));
    assert_eq!(dump(&mut desk, &["par", "old.chi", "gra"]), before);
}

fn rows_that_an_insert_finds_there_are_updates(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let rows = "INSERT INTO stock (id, n) VALUES (1, 10), (2, 20), (3, 30), (9, 90)";
    let upsert = match engine {
        Dialect::Mariadb => format!("{rows} ON DUPLICATE KEY UPDATE n = n + 5"),
        _ => format!("{rows} ON CONFLICT (id) DO UPDATE SET n = stock.n + 5"),
    };
    let preview = desk.preview(&desk.job("op", &[&upsert]));
    assert_eq!(writes(&preview), ["stock 1 ins 3 upd / -"]);
    assert_eq!((preview.rows(), images(&preview).len()), (4, 4));
}

fn rows_of_a_joined_update_are_counted(engine: Dialect) {
    let schema =
        format!("{STOCK} CREATE TABLE wanted (id INTEGER); INSERT INTO wanted VALUES (1), (2);");
    let desk = Desk::new(engine, &schema);
    let change = of(
        engine,
        [
            "UPDATE stock SET n = 0 FROM wanted WHERE wanted.id = stock.id",
            "UPDATE stock SET n = 0 FROM wanted WHERE wanted.id = stock.id",
            "UPDATE stock AS s JOIN wanted AS w ON w.id = s.id SET s.n = 0",
        ],
    );
    let preview = desk.preview(&desk.job("op", &[change]));
    assert_eq!(writes(&preview), ["stock 2 upd / -"]);
    assert_eq!(images(&preview), ["stock 1: 1,one,1 -> 1,one,0", "stock 2: 2,two,2 -> 2,two,0"]);
}

fn a_row_is_found_there_by_an_index_of_a_part(engine: Dialect) {
    let schema =
        "CREATE TABLE mail (id INTEGER PRIMARY KEY, name VARCHAR(20), gone INTEGER, n INTEGER);
         CREATE UNIQUE INDEX there ON mail (lower(name)) WHERE gone IS NULL;
         INSERT INTO mail VALUES (1, 'A', NULL, 1), (2, 'A', 1, 1)";
    let desk = Desk::new(engine, schema);
    let change = "INSERT INTO mail VALUES (3, 'a', NULL, 5) \
                  ON CONFLICT (lower(name)) WHERE gone IS NULL DO UPDATE SET n = excluded.n";
    let preview = desk.preview(&desk.job("op", &[change]));
    assert_eq!(images(&preview), ["mail 1: 1,A,NULL,1 -> 1,A,NULL,5"]);
    assert_eq!(preview.undo.impossible, None);
}
