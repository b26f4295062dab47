//! Pieces of styled text, broken into lines of a given width.
//!
//! Breaks behind spaces, inside a word only where the word alone is wider than the line. Columns
//! are counted on harmless text, so a line never turns out wider than it was measured.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::tui::look::{self, Pen};
use crate::value::visible;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub style: Style,
}

pub type Line = Vec<Piece>;

impl Piece {
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

/// One line of plain body text.
pub fn plain(text: impl Into<String>) -> Line {
    vec![Piece::new(text, Style::new())]
}

pub fn width(line: &Line) -> usize {
    line.iter().map(|piece| visible::width(&look::shown(&piece.text))).sum()
}

/// A first piece up to this wide that ends in a space is a label or a sign: the text has a column of
/// its own behind it.
const LABEL: usize = 24;

/// The line in as many lines as it needs; an empty line stays one. What follows the first is
/// indented as the first is, or stands below the text behind its label.
pub fn wrap(line: &Line, columns: u16) -> Vec<Line> {
    let columns = usize::from(columns).max(1);
    if width(line) <= columns {
        return vec![line.clone()];
    }
    let harmless: Vec<(String, Style)> =
        line.iter().map(|piece| (look::shown(&piece.text).into_owned(), piece.style)).collect();
    let clusters: Vec<(&str, Style)> = harmless
        .iter()
        .flat_map(|(text, style)| text.graphemes(true).map(|cluster| (cluster, *style)))
        .collect();
    let label = harmless.first().filter(|(text, _)| harmless.len() > 1 && text.ends_with(' '));
    let label = label.map(|(text, _)| visible::width(text)).filter(|wide| *wide <= LABEL);
    let indent =
        label.unwrap_or_else(|| clusters.iter().take_while(|(cluster, _)| *cluster == " ").count());
    // A deep indent on a narrow screen would leave no room for words.
    let indent =
        if indent + 4 > columns || (label.is_some() && indent * 3 > columns) { 0 } else { indent };

    let mut lines = Vec::new();
    let mut rest = &clusters[..];
    while !rest.is_empty() {
        let margin = if lines.is_empty() { 0 } else { indent };
        let end = break_at(rest, columns - margin);
        let mut out = vec![Piece::new(" ".repeat(margin), Style::new())];
        for (cluster, style) in &rest[..end] {
            match out.last_mut() {
                Some(last) if last.style == *style => last.text.push_str(cluster),
                _ => out.push(Piece::new(*cluster, *style)),
            }
        }
        out.retain(|piece| !piece.text.is_empty());
        lines.push(out);
        rest = &rest[end..];
        // The space at which a line was broken is not the beginning of the next one.
        rest = &rest[rest.iter().take_while(|(cluster, _)| *cluster == " ").count()..];
    }
    lines
}

/// How many clusters go on this line: at least one.
fn break_at(clusters: &[(&str, Style)], columns: usize) -> usize {
    let mut taken = 0;
    let mut behind_space = None;
    for (at, (cluster, _)) in clusters.iter().enumerate() {
        if taken + visible::width(cluster) > columns {
            // A space that does not fit any more ends the line as well.
            let here = (*cluster == " ").then_some(at);
            return here.or(behind_space).unwrap_or(at).max(1);
        }
        taken += visible::width(cluster);
        let blank = clusters[..at].iter().all(|(before, _)| *before == " ");
        if *cluster == " " && !blank {
            behind_space = Some(at + 1);
        }
    }
    clusters.len()
}

/// Draws a line on one row, cut at the edge; returns the column behind it.
pub fn put(line: &Line, area: Rect, row: u16, buf: &mut Buffer) -> u16 {
    let mut pen = Pen::new(buf, area, row);
    for piece in line {
        pen.put(&piece.text, piece.style);
    }
    pen.column()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrapped(text: &str, columns: u16) -> Vec<String> {
        wrap(&plain(text), columns)
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect())
            .collect()
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrapped("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("  a bb cc", 6), ["  a bb", "  cc"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("日本語", 3), ["日", "本", "語"]);
    }

    #[test]
    fn a_word_of_two_styles_is_one_word() {
        let bold = Style::new().bold();
        let line = vec![Piece::new("see row", Style::new()), Piece::new("s,", bold)];
        let lines = wrap(&line, 8);
        assert_eq!(lines[1], [Piece::new("row", Style::new()), Piece::new("s,", bold)]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in "[ a-d日\u{1b}\u{202e}]{0,60}", columns in 2u16..20) {
            for line in wrap(&plain(text.clone()), columns) {
                prop_assert!(width(&line) <= usize::from(columns));
            }
        }
    }
}
