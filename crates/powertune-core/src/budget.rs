//! The cost limit of a run: `maxCost`.
//!
//! An invocation begins only if the run can pay for it and for everything in flight, even if all of
//! them last until the timeout. Calls of pre- and post-processors are not counted.

use crate::{observation::Outcome, power::Power, price::Price};

/// The cost of an invocation of one function: its maximum, and its final amount.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tariff {
    /// The price of the function.
    pub price: Price,
    /// The maximum billed duration of an invocation, in milliseconds.
    pub longest_ms: f64,
}

impl Tariff {
    /// The maximum cost of an invocation at `power`.
    pub fn worst(&self, power: Power) -> f64 {
        self.price.invocation_cost(power, self.longest_ms)
    }

    /// The cost of a finished invocation. Its maximum if the cost is not known.
    pub fn charged(&self, power: Power, outcome: &Outcome) -> f64 {
        outcome.cost(power, &self.price).unwrap_or_else(|| self.worst(power))
    }
}

/// The money that a run has spent and reserved, in the currency of the price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostLedger {
    most: Option<f64>,
    spent: f64,
    /// The maximum cost of everything in flight.
    reserved: f64,
    in_flight: u32,
}

/// The outcome of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReserveOutcome {
    /// The maximum cost of the invocation is reserved.
    Reserved,
    /// There may be room when an invocation in flight ends below its maximum.
    Later,
    /// There is no room, and there will be none.
    Never,
}

impl CostLedger {
    /// A ledger without spending. A `most` of `None` means no limit.
    pub fn new(most: Option<f64>) -> Self {
        Self { most, spent: 0.0, reserved: 0.0, in_flight: 0 }
    }

    /// Reserves `worst`, the maximum cost of an invocation, if there is room.
    pub fn reserve(&mut self, worst: f64) -> ReserveOutcome {
        let fits = self.most.is_none_or(|most| self.spent + self.reserved + worst <= most);
        if fits {
            self.reserved += worst;
            self.in_flight += 1;
            ReserveOutcome::Reserved
        } else if self.in_flight > 0 {
            ReserveOutcome::Later
        } else {
            ReserveOutcome::Never
        }
    }

    /// Replaces a reservation of `worst` with the real cost.
    pub fn settle(&mut self, worst: f64, cost: f64) {
        self.spent += cost;
        self.in_flight = self.in_flight.saturating_sub(1);
        // Rounding errors would add up over many reservations.
        self.reserved = if self.in_flight == 0 { 0.0 } else { self.reserved - worst };
    }
}

/// The need of one power that shares a budget with others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Need {
    /// The maximum cost of one invocation.
    pub worst: f64,
    /// The number of invocations.
    pub invocations: u32,
}

/// Divides `room` among the needs: first one invocation at maximum cost for each, then the rest in
/// proportion to the further needs. `room` must suffice for one invocation each.
pub fn shares(room: f64, needs: &[Need]) -> Vec<f64> {
    let further = |need: &Need| need.worst * f64::from(need.invocations.saturating_sub(1));
    let least: f64 = needs.iter().map(|need| need.worst).sum();
    let wanted: f64 = needs.iter().map(further).sum();
    let part = if wanted > 0.0 { ((room - least) / wanted).clamp(0.0, 1.0) } else { 0.0 };
    needs.iter().map(|need| need.worst + part * further(need)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A power that sends its invocations one after the other. `costs` are shares of `worst`.
    #[derive(Debug, Clone)]
    struct SimulatedPower {
        worst: f64,
        costs: Vec<f64>,
        in_flight: Option<f64>,
    }

    fn series() -> impl Strategy<Value = SimulatedPower> {
        (0.1_f64..10.0, vec(0.0_f64..=1.0, 1..12)).prop_map(|(worst, costs)| SimulatedPower {
            worst,
            costs: costs.into_iter().map(|share| share * worst).collect(),
            in_flight: None,
        })
    }

    /// Runs all powers to the end. Returns the spent amount, and true if every invocation was sent.
    fn play(
        mut powers: Vec<SimulatedPower>,
        account: &mut CostLedger,
        turns: &[usize],
    ) -> (f64, bool) {
        let mut spent = 0.0;
        let mut all = true;
        let mut turns = turns.iter().cycle();
        for _ in 0..1_000_000 {
            if powers.is_empty() {
                return (spent, all);
            }
            let index = turns.next().copied().unwrap_or(0) % powers.len();
            let power = &mut powers[index];
            if let Some(cost) = power.in_flight.take() {
                account.settle(power.worst, cost);
                spent += cost;
            } else if power.costs.is_empty() {
                powers.remove(index);
            } else {
                match account.reserve(power.worst) {
                    ReserveOutcome::Reserved => power.in_flight = power.costs.pop(),
                    ReserveOutcome::Later => {}
                    ReserveOutcome::Never => {
                        all = false;
                        powers.remove(index);
                    }
                }
            }
        }
        panic!("it does not come to an end");
    }

    proptest! {
        #[test]
        fn the_cap_holds_and_every_run_ends(
            powers in vec(series(), 1..6),
            most in 0.05_f64..60.0,
            turns in vec(0_usize..6, 0..20),
        ) {
            let turns = [turns, (0..6).collect()].concat();
            let mut account = CostLedger::new(Some(most));
            let worst = powers.iter().map(|power| power.worst).fold(0.0, f64::max);
            let (spent, all) = play(powers, &mut account, &turns);
            prop_assert!(spent <= most * (1.0 + 1e-12), "{spent} of {most}");
            prop_assert!(all || spent + worst > most);
        }

        #[test]
        fn shares_are_worth_an_invocation_each_and_no_more_than_there_is(
            needs in vec((0.1_f64..10.0, 1_u32..50), 1..8),
            more in 0.0_f64..200.0,
        ) {
            let needs: Vec<Need> = needs
                .into_iter()
                .map(|(worst, invocations)| Need { worst, invocations })
                .collect();
            let room = needs.iter().map(|need| need.worst).sum::<f64>() + more;
            let shares = shares(room, &needs);
            prop_assert!(shares.iter().sum::<f64>() <= room * (1.0 + 1e-12));
            for (share, need) in shares.iter().zip(&needs) {
                prop_assert!(*share >= need.worst);
                prop_assert!(*share <= need.worst * f64::from(need.invocations) * (1.0 + 1e-12));
            }
        }
    }

    #[test]
    fn without_a_cap_there_is_always_room() {
        let mut account = CostLedger::new(None);
        for _ in 0..3 {
            assert_eq!(account.reserve(1e9), ReserveOutcome::Reserved);
        }
    }
}
