//! Libpq's ways to say where PostgreSQL is: urls, services, variables, the password file.

use super::*;

#[test]
fn a_url_without_a_host_is_the_local_socket_and_the_user_of_the_system() {
    let machine = Machine::new();
    let access = machine.open("postgres:///erp");
    assert_eq!(access.host, Host::Socket(machine.path("run/postgresql")));
    assert_eq!((access.port, &*access.user, &*access.database), (5432, "onduty", "erp"));
    assert_eq!((access.tls.mode, password(&access)), (TlsMode::Disable, None));
    assert_eq!(machine.from(&access, "user"), "the user of this system");
    assert_eq!(machine.from(&access, "password"), "nowhere: there is no /home/.pgpass");
    machine.file("tmp/.s.PGSQL.5433", 0o600, "");
    let access = machine.open("postgres://:5433/erp");
    assert_eq!(access.host, Host::Socket(machine.path("tmp")), "the folder where the socket is");
    for url in ["postgres:///erp?host=/srv/pg", "postgres://%2Fsrv%2Fpg/erp"] {
        assert_eq!(machine.open(url).host, Host::Socket("/srv/pg".into()), "{url}");
    }
}

#[test]
fn the_url_wins_over_the_service_and_the_service_over_the_variables() {
    let mut machine = Machine::new();
    machine.file(
        "home/.pg_service.conf",
        0o600,
        "# ours\n[lab]\nhost=lab\n[erp]\nhost=db.internal\nport=5433\nuser=keeper\ndbname=erp\nsslmode=disable\napplication_name=x\npassword=from service\n[last]\n",
    );
    for (name, value) in [
        ("PGHOST", "elsewhere"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "from variable"),
        ("PGCONNECT_TIMEOUT", "3"),
    ] {
        machine.set(name, value);
    }
    let access = machine.open("postgres://ops@/?service=erp&port=5444");
    assert_eq!((&access.host, access.port), (&tcp("db.internal"), 5444));
    assert_eq!((&*access.user, &*access.database), ("ops", "erp"));
    assert_eq!(access.tls.mode, TlsMode::Disable);
    assert_eq!(password(&access), Some("from service"));
    assert_eq!(access.connect_timeout, Duration::from_secs(3));
    for (key, from) in [
        ("host", "/home/.pg_service.conf:5"),
        ("port", "the url"),
        ("user", "the url"),
        ("password", "/home/.pg_service.conf:11"),
        ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ] {
        assert_eq!(machine.from(&access, key), from, "{key}");
    }
    let access = machine.open("postgres:///erp");
    assert_eq!((&access.host, &*access.user), (&tcp("elsewhere"), "nobody"));
    assert_eq!(password(&access), Some("from variable"));
    machine.set("PGSERVICE", "lab");
    assert_eq!(machine.open("postgres:///erp").host, tcp("lab"));
}

#[test]
fn a_service_is_looked_for_at_home_and_then_in_the_system() {
    let mut machine = Machine::new();
    machine.file("etc/postgresql-common/pg_service.conf", 0o644, "[common]\nhost=common\n");
    machine.file("home/.pg_service.conf", 0o600, "[own]\nhost=own\n");
    assert_eq!(machine.open("postgres:///d?service=common").host, tcp("common"));
    assert_eq!(
        machine.refusal("postgres:///d?service=comon"),
        "There is no service \"comon\", which is named by the url.\n  did you mean \"common\"?"
    );
    machine.file("sys/pg_service.conf", 0o644, "[theirs]\nhost=theirs\n");
    machine.set("PGSYSCONFDIR", machine.path("sys").display().to_string());
    assert_eq!(machine.open("postgres:///d?service=theirs").host, tcp("theirs"));
    let file = machine.file("other.conf", 0o600, "[s]\nhosst=x\n[t]\nword\n[u]\nport=99999\n");
    machine.set("PGSERVICEFILE", file.display().to_string());
    assert_eq!(
        machine.refusal("postgres:///d?service=s"),
        "/other.conf:2: there is no option \"hosst\".\n  did you mean host, without spaces around the =?"
    );
    assert!(machine.refusal("postgres:///d?service=t").starts_with("/other.conf:4: "));
    assert_eq!(
        machine.refusal("postgres:///d?service=u"),
        "/other.conf:6: \"99999\" is no port.\n  a port is a number from 1 to 65535"
    );
}

#[test]
fn the_password_file_is_read_as_libpq_reads_it() {
    let mut machine = Machine::new();
    let file = "# host:port:database:user:password\n\
                db:5432:erp:other:no\n\
                db:*:erp:a\\:b\\\\c:colon\\:and\\\\slash\n\
                localhost:5432:*:onduty:socket\n\
                /srv/pg:*:*:*:own folder\n\
                \\*:*:*:*:no\n\
                *:*:*:*:last:ignored\n";
    let path = machine.file("home/.pgpass", 0o600, file);
    let access = machine.open("postgres://a%3Ab%5Cc@db/erp");
    assert_eq!(password(&access), Some("colon:and\\slash"));
    assert_eq!(machine.from(&access, "password"), "/home/.pgpass:3");
    assert_eq!(password(&machine.open("postgres:///any")), Some("socket"));
    assert_eq!(password(&machine.open("postgres:///any?host=/srv/pg")), Some("own folder"));
    assert_eq!(password(&machine.open("postgres://h/any")), Some("last"));
    // The variable names another file.
    machine.set("PGPASSFILE", machine.file("pw", 0o600, "h:1:x:y:z\n").display().to_string());
    let access = machine.open("postgres://h/any");
    assert_eq!(password(&access), None);
    assert_eq!(machine.from(&access, "password"), "nowhere: no line of /pw matches");
    // What has not its form is passed over, and named where nothing else matches.
    let pw = machine.file("pw", 0o600, "\n  \nh:1:secret\n");
    let access = machine.open("postgres://h/any");
    assert_eq!(
        machine.from(&access, "password"),
        "nowhere: no line of /pw matches, and /pw:3 is not host:port:database:user:password"
    );
    fs::write(&pw, b"half line\nh:*:*:*:caf\xe9\nh:*:*:*:good\r\n").expect("a file");
    assert_eq!(password(&machine.open("postgres://h/any")), Some("good"));
    machine.variables.clear();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
    assert_eq!(
        machine.refusal("postgres://h/any"),
        "The password file, /home/.pgpass, can be read by others (mode 0640), so it is not used.\n  chmod 600 /home/.pgpass"
    );
}

#[test]
fn encryption_is_never_less_than_what_was_asked() {
    let mut machine = Machine::new();
    let mode = |machine: &Machine, url: &str| machine.open(url).tls.mode;
    assert_eq!(mode(&machine, "postgres://h/d"), TlsMode::Prefer);
    assert_eq!(mode(&machine, "postgres://h/d?sslmode=require"), TlsMode::Require);
    assert_eq!(mode(&machine, "postgres://h/d?sslmode=verify-full"), TlsMode::VerifyFull);
    assert_eq!(mode(&machine, "postgres://h/d?sslrootcert=system"), TlsMode::VerifyFull);
    assert_eq!(
        machine.refusal("postgres://h/d?sslmode=verify"),
        "the url: sslmode cannot be \"verify\".\n  did you mean verify-ca?"
    );
    for url in [
        "postgres://h/d?sslmode=verify-ca",
        "postgres://h/d?sslmode=require&sslrootcert=system",
        "postgres://h/d?sslmode=verify-full&sslrootcert=/nowhere",
        "postgres://h/d?channel_binding=require",
        "postgres://h/d?gssencmode=require",
        "postgres://h/d?ssl_min_protocol_version=TLSv1.3",
    ] {
        assert!(machine.try_open(url).is_err(), "{url}");
    }
    // A file in its usual place counts as it does for libpq.
    let ca = machine.file("home/.postgresql/root.crt", 0o644, "");
    let access = machine.open("postgres://h/d?sslmode=require");
    assert_eq!((access.tls.mode, access.tls.ca), (TlsMode::VerifyCa, Some(ca)));
    machine.file("home/.postgresql/postgresql.crt", 0o644, "");
    assert!(machine.refusal("postgres://h/d").contains("one is missing"));
    let key = machine.file("home/.postgresql/postgresql.key", 0o604, "");
    assert!(
        machine.refusal("postgres://h/d").ends_with("chmod 600 /home/.postgresql/postgresql.key")
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    assert_eq!(machine.open("postgres://h/d").tls.key, Some(key));
    machine.set("PGREQUIREAUTH", "scram-sha-256");
    assert!(
        machine.refusal("postgres://h/d").starts_with("PGREQUIREAUTH says `require_auth`, but")
    );
}

#[test]
fn settings_of_the_session_are_passed_on_by_name() {
    let mut machine = Machine::new();
    machine.set("PGOPTIONS", "-c geqo=off -csearch_path=a,\\ b --work-mem=4MB");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        machine.open("postgres://h/d").options,
        [pair("geqo", "off"), pair("search_path", "a, b"), pair("work_mem", "4MB")]
    );
    let url = "postgres://h/d?options=-c%20geqo%3Don&search_path=erp";
    // The driver would send those of the variable as well, and these would hold besides.
    assert_eq!(
        machine.refusal(url),
        "PGOPTIONS says `options`, and so does the url, which counts more; nothing was connected.\n  \
         unset PGOPTIONS: the server would be told both"
    );
    machine.variables.clear();
    assert_eq!(machine.open(url).options, [pair("geqo", "on"), pair("search_path", "erp")]);
    for options in ["-d%205", "-c%20geqo", "-c%20session_replication_role%3Dreplica"] {
        assert!(
            machine.try_open(&format!("postgres://h/d?options={options}")).is_err(),
            "{options}"
        );
    }
}

#[test]
fn a_connection_that_is_to_write_nothing_is_known_by_its_options() {
    let machine = Machine::new();
    machine.file(
        "home/.pg_service.conf",
        0o600,
        "[erp]\nhost=h\noptions=-c default_transaction_read_only=true\n",
    );
    let fenced = |options: &str| {
        let access = machine.open(&format!("postgres://u@h/d?options={options}"));
        access.read_only().map(|(name, from)| format!("{name}: {from}"))
    };
    assert_eq!(
        fenced("-c%20default_transaction_read_only%3Don").as_deref(),
        Some("default_transaction_read_only: the url")
    );
    assert_eq!(
        fenced("--transaction-read-only%3D1").as_deref(),
        Some("transaction_read_only: the url")
    );
    for none in [
        "-c%20geqo%3Don",
        "-c%20default_transaction_read_only%3DOFF",
        "-cdefault_transaction_read_only%3Don%20-cdefault_transaction_read_only%3Doff",
    ] {
        assert_eq!(fenced(none), None, "{none}");
    }
    let access = machine.open("postgres:///d?service=erp");
    let from = access.read_only().expect("the service says it").1;
    assert!(from.ends_with("/home/.pg_service.conf:3"), "{from}");
}

#[test]
fn options_that_mean_nothing_or_something_else_are_refused() {
    let machine = Machine::new();
    assert_eq!(
        machine.refusal("postgres://h/d?sslmod=require"),
        "The url has an option \"sslmod\" that means nothing.\n  did you mean `sslmode`?"
    );
    assert_eq!(
        machine.refusal("postgres://h/d?application_name=x"),
        "The url says `application_name`, but sessions are always called steadyhand, so that they can be told apart and ended.\n  delete it from the url"
    );
    for url in [
        "postgres://a,b/d",
        "postgres://h/d?host=g",
        "postgres://h/d?port=1&port=2",
        "postgres://h/d?hostaddr=10.0.0.1",
        "postgres://h/d?target_session_attrs=read-write",
        "postgres://%ff/d",
        "postgres://h/d?connect_timeout=soon",
        "mysql://h/d?ssl-mod=REQUIRED",
        "mysql://h/d?sslmode=require",
        "mysql://h/d?init-command=x",
        "mysql://h/d?ssl-crl=x",
        "oracle://u@h/d?x=y",
        "oracle:///d",
    ] {
        assert!(machine.try_open(url).is_err(), "{url}");
    }
}
