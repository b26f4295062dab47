//! A journal without what could hold a row, whose chain can still be checked.
//!
//! Times, people, steps, counts, digests and the words of the format stay; every other text goes. A
//! record that lost something says so and keeps the hash it had. None can be left out: the numbers of
//! the others are proved. The hash of the last of a stretch is proved too, by the whole record behind
//! it; what a stretch says is not, and whoever reads is told how many records that are. What may stay
//! is listed, not what must go, so that a text of a later version goes by itself.

use serde_json::Value;

/// Texts under these names are the format's own, or name no row.
const KEPT: [&str; 59] = [
    "seq",
    "prev",
    "hash",
    "at",
    "actor",
    "kind",
    "incident",
    "runbook",
    "runbook_sha256",
    "severity",
    "name",
    "url",
    "dialect",
    "environment",
    "server",
    "version",
    "program",
    "host",
    "step",
    "from",
    "to",
    "which",
    "origin",
    "note",
    "var",
    "check",
    "is",
    "file",
    "sha256",
    "format",
    "path",
    "op",
    "deed",
    "of",
    "fingerprint",
    "expires",
    "outcome",
    "pacing",
    "action",
    "goto",
    "audience",
    "next_update",
    "who",
    "login",
    "due",
    "grade",
    "mark",
    "writes",
    "hidden",
    "checks",
    "approval",
    "high_risk",
    "words",
    "signer",
    "signer_key",
    "signers_sha256",
    "review_due",
    "begins",
    "until",
];
/// Under these they are so in one place only, named by the kind of the entry or by the name that it
/// stands under; elsewhere a person typed them.
const KEPT_THERE: [(&str, &str); 2] = [("opened", "title"), ("deed", "what")];
const KEPT_OF_METRICS: [&str; 4] = ["level", "value", "unit", "threshold"];
const GONE: &str = "(redacted)";

/// The line of a record without its rows; none if there is nothing in it that must go.
pub fn line(line: &str) -> Option<String> {
    let mut record: Value = serde_json::from_str(line).ok()?;
    let mut lost = false;
    for (key, value) in record.as_object_mut()? {
        strip("record", key, value, &mut lost);
    }
    if !lost {
        return None;
    }
    let members = record.as_object_mut()?;
    let hash = members.shift_remove("hash")?;
    members.insert("redacted".into(), true.into());
    members.insert("hash".into(), hash);
    serde_json::to_string(&record).ok()
}

fn strip(place: &str, key: &str, value: &mut Value, lost: &mut bool) {
    match value {
        Value::String(text) => {
            let stays = KEPT.contains(&key)
                || KEPT_OF_METRICS.contains(&key)
                || KEPT_THERE.contains(&(place, key))
                || text.is_empty();
            if !stays {
                GONE.clone_into(text);
                *lost = true;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| strip(place, key, item, lost)),
        Value::Object(members) => {
            let kind = members.get("kind").and_then(Value::as_str).map(str::to_owned);
            let place = kind.as_deref().unwrap_or(key);
            for (key, value) in members.iter_mut() {
                strip(place, key, value, lost);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use super::super::chain::{self, Head};
    use super::super::entry::{Entry, NoteKind};
    use super::*;

    #[test]
    fn the_chain_holds_and_only_texts_are_gone() {
        let mut head = Head::default();
        let mut lines = Vec::new();
        let at = Timestamp::UNIX_EPOCH;
        for entry in [
            Entry::StepEntered { step: "count".into() },
            Entry::Answered { step: "ask".into(), var: "asset".into(), answer: "4711".into() },
            Entry::Note { at, note: NoteKind::Luck, text: "asset 4711 was on holiday".into() },
            Entry::StepEntered { step: "close".into() },
        ] {
            let (line, record) = chain::seal(&head, at, "ada", entry);
            head = Head { seq: record.seq, hash: record.hash };
            lines.push(line);
        }
        let redacted: Vec<String> =
            lines.iter().map(|whole| line(whole).unwrap_or_else(|| whole.clone())).collect();
        assert_eq!((&redacted[0], &redacted[3]), (&lines[0], &lines[3]));
        let text = redacted.join("\n");
        assert!(!text.contains("4711") && text.contains("\"answer\":\"(redacted)\""), "{text}");
        let (records, found, fault, lost) = chain::replay_redacted(text.as_bytes());
        assert_eq!((records.len(), found, fault, lost), (4, head, None, vec![2, 3]));
        // A journal that is not a redacted one accepts no such record.
        assert!(chain::replay(text.as_bytes()).2.is_some());
        // Neither can one be left out or exchanged.
        let without = [&redacted[0], &redacted[2], &redacted[3]].map(String::as_str).join("\n");
        assert!(chain::replay_redacted(without.as_bytes()).2.is_some());
        let other = text.replacen(&records[2].hash, &"0".repeat(64), 1);
        assert!(chain::replay_redacted(other.as_bytes()).2.is_some());
        // Not even both lines together: the last one is whole.
        let other = text.replace(&records[2].hash, &"0".repeat(64));
        assert!(chain::replay_redacted(other.as_bytes()).2.is_some());
    }

    /// What a kind of entry could be, as a journal says it, with this wherever a row could stand.
    const EVERY: &str = include_str!("redact/every.jsonl");
    const ROW: &str = "row 4711";

    #[test]
    fn an_entry_of_any_kind_can_be_read_without_its_rows() {
        let mut head = Head::default();
        let (mut kinds, mut text) = (BTreeSet::new(), String::new());
        for sample in EVERY.lines() {
            let entry: Entry = serde_json::from_str(sample).expect(sample);
            kinds.insert(entry.kind());
            let (whole, record) = chain::seal(&head, Timestamp::UNIX_EPOCH, "ada", entry);
            let stripped = line(&whole);
            assert_eq!(stripped.is_some(), sample.contains(ROW), "{sample}");
            text += &(stripped.unwrap_or(whole) + "\n");
            head = Head::of(&record);
            let (_, found, fault, _) = chain::replay_redacted(text.as_bytes());
            assert_eq!((fault, &found), (None, &head), "{sample}");
        }
        assert!(!text.contains(ROW), "{text}");
        // serde knows them all.
        let none = serde_json::from_str::<Entry>("{\"kind\":\"\"}").unwrap_err().to_string();
        let all = none.split('`').skip(1).step_by(2).filter(|kind| !kind.is_empty());
        assert_eq!(all.collect::<BTreeSet<_>>(), kinds);
    }
}
