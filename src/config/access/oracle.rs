//! Oracle: the url says everything but the password, which only a command can give.

use std::path::PathBuf;

use super::place::{Rule, decoded, judge_url_option};
use super::{Access, CONNECT_TIMEOUT, Host, Tls, TlsMode};
use crate::config::Server;
use crate::dialect::Dialect;
use crate::problem::Problem;

pub(super) const PORT: u16 = 1521;

/// Called as in a connect string of Oracle, but for the schema, which that has not.
const OPTIONS: [(&str, Rule); 4] = [
    ("schema", Rule::Used),
    ("protocol", Rule::Used),
    ("wallet_location", Rule::Used),
    (
        "ssl_server_dn_match",
        Rule::Only(&["on", "yes", "true"], "the certificate must name the host"),
    ),
];

pub(super) fn access(server: &Server) -> Result<Access, Problem> {
    let mut options = Vec::new();
    let mut tls = Tls { mode: TlsMode::Disable, ca: None, cert: None, key: None };
    let mut origins = Vec::new();
    let url = || "the url".to_owned();
    for (key, value) in &server.options {
        judge_url_option(&OPTIONS, key, value)?;
        let value = decoded(value)?;
        match key.as_str() {
            "schema" => {
                options.push(("schema".to_owned(), value));
                origins.push(("options", url()));
            }
            "protocol" => {
                tls.mode = protocol(&value)?;
                origins.push(("tls", url()));
            }
            // Its ewallet.pem: authorities to trust besides the public ones, perhaps our certificate.
            "wallet_location" => {
                tls.ca = Some(PathBuf::from(value));
                origins.push(("ca", url()));
            }
            _ => {}
        }
    }
    if tls.ca.is_some() && tls.mode == TlsMode::Disable {
        return Err(Problem::usage("The url names a wallet, but nothing is encrypted.")
            .hint("add protocol=tcps"));
    }
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
        tls,
        connect_timeout: CONNECT_TIMEOUT,
        options,
        origins: [
            ("host", url()),
            ("port", port),
            ("user", url()),
            ("database", url()),
            ("password", "nowhere: the target has no password_command".into()),
        ]
        .into_iter()
        .chain(origins)
        .collect(),
    })
}

fn protocol(value: &str) -> Result<TlsMode, Problem> {
    match value.to_ascii_lowercase().as_str() {
        "tcp" => Ok(TlsMode::Disable),
        // Oracle's driver checks the certificate and whether it is that of the host, always.
        "tcps" => Ok(TlsMode::VerifyFull),
        _ => Err(Problem::usage("The url says `protocol`, but not one that is known.")
            .hint("there are tcp and tcps")),
    }
}
