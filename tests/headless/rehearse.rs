//! Rehearsals: the shipped runbooks are sound on the demo's database, a rotten one is named, and
//! nothing is ever committed.

use std::fs;

use super::common::{Home, Sqlite};
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
fn a_runbook_that_has_rotted_is_broken() {
    let desk = rotting();
    for (sql, said) in [
        ("UPDATE asset SET keeper = 'ada' WHERE owner IS NULL", "no such column: keeper"),
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
    let ran = run(&home, &[&args[..], &["--answer", "sha256=not copied yet"]].concat());
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("is not matched by [0-9a-f]{64}"), "{}", ran.err);
}
