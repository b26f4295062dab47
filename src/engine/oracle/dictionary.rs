//! What the server knows of triggers, code and references, read into the graph of what reaches what.

use super::reach::{Graph, depend, say};
use super::{Session, wire};
use crate::engine::EngineError;

impl Session {
    pub(super) async fn graph(&mut self) -> Result<Graph, EngineError> {
        const TABLES: &str = "SELECT TABLE_NAME, TO_CHAR(NUM_ROWS), TEMPORARY FROM ALL_TABLES \
            WHERE OWNER = :1";
        const EXTERNAL: &str = "SELECT TABLE_NAME FROM ALL_EXTERNAL_TABLES WHERE OWNER = :1";
        const LINKS: &str = "SELECT SYNONYM_NAME, DB_LINK FROM ALL_SYNONYMS \
            WHERE OWNER IN (:1, 'PUBLIC') AND DB_LINK IS NOT NULL";
        const CASCADES: &str = "SELECT P.TABLE_NAME, C.OWNER, C.TABLE_NAME FROM ALL_CONSTRAINTS C \
            JOIN ALL_CONSTRAINTS P ON P.OWNER = C.R_OWNER AND P.CONSTRAINT_NAME = C.R_CONSTRAINT_NAME \
            WHERE P.OWNER = :1 AND C.CONSTRAINT_TYPE = 'R' AND C.STATUS = 'ENABLED' \
            AND C.DELETE_RULE IN ('CASCADE', 'SET NULL')";
        let sight = self.sight().await?;
        let mut graph =
            Graph { schema: self.schema.clone(), sees_code: sight.code, ..Graph::default() };
        for row in self.of_schema(TABLES).await? {
            let [name, rows, temporary] = row.as_slice() else { continue };
            graph.tables.insert(name.clone(), rows.parse().ok());
            if temporary == "Y" {
                let why = "is temporary, and nobody else sees what is in it".to_owned();
                graph.beyond.insert(name.clone(), why);
            }
        }
        for row in self.of_schema(EXTERNAL).await? {
            let name = row.into_iter().next().unwrap_or_default();
            graph.beyond.insert(name, "lies outside of the database".into());
        }
        for name in self.policies().await? {
            let why = "has a policy that hides rows from this account".to_owned();
            graph.beyond.insert(name, why);
        }
        for row in self.of_schema(LINKS).await? {
            let [name, link] = row.as_slice() else { continue };
            graph.beyond.insert(name.clone(), format!("belongs to another database, over {link}"));
        }
        for row in self.of_schema(CASCADES).await? {
            let [parent, owner, child] = row.as_slice() else { continue };
            let child =
                if *owner == graph.schema { child.clone() } else { format!("{owner}.{child}") };
            graph.cascades.entry(parent.clone()).or_default().push(child);
        }
        self.code(&mut graph).await?;
        Ok(graph)
    }

    /// Triggers of the schema's tables, whoever made them, and the code of whoever did.
    async fn code(&mut self, graph: &mut Graph) -> Result<(), EngineError> {
        const SEES_ALL: &str = "SELECT 1 FROM SYS.DBA_TRIGGERS, SYS.DBA_SOURCE, SYS.DBA_DEPENDENCIES \
            WHERE ROWNUM = 0";
        let sees_all = self.wire.texts_if_allowed(SEES_ALL).await?.is_some();
        let views = if sees_all { "SYS.DBA" } else { "ALL" };
        let schema = graph.schema.clone();
        let whose = format!(
            "(OWNER = :1 OR OWNER IN (SELECT OWNER FROM {views}_TRIGGERS WHERE TABLE_OWNER = :2))"
        );
        // Some releases pad these words to a width.
        let triggers = format!(
            "SELECT TABLE_NAME, OWNER || '.' || TRIGGER_NAME FROM {views}_TRIGGERS \
             WHERE TABLE_OWNER = :1 AND TRIM(BASE_OBJECT_TYPE) IN ('TABLE', 'VIEW') \
             AND TRIM(STATUS) = 'ENABLED'"
        );
        for row in self.of_schema(&triggers).await? {
            let [table, trigger] = row.as_slice() else { continue };
            graph.triggers.entry(table.clone()).or_default().push(trigger.clone());
            graph.units.entry(trigger.clone()).or_default();
        }
        let units = format!(
            "SELECT DISTINCT OWNER || '.' || NAME, REFERENCED_OWNER, REFERENCED_NAME, REFERENCED_TYPE, \
             REFERENCED_LINK_NAME FROM {views}_DEPENDENCIES WHERE {whose} AND TYPE IN ('TRIGGER', \
             'FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY', 'TYPE', 'TYPE BODY')"
        );
        for row in self.wire.texts_bound(wire::with_binds(units, &[&schema, &schema])).await? {
            depend(graph, &row);
        }
        let source = format!(
            "SELECT DISTINCT OWNER || '.' || NAME, CASE \
             WHEN UPPER(TEXT) LIKE '%AUTONOMOUS_TRANSACTION%' THEN 'A' \
             WHEN LINE = 1 THEN 'W' ELSE 'D' END FROM {views}_SOURCE WHERE {whose} AND (\
             UPPER(TEXT) LIKE '%AUTONOMOUS_TRANSACTION%' OR UPPER(TEXT) LIKE '%EXECUTE IMMEDIATE%' \
             OR (LINE = 1 AND REGEXP_LIKE(TEXT, '\\swrapped\\s', 'i'))) ORDER BY 1, 2 DESC"
        );
        for row in self.wire.texts_bound(wire::with_binds(source, &[&schema, &schema])).await? {
            say(graph, &row);
        }
        Ok(())
    }
}
