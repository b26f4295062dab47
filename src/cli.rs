//! The command line: what may be typed, and what it means.
//!
//! Turns arguments into values and starts nothing. Only what works is offered here; the texts are
//! the help, the man page and the completions at once.

mod checks;
mod cockpit;
mod incidents;
mod value;

pub use checks::*;
pub use cockpit::*;
pub use incidents::*;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use clap_complete::Shell;

use crate::check::bind;
use crate::config::Overrides;

/// A steady hand for database incidents.
///
/// Without a subcommand it opens the cockpit's home: targets and their health, open incidents,
/// runbooks.
#[derive(Debug, Parser)]
#[command(name = "steadyhand", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    /// Line by line, for a screen reader, a serial console or a terminal that cannot move its cursor
    #[arg(long)]
    pub plain: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    everything that was asked is clear
  1    violated, of severity 3 or 4
  2    violated, of severity 1 or 2; or a journal that was altered
  3    inconclusive: unreachable, timed out, not enough visibility
  4    usage, configuration or files with faults
  5    refused by policy
  130  interrupted
The worst wins in the order 2, 3, 1, 0.";

#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Globals {
    /// When to colour the output; `NO_COLOR` and `CLICOLOR` are honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// The theme of the cockpit: a built-in name (see `themes`), `auto` or a file
    #[arg(long, global = true, value_name = "THEME")]
    pub theme: Option<String>,
    /// A file of keys for the cockpit, laid over the built-in ones (see docs/screen.md)
    #[arg(long, global = true, value_name = "FILE")]
    pub keymap: Option<PathBuf>,
    /// A folder of checks, besides the built-in ones; a check of the same id is replaced
    #[arg(long, global = true, value_name = "DIR")]
    pub checks: Vec<PathBuf>,
    /// A folder of runbooks, likewise
    #[arg(long, global = true, value_name = "DIR")]
    pub runbooks: Vec<PathBuf>,
    /// What a table or column is called here that checks know by its role: orders=`sales_order`
    #[arg(long, global = true, value_name = "ROLE[.COLUMN]=NAME", value_parser = bind::argument)]
    pub bind: Vec<bind::Binding>,
    /// Where incidents are kept
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The configuration file to read instead of yours and the one that lies here; the system's in
    /// /etc/steadyhand is read first in any case
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The cockpit on an ERP database of its own with live incidents, thrown away afterwards
    Demo(Demo),
    /// Practise: a made-up ERP with a fault that you are not told, and a score at the end
    Drill(Drill),
    /// Open an incident: follow a runbook on a target
    Open(Open),
    /// Go on with an incident where it stands
    Resume(Resume),
    /// Tell an incident again, record by record, on the screens it was worked on
    Replay(Replay),
    /// Follow an incident that somebody else works on; also the way to take it over
    Watch(Watch),
    /// The card for whoever goes on: what is known, what was tried, what is next
    Handover(Handover),
    /// List the incidents
    Incidents(Incidents),
    /// Look at what somebody else is about to change, and agree to it with your SSH key
    Approve(Approve),
    /// Run checks, read-only, without a screen
    Check(Check),
    /// Let a deploy through, unless a violation is new, has grown, or is past its day
    Gate(Gate),
    /// How a check went: trend, first seen, last clear
    History(History),
    /// A day or a week of runs on one page
    Report(Report),
    /// Whether the runs of a suite happen
    Health(Health),
    /// Which control, which check, when last green, which incidents
    Audit(Audit),
    /// What the incidents of a period add up to, beside the period before
    Metrics(Metrics),
    /// Try out every change and guardrail of a runbook; everything is rolled back
    Rehearse(Rehearse),
    /// Whether a target could be had again: dump, backup, restore, objectives, and what guards it
    Resilience(Resilience),
    /// The tables of an incident store that several hosts share
    #[command(subcommand)]
    Store(Store),
    /// Judge checks, runbooks and configuration files
    Lint(Lint),
    /// Write an incident's postmortem as it stands
    Postmortem(Postmortem),
    /// Pack an incident into one file for an auditor
    Bundle(Bundle),
    /// Prove that an incident's journal and evidence are as they were written
    Verify(Verify),
    /// Print the SQL of the roles that checks and recoveries need, and no right more
    Grants(Grants),
    /// Show every setting and where it comes from, and how each server would be reached
    Config,
    /// List the themes
    Themes,
    /// Print the completions of a shell
    Completions {
        /// The shell they are for
        shell: Shell,
    },
    /// Print the manual page
    Man(Man),
}

/// How a result is written, and where to.
#[derive(Debug, Args)]
pub struct Sheet<F: ValueEnum + Send + Sync + 'static> {
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: F,
    /// Write it into this file, whole or not at all
    #[arg(long, short, value_name = "FILE", value_parser = value::file)]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The page of this command; one page of all without it
    pub command: Option<String>,
    /// The names of the commands that have a page
    #[arg(long, conflicts_with = "command")]
    pub list: bool,
}

impl Globals {
    /// What the arguments say about the configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            theme: self.theme.clone(),
            keymap: self.keymap.clone(),
            state: self.state.clone(),
            checks: self.checks.clone(),
            runbooks: self.runbooks.clone(),
            bind: self.bind.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_argument_says_what_it_is_for() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments().filter(|one| one.get_id() != "help") {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}
