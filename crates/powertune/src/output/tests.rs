//! The output for results of every kind.

mod fixtures;

use clap::ValueEnum;
use insta::assert_snapshot;
use powertune_core::{
    dry_run::{DryRun, trials},
    observation::{Evidence, Failure, Observation, Outcome, Skipped},
    region::{Currency, Region},
    report::{Report, Start, Status},
    result::{Applied, State, TuningResult},
    stopped::Stopped,
    strategy::StrategyName,
    warning::Warning,
};

use self::fixtures::*;
use super::{OutputFormat, Style, dry_run, result, style::Charset};

const PLAIN: Style = Style { color: false, width: 100, charset: Charset::Unicode };
const NARROW: Style = Style { width: 80, ..PLAIN };
const COLOR: Style = Style { color: true, ..NARROW };
const ASCII: Style = Style { charset: Charset::Ascii, ..NARROW };

fn shown(tuned: &TuningResult, format: OutputFormat) -> String {
    result(tuned, format, &PLAIN)
}

fn sentence(tuned: &TuningResult) -> String {
    let table = result(tuned, OutputFormat::Table, &Style { width: 1000, ..PLAIN });
    table.split("\n\n").next().unwrap().to_owned()
}

#[test]
fn table_of_a_typical_result() {
    assert_snapshot!("table", shown(&typical(), OutputFormat::Table));
    assert_snapshot!("table_narrow", result(&typical(), OutputFormat::Table, &NARROW));
    assert_snapshot!("table_color", result(&typical(), OutputFormat::Table, &COLOR));
    assert_snapshot!("table_ascii", result(&typical(), OutputFormat::Table, &ASCII));
}

#[test]
fn table_of_a_run_that_found_out_by_itself() {
    let mut tuned = by_itself(typical());
    assert_snapshot!("auto_table", shown(&tuned, OutputFormat::Table));
    tuned.confidence = Some(0.81);
    let mut ends = Vec::new();
    for stopped in
        [Stopped::MostReached, Stopped::CostReached, Stopped::HistoryFull, Stopped::TimeReached]
    {
        tuned.stopped = stopped;
        let table = result(&tuned, OutputFormat::Table, &Style { width: 1000, ..PLAIN });
        let told = |line: &&str| line.starts_with("Measured") || line.contains("surer");
        ends.extend(table.lines().filter(told).map(str::to_owned));
    }
    assert_snapshot!("auto_ends", ends.join("\n"));
}

#[test]
fn sentences_about_a_tolerance() {
    let speed = |result| TuningResult { strategy: StrategyName::Speed, ..result };
    let close = || vec![row(128, 1000.0), row(1024, 124.2), row(2048, 123.0)];
    let mut limited = by_itself(tuned(doubling(), 256, None));
    limited.strategy = StrategyName::MaxDuration;
    limited.max_duration = Some(1200.0);
    limited.percentile = Some(50.0);
    limited.limit_kept = Some(true);
    limit_known(&mut limited, 1.0);
    let sentences = [
        ("for more speed than today's", by_itself(tuned(doubling(), 256, Some(128)))),
        ("for more speed than another", by_itself(tuned(doubling(), 256, Some(512)))),
        ("today's", by_itself(tuned(doubling(), 256, Some(256)))),
        ("no current power", by_itself(tuned(doubling(), 256, None))),
        ("by averagePrice", tuned(doubling(), 256, None)),
        ("for less money than today's", speed(by_itself(tuned(close(), 1024, Some(2048))))),
        ("for less money than another", speed(by_itself(tuned(close(), 1024, Some(128))))),
        ("under a limit", limited),
    ]
    .map(|(name, tuned)| format!("{name}:\n{}", sentence(&tuned)));
    assert_snapshot!("sentences_tolerance", sentences.join("\n\n"));
}

#[test]
fn every_format_of_a_result_with_failures_ties_and_warnings() {
    let tuned = with_everything();
    assert_snapshot!("everything_table", shown(&tuned, OutputFormat::Table));
    assert_snapshot!("everything_table_narrow", result(&tuned, OutputFormat::Table, &NARROW));
    assert_snapshot!("everything_csv", shown(&tuned, OutputFormat::Csv));
    assert_snapshot!("everything_markdown", shown(&tuned, OutputFormat::Markdown));
    assert_snapshot!("everything_json", shown(&tuned, OutputFormat::Json));
}

#[test]
fn table_without_a_current_power_in_yuan() {
    let mut tuned = tuned(curve(), 1024, None);
    tuned.currency = Currency::Cny;
    tuned.region = Region::new("cn-north-1").unwrap();
    assert_snapshot!("yuan_table", shown(&tuned, OutputFormat::Table));
    assert_snapshot!("yuan_table_ascii", result(&tuned, OutputFormat::Table, &ASCII));
    assert_snapshot!("yuan_csv", shown(&tuned, OutputFormat::Csv));
    assert_snapshot!("yuan_markdown", shown(&tuned, OutputFormat::Markdown));
}

#[test]
fn json_is_the_result() {
    for tuned in [typical(), with_everything()] {
        let read: TuningResult = serde_json::from_str(&shown(&tuned, OutputFormat::Json)).unwrap();
        assert_eq!(read, tuned);
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [60, 80, 100] {
        for tuned in [typical(), with_everything(), tuned(curve(), 3008, None)] {
            let table = result(&tuned, OutputFormat::Table, &Style { width, ..PLAIN });
            for line in table.lines().filter(|line| !line.contains("https://")) {
                let columns = super::text::width(line);
                assert!(columns <= width, "{columns} columns of {width}: {line}");
            }
        }
    }
}

#[test]
fn what_the_function_says_is_never_obeyed() {
    let tuned = with_everything();
    for &format in OutputFormat::value_variants() {
        let shown = shown(&tuned, format);
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown}");
    }
}

#[test]
fn sentences_of_every_kind() {
    let mut sentences = Vec::new();
    let mut add = |name: &str, tuned: &TuningResult| {
        sentences.push(format!("{name}:\n{}", sentence(tuned)));
    };
    add("cheaper and faster", &typical());
    add("already the best", &tuned(curve(), 1024, Some(1024)));
    add("no current power", &tuned(curve(), 1024, None));

    let mut faster = tuned(curve(), 3008, Some(512));
    faster.strategy = StrategyName::Speed;
    faster.confidence = Some(1.0);
    add("speed: dearer but faster", &faster);

    let mut slower = tuned(vec![row(512, 100.0), row(1024, 90.0)], 512, Some(1024));
    add("cost: cheaper but slower", &slower);
    slower.ties = vec![power(1024)];
    slower.confidence = Some(0.55);
    add("today's size is a tie", &slower);
    slower.applied = Some(Applied { power: power(512), alias: None, version: None });
    add("applied", &slower);
    let (alias, version) = (Some("live".to_owned()), Some("7".to_owned()));
    slower.applied = Some(Applied { power: power(512), alias, version });
    add("applied by an alias", &slower);

    let mut unmeasured = typical();
    (unmeasured.confidence, unmeasured.unmeasured) = (None, vec![power(2048), power(4096)]);
    add("two sizes were lost", &unmeasured);

    let mut tolerant = tuned(vec![row(128, 1000.0), row(256, 501.0)], 256, Some(256));
    add("tolerance: not quite the cheapest", &tolerant);
    tolerant.strategy = StrategyName::Balanced;
    for (row, score) in tolerant.stats.iter_mut().zip([0.75, 0.5]) {
        row.deciding.as_mut().expect("a measured size").score = Some(score);
    }
    add("balanced", &tolerant);

    let same = tuned(vec![row(128, 1000.0), row(1024, 125.2), row(1025, 125.0)], 1025, Some(1024));
    add("hardly a difference", &same);

    add("one power", &tuned(vec![row(512, 100.0)], 512, Some(512)));
    let failed = out(128, State::Failed, "the function ran into its timeout");
    add("one power that works", &tuned(vec![failed, row(512, 100.0)], 512, None));
    assert_snapshot!("sentences", sentences.join("\n\n"));
}

#[test]
fn sentences_about_a_limit() {
    let limited = |chosen, kept, current| {
        let mut tuned = tuned(curve(), chosen, current);
        limit_known(&mut tuned, 1.06);
        tuned.strategy = StrategyName::MaxDuration;
        tuned.max_duration = Some(if kept { 250.0 } else { 100.0 });
        tuned.percentile = Some(95.0);
        tuned.limit_kept = Some(kept);
        tuned
    };
    let mut other_percentile = limited(3008, false, Some(512));
    other_percentile.percentile = Some(99.9);
    for row in &mut other_percentile.stats {
        row.deciding.as_mut().expect("a measured size").limited = None;
    }
    let sentences = [
        ("kept", limited(1024, true, Some(128))),
        ("kept by today's", limited(1024, true, Some(1024))),
        ("kept, no current power", limited(1024, true, None)),
        ("missed", limited(3008, false, Some(512))),
        ("missed by today's", limited(3008, false, Some(3008))),
        ("missed at another percentile", other_percentile),
    ]
    .map(|(name, tuned)| format!("{name}:\n{}", sentence(&tuned)));
    assert_snapshot!("sentences_limit", sentences.join("\n\n"));
}

fn dry() -> DryRun {
    let report = |duration_ms: f64, start| Report {
        duration_ms,
        billed_ms: 900,
        memory_mb: 512,
        max_memory_mb: Some(41),
        start,
        status: Status::Success,
    };
    let cold = |ms| Outcome::Counted(report(ms, Start::Cold { init_ms: 310.2 }));
    let message = Some("no | such\n\u{1b}[1mfile".to_owned());
    let failure = Failure::FunctionError {
        error_type: Some("Error".to_owned()),
        message,
        trace: vec!["handler (index.js:3)".to_owned()],
    };
    let observations = [
        (1024, Outcome::Counted(report(199.7, Start::Warm))),
        (512, cold(411.6)),
        (3008, cold(118.2)),
        (128, Outcome::Failed { failure, report: None }),
    ]
    .map(|(mb, outcome)| Observation { power: power(mb), outcome });
    let reason = "this account stops at 3008 MB".to_owned();
    let seen = Evidence {
        rounds: 1,
        observations: observations.to_vec(),
        skipped: vec![Skipped { power: power(10_240), reason }],
    };
    DryRun {
        dry_run: true,
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:resize".to_owned(),
        current_power: power(512),
        currency: Currency::Usd,
        expected_cost: Some(0.0123),
        worst_cost: 0.428,
        changes: vec!["tags the function".to_owned(), "gives $LATEST \u{1b}[1m128 MB".to_owned()],
        warnings: vec![Warning::SnapStartCosts.to_string()],
        stats: trials(&seen),
    }
}

#[test]
fn every_format_of_a_dry_run() {
    let tried = dry();
    let shown = |format| dry_run(&tried, format, &NARROW);
    assert_snapshot!("dry_run_table", shown(OutputFormat::Table));
    assert_snapshot!("dry_run_json", shown(OutputFormat::Json));
    assert_snapshot!("dry_run_csv", shown(OutputFormat::Csv));
    assert_snapshot!("dry_run_markdown", shown(OutputFormat::Markdown));
}

#[test]
fn a_dry_run_that_works_everywhere() {
    let mut tried = dry();
    tried.stats.retain(|trial| [512, 1024].contains(&trial.value.mb()));
    tried.warnings.clear();
    assert_snapshot!("dry_run_works", dry_run(&tried, OutputFormat::Table, &NARROW));
}
