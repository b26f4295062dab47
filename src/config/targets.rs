//! Targets: the databases that may be opened, and how carefully.

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Origin;
use super::backup::{self, Backup};
use super::url::TargetUrl;
use crate::dialect::Dialect;
use crate::problem::Problem;
use crate::source::{Complaint, Spot, Table, duration_text, quoted};

/// What a target is, for colour, friction and policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Production,
    Staging,
    Development,
}

impl Environment {
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Production, "production"),
        (Self::Staging, "staging"),
        (Self::Development, "development"),
    ];

    /// The word in files, in the journal and on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }
}

const MAX_LAG: Duration = Duration::from_secs(30);

/// Who must agree to a change, from the least to the most that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Approval {
    /// The typed confirmation is enough.
    None,
    Confirm,
    /// A second person; or one who says why, and is looked at afterwards.
    BreakGlass,
    /// A second person.
    FourEyes,
}

impl Approval {
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::None, "none"),
        (Self::Confirm, "confirm"),
        (Self::FourEyes, "four-eyes"),
        (Self::BreakGlass, "break-glass"),
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Confirm => "confirm",
            Self::FourEyes => "four-eyes",
            Self::BreakGlass => "break-glass",
        }
    }
}

/// Which server the sessions of a target must find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Bond {
    /// Whoever answers: no incident is open on it.
    #[default]
    Free,
    /// That of the open incident.
    To(String),
    /// The open incident has none yet, and nothing is asked of anybody before it has.
    Unmet,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub name: String,
    pub url: TargetUrl,
    /// Where checks run, if not on the target itself.
    pub detect_url: Option<TargetUrl>,
    /// A program and its arguments; the first line that it prints is the password.
    pub password_command: Option<Vec<String>>,
    /// The same for `detect_url`, if its user has another password.
    pub detect_password_command: Option<Vec<String>>,
    pub environment: Environment,
    /// The server that was pinned; another one is refused.
    pub fingerprint: Option<String>,
    /// The same for `detect_url`.
    pub detect_fingerprint: Option<String>,
    /// Of where checks run: the servers that it must be a copy of, as far as copies can be told.
    pub originals: Vec<String>,
    /// What an open incident is bound to; another server is refused too.
    pub bond: Bond,
    pub approval: Approval,
    /// What a change of high risk needs, if that is more.
    pub high_risk: Option<Approval>,
    /// A replica further behind than this is not judged by.
    pub max_lag: Duration,
    pub timezone: TimeZone,
    /// The packs whose checks and runbooks fit what is in it; all without any.
    pub packs: Vec<(String, Spot)>,
    /// What is promised about its backups.
    pub backup: Backup,
    pub origin: Origin,
}

impl Target {
    /// A target that is known by its place only.
    pub fn new(name: impl Into<String>, url: TargetUrl, environment: Environment) -> Self {
        Self {
            name: name.into(),
            url,
            detect_url: None,
            password_command: None,
            detect_password_command: None,
            environment,
            fingerprint: None,
            detect_fingerprint: None,
            originals: Vec::new(),
            bond: Bond::Free,
            approval: Approval::Confirm,
            high_risk: None,
            max_lag: MAX_LAG,
            timezone: TimeZone::UTC,
            packs: Vec::new(),
            backup: Backup::default(),
            origin: Origin::BuiltIn,
        }
    }

    /// A target as an incident remembers it, when the configuration no longer names it.
    pub fn seen(name: &str, url: &str, environment: &str) -> Result<Self, Problem> {
        let url = TargetUrl::parse(url, Path::new(""))
            .map_err(|complaint| Problem::usage(complaint.sentence))?;
        let known = Environment::ALL.iter().find(|(_, word)| *word == environment);
        // A word of another version is taken for the careful case.
        let environment = known.map_or(Environment::Production, |(environment, _)| *environment);
        Ok(Self::new(name, url, environment))
    }

    /// Where the incidents of several hosts are kept.
    pub(super) fn store(
        table: &Table<'_>,
        base: &Path,
        home: Option<&Path>,
    ) -> Option<(Self, Spot)> {
        let url = self::url(table, "store", base, home)?;
        if url.dialect != Dialect::Postgres {
            table
                .fault("store", "Incidents can be kept in PostgreSQL; write postgres://HOST/NAME.");
            return None;
        }
        Some((Self::new("the incident store", url, Environment::Production), table.spot("store")))
    }

    /// A target that was named in an argument: what it is was not said, so the careful guess holds.
    pub(super) fn on_the_spot(url: TargetUrl) -> Self {
        let name = match &url.server {
            Some(server) => server.called().to_owned(),
            None => url
                .path
                .file_stem()
                .map_or_else(|| "sqlite".to_owned(), |stem| stem.to_string_lossy().into_owned()),
        };
        Self {
            origin: Origin::Argument("--target"),
            ..Self::new(name, url, Environment::Production)
        }
    }

    /// This target with what the other one asks of approvals, where that is more.
    #[must_use]
    pub fn as_careful_as(mut self, other: &Self) -> Self {
        self.approval = self.approval.max(other.approval);
        self.high_risk = self.high_risk.max(other.high_risk);
        self
    }

    /// The same for the words of a journal; one of another version asks for the most.
    #[must_use]
    pub fn at_least(mut self, approval: &str, high_risk: Option<&str>) -> Self {
        let of = |word: &str| {
            let known = Approval::ALL.iter().find(|(_, known)| *known == word);
            known.map_or(Approval::FourEyes, |(approval, _)| *approval)
        };
        self.approval = self.approval.max(of(approval));
        self.high_risk = self.high_risk.max(high_risk.map(of));
        self
    }

    /// Whether what is in this pack is meant for it.
    pub fn takes(&self, pack: &str) -> bool {
        self.packs.is_empty() || self.packs.iter().any(|(name, _)| name == pack)
    }

    /// The servers that must answer, whatever else leads there; mostly none or one.
    pub fn pins(&self) -> impl Iterator<Item = &str> {
        let bound_to = match &self.bond {
            Bond::To(server) => Some(server),
            Bond::Free | Bond::Unmet => None,
        };
        self.fingerprint.iter().chain(bound_to).map(String::as_str)
    }

    /// Whether this server can be no copy of those that it must be one of. A physical copy on PostgreSQL has the
    /// identifier and the databases of its original; elsewhere, and where the server does not tell it, nobody knows.
    pub fn is_no_copy(&self, server: &str) -> bool {
        let told = |server: &str| {
            let (id, _) = server.split_once('/').unwrap_or_default();
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
        };
        let differs = |original: &String| told(original) && original != server;
        self.url.dialect == Dialect::Postgres && told(server) && self.originals.iter().any(differs)
    }

    /// The target as checks see it: `detect_url` where there is one.
    #[must_use]
    pub fn for_checks(&self) -> Self {
        let Some(url) = &self.detect_url else { return self.clone() };
        let own = self.detect_password_command.clone();
        Self {
            url: url.clone(),
            detect_url: None,
            fingerprint: self.detect_fingerprint.clone(),
            // Who names a server for checks means it, whatever it is a copy of.
            originals: match self.detect_fingerprint {
                Some(_) => Vec::new(),
                None => self.pins().map(str::to_owned).collect(),
            },
            // That is the target's own.
            bond: if self.bond == Bond::Unmet { Bond::Unmet } else { Bond::Free },
            password_command: own.or_else(|| self.password_command.clone()),
            ..self.clone()
        }
    }

    /// The target as changes see it: checks run where they write.
    #[must_use]
    pub fn for_changes(&self) -> Self {
        Self { detect_url: None, detect_password_command: None, ..self.clone() }
    }

    /// The key under which the command stands that is asked for the password.
    pub(super) fn password_key(&self) -> &'static str {
        let own = self.detect_url.is_none() && self.detect_password_command.is_some();
        if own && self.password_command == self.detect_password_command {
            "detect_password_command"
        } else {
            "password_command"
        }
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("url", self.url.to_string())];
        lines.extend(self.detect_url.as_ref().map(|url| ("detect_url", url.to_string())));
        let commands = [
            ("password_command", &self.password_command),
            ("detect_password_command", &self.detect_password_command),
        ];
        for (key, argv) in commands {
            let shown = argv.as_ref().and_then(|argv| super::access::command::shown(argv));
            lines.extend(shown.map(|shown| (key, shown)));
        }
        lines.push(("environment", self.environment.word().to_owned()));
        let pinned =
            [("fingerprint", &self.fingerprint), ("detect_fingerprint", &self.detect_fingerprint)];
        lines.extend(pinned.into_iter().filter_map(|(key, pin)| Some((key, pin.clone()?))));
        lines.push(("approval", self.approval.word().to_owned()));
        lines.extend(self.high_risk.map(|approval| ("high_risk", approval.word().to_owned())));
        let timezone = self.timezone.iana_name().unwrap_or("UTC");
        lines.push(("timezone", timezone.to_owned()));
        lines.push(("max_lag", duration_text(self.max_lag)));
        if !self.packs.is_empty() {
            let names: Vec<&str> = self.packs.iter().map(|(name, _)| name.as_str()).collect();
            lines.push(("packs", names.join(", ")));
        }
        lines.extend(self.backup.lines());
        lines
    }
}

/// Reads one `[target.NAME]`; relative SQLite paths start at `base`.
pub(super) fn read(name: &str, table: &Table<'_>, base: &Path, home: Option<&Path>) -> Target {
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) || name.is_empty() {
        table.fault_here(format!(
            "A target cannot be called {}; write letters, digits, -, _ and dots.",
            quoted(name)
        ));
    }
    for secret in ["password", "passwd", "pwd"] {
        table.elsewhere(
            secret,
            "Passwords do not belong in this file; use password_command, PGPASSFILE, ~/.pgpass, ~/.my.cnf or the environment.",
        );
    }
    table.need("url", "\"sqlite://PATH\"");
    let url = url(table, "url", base, home);
    let detect_url = self::url(table, "detect_url", base, home);
    // Of one that cannot be read nobody knows what it would be.
    let dialect = url.as_ref().map(|url| url.dialect);
    if let (Some(detect), Some(own)) = (&detect_url, dialect)
        && detect.dialect != own
    {
        let detect = detect.dialect;
        table.fault(
            "detect_url",
            format!(
                "`detect_url` is {detect} but `url` is {own}; checks must see the same engine."
            ),
        );
    }
    Target {
        detect_url,
        password_command: command(table, "password_command", dialect),
        detect_password_command: command(table, "detect_password_command", dialect),
        environment: table.one_of("environment", &Environment::ALL),
        fingerprint: table.optional_text("fingerprint"),
        detect_fingerprint: table.optional_text("detect_fingerprint"),
        bond: Bond::Free,
        approval: table.optional_one_of("approval", &Approval::ALL).unwrap_or(Approval::Confirm),
        high_risk: table.optional_one_of("high_risk", &Approval::ALL),
        max_lag: table.duration_or("max_lag", MAX_LAG),
        timezone: timezone(table),
        packs: table.spotted_texts("packs"),
        backup: table
            .table("backup", "`backup`", |table| backup::read(table, base, home))
            .unwrap_or_default(),
        origin: Origin::File { path: table.here().file().to_owned(), line: table.here().line() },
        ..Target::new(name, url.unwrap_or_else(|| TargetUrl::sqlite("")), Environment::Production)
    }
}

fn command(table: &Table<'_>, key: &'static str, dialect: Option<Dialect>) -> Option<Vec<String>> {
    if !table.has(key) {
        table.ignore(key);
        return None;
    }
    let argv = table.argv(key);
    if dialect == Some(Dialect::Sqlite) {
        table.fault(key, format!("`{key}` is for servers; an SQLite file has no password."));
    }
    Some(argv)
}

fn url(
    table: &Table<'_>,
    key: &'static str,
    base: &Path,
    home: Option<&Path>,
) -> Option<TargetUrl> {
    let text = table.optional_text(key)?;
    match TargetUrl::parse(&text, base) {
        Ok(url) => {
            let path = super::file::at_home(&url.path, base, home);
            Some(TargetUrl { path, ..url })
        }
        Err(complaint) => {
            table.complain(key, &text, complaint);
            None
        }
    }
}

fn timezone(table: &Table<'_>) -> TimeZone {
    let Some(name) = table.optional_text("timezone") else { return TimeZone::UTC };
    TimeZone::get(&name).unwrap_or_else(|_| {
        let sentence = format!(
            "{} is no time zone; write one such as \"Europe/Zurich\" or \"UTC\".",
            quoted(&name)
        );
        table.complain("timezone", &name, Complaint::new(sentence));
        TimeZone::UTC
    })
}
