//! The pack that comes with the program, on every engine it is written for: each fault is found, each
//! change cures it, each guardrail refuses it by name. The same rows everywhere.

mod common;

use common::Database;
use steadyhand::catalogue::Catalogue;
use steadyhand::check::Check;
use steadyhand::dialect::Dialect;
use steadyhand::guardrail::Plan;
use steadyhand::runbook::{Action, Guard, Runbook};
use steadyhand::sql;

const ENGINES: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb];

/// The first pack. The checks of the others are looked at by `tests/checks.rs`, every runbook is walked
/// by `tests/runbooks.rs`.
fn pack() -> Catalogue {
    let mut pack = Catalogue::built_in().unwrap_or_else(|faults| panic!("{faults:#?}"));
    pack.checks.retain(|check| check.pack == "reliability");
    pack.runbooks.retain(|runbook| pack.checks.iter().any(|check| check.id == runbook.id));
    pack
}

/// The keys of what a check finds.
fn violations(database: &mut Database, check: &Check) -> Vec<String> {
    let text = check.sql.get(database.dialect).expect("every check speaks every engine");
    let keys = check.key.len();
    let columns = sql::columns(text, database.dialect).expect("the columns are named");
    let places: Vec<usize> = check
        .key
        .iter()
        .map(|key| columns.iter().position(|column| column == key).expect("a key is a column"))
        .collect();
    let key = |row: &Vec<String>| -> Vec<String> {
        let values = places.iter().map(|place| row[*place].clone()).collect::<Vec<_>>();
        assert_eq!(values.len(), keys);
        values
    };
    database.rows(text).iter().map(|row| key(row).join(" ")).collect()
}

fn inject(database: &mut Database, check: &Check) {
    let fault = check.fault.get(database.dialect).expect("every check has a fault to show");
    database.script(fault);
}

/// Tries the bad state and takes it back: the rows it changed, or the words of the refusal.
fn probe(database: &mut Database, plan: &Plan) -> Result<u64, String> {
    database.run("BEGIN");
    let tried = database.try_run(&plan.probe).map_err(|error| error.to_string());
    database.run("ROLLBACK");
    tried
}

fn changes(runbook: &Runbook) -> impl Iterator<Item = &steadyhand::runbook::Change> {
    runbook.steps.iter().filter_map(|step| match &step.action {
        Action::Change(change) => Some(change),
        _ => None,
    })
}

fn guards(runbook: &Runbook) -> impl Iterator<Item = (&str, &Guard)> {
    runbook.steps.iter().filter_map(|step| match &step.action {
        Action::Guard(guard) => Some((step.title.as_str(), guard)),
        _ => None,
    })
}

/// What every step of one engine's walk has seen; the walks are compared in the end.
type Seen = Vec<(String, Vec<String>)>;

fn walk(dialect: Dialect) -> Seen {
    let pack = pack();
    let mut database = Database::with_erp(dialect);
    let mut seen = Seen::new();
    for check in &pack.checks {
        assert_eq!(violations(&mut database, check), [""; 0], "{dialect}: {} is healthy", check.id);
    }
    for check in &pack.checks {
        inject(&mut database, check);
        let found = violations(&mut database, check);
        assert!(!found.is_empty(), "{dialect}: {} finds its fault", check.id);
        seen.push((format!("{} alone", check.id), found));
    }
    for check in &pack.checks {
        seen.push((format!("{} with all", check.id), violations(&mut database, check)));
    }
    for runbook in &pack.runbooks {
        for change in changes(runbook) {
            if dialect == Dialect::Sqlite {
                database.run("PRAGMA foreign_keys = OFF");
            }
            database.run("BEGIN");
            for statement in &change.statements {
                let text = statement.sql.get(dialect).expect("every change speaks every engine");
                let text = sql::substitute(text, dialect, &|name| Some(format!("'a {name}'")));
                let rows = database.run(&text.expect("every answer is a literal"));
                seen.push((format!("{}: {}", runbook.id, statement.note), vec![rows.to_string()]));
            }
            database.run("COMMIT");
            for check in pack.checks.iter().filter(|check| change.cures.contains(&check.id)) {
                let left = violations(&mut database, check);
                assert_eq!(left, [""; 0], "{dialect}: {} is cured", check.id);
            }
        }
        for check in &pack.checks {
            let name = format!("{} after {}", check.id, runbook.id);
            seen.push((name, violations(&mut database, check)));
        }
    }
    for runbook in &pack.runbooks {
        for (title, guard) in guards(runbook) {
            let plan = Plan::of(title, guard, dialect).expect("every guard speaks every engine");
            prove(&mut database, &plan);
        }
    }
    for (table, columns) in [
        ("asset_assignments", "id, asset_id, employee_id, assigned_at, return_date, note"),
        (
            "timesheets",
            "id, employee_id, project_id, work_date, hours * 100 + 0.0, status, submitted_at, approved_at, remark",
        ),
        // Without its number, which an INSERT of many rows gives in any order.
        ("approvals", "timesheet_id, approver_id, decision, decided_at, remark"),
        ("approvals_quarantine", "approval_id, timesheet_id, decision, decided_at, remark, reason"),
    ] {
        let rows = database.rows(&format!("SELECT {columns} FROM {table}"));
        let mut rows: Vec<String> = rows.iter().map(|row| plain(row)).collect();
        rows.sort();
        seen.push((format!("{table} in the end"), rows));
    }
    seen
}

/// A row as text; a number without the zeros behind its point, which engines write differently.
fn plain(row: &[String]) -> String {
    let number = |text: &String| text.parse::<f64>().map_or(text.clone(), |n| n.to_string());
    row.iter().map(number).collect::<Vec<_>>().join("|")
}

/// Rehearses, applies and withdraws a guardrail; the bad state is possible before and after.
fn prove(database: &mut Database, plan: &Plan) {
    let dialect = database.dialect;
    let title = &plan.title;
    let possible = |database: &mut Database, when: &str| {
        let tried = probe(database, plan);
        assert!(
            tried.as_ref().is_ok_and(|rows| *rows > 0),
            "{dialect}: {title}: {when}: {tried:?}"
        );
    };
    let refused = |database: &mut Database| {
        let words = probe(database, plan).expect_err("the guardrail stands");
        assert!(words.contains(&plan.rejects), "{dialect}: {title}: {words}");
    };
    possible(database, "before");
    if dialect != Dialect::Mariadb {
        // Whether the definitions can be rehearsed in a transaction and leave no trace.
        database.run("BEGIN");
        database.script(&sql::transactional(&plan.apply, dialect).expect("it is readable"));
        database.run("SAVEPOINT probe");
        let words = database.try_run(&plan.probe).expect_err("the guardrail stands").to_string();
        assert!(words.contains(&plan.rejects), "{dialect}: {title}: {words}");
        database.run("ROLLBACK TO probe");
        database.run("ROLLBACK");
        possible(database, "after a rehearsal");
    }
    database.script(&plan.apply);
    refused(database);
    database.script(&plan.withdraw);
    possible(database, "after the withdrawal");
    database.script(&plan.apply);
    refused(database);
    database.script(&plan.withdraw);
}

#[test]
fn the_pack_finds_cures_and_prevents_the_same_on_every_engine() {
    let ours = walk(ENGINES[0]);
    let alone = |id: &str| ours.iter().find(|(name, _)| *name == format!("{id} alone"));
    for (id, violations) in [
        ("approved-without-approval", 37),
        ("asset-double-assignment", 12),
        ("hours-out-of-range", 6),
        ("orphaned-approval", 9),
        ("overlapping-assignment", 5),
        ("self-approval", 8),
    ] {
        assert_eq!(alone(id).map(|(_, found)| found.len()), Some(violations), "{id}");
    }
    for dialect in &ENGINES[1..] {
        let theirs = walk(*dialect);
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.0, theirs.0);
            let unlike = ours.1.iter().zip(&theirs.1).find(|(ours, theirs)| ours != theirs);
            assert_eq!(unlike, None, "SQLite and {dialect}: {}", ours.0);
            assert_eq!(ours.1.len(), theirs.1.len(), "SQLite and {dialect}: {}", ours.0);
        }
    }
}
