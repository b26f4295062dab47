//! What is found around a process, and the words in which it is refused.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use secrecy::zeroize::Zeroizing;

use super::{CONNECT_TIMEOUT, Tls, TlsMode};
use crate::problem::Problem;
use crate::source::{did_you_mean, quoted, shell_word};
use std::time::Duration;

/// The machine as a client sees it.
pub(super) struct Place<'a> {
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub home: Option<&'a Path>,
    /// Where `/etc` and `/run` begin.
    pub root: &'a Path,
}

impl Place<'_> {
    /// A variable that is set to something.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    /// A path of the system.
    pub fn system(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub fn at_home(&self, path: &str) -> Option<PathBuf> {
        self.home.map(|home| home.join(path))
    }

    /// `~/` as people write it in options and variables.
    pub fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), self.home) {
            (Some(below), Some(home)) => home.join(below),
            _ => PathBuf::from(text),
        }
    }

    /// The user of the operating system, as whom a client connects if nobody says otherwise.
    pub fn user(&self) -> Option<Said> {
        let uid = rustix::process::geteuid().as_raw().to_string();
        let accounts = fs::read_to_string(self.system("etc/passwd")).unwrap_or_default();
        let mut accounts = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let own = accounts.find(|fields| fields.get(2) == Some(&uid.as_str()));
        let named = own.and_then(|fields| fields.first().map(|&name| name.to_owned()));
        let named = named.map(|name| Said::new(name, "the user of this system"));
        // Accounts of a directory service are not in the file.
        named.or_else(|| {
            ["USER", "LOGNAME"]
                .into_iter()
                .find_map(|name| Some(Said::new(self.variable(name)?, name)))
        })
    }
}

/// A value and where it was said. It may be a password, so it is wiped.
#[derive(Clone)]
pub(super) struct Said {
    pub value: Zeroizing<String>,
    pub from: String,
}

impl Said {
    pub fn new(value: impl Into<String>, from: impl Into<String>) -> Self {
        Self { value: Zeroizing::new(value.into()), from: from.into() }
    }
}

/// What becomes of an option that a client knows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    Used,
    /// Decided here; these values say the same, another one is refused for this reason.
    Only(&'static [&'static str], &'static str),
    /// Nothing depends on it: passed over in files that others share, refused in a url.
    Left(&'static str),
}

/// The rule of an option of a url, or why the url cannot be used.
pub(super) fn judge_url_option(
    rules: &[(&'static str, Rule)],
    key: &str,
    value: &str,
) -> Result<(), Problem> {
    match rules.iter().find(|(name, _)| *name == key) {
        Some((_, Rule::Left(why))) => {
            Err(Problem::usage(format!("The url says `{key}`, but {why}."))
                .hint("delete it from the url"))
        }
        Some((_, rule)) => judge(*rule, key, value, "the url").map(|_| ()),
        None => {
            let used = rules.iter().filter(|(_, rule)| matches!(rule, Rule::Used));
            let names: Vec<&str> = used.map(|(name, _)| *name).collect();
            let problem = Problem::usage(format!(
                "The url has an option {} that means nothing.",
                quoted(key)
            ));
            Err(match did_you_mean(key, rules.iter().map(|(name, _)| *name)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("there are {}", names.join(", "))),
            })
        }
    }
}

/// Whether a value is to be used; an error where going on without it would be less than was asked.
pub(super) fn judge(rule: Rule, key: &str, value: &str, from: &str) -> Result<bool, Problem> {
    match rule {
        Rule::Used => Ok(true),
        Rule::Left(_) => Ok(false),
        Rule::Only(same, _) if same.iter().any(|word| word.eq_ignore_ascii_case(value)) => {
            Ok(false)
        }
        Rule::Only(_, why) => {
            Err(Problem::usage(format!("{from} says `{key}`, but {why}; nothing was connected."))
                .hint("leave it out there, or say otherwise where it counts more (the url)"))
        }
    }
}

pub(super) fn decoded(text: &str) -> Result<String, Problem> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| {
        Problem::usage("The url holds a %-sequence that is not UTF-8.")
            .hint("a sign that means something in a url is written as % and two hexadecimal digits")
    })
}

pub(super) fn port(said: Option<&Said>, standard: u16) -> Result<u16, Problem> {
    let Some(said) = said else { return Ok(standard) };
    said.value.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
        Problem::usage(format!("{}: {} is no port.", said.from, quoted(&said.value)))
            .hint("a port is a number from 1 to 65535")
    })
}

/// Whole seconds; 0 is a client's word for "without end", which is never done here.
pub(super) fn connect_timeout(said: Option<&Said>) -> Result<Duration, Problem> {
    let Some(said) = said else { return Ok(CONNECT_TIMEOUT) };
    match said.value.trim().parse::<u32>() {
        Ok(0) => Ok(CONNECT_TIMEOUT),
        Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
        Err(_) => Err(Problem::usage(format!(
            "{}: {} is no time to connect in.",
            said.from,
            quoted(&said.value)
        ))
        .hint("write whole seconds, such as 10")),
    }
}

/// What must hold of every encryption, whoever asked for it.
pub(super) fn tls(tls: Tls, key_from: &str) -> Result<Tls, Problem> {
    if tls.mode == TlsMode::VerifyCa && tls.ca.is_none() {
        return Err(Problem::usage(
            "The server's certificate is to be verified against an authority, but none is named.",
        )
        .hint("name its certificate (sslrootcert, ssl-ca), or verify the host as well: then the system's authorities do"));
    }
    if tls.cert.is_some() != tls.key.is_some() {
        return Err(Problem::usage(
            "A client certificate and its key come together; one is missing.",
        )
        .hint("say both sslcert and sslkey (ssl-cert and ssl-key)"));
    }
    for file in [&tls.ca, &tls.cert, &tls.key].into_iter().flatten() {
        if let Err(error) = fs::File::open(file) {
            return Err(Problem::usage(format!("{} cannot be read: {error}.", file.display()))
                .hint("it was named for the encryption of the connection"));
        }
    }
    if let Some(key) = &tls.key {
        // A key of root may be readable by a group, as the engines' own clients allow.
        let owner = fs::metadata(key).map_or(0, |meta| meta.uid());
        private(key, if owner == 0 { 0o037 } else { 0o077 }, &format!("The key of {key_from}"))?;
    }
    Ok(tls)
}

/// Refuses a file with a secret that others can read.
pub(super) fn private(path: &Path, others: u32, what: &str) -> Result<(), Problem> {
    let mode = fs::metadata(path).map_or(0, |meta| meta.mode());
    if mode & others == 0 {
        return Ok(());
    }
    Err(Problem::usage(format!(
        "{what}, {}, can be read by others (mode {:04o}), so it is not used.",
        path.display(),
        mode & 0o7777
    ))
    .hint(format!("chmod 600 {}", shell_word(&path.display().to_string()))))
}

/// A file that may hold passwords; none if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Problem> {
    let Some(mut bytes) = read_bytes(path)? else { return Ok(None) };
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(unreadable(path, "it is not UTF-8"))
        }
    }
}

fn unreadable(path: &Path, why: &str) -> Problem {
    Problem::usage(format!("{} cannot be read: {why}.", path.display()))
        .hint("it is where the engine's own client looks, too; mend it or move it away")
}

/// The same in whatever encoding.
pub(super) fn read_bytes(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Problem> {
    match fs::read(path) {
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(unreadable(path, &error.to_string())),
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
    }
}
