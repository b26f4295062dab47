//! Names: the dictionary keeps capitals, SQL is written in small letters, and both are one name.
//!
//! What needs no quotes is shown in small letters, so that files that name tables and columns hold on
//! every engine. What does need quotes is shown with them, as SQL must write it.

/// A name of the dictionary, as SQL writes it.
pub fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_$#".contains(c);
    let begins = name.chars().next().is_some_and(|first| first.is_ascii_uppercase());
    if begins && name.chars().all(plain) { name.to_lowercase() } else { format!("\"{name}\"") }
}

/// The same name as the dictionary has it.
pub fn kept(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.to_owned(),
        None => name.to_uppercase(),
    }
}

/// In quotes, so that no reserved word is in the way.
pub fn quoted(name: &str) -> String {
    // No name of Oracle holds a double quote; one that does is cut out of its quotes.
    format!("\"{}\"", kept(name).replace('"', ""))
}

/// A column of a result: what needs no quotes in small letters, anything else as it stands.
pub fn column(name: &str) -> String {
    if name.chars().any(char::is_lowercase) { name.to_owned() } else { name.to_lowercase() }
}

/// A text between single quotes: here nothing but the quote itself is special, under any setting.
pub fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_both_ways() {
        for (dictionary, sql) in [
            ("ASSETS", "assets"),
            ("ORDER_2$", "order_2$"),
            ("Orders", "\"Orders\""),
            ("orders", "\"orders\""),
            ("TWO WORDS", "\"TWO WORDS\""),
            ("1ST", "\"1ST\""),
        ] {
            assert_eq!(shown(dictionary), sql);
            assert_eq!(kept(sql), dictionary);
            assert_eq!(quoted(sql), format!("\"{dictionary}\""));
        }
        assert_eq!(kept("Assets"), "ASSETS");
    }

    #[test]
    fn a_result_reads_as_its_check_was_written() {
        assert_eq!(column("ASSET_ID"), "asset_id");
        assert_eq!(column("x becomes"), "x becomes");
        assert_eq!(column("COUNT(*)"), "count(*)");
    }

    #[test]
    fn a_text_ends_at_its_own_quote() {
        assert_eq!(text("it's \\"), "'it''s \\'");
    }
}
