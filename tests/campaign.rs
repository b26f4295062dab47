//! The night: every fault at every moment of a change, on every engine, and what must hold after it.
//!
//! A moment is a record of the journal, where the program stops and waits for what happens to it, or a
//! message to the server. Afterwards the database holds the state before or the state after and
//! nothing else, the journal verifies, who resumes is told the truth, nothing was done twice, no
//! session of ours is left, and a terminal that is still there is as it was.
//!
//! `STEADYHAND_CAMPAIGN=400` runs so many faults on each engine, `STEADYHAND_SEED=7` begins elsewhere;
//! without them it is the short form. A run that fails says how to see it again.

#![cfg(debug_assertions)]
#![allow(clippy::print_stdout, reason = "the table is what the long form is for")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use common::proxy::{Fault as Wire, Moment as Instants, Proxy, Upstream};
use common::server::{ADMIN, Kind, Server, Setup};
use common::{COMPACT, Client, Home, Signal, Sqlite, Terminal};
use steadyhand::dialect::Dialect;

/// How long the program may take to come to rest after a fault.
const REST: Duration = Duration::from_secs(40);
/// The same where the wire says nothing any more, which only time can tell.
const SILENCE: Duration = Duration::from_secs(150);
/// How long the server may take to be rid of our sessions.
const BUDGET: Duration = Duration::from_secs(45);

/// Where the program stops and waits.
const RECORDS: [&str; 9] = [
    "after:previewed",
    "after:approved",
    "before:execution-started",
    "after:execution-started",
    "after:undo-written",
    "before:commit-sent",
    "after:commit-sent",
    "before:ended",
    "after:ended",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Kill,
    HangUp,
    Terminate,
    StopAndGoOn,
    /// No file may grow any more.
    DiskFull,
    ClockBack,
    ServerKilled,
    ServerRestarted,
    FailedOver,
    Cut,
    Stalled,
    Slow,
}

impl Fault {
    const ANYWHERE: [Self; 6] = [
        Self::Kill,
        Self::HangUp,
        Self::Terminate,
        Self::StopAndGoOn,
        Self::DiskFull,
        Self::ClockBack,
    ];
    const OF_SERVERS: [Self; 6] = [
        Self::ServerKilled,
        Self::ServerRestarted,
        Self::FailedOver,
        Self::Cut,
        Self::Stalled,
        Self::Slow,
    ];

    /// The process does not go on after it.
    fn ends(self) -> bool {
        matches!(self, Self::Kill | Self::HangUp | Self::Terminate)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Record(&'static str),
    /// The so-and-so-many-th message after the confirmation.
    Message(usize, Reach),
}

/// How far a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Held,
    Part,
    Answered,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(at) => f.write_str(at),
            Self::Message(number, Reach::Held) => write!(f, "message {number} held"),
            Self::Message(number, Reach::Part) => write!(f, "message {number} in part"),
            Self::Message(number, Reach::Answered) => write!(f, "message {number} answered"),
        }
    }
}

// ------------------------------------------------------------------------------------- the ground

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
summary  = "Stock below zero becomes zero."
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
note = "Set it to zero"
any  = "UPDATE stock SET n = 0 WHERE n < 0"
[step.limits]
max_rows  = 100
time_cap  = "20s"
lock_wait = "2s"
"#;

/// Rows that the change writes itself.
const WRONG: i64 = 5;

const TABLES: [&str; 2] = [
    "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
    "CREATE TABLE moved (stock INTEGER NOT NULL, was INTEGER NOT NULL, seq INTEGER PRIMARY KEY AUTO)",
];

fn rows() -> String {
    let rows: Vec<String> =
        (1..=20).map(|id| format!("({id}, {})", if id % 4 == 0 { -id } else { id })).collect();
    format!("INSERT INTO stock VALUES {}", rows.join(", "))
}

/// A database, what leads to it, and what looks at it from beside.
struct Ground {
    dialect: Dialect,
    server: Option<Server>,
    /// What answers after a failover: the same tables, another server.
    spare: Option<Server>,
    proxy: Option<Proxy>,
}

impl Ground {
    fn new(dialect: Dialect) -> Self {
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
        let (server, spare) = (start(), start());
        let proxy = Proxy::before(Upstream::Tcp(server.port()));
        Self { dialect, server: Some(server), spare: Some(spare), proxy: Some(proxy) }
    }

    fn lay_out(&self, home: &Home) {
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
        script.extend(TABLES.iter().map(|table| table.replace("AUTO", auto)));
        script.push(rows());
        script.extend(trigger.iter().map(|one| (*one).to_owned()));
        match &self.server {
            None => {
                let mut file = Sqlite::create(&home.work().join("erp.db"));
                for one in &script {
                    file.run(one);
                }
            }
            Some(server) => {
                for server in [Some(server), self.spare.as_ref()].into_iter().flatten() {
                    let mut client = server.client("erp");
                    for one in &script {
                        client.run(one);
                    }
                }
            }
        }
    }

    fn url(&self) -> String {
        match (&self.server, &self.proxy) {
            (Some(server), Some(proxy)) => server.tcp_url(ADMIN, "127.0.0.1", proxy.port(), "erp"),
            _ => "sqlite://erp.db".to_owned(),
        }
    }

    fn home(&self) -> Home {
        let home = Home::new();
        home.write("checks/negative-stock.toml", CHECK);
        home.write("books/refill.toml", RUNBOOK);
        home.write(
            "steadyhand.toml",
            &format!(
                "checks = [\"checks\"]\nrunbooks = [\"books\"]\ntour = false\n[target.erp]\nurl = \"{}\"\nenvironment = \"staging\"\n",
                self.url()
            ),
        );
        self.lay_out(&home);
        home
    }

    /// What is there, seen from outside: wrong rows, rows of the trigger, rows of the ledger.
    fn facts(&self, home: &Home) -> Facts {
        let mut look = match &self.server {
            None => Eyes::File(Sqlite::open(&home.work().join("erp.db"))),
            Some(server) => Eyes::Server(server.client("erp")),
        };
        look.facts()
    }

    /// Everything answers again, at once and from the server of the incident.
    fn heal(&mut self) {
        let Some(server) = &self.server else { return };
        let proxy = self.proxy.as_ref().unwrap();
        proxy.delay(Duration::ZERO);
        proxy.redirect(Upstream::Tcp(server.port()));
    }

    /// Waits until the server has no session of ours; says which are left if that takes too long.
    fn is_rid_of_us(&self) -> Result<(), String> {
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
            if start.elapsed() > BUDGET {
                return Err(format!("{left} sessions of ours are left on the server"));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    wrong: i64,
    moved: i64,
    ledger: i64,
}

const BEFORE: Facts = Facts { wrong: WRONG, moved: 0, ledger: 0 };
const AFTER: Facts = Facts { wrong: 0, moved: WRONG, ledger: 1 };

enum Eyes {
    File(Sqlite),
    Server(Client),
}

impl Eyes {
    fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Self::File(file) => file.rows(sql),
            Self::Server(client) => client.rows(sql),
        }
    }

    fn facts(&mut self) -> Facts {
        let mut count = |sql: &str| self.rows(sql)[0][0].parse::<i64>().unwrap();
        let wrong = count("SELECT COUNT(*) FROM stock WHERE n < 0");
        let moved = count("SELECT COUNT(*) FROM moved");
        let is_file = matches!(self, Self::File(_));
        let there = if is_file {
            "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'steadyhand_ledger'"
        } else {
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'steadyhand_ledger'"
        };
        let mut count = |sql: &str| self.rows(sql)[0][0].parse::<i64>().unwrap();
        let ledger =
            if count(there) > 0 { count("SELECT COUNT(*) FROM steadyhand_ledger") } else { 0 };
        Facts { wrong, moved, ledger }
    }
}

// --------------------------------------------------------------------------------------- one night

/// The program in a terminal, with files that may be kept from growing.
fn cockpit(home: &Home, arguments: &[&str]) -> Terminal {
    // A process that may not write gets an error then, as from a full disk, and not a signal.
    let script = "trap '' XFSZ; exec \"$@\"";
    let mut all = vec!["-c", script, "sh", env!("CARGO_BIN_EXE_steadyhand")];
    all.extend(arguments);
    Terminal::start("/bin/sh", &all, &home.environment(), &home.work(), COMPACT)
}

fn is_halted(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
}

fn wait_until(what: &str, at_most: Duration, is_so: impl Fn() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > at_most {
            return Err(format!("waited {} s in vain for {what}", at_most.as_secs()));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Ok(())
}

/// To the box with the typed confirmation, filled in.
fn to_the_edge(cockpit: &mut Terminal) {
    cockpit.wait_for("5 violations");
    cockpit.keys("enter");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
}

/// What the journal says of the last execution, if it says anything.
fn told(home: &Home) -> Option<String> {
    let folder: PathBuf = home.path("state/steadyhand/incidents/INC-0001");
    let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap_or_default();
    let records = journal.lines().filter_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).ok()?;
        let entry = &record["entry"];
        let kind = entry["kind"].as_str()?.to_owned();
        let outcome = entry["outcome"].as_str().map(str::to_owned);
        Some((kind, outcome))
    });
    let mut last = None;
    for (kind, outcome) in records {
        match kind.as_str() {
            "execution-started" => last = Some("open".to_owned()),
            "ended" | "resolved" => last = outcome,
            _ => {}
        }
    }
    last
}

struct Night<'a> {
    ground: &'a mut Ground,
    fault: Fault,
    moment: Moment,
}

impl Night<'_> {
    fn run(&mut self) -> Result<(), String> {
        let home = self.ground.home();
        let home = match self.moment {
            Moment::Record(at) if self.fault == Fault::ClockBack => {
                home.with("STEADYHAND_JUMP", at)
            }
            Moment::Record(at) => home.with("STEADYHAND_HALT", at),
            Moment::Message(..) => home,
        };
        let mut screen = cockpit(&home, &["open", "refill", "--target", "erp"]);
        to_the_edge(&mut screen);
        if self.moment != Moment::Record("after:previewed") || self.fault == Fault::ClockBack {
            confirm(&mut screen, self);
        }
        self.strike(&mut screen)?;
        self.rest(&mut screen)?;
        drop(screen);
        self.ground.heal();
        self.ground.is_rid_of_us()?;
        let home = home.with("STEADYHAND_HALT", "").with("STEADYHAND_JUMP", "");
        let found = self.ground.facts(&home);
        if found != BEFORE && found != AFTER {
            return Err(format!("neither before nor after: {found:?}"));
        }
        if let Some(spare) = &self.ground.spare {
            let spare = Eyes::Server(spare.client("erp")).facts();
            if spare != BEFORE {
                return Err(format!("another server was written to: {spare:?}"));
            }
        }
        self.taken_up(home, found)
    }

    /// Waits for the moment and lets the fault happen.
    fn strike(&mut self, screen: &mut Terminal) -> Result<(), String> {
        let pid = screen.pid();
        match self.moment {
            Moment::Record(_) if self.fault == Fault::ClockBack => return Ok(()),
            Moment::Record(at) => wait_until(at, REST, || is_halted(pid))?,
            Moment::Message(..) => {
                let proxy = self.ground.proxy.as_ref().unwrap();
                // There may be fewer messages than that.
                let over = || proxy.has_happened() || has_ended(&screen.screen());
                wait_until("the message", REST, over)?;
            }
        }
        match self.fault {
            Fault::Kill => screen.signal(Signal::KILL),
            Fault::HangUp => screen.signal(Signal::HUP),
            Fault::Terminate => screen.signal(Signal::TERM),
            Fault::StopAndGoOn | Fault::ClockBack => {}
            Fault::DiskFull => {
                let full = ["--pid", &pid.to_string(), "--fsize=1"];
                let ran = Command::new("prlimit").args(full).status().unwrap();
                assert!(ran.success(), "prlimit is part of util-linux");
            }
            Fault::ServerKilled => {
                self.ground.server.as_mut().unwrap().stop();
                self.cut();
            }
            Fault::ServerRestarted => {
                let server = self.ground.server.as_mut().unwrap();
                server.stop();
                server.start();
                self.cut();
            }
            Fault::FailedOver => {
                let port = self.ground.spare.as_ref().unwrap().port();
                self.ground.proxy.as_ref().unwrap().redirect(Upstream::Tcp(port));
            }
            Fault::Cut => self.cut(),
            Fault::Stalled => self.ground.proxy.as_ref().unwrap().stall(),
            Fault::Slow => self.ground.proxy.as_ref().unwrap().delay(Duration::from_millis(40)),
        }
        screen.signal(Signal::CONT);
        Ok(())
    }

    fn cut(&self) {
        self.ground.proxy.as_ref().unwrap().cut();
    }

    /// The program ends, or says how the change ended; then it is made to leave.
    fn rest(&mut self, screen: &mut Terminal) -> Result<(), String> {
        let gone = |screen: &Terminal| screen.ended().is_some();
        let unseen = |error: String, screen: &Terminal| format!("{error}\n{}", screen.screen());
        let rest = if self.fault == Fault::Stalled { SILENCE } else { REST };
        if self.fault.ends() {
            wait_until("the end of the program", rest, || gone(screen))
                .map_err(|error| unseen(error, screen))?;
        } else {
            let calm = || gone(screen) || has_ended(&screen.screen()) || self.is_harmless(screen);
            wait_until("an outcome", rest, calm).map_err(|error| unseen(error, screen))?;
            screen.signal(Signal::TERM);
            wait_until("the end of the program", REST, || gone(screen))
                .map_err(|error| unseen(error, screen))?;
        }
        if self.fault != Fault::Kill && !screen.is_restored() {
            return Err(format!("the terminal was not given back\n{}", screen.screen()));
        }
        if self.fault == Fault::ServerKilled {
            self.ground.server.as_mut().unwrap().start();
        }
        Ok(())
    }

    /// Nothing was under way that could end.
    fn is_harmless(&self, screen: &Terminal) -> bool {
        let screen = screen.screen();
        self.moment == Moment::Record("after:previewed") && screen.contains("enter confirm")
    }

    fn taken_up(&mut self, home: Home, found: Facts) -> Result<(), String> {
        let screen = cockpit(&home, &["resume"]);
        let said = || {
            let screen = screen.screen();
            screen.contains("It did commit")
                || screen.contains("It did not commit")
                || screen.contains("enter preview")
                || screen.contains("COMMITTED: 10 rows")
                || screen.contains("Still unknown")
        };
        wait_until("what became of it", REST, said)
            .map_err(|error| format!("{error}\n{}", screen.screen()))?;
        let seen = screen.screen();
        screen.signal(Signal::TERM);
        wait_until("the end of the program", REST, || screen.ended().is_some())?;
        drop(screen);
        let committed = found == AFTER;
        let outcome = told(&home);
        let is_true = match outcome.as_deref() {
            Some("committed") => committed,
            None | Some("rolled_back") => !committed,
            _ => false,
        };
        if !is_true {
            return Err(format!("it is told as {outcome:?}, and there is {found:?}\n{seen}"));
        }
        if self.ground.facts(&home) != found {
            return Err("taking it up wrote something".into());
        }
        let verified = home.steadyhand(&["verify", "INC-0001"]).output().unwrap();
        if verified.status.code() != Some(0) {
            let said = String::from_utf8_lossy(&verified.stdout).into_owned();
            return Err(format!("the journal does not verify: {said}"));
        }
        self.ground.is_rid_of_us()
    }
}

fn confirm(screen: &mut Terminal, night: &Night<'_>) {
    screen.wait_for("enter confirm");
    screen.keys("enter");
    screen.wait_for("Type   erp 10");
    screen.type_text("erp 10");
    screen.breathe();
    if let Moment::Message(number, how) = night.moment {
        let proxy = night.ground.proxy.as_ref().unwrap();
        let how = match how {
            Reach::Held => Instants::Held,
            Reach::Part => Instants::Part(2),
            Reach::Answered => Instants::Answered,
        };
        proxy.arm(match night.fault {
            Fault::Cut => Wire::CutNth(number, how),
            _ => Wire::StallNth(number, how),
        });
    }
    screen.keys("enter");
}

/// The screen says how the change ended, or that nothing can be done any more.
fn has_ended(screen: &str) -> bool {
    ["COMMITTED", "ROLLED BACK", "OUTCOME UNKNOWN", "read-only", "It did"]
        .iter()
        .any(|word| screen.contains(word))
}

// ------------------------------------------------------------------------------------ the campaign

/// The same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(end).unwrap()).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Messages that a change sends after its confirmation, about.
const MESSAGES: usize = 60;

fn campaign(dialect: Dialect, short: u64) {
    let (runs, seed) = (number("STEADYHAND_CAMPAIGN", short), number("STEADYHAND_SEED", 11));
    let mut ground = Ground::new(dialect);
    let mut dice = Dice(seed);
    let mut table: BTreeMap<(Fault, String), (u32, u32)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for run in 0..runs {
        let (fault, moment) = next(dialect, run, &mut dice);
        if fault == Fault::Stalled && runs == short {
            // Minutes of waiting belong into the long form.
            continue;
        }
        let outcome = Night { ground: &mut ground, fault, moment }.run();
        let kind = match moment {
            Moment::Record(at) => at.to_owned(),
            Moment::Message(..) => "a message".to_owned(),
        };
        let counted = table.entry((fault, kind)).or_default();
        counted.0 += 1;
        if let Err(why) = outcome {
            println!("run {run}, {fault:?} at {moment}: {why}");
            counted.1 += 1;
            wrong.push(format!("run {run}, {fault:?} at {moment}: {why}"));
            // Whatever it was must not stand in the way of the next.
            ground = Ground::new(dialect);
        }
    }
    println!("{dialect}, seed {seed}: {runs} faults, {} broken promises", wrong.len());
    for ((fault, moment), (runs, broken)) in &table {
        println!("  {:<16} {moment:<26} {runs:>4} runs {broken:>4} broken", format!("{fault:?}"));
    }
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}

/// Every fault comes in turn; the moment is diced.
fn next(dialect: Dialect, run: u64, dice: &mut Dice) -> (Fault, Moment) {
    let run = usize::try_from(run).unwrap();
    let record = RECORDS[(run + dice.below(RECORDS.len())) % RECORDS.len()];
    if dialect == Dialect::Sqlite {
        return (Fault::ANYWHERE[run % Fault::ANYWHERE.len()], Moment::Record(record));
    }
    let all = [Fault::ANYWHERE, Fault::OF_SERVERS].concat();
    let fault = match all[run % all.len()] {
        // The servers of the tests are copies of one folder, and a copy of a cluster has its number:
        // to PostgreSQL that is the same server, as a replica is that took over.
        Fault::FailedOver if dialect == Dialect::Postgres => Fault::Cut,
        fault => fault,
    };
    let how = dice.of(&[Reach::Held, Reach::Part, Reach::Answered]);
    let at_a_message = Moment::Message(dice.below(MESSAGES), how);
    let of_the_wire =
        matches!(fault, Fault::Cut | Fault::Stalled | Fault::ServerKilled | Fault::Kill);
    let moment =
        if of_the_wire && dice.below(2) == 0 { at_a_message } else { Moment::Record(record) };
    (fault, moment)
}

#[test]
fn on_sqlite() {
    campaign(Dialect::Sqlite, 12);
}

#[test]
fn on_postgresql() {
    campaign(Dialect::Postgres, 16);
}

#[test]
fn on_mariadb() {
    campaign(Dialect::Mariadb, 16);
}
