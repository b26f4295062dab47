//! The kinds that change no data: ask, check, manual, decide, wait, comms, command.

use std::time::Duration;

use super::{Notes, template};
use crate::dialect::Dialect;
use crate::runbook::answer::whole;
use crate::runbook::{
    Action, AnswerType, Argv, Ask, CheckStep, Choice, CommandStep, Comms, Decide, EvidenceKind,
    Expect, Manual, Wait, WaitFor, Words,
};
use crate::source::{Table, quoted};
use crate::sql;

pub(super) fn ask(table: &Table<'_>, notes: &Notes) -> Action {
    let var = table.text("var");
    if !var.is_empty() && !sql::is_name(&var) {
        table.fault(
            "var",
            format!("`var` cannot be {}; write lower-case letters, digits and _, beginning with a letter.", quoted(&var)),
        );
    }
    if var == sql::CHUNK {
        table.fault(
            "var",
            "`chunk` is the name of the keys of a chunk; give the answer another name.",
        );
    }
    let mut vars = notes.vars.borrow_mut();
    if let Some((_, line)) = vars.iter().find(|(other, _)| *other == var) {
        table.fault(
            "var",
            format!("The answer `{var}` is already asked for in line {line}; give this one another name."),
        );
    }
    vars.push((var.clone(), table.spot("var").line()));
    let answer = answer_type(table);
    let default = table.optional_text("default");
    if let Some(default) = &default
        && !matches!(&answer, AnswerType::Choice(choices) if choices.is_empty())
        && let Err(wrong) = answer.takes(default)
    {
        table.fault("default", format!("The default {} is {wrong}.", quoted(default)));
    }
    Action::Ask(Ask { question: table.text("question"), var, answer, default })
}

fn answer_type(table: &Table<'_>) -> AnswerType {
    let words = ["text", "integer", "number", "date", "moment", "choice"];
    let word = table.one_of("type", &words.map(|word| (word, word)));
    if word != "choice" {
        table.elsewhere(
            "choices",
            format!("`choices` belong to type = \"choice\"; this answer is a {word}."),
        );
    }
    if word != "text" {
        table.elsewhere(
            "pattern",
            format!("A `pattern` belongs to type = \"text\"; this answer is a {word}."),
        );
    }
    if !["integer", "number"].contains(&word) {
        table.elsewhere(
            "min",
            format!("`min` belongs to type = \"integer\" or \"number\"; this answer is a {word}."),
        );
    }
    let min = || {
        let min = table.optional_whole("min", 0..=u64::from(u32::MAX));
        min.and_then(|min| u32::try_from(min).ok())
    };
    match word {
        "integer" => AnswerType::Integer { min: min() },
        "number" => AnswerType::Number { min: min() },
        "date" => AnswerType::Date,
        "moment" => AnswerType::Moment,
        "choice" => AnswerType::Choice(table.some_texts("choices")),
        _ => {
            let pattern = table.optional_text("pattern");
            if let Some(Err(error)) = pattern.as_deref().map(whole) {
                table
                    .fault("pattern", format!("The pattern is not a regular expression: {error}."));
            }
            AnswerType::Text { pattern }
        }
    }
}

const EXPECTED: [(Expect, &str); 2] = [(Expect::Clear, "clear"), (Expect::Violated, "violated")];

pub(super) fn check(table: &Table<'_>, notes: &Notes) -> Action {
    let [clear, violated] = EXPECTED;
    Action::Check(CheckStep {
        check: notes.check(table, "check"),
        expect: table
            .optional_one_of("expect", &[clear, violated, (Expect::Any, "any")])
            .unwrap_or_default(),
        every: table.optional_duration("every"),
    })
}

pub(super) fn manual(table: &Table<'_>, notes: &Notes) -> Action {
    Action::Manual(Manual {
        done_when: table.text("done_when"),
        evidence: table
            .optional_one_of(
                "evidence",
                &[
                    (EvidenceKind::None, "none"),
                    (EvidenceKind::Text, "text"),
                    (EvidenceKind::Url, "url"),
                    (EvidenceKind::Number, "number"),
                ],
            )
            .unwrap_or_default(),
        by_hand: table.per_dialect("by_hand", |text, dialect| {
            sql::split(text, dialect)
                .map(drop)
                .map_err(|refusal| crate::check::load::complaint(refusal, None))
        }),
        ddl_of: notes.checks(table, "ddl_of"),
    })
}

pub(super) fn decide(table: &Table<'_>, notes: &Notes) -> Action {
    let question = table.text("question");
    let there = table.need_table("option", "[[step.option]]");
    let options = table.tables("option", "an option", |option| {
        let goto = option.text("goto");
        notes.step("goto", &goto, option.spot("goto"));
        Choice { label: option.text("label"), goto, when: when(option, notes) }
    });
    if there && options.len() < 2 {
        table.fault(
            "option",
            "A decision needs at least two options; write another `[[step.option]]`.",
        );
    }
    Action::Decide(Decide { question, options })
}

/// `<check id> violated` or `<check id> clear`.
fn when(table: &Table<'_>, notes: &Notes) -> Option<(String, Expect)> {
    let text = table.optional_text("when")?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let expected = |word: &str| EXPECTED.iter().find(|(_, known)| *known == word);
    if let [check, word] = words[..]
        && let Some((expect, _)) = expected(word)
    {
        notes.checks.borrow_mut().push((check.to_owned(), table.spot("when")));
        return Some((check.to_owned(), *expect));
    }
    table.fault(
        "when",
        format!("`when` cannot be {}; write a check id and `violated` or `clear`.", quoted(&text)),
    );
    None
}

pub(super) fn wait(table: &Table<'_>, notes: &Notes) -> Action {
    let length = table.optional_duration("for");
    let until = match (table.has("until"), table.has("for")) {
        (true, false) => WaitFor::Check(notes.check(table, "until")),
        (false, true) => WaitFor::Time(length.unwrap_or_default()),
        (true, true) => {
            table.ignore("until");
            table.fault("for", "A wait has either `until` or `for`; delete one of them.");
            WaitFor::Time(Duration::ZERO)
        }
        (false, false) => {
            table.fault_here("A wait needs `until = \"check-id\"` or `for = \"5m\"`.");
            WaitFor::Time(Duration::ZERO)
        }
    };
    if let Some(length) = length {
        for key in ["every", "at_most", "on_timeout"] {
            table.elsewhere(
                key,
                format!("`{key}` belongs to a wait for a check, with `until`; this one ends with its time."),
            );
        }
        return Action::Wait(Wait { until, every: length, at_most: length, on_timeout: None });
    }
    let on_timeout = table.optional_text("on_timeout");
    if let Some(step) = &on_timeout {
        notes.step("on_timeout", step, table.spot("on_timeout"));
    }
    Action::Wait(Wait {
        until,
        every: table.duration_or("every", Duration::from_secs(30)),
        at_most: table.duration_or("at_most", Duration::from_mins(30)),
        on_timeout,
    })
}

pub(super) fn comms(table: &Table<'_>, notes: &Notes) -> Action {
    let next_update = table.optional_duration("next_update");
    let agreed = table.optional_text("template");
    if let Some(name) = agreed {
        if table.has("message") {
            table.ignore("message");
            table.fault("template", "A step has either `template` or words of its own under `[step.message]`; delete one of them.");
        }
        notes.messages.borrow_mut().push((name.clone(), table.spot("template")));
        return Action::Comms(Comms { next_update, words: Words::Agreed(name) });
    }
    table.need_table("message", "[step.message]");
    let words = table.table("message", "a message", template::texts);
    Action::Comms(Comms { next_update, words: Words::Own(words.unwrap_or_default()) })
}

/// What an argument may name: the target's database or file, a scratch beside it, the file of the
/// incident's backup, and what a client of MySQL reads its access from.
pub const PLACES: [&str; 5] = ["database", "file", "scratch", "backup", "client"];

pub(super) fn command(table: &Table<'_>, notes: &Notes) -> Action {
    let argv = argv(table);
    let same_as = table.optional_text("same_as");
    if let Some(step) = &same_as {
        notes.step("same_as", step, table.spot("same_as"));
    }
    let backup = table.optional_text("backup");
    // The access is laid out for the program alone.
    let files: Vec<&str> = PLACES.into_iter().filter(|place| *place != "client").collect();
    if let Some(name) = backup.as_deref().and_then(|text| unknown_place(text, &files)) {
        table.fault(
            "backup",
            format!("A backup knows no {{{name}}}; it knows {{{}}}.", files.join("}, {")),
        );
    }
    Action::Command(CommandStep {
        argv,
        timeout: table.duration_or("timeout", Duration::from_secs(30)),
        readonly: table.flag_or("readonly", false),
        backup,
        same_as,
    })
}

/// A list of words for every engine, or a table with one for each.
fn argv(table: &Table<'_>) -> Argv {
    let mut found = Argv::default();
    if table.is_table("argv") {
        table.table("argv", "`argv`", |texts| {
            for dialect in Dialect::ALL.into_iter().filter(|dialect| texts.has(dialect.key())) {
                found.by.insert(dialect, texts.argv(dialect.key()));
            }
            if texts.has("any") || found.by.is_empty() {
                found.any = Some(texts.argv("any"));
            }
        });
    } else {
        found.any = Some(table.argv("argv"));
    }
    for words in found.by.values().chain(&found.any) {
        if let Some(name) = words.iter().find_map(|word| unknown_place(word, &PLACES)) {
            table.fault(
                "argv",
                format!("A command knows no {{{name}}}; it knows {{{}}}.", PLACES.join("}, {")),
            );
        }
    }
    found
}

/// A name in braces that nobody fills.
fn unknown_place<'w>(word: &'w str, places: &[&str]) -> Option<&'w str> {
    let names =
        word.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let is_name =
        |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    names.filter(is_name).find(|name| !places.contains(name))
}
