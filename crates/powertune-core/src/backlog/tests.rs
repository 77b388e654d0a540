use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    architecture::Architecture,
    price,
    report::{Report, Start, Status},
};

fn power(mb: u32) -> Power {
    Power::new(mb).expect("a power")
}

fn tariff() -> Tariff {
    let region = "us-east-1".parse().expect("a region");
    let price = price::on_demand(&region, Architecture::X86_64).expect("a price");
    Tariff { price, longest_ms: 1000.0 }
}

fn counted(at: Power, start: Start) -> Observation {
    let report = Report {
        duration_ms: 1.0,
        billed_ms: 1,
        memory_mb: at.mb(),
        max_memory_mb: None,
        start,
        status: Status::Success,
    };
    Observation { power: at, outcome: Outcome::Counted(report) }
}

fn failed(at: Power, failure: Failure) -> Observation {
    Observation { power: at, outcome: Outcome::Failed { failure, report: None } }
}

const COLD: Start = Start::Cold { init_ms: 1.0 };

/// A backlog with `num` invocations at each power. The versions are published in order, from 1.
fn opened(powers: &[u32], num: u32) -> Backlog {
    let mut backlog = Backlog::default();
    let round: Vec<_> = powers.iter().map(|&mb| Measurement::new(power(mb), num)).collect();
    backlog.open(&round, |_| 0);
    backlog.line_up(usize::MAX, None, &tariff());
    for (at, mb) in powers.iter().enumerate() {
        backlog.published(power(*mb), (at + 1).to_string());
    }
    backlog
}

#[test]
fn the_functions_own_power_is_published_last() {
    let mut backlog = Backlog::default();
    let round = [128, 512, 1024].map(|mb| Measurement::new(power(mb), 1));
    backlog.open(&round, |_| 0);
    assert_eq!(backlog.unpublished(power(128)), [512, 1024, 128].map(power));
    backlog.skip(power(1024));
    backlog.know(power(128), "1".to_owned());
    assert_eq!(backlog.unpublished(power(128)), [power(512)]);
}

#[test]
fn a_version_is_invoked_again_unless_it_has_to_be_fresh() {
    let mut backlog = opened(&[128, 512], 1);
    for task in backlog.tasks.clone() {
        assert_eq!(backlog.take(task.clone(), &[counted(task.power, COLD)], false), None);
    }
    assert!(backlog.is_done());
    let fresh = Measurement { fresh: true, ..Measurement::new(power(512), 2) };
    backlog.open(&[Measurement::new(power(128), 2), fresh], |_| 1);
    assert_eq!(backlog.unpublished(power(128)), [power(512)]);
    assert_eq!(backlog.waiting[0].version.as_deref(), Some("1"));
    assert!(!backlog.is_fresh("2") && backlog.is_fresh("3"));
    assert_eq!(backlog.waiting[0].next_number(), 1);
}

#[test]
fn a_power_that_would_fail_again_gets_no_more() {
    let mut backlog = opened(&[128], 10);
    let task = backlog.tasks[0].clone();
    let seen = [failed(task.power, Failure::OutOfMemory)];
    assert_eq!(backlog.take(task, &seen, false), None);
    assert!(backlog.is_done());
}

#[test]
fn a_warm_start_is_sent_again_where_cold_starts_count_until_none_comes() {
    let mut backlog = opened(&[128], 3);
    let task = backlog.tasks[0].clone();
    assert_eq!(batch(&task, 2, true), 2);
    let seen = [counted(task.power, COLD), counted(task.power, Start::Warm)];
    assert_eq!(backlog.take(task, &seen, true), None);
    let rest = &backlog.waiting[0];
    assert_eq!((rest.left(), rest.version.as_ref(), rest.barren), (2, None, 0));
    for barren in 1..=MOST_BARREN {
        assert_eq!(backlog.waiting[0].barren, barren - 1);
        let task = backlog.waiting.remove(0);
        assert_eq!(backlog.take(task, &[counted(power(128), Start::Warm)], true), None);
    }
    assert!(backlog.is_done());
}

#[test]
fn a_version_that_gets_ready_slowly_is_tried_again_and_then_given_up() {
    let mut backlog = opened(&[128], 3);
    for _ in 1..MOST_IDLE {
        let task = backlog.tasks[0].clone();
        assert_eq!(backlog.take(task, &[], true), None);
        assert_eq!(backlog.waiting[0].version.as_deref(), Some("1"), "nobody has invoked it");
        backlog.line_up(1, None, &tariff());
    }
    let task = backlog.tasks[0].clone();
    let given_up = backlog.take(task, &[], true).expect("it is given up");
    assert_eq!(given_up.invocations, 3);
    assert!(backlog.is_done());
}

#[test]
fn a_lost_batch_is_not_sent_again() {
    let mut backlog = opened(&[128, 512], 3);
    let lost = backlog.tasks[1].clone();
    backlog.close(&lost, false);
    assert_eq!(backlog.tasks.len(), 1);
    assert_eq!(backlog.last_used, 2);
}

proptest! {
    /// Every invocation is sent once, and the backlog ends, for any number of powers and
    /// invocations, any width and any outcome of a batch.
    #[test]
    fn every_invocation_is_sent_once(
        nums in vec(1_u32..20, 1..8),
        width in 1_usize..9,
        in_flight in 1_u32..9,
        returned in vec(1_u32..9, 1..5),
    ) {
        let mut backlog = Backlog::default();
        let powers: Vec<Power> = (1..).map(|at| power(128 * at)).take(nums.len()).collect();
        let round: Vec<_> =
            powers.iter().zip(&nums).map(|(&at, &num)| Measurement::new(at, num)).collect();
        backlog.open(&round, |_| 0);
        let mut sent: Vec<(Power, u32)> = Vec::new();
        let mut returned = returned.iter().cycle();
        let mut version = 0;
        while !backlog.is_done() {
            backlog.line_up(width, None, &tariff());
            prop_assert!(!backlog.tasks.is_empty() && backlog.tasks.len() <= width);
            for at in backlog.unpublished(powers[0]) {
                version += 1;
                backlog.published(at, version.to_string());
            }
            for task in backlog.tasks.clone() {
                let count = batch(&task, in_flight, true).min(*returned.next().expect("a cycle"));
                let first = task.next_number();
                sent.extend((first..first + count).map(|number| (task.power, number)));
                let seen = vec![counted(task.power, COLD); count as usize];
                prop_assert_eq!(backlog.take(task, &seen, true), None);
            }
        }
        sent.sort_unstable();
        let all = round.iter().flat_map(|each| (0..each.invocations).map(|n| (each.power, n)));
        prop_assert_eq!(sent, all.collect::<Vec<_>>());
    }
}
