//! What is remembered of runs: trends, reports, and runs that did not happen.

use std::fs;

use super::common::Sqlite;
use super::suite::desk;
use super::{Desk, run_at};

const OWNERLESS: &str = "SELECT id FROM asset WHERE owner IS NULL ORDER BY id";

/// Nights on which the data went bad, got worse, and could not be seen.
fn nights() -> Desk {
    let desk = desk(&[("erp", "production")], "[suite.sev2]\nevery = \"24h\"\n");
    desk.check("bad", "sev2", OWNERLESS);
    let path = desk.home.work().join("erp.db");
    let night = |day: &str, sql: &str| {
        if !sql.is_empty() {
            Sqlite::open(&path).run(sql);
        }
        run_at(&desk.home, &format!("2026-11-{day}T02:00:00Z"), &["check", "--suite", "sev2"])
    };
    assert_eq!(night("01", "UPDATE asset SET owner = 'ada'").code, 0);
    assert_eq!(night("02", "").code, 0);
    assert_eq!(night("03", "UPDATE asset SET owner = NULL WHERE id = 1").code, 2);
    fs::rename(&path, path.with_extension("away")).unwrap();
    assert_eq!(night("04", "").code, 3);
    fs::rename(path.with_extension("away"), &path).unwrap();
    let late = night("07", "UPDATE asset SET owner = NULL");
    assert!(
        late.err.contains(
            "erp: 2 runs of sev2 did not happen; the one before was at 2026-11-04 02:00 UTC"
        ),
        "{}",
        late.err
    );
    desk
}

#[test]
fn a_check_tells_how_it_went() {
    let desk = nights();
    let ran = run_at(&desk.home, "2026-11-07T12:00:00Z", &["history", "bad"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for said in [
        "bad  SEV-2  erp: violated (3) since 2026-11-07 02:00 UTC",
        "first seen  2026-11-03 02:00 UTC",
        "last clear  2026-11-02 02:00 UTC",
        "highest 3",
        "2026-11-01 02:00 UTC  2026-11-02 02:00 UTC  2     clear",
        "there is no such file",
    ] {
        assert!(ran.out.contains(said), "{said} is missing in {}", ran.out);
    }
    let ran = run_at(&desk.home, "2026-11-07T12:00:00Z", &["history", "bad", "--format", "json"]);
    assert_eq!(ran.lines()[0]["points"].as_array().unwrap().len(), 5);
    let ran = run_at(&desk.home, "2026-11-07T12:00:00Z", &["history", "bda"]);
    assert!(ran.code == 4 && ran.err.contains("did you mean \"bad\"?"), "{}", ran.err);
    let ran = run_at(&desk.home, "2026-11-07T12:00:00Z", &["history", "bad", "--state", "none"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "no runs are remembered\n"));
}

#[test]
fn a_week_is_a_page_in_every_form() {
    let desk = nights();
    let at = "2026-11-07T12:00:00Z";
    let ran = run_at(&desk.home, at, &["report", "--since", "7d"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for said in [
        "# Integrity report, 2026-10-31 12:00 UTC to 2026-11-07 12:00 UTC",
        "1 check: 0 clear, 0 warning, 1 violated, 0 inconclusive.",
        "- sev2 on erp: 2 runs did not happen",
        "- sev2 on erp: 1 run saw nothing",
        "| `bad` | `erp` | SEV-2 | violated | 0 → 3 | 2026-11-03 02:00 UTC | 2026-11-02 02:00 UTC |",
        "| ▁▁▄█ | 3 | 3 | 1 d |",
    ] {
        assert!(ran.out.contains(said), "{said} is missing in {}", ran.out);
    }
    let ran = run_at(&desk.home, at, &["report", "--format", "json"]);
    let within = ran.lines()[0]["checks"][0]["detected_within_seconds"].as_i64().unwrap();
    // The clock of a run goes on from where it was set.
    assert!((86_380..86_420).contains(&within), "{within}");
    let ran = run_at(&desk.home, at, &["report", "--format", "html", "--output", "week.html"]);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    let html = fs::read_to_string(desk.home.work().join("week.html")).unwrap();
    assert!(
        html.contains("<polyline points=\"") && html.contains("sev2 on erp: 2 runs did not happen"),
        "{html}"
    );
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
}

#[test]
fn html_shows_names_and_obeys_none() {
    let desk = desk(&[], "[target.erp]\nurl = \"sqlite://erp.db\"\nenvironment = \"staging\"\n");
    desk.check("bad", "sev2", OWNERLESS);
    let state = desk.home.path("state/steadyhand/history/_script_x__script_-4cd698ac");
    fs::create_dir_all(&state).unwrap();
    let line = r#"{"at":"2026-11-07T02:00:00Z","seconds":1.0,"target":"<script>x</script>","suites":["<b>"],"seen":[{"check":"<i>&","severity":"sev2","state":"violated","number":1.0,"seconds":0.1}]}"#;
    fs::write(state.join("2026-11.jsonl"), format!("{line}\n{{torn")).unwrap();
    let at = "2026-11-07T12:00:00Z";
    let html = run_at(&desk.home, at, &["report", "--format", "html"]).out;
    assert!(
        html.contains("&lt;script&gt;") && !html.contains("<script>") && !html.contains("<i>"),
        "{html}"
    );
    assert!(html.contains("1 line of the history could not be read"), "{html}");
    let markdown = run_at(&desk.home, at, &["report"]).out;
    assert!(!markdown.contains("| <script>"), "{markdown}");
}

#[test]
fn health_tells_runs_that_do_not_happen() {
    let desk = nights();
    let health = |at: &str, more: &[&str]| {
        let mut args = vec!["health", "--max-age", "26h"];
        args.extend(more);
        run_at(&desk.home, at, &args)
    };
    let ran = health("2026-11-08T02:30:00Z", &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("ok      erp     sev2   1 d"), "{}", ran.out);
    let ran = health("2026-11-08T05:00:00Z", &[]);
    assert!(
        ran.code == 3 && ran.out.contains("old") && ran.out.contains("older than 26h"),
        "{}",
        ran.out
    );
    let ran = health("2026-11-07T05:00:00Z", &["--suite", "nightly"]);
    assert!(ran.code == 3 && ran.out.contains("it never ran"), "{}", ran.out);
    fs::remove_file(desk.home.work().join("erp.db")).unwrap();
    run_at(&desk.home, "2026-11-08T03:00:00Z", &["check", "--suite", "sev2"]);
    let ran = health("2026-11-08T05:00:00Z", &[]);
    assert!(ran.code == 3 && ran.out.contains("it saw nothing"), "{}", ran.out);
}

/// Also of one that is to run more often, or less often, than once a day.
#[test]
fn health_goes_by_the_schedule_of_a_suite() {
    for (every, fine, late) in [
        ("1h", "2026-11-07T03:04:00Z", "2026-11-07T03:06:00Z"),
        ("7d", "2026-11-14T15:00:00Z", "2026-11-14T17:00:00Z"),
    ] {
        let desk = nights();
        let path = desk.home.work().join("steadyhand.toml");
        let text = fs::read_to_string(&path).expect("it is there");
        fs::write(&path, text.replace("every = \"24h\"", &format!("every = \"{every}\"")))
            .expect("it is ours");
        let health = |at: &str| run_at(&desk.home, at, &["health", "--suite", "sev2"]);
        let ran = health(fine);
        assert_eq!(ran.code, 0, "{every}: {}", ran.out);
        let ran = health(late);
        assert!(ran.code == 3 && ran.out.contains("older than"), "{every}: {}", ran.out);
    }
}

#[test]
fn a_report_tells_runs_that_did_not_happen_at_all() {
    let desk = nights();
    let report = |at: &str| run_at(&desk.home, at, &["report", "--since", "1d"]).out;
    let said = report("2026-11-12T02:00:00Z");
    for line in
        ["- sev2 on erp: 1 run did not happen", "| sev2 | `erp` | 0 | 2026-11-07 02:00 UTC |"]
    {
        assert!(said.contains(line), "{line} is missing in {said}");
    }
    let said = report("2026-11-08T01:00:00Z");
    assert!(!said.contains("did not happen"), "what was missed before the period: {said}");
}

/// A clock ran years ahead for one run: it is no run of today, and takes none of the past with it.
#[test]
fn a_clock_that_was_wrong_once_hides_nothing() {
    let desk = nights();
    run_at(&desk.home, "2031-01-01T02:00:00Z", &["check", "--suite", "sev2"]);
    let ran = run_at(&desk.home, "2026-11-08T02:00:00Z", &["health"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    for said in [
        "ok      erp     sev2   1 d",
        "a run is filed under 2031-01-01 02:00 UTC, which is to come",
    ] {
        assert!(ran.out.contains(said), "{said} is missing in {}", ran.out);
    }
    let ran = run_at(&desk.home, "2026-11-10T02:00:00Z", &["health", "--max-age", "26h"]);
    assert!(ran.code == 3 && ran.out.contains("older than 26h"), "{}", ran.out);
    let ran = run_at(&desk.home, "2026-11-10T03:00:00Z", &["report", "--since", "2d"]);
    assert!(ran.out.contains("- sev2 on erp: 2 runs did not happen"), "{}", ran.out);
}

#[test]
fn rows_and_keys_are_not_remembered() {
    let desk = desk(&[("erp", "production")], "");
    Sqlite::open(&desk.home.work().join("erp.db"))
        .run("INSERT INTO asset VALUES (77123, NULL, 'tellnobody')");
    desk.check("bad", "sev2", "SELECT id, note FROM asset WHERE owner IS NULL");
    run_at(&desk.home, "2026-11-07T05:00:00Z", &["check", "--suite", "sev2"]);
    let mut found = 0;
    for file in desk.home.files("state") {
        let text = fs::read_to_string(desk.home.path("state").join(file)).unwrap();
        assert!(!text.contains("77123") && !text.contains("tellnobody"), "{text}");
        found += text.matches("\"bad\"").count();
    }
    assert!(found >= 2);
}

/// A suite that does not concern a target can never run there; one that there is none of is a slip.
#[test]
fn health_expects_no_run_that_could_never_be() {
    let desk =
        desk(&[("erp", "production"), ("zoo", "production")], "[suite.sev2]\nevery = \"24h\"\n");
    let path = desk.home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "packs = [\"integrity\"]\n").unwrap();
    desk.check("fine", "sev2", "SELECT id FROM asset WHERE id < 0");
    let at = "2026-11-07T02:00:00Z";
    assert_eq!(run_at(&desk.home, at, &["check", "--suite", "sev2"]).code, 0);
    let ran = run_at(&desk.home, at, &["health"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let lines: Vec<Vec<&str>> =
        ran.out.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    assert!(lines.contains(&vec!["ok", "erp", "sev2"]), "{}", ran.out);
    assert!(lines.contains(&vec!["none", "zoo", "sev2"]), "{}", ran.out);
    // Where nothing is to run, nobody can say that all is well.
    assert_eq!(run_at(&desk.home, at, &["health", "--target", "zoo"]).code, 3);
    let ran = run_at(&desk.home, at, &["health", "--suite", "sev3"]);
    assert!(ran.code == 4 && ran.err.contains("there is no suite \"sev3\""), "{}", ran.err);
}

/// What the database says of an error may repeat a row, and what a command says is for whoever looks on.
#[test]
fn the_history_keeps_verdicts_and_no_words_of_others() {
    let pg = "[target.pg]\nurl = \"postgres://me@127.0.0.1:1/shop\"\nenvironment = \"staging\"\n\
              password_command = [\"sh\", \"-c\", \"echo the vault is sealed >&2; exit 3\"]\n";
    let desk = desk(&[("erp", "staging")], pg);
    Sqlite::open(&desk.database).run(
        "CREATE VIRTUAL TABLE docs USING fts5(body); INSERT INTO docs VALUES ('x');
         UPDATE asset SET owner = 'CH9300762011623852957:x' WHERE id = 1",
    );
    let sql =
        "SELECT rowid AS id FROM docs WHERE docs MATCH (SELECT owner FROM asset WHERE id = 1)";
    desk.check("broken", "sev2", sql);
    let at = "2026-11-07T02:00:00Z";
    let ran = run_at(&desk.home, at, &["check", "--suite", "sev2"]);
    assert!(ran.code == 3 && ran.out.contains("CH9300762011623852957"), "{}", ran.out);
    assert!(ran.err.contains("note: pg: it said: the vault is sealed"), "{}", ran.err);
    for file in desk.home.files("state/steadyhand/history") {
        let path = desk.home.path("state/steadyhand/history").join(file);
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains("CH93") && !text.contains("sealed"), "{text}");
    }
    let report = run_at(&desk.home, at, &["history", "broken", "--format", "json"]).out;
    let said = "the database reported an error; the output of the run has its words";
    assert!(report.contains(said), "{report}");
}
