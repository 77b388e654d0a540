//! The Terraform module. Its resources are written by hand in Terraform; the steps and variables
//! come from the model.

use powertune_core::workflow::Step;

use crate::{
    DeployTarget, File, asl,
    cloudformation::ENDED_BADLY,
    function::{self, Timeout},
    hcl, notice,
    parameter::{self, Parameter, ParameterKind},
    permission::{Scope, permissions},
    policy,
};

const MAIN: &str = include_str!("terraform/main.tf");
const OUTPUTS: &str = include_str!("terraform/outputs.tf");
const VERSIONS: &str = include_str!("terraform/versions.tf");
/// The `code` variable, the location of the functions' code. Only this module has it.
const CODE: &str = include_str!("terraform/code.tf");

pub(crate) fn files() -> Vec<File> {
    let generated = |text: &str| format!("{}\n{text}", notice(DeployTarget::Terraform));
    vec![
        File::new("main.tf", generated(MAIN)),
        File::new("steps.tf", generated(&steps())),
        File::new("variables.tf", generated(&variables())),
        File::new("outputs.tf", generated(OUTPUTS)),
        File::new("versions.tf", generated(VERSIONS)),
        File::new("statemachine.asl.json", asl::text()),
    ]
}

fn steps() -> String {
    let steps: Vec<_> =
        Step::ALL.into_iter().map(|step| (step.handler(), settings(step))).collect();
    let locals = hcl::lines(&[
        ("runtime", hcl::text(function::RUNTIME)),
        ("ended_badly", hcl::list(ENDED_BADLY.map(hcl::text))),
        ("log_actions", hcl::list(policy::LOG.map(hcl::text))),
        ("network_actions", hcl::tall_list(policy::NETWORK.map(hcl::text))),
        ("steps", hcl::braces(&steps)),
    ]);
    let head = "# What each step's function is given, and what it may do.";
    format!("{head}\nlocals {{\n{}}}\n", hcl::indented(&locals))
}

fn settings(step: Step) -> String {
    let timeout = match function::timeout(step) {
        Timeout::Seconds(seconds) => seconds.to_string(),
        Timeout::Chosen(parameter) => value(parameter),
    };
    let environment: Vec<_> = function::variables(step)
        .iter()
        .map(|variable| (variable.name, value(variable.value)))
        .collect();
    let actions = Scope::ALL.map(|scope| {
        let of_scope = permissions(step).iter().filter(|permission| permission.on == scope);
        let actions: Vec<_> = of_scope.map(|permission| hcl::text(permission.action)).collect();
        let actions = if actions.len() < 2 { hcl::list(actions) } else { hcl::tall_list(actions) };
        (scope_name(scope), actions)
    });
    hcl::braces(&[
        ("memory_mb", function::memory_mb(step).to_string()),
        ("timeout_s", timeout),
        ("environment", hcl::braces(&environment)),
        ("actions", hcl::braces(&actions)),
    ])
}

/// The key of a scope's resources in `main.tf`.
const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Account => "account",
        Scope::Function => "function",
        Scope::Version => "version",
        Scope::Processor => "processor",
        Scope::Payload => "payload",
    }
}

/// A parameter's value in an environment variable.
fn value(parameter: &Parameter) -> String {
    let variable = format!("var.{}", parameter.snake_name);
    match parameter.kind {
        ParameterKind::Texts | ParameterKind::Numbers(_) => format!("join(\",\", {variable})"),
        _ => variable,
    }
}

fn variables() -> String {
    let declarations: Vec<_> = parameter::ALL.into_iter().map(declaration).collect();
    format!("{}\n{CODE}", declarations.join("\n"))
}

fn declaration(parameter: &Parameter) -> String {
    let variable = format!("var.{}", parameter.snake_name);
    let number_list = |values: &[u32]| hcl::list(values.iter().map(u32::to_string));
    let (kind, default, rule) = match &parameter.kind {
        ParameterKind::Text(default) => ("string", hcl::text(default), None),
        ParameterKind::Pattern { default, pattern, meaning } => {
            let holds = format!("can(regex({}, {variable}))", hcl::text(pattern));
            ("string", hcl::text(default), Some((holds, (*meaning).to_owned())))
        }
        ParameterKind::Choice { default, among } => {
            let values = hcl::list(among.iter().map(|value| hcl::text(value)));
            let holds = format!("contains({values}, {variable})");
            ("string", hcl::text(default), Some((holds, among.join(" or "))))
        }
        ParameterKind::Texts => ("list(string)", "[]".to_owned(), None),
        ParameterKind::Numbers(default) => {
            let holds = format!("length({variable}) > 0");
            ("list(number)", number_list(default), Some((holds, "at least one number".to_owned())))
        }
        ParameterKind::Number { default, min, max } => {
            let holds = format!("{variable} >= {min} && {variable} <= {max}");
            ("number", default.to_string(), Some((holds, format!("{min} to {max}"))))
        }
        ParameterKind::NumberAmong { default, among } => {
            let values = number_list(among);
            let holds = format!("contains({values}, {variable})");
            (
                "number",
                default.to_string(),
                Some((holds, format!("one of {}", values.trim_matches(['[', ']'])))),
            )
        }
    };
    let mut body = hcl::lines(&[
        ("description", hcl::text(parameter.description)),
        ("type", kind.to_owned()),
        ("default", default),
        ("nullable", "false".to_owned()),
    ]);
    if let Some((holds, meaning)) = rule {
        let message = format!("{} has to be {meaning}.", parameter.snake_name);
        let rule = hcl::lines(&[("condition", holds), ("error_message", hcl::text(&message))]);
        body.extend(["\nvalidation {\n", &hcl::indented(&rule), "}\n"]);
    }
    format!("variable {} {{\n{}}}\n", hcl::text(parameter.snake_name), hcl::indented(&body))
}
