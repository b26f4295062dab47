//! Very many rows, very many columns, and values of many megabytes.

use std::fs;

use steadyhand::value::thousands;

use super::common::walk::{assert_sound, confirm, leave};
use super::common::{Cockpit, Home, Sqlite, WIDE, server};
use super::{
    LOOK, check, configuration, holds_at_most, opened, runbook, size, swift, with_database,
};

/// The runbook that looks, and then mends by this statement.
fn with_change(home: &Home, sql: &str) {
    let change = format!(
        "[[step]]\nid = \"mend\"\nkind = \"change\"\nstage = \"recover\"\ntitle = \"Mend them\"\nrisk = \"low\"\n\
         cures = [\"storm\"]\n[[step.statement]]\nnote = \"Mend\"\nany = \"{sql}\"\n[step.limits]\n\
         max_rows = 5000\ntime_cap = \"60s\"\nlock_wait = \"2s\"\n"
    );
    home.write("books/storm.toml", &runbook(&format!("{LOOK}{change}")));
}

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
    with_change(&home, "UPDATE stock SET n = 0, note = note || '.' WHERE n < 0");
    home
}

#[test]
fn a_cell_of_fifty_megabytes_is_looked_at_changed_and_taken_back() {
    const MEGABYTE: usize = 1 << 20;
    let bytes = size(8, 50) * MEGABYTE;
    let home = with_cell(bytes);
    let mut cockpit = opened(home, "2 violations");
    swift(&mut cockpit, &["V"], "esc back");
    swift(&mut cockpit, &["right right enter"], "note (text");
    swift(&mut cockpit, &[&"pagedown ".repeat(100)], "the first 262.1 kB of");
    cockpit.wait_for("y writes all of it to a file");
    cockpit.keys("esc");
    cockpit.wait_gone("262.1 kB");
    holds_at_most(&cockpit, "a table with a large cell", (bytes / MEGABYTE) as u64 * 6 + 90);
    cockpit.keys("esc");
    cockpit.wait_for("Look at them");
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    swift(&mut cockpit, &["d"], "Rows, before and after");
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
    holds_at_most(&cockpit, "a change of a large cell", (bytes / MEGABYTE) as u64 * 11 + 215);
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

/// A preview of so many rows, each with a cell of 64 KiB.
fn large_cells(home: Home, rows: usize, most_mib: u64) {
    home.write("checks/storm/storm.toml", &check("storm", "SELECT id, n FROM stock WHERE n < 0"));
    with_change(&home, "UPDATE stock SET n = 0 WHERE n < 0");
    let mut cockpit = opened(home, &format!("{} violations", thousands(rows as u64)));
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    holds_at_most(&cockpit, "large cells of many rows", most_mib);
}

const LARGE_CELLS: &str = "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER, note TEXT)";

#[test]
fn large_cells_of_many_rows_of_a_file_are_never_in_memory_together() {
    let rows = size(500, 2000);
    let home = Home::new();
    let fill = format!(
        "WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {rows}) \
         INSERT INTO stock SELECT n, -1, hex(zeroblob(32768)) FROM i"
    );
    with_database(&home, &[LARGE_CELLS, &fill]);
    // The database keeps the pages it changed; the images of the rows are not with them.
    large_cells(home, rows, rows as u64 / 16 + 120);
}

#[test]
fn large_cells_of_many_rows_of_a_server_are_never_in_memory_together() {
    let rows = size(500, 2000);
    let postgres = server::postgres();
    let fill = format!(
        "INSERT INTO stock SELECT n, -1, repeat('0', 65536) FROM generate_series(1, {rows}) n"
    );
    postgres.database("shop");
    postgres.run("shop", LARGE_CELLS);
    postgres.run("shop", &fill);
    let home = Home::new();
    home.write("steadyhand.toml", &configuration(&postgres.url("shop")));
    large_cells(home, rows, 100);
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
    with_change(&home, "UPDATE wide SET column_0 = '', column_199 = 'mended' WHERE column_0 <> ''");
    let mut cockpit = opened(home, &format!("{} violations", thousands(rows as u64)));
    swift(&mut cockpit, &["V"], "esc back");
    swift(&mut cockpit, &["right"; 200], "column_199");
    swift(&mut cockpit, &["left"; 200], "column_0 ");
    swift(&mut cockpit, &["G"], &format!("value 0 of {rows}"));
    cockpit.keys("esc");
    cockpit.wait_for("Look at them");
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    swift(&mut cockpit, &["d"], "esc close");
    swift(&mut cockpit, &["pagedown"], "id 60 ");
    // Every column of every row.
    swift(&mut cockpit, &["tab"], "only what changes");
    let first = largest(&cockpit.screen(), "value 0 of ");
    swift(&mut cockpit, &["pagedown"; 12], &format!(" of {}", first + 2));
    holds_at_most(&cockpit, "two hundred columns", 160);
}

/// The last rows change a column that the first do not, where no row of them can be seen any more.
#[test]
fn what_is_said_of_all_rows_holds_for_those_that_are_not_shown() {
    let home = Home::new();
    with_database(
        &home,
        &[
            "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER, note TEXT, pad TEXT)",
            "WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 4000) \
             INSERT INTO stock SELECT n, -1, 'as it was', hex(zeroblob(1000)) FROM i",
        ],
    );
    home.write("checks/storm/storm.toml", &check("storm", "SELECT id, n FROM stock WHERE n < 0"));
    with_change(
        &home,
        "UPDATE stock SET n = 0, note = CASE WHEN id > 3990 THEN 'new' ELSE note END WHERE n < 0",
    );
    let mut cockpit = opened(home, "4,000 violations");
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    cockpit.wait_for("4,000 rows   2 columns stay as they are");
    assert!(cockpit.screen().contains("d shows the first of each table"), "{}", cockpit.screen());
}

/// The largest number that stands behind these words.
fn largest(screen: &str, words: &str) -> usize {
    let number = |text: &str| {
        let digits = text.chars().filter(|sign| *sign != ',').take_while(char::is_ascii_digit);
        digits.collect::<String>().parse().ok()
    };
    screen.split(words).skip(1).filter_map(number).max().unwrap_or(0)
}

/// The table fills while keys are answered, and the last of them can be gone to.
fn stream(home: Home, many: usize, sql: &str, most_mib: u64) {
    let text = check("storm", sql).replace("[sql]", "timeout = \"600s\"\n[sql]");
    home.write("checks/storm/storm.toml", &text);
    home.write("books/storm.toml", &runbook(LOOK));
    let mut cockpit = Cockpit::start_in(home, &["open", "storm", "--target", "shop"], WIDE);
    cockpit.wait_for("enter go on");
    cockpit.keys("V");
    // The step shows the first rows, too: a page is one of the screen that was drawn last.
    cockpit.wait_for("enter cell");
    cockpit.wait_until("some pages", |screen| largest(screen, " of ") > 100);
    swift(&mut cockpit, &["pagedown"], "violation number 34");
    swift(&mut cockpit, &["g"], "violation number 1\n");
    // However long it takes to the last one: there are always more, and the key goes to what is there.
    let is_last = |screen: &str| largest(screen, "violation number ") == many;
    while !is_last(&cockpit.screen()) {
        let told = largest(&cockpit.screen(), " of ");
        cockpit.keys("G");
        if told == many {
            // The last ones are counted a moment before they have their place in the table.
            cockpit.breathe();
            continue;
        }
        cockpit.wait_until("more rows", |screen| is_last(screen) || largest(screen, " of ") > told);
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
    cockpit.wait_for("milestone: detected");
    cockpit.wait_for("200,000 violations");
    cockpit.wait_for("not all rows are in the table");
    cockpit.keys("V");
    cockpit.wait_for("esc back");
    cockpit.keys("G");
    cockpit.wait_until("the end of what is there", |screen| {
        screen.contains(" of the first ") && screen.contains(" of 200,000, exact")
    });
}
