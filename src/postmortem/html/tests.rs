#![allow(clippy::unwrap_used)]
use quick_xml::events::Event as Xml;
use quick_xml::reader::Reader;

use super::*;
use crate::check::{Count, Severity, Verdict};
use crate::dialect::Dialect;
use crate::incident::Incident;
use crate::incident::chain::{self, Head};
use crate::incident::entry::{Entry, Milestone, NoteKind, TargetSeen};
use crate::postmortem::{self, Around};
use crate::practice::Practice;
use crate::recovery::Gather;
use crate::value::Value as Sql;

/// What a person or a database may have written anywhere.
const HOSTILE: &str = "<script src=\"https://evil/x.js\">alert(1)</script> & ' \" --> ]]> \u{1b}[31m \u{202e}x {{ 7*7 }} <img src=x onerror=y>";

fn incident() -> (Incident, Head) {
    let at = "2026-11-21T02:00:00Z".parse().unwrap();
    let mut head = Head::default();
    let mut records = Vec::new();
    let target = TargetSeen {
        name: HOSTILE.into(),
        url: HOSTILE.into(),
        dialect: Dialect::Sqlite,
        environment: HOSTILE.into(),
        server: HOSTILE.into(),
        version: HOSTILE.into(),
    };
    let violated = |n| Entry::Checked {
        step: None,
        check: HOSTILE.into(),
        verdict: Verdict::from_count(Count::Exact(n)),
        seconds: 0.1,
        delta: None,
        sample: None,
    };
    let entries = vec![
        Entry::Opened {
            incident: "INC-0001".into(),
            runbook: HOSTILE.into(),
            runbook_sha256: "00".into(),
            title: HOSTILE.into(),
            severity: Severity::Sev2,
            target,
            program: "x".into(),
            host: "x".into(),
            demo: false,
        },
        Entry::Milestone { which: Milestone::Detected, at, origin: Origin::Auto },
        violated(12),
        Entry::Note { at, note: NoteKind::Luck, text: format!("{HOSTILE}\n{HOSTILE}") },
        Entry::Annotated { record: 4, text: HOSTILE.into() },
        Entry::Pinned { record: 1 },
        Entry::StepSkipped { step: HOSTILE.into(), reason: HOSTILE.into() },
        violated(0),
        Entry::Closed { violations: None },
    ];
    for (n, entry) in entries.into_iter().enumerate() {
        let at = at + SignedDuration::from_mins(i64::try_from(n).unwrap());
        let (_, record) = chain::seal(&head, at, HOSTILE, entry);
        head = Head { seq: record.seq, hash: record.hash.clone() };
        records.push(record);
    }
    (Incident::replay("INC-0001", &records), head)
}

fn page(written: &str) -> String {
    let (incident, head) = incident();
    let practice = Practice::default();
    let around = Around { runbook: None, practice: &practice, all: &[] };
    let draft = Draft::of(&incident, around, &head);
    let text = postmortem::write(&draft, None, &TimeZone::UTC);
    let text = postmortem::replace_part(&text, "surprise", written);
    render(&draft, &text, &[], &TimeZone::UTC)
}

/// Every element with its attributes, in their order; the page must be well-formed.
fn elements(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_end_names = true;
    let (mut found, mut depth) = (Vec::new(), 0);
    loop {
        let event = reader.read_event().unwrap_or_else(|error| {
            let at = usize::try_from(reader.buffer_position()).unwrap();
            panic!("{error} at: {}", &page[at.saturating_sub(200)..(at + 50).min(page.len())])
        });
        let tag = match &event {
            Xml::Start(tag) => {
                depth += 1;
                tag
            }
            Xml::Empty(tag) => tag,
            Xml::End(_) => {
                depth -= 1;
                continue;
            }
            Xml::Eof => break,
            _ => continue,
        };
        let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
        let attributes = tag
            .attributes()
            .map(|one| {
                let one = one.unwrap();
                let key = String::from_utf8(one.key.as_ref().to_vec()).unwrap();
                (key, String::from_utf8_lossy(&one.value).into_owned())
            })
            .collect();
        found.push((name, attributes));
    }
    assert_eq!(depth, 0, "every element is closed");
    found
}

#[test]
fn the_page_is_well_formed_and_fetches_and_runs_nothing() {
    let page = page(&format!(
        "# {HOSTILE}\n\n{HOSTILE}\n\n[a](https://evil/) ![b](https://evil/c.png)\n\n| a |\n|---|\n| **b** |\n"
    ));
    let elements = elements(&page);
    for (name, attributes) in &elements {
        assert!(
            !["script", "img", "link", "iframe", "object", "embed", "a", "form", "base"]
                .contains(&name.as_str()),
            "{name}"
        );
        for (key, value) in attributes {
            assert!(!key.starts_with("on"), "{name} {key}");
            let leads = ["href", "src", "srcset", "action", "data", "xlink:href", "style"];
            assert!(!leads.contains(&key.as_str()), "{name} {key}={value}");
        }
    }
    let has = |name: &str| elements.iter().any(|(found, _)| found == name);
    assert!(has("svg") && has("table") && has("ol") && has("time"), "{page}");
    let css = page.split("</style>").next().unwrap();
    assert!(!css.contains("url(") && !css.contains("@import") && !css.contains("@font-face"));
    assert!(css.contains("@media print") && css.contains("prefers-color-scheme: dark"));
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn what_was_typed_is_text_and_steers_nothing() {
    let page = page("<b onclick=x>mine</b> **mine**");
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b onclick"));
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
    assert!(!page.contains("49 ") && page.contains("{{ 7*7 }}"), "a template is no template");
    assert!(page.contains("&lt;script"));
    assert!(page.contains("&lt;b onclick=x&gt;mine&lt;/b&gt; <strong>mine</strong>"), "{page}");
    // The pinned record and what was said about the note.
    assert!(page.contains("<li class=\"pinned\">") && page.contains("annotated by"));
}

#[test]
fn a_part_that_nobody_wrote_asks_its_question() {
    let page = page("");
    assert!(page.contains("What did you believe about the system that was not so?"));
    assert!(page.contains("still to be written"));
}

#[test]
fn rows_are_on_the_page_only_if_they_are_handed_in() {
    let mut gather = Gather::default();
    for id in 0..30 {
        let of = |text: &str| Some(vec![Sql::Integer(id), Sql::Text(text.into())]);
        gather
            .push(RowImage { key: vec![Sql::Integer(id)], before: of("old"), after: of(HOSTILE) })
            .unwrap();
    }
    let head = TableHead {
        table: HOSTILE.into(),
        key: vec!["id".into()],
        columns: vec!["id".into(), HOSTILE.into()],
        hidden: true,
        ..TableHead::default()
    };
    let diff = diff(&TableImages { head, rows: gather.finish().unwrap() });
    let rows = diff.get_attr("rows").unwrap();
    assert_eq!(rows.len(), Some(SHOWN));
    assert_eq!(diff.get_attr("more").unwrap().to_string(), "10");
    let cell = rows.get_item(&Value::from(0)).unwrap().get_attr("cells").unwrap();
    assert_eq!(cell.len(), Some(1), "what did not change is folded away");
}
