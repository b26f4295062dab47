//! What is told to people who are not looking: which verdicts changed, whose they are, and the exact
//! command to go on with.
//!
//! No row and no key leaves the house unless the check allows it, and neither do the words of a
//! database, which may repeat one.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::junit::open_with;
use super::{Outcome, text};
use crate::check::Severity;
use crate::history::{Change, Run, State};
use crate::source::shell_word;
use crate::value::visible;

/// The changes of one run on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub at: Timestamp,
    pub target: String,
    pub environment: String,
    pub suites: Vec<String>,
    pub changes: Vec<Told>,
    /// Whom it has not reached yet, where it has reached some. Of the outbox, and told to nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub check: String,
    pub title: String,
    pub rule: String,
    pub severity: Severity,
    pub owner: String,
    /// None at the first run, or where the history cannot be read.
    pub before: Option<State>,
    pub now: State,
    pub number: Option<f64>,
    /// The number is a lower bound.
    #[serde(default)]
    pub at_least: bool,
    pub reason: Option<String>,
    /// When the present trouble was seen first.
    pub first_seen: Option<Timestamp>,
    pub last_clear: Option<Timestamp>,
    pub runbook: Option<String>,
    /// What to type.
    pub command: String,
    /// Only of checks that allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
}

impl Event {
    pub fn of(id: String, run: &Run, target: &str, changes: Vec<Told>) -> Self {
        let Run { at, environment, suites, .. } = run.clone();
        Self { id, at, target: target.to_owned(), environment, suites, changes, left: Vec::new() }
    }

    pub fn json(&self) -> String {
        super::json::line(&serde_json::to_value(self).expect("an event is plain data"))
    }

    pub fn subject(&self) -> String {
        let mut words = Vec::new();
        for state in [State::Violated, State::Inconclusive, State::Warning, State::Clear] {
            let n = self.changes.iter().filter(|told| told.now == state).count();
            if n > 0 {
                let again = if state == State::Clear { " again" } else { "" };
                words.push(format!("{n} {}{again}", state.word()));
            }
        }
        format!(
            "[steadyhand] {} ({}): {}",
            visible::text(&self.target),
            self.environment,
            words.join(", ")
        )
    }

    pub fn text(&self) -> String {
        let mut out = format!(
            "{} ({}), {}\n",
            visible::text(&self.target),
            self.environment,
            text::minute(self.at)
        );
        for told in &self.changes {
            let _ = write!(out, "\n{}", told.text());
        }
        out
    }

    /// The body of a Slack webhook: its text is Slack's own markup, in which three signs mean
    /// something.
    pub fn slack(&self) -> String {
        let escaped =
            |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let text = format!("*{}*\n{}", escaped(&self.subject()), escaped(&self.text()));
        super::json::line(&serde_json::json!({ "text": text }))
    }
}

impl Told {
    pub fn of(outcome: &Outcome, change: &Change) -> Self {
        let check = &outcome.check;
        let reason = if check.alert_keys { outcome.reason() } else { outcome.own_reason() };
        Self {
            check: check.id.clone(),
            title: check.title.clone(),
            rule: check.rule.clone(),
            severity: check.severity,
            owner: check.owner.clone(),
            before: change.before,
            now: change.now.state,
            number: change.now.number,
            at_least: change.now.at_least,
            reason: reason.map(str::to_owned),
            first_seen: change.now.first_seen,
            last_clear: change.now.last_clear,
            runbook: check.runbook.clone(),
            command: match &check.runbook {
                Some(runbook) => open_with(runbook, &outcome.address),
                None => {
                    let address = shell_word(&outcome.address);
                    format!("steadyhand check --target {address} --check {}", check.id)
                }
            },
            keys: check.alert_keys.then(|| text::named(outcome)).flatten(),
        }
    }

    fn text(&self) -> String {
        let shown = |text: &str| visible::text(text).into_owned();
        let before = self.before.map_or("not known", State::word);
        let mut out = format!(
            "{} {}  {}\n  {} (was {before})",
            self.severity,
            shown(&self.check),
            shown(&self.title),
            self.now.word(),
        );
        if let Some(number) = self.number.filter(|_| self.now != State::Clear) {
            let _ = write!(out, ": {}{number}", if self.at_least { ">= " } else { "" });
        }
        if let Some(reason) = &self.reason {
            let _ = write!(out, ": {}", shown(reason));
        }
        out.push('\n');
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(out, "  {name:<11}{value}");
        };
        line("rule", &shown(&self.rule));
        if let Some(keys) = &self.keys {
            line("rows", keys);
        }
        if let Some(clear) = self.last_clear.filter(|_| self.now != State::Clear) {
            line("last clear", &text::minute(clear));
        }
        line("owner", &shown(&self.owner));
        if self.now != State::Clear {
            line("go on with", &shown(&self.command));
        }
        out
    }
}
