//! The work of the bundled sample function. It is a separate crate, so that development builds can
//! optimize it alone.

/// The number of primes below `bound`, by trial division.
#[must_use]
pub fn count_primes(bound: u32) -> usize {
    let mut primes: Vec<u32> = Vec::new();
    for candidate in 2..bound {
        let mut divisors = primes.iter().take_while(|&&prime| prime * prime <= candidate);
        if divisors.all(|prime| candidate % prime != 0) {
            primes.push(candidate);
        }
    }
    primes.len()
}

#[cfg(test)]
mod tests {
    use super::count_primes;

    #[test]
    fn primes_are_counted() {
        assert_eq!(count_primes(0), 0);
        assert_eq!(count_primes(30), 10);
        assert_eq!(count_primes(10_000), 1_229);
    }
}
