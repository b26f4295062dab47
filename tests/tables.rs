//! Tables of very many violations: seen while they come, sorted, filtered, searched and copied beside
//! the screen, in little memory; and the ways from a row to others, on every engine.

mod common;

use common::server::{Kind, Server, Setup};
use common::{COMPACT, Cockpit, Home, Look, Size, Sqlite, WIDE};

/// Violations where it matters that they are many.
const MANY: u64 = 100_000;

/// A database of one of the engines with a home that knows it.
struct Place {
    home: Home,
    look: Look,
    target: String,
    server: Option<Server>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Engine {
    Sqlite,
    Postgres,
    Mariadb,
}

const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::Postgres, Engine::Mariadb];

impl Place {
    fn new(engine: Engine) -> Self {
        let home = Home::new();
        if engine == Engine::Sqlite {
            let look = Look::at_file(Sqlite::create(&home.work().join("shop.db")));
            return Self { home, look, target: "shop.db".into(), server: None };
        }
        let kind = if engine == Engine::Postgres { Kind::Postgres } else { Kind::Mariadb };
        let server = Setup::new(kind).start();
        server.database("shop");
        let look = Look::on_server(server.client("shop"));
        let target = "shop".to_owned();
        home.write(
            "steadyhand.toml",
            &format!(
                "[target.shop]\nurl = \"{}\"\nenvironment = \"development\"\n",
                server.url("shop")
            ),
        );
        Self { home, look, target, server: Some(server) }
    }

    /// A check of these rows, and a runbook that begins with it.
    fn check(&self, key: &str, tables: &str, sql: &str) {
        self.home.write(
            "checks/rows.toml",
            &format!(
                "id = \"rows\"\ntitle = \"Rows\"\nrule = \"There are none.\"\nseverity = \"sev2\"\n\
                 kind = \"violations\"\nkey = [{key}]\nsuites = [\"nightly\"]\nowner = \"us\"\n\
                 runbook = \"rows\"\ntimeout = \"120s\"\ntables = [{tables}]\n\
                 [sql]\nany = \"{sql}\"\n"
            ),
        );
        self.home.write(
            "books/rows.toml",
            "id = \"rows\"\ntitle = \"Rows\"\nsummary = \"Rows\"\nowner = \"us\"\n\
             severity = \"sev2\"\n[[step]]\nid = \"read\"\nkind = \"note\"\nstage = \"stabilise\"\n\
             title = \"Read this\"\nwhy = \"It is written.\"\ndo = \"Read it.\"\n\
             [[step]]\nid = \"look\"\nkind = \"check\"\nstage = \"validate\"\n\
             title = \"Look at them\"\ncheck = \"rows\"\nexpect = \"violated\"\nevery = \"1h\"\n",
        );
    }

    /// The cockpit at the table of violations, whose rows may still come.
    fn open(self, size: Size) -> (Cockpit, Look, Option<Server>) {
        let target = self.target.clone();
        let args =
            ["open", "rows", "--target", &target, "--checks", "checks", "--runbooks", "books"];
        let mut cockpit = Cockpit::start_in(self.home, &args, size);
        cockpit.wait_for("Read this");
        cockpit.keys("V");
        (cockpit, self.look, self.server)
    }
}

/// 100,000 orders without a customer, and the same on every engine.
fn storm(engine: Engine) -> Place {
    let mut place = Place::new(engine);
    let create = "CREATE TABLE orders (id INTEGER PRIMARY KEY, state VARCHAR(20) NOT NULL, note VARCHAR(60) NOT NULL)";
    place.look.run(create);
    let filled = match engine {
        Engine::Sqlite => format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) \
             INSERT INTO orders SELECT i, CASE i % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' ELSE 'sent' END, \
             'order ' || (i * 7919 % 200003) FROM n"
        ),
        Engine::Postgres => format!(
            "INSERT INTO orders SELECT i, CASE i % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' ELSE 'sent' END, \
             'order ' || (i::bigint * 7919 % 200003) FROM generate_series(1, {MANY}) i"
        ),
        Engine::Mariadb => format!(
            "INSERT INTO orders SELECT seq, CASE seq % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' ELSE 'sent' END, \
             CONCAT('order ', seq * 7919 % 200003) FROM seq_1_to_{MANY}"
        ),
    };
    place.look.run(&filled);
    place.check("\"id\"", "\"orders\"", "SELECT id, state, note FROM orders ORDER BY id");
    place
}

fn ask(cockpit: &mut Cockpit, key: &str, question: &str, text: &str) {
    cockpit.keys(key);
    cockpit.wait_for(question);
    cockpit.type_text(text);
    cockpit.wait_for(&format!("> {text}"));
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_gone(question);
}

#[test]
fn a_storm_is_sorted_filtered_and_searched_on_every_engine() {
    for engine in ENGINES {
        let (mut cockpit, mut look, _server) = storm(engine).open(COMPACT);
        // The first rows stand there before the last have come.
        cockpit.wait_for("order 7919");
        cockpit.wait_long_for("of 100,000, exact");
        cockpit.keys("G");
        cockpit.wait_for("row 100,000");
        ask(&mut cockpit, "#", "Go to row number", "65,432");
        cockpit.wait_for("row  65,432");
        cockpit.wait_for("▸  65432 │");
        // By the text, and back: the largest is 9999 as a text.
        cockpit.keys("right right s");
        cockpit.wait_long_for("▲");
        cockpit.keys("g");
        cockpit.wait_for("row       1");
        cockpit.wait_for("order 10");
        cockpit.wait_gone("order 7919");
        cockpit.keys("R");
        cockpit.wait_long_for("▼");
        cockpit.keys("g");
        cockpit.wait_for("order 99999");
        ask(&mut cockpit, "f", "Filter", "state:paid");
        cockpit.wait_long_for("of 33,334 of 100,000, exact");
        ask(&mut cockpit, "/", "Search", "order 42423");
        cockpit.wait_until("the cursor on the match", |screen| {
            screen.lines().any(|line| line.contains('▸') && line.contains("order 42423"))
        });
        // A new run finds one more, and the table stays as it was left.
        look.run("INSERT INTO orders VALUES (900000, 'paid', 'order new')");
        cockpit.keys("r");
        cockpit.wait_long_for("33,335 of 100,001, exact");
        cockpit.wait_until("the cursor where it was", |screen| {
            screen.lines().any(|line| line.contains('▸') && line.contains("order 42423"))
        });
        cockpit.keys("d");
        cockpit.wait_long_for("only new ones");
        cockpit.wait_for("1-1 of 1 of 100,001");
        cockpit.wait_for("order new");
        look.run("DELETE FROM orders WHERE id <= 300");
        cockpit.keys("r");
        cockpit.wait_long_for("no rows of 99,701, exact");
        cockpit.keys("d");
        cockpit.wait_long_for("only those gone");
        cockpit.wait_for("of 100 of 100,001");
        cockpit.wait_for("▸-");
    }
}

#[test]
fn the_memory_does_not_grow_with_the_rows() {
    const ROWS: [u64; 2] = [50_000, 500_000];
    let peak = ROWS.map(|rows| {
        let place = Place::new(Engine::Postgres);
        place.check(
            "\"id\"",
            "",
            &format!(
                "SELECT i AS id, i % 97 AS shelf, 'parcel ' || i AS label FROM generate_series(1, {rows}) i"
            ),
        );
        let (mut cockpit, _look, _server) = place.open(WIDE);
        let all = format!("{},000", rows / 1_000);
        cockpit.wait_for("parcel 11");
        cockpit.wait_long_for(&format!("of {all}, exact"));
        cockpit.keys("right s");
        cockpit.wait_long_for("▲");
        cockpit.keys("G");
        cockpit.wait_for(&format!("row {all}"));
        cockpit.peak_memory().expect("the system tells")
    });
    let [few, many] = peak;
    #[allow(clippy::print_stdout, reason = "the figures are what such a run is for")]
    {
        println!("peak {few} KiB with 50,000 rows, {many} KiB with 500,000");
    }
    // The sort's own budget is met by the larger one only; both are far below what the rows take.
    assert!(many < few + 8 * 1024, "{few} KiB, then {many} KiB");
}

#[test]
fn reading_and_sorting_can_be_stopped() {
    let place = Place::new(Engine::Postgres);
    // Some rows at once, and then a query that takes its time for each.
    place.check(
        "\"id\"",
        "",
        "SELECT i AS id, 'slow' AS what FROM generate_series(1, 100000) i WHERE i <= 500 OR (SELECT count(*) FROM generate_series(1, 50000 + i)) > 0",
    );
    let (mut cockpit, _look, _server) = place.open(COMPACT);
    cockpit.wait_for("so far, still reading");
    cockpit.wait_for("x stops");
    cockpit.keys("down down");
    let on_third = |line: &str| line.contains('▸') && line.contains(" 3 │");
    cockpit.wait_until("the third row", |screen| screen.lines().any(on_third));
    cockpit.keys("x");
    cockpit.wait_for("stopped by the operator");
    cockpit.wait_for("of >= ");
}

/// Assets, who has them, and what was recorded, with foreign keys on every engine.
fn assets(engine: Engine) -> Place {
    let mut place = Place::new(engine);
    for sql in [
        "CREATE TABLE assets (id INTEGER PRIMARY KEY, tag VARCHAR(20) NOT NULL)",
        "CREATE TABLE holders (id INTEGER PRIMARY KEY, asset_id INTEGER NOT NULL, who VARCHAR(20), FOREIGN KEY (asset_id) REFERENCES assets (id))",
        "CREATE TABLE repairs (id INTEGER PRIMARY KEY, asset_id INTEGER NOT NULL, cost INTEGER, FOREIGN KEY (asset_id) REFERENCES assets (id))",
        "CREATE TABLE audit_log (id INTEGER PRIMARY KEY, table_name VARCHAR(40), row_id INTEGER, what VARCHAR(40))",
        "INSERT INTO assets VALUES (17, 'LT-17'), (18, 'LT-18')",
        "INSERT INTO holders VALUES (1, 17, 'Ada'), (2, 17, 'Jon'), (3, 18, 'Mia')",
        "INSERT INTO repairs VALUES (5, 17, 120), (6, 18, 40)",
        "INSERT INTO audit_log VALUES (1, 'holders', 1, 'given to Ada'), (2, 'holders', 2, 'given to Jon'), (3, 'assets', 17, 'bought')",
    ] {
        place.look.run(sql);
    }
    place.check(
        "\"asset_id\"",
        "\"holders\", \"assets\"",
        "SELECT asset_id, COUNT(*) AS active FROM holders GROUP BY asset_id HAVING COUNT(*) > 1",
    );
    place
}

#[test]
fn from_a_violation_to_its_parent_its_children_and_their_history_and_back() {
    for engine in ENGINES {
        let (mut cockpit, _look, _server) = assets(engine).open(WIDE);
        cockpit.wait_for("1-1 of 1, exact");
        cockpit.keys("t");
        cockpit.wait_for("Go to rows that have to do with this one");
        cockpit.wait_for("assets: the row it points to, id = 17");
        cockpit.wait_for("repairs: rows that point there, asset_id = 17");
        cockpit.wait_for("holders: rows with the same key, asset_id = 17");
        cockpit.wait_for("audit_log: what was recorded of it, table_name = assets");
        cockpit.keys("enter");
        cockpit.wait_for("LT-17");
        cockpit.wait_for("1-1 of 1, exact");
        // From the asset on: who has it, and what was recorded of the second holder.
        cockpit.keys("t");
        cockpit.wait_for("holders: rows that point there, asset_id = 17");
        cockpit.keys("enter");
        cockpit.wait_for("Jon");
        cockpit.wait_gone("Mia");
        cockpit.keys("down t");
        cockpit.wait_for("audit_log: what was recorded of it, table_name = holders");
        cockpit.keys("down");
        cockpit.wait_for("▸ audit_log");
        cockpit.keys("enter");
        cockpit.wait_for("given to Jon");
        cockpit.wait_gone("given to Ada");
        cockpit.keys("esc");
        cockpit.wait_for("holders: rows that point there");
        cockpit.keys("esc");
        cockpit.wait_for("assets: the row it points to");
        cockpit.keys("esc");
        cockpit.wait_for("active");
        cockpit.keys("esc");
        cockpit.wait_for("Read this");
    }
}

/// What was sent to the clipboard since `from`, without the wrapping of what is between.
fn clipboard(cockpit: &Cockpit, from: usize) -> String {
    use base64::Engine as _;
    let raw = cockpit.raw_output()[from..].to_vec();
    let raw = String::from_utf8_lossy(&raw).replace("\x1bP", "").replace("\x1b\\", "");
    let (_, rest) = raw.split_once("\x1b]52;c;").expect("a text was sent");
    let coded = rest.split('\x07').next().expect("it has an end");
    let text = base64::engine::general_purpose::STANDARD.decode(coded).expect("base64");
    String::from_utf8(text).expect("UTF-8")
}

#[test]
fn cells_rows_and_keys_go_to_the_clipboard_or_to_a_file() {
    let mut place = Place::new(Engine::Sqlite);
    place.look.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)");
    place.look.run("INSERT INTO notes VALUES (1, 'one'), (2, 'it''s' || char(27) || '[31m'), (3, NULL), (4, hex(zeroblob(100000)))");
    place.check("\"id\"", "\"notes\"", "SELECT id, text FROM notes ORDER BY id");
    place.home = place.home.with("TMUX", "/tmp/nowhere,1,0");
    let (mut cockpit, _look, _server) = place.open(WIDE);
    cockpit.wait_for("1-4 of 4, exact");
    let copy = |cockpit: &mut Cockpit, down: &str, words: &str| {
        let from = cockpit.bytes();
        cockpit.keys("y");
        cockpit.wait_for("Copy to the clipboard of the terminal");
        cockpit.keys(down);
        cockpit.breathe();
        cockpit.keys("enter");
        cockpit.wait_gone("Copy to the clipboard of the terminal");
        cockpit.wait_for(words);
        from
    };
    cockpit.keys("down right");
    let from = copy(
        &mut cockpit,
        "",
        "asked the terminal to copy the cell, 9 bytes; if nothing arrives: tmux wants",
    );
    cockpit.wait_for_bytes(b"\x1bPtmux;\x1b\x1b]52;c;aXQncxtbMzFt\x07\x1b\\");
    assert_eq!(clipboard(&cockpit, from), "it's\u{1b}[31m");
    cockpit.keys("space up space");
    cockpit.wait_for("2 marked");
    let from = copy(&mut cockpit, "down down down", "the keys of 2 rows");
    cockpit.wait_for_bytes(b"aWQgSU4g");
    assert_eq!(clipboard(&cockpit, from), "id IN (1, 2)");
    // Too long for any clipboard.
    cockpit.keys("G space");
    cockpit.wait_for("3 marked");
    copy(&mut cockpit, "down down", "200.0 kB are in evidence/copy-");
    let files = cockpit.home().files("state");
    assert!(
        files.iter().any(|file| file.to_string_lossy().contains("evidence/copy-")),
        "{files:?}"
    );
}

#[test]
fn columns_are_chosen_widened_and_the_row_stands_beside_the_table() {
    let mut place = Place::new(Engine::Sqlite);
    let names: Vec<String> = (0..200).map(|n| format!("c{n:03}")).collect();
    place.look.run(&format!("CREATE TABLE wide (id INTEGER PRIMARY KEY, {})", names.join(", ")));
    place.look.run("INSERT INTO wide (id, c000, c001, c199) VALUES (1, 'first', hex(zeroblob(25000000)), 'last')");
    place.check("\"id\"", "\"wide\"", "SELECT * FROM wide");
    let (mut cockpit, _look, _server) = place.open(WIDE);
    cockpit.wait_long_for("1-1 of 1, exact");
    cockpit.keys("c");
    cockpit.wait_for("key, always shown");
    cockpit.keys("down down");
    cockpit.wait_for("▸✓ c001");
    cockpit.keys("space");
    cockpit.wait_gone("✓ c001");
    cockpit.keys("esc");
    cockpit.wait_gone("key, always shown");
    cockpit.wait_gone("c001");
    cockpit.keys("c");
    cockpit.wait_for("key, always shown");
    cockpit.keys("down down space esc");
    cockpit.wait_for("c001");
    // A value of fifty million bytes: cut in the table, opened for its beginning.
    cockpit.wait_for("0000…");
    cockpit.keys("o");
    cockpit.wait_for("Row in full");
    cockpit.wait_for("... of 50.0 MB; enter on the cell");
    cockpit.keys("esc");
    cockpit.wait_gone("Row in full");
    cockpit.keys("right right enter");
    cockpit.wait_for("c001 (text, 50000000 bytes)");
    cockpit.keys("esc");
    cockpit.wait_gone("c001 (text, 50000000 bytes)");
    ask(&mut cockpit, "/", "Search", "last");
    cockpit.wait_for("c199");
    cockpit.keys("<");
    cockpit.breathe();
    cockpit.keys(">");
    let peak = cockpit.peak_memory().expect("the system tells");
    assert!(peak < 400 * 1024, "{peak} KiB");
}
