//! Opening a session and setting everything in it that changes the meaning of SQL.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::ConnectOptions as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::wire::{Door, Wire};
use super::{Modes, Session, values};
use crate::config::access::{Access, Host, TlsMode};
use crate::engine::{EngineError, Purpose, Setting, Stopper};

fn door(access: &Access) -> Door {
    // Named one by one, and nothing from the environment; what the driver would set in the session
    // by itself is turned off.
    let mut options = MySqlConnectOptions::new()
        .username(&access.user)
        .database(&access.database)
        .port(access.port)
        .charset("utf8mb4")
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .statement_cache_capacity(1)
        .disable_statement_logging()
        .ssl_mode(match access.tls.mode {
            TlsMode::Disable => MySqlSslMode::Disabled,
            // There is no way to ask without TLS first; with it is no worse.
            TlsMode::Allow | TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    if let Some(password) = &access.password {
        options = options.password(password.expose_secret());
    }
    let place = match &access.host {
        Host::Tcp(host) => {
            options = options.host(host);
            format!("{host}:{}", access.port)
        }
        Host::Socket(path) => {
            // Nobody can read a socket on the way, and the driver would ask for TLS even there.
            if matches!(access.tls.mode, TlsMode::Allow | TlsMode::Prefer) {
                options = options.ssl_mode(MySqlSslMode::Disabled);
            }
            options = options.socket(path);
            path.display().to_string()
        }
    };
    if let Some(path) = &access.tls.ca {
        options = options.ssl_ca(path);
    }
    if let (Some(cert), Some(key)) = (&access.tls.cert, &access.tls.key) {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    let what = format!("{} at {place} as {}", access.database, access.user);
    Door { options, timeout: access.connect_timeout, what }
}

impl Session {
    pub async fn open(
        access: &Access,
        purpose: Purpose,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        let door = door(access);
        let failed = |why: String| EngineError::Connect { what: door.what.clone(), why };
        let opened = Wire::open(door.clone(), lock_wait, stopper);
        let mut wire = tokio::time::timeout(access.connect_timeout, opened)
            .await
            .map_err(|_| failed("the server lets us in but does not answer".into()))??;
        let version = wire.text("SELECT VERSION()").await?;
        let release = release(&version);
        let mut warnings = Vec::new();
        let theirs = Theirs::read(&mut wire).await?;
        let modes = Modes {
            sql_mode: sql_mode(&theirs.sql_mode, purpose),
            zone: zone(&mut wire, access, &theirs.zone, &mut warnings).await?,
        };
        set(&mut wire, purpose, lock_wait, &modes).await?;
        let no_writes = match purpose {
            Purpose::Work => {
                wire.arm().await?;
                statement_log(&mut wire, &theirs).await?
            }
            Purpose::Detect => None,
        };
        let ours = Theirs::read_session(&mut wire).await?;
        if ours.references != "1" || ours.isolation != isolation(purpose).replace(' ', "-") {
            return Err(failed("the server does not keep the settings of a session".into()));
        }
        Ok(Self {
            wire,
            purpose,
            version,
            release,
            settings: ours.of_changes(&theirs, purpose).beside(theirs),
            wanted: modes.clone(),
            modes,
            no_writes,
            warnings,
            transaction: None,
            watch: None,
            lock: None,
            graph: None,
            shadow: None,
            belt: None,
            until: None,
        })
    }
}

/// Work reads what is committed at each statement: a transaction of that kind locks no gaps that it
/// does not need, and what it sees differs from what others see by its own writes alone.
fn isolation(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Detect => "REPEATABLE READ",
        Purpose::Work => "READ COMMITTED",
    }
}

async fn set(
    wire: &mut Wire,
    purpose: Purpose,
    lock_wait: Duration,
    modes: &Modes,
) -> Result<(), EngineError> {
    let seconds = lock_wait.as_secs_f64().ceil().clamp(1.0, 3600.0);
    let (mode, zone) = (values::text(&modes.sql_mode), values::text(&modes.zone));
    let level = isolation(purpose);
    // A statement outside of a transaction is one too: no write is let through for whoever reads.
    let access = if purpose == Purpose::Detect { "READ ONLY" } else { "READ WRITE" };
    wire.run(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}, {access}")).await?;
    wire.run(&format!(
        "SET SESSION autocommit = 1, foreign_key_checks = 1, unique_checks = 1, \
         sql_safe_updates = 0, sql_mode = {mode}, time_zone = {zone}, \
         sql_select_limit = 18446744073709551615, \
         lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}, wait_timeout = 3600"
    ))
    .await
    .map(drop)
}

/// The server's own mode, without what changes how quotes are read: what was looked at must be what
/// runs. A value that does not fit is an error for whoever writes.
fn sql_mode(global: &str, purpose: Purpose) -> String {
    const QUOTES: [&str; 8] =
        ["ANSI", "ANSI_QUOTES", "ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB", "IGNORE_SPACE"];
    let mut modes: Vec<&str> =
        global.split(',').filter(|mode| !mode.is_empty() && !QUOTES.contains(mode)).collect();
    if purpose == Purpose::Work && !modes.iter().any(|mode| mode.starts_with("STRICT_")) {
        modes.push("STRICT_TRANS_TABLES");
    }
    modes.join(",")
}

/// The wanted time zone; where the server does not know it by its name, what it is ahead of UTC today; or
/// the server's own.
async fn zone(
    wire: &mut Wire,
    access: &Access,
    theirs: &str,
    warnings: &mut Vec<String>,
) -> Result<String, EngineError> {
    let option = |wanted| access.options.iter().find(|(name, _)| name == wanted);
    let Some((_, wanted)) = option("time_zone") else { return Ok(theirs.to_owned()) };
    if ["UTC", "Etc/UTC", "Z"].contains(&wanted.as_str()) {
        return Ok("+00:00".into());
    }
    for (_, zone) in [option("time_zone"), option("offset")].into_iter().flatten() {
        let known = wire.run(&format!("SET SESSION time_zone = {}", values::text(zone))).await;
        match known {
            Ok(_) if zone == wanted => return Ok(zone.clone()),
            Ok(_) => {
                warnings.push(format!(
                    "the server does not know the time zone {wanted} (its tables are empty: \
                     mariadb-tzinfo-to-sql or mysql_tzinfo_to_sql fills them); what it is today is used: {zone}"
                ));
                return Ok(zone.clone());
            }
            Err(EngineError::Database { .. } | EngineError::Rejected { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    warnings.push(format!(
        "the server does not know the time zone {wanted} (its tables are empty, or the name is \
         wrong); its own is used: {theirs}"
    ));
    Ok(theirs.to_owned())
}

/// A log of statements cannot repeat what READ COMMITTED does, so the server refuses every write.
async fn statement_log(wire: &mut Wire, theirs: &Theirs) -> Result<Option<String>, EngineError> {
    if theirs.log != "1:STATEMENT" {
        return Ok(None);
    }
    match wire.run("SET SESSION binlog_format = 'ROW'").await {
        Ok(_) => Ok(None),
        Err(EngineError::Database { .. }) => Ok(Some(
            "its binary log keeps statements (binlog_format = STATEMENT), which forbids the \
             isolation of our transaction; an owner can set MIXED or ROW, or grant BINLOG ADMIN"
                .into(),
        )),
        Err(error) => Err(error),
    }
}

fn release(version: &str) -> (u32, u32) {
    // Some MariaDB servers say 5.5.5- first, for clients that cannot count to ten.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut parts = version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The settings that change what SQL means.
#[derive(Debug)]
struct Theirs {
    sql_mode: String,
    zone: String,
    isolation: String,
    references: String,
    collation: String,
    log: String,
}

impl Theirs {
    async fn read(wire: &mut Wire) -> Result<Self, EngineError> {
        Self::of(wire, "GLOBAL").await
    }

    async fn read_session(wire: &mut Wire) -> Result<Self, EngineError> {
        Self::of(wire, "SESSION").await
    }

    async fn of(wire: &mut Wire, scope: &str) -> Result<Self, EngineError> {
        let level = if wire.is_mariadb() { "tx_isolation" } else { "transaction_isolation" };
        let sql = format!(
            "SELECT @@{scope}.sql_mode, @@{scope}.time_zone, @@{scope}.{level}, \
             @@{scope}.foreign_key_checks, @@{scope}.collation_connection, \
             CONCAT(@@GLOBAL.log_bin, ':', @@{scope}.binlog_format)"
        );
        let row = wire.texts(&sql).await?.into_iter().next().unwrap_or_default();
        let [sql_mode, zone, isolation, references, collation, log] = <[String; 6]>::try_from(row)
            .map_err(|_| EngineError::Database {
                message: "the server did not show its settings".into(),
            })?;
        Ok(Self { sql_mode, zone, isolation, references, collation, log })
    }

    /// What a change gets, whatever this session is for: that is what somebody agrees to.
    fn of_changes(self, theirs: &Self, purpose: Purpose) -> Self {
        if purpose == Purpose::Work {
            return self;
        }
        Self {
            sql_mode: sql_mode(&theirs.sql_mode, Purpose::Work),
            isolation: isolation(Purpose::Work).replace(' ', "-"),
            ..self
        }
    }

    fn beside(self, theirs: Self) -> Vec<Setting> {
        let pairs = [
            ("sql_mode", self.sql_mode, theirs.sql_mode),
            ("time_zone", self.zone, theirs.zone),
            ("isolation", self.isolation, theirs.isolation),
            ("foreign_key_checks", self.references, theirs.references),
            ("collation", self.collation, theirs.collation),
        ];
        pairs
            .into_iter()
            .map(|(name, ours, theirs)| Setting { name: name.into(), ours, theirs: Some(theirs) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_moves_quotes_is_left_out_and_writes_are_strict() {
        assert_eq!(
            sql_mode("REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ANSI", Purpose::Work),
            "REAL_AS_FLOAT,PIPES_AS_CONCAT,STRICT_TRANS_TABLES"
        );
        assert_eq!(sql_mode("", Purpose::Detect), "");
        assert_eq!(sql_mode("STRICT_ALL_TABLES", Purpose::Work), "STRICT_ALL_TABLES");
    }

    #[test]
    fn a_release_is_read_whoever_it_claims_to_be() {
        assert_eq!(release("10.11.19-MariaDB-0+deb12u1"), (10, 11));
        assert_eq!(release("5.5.5-10.4.8-MariaDB"), (10, 4));
        assert_eq!(release("8.0.36"), (8, 0));
    }
}
