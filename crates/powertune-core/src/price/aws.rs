//! AWS's public price list of one region (offer code `AWSLambda`).
//!
//! Each product has a group and a region, and the terms have its price by tiers. Reading is strict,
//! because a changed form may have a changed meaning.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    fault::ListFault,
    listing::{Listing, PricesFrom, Rates, Tier},
};
use crate::region::Region;

/// The offer code of AWS Lambda.
pub const OFFER_CODE: &str = "AWSLambda";

const DURATION: [&str; 2] = ["AWS-Lambda-Duration", "AWS-Lambda-Duration-ARM"];
const REQUESTS: [&str; 2] = ["AWS-Lambda-Requests", "AWS-Lambda-Requests-ARM"];
const STORAGE: [&str; 2] = ["AWS-Lambda-Storage-Duration", "AWS-Lambda-Storage-Duration-ARM"];

/// The location of the free tier, which belongs to the account and not to a region.
const ANYWHERE: &str = "Any";
const OPEN_END: &str = "Inf";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offer {
    #[serde(rename = "offerCode")]
    code: String,
    publication_date: String,
    products: BTreeMap<String, Product>,
    terms: Terms,
}

#[derive(Debug, Deserialize)]
struct Product {
    sku: String,
    attributes: Attributes,
}

/// Attributes that other products may lack.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    #[serde(default)]
    group: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    region_code: String,
}

#[derive(Debug, Deserialize)]
struct Terms {
    /// By SKU and by offer term. Only the terms of the needed products must have the form of a
    /// [`Term`].
    #[serde(rename = "OnDemand")]
    on_demand: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    price_dimensions: BTreeMap<String, Dimension>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    begin_range: String,
    end_range: String,
    price_per_unit: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct PriceTier {
    above: f64,
    price: f64,
}

/// Reads AWS's list of one region.
///
/// # Errors
/// When its form is not the known one.
pub(super) fn parse(list: Value) -> Result<Listing, ListFault> {
    let offer: Offer =
        serde_json::from_value(list).map_err(|error| ListFault::Json(error.to_string()))?;
    if offer.code != OFFER_CODE {
        return Err(ListFault::OfferCode(offer.code));
    }
    let published = offer.publication_date.split('T').next().unwrap_or_default().to_owned();
    let region = offer.region()?;
    let listing = Listing {
        currency: region.currency(),
        published,
        from: PricesFrom::Fetched,
        fetched: None,
        x86_64: Some(offer.rates(0, &region)?),
        arm64: Some(offer.rates(1, &region)?),
        region,
    };
    listing.check()?;
    Ok(listing)
}

impl Offer {
    /// The products of a group that belong to a region.
    fn products<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Product> {
        let products = self.products.values();
        products.filter(move |product| {
            product.attributes.group == group && product.attributes.location != ANYWHERE
        })
    }

    fn region(&self) -> Result<Region, ListFault> {
        let groups = DURATION.into_iter().chain(REQUESTS);
        let codes = groups.flat_map(|group| self.products(group));
        let mut codes: Vec<&str> =
            codes.map(|found| found.attributes.region_code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        match codes.as_slice() {
            [] => Err(ListFault::Group { group: DURATION[0], count: 0 }),
            [code] => Region::new(*code).map_err(|error| ListFault::Json(error.to_string())),
            several => Err(ListFault::Regions(several.join(", "))),
        }
    }

    /// The prices of an architecture, by its index in each pair of groups.
    fn rates(&self, architecture: usize, region: &Region) -> Result<Rates, ListFault> {
        let duration = self.one(DURATION[architecture], region)?;
        let requests = self.one(REQUESTS[architecture], region)?;
        // This price is optional: few functions have more than the free storage.
        let storage = STORAGE[architecture];
        let storage = match self.products(storage).count() {
            0 => None,
            _ => Some(self.one(storage, region)?),
        };
        let tiers = duration[1..].iter();
        Ok(Rates {
            per_gb_second: duration[0].price,
            per_request: requests[0].price,
            per_gb_second_of_storage: storage.map(|tiers| tiers[0].price),
            tiers: tiers
                .map(|tier| Tier { above_gb_seconds: tier.above, per_gb_second: tier.price })
                .collect(),
        })
    }

    /// The tiers of the one product in a group, in ascending order. There is at least one.
    fn one(&self, group: &'static str, region: &Region) -> Result<Vec<PriceTier>, ListFault> {
        let found: Vec<&Product> = self.products(group).collect();
        let [product] = found.as_slice() else {
            return Err(ListFault::Group { group, count: found.len() });
        };
        let fault = |problem: String| ListFault::Terms { group, problem };
        let code = &product.attributes.region_code;
        if code != region.as_str() {
            return Err(fault(format!("its region is {code:?} and not {region}")));
        }
        let terms = self.terms.on_demand.get(&product.sku);
        let terms: Vec<&Value> = terms.into_iter().flat_map(BTreeMap::values).collect();
        let [term] = terms.as_slice() else {
            let count = terms.len();
            return Err(fault(format!("the SKU {} has {count} terms, and not one", product.sku)));
        };
        let term = Term::deserialize(*term).map_err(|error| fault(error.to_string()))?;
        let currency = region.currency().code();
        let dimensions = term.price_dimensions.values();
        let tiers = dimensions.map(|dimension| dimension.tier(currency));
        in_order(tiers.collect::<Result<Vec<_>, _>>().map_err(fault)?).map_err(fault)
    }
}

impl Dimension {
    /// A tier and its end, which is infinite for the last tier.
    fn tier(&self, currency: &str) -> Result<(PriceTier, f64), String> {
        let [(found, price)] = self.price_per_unit.iter().collect::<Vec<_>>()[..] else {
            return Err("a tier has not one currency".to_owned());
        };
        if found != currency {
            return Err(format!("it is in {found} and not in {currency}"));
        }
        let above = number(&self.begin_range)?;
        let end = if self.end_range == OPEN_END { f64::INFINITY } else { number(&self.end_range)? };
        Ok((PriceTier { above, price: number(price)? }, end))
    }
}

/// Sorts the tiers. Each must begin at the end of the one before, the first at 0, and the last must
/// be open.
fn in_order(mut tiers: Vec<(PriceTier, f64)>) -> Result<Vec<PriceTier>, String> {
    tiers.sort_by(|(a, _), (b, _)| a.above.total_cmp(&b.above));
    let mut expected = 0.0;
    for (tier, end) in &tiers {
        if tier.above.total_cmp(&expected).is_ne() {
            return Err(format!("a tier begins at {}, where {expected} was expected", tier.above));
        }
        expected = *end;
    }
    if expected.is_finite() {
        return Err(format!("its tiers end at {expected}"));
    }
    Ok(tiers.into_iter().map(|(tier, _)| tier).collect())
}

/// A decimal number as AWS writes it, without sign and exponent.
fn number(text: &str) -> Result<f64, String> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = text.parse::<f64>().ok().filter(|_| is_decimal);
    number.filter(|number| number.is_finite()).ok_or_else(|| format!("{text:?} is not a number"))
}
