//! A pooler as bastions have it before PostgreSQL: it lends a connection of the server to each
//! transaction anew. It speaks just as much of the protocol as that takes.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Which of the free connections is lent next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lends {
    /// The one that came back last, so that one who is alone keeps what it had.
    Last,
    /// The one that is free for longest.
    InTurn,
}

pub struct Pooler {
    pub port: u16,
}

struct Pool {
    free: Mutex<VecDeque<UnixStream>>,
    back: Condvar,
    lends: Lends,
    /// What a server says of itself when somebody connects.
    greeting: Vec<u8>,
}

impl Pooler {
    /// So many connections to this database, for everybody who comes.
    pub fn before(socket: &Path, user: &str, database: &str, size: usize, lends: Lends) -> Self {
        let mut greeting = Vec::new();
        let open = || {
            let mut server = UnixStream::connect(socket).expect("the server answers");
            let mut body = 196_608_i32.to_be_bytes().to_vec();
            for part in ["user", user, "database", database, ""] {
                body.extend_from_slice(part.as_bytes());
                body.push(0);
            }
            let length = i32::try_from(body.len() + 4).expect("it is short");
            server.write_all(&[&length.to_be_bytes()[..], &body].concat()).expect("it listens");
            greeting = until_ready(&mut server).expect("it lets us in").0;
            server
        };
        let free = std::iter::repeat_with(open).take(size).collect();
        let pool = Pool { free: Mutex::new(free), back: Condvar::new(), lends, greeting };
        let pool = Arc::new(pool);
        let listener = TcpListener::bind("127.0.0.1:0").expect("127.0.0.1 has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let pool = Arc::clone(&pool);
                thread::spawn(move || {
                    let _ = pool.serve(client);
                });
            }
        });
        Self { port }
    }
}

impl Pool {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        loop {
            let mut length = [0; 4];
            client.read_exact(&mut length)?;
            let body = rest(&mut client, length)?;
            // A wish for TLS is declined; then the one who comes says who it is.
            if body.starts_with(&80_877_103_i32.to_be_bytes()) {
                client.write_all(b"N")?;
            } else {
                break;
            }
        }
        client.write_all(&self.greeting)?;
        let mut held = None;
        loop {
            let mut kind = [0];
            let ended = client.read_exact(&mut kind).is_err() || kind == *b"X";
            if ended {
                if let Some(mut server) = held {
                    // What was left open is taken back before somebody else gets it.
                    UnixStream::write_all(&mut server, b"Q\0\0\0\x0dROLLBACK\0")?;
                    until_ready(&mut server)?;
                    self.give_back(server);
                }
                return Ok(());
            }
            let mut length = [0; 4];
            client.read_exact(&mut length)?;
            let body = rest(&mut client, length)?;
            let mut server = held.take().unwrap_or_else(|| self.lend());
            server.write_all(&[&kind[..], &length, &body].concat())?;
            if kind != *b"Q" && kind != *b"S" {
                held = Some(server);
                continue;
            }
            let (answer, status) = until_ready(&mut server)?;
            if status == b'I' {
                self.give_back(server);
            } else {
                held = Some(server);
            }
            client.write_all(&answer)?;
        }
    }

    fn lend(&self) -> UnixStream {
        let free = self.free.lock().expect("no thread of the pooler has panicked");
        let mut free = self
            .back
            .wait_while(free, |free| free.is_empty())
            .expect("no thread of the pooler has panicked");
        let next = match self.lends {
            Lends::Last => free.pop_back(),
            Lends::InTurn => free.pop_front(),
        };
        next.expect("one is free")
    }

    fn give_back(&self, server: UnixStream) {
        self.free.lock().expect("no thread of the pooler has panicked").push_back(server);
        self.back.notify_one();
    }
}

fn rest(from: &mut impl Read, length: [u8; 4]) -> io::Result<Vec<u8>> {
    let length = usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?;
    let mut body = vec![0; length.saturating_sub(4)];
    from.read_exact(&mut body)?;
    Ok(body)
}

/// Everything the server says until it is ready for more, and in which state it then is.
fn until_ready(server: &mut UnixStream) -> io::Result<(Vec<u8>, u8)> {
    let mut said = Vec::new();
    loop {
        let (mut kind, mut length) = ([0], [0; 4]);
        server.read_exact(&mut kind)?;
        server.read_exact(&mut length)?;
        let body = rest(server, length)?;
        said.extend([&kind[..], &length, &body].concat());
        if kind == *b"Z" {
            return Ok((said, body[0]));
        }
    }
}
