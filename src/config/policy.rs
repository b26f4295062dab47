//! What all layers together ask of approvals, place by place. Where two speak of the same database the
//! stricter one holds: no later layer, other name or other login takes back what another one asks.

use super::url::Place;
use super::{Approval, Origin, Target};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Every target of every layer, also those that a later one replaced.
    said: Vec<Target>,
}

impl Policy {
    pub(super) fn of(targets: &[Target]) -> Self {
        Self { said: targets.to_vec() }
    }

    pub(super) fn and(mut self, more: Self) -> Self {
        self.said.extend(more.said);
        self
    }

    /// The target with the most that is asked for its place: for its address, for the server that it
    /// is pinned to, and for the one that answered.
    #[must_use]
    pub fn over(&self, target: Target, server: Option<&str>) -> Target {
        self.places().over(target, server)
    }

    pub(super) fn places(&self) -> Places<'_> {
        Places(self.said.iter().map(|target| (target.url.place(), target)).collect())
    }
}

/// Where all of them lie at this moment: a file or a link on the way to it may come at any time.
pub(super) struct Places<'a>(Vec<(Place, &'a Target)>);

impl<'a> Places<'a> {
    pub(super) fn over(&self, target: Target, server: Option<&str>) -> Target {
        let place = target.clone();
        self.of_place(&place, server).fold(target, Target::as_careful_as)
    }

    /// Who asks for more than this target does itself.
    pub(super) fn stricter(&self, target: &Target) -> Option<&'a Target> {
        let held = self.over(target.clone(), None);
        let more = |other: &&Target| {
            (held.approval > target.approval && other.approval == held.approval)
                || (held.high_risk > target.high_risk && other.high_risk == held.high_risk)
        };
        self.of_place(target, None).find(more)
    }

    /// Where it comes from that so much is asked of this target.
    pub(super) fn origin<'t>(&self, held: &'t Target, key: &str) -> &'t Origin
    where
        'a: 't,
    {
        let same = |other: &&Target| match key {
            "high_risk" => other.high_risk == held.high_risk,
            _ => other.approval == held.approval,
        };
        self.of_place(held, None).find(same).map_or(&held.origin, |other| &other.origin)
    }

    fn of_place(&self, target: &Target, server: Option<&str>) -> impl Iterator<Item = &'a Target> {
        let here = target.url.place();
        let of_it = self.0.iter().filter(move |(place, other)| {
            let pinned = other.fingerprint.as_deref();
            let is_server =
                pinned.is_some() && [server, target.fingerprint.as_deref()].contains(&pinned);
            is_server || *place == here
        });
        of_it.map(|(_, other)| *other)
    }
}

impl Target {
    /// Why a guardrail is not put up or taken down from here, if so: what a second person could be
    /// shown of it is not previewed.
    pub fn no_guardrail(&self) -> Option<String> {
        self.wants_two().then(|| {
            format!(
                "{} asks for a second person, and a guardrail has no preview that one could agree to; \
                 apply it the way other changes of the schema come there, and rehearse it here",
                self.name
            )
        })
    }

    /// The same for a command that writes: what it will do is known by nobody.
    pub fn no_command(&self) -> Option<String> {
        self.wants_two().then(|| {
            format!(
                "{} asks for a second person, and a command that writes has no preview that one could \
                 agree to; nothing was run: have it done the way such things are agreed to there, and \
                 skip the step with a word about it",
                self.name
            )
        })
    }

    fn wants_two(&self) -> bool {
        self.approval_of(true) > Approval::Confirm
    }

    /// What is asked of a change, of high risk or not.
    pub fn approval_of(&self, high_risk: bool) -> Approval {
        let high = self.high_risk.filter(|_| high_risk);
        self.approval.max(high.unwrap_or(Approval::None))
    }
}
