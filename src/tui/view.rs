//! View: the whole frame from the app. Line 1 says where one is, the last line which keys work; the
//! screen and whatever lies on top are in between. Draws, and decides nothing.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::app::{App, Screen};
use super::case::Case;
use super::command::Command;
use super::keymap::Context;
use super::look::{Look, Pen};
use super::overlay::{Ask, Kind, comms};
use super::page::{Page, clock};
use super::screen::{guardrail, home, journal, postmortem, recovery, server, step};
use super::theme::Role;
use super::widget::panel::{Panel, centered};
use super::widget::scroll::Scroll;
use super::widget::status::{self, Environment, Footer};
use super::widget::stepper::{self, Stepper};
use super::widget::wrap::{self, Line};
use crate::config;
use crate::incident::fleet;
use crate::runbook::Required;
use crate::runbook::progress::StepState;

/// From this width on, the steps stand beside what they ask.
const WIDE: u16 = 100;

pub fn view(app: &mut App, frame: &mut Frame<'_>) {
    let area = frame.area();
    let caret = draw(app, area, frame.buffer_mut());
    if let Some(caret) = caret {
        frame.set_cursor_position(caret);
    }
}

/// Draws everything and says where the cursor of the terminal belongs.
pub fn draw(app: &mut App, area: Rect, buf: &mut Buffer) -> Option<Position> {
    if area.height < 3 || area.width < 10 {
        let words = if app.is_drill() { "DRILL too small" } else { "too small" };
        Pen::new(buf, area, 0).put(words, app.look.style(Role::Muted));
        return None;
    }
    let look = app.look.clone();
    top_line(app).view(Rect { height: 1, ..area }, buf, &look);
    let bottom = Rect { y: area.bottom() - 1, height: 1, ..area };
    footer(app).view(bottom, buf, &look);
    let toast = app.toast.clone().or_else(|| {
        app.read_only.clone().map(|text| super::app::Toast { text, bad: true, at: app.now })
    });
    let mut body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    if let Some(toast) = toast.filter(|_| body.height > 3) {
        body.height -= 1;
        let line = Rect { y: body.bottom(), height: 1, ..area };
        let role = if toast.bad { Role::Warning } else { Role::Focus };
        Pen::new(buf, line, 0).put_within(
            &format!(" {}", toast.text),
            line.width,
            look.glyphs.more,
            look.style(role),
        );
    }
    screen(app, body, buf, &look);
    overlay(app, area, buf, &look)
}

fn top_line(app: &App) -> status::Context {
    let mut top = status::Context { title: "steadyhand".into(), ..status::Context::default() };
    let Some(case) = &app.case else {
        if app.is_drill() {
            top.target = Some((Environment::Drill, "steadyhand".into()));
        }
        let open = app.home.incidents.iter().filter(|incident| incident.is_open()).count();
        let targets = app.facts.targets.len();
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        top.summary =
            format!("{targets} target{}, {open} open incident{}", plural(targets), plural(open));
        return top;
    };
    let incident = &case.incident;
    top.target = Some((environment(case), case.target.name.clone()));
    if let Ok(identity) = &case.identity {
        top.engine = format!("{} {}", case.target.url.dialect, identity.version);
        top.role.clone_from(&identity.role);
    }
    top.incident.clone_from(&incident.id);
    top.severity = incident.severity.map(|severity| severity.to_string()).unwrap_or_default();
    match (incident.opened, incident.closed) {
        (Some(opened), Some(closed)) => {
            top.open = format!("closed after {}", clock(closed.duration_since(opened).as_secs()));
        }
        (Some(opened), None) => {
            top.open = format!("open {}", clock(app.now.duration_since(opened).as_secs()));
        }
        _ => {}
    }
    let (due, which) = match incident.next_update {
        Some(due) => (Some(due), "next"),
        None if incident.is_open() && incident.said.is_empty() => {
            (fleet::first_update_due(incident, &app.facts.practice), "first")
        }
        None => (None, ""),
    };
    if let Some(due) = due {
        let left = due.duration_since(app.now).as_secs();
        let text = if left >= 0 {
            format!("{which} update in {}", clock(left))
        } else {
            format!("update overdue {}", clock(-left))
        };
        top.update = Some((text, left < 0));
    }
    top
}

fn environment(case: &Case) -> Environment {
    if case.incident.drill {
        return Environment::Drill;
    }
    if case.incident.demo {
        return Environment::Demo;
    }
    match case.target.environment {
        config::Environment::Production => Environment::Production,
        config::Environment::Staging => Environment::Staging,
        config::Environment::Development => Environment::Development,
    }
}

/// The environment as sentences name it.
pub fn environment_word(case: &Case) -> String {
    environment(case).word().to_owned()
}

/// The keys that work now, the recommended one first.
fn footer(app: &App) -> Footer {
    let context = app.context();
    let key = |command: Command| app.keymap.label(context, command);
    let fixed = |name: &str| Some(name.to_owned());
    if let Some(overlay) = &app.overlay {
        let keys: Vec<(Option<String>, &str)> = match &overlay.kind {
            Kind::Ask(ask) if ask.expected.is_some() => {
                vec![
                    (key(Command::Confirm), "execute what was typed"),
                    (key(Command::Back), "leave it alone"),
                ]
            }
            Kind::Ask(_) => vec![(key(Command::Confirm), "take it"), (key(Command::Back), "back")],
            Kind::Choice(_) | Kind::Palette(_) => vec![
                (key(Command::Confirm), "choose"),
                (key(Command::Up), "up"),
                (key(Command::Down), "down"),
                (key(Command::Back), "back"),
            ],
            Kind::Editor { .. } => vec![
                (key(Command::Save), "keep and close"),
                (key(Command::Back), "keep and close"),
                (fixed("ctrl-z"), "to the shell"),
            ],
            Kind::Comms(_) => vec![
                (key(Command::Confirm), "it was given: record it"),
                (key(Command::Complete), "next audience"),
                (key(Command::Back), "done"),
            ],
            Kind::Text { .. } | Kind::Help { .. } => vec![
                (key(Command::Back), "close"),
                (key(Command::Down), "down"),
                (key(Command::PageDown), "page"),
            ],
            Kind::Problem(_) => vec![(key(Command::Confirm), "go on")],
        };
        return Footer::new(keys);
    }
    let mut keys: Vec<(Option<String>, &str)> = match app.screen {
        Screen::Home => vec![
            (key(Command::Open), home::enter_word(app)),
            (key(Command::NewIncident), "new incident"),
            (key(Command::Refresh), "check again"),
            (key(Command::Find), "find"),
        ],
        Screen::Step => step_keys(app),
        Screen::Violations => vec![
            (key(Command::Back), "back"),
            (key(Command::OpenCell), "cell"),
            (key(Command::OpenRow), "row"),
            (key(Command::Sort), "sort"),
            (key(Command::Filter), "filter"),
            (key(Command::Search), "search"),
            (key(Command::Export), "export"),
            (key(Command::Refresh), "run now"),
        ],
        Screen::Recovery => recovery_keys(app),
        Screen::Guardrail => vec![
            (key(Command::Confirm), guardrail::enter_word(app)),
            (key(Command::Rehearse), "rehearse"),
            (key(Command::Apply), "apply"),
            (key(Command::Withdraw), "withdraw"),
            (key(Command::Statements), "statements"),
            (key(Command::Back), "back"),
        ],
        Screen::Server => vec![
            (key(Command::Back), "back"),
            (key(Command::Refresh), "ask again"),
            (key(Command::Down), "down"),
        ],
        Screen::Journal => vec![
            (key(Command::Back), "back"),
            (key(Command::Open), "record"),
            (key(Command::Filter), if app.journal.everything { "the story" } else { "everything" }),
            (key(Command::Search), "find"),
            (key(Command::Note), "note"),
        ],
        Screen::Postmortem => vec![
            (key(Command::Edit), "edit the part"),
            (key(Command::NextStep), "next part"),
            (key(Command::ExternalEditor), "$EDITOR"),
            (key(Command::Back), "back"),
        ],
    };
    keys.extend([(key(Command::Help), "help"), (key(Command::Quit), "quit")]);
    Footer::new(keys)
}

fn step_keys(app: &App) -> Vec<(Option<String>, &'static str)> {
    let key = |command: Command| app.keymap.label(Context::Step, command);
    let Some(case) = &app.case else { return Vec::new() };
    if !case.incident.is_open() {
        return vec![
            (key(Command::Postmortem), "postmortem"),
            (key(Command::Journal), "journal"),
            (key(Command::Back), "home"),
        ];
    }
    let mut keys = vec![(key(Command::Confirm), step::enter_word(case))];
    if case.check_of_step().is_some() {
        keys.push((key(Command::Rows), "rows"));
        keys.push((key(Command::Refresh), "run now"));
    }
    if case.live.values().any(|live| live.running.is_some()) {
        keys.push((key(Command::Cancel), "stop"));
    }
    if case.incident.standing_change(&case.step().id).is_some() {
        keys.push((key(Command::Undo), "undo"));
    }
    if case.incident.guardrails.get(&case.step().id) == Some(&crate::guardrail::Standing::Applied) {
        keys.push((key(Command::Withdraw), "withdraw"));
    }
    keys.extend([
        (key(Command::Note), "note"),
        (key(Command::PrevStep), "step back"),
        (key(Command::Skip), "skip"),
        (key(Command::Journal), "journal"),
        (key(Command::Postmortem), "postmortem"),
    ]);
    keys
}

fn recovery_keys(app: &App) -> Vec<(Option<String>, &'static str)> {
    use crate::recovery::Execution;
    use crate::recovery::protocol::State;
    let key = |command: Command| app.keymap.label(Context::Recovery, command);
    let Some(case) = &app.case else { return Vec::new() };
    let recovery = case.recoveries.get(&case.step().id);
    let enter = (key(Command::Approve), "");
    let mut keys = match recovery.map(|recovery| &recovery.state) {
        Some(State::Previewed { preview }) if preview.refused.is_empty() => {
            vec![(enter.0, "confirm"), (key(Command::Preview), "preview again")]
        }
        Some(State::Previewed { .. }) => vec![(key(Command::Preview), "preview again")],
        Some(State::Previewing { .. }) => vec![(key(Command::Cancel), "stop")],
        Some(State::Executing { .. } | State::Confirming { .. }) => Vec::new(),
        Some(State::Ended { execution: Execution::Committed { .. } }) => {
            let standing = case.incident.standing_change(&case.step().id).is_some();
            let mut keys = vec![(enter.0, if standing { "next step" } else { "back to the step" })];
            if standing {
                keys.push((key(Command::Undo), "undo"));
            }
            keys
        }
        Some(State::Ended { .. } | State::Failed { .. } | State::Idle) | None => {
            vec![
                (key(Command::Preview), "preview"),
                (key(Command::FirstLook), "first look"),
                (key(Command::Undo), "undo"),
            ]
        }
    };
    keys.extend([
        (key(Command::Changes), "rows"),
        (key(Command::Statements), "statements"),
        (key(Command::Back), "back"),
    ]);
    keys
}

fn screen(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) {
    match app.screen {
        Screen::Home => {
            let (page, at) = home::page(app);
            list(&page.finish(), at, inset(area), buf, look);
        }
        Screen::Step => step_screen(app, area, buf, look),
        Screen::Violations => violations(app, area, buf, look),
        Screen::Recovery => {
            let lines = recovery::page(app).finish();
            app.recovery_scroll.set(lines);
            app.recovery_scroll.view(inset(area), buf, look);
        }
        Screen::Guardrail => {
            let lines = guardrail::page(app).finish();
            app.guard_scroll.set(lines);
            app.guard_scroll.view(inset(area), buf, look);
        }
        Screen::Server => {
            let lines = server::page(app).finish();
            app.server_scroll.set(lines);
            app.server_scroll.view(inset(area), buf, look);
        }
        Screen::Journal => {
            let head = Rect { height: 1, ..area };
            let head_hash = app
                .case
                .as_ref()
                .and_then(|case| case.incident.records.last())
                .map_or(String::new(), |record| format!("   head {}", &record.hash[..12]));
            let counts = trend(app);
            Pen::new(buf, inset(head), 0)
                .put("Journal", look.style(Role::Title))
                .put(&head_hash, look.style(Role::Muted))
                .put(&counts, look.style(Role::Changed));
            let (page, at) = journal::page(app);
            let rest = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
            list(&page.finish(), at, inset(rest), buf, look);
        }
        Screen::Postmortem => {
            let head = Rect { height: 1, ..area };
            let summary = postmortem::summary(app);
            Pen::new(buf, inset(head), 0)
                .put("Postmortem", look.style(Role::Title))
                .put(&format!("   {summary}"), look.style(Role::Changed));
            let (page, at) = postmortem::page(app);
            let rest = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
            wrapped(&page.finish(), at, inset(rest), buf);
        }
    }
}

/// The counts of the incident's check over its whole time.
fn trend(app: &App) -> String {
    let Some(case) = &app.case else { return String::new() };
    let Some(check) = case.main_check() else { return String::new() };
    let seen: Vec<_> = case
        .incident
        .counts_of(check)
        .filter_map(|measured| Some((measured.verdict.number()?, &measured.verdict)))
        .collect();
    let Some((_, last)) = seen.last() else { return String::new() };
    let what = match last.reading() {
        Some(reading) if reading.unit.is_empty() => "value",
        Some(reading) => &reading.unit,
        None => "violations",
    };
    let shown = |verdict: &crate::check::Verdict| match verdict.reading() {
        Some(reading) => reading.value.clone(),
        None => verdict.violations().map_or_else(String::new, |count| count.number().to_string()),
    };
    let words: Vec<String> =
        seen.iter().rev().take(6).rev().map(|(_, verdict)| shown(verdict)).collect();
    let counts: Vec<f64> = seen.iter().map(|(number, _)| *number).collect();
    let arrow = app.look.glyphs.arrow;
    let line = super::widget::spark::spark(&counts, 24, &app.look.glyphs);
    format!("   {what} {line} {}", words.join(&format!(" {arrow} ")))
}

fn step_screen(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) {
    let Some(case) = &app.case else { return };
    let stepper = stepper_of(case);
    let mut body = inset(area);
    if area.width >= WIDE {
        let left = Rect { width: 34, ..body };
        let head = Rect { height: 1, ..left };
        Pen::new(buf, head, 0).put_within(
            &case.incident.title,
            head.width,
            look.glyphs.more,
            look.style(Role::Title),
        );
        let list = Rect { y: left.y + 2, height: left.height.saturating_sub(2), ..left };
        stepper.view(list, buf, look);
        for row in 0..body.height {
            let mut pen = Pen::new(buf, body, row);
            pen.skip(35).put(look.glyphs.vertical, look.style(Role::Border));
        }
        body = Rect { x: body.x + 37, width: body.width.saturating_sub(37), ..body };
        let title = Rect { height: 1, ..body };
        Pen::new(buf, title, 0).put(&case.step().title, look.style(Role::Title));
        body = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    } else {
        stepper.view_line(Rect { height: 1, ..body }, buf, look);
        body = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    }
    let timeline = timeline_lines(app, look);
    let wanted = u16::try_from(timeline.len()).unwrap_or(0);
    if body.height > 14 && wanted > 0 {
        let place = Rect { y: body.bottom() - wanted, height: wanted, ..body };
        body.height -= wanted + 1;
        for (row, line) in timeline.iter().enumerate() {
            wrap::put(line, place, u16::try_from(row).unwrap_or(0), buf);
        }
    }
    let Some(case) = &app.case else { return };
    let lines = step::page(app, case).finish();
    let table = table_of_step(app);
    let room = if table { body.height.saturating_sub(6).max(body.height / 2) } else { body.height };
    let mut scroll = Scroll::new(lines.clone());
    let height = u16::try_from(scroll.height(body.width.saturating_sub(1))).unwrap_or(u16::MAX);
    let text = Rect { height: height.min(room), ..body };
    std::mem::swap(&mut scroll, &mut app.step_scroll);
    scroll.set(lines);
    scroll.view(text, buf, look);
    app.step_scroll = scroll;
    if table && body.height > text.height + 1 {
        let y = text.bottom() + 1;
        let rest = Rect { y, height: body.bottom() - y, ..body };
        if let Some(table) = &app.violations.table {
            table.view(rest, buf, look);
        }
    }
}

/// Whether the step's own rows are in the table, so that it can be shown below the text.
fn table_of_step(app: &mut App) -> bool {
    let Some(case) = &app.case else { return false };
    if !matches!(case.step().action, crate::runbook::Action::Check(_)) {
        return false;
    }
    let Some(check) = case.check_of_step().map(str::to_owned) else { return false };
    if app.violations.check.as_deref() != Some(&check) {
        app.violations = super::screen::violations::Violations { check: Some(check), table: None };
        super::screen::violations::refresh(app);
    }
    if app.violations.table.is_none() {
        super::screen::violations::refresh(app);
    }
    app.violations.table.as_ref().is_some_and(|table| !table.is_empty())
}

/// The newest of the story, one line each.
fn timeline_lines(app: &App, look: &Look) -> Vec<Line> {
    let Some(case) = &app.case else { return Vec::new() };
    let mut page = Page::new(look);
    let told = case.incident.records.iter().filter(|record| record.entry.is_narrative());
    let newest: Vec<_> = told.rev().take(3).collect();
    for record in newest.into_iter().rev() {
        page.line(&[
            (&record.happened().strftime("%H:%M:%S  ").to_string(), Role::Muted),
            (&record.entry.sentence(), Role::Muted),
        ]);
    }
    page.finish()
}

fn stepper_of(case: &Case) -> Stepper {
    let steps = case
        .runbook
        .steps
        .iter()
        .enumerate()
        .map(|(number, step)| stepper::Step {
            title: step.title.clone(),
            state: match case.incident.progress.state(&step.id) {
                StepState::Passed(_) => stepper::State::Done,
                StepState::Skipped(_) => stepper::State::Skipped,
                StepState::Failed(_) => stepper::State::Failed,
                StepState::Open if number == case.at => stepper::State::Current,
                StepState::Pending if number == case.at => stepper::State::Current,
                StepState::Open | StepState::Pending => stepper::State::Todo,
            },
            required: step.required != Required::No,
        })
        .collect();
    Stepper { steps, shown: case.at }
}

fn violations(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) {
    let Some(case) = &app.case else { return };
    let check = app.violations.check.clone().unwrap_or_default();
    let mut page = Page::new(look);
    page.title(&check);
    step::check_lines(app, case, &check, &mut page);
    let lines = page.finish();
    let body = inset(area);
    let used = u16::try_from(lines.len()).unwrap_or(0).min(body.height);
    for (row, line) in lines.iter().enumerate().take(usize::from(used)) {
        wrap::put(line, body, u16::try_from(row).unwrap_or(0), buf);
    }
    let rest = Rect { y: body.y + used, height: body.height - used, ..body };
    if let Some(table) = &app.violations.table {
        table.view(rest, buf, look);
    }
}

fn inset(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

/// Lines cut at the edge, scrolled so that the line of the cursor is seen.
fn list(lines: &[Line], at: usize, area: Rect, buf: &mut Buffer, look: &Look) {
    let height = usize::from(area.height);
    let top = at.saturating_sub(height.saturating_sub(2)).min(lines.len().saturating_sub(height));
    for (row, line) in lines.iter().skip(top).take(height).enumerate() {
        wrap::put(line, area, u16::try_from(row).unwrap_or(u16::MAX), buf);
    }
    if lines.len() > top + height && area.height > 0 {
        let mut pen = Pen::new(buf, area, area.height - 1);
        pen.skip(area.width.saturating_sub(1)).put(look.glyphs.down, look.style(Role::Muted));
    }
}

/// Lines wrapped, scrolled so that a line of the original is at the top.
fn wrapped(lines: &[Line], at: usize, area: Rect, buf: &mut Buffer) {
    let rows = lines.iter().skip(at).flat_map(|line| wrap::wrap(line, area.width));
    for (row, line) in rows.take(usize::from(area.height)).enumerate() {
        wrap::put(&line, area, u16::try_from(row).unwrap_or(u16::MAX), buf);
    }
}

/// What lies on top; gives the place of the terminal's cursor.
fn overlay(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) -> Option<Position> {
    let help = matches!(app.overlay.as_ref().map(|o| &o.kind), Some(Kind::Help { .. }));
    let help_lines = if help { help_page(app) } else { Vec::new() };
    let frame = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    let danger = app.case.as_ref().is_some_and(|case| environment(case) == Environment::Production);
    let overlay = app.overlay.as_mut()?;
    overlay.drawn = true;
    let wide = frame.width.saturating_sub(4).min(110);
    match &mut overlay.kind {
        Kind::Ask(ask) => ask_box(ask, danger, frame, buf, look),
        Kind::Choice(choice) => {
            let mut page = Page::new(look);
            page.lines(&choice.title, Role::Title).blank();
            for (number, item) in choice.items.iter().enumerate() {
                let here = number == choice.at;
                let mark = if here { look.glyphs.here } else { " " };
                page.line(&[
                    (mark, Role::Focus),
                    (" ", Role::Text),
                    (item, if here { Role::Selection } else { Role::Text }),
                ]);
            }
            let lines = page.finish();
            let inner = boxed("", "esc back", Role::Focus, wide.min(76), &lines, frame, buf, look);
            put_wrapped(&lines, inner, buf);
            None
        }
        Kind::Text { title, scroll } => {
            let place = centered(frame, wide, frame.height);
            let panel = Panel { title, hint: "esc close", role: Role::Focus };
            let inner = panel.view(place, buf, look);
            scroll.view(inner, buf, look);
            None
        }
        Kind::Help { scroll } => {
            let place = centered(frame, wide.min(76), frame.height);
            let panel = Panel { title: "Keys", hint: "esc close", role: Role::Focus };
            let inner = panel.view(place, buf, look);
            scroll.set(help_lines);
            scroll.view(inner, buf, look);
            None
        }
        Kind::Editor { title, editor, .. } => {
            let place = centered(frame, wide, frame.height);
            let panel = Panel { title, hint: "esc keeps it and closes", role: Role::Focus };
            let inner = panel.view(place, buf, look);
            editor.view(inner, buf, look);
            editor.caret(inner)
        }
        Kind::Palette(palette) => {
            let place = centered(frame, wide.min(76), frame.height.min(18));
            let panel = Panel { title: "Commands", hint: "esc back", role: Role::Focus };
            let inner = panel.view(place, buf, look);
            let first = Rect { height: 1.min(inner.height), ..inner };
            palette.prompt.view(first, buf, look);
            let rest = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
            let mut page = Page::new(look);
            for (number, (_, text)) in palette.found().into_iter().enumerate() {
                let here = number == palette.at;
                let mark = if here { look.glyphs.here } else { " " };
                page.line(&[
                    (mark, Role::Focus),
                    (" ", Role::Text),
                    (text, if here { Role::Selection } else { Role::Text }),
                ]);
            }
            list(&page.finish(), palette.at, rest, buf, look);
            palette.prompt.caret(first)
        }
        Kind::Comms(shown) => {
            let lines = comms_page(shown, look);
            let inner =
                boxed("Tell people", "esc done", Role::Focus, wide, &lines, frame, buf, look);
            put_wrapped(&lines, inner, buf);
            None
        }
        Kind::Problem(problem) => {
            let mut page = Page::new(look);
            page.lines(&problem.sentence, Role::Danger);
            if let Some(hint) = &problem.hint {
                page.blank().lines(hint, Role::Text);
            }
            let lines = page.finish();
            let inner = boxed(
                "Problem",
                "enter goes on",
                Role::Danger,
                wide.min(76),
                &lines,
                frame,
                buf,
                look,
            );
            put_wrapped(&lines, inner, buf);
            None
        }
    }
}

fn comms_page(shown: &comms::Comms, look: &Look) -> Vec<Line> {
    let mut page = Page::new(look);
    let mut tabs: Vec<(String, Role)> = Vec::new();
    for (number, name) in comms::AUDIENCES.iter().enumerate() {
        let mark = if shown.given[number] { look.glyphs.ok } else { " " };
        let role = if number == shown.at { Role::Selection } else { Role::Muted };
        tabs.push((format!(" {mark} {name} "), role));
    }
    let parts: Vec<(&str, Role)> = tabs.iter().map(|(text, role)| (text.as_str(), *role)).collect();
    page.line(&parts).blank();
    page.lines(&shown.texts[shown.at], Role::Text);
    page.blank().muted("Send it where your people read, then record here that it was given.");
    page.finish()
}

fn ask_box(
    ask: &mut Ask,
    danger: bool,
    frame: Rect,
    buf: &mut Buffer,
    look: &Look,
) -> Option<Position> {
    let mut page = Page::new(look);
    let mut question = ask.question.lines();
    let title = question.next().unwrap_or_default().to_owned();
    for line in question {
        page.text(line);
    }
    if let Some(expected) = &ask.expected {
        page.blank().line(&[("Type   ", Role::Muted), (expected, Role::Title)]);
    }
    let mut lines = page.finish();
    let field = lines.len();
    lines.push(Line::new());
    if let Some(refused) = &ask.refused {
        let mut page = Page::new(look);
        page.line(&[(refused, Role::Warning)]);
        lines.extend(page.finish());
    }
    let role = match (&ask.expected, danger) {
        (Some(_), true) => Role::Production,
        (Some(_), false) => Role::Danger,
        (None, _) => Role::Focus,
    };
    let hint = if ask.expected.is_some() { "esc leaves it alone" } else { "esc back" };
    let width = frame.width.saturating_sub(4).min(76);
    let inner = boxed(&title, hint, role, width, &lines, frame, buf, look);
    let above: usize = lines[..field].iter().map(|line| wrap::wrap(line, inner.width).len()).sum();
    put_wrapped(&lines, inner, buf);
    let row = u16::try_from(above).unwrap_or(0);
    if row >= inner.height {
        return None;
    }
    let place = Rect { y: inner.y + row, height: 1, ..inner };
    ask.prompt.view(place, buf, look);
    ask.prompt.caret(place)
}

/// A box as tall as its lines, in the middle.
#[allow(clippy::too_many_arguments)] // a box is its title, hint, role, size and place
fn boxed(
    title: &str,
    hint: &str,
    role: Role,
    width: u16,
    lines: &[Line],
    frame: Rect,
    buf: &mut Buffer,
    look: &Look,
) -> Rect {
    let inside = width.saturating_sub(4).max(1);
    let rows: usize = lines.iter().map(|line| wrap::wrap(line, inside).len().max(1)).sum();
    let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2);
    let place = centered(frame, width, height.min(frame.height));
    let inner = Panel { title, hint, role }.view(place, buf, look);
    Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner }
}

fn put_wrapped(lines: &[Line], area: Rect, buf: &mut Buffer) {
    let rows = lines.iter().flat_map(|line| {
        let rows = wrap::wrap(line, area.width);
        if rows.is_empty() { vec![Line::new()] } else { rows }
    });
    for (row, line) in rows.take(usize::from(area.height)).enumerate() {
        wrap::put(&line, area, u16::try_from(row).unwrap_or(u16::MAX), buf);
    }
}

/// The help, from the key map itself.
fn help_page(app: &App) -> Vec<Line> {
    let mut page = Page::new(&app.look);
    let mut section = None;
    for entry in app.keymap.entries(app.screen.context()) {
        if entry.keys.is_empty() {
            continue;
        }
        if section != Some(entry.context) {
            if section.is_some() {
                page.blank();
            }
            let name = if entry.context == Context::Global { "everywhere" } else { "here" };
            page.title(name);
            section = Some(entry.context);
        }
        let keys: Vec<String> = entry.keys.iter().map(ToString::to_string).collect();
        page.line(&[
            (&format!("  {:<18}", keys.join(" ")), Role::Key),
            (entry.command.help(), Role::Text),
        ]);
    }
    page.finish()
}
