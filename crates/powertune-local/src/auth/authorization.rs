//! The `Authorization` header.

use axum::http::{HeaderMap, header::AUTHORIZATION};

use crate::{
    exception::{Exception, ExceptionKind},
    loopback::the_only,
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256 ";

/// An `Authorization` header of Signature Version 4, in its parts. Nothing of it is verified yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) access_key_id: &'a str,
    /// `YYYYMMDD`.
    pub(super) date: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// Names of headers, separated by semicolons.
    pub(super) signed_headers: &'a str,
    /// In hexadecimal.
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header. A signature in the query counts as no signature: such a link can be passed
    /// on, and no client needs it here.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, Exception> {
        if !headers.contains_key(AUTHORIZATION) {
            let kind = ExceptionKind::MissingAuthenticationToken;
            return Err(Exception::new(kind, "Missing Authentication Token"));
        }
        let text = the_only(headers, &AUTHORIZATION).and_then(|value| value.to_str().ok());
        text.and_then(Self::parse).ok_or_else(|| {
            Exception::new(
                ExceptionKind::IncompleteSignature,
                "The Authorization header must be \"AWS4-HMAC-SHA256 \
                 Credential=KEY/DATE/REGION/lambda/aws4_request, SignedHeaders=..., \
                 Signature=...\": sign with AWS Signature Version 4.",
            )
        })
    }

    fn parse(text: &'a str) -> Option<Self> {
        let parameters = text.strip_prefix(ALGORITHM)?;
        let value = |name: &str| {
            let mut parameters = parameters.split(',').map(str::trim);
            let value = parameters.find_map(|text| text.strip_prefix(name)?.strip_prefix('='));
            value.filter(|value| !value.is_empty())
        };
        let scope: Vec<&str> = value("Credential")?.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = *scope else { return None };
        Some(Self {
            access_key_id,
            date,
            region,
            service,
            signed_headers: value("SignedHeaders")?,
            signature: value("Signature")?,
        })
    }

    /// True if the signature covers a header. The name is in lower case.
    pub(super) fn signs(&self, header: &str) -> bool {
        self.signed_headers.split(';').any(|signed| signed == header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/lambda/aws4_request, \
                         SignedHeaders=host;x-amz-date, Signature=00";

    #[test]
    fn a_whole_header_is_read() {
        let whole = Authorization {
            access_key_id: "AKID",
            date: "20260101",
            region: "us-east-1",
            service: "lambda",
            signed_headers: "host;x-amz-date",
            signature: "00",
        };
        assert_eq!(Authorization::parse(WHOLE), Some(whole));
        assert_eq!(Authorization::parse(&WHOLE.replace(", ", ",")), Some(whole));
        assert!(whole.signs("host") && whole.signs("x-amz-date") && !whole.signs("x-amz"));
    }

    #[test]
    fn anything_else_is_incomplete_or_missing() {
        let refusal = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            Authorization::read(&headers).unwrap_err().kind
        };
        for broken in [
            "",
            "Basic AKID",
            "AWS4-HMAC-SHA256 Credential=AKID",
            &WHOLE.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            &WHOLE.replace("Signature=00", "Signature="),
            &WHOLE.replace("SignedHeaders", "Signed"),
            &WHOLE.replace("/lambda", ""),
            &WHOLE.replace("AKID", "AK/ID"),
        ] {
            assert_eq!(refusal(&[broken]), ExceptionKind::IncompleteSignature, "{broken}");
        }
        assert_eq!(refusal(&[WHOLE, WHOLE]), ExceptionKind::IncompleteSignature);
        assert_eq!(refusal(&[]), ExceptionKind::MissingAuthenticationToken);
    }
}
