//! Every exit code of the program, in one place. Monitoring systems read them, so they never change
//! their meaning. Knows nothing of ours but the kinds of problems.

use crate::problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything that was asked is clear.
    Clear = 0,
    /// A violation of severity 3 or 4, or a metric over `warn`.
    Warning = 1,
    /// A violation of severity 1 or 2, or a metric over `critical`.
    Violated = 2,
    /// Could not see: unreachable, timed out, not enough rights.
    Inconclusive = 3,
    /// Usage or configuration.
    Usage = 4,
    /// Refused by policy.
    Refused = 5,
    /// Stopped by the operator.
    Interrupted = 130,
}

impl Exit {
    /// The worse of two results of checks: 2 before 3 before 1 before 0.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Clear => 0,
            Self::Warning => 1,
            Self::Inconclusive => 2,
            Self::Violated => 3,
            Self::Usage => 4,
            Self::Refused => 5,
            Self::Interrupted => 6,
        }
    }

    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<problem::Kind> for Exit {
    fn from(kind: problem::Kind) -> Self {
        match kind {
            problem::Kind::Usage => Self::Usage,
            problem::Kind::Unreachable | problem::Kind::Database | problem::Kind::System => {
                Self::Inconclusive
            }
            problem::Kind::Refused => Self::Refused,
            problem::Kind::Interrupted => Self::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_wins_in_the_order_violated_inconclusive_warning_clear() {
        assert_eq!(Exit::Inconclusive.worst(Exit::Violated), Exit::Violated);
        assert_eq!(Exit::Warning.worst(Exit::Inconclusive), Exit::Inconclusive);
        assert_eq!(Exit::Clear.worst(Exit::Warning), Exit::Warning);
    }
}
