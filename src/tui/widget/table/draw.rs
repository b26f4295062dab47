//! The picture of the table: header, rows in the window, and where in the whole one is.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::job::{Only, View};
use super::{Direction, Table};
use crate::tui::look::{self, Look, Pen, columns};
use crate::tui::theme::Role;
use crate::value::needle::Needle;
use crate::value::pile::Row;
use crate::value::thousands;
use crate::value::visible::{CellKind, Kind, Shown};

/// Cursor and badge at the left edge.
const MARGIN: u16 = 2;
const GAP: u16 = 2;
/// No column takes more, unless it is the last and there is room.
const WIDEST: u16 = 40;

/// A column as it is drawn: which one, where it begins, how wide it is.
struct Slot {
    column: usize,
    x: u16,
    width: u16,
}

impl Table {
    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        if area.is_empty() {
            return;
        }
        let (header, footer) = chrome(area.height);
        let height = area.height - header - footer;
        self.scroll_to_cursor(height.into());
        let (slots, divider) = self.lay_out(area.width, height.into());
        if header > 0 {
            self.header(area, buf, look, &slots, divider);
        }
        let needle = Needle::new(&self.search);
        for line in 0..height {
            let at = self.window.top.get() + u64::from(line);
            let Some(number) = self.order.get(at) else { break };
            let here = at == self.row;
            let y = header + line;
            let Some(row) = &self.pile.row(number) else {
                let style = look.style(Role::Warning);
                Pen::new(buf, area, y).skip(MARGIN).put("this row cannot be read", style);
                continue;
            };
            self.margin(row, here, &mut Pen::new(buf, area, y), look);
            for slot in &slots {
                self.value(row, slot, at_slot(area, slot), y, buf, look, here, needle.as_ref());
            }
            // Without a colour of its own: on a page of rows that is half a kilobyte.
            divide(area, y, divider, buf, look, Style::new());
        }
        if footer > 0 {
            self.footer(area, buf, look, &slots);
        }
    }

    /// Where the cursor of the terminal belongs, for those who follow it with ears or a magnifier.
    pub fn caret(&self, area: Rect) -> Option<Position> {
        let (header, footer) = chrome(area.height);
        let line = u16::try_from(self.row.checked_sub(self.window.top.get())?).ok()?;
        let there = line < area.height.checked_sub(header + footer)? && !self.order.is_empty();
        there.then(|| Position::new(area.x, area.y + header + line))
    }

    /// "row 3, 1-12 of 12, exact": which rows are in sight, of how many, and whether that is all.
    pub fn position(&self) -> String {
        let shown = self.order.len();
        let of = if self.view.only == Only::Gone { None } else { self.now.total };
        let total = match of {
            Some(total) if total.is_exact() => format!("{}, exact", thousands(total.number())),
            Some(total) => format!(">= {}", thousands(total.number())),
            None if self.is_reading() => {
                format!("{} so far, still reading", thousands(self.pile.len()))
            }
            None => thousands(self.pile.len()),
        };
        let kept = self.pile.len();
        // Where the disk had no room for the others.
        let is_part = !self.is_reading() && of.is_some_and(|total| total.number() > kept);
        let total =
            if is_part { format!("the first {} of {total}", thousands(kept)) } else { total };
        // Rows that came since the last look are not filtered out.
        let is_filtered = shown < kept && self.view != View::default();
        let filtered =
            if is_filtered { format!("{} of ", thousands(shown)) } else { String::new() };
        if shown == 0 {
            return format!(
                "{}no rows of {total}",
                if kept > 0 { "filter lets through " } else { "" }
            );
        }
        let from = self.window.top.get() + 1;
        let to = (self.window.top.get() + self.window.height.get().max(1)).min(shown);
        // As wide as the largest row number, so that the rest of the line stands still.
        let digits = thousands(shown).len();
        let row = thousands(self.row + 1);
        let (from, to) = (thousands(from), thousands(to));
        format!("row {row:>digits$}, {from}-{to} of {filtered}{total}")
    }

    /// "columns 1-5 of 7", where some are beyond an edge. One that is cut counts as one of those.
    fn out_of_sight(&self, slots: &[Slot]) -> Option<String> {
        let widths = self.window.widths.borrow();
        let left = self.window.left.get();
        let whole = slots.iter().filter(|slot| slot.width >= widths[slot.column]).count();
        let of = self.columns.len();
        if whole == of {
            return None;
        }
        let from = if left > self.frozen { left + 1 } else { 1 };
        let to = whole + left - self.frozen;
        Some(if to > from {
            format!("columns {from}-{to} of {of}")
        } else {
            format!("column {} of {of}", self.column + 1)
        })
    }

    fn scroll_to_cursor(&self, height: u64) {
        let height = height.max(1);
        let last_top = self.order.len().saturating_sub(height);
        let top = self.window.top.get().clamp((self.row + 1).saturating_sub(height), self.row);
        self.window.top.set(top.min(last_top));
        self.window.height.set(height);
    }

    /// Columns that fit: the key, then from the first scrolled one on; and where the line between
    /// the two stands.
    fn lay_out(&self, width: u16, height: u64) -> (Vec<Slot>, Option<u16>) {
        self.measure(height);
        let widths = self.window.widths.borrow();
        let wide = |at: usize| widths[self.columns[at]];
        let key_end = MARGIN + (0..self.frozen).map(|at| wide(at) + GAP).sum::<u16>();
        let start = if self.frozen > 0 { key_end + 1 } else { MARGIN };
        let room = width.saturating_sub(start);
        let left = self.scroll_sideways(room, wide);

        let mut slots = Vec::new();
        let mut x = MARGIN;
        for at in (0..self.frozen).chain(left..self.columns.len()) {
            if at == left && self.frozen > 0 {
                x = start;
            }
            if x >= width {
                break;
            }
            // A text may have what room is left; a number stays beside its neighbour.
            let last = at + 1 == self.columns.len() && !self.numeric[self.columns[at]];
            let natural = if last { wide(at).max(width - x) } else { wide(at) };
            let slot = Slot { column: self.columns[at], x, width: natural.min(width - x) };
            x += slot.width + GAP;
            slots.push(slot);
        }
        let divider = (self.frozen > 0 && self.frozen < self.columns.len() && key_end < width)
            .then(|| key_end - 1);
        (slots, divider)
    }

    /// The first scrolled column, moved just so far that the column of the cursor is in sight.
    fn scroll_sideways(&self, room: u16, wide: impl Fn(usize) -> u16) -> usize {
        // On the key the cursor is at the far left, and so is the window.
        let mut left = self.frozen;
        if self.column >= self.frozen && self.column < self.columns.len() {
            left = self.window.left.get().clamp(self.frozen, self.column);
            let taken = |from: usize| (from..=self.column).map(|at| wide(at) + GAP).sum::<u16>();
            while left < self.column && taken(left).saturating_sub(GAP) > room {
                left += 1;
            }
        }
        self.window.left.set(left);
        left
    }

    /// Widths for what is in the window now; they grow and never shrink while the order stays.
    fn measure(&self, height: u64) {
        let mut widths = self.window.widths.borrow_mut();
        let names = self.pile.columns();
        if widths.len() != names.len() {
            *widths = names.iter().map(|name| columns(name).min(WIDEST)).collect();
            for (column, width) in &self.chosen_widths {
                widths[*column] = *width;
            }
        }
        let top = self.window.top.get();
        let rows = (top..top + height).map_while(|at| self.pile.row(self.order.get(at)?));
        for row in rows {
            for column in &self.columns {
                let width = &mut widths[*column];
                if *width < WIDEST && !self.chosen_widths.contains_key(column) {
                    let value = look::shown_part(row.get(*column), row.whole(*column));
                    let wide = u16::try_from(value.width()).unwrap_or(u16::MAX);
                    *width = (*width).max(wide).min(WIDEST);
                }
            }
        }
    }

    fn header(
        &self,
        area: Rect,
        buf: &mut Buffer,
        look: &Look,
        slots: &[Slot],
        divider: Option<u16>,
    ) {
        let under_cursor = self.columns.get(self.column);
        for slot in slots {
            let role = if under_cursor == Some(&slot.column) { Role::Focus } else { Role::Title };
            let arrow = match self.view.sort {
                Some((column, Direction::Up)) if column == slot.column => look.glyphs.up,
                Some((column, Direction::Down)) if column == slot.column => look.glyphs.down,
                _ => "",
            };
            let name = look::shown(&self.pile.columns()[slot.column]);
            let mut pen = Pen::new(buf, at_slot(area, slot), 0);
            if self.numeric[slot.column] {
                pen.skip(slot.width.saturating_sub(columns(&name)));
            }
            pen.put_within(&name, slot.width, look.glyphs.more, look.style(role));
            // The arrow stands in the gap, so that sorting moves no column.
            let end = Rect { x: pen.column(), width: 1, ..area };
            Pen::new(buf, end.intersection(area), 0).put(arrow, look.style(Role::Focus));
        }
        divide(area, 0, divider, buf, look, look.style(Role::Border));
    }

    fn margin(&self, row: &Row, here: bool, pen: &mut Pen<'_>, look: &Look) {
        let glyphs = &look.glyphs;
        if here {
            pen.put(glyphs.here, look.style(Role::Selection));
        } else {
            pen.skip(1);
        }
        let identity = self.identity(row);
        let before = self.before.as_ref().and_then(|before| before.keys.as_ref());
        if self.marks.contains_key(&identity) {
            pen.put(glyphs.mark, look.style(Role::Mark));
        } else if self.view.only == Only::Gone {
            pen.put("-", look.style(Role::Changed));
        } else if self.now.keys.is_some() && before.is_some_and(|keys| !keys.contains(identity)) {
            pen.put(glyphs.new, look.style(Role::Changed));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one cell has this many properties")]
    fn value(
        &self,
        row: &Row,
        slot: &Slot,
        place: Rect,
        y: u16,
        buf: &mut Buffer,
        look: &Look,
        here: bool,
        needle: Option<&Needle>,
    ) {
        let shown = look::shown_part(row.get(slot.column), row.whole(slot.column));
        let wide = u16::try_from(shown.width()).unwrap_or(u16::MAX);
        // The sign stands behind what is left of the value: over a wide letter nobody would see it.
        let sign = if wide > slot.width { look.glyphs.more } else { "" };
        let room = place.width.min(slot.width.saturating_sub(columns(sign)));
        let mut pen = Pen::new(buf, Rect { width: room, ..place }, y);
        if self.numeric[slot.column] {
            pen.skip(slot.width.saturating_sub(wide));
        }
        // Only the key is styled on the row of the cursor: moving repaints two short cells.
        let key = self.columns[..self.frozen.max(1).min(self.columns.len())].contains(&slot.column);
        let plain = if here && key { look.style(Role::Selection) } else { Style::new() };
        write(&mut pen, &shown, plain, look, needle);
        if !sign.is_empty() {
            let x = pen.column().max(place.x);
            let end = Rect { x, width: place.right().saturating_sub(x), ..place };
            Pen::new(buf, end, y).put(sign, look.style(Role::Muted));
        }
    }

    fn footer(&self, area: Rect, buf: &mut Buffer, look: &Look, slots: &[Slot]) {
        let muted = look.style(Role::Muted);
        let mut pen = Pen::new(buf, area, area.height - 1);
        pen.skip(MARGIN);
        let room = pen.left().saturating_sub(columns(&self.position()) + 2);
        let mut said = Vec::new();
        if let Some((doing, percent)) = self.work {
            said.push(format!("{doing} {percent} %, x stops"));
        } else if self.is_reading() {
            said.push("x stops".to_owned());
        }
        said.extend(self.out_of_sight(slots));
        if !self.marks.is_empty() {
            said.push(format!("{} marked", thousands(self.marks.len() as u64)));
        }
        if self.view.only != Only::All {
            said.push(self.view.only.words().to_owned());
        }
        if !self.view.filter.is_empty() {
            said.push(format!("filter: {}", look::shown(&self.view.filter)));
        }
        if !self.search.is_empty() {
            said.push(format!("search: {}", look::shown(&self.search)));
        }
        pen.put_within(&said.join("  "), room, look.glyphs.more, muted);
        // In the style of the rows: a number that changes with every key should not cost a colour.
        let plain = Style::new();
        if !pen.put_right(&self.position(), plain) {
            let room = pen.left();
            pen.put_within(&self.position(), room, look.glyphs.more, plain);
        }
    }
}

fn write(pen: &mut Pen<'_>, shown: &Shown<'_>, plain: Style, look: &Look, needle: Option<&Needle>) {
    for segment in &shown.segments {
        let style = match (segment.kind, shown.kind) {
            (Kind::Escaped, _) => look.style(Role::Escaped),
            (Kind::Note, _) | (_, CellKind::Null | CellKind::Empty) => look.style(Role::Null),
            _ => plain,
        };
        let mut from = 0;
        for (start, end) in needle.map(|n| n.places(&segment.text)).unwrap_or_default() {
            pen.put(&segment.text[from..start], style);
            pen.put(&segment.text[start..end], look.style(Role::Match));
            from = end;
        }
        pen.put(&segment.text[from..], style);
    }
}

fn divide(area: Rect, y: u16, divider: Option<u16>, buf: &mut Buffer, look: &Look, style: Style) {
    if let Some(x) = divider {
        let mut pen = Pen::new(buf, area, y);
        pen.skip(x).put(look.glyphs.vertical, style);
    }
}

fn at_slot(area: Rect, slot: &Slot) -> Rect {
    let x = area.x.saturating_add(slot.x);
    Rect { x, width: slot.width.min(area.right().saturating_sub(x)), ..area }
}

/// Lines for header and footer: a row comes first.
fn chrome(height: u16) -> (u16, u16) {
    (u16::from(height > 1), u16::from(height > 2))
}
