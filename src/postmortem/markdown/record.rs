//! What stands on record: what people were told, the evidence, every line of the journal.

use std::fmt::Write as _;

use super::super::escape::{code, inline, on_lines, quotation};
use super::super::parts::{KEPT, marked};
use super::Page;
use super::table::table;

impl Page<'_> {
    /// What each who went on found, where more than one worked on it.
    pub(super) fn shifts(&mut self) {
        if self.draft.shifts.is_empty() {
            return;
        }
        self.section("Shifts");
        for shift in &self.draft.shifts {
            let (from, to) = (inline(&shift.from), inline(&shift.to));
            self.line(&format!(
                "{} {to} went on for {from}, and found:\n",
                self.when.full(shift.at)
            ));
            let sections = shift.card.sections().into_iter().skip(1);
            let said = sections.map(|(heading, lines)| {
                format!("{heading}: {}", on_lines(&lines.join("; "), "  "))
            });
            self.list(said, "");
            self.line("");
        }
    }

    pub(super) fn updates(&mut self) {
        self.section("Communications");
        if self.draft.updates.is_empty() {
            self.line("Nobody was told through this program.");
        }
        for update in &self.draft.updates {
            let next = update.next_update.map_or(String::new(), |due| {
                format!(", next update promised for {}", self.when.full(due))
            });
            let _ = writeln!(
                self.out,
                "- {}, {} to {}{next}, journal head {}\n",
                self.when.full(update.at),
                inline(&update.actor),
                inline(&update.audience),
                code(&update.head)
            );
            for line in quotation(&update.text).lines() {
                let _ = writeln!(self.out, "  {line}");
            }
        }
        if self.draft.calls.is_empty() {
            return;
        }
        self.line("\nEscalation:\n");
        for call in &self.draft.calls {
            let due =
                call.due.map_or(String::new(), |due| format!(", due {}", self.when.full(due)));
            let what = match call.at {
                Some(at) => format!("called {}", self.when.full(at)),
                None => "**not called on record**".into(),
            };
            let _ = writeln!(self.out, "- {}: {what}{due}", inline(&call.who));
        }
    }

    pub(super) fn evidence(&mut self) {
        self.section("Evidence");
        let files = self.draft.evidence.iter().chain(&self.draft.exports);
        let mut rows: Vec<Vec<String>> =
            files.map(|file| vec![code(&file.file), code(&file.sha256)]).collect();
        rows.push(vec!["`runbook.toml`".into(), code(&self.draft.runbook.sha256)]);
        let text = table(&["file", "SHA-256"], rows);
        self.out.push_str(&text);
        let head = &self.draft.head;
        let _ = writeln!(
            self.out,
            "\nJournal head: record {}, {}. `steadyhand verify` proves that nothing was altered since.",
            head.seq,
            code(&head.hash)
        );
    }

    pub(super) fn kept(&mut self) {
        if let Some(kept) = self.texts.kept() {
            self.section("Kept text");
            self.line("Found outside of its place, because a marker was damaged. Move it, or delete it.\n");
            let whole = marked(KEPT, kept);
            self.out.push_str(&whole);
        }
    }

    pub(super) fn appendix(&mut self) {
        const HASH: usize = 12;
        self.section("Appendix: every record");
        let rows = self.draft.timeline.iter().map(|line| {
            vec![
                line.seq.to_string(),
                self.when.full(line.at),
                inline(&line.actor),
                line.kind.to_owned(),
                inline(&line.sentence.replace('\n', " / ")),
                code(line.hash.get(..HASH).unwrap_or(&line.hash)),
            ]
        });
        let text = table(&["#", "when", "who", "kind", "what", "hash"], rows);
        self.out.push_str(&text);
    }
}
