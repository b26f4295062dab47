//! The timeline screen: what is listed, the chart of the same span of time, the records.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{inset, list};
use crate::tui::app::App;
use crate::tui::case::Case;
use crate::tui::look::{Look, Pen};
use crate::tui::page::moment;
use crate::tui::screen::journal::{self, window};
use crate::tui::theme::Role;
use crate::tui::widget::chart::Chart;

/// Below this the records need every row.
const ROOM_FOR_A_CHART: u16 = 14;

pub fn journal(app: &App, area: Rect, buf: &mut Buffer, look: &Look) {
    let body = inset(area);
    let (tabs, counts) = journal::head(app);
    let hash = app.case.as_ref().and_then(|case| case.incident.records.last());
    let hash = hash.map_or(String::new(), |record| format!("head {}", &record.hash[..12]));
    let mut pen = Pen::new(buf, body, 0);
    pen.put("Journal   ", look.style(Role::Title))
        .put(&tabs, look.style(Role::Key))
        .put("   ", look.style(Role::Muted))
        .put(&counts, look.style(Role::Muted));
    pen.put_right(&hash, look.style(Role::Muted));
    let mut used = 1;
    if area.height >= ROOM_FOR_A_CHART {
        // Bars grow with the screen, the list grows more.
        let height = (area.height / 6 + 2).clamp(4, 10);
        let place = Rect { y: area.y + 1, height, ..body };
        if chart(app, place, buf, look) {
            used += height + 1;
        }
    }
    let (page, at) = journal::page(app);
    let rest = Rect { y: area.y + used, height: area.height - used.min(area.height), ..body };
    list(&page.finish(), at, rest, buf, look);
}

/// The counts of the incident's check over the time that is shown; false if there are none.
fn chart(app: &App, area: Rect, buf: &mut Buffer, look: &Look) -> bool {
    let (Some(case), Some((from, to))) = (&app.case, window(app)) else { return false };
    let points = points(case);
    if points.is_empty() {
        return false;
    }
    let mut marks: Vec<(Timestamp, &str)> =
        case.incident.milestones.iter().map(|(which, (at, _))| (*at, which.word())).collect();
    marks.sort();
    let listed = journal::selected(app);
    let chart = Chart {
        points: &points,
        from,
        to,
        marks: &marks,
        here: listed.map(|record| record.happened()),
        ends: (moment(from, "%H:%M:%S"), moment(to, "%H:%M:%S")),
    };
    chart.view(area, buf, look);
    true
}

/// What the check of the incident said, also after a change.
fn points(case: &Case) -> Vec<(Timestamp, Option<f64>)> {
    let Some(check) = case.main_check() else { return Vec::new() };
    case.incident.numbers_of(check)
}
