//! The state of a run, counted from its events.

use std::collections::BTreeMap;

use powertune_core::{
    observation::{Failure, Observation, Outcome},
    plan::Standing,
    power::Power,
    price::Price,
    report::Report,
};
use powertune_engine::event::Event;

#[derive(Debug, Default)]
pub(super) struct Tally {
    price: Option<Price>,
    rows: BTreeMap<Power, PowerProgress>,
    rounds: u32,
    open_ended: bool,
    applied: bool,
    standing: Option<Standing>,
}

#[derive(Debug, Default)]
pub(super) struct PowerProgress {
    /// The number of invocations that it is to have.
    pub(super) wanted: u64,
    /// The number of invocations that have ended.
    pub(super) done: u64,
    pub(super) cold_starts: u64,
    pub(super) failures: u64,
    /// The cost that they were billed.
    pub(super) cost: f64,
    pub(super) stage: PowerPhase,
    published: bool,
    warm: Mean,
    cold: Mean,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum PowerPhase {
    /// No version is published yet.
    #[default]
    Unpublished,
    /// Its version is not active yet.
    Starting,
    /// Invocations are running.
    Measuring,
    /// Lambda throttles; the reason.
    Throttled(String),
    /// All its invocations have ended.
    Done,
    /// The function does not work; the reason.
    Failed(String),
    /// The size is not available; the reason.
    Skipped(String),
}

#[derive(Debug, Default)]
struct Mean {
    count: u64,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl Tally {
    /// Counts an event; returns the size that it ended, if any.
    pub(super) fn take(&mut self, event: &Event) -> Option<Power> {
        let (power, ended) = match event {
            Event::Planned(plan) => {
                self.price = Some(plan.price);
                self.open_ended = plan.most_invocations.is_some();
                return None;
            }
            Event::RoundStarted(measurements) => {
                self.rounds += 1;
                for measurement in measurements {
                    let row = self.rows.entry(measurement.power).or_default();
                    row.wanted += u64::from(measurement.invocations);
                    row.stage =
                        if row.published { PowerPhase::Measuring } else { PowerPhase::Unpublished };
                }
                return None;
            }
            Event::Published { power, .. } => {
                let row = self.row(*power);
                row.published = true;
                (*power, row.reach(PowerPhase::Starting))
            }
            Event::Skipped(skipped) => {
                let stage = PowerPhase::Skipped(skipped.reason.clone());
                (skipped.power, self.row(skipped.power).reach(stage))
            }
            Event::Throttled { power, reason } => {
                (*power, self.row(*power).reach(PowerPhase::Throttled(reason.clone())))
            }
            Event::Observed(observation) => (observation.power, self.observed(observation)),
            Event::Standing(standing) => {
                self.standing = Some(*standing);
                return None;
            }
            Event::PowerDone(power) => (*power, self.row(*power).reach(PowerPhase::Done)),
            Event::Applied { .. } => {
                self.applied = true;
                return None;
            }
            Event::Sent(_)
            | Event::Waiting(_)
            | Event::StoppingExecution
            | Event::CleaningUp
            | Event::CleanedUp(_) => return None,
        };
        ended.then_some(power)
    }

    fn row(&mut self, power: Power) -> &mut PowerProgress {
        self.rows.entry(power).or_default()
    }

    fn observed(&mut self, Observation { power, outcome }: &Observation) -> bool {
        let price = self.price;
        let row = self.row(*power);
        row.done += 1;
        match outcome {
            Outcome::Counted(report) | Outcome::Allowed(report) => row.count(report),
            Outcome::Failed { .. } => row.failures += 1,
        }
        row.cost += price.and_then(|price| outcome.cost(*power, &price)).unwrap_or_default();
        match outcome {
            Outcome::Failed {
                failure: failure @ (Failure::Timeout | Failure::OutOfMemory),
                ..
            } => row.reach(PowerPhase::Failed(failure.to_string())),
            _ if row.done >= row.wanted => row.reach(PowerPhase::Done),
            _ => row.reach(PowerPhase::Measuring),
        }
    }

    /// True if the choice was applied.
    pub(super) fn has_applied(&self) -> bool {
        self.applied
    }

    /// The powers, smallest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Power, &PowerProgress)> {
        self.rows.iter().map(|(power, row)| (*power, row))
    }

    pub(super) fn at(&self, power: Power) -> Option<&PowerProgress> {
        self.rows.get(&power)
    }

    /// The price of the function, once it is known.
    pub(super) fn price(&self) -> Option<Price> {
        self.price
    }

    /// The cost of all invocations.
    pub(super) fn cost(&self) -> f64 {
        self.rows.values().map(|row| row.cost).sum()
    }

    /// The number of the round, if the number of rounds is not known.
    pub(super) fn open_round(&self) -> Option<u32> {
        self.open_ended.then_some(self.rounds)
    }

    /// The leading size and its confidence, once a round is over.
    pub(super) fn standing(&self) -> Option<String> {
        let Standing { front, confidence } = self.standing?;
        // A result claims no more either.
        let percents = (confidence * 100.0).floor().min(99.0);
        Some(format!("likely {front}, {percents} % sure"))
    }

    /// The number of invocations that have ended, and the number known to be needed.
    pub(super) fn progress(&self) -> (u64, u64) {
        let (done, wanted): (Vec<u64>, Vec<u64>) =
            self.rows.values().map(|row| (row.progress(), row.wanted)).unzip();
        (done.iter().sum(), wanted.iter().sum())
    }
}

impl PowerProgress {
    fn count(&mut self, report: &Report) {
        if report.start.is_cold() {
            self.cold_starts += 1;
            self.cold.add(report.total_ms());
        } else {
            self.warm.add(report.total_ms());
        }
    }

    /// Goes on to `stage`, unless the size has ended before; returns true if it ends now.
    fn reach(&mut self, stage: PowerPhase) -> bool {
        if self.has_ended() {
            return false;
        }
        self.stage = stage;
        self.has_ended()
    }

    fn has_ended(&self) -> bool {
        matches!(self.stage, PowerPhase::Done | PowerPhase::Failed(_) | PowerPhase::Skipped(_))
    }

    /// The invocations of those wanted that nobody waits for any more.
    pub(super) fn progress(&self) -> u64 {
        if self.has_ended() { self.wanted } else { self.done.min(self.wanted) }
    }

    /// The mean duration in milliseconds: of warm invocations, or of cold ones if there are no warm
    /// ones.
    pub(super) fn mean_ms(&self) -> Option<f64> {
        self.warm.value().or_else(|| self.cold.value())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use powertune_core::{
        architecture::Architecture,
        observation::{Failure, Skipped},
        plan::Measurement,
        price,
        region::Region,
        report::{Start, Status},
        warning::Warning,
    };
    use powertune_engine::event::Plan;

    use super::*;

    pub(in crate::progress) fn power(mb: u32) -> Power {
        Power::new(mb).unwrap()
    }

    /// A run with three invocations at each of 128, 512 and 10240 MB.
    pub(in crate::progress) fn planned() -> [Event; 2] {
        let measurements: Vec<Measurement> =
            [128, 512, 10_240].map(|mb| Measurement::new(power(mb), 3)).to_vec();
        let region = Region::new("us-east-1").unwrap();
        let plan = Plan {
            function_arn: "arn:aws:lambda:us-east-1:123456789012:function:resize".to_owned(),
            current: power(128),
            powers: "128,512,10240".parse().unwrap(),
            measurements: measurements.clone(),
            most_invocations: None,
            worst_cost: 0.0123,
            price: price::on_demand(&region, Architecture::X86_64).unwrap(),
            concurrency: 10,
            warnings: vec![Warning::Note("a\u{1b}[1m note".to_owned())],
        };
        [Event::Planned(plan), Event::RoundStarted(measurements)]
    }

    /// The same sizes in a run with `--num auto`.
    pub(in crate::progress) fn open_ended() -> [Event; 2] {
        let [planned, round] = planned();
        let Event::Planned(plan) = planned else { unreachable!("the plan comes first") };
        [Event::Planned(Plan { most_invocations: Some(60), ..plan }), round]
    }

    pub(in crate::progress) fn counted(mb: u32, duration_ms: f64, init_ms: Option<f64>) -> Event {
        let report = Report {
            duration_ms,
            billed_ms: 1000,
            memory_mb: mb,
            max_memory_mb: Some(41),
            start: init_ms.map_or(Start::Warm, |init_ms| Start::Cold { init_ms }),
            status: Status::Success,
        };
        Event::Observed(Observation { power: power(mb), outcome: Outcome::Counted(report) })
    }

    pub(in crate::progress) fn failed(mb: u32, failure: Failure) -> Event {
        let outcome = Outcome::Failed { failure, report: None };
        Event::Observed(Observation { power: power(mb), outcome })
    }

    fn tally() -> Tally {
        let mut tally = Tally::default();
        for event in planned() {
            assert_eq!(tally.take(&event), None);
        }
        tally
    }

    #[test]
    fn a_power_goes_from_its_version_to_its_last_invocation_and_ends_once() {
        let mut tally = tally();
        let stage = |tally: &Tally| tally.at(power(512)).unwrap().stage.clone();
        assert_eq!(stage(&tally), PowerPhase::Unpublished);
        let published = Event::Published { power: power(512), version: "1".to_owned() };
        assert_eq!(tally.take(&published), None);
        assert_eq!(stage(&tally), PowerPhase::Starting);
        assert_eq!(tally.take(&counted(512, 100.0, Some(50.0))), None);
        assert_eq!(tally.at(power(512)).unwrap().mean_ms(), Some(150.0));
        let throttled = Event::Throttled { power: power(512), reason: "busy".to_owned() };
        assert_eq!(tally.take(&throttled), None);
        assert_eq!(stage(&tally), PowerPhase::Throttled("busy".to_owned()));
        assert_eq!(tally.take(&counted(512, 90.0, None)), None);
        assert_eq!(stage(&tally), PowerPhase::Measuring);
        assert_eq!(tally.take(&counted(512, 110.0, None)), Some(power(512)));
        assert_eq!(tally.take(&Event::PowerDone(power(512))), None);

        let row = tally.at(power(512)).unwrap();
        assert_eq!((row.mean_ms(), row.cold_starts), (Some(100.0), 1));
        assert_eq!(tally.progress(), (3, 9));
        let expected = 3.0 * (0.5 * 0.000_016_666_7 + 0.000_000_2);
        assert!((tally.cost() - expected).abs() < 1e-12);
    }

    #[test]
    fn what_fails_or_is_skipped_is_not_waited_for() {
        let mut tally = tally();
        let reason = "not to be had".to_owned();
        let skipped = Event::Skipped(Skipped { power: power(10_240), reason });
        assert_eq!(tally.take(&skipped), Some(power(10_240)));
        assert_eq!(tally.take(&failed(128, Failure::Lost { why: String::new() })), None);
        assert_eq!(tally.take(&failed(128, Failure::OutOfMemory)), Some(power(128)));
        assert_eq!(tally.progress(), (6, 9));
        assert_eq!(tally.at(power(128)).unwrap().failures, 2);
    }

    #[test]
    fn another_round_asks_for_more() {
        let mut tally = tally();
        tally.take(&Event::PowerDone(power(512)));
        let more = Measurement::new(power(512), 2);
        tally.take(&Event::RoundStarted(vec![more]));
        assert_eq!(tally.at(power(512)).unwrap().wanted, 5);
        assert_eq!(tally.at(power(512)).unwrap().stage, PowerPhase::Unpublished);
        assert_eq!(tally.take(&Event::PowerDone(power(512))), Some(power(512)));
    }

    #[test]
    fn a_version_is_there_in_every_later_round() {
        let mut tally = Tally::default();
        let published = Event::Published { power: power(512), version: "1".to_owned() };
        let done = [counted(512, 1.0, None), Event::PowerDone(power(512))];
        let more = Measurement::new(power(512), 2);
        let more = Event::RoundStarted(vec![more]);
        for event in open_ended().into_iter().chain([published]).chain(done).chain([more]) {
            tally.take(&event);
        }
        assert_eq!(tally.open_round(), Some(2));
        assert_eq!(tally.at(power(512)).unwrap().stage, PowerPhase::Measuring);
    }
}
