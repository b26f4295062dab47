//! Opening a session and setting everything in it that changes the meaning of SQL.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::wire::Wire;
use super::{Session, names};
use crate::config::access::{Access, Host, TlsMode};
use crate::engine::{EngineError, Purpose, Setting, Stopper};

/// By this name sessions are known to the server.
pub const MODULE: &str = "steadyhand";

const READ_ONLY: &str = "ALTER SESSION SET READ_ONLY = TRUE";

/// How to get in. Has no `Debug` of the driver's.
#[derive(Clone)]
pub struct Door {
    pub config: oracledb::Config,
    pub timeout: Duration,
    pub what: String,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Door").field(&self.what).finish()
    }
}

fn door(access: &Access) -> Result<Door, EngineError> {
    let what = match &access.host {
        Host::Tcp(host) => {
            format!("{} at {host}:{} as {}", access.database, access.port, access.user)
        }
        Host::Socket(path) => path.display().to_string(),
    };
    let failed = |why: String| EngineError::Connect { what: what.clone(), why };
    // The driver would print every packet over the screen, the one with the password among them.
    if std::env::var_os("RSO_DEBUG_PACKETS").is_some() {
        return Err(failed(
            "RSO_DEBUG_PACKETS is set, with which the driver prints what it sends; unset it".into(),
        ));
    }
    let Some(password) = &access.password else {
        return Err(failed(
            "Oracle asks for a password, and the target has no password_command".into(),
        ));
    };
    let descriptor = descriptor(access).map_err(failed)?;
    // Two libraries for TLS are linked in; without a word the driver could not choose, and panics. An
    // error says that one was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = oracledb::Config::default()
        .set_credentials(&access.user, password.expose_secret())
        .set_driver_name(MODULE)
        .set_transport_connect_timeout(Some(access.connect_timeout))
        .set_program(MODULE)
        .and_then(|config| config.set_connect_string(&descriptor))
        .map_err(|error| failed(super::errors::message(&error)))?;
    if let Some(folder) = &access.tls.ca {
        config = config.set_wallet_location(folder.display().to_string());
    }
    Ok(Door { config, timeout: access.connect_timeout, what })
}

/// Everything said in full, so that neither an alias nor a file nor a variable has a part in it.
fn descriptor(access: &Access) -> Result<String, String> {
    let host = match &access.host {
        Host::Tcp(host) => host,
        Host::Socket(_) => return Err("Oracle is reached over the network, not by a socket".into()),
    };
    let protocol = match access.tls.mode {
        TlsMode::Disable => "TCP",
        TlsMode::VerifyFull => "TCPS",
        other => {
            return Err(format!(
                "the driver knows no TLS of the kind {}; there are disable and verify-full",
                other.word()
            ));
        }
    };
    // Parentheses and such would end the part that they stand in.
    let plain = |text: &str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || ".-_:$#%".contains(c);
        !text.is_empty() && text.chars().all(sound)
    };
    for part in [host.as_str(), access.database.as_str()] {
        if !plain(part) {
            return Err(format!("`{part}` is no name of a host or service"));
        }
    }
    Ok(format!(
        "(DESCRIPTION=(ADDRESS=(PROTOCOL={protocol})(HOST={host})(PORT={}))\
         (CONNECT_DATA=(SERVICE_NAME={})))",
        access.port, access.database
    ))
}

/// What a session is told, in this order: the territory sets formats of its own.
fn settings(access: &Access) -> Vec<String> {
    let option = |wanted: &str| {
        let found = access.options.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    };
    let mut told = vec![
        "ALTER SESSION SET NLS_LANGUAGE = 'AMERICAN' NLS_TERRITORY = 'AMERICA'".to_owned(),
        "ALTER SESSION SET NLS_CALENDAR = 'GREGORIAN' NLS_DATE_LANGUAGE = 'AMERICAN' \
         NLS_NUMERIC_CHARACTERS = '.,' NLS_SORT = 'BINARY' NLS_COMP = 'BINARY' \
         NLS_DATE_FORMAT = 'YYYY-MM-DD HH24:MI:SS' \
         NLS_TIMESTAMP_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF' \
         NLS_TIMESTAMP_TZ_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF TZR'"
            .to_owned(),
        format!(
            "ALTER SESSION SET TIME_ZONE = {}",
            names::text(option("time_zone").unwrap_or("UTC"))
        ),
        // A definition that cannot have its lock at once must not hold everybody behind it up.
        "ALTER SESSION SET DDL_LOCK_TIMEOUT = 2".to_owned(),
    ];
    if let Some(schema) = option("schema") {
        told.push(format!("ALTER SESSION SET CURRENT_SCHEMA = {}", names::quoted(schema)));
    }
    told
}

impl Session {
    pub async fn open(
        access: &Access,
        purpose: Purpose,
        lock_wait: Duration,
        stopper: &Stopper,
    ) -> Result<Self, EngineError> {
        let door = door(access)?;
        let what = door.what.clone();
        let failed = |why: String| EngineError::Connect { what: what.clone(), why };
        let mut wire = Wire::open(door, lock_wait, stopper).await?;
        for sql in settings(access) {
            let told = wire.run(&sql).await;
            told.map_err(|error| failed(format!("{error}, on {sql}")))?;
        }
        let token = super::ledger::process();
        wire.run(&format!(
            "BEGIN DBMS_APPLICATION_INFO.SET_MODULE('{MODULE}', NULL); \
             DBMS_APPLICATION_INFO.SET_CLIENT_INFO('{token}'); END;"
        ))
        .await?;
        let mut warnings: Vec<String> = wire.greeting_warning().into_iter().collect();
        match purpose {
            Purpose::Work => wire.arm().await?,
            // Older servers have no session that only reads; there the transaction does it alone, as it
            // does where this should fail.
            Purpose::Detect if wire.release() >= 23 => match wire.run(READ_ONLY).await {
                Ok(_) => {}
                Err(EngineError::Database { message }) => warnings.push(message),
                Err(error) => return Err(error),
            },
            Purpose::Detect => {}
        }
        let settings = read_back(&mut wire).await?;
        let zone = settings.iter().find(|setting| setting.name == "TIME_ZONE");
        if zone.is_none_or(|zone| zone.ours.is_empty()) {
            return Err(failed("the server does not keep the settings of a session".into()));
        }
        let schema = wire.text("SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL").await?;
        Ok(Self {
            wire,
            purpose,
            lock_wait,
            schema,
            settings,
            warnings,
            transaction: None,
            watch: None,
            graph: None,
            policies: None,
            operation: None,
            too_long: None,
        })
    }
}

/// What a client says at the door decides what an application gets, so theirs cannot be known here.
async fn read_back(wire: &mut Wire) -> Result<Vec<Setting>, EngineError> {
    const KEPT: &str = "SELECT PARAMETER, VALUE FROM NLS_SESSION_PARAMETERS WHERE PARAMETER IN \
        ('NLS_TERRITORY', 'NLS_NUMERIC_CHARACTERS', 'NLS_DATE_FORMAT', 'NLS_TIMESTAMP_FORMAT', \
        'NLS_SORT', 'NLS_COMP') \
        UNION ALL SELECT 'TIME_ZONE', SESSIONTIMEZONE FROM DUAL \
        UNION ALL SELECT 'CURRENT_SCHEMA', SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL \
        UNION ALL SELECT 'EDITION', SYS_CONTEXT('USERENV', 'CURRENT_EDITION_NAME') FROM DUAL";
    let rows = wire.texts(KEPT).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let [name, ours] = <[String; 2]>::try_from(row).ok()?;
            Some(Setting { name, ours, theirs: None })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::access::Tls;
    use crate::dialect::Dialect;

    fn access() -> Access {
        Access {
            dialect: Dialect::Oracle,
            host: Host::Tcp("ora.example.com".into()),
            port: 1521,
            user: "ops".into(),
            password: Some("secret)".to_owned().into()),
            database: "erp.example.com".into(),
            tls: Tls { mode: TlsMode::Disable, ca: None, cert: None, key: None },
            connect_timeout: Duration::from_secs(1),
            options: vec![
                ("schema".into(), "erp".into()),
                ("time_zone".into(), "Europe/Paris".into()),
            ],
            origins: vec![],
        }
    }

    #[test]
    fn the_place_is_said_in_full_and_nothing_breaks_out_of_it() {
        let said = descriptor(&access()).expect("it is sound");
        assert_eq!(
            said,
            "(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=ora.example.com)(PORT=1521))\
             (CONNECT_DATA=(SERVICE_NAME=erp.example.com)))"
        );
        let tls = Tls { mode: TlsMode::VerifyFull, ca: None, cert: None, key: None };
        assert!(descriptor(&Access { tls, ..access() }).expect("sound").contains("PROTOCOL=TCPS"));
        let tls = Tls { mode: TlsMode::Require, ca: None, cert: None, key: None };
        assert!(descriptor(&Access { tls, ..access() }).is_err());
        let database = "erp)(SERVER=pooled".to_owned();
        assert!(descriptor(&Access { database, ..access() }).is_err());
        let host = Host::Socket("/tmp/x".into());
        assert!(descriptor(&Access { host, ..access() }).is_err());
    }

    #[test]
    fn the_driver_takes_the_place_and_no_password_is_printed() {
        let door = door(&access()).expect("it can be tried");
        assert!(door.config.get_connect_descriptor().contains("(SERVICE_NAME=erp.example.com)"));
        assert!(!format!("{door:?}").contains("secret"), "{door:?}");
        let none = door_of(Access { password: None, ..access() });
        assert!(none.contains("password_command"), "{none}");
    }

    fn door_of(access: Access) -> String {
        door(&access).expect_err("it has no password").to_string()
    }

    #[test]
    fn a_session_is_told_everything_that_changes_the_meaning_of_sql() {
        let told = settings(&access());
        assert!(told.contains(&"ALTER SESSION SET TIME_ZONE = 'Europe/Paris'".to_owned()));
        assert!(told.contains(&"ALTER SESSION SET CURRENT_SCHEMA = \"ERP\"".to_owned()));
    }

    #[tokio::test]
    async fn nobody_there_is_a_sentence() {
        let host = Host::Tcp("127.0.0.1".into());
        let access = Access { host, port: 1, ..access() };
        let stopper = Stopper::default();
        let opened =
            Session::open(&access, Purpose::Detect, Duration::from_secs(1), &stopper).await;
        let error = opened.expect_err("nobody listens on port 1");
        assert!(matches!(error, EngineError::Connect { .. }), "{error}");
        assert!(error.to_string().contains("127.0.0.1:1 as ops"), "{error}");
    }
}
