//! What a run of checks is about: the targets and checks that were named, and faults for names that
//! nothing has.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::suite::{Asked, address};
use crate::catalogue::Catalogue;
use crate::check::Check;
use crate::config::{Config, Target};
use crate::problem::Problem;
use crate::source::{did_you_mean, quoted};

/// Checks that were not asked and not switched off either.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeftOut {
    /// They ask nothing on the engine of a target.
    pub elsewhere: usize,
    /// A target names its packs, and theirs is not among them.
    pub other_packs: usize,
}

pub fn targets(asked: &Asked, config: &Config) -> Result<Vec<Target>, Problem> {
    let all = asked.targets.is_empty() && asked.environments.is_empty();
    if all && config.targets.is_empty() {
        return Err(Problem::usage("there is no target to check").hint(
            "name one with --target (a configured name, a url or the path of an SQLite file), or put [target.NAME] into steadyhand.toml",
        ));
    }
    let mut found: Vec<Target> = Vec::new();
    let named = asked.targets.iter().map(|named| config.target(named));
    let inside = |target: &&Target| all || asked.environments.contains(&target.environment);
    for target in named.chain(config.targets.iter().filter(inside).cloned().map(Ok)) {
        let target = target?;
        if !found.iter().any(|other| address(other) == address(&target)) {
            found.push(target);
        }
    }
    if found.is_empty() {
        let words: Vec<&str> = asked.environments.iter().map(|one| one.word()).collect();
        return Err(Problem::usage(format!("no configured target is {}", words.join(" or "))));
    }
    Ok(found)
}

/// The checks of all suites and all names together; all there are if none was named.
pub(super) fn checks(asked: &Asked, catalogue: &Catalogue) -> Result<Vec<Arc<Check>>, Problem> {
    let ids: Vec<&str> = catalogue.checks.iter().map(|check| check.id.as_str()).collect();
    asked.checks.iter().try_for_each(|id| known(id, &ids, "check"))?;
    asked.suites.iter().try_for_each(|suite| known(suite, &catalogue.suites(), "suite"))?;
    in_packs(&asked.packs, catalogue)?;
    let all = asked.checks.is_empty() && asked.suites.is_empty();
    let of_pack = |check: &Check| asked.packs.is_empty() || asked.packs.contains(&check.pack);
    let of_suite = |check: &Check| check.suites.iter().any(|suite| asked.suites.contains(suite));
    let wanted = |check: &&Check| {
        asked.checks.contains(&check.id) || (of_pack(check) && (all || of_suite(check)))
    };
    let chosen: Vec<Arc<Check>> =
        catalogue.checks.iter().filter(wanted).cloned().map(Arc::new).collect();
    if chosen.is_empty() {
        // Nothing that was asked is not the same as nothing that is wrong.
        let suites = asked.suites.join(", ");
        return Err(Problem::usage(format!(
            "no check of {} is in {suites}",
            asked.packs.join(", ")
        ))
        .hint("leave one of --pack and --suite out; nothing was asked"));
    }
    Ok(chosen)
}

/// Faults if a pack is named that there is none of.
pub fn in_packs(packs: &[String], catalogue: &Catalogue) -> Result<(), Problem> {
    let all = catalogue.packs();
    packs.iter().try_for_each(|pack| known(pack, &all, "pack"))
}

/// Faults if none of these names, of which some may come more than once, is this one.
pub fn known(name: &str, all: &[&str], what: &str) -> Result<(), Problem> {
    if all.contains(&name) {
        return Ok(());
    }
    let problem = Problem::usage(format!("there is no {what} {}", quoted(name)));
    let all: BTreeSet<&str> = all.iter().copied().collect();
    Err(match did_you_mean(name, all.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None if all.is_empty() => problem,
        None => problem.hint(format!("there are {}", Vec::from_iter(all).join(", "))),
    })
}

/// Faults if a target is named that nothing here knows: what is configured, and these.
pub fn known_targets<'n>(
    asked: &[String],
    config: &'n Config,
    besides: impl Iterator<Item = &'n str>,
) -> Result<(), Problem> {
    let mut all: Vec<&str> = config.targets.iter().map(|target| target.name.as_str()).collect();
    all.extend(besides);
    asked.iter().try_for_each(|name| known(name, &all, "target"))
}

/// The checks that run on a target, and those that were switched off. Both are told, because a check
/// that is left out in silence looks like one that is clear.
pub(super) fn sorted<'c>(
    checks: &'c [Arc<Check>],
    asked: &Asked,
    target: &Target,
    left_out: &mut LeftOut,
) -> (Vec<&'c Arc<Check>>, Vec<&'c Arc<Check>>) {
    let (mut run, mut disabled) = (vec![], vec![]);
    for check in checks {
        if asked.checks.contains(&check.id) {
            run.push(check);
        } else if !check.may_be_for(target.url.dialect) {
            left_out.elsewhere += 1;
        } else if asked.packs.is_empty() && !target.takes(&check.pack) {
            left_out.other_packs += 1;
        } else if check.disabled.is_some() {
            disabled.push(check);
        } else {
            run.push(check);
        }
    }
    (run, disabled)
}
