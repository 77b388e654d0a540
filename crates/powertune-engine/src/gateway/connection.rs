//! Where, and as whom, AWS is called: what the options, the environment and AWS's own files say of
//! it, in the order in which the AWS CLI believes them.

use std::env;

use aws_config::{
    BehaviorVersion, Region as SdkRegion, SdkConfig,
    ecs::EcsCredentialsProvider,
    identity::IdentityCache,
    imds::credentials::ImdsCredentialsProvider,
    imds::region::ImdsRegionProvider,
    meta::{credentials::CredentialsProviderChain, region::RegionProviderChain},
    profile::{self, ProfileFileCredentialsProvider, ProfileFileRegionProvider},
    provider_config::ProviderConfig,
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use powertune_core::{
    arn::FunctionRef,
    region::{InvalidRegion, Region},
};

use super::{secrets::Remembered, transport::host_and_port, waiting::LONGEST_SILENCE};

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
        let profile = if self.credentials.is_some() { None } else { self.named_by()? };
        let region = region.map(|region| region.as_str().to_owned());
        if let Some(region) = region.or_else(|| variable(REGION_VARIABLES)) {
            loader = loader.region(SdkRegion::new(region));
        } else if REGION_VARIABLES.iter().any(|name| env::var_os(name).is_some()) {
            // To the SDK an empty variable names a region without a name.
            loader = loader.region(region_beside_environment(profile.as_ref()));
        }
        if let Some(profile) = &profile {
            check_profile(profile).await?;
            loader = loader.profile_name(&profile.name);
        }
        let config = loader.load().await;
        let Some(region) = config.region().cloned() else { return Err(ConnectError::NoRegion) };
        Region::new(region.as_ref()).map_err(ConnectError::BadRegion)?;
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
        self.profile.clone().or_else(|| variable(PROFILE_VARIABLES))
    }

    /// The same, and what names it. An environment that has half a pair of keys is no reason to call
    /// AWS as somebody else.
    fn named_by(&self) -> Result<Option<Profile>, ConnectError> {
        if let Some(name) = &self.profile {
            return Ok(Some(Profile { name: name.clone(), by: "--profile" }));
        }
        if variable(["AWS_ACCESS_KEY_ID"]).is_some() && variable(SECRET_VARIABLES).is_none() {
            return Err(ConnectError::HalfAPair);
        }
        let by = PROFILE_VARIABLES.into_iter().find(|name| variable([*name]).is_some());
        Ok(by.zip(self.named_profile()).map(|(by, name)| Profile { name, by }))
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

/// A profile of AWS's files, and the option or variable that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Profile {
    name: String,
    by: &'static str,
}

/// Where the environment names a region, in the order of AWS's SDKs and of the AWS CLI's version 2.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// Where it names a profile, in the order of the AWS CLI; AWS's SDKs know the second alone.
const PROFILE_VARIABLES: [&str; 2] = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];
/// Where it has a secret key, by the SDK.
const SECRET_VARIABLES: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"];

/// The first of these environment variables that is set to anything. One that is empty counts as not
/// set, as for the AWS CLI.
fn variable<const N: usize>(names: [&str; N]) -> Option<String> {
    names.into_iter().find_map(|name| env::var(name).ok().filter(|value| !value.trim().is_empty()))
}

/// The region where the environment names none.
fn region_beside_environment(profile: Option<&Profile>) -> RegionProviderChain {
    let mut of_profile = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        of_profile = of_profile.profile_name(&profile.name);
    }
    let of_machine = ImdsRegionProvider::builder().build();
    RegionProviderChain::first_try(of_profile.build()).or_else(of_machine)
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
    /// A region of the environment or of a profile that can't be one.
    #[error("{0}; it comes from AWS_REGION, AWS_DEFAULT_REGION or the profile")]
    BadRegion(InvalidRegion),
    /// A profile that is not there.
    #[error(
        "the profile {name:?} is not in the AWS configuration files; aws configure list-profiles \
         shows those that are"
    )]
    NoProfile {
        /// Its name.
        name: String,
        /// The option or the variable that names it.
        by: &'static str,
    },
    /// An access key without its secret.
    #[error("is not set, and AWS_ACCESS_KEY_ID is; set both or neither")]
    HalfAPair,
    /// Files that should have the profile.
    #[error("the profile can't be looked up: {0}")]
    ProfileFiles(String),
    /// An endpoint that is no URL. It is not repeated: a password may be in it.
    #[error("it is not an http:// or https:// URL with a host and, if any, a port of 1 to 65535")]
    Endpoint,
}

#[expect(clippy::default_trait_access, reason = "the SDK calls these types its own")]
async fn check_profile(named: &Profile) -> Result<(), ConnectError> {
    let Profile { name, by } = named;
    let (fs, env, files) = (&Default::default(), &Default::default(), &Default::default());
    match profile::load(fs, env, files, None).await {
        Ok(profiles) if profiles.get_profile(name).is_some() => Ok(()),
        Ok(_) => Err(ConnectError::NoProfile { name: name.clone(), by }),
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
