//! The command line: what may be typed, and what it means.
//!
//! Turns arguments into values and starts nothing. Only what works is offered here; the texts are
//! the help, the man page and the completions at once.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use clap_complete::Shell;

use crate::check::bind;
use crate::config::{Environment, Overrides};
use crate::dialect::Dialect;
use crate::exit::Exit;

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
    /// A file of keys for the cockpit, laid over the built-in ones (see the README)
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
    /// The only configuration file to read
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

#[derive(Debug, Args)]
pub struct Demo {
    /// The database engine of the demo
    #[arg(long, value_name = "ENGINE", default_value = "sqlite")]
    pub engine: DemoEngine,
    /// The server for it, as `postgres://USER@HOST/DATABASE`; it gets a schema of its own there
    #[arg(long, value_name = "URL", required_if_eq_any([("engine", "postgres"), ("engine", "mysql"), ("engine", "mariadb")]))]
    pub url: Option<String>,
    /// Begin with this incident: the id of a runbook
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// Keep the database and the incidents in this folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Line by line, for a screen reader, a serial console or a terminal that cannot move its cursor
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, Args)]
pub struct Drill {
    /// The id of the runbook whose fault is injected, for a trainer; one by chance without it
    pub incident: Option<String>,
    /// The database engine of the drill
    #[arg(long, value_name = "ENGINE", default_value = "sqlite")]
    pub engine: DemoEngine,
    /// The server for it, with user, host and database; the drill gets a schema of its own there
    #[arg(long, value_name = "URL", required_if_eq_any([("engine", "postgres"), ("engine", "mysql"), ("engine", "mariadb")]))]
    pub url: Option<String>,
    /// Keep the databases, the incidents and the score in this folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Line by line, for a screen reader, a serial console or a terminal that cannot move its cursor
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DemoEngine {
    Sqlite,
    Postgres,
    Mysql,
    Mariadb,
}

#[derive(Debug, Args)]
pub struct Open {
    /// The id of a runbook
    pub runbook: String,
    /// A configured name, a url, or the path of an SQLite file
    #[arg(long, short, value_name = "TARGET")]
    pub target: String,
    /// Line by line, for a screen reader, a serial console or a terminal that cannot move its cursor
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, Args)]
pub struct Resume {
    /// The incident; without one, the open one that was worked on last
    pub incident: Option<String>,
    /// Line by line, for a screen reader, a serial console or a terminal that cannot move its cursor
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, Args)]
pub struct Incidents {
    /// How to write the list
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub struct Approve {
    /// The request: a file of the incident's folder, or - to paste it
    #[arg(value_name = "FILE", required_unless_present = "review")]
    pub file: Option<PathBuf>,
    /// Review what was done without a second person in this incident, and record that
    #[arg(long, value_name = "INCIDENT", conflicts_with_all = ["file", "show", "no_preview"])]
    pub review: Option<String>,
    /// The SSH key to sign with; without it, the configured one, else the first of ~/.ssh
    #[arg(long, value_name = "KEY")]
    pub key: Option<PathBuf>,
    /// Show and check it, and sign nothing
    #[arg(long)]
    pub show: bool,
    /// Do not run it here, even where the target is configured
    #[arg(long)]
    pub no_preview: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub page: Page,
}

/// What is run, and where.
#[derive(Debug, Args)]
pub struct Selection {
    /// A configured name, a url, or the path of an SQLite file; all configured targets without it
    #[arg(long, short, value_name = "TARGET")]
    pub target: Vec<String>,
    /// All configured targets of this environment
    #[arg(long, value_name = "ENVIRONMENT", value_parser = environment)]
    pub environment: Vec<Environment>,
    /// Only the checks of this suite
    #[arg(long, short, value_name = "SUITE")]
    pub suite: Vec<String>,
    /// Only this check
    #[arg(long, short, value_name = "ID")]
    pub check: Vec<String>,
    /// Only the checks of this pack; without it, those of the packs that the target names
    #[arg(long, value_name = "PACK")]
    pub pack: Vec<String>,
    /// Connections to one server at a time; each has a snapshot of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
    pub connections: Option<u64>,
    /// How long the whole run may take, such as 10m; what is not done by then is inconclusive
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub budget: Option<Duration>,
}

/// How the result is written.
#[derive(Debug, Args)]
pub struct Page {
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Write the result into this file, whole or not at all
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with another code for an outcome, such as inconclusive=2
    #[arg(long, value_name = "OUTCOME=CODE", value_parser = mapping)]
    pub map: Vec<(Exit, Exit)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One object a line
    Json,
    /// For CI systems
    Junit,
    /// For the textfile collector
    Prometheus,
    /// For a pull request
    Markdown,
}

#[derive(Debug, Args)]
pub struct Gate {
    #[command(flatten)]
    pub selection: Selection,
    /// The file of violations that are known
    #[arg(long, value_name = "FILE")]
    pub baseline: PathBuf,
    /// Write the baseline from what is there now; what people wrote in it is kept
    #[arg(long)]
    pub update_baseline: bool,
    /// The last day of new exceptions, such as 2026-12-31; 30 days from now without it
    #[arg(long, value_name = "DAY", requires = "update_baseline")]
    pub expires: Option<jiff::civil::Date>,
    #[command(flatten)]
    pub page: Page,
}

#[derive(Debug, Args)]
pub struct History {
    /// The id of a check
    #[arg(required_unless_present = "pack")]
    pub check: Option<String>,
    /// Every check of this pack
    #[arg(long, value_name = "PACK", conflicts_with = "check")]
    pub pack: Vec<String>,
    /// Only on this target, by its name
    #[arg(long, short, value_name = "TARGET")]
    pub target: Vec<String>,
    /// How far to look back, such as 30d; all that is remembered without it
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub since: Option<Duration>,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

#[derive(Debug, Args)]
pub struct Report {
    /// Only on this target, by its name
    #[arg(long, short, value_name = "TARGET")]
    pub target: Vec<String>,
    /// How far to look back
    #[arg(long, value_name = "DURATION", value_parser = length, default_value = "7d")]
    pub since: Duration,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: PastFormat,
    /// Write it into this file, whole or not at all
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PastFormat {
    Markdown,
    /// One page without anything from outside
    Html,
    Json,
}

#[derive(Debug, Args)]
pub struct Health {
    /// A configured name, a url, or the path of an SQLite file; all configured targets without it
    #[arg(long, short, value_name = "TARGET")]
    pub target: Vec<String>,
    /// The suite that is to run; without it, those with a schedule, else any run
    #[arg(long, short, value_name = "SUITE")]
    pub suite: Vec<String>,
    /// How old the last run may be
    #[arg(long, value_name = "DURATION", value_parser = length, default_value = "26h")]
    pub max_age: Duration,
}

#[derive(Debug, Args)]
pub struct Audit {
    /// Only these: a key control, a place such as "COBIT DSS06", or a framework such as COBIT
    pub control: Vec<String>,
    /// Only on this target, by its name
    #[arg(long, short, value_name = "TARGET")]
    pub target: Vec<String>,
    /// Also incidents that were made up for a demo or a drill
    #[arg(long)]
    pub practice: bool,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextMarkdownOrJson,
    /// Write it into this file, whole or not at all
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Metrics {
    /// Only on this target, by its name
    #[arg(long, short, value_name = "TARGET")]
    pub target: Vec<String>,
    /// Only of this runbook
    #[arg(long, value_name = "RUNBOOK")]
    pub of: Vec<String>,
    /// The length of the period; the one before is as long
    #[arg(long, value_name = "DURATION", value_parser = length, default_value = "90d")]
    pub since: Duration,
    /// Incidents that were made up for a demo or a drill, instead of those that happened
    #[arg(long)]
    pub practice: bool,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextMarkdownOrJson,
    /// Write it into this file, whole or not at all
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextMarkdownOrJson {
    Text,
    Markdown,
    Json,
}

#[derive(Debug, Args)]
pub struct Rehearse {
    /// The ids of runbooks
    #[arg(value_name = "RUNBOOK", required_unless_present_any = ["all", "pack"])]
    pub runbook: Vec<String>,
    /// All runbooks at hand; where the target names its packs, all of those
    #[arg(long, conflicts_with = "runbook")]
    pub all: bool,
    /// All runbooks of this pack
    #[arg(long, value_name = "PACK", conflicts_with_all = ["runbook", "all"])]
    pub pack: Vec<String>,
    /// A configured name, a url, or the path of an SQLite file
    #[arg(long, short, value_name = "TARGET")]
    pub target: String,
    /// The answer to a question of a runbook; its own proposal without it
    #[arg(long, value_name = "NAME=VALUE", value_parser = answer)]
    pub answer: Vec<(String, String)>,
    /// Also on a target that is production
    #[arg(long)]
    pub on_production: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
    /// Write the result into this file, whole or not at all
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Resilience {
    /// A configured name, a url, or the path of an SQLite file
    #[arg(long, short, value_name = "TARGET")]
    pub target: String,
    /// Keep the evidence in this empty folder
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The page of this command; one page of all without it
    pub command: Option<String>,
    /// The names of the commands that have a page
    #[arg(long, conflicts_with = "command")]
    pub list: bool,
}

#[derive(Debug, Args)]
pub struct Lint {
    /// Files or folders; without any, those that are configured, else the built-in packs
    pub paths: Vec<PathBuf>,
    /// Only the checks and runbooks of this pack; without it, those that the target names
    #[arg(long, value_name = "PACK")]
    pub pack: Vec<String>,
    /// Also prepare every statement on this target; nothing is run
    #[arg(long, short, value_name = "TARGET")]
    pub target: Option<String>,
}

#[derive(Debug, Args)]
pub struct Postmortem {
    /// The incident: its name, the beginning of it, its number, or the path of its folder
    pub incident: String,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: PostmortemFormat,
    /// On an HTML page, also the first rows of each change, before and after; they are data
    #[arg(long)]
    pub rows: bool,
    /// Write it into this file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PostmortemFormat {
    Markdown,
    /// One page without anything from outside
    Html,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Store {
    /// Show the statements that make the tables; run them only with --apply
    Init {
        /// Run them on the configured store
        #[arg(long)]
        apply: bool,
    },
}

#[derive(Debug, Args)]
pub struct Handover {
    /// The incident: its name, the beginning of it, its number, or the path of its folder
    pub incident: String,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextMarkdownOrJson,
}

#[derive(Debug, Args)]
pub struct Watch {
    /// The incident; without one, the open one that was worked on last
    pub incident: Option<String>,
    /// Line by line: every record as a sentence, as it comes
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The incident: its name, the beginning of it, its number, the path of its folder, or a bundle
    pub incident: String,
}

#[derive(Debug, Args)]
pub struct Bundle {
    /// The incident: its name, the beginning of it, its number, or the path of its folder
    pub incident: String,
    /// Write it into this file; INCIDENT.tar without it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave out every text and file that could hold a row; the chain can still be checked
    #[arg(long)]
    pub redact: bool,
    /// Sign it with this SSH key, through ssh-keygen
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The incident: its name, the beginning of it, its number, the path of its folder, or a bundle
    pub incident: String,
    /// A hash of the journal that was written down elsewhere, or its beginning
    #[arg(long, value_name = "HASH")]
    pub head: Option<String>,
    /// Who may have signed a bundle, or agreed to a change, in the form of ssh-keygen
    #[arg(long, value_name = "FILE")]
    pub signers: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Grants {
    /// The engine, where no target says it
    #[arg(long, value_name = "ENGINE", required_unless_present = "target")]
    pub engine: Option<Engine>,
    /// A configured name or a url, for its engine and schema; nothing is connected to
    #[arg(long, short, value_name = "TARGET")]
    pub target: Option<String>,
    /// Where the tables are: a schema, or a database of MySQL and MariaDB
    #[arg(long, value_name = "SCHEMA")]
    pub schema: Option<String>,
    /// Only the checks and runbooks of this pack
    #[arg(long, value_name = "PACK")]
    pub pack: Vec<String>,
    /// A table that triggers write with the rights of whoever changes the row
    #[arg(long, value_name = "TABLE")]
    pub trigger_writes: Vec<String>,
    /// Print the script that proves what each role may not do
    #[arg(long)]
    pub self_test: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
    Mysql,
    Mariadb,
    Oracle,
}

impl From<Engine> for Dialect {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite,
            Engine::Postgres => Self::Postgres,
            Engine::Mysql => Self::Mysql,
            Engine::Mariadb => Self::Mariadb,
            Engine::Oracle => Self::Oracle,
        }
    }
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
            ..Overrides::default()
        }
    }
}

fn environment(text: &str) -> Result<Environment, String> {
    let found = Environment::ALL.iter().find(|(_, word)| *word == text);
    found
        .map(|(environment, _)| *environment)
        .ok_or("write production, staging or development".into())
}

/// `asset=17`
fn answer(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `10m`
fn length(text: &str) -> Result<Duration, String> {
    let length = crate::source::duration(text).filter(|length| !length.is_zero());
    length.ok_or_else(|| crate::source::DURATION_HINT.into())
}

/// `inconclusive=2`
fn mapping(text: &str) -> Result<(Exit, Exit), String> {
    const OUTCOMES: [(&str, Exit); 3] = [
        ("warning", Exit::Warning),
        ("violated", Exit::Violated),
        ("inconclusive", Exit::Inconclusive),
    ];
    const CODES: [Exit; 4] = [Exit::Clear, Exit::Warning, Exit::Violated, Exit::Inconclusive];
    let (outcome, code) =
        text.split_once('=').ok_or("write OUTCOME=CODE, such as inconclusive=2")?;
    let from = OUTCOMES.iter().find(|(name, _)| *name == outcome);
    let (_, from) = from.ok_or("the outcome is warning, violated or inconclusive")?;
    let to = CODES.iter().find(|exit| exit.code().to_string() == code);
    Ok((*from, *to.ok_or("the code is 0, 1, 2 or 3")?))
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

    #[test]
    fn outcomes_can_be_mapped() {
        assert_eq!(mapping("inconclusive=2"), Ok((Exit::Inconclusive, Exit::Violated)));
        assert_eq!(mapping("warning=0"), Ok((Exit::Warning, Exit::Clear)));
        for wrong in ["inconclusive", "clear=2", "violated=9", "violated=", "=2"] {
            assert!(mapping(wrong).is_err(), "{wrong}");
        }
    }
}
