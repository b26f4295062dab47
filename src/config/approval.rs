//! `[approval]`: how a second person agrees, where a target asks for one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{at_home, from};
use super::{Origin, Policy, Setting};
use crate::source::{Table, duration_text};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seconding {
    /// Who asks for one.
    pub policy: Policy,
    /// Who may be the second person, in the form of `ssh-keygen`.
    pub signers: Option<Setting<PathBuf>>,
    /// The key that `approve` signs with.
    pub key: Option<Setting<PathBuf>>,
    pub(super) valid: Option<Setting<Duration>>,
    pub(super) review: Option<Setting<Duration>>,
}

impl Seconding {
    /// How long a request can be agreed to.
    pub fn valid(&self) -> Duration {
        self.valid.as_ref().map_or(Duration::from_mins(15), |set| set.value)
    }

    /// How long somebody who went alone waits for a review at most.
    pub fn review(&self) -> Duration {
        self.review.as_ref().map_or(Duration::from_hours(3 * 24), |set| set.value)
    }

    /// With a later layer on top. What binds people is said by the lowest layer that says it, which is
    /// the one that fewest can write; with which key somebody signs is their own business.
    pub(super) fn under(self, top: Self, warnings: &mut Vec<String>) -> Self {
        Self {
            policy: self.policy.and(top.policy),
            signers: lowest("signers", self.signers, top.signers, warnings),
            key: top.key.or(self.key),
            valid: lowest("valid", self.valid, top.valid, warnings),
            review: lowest("review", self.review, top.review, warnings),
        }
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, String, Origin)> {
        let path = |key, set: &Option<Setting<PathBuf>>| {
            set.as_ref().map(|set| (key, set.value.display().to_string(), set.origin.clone()))
        };
        let length = |key, value, set: &Option<Setting<Duration>>| {
            let origin = set.as_ref().map_or(Origin::BuiltIn, |set| set.origin.clone());
            Some((key, duration_text(value), origin))
        };
        let all = [
            path("approval.signers", &self.signers),
            path("approval.key", &self.key),
            length("approval.valid", self.valid(), &self.valid),
            length("approval.review", self.review(), &self.review),
        ];
        all.into_iter().flatten().collect()
    }
}

fn lowest<T: PartialEq>(
    key: &str,
    low: Option<Setting<T>>,
    top: Option<Setting<T>>,
    warnings: &mut Vec<String>,
) -> Option<Setting<T>> {
    if let (Some(low), Some(top)) = (&low, &top)
        && low.value != top.value
    {
        let (low, top) = (&low.origin, &top.origin);
        warnings.push(format!("`{key}` of [approval] in {top} does not count: {low} says it."));
    }
    low.or(top)
}

pub(super) fn read(table: &Table<'_>, base: &Path, home: Option<&Path>) -> Seconding {
    let path = |key| {
        let text = table.optional_text(key);
        text.map(|text| from(table, key, at_home(&base.join(text), base, home)))
    };
    let length = |key| table.optional_duration(key).map(|length| from(table, key, length));
    Seconding {
        policy: Policy::default(),
        signers: path("signers"),
        key: path("key"),
        valid: length("valid"),
        review: length("review"),
    }
}
