//! The postmortem as it stands: the document itself; the human parts are edited in place.

use crate::incident::entry::Entry;
use crate::postmortem::parts;
use crate::tui::app::App;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::overlay::outside;
use crate::tui::page::Page;
use crate::tui::theme::Role;

#[derive(Debug, Default)]
pub struct PostmortemScreen {
    pub line: usize,
    /// Which human part `e` opens.
    pub part: usize,
    /// The document that whoever writes has begun with, in a box or in an editor outside.
    pub base: String,
}

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let all = parts::parts(&case.postmortem);
    let lines = case.postmortem.lines().count().saturating_sub(1);
    let line = app.postmortem.line.min(lines);
    app.postmortem.line = match command {
        Command::Up => line.saturating_sub(1),
        Command::Down => (line + 1).min(lines),
        Command::PageUp | Command::HalfUp => line.saturating_sub(15),
        Command::PageDown | Command::HalfDown => (line + 15).min(lines),
        Command::First => 0,
        Command::Last => lines,
        _ => line,
    };
    match command {
        Command::NextStep | Command::PrevStep if !all.is_empty() => {
            let n = all.len();
            let step = if command == Command::NextStep { 1 } else { n - 1 };
            app.postmortem.part = (app.postmortem.part + step) % n;
            let name = all[app.postmortem.part].name;
            if let Some(at) = line_of(&case.postmortem, name) {
                app.postmortem.line = at;
            }
            Vec::new()
        }
        Command::Edit | Command::Open | Command::Confirm => {
            let Some(part) = all.get(app.postmortem.part.min(all.len().saturating_sub(1))) else {
                return Vec::new();
            };
            let overlay = crate::tui::draft::part(app, part);
            app.postmortem.base.clone_from(&case.postmortem);
            app.cover(overlay);
            Vec::new()
        }
        Command::ExternalEditor => outside::postmortem(app),
        Command::Export => {
            let path = case.postmortem_path.display().to_string();
            let id = &case.incident.id;
            let told = format!("the file is {path}; `postmortem {id} --format html` makes a page");
            app.say(told);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// A human part was written.
pub fn written(app: &mut App, part: &str, text: &str) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    case.postmortem = parts::replace_part(&case.postmortem, part, text);
    let whole = parts::replace_part(&app.postmortem.base, part, text);
    edited(app, part, text, whole)
}

/// The record of what somebody wrote, and then the text with it: who may not write the one any more does
/// not write the other either.
pub fn edited(app: &mut App, part: &str, written: &str, text: String) -> Vec<Effect> {
    let (part, sha256) = (part.to_owned(), crate::digest::sha256(written.as_bytes()));
    let base = std::mem::take(&mut app.postmortem.base);
    vec![
        Effect::Append(Entry::PostmortemEdited { part, sha256 }),
        Effect::WritePostmortem { base, text },
        Effect::Postmortem,
    ]
}

fn line_of(text: &str, part: &str) -> Option<usize> {
    text.lines().position(|line| line.contains(&format!("yours: {part}")))
}

pub fn page(app: &App) -> (Page<'_>, usize) {
    let mut page = Page::new(&app.look);
    let Some(case) = &app.case else { return (page, 0) };
    let all = parts::parts(&case.postmortem);
    let unwritten = parts::unwritten_parts(&case.postmortem);
    let chosen = all.get(app.postmortem.part).map(|part| part.name).unwrap_or_default();
    let mut at = 0;
    for (number, line) in case.postmortem.lines().enumerate() {
        if number == app.postmortem.line {
            at = page.len();
        }
        if let Some(name) = marker(line, "yours: ") {
            let here = name == chosen;
            let mark = if here { app.look.glyphs.here } else { " " };
            let state = match unwritten.iter().find(|part| part.name == name) {
                Some(part) if part.required => "still to be written",
                Some(_) => "yours to write",
                None => "yours",
            };
            let hint = if here { "   e edits it" } else { "" };
            page.line(&[
                (mark, Role::Focus),
                (&format!(" [{name}] {state}"), if here { Role::Focus } else { Role::Key }),
                (hint, Role::Muted),
            ]);
            continue;
        }
        if marker(line, "end: ").is_some() {
            continue;
        }
        let role = match line {
            _ if line.starts_with('#') => Role::Title,
            _ if line.starts_with('_') || line.starts_with("<!--") => Role::Muted,
            _ => Role::Text,
        };
        page.line(&[(line, role)]);
    }
    (page, at)
}

fn marker<'t>(line: &'t str, word: &str) -> Option<&'t str> {
    line.trim().strip_prefix("<!-- ")?.strip_prefix(word)?.strip_suffix(" -->")
}

/// How many parts are yours to write, and which: those that every postmortem needs have a star.
pub fn summary(app: &App) -> (String, String) {
    let text = app.case.as_ref().map_or("", |case| case.postmortem.as_str());
    let left = parts::unwritten_parts(text);
    let needed = left.iter().filter(|part| part.required).count();
    let count = match left.len() {
        0 => "every part is written".into(),
        1 => "1 part is yours to write".into(),
        n => format!("{n} parts are yours to write"),
    };
    let needed = match needed {
        0 => String::new(),
        n => format!(", {n} of them needed (*)"),
    };
    let names =
        left.iter().map(|part| format!("{}{}", part.name, if part.required { "*" } else { "" }));
    (count + &needed, names.collect::<Vec<_>>().join(", "))
}
