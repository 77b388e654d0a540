use serde_json::{Map, Value, json};

use super::*;

fn read(request: Value) -> Result<Request, Faults> {
    let Value::Object(mut fields) = request else { panic!("a request is an object") };
    fields.entry("lambdaARN").or_insert_with(|| "fn".into());
    parse(&fields)
}

fn faulty_fields(request: Value) -> Vec<String> {
    match read(request) {
        Ok(_) => Vec::new(),
        Err(Faults(faults)) => faults.into_iter().map(|fault| fault.field).collect(),
    }
}

fn warned(request: Value) -> Vec<Warning> {
    read(request).expect("a good request").warnings
}

#[test]
fn the_least_request_is_all_defaults() {
    let request = read(json!({})).expect("a good request");
    assert_eq!(request.function.name, "fn");
    assert_eq!(request.powers, None);
    assert_eq!((request.num, request.dry_run), (Num::Auto, false));
    assert_eq!(request.max_cost, None);
    assert_eq!(request.strategy, Strategy::Cost);
    assert_eq!(request.pace, Pace::Series { sleep_ms: 0 });
    assert!((request.discard_top_bottom - 0.2).abs() < f64::EPSILON);
    assert!(request.warnings.is_empty());
}

#[test]
fn upstreams_whole_input_is_understood() {
    let request = read(json!({
        "lambdaARN": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
        "num": "50",
        "powerValues": [512, 128, "256"],
        "payload": {"id": 1},
        "parallelInvocation": true,
        "strategy": "balanced",
        "balancedWeight": 0.3,
        "autoOptimize": true,
        "autoOptimizeAlias": "live",
        "preProcessorARN": "before",
        "postProcessorARN": "after",
        "discardTopBottom": 0.1,
        "sleepBetweenRunsMs": 0,
        "disablePayloadLogs": true,
        "includeOutputResults": true,
        "onlyColdStarts": false,
        "allowedExceptions": ["Teapot"],
    }))
    .expect("a good request");
    assert_eq!(request.num, Num::Fixed(50));
    assert_eq!(request.powers, "128,256,512".parse().ok());
    assert_eq!(request.pace, Pace::Parallel { limit: None });
    assert_eq!(request.strategy, Strategy::Balanced { weight: 0.3 });
    let alias = Some("live".to_owned());
    let release_latest = ReleaseLatest::Unsaid;
    assert_eq!(request.auto_optimize, Some(AutoOptimize { alias, release_latest }));
    assert_eq!(request.allowed_exceptions, ["Teapot"]);
    assert!(request.disable_payload_logs);
    assert!(request.warnings.is_empty());
}

#[test]
fn the_2017_name_of_parallel_invocation_works() {
    let request = read(json!({"enableParallel": true})).expect("a good request");
    assert_eq!(request.pace, Pace::Parallel { limit: None });
    assert_eq!(
        faulty_fields(json!({"enableParallel": true, "parallelInvocation": false})),
        ["enableParallel"]
    );
}

#[test]
fn every_fault_is_reported_at_once_with_its_field() {
    let mut fields = faulty_fields(json!({
        "lambdaARN": "a:b:c:d",
        "num": 4,
        "powerValues": [64],
        "strategy": "cheap",
        "onlyColdStarts": "yes",
        "sleepBetweenRunsMs": -1,
        "payloadS3": "bucket/key",
        "powervalues": [128],
    }));
    fields.sort();
    assert_eq!(
        fields,
        [
            "lambdaARN",
            "num",
            "onlyColdStarts",
            "payloadS3",
            "powerValues",
            "powervalues",
            "sleepBetweenRunsMs",
            "strategy"
        ]
    );
}

#[test]
fn an_unknown_field_is_told_the_nearest() {
    let Err(Faults(faults)) = read(json!({"powerValue": [128]})) else { panic!("unknown field") };
    assert_eq!(faults[0].field, "powerValue");
    assert!(faults[0].problem.contains("did you mean powerValues?"), "{}", faults[0].problem);
}

#[test]
fn a_missing_function_is_named() {
    let Err(Faults(faults)) = parse(&Map::new()) else { panic!("no function") };
    assert_eq!(faults[0].field, "lambdaARN");
}

#[test]
fn every_field_refuses_what_it_cannot_be() {
    let nonsense = json!({"not": "it"});
    for field in FIELDS.into_iter().filter(|&field| field != "payload") {
        let fields = faulty_fields(json!({ field: nonsense }));
        // The other fields of maxDuration are checked without it, too.
        assert!(fields.contains(&field.to_owned()), "{field}: {fields:?}");
    }
}

#[test]
fn what_upstream_clamps_is_clamped_with_a_warning() {
    let request =
        read(json!({"strategy": "balanced", "balancedWeight": 7, "discardTopBottom": -1}))
            .expect("a good request");
    assert_eq!(request.strategy, Strategy::Balanced { weight: 1.0 });
    assert!(request.discard_top_bottom.abs() < f64::EPSILON);
    assert_eq!(
        request.warnings,
        [
            Warning::Clamped { field: "balancedWeight", given: 7.0, used: 1.0 },
            Warning::Clamped { field: "discardTopBottom", given: -1.0, used: 0.0 },
        ]
    );
}

#[test]
fn contradictions_are_faults_and_idle_fields_warn() {
    assert_eq!(faulty_fields(json!({"parallelInvocation": false, "parallel": 4})), ["parallel"]);
    assert_eq!(faulty_fields(json!({"percentile": 90})), ["percentile"]);
    assert_eq!(faulty_fields(json!({"maxDuration": 9, "strategy": "speed"})), ["maxDuration"]);
    for idle in [
        json!({"autoOptimizeAlias": "live"}),
        json!({"autoOptimize": true, "releaseLatest": true}),
        json!({"balancedWeight": 0.3}),
        json!({"strategy": "cost", "balancedWeight": 7}),
        json!({"parallel": 3, "sleepBetweenRunsMs": 10}),
        json!({"onlyColdStarts": true, "discardTopBottom": 0.1}),
        json!({"powerValues": [128, 128]}),
        json!({"powerValues": "128,128"}),
        json!({"payload": 1, "payloadS3": "s3://bucket/key"}),
        json!({"strategy": "balanced", "tolerance": 3}),
    ] {
        assert_eq!(warned(idle.clone()).len(), 1, "{idle}");
    }
}

#[test]
fn an_option_that_has_no_effect_or_is_out_of_range_is_a_fault() {
    let faults = |request: Value, options: &[&str]| {
        let mut fields = request.as_object().expect("a request is an object").clone();
        fields.insert("lambdaARN".to_owned(), "fn".into());
        let Err(Faults(faults)) = parse_with_options(&fields, options) else { return Vec::new() };
        faults.into_iter().map(|fault| fault.field).collect()
    };
    let balanced = json!({"strategy": "balanced", "balancedWeight": 7, "discardTopBottom": 0.5});
    assert_eq!(faults(balanced.clone(), &["strategy"]), Vec::<String>::new());
    assert_eq!(faults(balanced.clone(), &["balancedWeight"]), ["balancedWeight"]);
    assert_eq!(faults(balanced, &["discardTopBottom"]), ["discardTopBottom"]);
    let idle = json!({"balancedWeight": 0.3, "autoOptimizeAlias": "live"});
    assert_eq!(faults(idle.clone(), &["num"]), Vec::<String>::new());
    let both = ["balancedWeight", "autoOptimizeAlias"];
    assert_eq!(faults(idle, &both), both);
    // It is not known which strategy was meant, so its weight gives no warning.
    let unknown = json!({"strategy": "balance", "balancedWeight": 0.3});
    assert_eq!(faults(unknown, &["strategy", "balancedWeight"]), ["strategy"]);
}

#[test]
fn a_dry_run_knows_what_would_be_applied() {
    let request = read(json!({"dryRun": true, "autoOptimize": true})).expect("a good request");
    assert!(request.dry_run && request.auto_optimize.is_some() && request.warnings.is_empty());
}

#[test]
fn what_an_alias_may_release_is_said_by_a_field_of_ours() {
    let release = |said: Value| {
        let mut request = json!({"autoOptimize": true, "autoOptimizeAlias": "live"});
        request["releaseLatest"] = said;
        let request = read(request).expect("a good request");
        assert!(request.warnings.is_empty());
        request.auto_optimize.map(|optimize| optimize.release_latest)
    };
    assert_eq!(release(Value::Null), Some(ReleaseLatest::Unsaid));
    assert_eq!(release(json!(false)), Some(ReleaseLatest::No));
    assert_eq!(release(json!("true")), Some(ReleaseLatest::Yes));
}

#[test]
fn a_percentile_needs_samples_enough() {
    let most = |request| read(request).map(|request| request.most_invocations());
    assert_eq!(most(json!({"maxDuration": 100, "num": 20})), Ok(20));
    assert_eq!(faulty_fields(json!({"maxDuration": 100, "num": 19})), ["num"]);
    assert_eq!(most(json!({"maxDuration": 100})), Ok(AUTO_MOST));
    assert_eq!(most(json!({"maxDuration": 100, "percentile": 99})), Ok(200));
    assert_eq!(samples_for(99.0), 100);
    assert_eq!(samples_for(90.0), 10);
}

#[test]
fn auto_takes_a_little_more_for_a_faster_power_and_a_given_num_does_not() {
    let read = |fields| read(fields).expect("a good request");
    for auto in [json!({}), json!({"num": "auto"})] {
        let request = read(auto);
        assert_eq!((request.num, request.tolerance), (Num::Auto, 0.03));
    }
    assert!(read(json!({"num": 10})).tolerance.abs() < f64::EPSILON);
    assert!(read(json!({"tolerance": 0})).tolerance.abs() < f64::EPSILON);
    // A default gives no warning.
    assert!(read(json!({"strategy": "balanced"})).warnings.is_empty());
}

#[test]
fn a_cost_can_be_given_that_is_not_to_be_exceeded() {
    let max_cost = |fields| read(fields).map(|request| request.max_cost);
    assert_eq!(max_cost(json!({"maxCost": 0.25})), Ok(Some(0.25)));
    assert_eq!(max_cost(json!({"maxCost": "1e-3"})), Ok(Some(1e-3)));
    for wrong in [json!(0), json!(-1), json!("cheap"), json!("NaN"), json!("inf"), json!(true)] {
        assert_eq!(faulty_fields(json!({ "maxCost": wrong })), ["maxCost"]);
    }
}

#[test]
fn a_weighted_payload_needs_invocations_enough() {
    let payload: Vec<Value> = (0..11).map(|id| json!({"payload": id, "weight": 1})).collect();
    assert_eq!(faulty_fields(json!({"payload": payload, "num": 10})), ["payload"]);
    assert_eq!(faulty_fields(json!({"payload": payload, "num": 11})), Vec::<String>::new());
    assert_eq!(faulty_fields(json!({ "payload": payload })), Vec::<String>::new());
    let payload: Vec<Value> =
        (0..=AUTO_MOST).map(|id| json!({"payload": id, "weight": 1})).collect();
    assert_eq!(faulty_fields(json!({ "payload": payload })), ["payload"]);
}

#[test]
fn rare_payloads_are_waited_for() {
    let cycle = |payload| read(json!({ "payload": payload })).unwrap().payload_cycle();
    assert_eq!(cycle(json!({"id": 1})), 1);
    let weighted = |weights: [u32; 2]| {
        json!(weights.map(|weight| json!({ "payload": weight, "weight": weight })))
    };
    assert_eq!(cycle(weighted([5, 6])), 2);
    assert!((5..=11).contains(&cycle(weighted([9, 1]))));
}
