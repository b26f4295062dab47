//! Definitions: they commit by themselves, so they run alone, and none can be tried out.

use std::time::Duration;

use super::kinds::Statement;
use super::names::shown;
use super::{Session, nothing};
use crate::engine::{EngineError, Table};

impl Session {
    pub async fn define(&mut self, sql: &str, time_cap: Duration) -> Result<(), EngineError> {
        if self.transaction.is_some() {
            return Err(EngineError::Refused {
                message: "a definition would commit the open transaction".into(),
            });
        }
        if let Some(message) = self.no_writes().await? {
            return Err(EngineError::ReadOnly { message });
        }
        let sql = super::one(sql)?;
        self.wire.work(Statement::new(sql), time_cap, &mut nothing).await?;
        self.graph = None;
        Ok(())
    }

    /// Nothing of this session alone can take the place of a table here: a private temporary table has a
    /// name of its own and takes no index, and any other one is seen by all.
    #[allow(clippy::unused_async)]
    pub async fn shadow(&mut self, table: &Table, _time_cap: Duration) -> Result<(), EngineError> {
        Err(EngineError::Refused {
            message: format!("Oracle has no temporary copy that could stand for {}", table.name),
        })
    }

    pub async fn leftover(&mut self, name: &str) -> Result<Option<String>, EngineError> {
        const FOUND: &str = "SELECT 'the index ' AS WHAT, INDEX_NAME, 'cannot be used' FROM ALL_INDEXES \
            WHERE OWNER = :1 AND INDEX_NAME = :2 AND STATUS = 'UNUSABLE' UNION ALL \
            SELECT 'the constraint ', CONSTRAINT_NAME, 'is switched off' FROM ALL_CONSTRAINTS \
            WHERE OWNER = :3 AND CONSTRAINT_NAME = :4 AND STATUS = 'DISABLED' UNION ALL \
            SELECT 'the constraint ', CONSTRAINT_NAME, 'was not held against the rows that were there' \
            FROM ALL_CONSTRAINTS WHERE OWNER = :5 AND CONSTRAINT_NAME = :6 AND STATUS = 'ENABLED' \
            AND VALIDATED = 'NOT VALIDATED'";
        let (schema, name) = (self.schema.clone(), super::names::kept(name));
        let both = [schema.as_str(), &name];
        let bound = super::wire::with_binds(FOUND, &both.repeat(3));
        let rows = self.wire.texts_bound(bound).await?;
        Ok(rows.into_iter().find_map(|row| match row.as_slice() {
            [what, name, state] => Some(format!("{what}{} stands but {state}", shown(name))),
            _ => None,
        }))
    }
}
