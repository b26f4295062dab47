//! Names as servers have them: columns in another case, tables with their schema, a url of the other engine.

use super::common::server;
use super::{Desk, Ran, run};

const PEOPLE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, note VARCHAR(9));
                      INSERT INTO people VALUES (7, 'a'), (8, 'b')";

fn check(desk: &Desk, url: &str, id: &str) -> Ran {
    run(&desk.home, &["check", "--target", url, "--checks", "checks", "--check", id])
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
