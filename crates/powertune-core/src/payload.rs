//! The payloads of the function: one, or several by weight.
//!
//! The rules are those of AWS Lambda Power Tuning, except for the order. Weighted payloads are
//! interleaved here, so that a drift during the run affects all of them equally.

use std::sync::Arc;

use serde_json::Value;

/// The payloads of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Payloads(PayloadKind);

#[derive(Debug, Clone, PartialEq)]
enum PayloadKind {
    Single(Arc<str>),
    /// Never empty.
    Weighted(Vec<Weighted>),
}

#[derive(Debug, Clone, PartialEq)]
struct Weighted {
    payload: Arc<str>,
    weight: f64,
}

/// AWS's limit on the payload of a synchronous invocation, in bytes.
pub const MAX_BYTES: usize = 6 * 1024 * 1024;

/// The maximum weight. Above it, weight times invocations could overflow.
const MAX_WEIGHT: f64 = 1e100;

/// The error for a payload that cannot be sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PayloadError {
    /// The weight is not a positive number, or it is too large.
    #[error("payload[{index}].weight is {weight}: a weight is a number above 0, like 5 or 0.5")]
    Weight {
        /// The index in the list, from 0.
        index: usize,
        /// The given weight.
        weight: Value,
    },
    /// There are fewer invocations than payloads.
    #[error(
        "there are {payloads} payloads, and a power gets no more than {num} invocations: give a \
         larger num"
    )]
    FewerThanPayloads {
        /// The invocations per power.
        num: usize,
        /// The number of payloads.
        payloads: usize,
    },
    /// There are too few invocations to send every payload by its weight.
    #[error(
        "Invalid payload weight (num is too small): of {num} invocations payload[{index}] would \
         get none; give a larger num, or raise the weight"
    )]
    NumTooSmall {
        /// The invocations per power.
        num: usize,
        /// The index of the first payload that would not be sent.
        index: usize,
    },
    /// The payload exceeds AWS's limit.
    #[error(
        "{at} has {bytes} bytes: a synchronous invocation takes {MAX_BYTES} at most; let the \
         function fetch larger data itself"
    )]
    TooLarge {
        /// The field of the request.
        at: String,
        /// Its size in bytes, as sent.
        bytes: usize,
    },
}

impl Payloads {
    /// The payloads in the `payload` of a request. `null` if the field is absent.
    pub fn parse(value: Option<&Value>) -> Result<Self, PayloadError> {
        match value.and_then(as_weighted) {
            Some(elements) => elements
                .into_iter()
                .enumerate()
                .map(|(index, (payload, weight))| Weighted::parse(index, payload, weight))
                .collect::<Result<_, _>>()
                .map(|weighted| Self(PayloadKind::Weighted(weighted))),
            None => body("payload", value.unwrap_or(&Value::Null))
                .map(|payload| Self(PayloadKind::Single(payload))),
        }
    }

    /// True if the request has no payload. Lambda gets `null` then.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(&self.0, PayloadKind::Single(payload) if &**payload == "null")
    }

    /// The payloads of `num` invocations in the order to send them. Equal numbers give equal
    /// orders.
    pub fn expand(&self, num: usize) -> Result<Vec<Arc<str>>, PayloadError> {
        match &self.0 {
            PayloadKind::Single(payload) => Ok(vec![Arc::clone(payload); num]),
            PayloadKind::Weighted(weighted) => {
                let order = interleave(&counts(weighted, num)?);
                Ok(order.into_iter().map(|i| Arc::clone(&weighted[i].payload)).collect())
            }
        }
    }
}

impl Weighted {
    fn parse(index: usize, payload: &Value, weight: &Value) -> Result<Self, PayloadError> {
        let payload = body(&format!("payload[{index}].payload"), payload)?;
        match weight.as_f64() {
            Some(weight) if weight > 0.0 && weight <= MAX_WEIGHT => Ok(Self { payload, weight }),
            _ => Err(PayloadError::Weight { index, weight: weight.clone() }),
        }
    }
}

/// Reads the `payload` from a text or a file of the user. A text that begins like a JSON object or
/// list must be valid JSON. Other text is sent as a JSON string. JSON keeps its exact text, except
/// for lists, which may be weighted.
///
/// # Errors
/// The fault in the JSON.
pub fn of_text(text: &str) -> Result<Value, String> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(items)) => Ok(Value::Array(items)),
        Err(error) if text.trim_start().starts_with(['{', '[']) => {
            Err(format!("is not valid JSON: {error}"))
        }
        Ok(_) | Err(_) => Ok(Value::String(text.to_owned())),
    }
}

/// The payloads and weights of a list in which every element has both.
fn as_weighted(value: &Value) -> Option<Vec<(&Value, &Value)>> {
    let elements = value.as_array().filter(|elements| !elements.is_empty())?;
    elements.iter().map(|element| element.get("payload").zip(element.get("weight"))).collect()
}

/// The JSON to send. A text that is valid JSON is sent unchanged.
fn body(at: &str, value: &Value) -> Result<Arc<str>, PayloadError> {
    let body = match value {
        Value::String(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
            text.clone()
        }
        _ => value.to_string(),
    };
    if body.len() > MAX_BYTES {
        return Err(PayloadError::TooLarge { at: at.to_owned(), bytes: body.len() });
    }
    Ok(body.into())
}

/// The number of times that each payload is sent: its share of `num`, rounded down. The last
/// payload gets the rest.
fn counts(weighted: &[Weighted], num: usize) -> Result<Vec<usize>, PayloadError> {
    if num < weighted.len() {
        return Err(PayloadError::FewerThanPayloads { num, payloads: weighted.len() });
    }
    let total: f64 = weighted.iter().map(|payload| payload.weight).sum();
    let mut counts = Vec::with_capacity(weighted.len());
    for (index, payload) in weighted.iter().enumerate() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rounds down to between 0 and num"
        )]
        let count = (payload.weight * num as f64 / total) as usize;
        if count < 1 {
            return Err(PayloadError::NumTooSmall { num, index });
        }
        counts.push(count);
    }
    let sent: usize = counts.iter().sum();
    if let Some(last) = counts.last_mut() {
        *last += num.saturating_sub(sent);
    }
    Ok(counts)
}

/// The indices of `counts`, each as often as its count, spread evenly.
///
/// This is smooth weighted round-robin: in each turn everyone gains its count, and the richest is
/// next and pays the sum of all counts.
fn interleave(counts: &[usize]) -> Vec<usize> {
    let turns: usize = counts.iter().sum();
    let mut credit = vec![0_i128; counts.len()];
    (0..turns)
        .map(|_| {
            for (credit, count) in credit.iter_mut().zip(counts) {
                *credit += *count as i128;
            }
            // `max_by_key` takes the last maximum; the first is needed here.
            let next = (0..counts.len()).rev().max_by_key(|&i| credit[i]).unwrap_or_default();
            credit[next] -= turns as i128;
            next
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn expand(value: &Value, num: usize) -> Result<Vec<String>, PayloadError> {
        let payloads = Payloads::parse(Some(value))?.expand(num)?;
        Ok(payloads.iter().map(ToString::to_string).collect())
    }

    fn single(value: &Value) -> String {
        let payloads = expand(value, 3).unwrap();
        assert_eq!(payloads.len(), 3);
        assert!(payloads.iter().all(|payload| *payload == payloads[0]));
        payloads[0].clone()
    }

    fn weighted(weights: &[f64]) -> Value {
        weights.iter().enumerate().map(|(i, w)| json!({"payload": i + 1, "weight": w})).collect()
    }

    #[test]
    fn an_absent_payload_is_null() {
        let payloads = Payloads::parse(None).unwrap().expand(2).unwrap();
        assert_eq!(payloads, ["null".into(), "null".into()]);
    }

    #[test]
    fn json_goes_as_json() {
        for value in [json!(null), json!({"a": [1, "b"]}), json!([1, 2]), json!(5), json!(false)] {
            assert_eq!(single(&value), value.to_string());
        }
    }

    #[test]
    fn a_text_that_is_json_goes_as_it_is() {
        for text in [r#"{"b" : 1,"a":2}"#, "[1]", "\"quoted\"", " 5 ", "null"] {
            assert_eq!(single(&json!(text)), text);
        }
    }

    #[test]
    fn any_other_text_is_quoted() {
        for (text, sent) in
            [("", r#""""#), ("hello", r#""hello""#), ("a \"b\"", r#""a \"b\"""#), ("{", r#""{""#)]
        {
            assert_eq!(single(&json!(text)), sent);
        }
    }

    #[test]
    fn a_list_that_is_not_weighted_throughout_is_one_payload() {
        for value in [
            json!([]),
            json!([{"payload": 1}]),
            json!([{"weight": 1}]),
            json!([{"payload": 1, "weight": 1}, {"payload": 1}]),
            json!([{"payload": 1, "weight": 1}, "other"]),
            json!({"payload": 1, "weight": 1}),
        ] {
            assert_eq!(single(&value), value.to_string());
        }
    }

    #[test]
    fn weighted_payloads_are_interleaved() {
        let value = json!([
            {"payload": {"size": "small"}, "weight": 3},
            {"payload": "{\"size\": \"large\"}", "weight": 1},
        ]);
        let (small, large) = (r#"{"size":"small"}"#, r#"{"size": "large"}"#);
        let round = [small, small, large, small];
        assert_eq!(expand(&value, 8).unwrap(), [round, round].concat());
    }

    #[test]
    fn the_last_takes_the_rest() {
        let counts = |weights: &[f64], num: usize| {
            let sent = expand(&weighted(weights), num).unwrap();
            let count = |i: usize| sent.iter().filter(|p| **p == (i + 1).to_string()).count();
            (0..weights.len()).map(count).collect::<Vec<_>>()
        };
        assert_eq!(counts(&[1.0, 1.0, 1.0], 10), [3, 3, 4]);
        assert_eq!(counts(&[5.0, 15.0, 30.0], 10), [1, 3, 6]);
        assert_eq!(counts(&[0.1, 0.9], 50), [5, 45]);
        assert_eq!(counts(&[1e-9, 1e-9], 5), [2, 3]);
    }

    #[test]
    fn a_num_that_leaves_a_payload_out_is_too_small() {
        let error = expand(&weighted(&[1.0, 10.0]), 10).unwrap_err();
        assert_eq!(error, PayloadError::NumTooSmall { num: 10, index: 0 });
        assert!(error.to_string().starts_with("Invalid payload weight (num is too small)"));
        // As in aws-lambda-power-tuning, the share of the last payload decides, not its rest.
        let error = expand(&weighted(&[10.0, 1.0]), 10).unwrap_err();
        assert_eq!(error, PayloadError::NumTooSmall { num: 10, index: 1 });
        let error = expand(&weighted(&[1.0; 6]), 5).unwrap_err();
        assert_eq!(error, PayloadError::FewerThanPayloads { num: 5, payloads: 6 });
    }

    #[test]
    fn a_weight_is_a_positive_number() {
        for weight in [json!(0), json!(-1), json!("5"), json!(null), json!([]), json!(1e300)] {
            let value = json!([{"payload": 1, "weight": 1}, {"payload": 2, "weight": weight}]);
            let error = expand(&value, 10).unwrap_err();
            assert_eq!(error, PayloadError::Weight { index: 1, weight: weight.clone() });
            assert!(error.to_string().contains(&format!("payload[1].weight is {weight}")));
        }
    }

    #[test]
    fn six_megabytes_are_the_most() {
        let text = |bytes: usize| json!("x".repeat(bytes - 2));
        assert_eq!(single(&text(MAX_BYTES)).len(), MAX_BYTES);
        let bytes = MAX_BYTES + 1;
        let error = expand(&text(bytes), 5).unwrap_err();
        assert_eq!(error, PayloadError::TooLarge { at: "payload".to_owned(), bytes });
        let error = expand(&json!([{"payload": text(bytes), "weight": 1}]), 5).unwrap_err();
        let at = "payload[0].payload".to_owned();
        assert_eq!(error, PayloadError::TooLarge { at, bytes });
    }

    #[test]
    fn a_text_that_begins_like_a_document_has_to_be_one() {
        assert!(of_text("{\"a\":").is_err());
        assert_eq!(of_text("hello"), Ok(json!("hello")));
        assert_eq!(of_text("{\"a\": 1.0}"), Ok(json!("{\"a\": 1.0}")));
        assert_eq!(of_text(" [1, 2]"), Ok(json!([1, 2])));
    }

    proptest! {
        /// Every section of the order holds about its share of each payload. An order in blocks
        /// would fail this.
        #[test]
        fn an_order_is_complete_and_even(counts in proptest::collection::vec(1_usize..20, 1..6)) {
            let order = interleave(&counts);
            let turns: usize = counts.iter().sum();
            prop_assert_eq!(order.len(), turns);
            for (index, &count) in counts.iter().enumerate() {
                let mut sent = 0;
                for (turn, &next) in order.iter().enumerate() {
                    if next == index {
                        sent += 1;
                    }
                    let share = (turn + 1) as f64 * count as f64 / turns as f64;
                    prop_assert!((f64::from(sent) - share).abs() < counts.len() as f64, "{:?}", order);
                }
                prop_assert_eq!(usize::try_from(sent), Ok(count));
            }
        }

        #[test]
        fn every_weight_gets_its_share_of_num(
            weights in proptest::collection::vec(0.001_f64..1000.0, 1..6), num in 0_usize..500,
        ) {
            let Ok(sent) = expand(&weighted(&weights), num) else { return Ok(()) };
            prop_assert_eq!(sent.len(), num);
            let total: f64 = weights.iter().sum();
            for (index, weight) in weights.iter().enumerate() {
                let count = sent.iter().filter(|p| **p == (index + 1).to_string()).count() as f64;
                let share = (weight * num as f64 / total).floor();
                let last = index + 1 == weights.len();
                prop_assert!(count >= share.max(1.0));
                prop_assert!(last || count <= share);
            }
        }
    }
}
