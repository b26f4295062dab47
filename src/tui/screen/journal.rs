//! The journal: everything that was recorded, in order; the story, or every record.

use crate::incident::entry::Record;
use crate::tui::app::App;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::overlay::{Ask, Overlay, Purpose};
use crate::tui::page::Page;
use crate::tui::theme::Role;

#[derive(Debug, Default)]
pub struct JournalScreen {
    /// Counted from the newest record shown.
    pub up: usize,
    pub everything: bool,
    pub find: String,
}

pub fn shown(app: &App) -> Vec<&Record> {
    let Some(case) = &app.case else { return Vec::new() };
    let find = app.journal.find.to_lowercase();
    let mut records: Vec<&Record> = case
        .incident
        .records
        .iter()
        .filter(|record| app.journal.everything || record.entry.is_narrative())
        .filter(|record| find.is_empty() || record.entry.sentence().to_lowercase().contains(&find))
        .collect();
    records.sort_by_key(|record| (record.happened(), record.seq));
    records
}

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    let last = shown(app).len().saturating_sub(1);
    let up = app.journal.up.min(last);
    app.journal.up = match command {
        Command::Up => (up + 1).min(last),
        Command::Down => up.saturating_sub(1),
        Command::PageUp | Command::HalfUp => (up + 10).min(last),
        Command::PageDown | Command::HalfDown => up.saturating_sub(10),
        Command::First => last,
        Command::Last => 0,
        _ => up,
    };
    match command {
        Command::Filter => {
            app.journal.everything = !app.journal.everything;
            let told = if app.journal.everything { "every record" } else { "the story only" };
            app.say(format!("{told}; f changes it"));
        }
        Command::Search => {
            let ask =
                Ask::new(Purpose::FindJournal, "Find in the journal").filled(&app.journal.find);
            app.overlay = Some(Overlay::ask(ask));
        }
        Command::Open | Command::Confirm => {
            let records = shown(app);
            let at = last.saturating_sub(app.journal.up);
            if let Some(record) = records.get(at) {
                let entry = serde_json::to_string_pretty(&record.entry).unwrap_or_default();
                let mut lines = vec![
                    format!("record {}", record.seq),
                    format!("written  {}", record.at),
                    format!("happened {}", record.happened()),
                    format!("actor    {}", record.actor),
                    format!("hash     {}", record.hash),
                    String::new(),
                ];
                lines.extend(entry.lines().map(str::to_owned));
                app.overlay = Some(Overlay::plain("Record in full", lines));
            }
        }
        _ => {}
    }
    Vec::new()
}

pub fn page(app: &App) -> (Page<'_>, usize) {
    let mut page = Page::new(&app.look);
    let records = shown(app);
    let at = records.len().saturating_sub(1).saturating_sub(app.journal.up);
    let zone = jiff::tz::TimeZone::system();
    for (number, record) in records.iter().enumerate() {
        let here = number == at;
        let happened = record.happened();
        let mark = if here { app.look.glyphs.here } else { " " };
        let backdated = record.at.duration_since(happened).as_secs().abs() > 1;
        let local = happened.to_zoned(zone.clone()).strftime("%H:%M").to_string();
        page.line(&[
            (&format!("{mark} "), Role::Focus),
            (&happened.strftime("%H:%M:%S").to_string(), Role::Muted),
            (&format!(" UTC {local} "), Role::Muted),
            (if backdated { "(backdated) " } else { "" }, Role::Changed),
            (&record.entry.sentence(), if here { Role::Selection } else { Role::Text }),
        ]);
    }
    (page, at)
}
