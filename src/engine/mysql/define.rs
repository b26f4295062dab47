//! Definitions: they commit by themselves here, so they run alone, and are tried out on a temporary copy
//! that hides the table from this session and from nobody else.

use std::time::Duration;

use regex_lite::Regex;

use super::values::{list, quoted};
use super::{Session, nothing};
use crate::engine::{EngineError, Table};
use crate::sql;

const COPY: &str = "steadyhand_shadow";

impl Session {
    pub async fn define(&mut self, sql: &str, time_cap: Duration) -> Result<(), EngineError> {
        self.may_write()?;
        self.as_operator().await?;
        self.belt(time_cap).await?;
        self.wire.only(sql).await?;
        self.wire.work(sql, time_cap, &mut nothing).await?;
        self.graph = None;
        self.hear_warnings().await
    }

    pub async fn shadow(&mut self, table: &Table, time_cap: Duration) -> Result<(), EngineError> {
        self.exactly(true).await?;
        self.belt(time_cap).await?;
        let (name, columns) = (quoted(&table.name), list(&table.stored()));
        let script = [
            format!("CREATE TEMPORARY TABLE {COPY} LIKE {name}"),
            format!("INSERT INTO {COPY} ({columns}) SELECT {columns} FROM {name}"),
            format!("ALTER TABLE {COPY} RENAME {name}"),
        ];
        for (step, sql) in script.iter().enumerate() {
            if let Err(error) = self.wire.work(sql, time_cap, &mut nothing).await {
                if step > 0 {
                    self.wire.run(&format!("DROP TEMPORARY TABLE IF EXISTS {COPY}")).await?;
                }
                return Err(error);
            }
        }
        self.shadow = Some(table.name.clone());
        Ok(())
    }

    /// Takes the copy away; a table that is no copy is not touched by this statement.
    pub(super) async fn unshadow(&mut self) -> Result<(), EngineError> {
        let Some(table) = self.shadow.take() else { return Ok(()) };
        self.wire.run(&format!("DROP TEMPORARY TABLE IF EXISTS {}", quoted(&table))).await.map(drop)
    }

    /// A definition that failed was taken back by the server as a whole.
    #[allow(clippy::unused_async)]
    pub async fn leftover(&mut self, _name: &str) -> Result<Option<String>, EngineError> {
        Ok(None)
    }

    /// The text of a definition as the copy can take it; refused if it would reach anything else.
    pub(super) fn on_shadow(&self, sql: &str) -> Result<String, EngineError> {
        let refused = |message: String| EngineError::Refused { message };
        let shadow = self.shadow.as_deref().unwrap_or_default();
        let parts = sql::defined_on(sql, self.dialect()).ok_or_else(|| {
            refused("only ALTER TABLE and CREATE INDEX can be tried on a temporary copy".into())
        })?;
        if parts.len() != 1 || !parts[0].eq_ignore_ascii_case(shadow) {
            let table = parts.join(".");
            return Err(refused(format!("it defines something of {table}, not of {shadow}")));
        }
        // A temporary table knows only one way to be altered.
        let way =
            Regex::new(r"(?i),\s*(ALGORITHM|LOCK)\s*=?\s*[A-Z]+").expect("the pattern is sound");
        Ok(way.replace_all(sql, "").into_owned())
    }
}
