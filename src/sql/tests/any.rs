//! What must hold for any text at all.

use proptest::prelude::*;

use crate::sql::*;

fn any_dialect() -> impl Strategy<Value = Dialect> {
    prop::sample::select(Dialect::ALL.to_vec())
}

/// Pieces that make the interesting texts likely.
fn any_sql() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "SELECT ",
        "DELETE FROM t ",
        "UPDATE t SET a = 1 ",
        "; ",
        "'",
        "''",
        "\"",
        "`",
        "[",
        "]",
        "$$",
        "$x$",
        "--",
        "\n",
        "/*",
        "*/",
        "E'",
        "\\",
        ":name",
        "::",
        ":",
        "BEGIN ",
        "END ",
        "CASE ",
        "CREATE TRIGGER g ",
        "WITH x AS (",
        ")",
        "FROM t ",
        "1",
        "ä",
        "；",
        "\u{a0}",
        "#",
        "@",
        "?",
        "-",
        "UPDATE IGNORE t SET a = 1 ",
        "ON CONFLICT (",
        "DO NOTHING ",
        "IS ",
        "NOT ",
        "(SELECT 1) ",
        "(a).",
        ".f ",
        ".* ",
        "OVERRIDING SYSTEM VALUE ",
        "INDEXED BY ",
        "ALTER TABLE t ",
        "DROP ",
        "ADD ",
        "IF ",
        ", ",
    ]);
    prop_oneof![prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat()), ".{0,40}"]
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_every_place_is_inside(sql in any_sql(), dialect in any_dialect()) {
        for refusal in [read(&sql, dialect).err(), write(&sql, dialect).err(), definitions(&sql, dialect).err()].into_iter().flatten() {
            if let Some(part) = refusal.part {
                prop_assert!(sql.get(part).is_some());
            }
        }
        let _ = (tables(&sql, dialect), columns(&sql, dialect), parameters(&sql, dialect));
        let _ = (functions(&sql, dialect), look(&sql, dialect), aim(&sql, dialect));
    }

    /// A quoted value, however wicked, stays one value.
    #[test]
    fn a_quoted_text_never_ends_early(text in "[^\u{0}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{61c}\u{180e}\u{200b}-\u{206f}\u{feff}\u{e0000}-\u{e007f}\\\\]{0,30}") {
        prop_assume!(!text.contains("/*"));
        let quoted = format!("'{}'", text.replace('\'', "''"));
        for dialect in Dialect::ALL {
            let sql = substitute("UPDATE t SET a = :x WHERE b = 1", dialect, &|_| Some(quoted.clone()));
            let sql = sql.expect("one literal");
            prop_assert_eq!(split(&sql, dialect).map(|s| s.len()), Ok(1));
            prop_assert_eq!(classify(&sql, dialect), Effect::Write(Write { verb: Verb::Update, table: "t".into() }));
        }
    }

    /// A semicolon outside quotes makes two statements, whatever stands around it.
    #[test]
    fn two_statements_are_never_one(a in "[a-z ',\"]{0,12}", b in "[a-z]{1,8}") {
        let sql = format!("SELECT 1 {a}; DELETE FROM {b}");
        for dialect in Dialect::ALL {
            let quotes_closed = |q| a.matches(q).count() % 2 == 0;
            if quotes_closed('\'') && quotes_closed('"') && !a.contains(['\'', '"']) {
                prop_assert!(matches!(classify(&sql, dialect), Effect::Other(_)));
            }
        }
    }

    #[test]
    fn what_was_split_is_one_statement_each(sql in any_sql(), dialect in any_dialect()) {
        if let Ok(parts) = split(&sql, dialect) {
            for part in parts {
                prop_assert_eq!(split(part, dialect).map(|s| s.len()), Ok(1), "{}", part);
            }
        }
    }
}
