//! `steadyhand history`, `report` and `health`: what the runs of the past say, and whether they
//! happened at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::chosen::{LeftOut, in_packs, known, sorted, targets};
use super::lock::plain;
use super::suite::slug;
use super::{Incidents, Out, alerts};
use crate::catalogue::Catalogue;
use crate::check::Check;
use crate::clock;
use crate::config::{Config, Target};
use crate::exit::Exit;
use crate::format::{MarkdownHtmlOrJson, TextOrJson};
use crate::history::store::{self, Past as Read};
use crate::history::trend::trends;
use crate::history::{Run, Standing, missed};
use crate::problem::Problem;
use crate::report::past::{self, Past, Row, Runs};
use crate::report::seen::{self, InIncident};
use crate::report::text;
use crate::value::counted;

#[derive(Debug)]
pub struct AskedHistory {
    /// One check, or every one of these packs.
    pub check: Option<String>,
    pub packs: Vec<String>,
    pub targets: Vec<String>,
    pub since: Option<Duration>,
    pub format: TextOrJson,
}

pub fn history(asked: &AskedHistory, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let now = clock::now();
    let since = asked.since.map_or(Timestamp::MIN, |length| before(now, length));
    let mut seen = match &asked.check {
        Some(check) => in_incidents(check, config, since, out)?,
        None => Vec::new(),
    };
    let also = seen.iter().map(|one| one.target.clone()).collect();
    let gathered = gather(&config.state.value, since, Timestamp::MAX, &asked.targets, also)?;
    seen.retain(|one| asked.targets.is_empty() || asked.targets.contains(&one.target));
    let mut rows = gathered.rows();
    let is_remembered = !rows.is_empty();
    if let Some(check) = &asked.check {
        let ids: Vec<&str> = rows.iter().map(|row| row.trend.check.as_str()).collect();
        if seen.is_empty() && is_remembered {
            known(check, &ids, "run of a check called")?;
        }
        rows.retain(|row| row.trend.check == *check);
    } else {
        let Some(catalogue) = super::checks(config, out) else { return Ok(Exit::Usage) };
        in_packs(&asked.packs, &catalogue)?;
        let pack = |row: &Row| catalogue.check(&row.trend.check).map(|check| &check.pack);
        rows.retain(|row| pack(row).is_some_and(|pack| asked.packs.contains(pack)));
    }
    out.put(&match (asked.format, &asked.check) {
        (TextOrJson::Json, _) => past::check_json(&rows, &seen),
        (TextOrJson::Text, _) if !rows.is_empty() => past::check(&rows) + &seen::text(&seen),
        (TextOrJson::Text, Some(check)) if !seen.is_empty() => {
            format!("no run of {check} is remembered\n{}", seen::text(&seen))
        }
        (TextOrJson::Text, _) if is_remembered => "no run of these checks is remembered\n".into(),
        (TextOrJson::Text, _) => "no runs are remembered\n".into(),
    })?;
    Ok(Exit::Clear)
}

/// What the cockpit saw of a check is in the journals that lie here. It is no run, or the history could not tell any
/// more whether runs happen.
fn in_incidents(
    check: &str,
    config: &Config,
    since: Timestamp,
    out: &mut Out,
) -> Result<Vec<InIncident>, Problem> {
    let mut seen = Vec::new();
    for (id, incident) in Incidents::of(config, out)?.sound {
        let mut counts =
            incident.counts.iter().filter(|count| count.check == check && count.at >= since);
        let (Some(target), Some(first)) = (&incident.target, counts.next()) else { continue };
        let last = counts.next_back().unwrap_or(first);
        seen.push(InIncident {
            incident: id,
            check: check.to_owned(),
            target: target.name.clone(),
            first_at: first.at,
            first: first.verdict.clone(),
            last_at: last.at,
            last: last.verdict.clone(),
        });
    }
    Ok(seen)
}

#[derive(Debug)]
pub struct AskedReport {
    pub targets: Vec<String>,
    pub since: Duration,
    pub format: MarkdownHtmlOrJson,
    pub output: Option<PathBuf>,
}

pub fn report(asked: &AskedReport, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let to = clock::now();
    let from = before(to, asked.since);
    let gathered = gather(&config.state.value, from, to, &asked.targets, Vec::new())?;
    let checks = gathered.rows();
    let runs = schedule(&gathered, from, to, config)?;
    let page = Past { from, to, runs, checks, unreadable: gathered.unreadable };
    let text = match asked.format {
        MarkdownHtmlOrJson::Markdown => page.markdown(),
        MarkdownHtmlOrJson::Html => page.html(),
        MarkdownHtmlOrJson::Json => page.json(),
    };
    match &asked.output {
        Some(path) => {
            out.put_into(path, &text)?;
            out.put(&format!("{} written: {}\n", path.display(), page.headline()))?;
        }
        None => out.put(&text)?,
    }
    Ok(Exit::Clear)
}

#[derive(Debug)]
pub struct AskedHealth {
    pub suite: super::suite::Asked,
    pub max_age: Option<Duration>,
}

/// How often a suite is taken to run that does not say.
const A_DAY: Duration = Duration::from_hours(24);

/// Whether the runs happen: of every target, and of every suite that is asked for or scheduled.
pub fn health(asked: &AskedHealth, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let now = clock::now();
    let state = &config.state.value;
    let Some(catalogue) = super::checks(config, out) else { return Ok(Exit::Usage) };
    let suites: Vec<Option<&str>> = match asked.suite.suites.as_slice() {
        [] if config.runs.suites.is_empty() => vec![None],
        [] => config.runs.suites.iter().map(|suite| Some(suite.name.as_str())).collect(),
        named => named.iter().map(|name| Some(name.as_str())).collect(),
    };
    for suite in suites.iter().flatten() {
        known(suite, &catalogue.suites(), "suite")?;
    }
    let until = now.saturating_add(store::SKEW).unwrap_or(Timestamp::MAX);
    let mut exit = Exit::Clear;
    let mut rows = Vec::new();
    // Whether anything is to run at all.
    let mut is_due = false;
    for target in targets(&asked.suite, config)? {
        let folder = store::folder(state, &slug(&target));
        let failed = |error: std::io::Error| unreadable(&folder, &error);
        if let Some(ahead) = store::ahead(&folder, now).map_err(failed)? {
            let at = text::minute(ahead.at);
            let said = format!(
                "a clock was wrong: a run is filed under {at}, which is to come; take its line out of {}",
                folder.display()
            );
            let name = target.name.clone();
            rows.push(vec!["ahead".into(), name, "-".into(), "-".into(), said]);
            exit = exit.worst(Exit::Warning);
        }
        for suite in &suites {
            if !asks(&target, *suite, &catalogue) {
                let suite = suite.unwrap_or("(any)").to_owned();
                let what = "no check of it is for this target".to_owned();
                rows.push(vec!["none".into(), target.name.clone(), suite, "-".into(), what]);
                continue;
            }
            is_due = true;
            let last = store::last(&folder, *suite, until).map_err(failed)?;
            let every = suite.and_then(|suite| config.runs.every(suite)).unwrap_or(A_DAY);
            // So a run of last night is not old while the one of this night is under way.
            let most = asked.max_age.unwrap_or(every + every / 12);
            let (word, said) = judged(last.as_ref(), now, most);
            if word != "ok" {
                exit = exit.worst(Exit::Inconclusive);
            }
            let age =
                last.map_or_else(|| "-".into(), |run| past::length(now.duration_since(run.at)));
            let suite = suite.unwrap_or("(any)").to_owned();
            rows.push(vec![word.to_owned(), target.name.clone(), suite, age, said]);
        }
    }
    if !is_due {
        exit = exit.worst(Exit::Inconclusive);
    }
    let waiting = alerts::waiting(state);
    if waiting > 0 {
        let age = alerts::oldest(state).map_or_else(String::new, |at| {
            format!(", the oldest for {}", past::length(now.duration_since(at)))
        });
        rows.push(vec![
            "late".into(),
            "-".into(),
            "-".into(),
            "-".into(),
            format!("{} not delivered{age}", counted(waiting, "alert")),
        ]);
        exit = exit.worst(Exit::Warning);
    }
    out.put(&text::columns(&["health", "target", "suite", "last run", "what"], rows))?;
    Ok(exit)
}

/// Whether a run of the suite, or any at all, has something to ask of a target.
fn asks(target: &Target, suite: Option<&str>, catalogue: &Catalogue) -> bool {
    let is_in =
        |check: &Check| suite.is_none_or(|suite| check.suites.iter().any(|one| one == suite));
    let checks: Vec<Arc<Check>> =
        catalogue.checks.iter().filter(|check| is_in(check)).cloned().map(Arc::new).collect();
    let asked = super::suite::Asked::default();
    !sorted(&checks, &asked, target, &mut LeftOut::default()).0.is_empty()
}

fn judged(last: Option<&Run>, now: Timestamp, most: Duration) -> (&'static str, String) {
    let Some(run) = last else { return ("never", "it never ran".into()) };
    let age = now.duration_since(run.at);
    if age > SignedDuration::try_from(most).unwrap_or(SignedDuration::MAX) {
        return ("old", format!("older than {}", crate::source::duration_text(most)));
    }
    if run.cut {
        return ("cut", "stopped before its end".into());
    }
    if !run.counts() {
        return ("blind", "it saw nothing".into());
    }
    ("ok", counted(run.seen.len(), "check"))
}

fn before(now: Timestamp, length: Duration) -> Timestamp {
    now.checked_sub(SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX))
        .unwrap_or(Timestamp::MIN)
}

/// What is remembered of all targets, or of those that are named.
struct Gathered {
    /// With the folder of its history, by what it is called.
    targets: BTreeMap<String, PathBuf>,
    /// Of the period.
    runs: Vec<Run>,
    /// By target and check.
    standings: BTreeMap<(String, String), Standing>,
    unreadable: usize,
}

impl Gathered {
    fn rows(&self) -> Vec<Row> {
        let standing = |target: &str, check: &str| {
            self.standings.get(&(target.to_owned(), check.to_owned())).cloned()
        };
        let rows = trends(&self.runs).into_iter();
        rows.map(|trend| {
            let standing = standing(&trend.target, &trend.check);
            Row::of(trend, standing)
        })
        .collect()
    }
}

/// `names` are targets that are known besides those that have runs.
fn gather(
    state: &Path,
    from: Timestamp,
    to: Timestamp,
    targets: &[String],
    mut names: Vec<String>,
) -> Result<Gathered, Problem> {
    let mut all = Gathered {
        targets: BTreeMap::new(),
        runs: vec![],
        standings: BTreeMap::new(),
        unreadable: 0,
    };
    for folder in store::folders(state).map_err(|error| unreadable(state, &error))? {
        let failed = |error: std::io::Error| unreadable(&folder, &error);
        let Read { runs, unreadable } = store::read(&folder, from).map_err(failed)?;
        let Some(target) = called(&folder).map_err(failed)? else { continue };
        names.push(target.clone());
        if !targets.is_empty() && !targets.contains(&target) {
            continue;
        }
        for (check, standing) in store::standings(&folder).map_err(failed)? {
            all.standings.insert((target.clone(), check), standing);
        }
        all.unreadable += unreadable;
        let runs = runs.into_iter().filter(|run| run.at <= to);
        all.runs.extend(runs.map(|run| Run { target: target.clone(), ..run }));
        all.targets.insert(target, folder);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if !names.is_empty() {
        targets.iter().try_for_each(|name| known(name, &names, "history of a target called"))?;
    }
    all.runs.sort_by_key(|run| run.at);
    Ok(all)
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::system(format!("cannot read the history in {}: {error}", path.display()))
        .hint("--state names another folder")
}

/// What the target of a history is called: by its name, or by the folder where that says more. A target
/// that is not configured may have the name of another one.
pub(super) fn called(folder: &Path) -> std::io::Result<Option<String>> {
    let Some(run) = store::last(folder, None, Timestamp::MAX)? else { return Ok(None) };
    let folder = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_plain = folder.as_deref().is_none_or(|folder| folder == plain(&run.target));
    Ok(if is_plain { Some(run.target) } else { folder })
}

/// The runs by suite and target, and what of their schedule did not happen in the period. A suite that ran
/// before and not since is one of them.
fn schedule(
    gathered: &Gathered,
    from: Timestamp,
    to: Timestamp,
    config: &Config,
) -> Result<Vec<Runs>, Problem> {
    let mut found: BTreeMap<(String, String), Vec<&Run>> = BTreeMap::new();
    let mut before: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
    for (target, folder) in &gathered.targets {
        for suite in &config.runs.suites {
            let last = store::last(folder, Some(&suite.name), from);
            if let Some(last) = last.map_err(|error| unreadable(folder, &error))? {
                let of = (suite.name.clone(), target.clone());
                found.insert(of.clone(), Vec::new());
                before.insert(of, last.at);
            }
        }
    }
    for run in &gathered.runs {
        let suites = if run.suites.is_empty() { vec![String::new()] } else { run.suites.clone() };
        for suite in suites {
            found.entry((suite, run.target.clone())).or_default().push(run);
        }
    }
    let rows = found.into_iter().map(|(of, runs)| {
        let before = before.get(&of).copied();
        let times: Vec<Timestamp> =
            before.into_iter().chain(runs.iter().map(|run| run.at)).collect();
        let last = times[times.len() - 1];
        let (suite, target) = of;
        let missed = config.runs.every(&suite).map(|every| {
            let all = times.windows(2).map(|two| missed(two[0], two[1], every)).sum::<u64>()
                + missed(last, to, every);
            // What was missed before the period is not of it.
            all.saturating_sub(before.map_or(0, |before| missed(before, from, every)))
        });
        let cut = runs.iter().filter(|run| run.cut).count();
        let blind = runs.iter().filter(|run| !run.cut && !run.counts()).count();
        Runs { target, suite, runs: runs.len(), cut, blind, missed, last }
    });
    Ok(rows.collect())
}
