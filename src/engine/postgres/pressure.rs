//! What presses on the server: one look at its own views, from a session that is there anyway.

use super::catalogue::seconds;
use super::ledger::Mark;
use super::{Backend, Session, connect};
use crate::engine::{
    EngineError, Lag, LongTransaction, Orphan, Pressure, Session as Any, Wait, Waiter,
};
use crate::value::Value;

/// How a session is called on screen.
const WHO: &str = "a.pid || ' ' || coalesce(a.usename, '') || \
     CASE WHEN a.application_name <> '' THEN ' (' || a.application_name || ')' ELSE '' END";
/// Statements may be long; their beginning tells them apart.
const SQL: &str = "left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 200)";

/// Whoever waits, also where `wait_event_type` is hidden: the locks of others are shown to everybody. Only
/// these are asked whom for: that question costs the server a lock.
const WAITING: &str = "JOIN (SELECT pid, min(waitstart) AS since FROM pg_locks WHERE NOT granted \
     GROUP BY pid) w ON w.pid = a.pid";
/// For a moment a lock that is waited for has no start.
const WAITED: &str = "coalesce(w.since, a.query_start)";

impl Session {
    pub async fn waiting_for(&mut self, mark: &str) -> Result<Vec<Waiter>, EngineError> {
        let Some(Mark { backend, .. }) = Mark::read(mark) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT {WHO}, {}, {SQL} FROM pg_stat_activity a {WAITING} \
             WHERE {} = ANY (pg_blocking_pids(a.pid)) \
             AND EXISTS (SELECT 1 FROM pg_stat_activity WHERE {}) ORDER BY 2 DESC",
            since(WAITED),
            backend.pid,
            backend.is()
        );
        Ok(self.rows(&sql).await?.iter().filter_map(|row| waiter(row)).collect())
    }

    pub async fn pressure(&mut self) -> Result<Pressure, EngineError> {
        let mut pressure = Pressure::default();
        let totals = "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
             current_setting('max_connections')::bigint, \
             pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')";
        if let Some(row) = self.rows(totals).await?.first()
            && let [Value::Integer(now), Value::Integer(most), sees_all] = row.as_slice()
        {
            pressure.connections = u64::try_from(*now).unwrap_or(0);
            pressure.most_connections = u64::try_from(*most).ok();
            if *sees_all != Value::Text("t".into()) {
                pressure.blind.push(
                    "what other roles run is hidden from this one; GRANT pg_monitor shows it"
                        .into(),
                );
            }
        }
        pressure.waits = self.waits().await?;
        pressure.transactions = self.long_transactions().await?;
        pressure.replicas = self.replicas().await?;
        pressure.orphans = self.orphans().await?;
        Ok(pressure)
    }

    async fn waits(&mut self) -> Result<Vec<Wait>, EngineError> {
        let sql = format!(
            "SELECT {WHO}, {}, {SQL}, coalesce((SELECT string_agg({}, ', ') FROM \
             pg_stat_activity b WHERE b.pid = ANY (pg_blocking_pids(a.pid))), ''), \
             coalesce((SELECT c.oid::regclass::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
             WHERE l.pid = a.pid AND c.relkind IN ('r', 'p', 'm') AND l.mode <> 'AccessShareLock' \
             ORDER BY l.granted, l.locktype = 'tuple' DESC LIMIT 1), '') \
             FROM pg_stat_activity a {WAITING} ORDER BY 2 DESC LIMIT 50",
            since(WAITED),
            WHO.replace("a.", "b.")
        );
        let rows = self.rows(&sql).await?;
        let wait = |row: &Vec<Value>| {
            let text = |at: usize| row[at].as_ref().plain().unwrap_or_default();
            Some(Wait { waiter: waiter(row)?, blocker: text(3), relation: text(4) })
        };
        Ok(rows.iter().filter_map(wait).collect())
    }

    async fn long_transactions(&mut self) -> Result<Vec<LongTransaction>, EngineError> {
        let sql = format!(
            "SELECT {WHO}, {}, {SQL}, a.state LIKE 'idle in transaction%' FROM pg_stat_activity a \
             WHERE a.xact_start < clock_timestamp() - interval '5 seconds' \
             AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() \
             ORDER BY a.xact_start LIMIT 50",
            since("a.xact_start")
        );
        let rows = self.rows(&sql).await?;
        Ok(rows
            .iter()
            .filter_map(|row| {
                let Waiter { who, waited, sql } = waiter(row)?;
                let idle = row[3] == Value::Text("t".into());
                Some(LongTransaction { who, open: waited, idle, sql })
            })
            .collect())
    }

    async fn replicas(&mut self) -> Result<Vec<Lag>, EngineError> {
        const REPLICAS: &str = "SELECT coalesce(nullif(application_name, ''), client_addr::text, \
             pid::text), extract(epoch FROM replay_lag) FROM pg_stat_replication \
             WHERE state <> 'backup' ORDER BY replay_lag DESC NULLS LAST";
        let rows = self.rows(REPLICAS).await?;
        let text = |cell: &Value| cell.as_ref().plain();
        Ok(rows
            .iter()
            .filter_map(|row| {
                let behind = text(&row[1]).and_then(|text| seconds(&text));
                Some(Lag { replica: text(&row[0])?, behind })
            })
            .collect())
    }

    /// Sessions that carry our name and this machine's, of a process that is gone.
    async fn orphans(&mut self) -> Result<Vec<Orphan>, EngineError> {
        let sql = format!(
            "SELECT a.pid::bigint, a.backend_start::text, a.application_name, {WHO}, \
             coalesce(a.state, 'unknown'), {} FROM pg_stat_activity a \
             WHERE a.application_name LIKE 'steadyhand %' AND a.pid <> pg_backend_pid() \
             AND a.datname = current_database()",
            since("coalesce(a.state_change, a.backend_start)")
        );
        let rows = self.rows(&sql).await?;
        Ok(rows
            .iter()
            .filter_map(|row| {
                let text = |at: usize| row[at].as_ref().plain().unwrap_or_default();
                let Backend { pid, started } = Backend::of(row)?;
                is_orphan(&text(2)).then_some(())?;
                let since = seconds(&text(5)).unwrap_or_default();
                let mark = format!("{pid}/{started}");
                Some(Orphan { mark, who: text(3), doing: text(4), since })
            })
            .collect())
    }

    pub async fn end_session(&mut self, mark: &str) -> Result<bool, EngineError> {
        let refused = |message: &str| EngineError::Refused { message: message.into() };
        let Mark { backend, .. } =
            Mark::read(mark).ok_or_else(|| refused("that names no session"))?;
        let name = format!("SELECT application_name FROM pg_stat_activity WHERE {}", backend.is());
        match self.text(&name).await? {
            None => Ok(false),
            Some(name) if name.starts_with("steadyhand ") => self.end_backend(&backend).await,
            Some(_) => Err(refused("that session is not one of ours; it was left alone")),
        }
    }

    pub async fn end_silent(&mut self, silent: &Any) -> Result<(), EngineError> {
        match silent {
            Any::Postgres(silent) => self.end_backend(&silent.backend).await.map(drop),
            _ => Ok(()),
        }
    }
}

fn since(moment: &str) -> String {
    format!("greatest(extract(epoch FROM clock_timestamp() - {moment}), 0)")
}

/// Who, for how long, and what, as the first three of a row.
fn waiter(row: &[Value]) -> Option<Waiter> {
    match row {
        [who, waited, sql, ..] => Some(Waiter {
            who: who.as_ref().plain()?,
            waited: seconds(&waited.as_ref().plain()?)?,
            sql: sql.as_ref().plain().unwrap_or_default(),
        }),
        _ => None,
    }
}

/// `steadyhand 4711@host …` of this machine, and no process 4711 is there.
fn is_orphan(name: &str) -> bool {
    let Some((pid, host)) = name.split(' ').nth(1).and_then(|part| part.split_once('@')) else {
        return false;
    };
    let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) else { return false };
    host == connect::host()
        && rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}
