//! A congestion window for invocations in flight, controlled by Lambda's refusals.
//!
//! The account's concurrency is known, but not the share of other callers, nor the limit of
//! requests a second. As in TCP, a window handles both: each invocation that ends makes room for
//! the next, and the rate follows from that (Little's law; "Performance Under Load" by Netflix does
//! the same for services).
//!
//! After a refusal the window shrinks to nine tenths of the invocations in flight (AIMD, with the
//! factor of Netflix's concurrency-limits). Lambda has no queue, so the invocations in flight are
//! those that Lambda accepted. The remaining tenth is for other callers: a run that holds the whole
//! limit would cause *their* refusals. Then the window grows as in BIC-TCP (Xu, Harfoush, Rhee
//! 2004): each time by half of the distance to the size at the last refusal, so it stays just below
//! that size for long; beyond that size by 1, 2, 4 and so on, in case the limit has risen.
//!
//! This module is pure; [`crate::gate`] makes the invocations wait.

use std::{mem, time::Duration};

use tokio::time::Instant;

/// After a refusal, one in this many places is given up.
const GIVEN_UP: u32 = 10;
/// The window grows after one window of accepted invocations. If each growth led to a refusal, it
/// waits for more, up to this many: one refusal in 50 is a low price for noticing a higher limit.
const MOST_CAUTIOUS: u32 = 50;
/// The longest time without an accepted invocation and with nothing in flight.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The window and its places. After it shrank there are more places than its size, until the excess
/// invocations end.
#[derive(Debug)]
pub(crate) struct Window {
    most: u32,
    size: u32,
    pub(crate) places: u32,
    /// The number in flight at the last refusal.
    refused_at: u32,
    /// The next growth beyond that number.
    step: u32,
    /// The invocations accepted since the last change of the window.
    let_through: u32,
    /// The least number of them before the window grows.
    caution: u32,
    /// True if it has grown since the last refusal.
    has_grown: bool,
    /// The time of the first refusal since an invocation was accepted or in flight.
    stalled: Option<Instant>,
}

/// The reaction of an invocation to its refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It leaves its place, waits, and queues for another: an invocation in flight will make room.
    LineUp,
    /// It keeps its place and waits: nothing is in flight that could make room.
    Wait,
    /// The wait is over.
    GiveUp,
}

impl Window {
    /// A window of the largest size.
    pub(crate) fn new(most: u32) -> Self {
        let most = most.max(1);
        Self {
            most,
            size: most,
            places: most,
            refused_at: most,
            step: 1,
            let_through: 0,
            caution: 1,
            has_grown: false,
            stalled: None,
        }
    }

    /// Takes in an accepted invocation, with this many free places. Returns the number of new
    /// places.
    pub(crate) fn let_through(&mut self, free: u32) -> u32 {
        self.stalled = None;
        // If the window is not full, an accepted invocation proves nothing about its size.
        let is_full = self.places - free == self.size;
        if !is_full || self.size == self.most {
            return 0;
        }
        self.let_through += 1;
        if self.let_through < self.size.max(self.caution) {
            return 0;
        }
        self.let_through = 0;
        self.has_grown = true;
        if self.size > self.refused_at {
            self.caution = 1;
        }
        let more = if self.size < self.refused_at {
            (self.refused_at - self.size).div_ceil(2)
        } else {
            let step = self.step;
            self.step = step.saturating_mul(2);
            step
        };
        self.size = self.size.saturating_add(more).min(self.most);
        let added = self.size.saturating_sub(self.places);
        self.places += added;
        added
    }

    /// Takes in a refusal, with this many free places. Returns how many of the free places are
    /// gone.
    pub(crate) fn refuse(&mut self, free: u32, now: Instant) -> (Refused, u32) {
        let others = (self.places - free).saturating_sub(1);
        self.refused_at = others.max(1);
        self.step = 1;
        self.let_through = 0;
        if mem::take(&mut self.has_grown) {
            self.caution = (2 * self.caution).min(MOST_CAUTIOUS);
        }
        self.size = self.size.min(others - others.div_ceil(GIVEN_UP)).max(1);
        let gone = free.min(self.places - self.size);
        self.places -= gone;
        let refused = if others > 0 {
            Refused::LineUp
        } else if self.is_over(now) {
            Refused::GiveUp
        } else {
            Refused::Wait
        };
        (refused, gone)
    }

    /// True if for too long nothing was accepted and nothing was in flight.
    fn is_over(&mut self, now: Instant) -> bool {
        let since = *self.stalled.get_or_insert(now);
        now.saturating_duration_since(since) > PATIENCE
    }

    /// An invocation leaves its place. Returns true if the place is gone with it.
    pub(crate) fn leave(&mut self) -> bool {
        let is_gone = self.places > self.size;
        self.places -= u32::from(is_gone);
        is_gone
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// An endpoint with a limit of concurrency and endless demand. Invocations end in the order of
    /// their starts.
    #[derive(Debug)]
    struct LimitedEndpoint {
        window: Window,
        limit: u32,
        running: u32,
        let_through: u32,
        refused: u32,
        now: Instant,
    }

    impl LimitedEndpoint {
        fn new(most: u32, limit: u32) -> Self {
            let window = Window::new(most);
            Self { window, limit, running: 0, let_through: 0, refused: 0, now: Instant::now() }
        }

        fn free(&self) -> u32 {
            self.window.places - self.running
        }

        fn step(&mut self) {
            while self.free() > 0 {
                self.running += 1;
                if self.running <= self.limit {
                    self.let_through += 1;
                    continue;
                }
                self.refused += 1;
                let (refused, _) = self.window.refuse(self.free(), self.now);
                self.running -= 1;
                if refused != Refused::LineUp {
                    return;
                }
                self.window.leave();
            }
            if self.running > 0 {
                self.window.let_through(self.free());
                self.running -= 1;
                self.window.leave();
            }
        }

        /// The average concurrency over this many steps, as a share of the limit.
        fn goodput(&mut self, steps: u32) -> f64 {
            let mut sum = 0;
            for _ in 0..steps {
                self.step();
                sum += self.running;
            }
            f64::from(sum) / f64::from(steps) / f64::from(self.limit.min(self.window.most))
        }
    }

    #[test]
    fn it_stays_close_below_the_limit_and_is_seldom_refused() {
        for limit in [10, 50, 200, 799] {
            let mut endpoint = LimitedEndpoint::new(800, limit);
            endpoint.goodput(1_000);
            (endpoint.let_through, endpoint.refused) = (0, 0);
            let goodput = endpoint.goodput(20_000);
            assert!(goodput > 0.85, "{limit}: {goodput}");
            let refused = f64::from(endpoint.refused) / f64::from(endpoint.let_through);
            assert!(endpoint.refused > 0 && refused < 0.02, "{limit}: {refused}");
        }
    }

    /// An endpoint that accepts `rate` invocations a millisecond, with a burst of a hundred times
    /// that. An invocation takes `ms`, up to a tenth more or less; a refused one waits for 50 ms.
    /// Returns the accepted share of the limit, and the refusals for each accepted one.
    fn at_a_rate(rate: f64, ms: usize) -> (f64, f64) {
        let mut window = Window::new(1_000);
        let (mut running, mut tokens) = (0, 0.0_f64);
        let (mut let_through, mut refusals, mut begun) = (0.0, 0.0, 0);
        // The number of ends in each millisecond; a refused invocation that keeps its place is in
        // flight.
        let mut ends = vec![(0, 0); 60_000 + 2 * ms.max(50)];
        for now in 0..60_000 {
            tokens = (tokens + rate).min(100.0 * rate);
            let (ended, tried_again) = ends[now];
            for _ in 0..ended {
                window.let_through(window.places - running);
                running -= 1;
                window.leave();
            }
            running -= tried_again;
            while running < window.places {
                running += 1;
                if tokens >= 1.0 {
                    (tokens, let_through) = (tokens - 1.0, let_through + 1.0);
                    begun += 1;
                    ends[now + ms * (90 + 13 * begun % 21) / 100].0 += 1;
                    continue;
                }
                refusals += 1.0;
                let (refused, _) = window.refuse(window.places - running, Instant::now());
                if refused == Refused::LineUp {
                    running -= 1;
                    window.leave();
                } else {
                    ends[now + 50].1 += 1;
                }
            }
        }
        (let_through / (60_000.0 * rate), refusals / let_through)
    }

    #[test]
    fn a_limit_of_the_rate_comes_down_to_a_window_too() {
        for (rate, ms) in [(1.0, 300), (0.4, 250), (0.1, 80), (2.0, 40)] {
            let (goodput, refused) = at_a_rate(rate, ms);
            assert!(goodput > 0.8, "{rate} a ms of {ms} ms: {goodput}");
            assert!(refused < 0.1, "{rate} a ms of {ms} ms: {refused} refusals for each");
        }
    }

    #[test]
    fn it_grows_back_when_there_is_more_again() {
        let mut endpoint = LimitedEndpoint::new(800, 0);
        endpoint.step();
        assert_eq!((endpoint.window.size, endpoint.window.places), (1, 1));
        endpoint.limit = 1_000;
        let steps = (0..).take_while(|_| {
            endpoint.step();
            endpoint.window.size < 800
        });
        let steps = steps.count();
        assert!(steps < 5_000, "{steps} invocations");
        assert_eq!(endpoint.refused, 1);
    }

    #[test]
    fn it_is_given_up_when_nothing_gets_through_and_nothing_runs() {
        let mut window = Window::new(10);
        let now = Instant::now();
        assert_eq!(window.refuse(8, now).0, Refused::LineUp, "another one is in flight");
        window.leave();
        assert_eq!(window.refuse(0, now).0, Refused::Wait);
        assert_eq!(window.refuse(0, now + PATIENCE).0, Refused::Wait);
        let late = now + PATIENCE + Duration::from_secs(1);
        let free = window.let_through(0);
        assert_eq!(window.refuse(free, late).0, Refused::Wait, "one was let through meanwhile");
        assert_eq!(window.refuse(0, late + 2 * PATIENCE).0, Refused::GiveUp);
    }

    #[derive(Debug, Clone, Copy)]
    enum Happens {
        LetThrough,
        Refused,
        Left,
    }

    proptest! {
        #[test]
        fn it_is_always_within_its_bounds(
            most in 0_u32..50,
            happen in vec((prop_oneof![
                Just(Happens::LetThrough), Just(Happens::Refused), Just(Happens::Left),
            ], any::<u32>()), 0..500),
        ) {
            let mut window = Window::new(most);
            let now = Instant::now();
            for (happens, draw) in happen {
                let free = draw % window.places;
                match happens {
                    Happens::LetThrough => {
                        let before = window.places;
                        let more = window.let_through(free);
                        prop_assert_eq!(window.places, before + more);
                    }
                    Happens::Refused => {
                        let (refused, gone) = window.refuse(free, now);
                        prop_assert!(gone <= free);
                        prop_assert_eq!(refused == Refused::Wait, window.places == 1);
                    }
                    Happens::Left => {
                        window.leave();
                    }
                }
                prop_assert!((1..=window.most).contains(&window.size));
                prop_assert!((window.size..=window.most).contains(&window.places));
            }
        }
    }
}
