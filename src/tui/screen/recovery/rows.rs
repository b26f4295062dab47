//! The rows of a change, before and after. Folded, a row is one line of what changed; unfolded, every
//! column has its own, and those that stay the same are there to be compared.

use std::sync::Arc;

use crate::recovery::words::{key_words, show, show_pair};
use crate::recovery::{Preview, RowImage, TableHead, TableImages};
use crate::tui::look::{self, Look};
use crate::tui::page::Page;
use crate::tui::theme::Role;
use crate::tui::widget::wrap::Line;
use crate::value::{Value, counted, thousands, visible};

/// Rows of each table that the page itself shows; `d` shows all.
const SHOWN: usize = 6;
/// Values of a row that came or went, on its one line.
const NAMED: usize = 4;
/// Columns of one such value.
const WIDE: usize = 24;

/// How rows are told.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    look: &'a Look,
    unfolded: bool,
}

impl<'a> How<'a> {
    pub fn new(look: &'a Look, unfolded: bool) -> Self {
        Self { look, unfolded }
    }
}

/// The head of the page's last part, and the first rows of each table.
pub(super) fn lines(how: How<'_>, preview: &Preview, page: &mut Page<'_>) {
    let all = thousands(preview.images.iter().map(|images| images.rows.len()).sum());
    page.blank();
    let arrow = how.look.glyphs.arrow;
    let all_seen = preview.images.iter().all(|images| images.rows.all_seen());
    let shown = if all_seen { "every one" } else { "the first of each table" };
    page.line(&[
        (&format!("Rows, before {arrow} after   "), Role::Title),
        (&format!("{all} in all; d shows {shown}"), Role::Muted),
    ]);
    for images in &preview.images {
        head(how, images, same(images), page);
        let shown = images.rows.seen().take(SHOWN);
        for row in shown.clone() {
            row_lines(how, &images.head, row, false, page);
        }
        let more = images.rows.len() - shown.count() as u64;
        if more > 0 {
            page.muted(&format!("    and {} more", thousands(more)));
        }
    }
}

/// Every row, as far as anybody reads: told one by one, because a change has very many lines.
#[derive(Debug)]
pub struct All {
    preview: Arc<Preview>,
    tables: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    /// Rows that can be told.
    seen: usize,
    /// Columns that no row changes.
    same: usize,
}

impl All {
    pub fn of(preview: Arc<Preview>) -> Self {
        let told =
            |images: &TableImages| Told { seen: images.rows.seen().count(), same: same(images) };
        Self { tables: preview.images.iter().map(told).collect(), preview }
    }

    /// Heads and rows.
    pub fn parts(&self) -> usize {
        self.tables.iter().map(|told| 1 + told.seen).sum()
    }

    pub fn part(&self, at: usize, how: How<'_>) -> Vec<Line> {
        let mut page = Page::new(how.look);
        let mut at = at;
        for (images, told) in self.preview.images.iter().zip(&self.tables) {
            if at > told.seen {
                at -= 1 + told.seen;
                continue;
            }
            if at == 0 {
                told.head(images, how, &mut page);
            } else if let Some(row) = images.rows.seen().nth(at - 1) {
                row_lines(how, &images.head, row, true, &mut page);
            }
            if at == told.seen {
                page.blank();
            }
            break;
        }
        page.finish()
    }

    pub fn lines(&self, how: How<'_>) -> Vec<Line> {
        (0..self.parts()).flat_map(|at| self.part(at, how)).collect()
    }
}

impl Told {
    fn head(&self, images: &TableImages, how: How<'_>, page: &mut Page<'_>) {
        head(how, images, self.same, page);
        // Above the rows, because few will go to the end of so many.
        let more = images.rows.len() - self.seen as u64;
        if more > 0 {
            let (shown, more) = (thousands(self.seen as u64), thousands(more));
            page.text(&format!("  the first {shown} rows, and {more} more that are not shown:"));
            page.text("  the undo, which is written before COMMIT, holds every one");
        }
    }
}

/// Columns that no row changes, if some rows change others.
fn same(images: &TableImages) -> usize {
    match images.rows.changed() {
        0 => 0,
        changed => images.head.columns.len().saturating_sub(changed),
    }
}

/// The table, and how many of its columns are folded away.
fn head(how: How<'_>, images: &TableImages, same: usize, page: &mut Page<'_>) {
    let rows = counted(images.rows.len(), "row");
    let folded = match same {
        1.. if !how.unfolded => format!("   {same} columns stay as they are"),
        _ => String::new(),
    };
    page.line(&[
        ("  ", Role::Text),
        (&images.head.table, Role::Title),
        (&format!("   {rows}{folded}"), Role::Muted),
    ]);
}

/// `all` shows every value of a row that came or went, and the whole of it.
fn row_lines(how: How<'_>, head: &TableHead, row: &RowImage, all: bool, page: &mut Page<'_>) {
    let name = key_words(&head.key, &row.key);
    let arrow = how.look.glyphs.arrow;
    match (&row.before, &row.after) {
        (Some(before), Some(after)) if how.unfolded => {
            page.line(&[("    ", Role::Text), (&name, Role::Title)]);
            let changed = row.changed();
            let wide = width(&head.columns);
            for (at, column) in head.columns.iter().enumerate() {
                let label = format!("      {column:<wide$}  ");
                if changed.contains(&at) {
                    let (before, after) = show_pair(&before[at], &after[at]);
                    page.line(&[
                        (&label, Role::Text),
                        (&before, Role::Removed),
                        (&format!(" {arrow} "), Role::Muted),
                        (&after, Role::Changed),
                    ]);
                } else {
                    page.line(&[(&label, Role::Muted), (&show(&before[at]), Role::Muted)]);
                }
            }
        }
        (Some(before), Some(after)) => {
            let changes: Vec<String> = row
                .changed()
                .into_iter()
                .map(|at| {
                    let (before, after) = show_pair(&before[at], &after[at]);
                    format!("{} {before} {arrow} {after}", head.columns[at])
                })
                .collect();
            page.line(&[
                (&format!("    {name}   "), Role::Muted),
                (&changes.join("; "), Role::Changed),
            ]);
        }
        (None, Some(after)) => whole(how, head, (&name, "+", Role::Changed), after, all, page),
        (Some(before), None) => whole(how, head, (&name, "-", Role::Removed), before, all, page),
        (None, None) => {}
    }
}

/// A row that came or went.
fn whole(
    how: How<'_>,
    head: &TableHead,
    (name, sign, role): (&str, &str, Role),
    values: &[Value],
    all: bool,
    page: &mut Page<'_>,
) {
    if how.unfolded {
        page.line(&[(&format!("  {sign} "), role), (name, role)]);
        let wide = width(&head.columns);
        for (column, value) in head.columns.iter().zip(values) {
            let label = format!("      {column:<wide$}  ");
            page.line(&[(&label, Role::Muted), (&show(value), Role::Text)]);
        }
        return;
    }
    let others = head.columns.iter().zip(values).filter(|(column, _)| !head.key.contains(column));
    let (named, more): (Vec<_>, Vec<_>) =
        others.enumerate().partition(|(at, _)| all || *at < NAMED);
    let mut words: Vec<String> = named
        .iter()
        .map(|(_, (column, value))| {
            let value = show(value);
            let value = if all { value } else { short(&value, how) };
            format!("{column} {value}")
        })
        .collect();
    if !more.is_empty() {
        words.push(format!("{} more", more.len()));
    }
    page.line(&[(&format!("  {sign} {name}   "), role), (&words.join(", "), Role::Text)]);
}

fn short(text: &str, how: How<'_>) -> String {
    let text = look::shown(text);
    if visible::width(&text) <= WIDE {
        return text.into_owned();
    }
    let (head, _) = visible::head(&text, WIDE);
    format!("{head}{}", how.look.glyphs.more)
}

fn width(columns: &[String]) -> usize {
    columns.iter().map(|name| visible::width(name)).max().unwrap_or(0).min(30)
}
