//! A secret from a command: an argument vector, never a shell, under a time limit.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;

use super::Secret;
use crate::problem::Problem;
use crate::source::{duration_text, quoted};

/// Long enough to touch a token or to unlock a key.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// More than any password is long.
const CAPTURED: usize = 64 * 1024;

/// Why a command gave no line. What it printed is in none of them: the secret may be there.
#[derive(Debug, thiserror::Error)]
pub enum NoLine {
    #[error("cannot be run: {0}")]
    CannotRun(io::Error),
    #[error("was lost: {0}")]
    Lost(io::Error),
    #[error("was not finished after {}", duration_text(*.0))]
    Late(Duration),
    /// With what it said on its standard error.
    #[error("failed ({0})")]
    Failed(ExitStatus, String),
    #[error("printed nothing")]
    Nothing,
    #[error("printed something that is not UTF-8")]
    NotText,
}

/// What a command has said, for as long as this process runs and the server takes it: a token that wants
/// to be touched is not asked for each connection.
#[derive(Debug)]
struct Kept {
    secret: Secret,
    /// By another connection than the one that it was asked for.
    used_again: bool,
}

/// One place for each command, so that nobody waits for another one.
type Places = BTreeMap<Vec<String>, Arc<Mutex<Option<Kept>>>>;

static KEPT: Mutex<Places> = Mutex::new(BTreeMap::new());

fn kept_at(argv: &[String]) -> Arc<Mutex<Option<Kept>>> {
    let mut places = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(places.entry(argv.to_vec()).or_default())
}

/// The same password as before, or the command is asked.
pub(super) fn kept(key: &str, argv: &[String], patience: Duration) -> Result<Secret, Problem> {
    let place = kept_at(argv);
    let mut kept = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = &mut *kept {
        kept.used_again = true;
        return Ok(kept.secret.clone());
    }
    let secret = password(key, argv, patience)?;
    *kept = Some(Kept { secret: secret.clone(), used_again: false });
    Ok(secret)
}

/// Forgets a password that was refused; whether asking again may bring another one.
pub(super) fn forget(argv: &[String], refused: &Secret) -> bool {
    let place = kept_at(argv);
    let mut kept = place.lock().unwrap_or_else(PoisonError::into_inner);
    match &*kept {
        Some(kept) if kept.secret.expose_secret() != refused.expose_secret() => true,
        Some(Kept { used_again, .. }) => {
            let used_again = *used_again;
            *kept = None;
            used_again
        }
        None => true,
    }
}

/// The password of a target, from the command that stands under this key.
pub(super) fn password(key: &str, argv: &[String], patience: Duration) -> Result<Secret, Problem> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Problem::usage("The password command is empty."));
    };
    first_line(program, arguments, patience).map_err(|why| {
        if let NoLine::CannotRun(_) = why {
            // What is no program may be the password itself, so it is not repeated.
            return Problem::usage(format!("The program that {key} names {why}."))
                .hint(format!("{key} is a program and its arguments, each a text of its own"));
        }
        let what = format!("The password command {} {why}", quoted(program));
        let problem = Problem::unreachable(format!("{what}; nothing was connected."));
        match why {
            NoLine::Late(_) => {
                problem.hint("it runs without a terminal: does it wait for a passphrase?")
            }
            NoLine::Failed(_, said) if said.is_empty() => {
                problem.hint("it said nothing on its standard error")
            }
            NoLine::Failed(_, said) => problem.hint(format!("it said: {said}")),
            NoLine::Nothing => problem.hint("the first line of its standard output is taken"),
            _ => problem,
        }
    })
}

/// What is shown of a command: no argument, which may be a secret of its own, and of the program only
/// what is one.
pub fn shown(argv: &[String]) -> Option<String> {
    let program = argv.first()?;
    let named = program.contains('/').then(|| vec![PathBuf::from(program)]);
    let found = named.unwrap_or_else(|| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(program)).collect()
    });
    let is_one = found.iter().any(|path| path.is_file());
    Some(if is_one {
        format!("{program} …")
    } else {
        "… (there is no such program)".to_owned()
    })
}

/// The first line of what the command prints.
pub fn first_line(
    program: &str,
    arguments: &[String],
    patience: Duration,
) -> Result<Secret, NoLine> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(NoLine::CannotRun)?;
    let (out, err) = (gathered(child.stdout.take()), gathered(child.stderr.take()));
    let status = ended(&mut child, patience).map_err(NoLine::Lost)?;
    let status = status.ok_or(NoLine::Late(patience))?;
    if !status.success() {
        let said = received(&err, LOOK * 10);
        let said = String::from_utf8_lossy(&said);
        return Err(NoLine::Failed(status, crate::value::visible::text(said.trim()).into()));
    }
    // Something it left behind may hold the pipe open; the line is there all the same.
    let text = received(&out, LOOK * 10);
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match str::from_utf8(line) {
        Ok("") => Err(NoLine::Nothing),
        Ok(line) => Ok(Secret::from(line)),
        Err(_) => Err(NoLine::NotText),
    }
}

/// How a command ended that leads a group of its own; none if it was not done in time. It is ended
/// then, with whatever it started.
pub fn ended(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let mut waited = Duration::ZERO;
    loop {
        let looked = child.try_wait();
        match looked {
            Ok(Some(_)) => return looked,
            Ok(None) if waited < patience => {
                thread::sleep(LOOK);
                waited += LOOK;
            }
            _ => {
                if let Ok(pid) = i32::try_from(child.id())
                    && let Some(group) = Pid::from_raw(pid)
                {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                let _ = child.wait();
                return looked;
            }
        }
    }
}

/// What comes out of a pipe, piece by piece, read aside so that a full pipe never blocks the command.
fn gathered(pipe: Option<impl Read + Send + 'static>) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        let mut pipe = pipe.take(CAPTURED as u64);
        let mut buffer = Zeroizing::new([0; 4096]);
        while let Ok(n @ 1..) = pipe.read(&mut buffer[..]) {
            if sender.send(Zeroizing::new(buffer[..n].to_vec())).is_err() {
                return;
            }
        }
    });
    receiver
}

fn received(pieces: &Receiver<Zeroizing<Vec<u8>>>, patience: Duration) -> Zeroizing<Vec<u8>> {
    // Of one size from the start: a growing buffer would leave copies behind.
    let mut all = Zeroizing::new(Vec::with_capacity(CAPTURED));
    loop {
        match pieces.recv_timeout(patience) {
            Ok(piece) => all.extend_from_slice(&piece),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return all,
        }
    }
}
