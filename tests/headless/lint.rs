//! `steadyhand lint`: shipped files are clean, broken ones are listed with every fault.

use super::common::server::{Kind, Setup};
use super::common::{Home, Sqlite};
use super::{Desk, run};

/// A runbook whose one change has these statements.
fn repair(home: &Home, statements: &[&str]) {
    let statement = |sql: &&str| format!("[[step.statement]]\nnote = \"n\"\nany = '''{sql}'''\n");
    let statements = statements.iter().map(statement).collect::<Vec<_>>().concat();
    home.write(
        "runbooks/own/repair.toml",
        &format!(
            "id = \"repair\"\ntitle = \"t\"\nsummary = \"s\"\nowner = \"o\"\nseverity = \"sev2\"\n\
             [[step]]\nid = \"fix\"\nkind = \"change\"\nstage = \"recover\"\ntitle = \"t\"\nwhy = \"w\"\nrisk = \"low\"\ncures = [\"good\"]\n\
             {statements}[step.limits]\nmax_rows = 5\ntime_cap = \"5s\"\nlock_wait = \"1s\"\n"
        ),
    );
}

#[test]
fn the_shipped_files_have_no_faults() {
    let ran = run(&Home::new(), &["lint"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.starts_with("no faults: "), "{}", ran.out);
    let root = env!("CARGO_MANIFEST_DIR");
    let ran = run(&Home::new(), &["lint", root]);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn every_fault_of_every_file_is_listed_at_once() {
    let home = Home::new();
    home.write(
        "checks/own/one.toml",
        "id = \"two\"\nseverity = \"sev9\"\nrunbok = \"x\"\n[sql]\nany = \"DELETE FROM t\"\n",
    );
    home.write("checks/own/three.toml", "id = \"three\n");
    home.write("steadyhand.toml.txt", "");
    let ran = run(&home, &["lint", "checks"]);
    assert_eq!(ran.code, 4);
    for said in ["one.toml:1:", "one.toml:2:", "one.toml:3:", "three.toml:1:", "`runbok`", "sev9"] {
        assert!(ran.out.contains(said), "{said} is missing in {}", ran.out);
    }
    assert!(ran.out.trim_end().lines().last().unwrap().ends_with(" faults"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'));
}

/// In CI the folder is usually named, and the configuration names it too.
#[test]
fn a_file_that_is_named_and_configured_is_judged_once() {
    let home = Home::new();
    home.write("checks/own/one.toml", "id = \"two\"\n[sql]\nany = \"DELETE FROM t\"\n");
    home.write("runbooks/own/bad.toml", "id = \"bad\n[[step]]\n");
    let faults = |args: &[&str]| {
        let ran = run(&home, args);
        assert_eq!(ran.code, 4, "{args:?}: {}{}", ran.out, ran.err);
        ran.out.lines().last().unwrap().to_owned()
    };
    let once = faults(&["lint", "checks", "runbooks"]);
    let (checks, runbooks) = (home.work().join("checks"), home.work().join("runbooks"));
    home.write("steadyhand.toml", &format!("checks = [{checks:?}]\nrunbooks = [{runbooks:?}]\n"));
    for args in [
        &["lint", "checks"][..],
        &["lint", "checks", "./runbooks", "checks/own/one.toml"],
        &["lint", "runbooks/own/bad.toml", "."],
    ] {
        assert_eq!(faults(args), once, "{args:?}");
    }
}

#[test]
fn a_folder_without_any_file_of_ours_is_not_sound() {
    let home = Home::new();
    home.write("docs/read.me", "");
    let ran = run(&home, &["lint", "docs"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{}", ran.err);
    assert!(ran.err.contains("nothing to judge in docs"), "{}", ran.err);
}

#[test]
fn a_path_that_is_not_there_is_a_fault() {
    let ran = run(&Home::new(), &["lint", "nowhere.toml"]);
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("nowhere.toml") && ran.out.contains("1 fault"), "{}", ran.out);
}

#[test]
fn a_configuration_is_judged_too() {
    let home = Home::new();
    let good = home.write("ops/steadyhand.toml", "theme = \"dark\"\n");
    let ran = run(&home, &["lint", good.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    home.write(
        "ops/steadyhand.toml",
        "tehme = \"dark\"\n[target.x]\nurl = \"postgres://me:s3cret@h/d\"\n",
    );
    let ran = run(&home, &["lint", good.to_str().unwrap()]);
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("tehme") && !ran.out.contains("s3cret"), "{}", ran.out);
}

#[test]
fn a_target_knows_which_names_are_wrong() {
    let desk = Desk::new();
    desk.check("good", "sev2", "SELECT id FROM asset");
    desk.check("wrong", "sev2", "SELECT a.colour AS id FROM asset a");
    let ran = run(&desk.home, &["lint", "checks"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let ran = run(&desk.home, &["lint", "checks", "--target", "erp.db"]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.out.contains("check wrong, [sql]") && ran.out.contains("no such column: a.colour"),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("1 fault\n"), "{}", ran.out);
    let ran = run(&desk.home, &["lint", "checks", "--target", "sqlite:gone.db"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("there is no such file"), "{}", ran.err);
}

#[test]
fn statements_of_runbooks_are_prepared_but_never_run() {
    let desk = Desk::new();
    desk.check("good", "sev2", "SELECT id FROM asset");
    repair(
        &desk.home,
        &["DELETE FROM asset WHERE id = 1", "UPDATE asset SET colour = 1 WHERE id = 1"],
    );
    let ran = run(&desk.home, &["lint", "runbooks", "checks", "--target", "erp.db"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("runbook repair, step fix, statement 2"), "{}", ran.out);
    assert_eq!(Sqlite::open(&desk.database).count("SELECT COUNT(*) FROM asset"), 3);
}

#[test]
fn statements_are_prepared_by_the_roles_that_run_them() {
    for kind in [Kind::Postgres, Kind::Mariadb] {
        let server = Setup::new(kind).start();
        server.database("shop");
        server.run("shop", "CREATE TABLE asset (id INT PRIMARY KEY, owner VARCHAR(20))");
        server.run("shop", "CREATE TABLE secret (id INT)");
        for role in ["reader", "mender"] {
            server.role(role, None);
            let table = if kind == Kind::Postgres { "asset" } else { "shop.asset" };
            server.run("shop", &format!("GRANT SELECT ON {table} TO {role}"));
        }
        let desk = Desk::new();
        desk.check("good", "sev2", "SELECT id FROM asset");
        desk.check("hidden", "sev2", "SELECT id FROM secret");
        desk.home.write(
            "runbooks/own/repair.toml",
            "id = \"repair\"\ntitle = \"t\"\nsummary = \"s\"\nowner = \"o\"\nseverity = \"sev2\"\n\
             [[step]]\nid = \"fix\"\nkind = \"change\"\nstage = \"recover\"\ntitle = \"t\"\nwhy = \"w\"\nrisk = \"low\"\ncures = [\"good\"]\n\
             [[step.statement]]\nnote = \"n\"\nany = \"UPDATE asset SET owner = 'x' WHERE id = 1\"\n\
             [step.limits]\nmax_rows = 5\ntime_cap = \"5s\"\nlock_wait = \"1s\"\n",
        );
        desk.home.write(
            "steadyhand.toml",
            &format!(
                "[target.shop]\nurl = \"{}\"\ndetect_url = \"{}\"\nenvironment = \"staging\"\n",
                server.url_as("mender", "shop"),
                server.url_as("reader", "shop"),
            ),
        );
        let lint = || run(&desk.home, &["lint", "runbooks", "checks", "--target", "shop"]);
        let ran = lint();
        assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
        for said in ["check hidden, [sql]", "runbook repair, step fix, statement 1"] {
            assert!(ran.out.contains(said), "{kind:?}: {said} is missing in {}", ran.out);
        }
        assert!(ran.out.contains("denied") && ran.out.contains("2 faults"), "{}", ran.out);
        let (all, one) = match kind {
            Kind::Postgres => ("UPDATE, SELECT ON asset", "SELECT ON secret"),
            Kind::Mariadb => ("UPDATE, SELECT ON shop.asset", "SELECT ON shop.secret"),
        };
        server.run("shop", &format!("GRANT {all} TO mender"));
        server.run("shop", &format!("GRANT {one} TO reader"));
        let ran = lint();
        assert_eq!(ran.code, 0, "{kind:?}: {}{}", ran.out, ran.err);
    }
}

/// A url of MySQL may lead to MariaDB: what is judged is what the server that answers will be asked.
#[test]
fn a_url_of_mysql_that_leads_to_mariadb_judges_the_texts_of_mariadb() {
    let server = Setup::new(Kind::Mariadb).start();
    let url = server.database("shop").replace("mariadb://", "mysql://");
    server.run("shop", "CREATE TABLE asset (id INT PRIMARY KEY)");
    let desk = Desk::new();
    let check = |own: &str| {
        desk.home.write(
            "checks/own/own.toml",
            &format!(
                "id = \"own\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nowner = \"me\"\n\
                 key = [\"id\"]\n[sql]\nmysql = \"SELECT id FROM of_mysql\"\nmariadb = \"{own}\"\n"
            ),
        );
    };
    check("SELECT id FROM of_mariadb");
    let lint = || run(&desk.home, &["lint", "checks", "--target", &url]);
    let ran = lint();
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("of_mariadb") && !ran.out.contains("of_mysql"), "{}", ran.out);
    check("SELECT id FROM asset");
    let ran = lint();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 statement prepared"), "{}", ran.out);
}

/// The usual account that sees no more than it must: of a view that somebody else defined, it sees no plan.
#[test]
fn what_a_view_shows_is_asked_though_its_plan_is_hidden() {
    let server = Setup::new(Kind::Mariadb).start();
    server.database("shop");
    server.run("shop", "CREATE TABLE asset (id INT PRIMARY KEY, owner VARCHAR(20))");
    server.run("shop", "CREATE VIEW shown AS SELECT id FROM asset");
    server.role("reader", None);
    server.run("shop", "GRANT SELECT ON shop.shown TO reader");
    let desk = Desk::new();
    desk.check("seen", "sev2", "SELECT id FROM shown");
    let url = server.url_as("reader", "shop");
    let ran =
        run(&desk.home, &["check", "--target", &url, "--checks", "checks", "--check", "seen"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let ran = run(&desk.home, &["lint", "checks", "--target", &url]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    desk.check("hidden", "sev2", "SELECT id FROM asset");
    let ran = run(&desk.home, &["lint", "checks", "--target", &url]);
    assert!(ran.code == 4 && ran.out.contains("check hidden, [sql]"), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("denied") && ran.out.contains("1 fault\n"), "{}", ran.out);
}

#[test]
fn a_refusal_that_is_told_within_a_sentence_has_one_stop() {
    let server = Setup::new(Kind::Mariadb).start();
    let url = server.database("shop");
    server.run("shop", "CREATE TABLE asset (id INT PRIMARY KEY, owner VARCHAR(20))");
    let desk = Desk::new();
    desk.check("good", "sev2", "SELECT id FROM asset");
    repair(&desk.home, &[r#"UPDATE asset SET owner = "x" WHERE id = 1"#]);
    desk.home.write(
        "steadyhand.toml",
        &format!(
            "checks = [\"checks\"]\nrunbooks = [\"runbooks\"]\n\
             [target.shop]\nurl = \"{url}\"\nenvironment = \"staging\"\n"
        ),
    );
    let lint = run(&desk.home, &["lint", "--target", "shop", "runbooks"]);
    assert!(lint.code == 4 && lint.out.contains("shop refuses it: "), "{}{}", lint.out, lint.err);
    let rehearsed = run(&desk.home, &["rehearse", "repair", "--target", "shop"]);
    assert!(rehearsed.code == 2 && rehearsed.out.contains("`name`; nothing"), "{}", rehearsed.out);
    for said in [lint.out, rehearsed.out] {
        assert!(!said.contains("..") && !said.contains(".;"), "{said}");
    }
}

/// What every run would refuse is a fault here already, with or without the name of the file.
#[test]
fn a_configuration_that_names_what_is_not_there_has_faults() {
    let desk = Desk::new();
    desk.check("good", "sev2", "SELECT id FROM asset");
    let alert = "[alert.page]\nkind = \"command\"\ncommand = [\"true\"]\n";
    desk.home.write(
        "steadyhand.toml",
        &format!(
            "checks = [\"checks\"]\n[check.goood]\nseverity = \"sev1\"\n[suite.sev9]\nevery = \"24h\"\n\
             [target.erp]\nurl = \"sqlite:erp.db\"\nenvironment = \"staging\"\npacks = [\"owm\"]\n\
             {alert}suites = [\"nighly\"]\ntargets = [\"epr\"]\n"
        ),
    );
    for args in [&["lint"][..], &["lint", "steadyhand.toml"]] {
        let ran = run(&desk.home, args);
        assert_eq!(ran.code, 4, "{args:?}: {}{}", ran.out, ran.err);
        for said in ["\"goood\"", "\"sev9\"", "\"owm\"", "\"nighly\"", "\"epr\"", "5 faults"] {
            assert!(ran.out.contains(said), "{args:?}: {said} is missing in {}", ran.out);
        }
    }
    desk.home.write(
        "steadyhand.toml",
        &format!(
            "checks = [\"checks\"]\n[check.good]\nseverity = \"sev1\"\n{alert}suites = [\"sev2\"]\n"
        ),
    );
    for args in [&["lint"][..], &["lint", "steadyhand.toml"]] {
        let ran = run(&desk.home, args);
        assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    }
}

/// An address that nothing can be sent to is found out now, and not at night.
#[test]
fn an_alert_without_an_address_is_a_fault() {
    let home = Home::new();
    home.write(
        "steadyhand.toml",
        "[alert.hook]\nkind = \"webhook\"\nurl = \"hooks.example.org\"\n\
         [alert.mail]\nkind = \"email\"\nhost = \"mail example\"\nfrom = \"not an address\"\n\
         to = [\"Ada <ada@example.org>\", \"bob\"]\n",
    );
    for args in [&["lint", "steadyhand.toml"][..], &["config"]] {
        let ran = run(&home, args);
        assert_eq!(ran.code, 4, "{args:?}");
        let said = ran.out + &ran.err;
        for place in
            ["steadyhand.toml:3:", "steadyhand.toml:6:", "steadyhand.toml:7:", "steadyhand.toml:8:"]
        {
            assert!(said.contains(place), "{args:?}: {place} is missing in {said}");
        }
    }
}
