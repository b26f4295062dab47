//! A database, what leads to it, and what looks at it from beside.

use std::time::{Duration, Instant};

use steadyhand::dialect::Dialect;

use super::plan::Work;
use crate::common::proxy::{Proxy, Upstream};
use crate::common::server::{ADMIN, Kind, Server, Setup};
use crate::common::{Client, Home, Sqlite};

/// How long the server may take to be rid of our sessions, where it hears of their end.
const FAREWELL: Duration = Duration::from_secs(20);
/// How long anything may stay locked where nobody hears anything: the cap of a run and what servers get
/// beyond it, which is at least a minute on `MariaDB`.
const BUDGET: Duration = Duration::from_secs(75);

const CHECK: &str = r#"
id       = "negative-stock"
title    = "Negative stock"
rule     = "No stock is below zero."
severity = "sev2"
key      = ["id"]
owner    = "it"
[sql]
any = "SELECT id, n FROM stock WHERE n < 0 ORDER BY id"
"#;

const RUNBOOK: &str = r#"
id       = "refill"
title    = "Refill"
summary  = "Stock below zero is raised."
severity = "sev2"
owner    = "it"

[[step]]
id       = "count"
kind     = "check"
stage    = "validate"
title    = "How many"
check    = "negative-stock"
expect   = "any"

[[step]]
id       = "refill"
kind     = "change"
stage    = "recover"
title    = "Refill what is below zero"
risk     = "low"
cures    = ["negative-stock"]
[[step.statement]]
note = "Raise it"
any  = "UPDATE stock SET n = n + 1000 WHERE WHICH"
[step.limits]
max_rows  = 100
time_cap  = "5s"
lock_wait = "2s"
"#;

const CHUNKS: &str = r#"
[step.chunks]
key  = "id"
size = 4
most = 4
[step.chunks.keys]
any = "SELECT id FROM stock WHERE n < 0 ORDER BY id"
"#;

fn runbook(work: Work) -> String {
    if work.is_in_chunks() {
        // Of a row that was raised twice, which its predicate would not show, the sum tells.
        RUNBOOK.replace("WHICH", "id IN (:chunk)") + CHUNKS
    } else {
        RUNBOOK.replace("WHICH", "n < 0")
    }
}

const ROWS: i64 = 24;
/// Rows that the change writes itself; the trigger writes one for each.
pub const WRONG: i64 = 12;
pub const CHUNK: i64 = 4;

/// What is there, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub wrong: i64,
    /// Of all stock: a row that was raised twice shows in it.
    pub sum: i64,
    /// Rows of the trigger.
    pub moved: i64,
    pub ledger: i64,
}

pub struct Ground {
    pub dialect: Dialect,
    pub server: Option<Server>,
    /// What answers after a failover: the same tables, another server.
    pub spare: Option<Server>,
    pub proxy: Option<Proxy>,
}

impl Ground {
    pub fn new(dialect: Dialect) -> Self {
        let kind = match dialect {
            Dialect::Sqlite => return Self { dialect, server: None, spare: None, proxy: None },
            Dialect::Postgres => Kind::Postgres,
            _ => Kind::Mariadb,
        };
        let start = || {
            // What a power cut takes back must not be what was told to be committed.
            let setup = Setup::new(kind).tcp();
            let server = match kind {
                Kind::Postgres => setup.with("fsync", "on").with("synchronous_commit", "on"),
                Kind::Mariadb => setup.with("innodb-flush-log-at-trx-commit", "1"),
            }
            .start();
            server.database("erp");
            server
        };
        let (server, mut spare) = (start(), start());
        if kind == Kind::Postgres {
            spare.take_over();
        }
        let proxy = Proxy::before(Upstream::Tcp(server.port()));
        Self { dialect, server: Some(server), spare: Some(spare), proxy: Some(proxy) }
    }

    fn script(&self) -> Vec<String> {
        let auto = match self.dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => "GENERATED ALWAYS AS IDENTITY",
            _ => "AUTO_INCREMENT",
        };
        let trigger: &[&str] = match self.dialect {
            Dialect::Sqlite => &[
                "CREATE TRIGGER noted AFTER UPDATE ON stock BEGIN INSERT INTO moved (stock, was) VALUES (old.id, old.n); END",
            ],
            Dialect::Postgres => &[
                "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO moved (stock, was) VALUES (OLD.id, OLD.n); RETURN NEW; END'",
                "CREATE TRIGGER noted AFTER UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION note()",
            ],
            _ => &[
                "CREATE TRIGGER noted AFTER UPDATE ON stock FOR EACH ROW INSERT INTO moved (stock, was) VALUES (OLD.id, OLD.n)",
            ],
        };
        let mut script: Vec<String> = ["stock", "moved", "steadyhand_ledger"]
            .iter()
            .map(|table| format!("DROP TABLE IF EXISTS {table}"))
            .collect();
        script.push("CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)".into());
        script.push(format!(
            "CREATE TABLE moved (stock INTEGER NOT NULL, was INTEGER NOT NULL, seq INTEGER PRIMARY KEY {auto})"
        ));
        let rows: Vec<String> = (1..=ROWS)
            .map(|id| format!("({id}, {})", if id % 2 == 0 { -id } else { id }))
            .collect();
        script.push(format!("INSERT INTO stock VALUES {}", rows.join(", ")));
        script.extend(trigger.iter().map(|one| (*one).to_owned()));
        script
    }

    /// A home with the runbook of this work, and the database as it is before.
    pub fn home(&self, work: Work) -> Home {
        let home = Home::new();
        home.write("checks/negative-stock.toml", CHECK);
        home.write("books/refill.toml", &runbook(work));
        let url = match (&self.server, &self.proxy) {
            (Some(server), Some(proxy)) => server.tcp_url(ADMIN, "127.0.0.1", proxy.port(), "erp"),
            _ => "sqlite://erp.db".to_owned(),
        };
        home.write(
            "steadyhand.toml",
            &format!(
                "checks = [\"checks\"]\nrunbooks = [\"books\"]\ntour = false\n[target.erp]\nurl = \"{url}\"\nenvironment = \"staging\"\n"
            ),
        );
        if self.server.is_none() {
            let mut file = Sqlite::create(&home.work().join("erp.db"));
            for one in self.script() {
                file.run(&one);
            }
        }
        for server in [&self.server, &self.spare].into_iter().flatten() {
            let mut client = server.client("erp");
            for one in self.script() {
                client.run(&one);
            }
        }
        home
    }

    fn eyes(&self, home: &Home) -> Eyes {
        match &self.server {
            None => Eyes::File(Sqlite::open(&home.work().join("erp.db"))),
            Some(server) => Eyes::Server(server.client("erp")),
        }
    }

    pub fn facts(&self, home: &Home) -> Facts {
        self.eyes(home).facts()
    }

    /// What a server holds that the incident is not about.
    pub fn facts_beside(&self) -> Option<Facts> {
        self.spare.as_ref().map(|spare| Eyes::Server(spare.client("erp")).facts())
    }

    /// Everything answers again, at once and from the server of the incident.
    pub fn heal(&mut self) {
        let Some(server) = &self.server else { return };
        let proxy = self.proxy.as_ref().expect("a server has a proxy");
        proxy.delay(Duration::ZERO);
        proxy.release();
        proxy.redirect(Upstream::Tcp(server.port()));
    }

    /// Waits until nobody holds a lock on the rows any more, whatever the network does meanwhile; since
    /// the fault that must not take longer than its budget.
    pub fn is_free(&self, home: &Home, struck: Instant) -> Result<(), String> {
        let script = match self.dialect {
            Dialect::Sqlite => ["BEGIN EXCLUSIVE", "SELECT 1", "ROLLBACK"],
            Dialect::Postgres => {
                ["BEGIN", "LOCK TABLE stock, moved IN ACCESS EXCLUSIVE MODE NOWAIT", "ROLLBACK"]
            }
            _ => ["BEGIN", "SELECT COUNT(*) FROM stock FOR UPDATE NOWAIT", "ROLLBACK"],
        };
        let mut eyes = self.eyes(home);
        loop {
            let tried: Vec<_> = script.iter().map(|one| eyes.try_run(one)).collect();
            match tried.into_iter().find_map(Result::err) {
                None => return Ok(()),
                Some(error) if struck.elapsed() > BUDGET => {
                    return Err(format!("its rows are still locked: {error}"));
                }
                Some(_) => std::thread::park_timeout(Duration::from_millis(50)),
            }
        }
    }

    /// Waits until the server has no session of ours; says how many are left if that takes too long.
    pub fn is_rid_of_us(&self) -> Result<(), String> {
        let Some(server) = &self.server else { return Ok(()) };
        let sql = match server.kind() {
            Kind::Postgres => {
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'steadyhand%'"
            }
            Kind::Mariadb => {
                "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE user = 'admin' AND id <> CONNECTION_ID()"
            }
        };
        let mut client = server.client(server.home_database());
        let start = Instant::now();
        loop {
            let left = client.rows(sql)[0][0].clone();
            if left == "0" {
                return Ok(());
            }
            if start.elapsed() > FAREWELL {
                return Err(format!("{left} sessions of ours are left on the server"));
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

enum Eyes {
    File(Sqlite),
    Server(Client),
}

impl Eyes {
    fn try_run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        match self {
            Self::File(file) => file.try_run(sql),
            Self::Server(client) => client.try_run(sql),
        }
    }

    fn count(&mut self, sql: &str) -> i64 {
        match self {
            Self::File(file) => file.count(sql),
            Self::Server(client) => client.count(sql),
        }
    }

    fn facts(&mut self) -> Facts {
        let there = match self {
            Self::File(_) => "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'steadyhand_ledger'",
            Self::Server(_) => {
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'steadyhand_ledger'"
            }
        };
        let ledger = if self.count(there) > 0 {
            self.count("SELECT COUNT(*) FROM steadyhand_ledger")
        } else {
            0
        };
        Facts {
            wrong: self.count("SELECT COUNT(*) FROM stock WHERE n < 0"),
            sum: self.count("SELECT SUM(n) FROM stock"),
            moved: self.count("SELECT COUNT(*) FROM moved"),
            ledger,
        }
    }
}
