//! Signature Version 4: the refusals and their messages.

use std::time::{Duration, SystemTime};

use powertune_local::{Credentials, Settings};

use super::{INVOKE, LIST, has_run, refusal, with_function};
use crate::bed::{Bed, Draft, Wire};

const MISSING: &str = "MissingAuthenticationTokenException";
const INCOMPLETE: &str = "IncompleteSignatureException";
const INVALID: &str = "InvalidSignatureException";
const UNRECOGNIZED: &str = "UnrecognizedClientException";

const MISMATCH: &str = "The request signature we calculated does not match";
const NO_TOKEN: &str = "The security token included in the request is invalid.";

/// A request and its expected refusal.
struct Case {
    what: &'static str,
    request: Wire,
    exception: &'static str,
    /// The beginning of the message.
    message: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn wrongly_signed_requests_are_refused() {
    let (bed, mut draft) = with_function().await;
    draft.path = format!("{INVOKE}?Qualifier=$LATEST");
    draft.headers.push(("x-amz-log-type".to_owned(), "None".to_owned()));
    let other = Bed::start(Settings::default()).await;
    let foreign = other.lambda.credentials();
    let cases = [unsigned(&draft), changed(&draft), by_others(&draft, foreign), untimely(&draft)];
    let mut refused = 0;
    for case in cases.iter().flatten() {
        let response = bed.send(&case.request).await;
        let message = refusal(&response);
        let answer = (response.status, response.error_type());
        assert_eq!(answer, (403, case.exception), "{}: {message}", case.what);
        assert!(message.starts_with(case.message), "{}: {message}", case.what);
        assert!(!has_run(&bed), "{}", case.what);
        refused += 1;
    }
    let all = cases.iter().flatten().count();
    println!("figure: wrongly signed requests refused: {refused} of {all}");
    assert_eq!(bed.send(&draft.signed()).await.status, 200, "what is right is served");
    assert!(has_run(&bed));
}

/// No signature, or something else in its place.
fn unsigned(draft: &Draft) -> Vec<Case> {
    let at = |path: &str| Draft { path: path.to_owned(), ..draft.clone() }.unsigned();
    let under = |text: &str| {
        let mut request = draft.clone().unsigned();
        request.set("authorization", text);
        request
    };
    let link = format!("{INVOKE}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00");
    let scheme = "The Authorization header must be \"AWS4-HMAC-SHA256";
    let mut dateless = draft.clone().signed();
    dateless.headers.retain(|(name, _)| name != "x-amz-date");
    let mut twice = draft.clone().signed();
    let own = twice.headers.iter().find(|(name, _)| name == "authorization").unwrap().clone();
    twice.headers.push(own);
    [
        ("no signature", at(INVOKE), MISSING, "Missing Authentication Token"),
        ("no operation either", at("/nowhere"), MISSING, "Missing Authentication Token"),
        ("a link signed in its query", at(&link), MISSING, "Missing Authentication Token"),
        ("a password", under("Basic dXNlcjpwYXNzd29yZA=="), INCOMPLETE, scheme),
        ("an algorithm that is not served", under("AWS4-ECDSA-P256-SHA256 x"), INCOMPLETE, scheme),
        ("two signatures", twice, INCOMPLETE, scheme),
        ("no time", dateless, INCOMPLETE, "Authorization header requires existence of"),
    ]
    .map(case)
    .into()
}

/// A change of a request after it was signed.
type Change = fn(&mut Wire);

fn changed(draft: &Draft) -> Vec<Case> {
    let signed = draft.clone().signed();
    let fresh_date = ("an old request under a new date", {
        let mut old = draft.clone();
        old.time -= Duration::from_mins(16);
        let date = signed.headers.iter().find(|(name, _)| name == "x-amz-date").unwrap();
        let mut request = old.signed();
        request.set("x-amz-date", &date.1);
        request
    });
    let named = ("another name of this machine", {
        let mut request = signed.clone();
        request.set("host", &draft.host.replace("127.0.0.1", "localhost"));
        request
    });
    let changes: [(&str, Change); 11] = [
        ("body", |it| it.body[2] = b'W'),
        ("no body", |it| it.body.clear()),
        ("a longer body", |it| it.body.push(b' ')),
        ("another function", |it| it.path = it.path.replace("/f/", "/g/")),
        ("another operation", |it| it.path = LIST.into()),
        ("query", |it| it.path = it.path.replace("$LATEST", "1")),
        ("a parameter again", |it| it.path.push_str("&Qualifier=1")),
        ("no query", |it| it.path = INVOKE.into()),
        ("method", |it| it.method = "PUT".into()),
        ("header", |it| it.set("x-amz-log-type", "Tail")),
        ("a header again", |it| it.headers.push(("x-amz-log-type".to_owned(), "Tail".to_owned()))),
    ];
    let edits: [(&str, Change, &str); 3] = [
        (
            "a header added",
            |it| it.set("x-amz-invocation-type", "Event"),
            "There were headers present in the request which were not signed",
        ),
        (
            "a body said to be unsigned",
            |it| it.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            "There were headers present in the request which were not signed",
        ),
        ("Host not signed", |it| it.edit("authorization", "=host;", "="), "'Host' or ':authority'"),
    ];
    let apply = |change: Change| {
        let mut request = signed.clone();
        change(&mut request);
        request
    };
    let changes = changes.map(|(what, change)| (what, apply(change), INVALID, MISMATCH));
    let edits = edits.map(|(what, change, message)| (what, apply(change), INVALID, message));
    let others = [fresh_date, named].map(|(what, request)| (what, request, INVALID, MISMATCH));
    changes.into_iter().chain(edits).chain(others).map(case).collect()
}

/// Signed with another key, for another target, or in the way of other services.
fn by_others(draft: &Draft, foreign: &Credentials) -> Vec<Case> {
    let with = |change: &dyn Fn(&mut Draft)| {
        let mut draft = draft.clone();
        change(&mut draft);
        draft.signed()
    };
    let stranger = Credentials::random();
    let much = with(&|it| {
        it.key = stranger.clone();
        it.body = vec![b' '; 8 << 20];
    });
    let secret = with(&|it| it.key.secret_access_key.clone_from(&stranger.secret_access_key));
    [
        ("a key of nobody", with(&|it| it.key = stranger.clone()), UNRECOGNIZED, NO_TOKEN),
        ("a lot by nobody", much, UNRECOGNIZED, NO_TOKEN),
        ("the key of another server", with(&|it| it.key = foreign.clone()), UNRECOGNIZED, NO_TOKEN),
        ("another secret", secret, INVALID, MISMATCH),
        ("no secret", with(&|it| it.key.secret_access_key.clear()), INVALID, MISMATCH),
        (
            "another service",
            with(&|it| it.service = "s3".into()),
            INVALID,
            "Credential should be scoped to correct service: 'lambda'",
        ),
        (
            "another region",
            with(&|it| it.region = "eu-west-1".into()),
            INVALID,
            "Credential should be scoped to a valid region, not 'eu-west-1'",
        ),
        ("a body left unsigned", draft.clone().signed_without_body(), INVALID, MISMATCH),
    ]
    .map(case)
    .into()
}

/// Signed too long ago, or in the future.
fn untimely(draft: &Draft) -> Vec<Case> {
    let now = SystemTime::now();
    let at = |time: SystemTime| Draft { time, ..draft.clone() }.signed();
    let minutes = Duration::from_mins;
    let mut another_day = draft.clone().signed();
    another_day.edit("authorization", "/20", "/19");
    [
        ("6 minutes ago", at(now - minutes(6)), INVALID, "Signature expired: "),
        ("16 minutes ago", at(now - minutes(16)), INVALID, "Signature expired: "),
        ("a day ago", at(now - minutes(60 * 24)), INVALID, "Signature expired: "),
        ("in 6 minutes", at(now + minutes(6)), INVALID, "Signature not yet current: "),
        ("a scope of another day", another_day, INVALID, "Date in Credential scope does not match"),
    ]
    .map(case)
    .into()
}

fn case(
    (what, request, exception, message): (&'static str, Wire, &'static str, &'static str),
) -> Case {
    Case { what, request, exception, message }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_may_differ_by_minutes() {
    let (bed, draft) = with_function().await;
    let now = SystemTime::now();
    for time in [now - Duration::from_mins(4), now + Duration::from_mins(4)] {
        assert_eq!(bed.send(&Draft { time, ..draft.clone() }.signed()).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_token_goes_with_its_key() {
    let key = Credentials { session_token: Some("token".to_owned()), ..Credentials::random() };
    let credentials = vec![key, Credentials::random()];
    let bed =
        Bed::start(Settings { credentials: credentials.clone(), ..Settings::default() }).await;
    bed.client.list_functions().send().await.unwrap();
    assert!(bed.lambda.environment().contains(&("AWS_SESSION_TOKEN", "token".to_owned())));
    let with = |key: &Credentials, token: Option<&str>| {
        let mut draft = bed.draft("GET", LIST, "");
        draft.key = Credentials { session_token: token.map(str::to_owned), ..key.clone() };
        draft.signed()
    };
    assert_eq!(bed.send(&with(&credentials[0], Some("token"))).await.status, 200);
    for token in [None, Some("other"), Some("token2")] {
        let response = bed.send(&with(&credentials[0], token)).await;
        assert_eq!((response.status, response.error_type()), (403, UNRECOGNIZED));
        assert_eq!(refusal(&response), NO_TOKEN);
    }
    assert_eq!(bed.send(&with(&credentials[1], None)).await.status, 200);
    assert_eq!(bed.send(&with(&credentials[1], Some("left over"))).await.status, 200);
}
