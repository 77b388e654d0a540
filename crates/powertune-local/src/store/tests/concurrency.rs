use super::*;

#[test]
fn the_account_limit_counts_what_runs() {
    let (mut store, mut clock) = (empty_store(2), TestClock::new());
    store.create_function(record("f"), clock.0).unwrap();
    store.create_function(record("g"), clock.0).unwrap();
    clock.advance(&mut store);
    let first = store.admit(&named("f"), 0.0).unwrap();
    let _second = store.admit(&named("g"), 0.0).unwrap();
    let refused = kind(store.admit(&named("f"), 0.0));
    assert_eq!(refused, ExceptionKind::TooManyRequests(ThrottleReason::Account));
    drop(first);
    assert!(store.admit(&named("g"), 0.0).is_ok());
}

#[test]
fn reserved_concurrency_is_a_limit_and_a_guarantee() {
    let (mut store, mut clock) = (empty_store(102), TestClock::new());
    store.create_function(record("f"), clock.0).unwrap();
    store.create_function(record("g"), clock.0).unwrap();
    clock.advance(&mut store);
    assert_eq!(kind(store.put_concurrency(&named("f"), 3)), ExceptionKind::InvalidParameterValue);
    store.put_concurrency(&named("f"), 1).unwrap();
    assert_eq!(store.account_settings().unreserved_concurrency, 101);

    let running = store.admit(&named("f"), 0.0).unwrap();
    let refused = kind(store.admit(&named("f"), 0.0));
    assert_eq!(refused, ExceptionKind::TooManyRequests(ThrottleReason::ReservedFunction));
    let others: Vec<_> = (0..101).map(|_| store.admit(&named("g"), 0.0).unwrap()).collect();
    let refused = kind(store.admit(&named("g"), 0.0));
    assert_eq!(refused, ExceptionKind::TooManyRequests(ThrottleReason::Account));
    drop(running);
    assert!(store.admit(&named("f"), 0.0).is_ok(), "what is reserved stays free");
    drop(others);

    store.put_concurrency(&named("f"), 2).unwrap();
    store.put_concurrency(&named("f"), 0).unwrap();
    let refused = kind(store.admit(&named("f"), 0.0));
    assert_eq!(refused, ExceptionKind::TooManyRequests(ThrottleReason::ReservedFunction));
    store.delete_concurrency(&named("f")).unwrap();
    assert!(store.admit(&named("f"), 0.0).is_ok());
}
