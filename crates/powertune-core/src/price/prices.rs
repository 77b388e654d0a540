//! The prices of a run: built in, fetched, or from a file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Price, UnknownPrice, aws,
    fault::ListFault,
    listing::{Listing, Origin, PricesFrom},
    table,
};
use crate::{architecture::Architecture, region::Region};

const FORMAT: u64 = 1;

/// The prices of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prices {
    /// The prices that override the built-in ones.
    listings: Vec<Listing>,
    /// The file of the listings. The built-in prices do not apply then.
    file: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    format: u64,
    regions: Vec<Listing>,
}

impl Prices {
    /// The built-in prices, overridden by fetched ones.
    pub fn fetched(listings: impl IntoIterator<Item = Listing>) -> Self {
        let fetched = |listing| Listing { from: PricesFrom::Fetched, ..listing };
        Self { listings: listings.into_iter().map(fetched).collect(), file: None }
    }

    /// The prices of one file, without the built-in ones.
    pub fn of_file(listings: Vec<Listing>, file: String) -> Self {
        let of_file = |listing| Listing { from: PricesFrom::File, fetched: None, ..listing };
        Self { listings: listings.into_iter().map(of_file).collect(), file: Some(file) }
    }

    /// The prices of a region, if they are known.
    pub fn listing(&self, region: &Region) -> Option<&Listing> {
        let is_it = |listing: &&Listing| listing.region == *region;
        let given = self.listings.iter().find(is_it);
        given.or_else(|| self.built_in().find(is_it))
    }

    fn built_in(&self) -> impl Iterator<Item = &'static Listing> {
        table::built_in().filter(|_| self.file.is_none())
    }

    /// Every region with its prices, sorted by region code.
    pub fn listings(&self) -> Vec<&Listing> {
        let mut listings: Vec<&Listing> = self.listings.iter().collect();
        for listing in self.built_in() {
            listings.push(listing);
        }
        // A stable sort keeps the overriding prices before the built-in ones.
        listings.sort_by(|a, b| a.region.cmp(&b.region));
        listings.dedup_by(|later, kept| later.region == kept.region);
        listings
    }

    /// The source of a region's prices. A region without prices has the common source.
    pub fn origin(&self, region: &Region) -> Origin {
        let file = self.file.clone();
        match self.listing(region).or(self.listings.first().filter(|_| file.is_some())) {
            Some(Listing { published, from, fetched, .. }) => {
                Origin { published: published.clone(), from: *from, fetched: fetched.clone(), file }
            }
            None => Origin::default(),
        }
    }

    /// The price of a function in `region` on `architecture`.
    ///
    /// # Errors
    /// When it is not known. No price is guessed.
    pub fn on_demand(
        &self,
        region: &Region,
        architecture: Architecture,
    ) -> Result<Price, UnknownPrice> {
        let origin = || Box::new(self.origin(region));
        let listing = self.listing(region).ok_or_else(|| UnknownPrice::Region {
            region: region.clone(),
            architecture,
            origin: origin(),
        })?;
        let rates = listing.rates(architecture).ok_or_else(|| UnknownPrice::Architecture {
            region: region.clone(),
            architecture,
            origin: origin(),
        })?;
        Ok(Price {
            currency: listing.currency,
            per_gb_second: rates.per_gb_second,
            per_request: rates.per_request,
            per_gb_second_of_storage: rates.per_gb_second_of_storage,
            storage_per_second: 0.0,
        })
    }
}

/// Reads a price list in AWS's format or in powertune's own.
///
/// # Errors
/// When it has neither format, or fails a check.
pub fn parse_list(text: &[u8]) -> Result<Vec<Listing>, ListFault> {
    let json = |error: serde_json::Error| ListFault::Json(error.to_string());
    let list: Value = serde_json::from_slice(text).map_err(json)?;
    if list.get("offerCode").is_some() {
        return Ok(vec![aws::parse(list)?]);
    }
    match list.get("format").map(Value::as_u64) {
        Some(Some(FORMAT)) => {}
        Some(Some(other)) => return Err(ListFault::Format(other)),
        _ => return Err(ListFault::NoList),
    }
    let List { regions, .. } = serde_json::from_value(list).map_err(json)?;
    if regions.is_empty() {
        return Err(ListFault::Empty);
    }
    for (index, listing) in regions.iter().enumerate() {
        listing.check()?;
        if regions[..index].iter().any(|before| before.region == listing.region) {
            return Err(ListFault::Twice(listing.region.clone()));
        }
    }
    Ok(regions)
}

/// Reads a price list of `region`, in the same formats.
///
/// # Errors
/// As [`parse_list`], and when the list belongs to another region.
pub fn parse_list_of(text: &[u8], region: &Region) -> Result<Listing, ListFault> {
    let mut listings = parse_list(text)?;
    match listings.iter().position(|listing| listing.region == *region) {
        Some(index) => Ok(listings.swap_remove(index)),
        None => Err(ListFault::OtherRegion {
            found: listings.swap_remove(0).region,
            wanted: region.clone(),
        }),
    }
}

/// Writes a price list in powertune's own format, with a final line break.
pub fn write_list(listings: &[&Listing]) -> String {
    let regions = listings.iter().copied().cloned().collect();
    let list = List { format: FORMAT, regions };
    let text = serde_json::to_string_pretty(&list);
    text.expect("a price list has nothing JSON can't hold") + "\n"
}
