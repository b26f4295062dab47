//! Many incidents together: the times they took, how often they came back, how often there was
//! nothing, and whether what was promised was kept. Each number with its definition. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Incident;
use super::entry::Entry;
use super::metrics::{Metric, metrics};
use crate::practice::{Level, Practice};

/// How long after its end an incident that comes again counts as come back.
pub const RECURS_WITHIN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// One time over many incidents; of those where it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub key: &'static str,
    pub name: &'static str,
    pub definition: &'static str,
    pub known: usize,
    pub of: usize,
    pub mean: Option<i64>,
    pub median: Option<i64>,
    pub worst: Option<i64>,
}

/// How many of how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    pub key: &'static str,
    pub name: &'static str,
    pub definition: &'static str,
    pub number: usize,
    pub of: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fleet {
    pub incidents: usize,
    pub open: usize,
    pub times: Vec<Spread>,
    pub shares: Vec<Share>,
}

/// Updates that were due, and those of them that came late or not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Updates {
    pub due: usize,
    pub late: usize,
}

impl Fleet {
    /// `chosen` are measured; `all` are those that may have been before them.
    pub fn of(chosen: &[&Incident], all: &[Incident], practice: &Practice, now: Timestamp) -> Self {
        Self {
            incidents: chosen.len(),
            open: chosen.iter().filter(|incident| incident.is_open()).count(),
            times: spreads(chosen),
            shares: shares(chosen, all, practice, now),
        }
    }
}

/// The five times in the order of `metrics`.
const MEANS: [(&str, &str, &str); 5] = [
    ("mttd", "time to detect (MTTD)", "from the impact to its detection"),
    ("mtta", "time to acknowledge (MTTA)", "from the detection until somebody has it"),
    ("mttc", "time to contain (MTTC)", "from the detection until nothing more goes wrong"),
    ("mttr", "time to resolve (MTTR)", "from the detection until a check proves that it is mended"),
    ("first-update", "first update", "from the opening to the first communication"),
];

fn spreads(chosen: &[&Incident]) -> Vec<Spread> {
    let all: Vec<Vec<Metric>> = chosen.iter().map(|incident| metrics(incident)).collect();
    let of =
        |(at, (key, name, definition)): (usize, (&'static str, &'static str, &'static str))| {
            let mut seconds: Vec<i64> =
                all.iter().filter_map(|of| Some(of[at].value?.as_secs())).collect();
            seconds.sort_unstable();
            let known = i64::try_from(seconds.len()).unwrap_or(i64::MAX);
            Spread {
                key,
                name,
                definition,
                known: seconds.len(),
                of: chosen.len(),
                mean: (known > 0).then(|| seconds.iter().sum::<i64>() / known),
                median: median(&seconds),
                worst: seconds.last().copied(),
            }
        };
    MEANS.into_iter().enumerate().map(of).collect()
}

/// Of an even number the mean of the two in the middle.
fn median(sorted: &[i64]) -> Option<i64> {
    let (low, high) = (sorted.len().checked_sub(1)? / 2, sorted.len() / 2);
    Some(i64::midpoint(sorted[low], sorted[high]))
}

fn shares(
    chosen: &[&Incident],
    all: &[Incident],
    practice: &Practice,
    now: Timestamp,
) -> Vec<Share> {
    let count = |wanted: &dyn Fn(&Incident) -> bool| {
        chosen.iter().filter(|incident| wanted(incident)).count()
    };
    let closed = count(&|incident| !incident.is_open());
    let kept = |at: usize, promised: fn(&Level) -> Duration| {
        let kept = chosen.iter().filter_map(|incident| {
            let promised = promised(practice.level(incident.severity?));
            let promised = SignedDuration::try_from(promised).ok()?;
            let took = metrics(incident)[at].value;
            // What has not come by then comes too late, if it comes.
            let age = incident.closed.unwrap_or(now).duration_since(incident.opened?);
            took.map_or_else(|| (age > promised).then_some(false), |took| Some(took <= promised))
        });
        kept.fold((0, 0), |(number, of), kept| (number + usize::from(kept), of + 1))
    };
    let acknowledge = kept(1, |level| level.acknowledge);
    let resolve = kept(3, |level| level.resolve);
    let updates = chosen.iter().map(|incident| updates(incident, practice, now));
    let (due, late) = updates.fold((0, 0), |(due, late), one| (due + one.due, late + one.late));
    let mut drifts = 0;
    let mut executions = 0;
    for record in chosen.iter().flat_map(|incident| &incident.records) {
        match &record.entry {
            Entry::ExecutionStarted { .. } => executions += 1,
            Entry::Ended { drift: Some(_), .. } => drifts += 1,
            _ => {}
        }
    }
    let share = |key, name, definition, (number, of): (usize, usize)| Share {
        key,
        name,
        definition,
        number,
        of,
    };
    vec![
        share(
            "recurrence",
            "come back",
            "opened on the runbook and database of one that was closed at most 90 days before",
            (count(&|incident| came_back(incident, all).is_some()), chosen.len()),
        ),
        share(
            "false-alarms",
            "false alarms",
            "closed, and no check ever saw a violation, and nothing was changed",
            (count(&is_false_alarm), closed),
        ),
        share(
            "acknowledged-in-time",
            "acknowledged in time",
            "within what the severity promises, of those where the time is known or over",
            acknowledge,
        ),
        share(
            "resolved-in-time",
            "resolved in time",
            "within what the severity promises, of those where the time is known or over",
            resolve,
        ),
        share(
            "updates-in-time",
            "updates in time",
            "updates given before they were due, of those that were due",
            (due - late, due),
        ),
        share(
            "drift-refusals",
            "refused for drift",
            "executions that rolled back because the data had moved since the preview",
            (drifts, executions),
        ),
    ]
}

/// The last incident on the same runbook and database that was closed not long before this one.
pub fn came_back<'a>(incident: &Incident, all: &'a [Incident]) -> Option<&'a Incident> {
    earlier(incident, all).into_iter().rev().find(|before| {
        let (Some(closed), Some(opened)) = (before.closed, incident.opened) else { return false };
        // One that was still open then has not come back, it is there twice.
        (SignedDuration::ZERO..=RECURS_WITHIN).contains(&opened.duration_since(closed))
    })
}

/// All incidents on the same runbook and database that were opened before, the oldest first.
pub fn earlier<'a>(incident: &Incident, all: &'a [Incident]) -> Vec<&'a Incident> {
    let same = |other: &&Incident| {
        other.runbook == incident.runbook
            && other.demo == incident.demo
            && place(other) == place(incident)
            && other.opened < incident.opened
    };
    let mut found: Vec<&Incident> = all.iter().filter(same).collect();
    found.sort_by_key(|other| other.opened);
    found
}

/// A database is who it proves to be, whatever it is called.
fn place(incident: &Incident) -> Option<&str> {
    let target = incident.target.as_ref()?;
    Some(if target.server.is_empty() { &target.name } else { &target.server })
}

pub fn is_false_alarm(incident: &Incident) -> bool {
    let saw = incident.records.iter().any(|record| match &record.entry {
        Entry::Checked { verdict, .. } => verdict.is_violated(),
        Entry::Verified { checks, .. } => checks.iter().any(|(_, verdict)| verdict.is_violated()),
        _ => false,
    });
    let apart = incident.apart.iter().any(|apart| apart.did);
    !incident.is_open() && !saw && !apart && incident.rows_changed() == 0
}

/// The first update is due by the severity, each later one by what the one before promised.
pub fn updates(incident: &Incident, practice: &Practice, now: Timestamp) -> Updates {
    let mut updates = Updates::default();
    let mut due = first_update_due(incident, practice);
    let said = incident.records.iter().filter_map(|record| match &record.entry {
        Entry::Said { next_update, .. } => Some((record.at, *next_update)),
        _ => None,
    });
    let mut last: Option<(Timestamp, Option<Timestamp>)> = None;
    for (at, next) in said {
        // The same update to another audience is not another update.
        let again = last.is_some_and(|(before, promised)| {
            promised == next && at.duration_since(before) < SignedDuration::from_mins(5)
        });
        last = Some((at, next));
        if again {
            continue;
        }
        if let Some(due) = due {
            updates.due += 1;
            updates.late += usize::from(at > due);
        }
        due = next;
    }
    let end = incident.closed.unwrap_or(now);
    if due.is_some_and(|due| end > due) {
        updates.due += 1;
        updates.late += 1;
    }
    updates
}

/// By when the first update is to be given.
pub fn first_update_due(incident: &Incident, practice: &Practice) -> Option<Timestamp> {
    let every = practice.level(incident.severity?).update_every;
    incident.opened?.checked_add(SignedDuration::try_from(every).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::chain::{Head, seal};
    use super::super::entry::{Milestone, Origin, TargetSeen, number};
    use super::*;
    use crate::check::{Count, Severity, Verdict};
    use crate::dialect::Dialect;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn opened(id: &str) -> Entry {
        Entry::Opened {
            incident: id.into(),
            runbook: "r".into(),
            runbook_sha256: String::new(),
            title: "t".into(),
            severity: Severity::Sev2,
            target: TargetSeen {
                name: "erp".into(),
                url: String::new(),
                dialect: Dialect::Sqlite,
                environment: "production".into(),
                server: "s".into(),
                version: String::new(),
            },
            program: String::new(),
            host: String::new(),
            demo: false,
        }
    }

    fn incident(entries: Vec<(i64, Entry)>) -> Incident {
        let mut head = Head::default();
        let mut records = Vec::new();
        for (minute, entry) in entries {
            let (_, record) = seal(&head, at(minute), "ada", entry);
            head = Head { seq: record.seq, hash: record.hash.clone() };
            records.push(record);
        }
        Incident::replay(number(&records), &records)
    }

    fn reached(minute: i64, which: Milestone) -> (i64, Entry) {
        (minute, Entry::Milestone { which, at: at(minute), origin: Origin::Auto })
    }

    fn seen(minute: i64, count: u64) -> (i64, Entry) {
        let verdict = Verdict::from_count(Count::Exact(count));
        let entry = Entry::Checked {
            step: None,
            check: "c".into(),
            verdict,
            seconds: 0.0,
            delta: None,
            sample: None,
        };
        (minute, entry)
    }

    fn said(minute: i64, next: Option<i64>) -> (i64, Entry) {
        let entry = Entry::Said {
            step: "s".into(),
            audience: "technical".into(),
            text: String::new(),
            head: String::new(),
            next_update: next.map(at),
        };
        (minute, entry)
    }

    fn whole(id: &str, from: i64, minutes: i64) -> Incident {
        incident(vec![
            (from, opened(id)),
            reached(from, Milestone::Detected),
            reached(from + 2, Milestone::Acknowledged),
            seen(from + 3, 12),
            reached(from + minutes, Milestone::Verified),
            (from + minutes + 1, Entry::Closed { violations: None }),
        ])
    }

    #[test]
    fn means_medians_and_what_came_back() {
        let day = 24 * 60;
        let all = [
            whole("INC-1", 0, 10),
            whole("INC-2", 5 * day, 20),
            whole("INC-3", 200 * day, 60),
            incident(vec![
                (201 * day, opened("INC-4")),
                seen(201 * day, 0),
                (201 * day + 9, Entry::Closed { violations: None }),
            ]),
        ];
        let chosen: Vec<&Incident> = all.iter().collect();
        let fleet = Fleet::of(&chosen, &all, Practice::built_in(), at(300 * day));
        let mttr = fleet.times.iter().find(|spread| spread.key == "mttr").unwrap();
        assert_eq!((mttr.known, mttr.of), (3, 4));
        assert_eq!(
            (mttr.mean, mttr.median, mttr.worst),
            (Some(30 * 60), Some(20 * 60), Some(60 * 60))
        );
        assert_eq!(fleet.times[0].mean, None, "nobody said when the impact began");
        for (of, middle) in [
            (&[][..], None),
            (&[7], Some(7)),
            (&[60, 600], Some(330)),
            (&[10, 20, 90], Some(20)),
            (&[10, 20, 40, 90], Some(30)),
        ] {
            assert_eq!(median(of), middle, "{of:?}");
        }
        let share = |key: &str| {
            let share = fleet.shares.iter().find(|share| share.key == key).unwrap();
            (share.number, share.of)
        };
        // The third came after more than 90 days, the fourth after one.
        assert_eq!(share("recurrence"), (2, 4));
        assert_eq!(came_back(&all[3], &all).unwrap().id, "INC-3");
        assert_eq!(share("false-alarms"), (1, 4));
        assert_eq!(share("acknowledged-in-time"), (3, 3));
        // Nobody was told of those that were open for longer than 20 minutes.
        assert_eq!(share("updates-in-time"), (0, 2));
    }

    #[test]
    fn what_is_open_beyond_its_promise_was_not_kept() {
        let day = 24 * 60;
        let all = [
            whole("INC-1", 0, 10),
            whole("INC-2", 0, 20),
            incident(vec![(10, opened("INC-3")), reached(10, Milestone::Detected)]),
        ];
        let chosen: Vec<&Incident> = all.iter().collect();
        let of = |now: i64| {
            let fleet = Fleet::of(&chosen, &all, Practice::built_in(), at(now));
            let share = |key| fleet.shares.iter().find(|share| share.key == key).unwrap();
            let [had, mended] = ["acknowledged-in-time", "resolved-in-time"].map(share);
            ((had.number, had.of), (mended.number, mended.of))
        };
        assert_eq!(of(11), ((2, 2), (2, 2)), "there is still time");
        assert_eq!(of(300 * day), ((2, 3), (2, 3)));
        let fleet = Fleet::of(&chosen, &all, Practice::built_in(), at(11));
        let mttr = fleet.times.iter().find(|spread| spread.key == "mttr").unwrap();
        assert_eq!(mttr.median, Some(15 * 60), "between the two in the middle");
    }

    #[test]
    fn what_was_still_open_has_not_come_back() {
        let day = 24 * 60;
        let all = [whole("INC-1", 0, 5), whole("INC-2", day, 3 * day), whole("INC-3", 2 * day, 9)];
        assert_eq!(came_back(&all[2], &all).unwrap().id, "INC-1");
        assert!(came_back(&all[2], &all[1..]).is_none());
    }

    /// Every host counts from one.
    #[test]
    fn what_comes_back_may_have_the_same_number() {
        let day = 24 * 60;
        let all = [whole("INC-1", 0, 5), whole("INC-1", day, 9)];
        assert_eq!(came_back(&all[1], &all).unwrap().opened, all[0].opened);
        assert!(came_back(&all[0], &all).is_none());
    }

    #[test]
    fn updates_are_late_by_what_was_promised() {
        let of = |more: Vec<(i64, Entry)>| {
            let mut entries = vec![(0, opened("INC-1"))];
            entries.extend(more);
            let updates = updates(&incident(entries), Practice::built_in(), at(60));
            (updates.due, updates.late)
        };
        assert_eq!(of(vec![]), (1, 1), "the first is due after 20 minutes");
        assert_eq!(of(vec![said(19, Some(39)), said(20, Some(39)), said(38, None)]), (2, 0));
        assert_eq!(of(vec![said(25, Some(40)), said(41, Some(70))]), (2, 2));
        assert_eq!(of(vec![(10, Entry::Closed { violations: None })]), (0, 0));
        assert_eq!(of(vec![said(5, Some(30)), (45, Entry::Closed { violations: None })]), (2, 1));
    }
}
