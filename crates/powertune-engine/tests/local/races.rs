//! Runs that begin at the same time, with slow calls and answers.
//!
//! `POWERTUNE_RACES` is the number of races of each size, over all settings; without it there is
//! one race of each size and setting.

use std::{env, time::Duration};

use futures::{StreamExt, future::join_all, stream};
use powertune_engine::{
    error::{Cause, TuneError},
    run::Ending,
};
use powertune_local::{Moves, Revisions, Settings};
use serde_json::{Value, json};

use crate::bench::Bench;

/// The longest delay of a call, and of its answer.
const LATENCY: Duration = Duration::from_millis(50);

/// The numbers of simultaneous runs.
const SIZES: [usize; 3] = [2, 3, 5];

/// The number of Lambdas with races at the same time: a race mostly waits.
const AT_ONCE: usize = 4;

/// Every combination of effects that tags and publishing may have on AWS.
fn settings() -> Vec<Revisions> {
    let moves = |bits: u32| Moves { revision_id: bits & 1 != 0, last_modified: bits & 2 != 0 };
    let all = (0..16).map(|bits| Revisions { tagging: moves(bits), publishing: moves(bits >> 2) });
    all.collect()
}

/// The endings of the runs of a race.
#[derive(Debug, Default)]
struct Count {
    races: usize,
    /// Runs that saw another run's tags at once.
    refused: usize,
    /// Runs that announced themselves and left again.
    left: usize,
}

/// Runs a race; `fields` are added to every run's request.
async fn race(bench: &Bench, runs: usize, fields: &Value, count: &mut Count) {
    let before = bench.footprint().await;
    let endings = join_all((0..runs).map(|_| bench.tune(fields.clone()))).await;
    let mut gone_on = 0;
    for ending in &endings {
        match ending {
            Ok(Ending::Tuned(_)) => gone_on += 1,
            Err(TuneError::NotBegun(Cause::Rival { .. })) => count.left += 1,
            Err(TuneError::NotBegun(Cause::Marked { .. })) => count.refused += 1,
            other => panic!("a run of {runs} ended with {other:?}"),
        }
    }
    assert_eq!(gone_on, 1, "{endings:?}");
    assert_eq!(bench.footprint().await, before);
    count.races += 1;
}

/// Runs so many races of each size on a Lambda with this setting.
async fn races(revisions: Revisions, races: [usize; SIZES.len()]) -> [Count; SIZES.len()] {
    let settings = Settings { revisions, latency: LATENCY, ..Settings::default() };
    let bench = Bench::with("return 1", settings).await;
    let fields = json!({"powerValues": [128, 256, 512]});
    let mut counts = SIZES.map(|_| Count::default());
    for ((size, races), count) in SIZES.iter().zip(races).zip(&mut counts) {
        for _ in 0..races {
            race(&bench, *size, &fields, count).await;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn of_runs_at_the_same_time_exactly_one_goes_on() {
    let asked: Option<usize> =
        env::var("POWERTUNE_RACES").ok().and_then(|races| races.parse().ok());
    let settings = settings().into_iter().enumerate().map(|(nth, revisions)| {
        // Without a number, the settings take turns with the sizes.
        let turn = SIZES.map(|size| usize::from(nth % SIZES.len() == size % SIZES.len()));
        races(revisions, asked.map_or(turn, |asked| SIZES.map(|_| asked.div_ceil(16))))
    });
    let counts: Vec<_> = stream::iter(settings).buffer_unordered(AT_ONCE).collect().await;
    for (nth, size) in SIZES.iter().enumerate() {
        let sum = |of: fn(&Count) -> usize| counts.iter().map(|counts| of(&counts[nth])).sum();
        let (races, left, refused): (usize, usize, usize) =
            (sum(|count| count.races), sum(|count| count.left), sum(|count| count.refused));
        println!(
            "figure: {size} runs at the same time: in {races} of {races} races exactly one went on, \
             and the function was as before ({left} runs announced themselves and left, {refused} \
             saw the other's tags at once)"
        );
        assert!(races > 0 && left > 0, "the runs must meet");
    }
}

/// A run that measures only the function's own memory size makes a real change first, too.
#[tokio::test(flavor = "multi_thread")]
async fn runs_of_the_own_size_alone_exclude_each_other() {
    let settings = Settings { latency: LATENCY, ..Settings::default() };
    let bench = Bench::with("return 1", settings).await;
    let mut count = Count::default();
    for _ in 0..4 {
        race(&bench, 2, &json!({"powerValues": [256]}), &mut count).await;
    }
}
