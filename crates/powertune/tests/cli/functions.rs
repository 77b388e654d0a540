//! Functions on an endpoint, for powertune to tune by name.

use std::io::{Cursor, Write};

use aws_sdk_lambda::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    types::{FunctionCode, Runtime},
};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::binary::Local;

/// Creates `orders` with 512 MB on the endpoint.
pub(crate) fn create(local: &Local) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let credentials = Credentials::new(
        local.value("AWS_ACCESS_KEY_ID"),
        local.value("AWS_SECRET_ACCESS_KEY"),
        None,
        None,
        "test",
    );
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(local.value("AWS_REGION")))
        .endpoint_url(local.value("AWS_ENDPOINT_URL_LAMBDA"))
        .credentials_provider(credentials)
        .build();
    let client = Client::from_conf(config);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", SimpleFileOptions::default()).expect("a file");
    let source = "import time\ndef handler(event, context):\n    time.sleep(0.03)\n";
    zip.write_all(source.as_bytes()).expect("the code");
    let zip = zip.finish().expect("a zip").into_inner();
    let code = FunctionCode::builder().zip_file(zip.into()).build();
    let create = client
        .create_function()
        .function_name("orders")
        .runtime(Runtime::Python311)
        .role("arn:aws:iam::000000000000:role/none")
        .handler("app.handler")
        .code(code)
        .memory_size(512);
    runtime.block_on(create.send()).expect("CreateFunction");
}
