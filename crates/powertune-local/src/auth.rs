//! Authentication: a caller needs a key pair of the server or of one of its environments, and signs
//! the request with it.

mod authorization;
mod scope;
mod signature;

use axum::http::{HeaderMap, request::Parts};
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use self::authorization::Authorization;
use crate::{
    credentials::Credentials,
    exception::{Exception, ExceptionKind},
    execution::EnvironmentId,
    loopback::the_only,
    platform::Platform,
};

/// The signer of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    /// The holder of one of the server's key pairs.
    User,
    /// A function, with the key pair of its execution environment.
    Environment(EnvironmentId),
}

/// The identity that a request claims. The proof needs the body, which is read only if the key is
/// known.
#[derive(Debug)]
pub(crate) struct ClaimedIdentity<'a> {
    parts: &'a Parts,
    authorization: Authorization<'a>,
    signed_at: Timestamp,
    caller: Signer,
    key: Credentials,
}

impl<'a> ClaimedIdentity<'a> {
    /// Reads the claim, and refuses requests that no body could make right.
    pub(crate) fn read(parts: &'a Parts, platform: &Platform) -> Result<Self, Exception> {
        let authorization = Authorization::read(&parts.headers)?;
        let known = holder(authorization.access_key_id, platform);
        let (caller, key) =
            known.filter(|(_, key)| bears_token(&parts.headers, key)).ok_or_else(unrecognized)?;
        let now = Timestamp::now();
        let signed_at =
            scope::check(&authorization, &parts.headers, &platform.account.region, now)?;
        Ok(Self { parts, authorization, signed_at, caller, key })
    }

    /// The signer of the request, given the hash of its body.
    pub(crate) fn verify(self, body_sha256: &str) -> Result<Signer, Exception> {
        let Self { parts, authorization, signed_at, caller, key } = self;
        signature::check(parts, body_sha256, &authorization, &key, signed_at)?;
        Ok(caller)
    }
}

/// The owner of a key, and the key pair.
fn holder(access_key_id: &str, platform: &Platform) -> Option<(Signer, Credentials)> {
    let user = platform.credentials.iter().find(|pair| pair.access_key_id == access_key_id);
    user.map(|pair| (Signer::User, pair.clone())).or_else(|| {
        let (environment, key) = platform.data_plane.caller(access_key_id)?;
        Some((Signer::Environment(environment), key))
    })
}

/// True if a request has the session token of its key. If the key has none, a token left over from
/// other settings does no harm.
fn bears_token(headers: &HeaderMap, key: &Credentials) -> bool {
    let Some(token) = &key.session_token else { return true };
    let given = the_only(headers, &scope::TOKEN);
    given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
}

fn unrecognized() -> Exception {
    let message = "The security token included in the request is invalid.";
    Exception::new(ExceptionKind::UnrecognizedClient, message)
}
