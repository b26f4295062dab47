//! Commands outside SQL: an argument vector, never a shell, under a time limit, output captured.
//!
//! Tools of a database find the target by what their own clients read, in files that only this user
//! can open and that are gone with the command; a password stands neither in an argument nor in the
//! journal. A backup is digested when it is there, and a line about each try is appended to a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::connect::reach;
use crate::clock;
use crate::config::Target;
use crate::config::access::{Access, Host};
use crate::dialect::Dialect;
use crate::digest::Through;
use crate::engine::Stopper;
use crate::incident::entry::{Entry, Evidence};
use crate::runbook::{CommandStep, Ran};

/// Output beyond this is cut, and said to be.
const CAPTURED: usize = 1024 * 1024;

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
    /// Backups lie beside the incidents: they are large, and no evidence.
    pub fn backups(&self) -> PathBuf {
        let state = self.folder.parent().and_then(Path::parent).unwrap_or(&self.folder);
        state.join("backups")
    }

    fn incident(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    }

    /// The arguments as they will be run, but for where the access lies; none on an engine that the
    /// step has nothing for.
    pub fn words(&self, argv: &crate::runbook::Argv) -> Option<Vec<String>> {
        let words = argv.get(self.target.url.dialect)?;
        Some(words.iter().map(|word| self.filled(word)).collect())
    }

    fn filled(&self, word: &str) -> String {
        let url = &self.target.url;
        let backup = self.backups().join(self.incident());
        let scratch = match url.dialect {
            Dialect::Sqlite => backup.with_extension("scratch").display().to_string(),
            _ => format!("steadyhand_scratch_{}", self.incident()),
        };
        let database = url.server.as_ref().map_or("main", |server| server.database.as_str());
        let mut filled = word.to_owned();
        for (name, value) in [
            ("{database}", database),
            ("{file}", &url.path.display().to_string()),
            ("{scratch}", &scratch),
            ("{backup}", &backup.display().to_string()),
        ] {
            filled = filled.replace(name, value);
        }
        filled
    }

    /// Runs a step: the access laid out, the backup recorded, the output compared.
    pub async fn run(&self, step: &CommandStep, stopper: &Stopper) -> (Vec<String>, Ran) {
        let Some(shown) = self.words(&step.argv) else {
            return (Vec::new(), failed(format!("nothing to run on {}", self.target.url.dialect)));
        };
        let ran = match self.prepared(&shown).await {
            Ok(prepared) => {
                let mut ran = run_in(&prepared, step.timeout, stopper).await;
                if let Some(file) = &step.backup {
                    let recorded = self.record(Path::new(&self.filled(file)), &shown, &ran);
                    ran.trouble = ran.trouble.or(recorded.err());
                }
                ran
            }
            Err(why) => failed(why),
        };
        let ran = match step.same_as.as_deref().filter(|_| ran.exit == Some(0)) {
            Some(other) => self.compared(other, ran),
            None => ran,
        };
        (shown, ran)
    }

    async fn prepared(&self, shown: &[String]) -> Result<Prepared, String> {
        fs::create_dir_all(self.backups()).map_err(|error| error.to_string())?;
        let home = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut prepared = Prepared { argv: shown.to_vec(), variables: Vec::new(), _home: None };
        if self.target.url.server.is_some() {
            let access = reach(&self.target).await.map_err(|problem| problem.sentence)?;
            let laid = match self.target.url.dialect {
                Dialect::Postgres => prepared.libpq(&access, home.path()),
                _ => prepared.mysql(&access, home.path()),
            };
            laid.map_err(|error| format!("the access could not be laid out: {error}"))?;
        }
        prepared._home = Some(home);
        Ok(prepared)
    }

    /// One line for each try, in one file for all incidents.
    fn record(&self, file: &Path, argv: &[String], ran: &Ran) -> Result<(), String> {
        let digested = match ran.exit {
            Some(0) => Some(digest(file).map_err(|error| {
                format!("the backup {} cannot be read: {error}", file.display())
            })?),
            _ => None,
        };
        let line = json!({
            "at": clock::now().to_string(),
            "incident": self.folder.file_name().map(|name| name.to_string_lossy()),
            "target": self.target.name,
            "engine": self.target.url.dialect.key(),
            "argv": argv,
            "exit": ran.exit,
            "seconds": ran.seconds,
            "file": file.display().to_string(),
            "bytes": digested.as_ref().map(|(bytes, _)| bytes),
            "sha256": digested.as_ref().map(|(_, sha256)| sha256),
        });
        let append = || -> io::Result<()> {
            let path = self.backups().join(RECORD);
            let mut record = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
            record.write_all(format!("{line}\n").as_bytes())?;
            record.sync_data()
        };
        append().map_err(|error| format!("the backup could not be recorded: {error}"))
    }

    /// The output must be that of an earlier step, which lies among the evidence.
    fn compared(&self, other: &str, ran: Ran) -> Ran {
        let trouble = match self.output_of(other) {
            Ok(output) if output == ran.output => None,
            Ok(_) => Some(format!("the output is not that of the step {other}")),
            Err(why) => Some(why),
        };
        Ran { trouble, ..ran }
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

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut through = Through::new(File::open(path)?);
    let bytes = io::copy(&mut through, &mut io::sink())?;
    Ok((bytes, through.finish().1))
}

/// A vector with what it needs beside it, until it is dropped.
struct Prepared {
    argv: Vec<String>,
    variables: Vec<(&'static str, String)>,
    _home: Option<tempfile::TempDir>,
}

impl Prepared {
    /// The variables of libpq; the password in a file of its own.
    fn libpq(&mut self, access: &Access, home: &Path) -> io::Result<()> {
        let host = match &access.host {
            Host::Tcp(name) => name.clone(),
            Host::Socket(folder) => folder.display().to_string(),
        };
        let options: Vec<String> = access
            .options
            .iter()
            .map(|(name, value)| {
                format!("-c {name}={}", value.replace('\\', r"\\").replace(' ', r"\ "))
            })
            .collect();
        self.variables.extend([
            ("PGHOST", host),
            ("PGPORT", access.port.to_string()),
            ("PGUSER", access.user.clone()),
            ("PGDATABASE", access.database.clone()),
            ("PGSSLMODE", access.tls.mode.word().to_owned()),
            ("PGOPTIONS", options.join(" ")),
            ("PGAPPNAME", "steadyhand".to_owned()),
        ]);
        for (name, path) in [
            ("PGSSLROOTCERT", &access.tls.ca),
            ("PGSSLCERT", &access.tls.cert),
            ("PGSSLKEY", &access.tls.key),
        ] {
            self.variables.extend(path.iter().map(|path| (name, path.display().to_string())));
        }
        if let Some(password) = &access.password {
            let secret = password.expose_secret().replace('\\', r"\\").replace(':', r"\:");
            let file = private(home, "pgpass", &format!("*:*:*:*:{secret}\n"))?;
            self.variables.push(("PGPASSFILE", file));
        }
        Ok(())
    }

    /// A file of options, which the clients of MySQL and MariaDB want to be told of first.
    fn mysql(&mut self, access: &Access, home: &Path) -> io::Result<()> {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""));
        let mut lines = vec!["[client]".to_owned(), format!("user={}", quoted(&access.user))];
        match &access.host {
            Host::Tcp(name) => {
                lines.push(format!("host={}\nport={}", quoted(name), access.port));
                lines.push("protocol=tcp".to_owned());
            }
            Host::Socket(path) => {
                lines.push(format!("socket={}", quoted(&path.display().to_string())))
            }
        }
        for (name, path) in [
            ("ssl-ca", &access.tls.ca),
            ("ssl-cert", &access.tls.cert),
            ("ssl-key", &access.tls.key),
        ] {
            lines.extend(
                path.iter().map(|path| format!("{name}={}", quoted(&path.display().to_string()))),
            );
        }
        if let Some(password) = &access.password {
            lines.push(format!("password={}", quoted(password.expose_secret())));
        }
        let file = private(home, "client.cnf", &(lines.join("\n") + "\n"))?;
        for word in &mut self.argv {
            *word = word.replace("{client}", &format!("--defaults-file={file}"));
        }
        Ok(())
    }
}

/// A file that only this user can read.
fn private(home: &Path, name: &str, text: &str) -> io::Result<String> {
    let path = home.join(name);
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    Ok(path.display().to_string())
}

async fn run_in(prepared: &Prepared, timeout: Duration, stopper: &Stopper) -> Ran {
    let (argv, start) = (&prepared.argv, Instant::now());
    let outcome = tokio::time::timeout(timeout, child(prepared, stopper)).await;
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(Ok((exit, output))) => {
            let trouble = exit.is_none().then(|| "it was stopped".to_owned());
            Ran { exit, output, seconds, trouble }
        }
        Ok(Err(error)) => {
            let trouble = Some(format!("{} cannot be run: {error}", argv.join(" ")));
            Ran { exit: None, output: Vec::new(), seconds, trouble }
        }
        Err(_) => {
            let trouble = Some(format!("not finished after {:.0} s", timeout.as_secs_f64()));
            Ran { exit: None, output: Vec::new(), seconds, trouble }
        }
    }
}

async fn child(prepared: &Prepared, stopper: &Stopper) -> io::Result<(Option<i32>, Vec<u8>)> {
    let (program, arguments) =
        prepared.argv.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .envs(prepared.variables.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reading = async { tokio::join!(capture(out), capture(err)) };
    let stopped = async {
        while !stopper.is_stopped() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (mut out, err) = tokio::select! {
        both = reading => both,
        () = stopped => {
            child.kill().await?;
            return Ok((None, Vec::new()));
        }
    };
    if !err.is_empty() {
        out.extend_from_slice(b"--- standard error ---\n");
        out.extend_from_slice(&err);
    }
    Ok((child.wait().await?.code(), out))
}

async fn capture(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut output = Vec::new();
    let Some(mut pipe) = pipe else { return output };
    let mut buffer = [0; 8192];
    let mut cut = false;
    while let Ok(n) = pipe.read(&mut buffer).await {
        if n == 0 {
            break;
        }
        let room = CAPTURED.saturating_sub(output.len());
        output.extend_from_slice(&buffer[..n.min(room)]);
        cut |= n > room;
    }
    if cut {
        output.extend_from_slice(b"\n--- cut after 1 MiB ---\n");
    }
    output
}
