//! Secrets that somebody wrote into a file in spite of everything: hidden before a line is shown.
//!
//! The text keeps its length, so a place in it stays the same place.

use std::fmt;
use std::sync::{LazyLock, OnceLock};

use regex_lite::Regex;

/// A text of which nobody sees more than its masked form. Looking for secrets takes longer than all
/// other reading, and most files are never shown, so it waits until somebody looks.
pub(super) struct Masked {
    text: String,
    seen: OnceLock<String>,
}

impl Masked {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), seen: OnceLock::new() }
    }

    pub(super) fn as_str(&self) -> &str {
        self.seen.get_or_init(|| mask(&self.text))
    }

    /// The line that a place is on, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or_default().matches('\n').count() + 1
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Masked {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Masked {}

/// What a secret looks like on a line; the first group is the secret. The last `@` of a line ends a
/// password, because a password may hold one, and too much hidden harms nobody.
const PATTERNS: [&str; 6] = [
    r"://[^\s:/]*:(.+)@",
    // No port is like that: the host was forgotten, and this is a password.
    r#"://[^\s:/\[]*:([^\s/@"]*[^\s/@"0-9][^\s/@"]*|[0-9]{6,})"#,
    // A url whose beginning was forgotten, wholly or in part.
    r":([^\s/@]\S*)@",
    r#"(?i)(?:^|[\s"'?&;-])(?:[a-z_]*password|passwd|pwd|token|secret)=([^&\s]+)"#,
    r#"(?im)^\s*"?(?:[a-z_.-]*password|passwd|pwd|passphrase|token|secret)"?\s*=\s*(\S.*)$"#,
    // Whoever knows where a webhook lies may post to it.
    r#"(?i)\burl"?\s*=\s*["']?https?://[^\s/"'?]*[/?]([^\s"']+)"#,
];

/// Replaces everything that looks like a secret with stars.
pub fn mask(text: &str) -> String {
    static COMPILED: LazyLock<[Regex; 6]> =
        LazyLock::new(|| PATTERNS.map(|p| Regex::new(p).expect("the patterns are tested")));
    let mut hidden = vec![];
    for pattern in COMPILED.iter() {
        hidden.extend(
            pattern.captures_iter(text).filter_map(|found| found.get(1)).map(|m| m.range()),
        );
    }
    let mut masked = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        if hidden.iter().any(|range| range.contains(&at)) {
            masked.extend(std::iter::repeat_n('*', character.len_utf8()));
        } else {
            masked.push(character);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn passwords_of_urls_parameters_and_keys_are_hidden_at_equal_length() {
        for (text, masked) in [
            ("postgres://u:p@h/db", "postgres://u:*@h/db"),
            ("postgres://u:p\"a@s@h/db", "postgres://u:*****@h/db"),
            ("mysql://:p@h", "mysql://:*@h"),
            ("x://h/db?password=geheim&a=1", "x://h/db?password=******&a=1"),
            ("password = \"ä\"", "password = ****"),
            ("postgres://bob@corp:s3@h/db", "postgres://bob@corp:**@h/db"),
            ("postgres://bob@corp:s3/db", "postgres://bob@corp:**/db"),
            ("url = \"postgres:u:p@h/db\"", "url = \"postgres:***@h/db\""),
            ("url = \"u:p@s@h/db\"", "url = \"u:***@h/db\""),
            ("url = \"postgres:/u:p@h/db\"", "url = \"postgres:/u:*@h/db\""),
            ("url = \"host=h password=p dbname=d\"", "url = \"host=h password=* dbname=d\""),
            ("[\"sh\", \"--password=p\", \"-x\"]", "[\"sh\", \"--password=*** \"-x\"]"),
            ("postgres://u@h:5432/db", "postgres://u@h:5432/db"),
            ("postgres://[::1]:5432/db", "postgres://[::1]:5432/db"),
            ("http://h:8080/x.html", "http://h:8080/x.html"),
            ("url = \"https://h/services/T0/x\"", "url = \"https://h/*************\""),
            (
                "{ kind = \"webhook\", url = 'https://h?t=x' }",
                "{ kind = \"webhook\", url = 'https://h?***' }",
            ),
            ("mysql://root:g3h3im/db", "mysql://root:******/db"),
            ("mysql://root:1234567/db", "mysql://root:*******/db"),
            ("a = 1\nurl = \"sqlite:erp.db\"", "a = 1\nurl = \"sqlite:erp.db\""),
        ] {
            assert_eq!(mask(text), masked);
            assert_eq!(mask(text).len(), text.len());
        }
    }
}
