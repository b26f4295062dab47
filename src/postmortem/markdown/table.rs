//! Tables that line up in plain text as long as they are narrow enough to be read so.

use crate::value::visible::width;

/// Wider columns are not padded: the last word of a long sentence needs no company of spaces.
const PADDED: usize = 40;

/// Cells are Markdown already.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell));
        cells.chain([width(head[column]), 3]).max().unwrap_or(3).min(PADDED)
    };
    let widths: Vec<usize> = (0..head.len()).map(widest).collect();
    let mut out = line(head.iter().copied(), &widths);
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    out.push_str(&line(rule.iter().map(String::as_str), &widths));
    for row in &rows {
        out.push_str(&line(row.iter().map(String::as_str), &widths));
    }
    out
}

fn line<'c>(cells: impl Iterator<Item = &'c str>, widths: &[usize]) -> String {
    let padded = cells.zip(widths).map(|(cell, columns)| {
        let gap = columns.saturating_sub(width(cell));
        format!("{cell}{}", " ".repeat(gap))
    });
    format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
}
