//! Oracle: the url says everything but the password, which only a command can give.

use super::place::{decoded, judge_url_option};
use super::{Access, CONNECT_TIMEOUT, Host, Tls, TlsMode};
use crate::config::Server;
use crate::dialect::Dialect;
use crate::problem::Problem;

const PORT: u16 = 1521;

pub(super) fn access(server: &Server) -> Result<Access, Problem> {
    for (key, value) in &server.options {
        judge_url_option(&[], key, value)?;
    }
    let url = || "the url".to_owned();
    let host = decoded(&server.host)?;
    if host.is_empty() {
        return Err(Problem::usage(
            "Oracle is reached over the network, and the url names no host.",
        )
        .hint("write oracle://USER@HOST/SERVICE"));
    }
    let Some(user) = &server.user else {
        return Err(
            Problem::usage("The url names no user.").hint("write oracle://USER@HOST/SERVICE")
        );
    };
    let port = if server.port.is_some() { url() } else { "Oracle's standard".into() };
    Ok(Access {
        dialect: Dialect::Oracle,
        host: Host::Tcp(host.trim_matches(['[', ']']).to_owned()),
        port: server.port.unwrap_or(PORT),
        user: decoded(user)?,
        password: None,
        database: decoded(&server.database)?,
        tls: Tls { mode: TlsMode::Disable, ca: None, cert: None, key: None },
        connect_timeout: CONNECT_TIMEOUT,
        options: vec![],
        origins: vec![
            ("host", url()),
            ("port", port),
            ("user", url()),
            ("database", url()),
            ("password", "nowhere: the target has no password_command".into()),
        ],
    })
}
