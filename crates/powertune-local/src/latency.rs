//! Random delays of calls and answers, as on a network. Concurrent runs then meet in other orders
//! than with immediate answers.

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use rand::RngExt;

/// Delays every call of a router, and again its answer, by a random time of at most `longest`.
pub(crate) fn delayed(router: Router, longest: Duration) -> Router {
    if longest.is_zero() {
        return router;
    }
    router.layer(from_fn_with_state(longest, delay))
}

async fn delay(State(longest): State<Duration>, request: Request, next: Next) -> Response {
    travel(longest).await;
    let response = next.run(request).await;
    travel(longest).await;
    response
}

async fn travel(longest: Duration) {
    let share = rand::rng().random_range(0.0..=1.0);
    tokio::time::sleep(longest.mul_f64(share)).await;
}
