//! Concurrency: the account's limit, the functions' reservations, and the admission of invocations.

use super::{AdmittedInvocation, FunctionRecord, Store};
use crate::{
    exception::{Exception, ThrottleReason},
    reference::{FunctionReference, Qualifier},
};

/// AWS's minimum of an account's unreserved concurrency.
const UNRESERVED_MINIMUM: u32 = 100;

/// The answer to `GetAccountSettings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AccountSettings {
    pub(crate) concurrency: u32,
    pub(crate) unreserved_concurrency: u32,
    pub(crate) function_count: usize,
    pub(crate) code_size: u64,
}

impl Store {
    pub(crate) fn account_settings(&self) -> AccountSettings {
        let versions = self.functions.values().flat_map(FunctionRecord::versions);
        AccountSettings {
            concurrency: self.rules.concurrency_limit,
            unreserved_concurrency: self.unreserved(),
            function_count: self.functions.len(),
            code_size: versions.map(|it| it.configuration.package.size).sum(),
        }
    }

    pub(crate) fn put_concurrency(
        &mut self,
        reference: &FunctionReference,
        reserved: u32,
    ) -> Result<(), Exception> {
        let function = self.functions.get(&reference.name);
        let function = function.ok_or_else(|| self.latest_not_found(reference))?;
        let before = function.reserved_concurrency.unwrap_or(0);
        let minimum = UNRESERVED_MINIMUM.min(self.rules.concurrency_limit);
        if self.unreserved() + before < reserved.saturating_add(minimum) {
            return Err(Exception::untyped_invalid_parameter(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{minimum}]."
            )));
        }
        self.function_mut(reference)?.reserved_concurrency = Some(reserved);
        Ok(())
    }

    pub(crate) fn delete_concurrency(
        &mut self,
        reference: &FunctionReference,
    ) -> Result<(), Exception> {
        self.function_mut(reference)?.reserved_concurrency = None;
        Ok(())
    }

    /// Admits an invocation. `draw`, a random number from 0 up to 1, chooses between the two
    /// versions of an alias.
    pub(crate) fn admit(
        &self,
        reference: &FunctionReference,
        draw: f64,
    ) -> Result<AdmittedInvocation, Exception> {
        let missing = || self.latest_not_found(reference);
        let function = self.functions.get(&reference.name).ok_or_else(missing)?;
        let version = function
            .resolve(reference.qualifier.as_ref(), draw)
            .and_then(|id| function.version(id))
            .ok_or_else(missing)?
            .for_invocation()?;
        self.must_have_room(function)?;
        let qualifier = reference.qualifier.as_ref().map(Qualifier::text);
        Ok(AdmittedInvocation {
            version,
            invoked_arn: self.account.function_arn(&function.name, qualifier.as_deref()),
            slot: function.occupy_slot(),
        })
    }

    fn must_have_room(&self, function: &FunctionRecord) -> Result<(), Exception> {
        if let Some(reserved) = function.reserved_concurrency {
            return if function.running_invocations() < reserved as usize {
                Ok(())
            } else {
                Err(Exception::throttled(ThrottleReason::ReservedFunction))
            };
        }
        let sharing = self.functions.values().filter(|it| it.reserved_concurrency.is_none());
        let running: usize = sharing.map(FunctionRecord::running_invocations).sum();
        if running < self.unreserved() as usize {
            Ok(())
        } else {
            Err(Exception::throttled(ThrottleReason::Account))
        }
    }

    fn unreserved(&self) -> u32 {
        let reserved = self.functions.values().filter_map(|it| it.reserved_concurrency);
        self.rules.concurrency_limit.saturating_sub(reserved.sum())
    }
}
