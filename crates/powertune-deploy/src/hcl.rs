//! Terraform's language, laid out as `terraform fmt` lays it out.

/// A text in quotes, nothing in it a template.
pub(crate) fn text(text: &str) -> String {
    // What JSON escapes in what is written here is escaped alike.
    serde_json::Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

/// A list on one line.
pub(crate) fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(", "))
}

/// A list with a line for each value.
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

/// Attributes, one a line; the equals signs of neighbours stand below each other, except where a
/// value has several lines.
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

/// Every line two spaces further in, except where it has nothing.
pub(crate) fn indented(lines: &str) -> String {
    fn further(line: &str) -> [&str; 3] {
        if line.is_empty() { ["", "", "\n"] } else { ["  ", line, "\n"] }
    }
    lines.lines().flat_map(further).collect()
}
