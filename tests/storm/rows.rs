//! Very many rows, very many columns, and values of many megabytes.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::common::walk::{assert_sound, confirm, leave};
use super::common::{Cockpit, Home, Sqlite, WIDE, server};
use super::{
    LOOK, SWIFT, check, configuration, full, holds_at_most, runbook, size, swift, with_database,
};

/// The home of a change that rewrites one cell of so many bytes.
fn with_cell(bytes: usize) -> Home {
    let home = Home::new();
    with_database(
        &home,
        &[
            "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER, note TEXT)",
            &format!(
                "INSERT INTO stock VALUES (1, -1, replace(hex(zeroblob({})), '00', 'steady, '))",
                bytes / 8
            ),
            "INSERT INTO stock VALUES (2, -1, 'short')",
        ],
    );
    home.write(
        "checks/storm/storm.toml",
        &check("storm", "SELECT id, n, note FROM stock WHERE n < 0"),
    );
    let change = "[[step]]\nid = \"mend\"\nkind = \"change\"\nstage = \"recover\"\ntitle = \"Mend them\"\nrisk = \"low\"\n\
                  cures = [\"storm\"]\n[[step.statement]]\nnote = \"Mend\"\n\
                  any = \"UPDATE stock SET n = 0, note = note || '.' WHERE n < 0\"\n[step.limits]\nmax_rows = 10\n\
                  time_cap = \"60s\"\nlock_wait = \"2s\"\n";
    home.write("books/storm.toml", &runbook(&format!("{LOOK}{change}")));
    home
}

#[test]
fn a_cell_of_fifty_megabytes_is_looked_at_changed_and_taken_back() {
    const MEGABYTE: usize = 1 << 20;
    let bytes = size(8, 50) * MEGABYTE;
    let home = with_cell(bytes);
    let args = ["open", "storm", "--target", "shop"];
    let mut cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("2 violations");
    swift(&mut cockpit, "V", "steady, steady");
    swift(&mut cockpit, "right", "steady, steady");
    swift(&mut cockpit, "right", "steady, steady");
    swift(&mut cockpit, "enter", "note (text");
    let start = Instant::now();
    for _ in 0..100 {
        cockpit.keys("pagedown");
    }
    cockpit.wait_for("the first 262.1 kB of");
    assert!(start.elapsed() < SWIFT, "a hundred pages took {:?}", start.elapsed());
    cockpit.wait_for("y writes all of it to a file");
    cockpit.keys("esc");
    cockpit.wait_gone("262.1 kB");
    holds_at_most(&cockpit, "a table with a large cell", (bytes / MEGABYTE) as u64 * 10 + 60);
    cockpit.keys("esc");
    cockpit.wait_for("Look at them");
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    swift(&mut cockpit, "d", "Rows, before and after");
    cockpit.wait_for("steady, . ... of");
    cockpit.keys("esc");
    cockpit.wait_gone("esc close");
    cockpit.wait_for("enter confirm");
    confirm(&mut cockpit, "shop 2");
    cockpit.wait_long_for("COMMITTED   2 rows");
    cockpit.keys("u");
    cockpit.wait_long_for("enter confirm");
    confirm(&mut cockpit, "shop undo 2");
    cockpit.wait_long_for("COMMITTED   2 rows");
    holds_at_most(&cockpit, "a change of a large cell", (bytes / MEGABYTE) as u64 * 28 + 80);
    leave(&mut cockpit);
    let home = cockpit.into_home();
    let mut shop = Sqlite::open(&home.work().join("shop.db"));
    assert_eq!(shop.count("SELECT SUM(n) FROM stock"), -2);
    assert_eq!(shop.scalar("SELECT MAX(LENGTH(note)) FROM stock"), bytes.to_string());
    assert_sound(&home);
    // What is written for people and programs quotes no megabytes.
    for args in [
        &["check", "--check", "storm", "--format", "json"][..],
        &["check", "--check", "storm", "--format", "text"],
        &["check", "--check", "storm", "--format", "markdown"],
        &["postmortem", "INC-0001"],
        &["postmortem", "INC-0001", "--format", "html"],
        &["postmortem", "INC-0001", "--format", "json"],
    ] {
        let ran = home.steadyhand(args).output().unwrap();
        assert!(ran.stdout.len() < MEGABYTE, "{args:?} wrote {} bytes", ran.stdout.len());
    }
    let journal = fs::metadata(home.path("state/steadyhand/incidents/INC-0001/journal.jsonl"));
    assert!(journal.unwrap().len() < MEGABYTE as u64, "the journal quotes the cell");
}

#[test]
fn two_hundred_columns_are_walked_and_compared() {
    let home = Home::new();
    let list = |each: &dyn Fn(usize) -> String| (0..200).map(each).collect::<Vec<_>>().join(", ");
    let rows = size(200, 2000);
    with_database(
        &home,
        &[
            &format!(
                "CREATE TABLE wide (id INTEGER PRIMARY KEY, {})",
                list(&|c| format!("column_{c} TEXT"))
            ),
            &format!(
                "WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {rows}) \
                 INSERT INTO wide SELECT n, {} FROM i",
                list(&|c| format!("'value {c} of ' || n"))
            ),
        ],
    );
    home.write(
        "checks/storm/storm.toml",
        &check("storm", "SELECT * FROM wide WHERE column_0 <> ''"),
    );
    let change = "[[step]]\nid = \"mend\"\nkind = \"change\"\nstage = \"recover\"\ntitle = \"Mend them\"\nrisk = \"low\"\n\
                  cures = [\"storm\"]\n[[step.statement]]\nnote = \"Mend\"\n\
                  any = \"UPDATE wide SET column_0 = '', column_199 = 'mended' WHERE column_0 <> ''\"\n[step.limits]\n\
                  max_rows = 5000\ntime_cap = \"60s\"\nlock_wait = \"2s\"\n";
    home.write("books/storm.toml", &runbook(&format!("{LOOK}{change}")));
    let mut cockpit = Cockpit::start_in(home, &["open", "storm", "--target", "shop"], WIDE);
    cockpit.wait_for("violations");
    swift(&mut cockpit, "V", "column_0");
    for _ in 0..200 {
        cockpit.keys("right");
    }
    cockpit.wait_for("column_199");
    for _ in 0..200 {
        cockpit.keys("left");
    }
    cockpit.wait_for("column_0 ");
    swift(&mut cockpit, "G", &format!("value 0 of {rows}"));
    cockpit.keys("esc");
    cockpit.wait_for("Look at them");
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    swift(&mut cockpit, "d", "mended");
    swift(&mut cockpit, "pagedown", "mended");
    holds_at_most(&cockpit, "two hundred columns", 160);
}

/// The table fills while keys are answered, and the last of them can be gone to.
fn stream(home: Home, many: usize, sql: &str, most_mib: u64) {
    let text = check("storm", sql).replace("[sql]", "timeout = \"600s\"\n[sql]");
    home.write("checks/storm/storm.toml", &text);
    home.write("books/storm.toml", &runbook(LOOK));
    let mut cockpit = Cockpit::start_in(home, &["open", "storm", "--target", "shop"], WIDE);
    cockpit.wait_for("Look at them");
    cockpit.keys("V");
    cockpit.wait_for("violation number 1");
    swift(&mut cockpit, "pagedown", "violation number 29");
    swift(&mut cockpit, "g", "violation number 1");
    let start = Instant::now();
    let last = format!("violation number {many}");
    let limit = Duration::from_secs(if full() { 600 } else { 60 });
    while !cockpit.screen().contains(&last) {
        assert!(start.elapsed() < limit, "{}", cockpit.screen());
        cockpit.keys("G");
        cockpit.breathe();
        thread::park_timeout(Duration::from_millis(200));
    }
    holds_at_most(&cockpit, "endless violations", most_mib);
}

#[test]
fn violations_of_a_file_stream_in_without_an_end() {
    let many = size(300_000, 10_000_000);
    let home = Home::new();
    with_database(&home, &["CREATE TABLE stock (id INTEGER PRIMARY KEY)"]);
    let sql = format!(
        "WITH RECURSIVE i (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM i WHERE id < {many}) \
         SELECT id, 'violation number ' || id AS what FROM i"
    );
    stream(home, many, &sql, 60);
}

#[test]
fn violations_of_a_server_stream_in_without_an_end() {
    let many = size(300_000, 10_000_000);
    let postgres = server::postgres();
    postgres.database("shop");
    let home = Home::new();
    home.write("steadyhand.toml", &configuration(&postgres.url("shop")));
    let sql =
        format!("SELECT id, 'violation number ' || id AS what FROM generate_series(1, {many}) id");
    stream(home, many, &sql, 60);
}

#[test]
fn a_full_temporary_disk_is_said_and_the_count_stays_exact() {
    let home = Home::new();
    with_database(&home, &["CREATE TABLE stock (id INTEGER PRIMARY KEY)"]);
    let sql = "WITH RECURSIVE i (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM i WHERE id < 200000) \
               SELECT id, 'violation number ' || id AS what FROM i";
    home.write("checks/storm/storm.toml", &check("storm", sql));
    home.write("books/storm.toml", &runbook(LOOK));
    // No file may have more than a megabyte.
    let words = "trap '' XFSZ; ulimit -f 2048";
    let args = ["open", "storm", "--target", "shop"];
    let mut cockpit = Cockpit::start_after(words, home, &args, WIDE);
    cockpit.wait_for("200,000 violations");
    cockpit.wait_for("not all rows are in the table");
    cockpit.keys("V");
    cockpit.wait_for("esc back");
    cockpit.keys("G");
    cockpit.wait_until("the end of what is there", |screen| {
        screen.contains(" of the first ") && screen.contains(" of 200,000, exact")
    });
}
