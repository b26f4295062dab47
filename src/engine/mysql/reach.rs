//! How far a statement reaches: triggers, what those call, and references that cascade.
//!
//! Taken from the words of trigger and routine bodies, so it errs by naming too many tables. What a
//! cascade writes fires no trigger here. Built upon that: which statements may not be tried at all.

use std::collections::{BTreeMap, BTreeSet};

use super::Session;
use super::functions::is_known;
use crate::dialect::Dialect;
use crate::engine::{EngineError, not_there};
use crate::sql;

/// What there is in the database, names in small letters: where the server tells names apart by their case,
/// one stands for all that are alike but for it.
#[derive(Debug, Default)]
pub struct Graph {
    dialect: Option<Dialect>,
    database: String,
    /// Tables with their engine and the size to expect; views have no engine.
    tables: BTreeMap<String, Vec<Known>>,
    views: BTreeMap<String, String>,
    triggers: BTreeMap<String, Vec<(String, String)>>,
    /// Bodies; `None` where we may not read it.
    routines: BTreeMap<String, Option<String>>,
    /// Parent to children that follow it; a child outside has its database before it.
    cascades: BTreeMap<String, Vec<String>>,
    others: BTreeSet<String>,
    /// Triggers are shown only to whoever may make some.
    pub shows_triggers: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Known {
    pub name: String,
    pub engine: String,
    pub rows: u64,
    pub bytes: u64,
}

/// The tables that can be written, and what could not be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub tables: BTreeSet<String>,
    pub unsure: BTreeSet<String>,
}

impl Graph {
    pub fn known(&self, table: &str) -> Option<&Known> {
        let alike = self.tables.get(&table.to_lowercase())?;
        alike.iter().find(|known| known.name == table).or(alike.first())
    }

    /// A view may be called like a table but for their case.
    fn is_view(&self, name: &str) -> bool {
        let is_table = self.known(name).is_some_and(|known| known.name == name);
        !is_table && self.views.contains_key(&name.to_lowercase())
    }

    /// Everything that these tables lead to when SQL writes them.
    pub fn reach<'n>(&self, written: impl IntoIterator<Item = &'n str>, calls: &[String]) -> Reach {
        let mut reach = Reach::default();
        let mut walk = Walk { graph: self, reach: &mut reach, bodies: BTreeSet::new() };
        for table in written {
            walk.written(&table.to_lowercase());
        }
        for call in calls {
            let parts: Vec<String> = call.split('.').map(str::to_owned).collect();
            walk.called(&parts);
        }
        reach
    }
}

struct Walk<'g> {
    graph: &'g Graph,
    reach: &'g mut Reach,
    bodies: BTreeSet<String>,
}

impl Walk<'_> {
    fn written(&mut self, name: &str) {
        if let Some(view) = self.graph.views.get(name)
            && self.bodies.insert(format!("view {name}"))
        {
            self.body(&format!("view {name}"), view, true);
        }
        let Some(tables) = self.graph.tables.get(name) else { return };
        self.reached(tables);
        self.cascaded(name);
        for (trigger, body) in self.graph.triggers.get(name).into_iter().flatten() {
            let what = format!("trigger {trigger}");
            if self.bodies.insert(what.clone()) {
                self.body(&what, body, false);
            }
        }
    }

    /// Says whether one of them is new.
    fn reached(&mut self, tables: &[Known]) -> bool {
        let before = self.reach.tables.len();
        self.reach.tables.extend(tables.iter().map(|table| table.name.clone()));
        self.reach.tables.len() > before
    }

    fn cascaded(&mut self, parent: &str) {
        for child in self.graph.cascades.get(parent).into_iter().flatten() {
            match self.graph.tables.get(child) {
                Some(tables) if self.reached(tables) => self.cascaded(child),
                Some(_) => {}
                None => {
                    self.reach.unsure.insert(format!(
                        "a reference carries changes of {parent} to {child}, outside of the database"
                    ));
                }
            }
        }
    }

    fn called(&mut self, parts: &[String]) {
        let small: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
        let Some((name, before)) = small.split_last() else { return };
        if let Some(database) = before.last()
            && *database != self.graph.database
        {
            if self.graph.others.contains(database) {
                let call = parts.join(".");
                self.reach.unsure.insert(format!("{call} is called, outside of the database"));
            }
            return;
        }
        if let Some(body) = self.graph.routines.get(name) {
            let what = format!("routine {name}");
            if !self.bodies.insert(what.clone()) {
                return;
            }
            match body {
                Some(body) => self.body(&what, body, false),
                None => {
                    self.reach.unsure.insert(format!("the body of {what} may not be read"));
                }
            }
        }
    }

    fn body(&mut self, what: &str, body: &str, always_writes: bool) {
        let dialect = self.graph.dialect.unwrap_or(Dialect::Mysql);
        let Some(found) = sql::mentions(body, dialect) else {
            self.reach.unsure.insert(format!("{what} cannot be read as SQL"));
            return;
        };
        if found.dynamic {
            self.reach.unsure.insert(format!("{what} runs SQL that it makes up"));
        }
        for call in &found.calls {
            self.called(call);
        }
        if !(found.writes || always_writes) {
            return;
        }
        for parts in &found.names {
            let small: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
            match small.as_slice() {
                [database, _] | [database, _, _] if self.graph.others.contains(database) => {
                    self.reach.unsure.insert(format!(
                        "{what} names {}, outside of the database",
                        parts.join(".")
                    ));
                }
                [database, name, ..] if *database == self.graph.database => self.written(name),
                [name] => self.written(name),
                _ => {}
            }
        }
    }
}

impl Session {
    pub(super) async fn graph(&mut self) -> Result<Graph, EngineError> {
        const TABLES: &str = "SELECT table_name, engine, table_rows, data_length, table_type \
             FROM information_schema.tables WHERE table_schema = DATABASE()";
        const VIEWS: &str = "SELECT table_name, view_definition FROM information_schema.views \
             WHERE table_schema = DATABASE()";
        const TRIGGERS: &str = "SELECT event_object_table, trigger_name, action_statement \
             FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
        const ROUTINES: &str = "SELECT routine_name, routine_definition, routine_definition IS NULL \
             FROM information_schema.routines WHERE routine_schema = DATABASE()";
        const CASCADES: &str = "SELECT referenced_table_name, constraint_schema, table_name, \
             constraint_schema = DATABASE() FROM information_schema.referential_constraints \
             WHERE unique_constraint_schema = DATABASE() \
             AND (update_rule IN ('CASCADE', 'SET NULL') OR delete_rule IN ('CASCADE', 'SET NULL'))";
        const OTHERS: &str =
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name <> DATABASE()";
        let mut graph = Graph { dialect: Some(self.dialect()), ..Graph::default() };
        graph.database = self.wire.text("SELECT LOWER(DATABASE())").await?;
        for row in self.wire.texts(TABLES).await? {
            let [name, engine, rows, bytes, kind] = row.as_slice() else { continue };
            if kind == "VIEW" {
                continue;
            }
            let number = |text: &String| text.parse().unwrap_or(0);
            let known = Known {
                name: name.clone(),
                engine: engine.clone(),
                rows: number(rows),
                bytes: number(bytes),
            };
            graph.tables.entry(name.to_lowercase()).or_default().push(known);
        }
        for row in self.wire.texts(VIEWS).await? {
            let [name, body] = row.as_slice() else { continue };
            graph.views.insert(name.to_lowercase(), body.clone());
        }
        for row in self.wire.texts(TRIGGERS).await? {
            let [table, name, body] = row.as_slice() else { continue };
            let of_table = graph.triggers.entry(table.to_lowercase()).or_default();
            of_table.push((name.clone(), body.clone()));
        }
        for row in self.wire.texts(ROUTINES).await? {
            let [name, body, hidden] = row.as_slice() else { continue };
            graph.routines.insert(name.to_lowercase(), (hidden == "0").then(|| body.clone()));
        }
        for row in self.wire.texts(CASCADES).await? {
            let [parent, database, child, inside] = row.as_slice() else { continue };
            let child = if inside == "1" { child.clone() } else { format!("{database}.{child}") };
            graph.cascades.entry(parent.to_lowercase()).or_default().push(child.to_lowercase());
        }
        let others = self.wire.texts(OTHERS).await?.into_iter().flatten();
        graph.others = others.map(|name| name.to_lowercase()).collect();
        graph.shows_triggers = self.rights().await?.hold("TRIGGER");
        Ok(graph)
    }

    pub async fn objections(&mut self, statements: &[String]) -> Result<Vec<String>, EngineError> {
        let graph = self.graph().await?;
        let dialect = self.dialect();
        let mut found = Vec::new();
        for sql in statements {
            object(sql, dialect, &graph, &mut found);
        }
        found.dedup();
        self.graph = Some(Box::new(graph));
        Ok(found)
    }
}

/// Why one statement may not be tried.
fn object(sql: &str, dialect: Dialect, graph: &Graph, found: &mut Vec<String>) {
    let write = match sql::write(sql, dialect) {
        Ok(write) => write,
        Err(refusal) => return found.push(refusal.sentence),
    };
    for name in sql::tables(sql, dialect).unwrap_or_default() {
        let small = name.to_lowercase();
        if let Some((database, _)) = small.split_once('.') {
            if database != graph.database {
                found.push(format!("{name} is outside of the database that this target names"));
            }
        } else if let Some(known) = graph.known(&name)
            && ["FEDERATED", "CONNECT", "SPIDER", "S3"].contains(&known.engine.as_str())
        {
            found.push(format!("{name} ({}) belongs to another server", known.engine));
        }
    }
    let calls = sql::functions(sql, dialect).unwrap_or_default();
    for call in &calls {
        let small = call.to_lowercase();
        let stored = match small.rsplit_once('.') {
            Some((database, name)) => {
                database == graph.database && graph.routines.contains_key(name)
            }
            None => graph.routines.contains_key(&small),
        };
        if !stored && !is_known(&small) {
            found.push(format!("nobody knows what the function {call} does besides its result"));
        }
    }
    let target = write.table.rsplit('.').next().unwrap_or(&write.table);
    if graph.is_view(target) {
        found.push(format!("{target} is a view; write to the table behind it"));
    } else if graph.known(target).is_none() {
        found.push(not_there(&write.table));
    }
    let reach = graph.reach([target], &calls);
    for name in &reach.tables {
        let Some(known) = graph.known(name) else { continue };
        if !known.engine.eq_ignore_ascii_case("InnoDB") {
            let how =
                if name.eq_ignore_ascii_case(target) { "" } else { " (by a trigger or reference)" };
            found.push(format!(
                "{name}{how} is kept by {}, which no rollback can take back",
                known.engine
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Graph {
        let mut graph = Graph { database: "erp".into(), ..Graph::default() };
        for (name, engine) in
            [("item", "InnoDB"), ("line", "InnoDB"), ("audit", "InnoDB"), ("log", "MyISAM")]
        {
            let known = Known { name: name.into(), engine: engine.into(), ..Known::default() };
            graph.tables.insert(name.into(), vec![known]);
        }
        graph.views.insert("items".into(), "select `erp`.`item`.`id` from `erp`.`item`".into());
        graph.cascades.insert("item".into(), vec!["line".into()]);
        graph
            .triggers
            .insert("line".into(), vec![("l".into(), "INSERT INTO log VALUES (1)".into())]);
        graph.triggers.insert(
            "item".into(),
            vec![("t".into(), "BEGIN IF NEW.a THEN CALL note(NEW.id); END IF; END".into())],
        );
        graph.routines.insert("note".into(), Some("INSERT INTO audit SELECT * FROM item".into()));
        graph.others.insert("hr".into());
        graph
    }

    #[test]
    fn triggers_routines_views_and_cascades_are_followed() {
        let reach = graph().reach(["items"], &[]);
        assert_eq!(
            reach.tables.iter().map(String::as_str).collect::<Vec<_>>(),
            ["audit", "item", "line"]
        );
        assert!(reach.unsure.is_empty(), "{:?}", reach.unsure);
        // By SQL, and then its trigger fires.
        assert!(graph().reach(["line"], &[]).tables.contains("log"));
    }

    #[test]
    fn names_alike_but_for_their_case_are_all_reached() {
        let mut graph = graph();
        let upper = Known { name: "LOG".into(), engine: "InnoDB".into(), ..Known::default() };
        graph.tables.entry("log".into()).or_default().push(upper);
        graph.views.insert("line".into(), "select 1".into());
        let reach = graph.reach(["line"], &[]);
        assert_eq!(
            reach.tables.iter().map(String::as_str).collect::<Vec<_>>(),
            ["LOG", "line", "log"]
        );
        let engine = |name| graph.known(name).map(|known| known.engine.as_str());
        assert_eq!((engine("log"), engine("LOG")), (Some("MyISAM"), Some("InnoDB")));
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let mut graph = graph();
        graph.routines.insert("note".into(), None);
        assert_eq!(graph.reach(["item"], &[]).unsure.len(), 1);
        for elsewhere in ["UPDATE hr.staff SET a = 1", "CALL hr.note(1)"] {
            graph.routines.insert("note".into(), Some(elsewhere.into()));
            assert_eq!(graph.reach(["item"], &[]).unsure.len(), 1, "{elsewhere}");
        }
        graph.routines.insert("note".into(), Some("INSERT INTO \"log\" (\"a\") VALUES (1)".into()));
        for calls in ["note", "erp.note"] {
            assert!(graph.reach([], &[calls.to_owned()]).tables.contains("log"), "{calls}");
        }
    }

    #[test]
    fn what_no_rollback_takes_back_is_not_tried() {
        let says = |sql: &str| {
            let mut found = Vec::new();
            object(sql, Dialect::Mariadb, &graph(), &mut found);
            found.join("; ")
        };
        assert_eq!(says("UPDATE item SET a = CONCAT(b, NOW())"), "");
        assert!(says("UPDATE log SET a = 1").contains("MyISAM"));
        assert!(says("UPDATE gone SET a = 1").contains("the table gone is not there"));
        assert!(says("UPDATE erp.gone SET a = 1").contains("the table erp.gone is not there"));
        assert!(says("INSERT INTO Items VALUES (1)").contains("Items is a view"));
        assert!(says("DELETE FROM line WHERE id = 1").contains("by a trigger"));
        assert!(says("UPDATE hr.staff SET a = 1").contains("outside"));
        assert!(says("UPDATE item SET a = sys_exec('x')").contains("sys_exec"));
        assert!(says("UPDATE item SET a = hr.note(1)").contains("hr.note"));
        assert_eq!(says("UPDATE item SET a = erp.note(1)"), "");
        assert!(says("CREATE TABLE x (a int)").contains("CREATE"));
    }
}
