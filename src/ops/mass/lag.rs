//! How far the replicas of a target are behind.

use std::time::{Duration, Instant};

use crate::dialect::Dialect;
use crate::ops::pressure::Monitor;
use crate::ops::recover::Job;

/// Asked once a second at most.
#[derive(Debug)]
pub struct Lag {
    monitor: Option<Monitor>,
    most: Duration,
    asked: Option<Instant>,
    why: Option<String>,
}

impl Lag {
    pub const EVERY: Duration = Duration::from_secs(1);

    pub fn of(job: &Job) -> Self {
        let server = job.target.url.dialect != Dialect::Sqlite;
        let monitor = server.then(|| Monitor::new(job.target.clone()));
        Self { monitor, most: job.target.max_lag, asked: None, why: None }
    }

    /// Why it is to wait, if so. What cannot be seen holds up nobody.
    pub async fn look(&mut self) -> Option<String> {
        let monitor = self.monitor.as_mut()?;
        if self.asked.is_some_and(|asked| asked.elapsed() < Self::EVERY) {
            return self.why.clone();
        }
        self.asked = Some(Instant::now());
        let pressure = monitor.look().await.ok()?;
        let behind = pressure.replicas.iter().filter(|lag| lag.behind > Some(self.most));
        let words = behind.map(|lag| {
            let behind = lag.behind.unwrap_or_default().as_secs_f64();
            let most = self.most.as_secs_f64();
            format!("replica {} is {behind:.1} s behind, and {most:.1} s are allowed", lag.replica)
        });
        self.why = words.reduce(|all, one| format!("{all}; {one}"));
        self.why.clone()
    }
}
