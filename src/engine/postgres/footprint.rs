//! What an open transaction holds and uses up, asked from beside: a transaction that has failed
//! answers nothing any more.

use super::Session;
use crate::engine::EngineError;
use crate::value::Value;

/// A mode of lock on a table in words, the mildest first.
const MODES: [(&str, &str); 7] = [
    ("RowShareLock", "row locks"),
    ("RowExclusiveLock", "row locks"),
    ("ShareUpdateExclusiveLock", "no other definition at the same time"),
    ("ShareLock", "writers wait"),
    ("ShareRowExclusiveLock", "writers wait"),
    ("ExclusiveLock", "writers wait"),
    ("AccessExclusiveLock", "readers and writers wait"),
];

/// The strongest lock on each table, grouped by what it means for others.
pub async fn words(session: &mut Session) -> Result<Option<String>, EngineError> {
    let locks = format!(
        "SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
         WHERE l.pid = {} AND l.granted AND l.locktype = 'relation' AND c.relkind IN ('r', 'p') \
         AND c.oid >= 16384 AND l.mode <> 'AccessShareLock' \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         ORDER BY c.relname",
        session.backend.pid
    );
    let mut strongest: Vec<(String, usize)> = Vec::new();
    for row in session.beside(&locks).await? {
        let [Value::Text(table), Value::Text(mode)] = row.as_slice() else { continue };
        let Some(at) = MODES.iter().position(|(name, _)| name == mode) else { continue };
        match strongest.iter_mut().find(|(name, _)| name == table) {
            Some((_, known)) => *known = (*known).max(at),
            None => strongest.push((table.clone(), at)),
        }
    }
    if strongest.is_empty() {
        return Ok(None);
    }
    let mut parts: Vec<(&str, Vec<String>)> = Vec::new();
    for (table, at) in strongest {
        let (_, meaning) = MODES[at];
        match parts.iter_mut().find(|(known, _)| *known == meaning) {
            Some((_, tables)) => tables.push(table),
            None => parts.push((meaning, vec![table])),
        }
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(meaning, tables)| format!("{meaning} on {}", few(&tables)))
        .collect();
    let free = "; readers go on, and writers of other rows";
    let mild = parts.len() == 1 && parts[0].starts_with("row locks");
    Ok(Some(format!("{}{}", parts.join("; "), if mild { free } else { "" })))
}

fn few(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more tables", names.len() - SHOWN));
    }
    text
}

impl Session {
    /// A question to the server on the second connection.
    pub(super) async fn beside(&mut self, sql: &str) -> Result<super::Cells, EngineError> {
        super::Side::at(&mut self.side, &self.access).await?.rows(sql).await
    }

    pub async fn lock_words(&mut self) -> Result<String, EngineError> {
        let kept = self.watch.as_ref().and_then(|watch| watch.words.clone());
        let now = words(self).await?;
        Ok(now.or(kept).unwrap_or_else(|| "no locks on tables".into()))
    }

    pub async fn leaves_behind(&mut self) -> Result<Vec<String>, EngineError> {
        let Some(watch) = &self.watch else { return Ok(Vec::new()) };
        let wal = super::rows::literal(&watch.wal);
        let mut left = Vec::new();
        // Taking a number from a sequence locks the sequence until the end.
        let sequences = format!(
            "SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
             WHERE l.pid = {} AND l.locktype = 'relation' AND c.relkind = 'S' ORDER BY 1",
            self.backend.pid
        );
        let sequences: Vec<String> = self
            .beside(&sequences)
            .await?
            .iter()
            .filter_map(|row| row[0].as_ref().plain())
            .collect();
        if !sequences.is_empty() {
            left.push(format!("numbers taken from {} are not given back", few(&sequences)));
        }
        let bytes = format!("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), {wal})::bigint");
        if let Some([Value::Integer(bytes)]) = self.beside(&bytes).await?.first().map(Vec::as_slice)
        {
            let size = size(*bytes);
            left.push(format!(
                "up to {size} of write-ahead log, what others wrote meanwhile included"
            ));
        }
        if let Ok(touched) = self.count_touched().await {
            let versions: i64 =
                touched.iter().map(|(_, counts)| counts.inserted + counts.updated).sum();
            if versions > 0 {
                left.push(format!("{versions} dead row versions, until vacuum takes them away"));
            }
        }
        Ok(left)
    }
}

fn size(bytes: i64) -> String {
    let bytes = u64::try_from(bytes).unwrap_or(0);
    match bytes {
        0..1_048_576 => format!("{} kB", bytes.div_ceil(1024)),
        _ => format!("{} MB", bytes.div_ceil(1_048_576)),
    }
}
