//! Settings: what a site says about the checks that it did not write.
//!
//! `[check.ID]` changes one check: its thresholds, severity, owner, time limit, names, or switches it
//! off with a reason. `[bind.ROLE]` gives a role its names in every check. Pure; the files that say
//! it are read by `config`, and the catalogue lays it over the checks at hand.

use std::time::Duration;

use super::bind::{self, Binding};
use super::load::threshold;
use super::metric::never_warns;
use super::{Check, Kind, Severity, Threshold};
use crate::source::{Fault, Spot, Table, did_you_mean, quoted};

/// Everything that was said, in the order in which it holds: the later wins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    pub checks: Vec<Adjustment>,
    pub bind: Vec<Binding>,
}

/// What is said about one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustment {
    pub check: String,
    pub spot: Spot,
    pub severity: Option<Severity>,
    pub owner: Option<String>,
    pub timeout: Option<Duration>,
    pub warn: Option<Threshold>,
    pub critical: Option<Threshold>,
    /// Why the check does not run by itself.
    pub disabled: Option<String>,
    pub bind: Vec<Binding>,
}

impl Settings {
    pub fn read(table: &Table<'_>) -> Self {
        let checks = table.named("check", "a check of the configuration", |id, table| Adjustment {
            check: id.to_owned(),
            spot: table.here().clone(),
            severity: table.optional_one_of(
                "severity",
                &Severity::ALL.map(|severity| (severity, severity.key())),
            ),
            owner: table.optional_text("owner"),
            timeout: table.optional_duration("timeout"),
            warn: threshold(table, "warn"),
            critical: threshold(table, "critical"),
            disabled: table.optional_text("disabled"),
            bind: bind::read(table),
        });
        Self { checks, bind: bind::read(table) }
    }

    /// These settings with later ones on top.
    #[must_use]
    pub fn under(mut self, top: Self) -> Self {
        self.checks.extend(top.checks);
        self.bind.extend(top.bind);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.bind.is_empty()
    }

    /// Lays the settings over the checks; what fits none of them is a fault.
    pub fn lay_over(&self, checks: &mut [Check]) -> Vec<Fault> {
        let mut faults = Vec::new();
        // What was typed for this run stands above what any file says of one check.
        let (written, typed): (Vec<_>, Vec<_>) =
            self.bind.iter().partition(|binding| binding.spot.is_some());
        bind_all(&written, checks, &mut faults);
        for adjustment in &self.checks {
            match checks.iter_mut().find(|check| check.id == adjustment.check) {
                Some(check) => adjustment.lay_over(check, &mut faults),
                None => {
                    let ids: Vec<&str> = checks.iter().map(|check| check.id.as_str()).collect();
                    let wanted = quoted(&adjustment.check);
                    let fault = adjustment.spot.fault(format!("There is no check {wanted}."));
                    faults.push(match did_you_mean(&adjustment.check, ids) {
                        Some(near) => fault.suggest(format!("Did you mean \"{near}\"?")),
                        None => fault.suggest("`steadyhand lint` counts those that there are."),
                    });
                }
            }
        }
        bind_all(&typed, checks, &mut faults);
        faults
    }
}

fn bind_all(bindings: &[&Binding], checks: &mut [Check], faults: &mut Vec<Fault>) {
    for binding in bindings {
        faults.extend(unused(binding, checks));
        for check in checks.iter_mut() {
            bind::lay_over(&mut check.bind, binding);
        }
    }
}

impl Adjustment {
    fn lay_over(&self, check: &mut Check, faults: &mut Vec<Fault>) {
        check.severity = self.severity.unwrap_or(check.severity);
        check.timeout = self.timeout.unwrap_or(check.timeout);
        if let Some(owner) = &self.owner {
            check.owner.clone_from(owner);
        }
        if self.disabled.is_some() {
            check.disabled.clone_from(&self.disabled);
        }
        match &mut check.kind {
            Kind::Metric(metric) => {
                if let Some(sentence) = never_warns(self.warn.as_ref(), self.critical.as_ref()) {
                    faults.push(self.spot.fault(sentence));
                }
                metric.warn = self.warn.clone().or(metric.warn.take());
                metric.critical = self.critical.clone().or(metric.critical.take());
            }
            Kind::Violations | Kind::Catalog if self.warn.is_some() || self.critical.is_some() => {
                faults.push(self.spot.fault(format!(
                    "The check {} is no metric, so it has no thresholds; set its `severity`.",
                    quoted(&self.check)
                )));
            }
            Kind::Violations | Kind::Catalog => {}
        }
        for binding in &self.bind {
            faults.extend(unused(binding, std::slice::from_ref(check)));
            bind::lay_over(&mut check.bind, binding);
        }
    }
}

/// A name for something that no check asks for is a slip.
fn unused(binding: &Binding, checks: &[Check]) -> Option<Fault> {
    let roles = || checks.iter().flat_map(|check| &check.bind);
    let of_role = || roles().filter(|role| role.role == binding.role);
    let fault = |sentence: String| match &binding.spot {
        Some(spot) => spot.fault(sentence),
        None => Fault::whole("--bind", sentence),
    };
    let near = |fault: Fault, near: Option<&str>| match near {
        Some(near) => fault.suggest(format!("Did you mean \"{near}\"?")),
        None => fault,
    };
    if of_role().next().is_none() {
        let names = roles().map(|role| role.role.as_str());
        let sentence = format!("No check has a role {}.", quoted(&binding.role));
        return Some(near(fault(sentence), did_you_mean(&binding.role, names)));
    }
    let column = binding.column.as_deref()?;
    let columns = || of_role().flat_map(|role| &role.columns).map(|(column, _)| column.as_str());
    if columns().any(|known| known == column) {
        return None;
    }
    let sentence = format!("The role {} has no column {}.", quoted(&binding.role), quoted(column));
    Some(near(fault(sentence), did_you_mean(column, columns())))
}
