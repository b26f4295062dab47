//! The words that are refused, each with the reason that an operator can act on.

use sqlparser::tokenizer::Token;

use super::Refusal;
use super::lex::Lexeme;

/// A statement that begins with this word is neither a read nor a write of ours.
pub(super) fn by_first_word(first: &Lexeme) -> Refusal {
    let word = first.word().unwrap_or_else(|| first.token.to_string());
    let reason = match word.as_str() {
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "END" | "ABORT" => {
            "controls a transaction; steadyhand begins and ends every transaction itself"
        }
        "PRAGMA" => "sets how the connection works, which outlives the statement",
        "ATTACH" | "DETACH" => "reaches into another database file than the target",
        "VACUUM" | "REINDEX" | "ANALYZE" | "OPTIMIZE" | "CLUSTER" | "CHECKPOINT" | "REPAIR" => {
            "is maintenance, which cannot be previewed and rolled back"
        }
        "TRUNCATE" => "removes rows without showing them first; write DELETE with a WHERE",
        "CREATE" | "ALTER" | "DROP" | "RENAME" | "COMMENT" => {
            "changes definitions, not rows; that belongs in the `apply` of a guard step"
        }
        "GRANT" | "REVOKE" => "changes rights, which no undo artefact can restore",
        "SET" | "RESET" | "USE" | "DISCARD" => "changes the session, which outlives the statement",
        "CALL" | "DO" | "EXEC" | "EXECUTE" | "PREPARE" | "DEALLOCATE" | "DECLARE" => {
            "runs code whose writes cannot be told beforehand"
        }
        "COPY" | "LOAD" | "IMPORT" | "HANDLER" => "moves rows past the preview",
        "LOCK" | "UNLOCK" | "KILL" | "FLUSH" | "SHUTDOWN" | "NOTIFY" | "LISTEN" => {
            "acts on other sessions and cannot be rolled back"
        }
        "EXPLAIN" | "SHOW" | "DESCRIBE" | "DESC" => {
            "describes, and some forms of it execute what they describe"
        }
        "MERGE" => {
            "is not among the statements that can be previewed row by row; write INSERT, UPDATE or DELETE"
        }
        "REPLACE" => REPLACE,
        "INSERT" | "UPDATE" | "DELETE" => "changes rows",
        "SELECT" | "VALUES" | "TABLE" => "only reads",
        "WITH" => "is neither a read nor a change that steadyhand understands",
        _ => "is not the beginning of a statement that steadyhand understands",
    };
    let refusal = Refusal::new(format!("`{word}` {reason}.")).over(first.range.clone());
    // The reason for REPLACE says already what to write.
    Refusal { other_kind: word != "REPLACE", ..refusal }
}

/// Why REPLACE in every spelling is refused.
pub(super) const REPLACE: &str = "removes the rows that are in its way, on SQLite without firing their delete triggers, so they could not be restored; write UPDATE, or INSERT with ON CONFLICT DO UPDATE";

/// Functions that do something although they stand in a query.
const ACTING: [(&str, &str); 50] = [
    ("pg_terminate_backend", SESSIONS),
    ("pg_cancel_backend", SESSIONS),
    ("pg_reload_conf", SERVER),
    ("pg_rotate_logfile", SERVER),
    ("pg_switch_wal", SERVER),
    ("pg_create_restore_point", SERVER),
    ("pg_promote", SERVER),
    ("pg_drop_replication_slot", SERVER),
    ("pg_create_physical_replication_slot", SERVER),
    ("pg_create_logical_replication_slot", SERVER),
    ("pg_logical_emit_message", SERVER),
    ("pg_stat_reset", SERVER),
    ("pg_stat_statements_reset", SERVER),
    ("pg_notify", SESSIONS),
    ("set_config", "changes settings of the session"),
    ("setval", COUNTER),
    ("nextval", COUNTER),
    ("lo_creat", OBJECTS),
    ("lo_create", OBJECTS),
    ("lo_from_bytea", OBJECTS),
    ("lo_import", OBJECTS),
    ("lo_put", OBJECTS),
    ("lo_truncate", OBJECTS),
    ("lowrite", OBJECTS),
    ("lo_export", OBJECTS),
    ("lo_unlink", OBJECTS),
    ("dblink", ELSEWHERE),
    ("dblink_exec", ELSEWHERE),
    ("pg_sleep", WAITS),
    ("pg_advisory_lock", LOCKS),
    ("pg_advisory_lock_shared", LOCKS),
    ("pg_advisory_xact_lock", LOCKS),
    ("pg_advisory_xact_lock_shared", LOCKS),
    ("pg_try_advisory_lock", LOCKS),
    ("pg_try_advisory_lock_shared", LOCKS),
    ("pg_try_advisory_xact_lock", LOCKS),
    ("pg_try_advisory_xact_lock_shared", LOCKS),
    ("pg_read_file", ELSEWHERE),
    ("pg_read_binary_file", ELSEWHERE),
    ("pg_ls_dir", ELSEWHERE),
    ("dblink_connect", ELSEWHERE),
    ("dblink_send_query", ELSEWHERE),
    ("sleep", WAITS),
    ("benchmark", WAITS),
    ("get_lock", LOCKS),
    ("release_lock", LOCKS),
    ("load_file", ELSEWHERE),
    ("load_extension", ELSEWHERE),
    ("writefile", ELSEWHERE),
    ("edit", ELSEWHERE),
];

const SESSIONS: &str = "acts on other sessions";
const SERVER: &str = "acts on the server";
const COUNTER: &str = "moves a sequence, and no rollback moves it back";
const OBJECTS: &str = "changes large objects or files of the server";
const ELSEWHERE: &str = "reaches out of the database";
const WAITS: &str = "only waits";
const LOCKS: &str = "holds a lock that outlives the statement";

/// The first function call that acts. Writes may move sequences: that is what keys are made of.
pub(super) fn acting_function(lexemes: &[Lexeme], writes: bool) -> Option<Refusal> {
    lexemes.windows(2).find_map(|pair| {
        let name = pair[0].name()?;
        if pair[1].token != Token::LParen {
            return None;
        }
        let (name, does) = ACTING.iter().find(|(acting, _)| acting.eq_ignore_ascii_case(name))?;
        if writes && *does == COUNTER {
            return None;
        }
        Some(Refusal::new(format!("The function {name}() {does}.")).over(pair[0].range.clone()))
    })
}

/// Words that a read never needs outside quotes; looked for when the parser did not understand it.
pub(super) fn word_of_a_write(lexemes: &[Lexeme]) -> Option<Refusal> {
    const WORDS: [&str; 14] = [
        "INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "CALL", "CREATE", "ALTER", "DROP",
        "TRUNCATE", "GRANT", "EXECUTE", "LOCK", "SHARE",
    ];
    lexemes.iter().find_map(|lexeme| {
        let word = WORDS.iter().find(|word| lexeme.is(word))?;
        Some(
            Refusal::new(format!(
                "The text could not be read as a query and holds the word {word}; put names in double quotes, or write it more simply."
            ))
            .over(lexeme.range.clone()),
        )
    })
}
