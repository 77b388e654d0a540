//! The fields of a request, with values that are refused.

use serde_json::{Value, json};

/// Each field, with values of a wrong type, out of range, or malformed.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(crate) fn table() -> Vec<(&'static str, Vec<Value>)> {
    let long = "x".repeat(200);
    let huge = "x".repeat(7 * 1024 * 1024);
    let booleans = || vec![json!("maybe"), json!(1), json!([]), json!({})];
    let functions = || {
        vec![json!(7), json!([]), json!({}), json!(""), json!("a b"), json!("a:b:c:d"), json!(long)]
    };
    vec![
        ("lambdaARN", {
            let mut values = functions();
            values.extend([
                json!("arn:aws:s3:::bucket"),
                json!("arn:aws:lambda:us-east-1:12:function:fn"),
                json!("arn:aws:lambda:nowhere:123456789012:function:fn"),
                json!("arn:aws-cn:lambda:us-east-1:123456789012:function:fn"),
                json!("fn:"),
            ]);
            values
        }),
        (
            "num",
            vec![
                json!(4),
                json!(0),
                json!(-1),
                json!(1e9),
                json!(5.5),
                json!("many"),
                json!("5.5"),
                json!(true),
                json!([5]),
                json!({}),
                json!("Auto"),
                json!(""),
            ],
        ),
        (
            "powerValues",
            vec![
                json!([]),
                json!([127]),
                json!([10_241]),
                json!([-128]),
                json!([128.5]),
                json!(["small"]),
                json!([null]),
                json!({}),
                json!(true),
                json!("some"),
                json!(""),
                json!("128,,256"),
                json!("512-128"),
                json!("128-512:0"),
                json!("64-512"),
                json!("128-"),
                json!("128;256"),
            ],
        ),
        (
            "payload",
            vec![
                json!([{"payload": 1, "weight": 0}]),
                json!([{"payload": 1, "weight": -1}]),
                json!([{"payload": 1, "weight": "heavy"}]),
                json!([{"payload": 1, "weight": 1}, {"payload": 2, "weight": 1000}]),
                Value::Array(vec![json!({"payload": 1, "weight": 1}); 61]),
                json!(huge),
            ],
        ),
        (
            "payloadS3",
            vec![
                json!(7),
                json!([]),
                json!({}),
                json!(""),
                json!("bucket/key"),
                json!("s3://bucket"),
                json!("s3:///key"),
                json!("s3://bucket/"),
                json!("https://bucket/key"),
            ],
        ),
        ("parallelInvocation", booleans()),
        ("enableParallel", booleans()),
        ("autoOptimize", booleans()),
        ("dryRun", booleans()),
        ("disablePayloadLogs", booleans()),
        ("includeOutputResults", booleans()),
        ("onlyColdStarts", booleans()),
        (
            "strategy",
            vec![json!("cheap"), json!(""), json!(1), json!([]), json!({}), json!("Cost")],
        ),
        ("balancedWeight", vec![json!("half"), json!([]), json!({}), json!(true), json!("NaN")]),
        ("discardTopBottom", vec![json!("some"), json!([]), json!({}), json!(true), json!("inf")]),
        (
            "autoOptimizeAlias",
            vec![json!(""), json!("12"), json!("a b"), json!(7), json!([]), json!(long)],
        ),
        ("releaseLatest", booleans()),
        ("preProcessorARN", functions()),
        ("postProcessorARN", functions()),
        (
            "sleepBetweenRunsMs",
            vec![json!(-1), json!(1.5), json!("long"), json!(1e12), json!([]), json!(true)],
        ),
        (
            "allowedExceptions",
            vec![json!(7), json!([7]), json!([""]), json!({}), json!("A,,B"), json!("")],
        ),
        (
            "maxDuration",
            vec![json!(0), json!(-5), json!(1e9), json!("fast"), json!([]), json!(true), json!({})],
        ),
        ("tolerance", vec![json!(-1), json!(101), json!("some"), json!([]), json!(true)]),
        (
            "maxCost",
            vec![json!(0), json!(-1), json!("cheap"), json!("NaN"), json!([]), json!(true)],
        ),
        ("maxErrorRate", vec![json!(-1), json!(101), json!("few"), json!([]), json!(true)]),
        (
            "minConfidence",
            vec![json!(0.9), json!(-1), json!(101), json!("sure"), json!([]), json!(true)],
        ),
        ("parallel", vec![json!(0), json!(-1), json!(1.5), json!("many"), json!([]), json!(true)]),
        ("seed", vec![json!(-1), json!(1.5), json!("luck"), json!([]), json!(true)]),
    ]
}
