//! From what a target says to everything that is needed to open a connection.
//!
//! A url rarely says it all: the rest is read where the engine's own client reads it, in the same
//! order, so that a target which `psql` or `mysql` can open needs no second configuration. The
//! result is a plain value; whoever opens the connection looks nothing up any more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Target;
use crate::dialect::Dialect;
use crate::problem::Problem;

/// Printed as nothing, wiped when dropped; `secrecy::ExposeSecret` is the only way to read it.
pub type Secret = secrecy::SecretString;

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
    /// Trusted certificates instead of those of the system.
    pub ca: Option<PathBuf>,
    /// Our own certificate; it never comes without its key.
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Everything that is needed to open a connection to the server of a target. Reads files and may run
/// the target's password command, so it can take a while: call it where waiting harms nobody.
pub fn access(
    target: &Target,
    env: &impl Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<Access, Problem> {
    let _ = (target, env, home);
    Err(Problem::usage("not decided yet"))
}
