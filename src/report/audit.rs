//! The audit view as text, as Markdown and as JSON lines.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::json;

use super::json::line as json_line;
use super::text::{Ink, columns, inked, minute};
use crate::audit::{Audit, Checked, Happened, Holding, Line, Seen};
use crate::postmortem::escape::{code, inline};
use crate::source::Paint;
use crate::value::counted;
use crate::value::visible;

/// One line that says it all.
pub fn headline(audit: &Audit) -> String {
    let of = |state| audit.count(state);
    let mut text = format!(
        "{}: {} hold, {} violated, {} not known, {} without a check",
        counted(audit.controls.len(), "control"),
        of(Holding::Holds),
        of(Holding::Violated),
        of(Holding::NotKnown),
        of(Holding::NoCheck),
    );
    if !audit.unassigned.is_empty() {
        let _ = write!(text, "; {} without a control", counted(audit.unassigned.len(), "check"));
    }
    text
}

pub fn text(audit: &Audit, paint: Paint) -> String {
    let mut out = String::new();
    for line in &audit.controls {
        let ink = match line.state {
            Holding::Holds => Ink::Good,
            Holding::NotKnown => Ink::Warning,
            Holding::NoCheck => Ink::Quiet,
            Holding::Violated => Ink::Bad,
        };
        let state = inked(line.state.words(), ink, paint);
        let (id, title) = (visible::text(&line.control.id), visible::text(&line.control.title));
        let _ = writeln!(out, "{id}  {title}: {state}");
        let _ = writeln!(out, "  {}", visible::text(&line.control.objective));
        if !line.control.places.is_empty() {
            let _ = writeln!(out, "  {}", visible::text(&line.control.places.join(", ")));
        }
        if !line.checks.is_empty() {
            let titles = ["check", "severity", "target", "state", "last green"];
            for row in columns(&titles, line.checks.iter().flat_map(rows)).lines() {
                let _ = writeln!(out, "    {row}");
            }
        }
        if !line.runbooks.is_empty() {
            let _ = writeln!(out, "  runbooks: {}", visible::text(&line.runbooks.join(", ")));
        }
        if !line.incidents.is_empty() {
            let titles = ["incident", "severity", "opened", "state", "target", "title"];
            for row in columns(&titles, line.incidents.iter().map(incident)).lines() {
                let _ = writeln!(out, "    {row}");
            }
        }
        out.push('\n');
    }
    if !audit.unassigned.is_empty() {
        let _ = writeln!(out, "checks without a control: {}", audit.unassigned.join(", "));
    }
    let _ = writeln!(out, "{}", headline(audit));
    out
}

/// A row a target; one that says so if it never ran anywhere.
fn rows(check: &Checked) -> Vec<Vec<String>> {
    let row = |target: String, state: String, green: String| {
        vec![check.check.clone(), check.severity.to_string(), target, state, green]
    };
    if let Some(why) = &check.disabled {
        return vec![row("-".into(), format!("switched off: {why}"), "-".into())];
    }
    if check.targets.is_empty() {
        return vec![row("-".into(), "never ran".into(), "never".into())];
    }
    let seen = |seen: &Seen| {
        let green = seen.last_green.map_or_else(|| "never".into(), minute);
        row(seen.target.clone(), seen.state.word().into(), green)
    };
    check.targets.iter().map(seen).collect()
}

fn incident(one: &Happened) -> Vec<String> {
    let state = if one.closed.is_some() { "closed" } else { "open" };
    let state = if one.practised { format!("{state}, practice") } else { state.into() };
    vec![
        one.incident.clone(),
        one.severity.map_or_else(|| "-".into(), |severity| severity.to_string()),
        one.opened.map_or_else(|| "-".into(), minute),
        state,
        one.target.clone(),
        one.title.clone(),
    ]
}

pub fn markdown(audit: &Audit, at: Timestamp) -> String {
    let mut out = format!("# Controls, {}\n\n{}.\n", minute(at), headline(audit));
    out.push_str("\n| control | state | what it is for | frameworks |\n|---|---|---|---|\n");
    for Line { control, state, .. } in &audit.controls {
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} |",
            code(&control.id),
            inline(&control.title),
            state.words(),
            inline(&control.objective),
            inline(&control.places.join(", ")),
        );
    }
    for line in &audit.controls {
        if line.checks.is_empty() && line.incidents.is_empty() && line.runbooks.is_empty() {
            continue;
        }
        let _ = write!(out, "\n## {} {}\n", inline(&line.control.id), inline(&line.control.title));
        if !line.checks.is_empty() {
            out.push_str("\n| check | severity | target | state | last green | owner |\n");
            out.push_str("|---|---|---|---|---|---|\n");
            for check in &line.checks {
                for row in rows(check) {
                    let cells: Vec<String> = row[1..].iter().map(|cell| inline(cell)).collect();
                    let (check, owner) = (code(&check.check), inline(&check.owner));
                    let _ = writeln!(out, "| {check} | {} | {owner} |", cells.join(" | "));
                }
            }
        }
        if !line.runbooks.is_empty() {
            let runbooks: Vec<String> = line.runbooks.iter().map(|id| code(id)).collect();
            let _ = writeln!(out, "\nRunbooks: {}.", runbooks.join(", "));
        }
        if !line.incidents.is_empty() {
            out.push_str("\n| incident | severity | opened | state | target | title |\n");
            out.push_str("|---|---|---|---|---|---|\n");
            for one in &line.incidents {
                let cells: Vec<String> = incident(one).iter().map(|cell| inline(cell)).collect();
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
        }
    }
    if !audit.unassigned.is_empty() {
        let checks: Vec<String> = audit.unassigned.iter().map(|id| code(id)).collect();
        let _ = writeln!(out, "\nChecks without a control: {}.", checks.join(", "));
    }
    out
}

/// A line a control, and a summary.
pub fn json(audit: &Audit, damaged: usize) -> String {
    let mut out = String::new();
    for line in &audit.controls {
        out.push_str(&json_line(&serde_json::to_value(line).expect("plain data")));
    }
    out.push_str(&json_line(&json!({ "summary": {
        "controls": audit.controls.len(),
        "hold": audit.count(Holding::Holds),
        "violated": audit.count(Holding::Violated),
        "not_known": audit.count(Holding::NotKnown),
        "no_check": audit.count(Holding::NoCheck),
        "checks_without_control": audit.unassigned,
        "damaged_incidents": damaged,
    }})));
    out
}
