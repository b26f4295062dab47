//! What every step has, whatever its kind; and which keys belong to which kind.

use super::{Notes, change, kind};
use crate::runbook::{Action, Required, Stage, Step};
use crate::source::{Table, list};

/// The keys that only some kinds have.
const KEYS: [(&str, &[&str]); 38] = [
    ("question", &["ask", "decide"]),
    ("var", &["ask"]),
    ("type", &["ask"]),
    ("choices", &["ask"]),
    ("pattern", &["ask"]),
    ("min", &["ask"]),
    ("default", &["ask"]),
    ("check", &["check"]),
    ("expect", &["check"]),
    ("every", &["check", "wait"]),
    ("done_when", &["manual"]),
    ("evidence", &["manual"]),
    ("option", &["decide"]),
    ("risk", &["change"]),
    ("cures", &["change"]),
    ("must_not_worsen", &["change"]),
    ("valid", &["change"]),
    ("statement", &["change"]),
    ("limits", &["change"]),
    ("chunks", &["change"]),
    ("until", &["wait"]),
    ("for", &["wait"]),
    ("at_most", &["wait"]),
    ("on_timeout", &["wait"]),
    ("next_update", &["comms"]),
    ("message", &["comms"]),
    ("template", &["comms"]),
    ("by_hand", &["manual"]),
    ("ddl_of", &["manual"]),
    ("argv", &["command"]),
    ("backup", &["command"]),
    ("same_as", &["command"]),
    ("timeout", &["command"]),
    ("readonly", &["command"]),
    ("apply", &["guard"]),
    ("probe", &["guard"]),
    ("rejects", &["guard"]),
    ("withdraw", &["guard"]),
];

pub(super) fn read(table: &Table<'_>, notes: &Notes) -> Step {
    let id = table.id("id");
    notes.ids.borrow_mut().push((id.clone(), table.spot("id")));
    let kinds = Action::KINDS.map(|kind| (kind, kind));
    let kind = table.need_one_of("kind", &kinds);
    if let Some(kind) = kind {
        table.call(&format!("a step of kind \"{kind}\""));
    }
    foreign_keys(table, kind);
    let needs = table.spotted_texts("needs");
    for (need, spot) in &needs {
        notes.step("needs", need, spot.clone());
    }
    let on_fail = table.optional_text("on_fail");
    if let Some(step) = &on_fail {
        notes.step("on_fail", step, table.spot("on_fail"));
    }
    let text_first = matches!(kind, Some("note" | "manual"));
    Step {
        id,
        title: table.text("title"),
        stage: table.optional_one_of("stage", &Stage::ALL),
        why: table.text_or("why", ""),
        text: if text_first { table.text("do") } else { table.text_or("do", "") },
        required: table
            .optional_one_of(
                "required",
                &[(Required::No, "no"), (Required::Run, "run"), (Required::Pass, "pass")],
            )
            .unwrap_or_default(),
        needs: needs.into_iter().map(|(need, _)| need).collect(),
        minutes: table.optional_whole("est", 1..=10_000).and_then(|est| u32::try_from(est).ok()),
        on_fail,
        action: match kind {
            None | Some("note") => Action::Note,
            Some("ask") => kind::ask(table, notes),
            Some("check") => kind::check(table, notes),
            Some("manual") => kind::manual(table, notes),
            Some("decide") => kind::decide(table, notes),
            Some("wait") => kind::wait(table, notes),
            Some("comms") => kind::comms(table, notes),
            Some("command") => kind::command(table, notes),
            Some("change") => change::change(table, notes),
            Some(_) => change::guard(table, notes),
        },
    }
}

/// A key of another kind is a step that was thought to be something else: name both.
fn foreign_keys(table: &Table<'_>, kind: Option<&str>) {
    for (key, owners) in KEYS {
        match kind {
            // Without a kind there is no telling which of them belong.
            None => table.ignore(key),
            Some(kind) if owners.contains(&kind) => {}
            Some(kind) => {
                let owners: Vec<String> = owners.iter().map(|kind| format!("\"{kind}\"")).collect();
                table.elsewhere(
                    key,
                    format!(
                        "`{key}` belongs to a step of kind {}; this one is of kind \"{kind}\".",
                        list(&owners, "or")
                    ),
                );
            }
        }
    }
}
