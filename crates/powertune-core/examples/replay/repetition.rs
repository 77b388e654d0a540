//! One tuning run over recorded samples: planner and analysis are powertune's own, and the
//! durations are drawn.

use std::collections::BTreeSet;

use powertune_core::{
    analysis::{Subject, analyse},
    observation::{Evidence, Observation, Outcome},
    plan::{Decision, Measurement, Planner},
    power::Power,
    price,
    region::Region,
    report::{Report, Start, Status},
    request::{self, Request},
    result::{PowerStats, State, TuningResult},
};
use rand::{Rng, RngExt};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::{Map, Value, json};

use crate::{
    contest::{Contest, Current, Goal},
    function::billed,
};

/// The minimum number of invocations of an interval that is compared with the truth.
const FEWEST_FOR_COVERAGE: u32 = 5;
/// An interval of equal samples has no width, so the truth may miss it by a rounding error.
const ROUNDING: f64 = 1e-9;

/// The settings of all repetitions.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    /// `num` of the request.
    pub(crate) num: Value,
    pub(crate) goal: Goal,
    pub(crate) current: Current,
    /// True if the raced powers were named. Then no size between them is measured.
    pub(crate) named: bool,
    pub(crate) seed: u64,
}

/// The outcome of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Repetition {
    pub(crate) recommended: Power,
    /// The powers that were not told apart from the recommended one.
    pub(crate) ties: Vec<Power>,
    pub(crate) regret: f64,
    pub(crate) confidence: f64,
    pub(crate) invocations: u32,
    /// Their cost, in invocations at the best size.
    pub(crate) units: f64,
    /// The number of intervals that can be compared with the truth.
    pub(crate) intervals: u32,
    /// The number of these intervals that contain the truth.
    pub(crate) holding: u32,
}

/// A function that replays its recorded samples.
struct Stage<'a> {
    contest: &'a Contest,
    rng: ChaCha8Rng,
    invoked: BTreeSet<Power>,
    /// In MB times milliseconds.
    cost: f64,
}

/// Runs repetition `number` of the function with this `index`.
///
/// Each repetition has its own random numbers, so it does not depend on the others or on its
/// thread.
pub(crate) fn run(
    contest: &Contest,
    manner: &Manner,
    index: usize,
    number: u32,
) -> Result<Repetition, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(manner.seed);
    rng.set_stream((index as u64) << 32 | u64::from(number));
    let request = request(contest, manner, rng.next_u64())?;
    let subject = subject(contest, contest.current(manner.current))?;
    let planner = Planner::new(&request, subject.price, subject.current, contest.powers.clone());
    let mut stage = Stage { contest, rng, invoked: BTreeSet::new(), cost: 0.0 };
    let mut seen = Evidence::default();
    let stopped = loop {
        match planner.next(&seen) {
            Decision::Done(stopped) => break stopped,
            Decision::Measure(round) => {
                stage.measure(&round.measurements, &mut seen.observations);
                seen.rounds += 1;
            }
        }
    };
    let result = analyse(&request, &subject, &seen, stopped, Vec::new())
        .map_err(|error| format!("{}: {error}", contest.function.name))?;
    Ok(judge(contest, &subject, &result, stage.cost))
}

fn request(contest: &Contest, manner: &Manner, seed: u64) -> Result<Request, String> {
    let mut fields = Map::new();
    let mut field = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    field("lambdaARN", json!("replayed"));
    field("num", manner.num.clone());
    field("strategy", json!(manner.goal.name()));
    field("tolerance", json!(0));
    field("seed", json!(seed));
    field("onlyColdStarts", json!(contest.only_cold_starts));
    if manner.named {
        field("powerValues", json!(contest.powers));
    }
    request::parse(&fields).map_err(|faults| format!("no run can be asked for so: {faults}"))
}

fn subject(contest: &Contest, current: Power) -> Result<Subject, String> {
    let region = Region::new("us-east-1").map_err(|error| error.to_string())?;
    let architecture = contest.function.architecture;
    let mut price = price::on_demand(&region, architecture).map_err(|error| error.to_string())?;
    // The true costs have no request charge.
    price.per_request = 0.0;
    Ok(Subject {
        function_arn: format!("arn:aws:lambda:{}:123456789012:function:replayed", region.as_str()),
        region,
        architecture,
        current,
        powers: contest.powers.clone(),
        price,
        origin: price::Origin::default(),
    })
}

impl Stage<'_> {
    /// Invokes each power as often as required, one of each in turn.
    fn measure(&mut self, measurements: &[Measurement], seen: &mut Vec<Observation>) {
        let most = measurements.iter().map(|wanted| wanted.invocations).max().unwrap_or(0);
        for wanted in measurements.iter().filter(|wanted| wanted.fresh) {
            self.invoked.remove(&wanted.power);
        }
        for turn in 0..most {
            for wanted in measurements.iter().filter(|wanted| turn < wanted.invocations) {
                let outcome = Outcome::Counted(self.invoke(wanted.power));
                seen.push(Observation { power: wanted.power, outcome });
            }
        }
    }

    fn invoke(&mut self, power: Power) -> Report {
        let first = self.invoked.insert(power);
        let u = self.rng.random();
        let function = &self.contest.function;
        let duration_ms =
            if first { function.warm_up_quantile(power, u) } else { function.quantile(power, u) };
        let memory_mb = power.mb();
        self.cost += f64::from(memory_mb) * billed(duration_ms);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole milliseconds, at least one"
        )]
        let billed_ms = billed(duration_ms) as u64;
        let cold = first || self.contest.only_cold_starts;
        Report {
            duration_ms,
            billed_ms,
            memory_mb,
            max_memory_mb: Some(memory_mb / 2),
            start: if cold { Start::Cold { init_ms: 0.0 } } else { Start::Warm },
            status: Status::Success,
        }
    }
}

/// Compares a result with the truth.
fn judge(contest: &Contest, subject: &Subject, result: &TuningResult, cost: f64) -> Repetition {
    let truth = |power| {
        let billed_ms = contest.function.truth(power).billed_ms;
        subject.price.invocation_cost(power, billed_ms)
    };
    let held: Vec<bool> =
        result.stats.iter().filter_map(|row| holds(row, truth(row.value))).collect();
    let count = |held: usize| u32::try_from(held).unwrap_or(u32::MAX);
    Repetition {
        recommended: result.power,
        ties: result.ties.clone(),
        regret: contest.regret(result.power),
        confidence: result.confidence.expect("in a replay nothing is refused or lost"),
        invocations: u32::try_from(result.invocations).unwrap_or(u32::MAX),
        units: cost / contest.unit(),
        intervals: count(held.len()),
        holding: count(held.iter().filter(|&&held| held).count()),
    }
}

/// True if the interval of a power's cost contains the true cost. `None` without an interval, or
/// with one of few invocations.
///
/// The interval comes from the warm invocations, if there are any.
fn holds(row: &PowerStats, truth: f64) -> Option<bool> {
    let sent = row.invocations - row.failures;
    let behind = if row.cold_starts < sent { sent - row.cold_starts } else { sent };
    let cost =
        row.cost.filter(|_| row.state == State::Measured && behind >= FEWEST_FOR_COVERAGE)?;
    let (low, high) = cost.low.zip(cost.high)?;
    Some(low <= truth * (1.0 + ROUNDING) && truth <= high * (1.0 + ROUNDING))
}

#[cfg(test)]
mod tests {
    use powertune_core::stopped::Stopped;

    use super::*;
    use crate::function::tests::{power, recorded};

    fn manner(num: Value) -> Manner {
        Manner { num, goal: Goal::Cost, current: Current::Smallest, named: false, seed: 7 }
    }

    fn contest() -> Contest {
        let sizes: [(u32, &[f64]); 3] =
            [(128, &[400.0, 402.0]), (256, &[100.0, 101.0]), (512, &[99.0, 100.0])];
        Contest::new(recorded(&sizes), &"128,256,512".parse().unwrap(), Goal::Cost).unwrap()
    }

    #[test]
    fn a_plain_choice_is_made_and_paid_for() {
        let run = run(&contest(), &manner(json!(5)), 0, 0).unwrap();
        assert_eq!((run.recommended, run.invocations), (power(256), 15));
        assert!(run.regret.abs() < 1e-12 && run.confidence > 0.99, "{run:?}");
        // 5 invocations each: 2 at 128 MB, 1 at 256 MB and 2 at 512 MB, in units of 256 MB.
        assert!((run.units - 25.0).abs() < 0.5, "{run:?}");
        // The first of the 5 is a warm-up, so too few are left for an interval.
        assert_eq!(run.intervals, 0);
    }

    #[test]
    fn a_repetition_is_the_same_again_and_unlike_its_neighbours() {
        let run = |index, number| run(&contest(), &manner(json!("auto")), index, number).unwrap();
        assert_eq!(run(3, 4), run(3, 4));
        assert_ne!(run(3, 4), run(3, 5));
        assert_ne!(run(3, 4), run(4, 4));
    }

    #[test]
    fn an_interval_is_held_against_the_truth_where_enough_is_behind_it() {
        let row = |num: u32, only_cold_starts| {
            let mut contest = contest();
            contest.only_cold_starts = only_cold_starts;
            let manner = manner(json!(num));
            let request = request(&contest, &manner, 0).unwrap();
            let (rng, invoked) = (ChaCha8Rng::seed_from_u64(1), BTreeSet::new());
            let mut stage = Stage { contest: &contest, rng, invoked, cost: 0.0 };
            let mut seen = Evidence { rounds: 1, ..Evidence::default() };
            let measurements = [Measurement::new(power(128), num)];
            stage.measure(&measurements, &mut seen.observations);
            let stopped = Stopped::NumReached;
            let subject = subject(&contest, power(128)).unwrap();
            let mut result = analyse(&request, &subject, &seen, stopped, Vec::new()).unwrap();
            result.stats.remove(0)
        };
        let mean = |row: &PowerStats| row.cost.unwrap().mean;
        // With warm invocations, the very first one is a warm-up.
        for (num, only_cold_starts, counts) in
            [(5, false, false), (6, false, true), (5, true, true)]
        {
            let row = row(num, only_cold_starts);
            assert_eq!(holds(&row, mean(&row)), counts.then_some(true), "{num} {row:?}");
            assert_eq!(holds(&row, 2.0 * mean(&row)), counts.then_some(false), "{num} {row:?}");
        }
    }

    #[test]
    fn an_impossible_request_says_why() {
        let error = run(&contest(), &manner(json!(4)), 0, 0).unwrap_err();
        assert!(error.contains("num"), "{error}");
    }
}
