//! The ledger: one row an operation, written in the operation's own transaction.
//!
//! It is the evidence of the outcome when the program died at COMMIT, and its key makes a blind
//! repetition fail instead of applying twice.

use sqlx::AssertSqlSafe;

use super::Session;
use crate::dialect::Dialect;
use crate::engine::{EngineError, Settled};
use crate::sql::create_ledger;

pub use crate::sql::LEDGER as TABLE;

impl Session {
    pub async fn write_ledger(
        &mut self,
        op: &str,
        chunk: u64,
        actor: &str,
        print: &str,
    ) -> Result<(), EngineError> {
        const INSERT: &str = "INSERT INTO main.steadyhand_ledger \
            (op_id, chunk_no, actor, fingerprint, applied_at) VALUES (?, ?, ?, ?, CURRENT_TIMESTAMP)";
        self.run(&create_ledger(&format!("main.{TABLE}"), Dialect::Sqlite)).await?;
        let insert = sqlx::query(INSERT).bind(op.to_owned()).bind(chunk.cast_signed());
        let done = insert
            .bind(actor.to_owned())
            .bind(print.to_owned())
            .execute(&mut self.connection)
            .await;
        done.map(drop).map_err(|error| self.judge(&error, self.lock_wait))
    }

    /// Needs a session that may write: taking the write lock proves that no writer is left that
    /// could still commit the row, so its absence is final.
    pub async fn settle(
        &mut self,
        op: &str,
        chunk: u64,
        _mark: Option<&str>,
    ) -> Result<Settled, EngineError> {
        self.run("BEGIN IMMEDIATE").await?;
        let found = self.look_up(op, chunk).await;
        self.rollback().await?;
        Ok(if found? {
            Settled::Committed("its ledger row is in the database".into())
        } else {
            Settled::RolledBack("no ledger row, and no writer is left that could add it".into())
        })
    }

    async fn look_up(&mut self, op: &str, chunk: u64) -> Result<bool, EngineError> {
        let exists = format!("SELECT COUNT(*) FROM main.sqlite_schema WHERE name = '{TABLE}'");
        if self.number(&exists).await? == 0 {
            return Ok(false);
        }
        let sql = format!("SELECT COUNT(*) FROM main.{TABLE} WHERE op_id = ? AND chunk_no = ?");
        let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).bind(op.to_owned());
        let count = count.bind(chunk.cast_signed());
        let found = count.fetch_one(&mut self.connection).await;
        found.map(|n| n > 0).map_err(|error| self.judge(&error, self.lock_wait))
    }
}
