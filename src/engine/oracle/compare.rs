//! Which rows of a table hold something else than when the transaction began: asked of the server in one
//! statement that reads the table as the worker sees it beside the same table as it was at that moment.

use super::kinds::{Kind, Statement};
use super::names::quoted;
use super::rows::{exact, kind, owned};
use super::{ALONE, Session};
use crate::engine::{EngineError, Table};
use crate::value::{Value, ValueRef};

/// Beyond this a table is not compared whole.
pub const MOST_ROWS: u64 = 5_000_000;

/// That a column holds different things in both, NULL included.
fn differs(table: &Table, name: &str) -> Option<String> {
    let (kind, column) = (kind(table, name), quoted(name));
    let (now, then) = (format!("N.{column}"), format!("O.{column}"));
    Some(match kind {
        // A comparison of these is no condition of SQL; a row that differs in nothing else is missed, and
        // no image would hold the difference.
        Kind::Other => return None,
        kind if kind.is_lob() => format!(
            "COALESCE(DBMS_LOB.GETLENGTH({now}), 0) <> COALESCE(DBMS_LOB.GETLENGTH({then}), 0) \
             OR DBMS_LOB.COMPARE({now}, {then}) <> 0"
        ),
        // The same moment in another zone is another value.
        Kind::Zoned => {
            format!("DECODE({}, {}, 0, 1) = 1", kind.select(&now), kind.select(&then))
        }
        _ => format!("DECODE({now}, {then}, 0, 1) = 1"),
    })
}

/// The keys of the rows that came, went or changed since this moment of the server.
pub fn query(table: &Table, moment: u64) -> String {
    let name = quoted(&table.name);
    let all = |alias: &str| {
        let stored = table.stored();
        let columns: Vec<String> =
            stored.iter().map(|name| format!("{alias}.{}", quoted(name))).collect();
        columns.join(", ")
    };
    let keys: Vec<String> = table
        .key
        .iter()
        .map(|name| {
            let (kind, column) = (kind(table, name), quoted(name));
            let (now, then) =
                (kind.select(&format!("N.{column}")), kind.select(&format!("O.{column}")));
            format!("CASE WHEN N.HERE IS NULL THEN {then} ELSE {now} END")
        })
        .collect();
    let same: Vec<String> =
        table.key.iter().map(|name| format!("N.{0} = O.{0}", quoted(name))).collect();
    let mut changed = vec!["N.HERE IS NULL".to_owned(), "O.HERE IS NULL".to_owned()];
    let stored = table.stored();
    let others = stored.iter().filter(|name| !table.key.contains(name));
    changed.extend(others.filter_map(|name| differs(table, name)));
    format!(
        "SELECT {} FROM (SELECT 1 AS HERE, {} FROM {name} A) N FULL OUTER JOIN \
         (SELECT 1 AS HERE, {} FROM {name} AS OF SCN {moment} B) O ON {} WHERE {}",
        keys.join(", "),
        all("A"),
        all("B"),
        same.join(" AND "),
        changed.join(" OR ")
    )
}

impl Session {
    /// The keys; `Err` inside says why the server could not compare.
    pub(super) async fn differing(
        &mut self,
        table: &Table,
        moment: u64,
    ) -> Result<Result<Vec<Vec<Value>>, String>, EngineError> {
        let limit = self.time_left(ALONE)?;
        let mut keys = Vec::new();
        let mut keep = |_: &[String], row: &[ValueRef<'_>]| {
            keys.push(owned(row));
            std::ops::ControlFlow::Continue(())
        };
        let statement = Statement::new(query(table, moment));
        match self.wire.work(statement, limit, &mut keep).await {
            Ok(_) => Ok(Ok(keys)),
            // No right to FLASHBACK, a definition newer than the moment, undo that is gone.
            Err(EngineError::Database { message } | EngineError::Conflict { message }) => {
                Ok(Err(message))
            }
            Err(error) => Err(error),
        }
    }
}

/// The key of a table as `RETURNING` gives it as a text, if every part of it reads back as itself.
pub fn returnable(table: &Table) -> Option<Vec<String>> {
    let plain = |kind: Kind| {
        matches!(
            kind,
            Kind::Number
                | Kind::Text
                | Kind::Date
                | Kind::Timestamp
                | Kind::Zoned
                | Kind::Local
                | Kind::DaySecond
                | Kind::YearMonth
        )
    };
    let sound = !table.key.is_empty() && table.key.iter().all(|name| plain(kind(table, name)));
    sound.then(|| {
        let text = |name: &String| match kind(table, name) {
            Kind::Number => format!("TO_CHAR({})", quoted(name)),
            _ => exact(table, name),
        };
        table.key.iter().map(text).collect()
    })
}

/// A key that came as texts; `None` if a number in it is none that reads back as itself.
pub fn returned(table: &Table, texts: Vec<Value>) -> Option<Vec<Value>> {
    let parts = table.key.iter().zip(texts);
    parts
        .map(|(name, value)| match (kind(table, name), value) {
            (Kind::Number, Value::Text(text)) => text.parse().ok().map(Value::Integer),
            (_, value) => Some(value),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Column;

    fn table() -> Table {
        let column = |name: &str, kind: &str, generated| Column {
            name: name.into(),
            kind: kind.into(),
            generated,
        };
        Table {
            name: "lines".into(),
            columns: vec![
                column("id", "NUMBER(10)", false),
                column("price", "NUMBER(10,2)", false),
                column("note", "CLOB", false),
                column("form", "XMLTYPE", false),
                column("twice", "NUMBER", true),
            ],
            key: vec!["id".into()],
        }
    }

    #[test]
    fn a_table_is_held_against_itself_at_an_earlier_moment() {
        let text = query(&table(), 4711);
        assert_eq!(
            text,
            "SELECT CASE WHEN N.HERE IS NULL THEN O.\"ID\" ELSE N.\"ID\" END FROM \
             (SELECT 1 AS HERE, A.\"ID\", A.\"PRICE\", A.\"NOTE\", A.\"FORM\" FROM \"LINES\" A) N \
             FULL OUTER JOIN \
             (SELECT 1 AS HERE, B.\"ID\", B.\"PRICE\", B.\"NOTE\", B.\"FORM\" FROM \"LINES\" \
             AS OF SCN 4711 B) O ON N.\"ID\" = O.\"ID\" \
             WHERE N.HERE IS NULL OR O.HERE IS NULL OR DECODE(N.\"PRICE\", O.\"PRICE\", 0, 1) = 1 OR \
             COALESCE(DBMS_LOB.GETLENGTH(N.\"NOTE\"), 0) <> COALESCE(DBMS_LOB.GETLENGTH(O.\"NOTE\"), 0) \
             OR DBMS_LOB.COMPARE(N.\"NOTE\", O.\"NOTE\") <> 0"
        );
    }

    #[test]
    fn a_key_is_returned_where_it_reads_back_as_itself() {
        assert_eq!(returnable(&table()), Some(vec!["TO_CHAR(\"ID\")".to_owned()]));
        let raw = Table {
            columns: vec![Column { name: "id".into(), kind: "RAW(16)".into(), generated: false }],
            ..table()
        };
        assert_eq!(returnable(&raw), None);
        assert_eq!(returnable(&Table { key: vec![], ..table() }), None);
        let text = |text: &str| vec![Value::Text(text.into())];
        assert_eq!(returned(&table(), text("42")), Some(vec![Value::Integer(42)]));
        assert_eq!(returned(&table(), text(".5")), None);
    }
}
