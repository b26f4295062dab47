//! Who the server is by its own word, whether it may be written, and what can be promised there.

use std::time::Duration;

use super::Session;
use crate::engine::{Badge, Called, Capability, EngineError, Identity, Purpose};

/// What the database says of itself in its control file, asked by whoever may.
const DATABASE: &str = "SELECT DBID || ':' || CON_DBID, TO_CHAR(RESETLOGS_CHANGE#), OPEN_MODE \
    FROM V$DATABASE";

/// What every session may ask.
const CONTEXT: &str = "SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME'), \
    SYS_CONTEXT('USERENV', 'CON_NAME'), SYS_CONTEXT('USERENV', 'SERVICE_NAME'), \
    SYS_CONTEXT('USERENV', 'DATABASE_ROLE'), SYS_CONTEXT('USERENV', 'SESSION_USER'), \
    SYS_CONTEXT('USERENV', 'SID'), SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL";

/// What was heard from both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Heard {
    unique: String,
    container: String,
    service: String,
    role: String,
    user: String,
    session: String,
    schema: String,
    /// Numbers of the database and of its container, the moment since when its log goes on, and its
    /// open mode; `None` without the right.
    database: Option<[String; 3]>,
}

impl Heard {
    /// The numbers tell databases apart whatever they are called, and a copy that was opened by itself
    /// from its source; the names tell a standby from its primary.
    fn server(&self) -> String {
        let numbers = match &self.database {
            Some([numbers, since, _]) => format!("{numbers}:{since}"),
            None => "unproved".into(),
        };
        format!("{numbers}/{}/{}/{}.{}", self.unique, self.container, self.service, self.schema)
    }

    fn is_replica(&self) -> bool {
        self.role.contains("STANDBY")
    }

    /// Why nothing may be written here, if so.
    fn forbidden(&self, ours: u64, kind: Option<&str>) -> Option<String> {
        if self.session != ours.to_string() || kind == Some("POOLED") {
            return Some(
                "a pooler hands the session around; connect to a dedicated server process".into(),
            );
        }
        if self.is_replica() {
            return Some("it is a standby; write to its primary".into());
        }
        match &self.database {
            None => Some(
                "without READ on SYS.V_$DATABASE the database cannot prove which one it is; \
                 `steadyhand grants` prints the right"
                    .into(),
            ),
            Some([_, _, mode]) if mode != "READ WRITE" => {
                Some(format!("the database is open as {mode}"))
            }
            Some(_) => None,
        }
    }
}

/// Which of the views behind a promise may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    /// Locks and transactions of all sessions.
    pub locks: bool,
    /// Triggers, code and what it depends on.
    pub code: bool,
    /// Sessions of ours may be ended.
    pub ends: bool,
}

fn badge(sight: Sight) -> Badge {
    let told = if sight.locks && sight.code {
        Capability::Full
    } else {
        let missing = match (sight.locks, sight.code) {
            (false, _) => "GV_$LOCKED_OBJECT and GV_$TRANSACTION",
            _ => "DBA_TRIGGERS, DBA_SOURCE and DBA_DEPENDENCIES",
        };
        Capability::Partial(format!(
            "without READ on {missing} it cannot be told which tables triggers wrote"
        ))
    };
    let in_doubt = if sight.ends {
        Capability::Full
    } else {
        Capability::Partial(
            "sessions cannot be ended by this account, so a doubt lasts until the old one ends by \
             itself"
                .into(),
        )
    };
    Badge {
        preview: told.clone(),
        undo: told,
        in_doubt,
        guardrail: Capability::Partial(
            "DDL commits here and nothing temporary can stand for a table: a guardrail cannot be \
             rehearsed, only probed once it stands and taken away if it does not hold"
                .into(),
        ),
    }
}

impl Session {
    pub async fn called(&mut self) -> Result<Called, EngineError> {
        let server = self.heard().await?.server();
        Ok(Called { server, version: format!("{} {}", self.dialect(), self.wire.version()) })
    }

    pub async fn identity(&mut self) -> Result<Identity, EngineError> {
        let heard = self.heard().await?;
        let kind = format!("SELECT S.SERVER FROM GV$SESSION S WHERE {}", self.wire.id.is("S"));
        let kind = self.wire.texts_if_allowed(&kind).await?;
        let kind = kind.and_then(|rows| rows.into_iter().flatten().next());
        let sight = self.sight().await?;
        Ok(Identity {
            server: heard.server(),
            history: None,
            version: format!("{} {}", self.dialect(), self.wire.version()),
            role: heard.user.clone(),
            replica: heard.is_replica(),
            no_writes: heard.forbidden(self.wire.id.session, kind.as_deref()),
            settings: self.settings.clone(),
            badge: badge(sight),
        })
    }

    async fn heard(&mut self) -> Result<Heard, EngineError> {
        let row = self.wire.texts(CONTEXT).await?.into_iter().next().unwrap_or_default();
        let Ok([unique, container, service, role, user, session, schema]) =
            <[String; 7]>::try_from(row)
        else {
            return Err(EngineError::Database {
                message: "the server says nothing of itself".into(),
            });
        };
        let database = self.wire.texts_if_allowed(DATABASE).await?;
        let database = database.and_then(|rows| rows.into_iter().next());
        let database = database.and_then(|row| <[String; 3]>::try_from(row).ok());
        Ok(Heard { unique, container, service, role, user, session, schema, database })
    }

    /// Asked again before every transaction that writes: a primary may have become a standby.
    pub(super) async fn may_write(&mut self) -> Result<(), EngineError> {
        let why = if self.purpose == Purpose::Detect {
            Some("this session only reads".into())
        } else {
            self.heard().await?.forbidden(self.wire.id.session, None)
        };
        why.map_or(Ok(()), |message| Err(EngineError::ReadOnly { message }))
    }

    pub(super) async fn sight(&mut self) -> Result<Sight, EngineError> {
        const LOCKS: &str = "SELECT 1 FROM GV$LOCKED_OBJECT L, GV$TRANSACTION T, GV$SESSION S \
            WHERE ROWNUM = 0";
        const CODE: &str = "SELECT 1 FROM SYS.DBA_TRIGGERS, SYS.DBA_SOURCE, SYS.DBA_DEPENDENCIES \
            WHERE ROWNUM = 0";
        // An owner sees all code that hangs on the own tables without a right.
        const OWNER: &str = "SELECT 1 FROM DUAL WHERE SYS_CONTEXT('USERENV', 'SESSION_USER') = \
            SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')";
        const ENDS: &str = "SELECT 1 FROM SESSION_PRIVS WHERE PRIVILEGE = 'ALTER SYSTEM' UNION ALL \
            SELECT 1 FROM ALL_PROCEDURES WHERE OWNER = 'STEADYHAND_OPS' \
            AND OBJECT_NAME = 'STEADYHAND_END'";
        let code = self.wire.texts_if_allowed(CODE).await?.is_some();
        let owner = !self.wire.texts(OWNER).await?.is_empty();
        Ok(Sight {
            locks: self.wire.texts_if_allowed(LOCKS).await?.is_some(),
            code: code || owner,
            ends: !self.wire.texts(ENDS).await?.is_empty(),
        })
    }

    /// How old what a standby shows is; it says so itself.
    pub async fn lag(&mut self) -> Result<Option<Duration>, EngineError> {
        const LAG: &str = "SELECT TO_CHAR(EXTRACT(DAY FROM L) * 86400 + EXTRACT(HOUR FROM L) * 3600 \
            + EXTRACT(MINUTE FROM L) * 60 + FLOOR(EXTRACT(SECOND FROM L))) FROM \
            (SELECT TO_DSINTERVAL(VALUE) AS L FROM V$DATAGUARD_STATS WHERE NAME = 'apply lag')";
        if !self.heard().await?.is_replica() {
            return Ok(None);
        }
        let rows = self.wire.texts(LAG).await?;
        let seconds = rows.into_iter().flatten().next().and_then(|text| text.parse().ok());
        seconds.map(|seconds| Some(Duration::from_secs(seconds))).ok_or_else(|| {
            EngineError::Database { message: "the standby does not say how late it is".into() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> Heard {
        Heard {
            unique: "ERP_A".into(),
            container: "ERPPDB".into(),
            service: "erp.example.com".into(),
            role: "PRIMARY".into(),
            user: "OPS".into(),
            session: "12".into(),
            schema: "ERP".into(),
            database: Some(["77:78".into(), "1".into(), "READ WRITE".into()]),
        }
    }

    #[test]
    fn the_server_is_one_database_one_container_one_schema() {
        assert_eq!(heard().server(), "77:78:1/ERP_A/ERPPDB/erp.example.com.ERP");
        assert_eq!(heard().forbidden(12, Some("DEDICATED")), None);
    }

    #[test]
    fn nothing_is_written_where_it_would_not_stay_or_nobody_knows_where() {
        let why = |heard: Heard| heard.forbidden(12, None).unwrap_or_default();
        assert!(why(Heard { role: "PHYSICAL STANDBY".into(), ..heard() }).contains("standby"));
        assert!(why(Heard { database: None, ..heard() }).contains("V_$DATABASE"));
        let read = Some(["77:78".into(), "1".into(), "READ ONLY".into()]);
        assert!(why(Heard { database: read, ..heard() }).contains("READ ONLY"));
        assert!(why(Heard { session: "13".into(), ..heard() }).contains("pooler"));
        assert!(heard().forbidden(12, Some("POOLED")).is_some());
    }

    #[test]
    fn a_promise_without_the_rights_for_it_says_which() {
        let full = Sight { locks: true, code: true, ends: true };
        assert!(badge(full).preview.is_full() && badge(full).in_doubt.is_full());
        assert!(!badge(full).guardrail.is_full());
        let blind = badge(Sight { locks: false, ..full });
        assert!(blind.undo.words().contains("GV_$LOCKED_OBJECT"), "{blind:?}");
        assert!(!badge(Sight { ends: false, ..full }).in_doubt.is_full());
    }
}
