//! The most that a run's invocations may cost: `maxCost`.
//!
//! An invocation begins only if the run could pay for it were it to last until the timeout, beside
//! everything that is in flight. Calls of pre- and post-processors are not counted.

use crate::{observation::Outcome, power::Power, price::Price};

/// What an invocation of one function costs: at most, and in the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tariff {
    /// What running the function costs.
    pub price: Price,
    /// The longest that an invocation can be billed for, in milliseconds.
    pub longest_ms: f64,
}

impl Tariff {
    /// The most that an invocation at `power` can cost.
    pub fn worst(&self, power: Power) -> f64 {
        self.price.invocation_cost(power, self.longest_ms)
    }

    /// What an invocation has cost; the most that it can have cost where that is not known.
    pub fn charged(&self, power: Power, outcome: &Outcome) -> f64 {
        outcome.cost(power, &self.price).unwrap_or_else(|| self.worst(power))
    }
}

/// What was spent, and what may still be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Account {
    most: Option<f64>,
    spent: f64,
    /// The worst of what is in flight.
    reserved: f64,
    in_flight: u32,
}

/// Whether there is room for another invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// There is, and its worst is reserved.
    Reserved,
    /// Not before something that is in flight has turned out cheaper than its worst.
    Later,
    /// There is none, and there won't be any.
    Never,
}

impl Account {
    /// Nothing is spent yet of `most`; `None` sets no bounds.
    pub fn new(most: Option<f64>) -> Self {
        Self { most, spent: 0.0, reserved: 0.0, in_flight: 0 }
    }

    /// Makes room for an invocation that costs `worst` at most, if there is any.
    pub fn reserve(&mut self, worst: f64) -> Room {
        let fits = self.most.is_none_or(|most| self.spent + self.reserved + worst <= most);
        if fits {
            self.reserved += worst;
            self.in_flight += 1;
            Room::Reserved
        } else if self.in_flight > 0 {
            Room::Later
        } else {
            Room::Never
        }
    }

    /// An invocation for which `worst` was reserved has ended, and has cost this much.
    pub fn settle(&mut self, worst: f64, cost: f64) {
        self.spent += cost;
        self.in_flight = self.in_flight.saturating_sub(1);
        // Sums of fractions that come and go leave a rest.
        self.reserved = if self.in_flight == 0 { 0.0 } else { self.reserved - worst };
    }
}

/// What somebody could spend who works beside others on the same account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Need {
    /// The worst of one invocation.
    pub worst: f64,
    /// How many of them there are.
    pub invocations: u32,
}

/// Divides `room` among those who need it: one worst for each, and what is beyond that in
/// proportion to what each could still need. `room` has to be enough for one worst each.
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

    /// Powers that send their invocations one after the other, side by side: each has a worst, and
    /// what its invocations really cost, as shares of that.
    #[derive(Debug, Clone)]
    struct Series {
        worst: f64,
        costs: Vec<f64>,
        in_flight: Option<f64>,
    }

    fn series() -> impl Strategy<Value = Series> {
        (0.1_f64..10.0, vec(0.0_f64..=1.0, 1..12)).prop_map(|(worst, costs)| Series {
            worst,
            costs: costs.into_iter().map(|share| share * worst).collect(),
            in_flight: None,
        })
    }

    /// Plays them to the end, whoever's turn it is; what was spent, and whether all was sent.
    fn play(mut powers: Vec<Series>, account: &mut Account, turns: &[usize]) -> (f64, bool) {
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
                    Room::Reserved => power.in_flight = power.costs.pop(),
                    Room::Later => {}
                    Room::Never => {
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
            // Everybody has a turn.
            let turns = [turns, (0..6).collect()].concat();
            let mut account = Account::new(Some(most));
            let worst = powers.iter().map(|power| power.worst).fold(0.0, f64::max);
            let (spent, all) = play(powers, &mut account, &turns);
            prop_assert!(spent <= most * (1.0 + 1e-12), "{spent} of {most}");
            // What was not sent had no room.
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
        let mut account = Account::new(None);
        for _ in 0..3 {
            assert_eq!(account.reserve(1e9), Room::Reserved);
        }
    }
}
