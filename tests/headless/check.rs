//! `steadyhand check`: verdicts, exit codes, and what becomes of everything that cannot be seen.

use std::fs;

use super::common::{COMPACT, Cockpit, Ended, Home, Signal, Sqlite};
use super::{Desk, run};

const OWNERLESS: &str = "SELECT id, note FROM asset WHERE owner IS NULL ORDER BY id";
const NONE: &str = "SELECT id FROM asset WHERE id < 0";
const ENDLESS: &str = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n WHERE id < 0";

#[test]
fn the_exit_code_is_that_of_the_worst() {
    let desk = Desk::new();
    desk.check("fine", "sev1", NONE);
    desk.check("bad", "sev2", OWNERLESS);
    desk.check("minor", "sev4", OWNERLESS);
    desk.check("blind", "sev1", "SELECT id FROM nowhere");
    for (ids, code) in [
        (&["fine"][..], 0),
        (&["fine", "minor"], 1),
        (&["fine", "minor", "blind"], 3),
        (&["fine", "minor", "blind", "bad"], 2),
    ] {
        let args: Vec<&str> = ids.iter().flat_map(|id| ["--check", id]).collect();
        let ran = desk.run(&args);
        assert_eq!(ran.code, code, "{ids:?}: {}{}", ran.out, ran.err);
        assert!(
            ran.out.ends_with("inconclusive\n") && ran.err.is_empty(),
            "{}{}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(desk.run(&["--suite", "sev4"]).code, 1);
    assert_eq!(desk.run(&["--check", "blind", "--map", "inconclusive=2"]).code, 2);
    assert_eq!(desk.run(&["--check", "minor", "--map", "warning=0"]).code, 0);
}

#[test]
fn text_names_target_verdict_and_rows_without_colours() {
    let desk = Desk::new();
    desk.check("bad", "sev2", OWNERLESS);
    let ran = desk.run(&["--check", "bad"]);
    assert!(ran.out.starts_with("erp  SQLite 3."), "{}", ran.out);
    assert!(ran.out.contains("\n  violated      SEV-2  bad  2 violations\n"), "{}", ran.out);
    assert!(ran.out.contains("id: 2, 3\n"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'));
    assert!(
        desk.run(&["--check", "bad", "--color", "always"]).out.contains("\u{1b}[1;31mviolated")
    );
}

#[test]
fn why_a_target_cannot_be_reached_is_said_once() {
    let desk = Desk::new();
    desk.check("bad", "sev2", OWNERLESS);
    desk.check("fine", "sev3", NONE);
    let url = "postgres://me@127.0.0.1:1/shop";
    let args =
        ["check", "--target", url, "--checks", "checks", "--check", "bad", "--check", "fine"];
    let ran = run(&desk.home, &args);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let (_, said) = ran.out.split_once("  inconclusive  SEV-2  bad   ").expect(&ran.out);
    let (why, _) = said.split_once('\n').expect("a line");
    assert!(why.contains("127.0.0.1:1"), "{}", ran.out);
    assert_eq!(ran.out.matches(why).count(), 1, "{}", ran.out);
    assert!(ran.out.contains("  inconclusive  SEV-3  fine  likewise\n"), "{}", ran.out);
}

#[test]
fn json_is_the_contract_line_by_line() {
    let desk = Desk::new();
    desk.check("bad", "sev2", OWNERLESS);
    desk.check("fine", "sev3", NONE);
    let ran = desk.run(&["--check", "bad", "--check", "fine", "--format", "json"]);
    let lines = ran.lines();
    assert_eq!((ran.code, lines.len()), (2, 3), "{}", ran.out);
    let names: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "check",
            "target",
            "verdict",
            "severity",
            "violations",
            "exact",
            "seconds",
            "snapshot",
            "key",
            "sample",
            "reason",
            "kind",
            "owner",
            "controls",
            "server"
        ]
    );
    let bad = &lines[0];
    assert_eq!((&bad["check"], &bad["target"]), (&"bad".into(), &"erp".into()));
    assert_eq!((&bad["violations"], &bad["exact"]), (&2.into(), &true.into()));
    // NULL stays NULL, a number stays exact, bytes are bytes.
    assert_eq!(bad["sample"][0], serde_json::json!({"id": "2", "note": "0x00ff"}));
    assert_eq!(bad["sample"][1], serde_json::json!({"id": "3", "note": null}));
    assert_eq!((&lines[1]["verdict"], &lines[1]["violations"]), (&"clear".into(), &0.into()));
    let summary = &lines[2]["summary"];
    assert_eq!((&summary["targets"], &summary["checks"]), (&1.into(), &2.into()));
    assert_eq!(
        (&summary["clear"], &summary["violated"], &summary["exit"]),
        (&1.into(), &1.into(), &2.into())
    );
}

const METRIC: &str = "id = \"share\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev4\"\nkind = \"metric\"\n\
    unit = \"of all\"\nwarn = \">= 0.5\"\ncritical = \">= 0.9\"\nowner = \"o\"\n\
    [bind.things]\ntable = \"things\"\nowner = \"holder\"\n[sql]\n\
    any = \"SELECT AVG({{things.owner}} IS NULL) AS value FROM {{things}}\"\n";

/// The whole way of a metric: names of the site, thresholds of the site, the code of its level.
#[test]
fn a_metric_is_bound_and_judged_as_the_site_says() {
    let desk = Desk::new();
    desk.home.write("checks/own/share.toml", METRIC);
    let ran = desk.run(&["--check", "share"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("the table things (role things) is not there"), "{}", ran.out);

    let bind = "[bind.things]\ntable = \"asset\"\nowner = \"onwer\"\n";
    desk.home.write("steadyhand.toml", bind);
    let ran = desk.run(&["--check", "share"]);
    assert!(ran.out.contains("has no column onwer"), "{}", ran.out);
    assert!(ran.out.contains("did you mean owner?"), "{}", ran.out);

    let ran = desk.run(&["--check", "share", "--bind", "things.owner=OWNER"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("of all, warning at >= 0.5"), "{}", ran.out);

    let mut config = bind.replace("onwer", "owner");
    config.push_str("[check.share]\ncritical = \"> 0.6\"\n");
    desk.home.write("steadyhand.toml", &config);
    let ran = desk.run(&["--check", "share", "--format", "json"]);
    let line = &ran.lines()[0];
    assert_eq!((ran.code, &line["verdict"]), (2, &"violated".into()), "{}", ran.out);
    assert_eq!((&line["threshold"], &line["unit"]), (&"> 0.6".into(), &"of all".into()));
    assert!(line["value"].as_str().unwrap().starts_with("0.66"), "{line}");
    let shown = run(&desk.home, &["config"]).out;
    assert!(
        shown.contains("check.share.critical") && shown.contains("bind.things.table"),
        "{shown}"
    );
}

/// The worst of very many series may come late, and in a text that a function padded.
#[test]
fn every_series_of_a_metric_is_judged() {
    let desk = Desk::new();
    let series = "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 20000) \
                  SELECT 's' || n AS name, printf('%6.1f', CASE n WHEN 15000 THEN 5000.5 ELSE 1 END) AS value FROM t";
    desk.home.write(
        "checks/own/many.toml",
        &format!(
            "id = \"many\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev1\"\nkind = \"metric\"\nkey = [\"name\"]\n\
             critical = \">= 100\"\nowner = \"o\"\n[sql]\nsqlite = \"{series}\"\n"
        ),
    );
    let ran = desk.run(&["--check", "many"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    let worst = "s15000: 5000.5, critical at >= 100; 1 of 20000 over a threshold";
    assert!(ran.out.contains(worst), "{}", ran.out);
    let ran = desk.run(&["--check", "many", "--format", "prometheus"]);
    assert!(ran.out.contains("} 5000.5\n"), "{}", ran.out);
}

#[test]
fn a_check_can_be_switched_off_with_a_reason_that_is_told() {
    let desk = Desk::new();
    desk.check("bad", "sev2", OWNERLESS);
    desk.check("minor", "sev3", OWNERLESS);
    let off =
        "[check.bad]\ndisabled = \"migration until Friday\"\n[check.minor]\nseverity = \"sev1\"\n";
    desk.home.write("steadyhand.toml", off);
    let ran = desk.run(&["--suite", "sev2", "--suite", "sev3"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.out.contains("disabled      SEV-2  bad  migration until Friday\n"), "{}", ran.out);
    assert!(ran.out.contains("violated      SEV-1  minor"), "{}", ran.out);
    assert!(ran.out.ends_with(", 1 disabled\n"), "{}", ran.out);
    assert_eq!(desk.run(&["--check", "bad"]).code, 2, "who names it gets it");
    desk.home.write("steadyhand.toml", "[check.bda]\ndisabled = \"x\"\n");
    let ran = desk.run(&["--check", "bad"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("There is no check \"bda\"."), "{}", ran.err);
    assert!(ran.err.contains("Did you mean \"bad\"?"), "{}", ran.err);
}

/// Every way in which a database can hide: inconclusive with the reason, never clear, exit 3.
#[test]
fn what_cannot_be_seen_is_inconclusive() {
    let blind = |desk: &Desk, target: &str, reason: &str| {
        let args = [
            "check", "--checks", "checks", "--check", "fine", "--format", "json", "--target",
            target,
        ];
        let ran = run(&desk.home, &args);
        assert_eq!(ran.code, 3, "{target}: {}{}", ran.out, ran.err);
        let line = &ran.lines()[0];
        assert_eq!(
            (&line["verdict"], &line["violations"]),
            (&"inconclusive".into(), &serde_json::Value::Null)
        );
        let said = line["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{target}: {said}");
    };
    let desk = Desk::new();
    desk.check("fine", "sev3", NONE);
    blind(&desk, "sqlite://gone.db", "there is no such file");
    desk.home.write("words.db", "these are words, and this is no database, however long it gets");
    blind(&desk, "words.db", "not a database");
    Sqlite::create(&desk.home.work().join("empty.db")).run("CREATE TABLE other (id)");
    blind(&desk, "empty.db", "the table asset is not there");
    let mut other = Sqlite::open(&desk.database);
    other.run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE asset SET note = 1;");
    blind(&desk, "erp.db", "lock");
    other.run("ROLLBACK");
}

#[test]
fn a_table_that_is_named_and_missing_is_not_clear() {
    let desk = Desk::new();
    desk.home.write(
        "checks/own/named.toml",
        "id = \"named\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nkey = [\"id\"]\nowner = \"o\"\n\
         tables = [\"invoice\"]\n[sql]\nany = \"SELECT id FROM asset WHERE id < 0\"\n",
    );
    let ran = desk.run(&["--check", "named"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("the table invoice is not there"), "{}", ran.out);
}

#[test]
fn one_target_that_is_gone_hides_nothing_of_the_others() {
    let desk = Desk::new();
    desk.check("bad", "sev2", OWNERLESS);
    let ran = desk.run(&["--check", "bad", "--target", "sqlite:gone.db", "--format", "json"]);
    let verdicts: Vec<_> = ran.lines().iter().map(|line| line["verdict"].clone()).collect();
    assert_eq!(verdicts, ["violated".into(), "inconclusive".into(), serde_json::Value::Null]);
    assert_eq!(ran.code, 2);
}

#[test]
fn all_configured_targets_are_checked_when_none_is_named() {
    let desk = Desk::new();
    desk.check("fine", "sev3", NONE);
    let target = |name: &str| {
        format!("[target.{name}]\nurl = \"sqlite://erp.db\"\nenvironment = \"staging\"\n")
    };
    let config = "checks = [\"checks\"]\n".to_owned() + &target("one") + &target("two");
    desk.home.write("steadyhand.toml", &config);
    let ran = run(&desk.home, &["check", "--check", "fine", "--format", "json"]);
    assert_eq!((ran.code, ran.lines().len()), (0, 3), "{}{}", ran.out, ran.err);
    assert_eq!(ran.lines()[2]["summary"]["targets"], 2);
    // Another server under the same name is not looked at.
    desk.home.write("steadyhand.toml", &(config + "fingerprint = \"another\"\n"));
    let ran = run(&desk.home, &["check", "--check", "fine", "--target", "two"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("another server"), "{}", ran.out);
}

#[test]
fn nothing_is_written_to_the_database() {
    let desk = Desk::new();
    desk.check("fine", "sev3", NONE);
    let before = fs::read(&desk.database).unwrap();
    desk.run(&["--check", "fine"]);
    assert_eq!(fs::read(&desk.database).unwrap(), before);
    let left: Vec<_> = desk
        .home
        .files("work")
        .into_iter()
        .filter(|file| file.to_string_lossy().starts_with("erp"))
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn the_demo_has_what_its_checks_look_for() {
    let home = Home::new();
    let catalogue = steadyhand::catalogue::Catalogue::built_in().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let faults = steadyhand::demo::faults(&catalogue.checks, None);
    runtime.block_on(steadyhand::demo::build(&home.work(), &faults)).unwrap();
    let ran = run(&home, &["check", "--target", "erp.db", "--format", "json"]);
    let summary = ran.lines().last().unwrap()["summary"].clone();
    assert_eq!((ran.code, &summary["inconclusive"]), (2, &0.into()), "{}", ran.out);
    for check in &faults {
        let line = ran.lines().into_iter().find(|line| line["check"] == check.id.as_str()).unwrap();
        assert_eq!(line["verdict"], "violated", "{line}");
    }
    let ran = run(&home, &["lint", "--target", "erp.db"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("statements prepared on erp"), "{}", ran.out);
}

#[test]
fn a_result_can_go_into_a_file() {
    let desk = Desk::new();
    desk.check("bad", "sev2", OWNERLESS);
    let ran = desk.run(&[
        "--check",
        "bad",
        "--format",
        "json",
        "--output",
        "result.json",
        "--color",
        "always",
    ]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    let file = fs::read_to_string(desk.home.work().join("result.json")).unwrap();
    assert_eq!(file.lines().count(), 2);
    assert!(!file.contains('\u{1b}'));
    let ran = desk.run(&["--check", "bad", "--output", "no/such/folder/x"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("cannot write no/such/folder/x"), "{}", ran.err);
    let ran = desk.run(&["--check", "bad", "--output", "-"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("leave it out for standard output"), "{}", ran.err);
    assert!(!desk.home.work().join("-").exists());
}

#[test]
fn what_a_row_says_cannot_control_the_terminal() {
    let desk = Desk::new();
    Sqlite::open(&desk.database)
        .run("INSERT INTO asset VALUES (9, NULL, '\u{1b}]0;owned\u{7}\u{202e}\u{9b}2J')");
    desk.check("bad", "sev2", "SELECT note AS id FROM asset WHERE id = 9");
    for format in ["text", "json"] {
        let out = desk.run(&["--check", "bad", "--format", format]).out;
        assert!(!out.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "{out:?}");
        assert!(out.contains("owned"), "{out}");
    }
}

#[test]
fn an_interrupt_ends_the_query_and_says_so() {
    let desk = Desk::new();
    desk.check("endless", "sev2", ENDLESS);
    let args = ["check", "--target", "erp.db", "--checks", "checks", "--check", "endless"];
    let program = Cockpit::start_in(desk.home, &args, COMPACT);
    program.wait_for("erp: 1 check ...");
    program.signal(Signal::INT);
    program.wait_for("stopped by the operator");
    assert_eq!(program.wait_exit(), Ended::Code(130));
    assert!(program.is_restored());
}

#[test]
fn a_query_that_takes_too_long_is_inconclusive() {
    let desk = Desk::new();
    desk.check("endless", "sev2", ENDLESS);
    let path = desk.home.work().join("checks/own/endless.toml");
    let text = fs::read_to_string(&path).unwrap().replace("\"20s\"", "\"200ms\"");
    fs::write(path, text).unwrap();
    let ran = desk.run(&["--check", "endless"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("not finished after 0.2 s"), "{}", ran.out);
}
