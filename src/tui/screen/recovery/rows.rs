//! The rows of a change, before and after. Folded, a row is one line of what changed; unfolded, every
//! column has its own, and those that stay the same are there to be compared.

use crate::recovery::fingerprint::{key_words, show, show_pair};
use crate::recovery::{Preview, RowImage, TableHead, TableImages};
use crate::tui::app::App;
use crate::tui::page::Page;
use crate::tui::theme::Role;
use crate::tui::widget::wrap::Line;
use crate::value::{Value, thousands, visible};

/// Rows of each table that the page itself shows; `d` shows all.
const SHOWN: usize = 6;
/// Values of a row that came or went, on its one line.
const NAMED: usize = 4;
/// Columns of one such value.
const WIDE: usize = 24;

/// The head of the page's last part, and the first rows of each table.
pub(super) fn lines(app: &App, preview: &Preview, page: &mut Page<'_>) {
    let all = thousands(preview.images.iter().map(|images| images.rows.len()).sum());
    page.blank();
    let arrow = app.look.glyphs.arrow;
    page.line(&[
        (&format!("Rows, before {arrow} after   "), Role::Title),
        (&format!("{all} in all; d shows every one"), Role::Muted),
    ]);
    for images in &preview.images {
        head(app, images, page);
        let shown = images.rows.seen().take(SHOWN);
        for row in shown.clone() {
            row_lines(app, &images.head, row, false, page);
        }
        let more = images.rows.len() - shown.count() as u64;
        if more > 0 {
            page.muted(&format!("    and {} more", thousands(more)));
        }
    }
}

/// Every row, as far as anybody reads.
pub(super) fn all(app: &App, preview: &Preview) -> Vec<Line> {
    let mut page = Page::new(&app.look);
    for images in &preview.images {
        head(app, images, &mut page);
        // Above the rows, because few will go to the end of so many.
        let shown = images.rows.seen().count() as u64;
        let more = images.rows.len() - shown;
        if more > 0 {
            let (shown, more) = (thousands(shown), thousands(more));
            page.text(&format!("  the first {shown} rows, and {more} more that are not shown:"));
            page.text("  the undo, which is written before COMMIT, holds every one");
        }
        for row in images.rows.seen() {
            row_lines(app, &images.head, row, true, &mut page);
        }
        page.blank();
    }
    page.finish()
}

/// The table, and how many of its columns are folded away.
fn head(app: &App, images: &TableImages, page: &mut Page<'_>) {
    let rows = thousands(images.rows.len());
    let mut changed: Vec<usize> = images.rows.seen().flat_map(RowImage::changed).collect();
    changed.sort_unstable();
    changed.dedup();
    let same = images.head.columns.len().saturating_sub(changed.len());
    let folded = match (changed.is_empty(), app.unfolded) {
        (false, false) if same > 0 => format!("   {same} columns stay as they are"),
        _ => String::new(),
    };
    page.line(&[
        ("  ", Role::Text),
        (&images.head.table, Role::Title),
        (&format!("   {rows} rows{folded}"), Role::Muted),
    ]);
}

/// `all` shows every value of a row that came or went, and the whole of it.
fn row_lines(app: &App, head: &TableHead, row: &RowImage, all: bool, page: &mut Page<'_>) {
    let name = key_words(&head.key, &row.key);
    let arrow = app.look.glyphs.arrow;
    match (&row.before, &row.after) {
        (Some(before), Some(after)) if app.unfolded => {
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
        (None, Some(after)) => whole(app, head, (&name, "+", Role::Changed), after, all, page),
        (Some(before), None) => whole(app, head, (&name, "-", Role::Removed), before, all, page),
        (None, None) => {}
    }
}

/// A row that came or went.
fn whole(
    app: &App,
    head: &TableHead,
    (name, sign, role): (&str, &str, Role),
    values: &[Value],
    all: bool,
    page: &mut Page<'_>,
) {
    if app.unfolded {
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
            let value = if all { value } else { short(&value, app) };
            format!("{column} {value}")
        })
        .collect();
    if !more.is_empty() {
        words.push(format!("{} more", more.len()));
    }
    page.line(&[(&format!("  {sign} {name}   "), role), (&words.join(", "), Role::Text)]);
}

fn short(text: &str, app: &App) -> String {
    let text = visible::text(text);
    if visible::width(&text) <= WIDE {
        return text.into_owned();
    }
    let (head, _) = visible::head(&text, WIDE);
    format!("{head}{}", app.look.glyphs.more)
}

fn width(columns: &[String]) -> usize {
    columns.iter().map(|name| visible::width(name)).max().unwrap_or(0).min(30)
}
