//! Text for people: one line a check, columns aligned, coloured only when told.
//!
//! Words carry the meaning, colour only repeats it. Everything that comes from a file or a database
//! is made visible first.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;

use super::{Outcome, Totals};
use crate::check::verdict::{key_columns, key_text};
use crate::check::{Check, Kind, REMEDIATION, Verdict};
use crate::exit::Exit;
use crate::incident::entry::verdict_words;
use crate::incident::store::Summary;
use crate::incident::verify::Report;
use crate::source::Paint;
use crate::value::counted;
use crate::value::visible::{self, width};

/// Keys of violations that are named at most.
const NAMED: usize = 5;
/// Checks without their table from which on the packs are in question, not the database.
const MANY: usize = 3;

#[derive(Debug, Clone, Copy)]
pub enum Ink {
    Good,
    Warning,
    Bad,
    Quiet,
}

impl Ink {
    pub fn of(exit: Exit) -> Self {
        match exit {
            Exit::Clear => Self::Good,
            Exit::Violated => Self::Bad,
            _ => Self::Warning,
        }
    }
}

/// A word in its colour, if colours are wanted.
pub fn inked(text: &str, ink: Ink, paint: Paint) -> String {
    let code = match ink {
        Ink::Good => "32",
        Ink::Warning => "33",
        Ink::Bad => "1;31",
        Ink::Quiet => "2",
    };
    match paint {
        Paint::Plain => text.to_owned(),
        Paint::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
    }
}

/// All outcomes of one target, under its name.
pub fn target(name: &str, seen: &str, outcomes: &[Outcome], paint: Paint) -> String {
    let mut out = visible::text(name).into_owned();
    if !seen.is_empty() {
        out.push_str(&inked(&format!("  {}", visible::text(seen)), Ink::Quiet, paint));
    }
    out.push('\n');
    let ids: Vec<String> =
        outcomes.iter().map(|one| visible::text(&one.check.id).into_owned()).collect();
    if ids.is_empty() {
        out.push_str("  nothing was asked of it\n");
    }
    let column = ids.iter().map(|id| width(id)).max().unwrap_or(0);
    let mut before = None;
    for (one, id) in outcomes.iter().zip(&ids) {
        let ink = if one.is_known() { Ink::Warning } else { Ink::of(one.exit()) };
        let word = inked(&pad(one.word(), 12), ink, paint);
        // The word has said it already.
        let words = match &one.finding.verdict {
            Verdict::Clear => String::new(),
            // A target that cannot be reached has one reason for all of its checks.
            Verdict::Inconclusive { reason } if seen.is_empty() && before == Some(reason) => {
                "likewise".to_owned()
            }
            other => visible::text(&verdict_words(other)).into_owned(),
        };
        before = match &one.finding.verdict {
            Verdict::Inconclusive { reason } => Some(reason),
            _ => None,
        };
        let line = format!("  {word}  {}  {}  {words}", one.check.severity, pad(id, column));
        let _ = writeln!(out, "{}", line.trim_end());
        let indent = " ".repeat(2 + 12 + 2 + 5 + 2 + column + 2);
        let ruling =
            one.ruling.as_ref().map(|ruling| visible::text(&ruling.to_string()).into_owned());
        for more in named(one).into_iter().chain(remedies(one)).chain(ruling) {
            let _ = writeln!(out, "{indent}{}", inked(&more, Ink::Quiet, paint));
        }
    }
    out
}

/// Checks that were switched off, with the reason.
pub fn disabled(checks: &[&Check], paint: Paint) -> String {
    let mut out = String::new();
    for check in checks {
        let reason = visible::text(check.disabled.as_deref().unwrap_or_default()).into_owned();
        let line = format!("  disabled      {}  {}  {reason}", check.severity, check.id);
        let _ = writeln!(out, "{}", inked(&line, Ink::Quiet, paint));
    }
    out
}

/// The DDL that would mend what is missing, whole: it is there to be copied.
fn remedies(outcome: &Outcome) -> Vec<String> {
    let rows = &outcome.finding.rows;
    let Some(column) = rows.column(REMEDIATION).filter(|_| outcome.check.kind == Kind::Catalog)
    else {
        return Vec::new();
    };
    (0..rows.len().min(NAMED))
        .filter_map(|row| rows.get(row, column).plain())
        .flat_map(|ddl| visible::multi_line(&ddl))
        .collect()
}

/// The keys of the first violations.
pub(super) fn named(outcome: &Outcome) -> Option<String> {
    let count = outcome.finding.verdict.violations()?;
    let violations = count.number();
    let rows = &outcome.finding.rows;
    if violations == 0 || rows.is_empty() || outcome.check.key.is_empty() {
        return None;
    }
    // Of a metric, the rows that are fine stand behind those over a threshold.
    let seen = rows.len().min(usize::try_from(violations).unwrap_or(usize::MAX));
    let columns = key_columns(rows.columns(), &outcome.check.key);
    let keys: Vec<String> = (0..seen.min(NAMED))
        .map(|row| {
            let shown = visible::text(&key_text(rows, row, &columns)).into_owned();
            match visible::head(&shown, 40) {
                (head, _) if head.len() < shown.len() => format!("{head}..."),
                _ => shown,
            }
        })
        .collect();
    let more = violations.saturating_sub(keys.len() as u64);
    let more = match (more, count.is_exact()) {
        (0, true) => String::new(),
        (0, false) => ", and perhaps more".into(),
        (more, true) => format!(", and {more} more"),
        (more, false) => format!(", and at least {more} more"),
    };
    let name = visible::text(&outcome.check.key.join("/")).into_owned();
    Some(format!("{name}: {}{more}", keys.join(", ")))
}

/// What to do where many checks ask for tables of another business; nothing if it is not so.
pub fn unfit<'o>(outcomes: impl Iterator<Item = &'o Outcome> + Clone) -> Option<String> {
    let blind = |one: &&Outcome| one.finding.verdict.misses_a_table();
    let missing = outcomes.clone().filter(blind).count();
    if missing < MANY {
        return None;
    }
    let packs = |found: &mut dyn Iterator<Item = &'o Outcome>| {
        let mut packs: Vec<&str> = found.map(|one| one.check.pack.as_str()).collect();
        packs.sort_unstable();
        packs.dedup();
        packs
    };
    let (asked, far) = (packs(&mut outcomes.clone()), packs(&mut outcomes.clone().filter(blind)));
    let near = packs(&mut outcomes.filter(|one| !blind(one)));
    let fits = near.iter().find(|pack| !far.contains(pack)).or(near.first());
    let choice = match (asked.as_slice(), fits) {
        ([_, _, ..], Some(pack)) => {
            let pack = visible::text(pack);
            format!("choose what fits with --pack {pack} or packs = [\"{pack}\"] under the target")
        }
        ([_, _, ..], None) => "choose what fits with --pack".to_owned(),
        _ => "switch them off with a reason under [check.ID]".to_owned(),
    };
    Some(format!(
        "{} ask for tables that are not there: give their names with [bind.ROLE] in steadyhand.toml, or {choice}\n",
        counted(missing, "check"),
    ))
}

/// The last line.
pub fn summary(totals: &Totals) -> String {
    let Totals { targets, checks, clear, warning, violated, inconclusive, seconds, .. } = totals;
    let known = some(totals.known, "known");
    let left_out = left_out(totals);
    format!(
        "{} on {} in {seconds:.2} s: {clear} clear, {warning} warning, {violated} violated, {inconclusive} inconclusive{known}{left_out}\n",
        counted(*checks, "check"),
        counted(*targets, "target"),
    )
}

/// The checks that were not asked, as the end of a list; nothing if there is none.
pub fn left_out(totals: &Totals) -> String {
    some(totals.disabled, "disabled")
        + &some(totals.elsewhere, "for other engines")
        + &some(totals.other_packs, "of other packs")
}

fn some(n: usize, why: &str) -> String {
    if n == 0 { String::new() } else { format!(", {n} {why}") }
}

pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

pub fn incidents(all: &[Summary], state: &Path) -> String {
    if all.is_empty() {
        return format!("no incidents in {}\n", state.display());
    }
    let rows = all.iter().map(|one| {
        let severity = one.severity.map_or_else(|| "-".into(), |severity| severity.to_string());
        let opened = one.opened.map_or_else(|| "-".into(), minute);
        let (target, step) = (or_dash(&one.target), or_dash(one.step.as_deref().unwrap_or("")));
        let mut title = one.trouble.as_deref().unwrap_or(&one.title).to_owned();
        if let Some(due) = one.review_due {
            title.push_str(&format!("  (review due {})", due.strftime("%Y-%m-%d")));
        }
        vec![one.id.clone(), one.state().into(), severity, opened, target, step, title]
    });
    columns(&["incident", "state", "severity", "opened", "target", "step", "title"], rows)
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".into() } else { text.to_owned() }
}

pub fn verification(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for fault in &report.faults {
        let fault = visible::text(fault);
        let _ = writeln!(out, "{}  {fault}", inked("ALTERED", Ink::Bad, paint));
    }
    for note in &report.notes {
        let _ = writeln!(out, "note     {}", visible::text(note));
    }
    let id = if report.incident.is_empty() { "the incident" } else { report.incident.as_str() };
    let (id, files) = (visible::text(id), counted(report.files, "file"));
    let records = counted(usize::try_from(report.records).unwrap_or(usize::MAX), "record");
    if report.is_sound() {
        let sound = inked("sound", Ink::Good, paint);
        let _ =
            writeln!(out, "{id} is {sound}: {records}, {files} of evidence as they were written");
    } else {
        let faults = counted(report.faults.len(), "fault");
        let _ = writeln!(
            out,
            "{id} is not as it was written: {faults}; {records} and {files} still fit"
        );
    }
    let _ = writeln!(out, "head {} {}", report.head.seq, report.head.hash);
    out
}

/// Cells under their titles; the last column is as long as it is.
pub fn columns(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut all: Vec<Vec<String>> = vec![head.iter().map(|name| (*name).to_owned()).collect()];
    let shown =
        |row: Vec<String>| row.iter().map(|cell| visible::text(cell).into_owned()).collect();
    all.extend(rows.into_iter().map(shown));
    let widest =
        |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| widest(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, columns)| pad(cell, *columns)).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    all.iter().map(line).collect()
}

pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}
