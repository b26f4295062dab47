//! Reading: one statement, proved to be one, row by row. And for whatever else comes from a file: that every
//! name in it is there.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use sqlx::AssertSqlSafe;

use crate::dialect::Dialect;
use crate::engine::{EngineError, OnEach, OnRow, to_the_end};
use crate::sql::{in_backticks, split};
use crate::value::{Value, ValueRef};

use super::Session;
use super::value::{names, values};

impl Session {
    pub async fn scan(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_each: OnEach<'_>,
    ) -> Result<(), EngineError> {
        self.read(sql, timeout, &mut to_the_end(on_each)).await.map(drop)
    }

    pub async fn read(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Vec<String>, EngineError> {
        self.names_are_there(sql).await?;
        self.deadline.set(&self.deadline.statement, timeout);
        let outcome = match self.only(sql).await {
            Ok(one) => self.stream(one, on_row).await,
            Err(error) => Err(error),
        };
        self.deadline.statement.store(u64::MAX, Ordering::Release);
        outcome.map_err(|error| self.judge(&error, timeout))
    }

    /// The driver runs whatever stands behind a semicolon, and which semicolons end a statement only
    /// the library knows. What it compiles between parentheses and by itself is one query: a text that
    /// closes the parenthesis has one too many when it stands alone.
    pub(super) async fn only<'s>(&mut self, sql: &'s str) -> Result<&'s str, sqlx::Error> {
        if !sql.contains(';') {
            return Ok(sql);
        }
        let one = match split(sql, Dialect::Sqlite).as_deref() {
            Ok([one]) => one,
            _ => sql,
        };
        self.columns(&format!("SELECT * FROM (\n{one}\n)")).await?;
        self.columns(one).await.map(|_| one)
    }

    pub(super) async fn stream(
        &mut self,
        sql: &str,
        on_row: OnRow<'_>,
    ) -> Result<Vec<String>, sqlx::Error> {
        let mut columns: Option<Vec<String>> = None;
        {
            let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut self.connection);
            while let Some(row) = rows.next().await {
                let row = row?;
                let names = columns.get_or_insert_with(|| names(&row));
                let values = values(&row)?;
                let seen: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
                if on_row(names, &seen) == ControlFlow::Break(()) {
                    break;
                }
            }
        }
        match columns {
            Some(columns) => Ok(columns),
            None => self.columns(sql).await,
        }
    }

    /// A column that is not there would be a text in double quotes, and a check of it clear: what stands in
    /// them must be there under that name. Only compiled; the text that was shown is the one that runs.
    pub(super) async fn names_are_there(&mut self, sql: &str) -> Result<(), EngineError> {
        let named = in_backticks(sql)
            .map_err(|refusal| EngineError::Refused { message: refusal.sentence })?;
        let Some(named) = named else { return Ok(()) };
        let Err(error) = self.columns(&named).await else { return Ok(()) };
        let error = self.judge(&error, self.lock_wait);
        // What is wrong by itself is said of the text as it stands.
        self.columns(sql).await.map_err(|error| self.judge(&error, self.lock_wait))?;
        Err(match error {
            EngineError::Database { message } => EngineError::Database {
                message: format!(
                    "{message} (what stands in double quotes must be a name; a text stands in single ones)"
                ),
            },
            other => other,
        })
    }

    pub async fn prepare(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        self.names_are_there(sql).await?;
        self.columns(sql).await.map_err(|error| self.judge(&error, self.lock_wait))
    }

    /// An empty result has no header: the names come from preparing the text.
    pub(super) async fn columns(&mut self, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        use sqlx::{Column as _, Executor as _, SqlSafeStr as _, Statement as _};
        let prepared = (&mut self.connection).prepare(AssertSqlSafe(sql).into_sql_str()).await?;
        Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
    }

    pub async fn explain(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        self.names_are_there(sql).await?;
        let rows = self.rows(&format!("EXPLAIN QUERY PLAN {sql}")).await?;
        Ok(rows.iter().filter_map(|row| row.last()?.as_ref().plain()).collect())
    }
}
