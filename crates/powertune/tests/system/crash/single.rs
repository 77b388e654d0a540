//! Single faults: each fault that a request can have, at one or more requests of each operation.

use std::time::Duration;

use crate::crash::{
    fault::{Fault, Log},
    kind::ALIAS,
    operation::Operation,
    strike::{EXPIRED, NEW_ALIAS, Strike},
    trap::Aim,
};

/// The requests of each operation that get a fault, counted from 1: in the middle, and after
/// measuring.
const TARGETS: &[(Operation, &[usize])] = &[
    (Operation::GetFunction, &[1, 5]),
    (Operation::GetFunctionOfVersion, &[2]),
    (Operation::GetAccountSettings, &[1]),
    // Also the second and the third page.
    (Operation::ListVersionsByFunction, &[1, 2, 3]),
    (Operation::TagResource, &[1]),
    (Operation::UpdateFunctionConfiguration, &[1, 3, 5]),
    (Operation::PublishVersion, &[2, 6]),
    (Operation::UpdateAlias, &[1]),
    (Operation::CreateAlias, &[1]),
    (Operation::DeleteFunction, &[2]),
    (Operation::UntagResource, &[1]),
    (Operation::Invoke, &[1, 4]),
];

/// The faults of any call.
pub(crate) const ANYWHERE: &[Fault] = &[
    Fault::throttled("CallerRateLimitExceeded"),
    Fault::exception(500, "ServiceException"),
    EXPIRED,
    Fault::Gateway(502),
    Fault::Gateway(503),
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Cut,
    Fault::Slow(Duration::from_secs(2)),
];

/// The faults of a change.
pub(crate) const OF_CHANGES: &[Fault] = &[
    Fault::exception(409, "ResourceConflictException"),
    Fault::exception(412, "PreconditionFailedException"),
];

/// The faults of an invocation.
pub(crate) const OF_INVOCATIONS: &[Fault] = &[
    Fault::throttled("ConcurrentInvocationLimitExceeded"),
    Fault::throttled("FunctionInvocationRateLimitExceeded"),
    Fault::throttled("ReservedFunctionConcurrentInvocationLimitExceeded"),
    Fault::throttled("ReservedFunctionInvocationRateLimitExceeded"),
    Fault::throttled("ConcurrentSnapshotCreateLimitExceeded"),
    Fault::exception(409, "ResourceConflictException"),
    Fault::exception(409, "SnapStartNotReadyException"),
    Fault::exception(502, "ResourceNotReadyException"),
    Fault::exception(502, "EC2ThrottledException"),
    Fault::exception(502, "ENILimitReachedException"),
    Fault::exception(502, "KMSAccessDeniedException"),
    Fault::Log(Log::Missing),
    Fault::Log(Log::NotBase64),
    Fault::Log(Log::Rubbish),
    Fault::Log(Log::OfAnother),
    Fault::OtherVersion,
];

/// The number of answers with a pending state: some five seconds.
const POLLS: usize = 20;

/// Every fault at every target.
pub(crate) fn all() -> Vec<Strike> {
    let mut strikes = states();
    for &(operation, targets) in TARGETS {
        let further = match operation {
            Operation::Invoke => OF_INVOCATIONS,
            Operation::PublishVersion => &[
                OF_CHANGES[0],
                OF_CHANGES[1],
                Fault::exception(400, "CodeStorageExceededException"),
            ],
            operation if operation.is_change() => OF_CHANGES,
            _ => &[],
        };
        for &nth in targets {
            let faults = ANYWHERE.iter().chain(further);
            let strike = |&fault| Strike::new(Aim::at(operation, nth), fault);
            // UpdateAlias moves the user's own alias, CreateAlias makes a new one.
            let alias = if operation == Operation::UpdateAlias { ALIAS } else { NEW_ALIAS };
            strikes.extend(faults.map(strike).map(|strike| Strike { alias, ..strike }));
        }
    }
    strikes
}

/// Pending and failed states of `$LATEST` and of versions.
fn states() -> Vec<Strike> {
    let aims = [Operation::GetFunction, Operation::GetFunctionOfVersion].map(|operation| {
        [2, 3].map(|nth| {
            (
                Aim::at(operation, nth),
                Aim { operation: Some(operation), requests: nth..=nth + POLLS },
            )
        })
    });
    aims.into_iter()
        .flatten()
        .flat_map(|(once, long)| {
            [Strike::new(once, Fault::Failed), Strike::new(long, Fault::Pending)]
        })
        .collect()
}

/// Answers that never come: the client has to give up.
pub(crate) fn silences() -> Vec<Strike> {
    [
        (Operation::GetFunction, 4),
        (Operation::UpdateFunctionConfiguration, 2),
        (Operation::PublishVersion, 2),
        (Operation::CreateAlias, 1),
        (Operation::DeleteFunction, 1),
        (Operation::UntagResource, 1),
        (Operation::Invoke, 3),
    ]
    .into_iter()
    .map(|(operation, nth)| Strike {
        timeout_s: 1,
        ..Strike::new(Aim::at(operation, nth), Fault::Silent)
    })
    .collect()
}
