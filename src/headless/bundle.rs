//! `steadyhand bundle`: an incident in one file for an auditor, signed if wanted, without rows if
//! wanted; and `verify` of such a file, on a machine that knows neither the incident nor a database.
//!
//! Signatures are those of `ssh-keygen -Y`, made with the key that an engineer has anyway and checked
//! by anybody with the list of signers that git uses too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::out::{Place, place};
use super::postmortem::remembered;
use super::{Out, incident_folder};
use crate::clock;
use crate::config::Config;
use crate::digest::{self, Beginning};
use crate::exit::Exit;
use crate::incident::bundle::{self, OpenError, SIGNATURE, SUMS};
use crate::incident::verify::{Report, verify, verify_bundle};
use crate::incident::{Incident, chain, journal, redact, store};
use crate::postmortem::{self, Around, Draft, file};
use crate::problem::Problem;
use crate::report::text;
use crate::signature::{self, Purpose, Unproved};
use crate::value::counted;
use crate::value::visible;

#[derive(Debug)]
pub struct Asked {
    pub incident: String,
    pub output: Option<PathBuf>,
    pub redact: bool,
    /// The key to sign with: a private key, or a public one whose private half an agent holds.
    pub sign: Option<PathBuf>,
}

pub fn run(config: &Config, asked: &Asked, out: &mut Out) -> Result<Exit, Problem> {
    let state = &config.state.value;
    let folder = incident_folder(state, &asked.incident)?;
    let report = verify(&folder, None).map_err(|error| Problem::unreachable(error.to_string()))?;
    let id = super::lock::plain(&store::name(&folder));
    let failed = |error: io::Error| {
        Problem::system(format!("cannot make the bundle of {id}: {error}"))
            .hint("the incident is as it was; the space for a copy of its evidence is needed")
    };
    let page = page(&folder, &id, config, asked.redact).map_err(failed)?;
    let (faults, now) = (&report.faults, clock::now());
    let mut making =
        bundle::gather(&folder, &id, &page, faults, asked.redact, now).map_err(failed)?;
    if let Some(key) = &asked.sign {
        sign(key, &making.sums())?;
        making.signed();
    }
    let path = asked.output.clone().unwrap_or_else(|| PathBuf::from(format!("{id}.tar")));
    let digest = written(&making, &path).map_err(|error| {
        Problem::system(format!("cannot write {}: {error}", path.display()))
            .hint("the incident is as it was; choose another place with --output")
    })?;
    for fault in &report.faults {
        out.say(&format!("steadyhand: {fault}"));
    }
    let kinds = match (asked.redact, asked.sign.is_some()) {
        (true, true) => ", redacted and signed",
        (true, false) => ", redacted",
        (false, true) => ", signed",
        (false, false) => "",
    };
    let sound = if report.is_sound() { "" } else { "; the incident is not as it was written" };
    let files = counted(making.files(), "file");
    out.put(&format!("{digest}  {}\n{id}{kinds}: {files}{sound}\n", path.display()))?;
    for away in &report.not_brought {
        let (file, place) = (&away.file, away.place());
        let line = format!("not in it: {file}; {place}, and a bundle that is made there has it");
        out.put(&(visible::text(&line).into_owned() + "\n"))?;
    }
    for apart in &report.apart {
        out.put(&format!("not in it: {}\n", visible::text(apart)))?;
    }
    Ok(match (report.is_sound(), report.is_whole()) {
        (false, _) => Exit::Violated,
        (true, false) => Exit::Inconclusive,
        (true, true) => Exit::Clear,
    })
}

/// The file, whole or not at all; gives its digest. It holds rows, and is its owner's alone.
fn written(making: &bundle::Making, path: &Path) -> io::Result<String> {
    let Place::File(path) = place(path)? else {
        return Err(io::Error::other("it is there and is no file"));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut made = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
    making.pack(io::BufWriter::new(made.as_file_mut()))?;
    made.as_file().sync_all()?;
    made.persist(&path)?;
    digest::of_file(&path).map(|(_, sha256)| sha256)
}

/// The postmortem: what people wrote included, unless rows must go, which could stand there.
fn page(folder: &Path, id: &str, config: &Config, redacted: bool) -> io::Result<String> {
    let bytes = journal::bytes(folder).map_err(io::Error::other)?;
    let (records, head, old) = if redacted {
        let text = String::from_utf8_lossy(&bytes);
        let lines =
            text.lines().map(|line| redact::line(line).unwrap_or_else(|| line.to_owned()) + "\n");
        let (records, head, ..) = chain::replay_redacted(lines.collect::<String>().as_bytes());
        (records, head, None)
    } else {
        let (records, head, _) = chain::replay(&bytes);
        (records, head, file::read(folder)?)
    };
    let incident = Incident::replay(id, &records);
    let runbook = store::frozen(folder, &incident);
    let all = remembered(&config.state.value);
    let around = Around { runbook: runbook.as_ref(), practice: &config.practice, all: &all };
    let draft = Draft::of(&incident, around, &head);
    Ok(postmortem::write(&draft, old.as_deref(), &TimeZone::UTC))
}

fn sign(key: &Path, sums: &Path) -> Result<(), Problem> {
    let failed = |why: String| {
        Problem::unreachable(format!("the bundle was not signed, and not made: {why}"))
            .hint("--sign takes an SSH key: a private one, or a public one whose private half your agent holds")
    };
    let bytes = fs::read(sums).map_err(|error| failed(error.to_string()))?;
    let signed = signature::sign(key, Purpose::Bundle, &bytes).map_err(failed)?;
    fs::write(sums.with_file_name(SIGNATURE), signed).map_err(|error| failed(error.to_string()))
}

/// Checks a file that was made by `run`.
pub fn verified(
    path: &Path,
    head: Option<&Beginning>,
    signers: Option<&Path>,
    out: &mut Out,
) -> Result<Exit, Problem> {
    let opened = bundle::open(path).map_err(|error| {
        let problem = format!("{}: {error}", path.display());
        match error {
            OpenError::Io(_) => Problem::unreachable(problem),
            OpenError::NoBundle(_) => Problem::usage(problem)
                .hint("name an incident, its folder, or a file that `steadyhand bundle` made"),
        }
    })?;
    let judged = verify_bundle(&opened, head);
    let mut report = judged.map_err(|error| Problem::unreachable(error.to_string()))?;
    let folder = opened.folder.path();
    let checked = match (opened.is_signed, signers) {
        (false, None) => {
            report.notes.push("it is not signed".into());
            true
        }
        (false, Some(_)) => {
            report.faults.push("it is not signed".into());
            true
        }
        (true, signers) => signature(folder, (signers, opened.about.made), &mut report)?,
    };
    // Without the rows that they show, requests cannot be in it.
    let checked = checked
        & report.is_whole()
        & (opened.about.redacted || super::seconds::judge(folder, signers, &mut report));
    out.put(&text::verification(&report, out.paint))?;
    Ok(match (report.is_sound(), checked) {
        (false, _) => Exit::Violated,
        (true, false) => Exit::Inconclusive,
        (true, true) => Exit::Clear,
    })
}

/// Judges the signature; false if it could not be.
fn signature(
    folder: &Path,
    (signers, made): (Option<&Path>, Timestamp),
    report: &mut Report,
) -> Result<bool, Problem> {
    let read = |name: &str| {
        fs::read(folder.join(name)).map_err(|error| Problem::system(format!("{name}: {error}")))
    };
    let (sums, signed) = (read(SUMS)?, read(SIGNATURE)?);
    let signed = String::from_utf8_lossy(&signed);
    let judged = match signers {
        None => signature::fits(Purpose::Bundle, &sums, &signed)
            .map(|said| format!("{said}; --signers FILE tells whose key that is")),
        Some(signers) => signature::verify(Purpose::Bundle, &sums, &signed, signers, Some(made))
            .map(|verified| {
                format!("{}; as of {}", verified.said(), made.strftime("%Y-%m-%d %H:%M:%S UTC"))
            }),
    };
    match judged {
        Ok(said) => report.notes.push(said),
        Err(Unproved::Unchecked(why)) if signers.is_none() => {
            report.notes.push(format!("it is signed, but the signature was not checked: {why}"));
            return Ok(false);
        }
        Err(Unproved::Unchecked(why)) => {
            return Err(Problem::usage(format!("the signature was not checked: {why}")).hint(
                "--signers takes a file of allowed signers, as `man ssh-keygen` describes it",
            ));
        }
        Err(unproved) => report.faults.push(unproved.to_string()),
    }
    Ok(true)
}
