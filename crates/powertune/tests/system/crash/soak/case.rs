//! One run of the soak: its request and its faults.

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::schedule::{self, pick};
use crate::crash::{
    kind::{ALIAS, Applied},
    trap::Trap,
};

/// A run. The seed and its number alone determine it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) number: u64,
    pub(super) powers: &'static str,
    /// The arguments of `powertune tune` beyond the function.
    pub(super) arguments: Vec<String>,
    /// True if `$LATEST` is equal to the user's version.
    pub(super) is_published: bool,
    pub(super) applies: Applied,
    pub(super) max_cost: Option<f64>,
    pub(super) is_dry: bool,
    /// True if `clean` runs on another host than `tune`, without its journal.
    pub(super) cleans_elsewhere: bool,
    pub(super) traps: Vec<Trap>,
    /// The faults of the first `powertune clean`, if one is needed.
    pub(super) traps_of_clean: Vec<Trap>,
}

/// Sizes to measure; `kind::POWERS` has them all.
const POWERS: &[&str] = &["128,192,256", "128,192,256", "128,192", "192,256", "128,256"];
/// Payloads by weight; one of them makes the function fail.
const PAYLOADS: &[&str] = &[
    r#"[{"payload":{"n":1},"weight":2},{"payload":{"n":2},"weight":3}]"#,
    r#"[{"payload":{"n":1},"weight":1},{"payload":[],"weight":1},{"payload":"x","weight":2}]"#,
    r#"[{"payload":{"n":1},"weight":4},{"payload":{"fail":true},"weight":1}]"#,
];
/// The smallest and the largest cap, as powers of ten: from little more than one invocation at the
/// timeout to a cap that seldom matters.
const CAP: (f64, f64) = (-4.2, -2.5);

impl Case {
    /// The run with this number.
    pub(super) fn draw(seed: u64, number: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(number);
        let chance = &mut chance;
        let is_auto = chance.random_bool(0.15);
        let powers: &str = pick(chance, POWERS);
        let mut arguments = vec!["--power-values".to_owned(), powers.to_owned()];
        let num = if is_auto { "auto".to_owned() } else { chance.random_range(5..9).to_string() };
        arguments.extend(["--num".to_owned(), num]);
        // With auto, a size that was not named may be chosen.
        let is_dry = chance.random_bool(0.04);
        let applies = if is_auto || is_dry { Applied::Nowhere } else { applies(chance) };
        arguments.extend(applies.arguments().into_iter().map(str::to_owned));
        if is_dry {
            arguments.push("--dry-run".to_owned());
        }
        if chance.random_bool(0.1) {
            arguments.push("--only-cold-starts".to_owned());
        }
        if chance.random_bool(0.3) {
            arguments.extend(["--parallel".to_owned(), chance.random_range(2..7).to_string()]);
        }
        if !is_auto && chance.random_bool(0.25) {
            arguments.extend(["--payload".to_owned(), pick(chance, PAYLOADS).to_owned()]);
        }
        let (least, most) = CAP;
        let max_cost =
            chance.random_bool(0.3).then(|| 10_f64.powf(chance.random_range(least..most)));
        arguments.extend(
            max_cost.into_iter().flat_map(|most| ["--max-cost".to_owned(), most.to_string()]),
        );
        Self {
            number,
            powers,
            arguments,
            is_published: chance.random_bool(0.5),
            applies,
            max_cost,
            is_dry,
            cleans_elsewhere: chance.random_bool(0.5),
            traps: schedule::of_tune(chance),
            traps_of_clean: schedule::of_clean(chance),
        }
    }
}

fn applies(chance: &mut ChaCha8Rng) -> Applied {
    let others = [Applied::Latest, Applied::Alias(ALIAS), Applied::Alias("tuned")];
    if chance.random_bool(0.4) { pick(chance, &others) } else { Applied::Nowhere }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |traps: &[Trap]| {
            let texts: Vec<String> = traps.iter().map(ToString::to_string).collect();
            if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
        };
        write!(
            f,
            "run {}: tune {}, $LATEST {}published; in it: {}; in clean{}: {}",
            self.number,
            self.arguments.join(" "),
            if self.is_published { "" } else { "not " },
            listed(&self.traps),
            if self.cleans_elsewhere { " on another host" } else { "" },
            listed(&self.traps_of_clean)
        )
    }
}
