//! Checks from files: what a check file may say, and every fault of one that says something else.
//!
//! Pure: text in, a check or faults out. What concerns several files at once (does the runbook
//! exist?) is the business of the catalogue, which gets the places to point at.

use std::path::Path;
use std::time::Duration;

use super::{Check, Severity};
use crate::dialect::{Dialect, PerDialect};
use crate::source::{self, Complaint, Fault, Spot, Table, did_you_mean, quoted};
use crate::sql;

/// A check, and where it names other files.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub check: Check,
    /// Where `id` stands.
    pub id: Spot,
    /// Where `runbook` stands.
    pub runbook: Spot,
}

/// Reads one check. `file_name` is for the messages, and its stem must be the id.
pub fn parse(file_name: &str, pack: &str, source: &str) -> Result<Check, Vec<Fault>> {
    load(file_name, pack, source).map(|loaded| loaded.check)
}

/// The same, with the places that cross-file questions need.
pub fn load(file_name: &str, pack: &str, source: &str) -> Result<Loaded, Vec<Fault>> {
    source::read(file_name, "a check", source, |table| {
        table.elsewhere(
            "step",
            "Steps belong in a runbook; a check asks one question under `[sql]`.",
        );
        let check = Check {
            id: id_like_file(table, file_name),
            pack: pack.to_owned(),
            title: table.text("title"),
            rule: table.text("rule"),
            severity: severity(table),
            key: table.some_texts("key"),
            suites: table.texts("suites"),
            owner: table.text("owner"),
            controls: table.texts("controls"),
            runbook: table.optional_text("runbook"),
            timeout: table.duration_or("timeout", Duration::from_secs(30)),
            tables: table.texts("tables"),
            sql: table.need_per_dialect("sql", "[sql]", question),
            fault: table.per_dialect("fault", script),
        };
        // The other kinds are words of the format that have no meaning yet.
        table.optional_one_of("kind", &[((), "violations")]);
        key_is_selected(table, &check);
        Loaded {
            check: Check { tables: tables_or_named(&check), ..check },
            id: table.spot("id"),
            runbook: table.spot("runbook"),
        }
    })
}

/// The `id` of a file, which must be its name without the ending.
pub(crate) fn id_like_file(table: &Table<'_>, file_name: &str) -> String {
    let id = table.id("id");
    let stem = Path::new(file_name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if !id.is_empty() && id != stem {
        table.fault(
            "id",
            format!(
                "`id` is {} but the file is called {}; give both the same name.",
                quoted(&id),
                quoted(stem)
            ),
        );
    }
    id
}

pub(crate) fn severity(table: &Table<'_>) -> Severity {
    table.one_of("severity", &Severity::ALL.map(|severity| (severity, severity.key())))
}

/// A refusal of SQL as a complaint about the text in the file; advice where another kind of
/// statement is wanted.
pub(crate) fn complaint(refusal: sql::Refusal, advice: Option<&str>) -> Complaint {
    Complaint {
        sentence: refusal.sentence,
        part: refusal.part,
        suggestion: advice.filter(|_| refusal.other_kind).map(str::to_owned),
    }
}

/// The query of a check: one statement that reads, without parameters.
fn question(text: &str, dialect: Dialect) -> Result<(), Complaint> {
    sql::read(text, dialect)
        .map_err(|refusal| complaint(refusal, Some("A check only reads: write one SELECT.")))?;
    match sql::places(text, dialect).map_err(|refusal| complaint(refusal, None))?.first() {
        Some((name, part)) => Err(Complaint::new(format!(
            "A check runs by itself, so nobody answers for `:{name}`; write the value."
        ))
        .over(part.clone())),
        None => Ok(()),
    }
}

/// The script that injects a fault: any statements, but readable ones.
fn script(text: &str, dialect: Dialect) -> Result<(), Complaint> {
    match sql::split(text, dialect) {
        Ok(statements) if statements.is_empty() => Err(Complaint::new("There is no statement.")),
        Ok(_) => Ok(()),
        Err(refusal) => Err(complaint(refusal, None)),
    }
}

/// A key that is no column would make every row look new at every run.
fn key_is_selected(table: &Table<'_>, check: &Check) {
    for (engine, text) in check.sql.texts() {
        let Some(columns) = Dialect::ALL.iter().find_map(|dialect| sql::columns(text, *dialect))
        else {
            continue;
        };
        for (name, spot) in table.spotted_texts("key") {
            if columns.iter().any(|column| column.eq_ignore_ascii_case(&name)) {
                continue;
            }
            let fault = spot.fault(format!(
                "The key {} is no column of the query under sql.{engine}; its columns are {}.",
                quoted(&name),
                columns.join(", ")
            ));
            table.add(match did_you_mean(&name, columns.iter().map(String::as_str)) {
                Some(near) => fault.suggest(format!("Did you mean \"{near}\"?")),
                None => fault,
            });
        }
    }
}

/// Without a list, the tables are those that the query names.
fn tables_or_named(check: &Check) -> Vec<String> {
    if check.tables.is_empty() { named(&check.sql) } else { check.tables.clone() }
}

fn named(texts: &PerDialect) -> Vec<String> {
    let of = |text| Dialect::ALL.iter().find_map(|dialect| sql::tables(text, *dialect));
    let mut tables: Vec<String> =
        texts.texts().filter_map(|(_, text)| of(text)).flatten().collect();
    tables.sort();
    tables.dedup();
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
id = "late"
title = "Late things"
rule = "Nothing is late."
severity = "sev3"
key = ["thing_id"]
owner = "me"
[sql]
any = "SELECT id AS thing_id FROM things WHERE late = 1"
"#;

    fn faults(source: &str) -> Vec<String> {
        let faults = parse("checks/demo/late.toml", "demo", source).expect_err("faults");
        faults
            .iter()
            .map(|fault| format!("{}:{} {}", fault.line, fault.column, fault.sentence))
            .collect()
    }

    #[test]
    fn defaults_are_filled_in_and_tables_found() {
        let check = parse("late.toml", "demo", GOOD).expect("good");
        assert_eq!((check.timeout, check.tables), (Duration::from_secs(30), vec!["things".into()]));
    }

    #[test]
    fn a_fault_in_sql_points_into_the_sql() {
        let source = GOOD.replace("WHERE late = 1", "; DELETE FROM things");
        assert_eq!(
            faults(&source),
            ["9:44 There are several statements; write one, without anything behind a semicolon."]
        );
    }

    #[test]
    fn a_key_must_be_a_column_of_the_query() {
        let source = GOOD.replace("key = [\"thing_id\"]", "key = [\"id\"]");
        assert_eq!(
            faults(&source),
            [
                "6:8 The key \"id\" is no column of the query under sql.any; its columns are thing_id."
            ]
        );
    }
}
