//! Where, and as whom, AWS is called: what the options, the environment and AWS's own files say of
//! it, in the order in which the AWS CLI believes them.

use std::env;

use aws_config::{
    BehaviorVersion, Region as SdkRegion, SdkConfig,
    ecs::EcsCredentialsProvider,
    identity::IdentityCache,
    imds::credentials::ImdsCredentialsProvider,
    meta::credentials::CredentialsProviderChain,
    profile::{self, ProfileFileCredentialsProvider},
    provider_config::ProviderConfig,
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use powertune_core::{arn::FunctionRef, region::Region};

use super::{
    secrets::Remembered,
    waiting::{LONGEST_SILENCE, host_and_port},
};

/// Where and as whom to call AWS. What is `None` comes from the environment and the configuration
/// files, as it does for the AWS CLI.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The region, where neither the function's ARN nor the environment names it.
    pub region: Option<Region>,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// The Lambda endpoint.
    pub endpoint_url: Option<String>,
    /// An access key pair to use instead of the credential chain.
    pub credentials: Option<(String, String)>,
}

impl Connection {
    /// The configuration of a client for this connection and region; calls nothing.
    ///
    /// # Errors
    /// When there is no region anywhere, no such profile, or the endpoint is no URL.
    pub async fn load(&self, region: Option<Region>) -> Result<SdkConfig, ConnectError> {
        if let Some(url) = &self.endpoint_url {
            check_endpoint(url)?;
        }
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // Answers to Invoke come when the function is done, however long nothing arrives.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .identity_cache(IdentityCache::lazy().load_timeout(LONGEST_SILENCE).build());
        if let Some(region) = region {
            loader = loader.region(SdkRegion::new(region.as_str().to_owned()));
        }
        if let Some(profile) = &self.profile {
            check_profile(profile).await?;
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        let Some(region) = config.region().cloned() else { return Err(ConnectError::NoRegion) };
        let provider = self.provider(region).or_else(|| config.credentials_provider());
        let provider = provider.map(|found| SharedCredentialsProvider::new(Remembered(found)));
        let mut builder = config.into_builder();
        builder.set_credentials_provider(provider);
        Ok(builder.build())
    }

    /// Who gives the credentials, where that is said: it is not left to the environment then.
    fn provider(&self, region: SdkRegion) -> Option<SharedCredentialsProvider> {
        if let Some((key, secret)) = &self.credentials {
            let pair = Credentials::new(key, secret, None, None, "powertune");
            return Some(SharedCredentialsProvider::new(pair));
        }
        let of_profile = of_profile(self.profile.as_ref()?, region);
        Some(SharedCredentialsProvider::new(of_profile))
    }

    /// The profile that this or the environment names.
    pub(super) fn named_profile(&self) -> Option<String> {
        self.profile.clone().or_else(|| env::var("AWS_PROFILE").ok())
    }

    /// The region to call for a function.
    pub(super) fn region_of(&self, function: &FunctionRef) -> Result<Option<Region>, ConnectError> {
        match (self.region.clone(), function.region.clone()) {
            (Some(given), Some(of_function)) if given != of_function => {
                Err(ConnectError::RegionContradiction { given, of_function })
            }
            (given, of_function) => Ok(of_function.or(given)),
        }
    }
}

/// The credentials of a profile that an option names. The AWS CLI then asks no variable for keys or
/// a web identity; a profile without credentials still leaves it those of the machine.
fn of_profile(profile: &str, region: SdkRegion) -> CredentialsProviderChain {
    let configuration = ProviderConfig::without_region().with_region(Some(region));
    let files = ProfileFileCredentialsProvider::builder()
        .configure(&configuration)
        .profile_name(profile)
        .build();
    let container = EcsCredentialsProvider::builder().configure(&configuration).build();
    let instance = ImdsCredentialsProvider::builder().configure(&configuration).build();
    CredentialsProviderChain::first_try("Profile", files)
        .or_else("EcsContainer", container)
        .or_else("Ec2InstanceMetadata", instance)
}

/// Why no client could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No region anywhere.
    #[error(
        "no region is set: give --region, set AWS_REGION, or name the function by its full ARN"
    )]
    NoRegion,
    /// Two regions.
    #[error(
        "--region {given} contradicts the function's ARN, which is in {of_function}; leave --region \
         out"
    )]
    RegionContradiction {
        /// The region of the connection.
        given: Region,
        /// The region of the ARN.
        of_function: Region,
    },
    /// A profile that is not there.
    #[error(
        "the profile {0:?} is not in the AWS configuration files; aws configure list-profiles \
         shows those that are"
    )]
    NoProfile(String),
    /// Files that should have the profile.
    #[error("the profile can't be looked up: {0}")]
    ProfileFiles(String),
    /// An endpoint that is no URL. It is not repeated: a password may be in it.
    #[error("it is not an http:// or https:// URL with a host and, if any, a port of 1 to 65535")]
    Endpoint,
}

#[expect(clippy::default_trait_access, reason = "the SDK calls these types its own")]
async fn check_profile(name: &str) -> Result<(), ConnectError> {
    let (fs, env, files) = (&Default::default(), &Default::default(), &Default::default());
    match profile::load(fs, env, files, None).await {
        Ok(profiles) if profiles.get_profile(name).is_some() => Ok(()),
        Ok(_) => Err(ConnectError::NoProfile(name.to_owned())),
        Err(error) => Err(ConnectError::ProfileFiles(super::transport::innermost(&error))),
    }
}

/// Makes sure that a text is the URL of an endpoint.
///
/// # Errors
/// When it is not.
pub fn check_endpoint(url: &str) -> Result<(), ConnectError> {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    let authority = host_and_port(url);
    // The colons of an IPv6 address are in brackets.
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[host_end..].split_once(':') {
        Some((host, port)) => (&authority[..host_end + host.len()], Some(port)),
        None => (authority, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_url = is_http && !host.is_empty() && !url.contains(char::is_whitespace);
    if is_url && port.is_none_or(is_port) { Ok(()) } else { Err(ConnectError::Endpoint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_a_host_and_may_have_a_port() {
        for url in [
            "http://localhost",
            "https://lambda.us-east-1.amazonaws.com/",
            "http://127.0.0.1:65535/path?a=b:c",
            "http://[::1]:9001",
            "http://[::1]",
            "http://user:word@host:1",
        ] {
            assert_eq!(check_endpoint(url), Ok(()), "{url}");
        }
        for url in [
            "nowhere",
            "ftp://host",
            "http://",
            "http://:80",
            "http://host:65536",
            "http://host:0",
            "http://host:",
            "http://host:http",
            "http://[::1]:99999",
            "http://a b",
        ] {
            assert_eq!(check_endpoint(url), Err(ConnectError::Endpoint), "{url}");
        }
    }
}
