//! The limit of an endpoint: invocations at a time, or per second.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// A limit of Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    None,
    /// Concurrency: the account's, or reserved for the function.
    InFlight(u32),
    /// Requests a second: 10 for each unit of concurrency.
    PerSecond(u32),
}

/// The time for which a rate limit saves up requests.
const SAVED: Duration = Duration::from_millis(100);

/// The `Reason`s that Lambda gives.
const OF_CONCURRENCY: [&str; 2] =
    ["ConcurrentInvocationLimitExceeded", "ReservedFunctionConcurrentInvocationLimitExceeded"];
const OF_RATE: [&str; 2] = ["FunctionInvocationRateLimitExceeded", "CallerRateLimitExceeded"];

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "nothing"),
            Self::InFlight(most) => write!(f, "{most} in flight"),
            Self::PerSecond(rate) => write!(f, "{rate} a second"),
        }
    }
}

impl Limit {
    /// The most requests that a rate limit saves up.
    pub(crate) fn saved(self) -> f64 {
        match self {
            Self::None | Self::InFlight(_) => 0.0,
            Self::PerSecond(rate) => f64::from(rate) * SAVED.as_secs_f64(),
        }
    }

    pub(crate) fn reason(self, nth: u32) -> &'static str {
        let reasons = match self {
            Self::None | Self::InFlight(_) => OF_CONCURRENCY,
            Self::PerSecond(_) => OF_RATE,
        };
        reasons[nth as usize % reasons.len()]
    }
}

/// A token bucket for the limits that need one.
#[derive(Debug)]
pub(crate) struct Admission {
    limit: Limit,
    tokens: f64,
    filled: Instant,
}

impl Admission {
    pub(crate) fn new(limit: Limit) -> Self {
        Self { limit, tokens: limit.saved(), filled: Instant::now() }
    }

    /// True if an invocation is let through while `running` others run.
    pub(crate) fn admits(&mut self, running: u32) -> bool {
        match self.limit {
            Limit::None => true,
            Limit::InFlight(most) => running < most,
            Limit::PerSecond(rate) => {
                let now = Instant::now();
                let granted = (now - self.filled).as_secs_f64() * f64::from(rate);
                self.tokens = (self.tokens + granted).min(self.limit.saved());
                self.filled = now;
                let admits = self.tokens >= 1.0;
                self.tokens -= f64::from(u8::from(admits));
                admits
            }
        }
    }
}
