//! The policy `auto`: measures as much as the answer needs.
//!
//! Powers are looked at from the cheap end, a few invocations each, until a bound says that what is
//! left can't win. Then they race: each round adds invocations where the doubt is, at the power in
//! front and at those that may still be better by more than the indifference zone, until none may
//! at 95 %. A choice that is sure is confirmed where it rests on a handful of samples, a size
//! between two measured ones is measured too where the curve promises more, and at last the race
//! goes on for a little where the result would not call itself sure yet.
//!
//! This is the elimination of Even-Dar, Mannor and Mansour ("Action Elimination and Stopping
//! Conditions for the Multi-Armed Bandit and Reinforcement Learning Problems", Journal of Machine
//! Learning Research 7, 2006), with draws of what the powers may truly be in the place of its
//! bounds, which hold for everything and need hundreds of samples.
//!
//! The constants were chosen on published measurements, held against each other by source;
//! docs/how-it-decides.md has the figures and how little most of them matter.

use super::{Decision, Measurement, Round, Standing, Stopped, between};
use crate::{
    analysis::{
        certainty::{Certainty, Drawn, Rule},
        row::{Counting, Row},
        rows,
    },
    observation::Evidence,
    power::{Power, PowerValues},
    price::Price,
    request::{Pace, Request, samples_for},
    strategy::{Candidate, Strategy, badness},
};

/// Invocations of a first look that are to count.
const START: u32 = 4;
/// Environments that the power in front is measured in, where it has one at a time and another
/// power is close.
const ENVIRONMENTS: usize = 2;
/// Powers of the first round.
const FIRST_POWERS: usize = 3;
/// The confidence that is enough.
const CONFIDENCE: f64 = 0.95;
/// A power is raced on while it may be better with more than this probability.
const DOUBT: f64 = 0.01;
/// Of the powers in doubt, those are raced on that are doubted by this share of the most doubted.
const FOCUS: f64 = 0.3;
/// A power is left out of a round while it has this many times the invocations of another.
const EVEN: u32 = 2;
/// The least invocations that a sure choice rests on,
const CONFIRMED: u32 = 4;
/// and where they vary by more than [`WIDE`]: a tight handful may have missed what makes the
/// function slow now and then.
const CONFIRMED_WIDE: u32 = 15;
/// A standard deviation, by the mean.
const WIDE: f64 = 0.5;
/// A power that is worse than the choice by this factor needs no confirmation.
const CLOSE: f64 = 1.25;
/// A choice that the race is sure of and the result would not call sure is raced on while a power
/// has fewer invocations than this. It is soon sure by then, or it takes very many.
const SETTLED: u32 = 10;
/// More memory brings CPU in proportion, so that a function gets no cheaper by it; but for this
/// factor, which leaves room for what memory itself is good for.
const ALLOWANCE: f64 = 0.9;
/// How sure the bound has to be: what it rules out is allowed for already.
const BOUND: f64 = 0.8;
/// Below this, CPU is so scarce that more of it can speed a function up beyond proportion.
const SCARCE_MB: u32 = 512;
/// The same where an invocation used more than this share of the memory.
const CROWDED: f64 = 0.8;
/// More powers than this are not raced all together,
const FEW: usize = 8;
/// but at first those that are this factor apart.
const COARSE: f64 = 1.5;
/// Sizes between measured ones that are measured too, at most.
pub(super) const BETWEEN: usize = 2;
/// However little a round comes to, there are no more than this.
const ROUNDS: u32 = 60;

/// The policy's settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Auto {
    rule: Rule,
    counting: Counting,
    /// Whether a power's invocations follow each other, in the same environment.
    series: bool,
    /// The power that the function has now: what a choice saves is known only beside it.
    current: Power,
    /// The most invocations a power.
    most: u32,
    /// Whether sizes may be measured that were not named.
    unnamed: bool,
    /// How many invocations it takes until each payload was sent.
    payloads: u32,
}

/// What is known at one step.
struct Look<'a> {
    auto: &'a Auto,
    powers: &'a PowerValues,
    seen: &'a Evidence,
    rows: &'a [Row<'a>],
    /// The rows of powers that work.
    measured: Vec<&'a Row<'a>>,
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
        let rows = rows(seen, self.counting);
        let measured: Vec<&Row<'_>> = rows.iter().filter(|row| row.works()).collect();
        let candidates = measured.iter().map(|row| self.rule.candidate(row)).collect();
        let drawn = self.rule.draw_for_race(&measured);
        let look = Look { auto: self, powers, seen, rows: &rows, measured, candidates, drawn };
        match look.wanted() {
            Ok(mut measurements) if seen.rounds < ROUNDS => {
                measurements.sort_by_key(|measurement| measurement.power);
                Decision::Measure(Round { number: seen.rounds + 1, measurements })
            }
            Ok(_) => Decision::Done(Stopped::MostReached),
            Err(stopped) => Decision::Done(stopped),
        }
    }

    /// The power that would be chosen now, and how sure that would be.
    pub(super) fn standing(&self, seen: &Evidence) -> Option<Standing> {
        let rows = rows(seen, self.counting);
        let measured: Vec<&Row<'_>> = rows.iter().filter(|row| row.works()).collect();
        let candidates: Vec<Candidate> =
            measured.iter().map(|row| self.rule.candidate(row)).collect();
        let front = self.rule.choose(&candidates)?;
        let certainty = self.rule.certainty(&self.rule.draw(&measured), front);
        Some(Standing { front: measured[front].power, confidence: certainty.confidence })
    }

    /// How many invocations have to count before a power takes part.
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

    /// So many more invocations of a power, as far as it may have them; `None` where those are none.
    fn more(&self, row: &Row<'_>, invocations: u32) -> Option<Measurement> {
        let invocations = invocations.min(self.most.saturating_sub(row.invocations));
        (invocations > 0).then_some(Measurement::new(row.power, invocations))
    }

    /// So many more that count, and at least one, in an environment that was not there before: one
    /// that is slow by chance is to be noticed. Its first invocation is a cold start.
    fn more_elsewhere(&self, row: &Row<'_>, invocations: u32) -> Option<Measurement> {
        let more = self.more(row, invocations.max(1) + 1)?;
        // A warm-up alone would tell nothing.
        Some(Measurement { fresh: more.invocations > 1, ..more })
    }

    /// Whether a power should be measured in another environment; where no cold start is ever seen,
    /// there is no telling.
    fn lacks_environments(&self, row: &Row<'_>) -> bool {
        let told = row.is_warm() && row.cold_starts() > 0;
        self.series && told && row.environments().len() < ENVIRONMENTS
    }
}

impl Look<'_> {
    /// What to measure next, or why nothing.
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
        if self.rows.iter().any(Row::is_unmeasured) {
            // A power that could not be measured may be better.
            return Err(Stopped::MostReached);
        }
        Err(Stopped::Confident)
    }

    /// More for powers that were looked at and have too few invocations that count.
    fn short(&self) -> Vec<Measurement> {
        let short = |row: &Row<'_>| {
            // What fails more often than it counts is not asked for again and again.
            let hopeless = row.failures.len() > START as usize;
            if row.is_condemned() || hopeless && !row.works() {
                return None;
            }
            let counted = if row.is_warm() || self.auto.counting.only_cold_starts {
                row.steady_count()
            } else {
                0
            };
            let start = if self.auto.rule.breaks_limit(row) { START } else { self.auto.start() };
            self.auto.more(row, start.saturating_sub(counted))
        };
        self.rows.iter().filter_map(short).collect()
    }

    /// The powers that are raced, in the order in which they are looked at: from the end where the
    /// winner is likely and where what loses can be told early.
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
        if self.auto.rule.strategy == Strategy::Speed {
            ladder.reverse();
        }
        ladder
    }

    fn is_tried(&self, power: Power) -> bool {
        self.rows.iter().any(|row| row.power == power)
            || self.seen.skipped.iter().any(|skipped| skipped.power == power)
    }

    /// The powers to look at next.
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

    /// Whether neither `next` nor what comes after it on the ladder can win.
    fn is_ruled_out(&self, next: Power) -> bool {
        let measured = &self.measured;
        let last = match self.auto.rule.strategy {
            Strategy::Cost | Strategy::MaxDuration { .. } => measured
                .iter()
                .rposition(|row| row.power < next)
                .filter(|&last| !may_gain_beyond_proportion(measured[last])),
            // More memory is not slower.
            Strategy::Speed => measured.iter().position(|row| row.power > next),
            Strategy::Balanced { .. } => None,
        };
        let allowance = ALLOWANCE / (1.0 + self.auto.rule.tolerance);
        last.is_some_and(|last| {
            self.auto.rule.certainty_of_worse(&self.drawn, last, allowance) >= BOUND
        })
    }

    /// More invocations for the power in front and for those that may still be better.
    fn race(&self, front: usize, certainty: &Certainty) -> Vec<Measurement> {
        let better = &certainty.better;
        let likeliest = (0..better.len())
            .filter(|&index| index != front)
            .max_by(|&a, &b| better[a].total_cmp(&better[b]));
        let doubt = likeliest.map_or(0.0, |index| DOUBT.max(better[index] * FOCUS));
        let in_doubt =
            |index: usize| index == front || Some(index) == likeliest || better[index] > doubt;
        let raced: Vec<&Row<'_>> =
            (0..better.len()).filter(|&index| in_doubt(index)).map(|i| self.measured[i]).collect();
        let open = raced.iter().filter(|row| row.invocations < self.auto.most);
        let fewest = open.map(|row| row.steady_count()).min().unwrap_or(0);
        raced
            .iter()
            .filter(|row| row.steady_count() <= EVEN * fewest)
            .filter_map(|row| self.auto.more(row, row.steady_count().div_ceil(2).max(2)))
            .collect()
    }

    /// More invocations for what is raced and has had few, so that the result can call itself sure.
    fn settle(&self, front: usize, claimed: &Certainty) -> Vec<Measurement> {
        let few = |power: Power| {
            let mut rows = self.measured.iter();
            rows.any(|row| row.power == power && row.steady_count() < SETTLED)
        };
        let mut raced = self.race(front, claimed);
        raced.retain(|measurement| few(measurement.power));
        raced
    }

    /// What a sure choice is still to be confirmed with.
    fn unconfirmed(&self, front: usize) -> Vec<Measurement> {
        let rule = &self.auto.rule;
        let wide = rule.reach(&self.measured).relative_spread() > WIDE;
        let least = if wide { CONFIRMED_WIDE } else { CONFIRMED }.max(self.auto.payloads);
        let badness = badness(rule.strategy, &self.candidates);
        // Where nothing else is close, no environment is so slow that it would change the choice.
        let is_close = (0..badness.len())
            .any(|index| index != front && badness[index] < CLOSE * badness[front]);
        (0..badness.len())
            .filter(|&index| index == front || badness[index] < CLOSE * badness[front])
            .filter_map(|index| {
                let row = self.measured[index];
                let lacking = least.saturating_sub(row.steady_count());
                let alone = index == front && is_close && self.auto.lacks_environments(row);
                if alone {
                    self.auto.more_elsewhere(row, lacking)
                } else {
                    self.auto.more(row, lacking)
                }
            })
            .collect()
    }

    /// A size between measured ones that promises to be better.
    fn between(&self, front: usize) -> Option<Power> {
        let ladder = self.ladder();
        let measured = self.rows.iter().filter(|row| !ladder.contains(&row.power)).count();
        if measured >= BETWEEN {
            return None;
        }
        let allowed = |power: Power| {
            !self.is_tried(power) && (self.auto.unnamed || self.powers.contains(power))
        };
        between::promising(&self.auto.rule, &self.measured, &self.candidates, front, allowed)
    }
}

/// Whether more memory may make a function cheaper than this power does.
fn may_gain_beyond_proportion(row: &Row<'_>) -> bool {
    let used_mb = row.counted.iter().filter_map(|report| report.max_memory_mb).max();
    let crowded_mb = CROWDED * f64::from(row.power.mb());
    row.power.mb() < SCARCE_MB || used_mb.is_some_and(|mb| f64::from(mb) > crowded_mb)
}
