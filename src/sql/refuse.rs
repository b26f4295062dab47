//! The words that are refused, each with the reason that an operator can act on.

use sqlparser::tokenizer::Token;

use super::Refusal;
use super::lex::Lexeme;
use crate::dialect::Dialect;

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

/// Functions that do something although they stand in a query. One that ends in `_` stands for all
/// that begin like it.
const ACTING: [(&str, &str); 76] = [
    ("pg_terminate_backend", SESSIONS),
    ("pg_cancel_backend", SESSIONS),
    ("pg_log_backend_memory_contexts", SESSIONS),
    ("pg_reload_conf", SERVER),
    ("pg_rotate_", SERVER),
    ("pg_switch_wal", SERVER),
    ("pg_backup_", SERVER),
    ("pg_start_backup", SERVER),
    ("pg_stop_backup", SERVER),
    ("pg_promote", SERVER),
    ("pg_create_", SERVER),
    ("pg_copy_", SERVER),
    ("pg_drop_", SERVER),
    ("pg_replication_", SERVER),
    ("pg_logical_", SERVER),
    ("pg_wal_replay_pause", SERVER),
    ("pg_wal_replay_resume", SERVER),
    ("pg_import_system_collations", SERVER),
    ("pg_stat_reset", SERVER),
    ("pg_stat_reset_", SERVER),
    ("pg_stat_statements_reset", SERVER),
    ("binary_upgrade_", SERVER),
    ("heap_force_", SERVER),
    ("pg_truncate_visibility_map", SERVER),
    ("brin_summarize_", SERVER),
    ("brin_desummarize_", SERVER),
    ("gin_clean_pending_list", SERVER),
    ("pg_notify", SESSIONS),
    ("pg_export_snapshot", SESSIONS),
    ("set_config", "changes settings of the session"),
    ("setval", COUNTER),
    ("nextval", COUNTER),
    ("lo_creat", OBJECTS),
    ("lo_create", OBJECTS),
    ("lo_from_bytea", OBJECTS),
    ("lo_import", OBJECTS),
    ("lo_open", OBJECTS),
    ("lo_put", OBJECTS),
    ("lo_truncate", OBJECTS),
    ("lo_truncate64", OBJECTS),
    ("lowrite", OBJECTS),
    ("lo_export", OBJECTS),
    ("lo_unlink", OBJECTS),
    ("dblink", ELSEWHERE),
    ("dblink_", ELSEWHERE),
    ("http_", ELSEWHERE),
    ("pg_sleep", WAITS),
    ("pg_sleep_", WAITS),
    ("pg_advisory_", LOCKS),
    ("pg_try_advisory_", LOCKS),
    ("pg_read_", ELSEWHERE),
    ("pg_ls_", ELSEWHERE),
    ("pg_file_", ELSEWHERE),
    ("query_to_", RUNS),
    ("cursor_to_", RUNS),
    ("ts_stat", RUNS),
    ("ts_rewrite", RUNS),
    ("crosstab", RUNS),
    ("connectby", RUNS),
    ("sleep", WAITS),
    ("benchmark", WAITS),
    ("master_pos_wait", WAITS),
    ("master_gtid_wait", WAITS),
    ("source_pos_wait", WAITS),
    ("wait_for_executed_gtid_set", WAITS),
    ("get_lock", LOCKS),
    ("release_lock", LOCKS),
    ("release_all_locks", LOCKS),
    ("load_file", ELSEWHERE),
    ("sys_exec", ELSEWHERE),
    ("sys_eval", ELSEWHERE),
    ("load_extension", ELSEWHERE),
    ("readfile", ELSEWHERE),
    ("writefile", ELSEWHERE),
    ("edit", ELSEWHERE),
    ("fts3_tokenizer", "makes the library call any address"),
];

const SESSIONS: &str = "acts on other sessions";
const SERVER: &str = "acts on the server";
const COUNTER: &str = "moves a sequence, and no rollback moves it back";
const OBJECTS: &str = "changes large objects or files of the server";
const ELSEWHERE: &str = "reaches out of the database";
const RUNS: &str = "runs a text as SQL, which cannot be looked at beforehand";
const WAITS: &str = "only waits";
const LOCKS: &str = "holds a lock that outlives the statement";

/// The first call that acts. Writes may move sequences: that is what keys are made of.
pub(super) fn acting_function(lexemes: &[Lexeme], writes: bool) -> Option<Refusal> {
    if !writes && let Some([next, ..]) = lexemes.windows(3).find(|words| is_next_value(words)) {
        return Some(Refusal::new(format!("NEXT VALUE {COUNTER}.")).over(next.range.clone()));
    }
    let mut of_value = false;
    lexemes.iter().enumerate().find_map(|(at, lexeme)| {
        let dotted = at > 0 && lexemes[at - 1].token == Token::Period;
        match lexeme.token {
            Token::RParen | Token::RBracket => of_value = true,
            Token::Period => {}
            _ => of_value &= dotted,
        }
        let name = lexeme.name()?;
        let opens = lexemes.get(at + 1).is_some_and(|next| next.token == Token::LParen);
        // PostgreSQL calls f for `(x).f`.
        if !opens && !of_value {
            return None;
        }
        let (_, does) = ACTING.iter().find(|(acting, _)| {
            acting.eq_ignore_ascii_case(name)
                || (acting.ends_with('_')
                    && name
                        .get(..acting.len())
                        .is_some_and(|begin| begin.eq_ignore_ascii_case(acting)))
        })?;
        if writes && *does == COUNTER {
            return None;
        }
        Some(
            Refusal::new(format!("The function {}() {does}.", name.to_ascii_lowercase()))
                .over(lexeme.range.clone()),
        )
    })
}

/// The same as `nextval()`, as the standard writes it.
fn is_next_value(words: &[Lexeme]) -> bool {
    words[0].is("NEXT") && words[1].is("VALUE") && words[2].is("FOR")
}

/// Words that a read never needs outside quotes; looked for when the parser did not understand it.
pub(super) fn word_of_a_write(lexemes: &[Lexeme], dialect: Dialect) -> Option<Refusal> {
    const WORDS: [&str; 14] = [
        "INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "CALL", "CREATE", "ALTER", "DROP",
        "TRUNCATE", "GRANT", "EXECUTE", "LOCK", "SHARE",
    ];
    let quotes = match dialect {
        Dialect::Mysql | Dialect::Mariadb => "backticks",
        Dialect::Sqlite | Dialect::Postgres | Dialect::Oracle => "double quotes",
    };
    lexemes.iter().enumerate().find_map(|(at, lexeme)| {
        let word = WORDS.iter().find(|word| lexeme.is(word))?;
        let opens = lexemes.get(at + 1).is_some_and(|next| next.token == Token::LParen);
        // A function of texts: the statement never has a parenthesis there.
        if *word == "INSERT" && opens {
            return None;
        }
        Some(
            Refusal::new(format!(
                "The text could not be read as a query and holds the word {word}; put names in {quotes}, or write it more simply."
            ))
            .over(lexeme.range.clone()),
        )
    })
}
