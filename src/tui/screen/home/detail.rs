//! What is known of the thing under the cursor, beside the list where there is room for it.

use jiff::Timestamp;

use super::{Item, Wrong};
use crate::check::{Check, Finding, Verdict};
use crate::incident::entry::verdict_words;
use crate::recovery::words::show;
use crate::runbook::Runbook;
use crate::tui::app::App;
use crate::tui::page::{Page, ago, clock};
use crate::tui::theme::Role;
use crate::value::counted;

/// Rows of a finding that are shown.
const ROWS: usize = 5;

pub fn page(app: &App) -> Page<'_> {
    let mut page = Page::new(&app.look);
    let items = super::items(app);
    match items.get(super::cursor(app, &items)) {
        Some(Item::Incident(id)) => incident(app, id, &mut page),
        Some(Item::Target(name)) => target(app, name, &mut page),
        Some(Item::Wrong { target, check }) => {
            if let Some(wrong) = super::wrong(app, target, check) {
                finding(app, target, &wrong, &mut page);
            }
        }
        Some(Item::Runbook(id)) => {
            if let Some(runbook) = app.facts.catalogue.runbook(id) {
                about_runbook(runbook, &mut page);
            }
        }
        None => {}
    }
    page
}

fn age(app: &App, at: Timestamp) -> String {
    ago(app.now.duration_since(at).as_secs())
}

fn incident(app: &App, id: &str, page: &mut Page<'_>) {
    let Some(incident) = app.home.incidents.iter().find(|incident| incident.id == id) else {
        return;
    };
    page.title(&incident.title).blank();
    page.pair("target", 10, &format!("{} ({})", incident.target, incident.environment));
    if let Some(severity) = incident.severity {
        page.pair("severity", 10, &severity.to_string());
    }
    if let Some(opened) = incident.opened {
        page.pair("open", 10, &clock(app.now.duration_since(opened).as_secs()));
    }
    if let Some(last) = incident.last {
        page.pair("last work", 10, &age(app, last));
    }
    let runbook = app.facts.catalogue.runbook(&incident.runbook);
    if let (Some(step), Some(runbook)) = (&incident.step, runbook) {
        let at = runbook.position(step).unwrap_or(0);
        let of = runbook.steps.len();
        let title = runbook.steps.get(at).map_or("", |step| step.title.as_str());
        page.pair("step", 10, &format!("{} of {of}: {title}", at + 1));
    }
    if incident.in_doubt {
        let text = "an execution was cut off; opening it asks the database how it ended";
        page.blank().signed(app.look.unknown(), text, Role::Unknown);
    }
    if let Some(trouble) = &incident.trouble {
        page.blank().signed(app.look.bad(), trouble, Role::Danger);
    }
}

fn target(app: &App, name: &str, page: &mut Page<'_>) {
    let Some(target) = app.target(name) else { return };
    page.title(name).blank();
    page.pair("is", 10, target.environment.word());
    page.pair("address", 10, &target.url.to_string());
    let Some(health) = app.home.health.iter().find(|health| health.target == name) else { return };
    match &health.seen {
        Some((at, Ok(survey))) => {
            page.pair("version", 10, &survey.version);
            page.pair("server", 10, &survey.server);
            page.pair(
                "checked",
                10,
                &format!("{}, {}", age(app, *at), counted(survey.findings.len(), "check")),
            );
        }
        Some((at, Err(problem))) => {
            page.pair("asked", 10, &age(app, *at)).blank();
            page.signed(app.look.unknown(), &problem.sentence, Role::Unknown);
            if let Some(hint) = &problem.hint {
                page.muted(hint);
            }
        }
        None => {
            page.muted("not asked yet");
        }
    }
}

fn finding(app: &App, target: &str, wrong: &Wrong<'_>, page: &mut Page<'_>) {
    let Wrong { check, finding, at } = *wrong;
    let sign = match &finding.verdict {
        Verdict::Inconclusive { .. } => app.look.unknown(),
        _ => app.look.bad(),
    };
    page.title(check.map_or("", |check| check.title.as_str())).blank();
    page.signed(sign, &verdict_words(&finding.verdict), Role::Danger);
    page.muted(&format!("on {target}, {}, {:.2} s", age(app, at), finding.seconds)).blank();
    if let Some(check) = check {
        page.text(&check.rule).blank();
        page.pair("owner", 10, &check.owner);
    }
    rows(finding, page);
    let runbook = check.and_then(|check: &Check| check.runbook.as_deref());
    match runbook.and_then(|id| app.facts.catalogue.runbook(id)) {
        Some(runbook) => {
            page.blank().muted("the runbook for it:");
            about_runbook(runbook, page);
        }
        None => {
            page.blank().muted("no runbook is named for it");
        }
    }
}

/// The first of what was found, for a first idea.
fn rows(finding: &Finding, page: &mut Page<'_>) {
    let (rows, names) = (&finding.rows, finding.rows.columns());
    if rows.is_empty() {
        return;
    }
    page.blank();
    for row in 0..rows.len().min(ROWS) {
        let cells: Vec<String> = names
            .iter()
            .zip(rows.row(row))
            .take(3)
            .map(|(name, value)| format!("{name} {}", show(&value.to_owned())))
            .collect();
        page.line(&[("  ", Role::Text), (&cells.join("   "), Role::Text)]);
    }
}

fn about_runbook(runbook: &Runbook, page: &mut Page<'_>) {
    page.title(&runbook.title);
    page.muted(&runbook.summary).blank();
    page.pair("severity", 10, &runbook.severity.to_string());
    page.pair("owner", 10, &runbook.owner).blank();
    let digits = runbook.steps.len().to_string().len();
    for (number, step) in runbook.steps.iter().enumerate() {
        page.line(&[
            (&format!("  {:>digits$}  ", number + 1), Role::Muted),
            (&step.title, Role::Text),
        ]);
    }
}
