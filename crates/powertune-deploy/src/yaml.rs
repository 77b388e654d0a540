//! YAML for people to read. CloudFormation's functions are written out (`Fn::Sub`, not `!Sub`), so
//! that any reader of YAML can read a template.

use serde_json::Value;

/// A document.
pub(crate) fn document(value: &Value) -> String {
    serde_saphyr::to_string(value).expect("a JSON value has a form in YAML")
}
