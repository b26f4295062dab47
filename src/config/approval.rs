//! `[approval]`: how a second person agrees, where a target asks for one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{at_home, from};
use super::{Origin, Setting};
use crate::source::{Table, duration_text};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seconding {
    /// Who may be the second person, in the form of `ssh-keygen`.
    pub signers: Option<Setting<PathBuf>>,
    /// The key that `approve` signs with.
    pub key: Option<Setting<PathBuf>>,
    valid: Option<Setting<Duration>>,
    review: Option<Setting<Duration>>,
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

    pub(super) fn under(self, top: Self) -> Self {
        Self {
            signers: top.signers.or(self.signers),
            key: top.key.or(self.key),
            valid: top.valid.or(self.valid),
            review: top.review.or(self.review),
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

pub(super) fn read(table: &Table<'_>, base: &Path, home: Option<&Path>) -> Seconding {
    let path = |key| {
        let text = table.optional_text(key);
        text.map(|text| from(table, key, at_home(&base.join(text), base, home)))
    };
    let length = |key| table.optional_duration(key).map(|length| from(table, key, length));
    Seconding {
        signers: path("signers"),
        key: path("key"),
        valid: length("valid"),
        review: length("review"),
    }
}
