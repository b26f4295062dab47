//! Handing a message to somebody outside: a webhook, a mail server, a command.
//!
//! Secrets are fetched for one delivery and shown nowhere: what goes wrong is told without the
//! address, whenever the address is a secret.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate as MailCertificate, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport as _};
use secrecy::{ExposeSecret as _, SecretString};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::access::command::{ended, first_line};
use crate::config::runs::{Channel, Email, MailTls, Secret};

/// For one delivery, and for a command that gives a secret for it.
const LIMIT: Duration = Duration::from_secs(10);

/// One message in every form that a channel can want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names this message, so that whoever gets it twice can tell.
    pub id: String,
    pub subject: String,
    pub text: String,
    /// The body that Slack takes.
    pub slack: String,
    pub json: String,
    /// Whom it has not reached yet, where it has reached some; without any, everybody.
    pub left: Vec<String>,
}

/// Why a delivery failed, without a secret in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failed {
    pub why: String,
    /// Trying again at once cannot help.
    pub lasts: bool,
    /// It was an answer that may be about this message: another one may get through.
    pub others_may: bool,
    /// Whom of several it did not reach.
    pub left: Vec<String>,
}

impl Failed {
    fn now(why: impl Into<String>) -> Self {
        Self { why: why.into(), lasts: false, others_may: false, left: Vec::new() }
    }

    fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), lasts: true, others_may: false, left: Vec::new() }
    }

    fn answered(self) -> Self {
        Self { others_may: true, ..self }
    }
}

/// Delivers, or says why not. Blocks: it belongs on a thread that may.
pub fn send(channel: &Channel, message: &Message) -> Result<(), Failed> {
    match channel {
        Channel::Slack { url } => post(&reveal(url)?, None, None, &message.slack, &message.id),
        Channel::Webhook { url, token, ca } => {
            let token = token.as_ref().map(reveal).transpose()?;
            post(&reveal(url)?, token.as_ref(), ca.as_deref(), &message.json, &message.id)
        }
        Channel::Email(email) => mail(email, message),
        Channel::Command { argv } => command(argv, &message.json),
    }
}

fn reveal(secret: &Secret) -> Result<SecretString, Failed> {
    let found = match secret {
        Secret::Plain(text) => Some(text.clone()),
        Secret::Variable(name) => std::env::var(name).ok(),
        Secret::Command(argv) => {
            let (program, arguments) =
                argv.split_first().ok_or_else(|| Failed::lasting("the command is empty"))?;
            let line = first_line(program, arguments, LIMIT)
                .map_err(|why| Failed::lasting(format!("{program} gave no secret: it {why}")))?;
            Some(line.expose_secret().to_owned())
        }
    };
    match found.map(|found| found.trim().to_owned()).filter(|found| !found.is_empty()) {
        Some(found) => Ok(found.into()),
        None => Err(Failed::lasting(format!("{} says nothing", secret.place()))),
    }
}

fn post(
    url: &SecretString,
    token: Option<&SecretString>,
    ca: Option<&Path>,
    body: &str,
    id: &str,
) -> Result<(), Failed> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(trusted(ca)?)))
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .max_redirects(0)
        .tls_config(tls)
        .user_agent(concat!("steadyhand/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut request = agent
        .post(url.expose_secret())
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", id);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {}", token.expose_secret()));
    }
    match request.send(body) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(Failed::lasting(format!("it answered {}", answer.status().as_u16()))),
        Err(ureq::Error::StatusCode(code)) => {
            let why = format!("it answered {code}");
            // Too many, not yet, not now: later may be better.
            let passes = code >= 500 || code == 408 || code == 429;
            let failed = if passes { Failed::now(why) } else { Failed::lasting(why) };
            // What is said of whoever asks, of the address, or of the hour is said of every message.
            let of_all = matches!(code, 401 | 403..=405 | 407 | 408 | 410 | 429 | 502..=504);
            Err(if of_all { failed } else { failed.answered() })
        }
        Err(ureq::Error::Io(error)) => Err(Failed::now(format!("it cannot be reached: {error}"))),
        Err(ureq::Error::Timeout(_)) => Err(Failed::now("it did not answer in time")),
        Err(ureq::Error::HostNotFound) => Err(Failed::now("its host is not known")),
        Err(ureq::Error::ConnectionFailed) => Err(Failed::now("it cannot be reached")),
        Err(ureq::Error::Rustls(error)) => {
            Err(Failed::now(format!("its certificate was not accepted: {error}")))
        }
        // The rest may repeat the address.
        Err(_) => Err(Failed::lasting("its address cannot be used")),
    }
}

fn trusted(ca: Option<&Path>) -> Result<Vec<Certificate<'static>>, Failed> {
    let Some(path) = ca else {
        let found = rustls_native_certs::load_native_certs();
        return Ok(found.certs.iter().map(|one| Certificate::from_der(one).to_owned()).collect());
    };
    let bytes = read(path)?;
    let parsed =
        ureq::tls::parse_pem(&bytes).filter_map(Result::ok).filter_map(|item| match item {
            ureq::tls::PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        });
    Ok(parsed.collect())
}

fn read(path: &Path) -> Result<Vec<u8>, Failed> {
    std::fs::read(path).map_err(|error| Failed::lasting(format!("{}: {error}", path.display())))
}

fn mail(email: &Email, message: &Message) -> Result<(), Failed> {
    let address = |text: &str| {
        text.parse::<Mailbox>()
            .map_err(|error| Failed::lasting(format!("{text} is no mail address: {error}")))
    };
    let from = address(&email.from)?;
    let mut built = lettre::Message::builder()
        .from(from.clone())
        .subject(message.subject.clone())
        .message_id(Some(format!("<{}@steadyhand>", message.id)));
    for to in &email.to {
        built = built.to(address(to)?);
    }
    // Nobody's holiday answers it.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let mail = built
        .raw_header(HeaderValue::new(automatic, "auto-generated".into()))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(message.text.clone())
        .map_err(|error| Failed::lasting(error.to_string()))?
        .formatted();
    let mut transport = SmtpTransport::builder_dangerous(&email.host)
        .port(email.port)
        .timeout(Some(LIMIT))
        .tls(tls(email)?);
    if let (Some(user), Some(password)) = (&email.user, &email.password) {
        let password = reveal(password)?.expose_secret().to_owned();
        transport = transport.credentials(Credentials::new(user.clone(), password));
    }
    let transport = transport.build();
    let send = |to: &[String]| {
        let addresses = to.iter().map(|to| address(to).map(|to| to.email));
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        let envelope = Envelope::new(Some(from.email.clone()), addresses)
            .map_err(|error| Failed::lasting(error.to_string()))?;
        transport.send_raw(&envelope, &mail).map(drop).map_err(|error| refused(&error))
    };
    let to = if message.left.is_empty() { &email.to } else { &message.left };
    match send(to) {
        // A server that refuses one takes it for nobody: the others get it each by themselves.
        Err(failed) if failed.others_may && to.len() > 1 => {
            let tried = to.iter().map(|one| (one, send(std::slice::from_ref(one))));
            let mut failures = tried.filter_map(|(one, sent)| Some((one, sent.err()?)));
            let Some((first, mut failed)) = failures.next() else { return Ok(()) };
            failed.left.push(first.clone());
            for (one, other) in failures {
                failed.left.push(one.clone());
                failed.lasts &= other.lasts;
            }
            if failed.left.len() < to.len() {
                failed.why = format!("not for {}: {}", failed.left.join(", "), failed.why);
            }
            Err(failed)
        }
        sent => sent,
    }
}

fn refused(error: &lettre::transport::smtp::Error) -> Failed {
    let why = format!("the mail server: {error}");
    let failed = if error.is_permanent() { Failed::lasting(why) } else { Failed::now(why) };
    // Not now, and not whoever logs in: all messages.
    let code = error.status().map(u16::from);
    if code.is_some_and(|code| code != 421 && code != 454 && code / 10 != 53) {
        failed.answered()
    } else {
        failed
    }
}

fn tls(email: &Email) -> Result<Tls, Failed> {
    let parameters = || {
        let mut built = TlsParameters::builder(email.host.clone());
        if let Some(ca) = &email.ca {
            let certificate = MailCertificate::from_pem(&read(ca)?)
                .map_err(|error| Failed::lasting(format!("{}: {error}", ca.display())))?;
            built = built.add_root_certificate(certificate);
        }
        built.build_rustls().map_err(|error| Failed::lasting(error.to_string()))
    };
    Ok(match email.tls {
        MailTls::Tls => Tls::Wrapper(parameters()?),
        MailTls::Starttls => Tls::Required(parameters()?),
        MailTls::None => Tls::None,
    })
}

fn command(argv: &[String], input: &str) -> Result<(), Failed> {
    let (program, arguments) =
        argv.split_first().ok_or_else(|| Failed::lasting("the command is empty"))?;
    let failed = |error: std::io::Error| Failed::lasting(format!("{program}: {error}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let pipe = child.stdin.take();
    let text = input.to_owned();
    // A command that does not read must not hold us; one that does not want to read is its own
    // business. Its exit code is what counts.
    std::thread::spawn(move || pipe.map(|mut pipe| pipe.write_all(text.as_bytes())));
    match ended(&mut child, LIMIT).map_err(failed)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Failed::now(format!("{program} ended with {status}")).answered()),
        None => Err(Failed::now(format!("{program} did not end in time"))),
    }
}
