//! Ctrl-C and a polite end from outside, for commands that ask nobody anything: what is under way at a
//! server is ended there first.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ops::Stopper;
use crate::problem::{Kind, Problem};

#[derive(Debug)]
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub fn listen() -> Result<Self, Problem> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Problem::system(format!("cannot listen for interrupts: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Once to end in order, twice to leave at once.
    pub async fn over<T>(
        &mut self,
        work: impl Future<Output = T>,
        stopper: &Stopper,
    ) -> Result<T, Problem> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            if stopper.is_stopped() {
                return Err(stopped());
            }
            stopper.stop();
        }
    }

    /// For what needs no end in order, such as a question.
    pub async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Problem> {
        tokio::select! {
            done = work => Ok(done),
            _ = self.interrupt.recv() => Err(stopped()),
            _ = self.terminate.recv() => Err(stopped()),
        }
    }
}

fn stopped() -> Problem {
    Problem::new(Kind::Interrupted, "stopped by the operator")
}
