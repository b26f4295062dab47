//! What the server holds by itself, whatever a host believes.

use steadyhand::config::access::{Access, access};
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::engine::{Claimed, Kept, Link, Shelf};

use crate::common::server;

fn access_of(url: &str) -> Access {
    let url = TargetUrl::parse(url, std::path::Path::new("")).expect("a url");
    let target = Target::new("store", url, Environment::Production);
    access(&target, &|_| None, None).expect("it can be reached")
}

fn link(seq: i64, prev: &str) -> Link {
    Link { seq, prev: prev.into(), hash: format!("hash-{seq}"), line: format!("line {seq}") }
}

/// A new store with an incident that somebody has, and their lease.
async fn held(reach: &Access) -> (Shelf, Kept, i64) {
    let mut first = Shelf::open(reach).await.expect("a store");
    first.make().await.expect("its tables");
    let kept = Kept {
        id: "00ff00ff00ff00ff00ff".into(),
        name: "INC-0001".into(),
        host: "one".into(),
        runbook: String::new(),
        holder: String::new(),
        held: None,
    };
    match first.claim(&kept, "casey").await {
        Ok(Claimed::Ours(lease)) => (first, kept, lease),
        other => unreachable!("nobody has it: {other:?}"),
    }
}

#[test]
fn the_server_refuses_a_line_of_a_writer_whose_lease_is_over() {
    let server = server::postgres();
    server.database("store");
    let reach = access_of(&server.url("store"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (mut first, kept, old) = held(&reach).await;
        assert!(first.append(&kept.id, old, &[link(1, "")]).await.expect("an answer"));
        let mut second = Shelf::open(&reach).await.expect("a store");
        let held = second.claim(&kept, "robin").await.expect("an answer");
        assert_eq!(held, Claimed::Held("casey".into()));
        first.close().await;
        // The server takes a moment to end a session.
        let mut claimed = second.claim(&kept, "robin").await.expect("an answer");
        for _ in 0..500 {
            if let Claimed::Ours(_) = claimed {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            claimed = second.claim(&kept, "robin").await.expect("an answer");
        }
        let Claimed::Ours(new) = claimed else { unreachable!("its session is over") };
        assert_eq!(new, old + 1);
        // A line of the first that was on its way, a gap, one that follows another line, and lines of
        // which one does not follow the one before.
        for (lease, links) in [
            (old, vec![link(2, "hash-1")]),
            (new, vec![link(3, "hash-2")]),
            (new, vec![link(2, "hash-x")]),
            (new, vec![link(1, "")]),
            (new, vec![link(2, "hash-1"), link(3, "hash-x")]),
            (new, vec![link(2, "hash-1"), link(4, "hash-2")]),
        ] {
            let taken = second.append(&kept.id, lease, &links).await.expect("an answer");
            assert!(!taken, "{links:?}");
        }
        let all: Vec<Link> = (2..800).map(|seq| link(seq, &format!("hash-{}", seq - 1))).collect();
        assert!(second.append(&kept.id, new, &all).await.expect("an answer"));
        assert!(!second.append(&kept.id, new, &all[..1]).await.expect("an answer"));
        assert_eq!(second.last(&kept.id).await.expect("an answer"), 799);
        // What comes at once is not all, and then the rest.
        let mut there = second.after(&kept.id, 1).await.expect("an answer");
        assert!(there.len() < all.len(), "{}", there.len());
        let last = there.last().expect("a line").seq;
        there.extend(second.after(&kept.id, last).await.expect("an answer"));
        assert_eq!(there, all);
    });
}

/// How the table was made at first.
const OLD: &str = "\
CREATE TABLE steadyhand.apart (incident text NOT NULL REFERENCES steadyhand.incident, host text NOT NULL, \
  seq bigint NOT NULL, line text NOT NULL, PRIMARY KEY (incident, host, seq))";

#[test]
fn what_a_host_wrote_apart_twice_is_all_kept_also_in_a_store_that_was_made_for_once() {
    let server = server::postgres();
    server.database("store");
    let reach = access_of(&server.url("store"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut shelf = Shelf::open(&reach).await.expect("a store");
        shelf.make().await.expect("its tables");
    });
    let mut client = server.client("store");
    client.run("DROP TABLE steadyhand.apart");
    client.run(OLD);
    client.run("INSERT INTO steadyhand.incident VALUES ('1', 'INC-0001', 'one', '')");
    runtime.block_on(async {
        let mut shelf = Shelf::open(&reach).await.expect("a store");
        let of = |seq: i64, time: &str| {
            let line =
                format!("{{\"seq\":{seq},\"time\":\"{time}\",\"hash\":\"{time}{seq:063}\"}}");
            Link { line, ..link(seq, "") }
        };
        shelf.set_apart("1", "one", &of(7, "a")).await.expect("there is room");
        shelf.set_apart("1", "one", &of(7, "a")).await.expect("it is there");
        let why = shelf.set_apart("1", "one", &of(7, "b")).await.expect_err("there is no room");
        assert!(why.to_string().contains("store init --apply"), "{why}");
        for _ in 0..2 {
            shelf.make().await.expect("it makes room, and may be asked again");
        }
        shelf.set_apart("1", "one", &of(7, "b")).await.expect("there is room now");
        for seq in 8..600 {
            shelf.set_apart("1", "one", &of(seq, "a")).await.expect("there is room");
            shelf.set_apart("1", "one", &of(seq, "b")).await.expect("there is room");
        }
        assert_eq!(
            shelf.set_apart_by("1").await.expect("an answer"),
            [("one".to_owned(), 2 * 593)]
        );
        let mut behind = (0, String::new());
        let mut there = Vec::new();
        loop {
            let page = shelf.apart("1", "one", &behind).await.expect("an answer");
            let Some((seq, end, _)) = page.last().cloned() else { break };
            behind = (seq, end);
            there.extend(page.into_iter().map(|(.., line)| line));
        }
        let all: Vec<String> =
            (7..600).flat_map(|seq| [of(seq, "a").line, of(seq, "b").line]).collect();
        assert_eq!(there, all);
    });
}

#[test]
fn whoever_leaves_frees_the_incident_also_where_their_session_stays() {
    let server = server::postgres();
    server.database("store");
    let reach = access_of(&server.url("store"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (mut first, kept, lease) = held(&reach).await;
        let mut second = Shelf::open(&reach).await.expect("a store");
        let held = second.claim(&kept, "robin").await.expect("an answer");
        assert_eq!(held, Claimed::Held("casey".into()));
        first.release(&kept.id, lease).await.expect("an answer");
        let claimed = second.claim(&kept, "robin").await.expect("an answer");
        assert_eq!(claimed, Claimed::Ours(lease + 1));
        first.close().await;
    });
}
