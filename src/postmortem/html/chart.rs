//! The count of violations over the time of the incident, as a drawing inside of the page: bars of
//! time, milestones as lines with their names, commits as diamonds.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::postmortem::draft::Draft;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const PLOT: f64 = 170.0;
/// One line of names above the plot.
const ROW: f64 = 18.0;
const ROWS: usize = 4;
/// What a letter takes, about.
const LETTER: f64 = 7.2;

/// The drawing, and the check that it is of; none if nothing was counted.
pub fn draw(draft: &Draft) -> Option<(String, String)> {
    let check = main_check(draft)?;
    let points: Vec<(Timestamp, Option<f64>)> = draft
        .counts
        .iter()
        .filter(|one| one.check == check)
        .map(|one| (one.at, one.number))
        .collect();
    let axis = Axis::of(draft)?;
    let most = points.iter().filter_map(|(_, number)| *number).fold(1.0, f64::max);
    let top = 8.0 + ROW * f64::from(u8::try_from(ROWS).unwrap_or(4));
    let bottom = top + PLOT;
    let height = bottom + 34.0;
    let y = |number: f64| bottom - number / most * PLOT;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"chart-title\" xmlns=\"http://www.w3.org/2000/svg\"><title id=\"chart-title\">{} over time, from {} to {}; at most {most}</title>",
        escape(&check),
        minute(axis.from),
        minute(axis.to),
    );
    for (number, class) in [(0.0, "axis"), (most / 2.0, "grid"), (most, "grid")] {
        let y = y(number);
        let label =
            if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") };
        let _ = write!(
            svg,
            "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"label\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0,
        );
    }
    for tick in axis.ticks() {
        let x = axis.x(tick);
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom:.1}\" y2=\"{:.1}\"/><text class=\"label\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 5.0,
            bottom + 20.0,
            axis.words(tick),
        );
    }
    area(&mut svg, &points, &axis, &y, bottom);
    marks(&mut svg, draft, &axis, top, bottom);
    for change in draft.changes.iter().filter(|change| change.outcome == "COMMITTED") {
        let Some(at) = change.ended else { continue };
        let x = axis.x(at);
        let _ = write!(
            svg,
            "<path class=\"commit\" d=\"M {x:.1} {:.1} l 6 6 l -6 6 l -6 -6 z\"><title>COMMITTED {}</title></path>",
            bottom - 6.0,
            escape(&change.op),
        );
    }
    svg.push_str("</svg>");
    Some((svg, check))
}

/// The first check that was violated, else the first that counted anything.
fn main_check(draft: &Draft) -> Option<String> {
    let checks = &draft.impact.checks;
    let violated = checks.iter().find(|measure| measure.first.is_violated());
    let counted =
        |check: &str| draft.counts.iter().any(|one| one.check == check && one.number.is_some());
    let measure = violated.or(checks.first()).filter(|measure| counted(&measure.check))?;
    Some(measure.check.clone())
}

/// A count holds until the next; where it could not be counted, nothing is drawn.
fn area(
    svg: &mut String,
    points: &[(Timestamp, Option<f64>)],
    axis: &Axis,
    y: &dyn Fn(f64) -> f64,
    bottom: f64,
) {
    for (number, (at, count)) in points.iter().enumerate() {
        let Some(count) = count else { continue };
        let from = axis.x(*at);
        let to = points.get(number + 1).map_or(axis.x(axis.to), |(next, _)| axis.x(*next));
        let (top, width) = (y(*count), (to - from).max(1.0));
        let _ = write!(
            svg,
            "<rect class=\"count\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\"><title>{count} from {}</title></rect><line class=\"edge\" x1=\"{from:.1}\" x2=\"{:.1}\" y1=\"{top:.1}\" y2=\"{top:.1}\"/>",
            bottom - top,
            second(*at),
            from + width,
        );
    }
}

/// Milestones: a line at the time, and the name in the first row above where it meets no other.
fn marks(svg: &mut String, draft: &Draft, axis: &Axis, top: f64, bottom: f64) {
    let mut reached: Vec<(Timestamp, &str)> =
        draft.milestones.iter().filter_map(|one| Some((one.at?, one.milestone))).collect();
    reached.sort();
    let mut ends = [f64::MIN; ROWS];
    for (at, word) in reached {
        let x = axis.x(at);
        let letters = word.chars().count() + 9;
        let wide = f64::from(u16::try_from(letters).unwrap_or(u16::MAX)) * LETTER;
        let before = x + wide > WIDTH;
        let (from, to) = if before { (x - wide, x) } else { (x, x + wide) };
        let row = ends.iter().position(|end| *end < from).unwrap_or(ROWS - 1);
        ends[row] = to + 6.0;
        let lower = f64::from(u8::try_from(ROWS - 1 - row).unwrap_or(0));
        let y = top - 6.0 - ROW * lower;
        let (anchor, text_x) = if before { ("end", x - 4.0) } else { ("start", x + 4.0) };
        let _ = write!(
            svg,
            "<line class=\"milestone\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/><text class=\"name\" x=\"{text_x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{word} {}</text>",
            y - 10.0,
            at.strftime("%H:%M:%S"),
        );
    }
}

struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    fn of(draft: &Draft) -> Option<Self> {
        // A note about last week would press everything else together.
        let milestones = draft.milestones.iter().filter_map(|one| one.at);
        let ends = [draft.opened, draft.closed].into_iter().flatten();
        let changes = draft.changes.iter().filter_map(|change| change.ended);
        let counts = draft.counts.iter().map(|one| one.at);
        let times: Vec<Timestamp> = milestones.chain(ends).chain(changes).chain(counts).collect();
        Some(Self { from: *times.iter().min()?, to: *times.iter().max()? })
    }

    fn x(&self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64().max(1e-9);
        let part = (at.duration_since(self.from).as_secs_f64() / whole).clamp(0.0, 1.0);
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    /// Round times, about six of them.
    fn ticks(&self) -> Vec<Timestamp> {
        const STEPS: [i64; 16] = [
            1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
        ];
        let whole = self.to.duration_since(self.from).as_secs();
        let step = STEPS.into_iter().find(|step| whole / step <= 7);
        let step = step.unwrap_or_else(|| (whole / 7 / 86_400 + 1) * 86_400);
        let first = (self.from.as_second() + step - 1).div_euclid(step) * step;
        let all = (0..=8).filter_map(|n| Timestamp::from_second(first + n * step).ok());
        all.filter(|at| *at <= self.to).collect()
    }

    fn words(&self, at: Timestamp) -> String {
        let whole = self.to.duration_since(self.from);
        let format = match whole {
            _ if whole < SignedDuration::from_mins(8) => "%H:%M:%S",
            _ if whole < SignedDuration::from_hours(48) => "%H:%M",
            _ => "%m-%d %H:%M",
        };
        at.strftime(format).to_string()
    }
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn second(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}

/// Text inside of the drawing.
fn escape(text: &str) -> String {
    let shown = crate::value::visible::text(text);
    shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
