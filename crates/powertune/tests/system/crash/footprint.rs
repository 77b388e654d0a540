//! Everything that a function consists of, to compare before and after.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
};

use aws_sdk_lambda::types::{AliasConfiguration, FunctionConfiguration};

use crate::crash::kind::POWERS;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Footprint {
    pub(crate) latest: FunctionConfiguration,
    pub(crate) versions: BTreeMap<String, FunctionConfiguration>,
    pub(crate) aliases: BTreeMap<String, AliasConfiguration>,
    pub(crate) tags: HashMap<String, String>,
}

impl Footprint {
    pub(crate) fn is_announced(&self) -> bool {
        self.tags.keys().any(|key| key.starts_with("powertune:"))
    }

    pub(crate) fn alias_version(&self, alias: &str) -> Option<&str> {
        self.aliases.get(alias)?.function_version()
    }

    /// This footprint with `$LATEST` at its original size; now it has to have a measured one.
    pub(crate) fn with_latest_back(&self, before: &Self) -> Result<Self, String> {
        measured_mb(&self.latest)?;
        let mut footprint = self.clone();
        footprint.latest.memory_size = before.latest.memory_size;
        Ok(footprint)
    }

    /// This footprint with the old alias, and without the version of the new one. That has to be a
    /// new version that differs from `$LATEST` only in its size.
    pub(crate) fn with_alias_back(&self, alias: &str, before: &Self) -> Result<Self, String> {
        let mut footprint = self.clone();
        let pointed_to = self.alias_version(alias).ok_or(format!("there is no alias {alias}"))?;
        if before.versions.contains_key(pointed_to) {
            return Err(format!("{alias} still points to version {pointed_to}"));
        }
        let version = footprint.versions.remove(pointed_to);
        let version = version.ok_or(format!("{alias} points to version {pointed_to}, a gap"))?;
        let memory_mb = measured_mb(&version)?;
        let description = version.description.clone().unwrap_or_default();
        if !description.starts_with(&format!("{memory_mb} MB, chosen by powertune run ")) {
            return Err(format!("version {pointed_to} is described as {description:?}"));
        }
        let mut same = version;
        same.memory_size = before.latest.memory_size;
        same.description.clone_from(&before.latest.description);
        same.version.clone_from(&before.latest.version);
        same.function_arn.clone_from(&before.latest.function_arn);
        same.runtime_version_config.clone_from(&before.latest.runtime_version_config);
        if same != before.latest {
            let differences = differences(&same, &before.latest);
            return Err(format!("version {pointed_to} is not $LATEST: {differences}"));
        }
        match before.aliases.get(alias) {
            Some(old) => footprint.aliases.insert(alias.to_owned(), old.clone()),
            None => footprint.aliases.remove(alias),
        };
        Ok(footprint)
    }

    /// Fails with the differences from `before`.
    pub(crate) fn must_be(&self, before: &Self) -> Result<(), String> {
        if self == before { Ok(()) } else { Err(differences(self, before)) }
    }
}

/// The lines in which they differ.
fn differences(is: &impl Debug, was: &impl Debug) -> String {
    let (is, was) = (format!("{is:#?}"), format!("{was:#?}"));
    let lines = |text: &str, other: &str| -> Vec<String> {
        let known: Vec<&str> = other.lines().collect();
        let new = text.lines().filter(|line| !known.contains(line));
        new.map(|line| line.trim().to_owned()).collect()
    };
    format!("it has {:?}, and had {:?}", lines(&is, &was), lines(&was, &is))
}

/// The memory size, if it is a measured one.
fn measured_mb(configuration: &FunctionConfiguration) -> Result<String, String> {
    let memory_mb = configuration.memory_size().unwrap_or_default().to_string();
    if POWERS.split(',').any(|power| power == memory_mb) {
        return Ok(memory_mb);
    }
    Err(format!("{:?} has {memory_mb} MB", configuration.version()))
}
