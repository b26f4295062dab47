//! Grants: the rights that checks and runbooks need on a server, and the SQL that gives no others.
//!
//! Three roles: the detector reads, the recovery role writes what runbooks write and what takes it
//! back, the guardrail role defines. Derived from what is loaded; knows no connection. The texts
//! are made to be read and run by whoever owns the database.

mod mysql;
mod oracle;
mod postgres;
mod proof;

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Check;
use crate::dialect::{Dialect, PerDialect};
use crate::runbook::{Action, Runbook};
use crate::source::quoted;
use crate::sql::{self, DEFINITIONS, Verb};

pub const DETECTOR: &str = "steadyhand_detector";
pub const RECOVERY: &str = "steadyhand_recovery";
pub const GUARDRAIL: &str = "steadyhand_guardrail";

/// A table by its schema and name, as the server keeps them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    pub schema: String,
    pub name: String,
}

/// A function by its schema and name, as the server keeps them.
pub type Function = Table;

impl Table {
    fn is_plain(&self) -> bool {
        is_name(&self.schema) && is_name(&self.name)
    }
}

/// Whether this can be a name in a script: on one line, and without what ends a block there.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control) && !name.to_lowercase().contains("$do$")
}

/// What the recovery role may do with the rows of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    pub insert: bool,
    /// The columns that may be set; of a table without any, nothing may be.
    pub update: BTreeSet<String>,
    /// Every column may be set: it is not known which ones will be.
    pub update_all: bool,
    pub delete: bool,
    /// Only what takes a change back: the other side of an INSERT or a DELETE.
    pub for_undo: BTreeSet<&'static str>,
}

/// Everything that is needed of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Tables that checks and changes read.
    pub reads: BTreeSet<Table>,
    pub writes: BTreeMap<Table, Rights>,
    /// Tables that guardrails are put on, with what their probes do.
    pub guarded: BTreeMap<Table, Rights>,
    /// Checks ask how far sequences are, which `PostgreSQL` tells only to whoever may read them.
    pub sequences: bool,
    /// Checks look at whatever tables there are, which MySQL and `MariaDB` list only for whoever has a right on
    /// the whole database.
    pub lists: bool,
    /// Functions that checks call, and those that changes call, with a schema if they are named with one: the
    /// server knows which of them are its own and which somebody made.
    pub asked: BTreeSet<Function>,
    pub worked: BTreeSet<Function>,
    /// What could not be found out, a sentence each.
    pub doubts: Vec<String>,
}

/// The server's side of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub dialect: Dialect,
    /// Where names without a schema are meant, and where the ledger stands.
    pub schema: String,
}

impl Needs {
    /// What these checks and runbooks need. `trigger_writes` are tables that triggers write with
    /// the rights of whoever changed the row.
    pub fn of(
        checks: &[&Check],
        runbooks: &[&Runbook],
        trigger_writes: &[String],
        place: &Place,
    ) -> Self {
        let texts = texts(checks, runbooks, place.dialect);
        let table = |name: &str| place.table(name, &texts);
        let calls = |sql: &str| {
            let called = sql::functions(sql, place.dialect).unwrap_or_default();
            called.iter().map(|name| table(name)).filter(Table::is_plain).collect::<Vec<_>>()
        };
        let mut needs = Self::default();
        let read = |needs: &mut Self, sql: &str, what: String| match sql::tables(sql, place.dialect)
        {
            Some(names) => {
                needs.sequences |= names.iter().any(|name| is_sequences(name));
                let ours = names.iter().filter(|name| !is_catalogue(name, place.dialect));
                needs.reads.extend(ours.map(|name| table(name)));
            }
            None => needs.doubts.push(format!("{what}: its tables could not be read from its SQL")),
        };
        // What a url of MySQL leads to may be MariaDB, and then that is what a check asks.
        let asked: &[Dialect] = match place.dialect {
            Dialect::Mysql => &[Dialect::Mysql, Dialect::Mariadb],
            _ => std::slice::from_ref(&place.dialect),
        };
        for (check, dialect) in checks.iter().flat_map(|one| asked.iter().map(move |on| (one, *on)))
        {
            let named = check.tables_on(dialect);
            needs.reads.extend(named.iter().map(|name| table(name)));
            needs.list(check, dialect);
            // The list of a file that has one was written by somebody who knows.
            if let Some(sql) = check.query(dialect) {
                match sql::tables(&sql, dialect) {
                    None if !named.is_empty() => {}
                    _ => read(&mut needs, &sql, format!("check {}", check.id)),
                }
                needs.asked.extend(calls(&sql));
            }
        }
        for runbook in runbooks {
            for step in &runbook.steps {
                let what = format!("runbook {}, step {}", runbook.id, step.id);
                match &step.action {
                    Action::Change(change) => {
                        let keys = change.chunks.as_ref();
                        if let Some(sql) = keys.and_then(|chunks| chunks.keys.get(place.dialect)) {
                            read(&mut needs, sql, what.clone());
                            needs.asked.extend(calls(sql));
                        }
                        for statement in &change.statements {
                            let Some(sql) = statement.sql.get(place.dialect) else { continue };
                            read(&mut needs, sql, what.clone());
                            needs.worked.extend(calls(sql));
                            allow(&mut needs.writes, sql, place, &table).unwrap_or_else(|why| {
                                needs.doubts.push(format!("{what}: {why}"));
                            });
                        }
                    }
                    Action::Guard(guard) => {
                        if let Some(sql) = guard.probe.get(place.dialect) {
                            read(&mut needs, sql, what.clone());
                            allow(&mut needs.guarded, sql, place, &table).unwrap_or_else(|why| {
                                needs.doubts.push(format!("{what}, probe: {why}"));
                            });
                        }
                        let apply = guard.apply.get(place.dialect).unwrap_or_default();
                        let parts = sql::split(apply, place.dialect).unwrap_or_default();
                        // What no parser reads is a trigger, and its probe names the table.
                        let named = parts.iter().filter_map(|sql| sql::tables(sql, place.dialect));
                        for name in named.flatten() {
                            needs.guarded.entry(table(&name)).or_default();
                        }
                    }
                    Action::Note
                    | Action::Ask(_)
                    | Action::Check(_)
                    | Action::Manual(_)
                    | Action::Decide(_)
                    | Action::Wait(_)
                    | Action::Comms(_)
                    | Action::Command(_) => {}
                }
            }
        }
        for name in trigger_writes {
            let rights = needs.writes.entry(table(name)).or_default();
            (rights.insert, rights.update_all) = (true, true);
        }
        for rights in needs.guarded.values_mut() {
            // A probe is always rolled back.
            rights.for_undo.clear();
        }
        needs.reads.extend(needs.writes.keys().cloned());
        needs.reads.extend(needs.guarded.keys().cloned());
        for table in needs.reads.iter().filter(|table| !table.is_plain()) {
            let name = format!("{}.{}", table.schema, table.name);
            needs.doubts.push(format!("{} is no name of a table", quoted(&name)));
        }
        if place.dialect == Dialect::Postgres {
            let schemas = needs.schemas(place);
            for one in needs.asked.union(&needs.worked).filter(|one| !schemas.contains(&one.schema))
            {
                let name = format!("{}.{}", one.schema, one.name);
                if !is_catalogue(&name, place.dialect) {
                    let why = "nothing is read from its schema";
                    needs.doubts.push(format!("the right to call {}: {why}", quoted(&name)));
                }
            }
        }
        // Two texts of one check can have the same doubt, and two checks the same about a function.
        let mut told = BTreeSet::new();
        needs.doubts.retain(|doubt| told.insert(doubt.clone()));
        needs.reads.retain(Table::is_plain);
        needs.writes.retain(|table, _| table.is_plain());
        needs.guarded.retain(|table, _| table.is_plain());
        needs
    }

    /// What a check wants to see of whatever tables there are.
    fn list(&mut self, check: &Check, dialect: Dialect) {
        let Some(sql) = check.query(dialect).filter(|_| check.asks_for_all(dialect)) else {
            return;
        };
        for listing in sql::listings(&sql) {
            let of_mysql = matches!(dialect, Dialect::Mysql | Dialect::Mariadb);
            if of_mysql && listing.rights.contains(&DEFINITIONS) {
                self.lists = true;
            } else {
                self.doubts.push(format!(
                    "check {}: information_schema.{} shows a role only what it has a right on",
                    check.id, listing.name
                ));
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.reads.is_empty()
    }

    /// Every function with a role that calls it, as rows of literals.
    fn calls(&self, place: &Place) -> Vec<[String; 3]> {
        let of = |functions: &BTreeSet<Function>, role: &str| {
            let row = |one: &Function| {
                [&one.schema, &one.name, role].map(|text| literal(text, place.dialect))
            };
            functions.iter().map(row).collect::<Vec<_>>()
        };
        let worked = self.asked.union(&self.worked).cloned().collect();
        [of(&self.asked, DETECTOR), of(&worked, RECOVERY)].concat()
    }

    fn schemas(&self, place: &Place) -> BTreeSet<String> {
        let named = self.reads.iter().map(|table| table.schema.clone());
        named.chain([place.schema.clone()]).collect()
    }
}

/// What the server shows to everybody, each as much as he may see, or to these roles without a table's name.
fn is_catalogue(table: &str, dialect: Dialect) -> bool {
    let name = table.to_ascii_lowercase();
    let own: &[&str] = match dialect {
        Dialect::Postgres => &["pg_", "information_schema."],
        Dialect::Mysql | Dialect::Mariadb => &["information_schema.", "performance_schema."],
        Dialect::Sqlite => &["sqlite_", "pragma_"],
        Dialect::Oracle => &[],
    };
    name == "dual" || own.iter().any(|own| name.starts_with(own))
}

/// Where `PostgreSQL` lists its sequences.
fn is_sequences(table: &str) -> bool {
    let name = table.to_ascii_lowercase();
    name.strip_prefix("pg_catalog.").unwrap_or(&name) == "pg_sequences"
}

/// Every text of SQL in these files for one engine.
fn texts(checks: &[&Check], runbooks: &[&Runbook], dialect: Dialect) -> Vec<String> {
    let of = |text: &PerDialect| text.get(dialect).map(str::to_owned);
    let asked = checks.iter().filter_map(|check| check.query(dialect));
    let mut texts: Vec<String> = asked.map(std::borrow::Cow::into_owned).collect();
    for step in runbooks.iter().flat_map(|runbook| &runbook.steps) {
        match &step.action {
            Action::Change(change) => {
                texts.extend(change.statements.iter().filter_map(|statement| of(&statement.sql)));
                texts.extend(change.chunks.iter().filter_map(|chunks| of(&chunks.keys)));
            }
            Action::Guard(guard) => {
                texts.extend([&guard.apply, &guard.probe].into_iter().filter_map(of));
            }
            _ => {}
        }
    }
    texts
}

/// Adds the rights for one statement and for taking it back.
fn allow(
    rights: &mut BTreeMap<Table, Rights>,
    sql: &str,
    place: &Place,
    table: &impl Fn(&str) -> Table,
) -> Result<(), String> {
    let write = sql::write(sql, place.dialect).map_err(|refusal| refusal.sentence)?;
    let rights = rights.entry(table(&write.table)).or_default();
    match write.verb {
        Verb::Insert => {
            rights.insert = true;
            rights.for_undo.insert("DELETE");
        }
        Verb::Delete => {
            rights.delete = true;
            rights.for_undo.insert("INSERT");
        }
        Verb::Update => {}
    }
    if write.verb != Verb::Delete {
        // An INSERT sets columns too where its row has its place taken.
        match sql::assigned(sql, place.dialect) {
            Some(columns) => {
                rights.update.extend(columns.iter().map(|name| place.folded(name)));
            }
            None => rights.update_all = true,
        }
    }
    Ok(())
}

impl Rights {
    /// What the role gets, in the words of every engine; columns quoted by `quote`.
    fn words(&self, quote: impl Fn(&str) -> String) -> Vec<String> {
        let mut words = vec![];
        if self.may_insert() {
            words.push("INSERT".to_owned());
        }
        if self.update_all {
            words.push("UPDATE".to_owned());
        } else if !self.update.is_empty() {
            let columns: Vec<String> = self.update.iter().map(|name| quote(name)).collect();
            words.push(format!("UPDATE ({})", columns.join(", ")));
        }
        if self.may_delete() {
            words.push("DELETE".to_owned());
        }
        words
    }

    fn may_insert(&self) -> bool {
        self.insert || self.for_undo.contains("INSERT")
    }

    fn may_delete(&self) -> bool {
        self.delete || self.for_undo.contains("DELETE")
    }

    /// Why there is more than the runbooks' own statements need.
    fn comment(&self) -> Option<String> {
        let own = [("INSERT", self.insert), ("DELETE", self.delete)];
        let more: Vec<&str> = own
            .iter()
            .filter(|(verb, own)| !own && self.for_undo.contains(verb))
            .map(|(verb, _)| *verb)
            .collect();
        (!more.is_empty()).then(|| format!("-- {} only takes a change back.\n", more.join(" and ")))
    }
}

impl Place {
    /// A table as it is named in files.
    fn table(&self, name: &str, texts: &[String]) -> Table {
        // A list in a file has no quotes; the SQL beside it has them where the case counts.
        let exact = |part: &str| {
            let quoted = format!("\"{part}\"");
            if texts.iter().any(|text| text.contains(&quoted)) {
                part.to_owned()
            } else {
                self.folded(part)
            }
        };
        match name.rsplit_once('.') {
            Some((schema, name)) => Table { schema: exact(schema), name: exact(name) },
            None => Table { schema: self.schema.clone(), name: exact(name) },
        }
    }

    /// A name without quotes, as the server keeps it.
    fn folded(&self, name: &str) -> String {
        match self.dialect {
            Dialect::Postgres => name.to_lowercase(),
            Dialect::Oracle => name.to_uppercase(),
            Dialect::Mysql | Dialect::Mariadb | Dialect::Sqlite => name.to_owned(),
        }
    }

    fn quote(&self, name: &str) -> String {
        match self.dialect {
            Dialect::Mysql | Dialect::Mariadb => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    fn quoted(&self, table: &Table) -> String {
        format!("{}.{}", self.quote(&table.schema), self.quote(&table.name))
    }

    fn ledger(&self) -> Table {
        Table { schema: self.schema.clone(), name: self.folded(sql::LEDGER) }
    }
}

/// A text of SQL between single quotes.
fn literal(text: &str, dialect: Dialect) -> String {
    let text = text.replace('\'', "''");
    match dialect {
        Dialect::Mysql | Dialect::Mariadb => format!("'{}'", text.replace('\\', r"\\")),
        _ => format!("'{text}'"),
    }
}

/// The script that makes the roles and gives them their rights.
pub fn script(needs: &Needs, place: &Place) -> String {
    match place.dialect {
        Dialect::Postgres => postgres::script(needs, place),
        Dialect::Mysql | Dialect::Mariadb => mysql::script(needs, place),
        Dialect::Oracle => oracle::script(needs, place),
        Dialect::Sqlite => SQLITE.to_owned(),
    }
}

/// The script that proves what each role may not do; whoever runs it needs the rights of an owner.
pub fn self_test(needs: &Needs, place: &Place) -> String {
    match place.dialect {
        Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb => proof::self_test(needs, place),
        Dialect::Oracle => oracle::self_test(needs, place),
        Dialect::Sqlite => SQLITE.to_owned(),
    }
}

/// The beginning of every script.
fn head(needs: &Needs, place: &Place, what: &str) -> String {
    let mut text = format!("-- {what}, {}, schema {}.\n", place.dialect, comment(&place.schema));
    text.push_str(
        "-- Printed by `steadyhand grants` from the checks and runbooks that are loaded; read it before you run it.\n",
    );
    for doubt in &needs.doubts {
        text.push_str(&format!("-- NOT COVERED: {}\n", comment(doubt)));
    }
    text
}

/// What stands behind `--` must not end the line.
fn comment(text: &str) -> String {
    crate::value::visible::text(text).into_owned()
}

const SQLITE: &str = "\
-- SQLite has no roles: the rights are those of the file, of its folder and of the user of the system.
-- Checks open the file read-only. A user who shall only check needs to read the file, and its folder
-- if the database is in WAL mode; a user who shall repair needs to write both:
--
--   chown owner:repair erp.db      # the application and those on call
--   chmod 660 erp.db
--   chmod 770 the-folder-of-erp.db
--
-- There is nothing to run on the database.
";

#[cfg(test)]
mod tests;
