//! Memory sizes, the setting by which a user chooses the power of a Lambda function.
//!
//! Lambda gives CPU in proportion to memory, so a size in MB stands for both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A memory size that Lambda accepts, in MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u32")]
pub struct Power(u16);

/// The default sizes of AWS Lambda Power Tuning, used when the request names none.
pub const DEFAULT: [Power; 6] =
    [Power(128), Power(256), Power(512), Power(1024), Power(1536), Power(3008)];

/// [`DEFAULT`] as a set.
pub fn default_values() -> PowerValues {
    PowerValues(DEFAULT.to_vec())
}

impl Power {
    /// Lambda's minimum.
    pub const MIN: Self = Self(128);
    /// Lambda's maximum. Some accounts stop at 3,008 MB.
    pub const MAX: Self = Self(10_240);

    /// AWS: 1,769 MB of memory come with one full vCPU.
    const MB_PER_VCPU: f64 = 1769.0;

    /// The size of `mb` MB.
    ///
    /// # Errors
    /// When Lambda does not offer this size.
    pub fn new(mb: impl Into<i64>) -> Result<Self, PowerError> {
        let mb = mb.into();
        u16::try_from(mb)
            .ok()
            .map(Self)
            .filter(|power| (Self::MIN..=Self::MAX).contains(power))
            .ok_or(PowerError::OutOfRange { mb })
    }

    /// The size in MB.
    pub const fn mb(self) -> u32 {
        self.0 as u32
    }

    /// The CPU share that comes with this size, in vCPUs.
    pub fn vcpus(self) -> f64 {
        f64::from(self.0) / Self::MB_PER_VCPU
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} MB", self.0))
    }
}

impl From<Power> for u16 {
    fn from(power: Power) -> Self {
        power.0
    }
}

impl From<Power> for u32 {
    fn from(power: Power) -> Self {
        power.mb()
    }
}

impl TryFrom<i64> for Power {
    type Error = PowerError;

    fn try_from(mb: i64) -> Result<Self, Self::Error> {
        Self::new(mb)
    }
}

/// The error for a text that is not a set of memory sizes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PowerError {
    /// Lambda does not offer this size.
    #[error("a memory size of {mb} MB is out of range: AWS Lambda offers 128 to 10240 MB")]
    OutOfRange {
        /// The size in MB.
        mb: i64,
    },
    /// The text is not a whole number.
    #[error(
        "`{text}` is not a memory size: write whole MB, like `128,256,512`, `ALL` or `128-3008:64`"
    )]
    NotANumber {
        /// The given text.
        text: String,
    },
    /// The set is empty.
    #[error("no memory size given: name at least one, like `128,256,512`, or `ALL`")]
    Empty,
    /// The end of a range lies below its start.
    #[error("the range {from}-{to} runs backwards: write {to}-{from}")]
    Backwards {
        /// The start of the range.
        from: Power,
        /// The end of the range.
        to: Power,
    },
    /// The step of a range is not positive.
    #[error("a range cannot go in steps of {step} MB: give 1 or more, or none for 64")]
    Step {
        /// The given step in MB.
        step: i64,
    },
}

/// The memory sizes to measure: at least one, without duplicates, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<i64>")]
pub struct PowerValues(Vec<Power>);

impl PowerValues {
    /// The step of `ALL`, and of a range without a step.
    const STEP_MB: u16 = 64;

    /// The distinct sizes of a list in MB.
    ///
    /// # Errors
    /// When the list is empty, or for the first size that Lambda does not offer.
    pub fn from_list(list: impl IntoIterator<Item = i64>) -> Result<Self, PowerError> {
        list.into_iter().map(Power::new).collect::<Result<Vec<_>, _>>().and_then(Self::from_powers)
    }

    /// `ALL` as in AWS Lambda Power Tuning: 128 to 3,008 MB in steps of 64.
    pub fn all() -> Self {
        Self((Power::MIN.0..=3008).step_by(usize::from(Self::STEP_MB)).map(Power).collect())
    }

    /// The sizes in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Power> + DoubleEndedIterator + '_ {
        self.0.iter().copied()
    }

    /// Adds `power`, unless it is a member already.
    #[must_use]
    pub fn with(mut self, power: Power) -> Self {
        if let Err(place) = self.0.binary_search(&power) {
            self.0.insert(place, power);
        }
        self
    }

    /// True if `power` is a member.
    pub fn contains(&self, power: Power) -> bool {
        self.0.binary_search(&power).is_ok()
    }

    /// The number of sizes, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The sizes in ascending order.
    pub fn as_slice(&self) -> &[Power] {
        &self.0
    }

    fn from_powers(mut powers: Vec<Power>) -> Result<Self, PowerError> {
        if powers.is_empty() {
            return Err(PowerError::Empty);
        }
        powers.sort_unstable();
        powers.dedup();
        Ok(Self(powers))
    }

    /// Reads the parts of `MIN-MAX[:STEP]`: `from`, then every `step` MB, not beyond `to`.
    fn range(from: &str, to: &str, step: Option<&str>) -> Result<Self, PowerError> {
        let (from, to) = (Power::new(whole_mb(from)?)?, Power::new(whole_mb(to)?)?);
        if from > to {
            return Err(PowerError::Backwards { from, to });
        }
        let step = step.map_or(Ok(i64::from(Self::STEP_MB)), whole_mb)?;
        if step < 1 {
            return Err(PowerError::Step { step });
        }
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        Ok(Self((from.0..=to.0).step_by(step).map(Power).collect()))
    }
}

impl TryFrom<Vec<i64>> for PowerValues {
    type Error = PowerError;

    fn try_from(list: Vec<i64>) -> Result<Self, Self::Error> {
        Self::from_list(list)
    }
}

impl FromStr for PowerValues {
    type Err = PowerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(PowerError::Empty);
        }
        if text.eq_ignore_ascii_case("all") {
            return Ok(Self::all());
        }
        let (bounds, step) = match text.split_once(':') {
            Some((bounds, step)) => (bounds, Some(step)),
            None => (text, None),
        };
        match bounds.split_once('-') {
            Some((from, to)) if !from.trim().is_empty() => Self::range(from, to, step),
            // Only a range has a step. A leading `-` is a sign, and the range check refuses it.
            _ => text
                .split(',')
                .map(|item| Power::new(whole_mb(item)?))
                .collect::<Result<Vec<_>, _>>()
                .and_then(Self::from_powers),
        }
    }
}

fn whole_mb(text: &str) -> Result<i64, PowerError> {
    let text = text.trim();
    text.parse().map_err(|_| PowerError::NotANumber { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mbs(values: &PowerValues) -> Vec<u32> {
        values.iter().map(Power::mb).collect()
    }

    fn parse(text: &str) -> Result<Vec<u32>, PowerError> {
        text.parse().map(|values| mbs(&values))
    }

    #[test]
    fn lambda_offers_128_to_10240() {
        for mb in [128, 129, 1769, 3008, 10_240] {
            assert_eq!(Power::new(mb).map(Power::mb).map(i64::from), Ok(i64::from(mb)));
        }
        for mb in [i64::MIN, -128, 0, 127, 10_241, 65_536 + 128, i64::MAX] {
            assert_eq!(Power::new(mb), Err(PowerError::OutOfRange { mb }));
        }
        assert_eq!((Power::MIN.mb(), Power::MAX.mb()), (128, 10_240));
    }

    #[test]
    fn cpu_is_linear_in_memory() {
        let vcpus = |mb: i64| Power::new(mb).unwrap().vcpus();
        assert!((vcpus(1769) - 1.0).abs() < f64::EPSILON);
        assert!((vcpus(3538) - 2.0).abs() < f64::EPSILON);
        assert!((vcpus(128) - 128.0 / 1769.0).abs() < f64::EPSILON);
    }

    #[test]
    fn shown_with_its_unit_and_padded_as_a_whole() {
        assert_eq!(Power::MIN.to_string(), "128 MB");
        assert_eq!(format!("{:>8}", Power::MAX), "10240 MB");
        assert_eq!(format!("{:>10}", Power::MAX), "  10240 MB");
    }

    #[test]
    fn a_number_in_json() {
        assert_eq!(serde_json::to_string(&Power::MIN).unwrap(), "128");
        assert_eq!(serde_json::from_str::<Power>("128").unwrap(), Power::MIN);
        for odd in ["127", "10241", "-1", "128.5", "\"128\"", "null"] {
            assert!(serde_json::from_str::<Power>(odd).is_err(), "{odd}");
        }
        assert_eq!(
            serde_json::to_string(&default_values()).unwrap(),
            "[128,256,512,1024,1536,3008]"
        );
        let values: PowerValues = serde_json::from_str("[512,128,512]").unwrap();
        assert_eq!(mbs(&values), [128, 512]);
        assert!(serde_json::from_str::<PowerValues>("[]").is_err());
    }

    #[test]
    fn lists_are_sorted_and_distinct() {
        assert_eq!(parse("128,256,512"), Ok(vec![128, 256, 512]));
        assert_eq!(parse(" 512, 128 ,512 "), Ok(vec![128, 512]));
        assert_eq!(parse("1769"), Ok(vec![1769]));
        let list = PowerValues::from_list([3008, 128, 3008]).unwrap();
        assert_eq!(mbs(&list), [128, 3008]);
        assert_eq!(list.len(), 2);
        assert_eq!(list.as_slice(), [Power(128), Power(3008)]);
    }

    #[test]
    fn all_is_128_to_3008_by_64() {
        let all = parse("ALL").unwrap();
        assert_eq!((all.first(), all.last(), all.len()), (Some(&128), Some(&3008), 46));
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] == 64));
        assert_eq!(parse("all"), Ok(all));
    }

    #[test]
    fn ranges_stop_at_their_end() {
        assert_eq!(parse("128-320"), Ok(vec![128, 192, 256, 320]));
        assert_eq!(parse("128 - 320 : 100"), Ok(vec![128, 228]));
        assert_eq!(parse("128-128"), Ok(vec![128]));
        assert_eq!(parse("128-10240:99999"), Ok(vec![128]));
        assert_eq!(parse("128-10240:1").unwrap().len(), 10_113);
    }

    #[test]
    fn faults_are_named() {
        let not_a_number = |text: &str| PowerError::NotANumber { text: text.to_owned() };
        for (text, error) in [
            ("", PowerError::Empty),
            ("  ", PowerError::Empty),
            ("128,", not_a_number("")),
            ("128;256", not_a_number("128;256")),
            ("lots", not_a_number("lots")),
            ("128.5", not_a_number("128.5")),
            ("128,64", PowerError::OutOfRange { mb: 64 }),
            ("-5", PowerError::OutOfRange { mb: -5 }),
            ("64-512", PowerError::OutOfRange { mb: 64 }),
            ("128-20000", PowerError::OutOfRange { mb: 20_000 }),
            ("512-128", PowerError::Backwards { from: Power(512), to: Power(128) }),
            ("128-512:0", PowerError::Step { step: 0 }),
            ("128-512:-64", PowerError::Step { step: -64 }),
            ("128-512:x", not_a_number("x")),
            ("128-", not_a_number("")),
            ("128:64", not_a_number("128:64")),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        assert_eq!(PowerValues::from_list([]), Err(PowerError::Empty));
        assert_eq!(PowerValues::from_list([128, 1]), Err(PowerError::OutOfRange { mb: 1 }));
    }

    #[test]
    fn the_current_power_joins_once() {
        let values = default_values().with(Power(1769));
        assert_eq!(mbs(&values), [128, 256, 512, 1024, 1536, 1769, 3008]);
        assert!(values.contains(Power(1769)) && !values.contains(Power(1770)));
        assert_eq!(values.clone().with(Power(1769)), values);
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_looks_like_values_keeps_the_promise(text in "[0-9A-Ll:, -]{0,24}") {
            if let Ok(values) = parse(&text) {
                prop_assert!(!values.is_empty());
                prop_assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(values.iter().all(|mb| (128..=10_240).contains(mb)));
            }
        }

        #[test]
        fn a_list_is_read_back(list in proptest::collection::vec(128_i64..=10_240, 1..20)) {
            let values = PowerValues::from_list(list.iter().copied()).unwrap();
            let text = list.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            prop_assert_eq!(text.parse(), Ok(values.clone()));
            prop_assert!(list.iter().all(|&mb| values.contains(Power::new(mb).unwrap())));
        }

        #[test]
        fn a_range_is_its_arithmetic(from in 128_u32..=10_240, to in 128_u32..=10_240, step in 1_u32..5000) {
            let expected: Vec<u32> =
                (from..=to).filter(|mb| (mb - from).is_multiple_of(step)).collect();
            let read = parse(&format!("{from}-{to}:{step}"));
            prop_assert_eq!(read.ok(), (from <= to).then_some(expected));
        }
    }
}
