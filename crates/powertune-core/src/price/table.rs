//! The built-in prices: AWS's price list on the date in each row.

use std::sync::LazyLock;

use serde::Deserialize;

use super::listing::{Listing, PricesFrom, Rates, Tier};
use crate::{
    architecture::Architecture,
    region::{Currency, Region},
};

const TABLE: &str = include_str!("table.csv");

static ROWS: LazyLock<Vec<RegionPrices>> =
    LazyLock::new(|| parse(TABLE).expect("a test reads the whole built-in table"));

/// The price in USD of a state transition in a region without a row.
const USUAL_PER_TRANSITION: f64 = 0.000_025;

#[derive(Debug)]
struct RegionPrices {
    listing: Listing,
    /// The price of a state transition in a Standard workflow, in the currency of the listing.
    per_transition: f64,
}

#[derive(Debug, Deserialize)]
struct CsvRecord {
    region: Region,
    published: String,
    currency: Currency,
    x86_64_per_gb_s: Option<f64>,
    arm64_per_gb_s: Option<f64>,
    per_million_requests: f64,
    x86_64_tmp_per_gb_s: Option<f64>,
    arm64_tmp_per_gb_s: Option<f64>,
    per_transition: f64,
}

/// The usual prices with their tiers. AWS publishes no tiers for other prices.
const USUAL_TIERS: [(Architecture, f64, [Tier; 2]); 2] = [
    (
        Architecture::X86_64,
        0.000_016_666_7,
        [
            Tier { above_gb_seconds: 6e9, per_gb_second: 0.000_015 },
            Tier { above_gb_seconds: 15e9, per_gb_second: 0.000_013_333_4 },
        ],
    ),
    (
        Architecture::Arm64,
        0.000_013_333_4,
        [
            Tier { above_gb_seconds: 7.5e9, per_gb_second: 0.000_012_000_1 },
            Tier { above_gb_seconds: 18.75e9, per_gb_second: 0.000_010_666_7 },
        ],
    ),
];

/// The built-in prices of every known region, sorted by region code.
pub fn built_in() -> impl Iterator<Item = &'static Listing> {
    ROWS.iter().map(|row| &row.listing)
}

/// The date of the newest built-in price, as year, month and day.
pub fn published() -> &'static str {
    built_in().map(|listing| listing.published.as_str()).max().unwrap_or_default()
}

pub(super) fn per_transition(region: &Region) -> f64 {
    let row = ROWS.iter().find(|row| row.listing.region == *region);
    row.map_or(USUAL_PER_TRANSITION, |row| row.per_transition)
}

fn parse(text: &str) -> Result<Vec<RegionPrices>, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    reader.deserialize().map(|record| record.map(RegionPrices::of)).collect()
}

impl RegionPrices {
    fn of(record: CsvRecord) -> Self {
        let rates = |architecture, per_gb_second: Option<f64>, per_gb_second_of_storage| {
            per_gb_second.map(|per_gb_second| Rates {
                per_gb_second,
                per_request: of_one(record.per_million_requests),
                per_gb_second_of_storage,
                tiers: tiers(architecture, per_gb_second),
            })
        };
        let x86_64 =
            rates(Architecture::X86_64, record.x86_64_per_gb_s, record.x86_64_tmp_per_gb_s);
        let arm64 = rates(Architecture::Arm64, record.arm64_per_gb_s, record.arm64_tmp_per_gb_s);
        let listing = Listing {
            region: record.region,
            currency: record.currency,
            published: record.published,
            from: PricesFrom::BuiltIn,
            fetched: None,
            x86_64,
            arm64,
        };
        Self { listing, per_transition: record.per_transition }
    }
}

/// The price of one, from the price of a million. The result equals the number in AWS's list, where
/// a division would add a rounding error.
fn of_one(million: f64) -> f64 {
    format!("{million}e-6").parse().unwrap_or(million / 1e6)
}

fn tiers(architecture: Architecture, per_gb_second: f64) -> Vec<Tier> {
    let usual = USUAL_TIERS.into_iter().find(|(of, price, _)| {
        *of == architecture && (price - per_gb_second).abs() < f64::EPSILON * price
    });
    usual.map(|(_, _, tiers)| tiers.to_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_of_its_regions_currency_and_could_come_from_a_list() {
        for listing in built_in() {
            listing.check().unwrap();
        }
        let regions: Vec<&str> = built_in().map(|listing| listing.region.as_str()).collect();
        let mut sorted = regions.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(regions, sorted, "a region is listed twice, or not in its place");
    }

    #[test]
    fn a_table_that_is_damaged_is_no_table() {
        for (from, to) in
            [("af-south-1,", "Africa,"), ("0.0000221", "cheap"), (",USD,", ",usd,"), ("0.27,", ",")]
        {
            let damaged = TABLE.replacen(from, to, 1);
            assert_ne!(damaged, TABLE);
            assert!(parse(&damaged).is_err(), "{from} -> {to}");
        }
    }
}
