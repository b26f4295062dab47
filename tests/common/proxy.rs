//! A wire between a program and its server that can be cut.
//!
//! Listens on 127.0.0.1 and passes bytes on, until the one fault it was given happens. It knows no
//! protocol and sees through no TLS: a pattern is looked for in what the program sends, as it is.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for the fault to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// The other end of the wire.
#[derive(Debug, Clone)]
pub enum Upstream {
    Unix(PathBuf),
    Tcp(u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Both sides are cut as soon as this many bytes went to the server.
    CutAfter(usize),
    /// Both sides are cut when the program sends these bytes.
    CutAt(Vec<u8>, Moment),
    /// When the program sends these bytes, nothing passes any more; both sides stay open.
    StallAt(Vec<u8>, Moment),
    /// The so-and-so-many-th message of the program from now, counted from 0 over all connections,
    /// waits on its way until [`Proxy::release`].
    HoldNth(usize, Moment),
    /// The same for the message that holds these bytes.
    HoldAt(Vec<u8>, Moment),
}

/// How far the bytes come that a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// What holds them never leaves for the server.
    Held,
    /// Only so many bytes, from the first of them on, leave for the server.
    Part(usize),
    /// The server has them; its answer finds nobody.
    Sent,
    /// The server has answered; the answer does not arrive.
    Answered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Open,
    /// The fault waits for the server's answer.
    Answering,
    Stalled,
    Cut,
}

/// How far it is with the fault that was armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Awaited,
    Happened,
    /// What is held may go on.
    Released,
}

struct State {
    fault: Option<Fault>,
    delay: Duration,
    refuse: bool,
    course: Course,
    links: Vec<Arc<Link>>,
    upstream: Upstream,
    /// Messages of the program since the fault was armed.
    sent: usize,
    done: bool,
}

struct Link {
    client: TcpStream,
    server: Peer,
    wire: Mutex<Wire>,
}

enum Peer {
    Unix(UnixStream),
    Tcp(TcpStream),
}

pub struct Proxy {
    port: u16,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Proxy {
    /// Passes everything on, until it is told something else.
    pub fn before(upstream: Upstream) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("127.0.0.1 has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = State {
            fault: None,
            delay: Duration::ZERO,
            refuse: false,
            course: Course::Awaited,
            links: Vec::new(),
            upstream,
            sent: 0,
            done: false,
        };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = lock(&accepting);
                if state.done {
                    return;
                }
                // Dropped at once: the program sees a server that closes the door.
                if state.refuse {
                    continue;
                }
                let upstream = state.upstream.clone();
                drop(state);
                let Ok(server) = upstream.connect() else { continue };
                link(client, server, &accepting);
            }
        });
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Arms the fault for the connections that are open and those to come; it happens once.
    pub fn arm(&self, fault: Fault) {
        let mut state = lock(&self.shared);
        state.course = Course::Awaited;
        state.sent = 0;
        state.fault = Some(fault);
    }

    /// What is held goes on its way, unless its connection is cut or stalled by now. What an armed
    /// fault still waits for does not happen any more.
    pub fn release(&self) {
        let mut state = lock(&self.shared);
        state.course = Course::Released;
        state.fault = None;
        self.shared.1.notify_all();
    }

    /// How many messages the program has sent since a fault was armed.
    pub fn sent(&self) -> usize {
        lock(&self.shared).sent
    }

    /// Whether the armed fault has happened.
    pub fn has_happened(&self) -> bool {
        lock(&self.shared).course != Course::Awaited
    }

    /// New connections lead to another server; those that are open stay.
    pub fn lead_to(&self, upstream: Upstream) {
        lock(&self.shared).upstream = upstream;
    }

    /// Another server answers from now on, and the one before is not heard any more.
    pub fn redirect(&self, upstream: Upstream) {
        self.lead_to(upstream);
        self.cut();
    }

    /// Nothing passes any more on the connections that are open; both sides stay.
    pub fn stall(&self) {
        for link in &lock(&self.shared).links {
            if !link.is(Wire::Cut) {
                link.set(Wire::Stalled);
            }
        }
    }

    /// Everything from the server comes this much later.
    pub fn delay(&self, by: Duration) {
        lock(&self.shared).delay = by;
    }

    /// Whether new connections are closed as soon as they come.
    pub fn refuse(&self, refuse: bool) {
        lock(&self.shared).refuse = refuse;
    }

    /// Cuts every connection now.
    pub fn cut(&self) {
        for link in &lock(&self.shared).links {
            link.cut();
        }
    }

    /// Waits until the armed fault has happened.
    pub fn wait(&self) {
        let (_, told) = &*self.shared;
        let state = lock(&self.shared);
        let waited =
            told.wait_timeout_while(state, PATIENCE, |state| state.course == Course::Awaited);
        let (state, timeout) = waited.expect("no thread of the proxy has panicked");
        assert!(!timeout.timed_out(), "the wire was not cut: {:?} is still to come", state.fault);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        lock(&self.shared).done = true;
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn lock(shared: &Arc<(Mutex<State>, Condvar)>) -> MutexGuard<'_, State> {
    shared.0.lock().expect("no thread of the proxy has panicked")
}

/// Starts the two directions of one connection.
fn link(client: TcpStream, server: Peer, shared: &Arc<(Mutex<State>, Condvar)>) {
    let _ = client.set_nodelay(true);
    let link = Arc::new(Link { client, server, wire: Mutex::new(Wire::Open) });
    {
        let links = &mut lock(shared).links;
        // What was cut holds two sockets for as long as it is remembered.
        links.retain(|link| !link.is(Wire::Cut));
        links.push(Arc::clone(&link));
    }
    let (up, shared_up) = (Arc::clone(&link), Arc::clone(shared));
    thread::spawn(move || {
        let _ = to_server(&up, &shared_up);
        up.cut();
    });
    let shared_down = Arc::clone(shared);
    thread::spawn(move || {
        let _ = to_client(&link, &shared_down);
        link.cut();
    });
}

fn to_server(link: &Link, shared: &Arc<(Mutex<State>, Condvar)>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut passed = 0;
    // The end of what went before, because a pattern may come in two pieces.
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let length = (&link.client).read(&mut buffer)?;
        if length == 0 {
            link.keep_quiet();
            return Ok(());
        }
        let chunk = &buffer[..length];
        if link.is(Wire::Stalled) {
            continue;
        }
        let (fault, sent) = {
            let mut state = lock(shared);
            state.sent += 1;
            (state.fault.clone(), state.sent - 1)
        };
        let Some((fault, leaves, moment)) =
            fault.and_then(|fault| due(fault, chunk, &tail, passed, sent))
        else {
            link.server.write_all(chunk)?;
            passed += length;
            tail.extend_from_slice(chunk);
            tail.drain(..tail.len().saturating_sub(256));
            continue;
        };
        let stalls = matches!(fault, Fault::StallAt(..));
        let holds = matches!(fault, Fault::HoldNth(..) | Fault::HoldAt(..));
        if moment == Moment::Answered {
            link.set(Wire::Answering);
        } else if stalls {
            link.set(Wire::Stalled);
        }
        link.server.write_all(&chunk[..leaves])?;
        if moment == Moment::Answered {
            // The other direction goes on from here; the fault stays armed for it.
            continue;
        }
        if holds {
            happened(shared);
            link.wait_for_release(shared);
            if !link.is(Wire::Stalled) {
                link.server.write_all(&chunk[leaves..])?;
            }
            continue;
        }
        if !stalls {
            link.cut();
        }
        happened(shared);
    }
}

/// The fault if this chunk brings it about, how much of the chunk still leaves, and the moment.
fn due(
    fault: Fault,
    chunk: &[u8],
    tail: &[u8],
    passed: usize,
    sent: usize,
) -> Option<(Fault, usize, Moment)> {
    match &fault {
        Fault::HoldNth(number, moment) => {
            let leaves = match moment {
                Moment::Held => 0,
                Moment::Part(bytes) => (*bytes).min(chunk.len()),
                Moment::Sent | Moment::Answered => chunk.len(),
            };
            (sent == *number).then(|| (fault.clone(), leaves, *moment))
        }
        Fault::CutAfter(bytes) => {
            let leaves = bytes.saturating_sub(passed);
            (leaves <= chunk.len()).then(|| (fault.clone(), leaves, Moment::Sent))
        }
        Fault::CutAt(pattern, moment)
        | Fault::StallAt(pattern, moment)
        | Fault::HoldAt(pattern, moment) => {
            let overlap = tail.len().min(pattern.len().saturating_sub(1));
            let seen = [&tail[tail.len() - overlap..], chunk].concat();
            let at = seen.windows(pattern.len()).position(|window| window == pattern)?;
            let begins = at.saturating_sub(overlap);
            let leaves = match moment {
                Moment::Held => 0,
                Moment::Part(bytes) => (begins + bytes).min(chunk.len()),
                Moment::Sent | Moment::Answered => chunk.len(),
            };
            Some((fault.clone(), leaves, *moment))
        }
    }
}

fn to_client(link: &Link, shared: &Arc<(Mutex<State>, Condvar)>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = link.server.read(&mut buffer)?;
        if length == 0 {
            link.keep_quiet();
            return Ok(());
        }
        if link.is(Wire::Stalled) {
            continue;
        }
        if link.is(Wire::Answering) {
            let fault = lock(shared).fault.clone();
            match fault {
                Some(Fault::HoldNth(..) | Fault::HoldAt(..)) => {
                    link.set(Wire::Open);
                    happened(shared);
                    link.wait_for_release(shared);
                    if link.is(Wire::Stalled) {
                        continue;
                    }
                }
                Some(Fault::StallAt(..)) => {
                    link.set(Wire::Stalled);
                    happened(shared);
                    continue;
                }
                Some(_) => {
                    link.cut();
                    happened(shared);
                    continue;
                }
                // Released before there was an answer.
                None => link.set(Wire::Open),
            }
        }
        let delay = lock(shared).delay;
        if !delay.is_zero() {
            pause(delay);
        }
        (&link.client).write_all(&buffer[..length])?;
    }
}

fn happened(shared: &Arc<(Mutex<State>, Condvar)>) {
    let mut state = lock(shared);
    state.fault = None;
    state.course = Course::Happened;
    shared.1.notify_all();
}

fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        thread::park_timeout(left);
    }
}

impl Link {
    fn is(&self, wire: Wire) -> bool {
        *self.wire.lock().expect("no thread of the proxy has panicked") == wire
    }

    fn set(&self, wire: Wire) {
        *self.wire.lock().expect("no thread of the proxy has panicked") = wire;
    }

    /// On a stalled wire not even the end of one side reaches the other, until it is cut.
    fn keep_quiet(&self) {
        while self.is(Wire::Stalled) {
            pause(Duration::from_millis(20));
        }
    }

    fn wait_for_release(&self, shared: &Arc<(Mutex<State>, Condvar)>) {
        while lock(shared).course != Course::Released && !self.is(Wire::Cut) {
            pause(Duration::from_millis(2));
        }
    }

    /// Closes both sides. What was written before still arrives.
    fn cut(&self) {
        self.set(Wire::Cut);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = match &self.server {
            Peer::Unix(stream) => stream.shutdown(Shutdown::Both),
            Peer::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Upstream {
    fn connect(&self) -> io::Result<Peer> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).map(Peer::Unix),
            Self::Tcp(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port))?;
                stream.set_nodelay(true)?;
                Ok(Peer::Tcp(stream))
            }
        }
    }
}

impl Peer {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => (&*stream).read(buffer),
            Self::Tcp(stream) => (&*stream).read(buffer),
        }
    }

    fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => (&*stream).write_all(bytes),
            Self::Tcp(stream) => (&*stream).write_all(bytes),
        }
    }
}
