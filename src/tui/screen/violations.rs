//! The violations of a check as a table on the whole screen.

use std::sync::Arc;

use crate::check::Count;
use crate::tui::app::{App, Screen};
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::overlay::{Ask, Overlay, Purpose};
use crate::tui::widget::table::Table;
use crate::value::{Rows, ValueRef, visible};

#[derive(Debug, Default)]
pub struct Violations {
    pub check: Option<String>,
    pub table: Option<Table>,
}

/// Shows the rows of a check; asks for them first if there are none yet.
pub fn open(app: &mut App, check: Option<String>) -> Vec<Effect> {
    let Some(check) = check else {
        app.complain("this runbook has no check");
        return Vec::new();
    };
    if app.violations.check.as_deref() != Some(&check) {
        app.violations = Violations { check: Some(check.clone()), table: None };
    }
    app.screen = Screen::Violations;
    refresh(app);
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let known = case.live.get(&check).is_some_and(|live| live.finding.is_some());
    if known { Vec::new() } else { case.detect(&check, run, now) }
}

/// Puts the newest rows of a check into its table; cursor, order and filter stay.
pub fn refresh(app: &mut App) {
    let Some(id) = &app.violations.check else { return };
    let key = app.facts.catalogue.check(id).map(|check| check.key.clone()).unwrap_or_default();
    let Some(live) = app.case.as_ref().and_then(|case| case.live.get(id)) else { return };
    let Some(finding) = &live.finding else { return };
    let rows: Arc<Rows> = Arc::new(finding.rows.clone());
    let total = match finding.verdict.reading() {
        // Its rows are series, over a threshold or not.
        Some(_) => Count::Exact(rows.len() as u64),
        None => finding.verdict.violations().unwrap_or(Count::AtLeast(rows.len() as u64)),
    };
    let fresh: std::collections::HashSet<u64> = live.fresh.iter().copied().collect();
    match &mut app.violations.table {
        Some(table) => table.replace(rows, &key, total),
        none => *none = Some(Table::new(rows, &key, total)),
    }
    if let Some(table) = &mut app.violations.table {
        table.set_new(|key| fresh.contains(&key));
    }
}

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    match command {
        Command::Filter => {
            let given = app.violations.table.as_ref().map_or("", |table| table.filter()).to_owned();
            let ask = Ask::new(Purpose::Filter, "Filter: text, or column:text").filled(&given);
            app.overlay = Some(Overlay::ask(ask));
        }
        Command::Search => {
            let given = app.violations.table.as_ref().map_or("", |table| table.search()).to_owned();
            app.overlay = Some(Overlay::ask(Ask::new(Purpose::Search, "Search").filled(&given)));
        }
        Command::OpenCell | Command::Confirm | Command::Open => open_cell(app),
        Command::OpenRow => open_row(app),
        Command::Export => {
            let formats = vec!["csv".to_owned(), "json".to_owned()];
            app.overlay = Some(Overlay::choice("Export all rows as", formats, Purpose::Export));
        }
        Command::Plan => {
            let check = app.violations.check.clone();
            return super::plan::ask(app, check);
        }
        Command::Refresh => {
            let run = app.new_run();
            let now = app.now;
            let check = app.violations.check.clone();
            if let (Some(case), Some(check)) = (&mut app.case, check) {
                return case.detect(&check, run, now);
            }
        }
        other => {
            if let Some(table) = &mut app.violations.table {
                table.on_command(other);
            }
        }
    }
    Vec::new()
}

fn open_cell(app: &mut App) {
    let Some((column, value)) = app.violations.table.as_ref().and_then(Table::cell) else { return };
    let title = format!("{} ({})", visible::text(column), kind(value));
    let lines = value_lines(value);
    app.overlay = Some(Overlay::plain(&title, lines));
}

fn open_row(app: &mut App) {
    let Some(table) = &app.violations.table else { return };
    let Some(row) = table.selected() else { return };
    let rows = table.rows();
    let width = rows.columns().iter().map(|name| visible::width(name)).max().unwrap_or(0).min(30);
    let mut lines = Vec::new();
    for (name, value) in rows.columns().iter().zip(rows.row(row)) {
        let mut values = value_lines(value).into_iter();
        let first = values.next().unwrap_or_default();
        lines.push(format!("{:<width$}  {first}", visible::text(name)));
        lines.extend(values.map(|line| format!("{:width$}  {line}", "")));
    }
    app.overlay = Some(Overlay::plain("Row in full", lines));
}

fn kind(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(_) => "integer".into(),
        ValueRef::Real(_) => "number".into(),
        ValueRef::Text("") => "empty text".into(),
        ValueRef::Text(text) => format!("text, {} bytes", text.len()),
        ValueRef::Bytes(bytes) => format!("binary, {} bytes", bytes.len()),
    }
}

fn value_lines(value: ValueRef<'_>) -> Vec<String> {
    match value {
        ValueRef::Null => vec!["NULL".into()],
        ValueRef::Text("") => vec!["(empty)".into()],
        ValueRef::Text(text) => visible::multi_line(text),
        other => vec![other.plain().unwrap_or_default()],
    }
}
