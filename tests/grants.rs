//! `steadyhand grants`: what it prints is run by the engines' own clients on real servers, and the
//! self-test passes after it, fails before it and fails after somebody gave too much.

#![allow(clippy::unwrap_used)]

mod common;

use common::Home;
use common::server::{self, Server};

/// The tables of the packs and one that no pack names, in the words that both engines know.
const TABLES: &str = "
CREATE TABLE employees (id integer PRIMARY KEY, full_name varchar(80), manager_id integer, active integer);
CREATE TABLE assets (id integer PRIMARY KEY, tag varchar(20));
CREATE TABLE projects (id integer PRIMARY KEY, code varchar(20), name varchar(80), hours numeric(9,2));
CREATE TABLE asset_assignments (id integer PRIMARY KEY, asset_id integer, employee_id integer, assigned_at timestamp NULL, return_date timestamp NULL, note varchar(400));
CREATE TABLE timesheets (id integer PRIMARY KEY, employee_id integer, project_id integer, work_date date, hours numeric(9,2), status varchar(20), submitted_at timestamp NULL, approved_at timestamp NULL, remark varchar(400));
CREATE TABLE approvals (id integer PRIMARY KEY, timesheet_id integer, approver_id integer, decision varchar(20), decided_at timestamp NULL, remark varchar(400));
CREATE TABLE approvals_quarantine (approval_id integer PRIMARY KEY, timesheet_id integer, approver_id integer, decision varchar(20), decided_at timestamp NULL, remark varchar(400), reason varchar(400));
CREATE TABLE audit_log (id integer PRIMARY KEY, table_name varchar(80), action varchar(20), row_id integer, old_value text, new_value text, at timestamp NULL);
CREATE TABLE jobs (job varchar(40) PRIMARY KEY, enabled integer, switched_off_why varchar(400));
CREATE TABLE orders (id integer PRIMARY KEY, status varchar(20), subtotal numeric(9,2), total numeric(9,2), shipped_on date);
CREATE TABLE order_lines (id integer PRIMARY KEY, order_id integer, product_id integer, quantity integer);
CREATE TABLE payments (id integer PRIMARY KEY, order_id integer, amount numeric(9,2));
CREATE TABLE stock_movements (id integer PRIMARY KEY, product_id integer, warehouse integer, quantity integer, source_type varchar(20), source_id integer, moved_on date);
CREATE TABLE stock_levels (product_id integer, warehouse integer, on_hand integer, reserved integer, PRIMARY KEY (product_id, warehouse));
CREATE TABLE salaries (employee_id integer PRIMARY KEY, amount numeric(9,2));
INSERT INTO employees VALUES (1, 'Ada', NULL, 1);
INSERT INTO asset_assignments VALUES (1, 1, 1, NULL, NULL, NULL);
INSERT INTO salaries VALUES (1, 1);
";

/// What only one of them knows: an owner who is no superuser, a sequence, a policy, a trigger.
const POSTGRES: &str = "
CREATE ROLE erp_owner; CREATE ROLE app LOGIN;
CREATE SCHEMA erp AUTHORIZATION erp_owner;
SET ROLE erp_owner; SET search_path = erp;
";
const POSTGRES_THEN: &str = "
CREATE SEQUENCE approvals_id OWNED BY approvals.id;
ALTER TABLE approvals ALTER id SET DEFAULT nextval('approvals_id');
ALTER TABLE employees ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO erp.audit_log (id, action) VALUES (1, TG_OP); RETURN NEW; END $$;
CREATE TRIGGER noted AFTER UPDATE ON asset_assignments FOR EACH ROW EXECUTE FUNCTION note_change();
";

/// Of the pack whose tables stand above.
fn printed(args: &[&str]) -> String {
    let home = Home::new();
    let args = [&["grants", "--pack", "reliability"], args].concat();
    let output = home.steadyhand(&args).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Grants twice, proves, gives too much, and sees the proof fail.
fn proven(server: &Server, database: &str, args: &[&str], too_much: &[(&str, &str)]) {
    let (script, test) = (printed(args), printed(&[args, &["--self-test"]].concat()));
    let (passed, said) = server.client_says(database, &test);
    assert!(!passed, "there are no roles yet: {said}");
    for _ in 0..2 {
        let (ran, said) = server.client_says(database, &script);
        assert!(ran, "{said}\n{script}");
        let (passed, said) = server.client_says(database, &test);
        assert!(passed && !said.contains("WRONG"), "{said}\n{script}");
        for tried in [
            "steadyhand_detector",
            "salaries",
            "creates a temporary table",
            "creates a table",
            "alters the ledger's rows",
            "changes timesheets.employee_id",
        ] {
            let plain = said.replace("erp.", "").replace(" | ", " ");
            assert!(plain.contains(tried), "{tried} in {said}");
        }
    }
    for (grant, wrong) in too_much {
        let (ran, said) = server.client_says(database, grant);
        assert!(ran, "{grant}: {said}");
        let (passed, said) = server.client_says(database, &test);
        let named = said.lines().any(|line| line.contains("WRONG") && line.contains(wrong));
        assert!(!passed && named, "{grant}: {said}");
        // The script takes back what is not needed.
        let (ran, said) = server.client_says(database, &script);
        assert!(ran, "after {grant}: {said}");
        let (passed, said) = server.client_says(database, &test);
        assert!(passed, "after the script ran again: {said}");
    }
}

#[test]
fn the_roles_on_postgresql_can_do_what_they_must_and_nothing_else() {
    let server = server::postgres();
    server.database("shop");
    let (ran, said) = server.client_says("shop", &format!("{POSTGRES}{TABLES}{POSTGRES_THEN}"));
    assert!(ran, "{said}");
    let args = ["--engine", "postgres", "--schema", "erp", "--trigger-writes", "audit_log"];
    proven(
        &server,
        "shop",
        &args,
        &[
            ("GRANT UPDATE ON erp.assets TO steadyhand_detector", "changes erp.assets.tag"),
            ("GRANT SELECT ON erp.salaries TO steadyhand_detector", "reads erp.salaries"),
            ("GRANT DELETE ON erp.salaries TO steadyhand_recovery", "deletes from erp.salaries"),
            ("GRANT UPDATE ON erp.timesheets TO steadyhand_recovery", "changes erp.timesheets.id"),
            ("GRANT CREATE ON SCHEMA erp TO steadyhand_recovery", "creates a table"),
            ("GRANT erp_owner TO steadyhand_recovery", "alters erp.assets"),
            ("GRANT INSERT ON erp.salaries TO steadyhand_recovery", "inserts into erp.salaries"),
            (
                "ALTER ROLE steadyhand_detector BYPASSRLS",
                "reads past the row security of erp.employees",
            ),
            (
                "GRANT USAGE ON SEQUENCE erp.approvals_id TO steadyhand_detector",
                "draws from the sequence",
            ),
        ],
    );
    let (_, said) = server.client_says("shop", &printed(&args));
    assert!(
        said.contains("trigger noted of erp.asset_assignments runs erp.note_change()"),
        "{said}"
    );
    // Who could make temporary tables still can; who comes later cannot.
    let (ran, said) = server.client_says("shop", "SET ROLE app; CREATE TEMP TABLE t (a int);");
    assert!(ran, "{said}");
    // A person on call does what the runbooks do, and no more.
    let (ran, said) = server.client_says("shop",
        "CREATE ROLE oncall LOGIN; GRANT steadyhand_recovery TO oncall; SET ROLE oncall;
         UPDATE erp.asset_assignments SET return_date = assigned_at WHERE id = 1;
         INSERT INTO erp.approvals (timesheet_id) VALUES (1); DELETE FROM erp.approvals;
         INSERT INTO erp.steadyhand_ledger (op_id, chunk_no, actor, fingerprint) VALUES ('op', 0, 'me', 'print');",
    );
    assert!(ran, "{said}");
    // And the guardrail role defines.
    let (ran, said) = server.client_says("shop",
        "SET ROLE steadyhand_guardrail;
         CREATE UNIQUE INDEX one_holder ON erp.asset_assignments (asset_id) WHERE return_date IS NULL;",
    );
    assert!(ran, "{said}");
}

#[test]
fn the_roles_on_mariadb_can_do_what_they_must_and_nothing_else() {
    let server = server::mariadb();
    server.database("erp");
    let (ran, said) = server.client_says("erp", TABLES);
    assert!(ran, "{said}");
    let args = ["--target", "mariadb://localhost/erp"];
    proven(
        &server,
        "erp",
        &args,
        &[
            ("GRANT UPDATE ON erp.assets TO steadyhand_recovery", "changes assets.tag"),
            ("GRANT DELETE ON erp.assets TO steadyhand_detector", "deletes from assets"),
            ("GRANT SELECT ON erp.salaries TO steadyhand_detector", "reads salaries"),
            ("GRANT DELETE ON erp.salaries TO steadyhand_recovery", "deletes from salaries"),
            ("GRANT UPDATE ON erp.timesheets TO steadyhand_recovery", "changes timesheets.id"),
            ("GRANT DROP ON erp.assets TO steadyhand_recovery", "has DROP on erp.assets"),
            ("GRANT DROP ON erp.* TO steadyhand_detector", "has DROP on erp"),
            ("GRANT SUPER ON *.* TO steadyhand_recovery", "changes a global setting"),
            ("GRANT ALTER ON erp.salaries TO steadyhand_recovery", "has ALTER on erp.salaries"),
            ("GRANT ALTER ON erp.assets TO steadyhand_recovery", "alters erp.assets"),
            ("GRANT CREATE ON erp.* TO steadyhand_recovery", "creates a table"),
            ("GRANT INSERT ON erp.assets TO steadyhand_detector", "inserts into assets"),
            ("GRANT CREATE TEMPORARY TABLES ON erp.* TO steadyhand_detector", "temporary"),
            ("GRANT CREATE ON *.* TO steadyhand_recovery", "creates a database"),
            ("GRANT FILE ON *.* TO steadyhand_detector", "writes a file"),
        ],
    );
    // A person on call does what the runbooks do, with the locks of a preview, and no more.
    server.role("oncall", None);
    server.run(
        "erp",
        "GRANT steadyhand_recovery TO oncall; SET DEFAULT ROLE steadyhand_recovery FOR oncall",
    );
    let mut oncall = server.try_client("oncall", None, "erp").unwrap();
    oncall.run("SELECT id FROM asset_assignments WHERE id = 1 FOR UPDATE");
    assert_eq!(
        oncall.run("UPDATE asset_assignments SET return_date = assigned_at WHERE id = 1"),
        1
    );
    oncall.run("INSERT INTO approvals (id, timesheet_id) VALUES (1, 1); DELETE FROM approvals");
    oncall.run("INSERT INTO steadyhand_ledger (op_id, chunk_no, actor, fingerprint) VALUES ('op', 0, 'me', 'print')");
    oncall.run("SELECT trx_rows_modified FROM information_schema.innodb_trx");
    assert!(oncall.try_run("CREATE TABLE x (a int)").is_err());
    // And the guardrail role defines.
    server.role("keeper", None);
    server.run(
        "erp",
        "GRANT steadyhand_guardrail TO keeper; SET DEFAULT ROLE steadyhand_guardrail FOR keeper",
    );
    let mut keeper = server.try_client("keeper", None, "erp").unwrap();
    keeper.run(
        "ALTER TABLE asset_assignments ADD COLUMN held integer AS (IF(return_date IS NULL, asset_id, NULL)), ADD UNIQUE KEY one_holder (held)",
    );
}

/// A table that no check names is seen by the checks that are about every table, and none of its rows.
#[test]
fn the_detector_on_mariadb_sees_every_table_and_reads_those_it_must() {
    let server = server::mariadb();
    for database in ["erp_a", "erpxa"] {
        server.database(database);
        let made = "CREATE TABLE approvals (id integer PRIMARY KEY);
            CREATE TABLE tickets (id tinyint AUTO_INCREMENT PRIMARY KEY, note varchar(9), KEY a (note), KEY b (note)) AUTO_INCREMENT = 126;
            CREATE TABLE scans (code varchar(9)) ENGINE = MyISAM; INSERT INTO scans VALUES ('secret')";
        server.run(database, made);
    }
    let home = Home::new();
    let checks = [
        "id-exhaustion",
        "non-transactional-table",
        "duplicate-index",
        "table-without-primary-key",
    ];
    for id in checks {
        let text = std::fs::read_to_string(format!("checks/integrity/{id}.toml")).unwrap();
        home.write(&format!("own/{id}.toml"), &text);
    }
    server.role("checks", None);
    let steadyhand = |args: &[&str], database: &str| {
        let url = server.url_as("checks", database);
        let args = [args, &["--target", &url, "--checks", "own", "--pack", "own"]].concat();
        let output = home.steadyhand(&args).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), said)
    };
    let (_, script) = steadyhand(&["grants", "--engine", "mariadb", "--schema", "erp_a"], "erp_a");
    let (ran, said) = server.client_says("erp_a", &script);
    assert!(ran, "{said}\n{script}");
    server.run(
        "erp_a",
        "GRANT steadyhand_detector TO checks; SET DEFAULT ROLE steadyhand_detector FOR checks",
    );
    let (code, said) = steadyhand(&["check"], "erp_a");
    let found = checks
        .iter()
        .filter(|id| said.lines().any(|line| line.contains(*id) && !line.contains("clear")));
    assert_eq!((code, found.count()), (2, checks.len()), "{said}");
    let mut detector = server.try_client("checks", None, "erp_a").unwrap();
    assert!(detector.try_run("SELECT code FROM scans").is_err());
    let (_, test) = steadyhand(&["grants", "--self-test", "--schema", "erp_a"], "erp_a");
    let (passed, said) = server.client_says("erp_a", &test);
    assert!(passed && said.contains("reads scans"), "{said}");
    // The name is no pattern of names.
    server.run("erpxa", "GRANT SELECT ON erpxa.approvals TO checks");
    let (code, said) = steadyhand(&["check"], "erpxa");
    assert!(code == 3 && said.contains(r"GRANT REFERENCES ON `erpxa`.* TO it"), "{code} {said}");
}

/// A server holds several databases, and the roles are the server's.
#[test]
fn the_roles_on_mariadb_are_for_each_database_that_the_script_ran_for() {
    let server = server::mariadb();
    let databases = ["erp_a", "erp_b", "erpxa"];
    for database in databases {
        server.database(database);
        let (ran, said) = server.client_says(database, TABLES);
        assert!(ran, "{said}");
    }
    let args = |database| ["--engine", "mariadb", "--schema", database];
    for database in ["erp_a", "erp_b"] {
        let (ran, said) = server.client_says(database, &printed(&args(database)));
        assert!(ran, "{said}");
    }
    for role in ["detector", "guardrail"] {
        server.role(role, None);
        server.run(
            "erp_a",
            &format!(
                "GRANT steadyhand_{role} TO {role}; SET DEFAULT ROLE steadyhand_{role} FOR {role}"
            ),
        );
    }
    for database in ["erp_a", "erp_b"] {
        let mut detector = server.try_client("detector", None, database).unwrap();
        detector.run("SELECT id FROM assets");
        let mut guardrail = server.try_client("guardrail", None, database).unwrap();
        guardrail.run("CREATE TEMPORARY TABLE copied (a int)");
        let test = printed(&[&args(database)[..], &["--self-test"]].concat());
        let (passed, said) = server.client_says(database, &test);
        assert!(passed, "{said}");
    }
    // The name is no pattern of names.
    assert!(server.try_client("guardrail", None, "erpxa").is_err());
    // What was given too much in one is taken back there, by a pattern of an older script too.
    let too_much = "GRANT CREATE ON `erp_b`.* TO steadyhand_detector; DROP TABLE salaries;
        GRANT SELECT, INSERT ON erp_b.employees TO steadyhand_detector WITH GRANT OPTION;
        CREATE ROLE other; GRANT other TO steadyhand_detector";
    let (ran, said) = server.client_says("erp_b", too_much);
    assert!(ran, "{said}");
    let test = printed(&[&args("erp_b")[..], &["--self-test"]].concat());
    assert!(!server.client_says("erp_b", &test).0);
    let (ran, said) = server.client_says("erp_b", &printed(&args("erp_b")));
    assert!(ran, "{said}");
    let (passed, said) = server.client_says("erp_b", &test);
    assert!(passed, "{said}");
    let (_, granted) = server.client_says("erp_b", "SHOW GRANTS FOR steadyhand_detector");
    let gone = ["GRANT OPTION", "other", "CREATE"].iter().all(|word| !granted.contains(word));
    assert!(gone && granted.contains("`erp_a`.`assets`"), "{granted}");
    let (ran, said) = server.client_says("erp_b", "DROP TABLE asset_assignments");
    assert!(ran, "{said}");
    let (_, said) = server.client_says("erp_b", &printed(&args("erp_b")));
    assert!(said.contains("asset_assignments' doesn't exist"), "only that stops it: {said}");
}

#[test]
fn the_guardrail_role_on_postgresql_is_for_each_database_that_the_script_ran_in() {
    let server = server::postgres();
    for database in ["da", "db"] {
        server.database(database);
        let owner = format!(
            "CREATE ROLE own_{database}; CREATE SCHEMA erp AUTHORIZATION own_{database};
             SET ROLE own_{database}; SET search_path = erp; {TABLES}"
        );
        let (ran, said) = server.client_says(database, &owner);
        assert!(ran, "{said}");
    }
    let script = printed(&["--engine", "postgres", "--schema", "erp"]);
    for database in ["da", "db", "db"] {
        let (ran, said) = server.client_says(database, &script);
        assert!(ran, "{said}");
    }
    for database in ["da", "db"] {
        let guard = "SET ROLE steadyhand_guardrail;
            CREATE UNIQUE INDEX one_holder ON erp.asset_assignments (asset_id);";
        let (ran, said) = server.client_says(database, guard);
        assert!(ran, "{database}: {said}");
    }
}

#[test]
fn names_of_the_server_and_of_the_dictionary_are_granted_as_the_server_takes_them() {
    let server = server::mariadb();
    let text = printed(&["--engine", "mysql", "--schema", "erp", "--pack", "operations"]);
    // MariaDB refuses rights on a single table of it but SELECT.
    let lines = text.lines().filter(|line| line.contains("performance_schema")).collect::<Vec<_>>();
    let roles = "CREATE ROLE steadyhand_detector; CREATE ROLE steadyhand_recovery;";
    let (ran, said) = server.client_says("mysql", &format!("{roles}{}", lines.join("\n")));
    assert!(ran && lines.len() == 2, "{said}\n{lines:?}");
    // Names that a check binds are in capitals in the dictionary of Oracle.
    let oracle = printed(&["--engine", "oracle", "--schema", "ERP", "--pack", "commerce"]);
    assert!(oracle.contains("ON \"ERP\".\"CUSTOMER_TOTALS\" TO steadyhand_detector;"), "{oracle}");
    assert!(!oracle.contains("\"customer_totals\""), "{oracle}");
}

#[test]
fn without_a_server_it_says_what_is_missing() {
    let home = Home::new();
    for (args, said) in [
        (&["grants"][..], "--engine"),
        (&["grants", "--engine", "mariadb"], "Say where the tables of MariaDB are."),
        (
            &["grants", "--engine", "mysql", "--target", "postgres://h/d"],
            "is PostgreSQL, not MySQL",
        ),
        (
            &["grants", "--engine", "postgres", "--pack", "reliabilty"],
            "did you mean \"reliability\"?",
        ),
        (&["grants", "--engine", "postgres", "--schema", "a$do$b"], "no name of a schema"),
    ] {
        let output = home.steadyhand(args).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(4) && err.contains(said), "{args:?}: {err}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    assert!(printed(&["--engine", "sqlite"]).contains("SQLite has no roles"));
    let url = "postgres://h/d?search_path=%22$user%22,%20hr,public";
    assert!(printed(&["--target", url]).contains("GRANT SELECT ON \"hr\".\"assets\" TO"));
    let oracle = printed(&["--engine", "oracle", "--schema", "ERP"]);
    assert!(oracle.contains("GRANT READ, FLASHBACK ON \"ERP\".\"ASSETS\" TO steadyhand_detector;"));
    assert!(oracle.contains("was not run on an Oracle server"));
}

#[test]
fn the_detector_role_is_enough_to_check_and_its_password_comes_from_where_clients_look() {
    let server = server::postgres();
    server.database("shop");
    let (ran, said) = server.client_says("shop", &format!("{POSTGRES}{TABLES}{POSTGRES_THEN}"));
    assert!(ran, "{said}");
    let (ran, said) =
        server.client_says("shop", &printed(&["--engine", "postgres", "--schema", "erp"]));
    assert!(ran, "{said}");
    server.role("checks", Some("hunter2"));
    server.run("shop", "GRANT steadyhand_detector TO checks");

    let home = Home::new().without("PGPASSWORD");
    let url = format!("{}&search_path=erp", server.url_as("checks", "shop"));
    let target = |more: &str| {
        let text = format!(
            "[target.shop]\nurl = \"{url}\"\nenvironment = \"staging\"\npacks = [\"reliability\"]\n{more}"
        );
        home.write("steadyhand.toml", &text);
    };
    let check = || {
        let output = home.steadyhand(&["check", "--target", "shop"]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!said.contains("hunter2"), "{said}");
        (output.status.code().unwrap(), said)
    };
    target("");
    let (code, said) = check();
    assert!(code == 3 && said.contains("password"), "nobody said a password: {code} {said}");
    target("password_command = [\"echo\", \"hunter2\"]\n");
    let (code, said) = check();
    assert!(code == 3 && said.contains("row-level security"), "a policy hides rows: {code} {said}");
    server.run("shop", "ALTER TABLE erp.employees DISABLE ROW LEVEL SECURITY");
    let (code, said) = check();
    assert!(code == 0, "{code} {said}");
    // The same by the password file.
    target("");
    let file = home.path("home/.pgpass");
    let folder = server.socket().parent().unwrap().display().to_string();
    std::fs::write(&file, format!("{folder}:*:shop:checks:hunter2\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (code, said) = check();
    assert!(code == 0, "{code} {said}");
}

/// On `MariaDB` nobody may call a function that was not given the right to; on `PostgreSQL` it can be taken away.
#[test]
fn functions_that_checks_call_can_be_called() {
    let servers = [
        (
            server::postgres(),
            "CREATE FUNCTION bad(a int) RETURNS boolean LANGUAGE sql AS 'SELECT a > 1';
          CREATE FUNCTION other(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
          REVOKE EXECUTE ON FUNCTION bad(int), other(int) FROM PUBLIC;",
        ),
        (
            server::mariadb(),
            "CREATE FUNCTION bad(a int) RETURNS boolean DETERMINISTIC RETURN a > 1;
          CREATE FUNCTION other(a int) RETURNS int DETERMINISTIC RETURN a;",
        ),
    ];
    for (server, functions) in servers {
        let kind = server.kind();
        server.database("shop");
        let things =
            "CREATE TABLE things (id integer PRIMARY KEY); INSERT INTO things VALUES (1), (2);";
        let (ran, said) = server.client_says("shop", &format!("{things}{functions}"));
        assert!(ran, "{said}");
        let home = Home::new();
        let check = |sql: &str| {
            home.write(
                "checks/own/called.toml",
                &format!(
                    "id = \"called\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nowner = \"o\"\n\
                     key = [\"id\"]\n[sql]\nany = \"{sql}\"\n"
                ),
            );
        };
        server.role("checks", None);
        // A url of MySQL leads here too, and leaves no check of MariaDB without its rights.
        let url = server.url_as("checks", "shop").replace("mariadb://", "mysql://");
        let steadyhand = |args: &[&str]| {
            let args = [args, &["--target", &url, "--checks", "checks", "--pack", "own"]].concat();
            let output = home.steadyhand(&args).output().unwrap();
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            (output.status.code().unwrap(), said)
        };
        let granted = || {
            let script = steadyhand(&["grants"]).1;
            let (ran, said) = server.client_says("shop", &script);
            assert!(ran, "{kind:?}: {said}\n{script}");
        };
        check("SELECT id FROM things WHERE bad(id) AND COALESCE(id, 0) > 0");
        granted();
        let give = "GRANT steadyhand_detector TO checks;";
        let routine = "CREATE PROCEDURE rest() LANGUAGE sql AS 'SELECT 1';
            GRANT EXECUTE ON PROCEDURE rest() TO steadyhand_detector;";
        let default = "SET DEFAULT ROLE steadyhand_detector FOR checks;";
        let give = if url.starts_with("mysql") {
            format!("{give}{default}")
        } else {
            give.to_owned() + routine
        };
        let (ran, said) = server.client_says("shop", &give);
        assert!(ran, "{said}");
        for _ in 0..2 {
            let (code, said) = steadyhand(&["check"]);
            assert!(code == 2 && said.contains("id: 2"), "{kind:?}: {code} {said}");
            granted();
        }
        let (passed, said) = server.client_says("shop", &steadyhand(&["grants", "--self-test"]).1);
        assert!(passed, "{kind:?}: {said}");
        // What nothing calls any more is taken back.
        check("SELECT id FROM things WHERE other(id) > 1");
        granted();
        assert_eq!(steadyhand(&["check"]).0, 2, "{kind:?}");
        check("SELECT id FROM things WHERE bad(id)");
        let (code, said) = steadyhand(&["check"]);
        assert!(code == 3 && said.contains("denied"), "{kind:?}: {code} {said}");
    }
}
