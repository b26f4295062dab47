//! What runs checks, or judges what would be run, and tells of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Sheet, value};
use crate::config::Environment;
use crate::dialect::Dialect;
use crate::exit::Exit;
use crate::format::{MarkdownHtmlOrJson, OfChecks, TextMarkdownOrJson, TextOrJson};

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
    #[arg(long, value_name = "ENVIRONMENT", value_parser = value::environment)]
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
    #[arg(long, value_name = "DURATION", value_parser = value::length)]
    pub budget: Option<Duration>,
}

/// How the result is written.
#[derive(Debug, Args)]
pub struct Page {
    #[command(flatten)]
    pub sheet: Sheet<OfChecks>,
    /// Exit with another code for an outcome, such as inconclusive=2
    #[arg(long, value_name = "OUTCOME=CODE", value_parser = value::mapping)]
    pub map: Vec<(Exit, Exit)>,
}

#[derive(Debug, Args)]
pub struct Gate {
    #[command(flatten)]
    pub selection: Selection,
    /// The file of violations that are known
    #[arg(long, value_name = "FILE")]
    pub baseline: PathBuf,
    /// Write the baseline from what is there now; what people wrote in it is kept
    #[arg(long, conflicts_with_all = ["format", "output", "map"])]
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
    #[arg(long, value_name = "DURATION", value_parser = value::length)]
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
    #[arg(long, value_name = "DURATION", value_parser = value::length, default_value = "7d")]
    pub since: Duration,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: MarkdownHtmlOrJson,
    /// Write it into this file, whole or not at all
    #[arg(long, short, value_name = "FILE", value_parser = value::file)]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Health {
    /// A configured name, a url, or the path of an SQLite file; all configured targets without it
    #[arg(long, short, value_name = "TARGET")]
    pub target: Vec<String>,
    /// The suite that is to run; without it, those with a schedule, else any run
    #[arg(long, short, value_name = "SUITE")]
    pub suite: Vec<String>,
    /// How old the last run may be; without it, a twelfth more than the `every` of its suite, or 26h
    #[arg(long, value_name = "DURATION", value_parser = value::length)]
    pub max_age: Option<Duration>,
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
    #[command(flatten)]
    pub sheet: Sheet<TextMarkdownOrJson>,
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
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::answer)]
    pub answer: Vec<(String, String)>,
    /// Also on a target that is production
    #[arg(long)]
    pub on_production: bool,
    #[command(flatten)]
    pub sheet: Sheet<TextOrJson>,
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
pub struct Lint {
    /// Files or folders, besides those that are configured; the built-in packs where there are none
    pub paths: Vec<PathBuf>,
    /// Only the checks and runbooks of this pack; without it, those that the target names
    #[arg(long, value_name = "PACK")]
    pub pack: Vec<String>,
    /// Also prepare every statement on this target; nothing is run
    #[arg(long, short, value_name = "TARGET")]
    pub target: Option<String>,
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
