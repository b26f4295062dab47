//! A draft as Markdown: sections in a fixed order, human parts at their places.
//!
//! Readable as plain text too, since it is read in a terminal and pasted into tickets. A section
//! without content says so, because silence could mean anything.

mod changes;
mod record;
mod table;
pub(super) mod when;

use std::fmt::Write as _;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::draft::{Deviation, Draft, Said};
use super::escape::{code, inline, on_lines, quotation};
use super::parts::{SPECS, Texts, marked};
use crate::incident::entry::{NoteKind, Origin, verdict_words};
use crate::incident::metrics::words;
use crate::runbook::ActionKind;
use crate::value::counted;
use table::table;
use when::When;

/// Writes a draft down, with what people wrote.
pub fn render(draft: &Draft, texts: &Texts, zone: &TimeZone) -> String {
    let mut page = Page { out: String::new(), draft, texts, when: When::new(zone) };
    page.head();
    page.impact();
    page.times();
    page.comparison();
    page.timeline();
    page.shifts();
    page.detection();
    page.human("contributing-factors");
    page.human("surprise");
    page.human_with_notes("well", NoteKind::Well);
    page.human_with_notes("badly", NoteKind::Badly);
    page.human_with_notes("luck", NoteKind::Luck);
    page.changes();
    page.deviations();
    page.guardrails();
    page.actions();
    page.doubts();
    page.updates();
    page.controls();
    page.evidence();
    page.kept();
    page.appendix();
    page.out
}

struct Page<'a> {
    out: String,
    draft: &'a Draft,
    texts: &'a Texts,
    when: When<'a>,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn section(&mut self, title: &str) {
        let _ = write!(self.out, "\n## {title}\n\n");
    }

    fn list(&mut self, items: impl IntoIterator<Item = String>, otherwise: &str) {
        let before = self.out.len();
        for item in items {
            let _ = writeln!(self.out, "- {item}");
        }
        if self.out.len() == before {
            let _ = writeln!(self.out, "{otherwise}");
        }
    }

    /// A human part under a small title of its own.
    fn aside(&mut self, name: &str) {
        let spec = SPECS.iter().find(|spec| spec.name == name).expect("every part has its place");
        let whole = marked(spec.name, &self.texts.between(spec));
        let _ = write!(self.out, "\n### {}\n\n{whole}", spec.title);
    }

    fn human(&mut self, name: &str) {
        let spec = SPECS.iter().find(|spec| spec.name == name).expect("every part has its place");
        self.section(spec.title);
        self.out.push_str(&marked(spec.name, &self.texts.between(spec)));
    }

    fn human_with_notes(&mut self, name: &str, kind: NoteKind) {
        self.human(name);
        let said: Vec<String> = self
            .draft
            .notes
            .iter()
            .filter(|note| note.kind == kind)
            .map(|note| {
                format!("{} (noted {})", on_lines(&note.text, "  "), self.when.full(note.at))
            })
            .collect();
        if !said.is_empty() {
            self.line("");
            self.list(said, "");
        }
    }

    fn head(&mut self) {
        let draft = self.draft;
        let _ = writeln!(
            self.out,
            "# Postmortem {}: {}\n",
            inline(&draft.incident),
            inline(&draft.title)
        );
        if draft.drill {
            self.line("**DRILL: a fault was injected on purpose; nothing of this happened.**\n");
        } else if draft.demo {
            self.line("**Demonstration: the data and the incident are made up.**\n");
        }
        let summary = inline(&draft.summary);
        let _ = writeln!(self.out, "**{summary}**\n");
        let mut facts = vec![format!("Incident: {}", inline(&draft.incident))];
        if let Some(severity) = draft.severity {
            facts.push(format!("Severity: {severity}"));
        }
        if let Some(target) = &draft.target {
            let mut fact = format!(
                "Target: {} ({}), {}",
                inline(&target.name),
                inline(&target.environment),
                inline(&target.engine()),
            );
            if target.is_met() {
                let _ = write!(fact, ", {}", code(&target.server));
            }
            facts.push(fact);
        }
        let runbook = &draft.runbook;
        facts.push(format!("Runbook: {} (SHA-256 {})", code(&runbook.id), code(&runbook.sha256)));
        facts.push(format!("Opened: {}", self.when.maybe(draft.opened)));
        facts.push(match draft.closed {
            Some(at) => format!("Closed: {}", self.when.full(at)),
            None => "Closed: not yet, this is a draft".into(),
        });
        facts.push(format!(
            "Journal: {}, head {}",
            counted(draft.head.seq, "record"),
            code(&draft.head.hash)
        ));
        self.list(facts, "");
        self.line("\nText between `yours` and `end` markers is kept; the rest is written anew from the journal.");
        self.aside("summary");
    }

    fn impact(&mut self) {
        self.section("Impact");
        let impact = &self.draft.impact;
        if impact.checks.is_empty() {
            self.line("Nothing was checked.\n");
        } else {
            let rows = impact.checks.iter().map(|measure| {
                vec![
                    code(&measure.check),
                    inline(&verdict_words(&measure.first)),
                    self.when.full(measure.first_at),
                    inline(&verdict_words(&measure.last)),
                    self.when.full(measure.last_at),
                ]
            });
            let text = table(&["check", "first", "first at", "last", "last at"], rows);
            self.line(&text);
        }
        let mut facts = vec![
            format!(
                "{} written by everything that was committed",
                counted(impact.rows_written, "row")
            ),
            impact.hidden_words(),
        ];
        if impact.rows_taken_back > 0 {
            facts.insert(1, format!("{} of them by taking a change back", impact.rows_taken_back));
        }
        self.list(facts, "");
        self.aside("impact");
    }

    fn times(&mut self) {
        self.section("Milestones and times");
        let milestones = self.draft.milestones.iter().map(|reached| {
            let origin = match reached.origin {
                Some(Origin::Auto) => "the program",
                Some(Origin::Human) => "a person",
                None => "",
            };
            vec![reached.milestone.to_owned(), self.when.maybe(reached.at), origin.to_owned()]
        });
        let milestones = table(&["milestone", "when", "said by"], milestones);
        self.line(&milestones);
        let times = self.draft.times.iter().map(|time| {
            let value = time.seconds.map(|seconds| words(SignedDuration::from_secs(seconds)));
            let value = value.unwrap_or_else(|| "not known".into());
            vec![time.name.to_owned(), value, time.definition.to_owned()]
        });
        let mut rows: Vec<Vec<String>> = times.collect();
        rows.push(vec![
            "previews".into(),
            self.draft.previews.to_string(),
            "real runs that were rolled back".into(),
        ]);
        rows.push(vec![
            "drifts".into(),
            self.draft.drifts.to_string(),
            "executions that rolled back because the data had moved".into(),
        ]);
        let times = table(&["number", "value", "definition"], rows);
        self.out.push_str(&times);
    }

    fn comparison(&mut self) {
        self.section("Before and after");
        let numbers = self.draft.comparison.numbers.iter().map(|one| {
            let cells = [&one.name, &one.before, &one.after].map(|cell| inline(cell));
            cells.into_iter().chain([one.definition.to_owned()]).collect()
        });
        let numbers = table(&["number", "before", "after", "definition"], numbers);
        self.line(&numbers);
        self.line("A time before is that of earlier incidents on this runbook and database.");
        let recurrence = inline(&self.draft.comparison.recurrence);
        self.line(&recurrence);
    }

    fn controls(&mut self) {
        self.section("Controls");
        if self.draft.controls.is_empty() {
            self.line("None are named by the runbook and its checks.");
            return;
        }
        let rows = self.draft.controls.iter().map(|named| {
            let title = named.title.as_ref().map_or(String::new(), |title| inline(title));
            let violated = if named.violated { "violated" } else { "concerned" };
            vec![
                code(&named.name),
                title,
                violated.to_owned(),
                inline(&named.by.join(", ")),
                inline(&named.places.join(", ")),
            ]
        });
        let text = table(&["control", "what", "in this incident", "by", "frameworks"], rows);
        self.out.push_str(&text);
    }

    fn timeline(&mut self) {
        self.section("Timeline");
        let lines: Vec<String> = self
            .draft
            .timeline
            .iter()
            .filter(|line| line.narrative)
            .map(|line| {
                let late = line
                    .recorded
                    .map_or(String::new(), |at| format!(" (written down {})", self.when.full(at)));
                let (at, actor) = (self.when.full(line.at), inline(&line.actor));
                let pinned = if line.pinned { "**pinned** " } else { "" };
                let said = line.annotations.iter().map(|said| self.annotation(said));
                let said: String = said.collect();
                let sentence = on_lines(&line.sentence, "  ");
                format!("{pinned}{at}, {actor}: {sentence}{late}{said}")
            })
            .collect();
        self.list(lines, "Nothing has happened yet.");
        self.line("\nEvery record is in the appendix.");
    }

    /// A list inside of the list.
    fn annotation(&self, said: &Said) -> String {
        let (at, actor) = (self.when.full(said.at), inline(&said.actor));
        let text = quotation(&said.text).replace('\n', "\n    ");
        format!("\n  - annotated by {actor}, {at}:\n    {text}")
    }

    fn detection(&mut self) {
        self.section("Detection");
        let said: Vec<String> = self.draft.detection.iter().map(|said| inline(said)).collect();
        self.list(said, "Nothing is known.");
        self.aside("detection");
    }

    fn changes(&mut self) {
        self.section("Changes made");
        if self.draft.changes.is_empty() {
            self.line("None.");
        }
        for (i, change) in self.draft.changes.iter().enumerate() {
            if i > 0 {
                self.line("");
            }
            let text = changes::change(change, &self.when);
            self.out.push_str(&text);
        }
    }

    fn deviations(&mut self) {
        self.section("Deviations from the runbook, and decisions");
        let said: Vec<String> =
            self.draft.deviations.iter().map(|one| self.deviation(one)).collect();
        self.list(said, "None.");
    }

    fn deviation(&self, Deviation { at, sentence, reason }: &Deviation) -> String {
        let at = at.map_or(String::new(), |at| format!("{}: ", self.when.full(at)));
        let reason = reason
            .as_ref()
            .map_or(String::new(), |why| format!(" (reason: {})", on_lines(why, "  ")));
        format!("{at}{}{reason}", on_lines(sentence, "  "))
    }

    fn guardrails(&mut self) {
        self.section("Guardrails");
        let said: Vec<String> = self
            .draft
            .guardrails
            .iter()
            .map(|guardrail| {
                let title = guardrail
                    .title
                    .as_ref()
                    .map_or(String::new(), |title| format!("{}, ", inline(title)));
                let stands = if guardrail.stands { "stands" } else { "does not stand" };
                let history: Vec<String> =
                    guardrail.history.iter().map(|said| inline(said)).collect();
                format!(
                    "{title}step {}: **{stands}**; {}",
                    code(&guardrail.step),
                    history.join("; ")
                )
            })
            .collect();
        self.list(said, "None.");
    }

    fn actions(&mut self) {
        self.section("Action items");
        if self.draft.actions.is_empty() {
            self.line("None.");
            return;
        }
        let rows = self.draft.actions.iter().map(|action| {
            let owner =
                if action.owner.is_empty() { "nobody yet".into() } else { inline(&action.owner) };
            let kind = kind(action.kind);
            let state = if action.suggested { "suggested" } else { "recorded" };
            vec![
                inline(&action.title),
                owner,
                inline(&action.due),
                kind.to_owned(),
                state.to_owned(),
            ]
        });
        let text = table(&["action", "owner", "due", "kind", ""], rows);
        self.out.push_str(&text);
    }

    fn doubts(&mut self) {
        self.section("Open doubts");
        let said: Vec<String> = self.draft.doubts.iter().map(|said| inline(said)).collect();
        self.list(said, "None.");
    }
}

pub(super) fn kind(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Prevent => "prevent",
        ActionKind::Detect => "detect",
        ActionKind::Mitigate => "mitigate",
        ActionKind::Process => "process",
    }
}
