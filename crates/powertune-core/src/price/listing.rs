//! The prices of one region from any source, and their plausibility checks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{fault::ListFault, table};
use crate::{
    architecture::Architecture,
    region::{Currency, Region},
};

/// The maximum factor between a price and the built-in one. A larger factor shows a mistake in the
/// unit or the currency.
const MOST_DIFFERENT: f64 = 100.0;

/// The on-demand prices of one region, before any free tier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listing {
    /// The region of the prices.
    pub region: Region,
    /// The currency of every price.
    pub currency: Currency,
    /// The date of AWS's publication, as year, month and day.
    pub published: String,
    /// The source of the prices.
    #[serde(default)]
    pub from: PricesFrom,
    /// The time of fetching, in RFC 3339. Absent if they were not fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<String>,
    /// The prices of x86_64. Absent if they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "x86_64")]
    pub x86_64: Option<Rates>,
    /// The prices of arm64. Absent if they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm64: Option<Rates>,
}

/// The source of prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PricesFrom {
    /// The table in powertune.
    #[default]
    BuiltIn,
    /// AWS's price list, fetched by this user.
    Fetched,
    /// The file that the run was given.
    File,
}

/// The prices of an architecture in a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rates {
    /// Per second of one GB of memory.
    pub per_gb_second: f64,
    /// Per request.
    pub per_request: f64,
    /// Per second of one GB under /tmp beyond 512 MB. Absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_gb_second_of_storage: Option<f64>,
    /// The lower prices above a monthly usage. Empty if they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
}

/// The price above a monthly usage of an account, counted per region and architecture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tier {
    /// The GB-seconds in a month above which the price holds.
    pub above_gb_seconds: f64,
    /// Per second of one GB of memory.
    pub per_gb_second: f64,
}

/// The source and the date of the prices in a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The date of AWS's publication, as year, month and day.
    pub published: String,
    /// The source of the prices.
    pub from: PricesFrom,
    /// The time of fetching, in RFC 3339.
    pub fetched: Option<String>,
    /// The file name, if the source is a file.
    pub file: Option<String>,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            published: table::published().to_owned(),
            from: PricesFrom::BuiltIn,
            fetched: None,
            file: None,
        }
    }
}

/// "prices of 2026-09-19", and the source unless built in.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prices of {}", self.published)?;
        match self.from {
            PricesFrom::BuiltIn => Ok(()),
            PricesFrom::Fetched => match &self.fetched {
                Some(fetched) => write!(f, " fetched on {}", day(fetched)),
                None => f.write_str(" fetched"),
            },
            PricesFrom::File => match &self.file {
                Some(file) => write!(f, " from {file}"),
                None => f.write_str(" from a file"),
            },
        }
    }
}

fn day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(day, _)| day)
}

impl Listing {
    /// The prices of an architecture, if they are known.
    pub fn rates(&self, architecture: Architecture) -> Option<&Rates> {
        match architecture {
            Architecture::X86_64 => self.x86_64.as_ref(),
            Architecture::Arm64 => self.arm64.as_ref(),
        }
    }

    /// Checks that the prices are plausible for the region.
    ///
    /// # Errors
    /// When the date is not valid, the currency is not the region's, or a price is not positive or
    /// too far from the built-in one.
    pub fn check(&self) -> Result<(), ListFault> {
        let Self { region, currency, .. } = self;
        if !is_date(&self.published) {
            return Err(ListFault::Date(self.published.clone()));
        }
        if let Some(fetched) = &self.fetched
            && !is_time(fetched)
        {
            return Err(ListFault::Date(fetched.clone()));
        }
        if *currency != region.currency() {
            return Err(ListFault::Currency(region.clone()));
        }
        let both = [Architecture::X86_64, Architecture::Arm64];
        if both.iter().all(|&architecture| self.rates(architecture).is_none()) {
            return Err(ListFault::NoRates(region.clone()));
        }
        both.iter().try_for_each(|&architecture| match self.rates(architecture) {
            Some(rates) => rates.check(region, architecture),
            None => Ok(()),
        })
    }
}

impl Rates {
    fn check(&self, region: &Region, architecture: Architecture) -> Result<(), ListFault> {
        let usual = usual(region, architecture)
            .ok_or_else(|| ListFault::UnknownCurrency(region.clone()))?;
        let check = |what: &'static str, price: f64, usual: f64| {
            let is_near = price <= usual * MOST_DIFFERENT && price >= usual / MOST_DIFFERENT;
            if is_near {
                return Ok(());
            }
            Err(ListFault::Implausible { what, architecture, region: region.clone(), price, usual })
        };
        check("a GB-second", self.per_gb_second, usual.per_gb_second)?;
        check("a request", self.per_request, usual.per_request)?;
        if let Some(price) = self.per_gb_second_of_storage {
            let usual = usual.per_gb_second_of_storage.unwrap_or(price);
            check("a GB-second of storage", price, usual)?;
        }
        let mut before = 0.0;
        for tier in &self.tiers {
            if tier.above_gb_seconds.is_nan() || tier.above_gb_seconds <= before {
                return Err(ListFault::Tiers { region: region.clone(), architecture });
            }
            before = tier.above_gb_seconds;
            check("a GB-second of a higher tier", tier.per_gb_second, usual.per_gb_second)?;
        }
        Ok(())
    }
}

/// The built-in prices of the region, or of a region with the same currency.
fn usual(region: &Region, architecture: Architecture) -> Option<Rates> {
    let of = |code: &str| table::built_in().find(|listing| listing.region.as_str() == code);
    let usual = match region.currency() {
        Currency::Usd => of("us-east-1"),
        Currency::Cny => of("cn-north-1"),
        Currency::Eur => None,
    }?;
    let listings = [of(region.as_str()), Some(usual)];
    let known = || listings.into_iter().flatten().filter_map(|of| of.rates(architecture));
    let any = usual.rates(Architecture::Arm64)?;
    let storage = known().chain([any]).find_map(|rates| rates.per_gb_second_of_storage);
    Some(Rates { per_gb_second_of_storage: storage, ..known().next()?.clone() })
}

pub(super) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |part: &str, length: usize| {
        let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<u32>().ok()).flatten()
    };
    number(year, 4).is_some_and(|year| year >= 2014)
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}

fn is_time(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || b":.+-Z".contains(&byte);
    let parts = text.split_once('T');
    parts.is_some_and(|(day, time)| is_date(day) && time.len() < 32 && time.bytes().all(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(code: &str) -> Listing {
        let mut listings = table::built_in();
        listings.find(|listing| listing.region.as_str() == code).unwrap().clone()
    }

    fn changed(change: impl FnOnce(&mut Listing, &mut Rates)) -> Result<(), ListFault> {
        let mut listing = listing("eu-west-1");
        let mut rates = listing.x86_64.take().unwrap();
        change(&mut listing, &mut rates);
        listing.x86_64.get_or_insert(rates);
        listing.check()
    }

    #[test]
    fn prices_far_from_the_built_in_ones_are_not_believed() {
        assert_eq!(changed(|_, rates| rates.per_gb_second *= 99.0), Ok(()));
        for factor in [0.0, -1.0, 1.0 / 200.0, 200.0, f64::NAN, f64::INFINITY] {
            let changes: [fn(&mut Rates, f64); 4] = [
                |rates, factor| rates.per_gb_second *= factor,
                |rates, factor| rates.per_request *= factor,
                |rates, factor| rates.tiers[0].per_gb_second *= factor,
                |rates, factor| {
                    rates.per_gb_second_of_storage =
                        rates.per_gb_second_of_storage.map(|price| price * factor);
                },
            ];
            for change in changes {
                let fault = changed(|_, rates| change(rates, factor)).unwrap_err();
                assert!(matches!(fault, ListFault::Implausible { .. }), "{factor}: {fault}");
            }
        }
    }

    #[test]
    fn what_was_fetched_has_a_date_and_a_time() {
        let fetched = |text: &str| {
            let text = text.to_owned();
            changed(|listing, _| listing.fetched = Some(text))
        };
        assert_eq!(fetched("2026-11-27T05:20:00Z"), Ok(()));
        for text in ["", "2026-11-27", "2026-11-27T\u{1b}[1m", "yesterdayT05:20:00Z"] {
            assert!(matches!(fetched(text), Err(ListFault::Date(_))), "{text:?}");
        }
    }

    #[test]
    fn tiers_rise() {
        let fault = changed(|_, rates| rates.tiers.reverse()).unwrap_err();
        assert!(matches!(fault, ListFault::Tiers { .. }), "{fault}");
    }

    #[test]
    fn a_region_that_is_not_built_in_is_compared_with_the_usual_prices() {
        let mut listing = listing("eu-west-1");
        listing.region = "us-east-9".parse().unwrap();
        assert_eq!(listing.check(), Ok(()));
        listing.region = "eusc-de-east-1".parse().unwrap();
        listing.currency = Currency::Eur;
        let fault = listing.check().unwrap_err();
        assert!(matches!(fault, ListFault::UnknownCurrency(_)), "{fault}");
        listing.region = "cn-north-1".parse().unwrap();
        assert!(matches!(listing.check(), Err(ListFault::Currency(_))));
    }

    #[test]
    fn a_date_has_a_year_a_month_and_a_day() {
        for text in ["2026-09-19", "2014-11-13", "2099-12-31"] {
            assert!(is_date(text), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-9-19",
            "2026-13-01",
            "2026-00-10",
            "2026-01-32",
            "1999-01-01",
            "+026-01-01",
            "2026-09-19T00:00:00Z",
            "2026-09-19-",
            "२०२६-09-19",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }
}
