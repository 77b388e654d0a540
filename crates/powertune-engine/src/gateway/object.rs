//! Payloads in S3.

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_sdk_s3::{Client, config::Builder};

use super::{
    Gateway,
    error::{ApiError, ErrorKind},
    transport::Called,
    waiting::{LONGEST_SILENCE, Watch},
};

impl Gateway {
    /// GetObject: the content of an object as text.
    pub(crate) async fn object(&self, bucket: &str, key: &str) -> Result<String, ApiError> {
        // Unlike an answer to Invoke, an object must not pause during the transfer.
        let stalled = StalledStreamProtectionConfig::enabled().grace_period(LONGEST_SILENCE);
        let called = Called::default();
        let config = Builder::from(&self.config)
            .interceptor(Watch {
                waits: self.waits.clone(),
                called: called.clone(),
                is_patient: false,
            })
            .stalled_stream_protection(stalled.build());
        let client = Client::from_conf(config.build());
        let answer = client.get_object().bucket(bucket).key(key).send().await;
        let object = answer.map_err(|error| {
            let mut error = ApiError::from_sdk("GetObject", &error, &called);
            error.message = format!("s3://{bucket}/{key}: {}", error.message);
            error
        })?;
        let broken = |message: String| ApiError {
            operation: "GetObject",
            kind: ErrorKind::Unknown,
            message: format!("s3://{bucket}/{key}: {message}"),
        };
        let bytes = object.body.collect().await.map_err(|error| broken(error.to_string()))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| broken("the object is not UTF-8".to_owned()))
    }
}
