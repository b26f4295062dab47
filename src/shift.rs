//! A shift: working on incidents and watching them, in turn, until the operator leaves.
//!
//! Belongs to `main`, and only arranges: what is loaded before the terminal is taken, which of the two
//! comes next, and what is left to say in between.

use std::path::{Path, PathBuf};

use steadyhand::catalogue::Catalogue;
use steadyhand::cli;
use steadyhand::clock;
use steadyhand::config::{Config, Target};
use steadyhand::demo;
use steadyhand::dialect::Dialect;
use steadyhand::drill::scenario;
use steadyhand::exit::Exit;
use steadyhand::headless::Out;
use steadyhand::incident::store;
use steadyhand::problem::Problem;
use steadyhand::source::{Fault, did_you_mean, quoted};
use steadyhand::tui::keymap::Keymap;
use steadyhand::tui::look;
use steadyhand::tui::replay::{self, Replaying, Shown, What};
use steadyhand::tui::theme::depth::Depth;
use steadyhand::tui::theme::{self, Theme};
use steadyhand::tui::{Background, Cockpit, Farewell, Start};
use steadyhand::value::charset::Charset;
use tempfile::TempDir;

use super::{stage, told};

/// How the cockpit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Screen,
    Lines,
}

/// How the cockpit begins.
#[derive(Debug)]
pub enum Journey {
    Home,
    Demo(cli::Demo),
    Drill(cli::Drill),
    Open(cli::Open),
    /// This incident, or the open one that was worked on last.
    Resume(Option<String>),
    /// The same, looked at while somebody else works on it.
    Watch(Option<String>),
}

/// What is worked with, from incident to incident.
struct Ground {
    targets: Vec<Target>,
    state: PathBuf,
    actor: String,
    form: Form,
    /// Takes the demo with it in the end.
    thrown_away: Option<TempDir>,
}

/// Working on incidents and watching them, in turn, until the operator leaves.
pub fn begin(
    config: &Config,
    journey: Journey,
    form: Form,
    out: &mut Out,
) -> Result<Exit, Problem> {
    settle_charset(config);
    let mut ground = Ground {
        targets: config.targets.clone(),
        state: config.state.value.clone(),
        actor: actor(),
        form,
        thrown_away: None,
    };
    let mut watched = match &journey {
        Journey::Watch(incident) => Some(meant(&ground.state, incident.as_deref())?),
        _ => {
            let farewell = match first(config, journey, &mut ground)? {
                Ok(cockpit) => run(cockpit, config, &ground, out)?,
                Err(faults) => return Ok(told(&faults, out)),
            };
            if farewell.watch.is_none() {
                return Ok(farewell.exit);
            }
            farewell.watch
        }
    };
    while let Some(folder) = watched.take() {
        let lease = match watch(config, folder, &ground)? {
            Ok(Shown::Left(exit)) => return Ok(exit),
            Ok(Shown::Taken(lease)) => lease,
            Err(faults) => return Ok(told(&faults, out)),
        };
        let start = Start::Resume { incident: store::name(lease.folder()) };
        let cockpit = match files(config, Packs::Settled) {
            Ok(files) => Cockpit { lease: Some(*lease), ..plain(config, files, &ground, start) },
            Err(faults) => return Ok(told(&faults, out)),
        };
        let farewell = run(cockpit, config, &ground, out)?;
        if farewell.watch.is_none() {
            return Ok(farewell.exit);
        }
        watched = farewell.watch;
    }
    Ok(Exit::Clear)
}

/// What the terminal can show, for as long as the program runs.
fn settle_charset(config: &Config) {
    let of_locale = || Charset::choose(|name| std::env::var(name).ok());
    look::settle(if config.ascii.value { Charset::Ascii } else { of_locale() });
}

/// The cockpit that the journey begins with.
fn first(
    config: &Config,
    journey: Journey,
    ground: &mut Ground,
) -> Result<Result<Cockpit, Vec<Fault>>, Problem> {
    let packs = match journey {
        // The demo has the names of the packs, whatever the databases of the site are like.
        Journey::Demo(_) | Journey::Drill(_) => Packs::AsTheyAre,
        _ => Packs::Settled,
    };
    let files = match files(config, packs) {
        Ok(files) => files,
        Err(faults) => return Ok(Err(faults)),
    };
    let catalogue = &files.0;
    let mut stage = None;
    let start = match journey {
        Journey::Home | Journey::Watch(_) => Start::Home,
        Journey::Resume(incident) => Start::Resume { incident: incident.unwrap_or_default() },
        Journey::Open(open) => {
            let target = config.target(&open.target)?;
            let start = opening(catalogue, open.runbook, &target.name)?;
            // What was typed stands before a configured target that happens to be called the same.
            ground.targets.retain(|other| other.name != target.name);
            ground.targets.push(target);
            start
        }
        Journey::Demo(asked) => {
            let built = stage.insert(stage::demo(&asked, catalogue)?);
            let dialect = built.targets[0].url.dialect;
            match asked.incident {
                Some(runbook) => {
                    let start = opening(catalogue, runbook.clone(), demo::TARGET)?;
                    can_open(catalogue, &runbook, dialect)?;
                    start
                }
                None => Start::Home,
            }
        }
        Journey::Drill(asked) => {
            stage = Some(stage::drill(&asked, catalogue)?);
            Start::Home
        }
    };
    let Some(stage) = stage else { return Ok(Ok(plain(config, files, ground, start))) };
    (ground.targets, ground.state) = (stage.targets, stage.state);
    ground.thrown_away = stage.thrown_away;
    Ok(Ok(Cockpit {
        demo: Some(stage.ground),
        drill: stage.drill,
        faults: stage.faults,
        thrown_away: ground.thrown_away.is_some(),
        ..plain(config, files, ground, start)
    }))
}

/// A cockpit on what is configured.
fn plain(config: &Config, files: Files, ground: &Ground, start: Start) -> Cockpit {
    let (catalogue, keymap, theme) = files;
    Cockpit {
        catalogue,
        practice: config.practice.clone(),
        targets: ground.targets.clone(),
        state: ground.state.clone(),
        actor: ground.actor.clone(),
        seconding: config.seconding.clone(),
        theme,
        background: if theme::is_open(&config.theme.value, |name| std::env::var(name).ok()) {
            Background::Asked
        } else {
            Background::Settled
        },
        keymap,
        mouse: config.mouse.value,
        // The folder of the site, not that of a demo: one is shown around once.
        tour: config.tour.value.then(|| config.state.value.join("tour-seen")),
        refresh: config.refresh.value,
        demo: None,
        drill: None,
        faults: Vec::new(),
        thrown_away: false,
        start,
        store: config.store.as_ref().map(|store| store.value.clone()),
        lease: None,
    }
}

/// The cockpit, and what is left to say after it.
fn run(
    cockpit: Cockpit,
    config: &Config,
    ground: &Ground,
    out: &mut Out,
) -> Result<Farewell, Problem> {
    let runtime = super::runtime()?;
    let farewell = match ground.form {
        Form::Screen => runtime.block_on(steadyhand::tui::run(cockpit))?,
        Form::Lines => runtime.block_on(steadyhand::tui::plain::run(cockpit))?,
    };
    if let Some(card) = &farewell.scored {
        out.put(&(card.lines().join("\n") + "\n"))?;
        let written = scenario::remember(&config.state.value, clock::now(), &ground.actor, card);
        match written {
            Ok(path) => out.say(&format!("the score is remembered in {}", path.display())),
            Err(error) => out.say(&format!("the score could not be remembered: {error}")),
        }
    }
    match (&farewell.incident, &ground.thrown_away) {
        // It is looked at next.
        _ if farewell.watch.is_some() => {}
        (Some((id, ..)), Some(_)) => {
            out.say(&format!("{id} and the demo's database are gone; --keep DIR keeps them"));
        }
        (Some((id, folder, true)), None) => {
            let folder = folder.display();
            out.say(&format!("{id} is open: `steadyhand resume {id}` goes on with it; {folder}"));
        }
        (Some((_, folder, false)), None) => {
            out.say(&format!("the postmortem: {}", folder.join("postmortem.md").display()));
        }
        (None, _) => {}
    }
    Ok(farewell)
}

/// The folder of the incident that was meant.
fn meant(state: &Path, incident: Option<&str>) -> Result<PathBuf, Problem> {
    let found = store::find(state, incident).map_err(|error| {
        Problem::usage(error.to_string()).hint("`steadyhand incidents` lists what there is")
    })?;
    Ok(found.folder)
}

/// Follows what somebody else does.
fn watch(
    config: &Config,
    folder: PathBuf,
    ground: &Ground,
) -> Result<Result<Shown, Vec<Fault>>, Problem> {
    let (login, patience) = (ground.actor.clone(), config.take_over_after.value);
    let store = config.store.as_ref().map(|store| store.value.clone());
    let how = steadyhand::tui::watch::Asked { login, patience, store };
    if ground.form == Form::Lines {
        return replay::lines(folder, how).map(Ok);
    }
    match looking(config, What::Watched { folder, how: Box::new(how) }) {
        Ok(asked) => super::runtime()?.block_on(replay::run(asked)).map(Ok),
        Err(faults) => Ok(Err(faults)),
    }
}

/// Looks at an incident; nothing that could do anything is made.
pub fn replay(config: &Config, incident: String, out: &mut Out) -> Result<Exit, Problem> {
    settle_charset(config);
    let what = What::Told { wanted: incident, state: config.state.value.clone() };
    let asked = match looking(config, what) {
        Ok(asked) => asked,
        Err(faults) => return Ok(told(&faults, out)),
    };
    match super::runtime()?.block_on(replay::run(asked))? {
        Shown::Left(exit) => Ok(exit),
        Shown::Taken(_) => unreachable!("only what is watched can be taken over"),
    }
}

fn looking(config: &Config, what: What) -> Result<Replaying, Vec<Fault>> {
    let (catalogue, keymap, theme) = files(config, Packs::Settled)?;
    Ok(Replaying { what, catalogue, practice: config.practice.clone(), theme, keymap })
}

type Files = (Catalogue, Keymap, Theme);

/// Which names the tables of the packs have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packs {
    AsTheyAre,
    /// As the site says.
    Settled,
}

/// What the cockpit reads before it takes the terminal, so that faults are seen.
fn files(config: &Config, packs: Packs) -> Result<Files, Vec<Fault>> {
    let mut catalogue = Catalogue::load(&config.check_dirs(), &config.runbook_dirs())?;
    if packs == Packs::Settled {
        catalogue = catalogue.settled(&config.settings)?;
        let faults = config.unknown_packs(&catalogue.packs());
        if !faults.is_empty() {
            return Err(faults);
        }
    }
    let keymap = match &config.keymap {
        Some(path) => read(&path.value, Keymap::parse)?,
        None => Keymap::built_in(),
    };
    let variable = |name: &str| std::env::var(name).ok();
    let (named, depth) = (config.theme.value.as_str(), Depth::choose(variable));
    let theme = match Theme::choose(named, depth, variable) {
        Some(theme) => theme,
        None if Path::new(named).extension().is_some_and(|ending| ending == "toml") => {
            read(Path::new(named), Theme::parse)?
        }
        None => {
            let known: Vec<&str> = std::iter::once(theme::AUTO).chain(Theme::names()).collect();
            let fault = Fault::whole(
                &config.theme.origin.to_string(),
                format!("There is no theme {}.", quoted(named)),
            );
            return Err(vec![
                fault.suggest(format!("Built in are {}; a file ends in .toml.", known.join(", "))),
            ]);
        }
    };
    Ok((catalogue, keymap, theme))
}

fn read<T>(
    path: &Path,
    parse: impl FnOnce(&str, &str) -> Result<T, Vec<Fault>>,
) -> Result<T, Vec<Fault>> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&name, &text),
        Err(error) => Err(vec![Fault::whole(&name, format!("This file cannot be read: {error}."))]),
    }
}

fn opening(catalogue: &Catalogue, runbook: String, target: &str) -> Result<Start, Problem> {
    if catalogue.runbook(&runbook).is_some() {
        return Ok(Start::Open { runbook, target: target.to_owned() });
    }
    let ids: Vec<&str> = catalogue.runbooks.iter().map(|runbook| runbook.id.as_str()).collect();
    let problem = Problem::usage(format!("there is no runbook {}", quoted(&runbook)));
    Err(match did_you_mean(&runbook, ids.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint(format!("there are {}", ids.join(", "))),
    })
}

/// A demo of an incident that its engine does not know would show nothing.
fn can_open(catalogue: &Catalogue, id: &str, dialect: Dialect) -> Result<(), Problem> {
    let on = |dialect: Dialect| {
        catalogue.runbook(id).is_some_and(|runbook| {
            let asks = |check: &str| catalogue.check(check).is_some_and(|c| c.is_for(dialect));
            runbook.is_for(dialect, asks)
        })
    };
    if on(dialect) {
        return Ok(());
    }
    let others = [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb];
    let others: Vec<String> =
        others.into_iter().filter(|other| on(*other)).map(|other| other.key().to_owned()).collect();
    let problem = format!("the runbook {} has nothing to ask on {dialect}", quoted(id));
    let problem = Problem::usage(problem);
    Err(if others.is_empty() {
        problem.hint("it names no check; add a step that runs one")
    } else {
        let engines = others.join("|");
        problem.hint(format!("try steadyhand demo --incident {id} --engine {engines} --url URL"))
    })
}

/// Who is at the keyboard, for the journal.
pub fn actor() -> String {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let mut named = named.filter(|name| !name.trim().is_empty());
    named.next().unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
