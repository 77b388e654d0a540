//! The lines come from AWS's documentation and from users' logs.

use super::*;

mod arbitrary;
mod in_json;
mod in_text;

const ID: &str = "8f507cfc-d211-4e9b-a0b2-1f3c5c1e4d0a";
const OTHER: &str = "11111111-2222-3333-4444-555555555555";

fn line(fields: &str) -> String {
    format!("REPORT RequestId: {ID}\t{fields}\n")
}

fn read(tail: &str) -> Report {
    find(tail, ID).unwrap()
}

fn warm(duration_ms: f64, billed_ms: u64) -> Report {
    Report {
        duration_ms,
        billed_ms,
        memory_mb: 128,
        max_memory_mb: Some(31),
        start: Warm,
        status: Status::Success,
    }
}

const WARM: &str =
    "Duration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 31 MB\t";

fn not_found() -> ReportError {
    ReportError::NotFound { request_id: ID.to_owned() }
}

fn unreadable(field: &'static str) -> ReportError {
    ReportError::Unreadable { request_id: ID.to_owned(), field }
}

mod in_a_tail {
    use super::*;

    #[test]
    fn the_first_line_may_be_cut() {
        let others = line(WARM).replace(ID, OTHER);
        for cut in 1..others.len() {
            assert_eq!(read(&format!("{}{}", &others[cut..], line(WARM))), warm(12.34, 13));
        }
        let json = format!(
            r#"{{"time":"t","type":"platform.report","record":{{"requestId":"{ID}","status":"success","metrics":{{"durationMs":1.0,"billedDurationMs":1,"memorySizeMB":128}}}}}}"#
        );
        for cut in 1..json.len() {
            assert_eq!(find(&json[cut..], ID), Err(not_found()), "{}", &json[cut..]);
            assert_eq!(read(&format!("{}\n{}", &json[cut..], line(WARM))), warm(12.34, 13));
        }
    }

    #[test]
    fn nothing_is_no_report_of_zeros() {
        for tail in ["", "\n", "{", "{}", "REPORT", "REPORT RequestId: ", "START RequestId: x"] {
            assert_eq!(find(tail, ID), Err(not_found()), "{tail:?}");
        }
    }

    #[test]
    fn the_report_that_counts_is_the_last() {
        let forged = line("Duration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB");
        let forged_json = format!(
            r#"{{"time":"t","type":"platform.report","record":{{"requestId":"{ID}","status":"success","metrics":{{"durationMs":1.0,"billedDurationMs":1,"memorySizeMB":128}}}}}}"#
        );
        let broken = format!("REPORT RequestId: {ID}\tnonsense\n");
        for before in [forged, forged_json, broken] {
            assert_eq!(read(&format!("{before}\n{}", line(WARM))), warm(12.34, 13), "{before}");
        }
    }

    #[test]
    fn another_request_is_not_this_one() {
        let others = line(WARM).replace(ID, OTHER);
        assert_eq!(find(&others, ID), Err(not_found()));
        assert_eq!(read(&format!("{}{others}", line(WARM))), warm(12.34, 13));
        // This id is a prefix of the other one.
        assert_eq!(find(&line(WARM).replace(ID, &format!("{ID}0")), ID), Err(not_found()));
    }

    #[test]
    fn the_error_says_what_to_do() {
        let message = find("", ID).unwrap_err().to_string();
        assert!(message.contains(ID) && message.contains("INFO"), "{message}");
        let message = find(&line(""), ID).unwrap_err().to_string();
        assert!(message.contains(ID) && message.contains("`Duration`"), "{message}");
    }
}

/// Lines of real bills. The measured durations add up to Billed Duration, so nothing must be added
/// to it.
mod billing {
    use super::*;

    fn whole(ms: f64) -> u64 {
        format!("{:.0}", ms.ceil()).parse().unwrap()
    }

    #[test]
    fn a_cold_start_is_billed_with_its_init() {
        for (duration, init, billed) in [
            ("3016.78", "84.00", 3101),
            ("133.61", "80.00", 214),
            ("3004.92", "111.23", 3117),
            ("1049.63", "1293.83", 2344),
        ] {
            let report = read(&line(&format!(
                "Duration: {duration} ms\tBilled Duration: {billed} ms\tMemory Size: 128 MB\t\
                 Max Memory Used: 31 MB\tInit Duration: {init} ms"
            )));
            assert_eq!(report.billed_ms, billed);
            assert_eq!(whole(report.total_ms()), billed);
        }
    }

    #[test]
    fn a_restore_is_in_the_billed_duration_already() {
        for (duration, restore, billed) in [
            ("127.10", 26, 154),
            ("306.34", 303, 610),
            ("159.87", 118, 278),
            ("2338.66", 182, 2521),
        ] {
            let report = read(&line(&format!(
                "Duration: {duration} ms\tBilled Duration: {billed} ms\tMemory Size: 128 MB\t\
                 Max Memory Used: 31 MB\tRestore Duration: 511.25 ms\t\
                 Billed Restore Duration: {restore} ms"
            )));
            let Restored { billed_restore_ms: Some(billed_restore_ms), .. } = report.start else {
                panic!("{report:?}");
            };
            assert_eq!(report.billed_ms, billed);
            assert_eq!(whole(report.duration_ms) + billed_restore_ms, billed);
        }
    }
}
