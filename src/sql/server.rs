//! Whether a text asks for what one server knows of itself: what it does, or did since it started, how it is
//! set. Its replica shows something else there.
//!
//! By its words, wherever they stand: a view is reached in more ways than a parser knows, also by a function
//! that runs a text. Who is asked for data without need loses nothing but time.

use crate::dialect::Dialect;

/// A replica shows a sequence as far as it was logged, up to 32 numbers ahead.
const POSTGRES: [&str; 23] = [
    "pg_locks",
    "pg_lock_status",
    "pg_blocking_pids",
    "pg_safe_snapshot_blocking_pids",
    "pg_prepared_xacts",
    "pg_prepared_xact",
    "pg_replication_slots",
    "pg_get_replication_slots",
    "pg_replication_origin_status",
    "pg_settings",
    "pg_file_settings",
    "pg_config",
    "pg_postmaster_start_time",
    "pg_conf_load_time",
    "pg_shmem_allocations",
    "pg_notification_queue_usage",
    "current_setting",
    "inet_server_addr",
    "inet_server_port",
    "txid_current",
    "pg_sequences",
    "pg_sequence_last_value",
    "is_called",
];
const POSTGRES_BEGIN: [&str; 10] = [
    "pg_stat_",
    "pg_statio_",
    "pg_show_all_",
    "pg_hba_file_",
    "pg_ident_file_",
    "pg_current_",
    "pg_backend_memory",
    "pg_buffercache",
    "pg_control_",
    "pg_ls_",
];
/// What only a replica has is asked for where the checks run.
const OF_REPLICA_BEGIN: [&str; 10] = [
    "pg_stat_wal_receiver",
    "pg_stat_get_wal_receiver",
    "pg_stat_recovery_prefetch",
    "pg_stat_get_recovery_prefetch",
    "pg_stat_database_conflicts",
    "pg_stat_get_db_conflict",
    "pg_last_wal_re",
    "pg_last_xact_replay",
    "pg_is_wal_replay",
    "pg_get_wal_replay",
];
const MYSQL: [&str; 10] = [
    "sys",
    "processlist",
    "global_status",
    "session_status",
    "global_variables",
    "session_variables",
    "metadata_lock_info",
    "slow_log",
    "general_log",
    "is_used_lock",
];
const MYSQL_BEGIN: [&str; 2] = ["@@", "innodb_"];
const ORACLE_BEGIN: [&str; 4] = ["v$", "v_$", "gv$", "gv_$"];
const OF_STANDBY: [&str; 4] = ["dataguard", "archive_gap", "managed_standby", "recovery_progress"];

/// Of SQL, or of how a server runs it.
pub fn is_of_one_server(text: &str, dialect: Dialect) -> bool {
    let text = text.to_lowercase();
    let between = |c: char| !c.is_alphanumeric() && !"_$@".contains(c);
    let words: Vec<&str> = text.split(between).filter(|word| !word.is_empty()).collect();
    let begins = |word: &&str, with: &[&str]| with.iter().any(|begin| word.starts_with(begin));
    let of_replica = |word: &&str| begins(word, &OF_REPLICA_BEGIN);
    let followed = |word: &&str, by: &str| {
        words.windows(2).any(|pair| pair[0] == *word && !pair[1].starts_with(by))
    };
    words.iter().any(|word| match dialect {
        // Who asks whether it is a replica and how late mean the replica.
        Dialect::Postgres if *word == "pg_is_in_recovery" => !words.iter().any(of_replica),
        Dialect::Postgres if *word == "last_value" => is_of_sequence(&text),
        Dialect::Postgres => {
            POSTGRES.contains(word) || begins(word, &POSTGRES_BEGIN) && !of_replica(word)
        }
        Dialect::Mysql | Dialect::Mariadb if *word == "performance_schema" => {
            followed(word, "replication_")
        }
        Dialect::Mysql | Dialect::Mariadb => MYSQL.contains(word) || begins(word, &MYSQL_BEGIN),
        Dialect::Oracle => {
            begins(word, &ORACLE_BEGIN) && !OF_STANDBY.iter().any(|of| word.contains(of))
        }
        Dialect::Sqlite => false,
    })
}

/// Where it is not called, it is the column that a sequence has, and no window function.
fn is_of_sequence(text: &str) -> bool {
    const COLUMN: &str = "last_value";
    let behind = |at: usize| text[at + COLUMN.len()..].trim_start_matches([' ', '"']);
    text.match_indices(COLUMN).any(|(at, _)| !behind(at).starts_with('('))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Mariadb, Mysql, Oracle, Postgres, Sqlite};

    #[test]
    fn the_words_say_whose_answer_it_is() {
        for (dialect, sql, of_server) in [
            (Postgres, "SELECT pid FROM pg_stat_activity * WHERE x", true),
            (Postgres, "SELECT 1 FROM \"Pg_Catalog\".\"pg_locks\"", true),
            (Postgres, "SELECT query_to_xml('TABLE pg_stat_activity', true, true, '')", true),
            (Postgres, "SELECT 1 FROM public.pg_stat_statements", true),
            (Postgres, "SELECT current_setting('port')", true),
            (Postgres, "SELECT 1 FROM pg_stat_wal_receiver", false),
            (Postgres, "SELECT 1 FROM pg_stat_wal_receiver, pg_stat_activity", true),
            (Postgres, "SELECT 1 WHERE pg_is_in_recovery()", true),
            (Postgres, "SELECT pg_last_xact_replay_timestamp() WHERE pg_is_in_recovery()", false),
            (Postgres, "SELECT 1 FROM statement, pg_class", false),
            (Postgres, "SELECT s.last_value FROM pg_sequences s", true),
            (Postgres, "SELECT \"last_value\" FROM orders_id_seq", true),
            (Postgres, "SELECT last_value (n) OVER (ORDER BY id) FROM stock", false),
            (Mariadb, "SELECT 1 FROM `information_schema`.`processlist`", true),
            (Mysql, "SELECT @@global.log_bin", true),
            (Mysql, "SELECT @mine", false),
            (Mysql, "SELECT 1 FROM performance_schema.threads", true),
            (Mysql, "SELECT 1 FROM performance_schema.replication_group_members", false),
            (Mysql, "SELECT 1 FROM system", false),
            (Oracle, "SELECT 1 FROM v$session", true),
            (Oracle, "SELECT 1 FROM v$dataguard_stats", false),
            (Sqlite, "SELECT 1 FROM pg_locks", false),
        ] {
            assert_eq!(is_of_one_server(sql, dialect), of_server, "{sql}");
        }
    }
}
