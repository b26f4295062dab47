//! Every check of the packs, seen to catch its fault and to keep silent on healthy data.
//!
//! A check that is written for SQLite needs a fault here, or a reason why it has none. The table of
//! what caught what is printed: `cargo test --test packs -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::server::{Kind, Server, Setup};
use steadyhand::catalogue::Catalogue;
use steadyhand::check::{self, Check, Finding, Verdict};
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::demo::{self, scratch};
use steadyhand::dialect::Dialect;
use steadyhand::engine::{Purpose, Session};
use steadyhand::ops::{Stopper, detect};
use steadyhand::sql;
use tokio::runtime::{Builder, Runtime};

/// Checks whose fault is no SQL that one session could run.
const WITHOUT_FAULT: [(&str, &str); 10] = [
    ("connection-saturation", "other sessions: see what_concerns_the_whole_server_is_seen"),
    ("inactive-replication-slot", "the server's: see what_concerns_the_whole_server_is_seen"),
    ("log-archive-off", "the server's: see what_concerns_the_whole_server_is_seen"),
    ("replication-lag", "a replica: see what_concerns_the_whole_server_is_seen"),
    ("transaction-id-age", "10^9 transactions: see what_concerns_the_whole_server_is_seen"),
    ("file-corruption", "a damaged page: see a_damaged_page_is_seen"),
    ("long-transaction", "another session: see sessions_that_stand_in_the_way_are_measured"),
    ("slow-query", "another session: see sessions_that_stand_in_the_way_are_measured"),
    ("lock-waits", "another session: see sessions_that_stand_in_the_way_are_measured"),
    ("deadlocks", "two other sessions: see sessions_that_stand_in_the_way_are_measured"),
];

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::built_in().unwrap()
}

/// A demo whose checks are all clear.
async fn healthy(folder: &Path) -> PathBuf {
    demo::build(folder, &[]).await.unwrap();
    demo::database(folder)
}

fn sqlite(path: &Path) -> Target {
    Target::new("erp", TargetUrl::sqlite(path), Environment::Development)
}

async fn survey(target: &Target, checks: &[&Check]) -> Vec<(String, Finding)> {
    detect::survey(target, checks, &Stopper::default()).await.unwrap().findings
}

async fn inject(path: &Path, check: &Check) {
    let wait = Duration::from_secs(5);
    let mut session =
        Session::sqlite(path, Purpose::Work, wait, &Stopper::default()).await.unwrap();
    scratch::mark(&mut session).await.unwrap();
    let injected = scratch::inject(&mut session, check).await;
    injected.unwrap_or_else(|error| panic!("{}: {error}", check.id));
    session.close().await;
}

/// A place where one fault after the other can be injected into healthy data.
enum Ground {
    File { folder: tempfile::TempDir, whole: PathBuf },
    Server(Server),
}

impl Ground {
    fn new(dialect: Dialect, runtime: &Runtime) -> Self {
        let kind = match dialect {
            Dialect::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let whole = runtime.block_on(healthy(folder.path()));
                return Self::File { folder, whole };
            }
            Dialect::Postgres => Kind::Postgres,
            _ => Kind::Mariadb,
        };
        let setup = Setup::new(kind);
        let setup = match kind {
            Kind::Postgres => {
                setup.with("archive_mode", "on").with("max_prepared_transactions", "2")
            }
            Kind::Mariadb => setup.with("log-bin", "changes").with("binlog-format", "ROW"),
        };
        let setup = setup
            .with(if kind == Kind::Postgres { "max_connections" } else { "max-connections" }, "20");
        let server = setup.start();
        if kind == Kind::Postgres {
            server.run("postgres", "ALTER SYSTEM SET archive_command = 'true'");
            server.run("postgres", "SELECT pg_reload_conf()");
            server.database("whole");
            script(&server, "whole", demo::script(dialect).unwrap());
            server.run("whole", demo::STATISTICS);
        } else {
            script(&server, "mysql", demo::script(dialect).unwrap());
        }
        Self::Server(server)
    }

    fn healthy(&self) -> Target {
        match self {
            Self::File { whole, .. } => sqlite(whole),
            Self::Server(server) if server.kind() == Kind::Postgres => at(&schema(server, "whole")),
            Self::Server(server) => at(&server.url("steadyhand_demo")),
        }
    }

    /// The healthy data with the fault of one check.
    fn broken(&self, check: &Check, dialect: Dialect, runtime: &Runtime) -> Target {
        match self {
            Self::File { folder, whole } => {
                let broken = folder.path().join("broken.db");
                std::fs::copy(whole, &broken).unwrap();
                runtime.block_on(inject(&broken, check));
                sqlite(&broken)
            }
            Self::Server(_) => self.after(check, check.fault.get(dialect).unwrap(), dialect),
        }
    }

    /// The healthy data of what a check reads, after a script.
    fn after(&self, check: &Check, fault: &str, dialect: Dialect) -> Target {
        match self {
            Self::File { folder, whole } => {
                let broken = folder.path().join("broken.db");
                std::fs::copy(whole, &broken).unwrap();
                common::Sqlite::open(&broken).run(fault);
                sqlite(&broken)
            }
            Self::Server(server) if server.kind() == Kind::Postgres => {
                server.run("postgres", "DROP DATABASE IF EXISTS broken WITH (FORCE)");
                server.run("postgres", "CREATE DATABASE broken TEMPLATE whole");
                let path = "SET search_path = steadyhand_demo";
                let mut client = server.client("broken");
                client.run(path);
                for statement in sql::split(fault, dialect).unwrap() {
                    client.run(statement);
                }
                at(&schema(server, "broken"))
            }
            // No template and no DDL that a rollback takes back: only the shop is made anew.
            Self::Server(server) if check.pack != "reliability" => {
                script(server, "mysql", "DROP DATABASE IF EXISTS broken; CREATE DATABASE broken");
                script(server, "broken", ERP_BESIDE);
                script(server, "broken", include_str!("../src/demo/commerce.mariadb.sql"));
                script(server, "broken", include_str!("../src/demo/operations.mariadb.sql"));
                script(server, "broken", fault);
                at(&server.url("broken"))
            }
            Self::Server(server) => {
                script(server, "mysql", "DROP DATABASE steadyhand_demo");
                script(server, "mysql", demo::script(dialect).unwrap());
                script(server, "steadyhand_demo", fault);
                at(&server.url("steadyhand_demo"))
            }
        }
    }
}

/// What the shop's script expects of the ERP.
const ERP_BESIDE: &str = "CREATE TABLE employees (id INTEGER PRIMARY KEY, department_id INTEGER);
    CREATE TABLE projects (id INTEGER PRIMARY KEY, lead_id INTEGER)";

fn at(url: &str) -> Target {
    Target::new("erp", TargetUrl::parse(url, Path::new("")).unwrap(), Environment::Development)
}

fn schema(server: &Server, database: &str) -> String {
    format!("{}&search_path=steadyhand_demo", server.url(database))
}

/// In one transaction on PostgreSQL, as the program does it.
fn script(server: &Server, database: &str, text: &str) {
    let (dialect, whole) = match server.kind() {
        Kind::Postgres => (Dialect::Postgres, true),
        Kind::Mariadb => (Dialect::Mariadb, false),
    };
    let mut client = server.client(database);
    if whole {
        client.run("BEGIN");
    }
    for statement in sql::split(text, dialect).unwrap() {
        client.run(statement);
    }
    if whole {
        client.run("COMMIT");
    }
}

/// Healthy data is clear in every check of an engine, and each check catches its own fault.
fn every_check_catches_its_fault(dialect: Dialect) {
    let catalogue = catalogue();
    let (mut table, mut wrong) = (format!("{dialect}\n"), vec![]);
    // What the tests reach a server with waits by itself, so it stays outside.
    let runtime = runtime();
    let ground = Ground::new(dialect, &runtime);
    let checks = check::by_itself(&catalogue.checks, dialect);
    for (id, finding) in runtime.block_on(survey(&ground.healthy(), &checks)) {
        if !finding.verdict.is_clear() {
            wrong.push(format!("{id} on healthy data: {:?}", finding.verdict));
        }
    }
    for check in checks {
        if let Some((_, why)) = WITHOUT_FAULT.iter().find(|(id, _)| *id == check.id) {
            writeln!(table, "{:<34} {why}", check.id).unwrap();
            continue;
        }
        if check.fault.get(dialect).is_none() {
            wrong.push(format!("{} has no fault", check.id));
            continue;
        }
        let target = ground.broken(check, dialect, &runtime);
        let verdict = runtime.block_on(patient(&target, check));
        let found = verdict.violations().map(check::Count::number);
        writeln!(table, "{:<34} {found:?}", check.id).unwrap();
        let as_told = check.finds.is_none_or(|finds| found == Some(finds));
        if !verdict.is_violated() || !as_told {
            wrong.push(format!("{}: {verdict:?}, expected {:?}", check.id, check.finds));
        }
    }
    #[allow(clippy::print_stdout, reason = "the table is what such a run is for")]
    {
        println!("{table}");
    }
    assert!(wrong.is_empty(), "{dialect}:\n{}", wrong.join("\n"));
}

/// What the fault shows; statistics of a server may come a little later.
async fn patient(target: &Target, check: &Check) -> Verdict {
    let start = Instant::now();
    loop {
        let verdict = survey(target, &[check]).await.remove(0).1.verdict;
        let metric = matches!(check.kind, check::Kind::Metric(_));
        if !metric || verdict.is_violated() || start.elapsed() > Duration::from_secs(10) {
            return verdict;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn every_check_catches_its_fault_on_sqlite() {
    every_check_catches_its_fault(Dialect::Sqlite);
}

#[test]
fn every_check_catches_its_fault_on_postgresql() {
    every_check_catches_its_fault(Dialect::Postgres);
}

#[test]
fn every_check_catches_its_fault_on_mariadb() {
    every_check_catches_its_fault(Dialect::Mariadb);
}

#[test]
fn a_damaged_page_is_seen() {
    let (folder, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
    runtime().block_on(async {
        let path = healthy(folder.path()).await;
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 4096 / 2 * 4096;
        // The pointers to the cells of one page; the page is a page still.
        bytes[middle + 12..middle + 24].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let check = catalogue.check("file-corruption").unwrap();
        let verdict = survey(&sqlite(&path), &[check]).await.remove(0).1.verdict;
        assert!(verdict.is_violated(), "{verdict:?}");
    });
}

#[test]
fn a_check_bound_to_other_names_asks_the_same() {
    let (folder, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
    runtime().block_on(async {
        let path = healthy(folder.path()).await;
        let check = catalogue.check("order-subtotal-drift").unwrap();
        inject(&path, check).await;
        let wait = Duration::from_secs(5);
        let mut session =
            Session::sqlite(&path, Purpose::Work, wait, &Stopper::default()).await.unwrap();
        for rename in [
            "ALTER TABLE orders RENAME TO \"Sales Order\"",
            "ALTER TABLE \"Sales Order\" RENAME subtotal TO \"match\"",
        ] {
            session.execute(rename).await.unwrap();
        }
        session.close().await;
        let blind = survey(&sqlite(&path), &[check]).await.remove(0).1.verdict;
        let Verdict::Inconclusive { reason } = blind else { panic!("{blind:?}") };
        assert!(reason.contains("the table orders (role orders) is not there"), "{reason}");

        let bind = ["orders=\"Sales Order\"", "orders.subtotal=MATCH"]
            .map(|text| check::bind::argument(text).unwrap());
        let settings = check::Settings { bind: bind.to_vec(), ..check::Settings::default() };
        let bound = catalogue.clone().settled(&settings).unwrap();
        let check = bound.check("order-subtotal-drift").unwrap();
        let verdict = survey(&sqlite(&path), &[check]).await.remove(0).1.verdict;
        assert_eq!(verdict.violations().map(check::Count::number), check.finds);
    });
}

#[test]
fn the_nightly_suite_is_clear_on_a_healthy_demo_and_not_on_a_broken_one() {
    let (catalogue, runtime) = (catalogue(), runtime());
    for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb] {
        let ground = Ground::new(dialect, &runtime);
        let target = match &ground {
            Ground::File { whole, .. } => whole.display().to_string(),
            Ground::Server(server) if server.kind() == Kind::Postgres => schema(server, "whole"),
            Ground::Server(server) => server.url("steadyhand_demo"),
        };
        let nightly = |target: &str| {
            let arguments = ["check", "--suite", "nightly", "--format", "json", "--target", target];
            let done = common::Home::new().steadyhand(&arguments).output().unwrap();
            let text = String::from_utf8(done.stdout).unwrap();
            let last = text.lines().last().unwrap();
            let summary: serde_json::Value = serde_json::from_str(last).unwrap();
            (done.status.code(), summary["summary"].clone(), text)
        };
        let (code, summary, text) = nightly(&target);
        assert_eq!(code, Some(0), "{dialect}: {text}");
        assert!(summary["checks"].as_u64() >= Some(45), "{dialect}: {summary}");
        assert_eq!(summary["clear"], summary["checks"], "{dialect}: {summary}");
        let check = catalogue.check("negative-stock").unwrap();
        let broken = ground.broken(check, dialect, &runtime);
        let (code, summary, text) = nightly(&broken.url.to_string().replace("sqlite://", ""));
        assert_eq!(code, Some(2), "{dialect}: {text}");
        assert!(summary["violated"].as_u64() >= Some(2), "{dialect}: {summary}");
    }
}

#[test]
fn the_names_in_the_readme_bind_a_shop_of_other_names() {
    let readme = include_str!("../README.md");
    let (_, section) = readme.split_once("## Your names").unwrap();
    let (_, block) = section.split_once("```toml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    assert!(block.lines().count() < 10, "{block}");
    let home = common::Home::new();
    home.write("steadyhand.toml", block);
    let mut shop = common::Sqlite::create(&home.work().join("shop.db"));
    shop.run(
        "CREATE TABLE sales_order (entity_id INTEGER PRIMARY KEY, base_subtotal NUMERIC, \
         tax_amount NUMERIC, discount_amount NUMERIC, grand_total NUMERIC, status TEXT, order_date TEXT);
         INSERT INTO sales_order VALUES (1, 100, 25, 5, 120, 'paid', '2026-11-20'), \
         (2, 40, 10, 0, 51, 'lost', '2026-11-20')",
    );
    for (id, order) in [("order-total-arithmetic", "2"), ("order-illegal-state", "2")] {
        let arguments = ["check", "--check", id, "--target", "shop.db", "--format", "json"];
        let done = home.steadyhand(&arguments).output().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let found: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(found["violations"], 1, "{text}");
        assert_eq!(found["sample"][0]["order_id"], order, "{text}");
    }
}

/// What a check of a server shows.
fn verdict_of(ground: &Ground, runtime: &Runtime, check: &Check) -> Verdict {
    runtime.block_on(survey(&ground.healthy(), &[check])).remove(0).1.verdict
}

#[test]
fn what_concerns_the_whole_server_is_seen() {
    let (catalogue, runtime) = (catalogue(), runtime());
    for dialect in [Dialect::Postgres, Dialect::Mariadb] {
        let ground = Ground::new(dialect, &runtime);
        let Ground::Server(server) = &ground else { panic!("a server") };
        let until_violated = |id: &str| {
            let (check, start) = (catalogue.check(id).unwrap(), Instant::now());
            loop {
                let verdict = verdict_of(&ground, &runtime, check);
                if verdict.is_violated() {
                    return;
                }
                assert!(start.elapsed() < Duration::from_secs(20), "{dialect} {id}: {verdict:?}");
            }
        };
        let crowd: Vec<_> = (0..16).map(|_| server.client(server.home_database())).collect();
        until_violated("connection-saturation");
        drop(crowd);
        if dialect == Dialect::Mariadb {
            server.run("mysql", "SET GLOBAL binlog_row_image = 'MINIMAL'");
            until_violated("log-archive-off");
            continue;
        }
        server.run("postgres", "SELECT pg_create_physical_replication_slot('forgotten', true)");
        until_violated("inactive-replication-slot");
        let (verdict, why) = told(&ground.healthy(), "UTC", "replication-lag");
        let missed = "the replica of the slot forgotten is not connected";
        assert_eq!((verdict.as_str(), why.as_str()), ("inconclusive", missed));
        server.run("postgres", "SELECT pg_drop_replication_slot('forgotten')");
        server.run("postgres", "ALTER SYSTEM SET archive_command = ''");
        server.run("postgres", "SELECT pg_reload_conf()");
        until_violated("log-archive-off");
        server.run("postgres", "ALTER SYSTEM SET archive_command = 'false'");
        server.run("postgres", "SELECT pg_reload_conf()");
        server.run("postgres", "CREATE TABLE something (n integer)");
        server.run("postgres", "SELECT pg_switch_wal()");
        until_violated("log-archive-off");

        let mut check = catalogue.check("transaction-id-age").unwrap().clone();
        assert!(verdict_of(&ground, &runtime, &check).is_clear());
        let check::Kind::Metric(metric) = &mut check.kind else { panic!("a metric") };
        metric.critical = check::Threshold::parse(">= 0.000000001");
        assert!(verdict_of(&ground, &runtime, &check).is_violated(), "its age is counted");

        let folder = tempfile::tempdir().unwrap();
        let mut replica = Command::new("pg_receivewal")
            .args([
                "--no-loop",
                "--synchronous",
                "--status-interval=1",
                "-U",
                common::server::ADMIN,
                "-h",
            ])
            .arg(server.folder())
            .arg("-D")
            .arg(folder.path())
            .spawn()
            .unwrap();
        let connected = "SELECT 1 FROM pg_stat_replication WHERE flush_lsn IS NOT NULL";
        let (mut client, start) = (server.client("postgres"), Instant::now());
        while client.rows(connected).is_empty() {
            assert!(start.elapsed() < Duration::from_secs(20), "no replica came");
        }
        let signal = |name: &str| {
            let pid = replica.id().to_string();
            assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        };
        signal("-STOP");
        client.run(
            "CREATE TABLE bulk AS SELECT n, repeat('x', 1000) FROM generate_series(1, 30000) n",
        );
        until_violated("replication-lag");
        signal("-CONT");
        replica.kill().unwrap();
        replica.wait().unwrap();

        // What a replica received it may not show yet: a query there holds the replay up.
        let replica = server.standby();
        replica.run("postgres", "SELECT pg_wal_replay_pause()");
        client.run(
            "CREATE TABLE more AS SELECT n, repeat('x', 1000) FROM generate_series(1, 30000) n",
        );
        until_violated("replication-lag");
    }
}

/// A check of one's own, besides the built-in ones.
fn own(id: &str, more: &str, sql: &str) -> Check {
    let text = format!(
        "id = \"{id}\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev3\"\nowner = \"o\"\nkey = [\"a\"]\n{more}\n[sql]\nany = \"{sql}\"\n"
    );
    check::load::parse(&format!("{id}.toml"), "own", &text).unwrap()
}

#[test]
fn what_is_about_the_server_is_asked_of_the_primary_where_checks_read_a_replica() {
    let (catalogue, runtime) = (catalogue(), runtime());
    let here = "SELECT 1 AS a WHERE NOT pg_is_in_recovery()";
    let (data, server) =
        (own("data", "about = \"data\"", here), own("server", "about = \"server\"", here));
    let receiver = "SELECT 1 AS a FROM pg_stat_wal_receiver HAVING COUNT(*) = 0";
    let receiver = own("receiver", "", receiver);
    // Whatever way leads there: each finds something on the primary alone.
    let idle = "WHERE state = 'idle in transaction'";
    let ways = [
        format!("SELECT pid AS a FROM pg_stat_activity * {idle}"),
        format!("WITH x AS MATERIALIZED (TABLE pg_stat_activity) SELECT pid AS a FROM x {idle}"),
        format!("SELECT pid AS a FROM pg_stat_get_activity(NULL) {idle}"),
        format!("SELECT pid AS a FROM activity_of_ours {idle}"),
        format!("SELECT pid AS a FROM activity {idle}"),
        "SELECT a FROM is_primary WHERE a = 1".to_owned(),
        "SELECT last_value AS a FROM pg_sequences WHERE last_value = 1".to_owned(),
        "SELECT last_value AS a FROM drawn WHERE last_value = 1".to_owned(),
        here.to_owned(),
    ];
    let ways: Vec<Check> =
        ways.iter().enumerate().map(|(at, sql)| own(&format!("way-{at}"), "", sql)).collect();
    for kind in [Kind::Postgres, Kind::Mariadb] {
        let mut primary = Setup::new(kind).start();
        primary.database("shop");
        primary.run("shop", "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER)");
        primary.run("shop", "INSERT INTO stock VALUES (1, 1)");
        let replica = if kind == Kind::Postgres {
            primary.run("shop", "ALTER TABLE stock SET (autovacuum_enabled = false)");
            primary.run("shop", "INSERT INTO stock SELECT n, n FROM generate_series(2, 3000) n");
            primary.run("shop", "UPDATE stock SET n = n + 1");
            primary.run("shop", "CREATE SEQUENCE drawn");
            primary.run("shop", "CREATE VIEW activity AS SELECT * FROM pg_stat_activity");
            primary.run("shop", "CREATE VIEW activity_of_ours AS SELECT * FROM activity");
            let is = "CASE WHEN pg_is_in_recovery() THEN 0 ELSE 1 END";
            primary.run("shop", &format!("CREATE VIEW is_primary AS SELECT {is} AS a"));
            let replica = primary.standby();
            // Whoever draws one number logs the next 32 with it.
            primary.run("shop", "SELECT nextval('drawn')");
            let start = Instant::now();
            while replica.client("shop").rows("SELECT 1 FROM drawn WHERE last_value > 1").is_empty()
            {
                assert!(start.elapsed() < Duration::from_secs(20), "it is not logged ahead");
            }
            replica
        } else {
            let replica = Setup::new(kind).start();
            replica.database("shop");
            let lost =
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1, MASTER_USER = 'x'";
            replica.run("shop", lost);
            replica
        };
        let (mut first, mut second) = (primary.client("shop"), primary.client("shop"));
        first.run("BEGIN");
        first.run("UPDATE stock SET n = 0 WHERE id = 1");
        let waiter =
            std::thread::spawn(move || second.try_run("UPDATE stock SET n = 0 WHERE id = 1"));
        let waits = catalogue.check("lock-waits").unwrap();
        let mut target = at(&primary.url("shop"));
        let start = Instant::now();
        while !runtime.block_on(survey(&target, &[waits])).remove(0).1.verdict.is_violated() {
            assert!(start.elapsed() < Duration::from_secs(20), "nobody waits");
        }
        target.detect_url = Some(at(&replica.url("shop")).url);

        // By the command, at a glance, and as a step of a runbook.
        let home = common::Home::new();
        let config = format!(
            "[target.erp]\nurl = \"{}\"\ndetect_url = \"{}\"\nenvironment = \"staging\"\n",
            primary.url("shop"),
            replica.url("shop")
        );
        home.write("steadyhand.toml", &config);
        let arguments = ["check", "--check", "lock-waits", "--target", "erp"];
        let done = home.steadyhand(&arguments).output().unwrap();
        assert!(String::from_utf8_lossy(&done.stdout).contains("1 session"), "{kind:?}: {done:?}");
        let stopper = Stopper::default();
        let step = detect::detect(&target, waits, 5, None, &stopper);
        assert!(runtime.block_on(step).verdict.is_violated(), "{kind:?}");
        let glance = |target: &Target, check: &Check| {
            runtime.block_on(survey(target, &[check])).remove(0).1.verdict
        };
        assert!(glance(&target, waits).is_violated(), "{kind:?}");
        if kind == Kind::Postgres {
            assert!(glance(&target, catalogue.check("dead-rows").unwrap()).is_violated());
            assert!(glance(&target, &data).is_clear(), "the replica was asked");
            assert!(glance(&target, &server).is_violated(), "the primary was asked");
            assert!(glance(&target, &receiver).is_clear(), "only a replica has one");
            for way in &ways {
                assert!(glance(&target, way).is_violated(), "{:?}", way.sql.any);
            }
            // One that is looked at for its own sake has no rows to count.
            for id in ["dead-rows", "stale-statistics"] {
                let alone = glance(&at(&replica.url("shop")), catalogue.check(id).unwrap());
                let Verdict::Inconclusive { reason } = &alone else { panic!("{id} {alone:?}") };
                assert!(reason.contains("a replica counts none"), "{reason}");
            }
        }
        first.run("ROLLBACK");
        waiter.join().unwrap().unwrap();
        drop(first);
        primary.stop();
        let gone = glance(&target, waits);
        assert!(matches!(gone, Verdict::Inconclusive { .. }), "{kind:?}: {gone:?}");
    }
}

#[test]
fn sessions_that_stand_in_the_way_are_measured() {
    let catalogue = catalogue();
    let runtime = runtime();
    for dialect in [Dialect::Postgres, Dialect::Mariadb] {
        let ground = Ground::new(dialect, &runtime);
        let target = ground.healthy();
        let Ground::Server(server) = &ground else { panic!("a server") };
        let client = || {
            let postgres = dialect == Dialect::Postgres;
            let mut client = server.client(if postgres { "whole" } else { "steadyhand_demo" });
            if postgres {
                client.run("SET search_path = steadyhand_demo");
            }
            client
        };
        let measured = |id: &str| {
            let check = catalogue.check(id).unwrap();
            let verdict = runtime.block_on(survey(&target, &[check])).remove(0).1.verdict;
            verdict.reading().unwrap_or_else(|| panic!("{dialect} {id}: {verdict:?}")).number()
        };
        let until = |id: &str, least: f64| {
            let start = Instant::now();
            while measured(id) < least {
                assert!(start.elapsed() < Duration::from_secs(20), "{dialect}: {id} < {least}");
            }
        };
        let lock = |id: u32| format!("UPDATE payments SET reference = reference WHERE id = {id}");
        let sleep =
            if dialect == Dialect::Postgres { "SELECT pg_sleep(5)" } else { "SELECT SLEEP(5)" };
        let (mut first, mut second, mut slow) = (client(), client(), client());
        first.run("BEGIN");
        first.run(&lock(1));
        until("long-transaction", 1.0);
        let sleeper = std::thread::spawn(move || slow.run(sleep));
        until("slow-query", 1.0);
        let (one, two) = (lock(1), lock(2));
        let waiter = std::thread::spawn(move || {
            second.run("BEGIN");
            second.run(&two);
            let outcome = second.try_run(&one);
            let _ = second.try_run("ROLLBACK");
            outcome.is_err()
        });
        until("lock-waits", 1.0);
        // Each waits for the other now, and the server ends one of them.
        let broken = first.try_run(&lock(2)).is_err();
        first.run("ROLLBACK");
        assert!(waiter.join().unwrap() || broken, "{dialect}: nobody was a victim");
        drop(first);
        sleeper.join().unwrap();
        if dialect == Dialect::Mariadb {
            // A session elsewhere that names the database.
            let mut outside = server.client("mysql");
            let far = "SELECT SLEEP(5) FROM steadyhand_demo.payments LIMIT 1";
            let far = std::thread::spawn(move || outside.run(far));
            until("slow-query", 1.0);
            far.join().unwrap();
        } else {
            let mut one = client();
            one.run("BEGIN");
            one.run(&lock(3));
            one.run("PREPARE TRANSACTION 'forgotten'");
            drop(one);
            until("long-transaction", 1.0);
            client().run("ROLLBACK PREPARED 'forgotten'");
        }
        until("deadlocks", 1.0);
    }
}

/// What a check says of a target of that zone, as the command prints it: its verdict, and a value, a count or
/// a reason.
fn told(target: &Target, zone: &str, id: &str) -> (String, String) {
    let home = common::Home::new();
    let url = &target.url;
    home.write(
        "steadyhand.toml",
        &format!(
            "[target.erp]\nurl = \"{url}\"\nenvironment = \"staging\"\ntimezone = \"{zone}\"\n"
        ),
    );
    let arguments = ["check", "--check", id, "--target", "erp", "--format", "json"];
    let done = home.steadyhand(&arguments).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let line = text.lines().next().unwrap_or_else(|| panic!("{id}: {:?}", done.stderr));
    let said: serde_json::Value = serde_json::from_str(line).unwrap();
    let word = |name: &str| match &said[name] {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let more = word("reason").or_else(|| word("value")).or_else(|| word("violations"));
    (word("verdict").unwrap(), more.unwrap_or_default())
}

/// Where a check could be clear, or violated, over what it did not look at: what was done to healthy data, and
/// the verdict with its count, or with a part of its reason.
const TRAPS: &[(Dialect, &str, &str, &str)] = &[
    (
        Dialect::Postgres,
        "id-exhaustion",
        "CREATE SEQUENCE down INCREMENT -1; SELECT nextval('down'); SELECT nextval('down')",
        "clear",
    ),
    (
        Dialect::Postgres,
        "id-exhaustion",
        "CREATE SEQUENCE down INCREMENT -1 MINVALUE -100; SELECT setval('down', -97)",
        "violated 0.96",
    ),
    (
        Dialect::Postgres,
        "sequence-behind",
        "ALTER SEQUENCE timesheets_id_seq RENAME TO \"Next\"; SELECT setval('\"Next\"', 20000)",
        "violated 41",
    ),
    (
        Dialect::Postgres,
        "sequence-behind",
        "ALTER TABLE audit_log ALTER id RESTART WITH 30000",
        "clear",
    ),
    (
        Dialect::Postgres,
        "sequence-behind",
        "ALTER SEQUENCE timesheets_id_seq START 30000; SELECT setval('timesheets_id_seq', (SELECT max(id) - 6 FROM timesheets), false)",
        "violated 7",
    ),
    (
        Dialect::Postgres,
        "sequence-behind",
        "TRUNCATE approvals; ALTER TABLE approvals ALTER id RESTART WITH 1",
        "clear",
    ),
    (
        Dialect::Postgres,
        "id-exhaustion",
        "CREATE TABLE tickets (id smallserial); SELECT setval('tickets_id_seq', 32000, false)",
        "violated 0.9766",
    ),
    (
        Dialect::Postgres,
        "sequence-behind",
        "ALTER TABLE approvals ALTER id DROP IDENTITY",
        "inconclusive approvals.id draws from no sequence",
    ),
    (
        Dialect::Postgres,
        "job-overdue",
        "ALTER TABLE jobs ALTER last_success DROP NOT NULL; UPDATE jobs SET last_success = NULL WHERE job = 'log-shipping'",
        "violated 1",
    ),
    (
        Dialect::Mariadb,
        "job-overdue",
        "ALTER TABLE jobs MODIFY last_success DATETIME; UPDATE jobs SET last_success = NULL WHERE job = 'log-shipping'",
        "violated 1",
    ),
    (
        Dialect::Sqlite,
        "job-overdue",
        "CREATE TABLE loose AS SELECT * FROM jobs; DROP TABLE jobs; ALTER TABLE loose RENAME TO jobs;
         UPDATE jobs SET last_success = NULL WHERE job = 'log-shipping'",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "migration-unfinished",
        "ALTER TABLE schema_migrations ALTER state DROP NOT NULL; UPDATE schema_migrations SET state = NULL WHERE version = '0042'",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "credential-cross-tenant",
        "ALTER TABLE customers ALTER tenant_id DROP NOT NULL; UPDATE customers SET tenant_id = NULL",
        "violated",
    ),
    (
        Dialect::Sqlite,
        "duplicate-index",
        "CREATE INDEX a ON customers (full_name); CREATE INDEX b ON customers (full_name COLLATE NOCASE);
         CREATE INDEX c ON customers (full_name DESC); CREATE INDEX d ON customers (lower(email), full_name);
         CREATE INDEX e ON customers (upper(email), full_name)",
        "clear",
    ),
    (
        Dialect::Mariadb,
        "duplicate-index",
        "CREATE INDEX a ON customers (full_name); CREATE FULLTEXT INDEX b ON customers (full_name);
         CREATE INDEX c ON customers (full_name DESC)",
        "clear",
    ),
    (
        Dialect::Sqlite,
        "critical-index-missing",
        "DROP INDEX ix_orders_customer; CREATE INDEX open_ones ON orders (customer_id) WHERE status = 'open';
         DROP INDEX ix_stock_movements_product; CREATE INDEX b ON stock_movements (abs(quantity), product_id, warehouse)",
        "violated 2",
    ),
    (
        Dialect::Postgres,
        "critical-index-missing",
        "DROP INDEX ix_orders_status; CREATE INDEX ON orders (status) INCLUDE (order_date);
         DROP INDEX ix_stock_movements_product; CREATE INDEX ON stock_movements (abs(quantity), product_id, warehouse);
         DROP INDEX ix_orders_customer; CREATE INDEX ON orders (customer_id, abs(total))",
        "violated 2",
    ),
    (
        Dialect::Mariadb,
        "critical-index-missing",
        "DROP INDEX ix_orders_status ON orders; CREATE INDEX beginnings ON orders (status(2), order_date)",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "foreign-key-without-index",
        "CREATE TABLE parent (a integer, b integer, PRIMARY KEY (a, b));
         CREATE TABLE child (id integer PRIMARY KEY, a integer, b integer, FOREIGN KEY (a, b) REFERENCES parent);
         CREATE INDEX ON child (a) INCLUDE (b)",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "tenant-rls-missing",
        "DROP TABLE webauthn_credentials CASCADE",
        "inconclusive the table webauthn_credentials is not there",
    ),
    (
        Dialect::Postgres,
        "audit-trigger-missing",
        "ALTER TABLE approvals ENABLE REPLICA TRIGGER approvals_audit",
        "violated 3",
    ),
    (
        Dialect::Postgres,
        "audit-trigger-missing",
        "DROP TRIGGER timesheets_audit ON timesheets; CREATE TRIGGER timesheets_audit
         AFTER INSERT OR DELETE OR UPDATE OF status ON timesheets FOR EACH ROW EXECUTE FUNCTION write_audit_log()",
        "violated 1",
    ),
    (
        Dialect::Sqlite,
        "audit-trigger-missing",
        "DROP TRIGGER timesheets_audit_update; CREATE TRIGGER timesheets_audit_update AFTER UPDATE OF status ON timesheets
         BEGIN INSERT INTO audit_log (table_name, row_id, action, changed_at) VALUES ('timesheets', NEW.id, 'update', 'now'); END",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "partition-age",
        "DROP TABLE audit_events CASCADE; CREATE TABLE parts (id integer) PARTITION BY HASH (id);
         CREATE TABLE part PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "clear 0",
    ),
    (
        Dialect::Mariadb,
        "partition-age",
        "CREATE TABLE old (day DATE) PARTITION BY RANGE (TO_DAYS(day)) (PARTITION p VALUES LESS THAN (TO_DAYS('2024-04-01')))",
        "violated",
    ),
    (
        Dialect::Mariadb,
        "partition-age",
        "CREATE TABLE old (day DATE) PARTITION BY RANGE (YEAR(day)) (PARTITION p VALUES LESS THAN (2024))",
        "violated",
    ),
    (
        Dialect::Mariadb,
        "partition-age",
        "CREATE TABLE old (day DATE) PARTITION BY RANGE (YEAR(day) * 100 + MONTH(day)) (PARTITION p VALUES LESS THAN (202404))",
        "inconclusive no day can be read from the partitions of old by year(`day`) * 100 + month(`day`)",
    ),
    (
        Dialect::Mariadb,
        "partition-age",
        "ALTER TABLE audit_events REMOVE PARTITIONING;
         CREATE TABLE numbers (id INTEGER) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (2024))",
        "clear 0",
    ),
    (
        Dialect::Sqlite,
        "recovery-point",
        "UPDATE backup_runs SET finished_at = datetime('now', '20 minutes') WHERE outcome = 'ok'",
        "inconclusive the newest time lies in the future",
    ),
    (
        Dialect::Postgres,
        "recovery-point",
        "UPDATE backup_runs SET finished_at = timezone('UTC', now()) + interval '20 minutes' WHERE outcome = 'ok'",
        "inconclusive the newest time lies in the future",
    ),
    (
        Dialect::Mariadb,
        "recovery-point",
        "UPDATE backup_runs SET finished_at = UTC_TIMESTAMP() + INTERVAL 20 MINUTE WHERE outcome = 'ok'",
        "inconclusive the newest time lies in the future",
    ),
    (
        Dialect::Sqlite,
        "backup-age",
        "UPDATE backup_runs SET finished_at = 1690000000 WHERE id = 10",
        "inconclusive times that cannot be read: 1;",
    ),
    (
        Dialect::Sqlite,
        "recovery-point",
        "UPDATE backup_runs SET finished_at = datetime('now', '-940 seconds') WHERE outcome = 'ok'",
        "violated 15.",
    ),
    (
        Dialect::Postgres,
        "recovery-point",
        "UPDATE backup_runs SET finished_at = timezone('UTC', now()) - interval '940 seconds' WHERE outcome = 'ok'",
        "violated 15.",
    ),
    (
        Dialect::Mariadb,
        "recovery-point",
        "UPDATE backup_runs SET finished_at = UTC_TIMESTAMP() - INTERVAL 940 SECOND WHERE outcome = 'ok'",
        "violated 15.",
    ),
    (
        Dialect::Sqlite,
        "job-overdue",
        "UPDATE jobs SET last_success = datetime('now', '20 minutes') WHERE job = 'log-shipping';
         UPDATE jobs SET last_success = '01.02.2023 10:00' WHERE job = 'integrity-checks'",
        "violated 2",
    ),
    (
        Dialect::Postgres,
        "job-overdue",
        "UPDATE jobs SET last_success = timezone('UTC', now()) + interval '20 minutes' WHERE job = 'log-shipping';
         ALTER TABLE jobs ALTER every_minutes DROP NOT NULL; UPDATE jobs SET every_minutes = NULL WHERE job = 'integrity-checks'",
        "violated 2",
    ),
    (
        Dialect::Mariadb,
        "job-overdue",
        "UPDATE jobs SET last_success = UTC_TIMESTAMP() + INTERVAL 20 MINUTE WHERE job = 'log-shipping'",
        "violated 1",
    ),
    (
        Dialect::Sqlite,
        "order-line-total",
        "CREATE TABLE loose AS SELECT * FROM order_lines; DROP TABLE order_lines; ALTER TABLE loose RENAME TO order_lines; UPDATE order_lines SET quantity = NULL WHERE id = 1001",
        "violated 1",
    ),
    (
        Dialect::Sqlite,
        "duplicate-payment",
        "INSERT INTO payments (id, order_id, reference, amount, currency, paid_on) SELECT id + 5000, order_id, 'PAY-RETRY', amount, currency, paid_on || ' 10:00:03' FROM payments WHERE order_id = 12",
        "violated 1",
    ),
    (
        Dialect::Sqlite,
        "stock-movement-drift",
        "INSERT INTO stock_levels (product_id, warehouse, on_hand, reserved) VALUES (63, 9, 0.3, 0); INSERT INTO stock_movements (id, product_id, warehouse, quantity, source_type, source_id, moved_on) VALUES (90001, 63, 9, 0.1, 'count', NULL, '2026-11-18'), (90002, 63, 9, 0.2, 'count', NULL, '2026-11-18')",
        "clear",
    ),
    (
        Dialect::Sqlite,
        "reservation-drift",
        "PRAGMA foreign_keys = OFF; DELETE FROM stock_levels WHERE reserved > 0 AND product_id = (SELECT MIN(product_id) FROM (SELECT product_id FROM stock_levels WHERE reserved > 0) s)",
        "violated",
    ),
    (
        Dialect::Sqlite,
        "category-cycle",
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 70) INSERT INTO categories (id, title, parent_id) SELECT 1000 + n, 'c', NULL FROM n; UPDATE categories SET parent_id = CASE id WHEN 1070 THEN 1001 ELSE id + 1 END WHERE id > 1000",
        "violated 70",
    ),
    (
        Dialect::Sqlite,
        "critical-index-missing",
        "DROP INDEX ux_orders_number; CREATE INDEX ux_orders_number ON orders (tenant_id, number)",
        "violated 1",
    ),
    (
        Dialect::Sqlite,
        "backup-failed",
        "UPDATE backup_runs SET outcome = 'error' WHERE id = 10",
        "violated 1",
    ),
    (
        Dialect::Sqlite,
        "backup-shrunk",
        "UPDATE backup_runs SET bytes = 12000 WHERE id = 7",
        "clear",
    ),
    (
        Dialect::Postgres,
        "order-line-total",
        "ALTER TABLE order_lines ALTER quantity DROP NOT NULL; UPDATE order_lines SET quantity = NULL WHERE id = 1001",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "order-currency-mix",
        "ALTER TABLE orders ALTER currency DROP NOT NULL; UPDATE orders SET currency = NULL WHERE id = 74",
        "violated",
    ),
    (
        Dialect::Postgres,
        "duplicate-payment",
        "ALTER TABLE payments ALTER paid_on TYPE timestamp; INSERT INTO payments (id, order_id, reference, amount, currency, paid_on) SELECT id + 5000, order_id, 'PAY-RETRY', amount, currency, paid_on + interval '3 seconds' FROM payments WHERE order_id = 12",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "malformed-email",
        "ALTER TABLE customers ALTER email DROP NOT NULL; UPDATE customers SET email = NULL WHERE id IN (11, 12); ALTER TABLE customers ALTER email TYPE char(200)",
        "clear",
    ),
    (
        Dialect::Postgres,
        "duplicate-customer",
        "ALTER TABLE customers ALTER email DROP NOT NULL; UPDATE customers SET email = NULL WHERE id IN (11, 14, 17)",
        "clear",
    ),
    (
        Dialect::Postgres,
        "table-missing",
        "DROP TABLE customer_totals CASCADE; CREATE VIEW customer_totals AS SELECT 1 AS customer_id",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "reservation-drift",
        "DELETE FROM stock_levels WHERE reserved > 0 AND product_id = (SELECT MIN(product_id) FROM (SELECT product_id FROM stock_levels WHERE reserved > 0) s)",
        "violated",
    ),
    (
        Dialect::Postgres,
        "category-cycle",
        "INSERT INTO categories (id, title, parent_id) SELECT 1000 + n, 'c', NULL FROM generate_series(1, 70) n; UPDATE categories SET parent_id = CASE id WHEN 1070 THEN 1001 ELSE id + 1 END WHERE id > 1000",
        "violated 70",
    ),
    (
        Dialect::Postgres,
        "critical-index-missing",
        "DROP INDEX ux_orders_number; CREATE INDEX ux_orders_number ON orders (tenant_id, number)",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "backup-failed",
        "UPDATE backup_runs SET outcome = 'error' WHERE id = 10",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "backup-shrunk",
        "UPDATE backup_runs SET bytes = 12000 WHERE id = 7",
        "clear",
    ),
    (
        Dialect::Mariadb,
        "order-line-total",
        "ALTER TABLE order_lines MODIFY quantity INTEGER; UPDATE order_lines SET quantity = NULL WHERE id = 1001",
        "violated 1",
    ),
    (
        Dialect::Mariadb,
        "duplicate-payment",
        "ALTER TABLE payments MODIFY paid_on DATETIME; INSERT INTO payments (id, order_id, reference, amount, currency, paid_on) SELECT id + 5000, order_id, 'PAY-RETRY', amount, currency, paid_on + INTERVAL 3 SECOND FROM payments WHERE order_id = 12",
        "violated 1",
    ),
    (
        Dialect::Mariadb,
        "table-missing",
        "DROP TABLE customer_totals; CREATE VIEW customer_totals AS SELECT 1 AS customer_id",
        "violated 1",
    ),
    (
        Dialect::Mariadb,
        "duplicate-customer",
        "ALTER TABLE customers MODIFY email VARCHAR(200); UPDATE customers SET email = NULL WHERE id IN (11, 14, 17)",
        "clear",
    ),
    (
        Dialect::Mariadb,
        "reservation-drift",
        "DELETE FROM stock_levels WHERE reserved > 0 AND product_id = (SELECT MIN(product_id) FROM (SELECT product_id FROM stock_levels WHERE reserved > 0) s)",
        "violated",
    ),
    (
        Dialect::Mariadb,
        "category-cycle",
        "INSERT INTO categories (id, title, parent_id) SELECT 1000 + seq, 'c', NULL FROM seq_1_to_70; UPDATE categories SET parent_id = CASE id WHEN 1070 THEN 1001 ELSE id + 1 END WHERE id > 1000",
        "violated 70",
    ),
    (
        Dialect::Mariadb,
        "critical-index-missing",
        "CREATE INDEX for_its_key ON orders (tenant_id); DROP INDEX ux_orders_number ON orders; CREATE INDEX ux_orders_number ON orders (tenant_id, number)",
        "violated 1",
    ),
    (
        Dialect::Mariadb,
        "backup-failed",
        "UPDATE backup_runs SET outcome = 'error' WHERE id = 10",
        "violated 1",
    ),
    (
        Dialect::Mariadb,
        "backup-shrunk",
        "UPDATE backup_runs SET bytes = 12000 WHERE id = 7",
        "clear",
    ),
    (
        Dialect::Sqlite,
        "audit-trigger-missing",
        "DROP TRIGGER timesheets_audit_delete; CREATE TRIGGER timesheets_audit_delete AFTER   DELETE
 ON timesheets BEGIN INSERT INTO audit_log (table_name, row_id, action, changed_at) VALUES ('timesheets', OLD.id, 'delete', 'now'); END",
        "clear",
    ),
    (
        Dialect::Postgres,
        "id-exhaustion",
        "CREATE SEQUENCE of_all; CREATE TABLE invoices (id integer PRIMARY KEY DEFAULT nextval('of_all')); SELECT setval('of_all', 2147483640)",
        "violated 1.0",
    ),
    (
        Dialect::Postgres,
        "duplicate-index",
        "CREATE TABLE a (x integer NOT NULL); CREATE UNIQUE INDEX a1 ON a (x); CREATE UNIQUE INDEX a2 ON a (x); ALTER TABLE a REPLICA IDENTITY USING INDEX a2; DROP INDEX a1;
         CREATE UNIQUE INDEX customers_once ON customers (id) INCLUDE (email); CREATE TABLE c (x integer); CREATE UNIQUE INDEX c1 ON c (x); CREATE UNIQUE INDEX c2 ON c (x) NULLS NOT DISTINCT",
        "clear",
    ),
    (
        Dialect::Postgres,
        "public-may-write",
        "GRANT UPDATE (amount) ON payments TO PUBLIC",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "open-policy",
        "CREATE POLICY again ON webauthn_credentials USING (1 = 1)",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "unvalidated-constraint",
        "CREATE DOMAIN positive AS integer; ALTER DOMAIN positive ADD CONSTRAINT positive_only CHECK (value > 0) NOT VALID",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "foreign-owner",
        "ALTER SCHEMA steadyhand_demo RENAME TO elsewhere",
        "violated 1",
    ),
    (
        Dialect::Mariadb,
        "id-exhaustion",
        "CREATE SEQUENCE numbers MAXVALUE 1000",
        "inconclusive how far the sequence numbers is",
    ),
    (
        Dialect::Mariadb,
        "table-without-primary-key",
        "CREATE TABLE kept (a INTEGER) WITH SYSTEM VERSIONING",
        "violated 1",
    ),
    (
        Dialect::Mariadb,
        "non-transactional-table",
        "CREATE TABLE kept (a INTEGER PRIMARY KEY) ENGINE = Aria WITH SYSTEM VERSIONING",
        "violated 1",
    ),
    (
        Dialect::Postgres,
        "partition-ahead",
        "DROP TABLE audit_events CASCADE; CREATE TABLE audit_events (day date) PARTITION BY RANGE (day);
         DO $$ DECLARE d date := current_date - 42; BEGIN WHILE d < current_date + 105 LOOP EXECUTE format(
         'CREATE TABLE week_%s PARTITION OF audit_events FOR VALUES FROM (%L) TO (%L)', to_char(d, 'YYYYMMDD'), d, d + 7);
         d := d + 7; END LOOP; END $$",
        "clear",
    ),
    (
        Dialect::Mariadb,
        "partition-ahead",
        "DROP TABLE audit_events; SET @m = DATE(DATE_FORMAT(CURDATE(), '%Y-%m-01'));
         SET @ddl = CONCAT('CREATE TABLE audit_events (day DATE) PARTITION BY RANGE (TO_DAYS(day)) (PARTITION a VALUES LESS THAN (',
         TO_DAYS(@m), '), PARTITION b VALUES LESS THAN (', TO_DAYS(@m + INTERVAL 1 MONTH), '), PARTITION c VALUES LESS THAN (',
         TO_DAYS(@m + INTERVAL 2 MONTH), '), PARTITION d VALUES LESS THAN (', TO_DAYS(@m + INTERVAL 3 MONTH), '))');
         PREPARE ddl FROM @ddl; EXECUTE ddl",
        "clear",
    ),
];

#[test]
fn no_check_judges_what_it_did_not_look_at() {
    let (catalogue, runtime) = (catalogue(), runtime());
    let mut wrong = vec![];
    for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb] {
        let ground = Ground::new(dialect, &runtime);
        for (_, id, done, expected) in TRAPS.iter().filter(|trap| trap.0 == dialect) {
            let target = ground.after(catalogue.check(id).unwrap(), done, dialect);
            let (verdict, more) = told(&target, "UTC", id);
            let (word, part) = expected.split_once(' ').unwrap_or((expected, ""));
            if verdict != word || !more.starts_with(part) {
                wrong.push(format!("{dialect} {id}: {verdict} {more}, expected {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_age_is_the_same_in_every_time_zone_and_for_every_type_of_time() {
    let (catalogue, runtime) = (catalogue(), runtime());
    // The job runs every four hours, so that it is overdue by an hour.
    let late = [
        (
            Dialect::Postgres,
            "UPDATE jobs SET last_success = timezone('UTC', now()) - interval '9 hours' WHERE job = 'log-shipping'",
            "SET timezone = 'UTC'; ALTER TABLE jobs ALTER last_success TYPE timestamptz;
             ALTER TABLE backup_runs ALTER finished_at TYPE timestamptz, ALTER restored_at TYPE timestamptz",
        ),
        (
            Dialect::Mariadb,
            "UPDATE jobs SET last_success = UTC_TIMESTAMP() - INTERVAL 9 HOUR WHERE job = 'log-shipping'",
            "SET time_zone = '+00:00'; ALTER TABLE jobs MODIFY last_success TIMESTAMP NULL;
             ALTER TABLE backup_runs MODIFY finished_at TIMESTAMP NULL, MODIFY restored_at TIMESTAMP NULL",
        ),
    ];
    for (dialect, late, with_zone) in late {
        let ground = Ground::new(dialect, &runtime);
        let Ground::Server(server) = &ground else { panic!("a server") };
        let check = catalogue.check("job-overdue").unwrap();
        for script in [late.to_owned(), format!("{late}; {with_zone}")] {
            let target = ground.after(check, &script, dialect);
            for (zone, offset) in
                [("UTC", "+00:00"), ("Asia/Tokyo", "+09:00"), ("Pacific/Honolulu", "-10:00")]
            {
                if dialect == Dialect::Mariadb {
                    // What it takes where its tables of zones are empty.
                    server.run("mysql", &format!("SET GLOBAL time_zone = '{offset}'"));
                }
                let seen = |id: &str| told(&target, zone, id);
                let at = format!("{dialect}, {zone}, {script}");
                assert_eq!(seen("job-overdue"), ("violated".into(), "1".into()), "{at}");
                for (id, from, to) in [
                    ("recovery-point", 0.0, 9.0),
                    ("backup-age", 1.0, 2.0),
                    ("restore-test-age", 4.0, 5.0),
                ] {
                    let (verdict, value) = seen(id);
                    let within = (from..=to).contains(&value.parse::<f64>().unwrap());
                    assert!(verdict == "clear" && within, "{id} {verdict} {value}: {at}");
                }
            }
        }
        if dialect == Dialect::Mariadb {
            let mut open = server.client("steadyhand_demo");
            open.run("BEGIN");
            open.run("UPDATE payments SET reference = reference WHERE id = 1");
            for offset in ["+09:00", "-10:00"] {
                server.run("mysql", &format!("SET GLOBAL time_zone = '{offset}'"));
                let (verdict, age) = told(&ground.healthy(), "Asia/Tokyo", "long-transaction");
                let age: i64 = age.parse().unwrap();
                assert!(verdict == "clear" && (0..300).contains(&age), "{verdict} {age}");
            }
        }
    }
}

#[test]
fn what_takes_a_needless_index_away_runs_and_leaves_the_other() {
    let server = common::server::postgres();
    let url = server.database("shop");
    for statement in [
        "CREATE TABLE published (x integer NOT NULL)",
        "CREATE UNIQUE INDEX published_1 ON published (x)",
        "CREATE UNIQUE INDEX published_2 ON published (x)",
        "ALTER TABLE published REPLICA IDENTITY USING INDEX published_2",
        "CREATE TABLE whole (id integer) PARTITION BY RANGE (id)",
        "CREATE TABLE half PARTITION OF whole FOR VALUES FROM (0) TO (10)",
        "CREATE INDEX whole_1 ON whole (id)",
        "CREATE INDEX whole_2 ON whole (id)",
        "CREATE TABLE keyed (a integer PRIMARY KEY)",
        "ALTER TABLE keyed ADD CONSTRAINT again UNIQUE (a)",
    ] {
        server.run("shop", statement);
    }
    let (catalogue, runtime) = (catalogue(), runtime());
    let check = catalogue.check("duplicate-index").unwrap();
    let found = runtime.block_on(survey(&at(&url), &[check])).remove(0).1;
    let column = found.rows.column(check::REMEDIATION).unwrap();
    let ddl: Vec<String> =
        (0..found.rows.len()).map(|row| found.rows.get(row, column).plain().unwrap()).collect();
    let expected = [
        "ALTER TABLE keyed DROP CONSTRAINT again",
        "DROP INDEX CONCURRENTLY published_1",
        "DROP INDEX whole_2",
    ];
    assert_eq!(ddl, expected);
    for statement in &ddl {
        server.run("shop", statement);
    }
    let after = runtime.block_on(survey(&at(&url), &[check])).remove(0).1.verdict;
    assert!(after.is_clear(), "{after:?}");
}

#[test]
fn a_table_in_another_database_keeps_the_type_of_its_times() {
    let server = common::server::mariadb();
    server.database("shop");
    server.database("ops");
    server.run(
        "ops",
        "CREATE TABLE runs (id INTEGER, kind VARCHAR(20), finished_at TIMESTAMP NULL, outcome VARCHAR(20))",
    );
    server.run("ops", "INSERT INTO runs VALUES (1, 'full', NOW() - INTERVAL 60 MINUTE, 'ok')");
    server.run("mysql", "SET GLOBAL time_zone = '+09:00'");
    let home = common::Home::new();
    let config = format!(
        "[bind.backups]\ntable = \"ops.runs\"\n[target.erp]\nurl = \"{}\"\nenvironment = \"staging\"\ntimezone = \"Asia/Tokyo\"\n",
        server.url("shop")
    );
    home.write("steadyhand.toml", &config);
    let arguments = ["check", "--check", "recovery-point", "--target", "erp", "--format", "json"];
    let done = home.steadyhand(&arguments).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let said: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let minutes: f64 = said["value"].as_str().unwrap().parse().unwrap();
    assert!((60.0..62.0).contains(&minutes), "{text}");
}

#[test]
fn the_role_of_the_detector_is_enough_for_every_check_and_one_without_rights_is_blind() {
    let (catalogue, runtime) = (catalogue(), runtime());
    for dialect in [Dialect::Postgres, Dialect::Mariadb] {
        let ground = Ground::new(dialect, &runtime);
        let Ground::Server(server) = &ground else { panic!("a server") };
        let postgres = dialect == Dialect::Postgres;
        let database = if postgres { "whole" } else { "steadyhand_demo" };
        let grants = |more: &[&str]| {
            let engine = dialect.key();
            let all =
                [&["grants", "--engine", engine, "--schema", "steadyhand_demo"], more].concat();
            let done = common::Home::new().steadyhand(&all).output().unwrap();
            assert!(done.status.success(), "{done:?}");
            let text = String::from_utf8(done.stdout).unwrap();
            let (passed, said) = server.client_says(database, &text);
            assert!(passed, "{said}");
        };
        grants(&[]);
        server.role("checks", None);
        server.run(database, "GRANT steadyhand_detector TO checks");
        if !postgres {
            server.run(database, "SET DEFAULT ROLE steadyhand_detector FOR checks");
        }
        let url = server.url_as("checks", database);
        let mine = at(&if postgres { format!("{url}&search_path=steadyhand_demo") } else { url });
        let checks = check::by_itself(&catalogue.checks, dialect);
        for (id, finding) in runtime.block_on(survey(&mine, &checks)) {
            // Its policies are for tenants.
            let hidden = format!("{:?}", finding.verdict).contains("row-level security");
            let blind = postgres && hidden && id.starts_with("credential-");
            assert!(blind || finding.verdict.is_clear(), "{dialect} {id}: {:?}", finding.verdict);
        }
        let blind = |id: &str, why: &str| {
            let (verdict, reason) = told(&mine, "UTC", id);
            assert!(verdict == "inconclusive" && reason.contains(why), "{id} {verdict} {reason}");
        };
        if postgres {
            grants(&["--self-test"]);
            // What came after the grants says which one it needs.
            server
                .run(database, "CREATE TABLE steadyhand_demo.tickets (id smallserial PRIMARY KEY)");
            server.run(database, "SELECT setval('steadyhand_demo.tickets_id_seq', 32000)");
            blind("id-exhaustion", "GRANT SELECT ON SEQUENCE steadyhand_demo.tickets_id_seq");
            grants(&[]);
            let (verdict, _) = told(&mine, "UTC", "id-exhaustion");
            assert_eq!(verdict, "violated");
            let sequence = "ON SEQUENCE steadyhand_demo.timesheets_id_seq";
            server.run(database, &format!("REVOKE ALL {sequence} FROM steadyhand_detector"));
            blind("sequence-behind", &format!("GRANT SELECT {sequence}"));
        } else {
            server.run(database, "REVOKE PROCESS ON *.* FROM steadyhand_detector");
            for id in ["slow-query", "lock-waits", "long-transaction"] {
                blind(id, "PROCESS");
            }
        }
    }
}
