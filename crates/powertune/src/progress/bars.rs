//! Progress as bars on a terminal: the run as a whole, then each power.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use powertune_core::{power::Power, region::Currency};
use powertune_engine::event::Event;

use super::{
    applied, cleaning_up, counted, plan_lines,
    tally::{Row, Stage, Tally},
    waiting,
};
use crate::output::{Charset, duration, message, spent};

/// Often enough for the time that is left.
const TICK: Duration = Duration::from_millis(250);

/// The bars and what they show.
#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    /// First, so that it is seen when there are more powers than lines.
    total: Option<ProgressBar>,
    powers: BTreeMap<Power, ProgressBar>,
    /// When each power's version was published.
    started: BTreeMap<Power, Instant>,
    /// When the last invocation will have ended, as it looks now.
    end: Arc<Mutex<Option<Instant>>>,
    tally: Tally,
    charset: Charset,
}

impl Bars {
    pub(super) fn new(charset: Charset) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            total: None,
            powers: BTreeMap::new(),
            started: BTreeMap::new(),
            end: Arc::default(),
            tally: Tally::default(),
            charset,
        }
    }

    pub(super) fn show(&mut self, event: &Event) {
        self.tally.take(event);
        match event {
            Event::Planned(plan) => self.say(&plan_lines(plan, self.charset)),
            Event::RoundStarted(_) => self.start_round(),
            Event::Published { power, .. } => {
                self.started.entry(*power).or_insert_with(Instant::now);
                self.update(*power);
            }
            Event::Throttled { power, .. } | Event::PowerDone(power) => self.update(*power),
            Event::Skipped(skipped) => self.update(skipped.power),
            Event::Observed(observation) => self.update(observation.power),
            Event::Applied { .. } => self.say(&Vec::from_iter(applied(event))),
            Event::Waiting(wait) => self.say(&[waiting(wait)]),
            Event::CleaningUp => self.put_back(),
            Event::Sent(_) | Event::CleanedUp(_) => {}
        }
    }

    /// Takes the bars away: the result comes next.
    pub(super) fn end(self) {
        for bar in self.powers.values().chain(&self.total) {
            bar.finish_and_clear();
        }
        self.say(&[String::new()]);
        // A terminal that is gone needs no tidying.
        let _ = self.screen.clear();
    }

    /// Lines that stay above the bars.
    fn say(&self, lines: &[String]) {
        for line in lines {
            // There is nobody to tell that stderr is gone.
            let _ = self.screen.println(line);
        }
    }

    fn start_round(&mut self) {
        let charset = self.charset;
        self.total.get_or_insert_with(|| {
            let total = self.screen.insert(0, ProgressBar::new(0));
            total.set_style(match self.tally.open_round() {
                Some(_) => style("{prefix:>8} {msg}", charset),
                None => total_style(charset, Arc::clone(&self.end)),
            });
            total.set_prefix("total");
            total.enable_steady_tick(TICK);
            total
        });
        let powers: Vec<Power> = self.tally.rows().map(|(power, _)| power).collect();
        for (index, power) in powers.into_iter().enumerate() {
            self.powers.entry(power).or_insert_with(|| {
                let bar = self.screen.insert(index + 1, ProgressBar::new(0));
                bar.set_style(power_style(charset));
                bar.set_prefix(power.to_string());
                bar
            });
            self.update(power);
        }
    }

    fn update(&self, power: Power) {
        let currency = self.tally.price().map(|price| price.currency);
        if let Some((bar, row)) = self.powers.get(&power).zip(self.tally.at(power)) {
            bar.set_length(row.wanted);
            bar.set_position(row.progress());
            bar.set_message(words(row, currency, self.charset));
        }
        *lock(&self.end) = self.expected_end(Instant::now());
        if let Some(total) = &self.total {
            let (done, wanted) = self.tally.progress();
            total.set_length(wanted);
            total.set_position(done);
            total.set_message(self.so_far(done));
        }
    }

    /// What stands behind the bar of the whole run, or in its place.
    fn so_far(&self, done: u64) -> String {
        let round = self.tally.open_round().map(|round| {
            format!("{} in {}", counted(done, "invocation"), counted(round.into(), "round"))
        });
        let currency = self.tally.price().map(|price| price.currency);
        let cost = currency
            .map(|currency| format!("{} so far", spent(self.tally.cost(), currency, self.charset)));
        round.into_iter().chain(cost).collect::<Vec<_>>().join(", ")
    }

    /// When the slowest power will be done: powers are measured side by side.
    fn expected_end(&self, now: Instant) -> Option<Instant> {
        let running = self.tally.rows().filter(|(_, row)| row.progress() < row.wanted);
        let left = running.map(|(power, row)| {
            let elapsed = now.duration_since(*self.started.get(&power)?);
            left(row.done, row.wanted, elapsed)
        });
        Some(now + left.collect::<Option<Vec<Duration>>>()?.into_iter().max()?)
    }

    fn put_back(&self) {
        match &self.total {
            Some(total) => {
                total.set_style(style("{prefix:>8} {wide_msg}", self.charset));
                total.set_message(cleaning_up(&self.tally));
            }
            None => self.say(&[cleaning_up(&self.tally).to_owned()]),
        }
    }
}

fn style(template: &str, charset: Charset) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates are correct")
        .progress_chars(charset.pick("█▉▊▋▌▍▎▏ ", "=> "))
}

fn power_style(charset: Charset) -> ProgressStyle {
    style("{prefix:>8} {bar:20.cyan} {pos:>4}/{len:<4} {wide_msg}", charset)
}

fn total_style(charset: Charset, end: Arc<Mutex<Option<Instant>>>) -> ProgressStyle {
    let left = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
        let left = lock(&end).map(|end| end.saturating_duration_since(Instant::now()));
        if let Some(left) = left {
            let _ = write!(text, ", about {} left", clock(left));
        }
    };
    style("{prefix:>8} {bar:20.green} {pos:>4}/{len:<4} {msg}{left}", charset)
        .with_key("left", left)
}

fn lock(end: &Mutex<Option<Instant>>) -> MutexGuard<'_, Option<Instant>> {
    // An instant is whole even where its writer panicked.
    end.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the invocations that are left will take, if they go on as before; not known before the
/// first has ended.
fn left(done: u64, wanted: u64, elapsed: Duration) -> Option<Duration> {
    if done == 0 {
        return None;
    }
    let each = elapsed.div_f64(done as f64);
    Some(each.mul_f64(wanted.saturating_sub(done) as f64))
}

/// A time to wait, to the second.
fn clock(time: Duration) -> String {
    let mut clock = String::new();
    let seconds = time.as_secs().max(1);
    if seconds >= 60 {
        let _ = write!(clock, "{} min ", seconds / 60);
    }
    let _ = write!(clock, "{} s", seconds % 60);
    clock
}

/// What stands behind a power's bar.
fn words(row: &Row, currency: Option<Currency>, charset: Charset) -> String {
    match &row.stage {
        Stage::Unpublished => return "waits for its version".to_owned(),
        Stage::Starting => return "its version gets ready".to_owned(),
        Stage::Throttled(reason) => {
            return format!("waits, Lambda throttles ({})", message(reason));
        }
        Stage::Failed(reason) => return format!("failed: {}", message(reason)),
        Stage::Skipped(reason) => return format!("skipped: {}", message(reason)),
        Stage::Measuring | Stage::Done => {}
    }
    let mean = row.mean_ms().map(|ms| format!("{:>7}", duration(ms)));
    let cold = (row.cold_starts > 0).then(|| format!("{} cold", row.cold_starts));
    let failed = (row.failures > 0).then(|| format!("{} failed", row.failures));
    let cost = currency.map(|currency| spent(row.cost, currency, charset));
    [mean, cold, failed, cost].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use powertune_core::{
        observation::{Failure, Skipped},
        plan::Measurement,
    };

    use super::{
        super::tally::tests::{counted, failed, open_ended, planned, power},
        *,
    };

    fn shown(events: impl IntoIterator<Item = Event>) -> Bars {
        let mut bars = Bars::new(Charset::Unicode);
        bars.screen.set_draw_target(ProgressDrawTarget::hidden());
        for event in planned().into_iter().chain(events) {
            bars.show(&event);
        }
        bars
    }

    fn message_at(bars: &Bars, mb: u32) -> String {
        bars.powers[&power(mb)].message()
    }

    #[test]
    fn every_stage_has_its_words() {
        let bars = shown([]);
        assert_eq!(message_at(&bars, 512), "waits for its version");
        let published = Event::Published { power: power(512), version: "1".to_owned() };
        assert_eq!(message_at(&shown([published]), 512), "its version gets ready");
        let throttled = Event::Throttled { power: power(512), reason: "busy".to_owned() };
        assert_eq!(message_at(&shown([throttled]), 512), "waits, Lambda throttles (busy)");
        let reason = "beyond the account\u{1b}[0m".to_owned();
        let skipped = Event::Skipped(Skipped { power: power(512), reason });
        assert_eq!(message_at(&shown([skipped]), 512), "skipped: beyond the account\\u{1b}[0m");
        let bars = shown([failed(512, Failure::Timeout)]);
        assert_eq!(message_at(&bars, 512), "failed: the function ran into its timeout");
        assert_eq!(bars.powers[&power(512)].position(), 3);
    }

    #[test]
    fn the_mean_the_cold_starts_and_the_cost_are_running() {
        let bars = shown([
            counted(512, 100.0, Some(200.0)),
            counted(512, 90.0, None),
            failed(128, Failure::Lost { why: String::new() }),
        ]);
        assert_eq!(message_at(&bars, 512), "90.0 ms, 1 cold, under $0.0001");
        assert_eq!(message_at(&bars, 128), "1 failed, $0.00");
        assert_eq!(bars.powers[&power(512)].position(), 2);
        let total = bars.total.as_ref().unwrap();
        assert_eq!((total.position(), total.length()), (3, Some(9)));
        assert_eq!(total.message(), "under $0.0001 so far");
        bars.end();
    }

    #[test]
    fn a_run_without_a_known_end_counts_what_is_behind_it() {
        let mut bars = Bars::new(Charset::Unicode);
        bars.screen.set_draw_target(ProgressDrawTarget::hidden());
        for event in open_ended().into_iter().chain([counted(512, 1.0, None)]) {
            bars.show(&event);
        }
        let total = bars.total.as_ref().unwrap();
        assert_eq!(total.message(), "1 invocation in 1 round, under $0.0001 so far");
        let more = Measurement::new(power(512), 2);
        bars.show(&Event::RoundStarted(vec![more]));
        let total = bars.total.as_ref().unwrap();
        assert_eq!(total.message(), "1 invocation in 2 rounds, under $0.0001 so far");
    }

    #[test]
    fn the_time_left_is_that_of_the_slowest() {
        assert_eq!(left(0, 10, Duration::from_secs(5)), None);
        assert_eq!(left(2, 10, Duration::from_secs(5)), Some(Duration::from_secs(20)));
        assert_eq!(left(11, 10, Duration::from_secs(5)), Some(Duration::ZERO));

        let mut bars = shown([counted(512, 1.0, None), failed(128, Failure::Timeout)]);
        let now = Instant::now();
        let ago = |seconds| now.checked_sub(Duration::from_secs(seconds)).unwrap();
        bars.started = [(power(512), ago(8)), (power(10_240), ago(2))].into();
        assert_eq!(bars.expected_end(now), None, "the third power has not begun");
        bars.tally.take(&counted(10_240, 1.0, None));
        assert_eq!(bars.expected_end(now), Some(now + Duration::from_secs(16)));
    }

    #[test]
    fn waits_are_told_to_the_second() {
        assert_eq!(clock(Duration::from_millis(300)), "1 s");
        assert_eq!(clock(Duration::from_secs(75)), "1 min 15 s");
    }
}
