//! The metrics of incidents as text, as Markdown and as JSON lines: every number with the period
//! before beside it and its definition behind it.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::json::line as json_line;
use super::text::{columns, minute};
use crate::incident::fleet::{Fleet, Share, Spread};
use crate::incident::metrics::words;
use crate::postmortem::escape::inline;
use crate::value::counted;

#[derive(Debug)]
pub struct Period {
    pub from: Timestamp,
    pub to: Timestamp,
    pub fleet: Fleet,
}

impl Period {
    fn words(&self) -> String {
        format!("{} to {}", minute(self.from), minute(self.to))
    }
}

pub fn headline(this: &Period) -> String {
    let Fleet { incidents, open, .. } = this.fleet;
    format!("{}, {open} of them open, {}", counted(incidents, "incident"), this.words())
}

pub fn text(this: &Period, before: &Period) -> String {
    let mut out = format!("{}\nbefore: {}\n\n", headline(this), before.words());
    out.push_str(&columns(&TITLES, rows(this, before)));
    out
}

const TITLES: [&str; 4] = ["number", "now", "before", "definition"];

pub fn markdown(this: &Period, before: &Period) -> String {
    let mut out =
        format!("# Metrics of incidents\n\n{}. Before: {}.\n\n", headline(this), before.words());
    let _ = writeln!(out, "| {} |\n|---|---|---|---|", TITLES.join(" | "));
    for row in rows(this, before) {
        let cells: Vec<String> = row.iter().map(|cell| inline(cell)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

fn rows(this: &Period, before: &Period) -> Vec<Vec<String>> {
    let mut rows = vec![vec![
        "incidents".to_owned(),
        this.fleet.incidents.to_string(),
        before.fleet.incidents.to_string(),
        "opened in the period".to_owned(),
    ]];
    for (now, then) in this.fleet.times.iter().zip(&before.fleet.times) {
        rows.push(vec![now.name.into(), spread(now), spread(then), now.definition.into()]);
    }
    for (now, then) in this.fleet.shares.iter().zip(&before.fleet.shares) {
        rows.push(vec![now.name.into(), share(now), share(then), now.definition.into()]);
    }
    rows
}

/// `12 min 05 s, median 9 min 00 s, worst 40 min 00 s (3 of 4)`; a mean of few says of how few.
fn spread(of: &Spread) -> String {
    let length = |seconds: i64| words(SignedDuration::from_secs(seconds));
    match (of.mean, of.median, of.worst) {
        (Some(mean), Some(median), Some(worst)) if of.known > 1 => format!(
            "{}, median {}, worst {} ({} of {})",
            length(mean),
            length(median),
            length(worst),
            of.known,
            of.of
        ),
        (Some(mean), ..) => format!("{} ({} of {})", length(mean), of.known, of.of),
        _ if of.of == 0 => "-".into(),
        _ => format!("not known (0 of {})", of.of),
    }
}

fn share(of: &Share) -> String {
    if of.of == 0 {
        return "-".into();
    }
    format!("{} of {} ({} %)", of.number, of.of, (of.number * 100 + of.of / 2) / of.of)
}

/// A line a number, and a summary.
pub fn json(this: &Period, before: &Period, damaged: &[String]) -> String {
    let mut out = String::new();
    for (now, then) in this.fleet.times.iter().zip(&before.fleet.times) {
        let of = |spread: &Spread| {
            json!({
                "known": spread.known, "of": spread.of, "mean_seconds": spread.mean,
                "median_seconds": spread.median, "worst_seconds": spread.worst,
            })
        };
        out.push_str(&json_line(&json!({
            "metric": now.key, "now": of(now), "before": of(then), "definition": now.definition,
        })));
    }
    for (now, then) in this.fleet.shares.iter().zip(&before.fleet.shares) {
        let of = |share: &Share| json!({ "number": share.number, "of": share.of });
        out.push_str(&json_line(&json!({
            "metric": now.key, "now": of(now), "before": of(then), "definition": now.definition,
        })));
    }
    out.push_str(&json_line(&json!({ "summary": {
        "from": this.from.to_string(), "to": this.to.to_string(),
        "incidents": this.fleet.incidents, "open": this.fleet.open,
        "incidents_before": before.fleet.incidents, "damaged": damaged,
    }})));
    out
}
