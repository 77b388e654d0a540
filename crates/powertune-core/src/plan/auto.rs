//! The policy `auto`: it measures as much as the answer needs.
//!
//! 1. It looks at powers from the cheap end, a few invocations each, until a bound says that the
//!    larger ones can't win.
//! 2. The powers race. Each round adds invocations at the best power, and at the powers that may
//!    still be better by more than the indifference zone, until none may at 95 %.
//! 3. It confirms a sure choice that rests on a handful of samples.
//! 4. It measures a size between two measured ones, if the curve promises a gain there.
//! 5. The race goes on for a little, if the result would not call the choice sure yet.
//!
//! This is action elimination (Even-Dar, Mannor and Mansour, "Action Elimination and Stopping
//! Conditions for the Multi-Armed Bandit and Reinforcement Learning Problems", Journal of Machine
//! Learning Research 7, 2006). Draws of the powers' true figures replace its bounds, which hold for
//! every distribution and need hundreds of samples.
//!
//! The constants were chosen on published measurements, cross-validated by source.
//! docs/how-it-decides.md has the figures, and shows how little most of the constants matter.

use super::{Decision, Measurement, Round, Standing, Stopped, between};
use crate::{
    analysis::{
        by_size,
        certainty::{Certainty, Drawn, Rule},
        size_samples::{Counting, SizeSamples},
    },
    observation::Evidence,
    power::{Power, PowerValues},
    price::Price,
    request::{Pace, Request, samples_for},
    strategy::{Candidate, Strategy, badness},
};

/// The invocations of a first look that count.
const START: u32 = 4;
/// The environments in which the best power is measured, if it has one at a time and another power
/// is close.
const ENVIRONMENTS: usize = 2;
const FIRST_POWERS: usize = 3;
const CONFIDENCE: f64 = 0.95;
/// A power stays in the race while it is better with more than this probability.
const DOUBT: f64 = 0.01;
/// A power stays in a round while its probability to be better is more than this share of the
/// highest one.
const FOCUS: f64 = 0.3;
/// A power is left out of a round while it has this many times the invocations of another.
const EVEN: u32 = 2;
/// The invocations that confirm a sure choice.
const CONFIRMED: u32 = 4;
/// The same if the durations vary by more than [`WIDE`], because a tight handful may have missed
/// what makes the function slow now and then.
const CONFIRMED_WIDE: u32 = 15;
/// A standard deviation as a share of the mean.
const WIDE: f64 = 0.5;
/// A power that is worse than the choice by this factor needs no confirmation.
const CLOSE: f64 = 1.25;
/// The race goes on for the result's confidence while a power has fewer invocations than this. Most
/// choices become sure below it, and the others would need very many.
const SETTLED: u32 = 10;
/// CPU grows in proportion to memory, so more memory makes a function cheaper by this factor at
/// most. The factor allows for the benefit of the memory itself.
const ALLOWANCE: f64 = 0.9;
/// The confidence that rules a power out. It is moderate, because [`ALLOWANCE`] is cautious
/// already.
const BOUND: f64 = 0.8;
/// Below this size, CPU is so scarce that more of it can speed a function up beyond proportion.
const SCARCE_MB: u32 = 512;
/// Above this share of used memory, more memory can do the same.
const CROWDED: f64 = 0.8;
/// The race of more powers than this begins with a part of them.
const FEW: usize = 8;
/// The minimum factor between the powers of that part.
const COARSE: f64 = 1.5;
/// The maximum number of sizes between measured ones.
pub(super) const BETWEEN: usize = 2;
/// The maximum number of rounds, however small they are.
const ROUNDS: u32 = 60;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Auto {
    rule: Rule,
    counting: Counting,
    /// True if the invocations of a power follow each other, in the same environment.
    series: bool,
    /// The power of the function. It is measured early, because the saving is relative to it.
    current: Power,
    /// The maximum number of invocations per power.
    most: u32,
    /// True if sizes may be measured that the request does not name.
    unnamed: bool,
    /// The number of invocations that send each payload once.
    payloads: u32,
}

/// The evidence of one step, with the figures and draws made from it.
struct Assessment<'a> {
    auto: &'a Auto,
    powers: &'a PowerValues,
    seen: &'a Evidence,
    sizes: &'a [SizeSamples<'a>],
    /// The sizes that work.
    measured: Vec<&'a SizeSamples<'a>>,
    candidates: Vec<Candidate>,
    drawn: Drawn,
}

impl Auto {
    pub(super) fn new(request: &Request, price: Price, current: Power) -> Self {
        Self {
            rule: Rule::of(request, price),
            counting: Counting::of(request),
            series: matches!(request.pace, Pace::Series { .. }) && !request.only_cold_starts,
            current,
            most: request.most_invocations(),
            unnamed: request.powers.is_none(),
            payloads: request.payload_cycle(),
        }
    }

    pub(super) fn next(&self, powers: &PowerValues, seen: &Evidence) -> Decision {
        let sizes = by_size(seen, self.counting);
        let measured: Vec<&SizeSamples<'_>> = sizes.iter().filter(|size| size.works()).collect();
        let candidates = measured.iter().map(|size| self.rule.candidate(size)).collect();
        let drawn = self.rule.draw_for_race(&measured);
        let assessment =
            Assessment { auto: self, powers, seen, sizes: &sizes, measured, candidates, drawn };
        match assessment.wanted() {
            Ok(mut measurements) if seen.rounds < ROUNDS => {
                measurements.sort_by_key(|measurement| measurement.power);
                Decision::Measure(Round { number: seen.rounds + 1, measurements })
            }
            Ok(_) => Decision::Done(Stopped::MostReached),
            Err(stopped) => Decision::Done(stopped),
        }
    }

    pub(super) fn standing(&self, seen: &Evidence) -> Option<Standing> {
        let sizes = by_size(seen, self.counting);
        let measured: Vec<&SizeSamples<'_>> = sizes.iter().filter(|size| size.works()).collect();
        let candidates: Vec<Candidate> =
            measured.iter().map(|size| self.rule.candidate(size)).collect();
        let front = self.rule.choose(&candidates)?;
        let certainty = self.rule.certainty(&self.rule.draw(&measured), front);
        Some(Standing { front: measured[front].power, confidence: certainty.confidence })
    }

    /// The invocations that must count before a power takes part.
    fn start(&self) -> u32 {
        match self.rule.strategy {
            Strategy::MaxDuration { percentile, .. } => START.max(samples_for(percentile)),
            Strategy::Cost | Strategy::Speed | Strategy::Balanced { .. } => START,
        }
    }

    /// The first look at a power. Its first invocation is a cold start, which does not count.
    fn first(&self, power: Power) -> Measurement {
        let warm_up = u32::from(!self.counting.only_cold_starts);
        Measurement::new(power, (START + warm_up).min(self.most))
    }

    /// More invocations of a power within its maximum. `None` if it has reached that.
    fn more(&self, size: &SizeSamples<'_>, invocations: u32) -> Option<Measurement> {
        let invocations = invocations.min(self.most.saturating_sub(size.invocations));
        (invocations > 0).then_some(Measurement::new(size.power, invocations))
    }

    /// At least one more invocation that counts, in a new environment: an old one may be slow by
    /// chance. The first invocation there is a cold start.
    fn more_elsewhere(&self, size: &SizeSamples<'_>, invocations: u32) -> Option<Measurement> {
        let more = self.more(size, invocations.max(1) + 1)?;
        // A warm-up alone would tell nothing.
        Some(Measurement { fresh: more.invocations > 1, ..more })
    }

    /// True if a power should be measured in another environment. Without cold starts in the
    /// evidence, environments cannot be told apart.
    fn lacks_environments(&self, size: &SizeSamples<'_>) -> bool {
        let told = size.is_warm() && size.cold_starts() > 0;
        self.series && told && size.environments().len() < ENVIRONMENTS
    }
}

impl Assessment<'_> {
    fn wanted(&self) -> Result<Vec<Measurement>, Stopped> {
        let mut wanted = self.short();
        wanted.extend(self.to_look_at().into_iter().map(|power| self.auto.first(power)));
        if !wanted.is_empty() {
            return Ok(wanted);
        }
        let Some(front) = self.auto.rule.choose(&self.candidates) else {
            return Err(Stopped::MostReached);
        };
        let certainty = self.auto.rule.certainty(&self.drawn, front);
        if certainty.confidence < CONFIDENCE {
            let raced = self.race(front, &certainty);
            return if raced.is_empty() { Err(Stopped::MostReached) } else { Ok(raced) };
        }
        let unconfirmed = self.unconfirmed(front);
        if !unconfirmed.is_empty() {
            return Ok(unconfirmed);
        }
        if let Some(power) = self.between(front) {
            return Ok(vec![self.auto.first(power)]);
        }
        let claimed = self.auto.rule.certainty(&self.auto.rule.draw(&self.measured), front);
        if claimed.confidence < CONFIDENCE {
            let raced = self.settle(front, &claimed);
            return if raced.is_empty() { Err(Stopped::MostReached) } else { Ok(raced) };
        }
        if self.sizes.iter().any(SizeSamples::is_unmeasured) {
            // A power that could not be measured may be better.
            return Err(Stopped::MostReached);
        }
        Err(Stopped::Confident)
    }

    /// More invocations for powers that have too few that count.
    fn short(&self) -> Vec<Measurement> {
        let short = |size: &SizeSamples<'_>| {
            // A power that mostly fails gets no further attempts.
            let hopeless = size.failures.len() > START as usize;
            if size.is_condemned() || hopeless && !size.works() {
                return None;
            }
            let counted = if size.is_warm() || self.auto.counting.only_cold_starts {
                size.steady_count()
            } else {
                0
            };
            let start = if self.auto.rule.breaks_limit(size) { START } else { self.auto.start() };
            self.auto.more(size, start.saturating_sub(counted))
        };
        self.sizes.iter().filter_map(short).collect()
    }

    /// The powers of the race in the order of their first look. It begins at the end where the
    /// winner is likely and where losers can be ruled out early.
    fn ladder(&self) -> Vec<Power> {
        let all = self.powers.as_slice();
        let mut ladder: Vec<Power> = Vec::new();
        for &power in all {
            let apart = |last: &Power| f64::from(power.mb()) >= COARSE * f64::from(last.mb());
            let wanted = all.len() <= FEW || power == self.auto.current;
            if wanted || ladder.last().is_none_or(apart) {
                ladder.push(power);
            }
        }
        ladder.extend(all.last().filter(|last| !ladder.contains(last)));
        match self.auto.rule.strategy {
            Strategy::Speed => ladder.reverse(),
            Strategy::Cost | Strategy::Balanced { .. } | Strategy::MaxDuration { .. } => {}
        }
        ladder
    }

    fn is_tried(&self, power: Power) -> bool {
        self.sizes.iter().any(|size| size.power == power)
            || self.seen.skipped.iter().any(|skipped| skipped.power == power)
    }

    fn to_look_at(&self) -> Vec<Power> {
        let mut untried = self.ladder();
        untried.retain(|&power| !self.is_tried(power));
        if self.seen.rounds == 0 {
            let (first, rest) = untried.split_at(untried.len().min(FIRST_POWERS));
            let current = rest.iter().filter(|&&power| power == self.auto.current);
            untried = first.iter().chain(current).copied().collect();
        } else {
            untried.truncate(1);
            untried.retain(|&next| !self.is_ruled_out(next));
        }
        untried
    }

    /// True if neither `next` nor the powers after it on the ladder can win.
    fn is_ruled_out(&self, next: Power) -> bool {
        let measured = &self.measured;
        let last = match self.auto.rule.strategy {
            Strategy::Cost | Strategy::MaxDuration { .. } => measured
                .iter()
                .rposition(|size| size.power < next)
                .filter(|&last| !may_gain_beyond_proportion(measured[last])),
            // More memory does not make a function slower.
            Strategy::Speed => measured.iter().position(|size| size.power > next),
            Strategy::Balanced { .. } => None,
        };
        let allowance = ALLOWANCE / (1.0 + self.auto.rule.tolerance);
        last.is_some_and(|last| {
            self.auto.rule.certainty_of_worse(&self.drawn, last, allowance) >= BOUND
        })
    }

    /// More invocations for the best power and for the powers that may be better.
    fn race(&self, front: usize, certainty: &Certainty) -> Vec<Measurement> {
        let better = &certainty.better;
        let likeliest = (0..better.len())
            .filter(|&index| index != front)
            .max_by(|&a, &b| better[a].total_cmp(&better[b]));
        let doubt = likeliest.map_or(0.0, |index| DOUBT.max(better[index] * FOCUS));
        let in_doubt =
            |index: usize| index == front || Some(index) == likeliest || better[index] > doubt;
        let raced: Vec<&SizeSamples<'_>> =
            (0..better.len()).filter(|&index| in_doubt(index)).map(|i| self.measured[i]).collect();
        let open = raced.iter().filter(|size| size.invocations < self.auto.most);
        let fewest = open.map(|size| size.steady_count()).min().unwrap_or(0);
        raced
            .iter()
            .filter(|size| size.steady_count() <= EVEN * fewest)
            .filter_map(|size| self.auto.more(size, size.steady_count().div_ceil(2).max(2)))
            .collect()
    }

    /// More invocations for powers of the race that have few, so that the result can be sure.
    fn settle(&self, front: usize, claimed: &Certainty) -> Vec<Measurement> {
        let few = |power: Power| {
            let mut sizes = self.measured.iter();
            sizes.any(|size| size.power == power && size.steady_count() < SETTLED)
        };
        let mut raced = self.race(front, claimed);
        raced.retain(|measurement| few(measurement.power));
        raced
    }

    /// The invocations that still have to confirm a sure choice.
    fn unconfirmed(&self, front: usize) -> Vec<Measurement> {
        let rule = &self.auto.rule;
        let wide = rule.reach(&self.measured).relative_spread() > WIDE;
        let least = if wide { CONFIRMED_WIDE } else { CONFIRMED }.max(self.auto.payloads);
        let badness = badness(rule.strategy, &self.candidates);
        // If no other power is close, not even a slow environment would change the choice.
        let is_close = (0..badness.len())
            .any(|index| index != front && badness[index] < CLOSE * badness[front]);
        (0..badness.len())
            .filter(|&index| index == front || badness[index] < CLOSE * badness[front])
            .filter_map(|index| {
                let size = self.measured[index];
                let lacking = least.saturating_sub(size.steady_count());
                let alone = index == front && is_close && self.auto.lacks_environments(size);
                if alone {
                    self.auto.more_elsewhere(size, lacking)
                } else {
                    self.auto.more(size, lacking)
                }
            })
            .collect()
    }

    /// The size between measured ones with the highest promise.
    fn between(&self, front: usize) -> Option<Power> {
        let ladder = self.ladder();
        let measured = self.sizes.iter().filter(|size| !ladder.contains(&size.power)).count();
        if measured >= BETWEEN {
            return None;
        }
        let allowed = |power: Power| {
            !self.is_tried(power) && (self.auto.unnamed || self.powers.contains(power))
        };
        between::promising(&self.auto.rule, &self.measured, &self.candidates, front, allowed)
    }
}

/// True if more memory may make a function cheaper than it is at this size.
fn may_gain_beyond_proportion(size: &SizeSamples<'_>) -> bool {
    let used_mb = size.counted.iter().filter_map(|report| report.max_memory_mb).max();
    let crowded_mb = CROWDED * f64::from(size.power.mb());
    size.power.mb() < SCARCE_MB || used_mb.is_some_and(|mb| f64::from(mb) > crowded_mb)
}
