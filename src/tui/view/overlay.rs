//! What lies on top of the screen: questions, lists, texts, the palette, help.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::edge::environment;
use super::{WIDE, list, rows_of, wrapped};
use crate::tui::app::App;
use crate::tui::keymap::{self, Context};
use crate::tui::look::{Look, Pen};
use crate::tui::overlay::writing::{Reading, Writing};
use crate::tui::overlay::{Ask, Kind, comms, tour};
use crate::tui::page::Page;
use crate::tui::reach;
use crate::tui::screen::recovery::rows::How;
use crate::tui::theme::Role;
use crate::tui::widget::markdown;
use crate::tui::widget::panel::{Panel, centered};
use crate::tui::widget::scroll::Scroll;
use crate::tui::widget::status::Environment;
use crate::tui::widget::table::Table;
use crate::tui::widget::wrap::{self, Line};

/// What lies on top; gives the place of the terminal's cursor.
pub fn overlay(app: &mut App, area: Rect, buf: &mut Buffer, look: &Look) -> Option<Position> {
    let help = matches!(app.overlay.as_ref().map(|o| &o.kind), Some(Kind::Help { .. }));
    let help_lines = if help { help_page(app) } else { Vec::new() };
    let frame = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    let danger = app.case.as_ref().is_some_and(|case| environment(case) == Environment::Production);
    // A box that covers the screen covers its notices too.
    let notice = app.toast.as_ref().map(|toast| toast.text.clone());
    let overlay = app.overlay.as_mut()?;
    overlay.drawn = true;
    let wide = frame.width.saturating_sub(4).min(110);
    match &mut overlay.kind {
        Kind::Ask(ask) => ask_box(ask, danger, frame, buf, look),
        Kind::Choice(choice) => {
            let mut page = Page::new(look);
            page.lines(&choice.title, Role::Title).blank();
            let mut here = 0;
            for (number, item) in choice.items.iter().enumerate() {
                let is_here = number == choice.at;
                let mark = if is_here { look.glyphs.here } else { " " };
                page.line(&[
                    (&format!("{mark} "), Role::Focus),
                    (item, if is_here { Role::Selection } else { Role::Text }),
                ]);
                here = if is_here { page.len() } else { here };
            }
            let lines = page.finish();
            let inner = boxed("", "esc back", Role::Focus, wide.min(76), &lines, frame, buf, look);
            // What is chosen is in sight, however many there are to choose from.
            let above = usize::from(rows_of(&lines[..here], inner.width));
            let rows: Vec<Line> =
                lines.iter().flat_map(|line| wrap::wrap(line, inner.width)).collect();
            list(&rows, above.saturating_sub(1), inner, buf, look);
            None
        }
        Kind::Columns { at } => {
            let at = *at;
            let page = columns_page(app, at, look);
            let place = centered(frame, wide.min(60), frame.height.min(24));
            let hint = "space shows or hides, esc close";
            let panel = Panel { title: "Columns", hint, role: Role::Focus };
            let inner = panel.view(place, buf, look);
            list(&page, at, inner, buf, look);
            None
        }
        Kind::Tour(number) => {
            let (title, lines) = tour::card(*number, &app.keymap, look);
            let title = format!("{title}   {} of {}", *number + 1, tour::CARDS);
            let hint = "any other key leaves the tour";
            let inner = boxed(&title, hint, Role::Focus, wide.min(76), &lines, frame, buf, look);
            wrapped(&lines, 0, inner, buf);
            None
        }
        Kind::Changes { rows, roll } => {
            let place = centered(frame, wide, frame.height);
            let panel =
                Panel { title: "Rows, before and after", hint: "esc close", role: Role::Focus };
            let inner = panel.view(place, buf, look);
            let how = How::new(look, app.unfolded);
            roll.view(rows.parts(), |at| rows.part(at, how), inner, buf, look);
            None
        }
        Kind::Text { title, scroll, .. } => {
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
        Kind::Writing(writing) => writing_box(writing, notice, frame, buf, look),
        Kind::Palette(palette) => {
            let place = centered(frame, wide.min(76), frame.height.min(18));
            let panel = Panel { title: "Commands", hint: "esc back", role: Role::Focus };
            let inner = panel.view(place, buf, look);
            let first = Rect { height: 1.min(inner.height), ..inner };
            palette.prompt.view(first, buf, look);
            let rest = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
            let mut page = Page::new(look);
            let found = palette.found();
            if found.is_empty() {
                page.muted("no command that works here is called so; ? lists them");
            }
            for (number, entry) in found.into_iter().enumerate() {
                let here = number == palette.at;
                let mark = if here { look.glyphs.here } else { " " };
                page.line(&[
                    (&format!("{mark} "), Role::Focus),
                    (
                        &format!("{:<17}", entry.command.name()),
                        if here { Role::Selection } else { Role::Text },
                    ),
                    (&format!("{:<10}", entry.keys), Role::Key),
                    (entry.help, Role::Muted),
                ]);
            }
            list(&page.finish(), palette.at, rest, buf, look);
            palette.prompt.caret(first)
        }
        Kind::Comms(shown) => {
            let lines = comms_page(shown, notice.as_deref(), look);
            let inner =
                boxed("Tell people", "esc back", Role::Focus, wide, &lines, frame, buf, look);
            scrolled(&mut shown.scroll, lines, inner, buf, look);
            shown.seen[shown.at] |= shown.scroll.is_at_end();
            None
        }
        Kind::Problem { problem, scroll } => {
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
            scrolled(scroll, lines, inner, buf, look);
            None
        }
    }
}

fn columns_page(app: &App, at: usize, look: &Look) -> Vec<Line> {
    let mut page = Page::new(look);
    let columns = app.violations.top().map(Table::columns).unwrap_or_default();
    for (number, column) in columns.iter().enumerate() {
        let here = number == at;
        page.line(&[
            (if here { look.glyphs.here } else { " " }, Role::Focus),
            (if column.shown { look.glyphs.ok } else { " " }, Role::Ok),
            (" ", Role::Text),
            (&column.name, if here { Role::Selection } else { Role::Text }),
            (if column.fixed { "   key, always shown" } else { "" }, Role::Muted),
        ]);
    }
    page.finish()
}

/// The text, and beside it or instead of it the text as it will be read.
fn writing_box(
    writing: &mut Writing,
    notice: Option<String>,
    frame: Rect,
    buf: &mut Buffer,
    look: &Look,
) -> Option<Position> {
    let place = centered(frame, frame.width.saturating_sub(4), frame.height);
    let hint = format!("esc {}", writing.back_word());
    let panel = Panel { title: &writing.title, hint: &hint, role: Role::Focus };
    let mut inner = panel.view(place, buf, look);
    if inner.height > 2
        && let Some(line) = below(writing, notice)
    {
        inner.height -= 1;
        let row = Rect { y: inner.bottom(), height: 1, ..inner };
        if let Some(find) = &writing.find {
            find.view(row, buf, look);
        } else {
            Pen::new(buf, row, 0).put(&line, look.style(Role::Warning));
        }
    }
    let is_wide = frame.width >= WIDE;
    let (text, read) = match (is_wide, writing.reading) {
        (true, Reading::Beside) => {
            let half = inner.width / 2;
            let left = Rect { width: half.saturating_sub(1), ..inner };
            (
                Some(left),
                Some(Rect { x: inner.x + half + 1, width: inner.width - half - 1, ..inner }),
            )
        }
        (true, Reading::Turned) | (false, Reading::Beside) => (Some(inner), None),
        (false, Reading::Turned) => (None, Some(inner)),
    };
    if let Some(read) = read {
        let (line, of) = writing.editor.place();
        markdown::view(&writing.editor.text(), line, of, read, buf, look);
        if is_wide {
            for row in 0..inner.height {
                let edge = Rect { x: read.x - 2, width: 1, ..inner };
                Pen::new(buf, edge, row).put(look.glyphs.vertical, look.style(Role::Border));
            }
        }
    }
    // Drawn or not, it takes keys from now on.
    let text = text.unwrap_or(Rect { height: 0, ..inner });
    writing.editor.view(text, buf, look);
    match &writing.find {
        Some(find) => find.caret(Rect { y: inner.bottom(), height: 1, ..inner }),
        None => writing.editor.caret(text),
    }
}

/// What stands in the last row of the box, if anything.
fn below(writing: &Writing, notice: Option<String>) -> Option<String> {
    writing.nowhere.clone().or(writing.find.as_ref().map(|_| String::new())).or(notice)
}

fn comms_page(shown: &comms::Comms, notice: Option<&str>, look: &Look) -> Vec<Line> {
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
    if shown.is_edited() {
        page.blank().line(&[(
            "Edited by you: the numbers in it are those of that moment. An empty text brings the template back.",
            Role::Changed,
        )]);
    }
    page.blank();
    if shown.given[shown.at] {
        page.signed(look.ok(), "Recorded as given.", Role::Ok);
    } else {
        page.muted("Send it where your people read, then record here that it was given.");
    }
    if let Some(notice) = notice {
        page.blank().text(notice);
    }
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
    let question = page.finish();
    let mut page = Page::new(look);
    if let Some(expected) = &ask.expected {
        page.blank().line(&[("Type   ", Role::Muted), (expected, Role::Title)]);
    }
    let mut answer = page.finish();
    let field = answer.len();
    answer.push(Line::new());
    if let Some(refused) = &ask.refused {
        let mut page = Page::new(look);
        page.line(&[(refused, Role::Warning)]);
        answer.extend(page.finish());
    }
    let role = match (&ask.expected, danger) {
        (Some(_), true) => Role::Production,
        (Some(_), false) => Role::Danger,
        (None, _) => Role::Focus,
    };
    let hint = if ask.expected.is_some() { "esc leaves it alone" } else { "esc back" };
    let width = frame.width.saturating_sub(4).min(76);
    let all = [question.as_slice(), &answer].concat();
    let inner = boxed(&title, hint, role, width, &all, frame, buf, look);
    // The line that is typed on stands there however long the question is.
    let row = rows_of(&answer[..field], inner.width);
    let left_out = (row + 1).saturating_sub(inner.height);
    let wanted = rows_of(&answer, inner.width) - left_out;
    let asked = Rect { height: inner.height.saturating_sub(wanted), ..inner };
    scrolled(&mut ask.scroll, question, asked, buf, look);
    let below = Rect { y: asked.bottom(), height: inner.height - asked.height, ..inner };
    let rows: Vec<Line> = answer.iter().flat_map(|line| wrap::wrap(line, inner.width)).collect();
    wrapped(&rows[usize::from(left_out).min(rows.len())..], 0, below, buf);
    let place = Rect { y: below.y + (row - left_out), height: 1.min(below.height), ..below };
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
    // What the panel and the air inside of it take.
    let inside = width.saturating_sub(6).max(1);
    let height = rows_of(lines, inside).saturating_add(2);
    let place = centered(frame, width, height.min(frame.height));
    let inner = Panel { title, hint, role }.view(place, buf, look);
    Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner }
}

/// Lines in a box, which may be longer than it is; the signs stand in the air at its edge.
fn scrolled(scroll: &mut Scroll, lines: Vec<Line>, inner: Rect, buf: &mut Buffer, look: &Look) {
    scroll.set(lines);
    scroll.view(Rect { width: inner.width.saturating_add(1), ..inner }, buf, look);
}

/// The help, from the key map itself.
fn help_page(app: &App) -> Vec<Line> {
    let mut page = Page::new(&app.look);
    let mut section = None;
    let context = app.screen_context();
    for entry in app.keymap.entries(context) {
        if entry.keys.is_empty() || !reach::is_in(app, entry.command) {
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
            (keymap::help(context, entry.command), Role::Text),
        ]);
    }
    page.finish()
}
