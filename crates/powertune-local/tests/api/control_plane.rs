//! The control plane over HTTP, called by an AWS client and by plain HTTP requests.

use std::{collections::HashMap, time::Duration};

use aws_sdk_lambda::{
    client::Waiters,
    primitives::Blob,
    types::{AliasRoutingConfiguration, State},
};
use powertune_local::Settings;
use serde_json::{Value, json};

use crate::bed::{Bed, ROLE, code, zip_of};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_function_from_creation_to_deletion() {
    let bed = Bed::start(Settings::default()).await;
    let created = bed.create("f").send().await.unwrap();
    assert_eq!(created.state(), Some(&State::Pending));
    assert_eq!(created.function_arn(), Some("arn:aws:lambda:us-east-1:000000000000:function:f"));
    assert_eq!(
        usize::try_from(created.code_size()),
        Ok(zip_of("app.py", crate::bed::HANDLER).len())
    );
    let active = bed.client.wait_until_function_active_v2().function_name("f");
    active.wait(Duration::from_secs(10)).await.unwrap();

    let read = bed.client.get_function_configuration().function_name("f").send().await.unwrap();
    assert_ne!(read.revision_id(), created.revision_id());
    let update = || bed.client.update_function_configuration().function_name("f").memory_size(256);
    let stale = update().revision_id(created.revision_id().unwrap());
    assert_eq!(code(stale.send().await), "PreconditionFailedException");
    let updated = update().revision_id(read.revision_id().unwrap()).send().await.unwrap();
    assert_eq!(updated.memory_size(), Some(256));
    bed.settled("f").await;

    let publish = || bed.client.publish_version().function_name("f");
    let settled = bed.client.get_function_configuration().function_name("f").send().await.unwrap();
    let current = settled.revision_id().unwrap();
    let first = publish().description("one").revision_id(current).send().await.unwrap();
    assert_eq!((first.version(), first.description()), (Some("1"), Some("one")));
    assert_eq!(first.state(), Some(&State::Active), "an ordinary version is active at once");
    let again = publish().description("two").send().await.unwrap();
    assert_eq!((again.version(), again.description()), (Some("1"), Some("one")));
    assert_eq!(again.revision_id(), first.revision_id());
    assert_eq!(code(publish().revision_id(current).send().await), "PreconditionFailedException");

    let delete = || bed.client.delete_function().function_name("f");
    let alias = bed.client.create_alias().function_name("f").name("live").function_version("1");
    assert!(alias.send().await.unwrap().alias_arn().unwrap().ends_with(":f:live"));
    assert_eq!(code(delete().qualifier("1").send().await), "ResourceConflictException");
    bed.client.delete_alias().function_name("f").name("live").send().await.unwrap();
    delete().qualifier("1").send().await.unwrap();
    delete().send().await.unwrap();
    assert_eq!(code(delete().send().await), "ResourceNotFoundException");
    bed.lambda.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_happens_to_a_function_that_is_pending() {
    let bed = Bed::start(Settings { update_delay: HOUR, ..Settings::default() }).await;
    bed.create("f").send().await.unwrap();
    let client = &bed.client;
    let update = client.update_function_configuration().function_name("f").timeout(9);
    assert_eq!(code(update.send().await), "ResourceConflictException");
    let code_update =
        client.update_function_code().function_name("f").zip_file(Blob::new(zip_of("a", "b")));
    assert_eq!(code(code_update.send().await), "ResourceConflictException");
    let publish = client.publish_version().function_name("f");
    assert_eq!(code(publish.send().await), "ResourceConflictException");
    assert_eq!(code(client.invoke().function_name("f").send().await), "ResourceConflictException");
    assert_eq!(code(bed.create("f").send().await), "ResourceConflictException");
    client.delete_function().function_name("f").send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_update_waits_for_the_first() {
    let delay = Duration::from_millis(1500);
    let bed = Bed::start(Settings { update_delay: delay, ..Settings::default() }).await;
    bed.function("f", 128).await;
    let update = || bed.client.update_function_configuration().function_name("f").timeout(9);
    let updated = update().send().await.unwrap();
    assert_eq!(updated.last_update_status().unwrap().as_str(), "InProgress");
    assert_eq!(code(update().send().await), "ResourceConflictException");
    bed.settled("f").await;
    update().send().await.unwrap();
}

/// Checks refusals: the call below the functions' path, its body, status and exception, and the
/// beginning of the message.
async fn refusals_look_like(cases: &[(&str, &str, &str, &str)]) {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 128).await;
    for (call, body, refusal, message) in cases {
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let response = bed.call(method, &format!("/2015-03-31/functions{path}"), body).await;
        let told = response.json();
        assert_eq!(format!("{} {}", response.status, response.error_type()), *refusal, "{told}");
        let member = if response.error_type() == "ResourceNotFoundException" {
            "Message"
        } else {
            "message"
        };
        assert!(told[member].as_str().unwrap_or_default().starts_with(message), "{told}");
        assert!(response.headers.contains_key("x-amzn-requestid"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_requests_are_refused_as_on_aws() {
    const INVALID: &str = "400 InvalidParameterValueException";
    const VALIDATION: &str = "400 ValidationException";
    const CONTENT: &str = "400 InvalidRequestContentException";
    let create = format!(
        "{{\"FunctionName\":\"g\",\"Runtime\":\"python3.11\",\"Handler\":\"a.b\",\
         \"Role\":\"{ROLE}\",\"Code\":{{\"ZipFile\":\"bm8gemlw\"}}}}"
    );
    refusals_look_like(&[
        (
            "PUT /f/configuration",
            r#"{"MemorySize":50}"#,
            VALIDATION,
            "1 validation error detected: Value '50' at 'memorySize' failed to satisfy \
             constraint: Member must have value greater than or equal to 128",
        ),
        (
            "PUT /f/configuration",
            r#"{"MemorySize":"50"}"#,
            "400 SerializationException",
            "Could not parse request body into json",
        ),
        ("PUT /f/configuration", "{", CONTENT, "Could not parse request body into json"),
        ("POST ", &create, INVALID, "Could not unzip uploaded file."),
        ("POST ", "{}", VALIDATION, "3 validation errors detected: Value null at 'functionName'"),
        (
            "POST /f/invocations",
            "{no json",
            CONTENT,
            "Could not parse request body into json: Could not parse payload into json",
        ),
        (
            "DELETE /f?Qualifier=$LATEST",
            "",
            INVALID,
            "$LATEST version cannot be deleted without deleting the function.",
        ),
        (
            "POST /f/aliases",
            r#"{"Name":"7","FunctionVersion":"$LATEST"}"#,
            VALIDATION,
            "1 validation error detected: Value '7' at 'name'",
        ),
        (
            "POST /f/aliases",
            r#"{"Name":"live","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"2":2}}}"#,
            VALIDATION,
            "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' \
             failed to satisfy constraint: Map value must satisfy constraint: [Member must have \
             value less than or equal to 1.0",
        ),
        (
            "POST ",
            &create.replace("\"g\"", &format!("\"{}\"", "g".repeat(65))),
            INVALID,
            &format!(
                "1 validation error detected: Value '{}' at 'functionName' failed to satisfy \
                 constraint: Member must have length less than or equal to 64",
                "g".repeat(65)
            ),
        ),
        ("PATCH /f", "", "404 UnknownOperationException", "PATCH /2015-03-31/functions/f is not"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_as_on_aws() {
    const NOT_FOUND: &str = "404 ResourceNotFoundException";
    let arn = "arn:aws:lambda:us-east-1:000000000000:function";
    refusals_look_like(&[
        ("GET /none", "", NOT_FOUND, &format!("Function not found: {arn}:none")),
        ("GET /none.here", "", NOT_FOUND, &format!("Function not found: {arn}:none.here")),
        (
            "POST /none/invocations",
            "{}",
            NOT_FOUND,
            &format!("Function not found: {arn}:none:$LATEST"),
        ),
        (
            "POST /none/aliases",
            r#"{"Name":"live","FunctionVersion":"1"}"#,
            NOT_FOUND,
            &format!("Function not found: {arn}:none:1"),
        ),
        ("GET /f?Qualifier=7", "", NOT_FOUND, &format!("Function not found: {arn}:f:7")),
        ("GET /f/aliases/none", "", NOT_FOUND, &format!("Cannot find alias arn: {arn}:f:none")),
        ("PUT /f/aliases/none", "{}", NOT_FOUND, &format!("Alias not found: {arn}:f:none")),
        (
            "GET /arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af",
            "",
            NOT_FOUND,
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        ),
        (
            "GET /f/event-invoke-config",
            "",
            "404 UnknownOperationException",
            "GET /2015-03-31/functions/f/event-invoke-config is not an operation",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let bed = Bed::start(Settings::default()).await;
    for name in ["a", "a-b", "c"] {
        bed.function(name, 128).await;
    }
    bed.client.publish_version().function_name("a").send().await.unwrap();
    let names = |all: bool| {
        let version = all.then_some(aws_sdk_lambda::types::FunctionVersion::All);
        let pages = bed.client.list_functions().set_function_version(version).into_paginator();
        let items = pages.page_size(1).items().send();
        async move {
            let items: Vec<_> = items.collect::<Result<_, _>>().await.unwrap();
            let names =
                items.iter().map(|it| it.function_arn().unwrap().rsplit(":function:").next());
            names.map(|name| name.unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(names(false).await, ["a", "a-b", "c"]);
    assert_eq!(names(true).await, ["a:$LATEST", "a:1", "a-b:$LATEST", "c:$LATEST"]);
    let pages = bed.client.list_versions_by_function().function_name("a").into_paginator();
    let versions: Vec<_> =
        pages.page_size(1).items().send().collect::<Result<_, _>>().await.unwrap();
    let versions: Vec<_> = versions.iter().map(|it| it.version().unwrap()).collect();
    assert_eq!(versions, ["$LATEST", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_a_function_beside_its_configuration() {
    let bed = Bed::start(Settings::default()).await;
    let arn = bed.function("f", 128).await;
    let client = &bed.client;
    let revision = |read: &aws_sdk_lambda::operation::get_function::GetFunctionOutput| {
        read.configuration().unwrap().revision_id().unwrap().to_owned()
    };
    let before = client.get_function().function_name("f").send().await.unwrap();
    client.tag_resource().resource(&arn).tags("a", "1").tags("b:c", "2").send().await.unwrap();
    let refused = client.tag_resource().resource(&arn).tags("a", "not,allowed").send().await;
    assert_eq!(code(refused), "ValidationException");
    let tags: HashMap<_, _> = (0..51).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    let too_many = client.tag_resource().resource(&arn).set_tags(Some(tags.clone())).send().await;
    assert_eq!(code(too_many), "InvalidParameterValueException");
    let too_many = bed.create("g").set_tags(Some(tags)).send().await;
    assert_eq!(code(too_many), "InvalidParameterValueException");
    let elsewhere = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:x";
    let refused = client.tag_resource().resource(elsewhere).tags("a", "1").send().await;
    assert_eq!(code(refused), "ResourceNotFoundException");
    let refused = client.tag_resource().resource("arn:aws:any").tags("a", "1").send().await;
    assert_eq!(code(refused), "ValidationException");
    let refused = client.tag_resource().resource(format!("{arn}:1")).tags("a", "1").send().await;
    assert_eq!(code(refused), "InvalidParameterValueException");
    client.untag_resource().resource(&arn).tag_keys("a").tag_keys("z").send().await.unwrap();
    let listed = client.list_tags().resource(&arn).send().await.unwrap();
    let left = HashMap::from([("b:c".to_owned(), "2".to_owned())]);
    assert_eq!(listed.tags(), Some(&left));
    let tagged = client.get_function().function_name("f").send().await.unwrap();
    assert_ne!(revision(&tagged), revision(&before), "as recorded, tags move it");

    let put = |value| {
        client.put_function_concurrency().function_name("f").reserved_concurrent_executions(value)
    };
    put(100).send().await.unwrap();
    assert_eq!(code(put(901).send().await), "InvalidParameterValueException");
    let account = client.get_account_settings().send().await.unwrap();
    let limit = account.account_limit().unwrap();
    assert_eq!(limit.concurrent_executions(), 1000);
    assert_eq!(limit.unreserved_concurrent_executions(), Some(900));

    let read = client.get_function().function_name("f").send().await.unwrap();
    assert_eq!(read.tags(), Some(&left));
    assert_eq!(read.concurrency().unwrap().reserved_concurrent_executions(), Some(100));
    assert_eq!(revision(&read), revision(&tagged), "concurrency does not");
    client.delete_function_concurrency().function_name("f").send().await.unwrap();
    let read = client.get_function_concurrency().function_name("f").send().await.unwrap();
    assert_eq!(read.reserved_concurrent_executions(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_can_be_replaced_tried_and_fetched_back() {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 128).await;
    let before = bed.client.get_function().function_name("f").send().await.unwrap();
    let sha256 = before.configuration().unwrap().code_sha256().unwrap().to_owned();
    let zip = zip_of("app.py", "def handler(event, context): return 2");
    let update =
        || bed.client.update_function_code().function_name("f").zip_file(Blob::new(zip.clone()));
    let tried = update().dry_run(true).send().await.unwrap();
    assert_ne!(tried.code_sha256(), Some(&*sha256));
    let read = bed.client.get_function().function_name("f").send().await.unwrap();
    assert_eq!(read.configuration().unwrap().code_sha256(), Some(&*sha256));

    let published = update().publish(true).send().await.unwrap();
    assert_eq!((published.version(), published.code_sha256()), (Some("1"), tried.code_sha256()));
    bed.settled("f").await;
    let read = bed.client.get_function().function_name("f").send().await.unwrap();
    let location = read.code().unwrap().location().unwrap();
    let path = location.strip_prefix(&bed.lambda.endpoint_url()).unwrap();
    let fetched = bed.send(&bed.draft("GET", path, "").unsigned()).await;
    assert_eq!((fetched.status, fetched.body), (200, zip));
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_over_the_wire() {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 128).await;
    let client = &bed.client;
    client.publish_version().function_name("f").send().await.unwrap();
    client.update_function_configuration().function_name("f").timeout(7).send().await.unwrap();
    bed.settled("f").await;
    client.publish_version().function_name("f").send().await.unwrap();

    let create = || client.create_alias().function_name("f").name("live").function_version("1");
    let routing =
        AliasRoutingConfiguration::builder().additional_version_weights("2", 0.25).build();
    let alias = create().routing_config(routing).send().await.unwrap();
    let weights = alias.routing_config().unwrap().additional_version_weights().unwrap();
    assert_eq!(weights.get("2"), Some(&0.25));
    assert_eq!(code(create().send().await), "ResourceConflictException");
    let read = client.get_function_configuration().function_name("f:live").send().await.unwrap();
    assert_eq!(read.version(), Some("1"));
    assert!(read.function_arn().unwrap().ends_with(":function:f:live"));

    let update = client.update_alias().function_name("f").name("live").function_version("2");
    let none =
        AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::new()));
    let updated = update.clone().routing_config(none.build()).send().await.unwrap();
    assert_eq!((updated.function_version(), updated.routing_config()), (Some("2"), None));
    let stale = update.revision_id(alias.revision_id().unwrap()).send().await;
    assert_eq!(code(stale), "PreconditionFailedException");
    let of_first = client.list_aliases().function_name("f").function_version("1").send().await;
    assert_eq!(of_first.unwrap().aliases().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_come_from_folders_zips_and_nothing_else() {
    let bed = Bed::start(Settings::default()).await;
    let archive = bed.folder.path().join("code.zip");
    std::fs::write(&archive, zip_of("app.py", crate::bed::HANDLER)).unwrap();
    let mut from_zip = bed.new_function("zipped", 10_240);
    from_zip.code = archive;
    from_zip.architecture = Some("arm64".to_owned());
    bed.lambda.create_function(from_zip).await.unwrap();
    let read =
        bed.client.get_function_configuration().function_name("zipped").send().await.unwrap();
    assert_eq!((read.state(), read.memory_size()), (Some(&State::Active), Some(10_240)));
    assert_eq!(read.architectures()[0].as_str(), "arm64");

    let mut missing = bed.new_function("missing", 128);
    missing.code = bed.folder.path().join("nowhere");
    let error = bed.lambda.create_function(missing).await.unwrap_err();
    let nowhere = bed.folder.path().join("nowhere").display().to_string();
    let start = format!("cannot take the function's code from {nowhere}: ");
    assert!(error.to_string().starts_with(&start), "{error}");
    let error = bed.lambda.create_function(bed.new_function("small", 1)).await.unwrap_err();
    assert!(error.to_string().starts_with("ValidationException: "), "{error}");
    let error = bed.lambda.create_function(bed.new_function("zipped", 128)).await.unwrap_err();
    assert!(error.to_string().contains("Function already exist: zipped"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_are_told() {
    let wrong = Settings { account_id: "1234".to_owned(), ..Settings::default() };
    let error = powertune_local::LocalLambda::start(wrong).await.unwrap_err();
    assert!(error.to_string().contains("twelve digits"), "{error}");
    let bed = Bed::start(Settings::default()).await;
    let port = bed.lambda.endpoint_url().rsplit(':').next().unwrap().parse().unwrap();
    let error = powertune_local::LocalLambda::start(Settings { port, ..Settings::default() }).await;
    assert!(error.unwrap_err().to_string().contains("choose another port"));
    assert_eq!(
        json!(bed.lambda.environment()[0]),
        json!(["AWS_ENDPOINT_URL_LAMBDA", bed.lambda.endpoint_url()])
    );
}

#[tokio::test]
async fn calls_are_logged_under_the_names_of_aws() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("calls");
    let bed = Bed::start(Settings { call_log: Some(log.clone()), ..Settings::default() }).await;
    let calls = [
        ("GET", "/2015-03-31/functions/f", "GetFunction"),
        ("GET", "/2015-03-31/functions/", "ListFunctions"),
        ("GET", "/2015-03-31/functions", "ListFunctions"),
        ("DELETE", "/2017-03-31/tags/arn", "UntagResource"),
        ("GET", "/2016-08-19/account-settings/", "GetAccountSettings"),
        ("POST", "/2016-08-19/account-settings/", "unknown"),
        ("GET", "/2015-03-31/nothing", "unknown"),
    ];
    for (method, path, _) in calls {
        bed.call(method, path, "").await;
    }
    let log = std::fs::read_to_string(log).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let logged: Vec<_> = lines.map(|line| line["operation"].clone()).collect();
    assert_eq!(logged, calls.map(|(.., name)| name));
}
