//! Who the server is, what its settings are beside those of the application, and what can be promised.

use super::Session;
use crate::config::access::Host;
use crate::engine::{Badge, Called, Capability, EngineError, Identity, Setting};
use crate::value::Value;

/// Settings that change the meaning of SQL or the worth of a COMMIT. Whether policies hide rows is not among
/// them: of checks they may hide none, and a change has what the application has.
const TOLD: [&str; 8] = [
    "search_path",
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "session_replication_role",
    "synchronous_commit",
];

/// What one look at the server says.
struct Who {
    called: Called,
    role: String,
    replica: bool,
    /// The server told its own identifier.
    proved: bool,
}

impl Session {
    pub async fn called(&mut self) -> Result<Called, EngineError> {
        self.who().await.map(|who| who.called)
    }

    async fn who(&mut self) -> Result<Who, EngineError> {
        const WHO: &str = "SELECT current_database(), current_setting('server_version'), \
             current_user::text, pg_is_in_recovery(), (SELECT oid::bigint FROM pg_database \
             WHERE datname = current_database()), coalesce((SELECT CASE WHEN rolsuper THEN ' (superuser)' \
             WHEN rolbypassrls THEN ' (sees all rows)' ELSE '' END FROM pg_roles \
             WHERE rolname = current_user), ''), \
             has_function_privilege('pg_control_system()', 'EXECUTE')";
        let row = self.rows(WHO).await?.pop().unwrap_or_default();
        let text =
            |at: usize| row.get(at).and_then(|cell| cell.as_ref().plain()).unwrap_or_default();
        let (database, version, role) = (text(0), text(1), text(2) + &text(5));
        let replica = text(3) == "t";
        let proved = text(6) == "t";
        let server = if proved {
            let id = "SELECT system_identifier FROM pg_control_system()";
            format!("{}/{database}", self.text(id).await?.unwrap_or_default())
        } else {
            // The place and the number of the database are what is left to know it by.
            let host = match &self.access.host {
                Host::Tcp(name) => name.clone(),
                Host::Socket(folder) => folder.display().to_string(),
            };
            format!("{host}:{}/{database}#{}", self.access.port, text(4))
        };
        Ok(Who { called: Called { server, version }, role, replica, proved })
    }

    pub async fn identity(&mut self) -> Result<Identity, EngineError> {
        let Who { called: Called { server, version }, role, replica, proved } = self.who().await?;
        let settings = self.settings_told().await?;
        let reset = |name: &str| {
            let found = settings.iter().find(|setting| setting.name == name);
            found.map(|setting| setting.theirs.clone().unwrap_or_else(|| setting.ours.clone()))
        };
        let pooled = self.pooler().await?;
        let no_writes = if replica {
            Some("this is a replica; connect to its primary to change something".to_owned())
        } else if let Some((name, from)) = self.access.read_only() {
            // Inside of a transaction, where it is set, this setting is too late.
            Some(format!("{name} is on in the options of {from}; whoever wrote it must say why"))
        } else if reset("default_transaction_read_only").as_deref() == Some("on") {
            Some("default_transaction_read_only is on there for this role; whoever set it must say why".into())
        } else {
            pooled
        };
        self.timeline = self.current_timeline(replica).await?;
        let badge = self.badge(no_writes.as_deref(), reset("synchronous_commit"), proved).await?;
        let settings = settings
            .into_iter()
            .filter(|setting| setting.name != "default_transaction_read_only")
            .collect();
        let history = self.timeline.as_ref().map(|number| format!("timeline {number}"));
        Ok(Identity { server, history, version, role, replica, no_writes, settings, badge })
    }

    /// A physical copy has the identifier of its original; when it takes over it begins a timeline of
    /// its own, at once in the names of its WAL and only with the next checkpoint in its control file.
    async fn current_timeline(&mut self, replica: bool) -> Result<Option<String>, EngineError> {
        const TIMELINE: &str = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
        if replica {
            return Ok(None);
        }
        match self.text(TIMELINE).await {
            Ok(told) => {
                let number = told.and_then(|hex| u32::from_str_radix(&hex, 16).ok());
                Ok(number.map(|number| number.to_string()))
            }
            // A service that keeps its WAL to itself.
            Err(EngineError::Database { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ours beside what a new session of this role gets in this database.
    async fn settings_told(&mut self) -> Result<Vec<Setting>, EngineError> {
        // The driver sends a zone and a style of its own when it connects, so for these two only the
        // catalogue can tell what an application would get; and only who may read the server's files
        // knows what it gets where the catalogue says nothing.
        let names = TOLD.map(super::rows::literal).join(", ");
        let sql = format!(
            "SELECT s.name, current_setting(s.name), CASE WHEN s.name IN ('TimeZone', 'DateStyle') \
             THEN (SELECT substr(u.said, strpos(u.said, '=') + 1) FROM pg_db_role_setting d, \
             unnest(d.setconfig) u(said) WHERE lower(split_part(u.said, '=', 1)) = lower(s.name) \
             AND d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
             AND d.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)) \
             ORDER BY d.setrole = 0, d.setdatabase = 0 LIMIT 1) ELSE s.reset_val END \
             FROM pg_settings s WHERE s.name IN ({names})"
        );
        // What this session keeps for itself would hide what others get, so it is asked beside.
        let beside = super::Side::at(&mut self.side, &self.access).await?.rows(&sql).await?;
        let ours = self.rows(&sql).await?;
        let of = |rows: &[Vec<Value>], name: &str, at: usize| {
            let row = rows.iter().find(|row| row[0] == Value::Text(name.to_owned()))?;
            row[at].as_ref().plain()
        };
        let told = TOLD.iter().filter_map(|name| {
            let ours = match *name {
                // Our transactions say it themselves.
                "default_transaction_isolation" => "repeatable read".to_owned(),
                _ => of(&ours, name, 1)?,
            };
            Some(Setting { name: (*name).to_owned(), ours, theirs: of(&beside, name, 2) })
        });
        Ok(told.collect())
    }

    async fn badge(
        &mut self,
        no_writes: Option<&str>,
        synchronous: Option<String>,
        proved: bool,
    ) -> Result<Badge, EngineError> {
        if let Some(why) = no_writes {
            let none = || Capability::None(why.to_owned());
            return Ok(Badge {
                preview: none(),
                undo: none(),
                in_doubt: none(),
                guardrail: none(),
            });
        }
        let create = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";
        let creates = self.text(create).await?.as_deref() == Some("t");
        let in_doubt = if let Some(why) = self.no_ledger(creates).await? {
            Capability::None(why)
        } else if synchronous.as_deref() == Some("off") {
            Capability::Partial(
                "synchronous_commit is off: a crash of the server may lose what it has confirmed"
                    .into(),
            )
        } else if !proved {
            Capability::Partial(
                "the server does not tell us its identifier, so a copy of it cannot be told from it".into(),
            )
        } else if self.timeline.is_none() {
            Capability::Partial(
                "the server does not tell us its timeline, so a copy that took over cannot be told \
                 from it".into(),
            )
        } else {
            Capability::Full
        };
        let guardrail = if creates {
            Capability::Full
        } else {
            Capability::None("this role may not create anything in the schema".into())
        };
        Ok(Badge { preview: Capability::Full, undo: Capability::Full, in_doubt, guardrail })
    }
}
