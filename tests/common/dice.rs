//! Chance that can be repeated: the same seed throws the same dice.
//!
//! `STEADYHAND_SEED` sets the seed; what fails prints it. `STEADYHAND_LONG` makes every search by
//! chance that many times longer than in a usual run.

pub struct Dice {
    state: u64,
    pub seed: u64,
}

impl Dice {
    /// The seed that was set, else always the same one: a usual run must not depend on luck.
    pub fn new() -> Self {
        let set = std::env::var("STEADYHAND_SEED").ok();
        Self::of(set.map_or(7, |text| text.parse().expect("STEADYHAND_SEED is a number")))
    }

    pub fn of(seed: u64) -> Self {
        Self { state: seed, seed }
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        let end = u64::try_from(end.max(1)).expect("small");
        usize::try_from(mixed % end).expect("small")
    }

    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// How often something is tried: this many times, or as many times more as was asked for.
pub fn rounds(usual: usize) -> usize {
    let long = std::env::var("STEADYHAND_LONG").ok();
    usual * long.map_or(1, |text| text.parse().expect("STEADYHAND_LONG is a number"))
}
