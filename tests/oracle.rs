//! A target on Oracle, as far as it goes without a server: what a build without it says, and what one
//! with it says of a listener that refuses, that never answers, or that is not there.

#![allow(clippy::unwrap_used)]

mod common;

use common::Home;

const TARGET: &str = r#"
[target.erp]
url = "oracle://ops@127.0.0.1:PORT/ERP"
environment = "staging"
password_command = ["echo", "hunter2"]
"#;

const CHECK: &str = r#"
id = "first"
title = "t"
rule = "r"
severity = "sev2"
key = ["id"]
owner = "o"
[sql]
any = "SELECT id FROM asset WHERE owner IS NULL"
"#;

/// What `steadyhand check` says of a target on this port, on both of its outputs.
fn said(port: u16) -> String {
    let home = Home::new();
    home.write("steadyhand.toml", &TARGET.replace("PORT", &port.to_string()));
    home.write("checks/own/first.toml", CHECK);
    let args = ["check", "--target", "erp", "--checks", "checks", "--check", "first"];
    let output = home.steadyhand(&args).output().unwrap();
    let (code, text) = (output.status.code(), [output.stdout, output.stderr].concat());
    let text = String::from_utf8(text).unwrap();
    // Inconclusive, and never clear.
    assert_eq!(code, Some(3), "{text}");
    assert!(!text.contains("hunter2"), "the password is shown: {text}");
    text
}

#[cfg(not(feature = "oracle"))]
#[test]
fn a_build_without_it_says_how_to_get_one() {
    let text = said(1521);
    assert!(text.contains("this build has no Oracle; build with --features oracle"), "{text}");
}

#[cfg(feature = "oracle")]
mod with_the_driver {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::said;

    /// A listener that answers every connection with this.
    fn listener(answer: Vec<u8>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for link in listener.incoming() {
                let mut link = link.unwrap();
                let mut asked = [0; 4096];
                let _ = link.read(&mut asked);
                let _ = link.write_all(&answer);
            }
        });
        port
    }

    /// A packet of Oracle's network protocol: length, checksum, kind, flags, checksum, content.
    fn packet(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 8).unwrap().to_be_bytes();
        [&length[..], &[0, 0, kind, 0, 0, 0], content].concat()
    }

    #[test]
    fn a_service_that_nobody_knows_is_named() {
        let reason = b"(DESCRIPTION=(ERR=12514)(VSNNUM=0))";
        let length = u16::try_from(reason.len()).unwrap().to_be_bytes();
        let port = listener(packet(4, &[&[0, 0][..], &length[..], &reason[..]].concat()));
        let text = said(port);
        assert!(text.contains("knows no service ERP"), "{text}");
        assert!(text.contains(&format!("ERP at 127.0.0.1:{port} as ops")), "{text}");
    }

    #[test]
    fn what_the_driver_cannot_do_ends_the_connection_and_not_the_program() {
        // It accepts, and asks for the encryption that the driver does not have.
        let mut accepted = vec![0; 40];
        accepted[..2].copy_from_slice(&319_u16.to_be_bytes());
        accepted[14] = 0x10;
        let text = said(listener(packet(2, &accepted)));
        assert!(text.contains("native network encryption"), "{text}");
    }

    #[test]
    fn nobody_there_is_said_so() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = said(port);
        assert!(text.to_lowercase().contains("refused"), "{text}");
    }
}
