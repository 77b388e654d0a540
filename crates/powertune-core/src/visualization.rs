//! The chart of AWS Lambda Power Tuning, a page whose URL carries all the data.
//!
//! Sizes, durations and costs are arrays of little-endian numbers in base64, separated by `;`. They
//! are in the fragment, which a browser does not send to the server.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};

use crate::power::{Power, PowerError};
use crate::region::Currency;

/// The page of AWS Lambda Power Tuning.
pub const BASE: &str = "https://lambda-power-tuning.show/";

/// A power, its average duration in milliseconds, and its average cost per invocation in the
/// currency of the chart.
pub type Point = (Power, f64, f64);

/// The data of a URL: one series, or two to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The currency of all costs.
    pub currency: Currency,
    /// The series of the first function.
    pub first: Series,
    /// The series to compare with.
    pub second: Option<Series>,
}

/// The points of one function.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The name, which only a comparison has.
    pub name: Option<String>,
    /// The points in the order of the URL.
    pub points: Vec<Point>,
}

/// The fault of a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The URL has no `#`, or nothing after it.
    #[error("the visualization URL has no `#`: copy the whole URL, its data come after the `#`")]
    NoFragment,
    /// The number of parts fits neither one series nor two.
    #[error(
        "the visualization URL has {0} parts after the `#`: a result has 3, a comparison 8; copy \
         the whole URL"
    )]
    Parts(usize),
    /// A part is not base64 of whole numbers.
    #[error("part {part} after the URL's `#` is damaged: copy the whole URL")]
    Part {
        /// The part, counted from 1.
        part: usize,
    },
    /// The numbers of sizes, durations and costs differ.
    #[error(
        "the visualization URL has {sizes} sizes, {durations} durations and {costs} costs: the \
         numbers must be equal; copy the whole URL"
    )]
    Lengths {
        /// The number of sizes.
        sizes: usize,
        /// The number of durations.
        durations: usize,
        /// The number of costs.
        costs: usize,
    },
    /// Lambda does not offer a size.
    #[error("the visualization URL: {0}")]
    Power(#[from] PowerError),
}

/// The URL of the chart of `points`. `base` is [`BASE`] or a copy of that page.
pub fn url(base: &str, currency: Currency, points: &[Point]) -> String {
    let mut points = points.to_vec();
    points.sort_by_key(|(power, ..)| *power);
    let query = match currency {
        Currency::Cny => "?currency=CNY",
        Currency::Usd | Currency::Eur => "",
    };
    let sizes = encode(&points, |(power, ..)| u16::from(*power).to_le_bytes());
    let durations = encode(&points, |(_, duration_ms, _)| single(*duration_ms).to_le_bytes());
    let costs = encode(&points, |(.., cost)| single(*cost).to_le_bytes());
    format!("{base}{query}#{sizes};{durations};{costs}")
}

#[expect(clippy::cast_possible_truncation, reason = "the format has no more precision")]
fn single(value: f64) -> f32 {
    value as f32
}

fn encode<const N: usize>(points: &[Point], bytes: impl Fn(&Point) -> [u8; N]) -> String {
    STANDARD.encode(points.iter().flat_map(bytes).collect::<Vec<u8>>())
}

/// Reads the URL of a chart.
pub fn parse(url: &str) -> Result<Picture, ParseError> {
    let (address, data) = url.trim().split_once('#').ok_or(ParseError::NoFragment)?;
    let currency = if address.contains("currency=CNY") { Currency::Cny } else { Currency::Usd };
    let parts: Vec<&str> = data.split(';').collect();
    let (first, second) = match *parts.as_slice() {
        [_, _, _] => (Series { name: None, points: points(&parts, 0)? }, None),
        [_, _, _, _, _, _, first, second] => {
            let named = |name, from, part| -> Result<Series, ParseError> {
                let name = percent_decode(name).ok_or(ParseError::Part { part })?;
                Ok(Series { name: Some(name), points: points(&parts, from)? })
            };
            (named(first, 0, 7)?, Some(named(second, 3, 8)?))
        }
        _ => return Err(ParseError::Parts(parts.len())),
    };
    Ok(Picture { currency, first, second })
}

/// The points of the three parts from index `from`.
fn points(parts: &[&str], from: usize) -> Result<Vec<Point>, ParseError> {
    let sizes = decode(parts[from], from + 1, i16::from_le_bytes)?;
    let durations = measures(parts[from + 1], from + 2)?;
    let costs = measures(parts[from + 2], from + 3)?;
    if sizes.len() != durations.len() || sizes.len() != costs.len() {
        return Err(ParseError::Lengths {
            sizes: sizes.len(),
            durations: durations.len(),
            costs: costs.len(),
        });
    }
    let measured = durations.into_iter().zip(costs);
    sizes
        .into_iter()
        .zip(measured)
        .map(|(size, (duration_ms, cost))| Ok((Power::new(size)?, duration_ms, cost)))
        .collect()
}

/// The durations or costs of a part. Negative and infinite numbers are faults.
fn measures(text: &str, part: usize) -> Result<Vec<f64>, ParseError> {
    let values = decode(text, part, f32::from_le_bytes)?;
    if values.iter().all(|value| value.is_finite() && *value >= 0.0) {
        Ok(values.into_iter().map(f64::from).collect())
    } else {
        Err(ParseError::Part { part })
    }
}

/// The numbers of N bytes each in a part. Other programs may have percent-encoded the part, or
/// removed its padding.
fn decode<const N: usize, T>(
    text: &str,
    part: usize,
    number: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, ParseError> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let damaged = ParseError::Part { part };
    let text = percent_decode(text).ok_or_else(|| damaged.clone())?;
    let bytes = LENIENT.decode(text).map_err(|_| damaged.clone())?;
    let (numbers, rest) = bytes.as_chunks::<N>();
    if rest.is_empty() { Ok(numbers.iter().copied().map(number).collect()) } else { Err(damaged) }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DATA: &str = "gAAAAQ==;AACAQQAACEE=;nFNJNr03BjY=";

    fn power(mb: i64) -> Power {
        Power::new(mb).unwrap()
    }

    fn example() -> [Point; 2] {
        [(power(128), 16.0, 3e-6), (power(256), 8.5, 2e-6)]
    }

    fn rounded(points: &[Point]) -> Vec<Point> {
        let round = |value: f64| f64::from(single(value));
        points.iter().map(|&(power, ms, cost)| (power, round(ms), round(cost))).collect()
    }

    #[test]
    fn the_known_url_bit_for_bit() {
        assert_eq!(url(BASE, Currency::Usd, &example()), format!("{BASE}#{DATA}"));
        let mut reversed = example();
        reversed.reverse();
        assert_eq!(url(BASE, Currency::Usd, &reversed), format!("{BASE}#{DATA}"));
    }

    #[test]
    fn yuan_are_in_the_query() {
        let expected = format!("https://example.com/x?currency=CNY#{DATA}");
        assert_eq!(url("https://example.com/x", Currency::Cny, &example()), expected);
        assert_eq!(parse(&expected).unwrap().currency, Currency::Cny);
    }

    #[test]
    fn no_points_are_an_empty_picture() {
        assert_eq!(url(BASE, Currency::Usd, &[]), format!("{BASE}#;;"));
        assert_eq!(parse(&format!("{BASE}#;;")).unwrap().first.points, []);
    }

    #[test]
    fn a_result_is_read() {
        let first = Series { name: None, points: rounded(&example()) };
        let picture = Picture { currency: Currency::Usd, first, second: None };
        for data in [DATA.to_owned(), DATA.replace('=', ""), DATA.replace('=', "%3D")] {
            assert_eq!(parse(&format!(" {BASE}#{data}\n")), Ok(picture.clone()), "{data}");
        }
    }

    #[test]
    fn a_comparison_is_read() {
        let other = "AAQ=;AACAPw==;AAAAPw==";
        let picture = parse(&format!("{BASE}#{DATA};{other};x86%3B%20old;arm%C3%A9")).unwrap();
        let first = Series { name: Some("x86; old".to_owned()), points: rounded(&example()) };
        let points = vec![(power(1024), 1.0, 0.5)];
        let second = Some(Series { name: Some("armé".to_owned()), points });
        assert_eq!(picture, Picture { currency: Currency::Usd, first, second });
    }

    #[test]
    fn damage_is_named() {
        let lengths = |sizes, durations, costs| ParseError::Lengths { sizes, durations, costs };
        let out_of_range = |mb| ParseError::Power(PowerError::OutOfRange { mb });
        for (data, error) in [
            ("", ParseError::Parts(1)),
            ("gAAAAQ==;AACAQQAACEE=", ParseError::Parts(2)),
            ("gAAAAQ==;AACAQQAACEE=;nFNJNr03BjY=;", ParseError::Parts(4)),
            ("g!AAAQ==;AACAQQAACEE=;nFNJNr03BjY=", ParseError::Part { part: 1 }),
            ("gAAA;AACAQQAACEE=;nFNJNr03BjY=", ParseError::Part { part: 1 }),
            ("gAAAAQ==;AACAQQAACEE=;nFNJNr03", ParseError::Part { part: 3 }),
            // A cut escape, and an escape that is not hexadecimal.
            ("gAAAAQ==;AACAQQAACEE%3;nFNJNr03BjY=", ParseError::Part { part: 2 }),
            ("gAAAAQ==;AACAQQAACEE%+D;nFNJNr03BjY=", ParseError::Part { part: 2 }),
            ("gAA=;AADAfw==;AAAAPw==", ParseError::Part { part: 2 }),
            ("gAA=;AACAPw==;AAAAvw==", ParseError::Part { part: 3 }),
            ("gAAAAQ==;AACAPw==;nFNJNr03BjY=", lengths(2, 1, 2)),
            ("QAA=;AACAPw==;AAAAPw==", out_of_range(64)),
            ("//8=;AACAPw==;AAAAPw==", out_of_range(-1)),
            ("gAA=;AACAPw==;AAAAPw==;gAA=;AACAPw==;AAAA;a;b", ParseError::Part { part: 6 }),
            ("gAA=;AACAPw==;AAAAPw==;gAA=;AACAPw==;AAAAPw==;a;%FF", ParseError::Part { part: 8 }),
        ] {
            assert_eq!(parse(&format!("{BASE}#{data}")), Err(error), "{data}");
        }
        assert_eq!(parse(BASE), Err(ParseError::NoFragment));
    }

    fn all_points() -> impl Strategy<Value = Vec<Point>> {
        let point = ((128_i64..=10_240).prop_map(power), 0.0_f64..1e6, 0.0_f64..1.0);
        proptest::collection::vec(point, 0..50)
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer(text in "\\PC{0,80}", data in "[A-Za-z0-9+/=;%]{0,80}") {
            let _ = parse(&text);
            let _ = parse(&format!("#{data}"));
        }

        #[test]
        fn what_is_drawn_is_read_back(
            points in all_points(),
            currency in prop_oneof![Just(Currency::Usd), Just(Currency::Cny)],
        ) {
            let picture = parse(&url(BASE, currency, &points)).unwrap();
            let mut expected = rounded(&points);
            expected.sort_by_key(|(power, ..)| *power);
            prop_assert_eq!(picture.first.points, expected);
            prop_assert_eq!((picture.currency, picture.second), (currency, None));
        }

        #[test]
        fn a_comparison_is_read_back(one in all_points(), other in all_points()) {
            let data = |points: &[Point]| {
                url("", Currency::Usd, points).trim_start_matches('#').to_owned()
            };
            let url = format!("{BASE}#{};{};before;after", data(&one), data(&other));
            let picture = parse(&url).unwrap();
            let second = picture.second.unwrap();
            for (series, name, points) in
                [(picture.first, "before", one), (second, "after", other)]
            {
                let mut expected = rounded(&points);
                expected.sort_by_key(|(power, ..)| *power);
                prop_assert_eq!((series.name.as_deref(), series.points), (Some(name), expected));
            }
        }
    }
}
