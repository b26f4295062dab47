//! Which rows of the table are shown and in which order.

use std::cmp::Ordering;

use crate::value::{Rows, ValueRef};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
}

impl Direction {
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// A text to look for, in any letter case.
#[derive(Debug)]
pub struct Needle {
    lower: String,
}

impl Needle {
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self { lower: text.to_lowercase() })
    }

    pub fn is_in(&self, value: ValueRef<'_>) -> bool {
        match value {
            ValueRef::Text(text) => self.is_in_text(text),
            other => self.is_in_text(other.plain().as_deref().unwrap_or("NULL")),
        }
    }

    pub fn is_in_text(&self, text: &str) -> bool {
        if self.lower.is_ascii() {
            // No allocation: this runs over every value of every row.
            let needle = self.lower.as_bytes();
            return text.as_bytes().windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle));
        }
        text.to_lowercase().contains(&self.lower)
    }

    /// Where it stands in a text that is drawn; bytes, not overlapping.
    pub fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let lower = text.to_lowercase();
        // Some letters change their length in lower case; then the places would be wrong.
        if lower.len() != text.len() {
            return Vec::new();
        }
        lower
            .match_indices(&self.lower)
            .map(|(at, found)| (at, at + found.len()))
            .filter(|(from, to)| text.is_char_boundary(*from) && text.is_char_boundary(*to))
            .collect()
    }
}

/// Row numbers, filtered and then sorted; rows that sort alike stay as they came.
pub fn arrange(
    rows: &Rows,
    filter: &str,
    sort: Option<(usize, Direction)>,
    numeric: &[bool],
) -> Vec<u32> {
    let (column, text) = split(rows, filter);
    let mut order: Vec<u32> = match Needle::new(text) {
        None => (0u32..).take(rows.len()).collect(),
        Some(needle) => (0u32..)
            .take(rows.len())
            .filter(|row| match column {
                Some(column) => needle.is_in(rows.get(*row as usize, column)),
                None => rows.row(*row as usize).any(|value| needle.is_in(value)),
            })
            .collect(),
    };
    if let Some((column, direction)) = sort {
        let as_number = numeric.get(column).copied().unwrap_or(false);
        let mut keyed: Vec<(Rank<'_>, u32)> = order
            .iter()
            .map(|row| (Rank::of(rows.get(*row as usize, column), as_number), *row))
            .collect();
        keyed.sort_by(|(a, _), (b, _)| a.compare(b, direction));
        order = keyed.into_iter().map(|(_, row)| row).collect();
    }
    order
}

/// `column:text` if such a column is there, else the text as it is.
fn split<'f>(rows: &Rows, filter: &'f str) -> (Option<usize>, &'f str) {
    let column = filter.split_once(':').and_then(|(name, text)| {
        let same = |column: &String| column.eq_ignore_ascii_case(name.trim());
        Some((rows.columns().iter().position(same)?, text.trim_start()))
    });
    column.map_or((None, filter), |(column, text)| (Some(column), text))
}

#[derive(Debug)]
enum Rank<'r> {
    /// The whole number breaks ties beyond what a float can tell apart.
    Number(f64, i128),
    Text(&'r str),
    Bytes(&'r [u8]),
    Null,
}

impl<'r> Rank<'r> {
    fn of(value: ValueRef<'r>, as_number: bool) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            #[expect(clippy::cast_precision_loss, reason = "the whole number breaks the tie")]
            ValueRef::Integer(n) => Self::Number(n as f64, n.into()),
            ValueRef::Real(n) => Self::Number(n, 0),
            ValueRef::Text(text) if as_number => {
                text.trim().parse().map_or(Self::Text(text), |number: f64| {
                    Self::Number(number, text.trim().parse().unwrap_or(0))
                })
            }
            ValueRef::Text(text) => Self::Text(text),
            ValueRef::Bytes(bytes) => Self::Bytes(bytes),
        }
    }

    fn class(&self) -> u8 {
        match self {
            Self::Number(..) => 0,
            Self::Text(_) => 1,
            Self::Bytes(_) => 2,
            Self::Null => 3,
        }
    }

    fn compare(&self, other: &Self, direction: Direction) -> Ordering {
        let order = match (self, other) {
            (Self::Number(a, exact_a), Self::Number(b, exact_b)) => {
                a.total_cmp(b).then(exact_a.cmp(exact_b))
            }
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            // NULL is last whichever way: it is missing, not small.
            _ => return self.class().cmp(&other.class()),
        };
        match direction {
            Direction::Up => order,
            Direction::Down => order.reverse(),
        }
    }
}

/// Whether a column holds numbers only, as far as its first rows tell; many servers send numbers as
/// text. A leading zero makes it a code, which has no size.
pub fn looks_numeric(rows: &Rows, column: usize) -> bool {
    const LOOKED_AT: usize = 500;
    let mut seen = false;
    for row in 0..rows.len().min(LOOKED_AT) {
        match rows.get(row, column) {
            ValueRef::Null => {}
            ValueRef::Integer(_) | ValueRef::Real(_) => seen = true,
            ValueRef::Text(text) if is_number(text) => seen = true,
            ValueRef::Text(_) | ValueRef::Bytes(_) => return false,
        }
    }
    seen
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let code = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    !code && digits.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok()
}
