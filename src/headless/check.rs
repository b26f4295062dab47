//! `steadyhand check`: checks on targets, read-only, with an exit code that can be trusted.
//!
//! Every check of a target sees one snapshot. Whatever could not be seen is inconclusive with its
//! reason; it is never left out and never clear.

use std::path::PathBuf;

use super::Out;
use super::suite::{self, Looked, Run};
use crate::config::Config;
use crate::exit::Exit;
use crate::format::OfChecks;
use crate::problem::Problem;
use crate::report::{Totals, json, junit, markdown, prometheus, text};
use crate::source::Paint;

#[derive(Debug)]
pub struct Asked {
    pub suite: suite::Asked,
    pub page: Page,
}

/// How and where the result is written.
#[derive(Debug, Clone)]
pub struct Page {
    pub format: OfChecks,
    pub output: Option<PathBuf>,
    /// Outcomes that this site wants reported as others.
    pub map: Vec<(Exit, Exit)>,
}

/// Rows of a finding that a check shows at most.
const KEPT: usize = 20;

pub async fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let Some(catalogue) = super::checks(config, out) else { return Ok(Exit::Usage) };
    let mut page = Writing::new(&asked.page, out)?;
    let on_target = |looked: &mut Looked, out: &mut Out| page.add(looked, out);
    let run = suite::run(&asked.suite, config, &catalogue, KEPT, out, on_target).await?;
    page.end(&run, out)
}

/// The result while it comes: to standard output at once, or into a file when it is whole.
pub(super) struct Writing<'a> {
    page: &'a Page,
    paint: Paint,
    held: String,
}

impl<'a> Writing<'a> {
    pub(super) fn new(page: &'a Page, out: &Out) -> Result<Self, Problem> {
        page.output.as_deref().map_or(Ok(()), Out::can_put_into)?;
        let paint = if page.output.is_some() { Paint::Plain } else { out.paint };
        Ok(Self { page, paint, held: String::new() })
    }

    /// A target that is done. Formats that begin with their totals wait for the end.
    pub(super) fn add(&mut self, looked: &Looked, out: &mut Out) -> Result<(), Problem> {
        let Looked { label, seen, outcomes, disabled, .. } = looked;
        let text: String = match self.page.format {
            OfChecks::Json => outcomes
                .iter()
                .map(json::outcome)
                .chain(disabled.iter().map(|check| json::disabled(check, label)))
                .collect(),
            OfChecks::Text => {
                let disabled: Vec<_> = disabled.iter().collect();
                text::target(label, seen, outcomes, self.paint)
                    + &text::disabled(&disabled, self.paint)
            }
            OfChecks::Junit | OfChecks::Prometheus | OfChecks::Markdown => return Ok(()),
        };
        self.put(&text, out)
    }

    fn put(&mut self, text: &str, out: &mut Out) -> Result<(), Problem> {
        if self.page.output.is_none() {
            return out.put(text);
        }
        self.held.push_str(text);
        Ok(())
    }

    /// The last of it, and the exit code.
    pub(super) fn end(mut self, run: &Run, out: &mut Out) -> Result<Exit, Problem> {
        let totals = run.totals(&self.page.map);
        for note in &run.notes {
            out.say(&format!("note: {note}"));
        }
        let last = match self.page.format {
            OfChecks::Json => json::summary(&totals, &run.notes),
            OfChecks::Text => {
                let advice = text::unfit(run.outcomes()).unwrap_or_default();
                advice + &self.summary(&totals)
            }
            OfChecks::Prometheus => prometheus::page(run.outcomes(), &totals, &run.suites, run.at),
            OfChecks::Markdown => {
                let outcomes: Vec<_> = run.outcomes().collect();
                markdown::page(outcomes, &totals, &run.notes)
            }
            OfChecks::Junit => {
                let suites: Vec<junit::Suite<'_>> = run
                    .looked
                    .iter()
                    .map(|one| (&*one.label, &*one.outcomes, &*one.disabled))
                    .collect();
                junit::page(&suites, &totals)
            }
        };
        self.put(&last, out)?;
        if let Some(path) = &self.page.output {
            out.put_into(path, &self.held)?;
            out.put(&text::summary(&totals))?;
        }
        Ok(totals.exit)
    }

    fn summary(&self, totals: &Totals) -> String {
        let line = text::summary(totals);
        text::inked(line.trim_end(), text::Ink::of(totals.exit), self.paint) + "\n"
    }
}
