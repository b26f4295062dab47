//! Shelf: lines that several hosts keep in one place, in the order of a chain, with one writer each.
//!
//! The writer is whoever holds an advisory lock, which goes with the session; the number that counts
//! up with each of them is in every insert, so that a writer whose session was lost cannot append any
//! more, whatever it believes. Knows nothing of what the lines say.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tokio::time::timeout;

use super::{connect, fault};
use crate::config::access::Access;
use crate::engine::EngineError;

/// What makes the shelf. Nothing of it is run but on demand.
pub const DDL: &str = "\
CREATE SCHEMA IF NOT EXISTS steadyhand;
CREATE TABLE IF NOT EXISTS steadyhand.incident (
  id      text PRIMARY KEY,            -- the hash of its first record
  name    text NOT NULL,               -- INC-0001
  host    text NOT NULL,               -- where it was opened
  runbook text NOT NULL,
  lease   bigint NOT NULL DEFAULT 0,   -- counts up with every writer
  holder  text NOT NULL DEFAULT ''     -- who that is, for people
);
CREATE TABLE IF NOT EXISTS steadyhand.record (
  incident text NOT NULL REFERENCES steadyhand.incident,
  seq      bigint NOT NULL,
  prev     text NOT NULL,
  hash     text NOT NULL,
  line     text NOT NULL,              -- as it stands in the journal
  PRIMARY KEY (incident, seq)
);
CREATE TABLE IF NOT EXISTS steadyhand.file (
  incident text NOT NULL REFERENCES steadyhand.incident,
  path     text NOT NULL,
  bytes    bytea NOT NULL,
  PRIMARY KEY (incident, path)
);
CREATE TABLE IF NOT EXISTS steadyhand.apart (  -- what a host wrote that had lost the lease
  incident text NOT NULL REFERENCES steadyhand.incident,
  host     text NOT NULL,
  seq      bigint NOT NULL,
  line     text NOT NULL
);
-- One host may do so more than once, and a line ends with its hash.
CREATE UNIQUE INDEX IF NOT EXISTS apart_line
  ON steadyhand.apart (incident, host, seq, (right(line, 66)));
ALTER TABLE steadyhand.apart DROP CONSTRAINT IF EXISTS apart_pkey;  -- of stores of the first version
";

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(10);

/// As much as is asked for at once, and two lines whatever they are.
const PAGE_LINES: i64 = 500;
const PAGE_BYTES: i64 = 256 << 10;

/// A file may take its time: as much more as it is long on a slow link, and so may its statement.
const BYTES_A_SECOND: u64 = 64 << 10;
const TIME: &str = "SET statement_timeout = '10min'";

/// Statements that find a lock by the name of an incident.
const KEY: &str = "('x' || substr($1, 1, 16))::bit(64)::bigint";

/// The session that holds the lock of an incident.
const WRITER: &str = "SELECT pid FROM pg_locks \
     WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
       AND ((classid::bigint << 32) | objid::bigint) \
         = ('x' || substr(i.id, 1, 16))::bit(64)::bigint";

#[derive(Debug)]
pub struct Shelf {
    connection: PgConnection,
    access: Access,
    place: String,
}

/// An incident as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: String,
    pub name: String,
    pub host: String,
    pub runbook: String,
    pub holder: String,
    /// Somebody's session holds it now, and has asked nothing for so long, as far as we may see.
    pub held: Option<Duration>,
}

/// What became of a wish to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The number of our lease.
    Ours(i64),
    Held(String),
}

/// One line of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub seq: i64,
    pub prev: String,
    pub hash: String,
    pub line: String,
}

impl Shelf {
    pub async fn open(access: &Access) -> Result<Self, EngineError> {
        let name = connect::name(Some("store"));
        let mut connection = connect::connect(access, &name).await?;
        let place = connect::place(access);
        let settle = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
                      SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; \
                      SET tcp_keepalives_count = 4";
        let settled = timeout(LIMIT, connection.execute(sqlx::raw_sql(settle))).await;
        match settled {
            Ok(Ok(_)) => Ok(Self { connection, access: access.clone(), place }),
            Ok(Err(error)) => Err(broken(&place, &error)),
            Err(_) => Err(silent(&place)),
        }
    }

    pub async fn make(&mut self) -> Result<(), EngineError> {
        self.holds_every_sign().await?;
        let made = self.connection.execute(sqlx::raw_sql(DDL)).await;
        made.map(drop).map_err(|error| broken(&self.place, &error))
    }

    /// A line is kept as it stands in the journal, whatever language its rows are in.
    async fn holds_every_sign(&mut self) -> Result<(), EngineError> {
        let asked = sqlx::query_scalar("SELECT current_setting('server_encoding')");
        let encoding: String = answer(&self.place, asked.fetch_one(&mut self.connection)).await?;
        if ["UTF8", "SQL_ASCII"].contains(&encoding.as_str()) {
            return Ok(());
        }
        let place = &self.place;
        let message = format!(
            "{place} is a database in {encoding}, which cannot hold every line; the store needs one in UTF8"
        );
        Err(EngineError::Database { message })
    }

    /// Whether an incident may be there. Only where it cannot, or is not, nobody else can write to it.
    pub async fn may_have(&mut self, id: &str) -> Result<bool, EngineError> {
        let there = "SELECT EXISTS (SELECT FROM pg_tables \
             WHERE schemaname = 'steadyhand' AND tablename = 'incident')";
        let asked = sqlx::query_scalar(there).fetch_one(&mut self.connection);
        let there: bool = answer(&self.place, asked).await?;
        if !there {
            return Ok(false);
        }
        let asked =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM steadyhand.incident WHERE id = $1)");
        let asked = asked.bind(id).fetch_one(&mut self.connection);
        match answer(&self.place, asked).await {
            // Whoever may not look does not know.
            Err(EngineError::Database { .. }) => Ok(true),
            known => known,
        }
    }

    /// Every incident there is, or the one.
    pub async fn list(&mut self, id: Option<&str>) -> Result<Vec<Kept>, EngineError> {
        let sql = format!(
            "SELECT i.id, name, host, runbook, holder, w.pid IS NOT NULL AS held, \
               extract(epoch FROM clock_timestamp() - state_change)::float8 AS silent \
             FROM steadyhand.incident i LEFT JOIN LATERAL ({WRITER}) w ON true \
             LEFT JOIN pg_stat_activity USING (pid) WHERE $1::text IS NULL OR i.id = $1 \
             ORDER BY name, host"
        );
        let asked = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id);
        let rows = answer(&self.place, asked.fetch_all(&mut self.connection)).await?;
        let kept = |row: &sqlx::postgres::PgRow| -> Result<Kept, sqlx::Error> {
            let silent: Option<f64> = row.try_get("silent")?;
            let silent = silent.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            Ok(Kept {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                host: row.try_get("host")?,
                runbook: row.try_get("runbook")?,
                holder: row.try_get("holder")?,
                held: row.try_get::<bool, _>("held")?.then(|| silent.unwrap_or_default()),
            })
        };
        rows.iter().map(kept).collect::<Result<_, _>>().map_err(|error| broken(&self.place, &error))
    }

    /// The right to append to an incident, made known if it is not there yet.
    pub async fn claim(&mut self, kept: &Kept, holder: &str) -> Result<Claimed, EngineError> {
        self.holds_every_sign().await?;
        let lock = format!("SELECT pg_try_advisory_lock({KEY})");
        let asked = sqlx::query_scalar(sqlx::AssertSqlSafe(lock)).bind(&kept.id);
        let ours: bool = answer(&self.place, asked.fetch_one(&mut self.connection)).await?;
        if !ours {
            let holder = self.holder(&kept.id).await?;
            return Ok(Claimed::Held(holder.unwrap_or_default()));
        }
        let asked = sqlx::query_scalar(
            "INSERT INTO steadyhand.incident AS i (id, name, host, runbook, lease, holder) \
             VALUES ($1, $2, $3, $4, 1, $5) \
             ON CONFLICT (id) DO UPDATE SET lease = i.lease + 1, holder = excluded.holder \
             RETURNING lease",
        );
        let asked = asked.bind(&kept.id).bind(&kept.name).bind(&kept.host).bind(&kept.runbook);
        let asked = asked.bind(holder).fetch_one(&mut self.connection);
        answer(&self.place, asked).await.map(Claimed::Ours)
    }

    /// Who wrote last and did not say that they left, as far as is known.
    pub async fn holder(&mut self, id: &str) -> Result<Option<String>, EngineError> {
        let asked = sqlx::query_scalar("SELECT holder FROM steadyhand.incident WHERE id = $1");
        let asked = asked.bind(id).fetch_optional(&mut self.connection);
        let holder: Option<String> = answer(&self.place, asked).await?;
        Ok(holder.filter(|holder| !holder.is_empty()))
    }

    /// The writer leaves, and nobody need wonder whether it still works somewhere, or wait for the end of a
    /// session: whatever lies between may keep it.
    pub async fn release(&mut self, id: &str, lease: i64) -> Result<(), EngineError> {
        let asked =
            sqlx::query("UPDATE steadyhand.incident SET holder = '' WHERE id = $1 AND lease = $2");
        let asked = asked.bind(id).bind(lease).execute(&mut self.connection);
        answer(&self.place, asked).await?;
        let unlock = format!("SELECT pg_advisory_unlock({KEY})");
        let asked = sqlx::query(sqlx::AssertSqlSafe(unlock)).bind(id);
        answer(&self.place, asked.execute(&mut self.connection)).await.map(drop)
    }

    /// Ends the session of a writer that was taken over from, if it still is the writer.
    pub async fn end_writer(&mut self, id: &str, holder: &str) -> Result<(), EngineError> {
        let sql = format!(
            "SELECT pg_terminate_backend(w.pid) FROM steadyhand.incident i, LATERAL ({WRITER}) w \
             WHERE i.id = $1 AND i.holder = $2"
        );
        let asked = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).bind(holder);
        answer(&self.place, asked.execute(&mut self.connection)).await.map(drop)
    }

    /// Appends lines that follow each other where the chain ends with the one before them, and only for
    /// the one who writes: all of them, or none. False if that is not so.
    pub async fn append(
        &mut self,
        id: &str,
        lease: i64,
        links: &[Link],
    ) -> Result<bool, EngineError> {
        let asked = sqlx::query(
            "WITH held AS (SELECT id FROM steadyhand.incident WHERE id = $1 AND lease = $2 FOR SHARE), \
             tip AS (SELECT seq, hash FROM steadyhand.record WHERE incident = $1 \
               ORDER BY seq DESC LIMIT 1), \
             given AS (SELECT *, lag(seq) OVER (ORDER BY seq) AS number, \
                 lag(hash) OVER (ORDER BY seq) AS before \
               FROM unnest($3::int8[], $4::text[], $5::text[], $6::text[]) AS l (seq, prev, hash, line)), \
             broken AS (SELECT FROM given LEFT JOIN tip ON true \
               WHERE given.seq <> coalesce(number, tip.seq, 0) + 1 \
                  OR given.prev <> coalesce(before, tip.hash, given.prev)), \
             done AS (INSERT INTO steadyhand.record (incident, seq, prev, hash, line) \
               SELECT id, seq, prev, hash, line FROM held, given \
               WHERE NOT EXISTS (SELECT FROM broken) RETURNING seq) \
             SELECT pg_notify('steadyhand', $1), seq FROM done",
        );
        let texts = |text: fn(&Link) -> &String| -> Vec<String> {
            links.iter().map(|link| text(link).clone()).collect()
        };
        let numbers: Vec<i64> = links.iter().map(|link| link.seq).collect();
        let asked = asked.bind(id).bind(lease).bind(numbers).bind(texts(|link| &link.prev));
        let asked = asked.bind(texts(|link| &link.hash)).bind(texts(|link| &link.line));
        let bytes: usize = links.iter().map(|link| link.line.len()).sum();
        let asked = asked.fetch_all(&mut self.connection);
        let rows = answer_within(patience(bytes as u64), &self.place, asked).await?;
        Ok(rows.len() == links.len())
    }

    /// The lines after a number, as many as come over a slow link in time; none if there are no more.
    pub async fn after(&mut self, id: &str, seq: i64) -> Result<Vec<Link>, EngineError> {
        let asked = sqlx::query_as::<_, (i64, String, String, String)>(
            "SELECT seq, prev, hash, line FROM \
               (SELECT *, sum(octet_length(line)) OVER (ORDER BY seq) - octet_length(line) AS before \
                FROM (SELECT * FROM steadyhand.record WHERE incident = $1 AND seq > $2 \
                      ORDER BY seq LIMIT $3) next) page \
             WHERE before < $4 OR seq <= $2 + 2 ORDER BY seq",
        );
        let asked = asked.bind(id).bind(seq).bind(PAGE_LINES).bind(PAGE_BYTES);
        let asked = asked.fetch_all(&mut self.connection);
        let rows = answer(&self.place, asked).await?;
        let link = |(seq, prev, hash, line)| Link { seq, prev, hash, line };
        Ok(rows.into_iter().map(link).collect())
    }

    /// The number of the last line, 0 if there is none.
    pub async fn last(&mut self, id: &str) -> Result<i64, EngineError> {
        let asked = sqlx::query_scalar(
            "SELECT coalesce(max(seq), 0) FROM steadyhand.record WHERE incident = $1",
        );
        answer(&self.place, asked.bind(id).fetch_one(&mut self.connection)).await
    }

    pub async fn hash(&mut self, id: &str, seq: i64) -> Result<Option<String>, EngineError> {
        let asked = sqlx::query_scalar(
            "SELECT hash FROM steadyhand.record WHERE incident = $1 AND seq = $2",
        );
        let asked = asked.bind(id).bind(seq).fetch_optional(&mut self.connection);
        answer(&self.place, asked).await
    }

    /// Keeps a line of a writer that lost the lease: nothing is thrown away.
    pub async fn set_apart(
        &mut self,
        id: &str,
        host: &str,
        link: &Link,
    ) -> Result<(), EngineError> {
        let asked = sqlx::query(
            "INSERT INTO steadyhand.apart VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        );
        let asked = asked.bind(id).bind(host).bind(link.seq).bind(&link.line);
        let laid = answer(&self.place, asked.execute(&mut self.connection)).await?;
        if laid.rows_affected() > 0 {
            return Ok(());
        }
        let asked = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM steadyhand.apart \
             WHERE incident = $1 AND host = $2 AND seq = $3 AND line = $4)",
        );
        let asked = asked.bind(id).bind(host).bind(link.seq).bind(&link.line);
        let there: bool = answer(&self.place, asked.fetch_one(&mut self.connection)).await?;
        if there {
            return Ok(());
        }
        let place = &self.place;
        let message = format!(
            "{place} was made by an earlier version and keeps one record {} of {host} that was set apart; \
             `steadyhand store init --apply` makes room for each",
            link.seq
        );
        Err(EngineError::Database { message })
    }

    /// Who wrote lines that were set apart, and how many: none ever goes.
    pub async fn set_apart_by(&mut self, id: &str) -> Result<Vec<(String, i64)>, EngineError> {
        let asked = sqlx::query_as::<_, (String, i64)>(
            "SELECT host, count(*) FROM steadyhand.apart WHERE incident = $1 GROUP BY host \
             ORDER BY host",
        );
        match answer(&self.place, asked.bind(id).fetch_all(&mut self.connection)).await {
            // Whoever may not look there is told nothing of it.
            Err(EngineError::Database { .. }) => Ok(Vec::new()),
            known => known,
        }
    }

    /// The lines of one of them behind a number and the end of a line, as many as come in time.
    pub async fn apart(
        &mut self,
        id: &str,
        host: &str,
        (seq, end): &(i64, String),
    ) -> Result<Vec<(i64, String, String)>, EngineError> {
        let asked = sqlx::query_as(
            "SELECT seq, right(line, 66), line FROM steadyhand.apart \
             WHERE incident = $1 AND host = $2 AND (seq, right(line, 66)) > ($3, $4) \
             ORDER BY seq, right(line, 66) LIMIT $5",
        );
        let asked = asked.bind(id).bind(host).bind(seq).bind(end).bind(PAGE_LINES);
        answer(&self.place, asked.fetch_all(&mut self.connection)).await
    }

    /// Whether the server is still there.
    pub async fn touch(&mut self) -> Result<(), EngineError> {
        answer(&self.place, self.connection.ping()).await
    }

    /// From now on files may come and go on it, which takes longer than anything else.
    pub async fn take_time(&mut self) -> Result<(), EngineError> {
        let settled = self.connection.execute(sqlx::raw_sql(TIME));
        answer(&self.place, settled).await.map(drop)
    }

    pub async fn put_file(
        &mut self,
        id: &str,
        path: &str,
        bytes: &[u8],
    ) -> Result<(), EngineError> {
        let asked = sqlx::query(
            "INSERT INTO steadyhand.file VALUES ($1, $2, $3) \
             ON CONFLICT (incident, path) DO UPDATE SET bytes = excluded.bytes",
        );
        let asked = asked.bind(id).bind(path).bind(bytes).execute(&mut self.connection);
        answer_within(patience(bytes.len() as u64), &self.place, asked).await.map(drop)
    }

    pub async fn files(&mut self, id: &str) -> Result<Vec<String>, EngineError> {
        let asked = sqlx::query_scalar("SELECT path FROM steadyhand.file WHERE incident = $1");
        answer(&self.place, asked.bind(id).fetch_all(&mut self.connection)).await
    }

    /// None if it is larger than that: whoever can write to the store fills no memory here.
    pub async fn file(
        &mut self,
        id: &str,
        path: &str,
        most: u64,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        let asked = sqlx::query_scalar(
            "SELECT octet_length(bytes)::int8 FROM steadyhand.file WHERE incident = $1 AND path = $2",
        );
        let asked = asked.bind(id).bind(path).fetch_optional(&mut self.connection);
        let length: Option<i64> = answer(&self.place, asked).await?;
        let length = length.and_then(|length| u64::try_from(length).ok());
        let Some(length) = length.filter(|length| *length <= most) else { return Ok(None) };
        let asked = sqlx::query_scalar(
            "SELECT bytes FROM steadyhand.file \
             WHERE incident = $1 AND path = $2 AND octet_length(bytes) <= $3",
        );
        let asked = asked.bind(id).bind(path).bind(i64::try_from(most).unwrap_or(i64::MAX));
        let asked = asked.fetch_optional(&mut self.connection);
        answer_within(patience(length), &self.place, asked).await
    }

    /// A connection that hears of every line.
    pub async fn listen(&self) -> Result<Ear, EngineError> {
        let options = connect::options(&self.access, &connect::name(Some("store")));
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(LIMIT);
        let failed = |error: sqlx::Error| broken(&self.place, &error);
        let pool = pool.connect_with(options).await.map_err(failed)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(failed)?;
        listener.listen("steadyhand").await.map_err(failed)?;
        Ok(Ear(listener))
    }

    pub async fn close(self) {
        let _ = timeout(LIMIT, self.connection.close()).await;
    }
}

#[derive(Debug)]
pub struct Ear(PgListener);

impl Ear {
    /// The incident that has another line.
    pub async fn hear(&mut self) -> Option<String> {
        self.0.recv().await.ok().map(|said| said.payload().to_owned())
    }
}

async fn answer<T>(
    place: &str,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, EngineError> {
    answer_within(LIMIT, place, asked).await
}

fn patience(bytes: u64) -> Duration {
    LIMIT + Duration::from_secs(bytes / BYTES_A_SECOND)
}

async fn answer_within<T>(
    limit: Duration,
    place: &str,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, EngineError> {
    match timeout(limit, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(broken(place, &error)),
        Err(_) => Err(silent(place)),
    }
}

fn silent(place: &str) -> EngineError {
    EngineError::Lost { message: format!("{place} does not answer") }
}

/// A store that says no is told from one that is not there: the one will say it again.
fn broken(place: &str, error: &sqlx::Error) -> EngineError {
    let Some(said) = fault::server(error) else {
        return EngineError::Lost { message: format!("{place}: {}", fault::transport(error)) };
    };
    let message = format!("{place}: {}", fault::words(said));
    match said.code() {
        // It ends the session, or had no time.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "57014" | "55P03" => {
            EngineError::Lost { message }
        }
        code if code.starts_with("08") => EngineError::Lost { message },
        _ => EngineError::Database { message },
    }
}
