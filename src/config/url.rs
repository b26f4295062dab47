//! The url of a target, taken apart; one with a password is refused and never repeated.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::dialect::Dialect;
use crate::source::{Complaint, did_you_mean};

const SCHEMES: [(&str, Dialect); 6] = [
    ("sqlite", Dialect::Sqlite),
    ("postgres", Dialect::Postgres),
    ("postgresql", Dialect::Postgres),
    ("mysql", Dialect::Mysql),
    ("mariadb", Dialect::Mariadb),
    ("oracle", Dialect::Oracle),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetUrl {
    pub dialect: Dialect,
    /// The file of an SQLite database; empty for a server.
    pub path: PathBuf,
    /// The server, for all others.
    pub server: Option<Server>,
}

/// What is said about a server. There is no place for a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub user: Option<String>,
    /// Empty for the local socket.
    pub host: String,
    pub port: Option<u16>,
    /// Empty only where a service of PostgreSQL's `pg_service.conf` says it.
    pub database: String,
    /// `?key=value`, as written.
    pub options: Vec<(String, String)>,
}

impl Server {
    /// What people would call it: the database, else the service that names one.
    pub(super) fn called(&self) -> &str {
        let service = self.options.iter().find(|(key, _)| key == "service");
        match service {
            Some((_, service)) if self.database.is_empty() => service,
            _ => &self.database,
        }
    }
}

impl TargetUrl {
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self { dialect: Dialect::Sqlite, path: path.into(), server: None }
    }

    /// Takes a url apart; a relative SQLite path starts at `base`. A complaint never holds the url.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Complaint> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Complaint::new(
                "A url begins with its engine; write sqlite://PATH, postgres://USER@HOST/DATABASE or the like.",
            ));
        };
        let known = SCHEMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
        let Some((_, dialect)) = known else {
            let mut complaint = Complaint::new(
                "A url begins with sqlite, postgres, mysql, mariadb or oracle, not with this.",
            )
            .over(0..scheme.len());
            complaint.suggestion = did_you_mean(scheme, SCHEMES.iter().map(|(name, _)| *name))
                .map(|near| format!("Did you mean {near}?"));
            return Err(complaint);
        };
        if *dialect == Dialect::Sqlite {
            return file(rest, base);
        }
        let Some(rest) = rest.strip_prefix("//") else {
            return Err(Complaint::new(format!("Write {scheme}://USER@HOST/DATABASE.")));
        };
        server(*dialect, rest).map(|server| Self {
            dialect: *dialect,
            path: PathBuf::new(),
            server: Some(server),
        })
    }
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Server { host: String, port: u16, database: String },
}

impl TargetUrl {
    /// What the engine calls the database.
    pub fn database(&self) -> &str {
        self.server.as_ref().map_or("main", |server| &server.database)
    }

    /// The same for every url that leads to this database, whoever logs in there and however.
    pub(super) fn place(&self) -> Place {
        match &self.server {
            Some(server) => Place::Server {
                host: server.host.to_lowercase(),
                port: server.port.unwrap_or(super::access::usual_port(self.dialect)),
                database: server.database.clone(),
            },
            None => Place::File(self.path.canonicalize().unwrap_or_else(|_| self.path.clone())),
        }
    }

    /// The same server, with this schema of it in place of what the url names: `PostgreSQL` and Oracle
    /// look for tables there, `MySQL` calls it the database. A file has none.
    #[must_use]
    pub fn within(&self, schema: &str) -> Self {
        let mut url = self.clone();
        if let Some(server) = &mut url.server {
            let option = match self.dialect {
                Dialect::Postgres => "search_path",
                Dialect::Oracle => "schema",
                Dialect::Mysql | Dialect::Mariadb | Dialect::Sqlite => {
                    schema.clone_into(&mut server.database);
                    return url;
                }
            };
            server.options.retain(|(key, _)| key != option);
            server.options.push((option.to_owned(), schema.to_owned()));
        }
        url
    }
}

fn file(rest: &str, base: &Path) -> Result<TargetUrl, Complaint> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path == ":memory:" {
        return Err(Complaint::new("The url names no file; write sqlite://PATH."));
    }
    if path.contains('?') {
        return Err(Complaint::new(
            "How an SQLite file is opened is decided by steadyhand; delete the ? and what follows.",
        ));
    }
    Ok(TargetUrl::sqlite(base.join(path)))
}

fn server(dialect: Dialect, rest: &str) -> Result<Server, Complaint> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The ? may be one of a password, and nothing of it may be taken for a host or an option.
    if query.contains('@') && rest.contains(':') && !rest.contains('@') {
        return Err(Complaint {
            suggestion: Some(where_passwords_live(dialect).to_owned()),
            ..Complaint::new(
                "An @ stands behind the ?; delete the password if it ends one, and write %40 if it belongs to an option.",
            )
        });
    }
    // A password may hold a slash, so the user is cut off first, at the last @.
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let options: Vec<(String, String)> = query
        .split('&')
        .filter(|option| !option.is_empty())
        .map(|option| option.split_once('=').unwrap_or((option, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let secret = |key: &str| {
        let key = key.to_ascii_lowercase();
        ["password", "passwd", "pwd", "secret", "token"].iter().any(|word| key.contains(word))
    };
    if user.is_some_and(|user| user.contains(':')) || options.iter().any(|(key, _)| secret(key)) {
        return Err(Complaint {
            suggestion: Some(where_passwords_live(dialect).to_owned()),
            ..Complaint::new(
                "The url holds a password; delete it, and change that password if others can read this file.",
            )
        });
    }
    let (address, database) = place.split_once('/').unwrap_or((place, ""));
    let service = || options.iter().any(|(key, _)| key == "service");
    let elsewhere = dialect == Dialect::Postgres && service();
    if (database.is_empty() && !elsewhere) || database.contains('/') {
        return Err(Complaint::new(
            "A target is one database; end the url with its name, as in HOST/DATABASE.",
        ));
    }
    let (host, port) = host_and_port(address).ok_or_else(|| Complaint {
        suggestion: Some(where_passwords_live(dialect).to_owned()),
        // It is not repeated: where the host was forgotten, it is a password.
        ..Complaint::new(
            "What stands behind the host is no port, which is a number from 1 to 65535; delete it if it is a password.",
        )
    })?;
    Ok(Server {
        user: user.filter(|user| !user.is_empty()).map(str::to_owned),
        host: host.to_owned(),
        port,
        database: database.to_owned(),
        options,
    })
}

/// None if the port is not one.
fn host_and_port(address: &str) -> Option<(&str, Option<u16>)> {
    // The colons of an IPv6 address stand in brackets.
    let bracket = address.rfind(']').map_or(0, |at| at + 1);
    let Some((_, port)) = address[bracket..].split_once(':') else { return Some((address, None)) };
    let host = &address[..address.len() - port.len() - 1];
    let number = port.parse().ok().filter(|number| *number > 0)?;
    Some((host, Some(number)))
}

/// Where the client of this engine looks for a password by itself.
fn where_passwords_live(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "Passwords are read from password_command, PGPASSFILE, ~/.pgpass or the service."
        }
        Dialect::Mysql | Dialect::Mariadb => {
            "Passwords are read from password_command, ~/.my.cnf or the variable MYSQL_PWD."
        }
        Dialect::Oracle | Dialect::Sqlite => {
            "The password is read from password_command in the configuration."
        }
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(server) = &self.server else {
            return write!(f, "sqlite://{}", self.path.display());
        };
        write!(f, "{}://", self.dialect.key())?;
        if let Some(user) = &server.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&server.host)?;
        if let Some(port) = server.port {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", server.database)?;
        for (at, (key, value)) in server.options.iter().enumerate() {
            write!(f, "{}{key}={value}", if at == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}
