//! Definitions: by themselves in the online form, on a copy that only this session sees, and what an
//! attempt that failed has left.

use std::time::Duration;

use super::connect::millis;
use super::rows::{list, literal, quoted};
use super::{OWN, Session};
use crate::engine::{EngineError, Table};

impl Session {
    /// The server gives up by itself after the time cap; how long it waits for a lock is a setting of
    /// the session.
    pub async fn define(&mut self, sql: &str, time_cap: Duration) -> Result<(), EngineError> {
        self.may_write().await?;
        let limit = format!("SET statement_timeout = {}", millis(time_cap));
        self.plain(&limit, OWN).await?;
        let defined = self.one(sql, time_cap).await;
        let back = self.unstoppable("SET statement_timeout = 0").await;
        defined.and(back.map(drop))
    }

    /// Temporary names come before all others, but only for a name without a schema.
    pub async fn shadow(&mut self, table: &Table, time_cap: Duration) -> Result<(), EngineError> {
        if table.name.contains('.') {
            return Err(EngineError::Refused {
                message: format!("{} is named with its schema, which no copy can hide", table.name),
            });
        }
        let name = quoted(&table.name);
        let schema = format!(
            "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass({})",
            literal(&name)
        );
        let schema = self.text(&schema).await?.ok_or_else(|| EngineError::Database {
            message: format!("{} is not there any more", table.name),
        })?;
        let columns = list(&table.stored());
        let copy = literal(&format!("pg_temp.{name}"));
        let limit = time_cap.min(self.remaining());
        self.plain(
            &format!(
                "CREATE TEMPORARY TABLE {name} (LIKE {schema}.{name} INCLUDING DEFAULTS \
                 INCLUDING GENERATED INCLUDING IDENTITY INCLUDING CONSTRAINTS INCLUDING INDEXES) ON COMMIT DROP; \
                 INSERT INTO pg_temp.{name} ({columns}) OVERRIDING SYSTEM VALUE \
                 SELECT {columns} FROM {schema}.{name}; \
                 DO $copy$ DECLARE c name; BEGIN \
                 FOR c IN SELECT a.attname FROM pg_attribute a \
                 WHERE a.attrelid = {copy}::regclass AND a.attidentity <> '' LOOP \
                 EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), coalesce(max(%I), 0) + 1, false) FROM %s', \
                 {copy}, c, c, {copy}); END LOOP; END $copy$"
            ),
            limit,
        )
        .await
    }

    /// An index whose concurrent build failed, or a constraint that was never validated.
    pub async fn leftover(&mut self, name: &str) -> Result<Option<String>, EngineError> {
        let name = literal(name);
        let sql = format!(
            "SELECT 'an invalid index ' || c.relname || ' is left on ' || i.indrelid::regclass \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE c.relname = {name} AND NOT i.indisvalid AND c.relkind = 'i' \
             UNION ALL SELECT 'a constraint ' || k.conname || ' that was never validated is left on ' \
             || k.conrelid::regclass FROM pg_constraint k \
             WHERE k.conname = {name} AND NOT k.convalidated AND k.conrelid <> 0"
        );
        self.text(&sql).await
    }
}
