//! What stands in `docs/unattended.md` is tried as it stands there: files are judged, commands run.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::common::Sqlite;
use super::suite::desk;
use super::{Desk, run};

/// The blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/unattended.md"))
        .unwrap();
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(said) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if said == language {
                found.push(text.join("\n") + "\n");
            }
        }
    }
    assert!(!found.is_empty(), "no block of {language}");
    found
}

fn block(language: &str, with: &str) -> String {
    let found = blocks(language).into_iter().find(|block| block.contains(with));
    found.unwrap_or_else(|| panic!("no {language} with {with}"))
}

/// The lines below the one that ends with `key`, as far as they are indented more.
fn below(block: &str, key: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = block.lines().skip_while(|line| !line.trim_end().ends_with(key));
    let parent = depth(lines.next().unwrap_or_else(|| panic!("no {key} in {block}")));
    let body = lines.take_while(|line| depth(line) > parent || line.trim().is_empty());
    body.map(|line| line.trim_start().to_owned() + "\n").collect()
}

/// A shop before a deploy, with one violation of a suite that is asked there.
fn staging() -> Desk {
    let desk = desk(&[("staging", "staging"), ("production", "production")], "");
    for suite in ["pre-deploy", "nightly"] {
        let text = format!(
            "id = \"{suite}-asset\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nkey = [\"id\"]\nsuites = [\"{suite}\"]\nowner = \"o\"\n[sql]\nany = \"SELECT id FROM asset WHERE owner IS NULL ORDER BY id\"\n"
        );
        desk.home.write(&format!("checks/own/{suite}-asset.toml"), &text);
    }
    let config = desk.home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("environment =", "packs = [\"own\"]\nenvironment =")).unwrap();
    desk
}

/// Runs a script as a CI system does, with our program in the path.
fn shell(desk: &Desk, with: &[&str], script: &str) -> (i32, String) {
    let bin = Path::new(env!("CARGO_BIN_EXE_steadyhand")).parent().unwrap();
    let (program, arguments) = with.split_first().unwrap();
    let ran = Command::new(program)
        .args(arguments)
        .args(["-c", script])
        .current_dir(desk.home.work())
        .env_clear()
        .envs(desk.home.environment())
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("GITHUB_STEP_SUMMARY", "summary.md")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    (ran.status.code().unwrap_or(-1), said)
}

fn cure(desk: &Desk) {
    Sqlite::open(&desk.home.work().join("staging.db")).run("UPDATE asset SET owner = 'ada'");
}

#[test]
fn the_configuration_has_no_fault() {
    let desk = Desk::new();
    let parts: Vec<String> =
        blocks("toml").into_iter().filter(|block| block.starts_with("# steadyhand.toml")).collect();
    assert!(parts.len() >= 3);
    desk.home.write("steadyhand.toml", &parts.concat());
    let ran = run(&desk.home, &["lint", "steadyhand.toml"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let ran = run(&desk.home, &["config"]);
    assert!(
        ran.out.contains("target.erp.backup.rpo") && ran.out.contains("alert.dba"),
        "{}",
        ran.out
    );
}

#[test]
fn the_lines_for_cron_run() {
    let desk = staging();
    let table = block("", "# cron");
    fs::create_dir_all(desk.home.work().join("var/log/steadyhand")).unwrap();
    fs::create_dir_all(desk.home.work().join("var/www")).unwrap();
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut mails = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let command = words[5..].join(" ").replace("/var/", "var/");
        mails.push(shell(&desk, &["sh"], &command));
    }
    assert_eq!(
        mails[0],
        (2, String::new()),
        "violated, and who wants to know hears of it otherwise"
    );
    assert_eq!(mails[1], (0, String::new()), "written");
    let (_, late) = &mails[2];
    assert!(late.contains("it never ran"), "on the other target: {late}");
    let kept = desk.home.work().join("var/log/steadyhand/nightly.txt");
    assert!(fs::read_to_string(kept).unwrap().contains("violated"));
    assert!(desk.home.work().join("var/www/integrity.html").is_file());
}

#[test]
fn the_units_are_accepted_by_systemd() {
    let block = block("ini", "steadyhand-nightly.service");
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for part in block.split("# /etc/systemd/system/").skip(1) {
        let (name, text) = part.split_once('\n').unwrap();
        let text = text.replace("/usr/local/bin/steadyhand", env!("CARGO_BIN_EXE_steadyhand"));
        let text = text.replace("User=steadyhand", "User=root");
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        files.push(path);
    }
    assert_eq!(files.len(), 2);
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&files).output() {
        Ok(ran) => {
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            let ours = said.lines().filter(|line| line.contains("steadyhand-nightly"));
            assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new(), "{said}");
        }
        Err(error) if std::env::var_os("CI").is_some() => panic!("systemd-analyze: {error}"),
        #[expect(clippy::print_stderr, reason = "what was not tried is told")]
        Err(error) => eprintln!("the units were not tried: systemd-analyze: {error}"),
    }
}

#[test]
fn github_actions_fails_with_the_gate_and_shows_why() {
    let desk = staging();
    let script = below(&block("yaml", "runs-on"), "run: |");
    desk.home.write("known.toml", "");
    let (code, said) = shell(&desk, &["bash", "-e"], &script);
    assert_eq!(code, 2, "{said}");
    let summary = fs::read_to_string(desk.home.work().join("summary.md")).unwrap();
    assert!(
        summary.starts_with("### ✗ violated") && summary.contains("pre-deploy-asset"),
        "{summary}"
    );
    cure(&desk);
    let (code, said) = shell(&desk, &["bash", "-e"], &script);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn gitlab_fails_with_the_gate_and_gets_a_report() {
    let desk = staging();
    let script = below(&block("yaml", "stage: test"), "script:").replace("- ", "");
    desk.home.write("known.toml", "");
    let (code, said) = shell(&desk, &["sh", "-e"], &script);
    assert_eq!(code, 2, "{said}");
    let report = fs::read(desk.home.work().join("gate.xml")).unwrap();
    assert_eq!(junit_parser::from_reader(report.as_slice()).unwrap().failures, 1);
    cure(&desk);
    assert_eq!(shell(&desk, &["sh", "-e"], &script).0, 0);
}

#[test]
fn jenkins_gets_the_exit_code_and_a_report() {
    let desk = staging();
    let block = block("groovy", "stage(");
    let script = block.split('\'').find(|part| part.starts_with("steadyhand gate")).unwrap();
    desk.home.write("known.toml", "");
    assert_eq!(shell(&desk, &["sh", "-e"], script).0, 2);
    assert!(desk.home.work().join("gate.xml").is_file());
    for said in ["code == 1", "unstable", "code > 1", "error("] {
        assert!(block.contains(said), "{said}");
    }
}

#[test]
fn the_steps_before_a_deploy_work_one_after_the_other() {
    let desk = staging();
    let commands = block("console", "--update-baseline");
    let lines: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let first = shell(&desk, &["sh", "-e"], lines[0]);
    assert_eq!(first.0, 0, "{}", first.1);
    let last = shell(&desk, &["sh", "-e"], lines[2]);
    assert_eq!(last.0, 0, "what is known passes: {}", last.1);
    // And the baseline that the page shows can be read.
    desk.home.write("known.toml", &block("toml", "[[known]]"));
    let shown = shell(&desk, &["sh", "-e"], lines[2]);
    assert_eq!(shown.0, 2, "it knows another check: {}", shown.1);
}
