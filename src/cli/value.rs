//! Values of arguments that are more than a text.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Environment;
use crate::exit::Exit;

pub fn environment(text: &str) -> Result<Environment, String> {
    let found = Environment::ALL.iter().find(|(_, word)| *word == text);
    found
        .map(|(environment, _)| *environment)
        .ok_or("write production, staging or development".into())
}

/// `asset=17`
pub fn answer(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Where a result goes that would go elsewhere without it.
pub fn file(text: &str) -> Result<PathBuf, String> {
    match text {
        "-" => Err("leave it out for standard output; a file of that name is ./-".into()),
        text => Ok(PathBuf::from(text)),
    }
}

/// `10m`
pub fn length(text: &str) -> Result<Duration, String> {
    let length = crate::source::duration(text).filter(|length| !length.is_zero());
    length.ok_or_else(|| crate::source::DURATION_HINT.into())
}

/// `inconclusive=2`
pub fn mapping(text: &str) -> Result<(Exit, Exit), String> {
    const OUTCOMES: [(&str, Exit); 3] = [
        ("warning", Exit::Warning),
        ("violated", Exit::Violated),
        ("inconclusive", Exit::Inconclusive),
    ];
    const CODES: [Exit; 4] = [Exit::Clear, Exit::Warning, Exit::Violated, Exit::Inconclusive];
    let (outcome, code) =
        text.split_once('=').ok_or("write OUTCOME=CODE, such as inconclusive=2")?;
    let from = OUTCOMES.iter().find(|(name, _)| *name == outcome);
    let (_, from) = from.ok_or("the outcome is warning, violated or inconclusive")?;
    let to = CODES.iter().find(|exit| exit.code().to_string() == code);
    Ok((*from, *to.ok_or("the code is 0, 1, 2 or 3")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_can_be_mapped() {
        assert_eq!(mapping("inconclusive=2"), Ok((Exit::Inconclusive, Exit::Violated)));
        assert_eq!(mapping("warning=0"), Ok((Exit::Warning, Exit::Clear)));
        for wrong in ["inconclusive", "clear=2", "violated=9", "violated=", "=2"] {
            assert!(mapping(wrong).is_err(), "{wrong}");
        }
    }
}
