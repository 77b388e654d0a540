//! The checks that need no key: service, region, date, and the headers that have to be signed.
//! Rules and messages are AWS's.

use axum::http::{HeaderMap, HeaderName, header::HOST};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::authorization::Authorization;
use crate::{
    exception::{Exception, ExceptionKind},
    loopback::the_only,
};

const SERVICE: &str = "lambda";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// `20260101T000000Z`.
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// Headers with this prefix decide what an operation does, so they have to be signed. The token is
/// the exception: some clients add it after signing, and it is compared separately.
const MEANINGFUL: &str = "x-amz-";
pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// Largest distance between a signature and now, in minutes. Other AWS services allow 15.
const WINDOW_MIN: i64 = 5;

/// Refuses a request whose scope is wrong in `region` at `now`. Returns the time of the signature.
pub(super) fn check(
    authorization: &Authorization<'_>,
    headers: &HeaderMap,
    region: &str,
    now: Timestamp,
) -> Result<Timestamp, Exception> {
    let (text, signed_at) = signed_at(headers)?;
    if authorization.service != SERVICE {
        let message = format!("Credential should be scoped to correct service: '{SERVICE}'.");
        return Err(Exception::invalid_signature(message));
    }
    if authorization.region != region {
        return Err(Exception::invalid_signature(format!(
            "Credential should be scoped to a valid region, not '{}': this is '{region}'.",
            authorization.region
        )));
    }
    let (day, scope) = (&text[..text.len().min(8)], authorization.date);
    if scope != day {
        return Err(Exception::invalid_signature(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{scope}' != '{day}', from '{text}'."
        )));
    }
    check_time(signed_at, now)?;
    if !authorization.signs(HOST.as_str()) {
        let message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(Exception::invalid_signature(message));
    }
    let unsigned = |name: &&HeaderName| {
        name.as_str().starts_with(MEANINGFUL) && !authorization.signs(name.as_str())
    };
    match headers.keys().filter(|name| **name != TOKEN).find(unsigned) {
        Some(name) => Err(Exception::invalid_signature(format!(
            "There were headers present in the request which were not signed: {name}"
        ))),
        None => Ok(signed_at),
    }
}

/// `X-Amz-Date`, as text and as a time.
fn signed_at(headers: &HeaderMap) -> Result<(&str, Timestamp), Exception> {
    let text = the_only(headers, &DATE).and_then(|value| value.to_str().ok());
    let read = |text: &str| {
        let time = DateTime::strptime(DATE_FORMAT, text).ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(time.timestamp())
    };
    text.and_then(|text| Some((text, read(text)?))).ok_or_else(|| {
        let message = "Authorization header requires existence of a 'X-Amz-Date' header, as in \
                       X-Amz-Date: 20260101T000000Z.";
        Exception::new(ExceptionKind::IncompleteSignature, message)
    })
}

fn check_time(signed_at: Timestamp, now: Timestamp) -> Result<(), Exception> {
    let window = SignedDuration::from_mins(WINDOW_MIN);
    let tell = |time: Timestamp| time.strftime(DATE_FORMAT).to_string();
    let (at, present) = (tell(signed_at), tell(now));
    let away = signed_at.duration_since(now);
    if away < -window {
        let earliest = tell(now - window);
        return Err(Exception::invalid_signature(format!(
            "Signature expired: {at} is now earlier than {earliest} ({present} - {WINDOW_MIN} min.)"
        )));
    }
    if away > window {
        let latest = tell(now + window);
        return Err(Exception::invalid_signature(format!(
            "Signature not yet current: {at} is still later than {latest} ({present} + \
             {WINDOW_MIN} min.)"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_far_from_now_are_told_as_by_lambda() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = |minutes, seconds| {
            let away = SignedDuration::from_mins(minutes) + SignedDuration::from_secs(seconds);
            check_time(now + away, now).map_err(|exception| exception.message)
        };
        assert_eq!((at(-5, 0), at(0, 0), at(5, 0)), (Ok(()), Ok(()), Ok(())));
        let expired = "Signature expired: 20251231T235459Z is now earlier than 20251231T235500Z \
                       (20260101T000000Z - 5 min.)";
        assert_eq!(at(-5, -1), Err(expired.to_owned()));
        let early = "Signature not yet current: 20260101T000501Z is still later than \
                     20260101T000500Z (20260101T000000Z + 5 min.)";
        assert_eq!(at(5, 1), Err(early.to_owned()));
    }

    fn scope(change: impl FnOnce(&mut Authorization<'_>, &mut HeaderMap)) -> Result<(), String> {
        let mut authorization = Authorization {
            access_key_id: "AKIDEXAMPLE",
            date: "20260101",
            region: "us-east-1",
            service: "lambda",
            signed_headers: "host;x-amz-date",
            signature: "",
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost".parse().unwrap());
        headers.insert(DATE, "20260101T000000Z".parse().unwrap());
        change(&mut authorization, &mut headers);
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        check(&authorization, &headers, "us-east-1", now)
            .map(drop)
            .map_err(|refused| refused.message)
    }

    #[test]
    fn what_no_signature_can_make_right() {
        assert_eq!(scope(|_, _| ()), Ok(()));
        let token = |headers: &mut HeaderMap| headers.insert(TOKEN, "token".parse().unwrap());
        assert_eq!(scope(|_, headers| drop(token(headers))), Ok(()));
        let told = |change: fn(&mut Authorization<'_>, &mut HeaderMap), start: &str| {
            let message = scope(change).unwrap_err();
            assert!(message.starts_with(start), "{message}");
        };
        told(|it, _| it.service = "s3", "Credential should be scoped to correct service: 'lambda'");
        told(|it, _| it.region = "eu-west-1", "Credential should be scoped to a valid region, not");
        told(|it, _| it.date = "20251231", "Date in Credential scope does not match YYYYMMDD");
        told(|it, _| it.signed_headers = "x-amz-date", "'Host' or ':authority' must be");
        told(|it, _| it.signed_headers = "host", "There were headers present in the request which");
        told(
            |_, headers| drop(headers.insert("x-amz-log-type", "Tail".parse().unwrap())),
            "There were headers present in the request which were not signed: x-amz-log-type",
        );
        for no_date in ["", "2026-01-01T00:00:00Z", "20260101T000000", "20260101"] {
            let message = scope(|_, headers| drop(headers.insert(DATE, no_date.parse().unwrap())));
            assert!(message.unwrap_err().contains("requires existence of a 'X-Amz-Date'"));
        }
    }
}
