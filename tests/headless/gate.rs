//! The gate: known violations pass, new, grown and overdue ones do not, and blindness never does.

use std::fs;

use super::common::Sqlite;
use super::suite::desk;
use super::{Desk, Ran, run_at};

const OWNERLESS: &str = "SELECT id FROM asset WHERE owner IS NULL ORDER BY id";
const DAY: &str = "2026-11-21T06:00:00Z";

fn gate(desk: &Desk, day: &str, more: &[&str]) -> Ran {
    let mut args = vec!["gate", "--suite", "sev2", "--target", "erp", "--baseline", "known.toml"];
    args.extend(more);
    run_at(&desk.home, day, &args)
}

fn known(desk: &Desk) -> String {
    fs::read_to_string(desk.home.work().join("known.toml")).unwrap()
}

#[test]
fn what_is_known_passes_and_what_is_new_blocks() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("bad", "sev2", OWNERLESS);
    let ran = gate(&desk, DAY, &[]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("--update-baseline"), "{}", ran.err);
    // It writes the baseline and no page: a page that was asked for would be missing without a word.
    for page in [["--output", "gate.xml"], ["--format", "junit"], ["--map", "warning=0"]] {
        let ran = gate(&desk, DAY, &[&["--update-baseline"][..], &page].concat());
        assert!(ran.code == 4 && ran.err.contains("cannot be used with"), "{page:?}: {}", ran.err);
    }
    desk.home.write("known.toml", "");
    let ran = gate(&desk, DAY, &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("new: the baseline does not name it"), "{}", ran.out);

    let ran = gate(&desk, DAY, &["--update-baseline", "--expires", "2020-12-31"]);
    assert!(ran.code == 4 && ran.err.contains("2020-12-31 is over"), "{}", ran.err);
    assert_eq!(known(&desk), "");
    let ran = gate(&desk, DAY, &["--update-baseline", "--expires", "2026-12-31"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.starts_with("known.toml written with 1 known violation, 0 before"),
        "{}",
        ran.out
    );
    assert!(known(&desk).contains("keys = [\"2\", \"3\"]"), "{}", known(&desk));
    let ran = gate(&desk, DAY, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("  known         SEV-2  bad  2 violations"), "{}", ran.out);
    assert!(ran.out.contains("known until 2026-12-31, owner o"), "{}", ran.out);
    assert!(
        ran.out.contains("0 clear, 0 warning, 0 violated, 0 inconclusive, 1 known"),
        "{}",
        ran.out
    );

    // The same number of violations, but another row.
    let mut erp = Sqlite::open(&desk.home.work().join("erp.db"));
    erp.run(
        "UPDATE asset SET owner = 'ada' WHERE id = 2; INSERT INTO asset VALUES (4, NULL, NULL)",
    );
    let ran = gate(&desk, DAY, &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("new rows: 4\n"), "{}", ran.out);
    let ran = gate(&desk, DAY, &["--format", "json"]);
    assert_eq!(ran.lines()[0]["passes"], false);
    let ran = gate(&desk, DAY, &["--format", "junit"]);
    assert!(ran.out.contains("t: new rows: 4"), "{}", ran.out);
}

/// What joins the parts of a key may stand in them.
#[test]
fn a_row_is_not_known_by_a_key_that_only_reads_like_its_own() {
    let desk = desk(&[("erp", "staging")], "");
    let mut erp = Sqlite::open(&desk.home.work().join("erp.db"));
    erp.run("CREATE TABLE part (a TEXT, b TEXT); INSERT INTO part VALUES ('x', 'y/z')");
    desk.check("bad", "sev2", "SELECT a, b FROM part");
    let check = desk.home.work().join("checks/own/bad.toml");
    let text = fs::read_to_string(&check).unwrap().replace("[\"id\"]", "[\"a\", \"b\"]");
    fs::write(&check, text).unwrap();
    gate(&desk, DAY, &["--update-baseline", "--expires", "2026-12-31"]);
    assert_eq!(gate(&desk, DAY, &[]).code, 0, "{}", known(&desk));
    for (a, b, told) in [("x/y", "z", r"new rows: x\/y/z"), (r"x\", "y/z", r"new rows: x\\/y\/z")] {
        erp.run(&format!("UPDATE part SET a = '{a}', b = '{b}'"));
        let ran = gate(&desk, DAY, &[]);
        assert!(ran.code == 2 && ran.out.contains(told), "{}", ran.out);
    }
}

/// By the rest of a key another row would be one that is known.
#[test]
fn a_key_that_is_not_among_the_columns_is_no_key() {
    let desk = desk(&[("erp", "staging")], "");
    let mut erp = Sqlite::open(&desk.home.work().join("erp.db"));
    erp.run("CREATE TABLE part (a TEXT, b TEXT); INSERT INTO part VALUES ('x', 'y')");
    desk.check("bad", "sev2", "SELECT * FROM part");
    let check = desk.home.work().join("checks/own/bad.toml");
    let text = fs::read_to_string(&check).unwrap().replace("[\"id\"]", "[\"a\", \"c\"]");
    fs::write(&check, &text).unwrap();
    let metric = "kind = \"metric\"\nwarn = \"> 0\"\n[sql]";
    let series = text.replace("[sql]", metric).replace("id = \"bad\"", "id = \"series\"");
    let series = series.replace("SELECT *", "SELECT 1 AS value, *");
    desk.home.write("checks/own/series.toml", &series);
    desk.home.write("known.toml", "");
    let ran = gate(&desk, DAY, &[]);
    let said = "the query has no column c of the key";
    assert!(ran.code == 3 && ran.out.matches(said).count() == 2, "{}{}", ran.out, ran.err);
    gate(&desk, DAY, &["--update-baseline", "--expires", "2026-12-31"]);
    assert!(!known(&desk).contains("keys"), "{}", known(&desk));
}

#[test]
fn more_than_allowed_has_grown() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("bad", "sev2", OWNERLESS);
    let entry = |more: &str| {
        format!(
            "[[known]]\ncheck = \"bad\"\nowner = \"ada\"\nreason = \"import\"\nexpires = \"2026-12-31\"\n{more}\n"
        )
    };
    desk.home.write("known.toml", &entry("at_most = 2"));
    assert_eq!(gate(&desk, DAY, &[]).code, 0);
    desk.home.write("known.toml", &entry("at_most = 1"));
    let ran = gate(&desk, DAY, &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("grown from 1 to 2"), "{}", ran.out);
    desk.home.write("known.toml", &entry("target = \"other\"\nat_most = 2"));
    assert_eq!(gate(&desk, DAY, &[]).code, 2);
    // How bad a metric may be says nothing of rows.
    desk.home.write("known.toml", &entry("level = \"critical\""));
    let ran = gate(&desk, DAY, &[]);
    assert!(ran.code == 2 && ran.out.contains("`level` is for metrics"), "{}", ran.out);
}

#[test]
fn an_exception_past_its_day_blocks_and_is_never_prolonged_by_itself() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("bad", "sev2", OWNERLESS);
    gate(&desk, DAY, &["--update-baseline", "--expires", "2026-12-31"]);
    assert_eq!(gate(&desk, "2026-12-31T12:00:00Z", &[]).code, 0);
    let ran = gate(&desk, "2027-01-01T12:00:00Z", &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("the exception of o ended on 2026-12-31"), "{}", ran.out);
    gate(&desk, "2027-01-01T12:00:00Z", &["--update-baseline"]);
    assert_eq!(gate(&desk, "2027-01-01T12:00:00Z", &[]).code, 2, "{}", known(&desk));
    // Nothing is wrong any more, but the file still says so.
    Sqlite::open(&desk.home.work().join("erp.db")).run("UPDATE asset SET owner = 'ada'");
    let ran = gate(&desk, "2027-01-01T12:00:00Z", &[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("delete it from the baseline"), "{}", ran.out);
    let ran = gate(&desk, "2027-01-01T12:00:00Z", &["--update-baseline"]);
    assert!(ran.out.contains("with 0 known violations, 1 before"), "{}", ran.out);
    assert_eq!(gate(&desk, "2027-01-01T12:00:00Z", &[]).code, 0);
}

#[test]
fn a_gate_that_cannot_see_lets_nothing_through_and_forgets_nothing() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("bad", "sev2", OWNERLESS);
    gate(&desk, DAY, &["--update-baseline"]);
    let before = known(&desk);
    fs::remove_file(desk.home.work().join("erp.db")).unwrap();
    assert_eq!(gate(&desk, DAY, &[]).code, 3);
    let ran = gate(&desk, DAY, &["--update-baseline"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("1 check could not see"), "{}", ran.out);
    assert_eq!(known(&desk), before);
}

/// Two rows, and then no end.
#[test]
fn what_ran_out_of_time_is_not_known_whatever_was_seen_of_it() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("bad", "sev2", OWNERLESS);
    gate(&desk, DAY, &["--update-baseline"]);
    let before = known(&desk);
    assert!(before.contains("keys = [\"2\", \"3\"]"), "{before}");
    let endless = "SELECT id FROM asset WHERE owner IS NULL UNION ALL SELECT * FROM \
                   (WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) \
                    SELECT id FROM n WHERE id < 0)";
    desk.check("bad", "sev2", endless);
    let path = "checks/own/bad.toml";
    let text = fs::read_to_string(desk.home.work().join(path)).unwrap();
    desk.home.write(path, &text.replace("timeout = \"20s\"", "timeout = \"1s\""));
    let ran = gate(&desk, DAY, &[]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("the others were not seen"), "{}", ran.out);
    assert_eq!(gate(&desk, DAY, &["--format", "json"]).lines()[0]["passes"], false);
    let ran = gate(&desk, DAY, &["--update-baseline"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 check could not see"), "{}", ran.out);
    assert_eq!(known(&desk), before);
    // More than is known is more, however much more it is.
    desk.home.write("known.toml", &before.replace("[\"2\", \"3\"]", "[\"2\"]"));
    let ran = gate(&desk, DAY, &[]);
    assert!(ran.code == 2 && ran.out.contains("new rows: 3"), "{}", ran.out);
}

#[test]
fn a_metric_is_written_with_the_number_of_series_that_may_be_bad() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("idle", "sev2", "SELECT id, 9 AS value FROM asset WHERE owner IS NULL");
    let path = "checks/own/idle.toml";
    let text = fs::read_to_string(desk.home.work().join(path)).unwrap();
    desk.home.write(path, &format!("kind = \"metric\"\nwarn = \">= 5\"\n{text}"));
    assert_eq!(gate(&desk, DAY, &["--update-baseline"]).code, 0);
    assert!(known(&desk).contains("level = \"warning\"\nat_most = 2\n"), "{}", known(&desk));
    assert_eq!(gate(&desk, DAY, &[]).code, 0);
    let mut erp = Sqlite::open(&desk.home.work().join("erp.db"));
    erp.run("INSERT INTO asset VALUES (4, NULL, NULL)");
    let ran = gate(&desk, DAY, &[]);
    assert!(ran.code == 1 && ran.out.contains("worse than the baseline allows"), "{}", ran.out);
}

#[test]
fn what_is_known_everywhere_stays_until_every_target_was_asked() {
    let desk = desk(&[("erp", "staging"), ("other", "staging")], "");
    desk.check("bad", "sev2", OWNERLESS);
    let entry = "[[known]]\ncheck = \"bad\"\nowner = \"ada\"\nreason = \"import\"\n\
                 expires = \"2026-12-31\"\nat_most = 2\n";
    desk.home.write("known.toml", entry);
    assert_eq!(gate(&desk, DAY, &["--update-baseline"]).code, 0);
    assert!(known(&desk).contains(entry), "{}", known(&desk));
    assert_eq!(gate(&desk, DAY, &["--target", "other"]).code, 0);
    assert_eq!(gate(&desk, DAY, &["--update-baseline", "--target", "other"]).code, 0);
    let known = known(&desk);
    assert!(known.contains("target = \"other\"") && !known.contains(entry), "{known}");
}

#[test]
fn faults_of_a_baseline_are_told_with_their_places() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("bad", "sev2", OWNERLESS);
    desk.home.write("known.toml", "[[known]]\ncheck = \"bad\"\nowner = \"\"\nexpires = \"soon\"\n");
    let ran = gate(&desk, DAY, &[]);
    assert_eq!(ran.code, 4);
    for said in ["known.toml:3:", "known.toml:4:", "`reason`", "it would allow anything"] {
        assert!(ran.err.contains(said), "{said} is missing in {}", ran.err);
    }
}

/// A key is what stands in the database, also where that is nothing.
#[test]
fn a_row_whose_key_is_empty_is_known_like_any_other() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("bad", "sev2", "SELECT '' AS id UNION ALL SELECT '  ' UNION ALL SELECT 'x'");
    let ran = gate(&desk, DAY, &["--update-baseline"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(known(&desk).contains("keys = [\"\", \"  \", \"x\"]"), "{}", known(&desk));
    for more in [&[][..], &["--update-baseline"], &[]] {
        let ran = gate(&desk, DAY, more);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }
}
