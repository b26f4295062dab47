//! Many checks on many targets: many targets at once, but never more connections to one server than
//! allowed, never more to all of them than a process has files for, and never longer than the budget.
//!
//! Where checks read a replica, each connection may have one more beside it, to the primary, for those about
//! the server itself. Every check gets a finding, whatever happens: a server that hangs, an end of the budget, a stop.
//! Each connection sees one snapshot; with one connection, which is the rule, so does the target.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::connect::READ_LOCK_WAIT;
use super::detect::{Eye, ask_next, sight, unreached};
use crate::check::{Cause, Check, Finding, Verdict};
use crate::clock;
use crate::config::Target;
use crate::config::access::{self, Access};
use crate::dialect::Dialect;
use crate::engine::{Called, Stopper};
use crate::source::duration_text;

/// How much longer than its own limit a check may take before the server counts as dead.
const SILENCE: Duration = Duration::from_secs(10);
/// What is left of a budget when nothing can be asked any more.
const LEAST: Duration = Duration::from_millis(10);
/// How long a stop or the end of the budget waits for what is under way to end in order.
const GRACE: Duration = Duration::from_secs(3);

/// Connections to all servers at a time. A process may often have no more than 256 files, and a thread
/// waits for each password command.
const AT_ONCE: usize = 64;

/// A target and what is asked of it.
#[derive(Debug, Clone)]
pub struct Job {
    pub target: Target,
    /// The same for many targets.
    pub checks: Vec<Arc<Check>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To one server at a time.
    pub connections: usize,
    pub budget: Duration,
    /// Rows of a finding that are kept.
    pub kept: usize,
}

/// What happened on the way; jobs and checks by their place.
#[derive(Debug)]
pub enum News {
    Reached {
        job: usize,
        dialect: Dialect,
        server: String,
        version: String,
    },
    /// With what may help.
    Unreached {
        job: usize,
        hint: String,
    },
    Found {
        job: usize,
        check: usize,
        finding: Box<Finding>,
        snapshot: Option<Timestamp>,
    },
}

/// A job while it is under way.
#[derive(Debug)]
struct Plan {
    number: usize,
    job: Job,
    /// The first check that nobody has taken.
    next: AtomicUsize,
}

impl Plan {
    fn take(&self) -> Option<usize> {
        let check = self.next.fetch_add(1, Ordering::Relaxed);
        (check < self.job.checks.len()).then_some(check)
    }

    fn is_empty(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.job.checks.len()
    }
}

/// Runs every job; `on` hears of each finding as it is made, and of every check exactly once.
pub async fn run(jobs: Vec<Job>, limits: Limits, stopper: &Stopper, mut on: impl FnMut(News)) {
    let deadline = Instant::now() + limits.budget;
    let mut open: Vec<Vec<bool>> = jobs.iter().map(|job| vec![true; job.checks.len()]).collect();
    let mut servers: HashMap<String, Arc<Semaphore>> = HashMap::new();
    let everywhere = Arc::new(Semaphore::new(AT_ONCE));
    let mut workers = JoinSet::new();
    let (news, mut heard) = unbounded_channel();
    for (number, job) in jobs.into_iter().enumerate() {
        let places = servers
            .entry(server(&job.target.for_checks()))
            .or_insert_with(|| Arc::new(Semaphore::new(limits.connections)));
        let hands = limits.connections.min(job.checks.len());
        let plan = Arc::new(Plan { number, job, next: AtomicUsize::new(0) });
        for hand in 0..hands {
            let (plan, places) = (Arc::clone(&plan), Arc::clone(places));
            let everywhere = Arc::clone(&everywhere);
            let (news, stopper) = (news.clone(), stopper.clone());
            workers.spawn(async move {
                let Ok(_place) = places.acquire_owned().await else { return };
                let Ok(_room) = everywhere.acquire_owned().await else { return };
                work(&plan, hand == 0, limits, deadline, &stopper, &news).await;
            });
        }
    }
    drop(news);
    let end = async {
        tokio::select! {
            () = stopper.stopped() => tokio::time::sleep(GRACE).await,
            () = tokio::time::sleep_until(deadline + GRACE) => {}
        }
    };
    tokio::pin!(end);
    loop {
        let one = tokio::select! {
            one = heard.recv() => one,
            () = &mut end => None,
        };
        let Some(one) = one else { break };
        if let News::Found { job, check, .. } = &one {
            open[*job][*check] = false;
        }
        on(one);
    }
    workers.abort_all();
    let finding = if stopper.is_stopped() {
        Finding { cause: Some(Cause::Operator), ..Finding::unseen("stopped by the operator") }
    } else {
        Finding::unseen(&spent(limits))
    };
    for (job, checks) in open.iter().enumerate() {
        for (check, _) in checks.iter().enumerate().filter(|(_, open)| **open) {
            on(News::Found { job, check, finding: Box::new(finding.clone()), snapshot: None });
        }
    }
}

/// What names the server of a target, for the bound on connections to it. Two urls without a host may
/// mean two sockets, so that it is asked where they lead; one that leads nowhere stands for itself.
fn server(target: &Target) -> String {
    let url = &target.url;
    if url.server.is_none() {
        let path = std::path::absolute(&url.path).unwrap_or_else(|_| url.path.clone());
        return path.display().to_string();
    }
    match access::explained(target) {
        Ok(Access { host, port, .. }) => format!("{host:?}:{port}"),
        Err(_) => target.name.clone(),
    }
}

fn spent(limits: Limits) -> String {
    format!("the budget of {} for the whole run was used up", duration_text(limits.budget))
}

/// One connection, which takes check after check until none is left.
async fn work(
    plan: &Plan,
    first: bool,
    limits: Limits,
    deadline: Instant,
    stopper: &Stopper,
    news: &UnboundedSender<News>,
) {
    // What nobody hears any more is not missed.
    let tell = |one: News| drop(news.send(one));
    let blind = |finding: &Finding| {
        while let Some(check) = plan.take() {
            tell(News::Found {
                job: plan.number,
                check,
                finding: Box::new(finding.clone()),
                snapshot: None,
            });
        }
    };
    if plan.is_empty() {
        return;
    }
    let target = &plan.job.target;
    let mut sight = match timeout_at(deadline, sight(target, stopper)).await {
        Ok(Ok((sight, Called { server, version }))) => {
            tell(News::Reached { job: plan.number, dialect: sight.dialect(), server, version });
            sight
        }
        // Another connection to the same server is at work and may go on alone.
        _ if !first => return,
        Ok(Err(problem)) => {
            if let Some(hint) = &problem.hint {
                tell(News::Unreached { job: plan.number, hint: hint.clone() });
            }
            return blind(&unreached(&problem));
        }
        Err(_) => return blind(&Finding::unseen(&spent(limits))),
    };
    let snapshot = clock::now();
    while let Some(check) = plan.take() {
        let asked = &plan.job.checks[check];
        let (finding, snapshot) = match timeout_at(deadline, sight.of(asked, stopper)).await {
            Ok(Ok(eye)) => (within(eye, asked, limits, deadline).await, Some(snapshot)),
            Ok(Err(finding)) => (Some(*finding), None),
            Err(_) => (Some(Finding::unseen(&spent(limits))), None),
        };
        let alive = finding.is_some();
        let finding = finding.unwrap_or_else(|| Finding::unseen("the server stopped answering"));
        let finding = Box::new(finding);
        tell(News::Found { job: plan.number, check, finding, snapshot });
        if !alive {
            return blind(&Finding::unseen("the server stopped answering at the check before"));
        }
    }
    // A server that does not say goodbye keeps nobody waiting.
    let _ = timeout(READ_LOCK_WAIT, sight.close()).await;
}

/// One check within its own limit and the budget; none if not even its limit brought an answer.
async fn within(
    eye: &mut Eye,
    check: &Check,
    limits: Limits,
    deadline: Instant,
) -> Option<Finding> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left < LEAST {
        return Some(Finding::unseen(&spent(limits)));
    }
    let is_cut = left < check.timeout;
    let check = Check { timeout: check.timeout.min(left), ..Check::clone(check) };
    let asking = ask_next(&mut eye.session, &check, limits.kept, &mut eye.known, None, None);
    let asked = timeout(check.timeout + SILENCE, asking).await;
    let mut finding = asked.ok()?;
    let used_up = is_cut && finding.seconds >= left.as_secs_f64() * 0.95;
    if let (true, Verdict::Inconclusive { reason }) = (used_up, &mut finding.verdict) {
        *reason = format!("{reason}; {}", spent(limits));
    }
    Some(finding)
}
