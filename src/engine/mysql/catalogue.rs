//! What the database holds: tables, keys, and a mark that changes with their definitions.

use std::collections::{HashMap, HashSet};

use super::{Session, values};
use crate::engine::{Column, EngineError, Reference, Table};
use crate::sql;

/// An index that tells rows apart.
struct Unique {
    index: String,
    columns: Vec<String>,
    /// Not only the beginning of a column is in it.
    whole: bool,
}

impl Session {
    pub async fn references(&mut self) -> Result<Vec<Reference>, EngineError> {
        const PAIRS: &str = "SELECT constraint_name, table_name, column_name, \
             referenced_table_name, referenced_column_name FROM information_schema.key_column_usage \
             WHERE table_schema = DATABASE() AND referenced_table_schema = DATABASE() \
             ORDER BY CAST(table_name AS BINARY), constraint_name, ordinal_position";
        let pairs = self.wire.texts(PAIRS).await?;
        Ok(Reference::gather(pairs.into_iter().filter_map(|row| row.try_into().ok())))
    }

    pub async fn tables(&mut self) -> Result<Vec<Table>, EngineError> {
        // Apart from the columns: joined, the server opens every table for every row.
        const VIEWS: &str = "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = DATABASE() \
             AND table_type NOT IN ('BASE TABLE', 'SYSTEM VERSIONED')";
        // Names that differ in case alone count as equal there, and their columns would come mixed.
        const COLUMNS: &str = "SELECT table_name, column_name, column_type, extra, is_nullable \
             FROM information_schema.columns WHERE table_schema = DATABASE() \
             ORDER BY CAST(table_name AS BINARY), ordinal_position";
        const KEYS: &str = "SELECT table_name, index_name, column_name, sub_part \
             FROM information_schema.statistics WHERE table_schema = DATABASE() AND non_unique = 0 \
             ORDER BY table_name, index_name <> 'PRIMARY', index_name, seq_in_index";
        let views: HashSet<String> = self.wire.texts(VIEWS).await?.into_iter().flatten().collect();
        let mut tables: Vec<Table> = Vec::new();
        let mut not_null: Vec<Vec<String>> = Vec::new();
        for row in self.wire.texts(COLUMNS).await? {
            let [table, column, kind, extra, nullable] = row.as_slice() else { continue };
            if views.contains(table) {
                continue;
            }
            if tables.last().is_none_or(|last| last.name != *table) {
                tables.push(Table { name: table.clone(), columns: Vec::new(), key: Vec::new() });
                not_null.push(Vec::new());
            }
            let generated = ["VIRTUAL", "STORED GENERATED", "PERSISTENT"];
            let generated = generated.iter().any(|word| extra.to_uppercase().contains(word));
            if nullable == "NO" {
                not_null.last_mut().expect("one was pushed").push(column.clone());
            }
            let (name, kind) = (column.clone(), kind.clone());
            tables.last_mut().expect("one was pushed").columns.push(Column {
                name,
                kind,
                generated,
            });
        }
        let mut indexes: HashMap<String, Vec<Unique>> = HashMap::new();
        for row in self.wire.texts(KEYS).await? {
            let [table, index, column, part] = row.as_slice() else { continue };
            let of_table = indexes.entry(table.clone()).or_default();
            if of_table.last().is_none_or(|last| last.index != *index) {
                of_table.push(Unique { index: index.clone(), columns: Vec::new(), whole: true });
            }
            let last = of_table.last_mut().expect("one was pushed");
            last.columns.push(column.clone());
            last.whole &= part.is_empty();
        }
        for (table, not_null) in tables.iter_mut().zip(not_null) {
            // The column of an index over an expression has no name, so it is no key.
            let sound = |columns: &Vec<String>| columns.iter().all(|name| not_null.contains(name));
            let mut found = indexes.remove(&table.name).unwrap_or_default();
            // The server keeps no rows by the beginning of a column, unless it is the primary key.
            found.sort_by_key(|unique| !unique.whole && unique.index != "PRIMARY");
            let key = found.into_iter().map(|unique| unique.columns).find(sound);
            table.key = key.unwrap_or_default();
        }
        Ok(tables)
    }

    pub async fn table_names(&mut self) -> Result<Vec<String>, EngineError> {
        const NAMES: &str = "SELECT table_name, CONCAT(table_schema, '.', table_name) \
            FROM information_schema.tables WHERE table_schema = DATABASE()";
        Ok(self.wire.texts(NAMES).await?.into_iter().flatten().collect())
    }

    pub async fn prepare(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        self.as_operator().await?;
        self.compiled(sql).await
    }

    /// MariaDB compiles no write for a session that may only read, so for this one moment it may
    /// write: what is compiled is not run.
    pub(super) async fn compiled(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        if self.transaction.is_some() {
            return self.wire.columns(sql).await;
        }
        self.wire.run("START TRANSACTION READ WRITE").await?;
        let compiled = self.wire.columns(sql).await;
        self.wire.run("ROLLBACK").await?;
        compiled
    }

    pub async fn explain(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        self.as_operator().await?;
        let asked = format!("EXPLAIN {sql}");
        let rows = match sql::classify(sql, self.dialect()) {
            // EXPLAIN of anything else might run it.
            sql::Effect::Other(refusal) => {
                return Err(EngineError::Refused { message: refusal.sentence });
            }
            // MariaDB plans no write for a session that may only read, as it compiles none.
            sql::Effect::Write(_) if self.transaction.is_none() => {
                self.wire.run("START TRANSACTION READ WRITE").await?;
                let rows = self.named(&asked).await;
                self.wire.run("ROLLBACK").await?;
                rows?
            }
            _ => self.named(&asked).await?,
        };
        let part = |row: &HashMap<String, String>, name: &str| row.get(name).cloned();
        Ok(rows
            .iter()
            .map(|row| {
                let table = part(row, "table").filter(|name| !name.is_empty());
                let how = match part(row, "type").as_deref() {
                    Some("ALL") => "reads every row".to_owned(),
                    Some("index") => "reads a whole index".to_owned(),
                    Some(kind) if !kind.is_empty() => format!("access by {kind}"),
                    _ => String::new(),
                };
                let named = |name: &str, words: &str| {
                    part(row, name).filter(|v| !v.is_empty()).map(|v| format!("{words} {v}"))
                };
                let parts = [
                    table,
                    Some(how).filter(|how| !how.is_empty()),
                    named("key", "index"),
                    named("rows", "about rows:"),
                    part(row, "Extra").filter(|extra| !extra.is_empty()),
                ];
                parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
            })
            .collect())
    }

    pub async fn schema_mark(&mut self) -> Result<String, EngineError> {
        /// One number a kind of object, whatever their order.
        const KINDS: [(&str, &str); 6] = [
            (
                "columns",
                "table_name, column_name, ordinal_position, column_default, is_nullable, \
                 column_type, collation_name, extra, column_comment",
            ),
            ("statistics", "table_name, index_name, seq_in_index, column_name, non_unique"),
            ("table_constraints", "table_name, constraint_name, constraint_type"),
            ("views", "table_name, view_definition"),
            ("triggers", "trigger_name, event_object_table, action_statement, created"),
            ("routines", "routine_name, routine_type, routine_definition, last_altered"),
        ];
        let mut mark = Vec::new();
        for (table, columns) in KINDS {
            let schema = match table {
                "triggers" => "trigger_schema",
                "routines" => "routine_schema",
                _ => "table_schema",
            };
            let sql = format!(
                "SELECT CONCAT(COUNT(*), '-', COALESCE(HEX(BIT_XOR(CAST(CONV(LEFT(MD5(CONCAT_WS(\
                 '|', {columns})), 15), 16, 10) AS UNSIGNED))), 0)) FROM information_schema.{table} \
                 WHERE {schema} = DATABASE()"
            );
            mark.push(self.wire.text(&sql).await?);
        }
        let checks = "SELECT CONCAT(COUNT(*), '-', COALESCE(HEX(BIT_XOR(CRC32(check_clause))), 0)) \
             FROM information_schema.check_constraints WHERE constraint_schema = DATABASE()";
        match self.wire.text(checks).await {
            Ok(text) => mark.push(text),
            // Old releases have no checks.
            Err(EngineError::Database { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(mark.join("/"))
    }

    /// The next number that each of these tables would give out.
    pub(super) async fn counters(
        &mut self,
        tables: &[String],
    ) -> Result<HashMap<String, u64>, EngineError> {
        if tables.is_empty() {
            return Ok(HashMap::new());
        }
        if !self.wire.is_mariadb() {
            // Else MySQL 8 answers from what it noted a day ago.
            self.wire.run("SET SESSION information_schema_stats_expiry = 0").await?;
        }
        let names = tables.iter().map(|name| values::text(name)).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT table_name, auto_increment FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND auto_increment IS NOT NULL AND table_name IN ({names})"
        );
        let rows = self.wire.texts(&sql).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| Some((row.first()?.clone(), row.get(1)?.parse().ok()?)))
            .collect())
    }
}
