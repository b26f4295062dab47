//! Checks from files: what a check file may say, and every fault of one that says something else.
//!
//! Pure: text in, a check or faults out. What concerns several files at once (does the runbook
//! exist?) is the business of the catalogue, which gets the places to point at.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::bind::{self, Role};
use super::metric::{VALUE, never_warns};
use super::{About, Check, Kind, Metric, REMEDIATION, Severity, Threshold};
use crate::control;
use crate::dialect::Dialect;
use crate::source::{self, Care, Complaint, Fault, Spot, Table, did_you_mean, quoted};
use crate::sql;

/// A check, and where it names other files.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub check: Check,
    /// Where `id` stands.
    pub id: Spot,
    /// Where `runbook` stands.
    pub runbook: Spot,
    /// Every control that it names, where it stands.
    pub controls: Vec<(String, Spot)>,
}

/// Reads one check. `file_name` is for the messages, and its stem must be the id.
pub fn parse(file_name: &str, pack: &str, source: &str) -> Result<Check, Vec<Fault>> {
    load(Care::Judge, file_name, pack, source).map(|loaded| loaded.check)
}

/// The same, with the places that cross-file questions need.
pub fn load(care: Care, file_name: &str, pack: &str, source: &str) -> Result<Loaded, Vec<Fault>> {
    source::read_with(care, file_name, "a check", source, |table| {
        table.elsewhere(
            "step",
            "Steps belong in a runbook; a check asks one question under `[sql]`.",
        );
        let kind = kind(table);
        let bindings = bind::read(table);
        let roles = bind::roles(&bindings);
        let controls = controls(table);
        let check = Check {
            id: id_like_file(table, file_name),
            pack: pack.to_owned(),
            title: table.text("title"),
            rule: table.text("rule"),
            severity: severity(table),
            // One number needs no name.
            key: match kind {
                Kind::Metric(_) => table.texts("key"),
                Kind::Violations | Kind::Catalog => table.some_texts("key"),
            },
            kind,
            suites: table.texts("suites"),
            owner: table.text("owner"),
            controls: controls.iter().map(|(name, _)| name.clone()).collect(),
            runbook: table.optional_text("runbook"),
            alert_keys: table.flag_or("alert_keys", false),
            about: table
                .optional_one_of("about", &[(About::Data, "data"), (About::Server, "server")]),
            timeout: table.duration_or("timeout", Duration::from_secs(30)),
            tables: table.texts("tables"),
            named: BTreeMap::new(),
            disabled: None,
            sql: table
                .need_per_dialect("sql", "[sql]", |text, dialect| question(text, dialect, &roles)),
            fault: table.per_dialect("fault", script),
            finds: table.optional_whole("finds", 1..=1_000_000),
            bind: roles,
        };
        if table.is_judged() {
            columns_are_selected(table, &check);
            roles_are_used(table, &check, &bindings);
        }
        let listed = table.has("tables") || check.kind != Kind::Violations || !table.is_judged();
        let named = if listed { BTreeMap::new() } else { named_tables(&check) };
        Loaded {
            check: Check { named, ..check },
            id: table.spot("id"),
            runbook: table.spot("runbook"),
            controls,
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

/// The names of controls, judged as far as they can be alone.
pub(crate) fn controls(table: &Table<'_>) -> Vec<(String, Spot)> {
    let names = table.spotted_texts("controls");
    for (name, spot) in &names {
        if let Err(complaint) = control::judge(name) {
            table.complain_at(spot, name, complaint);
        }
    }
    names
}

fn kind(table: &Table<'_>) -> Kind {
    const KINDS: [(u8, &str); 3] = [(0, "violations"), (1, "metric"), (2, "catalog")];
    let kind = table.optional_one_of("kind", &KINDS).unwrap_or(0);
    if kind != 1 {
        for key in ["warn", "critical", "unit"] {
            table.elsewhere(
                key,
                format!("`{key}` belongs to a metric; write kind = \"metric\", or delete it."),
            );
        }
        return if kind == 0 { Kind::Violations } else { Kind::Catalog };
    }
    let metric = Metric {
        warn: threshold(table, "warn"),
        critical: threshold(table, "critical"),
        unit: table.text_or("unit", ""),
    };
    if let Some(sentence) = never_warns(metric.warn.as_ref(), metric.critical.as_ref()) {
        table.fault("warn", sentence);
    }
    if !table.has("warn") && !table.has("critical") {
        table.fault_here("A metric needs `warn` or `critical`; write warn = \">= 0.8\".");
    }
    Kind::Metric(metric)
}

/// A threshold, if one is written.
pub(crate) fn threshold(table: &Table<'_>, key: &'static str) -> Option<Threshold> {
    let text = table.optional_text(key)?;
    let threshold = Threshold::parse(&text);
    if threshold.is_none() {
        table.fault(
            key,
            format!(
                "`{key}` cannot be {}; write one such as \">= 0.8\", \"< 10\" or \"not in 0, 1\".",
                quoted(&text)
            ),
        );
    }
    threshold
}

/// A refusal of SQL as a complaint about the text in the file; advice where another kind of
/// statement is wanted.
pub(crate) fn complaint(refusal: sql::Refusal, advice: Option<&str>) -> Complaint {
    Complaint {
        sentence: refusal.sentence,
        part: refusal.part,
        suggestion: advice.filter(|_| refusal.other_kind).map(str::to_owned),
        of_engine: refusal.by_mode,
    }
}

/// The query of a check: one statement that reads, without parameters.
fn question(text: &str, dialect: Dialect, roles: &[Role]) -> Result<(), Complaint> {
    if let Some(complaint) = bind::unknown(text, roles) {
        return Err(complaint);
    }
    let filled = bind::fill(text, dialect, roles);
    asks_only(&filled.text, dialect).map_err(|complaint| Complaint {
        part: complaint.part.map(|part| filled.in_source(&part)),
        ..complaint
    })
}

fn asks_only(text: &str, dialect: Dialect) -> Result<(), Complaint> {
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

/// A key that is no column would make every row look new at every run; and each kind has columns of
/// its own.
fn columns_are_selected(table: &Table<'_>, check: &Check) {
    for (engine, text) in check.sql.texts() {
        let text = filled(text, check);
        let mut readers =
            Dialect::ALL.into_iter().filter(|it| engine == "any" || engine == it.key());
        let Some(columns) = readers.find_map(|dialect| sql::columns(&text, dialect)) else {
            continue;
        };
        let there = |name: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        for (name, spot) in table.spotted_texts("key") {
            if there(&name) {
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
        let (needed, what) = match check.kind {
            Kind::Violations => continue,
            Kind::Metric(_) => (VALUE, "the number of a metric"),
            Kind::Catalog => (REMEDIATION, "the DDL that would mend what is missing"),
        };
        if !there(needed) {
            table.fault(
                "sql",
                format!("The query under sql.{engine} has no column `{needed}` for {what}."),
            );
        }
    }
}

/// A role that no text uses was probably meant to be used.
fn roles_are_used(table: &Table<'_>, check: &Check, bindings: &[bind::Binding]) {
    for binding in bindings {
        let used = |(_, text)| bind::uses(text, &binding.role, binding.column.as_deref());
        let Some(spot) = binding.spot.as_ref().filter(|_| !check.sql.texts().any(used)) else {
            continue;
        };
        let place = match &binding.column {
            Some(column) => format!("{}.{column}", binding.role),
            None => binding.role.clone(),
        };
        table.add(spot.fault(format!(
            "No text under [sql] uses it; write {{{{{place}}}}} there, or delete this line."
        )));
    }
    for binding in bindings.iter().filter(|binding| binding.column.is_some()) {
        let Some(spot) = &binding.spot else { continue };
        if !check.bind.iter().any(|role| role.role == binding.role) {
            table.add(spot.fault(format!(
                "The role {} has no table; write table = \"…\" in it.",
                quoted(&binding.role)
            )));
        }
    }
}

/// The text as any engine would get it, for questions about its names.
fn filled(text: &str, check: &Check) -> String {
    bind::fill(text, Dialect::Sqlite, &check.bind).text
}

/// What every server has, and no list of a database's own tables names.
fn of_server(table: &str, dialect: Dialect) -> bool {
    const SCHEMAS: [&str; 5] =
        ["information_schema", "pg_catalog", "mysql", "performance_schema", "sys"];
    const ORACLE: [&str; 5] = ["all_", "dba_", "user_", "v$", "gv$"];
    let table = table.to_ascii_lowercase();
    match table.split_once('.') {
        Some((schema, _)) => SCHEMAS.contains(&schema),
        None => {
            table == "dual"
                || table.starts_with("pg_")
                || table.starts_with("sqlite_")
                || dialect == Dialect::Sqlite && (table.starts_with("pragma_") || table == "dbstat")
                || dialect == Dialect::Mariadb && is_sequence(&table)
                || dialect == Dialect::Oracle
                    && ORACLE.iter().any(|prefix| table.starts_with(prefix))
        }
    }
}

/// A table of MariaDB's sequence engine, which is there as soon as it is named: `seq_1_to_9_step_2`.
fn is_sequence(table: &str) -> bool {
    let Some((from, to)) = table.strip_prefix("seq_").and_then(|rest| rest.split_once("_to_"))
    else {
        return false;
    };
    let (to, step) = to.split_once("_step_").unwrap_or((to, "1"));
    let is_number =
        |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    [from, to, step].into_iter().all(is_number)
}

/// Without a list, the tables are those that the text for an engine names itself; roles are looked for
/// anyway.
fn named_tables(check: &Check) -> BTreeMap<Dialect, Vec<String>> {
    let bound = |table: &str| check.bind.iter().any(|role| role.name.to_string() == table);
    let named = |dialect: Dialect| {
        let text = check.query(dialect)?;
        // What the engine itself reads otherwise is at least read as another one would.
        let tables = sql::tables(&text, dialect)
            .or_else(|| Dialect::ALL.iter().find_map(|other| sql::tables(&text, *other)));
        let mut tables = tables.unwrap_or_default();
        tables.retain(|table| !bound(table) && !of_server(table, dialect));
        tables.sort();
        tables.dedup();
        Some((dialect, tables))
    };
    Dialect::ALL.into_iter().filter_map(named).collect()
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
    fn what_an_engine_makes_as_it_is_named_is_no_table_that_could_be_missing() {
        let needed = |table: &str, dialect| {
            let source = GOOD.replace("FROM things", &format!("FROM {table}"));
            parse("late.toml", "demo", &source).expect("good").tables_on(dialect).join(", ")
        };
        for table in ["pragma_foreign_key_check", "dbstat"] {
            assert_eq!(needed(table, Dialect::Sqlite), "", "{table}");
            assert_eq!(needed(table, Dialect::Postgres), table);
        }
        for table in ["seq_1_to_9999", "SEQ_0_to_90_step_3"] {
            assert_eq!(needed(table, Dialect::Mariadb), "", "{table}");
            assert_eq!(needed(table, Dialect::Sqlite), table);
        }
        for table in ["seq_1_to_", "seq_a_to_9", "seq_1_to_9_step_", "sequences"] {
            assert_eq!(needed(table, Dialect::Mariadb), table);
        }
    }

    #[test]
    fn defaults_are_filled_in_and_tables_found() {
        let check = parse("late.toml", "demo", GOOD).expect("good");
        assert_eq!(check.timeout, Duration::from_secs(30));
        assert_eq!(check.tables_on(Dialect::Sqlite), ["things"]);
        for catalogue in ["pg_class", "sqlite_schema", "information_schema.columns", "DUAL"] {
            let of_catalogue = GOOD.replace("FROM things", &format!("FROM {catalogue}"));
            let check = parse("late.toml", "demo", &of_catalogue).expect("good");
            let tables = check.tables_on(Dialect::Mysql);
            assert!(tables.is_empty(), "every server has {catalogue}: {tables:?}");
        }
    }

    #[test]
    fn each_engine_must_have_the_tables_of_its_own_text() {
        let two =
            GOOD.replace("any =", "postgres = \"SELECT id AS thing_id FROM app.things\"\nmysql =");
        let check = parse("late.toml", "demo", &two).expect("good");
        assert_eq!(check.tables_on(Dialect::Postgres), ["app.things"]);
        assert_eq!(check.tables_on(Dialect::Mariadb), ["things"]);
        let listed = two.replace("[sql]", "tables = [\"other\"]\n[sql]");
        let check = parse("late.toml", "demo", &listed).expect("good");
        assert_eq!(check.tables_on(Dialect::Postgres), ["other"]);
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
        let cast = GOOD.replace("any = \"SELECT id AS", "postgres = \"SELECT t.");
        for named in ["t.thing_id::text", "CAST(t.thing_id AS text)", "(t.thing_id)", "thing_id(t)"]
        {
            let cast = cast.replace("t. thing_id FROM things", &format!("{named} FROM things t"));
            assert!(parse("late.toml", "demo", &cast).is_ok(), "{cast}");
            let other = cast.replace("postgres =", "sqlite =");
            assert_eq!(parse("late.toml", "demo", &other).is_ok(), named.contains("::"), "{other}");
        }
    }
}
