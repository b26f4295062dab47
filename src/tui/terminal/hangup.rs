//! Notices that the terminal is gone.
//!
//! crossterm's reader spins for ever when a terminal disappears without a signal (a killed `sshd`, a
//! closed tmux); `poll` without any event asked for sleeps until exactly that and costs nothing.

use std::os::fd::BorrowedFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Calls back once when standard input hangs up. The thread ends with the process.
pub fn watch(gone: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name("hang-up".into()).spawn(move || {
        if until_gone(rustix::stdio::stdin()) {
            gone();
        }
    })?;
    Ok(())
}

/// Whether standard input has hung up by now. Keys are not to be asked for then.
pub fn is_gone() -> bool {
    let input = rustix::stdio::stdin();
    let mut fds = [PollFd::from_borrowed_fd(input, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok_and(|_| fds[0].revents().intersects(GONE))
}

const GONE: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);

/// Sleeps until the other end is gone; false if that cannot be waited for.
fn until_gone(fd: BorrowedFd<'_>) -> bool {
    loop {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
        match poll(&mut fds, None) {
            Ok(_) if fds[0].revents().intersects(GONE) => return true,
            Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn input_is_no_hang_up_and_a_closed_end_is() {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(until_gone(near.as_fd())));
        far.write_all(b"keys").expect("written");
        assert!(told.recv_timeout(Duration::from_millis(50)).is_err());
        drop(far);
        assert_eq!(told.recv_timeout(Duration::from_secs(5)), Ok(true));
    }
}
