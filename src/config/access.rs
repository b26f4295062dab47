//! From what a target says to everything that is needed to open a connection.
//!
//! A url rarely says it all: the rest is read where the engine's own client reads it, in the same
//! order, so that a target which `psql` or `mysql` can open needs no second configuration. The
//! result is a plain value; whoever opens the connection looks nothing up any more.

pub mod command;
mod mycnf;
mod mysql;
mod oracle;
mod pgpass;
mod place;
mod postgres;
mod service;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::Target;
use crate::dialect::Dialect;
use crate::problem::Problem;
use crate::source::duration_text;
use place::Place;

/// Printed as nothing, wiped when dropped; `secrecy::ExposeSecret` is the only way to read it.
pub type Secret = secrecy::SecretString;

/// How long an attempt to connect may take if nobody says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to reach a server, everything decided.
#[derive(Debug, Clone)]
pub struct Access {
    pub dialect: Dialect,
    pub host: Host,
    /// Also of a socket: PostgreSQL's file is named after it.
    pub port: u16,
    pub user: String,
    /// None where nobody said one; the server may not ask (peer, trust, `unix_socket`, certificate).
    pub password: Option<Secret>,
    /// The database; of Oracle the service name.
    pub database: String,
    pub tls: Tls,
    /// For one attempt to open a connection, never endless.
    pub connect_timeout: Duration,
    /// Settings of the session that the server is told when it starts: PostgreSQL's `-c name=value`,
    /// `search_path` among them. Empty for other engines.
    pub options: Vec<(String, String)>,
    /// Which part was said where, for `steadyhand config` and for a connection that fails; the
    /// password is never shown, only its place.
    pub origins: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an address, an IPv6 address without brackets.
    Tcp(String),
    /// PostgreSQL: the folder of the socket. MySQL and MariaDB: the socket itself.
    Socket(PathBuf),
}

/// How the connection is encrypted and what the server has to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub mode: TlsMode,
    /// Trusted certificates. The driver trusts them besides those of the system.
    pub ca: Option<PathBuf>,
    /// Our own certificate; it never comes without its key.
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    Disable,
    /// Only if the server insists.
    Allow,
    /// If the server can.
    Prefer,
    Require,
    /// The certificate must come from a trusted authority.
    VerifyCa,
    /// And must be that of the host.
    VerifyFull,
}

impl TlsMode {
    pub fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Everything that is needed to open a connection to the server of a target. Reads files and may run
/// the target's password command, so it can take a while: call it where waiting harms nobody.
pub fn access(
    target: &Target,
    env: &impl Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<Access, Problem> {
    decide(target, &Place { env, home, root: Path::new("/") }, Ask::Now)
}

/// Where a server of this kind listens if nothing else is said.
pub(super) fn usual_port(dialect: Dialect) -> u16 {
    match dialect {
        Dialect::Postgres => postgres::PORT,
        Dialect::Mysql | Dialect::Mariadb => mysql::PORT,
        Dialect::Oracle => oracle::PORT,
        Dialect::Sqlite => 0,
    }
}

/// The same for this process: its variables, its user's home.
pub fn of_process(target: &Target) -> Result<Access, Problem> {
    access(target, &variable, etcetera::home_dir().ok().as_deref())
}

/// The same without asking for the password, to show where everything comes from.
pub fn explained(target: &Target) -> Result<Access, Problem> {
    let home = etcetera::home_dir().ok();
    let place = Place { env: &variable, home: home.as_deref(), root: Path::new("/") };
    decide(target, &place, Ask::Not)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether a password command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Now,
    Not,
}

fn decide(target: &Target, place: &Place<'_>, ask: Ask) -> Result<Access, Problem> {
    let Some(server) = &target.url.server else {
        return Err(Problem::usage(format!(
            "{} is a file of {}, which no server keeps.",
            target.name, target.url.dialect
        )));
    };
    let mut access = match target.url.dialect {
        Dialect::Postgres => postgres::access(server, place)?,
        Dialect::Mysql | Dialect::Mariadb => mysql::access(target.url.dialect, server, place)?,
        Dialect::Oracle | Dialect::Sqlite => oracle::access(server)?,
    };
    if let Some(argv) = &target.password_command {
        // What was written for this target stands before what was found lying around.
        let key = target.password_key();
        let from = format!("{key} of {}", target.origin);
        access.origins.retain(|(key, _)| *key != "password");
        access.origins.push(("password", from));
        access.password = match ask {
            Ask::Now => Some(command::kept(key, argv, command::PATIENCE)?),
            Ask::Not => None,
        };
    }
    Ok(access)
}

impl Access {
    /// The option that keeps every session of this connection from writing, and where it was said.
    pub fn read_only(&self) -> Option<(&str, &str)> {
        const NAMES: [&str; 2] = ["default_transaction_read_only", "transaction_read_only"];
        const OFF: [&str; 4] = ["off", "false", "no", "0"];
        // As on the server, the last one of a name counts.
        let last = |wanted: &&str| self.options.iter().rev().find(|(name, _)| name == wanted);
        let is_on = |value: &str| !OFF.iter().any(|off| off.eq_ignore_ascii_case(value.trim()));
        let (name, _) = NAMES.iter().filter_map(last).find(|(_, value)| is_on(value))?;
        let from = self.origins.iter().find(|(key, _)| *key == "options");
        Some((name, from.map_or("the connection", |(_, from)| from)))
    }

    /// Every part with its value and where it was said; of the password only where.
    pub fn lines(&self) -> Vec<(&'static str, String, String)> {
        let path =
            |path: &Option<PathBuf>| path.as_ref().map_or("-".into(), |p| p.display().to_string());
        let value = |key: &str| match key {
            "host" => match &self.host {
                Host::Tcp(name) => name.clone(),
                Host::Socket(path) => path.display().to_string(),
            },
            "port" => self.port.to_string(),
            "user" => self.user.clone(),
            "database" => self.database.clone(),
            "tls" => self.tls.mode.word().to_owned(),
            "ca" => path(&self.tls.ca),
            "cert" => path(&self.tls.cert),
            "key" => path(&self.tls.key),
            "connect_timeout" => duration_text(self.connect_timeout),
            "options" => {
                let pairs: Vec<String> =
                    self.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
                pairs.join(" ")
            }
            "password" => "(not shown)".to_owned(),
            _ => "-".to_owned(),
        };
        self.origins.iter().map(|(key, from)| (*key, value(key), from.clone())).collect()
    }

    /// The server refused this password. If it was kept from an earlier connection, its command is to be
    /// asked once more.
    pub fn forget_password(&self, target: &Target) -> bool {
        match (&target.password_command, &self.password) {
            (Some(argv), Some(refused)) => command::forget(argv, refused),
            _ => false,
        }
    }

    pub fn has_password_of(&self, other: &Self) -> bool {
        match (&self.password, &other.password) {
            (Some(one), Some(other)) => one.expose_secret() == other.expose_secret(),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

#[cfg(test)]
mod tests;
