//! The local Lambda of the tests, and a client of AWS's SDK for it.

use aws_sdk_lambda::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use powertune_local::{CpuControl, LocalLambda, Settings};

/// Starts a Lambda without limits of the CPU: nothing is measured here.
pub(crate) async fn start() -> (LocalLambda, Client) {
    let settings = Settings { cpu: CpuControl::Unlimited, ..Settings::default() };
    let lambda = LocalLambda::start(settings).await.expect("the local Lambda starts");
    let pair = lambda.credentials();
    let (id, secret) = (&pair.access_key_id, &pair.secret_access_key);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(lambda.region().to_owned()))
        .endpoint_url(lambda.endpoint_url())
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .build();
    (lambda, Client::from_conf(config))
}
