//! Checks of a digest from JSON. Anybody may have written a history of Step Functions, and its
//! counts must not make powertune loop without end.

use serde::Deserialize;

use super::{Digest, DigestSample, Failures, Samples};
use crate::{
    power::Power,
    report::{LONGEST_MS, is_time},
    request::MAX_NUM,
};

/// More than the invocations of any power: some may have been sent twice.
const MOST: u64 = 10 * MAX_NUM as u64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unchecked {
    power: Power,
    #[serde(default)]
    max_memory_mb: Option<u32>,
    samples: Samples,
    #[serde(default)]
    allowed: u64,
    #[serde(default)]
    failures: Vec<Failures>,
}

impl TryFrom<Unchecked> for Digest {
    type Error = &'static str;

    fn try_from(unchecked: Unchecked) -> Result<Self, Self::Error> {
        let Unchecked { power, max_memory_mb, samples, allowed, failures } = unchecked;
        let counts = failures.iter().map(|failures| failures.count);
        if counts.chain([samples.count()]).fold(0, u64::saturating_add) > MOST {
            return Err("a digest of more invocations than a power can have");
        }
        if allowed > samples.count() {
            return Err("a digest with more allowed exceptions than samples");
        }
        let measured = match &samples {
            Samples::Exact(samples) => samples.iter().all(DigestSample::is_sound),
            Samples::Histograms(histograms) => {
                histograms.all().into_iter().all(|histogram| histogram.is_sound(LONGEST_MS))
            }
        };
        if !(measured && failures.iter().all(Failures::are_sound)) {
            return Err("a digest of what can't have been measured");
        }
        Ok(Self { power, max_memory_mb, samples, allowed, failures })
    }
}

impl DigestSample {
    fn is_sound(&self) -> bool {
        let (times, billed) = match *self {
            Self::Warm(duration_ms, billed_ms) => ([duration_ms, 0.0], [billed_ms, 0]),
            Self::Cold(duration_ms, billed_ms, init_ms) => ([duration_ms, init_ms], [billed_ms, 0]),
            Self::Restored(duration_ms, billed_ms, restore_ms, billed_restore_ms) => {
                ([duration_ms, restore_ms], [billed_ms, billed_restore_ms.unwrap_or_default()])
            }
        };
        times.into_iter().all(is_time) && billed.into_iter().all(|ms| ms <= LONGEST_MS)
    }
}

impl Failures {
    fn are_sound(&self) -> bool {
        self.reported <= self.count && self.billed_ms <= self.reported * LONGEST_MS
    }
}
