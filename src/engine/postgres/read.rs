//! Reading: a query as a cursor, some rows at a time, and nothing of it stays.
//!
//! A cursor is granted to a query alone, so a text that is something else never runs; it ends when
//! nobody wants more rows; and a result of any size passes through in pieces. Inside a transaction a
//! savepoint is around it, so that a query that fails costs only itself.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _, Statement as _};

use super::connect::millis;
use super::value::{Cell, Columns};
use super::{OWN, Session, notice, stop, stops};
use crate::dialect::Dialect;
use crate::engine::{EngineError, OnEach, OnRow};
use crate::sql::split;
use crate::value::ValueRef;

/// Rows that are asked for at a time: few at first, so that they can be seen at once.
const FIRST_BATCH: usize = 100;
const BATCH: usize = 2_000;

/// The way back from an excursion inside a transaction.
pub(super) const BACK: &str =
    "ROLLBACK TO SAVEPOINT steadyhand_read; RELEASE SAVEPOINT steadyhand_read; ";

/// Called for each row as it came; breaking off leaves the rest of the batch unread.
type OnCells<'a> = &'a mut (dyn FnMut(&Columns, Vec<Cell<'_>>) -> ControlFlow<()> + Send);

impl Session {
    pub async fn read(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Vec<String>, EngineError> {
        self.apart(timeout, async |session: &mut Self| {
            match session.through_cursor(sql, timeout, on_row).await? {
                Some(names) => Ok(names),
                None => session.columns(sql, OWN).await,
            }
        })
        .await
    }

    /// Without a cursor, so that the planner may use all the processes it is given.
    pub async fn scan(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_each: OnEach<'_>,
    ) -> Result<(), EngineError> {
        self.apart(timeout, async |session: &mut Self| session.whole(sql, timeout, on_each).await)
            .await
    }

    /// A text that the server prepares is one statement, and what stands in a subquery is a query
    /// that changes no row by itself. Prepared as one to explain, so that the driver looks up no types;
    /// the very same text then runs, its values as text.
    async fn whole(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_each: OnEach<'_>,
    ) -> Result<(), EngineError> {
        use futures_util::TryStreamExt as _;
        let one = match split(sql, Dialect::Postgres).as_deref() {
            Ok([one]) => one,
            _ => sql,
        };
        let sql = format!("SELECT * FROM (\n{one}\n) AS steadyhand_rows");
        self.columns(&format!("EXPLAIN {sql}"), timeout).await?;
        let limit = timeout.min(self.remaining());
        let connection = &mut self.connection;
        let work = async move {
            let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(connection);
            let mut columns: Option<Columns> = None;
            while let Some(row) = rows.try_next().await? {
                let columns = columns.get_or_insert_with(|| Columns::of(&row));
                let cells = columns.cells(&row)?;
                let values: Vec<ValueRef<'_>> = cells.iter().map(Cell::as_ref).collect();
                on_each(&columns.names, &values);
            }
            Ok(())
        };
        let stops = stops(&self.stopper, &mut self.side, &self.access, &self.backend, limit);
        let driven = stop::drive(notice::heard(&self.notices, work), stops).await;
        self.judge(driven)
    }

    /// Does something that leaves no trace in the transaction that may be open: no failure, no
    /// setting, no lock on a row.
    pub(super) async fn apart<T>(
        &mut self,
        timeout: Duration,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let inside = self.transaction.is_some();
        let begin = if inside {
            "SAVEPOINT steadyhand_read".to_owned()
        } else {
            format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}", self.settings.local(OWN))
        };
        let limit = millis(timeout.min(self.remaining()));
        let entered = self
            .plain(
                &format!(
                    "{begin}; SET LOCAL statement_timeout = {limit}; SET LOCAL row_security = off"
                ),
                OWN,
            )
            .await;
        let outcome = match entered {
            Ok(()) => work(self).await,
            Err(error) => Err(error),
        };
        if outcome.is_ok() && self.transaction.as_ref().is_some_and(|open| !open.writes) {
            // Nothing waits for it where nothing can be written.
            self.away = true;
            return outcome;
        }
        let back = self.unstoppable(if inside { BACK } else { "ROLLBACK" }).await;
        let found = outcome?;
        back.map(|_| found)
    }

    /// The columns, if a row came to tell them.
    async fn through_cursor(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Option<Vec<String>>, EngineError> {
        let start = Instant::now();
        self.declare("steadyhand_rows", sql, timeout).await?;
        let mut columns: Option<Columns> = None;
        let mut batch = FIRST_BATCH;
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(EngineError::TimedOut { limit: timeout });
            }
            let limit = millis(left.min(self.remaining()));
            let sql = format!(
                "SET LOCAL statement_timeout = {limit}; FETCH {batch} FROM steadyhand_rows"
            );
            let mut each = |columns: &Columns, cells: Vec<Cell<'_>>| {
                let values: Vec<ValueRef<'_>> = cells.iter().map(Cell::as_ref).collect();
                on_row(&columns.names, &values)
            };
            let (seen, more) = self.fetch(sql, left, &mut columns, &mut each).await.map_err(
                |error| match error {
                    EngineError::TimedOut { .. } => EngineError::TimedOut { limit: timeout },
                    other => other,
                },
            )?;
            if seen < batch || more == ControlFlow::Break(()) {
                break;
            }
            batch = BATCH;
        }
        Ok(columns.map(|columns| columns.names))
    }

    /// Makes a cursor of a query.
    pub(super) async fn declare(
        &mut self,
        name: &str,
        sql: &str,
        limit: Duration,
    ) -> Result<(), EngineError> {
        let text = format!("DECLARE {name} NO SCROLL CURSOR FOR {sql}");
        self.one(&text, limit.min(self.remaining())).await.map(drop)
    }

    /// Some rows of a cursor; gives how many there were, and whether more are wanted.
    pub(super) async fn fetch(
        &mut self,
        sql: String,
        left: Duration,
        columns: &mut Option<Columns>,
        on_row: OnCells<'_>,
    ) -> Result<(usize, ControlFlow<()>), EngineError> {
        use futures_util::TryStreamExt as _;
        self.ready().await?;
        let left = left.min(self.remaining());
        let connection = &mut self.connection;
        let work = async move {
            let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(connection);
            let mut seen = 0;
            let mut flow = ControlFlow::Continue(());
            // To the end of the batch, wanted or not: the connection must be free for what follows.
            while let Some(row) = rows.try_next().await? {
                seen += 1;
                if flow == ControlFlow::Break(()) {
                    continue;
                }
                let columns = columns.get_or_insert_with(|| Columns::of(&row));
                flow = on_row(columns, columns.cells(&row)?);
            }
            Ok((seen, flow))
        };
        let stops = stops(&self.stopper, &mut self.side, &self.access, &self.backend, left);
        let driven = stop::drive(notice::heard(&self.notices, work), stops).await;
        self.judge(driven)
    }

    pub async fn prepare(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        self.apart(OWN, async |session: &mut Self| session.columns(sql, OWN).await).await
    }

    /// The columns of a result by name, without running anything.
    async fn columns(&mut self, sql: &str, limit: Duration) -> Result<Vec<String>, EngineError> {
        use sqlx::Column as _;
        self.ready().await?;
        let limit = limit.min(self.remaining());
        let text = AssertSqlSafe(sql.to_owned()).into_sql_str();
        let work = (&mut self.connection).prepare(text);
        let stops = stops(&self.stopper, &mut self.side, &self.access, &self.backend, limit);
        let driven = stop::drive(notice::heard(&self.notices, work), stops).await;
        let prepared = self.judge(driven)?;
        Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
    }

    pub async fn explain(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        self.apart(OWN, async |session: &mut Self| session.plan(sql).await).await
    }

    async fn plan(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        use sqlx::Row as _;
        self.ready().await?;
        let query = sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}"))).persistent(false);
        let work = self.connection.fetch_all(query);
        let stops = stops(&self.stopper, &mut self.side, &self.access, &self.backend, OWN);
        let driven = stop::drive(notice::heard(&self.notices, work), stops).await;
        let rows = self.judge(driven)?;
        Ok(rows.iter().filter_map(|row| row.try_get::<String, _>(0).ok()).collect())
    }
}
