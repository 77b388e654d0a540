//! Price lists, AWS's and powertune's own.

use powertune_core::price::{Listing, parse_list, write_list};

/// A price list.
pub(super) fn list(bytes: &[u8]) {
    let listings = match parse_list(bytes) {
        Ok(listings) => listings,
        Err(fault) => return assert!(!fault.to_string().is_empty()),
    };
    assert!(!listings.is_empty());
    for listing in &listings {
        assert_eq!(listing.check(), Ok(()));
        assert_eq!(listing.currency, listing.region.currency());
    }
    let written = write_list(&listings.iter().collect::<Vec<&Listing>>());
    assert_eq!(parse_list(written.as_bytes()), Ok(listings));
}
