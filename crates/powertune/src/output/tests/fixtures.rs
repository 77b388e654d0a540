//! Results of every kind.

use powertune_core::{
    architecture::Architecture,
    power::Power,
    price::PricesFrom,
    region::{Currency, Region},
    result::{
        Current, DecidedBy, Deciding, DurationStats, PowerStats, SCHEMA_VERSION, State,
        StateMachine, TuningResult,
    },
    stats::Estimate,
    stopped::Stopped,
    strategy::StrategyName,
    warning::Warning,
};

const PER_GB_SECOND: f64 = 0.000_016_666_7;
const PER_REQUEST: f64 = 0.000_000_2;

pub(super) fn power(mb: u32) -> Power {
    Power::new(mb).unwrap()
}

/// A size at which the function takes `ms`, give or take 2 %.
pub(super) fn row(mb: u32, ms: f64) -> PowerStats {
    let price = ms.ceil() / 1000.0 * f64::from(mb) / 1024.0 * PER_GB_SECOND;
    let estimate = |mean: f64, fixed: f64| Estimate {
        mean: mean + fixed,
        low: Some(mean * 0.982 + fixed),
        high: Some(mean * 1.021 + fixed),
    };
    PowerStats {
        value: power(mb),
        average_price: Some(price),
        average_duration: Some(ms),
        invocations: 10,
        cold_starts: 1,
        failures: 0,
        allowed_exceptions: 0,
        cost: Some(estimate(price, PER_REQUEST)),
        deciding: Some(Deciding {
            cost: estimate(price, 0.0),
            duration: estimate(ms, 0.0),
            limited: None,
            score: None,
        }),
        duration: Some(DurationStats {
            mean: estimate(ms, 0.0),
            p50: Some(ms * 0.99),
            p90: None,
            p95: None,
            p99: None,
        }),
        init_duration: Some(312.4 + ms / 10.0),
        max_memory_used: Some(41),
        state: State::Measured,
        reason: None,
    }
}

pub(super) fn out(mb: u32, state: State, reason: &str) -> PowerStats {
    PowerStats {
        average_price: None,
        average_duration: None,
        invocations: if state == State::Skipped { 0 } else { 3 },
        cold_starts: 0,
        failures: if state == State::Skipped { 0 } else { 2 },
        cost: None,
        deciding: None,
        duration: None,
        init_duration: None,
        max_memory_used: None,
        state,
        reason: Some(reason.to_owned()),
        ..row(mb, 1.0)
    }
}

/// A result that recommends `chosen`, with `current` as the function's power now.
pub(super) fn tuned(stats: Vec<PowerStats>, chosen: u32, current: Option<u32>) -> TuningResult {
    let at = |mb: u32| {
        let row = stats.iter().find(|row| row.value == power(mb)).unwrap();
        (row.average_price.unwrap(), row.average_duration.unwrap())
    };
    let (cost, duration) = at(chosen);
    let current = current.map(|mb| {
        let (cost, duration) = at(mb);
        Current { power: power(mb), cost, duration }
    });
    TuningResult {
        power: power(chosen),
        cost,
        duration,
        state_machine: StateMachine {
            execution_cost: 0.0,
            lambda_cost: 0.001_23,
            visualization: "https://lambda-power-tuning.show/#gAAAAQ==;AACAQQAACEE=;nFNJNr03BjY="
                .to_owned(),
        },
        schema_version: SCHEMA_VERSION,
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:resize".to_owned(),
        architecture: Architecture::X86_64,
        region: Region::new("us-east-1").unwrap(),
        currency: Currency::Usd,
        prices_published: "2026-09-19".to_owned(),
        prices_from: PricesFrom::BuiltIn,
        prices_fetched: None,
        prices_file: None,
        strategy: StrategyName::Cost,
        balanced_weight: None,
        max_duration: None,
        percentile: None,
        limit_kept: None,
        decided_by: DecidedBy::AveragePrice,
        confidence: Some(0.984),
        indifference: 0.03,
        unmeasured: Vec::new(),
        not_tried: Vec::new(),
        min_confidence: None,
        ties: Vec::new(),
        savings: current.as_ref().map(|current| 1.0 - cost / current.cost),
        current,
        invocations: stats.iter().map(|row| u64::from(row.invocations)).sum(),
        exploration_cost: 0.001_23,
        elapsed_ms: 8_340,
        stopped: Stopped::NumReached,
        complete: true,
        applied: None,
        warnings: Vec::new(),
        stats,
    }
}

/// Sets each size's duration at the percentile of the limit to a multiple of its mean.
pub(super) fn limit_known(tuned: &mut TuningResult, times: f64) {
    for row in &mut tuned.stats {
        let figures = row.deciding.as_mut().expect("a measured size");
        figures.limited = Some(figures.duration.mean * times);
    }
}

/// A CPU-bound function, a little cheaper in the middle.
pub(super) fn curve() -> Vec<PowerStats> {
    [(128, 1841.0), (256, 873.0), (512, 411.6), (1024, 199.7), (1769, 120.3), (3008, 118.2)]
        .map(|(mb, ms)| row(mb, ms))
        .to_vec()
}

pub(super) fn typical() -> TuningResult {
    tuned(curve(), 1024, Some(128))
}

/// The result of a run with `--num auto`.
pub(super) fn by_itself(mut result: TuningResult) -> TuningResult {
    for row in &mut result.stats {
        if let (Some(figures), Some(cost), Some(duration)) =
            (&mut row.deciding, row.cost, row.duration)
        {
            (figures.cost, figures.duration) = (cost, duration.mean);
        }
    }
    TuningResult { decided_by: DecidedBy::CostMean, stopped: Stopped::Confident, ..result }
}

/// A function that costs 1 % more at 256 MB than at 128 MB, and takes half the time.
pub(super) fn doubling() -> Vec<PowerStats> {
    vec![row(128, 1000.0), row(256, 505.0), row(512, 400.0)]
}

pub(super) fn with_everything() -> TuningResult {
    let mut stats = curve();
    for row in &mut stats {
        let duration = row.duration.as_mut().unwrap();
        duration.p90 = Some(duration.mean.mean * 1.03);
        duration.p95 = Some(duration.mean.mean * 1.06);
    }
    stats[0] = out(128, State::Failed, "the function ran out of memory");
    stats[1] = out(
        256,
        State::Failed,
        "the function failed with Error: \u{1b}[31mno `such` | \"file\",\n\u{202e}at @team <img \
         src=x> and a good deal more, so that it takes another line",
    );
    stats[3].failures = 1;
    stats[4].allowed_exceptions = 2;
    stats.push(out(5000, State::Skipped, "this account stops at 3008 MB"));
    stats.push(out(10_240, State::Skipped, "this account stops at 3008 MB"));
    let mut result = tuned(stats, 1024, Some(512));
    result.ties = vec![power(512), power(1769)];
    result.not_tried = vec![power(2048)];
    result.confidence = Some(0.731);
    result.warnings = vec![
        Warning::SomeFailed { powers: vec![power(1024)], first: "a|\u{7}b".to_owned() }.to_string(),
        Warning::BeyondHost { powers: vec![power(3008)], vcpus: 1.0 }.to_string(),
    ];
    result
}
