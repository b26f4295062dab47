//! What a runbook asks a person, and which answers it takes: the same for a default in a file, for
//! what is typed in the cockpit, and for what a rehearsal is given.

use regex_lite::Regex;

#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    pub question: String,
    /// The name under which SQL uses the answer: `:var`.
    pub var: String,
    pub answer: AnswerType,
    pub default: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AnswerType {
    /// Any text, or one that the whole of this regular expression matches.
    Text {
        pattern: Option<String>,
    },
    Integer {
        min: Option<u32>,
    },
    Number {
        min: Option<u32>,
    },
    Date,
    /// A time in UTC that is one, with its seconds.
    Moment,
    Choice(Vec<String>),
}

impl AnswerType {
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Integer { .. } | Self::Number { .. })
    }

    /// Whether an answer is of this type; else what is wrong with it, as the end of "it is ...".
    pub fn takes(&self, text: &str) -> Result<(), String> {
        if let (Self::Integer { min: Some(min) } | Self::Number { min: Some(min) }, Ok(number)) =
            (self, text.parse::<f64>())
            && number < f64::from(*min)
        {
            return Err(format!("less than {min}"));
        }
        let fits = match self {
            Self::Integer { .. } => text.parse::<i64>().is_ok(),
            Self::Number { .. } => text.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Date => text.parse::<jiff::civil::Date>().is_ok(),
            Self::Moment => is_moment(text),
            Self::Choice(choices) => choices.iter().any(|choice| choice == text),
            Self::Text { pattern: None } => !text.is_empty(),
            // One that is no regular expression is the fault of the file, which is refused for it.
            Self::Text { pattern: Some(pattern) } => {
                whole(pattern).ok().is_none_or(|pattern| pattern.is_match(text))
            }
        };
        if fits {
            return Ok(());
        }
        Err(match self {
            Self::Integer { .. } => "not a whole number".into(),
            Self::Number { .. } => "not a number".into(),
            Self::Date => "not a date; write it as 2026-11-21".into(),
            Self::Moment => "not a time; write it as 2026-11-21 02:00:00 in UTC".into(),
            Self::Choice(choices) => format!("not one of: {}", choices.join(", ")),
            Self::Text { pattern: None } => "empty".into(),
            Self::Text { pattern: Some(pattern) } => format!("not matched by {pattern}"),
        })
    }
}

/// In the one form that SQL can cut the seconds' fraction from, and on a day that there is.
fn is_moment(text: &str) -> bool {
    let form = whole(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:[0-5]\d(\.\d+)?Z?").expect("it is one");
    form.is_match(text) && text.trim_end_matches('Z').parse::<jiff::civil::DateTime>().is_ok()
}

/// The pattern of a text matches the whole of it.
pub(super) fn whole(pattern: &str) -> Result<Regex, regex_lite::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}
