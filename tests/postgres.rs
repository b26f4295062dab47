//! PostgreSQL through the door that operators' work goes through: what is seen, counted, stopped and
//! settled, and every trap of it by name.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use common::album::Album;
use common::server::{self, Client, Kind, Server, Setup};
use steadyhand::config::access::{Access, access};
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::engine::{Blind, EngineError, Image, Purpose, RowWrite, Session, Stopper, Touched};
use steadyhand::value::known::After;
use steadyhand::value::{Value, ValueRef};
use tokio::runtime::Runtime;
use tokio::task::block_in_place;

const WAIT: Duration = Duration::from_secs(2);
const CAP: Duration = Duration::from_mins(1);

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

    /// Somebody else on the database.
    fn client(&self) -> Hand {
        Hand(Some(block_in_place(|| self.server.client("erp"))))
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
            let warnings = work.warnings();
            work.take_back(&mut observe).await.unwrap();
            let seen = Seen { touched, images, blind, warnings };
            work.close().await;
            observe.close().await;
            seen
        })
    }

    async fn pair(&self) -> (Session, Session) {
        (self.open(Purpose::Work).await, self.open(Purpose::Detect).await)
    }
}

/// Another pair of hands, also while the runtime of the test is at work.
struct Hand(Option<Client>);

impl Hand {
    fn client(&mut self) -> &mut Client {
        self.0.as_mut().expect("it is there until the drop")
    }

    fn run(&mut self, sql: &str) -> u64 {
        block_in_place(|| self.client().run(sql))
    }

    fn scalar(&mut self, sql: &str) -> String {
        block_in_place(|| self.client().scalar(sql))
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        block_in_place(|| drop(self.0.take()));
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
    let mut album = Album::default();
    let (touched, blind) = work.written(observe, &mut album).await.unwrap();
    (touched, album.0, blind)
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
    let all = |row: Option<&Vec<Value>>| row.map_or("-".into(), |row| texts(row));
    let (key, before) = (image.was.key(), image.was.before());
    let after = image.after.clone().row(before).expect("its columns are the table's");
    format!("{table} {}: {} -> {}", texts(key), all(before), all(after.as_ref()))
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
        seen.images.iter().partition(|(_, image)| image.after != After::Gone);
    // 1000 rows end on 5 (500 odd ones are, and 500 became so); what is left of 2500 updated is updated.
    assert_eq!((updated.len(), gone.len()), (2000, 1000));
    assert!(updated.iter().all(|(_, image)| image.was.before().is_some()));
    assert!(seen.blind.is_empty() && seen.warnings.is_empty(), "{:?}", seen.warnings);
}

#[test]
fn a_key_that_the_server_computes_is_no_value_that_can_be_written() {
    let desk = Desk::new(
        "CREATE TABLE t (a int, k int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY, v text);
         INSERT INTO t (a, v) SELECT i, 'x' FROM generate_series(1, 9) i;
         CREATE TABLE alone (a int);
         INSERT INTO alone VALUES (1), (1), (2);
         CREATE TABLE bare ();
         INSERT INTO bare DEFAULT VALUES",
    );
    let seen = desk.watched(&[
        "UPDATE t SET v = 'y' WHERE a = 3",
        "DELETE FROM t WHERE a = 4",
        "INSERT INTO t (a, v) VALUES (20, 'z')",
        "UPDATE alone SET a = 7 WHERE ctid = (SELECT min(ctid) FROM alone)",
        "INSERT INTO bare DEFAULT VALUES",
    ]);
    assert_eq!(
        seen.images(),
        [
            "alone (1): 1 -> -",
            "alone (7): - -> 7",
            "bare (): - -> ",
            "t 40: - -> 20,z",
            "t 6: 3,x -> 3,y",
            "t 8: 4,x -> -",
        ]
    );
    assert!(seen.blind.is_empty(), "{:?}", seen.blind);
}

#[test]
fn a_key_of_a_type_of_ones_own_is_held_against_itself() {
    // Ordered by its text, in which 10 comes before 2.
    let desk = Desk::new(
        "CREATE DOMAIN number AS int;
         CREATE TABLE t (id number PRIMARY KEY, v text);
         INSERT INTO t SELECT i, 'x' FROM generate_series(1, 12) i",
    );
    let seen = desk
        .watched(&["DELETE FROM t WHERE id IN (1, 10, 11)", "UPDATE t SET v = 'y' WHERE id = 2"]);
    assert_eq!(
        seen.images(),
        ["t 10: 10,x -> -", "t 11: 11,x -> -", "t 1: 1,x -> -", "t 2: 2,x -> 2,y"]
    );
}

#[test]
fn what_a_trigger_put_off_until_the_commit_is_seen_before_it() {
    let desk = Desk::new(
        "CREATE TABLE item (id int PRIMARY KEY, price int);
         CREATE TABLE total (id int PRIMARY KEY, price int);
         INSERT INTO item VALUES (1, 5), (2, 6);
         INSERT INTO total VALUES (1, 11);
         CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           UPDATE total SET price = (SELECT sum(price) FROM item); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER added AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION add()",
    );
    let seen = desk.watched(&["UPDATE item SET price = 9 WHERE id = 1"]);
    assert_eq!(seen.images(), ["item 1: 1,5 -> 1,9", "total 1: 1,11 -> 1,15"]);
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

// ------------------------------------------------------------------------------------------ values

#[test]
fn many_rows_are_put_back_at_once_and_each_has_its_own_answer() {
    // A trigger that writes to the next row would make the server refuse them in one statement.
    for trigger in [
        "",
        "CREATE FUNCTION next_too() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN UPDATE t SET touched = touched + 1 WHERE id = NEW.id + 1; RETURN NEW; END $$;
         CREATE TRIGGER next_too BEFORE UPDATE OF n ON t FOR EACH ROW EXECUTE FUNCTION next_too();",
    ] {
        let desk = Desk::new(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, n int, touched int NOT NULL DEFAULT 0);
             INSERT INTO t SELECT i, nullif(i, 3) FROM generate_series(1, 6) i; {trigger}"
        ));
        desk.runtime.block_on(async {
            let mut work = desk.open(Purpose::Work).await;
            let tables = work.tables().await.unwrap();
            work.begin(CAP).await.unwrap();
            let (key, n) = (["id".to_owned()], ["n".to_owned()]);
            let ids: Vec<[Value; 1]> = (1..=7).map(|id| [Value::Integer(id)]).collect();
            let (nine, null) = ([Value::Integer(9)], [Value::Null]);
            // The third holds nothing, somebody changed the fifth, and there is no seventh.
            let held: Vec<[Value; 1]> = ids
                .iter()
                .map(|id| match id[0] {
                    Value::Integer(3) => null.clone(),
                    Value::Integer(5) => nine.clone(),
                    _ => id.clone(),
                })
                .collect();
            let writes: Vec<RowWrite<'_>> = ids
                .iter()
                .zip(&held)
                .map(|(id, held)| RowWrite {
                    table: &tables[0],
                    key: (&key, id),
                    guard: (&n, held),
                    set: (&n, &nine),
                })
                .collect();
            let held = [true, true, true, true, false, true, false];
            assert_eq!(work.update_rows(&writes).await.unwrap(), held, "{trigger}");
            let gone: Vec<RowWrite<'_>> = ids
                .iter()
                .map(|id| RowWrite {
                    table: &tables[0],
                    key: (&key, id),
                    guard: (&n, &nine),
                    set: (&[], &[]),
                })
                .collect();
            assert_eq!(work.delete_rows(&gone).await.unwrap(), held, "{trigger}");
            work.rollback().await.unwrap();
        });
    }
}

#[test]
fn a_guard_tells_equal_from_the_same() {
    let desk = Desk::new(
        "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE t (id int PRIMARY KEY, n numeric, s text COLLATE nocase, e text);
         INSERT INTO t VALUES (1, 1.50, 'Ab', '')",
    );
    desk.runtime.block_on(async {
        let mut work = desk.open(Purpose::Work).await;
        let tables = work.tables().await.unwrap();
        work.begin(CAP).await.unwrap();
        let (one, key) = ([Value::Integer(1)], ["id".to_owned()]);
        let name = |name: &str| [name.to_owned()];
        for (column, held, is_ours) in [
            ("n", Value::Text("1.5".into()), false),
            ("n", Value::Text("1.50".into()), true),
            ("s", Value::Text("aB".into()), false),
            ("s", Value::Text("Ab".into()), true),
            ("e", Value::Null, false),
            ("e", Value::Text(String::new()), true),
        ] {
            let (columns, values) = (name(column), [held.clone()]);
            let guard = (columns.as_slice(), values.as_slice());
            let set = guard;
            let write = RowWrite { table: &tables[0], key: (&key, &one), guard, set };
            assert_eq!(work.update_rows(&[write]).await.unwrap(), [is_ours], "{column} {held:?}");
        }
        work.rollback().await.unwrap();
    });
}

// ----------------------------------------------------------------------------------------- reading

#[test]
fn reading_reads_and_nothing_else() {
    let desk = Desk::new("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    desk.runtime.block_on(async {
        for purpose in [Purpose::Detect, Purpose::Work] {
            let mut session = desk.open(purpose).await;
            for inside in [false, true] {
                if inside && purpose == Purpose::Detect {
                    session.begin_snapshot().await.unwrap();
                } else if inside {
                    session.begin(CAP).await.unwrap();
                }
                for sql in [
                    "SELECT 1; DELETE FROM t",
                    "DELETE FROM t",
                    "WITH gone AS (DELETE FROM t RETURNING 1) SELECT * FROM gone",
                    "SELECT 1 INTO made",
                    "COMMIT",
                ] {
                    assert!(ask(&mut session, sql).await.is_err(), "{sql}");
                }
                // What failed has cost nothing else.
                let (names, rows) = ask(&mut session, "SELECT id, id AS id FROM t").await.unwrap();
                assert_eq!((names.len(), rows.len()), (2, 1));
            }
            session.rollback().await.unwrap();
        }
    });
    assert_eq!(desk.client().scalar("SELECT count(*) FROM t"), "1");
}

// ---------------------------------------------------------------------------- writing and its ends

#[test]
fn an_edit_by_somebody_else_is_a_conflict_and_a_lock_that_is_held_is_said() {
    let desk = Desk::new(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)",
    );
    desk.runtime.block_on(async {
        let mut work = desk.open(Purpose::Work).await;
        work.begin(CAP).await.unwrap();
        work.execute("UPDATE t SET v = 0 WHERE id = 2").await.unwrap();
        desk.client().run("UPDATE t SET v = 5 WHERE id = 1");
        let error = work.execute("UPDATE t SET v = 6 WHERE id = 1").await.unwrap_err();
        assert!(matches!(error, EngineError::Conflict { .. }), "{error}");
        // What has failed cannot be committed by mistake: the server would roll back and say nothing.
        assert!(work.commit().await.is_err());
        work.rollback().await.unwrap();
        let mut other = desk.client();
        other.run("BEGIN; UPDATE t SET v = 7 WHERE id = 1");
        work.begin(CAP).await.unwrap();
        let error = work.execute("UPDATE t SET v = 6 WHERE id = 1").await.unwrap_err();
        assert_eq!(error, EngineError::Locked { waited: WAIT });
        work.rollback().await.unwrap();
    });
    assert_eq!(desk.client().scalar("SELECT sum(v) FROM t"), "7");
}

#[test]
fn what_the_server_refuses_is_told_with_constraint_detail_and_hint() {
    let desk = Desk::new(
        "CREATE TABLE t (id int CONSTRAINT t_id PRIMARY KEY); INSERT INTO t VALUES (1);
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE EXCEPTION 'not on Fridays' USING HINT = 'wait'; END $$;
         CREATE TRIGGER t_no BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION no();",
    );
    desk.runtime.block_on(async {
        for (sql, wanted) in [
            ("INSERT INTO t VALUES (1)", "the database refused: duplicate key value violates unique constraint \"t_id\"; Key (id)=(1) already exists"),
            ("DELETE FROM t", "the database refused: not on Fridays; hint: wait"),
            ("UPDATE t SET nothing = 1", "the database says: column \"nothing\" of relation \"t\" does not exist (at character 14)"),
        ] {
            let mut work = desk.open(Purpose::Work).await;
            work.begin(CAP).await.unwrap();
            assert_eq!(work.execute(sql).await.unwrap_err().to_string(), wanted);
            work.rollback().await.unwrap();
        }
    });
}

#[test]
fn a_role_that_may_not_make_the_ledger_is_told_what_an_owner_must_run() {
    let desk = Desk::new("CREATE TABLE t (id int PRIMARY KEY)");
    desk.server.role("writer", None);
    desk.server.run("erp", "GRANT SELECT, INSERT ON t TO writer");
    let access = access_of(&desk.server.url_as("writer", "erp"));
    desk.runtime.block_on(async {
        let mut work = open(&access, Purpose::Work, &Stopper::default()).await;
        let identity = work.identity().await.unwrap();
        assert!(identity.badge.in_doubt.is_none() && identity.badge.guardrail.is_none());
        work.begin(CAP).await.unwrap();
        let error = work.write_ledger("op", 0, "me", "print").await.unwrap_err().to_string();
        let (_, script) = error.split_once("must run `").unwrap();
        let (script, _) = script.split_once('`').unwrap();
        work.rollback().await.unwrap();
        desk.client().run(script);
        work.begin(CAP).await.unwrap();
        work.write_ledger("op", 0, "me", "print").await.unwrap();
        work.commit().await.unwrap();
        assert!(!work.identity().await.unwrap().badge.in_doubt.is_none());
    });
}

#[test]
fn a_name_that_the_database_cannot_hold_keeps_nothing_from_being_written() {
    let desk = Desk::new("");
    let make =
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    desk.server.run("postgres", make);
    for (database, kept) in [("latin", "J?rgen ?i?ka"), ("erp", "Jürgen Žižka")] {
        let access = access_of(&desk.server.url(database));
        desk.runtime.block_on(async {
            let mut work = open(&access, Purpose::Work, &Stopper::default()).await;
            work.begin(CAP).await.unwrap();
            work.write_ledger("op", 0, "Jürgen Žižka", "print").await.unwrap();
            work.commit().await.unwrap();
            work.close().await;
        });
        let mut look = desk.server.client(database);
        assert_eq!(look.scalar("SELECT actor FROM steadyhand_ledger"), kept);
    }
}

#[test]
fn what_a_rollback_would_not_take_back_is_refused_before() {
    let desk = Desk::new(
        "CREATE EXTENSION IF NOT EXISTS postgres_fdw;
         CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw;
         CREATE FOREIGN TABLE far (id int) SERVER away;
         CREATE TABLE fine (id int PRIMARY KEY, at timestamptz DEFAULT now());
         CREATE TABLE ruled (id int PRIMARY KEY); CREATE RULE r AS ON DELETE TO ruled DO ALSO DELETE FROM fine;
         CREATE VIEW seen AS SELECT id FROM fine;
         CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p ON DELETE CASCADE);
         CREATE FUNCTION calls() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           PERFORM pg_advisory_lock(1); INSERT INTO fine VALUES (1); RETURN NULL; END $$;
         CREATE TRIGGER c_calls AFTER DELETE ON c FOR EACH ROW EXECUTE FUNCTION calls();
         CREATE TABLE q (id int PRIMARY KEY);
         CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO far VALUES (1); RETURN NULL; END $$;
         CREATE TRIGGER q_away AFTER INSERT ON q FOR EACH ROW EXECUTE FUNCTION away();
         CREATE FUNCTION own(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
         CREATE FUNCTION held() RETURNS int VOLATILE
           BEGIN ATOMIC SELECT pg_advisory_lock(1); SELECT 1; END;
         CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parted DEFAULT;
         CREATE TRIGGER part_calls AFTER DELETE ON part FOR EACH ROW EXECUTE FUNCTION calls();
         CREATE TABLE elder (id int); CREATE TABLE heir () INHERITS (elder);
         CREATE TRIGGER heir_calls AFTER DELETE ON heir FOR EACH ROW EXECUTE FUNCTION calls();
         CREATE TABLE lent (id int); CREATE FOREIGN TABLE lent_far () INHERITS (lent) SERVER away;
         CREATE TABLE split (id int) PARTITION BY LIST (id);
         CREATE FOREIGN TABLE split_far PARTITION OF split DEFAULT SERVER away;",
    );
    desk.runtime.block_on(async {
        let mut work = desk.open(Purpose::Work).await;
        for (sql, why) in [
            ("INSERT INTO fine SELECT own(1), now() - random() * interval '1 day'", ""),
            ("UPDATE Public.\"fine\" SET id = coalesce(id, 0)", ""),
            ("DELETE FROM c WHERE id = 99 AND false", "pg_advisory_lock"),
            ("DELETE FROM p WHERE id = 1", "pg_advisory_lock"),
            ("INSERT INTO far VALUES (1)", "another server"),
            ("INSERT INTO q VALUES (1)", "another server"),
            ("DELETE FROM ruled WHERE id = 1", "has rules"),
            ("DELETE FROM seen WHERE id = 1", "is a view"),
            ("UPDATE pg_catalog.pg_class SET relname = 'x' WHERE false", "the server itself"),
            ("INSERT INTO fine SELECT pg_stat_reset()", "acts on"),
            ("INSERT INTO fine SELECT lo_create(1)", "acts on"),
            ("INSERT INTO fine SELECT held()", "pg_advisory_lock"),
            ("DELETE FROM parted WHERE id = 1", "pg_advisory_lock"),
            ("DELETE FROM elder WHERE id = 1", "pg_advisory_lock"),
            ("DELETE FROM lent WHERE id = 1", "another server"),
            ("DELETE FROM split WHERE id = 1", "another server"),
        ] {
            // Some never pass the gate before this one; here it is only asked what this one says.
            let said = work.objections(&[sql.to_owned()]).await.unwrap().join("; ");
            let refused = steadyhand::sql::write(sql, work.dialect()).is_err();
            assert!(
                refused || (said.contains(why) && said.is_empty() == why.is_empty()),
                "{sql}: {said}"
            );
        }
    });
}

#[test]
fn a_definition_is_tried_on_a_copy_and_what_a_failed_one_leaves_is_found() {
    let desk = Desk::new(
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
         INSERT INTO t (a) VALUES (1), (2), (2)",
    );
    desk.runtime.block_on(async {
        let (mut work, mut observe) = desk.pair().await;
        let before = observe.schema_mark().await.unwrap();
        let tables = work.tables().await.unwrap();
        work.begin(CAP).await.unwrap();
        work.shadow(&tables[0], CAP).await.unwrap();
        work.execute("CREATE UNIQUE INDEX t_id ON t (id)").await.unwrap();
        assert!(!work.lock_words().await.unwrap().contains("writers wait on t;"));
        desk.client().run("INSERT INTO t (a) VALUES (7)");
        work.rollback().await.unwrap();
        assert_eq!(observe.schema_mark().await.unwrap(), before);

        work.begin(CAP).await.unwrap();
        work.execute("ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0)").await.unwrap();
        assert!(work.lock_words().await.unwrap().contains("readers and writers wait on t"));
        work.rollback().await.unwrap();
        assert_eq!(observe.schema_mark().await.unwrap(), before);

        let online = "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)";
        let error = work.define(online, CAP).await.unwrap_err();
        assert!(matches!(error, EngineError::Rejected { .. }), "{error}");
        assert_eq!(
            work.leftover("t_a").await.unwrap().as_deref(),
            Some("an invalid index t_a is left on t")
        );
        work.define("DROP INDEX CONCURRENTLY t_a", CAP).await.unwrap();
        assert_eq!(work.leftover("t_a").await.unwrap(), None);
        work.define("ALTER TABLE t ADD CONSTRAINT few CHECK (a < 5) NOT VALID", CAP).await.unwrap();
        assert!(work.define("ALTER TABLE t VALIDATE CONSTRAINT few", CAP).await.is_err());
        assert!(work.leftover("few").await.unwrap().unwrap().contains("never validated"));
        assert_ne!(observe.schema_mark().await.unwrap(), before);
    });
}

// ---------------------------------------------------------------------------------------- the server

#[test]
fn the_server_says_who_it_is_and_a_copy_of_the_database_is_another() {
    let desk = Desk::new(
        "ALTER DATABASE erp SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE erp SET search_path = app, public",
    );
    desk.server.database("copy");
    desk.runtime.block_on(async {
        let identity = desk.open(Purpose::Work).await.identity().await.unwrap();
        let mut session =
            open(&access_of(&desk.server.url("copy")), Purpose::Detect, &Stopper::default()).await;
        let copy = session.identity().await.unwrap();
        assert!(
            identity.server.ends_with("/erp") && copy.server.ends_with("/copy"),
            "{}",
            identity.server
        );
        assert_eq!(identity.server.split('/').next(), copy.server.split('/').next());
        assert!(identity.version.starts_with("15"), "{}", identity.version);
        assert_eq!((identity.role.as_str(), identity.replica), ("admin (superuser)", false));
        assert_eq!((&identity.no_writes, &copy.no_writes), (&None, &None));
        assert!(identity.badge.preview.is_full() && identity.badge.guardrail.is_full());
        // The server of the tests does not wait for its disk.
        assert!(identity.badge.in_doubt.words().contains("synchronous_commit"));
        let told: Vec<String> =
            identity.settings.iter().map(steadyhand::engine::Setting::words).collect();
        assert!(
            told.contains(&"TimeZone UTC (the application has Asia/Tokyo)".to_owned()),
            "{told:?}"
        );
        assert!(told.contains(&"search_path app, public".to_owned()), "{told:?}");
    });
}

#[test]
fn a_login_that_becomes_another_role_is_told_what_it_lacks() {
    let desk = Desk::new("CREATE TABLE t (id int PRIMARY KEY)");
    desk.server.role("onduty", None);
    desk.server.run("erp", "CREATE ROLE owners; GRANT owners TO onduty");
    desk.server.run("erp", "GRANT ALL ON t TO owners; ALTER ROLE onduty SET role = 'owners'");
    let access = access_of(&desk.server.url_as("onduty", "erp"));
    desk.runtime.block_on(async {
        let refused = Session::server(&access, Purpose::Work, WAIT, &Stopper::default()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("onduty becomes owners when it connects"), "{refused}");
        let (_, advice) = refused.split_once("; GRANT").unwrap();
        let (rights, _) = advice.split_once(", or").unwrap();
        desk.client().run(&format!("GRANT{rights}"));
        let mut work = open(&access, Purpose::Work, &Stopper::default()).await;
        assert!(work.identity().await.unwrap().role.starts_with("owners"));
    });
}

#[test]
fn tables_are_known_by_name_columns_and_key() {
    let desk = Desk::new(
        "CREATE SCHEMA app; CREATE TABLE app.thing (id int, code text NOT NULL, PRIMARY KEY (code, id));
         CREATE TABLE \"Odd.Name\" (\"A b\" int UNIQUE, c int NOT NULL, d int GENERATED ALWAYS AS (c + 1) STORED);
         CREATE UNIQUE INDEX ON \"Odd.Name\" (c) INCLUDE (\"A b\"); CREATE TABLE nothing ();
         CREATE TABLE part (id int NOT NULL, v numeric(10,2)); CREATE UNIQUE INDEX ON part (id) WHERE id > 5;
         CREATE UNIQUE INDEX ON part ((id + 1)); CREATE VIEW seen AS SELECT 1 AS x",
    );
    desk.runtime.block_on(async {
        let mut session = desk.open(Purpose::Detect).await;
        let tables = session.tables().await.unwrap();
        let words: Vec<String> = tables
            .iter()
            .map(|table| {
                format!(
                    "{} key {} stored {}",
                    table.name,
                    table.key.join(","),
                    table.stored().join(",")
                )
            })
            .collect();
        assert_eq!(
            words,
            [
                "app.thing key code,id stored id,code",
                "public.Odd.Name key c stored A b,c",
                "nothing key  stored ",
                "part key  stored id,v",
            ]
        );
        assert_eq!(tables[3].columns[1].kind, "numeric(10,2)");
        let names = session.table_names().await.unwrap();
        for name in ["app.thing", "part", "public.part", "seen"] {
            assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
        }
        assert!(!names.iter().any(|name| name == "thing"));
        let mut work = desk.open(Purpose::Work).await;
        work.begin_watched(&mut session, &tables, "op", CAP).await.unwrap();
        work.execute("INSERT INTO \"Odd.Name\" VALUES (1, 2)").await.unwrap();
        work.execute("INSERT INTO app.thing VALUES (1, 'x')").await.unwrap();
        let (touched, images, blind) = written(&mut work, &mut session).await;
        assert_eq!(
            touched.iter().map(|t| t.table.as_str()).collect::<Vec<_>>(),
            ["public.Odd.Name", "app.thing"]
        );
        assert_eq!((images.len(), blind.len()), (2, 0));
        work.take_back(&mut session).await.unwrap();
    });
}

#[test]
fn whether_a_connection_is_encrypted_is_left_to_the_server_where_it_may_be() {
    let mut desk = Desk::on(Setup::new(Kind::Postgres).tls(&["localhost"]).start(), "");
    desk.server.run("erp", "CREATE ROLE wrapped LOGIN; CREATE ROLE plain LOGIN");
    let list = desk.server.client("erp").scalar("SELECT current_setting('hba_file')");
    let lines = "('local all all trust'), ('hostssl all wrapped all trust'), ('hostnossl all plain all trust')";
    desk.server.run("erp", &format!("COPY (VALUES {lines}) TO '{list}'"));
    desk.server.run("erp", "CHECKPOINT");
    desk.server.stop();
    desk.server.start();
    for (role, mode, comes_in) in [
        ("wrapped", "allow", true),
        ("wrapped", "prefer", true),
        ("wrapped", "disable", false),
        ("plain", "allow", true),
        ("plain", "prefer", true),
        ("plain", "require", false),
    ] {
        let url = desk.server.tcp_url(role, "localhost", desk.server.port(), "erp");
        let access = access_of(&format!("{url}?sslmode={mode}"));
        let opened = desk.runtime.block_on(Session::server(
            &access,
            Purpose::Detect,
            WAIT,
            &Stopper::default(),
        ));
        assert_eq!(opened.is_ok(), comes_in, "{role} {mode}: {:?}", opened.as_ref().err());
        if let Err(error) = &opened {
            let error = error.to_string();
            assert!(
                error.contains("that file of the server") && !error.contains("password"),
                "{error}"
            );
        }
    }
}

#[test]
fn what_cannot_be_opened_says_why_and_never_the_password() {
    let desk = Desk::new("");
    desk.server.role("somebody", Some("s3cret"));
    let mut wrong = access_of(&desk.server.url_as("somebody", "erp"));
    wrong.password = Some("other-s3cret".to_owned().into());
    let nowhere = access_of("postgres://somebody@/erp?host=/nowhere");
    let missing = access_of(&desk.server.url("missing"));
    let mut bare = wrong.clone();
    bare.password = None;
    desk.runtime.block_on(async {
        for (access, wanted) in [
            (wrong, "the password that was found is not the right one"),
            (bare, "no password was found"),
            (nowhere, "no server has its socket there"),
            (missing, "\"missing\" does not exist"),
        ] {
            let opened = Session::server(&access, Purpose::Detect, WAIT, &Stopper::default()).await;
            let error = opened.unwrap_err().to_string();
            assert!(error.contains(wanted) && !error.contains("s3cret"), "{error}");
        }
    });
}

#[test]
fn a_password_command_is_asked_once_and_again_when_its_password_is_refused() {
    let desk = Desk::new("");
    desk.server.role("onduty", Some("first"));
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("password"), "first").unwrap();
    let script = format!("echo x >> {}; cat {}", at("calls").display(), at("password").display());
    let url = TargetUrl::parse(&desk.server.url_as("onduty", "erp"), Path::new("")).unwrap();
    let target = Target {
        password_command: Some(["sh", "-c", &script].map(str::to_owned).into()),
        ..Target::new("erp", url, Environment::Staging)
    };
    let calls = || std::fs::read_to_string(at("calls")).unwrap().lines().count();
    let look = || desk.runtime.block_on(steadyhand::ops::connect::identify(&target));
    look().unwrap();
    look().unwrap();
    assert_eq!(calls(), 1);
    desk.server.run("erp", "ALTER ROLE onduty PASSWORD 'second'");
    std::fs::write(at("password"), "second").unwrap();
    look().unwrap();
    assert_eq!(calls(), 2);
    desk.server.run("erp", "ALTER ROLE onduty PASSWORD 'third'");
    for _ in 0..2 {
        let refused = look().unwrap_err().to_string();
        assert!(refused.contains("not the right one"), "{refused}");
    }
    assert_eq!(calls(), 4, "each time it may be another one");
}
