use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::*;
use crate::{
    backlog::Task,
    budget::{CostLedger, ReserveOutcome},
    dry_run::DryRun,
    observation::{Evidence, Observation, Outcome},
    power::Power,
    report::{Report, Start, Status},
    request::parse,
    workflow::state::{Caught, Execution, RunContext, TunedFunction},
};

mod losses;

const PAGE: &str = "https://example.org/";

fn fields(more: Value) -> Map<String, Value> {
    let request = json!({ "lambdaARN": "fn", "num": 30, "powerValues": [128, 512, 1024] });
    let (Value::Object(mut fields), Value::Object(more)) = (request, more) else {
        panic!("both are objects");
    };
    fields.extend(more);
    fields
}

fn begun(more: Value) -> RunState {
    let request = fields(more);
    let checked = parse(&request).expect("a good request");
    let powers = checked.powers.clone().expect("the powers are named");
    let run = RunContext {
        execution: Execution {
            id: "arn".to_owned(),
            start_time: "2026-01-01T00:00:00Z".to_owned(),
        },
        request,
        function: TunedFunction {
            arn: "arn:aws:lambda:us-east-1:123456789012:function:fn".to_owned(),
            region: "us-east-1".parse().expect("a region"),
            architecture: crate::architecture::Architecture::X86_64,
            power: Power::MIN,
            current: Power::MIN,
            ephemeral_storage_mb: 512,
            code_sha256: None,
            revision_id: None,
        },
        powers,
        mark: "mark".to_owned(),
        until: "2026-01-01T01:00:00Z".to_owned(),
        width: 10,
        in_flight: 4,
        longest_ms: 3000,
        longest_billed_ms: 13_000,
        worst_cost: 0.1,
        max_cost: checked.max_cost,
        digest_bytes: 20_000,
        alias_at: None,
        notes: vec!["worth knowing".to_owned()],
    };
    let planner = run.planner(&checked).expect("a price");
    let Decision::Measure(round) = planner.next(&Evidence::default()) else {
        panic!("the first step measures");
    };
    let mut state = RunState::begin(run, &round.measurements).expect("a price");
    publish(&mut state);
    state
}

fn publish(state: &mut RunState) {
    let tasks = state.backlog.tasks.iter().chain(&state.backlog.waiting);
    let known = tasks.filter_map(|task| task.version.as_ref()?.parse().ok()).max();
    let mut last = known.unwrap_or(0).max(state.backlog.last_used);
    for power in state.backlog.unpublished(state.run.function.power) {
        last += 1;
        state.backlog.published(power, last.to_string());
    }
    state.used.publish();
}

/// Invocation `number` at a power. More memory makes it shorter, and no two are equal.
fn observed(power: Power, number: u32, start: Start) -> Observation {
    let duration_ms = 400_000.0 / f64::from(power.mb().min(600)) + f64::from(number * 7 % 13);
    let before = if let Start::Cold { init_ms } = start { init_ms } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    let billed_ms = (duration_ms + before).ceil() as u64;
    let report = Report {
        duration_ms,
        billed_ms,
        memory_mb: power.mb(),
        max_memory_mb: Some(40),
        start,
        status: Status::Success,
    };
    Observation { power, outcome: Outcome::Counted(report) }
}

/// The outcome of invocation `number` at a power. The flag marks the first in an environment.
type Function = fn(Power, u32, bool) -> Observation;

fn steady(power: Power, number: u32, _: bool) -> Observation {
    observed(power, number, Start::Warm)
}

/// Takes up to a fifth longer, so that one look is not enough to be sure.
fn unsteady(power: Power, number: u32, first: bool) -> Observation {
    let start = if first { Start::Cold { init_ms: 100.0 } } else { Start::Warm };
    let mut observation = observed(power, number, start);
    if let Outcome::Counted(report) = &mut observation.outcome {
        let tenths = 10 + u64::from(number * 5 % 3);
        report.billed_ms = (report.billed_ms * tenths).div_ceil(10);
        report.duration_ms *= tenths as f64 / 10.0;
    }
    observation
}

/// At most `most` invocations of a task, passed through JSON as between two states.
fn measure(state: &RunState, task: &Task, most: u32) -> MeasureOutput {
    measure_of(steady, state, task, most)
}

fn measure_of(function: Function, state: &RunState, task: &Task, most: u32) -> MeasureOutput {
    let request = state.run.request().expect("a good request");
    let count = batch(task, state.run.in_flight, request.only_cold_starts).min(most);
    let first = task.first + task.sent;
    let is_new =
        !state.backlog.versions.iter().any(|known| Some(&known.1) == task.version.as_ref());
    let observations: Vec<Observation> = (first..first + count)
        .map(|number| function(task.power, number, is_new && number == first))
        .collect();
    let digest = Digest::of(task.power, &observations).within(state.run.digest_bytes);
    through_json(&MeasureOutput {
        task: task.clone(),
        digest: Some(digest),
        failed: None,
        lost: None,
    })
}

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("JSON");
    assert!(text.len() < 262_144, "{}", text.len());
    serde_json::from_str(&text).expect("the same again")
}

/// Runs the states to the end, in batches of at most `most` invocations.
fn run(mut state: RunState, most: u32) -> RunState {
    loop {
        state.measured =
            state.backlog.tasks.iter().map(|task| measure(&state, task, most)).collect();
        state = decide(through_json(&state), 1234, PAGE).expect("a decision");
        match state.next {
            Some(Next::Measure) => {}
            Some(Next::Publish) => publish(&mut state),
            _ => return state,
        }
    }
}

#[test]
fn batches_of_any_size_come_to_the_same_result() {
    let state = begun(json!({}));
    let mut results = Vec::new();
    for (most, waves) in [(30, 1), (8, 4)] {
        let ended = run(state.clone(), most);
        assert_eq!(ended.next, Some(Next::Clean));
        let mut result = ended.result.unwrap();
        // Initialize and Publish, then per wave the Map, three powers, Decide and the choice, then
        // Clean.
        let cost = f64::from(2 + 6 * waves + 1) * 0.000_025;
        assert_eq!(result["stateMachine"]["executionCost"].take(), json!(cost));
        assert_eq!(result["elapsedMs"], 1234);
        assert_eq!(result["stopped"], "numReached");
        assert_eq!(result["warnings"], json!(["worth knowing"]));
        results.push(result);
    }
    assert_eq!(results[0], results[1]);
}

#[test]
fn rounds_of_auto_go_on_where_the_last_one_ended() {
    let mut state = begun(json!({"num": "auto"}));
    let mut published: BTreeMap<Power, BTreeSet<String>> = BTreeMap::new();
    let (mut waves, mut publishings) = (0, 1);
    let ended = loop {
        for task in &state.backlog.tasks {
            let version = task.version.clone().expect("it was published");
            published.entry(task.power).or_default().insert(version);
        }
        let measured = |task| measure_of(unsteady, &state, task, 60);
        state.measured = state.backlog.tasks.iter().map(measured).collect();
        waves += 1;
        state = decide(through_json(&state), 1234, PAGE).expect("a decision");
        match state.next {
            Some(Next::Measure) => {}
            Some(Next::Publish) => {
                publishings += 1;
                assert!(state.backlog.tasks.iter().any(|task| task.version.is_none()));
                publish(&mut state);
            }
            _ => break state,
        }
    };
    assert!(waves > publishings, "{waves} waves, {publishings} publishings");
    assert!(published.values().all(|versions| versions.len() <= 2), "{published:?}");
    assert!(published.values().any(|versions| versions.len() == 2), "{published:?}");
    let result = ended.result.unwrap();
    assert_eq!(result["stopped"], "confident");
}

fn spent(result: &Value) -> f64 {
    result["explorationCost"].as_f64().expect("a cost")
}

#[test]
fn a_cost_that_is_not_to_be_exceeded_ends_measuring_with_what_there_is() {
    let state = begun(json!({}));
    let worst = |mb: u32| {
        let power = Power::new(mb).expect("a power");
        state.run.tariff().expect("a price").worst(power)
    };
    for (most, rows) in [(worst(128), 1), (2.0 * worst(1024), 3), (100.0 * worst(1024), 3)] {
        let state = begun(json!({ "maxCost": most }));
        for portion in [1, 7, 30] {
            let result = run_within_budgets(state.clone(), portion).result.expect("a result");
            assert!(spent(&result) <= most, "{} of {most}", spent(&result));
            assert_eq!(result["stats"].as_array().map(Vec::len), Some(rows), "{most}");
            let all = result["invocations"] == 90;
            assert_eq!(result["stopped"], if all { "numReached" } else { "costReached" });
            assert_eq!(result["warnings"].to_string().contains("maxCost"), !all);
        }
    }
}

/// Runs the states to the end. Each batch stays within its budget.
fn run_within_budgets(mut state: RunState, most: u32) -> RunState {
    loop {
        let tariff = state.run.tariff().expect("a price");
        let within = |task: &Task| {
            let mut account = CostLedger::new(task.budget);
            let worst = tariff.worst(task.power);
            let mut sent = 0;
            while sent < most.min(task.left()) && account.reserve(worst) == ReserveOutcome::Reserved
            {
                let number = task.first + task.sent + sent;
                let seen = observed(task.power, number, Start::Warm);
                account.settle(worst, tariff.charged(task.power, &seen.outcome));
                sent += 1;
            }
            assert!(sent > 0, "every portion has room for one");
            measure(&state, task, sent)
        };
        state.measured = state.backlog.tasks.iter().map(within).collect();
        state = decide(through_json(&state), 0, PAGE).expect("a decision");
        match state.next {
            Some(Next::Measure) => {}
            Some(Next::Publish) => publish(&mut state),
            _ => return state,
        }
    }
}

#[test]
fn more_samples_than_fit_decide_the_same_within_what_histograms_leave_open() {
    let mut state = begun(json!({"num": 1000}));
    let exact = run(
        RunState { run: RunContext { digest_bytes: 80_000, ..state.run.clone() }, ..state.clone() },
        1000,
    );
    state.run.digest_bytes = 3000;
    let coarse = run(state, 300);
    let [exact, coarse] = [exact, coarse].map(|state| state.result.expect("a result"));
    assert_eq!(coarse["power"], exact["power"]);
    // Sums are exact except for the order of addition.
    for (field, within) in [("cost", 0.005), ("duration", 0.005), ("explorationCost", 1e-12)] {
        let ratio = coarse[field].as_f64().unwrap() / exact[field].as_f64().unwrap();
        assert!((ratio - 1.0).abs() < within, "{field} {ratio}");
    }
    assert_eq!(coarse["invocations"], 3000);
}

#[test]
fn few_powers_at_a_time_wait_for_each_other() {
    let mut state = begun(json!({}));
    state.run.width = 2;
    // Publish has published for the waiting powers, too.
    state.line_up().expect("a price");
    assert_eq!((state.backlog.tasks.len(), state.backlog.waiting.len()), (2, 1));
    let ended = run(state, 30);
    assert_eq!(ended.result.unwrap()["invocations"], 90);
}

#[test]
fn cold_starts_alone_get_fresh_versions_within_a_bound() {
    let mut state = begun(json!({"onlyColdStarts": true, "num": 10}));
    let mut portions = 0;
    let ended = loop {
        // Every second invocation is warm, and is requested again.
        let measured = |task: &Task| {
            assert!(task.version.is_some());
            let observations: Vec<Observation> = (0..4)
                .map(|number| {
                    let cold = Start::Cold { init_ms: 80.0 };
                    let start = if number % 2 == 0 { cold } else { Start::Warm };
                    observed(task.power, number, start)
                })
                .collect();
            let digest = Some(Digest::of(task.power, &observations));
            MeasureOutput { task: task.clone(), digest, failed: None, lost: None }
        };
        state.measured = state.backlog.tasks.iter().map(measured).collect();
        portions += 1;
        state = decide(state, 0, PAGE).expect("a decision");
        match state.next {
            Some(Next::Publish) => publish(&mut state),
            Some(Next::Measure) => panic!("a used version has warm environments"),
            _ => break state,
        }
    };
    // Two cold starts per batch: ten take five batches.
    assert_eq!(portions, 5);
    let result = ended.result.unwrap();
    assert_eq!(result["stats"][0]["coldStarts"], 10);
}

#[test]
fn a_full_history_ends_measuring_with_what_there_is() {
    let mut state = begun(json!({}));
    state.used.events = 19_940;
    let ended = run(state, 10);
    let result = ended.result.unwrap();
    assert_eq!(result["stopped"], "historyFull");
    assert_eq!(result["invocations"], 30);
    assert!(result["warnings"].to_string().contains("history"), "{}", result["warnings"]);
}

#[test]
fn a_version_that_never_gets_ready_is_given_up() {
    let mut state = begun(json!({}));
    let mut portions = 0;
    let ended = loop {
        state.measured = state.backlog.tasks.iter().map(|task| measure(&state, task, 30)).collect();
        for measured in state.measured.iter_mut().filter(|seen| seen.task.power.mb() == 512) {
            measured.digest = Some(Digest::empty(measured.task.power));
            portions += 1;
        }
        state = decide(state, 0, PAGE).expect("a decision");
        if state.next != Some(Next::Measure) {
            break state;
        }
    };
    assert_eq!(portions, 3);
    let result = ended.result.unwrap();
    assert_eq!(result["stats"][1]["state"], "failed");
}

#[test]
fn a_dry_run_decides_nothing() {
    let ended = run(begun(json!({"dryRun": true})), 30);
    let dry_run: DryRun = serde_json::from_value(ended.result.unwrap()).unwrap();
    assert!(dry_run.dry_run && dry_run.stats.len() == 3);
    assert_eq!(dry_run.warnings, ["worth knowing"]);
}

#[test]
fn the_choice_is_applied_where_that_was_asked_for() {
    let ended = run(begun(json!({"autoOptimize": true})), 30);
    assert_eq!(ended.next, Some(Next::Apply));
}
