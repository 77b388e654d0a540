//! Aliases: names for one version, or for two versions that share the invocations.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    Store,
    function::{FunctionRecord, VersionId},
};
use crate::{
    exception::Exception,
    reference::{FunctionReference, Qualifier},
};

#[derive(Debug, Clone)]
pub(crate) struct AliasRecord {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) version: VersionId,
    pub(crate) routing: Option<Routing>,
    pub(crate) revision_id: Uuid,
}

/// `RoutingConfig` of an alias: the second version, and its share of invocations from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Routing {
    pub(crate) version: u64,
    pub(crate) weight: f64,
}

/// The changes of an update of an alias. `None` is no change.
#[derive(Debug, Clone, Default)]
pub(crate) struct AliasChange {
    pub(crate) description: Option<String>,
    pub(crate) version: Option<VersionId>,
    pub(crate) routing: RoutingChange,
    pub(crate) revision_id: Option<String>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum RoutingChange {
    #[default]
    Keep,
    Remove,
    Set(Routing),
}

impl RoutingChange {
    fn applied_to(self, old: Option<Routing>) -> Option<Routing> {
        match self {
            Self::Keep => old,
            Self::Remove => None,
            Self::Set(routing) => Some(routing),
        }
    }
}

impl AliasRecord {
    /// The version of an invocation. `draw` is a random number from 0 up to 1.
    pub(super) fn route(&self, draw: f64) -> VersionId {
        match self.routing {
            Some(routing) if draw < routing.weight => VersionId::Number(routing.version),
            _ => self.version,
        }
    }

    pub(super) fn points_to(&self, number: u64) -> bool {
        self.version == VersionId::Number(number)
            || self.routing.is_some_and(|routing| routing.version == number)
    }
}

impl Store {
    pub(crate) fn create_alias(
        &mut self,
        reference: &FunctionReference,
        name: &str,
        version: VersionId,
        change: AliasChange,
    ) -> Result<AliasRecord, Exception> {
        let arn = self.account.function_arn(&reference.name, Some(name));
        // AWS reports a missing function as a missing version.
        let function = self.functions.get(&reference.name).ok_or_else(|| {
            let arn = self.account.function_arn(&reference.name, Some(&version.text()));
            Exception::function_not_found(&arn)
        })?;
        if function.aliases.contains_key(name) {
            return Err(Exception::conflict(format!("Alias already exists: {arn}")));
        }
        let alias = AliasRecord {
            name: name.to_owned(),
            description: change.description.unwrap_or_default(),
            version,
            routing: change.routing.applied_to(None),
            revision_id: Uuid::new_v4(),
        };
        self.must_be_routable(function, &alias)?;
        self.put_alias(reference, alias)
    }

    pub(crate) fn update_alias(
        &mut self,
        reference: &FunctionReference,
        name: &str,
        change: AliasChange,
    ) -> Result<AliasRecord, Exception> {
        let arn = self.account.function_arn(&reference.name, Some(name));
        let function = self.function(reference)?;
        let old = function
            .aliases
            .get(name)
            .ok_or_else(|| Exception::not_found(format!("Alias not found: {arn}")))?;
        if change.revision_id.is_some_and(|revision| revision != old.revision_id.to_string()) {
            return Err(Exception::stale_revision());
        }
        let alias = AliasRecord {
            name: old.name.clone(),
            description: change.description.unwrap_or_else(|| old.description.clone()),
            version: change.version.unwrap_or(old.version),
            routing: change.routing.applied_to(old.routing),
            revision_id: Uuid::new_v4(),
        };
        self.must_be_routable(function, &alias)?;
        self.put_alias(reference, alias)
    }

    pub(crate) fn alias(
        &self,
        reference: &FunctionReference,
        name: &str,
    ) -> Result<&AliasRecord, Exception> {
        let arn = self.account.function_arn(&reference.name, Some(name));
        self.function(reference)?
            .aliases
            .get(name)
            .ok_or_else(|| Exception::not_found(format!("Cannot find alias arn: {arn}")))
    }

    /// Deletes an alias. As on AWS, a missing alias is no error.
    pub(crate) fn delete_alias(
        &mut self,
        reference: &FunctionReference,
        name: &str,
    ) -> Result<(), Exception> {
        self.function_mut(reference)?.aliases.remove(name);
        Ok(())
    }

    /// All aliases of a function, or the aliases of one version.
    pub(crate) fn aliases(
        &self,
        reference: &FunctionReference,
        version: Option<VersionId>,
    ) -> Result<BTreeMap<String, AliasRecord>, Exception> {
        let mut aliases = self.function(reference)?.aliases.clone();
        aliases.retain(|_, alias| version.is_none_or(|version| alias.version == version));
        Ok(aliases)
    }

    fn put_alias(
        &mut self,
        reference: &FunctionReference,
        alias: AliasRecord,
    ) -> Result<AliasRecord, Exception> {
        let aliases = &mut self.function_mut(reference)?.aliases;
        aliases.insert(alias.name.clone(), alias.clone());
        Ok(alias)
    }

    /// Refuses an alias whose versions are missing or may not share invocations.
    fn must_be_routable(
        &self,
        function: &FunctionRecord,
        alias: &AliasRecord,
    ) -> Result<(), Exception> {
        let must_exist = |id: VersionId| {
            function.version(id).map(|_| ()).ok_or_else(|| {
                let arn = self.account.function_arn(&function.name, Some(&id.text()));
                Exception::function_not_found(&arn)
            })
        };
        must_exist(alias.version)?;
        let Some(routing) = alias.routing else { return Ok(()) };
        if alias.version == VersionId::Latest {
            return Err(Exception::untyped_invalid_parameter(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if alias.version == VersionId::Number(routing.version) {
            let number = routing.version;
            return Err(Exception::invalid_parameter(format!(
                "Invalid function version {number}. FunctionRecord version {number} is already included \
                 in routing configuration."
            )));
        }
        must_exist(VersionId::Number(routing.version))
    }
}

impl FunctionRecord {
    /// The version of a qualifier. `draw` chooses between the two versions of an alias.
    pub(super) fn resolve(&self, qualifier: Option<&Qualifier>, draw: f64) -> Option<VersionId> {
        match qualifier {
            None | Some(Qualifier::Latest) => Some(VersionId::Latest),
            Some(Qualifier::Number(number)) => Some(VersionId::Number(*number)),
            Some(Qualifier::Alias(name)) => self.aliases.get(name).map(|alias| alias.route(draw)),
        }
    }
}
