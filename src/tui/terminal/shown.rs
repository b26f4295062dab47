//! What the terminal shows now, and whether the next frame is mostly this one moved up or down.
//!
//! A diff of cells cannot see that a table scrolled by one row and rewrites all of it; over a slow
//! link that is the difference between a hundred bytes and two thousand.

use std::hash::{DefaultHasher, Hash, Hasher};

use ratatui::buffer::{Cell, CellWidth as _};
use ratatui::layout::Size;

/// Fewer changed cells than this are not worth looking for a shift.
pub const MANY: usize = 120;

#[derive(Debug, Clone)]
pub struct Shown {
    width: usize,
    cells: Vec<Cell>,
}

/// Rows `top..=bottom` move by so many rows; up is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    pub top: usize,
    pub bottom: usize,
    pub by: isize,
}

impl Shown {
    pub fn blank(size: Size) -> Self {
        let width = usize::from(size.width);
        Self { width, cells: vec![Cell::EMPTY; width * usize::from(size.height)] }
    }

    pub fn get(&self, x: u16, y: u16) -> Option<&Cell> {
        let x = usize::from(x);
        (x < self.width).then(|| self.cells.get(usize::from(y) * self.width + x)).flatten()
    }

    pub fn set(&mut self, x: u16, y: u16, cell: &Cell) {
        let at = usize::from(y) * self.width + usize::from(x);
        if usize::from(x) < self.width && at < self.cells.len() {
            self.cells[at] = cell.clone();
            // The second half of a wide sign holds nothing of its own.
            if cell.cell_width() > 1 && usize::from(x) + 1 < self.width {
                self.cells[at + 1] = Cell::EMPTY;
            }
        }
    }

    /// The shift that saves most of what writing the changes would cost, if it saves at least half.
    pub fn shift_to(&self, next: &Self) -> Option<Shift> {
        if self.width == 0 || self.cells.len() != next.cells.len() {
            return None;
        }
        let (old, new) = (self.hashes(), next.hashes());
        let row = |y: usize| y * self.width..(y + 1) * self.width;
        let differ = |from: usize, to: usize| {
            cells(old[row(from)].iter().zip(&new[row(to)]).filter(|(a, b)| a != b).count())
        };
        let height = old.len() / self.width;
        let plain: Vec<i64> = (0..height).map(|y| differ(y, y)).collect();
        let blank = hash(&Cell::EMPTY);
        let revealed = |y: usize| cells(new[row(y)].iter().filter(|c| **c != blank).count());

        let distances = (1..=height / 2).flat_map(|by| [by.cast_signed(), -by.cast_signed()]);
        let (saved, shift) = distances
            .filter_map(|by| {
                // Rows that come from another row, and the stretch of them that saves most.
                let gains = (0..height).map(|y| {
                    let from = y.checked_add_signed(by).filter(|from| *from < height)?;
                    Some(plain[y] - differ(from, y))
                });
                let (first, last, gain) = best_stretch(gains)?;
                let (top, bottom, bare) = if by > 0 {
                    let bottom = last + by.unsigned_abs();
                    (first, bottom, last + 1..=bottom)
                } else {
                    let top = first - by.unsigned_abs();
                    (top, last, top..=first - 1)
                };
                let saved = gain + bare.map(|y| plain[y] - revealed(y)).sum::<i64>();
                Some((saved, Shift { top, bottom, by }))
            })
            .max_by_key(|(saved, _)| *saved)?;
        (saved * 2 > plain.iter().sum()).then_some(shift)
    }

    pub fn apply(&mut self, shift: Shift) {
        let before = self.cells.clone();
        for y in shift.top..=shift.bottom {
            let to = y * self.width..(y + 1) * self.width;
            match y.checked_add_signed(shift.by) {
                Some(from) if (shift.top..=shift.bottom).contains(&from) => self.cells[to]
                    .clone_from_slice(&before[from * self.width..(from + 1) * self.width]),
                _ => self.cells[to].fill(Cell::EMPTY),
            }
        }
    }

    /// The cells to write so that this becomes `next`.
    pub fn changes<'n>(&self, next: &'n Self) -> Vec<(u16, u16, &'n Cell)> {
        let mut changes = Vec::new();
        for (y, (old, new)) in
            (0..).zip(self.cells.chunks(self.width).zip(next.cells.chunks(self.width)))
        {
            let mut second_half = false;
            for (x, (old, new)) in (0..).zip(old.iter().zip(new)) {
                if !second_half && !same(old, new) {
                    changes.push((x, y, new));
                }
                second_half = !second_half && new.cell_width() > 1;
            }
        }
        changes
    }

    fn hashes(&self) -> Vec<u64> {
        self.cells.iter().map(hash).collect()
    }
}

/// The run of rows with the largest sum of gains; a row without one ends a run.
fn best_stretch(gains: impl Iterator<Item = Option<i64>>) -> Option<(usize, usize, i64)> {
    let mut best: Option<(usize, usize, i64)> = None;
    let mut run: Option<(usize, i64)> = None;
    for (y, gain) in gains.enumerate() {
        run = gain.map(|gain| match run {
            Some((start, sum)) if sum > 0 => (start, sum + gain),
            _ => (y, gain),
        });
        if let Some((start, sum)) = run
            && best.is_none_or(|(_, _, most)| sum > most)
        {
            best = Some((start, y, sum));
        }
    }
    best.filter(|(_, _, sum)| *sum > 0)
}

fn cells(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn same(a: &Cell, b: &Cell) -> bool {
    a.symbol() == b.symbol() && a.fg == b.fg && a.bg == b.bg && a.modifier == b.modifier
}

fn hash(cell: &Cell) -> u64 {
    let mut hasher = DefaultHasher::new();
    (cell.symbol(), cell.fg, cell.bg, cell.modifier).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rows: &[String]) -> Shown {
        let height = u16::try_from(rows.len()).expect("few rows");
        let mut shown = Shown::blank(Size::new(40, height));
        for (y, row) in (0..).zip(rows) {
            for (x, c) in (0..).zip(row.chars()) {
                let mut cell = Cell::EMPTY;
                shown.set(x, y, cell.set_char(c));
            }
        }
        shown
    }

    fn page(from: u8) -> Vec<String> {
        let line = |n: u8| format!("{n:02} {}", char::from(b'a' + n).to_string().repeat(30));
        let mut rows = vec!["header".to_owned()];
        rows.extend((from..from + 20).map(line));
        rows.push(format!("row {from} of 40"));
        rows
    }

    #[test]
    fn a_scrolled_page_is_found_and_what_is_left_is_small() {
        for (from, to) in [(5u8, 6u8), (5, 4), (0, 3), (6, 2)] {
            let (mut old, new) = (shown(&page(from)), shown(&page(to)));
            let changed = old.changes(&new).len();
            let shift = old.shift_to(&new).expect("a shift");
            assert_eq!((shift.top, shift.bottom), (1, 20));
            assert_eq!(shift.by, isize::from(to) - isize::from(from));
            old.apply(shift);
            assert!(old.changes(&new).len() * 2 < changed);
        }
    }

    #[test]
    fn another_page_is_no_shift() {
        let (old, new) = (shown(&page(0)), shown(&page(3).into_iter().rev().collect::<Vec<_>>()));
        assert_eq!(old.shift_to(&new), None);
        assert_eq!(old.shift_to(&old.clone()), None);
    }
}
