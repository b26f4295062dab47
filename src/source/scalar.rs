//! Texts, lists of texts, numbers, durations and closed lists of words under a key.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::duration::{DURATION_HINT, duration};
use super::fault::Spot;
use super::suggest::{did_you_mean, list, quoted};
use super::table::{Table, as_array, as_text, kind_of};

/// What an item of a list that says nothing is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blank {
    IsAFault,
    Counts,
}

impl Table<'_> {
    /// A text that must be there and say something.
    pub fn text(&self, key: &'static str) -> String {
        self.need(key, "\"…\"");
        self.optional_text(key).unwrap_or_default()
    }

    pub fn text_or(&self, key: &'static str, default: &str) -> String {
        self.optional_text(key).unwrap_or_else(|| default.to_owned())
    }

    pub fn optional_text(&self, key: &'static str) -> Option<String> {
        let text = self.typed(key, "a text in quotes", as_text)?;
        if text.trim().is_empty() {
            self.fault(key, format!("`{key}` says nothing; write a text or delete the line."));
        }
        Some(text)
    }

    /// A name in kebab-case.
    pub fn id(&self, key: &'static str) -> String {
        let id = self.text(key);
        if !id.is_empty() && !is_kebab(&id) {
            let near = kebab(&id);
            let fault = self.spot(key).fault(format!(
                "`{key}` cannot be {}; write lower-case letters, digits and single hyphens between them.",
                quoted(&id)
            ));
            self.add(if is_kebab(&near) {
                fault.suggest(format!("Write {key} = \"{near}\"."))
            } else {
                fault
            });
        }
        id
    }

    /// A list of texts that may be missing.
    pub fn texts(&self, key: &'static str) -> Vec<String> {
        self.spotted_texts(key).into_iter().map(|(text, _)| text).collect()
    }

    /// A list of texts with at least one.
    pub fn some_texts(&self, key: &'static str) -> Vec<String> {
        self.need(key, "[\"…\"]");
        let texts = self.texts(key);
        let found = self.entries.get(key).map(Spanned::get_ref);
        if found.and_then(as_array).is_some_and(<[_]>::is_empty) {
            self.fault(key, format!("`{key}` is empty; name at least one."));
        }
        texts
    }

    /// A list of different texts with the place of each.
    pub fn spotted_texts(&self, key: &'static str) -> Vec<(String, Spot)> {
        let mut texts: Vec<(String, Spot)> = vec![];
        for (text, spot) in self.items(key, Blank::IsAFault) {
            if texts.iter().any(|(other, _)| *other == text) {
                let twice = format!("`{key}` names {} twice; delete one.", quoted(&text));
                self.add(spot.fault(twice));
            } else {
                texts.push((text, spot));
            }
        }
        texts
    }

    /// A list of texts in which the order counts and repetition means something.
    pub fn words(&self, key: &'static str) -> Vec<String> {
        self.need(key, "[\"…\", \"…\"]");
        self.items(key, Blank::IsAFault).into_iter().map(|(text, _)| text).collect()
    }

    /// A list of texts that came from data, where an empty one is one of them.
    pub fn data(&self, key: &'static str) -> Vec<String> {
        self.items(key, Blank::Counts).into_iter().map(|(text, _)| text).collect()
    }

    /// A program and its arguments.
    pub fn argv(&self, key: &'static str) -> Vec<String> {
        let words = self.words(key);
        let found = self.entries.get(key).map(Spanned::get_ref);
        if found.and_then(as_array).is_some_and(<[_]>::is_empty) {
            let sentence = format!("`{key}` names no program; write [\"program\", \"argument\"].");
            self.fault(key, sentence);
        }
        words
    }

    fn items(&self, key: &'static str, blank: Blank) -> Vec<(String, Spot)> {
        let Some(items) = self.typed(key, "a list of texts such as [\"…\"]", as_array) else {
            return vec![];
        };
        let mut texts = vec![];
        for item in items {
            let spot = self.spot.over(item.span());
            match as_text(item.get_ref()) {
                Some(text) if blank == Blank::IsAFault && text.trim().is_empty() => {
                    self.add(spot.fault(format!("`{key}` holds an empty text; delete it.")));
                }
                Some(text) => texts.push((text, spot)),
                None => self.add(spot.fault(format!(
                    "`{key}` must hold texts in quotes only, not {}.",
                    kind_of(item.get_ref())
                ))),
            }
        }
        texts
    }

    pub fn flag_or(&self, key: &'static str, default: bool) -> bool {
        self.optional_flag(key).unwrap_or(default)
    }

    pub fn optional_flag(&self, key: &'static str) -> Option<bool> {
        self.typed(key, "true or false without quotes", |value| match value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A whole number that must be there.
    pub fn whole(&self, key: &'static str, range: RangeInclusive<u64>) -> u64 {
        self.need(key, &range.start().to_string());
        self.optional_whole(key, range.clone()).unwrap_or(*range.start())
    }

    pub fn optional_whole(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let number = self.typed(key, "a whole number without quotes", |value| match value {
            DeValue::Integer(number) => Some(number.clone()),
            _ => None,
        })?;
        let parsed = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let fits = parsed.filter(|number| range.contains(number));
        if fits.is_none() {
            let (low, high) = (range.start(), range.end());
            self.fault(
                key,
                format!("`{key}` cannot be {number}; write a number from {low} to {high}."),
            );
        }
        fits
    }

    /// A duration that must be there.
    pub fn duration(&self, key: &'static str) -> Duration {
        self.need(key, "\"30s\"");
        self.optional_duration(key).unwrap_or_default()
    }

    pub fn duration_or(&self, key: &'static str, default: Duration) -> Duration {
        self.optional_duration(key).unwrap_or(default)
    }

    pub fn optional_duration(&self, key: &'static str) -> Option<Duration> {
        let text = self.typed(key, "a duration in quotes such as \"30s\"", as_text)?;
        let Some(length) = duration(&text) else {
            self.fault(key, format!("{} is not a duration; {DURATION_HINT}.", quoted(&text)));
            return None;
        };
        if length.is_zero() {
            self.fault(key, format!("`{key}` must be longer than nothing; {DURATION_HINT}."));
        }
        Some(length)
    }

    /// One word of a closed list that must be there; the stand-in is the first.
    pub fn one_of<T: Copy>(&self, key: &'static str, allowed: &[(T, &str)]) -> T {
        self.need_one_of(key, allowed).unwrap_or(allowed[0].0)
    }

    /// The same without a stand-in, for a word on which further questions depend.
    pub fn need_one_of<T: Copy>(&self, key: &'static str, allowed: &[(T, &str)]) -> Option<T> {
        let example = || {
            let others: Vec<String> =
                allowed[1..].iter().map(|(_, word)| format!("\"{word}\"")).collect();
            format!("\"{}\", or {}", allowed[0].1, list(&others, "or"))
        };
        if self.need_with(key, example) { self.optional_one_of(key, allowed) } else { None }
    }

    pub fn optional_one_of<T: Copy>(&self, key: &'static str, allowed: &[(T, &str)]) -> Option<T> {
        let text = self.typed(key, "a text in quotes", as_text)?;
        let found = allowed.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
        if found.is_none() {
            let words: Vec<String> =
                allowed.iter().map(|(_, word)| format!("\"{word}\"")).collect();
            let fault = self.spot(key).fault(format!(
                "`{key}` cannot be {}; write {}.",
                quoted(&text),
                list(&words, "or")
            ));
            self.add(match did_you_mean(&text, allowed.iter().map(|(_, word)| *word)) {
                Some(near) => fault.suggest(format!("Did you mean \"{near}\"?")),
                None => fault,
            });
        }
        found
    }
}

fn is_kebab(id: &str) -> bool {
    id.split('-').all(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

fn kebab(id: &str) -> String {
    let words: Vec<String> = id
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}
