//! Tests with arbitrary reports among arbitrary lines.

use proptest::prelude::*;

use super::*;

fn reports() -> impl Strategy<Value = Report> {
    let hundredths = (0_u32..90_000_000).prop_map(|n| f64::from(n) / 100.0);
    let starts = prop_oneof![
        Just(Warm),
        hundredths.clone().prop_map(|init_ms| Cold { init_ms }),
        (hundredths.clone(), proptest::option::of(0..=LONGEST_MS)).prop_map(
            |(restore_ms, billed_restore_ms)| { Restored { restore_ms, billed_restore_ms } }
        ),
    ];
    let statuses = prop_oneof![
        Just(Status::Success),
        proptest::option::of("[A-Za-z][A-Za-z.]{0,20}")
            .prop_map(|error_type| Status::Error { error_type }),
        Just(Status::Timeout),
        Just(Status::Failure),
    ];
    (hundredths, 0..=LONGEST_MS, any::<u32>(), any::<Option<u32>>(), starts, statuses).prop_map(
        |(duration_ms, billed_ms, memory_mb, max_memory_mb, start, status)| Report {
            duration_ms,
            billed_ms,
            memory_mb,
            max_memory_mb,
            start,
            status,
        },
    )
}

fn written(report: &Report) -> String {
    let mut fields = vec![
        format!("REPORT RequestId: {ID}"),
        format!("Duration: {:.2} ms", report.duration_ms),
        format!("Billed Duration: {} ms", report.billed_ms),
        format!("Memory Size: {} MB", report.memory_mb),
    ];
    fields.extend(report.max_memory_mb.map(|mb| format!("Max Memory Used: {mb} MB")));
    match report.start {
        Warm => {}
        Cold { init_ms } => fields.push(format!("Init Duration: {init_ms:.2} ms")),
        Restored { restore_ms, billed_restore_ms } => {
            fields.push(format!("Restore Duration: {restore_ms:.2} ms"));
            fields.extend(billed_restore_ms.map(|ms| format!("Billed Restore Duration: {ms} ms")));
        }
    }
    match &report.status {
        Status::Success => {}
        Status::Error { error_type } => {
            fields.push("Status: error".to_owned());
            fields.extend(error_type.as_ref().map(|name| format!("Error Type: {name}")));
        }
        Status::Timeout => fields.push("Status: timeout".to_owned()),
        Status::Failure => fields.push("Status: failure".to_owned()),
    }
    fields.join("\t")
}

fn traces() -> impl Strategy<Value = String> {
    (proptest::option::of("[0-9a-f]{16}"), any::<bool>()).prop_map(|(segment, sampled)| {
        let segment = segment.map_or(String::new(), |id| format!("SegmentId: {id}\t"));
        format!("XRAY TraceId: 1-5e34a614-10bd0000f1fb44f07bc535a1\t{segment}Sampled: {sampled}\t")
    })
}

/// Arbitrary output of a function, and imitations of Lambda's lines.
fn noise() -> impl Strategy<Value = String> {
    let lines = prop_oneof![
        "\\PC{0,60}",
        "[{}\":,a-z0-9\\[\\]]{0,60}",
        Just(format!("REPORT RequestId: {OTHER}\t{WARM}")),
        Just("INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout".to_owned()),
        Just("INIT_REPORT Init Duration: 87.28 ms\tPhase: invoke\tStatus: error".to_owned()),
        traces(),
        Just(format!(
            r#"{{"time":"t","type":"platform.report","record":{{"requestId":"{OTHER}"}}}}"#
        )),
    ];
    proptest::collection::vec(lines, 0..6).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_text_is_an_answer(tail in "(?s).{0,300}", id in "(?s).{0,10}") {
        let _ = find(&tail, &id);
    }

    #[test]
    fn any_text_behind_the_beginning_is_an_answer(rest in "[A-Za-z: \t.0-9-]{0,200}") {
        let _ = find(&line(&rest), ID);
    }

    #[test]
    fn a_report_is_found_among_anything(
        report in reports(), before in noise(), after in noise(), forged in reports(),
    ) {
        let tail = format!("{}\n{before}\n{}\n{after}", written(&forged), written(&report));
        prop_assert_eq!(find(&tail, ID), Ok(report));
    }

    #[test]
    fn a_trace_changes_nothing_wherever_it_stands(
        report in reports(), trace in traces(), between in "[\t\n ]|\t\n|\r\n|\n\n",
    ) {
        let tail = format!("{}{between}{trace}\n", written(&report));
        prop_assert_eq!(find(&tail, ID), Ok(report));
    }
}
