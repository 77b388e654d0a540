//! Compares the least policy of each command with its calls: a missing action is as wrong as an
//! unused one.

use std::{collections::BTreeSet, process::Output};

use serde_json::Value;

use crate::crash::{
    bench::Bench,
    fault::Fault,
    figures,
    kind::{ALIAS, POWERS},
    operation::Operation,
    point::kill_in_the_middle,
    process::{Host, finish, said},
    proxy::Proxy,
    trap::{Aim, Trap},
};

/// An action, and the statement that allows it.
type Allowed = BTreeSet<(String, String)>;

/// The arguments of `tune` that lead to further calls.
const TUNES: &[&[&str]] = &[
    &["--num", "5", "--auto-optimize", "--auto-optimize-alias", ALIAS, "--release-latest"],
    &["--num", "5", "--auto-optimize", "--auto-optimize-alias", "tuned"],
    &["--num", "auto", "--auto-optimize"],
    &["--num", "5", "--only-cold-starts"],
];

/// Checks the policies.
pub(crate) async fn check(bench: &Bench) -> Result<(), String> {
    let tuned = tuned(bench).await?;
    compare("tune", bench, &tuned).await?;
    let cleaned = cleaned(bench).await?;
    compare("clean", bench, &cleaned).await
}

/// The calls of `tune`, also after a lost answer.
async fn tuned(bench: &Bench) -> Result<Vec<Operation>, String> {
    let mut called = Vec::new();
    for &arguments in TUNES {
        let function = bench.function(false).await;
        let tune = ["tune", &function, "--power-values", POWERS, "--quiet"];
        let lost = Trap::Fault {
            aim: Aim::from(Some(Operation::CreateAlias), 1),
            fault: Fault::ResetAfter,
        };
        let proxy = Proxy::start(bench, &[lost]);
        succeeded(&finish(&Host::new(), &proxy, &[&tune, arguments].concat()).await?)?;
        called.extend(proxy.operations());
    }
    Ok(called)
}

/// The calls of `clean` after a killed run, with its journal and without.
async fn cleaned(bench: &Bench) -> Result<Vec<Operation>, String> {
    let mut called = Vec::new();
    for is_elsewhere in [false, true] {
        let function = bench.function(false).await;
        let host = Host::new();
        let tune = ["tune", &function, "--power-values", POWERS, "--num", "5", "--quiet"];
        kill_in_the_middle(&host, bench, &tune).await?;
        let host = if is_elsewhere { Host::new() } else { host };
        let proxy = Proxy::start(bench, &[]);
        succeeded(&finish(&host, &proxy, &["clean", &function, "--force"]).await?)?;
        called.extend(proxy.operations());
    }
    Ok(called)
}

/// Compares the calls of a command with the Lambda actions in its policy.
async fn compare(command: &str, bench: &Bench, called: &[Operation]) -> Result<(), String> {
    let proxy = Proxy::start(bench, &[]);
    let output = finish(&Host::new(), &proxy, &["generate", "iam", "--for", command]).await?;
    succeeded(&output)?;
    let policy: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let allowed = allowed(&policy);
    // GetFunction returns the tags only to callers that may list them.
    let tells_tags = called.contains(&Operation::GetFunction).then_some(&Operation::ListTags);
    let recorded: Allowed = called
        .iter()
        .chain(tells_tags)
        .map(|operation| operation.permission())
        .map(|(action, statement)| (action.to_owned(), statement.to_owned()))
        .collect();
    let missing: Vec<_> = recorded.difference(&allowed).collect();
    let unused: Vec<_> = allowed.difference(&recorded).collect();
    figures::keep(format!(
        "least IAM policy, {command}: {} permissions on Lambda, {} missing, {} unused in {} calls",
        allowed.len(),
        missing.len(),
        unused.len(),
        called.len()
    ));
    if missing.is_empty() && unused.is_empty() {
        return Ok(());
    }
    Err(format!("{command}: missing {missing:?}, unused {unused:?}"))
}

fn allowed(policy: &Value) -> Allowed {
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let pairs = statements.flat_map(|statement| {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        let actions = statement["Action"].as_array().into_iter().flatten();
        let actions = actions.filter_map(Value::as_str);
        actions.map(move |action| (action.to_owned(), sid.to_owned()))
    });
    pairs.filter(|(action, _)| action.starts_with("lambda:")).collect()
}

fn succeeded(output: &Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(said(output)) }
}
