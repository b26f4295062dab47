//! A check asked as an operator asks it, by `steadyhand check`: whatever keeps it from seeing
//! everything makes it inconclusive, never clear.

use steadyhand::dialect::Dialect;

use super::common::Home;
use super::common::desk::Desk;
use super::common::server::{ADMIN, Kind, Server, Setup};
use super::{STOCK, of, serial, wait_until};

contract! {
    what_is_found_is_counted_and_what_is_clean_is_clear on sqlite postgres mariadb;
    another_server_than_the_pinned_one_is_asked_nothing on sqlite postgres mariadb;
    what_is_no_copy_of_the_pinned_server_is_not_asked_for_it on sqlite postgres mariadb;
    a_missing_table_is_inconclusive on sqlite postgres mariadb;
    what_the_engine_makes_as_it_is_named_is_not_missing on sqlite mariadb,
        not postgres: "what it makes there is a function, and called with parentheses";
    a_table_that_may_not_be_read_is_inconclusive on postgres mariadb,
        not sqlite: "there are no accounts: who opens the file reads all of it";
    what_the_catalogue_hides_is_inconclusive on postgres mariadb,
        not sqlite: "there are no accounts: who opens the file sees all of it";
    what_sql_means_is_no_setting_of_a_role on postgres,
        not sqlite: "there are no accounts",
        not mariadb: "its modes are set back, see sessions";
    rows_that_a_policy_hides_are_inconclusive on postgres,
        not sqlite: "it has no policies on rows",
        not mariadb: "it has no policies on rows";
    a_query_that_takes_too_long_is_inconclusive on sqlite postgres mariadb;
    a_write_inside_a_function_is_refused_by_the_server on postgres mariadb,
        not sqlite: "it has no stored functions, and the file is opened read-only";
    what_acts_although_it_reads_is_no_check on sqlite postgres mariadb;
    a_replica_that_is_late_is_inconclusive on postgres mariadb,
        not sqlite: "a file has no replicas";
    a_replica_whose_source_is_gone_is_inconclusive on mariadb,
        not sqlite: "a file has no replicas",
        not postgres: "it counts from the last transaction that it replayed, source or none";
    a_replica_that_may_not_be_watched_is_inconclusive on mariadb,
        not sqlite: "a file has no replicas",
        not postgres: "it tells everybody how late it is";
    an_orphan_below_a_valid_reference_is_found on sqlite mariadb,
        not postgres: "only a superuser who switches triggers off makes one; the switch is shown";
}

/// A folder with this target in it.
fn home(desk: &Desk, url: &str, more: &str) -> Home {
    let url = if desk.dialect == Dialect::Sqlite {
        format!("sqlite://{}", desk.target.url.path.display())
    } else {
        url.to_owned()
    };
    let home = Home::new();
    let text = format!("[target.erp]\nurl = \"{url}\"\nenvironment = \"staging\"\n{more}");
    home.write("steadyhand.toml", &text);
    home
}

fn at_home(desk: &Desk) -> Home {
    home(desk, &desk.server.as_ref().map(|server| server.url("erp")).unwrap_or_default(), "")
}

/// The exit code and everything said by one check of this text.
fn check(home: &Home, sql: &str) -> (i32, String) {
    write(home, "asked", sql);
    asked(home)
}

fn asked(home: &Home) -> (i32, String) {
    let args = ["check", "--target", "erp", "--checks", "checks", "--check", "asked"];
    let output = home.steadyhand(&args).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    super::common::assert_discreet("a check", &said);
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

fn write(home: &Home, id: &str, sql: &str) {
    write_for("any", home, id, sql);
}

fn write_for(engine: &str, home: &Home, id: &str, sql: &str) {
    let text = format!(
        "id = \"{id}\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nkey = [\"id\"]\nowner = \"o\"\n\
         timeout = \"1s\"\n[sql]\n{engine} = \"\"\"\n{sql}\n\"\"\"\n"
    );
    home.write(&format!("checks/own/{id}.toml"), &text);
}

fn inconclusive(home: &Home, sql: &str, words: &str) {
    let (code, said) = check(home, sql);
    assert!(code == 3 && said.contains("inconclusive") && said.contains(words), "{code} {said}");
}

fn what_is_found_is_counted_and_what_is_clean_is_clear(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let home = at_home(&desk);
    let (code, said) = check(&home, "SELECT id, name FROM stock WHERE n > 1");
    assert!(code == 2 && said.contains("2 violations") && said.contains("id: 2, 3"), "{said}");
    let (code, said) = check(&home, "SELECT id FROM stock WHERE n > 9");
    assert!(code == 0 && said.contains("clear"), "{said}");
    if engine != Dialect::Sqlite {
        let each = "(SELECT id FROM stock WHERE n > 1 ORDER BY id LIMIT 1)";
        write_for(engine.key(), &home, "asked", &format!("{each} UNION ALL {each}"));
        let (code, said) = asked(&home);
        assert!(code == 2 && said.contains("2 violations"), "{said}");
    }
    // Once a moment: not one word of the program stays in the database.
    let tables = of(
        engine,
        [
            "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'",
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'erp'",
        ],
    );
    assert_eq!(desk.other().count(tables), 1);
}

fn another_server_than_the_pinned_one_is_asked_nothing(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let url = desk.server.as_ref().map(|server| server.url("erp")).unwrap_or_default();
    let sql = "SELECT id FROM stock WHERE n > 9";
    let pinned = |name: &str| home(&desk, &url, &format!("fingerprint = \"{name}\"\n"));
    assert_eq!(check(&pinned(&desk.identity), sql).0, 0);
    let (code, said) = check(&pinned("somewhere else"), sql);
    assert!(code >= 3 && said.contains("erp is another server now"), "{code} {said}");
}

/// Checks that run elsewhere, where the same table is empty.
fn what_is_no_copy_of_the_pinned_server_is_not_asked_for_it(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let sql = "SELECT id FROM stock";
    let elsewhere = |url: &str, more: &str| {
        let more = format!("fingerprint = \"{}\"\ndetect_url = \"{url}\"\n{more}", desk.identity);
        let home =
            home(&desk, &desk.server.as_ref().map(|one| one.url("erp")).unwrap_or_default(), &more);
        check(&home, sql)
    };
    let made = "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER)";
    let folder = tempfile::tempdir().unwrap();
    let other = match &desk.server {
        Some(server) => {
            let url = server.database("other");
            server.run("other", made);
            url
        }
        None => {
            let file = folder.path().join("other.db");
            super::common::Sqlite::create(&file).run(made);
            format!("sqlite://{}", file.display())
        }
    };
    let (code, said) = elsewhere(&other, "detect_fingerprint = \"nobody\"\n");
    assert!(code == 3 && said.contains("another server now"), "{code} {said}");
    let (code, said) = elsewhere(&other, "");
    if engine != Dialect::Postgres {
        assert_eq!(code, 0, "nobody knows what a copy is: {said}");
        return;
    }
    assert!(code == 3 && said.contains("which is no copy of"), "{code} {said}");
    let (_, named) = said.split_once("detect_fingerprint = \"").unwrap();
    let named = named.split('"').next().unwrap();
    let (code, said) = elsewhere(&other, &format!("detect_fingerprint = \"{named}\"\n"));
    assert_eq!(code, 0, "{said}");
    let replica = desk.server.as_ref().unwrap().standby();
    let (code, said) = elsewhere(&replica.url("erp"), "");
    assert_eq!(code, 2, "{said}");
}

fn a_missing_table_is_inconclusive(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    inconclusive(&at_home(&desk), "SELECT id FROM nowhere", "nowhere");
}

fn what_the_engine_makes_as_it_is_named_is_not_missing(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let made: &[&str] = of(
        engine,
        [&["pragma_foreign_key_check", "dbstat"][..], &[], &["seq_1_to_99", "seq_9_to_99_step_3"]],
    );
    for name in made {
        let (code, said) =
            check(&at_home(&desk), &format!("SELECT 1 AS id FROM {name} WHERE 1 = 0"));
        assert!(code == 0 && said.contains("1 clear"), "{name}: {code} {said}");
    }
}

fn a_table_that_may_not_be_read_is_inconclusive(engine: Dialect) {
    let mut desk = Desk::new(engine, &format!("{STOCK} CREATE TABLE pay (id INTEGER);"));
    let grants = of(
        engine,
        ["", "GRANT SELECT ON stock TO clerk", "GRANT SELECT ON erp.stock TO clerk@'%'"],
    );
    desk.account("clerk", grants);
    let home = home(&desk, &desk.server.as_ref().unwrap().url_as("clerk", "erp"), "");
    assert_eq!(check(&home, "SELECT id FROM stock WHERE n > 9").0, 0);
    let words = of(engine, ["", "must GRANT the right on pay", "or this account may not see it"]);
    inconclusive(&home, "SELECT id FROM pay", words);
    inconclusive(&home, "SELECT id FROM stock WHERE id IN (SELECT id FROM pay)", words);
}

/// A question about every table, by an account that has a right on one of them.
fn what_the_catalogue_hides_is_inconclusive(engine: Dialect) {
    let mut desk = Desk::new(engine, &format!("{STOCK} CREATE TABLE pay (id INTEGER);"));
    let grants = of(
        engine,
        ["", "GRANT SELECT (id) ON stock TO clerk", "GRANT SELECT ON erp.stock TO clerk@'%'"],
    );
    desk.account("clerk", grants);
    let home = home(&desk, &desk.server.as_ref().unwrap().url_as("clerk", "erp"), "");
    let listing = "SELECT table_name AS id FROM information_schema.tables WHERE table_name = 'pay'";
    let words = of(
        engine,
        [
            "",
            "and not pay; pg_catalog shows all",
            "GRANT REFERENCES ON `erp`.* TO it or to its role",
        ],
    );
    inconclusive(&home, listing, words);
    // Who names the tables that are meant has them.
    write(&home, "asked", listing);
    let path = home.path("work/checks/own/asked.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[sql]", "tables = [\"stock\"]\n[sql]")).unwrap();
    assert_eq!(asked(&home).0, 0);
    let server = desk.server.as_ref().unwrap();
    let more =
        of(engine, ["", "GRANT SELECT ON pay TO clerk", "GRANT REFERENCES ON erp.* TO clerk@'%'"]);
    server.run("erp", more);
    let (code, said) = check(&home, listing);
    assert_eq!(code, 2, "{said}");
    if engine == Dialect::Mariadb {
        // Triggers are shown to whoever may make some.
        let triggers = "SELECT trigger_name AS id FROM information_schema.triggers";
        inconclusive(&home, triggers, "GRANT TRIGGER ON `erp`.*");
        // By a role, and by a pattern that is none.
        server.run(
            "erp",
            "CREATE ROLE watcher; GRANT TRIGGER ON `er_`.* TO watcher; \
             GRANT watcher TO clerk@'%'; SET DEFAULT ROLE watcher FOR clerk@'%'",
        );
        assert_eq!(check(&home, triggers).0, 0);
        server.run(
            "erp",
            "REVOKE TRIGGER ON `er_`.* FROM watcher; GRANT TRIGGER ON `er\\_`.* TO watcher",
        );
        inconclusive(&home, triggers, "GRANT TRIGGER ON `erp`.*");
    }
}

fn what_sql_means_is_no_setting_of_a_role(engine: Dialect) {
    let mut desk = Desk::new(engine, &format!("{STOCK} INSERT INTO stock (id) VALUES (9);"));
    desk.account(
        "clerk",
        "GRANT SELECT ON stock TO clerk; ALTER ROLE clerk SET transform_null_equals = on",
    );
    let home = home(&desk, &desk.server.as_ref().unwrap().url_as("clerk", "erp"), "");
    let (code, said) = check(&home, "SELECT id FROM stock WHERE n = NULL");
    assert_eq!(code, 0, "{said}");
}

fn rows_that_a_policy_hides_are_inconclusive(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    desk.account(
        "clerk",
        "GRANT SELECT ON stock TO clerk; ALTER TABLE stock ENABLE ROW LEVEL SECURITY;
         CREATE POLICY part ON stock USING (n < 3)",
    );
    let home = home(&desk, &desk.server.as_ref().unwrap().url_as("clerk", "erp"), "");
    let words = "sees only a part of the rows";
    inconclusive(&home, "SELECT id FROM stock WHERE n > 2", words);
    // Also one that turns the switch for itself.
    let (code, said) =
        check(&home, "SELECT id FROM stock WHERE set_config('row_security', 'on', true) = 'on'");
    assert!(code >= 3, "{code} {said}");
}

fn a_query_that_takes_too_long_is_inconclusive(engine: Dialect) {
    let desk = Desk::new(engine, STOCK);
    let endless = of(
        engine,
        [
            "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n WHERE id < 0",
            "SELECT a AS id FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a + b < 0",
            "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 900) SELECT a.id FROM n AS a, n AS b, n AS c, n AS d WHERE a.id + b.id + c.id + d.id < 0",
        ],
    );
    inconclusive(&at_home(&desk), endless, "not finished after 1.0 s");
}

fn a_write_inside_a_function_is_refused_by_the_server(engine: Dialect) {
    let function = of(
        engine,
        [
            "",
            "CREATE FUNCTION innocent() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               UPDATE stock SET n = 0; RETURN 1; END $$;",
            "CREATE FUNCTION innocent() RETURNS INT BEGIN UPDATE stock SET n = 0; RETURN 1; END;",
        ],
    );
    let mut desk = Desk::new(engine, STOCK);
    desk.run(function);
    inconclusive(&at_home(&desk), "SELECT innocent() AS id", "read-only");
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
}

/// A read-only transaction may still lock, notify, end sessions, write files: such a text is refused
/// when its file is read, before any server sees it.
fn what_acts_although_it_reads_is_no_check(engine: Dialect) {
    let mut desk = Desk::new(engine, STOCK);
    let home = at_home(&desk);
    let file = "/tmp/steadyhand-contract-outfile";
    let texts: &[&str] = of(
        engine,
        [
            &[
                "SELECT load_extension('x') AS id",
                "SELECT id FROM stock; DELETE FROM stock",
                "PRAGMA writable_schema = ON",
                "ATTACH '/tmp/x.db' AS x",
            ][..],
            &[
                "SELECT id FROM stock FOR UPDATE",
                "SELECT pg_advisory_lock(1) AS id",
                "SELECT pg_advisory_xact_lock(1)::text AS id",
                "SELECT pg_notify('a', 'b')::text AS id",
                "SELECT lo_create(0) AS id",
                "SELECT lo_from_bytea(0, 'x') AS id",
                "SELECT pg_terminate_backend(1) AS id",
                "SELECT (id).pg_terminate_backend AS id FROM stock",
                "SELECT set_config('statement_timeout', '0', false) AS id",
                "SELECT nextval('s') AS id",
                "SELECT pg_read_file('/etc/passwd') AS id",
                "COPY stock TO PROGRAM 'true'",
                "SELECT id INTO made FROM stock",
            ],
            &[
                "SELECT id FROM stock FOR UPDATE",
                "SELECT id FROM stock LOCK IN SHARE MODE",
                "SELECT GET_LOCK('x', 0) AS id",
                "SELECT LOAD_FILE('/etc/passwd') AS id",
                "SELECT SLEEP(1) AS id",
                "SELECT NEXTVAL(s) AS id",
                "SELECT id INTO @kept FROM stock LIMIT 1",
                "SELECT id INTO OUTFILE '/tmp/steadyhand-contract-outfile' FROM stock",
                "SELECT id FROM stock /*! INTO OUTFILE '/tmp/steadyhand-contract-outfile' */",
            ],
        ],
    );
    for (number, sql) in texts.iter().enumerate() {
        write(&home, &format!("asked-{number}"), sql);
    }
    let output = home.steadyhand(&["lint", "checks"]).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    for (number, sql) in texts.iter().enumerate() {
        assert!(said.contains(&format!("asked-{number}.toml:")), "{sql}: {said}");
    }
    // And where a file does not say so, the server does not run it.
    let (code, said) = check(&home, texts[0]);
    assert!(code > 3, "{code} {said}");
    assert!(!std::path::Path::new(file).exists());
    assert_eq!(desk.count("SELECT SUM(n) FROM stock"), 6);
}

/// Whatever a primary has committed a while ago, on a server that only repeats it.
fn a_replica_that_is_late_is_inconclusive(engine: Dialect) {
    let (desk, source) = replica(engine);
    let home = home(&desk, &desk.server.as_ref().unwrap().url("erp"), "max_lag = \"1s\"\n");
    let sql = "SELECT id FROM stock WHERE n > 9";
    wait_until("the replica is late and says so", || check(&home, sql).0 == 3);
    inconclusive(&home, sql, "behind, and 1.0 s are allowed");
    // And nothing is written there.
    let job = desk.job("op", &["UPDATE stock SET n = 0"]);
    let problem = desk.try_preview(&job).expect_err("it is a replica");
    assert!(problem.sentence.contains("is a replica"), "{problem}");
    drop(source);
}

fn a_replica_whose_source_is_gone_is_inconclusive(engine: Dialect) {
    let (mut desk, source) = replica(engine);
    desk.run("STOP SLAVE");
    let home = home(&desk, &desk.server.as_ref().unwrap().url("erp"), "");
    inconclusive(
        &home,
        "SELECT id FROM stock WHERE n > 9",
        "how far the replica is behind is not known",
    );
    drop(source);
}

/// A role that may read the table and nothing else.
fn a_replica_that_may_not_be_watched_is_inconclusive(engine: Dialect) {
    let (mut desk, source) = replica(engine);
    let server = desk.server.as_ref().unwrap();
    server.role("reader", None);
    server.run("erp", "GRANT SELECT ON erp.* TO reader");
    let home = home(&desk, &server.url_as("reader", "erp"), "");
    let sql = "SELECT id FROM stock WHERE n > 9";
    inconclusive(&home, sql, "repeats another one, and only the right REPLICA MONITOR shows");
    desk.run("STOP SLAVE");
    desk.run("SET GLOBAL read_only = 1");
    inconclusive(&home, sql, "the server has read_only = ");
    desk.run("SET GLOBAL read_only = 0");
    let (code, said) = check(&home, sql);
    assert_eq!(code, 0, "nothing speaks of a replica: {said}");
    drop(source);
}

/// A replica that repeats its source an hour late, and the source.
fn replica(engine: Dialect) -> (Desk, Option<Server>) {
    if engine == Dialect::Postgres {
        // One that lost its primary: it stands still, and what it replayed last grows old.
        let mut desk = Desk::on(engine, STOCK, |setup| setup.with("synchronous_commit", "on"));
        let server = desk.server.as_mut().unwrap();
        server.stop();
        std::fs::write(server.folder().join("data/standby.signal"), "").unwrap();
        server.start();
        return (desk, None);
    }
    let source =
        Setup::new(Kind::Mariadb).tcp().with("log-bin", "log").with("server-id", "1").start();
    source.database("erp");
    let mut desk = Desk::on(engine, STOCK, |setup| setup.with("server-id", "2"));
    desk.run(&format!(
        "CHANGE MASTER TO master_host = '127.0.0.1', master_port = {}, master_user = '{ADMIN}', \
         master_delay = 3600, master_log_file = 'log.000001', master_log_pos = 4",
        source.port()
    ));
    desk.run("START SLAVE");
    source.run("erp", "CREATE TABLE later (id INTEGER)");
    (desk, Some(source))
}

fn an_orphan_below_a_valid_reference_is_found(engine: Dialect) {
    let schema = format!(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (id {}, parent_id INTEGER, FOREIGN KEY (parent_id) REFERENCES parent (id));",
        serial(engine)
    );
    let mut desk = Desk::new(engine, &schema);
    let (off, on) = of(
        engine,
        [
            ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"),
            ("", ""),
            ("SET foreign_key_checks = 0", "SET foreign_key_checks = 1"),
        ],
    );
    desk.run(off);
    desk.run("INSERT INTO child (parent_id) VALUES (7)");
    desk.run(on);
    let orphans = "SELECT id FROM child WHERE parent_id NOT IN (SELECT id FROM parent)";
    let (code, said) = check(&at_home(&desk), orphans);
    assert!(code == 2 && said.contains("1 violation"), "{said}");
    // A change beside it is not held up by it, and makes none of its own.
    desk.run("INSERT INTO parent VALUES (1), (2)");
    desk.run("INSERT INTO child (parent_id) VALUES (1)");
    let preview =
        desk.preview(&desk.job("op", &["UPDATE child SET parent_id = 2 WHERE parent_id = 1"]));
    assert_eq!(preview.refused, [""; 0]);
    let problem =
        desk.try_preview(&desk.job("op2", &["UPDATE child SET parent_id = 8 WHERE parent_id = 1"]));
    assert!(problem.expect_err("it points nowhere").sentence.contains("the database refused"));
}
