//! Families of functions: each has a curve of the duration over the memory, and noise.

use powertune_core::{observation::Outcome, power::Power};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::run::{Function, Invocation, counted};

/// A family of functions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Family {
    /// One computing thread, which is no faster beyond one vCPU.
    CpuBound,
    /// Two threads and a serial part.
    MultiThreaded,
    /// Waits for other services, so the memory has no effect.
    Waiting,
    /// A few milliseconds, where billing rounds up by a large share.
    Short,
    /// Slow beyond proportion below 512 MB.
    JvmLike,
    /// Every fifth invocation takes three times as long.
    Bimodal,
    /// Always uneven, and now and then ten times slower.
    HeavyTailed,
    /// Some environments are a tenth slower or faster than others at every power.
    UnevenHosts,
    /// Slower from one invocation to the next.
    Drifting,
}

pub(crate) const ALL: [Family; 9] = [
    Family::CpuBound,
    Family::MultiThreaded,
    Family::Waiting,
    Family::Short,
    Family::JvmLike,
    Family::Bimodal,
    Family::HeavyTailed,
    Family::UnevenHosts,
    Family::Drifting,
];

impl Family {
    /// The median duration at a power, in milliseconds.
    fn median_ms(self, power: Power) -> f64 {
        let vcpus = power.vcpus();
        let mb = f64::from(power.mb());
        match self {
            Self::CpuBound | Self::UnevenHosts | Self::Drifting => 20.0 + 400.0 / vcpus.min(1.0),
            Self::MultiThreaded => 30.0 + 400.0 / vcpus.min(2.0),
            Self::Waiting => 250.0 + 1.0 / vcpus,
            Self::Short => 1.0 + 0.15 / vcpus.min(1.0),
            Self::JvmLike => (40.0 + 60.0 / vcpus.min(1.0)) * (1.0 + (512.0 / mb - 1.0).max(0.0)),
            Self::Bimodal | Self::HeavyTailed => 50.0 + 150.0 / vcpus.min(1.0),
        }
    }

    /// The factor between an invocation and the median.
    fn noise(self, number: u32, rng: &mut ChaCha8Rng) -> f64 {
        let tame = (0.05 * gauss(rng)).exp();
        match self {
            Self::CpuBound
            | Self::MultiThreaded
            | Self::Waiting
            | Self::JvmLike
            | Self::UnevenHosts => tame,
            Self::Short => (0.2 * gauss(rng)).exp(),
            Self::Bimodal => tame * if rng.random::<f64>() < 0.2 { 3.0 } else { 1.0 },
            Self::HeavyTailed => {
                (0.5 * gauss(rng)).exp() * if rng.random::<f64>() < 0.02 { 10.0 } else { 1.0 }
            }
            Self::Drifting => tame * (1.0 + 0.02 * f64::from(number)),
        }
    }

    /// The true mean of the billed duration at a power, times its memory. The drift is left out,
    /// because it affects all powers alike.
    pub(crate) fn cost(self, power: Power) -> f64 {
        const DRAWS: u32 = 4_000;
        // Equal noise at every power leaves only the difference between the medians.
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut billed =
            |number| (self.median_ms(power) * self.noise(number, &mut rng)).ceil().max(1.0);
        let sum: f64 = std::iter::repeat_n(0, DRAWS as usize).map(&mut billed).sum();
        f64::from(power.mb()) * sum / f64::from(DRAWS)
    }
}

/// The speed factor of an environment.
fn host(invocation: Invocation, seed: u64) -> f64 {
    let own = u64::from(invocation.power.mb()) * 1000 + u64::from(invocation.environment);
    (0.1 * gauss(&mut ChaCha8Rng::seed_from_u64(seed ^ own))).exp()
}

/// Normally distributed, by Box and Muller.
fn gauss(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

impl Function for Family {
    fn invoke(&self, invocation: Invocation, rng: &mut ChaCha8Rng) -> Outcome {
        // The seed of the run's generator gives each run its own hosts.
        let seed = rng.get_seed()[..8].try_into().map(u64::from_le_bytes).expect("eight bytes");
        let host = if matches!(self, Self::UnevenHosts) { host(invocation, seed) } else { 1.0 };
        let Invocation { power, number, .. } = invocation;
        counted(invocation, host * self.median_ms(power) * self.noise(number, rng))
    }
}
