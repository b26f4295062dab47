//! How a server would be reached, as `config` shows it: every part with its place, no password ever.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::common::Home;
use super::run;

fn private(path: &std::path::Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn config_shows_where_each_part_of_a_connection_is_said() {
    let home = Home::new().with("PGUSER", "from_variable").without("PGPASSWORD");
    private(&home.path("home/.pgpass"), "db.internal:*:*:*:hunter2\n");
    private(&home.path("home/.my.cnf"), "[client]\nuser=keeper\npassword=hunter2\n");
    let marker = home.work().join("asked");
    home.write(
        "steadyhand.toml",
        &format!(
            "[target.erp]\nurl = \"postgres://db.internal/erp?sslmode=require\"\nenvironment = \"staging\"\n\
             [target.shop]\nurl = \"mariadb://shop.internal/shop\"\nenvironment = \"staging\"\n\
             [target.vault]\nurl = \"postgres://w@db.internal/erp\"\ndetect_url = \"postgres://r@replica/erp\"\n\
             password_command = [\"touch\", \"{0}\"]\nenvironment = \"staging\"\n\
             [target.safe]\nurl = \"postgres://w@db.internal/erp\"\ndetect_url = \"postgres://r@replica/erp\"\n\
             password_command = [\"touch\", \"{0}\"]\ndetect_password_command = [\"touch\", \"{0}\", \"{0}\"]\n\
             environment = \"staging\"\n",
            marker.display()
        ),
    );
    let ran = run(&home, &["config"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let row = |key: &str| {
        let row = ran.out.lines().find(|line| line.split_whitespace().next() == Some(key));
        row.unwrap_or_else(|| panic!("{key} in {}", ran.out)).to_owned()
    };
    for (key, value, from) in [
        ("target.erp.connect.host", "db.internal", "the url"),
        ("target.erp.connect.user", "from_variable", "PGUSER"),
        ("target.erp.connect.tls", "require", "the url"),
        ("target.erp.connect.password", "(not shown)", ".pgpass:1"),
        ("target.shop.connect.user", "keeper", ".my.cnf:2"),
        ("target.shop.connect.password", "(not shown)", ".my.cnf:3"),
        ("target.vault.connect.password", "(not shown)", "password_command of"),
        ("target.vault.detect.password", "(not shown)", "password_command of"),
        ("target.safe.connect.password", "(not shown)", " password_command of"),
        ("target.safe.detect.password", "(not shown)", " detect_password_command of"),
        ("target.vault.detect.host", "replica", "the url"),
        ("target.vault.password_command", "touch …", "steadyhand.toml"),
    ] {
        let row = row(key);
        assert!(row.contains(value) && row.contains(from), "{row}");
    }
    assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"));
    assert!(!marker.exists(), "to show where a password comes from, nobody is asked for it");
}

#[test]
fn a_password_file_that_others_can_read_is_told_with_the_way_out() {
    let home = Home::new().without("PGPASSWORD");
    fs::write(home.path("home/.pgpass"), "*:*:*:*:hunter2\n").unwrap();
    fs::set_permissions(home.path("home/.pgpass"), fs::Permissions::from_mode(0o644)).unwrap();
    home.write(
        "steadyhand.toml",
        "[target.erp]\nurl = \"postgres://h/erp\"\nenvironment = \"staging\"\n",
    );
    let ran = run(&home, &["config"]);
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("target.erp.url"), "the rest is shown all the same: {}", ran.out);
    let file = home.path("home/.pgpass").display().to_string();
    assert!(ran.err.contains(&format!("chmod 600 {file}")), "{}", ran.err);
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
}

#[test]
fn no_piece_of_a_password_in_a_url_is_repeated() {
    for (url, told) in [
        ("postgres://app:Ab/cd?e@db/erp", "An @ stands behind the ?"),
        ("postgres://app:Ab?cd@db/erp", "An @ stands behind the ?"),
        ("postgres://app:4711?Ab@cd@db/erp", "An @ stands behind the ?"),
        ("postgres://app:Ab@cd?ef@db/erp", "The url holds a password"),
        ("postgres://app:Ab/cd@db/erp", "The url holds a password"),
        ("mysql://root:Abcdef/erp", "is no port"),
        ("mysql://root:471147/erp", "is no port"),
    ] {
        let home = Home::new();
        let config = format!("[target.erp]\nurl = \"{url}\"\nenvironment = \"staging\"\n");
        let named = run(&home, &["check", "--target", url]);
        home.write("steadyhand.toml", &config);
        let configured = run(&home, &["config"]);
        let advice = "Passwords are read from password_command";
        assert!(configured.err.contains(advice), "{url}: {}", configured.err);
        for ran in [named, configured] {
            let said = format!("{}{}", ran.out, ran.err);
            assert_eq!(ran.code, 4, "{url}: {said}");
            assert!(said.contains(told), "{url}: {said}");
            for piece in ["Ab", "cd", "ef", "4711"] {
                assert!(!said.contains(piece), "{url}: {said}");
            }
        }
    }
    let home = Home::new().without("PGPASSWORD");
    for url in ["postgres://me@db:5432/erp?search_path=a@b", "postgres://db/erp?user=me@b"] {
        let config = format!("[target.erp]\nurl = \"{url}\"\nenvironment = \"staging\"\n");
        home.write("steadyhand.toml", &config);
        let ran = run(&home, &["config"]);
        assert_eq!(ran.code, 0, "{url}: {}", ran.err);
    }
}

#[test]
fn of_a_command_only_the_program_is_shown() {
    let home = Home::new();
    home.write(
        "steadyhand.toml",
        "[target.erp]\nurl = \"sqlite://erp.db\"\nenvironment = \"staging\"\n\
         [alert.page]\nkind = \"command\"\ncommand = [\"page\", \"--token\", \"s3cr3t\"]\n",
    );
    let ran = run(&home, &["config"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let row = ran.out.lines().find(|line| line.starts_with("alert.page")).unwrap();
    assert!(row.contains("command: page …"), "{row}");
    assert!(!ran.out.contains("s3cr3t"), "{}", ran.out);
}
