//! What the checks say while a change in chunks goes on: whether it helps.

use std::time::{Duration, Instant};

use crate::check::Verdict;
use crate::recovery::{CheckOutcome, Role};

/// A look waits until this many times its own length has passed.
const RARELY: u32 = 20;

#[derive(Debug, Default)]
pub struct Sight {
    /// By check: its role, what it said first, and what it said last.
    first: Vec<(String, Role, Verdict)>,
    pub last: Vec<(String, Verdict)>,
    /// Rows written since.
    pub rows: u64,
    looked: Option<(Instant, Duration)>,
}

impl Sight {
    /// From what was asked inside the first chunk.
    pub fn begin(&mut self, checks: &[CheckOutcome]) {
        let first = |one: &CheckOutcome| (one.check.clone(), one.role, one.before.clone());
        self.first = checks.iter().map(first).collect();
        self.last = checks.iter().map(|one| (one.check.clone(), one.after.clone())).collect();
        self.rows = 0;
        self.looked = Some((Instant::now(), Duration::ZERO));
    }

    pub fn is_due(&self) -> bool {
        self.looked.is_none_or(|(at, took)| at.elapsed() >= took * RARELY)
    }

    pub fn judge(&mut self, now: Vec<Verdict>, took: Duration) -> Result<(), String> {
        self.looked = Some((Instant::now(), took));
        let rows = std::mem::take(&mut self.rows);
        let before = std::mem::take(&mut self.last);
        let mut objections = Vec::new();
        for (((check, role, first), (_, last)), now) in self.first.iter().zip(before).zip(now) {
            // A neighbour is held against the beginning, a cure against the last look.
            let before = if *role == Role::Neighbour { first.clone() } else { last };
            let (check, role, after) = (check.clone(), *role, now.clone());
            self.last.push((check.clone(), now));
            let judged = CheckOutcome { check, role, before, after };
            let idle = rows == 0 && role == Role::Falls;
            objections.extend(judged.objection().filter(|_| !idle));
        }
        if objections.is_empty() {
            return Ok(());
        }
        Err(format!("it does not help: {}", objections.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::check::Count;

    fn violated(number: u64) -> Verdict {
        Verdict::Violated { violations: Count::Exact(number) }
    }

    fn sight() -> Sight {
        let mut sight = Sight::default();
        let one = |check: &str, role, before, after| CheckOutcome {
            check: check.into(),
            role,
            before: violated(before),
            after: violated(after),
        };
        sight.begin(&[one("unsent", Role::Falls, 100, 90), one("unpaid", Role::Neighbour, 7, 7)]);
        sight
    }

    #[test]
    fn it_goes_on_while_violations_fall_and_neighbours_do_not_worsen() {
        let mut sight = sight();
        sight.rows = 10;
        sight.judge(vec![violated(80), violated(6)], Duration::ZERO).unwrap();
        sight.rows = 10;
        sight.judge(vec![violated(70), violated(7)], Duration::ZERO).unwrap();
    }

    #[test]
    fn it_stops_when_violations_do_not_fall_although_rows_were_written() {
        let mut sight = sight();
        sight.judge(vec![violated(90), violated(7)], Duration::ZERO).unwrap();
        sight.rows = 10;
        let why = sight.judge(vec![violated(90), violated(7)], Duration::ZERO).unwrap_err();
        assert!(why.contains("unsent would not fall"), "{why}");
    }

    #[test]
    fn it_stops_when_a_neighbour_worsens() {
        let mut sight = sight();
        sight.rows = 10;
        let why = sight.judge(vec![violated(80), violated(8)], Duration::ZERO).unwrap_err();
        assert!(why.contains("unpaid would get worse: 7 to 8"), "{why}");
    }

    #[test]
    fn a_check_that_takes_long_is_asked_rarely() {
        let mut sight = sight();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
        sight.looked = Some((long_ago, Duration::from_secs(1)));
        assert!(!sight.is_due());
        sight.looked = Some((long_ago, Duration::from_millis(100)));
        assert!(sight.is_due());
    }
}
