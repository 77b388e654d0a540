//! The processor architectures that Lambda runs a function on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A processor architecture. Each has Lambda's name in text and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// Intel and AMD; Lambda's default.
    #[serde(rename = "x86_64")]
    X86_64,
    /// AWS Graviton.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// Lambda's name of this architecture.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error for a name that is not an architecture of Lambda.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an architecture of AWS Lambda: write `x86_64` or `arm64`")]
pub struct UnknownArchitecture(String);

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "x86_64" => Ok(Self::X86_64),
            "arm64" => Ok(Self::Arm64),
            _ => Err(UnknownArchitecture(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_text_and_json() {
        for architecture in [Architecture::X86_64, Architecture::Arm64] {
            let name = architecture.as_str();
            assert_eq!(name.parse(), Ok(architecture));
            assert_eq!(architecture.to_string(), name);
            let json = serde_json::to_value(architecture).unwrap();
            assert_eq!(json, name);
            assert_eq!(serde_json::from_value::<Architecture>(json).unwrap(), architecture);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "X86_64", "x86", "amd64", "aarch64", " arm64"] {
            let error = name.parse::<Architecture>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")) && error.contains("arm64"), "{error}");
        }
    }
}
