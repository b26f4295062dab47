//! How the programs of a database itself are told where to connect: by what their own clients read, in
//! variables and in files that only this user can open and that are gone when they are dropped. A
//! password stands in no argument.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use tempfile::NamedTempFile;

use super::command::Setting;
use crate::config::access::{Access, Host, TlsMode};

/// The connection as programs of PostgreSQL know it; what else this process was told must not mix
/// with it. The password stays in its file until that is dropped.
pub fn libpq(access: &Access, reading: bool) -> io::Result<(Vec<Setting>, Option<NamedTempFile>)> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let escaped = |text: &str| text.replace('\\', "\\\\").replace(' ', "\\ ");
    let read_only = reading.then(|| "-c default_transaction_read_only=on".to_owned());
    let options =
        access.options.iter().map(|(name, value)| format!("-c {name}={}", escaped(value)));
    let options: Vec<String> = read_only.into_iter().chain(options).collect();
    let host = match &access.host {
        Host::Tcp(name) => name.clone(),
        Host::Socket(folder) => folder.display().to_string(),
    };
    let password = match &access.password {
        Some(secret) => {
            let secret = secret.expose_secret().replace('\\', r"\\").replace(':', r"\:");
            Some(private(&format!("*:*:*:*:{secret}\n"))?)
        }
        None => None,
    };
    let password_file = password.as_ref().map(|file| file.path().display().to_string());
    let settings = [
        ("PGHOST", Some(host)),
        ("PGPORT", Some(access.port.to_string())),
        ("PGUSER", Some(access.user.clone())),
        ("PGDATABASE", Some(access.database.clone())),
        ("PGPASSFILE", password_file),
        ("PGPASSWORD", None),
        ("PGSSLMODE", Some(access.tls.mode.word().to_owned())),
        ("PGSSLROOTCERT", path(&access.tls.ca).or_else(|| authorities(access))),
        ("PGSSLCERT", path(&access.tls.cert)),
        ("PGSSLKEY", path(&access.tls.key)),
        ("PGCONNECT_TIMEOUT", Some(access.connect_timeout.as_secs().max(2).to_string())),
        ("PGOPTIONS", Some(options.join(" "))),
        ("PGAPPNAME", Some("steadyhand".into())),
        ("PGSERVICE", None),
        ("PGHOSTADDR", None),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    Ok((settings, password))
}

/// Where the authorities of the system stand, for a server that is verified by them: libpq looks for a
/// file of the user's own unless it is told.
fn authorities(access: &Access) -> Option<String> {
    const BUNDLES: [&str; 4] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    if access.tls.mode != TlsMode::VerifyFull {
        return None;
    }
    let named = std::env::var("SSL_CERT_FILE").ok().filter(|path| !path.is_empty());
    let known = || BUNDLES.iter().find(|path| Path::new(path).is_file());
    named.or_else(|| known().map(|&path| path.to_owned()))
}

/// A file of options, which the clients of MySQL and MariaDB want to be told of first.
pub fn mysql(access: &Access) -> io::Result<NamedTempFile> {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut lines = vec!["[client]".to_owned()];
    let mut say = |key: &str, value: &str| lines.push(format!("{key}=\"{}\"", quoted(value)));
    say("user", &access.user);
    if let Some(secret) = &access.password {
        say("password", secret.expose_secret());
    }
    match &access.host {
        Host::Tcp(name) => {
            say("host", name);
            say("port", &access.port.to_string());
            say("protocol", "tcp");
        }
        Host::Socket(path) => say("socket", &path.display().to_string()),
    }
    for (key, path) in
        [("ssl-ca", &access.tls.ca), ("ssl-cert", &access.tls.cert), ("ssl-key", &access.tls.key)]
    {
        if let Some(path) = path {
            say(key, &path.display().to_string());
        }
    }
    match access.tls.mode {
        TlsMode::Disable => lines.push("skip-ssl".into()),
        TlsMode::Allow | TlsMode::Prefer => {}
        TlsMode::Require => lines.push("ssl".into()),
        TlsMode::VerifyCa | TlsMode::VerifyFull => lines.push("ssl-verify-server-cert".into()),
    }
    private(&(lines.join("\n") + "\n"))
}

/// A file that only this user can read.
fn private(text: &str) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}
