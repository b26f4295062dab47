//! What the catalogue says of tables: two queries, however many there are.

use std::collections::HashMap;
use std::time::Duration;

use super::Session;
use super::rows::{literal, quoted, relation};
use crate::engine::{Column, EngineError, Reference, Table};
use crate::sql;
use crate::value::Value;

/// A table's name as SQL must write it: alone if it is found that way. A dot inside a name would be
/// taken for the end of a schema, so such a table keeps its schema in front.
pub const NAME: &str = "CASE WHEN pg_table_is_visible(c.oid) AND strpos(c.relname, '.') = 0 \
     THEN c.relname::text ELSE n.nspname || '.' || c.relname END";

/// Schemas that are the server's own.
pub const OURS: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'";

/// The rights on a table, and those of them that there are on a column.
const RIGHTS: [&str; 6] = ["SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "TRIGGER"];
const COLUMN_RIGHTS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "REFERENCES"];

/// What a statement's name for a table leads to, written without its quotes: as it stands, in small letters
/// as the server reads a name that has none, or with a dot that ends no schema.
pub fn oid_of(name: &str) -> String {
    let readings = [relation(name), relation(&name.to_lowercase()), quoted(name)];
    let found = readings.map(|reading| format!("to_regclass({})", literal(&reading)));
    format!("coalesce({})", found.join(", "))
}

impl Session {
    pub async fn references(&mut self) -> Result<Vec<Reference>, EngineError> {
        let name = |table: &str, schema: &str| {
            NAME.replace("c.", &format!("{table}.")).replace("n.", &format!("{schema}."))
        };
        let (child, parent) = (name("c", "n"), name("p", "m"));
        let sql = format!(
            "SELECT k.oid::text, {child}, a.attname::text, {parent}, b.attname::text \
             FROM pg_constraint k \
             JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace m ON m.oid = p.relnamespace \
             CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY u(here, there, at) \
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.here \
             JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.there \
             WHERE k.contype = 'f' AND k.conparentid = 0 AND NOT c.relispartition AND {OURS} \
             ORDER BY c.relname, k.conname, k.oid, u.at"
        );
        let text = |value: &Value| value.as_ref().plain();
        let pairs = self.rows(&sql).await?;
        let pairs = pairs.iter().filter_map(|row| {
            let texts: Option<Vec<String>> = row.iter().map(text).collect();
            texts?.try_into().ok()
        });
        Ok(Reference::gather(pairs))
    }

    /// Ordinary tables, and partitioned ones as a whole.
    pub async fn tables(&mut self) -> Result<Vec<Table>, EngineError> {
        let columns = format!(
            "SELECT c.oid::bigint, {NAME}, a.attname, format_type(a.atttypid, a.atttypmod), \
             a.attgenerated <> '' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {OURS} \
             ORDER BY n.nspname, c.relname, a.attnum"
        );
        let keys = self.keys().await?;
        let mut tables: Vec<Table> = Vec::new();
        let mut last = None;
        for row in self.rows(&columns).await? {
            let [Value::Integer(oid), Value::Text(name), column, kind, generated] = row.as_slice()
            else {
                continue;
            };
            if last != Some(*oid) {
                last = Some(*oid);
                let key = keys.get(oid).cloned().unwrap_or_default();
                tables.push(Table { name: name.clone(), columns: Vec::new(), key });
            }
            if let (Value::Text(column), Value::Text(kind)) = (column, kind) {
                let generated = *generated == Value::Text("t".into());
                let column = Column { name: column.clone(), kind: kind.clone(), generated };
                tables.last_mut().expect("one was pushed").columns.push(column);
            }
        }
        Ok(tables)
    }

    /// The primary key of each table, else its smallest unique index over columns that are not null.
    async fn keys(&mut self) -> Result<HashMap<i64, Vec<String>>, EngineError> {
        const KEYS: &str = "SELECT k.indrelid::bigint, a.attname FROM (\
             SELECT DISTINCT ON (i.indrelid) i.indrelid, i.indkey::int2[] AS columns, i.indnkeyatts \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND i.indrelid >= 16384 \
             AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
             AND NOT EXISTS (SELECT 1 FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, at) \
             JOIN pg_attribute x ON x.attrelid = i.indrelid AND x.attnum = u.attnum \
             WHERE u.at <= i.indnkeyatts AND NOT x.attnotnull) \
             ORDER BY i.indrelid, i.indisprimary DESC, i.indimmediate DESC, i.indnkeyatts, i.indexrelid\
             ) k CROSS JOIN LATERAL unnest(k.columns) WITH ORDINALITY u(attnum, at) \
             JOIN pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = u.attnum \
             WHERE u.at <= k.indnkeyatts ORDER BY k.indrelid, u.at";
        let mut keys: HashMap<i64, Vec<String>> = HashMap::new();
        for row in self.rows(KEYS).await? {
            if let [Value::Integer(oid), Value::Text(column)] = row.as_slice() {
                keys.entry(*oid).or_default().push(column.clone());
            }
        }
        Ok(keys)
    }

    /// The name under which the watch books what a statement writes to a table: of a part, that of the whole.
    pub async fn booked(&mut self, name: &str) -> Result<Option<String>, EngineError> {
        let sql = format!(
            "SELECT {NAME} FROM (SELECT {} AS oid) x \
             JOIN pg_class c ON c.oid = coalesce(pg_partition_root(x.oid), x.oid) \
             JOIN pg_namespace n ON n.oid = c.relnamespace",
            oid_of(name)
        );
        self.text(&sql).await
    }

    /// `information_schema` shows of a table only what the account has a right on. Of schemas that it may not use
    /// it asks for nothing.
    pub async fn hidden(&mut self, sql: &str) -> Result<Option<String>, EngineError> {
        for listing in sql::listings(sql) {
            let holds = |function: &str, rights: &[&str]| {
                let asked = |right: &&str| listing.rights.contains(right);
                let rights = rights.iter().copied().filter(asked).collect::<Vec<_>>().join(", ");
                (!rights.is_empty()).then(|| format!("{function}(c.oid, '{rights}')"))
            };
            let shows = [
                holds("has_table_privilege", &RIGHTS),
                holds("has_any_column_privilege", &COLUMN_RIGHTS),
            ];
            let shows = shows.into_iter().flatten().collect::<Vec<_>>().join(" OR ");
            if shows.is_empty() {
                continue;
            }
            let hidden = format!(
                "SELECT min({NAME}) || CASE WHEN count(*) > 1 THEN format(' and %s more', count(*) - 1) ELSE '' END \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind IN ('r', 'p', 'v', 'f') AND {OURS} AND has_schema_privilege(n.oid, 'USAGE') \
                 AND NOT ({shows})"
            );
            if let Some(tables) = self.text(&hidden).await? {
                return Ok(Some(format!(
                    "information_schema.{} shows this account only what it has a right on, and not {tables}; \
                     pg_catalog shows all",
                    listing.name
                )));
            }
        }
        Ok(None)
    }

    /// Each under every name that SQL may write.
    pub async fn table_names(&mut self) -> Result<Vec<String>, EngineError> {
        let sql = format!(
            "SELECT unnest(CASE WHEN pg_table_is_visible(c.oid) \
             THEN ARRAY[c.relname::text, n.nspname || '.' || c.relname] \
             ELSE ARRAY[n.nspname || '.' || c.relname] END) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {OURS}"
        );
        let found = self.rows(&sql).await?;
        Ok(found.iter().filter_map(|row| row[0].as_ref().plain()).collect())
    }

    pub async fn lag(&mut self) -> Result<Option<Duration>, EngineError> {
        // A standby that has replayed all it received is as far as it can know.
        const LAG: &str = "SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN NULL \
             WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() \
             AND EXISTS (SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN 0 \
             ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END";
        let row = self.rows(LAG).await?.pop().unwrap_or_default();
        let text = |at: usize| row.get(at).and_then(|cell| cell.as_ref().plain());
        match (text(0).as_deref(), text(1)) {
            (Some("t"), None) => Err(EngineError::Database {
                message: "the replica hears nothing from its primary and has not replayed a \
                          transaction since it started"
                    .into(),
            }),
            (_, lag) => Ok(lag.and_then(|text| seconds(&text))),
        }
    }

    /// The rows of the catalogue that say what the tables of users are, by their last writer.
    pub async fn schema_mark(&mut self) -> Result<String, EngineError> {
        let part = |what: &str, key: &str, of: &str| {
            format!(
                "SELECT md5(string_agg(x.oid_key || '/' || x.writer, ',' ORDER BY x.oid_key)) FROM \
                 (SELECT {key} AS oid_key, t.xmin::text AS writer FROM {what} t {of}) x"
            )
        };
        let of_table = |column: &str| {
            format!(
                "JOIN pg_class c ON c.oid = t.{column} JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE {OURS} AND t.{column} >= 16384"
            )
        };
        let by_oid = "t.oid::text";
        let own = "JOIN pg_namespace n ON n.oid = ";
        let parts = [
            part("pg_class", by_oid, &format!("{own} t.relnamespace WHERE {OURS}")),
            part("pg_proc", by_oid, &format!("{own} t.pronamespace WHERE {OURS}")),
            part("pg_attribute", "t.attrelid || '.' || t.attnum", &of_table("attrelid")),
            part("pg_constraint", by_oid, &of_table("conrelid")),
            part("pg_trigger", by_oid, &of_table("tgrelid")),
            part("pg_index", "t.indexrelid::text", &of_table("indrelid")),
            part("pg_rewrite", by_oid, &of_table("ev_class")),
        ];
        let sql =
            format!("SELECT md5(concat_ws(' ', {}))", parts.map(|p| format!("({p})")).join(", "));
        Ok(self.text(&sql).await?.unwrap_or_default())
    }
}

/// A number of seconds as the server writes it.
pub fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse::<f64>().ok()?.max(0.0)).ok()
}
