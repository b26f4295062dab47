//! What presses on the server: who waits for whom, what is open for long, what is left of us.
//!
//! Everything is asked of tables that the server keeps in memory.

use std::time::Duration;

use super::Session;
use super::identity::seconds_behind;
use super::ledger::{PREFIX, is_ours_now};
use crate::engine::{Blind, EngineError, Lag, LongTransaction, Orphan, Pressure, Wait, Waiter};

/// The server writes these moments in its own time zone, which need not be ours.
const NOW: &str = "CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM')";

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.parse().unwrap_or(0))
}

impl Session {
    pub async fn waiting_for(&mut self, mark: &str) -> Result<Vec<Waiter>, EngineError> {
        let id = mark.split(' ').next().unwrap_or_default();
        let waits = self.waits().await?;
        Ok(waits.into_iter().filter(|(blocker, _)| blocker == id).map(|(_, w)| w.waiter).collect())
    }

    /// Waits with the id of the session that is waited for; an error without the right to see them.
    async fn waits(&mut self) -> Result<Vec<(String, Wait)>, EngineError> {
        const WATCHED: &str = "SELECT @@performance_schema";
        // A session that waits for several locks of another is one.
        let sql = if self.wire.is_mariadb() {
            format!(
                "SELECT DISTINCT b.trx_mysql_thread_id, r.trx_mysql_thread_id, \
                 TIMESTAMPDIFF(SECOND, r.trx_wait_started, {NOW}), r.trx_query, l.lock_table \
                 FROM information_schema.innodb_lock_waits w \
                 JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id \
                 JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id \
                 LEFT JOIN information_schema.innodb_locks l ON l.lock_id = w.requested_lock_id"
            )
        } else {
            format!(
                "SELECT DISTINCT b.trx_mysql_thread_id, r.trx_mysql_thread_id, \
                 TIMESTAMPDIFF(SECOND, r.trx_wait_started, {NOW}), r.trx_query, \
                 CONCAT(l.object_schema, '.', l.object_name) \
                 FROM performance_schema.data_lock_waits w \
                 JOIN information_schema.innodb_trx r \
                 ON r.trx_id = w.requesting_engine_transaction_id \
                 JOIN information_schema.innodb_trx b \
                 ON b.trx_id = w.blocking_engine_transaction_id \
                 LEFT JOIN performance_schema.data_locks l \
                 ON l.engine_lock_id = w.requesting_engine_lock_id"
            )
        };
        let rows = self.wire.texts(&sql).await?;
        if rows.is_empty() && !self.wire.is_mariadb() && self.wire.number(WATCHED).await? == 0 {
            let message = "who waits is not shown: performance_schema is off".into();
            return Err(EngineError::Database { message });
        }
        let mut waits = Vec::new();
        for row in rows {
            let [blocker, waiter, age, sql, relation] = row.as_slice() else { continue };
            let waiter =
                Waiter { who: self.who(waiter).await?, waited: seconds(age), sql: sql.clone() };
            let wait =
                Wait { waiter, blocker: self.who(blocker).await?, relation: relation.clone() };
            waits.push((blocker.clone(), wait));
        }
        Ok(waits)
    }

    /// `app@web-1 (session 12)`
    async fn who(&mut self, id: &str) -> Result<String, EngineError> {
        let Ok(number) = id.parse::<u64>() else { return Ok(id.to_owned()) };
        let sql = format!(
            "SELECT CONCAT(user, '@', SUBSTRING_INDEX(host, ':', 1)) \
             FROM information_schema.processlist WHERE id = {number}"
        );
        let who = self.wire.text(&sql).await?;
        Ok(if who.is_empty() { format!("session {id}") } else { format!("{who} (session {id})") })
    }

    pub async fn pressure(&mut self) -> Result<Pressure, EngineError> {
        let mut blind = Blind::new();
        let connected = self.wire.texts("SHOW GLOBAL STATUS LIKE 'Threads_connected'").await?;
        let connections = connected.first().and_then(|row| row.get(1)?.parse().ok()).unwrap_or(0);
        let most_connections = self.wire.number("SELECT @@GLOBAL.max_connections").await.ok();
        let waits = match self.waits().await {
            Ok(waits) => Some(waits),
            Err(EngineError::Database { .. }) => None,
            Err(error) => return Err(error),
        };
        let transactions = self.long_transactions().await?;
        if waits.is_none() || transactions.is_none() {
            blind.push(
                "without the right PROCESS, on MySQL also SELECT on performance_schema, neither waits \
                 nor transactions of others are shown"
                    .into(),
            );
        }
        let replicas = self.replicas(&mut blind).await?;
        let orphans = self.orphans(&mut blind).await?;
        Ok(Pressure {
            connections,
            most_connections,
            waits: waits.unwrap_or_default().into_iter().map(|(_, wait)| wait).collect(),
            transactions: transactions.unwrap_or_default(),
            replicas,
            orphans,
            blind,
        })
    }

    async fn long_transactions(&mut self) -> Result<Option<Vec<LongTransaction>>, EngineError> {
        let id = self.wire.id();
        let sql = format!(
            "SELECT t.trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, t.trx_started, {NOW}) AS age, \
             p.command, COALESCE(t.trx_query, p.info) FROM information_schema.innodb_trx t \
             LEFT JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
             WHERE t.trx_mysql_thread_id NOT IN (0, {id}) HAVING age >= 5 ORDER BY age DESC LIMIT 50"
        );
        let rows = match self.wire.texts(&sql).await {
            Ok(rows) => rows,
            Err(EngineError::Database { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for row in rows {
            let [id, age, command, sql] = row.as_slice() else { continue };
            let who = self.who(id).await?;
            let (idle, sql) = (command == "Sleep", sql.clone());
            found.push(LongTransaction { who, open: seconds(age), idle, sql });
        }
        Ok(Some(found))
    }

    async fn replicas(&mut self, blind: &mut Blind) -> Result<Vec<Lag>, EngineError> {
        const DUMPS: &str = "SELECT SUBSTRING_INDEX(host, ':', 1) \
             FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
        let Some(channels) = self.replication().await? else {
            blind.push("without a right to watch replication its lag is not shown".into());
            return Ok(Vec::new());
        };
        let mut lags: Vec<Lag> = channels
            .iter()
            .map(|channel| Lag { replica: "this server".into(), behind: seconds_behind(channel) })
            .collect();
        // A primary knows who reads its log, not how far they are.
        for row in self.wire.texts(DUMPS).await? {
            lags.push(Lag { replica: row.into_iter().next().unwrap_or_default(), behind: None });
        }
        Ok(lags)
    }

    /// Sessions that hold a lock of ours and belong to no session of this process.
    async fn orphans(&mut self, blind: &mut Blind) -> Result<Vec<Orphan>, EngineError> {
        const WATCHED: &str = "SELECT COUNT(*) FROM performance_schema.setup_instruments \
             WHERE name = 'wait/lock/metadata/sql/mdl' AND enabled = 'YES' AND @@performance_schema = 1";
        let sql = format!(
            "SELECT l.object_name, p.id, p.command, p.info, p.time \
             FROM performance_schema.metadata_locks l \
             JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id \
             JOIN information_schema.processlist p ON p.id = t.processlist_id \
             WHERE l.object_type = 'USER LEVEL LOCK' AND l.object_name LIKE '{PREFIX}%' \
             AND l.lock_status = 'GRANTED'"
        );
        let rows = match self.wire.number(WATCHED).await {
            Ok(0) | Err(EngineError::Database { .. }) => None,
            Ok(_) => self.wire.texts(&sql).await.ok(),
            Err(error) => return Err(error),
        };
        let Some(rows) = rows else {
            blind.push(
                "sessions that an earlier steadyhand left are not shown: performance_schema does not \
                 watch metadata locks here, or may not be read"
                    .into(),
            );
            return Ok(Vec::new());
        };
        let mut orphans = Vec::new();
        for row in rows {
            let [lock, id, command, info, time] = row.as_slice() else { continue };
            if is_ours_now(lock) {
                continue;
            }
            let doing = if command == "Sleep" { "nothing".to_owned() } else { info.clone() };
            let (mark, who) = (format!("{id} {lock}"), self.who(id).await?);
            orphans.push(Orphan { mark, who, doing, since: seconds(time) });
        }
        Ok(orphans)
    }
}
