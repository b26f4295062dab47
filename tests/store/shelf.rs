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

#[test]
fn the_server_refuses_a_line_of_a_writer_whose_lease_is_over() {
    let server = server::postgres();
    server.database("store");
    let reach = access_of(&server.url("store"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut first = Shelf::open(&reach).await.expect("a store");
        first.make().await.expect("its tables");
        let kept = Kept {
            id: "00ff00ff00ff00ff00ff".into(),
            name: "INC-0001".into(),
            host: "one".into(),
            runbook: String::new(),
            holder: String::new(),
            held: None,
        };
        let Ok(Claimed::Ours(old)) = first.claim(&kept, "casey").await else {
            unreachable!("nobody has it")
        };
        assert!(first.append(&kept.id, old, &link(1, "")).await.expect("an answer"));
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
        // A line of the first that was on its way, a gap, and one that follows another line.
        assert!(!second.append(&kept.id, old, &link(2, "hash-1")).await.expect("an answer"));
        assert!(!second.append(&kept.id, new, &link(3, "hash-2")).await.expect("an answer"));
        assert!(!second.append(&kept.id, new, &link(2, "hash-x")).await.expect("an answer"));
        assert!(second.append(&kept.id, new, &link(2, "hash-1")).await.expect("an answer"));
        assert!(!second.append(&kept.id, new, &link(2, "hash-1")).await.expect("an answer"));
        assert_eq!(second.after(&kept.id, 1).await.expect("an answer"), [link(2, "hash-1")]);
    });
}
