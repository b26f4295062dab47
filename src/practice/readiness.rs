//! What a drill is scored by, and what the score means.

use std::time::Duration;

use super::Practice;
use crate::source::{Spot, Table};

/// What is looked at, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    FirstCheck,
    Diagnosis,
    RightTarget,
    Communication,
    Previews,
    RequiredSteps,
    Cured,
    Closed,
}

impl Item {
    pub const ALL: [Self; 8] = [
        Self::FirstCheck,
        Self::Diagnosis,
        Self::RightTarget,
        Self::Communication,
        Self::Previews,
        Self::RequiredSteps,
        Self::Cured,
        Self::Closed,
    ];

    /// The key in files and JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::FirstCheck => "first-check",
            Self::Diagnosis => "diagnosis",
            Self::RightTarget => "right-target",
            Self::Communication => "communication",
            Self::Previews => "previews",
            Self::RequiredSteps => "required-steps",
            Self::Cured => "cured",
            Self::Closed => "closed",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Readiness {
    points: [u32; 8],
    pub first_check_within: Duration,
    /// The best first.
    pub grades: Vec<Grade>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Grade {
    pub name: String,
    /// Of a hundred.
    pub at_least: u32,
    pub means: String,
    pub spot: Spot,
}

/// What one file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    pub points: Vec<(Item, u32, Spot)>,
    pub first_check_within: Option<(Duration, Spot)>,
    pub grades: Vec<Grade>,
}

pub(super) fn read(table: &Table<'_>) -> Said {
    let mut said = Said::default();
    table.table("readiness", "`readiness`", |readiness| {
        for item in Item::ALL {
            readiness.table(item.key(), "an item of the readiness", |one| {
                let points = one.optional_whole("points", 0..=100);
                let points = points.and_then(|points| u32::try_from(points).ok());
                said.points.extend(points.map(|points| (item, points, one.spot("points"))));
                if item == Item::FirstCheck {
                    let within = one.optional_duration("within");
                    said.first_check_within = within.map(|within| (within, one.spot("within")));
                }
            });
        }
        said.grades = readiness.named("grade", "a grade", |name, grade| Grade {
            name: name.to_owned(),
            at_least: u32::try_from(grade.whole("at_least", 0..=100)).unwrap_or(0),
            means: grade.text("means"),
            spot: grade.here().clone(),
        });
        if !said.grades.is_empty() && said.grades.iter().all(|grade| grade.at_least > 0) {
            readiness
                .fault("grade", "No grade has at_least = 0, so that some scores would have none.");
        }
    });
    said
}

impl Said {
    pub(super) fn under(mut self, top: Self) -> Self {
        self.points.extend(top.points);
        self.first_check_within = top.first_check_within.or(self.first_check_within);
        // Half of one scale and half of another is none.
        if !top.grades.is_empty() {
            self.grades = top.grades;
        }
        self
    }
}

impl Readiness {
    pub(super) fn of(said: Said) -> Self {
        let mut points = [0; 8];
        for (item, worth, _) in said.points {
            points[item as usize] = worth;
        }
        let mut grades = said.grades;
        grades.sort_by_key(|grade| std::cmp::Reverse(grade.at_least));
        let within = said.first_check_within.map(|(within, _)| within);
        Self { points, first_check_within: within.unwrap_or_default(), grades }
    }

    pub fn points(&self, item: Item) -> u32 {
        self.points[item as usize]
    }

    pub fn grade(&self, score: u32) -> Option<&Grade> {
        self.grades.iter().find(|grade| score >= grade.at_least)
    }
}

impl Practice {
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }
}
