//! Prices as a table, as comma-separated values, or as a price list that `--prices` reads.

use powertune_core::{
    architecture::Architecture,
    price::{Listing, Prices, PricesFrom, Rates, write_list},
};

use super::{
    csv,
    grid::{Align, Column, GridRow, Span, rendered},
    quantity::MILLION,
    style::Style,
    text::{escaped, harmless, wrapped},
};

const UNKNOWN: &str = "-";

const CAVEAT: &str = "Prices of the first tier of a month, before any free tier. A GB is 1,024 MB; \
                      /tmp is what a function has beyond 512 MB.";

/// The table, with a row for each architecture of a region.
pub(crate) fn table(prices: &Prices, listings: &[&Listing], style: &Style) -> String {
    let column = |first: &str, second: &str, align, spare| Column {
        head: [first.to_owned(), second.to_owned()],
        align,
        spare,
    };
    let columns = [
        column("", "Region", Align::Left, 0),
        column("", "Architecture", Align::Left, 0),
        column("", "In", Align::Left, 0),
        column("GB-second", "of memory", Align::Right, 0),
        column("Million", "requests", Align::Right, 0),
        column("GB-second", "of /tmp", Align::Right, 2),
        column("", "Prices of", Align::Left, 1),
    ];
    let rows = rows(listings).map(|(listing, architecture, rates)| {
        let origin = prices.origin(&listing.region).to_string();
        let origin = origin.strip_prefix("prices of ").unwrap_or(&origin);
        let built_in = if listing.from == PricesFrom::BuiltIn { ", built in" } else { "" };
        let texts = [
            listing.region.to_string(),
            architecture.to_string(),
            listing.currency.to_string(),
            rates.map_or(UNKNOWN.to_owned(), |rates| decimal(rates.per_gb_second)),
            rates.map_or(UNKNOWN.to_owned(), |rates| per_million(rates.per_request)),
            rates
                .and_then(|rates| rates.per_gb_second_of_storage)
                .map_or(UNKNOWN.to_owned(), decimal),
            harmless(origin) + built_in,
        ];
        GridRow::Cells(texts.map(|text| vec![Span::plain(text)]).to_vec())
    });
    let rows: Vec<GridRow> = rows.collect();
    let table = rendered(&columns, &rows, style);
    format!("{table}\n{}\n", wrapped(CAVEAT, style.width, 0))
}

pub(crate) fn json(listings: &[&Listing]) -> String {
    escaped(&write_list(listings))
}

pub(crate) fn csv(listings: &[&Listing]) -> String {
    const HEADER: [&str; 9] = [
        "region",
        "architecture",
        "currency",
        "perGbSecond",
        "perRequest",
        "perGbSecondOfStorage",
        "published",
        "from",
        "fetched",
    ];
    let record = |(listing, architecture, rates): (&Listing, Architecture, Option<&Rates>)| {
        vec![
            listing.region.to_string(),
            architecture.to_string(),
            listing.currency.to_string(),
            rates.map(|rates| decimal(rates.per_gb_second)).unwrap_or_default(),
            rates.map(|rates| decimal(rates.per_request)).unwrap_or_default(),
            rates.and_then(|rates| rates.per_gb_second_of_storage).map(decimal).unwrap_or_default(),
            listing.published.clone(),
            from(listing.from).to_owned(),
            csv::optional(listing.fetched.as_deref().map(harmless)),
        ]
    };
    csv::written(&HEADER, rows(listings).map(record))
}

fn rows<'a>(
    listings: &'a [&Listing],
) -> impl Iterator<Item = (&'a Listing, Architecture, Option<&'a Rates>)> {
    let both = [Architecture::X86_64, Architecture::Arm64];
    listings
        .iter()
        .flat_map(move |&listing| both.into_iter().map(move |of| (listing, of, listing.rates(of))))
}

/// The origin under its name in the JSON.
fn from(from: PricesFrom) -> &'static str {
    match from {
        PricesFrom::BuiltIn => "built-in",
        PricesFrom::Fetched => "fetched",
        PricesFrom::File => "file",
    }
}

/// All digits of a price, without an exponent.
fn decimal(price: f64) -> String {
    price.to_string()
}

/// The price of a million, with two or more digits after the point.
fn per_million(price: f64) -> String {
    let text = format!("{:.6}", price * MILLION);
    let text = text.trim_end_matches('0');
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    text.to_owned() + &"0".repeat(2_usize.saturating_sub(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_no_exponent_and_no_noise() {
        assert_eq!(decimal(0.000_000_030_9), "0.0000000309");
        assert_eq!(decimal(0.000_013_333_4), "0.0000133334");
        for (price, text) in
            [(2e-7, "0.20"), (1.36e-6, "1.36"), (2.125e-7, "0.2125"), (1e-6, "1.00")]
        {
            assert_eq!(per_million(price), text);
        }
    }
}
