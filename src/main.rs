//! Chooses between cockpit and headless, prints a problem, exits with its code.

mod stage;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use steadyhand::catalogue::Catalogue;
use steadyhand::cli::{self, Cli, Command};
use steadyhand::clock;
use steadyhand::config::{Config, Surroundings};
use steadyhand::demo;
use steadyhand::dialect::Dialect;
use steadyhand::drill::scenario;
use steadyhand::exit::Exit;
use steadyhand::headless::{self, Color, Format, Out};
use steadyhand::problem::Problem;
use steadyhand::source::{Fault, did_you_mean, quoted, render};
use steadyhand::tui::keymap::Keymap;
use steadyhand::tui::replay::Replaying;
use steadyhand::tui::theme::depth::Depth;
use steadyhand::tui::theme::{self, Theme};
use steadyhand::tui::{Background, Cockpit, Start};
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    headless::keep_to_oneself();
    let exit = match Cli::try_parse() {
        Ok(cli) => {
            let mut out = Out::of_process(color(cli.globals.color));
            run(cli, &mut out).unwrap_or_else(|problem| {
                out.problem(&problem);
                problem.kind.into()
            })
        }
        Err(said) => {
            // Help and version come this way too. If nobody reads it, so be it.
            let _ = said.print();
            if said.use_stderr() { Exit::Usage } else { Exit::Clear }
        }
    };
    exit.code().into()
}

fn run(cli: Cli, out: &mut Out) -> Result<Exit, Problem> {
    match cli.command {
        Some(Command::Completions { shell }) => {
            return headless::pages::completions(Cli::command(), shell, out);
        }
        Some(Command::Man(asked)) => {
            let page = match (asked.command.as_deref(), asked.list) {
                (Some(name), _) => headless::pages::Page::Of(name),
                (None, true) => headless::pages::Page::List,
                (None, false) => headless::pages::Page::All,
            };
            return headless::pages::man(Cli::command(), page, out);
        }
        _ => {}
    }
    let config = match Config::load(&Surroundings::of_process()?, &cli.globals.overrides()) {
        Ok(config) => config,
        Err(faults) => return Ok(told(&faults, out)),
    };
    for warning in &config.warnings {
        out.say(&format!("steadyhand: {warning}"));
    }
    let (plain, journey) = match cli.command {
        None => (false, Journey::Home),
        Some(Command::Demo(demo)) => (demo.plain, Journey::Demo(demo)),
        Some(Command::Drill(drill)) => (drill.plain, Journey::Drill(drill)),
        Some(Command::Open(open)) => (open.plain, Journey::Open(open)),
        Some(Command::Resume(resume)) => (resume.plain, Journey::Resume(resume.incident)),
        Some(Command::Replay(asked)) => return replay(&config, asked.incident, out),
        Some(other) => return without_a_screen(other, &config, out),
    };
    let form = if plain || cli.plain { Form::Lines } else { Form::Screen };
    cockpit(&config, journey, form, out)
}

/// How the cockpit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Screen,
    Lines,
}

/// How the cockpit begins.
#[derive(Debug)]
enum Journey {
    Home,
    Demo(cli::Demo),
    Drill(cli::Drill),
    Open(cli::Open),
    /// This incident, or the open one that was worked on last.
    Resume(Option<String>),
}

fn cockpit(config: &Config, journey: Journey, form: Form, out: &mut Out) -> Result<Exit, Problem> {
    let (catalogue, keymap, theme) = match files(config, &journey) {
        Ok(files) => files,
        Err(faults) => return Ok(told(&faults, out)),
    };
    let mut targets = config.targets.clone();
    let mut state = config.state.value.clone();
    let mut stage = None;
    let start = match journey {
        Journey::Home => Start::Home,
        Journey::Resume(incident) => Start::Resume { incident: incident.unwrap_or_default() },
        Journey::Open(open) => {
            let target = config.target(&open.target)?;
            let start = opening(&catalogue, open.runbook, &target.name)?;
            // What was typed stands before a configured target that happens to be called the same.
            targets.retain(|other| other.name != target.name);
            targets.push(target);
            start
        }
        Journey::Demo(asked) => {
            let built = stage.insert(stage::demo(&asked, &catalogue)?);
            let dialect = built.targets[0].url.dialect;
            match asked.incident {
                Some(runbook) => {
                    let start = opening(&catalogue, runbook.clone(), demo::TARGET)?;
                    can_open(&catalogue, &runbook, dialect)?;
                    start
                }
                None => Start::Home,
            }
        }
        Journey::Drill(asked) => {
            stage = Some(stage::drill(&asked, &catalogue)?);
            Start::Home
        }
    };
    let (mut ground, mut drill, mut thrown_away, mut faults) = (None, None, None, Vec::new());
    if let Some(stage) = stage {
        (targets, state, faults) = (stage.targets, stage.state, stage.faults);
        (ground, drill, thrown_away) = (Some(stage.ground), stage.drill, stage.thrown_away);
    }
    let actor = actor();
    let cockpit = Cockpit {
        catalogue,
        practice: config.practice.clone(),
        targets,
        state,
        actor: actor.clone(),
        seconding: config.seconding.clone(),
        theme,
        background: if theme::is_open(&config.theme.value, |name| std::env::var(name).ok()) {
            Background::Asked
        } else {
            Background::Settled
        },
        keymap,
        ascii: config.ascii.value,
        mouse: config.mouse.value,
        // The folder of the site, not that of a demo: one is shown around once.
        tour: config.tour.value.then(|| config.state.value.join("tour-seen")),
        refresh: config.refresh.value,
        kept_rows: usize::try_from(config.row_cap.value).unwrap_or(usize::MAX),
        demo: ground,
        drill,
        faults,
        thrown_away: thrown_away.is_some(),
        start,
    };
    let runtime = runtime()?;
    let farewell = match form {
        Form::Screen => runtime.block_on(steadyhand::tui::run(cockpit))?,
        Form::Lines => runtime.block_on(steadyhand::tui::plain::run(cockpit))?,
    };
    if let Some(card) = &farewell.scored {
        out.put(&(card.lines().join("\n") + "\n"))?;
        let written = scenario::remember(&config.state.value, clock::now(), &actor, card);
        match written {
            Ok(path) => out.say(&format!("the score is remembered in {}", path.display())),
            Err(error) => out.say(&format!("the score could not be remembered: {error}")),
        }
    }
    match (farewell.incident, thrown_away) {
        (Some((id, ..)), Some(_)) => {
            out.say(&format!("{id} and the demo's database are gone; --keep DIR keeps them"));
        }
        (Some((id, _, true)), None) => {
            out.say(&format!("{id} is open: `steadyhand resume {id}` goes on with it"));
        }
        (Some((_, folder, false)), None) => {
            out.say(&format!("the postmortem: {}", folder.join("postmortem.md").display()));
        }
        (None, _) => {}
    }
    Ok(farewell.exit)
}

/// Looks at an incident; nothing that could do anything is made.
fn replay(config: &Config, incident: String, out: &mut Out) -> Result<Exit, Problem> {
    let (catalogue, keymap, theme) = match files(config, &Journey::Home) {
        Ok(files) => files,
        Err(faults) => return Ok(told(&faults, out)),
    };
    runtime()?.block_on(steadyhand::tui::replay::run(Replaying {
        incident,
        state: config.state.value.clone(),
        catalogue,
        practice: config.practice.clone(),
        theme,
        keymap,
        ascii: config.ascii.value,
    }))
}

/// What the cockpit reads before it takes the terminal, so that faults are seen.
fn files(config: &Config, journey: &Journey) -> Result<(Catalogue, Keymap, Theme), Vec<Fault>> {
    let catalogue = Catalogue::load(&config.check_dirs(), &config.runbook_dirs())?;
    let catalogue = match journey {
        // The demo has the names of the packs, whatever the databases of the site are like.
        Journey::Demo(_) | Journey::Drill(_) => catalogue,
        Journey::Home | Journey::Open(_) | Journey::Resume(_) => {
            let catalogue = catalogue.settled(&config.settings)?;
            let faults = config.unknown_packs(&catalogue.packs());
            if !faults.is_empty() {
                return Err(faults);
            }
            catalogue
        }
    };
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
fn actor() -> String {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let mut named = named.filter(|name| !name.trim().is_empty());
    named.next().unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

fn told(faults: &[Fault], out: &mut Out) -> Exit {
    out.say_as_it_is(&format!("{}\n", render(faults, out.paint_errors)));
    Exit::Usage
}

fn without_a_screen(command: Command, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let state = &config.state.value;
    match command {
        Command::Approve(asked) => {
            let (key, actor) = (asked.key, actor());
            if let Some(incident) = asked.review {
                let asked = headless::review::Asked { incident, key, actor };
                return headless::review::run(&asked, config, out);
            }
            let asked = headless::approve::Asked {
                file: asked.file.unwrap_or_default(),
                key,
                show: asked.show,
                no_preview: asked.no_preview,
                format: text_or_json(asked.format),
                actor,
            };
            one_thread()?.block_on(headless::approve::run(&asked, config, out))
        }
        Command::Check(asked) => {
            let asked = headless::check::Asked {
                suite: selection(asked.selection),
                page: page(asked.page),
            };
            one_thread()?.block_on(headless::check::run(&asked, config, out))
        }
        Command::Gate(asked) => {
            let asked = headless::gate::Asked {
                suite: selection(asked.selection),
                page: page(asked.page),
                baseline: asked.baseline,
                update: asked.update_baseline,
                expires: asked.expires,
            };
            one_thread()?.block_on(headless::gate::run(&asked, config, out))
        }
        Command::History(asked) => {
            let asked = headless::past::AskedHistory {
                check: asked.check,
                packs: asked.pack,
                targets: asked.target,
                since: asked.since,
                format: text_or_json(asked.format),
            };
            headless::past::history(&asked, config, out)
        }
        Command::Report(asked) => {
            use headless::past::Shape;
            let shape = match asked.format {
                cli::PastFormat::Markdown => Shape::Markdown,
                cli::PastFormat::Html => Shape::Html,
                cli::PastFormat::Json => Shape::Json,
            };
            let asked = headless::past::AskedReport {
                targets: asked.target,
                since: asked.since,
                shape,
                output: asked.output,
            };
            headless::past::report(&asked, config, out)
        }
        Command::Health(asked) => {
            let suite = headless::suite::Asked {
                targets: asked.target,
                suites: asked.suite,
                ..headless::suite::Asked::default()
            };
            let asked = headless::past::AskedHealth { suite, max_age: asked.max_age };
            headless::past::health(&asked, config, out)
        }
        Command::Audit(asked) => {
            let asked = headless::audit::Asked {
                controls: asked.control,
                targets: asked.target,
                practice: asked.practice,
                format: text_markdown_or_json(asked.format),
                output: asked.output,
            };
            headless::audit::run(&asked, config, out)
        }
        Command::Metrics(asked) => {
            let asked = headless::metrics::Asked {
                targets: asked.target,
                runbooks: asked.of,
                since: asked.since,
                practice: asked.practice,
                format: text_markdown_or_json(asked.format),
                output: asked.output,
            };
            headless::metrics::run(&asked, config, out)
        }
        Command::Rehearse(asked) => {
            let asked = headless::rehearse::Asked {
                runbooks: asked.runbook,
                all: asked.all,
                packs: asked.pack,
                target: asked.target,
                answers: asked.answer.into_iter().collect(),
                production: asked.on_production,
                format: text_or_json(asked.format),
                output: asked.output,
            };
            one_thread()?.block_on(headless::rehearse::run(&asked, config, out))
        }
        Command::Resilience(asked) => {
            let asked = headless::resilience::Asked {
                target: asked.target,
                evidence: asked.evidence,
                format: text_or_json(asked.format),
            };
            one_thread()?.block_on(headless::resilience::run(&asked, config, out))
        }
        Command::Lint(asked) => {
            let asked = headless::lint::Asked {
                paths: asked.paths,
                packs: asked.pack,
                target: asked.target,
            };
            one_thread()?.block_on(headless::lint::run(&asked, config, out))
        }
        Command::Postmortem(asked) => {
            let format = match asked.format {
                cli::PostmortemFormat::Markdown => headless::postmortem::Format::Markdown,
                cli::PostmortemFormat::Html => headless::postmortem::Format::Html,
                cli::PostmortemFormat::Json => headless::postmortem::Format::Json,
            };
            if asked.rows && format != headless::postmortem::Format::Html {
                return Err(Problem::usage("--rows is for an HTML page")
                    .hint("add --format html; the other formats hold no rows"));
            }
            let asked = headless::postmortem::Asked {
                incident: asked.incident,
                format,
                rows: asked.rows,
                output: asked.output,
            };
            headless::postmortem::run(config, &asked, out)
        }
        Command::Bundle(asked) => {
            let asked = headless::bundle::Asked {
                incident: asked.incident,
                output: asked.output,
                redact: asked.redact,
                sign: asked.sign,
            };
            headless::bundle::run(config, &asked, out)
        }
        Command::Verify(asked) => {
            let (head, signers) = (asked.head.as_deref(), asked.signers.as_deref());
            headless::verify::run(state, &asked.incident, head, signers, out)
        }
        Command::Incidents(asked) => {
            headless::incidents::run(state, text_or_json(asked.format), out)
        }
        Command::Grants(asked) => {
            let asked = headless::grants::Asked {
                engine: asked.engine.map(Into::into),
                target: asked.target,
                schema: asked.schema,
                packs: asked.pack,
                trigger_writes: asked.trigger_writes,
                self_test: asked.self_test,
            };
            headless::grants::run(&asked, config, out)
        }
        Command::Config => headless::config::run(config, out),
        Command::Themes => {
            let names: Vec<&str> = std::iter::once(theme::AUTO).chain(Theme::names()).collect();
            headless::themes::run(&names, &config.theme.value, out)
        }
        Command::Demo(_)
        | Command::Drill(_)
        | Command::Open(_)
        | Command::Resume(_)
        | Command::Replay(_)
        | Command::Completions { .. }
        | Command::Man(_) => unreachable!("answered before"),
    }
}

fn selection(asked: cli::Selection) -> headless::suite::Asked {
    headless::suite::Asked {
        targets: asked.target,
        environments: asked.environment,
        suites: asked.suite,
        checks: asked.check,
        packs: asked.pack,
        connections: asked.connections.and_then(|n| usize::try_from(n).ok()),
        budget: asked.budget,
    }
}

fn page(asked: cli::Page) -> headless::check::Page {
    use headless::check::Format as To;
    let format = match asked.format {
        cli::Format::Text => To::Text,
        cli::Format::Json => To::Json,
        cli::Format::Junit => To::Junit,
        cli::Format::Prometheus => To::Prometheus,
        cli::Format::Markdown => To::Markdown,
    };
    headless::check::Page { format, output: asked.output, map: asked.map }
}

fn text_or_json(format: cli::TextOrJson) -> Format {
    match format {
        cli::TextOrJson::Text => Format::Text,
        cli::TextOrJson::Json => Format::Json,
    }
}

fn text_markdown_or_json(format: cli::TextMarkdownOrJson) -> headless::audit::Format {
    use headless::audit::Format as To;
    match format {
        cli::TextMarkdownOrJson::Text => To::Text,
        cli::TextMarkdownOrJson::Markdown => To::Markdown,
        cli::TextMarkdownOrJson::Json => To::Json,
    }
}

fn color(color: cli::Color) -> Color {
    match color {
        cli::Color::Auto => Color::Auto,
        cli::Color::Always => Color::Always,
        cli::Color::Never => Color::Never,
    }
}

/// Two threads: one to wait for the database, one to go on.
fn runtime() -> Result<Runtime, Problem> {
    built(Builder::new_multi_thread().worker_threads(2))
}

/// A command without a screen only waits, and a thread that is woken by another answers later.
fn one_thread() -> Result<Runtime, Problem> {
    built(&mut Builder::new_current_thread())
}

fn built(builder: &mut Builder) -> Result<Runtime, Problem> {
    let built = builder.enable_all().build();
    built.map_err(|error| Problem::system(format!("the runtime cannot be started: {error}")))
}
