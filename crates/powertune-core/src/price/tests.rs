//! Tests the table against AWS's publication.

mod lists;

use super::*;
use crate::architecture::Architecture::{Arm64, X86_64};

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn price(code: &str, architecture: Architecture) -> Price {
    on_demand(&region(code), architecture).unwrap()
}

fn power(mb: i64) -> Power {
    Power::new(mb).unwrap()
}

#[track_caller]
fn assert_close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= expected.abs() * 1e-12, "{actual} is not {expected}");
}

/// The prices of a region, typed by hand from the publication and not from the table: currency,
/// x86_64, arm64, a million requests, /tmp on x86_64, /tmp on arm64. An empty text means unknown.
type Published = (&'static str, [&'static str; 6]);

const USUAL: [&str; 6] = ["USD", "0.0000166667", "0.0000133334", "0.20", "", ""];
const GULF: [&str; 6] = ["USD", "0.0000206667", "0.0000165334", "0.25", "", ""];

const fn tmp(per_gb_second: &'static str) -> [&'static str; 6] {
    [USUAL[0], USUAL[1], USUAL[2], USUAL[3], per_gb_second, per_gb_second]
}

#[rustfmt::skip]
const PUBLISHED: [Published; 38] = [
    ("us-east-1", tmp("0.0000000309")),
    ("us-east-2", tmp("0.0000000309")),
    ("us-west-1", tmp("0.0000000370")),
    ("us-west-2", tmp("0.0000000309")),
    ("us-gov-east-1", USUAL),
    ("us-gov-west-1", USUAL),
    ("ca-central-1", tmp("0.0000000340")),
    ("ca-west-1", USUAL),
    ("mx-central-1", USUAL),
    ("sa-east-1", tmp("0.0000000586")),
    ("eu-central-1", tmp("0.0000000367")),
    ("eu-central-2", ["USD", "0.0000183334", "0.0000146667", "0.22", "0.0000000441", "0.0000000441"]),
    ("eu-north-1", tmp("0.0000000323")),
    ("eu-south-1", ["USD", "0.0000195172", "0.0000156138", "0.23", "0.0000000357", "0.0000000357"]),
    ("eu-south-2", USUAL),
    ("eu-west-1", tmp("0.0000000340")),
    ("eu-west-2", tmp("0.0000000358")),
    ("eu-west-3", tmp("0.0000000358")),
    ("ap-east-1", ["USD", "0.00002292", "0.0000183", "0.28", "0.0000000407", "0.0000000407"]),
    ("ap-east-2", USUAL),
    ("ap-northeast-1", tmp("0.0000000370")),
    ("ap-northeast-2", tmp("0.0000000352")),
    ("ap-northeast-3", tmp("0.0000000370")),
    ("ap-south-1", tmp("0.0000000352")),
    ("ap-south-2", USUAL),
    ("ap-southeast-1", tmp("0.0000000370")),
    ("ap-southeast-2", tmp("0.0000000370")),
    ("ap-southeast-3", USUAL),
    ("ap-southeast-4", tmp("0.0000000370")),
    ("ap-southeast-5", ["USD", "0.000015", "0.000012", "0.18", "0.0000000333", "0.0000000333"]),
    ("ap-southeast-6", USUAL),
    ("ap-southeast-7", USUAL),
    ("af-south-1", ["USD", "0.0000221", "0.00001768", "0.27", "0.0000000404", "0.0000000404"]),
    ("me-south-1", GULF),
    ("me-central-1", GULF),
    ("il-central-1", ["USD", "0.0000175", "", "0.21", "", ""]),
    ("cn-north-1", ["CNY", "0.000113477", "0.0000908", "1.36", "", "0.0000002303"]),
    ("cn-northwest-1", ["CNY", "0.000113477", "0.0000908", "1.36", "", "0.0000002049"]),
];

#[test]
fn every_row_of_the_table_is_as_published() {
    for (code, [currency, x86_64, arm64, per_million, tmp_x86_64, tmp_arm64]) in PUBLISHED {
        for (architecture, per_gb_second, tmp) in
            [(X86_64, x86_64, tmp_x86_64), (Arm64, arm64, tmp_arm64)]
        {
            let found = on_demand(&region(code), architecture);
            if per_gb_second.is_empty() {
                let error = found.unwrap_err();
                assert!(matches!(error, UnknownPrice::Architecture { .. }), "{error}");
                continue;
            }
            let found = found.unwrap();
            assert_close(found.per_gb_second, per_gb_second.parse().unwrap());
            assert_close(found.per_request * 1e6, per_million.parse().unwrap());
            assert_eq!(found.per_gb_second_of_storage, tmp.parse().ok(), "{code} {architecture}");
            assert_eq!(found.currency.code(), currency, "{code}");
        }
    }
    assert_eq!(PUBLISHED.len(), built_in().count(), "a region is not tested");
    assert!(built_in().all(|listing| listing.published == "2026-09-19"));
    assert_eq!(published(), "2026-09-19");
    let usual = on_demand(&region("us-east-1"), Arm64).unwrap();
    assert_eq!(usual.per_request.to_string(), "0.0000002");
}

#[test]
fn a_price_not_in_the_list_is_no_guess() {
    for code in ["eusc-de-east-1", "us-iso-east-1", "us-east-9"] {
        for architecture in [X86_64, Arm64] {
            let error = on_demand(&region(code), architecture).unwrap_err();
            assert!(matches!(error, UnknownPrice::Region { .. }), "{error}");
            let message = error.to_string();
            for said in [code, architecture.as_str(), "prices of 2026-09-19", "--update"] {
                assert!(message.contains(said), "{message}");
            }
        }
    }
    let message = on_demand(&region("il-central-1"), Arm64).unwrap_err().to_string();
    assert!(message.contains("arm64 in region il-central-1"), "{message}");
}

#[test]
fn tiers_are_known_at_the_usual_price() {
    let tiers = |code: &str, architecture| -> Vec<(f64, f64)> {
        let listing = built_in().find(|listing| listing.region.as_str() == code).unwrap();
        let tiers = &listing.rates(architecture).unwrap().tiers;
        tiers.iter().map(|tier| (tier.above_gb_seconds, tier.per_gb_second)).collect()
    };
    assert_eq!(tiers("us-east-1", X86_64), [(6e9, 0.000_015), (15e9, 0.000_013_333_4)]);
    let arm64 = [(7.5e9, 0.000_012_000_1), (18.75e9, 0.000_010_666_7)];
    assert_eq!(tiers("us-east-1", Arm64), arm64);
    assert_eq!(tiers("af-south-1", X86_64), []);
}

#[test]
fn a_gb_is_1024_mb() {
    let price = price("us-east-1", X86_64);
    assert_close(price.duration_cost(power(1024), 1000.0), 0.000_016_666_7);
    assert_close(price.duration_cost(power(128), 1.0), 0.000_016_666_7 / 8.0 / 1000.0);
    assert_close(price.duration_cost(power(10_240), 0.5), 0.000_016_666_7 * 10.0 / 2000.0);
}

#[test]
fn a_request_is_charged_once() {
    let price = price("us-east-1", X86_64);
    assert_close(price.invocation_cost(power(1024), 1000.0), 0.000_016_666_7 + 0.000_000_2);
    assert_close(price.invocation_cost(power(1024), 0.0), 0.000_000_2);
}

#[test]
fn transitions_have_their_regions_price() {
    assert_close(of_transitions(&region("us-east-1"), 24), 0.0006);
    assert_close(of_transitions(&region("sa-east-1"), 1000), 0.0375);
    assert_close(of_transitions(&region("cn-north-1"), 10), 0.001_891);
}

#[test]
fn storage_beyond_what_is_free_is_charged_by_the_second() {
    let plain = price("eu-west-1", Arm64);
    for free in [0, 512] {
        assert_eq!(plain.with_ephemeral_storage(free), Ok(plain));
    }
    let large = plain.with_ephemeral_storage(512 + 2048).unwrap();
    for mb in [128, 10_240] {
        let more = large.duration_cost(power(mb), 500.0) - plain.duration_cost(power(mb), 500.0);
        assert!((more - 0.000_000_034).abs() < 1e-18, "{more}");
    }
    assert_eq!(large.with_ephemeral_storage(512), Ok(plain));
}

#[test]
fn storage_of_unknown_price_is_an_error_only_where_it_is_charged() {
    let price = price("il-central-1", X86_64);
    assert_eq!(price.with_ephemeral_storage(512), Ok(price));
    let error = price.with_ephemeral_storage(513).unwrap_err();
    assert_eq!(error, UnknownPrice::EphemeralStorage { storage_mb: 513 });
    assert!(error.to_string().contains("it has 513 MB"), "{error}");
}
