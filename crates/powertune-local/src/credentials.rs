//! Key pairs that sign requests.

use std::fmt;

use uuid::Uuid;

/// A key pair that signs requests.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// The token that requests have to carry beside their signature.
    pub session_token: Option<String>,
}

impl Credentials {
    /// A new random pair.
    pub fn random() -> Self {
        Self {
            access_key_id: random_id("AKIA"),
            secret_access_key: random_secret(),
            session_token: None,
        }
    }

    /// A new random pair with a token, in the form of a role's credentials on AWS.
    pub(crate) fn temporary() -> Self {
        Self {
            access_key_id: random_id("ASIA"),
            secret_access_key: random_secret(),
            session_token: Some(random_secret()),
        }
    }
}

/// The id of a key. Its prefix is the kind of the key.
fn random_id(kind: &str) -> String {
    let id = Uuid::new_v4().simple().to_string().to_uppercase();
    format!("{kind}{}", &id[..16])
}

/// 244 random bits from the operating system.
fn random_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
