//! References to a function: a name, a partial ARN or an ARN, each with or without a qualifier.

use std::fmt;
use std::str::FromStr;

use crate::region::{Partition, Region};

/// A reference to a function.
///
/// A name alone leaves account and region to the credentials and the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionRef {
    /// Only an ARN has a region.
    pub region: Option<Region>,
    /// The account's twelve digits. A name alone has none.
    pub account: Option<String>,
    /// 1 to 64 letters, digits, hyphens and underscores.
    pub name: String,
    /// `None` means `$LATEST`.
    pub qualifier: Option<Qualifier>,
}

/// A version of a function, or an alias for one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// `$LATEST`, the only version that can be changed.
    Latest,
    /// The number of a published version, from 1.
    Version(u64),
    /// The name of an alias: 1 to 128 letters, digits, hyphens and underscores.
    Alias(String),
}

/// The error for a text that does not name a Lambda function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// The text is empty.
    #[error("no function named: give a name, a partial ARN or an ARN")]
    Empty,
    /// The text has too few or too many parts between colons.
    #[error(
        "`{0}` is neither `NAME[:QUALIFIER]`, nor `ACCOUNT:function:NAME[:QUALIFIER]`, nor \
         `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`"
    )]
    Form(String),
    /// `function:NAME`: AWS reads a function name, people read a qualifier.
    #[error("`function:{0}` can be read in two ways: write `{0}` for the function of that name")]
    Ambiguous(String),
    /// The ARN belongs to another service.
    #[error("the ARN belongs to the service `{0}`: give the ARN of an AWS Lambda function")]
    Service(String),
    /// The ARN belongs to another Lambda resource, such as a layer.
    #[error("the ARN belongs to a Lambda `{0}`: give the ARN of a function")]
    Resource(String),
    /// The partition does not exist.
    #[error(
        "`{0}` is not an AWS partition: an ARN starts with `arn:aws:`, `arn:aws-cn:` or similar"
    )]
    Partition(String),
    /// The region is not valid.
    #[error("the ARN's region: {0}")]
    Region(#[from] crate::region::InvalidRegion),
    /// The region belongs to another partition.
    #[error("region {region} is not in partition `{given}`: write `arn:{}:...`", region.partition())]
    PartitionMismatch {
        /// The partition in the ARN.
        given: Partition,
        /// The region in the ARN.
        region: Region,
    },
    /// The account does not have twelve digits.
    #[error("`{0}` is not an AWS account: an account has 12 digits")]
    Account(String),
    /// The function name is not valid.
    #[error(
        "`{0}` is not a function's name: a name has 1 to {NAME_MAX} letters, digits, hyphens and \
         underscores"
    )]
    Name(String),
    /// The qualifier is not a version and not an alias.
    #[error(
        "`{0}` is not a qualifier: give `$LATEST`, a version's number from 1, or an alias of 1 to \
         {ALIAS_MAX} letters, digits, hyphens and underscores"
    )]
    Qualifier(String),
}

const NAME_MAX: usize = 64;
const ALIAS_MAX: usize = 128;

impl FunctionRef {
    /// The partition of the ARN's region. `None` for a name or a partial ARN.
    pub fn partition(&self) -> Option<Partition> {
        self.region.as_ref().map(Region::partition)
    }

    /// The same function without its qualifier.
    #[must_use]
    pub fn unqualified(&self) -> Self {
        Self { qualifier: None, ..self.clone() }
    }

    fn from_parts(name: &str, qualifier: Option<&str>) -> Result<Self, ArnError> {
        if !is_identifier(name, NAME_MAX) {
            return Err(ArnError::Name(name.to_owned()));
        }
        let qualifier = qualifier.map(str::parse).transpose()?;
        Ok(Self { region: None, account: None, name: name.to_owned(), qualifier })
    }

    fn in_account(self, account: &str) -> Result<Self, ArnError> {
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ArnError::Account(account.to_owned()));
        }
        Ok(Self { account: Some(account.to_owned()), ..self })
    }

    fn in_region(self, partition: &str, region: &str) -> Result<Self, ArnError> {
        let given = Partition::from_id(partition)
            .ok_or_else(|| ArnError::Partition(partition.to_owned()))?;
        let region = Region::new(region)?;
        if region.partition() != given {
            return Err(ArnError::PartitionMismatch { given, region });
        }
        Ok(Self { region: Some(region), ..self })
    }
}

impl FromStr for FunctionRef {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        match *parts.as_slice() {
            [""] => Err(ArnError::Empty),
            ["arn", _, service, ..] if service != "lambda" => {
                Err(ArnError::Service(service.to_owned()))
            }
            ["arn", _, _, _, _, resource, ..] if resource != "function" => {
                Err(ArnError::Resource(resource.to_owned()))
            }
            ["arn", partition, _, region, account, _, name] => {
                Self::from_parts(name, None)?.in_account(account)?.in_region(partition, region)
            }
            ["arn", partition, _, region, account, _, name, qualifier] => {
                Self::from_parts(name, Some(qualifier))?
                    .in_account(account)?
                    .in_region(partition, region)
            }
            ["function", name] => Err(ArnError::Ambiguous(name.to_owned())),
            [name] => Self::from_parts(name, None),
            [name, qualifier] if name != "arn" => Self::from_parts(name, Some(qualifier)),
            [account, "function", name] => Self::from_parts(name, None)?.in_account(account),
            [account, "function", name, qualifier] => {
                Self::from_parts(name, Some(qualifier))?.in_account(account)
            }
            _ => Err(ArnError::Form(text.to_owned())),
        }
    }
}

/// Writes the same form that was read.
impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(region), Some(account)) = (&self.region, &self.account) {
            write!(f, "arn:{}:lambda:{region}:{account}:function:", region.partition())?;
        } else if let Some(account) = &self.account {
            write!(f, "{account}:function:")?;
        }
        f.write_str(&self.name)?;
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Qualifier {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || ArnError::Qualifier(text.to_owned());
        if text == "$LATEST" {
            return Ok(Self::Latest);
        }
        if !is_identifier(text, ALIAS_MAX) {
            return Err(invalid());
        }
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self::Alias(text.to_owned()));
        }
        // Lambda counts versions from 1 and writes no leading zeros.
        if text.starts_with('0') {
            return Err(invalid());
        }
        text.parse().map(Self::Version).map_err(|_| invalid())
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Version(number) => number.fmt(f),
            Self::Alias(name) => f.write_str(name),
        }
    }
}

fn is_identifier(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<FunctionRef, ArnError> {
        text.parse()
    }

    fn named(name: &str) -> FunctionRef {
        FunctionRef { region: None, account: None, name: name.to_owned(), qualifier: None }
    }

    #[test]
    fn every_form_with_and_without_a_qualifier() {
        let in_account = FunctionRef { account: Some("123456789012".to_owned()), ..named("my-fn") };
        let region = "eu-west-1".parse().ok();
        let in_region = FunctionRef { region, ..in_account.clone() };
        for (text, expected) in [
            ("my-fn", named("my-fn")),
            ("123456789012:function:my-fn", in_account),
            ("arn:aws:lambda:eu-west-1:123456789012:function:my-fn", in_region),
        ] {
            assert_eq!(parse(text), Ok(expected.clone()));
            for (name, qualifier) in [
                ("$LATEST", Qualifier::Latest),
                ("7", Qualifier::Version(7)),
                ("live", Qualifier::Alias("live".to_owned())),
                ("2024-01", Qualifier::Alias("2024-01".to_owned())),
            ] {
                let qualified = parse(&format!("{text}:{name}")).unwrap();
                assert_eq!(qualified.qualifier, Some(qualifier));
                assert_eq!(qualified.unqualified(), expected);
                assert_eq!(qualified.to_string(), format!("{text}:{name}"));
            }
        }
    }

    #[test]
    fn an_arn_tells_its_partition() {
        for (partition, region) in
            [("aws", "us-east-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-east-1")]
        {
            let arn = format!("arn:{partition}:lambda:{region}:123456789012:function:f");
            let function = parse(&arn).unwrap();
            assert_eq!(function.partition().map(Partition::id), Some(partition));
            assert_eq!(function.to_string(), arn);
        }
        assert_eq!(parse("f").unwrap().partition(), None);
    }

    #[test]
    fn lambdas_own_limits() {
        let longest = "n".repeat(64);
        assert!(parse(&longest).is_ok() && parse("A-z_0").is_ok() && parse("1").is_ok());
        assert_eq!(parse(&format!("{longest}n")), Err(ArnError::Name(format!("{longest}n"))));
        let longest = "a".repeat(128);
        assert!(parse(&format!("f:{longest}")).is_ok());
        let too_long = format!("{longest}a");
        assert_eq!(parse(&format!("f:{too_long}")), Err(ArnError::Qualifier(too_long)));
        for name in ["my fn", "my.fn", "my/fn", "fün", "$LATEST"] {
            assert_eq!(parse(name), Err(ArnError::Name(name.to_owned())));
        }
        for qualifier in ["", "0", "07", "$latest", "$LATEST.PUBLISHED", "a b", "é"] {
            let error = Err(ArnError::Qualifier(qualifier.to_owned()));
            assert_eq!(parse(&format!("f:{qualifier}")), error);
        }
        let beyond = "99999999999999999999";
        assert_eq!(parse(&format!("f:{beyond}")), Err(ArnError::Qualifier(beyond.to_owned())));
    }

    #[test]
    fn faults_are_named() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        for (text, said) in [
            (String::new(), "no function named"),
            (":f".to_owned(), "`` is not a function's name"),
            ("function:f".to_owned(), "write `f`"),
            ("arn:f".to_owned(), "`arn:f` is neither"),
            ("a:b:c".to_owned(), "`a:b:c` is neither"),
            (format!("{arn}:1:2"), "is neither"),
            ("arn:aws:lambda:eu-west-1:123456789012:function".to_owned(), "is neither"),
            (arn.replace("lambda", "s3"), "service `s3`"),
            (arn.replace("function:", "layer:"), "Lambda `layer`"),
            (arn.replace("arn:aws:", "arn:aws-mars:"), "`aws-mars` is not an AWS partition"),
            (arn.replace("arn:aws:", "arn:aws-cn:"), "write `arn:aws:...`"),
            (arn.replace("eu-west-1", "Ireland"), "`Ireland` is not the code"),
            (arn.replace("123456789012", "1234"), "`1234` is not an AWS account"),
            (arn.replace("123456789012", "12345678901x"), "12 digits"),
            ("1234:function:f".to_owned(), "`1234` is not an AWS account"),
            (arn.replace("function:f", "function:"), "`` is not a function's name"),
            (format!(" {arn}"), "is neither"),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }

    fn references() -> impl Strategy<Value = String> {
        let prefixes = prop_oneof![
            Just(""),
            Just("000000000000:function:"),
            Just("arn:aws:lambda:us-east-2:123456789012:function:"),
            Just("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:"),
        ];
        let qualifiers = prop_oneof![
            Just(String::new()),
            Just(":$LATEST".to_owned()),
            (1..=u64::MAX).prop_map(|version| format!(":{version}")),
            ":[a-zA-Z_-][a-zA-Z0-9_-]{0,127}",
        ];
        (prefixes, "[a-zA-Z0-9_-]{1,64}", qualifiers)
            .prop_filter("read in two ways", |(prefix, name, qualifier)| {
                !prefix.is_empty() || qualifier.is_empty() || !matches!(&**name, "arn" | "function")
            })
            .prop_map(|(prefix, name, qualifier)| format!("{prefix}{name}{qualifier}"))
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_read_is_shown_as_it_was_written(text in references()) {
            prop_assert_eq!(parse(&text).map(|function| function.to_string()), Ok(text));
        }

        #[test]
        fn what_looks_like_one_is_shown_as_it_was_written(
            text in "(arn:|aws:|lambda:|us-east-1:|123456789012:|function:|f|:|1|-){0,10}"
        ) {
            if let Ok(function) = parse(&text) {
                prop_assert_eq!(function.to_string(), text);
            }
        }
    }
}
