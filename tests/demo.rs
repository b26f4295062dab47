//! The demo's ERP is the same company on every engine: the same rows under the same numbers.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::time::{Duration, Instant};

use common::Database;
use steadyhand::dialect::Dialect;

const ENGINES: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb];

/// Every table with its columns. `cents(x)` is a money or time amount in hundredths, `image(x, name)` a
/// value of a JSON image: what engines write differently.
const TABLES: [(&str, &str); 10] = [
    ("departments", "id, title, cost_center"),
    ("employees", "id, staff_no, full_name, email, job_title, department_id, manager_id, hired_on"),
    ("assets", "id, tag, category, model, serial_no, status, purchased_on, cents(price)"),
    ("asset_assignments", "id, asset_id, employee_id, assigned_at, return_date, note"),
    ("projects", "id, code, title, client, lead_id, started_on, cents(budget)"),
    (
        "timesheets",
        "id, employee_id, project_id, work_date, cents(hours), status, submitted_at, approved_at, remark",
    ),
    ("approvals", "id, timesheet_id, approver_id, decision, decided_at, remark"),
    ("approvals_quarantine", "approval_id"),
    ("project_hours", "project_id, cents(approved_hours), sheet_count"),
    (
        "audit_log",
        "id, table_name, row_id, action, changed_at, image(old_value, note), image(new_value, note), \
         image(new_value, employee_id), image(new_value, decision), image(new_value, remark)",
    ),
];

fn columns(dialect: Dialect, columns: &str) -> String {
    let cents = match dialect {
        Dialect::Sqlite => "CAST(round(100 * $1) AS INTEGER)",
        Dialect::Postgres => "CAST(100 * $1 AS bigint)",
        _ => "CAST(100 * $1 AS SIGNED)",
    };
    let image = match dialect {
        Dialect::Sqlite => "json_extract($1, '$$.$2')",
        Dialect::Postgres => "$1 ->> '$2'",
        _ => "JSON_VALUE($1, '$$.$2')",
    };
    let replace = |pattern: &str, text: &str, by: &str| {
        regex_lite::Regex::new(pattern).unwrap().replace_all(text, by).into_owned()
    };
    let text = replace(r"cents\((\w+)\)", columns, cents);
    replace(r"image\((\w+), (\w+)\)", &text, image)
}

#[test]
fn the_erp_is_the_same_on_every_engine() {
    let mut databases: Vec<Database> = ENGINES.into_iter().map(Database::with_erp).collect();
    for (table, names) in TABLES {
        let all: Vec<_> = databases
            .iter_mut()
            .map(|database| {
                let names = columns(database.dialect, names);
                database.rows(&format!("SELECT {names} FROM {table} ORDER BY 1"))
            })
            .collect();
        for (rows, dialect) in all.iter().zip(ENGINES).skip(1) {
            let unlike = all[0].iter().zip(rows).find(|(ours, theirs)| ours != theirs);
            assert_eq!(unlike, None, "SQLite and {dialect}, {table}");
            assert_eq!(all[0].len(), rows.len(), "{dialect}, {table}");
        }
    }
    // A new row gets the number behind the last one, as it does on SQLite.
    for database in &mut databases {
        database.run("INSERT INTO projects (code, title, client, lead_id, started_on, budget) VALUES ('P-999', 'x', 'x', 1, '2026-11-20', 0)");
        database.run("INSERT INTO asset_assignments (asset_id, employee_id, assigned_at) VALUES (1, 1, '2026-11-20 08:00:00')");
        let last = "SELECT (SELECT MAX(id) FROM projects), (SELECT COUNT(*) - MAX(id) FROM asset_assignments), \
                    (SELECT COUNT(*) - MAX(id) FROM audit_log), (SELECT COUNT(*) - MAX(id) FROM timesheets), \
                    (SELECT COUNT(*) - MAX(id) FROM approvals)";
        assert_eq!(database.rows(last), [["61", "0", "0", "0", "0"]], "{}", database.dialect);
    }
}

/// What the business would notice first: totals follow, changes are recorded, and what the entry form
/// refuses is refused.
#[test]
fn the_triggers_do_the_same_on_every_engine() {
    for dialect in ENGINES {
        let mut database = Database::with_erp(dialect);
        let hours = "SELECT SUM(sheet_count), (SELECT COUNT(*) FROM audit_log), (SELECT COUNT(*) FROM approvals) FROM project_hours";
        let read = |database: &mut Database| -> Vec<i64> {
            database.rows(hours)[0].iter().map(|text| text.parse().unwrap()).collect()
        };
        let before = read(&mut database);
        let one = "(SELECT t.id FROM (SELECT MIN(x.id) AS id FROM timesheets x WHERE x.status = 'approved') t)";
        database.run(&format!("UPDATE timesheets SET status = 'draft' WHERE id = {one}"));
        let changed = read(&mut database);
        assert_eq!((changed[0], changed[1]), (before[0] - 1, before[1] + 1), "{dialect}");
        if dialect == Dialect::Sqlite {
            database.run("PRAGMA foreign_keys = ON");
        }
        database.run(&format!("DELETE FROM timesheets WHERE id = {one}"));
        let deleted = read(&mut database);
        assert_eq!(deleted[2], before[2] - 1, "the approval goes with its sheet: {dialect}");
        // MariaDB runs no trigger for what a cascade takes.
        let audited = if dialect == Dialect::Mariadb { 1 } else { 2 };
        assert_eq!((deleted[0], deleted[1]), (changed[0] - 1, changed[1] + audited), "{dialect}");
        for (sql, rule) in [
            (
                "INSERT INTO timesheets (employee_id, project_id, work_date, hours, status) VALUES (1, 1, '2026-11-20', 25, 'submitted')",
                "timesheets_entry_hours",
            ),
            (
                "INSERT INTO timesheets (employee_id, project_id, work_date, hours, status) VALUES (1, 1, '2026-11-20', 8, 'approved')",
                "timesheets_entry_status",
            ),
            ("UPDATE approvals SET approver_id = 1", "approvals_who_is_fixed"),
        ] {
            let refused = database.try_run(sql).unwrap_err().to_string();
            assert!(refused.contains(rule), "{dialect}: {refused}");
        }
    }
}

#[test]
fn the_erp_is_laid_out_while_somebody_waits() {
    for dialect in [Dialect::Postgres, Dialect::Mariadb] {
        let mut database = Database::new(dialect);
        let start = Instant::now();
        if dialect == Dialect::Postgres {
            database.run("BEGIN");
        }
        database.script(steadyhand::demo::script(dialect).unwrap());
        assert!(start.elapsed() < Duration::from_secs(15), "{dialect}: {:?}", start.elapsed());
        database.run(steadyhand::demo::removal(dialect));
    }
}
