//! What must not even be tried, because a rollback would not take it back.
//!
//! The target of each statement, the functions it calls, and the triggers that it can set off: those
//! of its table, of the tables that foreign keys carry it on to, and of those that a trigger names.
//! Functions are judged by what is written in them, as far as it can be read. It is a warning in
//! time, not a fence: the fence is what the role may do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Session;
use super::catalogue::{NAME, OURS, oid_of};
use super::rows::literal;
use crate::dialect::Dialect;
use crate::engine::{EngineError, not_there};
use crate::sql;
use crate::value::Value;

/// What is written in a function; a body of the standard's form is kept apart from the others.
const BODY: &str = "CASE WHEN p.prosrc = '' THEN pg_get_functiondef(p.oid) ELSE p.prosrc END";

/// Functions of the server that give another answer each time and do nothing else, or nothing that
/// is not in the list of what stays behind.
const HARMLESS: [&str; 13] = [
    "clock_timestamp",
    "currval",
    "gen_random_uuid",
    "lastval",
    "nextval",
    "pg_backend_pid",
    "pg_current_xact_id",
    "random",
    "setseed",
    "setval",
    "timeofday",
    "txid_current",
    "uuid_generate_v4",
];

/// Triggers of the server and its companions that only set columns of the row.
const HARMLESS_TRIGGERS: [&str; 6] = [
    "autoinc",
    "insert_username",
    "moddatetime",
    "suppress_redundant_updates_trigger",
    "tsvector_update_trigger",
    "tsvector_update_trigger_column",
];

/// Functions that reach out of the transaction; one that ends in `_` stands for all that begin like it.
const REACHING_OUT: [&str; 13] = [
    "dblink",
    "dblink_",
    "http",
    "http_",
    "lo_export",
    "lo_import",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_cancel_backend",
    "pg_file_",
    "pg_logical_emit_message",
    "pg_terminate_backend",
    "pg_try_advisory_lock",
];

#[derive(Debug)]
struct Function {
    name: String,
    language: String,
    volatile: bool,
    /// One of the server's own.
    built_in: bool,
    words: BTreeSet<String>,
    /// What of it reaches out of the transaction.
    reaches_out: Option<String>,
}

/// What the catalogue says that decides, read once.
#[derive(Debug, Default)]
struct Paths {
    /// Trigger functions by table.
    triggers: HashMap<String, Vec<Function>>,
    /// Tables that a change is carried on to: by a foreign key, or because they are parts or heirs.
    carried: HashMap<String, Vec<String>>,
    foreign: BTreeSet<String>,
}

impl Session {
    pub async fn objections(&mut self, statements: &[String]) -> Result<Vec<String>, EngineError> {
        let mut objections = BTreeSet::new();
        let mut targets = BTreeSet::new();
        let mut called = BTreeSet::new();
        for statement in statements {
            if let Ok(write) = sql::write(statement, Dialect::Postgres) {
                targets.insert(write.table);
            }
            called.extend(sql::functions(statement, Dialect::Postgres).unwrap_or_default());
        }
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let mut tables = BTreeSet::new();
        for target in &targets {
            let (name, objection) = self.target(target).await?;
            tables.extend(name);
            objections.extend(objection);
        }
        for function in self.functions(&called).await? {
            objections.extend(function.objection(&format!("the function {}", function.name)));
        }
        let paths = self.paths().await?;
        objections.extend(paths.objections(tables));
        Ok(objections.into_iter().collect())
    }

    /// The table behind a name of a statement, and why it cannot be written under watch.
    async fn target(
        &mut self,
        name: &str,
    ) -> Result<(Option<String>, Option<String>), EngineError> {
        let oid = oid_of(name);
        let sql = format!(
            "SELECT {NAME}, c.relkind, n.nspname, EXISTS (SELECT 1 FROM pg_rewrite r \
             WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.oid = {oid}"
        );
        let Some(row) = self.rows(&sql).await?.pop() else {
            return Ok((None, Some(not_there(name))));
        };
        let text = |at: usize| row[at].as_ref().plain().unwrap_or_default();
        let (name, kind, schema) = (text(0), text(1), text(2));
        let why = match kind.as_str() {
            "f" => "lies on another server, where a rollback here proves nothing",
            "v" | "m" => "is a view; write to the table behind it",
            _ if schema == "pg_catalog" || schema == "information_schema" => {
                "belongs to the server itself"
            }
            _ if text(3) == "t" => "has rules that turn the statement into another one",
            _ => return Ok((Some(name), None)),
        };
        Ok((Some(name.clone()), Some(format!("{name} {why}"))))
    }

    async fn functions(&mut self, called: &BTreeSet<String>) -> Result<Vec<Function>, EngineError> {
        let last = |name: &String| name.rsplit('.').next().unwrap_or(name).to_lowercase();
        let names: Vec<String> = called.iter().map(|name| literal(&last(name))).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT p.proname, l.lanname, p.provolatile = 'v', n.nspname = 'pg_catalog', {BODY} \
             FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
             JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proname IN ({})",
            names.join(", ")
        );
        Ok(self.rows(&sql).await?.iter().map(|row| Function::of(row)).collect())
    }

    async fn paths(&mut self) -> Result<Paths, EngineError> {
        let mut paths = Paths::default();
        let join = "JOIN pg_namespace n ON n.oid = c.relnamespace";
        let triggers = format!(
            "SELECT p.proname, l.lanname, true, p.pronamespace = 'pg_catalog'::regnamespace, {BODY}, \
             {NAME} FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid {join} \
             JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang \
             WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND {OURS}"
        );
        for row in self.rows(&triggers).await? {
            let table = row[5].as_ref().plain().unwrap_or_default();
            paths.triggers.entry(table).or_default().push(Function::of(&row));
        }
        let carried = format!(
            "SELECT (SELECT {NAME} FROM pg_class c {join} WHERE c.oid = k.confrelid), \
             (SELECT {NAME} FROM pg_class c {join} WHERE c.oid = k.conrelid) FROM pg_constraint k \
             WHERE k.contype = 'f' AND (k.confupdtype IN ('c', 'n', 'd') OR k.confdeltype IN ('c', 'n', 'd')) \
             UNION ALL SELECT (SELECT {NAME} FROM pg_class c {join} WHERE c.oid = i.inhparent), \
             (SELECT {NAME} FROM pg_class c {join} WHERE c.oid = i.inhrelid) FROM pg_inherits i"
        );
        for row in self.rows(&carried).await? {
            if let [Value::Text(from), Value::Text(to)] = row.as_slice() {
                paths.carried.entry(from.clone()).or_default().push(to.clone());
            }
        }
        let foreign = format!("SELECT {NAME} FROM pg_class c {join} WHERE c.relkind = 'f'");
        for row in self.rows(&foreign).await? {
            paths.foreign.extend(row[0].as_ref().plain());
        }
        Ok(paths)
    }
}

impl Paths {
    /// Everything that a change of these tables can set off.
    fn objections(&self, tables: BTreeSet<String>) -> Vec<String> {
        let mut objections: BTreeMap<String, String> = BTreeMap::new();
        let mut waiting: Vec<String> = tables.into_iter().collect();
        let mut known: BTreeSet<String> = BTreeSet::new();
        while let Some(table) = waiting.pop() {
            if !known.insert(table.clone()) {
                continue;
            }
            waiting.extend(self.carried.get(&table).into_iter().flatten().cloned());
            if self.foreign.contains(&table) {
                let why = "lies on another server, where a rollback here proves nothing";
                objections.insert(table.clone(), format!("{table} {why}"));
            }
            for function in self.triggers.get(&table).into_iter().flatten() {
                let what = format!("the trigger function {} of {table}", function.name);
                if let Some(objection) = function.objection(&what) {
                    objections.insert(function.name.clone(), objection);
                    continue;
                }
                let named = |name: &&String| {
                    let last = name.rsplit('.').next().unwrap_or(name);
                    function.words.contains(&last.to_lowercase())
                };
                if let Some(name) = self.foreign.iter().find(named) {
                    let why = format!("{what} names {name}, which lies on another server");
                    objections.insert(function.name.clone(), why);
                }
                waiting.extend(self.triggers.keys().filter(named).cloned());
            }
        }
        objections.into_values().collect()
    }
}

impl Function {
    fn of(row: &[Value]) -> Self {
        let text = |at: usize| row[at].as_ref().plain().unwrap_or_default();
        let source = text(4).to_lowercase();
        Self {
            name: text(0),
            language: text(1),
            volatile: text(2) == "t",
            built_in: text(3) == "t",
            words: words(&source).map(str::to_owned).collect(),
            reaches_out: reaches_out(&source),
        }
    }

    fn objection(&self, what: &str) -> Option<String> {
        let name = self.name.as_str();
        if !self.volatile || HARMLESS.contains(&name) || HARMLESS_TRIGGERS.contains(&name) {
            return None;
        }
        if self.built_in {
            return Some(format!("{what} acts on more than the rows of a transaction"));
        }
        if !["sql", "plpgsql"].contains(&self.language.as_str()) {
            let language = &self.language;
            return Some(format!(
                "{what} is written in {language}, so what it does besides cannot be seen"
            ));
        }
        let used = self.reaches_out.as_ref()?;
        Some(format!("{what} uses {used}, which a rollback does not take back"))
    }
}

fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(is_no_letter).filter(|word| !word.is_empty())
}

fn is_no_letter(c: char) -> bool {
    !c.is_alphanumeric() && c != '_'
}

/// The program that it starts or the function that it calls: columns and tables may be named like both.
fn reaches_out(source: &str) -> Option<String> {
    let all: Vec<&str> = words(source).collect();
    let starts = |pair: &[&str]| ["to", "from"].contains(&pair[0]) && pair[1] == "program";
    if all.contains(&"copy") && all.windows(2).any(starts) {
        return Some("COPY with a program".to_owned());
    }
    let (called, _) = source.rsplit_once('(')?;
    let mut calls = called.split('(').filter_map(|text| {
        let mut pieces = text.split_whitespace().rev();
        let name = pieces.next()?.trim_end_matches('"').rsplit(is_no_letter).next()?;
        (pieces.next() != Some("into")).then_some(name)
    });
    let reaching = |call: &&str| {
        REACHING_OUT
            .iter()
            .any(|out| if out.ends_with('_') { call.starts_with(out) } else { call == out })
    };
    calls.find(reaching).map(str::to_owned)
}
