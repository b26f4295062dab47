//! `audit`: the four questions of an auditor, from a register, runs and journals.

use std::fs;

use super::common::Sqlite;
use super::incidents::incidents;
use super::suite::desk;
use super::{Desk, Ran, run, run_at};

const OURS: &str = "[control.HOUSE-1]\ntitle = \"Owners\"\nobjective = \"Every asset has an owner.\"\ncobit = [\"DSS06\"]\n\
                    [control.HOUSE-2]\ntitle = \"Nobody looks\"\nobjective = \"o\"\n";

/// A night on which the control held, and one on which it did not.
fn nights() -> Desk {
    let desk = desk(&[("erp", "production")], OURS);
    desk.check("bad", "sev2", "SELECT id FROM asset WHERE owner IS NULL ORDER BY id");
    let file = "checks/own/bad.toml";
    let text = fs::read_to_string(desk.home.work().join(file)).unwrap();
    desk.home
        .write(file, &text.replace("owner = \"o\"", "owner = \"o\"\ncontrols = [\"HOUSE-1\"]"));
    let night = |day: &str, sql: &str| {
        Sqlite::open(&desk.database).run(sql);
        run_at(&desk.home, &format!("2026-11-{day}T02:00:00Z"), &["check", "--suite", "sev2"]).code
    };
    assert_eq!(night("01", "UPDATE asset SET owner = 'ada'"), 0);
    assert_eq!(night("02", "UPDATE asset SET owner = NULL WHERE id = 1"), 2);
    desk
}

fn says(ran: &Ran, all: &[&str]) {
    for said in all {
        assert!(ran.out.contains(said), "{said:?} is missing in {}{}", ran.out, ran.err);
    }
}

#[test]
fn which_control_which_check_when_last_green() {
    let desk = nights();
    let ran = run(&desk.home, &["audit", "HOUSE-1", "HOUSE-2"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    says(
        &ran,
        &[
            "HOUSE-1  Owners: violated\n  Every asset has an owner.\n  COBIT DSS06\n",
            "check  severity  target  state     last green\n",
            "bad    SEV-2     erp     violated  2026-11-01 02:00 UTC\n",
            "HOUSE-2  Nobody looks: no check",
            "2 controls: 0 hold, 1 violated, 0 not known, 1 without a check",
        ],
    );
    let ran = run(&desk.home, &["audit", "HOUSE-1", "--format", "markdown"]);
    says(
        &ran,
        &[
            "| `HOUSE-1` Owners | violated |",
            "| `bad` | SEV-2 | erp | violated | 2026-11-01 02:00 UTC | o |",
        ],
    );
    let lines = run(&desk.home, &["audit", "COBIT DSS06", "--format", "json"]).lines();
    let ours = lines.iter().find(|line| line["id"] == "HOUSE-1").unwrap();
    assert_eq!(ours["checks"][0]["targets"][0]["state"], "violated");
    assert!(lines.iter().any(|line| line["id"] == "KC-01"), "a place gathers the controls");
    assert!(lines.iter().all(|line| line["id"] != "HOUSE-2"));
    let config = fs::read_to_string(desk.home.work().join("steadyhand.toml")).unwrap();
    let other = "[target.other]\nurl = \"sqlite://other.db\"\nenvironment = \"staging\"\n";
    desk.home.write("steadyhand.toml", &(config + other));
    let other = run(&desk.home, &["audit", "HOUSE-1", "--target", "other"]);
    says(&other, &["not known", "never ran"]);
    let ran = run(&desk.home, &["audit", "HOUSE-3"]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains("no control is called \"HOUSE-3\"\n  did you mean \"HOUSE-1\"?"),
        "{}",
        ran.err
    );
}

/// Another database of that name does not speak for the one that is configured.
#[test]
fn a_database_that_is_only_called_alike_covers_nothing_up() {
    let desk = nights();
    let other = desk.home.work().join("elsewhere/erp.db");
    fs::create_dir(other.parent().unwrap()).unwrap();
    fs::copy(&desk.database, &other).unwrap();
    Sqlite::open(&other).run("UPDATE asset SET owner = 'ada'");
    let by_file = ["check", "--suite", "sev2", "--target", other.to_str().unwrap()];
    assert_eq!(run_at(&desk.home, "2026-11-03T02:00:00Z", &by_file).code, 0);
    let ran = run(&desk.home, &["audit", "HOUSE-1"]);
    says(
        &ran,
        &["Owners: violated\n", "erp           violated  2026-11-01", "  clear     2026-11-03"],
    );
    let at = "2026-11-03T03:00:00Z";
    let ran = run_at(&desk.home, at, &["history", "bad", "--target", "erp"]);
    says(&ran, &["erp: violated (1) since 2026-11-02"]);
    let ran = run_at(&desk.home, at, &["report", "--since", "7d"]);
    says(&ran, &["2 checks: 1 clear, 0 warning, 1 violated", "| `bad` | `erp-"]);
}

#[test]
fn which_incidents_and_none_is_lost_without_a_word() {
    let (home, folder) = incidents();
    let ran = run(&home, &["audit", "KC-01"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // Their journals say nothing of controls, their runbook does.
    says(&ran, &["INC-0001  SEV-2", "INC-0002  SEV-2", "erp-prod"]);
    // What an incident saw counts like a run.
    says(&ran, &["asset-double-assignment  SEV-2     erp-prod  violated   never"]);
    assert!(!run(&home, &["audit", "KC-02"]).out.contains("INC-0001"));
    fs::write(folder.join("journal.jsonl"), "\0garbage\n").unwrap();
    let ran = run(&home, &["audit", "KC-01"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("INC-0001 is left out"), "{}", ran.err);
}

#[test]
fn a_control_that_nobody_agreed_on_is_a_fault_of_the_file() {
    let desk = nights();
    assert_eq!(run(&desk.home, &["lint"]).code, 0);
    desk.home.write("steadyhand.toml", "checks = [\"checks\"]\n");
    let ran = run(&desk.home, &["lint"]);
    assert_eq!(ran.code, 4);
    says(&ran, &["There is no control \"HOUSE-1\"."]);
    // Nobody is kept from an incident for it.
    assert_eq!(run(&desk.home, &["check", "--check", "bad", "--target", "erp.db"]).code, 2);
}

#[test]
fn where_an_agreement_comes_from() {
    let desk = desk(
        &[],
        "[severity.sev2]\nupdate_every = \"10m\"\n[escalation.duty]\nwho = \"Duty\"\nsev1 = \"now\"\nsev2 = \"1h\"\n",
    );
    let ran = run(&desk.home, &["config"]);
    for said in
        ["severity.sev2.update_every", "10m", "Duty: SEV-1 now, SEV-2 after 1h", "steadyhand.toml:"]
    {
        assert!(ran.out.contains(said), "{said} is missing in {}", ran.out);
    }
}
