//! What the schema says: tables, columns, keys, references.

use crate::engine::{Column, EngineError, Reference, Table};
use crate::value::Value;

use super::Session;
use super::value::literal;

impl Session {
    /// A key that names no columns of its parent means its primary key.
    pub async fn references(&mut self) -> Result<Vec<Reference>, EngineError> {
        const PAIRS: &str = "SELECT CAST(f.id AS TEXT), l.name, f.\"from\", f.\"table\", \
             COALESCE(f.\"to\", (SELECT x.name FROM pragma_table_xinfo(f.\"table\") AS x \
             WHERE x.pk = f.seq + 1)) FROM pragma_table_list AS l \
             JOIN pragma_foreign_key_list(l.name) AS f WHERE l.schema = 'main' \
             ORDER BY l.name, f.id, f.seq";
        let text = |value: &Value| value.as_ref().plain();
        let pairs = self.rows(PAIRS).await?;
        let pairs = pairs.iter().filter_map(|row| {
            let texts: Option<Vec<String>> = row.iter().map(text).collect();
            texts?.try_into().ok()
        });
        Ok(Reference::gather(pairs))
    }

    pub async fn tables(&mut self) -> Result<Vec<Table>, EngineError> {
        const COLUMNS: &str = "SELECT l.name, x.name, x.hidden, x.pk, x.type FROM pragma_table_list AS l \
             JOIN pragma_table_xinfo(l.name) AS x WHERE l.schema = 'main' AND l.type = 'table' \
             AND l.name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY l.name, x.cid";
        const UNIQUE: &str = "SELECT l.name, i.name, x.name FROM pragma_table_list AS l \
             JOIN pragma_index_list(l.name) AS i JOIN pragma_index_info(i.name) AS x \
             WHERE l.schema = 'main' AND l.type = 'table' AND i.\"unique\" = 1 AND i.partial = 0 \
             ORDER BY l.name, i.seq, x.seqno";
        let mut tables: Vec<Table> = Vec::new();
        let mut keys: Vec<Vec<(i64, String)>> = Vec::new();
        for row in self.rows(COLUMNS).await? {
            let [
                Value::Text(table),
                Value::Text(column),
                Value::Integer(hidden),
                Value::Integer(pk),
                Value::Text(kind),
            ] = row.as_slice()
            else {
                continue;
            };
            if tables.last().is_none_or(|last| last.name != *table) {
                tables.push(Table { name: table.clone(), columns: Vec::new(), key: Vec::new() });
                keys.push(Vec::new());
            }
            let last = tables.last_mut().expect("one was pushed");
            last.columns.push(Column {
                name: column.clone(),
                kind: kind.clone(),
                generated: *hidden > 1,
            });
            if *pk > 0 {
                keys.last_mut().expect("one was pushed").push((*pk, column.clone()));
            }
        }
        for (table, mut key) in tables.iter_mut().zip(keys) {
            key.sort();
            table.key = key.into_iter().map(|(_, column)| column).collect();
        }
        if tables.iter().any(|table| table.key.is_empty()) {
            self.unique_keys(&mut tables, UNIQUE).await?;
        }
        Ok(tables)
    }

    pub async fn table_names(&mut self) -> Result<Vec<String>, EngineError> {
        const NAMES: &str =
            "SELECT name, 'main.' || name FROM sqlite_schema WHERE type IN ('table', 'view')";
        let found = self.rows(NAMES).await?;
        Ok(found.iter().flatten().filter_map(|name| name.as_ref().plain()).collect())
    }

    /// For tables without a primary key: the first unique index that is over nothing but columns that are not
    /// null.
    pub(super) async fn unique_keys(
        &mut self,
        tables: &mut [Table],
        sql: &str,
    ) -> Result<(), EngineError> {
        let found = self.rows(sql).await?;
        for table in tables.iter_mut().filter(|table| table.key.is_empty()) {
            let of_table: Vec<&Vec<Value>> =
                found.iter().filter(|row| row[0] == Value::Text(table.name.clone())).collect();
            for index in of_table.chunk_by(|one, other| one[1] == other[1]) {
                // An expression has no name, and is no column by which a row could be found.
                let columns = index.iter().map(|row| row[2].as_ref().plain());
                let Some(columns) = columns.collect::<Option<Vec<String>>>() else { continue };
                let not_null = format!(
                    "SELECT COUNT(*) FROM pragma_table_xinfo({}) WHERE \"notnull\" = 1 AND name IN ({})",
                    literal(&table.name),
                    columns.iter().map(|name| literal(name)).collect::<Vec<_>>().join(",")
                );
                if self.number(&not_null).await? == i64::try_from(columns.len()).unwrap_or(-1) {
                    table.key = columns;
                    break;
                }
            }
        }
        Ok(())
    }

    pub async fn schema_mark(&mut self) -> Result<String, EngineError> {
        self.text("PRAGMA schema_version").await
    }
}
