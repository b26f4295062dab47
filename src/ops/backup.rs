//! Whether a database could be had again: a dump of its schema, what is in it, the newest backup, a
//! restore by the site's own program.
//!
//! The dump is made by the engine's own program, which gets its connection in its environment or in a
//! file that nobody else can read, never as an argument. A refusal means that it does not work; any
//! other problem, that it could not be seen.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::command;
use super::connect::{READ_LOCK_WAIT, connect, plain, prove, reach};
use crate::config::Target;
use crate::config::access::Access;
use crate::config::backup::Newest;
use crate::dialect::Dialect;
use crate::digest;
use crate::engine::{Identity, Purpose, Stopper};
use crate::problem::{Kind, Problem};
use crate::runbook::Ran;

/// How the name of the digest beside a backup ends.
const DIGEST: &str = ".sha256";
/// For the dump of a schema, and for the list of what is in a dump.
const LIMIT: Duration = Duration::from_mins(10);

/// Tables that a dump of the whole database holds, with the schema where it names one.
const TABLES: [(Dialect, &str); 4] = [
    (
        Dialect::Postgres,
        "SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
            AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND NOT EXISTS (SELECT 1 FROM pg_depend d
                             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')",
    ),
    (Dialect::Mariadb, IN_SCHEMA),
    (Dialect::Mysql, IN_SCHEMA),
    (
        Dialect::Sqlite,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
    ),
];
const IN_SCHEMA: &str = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'";

/// A table of a database.
#[derive(Debug, Clone)]
pub struct Named {
    /// Where tables of several schemas are in a dump.
    schema: Option<String>,
    name: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A dump of the schema that was made now.
#[derive(Debug)]
pub struct Dump {
    pub file: PathBuf,
    /// What is in it, one line an object.
    pub listing: Vec<String>,
    /// Tables of the database that are not in it.
    pub missing: Vec<Named>,
}

/// Who the server is, and the tables that it has.
pub async fn tables(target: &Target, stopper: &Stopper) -> Result<(Identity, Vec<Named>), Problem> {
    let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
    let identity = prove(&mut session, target, None).await?;
    let sql = TABLES.iter().find(|(dialect, _)| *dialect == target.url.dialect);
    let Some((_, sql)) = sql else {
        return Err(Problem::usage(format!("no drill is written for {}", target.url.dialect)));
    };
    let mut names = Vec::new();
    let read = session
        .read(sql, LIMIT, &mut |_, row| {
            let text = |at: usize| row.get(at).and_then(|value| value.plain());
            names.extend(text(0).map(|name| Named { schema: text(1), name }));
            ControlFlow::Continue(())
        })
        .await;
    session.close().await;
    read.map_err(|error| plain(&error, &target.name))?;
    Ok((identity, names))
}

/// Dumps the schema into the folder and lists what is in the dump.
pub async fn dump(
    target: &Target,
    tables: &[Named],
    folder: &Path,
    stopper: &Stopper,
) -> Result<Dump, Problem> {
    let (file, listing) = match target.url.dialect {
        Dialect::Postgres => {
            let file = folder.join("schema.dump");
            pg_dump(&reach(target).await?, &file, stopper).await?;
            let listing = pg_listing(&file, stopper).await?;
            (file, listing)
        }
        Dialect::Mariadb | Dialect::Mysql => {
            let file = folder.join("schema.sql");
            my_dump(&reach(target).await?, &file, stopper).await?;
            let listing = objects(&fs::read_to_string(&file).map_err(unreadable)?);
            (file, listing)
        }
        Dialect::Sqlite => {
            let file = folder.join("schema.sql");
            let (text, listing) = of_file(target, stopper).await?;
            fs::write(&file, &text).map_err(unreadable)?;
            (file, listing)
        }
        Dialect::Oracle => return Err(Problem::usage("no drill is written for Oracle")),
    };
    let is_in_it = |table: &&Named| !listing.iter().any(|line| is_of(line, table));
    let missing = tables.iter().filter(is_in_it).cloned().collect();
    Ok(Dump { file, listing, missing })
}

fn unreadable(error: io::Error) -> Problem {
    Problem::system(format!("the dump cannot be kept: {error}"))
}

async fn pg_dump(access: &Access, file: &Path, stopper: &Stopper) -> Result<(), Problem> {
    let (settings, _password) = super::client::libpq(access, true).map_err(unreadable)?;
    let argv = [
        "pg_dump",
        "--schema-only",
        "--format=custom",
        "--lock-wait-timeout=2s",
        "--no-password",
        "--file",
        &file.display().to_string(),
    ];
    dumped(command::run(&owned(&argv), &settings, LIMIT, stopper).await, "pg_dump")
}

/// A dump that lacks a right says nothing of the database, only of who asks.
fn dumped(outcome: Ran, program: &str) -> Result<(), Problem> {
    ran(outcome, program).map(drop).map_err(|problem| {
        let said = problem.sentence.to_lowercase();
        let lacks = ["permission denied", "access denied", "command denied", "must be owner"];
        if problem.kind == Kind::Refused && lacks.iter().any(|words| said.contains(words)) {
            Problem { kind: Kind::Unreachable, ..problem }
        } else {
            problem
        }
    })
}

/// The table of contents of a dump in one of PostgreSQL's archive formats.
async fn pg_listing(file: &Path, stopper: &Stopper) -> Result<Vec<String>, Problem> {
    let argv = ["pg_restore", "--list", &file.display().to_string()];
    let text = ran(command::run(&owned(&argv), &[], LIMIT, stopper).await, "pg_restore")?;
    let lines = text.lines().filter(|line| !line.starts_with(';') && !line.trim().is_empty());
    Ok(lines.map(str::to_owned).collect())
}

async fn my_dump(access: &Access, file: &Path, stopper: &Stopper) -> Result<(), Problem> {
    let hidden = super::client::mysql(access).map_err(unreadable)?;
    let options = format!("--defaults-file={}", hidden.path().display());
    let into = format!("--result-file={}", file.display());
    let rest = [
        options.as_str(),
        "--no-data",
        "--routines",
        "--triggers",
        "--events",
        "--single-transaction",
        "--skip-lock-tables",
        &into,
        &access.database,
    ];
    let mut last = None;
    for program in ["mariadb-dump", "mysqldump"] {
        let argv = [&[program], rest.as_slice()].concat();
        let outcome = command::run(&owned(&argv), &[], LIMIT, stopper).await;
        if outcome.exit.is_some() {
            return dumped(outcome, program);
        }
        last = Some(ran(outcome, program).map(drop));
    }
    last.expect("two programs were tried")
}

/// The statements of a file, and one line an object.
async fn of_file(target: &Target, stopper: &Stopper) -> Result<(String, Vec<String>), Problem> {
    let sql = "SELECT sql, type, name FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY rowid";
    let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
    let (mut text, mut listing) = (String::new(), Vec::new());
    let read = session
        .read(sql, LIMIT, &mut |_, row| {
            let plain = |at: usize| row.get(at).and_then(|value| value.plain()).unwrap_or_default();
            text.push_str(&plain(0));
            text.push_str(";\n");
            let kind = plain(1).to_ascii_uppercase();
            // The name as it is kept: statements write it in many ways.
            listing.push(format!("CREATE {kind} {}", ticked(&plain(2))));
            ControlFlow::Continue(())
        })
        .await;
    session.close().await;
    read.map_err(|error| plain(&error, &target.name))?;
    Ok((text, listing))
}

/// What a dump in SQL makes, one line an object.
fn objects(sql: &str) -> Vec<String> {
    let starts = |line: &&str| {
        let line = line.trim_start_matches("/*!50003 ").trim_start_matches("/*!50001 ");
        line.starts_with("CREATE ") || line.starts_with("VIEW ")
    };
    sql.lines().filter(starts).map(|line| line.trim_end_matches(" (").to_owned()).collect()
}

fn ticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Whether a line of a listing is about this table.
fn is_of(line: &str, table: &Named) -> bool {
    let Some(schema) = &table.schema else {
        let rest = line.strip_prefix("CREATE TABLE ");
        let rest = rest.map(|rest| rest.strip_prefix("IF NOT EXISTS ").unwrap_or(rest));
        return rest.is_some_and(|rest| rest == ticked(&table.name));
    };
    // 213; 1259 16386 TABLE public asset owner: each of these names may hold blanks.
    let rest = line.splitn(4, ' ').nth(3).and_then(|rest| rest.strip_prefix("TABLE "));
    let name = table.name.replace(['\n', '\r'], " ");
    rest.is_some_and(|rest| rest.starts_with(&format!("{schema} {name} ")))
}

/// The newest backup, and what shows that it could be restored; none if nothing does.
#[derive(Debug)]
pub struct Found {
    pub at: Timestamp,
    pub file: Option<PathBuf>,
    pub sha256: Option<String>,
    pub proof: Option<String>,
}

/// `limit` is for a backup that has to be read as a whole.
pub async fn newest(newest: &Newest, limit: Duration, stopper: &Stopper) -> Result<Found, Problem> {
    let pattern = match newest {
        Newest::Files(pattern) => pattern.clone(),
        Newest::Command(argv) => {
            let program = argv.first().map_or("", String::as_str);
            let text = ran(command::run(argv, &[], LIMIT, stopper).await, program)?;
            let said = text.lines().next().unwrap_or_default().trim().to_owned();
            let at = said.parse::<Timestamp>().ok().or_else(|| {
                said.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
            });
            let at = at.ok_or_else(|| {
                Problem::unreachable(format!("{program} printed no time"))
                    .hint("it is to print one such as 2026-11-21T02:15:00Z, or seconds since 1970")
            })?;
            let proof = Some(format!("{program} says that it can be restored"));
            return Ok(Found { at, file: None, sha256: None, proof });
        }
    };
    let (file, changed) = newest_file(&pattern)?;
    let at = Timestamp::try_from(changed).map_err(|error| Problem::system(error.to_string()))?;
    let read = file.clone();
    let (sha256, head) = tokio::task::spawn_blocking(move || looked_into(&read))
        .await
        .map_err(|error| Problem::system(error.to_string()))?
        .map_err(|error| Problem::unreachable(format!("{}: {error}", file.display())))?;
    let proof = proof(&file, &sha256, &head, limit, stopper).await?;
    Ok(Found { at, file: Some(file), sha256: Some(sha256), proof })
}

fn newest_file(pattern: &Path) -> Result<(PathBuf, SystemTime), Problem> {
    let folder = pattern.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = pattern.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let listed = fs::read_dir(folder)
        .map_err(|error| Problem::unreachable(format!("{}: {error}", folder.display())))?;
    // A digest beside a backup is about it and is none.
    let is_backup = |found: &str| fits(&name, found) && !found.ends_with(DIGEST);
    let fitting = listed.flatten().filter(|entry| is_backup(&entry.file_name().to_string_lossy()));
    let fitting =
        fitting.filter_map(|entry| Some((fs::metadata(entry.path()).ok()?, entry.path())));
    let (files, others): (Vec<_>, Vec<_>) = fitting.partition(|(data, _)| data.is_file());
    let aged = files.into_iter().filter_map(|(data, path)| Some((path, data.modified().ok()?)));
    aged.max_by_key(|(_, changed)| *changed).ok_or_else(|| match others.first() {
        None => Problem::refused(format!("there is no backup {}", pattern.display())),
        Some((_, path)) => Problem::unreachable(format!(
            "{} is no file: newest_command has to tell of such a backup",
            path.display()
        )),
    })
}

/// Whether a name is as the pattern says, in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The digest of a file, and its first bytes.
fn looked_into(path: &Path) -> io::Result<(String, Vec<u8>)> {
    let mut head = vec![0; 16];
    let n = File::open(path)?.read(&mut head)?;
    head.truncate(n);
    Ok((digest::of_file(path)?.1, head))
}

/// What shows that a backup is whole: its own digest beside it, or that it can be read to its end. Its table of
/// contents shows nothing, for it stands at the beginning.
async fn proof(
    file: &Path,
    sha256: &str,
    head: &[u8],
    limit: Duration,
    stopper: &Stopper,
) -> Result<Option<String>, Problem> {
    if head.is_empty() {
        return Err(Problem::refused(format!("{} is empty", file.display())));
    }
    let beside = PathBuf::from(format!("{}{DIGEST}", file.display()));
    if let Ok(text) = fs::read_to_string(&beside) {
        return if text.split_whitespace().next() == Some(sha256) {
            Ok(Some("its digest is the one beside it".into()))
        } else {
            let (file, beside) = (file.display(), beside.display());
            Err(Problem::refused(format!("{file} is not what {beside} says")))
        };
    }
    if head.starts_with(b"PGDMP") {
        let listing = pg_listing(file, stopper).await?;
        let argv = ["pg_restore", "--file=/dev/null", &file.display().to_string()];
        ran(command::run(&owned(&argv), &[], limit, stopper).await, "pg_restore")?;
        return Ok(Some(format!("pg_restore reads its {} objects to the end", listing.len())));
    }
    Ok(None)
}

/// How a restore ended that nothing went wrong with.
#[derive(Debug)]
pub enum Restored {
    Whole(Ran),
    /// Its time was up.
    Late,
}

/// Restores by the site's own program.
pub async fn restore(
    argv: &[String],
    backup: Option<&Path>,
    dump: Option<&Path>,
    limit: Duration,
    stopper: &Stopper,
) -> Result<Restored, Problem> {
    let mut filled = Vec::with_capacity(argv.len());
    for word in argv {
        let mut word = word.clone();
        for (name, file) in [("{backup}", backup), ("{dump}", dump)] {
            if word.contains(name) {
                let file = file.ok_or_else(|| {
                    Problem::unreachable(format!("there is no {name} to restore from"))
                })?;
                word = word.replace(name, &file.display().to_string());
            }
        }
        filled.push(word);
    }
    let program = filled.first().cloned().unwrap_or_default();
    let done = command::run(&filled, &[], limit, stopper).await;
    if done.exit.is_none() && done.seconds >= limit.as_secs_f64() && !stopper.is_stopped() {
        return Ok(Restored::Late);
    }
    ran(done.clone(), &program).map(|_| Restored::Whole(done))
}

/// The output of a program that ended well.
fn ran(ran: Ran, program: &str) -> Result<String, Problem> {
    let text = String::from_utf8_lossy(&ran.output).into_owned();
    match (ran.exit, ran.trouble) {
        (Some(0), _) => Ok(text),
        (Some(code), _) => {
            let said = text.split_once(command::ERRORS).map_or(text.as_str(), |(_, errors)| errors);
            let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            let said = lines[..lines.len().min(3)].join("; ");
            Err(Problem::refused(format!("{program} ended with {code}: {said}")))
        }
        (None, trouble) => {
            let why = trouble.unwrap_or_else(|| "it was stopped".into());
            Err(Problem::unreachable(format!("{program}: {why}")))
        }
    }
}

fn owned(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("erp-*.dump", "erp-2026-11-21.dump", true),
            ("erp-*.dump", "erp-2026-11-21.dump.sha256", false),
            ("erp.dump", "erp.dump", true),
            ("erp.dump", "erp.dumps", false),
            ("*-full-*", "a-full-b", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn tables_are_found_in_the_listings_of_all_engines() {
        for (line, schema, name, expected) in [
            ("213; 1259 16386 TABLE public asset owner", Some("public"), "asset", true),
            ("213; 1259 16386 TABLE public asset owner", Some("public"), "ass", false),
            ("213; 1259 16386 TABLE my hr two words an owner", Some("my hr"), "two words", true),
            ("3300; 0 16386 TABLE DATA public asset owner", Some("public"), "asset", false),
            ("214; 1259 16390 VIEW public seen owner", Some("public"), "seen", false),
            ("CREATE TABLE `order lines`", None, "order lines", true),
            ("CREATE TABLE IF NOT EXISTS `asset`", None, "asset", true),
            ("CREATE TABLE `a``b`", None, "a`b", true),
            ("CREATE TABLE `asset`", None, "as", false),
            ("CREATE INDEX `ix`", None, "ix", false),
        ] {
            let table = Named { schema: schema.map(str::to_owned), name: name.to_owned() };
            assert_eq!(is_of(line, &table), expected, "{line} {table}");
        }
    }
}
