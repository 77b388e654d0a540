//! Tests of AWS's price lists, valid and damaged.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;

const REGION: &str = "eu-west-1";

fn term(tiers: &[(&str, &str, &str)]) -> Value {
    let dimension = |(begin, end, price): &(&str, &str, &str)| {
        let rate = format!("S.JRTCKXETXF.{begin}");
        (rate, json!({ "beginRange": begin, "endRange": end, "pricePerUnit": { "USD": price } }))
    };
    let dimensions: serde_json::Map<String, Value> = tiers.iter().map(dimension).collect();
    json!({ "S.JRTCKXETXF": { "offerTermCode": "JRTCKXETXF", "priceDimensions": dimensions } })
}

fn product(sku: &str, group: &str, location: &str, region: &str) -> Value {
    json!({ "sku": sku, "productFamily": "Serverless", "attributes": {
        "servicecode": "AWSLambda", "location": location, "locationType": "AWS Region",
        "group": group, "regionCode": region } })
}

/// A list of Ireland with prices that differ from the built-in ones.
fn list() -> Value {
    let here = |sku: &str, group: &str| product(sku, group, "EU (Ireland)", REGION);
    json!({
        "formatVersion": "v1.0",
        "offerCode": "AWSLambda",
        "version": "20261005135802",
        "publicationDate": "2026-10-05T13:58:02Z",
        "products": {
            "D1": here("D1", "AWS-Lambda-Duration"),
            "D2": here("D2", "AWS-Lambda-Duration-ARM"),
            "R1": here("R1", "AWS-Lambda-Requests"),
            "R2": here("R2", "AWS-Lambda-Requests-ARM"),
            "S1": here("S1", "AWS-Lambda-Storage-Duration"),
            "F1": product("F1", "AWS-Lambda-Duration", "Any", ""),
            "F2": product("F2", "AWS-Lambda-Requests", "Any", ""),
            "P1": here("P1", "AWS-Lambda-Provisioned-Concurrency"),
            "X1": { "sku": "X1", "attributes": { "servicecode": "AWSLambda" } },
        },
        "terms": { "OnDemand": {
            "D1": term(&[
                ("15000000000", "Inf", "0.0000140000"),
                ("0", "6000000000", "0.0000170000"),
                ("6000000000", "15000000000", "0.0000160000"),
            ]),
            "D2": term(&[("0", "Inf", "0.0000140001")]),
            "R1": term(&[("0", "Inf", "0.0000002100")]),
            "R2": term(&[("0", "Inf", "0.0000002000")]),
            "S1": term(&[("0", "Inf", "0.0000000350")]),
            "F1": term(&[("0", "400000", "0.0000000000")]),
            "P1": { "of another": "form" },
        } },
    })
}

fn parsed(list: &Value) -> Result<Vec<Listing>, ListFault> {
    parse_list(list.to_string().as_bytes())
}

/// The error message after the value at `pointer` was replaced.
fn refused(pointer: &str, value: Value) -> String {
    let mut list = list();
    *list.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    parsed(&list).unwrap_err().to_string()
}

#[test]
fn the_prices_of_a_region_are_read() {
    let listings = parsed(&list()).unwrap();
    let [listing] = listings.as_slice() else { panic!("{listings:?}") };
    assert_eq!((listing.region.as_str(), listing.published.as_str()), (REGION, "2026-10-05"));
    let tier = |above_gb_seconds, per_gb_second| Tier { above_gb_seconds, per_gb_second };
    let x86_64 = Rates {
        per_gb_second: 0.000_017,
        per_request: 0.000_000_21,
        per_gb_second_of_storage: Some(0.000_000_035),
        tiers: vec![tier(6e9, 0.000_016), tier(15e9, 0.000_014)],
    };
    let arm64 = Rates {
        per_gb_second: 0.000_014_000_1,
        per_request: 0.000_000_2,
        per_gb_second_of_storage: None,
        tiers: Vec::new(),
    };
    assert_eq!((listing.x86_64.as_ref(), listing.arm64.as_ref()), (Some(&x86_64), Some(&arm64)));
}

#[test]
fn a_list_that_was_written_is_read_again() {
    let listings = parsed(&list()).unwrap();
    let written = write_list(&listings.iter().collect::<Vec<_>>());
    assert_eq!(parse_list(written.as_bytes()), Ok(listings));
    let all: Vec<&Listing> = built_in().collect();
    let read = parse_list(write_list(&all).as_bytes()).unwrap();
    assert!(read.iter().eq(built_in()));
}

#[test]
fn a_strange_list_is_refused_with_what_is_strange() {
    for (pointer, value, said) in [
        ("/offerCode", json!("AmazonEC2"), "AmazonEC2"),
        ("/publicationDate", json!("yesterday"), "yesterday"),
        ("/products", json!([]), "not the JSON of a price list"),
        ("/terms", json!({}), "OnDemand"),
        ("/products/D1/attributes/regionCode", json!("eu-west-2"), "eu-west-1, eu-west-2"),
        ("/products/S1/attributes/regionCode", json!("eu-west-2"), "eu-west-2"),
        ("/products/D2/attributes/group", json!("Other"), "AWS-Lambda-Duration-ARM 0 times"),
        ("/products/F2/attributes/location", json!("Mars"), "several regions"),
        ("/products/P1/attributes/group", json!("AWS-Lambda-Requests"), "2 times for a region"),
        ("/terms/OnDemand/R1", json!({}), "0 terms"),
        ("/terms/OnDemand/R1/S.JRTCKXETXF/priceDimensions", json!({}), "end at 0"),
        ("/terms/OnDemand/R1/S.JRTCKXETXF", json!({}), "priceDimensions"),
    ] {
        let message = refused(pointer, value);
        assert!(message.contains(said), "{pointer}: {message}");
    }
}

#[test]
fn tiers_and_prices_are_read_strictly() {
    let dimension = |name: &str| {
        format!("/terms/OnDemand/D2/S.JRTCKXETXF/priceDimensions/S.JRTCKXETXF.0/{name}")
    };
    for (name, value, said) in [
        ("beginRange", json!("1"), "begins at 1"),
        ("endRange", json!("6000"), "end at 6000"),
        ("beginRange", json!("-1"), "\"-1\" is not a number"),
        ("endRange", json!("infinity"), "not a number"),
        ("pricePerUnit", json!({ "CNY": "0.0001" }), "in CNY and not in USD"),
        ("pricePerUnit", json!({}), "not one currency"),
        ("pricePerUnit", json!({ "USD": "1e-5" }), "\"1e-5\" is not a number"),
        ("pricePerUnit", json!({ "USD": "NaN" }), "not a number"),
        ("pricePerUnit", json!({ "USD": "" }), "not a number"),
        ("pricePerUnit", json!({ "USD": "0.0000000000" }), "factor of 100"),
        ("pricePerUnit", json!({ "USD": "0.0140000000" }), "factor of 100"),
    ] {
        let message = refused(&dimension(name), value);
        assert!(message.contains(said), "{name}: {message}");
    }
}

#[test]
fn a_list_of_our_own_is_read_strictly() {
    let mut listings = parsed(&list()).unwrap();
    let own = |listings: &[Listing]| write_list(&listings.iter().collect::<Vec<_>>());
    let good = own(&listings);
    for (from, to, said) in [
        ("\"format\": 1", "\"format\": 2", "update powertune"),
        ("\"format\": 1", "\"format\": \"1\"", "it is no price list"),
        ("\"perRequest\"", "\"perRequests\"", "perRequests"),
        ("\"USD\"", "\"CNY\"", "not in USD"),
        ("2026-10-05", "2026-10-5", "not a date"),
        ("\"regions\"", "\"offerCode\": \"AWSLambda\", \"regions\"", "publicationDate"),
        ("eu-west-1", "Ireland", "Ireland"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        let message = parse_list(bad.as_bytes()).unwrap_err().to_string();
        assert!(message.contains(said), "{to}: {message}");
    }
    assert_eq!(parse_list(own(&[]).as_bytes()), Err(ListFault::Empty));
    listings.push(listings[0].clone());
    assert!(matches!(parse_list(own(&listings).as_bytes()), Err(ListFault::Twice(_))));
}

#[test]
fn a_list_of_another_region_is_refused() {
    let text = list().to_string();
    let other: Region = "us-east-1".parse().unwrap();
    let message = parse_list_of(text.as_bytes(), &other).unwrap_err().to_string();
    assert!(message.contains("of eu-west-1, and not of us-east-1"), "{message}");
    assert!(parse_list_of(text.as_bytes(), &REGION.parse().unwrap()).is_ok());
}

#[test]
fn fetched_prices_come_before_the_built_in_ones_and_a_file_instead_of_them() {
    let (here, there) = (REGION.parse().unwrap(), "eu-west-2".parse().unwrap());
    let listing = parsed(&list()).unwrap().swap_remove(0);
    let x86_64 = Architecture::X86_64;
    let per_gb_second = |prices: &Prices, region: &Region| {
        prices.on_demand(region, x86_64).map(|price| price.per_gb_second)
    };

    let fetched = listing.clone();
    let fetched = Listing { fetched: Some("2026-11-27T05:20:00Z".to_owned()), ..fetched };
    let fetched = Prices::fetched([fetched]);
    assert_eq!(per_gb_second(&fetched, &here), Ok(0.000_017));
    assert_eq!(per_gb_second(&fetched, &there), Ok(0.000_016_666_7));
    let said = fetched.origin(&here).to_string();
    assert_eq!(said, "prices of 2026-10-05 fetched on 2026-11-27");
    assert_eq!(fetched.origin(&there).to_string(), "prices of 2026-09-19");
    assert_eq!(fetched.listings().len(), built_in().count());

    let file = Prices::of_file(vec![listing], "prices.json".to_owned());
    assert_eq!(per_gb_second(&file, &here), Ok(0.000_017));
    let error = per_gb_second(&file, &there).unwrap_err().to_string();
    assert!(error.contains("of 2026-10-05 from prices.json") && error.contains("--prices"));
    assert_eq!(file.listings().len(), 1);
}

fn numbers(text: &str) -> Vec<f64> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    text.split(|c| !is_part(c)).filter_map(|number| number.parse().ok()).collect()
}

proptest! {
    #[test]
    fn mangled_lists_never_panic_and_have_no_price_that_is_not_in_them(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6),
    ) {
        let mut text = list().to_string().into_bytes();
        for (index, byte, change) in changes {
            let at = index.index(text.len());
            match change {
                0 => text[at] = byte,
                1 => text[at] = b"0123456789.\""[usize::from(byte) % 12],
                2 => text.truncate(at.max(1)),
                _ => { text.remove(at); }
            }
            if text.len() < 2 {
                break;
            }
        }
        if let Ok(listings) = parse_list(&text) {
            let known = numbers(&String::from_utf8_lossy(&text));
            for listing in listings {
                prop_assert_eq!(listing.check(), Ok(()));
                for rates in [listing.x86_64, listing.arm64].into_iter().flatten() {
                    let tiers = rates.tiers.iter().map(|tier| tier.per_gb_second);
                    let prices = [rates.per_gb_second, rates.per_request].into_iter();
                    let prices = prices.chain(rates.per_gb_second_of_storage).chain(tiers);
                    for price in prices {
                        prop_assert!(known.contains(&price), "{price}");
                    }
                }
            }
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,64}") {
        let _ = parse_list(text.as_bytes());
    }
}
