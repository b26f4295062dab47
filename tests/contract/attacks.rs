//! Texts that want to do more than they say. There are two nets, and each must hold by itself: what
//! we read before anything is sent, and what the server allows the session that we open.

use std::path::Path;

use steadyhand::dialect::Dialect;
use steadyhand::engine::{Purpose, Stopper};
use steadyhand::recovery::Planned;
use steadyhand::sql::{self, Verb};

use super::common::desk::Desk;
use super::common::dice::{Dice, rounds};
use super::{LONG, STOCK, dump, of, read_some};

contract! {
    what_we_read_lets_no_attack_pass on sqlite postgres mariadb;
    a_check_writes_nothing_even_unread on sqlite postgres mariadb;
    a_change_runs_one_statement_even_unread on sqlite postgres mariadb;
    a_definition_runs_one_statement_even_unread on postgres mariadb,
        not sqlite: "a transaction holds its definitions, which are executed like a change";
    whatever_passes_is_one_statement_for_the_server on sqlite postgres mariadb;
}

/// What a second statement would do, and what can be seen of it.
const BITE: &str = "UPDATE canary SET n = n + 1";

fn schema(engine: Dialect) -> String {
    let more = of(
        engine,
        [
            "",
            "CREATE SEQUENCE s; CREATE FUNCTION bite() RETURNS int LANGUAGE plpgsql AS \
             $$ BEGIN UPDATE canary SET n = n + 1; RETURN 1; END $$;",
            "CREATE SEQUENCE s;",
        ],
    );
    format!("{STOCK}CREATE TABLE canary (n INTEGER); INSERT INTO canary VALUES (0);
         CREATE TABLE letters (a INTEGER, b INTEGER, e INTEGER, n INTEGER, u INTEGER, x INTEGER);{more}")
}

/// Everything that an attack could have left: a lock by name ends with its session, whenever the server
/// sees that end.
fn trace(desk: &mut Desk, folder: &Path) -> Vec<String> {
    let mut seen = dump(desk, &["stock", "canary"]);
    let more = of(
        desk.dialect,
        [
            &["SELECT type, name FROM sqlite_schema ORDER BY 1, 2", "PRAGMA user_version"][..],
            &[
                "SELECT last_value, is_called FROM s",
                "SELECT count(*) FROM pg_largeobject_metadata",
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
            ],
            &[
                "SELECT next_not_cached_value FROM s",
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'erp' ORDER BY 1",
            ],
        ],
    );
    for sql in more {
        seen.extend(desk.rows(sql).into_iter().map(|row| row.join("|")));
    }
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<String> =
        files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    seen.extend(files);
    seen
}

/// Texts that try to write; `{out}` is a file that does not exist.
fn attacks(engine: Dialect) -> Vec<String> {
    let common = [
        "SELECT 1; {bite}",
        "SELECT 1;{bite};",
        "SELECT 1; COMMIT; {bite}",
        "SELECT 1; ROLLBACK; {bite}; SELECT 1",
        "SELECT '; '; COMMIT; {bite}",
        "SELECT 1) x; COMMIT; {bite}; SELECT * FROM (SELECT 1",
        "{bite}",
        "DELETE FROM stock",
        "INSERT INTO stock VALUES (9, 'x', 9)",
        "CREATE TABLE made (id INTEGER)",
        "DROP TABLE canary",
        "ALTER TABLE canary ADD COLUMN m INTEGER",
        "WITH x AS (SELECT 1) UPDATE canary SET n = n + 1",
        "COMMIT",
        "",
    ];
    let own = of(
        engine,
        [
            &[
                "SELECT 1; PRAGMA query_only = OFF; COMMIT; {bite}",
                "SELECT 1; COMMIT; VACUUM INTO '{out}'",
                "SELECT 1) x; PRAGMA query_only = OFF; COMMIT; VACUUM INTO '{out}'; SELECT * FROM (SELECT 1",
                "VACUUM INTO '{out}'",
                "ATTACH '{out}' AS y",
                "SELECT 1; ATTACH '{out}' AS y; CREATE TABLE y.z (a)",
                "SELECT 1; ATTACH 'file:{out}?mode=rwc' AS y; CREATE TABLE y.z (a)",
                "PRAGMA user_version = 5",
                "PRAGMA query_only = OFF",
                "PRAGMA writable_schema = ON",
                "REPLACE INTO stock VALUES (1, 'x', 9)",
                "SELECT writefile('{out}', 'x')",
                "SELECT load_extension('{out}')",
                "SELECT @a('), n FROM canary; COMMIT; VACUUM INTO '{out}' --')",
                "SELECT n 'a\\' FROM canary; COMMIT; VACUUM INTO '{out}' --'",
                "EXPLAIN SELECT 1; COMMIT; VACUUM INTO '{out}'",
            ][..],
            &[
                "WITH x AS ({bite} RETURNING n) SELECT * FROM x",
                "SELECT * INTO made FROM stock",
                "SELECT nextval('s')",
                "SELECT setval('s', 99)",
                "SELECT U&\"\\006eextval\"('s')",
                "SELECT bite()",
                "SELECT query_to_xml('SELECT nextval(''s'')', true, true, '')",
                "COPY stock TO '{out}'",
                "COPY (SELECT 1) TO PROGRAM 'touch {out}'",
                "COPY stock FROM PROGRAM 'touch {out}'",
                "DO $$ BEGIN {bite}; END $$",
                "EXPLAIN ANALYZE {bite}",
                "PREPARE p AS {bite}",
                "TRUNCATE canary",
                "LOCK TABLE stock",
                "SELECT E'a'\n'b\\' || '; COMMIT; {bite}; --'",
                "SELECT 1 @--'\n; COMMIT; {bite} --'",
                "MERGE INTO stock USING canary ON false WHEN NOT MATCHED THEN INSERT VALUES (7, 'x', 1)",
                "SELECT lo_export(1, '{out}')",
                "SELECT pg_advisory_lock(1)",
                "SELECT '{}'::jsonb ?--'\n'a', pg_advisory_lock(1) --'",
            ],
            &[
                "SELECT b'\\' ' FROM letters; COMMIT; {bite}; -- '",
                "SELECT 1; COMMIT; SET SESSION TRANSACTION READ WRITE; {bite}",
                "SELECT 1; COMMIT; SET SESSION TRANSACTION READ WRITE; START TRANSACTION; {bite}; COMMIT",
                "SELECT NEXTVAL(s)",
                "SELECT NEXT VALUE FOR s",
                "SELECT SETVAL(s, 99)",
                "SELECT 1 INTO OUTFILE '{out}'",
                "SELECT 'x' INTO DUMPFILE '{out}'",
                "SELECT @#'\n INTO OUTFILE \"{out}\" #'",
                "SELECT 1 --\u{a0}'\n INTO OUTFILE \"{out}\" -- '",
                "SELECT 1 /*!50000 INTO OUTFILE '{out}' */",
                "SELECT 1 /*M! INTO OUTFILE '{out}' */",
                "SELECT 1 /*! ; COMMIT; {bite} */",
                "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE stock",
                "REPLACE INTO stock VALUES (1, 'x', 9)",
                "HANDLER stock OPEN",
                "CALL sys.ps_setup_reset_to_default(1)",
                "EXECUTE IMMEDIATE 'UPDATE canary SET n = 5'",
                "BEGIN NOT ATOMIC {bite}; END",
                "SET STATEMENT max_statement_time = 1 FOR {bite}",
                "ANALYZE FORMAT=JSON {bite}",
                "TRUNCATE canary",
                "LOCK TABLES stock WRITE",
                "ANALYZE TABLE stock",
                "SELECT GET_LOCK('bite', 0)",
            ],
        ],
    );
    common.iter().chain(own).map(|text| text.replace("{bite}", BITE)).collect()
}

fn what_we_read_lets_no_attack_pass(engine: Dialect) {
    for text in attacks(engine) {
        // What a function of the database's own does, only the server knows.
        if text == "SELECT bite()" {
            continue;
        }
        // What is plainly a change is one for `write`; as a check it is refused all the same.
        assert!(sql::read(&text, engine).is_err(), "{engine} would have asked: {text}");
        let plain = [BITE, "DELETE FROM stock", "INSERT INTO stock VALUES (9, 'x', 9)"];
        if !plain.contains(&text.as_str()) && !text.starts_with("WITH x AS (SELECT 1) UPDATE") {
            assert!(sql::write(&text, engine).is_err(), "{engine} would have run: {text}");
        }
        if !["CREATE TABLE", "ALTER TABLE", "DROP TABLE"].iter().any(|w| text.starts_with(w)) {
            assert!(sql::definitions(&text, engine).is_err(), "{engine} would apply: {text}");
        }
    }
}

/// As `steadyhand check` asks, without having read what it asks.
fn a_check_writes_nothing_even_unread(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path());
    if engine != Dialect::Sqlite {
        // Who may write here; only files and other sessions are out of reach.
        let grants = of(
            engine,
            [
                "",
                "GRANT ALL ON stock, canary, s TO clerk; GRANT ALL ON SCHEMA public TO clerk",
                "GRANT ALL ON erp.* TO clerk@'%'",
            ],
        );
        desk.target = desk.account("clerk", grants);
    }
    let out = folder.path().join("out").display().to_string();
    let before = trace(&mut desk, folder.path());
    for text in attacks(engine) {
        let text = text.replace("{out}", &out);
        let mut session = desk.open(Purpose::Detect, &Stopper::default());
        desk.block_on(session.begin_snapshot()).unwrap();
        let read = read_some(&desk, &mut session, &text, LONG, usize::MAX).map(|(names, _)| names);
        let scanned = desk.block_on(session.scan(&text, LONG, &mut |_, _| {}));
        let _ = desk.block_on(session.rollback());
        desk.block_on(session.close());
        let after = trace(&mut desk, folder.path());
        assert_eq!(after, before, "{engine}: {text}\n{:?}", (read, scanned));
    }
}

/// A plan with a text that nobody has read: the engine is asked to run it as it is.
fn a_change_runs_one_statement_even_unread(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let folder = tempfile::tempdir().unwrap();
    let before = trace(&mut desk, folder.path());
    let begun = "UPDATE stock SET n = n WHERE id = 1";
    let own = of(
        engine,
        [
            "INSERT INTO stock SELECT id + 10, 'a\\', n FROM stock; COMMIT; DROP TABLE canary; --', 1",
            "UPDATE stock SET name = E'a'\n'b\\' || '; COMMIT; DROP TABLE canary; --'",
            "UPDATE stock SET name = b'\\' '; COMMIT; DROP TABLE canary; -- '",
        ],
    );
    for text in [
        format!("{begun}; {BITE}"),
        format!("{begun}; COMMIT"),
        format!("{begun}; COMMIT; {BITE}"),
        format!("{begun}; COMMIT; DROP TABLE canary"),
        format!("{begun}; ROLLBACK; {BITE}"),
        format!("{begun}; DROP TABLE canary"),
        own.to_owned(),
    ] {
        let stopper = Stopper::default();
        let mut session = desk.open(Purpose::Work, &stopper);
        desk.block_on(session.begin(std::time::Duration::from_secs(20))).unwrap();
        let outcome = desk.block_on(session.execute(&text));
        let _ = desk.block_on(session.rollback());
        desk.block_on(session.close());
        assert!(outcome.is_err(), "{engine}: {text}\n{outcome:?}");
        assert_eq!(trace(&mut desk, folder.path()), before, "{engine}: {text}\n{outcome:?}");
        // And by the whole way of a change.
        let (note, table) = (String::new(), "stock".to_owned());
        let forged = Planned::Sql { note, sql: text.clone(), verb: Verb::Update, table };
        let outcome = desk.try_preview(&desk.job_of("op", vec![forged]));
        assert!(outcome.is_err(), "{engine}: {text}\n{outcome:?}");
        assert_eq!(trace(&mut desk, folder.path()), before, "{engine}: {text}");
    }
}

/// A guardrail with a text that nobody has read.
fn a_definition_runs_one_statement_even_unread(engine: Dialect) {
    let mut desk = Desk::new(engine, &schema(engine));
    let folder = tempfile::tempdir().unwrap();
    let before = trace(&mut desk, folder.path());
    for text in [
        "CREATE INDEX made ON stock (n); DROP TABLE canary",
        "CREATE TABLE made (begin INTEGER); DROP TABLE canary; SELECT 1 AS end",
    ] {
        let mut session = desk.open(Purpose::Work, &Stopper::default());
        let outcome = desk.block_on(session.define(text, LONG));
        desk.block_on(session.close());
        assert!(outcome.is_err(), "{engine}: {text}");
        assert_eq!(trace(&mut desk, folder.path()), before, "{engine}: {text}\n{outcome:?}");
    }
    if engine == Dialect::Mariadb {
        let row = "CREATE TRIGGER g AFTER INSERT ON letters FOR EACH ROW";
        let hides = format!("{row} INSERT INTO canary (n) VALUES (1); DROP TABLE canary");
        let fits = format!("{row} BEGIN SET @a = 1; INSERT INTO canary (n) VALUES (1); END;");
        let mut session = desk.open(Purpose::Work, &Stopper::default());
        let outcomes = [hides, fits].map(|text| desk.block_on(session.define(&text, LONG)));
        desk.block_on(session.close());
        assert!(outcomes[0].is_err() && outcomes[1].is_ok(), "{outcomes:?}");
        assert_eq!(trace(&mut desk, folder.path()), before, "{outcomes:?}");
    }
}

/// Pieces of quotes, comments and names, as every engine knows them, and of what is no longer inside.
const PIECES: [&str; 71] = [
    "'",
    "'",
    "''",
    "\"",
    "\"\"",
    "`",
    "``",
    "[",
    "]",
    "\\",
    "\\'",
    "\\\\",
    "'a\\'",
    "'a",
    "\"a\\\"",
    "E'",
    "e'a'\n'",
    "N'",
    "n'a\\'",
    "b'",
    "b'\\'",
    "B\"",
    "x'",
    "X'\\'",
    "q'[",
    "U&'",
    "U&\"",
    "_utf8'",
    "$$",
    "$x$",
    "$1$",
    "a$$",
    "a$x$",
    "1$$",
    "/*",
    "*/",
    "/*/",
    "/*/*",
    "/**/",
    "/*!",
    "--",
    "-- ",
    "--\t",
    "#",
    "# ",
    "@--",
    "</*",
    "@a(",
    ":a(",
    "#a(",
    "@",
    "@#",
    "@;",
    "@/",
    "@@#",
    "--\u{a0}",
    "?",
    "?-",
    "?--",
    "#-",
    "\n",
    " ",
    "(",
    ")",
    ",",
    "||",
    "1",
    " FROM stock",
    " AS ",
    "n",
    "\n'",
];

/// What may begin a quote for one reader only, what may stand behind it, and what may end it again.
const OPENS: [&str; 24] = [
    "b'\\'",
    "B'\\'",
    "b\"\\\"",
    "N'\\'",
    "n'\\'",
    "x'\\'",
    "X'\\'",
    "_utf8'\\'",
    "E'a'\n'\\'",
    "e'\\'",
    "U&'\\'",
    "'\\'",
    "\"\\\"",
    "@--'\n",
    "</*'*/",
    "@a('",
    ":a('",
    "#a('",
    "$a('",
    "$1$",
    "a$$",
    "--\t'\n",
    "[a]'",
    "`\\`",
];
const MIDDLES: [&str; 8] = [
    "",
    " '",
    " ' FROM letters",
    " || '",
    " , '",
    " \" FROM letters",
    "), b FROM letters",
    " FROM letters",
];
const ENDS: [&str; 10] = ["-- '", "--'", "-- \"", "# '", "*/", "'", "$1$", "--')", "-- `", ""];

/// A second statement behind every way to begin a quote, and among random pieces: what `read` and
/// `write` let pass is run as it is, on a connection that takes any number of statements.
fn whatever_passes_is_one_statement_for_the_server(engine: Dialect) {
    let mut texts = vec![];
    for base in ["SELECT ", "UPDATE stock SET name = "] {
        for open in OPENS {
            for middle in MIDDLES {
                texts.extend(ENDS.map(|end| format!("{base}{open}{middle}; {BITE} {end}")));
            }
        }
    }
    let mut dice = Dice::new();
    let bases = ["SELECT ", "SELECT 'a' ", "SELECT n ", "UPDATE stock SET name = "];
    for _ in 0..rounds(3_000) {
        let mut text = dice.pick::<&str>(&bases).to_string();
        for _ in 0..=dice.below(4) {
            text.push_str(dice.pick::<&str>(&PIECES));
        }
        text.push_str(&format!("; {BITE} "));
        for _ in 0..=dice.below(3) {
            text.push_str(dice.pick::<&str>(&PIECES));
        }
        texts.push(text);
    }
    let mut desk = Desk::new(engine, &schema(engine));
    let mut other = desk.other();
    let (mut passed, mut understood) = (0, 0);
    for text in texts {
        let read = text.starts_with("SELECT") && sql::read(&text, engine).is_ok();
        if !read && sql::write(&text, engine).is_err() {
            continue;
        }
        passed += 1;
        understood += usize::from(other.try_run(&text).is_ok());
        let bitten = desk.count("SELECT n FROM canary");
        assert_eq!(bitten, 0, "{engine}, STEADYHAND_SEED={}: {text}", dice.seed);
    }
    // Else nothing was tried.
    assert!(passed > 50 && understood > 5, "{engine}: {passed} passed, {understood} understood");
}

/// A server that runs as somebody else could write here.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
}
