//! Lasting faults: from some request on, all requests of an operation, or all requests, fail.

use std::time::Duration;

use crate::crash::{
    fault::{Fault, Log},
    kind::ALIAS,
    operation::Operation::{
        CreateAlias, DeleteFunction, GetFunction, GetFunctionOfVersion, Invoke,
        ListVersionsByFunction, PublishVersion, TagResource, UntagResource, UpdateAlias,
        UpdateFunctionConfiguration,
    },
    strike::{
        DENIED, EXPIRED,
        Ending::{self, Answer, Error, LeftBehind},
        Strike,
    },
    trap::Aim,
};

const INTERNAL: Fault = Fault::exception(500, "ServiceException");
const CONFLICT: Fault = Fault::exception(409, "ResourceConflictException");

/// Each lasting fault, with the expected end of the run.
pub(crate) fn all() -> Vec<Strike> {
    let slow = Fault::Slow(Duration::from_millis(200));
    let anything = [
        // Before a change, and in the middle.
        (1, Fault::ResetBefore, Error),
        (1, EXPIRED, Error),
        // The tags may exist: the run can't know.
        (5, Fault::ResetBefore, LeftBehind),
        (6, EXPIRED, LeftBehind),
        (9, Fault::ResetBefore, LeftBehind),
        (14, Fault::Gateway(503), LeftBehind),
        (20, EXPIRED, LeftBehind),
        (30, Fault::ResetAfter, LeftBehind),
        (1, slow, Answer),
    ];
    let of_one = [
        (GetFunction, 3, DENIED, Error),
        (GetFunction, 7, DENIED, LeftBehind),
        (GetFunction, 6, Fault::Cut, LeftBehind),
        (GetFunction, 3, Fault::Failed, Error),
        (GetFunctionOfVersion, 2, Fault::Failed, Error),
        (TagResource, 1, DENIED, Error),
        (TagResource, 1, Fault::ResetAfter, Error),
        (UpdateFunctionConfiguration, 1, DENIED, Error),
        (UpdateFunctionConfiguration, 2, DENIED, LeftBehind),
        (UpdateFunctionConfiguration, 2, CONFLICT, LeftBehind),
        (UpdateFunctionConfiguration, 2, Fault::ResetAfter, Answer),
        (PublishVersion, 2, Fault::exception(400, "CodeStorageExceededException"), Error),
        (PublishVersion, 2, CONFLICT, Error),
        (PublishVersion, 2, Fault::ResetAfter, Error),
        (ListVersionsByFunction, 1, INTERNAL, LeftBehind),
        (ListVersionsByFunction, 2, INTERNAL, LeftBehind),
        (DeleteFunction, 1, INTERNAL, LeftBehind),
        (DeleteFunction, 3, CONFLICT, LeftBehind),
        (DeleteFunction, 2, Fault::ResetAfter, LeftBehind),
        (UntagResource, 1, DENIED, LeftBehind),
        (UntagResource, 1, Fault::ResetAfter, LeftBehind),
        (CreateAlias, 1, INTERNAL, Error),
        (CreateAlias, 1, Fault::ResetAfter, Answer),
        (Invoke, 1, DENIED, Error),
        (Invoke, 1, Fault::Gateway(502), Error),
        (Invoke, 8, Fault::ResetAfter, Answer),
        (Invoke, 8, EXPIRED, Answer),
        (Invoke, 8, Fault::Log(Log::Missing), Answer),
    ];
    // The last change of a run is that of the user's own alias.
    let of_alias = [(UpdateAlias, 1, INTERNAL, Error), (UpdateAlias, 1, Fault::ResetAfter, Answer)];
    let anything = anything.map(|(nth, fault, ending)| strike(Aim::from(None, nth), fault, ending));
    let of_one = of_one.map(|(operation, nth, fault, ending)| {
        strike(Aim::from(Some(operation), nth), fault, ending)
    });
    let of_alias = of_alias.map(|(operation, nth, fault, ending)| Strike {
        alias: ALIAS,
        ..strike(Aim::from(Some(operation), nth), fault, ending)
    });
    anything.into_iter().chain(of_one).chain(of_alias).collect()
}

/// The lasting faults that leave work for the user.
pub(crate) fn leaving() -> Vec<Strike> {
    all().into_iter().filter(|strike| strike.ending == Some(LeftBehind)).collect()
}

fn strike(aim: Aim, fault: Fault, ending: Ending) -> Strike {
    Strike { ending: Some(ending), ..Strike::new(aim, fault) }
}
