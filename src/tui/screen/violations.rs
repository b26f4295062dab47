//! The violations of a check as a table on the whole screen, and tables of rows that have to do with
//! one of them on top of it.
//!
//! Nothing here waits: what takes time is an effect, and its answer finds the table that asked.

mod open;

use crate::check::related::{self, Found, Relation};
use crate::problem::Problem;
use crate::runbook::Action;
use crate::tui::app::{App, Lost, Screen};
use crate::tui::command::Command;
use crate::tui::effect::{Effect, Run};
use crate::tui::keymap::Context;
use crate::tui::look;
use crate::tui::overlay::{Ask, Kind, Overlay, Purpose};
use crate::tui::perform::copy::{Copied, Copying, What};
use crate::tui::widget::table::job::{Done, Job};
use crate::tui::widget::table::{Came, Reading, Table};
use crate::value::pile::Pile;
use crate::value::{thousands, visible};
pub use open::row_lines;

#[derive(Debug, Default)]
pub struct Violations {
    pub check: Option<String>,
    pub table: Option<Table>,
    /// Rows that have to do with one below, the newest last.
    pub above: Vec<Above>,
    /// The job under way, and which table it is for.
    work: Option<(Run, usize)>,
    /// A question of where to go from a row, or the rows there.
    asking: Option<Run>,
    offered: Vec<Relation>,
    /// The row stands beside the table, where there is room.
    pub beside: bool,
    /// There is room, by the last drawing.
    pub is_wide: bool,
}

/// A table on top of another.
#[derive(Debug)]
pub struct Above {
    pub title: String,
    pub table: Table,
    relation: Relation,
}

impl Violations {
    pub fn of(check: Option<String>) -> Self {
        Self { check, ..Self::default() }
    }

    /// The table that is looked at.
    pub fn top(&self) -> Option<&Table> {
        self.above.last().map(|above| &above.table).or(self.table.as_ref())
    }

    pub fn top_mut(&mut self) -> Option<&mut Table> {
        match self.above.last_mut() {
            Some(above) => Some(&mut above.table),
            None => self.table.as_mut(),
        }
    }

    fn at_depth(&mut self, depth: usize) -> Option<&mut Table> {
        match depth.checked_sub(1) {
            Some(above) => self.above.get_mut(above).map(|above| &mut above.table),
            None => self.table.as_mut(),
        }
    }

    /// What is under way here.
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        self.work.map(|(run, _)| run).into_iter().chain(self.asking)
    }

    /// So many rows do not change under the reader's hands.
    pub fn is_large(&self) -> bool {
        const LARGE: u64 = 10_000;
        !self.above.is_empty() || self.top().is_some_and(|table| table.pile().len() > LARGE)
    }
}

/// Shows the rows of a check; asks for them first if there are none yet.
pub fn open(app: &mut App, check: Option<String>) -> Vec<Effect> {
    let Some(check) = check else {
        app.complain("this runbook has no check");
        return Vec::new();
    };
    if app.violations.check.as_deref() != Some(&check) {
        app.violations = Violations::of(Some(check.clone()));
    }
    app.violations.above.clear();
    app.screen = Screen::Violations;
    let mut effects = refresh(app);
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return effects };
    let known = case.live.get(&check).is_some_and(|live| live.finding.is_some());
    if !known {
        effects.extend(case.detect(&check, run, now));
    }
    effects
}

/// Puts the newest rows of a check into its table; cursor, order and filter stay.
pub fn refresh(app: &mut App) -> Vec<Effect> {
    let Some(id) = &app.violations.check else { return Vec::new() };
    let key = app.facts.catalogue.check(id).map(|check| check.key.clone()).unwrap_or_default();
    let Some(live) = app.case.as_ref().and_then(|case| case.live.get(id)) else {
        return Vec::new();
    };
    let coming = || live.reading.clone().map(|pile| Reading { pile, ..Reading::default() });
    let Some(rows) = live.rows.clone().or_else(coming) else { return Vec::new() };
    let before = live.rows_before.clone();
    let job = match &mut app.violations.table {
        None => {
            app.violations.table = Some(Table::new(rows, before, &key));
            None
        }
        Some(table) if rows.total.is_none() => {
            table.look();
            None
        }
        Some(table) => table.replace(rows, before),
    };
    job.map_or_else(Vec::new, |job| work(app, 0, job))
}

/// Rows came while a check runs; they are shown if there is nothing else to show yet.
pub fn reading(app: &mut App, run: Run, check: &str, rows: Pile) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let live = case.live_mut(check);
    if live.running.is_none_or(|(of, _)| of != run) {
        return Vec::new();
    }
    live.reading = Some(rows);
    if app.violations.check.as_deref() == Some(check) { refresh(app) } else { Vec::new() }
}

/// Starts a job for a table; whatever it did before is stopped.
fn work(app: &mut App, depth: usize, job: Job) -> Vec<Effect> {
    let run = app.new_run();
    let mut effects = Vec::new();
    if let Some((old, other)) = app.violations.work.replace((run, depth)) {
        effects.push(Effect::Stop { run: old });
        if other != depth
            && let Some(table) = app.violations.at_depth(other)
        {
            table.give_up();
        }
    }
    if let Some(table) = app.violations.at_depth(depth) {
        table.work = None;
    }
    effects.push(Effect::Work { run, job: Box::new(job) });
    effects
}

/// How far the job is; a short one is over before that is told.
pub fn working(app: &mut App, run: Run, words: &'static str, percent: u64) {
    let Some((_, depth)) = app.violations.work.filter(|(of, _)| *of == run) else { return };
    if let Some(table) = app.violations.at_depth(depth) {
        table.work = Some((words, percent));
    }
}

pub fn worked(app: &mut App, run: Run, done: Result<Option<Done>, String>) -> Vec<Effect> {
    let Some((_, depth)) = app.violations.work.filter(|(of, _)| *of == run) else {
        return Vec::new();
    };
    app.violations.work = None;
    let Some(table) = app.violations.at_depth(depth) else { return Vec::new() };
    let more = match done {
        Ok(Some(done)) => {
            let lost = matches!(done, Done::Found(None));
            let text = look::shown(table.search()).into_owned();
            let more = table.take(done);
            if lost {
                app.complain(format!("'{text}' is in no row that is shown"));
            }
            more
        }
        Ok(None) => {
            table.give_up();
            app.say("stopped; the table is as it was");
            None
        }
        Err(why) => {
            table.give_up();
            app.complain(format!("{why}; the table is as it was"));
            None
        }
    };
    more.map_or_else(Vec::new, |job| work(app, depth, job))
}

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    match command {
        Command::Filter => ask(app, Purpose::Filter, "Filter: text, or column:text", Table::filter),
        Command::Search => ask(app, Purpose::Search, "Search", Table::search),
        Command::GoTo => ask(app, Purpose::GoTo, "Go to row number", |_| ""),
        Command::OpenCell | Command::Confirm | Command::Open => open::cell(app),
        Command::OpenRow if app.violations.is_wide => {
            app.violations.beside = !app.violations.beside;
        }
        Command::OpenRow => open::row(app),
        Command::Columns
            if app.violations.top().is_some_and(|table| !table.columns().is_empty()) =>
        {
            app.cover(Overlay::new(Kind::Columns { at: 0 }));
        }
        Command::Copy => offer_copies(app),
        Command::Related => return relations(app),
        Command::Export if !app.violations.above.is_empty() => {
            app.complain("only the violations are exported; y copies rows from here");
        }
        Command::Export => {
            let formats = vec!["csv".to_owned(), "json".to_owned()];
            app.cover(Overlay::choice("Export all rows as", formats, Purpose::Export));
        }
        Command::Plan => {
            let check = app.violations.check.clone();
            return super::plan::ask(app, check);
        }
        Command::Refresh if app.violations.above.is_empty() => {
            let run = app.new_run();
            let now = app.now;
            let check = app.violations.check.clone();
            if let (Some(case), Some(check)) = (&mut app.case, check) {
                return case.detect(&check, run, now);
            }
        }
        Command::Refresh => {
            let relation = app.violations.above.pop().map(|above| above.relation);
            return relation.map_or_else(Vec::new, |relation| read(app, relation));
        }
        other => {
            let came = app.violations.top_mut().map(|table| table.on_command(other));
            return came.map_or_else(Vec::new, |came| follow(app, came));
        }
    }
    Vec::new()
}

fn ask(app: &mut App, purpose: Purpose, question: &str, given: impl Fn(&Table) -> &str) {
    let given = app.violations.top().map_or("", given).to_owned();
    app.cover(Overlay::ask(Ask::new(purpose, question).filled(&given)));
}

/// What a table made of a command.
pub fn follow(app: &mut App, came: Came) -> Vec<Effect> {
    match came {
        Came::Done | Came::Unknown => Vec::new(),
        Came::No(why) => {
            app.complain(why);
            Vec::new()
        }
        Came::To(job) => {
            let depth = app.violations.above.len();
            work(app, depth, job)
        }
    }
}

/// The answers to what was asked for above.
pub fn answered(app: &mut App, purpose: &Purpose, typed: &str) -> Result<Vec<Effect>, String> {
    let is_first = app.violations.above.is_empty();
    let check = app.violations.check.clone();
    let Some(table) = app.violations.top_mut() else { return Ok(Vec::new()) };
    let mut lost = None;
    let came = match purpose {
        Purpose::Filter => {
            let filter = table.filter().to_owned();
            lost = is_first.then_some(Lost::Filter { check, filter });
            Came::To(table.set_filter(typed))
        }
        Purpose::Search => table.set_search(typed),
        Purpose::GoTo => {
            let digits: String = typed.chars().filter(|c| !matches!(c, ',' | '_' | ' ')).collect();
            let place =
                digits.parse().map_err(|_| format!("'{typed}' is not the number of a row"))?;
            table.go_to(place)?;
            Came::Done
        }
        _ => Came::Done,
    };
    let as_text = table.takes_for_text(typed).filter(|_| *purpose == Purpose::Filter);
    let as_text =
        as_text.map(|name| format!("no column is called {name}; it is looked for as text"));
    app.uncover();
    if let Some(lost) = lost {
        app.lose(lost);
    }
    if let Some(said) = as_text {
        app.say(said);
    }
    Ok(follow(app, came))
}

/// The filter that was there before.
pub fn filter_again(app: &mut App, check: &Option<String>, filter: &str) -> Vec<Effect> {
    let is_open = app.violations.check == *check;
    let Some(table) = app.violations.table.as_mut().filter(|_| is_open) else {
        app.say("that table is not open any more");
        return Vec::new();
    };
    let job = table.set_filter(filter);
    app.say("the filter is as it was");
    work(app, 0, job)
}

// ------------------------------------------------------------------------------------------ copying

const COPIES: [What; 4] = [What::Cell, What::Rows, What::Rows, What::Keys];

fn offer_copies(app: &mut App) {
    let Some(table) = app.violations.top() else { return };
    let Some((_, column)) = table.here() else { return };
    let name = |at: &usize| look::shown(&table.pile().columns()[*at]).into_owned();
    let marked = table.marked().len();
    let of = match marked {
        0 => "this row".to_owned(),
        _ => format!("{} marked rows", thousands(marked as u64)),
    };
    let keys: Vec<String> = table.key().iter().map(name).collect();
    let items = vec![
        format!("the cell: {}", name(&column)),
        "this row, tabs between values".to_owned(),
        format!("{of}, a line each"),
        format!("{of} as SQL: {} IN (...)", keys.join(", ")),
    ];
    app.overlay =
        Some(Overlay::choice("Copy to the clipboard of the terminal", items, Purpose::Copy));
}

/// The copy that was chosen from those on offer.
pub fn copy(app: &mut App, choice: usize) -> Vec<Effect> {
    let Some(what) = COPIES.get(choice).copied() else { return Vec::new() };
    let Some(case) = &app.case else { return Vec::new() };
    let Some(table) = app.violations.top() else { return Vec::new() };
    let (Some(row), Some((_, column))) = (table.selected(), table.here()) else {
        return Vec::new();
    };
    let marked = table.marked();
    let rows = if choice < 2 || marked.is_empty() { vec![row] } else { marked };
    let columns = match what {
        What::Cell => vec![column],
        What::Rows => (0..table.pile().columns().len()).collect(),
        What::Keys => table.key().to_vec(),
    };
    let (pile, dialect) = (table.pile().clone(), case.target.url.dialect);
    vec![Effect::Copy(Box::new(Copying { what, pile, rows, columns, dialect }))]
}

pub fn copied(app: &mut App, copied: Result<Copied, Problem>) -> Vec<Effect> {
    match copied {
        Ok(Copied::Text { text, words }) => {
            let bytes = thousands(text.len() as u64);
            let what = format!("{words}, {bytes} bytes");
            let key = app.keymap.label(Context::Table, Command::Export).unwrap_or_default();
            let instead = format!("{key} writes the rows to a file");
            app.say(app.facts.between.asked(&what, &instead));
            vec![Effect::Clipboard(text)]
        }
        Ok(Copied::File { path, bytes }) => {
            let folder = app.case.as_ref().map(|case| case.folder.as_path());
            let inside = folder.and_then(|folder| path.strip_prefix(folder).ok());
            let path = inside.unwrap_or(&path).display();
            app.say(format!(
                "too long for a terminal's clipboard: {} are in {path} of the incident's folder",
                visible::size(usize::try_from(bytes).unwrap_or(usize::MAX))
            ));
            Vec::new()
        }
        Err(problem) => {
            app.cover(Overlay::problem(problem));
            Vec::new()
        }
    }
}

// ------------------------------------------------------------------------------------- related rows

fn relations(app: &mut App) -> Vec<Effect> {
    let Some(table) = app.violations.top() else { return Vec::new() };
    let Some((row, _)) = table.here() else { return Vec::new() };
    let check = app.violations.check.as_ref().and_then(|id| app.facts.catalogue.check(id));
    let dialect = app.case.as_ref().map(|case| case.target.url.dialect);
    let tables = check.zip(dialect).map(|(check, dialect)| check.tables_on(dialect).to_vec());
    let of = app.violations.above.last().map(|above| above.relation.table.clone());
    let key = table.key().iter().map(|at| table.pile().columns()[*at].clone()).collect();
    let from = related::From {
        table: of,
        tables: tables.unwrap_or_default(),
        key,
        row: related::named(table.pile().columns(), row.values()),
    };
    let run = app.new_run();
    app.violations.asking = Some(run);
    app.say("asking the database what this row has to do with ...; x stops");
    vec![Effect::Relations { run, from: Box::new(from) }]
}

pub fn related(app: &mut App, run: Run, found: Result<Vec<Relation>, Problem>) -> Vec<Effect> {
    if app.violations.asking != Some(run) {
        return Vec::new();
    }
    app.violations.asking = None;
    app.toast = None;
    match found {
        Ok(found) if found.is_empty() => {
            app.say("no foreign key and no history of this row is known");
        }
        Ok(found) => {
            let words = found.iter().map(|one| look::shown(&one.words()).into_owned());
            let title = "Go to rows that have to do with this one";
            app.cover(Overlay::choice(title, words.collect(), Purpose::Related));
            app.violations.offered = found;
        }
        Err(problem) => app.cover(Overlay::problem(problem)),
    }
    Vec::new()
}

/// The way that was chosen from those on offer.
pub fn go(app: &mut App, choice: usize) -> Vec<Effect> {
    match app.violations.offered.get(choice).cloned() {
        Some(relation) => read(app, relation),
        None => Vec::new(),
    }
}

fn read(app: &mut App, relation: Relation) -> Vec<Effect> {
    let run = app.new_run();
    app.violations.asking = Some(run);
    app.say("reading ...; x stops");
    vec![Effect::Related { run, relation: Box::new(relation) }]
}

pub fn arrived(app: &mut App, run: Run, found: Result<Box<Found>, Problem>) -> Vec<Effect> {
    if app.violations.asking != Some(run) {
        return Vec::new();
    }
    app.violations.asking = None;
    app.toast = None;
    match found {
        Ok(found) => {
            use crate::check::Count;
            let Found { relation, rows, more } = *found;
            let len = rows.len();
            let total = if more { Count::AtLeast(len) } else { Count::Exact(len) };
            let title = look::shown(&relation.words()).into_owned();
            let reading = Reading { pile: rows, keys: None, total: Some(total) };
            let table = Table::new(reading, None, &relation.key);
            app.violations.above.push(Above { title, table, relation });
        }
        Err(problem) => app.cover(Overlay::problem(problem)),
    }
    Vec::new()
}

/// Closes the row beside the table, or goes back to the table below; false if there is neither.
pub fn back(app: &mut App) -> bool {
    let rows = &mut app.violations;
    if rows.beside && rows.is_wide {
        rows.beside = false;
        return true;
    }
    // What was asked for from there has nowhere to go.
    rows.asking = None;
    rows.above.pop().is_some()
}

/// The check whose rows stand below the text of the step.
pub fn of_step(app: &mut App) -> bool {
    let Some(case) = &app.case else { return false };
    if !matches!(case.step().action, Action::Check(_)) {
        return false;
    }
    let Some(check) = case.check_of_step().map(str::to_owned) else { return false };
    if app.violations.check.as_deref() != Some(&check) {
        app.violations = Violations::of(Some(check));
    }
    if app.violations.table.is_none() {
        // A new table has nothing to do.
        let _ = refresh(app);
    }
    app.violations.above.clear();
    app.violations.table.as_ref().is_some_and(|table| !table.is_empty())
}

/// What the run brought.
pub fn checked(app: &mut App, check: &str, cut: Option<&str>) -> Vec<Effect> {
    if let Some(why) = cut {
        app.complain(format!("not all rows are in the table: {why}"));
    }
    if app.violations.check.as_deref() == Some(check) { refresh(app) } else { Vec::new() }
}
