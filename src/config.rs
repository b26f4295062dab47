//! The validated configuration: what was said, by whom, and nothing of what is done with it.
//!
//! Layers, the later wins: built-in, `/etc/steadyhand/`, the user's folder, `./steadyhand.toml`,
//! `STEADYHAND_…` variables, arguments. Every value keeps its origin. Who must agree to a change is the
//! exception: the strictest layer wins (`policy`). No password is ever accepted, kept or shown. Knows no
//! engine: whether a target can be attached is not its business.

pub mod access;
mod approval;
pub mod backup;
mod file;
mod layers;
mod policy;
pub mod runs;
mod targets;
mod url;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check::Settings;
use crate::check::bind::Binding;
use crate::check::settings::Adjustment;
use crate::practice::{self, Practice};
use crate::problem::Problem;
use crate::source::{Fault, Spot, did_you_mean, duration_text, quoted};

pub use approval::Seconding;
pub use layers::{Overrides, Surroundings};
pub use policy::Policy;
pub use targets::{Approval, Bond, Environment, Target};
pub use url::{Server, TargetUrl};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    File { path: String, line: usize },
    Variable(&'static str),
    Argument(&'static str),
}

impl Origin {
    fn of(spot: &Spot) -> Self {
        Self::File { path: spot.file().to_owned(), line: spot.line() }
    }
}

fn bound(line: &mut impl FnMut(&str, String, &Origin), before: &str, binding: &Binding) {
    let origin = binding.spot.as_ref().map_or(Origin::Argument("--bind"), Origin::of);
    let column = binding.column.as_deref().unwrap_or("table");
    line(&format!("{before}bind.{}.{column}", binding.role), binding.name.clone(), &origin);
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) | Self::Argument(name) => f.write_str(name),
        }
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

impl<T> Setting<T> {
    fn built_in(value: T) -> Self {
        Self { value, origin: Origin::BuiltIn }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The name of a theme, a path that ends in `.toml`, or `auto`.
    pub theme: Setting<String>,
    /// A file of key bindings, if not the built-in ones.
    pub keymap: Option<Setting<PathBuf>>,
    /// Only ASCII on the screen, for terminals that draw nothing else.
    pub ascii: Setting<bool>,
    /// Wheel and click go to the program and no more to the terminal.
    pub mouse: Setting<bool>,
    /// The first start shows around.
    pub tour: Setting<bool>,
    /// How often what is on the screen asks again.
    pub refresh: Setting<Duration>,
    /// Where the incidents of several hosts are kept, besides the folder.
    pub store: Option<Setting<Target>>,
    /// How long whoever works on an incident has to answer before it can be taken over.
    pub take_over_after: Setting<Duration>,
    /// Where incidents are kept.
    pub state: Setting<PathBuf>,
    /// Folders of checks, besides the built-in ones; a later one replaces by id.
    pub checks: Vec<Setting<PathBuf>>,
    /// Folders of runbooks, likewise.
    pub runbooks: Vec<Setting<PathBuf>>,
    /// What is said about checks by their id, and about the names of their tables.
    pub settings: Settings,
    /// What is agreed on for incidents, and what of it the files said.
    pub practice: Practice,
    agreed: practice::Said,
    /// What is said about runs without a screen.
    pub runs: runs::Runs,
    /// How a second person agrees.
    pub seconding: Seconding,
    /// By name.
    pub targets: Vec<Target>,
    /// What is not wrong but was perhaps not meant.
    pub warnings: Vec<String>,
}

impl Config {
    /// All layers together, or every fault of all of them.
    pub fn load(around: &Surroundings, overrides: &Overrides) -> Result<Self, Vec<Fault>> {
        layers::load(around, overrides)
    }

    pub fn check_dirs(&self) -> Vec<PathBuf> {
        self.checks.iter().map(|dir| dir.value.clone()).collect()
    }

    pub fn runbook_dirs(&self) -> Vec<PathBuf> {
        self.runbooks.iter().map(|dir| dir.value.clone()).collect()
    }

    /// The target of an argument: a configured name, a url, or the path of an existing SQLite file.
    pub fn target(&self, wanted: &str) -> Result<Target, Problem> {
        if let Some(target) = self.targets.iter().find(|target| target.name == wanted) {
            return Ok(target.clone());
        }
        if wanted.contains("://") || wanted.starts_with("sqlite:") {
            // What was typed is not repeated: it may hold a password.
            let url = TargetUrl::parse(wanted, Path::new(""))
                .map_err(|complaint| Problem::usage(complaint.sentence))?;
            return Ok(self.seconding.policy.over(Target::on_the_spot(url), None));
        }
        let path = Path::new(wanted);
        if path.is_file() {
            let target = Target::on_the_spot(TargetUrl::sqlite(path));
            return Ok(self.seconding.policy.over(target, None));
        }
        if wanted.contains(['@', '=']) {
            // Nor is this: it may be a url, or what libpq takes for one, with a password.
            return Err(Problem::usage("That is no target, no file and no url.").hint(
                "write a url as postgres://USER@HOST/DATABASE, without a password; it was not repeated, as it may hold one",
            ));
        }
        let names: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        let problem = Problem::usage(format!("There is no target and no file {}.", quoted(wanted)));
        Err(match did_you_mean(wanted, names.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
            None if names.is_empty() => problem.hint(
                "no target is configured: write a url, the path of an SQLite file, or a [target.NAME] in steadyhand.toml",
            ),
            None => problem.hint(format!(
                "configured are {}; a url or the path of an SQLite file will do as well",
                names.join(", ")
            )),
        })
    }

    /// Packs of targets that there are none of.
    pub fn unknown_packs(&self, known: &[&str]) -> Vec<Fault> {
        let named = self.targets.iter().flat_map(|target| &target.packs);
        named.filter_map(|(name, spot)| spot.unknown("pack", name, known)).collect()
    }

    /// Suites that no check is in, and targets that are not configured, where something waits for them: an
    /// alert that is never sent, a run that can never be.
    pub fn unknown_in_runs(&self, suites: &[&str]) -> Vec<Fault> {
        let targets: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        let alerts = &self.runs.alerts;
        let expected = self.runs.suites.iter().map(|suite| (&suite.name, &suite.spot));
        let told = alerts.iter().flat_map(|alert| &alert.suites).map(|(name, spot)| (name, spot));
        let of_suites =
            expected.chain(told).filter_map(|(name, spot)| spot.unknown("suite", name, suites));
        let watched = alerts.iter().flat_map(|alert| &alert.targets);
        let of_targets = watched.filter_map(|(name, spot)| spot.unknown("target", name, &targets));
        of_suites.chain(of_targets).collect()
    }

    /// Every value with its origin, for `steadyhand config`; nothing in it is secret.
    pub fn lines(&self) -> Vec<(String, String, String)> {
        let mut lines = vec![];
        let mut line = |key: &str, value: String, origin: &Origin| {
            lines.push((key.to_owned(), value, origin.to_string()));
        };
        let path = |path: &Path| path.display().to_string();
        line("theme", self.theme.value.clone(), &self.theme.origin);
        match &self.keymap {
            Some(file) => line("keymap", path(&file.value), &file.origin),
            None => line("keymap", "built-in".into(), &Origin::BuiltIn),
        }
        line("ascii", self.ascii.value.to_string(), &self.ascii.origin);
        line("mouse", self.mouse.value.to_string(), &self.mouse.origin);
        line("tour", self.tour.value.to_string(), &self.tour.origin);
        line("refresh", duration_text(self.refresh.value), &self.refresh.origin);
        if let Some(store) = &self.store {
            line("store", store.value.url.to_string(), &store.origin);
        }
        let patience = &self.take_over_after;
        line("take_over_after", duration_text(patience.value), &patience.origin);
        line("state", path(&self.state.value), &self.state.origin);
        for (key, dirs) in [("checks", &self.checks), ("runbooks", &self.runbooks)] {
            line(key, "built-in".into(), &Origin::BuiltIn);
            for dir in dirs {
                line(key, path(&dir.value), &dir.origin);
            }
        }
        for one in &self.settings.checks {
            let Adjustment { check, spot, severity, owner, timeout, warn, critical, .. } = one;
            let said = [
                ("severity", severity.map(|severity| severity.key().to_owned())),
                ("owner", owner.clone()),
                ("timeout", timeout.map(duration_text)),
                ("warn", warn.as_ref().map(ToString::to_string)),
                ("critical", critical.as_ref().map(ToString::to_string)),
                ("disabled", one.disabled.clone()),
            ];
            for (key, value) in said {
                let Some(value) = value else { continue };
                line(&format!("check.{check}.{key}"), value, &Origin::of(spot));
            }
            for binding in &one.bind {
                bound(&mut line, &format!("check.{check}."), binding);
            }
        }
        for binding in &self.settings.bind {
            bound(&mut line, "", binding);
        }
        for (key, value, spot) in self.agreed.lines() {
            line(&key, value, &Origin::of(&spot));
        }
        for (key, value, origin) in self.runs.lines() {
            line(&key, value, &origin);
        }
        for (key, value, origin) in self.seconding.lines() {
            line(key, value, &origin);
        }
        let places = self.seconding.policy.places();
        for target in &self.targets {
            for (key, value) in target.lines() {
                let origin = match key {
                    "approval" | "high_risk" => places.origin(target, key),
                    _ => &target.origin,
                };
                line(&format!("target.{}.{key}", target.name), value, origin);
            }
        }
        lines
    }
}

/// Judges one configuration file without using it.
pub fn lint(file_name: &str, source: &str) -> Vec<Fault> {
    file::parse(file_name, source, Path::new(""), None).err().unwrap_or_default()
}

#[cfg(test)]
mod tests;
