//! PostgreSQL through the door that operators' work goes through: what is seen, counted, stopped and
//! settled, and every trap of it by name.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use common::server::{self, Client, Kind, Server, Setup};
use steadyhand::config::access::{Access, access};
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::engine::{
    Blind, EngineError, Image, Purpose, Receipt, RowWrite, Session, Settled, Stopper, Table,
    Touched,
};
use steadyhand::value::{Value, ValueRef};
use tokio::runtime::Runtime;

const WAIT: Duration = Duration::from_secs(2);
const CAP: Duration = Duration::from_secs(60);

/// A server with a database, and a runtime to speak to it.
struct Desk {
    server: Server,
    runtime: Runtime,
}

/// What one watched run wrote.
struct Seen {
    touched: Vec<Touched>,
    images: Vec<(String, Image)>,
    blind: Blind,
    warnings: Vec<String>,
    leaves: Vec<String>,
    locks: String,
    receipt: Receipt,
}

impl Desk {
    fn new(schema: &str) -> Self {
        Self::on(server::postgres(), schema)
    }

    fn on(server: Server, schema: &str) -> Self {
        server.database("erp");
        server.run("erp", schema);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self { server, runtime }
    }

    fn access(&self) -> Access {
        access_of(&self.server.url("erp"))
    }

    fn client(&self) -> Client {
        self.server.client("erp")
    }

    async fn open(&self, purpose: Purpose) -> Session {
        open(&self.access(), purpose, &Stopper::default()).await
    }

    /// Runs statements under watch, reads what they wrote, and takes everything back.
    fn watched(&self, statements: &[&str]) -> Seen {
        self.runtime.block_on(async {
            let (mut work, mut observe) = self.pair().await;
            let tables = work.tables().await.unwrap();
            work.begin_watched(&mut observe, &tables, "op-1", CAP).await.unwrap();
            for sql in statements {
                work.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            let (touched, images, blind) = written(&mut work, &mut observe).await;
            let seen = Seen {
                touched,
                images,
                blind,
                warnings: work.warnings(),
                leaves: work.leaves_behind().await.unwrap(),
                locks: work.lock_words().await.unwrap(),
                receipt: work.take_back(&mut observe).await.unwrap(),
            };
            work.close().await;
            observe.close().await;
            seen
        })
    }

    async fn pair(&self) -> (Session, Session) {
        (self.open(Purpose::Work).await, self.open(Purpose::Detect).await)
    }
}

fn access_of(url: &str) -> Access {
    let url = TargetUrl::parse(url, Path::new("")).unwrap();
    let target = Target::new("erp", url, Environment::Development);
    access(&target, &|_| None, None).unwrap()
}

async fn open(access: &Access, purpose: Purpose, stopper: &Stopper) -> Session {
    Session::server(access, purpose, WAIT, stopper).await.unwrap()
}

async fn written(
    work: &mut Session,
    observe: &mut Session,
) -> (Vec<Touched>, Vec<(String, Image)>, Blind) {
    let mut images = Vec::new();
    let mut keep = |table: &Table, image: Image| images.push((table.name.clone(), image));
    let (touched, blind) = work.written(observe, &mut keep).await.unwrap();
    (touched, images, blind)
}

impl Seen {
    /// `table inserted/updated/deleted`, in order.
    fn counts(&self) -> Vec<String> {
        let words = |t: &Touched| format!("{} {}/{}/{}", t.table, t.inserted, t.updated, t.deleted);
        self.touched.iter().map(words).collect()
    }

    /// `table key: before -> after`, sorted.
    fn images(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.images.iter().map(|(table, image)| line(table, image)).collect();
        lines.sort();
        lines
    }
}

fn line(table: &str, image: &Image) -> String {
    let all = |row: &Option<Vec<Value>>| row.as_ref().map_or("-".into(), |row| texts(row));
    format!("{table} {}: {} -> {}", texts(&image.key), all(&image.before), all(&image.after))
}

fn texts(values: &[Value]) -> String {
    let text = |value: &Value| value.as_ref().plain().unwrap_or_else(|| "NULL".into());
    values.iter().map(text).collect::<Vec<_>>().join(",")
}

/// All rows of a query.
async fn ask(
    session: &mut Session,
    sql: &str,
) -> Result<(Vec<String>, Vec<Vec<Value>>), EngineError> {
    let mut rows = Vec::new();
    let mut keep = |_: &[String], row: &[ValueRef<'_>]| {
        rows.push(row.iter().map(|value| ValueRef::to_owned(*value)).collect());
        ControlFlow::Continue(())
    };
    let names = session.read(sql, CAP, &mut keep).await?;
    Ok((names, rows))
}

const PARENTS: &str = "
CREATE TABLE parent (id int PRIMARY KEY, name text);
CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent ON DELETE CASCADE);
CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit (what) VALUES (TG_OP || ' ' || OLD.id); RETURN OLD; END $$;
CREATE TRIGGER child_del AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO parent SELECT i, 'p' || i FROM generate_series(1, 3) i;
INSERT INTO child SELECT i, (i % 3) + 1 FROM generate_series(1, 6) i;
";

#[test]
fn hidden_writes_of_cascades_and_triggers_are_counted_and_seen() {
    let desk = Desk::new(PARENTS);
    let seen = desk.watched(&["DELETE FROM parent WHERE id = 2"]);
    assert_eq!(seen.counts(), ["parent 0/0/1", "child 0/0/2", "audit 2/0/0"]);
    assert_eq!(
        seen.images(),
        [
            "audit 1: - -> 1,DELETE 1",
            "audit 2: - -> 2,DELETE 4",
            "child 1: 1,2 -> -",
            "child 4: 4,2 -> -",
            "parent 2: 2,p2 -> -",
        ]
    );
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
    let Receipt::Proved(how) = &seen.receipt else { panic!("{:?}", seen.receipt) };
    assert!(how.contains("is aborted") && how.contains("idle"), "{how}");
    assert!(seen.locks.contains("row locks on audit, child, parent"), "{}", seen.locks);
    assert!(seen.leaves.iter().any(|left| left.contains("audit_id_seq")), "{:?}", seen.leaves);
    assert_eq!(desk.client().scalar("SELECT count(*) FROM child"), "6");
}

#[test]
fn a_row_that_a_foreign_key_check_locked_is_no_image() {
    let desk = Desk::new(PARENTS);
    let seen = desk
        .watched(&["INSERT INTO child VALUES (7, 1)", "UPDATE parent SET name = 'x' WHERE id = 2"]);
    assert_eq!(seen.images(), ["child 7: - -> 7,1", "parent 2: 2,p2 -> 2,x"]);
    assert!(seen.blind.is_empty() && seen.warnings.is_empty(), "{:?}", seen.warnings);
}

#[test]
fn a_row_that_somebody_else_locks_as_well_is_seen_by_its_group_of_lockers() {
    let desk = Desk::new(PARENTS);
    let mut other = desk.client();
    other.run("BEGIN; SELECT * FROM parent WHERE id = 2 FOR KEY SHARE");
    let seen = desk.watched(&["UPDATE parent SET name = 'x' WHERE id < 3"]);
    assert_eq!(seen.images(), ["parent 1: 1,p1 -> 1,x", "parent 2: 2,p2 -> 2,x"]);
    other.run("ROLLBACK");
}

#[test]
fn rows_written_inside_an_exception_block_are_seen_and_those_taken_back_are_not() {
    let desk = Desk::new(
        "CREATE TABLE t (id int PRIMARY KEY, v int CHECK (v < 100)); INSERT INTO t VALUES (1, 1), (2, 2);
         CREATE FUNCTION bump(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
           BEGIN UPDATE t SET v = $2 WHERE id = $1; EXCEPTION WHEN division_by_zero THEN NULL; END;
           BEGIN UPDATE t SET v = 50 WHERE id = $1; UPDATE t SET v = 100 WHERE id = $1;
           EXCEPTION WHEN check_violation THEN NULL; END; RETURN 7; END $$;",
    );
    let seen = desk.watched(&["INSERT INTO t SELECT 3, bump(1, 9)"]);
    assert_eq!(seen.images(), ["t 1: 1,1 -> 1,9", "t 3: - -> 3,7"]);
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
}

#[test]
fn inserts_that_an_exception_block_took_back_do_not_count() {
    let desk = Desk::new(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE log (id serial PRIMARY KEY);
         CREATE FUNCTION try() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           BEGIN INSERT INTO log DEFAULT VALUES; RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN NULL; END;
           RETURN NEW; END $$;
         CREATE TRIGGER t_try BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION try();",
    );
    let seen = desk.watched(&["INSERT INTO t VALUES (1), (2)"]);
    assert_eq!(seen.counts(), ["t 2/0/0", "log 0/0/0"]);
    assert_eq!(seen.images(), ["t 1: - -> 1", "t 2: - -> 2"]);
    assert!(seen.warnings.iter().any(|w| w.contains("took some back")), "{:?}", seen.warnings);
}

#[test]
fn rows_written_twice_moved_and_gone_again_come_out_right() {
    let desk = Desk::new(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 5) i",
    );
    let seen = desk.watched(&[
        "UPDATE t SET v = v + 10 WHERE id = 1",
        "UPDATE t SET v = v + 10 WHERE id = 1",
        "INSERT INTO t VALUES (9, 9)",
        "DELETE FROM t WHERE id = 9",
        "UPDATE t SET id = 12 WHERE id = 2",
        "UPDATE t SET v = v WHERE id = 3",
        "DELETE FROM t WHERE id = 4",
        "INSERT INTO t VALUES (4, 44)",
        "INSERT INTO t VALUES (20, 1)",
        "UPDATE t SET v = 2 WHERE id = 20",
    ]);
    assert_eq!(
        seen.images(),
        [
            "t 12: - -> 12,2",
            "t 1: 1,1 -> 1,21",
            "t 20: - -> 20,2",
            "t 2: 2,2 -> -",
            "t 3: 3,3 -> 3,3",
            "t 4: 4,4 -> 4,44",
        ]
    );
    assert_eq!(seen.counts(), ["t 3/5/2"]);
    assert!(seen.warnings.is_empty(), "{:?}", seen.warnings);
}

#[test]
fn counters_of_an_earlier_transaction_do_not_count() {
    let desk = Desk::new("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    desk.runtime.block_on(async {
        let (mut work, mut observe) = desk.pair().await;
        let tables = work.tables().await.unwrap();
        work.begin(CAP).await.unwrap();
        work.execute("INSERT INTO t SELECT generate_series(100, 150)").await.unwrap();
        work.rollback().await.unwrap();
        work.begin_watched(&mut observe, &tables, "op", CAP).await.unwrap();
        work.execute("DELETE FROM t").await.unwrap();
        let (touched, images, _) = written(&mut work, &mut observe).await;
        let wanted = Touched { table: "t".into(), deleted: 1, ..Touched::default() };
        assert_eq!((touched, images.len()), (vec![wanted], 1));
        work.take_back(&mut observe).await.unwrap();
    });
}

#[test]
fn a_deferred_reference_that_would_fail_at_commit_fails_before() {
    let desk = Desk::new(
        "CREATE TABLE p (id int PRIMARY KEY);
         CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT c_p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    desk.runtime.block_on(async {
        let (mut work, mut observe) = desk.pair().await;
        let tables = work.tables().await.unwrap();
        work.begin_watched(&mut observe, &tables, "op", CAP).await.unwrap();
        assert_eq!(work.execute("INSERT INTO c VALUES (1, 5)").await.unwrap(), 1);
        assert_eq!(observe.broken_references(&[]).await.unwrap(), 0);
        let error = work.broken_references(&["c".into()]).await.unwrap_err();
        assert!(
            matches!(&error, EngineError::Rejected { message } if message.contains("c_p")),
            "{error}"
        );
        assert!(matches!(work.take_back(&mut observe).await.unwrap(), Receipt::Proved(_)));
    });
}

#[test]
fn a_table_without_a_key_shows_its_rows_and_their_number() {
    let desk =
        Desk::new("CREATE TABLE t (v text); INSERT INTO t VALUES ('a'), ('a'), ('b'), (NULL)");
    let seen =
        desk.watched(&["UPDATE t SET v = 'c' WHERE v = 'a'", "DELETE FROM t WHERE v IS NULL"]);
    assert_eq!(seen.counts(), ["t 0/2/1"]);
    let befores = seen.images.iter().filter(|(_, image)| image.before.is_some()).count();
    let afters = seen.images.iter().filter(|(_, image)| image.after.is_some()).count();
    assert_eq!((befores, afters), (3, 2), "{:?}", seen.images());
}

#[test]
fn parts_of_a_table_are_one_table_and_a_row_that_moves_between_them_is_one_row() {
    let desk = Desk::new(
        "CREATE TABLE t (id int, at int, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (id);
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
         CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);
         INSERT INTO t SELECT i, 1, 'x' FROM generate_series(1, 15) i",
    );
    let seen = desk.watched(&[
        "UPDATE t SET v = 'y' WHERE id IN (9, 11)",
        "UPDATE t SET id = 18 WHERE id = 3",
    ]);
    assert_eq!(
        seen.images(),
        [
            "t 11,1: 11,1,x -> 11,1,y",
            "t 18,1: - -> 18,1,x",
            "t 3,1: 3,1,x -> -",
            "t 9,1: 9,1,x -> 9,1,y",
        ]
    );
    assert_eq!(seen.counts(), ["t 1/2/1"]);
    assert!(seen.warnings.is_empty(), "{:?}", seen.warnings);
}

#[test]
fn keys_of_every_kind_are_merged_as_the_server_orders_them() {
    let desk = Desk::new(
        "CREATE TYPE mood AS ENUM ('zz', 'aa', 'mm');
         CREATE TABLE t (k1 mood, k2 numeric(8, 2), k3 text COLLATE \"C\", k4 timestamptz, k5 uuid, k6 bytea,
           k7 char(4), k8 boolean, k9 float8, v int, PRIMARY KEY (k1, k2, k3, k4, k5, k6, k7, k8, k9));
         INSERT INTO t SELECT (ARRAY['zz', 'aa', 'mm'])[i % 3 + 1]::mood, (i % 7) * 3.5 - 9, chr(230 + i % 5) || (i % 11),
           '2024-03-31 00:00Z'::timestamptz + i * interval '37 minutes', md5(i::text)::uuid, decode(md5(i::text), 'hex'),
           left(md5(i::text), i % 4), i % 2 = 0, i / 3.0, i FROM generate_series(1, 5000) i",
    );
    let seen =
        desk.watched(&["UPDATE t SET v = v + 1 WHERE v % 2 = 0", "DELETE FROM t WHERE v % 5 = 0"]);
    let (updated, gone): (Vec<_>, Vec<_>) =
        seen.images.iter().partition(|(_, image)| image.after.is_some());
    // 1000 rows end on 5 (500 odd ones are, and 500 became so); what is left of 2500 updated is updated.
    assert_eq!((updated.len(), gone.len()), (2000, 1000));
    assert!(updated.iter().all(|(_, image)| image.before.is_some()));
    assert!(seen.blind.is_empty() && seen.warnings.is_empty(), "{:?}", seen.warnings);
}

#[test]
fn large_objects_and_definitions_on_the_way_make_the_watch_blind() {
    let desk = Desk::new(
        "CREATE TABLE t (id int PRIMARY KEY);
         CREATE FUNCTION side() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           PERFORM lo_create(0); CREATE TABLE made (id int); RETURN NEW; END $$;
         CREATE TRIGGER t_side AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION side();",
    );
    let seen = desk.watched(&["INSERT INTO t VALUES (1)"]);
    assert!(seen.blind.iter().any(|b| b.contains("large objects")), "{:?}", seen.blind);
    assert!(seen.blind.iter().any(|b| b.contains("pg_class")), "{:?}", seen.blind);
}

#[test]
fn a_notice_is_heard_by_the_session_that_caused_it() {
    let desk = Desk::new(
        "CREATE TABLE t (id int PRIMARY KEY);
         CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE NOTICE 'row %', NEW.id; RAISE WARNING 'mind the gap'; RETURN NEW; END $$;
         CREATE TRIGGER t_say BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION say();",
    );
    let seen = desk.watched(&["INSERT INTO t VALUES (7)"]);
    assert_eq!(seen.warnings, ["notice: row 7", "warning: mind the gap"]);
}
