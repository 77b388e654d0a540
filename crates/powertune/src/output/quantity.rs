//! Money, durations and shares in few, useful digits, and never as 0.0000021.

use std::fmt::Write as _;

use powertune_core::{region::Currency, stats::Estimate};

use super::style::Charset;

/// Costs are shown for a million invocations: one costs too little to read.
pub(super) const MILLION: f64 = 1e6;

/// A smaller change is shown as 0 %.
const NO_CHANGE: f64 = 0.005;

pub(super) fn money(amount: f64, currency: Currency, decimals: usize, charset: Charset) -> String {
    format!("{}{}", charset.currency(currency), grouped(amount, decimals))
}

/// The decimals by which amounts can be told apart, the smallest of which is given.
pub(super) fn decimals(smallest: f64) -> usize {
    match smallest {
        amount if amount < 1.0 => 3,
        amount if amount < 1000.0 => 2,
        _ => 0,
    }
}

/// An amount that was or may be spent.
pub(crate) fn spent(amount: f64, currency: Currency, charset: Charset) -> String {
    let decimals = match amount {
        0.0 => 2,
        amount if amount < 0.0001 => {
            return format!("under {}", money(0.0001, currency, 4, charset));
        }
        amount if amount < 0.01 => 4,
        amount if amount < 1.0 => 3,
        _ => 2,
    };
    money(amount, currency, decimals, charset)
}

/// `1,234.50`.
fn grouped(amount: f64, decimals: usize) -> String {
    let text = format!("{amount:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if !fraction.is_empty() {
        let _ = write!(grouped, ".{fraction}");
    }
    grouped
}

/// The unit and the decimals for a duration.
#[derive(Debug, Clone, Copy)]
struct Scale {
    divisor: f64,
    unit: &'static str,
    decimals: usize,
}

impl Scale {
    fn of(ms: f64) -> Self {
        // Rounded to 1000 ms, it is shown as a second.
        let (divisor, unit) = if ms < 999.5 { (1.0, "ms") } else { (1000.0, "s") };
        let decimals = match ms / divisor {
            value if value < 9.995 => 2,
            value if value < 99.95 => 1,
            _ => 0,
        };
        Self { divisor, unit, decimals }
    }

    fn number(self, ms: f64) -> String {
        format!("{:.*}", self.decimals, ms / self.divisor)
    }
}

/// A duration in ms with three digits: `12.3 ms`, `1.84 s`.
pub(crate) fn duration(ms: f64) -> String {
    let scale = Scale::of(ms);
    format!("{} {}", scale.number(ms), scale.unit)
}

/// The mean of a duration, and its interval in the same unit.
pub(super) fn estimated_duration(estimate: Estimate, charset: Charset) -> (String, Option<String>) {
    let scale = Scale::of(estimate.mean);
    let range = estimate.low.zip(estimate.high).map(|(low, high)| {
        format!("{}{}{}", scale.number(low), charset.dash(), scale.number(high))
    });
    (duration(estimate.mean), range)
}

/// A time in ms that a person waited or will wait.
pub(crate) fn wait(ms: u64) -> String {
    match ms / 1000 {
        0..60 => format!("{:.1} s", ms as f64 / 1000.0),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The larger distance from the mean to an end of the interval, as a share of the mean: `± 3 %`.
pub(super) fn uncertainty(estimate: Estimate, charset: Charset) -> Option<String> {
    let (low, high) = estimate.low.zip(estimate.high)?;
    if estimate.mean <= 0.0 {
        return None;
    }
    let share = (estimate.mean - low).max(high - estimate.mean) / estimate.mean;
    let sign = charset.plus_minus();
    Some(if share < 0.005 { format!("{sign} <1 %") } else { format!("{sign} {}", percent(share)) })
}

/// A share in whole percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A ratio as a signed change: `−45 %`, `+12 %`.
pub(super) fn change(ratio: f64, charset: Charset) -> String {
    let sign = match ratio - 1.0 {
        change if change.abs() < NO_CHANGE => "",
        change if change < 0.0 => charset.minus(),
        _ => "+",
    };
    if sign.is_empty() {
        "0 %".to_owned()
    } else {
        format!("{sign}{}", percent((ratio - 1.0).abs()))
    }
}

/// The direction of the change, as [`change`] shows it.
pub(super) fn direction(ratio: f64) -> Direction {
    match ratio - 1.0 {
        change if change.abs() < NO_CHANGE => Direction::Same,
        change if change < 0.0 => Direction::Less,
        _ => Direction::More,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Less,
    Same,
    More,
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNICODE: Charset = Charset::Unicode;

    #[test]
    fn durations_have_three_digits() {
        for (ms, shown) in [
            (0.0, "0.00 ms"),
            (0.842, "0.84 ms"),
            (9.994, "9.99 ms"),
            (9.996, "10.0 ms"),
            (12.34, "12.3 ms"),
            (99.96, "100 ms"),
            (999.4, "999 ms"),
            (999.6, "1.00 s"),
            (1840.0, "1.84 s"),
            (61_234.0, "61.2 s"),
            (899_999.0, "900 s"),
        ] {
            assert_eq!(duration(ms), shown);
        }
    }

    #[test]
    fn an_interval_has_the_unit_of_its_mean() {
        let estimate = Estimate { mean: 1010.0, low: Some(990.0), high: Some(1034.0) };
        let shown = ("1.01 s".to_owned(), Some("0.99–1.03".to_owned()));
        assert_eq!(estimated_duration(estimate, UNICODE), shown);
        let single = Estimate { mean: 12.3, low: None, high: None };
        assert_eq!(estimated_duration(single, UNICODE), ("12.3 ms".to_owned(), None));
    }

    #[test]
    fn waits_are_in_the_units_of_clocks() {
        assert_eq!(wait(0), "0.0 s");
        assert_eq!(wait(8_340), "8.3 s");
        assert_eq!(wait(192_000), "3 min 12 s");
        assert_eq!(wait(3_840_000), "1 h 4 min");
    }

    #[test]
    fn money_is_readable() {
        let usd = |amount| money(amount, Currency::Usd, decimals(amount), UNICODE);
        assert_eq!(usd(0.213_4), "$0.213");
        assert_eq!(usd(2.136), "$2.14");
        assert_eq!(usd(12_345.6), "$12,346");
        assert_eq!(money(1_234_567.0, Currency::Usd, 2, UNICODE), "$1,234,567.00");
        assert_eq!(money(14.2, Currency::Cny, 2, UNICODE), "¥14.20");
        assert_eq!(money(14.2, Currency::Cny, 2, Charset::Ascii), "CNY 14.20");
        for (amount, shown) in [
            (0.0, "$0.00"),
            (2.1e-6, "under $0.0001"),
            (0.001_24, "$0.0012"),
            (0.123_4, "$0.123"),
            (4.2, "$4.20"),
        ] {
            assert_eq!(spent(amount, Currency::Usd, UNICODE), shown);
        }
    }

    #[test]
    fn changes_bear_their_sign() {
        assert_eq!(change(0.55, UNICODE), "−45 %");
        assert_eq!(change(0.55, Charset::Ascii), "-45 %");
        assert_eq!(change(1.12, UNICODE), "+12 %");
        assert_eq!(change(0.9951, UNICODE), "0 %");
        assert_eq!(direction(1.0), Direction::Same);
    }

    #[test]
    fn uncertainty_is_the_farther_end() {
        let estimate = |low, high| Estimate { mean: 100.0, low, high };
        let shown = |low, high| uncertainty(estimate(low, high), UNICODE);
        assert_eq!(shown(Some(97.0), Some(108.0)).as_deref(), Some("± 8 %"));
        assert_eq!(shown(Some(99.9), Some(100.0)).as_deref(), Some("± <1 %"));
        assert_eq!(shown(None, None), None);
    }
}
