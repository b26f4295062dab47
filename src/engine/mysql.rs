//! MySQL and MariaDB: under construction.
#![allow(clippy::all, clippy::pedantic, unused)]

use std::time::Duration;

use super::*;

#[derive(Debug)]
pub struct Session {
    dialect: Dialect,
}

impl Session {
    pub async fn open(
        access: &Access,
        purpose: Purpose,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        let _ = (access, purpose, lock_wait, stopper);
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    pub async fn close(self) {}

    pub async fn identity(&mut self) -> Result<Identity, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn tables(&mut self) -> Result<Vec<Table>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn table_names(&mut self) -> Result<Vec<String>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn lag(&mut self) -> Result<Option<Duration>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn read(
        &mut self,
        sql: &str,
        timeout: Duration,
        on_row: OnRow<'_>,
    ) -> Result<Vec<String>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn prepare(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn explain(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn rows_by_key(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Keyed>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn quote(&mut self, value: &Value) -> Result<String, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn objections(&mut self, statements: &[String]) -> Result<Vec<String>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn begin_watched(
        &mut self,
        observe: &mut super::Session,
        tables: &[Table],
        op: &str,
        time_cap: Duration,
    ) -> Result<Blind, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn begin(&mut self, time_cap: Duration) -> Result<(), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn mark(&mut self) -> Result<String, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn defer_references(&mut self) -> Result<(), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn insert_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn update_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn delete_row(&mut self, row: RowWrite<'_>) -> Result<u64, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn written(
        &mut self,
        observe: &mut super::Session,
        on_image: OnImage<'_>,
    ) -> Result<(Vec<Touched>, Blind), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn broken_references(&mut self, tables: &[String]) -> Result<u64, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn leaves_behind(&mut self) -> Result<Vec<String>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn lock_words(&mut self) -> Result<String, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn write_ledger(
        &mut self,
        op: &str,
        actor: &str,
        print: &str,
    ) -> Result<(), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn rollback(&mut self) -> Result<(), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn take_back(
        &mut self,
        observe: &mut super::Session,
    ) -> Result<Receipt, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn commit(&mut self) -> Result<(), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn settle(&mut self, op: &str, mark: Option<&str>) -> Result<Settled, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn waiting_for(&mut self, mark: &str) -> Result<Vec<Waiter>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn pressure(&mut self) -> Result<Pressure, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn end_session(&mut self, mark: &str) -> Result<bool, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn schema_mark(&mut self) -> Result<String, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn define(&mut self, sql: &str, time_cap: Duration) -> Result<(), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn shadow(&mut self, table: &Table, time_cap: Duration) -> Result<(), EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }

    pub async fn leftover(&mut self, name: &str) -> Result<Option<String>, EngineError> {
        Err(EngineError::Refused { message: "not written yet".into() })
    }
}
