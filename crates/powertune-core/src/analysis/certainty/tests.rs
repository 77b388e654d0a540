use serde_json::{Value, json};

use super::{super::size_samples::Counting, *};
use crate::{
    architecture::Architecture,
    observation::Outcome,
    power::Power,
    price,
    region::Region,
    report::{Report, Start, Status},
    request,
};

fn warm(mb: u32, duration_ms: f64) -> Outcome {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    let billed_ms = duration_ms.ceil() as u64;
    Outcome::Counted(Report {
        duration_ms,
        billed_ms,
        memory_mb: mb,
        max_memory_mb: Some(40),
        start: Start::Warm,
        status: Status::Success,
    })
}

/// The chosen power and its ties, for powers given by their durations.
fn decided(fields: Value, powers: &[(u32, Vec<f64>)]) -> (u32, Vec<u32>) {
    let Value::Object(mut fields) = fields else { panic!("a request is an object") };
    fields.insert("lambdaARN".to_owned(), "fn".into());
    let request = request::parse(&fields).expect("a good request");
    let region = Region::new("us-east-1").expect("a region");
    let price = price::on_demand(&region, Architecture::X86_64).expect("a known price");
    let rule = Rule::of(&request, price);
    let outcomes: Vec<(u32, Vec<Outcome>)> = powers
        .iter()
        .map(|(mb, durations)| (*mb, durations.iter().map(|ms| warm(*mb, *ms)).collect()))
        .collect();
    let counting = Counting { only_cold_starts: false, max_error_rate: 0.1 };
    let size =
        |(mb, outcomes)| SizeSamples::new(Power::new(mb).expect("a power"), outcomes, counting);
    let sizes: Vec<SizeSamples<'_>> =
        outcomes.iter().map(|(mb, outcomes)| size((*mb, outcomes.iter()))).collect();
    let sizes: Vec<&SizeSamples<'_>> = sizes.iter().collect();
    let candidates: Vec<Candidate> = sizes.iter().map(|size| rule.candidate(size)).collect();
    let chosen = rule.choose(&candidates).expect("something is measured");
    let ties = rule.certainty(&rule.draw(&sizes), chosen).ties;
    (sizes[chosen].power.mb(), ties.into_iter().map(|index| sizes[index].power.mb()).collect())
}

fn around(ms: f64, count: u32) -> Vec<f64> {
    (0..count).map(|i| ms * (0.99 + 0.002 * f64::from(i % 10))).collect()
}

#[test]
fn what_the_draws_and_the_means_contradict_each_other_about_is_a_tie() {
    // 128 MB is cheaper except for one slow invocation, which the draws even out.
    let slow = [around(100.0, 11), vec![500.0]].concat();
    let auto = json!({ "num": "auto", "tolerance": 0 });
    let powers = [(128, slow), (256, around(60.0, 12)), (512, around(90.0, 12))];
    assert_eq!(decided(auto, &powers), (256, vec![128]));
}

#[test]
fn a_size_that_may_keep_to_the_limit_is_a_tie_until_it_has_a_percentile() {
    let limit = |few: Vec<f64>| {
        let fields = json!({ "num": "auto", "tolerance": 0, "maxDuration": 100 });
        decided(fields, &[(128, few), (512, around(60.0, 30)), (1024, around(50.0, 30))])
    };
    assert_eq!(limit(vec![90.0, 91.0]), (512, vec![128]));
    // All samples are far above the limit, so no percentile is needed.
    assert_eq!(limit(vec![300.0; 3]), (512, vec![]));
    // It costs more than 512 MB in any case.
    assert_eq!(limit(vec![900.0]), (512, vec![]));
}
