//! How many rows are read at one time, by what the rows before them took: two hundred columns, or cells of
//! a megabyte, take about as much memory as narrow rows do. Where large rows follow narrow ones, the first
//! of them come as many at a time as the narrow ones did.

use crate::value::Value;

/// Bytes of rows that are held at one time, about.
const ROOM: usize = 4 << 20;
/// Rows that are read before any is known.
const FIRST: usize = 64;
/// The next rows may be larger: what proved small is trusted step by step.
const STEP: usize = 16;

#[derive(Debug)]
pub struct Portion {
    rows: usize,
    most: usize,
}

impl Portion {
    pub fn of_at_most(most: usize) -> Self {
        Self { rows: FIRST.min(most), most }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The next of these keys, until there are none.
    pub fn next<'k, K>(&self, keys: &mut &'k [K]) -> Option<&'k [K]> {
        let (here, later) = keys.split_at(self.rows.min(keys.len()));
        *keys = later;
        (!here.is_empty()).then_some(here)
    }

    /// What was read for so many keys.
    pub fn took<'r>(&mut self, keys: usize, rows: impl IntoIterator<Item = &'r Vec<Value>>) {
        self.weighed(keys, rows.into_iter().flatten().map(Value::weight).sum());
    }

    /// The same, given how many bytes that was.
    pub fn weighed(&mut self, keys: usize, bytes: usize) {
        let each = bytes.div_ceil(keys.max(1)).max(1);
        self.rows = (ROOM / each).min(self.rows * STEP).clamp(1, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_rows_come_many_at_a_time_and_large_ones_one_by_one() {
        let mut portion = Portion::of_at_most(2_000);
        let narrow = vec![Value::Integer(1); 4];
        for rows in [64, 1_024, 2_000, 2_000] {
            assert_eq!(portion.rows(), rows);
            portion.took(rows, std::iter::repeat_n(&narrow, 2 * rows));
        }
        let wide = vec![Value::Text("steady".into()); 200];
        portion.took(1, [&wide, &wide]);
        assert!((100..400).contains(&portion.rows()), "{portion:?}");
        portion.took(1, [&vec![Value::Bytes(vec![0; 8 << 20])]]);
        assert_eq!(portion.rows(), 1);
        portion.took(1, []);
        assert_eq!(portion.rows(), 16, "rows that were deleted take nothing");
    }
}
