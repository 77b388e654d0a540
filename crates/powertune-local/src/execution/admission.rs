//! Admission divides the CPU of this host so that two functions never share the time of a core.
//!
//! A measurement has a meaning only if the function had the CPU of its memory size. So a running
//! environment holds a [`Grant`] of its share, and the sum of all grants never exceeds the host.
//! The time of waiting for a grant is not measured. The order is first come, first served, so that
//! small shares do not overtake a large share for ever.
//!
//! Functions that run side by side share three quarters of the host. A function that needs more
//! runs alone. Shares that fill the cores disturb each other: on two cores, 0.87 of a vCPU beside
//! 0.58, 0.29, 0.14 and 0.07 took 40 % longer than alone.
//!
//! A server that measures nothing can lift the limits. Then every invocation runs at once, with the
//! whole host.
//!
//! Shares are counted in megabytes of memory, because Lambda sells CPU so: 1,769 MB are one vCPU.
//! The sums are exact then.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Megabytes of memory that come with one vCPU. Source: AWS's documentation of a function's memory.
pub(super) const MB_PER_VCPU: u32 = 1769;

/// A share of CPU, as the memory size that it comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share {
    mb: u32,
}

impl Share {
    pub(super) fn of_memory(memory_mb: u32) -> Self {
        Self { mb: memory_mb }
    }

    /// The share of an environment while it initialises: Lambda gives it one vCPU at least.
    pub(super) fn during_init(self) -> Self {
        Self { mb: self.mb.max(MB_PER_VCPU) }
    }

    /// Microseconds of CPU time in each `period_us`.
    pub(super) fn quota_us(self, period_us: u64) -> u64 {
        (u64::from(self.mb) * period_us + u64::from(MB_PER_VCPU / 2)) / u64::from(MB_PER_VCPU)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Admission {
    vcpus: u32,
    lifted: bool,
    semaphore: Arc<Semaphore>,
}

/// The server shuts down, and admits nothing more.
#[derive(Debug)]
pub(super) struct Closed;

impl Admission {
    pub(super) fn new(vcpus: u32) -> Self {
        let room = usize::try_from(room_mb(vcpus)).expect("32 bits fit into usize");
        Self { vcpus, lifted: false, semaphore: Arc::new(Semaphore::new(room)) }
    }

    /// Admits everything at once, with the whole host.
    pub(super) fn lifted(vcpus: u32) -> Self {
        Self { lifted: true, ..Self::new(vcpus) }
    }

    pub(super) fn vcpus(&self) -> u32 {
        self.vcpus
    }

    /// True if `share` is more than the whole host.
    pub(super) fn exceeds_host(&self, share: Share) -> bool {
        share.mb > self.vcpus * MB_PER_VCPU
    }

    /// The part of `share` that this host can give, at most the whole host.
    pub(super) fn within_host(&self, share: Share) -> Share {
        let host = self.vcpus * MB_PER_VCPU;
        Share { mb: if self.lifted { host } else { share.mb.min(host) } }
    }

    /// Waits until `share` is free, or the whole host if `share` exceeds it.
    pub(super) async fn admit(&self, share: Share) -> Result<Grant, Closed> {
        let share = self.within_host(share);
        let room = if self.lifted { 0 } else { share.mb.min(room_mb(self.vcpus)) };
        let permit = Arc::clone(&self.semaphore).acquire_many_owned(room).await;
        let permit = permit.map_err(|_closed| Closed)?;
        Ok(Grant { share, fixed: self.lifted, permit })
    }

    /// Refuses all waiting and all later calls of [`Self::admit`].
    pub(super) fn close(&self) {
        self.semaphore.close();
    }
}

/// The room for functions that run side by side, in MB.
fn room_mb(vcpus: u32) -> u32 {
    vcpus * MB_PER_VCPU / 4 * 3
}

/// A share of the host's CPU, free again when dropped.
#[derive(Debug)]
pub(super) struct Grant {
    share: Share,
    /// The share does not shrink, because it takes nothing from others.
    fixed: bool,
    /// The share's part of the room. A share that runs alone has the whole room.
    permit: OwnedSemaphorePermit,
}

impl Grant {
    pub(super) fn share(&self) -> Share {
        self.share
    }

    /// Frees everything above `share`.
    pub(super) fn shrink_to(&mut self, share: Share) {
        if self.fixed {
            return;
        }
        self.share = self.share.min(share);
        let excess = self.permit.num_permits().saturating_sub(self.share.mb as usize);
        drop(self.permit.split(excess));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::task::JoinSet;

    use super::*;

    #[test]
    fn quota_is_proportional_to_memory_and_above_the_kernels_minimum() {
        for (mb, quota) in [(128, 1447), (512, 5789), (1024, 11577), (1769, 20000), (3538, 40000)] {
            assert_eq!(Share::of_memory(mb).quota_us(20_000), quota, "{mb} MB");
        }
    }

    #[test]
    fn init_gets_a_whole_vcpu_at_least() {
        assert_eq!(Share::of_memory(128).during_init(), Share::of_memory(MB_PER_VCPU));
        assert_eq!(Share::of_memory(3008).during_init(), Share::of_memory(3008));
    }

    #[tokio::test]
    async fn a_share_beyond_the_host_takes_all_of_it() {
        let admission = Admission::new(2);
        let share = Share::of_memory(10_240);
        assert!(admission.exceeds_host(share));
        let grant = admission.admit(share).await.unwrap();
        assert_eq!(grant.share(), Share::of_memory(2 * MB_PER_VCPU));
        assert_eq!(admission.semaphore.available_permits(), 0);
    }

    #[tokio::test]
    async fn what_is_lifted_holds_nobody_back() {
        let admission = Admission::lifted(1);
        let mut grants = Vec::new();
        for _ in 0..100 {
            let mut grant = admission.admit(Share::of_memory(3008)).await.unwrap();
            grant.shrink_to(Share::of_memory(128));
            assert_eq!(grant.share(), Share::of_memory(MB_PER_VCPU));
            grants.push(grant);
        }
        admission.close();
        assert!(admission.admit(Share::of_memory(128)).await.is_err());
    }

    #[tokio::test]
    async fn shrinking_gives_back_the_rest() {
        let admission = Admission::new(1);
        let mut grant = admission.admit(Share::of_memory(1000)).await.unwrap();
        grant.shrink_to(Share::of_memory(128));
        assert_eq!(grant.share(), Share::of_memory(128));
        grant.shrink_to(Share::of_memory(512));
        assert_eq!(grant.share(), Share::of_memory(128), "it never grows");
        assert_eq!(admission.semaphore.available_permits(), room_mb(1) as usize - 128);
    }

    #[tokio::test]
    async fn a_share_beyond_the_common_room_is_whole_and_runs_alone() {
        let admission = Admission::new(2);
        let large = admission.admit(Share::of_memory(3008)).await.unwrap();
        assert_eq!(large.share(), Share::of_memory(3008));
        let mut small = Box::pin(admission.admit(Share::of_memory(128)));
        assert!(futures::poll!(&mut small).is_pending());
        drop(large);
        small.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_sum_of_shares_never_exceeds_the_host() {
        let admission = Admission::new(2);
        let in_use = Arc::new(AtomicU32::new(0));
        let mut tasks = JoinSet::new();
        for n in 0..200_u32 {
            let (admission, in_use) = (admission.clone(), Arc::clone(&in_use));
            let mb = [128, 512, 1769, 3008, 10_240][n as usize % 5];
            tasks.spawn(async move {
                let grant = admission.admit(Share::of_memory(mb)).await.unwrap();
                let mb = grant.share().mb;
                let before = in_use.fetch_add(mb, Ordering::SeqCst);
                assert!(before + mb <= 2 * MB_PER_VCPU, "{before} + {mb}");
                tokio::task::yield_now().await;
                in_use.fetch_sub(mb, Ordering::SeqCst);
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    }

    #[tokio::test]
    async fn a_large_share_is_not_overtaken() {
        let admission = Admission::new(1);
        let first = admission.admit(Share::of_memory(128)).await.unwrap();
        let mut large = Box::pin(admission.admit(Share::of_memory(1769)));
        assert!(futures::poll!(&mut large).is_pending());
        let mut small = Box::pin(admission.admit(Share::of_memory(128)));
        assert!(futures::poll!(&mut small).is_pending(), "there is room, but not out of turn");
        drop(first);
        let large = large.await.unwrap();
        assert!(futures::poll!(&mut small).is_pending());
        drop(large);
        small.await.unwrap();
    }

    #[tokio::test]
    async fn closing_turns_away_what_waits() {
        let admission = Admission::new(1);
        let _all = admission.admit(Share::of_memory(1769)).await.unwrap();
        let mut waiting = Box::pin(admission.admit(Share::of_memory(128)));
        assert!(futures::poll!(&mut waiting).is_pending());
        admission.close();
        assert!(waiting.await.is_err());
    }
}
