//! Where a demo or a drill is played: its folder or server, its targets, and of a drill its scenario.
//!
//! Belongs to `main`, and only arranges: the databases are made by the cockpit, which can be seen.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use steadyhand::catalogue::Catalogue;
use steadyhand::check::Check;
use steadyhand::cli::{self, DemoEngine};
use steadyhand::clock;
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::demo;
use steadyhand::dialect::Dialect;
use steadyhand::drill::Scenario;
use steadyhand::problem::Problem;
use steadyhand::source::{did_you_mean, quoted};
use steadyhand::tui::Ground;
use tempfile::TempDir;

#[derive(Debug)]
pub struct Stage {
    pub targets: Vec<Target>,
    pub state: PathBuf,
    pub ground: Ground,
    /// The checks whose faults are put into it.
    pub faults: Vec<Check>,
    pub drill: Option<Scenario>,
    /// Takes everything with it when it is dropped; none if it is kept.
    pub thrown_away: Option<TempDir>,
}

pub fn demo(asked: &cli::Demo, catalogue: &Catalogue) -> Result<Stage, Problem> {
    let given = asked.url.as_deref().map(|url| on_server(asked.engine, url)).transpose()?;
    let within = given.as_ref().map(|given| given.url.within(demo::SCHEMA));
    let named = within.as_ref().map_or_else(|| demo::URL.to_owned(), TargetUrl::to_string);
    let mut thrown_away = None;
    let (folder, made) = match &asked.keep {
        Some(folder) => kept(folder, &demo::configuration("demo", &[(demo::TARGET, named)]))?,
        None => (thrown_away.insert(temporary()?).path().to_owned(), false),
    };
    let url = within.unwrap_or_else(|| TargetUrl::sqlite(demo::database(&folder)));
    Ok(Stage {
        targets: vec![Target::new(demo::TARGET, url, Environment::Development)],
        state: folder.join("state"),
        ground: match given {
            Some(given) => Ground::Server { given: Box::new(given), made },
            None => Ground::Folder(folder),
        },
        faults: demo::faults(&catalogue.checks, asked.incident.as_deref()),
        drill: None,
        thrown_away,
    })
}

pub fn drill(asked: &cli::Drill, catalogue: &Catalogue) -> Result<Stage, Problem> {
    let given = asked.url.as_deref().map(|url| on_server(asked.engine, url)).transpose()?;
    let dialect = given.as_ref().map_or(Dialect::Sqlite, |given| given.url.dialect);
    let (scenario, check) = scenario(asked.incident.as_deref(), catalogue, dialect)?;
    let within = given.as_ref().map(|given| given.url.within(demo::SCHEMA));
    let mut thrown_away = None;
    let folder = match &asked.keep {
        Some(folder) => {
            let mut named = match &within {
                Some(url) => vec![(demo::DRILL, url.to_string())],
                None => vec![(demo::DRILL, demo::URL.to_owned())],
            };
            if within.is_none() {
                named.push((demo::SPARE, demo::SPARE_URL.to_owned()));
            }
            untouched(folder)?;
            kept(folder, &demo::configuration("drill", &named))?.0
        }
        None => thrown_away.insert(temporary()?).path().to_owned(),
    };
    let on = |name, url| Target::new(name, url, Environment::Development);
    let targets = match within {
        Some(url) => vec![on(demo::DRILL, url)],
        None => vec![
            on(demo::DRILL, TargetUrl::sqlite(demo::database(&folder))),
            on(demo::SPARE, TargetUrl::sqlite(demo::spare(&folder))),
        ],
    };
    Ok(Stage {
        targets,
        state: folder.join("state"),
        ground: match given {
            Some(given) => Ground::Server { given: Box::new(given), made: false },
            None => Ground::Folder(folder),
        },
        faults: vec![check],
        drill: Some(scenario),
        thrown_away,
    })
}

/// The fault: that of a runbook, or one by chance among those that the engine has.
fn scenario(
    wanted: Option<&str>,
    catalogue: &Catalogue,
    dialect: Dialect,
) -> Result<(Scenario, Check), Problem> {
    let has_fault = |runbook: &str| {
        let of = |check: &&Check| check.runbook.as_deref() == Some(runbook);
        let mut checks = catalogue.checks.iter().filter(of);
        checks.find(|check| check.is_for(dialect) && check.fault.get(dialect).is_some())
    };
    let able: Vec<_> = catalogue
        .runbooks
        .iter()
        .filter(|runbook| {
            let asks = |check: &str| catalogue.check(check).is_some_and(|c| c.is_for(dialect));
            runbook.is_for(dialect, asks)
        })
        .filter_map(|runbook| Some((runbook, has_fault(&runbook.id)?)))
        .collect();
    let chosen = match wanted {
        Some(wanted) => able.iter().find(|(runbook, _)| runbook.id == wanted),
        None => {
            let chance = usize::try_from(clock::now().subsec_nanosecond()).unwrap_or(0) / 1000;
            able.get(chance % able.len().max(1))
        }
    };
    let Some((runbook, check)) = chosen else {
        let ids: Vec<&str> = able.iter().map(|(runbook, _)| runbook.id.as_str()).collect();
        let wanted = wanted.unwrap_or_default();
        let problem = Problem::usage(format!(
            "no runbook {} has a fault to inject on {dialect}",
            quoted(wanted)
        ));
        return Err(match did_you_mean(wanted, ids.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
            None => problem.hint(format!("there are {}", ids.join(", "))),
        });
    };
    let said = "Somebody says: figures that we work with are wrong, since some time today.";
    let scenario = Scenario {
        runbook: runbook.id.clone(),
        check: check.id.clone(),
        target: demo::DRILL.to_owned(),
        symptom: runbook.symptom.clone().unwrap_or_else(|| said.to_owned()),
        started: clock::now(),
        first_check: None,
    };
    Ok((scenario, (*check).clone()))
}

/// A drill breaks data, so that it begins in a folder in which there is none.
fn untouched(folder: &Path) -> Result<(), Problem> {
    let is_empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        return Ok(());
    }
    let sentence =
        format!("{} is not empty; a drill begins in a folder of its own", folder.display());
    Err(Problem::refused(sentence).hint("nothing was changed; name another folder with --keep"))
}

/// The server, which must be of the engine that was asked for.
fn on_server(engine: DemoEngine, url: &str) -> Result<Target, Problem> {
    let url = TargetUrl::parse(url, Path::new(""))
        .map_err(|complaint| Problem::usage(format!("--url: {}", complaint.sentence)))?;
    let fits = match engine {
        DemoEngine::Sqlite => false,
        DemoEngine::Postgres => url.dialect == Dialect::Postgres,
        DemoEngine::Mysql | DemoEngine::Mariadb => {
            matches!(url.dialect, Dialect::Mysql | Dialect::Mariadb)
        }
    };
    if fits {
        return Ok(Target::new(demo::TARGET, url, Environment::Development));
    }
    let (name, asked) = (url.dialect, engine);
    let word = asked.to_possible_value().map(|value| value.get_name().to_owned());
    Err(Problem::usage(format!(
        "--url is one of {name}, and --engine says {}",
        word.unwrap_or_default()
    ))
    .hint("SQLite needs no --url; for a server, say --engine as its url begins"))
}

/// The folder that is kept, and whether something was played in it before.
fn kept(folder: &Path, text: &str) -> Result<(PathBuf, bool), Problem> {
    let made = std::fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
    let kept = made.and_then(|folder| {
        let configuration = folder.join("steadyhand.toml");
        let before = configuration.exists();
        if !before {
            std::fs::write(configuration, text)?;
        }
        Ok((folder, before))
    });
    kept.map_err(|error| {
        Problem::system(format!("cannot make the folder {}: {error}", folder.display()))
            .hint("choose another folder with --keep")
    })
}

fn temporary() -> Result<TempDir, Problem> {
    tempfile::Builder::new().prefix("steadyhand-demo-").tempdir().map_err(|error| {
        Problem::system(format!("cannot make a temporary folder: {error}"))
            .hint("choose a folder with --keep")
    })
}
