//! Rows that have to do with a row: those it points to, those that point to it, what was recorded of
//! it. Found along the foreign keys that the database knows, and by name where it knows none.
//!
//! Read-only, in a snapshot, under a time limit, and never more rows than a person looks at.

use std::ops::ControlFlow;
use std::time::Duration;

use super::connect::{READ_LOCK_WAIT, connect, plain};
use crate::check::related::{Found, From, How, MOST, Relation};
use crate::config::Target;
use crate::engine::{EngineError, Purpose, Reference, Session, Stopper, Table};
use crate::problem::Problem;
use crate::value::Value;
use crate::value::pile::Writer;

const PATIENCE: Duration = Duration::from_secs(10);

/// Where one can go from a row.
pub async fn relations(
    target: &Target,
    from: &From,
    stopper: &Stopper,
) -> Result<Vec<Relation>, Problem> {
    let failed = |error: EngineError| plain(&error, &target.name);
    let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
    session.begin_snapshot().await.map_err(failed)?;
    let tables = session.tables().await.map_err(failed)?;
    let references = session.references().await.map_err(failed)?;
    session.close().await;
    Ok(relate(&tables, &references, from))
}

pub async fn rows(
    target: &Target,
    relation: &Relation,
    stopper: &Stopper,
) -> Result<Found, Problem> {
    let failed = |error: EngineError| plain(&error, &target.name);
    let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
    session.begin_snapshot().await.map_err(failed)?;
    let sql = query(&mut session, relation).await.map_err(failed)?;
    let mut writer = Writer::new();
    let (mut seen, mut broken) = (0, None);
    let columns = session
        .read(&sql, PATIENCE, &mut |names, row| {
            seen += 1;
            if seen <= MOST {
                broken = writer.push(names, row.iter().copied()).err();
            }
            let enough = seen > MOST || broken.is_some();
            if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await;
    session.close().await;
    writer.columns(&columns.map_err(failed)?);
    let aside = |error| Problem::system(format!("the rows cannot be put aside: {error}"));
    if let Some(error) = broken {
        return Err(aside(error));
    }
    let rows = writer.finish().map_err(aside)?;
    Ok(Found { relation: relation.clone(), rows, more: seen > MOST })
}

async fn query(session: &mut Session, relation: &Relation) -> Result<String, EngineError> {
    let mut conditions = Vec::new();
    for (column, value) in &relation.on {
        let literal = session.quote(value).await?;
        conditions.push(format!("{} = {literal}", session.column_name(column)));
    }
    // What happened last is what one wants to see first.
    let way = if relation.how == How::History { " DESC" } else { "" };
    let by = relation.key.iter().map(|column| format!("{}{way}", session.column_name(column)));
    let by = by.collect::<Vec<_>>().join(", ");
    let order = if by.is_empty() { String::new() } else { format!(" ORDER BY {by}") };
    let table = session.table_name(&relation.table);
    Ok(format!("SELECT * FROM {table} WHERE {}{order}", conditions.join(" AND ")))
}

/// What the names of tables and columns say, without asking anybody.
fn relate(tables: &[Table], references: &[Reference], from: &From) -> Vec<Relation> {
    let mut ways = Ways { tables, from, found: Vec::new() };
    let is = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let of_query = |table: &str| from.tables.iter().any(|name| is(name, table));
    match &from.table {
        Some(table) => {
            for reference in references.iter().filter(|one| is(&one.child, table)) {
                ways.up(reference);
            }
            for reference in references.iter().filter(|one| is(&one.parent, table)) {
                ways.down(reference, &reference.parent_columns);
            }
            ways.history(table);
        }
        None => {
            let up: Vec<&Reference> =
                references.iter().filter(|one| of_query(&one.child) && ways.has(one)).collect();
            for reference in &up {
                ways.up(reference);
            }
            for table in tables.iter().filter(|table| of_query(&table.name)) {
                ways.same(table);
            }
            // Who points to the same row: its other children, also beyond the query.
            for parent in up {
                for other in references {
                    let same = is(&other.parent, &parent.parent)
                        && other.parent_columns == parent.parent_columns;
                    if same {
                        ways.down(other, &parent.child_columns);
                    }
                }
                ways.history_of(&parent.parent, &parent.child_columns);
            }
            for table in &from.tables {
                ways.history(table);
            }
        }
    }
    ways.found
}

struct Ways<'w> {
    tables: &'w [Table],
    from: &'w From,
    found: Vec<Relation>,
}

impl Ways<'_> {
    /// What the row holds in these columns; none if it lacks one, or holds NULL in it.
    fn values(&self, columns: &[String]) -> Option<Vec<Value>> {
        let value = |column: &String| {
            let (_, value) =
                self.from.row.iter().find(|(name, _)| name.eq_ignore_ascii_case(column))?;
            (*value != Value::Null).then(|| value.clone())
        };
        columns.iter().map(value).collect()
    }

    fn has(&self, reference: &Reference) -> bool {
        self.values(&reference.child_columns).is_some()
    }

    fn push(&mut self, how: How, table: &str, columns: &[String], values: Option<Vec<Value>>) {
        let Some(values) = values.filter(|values| !values.is_empty()) else { return };
        let on: Vec<(String, Value)> = columns.iter().cloned().zip(values).collect();
        let same = |one: &Relation| one.table.eq_ignore_ascii_case(table) && one.on == on;
        if self.found.iter().any(same) {
            return;
        }
        let known = self.tables.iter().find(|known| known.name.eq_ignore_ascii_case(table));
        let key = known.map(|known| known.key.clone()).unwrap_or_default();
        self.found.push(Relation { how, table: table.to_owned(), on, key });
    }

    fn up(&mut self, reference: &Reference) {
        let values = self.values(&reference.child_columns);
        self.push(How::Parent, &reference.parent, &reference.parent_columns, values);
    }

    /// Rows of the child that hold what the row holds in these columns.
    fn down(&mut self, reference: &Reference, ours: &[String]) {
        let values = self.values(ours);
        self.push(How::Child, &reference.child, &reference.child_columns, values);
    }

    /// Rows of a table of the query with the row's key.
    fn same(&mut self, table: &Table) {
        let has = |name: &String| {
            table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
        };
        if !self.from.key.is_empty() && self.from.key.iter().all(has) {
            let values = self.values(&self.from.key);
            self.push(How::Same, &table.name, &self.from.key.clone(), values);
        }
    }

    fn history(&mut self, table: &str) {
        let known = self.tables.iter().find(|known| known.name.eq_ignore_ascii_case(table));
        if let Some(known) = known {
            self.history_of(table, &known.key.clone());
        }
    }

    /// What was recorded of the row of a table that these columns of ours name: in a log of many
    /// tables, or in a copy of this one.
    fn history_of(&mut self, table: &str, ours: &[String]) {
        const TABLE: [&str; 6] =
            ["table_name", "tablename", "entity", "entity_type", "object_type", "relation"];
        const ROW: [&str; 6] = ["row_id", "entity_id", "object_id", "record_id", "row_pk", "pk"];
        const COPIES: [&str; 4] = ["history", "audit", "log", "hist"];
        let Some(values) = self.values(ours) else { return };
        let of = |name: &str| name.rsplit('.').next().unwrap_or(name).to_lowercase();
        let short = of(table);
        for log in self.tables {
            let column = |wanted: &[&str]| {
                let is = |name: &str| wanted.iter().any(|one| name.eq_ignore_ascii_case(one));
                log.columns.iter().find(|column| is(&column.name)).map(|one| one.name.clone())
            };
            if let (Some(name), Some(row), [value]) = (column(&TABLE), column(&ROW), &*values) {
                let on = [Value::Text(short.clone()), value.clone()];
                self.push(How::History, &log.name, &[name, row], Some(on.to_vec()));
            }
            let copy = COPIES.iter().any(|word| of(&log.name) == format!("{short}_{word}"));
            if copy {
                let has = |name: &String| log.columns.iter().any(|column| column.name == *name);
                let key = self.tables.iter().find(|known| of(&known.name) == short);
                let key = key.map(|known| known.key.clone()).unwrap_or_default();
                if !key.is_empty() && key.iter().all(has) {
                    self.push(How::History, &log.name, &key, Some(values.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Column;

    fn table(name: &str, key: &str, columns: &[&str]) -> Table {
        let column =
            |name: &&str| Column { name: (*name).into(), kind: "integer".into(), generated: false };
        let columns = columns.iter().map(column).collect();
        Table { name: name.into(), columns, key: vec![key.into()] }
    }

    fn reference(child: &str, column: &str, parent: &str) -> Reference {
        Reference {
            child: child.into(),
            child_columns: vec![column.into()],
            parent: parent.into(),
            parent_columns: vec!["id".into()],
        }
    }

    fn erp() -> (Vec<Table>, Vec<Reference>) {
        let tables = vec![
            table("assets", "id", &["id", "tag"]),
            table("asset_assignments", "id", &["id", "asset_id", "employee_id"]),
            table("repairs", "id", &["id", "asset_id"]),
            table("repairs_history", "id", &["id", "cost"]),
            table("audit_log", "id", &["id", "table_name", "row_id"]),
        ];
        let references = vec![
            reference("asset_assignments", "asset_id", "assets"),
            reference("asset_assignments", "employee_id", "employees"),
            reference("repairs", "asset_id", "assets"),
        ];
        (tables, references)
    }

    fn ways(from: &From) -> Vec<String> {
        let (tables, references) = erp();
        relate(&tables, &references, from).iter().map(Relation::words).collect()
    }

    #[test]
    fn from_a_violation_to_parents_children_and_history() {
        let from = From {
            table: None,
            tables: vec!["asset_assignments".into(), "assets".into()],
            key: vec!["asset_id".into()],
            row: vec![("asset_id".into(), Value::Integer(17)), ("employee_id".into(), Value::Null)],
        };
        assert_eq!(
            ways(&from),
            [
                "assets: the row it points to, id = 17",
                "asset_assignments: rows with the same key, asset_id = 17",
                "repairs: rows that point there, asset_id = 17",
                "audit_log: what was recorded of it, table_name = assets and row_id = 17",
            ]
        );
    }

    #[test]
    fn from_a_row_of_a_table_along_its_own_keys() {
        let row = |id| vec![("id".to_owned(), Value::Integer(id))];
        let from = |table: &str| From {
            table: Some(table.into()),
            tables: Vec::new(),
            key: vec!["id".into()],
            row: row(4),
        };
        assert_eq!(
            ways(&from("assets")),
            [
                "asset_assignments: rows that point there, asset_id = 4",
                "repairs: rows that point there, asset_id = 4",
                "audit_log: what was recorded of it, table_name = assets and row_id = 4",
            ]
        );
        assert_eq!(
            ways(&from("repairs")),
            [
                "repairs_history: what was recorded of it, id = 4",
                "audit_log: what was recorded of it, table_name = repairs and row_id = 4",
            ]
        );
    }
}
