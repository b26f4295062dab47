//! `JUnit` XML: a test suite a target, a test case a check.
//!
//! A violation is a failure, a check that could not see is an error, one that was switched off is
//! skipped. XML cannot hold control characters even escaped, so they are made visible first.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::{Outcome, Totals, text};
use crate::check::{Check, Verdict};
use crate::exit::Exit;
use crate::incident::entry::verdict_words;
use crate::source::shell_word;
use crate::value::visible;

/// A target, its outcomes, and the checks that were switched off there.
pub type Suite<'a> = (&'a str, &'a [Outcome], &'a [Check]);

pub fn page(suites: &[Suite<'_>], totals: &Totals) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing into memory cannot fail.
    let _ = document(&mut xml, suites, totals);
    let mut page = String::from_utf8_lossy(&xml.into_inner()).into_owned();
    page.push('\n');
    page
}

type Xml = Writer<Vec<u8>>;

fn document(xml: &mut Xml, suites: &[Suite<'_>], totals: &Totals) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all = |wanted: &[Exit]| {
        suites
            .iter()
            .flat_map(|(_, outcomes, _)| outcomes.iter())
            .filter(|one| wanted.contains(&one.exit()))
            .count()
    };
    let disabled: usize = suites.iter().map(|(.., disabled)| disabled.len()).sum();
    let mut root = BytesStart::new("testsuites");
    root.push_attribute(("name", "steadyhand"));
    number(&mut root, "tests", totals.checks + disabled);
    number(&mut root, "failures", all(&[Exit::Violated, Exit::Warning]));
    number(&mut root, "errors", all(&[Exit::Inconclusive]));
    root.push_attribute(("time", seconds(totals.seconds).as_str()));
    xml.write_event(Event::Start(root))?;
    for suite in suites {
        target(xml, suite)?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuites")))
}

fn target(xml: &mut Xml, (name, outcomes, disabled): &Suite<'_>) -> io::Result<()> {
    let count =
        |wanted: &[Exit]| outcomes.iter().filter(|one| wanted.contains(&one.exit())).count();
    let mut start = BytesStart::new("testsuite");
    start.push_attribute(("name", plain(name).as_ref()));
    number(&mut start, "tests", outcomes.len() + disabled.len());
    number(&mut start, "failures", count(&[Exit::Violated, Exit::Warning]));
    number(&mut start, "errors", count(&[Exit::Inconclusive]));
    number(&mut start, "skipped", disabled.len());
    let spent: f64 = outcomes.iter().map(|one| one.finding.seconds).sum();
    start.push_attribute(("time", seconds(spent).as_str()));
    if let Some(at) = outcomes.iter().find_map(|one| one.snapshot) {
        start.push_attribute(("timestamp", at.strftime("%Y-%m-%dT%H:%M:%S").to_string().as_str()));
    }
    xml.write_event(Event::Start(start))?;
    for one in *outcomes {
        let start = case(name, &one.check, one.finding.seconds);
        let (tag, kind) = match one.exit() {
            Exit::Violated | Exit::Warning => ("failure", one.check.severity.key()),
            Exit::Inconclusive => ("error", "inconclusive"),
            _ => {
                xml.write_event(Event::Empty(start))?;
                continue;
            }
        };
        xml.write_event(Event::Start(start))?;
        let words = match (&one.ruling, &one.finding.verdict) {
            (Some(ruling), _) => ruling.to_string(),
            (None, Verdict::Inconclusive { reason }) => reason.clone(),
            (None, verdict) => verdict_words(verdict),
        };
        let mut told = vec![one.check.rule.clone()];
        told.extend(text::named(one));
        told.extend(one.check.runbook.iter().map(|id| open_with(id, &one.address)));
        element(xml, tag, kind, &format!("{}: {words}", one.check.title), &told.join("\n"))?;
        xml.write_event(Event::End(BytesEnd::new("testcase")))?;
    }
    for check in *disabled {
        xml.write_event(Event::Start(case(name, check, 0.0)))?;
        let mut skipped = BytesStart::new("skipped");
        let reason = check.disabled.as_deref().unwrap_or_default();
        skipped.push_attribute(("message", plain(reason).as_ref()));
        xml.write_event(Event::Empty(skipped))?;
        xml.write_event(Event::End(BytesEnd::new("testcase")))?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuite")))
}

/// The command that goes from a finding to its runbook.
pub fn open_with(runbook: &str, address: &str) -> String {
    format!("steadyhand open {runbook} --target {}", shell_word(address))
}

fn case<'e>(target: &str, check: &Check, spent: f64) -> BytesStart<'e> {
    let mut start = BytesStart::new("testcase");
    let class =
        if check.pack.is_empty() { target.to_owned() } else { format!("{target}.{}", check.pack) };
    start.push_attribute(("classname", plain(&class).as_ref()));
    start.push_attribute(("name", plain(&check.id).as_ref()));
    start.push_attribute(("time", seconds(spent).as_str()));
    start
}

fn element(xml: &mut Xml, tag: &str, kind: &str, message: &str, body: &str) -> io::Result<()> {
    let mut start = BytesStart::new(tag);
    start.push_attribute(("type", kind));
    start.push_attribute(("message", plain(message).as_ref()));
    xml.write_event(Event::Start(start))?;
    let lines: Vec<Cow<'_, str>> = body.lines().map(plain).collect();
    xml.write_event(Event::Text(BytesText::new(&lines.join("\n"))))?;
    xml.write_event(Event::End(BytesEnd::new(tag)))
}

fn number(start: &mut BytesStart<'_>, name: &str, n: usize) {
    start.push_attribute((name, n.to_string().as_str()));
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3}")
}

fn plain(text: &str) -> Cow<'_, str> {
    visible::text(text)
}
