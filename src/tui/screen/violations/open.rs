//! One value, or one row, as much of it as somebody can read.

use crate::tui::app::App;
use crate::tui::look;
use crate::tui::overlay::Overlay;
use crate::tui::widget::table::Table;
use crate::value::pile::{CUT, Row};
use crate::value::{ValueRef, visible};

/// The bytes of an opened value that are shown.
const SHOWN: usize = 256 << 10;

pub fn cell(app: &mut App) {
    let Some(table) = app.violations.top() else { return };
    let Some((row, column)) = table.here() else { return };
    let name = look::shown(&table.pile().columns()[column]);
    let title = format!("{name} ({})", kind(&row, column));
    let lines = match table.pile().beginning(&row, column, SHOWN) {
        Ok(value) => {
            let mut lines = value_lines(value.as_ref());
            if let Some(whole) = row.whole(column).filter(|bytes| *bytes > SHOWN as u64) {
                let (shown, whole) = (visible::size(SHOWN), size(whole));
                lines.push(String::new());
                lines.push(format!("the first {shown} of {whole}; y writes all of it to a file"));
            }
            lines
        }
        Err(error) => vec![format!("the value cannot be read any more: {error}")],
    };
    app.cover(Overlay::plain(&title, lines));
}

pub fn row(app: &mut App) {
    if let Some(lines) = app.violations.top().and_then(|table| row_lines(table, CUT)) {
        app.cover(Overlay::plain("Row in full", lines));
    }
}

/// The row of the cursor, a column a line; of a value at most so many bytes.
pub fn row_lines(table: &Table, most: usize) -> Option<Vec<String>> {
    let (row, _) = table.here()?;
    let names = table.pile().columns();
    let width = names.iter().map(|name| visible::width(name)).max().unwrap_or(0).min(30);
    let mut lines = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let (value, whole) = beginning(&row, column, most);
        let mut values = value_lines(value).into_iter();
        let first = values.next().unwrap_or_default();
        lines.push(format!("{:<width$}  {first}", look::shown(name)));
        lines.extend(values.map(|line| format!("{:width$}  {line}", "")));
        if let Some(whole) = whole {
            lines.push(format!(
                "{:width$}  ... of {}; enter on the cell opens it",
                "",
                size(whole)
            ));
        }
    }
    Some(lines)
}

/// A value, and how many bytes it has if that is not all of it.
fn beginning(row: &Row, column: usize, most: usize) -> (ValueRef<'_>, Option<u64>) {
    let (value, whole) = (row.get(column), row.whole(column));
    match value {
        ValueRef::Text(text) if text.len() > most => {
            let head = &text[..text.floor_char_boundary(most)];
            (ValueRef::Text(head), whole.or(Some(text.len() as u64)))
        }
        ValueRef::Bytes(bytes) if bytes.len() > most => {
            (ValueRef::Bytes(&bytes[..most]), whole.or(Some(bytes.len() as u64)))
        }
        value => (value, whole),
    }
}

fn size(bytes: u64) -> String {
    visible::size(usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn kind(row: &Row, column: usize) -> String {
    let whole = |here: usize| row.whole(column).unwrap_or(here as u64);
    match row.get(column) {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(_) => "integer".into(),
        ValueRef::Real(_) => "number".into(),
        ValueRef::Text("") => "empty text".into(),
        ValueRef::Text(text) => format!("text, {} bytes", whole(text.len())),
        ValueRef::Bytes(bytes) => format!("binary, {} bytes", whole(bytes.len())),
    }
}

fn value_lines(value: ValueRef<'_>) -> Vec<String> {
    match value {
        ValueRef::Null => vec!["NULL".into()],
        ValueRef::Text("") => vec!["(empty)".into()],
        ValueRef::Text(text) => look::shown_lines(text),
        other => vec![other.plain().unwrap_or_default()],
    }
}
