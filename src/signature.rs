//! Signatures of `ssh-keygen -Y`: made with the key that a person has anyway, checked against the
//! list of signers that git uses too.
//!
//! A signature is for one purpose, and one made for another is none. What was found good is a
//! [`Verified`], which only `verify` makes. Knows nothing of what is signed.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::digest::sha256;
use crate::value::visible;

/// More than any signature is long.
pub const LONGEST: usize = 64 << 10;

/// What is signed, as the namespace of the signature says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The list of digests of a bundle.
    Bundle,
    /// A request, by the second person, before it is done.
    Approval,
    /// A request, by somebody who looked at it after it was done.
    Review,
}

impl Purpose {
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Bundle => "steadyhand",
            Self::Approval => "steadyhand-approval",
            Self::Review => "steadyhand-review",
        }
    }
}

/// A signature that `ssh-keygen` found good for these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    purpose: Purpose,
    sha256: String,
    signers: Vec<String>,
    key: String,
    said: String,
    signature: String,
    list: PathBuf,
}

impl Verified {
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The digest of what was signed.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Everybody to whom the list of signers gives this key; never nobody.
    pub fn signers(&self) -> &[String] {
        &self.signers
    }

    /// The key's own fingerprint.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same question once more: the list may be another one by now.
    pub fn again(&self, bytes: &[u8]) -> Result<Self, Unproved> {
        verify(self.purpose, bytes, &self.signature, &self.list, None)
    }

    /// The words of `ssh-keygen`.
    pub fn said(&self) -> &str {
        &self.said
    }
}

/// Why a signature proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    #[error("the key that signed it is not among those of {0}")]
    Stranger(String),
    #[error("the signature does not fit")]
    Misfit,
    #[error("the signature of {who} does not fit: {why}")]
    MisfitOf { who: String, why: String },
    /// The list has the key, and not for this.
    #[error("the line of {list} that has the key does not hold: {why}")]
    NotHeld { list: String, why: String },
    #[error("it is no signature of ssh-keygen")]
    NoSignature,
    /// Nothing was found out.
    #[error("{0}")]
    Unchecked(String),
}

/// Signs with a private key, or with a public one whose private half an agent holds. A key with a
/// passphrase asks for it on the terminal.
pub fn sign(key: &Path, purpose: Purpose, bytes: &[u8]) -> Result<String, String> {
    let mut keygen = keygen("sign", purpose);
    keygen.arg("-q").arg("-f").arg(key);
    let ran = fed(&mut keygen, bytes).map_err(|error| format!("ssh-keygen: {error}"))?;
    if !ran.status.success() {
        return Err(last_line(&ran.stderr));
    }
    String::from_utf8(ran.stdout).map_err(|_| "ssh-keygen gave no text".into())
}

/// Whose signature this is, by the list of signers: everybody to whom any line of it gives the key. Lines
/// and certificates that run out are held against the moment of signing, if that is named.
pub fn verify(
    purpose: Purpose,
    bytes: &[u8],
    signature: &str,
    signers: &Path,
    at: Option<Timestamp>,
) -> Result<Verified, Unproved> {
    // Without a zone it is read in that of this host, as the times of the list are.
    let at = at.map(|at| at.to_zoned(TimeZone::system()).strftime("%Y%m%d%H%M%S").to_string());
    let at = at.map(|at| format!("-Overify-time={at}"));
    let listed = fs::metadata(signers).and_then(|found| {
        if found.is_file() { fs::read(signers) } else { Err(io::Error::other("it is no file")) }
    });
    let listed =
        listed.map_err(|error| Unproved::Unchecked(format!("{}: {error}", signers.display())))?;
    let signed = armored(signature).ok_or(Unproved::NoSignature)?;
    let by = key_of(&signed).ok_or(Unproved::NoSignature)?;
    let file = laid_down(signed.as_bytes())?;
    // `ssh-keygen` stops at the first line that fits, and the same key may have another name below:
    // it is asked about each line by itself.
    let (mut all, mut said) = (Vec::new(), None);
    let (mut not_held, mut misfit) = (None, None);
    for line in listed.split(|byte| *byte == b'\n').filter(|line| may_name(line, &by)) {
        let has_key = String::from_utf8_lossy(line).contains(&by);
        let line = laid_down(line)?;
        let asked = |what, more: &[&str]| {
            let mut keygen = keygen(what, purpose);
            keygen.arg("-s").arg(file.path()).arg("-f").arg(line.path()).args(more).args(&at);
            fed(&mut keygen, bytes).map_err(unrun)
        };
        let found = asked("find-principals", &[])?;
        let named = String::from_utf8_lossy(&found.stdout).into_owned();
        let named = named.lines().flat_map(|line| line.split(',')).map(harmless);
        let named: Vec<String> = named.filter(|one| !one.is_empty()).collect();
        let Some(first) = named.first().filter(|_| found.status.success()) else {
            not_held = not_held.or_else(|| has_key.then(|| reason(&found.stderr)));
            continue;
        };
        if named.iter().any(|one| one.contains(['*', '?', '!'])) {
            return Err(Unproved::Unchecked(format!(
                "{} gives the key to '{first}', which is nobody in particular",
                signers.display()
            )));
        }
        // A line may be for other purposes; the name that it gives counts all the same.
        if said.is_none() {
            let ran = asked("verify", &["-I", first])?;
            said = ran.status.success().then(|| first_line(&ran.stdout));
            misfit = misfit.or_else(|| Some(reason(&ran.stderr)));
        }
        for one in named {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    let list = signers.display().to_string();
    let Some(first) = all.first() else {
        return Err(match not_held.filter(|why| !why.is_empty()) {
            Some(why) => Unproved::NotHeld { list, why },
            None => Unproved::Stranger(list),
        });
    };
    let misfit = || Unproved::MisfitOf { who: first.clone(), why: misfit.unwrap_or_default() };
    let said = said.ok_or_else(misfit)?;
    let key = said.rsplit(' ').next().unwrap_or_default().to_owned();
    let (signature, list) = (signature.to_owned(), signers.to_owned());
    Ok(Verified { purpose, sha256: sha256(bytes), signers: all, key, said, signature, list })
}

/// The key that a signature says it is of, as a list of signers writes it.
fn key_of(signature: &str) -> Option<String> {
    let body: String = signature.lines().filter(|line| !line.starts_with('-')).collect();
    let body = STANDARD.decode(body).ok()?;
    // A name and a version of four bytes, then the key behind its length.
    let (length, rest) = body.strip_prefix(b"SSHSIG")?.get(4..)?.split_first_chunk::<4>()?;
    let key = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some(STANDARD.encode(key))
}

/// Whether a line of the list may be about this key: it holds it, or an authority whose certificate
/// it may be. Of a list of hundreds that leaves few to ask about.
fn may_name(line: &[u8], key: &str) -> bool {
    let line = String::from_utf8_lossy(line);
    line.contains(key) || line.to_ascii_lowercase().contains("cert-authority")
}

/// Whether the signature fits at all; whose it is is not asked. Gives the words of `ssh-keygen`.
pub fn fits(purpose: Purpose, bytes: &[u8], signature: &str) -> Result<String, Unproved> {
    let file = laid_down(armored(signature).ok_or(Unproved::NoSignature)?.as_bytes())?;
    let mut check = keygen("check-novalidate", purpose);
    check.arg("-s").arg(file.path());
    let ran = fed(&mut check, bytes).map_err(unrun)?;
    if ran.status.success() { Ok(first_line(&ran.stdout)) } else { Err(Unproved::Misfit) }
}

/// A signature as it is on disk, from one that went through a chat or over one line of a terminal.
pub fn armored(text: &str) -> Option<String> {
    const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
    const END: &str = "-----END SSH SIGNATURE-----";
    const WIDTH: usize = 70;
    if text.len() > LONGEST {
        return None;
    }
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let body: String = body.split_whitespace().collect();
    let is_code = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    if body.is_empty() || !body.chars().all(is_code) {
        return None;
    }
    let lines: Vec<&str> =
        (0..body.len()).step_by(WIDTH).map(|at| &body[at..(at + WIDTH).min(body.len())]).collect();
    Some(format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")))
}

fn keygen(what: &str, purpose: Purpose) -> Command {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", what, "-n", purpose.namespace()]);
    command
}

/// `ssh-keygen` reads signatures and lists from files only.
fn laid_down(bytes: &[u8]) -> Result<tempfile::NamedTempFile, Unproved> {
    let written = tempfile::NamedTempFile::new().and_then(|mut file| {
        file.write_all(bytes)?;
        Ok(file)
    });
    written.map_err(|error| Unproved::Unchecked(format!("a temporary file: {error}")))
}

fn fed(command: &mut Command, bytes: &[u8]) -> io::Result<Output> {
    // What comes from a file can neither stop halfway nor be held up.
    let mut input = tempfile::tempfile()?;
    input.write_all(bytes)?;
    io::Seek::rewind(&mut input)?;
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).output()
}

fn unrun(error: io::Error) -> Unproved {
    Unproved::Unchecked(format!("ssh-keygen cannot be run: {error}"))
}

fn harmless(text: &str) -> String {
    visible::text(text.trim()).into_owned()
}

fn first_line(bytes: &[u8]) -> String {
    harmless(String::from_utf8_lossy(bytes).lines().next().unwrap_or_default())
}

/// What it has against a line of the list stands first, behind the name of our copy of that line.
fn reason(stderr: &[u8]) -> String {
    let line = first_line(stderr);
    line.split_once(":1: ").map(|(_, why)| why.to_owned()).unwrap_or(line)
}

/// Of several lines `ssh-keygen` says last why it ends; before it stand warnings and what it asked for.
fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    harmless(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::armored;

    #[test]
    fn a_signature_is_read_whatever_a_chat_made_of_its_lines() {
        let body = "U1NIU0lH".repeat(20);
        let file = armored(&format!(
            "so be it:\n-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----"
        ))
        .expect("a signature");
        assert!(file.lines().all(|line| line.len() <= 70) && file.ends_with("-----\n"));
        assert_eq!(armored(&file.replace('\n', " ")).as_ref(), Some(&file));
        assert_eq!(armored(&file.replace('\n', "\r\n  ")).as_ref(), Some(&file));
        for other in ["", "yes", &file.replace("U1", "\u{1b}"), &file.replace("END", "end")] {
            assert_eq!(armored(other), None, "{other}");
        }
    }
}
