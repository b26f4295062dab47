//! What machines read: accepted by parsers that others wrote, and escaped.

use std::fs;

use super::suite::desk;
use super::{Desk, run};

const OWNERLESS: &str = "SELECT id, note FROM asset WHERE owner IS NULL ORDER BY id";
const HOSTILE: &str = r"a <b> & 'c' | \ é `x`";

/// One check of every outcome; the words of one could end any format.
fn colourful() -> Desk {
    let desk = desk(
        &[("erp", "staging"), ("gone", "staging")],
        "[check.off]\ndisabled = \"until \\\"May\\\" <x>\"\n",
    );
    fs::remove_file(desk.home.work().join("gone.db")).unwrap();
    desk.check("bad", "sev2", OWNERLESS);
    desk.check("minor", "sev4", OWNERLESS);
    desk.check("fine", "sev3", "SELECT id FROM asset WHERE id < 0");
    desk.check("blind", "sev1", "SELECT id FROM nowhere");
    desk.check("off", "sev1", OWNERLESS);
    let path = desk.home.work().join("checks/own/bad.toml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text
        .replace("title = \"t\"", &format!("title = '''{HOSTILE}'''"))
        .replace("owner = \"o\"", "owner = 'DBA \"night\\shift\"'");
    fs::write(path, text).unwrap();
    desk
}

fn page(desk: &Desk, format: &str) -> String {
    let args = [
        "check", "--suite", "sev1", "--suite", "sev2", "--suite", "sev3", "--suite", "sev4",
        "--format", format,
    ];
    let ran = run(&desk.home, &args);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    ran.out
}

#[test]
fn junit_is_read_by_a_parser_and_counts_add_up() {
    let out = page(&colourful(), "junit");
    let read = junit_parser::from_reader(out.as_bytes()).unwrap();
    assert_eq!((read.tests, read.failures, read.errors), (10, 2, 5), "{out}");
    assert_eq!(read.suites.len(), 2);
    let erp = &read.suites[0];
    assert_eq!(
        (erp.name.as_str(), erp.tests, erp.failures, erp.errors, erp.skipped),
        ("erp", 5, 2, 1, 1)
    );
    let bad = erp.cases.iter().find(|case| case.original_name == "bad").unwrap();
    let junit_parser::TestStatus::Failure(failure) = &bad.status else { panic!("{bad:?}") };
    assert_eq!(failure.message, format!("{HOSTILE}: 2 violations"));
    assert_eq!(failure.failure_type, "sev2");
    assert!(failure.text.contains("id: 2, 3"), "{}", failure.text);
    let blind = erp.cases.iter().find(|case| case.original_name == "blind").unwrap();
    assert!(matches!(blind.status, junit_parser::TestStatus::Error(_)), "{blind:?}");
}

/// What Jenkins's own schema of these files allows: an element, where it may stand, the attributes
/// it must have, and those that it may have.
const SCHEMA: [(&str, &str, &[&str], &[&str]); 6] = [
    ("testsuites", "", &[], &["name", "time", "tests", "failures", "errors"]),
    (
        "testsuite",
        "testsuites",
        &["name", "tests", "failures", "errors"],
        &[
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
        ],
    ),
    ("testcase", "testsuite", &["name"], &["time", "classname", "group"]),
    ("failure", "testcase", &[], &["type", "message"]),
    ("error", "testcase", &[], &["type", "message"]),
    ("skipped", "testcase", &[], &["type", "message"]),
];

#[test]
fn junit_is_as_its_schema_says() {
    use quick_xml::events::Event;
    let out = page(&colourful(), "junit");
    let mut reader = quick_xml::Reader::from_str(&out);
    let mut open: Vec<String> = Vec::new();
    let mut seen = 0;
    loop {
        let event = reader.read_event().unwrap();
        let (start, stays) = match &event {
            Event::Start(start) => (start, true),
            Event::Empty(start) => (start, false),
            Event::End(_) => {
                open.pop();
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
        let rule = SCHEMA.iter().find(|(element, ..)| *element == name);
        let (_, parent, must, may) = rule.unwrap_or_else(|| panic!("{name} is no element"));
        assert_eq!(open.last().map_or("", String::as_str), *parent, "{name} stands there");
        let attributes: Vec<(String, String)> = start
            .attributes()
            .map(|one| {
                let one = one.unwrap();
                let key = String::from_utf8(one.key.as_ref().to_vec()).unwrap();
                (key, String::from_utf8(one.value.to_vec()).unwrap())
            })
            .collect();
        for (key, value) in &attributes {
            assert!(must.contains(&&**key) || may.contains(&&**key), "{name} has {key}");
            if key == "time" {
                let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                assert!(value.split('.').count() <= 2 && value.split('.').all(digits), "{value}");
            }
        }
        for key in *must {
            assert!(attributes.iter().any(|(has, _)| has == key), "{name} has no {key}");
        }
        seen += 1;
        if stays {
            open.push(name);
        }
    }
    assert!(open.is_empty() && seen > 15, "{seen}");
}

#[test]
fn prometheus_reads_every_sample_and_what_was_not_seen_has_none() {
    let desk = colourful();
    let out = page(&desk, "prometheus");
    let lines = out.lines().map(|line| Ok(line.to_owned()));
    let read = prometheus_parse::Scrape::parse(lines).unwrap();
    let samples = out.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(read.samples.len(), samples, "{out}");
    let of = |metric: &str, check: &str, target: &str| {
        let found = read.samples.iter().find(|sample| {
            sample.metric == metric
                && sample.labels.get("check") == Some(check)
                && sample.labels.get("target") == Some(target)
        });
        found.map(|sample| match sample.value {
            prometheus_parse::Value::Gauge(value) => value,
            ref other => panic!("{other:?}"),
        })
    };
    assert_eq!(of("steadyhand_check_state", "bad", "erp"), Some(2.0));
    assert_eq!(of("steadyhand_check_violations", "bad", "erp"), Some(2.0));
    assert_eq!(of("steadyhand_check_state", "bad", "gone"), Some(3.0));
    assert_eq!(of("steadyhand_check_violations", "bad", "gone"), None);
    assert!(out.contains(r#"owner="DBA \"night\\shift\"""#), "{out}");
    // Two runs may lie in one folder: nothing of theirs is called the same.
    let series = read.samples.iter().all(|sample| sample.labels.get("suite").is_some());
    assert!(series, "{out}");
    // Every family has its type once, before its samples.
    for family in ["steadyhand_check_state", "steadyhand_run_exit_code"] {
        assert_eq!(out.matches(&format!("# TYPE {family} gauge\n")).count(), 1);
    }
}

/// Its names are public, so they stand on a page.
#[test]
fn whatever_a_program_reads_is_on_the_page_of_its_names() {
    let page_of_names = fs::read_to_string("docs/output.md").unwrap();
    let desk = colourful();
    let mut names: Vec<String> = Vec::new();
    for line in page(&desk, "json").lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let line = line.get("summary").unwrap_or(&line);
        names.extend(line.as_object().unwrap().keys().cloned());
    }
    let out = page(&desk, "prometheus");
    let types = out.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    names.extend(types.map(|line| line.split(' ').next().unwrap().to_owned()));
    let missing = names.iter().find(|name| !page_of_names.contains(&format!("`{name}`")));
    assert!(missing.is_none() && names.len() > 30, "{missing:?} of {names:?}");
}

#[test]
fn the_textfile_is_replaced_as_a_whole() {
    let desk = colourful();
    let file = desk.home.write("metrics.prom", "old\n");
    let ran = run(
        &desk.home,
        &[
            "check",
            "--target",
            "erp",
            "--check",
            "fine",
            "--format",
            "prometheus",
            "--output",
            "metrics.prom",
        ],
    );
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{}", ran.out);
    let text = fs::read_to_string(file).unwrap();
    assert!(text.starts_with("# HELP") && text.ends_with('\n') && !text.contains("old"), "{text}");
    assert_eq!(
        desk.home
            .files("work")
            .iter()
            .filter(|file| file.to_string_lossy().contains(".tmp"))
            .count(),
        0
    );
}

#[test]
fn markdown_holds_the_worst_first_and_no_markup_of_others() {
    let out = page(&colourful(), "markdown");
    assert!(out.starts_with("### ✗ violated: 8 checks on 2 targets"), "{out}");
    let rows: Vec<&str> = out
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| verdict"))
        .collect();
    assert!(rows[0].starts_with("| violated | SEV-2 | `bad` | `erp` | 2 violations |"), "{out}");
    assert!(rows.iter().all(|row| row.matches(" | ").count() == 5), "{out}");
    assert!(out.contains(r"a \<b> & 'c' \| \\ é \`x\`"), "{out}");
    assert!(out.contains("<details><summary>1 check clear</summary>"), "{out}");
}

/// A name that only this run knows would lead nowhere.
#[test]
fn the_command_to_go_on_with_names_a_target_that_is_not_configured_by_its_place() {
    let desk = desk(&[], "");
    desk.check("bad", "sev2", OWNERLESS);
    let path = desk.home.work().join("checks/own/bad.toml");
    let text = fs::read_to_string(&path).unwrap();
    let runbook = "owner = \"o\"\nrunbook = \"asset-double-assignment\"";
    fs::write(path, text.replace("owner = \"o\"", runbook)).unwrap();
    let moved = desk.home.work().join("the books.db");
    fs::rename(&desk.database, &moved).unwrap();
    let command = format!(
        "steadyhand open asset-double-assignment --target '{}'",
        moved.canonicalize().unwrap().display()
    );
    for format in ["markdown", "junit"] {
        let args = ["check", "--check", "bad", "--target", "the books.db", "--format", format];
        let ran = run(&desk.home, &args);
        let told = ran.out.replace("&apos;", "'");
        assert!(told.contains(&command), "{command} is missing in {}{}", ran.out, ran.err);
    }
}
