//! The prices themselves, as AWS's price list of [`super::PUBLISHED`] has them.
//!
//! Regions that share every price share a row. A region that is in no row, and an architecture
//! without a number, are unknown.

use super::Tier;
use crate::architecture::Architecture;

/// The prices of some regions.
pub(super) struct Row {
    regions: &'static [&'static str],
    x86_64: Duration,
    /// `None` where the list's number could not be confirmed.
    arm64: Option<Duration>,
    pub(super) per_million_requests: f64,
    /// `None` where it could not be confirmed.
    pub(super) per_gb_second_of_storage: Option<f64>,
}

/// What memory over time costs.
#[derive(Clone, Copy)]
pub(super) struct Duration {
    pub(super) per_gb_second: f64,
    /// `None` where they could not be confirmed.
    pub(super) tiers: Option<&'static [Tier]>,
}

impl Row {
    pub(super) fn duration(&self, architecture: Architecture) -> Option<Duration> {
        match architecture {
            Architecture::X86_64 => Some(self.x86_64),
            Architecture::Arm64 => self.arm64,
        }
    }
}

/// The row that `region` is in.
pub(super) fn row(region: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.regions.contains(&region))
}

/// A state transition of a Standard workflow; regions without an entry have the usual price.
const PER_TRANSITION: [(&str, f64); 13] = [
    ("us-gov-west-1", 0.00003),
    ("us-gov-east-1", 0.00003),
    ("ap-northeast-2", 0.000_027_1),
    ("eu-south-1", 0.000_026_25),
    ("af-south-1", 0.000_029_75),
    ("us-west-1", 0.000_027_9),
    ("eu-west-3", 0.000_029_7),
    ("ap-east-1", 0.000_027_5),
    ("me-south-1", 0.000_027_5),
    ("ap-south-1", 0.000_028_5),
    ("sa-east-1", 0.000_037_5),
    // In CNY.
    ("cn-north-1", 0.000_189_1),
    ("cn-northwest-1", 0.000_189_1),
];
/// Everywhere else.
const USUAL_PER_TRANSITION: f64 = 0.000_025;

/// What a state transition costs in `region`.
pub(super) fn per_transition(region: &str) -> f64 {
    let listed = PER_TRANSITION.iter().find(|(name, _)| *name == region);
    listed.map_or(USUAL_PER_TRANSITION, |(_, price)| *price)
}

const fn flat(per_gb_second: f64) -> Duration {
    Duration { per_gb_second, tiers: None }
}

const ROWS: &[Row] = &[
    Row {
        regions: &[
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
            "us-gov-east-1",
            "us-gov-west-1",
            "ca-central-1",
            "ca-west-1",
            "mx-central-1",
            "sa-east-1",
            "eu-central-1",
            "eu-north-1",
            "eu-south-2",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "ap-east-2",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-south-1",
            "ap-south-2",
            "ap-southeast-1",
            "ap-southeast-2",
            "ap-southeast-3",
            "ap-southeast-4",
            "ap-southeast-5",
            "ap-southeast-6",
            "ap-southeast-7",
        ],
        x86_64: Duration {
            per_gb_second: 0.000_016_666_7,
            tiers: Some(&[
                Tier { above_gb_seconds: 6e9, per_gb_second: 0.000_015 },
                Tier { above_gb_seconds: 15e9, per_gb_second: 0.000_013_333_4 },
            ]),
        },
        arm64: Some(Duration {
            per_gb_second: 0.000_013_333_4,
            tiers: Some(&[
                Tier { above_gb_seconds: 7.5e9, per_gb_second: 0.000_012_000_1 },
                Tier { above_gb_seconds: 18.75e9, per_gb_second: 0.000_010_666_7 },
            ]),
        }),
        per_million_requests: 0.20,
        per_gb_second_of_storage: Some(0.000_000_030_9),
    },
    Row {
        regions: &["af-south-1"],
        x86_64: flat(0.000_022_1),
        arm64: Some(flat(0.000_017_68)),
        per_million_requests: 0.27,
        per_gb_second_of_storage: None,
    },
    Row {
        regions: &["ap-east-1"],
        x86_64: flat(0.000_022_92),
        arm64: Some(flat(0.000_018_3)),
        per_million_requests: 0.28,
        per_gb_second_of_storage: None,
    },
    Row {
        regions: &["eu-south-1"],
        x86_64: flat(0.000_019_517_2),
        arm64: Some(flat(0.000_015_613_8)),
        per_million_requests: 0.23,
        per_gb_second_of_storage: None,
    },
    Row {
        regions: &["me-south-1", "me-central-1"],
        x86_64: flat(0.000_020_666_7),
        arm64: Some(flat(0.000_016_533_4)),
        per_million_requests: 0.25,
        per_gb_second_of_storage: None,
    },
    Row {
        regions: &["eu-central-2"],
        x86_64: flat(0.000_018_333_4),
        arm64: None,
        per_million_requests: 0.22,
        per_gb_second_of_storage: None,
    },
    Row {
        regions: &["il-central-1"],
        x86_64: flat(0.000_017_5),
        arm64: None,
        per_million_requests: 0.21,
        per_gb_second_of_storage: None,
    },
    Row {
        regions: &["cn-north-1", "cn-northwest-1"],
        x86_64: flat(0.000_113_477),
        arm64: None,
        per_million_requests: 1.36,
        per_gb_second_of_storage: None,
    },
];

#[cfg(test)]
pub(super) fn regions() -> impl Iterator<Item = &'static str> {
    ROWS.iter().flat_map(|row| row.regions).copied()
}
