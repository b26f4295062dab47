//! Opening a connection: everything is said to the driver, so that it finds nothing out by itself.
//!
//! The settings of a session are not sent with the start: a pooler refuses or loses them there. They
//! are set in each transaction, and kept for a session only when no pooler lends its connection on.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::time::timeout;

use super::rows::{literal, quoted};
use super::{Backend, Pooling, Session, fault, simple};
use crate::config::access::{Access, Host, TlsMode};
use crate::engine::{EngineError, Purpose};
use crate::value::Value;

/// Where a connection goes, for the operator.
pub fn place(access: &Access) -> String {
    let host = match &access.host {
        Host::Tcp(name) => format!("{name}:{}", access.port),
        Host::Socket(folder) => format!("{}/.s.PGSQL.{}", folder.display(), access.port),
    };
    format!("{} on {host} as {}", access.database, access.user)
}

/// Name and process of this program, and the end of an operation's name, which is what differs: all
/// that the 63 bytes of an application name hold.
pub fn name(op: Option<&str>) -> String {
    let mut name = format!("{} ", ours());
    name.push_str(&op.map(tail).unwrap_or_default());
    name.trim_end().to_owned()
}

/// `steadyhand 4711@host`
fn ours() -> String {
    format!("steadyhand {}@{}", rustix::process::getpid().as_raw_nonzero(), host())
}

/// This machine, as far as it fits into a name.
pub fn host() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    host.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(12).collect()
}

/// What an operation is called in the name of a session.
pub fn tail(op: &str) -> String {
    const LENGTH: usize = 30;
    let plain: Vec<char> = op.chars().filter(char::is_ascii_graphic).collect();
    plain[plain.len().saturating_sub(LENGTH)..].iter().collect()
}

pub fn options(access: &Access, name: &str) -> PgConnectOptions {
    // The environment that this reads is overridden below, part by part. What cannot be is PGOPTIONS:
    // it is what `access` was read from, or there is no access.
    let mut options = PgConnectOptions::new_without_pgpass()
        .port(access.port)
        .username(&access.user)
        .password(access.password.as_ref().map_or("", |secret| secret.expose_secret()))
        .database(&access.database)
        .application_name(name)
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    options = match &access.host {
        Host::Tcp(host) => options.host(host),
        Host::Socket(folder) => options.socket(folder),
    };
    options = options.ssl_mode(match access.tls.mode {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Allow => PgSslMode::Allow,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    });
    options = match &access.tls.ca {
        Some(ca) => options.ssl_root_cert(ca),
        // None besides those of the system, whatever PGSSLROOTCERT says.
        None => options.ssl_root_cert_from_pem(Vec::new()),
    };
    if let (Some(cert), Some(key)) = (&access.tls.cert, &access.tls.key) {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    options
}

pub async fn connect(access: &Access, name: &str) -> Result<PgConnection, EngineError> {
    let failed = |why: String| EngineError::Connect { what: place(access), why };
    match timeout(access.connect_timeout, attempt(access, options(access, name))).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => {
            let (what, why) = (place(access), refusal(access, &error));
            let denied = fault::server(&error).is_some_and(|said| said.code().starts_with("28"));
            Err(if denied { EngineError::Denied { what, why } } else { failed(why) })
        }
        Err(_) => {
            Err(failed(format!("no answer after {:.1} s", access.connect_timeout.as_secs_f64())))
        }
    }
}

/// One attempt; and where it may be encrypted or not, another one the other way if the server's list has
/// no place for the first, as libpq does.
async fn attempt(access: &Access, options: PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let first = options.connect().await;
    let not_listed =
        |error: &sqlx::Error| fault::server(error).is_some_and(|said| said.code() == "28000");
    let other = match access.tls.mode {
        TlsMode::Allow => PgSslMode::Require,
        TlsMode::Prefer => PgSslMode::Disable,
        _ => return first,
    };
    match first {
        Err(error) if not_listed(&error) => {
            options.ssl_mode(other).connect().await.map_err(|_| error)
        }
        first => first,
    }
}

/// Why the server did not let us in, with what can be done about it.
fn refusal(access: &Access, error: &sqlx::Error) -> String {
    let Some(said) = fault::server(error) else {
        let why = fault::transport(error);
        return match (error, &access.host) {
            (sqlx::Error::Io(io), Host::Tcp(_))
                if io.kind() == std::io::ErrorKind::ConnectionRefused =>
            {
                format!("{why}; nothing listens there")
            }
            (sqlx::Error::Io(io), Host::Socket(_)) if io.kind() == std::io::ErrorKind::NotFound => {
                format!("{why}; no server has its socket there")
            }
            (sqlx::Error::Tls(_), _) if why.contains("UnknownIssuer") => {
                format!("{why}; name the authority that signed it with sslrootcert")
            }
            (sqlx::Error::Tls(_), _) if why.contains("does not support TLS") => {
                format!("{why}; sslmode says that it must")
            }
            (sqlx::Error::Protocol(_), _) if why.contains("SSLRequest") => {
                "what answers there is no PostgreSQL server".to_owned()
            }
            (sqlx::Error::Protocol(_), _) if why.contains("unknown authentication method") => {
                "it wants a way of logging in that is not spoken here, such as GSSAPI; a password or \
                 a certificate will do"
                    .to_owned()
            }
            _ => why,
        };
    };
    let words = fault::words(said);
    let advice = match said.code() {
        "28P01" if access.password.is_none() => {
            "no password was found; see `steadyhand config` for where it was looked for"
        }
        "28P01" => "the password that was found is not the right one, or it has expired",
        "28000" if words.contains("pg_hba.conf") => {
            "who may come from where, and how, is said in that file of the server"
        }
        "28000" if words.contains("certificate") => "name one with sslcert and sslkey",
        "53300" if words.contains("for role") => "end some of this role's, or raise its limit",
        "53300" if words.contains("for database") => {
            "end some of this database's, or raise its limit"
        }
        "53300" => "all connections are taken; end some, or use one of the reserved ones",
        "57P03" => "the server is starting or stopping; try again in a moment",
        "3D000" => "the name of the database is the last part of the url",
        "08P01" if words.contains("startup parameter") => {
            "a pooler refuses a setting that PGOPTIONS sends along; unset it"
        }
        _ => return words,
    };
    format!("{words}; {advice}")
}

/// The process that serves a new connection.
pub async fn backend(
    access: &Access,
    connection: &mut PgConnection,
) -> Result<Backend, EngineError> {
    // The view over this function has the server look up much more.
    const WHO: &str = "SELECT pid::bigint, backend_start::text, current_user::text, session_user::text \
         FROM pg_stat_get_activity(pg_backend_pid())";
    let asked = timeout(access.connect_timeout, simple(connection, WHO)).await;
    let rows = match asked {
        Ok(Ok((rows, _))) => rows,
        Ok(Err(error)) => {
            let why = refusal(access, &error);
            return Err(EngineError::Connect { what: place(access), why });
        }
        Err(_) => {
            let why = "it let us in and then did not answer".to_owned();
            return Err(EngineError::Connect { what: place(access), why });
        }
    };
    match rows.first().map(Vec::as_slice) {
        Some([Value::Integer(pid), Value::Text(started), ..]) => {
            Ok(Backend { pid: *pid, started: started.clone() })
        }
        Some([_, Value::Null, Value::Text(role), Value::Text(login)]) if role != login => {
            let why = format!(
                "{login} becomes {role} when it connects, and as that it can neither see nor cancel \
                 its own sessions; GRANT pg_read_all_stats, pg_signal_backend TO {role}, or connect \
                 with PGOPTIONS='-c role=none' to stay {login}"
            );
            Err(EngineError::Connect { what: place(access), why })
        }
        _ => Err(EngineError::Connect {
            what: place(access),
            why: "the server does not say which process serves us".into(),
        }),
    }
}

/// What our transactions are told, whatever the role or the database say.
#[derive(Debug)]
pub struct Settings {
    /// Names and values; a value is SQL already.
    common: Vec<(String, String)>,
    lock_wait: Duration,
}

impl Settings {
    pub fn of(access: &Access, purpose: Purpose, lock_wait: Duration) -> Self {
        let mut common: Vec<(String, String)> = Vec::new();
        for (name, value) in &access.options {
            let value = if name.eq_ignore_ascii_case("search_path") {
                schemas(value)
            } else {
                literal(value)
            };
            common.push((quoted(name), value));
        }
        for (name, value) in [
            ("\"DateStyle\"", "'ISO, MDY'"),
            ("\"IntervalStyle\"", "'postgres'"),
            ("extra_float_digits", "1"),
            ("bytea_output", "'hex'"),
            ("xmloption", "'content'"),
            ("standard_conforming_strings", "on"),
            ("transform_null_equals", "off"),
            ("cursor_tuple_fraction", "1"),
        ] {
            common.push((name.to_owned(), value.to_owned()));
        }
        if purpose == Purpose::Detect {
            // A policy that hides rows must be an error, never a shorter answer.
            common.push(("row_security".into(), "off".into()));
        }
        Self { common, lock_wait }
    }

    /// For one transaction.
    pub fn local(&self, limit: Duration) -> String {
        /// Nothing of ours rests for longer in a transaction, whatever the network makes of us.
        const REST: Duration = Duration::from_hours(1);
        let mut sql = String::new();
        for (name, value) in &self.common {
            sql.push_str(&format!("SET LOCAL {name} = {value}; "));
        }
        sql.push_str(&format!(
            "SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}",
            millis(self.lock_wait),
            millis(limit),
            millis(limit.min(REST) + Duration::from_secs(30))
        ));
        sql
    }

    /// For a session that nobody else will get.
    pub fn session(&self) -> String {
        let mut sql = self.local(Duration::MAX).replace("SET LOCAL ", "SET ");
        // A network that swallows us must not leave our locks behind for hours.
        for (name, value) in [("idle", 10), ("interval", 5), ("count", 4)] {
            sql.push_str(&format!("; SET tcp_keepalives_{name} = {value}"));
        }
        sql
    }

    /// A query for what the server made of the settings that change what is read, and what it must be.
    pub fn read_back() -> (String, Vec<(&'static str, &'static str)>) {
        let wanted = vec![
            ("DateStyle", "ISO, MDY"),
            ("IntervalStyle", "postgres"),
            ("extra_float_digits", "1"),
            ("bytea_output", "hex"),
            ("standard_conforming_strings", "on"),
            ("transform_null_equals", "off"),
            ("client_encoding", "UTF8"),
        ];
        let names: Vec<String> =
            wanted.iter().map(|(name, _)| format!("(current_setting('{name}'))")).collect();
        (format!("VALUES {}", names.join(", ")), wanted)
    }
}

/// A search path as a list of names.
fn schemas(value: &str) -> String {
    let names: Vec<String> = value
        .split(',')
        .map(|name| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
        .map(quoted)
        .collect();
    if names.is_empty() { "''".into() } else { names.join(", ") }
}

/// As the server wants it; what is longer than it can be is for ever.
pub fn millis(duration: Duration) -> u64 {
    const MOST: u64 = i32::MAX as u64;
    match u64::try_from(duration.as_millis()) {
        Ok(millis) if millis <= MOST => millis.max(1),
        _ => 0,
    }
}

impl Session {
    /// Why this session is one that a pooler hands around, if it is. One that lends in turn shows when
    /// it is asked again; one that lends the last again only with two connections: while one is in a
    /// transaction, the other must still have the process it had.
    pub async fn pooler(&mut self) -> Result<Option<String>, EngineError> {
        const WHO: &str = "SELECT pg_backend_pid()";
        match &self.pooling {
            Pooling::Unknown => {}
            Pooling::Own => return Ok(None),
            Pooling::Lent(why) => return Ok(Some(why.clone())),
        }
        let ours = self.backend.pid;
        let mut alone = true;
        for _ in 0..2 {
            alone &= pid(self.unstoppable(WHO).await?) == Some(ours);
        }
        let side = super::Side::at(&mut self.side, &self.access).await?;
        let beside = pid(side.rows(&format!("BEGIN; {WHO}")).await?);
        // With one process for all, asking further would wait for ever.
        let shared = beside == Some(ours);
        let now = if shared { None } else { pid(self.unstoppable(WHO).await?) };
        let side = super::Side::at(&mut self.side, &self.access).await?;
        side.rows("ROLLBACK").await?;
        // What the other has just given back lies on top.
        let after = if shared { None } else { pid(self.unstoppable(WHO).await?) };
        let kept = alone && now == Some(ours) && after == Some(ours);
        let why = (!kept).then(|| {
            "a pooler lends the server's processes to each transaction anew, so that locks, \
             cancelling and the proof of a rollback cannot be trusted; connect to the server itself \
             to change something"
                .to_owned()
        });
        self.pooling = why.clone().map_or(Pooling::Own, Pooling::Lent);
        Ok(why)
    }
}

fn pid(rows: super::Cells) -> Option<i64> {
    match rows.first()?.first()? {
        Value::Integer(pid) => Some(*pid),
        _ => None,
    }
}
