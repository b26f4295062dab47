//! One asks, the other agrees, and then it is done: by a file, by a chat, line by line, in halves.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use steadyhand::dialect::Dialect;
use steadyhand::incident::entry::Entry;
use steadyhand::incident::journal::Journal;

use crate::common::walk::{CONFIRMATION, Facts, INCIDENT, assert_sound, confirm, leave};
use crate::common::{Cockpit, Ended, Ground, Home, Signal, WIDE};
use crate::ground::{
    answer, as_somebody_else, ask, asked, at_the_rest, done, in_chunks, looking, parcels,
    previewed, request, robin, scene, scene_on, scene_with, shell, sign, told, words,
};

#[test]
fn one_asks_the_other_looks_and_signs_and_then_it_is_done() {
    let mut casey = asked(scene("four-eyes", ""));
    let before = Facts::of(casey.home());
    let words = words(&casey.screen());
    let key = casey.home().work().join("keys/robin");
    let file = request(casey.home());
    let mut robin = looking(robin(casey.home()), &file, &key);
    let page = robin.screen();
    for seen in [
        "casey@",
        "asks you to agree to a change",
        "erp-demo (development, sqlite)",
        "26 rows",
        "UPDATE asset_assignments",
        "audit_log",
        "return_date NULL -> ",
        "asset-double-assignment",
        "the same as asked for",
        &words,
    ] {
        assert!(page.contains(seen), "{seen}: {page}");
    }
    // The folder is one of both: what lies where the signature goes leads it nowhere else.
    let theirs = casey.home().write("theirs", "of robin");
    std::os::unix::fs::symlink(&theirs, format!("{}.sig", file.display())).expect("it is ours");
    answer(&mut robin, &words);
    assert_eq!(robin.wait_code(), 0, "{}", robin.screen());
    casey.wait_for("robin@example.org");
    assert_eq!(fs::read_to_string(theirs).expect("it is there"), "of robin");
    confirm(&mut casey, CONFIRMATION);
    let order = ["previewed", "requested", "seconded", "approved", "execution-started"];
    let home = done(casey, &before, &order);
    assert_sound(&home);
    told_afterwards(&home);
}

/// What an auditor finds later, and what they find when somebody meddled with it.
fn told_afterwards(home: &Home) {
    let page = home.steadyhand(&["postmortem", "1"]).output().expect("it runs");
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("robin@example.org"), "{page}");
    home.steadyhand(&["bundle", "1", "--output", "one.tar"]).assert().code(0);
    let verify = |more: &[&str]| {
        let args = [&["verify", "one.tar"][..], more].concat();
        let ran = home.steadyhand(&args).output().expect("it runs");
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let (code, said) = verify(&[]);
    assert!(code == Some(0) && said.contains("seconded by robin@example.org"), "{said}");
    let (code, said) = verify(&["--signers", "signers"]);
    assert!(said.contains("Good \"steadyhand-approval\" signature for robin"), "{code:?} {said}");
    for (named, why) in [
        ("casey@example.org", "casey@example.org asked for it, whose key signed it by this list"),
        ("robin@example.org,casey@example.org", "casey@example.org asked for it"),
        ("dana@example.org", "by this list the key is that of dana@example.org"),
    ] {
        shell(&home.work(), &format!("sed 's/robin@[^ ]*/{named}/' signers > of-an-auditor"));
        let (code, said) = verify(&["--signers", "of-an-auditor"]);
        assert!(code == Some(2) && said.contains(why), "{code:?} {said}");
    }
    shell(
        &home.work(),
        "tar xf one.tar; cd INC-0001; sed -i 's/\"rows\": 26/\"rows\": 27/' requests/*.json
         sha256sum $(grep -o '[^ ]*$' SHA256SUMS) > x; mv x SHA256SUMS; cd ..
         tar cf one.tar INC-0001",
    );
    let (code, said) = verify(&[]);
    assert!(code == Some(2) && said.contains(".json was altered"), "{said}");
}

/// Keys run out, and of two who are asked both may sign: neither changes what was agreed to.
#[test]
fn what_was_agreed_to_outlives_the_key_and_a_later_signature() {
    let mut casey = asked(scene("four-eyes", ""));
    let before = Facts::of(casey.home());
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    sign(casey.home(), "robin", "steadyhand-approval", &bytes);
    casey.wait_for("agreed: robin@example.org");
    sign(casey.home(), "stranger", "steadyhand-approval", &bytes);
    confirm(&mut casey, CONFIRMATION);
    let home = done(casey, &before, &["seconded", "approved"]);
    // It ends in the second in which it agreed, which is over by now.
    let told = told(&home);
    let (_, at) = told
        .lines()
        .find(|line| line.contains("\"seconded\""))
        .expect("robin agreed")
        .split_once("\"at\":\"")
        .expect("it has a time");
    let at = at.split('.').next().unwrap_or_default();
    shell(
        &home.work(),
        &format!(
            "ending() {{ sed \"s/^robin@example.org /&valid-before=\\\"$1\\\" /\" signers; }}
             at=$(date -d {at}Z +%s); while [ $(date +%s) -le $at ]; do :; done
             ending $(date -d @$at +%Y%m%d%H%M%S) > since; ending 20200101 > long-since"
        ),
    );
    let verify = |list: &str| {
        let ran = home.steadyhand(&["verify", "1", "--signers", list]).output();
        let ran = ran.expect("it runs");
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let (code, said) = verify("since");
    assert!(said.contains("signature for robin@example.org"), "{code:?} {said}");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = verify("long-since");
    assert!(code == Some(2) && said.contains("key has expired"), "{code:?} {said}");
}

/// Another account where the tests may change theirs; the request and the signature go through a
/// chat, which is to say through the clipboard.
#[test]
fn a_request_and_its_signature_can_be_pasted() {
    let mut casey = asked(scene("four-eyes", ""));
    let before = Facts::of(casey.home());
    let words = words(&casey.screen());
    let sent = casey.raw_output();
    let sent = String::from_utf8_lossy(&sent);
    let (_, code) = sent.rsplit_once("\x1b]52;c;").expect("it was sent to the clipboard");
    let code = code.split('\x07').next().unwrap_or_default();
    let text = String::from_utf8(STANDARD.decode(code).expect("base64")).expect("a text");
    assert!(text.starts_with("-----BEGIN STEADYHAND REQUEST-----\n"), "{text}");

    let home = Home::new().with("USER", "robin");
    let key = home.work().join("robin");
    fs::copy(casey.home().work().join("keys/robin"), &key).expect("robin has a key");
    shell(&home.work(), "chmod 600 robin");
    let key = key.to_string_lossy().into_owned();
    let mut other = as_somebody_else(&home, &["approve", "-", "--key", &key]);
    other.wait_for("paste the request");
    for line in text.lines() {
        other.send(format!("{line}\r").as_bytes());
    }
    other.wait_for("Type the four words to agree");
    assert!(other.screen().contains("NOT RUN HERE: erp-demo is not configured here"));
    answer(&mut other, &words);
    assert_eq!(other.wait_code(), 0, "{}", other.screen());
    let said = other.raw_output();
    let said = String::from_utf8_lossy(&said);
    let (_, signature) = said.rsplit_once("-----BEGIN SSH").expect("it was printed");
    let signature = format!("-----BEGIN SSH{signature}");

    casey.keys("i");
    casey.wait_for("The signature, from BEGIN to END");
    casey.paste(&signature.replace("\r\n", "\n"));
    casey.wait_for("END SSH SIGNATURE");
    casey.keys("ctrl-o");
    casey.wait_for("agreed: robin@example.org");
    confirm(&mut casey, CONFIRMATION);
    casey.wait_for("COMMITTED   26 rows");
    assert_eq!(Facts::of(casey.home()), before.after_change());
}

/// Agreed to, cut off after four of ten chunks, agreed to once more for the rest.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault points are not in release builds")]
fn each_half_of_a_change_in_chunks_has_its_own_request_and_its_own_signature() {
    let home = scene_with(&in_chunks(), "four-eyes").with("STEADYHAND_KILL", "after:chunk-ended:4");
    let mut erp = parcels(&home);
    let robin_agrees = |casey: &mut Cockpit| {
        ask(casey);
        let bytes = fs::read(request(casey.home())).expect("it can be read");
        sign(casey.home(), "robin", "steadyhand-approval", &bytes);
        casey.wait_for("agreed: robin@example.org");
    };
    let mut casey = previewed(home);
    casey.wait_for("1,000 keys exactly");
    robin_agrees(&mut casey);
    confirm(&mut casey, "erp-demo 1000");
    casey.wait_exit();
    let mut casey = at_the_rest(casey.into_home());
    assert_sound(casey.home());
    robin_agrees(&mut casey);
    assert_sound(casey.home());
    confirm(&mut casey, "erp-demo 600");
    casey.wait_for("COMMITTED   1,000 rows");
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(erp.count("SELECT SUM(weight) FROM parcels"), 1000);
    let of = |ending: &str| {
        let all = home.files(&format!("work/state/incidents/{INCIDENT}/requests"));
        all.iter().filter(|path| path.to_string_lossy().ends_with(ending)).count()
    };
    assert_eq!((of(".json"), of(".json.sig")), (2, 2));
    let ran = home.steadyhand(&["verify", "1", "--signers", "signers"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert_eq!(
        said.matches("Good \"steadyhand-approval\" signature for robin").count(),
        2,
        "{said}"
    );
}

/// Whoever can write the folder lets the journal say that something else was previewed before.
#[test]
fn a_signature_under_something_else_than_was_previewed_is_no_evidence() {
    let mut casey = asked(scene("four-eyes", ""));
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    sign(casey.home(), "robin", "steadyhand-approval", &bytes);
    casey.wait_for("agreed: robin@example.org");
    leave(&mut casey);
    let home = casey.into_home();
    assert_sound(&home);
    let folder = home.work().join("state/incidents").join(INCIDENT);
    let (forged, records) = Journal::open(&folder, "casey").expect("nobody has it");
    for mut record in records {
        match &mut record.entry {
            Entry::Previewed { fingerprint, .. } => *fingerprint = "another".into(),
            Entry::Requested { .. } | Entry::Seconded { .. } => {}
            _ => continue,
        }
        forged.append(record.entry).expect("it can be written");
    }
    drop(forged);
    let ran = home.steadyhand(&["verify", "1"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("its request is for something else"), "{said}");
}

#[test]
fn two_agree_line_by_line() {
    let home = scene("four-eyes", "");
    let mut casey = Cockpit::start_in(home, &["resume", "--plain"], WIDE);
    let before = Facts::of(casey.home());
    casey.wait_output(0, "the first step", |said| said.ends_with("1/10 Stabilise > "));
    let say = |casey: &mut Cockpit, line: &str, answer: &str| {
        let from = casey.bytes();
        casey.send(format!("{line}\r").as_bytes());
        let whole = |said: &str| said.contains(answer) && said.ends_with(" > ");
        casey.wait_output(from, answer, whole)
    };
    say(&mut casey, "]", "12 violations");
    say(&mut casey, "", "step 3");
    say(&mut casey, "]", "step 4");
    say(&mut casey, "]", "step 5");
    say(&mut casey, "]", "enter preview");
    say(&mut casey, "", "a second person must agree");
    say(&mut casey, "ask-second", "waiting for a second person");
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    sign(casey.home(), "robin", "steadyhand-approval", &bytes);
    say(&mut casey, "where", "agreed: robin@example.org");
    say(&mut casey, "", "type the words > ");
    say(&mut casey, CONFIRMATION, "enter alone executes > ");
    say(&mut casey, "", "COMMITTED   26 rows");
    assert_eq!(Facts::of(casey.home()), before.after_change());
}

#[test]
fn two_agree_on_postgresql() {
    let ground = Ground::new(Dialect::Postgres);
    let mut casey = asked(scene_on(&ground, "four-eyes", ""));
    let mut erp = ground.look(&casey.home().work());
    let open = "SELECT COUNT(*) FROM asset_assignments WHERE return_date IS NULL";
    let before = erp.count(open);
    let words = words(&casey.screen());
    let key = casey.home().work().join("keys/robin");
    let mut robin = looking(robin_there(casey.home()), &request(casey.home()), &key);
    assert!(robin.screen().contains("the same as asked for"), "{}", robin.screen());
    assert_eq!(erp.count(open), before);
    answer(&mut robin, &words);
    assert_eq!(robin.wait_code(), 0);
    casey.wait_for("agreed: robin@example.org");
    confirm(&mut casey, CONFIRMATION);
    casey.wait_for("COMMITTED   26 rows");
    assert_eq!(erp.count(open), before - 13);
}

/// Robin has the same target configured, and looks with a login that may write.
fn robin_there(casey: &Home) -> Home {
    let text = fs::read_to_string(casey.work().join("steadyhand.toml")).expect("it is there");
    let home = Home::new().with("USER", "robin");
    let state = text.lines().filter(|line| !line.starts_with("state"));
    home.write("steadyhand.toml", &state.collect::<Vec<_>>().join("\n"));
    home
}

#[test]
fn an_interrupt_ends_what_robin_looks_at_and_the_question_after_it() {
    let ground = Ground::new(Dialect::Postgres);
    let casey = asked(scene_on(&ground, "four-eyes", ""));
    let (file, key) = (request(casey.home()), casey.home().work().join("keys/robin"));
    let robin = looking(robin_there(casey.home()), &file, &key);
    robin.signal(Signal::INT);
    robin.wait_for("stopped by the operator");
    assert_eq!(robin.wait_exit(), Ended::Code(130));
    // A server that has nothing to send does not see that nobody is there any more.
    let mut erp = ground.look(&casey.home().work());
    erp.run(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
         CREATE TRIGGER slow BEFORE UPDATE ON asset_assignments FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
    let args = ["approve", &file.to_string_lossy(), "--key", &key.to_string_lossy()];
    let robin = Cockpit::start_in(robin_there(casey.home()), &args, WIDE);
    let asleep = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    robin.wait_until("the sleep at the server", |_| erp.count(asleep) == 1);
    robin.signal(Signal::INT);
    robin.wait_for("stopped by the operator");
    assert_eq!(robin.wait_exit(), Ended::Code(130));
    assert_eq!(erp.count(asleep), 0);
    assert!(!PathBuf::from(format!("{}.sig", file.display())).exists());
}
