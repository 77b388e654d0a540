//! The HTTP form that all operations share: queries, JSON, exceptions and lists in pages.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::body::{BODY_LIMIT, within};
use crate::{
    constraint::Violations,
    exception::{Exception, ExceptionKind, ThrottleReason},
};

/// Items in a page of a list, both the default and the maximum.
const PAGE: u32 = 50;

#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The first parameter with this name. As on AWS, an empty parameter counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().find(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

/// A request's body of JSON, of at most `LIMIT` bytes. An empty body is an empty object.
#[derive(Debug)]
pub(super) struct Json<T, const LIMIT: usize = BODY_LIMIT>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for Json<T, LIMIT> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let operation = *request.extensions().get().expect("every operation has a name");
        let body =
            Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        within(LIMIT, &body, operation)
            .and_then(|()| parse_json(&body))
            .map(Self)
            .map_err(IntoResponse::into_response)
    }
}

fn parse_json<T: DeserializeOwned>(content: &[u8]) -> Result<T, Exception> {
    let content: &[u8] = if content.is_empty() { b"{}" } else { content };
    serde_json::from_slice(content).map_err(|error| {
        let kind = match error.classify() {
            serde_json::error::Category::Data => ExceptionKind::Serialization,
            _ => ExceptionKind::InvalidRequestContent,
        };
        Exception::new(kind, format!("Could not parse request body into json: {error}"))
    })
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, Exception> {
    let body = serde_json::to_vec(body).map_err(|error| Exception::service(&error))?;
    Ok((status, [(CONTENT_TYPE, "application/json")], body).into_response())
}

impl IntoResponse for Exception {
    fn into_response(self) -> Response {
        let mut body = Map::new();
        let mut say = |member: &str, value: &str| {
            body.insert(member.to_owned(), Value::from(value));
        };
        let (status, style) = wire_form(self.kind);
        match style {
            MessageStyle::Capital => {
                say("Type", if status.is_server_error() { "Service" } else { "User" });
                say("Message", &self.message);
            }
            MessageStyle::Small => {
                if !self.untyped {
                    say("Type", "User");
                }
                say("message", &self.message);
            }
            MessageStyle::Bare => say("message", &self.message),
        }
        if let ExceptionKind::TooManyRequests(reason) = self.kind {
            say("Reason", reason.name());
        }
        let headers =
            [(CONTENT_TYPE.as_str(), "application/json"), ("x-amzn-errortype", self.kind.name())];
        let body = Value::Object(body).to_string();
        let mut response = (status, headers, body).into_response();
        // AWS sends no time if the function's own limit of concurrency is met.
        if self.kind == ExceptionKind::TooManyRequests(ThrottleReason::Account) {
            let seconds = axum::http::HeaderValue::from_static("1");
            response.headers_mut().insert("retry-after", seconds);
        }
        response
    }
}

/// The spelling of the message in an exception's body. AWS's model has both spellings.
#[derive(Debug, Clone, Copy)]
enum MessageStyle {
    /// `Type` and `Message`.
    Capital,
    /// `Type` and `message`.
    Small,
    /// `message` alone, for exceptions that Lambda's model does not list.
    Bare,
}

fn wire_form(kind: ExceptionKind) -> (StatusCode, MessageStyle) {
    use ExceptionKind as Kind;
    use MessageStyle::{Bare, Capital, Small};
    match kind {
        Kind::AccessDenied => (StatusCode::FORBIDDEN, Capital),
        Kind::Serialization | Kind::Validation => (StatusCode::BAD_REQUEST, Bare),
        Kind::InvalidParameterValue | Kind::InvalidRequestContent => {
            (StatusCode::BAD_REQUEST, Small)
        }
        Kind::IncompleteSignature
        | Kind::InvalidSignature
        | Kind::MissingAuthenticationToken
        | Kind::UnrecognizedClient => (StatusCode::FORBIDDEN, Bare),
        Kind::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, Small),
        Kind::RequestEntityTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Bare),
        Kind::RequestTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Small),
        Kind::ResourceConflict => (StatusCode::CONFLICT, Small),
        Kind::ResourceNotFound => (StatusCode::NOT_FOUND, Capital),
        Kind::Service => (StatusCode::INTERNAL_SERVER_ERROR, Capital),
        Kind::TooManyRequests(_) => (StatusCode::TOO_MANY_REQUESTS, Small),
        Kind::UnknownOperation => (StatusCode::NOT_FOUND, Bare),
    }
}

/// One page of a list: the items after `Marker`, and the `NextMarker` if more items follow.
///
/// `items` are in the order of their keys. A marker holds the last key of a page, so that a change
/// of the list between two pages neither repeats nor skips other items.
pub(super) fn page<T>(
    items: impl IntoIterator<Item = (String, T)>,
    query: &Query,
) -> Result<(Vec<T>, Option<String>), Exception> {
    let after = query.get("Marker").map(read_marker).transpose()?;
    let size = match query.get("MaxItems") {
        None => PAGE,
        Some(text) => max_items(text)?.min(PAGE),
    };
    let mut rest = items
        .into_iter()
        .skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after))
        .peekable();
    let (mut shown, mut last) = (Vec::new(), String::new());
    for (key, item) in rest.by_ref().take(size as usize) {
        shown.push(item);
        last = key;
    }
    let next = rest.peek().map(|_| BASE64.encode(last));
    Ok((shown, next))
}

fn read_marker(marker: &str) -> Result<String, Exception> {
    let key = BASE64.decode(marker).ok().and_then(|key| String::from_utf8(key).ok());
    key.ok_or_else(|| {
        Exception::invalid_parameter(format!(
            "Marker '{marker}' is not a NextMarker of this list: leave it out to start over."
        ))
    })
}

fn max_items(text: &str) -> Result<u32, Exception> {
    let mut violations = Violations::default();
    let size = match text.parse() {
        Ok(value) => violations.number("maxItems", value, 1, 10_000),
        Err(_) => {
            return Err(Exception::new(
                ExceptionKind::Serialization,
                format!("MaxItems '{text}' is not a whole number."),
            ));
        }
    };
    violations.finish().map(|()| size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(parameters: &[(&str, &str)]) -> Query {
        Query(parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    fn letters() -> Vec<(String, char)> {
        ('a'..='e').map(|letter| (letter.to_string(), letter)).collect()
    }

    #[test]
    fn pages_join_to_the_whole_list() {
        let (first, marker) = page(letters(), &query(&[("MaxItems", "2")])).unwrap();
        assert_eq!(first, ['a', 'b']);
        let marker = marker.unwrap();
        let after = [("MaxItems", "2"), ("Marker", marker.as_str())];
        let (second, _) = page(letters(), &query(&after)).unwrap();
        assert_eq!(second, ['c', 'd']);
        let without_b = letters().into_iter().filter(|(_, letter)| *letter != 'b');
        let (rest, end) = page(without_b, &query(&[("Marker", marker.as_str())])).unwrap();
        assert_eq!(rest, ['c', 'd', 'e'], "an item that went between two pages skips nothing");
        assert_eq!(end, None);
    }

    #[test]
    fn bad_pages_are_refused() {
        for (parameter, kind) in [
            (("MaxItems", "0"), ExceptionKind::Validation),
            (("MaxItems", "10001"), ExceptionKind::Validation),
            (("MaxItems", "x"), ExceptionKind::Serialization),
            (("Marker", "!"), ExceptionKind::InvalidParameterValue),
        ] {
            let exception = page(letters(), &query(&[parameter])).unwrap_err();
            assert_eq!(exception.kind, kind, "{parameter:?}");
        }
    }
}
