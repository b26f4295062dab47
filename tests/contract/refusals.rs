//! What is not even tried: whatever a rollback would not take back, and whatever is no change of rows.

use steadyhand::config::Approval;
use steadyhand::consent::Act;
use steadyhand::dialect::Dialect;
use steadyhand::ops::recover::{self, Job};
use steadyhand::ops::tool::Site;
use steadyhand::ops::{Stopper, mass};
use steadyhand::recovery::second::Demand;
use steadyhand::recovery::{Execution, Planned};
use steadyhand::runbook::{Argv, CommandStep};
use steadyhand::sql::Verb;

use super::common::desk::{Desk, approve, consent};
use super::previews::writes;
use super::{LONG, STOCK, dump, of};

contract! {
    statements_that_are_no_change_of_rows on sqlite postgres mariadb;
    tables_that_no_rollback_takes_back on sqlite postgres mariadb;
    functions_that_reach_out_of_the_transaction on sqlite postgres mariadb;
    a_trigger_is_judged_by_what_it_does_and_not_by_its_columns on postgres,
        not sqlite: "nothing that a trigger can call reaches out",
        not mariadb: "a trigger is judged by the functions that are known";
    what_lies_outside_of_the_target on sqlite postgres mariadb;
    a_view on postgres mariadb,
        not sqlite: "a view is written by its triggers alone, and those are watched";
    a_name_that_no_table_has on sqlite postgres mariadb;
    an_account_that_could_not_write_the_ledger on postgres mariadb,
        not sqlite: "whoever may write the file may add a table to it";
    a_rollback_that_neither_the_server_nor_a_key_can_prove on mariadb,
        not sqlite: "whether the file was written shows",
        not postgres: "the server tells everybody of a transaction of theirs";
    a_server_that_takes_no_writes on postgres mariadb,
        not sqlite: "there is no server: whether a file may be written shows when it is opened";
    a_connection_that_is_fenced_off_by_its_options on postgres,
        not sqlite: "a file is opened without options",
        not mariadb: "a url says no settings of a session";
    another_server_under_the_same_name on sqlite postgres mariadb;
    a_target_that_wants_two_is_written_by_no_approval_of_one on sqlite postgres mariadb;
    a_command_that_writes_is_not_run_where_two_must_agree on sqlite,
        not postgres: "a command is run by this host, whatever the engine is",
        not mariadb: "a command is run by this host, whatever the engine is";
}

/// Whatever made the approval: in one transaction and in chunks, by the target and by the plan.
fn a_target_that_wants_two_is_written_by_no_approval_of_one(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let before = dump(&mut desk, &["stock"]);
    for (by_target, in_chunks) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut job = desk.job("op-1", &["UPDATE stock SET n = n + 1"]);
        let approval = approve(&job.plan, desk.preview(&job));
        if by_target {
            job.target.approval = Approval::FourEyes;
        } else {
            job.plan.demand = Demand::PairOrBreakGlass;
        }
        let stopper = Stopper::default();
        let execution = if in_chunks {
            let reins = mass::Reins::default();
            desk.block_on(mass::execute(&job, approval, &desk.journal, &reins, &|_| {}))
        } else {
            desk.block_on(recover::execute(&job, approval, &desk.journal, &stopper))
        };
        let Execution::RolledBack { why, .. } = execution else { panic!("{execution:?}") };
        assert!(why.contains("nothing was run"), "{why}");
        assert_eq!(dump(&mut desk, &["stock"]), before);
    }
}

fn a_command_that_writes_is_not_run_where_two_must_agree(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let words = vec!["touch".to_owned(), made.display().to_string()];
    let step = CommandStep {
        argv: Argv { any: Some(words), ..Argv::default() },
        timeout: LONG,
        readonly: false,
        backup: None,
        same_as: None,
    };
    let mut run = |approval| {
        desk.target.approval = approval;
        let site = Site { target: desk.target.clone(), folder: folder.path().join("a/b/c") };
        let consent = consent(Act::RunCommand { step: "make".into() }, &desk.target.name);
        desk.block_on(site.run("make", &step, Some(consent), &Stopper::default())).1.trouble
    };
    let why = run(Approval::FourEyes).unwrap_or_default();
    assert!(why.contains("asks for a second person"), "{why}");
    assert!(!made.exists());
    assert_eq!(run(Approval::Confirm), None);
    assert!(made.exists());
}

/// A plan with a text in it that no part of the program has looked at.
fn forged(desk: &Desk, sql: &str) -> Job {
    let (note, sql) = (String::new(), sql.to_owned());
    let (verb, table) = (Verb::Update, "stock".to_owned());
    desk.job_of("op", vec![Planned::Sql { note, sql, verb, table }])
}

/// Refused with these words, and nothing was changed.
fn refused(desk: &mut Desk, sql: &str, words: &str) {
    let job = forged(desk, sql);
    let problem = desk.try_preview(&job).expect_err(sql);
    assert!(problem.sentence.contains(words), "{sql}: {}", problem.sentence);
}

fn statements_that_are_no_change_of_rows(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let before = dump(&mut desk, &["stock"]);
    for (sql, words) in [
        ("CREATE TABLE made (id INTEGER)", "changes definitions"),
        ("ALTER TABLE stock ADD COLUMN x INTEGER", "changes definitions"),
        ("DROP TABLE stock", "changes definitions"),
        ("TRUNCATE TABLE stock", "removes rows without showing them"),
        ("COMMIT", "controls a transaction"),
        ("ROLLBACK", "controls a transaction"),
        ("SAVEPOINT s", "controls a transaction"),
        ("SET autocommit = 1", "changes the session"),
        ("GRANT SELECT ON stock TO somebody", "changes rights"),
        ("LOCK TABLES stock WRITE", "acts on other sessions"),
        ("CALL something()", "runs code"),
        ("PRAGMA foreign_keys = OFF", "how the connection works"),
        ("ATTACH '/tmp/other.db' AS other", "another database"),
        ("ANALYZE stock", "maintenance"),
        ("REPLACE INTO stock VALUES (1, 'x', 1)", "REPLACE"),
        ("UPDATE stock SET n = 0; COMMIT", "several statements"),
        ("UPDATE stock SET n = 0; UPDATE stock SET n = 1", "several statements"),
        ("UPDATE stock SET n = 0 /* ' */; DROP TABLE stock; -- '", "several statements"),
        ("SELECT 1", "only reads"),
    ] {
        refused(&mut desk, sql, words);
        assert_eq!(dump(&mut desk, &["stock"]), before, "{sql}");
    }
    assert!(desk.other().try_run("SELECT * FROM made").is_err());
}

fn tables_that_no_rollback_takes_back(engine: Dialect) {
    let schema = of(
        engine,
        [
            "CREATE VIRTUAL TABLE words USING fts5(text);",
            "CREATE EXTENSION postgres_fdw;
             CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw;
             CREATE FOREIGN TABLE far (id INTEGER) SERVER away;
             CREATE TABLE t (id INTEGER PRIMARY KEY);
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO far VALUES (1); RETURN NULL; END $$;
             CREATE TRIGGER f AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "CREATE TABLE m (id INTEGER) ENGINE = MyISAM; CREATE TABLE a (id INTEGER) ENGINE = Aria;
             CREATE TABLE h (id INTEGER) ENGINE = MEMORY; CREATE TABLE t (id INTEGER PRIMARY KEY);
             CREATE TRIGGER f AFTER INSERT ON t FOR EACH ROW INSERT INTO a VALUES (NEW.id);",
        ],
    );
    let mut desk = Desk::new(engine, &format!("{STOCK}{schema}"));
    let cases: &[(&str, &str)] = of(
        engine,
        [
            &[("INSERT INTO words VALUES ('x')", "words")][..],
            &[
                ("INSERT INTO far VALUES (1)", "lies on another server"),
                ("INSERT INTO t VALUES (1)", "names far, which lies on another server"),
            ],
            &[
                ("UPDATE m SET id = 1", "m is kept by MyISAM, which no rollback can take back"),
                ("UPDATE IGNORE m SET id = 1", "m is kept by MyISAM"),
                ("DELETE FROM b USING a AS b", "a is kept by Aria"),
                ("DELETE FROM a", "a is kept by Aria"),
                ("DELETE FROM h", "h is kept by MEMORY"),
                ("INSERT INTO t VALUES (1)", "a (by a trigger or reference) is kept by Aria"),
            ],
        ],
    );
    if engine == Dialect::Sqlite {
        // A rollback takes a virtual table back, but nothing can watch it.
        let preview = desk.preview(&forged(&desk, cases[0].0));
        let why = preview.undo.impossible.expect("there is no undo");
        assert!(why.contains("writes are unexplained"), "{why}");
        assert_eq!(desk.count("SELECT COUNT(*) FROM words"), 0);
        return;
    }
    for (sql, words) in cases {
        refused(&mut desk, sql, words);
    }
}

fn functions_that_reach_out_of_the_transaction(engine: Dialect) {
    let schema = of(
        engine,
        [
            "",
            "CREATE FUNCTION reaching() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               PERFORM pg_advisory_lock(1); RETURN 1; END $$;
             CREATE FUNCTION at_length(bigint) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               PERFORM pg_advisory_lock($1); RETURN 1; END $$;
             CREATE FUNCTION fine() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';",
            "CREATE FUNCTION fine() RETURNS INT DETERMINISTIC RETURN 1;",
        ],
    );
    let mut desk = Desk::new(engine, &format!("{STOCK}{schema}"));
    let cases: &[(&str, &str)] = of(
        engine,
        [
            &[
                ("load_extension('x')", "reaches out of the database"),
                ("writefile('/tmp/x', 'y')", "reaches out of the database"),
            ][..],
            &[
                ("reaching()", "reaching uses pg_advisory_lock"),
                ("(5::bigint).at_length", "at_length uses pg_advisory_lock"),
                ("(id::bigint).pg_advisory_lock::text::int", "holds a lock that outlives"),
                ("lo_create(1)::int", "changes large objects"),
                ("pg_switch_wal()::text::int", "acts on the server"),
                ("pg_stat_reset_shared('wal')::text::int", "acts on the server"),
                ("pg_notify('x', 'y')::text::int", "acts on other sessions"),
                ("pg_try_advisory_lock(1)::int", "holds a lock that outlives the statement"),
            ],
            &[
                ("sys_exec('x')", "reaches out of the database"),
                ("of_somebody('x')", "nobody knows what the function of_somebody does"),
                ("GET_LOCK('x', 0)", "holds a lock that outlives the statement"),
                ("LOAD_FILE('/etc/passwd')", "reaches out of the database"),
            ],
        ],
    );
    for (call, words) in cases {
        refused(&mut desk, &format!("UPDATE stock SET n = {call} WHERE id = 1"), words);
    }
    let fine = of(engine, ["abs(-1)", "fine() + abs(-1)", "fine() + ABS(-1)"]);
    let preview =
        desk.preview(&forged(&desk, &format!("UPDATE stock SET n = {fine} WHERE id = 3")));
    assert_eq!(preview.refused, [""; 0]);
}

fn a_trigger_is_judged_by_what_it_does_and_not_by_its_columns(engine: Dialect) {
    let trigger = |name: &str, body: &str| {
        format!(
            "CREATE TABLE {name} (id INTEGER PRIMARY KEY); INSERT INTO {name} VALUES (1);
             CREATE FUNCTION f_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;
             CREATE TRIGGER t AFTER UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION f_{name}();"
        )
    };
    let fine = "-- as the program does, without dblink
        PERFORM set_config('app.row', NEW.id::text, true);
        INSERT INTO http_calls (http_status, program) SELECT 200, program FROM program
        WHERE 200 NOT IN (SELECT http_status FROM http_calls WHERE http_status = (SELECT 404))";
    let schema = [
        "CREATE TABLE http_calls (http_status INTEGER, program TEXT);".to_owned(),
        "CREATE TABLE program (program TEXT); INSERT INTO program VALUES ('p');".to_owned(),
        trigger("audited", fine),
        trigger("told", "PERFORM net.\"http_get\" ('http://x')"),
        trigger("piped", "COPY http_calls TO PROGRAM 'sh'"),
        trigger("built", "EXECUTE 'SELECT dblink_exec(1)'"),
    ];
    let mut desk = Desk::new(engine, &schema.concat());
    let preview = desk.preview(&desk.job("op", &["UPDATE audited SET id = 2"]));
    assert_eq!(writes(&preview), ["audited 1 upd / -", "http_calls - / 1 ins"]);
    assert_eq!(preview.refused, [""; 0]);
    for (table, words) in [
        ("told", "f_told of told uses http_get, which a rollback does not take back"),
        ("piped", "uses COPY with a program"),
        ("built", "uses dblink_exec"),
    ] {
        refused(&mut desk, &format!("UPDATE {table} SET id = 2"), words);
    }
}

fn what_lies_outside_of_the_target(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    if engine == Dialect::Mariadb {
        desk.run("CREATE DATABASE hr");
        desk.run("CREATE TABLE hr.staff (id INTEGER)");
    }
    let cases: &[(&str, &str)] = of(
        engine,
        [
            &[
                ("UPDATE sqlite_schema SET name = 'x'", "may not be modified"),
                ("INSERT INTO other.t VALUES (1)", "other"),
            ][..],
            &[
                ("UPDATE pg_catalog.pg_class SET relname = 'x'", "belongs to the server itself"),
                ("DELETE FROM pg_authid", "belongs to the server itself"),
            ],
            &[
                ("UPDATE hr.staff SET id = 1", "outside of the database that this target names"),
                ("DELETE FROM mysql.global_priv", "outside of the database"),
                (
                    "INSERT INTO stock SELECT id, 'x', 1 FROM hr.staff",
                    "hr.staff is outside of the database",
                ),
            ],
        ],
    );
    for (sql, words) in cases {
        refused(&mut desk, sql, words);
    }
}

/// What is written through it would count as written by something else.
fn a_view(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.run("CREATE VIEW few AS SELECT id, name, n FROM stock WHERE n < 3");
    for sql in ["UPDATE few SET n = 0", "INSERT INTO few VALUES (9, 'x', 1)", "DELETE FROM few"] {
        refused(&mut desk, sql, "few is a view; write to the table behind it");
    }
}

/// A statement whose table is not the one that was read from it is not run.
fn a_name_that_no_table_has(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    for sql in ["UPDATE gone SET n = 0", "INSERT INTO gone VALUES (1)", "DELETE FROM gone"] {
        refused(&mut desk, sql, "the table gone is not there, or not shown to this account");
    }
    let theirs: &[&str] = of(
        engine,
        [
            &["STOCK", "main.stock", "\"a.b\"", "main.\"a.b\""][..],
            &["STOCK", "public.stock", "\"a.b\"", "public.\"a.b\""],
            &["erp.stock", "`stock`"],
        ],
    );
    if engine != Dialect::Mariadb {
        desk.run("CREATE TABLE \"a.b\" (id INTEGER PRIMARY KEY)");
    }
    for name in theirs {
        desk.preview(&forged(&desk, &format!("DELETE FROM {name} WHERE id > 2")));
    }
}

fn an_account_that_could_not_write_the_ledger(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let [rights, sees, writes] = of(
        engine,
        [
            ["", "", ""],
            [
                "GRANT SELECT, UPDATE ON stock TO clerk",
                "GRANT SELECT ON steadyhand_ledger TO clerk",
                "GRANT INSERT ON steadyhand_ledger TO clerk",
            ],
            [
                "GRANT SELECT, UPDATE ON erp.stock TO clerk@'%'; GRANT PROCESS ON *.* TO clerk@'%'",
                "GRANT SELECT ON erp.steadyhand_ledger TO clerk@'%'",
                "GRANT INSERT ON erp.steadyhand_ledger TO clerk@'%'",
            ],
        ],
    );
    desk.target = desk.account("clerk", rights);
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let refused = desk.preview(&job).refused.join("; ");
    assert!(refused.contains("the ledger steadyhand_ledger is missing"), "{refused}");
    assert!(refused.contains("`steadyhand grants` prints"), "{refused}");
    desk.script(&steadyhand::sql::create_ledger("steadyhand_ledger", engine));
    desk.script(sees);
    let refused = desk.preview(&job).refused.join("; ");
    assert!(refused.contains("the ledger steadyhand_ledger may not be written"), "{refused}");
    desk.script(writes);
    desk.done(&job);
    assert_eq!(desk.count("SELECT COUNT(*) FROM steadyhand_ledger"), 1);
}

fn a_rollback_that_neither_the_server_nor_a_key_can_prove(engine: Dialect) {
    let mut desk =
        Desk::new(engine, "CREATE TABLE loose (n INTEGER); INSERT INTO loose VALUES (1)");
    desk.target = desk.account("clerk", "GRANT ALL ON erp.* TO clerk@'%'");
    let job = desk.job("op", &["UPDATE loose SET n = 0"]);
    let refused = desk.preview(&job).refused.join("; ");
    assert!(refused.contains("the rollback could not be proved: "), "{refused}");
    assert!(refused.contains("PROCESS"), "{refused}");
    assert!(refused.contains("loose has no key to compare its rows by"), "{refused}");
    desk.script("GRANT PROCESS ON *.* TO clerk@'%'");
    desk.done(&job);
}

fn a_server_that_takes_no_writes(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.run(of(
        engine,
        [
            "",
            "ALTER DATABASE erp SET default_transaction_read_only = on",
            "SET GLOBAL read_only = 1",
        ],
    ));
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let problem = desk.try_preview(&job).expect_err("it takes no writes");
    let words = of(engine, ["", "default_transaction_read_only is on", "read_only = 1"]);
    assert!(problem.sentence.contains(words), "{problem}");
}

fn a_connection_that_is_fenced_off_by_its_options(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let before = dump(&mut desk, &["stock"]);
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let preview = desk.preview(&job);
    let mut fenced = job.clone();
    let options = "-c%20default_transaction_read_only%3Don".to_owned();
    let server = fenced.target.url.server.as_mut().expect("it is on a server");
    server.options.push(("options".to_owned(), options));
    let words = "default_transaction_read_only is on in the options of the url";
    let problem = desk.try_preview(&fenced).expect_err("it takes no writes");
    assert!(problem.sentence.contains(words), "{problem}");
    let execution = desk.execute(&fenced, preview);
    let Execution::RolledBack { why, .. } = &execution else { panic!("{execution:?}") };
    assert!(why.contains(words), "{why}");
    assert_eq!(dump(&mut desk, &["stock"]), before);
}

fn another_server_under_the_same_name(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let job = desk.job("op", &["UPDATE stock SET n = 0 WHERE id = 1"]);
    let preview = desk.preview(&job);
    let mut elsewhere = job.clone();
    if engine == Dialect::Sqlite {
        let path = desk.target.url.path.clone();
        let copy = path.with_extension("copy");
        std::fs::copy(&path, &copy).unwrap();
        std::fs::rename(&copy, &path).unwrap();
    } else {
        let server = desk.server.as_ref().unwrap();
        let url = server.database("copy");
        server.run("copy", STOCK);
        let url = steadyhand::config::TargetUrl::parse(&url, std::path::Path::new("")).unwrap();
        elsewhere.target.url = url;
    }
    let problem = desk.try_preview(&elsewhere).expect_err("it is another one");
    assert!(problem.sentence.contains("erp is another server now"), "{problem}");
    let execution = desk.execute(&elsewhere, preview);
    let Execution::RolledBack { why, .. } = &execution else { panic!("{execution:?}") };
    assert!(why.contains("erp is another server now") && why.contains("nothing was run"), "{why}");
    assert_eq!(desk.other().count("SELECT n FROM stock WHERE id = 1"), 1);
}
