//! What a server tells: who it is, what can be promised there, what presses on it.

use std::time::Duration;

use super::Blind;
use crate::value::counted;

/// By which name a server is known again, and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub server: String,
    pub version: String,
}

/// Who the server is, by its own word, and what can be promised there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Differs between two databases whatever they are called.
    pub server: String,
    /// Which of its histories this is, where a copy that took over keeps the name and has one of its
    /// own from then on.
    pub history: Option<String>,
    pub version: String,
    /// As whom we are there.
    pub role: String,
    /// It repeats what another server does, and so is late and cannot be written.
    pub replica: bool,
    /// Why nothing may be written through this connection, if so: a replica, a pooler that hands
    /// transactions around, a read-only server.
    pub no_writes: Option<String>,
    /// Settings that change the meaning of SQL.
    pub settings: Vec<Setting>,
    pub badge: Badge,
}

impl Identity {
    /// The name together with the history: what a preview and its execution must have in common.
    pub fn incarnation(&self) -> String {
        match &self.history {
            Some(history) => format!("{}, {history}", self.server),
            None => self.server.clone(),
        }
    }

    /// The settings in one line.
    pub fn settings_told(&self) -> String {
        self.settings.iter().map(Setting::words).collect::<Vec<_>>().join(", ")
    }
}

/// A setting of our session beside that of the application, where the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub ours: String,
    /// What a new session of the application gets; `None` where it cannot be known.
    pub theirs: Option<String>,
}

impl Setting {
    pub fn differs(&self) -> bool {
        self.theirs.as_ref().is_some_and(|theirs| *theirs != self.ours)
    }

    pub fn words(&self) -> String {
        let told = |value: &str| if value.is_empty() { "''".to_owned() } else { value.to_owned() };
        let ours = format!("{} {}", self.name, told(&self.ours));
        match &self.theirs {
            Some(theirs) if self.differs() => {
                format!("{ours} (the application has {})", told(theirs))
            }
            _ => ours,
        }
    }
}

/// What can be promised on a connection, found out when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    pub preview: Capability,
    pub undo: Capability,
    /// Finding out what became of a COMMIT that was cut off.
    pub in_doubt: Capability,
    pub guardrail: Capability,
}

impl Badge {
    /// Each promise by its name.
    pub fn parts(&self) -> [(&'static str, &Capability); 4] {
        [
            ("preview", &self.preview),
            ("undo", &self.undo),
            ("in doubt", &self.in_doubt),
            ("guardrail", &self.guardrail),
        ]
    }

    pub fn full() -> Self {
        let full = || Capability::Full;
        Self { preview: full(), undo: full(), in_doubt: full(), guardrail: full() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    Full,
    /// With the reason.
    Partial(String),
    None(String),
}

impl Capability {
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }

    pub fn is_none(&self) -> bool {
        matches!(self, Self::None(_))
    }

    pub fn words(&self) -> String {
        match self {
            Self::Full => "full".into(),
            Self::Partial(why) => format!("partial: {why}"),
            Self::None(why) => format!("none: {why}"),
        }
    }
}

/// A session that waits for a lock of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    pub who: String,
    pub waited: Duration,
    pub sql: String,
}

/// What presses on a server at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pressure {
    pub connections: u64,
    pub most_connections: Option<u64>,
    /// Who waits for whom.
    pub waits: Vec<Wait>,
    /// Transactions open for longer than a moment, the oldest first.
    pub transactions: Vec<LongTransaction>,
    pub replicas: Vec<Lag>,
    /// Sessions of an earlier steadyhand that are still there, not ours of now.
    pub orphans: Vec<Orphan>,
    /// What could not be seen, a sentence each.
    pub blind: Blind,
}

impl Pressure {
    /// What an operator should know of, in one line; empty when the server is calm.
    pub fn words(&self) -> String {
        const LONG: Duration = Duration::from_mins(1);
        let mut parts = Vec::new();
        let longest = self.waits.iter().map(|wait| wait.waiter.waited).max();
        if let Some(longest) = longest {
            let (count, longest) = (self.waits.len(), longest.as_secs());
            parts.push(format!("{count} waiting for locks, the longest {longest} s"));
        }
        let long: Vec<&LongTransaction> =
            self.transactions.iter().filter(|open| open.open >= LONG).collect();
        let idle = long.iter().filter(|open| open.idle).count();
        if idle > 0 {
            parts.push(format!("{idle} idle in transaction for over a minute"));
        }
        if long.len() > idle {
            parts.push(format!("{} transactions longer than a minute", long.len() - idle));
        }
        if let Some(most) = self.most_connections
            && self.connections * 100 >= most * 80
        {
            parts.push(format!("{} of {most} connections", self.connections));
        }
        let behind = self.replicas.iter().filter_map(|lag| lag.behind).max();
        if let Some(behind) = behind.filter(|behind| *behind >= Duration::from_secs(10)) {
            parts.push(format!("a replica is {} s behind", behind.as_secs()));
        }
        if !self.orphans.is_empty() {
            parts.push(format!(
                "{} of an earlier steadyhand",
                counted(self.orphans.len(), "session")
            ));
        }
        parts.join("; ")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub waiter: Waiter,
    pub blocker: String,
    pub relation: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongTransaction {
    pub who: String,
    pub open: Duration,
    /// It is open and does nothing.
    pub idle: bool,
    pub sql: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub replica: String,
    pub behind: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Names the session for `end_session`; a later session never has the same.
    pub mark: String,
    pub who: String,
    pub doing: String,
    pub since: Duration,
}
