//! A box on top of everything: the screen below is wiped first, so nothing shines through.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};

use crate::tui::look::{Look, Pen, columns};
use crate::tui::theme::Role;

#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    pub title: &'a str,
    /// How to leave, at the bottom right.
    pub hint: &'a str,
    pub role: Role,
}

/// The middle of the frame, as large as asked and never larger than the frame. Slightly above the
/// centre, where it covers less of what led to it.
pub fn centered(frame: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(frame.width), height.min(frame.height));
    Rect {
        x: frame.x + (frame.width - width) / 2,
        y: frame.y + (frame.height - height) / 3,
        width,
        height,
    }
}

impl Panel<'_> {
    /// Draws the box and returns the room inside it.
    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) -> Rect {
        let area = area.intersection(buf.area);
        Clear.render(area, buf);
        if area.width < 2 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        let set = look.glyphs.border;
        let style = look.style(self.role);
        let inside = usize::from(area.width - 2);
        let top = format!("{}{}{}", set.top_left, set.horizontal_top.repeat(inside), set.top_right);
        let bottom = format!(
            "{}{}{}",
            set.bottom_left,
            set.horizontal_bottom.repeat(inside),
            set.bottom_right
        );
        Pen::new(buf, area, 0).put(&top, style);
        Pen::new(buf, area, area.height - 1).put(&bottom, style);
        for row in 1..area.height - 1 {
            Pen::new(buf, area, row).put(set.vertical_left, style);
            Pen::new(buf, area, row).skip(area.width - 1).put(set.vertical_right, style);
        }
        let room = area.width.saturating_sub(6);
        if !self.title.is_empty() && room > 0 {
            // What is not said about the title is not left over from the border.
            let words = columns(self.title).min(room);
            Clear.render(Rect { x: area.x + 2, width: words, height: 1, ..area }, buf);
            let mut pen = Pen::new(buf, area, 0);
            pen.skip(1).put(" ", style);
            pen.put_within(self.title, room, look.glyphs.more, look.style(Role::Title))
                .put(" ", style);
        }
        let hint = columns(self.hint);
        if !self.hint.is_empty() && hint + 5 <= area.width {
            let below = area.y + area.height - 1;
            let place =
                Rect { x: area.x + area.width - hint - 3, y: below, width: hint, height: 1 };
            Clear.render(place, buf);
            let mut pen = Pen::new(buf, area, area.height - 1);
            pen.skip(area.width - hint - 4).put(" ", style);
            pen.put(self.hint, look.style(Role::Muted)).put(" ", style);
        }
        // One column of air at both sides.
        Rect {
            x: area.x + 2,
            y: area.y + 1,
            width: area.width.saturating_sub(4),
            height: area.height - 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{ascii, look, rows, survives_every_size};

    #[test]
    fn nothing_shines_through() {
        let mut buf = Buffer::filled(Rect::new(0, 0, 24, 4), ratatui::buffer::Cell::new("x"));
        let panel = Panel { title: "Execute", hint: "esc leaves it", role: Role::Danger };
        let inner = panel.view(buf.area, &mut buf, &look());
        assert_eq!(inner, Rect::new(2, 1, 20, 2));
        assert_eq!(
            rows(&buf),
            [
                "┌ Execute ─────────────┐",
                "│                      │",
                "│                      │",
                "└────── esc leaves it ─┘",
            ]
        );
    }

    #[test]
    fn every_size_can_be_drawn() {
        let panel = Panel { title: "Title", hint: "esc", role: Role::Border };
        for look in [look(), ascii()] {
            survives_every_size(|area, buf| _ = panel.view(area, buf, &look));
        }
        assert_eq!(centered(Rect::new(0, 0, 3, 2), 60, 20), Rect::new(0, 0, 3, 2));
    }
}
