//! An approval request for somebody who did not write it: what, where, how many, who asks, how long.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::text::{self, Ink, inked};
use crate::recovery::Request;
use crate::recovery::request::{Sample, Statement};
use crate::source::Paint;
use crate::value::{counted, visible};

pub fn text(request: &Request, now: Timestamp, paint: Paint) -> String {
    let mut out = String::new();
    let what = if request.undoes.is_some() { "undo" } else { "change" };
    let head = format!("{} asks you to agree to a {what}", request.requester.words());
    let _ = writeln!(out, "{}\n", inked(&visible::text(&head), Ink::Warning, paint));
    let place = &request.target;
    let rows = match &request.chunks {
        Some(chunks) => chunks.told.clone(),
        None => counted(request.rows, "row"),
    };
    let target = format!("{} ({}, {})", place.name, place.environment, place.engine);
    let seconds = request.expires.duration_since(now).as_secs();
    let left = if seconds < 0 {
        format!("expired at {} UTC", request.expires.strftime("%Y-%m-%d %H:%M:%S"))
    } else {
        format!("{} min {} s from now", seconds / 60, seconds % 60)
    };
    for (name, value) in [
        ("Incident", format!("{}, step {}", request.incident, request.step)),
        ("What", request.title.clone()),
        ("Target", target),
        ("Server", place.server.clone()),
        ("Rows", rows),
        ("Undo", request.undo.clone()),
        ("Until", left),
    ] {
        let _ = writeln!(out, "{name:<10}{}", visible::text(&value));
    }
    for (number, statement) in request.statements.iter().enumerate() {
        statement_lines(number + 1, statement, &mut out, paint);
    }
    let tables = request
        .writes
        .iter()
        .map(|one| vec![one.table.clone(), one.direct.words(), one.hidden.words()]);
    out.push('\n');
    out.push_str(&text::columns(&["writes", "itself", "by triggers and cascades"], tables));
    if !request.checks.is_empty() {
        let checks = request
            .checks
            .iter()
            .map(|one| vec![one.check.clone(), one.before.clone(), one.after.clone()]);
        out.push('\n');
        out.push_str(&text::columns(&["check", "before", "after"], checks));
    }
    if !request.sample.is_empty() {
        out.push_str("\nThe first rows\n");
        request.sample.iter().for_each(|row| sample_line(row, &mut out));
    }
    for warning in &request.warnings {
        let _ = writeln!(
            out,
            "{}",
            inked(&visible::text(&format!("Warning: {warning}")), Ink::Warning, paint)
        );
    }
    let _ = writeln!(out, "\nWords     {}", inked(&request.words(), Ink::Good, paint));
    out.push_str("          the requester's screen must show the same: compare them by voice\n");
    out
}

fn statement_lines(number: usize, statement: &Statement, out: &mut String, paint: Paint) {
    let head = format!("{number}  {}, {}", statement.note, counted(statement.rows, "row"));
    let _ = writeln!(out, "\n{}", visible::text(&head));
    for line in visible::multi_line(statement.sql.trim()) {
        let _ = writeln!(out, "    {}", inked(&line, Ink::Quiet, paint));
    }
}

fn sample_line(row: &Sample, out: &mut String) {
    let line = format!("    {} {}: {}", row.table, row.key, row.changes.join("; "));
    let _ = writeln!(out, "{}", visible::text(&line));
}
