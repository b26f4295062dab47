//! Screens, boxes and the prompt as plain lines, made from what the drawn ones are made from.

use crate::runbook::Stage;
use crate::tui::app::{App, Screen};
use crate::tui::case::Case;
use crate::tui::overlay::{Ask, Kind, Overlay, comms, tour};
use crate::tui::page::Page;
use crate::tui::screen::recovery::rows::How;
use crate::tui::screen::{guardrail, home, journal, postmortem, recovery, server, step};
use crate::tui::view::{environment_word, footer, top_line};
use crate::tui::widget::table::{Shown, Table};
use crate::tui::widget::wrap::Line;
use crate::value::visible;

/// Rows of a table that are told at a time.
pub const ROWS: usize = 20;
/// One value in a table; the rest is in the row in full.
const CELL: usize = 32;
/// A row of a table is no longer than this, so that it stays one line.
const ROW: usize = 110;

pub fn text(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| line.iter().map(|piece| piece.text.as_str()).collect()).collect()
}

/// What stands above a page: which incident, which step, for how long.
pub fn heading(app: &App) -> Vec<String> {
    let top = top_line(app);
    let Some(case) = &app.case else { return vec![format!("Home: {}", top.summary)] };
    let (environment, target) = (environment_word(case), &case.target.name);
    let update = top.update.map(|(words, _)| words).unwrap_or_default();
    let facts = [
        format!("{environment} {target}"),
        top.engine,
        top.incident,
        top.severity,
        top.open,
        update,
    ];
    let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    let step = case.step();
    let stage = step.stage.map_or_else(String::new, |stage| format!(", {}", word(stage)));
    let (at, of) = (case.at + 1, case.runbook.steps.len());
    let place = match app.screen {
        Screen::Home | Screen::Step => String::new(),
        Screen::Violations => "Violations, ".into(),
        Screen::Recovery => "Recovery, ".into(),
        Screen::Guardrail => "Guardrail, ".into(),
        Screen::Server => "Server, ".into(),
        Screen::Journal => "Journal, ".into(),
        Screen::Postmortem => {
            let (count, names) = postmortem::summary(app);
            format!("Postmortem, {count}: {names}, ")
        }
    };
    vec![facts.join(", "), format!("{place}step {at} of {of}{stage}: {}", step.title)]
}

/// The body of the present screen; of a table the rows from this one on.
pub fn body(app: &App, from: usize) -> Vec<String> {
    let of = |page: Page<'_>| text(&page.finish());
    match (app.screen, &app.case) {
        (Screen::Home, _) => home(app),
        (_, None) => Vec::new(),
        (Screen::Step, Some(case)) => of(step::page(app, case)),
        (Screen::Violations, Some(case)) => violations(app, case, from),
        (Screen::Recovery, _) => of(recovery::page(app)),
        (Screen::Guardrail, _) => of(guardrail::page(app)),
        (Screen::Server, _) => of(server::page(app)),
        (Screen::Journal, _) => records(app),
        (Screen::Postmortem, _) => of(postmortem::page(app).0),
    }
}

/// The keys that work now, the recommended one first, as the last line of the screen has them.
pub fn keys(app: &App) -> String {
    format!("Keys: {}", footer(app).words())
}

fn home(app: &App) -> Vec<String> {
    let mut lines = Vec::new();
    let mut section = "";
    let items = home::items(app);
    for (number, item) in items.iter().enumerate() {
        if item.section() != section {
            section = item.section();
            let many = items.iter().filter(|item| item.section() == section).count();
            let to = if many > 1 { format!(" to {}", number + many) } else { String::new() };
            lines.push(format!("{section}, {}{to}:", number + 1));
        }
        lines.push(format!("{:>3}. {}", number + 1, item_words(app, item)));
    }
    if app.home.preparing {
        lines.push("Making the demo's database ...".into());
    }
    if !app.home.find.is_empty() {
        lines.push(home::found_words(app, items.is_empty()));
    }
    if let Some(word) = home::enter_word(app) {
        let at = home::cursor(app, &items) + 1;
        lines.push(format!("At {at}; enter: {word}"));
    }
    lines
}

fn item_words(app: &App, item: &home::Item) -> String {
    let mut page = Page::new(&app.look);
    home::item_line(app, item, false, &mut page);
    let words = text(&page.finish()).join(" ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn records(app: &App) -> Vec<String> {
    let Some(case) = &app.case else { return Vec::new() };
    let (tabs, counts) = journal::head(app);
    let mut lines = vec![format!("{tabs}  {counts}")];
    for (number, record) in journal::listed(app).into_iter().enumerate() {
        let happened = record.happened();
        let pinned = if case.incident.pinned.contains(&record.seq) { "(pinned) " } else { "" };
        let late = if record.is_backdated() { "(backdated) " } else { "" };
        let when = happened.strftime("%H:%M:%S UTC");
        let sentence = record.entry.sentence().replace('\n', " / ");
        lines.push(format!("{:>3}. {when} {pinned}{late}{sentence}", number + 1));
        for said in case.incident.annotations_of(record.seq) {
            let text = said.text.replace('\n', " / ");
            lines.push(format!("     {} {}: {}", said.at.strftime("%H:%M"), said.actor, text));
        }
    }
    lines
}

fn violations(app: &App, case: &Case, from: usize) -> Vec<String> {
    let check = app.violations.check.clone().unwrap_or_default();
    let mut page = Page::new(&app.look);
    page.title(&check);
    step::check_lines(app, case, &check, &mut page);
    let mut lines = text(&page.finish());
    let Some(table) = &app.violations.table else { return lines };
    let key = app.facts.catalogue.check(&check).map_or(&[][..], |check| &check.key);
    let names: Vec<String> = table.pile().columns().to_vec();
    let mut columns: Vec<usize> = (0..names.len()).collect();
    columns.sort_by_key(|at| !key.contains(&names[*at]));
    let all = usize::try_from(table.len()).unwrap_or(usize::MAX);
    let rows: Vec<(usize, Vec<String>)> = (from..all.min(from + ROWS))
        .filter_map(|at| {
            let row = table.at(at as u64)?;
            let cell = |column: &usize| cut(app, &visible::cell(row.get(*column)).text());
            Some((at + 1, columns.iter().map(cell).collect()))
        })
        .collect();
    let heads: Vec<String> =
        columns.iter().map(|at| cut(app, &visible::text(&names[*at]))).collect();
    let wide: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(at, head)| {
            let cells = rows.iter().map(|(_, row)| visible::width(&row[at]));
            cells.chain([visible::width(head)]).max().unwrap_or(0)
        })
        .collect();
    let mut taken = 6;
    let fitting = wide.iter().take_while(|wide| {
        taken += *wide + 2;
        taken <= ROW
    });
    let fitting = fitting.count().max(1);
    let aligned = |number: &str, cells: &[String]| {
        let cells = cells.iter().zip(&wide).take(fitting).map(|(cell, wide)| {
            format!("  {cell}{}", " ".repeat(wide.saturating_sub(visible::width(cell))))
        });
        format!("{number:>4}{}", cells.collect::<String>())
    };
    lines.push(String::new());
    lines.push(aligned("", &heads));
    lines.extend(rows.iter().map(|(number, row)| aligned(&number.to_string(), row)));
    let to = (from + ROWS).min(all);
    let more = if to < all { "; more tells the next" } else { "" };
    let first = (from + 1).min(all);
    lines.push(format!("Rows {first} to {to} of {all}{more}; a number tells that row in full."));
    if fitting < heads.len() {
        lines.push(format!("Not shown for want of room: {}.", heads[fitting..].join(", ")));
    }
    if !table.filter().is_empty() {
        lines.push(format!(
            "Only rows with '{}'; f and :empty take the filter away.",
            table.filter()
        ));
    }
    if let Some((row, column)) = table.here() {
        let value = cut(app, &visible::cell(row.get(column)).text());
        lines.push(format!("At {}: {value}", visible::text(&names[column])));
    }
    lines
}

/// As it will be written, so that columns stay aligned.
fn cut(app: &App, text: &str) -> String {
    let text = app.look.glyphs.charset().text(text);
    let (head, _) = visible::head(&text, CELL);
    if head.len() == text.len() { text.into_owned() } else { format!("{head}...") }
}

/// A question, a list, or what else lies on top.
pub fn overlay(app: &App, overlay: &Overlay) -> Vec<String> {
    match &overlay.kind {
        Kind::Tour(_) => (0..tour::CARDS)
            .flat_map(|card| {
                let (title, lines) = tour::card(card, &app.keymap, &app.look);
                [vec![format!("{title}:")], text(&lines)].concat()
            })
            .collect(),
        Kind::Changes { rows, .. } => text(&rows.lines(How::new(&app.look, app.unfolded))),
        Kind::Columns { at } => {
            let columns = app.violations.table.as_ref().map(Table::columns).unwrap_or_default();
            let line = |(number, column): (usize, &Shown)| {
                let here = if number == *at { ">" } else { " " };
                let shown = if column.shown { "shown " } else { "hidden" };
                format!("{here} {shown}  {}", visible::text(&column.name))
            };
            columns.iter().enumerate().map(line).collect()
        }
        Kind::Ask(ask) => question(ask),
        Kind::Choice(choice) => {
            let mut lines: Vec<String> = choice.title.lines().map(str::to_owned).collect();
            for (number, item) in choice.items.iter().enumerate() {
                let mark = if number == choice.at { "   (enter takes this)" } else { "" };
                lines.push(format!("{:>3}. {item}{mark}", number + 1));
            }
            lines.push("A number chooses; esc goes back.".into());
            lines
        }
        Kind::Text { title, scroll, .. } => {
            let mut lines = vec![format!("{title}:")];
            lines.extend(text(scroll.lines()));
            lines
        }
        Kind::Help { .. } => Vec::new(),
        Kind::Writing(writing) => {
            let mut lines = vec![format!("{}. As it stands:", writing.title)];
            lines.extend(writing.editor.text().lines().map(|line| format!("  {line}")));
            lines.push(
                "What you write now takes its place. A line with a dot ends it; a dot at once \
                 leaves it as it is; :empty empties it."
                    .into(),
            );
            lines
        }
        Kind::Comms(shown) => {
            let given = if shown.given[shown.at] { ", recorded as given" } else { "" };
            let mut lines =
                vec![format!("Tell people: {} update{given}", comms::AUDIENCES[shown.at])];
            lines.extend(shown.texts[shown.at].lines().map(|line| format!("  {line}")));
            lines.push("Send it where your people read. Enter records that it was given, and once that is done shows the next; esc goes back.".into());
            lines
        }
        Kind::Palette(_) => vec!["The name of a command:".into()],
        Kind::Problem { problem, .. } => {
            let mut lines: Vec<String> =
                problem.sentence.lines().map(|line| format!("Problem: {line}")).collect();
            lines.extend(problem.hint.iter().flat_map(|hint| hint.lines()).map(str::to_owned));
            lines
        }
    }
}

fn question(ask: &Ask) -> Vec<String> {
    let mut lines: Vec<String> = ask.question.lines().map(str::to_owned).collect();
    match &ask.expected {
        Some(expected) => {
            lines.push(format!("Type exactly: {expected}"));
            lines.push(":back leaves it alone.".into());
        }
        None => {
            let given = ask.prompt.text();
            if !given.is_empty() {
                lines.push(format!("An empty line takes: {given}   (:empty for none)"));
            }
            lines.push(":back goes back.".into());
        }
    }
    lines
}

/// Why the last answer was not taken.
pub fn refused(app: &App) -> Option<&str> {
    match app.overlay.as_ref().map(|overlay| &overlay.kind) {
        Some(Kind::Ask(ask)) => ask.refused.as_deref(),
        _ => None,
    }
}

/// Where one is, and what is wanted.
pub fn prompt(app: &App, sure: bool) -> String {
    let place = match &app.case {
        None if app.is_drill() => "DRILL steadyhand home".into(),
        None => "steadyhand home".into(),
        Some(case) => {
            let (target, environment) = (&case.target.name, environment_word(case));
            let stage = match case.step().stage {
                Some(stage) => capital(word(stage)),
                None => case.step().title.clone(),
            };
            format!("{target} {environment} {}/{} {stage}", case.at + 1, case.runbook.steps.len())
        }
    };
    let screen = match app.screen {
        Screen::Home | Screen::Step => "",
        Screen::Violations => ", violations",
        Screen::Recovery => ", recovery",
        Screen::Guardrail => ", guardrail",
        Screen::Server => ", server",
        Screen::Journal => ", journal",
        Screen::Postmortem => ", postmortem",
    };
    let wanted = match app.overlay.as_ref().map(|overlay| &overlay.kind) {
        None
        | Some(
            Kind::Text { .. }
            | Kind::Changes { .. }
            | Kind::Tour(_)
            | Kind::Help { .. }
            | Kind::Problem { .. },
        ) => "",
        Some(Kind::Ask(_)) if sure => ", enter alone executes",
        Some(Kind::Ask(ask)) if ask.expected.is_some() => ", type the words",
        Some(Kind::Ask(_) | Kind::Palette(_)) => ", answer",
        Some(Kind::Choice(_) | Kind::Columns { .. }) => ", choose",
        Some(Kind::Writing(_)) => ", text",
        Some(Kind::Comms(_)) => ", update",
    };
    format!("{place}{screen}{wanted}")
}

fn word(stage: Stage) -> &'static str {
    Stage::ALL.iter().find(|(one, _)| *one == stage).map_or("", |(_, word)| word)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
