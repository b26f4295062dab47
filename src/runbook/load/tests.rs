use super::*;

const HEAD: &str = r#"id = "late"
title = "Late"
summary = "Things are late."
owner = "me"
severity = "sev3"
"#;

fn steps(steps: &str) -> Result<Runbook, Vec<String>> {
    parse("late.toml", "demo", &format!("{HEAD}{steps}")).map_err(|faults| {
        faults.iter().map(|f| f.to_string().replacen("late.toml:", "", 1)).collect()
    })
}

#[test]
fn needs_that_go_in_a_circle_are_named() {
    let faults = steps(
        "[[step]]\nid = \"a\"\nkind = \"note\"\ntitle = \"A\"\ndo = \"a\"\nneeds = [\"c\"]\n\
         [[step]]\nid = \"b\"\nkind = \"note\"\ntitle = \"B\"\ndo = \"b\"\nneeds = [\"a\"]\n\
         [[step]]\nid = \"c\"\nkind = \"note\"\ntitle = \"C\"\ndo = \"c\"\nneeds = [\"b\"]\n",
    )
    .expect_err("a circle");
    assert_eq!(
        faults,
        [
            "7:6: The needs go in a circle, so none of these steps could begin: a needs c needs b needs a."
        ]
    );
}

#[test]
fn a_chain_of_very_many_needs_is_walked_to_its_end() {
    use std::fmt::Write as _;
    const MANY: usize = 10_000;
    let chain = |of_last: &str| {
        (0..MANY).fold(String::new(), |mut text, at| {
            let need = if at + 1 < MANY { format!("s{}", at + 1) } else { of_last.to_owned() };
            let _ = write!(
                text,
                "[[step]]\nid = \"s{at}\"\nkind = \"note\"\ntitle = \"t\"\ndo = \"d\"\nneeds = [\"{need}\"]\n"
            );
            text
        })
    };
    let faults = steps(&chain("s9990")).expect_err("a circle");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("begin: s9990 needs s9991 needs s9992 needs"), "{faults:?}");
    let faults = steps(&chain("s0s")).expect_err("a step that is not there");
    assert!(faults[0].contains("names the step \"s0s\", which does not exist"), "{faults:?}");
}

#[test]
fn an_answer_is_known_to_the_steps_behind_it_only() {
    let ask = "[[step]]\nid = \"ask\"\nkind = \"ask\"\ntitle = \"?\"\nquestion = \"Which?\"\nvar = \"since\"\ntype = \"date\"\n";
    let change = "[[step]]\nid = \"fix\"\nkind = \"change\"\ntitle = \"Fix\"\nrisk = \"low\"\ncures = [\"late\"]\n\
         [[step.statement]]\nnote = \"n\"\nany = \"UPDATE t SET a = 1 WHERE b > :since\"\n[step.limits]\nmax_rows = 5\n";
    assert!(steps(&format!("{ask}{change}")).is_ok());
    let faults = steps(&format!("{change}{ask}")).expect_err("too early");
    assert_eq!(
        faults,
        [
            "14:37: No step before this one asks for `:since`. Write a step of kind \"ask\" with var = \"since\" before it."
        ]
    );
}

#[test]
fn a_key_of_another_kind_names_both_kinds() {
    let faults = steps("[[step]]\nid = \"a\"\nkind = \"note\"\ntitle = \"A\"\ndo = \"a\"\nargv = [\"ls\"]\nevry = \"1s\"\n")
        .expect_err("two faults");
    assert!(faults[0].starts_with(
        "11:1: `argv` belongs to a step of kind \"command\"; this one is of kind \"note\"."
    ));
    assert!(
        faults[1].starts_with("12:1: A step of kind \"note\" has no key `evry`."),
        "{faults:?}"
    );
}

#[test]
fn chunks_need_statements_that_keep_to_them_and_one_key() {
    let change = |sql: &str, chunks: &str| {
        steps(&format!(
            "[[step]]\nid = \"fix\"\nkind = \"change\"\ntitle = \"Fix\"\nrisk = \"low\"\ncures = [\"late\"]\n\
             [[step.statement]]\nnote = \"n\"\nany = \"{sql}\"\n{chunks}[step.limits]\nmax_rows = 5\n"
        ))
    };
    let chunks =
        "[step.chunks]\nkey = \"id\"\n[step.chunks.keys]\nany = \"SELECT id FROM t ORDER BY id\"\n";
    let fits = "UPDATE t SET a = 1 WHERE id IN (:chunk) AND a IS NULL";
    assert!(change(fits, chunks).is_ok());
    let fault = |sql: &str, chunks: &str| change(sql, chunks).expect_err("a fault").join("\n");
    let whole = fault("UPDATE t SET a = 1", chunks);
    assert!(whole.contains("must keep to the keys of its chunk"), "{whole}");
    let compared = fault("UPDATE t SET a = 1 WHERE id > :chunk", chunks);
    assert!(compared.contains("write `… IN (:chunk)`"), "{compared}");
    let uncut = fault(fits, "");
    assert!(uncut.contains("`:chunk` needs `[step.chunks]`"), "{uncut}");
    let composite = fault(fits, &chunks.replace("\"id\"", "\"order_id, line\""));
    assert!(composite.contains("A chunk is made of the values of one column"), "{composite}");
    let written = fault(fits, &chunks.replace("SELECT id FROM t", "DELETE FROM t"));
    assert!(written.contains("Write one SELECT of the keys"), "{written}");
    let large = fault(fits, &chunks.replace("key =", "size = 9\nmost = 5\nkey ="));
    assert!(large.contains("`size` is more than `most`"), "{large}");
}
