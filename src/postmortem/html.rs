//! A draft as one page that needs nothing else: no script, no font, no request. Everything that a
//! person or a database typed is text in it; the human parts are Markdown without HTML and without
//! anything that could be followed or fetched.

mod chart;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use minijinja::{AutoEscape, Environment, Value, context};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};

use super::draft::{Change, Draft, Line};
use super::markdown::kind;
use super::markdown::when::When;
use super::parts::{self, Part};
use crate::incident::entry::{Deed, Origin, verdict_words};
use crate::incident::metrics::words;
use crate::recovery::words::{key_words, show, show_pair};
use crate::recovery::{RowImage, TableHead, TableImages};
use crate::value::counted;
use crate::value::visible;

/// Rows of one table that a page shows.
const SHOWN: usize = 20;

/// The rows of a change, before and after, if they are to be on the page.
#[derive(Debug)]
pub struct Images {
    pub op: String,
    pub tables: Vec<TableImages>,
}

/// Writes a draft down as a page, with what people wrote into its text.
pub fn render(draft: &Draft, text: &str, images: &[Images], zone: &TimeZone) -> String {
    let when = When::new(zone);
    let drawn = chart::draw(draft);
    let (svg, of) = drawn.map_or((None, None), |(svg, of)| (Some(svg), Some(of)));
    let mut pages = Environment::new();
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    let added = pages.add_template("postmortem.html", include_str!("html/postmortem.html"));
    added.expect("the template is tested");
    let page = pages.get_template("postmortem.html").and_then(|template| {
        template.render(context! {
            ..head(draft, &when),
            ..facts(draft, &when),
            ..record(draft, &when),
            ..context! {
                svg, chart_of => of.as_deref().map(shown),
                parts => parts::parts(text).iter().map(part).collect::<Value>(),
                kept => parts::kept(text).map(|kept| markdown(&kept)),
                changes => changes(draft, images, &when),
            },
        })
    });
    page.expect("the template is tested")
}

fn shown(text: &str) -> String {
    visible::text(text).into_owned()
}

fn head(draft: &Draft, when: &When<'_>) -> Value {
    let target = draft.target.as_ref().map(|target| {
        context! {
            name => shown(&target.name), environment => shown(&target.environment),
            engine => shown(&target.engine()),
            server => target.is_met().then(|| shown(&target.server)),
        }
    });
    context! {
        incident => shown(&draft.incident), title => shown(&draft.title),
        summary => shown(&draft.summary), drill => draft.drill, demo => draft.demo,
        severity => draft.severity.map(|severity| severity.to_string()), target,
        runbook => context! { id => shown(&draft.runbook.id), sha256 => shown(&draft.runbook.sha256) },
        opened => when.maybe(draft.opened),
        closed => draft.closed.map(|at| when.full(at)),
        head => context! { seq => draft.head.seq, hash => shown(&draft.head.hash) },
    }
}

fn facts(draft: &Draft, when: &When<'_>) -> Value {
    let impact: Value = draft
        .impact
        .checks
        .iter()
        .map(|measure| {
            context! {
                check => shown(&measure.check),
                first => shown(&verdict_words(&measure.first)), first_at => when.full(measure.first_at),
                last => shown(&verdict_words(&measure.last)), last_at => when.full(measure.last_at),
                is_clear => measure.last.is_clear(),
            }
        })
        .collect();
    let milestones: Value = draft
        .milestones
        .iter()
        .map(|one| {
            let by = match one.origin {
                Some(Origin::Auto) => "the program",
                Some(Origin::Human) => "a person",
                None => "",
            };
            context! { word => one.milestone, at => when.maybe(one.at), by }
        })
        .collect();
    let times: Value = draft
        .times
        .iter()
        .map(|time| {
            let value = time.seconds.map(|seconds| words(SignedDuration::from_secs(seconds)));
            context! { name => time.name, value, definition => time.definition }
        })
        .collect();
    let comparison: Value = draft
        .comparison
        .numbers
        .iter()
        .map(|one| {
            context! {
                name => shown(&one.name), before => shown(&one.before), after => shown(&one.after),
                definition => one.definition,
            }
        })
        .collect();
    context! {
        impact, milestones, times, comparison,
        rows_written => counted(draft.impact.rows_written, "row"),
        rows_taken_back => draft.impact.rows_taken_back,
        rows_hidden => draft.impact.hidden_words(),
        previews => draft.previews, drifts => draft.drifts,
        recurrence => shown(&draft.comparison.recurrence),
        detection => draft.detection.iter().map(|said| shown(said)).collect::<Value>(),
        notes => draft.notes.iter().map(|note| context! {
            kind => note.kind.word(), text => shown_lines(&note.text), at => when.full(note.at),
        }).collect::<Value>(),
    }
}

fn record(draft: &Draft, when: &When<'_>) -> Value {
    let deviations: Value = draft
        .deviations
        .iter()
        .map(|one| {
            context! {
                at => one.at.map(|at| when.full(at)), sentence => shown(&one.sentence),
                reason => one.reason.as_deref().map(shown),
            }
        })
        .collect();
    let guardrails: Value = draft
        .guardrails
        .iter()
        .map(|one| {
            context! {
                title => shown(one.title.as_deref().unwrap_or(&one.step)), stands => one.stands,
                history => one.history.iter().map(|said| shown(said)).collect::<Value>(),
            }
        })
        .collect();
    let actions: Value = draft
        .actions
        .iter()
        .map(|one| {
            context! {
                title => shown(&one.title), owner => shown(&one.owner), due => shown(&one.due),
                kind => kind(one.kind), suggested => one.suggested,
            }
        })
        .collect();
    let updates: Value = draft
        .updates
        .iter()
        .map(|one| {
            context! {
                at => when.full(one.at), actor => shown(&one.actor), audience => shown(&one.audience),
                text => shown_lines(&one.text), next => one.next_update.map(|due| when.full(due)),
                head => shown(&one.head),
            }
        })
        .collect();
    let calls: Value = draft
        .calls
        .iter()
        .map(|one| {
            context! {
                who => shown(&one.who), at => one.at.map(|at| when.full(at)),
                due => one.due.map(|due| when.full(due)),
            }
        })
        .collect();
    let controls: Value = draft
        .controls
        .iter()
        .map(|one| {
            context! {
                name => shown(&one.name), title => one.title.as_deref().map(shown),
                violated => one.violated, by => shown(&one.by.join(", ")),
                places => shown(&one.places.join(", ")),
            }
        })
        .collect();
    let files = draft.evidence.iter().chain(&draft.exports);
    context! {
        timeline => draft.timeline.iter().map(|one| line(one, when)).collect::<Value>(),
        deviations, guardrails, actions, updates, calls, controls,
        doubts => draft.doubts.iter().map(|said| shown(said)).collect::<Value>(),
        evidence => files.map(|one| context! { file => shown(&one.file), sha256 => shown(&one.sha256) })
            .collect::<Value>(),
    }
}

fn line(one: &Line, when: &When<'_>) -> Value {
    let annotations: Value = one
        .annotations
        .iter()
        .map(|said| {
            context! {
                at => when.full(said.at), actor => shown(&said.actor), text => shown_lines(&said.text),
            }
        })
        .collect();
    context! {
        seq => one.seq, at => when.full(one.at), clock => one.at.strftime("%H:%M:%S").to_string(),
        day => one.at.strftime("%Y-%m-%d").to_string(),
        late => one.recorded.map(|at| when.full(at)), actor => shown(&one.actor), kind => one.kind,
        sentence => shown_lines(&one.sentence), narrative => one.narrative, pinned => one.pinned,
        hash => one.hash.get(..12), annotations,
    }
}

fn changes(draft: &Draft, images: &[Images], when: &When<'_>) -> Value {
    draft.changes.iter().map(|one| change(one, images, when)).collect()
}

fn change(one: &Change, images: &[Images], when: &When<'_>) -> Value {
    let what = match &one.deed {
        Deed::Undo { of } => format!("undo of {of}"),
        deed => deed.word().to_owned(),
    };
    let tables: Value = one
        .tables
        .iter()
        .map(|written| {
            context! {
                table => shown(&written.table), direct => written.direct.words(),
                hidden => written.hidden.words(),
            }
        })
        .collect();
    let statements = one.statements.iter();
    let statements: Value = statements
        .map(|sent| context! { note => shown(&sent.note), sql => shown_lines(&sent.sql) })
        .collect();
    let images = images.iter().find(|images| images.op == one.op);
    let verified = one.verified.map(|sound| if sound { "as expected" } else { "FAILED" });
    context! {
        op => shown(&one.op), what, title => shown(one.title.as_deref().unwrap_or(&one.step)),
        outcome => one.outcome, committed => one.outcome == "COMMITTED", why => shown(&one.why),
        ended => one.ended.map(|at| when.full(at)), rows => one.rows_words(), tables, statements,
        part => one.tables_words(),
        by => shown(&one.approved_by), typed => shown(&one.typed),
        approved => one.approved.map(|at| when.full(at)), verified,
        undo => shown(&one.undo), undone => one.undone,
        left_alone => one.left_alone,
        undo_file => one.undo_file.as_ref().map(|file| shown(&file.file)),
        diffs => images.map(|images| images.tables.iter().map(diff).collect::<Value>()),
    }
}

/// The first rows of a table: what was, and what it became.
fn diff(images: &TableImages) -> Value {
    let TableHead { table, key, columns, hidden, .. } = &images.head;
    let rows: Value =
        images.rows.seen().take(SHOWN).map(|row| row_diff(key, columns, row)).collect();
    let more = images.rows.len().saturating_sub(SHOWN as u64);
    context! { table => shown(table), hidden => *hidden, rows, more }
}

fn row_diff(key: &[String], columns: &[String], row: &RowImage) -> Value {
    let cell = |at: usize, before: Option<String>, after: Option<String>| {
        context! { column => shown(&columns[at]), before, after }
    };
    let all = |values: &[crate::value::Value]| -> Vec<String> {
        values.iter().map(|value| shown(&show(value))).collect()
    };
    let (sign, cells): (&str, Value) = match (&row.before, &row.after) {
        (Some(before), Some(after)) => {
            let one = |at: usize| {
                let (before, after) = show_pair(&before[at], &after[at]);
                cell(at, Some(shown(&before)), Some(shown(&after)))
            };
            ("changed", row.changed().into_iter().map(one).collect())
        }
        (None, Some(after)) => {
            let after = all(after);
            let one = |at: usize| cell(at, None, Some(after[at].clone()));
            ("added", (0..after.len().min(columns.len())).map(one).collect())
        }
        (Some(before), None) => {
            let before = all(before);
            let one = |at: usize| cell(at, Some(before[at].clone()), None);
            ("removed", (0..before.len().min(columns.len())).map(one).collect())
        }
        (None, None) => ("unknown", Value::from(Vec::<Value>::new())),
    };
    context! { key => shown(&key_words(key, &row.key)), sign, cells }
}

fn part(part: &Part) -> Value {
    let html = (!part.text.trim().is_empty()).then(|| markdown(&part.text));
    context! {
        name => part.name, title => part.title, prompt => part.prompt,
        required => part.required, html,
    }
}

/// Several lines as they are; the page keeps their breaks.
fn shown_lines(text: &str) -> String {
    text.lines().map(|line| shown(line.trim_end_matches('\r'))).collect::<Vec<_>>().join("\n")
}

/// Markdown of a person as HTML. Raw HTML is shown as text; where links and pictures lead stands
/// beside their words.
fn markdown(text: &str) -> String {
    let text = shown_lines(text);
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES;
    let mut to: Vec<String> = Vec::new();
    let events = Parser::new_ext(&text, options).flat_map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => vec![Event::Text(html)],
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            to.push(dest_url.to_string());
            Vec::new()
        }
        Event::End(TagEnd::Link | TagEnd::Image) => {
            let to = to.pop().unwrap_or_default();
            vec![Event::Text(CowStr::from(" (")), Event::Code(to.into()), Event::Text(")".into())]
        }
        other => vec![other],
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

#[cfg(test)]
mod tests;
