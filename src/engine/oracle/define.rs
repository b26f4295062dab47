//! Definitions: they commit by themselves, so they run alone, and none can be tried out.

use std::time::Duration;

use super::kinds::Statement;
use super::names::{kept, shown};
use super::{Session, nothing};
use crate::dialect::Dialect;
use crate::engine::{EngineError, Table};
use crate::sql;

/// Whether a definition holds code of the server's own language.
fn is_code(text: &str) -> bool {
    let words = text.split_whitespace().map(str::to_ascii_uppercase);
    let mut words = words.filter(|word| {
        !["OR", "REPLACE", "EDITIONABLE", "NONEDITIONABLE"].contains(&word.as_str())
    });
    words.next().is_some_and(|word| word == "CREATE")
        && words.next().is_some_and(|word| {
            ["TRIGGER", "FUNCTION", "PROCEDURE", "PACKAGE", "TYPE"].contains(&word.as_str())
        })
}

/// The text as the server takes it: only code ends with a semicolon.
fn whole(text: &str) -> String {
    if is_code(text) { format!("{text};") } else { text.to_owned() }
}

impl Session {
    pub async fn define(&mut self, sql: &str, time_cap: Duration) -> Result<(), EngineError> {
        if self.transaction.is_some() {
            return Err(EngineError::Refused {
                message: "a definition would commit the open transaction".into(),
            });
        }
        self.may_write().await?;
        let text = super::one(sql)?;
        self.wire.work(Statement::new(whole(text)), time_cap, &mut nothing).await?;
        self.graph = None;
        if is_code(text) { self.compiled(text).await } else { Ok(()) }
    }

    /// Code that does not compile is kept nevertheless, and a trigger of that kind stops every write on
    /// its table; so it is an error here, and whoever defined it takes it away.
    async fn compiled(&mut self, text: &str) -> Result<(), EngineError> {
        const ERRORS: &str = "SELECT NAME, 'line ' || LINE || ': ' || TEXT FROM ALL_ERRORS \
            WHERE OWNER = :1 AND ATTRIBUTE = 'ERROR' ORDER BY SEQUENCE";
        let found = sql::mentions(text, Dialect::Oracle).unwrap_or_default();
        let names: Vec<String> = found.names.iter().flatten().map(|part| kept(part)).collect();
        let errors = self.of_schema(ERRORS).await?;
        match errors.into_iter().find(|row| names.contains(&row[0])) {
            Some(row) => Err(EngineError::Database {
                message: format!("{} does not compile: {}", shown(&row[0]), row[1].trim()),
            }),
            None => Ok(()),
        }
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
            SELECT 'the trigger ', OBJECT_NAME, 'does not compile, and stops every write on its table' \
            FROM ALL_OBJECTS WHERE OWNER = :7 AND OBJECT_NAME = :8 AND OBJECT_TYPE = 'TRIGGER' \
            AND STATUS = 'INVALID' UNION ALL \
            SELECT 'the constraint ', CONSTRAINT_NAME, 'is switched off' FROM ALL_CONSTRAINTS \
            WHERE OWNER = :3 AND CONSTRAINT_NAME = :4 AND STATUS = 'DISABLED' UNION ALL \
            SELECT 'the constraint ', CONSTRAINT_NAME, 'was not held against the rows that were there' \
            FROM ALL_CONSTRAINTS WHERE OWNER = :5 AND CONSTRAINT_NAME = :6 AND STATUS = 'ENABLED' \
            AND VALIDATED = 'NOT VALIDATED'";
        let (schema, name) = (self.schema.clone(), super::names::kept(name));
        let both = [schema.as_str(), &name];
        let bound = super::wire::with_binds(FOUND, &both.repeat(4));
        let rows = self.wire.texts_bound(bound).await?;
        Ok(rows.into_iter().find_map(|row| match row.as_slice() {
            [what, name, state] => Some(format!("{what}{} stands but {state}", shown(name))),
            _ => None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_ends_with_a_semicolon() {
        let trigger = "CREATE OR REPLACE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN NULL; END";
        assert_eq!(whole(trigger), format!("{trigger};"));
        assert_eq!(whole("CREATE UNIQUE INDEX u ON a (b)"), "CREATE UNIQUE INDEX u ON a (b)");
        assert_eq!(whole("DROP TRIGGER t"), "DROP TRIGGER t");
    }
}
