//! `steadyhand approve`: shows a second person what somebody else is about to do, runs it with the
//! second person's own rights and takes it back, and signs it if they type its words.
//!
//! Nothing here writes to a database, and an approval is not made here: a signature is all that
//! leaves. The result goes to standard output, everything else to standard error.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::oneshot;

use super::Out;
use super::interrupts::Interrupts;
use super::tty::Tty;
use crate::catalogue::Catalogue;
use crate::clock;
use crate::config::{Config, Target};
use crate::exit::Exit;
use crate::format::TextOrJson;
use crate::incident::bundle::not_a_link;
use crate::ops::{self, Stopper};
use crate::problem::{Kind, Problem};
use crate::recovery::request::LONGEST;
use crate::recovery::{Preview, Request};
use crate::report;
use crate::report::json::line;
use crate::signature::{self, Purpose};
use crate::sql;
use crate::value::counted;

/// Clocks of two hosts differ by less.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug)]
pub struct Asked {
    /// The request; `-` for standard input.
    pub file: PathBuf,
    pub key: Option<PathBuf>,
    /// Sign nothing.
    pub show: bool,
    /// Do not run it here.
    pub no_preview: bool,
    pub format: TextOrJson,
    pub actor: String,
}

pub async fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let piped = asked.file == Path::new("-");
    let bytes = if piped { standard_input(out)? } else { file(&asked.file)? };
    let request = Request::read(&bytes).map_err(|why| {
        Problem::refused(format!("{}: {why}", asked.file.display()))
            .hint("nothing was signed; have the request sent again")
    })?;
    let page = report::request::text(&request, clock::now(), out.paint_errors);
    out.say_as_it_is(&page);
    in_time(&request)?;
    let mut interrupts = Interrupts::listen()?;
    let (ran, told) = if asked.no_preview {
        (Ran::Not, "not previewed here, as you asked".to_owned())
    } else {
        again(&request, asked, config, &mut interrupts, out).await?
    };
    out.say(&format!("\nPreview   {told}"));
    if ran == Ran::Otherwise {
        return Err(Problem::refused("what it does now is not what is asked; nothing was signed")
            .hint("tell the requester to preview again; --no-preview leaves this comparison out"));
    }
    let signed =
        if asked.show { None } else { Some(sign(&request, asked, config, &mut interrupts).await?) };
    let beside = PathBuf::from(format!("{}.sig", asked.file.display()));
    let laid_down = signed.as_ref().filter(|_| !piped).is_some_and(|signed| {
        let put = Out::put_beside(&beside, signed, &asked.file);
        // What was signed is not lost for that.
        put.map_err(|problem| {
            out.problem(&problem.hint("the signature follows: the requester pastes it with `i`"));
        })
        .is_ok()
    });
    let result = match (asked.format, &signed) {
        (TextOrJson::Json, _) => line(&json!({
            "operation": request.operation,
            "target": request.target.name,
            "rows": request.rows,
            "sha256": request.sha256(),
            "words": request.words(),
            "expires": request.expires,
            "preview": { "same": ran == Ran::Same, "told": told },
            "signature": signed,
        })),
        (TextOrJson::Text, None) => String::new(),
        (TextOrJson::Text, Some(signed)) if !laid_down => signed.clone(),
        (TextOrJson::Text, Some(_)) => format!("signed: {}\n", beside.display()),
    };
    out.put(&result)?;
    Ok(Exit::Clear)
}

fn in_time(request: &Request) -> Result<(), Problem> {
    let now: Timestamp = clock::now();
    if now > request.expires {
        let at = request.expires.strftime("%Y-%m-%d %H:%M:%S");
        return Err(Problem::refused(format!("it expired at {at} UTC; nothing was signed"))
            .hint("the requester previews again and asks again"));
    }
    if request.created > now + SKEW {
        let at = request.created.strftime("%Y-%m-%d %H:%M:%S");
        return Err(Problem::refused(format!(
            "it was made at {at} UTC, which is still to come; nothing was signed"
        ))
        .hint("compare the clocks of the two hosts"));
    }
    Ok(())
}

// ---------------------------------------------------------------------------------------- reading

/// A plain file of no more than a request's length.
fn file(path: &Path) -> Result<Vec<u8>, Problem> {
    let bytes = not_a_link(path).and_then(|()| {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        bounded(File::open(path)?)
    });
    bytes.map_err(|error| Problem::usage(format!("{}: {error}", path.display())))
}

/// Until the last line of a pasted request, or the end.
fn standard_input(out: &mut Out) -> Result<Vec<u8>, Problem> {
    use std::io::{BufRead as _, IsTerminal as _};
    let input = io::stdin();
    if input.is_terminal() {
        out.say("paste the request, from its BEGIN line to its END line");
    }
    let mut bytes = Vec::new();
    let mut input = input.lock().take(2 * LONGEST as u64 + 1);
    loop {
        let start = bytes.len();
        let read = input.read_until(b'\n', &mut bytes);
        let read = read.map_err(|error| Problem::system(format!("standard input: {error}")))?;
        if read == 0 || bytes[start..].starts_with(b"-----END ") {
            return Ok(bytes);
        }
    }
}

/// One byte more than may be, so that what is longer is noticed.
fn bounded(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(2 * LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

// ------------------------------------------------------------------------------------ previewing

/// What a run here has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ran {
    Same,
    Otherwise,
    /// With what is told besides.
    Not,
}

/// Runs it here and takes it back, where that is possible, and says what came of it.
async fn again(
    request: &Request,
    asked: &Asked,
    config: &Config,
    interrupts: &mut Interrupts,
    out: &mut Out,
) -> Result<(Ran, String), Problem> {
    let name = &request.target.name;
    let not = |why: String| Ok((Ran::Not, format!("NOT RUN HERE: {why}")));
    let Some(target) = config.targets.iter().find(|target| target.name == *name) else {
        return not(format!("{name} is not configured here"));
    };
    if request.undoes.is_some() {
        return not("the rows that an undo puts back are with the incident only".into());
    }
    for statement in &request.statements {
        sql::write(&statement.sql, target.url.dialect).map_err(|refusal| {
            Problem::refused(format!("{}; nothing was run or signed", refusal.clause()))
                .hint("this is no change that a runbook could have asked for")
        })?;
    }
    let asking = ops::connect::identify_as(target, &request.target.server, false);
    match interrupts.or(asking).await? {
        Ok(_) => {}
        Err(problem) if problem.kind == Kind::Refused => return Err(problem),
        Err(problem) => return not(problem.sentence),
    }
    out.progress("running it and taking it back ...");
    let stopper = Stopper::default();
    let running = preview(request, target, asked, config, &stopper);
    match interrupts.over(running, &stopper).await? {
        Ok(preview) => Ok(compared(request, &preview)),
        Err(problem) if problem.kind == Kind::Interrupted => Err(problem),
        Err(problem) => not(problem.sentence),
    }
}

async fn preview(
    request: &Request,
    target: &Target,
    asked: &Asked,
    config: &Config,
    stopper: &Stopper,
) -> Result<Preview, Problem> {
    let catalogue = Catalogue::load_checks(&config.check_dirs(), &config.runbook_dirs());
    let catalogue = catalogue.and_then(|all| all.settled(&config.settings)).ok();
    let check = |id: &str| catalogue.as_ref().and_then(|all| all.check(id)).cloned();
    ops::second::preview(request, target, asked.actor.clone(), check, stopper).await
}

fn compared(request: &Request, preview: &Preview) -> (Ran, String) {
    let part = if request.chunks.is_some() { "the first chunk, " } else { "" };
    let rows = preview.rows();
    if let Err(why) = &preview.proof {
        return (Ran::Otherwise, format!("the rollback could not be proved: {why}"));
    }
    if preview.fingerprint == request.expected() {
        let how = "run here with your rights and rolled back";
        return (Ran::Same, format!("{how}: {part}{rows}, the same as asked for"));
    }
    let mut differences: Vec<String> = Vec::new();
    for (then, now) in request.statements.iter().zip(&preview.statements) {
        if then.rows != now.rows {
            differences.push(format!(
                "{}: {} asked, {} now",
                then.note,
                counted(then.rows, "row"),
                now.rows
            ));
        }
    }
    if differences.is_empty() {
        differences.push(format!("{rows}, but not those, or not as they were, when asked"));
    }
    (Ran::Otherwise, format!("DIFFERS: {part}{}", differences.join("; ")))
}

// ---------------------------------------------------------------------------------------- signing

async fn sign(
    request: &Request,
    asked: &Asked,
    config: &Config,
    interrupts: &mut Interrupts,
) -> Result<String, Problem> {
    const QUESTION: &str = "Type the four words to agree, anything else declines: ";
    let key = key(asked.key.as_deref(), config)?;
    let mut tty = Tty::open()?;
    // On a thread that nobody waits for, because a read of the terminal cannot be broken off.
    let (said, answer) = oneshot::channel();
    std::thread::spawn(move || said.send(tty.ask(QUESTION)));
    let failed = |_| Problem::system("the terminal could not be asked; nothing was signed");
    let typed = interrupts.or(answer).await?.map_err(failed)??;
    if !typed.eq_ignore_ascii_case(&request.words()) {
        return Err(Problem::refused("declined: those are not its words; nothing was signed"));
    }
    in_time(request)?;
    signed(&key, Purpose::Approval, &request.bytes())
}

pub(super) fn signed(key: &Path, purpose: Purpose, bytes: &[u8]) -> Result<String, Problem> {
    signature::sign(key, purpose, bytes).map_err(|why| {
        Problem::unreachable(format!("nothing was signed: {why}"))
            .hint("--key takes an SSH key: a private one, or a public one whose private half your agent holds")
    })
}

/// The key that was named, that is configured, or that ssh would take.
pub(super) fn key(named: Option<&Path>, config: &Config) -> Result<PathBuf, Problem> {
    const USUAL: [&str; 5] = ["id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa"];
    let said = named.or(config.seconding.key.as_ref().map(|set| set.value.as_path()));
    if let Some(said) = said {
        return Ok(said.to_owned());
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let usual = USUAL.iter().map(|name| home.join(".ssh").join(name));
    usual.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Problem::usage("there is no SSH key to sign with; nothing was signed")
            .hint(
                "name one with --key, or as `key` of [approval] in steadyhand.toml; of a key that your agent \
                 holds, `ssh-add -L` gives the public half, which is enough as a file",
            )
    })
}
