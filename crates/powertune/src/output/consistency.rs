//! Checks that headline, table, Markdown, CSV, JSON and the applied size agree, for results of
//! every kind that the analysis makes.

use powertune_core::{
    analysis::{Subject, analyse},
    architecture::Architecture,
    observation::{Evidence, Failure, Observation, Outcome},
    power::{Power, PowerValues},
    price,
    region::Region,
    report::{Report, Start, Status},
    request,
    result::TuningResult,
    stopped::Stopped,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    OutputFormat,
    figures::{criterion, measured, row, versus},
    quantity::change,
    result,
    style::{Charset, Style},
};

const WIDE: Style = Style { color: false, width: 1000, charset: Charset::Unicode };
const SIZES: [u32; 5] = [128, 256, 512, 1024, 3008];

/// Results of requests and measurements. Each size has a mean, a spread, and a number of failures.
fn results() -> impl Strategy<Value = TuningResult> {
    let strategy = prop_oneof![
        Just(json!({"strategy": "cost"})),
        Just(json!({"strategy": "speed"})),
        (0.0..=1.0_f64)
            .prop_map(|weight| json!({"strategy": "balanced", "balancedWeight": weight})),
        (1.0..2000.0_f64).prop_map(|limit| json!({"maxDuration": limit, "percentile": 50})),
    ];
    let num = prop_oneof![Just(json!("auto")), Just(json!(10))];
    let tolerance = prop_oneof![Just(Value::Null), (0.0..20.0_f64).prop_map(Value::from)];
    let means = proptest::collection::vec((1.0..2000.0_f64, 0.0..0.5_f64, 0..4_u32), SIZES.len());
    let current = proptest::sample::select(vec![128_u32, 512, 3008, 2000]);
    (strategy, num, tolerance, means, current, any::<bool>()).prop_filter_map(
        "no size works",
        |(fields, num, tolerance, means, current, alike)| {
            let Value::Object(mut fields) = fields else { unreachable!("an object") };
            fields.extend([
                ("lambdaARN".to_owned(), json!("fn")),
                ("num".to_owned(), num),
                ("powerValues".to_owned(), json!(SIZES)),
            ]);
            if !tolerance.is_null() && fields.get("strategy") != Some(&json!("balanced")) {
                fields.insert("tolerance".to_owned(), tolerance);
            }
            let request = request::parse(&fields).expect("a good request");
            let seen = Evidence { rounds: 1, observations: seen(&means, alike), skipped: vec![] };
            analyse(&request, &subject(current), &seen, Stopped::Confident, Vec::new()).ok()
        },
    )
}

fn seen(sizes: &[(f64, f64, u32)], alike: bool) -> Vec<Observation> {
    let mut observations = Vec::new();
    for (&mb, &(mean_ms, spread, failures)) in SIZES.iter().zip(sizes) {
        // In proportion to memory, so that costs lie close to each other.
        let mean_ms =
            if alike { 100_000.0 / f64::from(mb) * (1.0 + mean_ms / 50_000.0) } else { mean_ms };
        let power = Power::new(mb).expect("a valid size");
        observations.extend((0..10).map(|number| {
            let ms = mean_ms * (1.0 + spread * (f64::from(number) / 4.5 - 1.0));
            Observation { power, outcome: Outcome::Counted(report(mb, ms, number == 0)) }
        }));
        observations.extend((0..failures).map(|_| {
            let failure = Failure::FunctionError {
                error_type: Some("Teapot".to_owned()),
                message: None,
                trace: Vec::new(),
            };
            Observation { power, outcome: Outcome::Failed { failure, report: None } }
        }));
    }
    observations
}

fn report(mb: u32, duration_ms: f64, is_cold: bool) -> Report {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, small")]
    let billed_ms = duration_ms.ceil().max(1.0) as u64;
    Report {
        duration_ms,
        billed_ms,
        memory_mb: mb,
        max_memory_mb: Some(60),
        start: if is_cold { Start::Cold { init_ms: 5.0 } } else { Start::Warm },
        status: Status::Success,
    }
}

fn subject(current: u32) -> Subject {
    let region = Region::new("us-east-1").expect("a region");
    Subject {
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:fn".to_owned(),
        architecture: Architecture::X86_64,
        current: Power::new(current).expect("a valid size"),
        powers: PowerValues::from_list(SIZES.map(i64::from)).expect("valid sizes"),
        price: price::on_demand(&region, Architecture::X86_64).expect("a known price"),
        region,
        origin: price::Origin::default(),
    }
}

/// The line of a table that begins with this mark.
fn marked<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.lines().find(|line| line.starts_with(mark) && line.contains(" MB"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn all_parts_recommend_the_same_size(tuned in results()) {
        let power = tuned.power.to_string();
        let table = result(&tuned, OutputFormat::Table, &WIDE);
        let headline = table.lines().next().unwrap_or_default();
        prop_assert!(headline.contains(&power), "{headline}");
        if measured(&tuned).count() > 1 && tuned.limit_kept != Some(false) {
            let recommends = headline.starts_with(&format!("Choose {power}: "))
                || headline.starts_with(&format!("Stay at {power}: "));
            prop_assert!(recommends, "{headline}");
        }
        let line = marked(&table, "▸");
        prop_assert!(line.is_some_and(|line| line.contains(&power)), "{table}");
        let markdown = result(&tuned, OutputFormat::Markdown, &WIDE);
        let cell = format!("| **{power}** |");
        prop_assert_eq!(markdown.matches(&cell).count(), 1, "{}", markdown);
        let csv = result(&tuned, OutputFormat::Csv, &WIDE);
        let chosen: Vec<&str> = csv.lines().filter(|line| line.contains(",true,")).collect();
        prop_assert_eq!(chosen.len(), 1);
        let starts = format!("{},", tuned.power.mb());
        prop_assert!(chosen[0].starts_with(&starts), "{csv}");
        let json: Value = serde_json::from_str(&result(&tuned, OutputFormat::Json, &WIDE)).unwrap();
        prop_assert_eq!(&json["power"], &json!(tuned.power.mb()));
    }

    #[test]
    fn a_superlative_is_one_in_the_column_that_is_shown(tuned in results()) {
        let table = result(&tuned, OutputFormat::Table, &WIDE);
        let headline = table.lines().next().unwrap_or_default().to_owned();
        let own = row(&tuned, tuned.power).and_then(|row| criterion(&tuned, row)).unwrap();
        let is_said = ["the cheapest of", "the fastest of", "the best balance"]
            .iter()
            .any(|words| headline.contains(words));
        if is_said && tuned.max_duration.is_none() {
            for other in measured(&tuned) {
                let figure = criterion(&tuned, other).unwrap();
                prop_assert!(own <= figure, "{headline}\n{table}");
            }
        }
        prop_assert_eq!(table.matches(" *").count() >= 1, measured(&tuned).count() > 1);
    }

    #[test]
    fn the_headline_compares_as_the_table_does(tuned in results()) {
        let table = result(&tuned, OutputFormat::Table, &WIDE);
        let headline = table.lines().next().unwrap_or_default();
        if let Some((cost, time)) = versus(&tuned, tuned.power) {
            let line = marked(&table, "▸").unwrap_or_default();
            for ratio in [cost.ratio(), time.ratio()] {
                prop_assert!(line.contains(&change(ratio, Charset::Unicode)), "{table}");
            }
            let saved = tuned.savings.unwrap();
            prop_assert!((1.0 - saved - cost.ratio()).abs() < 1e-9);
            if headline.contains("about as cheap as today's") {
                prop_assert_eq!(change(cost.ratio(), Charset::Unicode), "0 %");
            }
            if headline.contains("cheaper than today's") {
                prop_assert!(cost.ratio() < 1.0 || time.ratio() < 1.0, "{headline}");
            }
        }
    }
}
