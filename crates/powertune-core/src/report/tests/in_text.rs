use super::*;

#[test]
fn warm_with_and_without_the_trailing_tab() {
    assert_eq!(read(&line(WARM)), warm(12.34, 13));
    assert_eq!(read(line(WARM).trim_end()), warm(12.34, 13));
    assert_eq!(read(&line(WARM).replace('\n', "\r\n")), warm(12.34, 13));
}

#[test]
fn cold_timeout() {
    let tail = line(
        "Duration: 3016.78 ms\tBilled Duration: 3101 ms\tMemory Size: 128 MB\t\
         Max Memory Used: 31 MB\tInit Duration: 84.00 ms\tStatus: timeout",
    );
    let report = read(&tail);
    let start = Cold { init_ms: 84.0 };
    assert_eq!(report, Report { start, status: Status::Timeout, ..warm(3016.78, 3101) });
    assert!(report.start.is_cold());
    assert!((report.total_ms() - 3100.78).abs() < 1e-9);
}

#[test]
fn a_crash_has_its_error_type() {
    let tail = line(&format!("{WARM}Status: error\tError Type: Runtime.ExitError"));
    let error_type = Some("Runtime.ExitError".to_owned());
    assert_eq!(read(&tail).status, Status::Error { error_type });
    let untyped = line(&format!("{WARM}Status: error"));
    assert_eq!(read(&untyped).status, Status::Error { error_type: None });
}

#[test]
fn a_status_unknown_here_is_no_success() {
    for status in ["failure", "exploded"] {
        let tail = line(&format!("{WARM}Status: {status}"));
        assert_eq!(read(&tail).status, Status::Failure);
    }
}

#[test]
fn old_style_timeout_on_either_side_of_the_report() {
    let report = line(
        "Duration: 3003.17 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t\
         Max Memory Used: 31 MB\t",
    );
    let timed_out = format!("2019-11-20T20:55:17.203Z {ID} Task timed out after 3.00 seconds\n\n");
    let expected = Report { status: Status::Timeout, ..warm(3003.17, 3000) };
    assert_eq!(read(&format!("{report}{timed_out}")), expected);
    assert_eq!(read(&format!("{timed_out}END RequestId: {ID}\n{report}")), expected);
}

#[test]
fn a_timeout_line_rounds_up() {
    let tail = line("Duration: 3004.92 ms\tBilled Duration: 3005 ms\tMemory Size: 128 MB")
        + &format!("2019-11-20T20:55:17.203Z {ID} Task timed out after 3.01 seconds");
    assert_eq!(read(&tail).status, Status::Timeout);
}

#[test]
fn not_every_word_of_a_timeout_is_one() {
    let report = line(WARM);
    for said in [
        format!("2019-11-20T20:55:17.203Z {ID} Task timed out after 3.00 seconds"),
        // Of another invocation.
        format!("2019-11-20T20:55:17.203Z {OTHER} Task timed out after 0.01 seconds"),
        format!("{ID} Task timed out after 0.00 seconds"),
        format!("{ID} Task timed out after NaN seconds"),
        format!("{ID} Task timed out after 0.01 seconds, said the queue"),
    ] {
        assert_eq!(read(&format!("{said}\n{report}")).status, Status::Success, "{said}");
    }
    let with_status = line(&format!("{WARM}Status: success"));
    let said = format!("x {ID} Task timed out after 0.01 seconds");
    assert_eq!(read(&format!("{said}\n{with_status}")).status, Status::Success);
}

/// Lambda's trace lines. The segment id has been missing since 2026.
const TRACES: [&str; 3] = [
    "XRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSegmentId: 07f5xmpl2d1f6f85\t\
     Sampled: true\t\n",
    "XRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSampled: true\t\n",
    "XRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSampled: false\n",
];

#[test]
fn tracing_on_the_same_line_or_on_its_own() {
    for (tracing, between) in
        TRACES.iter().flat_map(|tracing| ["\t", "\n", "\t\n", "\r\n", " "].map(|b| (tracing, b)))
    {
        let tail = |fields: &str| line(fields).trim_end().to_owned() + between + tracing;
        assert_eq!(read(&tail(WARM)), warm(12.34, 13), "{between:?} {tracing:?}");
        let cold = tail(&format!("{WARM}Init Duration: 84.00 ms"));
        assert_eq!(read(&cold).start, Cold { init_ms: 84.0 });
        let timeout = tail(&format!("{WARM}Status: timeout"));
        assert_eq!(read(&timeout).status, Status::Timeout, "{between:?} {tracing:?}");
        let crash = tail(&format!("{WARM}Status: error\tError Type: Runtime.ExitError"));
        let error_type = Some("Runtime.ExitError".to_owned());
        assert_eq!(read(&crash).status, Status::Error { error_type }, "{between:?} {tracing:?}");
        // A trace before the report, and a trace of another invocation after it.
        assert_eq!(read(&format!("{tracing}{}{tracing}", line(WARM))), warm(12.34, 13));
    }
}

#[test]
fn a_trace_alone_is_no_report() {
    for tracing in TRACES {
        assert_eq!(find(tracing, ID), Err(not_found()));
    }
}

#[test]
fn a_repeated_init_that_fails_is_in_the_duration_of_the_report_beside_it() {
    // An init of 87.28 ms in an invocation of 97.30 ms.
    let init = "INIT_REPORT Init Duration: 87.28 ms\tPhase: invoke\tStatus: error\t\
                Error Type: Runtime.ExitError\n";
    let report = line(
        "Duration: 97.30 ms\tBilled Duration: 98 ms\tMemory Size: 128 MB\t\
         Max Memory Used: 31 MB\tStatus: error\tError Type: Runtime.ExitError",
    );
    let status = Status::Error { error_type: Some("Runtime.ExitError".to_owned()) };
    let expected = Report { status, ..warm(97.30, 98) };
    for tail in [format!("{init}{report}"), format!("{report}{init}")] {
        assert_eq!(read(&tail), expected);
        assert!((read(&tail).total_ms() - 97.30).abs() < 1e-9, "the init is in it already");
    }
    // The function has not ended its last line.
    assert_eq!(read(&format!("half a line{}{report}", init.trim_end())), expected);
}

#[test]
fn snapstart_restores_instead_of_initialising() {
    let report = read(&line(
        "Duration: 306.34 ms\tBilled Duration: 610 ms\tMemory Size: 128 MB\t\
         Max Memory Used: 31 MB\tRestore Duration: 511.25 ms\t\
         Billed Restore Duration: 303 ms\t",
    ));
    let start = Restored { restore_ms: 511.25, billed_restore_ms: Some(303) };
    assert_eq!(report, Report { start, ..warm(306.34, 610) });
    assert!(report.start.is_cold());
    assert!((report.total_ms() - 817.59).abs() < 1e-9);
}

#[test]
fn a_restore_without_its_billed_part() {
    let report = read(&line(&format!("{WARM}Restore Duration: 511.25 ms")));
    assert_eq!(report.start, Restored { restore_ms: 511.25, billed_restore_ms: None });
}

#[test]
fn init_report_is_another_line() {
    let init = "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout\n";
    for tail in [format!("{init}{}", line(WARM)), format!("{}{init}", line(WARM))] {
        assert_eq!(read(&tail), warm(12.34, 13));
    }
    assert_eq!(find(init, ID), Err(not_found()));
}

#[test]
fn a_suppressed_init_leaves_no_trace_but_the_duration() {
    let tail = "INIT_REPORT Init Duration: 10006.92 ms\tPhase: init\tStatus: timeout\n".to_owned()
        + &line("Duration: 10500.00 ms\tBilled Duration: 10500 ms\tMemory Size: 128 MB");
    assert_eq!(read(&tail), Report { max_memory_mb: None, ..warm(10500.0, 10500) });
}

#[test]
fn any_order_of_fields_is_read() {
    // The order of AWS's runtime interface emulator.
    let report = read(&line(
        "Init Duration: 0.12 ms\tDuration: 12.34 ms\tBilled Duration: 13 ms\t\
         Memory Size: 128 MB\tMax Memory Used: 31 MB",
    ));
    assert_eq!(report, Report { start: Cold { init_ms: 0.12 }, ..warm(12.34, 13) });
}

#[test]
fn what_every_report_has_is_named_where_it_is_missing() {
    for (fields, missing) in [
        ("Billed Duration: 13 ms\tMemory Size: 128 MB", "Duration"),
        ("Duration: 12.34 ms\tMemory Size: 128 MB", "Billed Duration"),
        ("Duration: 12.34 ms\tBilled Duration: 13 ms", "Memory Size"),
        ("Duration: 12.34 s\tBilled Duration: 13 ms\tMemory Size: 128 MB", "Duration"),
        ("Duration: -1 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB", "Duration"),
        ("Duration: NaN ms\tBilled Duration: 13 ms\tMemory Size: 128 MB", "Duration"),
        ("Duration: 1 ms\tBilled Duration: 1.5 ms\tMemory Size: 128 MB", "Billed Duration"),
        ("Duration: 1 ms\tBilled Duration: 1 ms\tMemory Size: all", "Memory Size"),
        ("Duration: 1e308 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB", "Duration"),
        (
            "Duration: 1 ms\tBilled Duration: 18446744073709551615 ms\tMemory Size: 128 MB",
            "Billed Duration",
        ),
    ] {
        assert_eq!(find(&line(fields), ID), Err(unreadable(missing)), "{fields}");
    }
}

#[test]
fn an_optional_metric_out_of_shape_is_not_a_missing_one() {
    let tail = line(&format!("{WARM}Init Duration: long"));
    assert_eq!(find(&tail, ID), Err(unreadable("Init Duration")));
}

#[test]
fn the_error_type_cannot_pose_as_a_metric() {
    let tail = line(&format!("{WARM}Status: error\tError Type: Oops\tBilled Duration: 0 ms"));
    assert_eq!(read(&tail).billed_ms, 13);
}
