//! With a key that was made for the test: what is good for nothing is refused each for itself.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::recovery::protocol::tests::{at, plan, preview};
use crate::recovery::protocol::{Ask, Said, State, step};
use crate::recovery::request::{About, Person};
use crate::recovery::second::{Demand, Seconded, Warrant};
use crate::recovery::{Plan, Preview, Request};
use crate::signature::{self, Purpose, Verified};

/// Robin's key, and the list that names it.
struct Key(tempfile::TempDir);

impl Key {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = "ssh-keygen -q -t ed25519 -N '' -f key; \
                      printf 'robin@example.org ' > signers; cat key.pub >> signers";
        let made = Command::new("sh").args(["-ec", script]).current_dir(&folder).status();
        assert!(made.unwrap().success());
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn signed(&self, purpose: Purpose, request: &Request) -> Verified {
        let signature = signature::sign(&self.path("key"), purpose, &request.bytes()).unwrap();
        signature::verify(purpose, &request.bytes(), &signature, &self.path("signers"), None)
            .unwrap()
    }
}

fn pair() -> Plan {
    Plan { demand: Demand::Pair, ..plan() }
}

/// What casey asks at the beginning, for five minutes.
fn request() -> Request {
    let (name, account, host) = ("casey".into(), "casey".into(), "here".into());
    let about = About {
        incident: "INC-0001".into(),
        engine: "sqlite".into(),
        environment: "development".into(),
        requester: Person { name, account, host },
        now: at(0),
        valid: Duration::from_mins(5),
    };
    Request::of(&pair(), &preview(), about)
}

#[test]
fn a_signature_is_for_one_purpose_one_request_and_a_time() {
    let (key, request) = (Key::new(), request());
    let good = key.signed(Purpose::Approval, &request);
    assert!(Seconded::of(&request, &good, at(300)).is_ok());
    let late = Seconded::of(&request, &good, at(301)).unwrap_err();
    assert!(late.contains("expired"), "{late}");
    let other = key.signed(Purpose::Review, &request);
    let why = Seconded::of(&request, &other, at(1)).unwrap_err();
    assert!(why.contains("for something else"), "{why}");
    let another = Request { title: "another".into(), ..request.clone() };
    let why = Seconded::of(&request, &key.signed(Purpose::Approval, &another), at(1)).unwrap_err();
    assert!(why.contains("for another request"), "{why}");
}

#[test]
fn what_was_agreed_to_is_good_for_nothing_else() {
    let (key, request) = (Key::new(), request());
    let good = key.signed(Purpose::Approval, &request);
    let warrant = |preview: &Preview| {
        Warrant::seconded(&pair(), preview, Seconded::of(&request, &good, at(1)).unwrap())
    };
    assert!(warrant(&preview()).is_ok());
    let of_another = Preview { op: "op-2".into(), ..preview() };
    let by_now_another = Preview { fingerprint: "g".into(), ..preview() };
    for other in [of_another, by_now_another] {
        let why = warrant(&other).unwrap_err();
        assert!(why.contains("not what was previewed"), "{why}");
    }
}

/// The preview is good for ten minutes, and the request for five.
#[test]
fn what_was_agreed_to_ends_with_the_request() {
    let (key, request) = (Key::new(), request());
    let good = key.signed(Purpose::Approval, &request);
    let agreed = || {
        let state = State::Previewed { preview: Arc::new(preview()), warrant: None };
        let seconded = Seconded::of(&request, &good, at(1)).unwrap();
        step(state, Said::Seconded(seconded), &pair(), at(1)).0
    };
    let is_late = |ask: &Ask| matches!(ask, Ask::Refuse(why) if why.contains("request expired"));
    let (_, ask) = step(agreed(), Said::Confirm, &pair(), at(301));
    assert!(is_late(&ask), "{ask:?}");
    let typed = || Said::Typed { text: "erp 12".into(), run: 1 };
    let (state, _) = step(agreed(), Said::Confirm, &pair(), at(299));
    let (_, ask) = step(state, typed(), &pair(), at(301));
    assert!(is_late(&ask), "{ask:?}");
    let (state, _) = step(agreed(), Said::Confirm, &pair(), at(299));
    let (_, ask) = step(state, typed(), &pair(), at(300));
    let Ask::Execute { approval, .. } = ask else { panic!("{ask:?}") };
    let why = approval.spend(&pair(), at(301)).unwrap_err();
    assert!(why.contains("request expired"), "{why}");
}

/// As a file, and as what a chat made of it.
#[test]
fn what_is_longer_than_any_request_is_not_taken_for_one() {
    let longest = Request::read(&vec![b'x'; 8 << 20]).unwrap_err();
    assert!(longest.contains("no request is that long"), "{longest}");
    let around = "x".repeat(8 << 20) + &request().armored();
    let long = Request { title: "t".repeat(1 << 20), ..request() };
    for text in [around, long.armored()] {
        let why = Request::read(text.as_bytes()).unwrap_err();
        assert!(why.contains("no request is that long"), "{why}");
    }
}

#[test]
fn a_request_says_when_it_ends_within_a_day() {
    let fits = |expires| {
        let request = Request { expires: at(expires), ..request() };
        Request::read(&request.bytes())
    };
    assert!(fits(1).is_ok());
    for odd in [0, -1, 400 * 24 * 3600] {
        let why = fits(odd).unwrap_err();
        assert!(why.contains("its times do not fit"), "{why}");
    }
}
