//! One change as a block: what it was, how it ended, who said yes, and the way back.

use std::fmt::Write as _;

use super::super::draft::Change;
use super::super::escape::{code, fenced, inline};
use super::table::table;
use super::when::When;
use crate::incident::entry::{Deed, Outcome};
use crate::value::counted;

pub fn change(change: &Change, when: &When<'_>) -> String {
    let title = change.title.as_deref().unwrap_or(&change.step);
    let mut out = format!("### {}: {}\n\n", inline(&headline(change)), inline(title));
    for fact in facts(change, when) {
        let _ = writeln!(out, "- {fact}");
    }
    for sent in &change.statements {
        let note = if sent.note.is_empty() { "Statement" } else { &sent.note };
        let _ = write!(out, "\n{}:\n\n{}", inline(note), fenced(&sent.sql));
    }
    if !change.tables.is_empty() {
        let rows = change.tables.iter().map(|written| {
            vec![code(&written.table), written.direct.words(), written.hidden.words()]
        });
        out.push('\n');
        if let Some(part) = change.tables_words() {
            let _ = writeln!(out, "Rows {part}:\n");
        }
        out.push_str(&table(&["table", "by the statements", "by triggers and cascades"], rows));
    }
    out
}

fn headline(change: &Change) -> String {
    match &change.deed {
        Deed::Undo { of } => format!("{} undo of {of}", change.op),
        deed => format!("{} {}", change.op, deed.word()),
    }
}

fn facts(change: &Change, when: &When<'_>) -> Vec<String> {
    let mut facts = Vec::new();
    let ended = change.ended.map_or(String::new(), |at| format!(", {}", when.full(at)));
    let why =
        if change.why.is_empty() { String::new() } else { format!(": {}", inline(&change.why)) };
    facts.push(format!("Outcome: **{}**{ended}{why}", change.outcome));
    facts.push(format!("Rows: {}", change.rows_words()));
    if let Some(told) = &change.in_chunks {
        facts.push(format!("Chunks: {}", inline(told)));
    }
    if change.approved.is_some() {
        facts.push(format!(
            "Approved: {} by typing {}, {}",
            inline(&change.approved_by),
            code(&change.typed),
            when.maybe(change.approved)
        ));
    }
    if let Some(second) = &change.second {
        facts.push(format!("Second person: {}", inline(second)));
    }
    if change.stands || change.outcome != Outcome::RolledBack.word() {
        facts.push(match change.verified {
            Some(true) => "Verified: as expected, on a new connection".into(),
            Some(false) => "Verified: **no**, the verification failed".into(),
            None => "Verified: not done".into(),
        });
        facts.push(format!("Undo: {}", undo(change)));
    }
    facts.push(format!("Step: {}", code(&change.step)));
    facts
}

fn undo(change: &Change) -> String {
    let mut parts = vec![match (change.undone, change.left_alone) {
        (true, 0) => "**undone**".to_owned(),
        (true, left) => format!("**undone** but for {}", counted(left, "row")),
        (false, _) => "not used".to_owned(),
    }];
    if !change.undo.is_empty() {
        parts.push(inline(&change.undo));
    }
    if let Some(file) = &change.undo_file {
        parts.push(format!("{} (SHA-256 {})", code(&file.file), code(&file.sha256)));
    }
    parts.join(", ")
}
