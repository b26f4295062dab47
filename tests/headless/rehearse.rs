//! Rehearsals: the shipped runbooks are sound on the demo's database, a rotten one is named, and
//! nothing is ever committed.

use std::fs;

use super::common::{Cockpit, Ended, Home, Signal, Sqlite, WIDE, server};
use super::suite::desk;
use super::{Desk, run};

fn runbook(desk: &Desk, sql: &str) {
    let text = format!(
        "id = \"repair\"\ntitle = \"t\"\nsummary = \"s\"\nowner = \"o\"\nseverity = \"sev2\"\n\
         [[step]]\nid = \"which\"\nkind = \"ask\"\nstage = \"validate\"\ntitle = \"t\"\nquestion = \"Whose?\"\nvar = \"owner\"\ntype = \"text\"\n\
         [[step]]\nid = \"fix\"\nkind = \"change\"\nstage = \"recover\"\ntitle = \"t\"\nwhy = \"w\"\nrisk = \"low\"\ncures = [\"bad\"]\n\
         [[step.statement]]\nnote = \"n\"\nany = \"{sql}\"\n\
         [step.limits]\nmax_rows = 5\ntime_cap = \"5s\"\nlock_wait = \"1s\"\n"
    );
    desk.home.write("runbooks/own/repair.toml", &text);
}

fn rotting() -> Desk {
    let desk = desk(
        &[("erp", "staging")],
        "runbooks = [\"runbooks\"]\n[target.prod]\nurl = \"sqlite://erp.db\"\nenvironment = \"production\"\n",
    );
    desk.check("bad", "sev2", "SELECT id FROM asset WHERE owner IS NULL");
    desk
}

#[test]
fn a_runbook_is_tried_out_and_nothing_stays() {
    let desk = rotting();
    runbook(&desk, "UPDATE asset SET owner = :owner WHERE owner IS NULL");
    let before = fs::read(&desk.database).unwrap();
    let args = ["rehearse", "repair", "--target", "erp"];
    let ran = run(&desk.home, &args);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("--answer owner=..."), "{}", ran.out);
    let ran = run(&desk.home, &[&args[..], &["--answer", "owner=ada"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("sound    repair   fix   change  2 rows, rolled back in"),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("1 step rehearsed on erp: 1 sound, 0 warning, 0 broken, 0 inconclusive; nothing was committed\n"), "{}", ran.out);
    assert_eq!(fs::read(&desk.database).unwrap(), before);
    let ran = run(&desk.home, &["rehearse", "repair", "--target", "prod"]);
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(ran.err.contains("prod is production"), "{}", ran.err);
}

#[test]
fn an_answer_is_what_was_asked_for() {
    let desk = rotting();
    runbook(&desk, "UPDATE asset SET note = :owner WHERE owner = :owner");
    Sqlite::open(&desk.database).run("UPDATE asset SET owner = substr('007', id)");
    let sound = |answer: &str| {
        let args = ["rehearse", "repair", "--target", "erp", "--answer", answer];
        run(&desk.home, &args)
    };
    for (answer, said) in
        [("owner=007", "1 row,"), ("owner=7", "1 row,"), ("owner=0007", "it changes nothing")]
    {
        let ran = sound(answer);
        assert!(ran.out.contains(said), "{answer}: {}{}", ran.out, ran.err);
    }
    // Compared without the type of a column, a text is more than any number.
    let path = "runbooks/own/repair.toml";
    let text = fs::read_to_string(desk.home.work().join(path)).unwrap();
    let numbers = |kind: &str| text.replace("type = \"text\"", &format!("type = \"{kind}\""));
    for (kind, answer, rows) in [
        ("number", "owner=2.5", "2 rows"),
        ("integer", "owner=2", "1 row,"),
        ("text", "owner=2", "3 rows"),
    ] {
        let text = numbers(kind).replace("owner = :owner", "id + 0 < :owner");
        desk.home.write(path, &text.replace("SET note = :owner", "SET note = 'x'"));
        let ran = sound(answer);
        assert!(ran.out.contains(rows), "{kind}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn a_runbook_that_has_rotted_is_broken() {
    let desk = rotting();
    for (sql, said) in [
        ("UPDATE asset SET keeper = 'ada' WHERE owner IS NULL", "no such column: keeper"),
        // In double quotes it would be a text, and the row of everybody another one.
        ("UPDATE asset SET note = 'x' WHERE \\\"keeper\\\" <> 'ada'", "no such column: keeper"),
        ("UPDATE asset SET note = 'x' WHERE owner IS NULL", "bad"),
    ] {
        runbook(&desk, sql);
        let ran = run(&desk.home, &["rehearse", "repair", "--target", "erp", "--format", "json"]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        let lines = ran.lines();
        assert_eq!(lines[0]["verdict"], "broken");
        assert!(lines[0]["what"].as_str().unwrap().contains(said), "{}", ran.out);
        assert_eq!(lines[1]["summary"]["exit"], 2);
    }
    let ran = run(&desk.home, &["rehearse", "repiar", "--target", "erp"]);
    assert!(ran.code == 4 && ran.err.contains("did you mean \"repair\"?"), "{}", ran.err);
}

/// A statement that finds no row any more looks like data with nothing wrong in it.
#[test]
fn a_change_that_finds_nothing_is_sound_only_where_nothing_is_wrong() {
    let desk = rotting();
    let args = ["rehearse", "repair", "--target", "erp", "--answer", "owner=ada"];
    let chunks = "[step.chunks]\nkey = \"id\"\nsize = 10\nmost = 10\n\
                  [step.chunks.keys]\nany = \"SELECT id FROM asset WHERE owner = 'nobody'\"\n";
    let one = "UPDATE asset SET owner = :owner WHERE owner = 'nobody'";
    let many = "UPDATE asset SET owner = :owner WHERE id IN (:chunk)";
    for (sql, chunks) in [(one, ""), (many, chunks)] {
        runbook(&desk, sql);
        let path = "runbooks/own/repair.toml";
        let text = fs::read_to_string(desk.home.work().join(path)).unwrap();
        desk.home.write(path, &text.replace("[step.limits]", &format!("{chunks}[step.limits]")));
        let mut erp = Sqlite::open(&desk.database);
        erp.run("UPDATE asset SET owner = NULL WHERE id > 1");
        let ran = run(&desk.home, &args);
        assert_eq!(ran.code, 3, "{sql}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("inconclusive  repair"), "{}", ran.out);
        assert!(ran.out.contains("bad would still have 2 violations"), "{}", ran.out);
        erp.run("UPDATE asset SET owner = 'bob'");
        let ran = run(&desk.home, &args);
        assert_eq!(ran.code, 0, "{sql}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("no row to change"), "{}", ran.out);
    }
}

/// The server is told; what died with the program would hold its locks until the time is up.
#[test]
fn an_interrupt_ends_the_statement_on_the_server_and_says_so() {
    let server = server::postgres();
    server.database("shop");
    let sql = "CREATE TABLE asset (id INT PRIMARY KEY, owner TEXT);
         INSERT INTO asset VALUES (1, NULL);
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE UPDATE ON asset FOR EACH ROW EXECUTE FUNCTION slow()";
    server.run("shop", sql);
    let desk = rotting();
    let url = server.url("shop");
    desk.home.write(
        "steadyhand.toml",
        &format!(
            "checks = [\"checks\"]\nrunbooks = [\"runbooks\"]\n\
             [target.erp]\nurl = \"{url}\"\nenvironment = \"staging\"\n"
        ),
    );
    runbook(&desk, "UPDATE asset SET owner = :owner WHERE owner IS NULL");
    let file = "runbooks/own/repair.toml";
    let text = fs::read_to_string(desk.home.work().join(file)).unwrap();
    desk.home.write(file, &text.replace("time_cap = \"5s\"", "time_cap = \"60s\""));
    let args = ["rehearse", "repair", "--target", "erp", "--answer", "owner=ada"];
    let program = Cockpit::start_in(desk.home, &args, WIDE);
    let asleep = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        server.client("shop").count(sql)
    };
    program.wait_until("the statement runs", |_| asleep() == 1);
    program.signal(Signal::TERM);
    program.wait_for("stopped by the operator");
    program.wait_for("nothing was committed");
    assert_eq!(program.wait_exit(), Ended::Code(130));
    assert_eq!(asleep(), 0);
}

/// Of one runbook it would be noticed after the others had run.
#[test]
fn every_answer_is_judged_before_anything_runs() {
    let desk = rotting();
    runbook(&desk, "UPDATE asset SET owner = :owner WHERE owner IS NULL");
    fs::remove_file(&desk.database).unwrap();
    for (answer, wrong) in [
        ("minutes=many", "the answer minutes=many is not a whole number; nothing was run"),
        ("minuts=5", "nothing here asks for \"minuts\"; nothing was run"),
        ("minuts=5", "did you mean \"minutes\"?"),
    ] {
        let args = ["rehearse", "--all", "--target", "erp", "--answer", answer];
        let ran = run(&desk.home, &args);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{}", ran.err);
        assert!(ran.err.contains(wrong), "{}", ran.err);
    }
}

#[test]
fn the_runbooks_of_the_demo_are_sound_on_it() {
    let home = Home::new();
    let catalogue = steadyhand::catalogue::Catalogue::built_in().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(steadyhand::demo::build(
            &home.work(),
            &steadyhand::demo::faults(&catalogue.checks, None),
        ))
        .unwrap();
    home.write(
        "steadyhand.toml",
        "[target.demo]\nurl = \"sqlite://erp.db\"\nenvironment = \"development\"\n",
    );
    let count =
        "SELECT (SELECT COUNT(*) FROM audit_log) || ' ' || (SELECT COUNT(*) FROM sqlite_schema)";
    let before = Sqlite::open(&home.work().join("erp.db")).rows(count);
    let ran = run(
        &home,
        &["rehearse", "asset-double-assignment", "--target", "demo", "--output", "r.txt"],
    );
    let page = fs::read_to_string(home.work().join("r.txt")).unwrap();
    assert!(ran.code <= 1, "{}{page}", ran.err);
    assert!(page.contains("0 broken, 0 inconclusive") && page.contains("change"), "{page}");
    assert_eq!(Sqlite::open(&home.work().join("erp.db")).rows(count), before);

    // What an auditor will read is asked for, and a text that is no digest is none.
    let args = ["rehearse", "missed-rpo", "--target", "demo"];
    let ran = run(&home, &args);
    assert!(ran.code == 3 && ran.out.contains("--answer sha256=..."), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("--answer finished=..."), "{}", ran.out);
    let written = "it as 2026-11-21 02:00:00 in UTC";
    for (answer, wrong) in [
        ("sha256=not copied yet", "is not matched by [0-9a-f]{64}"),
        ("finished=2026-19-39 29:59:59", written),
        ("finished=2026-02-30 02:00:00", written),
        ("finished=2026-11-21", written),
        ("finished=2026-11-21 02:00:00+01:00", written),
        ("finished=2026-11-21 02:00:00 more", written),
        ("bytes=-17", "is less than 1"),
        ("seconds=-0.5", "is less than 0"),
    ] {
        let ran = run(&home, &[&args[..], &["--answer", answer]].concat());
        assert_eq!(ran.code, 4, "{answer}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(wrong), "{answer}: {}", ran.err);
    }
    let known = ["sha256", "bytes", "finished", "seconds", "entries"];
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.123Z").to_string();
    let line = [&"0123".repeat(16), "99000000000", &now, "0.5", "3"];
    let answers = known.iter().zip(line).map(|(name, answer)| format!("--answer={name}={answer}"));
    let answers: Vec<String> = answers.collect();
    let all = [&args[..], &answers.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let ran = run(&home, &all);
    assert!(ran.code <= 1 && ran.out.contains("1 row, rolled back"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_runbook_with_nothing_to_rehearse_is_not_sound() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("bad", "sev2", "SELECT id FROM asset WHERE owner IS NULL");
    let ran = run(&desk.home, &["rehearse", "lock-storm", "--target", "erp"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let said = "nothing rehearsed on erp: there is no change and no guardrail\n";
    assert_eq!(ran.out, said);
}
