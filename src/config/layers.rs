//! The layers, laid over each other: the later wins, folders add up, targets are replaced whole.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy as _;

use super::approval::Seconding;
use super::file;
use super::runs::Runs;
use super::{Config, Origin, Setting, Target};
use crate::check::Settings;
use crate::check::bind::Binding;
use crate::practice::{self, Practice};
use crate::problem::Problem;
use crate::source::{DURATION_HINT, Fault, did_you_mean, duration, quoted, shell_word};

pub(super) const FILE: &str = "steadyhand.toml";

/// The variables that say something; others that begin alike are asked about.
const VARIABLES: [&str; 11] = [
    "STEADYHAND_THEME",
    "STEADYHAND_KEYMAP",
    "STEADYHAND_ASCII",
    "STEADYHAND_MOUSE",
    "STEADYHAND_TOUR",
    "STEADYHAND_REFRESH",
    "STEADYHAND_STATE",
    "STEADYHAND_CHECKS",
    "STEADYHAND_RUNBOOKS",
    "STEADYHAND_CONFIG",
    "STEADYHAND_CLOCK",
];

/// What arguments say. All of them are optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The configuration file to read in the place of all but the system's (`--config`).
    pub config: Option<PathBuf>,
    pub theme: Option<String>,
    pub keymap: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub checks: Vec<PathBuf>,
    pub runbooks: Vec<PathBuf>,
    /// Names for the tables and columns of checks (`--bind`).
    pub bind: Vec<Binding>,
}

/// What a process finds around itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    pub variables: BTreeMap<String, String>,
    pub home: Option<PathBuf>,
    /// `/etc/steadyhand`.
    pub system: PathBuf,
    /// The user's configuration folder for steadyhand.
    pub user: Option<PathBuf>,
    /// The user's folder for state, where incidents are kept if nothing else is said.
    pub state: Option<PathBuf>,
    /// The working directory.
    pub here: PathBuf,
}

impl Surroundings {
    pub fn of_process() -> Result<Self, Problem> {
        let here = std::env::current_dir().map_err(|error| {
            Problem::system(format!("The working directory cannot be read: {error}."))
                .hint("change into a folder that exists")
        })?;
        let strategy = etcetera::base_strategy::Xdg::new().ok();
        let of = |dir: PathBuf| dir.join("steadyhand");
        Ok(Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .filter(|(name, _)| name.starts_with("STEADYHAND_"))
                .map(|(name, value)| match value.into_string() {
                    Ok(value) => Ok((name, value)),
                    // What it says must not be passed over: another state folder would be taken.
                    Err(_) => Err(Problem::usage(format!("The variable {name} is not UTF-8."))),
                })
                .collect::<Result<_, _>>()?,
            home: strategy.as_ref().map(|xdg| xdg.home_dir().to_owned()),
            system: system(),
            user: strategy.as_ref().map(|xdg| of(xdg.config_dir())),
            state: strategy.and_then(|xdg| xdg.state_dir()).map(of),
            here,
        })
    }
}

/// The folder of the system's layer, which nobody who is bound by it can choose.
fn system() -> PathBuf {
    // Tests of the whole program bring their own; a release has no such variable.
    #[cfg(debug_assertions)]
    if let Some(folder) = std::env::var_os("DEBUG_STEADYHAND_SYSTEM") {
        return folder.into();
    }
    PathBuf::from("/etc/steadyhand")
}

/// What one layer says.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub theme: Option<Setting<String>>,
    pub keymap: Option<Setting<PathBuf>>,
    pub ascii: Option<Setting<bool>>,
    pub mouse: Option<Setting<bool>>,
    pub tour: Option<Setting<bool>>,
    pub refresh: Option<Setting<Duration>>,
    pub store: Option<Setting<Target>>,
    pub take_over_after: Option<Setting<Duration>>,
    pub state: Option<Setting<PathBuf>>,
    pub checks: Vec<Setting<PathBuf>>,
    pub runbooks: Vec<Setting<PathBuf>>,
    pub settings: Settings,
    pub practice: practice::Said,
    pub runs: Runs,
    pub seconding: Seconding,
    pub targets: Vec<Target>,
}

impl Layer {
    /// This layer with a later one on top.
    fn under(mut self, top: Self, warnings: &mut Vec<String>) -> Self {
        self.checks.extend(top.checks);
        self.runbooks.extend(top.runbooks);
        for target in top.targets {
            // Keys of two files mixed would make a target that nobody wrote.
            if let Some(at) = self.targets.iter().position(|other| other.name == target.name) {
                let replaced = self.targets.remove(at);
                warnings.push(format!(
                    "The target {} of {} replaces that of {}.",
                    target.name, target.origin, replaced.origin
                ));
            }
            self.targets.push(target);
        }
        Self {
            theme: top.theme.or(self.theme),
            keymap: top.keymap.or(self.keymap),
            ascii: top.ascii.or(self.ascii),
            mouse: top.mouse.or(self.mouse),
            tour: top.tour.or(self.tour),
            refresh: top.refresh.or(self.refresh),
            store: top.store.or(self.store),
            take_over_after: top.take_over_after.or(self.take_over_after),
            settings: self.settings.under(top.settings),
            practice: self.practice.under(top.practice),
            runs: self.runs.under(top.runs),
            seconding: self.seconding.under(top.seconding, warnings),
            state: top.state.or(self.state),
            ..self
        }
    }
}

pub(super) fn load(around: &Surroundings, overrides: &Overrides) -> Result<Config, Vec<Fault>> {
    let (mut faults, mut warnings) = (vec![], vec![]);
    let mut layers = files(around, overrides, &mut faults);
    layers.push(variables(around, &mut faults, &mut warnings));
    layers.push(arguments(around, overrides));
    let layer =
        layers.into_iter().fold(Layer::default(), |below, top| below.under(top, &mut warnings));
    let state = layer.state.or_else(|| around.state.clone().map(Setting::built_in));
    if state.is_none() {
        faults.push(Fault::whole(
            "STEADYHAND_STATE",
            "There is no home folder, so incidents have no place; set this variable to a folder.",
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut targets = layer.targets;
    targets.sort_by(|a, b| a.name.cmp(&b.name));
    let places = layer.seconding.policy.places();
    for target in &mut targets {
        if let Some(other) = places.stricter(target) {
            warnings.push(format!(
                "The target {} of {} asks for less than {} of {} does for the same database; the stricter holds.",
                target.name, target.origin, other.name, other.origin
            ));
        }
        *target = places.over(target.clone(), None);
    }
    Ok(Config {
        theme: layer.theme.unwrap_or_else(|| Setting::built_in("auto".to_owned())),
        keymap: layer.keymap,
        ascii: layer.ascii.unwrap_or_else(|| Setting::built_in(false)),
        mouse: layer.mouse.unwrap_or_else(|| Setting::built_in(false)),
        tour: layer.tour.unwrap_or_else(|| Setting::built_in(true)),
        refresh: layer.refresh.unwrap_or_else(|| Setting::built_in(Duration::from_secs(10))),
        store: layer.store,
        take_over_after: layer
            .take_over_after
            .unwrap_or_else(|| Setting::built_in(Duration::from_mins(1))),
        state: state.unwrap_or_else(|| Setting::built_in(PathBuf::new())),
        checks: layer.checks,
        runbooks: layer.runbooks,
        settings: layer.settings,
        practice: Practice::with(&layer.practice),
        agreed: layer.practice,
        runs: layer.runs,
        seconding: layer.seconding,
        targets,
        warnings,
    })
}

/// The files that are there; one that was named must be, and stands in the place of the user's and of the
/// one that lies here.
fn files(around: &Surroundings, overrides: &Overrides, faults: &mut Vec<Fault>) -> Vec<Layer> {
    let named = overrides
        .config
        .clone()
        .or_else(|| variable(around, "STEADYHAND_CONFIG").map(PathBuf::from));
    let named = named.map(|path| around.here.join(path));
    let system = around.system.join(FILE);
    let mut paths = vec![system.clone()];
    match &named {
        Some(path) => paths.push(path.clone()),
        None => paths.extend(around.user.iter().chain([&around.here]).map(|dir| dir.join(FILE))),
    }
    paths.dedup();
    let mut layers = vec![];
    for path in paths {
        let is_named = named.as_ref() == Some(&path);
        let base = path.parent().unwrap_or(Path::new(""));
        let name = path.strip_prefix(&around.here).unwrap_or(&path).display().to_string();
        match read_file(&path) {
            Ok((Some(stranger), _)) if !is_named && path != system => {
                faults.push(
                    Fault::whole(
                        &name,
                        format!(
                            "This file {stranger}, so it is not read: it may name commands to run."
                        ),
                    )
                    .suggest(format!(
                        "If you trust it, say so with --config {}.",
                        shell_word(&name)
                    )),
                );
            }
            Ok((_, text)) => match file::parse(&name, &text, base, around.home.as_deref()) {
                Ok(layer) => layers.push(layer),
                Err(found) => faults.extend(found),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => {}
            Err(error) => {
                faults.push(Fault::whole(&name, format!("This file cannot be read: {error}.")));
            }
        }
    }
    layers
}

/// What a file says, and whose words these may be if not those of root or of whoever reads it.
fn read_file(path: &Path) -> io::Result<(Option<String>, String)> {
    let mut file = std::fs::File::open(path)?;
    let (link, behind) = (path.symlink_metadata()?, file.metadata()?);
    let own = rustix::process::geteuid().as_raw();
    let stranger =
        [&link, &behind].map(MetadataExt::uid).into_iter().find(|uid| ![0, own].contains(uid));
    let stranger = match stranger {
        Some(uid) => Some(format!("belongs to another user (uid {uid})")),
        None => (behind.mode() & 0o002 != 0).then(|| "can be written by everybody".to_owned()),
    };
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((stranger, text))
}

/// A variable that is set to something.
fn variable<'a>(around: &'a Surroundings, name: &str) -> Option<&'a str> {
    around.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn variables(around: &Surroundings, faults: &mut Vec<Fault>, warnings: &mut Vec<String>) -> Layer {
    for name in around.variables.keys().filter(|name| !VARIABLES.contains(&name.as_str())) {
        // It may belong to a later version or to a script, so it is not a fault.
        if let Some(near) = did_you_mean(name, VARIABLES) {
            warnings.push(format!("The variable {name} means nothing; did you mean {near}?"));
        }
    }
    let said = |name: &'static str| {
        variable(around, name).map(|value| Setting { value, origin: Origin::Variable(name) })
    };
    let path = |name| said(name).map(|said| map(said, |text| around.here.join(text)));
    let paths = |name| -> Vec<Setting<PathBuf>> {
        let Some(Setting { value, origin }) = said(name) else { return vec![] };
        std::env::split_paths(value)
            .filter(|dir| !dir.as_os_str().is_empty())
            .map(|dir| Setting { value: around.here.join(dir), origin: origin.clone() })
            .collect()
    };
    let mut flag = |name| {
        read(said(name), faults, "write true or false", |text| match text {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        })
    };
    let (ascii, mouse, tour) =
        (flag("STEADYHAND_ASCII"), flag("STEADYHAND_MOUSE"), flag("STEADYHAND_TOUR"));
    let refresh = read(said("STEADYHAND_REFRESH"), faults, DURATION_HINT, |text| {
        duration(text).filter(|length| !length.is_zero())
    });
    Layer {
        theme: said("STEADYHAND_THEME").map(|said| map(said, str::to_owned)),
        keymap: path("STEADYHAND_KEYMAP"),
        ascii,
        mouse,
        tour,
        refresh,
        store: None,
        take_over_after: None,
        state: path("STEADYHAND_STATE"),
        checks: paths("STEADYHAND_CHECKS"),
        runbooks: paths("STEADYHAND_RUNBOOKS"),
        settings: Settings::default(),
        practice: practice::Said::default(),
        runs: Runs::default(),
        seconding: Seconding::default(),
        targets: vec![],
    }
}

fn map<A, B>(setting: Setting<A>, with: impl FnOnce(A) -> B) -> Setting<B> {
    Setting { value: with(setting.value), origin: setting.origin }
}

fn read<T>(
    said: Option<Setting<&str>>,
    faults: &mut Vec<Fault>,
    hint: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<Setting<T>> {
    let Setting { value, origin } = said?;
    let parsed = parse(value);
    if parsed.is_none() {
        let sentence = format!("It cannot be {}; {hint}.", quoted(value));
        faults.push(Fault::whole(&origin.to_string(), sentence));
    }
    parsed.map(|value| Setting { value, origin })
}

fn arguments(around: &Surroundings, overrides: &Overrides) -> Layer {
    fn said<T>(value: Option<T>, name: &'static str) -> Option<Setting<T>> {
        value.map(|value| Setting { value, origin: Origin::Argument(name) })
    }
    let here = |path: &PathBuf| around.here.join(path);
    let dirs = |dirs: &[PathBuf], name| {
        dirs.iter().filter_map(|dir| said(Some(here(dir)), name)).collect::<Vec<_>>()
    };
    Layer {
        theme: said(overrides.theme.clone(), "--theme"),
        keymap: said(overrides.keymap.as_ref().map(here), "--keymap"),
        ascii: None,
        mouse: None,
        tour: None,
        refresh: None,
        store: None,
        take_over_after: None,
        state: said(overrides.state.as_ref().map(here), "--state"),
        checks: dirs(&overrides.checks, "--checks"),
        runbooks: dirs(&overrides.runbooks, "--runbooks"),
        settings: Settings { checks: vec![], bind: overrides.bind.clone() },
        practice: practice::Said::default(),
        runs: Runs::default(),
        seconding: Seconding::default(),
        targets: vec![],
    }
}
