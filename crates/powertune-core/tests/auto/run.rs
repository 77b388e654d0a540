//! Drives the planner with a simulated function.

use std::collections::BTreeMap;

use powertune_core::{
    analysis::{NothingMeasured, Subject, analyse},
    architecture::Architecture,
    observation::{Evidence, Observation, Outcome},
    plan::{Decision, Planner, Round},
    power::{Power, PowerValues, default_values},
    price,
    region::Region,
    report::{Report, Start, Status},
    request::{Request, parse},
    result::TuningResult,
    stopped::Stopped,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::{Value, json};

/// One invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invocation {
    pub(crate) power: Power,
    /// The number of the invocation at its power, from 0.
    pub(crate) number: u32,
    /// The number of the environment at its power, from 0.
    pub(crate) environment: u32,
    /// True for the first invocation in its environment.
    pub(crate) cold: bool,
}

pub(crate) trait Function {
    /// The outcome of an invocation.
    fn invoke(&self, invocation: Invocation, rng: &mut ChaCha8Rng) -> Outcome;
}

/// A finished run.
pub(crate) struct Run {
    pub(crate) rounds: Vec<Round>,
    pub(crate) seen: Evidence,
    pub(crate) stopped: Stopped,
    pub(crate) result: Result<TuningResult, NothingMeasured>,
}

impl Run {
    pub(crate) fn result(&self) -> &TuningResult {
        self.result.as_ref().expect("something was measured")
    }

    pub(crate) fn invocations(&self, mb: u32) -> u32 {
        let power = Power::new(mb).expect("a power");
        u32::try_from(self.seen.at(power).count()).expect("few")
    }
}

/// A checked request with these fields and a function.
pub(crate) fn request(fields: Value) -> Request {
    let mut request = json!({ "lambdaARN": "fn", "num": "auto" });
    let (Value::Object(map), Value::Object(more)) = (&mut request, fields) else {
        panic!("both are objects");
    };
    map.extend(more);
    parse(map).expect("a good request")
}

pub(crate) fn subject() -> Subject {
    let region = Region::new("us-east-1").expect("a region");
    let price = price::on_demand(&region, Architecture::X86_64).expect("a known price");
    Subject {
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:fn".to_owned(),
        region,
        architecture: Architecture::X86_64,
        current: Power::MIN,
        powers: default_values(),
        price,
        origin: price::Origin::default(),
    }
}

/// Runs a request to its end.
pub(crate) fn run(request: &Request, function: &dyn Function, seed: u64) -> Run {
    let powers: PowerValues = request.powers.clone().unwrap_or_else(default_values);
    let subject = subject();
    let planner = Planner::new(request, subject.price, subject.current, powers);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut seen, mut rounds) = (Evidence::default(), Vec::new());
    let mut environments: BTreeMap<Power, u32> = BTreeMap::new();
    let stopped = loop {
        let round = match planner.next(&seen) {
            Decision::Done(stopped) => break stopped,
            Decision::Measure(round) => round,
        };
        assert!(rounds.len() < 100, "it goes on and on");
        assert!(!round.measurements.is_empty(), "a round without anything to do");
        let most = round.measurements.iter().map(|m| m.invocations).max().unwrap_or(0);
        // Side by side, as in the engine.
        for turn in 0..most {
            for measurement in round.measurements.iter().filter(|m| turn < m.invocations) {
                let power = measurement.power;
                let number = u32::try_from(seen.at(power).count()).expect("few");
                let cold = number == 0 || measurement.fresh && turn == 0;
                let environments = environments.entry(power).or_default();
                *environments += u32::from(cold);
                let environment = *environments - 1;
                let invocation = Invocation { power, number, environment, cold };
                let outcome = function.invoke(invocation, &mut rng);
                seen.observations.push(Observation { power, outcome });
            }
        }
        seen.rounds += 1;
        rounds.push(round);
    };
    let result = analyse(request, &subject, &seen, stopped, Vec::new());
    Run { rounds, seen, stopped, result }
}

/// A counted invocation of this duration.
pub(crate) fn counted(Invocation { power, cold, .. }: Invocation, duration_ms: f64) -> Outcome {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, small")]
    let billed_ms = (duration_ms.ceil() as u64).max(1);
    Outcome::Counted(Report {
        duration_ms,
        billed_ms,
        memory_mb: power.mb(),
        max_memory_mb: Some(64),
        start: if cold { Start::Cold { init_ms: 150.0 } } else { Start::Warm },
        status: Status::Success,
    })
}
