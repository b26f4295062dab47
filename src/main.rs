//! Chooses between cockpit and headless, prints a problem, exits with its code.

mod shift;
mod stage;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use shift::{Form, Journey};
use steadyhand::cli::{self, Cli, Command};
use steadyhand::config::{Config, Surroundings};
use steadyhand::exit::Exit;
use steadyhand::format::MarkdownHtmlOrJson;
use steadyhand::headless::share::Wanted;
use steadyhand::headless::{self, Color, Out};
use steadyhand::problem::Problem;
use steadyhand::source::{Fault, Paint, render};
use steadyhand::tui::theme::{self, Theme};
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
        Err(said) if said.use_stderr() => {
            let mut out = Out::of_process(Color::Auto);
            let text = said.render();
            out.say_as_it_is(&match out.paint_errors {
                Paint::Coloured => text.ansi().to_string(),
                Paint::Plain => text.to_string(),
            });
            Exit::Usage
        }
        Err(said) => {
            // Help and version come this way. If nobody reads it, so be it.
            let _ = said.print();
            Exit::Clear
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
    if let (Some(command), true) = (&cli.command, config.store.is_some())
        && let Some(wanted) = of_incident(command)
    {
        one_thread()?.block_on(headless::share::fetch(&config, wanted, out));
    }
    let (plain, journey) = match cli.command {
        None => (false, Journey::Home),
        Some(Command::Demo(demo)) => (demo.plain, Journey::Demo(demo)),
        Some(Command::Drill(drill)) => (drill.plain, Journey::Drill(drill)),
        Some(Command::Open(open)) => (open.plain, Journey::Open(open)),
        Some(Command::Resume(resume)) => (resume.plain, Journey::Resume(resume.incident)),
        Some(Command::Watch(watch)) => (watch.plain, Journey::Watch(watch.incident)),
        Some(Command::Replay(asked)) => return shift::replay(&config, asked.incident, out),
        Some(other) => return without_a_screen(other, &config, out),
    };
    let form = if plain || cli.plain { Form::Lines } else { Form::Screen };
    shift::begin(&config, journey, form, out)
}

/// What of other hosts a command is about. Nobody waits for files who is going to work or to watch.
fn of_incident(command: &Command) -> Option<Wanted<'_>> {
    let lines = |incident| Some(Option::map_or(incident, Wanted::All, Wanted::Lines));
    match command {
        Command::Resume(asked) => lines(asked.incident.as_deref()),
        Command::Watch(asked) => lines(asked.incident.as_deref()),
        Command::Handover(asked) => lines(asked.incident.as_deref()),
        Command::Incidents(_) => Some(Wanted::All),
        Command::Replay(asked) => Some(Wanted::Whole(&asked.incident)),
        Command::Postmortem(asked) => Some(Wanted::Whole(&asked.incident)),
        Command::Verify(asked) => Some(Wanted::Whole(&asked.incident)),
        Command::Bundle(asked) => Some(Wanted::Whole(&asked.incident)),
        Command::Approve(asked) => asked.review.as_deref().map(Wanted::Whole),
        _ => None,
    }
}

fn told(faults: &[Fault], out: &mut Out) -> Exit {
    out.say_as_it_is(&format!("{}\n", render(faults, out.paint_errors)));
    Exit::Usage
}

fn without_a_screen(command: Command, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let state = &config.state.value;
    match command {
        Command::Approve(asked) => {
            let (key, actor) = (asked.key, shift::actor());
            if let Some(incident) = asked.review {
                let asked = headless::review::Asked { incident, key, actor };
                return one_thread()?.block_on(headless::review::run(&asked, config, out));
            }
            let asked = headless::approve::Asked {
                file: asked.file.unwrap_or_default(),
                key,
                show: asked.show,
                no_preview: asked.no_preview,
                format: asked.format,
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
                format: asked.format,
            };
            headless::past::history(&asked, config, out)
        }
        Command::Report(asked) => {
            let asked = headless::past::AskedReport {
                targets: asked.target,
                since: asked.since,
                format: asked.format,
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
                format: asked.sheet.format,
                output: asked.sheet.output,
            };
            headless::audit::run(&asked, config, out)
        }
        Command::Metrics(asked) => {
            let asked = headless::metrics::Asked {
                targets: asked.target,
                runbooks: asked.of,
                since: asked.since,
                practice: asked.practice,
                format: asked.sheet.format,
                output: asked.sheet.output,
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
                format: asked.sheet.format,
                output: asked.sheet.output,
            };
            one_thread()?.block_on(headless::rehearse::run(&asked, config, out))
        }
        Command::Resilience(asked) => {
            let asked = headless::resilience::Asked {
                target: asked.target,
                evidence: asked.evidence,
                format: asked.format,
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
            if asked.rows && asked.format != MarkdownHtmlOrJson::Html {
                return Err(Problem::usage("--rows is for an HTML page")
                    .hint("add --format html; the other formats hold no rows"));
            }
            let asked = headless::postmortem::Asked {
                incident: asked.incident,
                format: asked.format,
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
            let (head, signers) = (asked.head.as_ref(), asked.signers.as_deref());
            headless::verify::run(state, &asked.incident, head, signers, out)
        }
        Command::Handover(asked) => {
            headless::handover::run(config, asked.incident.as_deref(), asked.format, out)
        }
        Command::Incidents(asked) => headless::incidents::run(state, asked.format, out),
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
        Command::Store(cli::Store::Init { apply }) => {
            one_thread()?.block_on(headless::share::init(config, apply, out))
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
        | Command::Watch(_)
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
    headless::check::Page { format: asked.sheet.format, output: asked.sheet.output, map: asked.map }
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
