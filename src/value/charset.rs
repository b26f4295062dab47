//! What a terminal can show by its locale. Without UTF-8 that is ASCII: the bytes of any other letter
//! are signs of their own to such a terminal, and some of them begin an escape sequence.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::visible::{Kind, Segment, Shown};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    Utf8,
    Ascii,
}

impl Charset {
    /// The first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set decides, as in the C library; none
    /// means the C locale.
    pub fn choose(env: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| env(name).filter(|value| !value.is_empty()))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        if utf8 { Self::Utf8 } else { Self::Ascii }
    }

    /// A sentence: what has a likeness becomes it, the rest is spelled out as control characters are.
    pub fn text<'a>(self, text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
        let text = text.into();
        if self == Self::Utf8 || text.is_ascii() {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match likeness(c) {
                _ if c.is_ascii() => out.push(c),
                Some(likeness) => out.push_str(likeness),
                None => spell(&mut out, c),
            }
        }
        out.into()
    }

    /// A value, of which nobody may take one sign for another: all of them are spelled out.
    pub fn value(self, shown: Shown<'_>) -> Shown<'_> {
        if self == Self::Utf8 || shown.segments.iter().all(|part| part.text.is_ascii()) {
            return shown;
        }
        let mut segments: Vec<Segment<'_>> = Vec::new();
        for part in &shown.segments {
            for c in part.text.chars() {
                let kind = if c.is_ascii() { part.kind } else { Kind::Escaped };
                if segments.last().is_none_or(|last| last.kind != kind) {
                    segments.push(Segment { text: Cow::Owned(String::new()), kind });
                }
                let Some(Segment { text, .. }) = segments.last_mut() else { continue };
                if c.is_ascii() { text.to_mut().push(c) } else { spell(text.to_mut(), c) }
            }
        }
        Shown { segments, kind: shown.kind }
    }
}

fn spell(out: &mut String, c: char) {
    let _ = write!(out, "<U+{:04X}>", u32::from(c));
}

fn likeness(c: char) -> Option<&'static str> {
    Some(match c {
        '→' => "->",
        '←' => "<-",
        '…' => "...",
        '≥' => ">=",
        '≤' => "<=",
        '≠' => "<>",
        '×' => "x",
        '·' | '•' | '–' | '—' | '−' => "-",
        '‘' | '’' => "'",
        '“' | '”' | '„' => "\"",
        '\u{a0}' => " ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{ValueRef, visible};

    fn choose(pairs: &[(&str, &str)]) -> Charset {
        Charset::choose(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_locale_decides_as_in_the_c_library() {
        assert_eq!(choose(&[("LANG", "de_CH.UTF-8")]), Charset::Utf8);
        assert_eq!(choose(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]), Charset::Utf8);
        assert_eq!(choose(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), Charset::Ascii);
        assert_eq!(choose(&[]), Charset::Ascii);
    }

    #[test]
    fn without_utf_8_every_sign_has_a_likeness_or_a_number() {
        assert_eq!(Charset::Ascii.text("NULL → 3…, \u{11b}\n"), "NULL -> 3..., <U+011B>\n");
        assert_eq!(Charset::Utf8.text("NULL → 3…"), "NULL → 3…");
    }

    #[test]
    fn a_sign_in_a_value_is_never_taken_for_another() {
        let shown = Charset::Ascii.value(visible::cell(ValueRef::Text("’a\u{11b}\u{1b}b")));
        assert_eq!(shown.text(), r"<U+2019>a<U+011B>\eb");
        let kinds: Vec<Kind> = shown.segments.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [Kind::Escaped, Kind::Plain, Kind::Escaped, Kind::Plain]);
    }
}
