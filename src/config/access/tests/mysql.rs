//! The option files and variables of MySQL and MariaDB.

use super::*;

#[test]
fn option_files_are_read_in_order_and_the_later_line_wins() {
    let mut machine = Machine::new();
    let root = machine.folder.path().display().to_string();
    machine.file("etc/my.cnf", 0o644, "[mysqld]\nport=1\n[client]\nport = 3310\nuser=etc\n");
    machine.file("etc/mysql/conf.d/b.cnf", 0o644, "[client]\nuser=b\n");
    machine.file("etc/mysql/conf.d/a.cnf", 0o644, "[client]\nuser=a\nhost=a\n");
    machine.file("etc/mysql/conf.d/not.txt", 0o644, "[client]\nuser=not\n");
    machine.file("more", 0o644, "[client-mariadb]\nhost = maria # of the cluster\n");
    machine.file(
        "etc/mysql/my.cnf",
        0o644,
        &format!("!includedir {root}/etc/mysql/conf.d\n!include {root}/more\n"),
    );
    machine.file(
        "home/.my.cnf",
        0o600,
        "; mine\n[client]\nloose_password=\"it's # \\\"so\\\"\"\nprompt=x\n[client_test]\nuser=tester\n",
    );
    let access = machine.open("mysql:///erp");
    assert_eq!((&access.host, access.port, &*access.user), (&tcp("a"), 3310, "b"));
    assert_eq!(password(&access), Some("it's # \"so\""));
    assert_eq!(machine.from(&access, "user"), "/etc/mysql/conf.d/b.cnf:2");
    assert_eq!(machine.from(&access, "password"), "/home/.my.cnf:3");
    // The groups of the other engine are not ours.
    assert_eq!(machine.open("mariadb:///erp").host, tcp("maria"));
    assert_eq!(machine.open("mysql:///erp?defaults-group-suffix=_test").user, "tester");
    machine.set("MYSQL_GROUP_SUFFIX", "_test");
    assert_eq!(machine.open("mysql:///erp").user, "tester");
    assert_eq!(machine.open("mysql://url@h/erp").user, "url");
    let only = machine.file("only.cnf", 0o600, "[client]\nuser=only\n");
    let access = machine.open(&format!("mysql://h/erp?defaults-file={}", only.display()));
    assert_eq!((&*access.user, access.port, password(&access)), ("only", 3306, None));
}

#[test]
fn variables_of_mysql_count_less_than_files() {
    let mut machine = Machine::new();
    for (name, value) in [
        ("MYSQL_HOST", "v"),
        ("MYSQL_TCP_PORT", "3333"),
        ("MYSQL_PWD", "from variable"),
        ("MYSQL_UNIX_PORT", "/v.sock"),
    ] {
        machine.set(name, value);
    }
    let access = machine.open("mysql:///erp");
    assert_eq!((&access.host, access.port), (&tcp("v"), 3333));
    assert_eq!(password(&access), Some("from variable"));
    assert_eq!(machine.open("mysql://localhost/erp").host, Host::Socket("/v.sock".into()));
    assert_eq!(machine.open("mysql://localhost:3307/erp").host, tcp("localhost"));
    machine.file("home/.my.cnf", 0o600, "[client]\nhost=f\npassword=from file\n");
    let access = machine.open("mysql:///erp");
    assert_eq!((&access.host, password(&access)), (&tcp("f"), Some("from file")));
}

#[test]
fn localhost_is_a_socket_unless_a_port_or_a_protocol_says_otherwise() {
    let machine = Machine::new();
    let host = |url: &str| machine.open(url).host;
    let usual = Host::Socket(machine.path("run/mysqld/mysqld.sock"));
    assert_eq!(host("mysql:///erp"), usual);
    assert_eq!(host("mysql://localhost/erp"), usual);
    assert_eq!(host("mysql:///erp?socket=/my.sock"), Host::Socket("/my.sock".into()));
    assert_eq!(host("mysql://localhost:3307/erp"), tcp("localhost"));
    assert_eq!(host("mysql://localhost/erp?protocol=TCP"), tcp("localhost"));
    assert_eq!(host("mysql://[::1]/erp"), tcp("::1"));
    machine.file("tmp/mysql.sock", 0o600, "");
    assert_eq!(host("mysql:///erp"), Host::Socket(machine.path("tmp/mysql.sock")));
    machine.file("home/.my.cnf", 0o600, "[client]\nsocket=/f.sock\n");
    assert_eq!(host("mysql:///erp"), Host::Socket("/f.sock".into()));
    assert_eq!(host("mysql://db/erp"), tcp("db"), "the socket is not that of the url's host");
    assert_eq!(host("mysql://localhost:3307/erp"), tcp("localhost"), "nor that of its port");
    assert_eq!(host("mysql://:3307/erp"), tcp("localhost"));
    assert_eq!(host("mysql://localhost:3307/erp?protocol=socket"), Host::Socket("/f.sock".into()));
    assert_eq!(host("mysql://:3307/erp?socket=/my.sock"), Host::Socket("/my.sock".into()));
    assert_eq!(
        machine.open("mysql://localhost:3307/erp?ssl-mode=VERIFY_IDENTITY").tls.mode,
        TlsMode::VerifyFull
    );
    machine.file("home/.my.cnf", 0o600, "[client]\nprotocol=socket\n");
    assert_eq!(host("mysql://localhost:3307/erp"), tcp("localhost"));
    assert!(machine.try_open("mysql://db/erp?socket=/x").is_err());
    assert!(machine.try_open("mysql://db/erp?protocol=pipe").is_err());
}

#[test]
fn encryption_of_mysql_follows_the_strictest_word() {
    let machine = Machine::new();
    let ca = machine.file("ca.pem", 0o644, "");
    let mode = |options: &str| machine.open(&format!("mysql://h/d?{options}")).tls.mode;
    assert_eq!(mode(""), TlsMode::Prefer);
    assert_eq!(mode("ssl-mode=required"), TlsMode::Require);
    assert_eq!(mode("ssl_mode=VERIFY_IDENTITY"), TlsMode::VerifyFull);
    assert_eq!(mode(&format!("ssl-ca={}", ca.display())), TlsMode::VerifyCa);
    assert!(machine.refusal("mysql://h/d?ssl-mode=VERIFY").contains("did you mean VERIFY_"));
    assert!(machine.try_open("mysql://h/d?ssl-mode=VERIFY_CA").is_err());
    assert!(machine.try_open("mysql:///d?ssl-mode=VERIFY_IDENTITY").is_err(), "no name to prove");
    assert_eq!(machine.open("mysql:///d").tls.mode, TlsMode::Disable, "a socket");
    assert_eq!(machine.open("mysql:///d?ssl-mode=REQUIRED").tls.mode, TlsMode::Require);
    machine.file("home/.my.cnf", 0o600, "[client]\nssl\nssl-verify-server-cert\n");
    assert_eq!(mode(""), TlsMode::VerifyFull);
    machine.file("home/.my.cnf", 0o600, "[client]\nskip-ssl\n");
    assert_eq!(mode(""), TlsMode::Disable);
    assert_eq!(mode("ssl-mode=REQUIRED"), TlsMode::Require);
    for off in ["skip-ssl", "ssl=0", "ssl-mode=DISABLED"] {
        machine.file("home/.my.cnf", 0o600, &format!("[client]\n{off}\n"));
        let of_ca = machine.open(&format!("mysql://h/d?ssl-ca={}", ca.display())).tls;
        assert_eq!((of_ca.mode, of_ca.ca), (TlsMode::VerifyCa, Some(ca.clone())), "{off}");
        assert_eq!(mode("ssl-verify-server-cert=1"), TlsMode::VerifyFull, "{off}");
        assert_eq!(mode("ssl-verify-server-cert=0"), TlsMode::Disable, "{off}");
    }
    machine.file("home/.my.cnf", 0o600, "[client]\n\nssl-crl=/x\n");
    assert!(machine.refusal("mysql://h/d").starts_with("/home/.my.cnf:3 says `ssl-crl`, but"));
}

#[test]
fn faults_of_option_files_name_file_and_line() {
    let machine = Machine::new();
    for (text, starts) in [
        ("[client\n", "/home/.my.cnf:1: the name of a group ends with ]."),
        ("\n!includes x\n", "/home/.my.cnf:2: this is no directive."),
        ("!includedir /no/such/folder\n", "/home/.my.cnf:1: /no/such/folder cannot be read"),
        ("!include ~/.my.cnf\n", "/home/.my.cnf:1: files include each other too deeply."),
        ("[client]\npassword\n", "/home/.my.cnf:2: `password` alone asks"),
        ("[client]\nport=x\n", "/home/.my.cnf:2: \"x\" is no port."),
    ] {
        machine.file("home/.my.cnf", 0o600, text);
        let refusal = machine.refusal("mysql://h/erp");
        assert!(refusal.starts_with(starts), "{refusal}");
    }
    machine.file("home/.my.cnf", 0o606, "");
    assert!(machine.refusal("mysql://h/erp").ends_with("chmod o-w /home/.my.cnf"));
    let missing = machine.refusal("mysql://h/erp?defaults-file=/no.cnf");
    assert!(missing.starts_with("The url names the option file /no.cnf, which is not there."));
}
