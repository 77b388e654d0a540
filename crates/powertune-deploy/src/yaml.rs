//! YAML for people. CloudFormation's functions have the long form (`Fn::Sub`, not `!Sub`), so any
//! YAML parser can read a template.

use serde_json::Value;

pub(crate) fn document(value: &Value) -> String {
    serde_saphyr::to_string(value).expect("a JSON value has a form in YAML")
}
