//! What an invocation costs.
//!
//! The prices come from AWS's public price list and carry the date of that list. A price that was
//! not in it is an error: a recommendation built on a guessed price would look like any other.

use crate::architecture::Architecture;
use crate::power::Power;
use crate::region::{Currency, Region};

mod table;

/// The date of the price list that the built-in prices are taken from.
pub const PUBLISHED: &str = "2026-09-19";

const MB_PER_GB: f64 = 1024.0;
const MS_PER_SECOND: f64 = 1000.0;

/// The storage under /tmp that every function has without charge, in MB.
pub const FREE_EPHEMERAL_STORAGE_MB: u32 = 512;

/// The on-demand prices that one function pays, at the first tier and before any free tier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// What the prices are in.
    pub currency: Currency,
    /// A second of one GB of memory.
    pub per_gb_second: f64,
    /// A request, however long it runs.
    pub per_request: f64,
    /// What a GB-second costs further up in the account's month; `None` where that is not known.
    pub tiers: Option<&'static [Tier]>,
    /// A second of one GB under /tmp beyond what is free; `None` where that is not known.
    pub per_gb_second_of_storage: Option<f64>,
    /// A second of the storage that this function has beyond what is free.
    storage_per_second: f64,
}

/// A lower price for what an account uses beyond a threshold in a month, for each region and
/// architecture by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tier {
    /// The month's GB-seconds up to which the price before holds.
    pub above_gb_seconds: f64,
    /// A second of one GB of memory from there on.
    pub per_gb_second: f64,
}

/// A price that the built-in table does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPrice {
    /// The region is in no list.
    #[error(
        "no AWS Lambda price is known for {architecture} in region {region} (prices of \
         {PUBLISHED}): tune the function in another region, or update powertune"
    )]
    Region {
        /// The region asked for.
        region: Region,
        /// The architecture asked for.
        architecture: Architecture,
    },
    /// The region's price is known for the other architecture only.
    #[error(
        "the AWS Lambda price for {architecture} in region {region} is not known, only the one for \
         the other architecture (prices of {PUBLISHED}): tune the function there, in another \
         region, or update powertune"
    )]
    Architecture {
        /// The region asked for.
        region: Region,
        /// The architecture whose price is missing.
        architecture: Architecture,
    },
    /// Memory's price is known, that of storage is not.
    #[error(
        "the price of ephemeral storage beyond {FREE_EPHEMERAL_STORAGE_MB} MB is not known where \
         the function runs, and it has {storage_mb} MB (prices of {PUBLISHED}): set its ephemeral \
         storage to {FREE_EPHEMERAL_STORAGE_MB} MB, or tune it in another region"
    )]
    EphemeralStorage {
        /// The storage that the function has.
        storage_mb: u32,
    },
}

/// The price of a function in `region` on `architecture`.
pub fn on_demand(region: &Region, architecture: Architecture) -> Result<Price, UnknownPrice> {
    let row = table::row(region.as_str())
        .ok_or_else(|| UnknownPrice::Region { region: region.clone(), architecture })?;
    let duration = row
        .duration(architecture)
        .ok_or_else(|| UnknownPrice::Architecture { region: region.clone(), architecture })?;
    Ok(Price {
        currency: region.currency(),
        per_gb_second: duration.per_gb_second,
        per_request: row.per_million_requests / 1e6,
        tiers: duration.tiers,
        per_gb_second_of_storage: row.per_gb_second_of_storage,
        storage_per_second: 0.0,
    })
}

/// What so many state transitions of a Step Functions Standard workflow cost in `region`, in its
/// currency, before any free tier.
pub fn of_transitions(region: &Region, transitions: u64) -> f64 {
    table::per_transition(region.as_str()) * transitions as f64
}

impl Price {
    /// The price of the same function with `storage_mb` under /tmp.
    pub fn with_ephemeral_storage(self, storage_mb: u32) -> Result<Self, UnknownPrice> {
        let charged_mb = storage_mb.saturating_sub(FREE_EPHEMERAL_STORAGE_MB);
        if charged_mb == 0 {
            return Ok(Self { storage_per_second: 0.0, ..self });
        }
        let per_gb_second =
            self.per_gb_second_of_storage.ok_or(UnknownPrice::EphemeralStorage { storage_mb })?;
        let storage_per_second = f64::from(charged_mb) / MB_PER_GB * per_gb_second;
        Ok(Self { storage_per_second, ..self })
    }

    /// What `billed_ms` cost at `power`, without the charge for the request.
    ///
    /// The milliseconds are fractional so that a mean of billed durations has its cost too.
    pub fn duration_cost(&self, power: Power, billed_ms: f64) -> f64 {
        let gb = f64::from(power.mb()) / MB_PER_GB;
        billed_ms / MS_PER_SECOND * (gb * self.per_gb_second + self.storage_per_second)
    }

    /// What an invocation of `billed_ms` costs at `power`, the charge for the request included.
    pub fn invocation_cost(&self, power: Power, billed_ms: f64) -> f64 {
        self.duration_cost(power, billed_ms) + self.per_request
    }
}

#[cfg(test)]
mod tests {
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

    const DEFAULT_REGIONS: &[&str] = &[
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "us-gov-east-1",
        "us-gov-west-1",
        "ca-central-1",
        "ca-west-1",
        "mx-central-1",
        "sa-east-1",
        "eu-central-1",
        "eu-north-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
    ];

    /// Regions, `x86_64`, arm64, a million requests, currency.
    type Published =
        (&'static [&'static str], &'static str, Option<&'static str>, &'static str, Currency);

    /// The list as published, in strings, so that it is typed twice and in two ways.
    #[test]
    fn every_row_of_the_list() {
        let rows: [Published; 8] = [
            (DEFAULT_REGIONS, "0.0000166667", Some("0.0000133334"), "0.20", Currency::Usd),
            (&["af-south-1"], "0.0000221", Some("0.00001768"), "0.27", Currency::Usd),
            (&["ap-east-1"], "0.00002292", Some("0.0000183"), "0.28", Currency::Usd),
            (&["eu-south-1"], "0.0000195172", Some("0.0000156138"), "0.23", Currency::Usd),
            (
                &["me-south-1", "me-central-1"],
                "0.0000206667",
                Some("0.0000165334"),
                "0.25",
                Currency::Usd,
            ),
            (&["eu-central-2"], "0.0000183334", None, "0.22", Currency::Usd),
            (&["il-central-1"], "0.0000175", None, "0.21", Currency::Usd),
            (&["cn-north-1", "cn-northwest-1"], "0.000113477", None, "1.36", Currency::Cny),
        ];
        for (regions, x86_64, arm64, per_million, currency) in &rows {
            for code in *regions {
                for (architecture, published) in [(X86_64, Some(*x86_64)), (Arm64, *arm64)] {
                    let Some(published) = published else {
                        let region = region(code);
                        let unknown = UnknownPrice::Architecture { region, architecture };
                        assert_eq!(on_demand(&self::region(code), architecture), Err(unknown));
                        continue;
                    };
                    let price = price(code, architecture);
                    assert_close(price.per_gb_second, published.parse().unwrap());
                    assert_close(price.per_request * 1e6, per_million.parse().unwrap());
                    assert_eq!(price.currency, *currency);
                }
            }
        }
        let tested: usize = rows.iter().map(|(regions, ..)| regions.len()).sum();
        assert_eq!(tested, table::regions().count(), "a region is listed twice or not tested");
    }

    #[test]
    fn a_price_not_in_the_list_is_no_guess() {
        for code in ["eusc-de-east-1", "us-iso-east-1", "us-east-9"] {
            for architecture in [X86_64, Arm64] {
                let error = on_demand(&region(code), architecture).unwrap_err();
                assert_eq!(error, UnknownPrice::Region { region: region(code), architecture });
                let message = error.to_string();
                for said in [code, architecture.as_str(), PUBLISHED] {
                    assert!(message.contains(said), "{message}");
                }
            }
        }
        let message = on_demand(&region("il-central-1"), Arm64).unwrap_err().to_string();
        assert!(message.contains("arm64 in region il-central-1"), "{message}");
    }

    #[test]
    fn tiers_are_known_at_the_default_price() {
        let tiers = |architecture| {
            let tiers = price("us-east-1", architecture).tiers.unwrap();
            tiers.iter().map(|t| (t.above_gb_seconds, t.per_gb_second)).collect::<Vec<_>>()
        };
        assert_eq!(tiers(X86_64), [(6e9, 0.000_015), (15e9, 0.000_013_333_4)]);
        assert_eq!(tiers(Arm64), [(7.5e9, 0.000_012_000_1), (18.75e9, 0.000_010_666_7)]);
        assert_eq!(price("af-south-1", X86_64).tiers, None);
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
            let more =
                large.duration_cost(power(mb), 500.0) - plain.duration_cost(power(mb), 500.0);
            assert!((more - 0.000_000_030_9).abs() < 1e-18, "{more}");
        }
        assert_eq!(large.with_ephemeral_storage(512), Ok(plain));
    }

    #[test]
    fn storage_of_unknown_price_is_an_error_only_where_it_is_charged() {
        let price = price("ap-east-1", X86_64);
        assert_eq!(price.with_ephemeral_storage(512), Ok(price));
        let error = price.with_ephemeral_storage(513).unwrap_err();
        assert_eq!(error, UnknownPrice::EphemeralStorage { storage_mb: 513 });
        assert!(error.to_string().contains("it has 513 MB"), "{error}");
    }
}
