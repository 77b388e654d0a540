//! The powers that a function is tuned over, and the truly best size.

use clap::ValueEnum;
use powertune_core::power::{Power, PowerValues};

use crate::function::{Function, Truth};

/// The best size may be a multiple of this that the request does not name.
const GRID_MB: u32 = 64;

/// The goal of the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    /// The lowest cost.
    Cost,
    /// The lowest duration.
    Speed,
    /// The lowest sum of both, in equal parts.
    Balanced,
}

/// The power that the function has before it is tuned, among the raced powers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Current {
    /// The smallest power.
    Smallest,
    /// The middle power, the larger one of two.
    Middle,
    /// The largest power.
    Largest,
}

/// A function, and the powers that it is tuned over.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) function: Function,
    pub(crate) powers: PowerValues,
    /// The truly best size, raced or not.
    pub(crate) best: Power,
    /// True if only cold starts are replayed.
    pub(crate) only_cold_starts: bool,
    scale: Scale,
}

/// The comparison of sizes.
#[derive(Debug, Clone, Copy)]
struct Scale {
    goal: Goal,
    highest_cost: f64,
    highest_duration_ms: f64,
}

impl Goal {
    /// The name in a request.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Speed => "speed",
            Self::Balanced => "balanced",
        }
    }
}

impl Contest {
    /// `function`, tuned over the `powers` within its recorded range.
    pub(crate) fn new(
        function: Function,
        powers: &PowerValues,
        goal: Goal,
    ) -> Result<Self, String> {
        let (least, greatest) = function.range();
        let within = powers.iter().filter(|power| (least..=greatest).contains(power));
        let within = PowerValues::from_list(within.map(|power| i64::from(power.mb())));
        let within = within.map_err(|_| {
            let named: Vec<String> = powers.iter().map(|power| power.mb().to_string()).collect();
            format!(
                "{} was recorded from {least} to {greatest}, and none of the powers {} lies \
                 there: name one that does with --powers",
                function.name,
                named.join(", "),
            )
        })?;
        let scale = Scale::new(goal, within.iter().map(|power| function.truth(power)));
        let value = |power: &Power| scale.value(function.truth(*power));
        let best = sizes(&function, &within)
            .into_iter()
            .min_by(|a, b| value(a).total_cmp(&value(b)))
            .expect("the powers raced are among them");
        Ok(Self { function, powers: within, best, only_cold_starts: false, scale })
    }

    /// The share by which `power` is worse than the best size.
    pub(crate) fn regret(&self, power: Power) -> f64 {
        let value = |power| self.scale.value(self.function.truth(power));
        value(power) / value(self.best) - 1.0
    }

    /// The power that the function has before it is tuned.
    pub(crate) fn current(&self, current: Current) -> Power {
        let powers = self.powers.as_slice();
        match current {
            Current::Smallest => powers[0],
            Current::Middle => powers[powers.len() / 2],
            Current::Largest => powers[powers.len() - 1],
        }
    }

    /// The cost of one invocation at the best size, in MB times milliseconds.
    pub(crate) fn unit(&self) -> f64 {
        self.function.truth(self.best).cost
    }
}

impl Scale {
    /// A scale on which the highest of the raced powers counts 1.
    fn new(goal: Goal, raced: impl Iterator<Item = Truth>) -> Self {
        let start = Self { goal, highest_cost: 0.0, highest_duration_ms: 0.0 };
        raced.fold(start, |highest, truth| Self {
            highest_cost: highest.highest_cost.max(truth.cost),
            highest_duration_ms: highest.highest_duration_ms.max(truth.duration_ms),
            ..highest
        })
    }

    /// The value to minimize.
    fn value(&self, truth: Truth) -> f64 {
        match self.goal {
            Goal::Cost => truth.cost,
            Goal::Speed => truth.duration_ms,
            Goal::Balanced => {
                0.5 * truth.cost / self.highest_cost
                    + 0.5 * truth.duration_ms / self.highest_duration_ms
            }
        }
    }
}

/// The recorded sizes, the raced sizes, and the grid between them.
fn sizes(function: &Function, raced: &PowerValues) -> Vec<Power> {
    let (least, greatest) = function.range();
    let grid = (least.mb().next_multiple_of(GRID_MB)..=greatest.mb()).step_by(GRID_MB as usize);
    let grid = grid.filter_map(|mb| Power::new(mb).ok());
    let mut sizes: Vec<Power> = function.recorded().chain(raced.iter()).chain(grid).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::tests::{assert_close, power, recorded};

    fn contest(sizes: &[(u32, &[f64])], powers: &str, goal: Goal) -> Result<Contest, String> {
        Contest::new(recorded(sizes), &powers.parse().unwrap(), goal)
    }

    #[test]
    fn the_best_may_be_a_size_that_is_not_raced() {
        // More than proportional up to 512 MB, and flat from there.
        let sizes: [(u32, &[f64]); 3] = [(128, &[900.0]), (512, &[200.0]), (1024, &[200.0])];
        let contest = contest(&sizes, "128,1024,3008", Goal::Cost).unwrap();
        assert_eq!(contest.powers, "128,1024".parse().unwrap());
        assert_eq!(contest.best, power(512));
        assert_close(contest.regret(power(1024)), 1.0);
        assert_close(contest.unit(), 512.0 * 200.0);
    }

    #[test]
    fn each_goal_has_its_own_best() {
        let sizes: [(u32, &[f64]); 3] = [(128, &[1000.0]), (512, &[300.0]), (1024, &[290.0])];
        let best = |goal| contest(&sizes, "128,512,1024", goal).unwrap().best.mb();
        assert_eq!([best(Goal::Cost), best(Goal::Speed), best(Goal::Balanced)], [128, 1024, 512]);
    }

    #[test]
    fn the_middle_of_an_even_number_is_the_larger() {
        let sizes: [(u32, &[f64]); 2] = [(128, &[10.0]), (1024, &[9.0])];
        let contest = contest(&sizes, "128,256,512,1024", Goal::Cost).unwrap();
        let all = [Current::Smallest, Current::Middle, Current::Largest];
        assert_eq!(all.map(|current| contest.current(current).mb()), [128, 512, 1024]);
    }

    #[test]
    fn the_grid_lies_between_the_sizes_recorded() {
        let function = recorded(&[(200, &[1.0]), (400, &[1.0])]);
        let sizes = sizes(&function, &"256,300".parse().unwrap());
        assert_eq!(sizes, [200, 256, 300, 320, 384, 400].map(power));
    }

    #[test]
    fn powers_that_were_never_recorded_are_an_error() {
        let sizes: [(u32, &[f64]); 2] = [(2048, &[10.0]), (3008, &[9.0])];
        let error = contest(&sizes, "128,256", Goal::Cost).unwrap_err();
        assert!(error.contains("2048 MB to 3008 MB") && error.contains("128, 256"), "{error}");
    }
}
