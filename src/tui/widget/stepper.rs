//! The steps of a runbook: which are done, which one is open, which must not be left out.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::list::Cursor;
use crate::tui::look::{Look, Pen};
use crate::tui::theme::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Todo,
    /// In work now.
    Current,
    Done,
    /// Was run and came out wrong.
    Failed,
    /// The answer is not known.
    Unknown,
    Skipped,
    /// Waits for another step.
    Blocked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub title: String,
    pub state: State,
    /// Cannot be left out.
    pub required: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Stepper {
    pub steps: Vec<Step>,
    /// The step that the screen shows, which need not be the one in work.
    pub shown: usize,
}

impl Stepper {
    /// One line a step; the window follows the step shown.
    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let mut cursor = Cursor::new(self.steps.len());
        cursor.go(self.shown);
        let digits = self.steps.len().to_string().len();
        for (row, at) in (0..area.height).zip(cursor.window(area.height)) {
            let step = &self.steps[at];
            let mut pen = Pen::new(buf, area, row);
            let (sign, style) = sign(step.state, look);
            pen.put(&format!("{sign:>wide$} ", wide = sign_width(look)), style);
            let text = match step.state {
                _ if at == self.shown => look.style(Role::Focus),
                State::Done | State::Skipped | State::Blocked => look.style(Role::Muted),
                _ => Style::new(),
            };
            pen.put(&format!("{:>digits$} ", at + 1), text);
            let required = step.required && !matches!(step.state, State::Done | State::Skipped);
            let room = pen.left().saturating_sub(if required { 2 } else { 0 });
            pen.put_within(&step.title, room, look.glyphs.more, text);
            if required {
                pen.put(" ", text).put(look.glyphs.required, look.style(Role::Warning));
            }
        }
    }

    /// `2/9 Validate` with a sign for every step, for narrow screens.
    pub fn view_line(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let Some(step) = self.steps.get(self.shown) else { return };
        let mut pen = Pen::new(buf, area, 0);
        let place = format!("{}/{} ", self.shown + 1, self.steps.len());
        pen.put(&place, look.style(Role::Focus));
        let signs = u16::try_from(self.steps.len()).unwrap_or(u16::MAX);
        let both = pen.left() >= signs.saturating_add(20);
        let room = if both { pen.left() - signs - 2 } else { pen.left() };
        pen.put_within(&step.title, room, look.glyphs.more, look.style(Role::Focus));
        if both {
            pen.skip(pen.left() - signs);
            for step in &self.steps {
                // "ok" takes two columns; its first letter is enough in a row of signs.
                let (sign, style) = sign(step.state, look);
                let short = if step.state == State::Done && sign.len() == 2 { "+" } else { sign };
                pen.put(short, style);
            }
        }
    }
}

fn sign(state: State, look: &Look) -> (&'static str, Style) {
    let glyphs = &look.glyphs;
    match state {
        State::Todo => (glyphs.todo, look.style(Role::Muted)),
        State::Current => (glyphs.current, look.style(Role::Focus)),
        State::Done => look.ok(),
        State::Failed => look.bad(),
        State::Unknown => look.unknown(),
        State::Skipped => (glyphs.skipped, look.style(Role::Muted)),
        State::Blocked => (glyphs.blocked, look.style(Role::Warning)),
    }
}

fn sign_width(look: &Look) -> usize {
    if look.glyphs.utf8 { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{ascii, look, rows, survives_every_size};

    fn stepper(shown: usize) -> Stepper {
        let step = |title: &str, state, required| Step { title: title.into(), state, required };
        Stepper {
            steps: vec![
                step("Acknowledge", State::Done, true),
                step("Validate, read-only", State::Current, true),
                step("Contain", State::Blocked, false),
                step("Tell people", State::Skipped, false),
                step("Recover", State::Todo, true),
            ],
            shown,
        }
    }

    #[test]
    fn every_state_has_a_sign_and_what_is_required_a_mark() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 22, 5));
        stepper(1).view(buf.area, &mut buf, &look());
        assert_eq!(
            rows(&buf),
            [
                "✓ 1 Acknowledge",
                "▶ 2 Validate, read-… *",
                "! 3 Contain",
                "– 4 Tell people",
                "○ 5 Recover *"
            ]
        );
        buf.reset();
        stepper(1).view(buf.area, &mut buf, &ascii());
        assert_eq!(rows(&buf)[..2], ["ok 1 Acknowledge", " > 2 Validate, re... *"]);
    }

    #[test]
    fn a_narrow_screen_gets_one_line() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 40, 1));
        stepper(1).view_line(buf.area, &mut buf, &look());
        assert_eq!(rows(&buf), ["2/5 Validate, read-only            ✓▶!–○"]);
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 1));
        stepper(1).view_line(buf.area, &mut buf, &look());
        assert_eq!(rows(&buf), ["2/5 Validat…"]);
    }

    #[test]
    fn the_shown_step_is_always_in_sight() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 2));
        stepper(4).view(buf.area, &mut buf, &look());
        assert_eq!(rows(&buf), ["– 4 Tell people", "○ 5 Recover *"]);
    }

    #[test]
    fn every_size_can_be_drawn() {
        for stepper in [stepper(0), stepper(9), Stepper::default()] {
            for look in [look(), ascii()] {
                survives_every_size(|area, buf| stepper.view(area, buf, &look));
                survives_every_size(|area, buf| stepper.view_line(area, buf, &look));
            }
        }
    }
}
