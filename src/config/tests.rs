use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use super::*;
use crate::dialect::Dialect;
use crate::source::{Paint, render};

/// A machine with three folders that can hold a configuration.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["etc", "user", "here", "state"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self { folder }
    }

    fn file(&self, folder: &str, text: &str) -> &Self {
        fs::write(self.folder.path().join(folder).join("steadyhand.toml"), text).expect("a file");
        self
    }

    fn around(&self, variables: &[(&str, &str)]) -> Surroundings {
        let at = |name: &str| self.folder.path().join(name);
        Surroundings {
            variables: variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            home: Some(at("home")),
            system: at("etc"),
            user: Some(at("user")),
            state: Some(at("state")),
            here: at("here"),
        }
    }

    fn load(
        &self,
        variables: &[(&str, &str)],
        overrides: &Overrides,
    ) -> Result<Config, Vec<Fault>> {
        Config::load(&self.around(variables), overrides)
    }
}

#[test]
fn without_a_word_everything_is_built_in() {
    let config = Machine::new().load(&[], &Overrides::default()).expect("defaults");
    assert_eq!(config.theme, Setting::built_in("auto".into()));
    assert!(config.state.value.ends_with("state"));
    assert!(config.lines().iter().all(|(.., origin)| origin == "built in"));
}

#[test]
fn the_later_layer_wins_and_says_where_it_is_from() {
    let machine = Machine::new();
    machine
        .file("etc", "theme = \"light\"\nascii = true\nrefresh = \"1m\"\nchecks = [\"site\"]\n")
        .file("user", "theme = \"mono\"\nrefresh = \"2m\"\n")
        .file("here", "refresh = \"3m\"\nchecks = [\"~/mine\"]\n");
    let overrides = Overrides { checks: vec!["more".into()], ..Overrides::default() };
    let config =
        machine.load(&[("STEADYHAND_REFRESH", "4m"), ("STEADYHAND_THEEM", "x")], &overrides);
    let config = config.expect("good");
    assert_eq!(config.theme.value, "mono");
    assert!(config.theme.origin.to_string().ends_with("user/steadyhand.toml:1"));
    assert_eq!(config.refresh.origin, Origin::Variable("STEADYHAND_REFRESH"));
    assert_eq!(config.refresh.value, Duration::from_mins(4));
    let root = machine.folder.path();
    assert_eq!(
        config.check_dirs(),
        [root.join("etc/site"), root.join("home/mine"), root.join("here/more")]
    );
    assert_eq!(config.checks[1].origin.to_string(), "steadyhand.toml:2");
    assert_eq!(
        config.warnings,
        ["The variable STEADYHAND_THEEM means nothing; did you mean STEADYHAND_THEME?"]
    );
}

#[test]
fn faults_of_all_layers_come_together() {
    let machine = Machine::new();
    machine.file("etc", "ascii = 1\n").file("here", "thme = \"x\"\n");
    let overrides = Overrides::default();
    let faults = machine.load(&[("STEADYHAND_ASCII", "maybe")], &overrides).expect_err("three");
    assert_eq!(faults.len(), 3);
    assert_eq!(
        faults[2].to_string(),
        "STEADYHAND_ASCII: It cannot be \"maybe\"; write true or false."
    );
    let overrides = Overrides { config: Some("none.toml".into()), ..overrides };
    // The system's file is read also then.
    assert_eq!(machine.load(&[], &overrides).expect_err("missing, and wrong").len(), 2);
}

#[test]
fn a_file_that_is_named_stands_in_the_place_of_all_but_the_systems() {
    let machine = Machine::new();
    machine
        .file("etc", &format!("state = \"shared\"\ntake_over_after = \"2m\"\n{TARGETS}"))
        .file("user", "theme = \"mono\"\n")
        .file("here", "refresh = \"3m\"\n");
    fs::write(machine.folder.path().join("here/mine.toml"), "take_over_after = \"3m\"\n")
        .expect("a file");
    let named = Overrides { config: Some("mine.toml".into()), ..Overrides::default() };
    for (variables, overrides) in
        [(&[][..], named), (&[("STEADYHAND_CONFIG", "mine.toml")], Overrides::default())]
    {
        let config = machine.load(variables, &overrides).expect("good");
        assert!(config.state.value.ends_with("etc/shared"), "{:?}", config.state);
        assert_eq!(config.targets.len(), 2);
        assert_eq!(config.take_over_after.value, Duration::from_mins(3));
        assert_eq!((&*config.theme.value, config.refresh.value), ("auto", Duration::from_secs(10)));
    }
}

const TARGETS: &str = r#"
[target.erp-prod]
url = "postgres://erp_recovery@db.internal:5433/erp_main?sslmode=require"
detect_url = "postgres://erp_readonly@replica.internal/erp_main"
environment = "production"
fingerprint = "7321/erp_main"
approval = "four-eyes"
timezone = "Europe/Zurich"
[target.lab]
url = "sqlite://erp.db"
environment = "development"
"#;

#[test]
fn a_file_that_others_have_written_is_read_only_where_it_is_named() {
    let words = "[target.a]\nurl = \"postgres://u@h/db\"\nenvironment = \"staging\"\n\
                 password_command = [\"id\"]\n";
    let file_of = |machine: &Machine, folder| machine.folder.path().join(folder).join(layers::FILE);
    let anybody = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("a mode");
    };
    let stranger = |path: &Path| chown(path, Some(65534), None).expect("root may do that");
    let is_root = rustix::process::geteuid().is_root();
    for folder in ["user", "here"] {
        type Spoil<'a> = &'a dyn Fn(&Path);
        let cases: [(Spoil<'_>, _); 2] =
            [(&anybody, "can be written by everybody"), (&stranger, "another user (uid 65534)")];
        for (spoil, why) in cases.into_iter().take(if is_root { 2 } else { 1 }) {
            let machine = Machine::new();
            machine.file(folder, words);
            let path = file_of(&machine, folder);
            assert_eq!(machine.load(&[], &Overrides::default()).expect("ours").targets.len(), 1);
            spoil(&path);
            let faults = machine.load(&[], &Overrides::default()).expect_err(why);
            let text = render(&faults, Paint::Plain);
            assert!(text.contains(why) && text.contains("--config"), "{text}");
            let overrides = Overrides { config: Some(path), ..Overrides::default() };
            assert_eq!(machine.load(&[], &overrides).expect("it was named").targets.len(), 1);
        }
    }
    // Who may write in the system's folder may do so.
    let machine = Machine::new();
    machine.file("etc", words);
    anybody(&file_of(&machine, "etc"));
    assert_eq!(machine.load(&[], &Overrides::default()).expect("the system's").targets.len(), 1);
}

#[test]
fn a_target_is_found_by_name_url_or_path() {
    let machine = Machine::new();
    machine
        .file("etc", TARGETS)
        .file("here", "[target.lab]\nurl = \"sqlite:/x.db\"\nenvironment = \"staging\"\n");
    let config = machine.load(&[], &Overrides::default()).expect("good");
    assert_eq!(config.warnings.len(), 1, "the target of another file was replaced");
    let prod = config.target("erp-prod").expect("by name");
    assert_eq!((prod.approval, prod.environment), (Approval::FourEyes, Environment::Production));
    assert_eq!(
        prod.url.to_string(),
        "postgres://erp_recovery@db.internal:5433/erp_main?sslmode=require"
    );
    assert_eq!(config.target("lab").expect("by name").url.path, Path::new("/x.db"));
    let url = config.target("mariadb://ops@[::1]:3306/erp").expect("by url");
    let server = url.url.server.expect("a server");
    assert_eq!(
        (url.url.dialect, &*server.host, server.port),
        (Dialect::Mariadb, "[::1]", Some(3306))
    );
    // What is not said is taken for the careful case.
    assert_eq!(url.environment, Environment::Production);
    let file = machine.folder.path().join("here/erp.db");
    fs::write(&file, "").expect("a file");
    assert_eq!(config.target(&file.display().to_string()).expect("by path").name, "erp");
    let problem = config.target("erp-prd").expect_err("unknown");
    assert_eq!(problem.hint.as_deref(), Some("did you mean \"erp-prod\"?"));
}

#[test]
fn no_password_is_accepted_kept_or_shown() {
    let machine = Machine::new();
    machine.file(
        "here",
        "[target.a]\nurl = \"postgres://u:hunter2@h/db\"\nenvironment = \"staging\"\n\
         [target.b]\nurl = \"mysql://u@h/db?password=hunter2\"\nenvironment = \"stagin\"\n\
         [target.c]\nurl = \"mysql://u@h/db\"\npassword = \"hunter2\"\nenvironment = \"staging\"\n",
    );
    let faults = machine.load(&[], &Overrides::default()).expect_err("three passwords");
    assert_eq!(faults.iter().filter(|f| f.sentence.contains("assword")).count(), 3);
    for text in [render(&faults, Paint::Plain), format!("{faults:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let config = Machine::new().load(&[], &Overrides::default()).expect("good");
    let problem = config.target("postgres://u:hunter2@h/db").expect_err("a password");
    assert!(!problem.to_string().contains("hunter2"));
}

#[test]
fn a_password_in_a_url_that_is_none_is_not_repeated_either() {
    for url in [
        "postgres://bob@corp:hunter2@h/db",
        "postgres:u:hunter2@h/db",
        "u:hunter2@h/db",
        "//u:hunter2@h/db",
        "postgres:/u:hunter2@h/db",
        "host=h user=u password=hunter2 dbname=db",
    ] {
        let machine = Machine::new();
        let target = format!("[target.a]\nurl = \"{url}\"\nenvironment = \"staging\"\n");
        machine.file("here", &target);
        let faults = machine.load(&[], &Overrides::default()).expect_err(url);
        let text = render(&faults, Paint::Plain);
        assert!(!text.contains("hunter2") && text.contains("url"), "{text}");
        let config = Machine::new().load(&[], &Overrides::default()).expect("good");
        let text = config.target(url).expect_err(url).to_string();
        assert!(!text.contains("hunter2") && text.contains("url"), "{text}");
    }
    let machine = Machine::new();
    machine.file(
        "here",
        "[target.a]\nurl = \"postgres://u@h/db\"\npassword_command = [\"hunter2\"]\n\
         environment = \"staging\"\n",
    );
    let config = machine.load(&[], &Overrides::default()).expect("it is a program so far");
    let text = format!("{:?}", config.lines());
    assert!(!text.contains("hunter2") && text.contains("there is no such program"), "{text}");
    let target = config.target("a").expect("it is configured");
    let problem = access::of_process(&target).expect_err("there is no such program").to_string();
    assert!(!problem.contains("hunter2") && problem.contains("password_command"), "{problem}");
}

#[test]
fn urls_are_taken_apart_or_refused() {
    let parse = |text| TargetUrl::parse(text, Path::new("/base"));
    assert_eq!(parse("sqlite:///abs/x.db").map(|url| url.path), Ok("/abs/x.db".into()));
    assert_eq!(parse("sqlite://rel/x.db").map(|url| url.path), Ok("/base/rel/x.db".into()));
    assert_eq!(parse("sqlite:x.db").map(|url| url.path), Ok("/base/x.db".into()));
    assert_eq!(parse("postgresql:///erp").map(|url| url.to_string()), Ok("postgres:///erp".into()));
    for text in [
        "erp",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:x?mode=rw",
        "postgre://h/d",
        "mysql:h/d",
        "mysql://h",
        "mysql://h/",
        "mysql://h:0/d",
        "mysql://h:x/d",
        "postgres://u:p/w@h/d",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}
