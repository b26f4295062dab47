//! What the account of a session may do with its whole database: as itself, by the roles that are active, by
//! PUBLIC. Only `SHOW GRANTS` tells all of these; the tables of `information_schema` leave out the roles.

use std::collections::BTreeSet;

use super::Session;
use crate::engine::EngineError;
use crate::sql;

/// Rights on a whole database, in the words of the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rights {
    held: BTreeSet<String>,
    /// Of some tables they were taken back, or of all: which, nobody here asks.
    less: bool,
}

impl Rights {
    pub fn hold(&self, right: &str) -> bool {
        !self.less && (self.held.contains(right) || self.held.contains("ALL PRIVILEGES"))
    }

    /// Adds what one line of `SHOW GRANTS` says.
    fn take(&mut self, line: &str, database: &str) {
        let (statement, is_less) = match line.strip_prefix("REVOKE ") {
            Some(statement) => (statement, true),
            None => (line.strip_prefix("GRANT ").unwrap_or_default(), false),
        };
        let Some((words, place)) = statement.split_once(" ON ") else { return };
        let Some((place, _)) = place.rsplit_once(if is_less { " FROM " } else { " TO " }) else {
            return;
        };
        if !is_all_of(place, database) {
            return;
        }
        if is_less {
            self.less = true;
        } else {
            self.held.extend(words.split(", ").map(str::to_owned));
        }
    }
}

/// Whether a place is everything, or a pattern that the database fits.
fn is_all_of(place: &str, database: &str) -> bool {
    let Some(pattern) = place.strip_suffix(".*") else { return false };
    let inside = pattern.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    match inside {
        None => pattern == "*",
        Some(pattern) => {
            let pattern: Vec<char> = pattern.replace("``", "`").chars().collect();
            let database: Vec<char> = database.chars().collect();
            fits(&pattern, &database)
        }
    }
}

/// `%` is any letters, `_` is one, and a backslash makes either a letter.
fn fits(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], _) => name.is_empty(),
        (['%', rest @ ..], _) => (0..=name.len()).any(|from| fits(rest, &name[from..])),
        (['\\', letter, rest @ ..], [first, name @ ..]) => letter == first && fits(rest, name),
        (['_', rest @ ..], [_, name @ ..]) => fits(rest, name),
        ([letter, rest @ ..], [first, name @ ..]) => letter == first && fits(rest, name),
        (_, []) => false,
    }
}

impl Session {
    pub(super) async fn rights(&mut self) -> Result<Rights, EngineError> {
        let database = self.wire.text("SELECT DATABASE()").await?;
        let mut rights = Rights::default();
        for line in self.wire.texts("SHOW GRANTS").await?.iter().flatten() {
            rights.take(line, &database);
        }
        Ok(rights)
    }

    pub async fn hidden(&mut self, sql: &str) -> Result<Option<String>, EngineError> {
        let asked: Vec<_> = sql::listings(sql).collect();
        if asked.is_empty() {
            return Ok(None);
        }
        let rights = self.rights().await?;
        let hidden = asked.iter().find(|one| !one.rights.iter().any(|right| rights.hold(right)));
        let Some(hidden) = hidden else { return Ok(None) };
        let database = self.wire.text("SELECT DATABASE()").await?;
        // In a grant the name is a pattern.
        let database = super::quoted(&database.replace('_', r"\_").replace('%', r"\%"));
        Ok(Some(format!(
            "information_schema.{} shows this account only what it has a right on; GRANT {} ON {database}.* TO it or \
             to its role shows all, and no rows",
            hidden.name, hidden.rights[0]
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str], database: &str) -> Rights {
        let mut rights = Rights::default();
        for line in lines {
            rights.take(line, database);
        }
        rights
    }

    #[test]
    fn rights_on_the_whole_database_are_told_from_those_on_a_table() {
        let lines = [
            "GRANT `dd` TO `a`@`localhost`",
            "GRANT PROCESS ON *.* TO `dd`",
            "GRANT REFERENCES, SHOW VIEW ON `erp\\_x`.* TO `dd`",
            "GRANT SELECT, UPDATE (`a`) ON `erp_x`.`t` TO `dd`",
            "SET DEFAULT ROLE `dd` FOR `a`@`localhost`",
        ];
        let rights = of(&lines, "erp_x");
        assert!(rights.hold("REFERENCES") && rights.hold("PROCESS") && !rights.hold("SELECT"));
        assert!(!of(&lines, "erpyx").hold("REFERENCES"), "the name is no pattern");
        assert!(of(&["GRANT SELECT ON `e%p`.* TO `a`@`%`"], "erp").hold("SELECT"));
        assert!(!of(&["GRANT SELECT ON `e%p`.* TO `a`@`%`"], "erps").hold("SELECT"));
    }

    #[test]
    fn everything_is_held_by_whoever_has_all_but_for_what_was_taken_back() {
        let all = "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION";
        assert!(of(&[all], "erp").hold("TRIGGER"));
        let less = "REVOKE SELECT ON `erp`.* FROM `root`@`localhost`";
        assert!(!of(&[all, less], "erp").hold("SELECT"));
        assert!(of(&[all, less], "other").hold("SELECT"));
    }
}
