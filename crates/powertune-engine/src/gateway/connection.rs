//! The connection to AWS: region, credentials and endpoint. Options, environment variables and
//! AWS's configuration files have the same precedence as in the AWS CLI.

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

/// The connection to AWS. A field that is `None` comes from the environment and the configuration
/// files, as in the AWS CLI.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The region, if neither the function's ARN nor the environment contains one.
    pub region: Option<Region>,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// The URL of the Lambda endpoint.
    pub endpoint_url: Option<String>,
    /// An access key id with its secret, to use instead of the credential chain.
    pub credentials: Option<(String, String)>,
}

impl Connection {
    /// The SDK configuration for this connection and region. It makes no call.
    ///
    /// # Errors
    /// If no region is set, the profile does not exist, or the endpoint is not a URL.
    pub async fn load(&self, region: Option<Region>) -> Result<SdkConfig, ConnectError> {
        if let Some(url) = &self.endpoint_url {
            check_endpoint(url)?;
        }
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // An answer to Invoke comes when the function ends; silence before that is normal.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .identity_cache(IdentityCache::lazy().load_timeout(LONGEST_SILENCE).build());
        let profile = if self.credentials.is_some() { None } else { self.named_by()? };
        let region = region.map(|region| region.as_str().to_owned());
        if let Some(region) = region.or_else(|| variable(REGION_VARIABLES)) {
            loader = loader.region(SdkRegion::new(region));
        } else if REGION_VARIABLES.iter().any(|name| env::var_os(name).is_some()) {
            // The SDK would take an empty variable as the name of a region.
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

    /// The credentials provider, if a key pair or profile is named; the environment is not used
    /// then.
    fn provider(&self, region: SdkRegion) -> Option<SharedCredentialsProvider> {
        if let Some((key, secret)) = &self.credentials {
            let pair = Credentials::new(key, secret, None, None, "powertune");
            return Some(SharedCredentialsProvider::new(pair));
        }
        let of_profile = of_profile(self.profile.as_ref()?, region);
        Some(SharedCredentialsProvider::new(of_profile))
    }

    pub(super) fn named_profile(&self) -> Option<String> {
        self.profile.clone().or_else(|| variable(PROFILE_VARIABLES))
    }

    /// The profile, with the option or variable that names it. A key id without its secret in the
    /// environment is an error: powertune must not call AWS as somebody else.
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

/// The credentials of a profile that an option names. As in the AWS CLI, environment variables with
/// keys or a web identity are ignored then. A profile without credentials falls back to those of
/// the machine (container or instance).
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

/// A profile of AWS's configuration files, with the option or variable that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Profile {
    name: String,
    by: &'static str,
}

/// The variables with a region, in the order of AWS's SDKs and of the AWS CLI, version 2.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// The variables with a profile, in the order of the AWS CLI; AWS's SDKs know only the second.
const PROFILE_VARIABLES: [&str; 2] = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];
/// The variables with a secret key, in the SDK's order.
const SECRET_VARIABLES: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"];

/// The first of these environment variables with a value. An empty one counts as unset, as in the
/// AWS CLI.
fn variable<const N: usize>(names: [&str; N]) -> Option<String> {
    names.into_iter().find_map(|name| env::var(name).ok().filter(|value| !value.trim().is_empty()))
}

/// The region from the other sources, if the environment names none.
fn region_beside_environment(profile: Option<&Profile>) -> RegionProviderChain {
    let mut of_profile = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        of_profile = of_profile.profile_name(&profile.name);
    }
    let of_machine = ImdsRegionProvider::builder().build();
    RegionProviderChain::first_try(of_profile.build()).or_else(of_machine)
}

/// The reason why no client could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No region is set.
    #[error(
        "no region is set: give --region, set AWS_REGION, or name the function by its full ARN"
    )]
    NoRegion,
    /// `--region` and the function's ARN contradict each other.
    #[error(
        "--region {given} contradicts the function's ARN, which is in {of_function}; omit \
         --region"
    )]
    RegionContradiction {
        /// The region of the connection.
        given: Region,
        /// The region of the ARN.
        of_function: Region,
    },
    /// A malformed region in the environment or in a profile.
    #[error("{0}; it comes from AWS_REGION, AWS_DEFAULT_REGION or the profile")]
    BadRegion(InvalidRegion),
    /// The profile does not exist.
    #[error(
        "the profile {name:?} is not in the AWS configuration files; aws configure list-profiles \
         shows the existing ones"
    )]
    NoProfile {
        /// The name of the profile.
        name: String,
        /// The option or variable that names it.
        by: &'static str,
    },
    /// An access key id without its secret key.
    #[error("is not set, and AWS_ACCESS_KEY_ID is; set both or neither")]
    HalfAPair,
    /// The configuration files can't be read.
    #[error("the profile can't be looked up: {0}")]
    ProfileFiles(String),
    /// The endpoint is not a URL. The message does not repeat it, because it may contain a
    /// password.
    #[error(
        "it is not an http:// or https:// URL with a host and an optional port from 1 to 65535"
    )]
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

/// Checks the URL of an endpoint.
///
/// # Errors
/// If the text is not such a URL.
pub fn check_endpoint(url: &str) -> Result<(), ConnectError> {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    let authority = host_and_port(url);
    // An IPv6 address in brackets contains colons.
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
