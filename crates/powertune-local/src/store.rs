//! The state of the control plane: plain data, changed by functions that get the time as an
//! argument.
//!
//! Nothing here waits, runs or knows HTTP. Each use of the store first applies the changes that
//! have taken effect since.

mod alias;
mod concurrency;
mod configuration;
mod function;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use uuid::Uuid;

pub(crate) use self::{
    alias::{AliasChange, AliasRecord, Routing, RoutingChange},
    configuration::{
        ApplicationLogLevel, Configuration, ConfigurationChange, LoggingConfig, SystemLogLevel,
        TracingMode,
    },
    function::{
        FunctionRecord, InvocationSlot, Moment, Publication, VersionId, VersionPhase, VersionRecord,
    },
};
use crate::{
    exception::Exception,
    package::Package,
    reference::{AwsAccount, FunctionReference, Qualifier},
    settings::{Revisions, VersionStart},
    version::FunctionVersion,
};

/// Most tags of a function.
pub(crate) const TAG_LIMIT: usize = 50;

pub(crate) fn too_many_tags() -> Exception {
    Exception::invalid_parameter("Number of tags exceeds resource tag limit.")
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) account: AwsAccount,
    pub(crate) functions: BTreeMap<String, FunctionRecord>,
    rules: Rules,
    retired: Vec<Uuid>,
}

/// The settings for the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) concurrency_limit: u32,
    pub(crate) update_delay: Duration,
    pub(crate) revisions: Revisions,
    pub(crate) version_start: VersionStart,
}

impl Rules {
    /// The first phase of a version that is made together with a function or an update.
    fn creating(&self, now: Moment) -> VersionPhase {
        VersionPhase::Creating { until: now.instant + self.update_delay }
    }
}

/// The input of `CreateFunction`.
#[derive(Debug)]
pub(crate) struct NewFunctionRecord {
    pub(crate) name: String,
    pub(crate) configuration: Configuration,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) publish: bool,
}

/// The guard of an update of `$LATEST`, and the steps after it.
#[derive(Debug, Clone, Default)]
pub(crate) struct UpdateOptions {
    pub(crate) revision_id: Option<String>,
    pub(crate) dry_run: bool,
    pub(crate) publish: bool,
}

/// An invocation that may run now. The slot is its place under the limits.
#[derive(Debug)]
pub(crate) struct AdmittedInvocation {
    pub(crate) version: Arc<FunctionVersion>,
    pub(crate) invoked_arn: String,
    pub(crate) slot: InvocationSlot,
}

impl Store {
    pub(crate) fn new(account: AwsAccount, rules: Rules) -> Self {
        Self { account, functions: BTreeMap::new(), rules, retired: Vec::new() }
    }

    /// Applies all changes that are in effect at `now`.
    pub(crate) fn settle(&mut self, now: Moment) {
        for function in self.functions.values_mut() {
            function.settle(now, &self.account, &mut self.retired);
        }
    }

    /// The snapshots that went out of service since the last call.
    pub(crate) fn take_retired(&mut self) -> Vec<Uuid> {
        std::mem::take(&mut self.retired)
    }

    pub(crate) fn function(
        &self,
        reference: &FunctionReference,
    ) -> Result<&FunctionRecord, Exception> {
        self.functions.get(&reference.name).ok_or_else(|| self.not_found(reference))
    }

    pub(crate) fn function_mut(
        &mut self,
        reference: &FunctionReference,
    ) -> Result<&mut FunctionRecord, Exception> {
        if !self.functions.contains_key(&reference.name) {
            return Err(self.not_found(reference));
        }
        Ok(self.functions.get_mut(&reference.name).expect("it was found just now"))
    }

    /// The version of a reference. For an alias with two versions, the first.
    pub(crate) fn version(
        &self,
        reference: &FunctionReference,
    ) -> Result<&VersionRecord, Exception> {
        let function = self.function(reference)?;
        function
            .resolve(reference.qualifier.as_ref(), 1.0)
            .and_then(|id| function.version(id))
            .ok_or_else(|| self.not_found(reference))
    }

    pub(crate) fn create_function(
        &mut self,
        new: NewFunctionRecord,
        now: Moment,
    ) -> Result<&VersionRecord, Exception> {
        if self.functions.contains_key(&new.name) {
            return Err(Exception::conflict(format!("Function already exist: {}", new.name)));
        }
        let phase = self.rules.creating(now);
        let (name, account) = (new.name.clone(), &self.account);
        let function =
            FunctionRecord::new(new.name, new.configuration, new.tags, account, now, phase);
        let function = self.functions.entry(name).or_insert(function);
        Ok(if new.publish { function.publish(None, account, now, phase) } else { &function.latest })
    }

    /// Changes `$LATEST`. Returns the version for the answer.
    pub(crate) fn update(
        &mut self,
        reference: &FunctionReference,
        change: ConfigurationChange,
        options: &UpdateOptions,
        now: Moment,
    ) -> Result<VersionRecord, Exception> {
        must_mean_latest(reference)?;
        let (rules, account) = (self.rules, self.account.clone());
        let function = self.function_mut(reference)?;
        function.must_be_at(options.revision_id.as_deref())?;
        function.must_be_settled(&account)?;
        let configuration = function.latest.configuration.changed(change);
        if options.dry_run {
            let mut preview = function.latest.clone();
            preview.configuration = configuration;
            return Ok(preview);
        }
        function.update(configuration, now, rules.update_delay);
        Ok(if options.publish {
            function.publish(None, &account, now, rules.creating(now)).clone()
        } else {
            function.latest.clone()
        })
    }

    pub(crate) fn publish_version(
        &mut self,
        reference: &FunctionReference,
        publication: Publication,
        now: Moment,
    ) -> Result<&VersionRecord, Exception> {
        let (rules, account) = (self.rules, self.account.clone());
        let function = self.function_mut(reference)?;
        function.must_be_at(publication.revision_id.as_deref())?;
        let current = &function.latest.configuration.package.sha256;
        if let Some(wanted) = publication.code_sha256.filter(|wanted| wanted != current) {
            return Err(Exception::invalid_parameter(format!(
                "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST \
                 ({current}). Please try again with the CodeSHA256 in $LATEST."
            )));
        }
        function.must_be_settled(&account)?;
        if function.unchanged_version().is_none() {
            function.moved(rules.revisions.publishing, now);
        }
        let start = rules.version_start.phase(now);
        Ok(function.publish(publication.description, &account, now, start))
    }

    /// Adds tags to a function, or changes their values.
    pub(crate) fn tag(
        &mut self,
        reference: &FunctionReference,
        tags: BTreeMap<String, String>,
        now: Moment,
    ) -> Result<(), Exception> {
        let moves = self.rules.revisions.tagging;
        let function = self.function_mut(reference)?;
        let added = tags.keys().filter(|key| !function.tags.contains_key(*key)).count();
        if function.tags.len() + added > TAG_LIMIT {
            return Err(too_many_tags());
        }
        function.tags.extend(tags);
        function.moved(moves, now);
        Ok(())
    }

    /// Removes tags of a function. A missing tag is no error.
    pub(crate) fn untag(
        &mut self,
        reference: &FunctionReference,
        keys: &[&str],
        now: Moment,
    ) -> Result<(), Exception> {
        let moves = self.rules.revisions.tagging;
        let function = self.function_mut(reference)?;
        function.tags.retain(|key, _| !keys.contains(&key.as_str()));
        function.moved(moves, now);
        Ok(())
    }

    /// Deletes a function, or one version of it.
    pub(crate) fn delete(&mut self, reference: &FunctionReference) -> Result<(), Exception> {
        let whole = FunctionReference { qualifier: None, ..reference.clone() };
        match &reference.qualifier {
            None => {
                self.function(reference)?;
                if let Some(function) = self.functions.remove(&reference.name) {
                    self.retired.extend(function.versions().map(|it| it.serving.snapshot));
                }
                Ok(())
            }
            Some(Qualifier::Latest) => Err(Exception::invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function.",
            )),
            Some(Qualifier::Alias(_)) => {
                self.function(&whole)?;
                Err(Exception::invalid_parameter("Deletion of aliases is not currently supported."))
            }
            Some(Qualifier::Number(number)) => self.delete_version(&whole, *number),
        }
    }

    /// Deletes a version without aliases. As on AWS, a missing version is no error.
    fn delete_version(
        &mut self,
        reference: &FunctionReference,
        number: u64,
    ) -> Result<(), Exception> {
        let function = self.function_mut(reference)?;
        let aliases: Vec<&str> = function
            .aliases
            .values()
            .filter(|alias| alias.points_to(number))
            .map(|alias| alias.name.as_str())
            .collect();
        if !aliases.is_empty() {
            return Err(Exception::conflict(format!(
                "Unable to delete version because the following aliases reference it: [{}]",
                aliases.join(", ")
            )));
        }
        if let Some(version) = function.published.remove(&number) {
            self.retired.push(version.serving.snapshot);
        }
        Ok(())
    }

    /// The package of a download link.
    pub(crate) fn package(&self, id: Uuid) -> Option<Arc<Package>> {
        let versions = self.functions.values().flat_map(FunctionRecord::versions);
        let mut packages = versions.map(|version| &version.configuration.package);
        packages.find(|package| package.id == id).cloned()
    }

    /// The error of `Invoke` and `PutFunctionConcurrency`, with `$LATEST` if there was no
    /// qualifier.
    fn latest_not_found(&self, reference: &FunctionReference) -> Exception {
        let qualifier = reference.qualifier.clone().unwrap_or(Qualifier::Latest);
        self.not_found(&FunctionReference { qualifier: Some(qualifier), ..reference.clone() })
    }

    fn not_found(&self, reference: &FunctionReference) -> Exception {
        let qualifier = reference.qualifier.as_ref().map(Qualifier::text);
        let arn = self.account.function_arn(&reference.name, qualifier.as_deref());
        Exception::function_not_found(&arn)
    }
}

/// Refuses a qualifier where only `$LATEST` can be changed.
fn must_mean_latest(reference: &FunctionReference) -> Result<(), Exception> {
    match &reference.qualifier {
        None | Some(Qualifier::Latest) => Ok(()),
        Some(other) => Err(Exception::invalid_parameter(format!(
            "Only $LATEST can be changed, not {}: leave the qualifier out.",
            other.text()
        ))),
    }
}
