//! Terraform's language (HCL), formatted like `terraform fmt`.

/// A quoted text without template sequences.
pub(crate) fn text(text: &str) -> String {
    // JSON and HCL escape the texts of this crate in the same way.
    serde_json::Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

/// A list on one line.
pub(crate) fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(", "))
}

/// A list with one value a line.
pub(crate) fn tall_list(values: impl IntoIterator<Item = String>) -> String {
    let lines: String = values.into_iter().flat_map(|value| [value, ",\n".to_owned()]).collect();
    format!("[\n{}]", indented(&lines))
}

/// Attributes in braces.
pub(crate) fn braces(attributes: &[(&str, String)]) -> String {
    if attributes.is_empty() {
        return "{}".to_owned();
    }
    format!("{{\n{}}}", indented(&lines(attributes)))
}

/// Attributes, one a line, with aligned equals signs; an attribute with several lines breaks the
/// alignment.
pub(crate) fn lines(attributes: &[(&str, String)]) -> String {
    let mut lines = String::new();
    let is_long = |(_, value): &(&str, String)| value.contains('\n');
    for run in attributes.chunk_by(|one, other| !is_long(one) && !is_long(other)) {
        let width = run.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in run {
            lines.extend([&format!("{name:width$} = {value}"), "\n"]);
        }
    }
    lines
}

/// Each non-empty line with two more spaces in front.
pub(crate) fn indented(lines: &str) -> String {
    fn further(line: &str) -> [&str; 3] {
        if line.is_empty() { ["", "", "\n"] } else { ["  ", line, "\n"] }
    }
    lines.lines().flat_map(further).collect()
}
