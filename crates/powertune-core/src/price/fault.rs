//! The faults that a price list can have.

use crate::{
    architecture::Architecture,
    region::{Currency, Region},
};

/// Why a price list is not used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ListFault {
    /// The text is no JSON, or has not the fields of a price list.
    #[error("it is not the JSON of a price list: {0}")]
    Json(String),
    /// Neither AWS's format nor powertune's.
    #[error(
        "it is no price list: it has neither the field offerCode, as AWS's price lists have, nor \
         the field format, as powertune's have"
    )]
    NoList,
    /// A list of powertune's in another format.
    #[error(
        "it has format {0} of powertune's price lists, and this powertune knows format 1: update powertune"
    )]
    Format(u64),
    /// The list of another service.
    #[error(
        "it is the price list of another service: its offerCode is {0:?} and not \"AWSLambda\""
    )]
    OfferCode(String),
    /// A date of publication that is no date, or a moment of fetching that is no moment.
    #[error("its date {0:?} is no date")]
    Date(String),
    /// A product group that should be there once.
    #[error("the group {group} is in it {count} times for a region, and not once")]
    Group {
        /// The group.
        group: &'static str,
        /// How many products of a region it has.
        count: usize,
    },
    /// Products of several regions, or of none.
    #[error(
        "it has the prices of several regions ({0}), and not of one: take AWS's price list of one \
         region"
    )]
    Regions(String),
    /// A product without the one price that it should have.
    #[error("the price of {group} is not in it in the form that AWS's price lists have: {problem}")]
    Terms {
        /// The product's group.
        group: &'static str,
        /// The fault.
        problem: String,
    },
    /// The list is of another region.
    #[error("it is the price list of {found}, and not of {wanted}")]
    OtherRegion {
        /// The region of the list.
        found: Region,
        /// The region that was asked for.
        wanted: Region,
    },
    /// No region at all.
    #[error("it has no region")]
    Empty,
    /// A region twice.
    #[error("the region {0} is in it twice")]
    Twice(Region),
    /// A region without an architecture.
    #[error("it has no prices for {0}, neither for x86_64 nor for arm64")]
    NoRates(Region),
    /// Another currency than the region's.
    #[error("its prices for {region} are not in {expected}")]
    Currency {
        /// The region.
        region: Region,
        /// Its currency.
        expected: Currency,
    },
    /// A currency that no built-in price has.
    #[error(
        "prices in {} ({region}) can't be checked: powertune knows none to compare them with",
        region.currency()
    )]
    UnknownCurrency {
        /// The region.
        region: Region,
    },
    /// Tiers that do not follow each other.
    #[error("the tiers for {architecture} in {region} do not follow each other")]
    Tiers {
        /// The region.
        region: Region,
        /// The architecture.
        architecture: Architecture,
    },
    /// A price that can't be.
    #[error(
        "its price for {what} of {architecture} in {region}, {price}, is not within a factor of 100 \
         of the built-in one, {usual}"
    )]
    Implausible {
        /// The thing that the price is of.
        what: &'static str,
        /// The architecture.
        architecture: Architecture,
        /// The region.
        region: Region,
        /// The price in the list.
        price: f64,
        /// The built-in price.
        usual: f64,
    },
}
