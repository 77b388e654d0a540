use crate::{architecture::Architecture, region::Region};

/// The reason to refuse a price list.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ListFault {
    /// The text is not JSON, or it lacks the fields of a price list.
    #[error("it is not the JSON of a price list: {0}")]
    Json(String),
    /// The text has neither AWS's format nor powertune's.
    #[error(
        "it is no price list: it has neither the field offerCode of AWS's price lists nor the \
         field format of powertune's"
    )]
    NoList,
    /// The list has another version of powertune's format.
    #[error(
        "it has format {0} of powertune's price lists, and this powertune knows format 1: update powertune"
    )]
    Format(u64),
    /// The list belongs to another service.
    #[error(
        "it is the price list of another service: its offerCode is {0:?} and not \"AWSLambda\""
    )]
    OfferCode(String),
    /// The date of publication or the time of fetching is not valid.
    #[error("its date {0:?} is not a date")]
    Date(String),
    /// A product group does not occur once.
    #[error("it has the group {group} {count} times for a region, and not once")]
    Group {
        /// The name of the group.
        group: &'static str,
        /// The number of its products in a region.
        count: usize,
    },
    /// The products belong to several regions, or to none.
    #[error(
        "it has the prices of several regions ({0}), and not of one: take AWS's price list of one \
         region"
    )]
    Regions(String),
    /// A product does not have one price.
    #[error("its price of {group} does not have the form of AWS's price lists: {problem}")]
    Terms {
        /// The name of its group.
        group: &'static str,
        /// The fault, as a text for people.
        problem: String,
    },
    /// The list belongs to another region.
    #[error("it is the price list of {found}, and not of {wanted}")]
    OtherRegion {
        /// The region of the list.
        found: Region,
        /// The expected region.
        wanted: Region,
    },
    /// The list has no region.
    #[error("it has no region")]
    Empty,
    /// The list has a region twice.
    #[error("it has the region {0} twice")]
    Twice(Region),
    /// A region has no prices.
    #[error("it has no prices for {0}, neither for x86_64 nor for arm64")]
    NoRates(Region),
    /// The currency is not the one of the region.
    #[error("its prices for {0} are not in {currency}", currency = .0.currency())]
    Currency(Region),
    /// The currency has no built-in price to compare with.
    #[error(
        "prices in {currency} ({0}) can't be checked: powertune knows none to compare them with",
        currency = .0.currency()
    )]
    UnknownCurrency(Region),
    /// The thresholds of the tiers do not rise.
    #[error("the tiers for {architecture} in {region} do not follow each other")]
    Tiers {
        /// The region of the prices.
        region: Region,
        /// The architecture of the prices.
        architecture: Architecture,
    },
    /// The price is too far from the built-in one.
    #[error(
        "its price for {what} of {architecture} in {region}, {price}, is not within a factor of 100 \
         of the built-in one, {usual}"
    )]
    Implausible {
        /// The priced unit.
        what: &'static str,
        /// The architecture of the price.
        architecture: Architecture,
        /// The region of the price.
        region: Region,
        /// The price in the list.
        price: f64,
        /// The built-in price.
        usual: f64,
    },
}
