//! One `steadyhand.toml` as a layer.

use std::path::{Path, PathBuf};

use super::layers::Layer;
use super::{Origin, Policy, Seconding, Setting, Target, approval, runs, targets};
use crate::check::Settings;
use crate::practice;
use crate::source::{self, Fault, Table};

/// Reads a file; relative paths in it start at `base`, `~/` at `home`.
pub(super) fn parse(
    file_name: &str,
    source: &str,
    base: &Path,
    home: Option<&Path>,
) -> Result<Layer, Vec<Fault>> {
    source::read(file_name, "the configuration", source, |table| {
        table.elsewhere("targets", "Targets are written one by one: [target.NAME].");
        let path = |text: String| at_home(&base.join(text), base, home);
        let dirs = |key| {
            table.spotted_texts(key).into_iter().map(|(dir, spot)| Setting {
                value: path(dir),
                origin: Origin::File { path: file_name.to_owned(), line: spot.line() },
            })
        };
        let targets =
            table.named("target", "a target", |name, table| targets::read(name, table, base, home));
        let seconding =
            table.table("approval", "`approval`", |table| approval::read(table, base, home));
        Layer {
            theme: table.optional_text("theme").map(|theme| {
                let file = Path::new(&theme).extension().is_some_and(|ending| ending == "toml");
                from(table, "theme", if file { path(theme).display().to_string() } else { theme })
            }),
            keymap: table.optional_text("keymap").map(|file| from(table, "keymap", path(file))),
            ascii: table.optional_flag("ascii").map(|flag| from(table, "ascii", flag)),
            mouse: table.optional_flag("mouse").map(|flag| from(table, "mouse", flag)),
            tour: table.optional_flag("tour").map(|flag| from(table, "tour", flag)),
            refresh: table
                .optional_duration("refresh")
                .map(|length| from(table, "refresh", length)),
            store: Target::store(table, base, home).map(|(value, spot)| Setting {
                value,
                origin: Origin::File { path: file_name.to_owned(), line: spot.line() },
            }),
            take_over_after: table
                .optional_duration("take_over_after")
                .map(|length| from(table, "take_over_after", length)),
            state: table.optional_text("state").map(|dir| from(table, "state", path(dir))),
            checks: dirs("checks").collect(),
            runbooks: dirs("runbooks").collect(),
            settings: Settings::read(table),
            practice: practice::Said::read(table),
            runs: runs::read(table, base, home),
            seconding: Seconding { policy: Policy::of(&targets), ..seconding.unwrap_or_default() },
            targets,
        }
    })
}

pub(super) fn from<T>(table: &Table<'_>, key: &str, value: T) -> Setting<T> {
    let spot = table.spot(key);
    Setting { value, origin: Origin::File { path: spot.file().to_owned(), line: spot.line() } }
}

/// A path that began with `~/` before it was joined to `base`.
pub(super) fn at_home(path: &Path, base: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix(base).unwrap_or(path).strip_prefix("~"), home) {
        (Ok(below), Some(home)) => home.join(below),
        _ => path.to_owned(),
    }
}
