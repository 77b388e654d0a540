//! How requests name functions: by name, partial ARN or ARN, with or without a qualifier.

use crate::{
    constraint::{Violations, is_name},
    exception::{Exception, ExceptionKind},
    settings::MemoryRefusal,
};

const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))\
     ?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";

/// The account and region that this Lambda plays.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) region: String,
    /// The most memory that the account's functions can have.
    pub(crate) largest_memory_mb: u32,
    pub(crate) memory_refusal: MemoryRefusal,
}

impl Account {
    /// The partition that the region belongs to.
    pub(crate) fn partition(&self) -> &'static str {
        match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// A function's ARN, with its qualifier if there is one.
    pub(crate) fn function_arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let (partition, region, id) = (self.partition(), &self.region, &self.id);
        let arn = format!("arn:{partition}:lambda:{region}:{id}:function:{name}");
        qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}"))
    }
}

/// A function as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionReference {
    pub(crate) name: String,
    pub(crate) qualifier: Option<Qualifier>,
}

/// Which version of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Qualifier {
    Latest,
    Number(u64),
    Alias(String),
}

impl Qualifier {
    /// What a text stands for that is known to be one of the three.
    pub(crate) fn parse(text: &str) -> Self {
        match text.parse::<u64>() {
            _ if text == "$LATEST" => Self::Latest,
            Ok(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Alias(text.to_owned()),
        }
    }

    /// As it stands in an ARN.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Latest => "$LATEST".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Alias(name) => name.clone(),
        }
    }
}

impl FunctionReference {
    /// Reads a function's name as a path or body gives it, and the `Qualifier` parameter beside it.
    pub(crate) fn parse(
        text: &str,
        qualifier: Option<&str>,
        account: &Account,
    ) -> Result<Self, Exception> {
        let malformed = || {
            let mut violations = Violations::default();
            violations.pattern("functionName", text, NAME_PATTERN);
            violations.finish().expect_err("a violation was added")
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (scope, tail) = match parts.iter().position(|part| *part == "function") {
            Some(at) if at + 1 < parts.len() => (&parts[..at], &parts[at + 1..]),
            _ => (&parts[..0], &parts[..]),
        };
        let (name, own_qualifier) = match *tail {
            [name] => (name, None),
            [name, qualifier] => (name, Some(qualifier)),
            _ => return Err(malformed()),
        };
        if !is_name(name) || own_qualifier.is_some_and(|text| text != "$LATEST" && !is_name(text)) {
            return Err(malformed());
        }
        match *scope {
            [] => {}
            [id] if is_account_id(id) => account.must_be(id)?,
            ["arn", partition, "lambda", region, id]
                if partition.starts_with("aws") && is_account_id(id) =>
            {
                account.must_reach(region)?;
                account.must_be(id)?;
            }
            _ => return Err(malformed()),
        }
        let qualifier = match (own_qualifier, qualifier.filter(|text| !text.is_empty())) {
            (Some(own), Some(other)) if own != other => {
                return Err(Exception::invalid_parameter(
                    "The derived qualifier from the function name does not match the specified \
                     qualifier.",
                ));
            }
            (own, other) => own.or(other),
        };
        Ok(Self { name: name.to_owned(), qualifier: qualifier.map(checked_qualifier).transpose()? })
    }
}

fn checked_qualifier(text: &str) -> Result<Qualifier, Exception> {
    if text == "$LATEST" || is_name(text) {
        return Ok(Qualifier::parse(text));
    }
    let mut violations = Violations::default();
    violations.pattern("qualifier", text, "(|[a-zA-Z0-9$_-]+)");
    violations.finish().map(|()| Qualifier::parse(text))
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

impl Account {
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

    fn account() -> Account {
        Account {
            id: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            largest_memory_mb: 10_240,
            memory_refusal: MemoryRefusal::InvalidParameterValue,
        }
    }

    fn parse(text: &str, qualifier: Option<&str>) -> Result<FunctionReference, Exception> {
        FunctionReference::parse(text, qualifier, &account())
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
        for malformed in ["", "a b", "f:1:2", "f:", "x:function:f", "arn:aws:s3:::function:f"] {
            assert_eq!(kind(malformed, None), ExceptionKind::Validation, "{malformed}");
        }
    }

    #[test]
    fn arns_bear_their_partition() {
        let china = Account {
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
