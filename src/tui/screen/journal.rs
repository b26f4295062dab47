//! The timeline: what happened, one sentence each, in order, and the count of violations above it.
//!
//! Chart and list show the same span of time; the span goes with the cursor. What a person adds to
//! a record (a pin, an annotation) is a record of its own.

use jiff::{SignedDuration, Timestamp};

use crate::incident::entry::{Entry, Record};
use crate::tui::app::App;
use crate::tui::case::Case;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::overlay::{Ask, Overlay, Purpose};
use crate::tui::page::{Page, moment};
use crate::tui::theme::Role;

#[derive(Debug, Default)]
pub struct JournalScreen {
    /// The number of the record that the cursor is on; none follows the newest.
    pub at: Option<u64>,
    pub shown: Shown,
    /// How much time is shown at once; none is all of it.
    pub span: Option<SignedDuration>,
    pub find: String,
}

/// Which records are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Story,
    Everything,
    Changes,
    Decisions,
}

impl Shown {
    pub const ALL: [Self; 4] = [Self::Story, Self::Everything, Self::Changes, Self::Decisions];

    pub fn word(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Everything => "everything",
            Self::Changes => "changes",
            Self::Decisions => "decisions",
        }
    }

    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|one| *one == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    fn lists(self, case: &Case, record: &Record) -> bool {
        match self {
            Self::Story => case.incident.tells(record),
            Self::Everything => true,
            Self::Changes => record.entry.is_of_change(),
            Self::Decisions => record.entry.is_decision(),
        }
    }
}

/// From the nearest to the widest; beyond it is the whole incident.
const SPANS: [SignedDuration; 6] = [
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(3),
    SignedDuration::from_hours(12),
];

/// What is listed, in the order in which it happened, whatever the span.
pub fn listed(app: &App) -> Vec<&Record> {
    let Some(case) = &app.case else { return Vec::new() };
    let find = app.journal.find.to_lowercase();
    let mut records: Vec<&Record> = case
        .incident
        .records
        .iter()
        .filter(|record| app.journal.shown.lists(case, record))
        .filter(|record| find.is_empty() || record.entry.sentence().to_lowercase().contains(&find))
        .collect();
    records.sort_by_key(|record| (record.happened(), record.seq));
    records
}

/// The place of the cursor in what is listed.
fn cursor(app: &App, listed: &[&Record]) -> usize {
    let last = listed.len().saturating_sub(1);
    let Some(seq) = app.journal.at else { return last };
    let there = listed.iter().position(|record| record.seq == seq);
    // A filter may have taken the record away: then the nearest one before it.
    there.or_else(|| listed.iter().rposition(|record| record.seq < seq)).unwrap_or(0)
}

fn extent(app: &App) -> Option<(Timestamp, Timestamp)> {
    let case = app.case.as_ref()?;
    let times = || case.incident.records.iter().map(Record::happened);
    let (first, last) = (times().min()?, times().max()?);
    let end = if case.incident.is_open() { last.max(app.now) } else { last };
    Some((first, end))
}

/// The time that is shown: the whole incident, or the stretch of it that the cursor is in.
pub fn window(app: &App) -> Option<(Timestamp, Timestamp)> {
    let (first, end) = extent(app)?;
    let Some(span) = app.journal.span else { return Some((first, end)) };
    let listed = listed(app);
    let at = listed.get(cursor(app, &listed)).map_or(end, |record| record.happened());
    let number = at.duration_since(first).as_secs() / span.as_secs().max(1);
    let from = first + SignedDuration::from_secs(number * span.as_secs());
    Some((from, from + span))
}

fn is_inside(at: Timestamp, (from, to): (Timestamp, Timestamp), whole: bool) -> bool {
    at >= from && (at < to || whole)
}

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    match command {
        Command::Filter => {
            app.journal.shown = app.journal.shown.next();
            app.say(format!("{} of the journal; f changes it", app.journal.shown.word()));
        }
        Command::Search => {
            let ask =
                Ask::new(Purpose::FindJournal, "Find in the journal").filled(&app.journal.find);
            app.cover(Overlay::ask(ask));
        }
        Command::ZoomIn | Command::ZoomOut => zoom(app, command),
        Command::Open | Command::Confirm => in_full(app),
        Command::Pin => return pin(app),
        Command::Annotate => annotate(app),
        Command::Export => {
            if let Some(case) = &app.case {
                let path = case.folder.join("journal.jsonl").display().to_string();
                app.say(format!("the file is {path}"));
            }
        }
        other => go(app, other),
    }
    Vec::new()
}

fn go(app: &mut App, command: Command) {
    let records = listed(app);
    let (at, last) = (cursor(app, &records), records.len().saturating_sub(1));
    let whole = app.journal.span.is_none();
    let shown = window(app).map_or(0..records.len(), |window| {
        let inside = |record: &&&Record| is_inside(record.happened(), window, whole);
        let first = records.iter().position(|record| inside(&record)).unwrap_or(at);
        first..first + records.iter().filter(inside).count()
    });
    let to = match command {
        Command::Up | Command::PrevMatch => at.saturating_sub(1),
        Command::Down | Command::NextMatch => at + 1,
        Command::PageUp | Command::HalfUp => at.saturating_sub(10),
        Command::PageDown | Command::HalfDown => at + 10,
        Command::First => 0,
        Command::Last => last,
        // The stretch before, and the one behind.
        Command::Left if !whole => shown.start.saturating_sub(1),
        Command::Right if !whole => shown.end,
        _ => return,
    };
    // At the end the cursor follows what is added.
    app.journal.at = if to >= last { None } else { records.get(to).map(|record| record.seq) };
}

fn zoom(app: &mut App, command: Command) {
    let Some((first, end)) = extent(app) else { return };
    let whole = end.duration_since(first);
    let smaller: Vec<SignedDuration> = SPANS.into_iter().filter(|span| *span < whole).collect();
    let at = app.journal.span.and_then(|now| smaller.iter().position(|span| *span == now));
    app.journal.span = match (command, at) {
        (Command::ZoomIn, None) => smaller.last().copied(),
        (Command::ZoomIn, Some(at)) => Some(smaller[at.saturating_sub(1)]),
        (_, Some(at)) => smaller.get(at + 1).copied(),
        (_, None) => None,
    };
    app.say(match app.journal.span {
        Some(span) => format!("{} at once, of {}", length(span), length(whole)),
        None => format!("all of it: {}", length(whole)),
    });
}

/// `5 min`, `3 h`
fn length(span: SignedDuration) -> String {
    match span.as_mins() {
        0 => format!("{} s", span.as_secs()),
        mins if mins % 60 == 0 => format!("{} h", mins / 60),
        mins if mins > 60 => format!("{} h {} min", mins / 60, mins % 60),
        mins => format!("{mins} min"),
    }
}

/// The record that the cursor is on.
pub fn selected(app: &App) -> Option<Record> {
    let records = listed(app);
    records.get(cursor(app, &records)).map(|record| (*record).clone())
}

fn pin(app: &mut App) -> Vec<Effect> {
    let (Some(record), Some(case)) = (selected(app), &app.case) else { return Vec::new() };
    let of = record.seq;
    let pinned = case.incident.pinned.contains(&of);
    app.journal.at = Some(of);
    app.say(if pinned {
        format!("record {of} is not pinned any more")
    } else {
        format!("record {of} is pinned: it belongs to the story")
    });
    let entry = if pinned { Entry::Unpinned { record: of } } else { Entry::Pinned { record: of } };
    vec![Effect::Append(entry)]
}

fn annotate(app: &mut App) {
    let Some(record) = selected(app) else { return };
    app.journal.at = Some(record.seq);
    app.cover(crate::tui::draft::annotation(app, &record));
}

fn in_full(app: &mut App) {
    let (Some(record), Some(case)) = (selected(app), &app.case) else { return };
    let entry = serde_json::to_string_pretty(&record.entry).unwrap_or_default();
    let mut lines = vec![
        format!("record {}", record.seq),
        format!("written  {}", record.at),
        format!("happened {}", record.happened()),
        format!("actor    {}", record.actor),
        format!("hash     {}", record.hash),
    ];
    if case.incident.pinned.contains(&record.seq) {
        lines.push("pinned   yes".into());
    }
    for said in case.incident.annotations_of(record.seq) {
        lines.extend([String::new(), format!("annotated by {}, {}:", said.actor, said.at)]);
        lines.extend(said.text.lines().map(str::to_owned));
    }
    lines.push(String::new());
    lines.extend(entry.lines().map(str::to_owned));
    app.cover(Overlay::plain("Record in full", lines));
}

/// The lines of what is in the window, and which of them is the cursor's.
pub fn page(app: &App) -> (Page<'_>, usize) {
    let mut page = Page::new(&app.look);
    let Some(case) = &app.case else { return (page, 0) };
    let records = listed(app);
    let at = cursor(app, &records);
    let window = window(app);
    let whole = app.journal.span.is_none();
    let mut line = 0;
    for (number, record) in records.iter().enumerate() {
        let happened = record.happened();
        if !window.is_some_and(|window| is_inside(happened, window, whole)) {
            continue;
        }
        let here = number == at;
        if here {
            line = page.len();
        }
        let mark = if here { app.look.glyphs.here } else { " " };
        let pinned = case.incident.pinned.contains(&record.seq);
        let sentence = record.entry.sentence();
        let mut sentence = sentence.lines();
        let role = if here { Role::Selection } else { Role::Text };
        page.line(&[
            (mark, Role::Focus),
            (if pinned { app.look.glyphs.mark } else { " " }, Role::Mark),
            (&format!("{} ", moment(happened, "%H:%M:%S")), Role::Muted),
            (if record.is_backdated() { "(backdated) " } else { "" }, Role::Changed),
            (sentence.next().unwrap_or_default(), role),
        ]);
        for more in sentence {
            page.line(&[("                      ", Role::Text), (more, role)]);
        }
        for said in case.incident.annotations_of(record.seq) {
            for (n, text) in said.text.lines().enumerate() {
                let who = format!("{} {}: ", said.at.strftime("%H:%M"), said.actor);
                page.line(&[
                    (&format!("    {} ", app.look.glyphs.vertical), Role::Border),
                    (if n == 0 { &who } else { "" }, Role::Muted),
                    (text, Role::Key),
                ]);
            }
        }
    }
    if page.is_empty() {
        page.muted("  nothing of this is in the journal");
    }
    (page, line)
}

/// What is listed of how much: `story [changes] ...  12 of 57`.
pub fn head(app: &App) -> (String, String) {
    let Some(case) = &app.case else { return Default::default() };
    let tab = |one: Shown| {
        let word = one.word();
        if one == app.journal.shown { format!("[{word}]") } else { word.to_owned() }
    };
    let tabs = Shown::ALL.map(tab);
    let found = if app.journal.find.is_empty() {
        String::new()
    } else {
        format!(" with \"{}\"", app.journal.find)
    };
    let counts = format!("{} of {} records{found}", listed(app).len(), case.incident.records.len());
    (tabs.join(" "), counts)
}
