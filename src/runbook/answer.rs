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
    Integer,
    Number,
    Date,
    Choice(Vec<String>),
}

impl AnswerType {
    /// Whether an answer is of this type; else what is wrong with it, as the end of "it is ...".
    pub fn takes(&self, text: &str) -> Result<(), String> {
        let fits = match self {
            Self::Integer => text.parse::<i64>().is_ok(),
            Self::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Date => text.parse::<jiff::civil::Date>().is_ok(),
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
            Self::Integer => "not a whole number".into(),
            Self::Number => "not a number".into(),
            Self::Date => "not a date; write it as 2026-11-21".into(),
            Self::Choice(choices) => format!("not one of: {}", choices.join(", ")),
            Self::Text { pattern: None } => "empty".into(),
            Self::Text { pattern: Some(pattern) } => format!("not matched by {pattern}"),
        })
    }
}

/// The pattern of a text matches the whole of it.
pub(super) fn whole(pattern: &str) -> Result<Regex, regex_lite::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}
