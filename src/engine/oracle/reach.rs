//! How far a statement reaches: triggers, the code that those call, and references that cascade.
//!
//! Taken from the dependencies that the server keeps, in which a table that is only read looks like one
//! that is written; so it errs by naming too many. Built upon that: which statements may not be tried.

use std::collections::{BTreeMap, BTreeSet};

use super::Session;
use super::functions::{acts, is_known};
use super::names::{kept, shown};
use crate::dialect::Dialect;
use crate::engine::EngineError;
use crate::sql;

/// What there is in the schema, names as the dictionary has them.
#[derive(Debug, Default)]
pub struct Graph {
    pub schema: String,
    /// Rows to expect; `None` where nobody counted.
    pub tables: BTreeMap<String, Option<u64>>,
    /// What no transaction takes back, or what is not here: with the reason.
    pub beyond: BTreeMap<String, String>,
    pub triggers: BTreeMap<String, Vec<String>>,
    /// Code by owner and name.
    pub units: BTreeMap<String, Unit>,
    pub cascades: BTreeMap<String, Vec<String>>,
    /// All triggers and all code are shown to us.
    pub sees_code: bool,
}

#[derive(Debug, Default)]
pub struct Unit {
    tables: BTreeSet<String>,
    calls: BTreeSet<String>,
    /// Why it must not run in a transaction that is taken back.
    objection: Option<String>,
    /// Why it cannot be told what it does.
    unsure: Option<String>,
}

/// The tables that can be written besides those that a statement names, and what could not be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub tables: BTreeSet<String>,
    pub unsure: BTreeSet<String>,
    pub objections: BTreeSet<String>,
}

impl Graph {
    /// Rows that the server last counted.
    pub fn rows(&self, table: &str) -> Option<u64> {
        self.tables.get(table).copied().flatten()
    }

    pub fn has_triggers(&self, table: &str) -> bool {
        !self.sees_code || self.triggers.contains_key(table)
    }

    /// Everything that these tables lead to when SQL writes them, and these calls.
    pub fn reach<'n>(&self, written: impl IntoIterator<Item = &'n str>, calls: &[String]) -> Reach {
        let mut walk = Walk { graph: self, reach: Reach::default(), done: BTreeSet::new() };
        for table in written {
            walk.follow(table);
        }
        for call in calls {
            if let Some(unit) = self.unit(call) {
                walk.unit(&unit);
            }
        }
        walk.reach
    }

    /// The unit that a call in a statement means: a function, or the package before the dot.
    fn unit(&self, call: &str) -> Option<String> {
        let parts: Vec<String> = call.split('.').map(kept).collect();
        let schema = self.schema.as_str();
        let tries = match parts.as_slice() {
            [one] => vec![format!("{schema}.{one}")],
            [first, second] => vec![format!("{schema}.{first}"), format!("{first}.{second}")],
            [owner, package, ..] => vec![format!("{owner}.{package}")],
            [] => vec![],
        };
        tries.into_iter().find(|name| self.units.contains_key(name))
    }
}

struct Walk<'g> {
    graph: &'g Graph,
    reach: Reach,
    done: BTreeSet<String>,
}

impl Walk<'_> {
    fn written(&mut self, table: &str) {
        if self.reach.tables.insert(table.to_owned()) {
            self.follow(table);
        }
    }

    fn follow(&mut self, table: &str) {
        if !self.done.insert(format!("table {table}")) {
            return;
        }
        for child in self.graph.cascades.get(table).into_iter().flatten() {
            self.written(child);
        }
        for trigger in self.graph.triggers.get(table).into_iter().flatten() {
            self.unit(trigger);
        }
    }

    fn unit(&mut self, name: &str) {
        if !self.done.insert(format!("unit {name}")) {
            return;
        }
        let Some(unit) = self.graph.units.get(name) else {
            self.reach.unsure.insert(format!("the code of {name} is not shown"));
            return;
        };
        self.reach.objections.extend(unit.objection.clone());
        self.reach.unsure.extend(unit.unsure.clone());
        for table in &unit.tables {
            self.written(table);
        }
        for call in &unit.calls {
            self.unit(call);
        }
    }
}

/// One line of what the server knows of the dependencies of a unit.
pub fn depend(graph: &mut Graph, row: &[String]) {
    let [name, owner, on, kind, link] = row else { return };
    let is_here = *owner == graph.schema;
    let unit = graph.units.entry(name.clone()).or_default();
    if !link.is_empty() {
        unit.objection = Some(format!("{name} reaches another database over {link}"));
        return;
    }
    match kind.as_str() {
        "TABLE" | "VIEW" | "MATERIALIZED VIEW" if is_here => {
            unit.tables.insert(on.clone());
        }
        "TABLE" | "VIEW" | "MATERIALIZED VIEW" if owner != "SYS" => {
            unit.unsure = Some(format!("{name} uses {owner}.{on}, outside of the schema"));
        }
        "PACKAGE" if owner == "SYS" && on == "DBMS_SQL" => {
            unit.unsure = Some(format!("{name} runs SQL that it makes up"));
        }
        "PACKAGE" if owner == "SYS" && reaches_out(on) => {
            unit.objection = Some(format!("{name} uses {on}, which no rollback takes back"));
        }
        "PACKAGE" | "PROCEDURE" | "FUNCTION" | "TYPE" if owner != "SYS" && owner != "PUBLIC" => {
            let called = format!("{owner}.{on}");
            // The body of a package depends on its own head.
            if called != *name {
                unit.calls.insert(called);
            }
        }
        _ => {}
    }
}

fn reaches_out(package: &str) -> bool {
    ["UTL_HTTP", "UTL_FILE", "UTL_SMTP", "UTL_MAIL", "UTL_TCP", "UTL_INADDR", "UTL_URL"]
        .iter()
        .chain(&["DBMS_PIPE", "DBMS_SCHEDULER", "DBMS_LOCK", "DBMS_CLOUD", "DBMS_LDAP"])
        .chain(&["DBMS_DATAPUMP", "DBMS_STATS", "DBMS_UTILITY_DDL"])
        .any(|known| *known == package)
}

/// What a line of source says of its unit.
pub fn say(graph: &mut Graph, row: &[String]) {
    let [name, what] = row else { return };
    let unit = graph.units.entry(name.clone()).or_default();
    match what.as_str() {
        "A" => {
            unit.objection = Some(format!(
                "{name} commits by itself (an autonomous transaction), which no rollback takes back"
            ));
        }
        "W" => unit.unsure = Some(format!("the code of {name} is wrapped and cannot be read")),
        _ => unit.unsure = Some(format!("{name} runs SQL that it makes up")),
    }
}

impl Session {
    pub async fn objections(&mut self, statements: &[String]) -> Result<Vec<String>, EngineError> {
        let graph = self.graph().await?;
        let mut found = Vec::new();
        for sql in statements {
            object(sql, &graph, &mut found);
        }
        found.dedup();
        self.graph = Some(Box::new(graph));
        Ok(found)
    }
}

/// Why one statement may not be tried.
fn object(text: &str, graph: &Graph, found: &mut Vec<String>) {
    const ORACLE: Dialect = Dialect::Oracle;
    if names_a_link(text) {
        return found
            .push("it reaches another database over a link, which is not looked after".into());
    }
    let write = match sql::write(text, ORACLE) {
        Ok(write) => write,
        Err(refusal) => return found.push(refusal.sentence),
    };
    for name in sql::tables(text, ORACLE).unwrap_or_default() {
        let own = in_schema(&name, &graph.schema);
        let Some(own) = own else {
            found.push(format!("{name} is outside of the schema that this target names"));
            continue;
        };
        if let Some(why) = graph.beyond.get(&own) {
            found.push(format!("{} {why}", shown(&own)));
        }
    }
    let calls = sql::functions(text, ORACLE).unwrap_or_default();
    for call in &calls {
        let small = call.to_lowercase();
        let parts: Vec<String> = small.split('.').map(str::to_owned).collect();
        let harmless = is_known(small.strip_prefix("sys.").unwrap_or(&small));
        if !harmless && (acts(&parts) || graph.unit(call).is_none()) {
            found.push(format!("nobody knows what the function {call} does besides its result"));
        }
    }
    let target = in_schema(&write.table, &graph.schema).unwrap_or_default();
    let reach = graph.reach([target.as_str()], &calls);
    found.extend(reach.objections);
    for name in &reach.tables {
        if let Some(why) = graph.beyond.get(name) {
            found.push(format!("{} {why} (by a trigger)", shown(name)));
        }
    }
}

/// The name as the dictionary has it, if it is of this schema.
pub fn in_schema(name: &str, schema: &str) -> Option<String> {
    match name.rsplit_once('.') {
        None => Some(kept(name)),
        Some((owner, name)) => (kept(owner) == schema).then(|| kept(name)),
    }
}

/// Whether an `@` stands outside of quotes and comments.
fn names_a_link(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '@', '-', '/']) {
        let tail = &rest[at..];
        let skip = |open: usize, end: &str| {
            tail[open..].find(end).map_or(tail.len(), |n| open + n + end.len())
        };
        let length = match tail.as_bytes() {
            [b'@', ..] => return true,
            [b'\'', ..] => skip(1, "'"),
            [b'"', ..] => skip(1, "\""),
            [b'-', b'-', ..] => skip(2, "\n"),
            [b'/', b'*', ..] => skip(2, "*/"),
            _ => 1,
        };
        rest = &tail[length..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Graph {
        let mut graph = Graph { schema: "ERP".into(), sees_code: true, ..Graph::default() };
        for name in ["ITEM", "LINE", "AUDIT_LOG"] {
            graph.tables.insert(name.into(), Some(10));
        }
        graph.beyond.insert("REMOTE".into(), "belongs to another database, over HQ".into());
        graph.cascades.insert("ITEM".into(), vec!["LINE".into()]);
        graph.triggers.insert("LINE".into(), vec!["ERP.LINE_T".into()]);
        let row = |parts: [&str; 5]| parts.map(str::to_owned);
        depend(&mut graph, &row(["ERP.LINE_T", "ERP", "NOTE", "PROCEDURE", ""]));
        depend(&mut graph, &row(["ERP.LINE_T", "SYS", "STANDARD", "PACKAGE", ""]));
        depend(&mut graph, &row(["ERP.NOTE", "ERP", "AUDIT_LOG", "TABLE", ""]));
        depend(&mut graph, &row(["ERP.NOTE", "ERP", "NOTE", "PROCEDURE", ""]));
        depend(&mut graph, &row(["ERP.PRICES", "ERP", "ITEM", "TABLE", ""]));
        graph
    }

    fn names(set: &BTreeSet<String>) -> Vec<&str> {
        set.iter().map(String::as_str).collect()
    }

    #[test]
    fn triggers_code_and_cascades_are_followed() {
        let reach = graph().reach(["ITEM"], &[]);
        assert_eq!(names(&reach.tables), ["AUDIT_LOG", "LINE"]);
        assert!(reach.unsure.is_empty() && reach.objections.is_empty(), "{reach:?}");
        // A table is not among what it leads to, unless something leads back.
        assert_eq!(names(&graph().reach(["LINE"], &[]).tables), ["AUDIT_LOG"]);
        let reach = graph().reach([], &["prices.now".into()]);
        assert_eq!(names(&reach.tables), ["AUDIT_LOG", "ITEM", "LINE"]);
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let mut graph = graph();
        say(&mut graph, &["ERP.NOTE".into(), "D".into()]);
        assert_eq!(graph.reach(["LINE"], &[]).unsure.len(), 1);
        graph.units.remove("ERP.NOTE");
        let unsure = graph.reach(["LINE"], &[]).unsure;
        assert!(names(&unsure)[0].contains("not shown"), "{unsure:?}");
    }

    #[test]
    fn what_no_rollback_takes_back_is_not_tried() {
        let says = |graph: &Graph, sql: &str| {
            let mut found = Vec::new();
            object(sql, graph, &mut found);
            found.join("; ")
        };
        let mut graph = graph();
        assert_eq!(says(&graph, "UPDATE item SET a = NVL(b, 0) WHERE c = 'x@y'"), "");
        assert_eq!(says(&graph, "UPDATE erp.item SET a = prices.now(b)"), "");
        assert!(says(&graph, "UPDATE hr.staff SET a = 1").contains("outside"));
        assert!(says(&graph, "UPDATE remote SET a = 1").contains("HQ"));
        assert!(
            says(&graph, "DELETE FROM item WHERE id IN (SELECT id FROM t@hq)").contains("link")
        );
        assert!(says(&graph, "UPDATE item SET a = utl_http.request('x')").contains("utl_http"));
        assert!(says(&graph, "UPDATE item SET a = strange(1)").contains("strange"));
        assert!(says(&graph, "CREATE TABLE x (a NUMBER)").contains("CREATE"));
        assert!(says(&graph, "TRUNCATE TABLE item").contains("TRUNCATE"));
        assert!(!says(&graph, "BEGIN DELETE FROM item; END").is_empty());
        say(&mut graph, &["ERP.NOTE".into(), "A".into()]);
        assert!(says(&graph, "DELETE FROM item WHERE id = 1").contains("autonomous"));
        let out = ["ERP.LINE_T", "SYS", "UTL_FILE", "PACKAGE", ""].map(str::to_owned);
        depend(&mut graph, &out);
        assert!(says(&graph, "UPDATE line SET a = 1").contains("UTL_FILE"));
    }

    #[test]
    fn a_link_is_seen_outside_of_quotes_only() {
        assert!(names_a_link("SELECT 1 FROM t@hq"));
        assert!(!names_a_link("SELECT 'a@b', \"x@y\" /* @ */ FROM t -- @"));
        assert!(names_a_link("SELECT 'it''s' FROM t@hq"));
    }
}
