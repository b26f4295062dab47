//! The names of a check held against the database before they are put into its SQL.
//!
//! A role that leads to no table or column makes the check blind, not clear; the reason names what
//! is missing and what was probably meant. The case of a name in quotes counts, of others only if
//! the database has several.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::check::Check;
use crate::check::bind::{Part, Role};
use crate::check::verdict::NOT_THERE;
use crate::dialect::Dialect;
use crate::engine::{EngineError, Session};
use crate::source::did_you_mean;
use crate::sql;

/// Why a check cannot be asked.
#[derive(Debug)]
pub(super) enum Unbound {
    /// In words for the verdict.
    Missing(String),
    Engine(EngineError),
}

impl From<EngineError> for Unbound {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl std::fmt::Display for Unbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(reason) => f.write_str(reason),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

/// Names that were asked for once, and hold as long as the snapshot they were read in.
#[derive(Debug, Default)]
pub(super) struct Known {
    tables: Option<Vec<String>>,
    columns: HashMap<String, Vec<String>>,
}

impl Known {
    async fn tables(&mut self, session: &mut Session) -> Result<&[String], EngineError> {
        if self.tables.is_none() {
            let dialect = session.dialect();
            let names = session.table_names().await?;
            self.tables = Some(names.into_iter().map(|name| kept(name, dialect)).collect());
        }
        Ok(self.tables.as_deref().unwrap_or_default())
    }

    async fn columns(
        &mut self,
        session: &mut Session,
        table: String,
    ) -> Result<&[String], EngineError> {
        Ok(match self.columns.entry(table) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => {
                let dialect = session.dialect();
                let names =
                    session.prepare(&format!("SELECT * FROM {} WHERE 1 = 0", free.key())).await?;
                free.insert(names.into_iter().map(|name| kept(name, dialect)).collect())
            }
        })
    }
}

/// The query of a check with the names that this database has.
pub(super) async fn query<'c>(
    session: &mut Session,
    check: &'c Check,
    known: &mut Known,
) -> Result<Cow<'c, str>, Unbound> {
    let dialect = session.dialect();
    if !check.is_for(dialect) {
        return Err(Unbound::Missing(format!("the check has no SQL for {dialect}")));
    }
    let text = check.query(dialect).unwrap_or_default();
    sql::unambiguous(&text, dialect, check.sql.meant(dialect))
        .map_err(|refusal| Unbound::Missing(refusal.clause().to_owned()))?;
    if check.asks_for_all(dialect)
        && let Some(reason) = session.hidden(&text).await?
    {
        return Err(Unbound::Missing(reason));
    }
    let mut roles = check.bind.clone();
    let needed = check.tables_on(dialect);
    if !(needed.is_empty() && roles.is_empty()) {
        let tables = known.tables(session).await?;
        let there = |name: &str| {
            let schema = name.rsplit_once('.').map(|(schema, _)| schema);
            tables.iter().any(|table| table.eq_ignore_ascii_case(name))
                || schema.is_some_and(|schema| !is_listed(schema, tables, dialect))
        };
        if let Some(table) = needed.iter().find(|name| !there(name)) {
            let sentence = format!("the table {table} {NOT_THERE}{}", hidden(dialect));
            return Err(Unbound::Missing(sentence));
        }
        for role in &mut roles {
            resolve_table(role, known.tables(session).await?, dialect)?;
            if !role.columns.is_empty() {
                let table = role.name.in_quotes_of(dialect);
                resolve_columns(role, known.columns(session, table).await?)?;
            }
        }
    }
    let query = check.query_with(dialect, &roles).map(Cow::into_owned);
    Ok(match query {
        Some(query) if !roles.is_empty() => Cow::Owned(query),
        _ => Cow::Borrowed(check.sql.get(dialect).unwrap_or_default()),
    })
}

/// A name as the catalogue has it. Of Oracle names come as SQL writes them: in small letters what is kept in
/// capitals.
fn kept(name: String, dialect: Dialect) -> String {
    if dialect != Dialect::Oracle {
        return name;
    }
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.to_owned(),
        None if name.chars().any(char::is_uppercase) => name,
        None => name.to_uppercase(),
    }
}

/// Where a table is only shown to whoever has a right on it.
fn hidden(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite | Dialect::Postgres => "",
        Dialect::Mysql | Dialect::Mariadb | Dialect::Oracle => ", or this account may not see it",
    }
}

/// Whether the tables of a schema are listed. Only PostgreSQL lists them all; whether one is there that
/// lies in another schema is told best by the query itself.
fn is_listed(schema: &str, tables: &[String], dialect: Dialect) -> bool {
    let of_schema = |table: &String| {
        table.rsplit_once('.').is_some_and(|(of, _)| of.eq_ignore_ascii_case(schema))
    };
    dialect == Dialect::Postgres || tables.iter().any(of_schema)
}

fn resolve_table(role: &mut Role, tables: &[String], dialect: Dialect) -> Result<(), Unbound> {
    let full = role.name.to_string();
    if let Some(schema) = &role.name.schema
        && (tables.contains(&full) || !is_listed(&schema.text, tables, dialect))
    {
        return Ok(());
    }
    let hidden = hidden(dialect);
    match found(&role.name.table, tables.iter().map(String::as_str)) {
        Some(table) => {
            role.name.table = Part { text: table.to_owned(), exact: true };
            Ok(())
        }
        None => Err(missing(
            &format!("the table {full} (role {}) {NOT_THERE}{hidden}", role.role),
            &role.name.table.text,
            tables,
        )),
    }
}

fn resolve_columns(role: &mut Role, columns: &[String]) -> Result<(), Unbound> {
    for (name, part) in &mut role.columns {
        match found(part, columns.iter().map(String::as_str)) {
            Some(column) => *part = Part { text: column.to_owned(), exact: true },
            None => {
                let sentence = format!(
                    "the table {} has no column {} (role {}.{name})",
                    role.name, part.text, role.role
                );
                return Err(missing(&sentence, &part.text, columns));
            }
        }
    }
    Ok(())
}

/// The name as the database writes it: as it stands, else the only one of another case.
fn found<'n>(part: &Part, names: impl Iterator<Item = &'n str> + Clone) -> Option<&'n str> {
    if let Some(same) = names.clone().find(|name| *name == part.text) {
        return Some(same);
    }
    let mut alike = names.filter(|name| !part.exact && name.eq_ignore_ascii_case(&part.text));
    match (alike.next(), alike.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

fn missing(sentence: &str, wanted: &str, names: &[String]) -> Unbound {
    Unbound::Missing(match did_you_mean(wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("{sentence}; did you mean {near}?"),
        None => sentence.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::bind::Name;

    const SQLITE: Dialect = Dialect::Sqlite;

    fn role(name: &str, column: &str) -> Role {
        let column = Part::parse(column).expect("a name");
        let name = Name::parse(name).expect("a name");
        Role { role: "orders".into(), name, columns: vec![("id".into(), column)] }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_name_gets_the_case_of_the_database_unless_it_is_in_quotes() {
        let mut free = role("orders", "order_id");
        resolve_table(&mut free, &names(&["Orders", "items"]), SQLITE).expect("there");
        resolve_columns(&mut free, &names(&["Order_ID"])).expect("there");
        assert_eq!((&*free.name.table.text, &*free.columns[0].1.text), ("Orders", "Order_ID"));
        let mut exact = role("\"orders\"", "id");
        assert!(resolve_table(&mut exact, &names(&["Orders"]), SQLITE).is_err());
        let mut two = role("ORDERS", "id");
        assert!(
            resolve_table(&mut two, &names(&["Orders", "orders"]), SQLITE).is_err(),
            "which one?"
        );
    }

    #[test]
    fn what_lies_in_a_schema_that_is_not_listed_is_left_to_the_query() {
        let listed = names(&["Orders", "shop.Orders"]);
        let mut ours = role("SHOP.orders", "id");
        resolve_table(&mut ours, &listed, Dialect::Mysql).expect("there");
        assert_eq!(ours.name.table.text, "Orders");
        let missing = resolve_table(&mut role("shop.items", "id"), &listed, Dialect::Mysql);
        assert!(missing.is_err());
        let mut other = role("archive.orders", "id");
        resolve_table(&mut other, &listed, Dialect::Mysql).expect("nobody knows");
        assert_eq!(other.name.table.text, "orders", "it is not the one of this schema");
    }

    #[test]
    fn names_of_oracle_are_those_of_its_dictionary() {
        let shown = ["orders", "\"Order Lines\"", "\"lines\""];
        let tables = shown.map(|name| kept(name.to_owned(), Dialect::Oracle));
        let columns = names(&["order_id", "Total"]).into_iter();
        let columns: Vec<String> = columns.map(|name| kept(name, Dialect::Oracle)).collect();
        for (table, column, sql) in [
            ("orders", "order_id", "\"ORDERS\"/\"ORDER_ID\""),
            ("\"ORDERS\"", "\"Total\"", "\"ORDERS\"/\"Total\""),
            ("\"Order Lines\"", "total", "\"Order Lines\"/\"Total\""),
            ("lines", "ORDER_ID", "\"lines\"/\"ORDER_ID\""),
        ] {
            let mut role = role(table, column);
            resolve_table(&mut role, &tables, Dialect::Oracle).expect("there");
            resolve_columns(&mut role, &columns).expect("there");
            let query = "{{orders}}/{{orders.id}}";
            assert_eq!(crate::check::bind::fill(query, Dialect::Oracle, &[role]).text, sql);
        }
        let mut exact = role("\"orders\"", "id");
        assert!(resolve_table(&mut exact, &tables, Dialect::Oracle).is_err(), "kept in capitals");
    }

    #[test]
    fn what_is_missing_is_named_with_what_was_meant() {
        let mut role = role("ordres", "totl");
        let table = resolve_table(&mut role, &names(&["orders"]), SQLITE).expect_err("missing");
        assert_eq!(
            table.to_string(),
            "the table ordres (role orders) is not there; did you mean orders?"
        );
        let column = resolve_columns(&mut role, &names(&["total"])).expect_err("missing");
        assert_eq!(
            column.to_string(),
            "the table ordres has no column totl (role orders.id); did you mean total?"
        );
    }
}
