//! What is done with incidents that are there: list, agree, hand over, write up, pack, prove.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Sheet, value};
use crate::digest::Beginning;
use crate::format::{MarkdownHtmlOrJson, TextMarkdownOrJson, TextOrJson};

#[derive(Debug, Args)]
pub struct Incidents {
    /// How to write the list
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

#[derive(Debug, Args)]
pub struct Approve {
    /// The request: a file of the incident's folder, or - to paste it
    #[arg(value_name = "FILE", required_unless_present = "review")]
    pub file: Option<PathBuf>,
    /// Review what was done without a second person in this incident, and record that
    #[arg(long, value_name = "INCIDENT", conflicts_with_all = ["file", "show", "no_preview", "format"])]
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
pub struct Handover {
    /// The incident: its name, the beginning of it, its number, or the path of its folder; without one, the only open one
    pub incident: Option<String>,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextMarkdownOrJson,
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
pub struct Metrics {
    /// Only on this target, by its name
    #[arg(long, short, value_name = "TARGET")]
    pub target: Vec<String>,
    /// Only of this runbook
    #[arg(long, value_name = "RUNBOOK")]
    pub of: Vec<String>,
    /// The length of the period; the one before is as long
    #[arg(long, value_name = "DURATION", value_parser = value::length, default_value = "90d")]
    pub since: Duration,
    /// Incidents that were made up for a demo or a drill, instead of those that happened
    #[arg(long)]
    pub practice: bool,
    #[command(flatten)]
    pub sheet: Sheet<TextMarkdownOrJson>,
}

#[derive(Debug, Args)]
pub struct Postmortem {
    /// The incident: its name, the beginning of it, its number, or the path of its folder
    pub incident: String,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: MarkdownHtmlOrJson,
    /// On an HTML page, also the first rows of each change, before and after; they are data
    #[arg(long)]
    pub rows: bool,
    /// Write it into this file
    #[arg(long, short, value_name = "FILE", value_parser = value::file)]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Bundle {
    /// The incident: its name, the beginning of it, its number, or the path of its folder
    pub incident: String,
    /// Write it into this file; INCIDENT.tar without it
    #[arg(long, short, value_name = "FILE", value_parser = value::file)]
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
    pub head: Option<Beginning>,
    /// Who may have signed a bundle, or agreed to a change, in the form of ssh-keygen
    #[arg(long, value_name = "FILE")]
    pub signers: Option<PathBuf>,
}
