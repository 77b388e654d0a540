//! References to functions: a name, a partial ARN or an ARN, each with or without a qualifier.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::{
    constraint::Violations,
    exception::{Exception, ExceptionKind},
    settings::MemoryRefusal,
};

/// An operation's constraints of its `FunctionName`. AWS's model has several.
#[derive(Debug)]
pub(crate) struct NameForm {
    pattern: &'static str,
    /// In characters.
    longest: Option<usize>,
    regex: LazyLock<Regex>,
}

/// For operations that read, invoke or delete (the model's `NamespacedFunctionName`). Recordings
/// show that AWS accepts names of any length here, and reports that there is no such function.
pub(crate) static READ: NameForm =
    NameForm { pattern: NAMESPACED, longest: None, regex: LazyLock::new(|| anchored(NAMESPACED)) };
/// For operations that create or change (the model's `FunctionName`).
pub(crate) static WRITE: NameForm =
    NameForm { pattern: PLAIN, longest: Some(140), regex: LazyLock::new(|| anchored(PLAIN)) };

/// The patterns of AWS's model. [`FunctionReference::parse`] reads their groups.
const NAMESPACED: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
const PLAIN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?";
/// The groups of both patterns that are read.
const REGION: usize = 3;
const ACCOUNT: usize = 9;
const NAME: usize = 11;
const QUALIFIER: usize = 13;

const QUALIFIER_PATTERN: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
const LONGEST_QUALIFIER: usize = 128;
static QUALIFIER_REGEX: LazyLock<Regex> = LazyLock::new(|| anchored(QUALIFIER_PATTERN));

/// The pattern for the whole text.
fn anchored(pattern: &str) -> Regex {
    Regex::new(&format!("^(?:{pattern})$")).expect("the patterns here are regular expressions")
}

/// The account and region of this Lambda.
#[derive(Debug, Clone)]
pub(crate) struct AwsAccount {
    pub(crate) id: String,
    pub(crate) region: String,
    /// Largest memory size of the account's functions, in MB.
    pub(crate) largest_memory_mb: u32,
    pub(crate) memory_refusal: MemoryRefusal,
}

impl AwsAccount {
    pub(crate) fn partition(&self) -> &'static str {
        match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The ARN of a function, with the qualifier if there is one.
    pub(crate) fn function_arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let (partition, region, id) = (self.partition(), &self.region, &self.id);
        let arn = format!("arn:{partition}:lambda:{region}:{id}:function:{name}");
        qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}"))
    }
}

/// A function in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionReference {
    pub(crate) name: String,
    pub(crate) qualifier: Option<Qualifier>,
}

/// A version of a function in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Qualifier {
    Latest,
    Number(u64),
    Alias(String),
}

impl Qualifier {
    /// Reads a text that is known to be one of the three.
    pub(crate) fn parse(text: &str) -> Self {
        match text.parse::<u64>() {
            _ if text == "$LATEST" => Self::Latest,
            Ok(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Alias(text.to_owned()),
        }
    }

    /// The text in an ARN.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Latest => "$LATEST".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Alias(name) => name.clone(),
        }
    }
}

impl FunctionReference {
    /// Reads the name of a function in a path or body, and the `Qualifier` parameter.
    pub(crate) fn parse(
        text: &str,
        qualifier: Option<&str>,
        form: &NameForm,
        account: &AwsAccount,
    ) -> Result<Self, Exception> {
        let qualifier = qualifier.filter(|text| !text.is_empty());
        let mut violations = Violations::default();
        if let Some(qualifier) = qualifier {
            violations.length("qualifier", qualifier, LONGEST_QUALIFIER);
            if !QUALIFIER_REGEX.is_match(qualifier) {
                violations.pattern("qualifier", qualifier, QUALIFIER_PATTERN);
            }
        }
        if let Some(longest) = form.longest {
            violations.length("functionName", text, longest);
        }
        let captured = form.regex.captures(text);
        if captured.is_none() {
            violations.pattern("functionName", text, form.pattern);
        }
        violations.finish()?;
        let part =
            |group| captured.as_ref().and_then(|parts| parts.get(group)).map(|it| it.as_str());
        if let Some(region) = part(REGION) {
            account.must_reach(region.trim_end_matches(':'))?;
        }
        if let Some(id) = part(ACCOUNT) {
            account.must_be(id.trim_end_matches(':'))?;
        }
        let qualifier = match (part(QUALIFIER), qualifier) {
            (Some(own), Some(other)) if own != other => {
                return Err(Exception::invalid_parameter(
                    "The derived qualifier from the function name does not match the specified \
                     qualifier.",
                ));
            }
            (own, other) => own.or(other),
        };
        let name = part(NAME).unwrap_or_default().to_owned();
        Ok(Self { name, qualifier: qualifier.map(Qualifier::parse) })
    }
}

impl AwsAccount {
    fn must_be(&self, id: &str) -> Result<(), Exception> {
        if id == self.id {
            return Ok(());
        }
        Err(Exception::new(
            ExceptionKind::AccessDenied,
            format!("The account here is {}; functions of account {id} are not in it.", self.id),
        ))
    }

    fn must_reach(&self, region: &str) -> Result<(), Exception> {
        if region == self.region {
            return Ok(());
        }
        Err(Exception::not_found(format!(
            "Functions from '{region}' are not reachable in this region ('{}')",
            self.region
        )))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account() -> AwsAccount {
        AwsAccount {
            id: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            largest_memory_mb: 10_240,
            memory_refusal: MemoryRefusal::InvalidParameterValue,
        }
    }

    fn parse(text: &str, qualifier: Option<&str>) -> Result<FunctionReference, Exception> {
        FunctionReference::parse(text, qualifier, &READ, &account())
    }

    fn named(name: &str, qualifier: Option<Qualifier>) -> FunctionReference {
        FunctionReference { name: name.to_owned(), qualifier }
    }

    fn read(text: &str, qualifier: Option<&str>) -> FunctionReference {
        parse(text, qualifier).unwrap()
    }

    #[test]
    fn every_way_to_name_a_function() {
        let alias = || Some(Qualifier::Alias("live".to_owned()));
        assert_eq!(read("f", None), named("f", None));
        assert_eq!(read("f:live", None), named("f", alias()));
        assert_eq!(read("f", Some("$LATEST")), named("f", Some(Qualifier::Latest)));
        assert_eq!(read("f", Some("")), named("f", None));
        assert_eq!(read("123456789012:function:f:7", None), named("f", Some(Qualifier::Number(7))));
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        assert_eq!(read(arn, None), named("f", None));
        assert_eq!(read(&format!("{arn}:live"), Some("live")), named("f", alias()));
        assert_eq!(read("function", None), named("function", None));
    }

    #[test]
    fn names_elsewhere_are_refused_as_what_they_are() {
        let kind = |text: &str, qualifier| parse(text, qualifier).unwrap_err().kind;
        assert_eq!(
            kind("arn:aws:lambda:us-east-1:123456789012:function:f", None),
            ExceptionKind::ResourceNotFound
        );
        assert_eq!(kind("210987654321:function:f", None), ExceptionKind::AccessDenied);
        assert_eq!(kind("f:1", Some("2")), ExceptionKind::InvalidParameterValue);
        assert_eq!(kind("f", Some("no good")), ExceptionKind::Validation);
        for malformed in [
            "",
            "a b",
            "f!",
            "f:1:2",
            "f:",
            "f:$LATES",
            "x:function:f",
            "arn:aws:s3:::function:f",
            "arn:aws:lambda:nowhere:123456789012:function:f",
            "arn:aws:lambda::123456789012:function:f",
            "arn:aws:lambda:eu-west-1::function:f",
        ] {
            assert_eq!(kind(malformed, None), ExceptionKind::Validation, "{malformed}");
        }
    }

    /// As recorded in `TestLambdaFunction::test_function_name_and_qualifier_validation`.
    #[test]
    fn what_looks_wrong_and_is_not() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function";
        assert_eq!(read(arn, None), named("function", None), "an ARN without a name is one");
        let small = Some(Qualifier::Alias("$latest".to_owned()));
        assert_eq!(read("f", Some("$latest")), named("f", small));
        assert_eq!(read("f.g", None), named("f.g", None));
        let long = "a".repeat(65);
        assert_eq!(read(&long, None), named(&long, None));
    }

    #[test]
    fn every_violation_of_a_name_is_told() {
        let told = |text: &str, qualifier: Option<&str>, form: &NameForm| {
            FunctionReference::parse(text, qualifier, form, &account()).unwrap_err().message
        };
        let (long, qualifier) = ("a".repeat(141), "a".repeat(129));
        assert!(told(&long, None, &WRITE).ends_with("have length less than or equal to 140"));
        assert!(parse(&long, None).is_ok());
        let message = told(&"!".repeat(141), Some(&qualifier), &WRITE);
        assert!(message.starts_with("3 validation errors detected: Value 'aaa"), "{message}");
        assert!(message.contains("length less than or equal to 140; Value '!!!"), "{message}");
        let message = told(&"!".repeat(171), Some(&qualifier), &READ);
        assert!(message.starts_with("2 validation errors detected: Value 'aaa"), "{message}");
        assert!(told("f.g", None, &WRITE).contains(PLAIN), "no dots where something is made");
    }

    #[test]
    fn arns_bear_their_partition() {
        let china = AwsAccount {
            id: "123456789012".to_owned(),
            region: "cn-north-1".to_owned(),
            largest_memory_mb: 10_240,
            memory_refusal: MemoryRefusal::InvalidParameterValue,
        };
        assert_eq!(
            china.function_arn("f", Some("1")),
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:1"
        );
    }

    proptest! {
        #[test]
        fn an_arn_names_the_function_it_was_made_for(
            name in "[a-zA-Z0-9_-]{1,64}",
            qualifier in proptest::option::of("[a-zA-Z_-][a-zA-Z0-9_-]{0,20}"),
        ) {
            let arn = account().function_arn(&name, qualifier.as_deref());
            prop_assert_eq!(read(&arn, None), named(&name, qualifier.map(Qualifier::Alias)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}", qualifier in proptest::option::of(".{0,9}")) {
            let _ = parse(&text, qualifier.as_deref());
        }
    }
}
