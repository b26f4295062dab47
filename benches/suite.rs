//! What a run of checks costs beside `psql` with the same queries, in the same minute: the whole
//! process, from start to exit code.
//!
//! `cargo bench --bench suite` starts servers of its own and prints one table. The rounds alternate, so
//! that whoever else uses the machine meets both; what counts is the ratio. Memory is exact.
//! `STEADYHAND_PROGRAM` names another build of the program, such as the released one: there the code
//! that a run needs lies side by side, which halves its memory.

#![allow(clippy::print_stdout, reason = "the table is what a bench is for")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::Home;
use common::server::{self, Server};

const ROUNDS: usize = 15;
const TARGETS: usize = 5;

const DATA: &str = "
CREATE TABLE customers (id int PRIMARY KEY, email text, tenant int);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, tenant int, status text, total numeric, placed date);
CREATE TABLE lines (id int PRIMARY KEY, order_id int, product_id int, quantity int, price numeric, total numeric);
CREATE TABLE stock (product_id int, warehouse int, on_hand int);
INSERT INTO customers SELECT g, 'c' || g % 19990 || '@example.org', g % 7 FROM generate_series(1, 20000) g;
INSERT INTO orders SELECT g, CASE WHEN g % 9973 = 0 THEN 900000 + g ELSE g % 20000 + 1 END, g % 7,
       (ARRAY['new', 'paid', 'shipped', 'lost'])[1 + g % 4], g % 500, date '2026-01-01' + g % 300
  FROM generate_series(1, 60000) g;
INSERT INTO lines SELECT g, g % 60000 + 1, g % 900, 1 + g % 5, g % 100, (1 + g % 5) * (g % 100) + CASE WHEN g % 7919 = 0 THEN 1 ELSE 0 END
  FROM generate_series(1, 180000) g;
INSERT INTO stock SELECT g % 900, g % 4, g % 1000 - 1 FROM generate_series(1, 3600) g;
CREATE INDEX ON orders (customer_id); CREATE INDEX ON lines (order_id); ANALYZE;";

/// Twenty questions of the kinds that the packs ask.
const QUERIES: [&str; 20] = [
    "SELECT o.id FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE c.id IS NULL",
    "SELECT l.id FROM lines l LEFT JOIN orders o ON o.id = l.order_id WHERE o.id IS NULL",
    "SELECT id FROM lines WHERE total <> quantity * price",
    "SELECT email AS id, count(*) FROM customers GROUP BY email HAVING count(*) > 1",
    "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.tenant <> c.tenant AND o.id % 1000 = 0",
    "SELECT id FROM orders WHERE status NOT IN ('new', 'paid', 'shipped', 'lost')",
    "SELECT id FROM orders WHERE placed > date '2027-01-01'",
    "SELECT product_id AS id FROM stock WHERE on_hand < 0",
    "SELECT o.id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM lines l WHERE l.order_id = o.id)",
    "SELECT order_id AS id FROM lines GROUP BY order_id, product_id HAVING count(*) > 1",
    "SELECT id FROM (SELECT id, id - lag(id) OVER (ORDER BY id) AS gap FROM orders) g WHERE gap > 1",
    "SELECT id FROM lines WHERE quantity <= 0 OR price < 0",
    "SELECT product_id AS id FROM stock GROUP BY product_id, warehouse HAVING count(*) > 1",
    "SELECT o.id FROM orders o JOIN (SELECT order_id, sum(total) AS due FROM lines GROUP BY order_id) l ON l.order_id = o.id WHERE l.due < 0",
    "SELECT id FROM customers WHERE email !~ '^[^@ ]+@[^@ ]+$'",
    "SELECT id FROM orders WHERE total IS NULL OR status IS NULL",
    "SELECT a.id FROM orders a JOIN orders b ON b.customer_id = a.customer_id AND b.placed = a.placed AND b.total = a.total AND b.id > a.id WHERE a.id < 500",
    "SELECT tenant AS id FROM orders GROUP BY tenant HAVING sum(total) < 0",
    "SELECT c.relname AS id FROM pg_class c WHERE c.relkind = 'i' AND c.relname LIKE '%_ccnew'",
    "SELECT conrelid::text AS id FROM pg_constraint WHERE NOT convalidated",
];
const NOTHING: &str = "SELECT 1 AS id WHERE false";

fn main() {
    let servers: Vec<Server> = (0..TARGETS).map(|_| server::postgres()).collect();
    for server in &servers {
        server.database("shop");
        server.run("shop", DATA);
    }
    let home = desk(&servers);
    let work = home.work();
    let script = |name: &str, queries: &[&str]| {
        let path = work.join(name);
        std::fs::write(&path, queries.join(";\n") + ";\n").expect("the folder is writable");
        path
    };
    let all = script("all.sql", &QUERIES);
    let (even, odd): (Vec<_>, Vec<_>) = QUERIES.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let half = |part: Vec<(usize, &&'static str)>| {
        part.into_iter().map(|(_, query)| *query).collect::<Vec<_>>()
    };
    let (even, odd) = (script("even.sql", &half(even)), script("odd.sql", &half(odd)));
    let nothing = script("nothing.sql", &[NOTHING; 20]);
    let one = &servers[..1];

    println!("medians of {ROUNDS} rounds in turn; psql {}; {}\n", version(), program());
    println!(
        "{:<46} {:>9} {:>9} {:>7} {:>8} {:>10}",
        "", "wall ms", "cpu ms", "ratio", "RSS KiB", "psql RSS"
    );
    compare(
        "20 checks that ask nothing",
        &home,
        &["--suite", "nothing", "--target", "t0"],
        &psql(one, &[&nothing]),
    );
    compare(
        "20 checks, one connection",
        &home,
        &["--suite", "all", "--target", "t0"],
        &psql(one, &[&all]),
    );
    compare(
        "20 checks, two connections (psql: two at once)",
        &home,
        &["--suite", "all", "--target", "t0", "--connections", "2"],
        &psql(one, &[&even, &odd]),
    );
    compare(
        "100 checks on 5 targets (psql: five at once)",
        &home,
        &["--suite", "all"],
        &psql(&servers, &[&all]),
    );
}

/// A home with five targets and two suites of twenty.
fn desk(servers: &[Server]) -> Home {
    let home = Home::new();
    let mut config = "checks = [\"checks\"]\n".to_owned();
    for (n, server) in servers.iter().enumerate() {
        let url = server.url("shop");
        let _ = write!(
            config,
            "[target.t{n}]\nurl = \"{url}\"\nenvironment = \"staging\"\npacks = [\"own\"]\n"
        );
    }
    home.write("steadyhand.toml", &config);
    for (suite, queries) in [("all", QUERIES), ("nothing", [NOTHING; 20])] {
        for (n, sql) in queries.iter().enumerate() {
            let id = format!("{suite}-{n:02}");
            let text = format!(
                "id = \"{id}\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev3\"\nkey = [\"id\"]\nsuites = [\"{suite}\"]\nowner = \"o\"\n[sql]\npostgres = \"\"\"\n{sql}\n\"\"\"\n"
            );
            home.write(&format!("checks/own/{id}.toml"), &text);
        }
    }
    home
}

/// A shell that runs each script on each server, all at the same time.
fn psql(servers: &[Server], scripts: &[&PathBuf]) -> String {
    let mut line = String::new();
    for server in servers {
        for script in scripts {
            let _ = write!(
                line,
                "psql -X -q -o /dev/null -f {} '{}' & ",
                script.display(),
                server.url("shop")
            );
        }
    }
    // A shell of its own would be the greater part of nothing.
    match line.matches('&').count() {
        1 => format!("exec {}", line.trim_end_matches("& ")),
        _ => line + "wait",
    }
}

fn program() -> String {
    let built = env!("CARGO_BIN_EXE_steadyhand").to_owned();
    std::env::var("STEADYHAND_PROGRAM").unwrap_or(built)
}

fn compare(what: &str, home: &Home, arguments: &[&str], theirs: &str) {
    let program = program();
    let ours = |memory: Option<&Path>| {
        let mut words = vec![program.as_str(), "check"];
        words.extend(arguments);
        run(home, &words, memory)
    };
    let theirs = |memory: Option<&Path>| run(home, &["sh", "-c", theirs], memory);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    // The first round warms caches.
    ours(None);
    theirs(None);
    for _ in 0..ROUNDS {
        a.push(ours(None));
        b.push(theirs(None));
    }
    let (ours_rss, theirs_rss) = (peak(home, &ours), peak(home, &theirs));
    let (a, b) = (median(a), median(b));
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("{what}");
    println!("{:<46} {:>9.1} {:>9.1}", "  psql", ms(b.0), ms(b.1));
    println!(
        "{:<46} {:>9.1} {:>9.1} {:>7.2} {ours_rss:>8} {theirs_rss:>10}",
        "  steadyhand",
        ms(a.0),
        ms(a.1),
        a.0.as_secs_f64() / b.0.as_secs_f64(),
    );
}

/// Wall and processor time of a process and of what it started.
fn run(home: &Home, words: &[&str], memory: Option<&Path>) -> (Duration, Duration) {
    let mut all = Vec::new();
    if let Some(into) = memory {
        all.extend(["/usr/bin/time", "-f", "%M", "-o", into.to_str().expect("a plain path")]);
    }
    all.extend(words);
    let used = processor();
    let start = Instant::now();
    let status = Command::new(all[0])
        .args(&all[1..])
        .env_clear()
        .envs(home.environment())
        .current_dir(home.work())
        .stdout(Stdio::null())
        .status()
        .expect("it can be started");
    let wall = start.elapsed();
    let code = status.code().unwrap_or(-1);
    assert!(code == 0 || code == 1, "{words:?} ended with {code}");
    (wall, processor().saturating_sub(used))
}

/// What the children of this process have used, to the clock tick.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a process has one");
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[13..15].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

fn peak(home: &Home, run: &dyn Fn(Option<&Path>) -> (Duration, Duration)) -> String {
    let into = home.path("tmp/peak");
    run(Some(&into));
    let text = std::fs::read_to_string(into).unwrap_or_default();
    text.lines().last().unwrap_or("-").to_owned()
}

/// The median of the wall times, and the mean of the processor times, which are coarse.
fn median(mut rounds: Vec<(Duration, Duration)>) -> (Duration, Duration) {
    let cpu: Duration = rounds.iter().map(|(_, cpu)| *cpu).sum();
    rounds.sort_unstable_by_key(|(wall, _)| *wall);
    let count = u32::try_from(rounds.len()).expect("a few rounds");
    (rounds[rounds.len() / 2].0, cpu / count)
}

fn version() -> String {
    let said = Command::new("psql").arg("--version").output().expect("psql is installed");
    String::from_utf8_lossy(&said.stdout).split_whitespace().nth(2).unwrap_or("?").to_owned()
}
