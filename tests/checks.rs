//! Every check of the packs, seen to catch its fault and to keep silent on healthy data.
//!
//! A check that is written for SQLite needs a fault here, or a reason why it has none. The table of
//! what caught what is printed: `cargo test --test packs -- --nocapture`.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steadyhand::catalogue::Catalogue;
use steadyhand::check::{self, Check, Finding, Verdict};
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::demo::{self, scratch};
use steadyhand::dialect::Dialect;
use steadyhand::engine::{Purpose, Session};
use steadyhand::ops::{Stopper, detect};
use tokio::runtime::{Builder, Runtime};

/// Checks of SQLite whose fault cannot be made in SQL.
const WITHOUT_FAULT: [(&str, &str); 1] =
    [("file-corruption", "a damaged page cannot be written in SQL; see the test of its own")];

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::built_in().unwrap()
}

/// A demo whose checks are all clear.
async fn healthy(folder: &Path) -> PathBuf {
    demo::build(folder, &[]).await.unwrap();
    demo::database(folder)
}

async fn survey(path: &Path, checks: &[&Check]) -> Vec<(String, Finding)> {
    let target = Target::new("erp", TargetUrl::sqlite(path), Environment::Development);
    detect::survey(&target, checks, &Stopper::default()).await.unwrap().findings
}

async fn inject(path: &Path, check: &Check) {
    let wait = Duration::from_secs(5);
    let mut session =
        Session::sqlite(path, Purpose::Work, wait, &Stopper::default()).await.unwrap();
    scratch::mark(&mut session).await.unwrap();
    let injected = scratch::inject(&mut session, check).await;
    injected.unwrap_or_else(|error| panic!("{}: {error}", check.id));
    session.close().await;
}

#[test]
fn healthy_data_is_clear_in_every_check() {
    let (folder, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
    runtime().block_on(async {
        let path = healthy(folder.path()).await;
        let checks = check::by_itself(&catalogue.checks, Dialect::Sqlite);
        let wrong: Vec<String> = survey(&path, &checks)
            .await
            .iter()
            .filter(|(_, finding)| !finding.verdict.is_clear())
            .map(|(id, finding)| format!("{id}: {:?}\n{:?}", finding.verdict, finding.rows))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn every_check_catches_its_fault() {
    let (folder, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
    let (mut table, mut wrong) = (String::new(), vec![]);
    runtime().block_on(async {
        let whole = healthy(folder.path()).await;
        for check in check::by_itself(&catalogue.checks, Dialect::Sqlite) {
            if let Some((_, why)) = WITHOUT_FAULT.iter().find(|(id, _)| *id == check.id) {
                writeln!(table, "{:<34} {why}", check.id).unwrap();
                continue;
            }
            if check.fault.get(Dialect::Sqlite).is_none() {
                wrong.push(format!("{} has no fault for SQLite", check.id));
                continue;
            }
            let broken = folder.path().join("broken.db");
            std::fs::copy(&whole, &broken).unwrap();
            inject(&broken, check).await;
            let verdict = survey(&broken, &[check]).await.remove(0).1.verdict;
            let found = verdict.violations().map(check::Count::number);
            writeln!(table, "{:<34} {found:?}", check.id).unwrap();
            let as_told = check.finds.is_none_or(|finds| found == Some(finds));
            if !verdict.is_violated() || !as_told {
                wrong.push(format!("{}: {verdict:?}, expected {:?}", check.id, check.finds));
            }
        }
    });
    #[allow(clippy::print_stdout)] // the table is what such a run is for
    {
        println!("{table}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_damaged_page_is_seen() {
    let (folder, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
    runtime().block_on(async {
        let path = healthy(folder.path()).await;
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 4096 / 2 * 4096;
        // The pointers to the cells of one page; the page is a page still.
        bytes[middle + 12..middle + 24].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let check = catalogue.check("file-corruption").unwrap();
        let verdict = survey(&path, &[check]).await.remove(0).1.verdict;
        assert!(verdict.is_violated(), "{verdict:?}");
    });
}

#[test]
fn a_check_bound_to_other_names_asks_the_same() {
    let (folder, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
    runtime().block_on(async {
        let path = healthy(folder.path()).await;
        let check = catalogue.check("order-subtotal-drift").unwrap();
        inject(&path, check).await;
        let wait = Duration::from_secs(5);
        let mut session =
            Session::sqlite(&path, Purpose::Work, wait, &Stopper::default()).await.unwrap();
        session
            .execute("ALTER TABLE orders RENAME TO \"Sales Order\"; ALTER TABLE \"Sales Order\" RENAME subtotal TO \"match\"")
            .await
            .unwrap();
        session.close().await;
        let blind = survey(&path, &[check]).await.remove(0).1.verdict;
        let Verdict::Inconclusive { reason } = blind else { panic!("{blind:?}") };
        assert!(reason.contains("the table orders (role orders) is not there"), "{reason}");

        let bind = ["orders=\"Sales Order\"", "orders.subtotal=MATCH"]
            .map(|text| check::bind::argument(text).unwrap());
        let settings = check::Settings { bind: bind.to_vec(), ..check::Settings::default() };
        let bound = catalogue.clone().settled(&settings).unwrap();
        let check = bound.check("order-subtotal-drift").unwrap();
        let verdict = survey(&path, &[check]).await.remove(0).1.verdict;
        assert_eq!(verdict.violations().map(check::Count::number), check.finds);
    });
}
