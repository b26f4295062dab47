//! What presses on the server: who waits for whom, what is open for long, what is left of us.
//!
//! Everything is asked of views that the server keeps in memory, of all instances.

use std::time::Duration;

use super::Session;
use super::connect::MODULE;
use super::killer::Id;
use super::ledger::process;
use crate::engine::{Blind, EngineError, Lag, LongTransaction, Orphan, Pressure, Wait, Waiter};

/// `APP@web-1 (session 12,345,@1)`
const WHO: &str = "|| '@' || COALESCE(S.MACHINE, '?') || ' (session ' || S.SID || ',' || S.SERIAL# \
    || ',@' || S.INST_ID || ')'";

/// Texts of statements take a right on another view; their numbers lead a DBA to them.
const WHAT: &str = "COALESCE('sql_id ' || S.SQL_ID, S.MODULE)";

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.parse().unwrap_or(0))
}

fn waits(of: Option<&Id>) -> String {
    let of = of.map_or_else(String::new, |id| {
        format!(
            " AND S.BLOCKING_SESSION = {} AND S.BLOCKING_INSTANCE = {}",
            id.session, id.instance
        )
    });
    format!(
        "SELECT S.USERNAME {WHO}, S.SECONDS_IN_WAIT, {WHAT}, S.EVENT, \
         COALESCE(B.USERNAME, 'session ' || S.BLOCKING_SESSION || ',@' || S.BLOCKING_INSTANCE) \
         || ' (' || S.BLOCKING_SESSION || ',@' || S.BLOCKING_INSTANCE || ')' \
         FROM GV$SESSION S LEFT JOIN GV$SESSION B ON B.SID = S.BLOCKING_SESSION \
         AND B.INST_ID = S.BLOCKING_INSTANCE \
         WHERE S.BLOCKING_SESSION_STATUS = 'VALID' AND S.TYPE = 'USER'{of} \
         ORDER BY S.SECONDS_IN_WAIT DESC FETCH FIRST 200 ROWS ONLY"
    )
}

fn wait(row: &[String]) -> Option<Wait> {
    let [who, waited, sql, event, blocker] = row else { return None };
    let waiter = Waiter { who: who.clone(), waited: seconds(waited), sql: sql.clone() };
    Some(Wait { waiter, blocker: blocker.clone(), relation: event.clone() })
}

impl Session {
    pub async fn waiting_for(&mut self, mark: &str) -> Result<Vec<Waiter>, EngineError> {
        let Some(id) = mark.split(' ').next().and_then(Id::parse) else { return Ok(Vec::new()) };
        let rows = self.wire.texts_if_allowed(&waits(Some(&id))).await?;
        let rows = rows.ok_or_else(|| EngineError::Refused {
            message: "without READ on GV_$SESSION waits are not shown".into(),
        })?;
        Ok(rows.iter().filter_map(|row| wait(row)).map(|wait| wait.waiter).collect())
    }

    pub async fn pressure(&mut self) -> Result<Pressure, EngineError> {
        const CONNECTED: &str = "SELECT COUNT(*) FROM GV$SESSION";
        const MOST: &str = "SELECT VALUE FROM V$PARAMETER WHERE NAME = 'sessions'";
        let mut blind = Blind::new();
        let connected = self.wire.texts_if_allowed(CONNECTED).await?;
        let most = self.wire.texts_if_allowed(MOST).await?;
        let number = |rows: Option<Vec<Vec<String>>>| -> Option<u64> {
            rows?.into_iter().flatten().next()?.parse().ok()
        };
        let waits = self.wire.texts_if_allowed(&waits(None)).await?;
        let transactions = self.long_transactions().await?;
        let orphans = self.orphans().await?;
        if waits.is_none() || transactions.is_none() || orphans.is_none() {
            blind.push(
                "without READ on GV_$SESSION and GV_$TRANSACTION neither waits nor transactions nor \
                 sessions of an earlier steadyhand are shown"
                    .into(),
            );
        }
        let behind = match self.lag().await {
            Ok(behind) => behind,
            Err(EngineError::Database { message }) => {
                blind.push(message);
                None
            }
            Err(error) => return Err(error),
        };
        let here = |behind| Lag { replica: "this server".into(), behind: Some(behind) };
        Ok(Pressure {
            connections: number(connected).unwrap_or(0),
            most_connections: number(most),
            waits: waits.unwrap_or_default().iter().filter_map(|row| wait(row)).collect(),
            transactions: transactions.unwrap_or_default(),
            replicas: behind.map(here).into_iter().collect(),
            orphans: orphans.unwrap_or_default(),
            blind,
        })
    }

    async fn long_transactions(&mut self) -> Result<Option<Vec<LongTransaction>>, EngineError> {
        let sql = format!(
            "SELECT S.USERNAME {WHO}, TO_CHAR(ROUND((SYSDATE - T.START_DATE) * 86400)), S.STATUS, \
             {WHAT} FROM GV$TRANSACTION T JOIN GV$SESSION S ON S.SADDR = T.SES_ADDR \
             AND S.INST_ID = T.INST_ID WHERE NOT ({}) AND T.START_DATE < SYSDATE - 5 / 86400 \
             ORDER BY T.START_DATE FETCH FIRST 50 ROWS ONLY",
            self.wire.id.is("S")
        );
        let rows = self.wire.texts_if_allowed(&sql).await?;
        Ok(rows.map(|rows| {
            let open = rows.into_iter().filter_map(|row| {
                let [who, open, status, sql] = <[String; 4]>::try_from(row).ok()?;
                Some(LongTransaction { who, open: seconds(&open), idle: status == "INACTIVE", sql })
            });
            open.collect()
        }))
    }

    /// Sessions that carry an operation of ours and belong to no process that is this one.
    async fn orphans(&mut self) -> Result<Option<Vec<Orphan>>, EngineError> {
        let sql = format!(
            "SELECT S.SID || ',' || S.SERIAL# || ',@' || S.INST_ID || ' ' || S.CLIENT_IDENTIFIER, \
             S.USERNAME {WHO}, CASE S.STATUS WHEN 'ACTIVE' THEN {WHAT} ELSE 'nothing' END, \
             TO_CHAR(ROUND((SYSDATE - S.LOGON_TIME) * 86400)) FROM GV$SESSION S \
             WHERE S.MODULE = '{MODULE}' AND S.CLIENT_IDENTIFIER LIKE '{MODULE}:%' \
             AND S.STATUS <> 'KILLED' AND COALESCE(S.CLIENT_INFO, '?') <> '{}'",
            process()
        );
        let rows = self.wire.texts_if_allowed(&sql).await?;
        Ok(rows.map(|rows| {
            let found = rows.into_iter().filter_map(|row| {
                let [mark, who, doing, since] = <[String; 4]>::try_from(row).ok()?;
                Some(Orphan { mark, who, doing, since: seconds(&since) })
            });
            found.collect()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_asked_of_one_session_or_of_all() {
        let id = Id { session: 12, serial: 345, instance: 2 };
        let of = waits(Some(&id));
        assert!(of.contains("S.BLOCKING_SESSION = 12 AND S.BLOCKING_INSTANCE = 2"), "{of}");
        assert!(!waits(None).contains("= 12"));
        let row = ["APP@web", "7", "sql_id x", "enq: TX", "OPS (12,@2)"].map(str::to_owned);
        let wait = wait(&row).expect("a wait");
        assert_eq!(wait.waiter.waited, Duration::from_secs(7));
        assert_eq!(wait.blocker, "OPS (12,@2)");
    }
}
