//! Removes secrets from AWS's messages. If a signature is wrong, Lambda's message repeats the whole
//! signed request, with the session token.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};

/// The secrets that this process has used. They are global, because messages are made far from the
/// credentials and appear in many places.
static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A shorter text can't be a secret of AWS, and may occur in any message.
const SHORTEST: usize = 16;
/// The longest part of AWS's message that is repeated, in characters.
const LONGEST_SAID: usize = 4000;
/// The beginning of the part of a message that repeats the request.
const REQUEST: &str = "The Canonical String";

/// A credentials provider that remembers the secrets it returns.
#[derive(Debug)]
pub(super) struct Remembered(pub(super) SharedCredentialsProvider);

impl Remembered {
    async fn credentials(&self) -> provider::Result {
        let credentials = self.0.provide_credentials().await?;
        let secrets = [Some(credentials.secret_access_key()), credentials.session_token()];
        let secrets = secrets.into_iter().flatten().filter(|secret| secret.len() >= SHORTEST);
        let mut known = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(secrets.map(str::to_owned));
        drop(known);
        Ok(credentials)
    }
}

impl ProvideCredentials for Remembered {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }

    fn fallback_on_interrupt(&self) -> Option<aws_credential_types::Credentials> {
        self.0.fallback_on_interrupt()
    }
}

/// A text without the secrets of the credentials that were used.
pub fn without_secrets(text: &str) -> String {
    let known = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "(secret)"))
}

/// AWS's message without secrets and without the signed request, shortened to a readable length.
pub(super) fn said(text: &str) -> String {
    let text = without_secrets(text);
    let text = text.split(REQUEST).next().unwrap_or_default().trim_end();
    match text.char_indices().nth(LONGEST_SAID) {
        None => text.to_owned(),
        Some((end, _)) => {
            format!("{}... ({} more bytes are left out)", &text[..end], text.len() - end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_request_is_not_repeated() {
        let said = said(
            "InvalidSignatureException: The request signature we calculated does not match.\n\n\
             The Canonical String for this request should have been\n'POST\n\
             x-amz-security-token:IQoJ'\n\nThe String-to-Sign should have been\n'AWS4'",
        );
        let first =
            "InvalidSignatureException: The request signature we calculated does not match.";
        assert_eq!(said, first);
    }

    #[test]
    fn a_very_long_message_is_cut_between_characters() {
        let said = said(&"ü".repeat(300_000));
        assert!(said.ends_with("ü... (592000 more bytes are left out)"), "{said}");
        assert!(said.chars().count() < LONGEST_SAID + 100);
    }
}
