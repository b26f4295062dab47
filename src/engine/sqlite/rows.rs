//! Single rows by key: reading images, and putting rows back under their guard.
//!
//! Every value travels as a bind parameter; every name is quoted.

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Sqlite};

use super::value::{has_odd_text, quoted, values};
use super::{Session, watch};
use crate::engine::{EngineError, Keyed, RowWrite, Table};
use crate::value::Value;

type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

fn bind(query: Query, value: &Value) -> Query {
    match value {
        Value::Null => query.bind(None::<i64>),
        Value::Integer(n) => query.bind(*n),
        Value::Real(n) => query.bind(*n),
        Value::Text(text) => query.bind(text.clone()),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    }
}

fn query(sql: String, binds: &[&[Value]]) -> Query {
    let start = sqlx::query(AssertSqlSafe(sql)).persistent(true);
    binds.iter().flat_map(|values| values.iter()).fold(start, bind)
}

/// `"a" IS ? AND "b" IS ?`
fn all_are(columns: &[String]) -> String {
    columns.iter().map(|name| format!("{} IS ?", quoted(name))).collect::<Vec<_>>().join(" AND ")
}

fn list(columns: &[String]) -> String {
    columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

impl Session {
    pub async fn rows_by_key(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Keyed>, EngineError> {
        /// Rows a statement: well under the limit of bind parameters for any key.
        const BATCH: usize = 400;
        let names = watch::key_expressions(table);
        let mut found = Vec::with_capacity(keys.len());
        // NULL is in no list: rows whose key holds one are looked for one by one.
        let (odd, plain): (Vec<_>, Vec<_>) =
            keys.iter().partition(|key| key.contains(&Value::Null));
        for batch in plain.chunks(BATCH) {
            let condition = if names.len() == 1 {
                format!("{} IN ({})", names[0], vec!["?"; batch.len()].join(", "))
            } else {
                let row = format!("({})", vec!["?"; names.len()].join(", "));
                let rows = vec![row; batch.len()].join(", ");
                format!("({}) IN (VALUES {rows})", names.join(", "))
            };
            let binds: Vec<&[Value]> = batch.iter().map(|key| key.as_slice()).collect();
            self.fetch(table, &names, columns, &condition, &binds, &mut found).await?;
        }
        for key in odd {
            let condition =
                names.iter().map(|name| format!("{name} IS ?")).collect::<Vec<_>>().join(" AND ");
            self.fetch(table, &names, columns, &condition, &[key], &mut found).await?;
        }
        Ok(found)
    }

    async fn fetch(
        &mut self,
        table: &Table,
        names: &[String],
        columns: &[String],
        condition: &str,
        binds: &[&[Value]],
        found: &mut Vec<Keyed>,
    ) -> Result<(), EngineError> {
        let sql = format!(
            "SELECT {}, {} FROM main.{} WHERE {condition}",
            names.join(", "),
            list(columns),
            quoted(&table.name)
        );
        let mut rows = query(sql, binds).fetch(&mut self.connection);
        let read =
            |row: SqliteRow| values(&row).map(|values| (has_odd_text(&row, &values), values));
        let failed = loop {
            match rows.try_next().await.and_then(|row| row.map(read).transpose()) {
                Ok(Some((odd, mut key))) => {
                    self.odd_text |= odd;
                    let row = key.split_off(names.len());
                    found.push((key, row));
                }
                Ok(None) => return Ok(()),
                Err(error) => break error,
            }
        };
        drop(rows);
        Err(self.judge(&failed, self.lock_wait))
    }

    pub async fn quote(&mut self, value: &Value) -> Result<String, EngineError> {
        let one = query("SELECT quote(?)".to_owned(), &[std::slice::from_ref(value)]);
        let row = one.fetch_one(&mut self.connection).await;
        let decoded = row.and_then(|row| values(&row));
        let cells = decoded.map_err(|error| self.judge(&error, self.lock_wait))?;
        Ok(cells.first().and_then(|cell| cell.as_ref().plain()).unwrap_or_else(|| "NULL".into()))
    }

    pub async fn quote_keys(
        &mut self,
        _kind: &str,
        values: &[Value],
    ) -> Result<Vec<String>, EngineError> {
        let mut quoted = Vec::with_capacity(values.len());
        for value in values {
            quoted.push(self.quote(value).await?);
        }
        Ok(quoted)
    }

    pub async fn insert_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            let (columns, values) = row.set;
            let sql = format!(
                "INSERT INTO main.{} ({}) VALUES ({})",
                quoted(&row.table.name),
                list(columns),
                vec!["?"; columns.len()].join(", ")
            );
            held.push(self.write(sql, &[values]).await?);
        }
        Ok(held)
    }

    pub async fn update_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            held.push(self.update_row(row).await?);
        }
        Ok(held)
    }

    async fn update_row(&mut self, row: &RowWrite<'_>) -> Result<bool, EngineError> {
        let set = row.set.0.iter().map(|name| format!("{} = ?", quoted(name)));
        let sql = format!(
            "UPDATE main.{} SET {} WHERE {}",
            quoted(&row.table.name),
            set.collect::<Vec<_>>().join(", "),
            condition(row)
        );
        self.write(sql, &[row.set.1, row.key.1, row.guard.1]).await
    }

    pub async fn delete_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            let (table, one) = (quoted(&row.table.name), condition(row));
            let sql = format!("DELETE FROM main.{table} WHERE {one}");
            held.push(self.write(sql, &[row.key.1, row.guard.1]).await?);
        }
        Ok(held)
    }

    /// Whether a row was written.
    async fn write(&mut self, sql: String, binds: &[&[Value]]) -> Result<bool, EngineError> {
        let done = query(sql, binds).execute(&mut self.connection).await;
        done.map(|done| done.rows_affected() == 1)
            .map_err(|error| self.judge(&error, self.lock_wait))
    }
}

/// Key and guard: the row, and only as long as it holds what it must hold.
fn condition(row: &RowWrite<'_>) -> String {
    let parts = [all_are(row.key.0), all_are(row.guard.0)];
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" AND ")
}
