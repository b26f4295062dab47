//! A recovery without a screen, on a database of any engine: plans in, previews and executions out,
//! and a look from outside.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::dialect::Dialect;
use steadyhand::engine::Stopper;
use steadyhand::incident::journal::Journal;
use steadyhand::ops::connect;
use steadyhand::ops::recover::{self, Job};
use steadyhand::problem::Problem;
use steadyhand::recovery::protocol::{Ask, Said, State, confirmation, step};
use steadyhand::recovery::{Approval, Execution, Plan, Planned, Preview};
use steadyhand::runbook::Limits;
use steadyhand::sql;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::server::{Kind, Server, Setup};
use super::{Client, Sqlite};

pub struct Desk {
    pub dialect: Dialect,
    pub target: Target,
    pub server: Option<Server>,
    pub journal: Journal,
    pub identity: String,
    look: Look,
    runtime: Runtime,
    folder: TempDir,
}

enum Look {
    File(Sqlite),
    Server(Client),
}

impl Desk {
    /// A database with these tables in it.
    pub fn new(dialect: Dialect, schema: &str) -> Self {
        Self::on(dialect, schema, |setup| setup)
    }

    /// The same with a say in how the server is set up.
    pub fn on(dialect: Dialect, schema: &str, set_up: impl FnOnce(Setup) -> Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let kind = if dialect == Dialect::Postgres { Kind::Postgres } else { Kind::Mariadb };
        let (url, server, mut look) = if dialect == Dialect::Sqlite {
            let path = folder.path().join("erp.db");
            let look = Look::File(Sqlite::create(&path));
            (TargetUrl::sqlite(&path), None, look)
        } else {
            let server = set_up(Setup::new(kind)).start();
            server.database("erp");
            let url = TargetUrl::parse(&server.url("erp"), Path::new("")).expect("a url");
            let look = Look::Server(server.client("erp"));
            (url, Some(server), look)
        };
        for statement in sql::split(schema, dialect).expect("the schema can be split") {
            look.run(statement);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be built");
        let (journal, _) =
            Journal::open(&folder.path().join("incident"), "ada").expect("a journal");
        let target = Target::new("erp", url, Environment::Development);
        let identity = runtime.block_on(connect::identify(&target)).expect("the server answers");
        let identity = identity.server;
        Self { dialect, target, server, journal, identity, look, runtime, folder }
    }

    pub fn run(&mut self, sql: &str) -> u64 {
        self.look.run(sql)
    }

    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        match &mut self.look {
            Look::File(file) => file.rows(sql),
            Look::Server(client) => client.rows(sql),
        }
    }

    pub fn count(&mut self, sql: &str) -> i64 {
        self.rows(sql)[0][0].parse().expect("a whole number")
    }

    /// A second connection of somebody else.
    pub fn colleague(&self) -> Client {
        self.server.as_ref().expect("a server").client("erp")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A plan of these statements.
    pub fn job(&self, op: &str, statements: &[&str]) -> Job {
        let actions = statements
            .iter()
            .map(|text| {
                let write = sql::write(text, self.dialect).expect("a write");
                Planned::Sql {
                    note: String::new(),
                    sql: (*text).to_owned(),
                    verb: write.verb,
                    table: write.table,
                }
            })
            .collect();
        Job {
            plan: Plan {
                step: "fix".into(),
                title: "fix".into(),
                target: "erp".into(),
                actions,
                cures: Vec::new(),
                must_not_worsen: Vec::new(),
                limits: Limits {
                    max_rows: 1_000_000,
                    time_cap: Duration::from_secs(20),
                    lock_wait: Duration::from_millis(300),
                    max_blocked: 3,
                },
                valid: Duration::from_mins(10),
                undoes: None,
            },
            target: self.target.clone(),
            server: self.identity.clone(),
            actor: "ada".into(),
            op: op.into(),
        }
    }

    pub fn try_preview(&self, job: &Job) -> Result<Preview, Problem> {
        self.runtime.block_on(recover::preview(job, &Stopper::default()))
    }

    pub fn preview(&self, job: &Job) -> Preview {
        self.try_preview(job).unwrap_or_else(|problem| panic!("{}: {problem}", self.dialect))
    }

    pub fn execute(&self, job: &Job, preview: Preview) -> Execution {
        let approval = approve(&job.plan, preview);
        let stopper = Stopper::default();
        self.runtime.block_on(recover::execute(job, approval, &self.journal, &stopper))
    }
}

impl Look {
    fn run(&mut self, sql: &str) -> u64 {
        match self {
            Self::File(file) => file.run(sql),
            Self::Server(client) => client.run(sql),
        }
    }
}

/// What typing the right words makes of a preview.
pub fn approve(plan: &Plan, preview: Preview) -> Approval {
    assert_eq!(preview.refused, Vec::<String>::new());
    let now = preview.at;
    let text = confirmation(plan, &preview);
    let state = State::Previewed { preview: Arc::new(preview) };
    let (state, ask) = step(state, Said::Confirm, plan, now);
    assert!(matches!(ask, Ask::OpenConfirmation { .. }), "{ask:?}");
    let (_, ask) = step(state, Said::Typed { text, run: 1 }, plan, now);
    let Ask::Execute { approval, .. } = ask else { panic!("{ask:?}") };
    approval
}
