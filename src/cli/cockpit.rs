//! What opens the cockpit: on databases of its own, on an incident of yours, on somebody else's.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DemoEngine {
    Sqlite,
    Postgres,
    Mysql,
    Mariadb,
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
pub struct Replay {
    /// The incident: its name, the beginning of it, its number, the path of its folder, or a bundle
    pub incident: String,
}

#[derive(Debug, Args)]
pub struct Watch {
    /// The incident; without one, the open one that was worked on last
    pub incident: Option<String>,
    /// Line by line: every record as a sentence, as it comes
    #[arg(long)]
    pub plain: bool,
}
