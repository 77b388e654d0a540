//! The cost of an invocation.
//!
//! The prices come from AWS's public price list and carry its date. A table is built in, and a
//! newer list can replace it. A missing price is an error, because nobody could tell a
//! recommendation with a guessed price from a sound one.

use crate::architecture::Architecture;
use crate::power::Power;
use crate::region::{Currency, Region};

mod aws;
mod fault;
mod listing;
mod prices;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    aws::OFFER_CODE,
    fault::ListFault,
    listing::{Listing, Origin, PricesFrom, Rates, Tier},
    prices::{Prices, parse_list, parse_list_of, write_list},
    table::{built_in, published},
};

const MB_PER_GB: f64 = 1024.0;
const MS_PER_SECOND: f64 = 1000.0;

/// The free storage under /tmp of every function, in MB.
pub const FREE_EPHEMERAL_STORAGE_MB: u32 = 512;

/// The on-demand prices of one function, at the first tier and before any free tier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// The currency of the prices.
    pub currency: Currency,
    /// Per second of one GB of memory.
    pub per_gb_second: f64,
    /// Per request of any duration.
    pub per_request: f64,
    /// Per second of one GB under /tmp beyond the free storage. `None` if it is not known.
    pub per_gb_second_of_storage: Option<f64>,
    /// Per second of all the charged storage of this function.
    storage_per_second: f64,
}

/// The error for a price that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPrice {
    /// No list has the region.
    #[error(
        "no AWS Lambda price is known for {architecture} in region {region} ({origin}): {}",
        advice(origin, region)
    )]
    Region {
        /// The region of the function.
        region: Region,
        /// The architecture of the function.
        architecture: Architecture,
        /// The searched price list.
        origin: Box<Origin>,
    },
    /// The list has the region for the other architecture only.
    #[error(
        "the AWS Lambda price for {architecture} in region {region} is not known, only the one for \
         the other architecture ({origin}): {}",
        advice(origin, region)
    )]
    Architecture {
        /// The region of the function.
        region: Region,
        /// The architecture without a price.
        architecture: Architecture,
        /// The searched price list.
        origin: Box<Origin>,
    },
    /// The price of memory is known, but the price of storage is not.
    #[error(
        "the price of ephemeral storage beyond {FREE_EPHEMERAL_STORAGE_MB} MB is not known where \
         the function runs, and it has {storage_mb} MB: set its ephemeral storage to \
         {FREE_EPHEMERAL_STORAGE_MB} MB, or tune it in another region"
    )]
    EphemeralStorage {
        /// The storage of the function in MB.
        storage_mb: u32,
    },
}

fn advice(origin: &Origin, region: &Region) -> String {
    match origin.from {
        PricesFrom::File => "give a price list that has it with --prices".to_owned(),
        PricesFrom::BuiltIn | PricesFrom::Fetched => format!(
            "fetch AWS's price list with `powertune prices --update --region {region}`, or tune the \
             function in another region"
        ),
    }
}

/// The built-in price of a function in `region` on `architecture`.
///
/// # Errors
/// When it is not in the built-in table.
pub fn on_demand(region: &Region, architecture: Architecture) -> Result<Price, UnknownPrice> {
    Prices::default().on_demand(region, architecture)
}

/// The cost of state transitions of a Step Functions Standard workflow in `region`, in its
/// currency, before any free tier.
pub fn of_transitions(region: &Region, transitions: u64) -> f64 {
    table::per_transition(region) * transitions as f64
}

impl Price {
    /// The price of the same function with `storage_mb` MB under /tmp.
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

    /// The cost of `billed_ms` milliseconds at `power`, without the request charge.
    ///
    /// A mean of billed durations is not whole, so neither is this number.
    pub fn duration_cost(&self, power: Power, billed_ms: f64) -> f64 {
        let gb = f64::from(power.mb()) / MB_PER_GB;
        billed_ms / MS_PER_SECOND * (gb * self.per_gb_second + self.storage_per_second)
    }

    /// The cost of an invocation of `billed_ms` milliseconds at `power`, request charge included.
    pub fn invocation_cost(&self, power: Power, billed_ms: f64) -> f64 {
        self.duration_cost(power, billed_ms) + self.per_request
    }
}
