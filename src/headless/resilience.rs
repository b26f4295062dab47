//! `steadyhand resilience`: whether this database could be had again, and what guards it, as evidence
//! that somebody else can check.
//!
//! A dump of the schema, what is in it, the newest backup, the site's own restore, the two objectives,
//! and the checks of the suite `resilience`. Everything it saw lies in one folder with `SHA256SUMS`.
//! An objective that nobody set is not met.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::Out;
use super::interrupts::Interrupts;
use super::suite::{self, slug};
use crate::clock;
use crate::config::{Config, Target};
use crate::digest::sha256;
use crate::exit::Exit;
use crate::format::TextOrJson;
use crate::incident::entry::verdict_words;
use crate::ops::Stopper;
use crate::ops::backup::{self, Dump, Found, Restored};
use crate::problem::{Kind, Problem};
use crate::report::{Outcome, json, text};
use crate::rights;
use crate::source::duration_text;
use crate::value::counted;

/// The suite of the checks that belong to it.
const SUITE: &str = "resilience";
/// For a restore whose objective nobody set.
const LONGEST: Duration = Duration::from_hours(4);
/// Violations that the evidence names at most.
const KEPT: usize = 20;

#[derive(Debug)]
pub struct Asked {
    pub target: String,
    /// Where the evidence goes; a folder of its own in the state folder without it.
    pub evidence: Option<PathBuf>,
    pub format: TextOrJson,
}

#[derive(Debug, Serialize)]
struct Step {
    #[serde(rename = "step")]
    name: String,
    verdict: &'static str,
    what: String,
    seconds: f64,
    #[serde(skip)]
    exit: Exit,
}

/// An objective beside what was measured.
#[derive(Debug, Serialize)]
struct Objective {
    allowed_seconds: Option<f64>,
    measured_seconds: Option<f64>,
    /// It was ended before it could be measured.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    at_least: bool,
}

/// How long the restore took.
#[derive(Debug, Clone, Copy)]
enum Took {
    Exactly(Duration),
    /// Longer than this, when it was ended.
    MoreThan(Duration),
}

/// What the site's own program was given.
enum Restores {
    /// A backup, which may be one that the program itself finds.
    Backup,
    /// Nothing but the dump of the schema.
    Schema,
}

/// One run, while it collects.
struct Drill<'a> {
    target: &'a Target,
    folder: PathBuf,
    stopper: Stopper,
    steps: Vec<Step>,
}

pub async fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let Some(catalogue) = super::checks(config, out) else { return Ok(Exit::Usage) };
    let target = config.target(&asked.target)?;
    let now = clock::now();
    let folder = fresh(asked.evidence.as_deref(), &config.state.value, &target, now)?;
    let checked = target.for_checks();
    let stopper = Stopper::default();
    let mut drill = Drill { target: &checked, folder, stopper, steps: Vec::new() };
    let mut interrupts = Interrupts::listen()?;
    let stopper = drill.stopper.clone();
    let measured = interrupts.over(drill.measure(out), &stopper).await??;
    let Measured { server, found, restored } = measured;
    let point = drill.point(found.as_ref(), restored);
    let time = drill.time(restored);
    let wanted = suite::Asked {
        targets: vec![asked.target.clone()],
        suites: vec![SUITE.into()],
        ..suite::Asked::default()
    };
    let mut is_cut = stopper.is_stopped();
    let ran = if is_cut {
        None
    } else {
        let ran = suite::run(&wanted, config, &catalogue, KEPT, out, |_, _| Ok(())).await?;
        is_cut = ran.is_cut;
        Some(ran)
    };
    let outcomes: Vec<&Outcome> = ran.iter().flat_map(suite::Run::outcomes).collect();
    drill.steps.extend(outcomes.iter().copied().map(of_check));
    let totals = ran.as_ref().map(|ran| ran.totals(&[]));
    if totals.is_some_and(|totals| totals.checks == 0) {
        let what = format!("no check of the suite {SUITE} was asked");
        drill.note("checks", Exit::Inconclusive, what, Instant::now());
    }
    let worst = drill.steps.iter().map(|step| step.exit).fold(Exit::Clear, Exit::worst);
    let exit = if is_cut { Exit::Interrupted } else { worst };
    let result = json!({
        "suite": SUITE,
        "target": target.name,
        "environment": target.environment.word(),
        "server": server,
        "at": now.to_string(),
        "program": concat!("steadyhand ", env!("CARGO_PKG_VERSION")),
        "steps": drill.steps,
        "recovery_point": point,
        "recovery_time": time,
        "backup": found.as_ref().map(|found| json!({
            "at": found.at.to_string(),
            "file": found.file,
            "sha256": found.sha256,
            "proof": found.proof,
        })),
        "checks": outcomes.into_iter().map(json::value).collect::<Vec<_>>(),
        "left_out": totals.map(|totals| json!({
            "disabled": totals.disabled,
            "elsewhere": totals.elsewhere,
            "other_packs": totals.other_packs,
        })),
        "exit": exit.code(),
    });
    drill.seal(&result)?;
    for note in ran.iter().flat_map(|ran| &ran.notes) {
        out.say(&format!("note: {note}"));
    }
    out.put(&match asked.format {
        TextOrJson::Json => json::line(&result),
        TextOrJson::Text => {
            let left_out = totals.map(|totals| text::left_out(&totals)).unwrap_or_default();
            page(&drill, &target.name, exit, &left_out)
        }
    })?;
    Ok(exit)
}

/// What the checks do not see.
struct Measured {
    server: Option<String>,
    found: Option<Found>,
    restored: Option<Took>,
}

/// A folder that holds nothing yet, and that nobody else reads unless the state folder is a group's.
fn fresh(
    evidence: Option<&Path>,
    state: &Path,
    target: &Target,
    now: Timestamp,
) -> Result<PathBuf, Problem> {
    // Two in one second have a folder each.
    let stamp = now.strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
    let slug = slug(target);
    let folder =
        evidence.map_or_else(|| state.join(SUITE).join(&slug).join(&stamp), Path::to_owned);
    let failed = |why: String| {
        Problem::system(format!("the evidence cannot be kept in {}: {why}", folder.display()))
            .hint("nothing was run; --evidence names another folder")
    };
    let made = match evidence {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => rights::folders(state, &[SUITE, &slug, &stamp]).map(drop),
    };
    let inside = made.and_then(|()| fs::read_dir(&folder));
    match inside.map_err(|error| failed(error.to_string()))?.next() {
        None => Ok(folder),
        Some(_) => Err(failed("there is something in it already".into())),
    }
}

fn of_check(outcome: &Outcome) -> Step {
    Step {
        name: outcome.check.id.clone(),
        verdict: outcome.word(),
        what: verdict_words(&outcome.finding.verdict),
        seconds: outcome.finding.seconds,
        exit: outcome.exit(),
    }
}

impl Drill<'_> {
    async fn measure(&mut self, out: &mut Out) -> Result<Measured, Problem> {
        out.progress(&format!("{}: dumping the schema ...", self.target.name));
        let (server, dump) = self.dump().await;
        out.progress(&format!("{}: looking at the newest backup ...", self.target.name));
        let found = self.newest().await;
        let restored = self.restore(found.as_ref(), dump.as_ref(), out).await?;
        Ok(Measured { server, found, restored })
    }

    fn note(&mut self, step: &str, exit: Exit, what: impl Into<String>, since: Instant) {
        let verdict = match exit {
            Exit::Clear => "clear",
            Exit::Violated => "violated",
            _ => "inconclusive",
        };
        let seconds = (since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.steps.push(Step { name: step.into(), verdict, what: what.into(), seconds, exit });
    }

    fn problem(&mut self, step: &str, problem: &Problem, since: Instant) {
        // What refuses does not work; whatever else happened, it was not seen.
        let refused = problem.kind == Kind::Refused;
        let exit = if refused { Exit::Violated } else { Exit::Inconclusive };
        self.note(step, exit, problem.sentence.clone(), since);
    }

    async fn dump(&mut self) -> (Option<String>, Option<Dump>) {
        let start = Instant::now();
        let (identity, tables) = match backup::tables(self.target, &self.stopper).await {
            Ok(found) => found,
            Err(problem) => {
                self.problem("schema-dump", &problem, start);
                return (None, None);
            }
        };
        let server =
            format!("{} {}, {}", self.target.url.dialect, identity.version, identity.server);
        let dump = backup::dump(self.target, &tables, &self.folder, &self.stopper).await;
        let written = dump.and_then(|dump| {
            let listing = dump.listing.join("\n") + "\n";
            fs::write(self.folder.join("listing.txt"), listing)
                .map_err(|error| Problem::system(format!("the listing cannot be kept: {error}")))?;
            Ok(dump)
        });
        match written {
            Ok(dump) => {
                let objects = counted(dump.listing.len(), "object");
                self.note("schema-dump", Exit::Clear, format!("{objects} in the dump"), start);
                let (exit, what) = match dump.missing.as_slice() {
                    [] if tables.len() == 1 => (Exit::Clear, "the one table is in it".into()),
                    [] => (Exit::Clear, format!("all of {} tables are in it", tables.len())),
                    missing => (
                        Exit::Violated,
                        format!(
                            "{} not in it: {}",
                            counted(missing.len(), "table"),
                            missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                        ),
                    ),
                };
                self.note("listing", exit, what, start);
                (Some(server), Some(dump))
            }
            Err(problem) => {
                self.problem("schema-dump", &problem, start);
                (Some(server), None)
            }
        }
    }

    async fn newest(&mut self) -> Option<Found> {
        let start = Instant::now();
        let Some(newest) = &self.target.backup.newest else {
            let what = "nobody said where the backups are: newest or newest_command under [target.NAME.backup]";
            self.note("newest-backup", Exit::Inconclusive, what, start);
            return None;
        };
        match backup::newest(newest, self.limit(), &self.stopper).await {
            Ok(found) => {
                let proof = found.proof.as_deref().unwrap_or("only its age is known");
                let file = found
                    .file
                    .as_ref()
                    .map_or_else(String::new, |file| format!("{}, ", file.display()));
                let what = format!("{file}of {}: {proof}", text::minute(found.at));
                self.note("newest-backup", Exit::Clear, what, start);
                Some(found)
            }
            Err(problem) => {
                self.problem("newest-backup", &problem, start);
                None
            }
        }
    }

    /// How long the restore took, unless it failed.
    async fn restore(
        &mut self,
        found: Option<&Found>,
        dump: Option<&Dump>,
        out: &mut Out,
    ) -> Result<Option<Took>, Problem> {
        let start = Instant::now();
        let Some(argv) = &self.target.backup.restore else {
            let what = "nothing was restored: restore under [target.NAME.backup] names the program";
            self.note("restore", Exit::Inconclusive, what, start);
            return Ok(None);
        };
        out.progress(&format!("{}: restoring ...", self.target.name));
        let limit = self.limit();
        let backup = found.and_then(|found| found.file.as_deref());
        let dump = dump.map(|dump| dump.file.as_path());
        let program = argv.first().map_or("", String::as_str);
        match backup::restore(argv, backup, dump, limit, &self.stopper).await {
            Ok(Restored::Whole(ran)) => {
                let what = match self.restores() {
                    Restores::Backup => "restored it",
                    Restores::Schema => "restored the dump of the schema",
                };
                self.note("restore", Exit::Clear, format!("{program} {what}"), start);
                self.keep("restore.txt", &ran.output)?;
                Ok(Some(Took::Exactly(Duration::from_secs_f64(ran.seconds))))
            }
            Ok(Restored::Late) => {
                let what = format!("{program} was ended after {}", duration_text(limit));
                self.note("restore", Exit::Inconclusive, what, start);
                Ok(Some(Took::MoreThan(limit)))
            }
            Err(problem) => {
                self.problem("restore", &problem, start);
                Ok(None)
            }
        }
    }

    fn point(&mut self, found: Option<&Found>, restored: Option<Took>) -> Objective {
        let start = Instant::now();
        // Now, and not when the drill began: the backup may have been made meanwhile.
        let now = clock::now();
        let age = found.and_then(|found| Duration::try_from(now.duration_since(found.at)).ok());
        let was_restored = matches!(restored, Some(Took::Exactly(_)))
            && matches!(self.restores(), Restores::Backup);
        let rpo = self.target.backup.rpo;
        let (exit, what) = match (rpo, found, age) {
            (None, ..) => {
                (Exit::Inconclusive, "no rpo is set under [target.NAME.backup]".to_owned())
            }
            (_, None, _) => (Exit::Inconclusive, "no backup was found".into()),
            (_, Some(_), None) => {
                (Exit::Inconclusive, "the backup is from the future; look at the clocks".into())
            }
            (Some(rpo), Some(found), Some(age)) => {
                let what = format!("{} old, {} allowed", length(age), duration_text(rpo));
                match () {
                    () if age > rpo => (Exit::Violated, what),
                    () if found.proof.is_none() && !was_restored => (
                        Exit::Inconclusive,
                        format!("{what}, and nothing shows that it can be restored"),
                    ),
                    () => (Exit::Clear, what),
                }
            }
        };
        self.note("recovery-point", exit, what, start);
        Objective {
            allowed_seconds: rpo.map(|rpo| rpo.as_secs_f64()),
            measured_seconds: age.map(|age| age.as_secs_f64()),
            at_least: false,
        }
    }

    fn time(&mut self, restored: Option<Took>) -> Objective {
        let start = Instant::now();
        let rto = self.target.backup.rto;
        let (exit, what) = match (rto, restored) {
            (None, _) => {
                (Exit::Inconclusive, "no rto is set under [target.NAME.backup]".to_owned())
            }
            (_, None) => (Exit::Inconclusive, "no restore was measured".into()),
            (Some(rto), Some(Took::MoreThan(bound))) => (
                Exit::Violated,
                format!(
                    "not restored after {}, {} allowed",
                    duration_text(bound),
                    duration_text(rto)
                ),
            ),
            (Some(_), Some(Took::Exactly(took))) if matches!(self.restores(), Restores::Schema) => {
                (
                    Exit::Inconclusive,
                    format!(
                        "the schema alone was restored in {:.1} s; how long the data take was not measured",
                        took.as_secs_f64()
                    ),
                )
            }
            (Some(rto), Some(Took::Exactly(took))) => {
                let exit = if took > rto { Exit::Violated } else { Exit::Clear };
                (
                    exit,
                    format!(
                        "restored in {:.1} s, {} allowed",
                        took.as_secs_f64(),
                        duration_text(rto)
                    ),
                )
            }
        };
        self.note("recovery-time", exit, what, start);
        Objective {
            allowed_seconds: rto.map(|rto| rto.as_secs_f64()),
            measured_seconds: restored.map(|took| match took {
                Took::Exactly(took) | Took::MoreThan(took) => took.as_secs_f64(),
            }),
            at_least: matches!(restored, Some(Took::MoreThan(_))),
        }
    }

    fn limit(&self) -> Duration {
        self.target.backup.rto.map_or(LONGEST, |rto| rto.saturating_mul(2))
    }

    fn restores(&self) -> Restores {
        let says = |name: &str| {
            let argv = self.target.backup.restore.iter().flatten();
            argv.into_iter().any(|word| word.contains(name))
        };
        if says("{dump}") && !says("{backup}") { Restores::Schema } else { Restores::Backup }
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), Problem> {
        fs::write(self.folder.join(name), bytes).map_err(|error| {
            Problem::system(format!("{name} cannot be kept in {}: {error}", self.folder.display()))
                .hint("the evidence is not complete; make room and run it again")
        })
    }

    /// The result, and the digests of everything that was kept.
    fn seal(&self, result: &serde_json::Value) -> Result<(), Problem> {
        let pretty = serde_json::to_string_pretty(result).expect("plain data") + "\n";
        self.keep("result.json", pretty.as_bytes())?;
        let summed = |error: io::Error| {
            Problem::system(format!("the evidence cannot be summed up: {error}"))
        };
        let sums = self.sums().map_err(summed)?;
        self.keep("SHA256SUMS", sums.as_bytes())?;
        rights::open(File::options().read(true), &self.folder.join("SHA256SUMS"))
            .map(drop)
            .map_err(summed)
    }

    fn sums(&self) -> io::Result<String> {
        let entries = fs::read_dir(&self.folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut files = entries.collect::<io::Result<Vec<PathBuf>>>()?;
        files.sort();
        let line = |file: &PathBuf| {
            rights::open(File::options().read(true), file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(format!("{}  {name}\n", sha256(&fs::read(file)?)))
        };
        files.iter().map(line).collect()
    }
}

fn length(age: Duration) -> String {
    crate::report::past::length(jiff::SignedDuration::try_from(age).unwrap_or_default())
}

fn page(drill: &Drill<'_>, target: &str, exit: Exit, left_out: &str) -> String {
    let rows = drill
        .steps
        .iter()
        .map(|step| vec![step.verdict.to_owned(), step.name.clone(), step.what.clone()]);
    let bad = drill.steps.iter().filter(|step| step.exit != Exit::Clear).count();
    let word = if exit == Exit::Clear {
        "it could be had again".to_owned()
    } else {
        format!("{bad} not clear")
    };
    text::columns(&["verdict", "step", "what"], rows)
        + &format!(
            "{} of {target}: {word}{left_out}; evidence in {}\n",
            counted(drill.steps.len(), "step"),
            drill.folder.display()
        )
}
