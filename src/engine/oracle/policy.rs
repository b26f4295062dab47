//! Policies that hide rows from an account without a word: a verdict over them would be about what the
//! account may see, and a change would be counted short.

use std::collections::BTreeSet;

use super::Session;
use super::names::{kept, shown};
use crate::dialect::Dialect;
use crate::engine::EngineError;
use crate::sql;

/// The table that a query names and a policy covers.
fn covered<'p>(text: &str, policies: &'p BTreeSet<String>) -> Option<&'p String> {
    let found = sql::mentions(text, Dialect::Oracle)?;
    let parts = found.names.iter().flatten().map(|part| kept(part));
    parts.into_iter().find_map(|name| policies.get(&name))
}

impl Session {
    /// The tables and views of the schema whose rows are hidden from us by a policy.
    pub(super) async fn policies(&mut self) -> Result<BTreeSet<String>, EngineError> {
        const EXEMPT: &str = "SELECT 1 FROM SESSION_PRIVS WHERE PRIVILEGE = 'EXEMPT ACCESS POLICY'";
        const POLICIES: &str = "SELECT DISTINCT OBJECT_NAME FROM ALL_POLICIES \
            WHERE OBJECT_OWNER = :1 AND ENABLE = 'YES'";
        if !self.wire.texts(EXEMPT).await?.is_empty() {
            return Ok(BTreeSet::new());
        }
        Ok(self.of_schema(POLICIES).await?.into_iter().flatten().collect())
    }

    /// Refuses a query of rows that a policy may hide.
    pub(super) async fn sees_all(&mut self, text: &str) -> Result<(), EngineError> {
        if self.policies.is_none() {
            self.policies = Some(self.policies().await?);
        }
        let policies = self.policies.as_ref().expect("it was just asked for");
        match covered(text, policies) {
            Some(table) => Err(EngineError::Refused {
                message: format!(
                    "a policy hides rows of {} from this account, so nothing can be said of all of them; \
                     grant it EXEMPT ACCESS POLICY",
                    shown(table)
                ),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_of_a_covered_table_is_known_by_its_names() {
        let policies = BTreeSet::from(["ORDERS".to_owned()]);
        let is = |sql: &str| covered(sql, &policies).is_some();
        assert!(is("SELECT o.id FROM erp.orders o"));
        assert!(is("SELECT id FROM \"ORDERS\""));
        assert!(!is("SELECT id FROM lines WHERE note = 'orders'"));
    }
}
