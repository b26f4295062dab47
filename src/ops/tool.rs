//! Commands of a runbook: the words of a step filled in, run with the access of the target, and what
//! came of them. A backup is digested when it is there, and a line about each try is appended to a file.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::client;
use super::command;
use super::connect::reach;
use crate::clock;
use crate::config::Target;
use crate::consent::{Act, Consent};
use crate::dialect::Dialect;
use crate::digest;
use crate::engine::Stopper;
use crate::files::append_line;
use crate::incident::entry::{Entry, Evidence};
use crate::rights;
use crate::runbook::places::{BACKUPS, Places};
use crate::runbook::{CommandStep, Ran};

/// The line about each backup.
pub const RECORD: &str = "backups.jsonl";

/// Where a command of a runbook is run.
#[derive(Debug, Clone)]
pub struct Site {
    pub target: Target,
    /// The folder of the incident.
    pub folder: PathBuf,
}

impl Site {
    pub fn places(&self) -> Places<'_> {
        let Target { url, .. } = &self.target;
        let (dialect, database) = (url.dialect, url.database());
        Places { dialect, database, file: &url.path, folder: &self.folder }
    }

    /// Runs a step: the access laid out, the backup recorded, the output compared. What is not
    /// read-only runs under a consent.
    pub async fn run(
        &self,
        id: &str,
        step: &CommandStep,
        consent: Option<Consent>,
        stopper: &Stopper,
    ) -> (Vec<String>, Ran) {
        let Some(shown) = self.places().words(&step.argv) else {
            return (Vec::new(), failed(format!("nothing to run on {}", self.target.url.dialect)));
        };
        if !step.readonly
            && let Err(why) = self.agreed(id, consent)
        {
            return (shown, failed(why));
        }
        let ran = match self.started(&shown, step, stopper).await {
            Ok(mut ran) => {
                if let Some(file) = &step.backup {
                    let file = self.places().filled(file);
                    let recorded = self.record(Path::new(&file), &shown, &ran);
                    ran.trouble = ran.trouble.or(recorded.err());
                }
                if let Some(other) = step.same_as.as_deref().filter(|_| ran.exit == Some(0)) {
                    let compared = self.compared(other, &ran.output);
                    ran.trouble = ran.trouble.or(compared.err());
                }
                ran
            }
            Err(why) => failed(why),
        };
        (shown, ran)
    }

    fn agreed(&self, step: &str, consent: Option<Consent>) -> Result<(), String> {
        if let Some(why) = self.target.no_command() {
            return Err(why);
        }
        let act = Act::RunCommand { step: step.to_owned() };
        let consent = consent.ok_or("it was not confirmed; nothing was executed")?;
        consent.spend(&act, &self.target.name, clock::now())
    }

    /// Runs the words with the access laid out beside them.
    async fn started(
        &self,
        shown: &[String],
        step: &CommandStep,
        stopper: &Stopper,
    ) -> Result<Ran, String> {
        rights::folders(self.places().state(), &[BACKUPS]).map_err(|error| error.to_string())?;
        let (mut argv, mut settings) = (shown.to_vec(), Vec::new());
        let mut hidden = None;
        if self.target.url.server.is_some() {
            let failed = |error: io::Error| format!("the access could not be laid out: {error}");
            let access = reach(&self.target).await.map_err(|problem| problem.sentence)?;
            if self.target.url.dialect == Dialect::Postgres {
                (settings, hidden) = client::libpq(&access, false).map_err(failed)?;
            } else {
                let file = client::mysql(&access).map_err(failed)?;
                let word = format!("--defaults-file={}", file.path().display());
                argv = argv.iter().map(|one| one.replace("{client}", &word)).collect();
                hidden = Some(file);
            }
        }
        let ran = command::run(&argv, &settings, step.timeout, stopper).await;
        drop(hidden);
        Ok(ran)
    }

    /// One line for each try, in one file for all incidents.
    fn record(&self, file: &Path, argv: &[String], ran: &Ran) -> Result<(), String> {
        let digested = (ran.exit == Some(0)).then(|| {
            // Whoever goes on with the incident may have to make it again.
            rights::open(OpenOptions::new().read(true), file)?;
            digest::of_file(file)
        });
        let found = digested.as_ref().and_then(|digested| digested.as_ref().ok());
        let line = json!({
            "at": clock::now().to_string(),
            "incident": self.folder.file_name().map(|name| name.to_string_lossy()),
            "target": self.target.name,
            "engine": self.target.url.dialect.key(),
            "argv": argv,
            "exit": ran.exit,
            "seconds": ran.seconds,
            "file": file.display().to_string(),
            "bytes": found.map(|(bytes, _)| bytes),
            "sha256": found.map(|(_, sha256)| sha256),
        });
        append_line(&self.places().backups().join(RECORD), &line.to_string())
            .map_err(|error| format!("the backup could not be recorded: {error}"))?;
        match digested {
            Some(Err(error)) => {
                Err(format!("the backup {} cannot be read: {error}", file.display()))
            }
            _ => Ok(()),
        }
    }

    /// The output must be that of an earlier step, which lies among the evidence.
    fn compared(&self, other: &str, output: &[u8]) -> Result<(), String> {
        match self.output_of(other)? {
            same if same == output => Ok(()),
            _ => Err(format!("the output is not that of the step {other}")),
        }
    }

    fn output_of(&self, step: &str) -> Result<Vec<u8>, String> {
        let (records, _, _) = crate::incident::journal::read(&self.folder)
            .map_err(|error| format!("the journal cannot be read: {error}"))?;
        let named = records.iter().rev().find_map(|record| match &record.entry {
            Entry::CommandRan { step: of, output, exit: Some(0), .. } if of == step => Some(output),
            _ => None,
        });
        let Evidence { file, .. } = named.ok_or_else(|| {
            format!("the step {step} was not run, so there is nothing to compare")
        })?;
        fs::read(self.folder.join(file)).map_err(|error| format!("{file}: {error}"))
    }
}

fn failed(why: String) -> Ran {
    Ran { exit: None, output: Vec::new(), seconds: 0.0, trouble: Some(why) }
}
