//! What a typed text says: evidence, an answer, a note with its time, an action item.

use jiff::{SignedDuration, Timestamp};

use crate::incident::entry::{Entry, NoteKind};
use crate::runbook::{ActionKind, AnswerType, EvidenceKind};
use crate::tui::app::App;

pub(super) fn needed(typed: &str) -> Result<(), String> {
    if typed.is_empty() { Err("a few words are needed; esc goes back".into()) } else { Ok(()) }
}

pub(super) fn evidence(kind: EvidenceKind, typed: &str) -> Result<(), String> {
    match kind {
        EvidenceKind::None => Ok(()),
        EvidenceKind::Text => needed(typed),
        EvidenceKind::Url if typed.starts_with("http://") || typed.starts_with("https://") => {
            Ok(())
        }
        EvidenceKind::Url => Err("a link is needed: https://…".into()),
        EvidenceKind::Number if typed.parse::<f64>().is_ok() => Ok(()),
        EvidenceKind::Number => Err(format!("'{typed}' is not a number")),
    }
}

pub(super) fn answer(kind: &AnswerType, typed: &str) -> Result<(), String> {
    needed(typed)?;
    kind.takes(typed).map_err(|wrong| format!("'{typed}' is {wrong}"))
}

/// `action: take the import's right to write @stock lead` is an action item, due by the severity.
pub(super) fn action_item(app: &App, typed: &str) -> Result<Option<Entry>, String> {
    let Some(text) = after(typed, "action") else { return Ok(None) };
    let Some(case) = &app.case else { return Ok(None) };
    // The sign at the beginning of a word: in the middle of one it is an address.
    let is_owner = |at: &usize| {
        text[..*at].chars().next_back().is_none_or(char::is_whitespace)
            && text[at + 1..].starts_with(|c: char| !c.is_whitespace())
    };
    let (title, owner) = match text.rmatch_indices('@').map(|(at, _)| at).find(is_owner) {
        Some(at) => (text[..at].trim(), text[at + 1..].trim()),
        None => (text, case.runbook.owner.as_str()),
    };
    needed(title)?;
    let severity = case.incident.severity.unwrap_or(case.runbook.severity);
    let day = case.incident.opened.unwrap_or(app.now).to_zoned(jiff::tz::TimeZone::UTC).date();
    let due = day
        .saturating_add(jiff::Span::new().days(app.facts.practice.level(severity).due_days()))
        .to_string();
    let (title, owner) = (title.to_owned(), owner.to_owned());
    Ok(Some(Entry::ActionItem { title, owner, due, action: ActionKind::Process }))
}

/// What stands behind this word and a colon, however its letters are written.
fn after<'t>(typed: &'t str, word: &str) -> Option<&'t str> {
    let (first, rest) = typed.split_once(':')?;
    first.trim().eq_ignore_ascii_case(word).then(|| rest.trim())
}

/// `-5m the text`: how long ago it was, and the text.
pub(super) fn backdated(typed: &str, now: Timestamp) -> Result<(Option<Timestamp>, &str), String> {
    let (first, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    if !is_back(first) {
        return Ok((None, typed));
    }
    let at = moment(first, now)?;
    needed(rest.trim())?;
    Ok((Some(at), rest.trim()))
}

/// `-5m the text`, `decision: the text`, `-1h luck: the text`.
pub fn note(typed: &str, now: Timestamp) -> Result<(Timestamp, NoteKind, String), String> {
    let (at, rest) = backdated(typed, now)?;
    let kind = NoteKind::ALL.iter().find_map(|(kind, name)| Some((*kind, after(rest, name)?)));
    let (kind, text) = kind.unwrap_or((NoteKind::Observation, rest));
    needed(text)?;
    Ok((at.unwrap_or(now), kind, text.to_owned()))
}

/// Whoever writes a number with a minus first means a time; one that cannot be read must be said, or
/// the note would stand at another.
fn is_back(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A moment not in the future: `-5m`, `-90s`, `-2h`, `-1d`, or a time of day in UTC.
pub(super) fn moment(typed: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || format!("'{typed}' is no time: write -5m, -2h, or 14:05 (UTC)");
    if let Some(rest) = typed.strip_prefix('-') {
        let (number, seconds) = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)]
            .into_iter()
            .find_map(|(unit, seconds)| Some((rest.strip_suffix(unit)?, seconds)))
            .ok_or_else(wrong)?;
        let number: u32 = number.parse().map_err(|_| wrong())?;
        let back = SignedDuration::from_secs(i64::from(number) * seconds);
        return now.checked_sub(back).map_err(|_| wrong());
    }
    let time: jiff::civil::Time = typed.parse().map_err(|_| wrong())?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let at = today.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?;
    let at = at.timestamp();
    if at <= now { Ok(at) } else { Ok(at - SignedDuration::from_hours(24)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_note_may_be_backdated_and_have_a_kind() {
        let now: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
        let (at, kind, text) = note("-5m decision: stop the import", now).unwrap();
        assert_eq!(at.to_string(), "2026-11-21T05:55:00Z");
        assert_eq!((kind, text.as_str()), (NoteKind::Decision, "stop the import"));
        let (at, kind, text) = note("finance: paused", now).unwrap();
        assert_eq!((at, kind, text.as_str()), (now, NoteKind::Observation, "finance: paused"));
        for nothing in ["-5m ", "-5m", "-5m decision:", "luck: "] {
            assert!(note(nothing, now).is_err(), "{nothing}");
        }
        let (at, kind, text) = note("-5m\nDecision: stop the import\nat once", now).unwrap();
        assert_eq!(at.to_string(), "2026-11-21T05:55:00Z");
        assert_eq!((kind, text.as_str()), (NoteKind::Decision, "stop the import\nat once"));
        let wrong = note("-10min the pager went off", now).unwrap_err();
        assert!(wrong.contains("'-10min' is no time"), "{wrong}");
        let wrong = note("-10€ was refunded", now).unwrap_err();
        assert!(wrong.contains("'-10€' is no time"), "{wrong}");
    }

    #[test]
    fn a_time_of_day_is_never_in_the_future() {
        let now: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
        assert_eq!(moment("05:41", now).unwrap().to_string(), "2026-11-21T05:41:00Z");
        assert_eq!(moment("23:50", now).unwrap().to_string(), "2026-11-20T23:50:00Z");
        for wrong in ["soon", "-", "-é", "-5", "-é5m", "-5mm", "--5m"] {
            assert!(moment(wrong, now).is_err(), "{wrong}");
        }
    }
}
