//! An authority that vouches for one server and is thrown away with it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

pub const CERTIFICATE: &str = "server.crt";
pub const KEY: &str = "server.key";
const CA: &str = "ca.crt";

/// Writes the certificate and key of a server with these names into a folder, and the certificate of
/// the authority; gives the path of the latter.
pub fn certify(names: &[String], folder: &Path) -> PathBuf {
    let (issuer, ca) = authority();
    let key = KeyPair::generate().expect("a key can be made");
    let params = CertificateParams::new(names.to_vec()).expect("the names can be in a certificate");
    let certificate = params.signed_by(&key, &issuer).expect("an authority can sign");
    let write = |name: &str, text: &str, mode| {
        let path = folder.join(name);
        fs::write(&path, text).expect("the folder is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
        path
    };
    write(CERTIFICATE, &certificate.pem(), 0o644);
    // A server refuses a key that others can read.
    write(KEY, &key.serialize_pem(), 0o600);
    write(CA, &ca, 0o644)
}

/// Writes the certificate of an authority that vouches for nobody.
pub fn stranger(folder: &Path) -> PathBuf {
    let path = folder.join("stranger.crt");
    fs::write(&path, authority().1).expect("the folder is writable");
    path
}

fn authority() -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no name is a fine list of names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "An authority for one test");
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.self_signed(&key).expect("an authority signs itself");
    (Issuer::new(params, key), certificate.pem())
}
