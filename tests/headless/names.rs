//! Names as servers have them: columns in another case, tables with their schema, a url of the other engine.

use super::common::server;
use super::{Desk, Ran, run};

const PEOPLE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, note VARCHAR(9));
                      INSERT INTO people VALUES (7, 'a'), (8, 'b')";

fn check(desk: &Desk, url: &str, id: &str) -> Ran {
    run(&desk.home, &["check", "--target", url, "--checks", "checks", "--check", id])
}

/// A check of which each engine gets a text of its own, as far as one is written.
fn write(desk: &Desk, id: &str, texts: &[(&str, &str)]) {
    desk.check(id, "sev2", "SELECT 1 AS id");
    let path = format!("checks/own/{id}.toml");
    let file = std::fs::read_to_string(desk.home.work().join(&path)).unwrap();
    let mut file = file.split("[sql]").next().unwrap().to_owned() + "[sql]\n";
    for (engine, sql) in texts {
        file += &format!("{engine} = \"{sql}\"\n");
    }
    desk.home.write(&path, &file);
}

#[test]
fn a_key_is_the_key_in_whatever_case_the_server_answers() {
    let server = server::postgres();
    server.database("shop");
    server.run("shop", PEOPLE);
    let desk = Desk::new();
    desk.check("bad", "sev2", "SELECT note, id AS personId FROM people ORDER BY 2");
    let path = desk.home.work().join("checks/own/bad.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("key = [\"id\"]", "key = [\"personId\"]")).unwrap();
    let ran = check(&desk, &server.url("shop"), "bad");
    assert!(ran.out.contains("personId: 7, 8"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_table_may_be_named_with_its_schema_on_every_engine() {
    let (postgres, mariadb) = (server::postgres(), server::mariadb());
    let desk = Desk::new();
    super::common::Sqlite::open(&desk.database).run(PEOPLE);
    let sqlite = desk.database.to_str().unwrap().to_owned();
    for server in [&postgres, &mariadb] {
        server.database("shop");
        server.run("shop", PEOPLE);
    }
    mariadb.database("archive");
    mariadb.run("archive", "CREATE TABLE old (id INTEGER PRIMARY KEY)");
    let ran = |server: &server::Server, id: &str| check(&desk, &server.url("shop"), id);
    let violated = |ran: Ran| assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    write(
        &desk,
        "own",
        &[
            ("postgres", "SELECT id FROM public.people"),
            ("mysql", "SELECT id FROM shop.people"),
            ("sqlite", "SELECT id FROM main.people"),
        ],
    );
    violated(ran(&postgres, "own"));
    violated(ran(&mariadb, "own"));
    violated(check(&desk, &sqlite, "own"));
    write(&desk, "dual", &[("mysql", "SELECT 1 AS id FROM dual")]);
    violated(ran(&mariadb, "dual"));
    write(&desk, "other", &[("any", "SELECT id FROM archive.old")]);
    let other = ran(&mariadb, "other");
    assert_eq!(other.code, 0, "{}", other.out);
    // What is not there is said by whoever knows: the list of this schema, or the query.
    write(&desk, "typo", &[("mysql", "SELECT id FROM shop.peple")]);
    let typo = ran(&mariadb, "typo");
    assert!(
        typo.code == 3 && typo.out.contains("the table shop.peple is not there"),
        "{}",
        typo.out
    );
    write(&desk, "away", &[("mysql", "SELECT id FROM archive.new")]);
    let away = ran(&mariadb, "away");
    assert!(away.code == 3 && away.out.contains("archive.new' doesn't exist"), "{}", away.out);
}

#[test]
fn the_columns_of_a_metric_have_their_names_in_any_case() {
    let desk = Desk::new();
    let metric = |id: &str, sql: &str| {
        desk.home.write(
            &format!("checks/own/{id}.toml"),
            &format!(
                "id = \"{id}\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nkind = \"metric\"\n\
                 critical = \">= 3\"\nowner = \"o\"\n[sql]\nany = \"{sql}\"\n"
            ),
        );
        check(&desk, "erp.db", id)
    };
    let seen = metric("seen", "SELECT COUNT(*) AS VALUE FROM asset");
    assert!(seen.code == 2 && seen.out.contains("critical at >= 3"), "{}{}", seen.out, seen.err);
    let blind = metric("blind", "SELECT NULL AS Value, 'the clock stands' AS Reason FROM asset");
    assert!(blind.code == 3, "{}{}", blind.out, blind.err);
    let blind = metric("blind", "SELECT NULL AS Value, 'the clock stands' AS Reason");
    assert!(blind.code == 3 && blind.out.contains("the clock stands"), "{}", blind.out);
}

#[test]
fn a_sequence_is_there_to_be_read() {
    let server = server::postgres();
    server.database("shop");
    server.run("shop", "CREATE SEQUENCE numbers");
    let desk = Desk::new();
    desk.check("drawn", "sev2", "SELECT last_value AS id FROM numbers");
    let ran = check(&desk, &server.url("shop"), "drawn");
    assert!(ran.code == 2 && ran.out.contains("id: 1"), "{}{}", ran.out, ran.err);
}

#[test]
fn the_server_says_which_checks_are_for_it_and_not_the_url() {
    let server = server::mariadb();
    server.database("shop");
    let desk = Desk::new();
    write(&desk, "only-there", &[("mariadb", "SELECT 1 AS id")]);
    write(&desk, "elsewhere", &[("postgres", "SELECT 1 AS id")]);
    let url = server.url("shop").replace("mariadb://", "mysql://");
    let asked = |url: &str| {
        let suite = ["--checks", "checks", "--suite", "sev2", "--pack", "own"];
        run(&desk.home, &[&["check", "--target", url][..], &suite].concat())
    };
    let ran = asked(&url);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("only-there") && ran.out.contains("1 for other engines"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("MySQL") && !ran.out.contains("MariaDB MariaDB"), "{}", ran.out);
    // Nobody knows what a server is that does not answer.
    let ran = asked("mysql://nobody@127.0.0.1:1/shop");
    assert!(!ran.out.contains("only-there"), "{}", ran.out);
}
