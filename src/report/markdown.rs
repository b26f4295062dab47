//! Markdown for a pull request or a ticket: the worst first, data escaped so that it is no markup.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::junit::open_with;
use super::{Outcome, Totals, text};
use crate::exit::Exit;
use crate::incident::entry::verdict_words;
use crate::postmortem::escape::{code, inline};
use crate::value::counted;

pub fn page<'o>(
    outcomes: impl IntoIterator<Item = &'o Outcome>,
    totals: &Totals,
    notes: &[String],
) -> String {
    let mut all: Vec<&Outcome> = outcomes.into_iter().collect();
    all.sort_by_key(|one| {
        (Reverse(one.exit() == Exit::Violated), Reverse(one.exit().code()), one.check.severity)
    });
    let word = match totals.exit {
        Exit::Clear => "✓ clear",
        Exit::Warning => "⚠ warning",
        Exit::Violated => "✗ violated",
        Exit::Interrupted => "⚠ interrupted",
        _ => "? inconclusive",
    };
    let mut out = format!("### {word}: {}\n", text::summary(totals));
    let told: Vec<&&Outcome> = all.iter().filter(|one| one.word() != "clear").collect();
    if !told.is_empty() {
        out.push_str("\n| verdict | severity | check | target | what | owner |\n");
        out.push_str("|---|---|---|---|---|---|\n");
    }
    for one in &told {
        let mut what = verdict_words(&one.finding.verdict);
        if let Some(ruling) = &one.ruling {
            what = format!("{what}; {ruling}");
        }
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            one.word(),
            one.check.severity,
            code(&one.check.id),
            code(&one.target),
            inline(&what),
            inline(&one.check.owner),
        );
    }
    let violated: Vec<&&Outcome> = told
        .iter()
        .copied()
        .filter(|one| matches!(one.exit(), Exit::Violated | Exit::Warning))
        .collect();
    for one in violated {
        let _ = writeln!(
            out,
            "\n**{}** on {}: {}",
            inline(&one.check.title),
            code(&one.target),
            inline(&one.check.rule)
        );
        if let Some(rows) = text::named(one) {
            let _ = writeln!(out, "- {}", inline(&rows));
        }
        if let Some(runbook) = &one.check.runbook {
            let _ = writeln!(out, "- go from here: {}", code(&open_with(runbook, &one.address)));
        }
    }
    let clear = all.iter().filter(|one| one.word() == "clear").count();
    if clear > 0 {
        let _ = writeln!(out, "\n<details><summary>{} clear</summary>\n", counted(clear, "check"));
        for one in all.iter().filter(|one| one.word() == "clear") {
            let _ = writeln!(out, "- {} on {}", code(&one.check.id), code(&one.target));
        }
        out.push_str("\n</details>\n");
    }
    for note in notes {
        let _ = writeln!(out, "\n> {}", inline(note));
    }
    out
}
