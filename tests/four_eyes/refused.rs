//! What is not the second person's yes to this very request executes nothing, and steers nothing.

use std::fs;
use std::path::PathBuf;

use crate::common::walk::{
    self, CONFIRMATION, Facts, RUNBOOK, assert_sound, confirm, journal, leave,
};
use crate::common::{Cockpit, Sqlite};
use crate::ground::{
    answer, ask, asked, assert_nothing_done, looking, request, robin, scene, shell, sign, told,
    words,
};

#[test]
fn whatever_is_not_the_second_persons_yes_to_this_very_request_executes_nothing() {
    let mut casey = asked(scene("four-eyes", ""));
    let before = Facts::of(casey.home());
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    let text = String::from_utf8(bytes.clone()).expect("it is text");
    let other = text.replace(RUNBOOK, "something-else");
    let edited = text.replace("\"rows\": 26", "\"rows\": 2");
    assert!(edited != text && other != text);
    let approval = "steadyhand-approval";
    for (key, namespace, signed, said) in [
        ("stranger", approval, &bytes[..], "is not among those of"),
        ("casey", approval, &bytes, "whoever asks cannot be the second person"),
        ("robin", "steadyhand", &bytes, "the signature of robin@example.org does not fit"),
        ("robin", "file", &bytes, "the signature of robin@example.org does not fit"),
        ("robin", approval, other.as_bytes(), "the signature of robin@example.org does not fit"),
        ("robin", approval, edited.as_bytes(), "the signature of robin@example.org does not fit"),
    ] {
        let refused = journal(casey.home()).iter().filter(|kind| *kind == "second-refused").count();
        sign(casey.home(), key, namespace, signed);
        casey.wait_until(&format!("{said} for {key} {namespace}"), |screen| {
            let all = journal(casey.home());
            all.iter().filter(|kind| *kind == "second-refused").count() > refused
                && screen.replace(['\n', '│'], " ").contains("the signature was refused")
        });
        let told = told(casey.home());
        let last = told.lines().rfind(|line| line.contains("second-refused")).unwrap_or_default();
        assert!(last.contains(said), "{last}");
        casey.keys("enter");
        casey.wait_for("a second person must agree first");
    }
    sign(casey.home(), "robin", approval, &bytes);
    casey.wait_for("agreed: robin@example.org");
    // It was good all along; what it is good for goes with the preview.
    casey.keys("p");
    casey.wait_for("a second person must agree: a asks one");
    casey.keys("enter");
    casey.wait_for("a second person must agree first");
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(Facts::of(&home), before);
    assert!(!journal(&home).iter().any(|kind| kind == "approved"));
    assert_sound(&home);
}

/// Each of these holds a good signature, or would hold up whoever reads it.
#[test]
fn what_lies_beside_the_request_and_is_no_plain_file_of_that_length_is_not_read() {
    // In its last minute the time that is left is told by the second, in which it is looked for.
    let mut casey = asked(scene("four-eyes", "valid = \"59s\""));
    let left = |screen: &str| {
        let (_, rest) = screen.split_once("waiting for a second person, ")?;
        Some(rest.split("left").next()?.to_owned())
    };
    let file = request(casey.home());
    let lay = |script: &str| {
        let (sig, to) = (format!("{}.sig", file.display()), "to-sign.sig");
        let script = format!("sig='{sig}'; good=\"$PWD/{to}\"; rm -f \"$sig\"; {script}");
        shell(&casey.home().work(), &script);
    };
    lay(&format!(
        "cp '{}' to-sign; ssh-keygen -q -Y sign -n steadyhand-approval -f keys/robin to-sign",
        file.display()
    ));
    for script in [
        "ln -s \"$good\" \"$sig\"",
        "mkfifo \"$sig\"",
        "cp \"$good\" long; head -c 70000 /dev/zero | tr '\\0' '\\n' >> long; mv long \"$sig\"",
    ] {
        lay(script);
        for _ in 0..3 {
            let before = left(&casey.screen());
            assert!(before.is_some(), "{script}: {}", casey.screen());
            casey.wait_until("a second goes by", |screen| left(screen) != before);
        }
        let kinds = journal(casey.home());
        let told = kinds.iter().any(|kind| kind.starts_with("second"));
        assert!(!told, "{script}: {kinds:?}");
    }
    lay("cp \"$good\" plain; mv plain \"$sig\"");
    casey.wait_for("agreed: robin@example.org");
    leave(&mut casey);
}

/// An Ed25519 key signs the same text in the same way each time.
#[test]
fn a_signature_that_was_refused_holds_once_the_list_is_mended() {
    let mut casey = asked(scene("four-eyes", ""));
    let work = casey.home().work();
    shell(
        &work,
        "cp signers right; sed 's/^robin@example.org /&namespaces=\"git\" /' right > signers",
    );
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    sign(casey.home(), "robin", "steadyhand-approval", &bytes);
    casey.wait_for("the signature was refused");
    let told = told(casey.home());
    assert!(told.contains("not permitted for use in signature namespace"), "{told}");
    shell(&work, "mv right signers");
    casey.wait_for("agreed: robin@example.org");
    leave(&mut casey);
}

#[test]
fn a_key_that_left_the_list_after_it_agreed_executes_nothing() {
    for (list, said) in [
        ("grep -v robin signers", "is not among those of"),
        ("sed 's/robin@/casey@/' signers", "whoever asks cannot be the second person"),
        ("sed 's/robin@[^ ]*/*/' signers", "which is nobody in particular"),
    ] {
        let mut casey = asked(scene("four-eyes", ""));
        let before = Facts::of(casey.home());
        let bytes = fs::read(request(casey.home())).expect("it can be read");
        sign(casey.home(), "robin", "steadyhand-approval", &bytes);
        casey.wait_for("agreed: robin@example.org");
        shell(&casey.home().work(), &format!("{list} > other; mv other signers"));
        confirm(&mut casey, CONFIRMATION);
        casey.wait_for("ROLLED BACK");
        leave(&mut casey);
        let home = casey.into_home();
        assert_eq!(Facts::of(&home), before);
        let told = told(&home);
        assert!(told.contains(said) && told.contains("nothing was run"), "{said}: {told}");
        assert_sound(&home);
    }
}

/// The same key on several lines of the list, with one that cannot be read between them.
#[test]
fn every_line_of_the_list_says_whose_a_key_is() {
    let home = scene("four-eyes", "");
    shell(
        &home.work(),
        "cd keys; ssh-keygen -q -s stranger -I casey -n c.smith@example.org,casey@example.org casey
         (printf 'c.smith@example.org '; cat casey.pub; echo 'no line of a list'
          printf 'casey@example.org namespaces=\"git\" '; cat casey.pub
          printf '*@example.org CERT-AUTHORITY '; cat stranger.pub
          printf 'robin@example.org,r.hood@example.org '; cat robin.pub) > ../signers",
    );
    let mut casey = asked(home);
    let before = Facts::of(casey.home());
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    let approval = "steadyhand-approval";
    let own = "casey@example.org asked for it, and whoever asks cannot be the second person";
    let refused = |casey: &Cockpit, times: usize| {
        casey.wait_until(own, |_| told(casey.home()).matches(own).count() == times);
    };
    sign(casey.home(), "casey", approval, &bytes);
    refused(&casey, 1);
    let work = casey.home().work();
    sign(casey.home(), "robin", approval, &bytes);
    casey.wait_for("agreed: robin@example.org, r.hood@example.org");
    // A key that everybody has by a line further down is nobody's.
    shell(&work, "(printf '* '; cat keys/robin.pub) >> signers");
    confirm(&mut casey, CONFIRMATION);
    casey.wait_for("ROLLED BACK");
    assert!(told(casey.home()).contains("which is nobody in particular"));
    // The names of a certificate are those that its authority wrote into it.
    casey.keys("p");
    casey.wait_for("a second person must agree: a asks one");
    ask(&mut casey);
    let file = request(casey.home());
    shell(
        &work,
        &format!(
            "cp '{0}' to-sign; cp keys/casey-cert.pub keys/c.pub
             ssh-agent sh -ec 'ssh-add -q keys/casey; ssh-keygen -q -Y sign -n {approval} -f keys/c.pub to-sign'
             mv to-sign.sig '{0}.sig'",
            file.display()
        ),
    );
    refused(&casey, 2);
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(Facts::of(&home), before);
    assert_sound(&home);
}

#[test]
fn a_request_that_expired_is_neither_signed_nor_taken() {
    let mut casey = asked(scene("four-eyes", "valid = \"2s\""));
    let before = Facts::of(casey.home());
    casey.wait_for("nobody agreed in time");
    let file = request(casey.home());
    let (file_text, key) = (file.to_string_lossy().into_owned(), "keys/robin");
    let ran = casey.home().steadyhand(&["approve", &file_text, "--key", key]).output();
    let ran = ran.expect("it runs");
    assert_eq!(ran.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("it expired at"));
    let bytes = fs::read(&file).expect("it can be read");
    sign(casey.home(), "robin", "steadyhand-approval", &bytes);
    casey.wait_for("the request expired");
    casey.keys("enter");
    casey.wait_for("a second person must agree first");
    leave(&mut casey);
    assert_nothing_done(casey.home(), &before);
}

#[test]
fn whoever_declines_signs_nothing() {
    let casey = asked(scene("four-eyes", ""));
    let (file, key) = (request(casey.home()), casey.home().work().join("keys/robin"));
    for said in ["no", "yes", "abacus academy acid acorn"] {
        let mut robin = looking(robin(casey.home()), &file, &key);
        answer(&mut robin, said);
        assert_eq!(robin.wait_code(), 5);
        assert!(robin.screen().contains("declined"), "{}", robin.screen());
    }
    // Words that come with the request are no answer.
    let mut robin = Cockpit::start_in(
        robin(casey.home()),
        &["approve", &file.to_string_lossy(), "--key", &key.to_string_lossy()],
        (120, 90),
    );
    robin.send(format!("{}\r", words(&casey.screen())).as_bytes());
    robin.wait_for("Type the four words to agree");
    answer(&mut robin, "no");
    assert_eq!(robin.wait_code(), 5);
    assert!(!PathBuf::from(format!("{}.sig", file.display())).exists());
}

#[test]
fn what_would_do_something_else_by_now_is_not_signed() {
    let casey = asked(scene("four-eyes", ""));
    let file = request(casey.home());
    let mut erp = Sqlite::open(&walk::database(casey.home()));
    erp.run("UPDATE asset_assignments SET note = 'moved' WHERE return_date IS NULL");
    let args = ["approve", &file.to_string_lossy(), "--key", "nokey"];
    let ran = robin(casey.home()).steadyhand(&args).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(5), "{said}");
    assert!(said.contains("DIFFERS") && said.contains("nothing was signed"), "{said}");
    // An edited file is found out before anything is run.
    let text = fs::read_to_string(&file).expect("it can be read");
    let home = robin(casey.home());
    for (edited, why) in [
        (text.replace("\"rows\": 26", "\"rows\": 2"), "its tables add up to 26"),
        (text.replace("SET return_date", "SET  return_date"), "not those of its digest"),
        (text.replace('{', "{ "), "it is not as this program writes it"),
        (text.replace("\"form\": 1", "\"form\": 2"), "this version reads 1"),
        ("{}".into(), "it is no approval request"),
        ("x".repeat(3 << 20), "no request is that long"),
    ] {
        home.write("edited.json", &edited);
        let ran = home.steadyhand(&["approve", "edited.json"]).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.code() == Some(5) && said.contains(why), "{why}: {said}");
    }
    shell(&home.work(), "ln -s edited.json link.json");
    let ran = home.steadyhand(&["approve", "link.json"]).output().expect("it runs");
    assert_eq!(ran.status.code(), Some(4));
}

#[test]
fn a_request_steers_no_terminal() {
    let casey = asked(scene("four-eyes", ""));
    let text = fs::read_to_string(request(casey.home())).expect("it can be read");
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\r\n\u{8}";
    let mut request: steadyhand::recovery::Request = serde_json::from_str(&text).expect("ours");
    for field in [
        &mut request.incident,
        &mut request.step,
        &mut request.title,
        &mut request.operation,
        &mut request.target.name,
        &mut request.target.environment,
        &mut request.target.server,
        &mut request.undo,
        &mut request.requester.name,
        &mut request.requester.account,
        &mut request.requester.host,
    ] {
        field.push_str(hostile);
    }
    for statement in &mut request.statements {
        statement.note.push_str(hostile);
    }
    for row in &mut request.sample {
        row.changes.push(hostile.into());
        row.key.push_str(hostile);
    }
    request.warnings.push(hostile.into());
    let home = robin(casey.home());
    fs::write(home.work().join("hostile.json"), request.bytes()).expect("the folder is ours");
    for format in ["text", "json"] {
        let args = ["approve", "hostile.json", "--show", "--format", format];
        let ran = home.steadyhand(&args).output().expect("it runs");
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{said}");
        let odd = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!said.contains(odd), "{said:?}");
    }
}
