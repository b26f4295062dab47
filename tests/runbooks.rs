//! Every runbook of the packs, walked from its first step to its last on every engine that it is for:
//! faults injected, checks asked, changes previewed, executed, undone and executed again, guardrails
//! rehearsed, applied and withdrawn, tools run, what is for hands done by hand.
//!
//! A new runbook is walked without a word here. What was walked is printed:
//! `cargo test --test runbooks -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::desk::{agreed, consent};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use common::desk::approve;
use common::server::{Kind, Server, Setup};
use common::{Client, Cockpit, Home, Sqlite, WIDE};
use steadyhand::catalogue::Catalogue;
use steadyhand::check::{Check, REMEDIATION};
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::consent::Act;
use steadyhand::demo;
use steadyhand::dialect::Dialect;
use steadyhand::engine::{Purpose, Stopper};
use steadyhand::guardrail;
use steadyhand::incident::Incident;
use steadyhand::incident::entry::{Deed, Entry, Outcome};
use steadyhand::incident::journal::{self, Journal};
use steadyhand::ops::connect::{connect, identify};
use steadyhand::ops::tool::{RECORD, Site};
use steadyhand::ops::{detect, guard, mass, plan, recover};
use steadyhand::recovery::{Execution, Plan, Preview};
use steadyhand::runbook::{Action, ActionKind, AnswerType, Ask, Change, CommandStep, Expect};
use steadyhand::runbook::{Guard, Manual, Ran};
use steadyhand::runbook::{Runbook, Stage, Step};
use steadyhand::sql;
use steadyhand::value::Rows;
use tokio::runtime::{Builder, Runtime};

/// Questions and their answers.
type Left = &'static [(&'static str, &'static str)];

/// What a runbook meets besides the faults of its checks, and what is there in the end.
const BESIDES: [(&str, &str, Left); 2] = [
    (
        // A day on which nobody bought may say so.
        "summary-drift",
        "INSERT INTO daily_sales (sales_date, tenant_id, order_count, revenue) VALUES ('2001-01-01', 1, 0, 0);
         INSERT INTO daily_sales (sales_date, tenant_id, order_count, revenue) VALUES ('2001-01-02', 1, 3, 70)",
        &[
            ("SELECT COUNT(*) FROM daily_sales WHERE sales_date = '2001-01-01'", "1"),
            ("SELECT COUNT(*) FROM daily_sales WHERE sales_date = '2001-01-02'", "0"),
        ],
    ),
    (
        // Two lines left in two parcels each, of which the first is booked rightly.
        "partial-commit",
        "INSERT INTO stock_movements (id, product_id, warehouse, quantity, source_type, source_id, moved_on)
         SELECT 1000001, product_id, warehouse, -2, source_type, source_id, moved_on FROM stock_movements
          WHERE source_type = 'order_line' AND source_id =
                (SELECT MIN(source_id) FROM stock_movements WHERE source_type = 'order_line' AND quantity < -2 AND source_id <> 2211);
         INSERT INTO stock_movements (id, product_id, warehouse, quantity, source_type, source_id, moved_on)
         SELECT 1000002, product_id, warehouse, -1, source_type, source_id, moved_on FROM stock_movements
          WHERE source_type = 'order_line' AND source_id =
                (SELECT MAX(source_id) FROM stock_movements WHERE source_type = 'order_line' AND quantity < -2 AND source_id <> 2211);
         UPDATE stock_movements SET quantity = quantity + 2 WHERE id < 1000001 AND source_type = 'order_line'
            AND source_id IN (SELECT b.source_id FROM (SELECT source_id FROM stock_movements WHERE id > 1000000) b)",
        &[
            (
                "SELECT COUNT(*) FROM stock_movements WHERE source_type = 'order_line' AND source_id = (SELECT source_id FROM stock_movements WHERE id = 1000001)",
                "2",
            ),
            (
                "SELECT COUNT(*) FROM stock_movements WHERE source_type = 'order_line' AND source_id = (SELECT source_id FROM stock_movements WHERE id = 1000002)",
                "3",
            ),
        ],
    ),
];

/// Bad rows that are new, and what refuses them once a runbook was walked: a probe tries one way only.
const NEW_ROWS: [(&str, &str, &str); 8] = [
    (
        "order-total-drift",
        "orders_total_adds_up",
        "INSERT INTO orders (id, tenant_id, number, customer_id, status, currency, order_date, subtotal, tax, discount, total)
         VALUES (9001, 1, 9001, 1, 'new', 'CHF', '2026-11-20', 100, 25, 0, 120)",
    ),
    (
        "stock-drift",
        "stock_not_below_zero",
        "INSERT INTO stock_levels (product_id, warehouse, on_hand, reserved) VALUES (1, 9, -1, 0)",
    ),
    (
        "schema-drift",
        "payments_amount_positive",
        "INSERT INTO payments (id, order_id, reference, amount, currency, paid_on)
         VALUES (9001, 1, 'PAY-909001', 0, 'CHF', '2026-11-20')",
    ),
    (
        "deployment-regression",
        "orders_status_known",
        "INSERT INTO orders (id, tenant_id, number, customer_id, status, currency, order_date, subtotal, tax, discount, total)
         VALUES (9001, 1, 9001, 1, 'refunded', 'CHF', '2026-11-20', 100, 25, 0, 125)",
    ),
    (
        "monitoring-blind-spot",
        "jobs_off_with_reason",
        "INSERT INTO jobs (job, every_minutes, enabled, last_success) VALUES ('new', 5, 0, '2026-11-20 10:00:00')",
    ),
    (
        "missed-rpo",
        "backup_runs_proved",
        "INSERT INTO backup_runs (id, kind, started_at, finished_at, outcome)
         VALUES (9001, 'full', '2026-11-20 10:00:00', '2026-11-20 10:01:00', 'ok')",
    ),
    (
        "backup-drill",
        "backup_runs_timed",
        "INSERT INTO backup_runs (id, kind, started_at, outcome, restored_at)
         VALUES (9001, 'full', '2026-11-20 10:00:00', 'failed', '2026-11-20 10:00:00')",
    ),
    (
        "cross-tenant-leak",
        "webauthn_same_tenant",
        "INSERT INTO webauthn_credentials (id, tenant_id, customer_id, credential_id, created_on)
         SELECT 9001, 1 + c.tenant_id % 3, c.id, 'new', '2026-11-20' FROM customers c WHERE c.id = 1",
    ),
];

/// What one repair makes of rows that others have brought about: how the reason begins for which it is
/// refused, or what is there in the end.
struct Repair {
    runbook: &'static str,
    step: &'static str,
    given: &'static str,
    refused: &'static [&'static str],
    left: Left,
}

const REPAIRS: [Repair; 14] = [
    // A tax of another rate stays as it is, and so does a discount that is right beside a wrong tax.
    Repair {
        runbook: "order-total-drift",
        step: "recompute",
        given: "UPDATE orders SET tax = 25.35, total = subtotal + 25.35 - discount WHERE id = 40;
                UPDATE orders SET subtotal = subtotal + 40, discount = discount + 40 WHERE id = 40;
                UPDATE orders SET total = total - 30 WHERE id = 41;
                UPDATE orders SET discount = 3, total = total - 3, tax = 1 WHERE id = 43;
                UPDATE order_lines SET line_total = 10.02 WHERE order_id = 45 AND line_no = 1;
                DELETE FROM order_lines WHERE order_id = 45 AND line_no > 1;
                UPDATE orders SET subtotal = 10.02, tax = 1, discount = 0, total = 12.53 WHERE id = 45",
        refused: &[],
        left: &[
            ("SELECT COUNT(*) FROM orders WHERE id = 40 AND tax = 25.35 AND discount = 0 AND subtotal = 313", "1"),
            ("SELECT COUNT(*) FROM orders WHERE id = 41 AND tax * 4 = subtotal AND discount = 30", "1"),
            ("SELECT COUNT(*) FROM orders WHERE id = 43 AND tax * 4 = subtotal AND discount = 3", "1"),
            ("SELECT COUNT(*) FROM orders WHERE id = 45 AND tax = 2.51 AND discount = 0", "1"),
            ("SELECT COUNT(*) FROM orders WHERE id IN (33, 305, 512) AND tax * 4 = subtotal AND discount = 0", "3"),
            ("SELECT COUNT(*) FROM orders WHERE discount < 0", "0"),
        ],
    },
    // Customers of whom there is no total yet.
    Repair {
        runbook: "summary-drift",
        step: "customers-anew",
        given: "DELETE FROM customer_totals WHERE customer_id IN (5, 6)",
        refused: &[],
        left: &[("SELECT COUNT(*) FROM customer_totals WHERE customer_id IN (5, 6) AND spent > 0", "2")],
    },
    // A reservation below zero follows the orders, as a level follows its movements.
    Repair {
        runbook: "stock-drift",
        step: "follow",
        given: "UPDATE stock_levels SET reserved = reserved - 500 WHERE product_id = 3",
        refused: &[],
        left: &[(
            "SELECT COUNT(*) FROM stock_levels s WHERE s.product_id = 3 AND s.reserved =
             (SELECT COALESCE(SUM(l.quantity), 0) FROM order_lines l JOIN orders o ON o.id = l.order_id
               WHERE o.status = 'paid' AND l.product_id = 3 AND 1 + o.id % 2 = s.warehouse)",
            "2",
        )],
    },
    // Movements that add up to less than nothing are for whoever counts.
    Repair {
        runbook: "stock-drift",
        step: "follow",
        given: "UPDATE stock_movements SET quantity = quantity - 900 WHERE product_id = 7 AND warehouse = 1 AND source_type = 'opening';
                UPDATE stock_levels SET on_hand = on_hand - 700 WHERE product_id = 7 AND warehouse = 1",
        refused: &["negative-stock would still have 1 violation"],
        left: &[],
    },
    // The first movement of all.
    Repair {
        runbook: "stock-drift",
        step: "explain",
        given: "DELETE FROM stock_movements;
                UPDATE stock_levels SET on_hand = 0;
                UPDATE stock_levels SET on_hand = 4 WHERE product_id = 1 AND warehouse = 1",
        refused: &[],
        left: &[("SELECT id FROM stock_movements WHERE quantity = 4", "1")],
    },
    // Who has no manager is nobody's to confirm in the record.
    Repair {
        runbook: "approved-without-approval",
        step: "record",
        given: "UPDATE employees SET manager_id = NULL WHERE id IN
                (SELECT p.id FROM (SELECT MIN(t.employee_id) AS id FROM timesheets t WHERE t.status = 'approved' AND t.approved_at > '2026-11-19 21:59:00'
                  AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.timesheet_id = t.id)) p)",
        refused: &["approved-without-approval would still have"],
        left: &[],
    },
    // One reference of another form keeps the others neither from being read nor from being told.
    Repair {
        runbook: "orphans",
        step: "attach",
        given: "UPDATE payments SET reference = 'manual' WHERE id = 31",
        refused: &["orphan-payment would still have 1 violation"],
        left: &[],
    },
    Repair {
        runbook: "orphans",
        step: "attach",
        given: "UPDATE payments SET reference = 'by hand 4711' WHERE id = 35",
        refused: &[],
        left: &[("SELECT COUNT(*) FROM payments WHERE id IN (31, 32, 33) AND order_id = id", "3")],
    },
    // Neither half was written of one line; of the others the level was.
    Repair {
        runbook: "partial-commit",
        step: "book",
        given: "DELETE FROM stock_movements WHERE source_type = 'order_line' AND source_id = 171;
                UPDATE stock_levels SET on_hand = on_hand + 4 WHERE product_id = 45 AND warehouse = 2",
        refused: &[],
        left: &[
            ("SELECT COUNT(*) FROM stock_movements WHERE source_type = 'order_line' AND source_id = 171 AND quantity = -4", "1"),
            (
                "SELECT COUNT(*) FROM stock_levels s WHERE s.on_hand <> (SELECT COALESCE(SUM(m.quantity), 0) FROM stock_movements m
                  WHERE m.product_id = s.product_id AND m.warehouse = s.warehouse)",
                "0",
            ),
        ],
    },
    // The first backup of all, of which nothing older is on record.
    Repair {
        runbook: "missed-rpo",
        step: "record",
        given: "DELETE FROM backup_runs",
        refused: &[],
        left: &[("SELECT id FROM backup_runs", "1")],
    },
    Repair {
        runbook: "backup-drill",
        step: "record",
        given: "DELETE FROM backup_runs",
        refused: &[],
        left: &[("SELECT id FROM backup_runs", "1")],
    },
    // A drill says nothing of backups that it did not try.
    Repair {
        runbook: "backup-drill",
        step: "record",
        given: "UPDATE backup_runs SET sha256 = NULL WHERE id = 106",
        refused: &[],
        left: &[
            ("SELECT COUNT(*) FROM backup_runs WHERE outcome = 'failed'", "0"),
            ("SELECT COUNT(*) FROM backup_runs WHERE restored_at IS NOT NULL AND sha256 IS NOT NULL AND id = 107", "1"),
        ],
    },
    // The last of its kind is what a restore would need, proved or not.
    Repair {
        runbook: "backup-drill",
        step: "unproved",
        given: "UPDATE backup_runs SET sha256 = NULL WHERE id IN (104, 106)",
        refused: &[],
        left: &[
            ("SELECT COUNT(*) FROM backup_runs WHERE outcome = 'failed'", "1"),
            ("SELECT COUNT(*) FROM backup_runs WHERE outcome = 'failed' AND id = 104", "1"),
        ],
    },
    // No discount explains a total that is too high.
    Repair {
        runbook: "order-total-drift",
        step: "recompute",
        given: "UPDATE orders SET total = total + 30 WHERE id = 33",
        refused: &["order-total-arithmetic would still have 1 violation"],
        left: &[],
    },
];

/// A repair cures what it can and says what it cannot; what it need not touch stays.
fn repair(dialect: Dialect) {
    let catalogue = Catalogue::built_in().unwrap();
    let mut ground = Ground::new(dialect);
    for Repair { runbook: id, step, given, refused, left } in &REPAIRS {
        if std::env::var("RUNBOOK").is_ok_and(|only| only != *id) {
            continue;
        }
        let runbook = catalogue.runbooks.iter().find(|runbook| runbook.id == *id).unwrap();
        let mut walk = ground.lay_out(&catalogue, runbook);
        walk.hands.run(given, dialect);
        let step = runbook.step(step).unwrap();
        let place = walk.place(step);
        for before in runbook.steps.iter().take_while(|one| one.id != step.id) {
            let told = match &before.action {
                Action::Ask(_) => true,
                Action::Command(command) => command.backup.is_some(),
                _ => false,
            };
            if told {
                walk.step(before);
            }
        }
        let Action::Change(change) = &step.action else { panic!("{place}") };
        let job = walk.job(step, "tried", walk.plan(step, change));
        let preview = walk.runtime.block_on(recover::preview(&job, &Stopper::default()));
        let preview = preview.unwrap_or_else(|why| panic!("{place}: {why}"));
        let objections = &preview.refused;
        assert_eq!(objections.len(), refused.len(), "{place}: {given}: {objections:?}");
        let begins = |(said, known): (&String, &&str)| said.starts_with(*known);
        assert!(objections.iter().zip(*refused).all(begins), "{place}: {objections:?}");
        if refused.is_empty() {
            walk.carry_out(step, "for-good", job.plan);
        }
        for (question, answer) in *left {
            assert_eq!(walk.hands.rows(question), [[*answer]], "{place}: {question}");
        }
        drop(walk);
        ground.clear();
    }
}

#[test]
fn a_repair_cures_what_it_can_on_sqlite() {
    repair(Dialect::Sqlite);
}

#[test]
fn a_repair_cures_what_it_can_on_postgresql() {
    repair(Dialect::Postgres);
}

#[test]
fn a_repair_cures_what_it_can_on_mariadb() {
    repair(Dialect::Mariadb);
}

/// The runbooks of a pack, walked to their end on an engine.
fn walk_pack(pack: &str, dialect: Dialect) {
    let catalogue = Catalogue::built_in().unwrap();
    let mut ground = Ground::new(dialect);
    let mut told = format!("{pack} on {dialect}\n");
    let only = std::env::var("RUNBOOK").ok();
    let chosen = |one: &&Runbook| one.pack == pack && only.as_ref().is_none_or(|id| *id == one.id);
    for runbook in catalogue.runbooks.iter().filter(chosen) {
        let asks = |id: &str| catalogue.check(id).is_some_and(|check| check.is_for(dialect));
        if !runbook.is_for(dialect, asks) {
            writeln!(told, "{:<26} has nothing to ask here", runbook.id).unwrap();
            continue;
        }
        let mut walk = ground.lay_out(&catalogue, runbook);
        let besides = BESIDES.iter().find(|(id, ..)| *id == runbook.id);
        if let Some((_, script, _)) = besides {
            walk.hands.run(script, dialect);
        }
        for step in &runbook.steps {
            walk.step(step);
        }
        for (question, answer) in besides.iter().flat_map(|(.., left)| *left) {
            assert_eq!(walk.hands.rows(question), [[*answer]], "{}: {question}", runbook.id);
        }
        for (_, name, row) in NEW_ROWS.iter().filter(|(id, ..)| *id == runbook.id) {
            let said = walk.hands.refusal(row);
            assert!(said.contains(name), "{} on {dialect}: {said}", runbook.id);
        }
        writeln!(told, "{:<26} {}", runbook.id, walk.done.join(", ")).unwrap();
        drop(walk);
        ground.clear();
    }
    #[allow(clippy::print_stdout, reason = "the table is what such a run is for")]
    {
        println!("{told}");
    }
}

macro_rules! walked {
    ($($pack:ident)*) => {
        $(mod $pack {
            use steadyhand::dialect::Dialect;

            #[test]
            fn is_walked_to_its_end_on_sqlite() {
                super::walk_pack(stringify!($pack), Dialect::Sqlite);
            }

            #[test]
            fn is_walked_to_its_end_on_postgresql() {
                super::walk_pack(stringify!($pack), Dialect::Postgres);
            }

            #[test]
            fn is_walked_to_its_end_on_mariadb() {
                super::walk_pack(stringify!($pack), Dialect::Mariadb);
            }
        })*

        #[test]
        fn every_pack_is_walked() {
            let walked = [$(stringify!($pack)),*];
            for runbook in Catalogue::built_in().unwrap().runbooks {
                assert!(walked.contains(&runbook.pack.as_str()), "{}", runbook.pack);
            }
        }
    };
}

walked! { commerce integrity operations reliability resilience }

#[test]
fn every_incident_opens_in_the_demo_or_says_where_it_would() {
    let catalogue = Catalogue::built_in().unwrap();
    for runbook in &catalogue.runbooks {
        let asks =
            |id: &str| catalogue.check(id).is_some_and(|check| check.is_for(Dialect::Sqlite));
        let args = ["demo", "--incident", &runbook.id];
        if runbook.is_for(Dialect::Sqlite, asks) {
            let cockpit = Cockpit::start(&args, WIDE);
            cockpit.wait_for(&runbook.steps[0].title);
            cockpit.wait_for("milestone: detected");
            continue;
        }
        let refused = Home::new().steadyhand(&args).assert().code(4);
        let words = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(words.contains("has nothing to ask on SQLite"), "{words}");
        assert!(words.contains("--engine postgres"), "{words}");
    }
}

#[test]
fn the_page_of_the_packs_names_every_check_and_runbook() {
    let (catalogue, page) = (Catalogue::built_in().unwrap(), include_str!("../docs/packs.md"));
    let named = |id: &str| page.contains(&format!("| `{id}` |"));
    for check in &catalogue.checks {
        assert!(named(&check.id) && page.contains(&check.title), "{}", check.id);
    }
    for runbook in &catalogue.runbooks {
        assert!(named(&runbook.id) && page.contains(&runbook.title), "{}", runbook.id);
    }
}

/// Enter alone must not put into a record what nobody looked up.
#[test]
fn what_is_asked_is_never_made_up() {
    for runbook in Catalogue::built_in().unwrap().runbooks {
        for step in &runbook.steps {
            let Action::Ask(ask) = &step.action else { continue };
            let place = format!("{} of {}", step.id, runbook.id);
            match &ask.answer {
                AnswerType::Choice(_) => {}
                AnswerType::Text { pattern } => {
                    assert!(pattern.is_some() && ask.default.is_none(), "{place}");
                }
                _ => assert_eq!(ask.default, None, "{place}"),
            }
        }
    }
}

#[test]
fn every_runbook_has_its_seven_parts() {
    let catalogue = Catalogue::built_in().unwrap();
    assert!(catalogue.runbooks.len() >= 18, "{}", catalogue.runbooks.len());
    for runbook in &catalogue.runbooks {
        let any = |is: &dyn Fn(&Step) -> bool| runbook.steps.iter().any(is);
        let at = |stage: Stage| any(&|step| step.stage == Some(stage));
        let id = &runbook.id;
        assert!(
            any(&|step| matches!(step.action, Action::Check(_) | Action::Command(_))),
            "{id}: detection"
        );
        assert!(at(Stage::Contain), "{id}: containment");
        assert!(any(&|step| matches!(step.action, Action::Comms(_))), "{id}: communication");
        assert!(at(Stage::Recover), "{id}: recovery");
        assert!(at(Stage::Revalidate), "{id}: verification");
        let guarded = any(&|step| matches!(step.action, Action::Guard(_)));
        let by_hand = any(
            &|step| matches!(&step.action, Action::Manual(manual) if step.stage == Some(Stage::Close) && !manual.by_hand.is_empty()),
        );
        assert!(guarded || by_hand, "{id}: prevention");
        assert!(
            runbook.actions.iter().any(|action| action.kind == ActionKind::Prevent),
            "{id}: what prevents it"
        );
        let last = runbook.steps.last().unwrap();
        assert!(
            matches!(last.action, Action::Note) && last.stage == Some(Stage::Close),
            "{id}: review"
        );
        assert!(
            runbook.id == "corruption"
                || catalogue.checks.iter().any(|check| check.runbook.as_deref() == Some(id)),
            "{id}: no check leads here"
        );
    }
}

/// A restored copy is compared in all of its tables.
#[test]
fn a_copy_that_differs_in_one_table_is_not_the_same() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut ground = Ground::new(Dialect::Mariadb);
    for id in ["backup-drill", "missed-rpo"] {
        let runbook = catalogue.runbooks.iter().find(|runbook| runbook.id == id).unwrap();
        let mut walk = ground.lay_out(&catalogue, runbook);
        for step in runbook.steps.iter().take_while(|step| step.id != "compare") {
            walk.step(step);
        }
        let change =
            "UPDATE steadyhand_scratch_inc_0001.daily_sales SET revenue = revenue + 1 LIMIT 1";
        walk.hands.run(change, Dialect::Mariadb);
        let step = runbook.step("compare").unwrap();
        let Action::Command(command) = &step.action else { panic!("{}", walk.place(step)) };
        let (_, ran) = walk.ran(step, command);
        let told = Some("the output is not that of the step sum-live");
        assert_eq!((ran.exit, ran.trouble.as_deref()), (Some(0), told), "{id}");
        walk.step(runbook.step("drop-scratch").unwrap());
        drop(walk);
        ground.clear();
    }
}

/// Where demos are laid out, one after the other.
enum Ground {
    Folder,
    Server(Server),
}

impl Ground {
    fn new(dialect: Dialect) -> Self {
        let kind = match dialect {
            Dialect::Sqlite => return Self::Folder,
            Dialect::Postgres => Kind::Postgres,
            _ => Kind::Mariadb,
        };
        let server = Setup::new(kind).start();
        server.database("erp");
        Self::Server(server)
    }

    fn lay_out<'c>(&mut self, catalogue: &'c Catalogue, runbook: &'c Runbook) -> Walk<'c> {
        let home = tempfile::tempdir().unwrap();
        let faults: Vec<_> = catalogue
            .checks
            .iter()
            .filter(|check| check.runbook.as_ref() == Some(&runbook.id))
            .cloned()
            .collect();
        // What a runbook brings back from an earlier backup has to be there first.
        let (faults, losses) = match runbook.step("fetch") {
            Some(_) => (Vec::new(), faults),
            None => (faults, Vec::new()),
        };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (url, hands) = match self {
            Self::Folder => {
                runtime
                    .block_on(demo::build(home.path(), &faults))
                    .unwrap_or_else(|why| panic!("{}: {why}", runbook.id));
                let file = demo::database(home.path());
                (TargetUrl::sqlite(&file), Hands::File(file))
            }
            Self::Server(server) => {
                let given = TargetUrl::parse(&server.url("erp"), Path::new("")).unwrap();
                let url = given.within(demo::SCHEMA);
                let target = Target::new("erp", given, Environment::Development);
                let wait = std::time::Duration::from_secs(5);
                runtime.block_on(async {
                    let stopper = Stopper::default();
                    let mut session =
                        connect(&target, Purpose::Work, wait, &stopper).await.unwrap();
                    let laid = demo::lay_out(&mut session, &faults).await;
                    laid.unwrap_or_else(|why| panic!("{}: {why}", runbook.id));
                    session.close().await;
                });
                let mut client = server.client(if server.kind() == Kind::Postgres {
                    "erp"
                } else {
                    demo::SCHEMA
                });
                if server.kind() == Kind::Postgres {
                    client.run("SET search_path = steadyhand_demo");
                }
                (url, Hands::Client(client))
            }
        };
        let target = Target::new("erp", url, Environment::Development);
        let server = runtime.block_on(identify(&target)).unwrap().server;
        let folder = home.path().join("state/incidents/INC-0001");
        let (journal, _) = Journal::open(&folder, "ada").unwrap();
        let answers = BTreeMap::new();
        let done = Vec::new();
        let mut walk = Walk {
            catalogue,
            runbook,
            target,
            server,
            folder,
            journal,
            answers,
            hands,
            done,
            runtime,
            _home: home,
        };
        if !losses.is_empty() {
            walk.lose(&losses);
        }
        walk
    }

    fn clear(&self) {
        match self {
            Self::Folder => {}
            Self::Server(server) if server.kind() == Kind::Postgres => {
                server.run("erp", demo::removal(Dialect::Postgres));
            }
            Self::Server(server) => {
                server.run("mysql", demo::removal(Dialect::Mariadb));
            }
        }
    }
}

/// What a person does in the client of the database.
enum Hands {
    File(PathBuf),
    Client(Client),
}

impl Hands {
    fn rows(&mut self, question: &str) -> Vec<Vec<String>> {
        match self {
            Self::File(file) => Sqlite::open(file).rows(question),
            Self::Client(client) => client.rows(question),
        }
    }

    /// What the database says against a statement.
    fn refusal(&mut self, sql: &str) -> String {
        let ran = match self {
            Self::File(file) => Sqlite::open(file).try_run(sql),
            Self::Client(client) => client.try_run(sql),
        };
        ran.expect_err(sql).to_string()
    }

    fn run(&mut self, script: &str, dialect: Dialect) {
        for statement in sql::split(script, dialect).unwrap() {
            match self {
                Self::File(file) => drop(Sqlite::open(file).run(statement)),
                Self::Client(client) => drop(client.run(statement)),
            }
        }
    }
}

struct Walk<'c> {
    catalogue: &'c Catalogue,
    runbook: &'c Runbook,
    target: Target,
    server: String,
    folder: PathBuf,
    journal: Journal,
    answers: BTreeMap<String, String>,
    hands: Hands,
    done: Vec<String>,
    runtime: Runtime,
    _home: tempfile::TempDir,
}

impl Walk<'_> {
    fn dialect(&self) -> Dialect {
        self.target.url.dialect
    }

    fn place(&self, step: &Step) -> String {
        format!("{} of {} on {}", step.id, self.runbook.id, self.dialect())
    }

    /// Loses what the faults take away, of which there is a backup.
    fn lose(&mut self, faults: &[Check]) {
        let step = self.runbook.step("backup").unwrap();
        let Action::Command(command) = &step.action else { panic!("{}", self.place(step)) };
        let (argv, ran) = self.ran(step, command);
        assert_eq!(ran.exit, Some(0), "{argv:?}: {}", String::from_utf8_lossy(&ran.output));
        std::fs::rename(self.backup(""), self.backup(".earlier")).unwrap();
        let dialect = self.dialect();
        for check in faults {
            self.hands.run(check.fault.get(dialect).unwrap(), dialect);
        }
    }

    fn backup(&self, ending: &str) -> String {
        self.site().places().filled("{backup}") + ending
    }

    fn step(&mut self, step: &Step) {
        if !step.action.is_for(self.dialect()) {
            return;
        }
        match &step.action {
            Action::Note | Action::Decide(_) | Action::Wait(_) | Action::Comms(_) => {}
            Action::Ask(ask) => {
                let answer = self.answer(ask);
                assert_eq!(ask.answer.takes(&answer), Ok(()), "{}", self.place(step));
                self.answers.insert(ask.var.clone(), answer);
            }
            Action::Check(check) => self.check(step, &check.check, check.expect),
            Action::Manual(manual) => self.by_hand(step, manual),
            Action::Change(change) => self.change(step, change),
            Action::Guard(guard) => self.guard(step, guard),
            Action::Command(command) => self.command(step, command),
        }
    }

    /// What a person would answer; of a backup, what its record says.
    fn answer(&self, ask: &Ask) -> String {
        let recorded = || {
            let record =
                std::fs::read_to_string(self.site().places().backups().join(RECORD)).unwrap();
            serde_json::from_str::<serde_json::Value>(record.lines().last().unwrap()).unwrap()
        };
        let of_it = |name: &str| recorded()[name].to_string().trim_matches('"').to_owned();
        match (&ask.default, ask.var.as_str()) {
            (Some(default), _) => default.clone(),
            (None, var @ ("sha256" | "bytes" | "seconds")) => of_it(var),
            (None, "finished") => of_it("at"),
            (None, "restored") => jiff::Timestamp::now().to_string(),
            (None, "entries" | "minutes") => "12".into(),
            (None, "counted") => "no".into(),
            (None, _) => "as agreed".into(),
        }
    }

    fn ask(&self, id: &str) -> Option<(steadyhand::check::Verdict, Rows)> {
        let check = self.catalogue.check(id).unwrap();
        if !check.is_for(self.dialect()) {
            return None;
        }
        let stopper = Stopper::default();
        let finding =
            self.runtime.block_on(detect::detect(&self.target, check, 100, None, &stopper));
        Some((finding.verdict, finding.rows))
    }

    fn check(&mut self, step: &Step, id: &str, expect: Expect) {
        let Some((verdict, _)) = self.ask(id) else { return };
        let as_expected = match expect {
            Expect::Any => true,
            Expect::Clear => verdict.is_clear(),
            Expect::Violated => verdict.is_violated(),
        };
        assert!(as_expected, "{}: {id} is {verdict:?}", self.place(step));
        let known = !matches!(verdict, steadyhand::check::Verdict::Inconclusive { .. });
        assert!(known, "{}: {id} is {verdict:?}", self.place(step));
        self.done.push(format!("{id} seen"));
    }

    fn by_hand(&mut self, step: &Step, manual: &Manual) {
        let dialect = self.dialect();
        if let Some(script) = manual.by_hand.get(dialect) {
            self.hands.run(script, dialect);
            self.done.push(format!("{} by hand", step.id));
        }
        for id in &manual.ddl_of {
            let Some((_, rows)) = self.ask(id) else { continue };
            if rows.is_empty() {
                continue;
            }
            let column = rows.column(REMEDIATION).expect("a catalog check");
            for row in 0..rows.len() {
                let ddl = rows.get(row, column).plain().unwrap();
                self.hands.run(&ddl, dialect);
            }
            self.done.push(format!("DDL of {id}"));
        }
        if step.id == "fetch" {
            std::fs::rename(self.backup(".earlier"), self.backup(".chosen")).unwrap();
            self.done.push("backup fetched".into());
        }
        if step.id == "swap"
            && let Hands::File(file) = &self.hands
        {
            std::fs::copy(self.scratch(), file).unwrap();
            self.done.push("files swapped".into());
        }
    }

    fn site(&self) -> Site {
        Site { target: self.target.clone(), folder: self.folder.clone() }
    }

    fn scratch(&self) -> PathBuf {
        let argv =
            steadyhand::runbook::Argv { any: Some(vec!["{scratch}".into()]), ..Default::default() };
        self.site().places().words(&argv).unwrap().remove(0).into()
    }

    fn plan(&self, step: &Step, change: &Change) -> Plan {
        let check = |id: &str| self.catalogue.check(id).cloned();
        let planned = plan::change(self.runbook, step, change, &self.target, &self.answers, check);
        self.runtime.block_on(planned).unwrap()
    }

    fn job(&self, step: &Step, name: &str, plan: Plan) -> recover::Job {
        recover::Job {
            plan,
            target: self.target.clone(),
            server: self.server.clone(),
            actor: "ada".into(),
            op: format!("{}-{name}", step.id),
        }
    }

    fn change(&mut self, step: &Step, change: &Change) {
        let planned = self.plan(step, change);
        let undo = self.carry_out(step, "first", planned.clone());
        match undo {
            None => {
                let rows = self.carry_out(step, "again", self.undo(step, &planned));
                assert_eq!(rows, None, "{}", self.place(step));
                self.carry_out(step, "for-good", planned);
                self.done.push(format!("{} executed, undone, executed", step.id));
            }
            Some(why) => self.done.push(format!("{} executed (no undo: {why})", step.id)),
        }
    }

    /// Previews, approves and executes; says why an undo would not work, if so.
    fn carry_out(&self, step: &Step, name: &str, plan: Plan) -> Option<String> {
        let job = self.job(step, name, plan);
        let place = format!("{} {name}", self.place(step));
        let stopper = Stopper::default();
        let preview = self.runtime.block_on(recover::preview(&job, &stopper));
        let preview = preview.unwrap_or_else(|why| panic!("{place}: {why}"));
        assert_eq!(preview.refused, [""; 0], "{place}");
        assert!(preview.rows() > 0, "{place}: nothing to change");
        let impossible = preview.undo.impossible.clone();
        self.plan_chunks(&job, &preview);
        let approval = approve(&job.plan, preview);
        let executed = if job.plan.mass.is_some() {
            let reins = mass::Reins::default();
            let driven = mass::execute(&job, approval, &self.journal, &reins, &|_| {});
            self.runtime.block_on(driven)
        } else {
            self.runtime.block_on(recover::execute(&job, approval, &self.journal, &stopper))
        };
        assert!(
            matches!(executed, Execution::Committed { sound: true, .. }),
            "{place}: {executed:?}"
        );
        impossible
    }

    /// As the cockpit writes it down.
    fn plan_chunks(&self, job: &recover::Job, preview: &Preview) {
        let Some(chunks) = &preview.chunks else { return };
        let (step, op, deed) = (job.plan.step.clone(), job.op.clone(), job.deed());
        let (left, done, first, about) = (chunks.left, chunks.done, chunks.first, chunks.about);
        let entry = Entry::ChunksPlanned { step, op, deed, left, done, first, about, list: None };
        self.journal.append(entry).unwrap();
    }

    fn undo(&self, step: &Step, change: &Plan) -> Plan {
        let op = format!("{}-first", step.id);
        let (records, _, _) = journal::read(&self.folder).unwrap();
        if change.mass.is_some() {
            let (target, server) = (self.target.clone(), self.server.clone());
            let (plan, actor, of) = (change.clone(), "ada".into(), format!("{}-again", step.id));
            let job = recover::Job { plan, target, server, actor, op: of };
            return mass::undo(&job, &Incident::replay("INC-0001", &records), &self.folder, &op)
                .unwrap();
        }
        let artefact = records.iter().find_map(|record| match &record.entry {
            Entry::UndoWritten { op: of, evidence, .. } if *of == op => Some(evidence.clone()),
            _ => None,
        });
        plan::undo(change, &op, &self.folder, &artefact.unwrap()).unwrap()
    }

    fn guard(&mut self, step: &Step, definition: &Guard) {
        let place = self.place(step);
        let plan = guardrail::Plan::of(&step.title, definition, self.dialect()).unwrap();
        let job = |op: &str| guard::Job {
            step: step.id.clone(),
            op: format!("{}-{op}", step.id),
            plan: plan.clone(),
            target: self.target.clone(),
            server: self.server.clone(),
            actor: "ada".into(),
        };
        let stopper = Stopper::default();
        let found = self.runtime.block_on(guard::rehearse(&job("rehearsed"), &stopper)).unwrap();
        assert!(found.is_sound() || found.untried.is_some(), "{place}: {}", found.sentence());
        for (op, deed) in [
            ("applied", Deed::ApplyGuardrail),
            ("withdrawn", Deed::WithdrawGuardrail),
            ("for-good", Deed::ApplyGuardrail),
        ] {
            let job = job(op);
            let put = guard::put(&job, &deed, agreed(&job, &deed), &self.journal, &stopper);
            let (outcome, why) = self.runtime.block_on(put);
            assert_eq!(outcome, Outcome::Committed, "{place} {op}: {why}");
        }
        self.done.push(format!("{} rehearsed, applied, withdrawn, applied", step.id));
    }

    fn ran(&self, step: &Step, command: &CommandStep) -> (Vec<String>, Ran) {
        let act = Act::RunCommand { step: step.id.clone() };
        let given = (!command.readonly).then(|| consent(act, &self.target.name));
        let (site, stopper) = (self.site(), Stopper::default());
        self.runtime.block_on(site.run(&step.id, command, given, &stopper))
    }

    fn command(&mut self, step: &Step, command: &CommandStep) {
        let (argv, ran) = self.ran(step, command);
        let output = String::from_utf8_lossy(&ran.output).into_owned();
        assert_eq!(
            (ran.exit, &ran.trouble),
            (Some(0), &None),
            "{}: {argv:?}\n{output}",
            self.place(step)
        );
        let output = self.journal.keep(&format!("command-{}.txt", step.id), &ran.output).unwrap();
        let (exit, seconds) = (ran.exit, ran.seconds);
        self.journal
            .append(Entry::CommandRan { step: step.id.clone(), argv, exit, seconds, output })
            .unwrap();
        if command.backup.is_some() {
            let record =
                std::fs::read_to_string(self.site().places().backups().join(RECORD)).unwrap();
            let line: serde_json::Value =
                serde_json::from_str(record.lines().last().unwrap()).unwrap();
            let bytes = std::fs::read(line["file"].as_str().unwrap()).unwrap();
            assert_eq!(line["sha256"], steadyhand::digest::sha256(&bytes));
            assert_eq!(line["bytes"], bytes.len());
        }
        if step.id == "bring-over" {
            // Before anybody makes up for anything by hand.
            for id in ["table-missing", "customer-totals-drift"] {
                self.check(step, id, Expect::Clear);
            }
        }
        self.done.push(format!("{} run", step.id));
    }
}
