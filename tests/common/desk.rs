//! A recovery without a screen, on a database of any engine: plans in, previews and executions out,
//! and a look from outside.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use steadyhand::clock;
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::consent::{Act, Consent, Question};
use steadyhand::dialect::Dialect;
use steadyhand::engine::{Purpose, Session, Stopper};
use steadyhand::incident::entry::Deed;
use steadyhand::incident::journal::Journal;
use steadyhand::ops::connect;
use steadyhand::ops::guard;
use steadyhand::ops::recover::{self, Job};
use steadyhand::problem::Problem;
use steadyhand::recovery::protocol::{Ask, Said, State, confirmation, step};
use steadyhand::recovery::second::Demand;
use steadyhand::recovery::{Approval, Execution, Plan, Planned, Preview, undo};
use steadyhand::runbook::Limits;
use steadyhand::sql;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::server::{ADMIN, Kind, Server, Setup};
use super::{Look, Sqlite};

/// How long sessions of the tests wait for a lock.
pub const LOCK_WAIT: Duration = Duration::from_secs(1);

pub struct Desk {
    pub dialect: Dialect,
    pub target: Target,
    pub server: Option<Server>,
    pub journal: Journal,
    pub identity: String,
    pub look: Look,
    runtime: Runtime,
    folder: TempDir,
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
            let look = Look::at_file(Sqlite::create(&path));
            (TargetUrl::sqlite(&path), None, look)
        } else {
            let server = set_up(Setup::new(kind)).start();
            server.database("erp");
            let url = TargetUrl::parse(&server.url("erp"), Path::new("")).expect("a url");
            let look = Look::on_server(server.client("erp"));
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
        self.look.rows(sql)
    }

    pub fn count(&mut self, sql: &str) -> i64 {
        self.look.count(sql)
    }

    /// A second connection of somebody else.
    pub fn other(&self) -> Look {
        match &self.server {
            Some(server) => Look::on_server(server.client("erp")),
            None => Look::at_file(Sqlite::open(&self.target.url.path)),
        }
    }

    /// The same database for another account, which must exist.
    pub fn target_as(&self, role: &str) -> Target {
        let server = self.server.as_ref().expect("accounts are on a server");
        let url = TargetUrl::parse(&server.url_as(role, "erp"), Path::new("")).expect("a url");
        Target::new("erp", url, Environment::Development)
    }

    /// An account that may log in, and what else these statements grant it.
    pub fn account(&mut self, role: &str, grants: &str) -> Target {
        assert_ne!(role, ADMIN);
        self.server.as_ref().expect("accounts are on a server").role(role, None);
        self.script(grants);
        self.target_as(role)
    }

    /// Runs each statement by itself.
    pub fn script(&mut self, sql: &str) {
        for statement in sql::split(sql, self.dialect).expect("the script can be split") {
            self.look.run(statement);
        }
    }

    /// A session as the program opens it.
    pub fn open(&self, purpose: Purpose, stopper: &Stopper) -> Session {
        self.open_on(&self.target, purpose, stopper)
    }

    pub fn open_on(&self, target: &Target, purpose: Purpose, stopper: &Stopper) -> Session {
        let opened = connect::connect(target, purpose, LOCK_WAIT, stopper);
        self.runtime.block_on(opened).expect("the session opens")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A plan of these statements.
    pub fn job(&self, op: &str, statements: &[&str]) -> Job {
        let planned = |text: &&str| {
            let write = sql::write(text, self.dialect).expect("a write");
            let (sql, note) = ((*text).to_owned(), String::new());
            Planned::Sql { note, sql, verb: write.verb, table: write.table }
        };
        self.job_of(op, statements.iter().map(planned).collect())
    }

    /// The plan that takes an execution back, from what it left on disk.
    pub fn undo_job(&self, of: &str, op: &str) -> Job {
        let path = self.journal.folder().join(format!("evidence/undo-{of}.jsonl"));
        let file = std::fs::read(path).expect("the undo is on disk");
        let (_, images) = undo::read(file.as_slice()).expect("the undo can be read");
        let mut job = self.job_of(op, vec![Planned::PutBack(images)]);
        job.plan.undoes = Some(of.to_owned());
        job
    }

    pub fn job_of(&self, op: &str, actions: Vec<Planned>) -> Job {
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
                demand: Demand::One,
                undoes: None,
                lacks: None,
                mass: None,
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

    /// Previews and executes; it must go through.
    pub fn done(&self, job: &Job) -> Preview {
        let preview = self.preview(job);
        let execution = self.execute(job, preview.clone());
        assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
        preview
    }

    pub fn execute(&self, job: &Job, preview: Preview) -> Execution {
        let approval = approve(&job.plan, preview);
        let stopper = Stopper::default();
        self.runtime.block_on(recover::execute(job, approval, &self.journal, &stopper))
    }
}

/// What typing the right words makes of a preview.
pub fn approve(plan: &Plan, preview: Preview) -> Approval {
    assert_eq!(preview.refused, Vec::<String>::new());
    let now = preview.at;
    let text = confirmation(plan, &preview);
    let state = State::Previewed { preview: Arc::new(preview), warrant: None };
    let (state, ask) = step(state, Said::Confirm, plan, now);
    assert!(matches!(ask, Ask::OpenConfirmation { .. }), "{ask:?}");
    let (_, ask) = step(state, Said::Typed { text, run: 1 }, plan, now);
    let Ask::Execute { approval, .. } = ask else { panic!("{ask:?}") };
    approval
}

/// The words for this act, typed.
pub fn consent(act: Act, target: &str) -> Consent {
    let question = Question { act, target: target.to_owned() };
    question.answer(&question.words(), clock::now()).expect("the words are right")
}

/// The same for a guardrail.
pub fn agreed(job: &guard::Job, deed: &Deed) -> Consent {
    let step = job.step.clone();
    let act = match deed {
        Deed::ApplyGuardrail => Act::ApplyGuardrail { step },
        _ => Act::WithdrawGuardrail { step },
    };
    consent(act, &job.target.name)
}
