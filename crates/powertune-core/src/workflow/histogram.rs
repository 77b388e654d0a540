//! Histograms, for more samples than fit into a state one by one: the count of each bucket, and
//! exact sums.
//!
//! The buckets are powers of two milliseconds, each cut into 256 equal parts, as in HdrHistogram.
//! The middle of a bucket is within 0.2 % of everything in it. A bucket includes its upper end and
//! not its lower one. So below half a second no bucket spans a whole millisecond, and billed
//! durations, which are rounded up, stay exact.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};

const PARTS: f64 = 256.0;
/// The lowest octave, with everything below a microsecond.
const LOWEST_OCTAVE: i32 = -10;
const OCTAVES: u32 = 37;

/// The values of one sample, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_field_names, reason = "a unit is in the name")]
pub(super) struct Part {
    /// The time that a caller waited.
    pub(super) total_ms: f64,
    /// The part of it before the handler.
    pub(super) before_ms: f64,
    /// The billed duration.
    pub(super) billed_ms: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Histogram {
    pub(super) count: u64,
    /// The sum of the total times, in microseconds.
    total_us: u64,
    /// The sum of the times before the handler, in microseconds.
    before_us: u64,
    /// The sum of the billed durations, in milliseconds.
    billed_ms: u64,
    /// The buckets in ascending order, in the format of [`encode`].
    buckets: String,
}

impl Histogram {
    pub(super) fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut histogram = Self::default();
        let mut buckets = BTreeMap::new();
        for part in parts {
            histogram.count += 1;
            histogram.total_us += microseconds(part.total_ms);
            histogram.before_us += microseconds(part.before_ms);
            histogram.billed_ms += part.billed_ms;
            *buckets.entry(bucket(part.total_ms)).or_default() += 1;
        }
        histogram.buckets = encode(&buckets);
        histogram
    }

    /// True if it can come from samples of at most `longest_ms`, start included.
    pub(super) fn is_sound(&self, longest_ms: u64) -> bool {
        let buckets = decode(&self.buckets);
        let counted = buckets.values().copied().fold(0, u64::saturating_add);
        let within =
            |sum: u64, each: u64| u128::from(sum) <= u128::from(self.count) * u128::from(each);
        counted == self.count
            && encode(&buckets) == self.buckets
            && buckets.keys().all(|bucket| *bucket < OCTAVES * 256)
            && self.before_us <= self.total_us
            && within(self.total_us, 2 * longest_ms * 1000)
            && within(self.billed_ms, longest_ms)
    }

    pub(super) fn merged(&self, other: &Self) -> Self {
        let mut buckets = decode(&self.buckets);
        for (bucket, count) in decode(&other.buckets) {
            *buckets.entry(bucket).or_default() += count;
        }
        Self {
            count: self.count + other.count,
            total_us: self.total_us + other.total_us,
            before_us: self.before_us + other.before_us,
            billed_ms: self.billed_ms + other.billed_ms,
            buckets: encode(&buckets),
        }
    }

    /// The same number of samples with the same sums, each within half a percent of its original.
    pub(super) fn parts(&self) -> Vec<Part> {
        let middles: Vec<f64> = decode(&self.buckets)
            .into_iter()
            .flat_map(|(bucket, count)| (0..count).map(move |_| middle(bucket)))
            .collect();
        let sum: f64 = middles.iter().sum();
        let stretch = if sum > 0.0 { self.total_us as f64 / 1000.0 / sum } else { 1.0 };
        let before =
            if self.total_us > 0 { self.before_us as f64 / self.total_us as f64 } else { 0.0 };
        let rounded_up: u64 = middles.iter().map(|&middle| least_billed(middle)).sum();
        let mut billed = Apportioned::new(self.billed_ms, rounded_up);
        let part = |middle: f64| {
            let total_ms = middle * stretch;
            let billed_ms = billed.next(least_billed(middle));
            Part { total_ms, before_ms: total_ms * before, billed_ms }
        };
        middles.into_iter().map(part).collect()
    }

    /// The maximum length in bytes of JSON of a histogram of `count` samples of up to `longest_ms`.
    pub(super) fn longest(count: u64, longest_ms: f64) -> u64 {
        const FRAME: u64 = 140;
        let buckets = u64::from(bucket(longest_ms)) + 1;
        let used = count.min(buckets);
        // One byte for the gap, one more for each of the few gaps of 64 or more, and the bytes of a
        // count above one.
        let wide = used.min(buckets / 64 + 1);
        let of_counts =
            if count > buckets { varint_length(count.div_ceil(buckets)) + 1 } else { 0 };
        FRAME + (used * (1 + of_counts) + wide).div_ceil(3) * 4
    }
}

/// Divides a sum in proportion to weights, into whole numbers with exactly this sum.
struct Apportioned {
    sum: u64,
    weights: u64,
    weight: u64,
    given: u64,
}

impl Apportioned {
    fn new(sum: u64, weights: u64) -> Self {
        Self { sum, weights, weight: 0, given: 0 }
    }

    fn next(&mut self, weight: u64) -> u64 {
        self.weight += weight;
        let weights = u128::from(self.weights.max(1));
        let due = (u128::from(self.sum) * u128::from(self.weight) + weights / 2) / weights;
        let due = u64::try_from(due).unwrap_or(u64::MAX);
        let next = due.saturating_sub(self.given);
        self.given = due;
        next
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, a day at most"
)]
fn microseconds(ms: f64) -> u64 {
    (ms * 1000.0).round() as u64
}

/// A duration rounded up, at least one millisecond.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, a day at most"
)]
fn least_billed(ms: f64) -> u64 {
    (ms.ceil() as u64).max(1)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to the octaves")]
fn bucket(ms: f64) -> u32 {
    // A bucket includes its upper end: 2 ms is the last value of 1 to 2 ms.
    let octave = (ms.max(f64::MIN_POSITIVE).log2().ceil() as i32 - 1).max(LOWEST_OCTAVE);
    let low = f64::from(octave).exp2();
    // A logarithm can miss its whole number by a rounding error.
    let octave = if ms <= low {
        octave - 1
    } else if ms > 2.0 * low {
        octave + 1
    } else {
        octave
    };
    if octave < LOWEST_OCTAVE {
        return 0;
    }
    let part = ((ms / f64::from(octave).exp2() - 1.0) * PARTS).ceil().clamp(1.0, PARTS) as u32 - 1;
    let octave = (octave - LOWEST_OCTAVE) as u32;
    octave.min(OCTAVES - 1) * PARTS as u32 + part
}

fn middle(bucket: u32) -> f64 {
    let octave = f64::from(bucket / 256) + f64::from(LOWEST_OCTAVE);
    (1.0 + (f64::from(bucket % 256) + 0.5) / PARTS) * octave.exp2()
}

/// The buckets and counts in base64. Each bucket is a LEB128 number: the distance from the one
/// before, doubled, plus one if a count above one follows.
fn encode(buckets: &BTreeMap<u32, u64>) -> String {
    let mut bytes = Vec::new();
    let mut previous = 0;
    for (&bucket, &count) in buckets {
        let several = u64::from(count > 1);
        write_varint(&mut bytes, u64::from(bucket - previous) << 1 | several);
        if count > 1 {
            write_varint(&mut bytes, count);
        }
        previous = bucket;
    }
    BASE64.encode(bytes)
}

/// Reads the format of [`encode`]. The list ends at the first fault.
fn decode(text: &str) -> BTreeMap<u32, u64> {
    let bytes = BASE64.decode(text).unwrap_or_default();
    let mut numbers = Varints(&bytes);
    let mut buckets = BTreeMap::new();
    let mut bucket = 0_u32;
    while let Some(head) = numbers.next() {
        let several = head & 1 == 1;
        let Some(next) = u32::try_from(head >> 1).ok().and_then(|gap| bucket.checked_add(gap))
        else {
            break;
        };
        bucket = next;
        let Some(count) = (if several { numbers.next() } else { Some(1) }) else { break };
        let known: &mut u64 = buckets.entry(bucket).or_default();
        *known = known.saturating_add(count);
    }
    buckets
}

fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

fn varint_length(number: u64) -> u64 {
    u64::from((u64::BITS - number.leading_zeros()).max(1).div_ceil(7))
}

struct Varints<'a>(&'a [u8]);

impl Iterator for Varints<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn plain(total_ms: f64) -> Part {
        Part { total_ms, before_ms: 0.0, billed_ms: least_billed(total_ms) }
    }

    #[test]
    fn an_upper_end_is_the_last_of_its_bucket() {
        for whole in [1.0, 2.0, 3.0, 255.0, 256.0, 511.0, 512.0] {
            let (at, above) = (bucket(whole), bucket(whole + 0.01));
            assert!(at < above, "{whole}");
            assert!((middle(at).ceil() - whole).abs() < f64::EPSILON, "{whole}");
            assert!((middle(above).ceil() - whole - 1.0).abs() < f64::EPSILON, "{whole}");
        }
    }

    #[test]
    fn nothing_and_the_very_small_have_a_bucket() {
        assert_eq!(bucket(0.0), 0);
        assert_eq!(Histogram::default().parts(), []);
        assert_eq!(Histogram::of([plain(0.0)]).parts()[0].billed_ms, 1);
    }

    #[test]
    fn a_damaged_text_is_an_end_not_a_panic() {
        for text in ["", "?", "////////////////////", "gICAgICAgICAgIA"] {
            decode(text);
        }
    }

    proptest! {
        #[test]
        fn samples_come_back_within_half_a_percent_and_sums_exactly(
            totals in vec(0.01..900_000.0_f64, 1..200),
            before in 0.0..0.9_f64,
        ) {
            let part = |&total_ms: &f64| Part { before_ms: before * total_ms, ..plain(total_ms) };
            let histogram = Histogram::of(totals.iter().map(part));
            let mut sorted = totals.clone();
            sorted.sort_by(f64::total_cmp);
            let parts = histogram.parts();
            prop_assert_eq!(parts.len(), totals.len());
            for (part, total) in parts.iter().zip(&sorted) {
                prop_assert!((part.total_ms / total - 1.0).abs() <= 0.005, "{} {}", part.total_ms, total);
            }
            let billed: u64 = totals.iter().map(|&ms| least_billed(ms)).sum();
            prop_assert_eq!(parts.iter().map(|part| part.billed_ms).sum::<u64>(), billed);
            let sum: f64 = parts.iter().map(|part| part.total_ms).sum();
            let exact: f64 = totals.iter().map(|ms| (ms * 1000.0).round() / 1000.0).sum();
            prop_assert!((sum / exact - 1.0).abs() < 1e-9);
        }

        #[test]
        fn what_is_billed_below_half_a_second_is_exact(totals in vec(0.01..512.0_f64, 1..100)) {
            let mut billed: Vec<u64> = totals.iter().map(|&ms| least_billed(ms)).collect();
            billed.sort_unstable();
            let parts = Histogram::of(totals.into_iter().map(plain)).parts();
            prop_assert_eq!(parts.iter().map(|part| part.billed_ms).collect::<Vec<_>>(), billed);
        }

        #[test]
        fn merging_is_the_histogram_of_both(
            one in vec(0.01..1e5_f64, 0..50),
            other in vec(0.01..1e5_f64, 0..50),
        ) {
            let of = |totals: &[f64]| Histogram::of(totals.iter().copied().map(plain));
            let both: Vec<f64> = one.iter().chain(&other).copied().collect();
            prop_assert_eq!(of(&one).merged(&of(&other)), of(&both));
        }

        #[test]
        fn no_histogram_is_longer_than_foreseen(totals in vec(0.01..3000.0_f64, 0..2000)) {
            let count = totals.len() as u64;
            let histogram = Histogram::of(totals.into_iter().map(plain));
            let length = serde_json::to_string(&histogram).unwrap().len() as u64;
            prop_assert!(length <= Histogram::longest(count, 3000.0));
        }

        #[test]
        fn any_text_is_read(text in "[A-Za-z0-9+/]{0,40}") {
            decode(&text);
        }
    }
}
