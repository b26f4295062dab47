//! What is said about runs without a screen: how many connections, how long, how often, how long
//! they are remembered, and who is told when a verdict changes.
//!
//! Secrets are named, never written: an address that lets anybody post comes from a variable or a
//! command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;

use super::{Origin, Setting};
use crate::check::Severity;
use crate::source::{Spot, Table, duration_text, quoted};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runs {
    /// Connections to one server at a time.
    pub connections: Option<Setting<u64>>,
    /// For a whole run; what has not been asked by then is inconclusive.
    pub budget: Option<Setting<Duration>>,
    /// How long runs are remembered.
    pub keep: Option<Setting<Duration>>,
    pub suites: Vec<Suite>,
    pub alerts: Vec<Alert>,
}

/// What is expected of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    pub name: String,
    /// How often it is to run.
    pub every: Duration,
    pub spot: Spot,
}

/// Somebody who is told when a verdict changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub name: String,
    pub channel: Channel,
    /// Only these targets and suites; all without any.
    pub targets: Vec<(String, Spot)>,
    pub suites: Vec<(String, Spot)>,
    /// Checks that are less severe are not told.
    pub at_least: Severity,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Channel {
    /// A webhook that takes what Slack takes.
    Slack {
        url: Secret,
    },
    /// A webhook that gets the whole event as JSON.
    Webhook {
        url: Secret,
        token: Option<Secret>,
        ca: Option<PathBuf>,
    },
    Email(Box<Email>),
    /// An argument vector that gets the event as JSON on its standard input.
    Command {
        argv: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Email {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    /// Trusted certificates instead of those of the system.
    pub ca: Option<PathBuf>,
    pub from: String,
    pub to: Vec<String>,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// From the first byte.
    Tls,
    /// Asked for, and the mail is not sent without it.
    Starttls,
    /// For a relay on this machine.
    None,
}

/// Where a secret is to be found when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// An address without anything secret in it.
    Plain(String),
    Variable(String),
    Command(Vec<String>),
}

impl Secret {
    /// The place, never what is there.
    pub fn place(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Variable(name) => format!("the variable {name}"),
            Self::Command(argv) => {
                format!("the command {}", argv.first().map_or("", String::as_str))
            }
        }
    }
}

impl Channel {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Webhook { .. } => "webhook",
            Self::Email(_) => "email",
            Self::Command { .. } => "command",
        }
    }

    /// Where it leads, without a secret.
    fn leads_to(&self) -> String {
        match self {
            Self::Slack { url } | Self::Webhook { url, .. } => url.place(),
            Self::Email(mail) => {
                format!("{} through {}:{}", mail.to.join(", "), mail.host, mail.port)
            }
            // An argument may be a secret of its own.
            Self::Command { argv } => {
                format!("{} …", argv.first().map_or("", String::as_str))
            }
        }
    }
}

impl Runs {
    pub(super) fn under(self, top: Self) -> Self {
        let mut suites = self.suites;
        suites.retain(|suite| top.suites.iter().all(|other| other.name != suite.name));
        suites.extend(top.suites);
        let mut alerts = self.alerts;
        alerts.retain(|alert| top.alerts.iter().all(|other| other.name != alert.name));
        alerts.extend(top.alerts);
        Self {
            connections: top.connections.or(self.connections),
            budget: top.budget.or(self.budget),
            keep: top.keep.or(self.keep),
            suites,
            alerts,
        }
    }

    pub fn connections(&self) -> usize {
        self.connections.as_ref().map_or(1, |set| usize::try_from(set.value).unwrap_or(1))
    }

    pub fn budget(&self) -> Duration {
        self.budget.as_ref().map_or(Duration::from_mins(30), |set| set.value)
    }

    pub fn keep(&self) -> Duration {
        self.keep.as_ref().map_or(Duration::from_hours(400 * 24), |set| set.value)
    }

    pub fn every(&self, suite: &str) -> Option<Duration> {
        self.suites.iter().find(|one| one.name == suite).map(|one| one.every)
    }

    pub(super) fn lines(&self) -> Vec<(String, String, Origin)> {
        let origin = |origin: Option<&Origin>| origin.cloned().unwrap_or(Origin::BuiltIn);
        let of = |set: &Option<Setting<Duration>>| origin(set.as_ref().map(|set| &set.origin));
        let mut lines = vec![
            (
                "run.connections".to_owned(),
                self.connections().to_string(),
                origin(self.connections.as_ref().map(|set| &set.origin)),
            ),
            ("run.budget".to_owned(), duration_text(self.budget()), of(&self.budget)),
            ("history.keep".to_owned(), duration_text(self.keep()), of(&self.keep)),
        ];
        for Suite { name, every, spot } in &self.suites {
            let key = format!("suite.{name}.every");
            lines.push((key, duration_text(*every), Origin::of(spot)));
        }
        for Alert { name, channel, targets, suites, at_least, origin } in &self.alerts {
            let mut line = |key: &str, value| {
                lines.push((format!("alert.{name}{key}"), value, origin.clone()));
            };
            line("", format!("{}: {}", channel.word(), channel.leads_to()));
            line(".at_least", at_least.key().to_owned());
            for (key, names) in [(".targets", targets), (".suites", suites)] {
                if !names.is_empty() {
                    let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
                    line(key, names.join(", "));
                }
            }
        }
        lines
    }
}

/// The tables `[run]`, `[history]`, `[suite.NAME]` and `[alert.NAME]` of a file.
pub(super) fn read(table: &Table<'_>, base: &Path, home: Option<&Path>) -> Runs {
    let origin = |table: &Table<'_>, key: &str| Origin::of(&table.spot(key));
    let mut runs = Runs::default();
    table.table("run", "`run`", |run| {
        let connections = run.optional_whole("connections", 1..=64);
        runs.connections =
            connections.map(|value| Setting { value, origin: origin(run, "connections") });
        let budget = run.optional_duration("budget");
        runs.budget = budget.map(|value| Setting { value, origin: origin(run, "budget") });
    });
    table.table("history", "`history`", |history| {
        let keep = history.optional_duration("keep");
        runs.keep = keep.map(|value| Setting { value, origin: origin(history, "keep") });
    });
    runs.suites = table.named("suite", "a suite", |name, suite| Suite {
        name: name.to_owned(),
        every: suite.duration("every"),
        spot: suite.here().clone(),
    });
    runs.alerts = table.named("alert", "an alert", |name, alert| {
        let severities = Severity::ALL.map(|severity| (severity, severity.key()));
        Alert {
            name: name.to_owned(),
            channel: channel(alert, base, home),
            targets: alert.spotted_texts("targets"),
            suites: alert.spotted_texts("suites"),
            at_least: alert.optional_one_of("at_least", &severities).unwrap_or(Severity::Sev4),
            origin: Origin::of(alert.here()),
        }
    });
    runs
}

#[derive(Clone, Copy)]
enum Kind {
    Slack,
    Webhook,
    Email,
    Command,
}

fn channel(alert: &Table<'_>, base: &Path, home: Option<&Path>) -> Channel {
    const KINDS: [(Kind, &str); 4] = [
        (Kind::Slack, "slack"),
        (Kind::Webhook, "webhook"),
        (Kind::Email, "email"),
        (Kind::Command, "command"),
    ];
    let file = |key: &'static str| {
        let path = base.join(alert.optional_text(key)?);
        Some(super::file::at_home(&path, base, home))
    };
    for secret in ["password", "token"] {
        alert.elsewhere(
            secret,
            "A secret does not belong in this file; name a variable with `…_env` or a command with `…_command`.",
        );
    }
    match alert.one_of("kind", &KINDS) {
        Kind::Slack => {
            alert.elsewhere(
                "url",
                "Whoever knows the address of a Slack webhook may post to it; name a variable with `url_env` or a command with `url_command`.",
            );
            Channel::Slack { url: need_secret(alert, "url_env", "url_command") }
        }
        Kind::Webhook => {
            let plain = alert.optional_text("url");
            if plain.as_ref().is_some_and(|url| url.contains(['?', '@'])) {
                alert.fault("url", "An address with a user or with parameters may hold a secret; name a variable with `url_env` or a command with `url_command`.");
            }
            let is_web = |url: &String| {
                let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
                rest.is_some_and(|rest| !rest.is_empty() && !url.contains(char::is_whitespace))
            };
            if plain.as_ref().is_some_and(|url| !is_web(url)) {
                alert.fault("url", "This is no address to send to; write one such as \"https://hooks.example.org/x\".");
            }
            let url = match plain {
                Some(url) => Secret::Plain(url),
                None => need_secret(alert, "url_env", "url_command"),
            };
            let token = secret(alert, "token_env", "token_command");
            Channel::Webhook { url, token, ca: file("ca") }
        }
        Kind::Email => {
            let ca = file("ca");
            Channel::Email(Box::new(email(alert, ca)))
        }
        Kind::Command => Channel::Command { argv: alert.argv("command") },
    }
}

fn email(alert: &Table<'_>, ca: Option<PathBuf>) -> Email {
    const TLS: [(MailTls, &str); 3] =
        [(MailTls::Tls, "tls"), (MailTls::Starttls, "starttls"), (MailTls::None, "none")];
    let tls = alert.optional_one_of("tls", &TLS).unwrap_or(MailTls::Tls);
    let usual = match tls {
        MailTls::Tls => 465,
        MailTls::Starttls => 587,
        MailTls::None => 25,
    };
    let user = alert.optional_text("user");
    let password = secret(alert, "password_env", "password_command");
    if user.is_some() != password.is_some() {
        alert.fault_here("`user` and its password come together; write both or neither.");
    }
    if user.is_some() && tls == MailTls::None {
        alert.fault("tls", "A password is not sent over a connection that anybody can read; write tls = \"tls\" or \"starttls\".");
    }
    let host = alert.text("host");
    if host.contains(|c: char| c.is_whitespace() || c == '/') {
        alert.fault(
            "host",
            "This is no name of a mail server; write one such as \"mail.example.org\".",
        );
    }
    let from = alert.text("from");
    let to = alert.some_texts("to");
    for (key, address) in std::iter::once(("from", &from)).chain(to.iter().map(|to| ("to", to))) {
        if !address.trim().is_empty() && address.parse::<Mailbox>().is_err() {
            let address = quoted(address);
            alert.fault(
                key,
                format!("{address} is no mail address; write one such as \"db@example.org\"."),
            );
        }
    }
    Email {
        port: alert
            .optional_whole("port", 1..=65_535)
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(usual),
        host,
        tls,
        ca,
        from,
        to,
        user,
        password,
    }
}

fn secret(table: &Table<'_>, variable: &'static str, command: &'static str) -> Option<Secret> {
    table.ignore(command);
    let argv = table.has(command).then(|| table.argv(command));
    let name = table.optional_text(variable);
    if name.is_some() && argv.is_some() {
        table.fault(command, format!("`{variable}` says it already; write one of the two."));
    }
    name.map(Secret::Variable).or(argv.map(Secret::Command))
}

fn need_secret(table: &Table<'_>, variable: &'static str, command: &'static str) -> Secret {
    secret(table, variable, command).unwrap_or_else(|| {
        table.need(variable, "\"NAME_OF_A_VARIABLE\"");
        Secret::Plain(String::new())
    })
}
