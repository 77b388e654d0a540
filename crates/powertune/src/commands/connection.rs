//! The options for the account, the region and the endpoint.

use clap::Args;
use powertune_core::region::Region;
use powertune_engine::gateway::{ConnectError, Connection};

use crate::error::CommandError;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct ConnectionOptions {
    /// Region of the function, if its ARN, AWS_REGION and the profile do not name it
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Profile of the AWS configuration files; its credentials take precedence over the environment
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Endpoint to call instead of AWS's
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

/// An error of the connection as bad input, under the name of its option or variable.
pub(super) fn connect_failure(error: &ConnectError) -> CommandError {
    let field = match error {
        ConnectError::NoRegion
        | ConnectError::BadRegion(_)
        | ConnectError::RegionContradiction { .. } => "--region",
        ConnectError::NoProfile { by, .. } => by,
        ConnectError::ProfileFiles(_) => "--profile",
        ConnectError::HalfAPair => "AWS_SECRET_ACCESS_KEY",
        ConnectError::Endpoint => "--endpoint-url",
    };
    CommandError::input(field, error.to_string())
}

impl ConnectionOptions {
    pub(crate) fn connection(&self) -> Result<Connection, CommandError> {
        let region = self.region.as_deref().map(Region::new).transpose();
        Ok(Connection {
            region: region.map_err(|error| CommandError::input("--region", error.to_string()))?,
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            credentials: None,
        })
    }
}
