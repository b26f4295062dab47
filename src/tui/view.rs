//! View: the whole frame from the app. Line 1 says where one is, the last line which keys work; the
//! screen and whatever lies on top are in between. Draws, and decides nothing.

mod edge;
mod journal;
mod overlay;

pub use edge::{environment_word, footer, top_line, update_due};
use journal::journal;
use overlay::overlay;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::app::{App, Clickable, Screen};
use super::case::Case;
use super::look::{Look, Pen, columns};
use super::page::{Page, moment};
use super::screen::{guardrail, home, postmortem, recovery, server, step, violations};
use super::theme::Role;
use super::widget::scroll::Scroll;
use super::widget::stepper::{self, Stepper};
use super::widget::wrap::{self, Line};
use crate::incident::entry::Record;
use crate::runbook::Required;
use crate::runbook::progress::StepState;

/// From this width on, the steps stand beside what they ask.
const WIDE: u16 = 100;
/// From this width on, what is known of a thing stands beside the list, which keeps this much.
const ROOMY: u16 = 116;
const HOME_LIST: u16 = 74;
/// What a change comes to, where its statements stand beside it.
const RECOVERY: u16 = 110;
/// From this width on, the steps have room for their whole titles.
const ULTRA: u16 = 180;

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
        let words = match (&app.replay, app.is_drill()) {
            (Some(_), _) => "REPLAY too small",
            (None, true) => "DRILL too small",
            (None, false) => "too small",
        };
        Pen::new(buf, area, 0).put(words, app.look.style(Role::Muted));
        return None;
    }
    app.clickable = None;
    let look = app.look.clone();
    top_line(app).view(Rect { height: 1, ..area }, buf, &look);
    let bottom = Rect { y: area.bottom() - 1, height: 1, ..area };
    let standing = |text: String, bad| super::app::Toast { text, bad, at: app.now };
    let read_only = || app.read_only.clone().map(|text| standing(text, true));
    let opening = || home::is_being_opened(app).map(|text| standing(text.to_owned(), false));
    let toast = app.toast.clone().or_else(read_only).or_else(opening);
    let mut body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    if let Some(toast) = toast.filter(|_| body.height > 3) {
        let role = if toast.bad { Role::Warning } else { Role::Focus };
        let mut page = Page::new(&look);
        page.line(&[(&toast.text, role)]);
        let (told, lines) = (inset(area), page.finish());
        let height = rows_of(&lines, told.width).min(body.height - 3);
        body.height -= height;
        wrapped(&lines, 0, Rect { y: body.bottom(), height, ..told }, buf);
    }
    if app.replay.is_some() && body.height > 3 {
        body.height -= 1;
        let line = Rect { y: body.bottom(), height: 1, ..area };
        told(app, line, buf, &look);
    }
    screen(app, body, buf, &look);
    let caret = overlay(app, area, buf, &look);
    // Last: what the keys do in a box depends on what of it is on the screen.
    footer(app).view(bottom, buf, &look);
    caret
}

/// Which record of a replay this is, when it was written, and what it says.
fn told(app: &App, area: Rect, buf: &mut Buffer, look: &Look) {
    let Some(replay) = &app.replay else { return };
    let record = replay.record();
    let time = moment(record.at, "%Y-%m-%d %H:%M:%S");
    let speed = replay.speed().map_or(String::new(), |n| format!("  {n} a second"));
    let mut pen = Pen::new(buf, area, 0);
    match &replay.watching {
        Some(watching) => pen
            .put(&format!(" WATCHING {} ", replay.place()), look.style(Role::Drill))
            .put(&format!(" {}  ", watching.line(app.now)), look.style(Role::Muted)),
        None => pen
            .put(&format!(" REPLAY {} ", replay.place()), look.style(Role::Drill))
            .put(&format!(" {time}{speed}  "), look.style(Role::Muted)),
    };
    let sentence = record.entry.sentence();
    let room = pen.left();
    pen.put_within(
        sentence.lines().next().unwrap_or_default(),
        room,
        look.glyphs.more,
        look.style(Role::Title),
    );
}

fn screen(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) {
    match app.screen {
        Screen::Home => {
            home_screen(app, inset(area), buf, look);
        }
        Screen::Step => step_screen(app, area, buf, look),
        Screen::Violations => rows_screen(app, area, buf, look),
        Screen::Recovery => {
            let lines = recovery::page(app).finish();
            let mut place = inset(area);
            if area.width >= ULTRA {
                place = beside(place, RECOVERY, &recovery::statements(app), buf, look);
            }
            app.recovery_scroll.set(lines);
            app.recovery_scroll.view(place, buf, look);
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
        Screen::Journal => journal(app, area, buf, look),
        Screen::Postmortem => {
            let (count, names) = postmortem::summary(app);
            let mut head = Page::new(look);
            head.line(&[("Postmortem", Role::Title), (&format!("   {count}"), Role::Changed)]);
            head.muted(&names);
            let head = head.finish();
            let height = rows_of(&head, inset(area).width).min(area.height);
            wrapped(&head, 0, inset(Rect { height, ..area }), buf);
            let (page, at) = postmortem::page(app);
            let rest = Rect { y: area.y + height, height: area.height - height, ..area };
            wrapped(&page.finish(), at, inset(rest), buf);
        }
    }
}

fn step_screen(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) {
    let Some(case) = &app.case else { return };
    let stepper = stepper_of(case);
    let mut body = inset(area);
    if area.width >= WIDE {
        let steps = if area.width >= ULTRA { 48 } else { 34 };
        let left = Rect { width: steps, ..body };
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
            pen.skip(steps + 1).put(look.glyphs.vertical, look.style(Role::Border));
        }
        let taken = steps + 3;
        body = Rect { x: body.x + taken, width: body.width.saturating_sub(taken), ..body };
        let title = Rect { height: 1, ..body };
        Pen::new(buf, title, 0).put(&case.step().title, look.style(Role::Title));
        body = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    } else {
        stepper.view_line(Rect { height: 1, ..body }, buf, look);
        body = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    }
    let told = if area.height >= 36 { 6 } else { 3 };
    let timeline = newest(app, told);
    let wanted = u16::try_from(timeline.len()).unwrap_or(0);
    if body.height > 14 && wanted > 0 {
        let place = Rect { y: body.bottom() - wanted, height: wanted, ..body };
        body.height -= wanted + 1;
        for (row, record) in (0..).zip(timeline) {
            let mut pen = Pen::new(buf, place, row);
            let at = record.happened().strftime("%H:%M:%S  ").to_string();
            let backdated = if record.is_backdated() { "(backdated) " } else { "" };
            pen.put(&at, look.style(Role::Muted)).put(backdated, look.style(Role::Changed));
            let (sentence, room) = (record.entry.sentence(), pen.left());
            let first = sentence.lines().next().unwrap_or_default();
            pen.put_within(first, room, look.glyphs.more, look.style(Role::Muted));
        }
    }
    let Some(case) = &app.case else { return };
    let lines = step::page(app, case).finish();
    let table = violations::of_step(app);
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

/// The newest of the story.
fn newest(app: &App, at_most: usize) -> Vec<&Record> {
    let Some(case) = &app.case else { return Vec::new() };
    let told = case.incident.records.iter().filter(|record| record.entry.is_narrative());
    let mut newest: Vec<_> = told.rev().take(at_most).collect();
    newest.reverse();
    newest
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

/// The table, with the row of the cursor beside it where there is room and somebody wants it.
fn rows_screen(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) {
    app.violations.is_wide = area.width >= WIDE;
    let Some(case) = &app.case else { return };
    let mut page = Page::new(look);
    if let Some(above) = app.violations.above.last() {
        page.title(&above.title);
        page.muted("read-only, and no more than 1,000 rows");
    } else {
        let check = app.violations.check.clone().unwrap_or_default();
        page.title(&check);
        step::check_lines(app, case, &check, &mut page);
    }
    let lines = page.finish();
    let body = inset(area);
    let used = u16::try_from(lines.len()).unwrap_or(0).min(body.height);
    for (row, line) in lines.iter().enumerate().take(usize::from(used)) {
        wrap::put(line, body, u16::try_from(row).unwrap_or(0), buf);
    }
    let mut rest = Rect { y: body.y + used, height: body.height - used, ..body };
    let Some(table) = app.violations.top() else { return };
    if app.violations.beside && app.violations.is_wide {
        let width = rest.width * 2 / 5;
        rest.width -= width;
        for row in 0..rest.height {
            let mut pen = Pen::new(buf, body, used + row);
            pen.skip(rest.width).put(look.glyphs.vertical, look.style(Role::Border));
        }
        let side = Rect { x: rest.right() + 2, width: width.saturating_sub(2), ..rest };
        Pen::new(buf, side, 0)
            .put("Row in full", look.style(Role::Title))
            .put("   esc close", look.style(Role::Muted));
        let side = Rect { y: side.y + 1, height: side.height.saturating_sub(1), ..side };
        // So that one long value does not hide the others.
        let lines = violations::row_lines(table, 400).unwrap_or_default();
        let lines: Vec<Line> = lines.into_iter().map(wrap::plain).collect();
        Scroll::new(lines).view(side, buf, look);
    }
    table.view(rest, buf, look);
}

fn inset(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

/// Draws these lines to the right of a rule, and gives what is left of it.
fn beside(area: Rect, wide: u16, lines: &[Line], buf: &mut Buffer, look: &Look) -> Rect {
    for row in 0..area.height {
        let mut pen = Pen::new(buf, area, row);
        pen.skip(wide).put(look.glyphs.vertical, look.style(Role::Border));
    }
    let x = area.x + wide + 2;
    wrapped(lines, 0, Rect { x, width: area.right().saturating_sub(x), ..area }, buf);
    Rect { width: wide, ..area }
}

/// The list, and beside it where there is room what is known of the thing under the cursor.
fn home_screen(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) {
    let (page, places, cursor) = home::page(app);
    let at = places.get(cursor).copied().unwrap_or(0);
    let lines = page.finish();
    let mut place = area;
    if area.width >= ROOMY {
        let wide = HOME_LIST + (area.width - ROOMY) / 6;
        place = beside(area, wide, &home::detail::page(app).finish(), buf, look);
    }
    let top = list(&lines, at, place, buf, look);
    app.clickable = Some(Clickable { area: place, top, lines: places });
}

/// Lines cut at the edge, scrolled so that the line of the cursor is seen; gives the first one shown.
fn list(lines: &[Line], at: usize, area: Rect, buf: &mut Buffer, look: &Look) -> usize {
    let height = usize::from(area.height);
    let top = at.saturating_sub(height.saturating_sub(2)).min(lines.len().saturating_sub(height));
    for (row, line) in lines.iter().skip(top).take(height).enumerate() {
        let row = u16::try_from(row).unwrap_or(u16::MAX);
        let is_cut = wrap::width(line) > usize::from(area.width);
        let sign = if is_cut { look.glyphs.more } else { "" };
        let room = area.width.saturating_sub(columns(sign));
        wrap::put(line, Rect { width: room, ..area }, row, buf);
        let end = Rect { x: area.x + room, width: area.width - room, ..area };
        if is_cut {
            Pen::new(buf, end, row).put(sign, look.style(Role::Muted));
        }
    }
    if lines.len() > top + height && area.height > 0 {
        let mut pen = Pen::new(buf, area, area.height - 1);
        pen.skip(area.width.saturating_sub(1)).put(look.glyphs.down, look.style(Role::Muted));
    }
    top
}

/// How many rows these lines take.
fn rows_of(lines: &[Line], width: u16) -> u16 {
    let rows = lines.iter().map(|line| wrap::wrap(line, width).len()).sum::<usize>();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// Lines wrapped, scrolled so that a line of the original is at the top.
fn wrapped(lines: &[Line], at: usize, area: Rect, buf: &mut Buffer) {
    let rows = lines.iter().skip(at).flat_map(|line| wrap::wrap(line, area.width));
    for (row, line) in rows.take(usize::from(area.height)).enumerate() {
        wrap::put(&line, area, u16::try_from(row).unwrap_or(u16::MAX), buf);
    }
}
