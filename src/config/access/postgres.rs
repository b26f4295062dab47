//! PostgreSQL: the url, the service, the variables, the password file, as libpq reads them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::pgpass::{self, Found};
use super::place::{self, Place, Rule, Said, connect_timeout, decoded, judge, judge_url_option};
use super::{Access, Host, Secret, Tls, TlsMode, service};
use crate::config::Server;
use crate::dialect::Dialect;
use crate::problem::Problem;
use crate::source::{did_you_mean, quoted};

pub(super) const PORT: u16 = 5432;

/// Where servers put their socket: the distributions' folders, then PostgreSQL's own.
const SOCKETS: [&str; 3] = ["run/postgresql", "var/run/postgresql", "tmp"];

/// libpq's options, and what becomes of them.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("host", Rule::Used),
    ("port", Rule::Used),
    ("user", Rule::Used),
    ("dbname", Rule::Used),
    ("password", Rule::Used),
    ("passfile", Rule::Used),
    ("service", Rule::Used),
    ("servicefile", Rule::Used),
    ("sslmode", Rule::Used),
    ("sslrootcert", Rule::Used),
    ("sslcert", Rule::Used),
    ("sslkey", Rule::Used),
    ("connect_timeout", Rule::Used),
    ("options", Rule::Used),
    // Not libpq's, but what people mean by `options`; only in a url.
    ("search_path", Rule::Used),
    ("hostaddr", Rule::Only(&[], "a target is reached by one name; write the address as the host")),
    (
        "channel_binding",
        Rule::Only(
            &["prefer", "disable"],
            "channels cannot be bound; verify-full proves the server instead",
        ),
    ),
    (
        "gssencmode",
        Rule::Only(&["prefer", "disable"], "GSSAPI encryption cannot be done; use sslmode"),
    ),
    (
        "sslnegotiation",
        Rule::Only(&["postgres"], "TLS is negotiated the way every server understands"),
    ),
    ("sslpassword", Rule::Only(&[], "a key with a passphrase cannot be read")),
    ("sslcrl", Rule::Only(&[], "revocation lists are not read")),
    ("sslcrldir", Rule::Only(&[], "revocation lists are not read")),
    ("sslcertmode", Rule::Only(&["allow"], "a certificate is sent when sslcert names one")),
    (
        "ssl_min_protocol_version",
        Rule::Only(&["TLSv1", "TLSv1.1", "TLSv1.2"], "TLS 1.2 cannot be ruled out"),
    ),
    ("ssl_max_protocol_version", Rule::Only(&["TLSv1.3"], "TLS 1.3 cannot be ruled out")),
    ("requirepeer", Rule::Only(&[], "the owner of a socket is not asked for")),
    ("require_auth", Rule::Only(&[], "the way of proving who we are cannot be prescribed")),
    (
        "target_session_attrs",
        Rule::Only(&["any"], "a target is one server, and its role is proven after connecting"),
    ),
    ("load_balance_hosts", Rule::Only(&["disable"], "a target is one server")),
    ("client_encoding", Rule::Only(&["UTF8", "UTF-8", "auto"], "everything is UTF-8 here")),
    (
        "replication",
        Rule::Only(&["false", "off", "no", "0"], "a replication connection runs no checks"),
    ),
    ("krbsrvname", Rule::Only(&["postgres"], "GSSAPI is not spoken")),
    ("gsslib", Rule::Left("GSSAPI is not spoken")),
    ("gssdelegation", Rule::Left("GSSAPI is not spoken")),
    ("sslcompression", Rule::Left("nothing is compressed")),
    ("sslsni", Rule::Left("the server is always told its name")),
    (
        "application_name",
        Rule::Left(
            "sessions are always called steadyhand, so that they can be told apart and ended",
        ),
    ),
    ("fallback_application_name", Rule::Left("sessions are always called steadyhand")),
    ("keepalives", Rule::Left("the system decides how a silent connection is noticed")),
    ("keepalives_idle", Rule::Left("the system decides how a silent connection is noticed")),
    ("keepalives_interval", Rule::Left("the system decides how a silent connection is noticed")),
    ("keepalives_count", Rule::Left("the system decides how a silent connection is noticed")),
    ("tcp_user_timeout", Rule::Left("the system decides how a silent connection is noticed")),
];

const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGDATABASE", "dbname"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLCERTMODE", "sslcertmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGSSLMAXPROTOCOLVERSION", "ssl_max_protocol_version"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGOPTIONS", "options"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
];

pub(super) fn access(server: &Server, place: &Place<'_>) -> Result<Access, Problem> {
    let said = everything_said(server, place)?;
    let from = |key: &str, otherwise: &str| {
        said.get(key).map_or_else(|| otherwise.to_owned(), |said| said.from.clone())
    };
    let port = place::port(said.get("port"), PORT)?;
    let (host, host_from) = host(said.get("host"), port, place)?;
    let user = said.get("user").cloned().or_else(|| place.user()).ok_or_else(|| {
        Problem::usage("Nobody says as whom to connect.").hint("write USER@ into the url")
    })?;
    let database = said.get("dbname").cloned().unwrap_or_else(|| user.clone());
    let mut origins = vec![
        ("host", host_from),
        ("port", from("port", "PostgreSQL's standard")),
        ("user", user.from.clone()),
        ("database", database.from.clone()),
    ];
    let tls = tls(&said, &host, place, &mut origins)?;
    let connect_timeout = connect_timeout(said.get("connect_timeout"))?;
    origins.push(("connect_timeout", from("connect_timeout", "built in")));
    let options = options(&said)?;
    for key in ["options", "search_path"] {
        origins.extend(said.get(key).map(|said| ("options", said.from.clone())));
    }
    let password = match said.get("password") {
        Some(password) => Some(password.clone()),
        None => {
            let host = match &host {
                Host::Tcp(name) => name.clone(),
                // libpq: the usual folder goes by the name of this machine, another by its path.
                Host::Socket(path) if SOCKETS.iter().any(|s| place.system(s) == *path) => {
                    "localhost".to_owned()
                }
                Host::Socket(path) => path.display().to_string(),
            };
            let file = match said.get("passfile") {
                Some(named) => Some(place.path(&named.value)),
                None => place.at_home(".pgpass"),
            };
            let wanted = [&*host, &port.to_string(), &database.value, &user.value];
            let found = match &file {
                Some(file) => pgpass::password(file, wanted)?,
                None => Found::None("there is no home".to_owned()),
            };
            match found {
                Found::Password(password) => Some(password),
                Found::None(why) => {
                    origins.push(("password", format!("nowhere: {why}")));
                    None
                }
            }
        }
    };
    origins.extend(password.iter().map(|password| ("password", password.from.clone())));
    Ok(Access {
        dialect: Dialect::Postgres,
        host,
        port,
        user: user.value.to_string(),
        password: password.map(|password| Secret::from(password.value.as_str())),
        database: database.value.to_string(),
        tls,
        connect_timeout,
        options,
        origins,
    })
}

/// What was said by the one that counts most: the url, the service, the variables.
fn everything_said(
    server: &Server,
    place: &Place<'_>,
) -> Result<BTreeMap<&'static str, Said>, Problem> {
    let mut said: BTreeMap<&'static str, Said> = BTreeMap::new();
    let url = |value: &str| Ok::<_, Problem>(Said::new(decoded(value)?, "the url"));
    for (key, value) in &server.options {
        let value = url(value)?;
        judge_url_option(RULES, key, &value.value)?;
        if let Some((key, Rule::Used)) = RULES.iter().find(|(name, _)| name == key)
            && said.insert(*key, value).is_some()
        {
            return Err(
                Problem::usage(format!("The url says `{key}` twice.")).hint("keep one of the two")
            );
        }
    }
    let parts = [
        ("host", Some(&server.host)),
        ("user", server.user.as_ref()),
        ("dbname", Some(&server.database)),
    ];
    for (key, part) in parts {
        if let Some(part) = part.filter(|part| !part.is_empty())
            && said.insert(key, url(part)?).is_some()
        {
            return Err(Problem::usage(format!("The url says its {key} twice."))
                .hint(format!("keep the part of the url, delete the option `{key}`")));
        }
    }
    if let Some(port) = server.port {
        said.insert("port", url(&port.to_string())?);
    }
    let service_file = said
        .remove("servicefile")
        .or_else(|| Some(Said::new(place.variable("PGSERVICEFILE")?, "PGSERVICEFILE")));
    let name = said
        .remove("service")
        .or_else(|| Some(Said::new(place.variable("PGSERVICE")?, "PGSERVICE")));
    if let Some(name) = name {
        for (key, value) in service::service(&name.value, &name.from, service_file.as_ref(), place)?
        {
            said.entry(key).or_insert(value);
        }
    }
    for (name, key) in VARIABLES {
        let Some(value) = place.variable(name) else { continue };
        // What counts more was said already, so what stands here does not matter.
        if let Some(more) = said.get(key) {
            if *name == "PGOPTIONS" {
                // But the driver sends these to the server whatever it is told.
                return Err(Problem::usage(format!(
                    "{name} says `{key}`, and so does {}, which counts more; nothing was connected.",
                    more.from
                ))
                .hint("unset PGOPTIONS: the server would be told both"));
            }
            continue;
        }
        let rule = RULES.iter().find(|(known, _)| known == key);
        let rule = rule.map_or(Rule::Used, |(_, rule)| *rule);
        if judge(rule, key, &value, name)? {
            said.insert(key, Said::new(value, *name));
        }
    }
    Ok(said)
}

fn host(said: Option<&Said>, port: u16, place: &Place<'_>) -> Result<(Host, String), Problem> {
    let Some(said) = said else {
        let folders: Vec<PathBuf> = SOCKETS.iter().map(|folder| place.system(folder)).collect();
        let socket = format!(".s.PGSQL.{port}");
        let there = folders.iter().find(|folder| folder.join(&socket).exists());
        let folder = there.unwrap_or(&folders[0]).clone();
        return Ok((Host::Socket(folder), "the usual socket: no host was named".to_owned()));
    };
    let refused = |sentence: &str| {
        Err(Problem::usage(format!("{}: {sentence}", said.from))
            .hint("name one host, or the folder of its socket"))
    };
    match said.value.as_str() {
        name if name.contains(',') => {
            refused("a target is one server, and several hosts are named.")
        }
        name if name.starts_with('@') => refused("abstract sockets cannot be reached."),
        name if name.starts_with('/') => Ok((Host::Socket(PathBuf::from(name)), said.from.clone())),
        name => Ok((Host::Tcp(name.trim_matches(['[', ']']).to_owned()), said.from.clone())),
    }
}

fn tls(
    said: &BTreeMap<&'static str, Said>,
    host: &Host,
    place: &Place<'_>,
    origins: &mut Vec<(&'static str, String)>,
) -> Result<Tls, Problem> {
    const MODES: [(&str, TlsMode); 6] = [
        ("disable", TlsMode::Disable),
        ("allow", TlsMode::Allow),
        ("prefer", TlsMode::Prefer),
        ("require", TlsMode::Require),
        ("verify-ca", TlsMode::VerifyCa),
        ("verify-full", TlsMode::VerifyFull),
    ];
    let system = said.get("sslrootcert").filter(|said| said.value.as_str() == "system");
    let (mut mode, mut mode_from) = match said.get("sslmode") {
        None if system.is_some() => (TlsMode::VerifyFull, "sslrootcert=system".to_owned()),
        None => (TlsMode::Prefer, "PostgreSQL's standard".to_owned()),
        Some(said) => {
            let known = MODES.iter().find(|(word, _)| *word == said.value.as_str());
            let Some((_, mode)) = known else {
                let problem = Problem::usage(format!(
                    "{}: sslmode cannot be {}.",
                    said.from,
                    quoted(&said.value)
                ));
                return Err(match did_you_mean(&said.value, MODES.map(|(word, _)| word)) {
                    Some(near) => problem.hint(format!("did you mean {near}?")),
                    None => problem.hint(format!("there are {}", MODES.map(|(w, _)| w).join(", "))),
                });
            };
            (*mode, said.from.clone())
        }
    };
    if let Host::Socket(_) = host {
        // libpq, too, sends nothing encrypted through a socket, whatever was asked for.
        origins.push(("tls", "a socket does not leave this machine".to_owned()));
        return Ok(Tls { mode: TlsMode::Disable, ca: None, cert: None, key: None });
    }
    // A file that is named must be there; one at its usual place may be.
    let mut file = |option: &'static str, key: &'static str, usual: &str| {
        if let Some(named) = said.get(option) {
            origins.push((key, named.from.clone()));
            return Some(place.path(&named.value));
        }
        let usual = place.at_home(usual).filter(|path| path.is_file())?;
        origins.push((key, "its usual place".to_owned()));
        Some(usual)
    };
    let ca =
        if system.is_some() { None } else { file("sslrootcert", "ca", ".postgresql/root.crt") };
    let cert = file("sslcert", "cert", ".postgresql/postgresql.crt");
    let key = cert.as_ref().and_then(|_| file("sslkey", "key", ".postgresql/postgresql.key"));
    if system.is_some() && mode < TlsMode::VerifyFull {
        return Err(Problem::usage(format!(
            "sslmode {} is too weak for sslrootcert=system: anybody can have such a certificate.",
            mode.word()
        ))
        .hint("use sslmode=verify-full"));
    }
    if mode == TlsMode::Require && ca.is_some() {
        // As libpq does: whoever keeps the authority's certificate wants it looked at.
        (mode, mode_from) = (TlsMode::VerifyCa, format!("{mode_from}, and the authority is known"));
    }
    origins.push(("tls", mode_from));
    if mode == TlsMode::Disable {
        return Ok(Tls { mode, ca: None, cert: None, key: None });
    }
    place::tls(Tls { mode, ca, cert, key }, "the client certificate")
}

/// `-c name=value` and `--name=value`; nothing else that a server could be told.
fn options(said: &BTreeMap<&'static str, Said>) -> Result<Vec<(String, String)>, Problem> {
    let mut settings = vec![];
    if let Some(options) = said.get("options") {
        let complain = |sentence: String| {
            Problem::usage(format!("{}: {sentence}", options.from))
                .hint("write settings as -c name=value, with a backslash before a space in a value")
        };
        let mut words = words(&options.value).into_iter();
        while let Some(word) = words.next() {
            let setting = match (word.as_str(), word.strip_prefix("--"), word.strip_prefix("-c")) {
                ("-c", ..) => words.next().unwrap_or_default(),
                (_, Some(long), _) => long.to_owned(),
                (_, _, Some(short)) => short.to_owned(),
                _ => return Err(complain(format!("the option {} is not known.", quoted(&word)))),
            };
            let Some((name, value)) = setting.split_once('=').filter(|(name, _)| is_name(name))
            else {
                return Err(complain(format!("{} is not name=value.", quoted(&setting))));
            };
            let name = name.replace('-', "_").to_ascii_lowercase();
            if name == "session_replication_role" {
                return Err(complain(
                    "session_replication_role switches off triggers and foreign keys; that is never done for a whole session.".to_owned(),
                ));
            }
            settings.push((name, value.to_owned()));
        }
    }
    if let Some(path) = said.get("search_path") {
        settings.retain(|(name, _)| name != "search_path");
        settings.push(("search_path".to_owned(), path.value.to_string()));
    }
    Ok(settings)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// Words between white space; a backslash makes the next character an ordinary one.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
