//! Which columns are shown and how wide they are.

use super::Table;

/// A column as the picker shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub name: String,
    pub shown: bool,
    /// It belongs to the key, which always stays.
    pub fixed: bool,
}

impl Table {
    /// Every column, in the order of the result.
    pub fn columns(&self) -> Vec<Shown> {
        let frozen = &self.columns[..self.frozen];
        let names = self.pile.columns().iter().enumerate();
        names
            .map(|(at, name)| Shown {
                name: name.clone(),
                shown: self.columns.contains(&at),
                fixed: frozen.contains(&at),
            })
            .collect()
    }

    /// The name before the colon of a filter, if no column is called so.
    pub fn takes_for_text<'f>(&self, filter: &'f str) -> Option<&'f str> {
        let name = filter.split_once(':')?.0.trim();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let is_there = || self.pile.columns().iter().any(|known| known.eq_ignore_ascii_case(name));
        (is_name && !is_there()).then_some(name)
    }

    /// Shows or hides a column; a key column stays.
    pub fn toggle_column(&mut self, column: usize) {
        let under_cursor = self.columns.get(self.column).copied();
        if let Some(at) = self.columns.iter().position(|shown| *shown == column) {
            if at >= self.frozen && self.columns.len() > 1 {
                self.columns.remove(at);
            }
        } else if column < self.pile.columns().len() {
            let rest = &self.columns[self.frozen..];
            let at = self.frozen + rest.iter().take_while(|shown| **shown < column).count();
            self.columns.insert(at, column);
        }
        let last = self.columns.len().saturating_sub(1);
        let kept = self.columns.iter().position(|shown| Some(*shown) == under_cursor);
        self.column = kept.unwrap_or(self.column.min(last));
    }

    /// Gives the column of the cursor more or less room than it took by itself.
    pub(super) fn widen(&mut self, by: i16) {
        const NARROW: u16 = 4;
        const WIDE: u16 = 200;
        let Some(column) = self.columns.get(self.column).copied() else { return };
        let Some(now) = self.window.widths.borrow().get(column).copied() else { return };
        let width = now.saturating_add_signed(by).clamp(NARROW, WIDE);
        self.chosen_widths.insert(column, width);
        self.window.widths.borrow_mut()[column] = width;
    }
}
