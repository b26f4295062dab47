//! What the schema holds: tables, keys, and a mark that changes with their definitions.

use std::collections::HashMap;

use super::Session;

use super::names::{self, shown};
use crate::dialect::Dialect;
use crate::engine::{Column, EngineError, Reference, Table};
use crate::sql::{self, Effect};
use crate::value::Value;

/// A column as the dictionary describes it.
struct Described<'r> {
    kind: &'r str,
    bytes: &'r str,
    characters: &'r str,
    by_character: bool,
    precision: &'r str,
    scale: &'r str,
}

impl Described<'_> {
    /// As a definition would say it; the dictionary keeps it in parts.
    fn words(&self) -> String {
        let Self { kind, bytes, characters, by_character, precision, scale } = self;
        match *kind {
            "NUMBER" => match (*precision, *scale) {
                ("", "" | "0") if *scale == "0" => "NUMBER(38)".into(),
                ("", _) => "NUMBER".into(),
                (precision, "" | "0") => format!("NUMBER({precision})"),
                (precision, scale) => format!("NUMBER({precision},{scale})"),
            },
            "VARCHAR2" | "CHAR" if *by_character => format!("{kind}({characters} CHAR)"),
            "VARCHAR2" | "CHAR" | "RAW" => format!("{kind}({bytes})"),
            "NVARCHAR2" | "NCHAR" => format!("{kind}({characters})"),
            kind => kind.to_owned(),
        }
    }
}

impl Session {
    pub async fn tables(&mut self) -> Result<Vec<Table>, EngineError> {
        // Tables of the schema itself, without what hides behind others, lies outside or was dropped.
        const COLUMNS: &str = "SELECT C.TABLE_NAME, C.COLUMN_NAME, C.DATA_TYPE, C.DATA_LENGTH, \
            C.CHAR_LENGTH, C.CHAR_USED, C.DATA_PRECISION, C.DATA_SCALE, C.VIRTUAL_COLUMN \
            FROM ALL_TAB_COLS C JOIN ALL_TABLES T ON T.OWNER = C.OWNER AND T.TABLE_NAME = C.TABLE_NAME \
            WHERE C.OWNER = :1 AND C.HIDDEN_COLUMN = 'NO' AND T.NESTED = 'NO' AND T.SECONDARY = 'N' \
            AND T.DROPPED = 'NO' AND (T.IOT_TYPE IS NULL OR T.IOT_TYPE = 'IOT') \
            AND NOT EXISTS (SELECT 1 FROM ALL_EXTERNAL_TABLES E \
            WHERE E.OWNER = T.OWNER AND E.TABLE_NAME = T.TABLE_NAME) \
            ORDER BY C.TABLE_NAME, C.COLUMN_ID";
        // A key names a row for sure if it was checked against all rows, and no column may be NULL.
        const KEYS: &str = "SELECT K.TABLE_NAME, K.CONSTRAINT_NAME, N.COLUMN_NAME, C.NULLABLE \
            FROM ALL_CONSTRAINTS K JOIN ALL_CONS_COLUMNS N ON N.OWNER = K.OWNER \
            AND N.CONSTRAINT_NAME = K.CONSTRAINT_NAME AND N.TABLE_NAME = K.TABLE_NAME \
            JOIN ALL_TAB_COLS C ON C.OWNER = N.OWNER AND C.TABLE_NAME = N.TABLE_NAME \
            AND C.COLUMN_NAME = N.COLUMN_NAME \
            WHERE K.OWNER = :1 AND K.CONSTRAINT_TYPE IN ('P', 'U') AND K.STATUS = 'ENABLED' \
            AND K.VALIDATED = 'VALIDATED' \
            ORDER BY K.TABLE_NAME, K.CONSTRAINT_TYPE, K.CONSTRAINT_NAME, N.POSITION";
        let mut tables: Vec<Table> = Vec::new();
        for row in self.of_schema(COLUMNS).await? {
            let [table, column, kind, bytes, characters, used, precision, scale, virtual_] =
                row.as_slice()
            else {
                continue;
            };
            let name = shown(table);
            if tables.last().is_none_or(|last| last.name != name) {
                tables.push(Table { name, columns: Vec::new(), key: Vec::new() });
            }
            let by_character = used == "C";
            let described = Described { kind, bytes, characters, by_character, precision, scale };
            tables.last_mut().expect("one was pushed").columns.push(Column {
                name: shown(column),
                kind: described.words(),
                generated: virtual_ == "YES",
            });
        }
        let mut keys = keys(&self.of_schema(KEYS).await?);
        for table in &mut tables {
            table.key = keys.remove(&table.name).unwrap_or_default();
        }
        Ok(tables)
    }

    pub async fn table_names(&mut self) -> Result<Vec<String>, EngineError> {
        const NAMES: &str = "SELECT TABLE_NAME FROM ALL_TABLES WHERE OWNER = :1 UNION \
            SELECT VIEW_NAME FROM ALL_VIEWS WHERE OWNER = :1 UNION \
            SELECT SYNONYM_NAME FROM ALL_SYNONYMS WHERE OWNER = :1";
        // A name that is bound three times is bound by three values.
        let schema = self.schema.clone();
        let names = super::wire::with_binds(NAMES, &[&schema, &schema, &schema]);
        let rows = self.wire.texts_bound(names).await?;
        let schema = shown(&self.schema);
        let both = |name: String| {
            let name = shown(&name);
            [format!("{schema}.{name}"), name]
        };
        Ok(rows.into_iter().flatten().flat_map(both).collect())
    }

    /// A query of the dictionary for this schema, which it binds once.
    pub(super) async fn of_schema(&mut self, sql: &str) -> Result<Vec<Vec<String>>, EngineError> {
        let schema = self.schema.clone();
        self.wire.texts_bound(super::wire::with_binds(sql, &[&schema])).await
    }

    pub async fn references(&mut self) -> Result<Vec<Reference>, EngineError> {
        const PAIRS: &str = "SELECT C.CONSTRAINT_NAME, C.TABLE_NAME, A.COLUMN_NAME, P.TABLE_NAME, \
            B.COLUMN_NAME FROM ALL_CONSTRAINTS C \
            JOIN ALL_CONSTRAINTS P ON P.OWNER = C.R_OWNER AND P.CONSTRAINT_NAME = C.R_CONSTRAINT_NAME \
            JOIN ALL_CONS_COLUMNS A ON A.OWNER = C.OWNER AND A.CONSTRAINT_NAME = C.CONSTRAINT_NAME \
            JOIN ALL_CONS_COLUMNS B ON B.OWNER = P.OWNER AND B.CONSTRAINT_NAME = P.CONSTRAINT_NAME \
            AND B.POSITION = A.POSITION WHERE C.OWNER = :1 AND P.OWNER = C.OWNER \
            AND C.CONSTRAINT_TYPE = 'R' ORDER BY C.TABLE_NAME, C.CONSTRAINT_NAME, A.POSITION";
        let pairs = self.of_schema(PAIRS).await?;
        let pairs = pairs.into_iter().filter_map(|row| {
            let row: [String; 5] = row.try_into().ok()?;
            let [name, child, column, parent, parent_column] = row;
            let shown = |name: String| shown(&name);
            Some([name, shown(child), shown(column), shown(parent), shown(parent_column)])
        });
        Ok(Reference::gather(pairs))
    }

    pub async fn explain(&mut self, sql: &str) -> Result<Vec<String>, EngineError> {
        const LINES: &str = "SELECT LPAD(' ', 2 * DEPTH) || OPERATION || ' ' || OPTIONS, OBJECT_NAME, \
            TO_CHAR(CARDINALITY) FROM PLAN_TABLE WHERE STATEMENT_ID = 'steadyhand' ORDER BY ID";
        let refused = |message: &str| EngineError::Refused { message: message.into() };
        let text = super::one(sql)?;
        // Of a definition it would be told that too, and it might be run.
        if let Effect::Other(refusal) = sql::classify(text, Dialect::Oracle) {
            return Err(refused(&refusal.sentence));
        }
        if self.transaction.is_some() {
            return Err(refused("a plan is written to a table, which a transaction must not hold"));
        }
        let planned = self
            .wire
            .run(&format!("EXPLAIN PLAN SET STATEMENT_ID = 'steadyhand' FOR {text}"))
            .await;
        let rows = match planned {
            Ok(_) => self.wire.texts(LINES).await,
            Err(error) => Err(error),
        };
        self.wire.rollback().await?;
        Ok(rows?
            .iter()
            .map(|row| match row.as_slice() {
                [operation, object, rows] => {
                    let named = |name: &str, words: &str| {
                        if name.is_empty() { String::new() } else { format!("{words}{name}") }
                    };
                    let object = named(object, " of ");
                    format!("{}{object}{}", operation.trim_end(), named(rows, ", about rows: "))
                }
                other => other.join(" "),
            })
            .collect())
    }

    /// Nothing but the quote itself is special in a text here, under no setting.
    #[allow(clippy::unused_async)]
    pub async fn quote(&mut self, value: &Value) -> Result<String, EngineError> {
        literal(value)
    }

    pub async fn quote_keys(
        &mut self,
        _kind: &str,
        values: &[Value],
    ) -> Result<Vec<String>, EngineError> {
        let mut quoted = Vec::with_capacity(values.len());
        for value in values {
            quoted.push(self.quote(value).await?);
        }
        Ok(quoted)
    }

    pub async fn schema_mark(&mut self) -> Result<String, EngineError> {
        const MARK: &str = "SELECT COUNT(*) || '-' || COALESCE(SUM(ORA_HASH(OBJECT_NAME || '|' || \
            OBJECT_TYPE || '|' || STATUS || '|' || TO_CHAR(LAST_DDL_TIME, 'YYYYMMDDHH24MISS'))), 0) \
            FROM ALL_OBJECTS WHERE OWNER = :1";
        let rows = self.of_schema(MARK).await?;
        Ok(rows.into_iter().flatten().next().unwrap_or_default())
    }

    /// The next number that each sequence of the schema would give out, as far as the server says.
    pub(super) async fn sequences(&mut self) -> Result<HashMap<String, String>, EngineError> {
        const NEXT: &str = "SELECT SEQUENCE_NAME, TO_CHAR(LAST_NUMBER) FROM ALL_SEQUENCES \
            WHERE SEQUENCE_OWNER = :1";
        let rows = self.of_schema(NEXT).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| <[String; 2]>::try_from(row).ok())
            .map(Into::into)
            .collect())
    }
}

/// A value as a text of SQL.
fn literal(value: &Value) -> Result<String, EngineError> {
    /// What stands between quotes may be so long at most.
    const MOST: usize = 4000;
    let refused = |message: &str| Err(EngineError::Refused { message: message.into() });
    Ok(match value {
        Value::Null => "NULL".into(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => format!("TO_BINARY_DOUBLE('{}')", super::kinds::real(*n)),
        Value::Text(text) if text.is_empty() => {
            return refused("an empty text is NULL on Oracle; leave the condition out instead");
        }
        Value::Text(text) if text.len() > MOST => {
            return refused("a text in a statement has 4,000 bytes at most");
        }
        Value::Text(text) => names::text(text),
        Value::Bytes(bytes) if bytes.len() * 2 > MOST => {
            return refused("bytes in a statement are 2,000 at most");
        }
        Value::Bytes(bytes) => {
            let digits = crate::value::hex(bytes);
            format!("HEXTORAW('{}')", digits.trim_start_matches("0x"))
        }
    })
}

/// For each table the first of its keys, the primary one before others, that allows no NULL.
fn keys(rows: &[Vec<String>]) -> HashMap<String, Vec<String>> {
    let mut found: Vec<(String, String, Vec<String>, bool)> = Vec::new();
    for row in rows {
        let [table, name, column, nullable] = row.as_slice() else { continue };
        let sound = nullable == "N";
        match found.last_mut() {
            Some((last, key, columns, all)) if *last == shown(table) && key == name => {
                columns.push(shown(column));
                *all &= sound;
            }
            _ => found.push((shown(table), name.clone(), vec![shown(column)], sound)),
        }
    }
    let mut keys = HashMap::new();
    for (table, _, columns, _) in found.into_iter().filter(|(.., sound)| *sound) {
        keys.entry(table).or_insert(columns);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(kind: &str, parts: [&str; 5]) -> String {
        let [bytes, characters, used, precision, scale] = parts;
        let by_character = used == "C";
        Described { kind, bytes, characters, by_character, precision, scale }.words()
    }

    #[test]
    fn a_column_reads_as_its_definition() {
        assert_eq!(described("NUMBER", ["22", "0", "", "10", "2"]), "NUMBER(10,2)");
        assert_eq!(described("NUMBER", ["22", "0", "", "10", "0"]), "NUMBER(10)");
        assert_eq!(described("NUMBER", ["22", "0", "", "", "0"]), "NUMBER(38)");
        assert_eq!(described("NUMBER", ["22", "0", "", "", ""]), "NUMBER");
        assert_eq!(described("VARCHAR2", ["120", "30", "C", "", ""]), "VARCHAR2(30 CHAR)");
        assert_eq!(described("CHAR", ["3", "3", "B", "", ""]), "CHAR(3)");
        assert_eq!(described("NCHAR", ["6", "3", "C", "", ""]), "NCHAR(3)");
        assert_eq!(described("TIMESTAMP(6)", ["11", "0", "", "", "6"]), "TIMESTAMP(6)");
    }

    #[test]
    fn a_key_without_null_names_a_row() {
        let row = |table: &str, name: &str, column: &str, nullable: &str| {
            [table, name, column, nullable].map(str::to_owned).to_vec()
        };
        let found = keys(&[
            row("LINES", "PK", "ORDER_ID", "N"),
            row("LINES", "PK", "NO", "N"),
            row("LINES", "UQ", "CODE", "N"),
            row("LOG", "UQ", "A", "Y"),
            row("LOG", "UQ", "B", "N"),
            row("LOG", "UQ2", "C", "N"),
        ]);
        assert_eq!(found["lines"], ["order_id", "no"]);
        assert_eq!(found["log"], ["c"]);
    }

    #[test]
    fn a_value_is_a_literal_that_no_setting_reads_otherwise() {
        let of = |value: Value| literal(&value).expect("it fits");
        assert_eq!(of(Value::Text("it's".into())), "'it''s'");
        assert_eq!(of(Value::Bytes(vec![0, 255])), "HEXTORAW('00ff')");
        assert_eq!(of(Value::Real(0.5)), "TO_BINARY_DOUBLE('5e-1')");
        assert!(literal(&Value::Text(String::new())).is_err());
        assert!(literal(&Value::Text("x".repeat(5000))).is_err());
    }
}
