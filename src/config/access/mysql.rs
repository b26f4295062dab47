//! MySQL and MariaDB: the url, the option files, the variables, as their client reads them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::mycnf::{self, Line};
use super::place::{self, Place, Rule, Said, connect_timeout, decoded, judge, judge_url_option};
use super::{Access, Host, Secret, Tls, TlsMode};
use crate::config::Server;
use crate::dialect::Dialect;
use crate::problem::Problem;
use crate::source::{did_you_mean, quoted};

pub(super) const PORT: u16 = 3306;

/// Where the distributions put the socket.
const SOCKETS: [&str; 4] = [
    "run/mysqld/mysqld.sock",
    "var/run/mysqld/mysqld.sock",
    "var/lib/mysql/mysql.sock",
    "tmp/mysql.sock",
];

const IN_FRONT: &str = "it stands in front, as in USER@HOST:PORT/DATABASE";

/// Options of a url, and what becomes of them.
const IN_URL: &[(&str, Rule)] = &[
    ("socket", Rule::Used),
    ("protocol", Rule::Used),
    ("ssl-mode", Rule::Used),
    ("ssl-ca", Rule::Used),
    ("ssl-cert", Rule::Used),
    ("ssl-key", Rule::Used),
    ("ssl-verify-server-cert", Rule::Used),
    ("defaults-file", Rule::Used),
    ("defaults-extra-file", Rule::Used),
    ("defaults-group-suffix", Rule::Used),
    ("connect-timeout", Rule::Used),
    ("user", Rule::Left(IN_FRONT)),
    ("host", Rule::Left(IN_FRONT)),
    ("port", Rule::Left(IN_FRONT)),
    ("database", Rule::Left(IN_FRONT)),
    ("init-command", Rule::Left("the session is set up by steadyhand alone")),
    ("time-zone", Rule::Left("the time zone of a target is said in its configuration: timezone")),
    ("timezone", Rule::Left("the time zone of a target is said in its configuration: timezone")),
    ("collation", Rule::Left("the collation of a session is read from the server")),
    ("compress", Rule::Left("nothing is compressed")),
    ("program-name", Rule::Left("sessions are always called steadyhand")),
    ("ssl", Rule::Left("it says less than ssl-mode=REQUIRED or VERIFY_IDENTITY")),
    ("sslmode", Rule::Left("that is PostgreSQL's word; write ssl-mode=VERIFY_IDENTITY")),
];

/// Options, in a url or in a file, without which less would be done than was asked.
const STRICT: &[(&str, Rule)] = &[
    ("ssl-crl", Rule::Only(&[], "revocation lists are not read")),
    ("ssl-crlpath", Rule::Only(&[], "revocation lists are not read")),
    (
        "ssl-capath",
        Rule::Only(&[], "a folder of certificates is not read; name one file as ssl-ca"),
    ),
    ("ssl-fips-mode", Rule::Only(&["OFF", "0"], "the cryptography built in is not a FIPS module")),
    (
        "default-character-set",
        Rule::Only(&["utf8mb4", "utf8", "utf8mb3", "auto", "latin1"], "everything is UTF-8 here"),
    ),
    ("charset", Rule::Only(&["utf8mb4", "utf8"], "everything is UTF-8 here")),
    (
        "enable-cleartext-plugin",
        Rule::Only(&["0", "OFF", "FALSE"], "a password is never sent in clear"),
    ),
];

/// Options of a file that are used.
const IN_FILES: [&str; 13] = [
    "host",
    "port",
    "user",
    "password",
    "socket",
    "protocol",
    "ssl-mode",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-verify-server-cert",
    "ssl",
    "connect-timeout",
];

type Everything = BTreeMap<&'static str, Said>;

pub(super) fn access(
    dialect: Dialect,
    server: &Server,
    place: &Place<'_>,
) -> Result<Access, Problem> {
    let url = url(server)?;
    let mut said = files(dialect, &url, place)?;
    let in_url_port = url.contains_key("port");
    // Neither another host nor a port of the url is reached through a socket that a file or a variable
    // names for this machine, unless the url itself speaks of a socket.
    let remote = url.get("host").is_some_and(|host| host.value.as_str() != "localhost");
    let asks_for_socket = url.contains_key("socket")
        || url.get("protocol").is_some_and(|said| said.value.eq_ignore_ascii_case("socket"));
    let no_socket = remote || (in_url_port && !asks_for_socket);
    if no_socket {
        for key in ["socket", "protocol"] {
            said.remove(key);
        }
    }
    if url.contains_key("socket") {
        said.remove("host");
    }
    // A url that names certificates asks for TLS; a file that turns it off means another server.
    let asks = |key: &&str| url.get(*key).is_some_and(is_on);
    if ["ssl-ca", "ssl-cert", "ssl-key", "ssl-verify-server-cert"].iter().any(asks) {
        let turns_off = |said: &Said| !is_on(said) || said.value.eq_ignore_ascii_case("DISABLED");
        said.retain(|key, said| !(["ssl", "ssl-mode"].contains(key) && turns_off(said)));
    }
    said.extend(url);
    let variables = [
        ("MYSQL_HOST", "host"),
        ("MYSQL_TCP_PORT", "port"),
        ("MYSQL_UNIX_PORT", "socket"),
        ("MYSQL_PWD", "password"),
    ];
    for (name, key) in variables {
        if let Some(value) = place.variable(name) {
            let host_is_settled = key == "host" && said.contains_key("socket");
            let far = no_socket || said.get("host").is_some_and(|h| !is_local(&h.value));
            let elsewhere = key == "socket" && far;
            if !host_is_settled && !elsewhere {
                said.entry(key).or_insert_with(|| Said::new(value, name));
            }
        }
    }
    let from = |key: &str, otherwise: &str| {
        said.get(key).map_or_else(|| otherwise.to_owned(), |said| said.from.clone())
    };
    let port = place::port(said.get("port"), PORT)?;
    let (host, host_from) = host(&said, in_url_port, place)?;
    let user = said.get("user").cloned().or_else(|| place.user()).ok_or_else(|| {
        Problem::usage("Nobody says as whom to connect.").hint("write USER@ into the url")
    })?;
    let mut origins = vec![
        ("host", host_from),
        ("port", from("port", "MySQL's standard")),
        ("user", user.from.clone()),
        ("database", "the url".to_owned()),
    ];
    let tls = tls(&said, &host, place, &mut origins)?;
    let connect_timeout = connect_timeout(said.get("connect-timeout"))?;
    origins.push(("connect_timeout", from("connect-timeout", "built in")));
    let login = place.at_home(".mylogin.cnf").filter(|path| path.is_file());
    let nowhere = match login {
        Some(path) => format!("nowhere: the scrambled {} is not read", path.display()),
        None => "nowhere: no option file says one".to_owned(),
    };
    origins.push(("password", from("password", &nowhere)));
    Ok(Access {
        dialect,
        host,
        port,
        user: user.value.to_string(),
        password: said.get("password").map(|said| Secret::from(said.value.as_str())),
        database: decoded(&server.database)?,
        tls,
        connect_timeout,
        options: vec![],
        origins,
    })
}

fn is_local(host: &str) -> bool {
    host.is_empty() || host == "localhost"
}

fn is_on(said: &Said) -> bool {
    !["0", "off", "false"].contains(&said.value.to_ascii_lowercase().as_str())
}

fn url(server: &Server) -> Result<Everything, Problem> {
    let mut said = Everything::new();
    let url = |value: &str| Ok::<_, Problem>(Said::new(decoded(value)?, "the url"));
    let rules = [IN_URL, STRICT].concat();
    for (key, value) in &server.options {
        let key = key.replace('_', "-").to_ascii_lowercase();
        let value = url(value)?;
        judge_url_option(&rules, &key, &value.value)?;
        if let Some((key, Rule::Used)) = rules.iter().find(|(name, _)| *name == key)
            && said.insert(*key, value).is_some()
        {
            return Err(
                Problem::usage(format!("The url says `{key}` twice.")).hint("keep one of the two")
            );
        }
    }
    if !server.host.is_empty() {
        let mut host = url(&server.host)?;
        if host.value.starts_with('/') {
            return Err(Problem::usage("A socket is no host in a url.")
                .hint("leave the host empty and end the url with ?socket=/PATH"));
        }
        host.value = host.value.trim_matches(['[', ']']).to_owned().into();
        said.insert("host", host);
    }
    if let Some(user) = &server.user {
        said.insert("user", url(user)?);
    }
    if let Some(port) = server.port {
        said.insert("port", url(&port.to_string())?);
    }
    Ok(said)
}

/// What the option files say; the later file and the later line win.
fn files(dialect: Dialect, url: &Everything, place: &Place<'_>) -> Result<Everything, Problem> {
    let suffix = url
        .get("defaults-group-suffix")
        .map(|said| said.value.to_string())
        .or_else(|| place.variable("MYSQL_GROUP_SUFFIX"));
    let mut groups: Vec<String> = vec!["client".into(), "mysql".into()];
    if dialect == Dialect::Mariadb {
        groups.extend(["client-server", "client-mariadb", "mariadb-client"].map(str::to_owned));
    }
    if let Some(suffix) = suffix {
        let own: Vec<String> = groups.iter().map(|group| format!("{group}{suffix}")).collect();
        groups.extend(own);
    }
    let named = |key: &str| url.get(key).map(|said| place.path(&said.value));
    let must_be = |path: PathBuf| {
        if path.is_file() {
            return Ok(path);
        }
        Err(Problem::usage(format!(
            "The url names the option file {}, which is not there.",
            path.display()
        ))
        .hint("correct the path behind defaults-file="))
    };
    let paths: Vec<PathBuf> = match named("defaults-file") {
        Some(only) => vec![must_be(only)?],
        None => [Some(place.system("etc/my.cnf")), Some(place.system("etc/mysql/my.cnf"))]
            .into_iter()
            .chain([place.variable("MYSQL_HOME").map(|home| PathBuf::from(home).join("my.cnf"))])
            .chain([named("defaults-extra-file").map(must_be).transpose()?])
            .chain([place.at_home(".my.cnf")])
            .flatten()
            .collect(),
    };
    let mut said = Everything::new();
    for path in paths {
        for line in mycnf::lines(&path, &groups, place)? {
            take(&line, &mut said)?;
        }
    }
    Ok(said)
}

fn take(line: &Line, said: &mut Everything) -> Result<(), Problem> {
    if let Some((key, rule)) = STRICT.iter().find(|(name, _)| *name == line.key) {
        return judge(*rule, key, &line.said().value, &line.from).map(|_| ());
    }
    // `skip-` and `disable-` are another way of writing 0.
    let off = ["skip-", "disable-"].iter().find_map(|prefix| line.key.strip_prefix(prefix));
    let key = off.unwrap_or(&line.key);
    let Some(key) = IN_FILES.iter().find(|name| **name == key) else { return Ok(()) };
    if *key == "password" && line.value.is_none() {
        return Err(Problem::usage(format!(
            "{}: `password` alone asks for it on a terminal.",
            line.from
        ))
        .hint("write password=… in a file that only you can read, or use password_command"));
    }
    let value = if off.is_some() { Said::new("0", line.from.clone()) } else { line.said() };
    said.insert(*key, value);
    Ok(())
}

fn host(
    said: &Everything,
    in_url_port: bool,
    place: &Place<'_>,
) -> Result<(Host, String), Problem> {
    let protocol = said.get("protocol").map(|said| said.value.to_ascii_lowercase());
    let named = said.get("host");
    let local = named.is_none_or(|host| is_local(&host.value));
    let tcp = match protocol.as_deref() {
        None | Some("") => !local || (in_url_port && !said.contains_key("socket")),
        Some("tcp") => true,
        Some("socket") if local => false,
        Some("socket") => {
            return Err(Problem::usage(
                "The protocol is `socket`, but the host is another machine.",
            )
            .hint("leave out the one or the other"));
        }
        Some(other) => {
            return Err(Problem::usage(format!("There is no protocol {} here.", quoted(other)))
                .hint("it is tcp or socket"));
        }
    };
    let host_from =
        || named.map_or_else(|| "no host was named".to_owned(), |host| host.from.clone());
    if tcp {
        let name = named.filter(|host| !host.value.is_empty());
        let name = name.map_or_else(|| "localhost".to_owned(), |host| host.value.to_string());
        if said.get("socket").is_some_and(|socket| socket.from == "the url") {
            return Err(Problem::usage("The url names a socket and a host.")
                .hint("leave the host empty, or delete the socket"));
        }
        return Ok((Host::Tcp(name), host_from()));
    }
    if let Some(socket) = said.get("socket") {
        return Ok((Host::Socket(place.path(&socket.value)), socket.from.clone()));
    }
    let sockets = SOCKETS.map(|socket| place.system(socket));
    let there = sockets.iter().find(|socket| socket.exists()).unwrap_or(&sockets[0]).clone();
    let why = if named.is_some() { "localhost is a socket".to_owned() } else { host_from() };
    Ok((Host::Socket(there), format!("the usual socket: {why}")))
}

fn tls(
    said: &Everything,
    host: &Host,
    place: &Place<'_>,
    origins: &mut Vec<(&'static str, String)>,
) -> Result<Tls, Problem> {
    const MODES: [(&str, TlsMode); 5] = [
        ("DISABLED", TlsMode::Disable),
        ("PREFERRED", TlsMode::Prefer),
        ("REQUIRED", TlsMode::Require),
        ("VERIFY_CA", TlsMode::VerifyCa),
        ("VERIFY_IDENTITY", TlsMode::VerifyFull),
    ];
    let flag = |key: &str| said.get(key).map(|said| (is_on(said), said.from.clone()));
    let (mut mode, mut from) = match (said.get("ssl-mode"), flag("ssl")) {
        (Some(said), _) => {
            let word = said.value.to_ascii_uppercase().replace('-', "_");
            let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == word) else {
                let problem = Problem::usage(format!(
                    "{}: ssl-mode cannot be {}.",
                    said.from,
                    quoted(&said.value)
                ));
                return Err(match did_you_mean(&word, MODES.map(|(name, _)| name)) {
                    Some(near) => problem.hint(format!("did you mean {near}?")),
                    None => problem.hint(format!("there are {}", MODES.map(|(w, _)| w).join(", "))),
                });
            };
            (*mode, said.from.clone())
        }
        (None, Some((false, from))) => (TlsMode::Disable, from),
        (None, Some((true, from))) => (TlsMode::Require, from),
        (None, None) => (TlsMode::Prefer, "MySQL's standard".to_owned()),
    };
    if let (Some(ca), None, TlsMode::Prefer) = (said.get("ssl-ca"), said.get("ssl-mode"), mode) {
        // Whoever names an authority wants it looked at.
        (mode, from) = (TlsMode::VerifyCa, format!("ssl-ca of {}", ca.from));
    }
    if let Some((true, asked)) = flag("ssl-verify-server-cert")
        && mode != TlsMode::Disable
    {
        (mode, from) = (TlsMode::VerifyFull, asked);
    }
    if let Host::Socket(_) = host {
        match mode {
            TlsMode::VerifyFull => {
                return Err(Problem::usage(format!(
                    "{from}: a socket has no host name that a certificate could prove."
                ))
                .hint("use ssl-mode=PREFERRED on this machine, or connect by the host's name"));
            }
            TlsMode::Allow | TlsMode::Prefer => {
                (mode, from) =
                    (TlsMode::Disable, "a socket does not leave this machine".to_owned());
            }
            // An account may insist on TLS even here.
            TlsMode::Disable | TlsMode::Require | TlsMode::VerifyCa => {}
        }
    }
    origins.push(("tls", from));
    if mode == TlsMode::Disable {
        return Ok(Tls { mode, ca: None, cert: None, key: None });
    }
    let mut file = |option: &str, key: &'static str| {
        let said = said.get(option)?;
        origins.push((key, said.from.clone()));
        Some(place.path(&said.value))
    };
    let (ca, cert, key) = (file("ssl-ca", "ca"), file("ssl-cert", "cert"), file("ssl-key", "key"));
    place::tls(Tls { mode, ca, cert, key }, "the client certificate")
}
