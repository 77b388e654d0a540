//! The random faults of a run.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::crash::{
    fault::Fault,
    operation::Operation,
    single::{ANYWHERE, OF_CHANGES, OF_INVOCATIONS},
    strike::{DENIED, EXPIRED},
    trap::{Aim, Moment, Trap},
};

/// Every operation that a run calls.
const OPERATIONS: &[Operation] = &[
    Operation::GetFunction,
    Operation::GetFunctionOfVersion,
    Operation::GetAccountSettings,
    Operation::ListTags,
    Operation::ListVersionsByFunction,
    Operation::Invoke,
    Operation::TagResource,
    Operation::UntagResource,
    Operation::UpdateFunctionConfiguration,
    Operation::PublishVersion,
    Operation::DeleteFunction,
    Operation::CreateAlias,
    Operation::UpdateAlias,
];
/// The probabilities of a fault in a request: some runs have none.
const RATES: &[f64] = &[0.0, 0.01, 0.03, 0.06, 0.12, 0.25];
/// The most requests of one operation that get a fault.
const REQUESTS: usize = 60;
/// The faults that may last. A run waits two minutes for the end of throttling, invocation by
/// invocation.
const LASTING: &[Fault] = &[
    Fault::exception(500, "ServiceException"),
    EXPIRED,
    DENIED,
    Fault::Gateway(502),
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Cut,
];

pub(super) fn pick<T: Clone>(chance: &mut ChaCha8Rng, of: &[T]) -> T {
    of[chance.random_range(0..of.len())].clone()
}

/// The faults of a `tune`.
pub(super) fn of_tune(chance: &mut ChaCha8Rng) -> Vec<Trap> {
    let mut traps = Vec::new();
    if chance.random_bool(0.2) {
        let moment = pick(chance, &Moment::BOTH);
        traps.push(Trap::Crash { nth: chance.random_range(1..=16), moment });
    }
    if chance.random_bool(0.08) {
        let operation = chance.random_bool(0.5).then(|| pick(chance, OPERATIONS));
        let aim = Aim::from(operation, chance.random_range(1..=40));
        traps.push(Trap::Fault { aim, fault: pick(chance, LASTING) });
    }
    traps.extend(passing(chance));
    traps
}

/// The faults of a `clean`.
pub(super) fn of_clean(chance: &mut ChaCha8Rng) -> Vec<Trap> {
    passing(chance)
}

fn passing(chance: &mut ChaCha8Rng) -> Vec<Trap> {
    let rate = pick(chance, RATES);
    let mut traps = Vec::new();
    for &operation in OPERATIONS {
        let faults = faults_of(operation);
        for nth in 1..=REQUESTS {
            if chance.random_bool(rate) {
                let aim = Aim::at(operation, nth);
                traps.push(Trap::Fault { aim, fault: pick(chance, &faults) });
            }
        }
    }
    traps
}

fn faults_of(operation: Operation) -> Vec<Fault> {
    let further = match operation {
        Operation::Invoke => OF_INVOCATIONS,
        Operation::GetFunction | Operation::GetFunctionOfVersion => {
            &[Fault::Pending, Fault::Failed]
        }
        operation if operation.is_change() => OF_CHANGES,
        _ => &[],
    };
    ANYWHERE.iter().chain(further).copied().collect()
}
