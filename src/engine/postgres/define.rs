//! Definitions: one that commits by itself, a copy to try one out on, and what a failed one left.

use std::time::Duration;

use super::{OWN, Session, rows};
use crate::engine::{EngineError, Table};

impl Session {
    /// The session's own time limit is put aside, since a concurrent build waits for others and no
    /// one waits for it.
    pub async fn define(&mut self, sql: &str, time_cap: Duration) -> Result<(), EngineError> {
        self.may_write().await?;
        let cap = time_cap.as_millis();
        self.plain(&format!("SET statement_timeout = {cap}"), OWN).await?;
        let outcome = self.plain(sql, time_cap).await;
        let settings = self.settings.session();
        let back = self.plain(&settings, OWN).await;
        outcome.and(back)
    }

    /// A temporary table stands before all others of its name.
    pub async fn shadow(&mut self, table: &Table, time_cap: Duration) -> Result<(), EngineError> {
        let real = rows::relation(&table.name);
        let bare = rows::quoted(table.name.rsplit('.').next().unwrap_or(&table.name));
        let columns: Vec<String> = table.stored().iter().map(|name| rows::quoted(name)).collect();
        let columns = columns.join(", ");
        let source = self.text(&format!("SELECT {}::regclass::oid", rows::literal(&real))).await?;
        let source = source.unwrap_or_default();
        let qualified = self
            .text(&format!(
                "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
                 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {source}"
            ))
            .await?
            .unwrap_or(real);
        let make = format!(
            "CREATE TEMPORARY TABLE {bare} (LIKE {qualified} INCLUDING DEFAULTS INCLUDING \
             GENERATED INCLUDING IDENTITY INCLUDING CONSTRAINTS INCLUDING INDEXES) ON COMMIT DROP"
        );
        self.plain(&make, OWN).await?;
        let fill = format!(
            "INSERT INTO pg_temp.{bare} ({columns}) OVERRIDING SYSTEM VALUE \
             SELECT {columns} FROM {qualified}"
        );
        self.plain(&fill, time_cap).await
    }

    pub async fn leftover(&mut self, name: &str) -> Result<Option<String>, EngineError> {
        let sql = format!(
            "SELECT 'an invalid index ' || c.relname || ' of a build that failed is left' \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE c.relname = {name} AND NOT i.indisvalid \
             UNION ALL \
             SELECT 'the constraint ' || o.conname || ' is there and was never validated' \
             FROM pg_constraint o WHERE o.conname = {name} AND NOT o.convalidated LIMIT 1",
            name = rows::literal(name)
        );
        self.text(&sql).await
    }
}
