//! `steadyhand gate`: lets a deploy through unless something is new, has grown, or is past its day.
//!
//! The same run as `check`, held against a baseline that people review. What could not be seen lets
//! nothing through.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Out;
use super::check::{Page, Writing};
use super::suite::{self, Looked, Run};
use crate::check::baseline::{self, Baseline, Reach};
use crate::clock;
use crate::config::Config;
use crate::exit::Exit;
use crate::ops::detect::KEPT_ROWS;
use crate::problem::Problem;
use crate::source::render;
use crate::value::counted;

/// How long a new exception holds if nobody says until when.
const USUAL: Duration = Duration::from_hours(30 * 24);

#[derive(Debug)]
pub struct Asked {
    pub suite: suite::Asked,
    pub page: Page,
    pub baseline: PathBuf,
    /// Write the baseline instead of judging by it.
    pub update: bool,
    /// The last day of exceptions that are new.
    pub expires: Option<Date>,
}

pub async fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let Some(catalogue) = super::checks(config, out) else { return Ok(Exit::Usage) };
    let Some(baseline) = read(asked, out)? else { return Ok(Exit::Usage) };
    let day = clock::now().to_zoned(TimeZone::system()).date();
    if asked.update {
        Out::can_put_into(&asked.baseline)?;
    }
    if let Some(last) = asked.expires.filter(|last| *last < day) {
        return Err(Problem::usage(format!("{last} is over: no exception can last until then."))
            .hint("--expires names the last day of new exceptions"));
    }
    let mut page = Writing::new(&asked.page, out)?;
    let on_target = |looked: &mut Looked, out: &mut Out| {
        if asked.update {
            return Ok(());
        }
        for one in &mut looked.outcomes {
            one.ruling = baseline.rule(&one.check, &one.target, &one.finding, day);
        }
        page.add(looked, out)
    };
    let run = suite::run(&asked.suite, config, &catalogue, KEPT_ROWS, out, on_target).await?;
    if asked.update {
        let usual =
            || day.saturating_add(jiff::SignedDuration::try_from(USUAL).unwrap_or_default());
        return write(asked, &baseline, &run, config, asked.expires.unwrap_or_else(usual), out);
    }
    page.end(&run, out)
}

/// The baseline; none if it has faults, which are told.
fn read(asked: &Asked, out: &mut Out) -> Result<Option<Baseline>, Problem> {
    let path = &asked.baseline;
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && asked.update => {
            return Ok(Some(Baseline::default()));
        }
        Err(error) => {
            return Err(Problem::usage(format!("the baseline {name} cannot be read: {error}")).hint(
                "--update-baseline writes one from what is there now; an empty file lets nothing through",
            ));
        }
    };
    match baseline::parse(&name, &text) {
        Ok(baseline) => Ok(Some(baseline)),
        Err(faults) => {
            out.say_as_it_is(&format!("{}\n", render(&faults, out.paint_errors)));
            Ok(None)
        }
    }
}

fn write(
    asked: &Asked,
    old: &Baseline,
    run: &Run,
    config: &Config,
    expires: Date,
    out: &mut Out,
) -> Result<Exit, Problem> {
    if run.is_cut {
        out.put("stopped by the operator; the baseline is as it was\n")?;
        return Ok(Exit::Interrupted);
    }
    if run.outcomes().next().is_none() {
        out.put("nothing was asked; the baseline is as it was\n")?;
        return Ok(Exit::Inconclusive);
    }
    let found = run.outcomes().map(|one| (&*one.check, one.target.as_str(), &one.finding));
    let is_asked = |name: &str| run.looked.iter().any(|looked| looked.target.name == name);
    let all_asked = config.targets.iter().all(|target| is_asked(&target.name));
    let reach = if all_asked { Reach::EveryTarget } else { Reach::Some };
    let new = old.updated(found, reach, expires);
    out.put_into(&asked.baseline, &new.to_toml())?;
    for note in &run.notes {
        out.say(&format!("note: {note}"));
    }
    let blind = run.outcomes().filter(|one| !one.finding.verdict.is_whole()).count();
    let unseen = match blind {
        0 => String::new(),
        n => format!("; {} could not see, and what was known of them is kept", counted(n, "check")),
    };
    out.put(&format!(
        "{} written with {}, {} before{unseen}; review owner, reason and day of each\n",
        asked.baseline.display(),
        counted(new.known.len(), "known violation"),
        old.known.len(),
    ))?;
    Ok(if blind == 0 { Exit::Clear } else { Exit::Inconclusive })
}
