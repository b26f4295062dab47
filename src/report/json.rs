//! JSON for programs: one object a line. Its names are public: what is there stays, more may come.
//!
//! Values of rows are texts or null, so that no number is rounded by a reader. What a terminal would
//! obey is written as an escape (`\u001b`), which means the same to a program and nothing to a terminal.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::{Outcome, Totals};
use crate::check::{Check, Count, Severity, Verdict};
use crate::incident::store::Summary;
use crate::postmortem::{Draft, Part};
use crate::value::{Rows, visible};

/// Violating rows that a line carries at most.
const SAMPLE: usize = 20;

/// One check on one target, as a line.
pub fn outcome(outcome: &Outcome) -> String {
    line(&value(outcome))
}

pub fn value(outcome: &Outcome) -> Json {
    let Outcome { check, target, finding, snapshot, server, ruling, .. } = outcome;
    let violations = finding.verdict.violations();
    let reason = match &finding.verdict {
        Verdict::Inconclusive { reason } => Some(reason.as_str()),
        Verdict::Clear | Verdict::Violated { .. } | Verdict::Measured { .. } => None,
    };
    let mut whole = json!({
        "check": check.id,
        "target": target,
        "verdict": finding.verdict.word(),
        "severity": check.severity.key(),
        "violations": violations.map(Count::number),
        "exact": violations.is_some_and(Count::is_exact),
        "seconds": rounded(finding.seconds),
        "snapshot": snapshot.map(|at| at.to_string()),
        "key": check.key,
        "sample": sample(&finding.rows),
        "reason": reason,
        "kind": check.kind.word(),
        "owner": check.owner,
        "controls": check.controls,
        "server": server,
    });
    if let Some(reading) = finding.verdict.reading() {
        whole["value"] = reading.value.clone().into();
        whole["unit"] = reading.unit.clone().into();
        whole["series"] = reading.series.clone().into();
        whole["threshold"] = reading.threshold.clone().into();
    }
    if let Some(ruling) = ruling {
        whole["passes"] = ruling.passes().into();
        whole["ruling"] = ruling.to_string().into();
    }
    whole
}

/// The last line.
pub fn summary(totals: &Totals, notes: &[String]) -> String {
    let mut whole = json!({ "summary": {
        "targets": totals.targets,
        "checks": totals.checks,
        "clear": totals.clear,
        "warning": totals.warning,
        "violated": totals.violated,
        "inconclusive": totals.inconclusive,
        "seconds": rounded(totals.seconds),
        "exit": totals.exit.code(),
        "disabled": totals.disabled,
        "elsewhere": totals.elsewhere,
        "other_packs": totals.other_packs,
    }});
    if totals.known > 0 {
        whole["summary"]["known"] = totals.known.into();
    }
    if !notes.is_empty() {
        whole["summary"]["notes"] = notes.into();
    }
    line(&whole)
}

/// A check that was switched off: a line, but no verdict on the data.
pub fn disabled(check: &Check, target: &str) -> String {
    line(&json!({
        "check": check.id,
        "target": target,
        "verdict": "disabled",
        "severity": check.severity.key(),
        "reason": check.disabled,
        "kind": check.kind.word(),
        "owner": check.owner,
        "controls": check.controls,
    }))
}

pub fn incident(summary: &Summary) -> String {
    line(&json!({
        "incident": summary.id,
        "state": summary.state(),
        "title": summary.title,
        "runbook": summary.runbook,
        "target": summary.target,
        "environment": summary.environment,
        "severity": summary.severity.map(Severity::key),
        "demo": summary.demo,
        "drill": summary.drill,
        "opened": summary.opened.map(|at| at.to_string()),
        "closed": summary.closed.map(|at| at.to_string()),
        "step": summary.step,
        "trouble": summary.trouble,
        "review_due": summary.review_due.map(|at| at.to_string()),
        "folder": summary.folder.to_string_lossy(),
    }))
}

/// The last line of a list of incidents.
pub fn incidents_summary(all: usize, open: usize, damaged: usize) -> String {
    line(&json!({ "summary": { "incidents": all, "open": open, "damaged": damaged } }))
}

/// A postmortem: the facts, and what people wrote.
pub fn postmortem(draft: &Draft, parts: &[Part]) -> String {
    let mut whole = serde_json::to_value(draft).expect("a draft is plain data");
    let yours: Map<String, Json> =
        parts.iter().map(|part| (part.name.to_owned(), part.text.clone().into())).collect();
    whole["yours"] = Json::Object(yours);
    let text = serde_json::to_string_pretty(&whole).expect("a draft is plain data");
    harmless(&text) + "\n"
}

pub fn line(value: &Json) -> String {
    harmless(&value.to_string()) + "\n"
}

/// Milliseconds are all that a clock around a query can vouch for.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Rows as objects; a column whose name repeats gets a number.
fn sample(rows: &Rows) -> Vec<Json> {
    let mut names: Vec<String> = Vec::with_capacity(rows.columns().len());
    for name in rows.columns() {
        let mut unique = name.clone();
        let mut n = 2;
        while names.contains(&unique) {
            unique = format!("{name}_{n}");
            n += 1;
        }
        names.push(unique);
    }
    (0..rows.len().min(SAMPLE))
        .map(|row| {
            let values = rows.row(row).map(|value| value.told().map_or(Json::Null, Json::String));
            Json::Object(names.iter().cloned().zip(values).collect())
        })
        .collect()
}

/// JSON whose text cannot control a terminal. Only inside of strings can such characters stand, and
/// there an escape means the same.
fn harmless(json: &str) -> String {
    if json.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() + 16);
    let mut units = [0; 2];
    for c in json.chars() {
        let plain = c == '\n' || c == ' ' || c.is_ascii_graphic();
        if plain || visible::text(c.encode_utf8(&mut [0; 4])).chars().eq([c]) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}
