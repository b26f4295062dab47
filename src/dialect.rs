//! The engines by name, and texts that differ by engine.
//!
//! A leaf: files name engines, checks and runbooks carry one text an engine, sessions know which one
//! they speak to. Nothing here opens a connection.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    Sqlite,
    Postgres,
    Mysql,
    Mariadb,
    Oracle,
}

impl Dialect {
    pub const ALL: [Self; 5] =
        [Self::Sqlite, Self::Postgres, Self::Mysql, Self::Mariadb, Self::Oracle];

    /// The key in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Oracle => "oracle",
        }
    }

    /// The name on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
            Self::Oracle => "Oracle",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whom a text was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// Every engine that has none of its own: it must mean one thing wherever it is sent.
    ForAny,
    ForOne,
}

/// One text for each engine that needs its own, and one for `any` other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerDialect {
    pub any: Option<String>,
    pub by: BTreeMap<Dialect, String>,
}

impl PerDialect {
    /// The text for an engine: its own, for MariaDB else MySQL's, else the one for any.
    pub fn get(&self, dialect: Dialect) -> Option<&str> {
        self.by
            .get(&dialect)
            .or_else(|| {
                (dialect == Dialect::Mariadb).then(|| self.by.get(&Dialect::Mysql)).flatten()
            })
            .or(self.any.as_ref())
            .map(String::as_str)
    }

    /// Whom the text for an engine was written for.
    pub fn meant(&self, dialect: Dialect) -> Meant {
        match (self.get(dialect), &self.any) {
            (Some(text), Some(any)) if std::ptr::eq(text, any.as_str()) => Meant::ForAny,
            _ => Meant::ForOne,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.any.is_none() && self.by.is_empty()
    }

    /// Every text with the key it stands under.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.any
            .iter()
            .map(|text| ("any", text.as_str()))
            .chain(self.by.iter().map(|(dialect, text)| (dialect.key(), text.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mariadb_falls_back_to_mysql_and_all_to_any() {
        let mut sql = PerDialect { any: Some("any".into()), by: BTreeMap::new() };
        assert_eq!(sql.get(Dialect::Mariadb), Some("any"));
        sql.by.insert(Dialect::Mysql, "mysql".into());
        assert_eq!(sql.get(Dialect::Mariadb), Some("mysql"));
        assert_eq!(sql.get(Dialect::Postgres), Some("any"));
    }
}
