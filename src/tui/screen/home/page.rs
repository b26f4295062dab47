//! How home is drawn: a line for each thing that can be opened, under its heading.

use super::{Item, Wrong, cursor, listed, wrong};
use crate::check::{Count, Severity, Verdict};
use crate::incident::entry::verdict_words;
use crate::tui::app::App;
use crate::tui::look;
use crate::tui::page::{Page, ago};
use crate::tui::theme::Role;
use crate::tui::widget::wrap::Piece;
use crate::value::{thousands, visible};

/// The page, the line of each thing that can be opened, and which of them the cursor is on.
pub fn page(app: &App) -> (Page<'_>, Vec<usize>, usize) {
    let mut page = Page::new(&app.look);
    let (items, more) = listed(app);
    let cursor = cursor(app, &items);
    let mut lines = Vec::with_capacity(items.len());
    let mut section = "";
    let left_out = |page: &mut Page<'_>| {
        page.muted(&format!("   and {} more; / finds them by name", thousands(more as u64)));
    };
    for (number, item) in items.iter().enumerate() {
        let name = item.section();
        if name != section {
            if more > 0 && matches!(items.get(number.wrapping_sub(1)), Some(Item::Wrong { .. })) {
                left_out(&mut page);
            }
            if !page.is_empty() {
                page.blank();
            }
            page.title(name);
            section = name;
        }
        lines.push(page.len());
        item_line(app, item, number == cursor, &mut page);
    }
    if more > 0 && matches!(items.last(), Some(Item::Wrong { .. })) {
        left_out(&mut page);
    }
    if app.home.preparing {
        page.blank().muted("Making the demo's database ...");
    }
    if !app.home.find.is_empty() {
        page.blank().muted(&found_words(app, items.is_empty()));
    }
    (page, lines, cursor)
}

/// What the list was narrowed down to.
pub fn found_words(app: &App, is_empty: bool) -> String {
    let find = &app.home.find;
    if is_empty {
        format!("nothing is called '{find}'; / changes it")
    } else {
        format!("found for '{find}'; / changes it")
    }
}

/// In the room that a number has in the list.
fn short_count(count: Count) -> String {
    match count {
        Count::Exact(n) => n.to_string(),
        Count::AtLeast(n) => format!("{n}+"),
    }
}

pub fn item_line(app: &App, item: &Item, here: bool, page: &mut Page<'_>) {
    let look = &app.look;
    let mark = if here { look.glyphs.here } else { " " };
    let text = if here { Role::Selection } else { Role::Text };
    match item {
        Item::Incident(id) => {
            let Some(incident) = app.home.incidents.iter().find(|incident| incident.id == *id)
            else {
                return;
            };
            let severity =
                incident.severity.map(|severity| severity.to_string()).unwrap_or_default();
            let open = incident.opened.map_or(0, |at| app.now.duration_since(at).as_secs());
            page.line(&[
                (&format!(" {mark} "), Role::Focus),
                (&format!("{:<10}", incident.id), text),
                (&format!("{severity:<7}"), severity_role(incident.severity)),
                (&fit(&incident.title, 34), text),
                (&format!("  {:<12}", incident.target), Role::Muted),
                (&format!("open {}", crate::tui::page::going_on(open)), Role::Muted),
            ]);
        }
        Item::Target(name) => target_line(app, name, mark, text, page),
        Item::Wrong { target, check } => {
            let Some(Wrong { check: known, finding, .. }) = wrong(app, target, check) else {
                return;
            };
            let title = known.map_or(check.as_str(), |check| check.title.as_str());
            let severity = known.map(|check| check.severity);
            let (sign, count) = match &finding.verdict {
                Verdict::Violated { violations } => (look.bad(), short_count(*violations)),
                Verdict::Clear => (look.ok(), "0".into()),
                Verdict::Measured { reading } => (look.bad(), reading.value.clone()),
                Verdict::Inconclusive { .. } => (look.unknown(), "-".into()),
            };
            let several = app.home.health.len() > 1;
            let tail = match &finding.verdict {
                Verdict::Inconclusive { .. } if several => {
                    format!("{target}: {}", verdict_words(&finding.verdict))
                }
                Verdict::Inconclusive { .. } => verdict_words(&finding.verdict),
                _ if several => target.clone(),
                _ => String::new(),
            };
            page.push(vec![
                Piece::new(format!(" {mark} "), look.style(Role::Focus)),
                Piece::new(sign.0, sign.1),
                Piece::new(format!("{count:>6}  "), sign.1),
                Piece::new(
                    severity.map(|severity| format!("{severity:<7}")).unwrap_or_default(),
                    look.style(severity_role(severity)),
                ),
                Piece::new(fit(title, if tail.is_empty() { 55 } else { 46 }), look.style(text)),
                Piece::new(format!("  {tail}"), look.style(Role::Muted)),
            ]);
        }
        Item::Runbook(id) => {
            let Some(runbook) = app.facts.catalogue.runbook(id) else { return };
            page.line(&[
                (&format!(" {mark} "), Role::Focus),
                (&fit(&runbook.title, 52), text),
                (&format!("  {:<8}", runbook.severity), Role::Muted),
                (&runbook.pack, Role::Muted),
            ]);
        }
    }
}

fn target_line(app: &App, name: &str, mark: &str, text: Role, page: &mut Page<'_>) {
    let look = &app.look;
    let Some(health) = app.home.health.iter().find(|health| health.target == *name) else { return };
    let environment = app.target(name).map_or("", |target| target.environment.word());
    let head = format!("{name:<14}");
    let known = app.target(name).filter(|_| !app.facts.demo).map(|target| target.environment);
    let (environment, role) = match known {
        Some(crate::config::Environment::Production) => (" PRODUCTION ", Role::Production),
        Some(crate::config::Environment::Staging) => ("staging", Role::Staging),
        _ => (environment, Role::Muted),
    };
    let gap = " ".repeat(13 - environment.len().min(13));
    let start = [
        (&*format!(" {mark} "), Role::Focus),
        (&*head, text),
        (environment, role),
        (&*gap, Role::Muted),
    ];
    let line = |page: &mut Page<'_>, rest: &[(&str, Role)]| {
        let parts: Vec<(&str, Role)> = start.iter().copied().chain(rest.iter().copied()).collect();
        page.line(&parts);
    };
    match (&health.running, &health.seen) {
        (_, Some((at, Ok(survey)))) => {
            let count = |wanted: &str| {
                survey.findings.iter().filter(|(_, f)| f.verdict.word() == wanted).count()
            };
            let (violated, clear, unseen) =
                (count("violated"), count("clear"), count("inconclusive"));
            let age = ago(app.now.duration_since(*at).as_secs());
            let bad = format!("{} {violated} violated  ", look.glyphs.bad);
            let good = format!("{} {clear} clear  ", look.glyphs.ok);
            let open = format!("{} {unseen}  ", look.glyphs.unknown);
            line(
                page,
                &[
                    (if violated > 0 { &bad } else { "" }, Role::Danger),
                    (&good, Role::Ok),
                    (if unseen > 0 { &open } else { "" }, Role::Unknown),
                    (&format!("checked {age}"), Role::Muted),
                ],
            );
        }
        (_, Some((_, Err(problem)))) => {
            line(
                page,
                &[(&format!("{} {}", look.glyphs.unknown, problem.sentence), Role::Unknown)],
            );
        }
        (Some((_, since)), None) => {
            let seconds = app.now.duration_since(*since).as_secs();
            line(page, &[(&format!("checking for {seconds} s"), Role::Muted)]);
        }
        (None, None) => line(page, &[("not checked yet", Role::Muted)]),
    }
}

fn severity_role(severity: Option<Severity>) -> Role {
    match severity {
        Some(Severity::Sev1 | Severity::Sev2) => Role::Danger,
        Some(Severity::Sev3) => Role::Warning,
        Some(Severity::Sev4) | None => Role::Muted,
    }
}

/// A text in exactly this many columns.
fn fit(text: &str, columns: usize) -> String {
    let text = look::shown(text);
    let whole = visible::width(&text) <= columns;
    let (head, _) = visible::head(&text, if whole { columns } else { columns.saturating_sub(1) });
    // One column in ASCII too: the list must not move for it.
    let more = if whole { "" } else { "~" };
    let wide = visible::width(head) + more.len();
    format!("{head}{more}{}", " ".repeat(columns.saturating_sub(wide)))
}
