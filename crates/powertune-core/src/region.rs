//! AWS regions, their partitions and currencies.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The code of an AWS region, like `eu-west-1`.
///
/// Only the form is checked, because AWS opens regions faster than programs are updated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

/// The error for a text without the form of a region code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the code of an AWS region: write one like `us-east-1` or `us-gov-west-1`")]
pub struct InvalidRegion(String);

impl Region {
    /// Checks the form of the code.
    pub fn new(code: impl Into<String>) -> Result<Self, InvalidRegion> {
        let code = code.into();
        if is_region_code(&code) { Ok(Self(code)) } else { Err(InvalidRegion(code)) }
    }

    /// The code, like `eu-west-1`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition of the region.
    pub fn partition(&self) -> Partition {
        Partition::ALL
            .into_iter()
            .find(|partition| {
                partition.region_prefixes().iter().any(|prefix| self.0.starts_with(prefix))
            })
            .unwrap_or(Partition::Aws)
    }

    /// The currency in which AWS bills the region.
    pub fn currency(&self) -> Currency {
        match self.partition() {
            Partition::AwsCn => Currency::Cny,
            Partition::AwsEusc => Currency::Eur,
            Partition::Aws
            | Partition::AwsUsGov
            | Partition::AwsIso
            | Partition::AwsIsoB
            | Partition::AwsIsoE
            | Partition::AwsIsoF => Currency::Usd,
        }
    }
}

/// Two or three groups of letters, then a number of one or two digits.
fn is_region_code(code: &str) -> bool {
    let letters = |group: &str| {
        (2..=16).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_lowercase())
    };
    let groups: Vec<&str> = code.split('-').collect();
    let [place @ .., number] = groups.as_slice() else { return false };
    (2..=3).contains(&place.len())
        && place.iter().all(|group| letters(group))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::new(code)
    }
}

impl TryFrom<String> for Region {
    type Error = InvalidRegion;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::new(code)
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

/// A group of regions with its own accounts, endpoints and ARNs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The commercial regions.
    Aws,
    /// China.
    AwsCn,
    /// AWS `GovCloud` (US).
    AwsUsGov,
    /// AWS European Sovereign Cloud.
    AwsEusc,
    /// AWS Top Secret.
    AwsIso,
    /// AWS Secret.
    AwsIsoB,
    /// Isolated regions in Europe.
    AwsIsoE,
    /// Further isolated regions in the US.
    AwsIsoF,
}

impl Partition {
    const ALL: [Self; 8] = [
        Self::Aws,
        Self::AwsCn,
        Self::AwsUsGov,
        Self::AwsEusc,
        Self::AwsIso,
        Self::AwsIsoB,
        Self::AwsIsoE,
        Self::AwsIsoF,
    ];

    /// The name in an ARN, like `aws-cn`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
        }
    }

    /// The partition with this name in ARNs.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|partition| partition.id() == id)
    }

    /// The prefixes of region codes. A code without any of them is commercial.
    const fn region_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &[],
            Self::AwsCn => &["cn-"],
            Self::AwsUsGov => &["us-gov-"],
            Self::AwsEusc => &["eusc-"],
            Self::AwsIso => &["us-iso-"],
            Self::AwsIsoB => &["us-isob-"],
            Self::AwsIsoE => &["eu-isoe-"],
            Self::AwsIsoF => &["us-isof-"],
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// A currency that AWS bills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Currency {
    /// US dollars.
    #[serde(rename = "USD")]
    Usd,
    /// Chinese yuan.
    #[serde(rename = "CNY")]
    Cny,
    /// Euros.
    #[serde(rename = "EUR")]
    Eur,
}

impl Currency {
    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Cny => "CNY",
            Self::Eur => "EUR",
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(code: &str) -> Region {
        code.parse().unwrap()
    }

    #[test]
    fn every_partition_and_its_currency() {
        for (code, id, currency) in [
            ("us-east-1", "aws", "USD"),
            ("ap-southeast-7", "aws", "USD"),
            ("il-central-1", "aws", "USD"),
            ("cn-north-1", "aws-cn", "CNY"),
            ("cn-northwest-1", "aws-cn", "CNY"),
            ("us-gov-west-1", "aws-us-gov", "USD"),
            ("eusc-de-east-1", "aws-eusc", "EUR"),
            ("us-iso-east-1", "aws-iso", "USD"),
            ("us-isob-east-1", "aws-iso-b", "USD"),
            ("eu-isoe-west-1", "aws-iso-e", "USD"),
            ("us-isof-south-1", "aws-iso-f", "USD"),
        ] {
            assert_eq!(region(code).partition().to_string(), id, "{code}");
            assert_eq!(region(code).currency().to_string(), currency, "{code}");
        }
    }

    #[test]
    fn a_partition_is_found_by_its_id() {
        for partition in Partition::ALL {
            assert_eq!(Partition::from_id(partition.id()), Some(partition));
        }
        assert_eq!(Partition::from_id("aws-mars"), None);
    }

    #[test]
    fn what_is_no_region_is_refused() {
        for code in [
            "",
            "us",
            "us-east",
            "us-east-",
            "us-east-1a",
            "us-east-123",
            "US-EAST-1",
            "useast1",
            "us--1",
            "-east-1",
            "us-east-1 ",
            "u-east-1",
            "us-east-1-2",
            "us-gov-iso-east-1",
            "us_east_1",
            "eu-wést-1",
        ] {
            let error = code.parse::<Region>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{code}`")) && error.contains("us-east-1"), "{error}");
        }
    }

    #[test]
    fn a_checked_text_in_json() {
        assert_eq!(serde_json::to_string(&region("eu-west-1")).unwrap(), "\"eu-west-1\"");
        assert_eq!(serde_json::from_str::<Region>("\"eu-west-1\"").unwrap().as_str(), "eu-west-1");
        assert!(serde_json::from_str::<Region>("\"Ireland\"").is_err());
        for currency in [Currency::Usd, Currency::Cny, Currency::Eur] {
            assert_eq!(serde_json::to_value(currency).unwrap(), currency.code());
        }
    }
}
