//! The kinds that write: a change of rows, and a guardrail with its proof and its way back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Notes;
use crate::check::load::complaint;
use crate::dialect::{Dialect, PerDialect};
use crate::runbook::{Action, Change, Chunks, Guard, Limits, Risk, Statement};
use crate::source::{Complaint, Table, did_you_mean, quoted};
use crate::sql;

pub(super) fn change(table: &Table<'_>, notes: &Notes) -> Action {
    let risk = table.one_of("risk", &[(Risk::Low, "low"), (Risk::High, "high")]);
    let cures = notes.checks(table, "cures");
    let must_not_worsen = notes.checks(table, "must_not_worsen");
    if cures.is_empty() && must_not_worsen.is_empty() {
        table.fault_here(
            "A change needs a check that proves it; name one in `cures` or `must_not_worsen`.",
        );
    }
    if let Some((check, spot)) =
        table.spotted_texts("must_not_worsen").into_iter().find(|(check, _)| cures.contains(check))
    {
        table.add(spot.fault(format!("{} is in `cures` already; delete it here.", quoted(&check))));
    }
    table.need_table("statement", "[[step.statement]]");
    let is_mass = table.has("chunks");
    let statements = table.tables("statement", "a statement", |statement| Statement {
        note: statement.text("note"),
        sql: statement.dialects(|text, dialect| {
            if is_mass { write_chunk(text, dialect, notes) } else { write(text, dialect, notes) }
        }),
    });
    let chunks = chunks(table, notes);
    let texts: Vec<&PerDialect> = statements.iter().map(|statement| &statement.sql).collect();
    if let Some(chunks) = &chunks
        && let Some((dialect, _)) = gap(&[&texts[..], &[&chunks.keys]].concat())
        && gap(&texts).is_none()
    {
        table.fault(
            "chunks",
            format!("The keys and the statements are not there for the same engines; both must have a text for {dialect}."),
        );
    }
    if let Some((dialect, place)) = gap(&texts) {
        table.fault(
            "statement",
            format!("Statement {} has no text for {dialect}, which another one has; write it for all engines or for none.", place + 1),
        );
    }
    Action::Change(Change {
        risk,
        statements,
        cures,
        must_not_worsen,
        valid: table.duration_or("valid", Duration::from_mins(10)),
        limits: limits(table),
        chunks,
    })
}

/// How a change is cut into chunks, if it is.
fn chunks(table: &Table<'_>, notes: &Notes) -> Option<Chunks> {
    table.table("chunks", "the chunks of a change", |chunks| {
        let key = chunks.text("key");
        if key.contains([',', ' ', '(']) {
            chunks.fault(
                "key",
                "A chunk is made of the values of one column; name one that tells the rows apart, or leave the change in one transaction.",
            );
        }
        let keys = chunks.need_per_dialect("keys", "[step.chunks.keys]", |text, dialect| {
            sql::read(text, dialect).map_err(|refusal| {
                complaint(refusal, Some("Write one SELECT of the keys, in their order."))
            })?;
            answered(text, dialect, notes)
        });
        let most = chunks.optional_whole("most", 1..=50_000).unwrap_or(50_000);
        let size = chunks.optional_whole("size", 1..=50_000).unwrap_or(most.min(1_000));
        if size > most {
            chunks.fault("size", "`size` is more than `most`; the first chunk is no larger than the others.");
        }
        Chunks { key, keys, size, most }
    })
}

/// How many rows a change may touch has no default: somebody must have thought about it.
fn limits(table: &Table<'_>) -> Limits {
    table.need_table("limits", "[step.limits]");
    let limits = table.table("limits", "the limits of a change", |limits| {
        let found = Limits {
            max_rows: limits.whole("max_rows", 1..=1_000_000_000),
            time_cap: limits.duration_or("time_cap", Duration::from_secs(30)),
            lock_wait: limits.duration_or("lock_wait", Duration::from_secs(2)),
            max_blocked: limits.optional_whole("max_blocked", 0..=10_000).unwrap_or(3),
        };
        if found.lock_wait > found.time_cap {
            limits.fault(
                "lock_wait",
                "`lock_wait` is longer than `time_cap`, which ends it anyway; write less.",
            );
        }
        found
    });
    limits.unwrap_or(Limits {
        max_rows: 0,
        time_cap: Duration::ZERO,
        lock_wait: Duration::ZERO,
        max_blocked: 0,
    })
}

pub(super) fn guard(table: &Table<'_>, notes: &Notes) -> Action {
    let guard = Guard {
        apply: table.need_per_dialect("apply", "[step.apply]", |text, dialect| {
            let applied = define(text, dialect, notes)?;
            applied.iter().try_for_each(sql::Definition::introduces).map_err(Complaint::new)
        }),
        probe: table
            .need_per_dialect("probe", "[step.probe]", |text, dialect| write(text, dialect, notes)),
        rejects: table.need_per_dialect("rejects", "[step.rejects]", |_, _| Ok(())),
        withdraw: table.need_per_dialect("withdraw", "[step.withdraw]", |text, dialect| {
            define(text, dialect, notes).map(drop)
        }),
    };
    let texts = [&guard.apply, &guard.probe, &guard.rejects, &guard.withdraw];
    let names = ["apply", "probe", "rejects", "withdraw"];
    if texts.iter().all(|texts| !texts.is_empty())
        && let Some((dialect, place)) = gap(&texts)
    {
        let name = names[place];
        table.fault(
            name,
            format!("`{name}` has no text for {dialect}, which another part of the guard has; a guardrail is applied, proved and withdrawn on the same engine."),
        );
    }
    if table.is_judged() {
        ways_back(table, &guard);
    }
    Action::Guard(guard)
}

/// A withdrawal takes back what was applied, and nothing else.
fn ways_back(table: &Table<'_>, guard: &Guard) {
    let mut told: BTreeMap<&str, String> = BTreeMap::new();
    for dialect in Dialect::ALL {
        let (Some(apply), Some(withdraw)) = (guard.apply.get(dialect), guard.withdraw.get(dialect))
        else {
            continue;
        };
        // Texts that are no definitions were reported where they stand.
        let (Ok(applied), Ok(withdrawn)) =
            (sql::definitions(apply, dialect), sql::definitions(withdraw, dialect))
        else {
            continue;
        };
        let exact = withdrawn.iter().try_for_each(|withdrawn| withdrawn.withdraws(&applied));
        if let Err(sentence) = exact {
            told.entry(withdraw).or_insert(sentence);
        }
    }
    table.table("withdraw", "`withdraw`", |texts| {
        for (key, text) in guard.withdraw.texts() {
            if let Some(sentence) = told.get(text) {
                texts.complain(key, text, Complaint::new(sentence.clone()));
            }
        }
        for dialect in Dialect::ALL {
            texts.ignore(dialect.key());
        }
        texts.ignore("any");
    });
}

/// An engine that one text is written for and another is not: the first such gap.
fn gap(texts: &[&PerDialect]) -> Option<(Dialect, usize)> {
    let meant = |dialect: &Dialect| texts.iter().any(|texts| texts.by.contains_key(dialect));
    Dialect::ALL.into_iter().filter(meant).find_map(|dialect| {
        let place = texts.iter().position(|texts| texts.get(dialect).is_none())?;
        Some((dialect, place))
    })
}

fn write(text: &str, dialect: Dialect, notes: &Notes) -> Result<(), Complaint> {
    sql::write(text, dialect)
        .map_err(|refusal| complaint(refusal, Some("Write one INSERT, UPDATE or DELETE.")))?;
    answered(text, dialect, notes)
}

/// The same for a statement that runs once for each chunk.
fn write_chunk(text: &str, dialect: Dialect, notes: &Notes) -> Result<(), Complaint> {
    sql::write(text, dialect)
        .map_err(|refusal| complaint(refusal, Some("Write one INSERT, UPDATE or DELETE.")))?;
    sql::chunked(text, dialect).map_err(|refusal| complaint(refusal, None))?;
    known(text, dialect, notes, &[sql::CHUNK])
}

fn define(text: &str, dialect: Dialect, notes: &Notes) -> Result<Vec<sql::Definition>, Complaint> {
    let defined = sql::definitions(text, dialect).map_err(|refusal| complaint(refusal, None))?;
    answered(text, dialect, notes)?;
    Ok(defined)
}

/// Every `:name` must be the answer of an earlier step.
fn answered(text: &str, dialect: Dialect, notes: &Notes) -> Result<(), Complaint> {
    known(text, dialect, notes, &[])
}

/// The same where these names are known besides.
fn known(text: &str, dialect: Dialect, notes: &Notes, more: &[&str]) -> Result<(), Complaint> {
    let places = sql::places(text, dialect).map_err(|refusal| complaint(refusal, None))?;
    let vars = notes.vars.borrow();
    let mut places = places.into_iter().filter(|(name, _)| !more.contains(&name.as_str()));
    let unknown = places.find(|(name, _)| !vars.iter().any(|(var, _)| var == name));
    unknown.map_or(Ok(()), |(name, part)| {
        if name == sql::CHUNK {
            let sentence = "`:chunk` needs `[step.chunks]`, which says how the change is cut.";
            return Err(Complaint::new(sentence.to_owned()).over(part));
        }
        let mut complaint =
            Complaint::new(format!("No step before this one asks for `:{name}`.")).over(part);
        complaint.suggestion =
            Some(match did_you_mean(&name, vars.iter().map(|(var, _)| var.as_str())) {
                Some(near) => format!("Did you mean `:{near}`?"),
                None => format!("Write a step of kind \"ask\" with var = \"{name}\" before it."),
            });
        Err(complaint)
    })
}
