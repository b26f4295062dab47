//! Recovery on a real SQLite file: preview, execute, drift, undo, and what the watch sees.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::engine::{Purpose, Session, Stopper};
use steadyhand::incident::journal::Journal;
use steadyhand::ops::recover::{self, Job};
use steadyhand::recovery::protocol::{Ask, Said, State, confirmation, step};
use steadyhand::recovery::{Approval, Execution, Plan, Planned, Preview, undo};
use steadyhand::runbook::Limits;
use steadyhand::sql::Verb;

const SCHEMA: &str = "
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT, total REAL);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent ON DELETE CASCADE, v);
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);
CREATE TABLE loose (a, b);
CREATE TABLE pair (a TEXT, b INTEGER, v, g AS (v || '!'), PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TRIGGER parent_upd AFTER UPDATE ON parent BEGIN INSERT INTO audit (what) VALUES ('upd ' || OLD.id); END;
CREATE TRIGGER child_del AFTER DELETE ON child BEGIN
  INSERT INTO audit (what) VALUES ('del ' || OLD.id);
  UPDATE parent SET total = total - 1 WHERE id = OLD.parent_id;
END;
CREATE TRIGGER child_ins AFTER INSERT ON child BEGIN UPDATE parent SET total = total + 1 WHERE id = NEW.parent_id; END;
INSERT INTO parent VALUES (1, 'one', 0.5), (2, 'two', 0), (3, NULL, 0);
INSERT INTO child (parent_id, v) VALUES (1, x'00ff'), (1, NULL), (2, 'x' || char(0) || 'y'), (2, 1.5);
INSERT INTO loose VALUES (1, 2);
INSERT INTO pair (a, b, v) VALUES ('k', 1, 'v'), ('k', 2, 'w');
DELETE FROM audit;
";

struct Desk {
    folder: tempfile::TempDir,
    journal: Journal,
    target: Target,
    server: String,
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn sql(path: &Path, text: &str) {
    let mut session =
        Session::sqlite(path, Purpose::Work, Duration::from_secs(2), &Stopper::default())
            .await
            .unwrap();
    session.execute(text).await.unwrap();
    session.close().await;
}

async fn dump(path: &Path) -> String {
    let mut session =
        Session::sqlite(path, Purpose::Detect, Duration::from_secs(2), &Stopper::default())
            .await
            .unwrap();
    let mut out = String::new();
    for table in ["parent", "child", "loose", "pair"] {
        let read = format!("SELECT * FROM {table} ORDER BY 1, 2");
        session
            .read(&read, Duration::from_secs(5), &mut |_, row| {
                out.push_str(&format!("{table} {row:?}\n"));
                std::ops::ControlFlow::Continue(())
            })
            .await
            .unwrap();
    }
    session.close().await;
    out
}

async fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("erp.db");
    std::fs::write(&path, b"").unwrap();
    sql(&path, SCHEMA).await;
    let (journal, _) = Journal::open(&folder.path().join("incident"), "ada").unwrap();
    let target = Target::new("erp", TargetUrl::sqlite(&path), Environment::Development);
    let mut session =
        Session::sqlite(&path, Purpose::Detect, Duration::from_secs(2), &Stopper::default())
            .await
            .unwrap();
    let server = session.identity().await.unwrap().server;
    Desk { folder, journal, target, server }
}

impl Desk {
    fn path(&self) -> PathBuf {
        self.folder.path().join("erp.db")
    }

    fn job(&self, op: &str, actions: Vec<Planned>) -> Job {
        Job {
            plan: Plan {
                step: "fix".into(),
                title: "fix".into(),
                target: "erp".into(),
                actions,
                cures: Vec::new(),
                must_not_worsen: Vec::new(),
                limits: Limits {
                    max_rows: 100,
                    time_cap: Duration::from_secs(10),
                    lock_wait: Duration::from_millis(300),
                    max_blocked: 3,
                },
                valid: Duration::from_mins(10),
                undoes: None,
            },
            target: self.target.clone(),
            server: self.server.clone(),
            actor: "ada".into(),
            op: op.into(),
        }
    }

    async fn preview(&self, job: &Job) -> Preview {
        recover::preview(job, &Stopper::default()).await.unwrap()
    }

    async fn execute(&self, job: &Job, preview: Preview) -> Execution {
        let approval = approve(&job.plan, preview);
        recover::execute(job, approval, &self.journal, &Stopper::default()).await
    }

    fn undo_job(&self, of: &str, op: &str) -> Job {
        let path = self.journal.folder().join(format!("evidence/undo-{of}.jsonl"));
        let (_, images) = undo::read(&std::fs::read(path).unwrap()).unwrap();
        let mut job = self.job(op, undo::plan(&images));
        job.plan.undoes = Some(of.into());
        job
    }
}

fn approve(plan: &Plan, preview: Preview) -> Approval {
    let now = preview.at;
    let text = confirmation(plan, &preview);
    let state = State::Previewed { preview: Arc::new(preview) };
    let (state, ask) = step(state, Said::Confirm, plan, now);
    assert!(matches!(ask, Ask::OpenConfirmation { .. }), "{ask:?}");
    let (_, ask) = step(state, Said::Typed { text, run: 1 }, plan, now);
    let Ask::Execute { approval, .. } = ask else { panic!("{ask:?}") };
    approval
}

fn statement(verb: Verb, table: &str, sql: &str) -> Planned {
    Planned::Sql { note: String::new(), sql: sql.into(), verb, table: table.into() }
}

#[test]
fn a_preview_counts_triggers_and_cascades_and_leaves_nothing() {
    run(async {
        let desk = desk().await;
        let before = dump(&desk.path()).await;
        let job = desk
            .job("op1", vec![statement(Verb::Delete, "parent", "DELETE FROM parent WHERE id = 1")]);
        let preview = desk.preview(&job).await;
        assert_eq!(dump(&desk.path()).await, before);
        assert_eq!(preview.proof, Ok("a second connection saw no commit".into()));
        let words: Vec<String> = preview
            .writes
            .iter()
            .map(|w| format!("{} {} / {}", w.table, w.direct.words(), w.hidden.words()))
            .collect();
        assert_eq!(words, ["parent 1 del / -", "child - / 2 del", "audit - / 2 ins"]);
        assert_eq!(
            preview.undo.sentence(),
            "rehearsed: 3 of 3 rows come back, 5 rows written by triggers stay in audit"
        );
        assert_eq!(preview.refused, Vec::<String>::new());
    });
}

#[test]
fn undo_brings_back_parents_children_and_sums() {
    run(async {
        let desk = desk().await;
        let before = dump(&desk.path()).await;
        let job = desk.job(
            "op1",
            vec![
                statement(Verb::Delete, "parent", "DELETE FROM parent WHERE id = 1"),
                statement(Verb::Update, "parent", "UPDATE parent SET name = 'x' WHERE id > 1"),
                statement(Verb::Insert, "child", "INSERT INTO child (parent_id, v) VALUES (2, 7)"),
                statement(Verb::Update, "pair", "UPDATE pair SET v = 'changed' WHERE b = 2"),
            ],
        );
        let preview = desk.preview(&job).await;
        assert_eq!(preview.undo.impossible, None);
        assert_eq!(preview.undo.restored, preview.undo.of, "{:?}", preview.undo);
        let execution = desk.execute(&job, preview).await;
        assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
        assert_ne!(dump(&desk.path()).await, before);
        let back = desk.undo_job("op1", "op2");
        let preview = desk.preview(&back).await;
        assert_eq!(preview.conflicts, Vec::new());
        let execution = desk.execute(&back, preview).await;
        assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
        assert_eq!(dump(&desk.path()).await, before);
    });
}

#[test]
fn an_edit_between_preview_and_execution_rolls_back_and_is_shown() {
    run(async {
        let desk = desk().await;
        let job = desk.job(
            "op1",
            vec![statement(Verb::Update, "parent", "UPDATE parent SET name = 'x' WHERE id > 1")],
        );
        let preview = desk.preview(&job).await;
        sql(&desk.path(), "UPDATE parent SET name = 'edited' WHERE id = 2").await;
        let before = dump(&desk.path()).await;
        let Execution::RolledBack { drift: Some(drift), .. } = desk.execute(&job, preview).await
        else {
            panic!("it must roll back")
        };
        assert_eq!(
            drift.differences,
            ["parent id 2 was changed since the preview: name two -> edited"]
        );
        assert_eq!(dump(&desk.path()).await, before);
    });
}

#[test]
fn an_undo_leaves_a_row_alone_that_somebody_edited_since() {
    run(async {
        let desk = desk().await;
        let job = desk
            .job("op1", vec![statement(Verb::Update, "parent", "UPDATE parent SET name = 'x'")]);
        let preview = desk.preview(&job).await;
        let execution = desk.execute(&job, preview).await;
        assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
        sql(&desk.path(), "UPDATE parent SET name = 'mine' WHERE id = 2").await;
        let back = desk.undo_job("op1", "op2");
        let preview = desk.preview(&back).await;
        assert_eq!(preview.conflicts.len(), 1);
        assert_eq!(
            preview.conflicts[0].columns,
            [("name".into(), "two".into(), "x".into(), "mine".into())]
        );
        let execution = desk.execute(&back, preview).await;
        assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
        let now = dump(&desk.path()).await;
        assert!(
            now.contains("\"mine\"") && now.contains("\"one\"") && !now.contains("\"x\""),
            "{now}"
        );
    });
}

#[test]
fn a_table_without_a_key_has_no_undo_and_says_so_before() {
    run(async {
        let desk = desk().await;
        let job = desk.job("op1", vec![statement(Verb::Update, "loose", "UPDATE loose SET b = 3")]);
        let preview = desk.preview(&job).await;
        assert_eq!(
            preview.undo.sentence(),
            "no undo: loose has no key by which a row could be found again"
        );
        assert_eq!(confirmation(&job.plan, &preview), "erp 1 no undo");
    });
}

#[test]
fn a_held_lock_is_said_and_changes_nothing() {
    run(async {
        let desk = desk().await;
        let mut other =
            Session::sqlite(&desk.path(), Purpose::Work, Duration::ZERO, &Stopper::default())
                .await
                .unwrap();
        other.begin(Duration::from_mins(1)).await.unwrap();
        let job = desk
            .job("op1", vec![statement(Verb::Update, "parent", "UPDATE parent SET name = 'x'")]);
        let problem = recover::preview(&job, &Stopper::default()).await.unwrap_err();
        assert!(problem.sentence.contains("another session holds the lock"), "{problem}");
    });
}

#[test]
fn the_same_operation_is_never_applied_twice() {
    run(async {
        let desk = desk().await;
        let job = desk.job(
            "op1",
            vec![statement(
                Verb::Update,
                "parent",
                "UPDATE parent SET total = total - 1 WHERE id = 3",
            )],
        );
        let (first, mut second) = (desk.preview(&job).await, desk.preview(&job).await);
        let execution = desk.execute(&job, first).await;
        assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
        // Even if the data looked the same again, the ledger's key refuses.
        sql(&desk.path(), "UPDATE parent SET total = total + 1 WHERE id = 3").await;
        second.at = steadyhand::clock::now();
        let execution = desk.execute(&job, second).await;
        assert!(
            matches!(&execution, Execution::RolledBack { why, .. } if why.contains("ledger")),
            "{execution:?}"
        );
    });
}
