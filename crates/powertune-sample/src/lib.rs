//! The work of the bundled sample function. It is a crate of its own so that a build for
//! development optimizes it, and not the whole command line.

/// How many primes there are below `bound`, by trial division.
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
