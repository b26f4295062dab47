//! Who the server is by its own word, whether it may be written, and what can be promised there.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use super::Session;
use super::wire::plain;
use crate::engine::{Badge, Called, Capability, EngineError, Identity, Purpose};
use crate::value::ValueRef;

impl Session {
    pub async fn called(&mut self) -> Result<Called, EngineError> {
        let version = format!("{} {}", self.dialect(), self.version);
        Ok(Called { server: self.server().await?, version })
    }

    pub async fn identity(&mut self) -> Result<Identity, EngineError> {
        let replica = match self.replication().await? {
            Some(channels) => !channels.is_empty(),
            None => self.repeats().await?,
        };
        let no_writes = match self.no_writes.clone() {
            Some(why) => Some(why),
            None => self.forbidden(replica).await?,
        };
        let badge = self.badge().await?;
        let Called { server, version } = self.called().await?;
        Ok(Identity {
            server,
            history: None,
            version,
            role: self.wire.text("SELECT CURRENT_USER()").await?,
            replica,
            no_writes,
            settings: self.settings.clone(),
            badge,
        })
    }

    async fn server(&mut self) -> Result<String, EngineError> {
        let database = self.wire.text("SELECT DATABASE()").await?;
        Ok(format!("{}/{database}", self.wire.server()))
    }

    /// Why nothing may be written here, if so.
    async fn forbidden(&mut self, replica: bool) -> Result<Option<String>, EngineError> {
        let comment = self.wire.text("SELECT @@version_comment").await?;
        let said = format!("{comment} {}", self.version).to_lowercase();
        if let Some(pooler) = ["proxysql", "maxscale"].iter().find(|name| said.contains(**name)) {
            return Ok(Some(format!(
                "{pooler} stands between us and the server and may change the session under us; \
                 connect to the server itself"
            )));
        }
        if self.wire.number("SELECT CONNECTION_ID()").await? != self.wire.id() {
            return Ok(Some(
                "a pooler hands every statement to another session; connect to the server itself"
                    .into(),
            ));
        }
        if replica {
            return Ok(Some("it is a replica; write to its primary".into()));
        }
        let mut switches = vec!["read_only", "innodb_read_only"];
        if !self.wire.is_mariadb() {
            switches.push("super_read_only");
        }
        for name in switches {
            let value = self.wire.text(&format!("SELECT @@GLOBAL.{name}")).await?;
            if !["0", "OFF"].contains(&value.as_str()) {
                return Ok(Some(format!("the server has {name} = {value}")));
            }
        }
        let node = self.wire.texts("SHOW GLOBAL STATUS LIKE 'wsrep_ready'").await?;
        let apart = node.first().is_some_and(|row| row[1] == "OFF");
        let clustered = self.wire.texts("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'").await?;
        let clustered = clustered.first().is_some_and(|row| row[1] == "ON");
        Ok((clustered && apart).then(|| "this node is cut off from its cluster".into()))
    }

    async fn badge(&mut self) -> Result<Badge, EngineError> {
        let counted = self.sees_transactions().await?;
        let in_doubt = self.no_ledger().await?.map_or(Capability::Full, Capability::None);
        let unseen = || {
            Capability::Partial(
                "without the right PROCESS the server does not say how many rows a transaction has \
                 written, so it must be worked out from triggers and references"
                    .into(),
            )
        };
        Ok(Badge {
            preview: if counted { Capability::Full } else { unseen() },
            undo: if counted { Capability::Full } else { unseen() },
            in_doubt,
            guardrail: Capability::Partial(
                "DDL cannot be rolled back here; it is rehearsed on a temporary copy".into(),
            ),
        })
    }

    /// Whether the server shows the transactions of others to us.
    pub(super) async fn sees_transactions(&mut self) -> Result<bool, EngineError> {
        match self.wire.run("SELECT 1 FROM information_schema.innodb_trx LIMIT 1").await {
            Ok(_) => Ok(true),
            Err(EngineError::Database { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub async fn lag(&mut self) -> Result<Option<Duration>, EngineError> {
        let Some(channels) = self.replication().await? else {
            return self.unseen_lag().await;
        };
        let behind: Option<Vec<Duration>> = channels.iter().map(seconds_behind).collect();
        // One channel that stands still is as late as the last that it did, and nobody knows when.
        let stands = || EngineError::Database {
            message: "replication is stopped there, or has lost its source".into(),
        };
        Ok(behind.ok_or_else(stands)?.into_iter().max())
    }

    /// The same without the right to see how replication goes: whatever looks like a replica may be late.
    async fn unseen_lag(&mut self) -> Result<Option<Duration>, EngineError> {
        let read_only = self.wire.text("SELECT @@GLOBAL.read_only").await?;
        let sign = if self.repeats().await? {
            "the server repeats another one".to_owned()
        } else if ["0", "OFF"].contains(&read_only.as_str()) {
            return Ok(None);
        } else {
            format!("the server has read_only = {read_only}, as replicas have")
        };
        let right = match (self.wire.is_mariadb(), self.release) {
            (true, release) if release >= (10, 5) => "REPLICA MONITOR",
            _ => "REPLICATION CLIENT",
        };
        Err(EngineError::Refused {
            message: format!("{sign}, and only the right {right} shows how far it is behind"),
        })
    }

    /// Whether changes of another server are being applied here, as far as everybody may see it.
    async fn repeats(&mut self) -> Result<bool, EngineError> {
        let running = self.wire.texts("SHOW GLOBAL STATUS LIKE 'Slave%running'").await?;
        Ok(running.iter().any(|row| !["0", "OFF"].contains(&row[1].as_str())))
    }

    /// One map a source of replication; `None` without the right to see it.
    pub(super) async fn replication(
        &mut self,
    ) -> Result<Option<Vec<HashMap<String, String>>>, EngineError> {
        let sql = match (self.wire.is_mariadb(), self.release) {
            (true, release) if release >= (10, 5) => "SHOW ALL REPLICAS STATUS",
            (true, _) => "SHOW ALL SLAVES STATUS",
            (false, release) if release >= (8, 1) => "SHOW REPLICA STATUS",
            (false, _) => "SHOW SLAVE STATUS",
        };
        match self.named(sql).await {
            Ok(rows) => Ok(Some(rows)),
            Err(EngineError::Database { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Rows by the names of their columns, which differ from one release to the next.
    pub(super) async fn named(
        &mut self,
        sql: &str,
    ) -> Result<Vec<HashMap<String, String>>, EngineError> {
        let mut rows = Vec::new();
        let mut keep = |names: &[String], row: &[ValueRef<'_>]| {
            let row = names.iter().zip(row);
            rows.push(
                row.map(|(name, value)| (name.clone(), plain((*value).to_owned()))).collect(),
            );
            ControlFlow::Continue(())
        };
        self.wire.work(sql, Duration::from_secs(10), &mut keep).await?;
        Ok(rows)
    }

    /// The server would let a session that reads begin a transaction that writes.
    pub(super) fn may_write(&self) -> Result<(), EngineError> {
        match self.purpose {
            Purpose::Work => Ok(()),
            Purpose::Detect => {
                Err(EngineError::ReadOnly { message: "this session only reads".into() })
            }
        }
    }
}

pub(super) fn seconds_behind(channel: &HashMap<String, String>) -> Option<Duration> {
    let seconds = ["Seconds_Behind_Source", "Seconds_Behind_Master"]
        .iter()
        .find_map(|name| channel.get(*name))?;
    seconds.parse().ok().map(Duration::from_secs)
}
