//! Results that are read back, and the pictures of those of AWS Lambda Power Tuning.

use std::fmt::Debug;

use powertune_core::{
    dry_run::DryRun,
    result::TuningResult,
    visualization::{BASE, parse, url},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{from_slice, from_str, to_string};

use super::text;

/// A result or a dry run, as JSON.
pub(super) fn result(bytes: &[u8]) {
    is_read_back::<TuningResult>(bytes);
    is_read_back::<DryRun>(bytes);
}

/// An accepted value is the same after it was written and read.
pub(super) fn is_read_back<T>(bytes: &[u8]) -> Option<T>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let read: T = from_slice(bytes).ok()?;
    let written = to_string(&read).expect("it has nothing that JSON can't hold");
    let again: T = from_str(&written).expect("what was written is read");
    assert_eq!(again, read);
    Some(read)
}

/// The URL of a picture.
pub(super) fn visualization(bytes: &[u8]) {
    let picture = match parse(&text(bytes)) {
        Ok(picture) => picture,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for mut points in [Some(picture.first), picture.second].into_iter().flatten().map(|s| s.points)
    {
        for (power, duration_ms, cost) in &points {
            assert!((128..=10_240).contains(&power.mb()));
            assert!(duration_ms.is_finite() && *duration_ms >= 0.0);
            assert!(cost.is_finite() && *cost >= 0.0);
        }
        let drawn = parse(&url(BASE, picture.currency, &points)).expect("our own URL is read");
        points.sort_by_key(|(power, ..)| *power);
        assert_eq!((drawn.currency, drawn.first.points), (picture.currency, points));
    }
}
