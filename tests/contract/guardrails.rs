//! A guardrail: rehearsed without a trace, applied in the form that lets others work, proved by name,
//! withdrawn; and what an attempt that failed has left is found and taken away.

use steadyhand::config::Approval;
use steadyhand::dialect::Dialect;
use steadyhand::engine::{Purpose, Stopper};
use steadyhand::guardrail::{Plan, Rehearsal};
use steadyhand::incident::entry::{Deed, Outcome};
use steadyhand::ops::guard::{self, Job};

use super::common::desk::{Desk, agreed};
use super::{of, wait_until};

contract! {
    a_rehearsal_leaves_no_trace_and_knows_the_guardrail_by_name on sqlite postgres mariadb;
    data_that_does_not_fit_is_said_and_nothing_is_applied on sqlite postgres mariadb;
    a_trigger_is_not_said_to_have_looked_at_the_rows on sqlite postgres,
        not mariadb: "a trigger is not tried on a copy, and said to be untried";
    a_guardrail_of_two_triggers_stands_or_falls_as_one on sqlite,
        not postgres: "one trigger is for several events",
        not mariadb: "each definition commits";
    a_rejection_by_something_else_proves_nothing on sqlite postgres mariadb;
    it_is_applied_stands_and_is_withdrawn on sqlite postgres mariadb;
    one_that_was_cut_off_before_the_ledger_was_made_is_told_by_its_probe on mariadb,
        not sqlite: "the definition and its ledger row are one transaction",
        not postgres: "what became of an attempt is told by what it has left";
    a_target_that_wants_two_gets_none_from_here on sqlite postgres mariadb;
    writers_go_on_while_it_is_rehearsed_on_a_copy on postgres mariadb,
        not sqlite: "there is one write lock, and a definition takes as long as any write";
    what_a_failed_attempt_left_is_found_and_taken_away on postgres,
        not sqlite: "a definition is all or nothing",
        not mariadb: "a definition that fails is taken back by the server as a whole";
    a_definition_that_would_block_writers_is_refused_by_the_server on mariadb,
        not sqlite: "there is one way to define",
        not postgres: "the online form is another statement; see what is left of a failed one";
    it_does_not_wait_behind_a_reader_for_long on postgres mariadb,
        not sqlite: "a reader of the file does not hold a definition up in the demo's mode";
}

/// At most one open loan for each book.
const LOANS: &str =
    "CREATE TABLE loan (id INTEGER PRIMARY KEY, book INTEGER NOT NULL, back DATE NULL);
     INSERT INTO loan VALUES (1, 7, NULL), (2, 7, '2026-01-01'), (3, 8, NULL);";

fn plan(engine: Dialect) -> Plan {
    let (apply, withdraw) = of(
        engine,
        [
            (
                "CREATE UNIQUE INDEX one_loan ON loan (book) WHERE back IS NULL",
                "DROP INDEX IF EXISTS one_loan",
            ),
            (
                "CREATE UNIQUE INDEX CONCURRENTLY one_loan ON loan (book) WHERE back IS NULL",
                "DROP INDEX CONCURRENTLY IF EXISTS one_loan",
            ),
            (
                "ALTER TABLE loan ADD COLUMN open_book INTEGER AS (IF(back IS NULL, book, NULL)) VIRTUAL, ADD UNIQUE KEY one_loan (open_book)",
                "ALTER TABLE loan DROP KEY IF EXISTS one_loan, DROP COLUMN IF EXISTS open_book",
            ),
        ],
    );
    Plan {
        title: "one open loan a book".into(),
        apply: apply.into(),
        probe: "INSERT INTO loan (id, book) SELECT 99, book FROM loan WHERE back IS NULL LIMIT 1"
            .into(),
        rejects: of(engine, ["loan.book", "one_loan", "one_loan"]).into(),
        withdraw: withdraw.into(),
    }
}

fn job(desk: &Desk, op: &str, plan: Plan) -> Job {
    Job {
        step: "guard".into(),
        op: op.into(),
        plan,
        target: desk.target.clone(),
        server: desk.identity.clone(),
        actor: "ada".into(),
    }
}

fn rehearse(desk: &Desk, plan: Plan) -> Rehearsal {
    let job = job(desk, "try", plan);
    desk.block_on(guard::rehearse(&job, &Stopper::default())).expect("it can be rehearsed")
}

fn put(desk: &Desk, op: &str, plan: Plan, deed: &Deed) -> (Outcome, String) {
    let job = job(desk, op, plan);
    let consent = agreed(&job, deed);
    desk.block_on(guard::put(&job, deed, consent, &desk.journal, &Stopper::default()))
}

fn second_loan(desk: &Desk) -> Result<u64, String> {
    let mut other = desk.other();
    other.run("BEGIN");
    let tried = other.try_run("INSERT INTO loan (id, book) VALUES (50, 7)");
    other.run("ROLLBACK");
    tried.map_err(|error| error.to_string())
}

fn a_rehearsal_leaves_no_trace_and_knows_the_guardrail_by_name(engine: Dialect) {
    let desk = Desk::new(engine, LOANS);
    let rehearsal = rehearse(&desk, plan(engine));
    assert!(rehearsal.is_sound() && rehearsal.traceless, "{rehearsal:?}");
    let rejected = rehearsal.rejects.expect("it is rejected");
    assert!(rejected.contains(&plan(engine).rejects), "{rejected}");
    assert_eq!(second_loan(&desk), Ok(1), "it does not stand");
    assert!(!rehearsal.lock.is_empty());
}

fn data_that_does_not_fit_is_said_and_nothing_is_applied(engine: Dialect) {
    let mut desk = Desk::new(engine, LOANS);
    desk.run("INSERT INTO loan VALUES (4, 8, NULL)");
    let rehearsal = rehearse(&desk, plan(engine));
    assert!(!rehearsal.is_sound(), "{rehearsal:?}");
    assert!(rehearsal.sentence().starts_with("the data as it is does not fit"), "{rehearsal:?}");
    let (outcome, why) = put(&desk, "apply", plan(engine), &Deed::ApplyGuardrail);
    assert_eq!(outcome, Outcome::RolledBack, "{why}");
    assert_eq!(second_loan(&desk), Ok(1), "it does not stand");
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    assert_eq!(desk.block_on(session.leftover("one_loan")), Ok(None));
}

/// No loan of a book that is not there.
fn no_nought(engine: Dialect) -> Plan {
    let apply = of(
        engine,
        [
            "CREATE TRIGGER no_nought BEFORE INSERT ON loan WHEN NEW.book <= 0
             BEGIN SELECT RAISE(ABORT, 'no_nought: there is no such book'); END;
             CREATE TRIGGER no_nought_later BEFORE UPDATE ON loan WHEN NEW.book <= 0
             BEGIN SELECT RAISE(ABORT, 'no_nought: there is no such book'); END",
            "DO $g$ BEGIN CREATE FUNCTION no_nought() RETURNS trigger LANGUAGE plpgsql AS $b$ BEGIN
               IF NEW.book <= 0 THEN RAISE EXCEPTION 'no_nought: there is no such book' USING ERRCODE = 'check_violation'; END IF;
               RETURN NEW; END $b$;
             CREATE TRIGGER no_nought BEFORE INSERT OR UPDATE ON loan FOR EACH ROW EXECUTE FUNCTION no_nought(); END $g$",
            "",
        ],
    );
    let withdraw = [
        "DROP TRIGGER no_nought; DROP TRIGGER no_nought_later",
        "DROP FUNCTION no_nought() CASCADE",
        "",
    ];
    Plan {
        title: "a loan is of a book".into(),
        apply: apply.into(),
        probe: "INSERT INTO loan (id, book) VALUES (98, 0)".into(),
        rejects: "no_nought".into(),
        withdraw: of(engine, withdraw).into(),
    }
}

fn a_trigger_is_not_said_to_have_looked_at_the_rows(engine: Dialect) {
    let mut desk = Desk::new(engine, LOANS);
    desk.run("INSERT INTO loan VALUES (4, -5, NULL)");
    let rehearsal = rehearse(&desk, no_nought(engine));
    let said =
        "the bad state is rejected by name; a trigger does not look at the rows that are there";
    assert!(rehearsal.is_sound(), "{rehearsal:?}");
    assert_eq!(rehearsal.sentence(), said);
}

fn a_guardrail_of_two_triggers_stands_or_falls_as_one(engine: Dialect) {
    let mut desk = Desk::new(engine, LOANS);
    let refused = |desk: &Desk, sql: &str| {
        let mut session = desk.open(Purpose::Work, &Stopper::default());
        desk.block_on(session.begin(std::time::Duration::from_secs(5))).unwrap();
        let ran = desk.block_on(session.execute(sql));
        desk.block_on(session.rollback()).unwrap();
        ran.is_err_and(|error| error.to_string().contains("no_nought"))
    };
    let both = ["INSERT INTO loan (id, book) VALUES (98, 0)", "UPDATE loan SET book = 0"];
    // The second cannot be made, so that the first is not made either.
    desk.run("CREATE TRIGGER no_nought_later BEFORE DELETE ON loan BEGIN SELECT 1; END");
    let (outcome, why) = put(&desk, "first", no_nought(engine), &Deed::ApplyGuardrail);
    assert_eq!(outcome, Outcome::RolledBack, "{why}");
    assert!(both.iter().all(|sql| !refused(&desk, sql)));
    desk.run("DROP TRIGGER no_nought_later");
    let (outcome, why) = put(&desk, "second", no_nought(engine), &Deed::ApplyGuardrail);
    assert_eq!(outcome, Outcome::Committed, "{why}");
    assert!(both.iter().all(|sql| refused(&desk, sql)));
    let (outcome, why) = put(&desk, "back", no_nought(engine), &Deed::WithdrawGuardrail);
    assert_eq!(outcome, Outcome::Committed, "{why}");
    assert!(both.iter().all(|sql| !refused(&desk, sql)));
}

fn a_rejection_by_something_else_proves_nothing(engine: Dialect) {
    let desk = Desk::new(engine, LOANS);
    let mut plan = plan(engine);
    plan.probe = "INSERT INTO loan (id, book) VALUES (1, 99)".into();
    let rehearsal = rehearse(&desk, plan);
    let why = rehearsal.rejects.clone().expect_err("it proves nothing");
    assert!(why.starts_with("rejected, but not by this guardrail"), "{why}");
    assert!(!rehearsal.is_sound());
}

fn it_is_applied_stands_and_is_withdrawn(engine: Dialect) {
    let mut desk = Desk::new(engine, LOANS);
    assert_eq!(
        put(&desk, "on", plan(engine), &Deed::ApplyGuardrail),
        (Outcome::Committed, String::new())
    );
    let refused = second_loan(&desk).expect_err("the bad state is refused");
    assert!(refused.contains(&plan(engine).rejects), "{refused}");
    assert_eq!(desk.run("INSERT INTO loan (id, book, back) VALUES (5, 7, '2026-02-02')"), 1);
    assert!(rehearse(&desk, plan(engine)).stands);
    assert_eq!(
        put(&desk, "off", plan(engine), &Deed::WithdrawGuardrail),
        (Outcome::Committed, String::new())
    );
    assert_eq!(second_loan(&desk), Ok(1));
    let ledger = desk.rows("SELECT op_id FROM steadyhand_ledger ORDER BY op_id");
    assert_eq!(ledger, [["off"], ["on"]]);
}

/// Whatever consent somebody got hold of.
fn one_that_was_cut_off_before_the_ledger_was_made_is_told_by_its_probe(engine: Dialect) {
    let mut desk = Desk::new(engine, LOANS);
    desk.run("UPDATE loan SET back = '2026-01-02' WHERE id = 1");
    let job = job(&desk, "op", plan(engine));
    let told = |desk: &Desk, deed: &Deed| {
        let told = desk.block_on(guard::resolve(&job, deed, Some("1 ")));
        told.expect("it is looked into")
    };
    let (outcome, how) = told(&desk, &Deed::ApplyGuardrail);
    assert_eq!(outcome, Outcome::RolledBack, "{how}");
    assert!(how.contains("the bad state is accepted"), "{how}");
    desk.run(&job.plan.apply);
    let (outcome, how) = told(&desk, &Deed::ApplyGuardrail);
    assert_eq!(outcome, Outcome::Committed, "{how}");
    let (outcome, how) = told(&desk, &Deed::WithdrawGuardrail);
    assert_eq!(outcome, Outcome::RolledBack, "{how}");
    // Without a row to try it with the probe knows nothing.
    desk.run("DELETE FROM loan");
    let (outcome, how) = told(&desk, &Deed::WithdrawGuardrail);
    assert_eq!(outcome, Outcome::Unknown, "{how}");
}

fn a_target_that_wants_two_gets_none_from_here(engine: Dialect) {
    let mut desk = Desk::new(engine, LOANS);
    desk.target.approval = Approval::FourEyes;
    let (outcome, why) = put(&desk, "put", plan(engine), &Deed::ApplyGuardrail);
    assert_eq!(outcome, Outcome::RolledBack);
    assert!(why.contains("asks for a second person"), "{why}");
    assert!(second_loan(&desk).is_ok(), "nothing stands in its way");
}

fn writers_go_on_while_it_is_rehearsed_on_a_copy(engine: Dialect) {
    let desk = Desk::new(engine, LOANS);
    let mut work = desk.open(Purpose::Work, &Stopper::default());
    let tables = desk.block_on(work.tables()).unwrap();
    if engine == Dialect::Postgres {
        desk.block_on(work.begin(super::LONG)).unwrap();
    }
    desk.block_on(work.shadow(&tables[0], super::LONG)).unwrap();
    let apply = plan(engine).apply.replace("CONCURRENTLY ", "");
    desk.block_on(work.execute(&apply)).unwrap();
    let mut other = desk.other();
    other.run(of(engine, ["", "SET lock_timeout = '2s'", "SET lock_wait_timeout = 2"]));
    assert_eq!(other.run("INSERT INTO loan VALUES (9, 9, NULL)"), 1);
    assert_eq!(other.run("UPDATE loan SET book = 10 WHERE id = 9"), 1);
    desk.block_on(work.rollback()).unwrap();
    assert_eq!(second_loan(&desk), Ok(1));
}

fn what_a_failed_attempt_left_is_found_and_taken_away(engine: Dialect) {
    let mut desk = Desk::new(engine, LOANS);
    desk.run("INSERT INTO loan VALUES (4, 8, NULL)");
    assert!(desk.other().try_run(&plan(engine).apply).is_err());
    let mut session = desk.open(Purpose::Detect, &Stopper::default());
    let left = desk.block_on(session.leftover("one_loan")).unwrap();
    assert_eq!(left.as_deref(), Some("an invalid index one_loan is left on loan"));
    let rehearsal = rehearse(&desk, plan(engine));
    assert!(
        rehearsal.notes.iter().any(|note| note.contains("applying removes it first")),
        "{rehearsal:?}"
    );
    desk.run("DELETE FROM loan WHERE id = 4");
    let (outcome, why) = put(&desk, "on", plan(engine), &Deed::ApplyGuardrail);
    assert_eq!((outcome, why.as_str()), (Outcome::Committed, ""));
    assert!(second_loan(&desk).is_err());
}

/// ADD CHECK copies the table there and keeps writers out; with its LOCK said, the server refuses.
fn a_definition_that_would_block_writers_is_refused_by_the_server(engine: Dialect) {
    let desk = Desk::new(engine, LOANS);
    let mut plan = plan(engine);
    plan.apply =
        "ALTER TABLE loan ADD CONSTRAINT real_book CHECK (book > 0), ALGORITHM=INPLACE, LOCK=NONE"
            .into();
    plan.withdraw = "ALTER TABLE loan DROP CONSTRAINT IF EXISTS real_book".into();
    plan.probe = "INSERT INTO loan (id, book) VALUES (99, -1)".into();
    plan.rejects = "real_book".into();
    let (outcome, why) = put(&desk, "on", plan, &Deed::ApplyGuardrail);
    assert_eq!(outcome, Outcome::RolledBack, "{why}");
    assert!(why.contains("ALGORITHM=INPLACE is not supported"), "{why}");
    assert_eq!(desk.other().run("INSERT INTO loan VALUES (99, -1, NULL)"), 1);
}

fn it_does_not_wait_behind_a_reader_for_long(engine: Dialect) {
    let desk = Desk::new(engine, LOANS);
    let mut reader = desk.other();
    reader.run("BEGIN");
    reader.rows("SELECT * FROM loan");
    let mut plan = plan(engine);
    if engine == Dialect::Postgres {
        // In a form that waits for whoever has read the table.
        plan = Plan {
            apply: "ALTER TABLE loan ADD CONSTRAINT one_loan CHECK (book > 0)".into(),
            probe: "INSERT INTO loan (id, book) VALUES (99, -1)".into(),
            withdraw: "ALTER TABLE loan DROP CONSTRAINT IF EXISTS one_loan".into(),
            ..plan
        };
    }
    let start = std::time::Instant::now();
    let (outcome, why) = put(&desk, "on", plan, &Deed::ApplyGuardrail);
    assert_eq!(outcome, Outcome::RolledBack, "{why}");
    assert!(why.contains("another session holds the lock"), "{why}");
    assert!(start.elapsed() < super::LONG / 2, "{:?}", start.elapsed());
    // And nobody stands in a queue behind it.
    assert_eq!(desk.other().run("INSERT INTO loan VALUES (9, 9, NULL)"), 1);
    reader.run("ROLLBACK");
    wait_until("it is gone", || second_loan(&desk) == Ok(1));
}
