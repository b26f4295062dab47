//! Chooses between cockpit and headless, prints a problem, exits with its code.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use steadyhand::cli::{self, Cli, Command};
use steadyhand::config::{Config, Surroundings};
use steadyhand::exit::Exit;
use steadyhand::headless::{self, Color, Format, Out};
use steadyhand::problem::{Kind, Problem};
use steadyhand::source::render;
use steadyhand::tui::theme::Theme;
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
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
        Some(Command::Man) => return headless::pages::man(Cli::command(), out),
        _ => {}
    }
    let config = match Config::load(&Surroundings::of_process()?, &cli.globals.overrides()) {
        Ok(config) => config,
        Err(faults) => {
            out.say_as_it_is(&format!("{}\n", render(&faults, out.paint_errors)));
            return Ok(Exit::Usage);
        }
    };
    for warning in &config.warnings {
        out.say(&format!("steadyhand: {warning}"));
    }
    let Some(command) = cli.command else { return cockpit(config, Journey::Home) };
    match command {
        Command::Demo(demo) => cockpit(config, Journey::Demo(demo)),
        Command::Open(open) => cockpit(config, Journey::Open(open)),
        Command::Resume(resume) => cockpit(config, Journey::Resume(resume.incident)),
        other => without_a_screen(other, &config, out),
    }
}

/// How the cockpit begins.
#[derive(Debug)]
enum Journey {
    Home,
    Demo(cli::Demo),
    Open(cli::Open),
    /// This incident, or the one that was worked on last.
    Resume(Option<String>),
}

fn cockpit(config: Config, journey: Journey) -> Result<Exit, Problem> {
    let (_, _) = (config, journey);
    Err(Problem::new(Kind::System, "the cockpit is not part of this build yet"))
}

fn without_a_screen(command: Command, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let state = &config.state.value;
    match command {
        Command::Check(asked) => {
            let asked = headless::check::Asked {
                targets: asked.target,
                suites: asked.suite,
                checks: asked.check,
                format: text_or_json(asked.format),
                output: asked.output,
                map: asked.map,
            };
            runtime()?.block_on(headless::check::run(&asked, config, out))
        }
        Command::Lint(asked) => {
            let asked = headless::lint::Asked { paths: asked.paths, target: asked.target };
            runtime()?.block_on(headless::lint::run(&asked, config, out))
        }
        Command::Postmortem(asked) => {
            let format = match asked.format {
                cli::MarkdownOrJson::Markdown => Format::Markdown,
                cli::MarkdownOrJson::Json => Format::Json,
            };
            let asked = headless::postmortem::Asked {
                incident: asked.incident,
                format,
                output: asked.output,
            };
            headless::postmortem::run(state, &asked, out)
        }
        Command::Verify(asked) => {
            headless::verify::run(state, &asked.incident, asked.head.as_deref(), out)
        }
        Command::Incidents(asked) => {
            headless::incidents::run(state, text_or_json(asked.format), out)
        }
        Command::Config => headless::config::run(config, out),
        Command::Themes => {
            let names: Vec<&str> = Theme::names().collect();
            headless::themes::run(&names, &config.theme.value, out)
        }
        Command::Demo(_)
        | Command::Open(_)
        | Command::Resume(_)
        | Command::Completions { .. }
        | Command::Man => unreachable!("answered before"),
    }
}

fn text_or_json(format: cli::TextOrJson) -> Format {
    match format {
        cli::TextOrJson::Text => Format::Text,
        cli::TextOrJson::Json => Format::Json,
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
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| Problem::system(format!("the runtime cannot be started: {error}")))
}
